"""Compressed layouts: sparse_csr and sparse_csc, and sparse_bsr and sparse_bsc, whose elements are blocks.

A compressed matrix lists where each row (or column) begins in the list of elements, and the column (row) of each.  What
it computes is what its elements' rows and columns say, `lines`; sums and what needs an order goes by sparse_coo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core import layout as layouts
from rushlight.core.layout import layout
from rushlight.ops.arithmetic import MULTIPLY
from rushlight.ops.creation import wrap
from rushlight.record.operation import Operation
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .arithmetic import added_to_dense
from .coo import CooTensor, coo
from .layout import BACKENDS, COMPRESSED_RULES, SparseTensor, SparseValue, handle_class, rule, unsupported
from .products import check_factors, listed_product

OTHER_WAY = {"sparse_csr": layouts.sparse_csc, "sparse_csc": layouts.sparse_csr, "sparse_bsr": layouts.sparse_bsc,
             "sparse_bsc": layouts.sparse_bsr}  # fmt: skip


def compressed(kind: layout, starts: Tensor, others: Tensor, values: Tensor, shape: Sequence[int]) -> CompressedTensor:
    """The compressed matrix of these parts."""
    return SparseValue(kind, tuple(shape), (starts, others), values).handle()  # type: ignore[return-value]


def _part(which: int, by_rows: bool, words: str) -> Any:
    def part(self: CompressedTensor) -> Tensor:
        if self.by_rows is not by_rows:
            raise RuntimeError(
                f"{part.__name__} expected sparse {words} compressed tensor layout but got {BACKENDS[self.layout.name]}"
            )
        return self._value.where[which]

    return part


def _absent(name: str) -> Any:
    def refuse(self: CompressedTensor) -> Any:
        raise RuntimeError(
            f"{name} expected sparse coordinate tensor layout but got {BACKENDS[self.layout.name]}"
        )

    return refuse


@handle_class("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
class CompressedTensor(SparseTensor):
    """A matrix of a compressed layout."""

    rules = COMPRESSED_RULES
    is_sparse = False  # type: ignore[assignment]

    @property
    def is_sparse_csr(self) -> bool:  # type: ignore[override]
        """Whether the layout is sparse_csr."""
        return bool(self.layout is layouts.sparse_csr)

    @property
    def by_rows(self) -> bool:
        """Whether rows are compressed."""
        return self.layout in (layouts.sparse_csr, layouts.sparse_bsr)

    @property
    def in_blocks(self) -> bool:
        """Whether the elements are blocks."""
        return self.layout in (layouts.sparse_bsr, layouts.sparse_bsc)

    def _nnz(self) -> int:
        return settle(self._value.where[1]).spec.shape[-1]  # type: ignore[no-any-return]

    def sparse_dim(self) -> int:
        """2."""
        return 2

    def values(self) -> Tensor:
        """The elements."""
        values = self._value.values
        return values.view_as(values) if values.requires_grad else values.detach()

    def lines(self) -> tuple[Tensor, Tensor]:
        """The row and the column of each element (block)."""
        known = self._value.derived
        if "lines" not in known:
            starts, others = self._value.where
            counts = np.diff(realize(starts))
            spread = wrap(np.repeat(np.arange(len(counts)), counts).astype(starts.dtype.numpy))
            known["lines"] = (spread, others) if self.by_rows else (others, spread)
        return known["lines"]  # type: ignore[no-any-return]

    def to_coo(self) -> CooTensor:
        """The same matrix in layout sparse_coo, coalesced."""
        rows, columns = [realize(line).astype("int64") for line in self.lines()]
        values = self._value.values
        if self.in_blocks:
            high, wide = values.shape[1:3]
            rows = (rows[:, None, None] * high + np.arange(high)[:, None] + np.zeros((1, 1, wide), int)).reshape(-1)
            columns = (columns[:, None, None] * wide + np.zeros((1, high, 1), int) + np.arange(wide)).reshape(-1)
            values = values.reshape(-1, *values.shape[3:])
        indices = wrap(np.stack([rows, columns]))
        if self.layout is layouts.sparse_csr:
            return coo(indices, values, self.shape, True)
        return coo(indices, values, self.shape).coalesce()

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The strided matrix of the same numbers."""
        return self.to_coo().to_dense(dtype)

    def to_sparse(self, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None,
                  dense_dim: int | None = None) -> Tensor:  # fmt: skip
        """The matrix in another sparse layout; sparse_coo by default."""
        from .construct import converted

        return converted(self, layout or layouts.sparse_coo, blocksize)

    def filled_like(self, value: Any, dtype: Any) -> Tensor:
        """A matrix of the same shape without elements: what `zeros_like` gives."""
        if value != 0:
            raise unsupported("fill_", self.layout)
        starts, others = self._value.where
        values = self._value.values.detach()[:0].to(dtype)
        return compressed(self.layout, wrap(realize(starts) * 0), others[:0], values, self.shape)

    def clone(self, *, memory_format: Any = None) -> Tensor:
        """A copy with its own memory; gradients pass through it."""
        starts, others = self._value.where
        return compressed(self.layout, starts.clone(), others.clone(), self._value.values.clone(), self.shape)

    def saved_parts(self) -> tuple[Any, ...]:
        """What PyTorch's files hold of the matrix beside its layout."""
        return *self._value.where, self._value.values.detach(), self.size()

    def __getitem__(self, index: Any) -> Tensor:
        return self.to_coo()[index]


