"""Norms of vectors and matrices.

One operation, the p-norm over some dimensions; the matrix norms are composed from it, from sums and from singular
values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core.dtype import can_cast, promote_types
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast
from .elementary import sgn
from .public import public
from .reduction import Dims, dims_of, reduced, spread
from .selection import amax, amin, where

# ---------------------------------------------------------------------------------------------------------------------
# The p-norm


def norm_spec(x: Spec, *, ord: float, dim: Dims, keepdim: bool) -> Spec:
    return spec_of(reduced(x.shape, dim, keepdim), x.dtype.to_real())


def norm_of(x: np.ndarray, *, ord: float, dim: Dims, keepdim: bool) -> Any:
    if ord == 2 and x.dtype.kind == "f":
        return _euclidean(x, dim, keepdim)
    size = np.abs(x)
    if ord == 2:
        return np.sqrt(np.sum(size * size, axis=dim, keepdims=keepdim))
    if ord == math.inf:
        return np.max(size, axis=dim, keepdims=keepdim) if x.ndim else size.max(initial=0)
    if ord == -math.inf:
        return np.min(size, axis=dim, keepdims=keepdim)
    if ord == 0:
        return np.sum(size != 0, axis=dim, keepdims=keepdim).astype(size.dtype)
    if ord == 1:
        return np.sum(size, axis=dim, keepdims=keepdim)
    number = size.dtype.type
    return np.power(np.sum(np.power(size, number(ord)), axis=dim, keepdims=keepdim), number(1 / ord))


def _euclidean(x: np.ndarray, dim: Dims, keepdim: bool) -> Any:
    if dim is None and not keepdim and isinstance(x, np.ndarray):
        flat = x.ravel(order="K")
        return np.sqrt(np.dot(flat, flat))
    return np.sqrt(np.sum(x * x, axis=dim, keepdims=keepdim))


def norm_gradient(g: Tensor, x: Tensor, result: Tensor, x_spec: Spec, ord: float, dim: Dims,
                   keepdim: bool) -> Tensor | None:  # fmt: skip
    if ord == 0:
        return None
    g, norm = spread(g, x_spec, dim, keepdim), spread(result, x_spec, dim, keepdim)
    if ord == 1:
        return sgn(x) * g
    if ord == 2:
        return where(norm == 0, 0, x / norm) * g
    if math.isinf(ord):
        hit = ((x.abs() == norm) | (norm != norm)).to(g._value.spec.dtype)
        count = hit.sum() if dim is None else hit.sum(dim, keepdim=True)
        return sgn(x) * (hit / count * g)
    if ord < 2:
        slope = sgn(x) * where(x == 0, 0, x.abs() ** (ord - 1))
        return slope * (g * where(norm == 0, 0, norm ** (1 - ord)))
    return x * x.abs() ** (ord - 2) * where(norm == 0, 0, g / norm ** (ord - 1))


VECTOR_NORM = operation("vector_norm", norm_spec, norm_of, node="LinalgVectorNormBackward0")
VECTOR_NORM.gradient(x=norm_gradient)


def _check_kind(spec: Spec, name: str = "linalg.vector_norm") -> None:
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {spec.dtype.scalar_name}"
        )


def check_not_empty(spec: Spec, ord: float, dim: Dims) -> None:
    if spec.numel == 0 and (ord < 0 or ord == math.inf):
        empty = dim is None or any(spec.shape[d] == 0 for d in dim)
        if empty:
            raise RuntimeError(f"linalg.vector_norm cannot compute the {ord:g} norm on " + _without_identity(spec, dim))


def _without_identity(spec: Spec, dim: Dims) -> str:
    if dim is None:
        return "an empty tensor because the operation does not have an identity"
    gone = next(d for d in dim if spec.shape[d] == 0)
    return f"the dimension {gone} because this dimension is empty and the operation does not have an identity"


def _wide(x: Tensor, dtype: Any, name: str) -> Tensor:
    """The operand in the dtype that `dtype=` asks for."""
    spec = settle(x).spec
    _check_kind(spec, name)
    if dtype is None or dtype is spec.dtype:
        return x
    if dtype.is_complex != spec.dtype.is_complex:
        kinds = ("complex", "real") if spec.dtype.is_complex else ("real", "complex")
        raise RuntimeError(f"{name}: dtype should be {kinds[0]} for {kinds[0]} inputs, but got {dtype.scalar_name}")
    if not can_cast(spec.dtype, dtype) or promote_types(spec.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({spec.dtype.scalar_name}) should be convertible without narrowing to the "
            f"specified dtype ({dtype.scalar_name})"
        )
    return cast(x, dtype)


def p_norm(x: Tensor, ord: float, dim: Any, keepdim: bool) -> Tensor:
    """The p-norm over `dim`, arguments unchecked but for emptiness."""
    spec = settle(x).spec
    dims = dims_of(dim, spec.ndim)
    check_not_empty(spec, ord, dims)
    return apply(VECTOR_NORM, (x,), (ord, dims, keepdim))


@public(function=False, method=False, out=True, space="linalg")
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|**ord) ** (1 / ord) over `dim` (all dimensions by default).

    https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html

    >>> torch.linalg.vector_norm(torch.tensor([3., 4.]))
    tensor(5.)
    """
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str")
    return p_norm(_wide(x, dtype, "linalg.vector_norm"), ord, dim, keepdim)


