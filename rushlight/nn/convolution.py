"""Convolution layers, their transposes and their lazy forms, in one to three dimensions.

`_ConvNd` checks and keeps the arguments and makes the parameters; a subclass says how many dimensions it has (`_dims`)
and the name of the function of `functional` that computes it (`_function`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.lazy import LazyModuleMixin
from rushlight.nn.module import Module
from rushlight.nn.parameter import UninitializedParameter, new_parameter, weight_and_bias
from rushlight.nn.sizes import Size, _ntuple, _reverse_repeat_tuple
from rushlight.tensor import Tensor

_PADDINGS = {"same", "valid"}
_PADDING_MODES = {"zeros", "reflect", "replicate", "circular"}


class _ConvNd(Module):
    """What all convolutions share."""

    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]
    _dims: int = 0
    _function: str
    weight: Tensor
    bias: Tensor | None
    padding: str | tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: str | Size,
        dilation: Size,
        transposed: bool,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        tupled = _ntuple(self._dims or len(kernel_size))  # type: ignore[arg-type]
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size: tuple[int, ...] = tupled(kernel_size)
        self.stride: tuple[int, ...] = tupled(stride)
        self.padding = padding if isinstance(padding, str) else tupled(padding)
        self.dilation: tuple[int, ...] = tupled(dilation)
        self.transposed = transposed
        self.output_padding: tuple[int, ...] = tupled(output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check()
        self._reversed_padding_repeated_twice = self._pad_amounts()
        channels = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = new_parameter((channels[0], channels[1] // groups, *self.kernel_size), device, dtype)
        self.register_parameter("bias", new_parameter((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def _check(self) -> None:
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.out_channels % self.groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(self.padding, str):
            if self.padding not in _PADDINGS:
                raise ValueError(f"Invalid padding string {self.padding!r}, should be one of {_PADDINGS}")
            if self.padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode='{self.padding_mode}'"
            )

    def _pad_amounts(self) -> Sequence[int]:
        """What `F.pad` adds in the padding modes other than zeros: last dimension first, before and after."""
        if self.padding == "valid":
            return [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=False)]
            return [amount for total in reversed(totals) for amount in (total // 2, total - total // 2)]
        assert isinstance(self.padding, tuple)
        return _reverse_repeat_tuple(self.padding, 2)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, evenly from +-1/sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self._dims
        function = getattr(F, self._function)
        return function(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, *weight_and_bias(self))

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class Conv1d(_Conv):
    """Slides filters of `kernel_size` over a signal (cross-correlation).

    Shape: (N, in_channels, L) or (in_channels, L) to (N, out_channels, L_out), with
    L_out = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1. `weight` is (out_channels,
    in_channels / groups, kernel_size), `bias` (out_channels). `padding` may be "same" or "valid". Raises ValueError
    where `groups` does not divide the channels, or for a padding or padding mode that does not exist.

    >>> Conv1d(16, 33, 3, stride=2)
    Conv1d(16, 33, kernel_size=(3,), stride=(2,))
    """

    _dims, _function = 1, "conv1d"


class Conv2d(_Conv):
    """Slides filters of `kernel_size` over images (cross-correlation).

    Shape: (N, in_channels, H, W) or (in_channels, H, W) to (N, out_channels, H_out, W_out), each with
    out = (size + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1. `weight` is (out_channels,
    in_channels / groups, *kernel_size), `bias` (out_channels). Other arguments and errors as `Conv1d`.

    >>> Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))
    Conv2d(16, 33, kernel_size=(3, 5), stride=(2, 1), padding=(4, 2))
    """

    _dims, _function = 2, "conv2d"


class Conv3d(_Conv):
    """Slides filters of `kernel_size` over volumes (cross-correlation).

    Shape: (N, in_channels, D, H, W) or (in_channels, D, H, W) to (N, out_channels, D_out, H_out, W_out), sizes as
    `Conv2d`. `weight` is (out_channels, in_channels / groups, *kernel_size). Other arguments and errors as `Conv1d`.

    >>> Conv3d(16, 33, 3, stride=2)
    Conv3d(16, 33, kernel_size=(3, 3, 3), stride=(2, 2, 2))
    """

    _dims, _function = 3, "conv3d"


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        if self.padding_mode != "zeros":
            raise ValueError(f"Only `zeros` padding mode is supported for ConvTranspose{self._dims}d")
        extra = self.output_padding if output_size is None else self._output_padding(input, list(output_size))
        function, (weight, bias) = getattr(F, self._function), weight_and_bias(self)
        return function(input, weight, bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _output_padding(self, input: Tensor, output_size: list[int]) -> list[int]:
        """How much larger than the smallest possible output `output_size` is. Raises ValueError if out of reach."""
        dims = self._dims
        leading = 2 if input.dim() == dims + 2 else 1
        if len(output_size) == leading + dims:
            output_size = output_size[leading:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or {leading + dims} "
                f"elements (got {len(output_size)})"
            )
        smallest = [
            (input.size(d + leading) - 1) * self.stride[d]
            - 2 * self.padding[d]  # type: ignore[operator]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(dims)
        ]
        largest = [size + self.stride[d] - 1 for d, size in enumerate(smallest)]
        if any(not low <= size <= high for low, size, high in zip(smallest, output_size, largest, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {smallest} to {largest} "
                f"(for an input of {input.size()[2:]})"
            )
        return [size - low for size, low in zip(output_size, smallest, strict=True)]


class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of `Conv1d` with respect to its input, as a layer.

    Shape: (N, in_channels, L) or (in_channels, L) to (N, out_channels, L_out), with
    L_out = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1. `weight` is (in_channels,
    out_channels / groups, kernel_size). `forward(input, output_size)` chooses among the sizes that a stride allows.

    >>> ConvTranspose1d(16, 33, 3, stride=2, output_padding=1)
    ConvTranspose1d(16, 33, kernel_size=(3,), stride=(2,), output_padding=(1,))
    """

    _dims, _function = 1, "conv_transpose1d"


