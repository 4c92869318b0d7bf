"""torch.utils.checkpoint: a stretch of the forward pass that saves nothing, and is run again in the backward pass.

`checkpoint` runs the function on the tape once, finds where the stretch is tied to the rest of the tape, and puts one
node in place of everything between. When a gradient arrives at that node, the function is run again under the same
random numbers, the new stretch of tape is walked, and what arrives at its ends is passed on.

Source: https://pytorch.org/docs/stable/checkpoint.html
"""

from __future__ import annotations

import contextlib
import enum
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rushlight.amp.autocast_mode import saved_state
from rushlight.autograd.derivative import SECOND_TIME
from rushlight.autograd.function import FunctionCtx
from rushlight.autograd.grad_mode import enable_grad, no_grad
from rushlight.autograd.gradient import Walk
from rushlight.autograd.tape import PythonNode, node_name, reachable
from rushlight.core.generator import default_generator
from rushlight.core.missing import missing
from rushlight.record.spec import Spec
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Leaf, Node, Tensor, next_sequence_number, tensor_of

from ._pytree import tree_flatten, tree_leaves, tree_unflatten

_PASS_IT = (
    "torch.utils.checkpoint{}: the use_reentrant parameter should be passed explicitly. {} use_reentrant=False is "
    "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to "
    "docs for more details on the differences between the two variants."
)

__all__ = [
    "CheckpointError", "CheckpointPolicy", "DefaultDeviceType", "SelectiveCheckpointContext", "check_backward_validity",
    "checkpoint", "checkpoint_sequential", "create_selective_checkpoint_contexts", "detach_variable",
    "get_device_states", "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop",
    "set_device_states",
]  # fmt: skip


class CheckpointError(RuntimeError):
    """The function did something else when it was run again."""


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing: for the first run and for the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class set_checkpoint_early_stop:
    """Accepted; the second run always runs to its end."""

    def __init__(self, enable: bool) -> None:
        self.enable = enable

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class set_checkpoint_debug_enabled(set_checkpoint_early_stop):
    """Accepted; there is nothing more to show."""


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, whose intermediate results are not kept but computed again for the backward pass.

    Args:
        use_reentrant: with True, as in PyTorch, gradients flow only if an argument requires one, and keyword arguments
            are refused. Both forms are computed in the same way.
        preserve_rng_state: (keyword, default True) the second run draws the same random numbers as the first.
        context_fn: gives two contexts, one for each run.
        determinism_check: "default" compares the shapes and dtypes of both runs' results; "none" does not.

    Raises:
        CheckpointError: in the backward pass, where the second run gave something else.

    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([0.5403, 0.5403])
    """
    if use_reentrant is None:
        later = "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an exception."
        warnings.warn(_PASS_IT.format("", later), UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    if use_reentrant:
        _check_reentrant(args, kwargs, context_fn)
    contexts = context_fn()
    if not recorder().tracking or (use_reentrant and not _any_requires_grad(args)):
        with no_grad() if use_reentrant else contexts[0]:
            return function(*args, **kwargs)
    again = Rerun(function, args, kwargs, contexts[1], preserve, determinism_check == "default")
    return again.first(contexts[0], "CheckpointFunctionBackward" if use_reentrant else None)


def _check_reentrant(args: Sequence[Any], kwargs: dict[str, Any], context_fn: Any) -> None:
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    check_backward_validity(args)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warns where no tensor among the inputs requires grad."""
    if not _any_requires_grad(inputs):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", UserWarning, stacklevel=4)


def _any_requires_grad(args: Iterable[Any]) -> bool:
    return any(isinstance(a, Tensor) and a.requires_grad for a in args)


