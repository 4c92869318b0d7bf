"""torch.distributed.checkpoint.state_dict: states of models and optimizers that name parameters, not count them.

The names are those of the module without wrappers: `module.` of DistributedDataParallel and the like is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.nn.state import _IncompatibleKeys
from rushlight.optim import Optimizer
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = [
    "StateDictOptions", "get_model_state_dict", "get_optimizer_state_dict", "get_state_dict", "set_model_state_dict",
    "set_optimizer_state_dict", "set_state_dict",
]  # fmt: skip

Optimizers = Optimizer | Iterable[Optimizer]


@dataclass
class StateDictOptions:
    """What is asked of a state.

    Attributes:
        full_state_dict, cpu_offload, broadcast_from_rank0: for several processes and devices; here all of it is here.
        ignore_frozen_params: leave out parameters that need no gradient.
        strict: raise for names that do not fit, as `load_state_dict`.
        flatten_optimizer_state_dict: one flat dictionary, `state.<name>.<what>`.
    """

    full_state_dict: bool = False
    cpu_offload: bool = False
    ignore_frozen_params: bool = False
    keep_submodule_prefixes: bool = True
    strict: bool = True
    broadcast_from_rank0: bool = False
    flatten_optimizer_state_dict: bool = False
    dsd_fqn_modifiers: str = "_fqn_modifiers"


class StateDicts(NamedTuple):
    """The states of a model and of its optimizers."""

    model: dict[str, Any]
    optimizers: dict[str, Any]


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module inside of wrappers that compute in one process what it computes."""
    from rushlight.nn.parallel import DataParallel, DistributedDataParallel

    while isinstance(model, (DataParallel, DistributedDataParallel)) or hasattr(model, "_fsdp_wrapped_module"):
        model = getattr(model, "_fsdp_wrapped_module", None) or model.module
    return model


def _clean(name: str) -> str:
    for wrapper in ("_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module."):
        name = name.replace(wrapper, "")
    return name


def _names(model: nn.Module) -> dict[int, str]:
    """The name of each parameter, by its identity."""
    return {id(p): _clean(name) for name, p in _unwrapped(model).named_parameters()}


def get_model_state_dict(
    model: nn.Module, *, submodules: set[nn.Module] | None = None, options: StateDictOptions | None = None
) -> dict[str, Any]:
    """The state of a model, or of some of its modules, by the names of parameters and buffers.

    >>> from rushlight.distributed.checkpoint.state_dict import get_model_state_dict
    >>> list(get_model_state_dict(torch.nn.DataParallel(torch.nn.Linear(2, 1))))
    ['weight', 'bias']
    """
    options = options or StateDictOptions()
    inner = _unwrapped(model)
    found = {_clean(name): value for name, value in inner.state_dict().items()}
    if options.ignore_frozen_params:
        frozen = {_clean(name) for name, p in inner.named_parameters() if not p.requires_grad}
        found = {name: value for name, value in found.items() if name not in frozen}
    if submodules is None:
        return found
    prefixes = [f"{_clean(name)}." for name, module in inner.named_modules() if module in submodules]
    return {
        name if options.keep_submodule_prefixes else name[len(prefix) :]: value
        for prefix in prefixes
        for name, value in found.items()
        if name.startswith(prefix)
    }


def set_model_state_dict(
    model: nn.Module, model_state_dict: dict[str, Any], *, options: StateDictOptions | None = None
) -> Any:
    """Gives a model its state; returns the missing and the unexpected names.

    Raises RuntimeError for names that do not fit where `options.strict`.
    """
    options = options or StateDictOptions()
    inner = _unwrapped(model)
    own = {_clean(name): name for name in inner.state_dict()}
    state = {own.get(name, name): value for name, value in model_state_dict.items()}
    if not state:
        return _IncompatibleKeys([], [])
    return inner.load_state_dict(state, strict=options.strict)


def _several(optimizers: Optimizers) -> list[Optimizer]:
    return [optimizers] if isinstance(optimizers, Optimizer) else list(optimizers)


def _make_state(optimizer: Optimizer) -> None:
    """Lets an optimizer that has not stepped make its state, by a step that changes nothing.

    Raises RuntimeError where gradients are waiting for a real one.
    """
    if optimizer.state:
        return
    params = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    if any(p.grad is not None for p in params):
        raise RuntimeError("state_dict can only be used if the optimizer states are initialized (usually after one "
                           "step() with gradients) or gradients are None. For the later case, state_dict will fake "
                           "the gradients as zero to initialize the optimizer states. However, the gradients are not "
                           "None.")  # fmt: skip
    rates = [group.get("lr") for group in optimizer.param_groups]
    for p in params:
        p.grad = FUNCTIONS["zeros_like"](p)
    for group in optimizer.param_groups:
        if "lr" in group:
            group["lr"] = FUNCTIONS["tensor"](0.0) if isinstance(group["lr"], Tensor) else 0.0
    optimizer.step(closure=None)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if "lr" in group:
            group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)


