"""The transforms with chance. They draw from the default generator, the numbers that torchvision draws, in its order.

``get_params`` draws what one call needs, for programs that change several pictures in the same way.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, cast

import rushlight
from rushlight.nn import Module
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms.functional import InterpolationMode
from rushlight.vision.transforms.transforms import size_pair

Rectangle = tuple[int, int, int, int]
TRIES = 10
"""How often a rectangle is drawn anew when it does not fit."""


def _uniform(low: float, high: float) -> float:
    return float(rushlight.empty(1).uniform_(low, high).item())


def _integer(low: int, high: int) -> int:
    """From ``low`` to ``high - 1``."""
    return int(rushlight.randint(low, high, size=(1,)).item())


def _happens(probability: float) -> bool:
    return bool(rushlight.rand(1) < probability)


class WithProbability(Module):
    """A transform that is applied with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return self._apply_to(img) if _happens(self.p) else img

    def _apply_to(self, img: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should implement _apply_to.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(WithProbability):
    """Left and right exchanged, with probability ``p``."""

    def _apply_to(self, img: Any) -> Any:
        return F.hflip(img)


class RandomVerticalFlip(WithProbability):
    """Top and bottom exchanged, with probability ``p``."""

    def _apply_to(self, img: Any) -> Any:
        return F.vflip(img)


class RandomInvert(WithProbability):
    """The negative, with probability ``p``."""

    def _apply_to(self, img: Any) -> Any:
        return F.invert(img)


class RandomAutocontrast(WithProbability):
    """Stretched to the whole range, with probability ``p``."""

    def _apply_to(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(WithProbability):
    """The histogram made flat, with probability ``p``."""

    def _apply_to(self, img: Any) -> Any:
        return F.equalize(img)


class RandomPosterize(WithProbability):
    """Only the ``bits`` highest bits, with probability ``p``."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _apply_to(self, img: Any) -> Any:
        return F.posterize(img, self.bits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(WithProbability):
    """The values from ``threshold`` on inverted, with probability ``p``."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _apply_to(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAdjustSharpness(WithProbability):
    """Sharper or smoother, with probability ``p``."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _apply_to(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sharpness_factor={self.sharpness_factor},p={self.p})"


class RandomGrayscale(WithProbability):
    """Without colours, with probability ``p``; the number of channels stays."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def forward(self, img: Any) -> Any:
        channels, _, _ = F.get_dimensions(img)
        return F.rgb_to_grayscale(img, num_output_channels=channels) if _happens(self.p) else img


class RandomCrop(Module):
    """A rectangle of ``size`` anywhere in the picture, after padding (see `functional.pad`) where that is asked for."""

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = size_pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> Rectangle:
        """Draws ``(top, left, height, width)``. Raises ValueError for a picture that is too small."""
        _, height, width = F.get_dimensions(img)
        want_height, want_width = output_size
        if height < want_height or width < want_width:
            raise ValueError(
                f"Required crop size {(want_height, want_width)} is larger than input image size {(height, width)}"
            )
        if (width, height) == (want_width, want_height):
            return 0, 0, height, width
        top = _integer(0, height - want_height + 1)
        return top, _integer(0, width - want_width + 1), want_height, want_width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = self._pad(img, self.padding)
        if self.pad_if_needed:
            img = self._padded_to_size(img)
        return F.crop(img, *self.get_params(img, self.size))

    def _padded_to_size(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        for missing in ([self.size[1] - width, 0], [0, self.size[0] - height]):
            if max(missing) > 0:
                img = self._pad(img, missing)
        return img

    def _pad(self, img: Any, padding: Any) -> Any:
        return F.pad(img, padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def _draw_rectangle(area: float, scale: Sequence[float], log_ratio: Sequence[float]) -> tuple[float, float]:
    """The square roots of area times and over aspect, of a part of ``area``."""
    part = area * _uniform(scale[0], scale[1])
    aspect = float(rushlight.exp(rushlight.empty(1).uniform_(log_ratio[0], log_ratio[1])).item())
    return math.sqrt(part * aspect), math.sqrt(part / aspect)


def _log(ratio: Sequence[float]) -> list[float]:
    return cast("list[float]", rushlight.log(rushlight.as_tensor(ratio)).tolist())


class RandomResizedCrop(Module):
    """A rectangle of random size, aspect and place, resized to ``size``.

    Args:
        size: of the result.
        scale: the least and the largest part of the picture's area.
        ratio: the least and the largest width over height.
        interpolation, antialias: see `functional.resize`.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = size_pair(size)
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        _warn_of_order(scale, ratio)
        self.interpolation = F.as_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> Rectangle:
        """Draws ``(top, left, height, width)``; the middle of the picture where none of ten draws fits."""
        _, height, width = F.get_dimensions(img)
        log_ratio = _log(ratio)
        for _ in range(TRIES):
            across, down = _draw_rectangle(height * width, scale, log_ratio)
            w, h = int(round(across)), int(round(down))
            if 0 < w <= width and 0 < h <= height:
                top = _integer(0, height - h + 1)
                return top, _integer(0, width - w + 1), h, w
        return _middle(height, width, min(ratio), max(ratio))

    def forward(self, img: Any) -> Any:
        rectangle = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *rectangle, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(value, 4) for value in pair) for pair in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}"
            f", interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _warn_of_order(scale: Sequence[float], ratio: Sequence[float]) -> None:
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        import warnings

        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


def _middle(height: int, width: int, narrowest: float, widest: float) -> Rectangle:
    """The largest middle part whose aspect is within the bounds."""
    h, w = height, width
    if width / height < narrowest:
        h = int(round(width / narrowest))
    elif width / height > widest:
        w = int(round(height * widest))
    return (height - h) // 2, (width - w) // 2, h, w


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Args:
        brightness, contrast, saturation: the factor is from ``max(0, 1 - x)`` to ``1 + x``, or from a given pair.
        hue: the turn is from ``-x`` to ``x``, at most 0.5, or from a given pair.
    """

    _functions: Any = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0,
        contrast: float | tuple[float, float] = 0,
        saturation: float | tuple[float, float] = 0,
        hue: float | tuple[float, float] = 0,
    ) -> None:
        super().__init__()
        self.brightness = _factor_range(brightness, "brightness")
        self.contrast = _factor_range(contrast, "contrast")
        self.saturation = _factor_range(saturation, "saturation")
        self.hue = _factor_range(hue, "hue", center=0, bound=(-0.5, 0.5), clip=False)

    @staticmethod
    def get_params(
        brightness: Sequence[float] | None,
        contrast: Sequence[float] | None,
        saturation: Sequence[float] | None,
        hue: Sequence[float] | None,
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """Draws the order, and a factor for each; None for what does not change."""
        order = rushlight.randperm(4)
        ranges = (brightness, contrast, saturation, hue)
        factors = [None if limits is None else _uniform(limits[0], limits[1]) for limits in ranges]
        return order, factors[0], factors[1], factors[2], factors[3]

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        for position in order.tolist():
            factor = factors[position]
            if factor is not None:
                img = self._functions[position](img, factor)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}"
            f", saturation={self.saturation}, hue={self.hue})"
        )


def _factor_range(
    value: Any, name: str, center: float = 1, bound: tuple[float, float] = (0, float("inf")), clip: bool = True
) -> tuple[float, float] | None:
    """The least and largest factor; None where there is nothing to choose."""
    if isinstance(value, numbers.Number):
        number = cast(float, value)
        if number < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = center - float(number), center + float(number)
        low = max(low, 0.0) if clip else low
    elif isinstance(value, tuple | list) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == center else (low, high)


def _angle_range(value: Any, name: str, sizes: Sequence[int] = (2,)) -> list[float]:
    """The least and largest angle of one number or a sequence."""
    if isinstance(value, numbers.Number):
        number = cast(float, value)
        if number < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [float(-number), float(number)]
    check_sequence(value, name, sizes)
    return [float(angle) for angle in value]


def check_sequence(value: Any, name: str, sizes: Sequence[int]) -> None:
    """Raises TypeError for a value that is no sequence, ValueError for one of another length than allowed."""
    allowed = " or ".join(str(size) for size in sizes)
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {allowed}.")
    if len(value) not in sizes:
        raise ValueError(f"{name} should be a sequence of length {allowed}.")


def fill_for(img: Any, fill: Any) -> Any:
    """The fill for a tensor is one number for each channel; PIL takes both forms. A dict has one for each type."""
    fill = fill_of_kind(img, fill)
    if not isinstance(img, Tensor) or fill is None:
        return fill
    channels = F.get_dimensions(img)[0]
    return [float(fill)] * channels if isinstance(fill, int | float) else [float(value) for value in fill]


def fill_of_kind(img: Any, fill: Any) -> Any:
    """The fill for a picture where a dict says it by type, with "others" for those that it does not have."""
    if not isinstance(fill, Mapping):
        return fill
    if type(img) not in fill and "others" not in fill:
        raise RuntimeError(f"fill has no value for {type(img)}, and none for 'others'")
    return fill.get(type(img), fill.get("others"))


def _checked_fill(fill: Any) -> Any:
    if fill is None:
        return 0
    if not isinstance(fill, Sequence | numbers.Number | Mapping):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


class RandomRotation(Module):
    """Turned by an angle from ``-degrees`` to ``degrees``, or from a given pair. See `functional.rotate`."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = _angle_range(degrees, "degrees")
        if center is not None:
            check_sequence(center, "center", (2,))
        self.interpolation = F.as_mode(interpolation)
        self.expand = expand
        self.center = center
        self.fill = _checked_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draws the angle."""
        return _uniform(float(degrees[0]), float(degrees[1]))

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill_for(img, self.fill))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        text = f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}"
        text += f", expand={self.expand}"
        text += "" if self.center is None else f", center={self.center}"
        return text + ("" if self.fill is None else f", fill={self.fill}") + ")"


