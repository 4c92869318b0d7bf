"""torchvision.transforms.v2: the transforms of samples with labels. The pixels are the business of the first version's
transforms, which these put `structure.Structured` before. Masks and boxes (`tv_tensors`) go through those that move
pixels: `masks` and `boxes` say how. What v2 has of its own is written here, in `augment` and in `geometry`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import rushlight
from rushlight import nn
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision import transforms as v1
from rushlight.vision.transforms import AutoAugmentPolicy, InterpolationMode, pixels
from rushlight.vision.transforms.augment import Chain
from rushlight.vision.transforms.randomized import WithProbability, fill_of_kind
from rushlight.vision.transforms.v2 import colours
from rushlight.vision.transforms.v2 import functional as F
from rushlight.vision.transforms.v2.structure import (
    Described,
    Structured,
    changed,
    flatten,
    pictures,
    query_chw,
    query_size,
)
from rushlight.vision.tv_tensors import TVTensor, wrap

_SAME = """
    AugMix AutoAugment CenterCrop ColorJitter ElasticTransform GaussianBlur Grayscale Normalize Pad RandAugment
    RandomAdjustSharpness RandomAffine RandomAutocontrast RandomCrop RandomEqualize RandomErasing RandomGrayscale
    RandomHorizontalFlip RandomInvert RandomPerspective RandomPosterize RandomResizedCrop RandomRotation RandomSolarize
    RandomVerticalFlip Resize TrivialAugmentWide FiveCrop TenCrop LinearTransformation
""".split()

# Those that change only values of pixels: masks and boxes of the sample stay.
_PIXELS = """
    AugMix AutoAugment ColorJitter GaussianBlur Grayscale Normalize RandAugment RandomAdjustSharpness
    RandomAutocontrast RandomEqualize RandomErasing RandomGrayscale RandomInvert RandomPosterize RandomSolarize
    TrivialAugmentWide LinearTransformation
""".split()


class Transform(Described, nn.Module):
    """Base class for transforms of one's own: `transform(inpt, params)` changes a picture, a mask or boxes.

    `check_inputs(flat_inputs)` may refuse a sample; `make_params(flat_inputs)` is shown what will be changed, and draws
    what all of it share. With `_pixels_only`, masks and boxes stay.
    """

    _pixels_only = False

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raises where the sample, of which these are all the parts, is not one to transform."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What the transform of this sample needs, drawn once."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The changed picture."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample with its pictures changed."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        leaves, _ = flatten(sample)
        self.check_inputs(leaves)
        params = self.make_params([leaves[i] for i in pictures(leaves, self._pixels_only)])
        return changed(lambda picture: self.transform(picture, params), sample, self._pixels_only)


class _Resize(v1.Resize):
    _sizes = v1.Resize._sizes | None

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class _RandomResizedCrop(v1.RandomResizedCrop):
    def forward(self, img: Any) -> Any:
        rectangle = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *rectangle, self.size, self.interpolation, self.antialias)


class _Pad(v1.Pad):
    _fills = v1.Pad._fills | dict | None

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, fill_of_kind(img, self.fill), self.padding_mode)


class _RandomErasing(v1.RandomErasing):
    def forward(self, img: Any) -> Any:
        if isinstance(img, Tensor):
            return super().forward(img)
        return v1.functional.to_pil_image(super().forward(v1.functional.pil_to_tensor(img)), mode=img.mode)


class _RandomCrop(v1.RandomCrop):
    def _pad(self, img: Any, padding: Any) -> Any:
        return F.pad(img, padding, fill_of_kind(img, self.fill), self.padding_mode)

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Draws ``(top, left, height, width)``; unlike the first version's, only in directions with a choice."""
        _, height, width = v1.functional.get_dimensions(img)
        tall, wide = output_size
        if height < tall or width < wide:
            raise ValueError(
                f"Required crop size {(tall, wide)} is larger than padded input image size {(height, width)}."
            )
        top = int(rushlight.randint(0, height - tall + 1, size=())) if height > tall else 0
        left = int(rushlight.randint(0, width - wide + 1, size=())) if width > wide else 0
        return top, left, tall, wide


class _NoBoxes(Structured):
    """Before the transforms that choose among others: which of them move pixels, masks and boxes could not follow."""

    def forward(self, *inputs: Any) -> Any:
        """The sample with its pictures changed. Raises TypeError for a sample with masks or boxes."""
        leaves, _ = flatten(inputs[0] if len(inputs) == 1 else inputs)
        for leaf in leaves:
            if isinstance(leaf, TVTensor) and leaf._kernels is not None:
                raise TypeError(f"Inputs of type {type(leaf).__name__} are not supported by {type(self).__name__}()")
        return super().forward(*inputs)


