"""Hooks on modules: functions that run around `forward` and when gradients pass a module.

`Module.__call__` goes straight to `forward` while no hook is set, and to `call_with_hooks` otherwise. The forward hooks
see the arguments and the result and may replace them. Backward hooks are put on the tape: `BackwardRelay` sends the
module's tensor inputs and outputs through an identity function whose backward hands the gradients to the hooks.
The dictionaries named `_global_...` hold the hooks of all modules; programs reach into them, so they are never rebound.
"""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rushlight.autograd import Function
from rushlight.autograd.node import RemovableHandle
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.nn.module import Module

Hooks = OrderedDict[int, Callable[..., Any]]

_global_buffer_registration_hooks: Hooks = OrderedDict()
_global_module_registration_hooks: Hooks = OrderedDict()
_global_parameter_registration_hooks: Hooks = OrderedDict()
_global_backward_pre_hooks: Hooks = OrderedDict()
_global_backward_hooks: Hooks = OrderedDict()
_global_forward_pre_hooks: Hooks = OrderedDict()
_global_forward_hooks: Hooks = OrderedDict()
_global_forward_hooks_always_called: OrderedDict[int, bool] = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict[int, bool] = OrderedDict()
_global_backward_kind: dict[str, bool | None] = {"full": None}

_BOTH_KINDS = (
    "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
    "Please use only one of them."
)
_PLAIN_HOOK = "Using non-full backward hooks on a Module that does not {} a single Tensor or a tuple of Tensors "
_PLAIN_HOOK_ON = "Using a non-full backward hook when {} "
_DEPRECATED = "is deprecated and will be removed in future versions. This hook will be missing {}."
_USE_FULL = " Please use register_full_backward_hook to get the documented behavior."


class ModuleHook:
    """A hook together with the module it belongs to, which it holds weakly, so that hooks keep no module alive."""

    def __init__(self, hook: Callable[..., Any], module: Module | None = None) -> None:
        self.hook = hook
        self.with_module = module is not None
        if module is not None:
            self.module = weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"hook": self.hook, "with_module": self.with_module}
        return state | {"module": self.module()} if self.with_module else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.hook, self.with_module = state["hook"], state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