class RandomAffine(Module):
    """Turned, moved, scaled and sheared at random. See `functional.affine`.

    Args:
        degrees: the largest angle either way, or a pair.
        translate: the largest move, as parts of width and height.
        scale: the least and the largest factor.
        shear: the largest angle along x either way; a pair; or four numbers, a pair for x and one for y.
        interpolation, fill, center: see `functional.affine`.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = _angle_range(degrees, "degrees")
        for name, values in (("translate", translate), ("scale", scale), ("center", center)):
            if values is not None:
                check_sequence(values, name, (2,))
        if translate is not None and any(not 0.0 <= part <= 1.0 for part in translate):
            raise ValueError("translation values should be between 0 and 1")
        if scale is not None and any(factor <= 0 for factor in scale):
            raise ValueError("scale values should be positive")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else _angle_range(shear, "shear", (2, 4))
        self.interpolation = F.as_mode(interpolation)
        self.fill = _checked_fill(fill)
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draws angle, move, scale and shears; ``img_size`` is ``(width, height)``."""
        angle = _uniform(float(degrees[0]), float(degrees[1]))
        moves = (0, 0)
        if translate is not None:
            most = [float(part * size) for part, size in zip(translate, img_size, strict=True)]
            moves = int(round(_uniform(-most[0], most[0]))), int(round(_uniform(-most[1], most[1])))
        scale = 1.0 if scale_ranges is None else _uniform(scale_ranges[0], scale_ranges[1])
        shear_x = 0.0 if shears is None else _uniform(shears[0], shears[1])
        shear_y = _uniform(shears[2], shears[3]) if shears is not None and len(shears) == 4 else 0.0
        return angle, moves, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return F.affine(img, *drawn, self.interpolation, fill_for(img, self.fill), self.center)

    def __repr__(self) -> str:
        details = [f"degrees={self.degrees}"]
        details += [
            f"{name}={value}" for name in ("translate", "scale", "shear") if (value := getattr(self, name)) is not None
        ]
        if self.interpolation is not InterpolationMode.NEAREST:
            details.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            details.append(f"fill={self.fill}")
        if self.center is not None:
            details.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(details)})"


