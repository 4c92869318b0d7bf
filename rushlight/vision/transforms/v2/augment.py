"""transforms.v2's transforms of values: batches mixed with themselves (MixUp, CutMix), noise, colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as v1
from rushlight.vision.transforms.randomized import check_sequence
from rushlight.vision.transforms.v2 import Transform
from rushlight.vision.transforms.v2 import functional as F
from rushlight.vision.transforms.v2.structure import Described, flatten, pictures
from rushlight.vision.tv_tensors import TVTensor, Video, is_pure_tensor, wrap


def find_labels(sample: Any) -> Any:
    """The labels of a sample: the second of a tuple or list, or the entry of a dict whose key speaks of labels.

    Raises ValueError where there is none.
    """
    if isinstance(sample, (tuple, list)) and len(sample) >= 2:
        sample = sample[1]
    if isinstance(sample, Tensor):
        return sample
    if isinstance(sample, Mapping):
        keys = sorted(
            (key for key in sample if "label" in str(key).lower()), key=lambda key: str(key).lower() != "labels"
        )
        if keys:
            return sample[keys[0]]
    raise ValueError(
        "Could not infer where the labels are in the sample. Try passing a callable as the labels_getter parameter?"
    )


def labels_getter_of(given: str | Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """The function that finds labels: `find_labels` for "default", one for a key of a dict, none for None."""
    if given == "default":
        return find_labels
    if callable(given):
        return given
    if given is None:
        return lambda sample: None
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {given}.")


class _Mix(Described, nn.Module):
    """What MixUp and CutMix share: a batch is mixed with itself, moved on by one, and its labels likewise."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        self._labels_getter = labels_getter_of(labels_getter)

    def forward(self, *inputs: Any) -> Any:
        """The batch, mixed; labels become rows of probabilities (N, num_classes)."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        labels = self._labels_getter(sample)
        self._check_labels(labels)
        leaves, rebuild = flatten(sample)
        places = pictures([None if leaf is labels else leaf for leaf in leaves], pixels_only=True)
        for i in places:
            _check_batch(leaves[i], labels)
        height, width = F.get_size(leaves[places[0]])
        lam = float(
            rushlight.distributions.Beta(rushlight.tensor([self.alpha]), rushlight.tensor([self.alpha])).sample()
        )
        mix, share = self._drawn(lam, height, width)
        return rebuild([self._mixed(x, x is labels, i in places, mix, share) for i, x in enumerate(leaves)])

    def _check_labels(self, labels: Any) -> None:
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.dim() not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with shape "
                f"(batch_size, num_classes), but got a tensor of shape {labels.shape} instead."
            )
        if labels.dim() == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        if labels.dim() == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ValueError(
                f"When passing 2D labels, the number of elements in last dimension must match num_classes: "
                f"{labels.shape[-1]} != {self.num_classes}."
            )

    def _mixed(self, leaf: Any, is_labels: bool, is_picture: bool, mix: Callable[[Any], Any], share: float) -> Any:
        if is_labels:
            classes = self.num_classes or -1  # it is there where it is needed: `_check_labels`
            known = nn.functional.one_hot(leaf, num_classes=classes) if leaf.dim() == 1 else leaf
            rows = known if known.is_floating_point() else known.float()
            return rows.roll(1, 0) * (1.0 - share) + rows * share
        if not is_picture:
            return leaf
        found = mix(leaf.view_as(leaf))
        return wrap(found, like=leaf) if isinstance(leaf, TVTensor) else found

    def _drawn(self, lam: float, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        """What is done to pictures, and the part of a picture that stays."""
        raise NotImplementedError


def _check_batch(pictures: Any, labels: Any) -> None:
    if not isinstance(pictures, Tensor) or pictures.dim() != 4:
        shape = getattr(pictures, "shape", type(pictures))
        raise ValueError(f"Expected a batched input with 4 dims, but got {shape}: mix batches, after the DataLoader")
    if pictures.shape[0] != labels.shape[0]:
        raise ValueError(
            f"The batch size of the image or video does not match the batch size of the labels: "
            f"{pictures.shape[0]} != {labels.shape[0]}."
        )


class MixUp(_Mix):
    """Batches (N, C, H, W) blended with themselves (H. Zhang et al., arXiv:1710.09412).

    Args:
        alpha: of the beta distribution that the part of each is drawn from.
        num_classes: for labels that are numbers of classes.
        labels_getter: finds the labels in the sample.
    """

    def _drawn(self, lam: float, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        def mixed(pictures: Any) -> Any:
            if not pictures.is_floating_point():
                raise RuntimeError("result type Float can't be cast to the desired output type Byte")
            return pictures.roll(1, 0) * (1.0 - lam) + pictures * lam

        return mixed, lam


class CutMix(_Mix):
    """Batches (N, C, H, W) with a rectangle of the one before in each (S. Yun et al., arXiv:1905.04899).

    Args: see `MixUp`.
    """

    def _drawn(self, lam: float, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        x, y = int(rushlight.randint(width, size=(1,))), int(rushlight.randint(height, size=(1,)))
        half = 0.5 * math.sqrt(1.0 - lam)
        across, down = int(half * width), int(half * height)
        left, right = max(x - across, 0), min(x + across, width)
        top, bottom = max(y - down, 0), min(y + down, height)

        def cut(pictures: Any) -> Any:
            mixed = pictures.clone()
            mixed[..., top:bottom, left:right] = pictures.roll(1, 0)[..., top:bottom, left:right]
            return mixed

        return cut, 1.0 - (right - left) * (bottom - top) / (width * height)


class GaussianNoise(Transform):
    """Normally distributed numbers added to the picture. See `functional.gaussian_noise`."""

    _pixels_only = True

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.gaussian_noise(inpt, self.mean, self.sigma, self.clip)


class RGB(Transform):
    """Pictures of one channel in three."""

    _pixels_only = True

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.grayscale_to_rgb(inpt)


def _channels_of(flat_inputs: list[Any]) -> int:
    places = pictures(flat_inputs, pixels_only=True)
    if not places:
        raise TypeError("No image or video was found in the sample")
    return v1.get_dimensions(flat_inputs[places[0]])[0]


class RandomChannelPermutation(Transform):
    """The channels in random order."""

    _pixels_only = True

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the order."""
        channels = _channels_of(flat_inputs)
        return {"permutation": rushlight.randperm(channels).tolist()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.permute_channels(inpt, params["permutation"])


class RandomPhotometricDistort(Transform):
    """Brightness, contrast, saturation, hue and the order of channels changed, each with probability `p`."""

    _pixels_only = True

    def __init__(
        self, brightness: Sequence[float] = (0.875, 1.125), contrast: Sequence[float] = (0.5, 1.5),
        saturation: Sequence[float] = (0.5, 1.5), hue: Sequence[float] = (-0.05, 0.05), p: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.brightness, self.contrast, self.hue, self.saturation = brightness, contrast, hue, saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the factors, whether contrast comes first, and the order of channels."""
        channels = _channels_of(flat_inputs)
        names = ("brightness", "contrast", "saturation", "hue")
        params: dict[str, Any] = {name: self._factor(getattr(self, name)) for name in names}
        params["contrast_before"] = bool(rushlight.rand(()) < 0.5)
        permute = bool(rushlight.rand(1) < self.p)
        return params | {"channels": rushlight.randperm(channels).tolist() if permute else None}

    def _factor(self, limits: Sequence[float]) -> float | None:
        if rushlight.rand(1) >= self.p:
            return None
        return float(rushlight.empty(1).uniform_(limits[0], limits[1]).item())

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        steps = ["brightness", "saturation", "hue"]
        steps.insert(1 if params["contrast_before"] else 3, "contrast")
        for name in steps:
            if params[name] is not None:
                inpt = getattr(F, f"adjust_{name}")(inpt, params[name])
        return inpt if params["channels"] is None else F.permute_channels(inpt, params["channels"])


class JPEG(Transform):
    """Bytes compressed and decompressed as JPEG, with a quality drawn from a pair, or of one number from 1 to 100."""

    _pixels_only = True

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        pair = [quality, quality] if isinstance(quality, int) else quality
        check_sequence(pair, "quality", (2,))
        if not (all(isinstance(value, int) for value in pair) and 1 <= pair[0] <= pair[1] <= 100):
            raise ValueError(f"quality must be an integer from 1 to 100, got quality ={quality}")
        self.quality = pair

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the quality."""
        return {"quality": int(rushlight.randint(self.quality[0], self.quality[1] + 1, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.jpeg(inpt, params["quality"])


class UniformTemporalSubsample(Transform):
    """``num_samples`` frames of a video (..., T, C, H, W), evenly spaced."""

    _pixels_only = True

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        is_video = isinstance(inpt, Video) or is_pure_tensor(inpt)
        return F.uniform_temporal_subsample(inpt, self.num_samples) if is_video else inpt
