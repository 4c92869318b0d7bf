"""Sums and softmax of tensors of layout sparse_coo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.strided import contiguous_strides, normalize_dim, normalize_dims
from rushlight.ops.creation import cast, constant, wrap
from rushlight.ops.norm import VECTOR_NORM
from rushlight.ops.scatter import SCATTER_REDUCE
from rushlight.record.operation import Operation
from rushlight.record.trace import apply, realize
from rushlight.record.value import Tensor

from .coo import CooTensor, added_up, coo
from .layout import rule, unsupported

# ---------------------------------------------------------------------------------------------------------------------
# Sums


def summed(t: CooTensor, dims: tuple[int, ...] | None, keepdim: bool = False) -> Tensor:
    """The sum over `dims` (None: all): strided where no sparse dimension is left, else sparse."""
    sparse = t.sparse_dim()
    if dims is None or set(dims) >= set(range(t.dim())):
        total = t._value.values.sum()
        return total.reshape((1,) * t.dim()).to_sparse(sparse) if keepdim else total  # type: ignore[no-any-return]
    gone = set(dims)
    inner = tuple(d - sparse + 1 for d in sorted(gone) if d >= sparse)
    values = t._value.values
    if not any(d < sparse for d in gone):
        t = t.coalesce()
        values = t._value.values
    if inner:
        values = values.sum(inner, keepdim)
    kept = [d for d in range(sparse) if d not in gone]
    if not kept and not keepdim:
        return values.sum(0)
    lines = t.lines()
    if keepdim:
        shape = [1 if d in gone else n for d, n in enumerate(t.shape)]
        nothing = constant((t._nnz(),), 0, t._indices().dtype)
        chosen = [nothing if d in gone else lines[d] for d in range(sparse)]
    else:
        shape = [n for d, n in enumerate(t.shape) if d not in gone]
        chosen = [lines[d] for d in kept]
    from rushlight.ops.joining import stack

    return coo(stack(chosen), values, shape, t.is_coalesced() and len(kept) == sparse).coalesce()


@rule("sum", "sum_dim")
def _sum(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return summed(operands[0], *attrs)


@rule("vector_norm")
def _norm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t = operands[0]
    dims = dict(zip(VECTOR_NORM.attributes, attrs, strict=True)).get("dim")
    if dims and len(dims) != t.dim():
        raise NotImplementedError("norm(): of a sparse tensor there is the norm of all elements only")
    flat = t.coalesce()._value.values.reshape(-1)
    found = {**dict(zip(VECTOR_NORM.attributes, attrs, strict=True)), "dim": None}
    return apply(VECTOR_NORM, (flat, *operands[1:]), tuple(found.values()))


@rule("any")
def _any(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    dims, *_ = attrs
    if dims:
        raise unsupported("any", operands[0].layout)
    return operands[0].coalesce()._value.values.any()


def sparse_sum(input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:  # noqa: A002 - PyTorch's name
    """`torch.sparse.sum`."""
    if not isinstance(input, CooTensor):
        return input.sum(dim, dtype=dtype) if dim is not None else input.sum(dtype=dtype)
    t: Any = input if dtype is None else cast(input, dtype)
    if dim is None:
        return summed(t, None)
    return summed(t, normalize_dims((dim,) if isinstance(dim, int) else tuple(dim), t.dim()))


# ---------------------------------------------------------------------------------------------------------------------
# Softmax


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:  # noqa: A002 - PyTorch's name
    """Softmax along `dim` over the elements that are listed; the others stay zero (they count as minus infinity).

    >>> torch.sparse.softmax(torch.eye(2).to_sparse(), 1).to_dense()
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _normalised(input, dim, dtype, "softmax", False)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:  # noqa: A002 - PyTorch's name
    """The logarithm of `softmax` where elements are listed."""
    return _normalised(input, dim, dtype, "log_softmax", True)


def _normalised(t: Any, dim: int, dtype: Any, name: str, log: bool) -> Tensor:
    if not isinstance(t, CooTensor):
        raise unsupported(f"_sparse_{name}", t.layout) if hasattr(t, "become") else NotImplementedError(
            f"Could not run 'aten::_sparse_{name}' with arguments from the 'CPU' backend."
        )
    found: Any = (t if dtype is None else cast(t, dtype)).coalesce()
    dim = normalize_dim(dim, t.dim())
    if not (found.is_floating_point() or found.is_complex()):
        raise NotImplementedError(f"\"{name}\" not implemented for '{found.dtype.scalar_name}'")
    values = found._value.values
    inner = dim - found.sparse_dim() + 1
    if inner > 0:
        return found._value.like(values.log_softmax(inner) if log else values.softmax(inner))  # type: ignore[no-any-return]
    return found._value.like(_within_groups(values, *_groups(found, dim), log))  # type: ignore[no-any-return]


def _groups(t: CooTensor, dim: int) -> tuple[Tensor, int]:
    """To which of the rows along `dim` each element belongs, and how many rows have elements."""
    known = t._value.derived
    if ("groups", dim) not in known:
        sizes = [n for d, n in enumerate(t.shape[: t.sparse_dim()]) if d != dim]
        lines = np.delete(realize(t._indices()), dim, 0)
        place = (lines * np.array(contiguous_strides(tuple(sizes)), "int64").reshape(-1, 1)).sum(0)
        _, group = np.unique(place, return_inverse=True)
        known["groups", dim] = wrap(group.reshape(-1)), int(group.max()) + 1 if group.size else 0
    return known["groups", dim]  # type: ignore[no-any-return]


def _within_groups(values: Tensor, group: Tensor, count: int, log: bool) -> Tensor:
    shape = values.shape
    at = group.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)
    start = constant((count, *shape[1:]), float("-inf"), values.dtype)
    top = apply(SCATTER_REDUCE, (start, at, values.detach()), (0, "amax", True))
    powers = (values - top.index_select(0, group)).exp()
    total = added_up(powers, group, count)
    if log:
        return values - (top + total.log()).index_select(0, group)
    return powers / total.index_select(0, group)
