"""Complex arrays: to the compiler, their real and their imaginary parts.

A `Complex` stands for a complex array as other Symbols do for real ones, and answers NumPy's functions by building two
real expressions.  In memory its numbers are pairs, a real array with a last dimension of 2: of an operand the parts are
views of that memory, of a result they are pieces of it (`assembly.py`); loads and stores of every second element are
`interleave.py`'s.  No loop ever meets a complex number, so what is behind capture needs to know nothing of them.

What NumPy's ufuncs are in real arithmetic stands in `complex_functions.py`, products in `complex_products.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .assembly import assembled
from .capture import FUNCTIONS, NotLowered, Symbol, broadcast, cast, constant, kind_of, look, operand

if TYPE_CHECKING:
    from rushlight.record.spec import Spec

REALS: dict[str, np.dtype] = {"complex64": np.dtype(np.float32), "complex128": np.dtype(np.float64)}
COMPLEXES = {real: np.dtype(name) for name, real in REALS.items()}
READERS = "PyComplex_RealAsDouble", "PyComplex_ImagAsDouble"  # how a part is read from one of Python's numbers


class PartOfNumber(int):
    """The slot of a complex number, of which one part is meant."""

    part = 0

    @property
    def reader(self) -> str:
        """The function of Python that reads it."""
        return READERS[self.part]


class ImaginaryPart(PartOfNumber):
    """The slot of a complex number whose imaginary part is meant."""

    part = 1


class Complex(Symbol):
    """A complex array of the program being compiled.

    Attributes:
        weak: whether it is a Python number, which gives way to the arrays' precision.
        origin: of a view, what it looks at, and where it lies by where that does.
        across: whether it is an operand whose last dimension is not the innermost one in memory.
    """

    __slots__ = ("_pairs", "_parts", "across", "origin", "weak")

    def __init__(self, parts: tuple[Symbol, Symbol] | None, pairs: Symbol | None = None, weak: bool = False) -> None:
        known = pairs if parts is None else parts[0]
        assert known is not None
        if known.dtype not in COMPLEXES:
            raise NotLowered(f"complex numbers made of {known.dtype}")
        self.kind, self.args, self.data, self.written = "complex", (), None, False
        self.dtype, self.weak = COMPLEXES[known.dtype], weak
        if parts is not None and parts[0].shape != parts[1].shape:
            shape = tuple(np.broadcast_shapes(parts[0].shape, parts[1].shape))
            parts = broadcast(parts[0], shape), broadcast(parts[1], shape)
        self.shape = known.shape[:-1] if parts is None else parts[0].shape
        self._parts, self._pairs = parts, pairs
        self.origin: tuple[Complex, Any] | None = None
        self.across = False

    @property
    def parts(self) -> tuple[Symbol, Symbol]:
        """The real and the imaginary part."""
        if self._parts is None:
            assert self._pairs is not None
            self._parts = _parts_of(self._pairs)
        return self._parts

    @property
    def pairs(self) -> Symbol:
        """The numbers as they are in memory: (..., 2)."""
        if self._pairs is None:
            self._pairs = _one_number(self.parts, self.shape)
        if self._pairs is None:
            self._pairs = self._put_together()
        return self._pairs

    def in_order(self) -> Symbol:
        """Pairs to compute with: those that lie across are copied, or every loop over them would be of two turns."""
        return self._put_together() if self.across else self.pairs

    def _put_together(self) -> Symbol:
        pieces = [(part, _every_second(k)) for k, part in enumerate(self.parts)]
        return assembled(pieces, (*self.shape, 2), self.parts[0].dtype)

    @property
    def real(self) -> Symbol:
        """The real part."""
        return self.parts[0]

    @property
    def imag(self) -> Symbol:
        """The imaginary part."""
        return self.parts[1]

    def each(self, change: Callable[[Symbol, int], Any]) -> Complex:
        """The complex array of what becomes of the parts; `change` is also told which of the two it has."""
        found = tuple(change(part, k) for k, part in enumerate(self.parts))
        return Complex(found)

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        """The numbers in another precision; real numbers of them are the real parts."""
        return cast(self, np.dtype(dtype))

    def conj(self) -> Complex:
        """The conjugates: of a view, the view of conjugates, so that these lie as the numbers do."""
        if self.origin is not None:
            source, where = self.origin
            return looked_at_by_parts(source.conj(), [], self.shape, where)
        return Complex((self.real, -self.imag))

    def contract(self, other: Symbol, shape: tuple[int, ...], pieces: Any) -> Symbol:
        """The contraction of two complex arrays."""
        from .complex_products import contracted

        return contracted(self, other, shape, pieces)

    def scanned(
        self, step: Any, states: Any, sequences: Any, constants: Any, reverse: bool, keep: bool, batched: bool = False
    ) -> Any:
        """A loop whose body is the same with real arrays: parts of complex ones."""
        return _scanned(step, (states, sequences, constants), reverse, keep, batched)

    def provided(self, condition: Any) -> Symbol:
        """The same numbers, if a condition holds everywhere."""
        return Complex((self.real.provided(condition), self.imag))

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Symbol:
        """The sum over some axes."""
        return cast(self.each(lambda x, _: x.sum(axis=axis, keepdims=keepdims)), np.dtype(dtype or self.dtype))

    def assembled(self, pieces: Any, shape: tuple[int, ...], layouts: Any, start: Any = None) -> Symbol:
        """Zeros with pieces in them."""
        return self.each(lambda x, k: x.assembled([part(p, k) for p in pieces], shape, layouts, start))

    def with_part(self, new: Any, start: Symbol, layouts: Any, **attributes: Any) -> Symbol:
        """This array with `new` in a part of its memory, which begins at a run-time number."""
        if attributes["kind"] is not None and attributes["kind"].numpy != self.dtype:
            raise NotLowered("memory written as another dtype")
        new = as_complex(new, self.dtype)
        where = in_pairs(lambda strides, offset: layouts(self.shape, strides, offset, **attributes)[0][1:])
        pieces = [(broadcast(p, attributes["shape"]), _one_of_two(where, k)) for k, p in enumerate(new.parts)]
        return Complex(None, assembled(pieces, self.pairs.shape, self.pairs.dtype, self.pairs, start * 2))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        from .complex_functions import called, product_over

        if method == "__call__" and not keywords and ufunc.nout == 1:
            return _product(*inputs) if ufunc is np.matmul else called(ufunc, inputs)
        if method == "reduce" and ufunc is np.add and keywords.get("out") is None:
            return inputs[0].sum(**{k: v for k, v in keywords.items() if k != "out"})
        if method == "reduce" and ufunc is np.multiply:
            return product_over(inputs[0], **keywords)
        raise NotLowered(f"numpy.{ufunc.__name__}.{method} of complex numbers with {sorted(keywords)}")

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, keywords: Any) -> Any:
        if function in OF_PARTS:
            return self.each(lambda x, _: FUNCTIONS[function](x, *args[1:], **keywords))
        if function in AS_THEY_ARE:
            return FUNCTIONS[function](*args, **keywords)
        found = COMPLEX_FUNCTIONS.get(function)
        if found is None:
            raise NotLowered(f"numpy.{getattr(function, '__name__', function)} of complex numbers")
        return found(*args, **keywords)


def _method_of_parts(name: str, value: int = -1) -> Any:
    """A method of Symbol that does the same to both parts; `value` is the argument that is an array of numbers, too."""

    def method(self: Complex, *args: Any, **keywords: Any) -> Any:
        if name.startswith("with_") and not {"multiply", "maximum", "minimum"}.isdisjoint(map(str, args)):
            raise NotLowered("complex numbers reduced at positions")
        args = tuple(np.real(a) if i == value and isinstance(a, np.ndarray) and a.dtype.kind not in "c" else a
                     for i, a in enumerate(args))  # fmt: skip
        return self.each(
            lambda x, k: getattr(x, name)(*[part(a, k) if i == value else a for i, a in enumerate(args)], **keywords)
        )

    method.__name__ = name
    method.__doc__ = getattr(Symbol, name).__doc__
    return method


for _name in ("reshape", "__getitem__", "transpose", "swapaxes", "squeeze", "take", "take_along", "at", "added_rows",
              "added_at", "added_each", "put_each"):  # fmt: skip
    setattr(Complex, _name, _method_of_parts(_name))
for _name, _value in (("with_at", 0), ("with_each", 1), ("with_slices", 1), ("placed", 1)):
    setattr(Complex, _name, _method_of_parts(_name, _value))
Complex.T = property(lambda self: self.each(lambda x, _: x.T))  # type: ignore[assignment]

# ---------------------------------------------------------------------------------------------------------------------
# Making them, and taking them apart


def entering(slot: int, spec: Spec) -> Complex:
    """A complex operand of a run."""
    if not spec.wrapped:
        made = Complex(None, Symbol("input", (), (*spec.shape, 2), REALS[spec.numpy.name], slot))
        made.across = not spec.is_contiguous and spec.strides[-1] != 1
        return made
    real, imaginary = (Symbol("number", (), (), np.float64, kind(slot)) for kind in (PartOfNumber, ImaginaryPart))
    return Complex((real, imaginary), weak=True)


def part(x: Any, k: int) -> Any:
    """The real or imaginary part of what may be complex or real, an array or a number."""
    if isinstance(x, Complex):
        return x.parts[k]
    if x is None:
        return None
    if isinstance(x, Symbol):
        return x if k == 0 else constant(0, x.dtype)
    if isinstance(x, (tuple, list)):
        return type(x)(part(a, k) for a in x)
    return np.imag(x) if k else np.real(x)


def as_complex(x: Any, to: np.dtype) -> Complex:
    """What a kernel computes with, in a complex dtype."""
    if isinstance(x, Complex) and x.dtype == to and not x.weak:
        return x
    real, imaginary = (operand(part(x, k), REALS[to.name]) for k in range(2))
    return Complex((real, imaginary))


def converted(x: Symbol, to: np.dtype) -> Symbol:
    """`cast` from or to complex numbers."""
    if to.kind == "c":
        return as_complex(x, to)
    assert isinstance(x, Complex)
    if to.kind == "b":
        return np.logical_or(x.real != 0, x.imag != 0)  # type: ignore[return-value]
    return cast(x.real, to)


def paired(x: Symbol) -> Complex:
    """Pairs of real numbers (..., 2) as complex ones."""
    return Complex(None, x)


def _one_number(parts: tuple[Symbol, Symbol], shape: tuple[int, ...]) -> Symbol | None:
    """Pairs of parts that are one and the same number everywhere."""
    first, second = ((p.args[0] if p.kind == "broadcast" else p) for p in parts)
    same = first.kind == second.kind == "constant" and repr(first.data) == repr(second.data)
    return broadcast(first, (*shape, 2)) if same else None


def _every_second(k: int) -> Callable[..., Any]:
    return lambda strides, offset: (strides[:-1], offset + k * strides[-1])


def _parts_of(pairs: Symbol) -> tuple[Symbol, Symbol]:
    """The parts of pairs: where these are put together here, what they are put together from."""
    found = _put_together(pairs)
    return (found[0], found[1]) if len(found) == 2 else (pairs[..., 0], pairs[..., 1])


def _put_together(pairs: Symbol) -> dict[int, Symbol]:
    """The parts of pairs that are written as such; nothing if anything else is written there."""
    found: dict[int, Symbol] = {}
    if pairs.kind == "whole" and pairs.shape[-1:] == (2,):
        strides = _numbered(pairs.shape)
        for p in pairs.args:
            known = _put(p, pairs.shape, strides)
            if not known:
                return {}
            found.update(known)
    return found


def _numbered(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides that tell the dimensions from one another."""
    return tuple(10 ** (len(shape) - d) if d < len(shape) - 1 else 1 for d in range(len(shape)))