for _name, _which, _by_rows, _words in (("crow_indices", 0, True, "row"), ("col_indices", 1, True, "row"),
                                        ("ccol_indices", 0, False, "column"),
                                        ("row_indices", 1, False, "column")):  # fmt: skip
    _f = _part(_which, _by_rows, _words)
    _f.__name__ = _name
    _f.__doc__ = "One of the index tensors."
    setattr(CompressedTensor, _name, _f)
for _name in ("indices", "coalesce", "is_coalesced"):
    setattr(CompressedTensor, _name, _absent(_name))

# ---------------------------------------------------------------------------------------------------------------------
# Rules


@rule(*"""
    abs angle asin asinh atan atanh ceil conj cast deg2rad erf erfinv expm1 floor frac isinf isnan isneginf isposinf
    log1p neg rad2deg relu round sgn sign signbit sin sinh sqrt tan tanh trunc square
""".split(), table=COMPRESSED_RULES)  # fmt: skip
def _of_values(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    value = operands[0]._value
    return value.like(apply(op, (value.values, *operands[1:]), attrs))


@rule("clone", table=COMPRESSED_RULES)
def _clone(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return operands[0].clone()


@rule("pow_fixed", "pow_of_exponent", table=COMPRESSED_RULES)
def _power(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    if (*attrs, *operands[1:])[0] == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    return _of_values(op, operands, attrs)


@rule("mul", table=COMPRESSED_RULES)
def _product(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    t, other = (x, y) if isinstance(x, CompressedTensor) else (y, x)
    if isinstance(other, SparseTensor):
        return _as(t.layout, _coo(x) * _coo(y), t)
    if isinstance(other, Tensor) and other.dim():
        if t.in_blocks:
            raise unsupported("mul", t.layout)
        rows, columns = t.lines()
        flat = other.expand(t.shape).reshape(-1)
        other = flat.index_select(0, rows * t.shape[1] + columns)
    return t._value.like(apply(MULTIPLY, (t._value.values, other)))


@rule("div", "div_by_number", "div_floor", "div_trunc", "floor_divide", table=COMPRESSED_RULES)
def _quotient(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    kind = next(t.layout for t in operands if isinstance(t, CompressedTensor))
    raise RuntimeError(f"unsupported tensor layout: {BACKENDS[kind.name]}")


@rule("add", "sub", table=COMPRESSED_RULES)
def _sum_or_difference(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    if op.name == "add" and isinstance(y, Tensor) and not isinstance(y, SparseTensor) and y.dim():
        return added_to_dense(y, _coo(x))
    if not isinstance(y, SparseTensor):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    if isinstance(x, SparseTensor):
        return _as(x.layout, _coo(x) + _coo(y) if op.name == "add" else _coo(x) - _coo(y), x)
    if not isinstance(x, Tensor):
        raise unsupported(op.name, y.layout)
    return added_to_dense(x, _coo(y if op.name == "add" else -y))


def _coo(t: Any) -> CooTensor:
    return t.to_coo() if isinstance(t, CompressedTensor) else t.coalesce()  # type: ignore[no-any-return]


def _as(kind: layout, t: Any, like: Any) -> Tensor:
    from .construct import converted

    blocks = tuple(like._value.values.shape[1:3]) if getattr(like, "in_blocks", False) else None
    return converted(t, kind, blocks)


@rule("sum", "sum_dim", table=COMPRESSED_RULES)
def _sum(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t, (dims, keepdim) = operands[0], attrs
    if dims is None and not keepdim:
        return t._value.values.sum()
    if not keepdim or dims is None:
        raise RuntimeError("reduction operations on CSR tensors with keepdim=False is unsupported")
    return _as(t.layout, t.to_coo().sum(dims, keepdim), t)


@rule("t", "transpose", "permute", table=COMPRESSED_RULES)
def _transposed(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t = operands[0]
    if attrs[0] == (0, 1):
        return t._value.like(t._value.values)
    values = t._value.values.transpose(1, 2) if t.in_blocks else t._value.values
    starts, others = t._value.where
    return compressed(OTHER_WAY[t.layout.name], starts, others, values, t.shape[::-1])


@rule("select", table=COMPRESSED_RULES)
def _picked(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return apply(op, (operands[0].to_coo(),), attrs)


@rule("mm", table=COMPRESSED_RULES)
def _mm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return product(*operands)


def product(x: Any, y: Any, masked: bool = False) -> Tensor:
    """x @ y, of which one is compressed or both are sparse."""
    if isinstance(x, SparseTensor) and isinstance(y, SparseTensor):
        kind = x.layout if isinstance(x, CompressedTensor) else y.layout
        return _as(kind, _coo(x) @ _coo(y), x if isinstance(x, CompressedTensor) else y)
    t = x if isinstance(x, CompressedTensor) else y
    if t.in_blocks:
        return _coo(x) @ y if t is x else x @ _coo(y)
    check_factors(x, y)
    return listed_product(t, y, masked) if t is x else listed_product(t, x.t(), masked, transposed=True).t()


@rule("mv", table=COMPRESSED_RULES)
def _mv(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    return product(x, y.unsqueeze(1)).squeeze(1)


@rule("addmm", table=COMPRESSED_RULES)
def _addmm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    c, x, y, beta, alpha = operands
    found = product(x, y) if alpha == 1 else product(x, y) * alpha
    return found if beta == 0 else (c if beta == 1 else c * beta) + found


@rule("linear", "linear_no_bias", table=COMPRESSED_RULES)
def _linear(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, weight, *bias = operands
    found = product(x, weight.t())
    return found + bias[0] if bias else found


