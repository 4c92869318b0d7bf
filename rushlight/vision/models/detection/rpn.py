"""The region proposal network: which anchors may be around something (S. Ren et al., arXiv:1506.01497).

A small head gives each anchor a score and moves it; the best of each map that do not overlap too much become proposals.
In training it learns from a sample of anchors that overlap true boxes much, or little.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
from rushlight.vision.models.detection.box_coder import BoxCoder, loss_of_found
from rushlight.vision.models.detection.image_list import ImageList
from rushlight.vision.models.detection.matcher import BalancedPositiveNegativeSampler, Matcher
from rushlight.vision.models.detection.selection import best_boxes
from rushlight.vision.ops import boxes as box_ops
from rushlight.vision.ops.layers import Conv2dNormActivation

__all__ = ["RPNHead", "RegionProposalNetwork"]

Target = dict[str, Any]


class RPNHead(nn.Module):
    """A score and four numbers for each anchor of each place, the same layers for all maps.

    Args:
        in_channels: of the maps.
        num_anchors: how many a place has.
        conv_depth: how many 3 by 3 convolutions come first.
    """

    _version = 2

    def __init__(self, in_channels: int, num_anchors: int, conv_depth: int = 1) -> None:
        super().__init__()
        steps = [Conv2dNormActivation(in_channels, in_channels, 3, norm_layer=None) for _ in range(conv_depth)]
        self.conv = nn.Sequential(*steps)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, kernel_size=1, stride=1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=1, stride=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    init.constant_(layer.bias, 0)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if (local_metadata.get("version") or 1) < 2:  # there was one convolution, and no list of them
            for kind in ("weight", "bias"):
                old = f"{prefix}conv.{kind}"
                if old in state_dict:
                    state_dict[f"{prefix}conv.0.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def forward(self, x: list[Any]) -> tuple[list[Any], list[Any]]:
        """Of maps (N, C, H, W) the scores (N, A, H, W) and the moves (N, 4 * A, H, W)."""
        seen = [self.conv(entry) for entry in x]
        return [self.cls_logits(entry) for entry in seen], [self.bbox_pred(entry) for entry in seen]


def permute_and_flatten(layer: Any, N: int, A: int, C: int, H: int, W: int) -> Any:
    """(N, A * C, H, W) to (N, H * W * A, C): in the order of the anchors."""
    return layer.view(N, -1, C, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, C)


def concat_box_prediction_layers(box_cls: list[Any], box_regression: list[Any]) -> tuple[Any, Any]:
    """Scores (anchors of all pictures, classes) and moves (anchors of all pictures, 4) of all maps."""
    scores, moves = [], []
    for entry, change in zip(box_cls, box_regression, strict=True):
        N, channels, H, W = entry.shape
        A = change.shape[1] // 4
        scores.append(permute_and_flatten(entry, N, A, channels // A, H, W))
        moves.append(permute_and_flatten(change, N, A, 4, H, W))
    return rushlight.cat(scores, dim=1).flatten(0, -2), rushlight.cat(moves, dim=1).reshape(-1, 4)


class RegionProposalNetwork(nn.Module):
    """Maps to proposals, and in training to the losses of both numbers.

    Args:
        anchor_generator: makes anchors of pictures and maps.
        head: makes scores and moves of maps.
        fg_iou_thresh, bg_iou_thresh: from this overlap an anchor is a match; below this one it is background.
        batch_size_per_image, positive_fraction: how many anchors are learned from, and the largest share of matches.
        pre_nms_top_n, post_nms_top_n: the best of each map, and of each picture; both for "training" and "testing".
        nms_thresh: proposals that overlap a better one more than this are dropped.
        score_thresh: proposals below are dropped.
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_top_n: dict[str, int],
        post_nms_top_n: dict[str, int],
        nms_thresh: float,
        score_thresh: float = 0.0,
    ) -> None:
        super().__init__()
        self.anchor_generator = anchor_generator
        self.head = head
        self.box_coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self._pre_nms_top_n = pre_nms_top_n
        self._post_nms_top_n = post_nms_top_n
        self.nms_thresh = nms_thresh
        self.score_thresh = score_thresh
        self.min_size = 1e-3

    def pre_nms_top_n(self) -> int:
        """How many anchors of each map are looked at."""
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self) -> int:
        """How many proposals a picture gets."""
        return self._post_nms_top_n["training" if self.training else "testing"]

    def assign_targets_to_anchors(self, anchors: list[Any], targets: list[Target]) -> tuple[list[Any], list[Any]]:
        """For each picture's anchors the labels (A,), 1 for matches, 0 for background, -1 for neither, and the boxes
        (A, 4) that they match."""
        labels, matched = [], []
        for places, target in zip(anchors, targets, strict=True):
            boxes = target["boxes"]
            if boxes.numel() == 0:
                labels.append(rushlight.zeros((len(places),), dtype=rushlight.float32))
                matched.append(rushlight.zeros(places.shape, dtype=rushlight.float32))
                continue
            found = self.proposal_matcher(self.box_similarity(boxes, places))
            between = found == self.proposal_matcher.BETWEEN_THRESHOLDS
            labels.append((found >= 0).to(dtype=rushlight.float32).masked_fill(between, -1.0))
            matched.append(boxes[found.clamp(min=0)])
        return labels, matched

    def _get_top_n_idx(self, objectness: Any, num_anchors_per_level: list[int]) -> Any:
        """The places (N, K) of the best scores (N, A) of each map."""
        places, before = [], 0
        for scores in objectness.split(num_anchors_per_level, 1):
            count = min(self.pre_nms_top_n(), scores.shape[1])
            places.append(scores.topk(count, dim=1)[1] + before)
            before += scores.shape[1]
        return rushlight.cat(places, dim=1)

    def filter_proposals(
        self, proposals: Any, objectness: Any, image_shapes: list[tuple[int, int]], num_anchors_per_level: list[int]
    ) -> tuple[list[Any], list[Any]]:
        """The proposals that stay, and their scores, for each picture.

        Args:
            proposals: corners (N, A, 4).
            objectness: scores of all of them.
            image_shapes: (height, width) of each picture.
            num_anchors_per_level: how many anchors each map has.
        """
        proposals, objectness = proposals.detach(), objectness.detach().reshape(len(proposals), -1)
        levels = rushlight.cat([rushlight.full((count,), map) for map, count in enumerate(num_anchors_per_level)])
        best = self._get_top_n_idx(objectness, num_anchors_per_level)
        pictures = rushlight.arange(len(proposals))[:, None]
        scores, boxes = rushlight.sigmoid(objectness[pictures, best]), proposals[pictures, best]
        pairs = zip(boxes, image_shapes, strict=True)
        clipped = rushlight.stack([box_ops.clip_boxes_to_image(entry, size) for entry, size in pairs])
        final_boxes, final_scores = [], []
        for entry, score, level in zip(clipped.numpy(), scores.numpy(), levels[best].numpy(), strict=True):
            kept = best_boxes(
                entry, score, level, self.nms_thresh, self.post_nms_top_n(), self.min_size, self.score_thresh
            )
            final_boxes.append(rushlight.from_numpy(entry[kept]))
            final_scores.append(rushlight.from_numpy(score[kept]))
        return final_boxes, final_scores

    def compute_loss(
        self, objectness: Any, pred_bbox_deltas: Any, labels: list[Any], regression_targets: list[Any]
    ) -> tuple[Any, Any]:
        """The losses of the scores and of the moves, for a sample of all pictures' anchors."""
        positive, negative = (rushlight.cat(each) for each in self.fg_bg_sampler(labels))
        sample = rushlight.where((positive | negative) > 0)[0]
        score_loss = F.binary_cross_entropy_with_logits(objectness.flatten()[sample], rushlight.cat(labels)[sample])
        aims = rushlight.cat(regression_targets)[sample]
        found = positive[sample] > 0
        return score_loss, loss_of_found(pred_bbox_deltas[sample], aims, found) / len(sample)

    def forward(
        self, images: ImageList, features: dict[str, Any], targets: list[Target] | None = None
    ) -> tuple[list[Any], dict[str, Any]]:
        """The proposals (P, 4) of each picture; and losses in training, where targets have to have "boxes"."""
        maps = list(features.values())
        objectness, moves = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        counts = [entry[0].numel() for entry in objectness]
        objectness, moves = concat_box_prediction_layers(objectness, moves)
        # Boxes are found, not learned, through the proposals: their gradients stay here.
        proposals = self.box_coder.decode(moves.detach(), anchors).view(len(anchors), -1, 4)
        boxes, _ = self.filter_proposals(proposals, objectness, images.image_sizes, counts)
        if not self.training:
            return boxes, {}
        if targets is None:
            raise ValueError("targets should not be None")
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        aims = self.box_coder.encode(matched, anchors)
        score_loss, box_loss = self.compute_loss(objectness, moves, labels, list(aims))
        return boxes, {"loss_objectness": score_loss, "loss_rpn_box_reg": box_loss}
