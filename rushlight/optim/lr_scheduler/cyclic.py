"""Cyclical rates (Smith, 2017, "Cyclical learning rates for training neural networks") and the 1cycle policy (Smith
and Topin, 2017, "Super-convergence").

Both move the momentum against the rate, where the optimizer has one (`momentum`, or the first of `betas`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, Literal

from rushlight.optim.lr_scheduler.base import (
    LRScheduler,
    check_optimizer,
    per_group,
    set_group_momentum,
    set_group_value,
)
from rushlight.optim.optimizer import Optimizer

__all__ = ["CyclicLR", "OneCycleLR"]


def _uses_beta1(optimizer: Optimizer) -> bool:
    """Whether the momentum is the first of `betas`; ValueError where the optimizer has none at all."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
    return "betas" in optimizer.defaults


class CyclicLR(LRScheduler):
    """Moves the rate between two bounds, `step_size_up` steps up and `step_size_down` steps down; step it every batch.

    Args:
        optimizer: the optimizer.
        base_lr, max_lr: the bounds, one for all groups or a list.
        step_size_up, step_size_down: lengths of the two halves of a cycle (down: as up).
        mode: "triangular", "triangular2" (the height is halved each cycle) or "exp_range" (`gamma ** iterations`).
        gamma: for "exp_range".
        scale_fn, scale_mode: a factor on the height of one's own, a function of the "cycle" or of the "iterations".
        cycle_momentum, base_momentum, max_momentum: moves the momentum the other way between these bounds.
        last_epoch: the batch to go on from.

    Raises:
        ValueError: an unknown mode, bounds of another length than the groups, or an optimizer without momentum.
    """

    base_momentums: list[float]
    max_momentums: list[float]

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_group_value(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _start_momentum(self, base: Any, largest: Any, anew: bool) -> None:
        self.use_beta1 = _uses_beta1(self.optimizer)
        self.base_momentums = per_group("base_momentum", self.optimizer, base)
        self.max_momentums = per_group("max_momentum", self.optimizer, largest)
        if not anew:
            return
        bounds = zip(self.max_momentums, self.base_momentums, self.optimizer.param_groups, strict=True)
        for high, low, group in bounds:
            set_group_momentum(group, high, self.use_beta1)
            group["max_momentum"] = high
            group["base_momentum"] = low

    def _init_scale_fn(self) -> None:
        if self._scale_fn_custom is not None:
            return
        if self.mode == "exp_range":
            self._scale_fn_ref: Callable[[float], float] = partial(self._exp_range_scale_fn, self.gamma)
            self.scale_mode = "iterations"
            return
        self._scale_fn_ref = self._triangular_scale_fn if self.mode == "triangular" else self._triangular2_scale_fn
        self.scale_mode = "cycle"

    def scale_fn(self, x: float) -> float:
        """The factor on the height of the cycle."""
        return self._scale_fn_custom(x) if self._scale_fn_custom is not None else self._scale_fn_ref(x)

    @staticmethod
    def _triangular_scale_fn(x: float) -> float:
        return 1.0

    @staticmethod
    def _triangular2_scale_fn(x: float) -> float:
        return 1 / (2.0 ** (x - 1))

    @staticmethod
    def _exp_range_scale_fn(gamma: float, x: float) -> float:
        return gamma**x

    def get_lr(self) -> list[Any]:
        """The rates for this batch; sets the momentum as well."""
        self._warn_if_asked_outside()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        place = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        lrs = [low + (high - low) * place * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]
        if self.cycle_momentum:
            self._set_momentum(place, scale)
        return lrs

    def _set_momentum(self, place: float, scale: float) -> None:
        bounds = zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True)
        for low, high, group in bounds:
            set_group_momentum(group, high - (high - low) * place * scale, self.use_beta1)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of one's own `scale_fn` the attributes, if it is a callable object."""
        state = super().state_dict()
        state.pop("_scale_fn_ref", None)
        custom = state.pop("_scale_fn_custom")
        plain = custom is None or isinstance(custom, FunctionType)
        state["_scale_fn_custom"] = None if plain else custom.__dict__.copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` returned; a `scale_fn` has to be given to the constructor again."""
        attributes = state_dict["_scale_fn_custom"]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if attributes is not None:
            self._scale_fn_custom.__dict__.update(attributes)
        self._init_scale_fn()


class OneCycleLR(LRScheduler):
    """One rise of the rate to `max_lr` and one fall far below where it began; step it every batch.

    Args:
        optimizer: the optimizer.
        max_lr: the highest rate, one for all groups or a list.
        total_steps: number of batches, or else `epochs` times `steps_per_epoch`.
        pct_start: the share of the rise.
        anneal_strategy: "cos" or "linear".
        cycle_momentum, base_momentum, max_momentum: moves the momentum the other way between these bounds.
        div_factor: the first rate is `max_lr / div_factor`.
        final_div_factor: the last rate is the first divided by this.
        three_phase: falls to the first rate as fast as it rose, and then to the last.
        last_epoch: the batch to go on from.

    Raises:
        ValueError: no number of steps, an option out of its range, or an optimizer without momentum.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _phases(pct_start, self.total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        highest = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for high, group in zip(highest, optimizer.param_groups, strict=True):
                group["initial_lr"] = high / div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _start_momentum(self, base: Any, largest: Any, anew: bool) -> None:
        self.use_beta1 = _uses_beta1(self.optimizer)
        if not anew:
            return
        highs = per_group("max_momentum", self.optimizer, largest)
        lows = per_group("base_momentum", self.optimizer, base)
        for high, low, group in zip(highs, lows, self.optimizer.param_groups, strict=True):
            set_group_momentum(group, high, self.use_beta1)
            group["max_momentum"] = high
            group["base_momentum"] = low

    def _anneal_func(self, *args: Any, **kwargs: Any) -> Any:
        if self._anneal_func_type == "cos":
            return self._annealing_cos(*args, **kwargs)
        if self._anneal_func_type == "linear":
            return self._annealing_linear(*args, **kwargs)
        raise ValueError(f"Unknown _anneal_func_type: {self._anneal_func_type}")

    @staticmethod
    def _annealing_cos(start: Any, end: Any, pct: float) -> Any:
        return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)

    @staticmethod
    def _annealing_linear(start: Any, end: Any, pct: float) -> Any:
        return (end - start) * pct + start

    def get_lr(self) -> list[Any]:
        """The rates for this batch; sets the momentum as well.

        Raises:
            ValueError: more steps than `total_steps`.
        """
        self._warn_if_asked_outside()
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        phase, place = self._phase()
        groups = self.optimizer.param_groups
        lrs = [self._anneal_func(group[phase["start_lr"]], group[phase["end_lr"]], place) for group in groups]
        for group in groups if self.cycle_momentum else ():
            start, end = group[phase["start_momentum"]], group[phase["end_momentum"]]
            set_group_momentum(group, self._anneal_func(start, end, place), self.use_beta1)
        return lrs

    def _phase(self) -> tuple[dict[str, Any], float]:
        """The phase that the present step is in, and where in it, from 0 to 1."""
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if self.last_epoch <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        return phase, (self.last_epoch - start) / (end - start)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        if total_steps <= 0 or not isinstance(total_steps, int):
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    if not isinstance(epochs, int) or epochs <= 0:
        raise ValueError(f"Expected positive integer epochs, but got {epochs}")
    if not isinstance(steps_per_epoch, int) or steps_per_epoch <= 0:
        raise ValueError(f"Expected positive integer steps_per_epoch, but got {steps_per_epoch}")
    return epochs * steps_per_epoch


def _phases(pct_start: float, total_steps: int, three_phase: bool) -> list[dict[str, Any]]:
    up = _phase_of(float(pct_start * total_steps) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three_phase:
        return [up, _phase_of(total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    down_end = float(2 * pct_start * total_steps) - 2
    return [
        up,
        _phase_of(down_end, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
        _phase_of(total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
    ]


def _phase_of(end: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
    return {
        "end_step": end,
        "start_lr": start_lr,
        "end_lr": end_lr,
        "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }
