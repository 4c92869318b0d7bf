"""What nested tensors are made of: `Ragged` says where each component lies, `NestedTensor` is the user's handle.

A nested tensor of layout jagged is one dense tensor of values, in which the components lie one after another along the
ragged dimension; one of layout strided is a list of dense components. The dense tensors carry the history, so autograd
and compiling need to know nothing of nested tensors. Functions find nested tensors as
`other_tensors.py` says, and do what the function of the same name in `nested/functions.py` does.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from rushlight.core.layout import jagged, strided
from rushlight.core.size import Size
from rushlight.ops.creation import wrap
from rushlight.ops.joining import cat, stack
from rushlight.other_tensors import find_by_functions
from rushlight.record.spec import Spec
from rushlight.record.trace import realize, settle
from rushlight.record.value import TENSORS, Node, Tensor, Value, new_tensor
from rushlight.tensor.subclasses import disabled
from rushlight.types import SymInt

Dense = Callable[..., Any]


class RaggedSize(SymInt):
    """The size of a ragged dimension: equal to itself only."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        self._name = f"j{next(self._numbers)}"

    def __repr__(self) -> str:
        return self._name

    def __int__(self) -> NoReturn:
        raise RuntimeError(f"{self}: the components of a nested tensor differ in this size; see offsets()")

    __index__ = __int__