class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of `Conv2d` with respect to its input, as a layer.

    Shape: (N, in_channels, H, W) or (in_channels, H, W) to (N, out_channels, H_out, W_out), sizes as
    `ConvTranspose1d`. `weight` is (in_channels, out_channels / groups, *kernel_size).

    >>> ConvTranspose2d(16, 33, 4, 2, 1)
    ConvTranspose2d(16, 33, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))
    """

    _dims, _function = 2, "conv_transpose2d"


class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of `Conv3d` with respect to its input, as a layer.

    Shape: (N, in_channels, D, H, W) or (in_channels, D, H, W) to (N, out_channels, D_out, H_out, W_out), sizes as
    `ConvTranspose1d`. `weight` is (in_channels, out_channels / groups, *kernel_size).

    >>> ConvTranspose3d(16, 33, 3, stride=2)
    ConvTranspose3d(16, 33, kernel_size=(3, 3, 3), stride=(2, 2, 2))
    """

    _dims, _function = 3, "conv_transpose3d"


class _LazyConvXdMixin(LazyModuleMixin):
    """Takes in_channels from the first input; arguments as the ordinary class without in_channels."""

    def __init__(self: Any, out_channels: int, kernel_size: Size, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        self.out_channels = out_channels
        factory = {"device": self.weight.device, "dtype": self.weight.dtype}
        bias = self.bias is not None
        self.register_parameter("weight", UninitializedParameter(**factory))
        if bias:
            self.register_parameter("bias", UninitializedParameter(**factory))

    def reset_parameters(self: Any) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, input: Tensor, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self.in_channels = self._get_in_channels(input)
        if not self.has_uninitialized_params():  # they came from a state dict
            return
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        channels = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight.materialize((channels[0], channels[1] // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self: Any, input: Tensor) -> int:
        unbatched = self._dims + 1
        if input.dim() not in (unbatched, unbatched + 1):
            raise RuntimeError(
                f"Expected {unbatched}D (unbatched) or {unbatched + 1}D (batched) input to {type(self).__name__}, but "
                f"got input of size: {input.shape}"
            )
        return input.shape[1] if input.dim() == unbatched + 1 else input.shape[0]


class LazyConv1d(_LazyConvXdMixin, Conv1d):
    """A `Conv1d` that takes in_channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvXdMixin, Conv2d):
    """A `Conv2d` that takes in_channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvXdMixin, Conv3d):
    """A `Conv3d` that takes in_channels from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):
    """A `ConvTranspose1d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):
    """A `ConvTranspose2d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):
    """A `ConvTranspose3d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose3d