class RandomPerspective(Module):
    """With probability ``p``, the corners moved inwards by up to ``distortion_scale`` of half the size."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = F.as_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _checked_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """Draws where the corners go: the corners before and after, from the upper left one clockwise."""
        reach_x, reach_y = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))
        left, top = (0, reach_x + 1), (0, reach_y + 1)
        right, bottom = (width - reach_x - 1, width), (height - reach_y - 1, height)
        after = [
            [_integer(*across), _integer(*down)]
            for across, down in ((left, top), (right, top), (right, bottom), (left, bottom))
        ]
        before = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return before, after

    def forward(self, img: Any) -> Any:
        if not _happens(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        before, after = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, before, after, self.interpolation, fill_for(img, self.fill))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomErasing(Module):
    """With probability ``p``, a rectangle of a tensor picture overwritten (Z. Zhong et al., arXiv:1708.04896).

    Args:
        p: the probability.
        scale: the least and the largest part of the area.
        ratio: the least and the largest height over width.
        value: what to write: a number, one for each channel, or ``"random"`` for normally distributed numbers.
        inplace: change the given tensor.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, numbers.Number | str | tuple | list):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        for name, pair in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(pair, Sequence):
                raise TypeError(f"{name} should be a sequence")
        _warn_of_order(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value: Any = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: list[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """Draws ``(top, left, height, width, content)``; the whole picture as it is where none of ten draws fits."""
        channels, height, width = img.shape[-3:]
        log_ratio = _log(ratio)
        for _ in range(TRIES):
            down, across = _draw_rectangle(height * width, scale, log_ratio)
            h, w = int(round(down)), int(round(across))
            if h < height and w < width:
                content = _content(value, (channels, h, w))
                top = _integer(0, height - h + 1)
                return top, _integer(0, width - w + 1), h, w, content
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if not _happens(self.p):
            return img
        rectangle = self.get_params(img, self.scale, self.ratio, self._values(img.shape[-3]))
        return cast("Tensor", F.erase(img, *rectangle, self.inplace))

    def _values(self, channels: int) -> list[float] | None:
        if isinstance(self.value, str):
            return None
        values = [float(self.value)] if isinstance(self.value, int | float) else list(self.value)
        if len(values) not in (1, channels):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {channels} (number of input channels)"
            )
        return values

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}"
            f", value={self.value}, inplace={self.inplace})"
        )


