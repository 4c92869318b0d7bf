"""The frame of detectors in one stage: a head says something about every anchor of every map at once.

RetinaNet, FCOS and SSD differ in how anchors match true boxes, what is lost, and which boxes are detections; what comes
before and after is here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.detection.selection import above, best_boxes
from rushlight.vision.models.detection.targets import check_boxes, check_sides, sizes_of
from rushlight.vision.ops import boxes as box_ops

__all__ = ["DenseDetector", "anchors_last", "matched_anchors", "start_layer"]


def start_layer(layer: Any, bias: float = 0.0, std: float = 0.01) -> None:
    """Small weights, and one number for the bias."""
    init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        init.constant_(layer.bias, bias)


def anchors_last(entry: Any, columns: int) -> Any:
    """(N, A * columns, H, W) to (N, H * W * A, columns): in the order of the anchors."""
    pictures, _, height, width = entry.shape
    return entry.view(pictures, -1, columns, height, width).permute(0, 3, 4, 1, 2).reshape(pictures, -1, columns)


def matched_anchors(model: Any, targets: list[dict[str, Any]], anchors: list[Any]) -> list[Any]:
    """For each picture's anchors which true box they match (A,); below zero for none."""
    found = []
    for places, target in zip(anchors, targets, strict=True):
        if target["boxes"].numel() == 0:
            found.append(rushlight.full((len(places),), -1, dtype=rushlight.int64))
        else:
            found.append(model.proposal_matcher(box_ops.box_iou(target["boxes"], places)))
    return found


class DenseDetector(nn.Module):
    """Pictures to losses in training, to detections in evaluation.

    Subclasses have `backbone`, `anchor_generator`, `head`, `transform`, the limits of `nms_thresh` and
    `detections_per_img`, `_losses` and `postprocess_detections`.
    """

    def eager_outputs(self, losses: dict[str, Any], detections: list[dict[str, Any]]) -> Any:
        """What is handed back: losses in training, detections in evaluation."""
        return losses if self.training else detections

    def forward(self, images: list[Any], targets: list[dict[str, Any]] | None = None) -> Any:
        """A dictionary of losses in training; in evaluation one of "boxes", "scores" and "labels" for each picture.

        Args:
            images: pictures (C, H, W) of any sizes, with numbers from 0 to 1.
            targets: for each, a dictionary with "boxes" (N, 4) and "labels" (N,).

        Raises AssertionError for targets that are missing, or whose boxes are of another shape or empty.
        """
        if self.training:
            check_boxes(targets)
        sizes = sizes_of(images)
        batch, targets = self.transform(images, targets)
        check_sides(targets)
        features = self.backbone(batch.tensors)
        if isinstance(features, Tensor):
            features = OrderedDict([("0", features)])
        maps = list(features.values())
        said = self.head(maps)
        anchors = self.anchor_generator(batch, maps)
        places = [entry.shape[2] * entry.shape[3] for entry in maps]
        per_place = len(anchors[0]) // sum(places)
        counts = [place * per_place for place in places]
        if self.training:
            return self.eager_outputs(self._losses(targets, said, anchors, counts), [])
        found = self._detections(said, anchors, batch.image_sizes, counts)
        return self.eager_outputs({}, self.transform.postprocess(found, batch.image_sizes, sizes))

    def _losses(self, targets: Any, said: dict[str, Any], anchors: list[Any], counts: list[int]) -> dict[str, Any]:
        raise NotImplementedError

    def postprocess_detections(self, head_outputs: Any, anchors: Any, image_shapes: Any) -> list[dict[str, Any]]:
        """The detections of each picture, before they are scaled to its size."""
        raise NotImplementedError

    def _detections(
        self, said: dict[str, Any], anchors: list[Any], sizes: list[tuple[int, int]], counts: list[int]
    ) -> list[dict[str, Any]]:
        """The pictures' detections, of what is said of the anchors, map by map; SSD takes all maps at once."""
        by_maps = {name: list(entry.split(counts, dim=1)) for name, entry in said.items()}
        return self.postprocess_detections(by_maps, [list(entry.split(counts)) for entry in anchors], sizes)

    def _best_of_maps(self, parts: Any, size: tuple[int, int]) -> dict[str, Any]:
        """One picture's detections of its maps' boxes.

        Args:
            parts: for each map, scores (A, classes), a function of places that makes their boxes, and how many stay.
        """
        boxes, scores, labels = [], [], []
        for values, boxes_at in parts:
            flat = values.flatten()
            best = rushlight.from_numpy(above(flat.detach().numpy(), self.score_thresh, self.topk_candidates))
            classes = values.shape[-1]
            boxes.append(box_ops.clip_boxes_to_image(boxes_at(best // classes), size))
            scores.append(flat[best])
            labels.append(best % classes)
        return self._without_rivals(*(rushlight.cat(each) for each in (boxes, scores, labels)))

    def _without_rivals(self, boxes: Any, scores: Any, labels: Any) -> dict[str, Any]:
        corners, values, classes = (entry.detach().numpy() for entry in (boxes, scores, labels))
        kept = rushlight.from_numpy(best_boxes(corners, values, classes, self.nms_thresh, self.detections_per_img))
        return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]}
