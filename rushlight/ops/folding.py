"""Rearranging images: windows as columns and back (`unfold`, `fold`), pixel shuffling and channel shuffling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.codegen import windows as on_symbols
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .im2col import Geometry, Ints, add_windows, padded, windows
from .pooling import Windows
from .public import public

# ---------------------------------------------------------------------------------------------------------------------
# Windows


def _im2col(x: np.ndarray, *, kernel: Ints, geometry: Geometry) -> np.ndarray:
    out = geometry.output(x.shape[-2:], kernel)
    view = windows(padded(x, geometry.padding), kernel, out, geometry.stride, geometry.dilation)
    return np.ascontiguousarray(view).reshape(*x.shape[:-3], x.shape[-3] * math.prod(kernel), math.prod(out))


def _col2im(x: np.ndarray, *, space: Ints, kernel: Ints, geometry: Geometry) -> np.ndarray:
    out = geometry.output(space, kernel)
    channels = x.shape[-2] // math.prod(kernel)
    wide = tuple(n + 2 * p for n, p in zip(space, geometry.padding, strict=True))
    total = np.zeros((*x.shape[:-2], channels, *wide), x.dtype)
    add_windows(
        total, x.reshape(*x.shape[:-2], channels, *kernel, *out), kernel, out, geometry.stride, geometry.dilation
    )
    inner: Any = (..., *(slice(p, p + n) for p, n in zip(geometry.padding, space, strict=True)))
    return total[inner]


def _im2col_spec(x: Spec, *, kernel: Ints, geometry: Geometry) -> Spec:
    out = geometry.output(x.shape[-2:], kernel)
    return spec_of((*x.shape[:-3], x.shape[-3] * math.prod(kernel), math.prod(out)), x.dtype)


def _col2im_spec(x: Spec, *, space: Ints, kernel: Ints, geometry: Geometry) -> Spec:
    return spec_of((*x.shape[:-2], x.shape[-2] // math.prod(kernel), *space), x.dtype)


def _im2col_symbols(x: Any, *, kernel: Ints, geometry: Geometry) -> Any:
    out = geometry.output(x.shape[-2:], kernel)
    columns = on_symbols.columns(x, _windows(kernel, geometry, out))
    return columns.reshape(*x.shape[:-3], x.shape[-3] * math.prod(kernel), math.prod(out))


def _col2im_symbols(x: Any, *, space: Ints, kernel: Ints, geometry: Geometry) -> Any:
    windows = _windows(kernel, geometry, geometry.output(space, kernel))
    count = math.prod(kernel)
    parts = x.reshape(*x.shape[:-2], x.shape[-2] // count, count, *windows.out)
    return on_symbols.columns_added(parts, space, windows)


def _windows(kernel: Ints, geometry: Geometry, out: Ints) -> Windows:
    return Windows(kernel, geometry.stride, geometry.padding, geometry.dilation, out)


IM2COL = operation("im2col", _im2col_spec, _im2col, node="Im2ColBackward0")
COL2IM = operation("col2im", _col2im_spec, _col2im, node="Col2ImBackward0")
IM2COL.lower, COL2IM.lower = _im2col_symbols, _col2im_symbols
IM2COL.gradient(x=lambda g, x_spec, kernel, geometry: apply(COL2IM, (g,), (x_spec.shape[-2:], kernel, geometry)))
COL2IM.gradient(x=lambda g, kernel, geometry: apply(IM2COL, (g,), (kernel, geometry)))


def _two(value: Any, name: str) -> Ints:
    if isinstance(value, int):
        return value, value
    found = tuple(int(v) for v in value)
    if len(found) == 1:
        return found * 2
    if len(found) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(found)}")
    return found


def _sliding(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Ints, Geometry]:
    kernel = _two(kernel_size, "kernel_size")
    made = Geometry(_two(stride, "stride"), _two(padding, "padding"), _two(dilation, "dilation"))
    for name, short, sizes, least in (
        ("kernel size", "kernel", kernel, 1),
        ("stride", "stride", made.stride, 1),
        ("dilation", "dilation", made.dilation, 1),
        ("padding", "pad", made.padding, 0),
    ):
        if any(n < least for n in sizes):
            demand = "greater than zero" if least else "non-negative"
            raise RuntimeError(
                f"{name} should be {demand}, but got {short}_height: {sizes[0]} {short}_width: {sizes[1]}"
            )
    return kernel, made


@public(function=False, method=False, functional=True)
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of a batch of images as columns: (N, C, H, W) to (N, C * kernel, windows).

    >>> torch.nn.functional.unfold(torch.arange(4.).view(1, 1, 2, 2), 2)
    tensor([[[0.],
             [1.],
             [2.],
             [3.]]])
    """
    shape = settle(input).spec.shape
    kernel, geometry = _sliding(kernel_size, dilation, padding, stride)
    if len(shape) not in (3, 4) or any(n == 0 for n in shape[-3:]):
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            "input, but got: "
            f"{list(shape)}"
        )
    out = geometry.output(shape[-2:], kernel)
    if any(n < 1 for n in out):
        raise RuntimeError(
            f"Given input with spatial size {shape[-2:]}, kernel_size={kernel}, dilation={geometry.dilation}, "
            f"padding={geometry.padding}, calculated shape of the array of sliding blocks as {out}, but its "
            f"components must be "
            "at least one."
        )
    return apply(IM2COL, (input,), (kernel, geometry))


