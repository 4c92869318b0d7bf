"""Statistics of samples, and bounds on norms: covariance, correlation, `dist`, `renorm`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import get_default_dtype
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .matmul import matmul
from .norm import check_not_empty, norm_gradient, norm_of, norm_spec, p_norm
from .public import public, require_tensor
from .rules import pointwise, promoted
from .selection import where


def _floating(x: Tensor) -> Tensor:
    kind = x._value.spec.dtype
    return x if kind.is_floating_point or kind.is_complex else x.to(get_default_dtype())


def _weights(w: Tensor | None, name: str, count: int) -> Tensor | None:
    """fweights or aweights of `cov`, checked."""
    if w is None:
        return None
    spec = settle(w).spec
    whole = not (spec.dtype.is_floating_point or spec.dtype.is_complex)
    if spec.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {spec.ndim} dimensions"
        )
    if whole != (name == "fweights"):
        kinds = "integral" if name == "fweights" else "floating point"
        raise RuntimeError(
            f"cov(): expected {name} to have {kinds} dtype but got {name} with {spec.dtype.scalar_name} dtype"
        )
    if spec.numel != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{spec.numel} != {count}"
        )
    if spec.numel and bool((realize(w) < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return w


@public()
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariance matrix of variables (rows) over observations (columns); the variance of a vector.

    https://pytorch.org/docs/stable/generated/torch.cov.html

    >>> torch.cov(torch.tensor([[0., 2.], [2., 0.]]))
    tensor([[ 2., -2.],
            [-2.,  2.]])
    """
    spec = settle(input).spec
    if spec.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {spec.ndim} dimensions"
        )
    if spec.dtype is dtypes.bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = _floating(input)
    x = x if spec.ndim == 2 else x.reshape(1, -1)
    count = x._value.spec.shape[1]
    w = _joint_weights(_weights(fweights, "fweights", count), _weights(aweights, "aweights", count))
    degrees = _degrees(count, w, fweights, aweights, correction)
    if w is None and count <= correction:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            UserWarning,
            stacklevel=2,
        )
    average = x.sum(1, keepdim=True) / count if w is None else (x * w).sum(1, keepdim=True) / w.sum()
    off = x - average
    weighted = off if w is None else off * w
    found = matmul(weighted, conj(off).t()) / degrees
    return found.reshape(()) if found._value.spec.numel == 1 else found


def _joint_weights(f: Tensor | None, a: Tensor | None) -> Tensor | None:
    if f is None or a is None:
        return f if a is None else a
    return f * a


def _degrees(count: int, w: Tensor | None, f: Tensor | None, a: Tensor | None, correction: int) -> Any:
    """What the squares are divided by."""
    if w is None:
        return max(count - correction, 0)
    total = w.sum()
    if a is None:
        return (total - correction).clamp(min=0)
    if correction == 0:
        return total
    return (total - (w * a).sum() / total * correction).clamp(min=0)


@public()
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables (rows) over observations (columns), within [-1, 1].

    >>> torch.corrcoef(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    spec = settle(input).spec
    if spec.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {spec.ndim} dimensions"
        )
    c = cov(input)
    if c.dim() == 0:
        return c / c
    deviation = c.diagonal()
    deviation = (deviation.real if deviation.is_complex() else deviation).sqrt()
    found = c / deviation.unsqueeze(1) / deviation.unsqueeze(0)
    if not found.is_complex():
        return found.clamp(-1, 1)
    from .complex import complex as join

    return join(found.real.clamp(-1, 1), found.imag.clamp(-1, 1))


def _dist_spec(x: Spec, y: Spec, *, p: float) -> Spec:
    found = pointwise(x, y)
    if not (found.dtype.is_floating_point or found.dtype.is_complex):
        raise RuntimeError(
            f"norm(): input dtype should be either floating point or complex. Got {found.dtype.scalar_name} instead."
        )
    check_not_empty(found, p, None)
    return norm_spec(found, ord=p, dim=None, keepdim=False)


def _dist_gradient(g: Tensor, x: Tensor, y: Tensor, result: Tensor, p: float) -> tuple[Tensor | None, Tensor | None]:
    apart = x - y
    slope = norm_gradient(g, apart, result, apart._value.spec, p, None, False)
    return slope, None if slope is None else -slope


DIST = operation(
    "dist", _dist_spec, lambda x, y, *, p: norm_of(x - y, ord=p, dim=None, keepdim=False),
    compute=lambda x, y, *, p: promoted(x, y),
)  # fmt: skip
DIST.gradient(_dist_gradient)


@public()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of `input - other`.

    >>> torch.dist(torch.tensor([3., 0.]), torch.tensor([0., 4.]))
    tensor(5.)
    """
    for t in (input, other):
        require_tensor(t, "dist", "input" if t is input else "other", 1 + (t is other))
    return apply(DIST, (input, other), (p,))


# ---------------------------------------------------------------------------------------------------------------------
# Bounded norms


def _others(ndim: int, dim: int) -> tuple[int, ...]:
    return tuple(d for d in range(ndim) if d != dim)


def _renorm(x: np.ndarray, maxnorm: float, *, p: float, dim: int) -> np.ndarray:
    size = norm_of(x, ord=p, dim=_others(x.ndim, dim), keepdim=True)
    return x * np.where(size > maxnorm, maxnorm / (size + x.dtype.type(1e-7)), x.dtype.type(1))


def _real(x: Tensor) -> Tensor:
    return x.real if x.is_complex() else x


def _renorm_gradient(g: Tensor, x: Tensor, maxnorm: Any, p: float, dim: int) -> Tensor:
    over = _others(x.dim(), dim)
    size = p_norm(x, p, over, True)
    scale = maxnorm / (size + 1e-7)
    through = -_real(g * conj(x)).sum(over, keepdim=True) * scale / (size + 1e-7)
    bent = norm_gradient(through, x, size, x._value.spec, p, over, True)
    return where(size > maxnorm, g * scale + (0 if bent is None else bent), g)


RENORM = operation("renorm", lambda x, maxnorm, *, p, dim: spec_of(x.shape, x.dtype), _renorm)
RENORM.gradient(x=_renorm_gradient)


@public(inplace=True, out=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along `dim` scaled down so that no p-norm exceeds `maxnorm`.

    >>> torch.renorm(torch.tensor([[3., 4.], [0.3, 0.4]]), 2, 0, 1.)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    spec = settle(input).spec
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if spec.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {spec.ndim} dimensions")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise RuntimeError(
            f"renorm: Expected a floating point or complex tensor as input. Got {spec.dtype.scalar_name}"
        )
    at = normalize_dim(dim, spec.ndim)
    return apply(RENORM, (input, maxnorm), (p, at))
