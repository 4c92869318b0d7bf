"""Padding layers: an input made larger at its borders, by a constant, its mirror image, its edge or its other end.

Every class names its number of dimensions and its mode; `F.pad` does the work. `padding` is one number or, last
dimension first, two for each dimension.
"""

from __future__ import annotations

from typing import Any

from rushlight.nn import functional as F
from rushlight.nn.module import Module
from rushlight.nn.sizes import Size, _ntuple
from rushlight.tensor import Tensor


class _PadNd(Module):
    __constants__ = ["padding"]
    _dims: int
    _mode: str

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def _check_input_dim(self, input: Tensor) -> None:
        low = self._dims + 1
        if input.dim() not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pads a signal with its other end. Shape: (N, C, W) or (C, W) to (N, C, W + left + right).

    Raises ValueError for an input of other dimensions.

    >>> CircularPad1d(2)
    CircularPad1d((2, 2))
    """

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pads an image with its other ends. Shape: (N, C, H, W) or (C, H, W); padding (left, right, top, bottom)."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pads a volume with its other ends. Shape: (N, C, D, H, W) or (C, D, H, W); 6 paddings, last dimension first."""

    _dims = 3


class _ConstantPadNd(_PadNd):
    __constants__ = ["padding", "value"]

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads a signal with `value`. Shape: (N, C, W) or (C, W) to (N, C, W + left + right).

    >>> ConstantPad1d((3, 1), 3.5)
    ConstantPad1d(padding=(3, 1), value=3.5)
    """

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads an image with `value`. Shape: (N, C, H, W) or (C, H, W); padding (left, right, top, bottom)."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads a volume with `value`. Shape: (N, C, D, H, W) or (C, D, H, W); 6 paddings, last dimension first."""

    _dims = 3


class _ReflectionPadNd(_PadNd):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads a signal with its mirror image, the edge not repeated. Shape: (N, C, W) or (C, W).

    >>> ReflectionPad1d(2)
    ReflectionPad1d((2, 2))
    """

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Pads an image with its mirror image. Shape: (N, C, H, W) or (C, H, W); padding (left, right, top, bottom)."""

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Pads a volume with its mirror image. Shape: (N, C, D, H, W) or (C, D, H, W); 6 paddings, last dimension first."""

    _dims = 3


class _ReplicationPadNd(_PadNd):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads a signal with its edges. Shape: (N, C, W) or (C, W).

    >>> ReplicationPad1d((3, 1))
    ReplicationPad1d((3, 1))
    """

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Pads an image with its edges. Shape: (N, C, H, W) or (C, H, W); padding (left, right, top, bottom)."""

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Pads a volume with its edges. Shape: (N, C, D, H, W) or (C, D, H, W); 6 paddings, last dimension first."""

    _dims = 3


class _ZeroPad:
    """Constant padding by zeros, printed without the value."""

    padding: Any

    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)  # type: ignore[call-arg]

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pads a signal with zeros. Shape: (N, C, W) or (C, W) to (N, C, W + left + right).

    >>> ZeroPad1d(2)
    ZeroPad1d((2, 2))
    """


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pads an image with zeros. Shape: (N, C, H, W) or (C, H, W); padding (left, right, top, bottom).

    >>> ZeroPad2d((1, 1, 2, 0))
    ZeroPad2d((1, 1, 2, 0))
    """


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pads a volume with zeros. Shape: (N, C, D, H, W) or (C, D, H, W); 6 paddings, last dimension first."""
