"""Pooling layers: windows of an input reduced to their maximum, mean or p-norm, in one to three dimensions.

The classes differ in the function of `functional` that computes them (`_function`, by name) and in whether the sizes
are kept as given or as tuples, which PyTorch prints differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.nn import functional as F
from rushlight.nn.module import Module
from rushlight.nn.sizes import Size, _ntuple
from rushlight.tensor import Tensor


class _MaxPoolNd(Module):
    __constants__ = ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"]
    _function: str

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The maximum of each window of a signal; the windows are `stride` (kernel_size) apart.

    Shape: (N, C, L) or (C, L) to (N, C, L_out), with L_out = (L + 2 padding - dilation (kernel_size - 1) - 1) / stride
    + 1, rounded down, or up with `ceil_mode`. With `return_indices` also returns where each maximum was.

    >>> MaxPool1d(3, stride=2)
    MaxPool1d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    _function = "max_pool1d"


class MaxPool2d(_MaxPoolNd):
    """The maximum of each window of an image. Shape: (N, C, H, W) or (C, H, W), sizes as `MaxPool1d`.

    >>> MaxPool2d((3, 2), stride=(2, 1))
    MaxPool2d(kernel_size=(3, 2), stride=(2, 1), padding=0, dilation=1, ceil_mode=False)
    """

    _function = "max_pool2d"


class MaxPool3d(_MaxPoolNd):
    """The maximum of each window of a volume. Shape: (N, C, D, H, W) or (C, D, H, W), sizes as `MaxPool1d`.

    >>> MaxPool3d(3)
    MaxPool3d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False)
    """

    _function = "max_pool3d"


class _MaxUnpoolNd(Module):
    _dims: int
    _function: str

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        tupled = _ntuple(self._dims)
        self.kernel_size = tupled(kernel_size)
        self.stride = tupled(stride if stride is not None else kernel_size)
        self.padding = tupled(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        function = getattr(F, self._function)
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts the maxima that `MaxPool1d` found, with their indices, back to where they were, with zeros elsewhere.

    Shape: input and indices (N, C, L) or (C, L) to (N, C, L_out), with L_out = (L - 1) stride - 2 padding +
    kernel_size unless `forward` is given `output_size`.

    >>> MaxUnpool1d(2, stride=2)
    MaxUnpool1d(kernel_size=(2,), stride=(2,), padding=(0,))
    """

    _dims, _function = 1, "max_unpool1d"


class MaxUnpool2d(_MaxUnpoolNd):
    """Undoes `MaxPool2d`, but for the numbers that were no maxima. Shape: (N, C, H, W), sizes as `MaxUnpool1d`.

    >>> MaxUnpool2d(2, stride=2)
    MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))
    """

    _dims, _function = 2, "max_unpool2d"


class MaxUnpool3d(_MaxUnpoolNd):
    """Undoes `MaxPool3d`, but for the numbers that were no maxima. Shape: (N, C, D, H, W), sizes as `MaxUnpool1d`.

    >>> MaxUnpool3d(3)
    MaxUnpool3d(kernel_size=(3, 3, 3), stride=(3, 3, 3), padding=(0, 0, 0))
    """

    _dims, _function = 3, "max_unpool3d"


class _AvgPoolNd(Module):
    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]
    kernel_size: Any
    stride: Any
    padding: Any

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of a signal; padding counts as zeros unless `count_include_pad=False`.

    Shape: (N, C, L) or (C, L) to (N, C, L_out), with L_out = (L + 2 padding - kernel_size) / stride + 1, rounded down,
    or up with `ceil_mode`.

    >>> AvgPool1d(3, stride=2)
    AvgPool1d(kernel_size=(3,), stride=(2,), padding=(0,))
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        tupled = _ntuple(1)
        self.kernel_size = tupled(kernel_size)
        self.stride = tupled(stride if stride is not None else kernel_size)
        self.padding = tupled(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolDivisor(_AvgPoolNd):
    """Means with a divisor of one's own: 2 and 3 dimensions."""

    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
    _function: str

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPoolDivisor):
    """The mean of each window of an image. Shape: (N, C, H, W) or (C, H, W), sizes as `AvgPool1d`.

    >>> AvgPool2d(3, stride=2)
    AvgPool2d(kernel_size=3, stride=2, padding=0)
    """

    _function = "avg_pool2d"