@public(function=False, method=False, functional=True)
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The adjoint of `unfold`: columns added up to images, (N, C * kernel, windows) to (N, C, *output_size)."""
    shape = settle(input).spec.shape
    kernel, geometry = _sliding(kernel_size, dilation, padding, stride)
    space = _two(output_size, "output_size")
    if len(shape) not in (2, 3) or any(n == 0 for n in shape[-2:]):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            "input, but "
            f"got: {list(shape)}"
        )
    if shape[-2] % math.prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
            f"{shape[-2]} and kernel_size={kernel}."
        )
    out = geometry.output(space, kernel)
    if shape[-1] != math.prod(out) or any(n < 1 for n in out):
        raise RuntimeError(
            f"Given output_size={space}, kernel_size={kernel}, dilation={geometry.dilation}, "
            f"padding={geometry.padding}, "
            f"stride={geometry.stride}, expected size of input's dimension 2 to match the calculated number of "
            f"sliding blocks "
            f"{out[0]} * {out[1]} = {math.prod(out)}, but got input.size(2)={shape[-1]}."
        )
    return apply(COL2IM, (input,), (space, kernel, geometry))


# ---------------------------------------------------------------------------------------------------------------------
# Shuffling


def _shuffled(x: np.ndarray, r: int) -> np.ndarray:
    *lead, c, h, w = x.shape
    n = len(lead)
    parts = x.reshape(*lead, c // (r * r), r, r, h, w)
    return parts.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2).reshape(*lead, c // (r * r), h * r, w * r)


def _unshuffled(x: np.ndarray, r: int) -> np.ndarray:
    *lead, c, h, w = x.shape
    n = len(lead)
    parts = x.reshape(*lead, c, h // r, r, w // r, r)
    return parts.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3).reshape(*lead, c * r * r, h // r, w // r)


def _mixed(x: np.ndarray, groups: int) -> np.ndarray:
    n, c, *space = x.shape
    return x.reshape(n, groups, c // groups, *space).swapaxes(1, 2).copy().reshape(x.shape)


def _shape_after(shape: Ints, r: int, grow: bool) -> Ints:
    *lead, c, h, w = shape
    return (*lead, c // (r * r), h * r, w * r) if grow else (*lead, c * r * r, h // r, w // r)


PIXEL_SHUFFLE = operation(
    "pixel_shuffle", lambda x, *, r: spec_of(_shape_after(x.shape, r, True), x.dtype), lambda x, *, r: _shuffled(x, r),
    exact=True, aliases=False,
)  # fmt: skip
PIXEL_UNSHUFFLE = operation(
    "pixel_unshuffle", lambda x, *, r: spec_of(_shape_after(x.shape, r, False), x.dtype), lambda x, *, r:
    _unshuffled(x, r), exact=True, aliases=False,
)  # fmt: skip
PIXEL_SHUFFLE.gradient(x=lambda g, r: apply(PIXEL_UNSHUFFLE, (g,), (r,)))
PIXEL_UNSHUFFLE.gradient(x=lambda g, r: apply(PIXEL_SHUFFLE, (g,), (r,)))


def _channel_shuffle(name: str, node: str) -> Operation:
    op = operation(name, lambda x, *, groups: spec_of(x.shape, x.dtype), lambda x, *, groups: _mixed(x, groups),
    node=node,
                   exact=True, aliases=False)  # fmt: skip
    return op.gradient(x=lambda g, x_spec, groups: apply(op, (g,), (x_spec.shape[1] // groups,)))


CHANNEL_SHUFFLE = _channel_shuffle("channel_shuffle", "ChannelShuffleBackward0")


@public(method=False, functional=True)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels spread over space: (*, C r**2, H, W) to (*, C, H r, W r) (Shi et al. 2016)."""
    shape = settle(input).spec.shape
    _check_image("pixel_shuffle", shape, upscale_factor, "upscale_factor")
    if shape[-3] % (upscale_factor * upscale_factor):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            "but "
            f"input.size(-3)={shape[-3]} is not divisible by {upscale_factor * upscale_factor}"
        )
    return apply(PIXEL_SHUFFLE, (input,), (upscale_factor,))


@public(method=False, functional=True)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`: (*, C, H r, W r) to (*, C r**2, H, W)."""
    shape = settle(input).spec.shape
    _check_image("pixel_unshuffle", shape, downscale_factor, "downscale_factor")
    for name, d in (("height", -2), ("width", -1)):
        if shape[d] % downscale_factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({d})={shape[d]} "
                f"is not "
                f"divisible by {downscale_factor}"
            )
    return apply(PIXEL_UNSHUFFLE, (input,), (downscale_factor,))


def _check_image(function: str, shape: Ints, factor: int, name: str) -> None:
    if len(shape) < 3:
        raise RuntimeError(
            f"{function} expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{function} expects a positive {name}, but got {factor}")


def _checked_groups(shape: Ints, groups: int) -> None:
    if len(shape) <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )


@public(method=False, functional=True, names=("native_channel_shuffle",))
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of (N, C, *) dealt out: groups x C / groups transposed (Zhang et al. 2017)."""
    _checked_groups(settle(input).spec.shape, groups)
    return apply(CHANNEL_SHUFFLE, (input,), (groups,))
