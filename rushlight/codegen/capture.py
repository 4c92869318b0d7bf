"""What an operation computes, found by running its NumPy kernel on symbols.

A `Symbol` stands for an array: NumPy's functions called with one build an expression instead of computing.  Whatever
the kernel does that is not element-wise arithmetic or a reduction raises `NotLowered`, and the operation stays a NumPy
step of the program.  So the kernel is the only definition there is: dtypes follow NumPy's own promotion.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.contraction import Piece, product_pieces
from rushlight.core.strided import infer_size, view_strides

from .processor import processor

KINDS = {"float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"}
HALF = 2  # bytes: numbers of half precision, alone among the kinds, are stored and moved; arithmetic is in float32
LARGEST_TABLE = 1 << 14  # bytes of an array in the code
MOVES = {"input", "constant", "table", "cast", "where", "view", "broadcast", "piece", "whole", "pick", "checked"}
REDUCTIONS = {"add", "maximum", "minimum", "multiply"}
FLOATING = {  # functions of floats with vector code of our own
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
    "arctan2", "sinh", "cosh", "arcsinh", "arccosh", "arctanh", "power", "copysign",
}  # fmt: skip
SPECIAL = {"erf": "erf", "erf_exactly": "erf"}  # such functions that NumPy lacks, by the name of the kernel's own one
ARITHMETIC = {
    "add", "subtract", "multiply", "true_divide", "divide", "negative", "absolute", "sqrt", "square", "reciprocal",
    "maximum", "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_not",
    "logical_and", "logical_or", "positive", "isnan", "floor", "ceil", "trunc", "rint", "bitwise_and", "bitwise_or",
    "bitwise_xor", "invert", "left_shift", "right_shift",
}  # fmt: skip
COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}


class NotLowered(Exception):
    """The compiler has no form for this; the NumPy kernel runs instead."""


@functools.cache
def name_of(dtype: np.dtype) -> str:
    """A dtype's name, which NumPy makes anew at every look."""
    return dtype.name


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """One array of the program being compiled: an input, a constant, or a function of other arrays.

    Attributes:
        kind: "input", "number", "constant", "cast", "where", "view", "broadcast", "reduce", "contract", or the name of
            a NumPy ufunc.
        args: the Symbols it is made of.
        data: the slot of an input, the value of a constant, the axes and ufunc of a reduction; of a view the Spec of
            its source and its strides, or None for a transposed matrix.
        written: whether the kernel has written into this array since: who reads it again would get the new numbers,
            which a Symbol has not, so that is refused.
    """

    __slots__ = ("args", "data", "dtype", "kind", "shape", "written")
    __array_priority__ = 1e6

    def __init__(self, kind: str, args: tuple[Symbol, ...], shape: tuple[int, ...], dtype: Any, data: Any = None):
        self.kind = kind
        self.args = args
        self.shape = shape
        self.dtype = dtype if isinstance(dtype, np.dtype) else np.dtype(dtype)
        self.data = data
        self.written = False
        for a in args:
            if a.kind == "complex":
                raise NotLowered(f"{kind} of complex numbers")
            if looked_at(a).written:
                raise NotLowered("a kernel that reads what it has written in place")
        if name_of(self.dtype) not in KINDS:
            raise NotLowered(f"dtype {self.dtype}")
        if kind not in MOVES and (HALF in (self.dtype.itemsize, *(a.dtype.itemsize for a in args))):
            raise NotLowered("arithmetic in half precision")

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise NotLowered("a kernel that branches on its numbers")

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise NotLowered("a kernel that wants the numbers themselves")

    def __iter__(self) -> Any:
        raise NotLowered("a kernel that goes through its rows")

    __hash__ = object.__hash__  # by identity: `==` is arithmetic

    @property
    def T(self) -> Symbol:  # noqa: N802
        """The matrix with its two dimensions exchanged."""
        if self.ndim != 2:
            raise NotLowered("T of something that is no matrix")
        return Symbol("view", (self,), self.shape[::-1], self.dtype, None)

    def reshape(self, *shape: Any) -> Symbol:
        """The same numbers in another shape."""
        old, wanted = self.shape, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        sizes = infer_size(wanted, self.size)
        if not old or sizes == old:
            return broadcast(self, sizes)
        return look(self, sizes, lambda strides, offset: (_restrided(old, strides, sizes), offset))

    def __getitem__(self, index: Any) -> Symbol:
        """A part of it, by whole numbers, slices, None and `...`."""
        steps = _steps(self.shape, index if isinstance(index, tuple) else (index,))
        shape = tuple(n for _, _, _, n in steps if n is not None)
        if shape == self.shape and all(d is not None and step == 1 for d, _, step, _ in steps):
            return self
        return look(self, shape, lambda strides, offset: _part(steps, strides, offset))

    def contract(self, other: Symbol, shape: tuple[int, ...], pieces: Sequence[Piece]) -> Symbol:
        """The affine contraction of two arrays: see `core/contraction.py`."""
        if not isinstance(other, Symbol) or self.dtype != other.dtype or self.dtype.kind != "f":
            raise NotLowered(f"a product of {self.dtype} and {getattr(other, 'dtype', type(other).__name__)}")
        if 0 in shape or 0 in self.shape:
            raise NotLowered("a product of nothing")
        return Symbol("contract", (self, other), shape, self.dtype, tuple(pieces))

    def scanned(self, *arguments: Any) -> Any:
        """A loop over the rows of sequences: see `core/scan.py`."""
        from .scan import captured

        return captured(*arguments)

    def take(self, index: Any, axis: int = 0, wraps: bool = True) -> Symbol:
        """The slices at positions along a dimension; a negative one counts from the end, or is wrong."""
        from .assembly import taken

        return taken(self, index, axis, wraps)

    def take_along(self, index: Any, axis: int) -> Symbol:
        """The elements at positions along a dimension, which are not negative."""
        from .assembly import taken_along

        return taken_along(self, index, axis, wraps=False)

    def at(self, indices: Any, dims: Any) -> Symbol:
        """`self[..., i, ...]` with arrays of positions in some dimensions."""
        from .assembly import indexed

        return indexed(self, indices, dims)

    def added_rows(self, index: Any, rows: int) -> Symbol:
        """So many rows of zeros, with every row of this array added at its position."""
        from .assembly import added_rows

        return added_rows(self, index, rows)

    def added_at(self, indices: Any, dims: Any, shape: tuple[int, ...]) -> Symbol:
        """Zeros with this array added at `[..., i, ...]`."""
        from .assembly import with_indexed

        return with_indexed(0, shape, self, indices, dims, "add")

    def with_at(self, value: Any, indices: Any, dims: Any, how: str) -> Symbol:
        """This array with `value` added ("add") or put ("set") at `[..., i, ...]`."""
        from .assembly import with_indexed

        return with_indexed(self, self.shape, value, indices, dims, how)

    def with_each(self, index: Any, value: Any, axis: int, how: str) -> Symbol:
        """This array with elements added or put at positions along a dimension, each its own."""
        from .assembly import with_each

        return with_each(self, self.shape, index, value, axis, how)

    def added_each(self, index: Any, axis: int, shape: tuple[int, ...]) -> Symbol:
        """Zeros with the elements of this array added at positions along a dimension, each its own."""
        from .assembly import with_each

        return with_each(0, shape, index, self, axis, "add")

    def put_each(self, index: Any, axis: int, shape: tuple[int, ...]) -> Symbol:
        """Zeros with the elements of this array at positions along a dimension, each its own."""
        from .assembly import with_each

        return with_each(0, shape, index, self, axis, "set")

    def with_slices(self, index: Any, value: Any, axis: int, how: str, wraps: bool = False) -> Symbol:
        """This array with slices added or put at positions along a dimension."""
        from .assembly import with_slices

        return with_slices(self, index, value, axis, how, wraps)

    def assembled(self, pieces: Any, shape: tuple[int, ...], layouts: Any, start: Any = None) -> Symbol:
        """Zeros with pieces in them, which lie apart, at the places `layouts(shape, strides, offset)`.

        A `start` that is a run-time number comes on top.
        """
        from .assembly import put

        return put(shape, 0, pieces, layouts, start)

    def placed(self, shape: tuple[int, ...], background: Any, index: Any) -> Symbol:
        """This array at `[index]` of an array of that shape, full of one number."""
        from .assembly import assembled

        steps = _steps(shape, index)
        where = lambda strides, offset: _part(steps, strides, offset)  # noqa: E731
        return assembled([(self, where)], shape, self.dtype, background)

    def with_part(self, new: Any, start: Symbol, layouts: Any, **attributes: Any) -> Symbol:
        """This array with `new` in a part of its memory, which begins at a run-time number."""
        from .assembly import put

        shape = attributes["shape"]
        if attributes["kind"] is not None and attributes["kind"].numpy != self.dtype:
            raise NotLowered("memory written as another dtype")
        new = broadcast(operand(new, self.dtype), shape)
        return put(self.shape, self, (new,), lambda *where: layouts(*where, **attributes), start)

    def drawn(self, filling: str, shape: tuple[int, ...], dtype: Any, *parameters: Any) -> Symbol:
        """Random numbers from the engine whose state this is, by one of the fillings of `mersenne.py`."""
        if self.kind != "input" or not processor().fuses:
            raise NotLowered("no machine code for random numbers here")
        given = tuple(operand(p, np.dtype(np.float64)) for p in parameters)
        return Symbol("draw", (self, *given), shape, dtype, filling)

    def counted(self, count: int) -> Symbol:
        """0, 1, ..., count - 1."""
        return Symbol("iota", (), (count,), np.int64, 0)

    def transpose(self, *axes: Any) -> Symbol:
        """The dimensions in another order."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes or tuple(range(self.ndim))[::-1]
        return look(
            self,
            tuple(self.shape[d] for d in order),
            lambda strides, offset: (tuple(strides[d] for d in order), offset),
        )

    def swapaxes(self, a: int, b: int) -> Symbol:
        """Two dimensions exchanged."""
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(*order)

    def copy(self, order: str = "C") -> Symbol:
        """The same numbers: a Symbol is never written to."""
        return self

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        """The numbers converted, as NumPy converts them."""
        return cast(self, np.dtype(dtype))

    def multiply_add(self, factor: Any, term: Symbol) -> Symbol:
        """self * factor + term, rounded once where the processor can."""
        args = self, operand(factor, self.dtype), term
        return Symbol("fma", args, _broadcast(args), self.dtype)

    def special(self, name: str) -> Symbol:
        """A function of floats that NumPy lacks."""
        if name not in SPECIAL or self.dtype.kind != "f":
            raise NotLowered(f"the special function {name} in {self.dtype}")
        return Symbol(SPECIAL[name], (self,), self.shape, self.dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Symbol:
        if method == "reduce":
            return _reduced(ufunc.__name__, inputs[0], **keywords)
        if method == "__call__" and list(keywords) == ["out"]:
            return _into(keywords["out"], getattr(ufunc, method)(*inputs))
        if method != "__call__" or keywords or ufunc.nout != 1:
            raise NotLowered(f"numpy.{ufunc.__name__}.{method} with {sorted(keywords)}")
        if ufunc is np.matmul:
            return product_of_arrays(*inputs)
        return _called(ufunc, inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, keywords: Any) -> Any:
        found = FUNCTIONS.get(function)
        if found is None:
            raise NotLowered(f"numpy.{getattr(function, '__name__', function)}")
        return found(*args, **keywords)

    def min(self, axis: Any = None, keepdims: bool = False) -> Symbol:
        """The smallest over some axes."""
        return _reduced("minimum", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Symbol:
        """The largest over some axes."""
        return _reduced("maximum", self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether any is true, over some axes."""
        return np.any(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether all are true, over some axes."""
        return np.all(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def squeeze(self, axis: Any = None) -> Symbol:
        """Without dimensions of size 1."""
        axes = range(self.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        gone = {a % self.ndim for a in axes} if self.ndim else set()
        return self.reshape(tuple(n for d, n in enumerate(self.shape) if n != 1 or d not in gone))

    @property
    def real(self) -> Symbol:
        """Itself: complex numbers are of another class, `Complex`."""
        return self

    def with_imaginary(self, other: Any) -> Symbol:
        """The complex numbers of which these are the real parts."""
        from .complex import Complex

        return Complex((self, operand(other, self.dtype)))

    def as_complex(self) -> Symbol:
        """Pairs (..., 2) as complex numbers."""
        from .complex import paired

        return paired(self)

    def provided(self, condition: Any) -> Symbol:
        """The same numbers, if a condition holds everywhere.

        Where it does not the run is interpreted, and the kernel says what is wrong.
        """
        wrong = np.where(condition, np.int32(0), np.int32(1)).max()
        guard = Symbol("guard", (cast(wrong, np.dtype(np.int64)),), (), np.int64)  # type: ignore[arg-type]
        return Symbol("checked", (self, guard), self.shape, self.dtype)

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Symbol:
        """The sum over some axes."""
        return _reduced("add", self, axis=axis, dtype=dtype, keepdims=keepdims)


def _into(out: tuple[Any, ...], result: Symbol) -> Symbol:
    """The result of arithmetic that writes into a Symbol (`y *= 2`): a new Symbol in the old one's place."""
    (old,) = out
    if not isinstance(old, Symbol) or result.shape != old.shape:
        raise NotLowered("a kernel that writes into an array of its own, or into part of one")
    if not np.can_cast(result.dtype, old.dtype, "same_kind"):
        raise NotLowered(f"{result.dtype} written into {old.dtype}")
    looked_at(old).written = True
    return cast(result, old.dtype)


def looked_at(x: Symbol) -> Symbol:
    """The Symbol whose memory x is, or is a view of."""
    while x.kind in ("view", "broadcast"):
        x = x.args[0]
    return x


def look(x: Symbol, shape: tuple[int, ...], where: Callable[..., Any]) -> Symbol:
    """A view of x; `where` says where it lies, (strides, offset), from where x does."""
    return Symbol("view", (x,), shape, x.dtype, where)


def _restrided(old: tuple[int, ...], strides: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    found = view_strides(old, strides, new)
    if found is None:
        raise ValueError("another shape of it is a copy")
    return found


Step = tuple[int | None, int, int, int | None]  # dimension of the source, start, step, size (None: the dimension goes)


def _steps(shape: tuple[int, ...], index: tuple[Any, ...]) -> list[Step]:
    """What an index does with each dimension, new ones among them."""
    named = sum(i is not None and i is not Ellipsis for i in index)
    rest = (slice(None),) * (len(shape) - named)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    steps: list[Step] = []
    d = 0
    for i in (*index[:at], *rest, *index[at + 1 :]):
        if i is None:
            steps.append((None, 0, 0, 1))
            continue
        if isinstance(i, slice):
            first, last, step = i.indices(shape[d])
            steps.append((d, first, step, len(range(first, last, step))))
        elif isinstance(i, (int, np.integer)) and -shape[d] <= i < shape[d]:
            steps.append((d, int(i) % shape[d], 0, None))
        else:
            raise NotLowered("an index that is no number or slice")
        d += 1
    return steps


def _part(steps: list[Step], strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
    offset += sum(start * strides[d] for d, start, _, _ in steps if d is not None)
    return tuple(0 if d is None else strides[d] * step for d, _, step, n in steps if n is not None), offset


def constant(value: Any, dtype: Any) -> Symbol:
    """A number known when the program is compiled."""
    return Symbol("constant", (), (), dtype, value)


def cast(x: Symbol, to: np.dtype) -> Symbol:
    """`x` in another dtype."""
    if "c" in (to.kind, x.dtype.kind):
        from .complex import converted

        return converted(x, to)
    if to.itemsize == HALF != x.dtype.itemsize and (to, x.dtype) != (np.float16, np.float64):
        x = x if x.dtype == np.float32 else Symbol("cast", (x,), x.shape, np.float32)  # as NumPy does
    return x if x.dtype == to else Symbol("cast", (x,), x.shape, to)


def _called(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Symbol:
    from .formulas import UFUNCS

    name = ufunc.__name__
    if name in UFUNCS:
        return UFUNCS[name](*inputs)  # type: ignore[no-any-return]
    if name not in ARITHMETIC and name not in FLOATING:
        raise NotLowered(f"numpy.{name}")
    kinds = [kind_of(x) for x in inputs]
    if not any(isinstance(k, np.dtype) for k in kinds):
        kinds = [x.dtype if isinstance(x, Symbol) else k for x, k in zip(inputs, kinds, strict=True)]
    *wanted, result = _promoted(ufunc, tuple(kinds))
    args = tuple(operand(x, to) for x, to in zip(inputs, wanted, strict=True))
    if name in FLOATING and result.kind != "f":
        raise NotLowered(f"numpy.{name} in {result}")
    return Symbol(name, args, _broadcast(args), result)


@functools.lru_cache(4096)
def _promoted(ufunc: np.ufunc, kinds: tuple[Any, ...]) -> tuple[np.dtype, ...]:
    """What NumPy casts operands of these kinds to, and the dtype of the result."""
    try:
        return ufunc.resolve_dtypes((*kinds, None))  # type: ignore[no-any-return]
    except TypeError as failure:
        raise NotLowered(str(failure)) from None


def kind_of(x: Any) -> Any:
    """What an operand is to NumPy's promotion: a dtype, or the type of one of Python's numbers, which is weaker."""
    if isinstance(x, Symbol) and x.kind == "number" and x.dtype.kind in "if":
        return int if x.dtype.kind == "i" else float
    return x.dtype if isinstance(x, (Symbol, np.generic, np.ndarray)) else type(x)


def table(values: np.ndarray) -> Symbol:
    """A small array that the kernel brings along: its numbers become part of the code."""
    if values.nbytes > LARGEST_TABLE or not values.size:
        raise NotLowered("a large array of the kernel's own")
    return Symbol("table", (), values.shape, values.dtype, np.ascontiguousarray(values))


def operand(x: Any, to: np.dtype) -> Symbol:
    """What a kernel computes with, in a dtype."""
    if isinstance(x, Symbol):
        return cast(x, to)
    if isinstance(x, np.ndarray) and x.ndim:
        return table(x.astype(to))
    return constant(np.asarray(x).astype(to).item(), to)


def _broadcast(args: tuple[Symbol, ...]) -> tuple[int, ...]:
    first = args[0].shape
    if all(a.shape == first for a in args):
        return first
    return tuple(np.broadcast_shapes(*[a.shape for a in args]))


def product_of_arrays(x: Any, y: Any) -> Symbol:
    """`numpy.matmul`."""
    if not (isinstance(x, Symbol) and isinstance(y, Symbol)) or not x.ndim or not y.ndim:
        raise NotLowered("a product of other than arrays")
    row, column = x.reshape(1, -1) if x.ndim == 1 else x, y.reshape(-1, 1) if y.ndim == 1 else y
    shape, pieces = product_pieces(row.shape, column.shape)
    made = row.contract(column, shape, pieces)
    if row is x and column is y:
        return made
    return made.reshape(*shape[:-2], *shape[-2 + (row is not x) : len(shape) - (column is not y)])


def _where(condition: Any, x: Any, y: Any) -> Symbol:
    kinds = [kind_of(a) for a in (x, y)]
    to = np.result_type(*[np.empty(0, k) if isinstance(k, np.dtype) else k(0) for k in kinds])
    args = (operand(condition, np.dtype(bool)), operand(x, to), operand(y, to))
    return Symbol("where", args, _broadcast(args), to)


def _reduced(
    name: str, x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, out: Any = None, **rest: Any
) -> Symbol:
    if name not in REDUCTIONS or not isinstance(x, Symbol) or out is not None or rest:
        raise NotLowered(f"the reduction numpy.{name} with {sorted(rest)}")
    to = np.dtype(dtype) if dtype is not None else x.dtype
    if name in ("add", "multiply") and dtype is None and x.dtype.kind == "b":
        to = np.dtype(np.int64)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, (int, np.integer)) else axis
    over = tuple(sorted(a % x.ndim for a in axes)) if x.ndim else ()
    if not x.size:
        raise NotLowered("a reduction of nothing")
    shape = tuple(1 if d in over else n for d, n in enumerate(x.shape) if keepdims or d not in over)
    if not over:
        return cast(x, to)
    return Symbol("reduce", (cast(x, to),), shape, to, (name, over))


def _full(shape: Any, value: Any, dtype: Any) -> Symbol:
    """`value`, a Symbol, in every place."""
    return broadcast(operand(value, np.dtype(dtype)), tuple(shape))


def broadcast(x: Symbol, shape: tuple[int, ...]) -> Symbol:
    """`x` stretched to a shape."""
    return x if x.shape == shape else Symbol("broadcast", (x,), shape, x.dtype)


def _mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, out: Any = None) -> Symbol:
    total = _reduced("add", x, axis=axis, dtype=dtype, keepdims=keepdims, out=out)
    if total.dtype.kind != "f":
        raise NotLowered("the mean of whole numbers")
    return total / total.dtype.type(x.size // max(total.size, 1))


def _reduction(name: str) -> Callable[..., Symbol]:
    return lambda x, axis=None, dtype=None, out=None, keepdims=False: _reduced(
        name, x, axis=axis, dtype=dtype, out=out, keepdims=keepdims
    )


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.iscomplexobj: lambda x: False,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.broadcast_to: lambda x, shape: broadcast(x, tuple(shape)),
    np.where: _where,
    np.mean: _mean,
    np.sum: _reduction("add"),
    np.max: _reduction("maximum"),
    np.min: _reduction("minimum"),
    np.amax: _reduction("maximum"),
    np.amin: _reduction("minimum"),
}
