"""Averages of a model's parameters over training: stochastic weight averaging (Izmailov et al., 2018, "Averaging
weights leads to wider optima and better generalization") and the exponential moving average.

`AveragedModel` keeps a copy of a model and moves it towards the model at each `update_parameters`, all parameters in
one memoised edge; `SWALR` brings the rate to a constant; `update_bn` collects the running statistics of the averaged
model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any, Literal

import rushlight
from rushlight.nn.module import Module
from rushlight.optim.lr_scheduler.base import LRScheduler, per_group
from rushlight.optim.optimizer import Optimizer
from rushlight.optim.state import number_tensor
from rushlight.optim.update import Number, lerp, replace
from rushlight.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]
Average = Callable[[Tensor, Tensor, Any], Tensor]


def _mix(small: bool, tensors: Sequence[Tensor], numbers: Sequence[Number]) -> list[Tensor | None]:
    """Each averaged tensor of the first half moved by the weight `numbers[0]` towards its partner in the second."""
    half = len(tensors) // 2
    weight = numbers[0]
    news: list[Tensor | None] = []
    for averaged, current in zip(tensors[:half], tensors[half:], strict=True):
        if averaged.is_floating_point() or averaged.is_complex():
            new = lerp(averaged, current, weight, small=small)
        else:
            new = averaged * (1 - weight) + current * weight
        news.append(new if new.dtype == averaged.dtype else new.to(averaged.dtype))
    return news


def _move(averaged: Sequence[Tensor], current: Sequence[Tensor], weight: float) -> None:
    small = weight < 0.5
    tensors = [*averaged, *current]
    replace(averaged, ("average", small, len(averaged)), tensors, [weight], partial(_mix, small))


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """The function that moves lists of tensors to `decay * average + (1 - decay) * current`, in place.

    Raises:
        ValueError: a decay outside [0, 1].
    """
    _check_decay(decay)

    def ema_update(ema_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], _: Any) -> None:
        _move(ema_param_list, current_param_list, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> MultiAverage:
    """The function that moves lists of tensors to the mean of what was seen, `num_averaged` times so far, in place."""

    def swa_update(
        averaged_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], num_averaged: Any
    ) -> None:
        _move(averaged_param_list, current_param_list, 1 / (float(num_averaged) + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The function (average, current, count) -> `decay * average + (1 - decay) * current`.

    Raises:
        ValueError: a decay outside [0, 1].
    """
    _check_decay(decay)

    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Average:
    """The function (average, current, count) -> the mean with one more."""

    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of that model's.

    Args:
        model: the model to copy.
        device: where the copy lives; by default where the model does.
        avg_fn: (average, current, count) -> new average, for one tensor.
        multi_avg_fn: the same for lists of tensors, in place. By default the plain mean.
        use_buffers: averages buffers as well; otherwise they are copied.

    Raises:
        AssertionError: both functions given.

    >>> model = rushlight.nn.Linear(2, 1)
    >>> averaged = rushlight.optim.swa_utils.AveragedModel(model)
    >>> averaged.update_parameters(model); int(averaged.n_averaged)
    1
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", rushlight.zeros((), dtype=rushlight.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model makes of the arguments."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the present parameters of `model` into the average; the first time they are copied."""
        averaged = [t.detach() for t in self._averaged_tensors(self.module)]
        current = [t.detach().to(own.device) for own, t in zip(averaged, self._averaged_tensors(model), strict=False)]
        count = int(self.n_averaged)
        if count == 0:
            _copy(averaged, current)
        else:
            self._average(averaged, current)
        if not self.use_buffers:
            _copy(self.module.buffers(), (buffer.detach() for buffer in model.buffers()))
        self.n_averaged._assign(number_tensor(count + 1, "int64"))

    def _averaged_tensors(self, model: Module) -> Iterable[Tensor]:
        return chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()

    def _average(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        if self.avg_fn is None:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averaged, current, self.n_averaged)
            return
        for own, other in zip(averaged, current, strict=True):
            own.copy_(self.avg_fn(own, other, self.n_averaged.to(own.device)))


def _copy(targets: Iterable[Tensor], sources: Iterable[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=False):
        target.detach().copy_(source)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Sets the running statistics of a model's batch norm layers to those of one pass over `loader`.

    Args:
        loader: batches; of a list or tuple the first element is the input.
        model: the model, usually an `AveragedModel`.
        device: where to send the batches.
    """
    layers = [module for module in model.modules() if _keeps_statistics(module)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    training = model.training
    model.train()
    with rushlight.no_grad():
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # a plain mean over the batches
        for batch in loader:
            inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(inputs if device is None else inputs.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(training)


def _keeps_statistics(module: Any) -> bool:
    from rushlight.nn.normalization import _BatchNorm

    return isinstance(module, _BatchNorm)


class SWALR(LRScheduler):
    """Brings the rate to `swa_lr` in `anneal_epochs` epochs and holds it there.

    Args:
        optimizer: the optimizer.
        swa_lr: the constant rate, one for all groups or a list.
        anneal_epochs: length of the way there.
        anneal_strategy: "cos" or "linear".
        last_epoch: the epoch to go on from.

    Raises:
        ValueError: an unknown strategy, or a negative number of epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for lr, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._set_anneal_func(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _set_anneal_func(self, anneal_strategy: str) -> None:
        self._anneal_strategy = anneal_strategy
        self.anneal_func: Callable[[float], float] = (
            self._cosine_anneal if anneal_strategy == "cos" else self._linear_anneal
        )

    @staticmethod
    def _linear_anneal(t: float) -> float:
        return t

    @staticmethod
    def _cosine_anneal(t: float) -> float:
        return (1 - math.cos(math.pi * t)) / 2

    @staticmethod
    def _get_initial_lr(lr: Any, swa_lr: Any, alpha: float) -> Any:
        """The rate that the way began with, if `lr` is where it has come to."""
        return swa_lr if alpha == 1 else (lr - alpha * swa_lr) / (1 - alpha)

    def get_lr(self) -> list[Any]:
        """The rates for this epoch."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=2,
            )
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._alpha(step - 1), self._alpha(step)
        return [
            group["swa_lr"] * now + self._get_initial_lr(group["lr"], group["swa_lr"], before) * (1 - now)
            for group in self.optimizer.param_groups
        ]

    def _alpha(self, step: int) -> float:
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and the function of the strategy."""
        return {key: value for key, value in super().state_dict().items() if key != "anneal_func"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` returned."""
        self.__dict__.update(state_dict)
        self._set_anneal_func(self._anneal_strategy)
