"""torch.autograd.graph: what the tape saves, and looking at it.

`saved_tensors_hooks(pack, unpack)`: every tensor that a node of the tape saves inside the context is handed to `pack`,
and what `pack` gives is kept instead; `unpack` gives the tensor back when the backward pass wants it. The node's list
of saved Values is replaced with a `Packed`, which does this.

Source: https://pytorch.org/docs/stable/autograd.html#hooks-for-saved-tensors
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rushlight.core.missing import missing
from rushlight.record import trace as tracing
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Node as TapeNode
from rushlight.record.value import Tensor, Value, tensor_of

from .derivative import SECOND_TIME
from .gradient import Walk, running_pass
from .node import Function as Node
from .node import RemovableHandle, function_of, register_tensor_hook
from .tape import attend

Pack = Callable[[Tensor], Any]
Unpack = Callable[[Any], Tensor]

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class _Hooks(threading.local):
    """The hooks of this thread, the innermost last, and why there must be none."""

    def __init__(self) -> None:
        self.stack: list[tuple[Pack, Unpack]] = []
        self.disabled: str | None = None


_hooks = _Hooks()


class Packed:
    """What a node has saved, each number packed until it is asked for: a Value, or what to unpack and how."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[Value | tuple[Any, Unpack]]) -> None:
        self.entries = list(entries)

    def __getitem__(self, i: int) -> Value:
        entry = self.entries[i]
        if isinstance(entry, Value):
            return entry
        packed, unpack = entry
        found = unpack(packed)
        if not isinstance(found, Tensor):
            raise TypeError("Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                            f"{type(found).__name__}")  # fmt: skip
        return settle(found)

    def __len__(self) -> int:
        return len(self.entries)


def _packed(v: Value, pack: Pack, unpack: Unpack) -> tuple[Any, Unpack]:
    shown = tensor_of(v)
    with recorder_off():
        found = pack(shown)
    if shown._version:
        raise RuntimeError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook can not "
            "be modified by in-place operations as this can lead to unexpected side-effects. Clone the tensor first."
        )
    return found, unpack


def _pack(before: Any, node: TapeNode) -> None:
    """Called for each new node, once it has saved what it needs."""
    if before is not None:
        before(node)
    if _hooks.stack and node.saved:
        trace, values, node.saved = node.trace, node.saved, None
        hooks = _hooks.stack[-1]
        node.saved = Packed([v if v.spec.wrapped else _packed(v, *hooks) for v in values])  # type: ignore[assignment]
        if trace is not None:
            trace.regular = False  # a backward pass over it cannot be memoised


class saved_tensors_hooks:
    """Inside the context, `pack_hook` is given every tensor that the tape saves, and its result kept instead.

    `unpack_hook` gets that result when the backward pass needs the tensor, and must give a tensor of the same numbers.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), torch.tensor):
    ...     y = x.exp()
    >>> y.sum().backward(); x.grad
    tensor([2.7183, 2.7183])
    """

    def __init__(self, pack_hook: Pack, unpack_hook: Unpack) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if _hooks.disabled is not None:
            raise RuntimeError(_hooks.disabled)
        _hooks.stack.append((self.pack_hook, self.unpack_hook))
        self.before = tracing.new_node_hook
        tracing.new_node_hook = functools.partial(_pack, self.before)

    def __exit__(self, *_: object) -> None:
        _hooks.stack.pop()
        tracing.new_node_hook = self.before


class save_on_cpu(saved_tensors_hooks):
    """Keeps what the tape saves in main memory: where it is anyway, so this only packs and unpacks."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: t, lambda t: t)


class SavedTensor:
    """What a node has saved under a name, `grad_fn._raw_saved_self`, as something to put hooks on."""

    def __init__(self, node: TapeNode, place: int) -> None:
        self._node, self._place = node, place

    def register_hooks(self, pack_hook: Pack, unpack_hook: Unpack) -> None:
        """Keeps what `pack_hook` makes of the tensor, of which `unpack_hook` makes it again.

        Raises RuntimeError where hooks have been set already, or a backward pass has freed what was saved.
        """
        saved, place = self._node.saved, self._place
        if saved is None:
            raise RuntimeError(SECOND_TIME)
        entries = list(saved.entries if isinstance(saved, Packed) else saved)
        if not isinstance(entries[place], Value):
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set is not allowed."
            )
        entries[place] = _packed(entries[place], pack_hook, unpack_hook)
        attend(self._node)
        self._node.saved = Packed(entries)


class disable_saved_tensors_hooks:
    """Makes setting hooks for saved tensors an error with this message inside the context."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        self.before = _hooks.disabled
        _hooks.disabled = self.error_message

    def __exit__(self, *_: object) -> None:
        _hooks.disabled = self.before


class allow_mutation_on_saved_tensors:
    """Inside the context, tensors that the tape has saved may be changed in place: it keeps their old numbers."""

    def __enter__(self) -> allow_mutation_on_saved_tensors:
        self.hooks = saved_tensors_hooks(lambda t: t.clone(), lambda t: t)
        self.hooks.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.hooks.__exit__()

    def clear(self) -> None:
        """Nothing is kept here: the nodes hold the copies."""


class GradientEdge(NamedTuple):
    """A place on the tape: a node, and which of its outputs."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place on the tape that the gradient of a tensor arrives at."""
    if isinstance(tensor, Node):
        return GradientEdge(tensor, 0)
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(function_of(tensor._node), tensor._out)


def increment_version(tensor: Any) -> None:
    """Tells the tape that a tensor was changed in a way it could not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        with recorder_off():
            t.mul_(1)


class recorder_off:
    """No tape inside the context."""

    def __enter__(self) -> None:
        self.before = recorder().tracking
        recorder().tracking = False

    def __exit__(self, *_: object) -> None:
        recorder().tracking = self.before


class _Handles:
    """Takes several hooks off together."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Takes the hooks off."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all") -> _Handles:
    """Calls `fn` once a backward pass has computed the gradients of the tensors.

    With mode "all" it gets the list of them, None for a tensor that the pass does not come to; with "any" the first one
    that is ready.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    found: weakref.WeakKeyDictionary[Walk, tuple[int, dict[int, Tensor]]] = weakref.WeakKeyDictionary()
    nodes = [t._node for t in tensors]

    def arrived(i: int, g: Tensor) -> None:
        walk = running_pass()
        if walk not in found:
            found[walk] = walk.how_many_of(nodes), {}
        awaited, ready = found[walk]
        ready[i] = g
        if mode == "any":
            if len(ready) == 1:
                fn(g)
        elif len(ready) == awaited:
            fn([ready.get(k) for k in range(len(nodes))])

    return _Handles([register_tensor_hook(t, functools.partial(arrived, i)) for i, t in enumerate(tensors)])


__getattr__ = missing(__name__)