def _put(p: Symbol, shape: tuple[int, ...], strides: tuple[int, ...]) -> dict[int, Symbol]:
    """Which parts of pairs a piece is, if it is whole parts."""
    if p.kind != "piece" or (len(p.args) > 1 and p.args[-1].kind != "piece"):
        return {}
    value = p.args[0]
    lies, start = p.data(strides, 0)
    if value.shape == shape[:-1] and tuple(lies) == strides[:-1] and start in (0, 1):
        return {start: value}
    one = value.kind == "broadcast" and not value.args[0].shape
    if one and value.shape == shape and tuple(lies) == strides and start == 0:
        return dict.fromkeys((0, 1), broadcast(value.args[0], shape[:-1]))
    return {}


# ---------------------------------------------------------------------------------------------------------------------
# Views, loops


def looked_at_by_parts(x: Complex, numbers: list[Any], shape: tuple[int, ...], where: Any) -> Complex:
    """A view: of the memory of each part, or of the pairs' where it begins at a run-time number."""
    if not numbers:
        found = x.each(lambda p, _: look(p, shape, where) if p.shape else broadcast(p, shape))
        found.origin = (x, where) if x.shape else None
        return found
    if not x.shape:
        raise NotLowered("a view of a complex number")
    start = numbers[0] * 2
    return Complex(None, Symbol("view", (x.pairs, start), (*shape, 2), x.pairs.dtype, InPairs(where)))


