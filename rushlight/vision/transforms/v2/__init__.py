"""torchvision.transforms.v2: the transforms of samples with labels. The pixels are the business of the first version's
transforms, which these put `structure.Structured` before; what v2 has of its own is written here.

Known are pictures and Images; tv_tensors.Mask, BoundingBoxes and the transforms for them are not here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision import transforms as v1
from rushlight.vision.transforms import AutoAugmentPolicy, InterpolationMode
from rushlight.vision.transforms.v2 import functional as F
from rushlight.vision.transforms.v2.structure import Structured, changed, flatten
from rushlight.vision.tv_tensors import TVTensor

_SAME = """
    AugMix AutoAugment CenterCrop ColorJitter ElasticTransform GaussianBlur Grayscale Normalize Pad RandAugment
    RandomAdjustSharpness RandomAffine RandomAutocontrast RandomCrop RandomEqualize RandomErasing RandomGrayscale
    RandomHorizontalFlip RandomInvert RandomPerspective RandomPosterize RandomResizedCrop RandomRotation RandomSolarize
    RandomVerticalFlip Resize TrivialAugmentWide FiveCrop TenCrop LinearTransformation
""".split()


class Transform(nn.Module):
    """Base class for transforms of one's own: `transform(inpt, params)` changes a picture.

    `make_params(flat_inputs)` draws what all pictures of a sample share.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What the transform of this sample needs, drawn once."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The changed picture."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample with its pictures changed."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        params = self.make_params(flatten(sample)[0])
        return changed(lambda picture: self.transform(picture, params), sample)


def _for_samples(name: str) -> type:
    old = getattr(v1, name)
    body = {"__doc__": old.__doc__, "__module__": __name__, "_v1": old}
    return type(name, (Structured, old), body)


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
            return changed(F.to_image, rebuild(leaves))
        return rebuild([F.to_image(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves])


class PILToTensor(Transform):
    """PIL images as tensors (C, H, W) of their own numbers."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pil_to_tensor(inpt) if not isinstance(inpt, Tensor) else inpt


class ToPILImage(Transform):
    """Tensors (C, H, W) and arrays (H, W, C) as PIL images."""

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

    Raises NotImplementedError for a dict of dtypes by type.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if isinstance(dtype, dict):
            raise NotImplementedError("torchvision.transforms.v2.ToDtype with a dict of dtypes is not in Rushlight")
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_dtype(inpt, self.dtype, self.scale) if isinstance(inpt, Tensor) else inpt

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class ConvertImageDtype(Transform):
    """Tensor pictures in another dtype, scaled to its range."""

    def __init__(self, dtype: Any = rushlight.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_dtype(inpt, self.dtype, True) if isinstance(inpt, Tensor) else inpt


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
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample, changed or not."""
        skip = rushlight.rand(1).item() >= self.p
        return self._through(() if skip else self.transforms, inputs)


class RandomChoice(_Several):
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


class RandomOrder(_Several):
    """All transforms, in random order."""

    def forward(self, *inputs: Any) -> Any:
        """The changed sample."""
        order = rushlight.randperm(len(self.transforms)).tolist()
        return self._through([self.transforms[i] for i in order], inputs)


functional = F

__getattr__ = missing(__name__)