class Ragged:
    """Where the components lie along the ragged dimension of a tensor of values.

    Attributes:
        offsets: int64, where each begins; one more than there are components.
        lengths: how long each is, where that is not as far as the next one; else None.
        starts, counts: the same as NumPy arrays.
    """

    _known: weakref.WeakValueDictionary[tuple[int, int], Ragged] = weakref.WeakValueDictionary()

    def __init__(self, offsets: Tensor, lengths: Tensor | None = None) -> None:
        self.offsets, self.lengths = offsets, lengths
        ends = np.asarray(realize(offsets))
        self.starts = ends[:-1]
        self.counts = np.diff(ends) if lengths is None else np.asarray(realize(lengths))
        self.size = RaggedSize()

    @classmethod
    def of(cls, offsets: Tensor, lengths: Tensor | None = None) -> Ragged:
        """The same object for the same tensors: nested tensors made of one `offsets` go together."""
        key = id(offsets), id(lengths)
        found = cls._known.get(key)
        if found is None:
            found = cls._known[key] = cls(offsets, lengths)
        return found

    @classmethod
    def of_counts(cls, counts: Sequence[int]) -> Ragged:
        """Components of these lengths, one after another."""
        return cls(wrap(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)))

    def owners(self) -> np.ndarray:
        """For each place of contiguous values, the component."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def places(self) -> np.ndarray:
        """Where the elements of the components lie in the values."""
        within = np.arange(self.counts.sum()) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        return np.repeat(self.starts, self.counts) + within

    def grid(self, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """(components, longest): where each element lies in the values, and whether there is one."""
        along = np.arange(longest)
        there = along < self.counts[:, None]
        return np.where(there, self.starts[:, None] + along, 0), there


class NestedSpec(Spec):
    """What functions ask of any tensor: dtype and number of dimensions. The shape has zeros where sizes differ."""

    __slots__ = ()


class NestedValue(Value):
    """The parts of a nested tensor: `parts` has the values alone (jagged), or the components (strided)."""

    def __init__(self, parts: tuple[Tensor, ...], ragged: Ragged | None, at: int, shape: tuple[Any, ...]) -> None:
        self.parts, self.ragged, self.at, self.shape = parts, ragged, at, shape
        kind = settle(parts[0]).spec.dtype
        plain = tuple(n if isinstance(n, int) else 0 for n in shape)
        self.spec = NestedSpec(plain, kind, (0,) * len(plain), False)


class NestedTensor(Tensor):
    """A batch of tensors whose sizes differ in the ragged dimension (jagged), or in any (strided)."""

    __torch_function__ = disabled

    _value: NestedValue

    # -- the tape: that of the parts

    @property
    def _node(self) -> Any:  # type: ignore[override]
        return self._value.parts[0]._node

    @property
    def requires_grad(self) -> bool:  # type: ignore[override]
        """Whether gradients are to be computed for the tensor."""
        return any(p.requires_grad for p in self._value.parts)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        for p in self._value.parts:
            p.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` and returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Any:  # type: ignore[override]
        """The gradient, a nested tensor of the same sizes; None before a backward pass."""
        found = [p.grad for p in self._value.parts]
        known = [g for g in found if g is not None]
        return self.like(*known) if len(known) == len(found) else None

    @grad.setter
    def grad(self, g: Any) -> None:
        for k, p in enumerate(self._value.parts):
            p.grad = None if g is None else g._value.parts[k]

    _grad = grad  # type: ignore[assignment]

    @property
    def is_leaf(self) -> bool:
        """Whether it is the end of the tape, or off it."""
        return not isinstance(self._node, Node)

    @property
    def grad_fn(self) -> Any:
        """The operation that made the values."""
        return self._value.parts[0].grad_fn

    # -- what it is

    is_nested = property(lambda self: True)  # type: ignore[assignment]

    @property
    def layout(self) -> Any:
        """torch.jagged or torch.strided."""
        return strided if self._value.ragged is None else jagged

    @property
    def shape(self) -> Size:
        """The sizes, with the ragged one as a symbol. Raises RuntimeError for layout strided, as PyTorch does."""
        if self._value.ragged is None:
            raise RuntimeError("Internal error: NestedTensorImpl doesn't support sizes. Please file an issue.")
        return Size.of(self._value.shape)

    def size(self, dim: int | None = None) -> Any:  # type: ignore[override]
        """The shape, or the size of one dimension."""
        if dim is None:
            return self.shape
        found = self._value.shape[dim]
        if self._value.ragged is None and not isinstance(found, int):
            raise RuntimeError(f"Given dimension {dim % self.dim()} is irregular and does not have a size.")
        return found

    def dim(self) -> int:
        """The number of dimensions, the batch's among them."""
        return len(self._value.shape)

    ndim = property(dim)
    ndimension = dim

    def __len__(self) -> int:
        return int(self._value.shape[0])

    def numel(self) -> int:
        """How many elements there are."""
        return sum(p.numel() for p in self.unbind())

    nelement = numel

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the components lie one after another, without holes."""
        v = self._value
        return all(p.is_contiguous() for p in v.parts) and (v.ragged is None or v.ragged.lengths is None)

    def values(self) -> Tensor:
        """The elements of all components: of layout jagged in their shape, otherwise in one dimension."""
        if self._value.ragged is None:
            return cat([p.reshape(-1) for p in self._value.parts])
        return self._value.parts[0]

    def offsets(self) -> Tensor:
        """Where each component begins, and where the last one ends."""
        return self._jagged("offsets").offsets

    def lengths(self) -> Tensor | None:
        """How long each component is; None where each goes on to the next."""
        return self._jagged("lengths").lengths

    def _jagged(self, name: str) -> Ragged:
        if self._value.ragged is None:
            raise RuntimeError(f"{name}(): only nested tensors of layout torch.jagged have them")
        return self._value.ragged

    _values = property(values)
    _offsets = property(offsets)
    _lengths = property(lengths)
    _ragged_idx = property(lambda self: self._value.at)
    _max_seqlen = property(lambda self: int(self._jagged("max_seqlen").counts.max(initial=0)))
    _min_seqlen = property(lambda self: int(self._jagged("min_seqlen").counts.min()))

    def unbind(self, dim: int = 0, *, axis: Any = None) -> tuple[Tensor, ...]:
        """The components."""
        dim = dim if axis is None else axis
        if dim not in (0, -self.dim()):
            raise RuntimeError(f"NestedTensor can only be unbound along dimension 0, got dimension {dim} instead.")
        v = self._value
        if v.ragged is None:
            return v.parts
        pairs = zip(v.ragged.starts.tolist(), v.ragged.counts.tolist(), strict=True)
        return tuple(v.parts[0].narrow(v.at - 1, start, count) for start, count in pairs)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.unbind())

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        v = self._value
        grad = f", grad_fn={self.grad_fn!r}" if self.grad_fn is not None else ""
        grad = grad or (", requires_grad=True" if self.requires_grad else "")
        if v.ragged is not None:
            size = f"({', '.join(map(str, v.shape))})"
            return f"NestedTensor(size={size}, offsets={v.ragged.offsets!r}{grad}, contiguous={self.is_contiguous()})"
        inner = ",\n".join("  " + repr(p).replace("\n", "\n  ") for p in v.parts)
        return f"nested_tensor([\n{inner}\n]{grad})"

    __str__ = __repr__
    __hash__ = Tensor.__hash__

    def tolist(self) -> list[Any]:
        """The components as nested lists; of layout strided only, as in PyTorch."""
        if self._value.ragged is not None:
            raise RuntimeError(".tolist() is not supported for tensor subclasses, got NestedTensor")
        return [p.tolist() for p in self._value.parts]

    def numpy(self, *, force: bool = False) -> NoReturn:
        """Raises PyTorch's error: there is no array."""
        raise RuntimeError(".numpy() is not supported for tensor subclasses.")

    def __deepcopy__(self, memo: dict[int, Any]) -> NestedTensor:
        if id(self) not in memo:
            memo[id(self)] = self.map(lambda p: p.detach().clone().requires_grad_(p.requires_grad))
        return memo[id(self)]  # type: ignore[no-any-return]

    # -- working on the parts

    def like(self, *parts: Tensor) -> NestedTensor:
        """Other values at the same places; the sizes behind the batch's and the ragged one may be others."""
        v = self._value
        if v.ragged is None:
            return of_parts(parts)
        return of_values(parts[0], v.ragged, v.at)

    def map(self, f: Dense) -> NestedTensor:
        """The function of the values, or of each component: for what treats no two places of the ragged dimension."""
        return self.like(*[f(p) for p in self._value.parts])

    def by_component(self, f: Dense) -> NestedTensor:
        """The function of each component, put together as the components were: their lengths stay."""
        if self._value.ragged is None:
            return self.map(f)
        return of_components([f(p) for p in self.unbind()], self._value.at, self._value.ragged)

    def inner_dim(self, dim: int) -> int:
        """A dimension's place in a component. Raises RuntimeError for the batch's."""
        n = self.dim()
        if not -n <= dim < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
        if dim % n == 0:
            raise RuntimeError("a nested tensor's batch dimension cannot be worked along; unbind() it")
        return dim % n - 1

    def is_ragged(self, inner: int) -> bool:
        """Whether the components are divided along this dimension of the values."""
        return self._value.ragged is not None and inner == self._value.at - 1

    def contiguous(self, memory_format: Any = None) -> NestedTensor:
        """The components one after another, without holes."""
        v = self._value
        if v.ragged is None or v.ragged.lengths is None:
            return self.map(lambda p: p.contiguous())
        return of_components(self.unbind(), v.at)


