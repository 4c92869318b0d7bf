"""What the distributions share: parameters of one shape and dtype, probabilities against logits, properties computed
once. The names and the path are PyTorch's; programs that define distributions of their own import from here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from numbers import Number
from typing import Any

import rushlight as torch
from rushlight.tensor import Tensor

__all__ = [
    "broadcast_all",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the first tensor's dtype.

    Raises ValueError for anything else.

    >>> [tuple(t.shape) for t in broadcast_all(torch.zeros(3), 1.0)]
    [(3,), (3,)]
    """
    if not all(isinstance(v, Number | Tensor) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    first = next((v for v in values if isinstance(v, Tensor)), None)
    kind = torch.get_default_dtype() if first is None else first.dtype
    tensors = [v if isinstance(v, Tensor) else torch.tensor(v, dtype=kind) for v in values]
    return tuple(torch.broadcast_tensors(*tensors))


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    """Normal numbers with mean 0 and deviation 1."""
    return torch.empty(shape, dtype=dtype, device=device).normal_()


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    if dim == 0:
        return value
    return value.reshape(value.shape[:-dim] + (-1,)).sum(-1)


def either(first: Any, second: Any, names: str = "`probs` or `logits`") -> bool:
    """Whether the first of two alternative parameters was given. Raises ValueError for both and for none."""
    if (first is None) == (second is None):
        raise ValueError(f"Either {names} must be specified, but not both.")
    return first is not None


def batch_shape_of(parameter: Any, *given: Any) -> Any:
    """The shape of a scalar distribution's parameter: empty where the program gave numbers."""
    return torch.Size() if all(isinstance(g, Number) for g in given) else parameter.size()


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities at least the dtype's eps away from 0 and 1."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Sigmoid of binary logits, softmax over the last dimension of others."""
    return torch.sigmoid(logits) if is_binary else torch.nn.functional.softmax(logits, dim=-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log-odds of binary probabilities, logarithms of others."""
    clamped = clamp_probs(probs)
    return torch.log(clamped) - torch.log1p(-clamped) if is_binary else torch.log(clamped)


class lazy_property:
    """A property computed when first read, then kept as a plain attribute."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangles (..., D, D) as rows (..., N), up to diagonal `diag`."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows = torch.arange(n)
    return mat[..., rows < rows.view(-1, 1) + (diag + 1)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The inverse of `tril_matrix_to_vec`: rows (..., N) as lower triangles (..., D, D)."""
    count = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) - n > torch.finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as the lower triangular part of a square "
            "D x D matrix."
        )
    size = round(n)
    matrix = vec.new_zeros(vec.shape[:-1] + (size, size))
    rows = torch.arange(size)
    matrix[..., rows < rows.view(-1, 1) + (diag + 1)] = vec
    return matrix
