"""Augmentation by chains of random operations: AutoAugment, RandAugment, TrivialAugment, AugMix.

A *space* says for each operation how strong it can be (a list of magnitudes, the weakest first) and whether its
direction is drawn. The transforms draw operations and magnitudes in torchvision's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import rushlight
from rushlight.nn import Module
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms.functional import InterpolationMode
from rushlight.vision.transforms.randomized import fill_for

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


class AutoAugmentPolicy(Enum):
    """The data set for which a policy was found."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class Strength(NamedTuple):
    """How strong an operation can be; without magnitudes it has no strength."""

    magnitudes: list[float] = []
    signed: bool = False

    def drawn(self, position: int | None, negative: Callable[[], bool]) -> float:
        """The magnitude at ``position``, against the usual direction if that is drawn."""
        magnitude = self.magnitudes[position] if self.magnitudes and position is not None else 0.0
        return -magnitude if self.signed and negative() else magnitude


Space = dict[str, Strength]


# Policies of E. Cubuk et al., AutoAugment, arXiv:1805.09501: pairs of operation, probability and strength (0 to 9).
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize .4 8 Rotate .6 9; Solarize .6 5 AutoContrast .6 -; Equalize .8 - Equalize .6 -;
        Posterize .6 7 Posterize .6 6; Equalize .4 - Solarize .2 4; Equalize .4 - Rotate .8 8;
        Solarize .6 3 Equalize .6 -; Posterize .8 5 Equalize 1 -; Rotate .2 3 Solarize .6 8;
        Equalize .6 - Posterize .4 6; Rotate .8 8 Color .4 0; Rotate .4 9 Equalize .6 -; Equalize 0 - Equalize .8 -;
        Invert .6 - Equalize 1 -; Color .6 4 Contrast 1 8; Rotate .8 8 Color 1 2; Color .8 8 Solarize .8 7;
        Sharpness .4 7 Invert .6 -; ShearX .6 5 Equalize 1 -; Color .4 0 Equalize .6 -; Equalize .4 - Solarize .2 4;
        Solarize .6 5 AutoContrast .6 -; Invert .6 - Equalize 1 -; Color .6 4 Contrast 1 8; Equalize .8 - Equalize .6 -
        """,
    AutoAugmentPolicy.CIFAR10: """
        Invert .1 - Contrast .2 6; Rotate .7 2 TranslateX .3 9; Sharpness .8 1 Sharpness .9 3;
        ShearY .5 8 TranslateY .7 9; AutoContrast .5 - Equalize .9 -; ShearY .2 7 Posterize .3 7;
        Color .4 3 Brightness .6 7; Sharpness .3 9 Brightness .7 9; Equalize .6 - Equalize .5 -;
        Contrast .6 7 Sharpness .6 5; Color .7 7 TranslateX .5 8; Equalize .3 - AutoContrast .4 -;
        TranslateY .4 3 Sharpness .2 6; Brightness .9 6 Color .2 8; Solarize .5 2 Invert 0 -;
        Equalize .2 - AutoContrast .6 -; Equalize .2 - Equalize .6 -; Color .9 9 Equalize .6 -;
        AutoContrast .8 - Solarize .2 8; Brightness .1 3 Color .7 0; Solarize .4 5 AutoContrast .9 -;
        TranslateY .9 9 TranslateY .7 9; AutoContrast .9 - Solarize .8 3; Equalize .8 - Invert .1 -;
        TranslateY .7 9 AutoContrast .9 -
        """,
    AutoAugmentPolicy.SVHN: """
        ShearX .9 4 Invert .2 -; ShearY .9 8 Invert .7 -; Equalize .6 - Solarize .6 6; Invert .9 - Equalize .6 -;
        Equalize .6 - Rotate .9 3; ShearX .9 4 AutoContrast .8 -; ShearY .9 8 Invert .4 -; ShearY .9 5 Solarize .2 6;
        Invert .9 - AutoContrast .8 -; Equalize .6 - Rotate .9 3; ShearX .9 4 Solarize .3 3; ShearY .8 8 Invert .7 -;
        Equalize .9 - TranslateY .6 6; Invert .9 - Equalize .6 -; Contrast .3 3 Rotate .8 4;
        Invert .8 - TranslateY 0 2; ShearY .7 6 Solarize .4 8; Invert .6 - Rotate .8 4; ShearY .3 7 TranslateX .9 3;
        ShearX .1 6 Invert .6 -; Solarize .7 2 TranslateY .6 7; ShearY .8 4 Invert .8 -; ShearX .7 9 TranslateY .8 3;
        ShearY .8 5 AutoContrast .7 -; ShearX .7 2 Invert .1 -
        """,
}

Step = tuple[str, float, int | None]


def _read_policy(text: str) -> list[tuple[Step, Step]]:
    pairs = []
    for line in text.split(";"):
        words = line.split()
        first, second = (
            (name, float(chance), None if strength == "-" else int(strength))
            for name, chance, strength in (words[:3], words[3:])
        )
        pairs.append((first, second))
    return pairs


def _bins(count: int, first: float, last: float) -> list[float]:
    values: list[float] = rushlight.linspace(first, last, count).tolist()
    return values


def _space(
    count: int,
    move: tuple[float, float],
    shear: float = 0.3,
    turn: float = 30.0,
    colour: float = 0.9,
    bits: tuple[int, int] = (8, 4),
    white: float = 255.0,
) -> Space:
    """The operations with ``count`` magnitudes each, up to the given ones; ``move`` is in pixels along x and y."""
    most, fewest = bits
    kept = most - (rushlight.arange(count) / ((count - 1) / (most - fewest))).round()
    space = {"ShearX": Strength(_bins(count, 0.0, shear), True), "ShearY": Strength(_bins(count, 0.0, shear), True)}
    space |= {f"Translate{axis}": Strength(_bins(count, 0.0, far), True) for axis, far in zip("XY", move, strict=True)}
    space["Rotate"] = Strength(_bins(count, 0.0, turn), True)
    for name in ("Brightness", "Color", "Contrast", "Sharpness"):
        space[name] = Strength(_bins(count, 0.0, colour), True)
    space["Posterize"] = Strength(kept.tolist())
    space["Solarize"] = Strength(_bins(count, white, 0.0))
    return space | {"AutoContrast": Strength(), "Equalize": Strength()}


def _part_of(height: int, width: int) -> tuple[float, float]:
    """The longest move along x and y: 150 pixels of a picture of 331, as in the papers."""
    return 150.0 / 331.0 * width, 150.0 / 331.0 * height


def _apply(img: Any, name: str, magnitude: float, mode: InterpolationMode, fill: Any) -> Any:
    if name in _BENDS:
        return _BENDS[name](img, magnitude, mode, fill)
    return _COLOURS[name](img, magnitude)


def _shear(img: Any, along: Sequence[float], mode: InterpolationMode, fill: Any) -> Any:
    angles = [math.degrees(math.atan(part)) for part in along]
    return F.affine(img, 0.0, [0, 0], 1.0, angles, mode, fill, center=[0, 0])


def _move(img: Any, x: float, y: float, mode: InterpolationMode, fill: Any) -> Any:
    return F.affine(img, 0.0, [int(x), int(y)], 1.0, [0.0, 0.0], mode, fill)


_BENDS: dict[str, Callable[..., Any]] = {
    "ShearX": lambda img, strength, mode, fill: _shear(img, [strength, 0.0], mode, fill),
    "ShearY": lambda img, strength, mode, fill: _shear(img, [0.0, strength], mode, fill),
    "TranslateX": lambda img, strength, mode, fill: _move(img, strength, 0, mode, fill),
    "TranslateY": lambda img, strength, mode, fill: _move(img, 0, strength, mode, fill),
    "Rotate": lambda img, strength, mode, fill: F.rotate(img, strength, mode, fill=fill),
}
_COLOURS: dict[str, Callable[[Any, float], Any]] = {
    "Brightness": lambda img, strength: F.adjust_brightness(img, 1.0 + strength),
    "Color": lambda img, strength: F.adjust_saturation(img, 1.0 + strength),
    "Contrast": lambda img, strength: F.adjust_contrast(img, 1.0 + strength),
    "Sharpness": lambda img, strength: F.adjust_sharpness(img, 1.0 + strength),
    "Posterize": lambda img, strength: F.posterize(img, int(strength)),
    "Solarize": F.solarize,
    "AutoContrast": lambda img, strength: F.autocontrast(img),
    "Equalize": lambda img, strength: F.equalize(img),
    "Invert": lambda img, strength: F.invert(img),
    "Identity": lambda img, strength: img,
}


def _draw(below: int) -> int:
    return int(rushlight.randint(below, (1,)).item())


class Chain(Module):
    """What the transforms below share: how they draw directions, and do operations."""

    #: What Solarize's magnitudes count as white.
    white = 255.0

    interpolation: InterpolationMode
    fill: Any

    def _negative(self) -> bool:
        """Draws whether an operation goes against its usual direction."""
        return bool(_draw(2))

    def _done(self, img: Any, name: str, magnitude: float) -> Any:
        return _apply(img, name, magnitude, self.interpolation, fill_for(img, self.fill))


class AutoAugment(Chain):
    """One of the 25 pairs of operations that were found best for a data set (arXiv:1805.09501)."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if policy not in _POLICIES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = _read_policy(_POLICIES[policy])

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Draws which pair, a number for each operation's probability, and each one's direction."""
        return _draw(transform_num), rushlight.rand((2,)), rushlight.randint(2, (2,))

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        space = self._space(height, width)
        chosen, chances, directions = self.get_params(len(self.policies))
        for step, chance, direction in zip(self.policies[chosen], chances.tolist(), directions.tolist(), strict=True):
            name, probability, strength = step
            if chance <= probability:
                magnitude = space[name].drawn(strength, lambda flip=direction: flip == 0)  # type: ignore[misc]
                img = self._done(img, name, magnitude)
        return img

    def _space(self, height: int, width: int) -> Space:
        return _space(10, _part_of(height, width), white=self.white) | {"Invert": Strength()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(Chain):
    """``num_ops`` random operations of one strength (E. Cubuk et al., arXiv:1909.13719)."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        space = {"Identity": Strength()} | _space(
            self.num_magnitude_bins, _part_of(height, width), white=self.white
        )
        for _ in range(self.num_ops):
            name = list(space)[_draw(len(space))]
            img = self._done(img, name, space[name].drawn(self.magnitude, self._negative))
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})"
        )


