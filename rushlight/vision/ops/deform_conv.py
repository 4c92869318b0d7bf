"""Deformable convolutions: every tap of the kernel is moved by an offset of its own, and perhaps weighed by a mask.

What lies between places is interpolated, outside of the picture is zero. The map is a table with a row of channels for
each place; the rows of the four places around a tap are looked up and added up by their shares, which are functions
of the offsets, so that gradients flow to these, too. What is found is multiplied by the weight as in any convolution.
"""

from __future__ import annotations

import math
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.sizes import Size, _pair

__all__ = ["DeformConv2d", "deform_conv2d"]


def deform_conv2d(
    input: Any,
    offset: Any,
    weight: Any,
    bias: Any = None,
    stride: Size = (1, 1),
    padding: Size = (0, 0),
    dilation: Size = (1, 1),
    mask: Any = None,
) -> Any:
    """A deformable convolution (X. Zhu et al., arXiv:1811.11168; without mask J. Dai et al., arXiv:1703.06211).

    Args:
        input: (N, C, H, W).
        offset: (N, 2 * groups * kernel height * kernel width, H', W'): how far each tap is moved, y before x; the
            channels are divided into as many groups as there are sets of offsets.
        weight: (C', C / weight groups, kernel height, kernel width).
        bias: (C',).
        stride, padding, dilation: as for `conv2d`.
        mask: (N, groups * kernel height * kernel width, H', W'): factors of the taps.

    Raises:
        RuntimeError: for offsets or a mask of another shape.
    """
    stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
    kernel, taps = weight.shape[-2:], weight.shape[-2] * weight.shape[-1]
    groups, size = _check(input, offset, weight, mask, stride, padding, dilation)
    moved = offset.reshape(-1, groups, taps, 2, *size)
    places = []
    for side in (0, 1):
        along = [1, 1]
        along[side] = -1
        start = rushlight.arange(size[side], dtype=input.dtype) * stride[side] - padding[side]
        tap = rushlight.arange(taps) // kernel[1] if side == 0 else rushlight.arange(taps) % kernel[1]
        at = start.reshape(along) + (tap * dilation[side]).to(input.dtype)[:, None, None]
        places.append(at + moved[:, :, :, side])
    columns = _columns(input, groups, *places)
    if mask is not None:
        columns = columns * mask.reshape(-1, groups, taps, *size)[..., None]
    found = _multiplied(columns, weight, input.shape[1])
    return found if bias is None else found + bias[:, None, None]


def _check(
    input: Any, offset: Any, weight: Any, mask: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[int, tuple[int, ...]]:
    """The number of groups of offsets, and the result's height and width."""
    kernel = weight.shape[-2:]
    taps = kernel[0] * kernel[1]
    groups = offset.shape[1] // (2 * taps)
    if groups == 0 or offset.shape[1] % (2 * taps) or input.shape[1] % groups:
        raise RuntimeError(
            "the shape of the offset tensor at dimension 1 is not valid. It should "
            "be a multiple of 2 * weight.size[2] * weight.size[3].\n"
            f"Got offset.shape[1]={offset.shape[1]}, while 2 * weight.size[2] * weight.size[3]={2 * taps}"
        )
    if input.shape[1] % weight.shape[1] or weight.shape[0] % (input.shape[1] // weight.shape[1]):
        raise RuntimeError(f"weight of shape {tuple(weight.shape)} does not fit {input.shape[1]} channels")
    size = tuple(
        (input.shape[2 + d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d in (0, 1)
    )
    if (offset.shape[0], *offset.shape[2:]) != (input.shape[0], *size):
        raise RuntimeError(f"offset output dims: {tuple(offset.shape[2:])} - computed output dims: {size}")
    if mask is not None and tuple(mask.shape) != (input.shape[0], groups * taps, *size):
        raise RuntimeError(f"mask should have shape {(input.shape[0], groups * taps, *size)}, got {tuple(mask.shape)}")
    return groups, size


def _columns(input: Any, groups: int, y: Any, x: Any) -> Any:
    """The channels (N, groups, taps, H', W', C / groups) at the places y and x (N, groups, taps, H', W')."""
    pictures, channels, height, width = input.shape
    own = channels // groups
    table = input.reshape(pictures, groups, own, height, width).permute(0, 1, 3, 4, 2).reshape(-1, own)
    plane = rushlight.arange(pictures * groups).reshape(pictures, groups, 1, 1, 1)
    total: Any = 0
    for row, by_row, in_height in _neighbours(y, height):
        for column, by_column, in_width in _neighbours(x, width):
            share = by_row * by_column * (in_height & in_width)
            total = total + F.embedding((plane * height + row) * width + column, table) * share[..., None]
    return total


def _neighbours(at: Any, places: int) -> list[tuple[Any, Any, Any]]:
    """The place below and the one above: which it is, its share, and whether it is on the map."""
    low = at.detach().floor()
    share = at - low
    return [
        (place.clamp(0, places - 1).long(), part, (place >= 0) & (place <= places - 1))
        for place, part in ((low, 1 - share), (low + 1, share))
    ]


def _multiplied(columns: Any, weight: Any, channels: int) -> Any:
    """The sums over taps and channels of each weight group: (N, C', H', W')."""
    pictures, _, taps, *size, _ = columns.shape
    parts = channels // weight.shape[1]
    matrix = columns.permute(0, 1, 5, 2, 3, 4).reshape(pictures, parts, weight.shape[1] * taps, size[0] * size[1])
    found = weight.reshape(1, parts, weight.shape[0] // parts, -1) @ matrix
    return found.reshape(pictures, weight.shape[0], *size)


class DeformConv2d(nn.Module):
    """`deform_conv2d` as a layer: called with the input, the offsets and perhaps a mask.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias: as for `Conv2d`.

    Raises:
        ValueError: when the groups do not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups != 0:
                raise ValueError(f"{name} must be divisible by groups")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = _pair(kernel_size), _pair(stride)
        self.padding, self.dilation = _pair(padding), _pair(dilation)
        self.weight = nn.Parameter(rushlight.empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias: Any
        if bias:
            self.bias = nn.Parameter(rushlight.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts the weights as `Conv2d` does."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any, offset: Any, mask: Any = None) -> Any:
        options: dict[str, Any] = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return deform_conv2d(input, offset, self.weight, self.bias, mask=mask, **options)

    def __repr__(self) -> str:
        parts = [str(self.in_channels), str(self.out_channels)]
        parts += [f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        parts += [f"padding={self.padding}"] if self.padding != (0, 0) else []
        parts += [f"dilation={self.dilation}"] if self.dilation != (1, 1) else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        return f"{type(self).__name__}({', '.join(parts)})"
