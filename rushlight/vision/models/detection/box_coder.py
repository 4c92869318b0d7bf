"""Boxes as seen from other boxes: what the networks learn instead of corners.

`BoxCoder` tells how far the centre has moved, in widths and heights, and the logarithms of how both have grown.
`BoxLinearCoder` tells how far the four sides are from a centre. `encode` makes such numbers, `decode` corners of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight.nn import functional as F
from rushlight.vision.ops.losses import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

__all__ = ["BoxCoder", "BoxLinearCoder", "box_loss", "encode_boxes", "loss_of_found"]


def _centres_and_sizes(boxes: Any) -> tuple[Any, Any, Any, Any]:
    """x and y of the centre, width and height: (N,) each."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes[:, 0] + 0.5 * width, boxes[:, 1] + 0.5 * height, width, height


def encode_boxes(reference_boxes: Any, proposals: Any, weights: Any) -> Any:
    """The numbers (N, 4) that tell the reference boxes (N, 4) from the proposals (N, 4), times four weights."""
    x, y, width, height = _centres_and_sizes(proposals)
    to_x, to_y, to_width, to_height = _centres_and_sizes(reference_boxes)
    return rushlight.stack(
        [
            weights[0] * (to_x - x) / width,
            weights[1] * (to_y - y) / height,
            weights[2] * rushlight.log(to_width / width),
            weights[3] * rushlight.log(to_height / height),
        ],
        dim=1,
    )


class BoxCoder:
    """Boxes as moves and growths of others (R. Girshick et al., arXiv:1311.2524, appendix C).

    Args:
        weights: of the four numbers.
        bbox_xform_clip: the largest logarithm of a growth that is believed.
    """

    def __init__(
        self, weights: tuple[float, float, float, float], bbox_xform_clip: float = math.log(1000.0 / 16)
    ) -> None:
        self.weights = weights
        self.bbox_xform_clip = bbox_xform_clip

    def encode(self, reference_boxes: Sequence[Any], proposals: Sequence[Any]) -> tuple[Any, ...]:
        """The numbers for each picture's boxes."""
        counts = [len(boxes) for boxes in reference_boxes]
        found = self.encode_single(rushlight.cat(list(reference_boxes)), rushlight.cat(list(proposals)))
        return tuple(found.split(counts, 0))

    def encode_single(self, reference_boxes: Any, proposals: Any) -> Any:
        """The numbers (N, 4) for reference boxes (N, 4), seen from proposals (N, 4)."""
        weights = rushlight.as_tensor(self.weights, dtype=reference_boxes.dtype)
        return encode_boxes(reference_boxes, proposals, weights)

    def decode(self, rel_codes: Any, boxes: Sequence[Any]) -> Any:
        """The boxes (N, classes, 4) of numbers (N, classes * 4), for the boxes of all pictures one after the other."""
        rushlight._assert(isinstance(boxes, list | tuple), "This function expects boxes of type list or tuple.")
        rushlight._assert(
            isinstance(rel_codes, rushlight.Tensor), "This function expects rel_codes of type torch.Tensor."
        )
        count = sum(len(entry) for entry in boxes)
        if count > 0:
            rel_codes = rel_codes.reshape(count, -1)
        found = self.decode_single(rel_codes, rushlight.cat(list(boxes), dim=0))
        return found.reshape(count, -1, 4) if count > 0 else found

    def decode_single(self, rel_codes: Any, boxes: Any) -> Any:
        """The corners (N, classes * 4) of numbers (N, classes * 4), seen from boxes (N, 4)."""
        x, y, width, height = (part[:, None] for part in _centres_and_sizes(boxes.to(rel_codes.dtype)))
        dx, dy, dw, dh = (rel_codes[:, part::4] / weight for part, weight in enumerate(self.weights))
        x, y = dx * width + x, dy * height + y
        half_width = 0.5 * (rushlight.exp(dw.clamp(max=self.bbox_xform_clip)) * width)
        half_height = 0.5 * (rushlight.exp(dh.clamp(max=self.bbox_xform_clip)) * height)
        corners = (x - half_width, y - half_height, x + half_width, y + half_height)
        return rushlight.stack(corners, dim=2).flatten(1)


class BoxLinearCoder:
    """Boxes as the distances of their sides from a box's centre (Z. Tian et al., arXiv:1904.01355).

    Args:
        normalize_by_size: distances are in widths and heights of that box.
    """

    def __init__(self, normalize_by_size: bool = True) -> None:
        self.normalize_by_size = normalize_by_size

    def _centre_and_scale(self, boxes: Any) -> tuple[Any, Any, Any]:
        x, y = 0.5 * (boxes[..., 0] + boxes[..., 2]), 0.5 * (boxes[..., 1] + boxes[..., 3])
        if not self.normalize_by_size:
            return x, y, None
        width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
        return x, y, rushlight.stack((width, height, width, height), dim=-1)

    def encode(self, reference_boxes: Any, proposals: Any) -> Any:
        """How far left, above, right and below (..., 4) the sides of the proposals (..., 4) are."""
        x, y, scale = self._centre_and_scale(reference_boxes)
        sides = (x - proposals[..., 0], y - proposals[..., 1], proposals[..., 2] - x, proposals[..., 3] - y)
        found = rushlight.stack(sides, dim=-1)
        return found if scale is None else found / scale

    def decode(self, rel_codes: Any, boxes: Any) -> Any:
        """The corners (..., 4) of distances (..., 4) from the boxes' centres."""
        x, y, scale = self._centre_and_scale(boxes.to(dtype=rel_codes.dtype))
        left, above, right, below = (rel_codes if scale is None else rel_codes * scale).unbind(-1)
        return rushlight.stack((x - left, y - above, x + right, y + below), dim=-1)


def loss_of_found(moves: Any, aims: Any, found: Any) -> Any:
    """The summed smooth L1 loss of the moves (N, 4) of those boxes (N,) that were found.

    The others are left out by zeros, not by picking: how many there are changes no shape.
    """
    zero = rushlight.zeros((), dtype=moves.dtype)
    moves, aims = (rushlight.where(found[:, None], entry, zero) for entry in (moves, aims.to(moves.dtype)))
    return F.smooth_l1_loss(moves, aims, beta=1 / 9, reduction="sum")


_OVERLAP_LOSSES = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}


def box_loss(
    type: str, box_coder: BoxCoder, anchors: Any, matched_boxes: Any, regression: Any, cnf: Any = None
) -> Any:
    """The summed loss of what a network says (N, 4) about the boxes (N, 4) that matched its anchors (N, 4).

    Args:
        type: "l1" or "smooth_l1" of the coded boxes; "ciou", "diou" or "giou" of the boxes themselves.
        box_coder: what the network's numbers mean.
        cnf: "beta" of smooth L1, "eps" of the overlaps.

    Raises AssertionError for another type.
    """
    rushlight._assert(type in ("l1", "smooth_l1", *_OVERLAP_LOSSES), f"Unsupported loss: {type}")
    options = cnf or {}
    if type in _OVERLAP_LOSSES:
        boxes = box_coder.decode_single(regression, anchors)
        return _OVERLAP_LOSSES[type](boxes, matched_boxes, reduction="sum", eps=options.get("eps", 1e-7))
    target = box_coder.encode_single(matched_boxes, anchors)
    if type == "l1":
        return F.l1_loss(regression, target, reduction="sum")
    return F.smooth_l1_loss(regression, target, reduction="sum", beta=options.get("beta", 1.0))
