"""`functional_call`: a module called with other parameters and buffers than its own, for that one call."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rushlight.nn.module import Module
from rushlight.tensor import Tensor

_ABSENT: Any = object()


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated path of `torch.func.functional_call`; warns."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future "
        "version of PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def _functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the named tensors in place of its own; what is not named stays.

    With `tie_weights`, a tensor under several names is replaced under all of them. Raises ValueError for two different
    tensors for one, RuntimeError with `strict` for names that are missing or that the module does not have.
    """
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*args, **(kwargs or {}))


def _own_tensors(module: Module) -> dict[str, Tensor]:
    return dict((*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)))


@contextmanager
def _reparametrize_module(
    module: Module, tensors: dict[str, Tensor], tie_weights: bool = False, strict: bool = False
) -> Iterator[None]:
    own = _own_tensors(module)
    given = _tied(own, tensors) if tie_weights else dict(tensors)
    if strict:
        _check_names(module, own, given)
    swapped: list[tuple[dict[str, Any], str, str, Any]] = []
    try:
        for path, tensor in given.items():
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{tensor} is not an instance of torch.Tensor")
            registry, name = _place(module, path)
            swapped.append((registry, name, path, registry.get(name, _ABSENT)))
            registry[name] = tensor
        yield
    finally:
        for registry, name, path, before in reversed(swapped):
            now = registry.pop(name) if before is _ABSENT else registry[name]
            if before is not _ABSENT:
                registry[name] = before
            if path in tensors:
                tensors[path] = now  # what the call itself put there, such as new statistics


def _place(module: Module, path: str) -> tuple[dict[str, Any], str]:
    """The dictionary in which the tensor at `path` is kept."""
    prefix, _, name = path.rpartition(".")
    owner = module.get_submodule(prefix)
    for registry in (owner._parameters, owner._buffers):
        if name in registry:
            return registry, name
    return owner.__dict__, name


def _tied(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """`tensors`, each under all the names that its place goes by."""
    names: dict[int, list[str]] = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    given = dict(tensors)
    for name, tensor in tensors.items():
        for other in names.get(id(own.get(name)), ()):
            if other in tensors and tensors[other] is not tensor:
                keys = sorted(names[id(own[name])])
                raise ValueError(
                    f"functional_call got multiple values for keys {keys}, which are tied. Consider using "
                    "tie_weights=False"
                )
            given[other] = tensor
    return given


def _check_names(module: Module, own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    errors = []
    for kind, names in (("Unexpected", given.keys() - own.keys()), ("Missing", own.keys() - given.keys())):
        if names:
            errors.append(f"{kind} key(s): {', '.join(map(repr, sorted(names)))}.")
    if errors:
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(errors))
