"""What all detectors ask of pictures and targets before they begin, and the errors they raise."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor

__all__ = ["check_boxes", "check_sides", "sizes_of"]


def check_boxes(targets: list[dict[str, Any]] | None) -> None:
    """Raises AssertionError where targets for training are missing, or their boxes are no tensor (N, 4)."""
    if targets is None:
        raise AssertionError("targets should not be none when in training mode")
    for target in targets:
        boxes = target["boxes"]
        if not isinstance(boxes, Tensor):
            raise AssertionError(f"Expected target boxes to be of type Tensor, got {type(boxes)}.")
        if boxes.dim() != 2 or boxes.shape[-1] != 4:
            raise AssertionError(f"Expected target boxes to be a tensor of shape [N, 4], got {boxes.shape}.")


def sizes_of(images: list[Any]) -> list[tuple[int, int]]:
    """(height, width) of each picture. Raises AssertionError for one that has neither."""
    for image in images:
        if image.dim() < 2:
            raise AssertionError(
                f"expecting the last two dimensions of the Tensor to be H and W instead got {image.shape[-2:]}"
            )
    return [(image.shape[-2], image.shape[-1]) for image in images]


def check_sides(targets: list[dict[str, Any]] | None) -> None:
    """Raises AssertionError for a box without height or width, and shows it."""
    for number, target in enumerate(targets or ()):
        boxes = target["boxes"].detach()
        wrong = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
        if wrong.any():
            box: list[float] = boxes[wrong][0].tolist()
            raise AssertionError(
                "All bounding boxes should have positive height and width."
                f" Found invalid box {box} for target at index {number}."
            )