_CHANGED: dict[str, Callable[[Any, float], Any]] = {
    "Color": lambda img, strength: colours.adjust_saturation(img, 1.0 + strength),
    "Contrast": lambda img, strength: colours.adjust_contrast(img, 1.0 + strength),
    "Sharpness": lambda img, strength: colours.adjust_sharpness(img, 1.0 + strength),
    "Posterize": lambda img, strength: colours.posterize(img, int(strength)),
    "AutoContrast": lambda img, strength: colours.autocontrast(img),
    "Equalize": lambda img, strength: colours.equalize(img),
}


class _ColorJitter(v1.ColorJitter):
    _functions: Any = (F.adjust_brightness, colours.adjust_contrast, colours.adjust_saturation, F.adjust_hue)


class _RandomAdjustSharpness(v1.RandomAdjustSharpness):
    def _apply_to(self, img: Any) -> Any:
        return colours.adjust_sharpness(img, self.sharpness_factor)


class _RandomAutocontrast(v1.RandomAutocontrast):
    def _apply_to(self, img: Any) -> Any:
        return colours.autocontrast(img)


class _RandomEqualize(v1.RandomEqualize):
    def _apply_to(self, img: Any) -> Any:
        return colours.equalize(img)


class _RandomPosterize(v1.RandomPosterize):
    def _apply_to(self, img: Any) -> Any:
        return colours.posterize(img, self.bits)


class _Chain(Chain):
    """How this version draws directions, and what it takes for white: that of the picture's dtype."""

    white = 1.0

    def _negative(self) -> bool:
        return bool(rushlight.rand(()) <= 0.5)

    def _done(self, img: Any, name: str, magnitude: float) -> Any:
        if name in _CHANGED:
            return _CHANGED[name](img, magnitude)
        if name == "Solarize":
            magnitude *= pixels.largest_value(img.dtype) if isinstance(img, Tensor) else 255.0
        return super()._done(img, name, magnitude)


class _AutoAugment(_Chain, v1.AutoAugment):
    def forward(self, img: Any) -> Any:
        _, height, width = v1.functional.get_dimensions(img)
        space = self._space(height, width)
        for name, probability, strength in self.policies[int(rushlight.randint(len(self.policies), ()))]:
            if rushlight.rand(()) <= probability:
                img = self._done(img, name, space[name].drawn(strength, self._negative))
        return img


class _RandAugment(_Chain, v1.RandAugment):
    pass


class _TrivialAugmentWide(_Chain, v1.TrivialAugmentWide):
    pass


class _AugMix(_Chain, v1.AugMix):
    pass


_OWN: dict[str, type] = {
    "AugMix": _AugMix,
    "AutoAugment": _AutoAugment,
    "ColorJitter": _ColorJitter,
    "Pad": _Pad,
    "RandAugment": _RandAugment,
    "RandomAdjustSharpness": _RandomAdjustSharpness,
    "RandomAutocontrast": _RandomAutocontrast,
    "RandomEqualize": _RandomEqualize,
    "RandomPosterize": _RandomPosterize,
    "RandomCrop": _RandomCrop,
    "RandomErasing": _RandomErasing,
    "RandomResizedCrop": _RandomResizedCrop,
    "Resize": _Resize,
    "TrivialAugmentWide": _TrivialAugmentWide,
}
_CHOOSING = ("AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide")


# What is printed first; the rest follows in the order of the arguments.
_PRINTED_FIRST = {**dict.fromkeys(_CHOOSING, ("interpolation", "fill")), "RandomPerspective": ("p",)}


def _floats(value: Any) -> Any:
    return [float(number) for number in (value if isinstance(value, Sequence) else [value])]


def _sides(padding: Any) -> Any:
    if padding is None:
        return None
    left, top, right, bottom = v1.functional.four_sides(padding)
    return [left, right, top, bottom]


# How arguments are printed that this version keeps in another form.
_PRINTED_AS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "GaussianBlur": {"sigma": _floats},
    "Normalize": {"mean": list, "std": list},
    "Pad": {"padding": lambda padding: list(padding) if isinstance(padding, Sequence) else padding},
    "RandomCrop": {"padding": _sides},
    "RandomErasing": {"value": lambda value: None if isinstance(value, str) else _floats(value)},
    "Resize": {"size": lambda size: size if size is None else [size] if isinstance(size, int) else list(size)},
}