def add_hook(
    hooks: Hooks,
    hook: Callable[..., Any],
    *,
    prepend: bool = False,
    flags: Sequence[tuple[OrderedDict[int, bool], bool]] = (),
) -> RemovableHandle:
    """Put `hook` at the end of `hooks` (at its start with `prepend`) and its id in the `flags` asked for."""
    handle = RemovableHandle(hooks, extra_dict=[ids for ids, _ in flags])
    hooks[handle.id] = hook
    for ids, wanted in flags:
        if wanted:
            ids[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def registered(hooks: Hooks, module: Module, name: str, value: Any) -> Any:
    """`value` as the global registration hooks leave it: each may return another one to register instead."""
    for hook in hooks.values():
        replacement = hook(module, name, value)
        if replacement is not None:
            value = replacement
    return value


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, buffer)` whenever any module gets a buffer; what it returns replaces the buffer."""
    return add_hook(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, submodule)` whenever any module gets a child; what it returns replaces the child."""
    return add_hook(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, param)` whenever any module gets a parameter; what it returns replaces it."""
    return add_hook(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before `forward` of every module; what it returns replaces the arguments."""
    return add_hook(_global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after `forward` of every module, before the module's own hooks.

    With `with_kwargs` the call is `hook(module, args, kwargs, output)`. With `always_call` it runs even if `forward`
    raised. What it returns, if not None, replaces the output.
    """
    flags = ((_global_forward_hooks_with_kwargs, with_kwargs), (_global_forward_hooks_always_called, always_call))
    return add_hook(_global_forward_hooks, hook, flags=flags)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the gradients of every module; what it returns replaces grad_output."""
    return add_hook(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` once the gradients of any module's inputs are there.

    Raises RuntimeError where `register_module_backward_hook` is in use.
    """
    return _add_global_backward_hook(hook, full=True)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """The older form, which sees only the last operation of a module. Use `register_module_full_backward_hook`."""
    return _add_global_backward_hook(hook, full=False)


def _add_global_backward_hook(hook: Callable[..., Any], *, full: bool) -> RemovableHandle:
    if _global_backward_kind["full"] is (not full):
        raise RuntimeError(_BOTH_KINDS)
    _global_backward_kind["full"] = full
    return add_hook(_global_backward_hooks, hook)


def backward_hooks(module: Module, *, full: bool) -> list[Callable[..., Any]]:
    """The global backward hooks and the module's own, of the asked kind."""
    found: list[Callable[..., Any]] = []
    if _global_backward_kind["full"] is full:
        found += _global_backward_hooks.values()
    if module._is_full_backward_hook is full:
        found += module._backward_hooks.values()
    return found


def backward_pre_hooks(module: Module) -> list[Callable[..., Any]]:
    """The global full backward pre-hooks and the module's own."""
    return [*_global_backward_pre_hooks.values(), *module._backward_pre_hooks.values()]


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)` with every hook that applies; PyTorch's order of the hooks."""
    call = _HookedCall(module, args, kwargs)
    try:
        return call.run()
    except Exception:
        call.run_forward_hooks_after_error()
        raise


class _HookedCall:
    """One call of a module that has hooks: arguments and result, as the hooks so far have left them."""

    def __init__(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def run(self) -> Any:
        module = self.module
        pre = backward_pre_hooks(module)
        full, plain = backward_hooks(module, full=True), backward_hooks(module, full=False)
        self.run_forward_pre_hooks()
        relay = BackwardRelay(module, full, pre) if full or pre else None
        if relay is not None:
            self.args = relay.on_inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        self.run_forward_hooks()
        if relay is not None:
            self.result = relay.on_outputs(self.result)
        if plain:
            _attach_plain_backward_hooks(module, plain, self.args, self.result)
        return self.result

    def run_forward_pre_hooks(self) -> None:
        own = self.module._forward_pre_hooks
        for hook_id, hook in (*_global_forward_pre_hooks.items(), *own.items()):
            if hook_id in self.module._forward_pre_hooks_with_kwargs:
                replacement = hook(self.module, self.args, self.kwargs)
                if replacement is not None:
                    self.args, self.kwargs = _checked_arguments(replacement)
            else:
                replacement = hook(self.module, self.args)
                if replacement is not None:
                    self.args = replacement if isinstance(replacement, tuple) else (replacement,)

    def run_forward_hooks(self) -> None:
        module = self.module
        for hook_id, hook in (*_global_forward_hooks.items(), *module._forward_hooks.items()):
            self.called.add(hook_id)
            self._run_forward_hook(hook_id, hook)

    def _run_forward_hook(self, hook_id: int, hook: Callable[..., Any]) -> None:
        module = self.module
        if hook_id in module._forward_hooks_with_kwargs or hook_id in _global_forward_hooks_with_kwargs:
            replacement = hook(module, self.args, self.kwargs, self.result)
        else:
            replacement = hook(module, self.args, self.result)
        if replacement is not None:
            self.result = replacement

    def run_forward_hooks_after_error(self) -> None:
        """Those registered with `always_call=True` that had not run; an error in them only warns."""
        module = self.module
        for kind, hooks, always in (
            ("global module", _global_forward_hooks, _global_forward_hooks_always_called),
            ("module", module._forward_hooks, module._forward_hooks_always_called),
        ):
            for hook_id in [i for i in hooks if i in always and i not in self.called]:
                try:
                    self._run_forward_hook(hook_id, hooks[hook_id])
                except Exception as error:
                    warnings.warn(
                        f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as "
                        f"another error was raised in forward: {error!s}",
                        stacklevel=4,
                    )


def _checked_arguments(replacement: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(replacement, tuple) and len(replacement) == 2:
        return replacement
    raise RuntimeError(
        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {replacement}."
    )


class _Relay(Function):
    """The identity on some tensors; its backward lets `callback` see, and replace, their gradients."""

    @staticmethod
    def forward(ctx: Any, callback: Callable[..., Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.callback = callback
        outputs = tuple(t.view_as(t) for t in tensors)
        ctx.mark_non_differentiable(*(out for out, t in zip(outputs, tensors, strict=True) if not t.requires_grad))
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return (None, *ctx.callback(grads))


class BackwardRelay:
    """Runs the full backward hooks of one call of one module.

    The relay on the outputs receives grad_output first: it runs the pre-hooks and keeps what they leave. The relay on
    the inputs then receives grad_input and runs the hooks. Where no input needs a gradient they run with the outputs.
    """

    def __init__(self, module: Module, hooks: list[Callable[..., Any]], pre_hooks: list[Callable[..., Any]]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: tuple[Any, ...] | None = None
        self.n_inputs = self.n_outputs = 0
        self.input_positions: list[int] | None = None
        self.output_positions: list[int] | None = None

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with every tensor behind the relay, if one of them needs a gradient."""
        self.n_inputs = len(args)
        args, self.input_positions = _relayed(args, self._inputs_ready)
        return args

    def on_outputs(self, result: Any) -> Any:
        """The result of `forward`, a tensor or a tuple of tensors, behind the relay; anything else gives a warning."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=5,
            )
        outputs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outputs)
        outputs, self.output_positions = _relayed(outputs, self._outputs_ready)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _inputs_ready(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_outputs is None:  # the gradients stop at another path through the inputs
            return grads
        assert self.input_positions is not None
        seen = _spread(grads, self.input_positions, self.n_inputs)
        for hook in self.hooks:
            replacement = hook(self.module, seen, self.grad_outputs)
            if replacement is not None:
                seen = _same_length(replacement, seen, "hook", "grad_input")
        self.grad_outputs = None
        return tuple(seen[i] for i in self.input_positions)

    def _outputs_ready(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        assert self.output_positions is not None
        seen = _spread(grads, self.output_positions, self.n_outputs)
        for hook in self.pre_hooks:
            replacement = hook(self.module, seen)
            if replacement is not None:
                seen = _same_length(replacement, seen, "pre hook", "grad_output")
        self.grad_outputs = seen
        if self.input_positions is None:
            self._run_without_inputs(seen)
        return tuple(seen[i] for i in self.output_positions)

    def _run_without_inputs(self, grad_outputs: tuple[Any, ...]) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs "
            "require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=6,
        )
        for hook in self.hooks:
            result = hook(self.module, (None,) * self.n_inputs, grad_outputs)
            if result is not None and not (isinstance(result, tuple) and all(grad is None for grad in result)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
        self.grad_outputs = None


def _relayed(values: tuple[Any, ...], callback: Callable[..., Any]) -> tuple[tuple[Any, ...], list[int] | None]:
    """`values` with the tensors behind a `_Relay`, and where they are; None if none needs a gradient."""
    import rushlight

    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not (rushlight.is_grad_enabled() and any(values[i].requires_grad for i in positions)):
        return values, None
    relayed = list(values)
    for i, tensor in zip(positions, _Relay.apply(callback, *(values[i] for i in positions)), strict=True):
        relayed[i] = tensor
    return (tuple(relayed) if type(values) is tuple else type(values)(*relayed)), positions


def _spread(grads: Iterable[Any], positions: list[int], length: int) -> tuple[Any, ...]:
    spread: list[Any] = [None] * length
    for i, grad in zip(positions, grads, strict=True):
        spread[i] = grad
    return tuple(spread)


def _same_length(replacement: Any, current: tuple[Any, ...], kind: str, what: str) -> Any:
    if len(replacement) != len(current):
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of {what}, got {len(replacement)}, but expected {len(current)}"
        )
    return replacement


def _attach_plain_backward_hooks(
    module: Module, hooks: list[Callable[..., Any]], args: tuple[Any, ...], result: Any
) -> None:
    """The older kind of backward hook sits on the node that made the first tensor of the result."""
    first = result
    while not isinstance(first, Tensor):
        first = next(v for v in first.values() if isinstance(v, Tensor)) if isinstance(first, dict) else first[0]
    if first.grad_fn is not None:
        for hook in hooks:
            first.grad_fn.register_hook(ModuleHook(hook, module))
        message = _plain_hook_shortcoming(args, result, first.grad_fn)
        if message:
            warnings.warn(message, FutureWarning, stacklevel=4)


def _plain_hook_shortcoming(args: Any, result: Any, node: Any) -> str | None:
    """What the older kind of backward hook will not see in this call, in PyTorch's words; None if it sees all."""
    results, inputs = _tensors_only(result), _tensors_only(args)
    if results is None:
        return _PLAIN_HOOK.format("return") + _DEPRECATED.format("some of the grad_output") + _USE_FULL
    if inputs is None:
        return _PLAIN_HOOK.format("take as input") + _DEPRECATED.format("some of the grad_input") + _USE_FULL
    nodes = {r.grad_fn for r in results if r.grad_fn is not None}
    if len(nodes) > 1:
        cause = _PLAIN_HOOK_ON.format("outputs are generated by different autograd Nodes")
        return cause + _DEPRECATED.format("some grad_output") + _USE_FULL
    if node not in nodes:
        cause = _PLAIN_HOOK_ON.format("outputs are nested in python data structure")
        return cause + _DEPRECATED.format("some grad_output")
    if {i.grad_fn for i in inputs if i.grad_fn is not None} != {n[0] for n in node.next_functions}:
        cause = _PLAIN_HOOK_ON.format("the forward contains multiple autograd Nodes")
        return cause + _DEPRECATED.format("some grad_input") + _USE_FULL
    return None


def _tensors_only(values: Any) -> tuple[Any, ...] | None:
    if isinstance(values, Tensor):
        return (values,)
    return values if isinstance(values, tuple) and all(isinstance(v, Tensor) for v in values) else None
