"""Checks of derivatives against finite differences: `gradcheck` and `gradgradcheck`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.caller import stacklevel
from rushlight.core.dtype import complex128, float64
from rushlight.core.layout import strided
from rushlight.ops.creation import wrap
from rushlight.record.trace import realize
from rushlight.record.value import TENSORS, Tensor


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
    if any(isinstance(x, Tensor) and x.__class__ not in TENSORS for x in _tensors(inputs)):
        from rushlight.sparse import of_values

        func, inputs = of_values(func, inputs)
    args = _tensors(inputs)
    _check_inputs(args, eps)
    try:
        for i in _differentiable(args):
            numeric = _numeric(func, args, i, eps)
            if check_backward_ad:
                analytic = _analytic(func, args, i)
                _check_repeatable(analytic, _analytic(func, args, i), nondet_tol)
                _compare(numeric, analytic, i, atol, rtol)
            if check_forward_ad:
                _compare(numeric, _pushed_forward(func, args, i), i, atol, rtol)
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


def _check_inputs(args: Sequence[Any], eps: float) -> None:
    """Warns of inputs too coarse for finite differences; refuses those whose elements lie in one place."""
    for i in _differentiable(args):
        x = args[i]
        if x.dtype not in (float64, complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                "will likely fail if all the inputs are not of double precision floating point or complex. ",
                UserWarning,
                stacklevel=stacklevel(),
            )
        if x.layout is strided and any(step == 0 and n > 1 for step, n in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck."
            )


def _check_repeatable(first: list[Any], again: list[Any], tolerance: float) -> None:
    """Raises GradcheckError where a second backward pass gives other gradients than the first."""
    for one, other in zip(first, again, strict=True):
        if any(np.abs(a - b).max(initial=0) > tolerance for a, b in zip(one, other, strict=True)):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                "gives different values, although analytical gradient matches numerical gradient. The tolerance for "
                f"nondeterminism was {tolerance}."
            )


def _outputs(func: Callable[..., Any], args: Sequence[Any]) -> list[Tensor]:
    found = [t for t in _tensors(func(*args)) if isinstance(t, Tensor)]
    return [t for t in found if t.is_floating_point() or t.is_complex()]


def _compare(numeric: list[Any], analytic: list[Any], i: int, atol: float, rtol: float) -> None:
    for k, pair in enumerate(zip(numeric, analytic, strict=True)):
        for wanted, found in zip(*pair, strict=True):
            if not np.allclose(found, wanted, rtol=rtol, atol=atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{wrap(wanted)}\n"
                    f"analytical:{wrap(found)}\n"
                )


# A Jacobian has the shape (input elements, output elements). A complex output has two: the gradients that arrive with
# 1 and with 1j at the output, which are the derivatives of its real and of its imaginary part.


def _numeric(func: Any, args: Sequence[Any], i: int, eps: float) -> list[list[np.ndarray]]:
    """Central differences: the Jacobians of each output."""
    x = np.array(realize(args[i]), order="C")
    return _stacked(func, args, [_difference(func, args, i, x, at, eps) for at in range(x.size)])


def _stacked(func: Any, args: Sequence[Any], rows: list[list[list[np.ndarray]]]) -> list[list[np.ndarray]]:
    if not rows:
        return [[np.zeros((0, t.numel()))] * (1 + t.is_complex()) for t in _outputs(func, args)]
    return [[np.stack(parts) for parts in zip(*of_output, strict=True)] for of_output in zip(*rows, strict=True)]


def _difference(func: Any, args: Sequence[Any], i: int, x: np.ndarray, at: int, eps: float) -> list[list[np.ndarray]]:
    """A row of each Jacobian of each output."""

    def moved(step: complex) -> list[np.ndarray]:
        y = x.copy()
        y.reshape(-1)[at] += step
        other = wrap(y).requires_grad_()
        changed = [other if a is args[i] else a for a in args]
        return [np.array(realize(t)).reshape(-1) for t in _outputs(func, changed)]

    def slopes(step: complex) -> list[np.ndarray]:
        return [(p - m) / (2 * eps) for p, m in zip(moved(step), moved(-step), strict=True)]

    real = slopes(eps)
    return _row(real, slopes(eps * 1j) if np.iscomplexobj(x) else [np.zeros_like(a) for a in real])


def _row(real: list[np.ndarray], imaginary: list[np.ndarray]) -> list[list[np.ndarray]]:
    """A row of each Jacobian, from the slopes along the real and the imaginary part of an element."""
    return [
        [a.real + 1j * b.real, a.imag + 1j * b.imag] if np.iscomplexobj(a) else [a + 1j * b]
        for a, b in zip(real, imaginary, strict=True)
    ]


def _pushed_forward(func: Any, args: Sequence[Any], i: int) -> list[list[np.ndarray]]:
    """The Jacobians of each output from forward-mode derivatives."""
    x = realize(args[i])

    def slopes(at: int, step: complex) -> list[np.ndarray]:
        from rushlight.autograd.forward_ad import dual_level, make_dual, unpack_dual

        direction = np.zeros(x.size, x.dtype)
        direction[at] = step
        with dual_level():
            dual = make_dual(args[i].detach(), wrap(direction.reshape(x.shape)))
            outputs = _outputs(func, [dual if a is args[i] else a for a in args])
            pairs = [(t, unpack_dual(t).tangent) for t in outputs]
        return [
            np.zeros(t.numel(), realize(t).dtype) if v is None else np.array(realize(v)).reshape(-1) for t, v in pairs
        ]

    rows = []
    for at in range(x.size):
        real = slopes(at, 1)
        rows.append(_row(real, slopes(at, 1j) if np.iscomplexobj(x) else [np.zeros_like(a) for a in real]))
    return _stacked(func, args, rows)


def _analytic(func: Any, args: Sequence[Any], i: int) -> list[list[np.ndarray]]:
    """The Jacobians of each output from backward passes."""
    return [
        [_passed_back(t, args[i], arriving) for arriving in ((1, 1j) if t.is_complex() else (1,))]
        for t in _outputs(func, args)
    ]


def _passed_back(t: Tensor, x: Tensor, arriving: complex) -> np.ndarray:
    from rushlight.autograd import grad

    columns = []
    for at in range(t.numel()):
        basis = np.zeros(t.numel(), realize(t).dtype)
        basis[at] = arriving
        g = None
        if t.requires_grad:
            (g,) = grad(t, [x], wrap(basis.reshape(tuple(t.shape))), retain_graph=True, allow_unused=True)
        columns.append(np.zeros(x.numel()) if g is None else np.array(realize(g)).reshape(-1))
    return np.stack(columns, 1) if columns else np.zeros((x.numel(), 0))


def _noise_like(t: Tensor, noise: np.random.Generator) -> Tensor:
    drawn = noise.standard_normal(tuple(t.shape))
    if t.is_complex():
        return wrap((drawn + 1j * noise.standard_normal(tuple(t.shape))).astype(realize(t).dtype))
    return wrap(drawn.astype(realize(t).dtype))


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **options: Any) -> bool:
    """Whether the second derivatives of `func` agree with finite differences of the first."""
    from rushlight.autograd import grad

    args = _tensors(inputs)
    wanted = _differentiable(args)
    outputs = _outputs(func, args)
    if grad_outputs is None:
        noise = np.random.default_rng(0)
        given = [_noise_like(t, noise).requires_grad_() for t in outputs]
    else:
        given = list(_tensors(grad_outputs))
    n = len(args)

    def first(*both: Any) -> tuple[Tensor, ...]:
        results = list(_outputs(func, both[:n]))
        found = grad(results, [both[i] for i in wanted], list(both[n:]), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    options.pop("gen_non_contig_grad_outputs", None)
    return gradcheck(first, (*args, *given), **options)
