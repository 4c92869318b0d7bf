"""Tensors of another layout than strided: handles whose Value is made of dense tensors.

The recorder knows dense Values only.  A `SparseValue` has the shape and dtype of the whole, and holds the dense tensors
that it is made of: `where` (index tensors) and `values`, which carries the history for the tape.  `SparseTensor` is the
user's handle.  It is no member of `TENSORS`, so an operation that meets one as an operand leaves the fast path and asks
`dispatch` (`record.trace.other_layout`), which finds the operation's rule in the table of the layout; the rule
records what is to be done with the dense parts.  So dense programs pay nothing, and autograd, recording and compiling
need to know nothing of sparse tensors.  What no rule exists for raises NotImplementedError, and so does whatever asks
for the array of a SparseValue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

from rushlight.core.dtype import dtype as Dtype
from rushlight.core.layout import layout
from rushlight.ops.creation import cast
from rushlight.ops.public import check_cast
from rushlight.record.operation import Operation
from rushlight.record.own_attributes import every_attribute
from rushlight.record.spec import Spec
from rushlight.record.trace import recorder, settle
from rushlight.record.value import TENSORS, Leaf, Node, Tensor, Value, new_tensor
from rushlight.tensor.numpy_bridge import REQUIRES_GRAD
from rushlight.tensor.subclasses import disabled

Rule = Callable[[Operation, Sequence[Any], tuple[Any, ...]], Any]

#: What operations mean for tensors of layout sparse_coo, and for compressed ones, by the operation's name.
COO_RULES: dict[str, Rule] = {}
COMPRESSED_RULES: dict[str, Rule] = {}


def rule(*names: str, table: dict[str, Rule] = COO_RULES) -> Callable[[Rule], Rule]:
    """Makes a function the meaning of the operations called `names`."""

    def add(f: Rule) -> Rule:
        table.update(dict.fromkeys(names, f))
        return f

    return add


#: What PyTorch calls a layout in its messages and in the names of types.
BACKENDS = {"sparse_coo": "Sparse", "sparse_csr": "SparseCsr", "sparse_csc": "SparseCsc", "sparse_bsr": "SparseBsr",
            "sparse_bsc": "SparseBsc"}  # fmt: skip


def unsupported(name: str, kind: layout) -> NotImplementedError:
    """The error for an operation that has no meaning for a layout, here or in PyTorch."""
    backend = BACKENDS[kind.name] if kind.name == "sparse_coo" else "SparseCsr"
    return NotImplementedError(
        f"Could not run 'aten::{name}' with arguments from the '{backend}CPU' backend. Rushlight has no {name} of "
        f"tensors of layout {kind}; call to_dense() first"
    )


class SparseSpec(Spec):
    """Shape and dtype of a tensor that has no strides; made by `sparse_spec` only."""

    __slots__ = ("layout",)

    def __init__(self, shape: tuple[int, ...], dtype: Dtype, kind: layout) -> None:
        super().__init__(shape, dtype, (0,) * len(shape), False)
        self.layout = kind
        self.is_contiguous = False

    def __reduce__(self) -> tuple[object, ...]:
        return sparse_spec, (self.shape, self.dtype, self.layout)


_specs: dict[tuple[object, ...], SparseSpec] = {}


def sparse_spec(shape: tuple[int, ...], dtype: Dtype, kind: layout) -> SparseSpec:
    """The one SparseSpec with these properties."""
    found = _specs.get((shape, dtype, kind))
    if found is None:
        found = _specs[shape, dtype, kind] = SparseSpec(shape, dtype, kind)
    return found


class SparseValue(Value):
    """The parts of a sparse tensor at one time.

    Attributes:
        where: the index tensors (int64 or int32), computed or recorded.
        values: the elements, a dense tensor whose first dimension counts them (behind batch dimensions).
        coalesced: of layout sparse_coo, whether the positions are in order and differ.
        origin: the dense tensor on the tape that this is another form of: a product's derivative reaches all of it.
    """

    values: Tensor
    where: tuple[Tensor, ...]
    coalesced: bool
    origin: Tensor | None = None

    def __init__(
        self, kind: layout, shape: tuple[int, ...], where: tuple[Tensor, ...], values: Tensor, coalesced: bool = False
    ) -> None:
        self.spec = sparse_spec(shape, settle(values).spec.dtype, kind)
        self.where, self.values, self.coalesced = where, values, coalesced
        self.derived: dict[Any, Any] = {}  # what was worked out from `where`

    def handle(self) -> SparseTensor:
        """A new handle on the value."""
        made: Any = new_tensor(CLASSES[self.spec.layout.name])  # type: ignore[attr-defined]
        made._value = self
        return made  # type: ignore[no-any-return]

    def like(self, values: Tensor, coalesced: bool | None = None) -> SparseTensor:
        """Other elements at the same places."""
        known = self.coalesced if coalesced is None else coalesced
        made = SparseValue(self.spec.layout, self.spec.shape, self.where, values, known)  # type: ignore[attr-defined]
        made.derived = self.derived
        return made.handle()


class SparseTensor(Tensor):
    """The handle on a SparseValue; its history is that of the values."""

    __torch_function__ = disabled

    _value: SparseValue
    rules: ClassVar[dict[str, Rule]]

    # -- the tape

    def _history(self) -> Any:
        return self._value.values._node

    def _set_history(self, node: Any) -> None:
        if node is not self._value.values._node:
            raise NotImplementedError("a function of one's own (autograd.Function) cannot return a sparse tensor")

    _node = property(_history, _set_history)  # type: ignore[assignment]

    def _output(self) -> int:
        return self._value.values._out

    def _set_output(self, out: int) -> None:
        if out != self._value.values._out:
            raise NotImplementedError("a function of one's own (autograd.Function) cannot return a sparse tensor")

    _out = property(_output, _set_output)  # type: ignore[assignment]

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are to be computed for the tensor."""
        return bool(self._value.values.requires_grad)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        values = self._value.values
        if wanted != values.requires_grad:
            if wanted and not isinstance(values._node, Node):
                values = values.detach()  # the tensor given as values is no leaf because of this one
            values.requires_grad_(wanted)
            self._value = self._value.like(values)._value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` and returns the tensor."""
        if requires_grad and not (self.is_floating_point() or self.is_complex()):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self.requires_grad = requires_grad
        return self

    def _accumulated(self) -> Tensor | None:
        found = self._value.values._grad
        return None if found is None else self.as_gradient(found)

    def _set_accumulated(self, g: Any) -> None:
        if g is not None:
            raise NotImplementedError("the .grad of a sparse tensor can only be set to None")
        self._value.values._grad = None

    def _delete_accumulated(self) -> None:
        self._value.values._grad = None

    _grad = grad = property(_accumulated, _set_accumulated, _delete_accumulated)  # type: ignore[assignment]

    def as_gradient(self, g: Tensor) -> Tensor:
        """The gradient of the tensor, given that of its values."""
        return self._value.like(g)

    def detach(self) -> Tensor:
        """The same numbers, off the tape."""
        return self._value.like(self._value.values.detach())

    def detach_(self) -> Tensor:
        """Takes the tensor itself off the tape."""
        self._value = self._value.like(self._value.values.detach())._value
        return self

    @property
    def data(self) -> Tensor:
        """The same numbers, off the tape."""
        return self.detach()

    @data.setter
    def data(self, new: Tensor) -> None:
        self.become(new.detach())

    def become(self, other: Tensor) -> Tensor:
        """Ends an in-place operation: the handle takes the value of another sparse tensor."""
        if not isinstance(other, SparseTensor) or other.layout is not self.layout:
            raise NotImplementedError(f"a tensor of layout {self.layout} cannot become one of layout {other.layout}")
        if isinstance(self._node, Leaf) and recorder().tracking:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        if other.dtype is not self.dtype:
            check_cast(other.dtype, self.dtype)
            other = other.to(self.dtype)
        self._value = other._value  # type: ignore[assignment]
        return self

    # -- what it is

    @property
    def layout(self) -> Any:
        """How the elements are kept."""
        return self._value.spec.layout  # type: ignore[attr-defined]

    def sparse_dim(self) -> int:
        """How many dimensions are addressed by indices."""
        raise NotImplementedError

    def dense_dim(self) -> int:
        """How many dimensions each stored element has of its own."""
        return self.dim() - self.sparse_dim()

    def stride(self, dim: int | None = None) -> Any:  # type: ignore[override]
        """Zeros: there are no strides."""
        return (0,) * self.dim() if dim is None else 0

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """False."""
        return False

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:  # noqa: A003 - PyTorch's name
        """The name of the tensor's type, or the tensor in another dtype."""
        if dtype is not None:
            return self.to(getattr(dtype, "dtype", dtype))
        if self.layout.name != "sparse_coo":
            raise RuntimeError(f"Unimplemented backend {BACKENDS[self.layout.name]}CPU")
        return f"torch.sparse.{self.dtype.scalar_name}Tensor"

    def to(self, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
        """The tensor in another dtype; the tensor itself where nothing changes."""
        model = self._value.values.detach()[:0]
        found = model.to(*args, **kwargs).dtype
        if found is self.dtype:
            return self.clone() if copy else self
        return cast(self, found)

    def contiguous(self, memory_format: Any = None) -> NoReturn:
        """Raises PyTorch's error."""
        raise RuntimeError("unsupported memory format option Contiguous")

    # -- numbers

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.numel() != 1:
            raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
        return self.to_dense().item()

    def __bool__(self) -> bool:
        if self.numel() == 1:
            return bool(self.item())
        what = "no values" if not self.numel() else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")

    def numpy(self, *, force: bool = False) -> NoReturn:
        """Raises PyTorch's error: there is no array."""
        if self.requires_grad and not force:
            raise RuntimeError(REQUIRES_GRAD)
        raise TypeError(
            f"can't convert {BACKENDS[self.layout.name]} layout tensor to numpy. Use Tensor.to_dense() first."
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        self.numpy()

    def data_ptr(self) -> NoReturn:
        """Raises PyTorch's error: the numbers are in several places."""
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")

    tolist = data_ptr

    def storage(self) -> NoReturn:
        """Raises PyTorch's error: the numbers are in several places."""
        raise NotImplementedError(f"Cannot access storage of {BACKENDS[self.layout.name]}TensorImpl")

    untyped_storage = storage

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError("Cannot assign to a sparse tensor")

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from .display import shown

        return ("Parameter containing:\n" if getattr(self, "_is_param", False) else "") + shown(self)

    def _refuse_like(self, *_: Any, **__: Any) -> NoReturn:
        raise unsupported("fill_", self.layout)

    new_ones = new_full = bernoulli = _refuse_like

    # -- copies

    def __copy__(self) -> Tensor:
        other = self._value.handle()
        every_attribute(other).update({k: v for k, v in every_attribute(self).items() if k != "_value"})
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            if isinstance(self._node, Node):
                raise RuntimeError(
                    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                    "moment."
                )
            other = self.detach().clone().requires_grad_(self.requires_grad)
            every_attribute(other).update({k: v for k, v in every_attribute(self).items() if k != "_value"})
            memo[id(self)] = other
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        if isinstance(self._node, Node):
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) can be pickled; call detach() first"
            )
        from .construct import rebuilt

        return rebuilt, (self.layout, self.saved_parts())

    def saved_parts(self) -> tuple[Any, ...]:
        """What PyTorch's files hold of the tensor beside its layout."""
        raise NotImplementedError


#: The class of each layout.
CLASSES: dict[str, type[SparseTensor]] = {}


def handle_class(*names: str) -> Callable[[type[SparseTensor]], type[SparseTensor]]:
    """Makes a class the handle of the layouts called `names`: an unknown operand to the recorder."""

    def add(cls: type[SparseTensor]) -> type[SparseTensor]:
        TENSORS.discard(cls)
        CLASSES.update(dict.fromkeys(names, cls))
        cls.__name__ = "Tensor"  # PyTorch's users know the layout by the attribute, not by the class
        return cls

    return add


TENSORS.discard(SparseTensor)


def dispatch(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """What an operation means where an operand is sparse."""
    found = next(t for t in operands if isinstance(t, SparseTensor))
    if found.layout.name == "sparse_coo":  # among tensors of several layouts a compressed one decides
        found = next((t for t in operands if isinstance(t, SparseTensor) and t.layout.name != "sparse_coo"), found)
    meaning = found.rules.get(op.name)
    if meaning is None:
        raise unsupported(op.name, found.layout)
    return meaning(op, operands, attrs)


SparseTensor.dispatch = staticmethod(dispatch)  # type: ignore[attr-defined]
