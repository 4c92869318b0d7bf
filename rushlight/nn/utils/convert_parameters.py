"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rushlight.nn.module import _typename
from rushlight.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The parameters, flattened, one after the other. Raises TypeError for parameters on different devices."""
    import rushlight

    parameters = list(parameters)
    _check_one_device(parameters)
    return rushlight.cat([param.view(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Any]) -> None:
    """Give the parameters the numbers of `vec`, which they then look into. Undoes `parameters_to_vector`."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {_typename(vec)}")
    parameters = list(parameters)
    _check_one_device(parameters)
    start = 0
    for param in parameters:
        param.data = vec[start : start + param.numel()].view_as(param).data
        start += param.numel()


def _check_one_device(parameters: list[Tensor]) -> None:
    if len({param.device for param in parameters}) > 1:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
