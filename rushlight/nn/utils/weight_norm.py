"""Weight normalization by a forward pre-hook: weight = g v / |v|, with g and v as the parameters.

Salimans & Kingma 2016. The older form, which old programs and checkpoints use (`weight_g`, `weight_v`);
`parametrizations.weight_norm` is the newer one and shares the two functions at the top.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from rushlight.nn.module import Module
from rushlight.nn.parameter import Parameter, is_lazy
from rushlight.tensor import Tensor

T = TypeVar("T", bound=Module)


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """The 2-norm of `v` over all dimensions but `dim`, which are kept with size 1; over all of them for dim -1."""
    import rushlight

    if dim == -1:
        return rushlight.linalg.vector_norm(v)
    return rushlight.linalg.vector_norm(v, dim=[d for d in range(v.dim()) if d != dim % v.dim()], keepdim=True)


def normalized(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """g v / |v|."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook: computes the weight before each `forward`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight, from g and v."""
        return normalized(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Split the parameter `name` into g and v. Raises RuntimeError where it was split already; warns."""
        warnings.warn(
            "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=3,
        )
        if _find(module, name) is not None:
            raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        hook, weight = WeightNorm(name, dim), getattr(module, name)
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying weight normalization"
            )
        del module._parameters[name]
        module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, hook.dim).data))
        module.register_parameter(name + "_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"], module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def _find(module: Module, name: str) -> int | None:
    for hook_id, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            return hook_id
    return None


def weight_norm(module: T, name: str = "weight", dim: int | None = 0) -> T:
    """Train length and direction of the parameter `name` apart, for each index of `dim` (None: as a whole)."""
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: T, name: str = "weight") -> T:
    """Undo `weight_norm`. Raises ValueError where there is none."""
    hook_id = _find(module, name)
    if hook_id is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks.pop(hook_id)
    hook.remove(module)
    return module