class AvgPool3d(_AvgPoolDivisor):
    """The mean of each window of a volume. Shape: (N, C, D, H, W) or (C, D, H, W), sizes as `AvgPool1d`.

    >>> AvgPool3d(3, stride=2)
    AvgPool3d(kernel_size=3, stride=2, padding=0)
    """

    _function = "avg_pool3d"


class _FractionalMaxPoolNd(Module):
    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]
    _dims: int
    _function: str

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        tupled = _ntuple(self._dims)
        self.kernel_size = tupled(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = tupled(output_size) if output_size is not None else None
        self.output_ratio = tupled(output_ratio) if output_ratio is not None else None
        self._check(output_ratio)

    def _check(self, output_ratio: Any) -> None:
        if any(k <= 0 for k in self.kernel_size) and self._dims == 3:
            raise ValueError(f"kernel_size must be greater than 0, but got {self.kernel_size}")
        if self.output_size is None and self.output_ratio is None:
            raise ValueError(f"{type(self).__name__} requires specifying either an output size, or a pooling ratio")
        if self.output_size is not None and self.output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The maxima of windows at random places, as many as `output_size`, or `output_ratio` times the input. Graham 2014.

    Shape: (N, C, H, W) or (C, H, W). Raises ValueError unless exactly one of size and ratio is given.
    """

    _dims, _function = 2, "fractional_max_pool2d"


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """`FractionalMaxPool2d` for volumes. Shape: (N, C, D, H, W) or (C, D, H, W)."""

    _dims, _function = 3, "fractional_max_pool3d"


class _LPPoolNd(Module):
    __constants__ = ["norm_type", "kernel_size", "stride", "ceil_mode"]
    _function: str

    def __init__(
        self, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        function = getattr(F, self._function)
        return function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window, (sum x^p)^(1/p) with p = norm_type. Shape: (N, C, L) or (C, L), sizes as `AvgPool1d`.

    >>> LPPool1d(2, 3, stride=2)
    LPPool1d(norm_type=2, kernel_size=3, stride=2, ceil_mode=False)
    """

    _function = "lp_pool1d"


class LPPool2d(_LPPoolNd):
    """`LPPool1d` for images. Shape: (N, C, H, W) or (C, H, W).

    >>> LPPool2d(1.2, (3, 2), stride=(2, 1))
    LPPool2d(norm_type=1.2, kernel_size=(3, 2), stride=(2, 1), ceil_mode=False)
    """

    _function = "lp_pool2d"


class LPPool3d(_LPPoolNd):
    """`LPPool1d` for volumes. Shape: (N, C, D, H, W) or (C, D, H, W)."""

    _function = "lp_pool3d"


class _AdaptivePoolNd(Module):
    __constants__ = ["output_size"]
    _function: str
    output_size: Any

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPoolNd(_AdaptivePoolNd):
    __constants__ = ["output_size", "return_indices"]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of `output_size` windows that cover a signal. Shape: (N, C, L) or (C, L) to (N, C, output_size).

    >>> AdaptiveMaxPool1d(5)
    AdaptiveMaxPool1d(output_size=5)
    """

    _function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of windows that cover an image. Shape: (N, C, H, W) or (C, H, W) to (N, C, *output_size).

    None in `output_size` keeps the input's size.

    >>> AdaptiveMaxPool2d((5, None))
    AdaptiveMaxPool2d(output_size=(5, None))
    """

    _function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of windows that cover a volume. Shape: (N, C, D, H, W) or (C, D, H, W) to (N, C, *output_size)."""

    _function = "adaptive_max_pool3d"


class _AdaptiveAvgPoolNd(_AdaptivePoolNd):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of `output_size` windows that cover a signal. Shape: (N, C, L) or (C, L) to (N, C, output_size).

    >>> AdaptiveAvgPool1d(5)
    AdaptiveAvgPool1d(output_size=5)
    """

    _function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of windows that cover an image. Shape: (N, C, H, W) or (C, H, W) to (N, C, *output_size).

    None in `output_size` keeps the input's size.

    >>> AdaptiveAvgPool2d((1, 1))
    AdaptiveAvgPool2d(output_size=(1, 1))
    """

    _function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of windows that cover a volume. Shape: (N, C, D, H, W) or (C, D, H, W) to (N, C, *output_size)."""

    _function = "adaptive_avg_pool3d"
