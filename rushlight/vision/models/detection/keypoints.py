"""Keypoints of single objects: a network gives each a map of where in a proposal it may be.

For the loss, a true point is the place of the map that it falls into, one class among as many as there are places. In
evaluation the map is enlarged to the size of the box, and its largest number is the point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.nn import functional as F

__all__ = ["heatmaps_to_keypoints", "keypointrcnn_inference", "keypointrcnn_loss", "keypoints_to_heatmap"]

IGNORED = -100


def keypoints_to_heatmap(keypoints: Any, rois: Any, heatmap_size: int) -> tuple[Any, Any]:
    """The place (K, points) of each point in its box's map, row by row, and whether it is there and visible.

    Args:
        keypoints: x, y and visibility (K, points, 3).
        rois: corners (K, 4).
        heatmap_size: height and width of the maps.
    """
    places, inside = [], keypoints[..., 2] > 0
    for side in (0, 1):
        start, end = rois[:, side, None], rois[:, side + 2, None]
        at = keypoints[..., side]
        place = ((at - start) * (heatmap_size / (end - start))).floor().long()
        place = place.masked_fill(at == end, heatmap_size - 1)
        inside = inside & (place >= 0) & (place < heatmap_size)
        places.append(place)
    valid = inside.long()
    return (places[1] * heatmap_size + places[0]) * valid, valid


def heatmaps_to_keypoints(maps: Any, rois: Any) -> tuple[Any, Any]:
    """The points (K, points, 3) of maps (K, points, M, M) in boxes (K, 4), and the maps' numbers there (K, points)."""
    sides = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    whole = sides.ceil()
    points, scores = [maps.new_zeros((0, maps.shape[1], 3))], [maps.new_zeros((0, maps.shape[1]))]
    for map, (width, height), share, offset in zip(maps, whole.tolist(), sides / whole, rois[:, :2], strict=True):
        large = F.interpolate(map[:, None], size=(int(height), int(width)), mode="bicubic", align_corners=False)
        flat = large.flatten(1)
        best = flat.argmax(dim=1)
        x, y = best % int(width), best // int(width)
        at = (rushlight.stack([x, y], dim=1).to(maps.dtype) + 0.5) * share + offset
        points.append(rushlight.cat([at, rushlight.ones_like(at[:, :1])], dim=1)[None])
        scores.append(flat.gather(1, best[:, None])[None, :, 0])
    return rushlight.cat(points).float(), rushlight.cat(scores).float()


def keypointrcnn_loss(keypoint_logits: Any, proposals: Any, gt_keypoints: Any, keypoint_matched_idxs: Any) -> Any:
    """The cross entropy of the places of all visible points that lie in their proposals.

    Args:
        keypoint_logits: (K, points, M, M) for the proposals of all pictures; what more there is counts for nothing.
        proposals: corners (L, 4) for each picture.
        gt_keypoints: true points (N, points, 3) for each picture.
        keypoint_matched_idxs: whose points each proposal is to find, for each picture.

    Raises ValueError for maps that are no squares.
    """
    count, points, height, width = keypoint_logits.shape
    if height != width:
        raise ValueError(
            "keypoint_logits height and width (last two elements of shape) should be equal. "
            f"Instead got H = {height} and W = {width}"
        )
    parts = zip(proposals, gt_keypoints, keypoint_matched_idxs, strict=True)
    found = [keypoints_to_heatmap(true[match], boxes, height) for boxes, true, match in parts]
    aims = np.full(count * points, IGNORED)
    places, seen = (np.concatenate([entry.numpy().reshape(-1) for entry in each]) for each in zip(*found, strict=True))
    aims[: len(places)] = np.where(seen, places, IGNORED)
    logits = keypoint_logits.view(count * points, -1)
    loss = F.cross_entropy(logits, rushlight.from_numpy(aims), ignore_index=IGNORED, reduction="sum")
    return loss / max(1, int(seen.sum()))


def keypointrcnn_inference(x: Any, boxes: list[Any]) -> tuple[list[Any], list[Any]]:
    """The points (L, points, 3) of each picture's boxes (L, 4) and their scores, of maps for all of them."""
    parts = x.split([len(entry) for entry in boxes], dim=0)
    found = [heatmaps_to_keypoints(maps, entry) for maps, entry in zip(parts, boxes, strict=True)]
    return [points for points, _ in found], [scores for _, scores in found]
