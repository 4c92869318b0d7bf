"""torch.ao.nn.intrinsic: layers that are quantized as one, as `fuse_modules` makes them of several."""

from __future__ import annotations

from rushlight import nn
from rushlight.core.missing import missing

__all__ = ["BNReLU2d", "BNReLU3d", "ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]


class _Fused(nn.Sequential):
    """Two layers, of the classes in `kinds`. Raises AssertionError for others."""

    kinds: tuple[type[nn.Module], type[nn.Module]]

    def __init__(self, first: nn.Module, relu: nn.Module) -> None:
        for given, kind in zip((first, relu), self.kinds, strict=True):
            if not isinstance(given, kind):
                raise AssertionError(f"{type(self).__name__} is of {self.kinds}, not {type(first)}, {type(relu)}")
        super().__init__(first, relu)


class ConvReLU1d(_Fused):
    """`Conv1d`, then `ReLU`."""

    kinds = nn.Conv1d, nn.ReLU


class ConvReLU2d(_Fused):
    """`Conv2d`, then `ReLU`."""

    kinds = nn.Conv2d, nn.ReLU


class ConvReLU3d(_Fused):
    """`Conv3d`, then `ReLU`."""

    kinds = nn.Conv3d, nn.ReLU


class LinearReLU(_Fused):
    """`Linear`, then `ReLU`."""

    kinds = nn.Linear, nn.ReLU


class BNReLU2d(_Fused):
    """`BatchNorm2d`, then `ReLU`."""

    kinds = nn.BatchNorm2d, nn.ReLU


class BNReLU3d(_Fused):
    """`BatchNorm3d`, then `ReLU`."""

    kinds = nn.BatchNorm3d, nn.ReLU


__getattr__ = missing(__name__)
