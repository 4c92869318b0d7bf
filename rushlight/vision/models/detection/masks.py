"""Masks of single objects: what a network learns of them, and how what it says gets back into the picture.

A network says for M by M places of a proposal how likely they are inside. True masks are sampled at these places for
the loss; in evaluation, masks are stretched over their boxes and pasted into pictures of zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.nn import functional as F

__all__ = [
    "expand_boxes",
    "expand_masks",
    "maskrcnn_inference",
    "maskrcnn_loss",
    "paste_mask_in_image",
    "paste_masks_in_image",
    "project_masks_on_boxes",
]


def project_masks_on_boxes(gt_masks: Any, boxes: Any, matched_idxs: Any, M: int) -> Any:
    """The true masks (N, H, W), each box's own, sampled at M by M places of the boxes (K, 4): (K, M, M)."""
    masks, corners, owners = (entry.detach().numpy() for entry in (gt_masks, boxes, matched_idxs))
    height, width = masks.shape[1:]
    down = _bin_means(corners[:, 1], corners[:, 3], M, height)
    along = _bin_means(corners[:, 0], corners[:, 2], M, width).transpose(0, 2, 1)
    found = np.zeros((len(corners), M, M), corners.dtype)
    for owner in np.unique(owners):
        members = owners == owner
        rows = down[members]
        seen = (rows.reshape(-1, height) @ masks[owner].astype(rows.dtype)).reshape(len(rows), M, width)
        found[members] = seen @ along[members]
    return rushlight.from_numpy(found)


def _bin_means(start: np.ndarray, end: np.ndarray, bins: int, places: int) -> np.ndarray:
    """How much each place counts (K, bins, places) for the mean of each bin between start and end (K,), as `roi_align`
    has it: about one sample for each place, each between its two neighbours."""
    side = (np.maximum(end - start, 1) / bins)[:, None, None]
    counts = np.ceil(side)
    sample = np.arange(int(counts.max(initial=1)), dtype=side.dtype)
    at = start[:, None, None] + np.arange(bins, dtype=side.dtype)[:, None] * side + (sample + 0.5) * side / counts
    used = (at >= -1) & (at <= places) & (sample < counts)
    at = np.clip(at, 0, places - 1)
    low = at.astype(np.int64)
    means = np.zeros((len(start), bins, places), side.dtype)
    box, bin = np.arange(len(start))[:, None, None], np.arange(bins)[:, None]
    np.add.at(means, (box, bin, low), (1 - (at - low)) * used / counts)
    np.add.at(means, (box, bin, np.minimum(low + 1, places - 1)), (at - low) * used / counts)
    return means


def maskrcnn_loss(mask_logits: Any, proposals: Any, gt_masks: Any, gt_labels: Any, mask_matched_idxs: Any) -> Any:
    """The binary cross entropy of the masks of the true classes.

    Args:
        mask_logits: (K, classes, M, M) for the proposals of all pictures; what more there is counts for nothing.
        proposals: corners (L, 4) for each picture.
        gt_masks, gt_labels: true masks (N, H, W) and classes (N,) for each picture.
        mask_matched_idxs: which of these each proposal is to be, for each picture.
    """
    size = mask_logits.shape[-1]
    count, logits_count = sum(map(len, proposals)), len(mask_logits)
    labels, aims = np.zeros(logits_count, np.int64), np.zeros((logits_count, size, size), proposals[0].numpy().dtype)
    pairs = zip(gt_labels, mask_matched_idxs, strict=True)
    labels[:count] = np.concatenate([each.numpy()[match.numpy()] for each, match in pairs])
    parts = zip(gt_masks, proposals, mask_matched_idxs, strict=True)
    aims[:count] = np.concatenate([project_masks_on_boxes(*part, size).numpy() for part in parts])
    rows = rushlight.arange(logits_count)
    own = mask_logits[rows, rushlight.from_numpy(labels)]
    losses = F.binary_cross_entropy_with_logits(own, rushlight.from_numpy(aims), reduction="none")
    return losses.mean((1, 2)).masked_fill(rows >= count, 0).sum() / max(1, count)


def maskrcnn_inference(x: Any, labels: list[Any]) -> list[Any]:
    """Of scores (K, classes, M, M) how likely each place is inside, of the class that was found: (L, 1, M, M) each."""
    shares = x.sigmoid()[rushlight.arange(len(x)), rushlight.cat(labels)][:, None]
    return list(shares.split([len(label) for label in labels], dim=0))


def expand_boxes(boxes: Any, scale: float) -> Any:
    """Boxes (N, 4) with the same centres, so many times as wide and high."""
    centre = (boxes[:, 2:] + boxes[:, :2]) * 0.5
    half = (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale
    return rushlight.cat([centre - half, centre + half], dim=1)


def expand_masks(mask: Any, padding: int) -> tuple[Any, float]:
    """Masks (N, 1, M, M) with zeros around them, and how much wider that makes them."""
    size = mask.shape[-1]
    return F.pad(mask, (padding,) * 4), float(size + 2 * padding) / size


def paste_mask_in_image(mask: Any, box: Any, im_h: int, im_w: int) -> Any:
    """A picture (im_h, im_w) of zeros with the mask (M, M) stretched over the box (4,) of whole numbers."""
    left, top, right, bottom = (int(side) for side in box)
    width, height = max(right - left + 1, 1), max(bottom - top + 1, 1)
    stretched = F.interpolate(mask[None, None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    picture = rushlight.zeros((im_h, im_w), dtype=mask.dtype)
    x, x_end = max(left, 0), min(right + 1, im_w)
    y, y_end = max(top, 0), min(bottom + 1, im_h)
    picture[y:y_end, x:x_end] = stretched[y - top : y_end - top, x - left : x_end - left]
    return picture


def paste_masks_in_image(masks: Any, boxes: Any, img_shape: tuple[int, int], padding: int = 1) -> Any:
    """Pictures (N, 1, height, width) with the masks (N, 1, M, M) in their boxes (N, 4)."""
    masks, scale = expand_masks(masks, padding)
    corners = expand_boxes(boxes, scale).to(dtype=rushlight.int64).tolist()
    if not corners:
        return masks.new_empty((0, 1, *img_shape))
    found = [paste_mask_in_image(mask[0], box, *img_shape) for mask, box in zip(masks, corners, strict=True)]
    return rushlight.stack(found, dim=0)[:, None]