class CheckpointNode(PythonNode):
    """Stands on the tape for a stretch that was not kept."""

    operand_specs: list[Spec | None]
    rerun: Rerun

    def derive(self, arrived: list[Any]) -> list[Any]:  # type: ignore[override]
        """The gradients of what the stretch was tied to."""
        return self.rerun.gradients(self, arrived)

    @property
    def context(self) -> Any:
        """What `grad_fn` shows."""
        return type(self.name, (FunctionCtx,), {"__slots__": ()})()

    def input_specs(self) -> list[Spec | None]:
        """The Specs of what the stretch was tied to, as far as they are known."""
        return self.operand_specs


class Rerun:
    """A call that can be made again: the function, its arguments, and the state it was made in."""

    def __init__(self, function: Any, args: Any, kwargs: Any, context: Any, preserve: bool, check: bool) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.context = context
        self.random = default_generator.get_state() if preserve else None
        self.check = check
        self.saved = 0
        self.casts = saved_state()

    def first(self, context: Any, name: str | None) -> Any:
        """The first run: its results, with one node for all that made them."""
        start = next_sequence_number()
        with context:
            found = self.function(*self.args, **self.kwargs)
        leaves, spec = tree_flatten(found)
        places = [i for i, t in enumerate(leaves) if _made_since(t, start)]
        if not places:
            return found
        roots = [leaves[i]._node for i in places]
        ends, self.saved = _ends(roots, start), _how_much_saved(roots, start)
        node = self._node(ends, [settle(leaves[i]).spec for i in places], name or node_name(leaves[places[0]]._node))
        for k, i in enumerate(places):
            fresh = tensor_of(settle(leaves[i]))
            fresh._node, fresh._out = node, k
            leaves[i] = fresh
        return tree_unflatten(leaves, spec)

    def _node(self, ends: list[tuple[Any, int]], specs: list[Spec], name: str) -> CheckpointNode:
        parents, outs = [n for n, _ in ends], {i: out for i, (_, out) in enumerate(ends) if out}
        node = CheckpointNode()
        node.parents, node.outs, node.trace, node.saved = parents, outs or None, None, []
        node.seq = next_sequence_number()
        node.keeps = [n.tensor for n in parents if isinstance(n, Leaf)]
        node.name = name
        node.specs = tuple(specs)
        node.operand_specs = [_spec_at(n, out) for n, out in ends]
        node.rerun = self
        recorder().trace.regular = False
        return node

    def gradients(self, node: CheckpointNode, arrived: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The second run, and what arrives at the ends of its stretch of tape."""
        if node.saved is None:
            raise RuntimeError(SECOND_TIME)
        create_graph = recorder().tracking
        start = next_sequence_number()
        results = [t for t in tree_leaves(self._again()) if _made_since(t, start)]
        self._compare(node, results, _how_much_saved([t._node for t in results], start))
        pairs = [(t, g) for t, g in zip(results, arrived, strict=False) if g is not None]
        walk = Walk([t for t, _ in pairs], [g for _, g in pairs], create_graph)
        walk.nodes = [n for n in walk.nodes if n.seq >= start]
        walk.run()
        outs = node.outs or {}
        return [_arrived(walk, parent, outs.get(i, 0)) for i, parent in enumerate(node.parents)]

    def _again(self) -> Any:
        before = default_generator.get_state() if self.random is not None else None
        if self.random is not None:
            default_generator.set_state(self.random)
        try:
            with enable_grad(), self.casts, self.context:
                return self.function(*self.args, **self.kwargs)
        finally:
            if before is not None:
                default_generator.set_state(before)

    def _compare(self, node: CheckpointNode, results: Sequence[Tensor], saved: int) -> None:
        if len(results) != len(node.specs):
            raise _another_number(len(node.specs), len(results))
        for i, (spec, t) in enumerate(zip(node.specs, results, strict=True)):
            new = settle(t).spec
            if self.check and (new.shape, new.dtype) != (spec.shape, spec.dtype):
                raise CheckpointError(
                    "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                    f"during the forward pass.\ntensor at position {i}:\n"
                    f"saved metadata: shape {list(spec.shape)}, {spec.dtype}\n"
                    f"recomputed metadata: shape {list(new.shape)}, {new.dtype}"
                )
        if self.check and saved < self.saved:
            raise _another_number(self.saved, saved)


def _another_number(before: int, now: int) -> CheckpointError:
    return CheckpointError(
        "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
        f"recomputation.\nNumber of tensors saved during forward: {before}\n"
        f"Number of tensors saved during recomputation: {now}"
    )


def _how_much_saved(roots: Iterable[Any], start: int) -> int:
    """How many tensors the nodes made since `start` have saved."""
    nodes = [n for n in reachable(list(roots))[0] if n.seq >= start]
    return sum([len(n.step.saves) for n in nodes if n.step is not None])


def _made_since(t: Any, start: int) -> bool:
    """Whether a result's place on the tape was made since then."""
    if not isinstance(t, Tensor):
        return False
    settle(t)
    return isinstance(t._node, Node) and t._node.seq >= start


def _ends(roots: Iterable[Any], start: int) -> list[tuple[Any, int]]:
    """Where the stretch of tape made since `start` is tied to leaves and to older nodes."""
    ends: dict[tuple[Any, int], None] = {}
    for node in reachable(list(roots))[0]:
        if node.seq < start:
            continue
        for i, parent in enumerate(node.parents):
            if parent is not None and (isinstance(parent, Leaf) or parent.seq < start):
                ends[parent, node.outs.get(i, 0) if node.outs else 0] = None
    return list(ends)


def _spec_at(node: Any, out: int) -> Spec | None:
    if isinstance(node, Leaf):
        return None if node.tensor is None else settle(node.tensor).spec
    return node.specs[out] if isinstance(node, PythonNode) else node.step.specs[out]


def _arrived(walk: Walk, parent: Any, out: int) -> Tensor | None:
    slots = None if isinstance(parent, Leaf) and parent.tensor is None else walk.pending.get(parent)
    return None if slots is None else slots[out]


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Runs modules one after another in `segments` stretches, all but the last of them checkpointed.

    `functions` is a `Sequential` or a list.
    """
    if use_reentrant is None:
        later = "In version 2.9 we will raise an exception if use_reentrant is not passed."
        warnings.warn(_PASS_IT.format(".checkpoint_sequential", later), UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(chain) // segments
    ends = [size * k for k in range(1, segments)]
    for start, end in zip([0, *ends], ends, strict=False):
        input = checkpoint(_run(chain[start:end]), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return _run(chain[ends[-1] if ends else 0 :])(input)


def _run(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def forward(x: Any) -> Any:
        for f in functions:
            x = f(x)
        return x

    return forward


# ---------------------------------------------------------------------------------------------------------------------
# For checkpoints that programs write themselves


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs with tensors taken off the tape, which require grad if they did."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The accelerators that the arguments are on and the states of their generators: none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Tensor], *, device_type: str | None = None) -> None:
    """Puts back what `get_device_states` gave: nothing."""
    if devices:
        raise RuntimeError(f"set_device_states: there are no devices {list(devices)}")


class DefaultDeviceType:
    """The type of device whose generator's state is kept where the arguments are on none: the CPU, unless set."""

    _default = "cpu"

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Sets it."""
        DefaultDeviceType._default = device

    @staticmethod
    def get_device_type() -> str:
        """What it is."""
        return DefaultDeviceType._default


# ---------------------------------------------------------------------------------------------------------------------
# Choosing what is kept


class CheckpointPolicy(enum.Enum):
    """What shall become of an operation's result."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy is told: whether this is the second run, and the operation's result."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute, self.op_output = is_recompute, op_output


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> Any:
    """Two contexts for `checkpoint(context_fn=...)`, in which a policy says which results are kept.

    A policy trades memory for time and changes no number. Here a checkpoint keeps nothing, and the policy, a function
    or a list of operations, is not asked.
    """
    if not (callable(policy_fn_or_list) or isinstance(policy_fn_or_list, list)):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    return noop_context_fn()


__getattr__ = missing(__name__)
