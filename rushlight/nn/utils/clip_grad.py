"""Limiting gradients before an optimizer step: all together by their norm, or each number by itself."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from rushlight.autograd import no_grad
from rushlight.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Sequence[Tensor]) -> list[Any]:
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The `norm_type`-norm of all tensors together, as a scalar. `foreach` makes no difference.

    Raises RuntimeError with `error_if_nonfinite` for a norm that is inf or nan.
    """
    import rushlight

    tensors, norm_type = _listed(tensors), float(norm_type)
    if not tensors:
        return rushlight.tensor(0.0)  # type: ignore[operator]
    with no_grad():
        norms = [rushlight.linalg.vector_norm(t, norm_type) for t in tensors]
        total = rushlight.linalg.vector_norm(rushlight.stack([n.to(tensors[0].device) for n in norms]), norm_type)
        if error_if_nonfinite and not total.isfinite():
            raise RuntimeError(
                f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
                "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
                "`error_if_nonfinite=False`"
            )
        return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients by max_norm / (total_norm + 1e-6) where that is below 1."""
    import rushlight

    with no_grad():
        grads = _grads(_listed(parameters))
        if grads:
            factor = rushlight.clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
            for grad in grads:
                grad.mul_(factor.to(grad.device))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients so that their norm, all together, is at most `max_norm`; returns the norm before.

    >>> import rushlight
    >>> w = rushlight.zeros(2, requires_grad=True)
    >>> w.grad = rushlight.tensor([3.0, 4.0])  # type: ignore[operator]
    >>> clip_grad_norm_(w, 1.0)
    tensor(5.)
    """
    is_generator = isinstance(parameters, Generator)
    parameters = _listed(parameters)
    if is_generator and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Deprecated: `clip_grad_norm_`; warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Cut every number of the gradients off at -clip_value and clip_value."""
    with no_grad():
        for grad in _grads(_listed(parameters)):
            grad.clamp_(min=-float(clip_value), max=float(clip_value))


_get_total_norm = get_total_norm
_clip_grads_with_norm_ = clip_grads_with_norm_
