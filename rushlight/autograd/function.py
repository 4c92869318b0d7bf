"""`torch.autograd.Function`: operations whose derivative the user writes.

`apply` runs `forward` off the tape and puts one `PythonNode` on it; the node's face is the `ctx` that `forward` and
`backward` share, which is also what `grad_fn` shows, as in PyTorch.
"""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops.creation import full_like_spec
from rushlight.record.spec import Spec
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Leaf, Tensor, latest, next_sequence_number
from rushlight.tensor.properties import alias

from .derivative import SECOND_TIME, origin_now, overwritten_error
from .node import Function as NodeFace
from .tape import PythonNode, short_name


def _nothing() -> None:
    """Where a ctx's node is before there is one."""


class FunctionCtx(NodeFace):
    """What `forward` leaves for `backward`; any attribute may be set on it.

    The node holds its ctx; the ctx holds the node only where somebody has seen it as `grad_fn`, so that an ordinary
    step makes no cycle.
    """

    __slots__ = ("__dict__",)

    def __init__(self) -> None:
        self._node_now: Callable[[], Any] = _nothing
        self._kept: Sequence[Tensor | None] = ()
        self._saved: list[Any] = []
        self._dirty: tuple[Tensor, ...] = ()
        self._without: tuple[Tensor, ...] = ()
        self._materialize = True
        self.needs_input_grad: tuple[bool, ...] = ()

    @property
    def node(self) -> Any:  # type: ignore[override]
        """The node on the tape, if there is one (still)."""
        return self._node_now()

    def shown(self, node: Any) -> FunctionCtx:
        """Itself as the `grad_fn` of a tensor."""
        self._node_now = lambda: node
        return self

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs and outputs for `backward`, as `ctx.saved_tensors`."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
                )
        self._kept = tensors

    def save_for_forward(self, *tensors: Tensor) -> None:
        """Keeps tensors for forward-mode derivatives, which are not computed through Functions here."""

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says which inputs `forward` changed in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says which outputs have no derivative."""
        self._without = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for outputs that were not used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What `save_for_backward` kept."""
        if self.node is not None and self.node.saved is None:
            raise RuntimeError(SECOND_TIME)
        return tuple(_unpacked(entry, self.node) for entry in self._saved)

    @property
    def saved_variables(self) -> tuple[Tensor | None, ...]:
        """The old name of `saved_tensors`."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors


def _packed(t: Tensor | None, outputs: dict[int, int]) -> Any:
    """A saved tensor without its handle, so that a saved output makes no cycle."""
    if t is None:
        return None
    value = settle(t)
    return value, outputs.get(id(t)), t._node, t._out


def _unpacked(entry: Any, node: Any) -> Tensor | None:
    if entry is None:
        return None
    value, output, parent, out = entry
    value = latest(value)
    for v in (value, value.root):
        if v is not None and v.stale is not None:
            if output is not None:
                raise overwritten_error(value, v, short_name(node), output)
            raise overwritten_error(value, v, *origin_now(parent, value, v))
    t = value.handle()
    if output is not None and node is not None and node.differentiable[output]:
        t._node, t._out = node, output
    elif output is None:
        t._node, t._out = parent, out
    return t


class _FunctionNode(PythonNode):
    function: Any
    context: Any
    differentiable: list[bool]
    operand_specs: list[Spec | None]

    def input_specs(self) -> list[Spec | None]:
        """The Specs of the arguments that are tensors."""
        return self.operand_specs

    def derive(self, arrived: list[Any]) -> list[Any]:
        """What the user's `backward` makes of the arrived gradients."""
        return _derive(self.function, self.context, self, arrived)


