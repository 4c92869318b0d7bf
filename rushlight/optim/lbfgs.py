"""L-BFGS (Liu and Nocedal, 1989), with the line search of Nocedal and Wright, "Numerical optimization", algorithms
3.5 and 3.6 with cubic interpolation, as Mark Schmidt's minFunc does it, whose constants PyTorch took over.

All parameters are seen as one flat vector. A step asks the closure for the loss several times: `_Search` holds the
point being tried, `two_loop_direction` turns the gradient into a direction by the pairs (change of gradient, change
of parameters) remembered in the state, and `strong_wolfe` chooses how far to go.

What PyTorch computes with tensors of one element (slopes, and step lengths made from them) are NumPy numbers of the
parameters' precision here (`_number`): they meet Python's floats by the same rules, so they round alike, and near the
minimum the conditions of the line search come out alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rushlight
from rushlight.ops.two_loop import TWO_LOOP
from rushlight.optim.optimizer import Optimizer, ParamsT
from rushlight.optim.update import as_number
from rushlight.optim.validation import check_lr
from rushlight.record.spec import spec_of
from rushlight.record.trace import apply, realize, recorder
from rushlight.record.value import tensor_holding
from rushlight.tensor import Tensor

__all__ = ["LBFGS"]

_C1, _C2 = 1e-4, 0.9  # sufficient decrease and curvature (Nocedal and Wright, section 3.1)
_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


class Point(NamedTuple):
    """A point on the line: step length, loss, gradient, slope along the line (a number as `_number` makes them)."""

    t: float
    loss: float
    grad: Tensor
    slope: float


@np.errstate(all="ignore")
def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic with the losses and slopes of `a` and `b` is least, kept within `bounds` (a.t and b.t)."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    d2_square = d1**2 - a.slope * b.slope
    if not d2_square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(d2_square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    bend = right.slope - left.slope + 2 * d2
    if bend == 0:
        return low
    return min(max(right.t - (right.t - left.t) * ((right.slope + d2 - d1) / bend), low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    d_norm: float,
    tolerance_change: float = 1e-9,
    trials: int = 25,
) -> tuple[Point, int]:
    """A point that fulfils the strong Wolfe conditions, or the best one found after the first step length and `trials`
    more; and how often the loss was asked for."""
    new = evaluate(t)
    evaluations, previous, done = 1, start, False
    bracket = [start, new]
    for trial in range(trials):
        if _too_high(new, start) or (trial > 1 and new.loss >= previous.loss):
            bracket = [previous, new]
            break
        if abs(new.slope) <= -_C2 * start.slope:
            bracket, done = [new], True
            break
        if new.slope >= 0:
            bracket = [previous, new]
            break
        bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10)
        t = cubic_minimum(previous, new, bounds)
        previous, new = new, evaluate(t)
        evaluations += 1
    else:
        return min((start, new), key=lambda point: point.loss), evaluations
    if done:
        return new, evaluations
    return _zoom(evaluate, start, bracket, d_norm, tolerance_change, evaluations, trials)


@np.errstate(all="ignore")
def _too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + _C1 * point.t * start.slope


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    d_norm: float,
    tolerance_change: float,
    evaluations: int,
    trials: int,
) -> tuple[Point, int]:
    """Narrows a bracket that holds a good point until one is found; `bracket[low]` is the better end."""
    stalled = False
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    while evaluations - 1 < trials and not abs(bracket[1].t - bracket[0].t) * d_norm < tolerance_change:
        t, stalled = _inside(bracket, cubic_minimum(bracket[0], bracket[1]), stalled)
        new = evaluate(t)
        evaluations += 1
        if _too_high(new, start) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        done = abs(new.slope) <= -_C2 * start.slope
        if not done and new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
        if done:
            break
    return bracket[low], evaluations


def _inside(bracket: list[Point], t: float, stalled: bool) -> tuple[float, bool]:
    """Moves a trial that is too near an end of the bracket inwards, the second time in a row; (trial, stalled)."""
    left, right = sorted(point.t for point in bracket)
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not (stalled or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def two_loop_direction(grad: Tensor, state: dict[str, Any], history_size: int) -> Tensor:
    """-H grad by the two-loop recursion, H the inverse Hessian that the remembered pairs suggest."""
    pairs = state["old_dirs"], state["old_stps"], state["ro"]
    direction, factors = apply(TWO_LOOP, (grad, state["H_diag"], *pairs[0], *pairs[1], *pairs[2]))
    kept, spec = state.setdefault("al", [None] * history_size), spec_of((), grad.dtype)
    kept[: len(pairs[0])] = [tensor_holding(np.array(x), spec) for x in realize(factors)]
    return direction  # type: ignore[no-any-return]


def remember_pair(grad: Tensor, state: dict[str, Any], history_size: int) -> None:
    """Adds the last change of gradient and parameters to the memory, unless the curvature along it is not positive."""
    change, move = grad - state["prev_flat_grad"], state["d"] * state["t"]
    curvature = change.dot(move)
    if not curvature > 1e-10:
        return
    for name, value in (("old_dirs", change), ("old_stps", move), ("ro", 1.0 / curvature)):
        if len(state[name]) == history_size:
            state[name].pop(0)
        state[name].append(value)
    state["H_diag"] = curvature / change.dot(change)


class LBFGS(Optimizer):
    """L-BFGS, for smooth losses on full batches; `step` needs a closure.

    Args:
        params: what to optimize, one group.
        lr: length of a step, a number or a tensor of one.
        max_iter, max_eval: most iterations and evaluations of the loss in one `step` (`max_iter * 5 // 4`).
        tolerance_grad, tolerance_change: stops where the gradient, or what a step changes, is smaller.
        history_size: how many pairs are remembered.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ValueError: a negative `lr`, or several parameter groups.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = dict(
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of up to `max_iter` iterations; returns the loss at the start.

        A closure that raises leaves parameters and state as they were.

        Raises:
            RuntimeError: no closure, or an unknown line search.
        """
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        if len(self.param_groups) != 1:
            raise AssertionError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        with rushlight.no_grad():
            state = self.state[self._params[0]]
            memory = {key: list(value) if isinstance(value, list) else value for key, value in state.items()}
            params = self._values()
            try:
                first = self._minimize(closure, state)
            except BaseException:
                self._set_values(params)
                state.clear()
                state.update(memory)
                raise
        recorder().flush()
        return first

    def _minimize(self, closure: Callable[[], Any], state: dict[str, Any]) -> Any:
        group = self.param_groups[0]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with rushlight.enable_grad():
            first = closure()
        state["func_evals"] += 1
        loss, grad = float(as_number(first)), self._flat_grad()
        if _largest(grad) <= group["tolerance_grad"]:
            return first
        evaluations, iterations = 1, 0
        while iterations < group["max_iter"]:
            iterations += 1
            state["n_iter"] += 1
            slope, t = self._choose_direction(grad, loss, state)
            if slope > -group["tolerance_change"]:
                break
            point, asked = self._move(closure, Point(0.0, loss, grad, slope), t, state, iterations, evaluations)
            evaluations += asked
            state["func_evals"] += asked
            loss, grad = point.loss, point.grad
            if evaluations >= group["max_eval"] or self._settled(point, state, iterations):
                break
        return first

    def _choose_direction(self, grad: Tensor, loss: float, state: dict[str, Any]) -> tuple[float, float]:
        """Puts the direction into the state; the slope along it, and the first step length to try."""
        group = self.param_groups[0]
        t = as_number(group["lr"])
        if state["n_iter"] == 1:
            with np.errstate(all="ignore"):
                t = min(1.0, 1.0 / _number(grad.abs().sum())) * t
            state.update(d=-grad, old_dirs=[], old_stps=[], ro=[], H_diag=1)
        else:
            remember_pair(grad, state, group["history_size"])
            state.update(d=two_loop_direction(grad, state, group["history_size"]))
        state.update(t=float(t), prev_flat_grad=grad, prev_loss=loss)
        return _number(grad.dot(state["d"])), t

    def _move(
        self,
        closure: Callable[[], Any],
        start: Point,
        t: float,
        state: dict[str, Any],
        iterations: int,
        evaluations: int,
    ) -> tuple[Point, int]:
        """Moves the parameters along the direction; the point reached and how often the loss was asked for."""
        group = self.param_groups[0]
        direction = state["d"]
        if group["line_search_fn"] is None:
            self._add(t, direction)
            if iterations == group["max_iter"]:  # the last loss would only be thrown away
                return start._replace(t=t), 0
            return self._evaluate(closure, t, direction), 1
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        origin = self._values()

        def evaluate(t: float) -> Point:
            self._add(t, direction)
            point = self._evaluate(closure, t, direction)
            self._set_values(origin)
            return point

        trials = group["max_eval"] - evaluations
        point, asked = strong_wolfe(evaluate, start, t, _largest(direction), trials=trials)
        state["t"] = float(point.t)
        self._add(point.t, direction)
        return point, asked

    def _settled(self, point: Point, state: dict[str, Any], iterations: int) -> bool:
        group = self.param_groups[0]
        if iterations == group["max_iter"]:
            return True
        if _largest(point.grad) <= group["tolerance_grad"]:
            return True
        if _largest(state["d"] * state["t"]) <= group["tolerance_change"]:
            return True
        return abs(point.loss - state["prev_loss"]) < group["tolerance_change"]

    # ---- the parameters as one flat vector

    def _evaluate(self, closure: Callable[[], Any], t: float, direction: Tensor) -> Point:
        with rushlight.enable_grad():
            loss = float(as_number(closure()))
        grad = self._flat_grad()
        return Point(t, loss, grad, _number(grad.dot(direction)))

    def _flat_grad(self) -> Tensor:
        return rushlight.cat([_flat(p.grad if p.grad is not None else rushlight.zeros_like(p)) for p in self._params])

    def _add(self, t: float, direction: Tensor) -> None:
        at = 0
        for param in self._params:
            real = rushlight.view_as_real(param) if param.is_complex() else param
            size = real.numel()
            real.add_(direction[at : at + size].view_as(real), alpha=float(t))
            at += size

    def _values(self) -> list[Tensor]:
        return [param.detach().clone() for param in self._params]

    def _set_values(self, values: list[Tensor]) -> None:
        with rushlight.no_grad():
            for param, value in zip(self._params, values, strict=True):
                param.copy_(value)


def _flat(grad: Tensor) -> Tensor:
    grad = rushlight.view_as_real(grad) if grad.is_complex() else grad
    return grad.detach().reshape(-1)


def _number(x: Tensor) -> Any:
    """A tensor of one element as a number that keeps its precision in arithmetic; double precision is Python's own."""
    return np.float32(x.item()) if x.dtype is rushlight.float32 else x.item()


def _largest(x: Tensor) -> Any:
    return _number(x.abs().max())
