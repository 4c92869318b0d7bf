"""What looks at each proposal: its class and a better box, and where asked for, its mask and its keypoints.

In training a sample of the proposals is learned from, and of those that are around something, masks and keypoints. In
evaluation boxes are found first, and masks and keypoints inside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.vision.models.detection.box_coder import BoxCoder, loss_of_found
from rushlight.vision.models.detection.equal_shapes import compute, filled_up, kept_apart, row_by_row
from rushlight.vision.models.detection.keypoints import *  # noqa: F403
from rushlight.vision.models.detection.keypoints import keypointrcnn_inference, keypointrcnn_loss
from rushlight.vision.models.detection.masks import *  # noqa: F403
from rushlight.vision.models.detection.masks import maskrcnn_inference, maskrcnn_loss
from rushlight.vision.models.detection.matcher import BalancedPositiveNegativeSampler, Matcher
from rushlight.vision.models.detection.selection import best_boxes
from rushlight.vision.ops import boxes as box_ops

__all__ = ["RoIHeads", "fastrcnn_loss"]

Target = dict[str, Any]
Tensors = list[Any]
IGNORED = -100
MULTIPLES = {"box": 64, "mask": 16, "keypoint": 16}  # of which numbers of proposals are filled up to
FLOATS = (rushlight.float32, rushlight.float64, rushlight.float16)


def fastrcnn_loss(
    class_logits: Any, box_regression: Any, labels: Tensors, regression_targets: Tensors
) -> tuple[Any, Any]:
    """The losses of the classes, and of the boxes of what is no background.

    Args:
        class_logits: scores (K, classes) for the proposals of all pictures.
        box_regression: moves (K, classes * 4).
        labels: true classes (L,) for each picture.
        regression_targets: true moves (L, 4) for each picture.
    """
    classes, aims = rushlight.cat(labels), rushlight.cat(regression_targets)
    return _box_losses(class_logits, box_regression, classes, aims, len(classes))


def _box_losses(logits: Any, moves: Any, classes: Any, aims: Any, count: int) -> tuple[Any, Any]:
    """`fastrcnn_loss`; proposals of class IGNORED do not count."""
    class_loss = F.cross_entropy(logits, classes, ignore_index=IGNORED)
    own = moves.reshape(len(logits), -1, 4)[rushlight.arange(len(logits)), classes.clamp(min=0)]
    return class_loss, loss_of_found(own, aims, classes > 0) / count


class RoIHeads(nn.Module):
    """Maps and proposals to detections, and in training to losses.

    Args:
        box_roi_pool, box_head, box_predictor: bring proposals to one size, look at them, give classes and moves.
        fg_iou_thresh, bg_iou_thresh: from this overlap a proposal is a match; below this one it is background.
        batch_size_per_image, positive_fraction: how many proposals are learned from, and the largest share of matches.
        bbox_reg_weights: of the four numbers of a move; None for (10, 10, 5, 5).
        score_thresh, nms_thresh, detections_per_img: which boxes are detections, and how many.
        mask_roi_pool, mask_head, mask_predictor: the same for masks.
        keypoint_roi_pool, keypoint_head, keypoint_predictor: the same for keypoints.
    """

    def __init__(
        self,
        box_roi_pool: Any,
        box_head: Any,
        box_predictor: Any,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        bbox_reg_weights: tuple[float, float, float, float] | None,
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
        mask_roi_pool: Any = None,
        mask_head: Any = None,
        mask_predictor: Any = None,
        keypoint_roi_pool: Any = None,
        keypoint_head: Any = None,
        keypoint_predictor: Any = None,
    ) -> None:
        super().__init__()
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=False)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = BoxCoder(bbox_reg_weights or (10.0, 10.0, 5.0, 5.0))
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img = detections_per_img
        self.mask_roi_pool, self.mask_head, self.mask_predictor = mask_roi_pool, mask_head, mask_predictor
        self.keypoint_roi_pool, self.keypoint_head = keypoint_roi_pool, keypoint_head
        self.keypoint_predictor = keypoint_predictor

    def has_mask(self) -> bool:
        """Whether masks are found."""
        return None not in (self.mask_roi_pool, self.mask_head, self.mask_predictor)

    def has_keypoint(self) -> bool:
        """Whether keypoints are found."""
        return None not in (self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor)

    # ---- training: which proposals, and what they should be

    def assign_targets_to_proposals(
        self, proposals: Tensors, gt_boxes: Tensors, gt_labels: Tensors
    ) -> tuple[Tensors, Tensors]:
        """For each picture's proposals the true box (P,) and class (P,): 0 for background, -1 for neither."""
        matches, labels = [], []
        for places, boxes, classes in zip(proposals, gt_boxes, gt_labels, strict=True):
            if boxes.numel() == 0:
                nothing = rushlight.zeros((len(places),), dtype=rushlight.int64)
                matches.append(nothing)
                labels.append(nothing)
                continue
            found = self.proposal_matcher(self.box_similarity(boxes, places))
            match = found.clamp(min=0)
            label = classes[match].to(dtype=rushlight.int64)
            label = label.masked_fill(found == self.proposal_matcher.BELOW_LOW_THRESHOLD, 0)
            label = label.masked_fill(found == self.proposal_matcher.BETWEEN_THRESHOLDS, -1)
            matches.append(match)
            labels.append(label)
        return matches, labels

    def subsample(self, labels: Tensors) -> Tensors:
        """The places of the proposals that each picture's sample has."""
        pairs = zip(*self.fg_bg_sampler(labels), strict=True)
        return [rushlight.where(positive | negative)[0] for positive, negative in pairs]

    def add_gt_proposals(self, proposals: Tensors, gt_boxes: Tensors) -> Tensors:
        """The proposals, and the true boxes behind them."""
        return [rushlight.cat(pair) for pair in zip(proposals, gt_boxes, strict=True)]

    def check_targets(self, targets: list[Target] | None) -> None:
        """Raises ValueError for targets that are missing, or miss something."""
        if targets is None:
            raise ValueError("targets should not be None")
        for key in ("boxes", "labels", *(["masks"] if self.has_mask() else [])):
            if not all(key in target for target in targets):
                raise ValueError(f"Every element of targets should have a {key} key")

    def select_training_samples(
        self, proposals: Tensors, targets: list[Target] | None
    ) -> tuple[Tensors, Tensors, Tensors, Tensors]:
        """Each picture's sample: the boxes (S, 4), which true boxes they match, their classes, and the true moves."""
        self.check_targets(targets)
        assert targets is not None
        boxes = [target["boxes"].to(proposals[0].dtype) for target in targets]
        proposals = self.add_gt_proposals(proposals, boxes)
        matches, labels = self.assign_targets_to_proposals(proposals, boxes, [target["labels"] for target in targets])
        sample = self.subsample(labels)
        proposals, matches, labels = (
            [entry[places] for entry, places in zip(each, sample, strict=True)] for each in (proposals, matches, labels)
        )
        true = [
            (entry if entry.numel() else entry.new_zeros((1, 4)))[match]
            for entry, match in zip(boxes, matches, strict=True)
        ]
        return proposals, matches, labels, list(self.box_coder.encode(true, proposals))

    # ---- evaluation: which boxes

    def postprocess_detections(
        self,
        class_logits: Any,
        box_regression: Any,
        proposals: Tensors,
        image_shapes: Sequence[tuple[int, int]],
    ) -> tuple[Tensors, Tensors, Tensors]:
        """Each picture's boxes (D, 4), scores (D,) and classes (D,), of scores and moves of all proposals."""
        counts = [len(entry) for entry in proposals]
        boxes = self.box_coder.decode(box_regression, proposals)
        scores = F.softmax(class_logits, -1)
        found = [
            self._detections(*parts)
            for parts in zip(boxes.split(counts, 0), scores.split(counts, 0), image_shapes, strict=True)
        ]
        return tuple(map(list, zip(*found, strict=True)))  # type: ignore[return-value]

    def _detections(self, boxes: Any, scores: Any, size: tuple[int, int]) -> tuple[Any, Any, Any]:
        """The best of one picture's boxes (P, classes, 4) with scores (P, classes), without the background's."""
        labels = rushlight.arange(scores.shape[-1]).view(1, -1).expand_as(scores)[:, 1:].reshape(-1)
        boxes = box_ops.clip_boxes_to_image(boxes, size)[:, 1:].reshape(-1, 4)
        scores = scores[:, 1:].reshape(-1)
        values = scores.detach().numpy()
        good = np.flatnonzero(values > self.score_thresh)
        arrays = (boxes.detach().numpy()[good], values[good], labels.numpy()[good])
        best = best_boxes(*arrays, self.nms_thresh, self.detections_per_img, smallest=1e-2)
        kept = rushlight.from_numpy(good[best])
        return boxes[kept], scores[kept], labels[kept]

    # ---- both

    def _check_dtypes(self, targets: list[Target]) -> None:
        for target in targets:
            if target["boxes"].dtype not in FLOATS:
                raise TypeError(f"target boxes must of float type, instead got {target['boxes'].dtype}")
            if target["labels"].dtype != rushlight.int64:
                raise TypeError(f"target labels must of int64 type, instead got {target['labels'].dtype}")
            if self.has_keypoint() and target["keypoints"].dtype != rushlight.float32:
                raise TypeError(f"target keypoints must of float type, instead got {target['keypoints'].dtype}")

    def forward(
        self,
        features: dict[str, Any],
        proposals: Tensors,
        image_shapes: list[tuple[int, int]],
        targets: list[Target] | None = None,
    ) -> tuple[list[Target], dict[str, Any]]:
        """The detections of each picture, and the losses; one of them is empty.

        Args:
            features: maps.
            proposals: corners (P, 4) for each picture.
            image_shapes: (height, width) of each.
            targets: for training, dictionaries with "boxes", "labels" and, where they are asked for, "masks" (N, H, W)
                and "keypoints" (N, points, 3).

        Raises TypeError for targets of other dtypes, ValueError for targets that miss something.
        """
        if targets is not None:
            self._check_dtypes(targets)
        if self.training:
            return [], self._losses(features, proposals, image_shapes, targets)
        return self._found(features, proposals, image_shapes), {}

    def _seen(self, kind: str, features: Any, boxes: Tensors, image_shapes: Any) -> Any:
        """What the predictor of a kind, "box", "mask" or "keypoint", says about boxes."""
        pool, head, predictor = (getattr(self, f"{kind}_{part}") for part in ("roi_pool", "head", "predictor"))
        return predictor(head(pool(features, boxes, image_shapes)))

    def _losses(
        self, features: Any, proposals: Tensors, image_shapes: Any, targets: list[Target] | None
    ) -> dict[str, Any]:
        proposals, matches, labels, aims = self.select_training_samples(proposals, targets)
        assert targets is not None
        compute()
        features = kept_apart(features)
        class_loss, box_loss = self._losses_of_boxes(features, proposals, image_shapes, labels, aims)
        losses = {"loss_classifier": class_loss, "loss_box_reg": box_loss}
        if not self.has_mask() and not self.has_keypoint():
            return losses
        found = [np.flatnonzero(label.numpy() > 0) for label in labels]
        proposals, matches = (
            [rushlight.from_numpy(entry.numpy()[places]) for entry, places in zip(each, found, strict=True)]
            for each in (proposals, matches)
        )
        true = {key: [target[key] for target in targets if key in target] for key in ("labels", "masks", "keypoints")}
        if self.has_mask():
            masks = self._seen("mask", features, self._filled("mask", proposals), image_shapes)
            losses["loss_mask"] = maskrcnn_loss(masks, proposals, true["masks"], true["labels"], matches)
        if self.has_keypoint():
            points = self._seen("keypoint", features, self._filled("keypoint", proposals), image_shapes)
            losses["loss_keypoint"] = keypointrcnn_loss(points, proposals, true["keypoints"], matches)
        return losses

    def _losses_of_boxes(
        self, features: Any, proposals: Tensors, image_shapes: Any, labels: Tensors, aims: Tensors
    ) -> tuple[Any, Any]:
        count = sum(map(len, proposals))
        logits, moves = self._seen("box", features, self._filled("box", proposals), image_shapes)
        classes, wanted = np.full(len(logits), IGNORED), np.zeros((len(logits), 4), aims[0].numpy().dtype)
        classes[:count] = np.concatenate([label.numpy() for label in labels])
        wanted[:count] = np.concatenate([aim.numpy() for aim in aims])
        return _box_losses(logits, moves, rushlight.from_numpy(classes), rushlight.from_numpy(wanted), count)

    def _filled(self, kind: str, proposals: Tensors) -> Tensors:
        """The proposals, filled up where the layers that look at them treat each by itself."""
        layers = (getattr(self, f"{kind}_head"), getattr(self, f"{kind}_predictor"))
        return filled_up(proposals, MULTIPLES[kind]) if row_by_row(*layers) else proposals

    def _found(self, features: Any, proposals: Tensors, image_shapes: Any) -> list[Target]:
        logits, moves = self._seen("box", features, proposals, image_shapes)
        boxes, scores, labels = self.postprocess_detections(logits, moves, proposals, image_shapes)
        columns = {"boxes": boxes, "labels": labels, "scores": scores}
        if self.has_mask():
            columns["masks"] = maskrcnn_inference(self._seen("mask", features, boxes, image_shapes), labels)
        if self.has_keypoint():
            points, sure = keypointrcnn_inference(self._seen("keypoint", features, boxes, image_shapes), boxes)
            columns |= {"keypoints": points, "keypoints_scores": sure}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
