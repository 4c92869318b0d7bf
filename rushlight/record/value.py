"""The three things a recorded operation leaves behind: a Value, the user's Tensor handle on it, and a tape Node.

A `Value` never changes; a `Tensor` is moved to another Value by in-place operations.  Tensors that share memory in
PyTorch's sense (a base, its views, `detach`, `.data`) share a `Storage`, the cell that holds the current root Value
and a
version; a handle whose version is behind asks its Storage to `refresh` it.  A Tensor that nobody views has no Storage.
The public methods of Tensor are attached by the floor above (`rushlight.tensor`).
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from .own_attributes import OwnAttributes, TensorBase
from .spec import Spec

if TYPE_CHECKING:
    from .tensor_methods import TensorMethods  # a stub: what the floors above hang on Tensor
    from .trace import Trace
else:
    TensorMethods = TensorBase

next_sequence_number = itertools.count().__next__


class Value:
    """One node of the recorded program in SSA form; `buf` is its array once it is computed."""

    spec: Spec
    buf: Any = None  # np.ndarray, or the number itself where spec.wrapped
    trace: Trace | None = None  # the trace that `slot` counts in
    slot = -1
    root: Value | None = None  # the Value whose memory this one looks into
    exposure: Exposure | None = None  # NumPy code outside can reach the memory
    stale: tuple[Any, int, Any] | None = (
        None  # (whose memory, version it held, who wrote: weakly, None for its owner) once it was overwritten in place
    )
    replaced: Value | None = None  # what `.data` wrote over it, behind the tape's back
    home: np.ndarray | None = None  # where the numbers must end up: the buffer that this Value updates
    failed: BaseException | None = None  # why it could not be computed
    inference = False  # made in inference mode: no derivative may depend on it

    def handle(self) -> Tensor:
        """A fresh handle on the Value, outside the tape."""
        return tensor_of(self)

    def __repr__(self) -> str:
        state = "realised" if self.buf is not None else f"pending in slot {self.slot}"
        return f"<Value {self.spec} {state}>"


class Exposure:
    """Who outside Rushlight can reach a piece of memory: exported arrays, or the array it came from."""

    __slots__ = ("owner", "watchers")

    def __init__(self, owner: Any = None) -> None:
        self.owner = owner
        self.watchers: list[weakref.ref[Any]] = []

    def alive(self, look: Any = None) -> bool:
        """Whether code outside may still read or write the memory; `look` is another array of ours on it."""
        if self.owner is not None and not self._is_ours(look):
            return True
        self.watchers = [w for w in self.watchers if w() is not None]
        return bool(self.watchers)

    def _is_ours(self, look: Any) -> bool:
        """Whether nobody has the array any more that the memory came from, as after `from_numpy(rows.astype(...))`.

        Every array on an array's own memory holds that array, and so does every other object that looks into it.
        """
        owner = self.owner
        return (
            owner.__class__ is np.ndarray
            and owner.flags.owndata
            and getrefcount(owner) == ALONE + (look is not None and look.base is owner)
            and not weakref.getweakrefcount(owner)
        )


def exposed(value: Value, look: Any = None) -> bool:
    """Whether code outside can reach a Value's memory; once it cannot, nobody asks again.

    `look` is an array of a view of the Value, where there is one.
    """
    if value.exposure is None or value.exposure.alive(look):
        return value.exposure is not None
    value.exposure = None
    return False


def _alone() -> int:
    """How many references `Exposure._is_ours` counts of an array that only an Exposure and a Value's view have."""
    exposure = Exposure(np.empty(1))
    view = exposure.owner.view()
    owner = exposure.owner
    return getrefcount(owner) if view.base is owner else 0


ALONE = _alone()


class Storage:
    """The memory that a base and its views share: the current root Value and how often it was replaced."""

    __slots__ = ("__weakref__", "edits", "value", "version")

    def __init__(self, value: Value, edits: int) -> None:
        self.value = value
        self.version = 0  # counts replacements of `value`: handles compare it
        self.edits = edits  # counts the edits that the tape must know of: `Tensor._version`


TENSORS: set[type] = set()  # Tensor and its subclasses: asking this is far cheaper than `isinstance`


class TensorMeta(type):
    """Prints Tensor classes under PyTorch's names."""

    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, body, **options)
        TENSORS.add(cls)

    def __repr__(cls) -> str:
        shown = {"Tensor": "torch.Tensor", "Parameter": "torch.nn.parameter.Parameter"}
        if cls.__module__.startswith("rushlight."):
            return f"<class '{shown.get(cls.__name__, cls.__module__ + '.' + cls.__qualname__)}'>"
        return super().__repr__()