# ---------------------------------------------------------------------------------------------------------------------
# Of matrices


def _matrix_dims(spec: Spec, dim: Any) -> tuple[int, int]:
    pair = tuple(dim) if not isinstance(dim, int) else (dim,)
    if spec.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    if len(pair) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, pair))}")
    a, b = (normalize_dim(d, spec.ndim) for d in pair)
    if a == b:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({pair[0]}, {pair[1]})")
    return a, b


@public(function=False, method=False, out=True, space="linalg")
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of the matrices in dimensions `dim`: "fro", "nuc", 1, -1, 2, -2, inf or -inf.

    https://pytorch.org/docs/stable/generated/torch.linalg.matrix_norm.html

    >>> torch.linalg.matrix_norm(torch.eye(2), "nuc")
    tensor(2.)
    """
    name = "linalg.matrix_norm"
    rows, columns = _matrix_dims(settle(A).spec, dim)
    if ord not in ("fro", "nuc") and (isinstance(ord, str) or abs(ord) not in (1, 2, math.inf)):
        raise RuntimeError(f"{name}: Order {ord if isinstance(ord, str) else format(ord, 'g')} not supported.")
    A = _wide(A, dtype, name)
    if ord == "fro":
        return p_norm(A, 2, (rows, columns), keepdim)
    if ord == "nuc" or abs(ord) == 2:
        return _spectral(A, ord, rows, columns, keepdim)
    gone, left = (rows, columns) if abs(ord) == 1 else (columns, rows)
    totals = p_norm(A, 1, gone, keepdim)
    if not keepdim and left > gone:
        left -= 1
    return _outermost(totals, ord, left, keepdim)


def _outermost(values: Tensor, ord: Any, dim: int, keepdim: bool = False) -> Tensor:
    """The largest of what is not negative, 0 of nothing; or, for a negative order, the smallest."""
    if ord < 0:
        return amin(values, dim, keepdim)
    if not settle(values).spec.shape[dim]:
        return values.sum(dim, keepdim)
    return amax(values, dim, keepdim)


def _spectral(A: Tensor, ord: Any, rows: int, columns: int, keepdim: bool) -> Tensor:
    """Norms made of singular values."""
    from .decomposition import svdvals

    values = svdvals(A.movedim((rows, columns), (-2, -1)))
    if ord == "nuc":
        found = values.sum(-1)
    else:
        found = _outermost(values, ord, -1)
    if keepdim:
        for d in sorted((rows, columns)):
            found = found.unsqueeze(d)
    return found


@public(function=False, method=False, out=True, space="linalg")
def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A vector or a matrix norm, by `ord` and the number of dimensions.

    https://pytorch.org/docs/stable/generated/torch.linalg.norm.html

    >>> torch.linalg.norm(torch.tensor([[3., 0.], [0., 4.]]))
    tensor(5.)
    """
    spec = settle(A).spec
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if ord is None:
        return p_norm(_wide(A, dtype, "linalg.vector_norm"), 2, dims, keepdim)
    if dims is None and spec.ndim not in (1, 2) and not isinstance(ord, str):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {spec.ndim}D."
        )
    if isinstance(ord, str) or (len(dims) if dims else spec.ndim) == 2:
        return matrix_norm(A, ord, dims or (-2, -1), keepdim, dtype=dtype)
    return p_norm(_wide(A, dtype, "linalg.vector_norm"), ord, dims, keepdim)


def _norm_of_any(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm over `dim` (all by default); "fro" is the 2-norm, "nuc" the sum of the singular values.

    https://pytorch.org/docs/stable/generated/torch.norm.html

    >>> torch.norm(torch.tensor([3., 4.]))
    tensor(5.)
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", tuple(range(input.dim())) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    order = 2 if p is None or p == "fro" else p
    return p_norm(_wide(input, dtype, "linalg.vector_norm"), order, dim, keepdim)


_norm_of_any.__name__ = _norm_of_any.__qualname__ = "norm"
public(method=True, out=True)(_norm_of_any)