def _content(value: list[float] | None, shape: tuple[int, int, int]) -> Tensor:
    if value is None:
        return rushlight.empty(shape, dtype=rushlight.float32).normal_()
    return rushlight.as_tensor(value)[:, None, None]


class GaussianBlur(Module):
    """Smoothed by a bell curve of random width. See `functional.gaussian_blur`.

    Args:
        kernel_size: odd; one number or ``(x, y)``.
        sigma: the standard deviation, or its least and largest value.
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        message = "Kernel size should be a tuple/list of two integers"
        self.kernel_size = size_pair(kernel_size, message)
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if float(sigma) <= 0:  # type: ignore[arg-type]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not (isinstance(sigma, Sequence) and len(sigma) == 2):
            raise TypeError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma: Sequence[float] = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draws the standard deviation."""
        return _uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, list(self.kernel_size), [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class ElasticTransform(Module):
    """Each pixel moved by smooth random displacements: the picture as if seen through water.

    Args:
        alpha: how far, one number or ``(x, y)``.
        sigma: how smooth, one number or ``(x, y)``.
        interpolation, fill: see `functional.elastic_transform`.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = F.as_mode(interpolation)
        self.fill = [float(fill)] if isinstance(fill, int | float) else [float(value) for value in fill]

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Draws the displacement (1, H, W, 2) for pictures of ``(height, width)``."""
        parts = []
        for strength, smoothness, length in zip(alpha, sigma, reversed(size), strict=True):
            moves = rushlight.rand([1, 1, *size]) * 2 - 1
            if smoothness > 0.0:
                window = int(8 * smoothness + 1) | 1
                moves = F.gaussian_blur(moves, [window, window], list(sigma))
            parts.append(moves * strength / length)
        return rushlight.cat(parts, 1).permute([0, 2, 3, 1])

    def forward(self, tensor: Any) -> Any:
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


def _two_floats(value: Any, name: str) -> list[float]:
    if isinstance(value, int | float):
        return [float(value)] * 2
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if len(value) not in (1, 2):
        raise ValueError(f"{name} is a sequence its length should be one of 2. Got {len(value)}")
    return [float(number) for number in value] * (3 - len(value))
