"""Checks of derivatives against finite differences: `gradcheck` and `gradgradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.ops.creation import wrap
from rushlight.record.trace import realize
from rushlight.record.value import Tensor


class GradcheckError(RuntimeError):
    """A derivative that does not agree with finite differences."""


def _tensors(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the derivatives of `func` agree with finite differences, for float64 and complex128 inputs.

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html

    >>> x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(lambda x: x.exp(), (x,))
    True
    """
    args = _tensors(inputs)
    try:
        for i in _differentiable(args):
            _check_input(func, args, i, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _differentiable(args: Sequence[Any]) -> list[int]:
    found = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    return found


def _outputs(func: Callable[..., Any], args: Sequence[Any]) -> list[Tensor]:
    found = [t for t in _tensors(func(*args)) if isinstance(t, Tensor)]
    return [t for t in found if t.is_floating_point() or t.is_complex()]


def _check_input(func: Any, args: Sequence[Any], i: int, eps: float, atol: float, rtol: float) -> None:
    numeric = _numeric(func, args, i, eps)
    for k, analytic in enumerate(_analytic(func, args, i)):
        if not np.allclose(analytic, numeric[k], rtol=rtol, atol=atol, equal_nan=True):
            raise GradcheckError(
                f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{wrap(numeric[k])}\n"
                f"analytical:{wrap(analytic)}\n"
            )


def _numeric(func: Any, args: Sequence[Any], i: int, eps: float) -> list[np.ndarray]:
    """Central differences: for each output a Jacobian of shape (input elements, output elements)."""
    x = np.array(realize(args[i]), order="C")
    rows: list[list[np.ndarray]] = []
    for at in range(x.size):
        rows.append(_difference(func, args, i, x, at, eps))
    count = len(rows[0]) if rows else len(_outputs(func, args))
    return [np.stack([r[k] for r in rows]) if rows else np.zeros((0, 0)) for k in range(count)]


def _difference(func: Any, args: Sequence[Any], i: int, x: np.ndarray, at: int, eps: float) -> list[np.ndarray]:
    def moved(step: complex) -> list[np.ndarray]:
        y = x.copy()
        y.reshape(-1)[at] += step
        other = wrap(y).requires_grad_()
        changed = [other if a is args[i] else a for a in args]
        return [np.array(realize(t)).reshape(-1) for t in _outputs(func, changed)]

    real = [(p - m) / (2 * eps) for p, m in zip(moved(eps), moved(-eps), strict=True)]
    if not np.iscomplexobj(x):
        return real
    imaginary = [(p - m) / (2 * eps) for p, m in zip(moved(eps * 1j), moved(-eps * 1j), strict=True)]
    return [a + 1j * b if not np.iscomplexobj(a) else 0.5 * (a.conj() + 1j * b.conj()) for a, b in
            zip(real, imaginary, strict=True)]  # fmt: skip


def _analytic(func: Any, args: Sequence[Any], i: int) -> list[np.ndarray]:
    from rushlight.autograd import grad

    jacobians = []
    for t in _outputs(func, args):
        columns = []
        shape, kind = tuple(t.shape), realize(t).dtype
        for at in range(t.numel()):
            basis = np.zeros(t.numel(), kind)
            basis[at] = 1
            g = None
            if t.requires_grad:
                (g,) = grad(t, [args[i]], wrap(basis.reshape(shape)), retain_graph=True, allow_unused=True)
            zero = np.zeros(args[i].numel(), realize(args[i]).dtype)
            columns.append(zero if g is None else np.array(realize(g)).reshape(-1))
        jacobians.append(np.stack(columns, 1) if columns else np.zeros((args[i].numel(), 0)))
    return jacobians


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **options: Any) -> bool:
    """Whether the second derivatives of `func` agree with finite differences of the first."""
    from rushlight.autograd import grad

    args = _tensors(inputs)
    wanted = _differentiable(args)
    outputs = _outputs(func, args)
    if grad_outputs is None:
        noise = np.random.default_rng(0)
        given = [wrap(noise.standard_normal(tuple(t.shape)).astype(realize(t).dtype)).requires_grad_() for t in outputs]
    else:
        given = list(_tensors(grad_outputs))
    n = len(args)

    def first(*both: Any) -> tuple[Tensor, ...]:
        results = list(_outputs(func, both[:n]))
        found = grad(results, [both[i] for i in wanted], list(both[n:]), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    options.pop("gen_non_contig_grad_outputs", None)
    return gradcheck(first, (*args, *given), **options)
