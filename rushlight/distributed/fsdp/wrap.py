"""torch.distributed.fsdp.wrap: which modules are shared out each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rushlight import nn
from rushlight.core.missing import missing

__all__ = [
    "CustomPolicy", "ModuleWrapPolicy", "always_wrap_policy", "enable_wrap", "lambda_auto_wrap_policy",
    "size_based_auto_wrap_policy", "transformer_auto_wrap_policy", "wrap",
]  # fmt: skip


def always_wrap_policy(*_: Any, **__: Any) -> bool:
    """True."""
    return True


def lambda_auto_wrap_policy(module: nn.Module, recurse: bool, nonwrapped_numel: int, lambda_fn: Callable[..., Any]
                            ) -> bool:  # fmt: skip
    """Whether the function says so; always True of what is inside."""
    return recurse or bool(lambda_fn(module))


def transformer_auto_wrap_policy(module: nn.Module, recurse: bool, nonwrapped_numel: int,
                                 transformer_layer_cls: Iterable[type]) -> bool:  # fmt: skip
    """Whether the module is a layer of these classes; always True of what is inside."""
    return recurse or isinstance(module, tuple(transformer_layer_cls))


def size_based_auto_wrap_policy(
    module: nn.Module, recurse: bool, nonwrapped_numel: int, min_num_params: int = 100_000_000,
    force_leaf_modules: Any = None, exclude_wrap_modules: Any = None,
) -> bool:  # fmt: skip
    """Whether the module has parameters enough."""
    kept = tuple(force_leaf_modules or (nn.MultiheadAttention,))
    left_out = tuple(exclude_wrap_modules or (nn.ModuleList, nn.ModuleDict))
    large = nonwrapped_numel >= min_num_params
    return large and not isinstance(module, kept if recurse else left_out)


class ModuleWrapPolicy:
    """The modules of these classes."""

    def __init__(self, module_classes: Iterable[type]) -> None:
        self._module_classes = set(module_classes)

    def __call__(self, module: nn.Module, recurse: bool, *_: Any, **__: Any) -> bool:
        return recurse or isinstance(module, tuple(self._module_classes))

    def __repr__(self) -> str:
        return f"ModuleWrapPolicy({self._module_classes})"


class CustomPolicy:
    """The modules of which a function says True, or gives arguments for."""

    def __init__(self, lambda_fn: Callable[[nn.Module], bool | dict[str, Any]]) -> None:
        self._lambda_fn = lambda_fn


_wrapper: list[tuple[Any, dict[str, Any]]] = []


@contextmanager
def enable_wrap(*, wrapper_cls: Any, **wrapper_kwargs: Any) -> Iterator[None]:
    """Inside, `wrap` puts modules into `wrapper_cls`."""
    _wrapper.append((wrapper_cls, wrapper_kwargs))
    try:
        yield
    finally:
        _wrapper.pop()


def wrap(module: nn.Module, **wrap_overrides: Any) -> nn.Module:
    """The module in the wrapper of `enable_wrap`; the module itself outside of it."""
    if not _wrapper:
        return module
    kind, options = _wrapper[-1]
    return kind(module, **{**options, **wrap_overrides})  # type: ignore[no-any-return]


__getattr__ = missing(__name__)