def get_optimizer_state_dict(
    model: nn.Module, optimizers: Optimizers, *, submodules: set[nn.Module] | None = None,
    options: StateDictOptions | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`{"state": {name: ...}, "param_groups": [...]}`, with the parameters' names for their numbers.

    An optimizer that has not stepped yet makes its state now.
    """
    options = options or StateDictOptions()
    names = _names(model)
    if submodules is not None:
        wanted = {id(p) for module in submodules for p in module.parameters()}
        names = {k: name for k, name in names.items() if k in wanted}
    found: dict[str, Any] = {"state": {}, "param_groups": []}
    for optimizer in _several(optimizers):
        _make_state(optimizer)
        for group in optimizer.param_groups:
            known = [p for p in group["params"] if id(p) in names]
            found["state"].update({names[id(p)]: dict(optimizer.state[p]) for p in known if p in optimizer.state})
            rest = {key: value for key, value in group.items() if key != "params"}
            if known:
                found["param_groups"].append({**rest, "params": [names[id(p)] for p in known]})
    return _flat(found) if options.flatten_optimizer_state_dict else found


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    flat = {f"state.{name}.{k}": value for name, state in found["state"].items() for k, value in state.items()}
    for group in found["param_groups"]:
        for name in group["params"]:
            flat.update({f"param_groups.{name}.{k}": value for k, value in group.items() if k != "params"})
    return flat


def _unflat(flat: dict[str, Any], names: list[str], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The inverse of `_flat`: which parameters make a group is what the optimizer says."""
    state: dict[str, Any] = {}
    for name in names:
        prefix = f"state.{name}."
        state[name] = {k[len(prefix) :]: value for k, value in flat.items() if k.startswith(prefix)}
    return {"state": state, "param_groups": [_unflat_group(flat, group) for group in groups]}


def _unflat_group(flat: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    found = {"params": group["params"]}
    for k in group:
        values = [flat[key] for name in group["params"] if (key := f"param_groups.{name}.{k}") in flat]
        if values:
            found[k] = values[0]
    return found


def set_optimizer_state_dict(
    model: nn.Module, optimizers: Optimizers, optim_state_dict: dict[str, Any], *,
    options: StateDictOptions | None = None,
) -> None:  # fmt: skip
    """Gives optimizers the state that `get_optimizer_state_dict` has made.

    Raises RuntimeError for a parameter whose state is missing.
    """
    names = _names(model)
    for optimizer in _several(optimizers):
        _make_state(optimizer)
        mine = optimizer.state_dict()
        groups = [
            {**group, "params": [names[id(p)] for p in own["params"]]}
            for group, own in zip(mine["param_groups"], optimizer.param_groups, strict=True)
        ]
        flat_names = [name for group in groups for name in group["params"]]
        given = optim_state_dict
        if "state" not in given or "param_groups" not in given:
            given = _unflat(given, flat_names, groups)
        optimizer.load_state_dict(_numbered(given, mine, groups))


def _numbered(given: dict[str, Any], mine: dict[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The state with the optimizer's numbers for the names."""
    numbers = {
        name: k
        for group, named in zip(mine["param_groups"], groups, strict=True)
        for k, name in zip(group["params"], named["params"], strict=True)
    }
    absent = [name for name, k in numbers.items() if k in mine["state"] and name not in given["state"]]
    if absent:
        raise RuntimeError(f"set_optimizer_state_dict(): the state of {', '.join(absent[:5])} is missing")
    found = []
    for own, named in zip(mine["param_groups"], groups, strict=True):
        other = next((g for g in given["param_groups"] if set(named["params"]) <= set(g["params"])), None)
        if other is None:
            raise RuntimeError(f"set_optimizer_state_dict(): no group has the parameters {named['params'][:5]}")
        found.append({**own, **other, "params": own["params"]})
    state = {numbers[name]: value for name, value in given["state"].items() if name in numbers and value}
    return {"state": state, "param_groups": found}


def get_state_dict(
    model: nn.Module, optimizers: Optimizers, *, submodules: set[nn.Module] | None = None,
    options: StateDictOptions | None = None,
) -> StateDicts:  # fmt: skip
    """(state of the model, state of its optimizers), to be saved by `torch.distributed.checkpoint.save`."""
    return StateDicts(
        get_model_state_dict(model, submodules=submodules, options=options),
        get_optimizer_state_dict(model, optimizers, submodules=submodules, options=options),
    )


def set_state_dict(
    model: nn.Module, optimizers: Optimizers, *, model_state_dict: dict[str, Any], optim_state_dict: dict[str, Any],
    options: StateDictOptions | None = None,
) -> Any:  # fmt: skip
    """Gives model and optimizers their states; returns the model's missing and unexpected names."""
    found = set_model_state_dict(model, model_state_dict, options=options)
    set_optimizer_state_dict(model, optimizers, optim_state_dict, options=options)
    return found


__getattr__ = missing(__name__)
