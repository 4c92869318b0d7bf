"""Convolution weights laid out in another memory format."""

from __future__ import annotations

from typing import Any, TypeVar

from rushlight.nn.convolution import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from rushlight.nn.module import Module

T = TypeVar("T", bound=Module)


def _convert(module: T, memory_format: Any, kinds: tuple[type[Any], ...]) -> T:
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.weight.data = layer.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: T, memory_format: Any) -> T:
    """Lay out the weights of all 2-dimensional convolutions inside `module` in `memory_format`."""
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: T, memory_format: Any) -> T:
    """Lay out the weights of all 3-dimensional convolutions inside `module` in `memory_format`."""
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
