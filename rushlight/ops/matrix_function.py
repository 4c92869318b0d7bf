"""Powers, exponentials and products of matrices, and systems of equations between tensors of any shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.strided import broadcast_shapes, normalize_dim
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from . import factorization
from .arithmetic import conj
from .creation import eye, full_like_spec
from .joining import cat, stack
from .linalg import check_floating, check_square, inv, mH, solve
from .matmul import matmul
from .public import SPACES, public
from .rules import check_kind, pointwise
from .view import diagonal, unsafe_view


def _of_linalg(f: Any) -> Any:
    return public(function=False, method=False, out=True, space="linalg")(f)


SPACES["linalg"]["matmul"] = matmul


def _linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices in the last two dimensions (see `torch.diagonal`)."""
    return diagonal(A, offset, dim1, dim2)


SPACES["linalg"]["diagonal"] = _linalg_diagonal

# ---------------------------------------------------------------------------------------------------------------------
# Powers and the exponential


@public(out=True, space="linalg", keywords={"input": "A"})
def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied with itself n times; the inverse's power for negative n.

    https://pytorch.org/docs/stable/generated/torch.linalg.matrix_power.html

    >>> torch.linalg.matrix_power(torch.tensor([[1., 1.], [0., 1.]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    spec = settle(A).spec
    check_square(spec, "linalg.matrix_power")
    if n == 0:
        return full_like_spec(spec, 0) * A + eye(spec.shape[-1], dtype=spec.dtype)
    base = A if n > 0 else inv(A)
    found = None
    for bit in reversed(bin(abs(n))[2:]):
        if bit == "1":
            found = base if found is None else matmul(found, base)
        base = matmul(base, base)
    assert found is not None
    return found if abs(n) > 1 else found.clone()


def _exp_gradient(g: Tensor, x: Tensor) -> Tensor:
    """The upper right block of exp([[x^H, g], [0, x^H]]): I.

    Najfeld and T. Havel, "Derivatives of the matrix exponential" (1995).
    """
    n = x._value.spec.shape[-1]
    adjoint = mH(x)
    zero = full_like_spec(spec_of(x._value.spec.shape, x._value.spec.dtype), 0)
    block = cat([cat([adjoint, g], -1), cat([zero, adjoint], -1)], -2)
    return apply(MATRIX_EXP, (block,))[..., :n, n:]


MATRIX_EXP = operation("matrix_exp", lambda x: spec_of(x.shape, x.dtype), lambda x: factorization.matrix_exp(x),
                       node="LinalgMatrixExpBackward0")  # fmt: skip
MATRIX_EXP.gradient(x=_exp_gradient)


@public(space="linalg", keywords={"input": "A"})
def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of matrices (..., n, n): the sum of A**k / k!.

    https://pytorch.org/docs/stable/generated/torch.linalg.matrix_exp.html
    """
    spec = settle(A).spec
    check_square(spec, "linalg.matrix_exp")
    check_floating(spec, "linalg.matrix_exp", low=True)
    return apply(MATRIX_EXP, (A,))


# ---------------------------------------------------------------------------------------------------------------------
# Products


@public(function=False, method=False, out=True, space="linalg")
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices, in the order that needs the fewest multiplications.

    The first may be a row, the last a column. https://pytorch.org/docs/stable/generated/torch.linalg.multi_dot.html
    """
    factors = list(tensors)
    if len(factors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(factors)}")
    row, column = factors[0].dim() == 1, factors[-1].dim() == 1
    if row:
        factors[0] = factors[0].unsqueeze(0)
    if column:
        factors[-1] = factors[-1].unsqueeze(-1)
    _check_chain(factors, row, column)
    product = _chain(factors)
    shape = product._value.spec.shape
    kept = (() if row else shape[:1]) + (() if column else shape[1:])
    return product.reshape(kept) if kept != shape else product


def _check_chain(factors: list[Tensor], row: bool, column: bool) -> None:
    for i, t in enumerate(factors):
        if t.dim() != 2:
            ends = i in (0, len(factors) - 1)
            raise RuntimeError(
                f"multi_dot(): {'the first and last tensors' if ends else f'tensor {i}'} must be "
                f"{'1D or 2D' if ends else '2D'} but got {t.dim()}D"
            )
        if i and factors[i - 1].shape[1] != t.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i - 1} and {i} with shapes {list(factors[i - 1].shape)} and "
                f"{list(t.shape)} cannot be "
                "multiplied"
            )


def _chain(factors: list[Tensor]) -> Tensor:
    """T. Cormen et al., "Introduction to Algorithms", 15.2."""
    n = len(factors)
    sizes = [f.shape[0] for f in factors] + [factors[-1].shape[1]]
    cost: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j] = min(
                (cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return factors[i]
        k = cost[i, j][1]
        return matmul(product(i, k), product(k + 1, j))

    return product(0, n - 1)


@public(method=False, out=True)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """See `torch.linalg.multi_dot`."""
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@public(out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`.

    >>> torch.kron(torch.tensor([1, 2]), torch.tensor([1, 1]))
    tensor([1, 1, 2, 2])
    """
    a, b = list(settle(input).spec.shape), list(settle(other).spec.shape)
    n = max(len(a), len(b))
    a, b = [1] * (n - len(a)) + a, [1] * (n - len(b)) + b
    left = input.reshape([size for m in a for size in (m, 1)])
    right = other.reshape([size for m in b for size in (1, m)])
    return unsafe_view(left * right, tuple([p * q for p, q in zip(a, b, strict=True)]))


def _cross_spec(x: Spec, y: Spec, *, dim: int) -> Spec:
    found = pointwise(x, y)
    check_kind(found, "cross", complexes=True)
    if x.ndim != y.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    for s in (x, y):
        if s.shape[dim] != 3:
            raise RuntimeError(
                f"linalg.cross: inputs dimension {dim} must have length 3. Got {x.shape[dim]} and {y.shape[dim]}"
            )
    return spec_of(found.shape, found.dtype)


def _cross_kernel(x: Any, y: Any, *, dim: int) -> Any:
    import numpy as np

    return np.cross(x, y, axis=dim)


CROSS = operation(
    "cross",
    _cross_spec,
    _cross_kernel,
    compute=lambda x, y, *, dim: pointwise.compute(x, y),  # type: ignore[attr-defined]
    node="LinalgCrossBackward0",
)
CROSS.gradient(
    x=lambda g, y, dim: apply(CROSS, (conj(y), g), (dim,)),
    y=lambda g, x, dim: apply(CROSS, (g, conj(x)), (dim,)),
)


def _linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of three elements along `dim`, broadcast.

    >>> torch.linalg.cross(torch.tensor([1., 0., 0.]), torch.tensor([0., 1., 0.]))
    tensor([0., 0., 1.])
    """
    x, y = settle(input).spec, settle(other).spec
    if x.ndim != y.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    return apply(CROSS, (input, other), (normalize_dim(dim, x.ndim),))


_linalg_cross.__name__ = "cross"
_of_linalg(_linalg_cross)


@public(out=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """See `torch.linalg.cross`; without `dim` along the first dimension of size 3."""
    if dim is None:
        warnings.warn(
            "Using torch.cross without specifying the dim arg is deprecated: the default of torch.linalg.cross is -1.",
            UserWarning,
            stacklevel=2,
        )
        sizes = broadcast_shapes(settle(input).spec.shape, settle(other).spec.shape)
        if 3 not in sizes:
            raise RuntimeError("no dimension of size 3 in input")
        dim = sizes.index(3)
    return _linalg_cross(input, other, dim=dim)


@_of_linalg
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of vectors along `dim`, the first conjugated, broadcast.

    >>> torch.linalg.vecdot(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor(11.)
    """
    check_floating(settle(x).spec, "linalg.vecdot", low=True)
    return (conj(x) * y).sum(dim)


def _powers_of(x: Tensor, N: int) -> Tensor:
    ones = full_like_spec(settle(x).spec, 1)
    columns = [ones]
    for _ in range(1, N):
        columns.append(columns[-1] * x)
    return stack(columns, -1) if columns else ones


@_of_linalg
def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The Vandermonde matrices of vectors (..., n): rows 1, x, x**2, ... up to x**(N - 1)."""
    spec = settle(x).spec
    x = x if spec.ndim else x.reshape(1)
    count = x._value.spec.shape[-1] if N is None else N
    if N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    t = x.to(dtypes.int64) if not (spec.dtype.is_floating_point or spec.dtype.is_complex) else x
    return _powers_of(t, count)


def _vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix of a vector: columns x**(N - 1) ... 1, or the other way round if `increasing`."""
    if settle(x).spec.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._value.spec.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    t = x.to(dtypes.int64) if not (x.is_floating_point() or x.is_complex()) else x
    if count == 0:
        return t.new_empty((x._value.spec.shape[0], 0))
    found = _powers_of(t, count)
    return found if increasing else found.flip(1)


_vander.__name__ = "vander"
public(method=False)(_vander)

# ---------------------------------------------------------------------------------------------------------------------
# Equations between tensors


@_of_linalg
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its dimensions `ind` and up to those below.

    https://pytorch.org/docs/stable/generated/torch.linalg.tensorinv.html
    """
    shape = settle(A).spec.shape
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    left, right = shape[:ind], shape[ind:]
    if math.prod(left) != math.prod(right):
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{math.prod(right)} != {math.prod(left)}"
        )
    return inv(A.reshape(math.prod(left), math.prod(right))).reshape(*right, *left)


@_of_linalg
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B.

    https://pytorch.org/docs/stable/generated/torch.linalg.tensorsolve.html
    """
    if dims is not None:
        last = [d % A.dim() for d in dims]
        A = A.permute(*[d for d in range(A.dim()) if d not in last], *last)
    n = B.dim()
    shape = tuple(settle(A).spec.shape[n:])
    if math.prod(shape) != math.prod(settle(A).spec.shape[:n]):
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            "prod(self.shape[:other.ndim]), but "
            f"got {math.prod(shape)} != {math.prod(A._value.spec.shape[:n])}"
        )
    size = math.prod(shape)
    return solve(A.reshape(-1, size), B.reshape(-1)).reshape(shape)


# ---------------------------------------------------------------------------------------------------------------------
# Reflections


def _reflected(v: Tensor, tau: Tensor, k: int, x: Tensor, adjoint: bool = False) -> Tensor:
    """H_k x, where H_k = 1 - tau_k v_k v_k^H leaves the first k rows alone."""
    one = full_like_spec(spec_of((*v._value.spec.shape[:-2], 1), v._value.spec.dtype), 1)
    w = cat([one, v[..., k + 1 :, k]], -1).unsqueeze(-1)
    factor = tau[..., k, None, None]
    changed = x[..., k:, :] - (conj(factor) if adjoint else factor) * matmul(w, matmul(mH(w), x[..., k:, :]))
    return cat([x[..., :k, :], changed], -2) if k else changed


def _householder_gradient(g: Tensor, needs: Any, v: Tensor, tau: Tensor) -> tuple[Tensor | None, ...]:
    """Back through the reflections one by one; each state is made again from the one after it."""
    if not v._value.spec.numel or not tau._value.spec.numel:
        return None, None
    m, n = v._value.spec.shape[-2:]
    identity = eye(m, n, dtype=v._value.spec.dtype)
    states = [identity.expand(*v._value.spec.shape[:-2], m, n)]
    count = tau._value.spec.shape[-1]
    for k in reversed(range(count)):
        states.append(_reflected(v, tau, k, states[-1]))
    columns: list[Tensor] = []
    factors: list[Tensor] = []
    for k in range(count):
        gv, gt = _one_reflection(g, v, tau, k, states[count - 1 - k])
        columns.append(gv)
        factors.append(gt)
        g = _reflected(v, tau, k, g, adjoint=True)
    rest = full_like_spec(spec_of((*v._value.spec.shape[:-1], n - count), v._value.spec.dtype), 0)
    return cat([stack(columns, -1), rest], -1), stack(factors, -1)


def _one_reflection(g: Tensor, v: Tensor, tau: Tensor, k: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of Re<g, H_k x> with respect to v_k and tau_k."""
    spec = v._value.spec
    one = full_like_spec(spec_of((*spec.shape[:-2], 1), spec.dtype), 1)
    w = cat([one, v[..., k + 1 :, k]], -1).unsqueeze(-1)
    below, slope = x[..., k:, :], g[..., k:, :]
    along_x, along_g = matmul(mH(w), below), matmul(mH(w), slope)
    factor = tau[..., k, None, None]
    gt = -(conj(along_x) * along_g).sum((-2, -1))
    gw = -(matmul(slope, mH(along_x)) * conj(factor) + matmul(below, mH(along_g)) * factor)
    zero = full_like_spec(spec_of((*spec.shape[:-2], k + 1), spec.dtype), 0)
    return cat([zero, gw[..., 1:, 0]], -1), gt


HOUSEHOLDER = operation(
    "householder_product",
    lambda v, tau: spec_of(v.shape, v.dtype),
    lambda v, tau: factorization.reflections(v, tau),
    node="LinalgHouseholderProductBackward0",
)
HOUSEHOLDER.gradient(_householder_gradient)


@public(function=False, method=False, out=True, space="linalg")
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of the product of reflections: their vectors are A's columns, their factors `tau`.

    Shapes: A (..., m, n), tau (..., k); result (..., m, n).

    https://pytorch.org/docs/stable/generated/torch.linalg.householder_product.html
    """
    a, t = settle(A).spec, settle(tau).spec
    if a.ndim < 2:
        raise RuntimeError("torch.linalg.householder_product: input must have at least 2 dimensions.")
    if a.shape[-2] < a.shape[-1]:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if a.shape[-1] < t.shape[-1]:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    return apply(HOUSEHOLDER, (A, tau))


@public()
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """See `torch.linalg.householder_product`."""
    return householder_product(input, input2)


def _check_reflections(a: Spec, tau: Spec, other: Spec, left: bool) -> None:
    """Raises PyTorch's error unless these reflections multiply a matrix like `other`."""
    side = -2 if left else -1
    for spec, name in ((a, "input"), (other, "other")):
        if spec.ndim < 2:
            raise RuntimeError(f"torch.ormqr: {name} must have at least 2 dimensions.")
    if not tau.ndim or tau.shape[-1] > a.shape[-1]:
        raise RuntimeError("torch.ormqr: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if tau.shape[-1] > other.shape[side]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    if a.shape[-2] != other.shape[side]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")


@public(out=True, keywords={"input2": "tau", "input3": "other"})
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """`other` times the whole product Q of reflections: Q other, or other Q if not `left`; Q^H if `transpose`."""
    _check_reflections(settle(input).spec, settle(tau).spec, settle(other).spec, left)
    count = tau._value.spec.shape[-1]
    x = other if left else mH(other)
    backwards = transpose == left  # (other Q)^H = Q^H other^H
    for k in range(count) if backwards else reversed(range(count)):
        x = _reflected(input, tau, k, x, adjoint=backwards)
    return x if left else mH(x)