def _for_samples(name: str) -> type:
    old = _OWN.get(name, getattr(v1, name))
    body = {
        "__doc__": getattr(v1, name).__doc__,
        "__module__": __name__,
        "__init__": _remembering(old),
        "__repr__": nn.Module.__repr__,
        "_v1": getattr(v1, name),
        "_pixels_only": name in _PIXELS,
        "_printed_as": _PRINTED_AS.get(name, {}),
        "_printed_first": ("p",) if issubclass(old, WithProbability) else _PRINTED_FIRST.get(name, ()),
    }
    return type(name, (_NoBoxes if name in _CHOOSING else Structured, old), body)


def _remembering(old: type) -> Callable[..., None]:
    """The class's `__init__`, which keeps what it was given, for printing."""
    takes = signature(old)

    @functools.wraps(old.__init__)  # type: ignore[misc]
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        old.__init__(self, *args, **kwargs)  # type: ignore[misc]
        given = takes.bind(*args, **kwargs)
        explicit = dict(given.arguments)
        given.apply_defaults()
        self._given = {key: _as_given(value, key in explicit) for key, value in given.arguments.items()}

    return __init__


def _as_given(value: Any, explicit: bool) -> Any:
    """Interpolations are named by a string unless somebody gave a mode."""
    return value.value if isinstance(value, InterpolationMode) and not explicit else value


globals().update({name: _for_samples(name) for name in _SAME})


class Compose(nn.Module):
    """Transforms one after the other.

    >>> Compose([ToImage(), ToDtype(rushlight.float32, scale=True)])
    Compose(
          ToImage()
          ToDtype(scale=True)
    )
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        """The sample through all transforms."""
        several = len(inputs) > 1
        for transform in self.transforms:
            result = transform(*inputs)
            inputs = result if several else (result,)
        return inputs if several else inputs[0]

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class ToImage(Transform):
    """PIL images, arrays (H, W, C) and tensors as Images (C, H, W) of the same numbers."""

    def forward(self, *inputs: Any) -> Any:
        """The sample with Images in it."""
        import numpy as np

        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        arrays = any(isinstance(leaf, np.ndarray) for leaf in leaves)
        if not arrays:
            convert = lambda leaf: leaf if isinstance(leaf, TVTensor) else F.to_image(leaf)
            return changed(convert, rebuild(leaves), pixels_only=True)
        return rebuild([F.to_image(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves])


class PILToTensor(Transform):
    """PIL images as tensors (C, H, W) of their own numbers."""

    _pixels_only = True

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pil_to_tensor(inpt) if not isinstance(inpt, Tensor) else inpt


class ToPILImage(Transform):
    """Tensors (C, H, W) and arrays (H, W, C) as PIL images."""

    _pixels_only = True

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_pil_image(inpt, self.mode) if isinstance(inpt, Tensor) else inpt


class ToPureTensor(nn.Module):
    """Images as plain tensors."""

    def forward(self, *inputs: Any) -> Any:
        """The sample with plain tensors in it."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        return rebuild([leaf.view_as(leaf) if isinstance(leaf, TVTensor) else leaf for leaf in leaves])