class InPairs:
    """A look at complex numbers as one at their pairs.

    Attributes:
        expected: the strides with which it is possible.
    """

    __slots__ = ("expected", "look")

    def __init__(self, where: Any) -> None:
        self.look = in_pairs(where)
        self.expected = (*(2 * s for s in where.expected), 1)

    def __call__(self, strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        return self.look(strides, offset)


def in_pairs(where: Callable[..., Any]) -> Callable[..., Any]:
    """Where pairs lie, by where the complex numbers do; ValueError if their memory is not that of complex numbers."""

    def placed(strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        if strides[-1] != 1 or offset % 2 or any(s % 2 for s in strides[:-1]):
            raise ValueError("pairs that are no complex numbers in memory")
        lies, start = where(tuple(s // 2 for s in strides[:-1]), offset // 2)
        return (*(2 * s for s in lies), 1), 2 * start

    return placed


def _one_of_two(where: Callable[..., Any], k: int) -> Callable[..., Any]:
    def placed(strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        lies, start = where(strides, offset)
        return lies[:-1], start + k

    return placed


def part_looked_at(x: Symbol, shape: tuple[int, ...], where: Callable[..., Any]) -> Symbol | None:
    """Where a view of pairs is all of one part, and the pairs are put together from parts: that part."""
    found = _put_together(x) if shape == x.shape[:-1] else {}
    if len(found) != 2:
        return None
    strides = _numbered(x.shape)
    try:
        lies, start = where(strides, 0)
    except (RuntimeError, ValueError):
        return None
    return found.get(start) if tuple(lies) == strides[:-1] else None


def _scanned(step: Any, given: Sequence[Any], reverse: bool, keep: bool, batched: bool) -> Any:
    """A scan of complex arrays as one of their parts: twice as many states, elements and results."""
    from .scan import captured

    kinds = [[isinstance(x, Complex) for x in arrays] for arrays in given]
    made: list[bool] = []

    def by_parts(states: Any, elements: Any, constants: Any) -> Any:
        whole = [_joined(parts, known) for parts, known in zip((states, elements, constants), kinds, strict=True)]
        new, results = step(*whole)
        if [isinstance(x, Complex) for x in new] != kinds[0]:
            raise NotLowered("a state that becomes complex, or real")
        made[:] = [isinstance(x, Complex) for x in results]
        return _split(new), _split(results)

    states, sequences, constants = map(_split, given)
    histories, results = captured(by_parts, states, sequences, constants, reverse, keep, batched)
    return _joined(histories, kinds[0]), _joined(results, made)


def _split(arrays: Sequence[Any]) -> list[Any]:
    return [p for x in arrays for p in (x.parts if isinstance(x, Complex) else (x,))]


def _joined(parts: Sequence[Any], are_complex: Sequence[bool]) -> list[Any]:
    rest = iter(parts)
    return [Complex((next(rest), next(rest))) if known else next(rest) for known in are_complex]


# ---------------------------------------------------------------------------------------------------------------------
# NumPy's functions that are no ufuncs


def _product(x: Any, y: Any) -> Symbol:
    from .complex_products import product

    to = np.result_type(*[a.dtype for a in (x, y)])
    return product(as_complex(x, to), as_complex(y, to))


def _where(condition: Any, x: Any, y: Any) -> Symbol:
    kinds = [weak_kind_of(a) for a in (x, y)]
    to = np.result_type(*[np.empty(0, k) if isinstance(k, np.dtype) else k(0) for k in kinds])
    condition = operand(condition, np.dtype(bool))
    if to.kind != "c":
        return np.where(condition, x, y)  # type: ignore[return-value]
    x, y = as_complex(x, to), as_complex(y, to)
    return x.each(lambda p, k: np.where(condition, p, y.parts[k]))


def weak_kind_of(x: Any) -> Any:
    """`kind_of`, of a complex number that gives way, too."""
    return complex if isinstance(x, Complex) and x.weak else kind_of(x)


def _mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, out: Any = None) -> Symbol:
    total = x.sum(axis, dtype, keepdims)
    count = REALS[total.dtype.name].type(x.size // max(total.size, 1))
    return total.each(lambda p, _: p / count)  # type: ignore[no-any-return]


def _joined_along(arrays: Any, axis: int, fresh: bool) -> Symbol:
    """Pieces of pairs: they are written where they belong at once."""
    from .assembly import joined

    to = np.result_type(*[a.dtype for a in arrays])
    arrays = [as_complex(a, to) for a in arrays]
    ndim = arrays[0].ndim + fresh
    axis %= ndim
    real, imaginary = (joined([a.parts[k] for a in arrays], axis, fresh) for k in range(2))
    pieces = [(p.args[0], _beside(p.data, k)) for k, whole in enumerate((real, imaginary)) for p in whole.args]
    return Complex(None, assembled(pieces, (*real.shape, 2), real.dtype))


def _beside(where: Callable[..., Any], k: int) -> Callable[..., Any]:
    return lambda strides, offset: where(strides[:-1], offset + k * strides[-1])


def _filled(value: Any) -> Callable[..., Any]:
    def filled(x: Symbol, dtype: Any = None) -> Any:
        to = np.dtype(dtype or x.dtype)
        if to.kind != "c":
            return broadcast(operand(value, to), x.shape)
        return as_complex(value, to).each(lambda p, _: broadcast(p, x.shape))

    return filled


AS_THEY_ARE = {np.shape, np.ndim, np.split, np.squeeze}  # they ask for shapes, or call methods that Complex has
OF_PARTS = {np.broadcast_to, np.take, np.take_along_axis, np.flip, np.roll, np.tile, np.tril, np.triu, np.trace,
            np.diagonal}  # fmt: skip
COMPLEX_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.iscomplexobj: lambda x: isinstance(x, Complex),
    np.real: lambda x: x.real,
    np.imag: lambda x: x.imag,
    np.angle: lambda x: np.arctan2(x.imag, x.real),
    np.where: _where,
    np.sum: lambda x, axis=None, dtype=None, keepdims=False: x.sum(axis, dtype, keepdims),
    np.prod: lambda x, axis=None, keepdims=False: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    np.mean: _mean,
    np.any: lambda x, **how: np.any(x.astype(bool), **how),
    np.all: lambda x, **how: np.all(x.astype(bool), **how),
    np.concatenate: lambda arrays, axis=0: _joined_along(arrays, axis, fresh=False),
    np.stack: lambda arrays, axis=0: _joined_along(arrays, axis, fresh=True),
    np.zeros_like: _filled(0),
    np.ones_like: _filled(1),
    np.full_like: lambda x, fill_value, dtype=None: _filled(fill_value)(x, dtype),
    np.dot: lambda x, y: (x * y).sum(),
    np.vdot: lambda x, y: (np.conjugate(x) * y).sum(),
}
