"""What an operation computes, found by running its NumPy kernel on symbols.

A `Symbol` stands for an array: NumPy's functions called with one build an expression instead of computing.  Whatever
the kernel does that is not element-wise arithmetic or a reduction raises `NotLowered`, and the operation stays a NumPy
step of the program.  So the kernel is the only definition there is: dtypes follow NumPy's own promotion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

KINDS = {"float32", "float64", "int64", "int32", "bool"}
LARGEST_PRODUCT = 1 << 19  # multiplications: beyond them NumPy's BLAS is called
REDUCTIONS = {"add", "maximum", "minimum", "multiply"}
FLOAT32_ONLY = {"exp", "log", "log1p", "tanh"}  # functions whose vector code is written for float32 alone
ARITHMETIC = {
    "add", "subtract", "multiply", "true_divide", "divide", "negative", "absolute", "sqrt", "square", "reciprocal",
    "maximum", "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_not",
    "logical_and", "logical_or", "positive", "isnan",
}  # fmt: skip
COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}


class NotLowered(Exception):
    """The compiler has no form for this; the NumPy kernel runs instead."""


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """One array of the program being compiled: an input, a constant, or a function of other arrays.

    Attributes:
        kind: "input", "number", "constant", "cast", "where", "view", "broadcast", "reduce", "matmul", or the name of a
            NumPy ufunc.
        args: the Symbols it is made of.
        data: the slot of an input, the value of a constant, the axes and ufunc of a reduction; of a view the Spec of
            its source and its strides, or None for a transposed matrix.
    """

    __slots__ = ("args", "data", "dtype", "kind", "shape")
    __array_priority__ = 1e6

    def __init__(self, kind: str, args: tuple[Symbol, ...], shape: tuple[int, ...], dtype: Any, data: Any = None):
        self.kind = kind
        self.args = args
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.data = data
        if self.dtype.name not in KINDS:
            raise NotLowered(f"dtype {self.dtype}")

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __bool__(self) -> bool:
        raise NotLowered("a kernel that branches on its numbers")

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise NotLowered("a kernel that wants the numbers themselves")

    def __iter__(self) -> Any:
        raise NotLowered("a kernel that goes through its rows")

    def __hash__(self) -> int:
        return id(self)

    @property
    def T(self) -> Symbol:  # noqa: N802
        """The matrix with its two dimensions exchanged."""
        if self.ndim != 2:
            raise NotLowered("T of something that is no matrix")
        return Symbol("view", (self,), self.shape[::-1], self.dtype, None)

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        """The numbers converted, as NumPy converts them."""
        return cast(self, np.dtype(dtype))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Symbol:
        if method == "reduce":
            return _reduced(ufunc.__name__, inputs[0], **keywords)
        if method != "__call__" or keywords or ufunc.nout != 1:
            raise NotLowered(f"numpy.{ufunc.__name__}.{method} with {sorted(keywords)}")
        if ufunc is np.matmul:
            return _product(*inputs)
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

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Symbol:
        """The sum over some axes."""
        return _reduced("add", self, axis=axis, dtype=dtype, keepdims=keepdims)


def constant(value: Any, dtype: Any) -> Symbol:
    """A number known when the program is compiled."""
    return Symbol("constant", (), (), dtype, value)


def cast(x: Symbol, to: np.dtype) -> Symbol:
    """`x` in another dtype."""
    return x if x.dtype == to else Symbol("cast", (x,), x.shape, to)


def _called(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Symbol:
    name = ufunc.__name__
    if name not in ARITHMETIC and name not in FLOAT32_ONLY:
        raise NotLowered(f"numpy.{name}")
    if any(isinstance(x, np.ndarray) and x.ndim for x in inputs):
        raise NotLowered("a kernel with an array of its own")
    kinds = [x.dtype if isinstance(x, (Symbol, np.generic, np.ndarray)) else type(x) for x in inputs]
    try:
        *wanted, result = ufunc.resolve_dtypes((*kinds, None))
    except TypeError as failure:
        raise NotLowered(str(failure)) from None
    args = tuple(_operand(x, to) for x, to in zip(inputs, wanted, strict=True))
    if name in FLOAT32_ONLY and result != np.float32:
        raise NotLowered(f"numpy.{name} in {result}")
    return Symbol(name, args, _broadcast(args), result)


def _operand(x: Any, to: np.dtype) -> Symbol:
    if isinstance(x, Symbol):
        return cast(x, to)
    return constant(np.asarray(x).astype(to).item(), to)


def _broadcast(args: tuple[Symbol, ...]) -> tuple[int, ...]:
    return tuple(np.broadcast_shapes(*[a.shape for a in args]))


def _product(x: Any, y: Any) -> Symbol:
    """A product of small matrices; BLAS is as good for the others."""
    if not (isinstance(x, Symbol) and isinstance(y, Symbol)) or x.ndim != 2 or y.ndim != 2:
        raise NotLowered("a product of other than two matrices")
    if x.dtype != np.float32 or y.dtype != np.float32:
        raise NotLowered(f"a product in {x.dtype}")
    (m, k), n = x.shape, y.shape[1]
    if m * n * k > LARGEST_PRODUCT or not m * n * k:
        raise NotLowered("a product of large matrices")
    return Symbol("matmul", (x, y), (m, n), x.dtype)


def _where(condition: Any, x: Any, y: Any) -> Symbol:
    kinds = [a.dtype if isinstance(a, (Symbol, np.generic)) else a for a in (x, y)]
    to = np.result_type(*[np.empty(0, k) if isinstance(k, np.dtype) else k for k in kinds])
    args = (_operand(condition, np.dtype(bool)), _operand(x, to), _operand(y, to))
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
    return broadcast(_operand(value, np.dtype(dtype)), tuple(shape))


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