class FunctionMeta(type):
    """Gives every Function its own ctx class, named as PyTorch names the node."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(name + "Backward", (FunctionCtx,), {"__slots__": ()})


class Function(metaclass=FunctionMeta):
    """Base class of operations with a derivative of one's own.

    Source: https://pytorch.org/docs/stable/autograd.html#function

    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x): return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g): return g * 2
    >>> Double.apply(torch.tensor([3.]))
    tensor([6.])
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future "
            "version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the result; `forward(ctx, *args)`, or `forward(*args)` beside `setup_context`."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keeps what `backward` needs, where `forward` takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Computes the gradient of each argument of `forward` from those of its outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward` and puts the operation on the tape."""
        args = _by_place(cls, args, kwargs) if kwargs else args
        me = recorder()
        ctx = cls._backward_cls()  # type: ignore[attr-defined]
        parents = [_parent(a, me.tracking) for a in args]
        tracked = any(p is not None for p in parents)
        ctx.needs_input_grad = tuple(p is not None for p in parents)
        tracking, me.tracking = me.tracking, False
        try:
            if cls.setup_context is Function.setup_context:
                found = cls.forward(ctx, *args)
            else:
                found = cls.forward(*args)
                cls.setup_context(ctx, args, found)
        finally:
            me.tracking = tracking
        return _on_the_tape(cls, ctx, args, parents, found) if tracked else found


def _by_place(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of `forward` by place. Raises TypeError for those that it does not have."""
    own = cls.setup_context is not Function.setup_context
    bound = inspect.signature(cls.forward).bind(*(() if own else (None,)), *args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise NotImplementedError(f"{cls.__name__}.forward takes {', '.join(bound.kwargs)} by name only")
    return bound.args if own else bound.args[1:]


def _parent(arg: Any, tracking: bool) -> Any:
    if not tracking or not isinstance(arg, Tensor):
        return None
    settle(arg)
    return arg._node


def _on_the_tape(cls: Any, ctx: FunctionCtx, args: tuple[Any, ...], parents: list[Any], found: Any) -> Any:
    single = not isinstance(found, tuple)
    outputs = [found] if single else list(found)
    given = {id(a): a for a in args if isinstance(a, Tensor)}
    dirty = {id(t) for t in ctx._dirty}
    without = {id(t) for t in ctx._without}
    _check_returned(dirty, outputs)
    for i, t in enumerate(outputs):
        if isinstance(t, Tensor) and id(t) in given and id(t) not in dirty:
            outputs[i] = alias(t)
    node = _node_of(cls, ctx, args, parents, outputs, without)
    places = {id(t): k for k, t in enumerate(found if not single else (found,)) if isinstance(t, Tensor)}
    for k, t in enumerate(outputs):
        if isinstance(t, Tensor) and node.differentiable[k]:
            if id(t) in dirty and isinstance(t._node, Leaf):
                raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
            if id(t) in dirty:
                _count_edit(t)
            t._node, t._out = node, k
            if t._storage is not None and id(t) not in dirty:
                t._base = None
                if any(a._storage is t._storage for a in given.values()):
                    t._piece_of = node.name
    before = {i: p for i, p in ((id(a), p) for a, p in zip(args, parents, strict=True)) if p is not None}
    ctx._saved = [_packed_as_input(t, before, places, node) for t in ctx._kept]
    ctx._kept = ()
    recorder().trace.regular = False
    return outputs[0] if single else tuple(outputs)


def _check_returned(dirty: set[int], outputs: list[Any]) -> None:
    if not dirty <= {id(t) for t in outputs}:
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
            "modified inplace must all be outputs of the Function."
        )


def _count_edit(t: Tensor) -> None:
    if t._storage is not None:
        t._storage.edits += 1
    else:
        t._edits += 1


def _packed_as_input(t: Tensor | None, before: dict[int, Any], places: dict[int, int], node: Any) -> Any:
    entry = _packed(t, {} if id(t) in before else places)
    if entry is None or id(t) not in before:
        return entry
    return entry[0], None, before[id(t)], 0 if t is None or t._node is node else t._out


def _node_of(
    cls: Any, ctx: FunctionCtx, args: Any, parents: list[Any], outputs: list[Any], without: set[int]
) -> _FunctionNode:
    outs = {i: a._out for i, a in enumerate(args) if isinstance(a, Tensor) and a._out} or None
    node = _FunctionNode()
    node.parents, node.outs, node.trace, node.saved = parents, outs, None, []
    node.seq = next_sequence_number()
    node.keeps = [a for a in args if isinstance(a, Tensor) and isinstance(a._node, Leaf)]
    node.name = cls._backward_cls.__name__
    node.context = ctx
    node.specs = tuple(settle(t).spec if isinstance(t, Tensor) else None for t in outputs)  # type: ignore[misc]
    node.operand_specs = [settle(a).spec if isinstance(a, Tensor) else None for a in args]
    node.differentiable = [
        s is not None and id(t) not in without and (s.dtype.is_floating_point or s.dtype.is_complex)
        for t, s in zip(outputs, node.specs, strict=True)
    ]
    node.function = cls
    ctx._node_now = weakref.ref(node)
    return node


def _derive(cls: Any, ctx: FunctionCtx, node: _FunctionNode, arrived: list[Any]) -> list[Any]:
    if ctx._materialize:
        arrived = [
            full_like_spec(s, 0) if g is None and s is not None else g for g, s in zip(arrived, node.specs, strict=True)
        ]
    rule = cls.vjp if cls.vjp is not Function.vjp else cls.backward
    found = rule(ctx, *arrived)
    grads = list(found) if isinstance(found, (tuple, list)) else [found]
    wanted = len(node.parents)
    if len(grads) > wanted and all(g is None for g in grads[wanted:]):
        grads = grads[:wanted]
    if len(grads) != wanted:
        raise RuntimeError(
            f"function {node.name} returned an incorrect number of gradients (expected {wanted}, got {len(grads)})"
        )
    for i, (g, parent) in enumerate(zip(grads, node.parents, strict=True)):
        if g is not None and not isinstance(g, Tensor) and parent is not None:
            raise RuntimeError(
                f"expected Variable or None (got {type(g).__name__}). It stands for argument {i} of {node.name}."
            )
    return grads


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a `backward` that is not itself differentiable: asking for its derivative is an error."""

    @functools.wraps(backward)
    def only_once(ctx: Any, *grads: Any) -> Any:
        me = recorder()
        tracking, me.tracking = me.tracking, False
        try:
            found = backward(ctx, *grads)
        finally:
            me.tracking = tracking
        if not tracking or not any(isinstance(g, Tensor) and g._node is not None for g in grads):
            return found
        outputs = found if isinstance(found, tuple) else (found,)
        refused = tuple(None if t is None else Refusal.apply(t.detach().requires_grad_()) for t in outputs)
        return refused if isinstance(found, tuple) else refused[0]

    return only_once


class Refusal(Function):
    """Passes a tensor on; its derivative is an error."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        return t

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


class InplaceFunction(Function):
    """The old base class of operations with an in-place form."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


NestedIOFunction = Function