class ToDtype(Transform):
    """Pictures in another dtype; with `scale` their values are scaled to its range.

    `dtype` may be a dict from types to dtypes: `{tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64,
    "others": None}`; None leaves what is of that type. A single dtype is for pictures alone.
    Raises ValueError for a type of the sample that the dict does not have.
    """

    #: Whether a single dtype is for masks and boxes too.
    _all_kinds = False

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, rushlight.dtype)):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        self.dtype: Any = dtype
        self.scale = scale

    def forward(self, *inputs: Any) -> Any:
        """The sample in the dtypes."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        chosen = pictures(leaves, pixels_only=True)
        every = isinstance(self.dtype, dict)
        also = [
            every or (self._all_kinds and isinstance(leaf, TVTensor)) or i in chosen for i, leaf in enumerate(leaves)
        ]
        return rebuild([self._converted(x, i in chosen) if also[i] else x for i, x in enumerate(leaves)])

    def _converted(self, leaf: Any, is_picture: bool) -> Any:
        wanted = self._wanted(leaf, is_picture) if isinstance(self.dtype, dict) else self.dtype
        if wanted is None or not isinstance(leaf, Tensor):
            return leaf
        scale = self.scale and is_picture
        plain = leaf.view_as(leaf) if isinstance(leaf, TVTensor) else leaf  # type: ignore[attr-defined]
        found = F.to_dtype(plain, wanted, scale)
        return wrap(found, like=leaf) if isinstance(leaf, TVTensor) else found

    def _wanted(self, leaf: Any, is_picture: bool) -> Any:
        if type(leaf) in self.dtype:
            return self.dtype[type(leaf)]
        if "others" in self.dtype:
            return self.dtype["others"]
        if isinstance(leaf, TVTensor) or (is_picture and isinstance(leaf, Tensor)):
            raise ValueError(
                f"No dtype was specified for type {type(leaf)}. If you only need to convert the dtype of images or "
                "videos, you can just pass e.g. dtype=torch.float32; other types need an entry, or 'others'."
            )
        return None

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class ConvertImageDtype(ToDtype):
    """Tensors in another dtype, pictures scaled to its range."""

    _all_kinds = True

    def __init__(self, dtype: Any = rushlight.float32) -> None:
        super().__init__(dtype, scale=True)

    def extra_repr(self) -> str:
        return ""


class ToTensor(Transform):
    """PIL images and arrays as tensors from 0 to 1, as in the first version; old programs use it."""

    def __init__(self) -> None:
        warnings.warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. Instead, please use "
            "`v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`.Output is equivalent up to float "
            "precision.",
            stacklevel=2,
        )
        super().__init__()

    def forward(self, *inputs: Any) -> Any:
        """The sample with tensors in the place of PIL images and arrays."""
        import numpy as np

        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        is_pil = v1.functional.is_pil
        return rebuild([F.to_tensor(x) if is_pil(x) or isinstance(x, np.ndarray) else x for x in leaves])


class Identity(nn.Module):
    """The sample as it is."""

    def forward(self, *inputs: Any) -> Any:
        """The sample."""
        return inputs[0] if len(inputs) == 1 else inputs


class Lambda(nn.Module):
    """A function of one's own, called with every leaf of the sample that is one of `types`."""

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        """The sample with the function done to its leaves."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        return rebuild([self.lambd(leaf) if isinstance(leaf, self.types) else leaf for leaf in leaves])

    def extra_repr(self) -> str:
        name = getattr(self.lambd, "__name__", None)
        types = f"types={[kind.__name__ for kind in self.types]}"
        return f"{name}, {types}" if name else types


class _Several(nn.Module):
    """Transforms of which some are done, or in some order."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence | nn.ModuleList):
            raise TypeError("Argument transforms should be a sequence of callables or a `nn.ModuleList`")
        self.transforms = transforms

    def _through(self, chosen: Any, inputs: tuple[Any, ...]) -> Any:
        sample = inputs[0] if len(inputs) == 1 else inputs
        for transform in chosen:
            sample = transform(sample)
        return sample

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class RandomApply(_Several):
    """All transforms with probability `p`, else none."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__(transforms)
        if not len(transforms):
            raise ValueError("Pass at least one transform")
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample, changed or not."""
        skip = rushlight.rand(1).item() >= self.p
        return self._through(() if skip else self.transforms, inputs)


class RandomChoice(Described, _Several):
    """One of the transforms, with probabilities `p`."""

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1] * len(transforms) if p is None else list(p)
        if len(weights) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(weights)} != {len(transforms)}")
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        """The changed sample."""
        chosen = int(rushlight.multinomial(rushlight.tensor(self.p), 1))
        return self._through([self.transforms[chosen]], inputs)


class RandomOrder(Described, _Several):
    """All transforms, in random order."""

    def forward(self, *inputs: Any) -> Any:
        """The changed sample."""
        order = rushlight.randperm(len(self.transforms)).tolist()
        return self._through([self.transforms[i] for i in order], inputs)


functional = F

_HERE = "rushlight.vision.transforms.v2"
_LATER = {
    **{
        name: f"{_HERE}.augment:{name}"
        for name in "CutMix GaussianNoise JPEG MixUp RGB RandomChannelPermutation".split()
    },
    "RandomPhotometricDistort": f"{_HERE}.augment:RandomPhotometricDistort",
    "UniformTemporalSubsample": f"{_HERE}.augment:UniformTemporalSubsample",
    **{
        name: f"{_HERE}.geometry:{name}"
        for name in """
            ClampBoundingBoxes ClampKeyPoints ConvertBoundingBoxFormat RandomIoUCrop RandomResize RandomShortestSize
            RandomZoomOut SanitizeBoundingBoxes SanitizeKeyPoints ScaleJitter SetClampingMode
        """.split()
    },
}
__getattr__ = missing(__name__, _LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
