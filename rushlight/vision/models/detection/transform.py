"""What happens to pictures before the network, and to its answers afterwards.

Pictures are normalized, resized, and put into one tensor; the boxes, masks and keypoints of targets are resized with
them. `postprocess` brings the boxes, masks and keypoints that were found back to the pictures' own sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.vision.models.detection.image_list import ImageList
from rushlight.vision.models.detection.masks import paste_masks_in_image

__all__ = ["GeneralizedRCNNTransform", "resize_boxes", "resize_keypoints"]

Target = dict[str, Any]


class GeneralizedRCNNTransform(nn.Module):
    """Normalizes and resizes pictures and their targets, and makes a batch of them.

    Args:
        min_size: what the shorter side becomes; of several, one by chance in training and the last in evaluation.
        max_size: the longer side's limit.
        image_mean, image_std: of each channel.
        size_divisible: height and width of the batch are multiples of this.
        fixed_size: (width, height) of all pictures, instead of the two limits.
    """

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int,
        image_mean: list[float],
        image_std: list[float],
        size_divisible: int = 32,
        fixed_size: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.min_size = min_size if isinstance(min_size, list | tuple) else (min_size,)
        self.max_size = max_size
        self.image_mean, self.image_std = image_mean, image_std
        self.size_divisible = size_divisible
        self.fixed_size = fixed_size
        self._skip_resize = kwargs.pop("_skip_resize", False)

    def forward(
        self, images: Iterable[Any], targets: list[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        """The batch of pictures (C, H, W), and new targets; what came in stays as it was.

        Raises ValueError for a picture of another shape, TypeError for one of whole numbers.
        """
        pictures, changed = list(images), None if targets is None else [dict(target) for target in targets]
        for number, image in enumerate(pictures):
            if image.dim() != 3:
                raise ValueError(f"images is expected to be a list of 3d tensors of shape [C, H, W], got {image.shape}")
            target = None if changed is None else changed[number]
            pictures[number], target = self.resize(self.normalize(image), target)
            if changed is not None and target is not None:
                changed[number] = target
        sizes = [(image.shape[-2], image.shape[-1]) for image in pictures]
        return ImageList(self.batch_images(pictures, self.size_divisible), sizes), changed

    def normalize(self, image: Any) -> Any:
        """The picture less the mean, over the deviation."""
        if not image.is_floating_point():
            raise TypeError(
                "Expected input images to be of floating type (in range [0, 1]), "
                f"but found type {image.dtype} instead"
            )
        mean, std = (rushlight.as_tensor(each, dtype=image.dtype) for each in (self.image_mean, self.image_std))
        return (image - mean[:, None, None]) / std[:, None, None]

    def torch_choice(self, k: Sequence[int]) -> int:
        """One of the numbers, by torch's random numbers."""
        return k[int(rushlight.empty(1).uniform_(0.0, float(len(k))).item())]

    def resize(self, image: Any, target: Target | None = None) -> tuple[Any, Target | None]:
        """The picture in its new size, and the target with it."""
        height, width = image.shape[-2:]
        if self.training and self._skip_resize:
            return image, target
        shorter = self.torch_choice(self.min_size) if self.training else self.min_size[-1]
        scaling = self._scaling(height, width, shorter)
        image = F.interpolate(image[None], mode="bilinear", align_corners=False, **scaling)[0]
        if target is None:
            return image, target
        new_size = image.shape[-2:]
        if "masks" in target:
            masks = F.interpolate(target["masks"][:, None].float(), **scaling)
            target["masks"] = masks[:, 0].byte()
        target["boxes"] = resize_boxes(target["boxes"], (height, width), new_size)
        if "keypoints" in target:
            target["keypoints"] = resize_keypoints(target["keypoints"], (height, width), new_size)
        return image, target

    def _scaling(self, height: int, width: int, shorter: int) -> dict[str, Any]:
        """What `interpolate` is told about the new size."""
        if self.fixed_size is not None:
            return {"size": [self.fixed_size[1], self.fixed_size[0]]}
        scale = min(shorter / min(height, width), self.max_size / max(height, width))
        return {"scale_factor": scale, "recompute_scale_factor": True}

    def max_by_axis(self, the_list: list[list[int]]) -> list[int]:
        """The largest number in each place."""
        return [max(sizes) for sizes in zip(*the_list, strict=True)]

    def batch_images(self, images: list[Any], size_divisible: int = 32) -> Any:
        """The pictures (N, C, H, W), filled up with zeros below and to the right."""
        _, *sides = self.max_by_axis([list(image.shape) for image in images])
        height, width = (math.ceil(side / size_divisible) * size_divisible for side in sides)
        return rushlight.stack([_filled_up(image, height, width) for image in images])

    def postprocess(
        self,
        result: list[Target],
        image_shapes: Sequence[tuple[int, int]],
        original_image_sizes: Sequence[tuple[int, int]],
    ) -> list[Target]:
        """The detections in the coordinates of the pictures before they were resized; in training as they are."""
        if self.training:
            return result
        for found, shape, original in zip(result, image_shapes, original_image_sizes, strict=True):
            found["boxes"] = resize_boxes(found["boxes"], shape, original)
            if "masks" in found:
                found["masks"] = paste_masks_in_image(found["masks"], found["boxes"], original)
            if "keypoints" in found:
                found["keypoints"] = resize_keypoints(found["keypoints"], shape, original)
        return result

    def __repr__(self) -> str:
        indent = "\n    "
        return (
            f"{type(self).__name__}({indent}Normalize(mean={self.image_mean}, std={self.image_std})"
            f"{indent}Resize(min_size={self.min_size}, max_size={self.max_size}, mode='bilinear')\n)"
        )


def _filled_up(image: Any, height: int, width: int) -> Any:
    below, right = height - image.shape[1], width - image.shape[2]
    return F.pad(image, (0, right, 0, below)) if below or right else image


def _ratios(original_size: Sequence[int], new_size: Sequence[int]) -> tuple[Any, Any]:
    """How much heights and widths grow, each a float32 of no dimensions."""
    new, old = (rushlight.tensor(list(size), dtype=rushlight.float32) for size in (new_size, original_size))
    tall, wide = (new / old).unbind()
    return tall, wide


def resize_boxes(boxes: Any, original_size: Sequence[int], new_size: Sequence[int]) -> Any:
    """Corners (N, 4) in a picture whose (height, width) change."""
    tall, wide = _ratios(original_size, new_size)
    x1, y1, x2, y2 = boxes.unbind(1)
    return rushlight.stack((x1 * wide, y1 * tall, x2 * wide, y2 * tall), dim=1)


def resize_keypoints(keypoints: Any, original_size: Sequence[int], new_size: Sequence[int]) -> Any:
    """Points (N, K, 3) of x, y and visibility in a picture whose (height, width) change."""
    tall, wide = _ratios(original_size, new_size)
    points = keypoints.clone()
    points[..., 0] *= wide
    points[..., 1] *= tall
    return points