TENSORS.discard(NestedTensor)


# ---------------------------------------------------------------------------------------------------------------------
# Made of


def _handle(value: NestedValue) -> NestedTensor:
    from .functions import meaning

    find_by_functions(NestedTensor, meaning)
    made: Any = new_tensor(NestedTensor)
    made._value = value
    return made  # type: ignore[no-any-return]


def of_values(values: Tensor, ragged: Ragged, at: int) -> NestedTensor:
    """Of layout jagged: the components lie along dimension `at - 1` of the values."""
    sizes: tuple[Any, ...] = tuple(settle(values).spec.shape)
    return _handle(NestedValue((values,), ragged, at, (len(ragged.counts), *sizes[: at - 1], ragged.size, *sizes[at:])))


def of_parts(parts: Sequence[Tensor]) -> NestedTensor:
    """Of layout strided."""
    if len({p.dim() for p in parts}) > 1:
        raise RuntimeError("nested_tensor(): all components must have the same number of dimensions")
    sizes: list[Any] = [len(parts)]
    for found in zip(*[p.shape for p in parts], strict=True):
        sizes.append(found[0] if len(set(found)) == 1 else RaggedSize())
    return _handle(NestedValue(tuple(parts), None, 1, tuple(sizes)))


def of_components(parts: Sequence[Tensor], at: int, ragged: Ragged | None = None) -> NestedTensor:
    """Of layout jagged: components that differ in dimension `at - 1` only; with `ragged`, which may fit."""
    counts = [p.shape[at - 1] for p in parts]
    if ragged is None or ragged.lengths is not None or counts != ragged.counts.tolist():
        ragged = Ragged.of_counts(counts)
    return of_values(cat(list(parts), at - 1), ragged, at)


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """Components of equal sizes as one dense tensor."""
    return stack(list(parts))