class TrivialAugmentWide(Chain):
    """One random operation of random strength (S. Müller, F. Hutter, arXiv:2103.10158)."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        reach: Any = {"shear": 0.99, "turn": 135.0, "colour": 0.99, "bits": (8, 2), "white": self.white}
        wide = _space(self.num_magnitude_bins, (32.0, 32.0), **reach)
        space = {"Identity": Strength()} | wide
        name, strength = list(space.items())[_draw(len(space))]
        position = _draw(len(strength.magnitudes)) if strength.magnitudes else None
        magnitude = strength.drawn(position, self._negative)
        return self._done(img, name, magnitude)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


class AugMix(Chain):
    """The picture mixed with several versions of it, each changed by a chain of operations (D. Hendrycks et al.,
    arXiv:1912.02781). Tensors are of bytes."""

    _BINS = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= self._BINS:
            raise ValueError(f"The severity must be between [1, {self._BINS}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        tensor = F.pil_to_tensor(img) if F.is_pil(img) else img
        batch = tensor.view(1, *tensor.shape) if tensor.dim() < 4 else tensor
        shares = self._dirichlet(2, batch)
        weights = self._dirichlet(self.mixture_width, batch) * shares[:, 1:]
        mixed = shares[:, 0].reshape(-1, 1, 1, 1) * batch
        space = self._space(*F.get_dimensions(tensor)[1:])
        for number in range(self.mixture_width):
            mixed = mixed + weights[:, number].reshape(-1, 1, 1, 1) * self._chain(batch, space)
        result = mixed.view(tensor.shape).to(tensor.dtype)
        return F.to_pil_image(result) if F.is_pil(img) else result

    def _dirichlet(self, parts: int, batch: Tensor) -> Tensor:
        concentration = rushlight.full((batch.shape[0], parts), float(self.alpha))
        shares: Tensor = rushlight._sample_dirichlet(concentration)
        return shares

    def _space(self, height: int, width: int) -> Space:
        space = _space(self._BINS, (width / 3.0, height / 3.0), bits=(4, 0), white=self.white)
        colours = {name: space.pop(name) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
        return space | (colours if self.all_ops else {})

    def _chain(self, batch: Tensor, space: Space) -> Tensor:
        depth = self.chain_depth if self.chain_depth > 0 else int(rushlight.randint(1, 4, size=(1,)).item())
        for _ in range(depth):
            name, strength = list(space.items())[_draw(len(space))]
            position = _draw(self.severity) if strength.magnitudes else None
            batch = self._done(batch, name, strength.drawn(position, self._negative))
        return batch

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
