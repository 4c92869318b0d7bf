"""`DataParallel`, which passes through: there is one device here.

Its parameters keep PyTorch's names (`module.weight`), so checkpoints written under it fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.nn.module import Module

__all__ = ["DataParallel", "data_parallel", "parallel_apply"]


class DataParallel(Module):
    """Calls the module it was given, as PyTorch's does where there is no GPU.

    >>> torch.nn.parallel.DataParallel(torch.nn.Linear(2, 1)).state_dict().keys()
    odict_keys(['module.weight', 'module.bias'])
    """

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []
        self.output_device = None
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """The module of the inputs, on the one device."""
    arguments = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    return module(*arguments, **(module_kwargs or {}))


def parallel_apply(
    modules: Sequence[Module], inputs: Sequence[Any], kwargs_tup: Any = None, devices: Any = None
) -> list[Any]:
    """Each module of its inputs, one after another."""
    if len(modules) != len(inputs):
        raise AssertionError(f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}")
    extra = kwargs_tup or [{}] * len(modules)
    return [
        m(*(x if isinstance(x, (list, tuple)) else (x,)), **k) for m, x, k in zip(modules, inputs, extra, strict=True)
    ]
