"""Building blocks that several models share, and how their weights start."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.ops.layers import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "Conv2dNormActivation",
    "IntermediateLayerGetter",
    "Layer",
    "SqueezeExcitation",
    "make_divisible",
    "start_weights",
]

Layer = Callable[..., nn.Module]


class IntermediateLayerGetter(nn.ModuleDict):
    """A model's children one after the other, as far as the last whose result is wanted.

    Args:
        model: the model; its children are used in the order in which they were made.
        return_layers: from the name of a child to the name of its result.

    Raises ValueError for names that no child has.
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        if not set(return_layers).issubset(children):
            raise ValueError("return_layers are not present in model")
        names = list(children)
        last = max(names.index(str(name)) for name in return_layers)
        super().__init__(OrderedDict((name, children[name]) for name in names[: last + 1]))
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> OrderedDict[str, Any]:
        found = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found


def make_divisible(value: float, divisor: int) -> int:
    """The multiple of ``divisor`` next to ``value``, but not smaller than nine tenths of it."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


_make_divisible = make_divisible  # torchvision's name, which programs import


def start_weights(model: nn.Module, linear_spread: float | None = None, mode: str = "fan_out") -> None:
    """Convolutions by He et al. (arXiv:1502.01852), normalizations as identities, biases zero.

    Args:
        linear_spread: the standard deviation of linear layers' weights; None leaves linear layers as they are.
        mode: which side's connections are counted.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            _zero(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            init.constant_(module.weight, 1)
            init.constant_(module.bias, 0)
        elif isinstance(module, nn.Linear) and linear_spread is not None:
            init.normal_(module.weight, 0, linear_spread)
            _zero(module.bias)


def _zero(bias: Any) -> None:
    if bias is not None:
        init.constant_(bias, 0)
