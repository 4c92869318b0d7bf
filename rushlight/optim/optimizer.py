"""The base of every optimizer: parameter groups, state, hooks, and the dictionary it is saved as.

An `Optimizer` holds `param_groups` (a list of dictionaries: the parameters and the options they are trained with) and
`state` (parameter -> dictionary of what is remembered about it). A subclass writes `step`. The first instance of a
class wraps that `step` once, so that hooks run around it. `state_dict()` names parameters by their position, which
makes it independent of the objects and exchangeable with PyTorch's own files; `load_state_dict` checks all of it
before it changes anything.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import wraps
from itertools import chain
from typing import Any, TypeAlias

import rushlight
from rushlight.autograd.node import RemovableHandle
from rushlight.tensor import Tensor

__all__ = [
    "Optimizer",
    "ParamsT",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
StateDict: TypeAlias = dict[str, Any]

_global_optimizer_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_global_optimizer_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()

_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class _RequiredParameter:
    """Stands as a default for an option that every parameter group has to give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()


def _typename(obj: Any) -> str:
    """The name by which messages call a thing: `torch.FloatTensor` for a tensor, else its class."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = type(obj)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _register(table: OrderedDict[int, Any], hook: Callable[..., Any], first: bool = False) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if first:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` before each step of every optimizer; it may return new `(args, kwargs)`."""
    return _register(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` after the `step` of every optimizer."""
    return _register(_global_optimizer_post_hooks, hook)


def _step_with_hooks(func: Callable[..., Any], self: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for hook in chain(_global_optimizer_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
        changed = hook(self, args, kwargs)
        if changed is None:
            continue
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise RuntimeError(f"{func} must return None or a tuple of (new_args, new_kwargs), but got {changed}.")
        args, kwargs = changed
    out = func(*args, **kwargs)
    for hook in chain(self._optimizer_step_post_hooks.values(), _global_optimizer_post_hooks.values()):
        hook(self, args, kwargs)
    return out


class Optimizer:
    r"""Base class for all optimizers.

    Args:
        params: tensors, `(name, tensor)` pairs, or dictionaries with at least the key `"params"`, each one a group with
            its own options.
        defaults: the options of a group that does not give its own.

    Raises:
        TypeError: `params` is a tensor, a set, or holds something that is not a tensor.
        ValueError: no parameters, a parameter in two groups, or a tensor that is not a leaf.

    >>> w = rushlight.ones(2, requires_grad=True)
    >>> rushlight.optim.SGD([w], lr=0.1).param_groups[0]["lr"]
    0.1
    """

    OptimizerPreHook: TypeAlias = Callable[..., Any]
    OptimizerPostHook: TypeAlias = Callable[..., None]

    _optimizer_step_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_step_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        for table in _HOOK_TABLES:
            setattr(self, table, OrderedDict())
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + _typename(params)
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---- copying and printing

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for table in _HOOK_TABLES:
            self.__dict__.setdefault(table, OrderedDict())
        self._patch_step_function()
        if "defaults" in self.__dict__:
            self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"

    # ---- hooks

    def _patch_step_function(self) -> None:
        kind = type(self)
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{kind.__name__}.zero_grad"
        if not getattr(kind.step, "hooked", False):
            kind.step = self.profile_hook_step(kind.step)  # type: ignore[method-assign]

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a `step` so that the hooks run around it; without hooks it costs one test."""

        @wraps(func)
        def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if (
                self._optimizer_step_pre_hooks
                or self._optimizer_step_post_hooks
                or _global_optimizer_pre_hooks
                or _global_optimizer_post_hooks
            ):
                return _step_with_hooks(func, self, (self, *args), kwargs)
            return func(self, *args, **kwargs)

        step.hooked = True  # type: ignore[attr-defined]
        return step

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step; it may return new `(args, kwargs)`."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` before `state_dict` collects anything."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` afterwards; it may change the dictionary or return another."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` with a shallow copy before loading; it may return another dictionary."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ---- saving and loading

    def state_dict(self) -> StateDict:
        """The state and the options of every group, parameters named by their position.

        The tensors in it are the optimizer's own, not copies: a later step changes them. `copy.deepcopy` keeps them.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        position: dict[int, int] = {}
        groups = [_packed_group(group, position) for group in self.param_groups]
        state = {
            (position[id(key)] if isinstance(key, Tensor) else key): dict(value) if isinstance(value, dict) else value
            for key, value in self.state.items()
        }
        out: StateDict = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, out)
            if changed is not None:
                out = changed
        return out

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Takes over a `state_dict()`, also one that PyTorch saved. State follows its parameter's dtype and device.

        Raises:
            ValueError: other numbers of groups or of parameters in a group. The optimizer is then as it was.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        saved = deepcopy(state_dict["param_groups"])
        self._check_same_layout(saved)
        params = _by_saved_position(saved, self.param_groups)
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _moved_to(params[key], value, saved, key)
            else:
                state[key] = value
        groups = [_loaded_group(new, old) for new, old in zip(saved, self.param_groups, strict=True)]
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _check_same_layout(self, saved: list[dict[str, Any]]) -> None:
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for new, old in zip(saved, self.param_groups, strict=True):
            if len(new["params"]) != len(old["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                )

    @staticmethod
    def _process_value_according_to_param_policy(
        param: Tensor,
        value: Tensor,
        param_id: int,
        param_groups: list[dict[str, Any]] | None,
        key: Any = None,
    ) -> Tensor:
        """Brings a loaded state tensor to its parameter's dtype and device; a step count keeps its own."""
        if param_groups is None:
            raise AssertionError("Expected param_groups to be set")
        if key == "step":
            on_device = any(
                param_id in group["params"] and (group.get("capturable") or group.get("fused"))
                for group in param_groups
            )
            return value.to(dtype=rushlight.float32, device=param.device) if on_device else value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)

    # ---- training

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients (`grad` becomes None), or fills them with zeros where `set_to_none` is False."""
        for group in self.param_groups:
            if set_to_none:
                for param in group["params"]:
                    param._grad = None
                continue
            for param in group["params"]:
                if param.grad is not None:
                    _zero(param.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of training; `closure` evaluates the model again and returns the loss."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, with options of its own; what it leaves out comes from the defaults.

        Raises:
            TypeError: not a dictionary, parameters in a set, or something that is not a tensor.
            ValueError: a tensor that is not a leaf, an option without a value, names on some groups only, or a
                parameter that another group has.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _list_params(param_group)
        self._check_leaves(param_group["params"])
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        self._check_no_duplicates(param_group)
        self.param_groups.append(param_group)

    def _check_leaves(self, params: list[Any]) -> None:
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_typename(param)}")
            if not self.defaults.get("differentiable", None) and not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")

    def _check_no_duplicates(self, param_group: dict[str, Any]) -> None:
        ids = {id(param) for param in param_group["params"]}
        if len(ids) != len(param_group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        named = "param_names" in param_group
        for group in self.param_groups:
            if named != ("param_names" in group):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param group "
                    f"{'with' if named else 'without'} names to the optimizer"
                )
        if any(id(param) in ids for group in self.param_groups for param in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")


def _zero(grad: Tensor) -> None:
    if grad.grad_fn is not None:
        grad.detach_()
    else:
        grad.requires_grad_(False)
    grad.zero_()


def _list_params(group: dict[str, Any]) -> None:
    """Makes `group["params"]` a list of tensors, and `group["param_names"]` where they came with names."""
    params = group["params"]
    if isinstance(params, Tensor):
        group["params"] = [params]
        return
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    params = list(params)
    names = [param[0] for param in params if isinstance(param, tuple)]
    if names and len(names) != len(params):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    group["params"] = [param[1] for param in params] if names else params
    if names:
        group["param_names"] = names


def _packed_group(group: dict[str, Any], position: dict[int, int]) -> dict[str, Any]:
    """A group as `state_dict` stores it; `position` numbers the parameters as they are met."""
    start = len(position)
    fresh = [param for param in group["params"] if id(param) not in position]
    position.update({id(param): i for i, param in enumerate(fresh, start)})
    packed = {key: value for key, value in group.items() if key != "params"}
    packed["params"] = [position[id(param)] for param in group["params"]]
    return packed


def _by_saved_position(saved: list[dict[str, Any]], groups: list[dict[str, Any]]) -> dict[Any, Tensor]:
    keys = chain.from_iterable(group["params"] for group in saved)
    return dict(zip(keys, chain.from_iterable(group["params"] for group in groups), strict=True))


def _loaded_group(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    new["params"] = old["params"]
    if "param_names" in old and "param_names" not in new:
        new["param_names"] = old["param_names"]
    return new


def _moved_to(param: Tensor, value: Any, groups: list[dict[str, Any]], param_id: int, key: Any = None) -> Any:
    """`value` (a tensor, or tensors in dictionaries and lists) brought to where its parameter is."""
    if isinstance(value, Tensor):
        return Optimizer._process_value_according_to_param_policy(param, value, param_id, groups, key)
    if isinstance(value, dict):
        return {k: _moved_to(param, v, groups, param_id, k) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(_moved_to(param, v, groups, param_id) for v in value)
    return value