class Tensor(TensorMethods, metaclass=TensorMeta):
    """An n-dimensional array with PyTorch's interface (https://pytorch.org/docs/stable/tensors.html)."""

    _value: Value
    _storage: Storage | None = None
    _seen = 0  # the Storage version that `_value` belongs to
    _view: tuple[tuple[int, ...], tuple[int, ...], int, Any] | None = None  # shape, strides, offset, dtype in the root
    _base: Tensor | None = None  # the tensor this is a differentiable view of
    _base_node: Any = None  # the base's node when this view's own was made
    _node: Node | Leaf | None = None
    _out = 0  # which output of `_node`
    _grad: Tensor | None = None
    _edits = 0
    _untracked = False  # made by `.data`: its in-place edits do not count for the tape
    _retains = False
    _names: Any = None
    _inference = False
    _no_grad_view = False  # a view that was made while the tape was off
    _piece_of: str | None = None  # the call that made this view among others: Split, Unbind

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The attributes that the program has set."""
        return OwnAttributes(self, RECORDERS)

    if TYPE_CHECKING:
        requires_grad: bool
        grad: Tensor | None
        data: Tensor

        def __getattr__(self, name: str) -> Any: ...

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Any: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...


#: The names of the recorder's attributes of a tensor.
RECORDERS = frozenset(name for name in {*vars(Tensor), *Tensor.__annotations__} if name.strip("_") == name[1:])
new_tensor: Callable[[type[Tensor]], Tensor] = object.__new__
new_value: Callable[[type[Value]], Value] = object.__new__


def tensor_of(value: Value) -> Tensor:
    """A fresh handle on a Value, outside the tape."""
    made = new_tensor(Tensor)
    made._value = value
    return made


def value_holding(array: Any, spec: Spec) -> Value:
    """A realised Value around an array (or around a number, for a wrapped Spec)."""
    made = Value()
    made.spec = spec
    made.buf = array
    return made


def tensor_holding(array: Any, spec: Spec) -> Tensor:
    """A fresh handle on a realised Value: `tensor_of(value_holding(array, spec))` in one go."""
    value = new_value(Value)
    value.spec = spec
    value.buf = array
    made = new_tensor(Tensor)
    made._value = value
    return made


def renew(tensors: Sequence[Tensor], news: Iterable[Value], assign: Callable[[Tensor, Tensor], object]) -> None:
    """Gives tensors new numbers, off the tape: what `assign` (`memory.assign`) does, done here where that is simple.

    So it is unless a tensor is a view, NumPy code looks into it, or the new numbers are more than a pending result.
    """
    for t, new in zip(tensors, news, strict=True):
        old, storage = t._value, t._storage
        buf = old.buf
        if (
            (buf is None or old.exposure is not None or new.spec is not old.spec)
            or (new.buf is not None or new.home is not None or new.root is not None)
            or (storage is not None
                and (storage.value is not old or t._view is not None or t._base is not None or t._untracked))
        ):  # fmt: skip
            del old, buf  # the buffer is written to again only if nobody else refers to it
            assign(t, tensor_of(new))
            continue
        if storage is None:
            if old.stale is None:
                old.stale = t, t._edits, None
            t._edits += 1
        else:
            if old.stale is None:
                old.stale = storage, storage.edits, None
            storage.edits += 1
            storage.value = new
            storage.version = t._seen = storage.version + 1
        new.home = buf
        t._value = new


def latest(value: Value) -> Value:
    """What stands in a saved Value's place after `.data` was written to or exchanged; two tensors may have swapped."""
    start, steps = value, 0
    while value.replaced is not None and value.replaced is not start and steps < 1000:
        value = value.replaced
        steps += 1
    return value


UNFETCHED: Any = ()  # what a node has saved is still in its trace


class Leaf:
    """The end of the tape at a tensor that requires grad: where `.grad` accumulates."""

    __slots__ = ("__weakref__", "_tensor", "face", "hooks", "metadata", "post_hooks", "pre_hooks", "slot", "trace")

    seq = 1 << 62  # PyTorch runs AccumulateGrad as soon as it is ready
    kept = None  # as of a Node: nothing is saved here

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = weakref.ref(tensor)
        self.trace: Trace | None = None
        self.slot = -1
        self.hooks: Any = None  # on the tensor: before accumulation
        self.post_hooks: Any = None
        self.pre_hooks: Any = None
        self.metadata: dict[Any, Any] | None = None
        self.face: Any = None  # weak reference to what `grad_fn` shows of it

    @property
    def tensor(self) -> Tensor | None:
        """The tensor, unless the program has dropped it."""
        return self._tensor()


class Node:
    """One recorded differentiable operation: what `grad_fn` shows.

    `parents[i]` is the node of operand i, `outs[i]` which of its outputs it was; `saved` holds Values by the
    positions in `step.saves`, and is None once a backward pass has freed them.  Most nodes are freed before anybody
    looks at them, so what they save stays in the trace (`UNFETCHED`) until somebody does, or the trace is flushed.
    The recorder makes nodes (`trace.new_node`).
    """

    step: Any = None
    parents: list[Any]
    outs: dict[int, int] | None = None
    trace: Trace | None  # the last one that met it
    origin: Trace | None = None  # where it was recorded, once another trace has met it
    slot = -1
    seq = 0
    kept: Any = UNFETCHED  # what it saved: a tuple until `saved` is read, then a list; None when freed
    keeps: list[Any] | None = None  # the leaf tensors among the operands, which live as long as the graph does
    cloned = False  # operand 0 was overwritten by this very operation
    hooks: Any = None  # of the tensors it made, by output
    pre_hooks: Any = None
    post_hooks: Any = None
    retained: Any = None  # weak references to the tensors that keep their gradient, by output
    metadata: Any = None
    forward_stack: Any = None  # where it was recorded, while anomalies are looked for
    face: Any = None  # weak reference to what `grad_fn` shows of it

    @property
    def saved(self) -> Any:
        """The saved Values by position in `step.saves`, or None once they are freed."""
        if self.kept.__class__ is tuple:
            self.kept = saved_by(self)
        return self.kept

    @saved.setter
    def saved(self, values: Any) -> None:
        self.kept = values


def saved_by(node: Node) -> list[Any]:
    """The Values that a node has saved (record.trace puts its own function here)."""
    raise NotImplementedError(f"record.trace is not loaded; {node} has saved nothing")
