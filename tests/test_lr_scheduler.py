"""The learning rate schedules and averaged models: PyTorch's rates, momenta, state and warnings, and what may be done
to a schedule on the way.

`optim_lr_schedules.json` holds PyTorch's answers for every schedule below; run this file with a Python that has PyTorch
to write it again.
"""

from __future__ import annotations

import copy
import gc
import json
import pickle
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rushlight

EXPECTED = Path(__file__).parent / "expected" / "optim_lr_schedules.json"
STEPS = 14
METRICS = [1, 0.9, 0.95, 0.95, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8, 0.9, 1.0, 1.2, 1.0]


class Decay:
    """A function of the epoch with an attribute to save."""

    def __init__(self) -> None:
        self.rate = 0.9

    def __call__(self, epoch: float) -> float:
        return self.rate**epoch


def ninth(epoch: float) -> float:
    return 0.9**epoch


def warmup(s: Any, o: Any) -> Any:
    return s.LinearLR(o, 0.1, 1, 4)


# (schedules' module, optimizer, last_epoch) -> schedule
SCHEDULES: dict[str, Callable[[Any, Any, int], Any]] = {
    "LambdaLR": lambda s, o, e: s.LambdaLR(o, ninth, e),
    "LambdaLR of each group": lambda s, o, e: s.LambdaLR(o, [Decay(), ninth], e),
    "MultiplicativeLR": lambda s, o, e: s.MultiplicativeLR(o, lambda epoch: 0.9, e),
    "StepLR": lambda s, o, e: s.StepLR(o, 3, 0.5, last_epoch=e),
    "MultiStepLR": lambda s, o, e: s.MultiStepLR(o, [2, 5, 5, 9], 0.3, last_epoch=e),
    "ConstantLR": lambda s, o, e: s.ConstantLR(o, last_epoch=e),
    "LinearLR": lambda s, o, e: s.LinearLR(o, last_epoch=e),
    "LinearLR down": lambda s, o, e: s.LinearLR(o, 1.0, 0.1, 7, last_epoch=e),
    "ExponentialLR": lambda s, o, e: s.ExponentialLR(o, 0.9, e),
    "PolynomialLR": lambda s, o, e: s.PolynomialLR(o, last_epoch=e),
    "PolynomialLR squared": lambda s, o, e: s.PolynomialLR(o, 8, 2.0, last_epoch=e),
    "CosineAnnealingLR": lambda s, o, e: s.CosineAnnealingLR(o, 5, last_epoch=e),
    "CosineAnnealingLR above zero": lambda s, o, e: s.CosineAnnealingLR(o, 4, 0.01, last_epoch=e),
    "CosineAnnealingWarmRestarts": lambda s, o, e: s.CosineAnnealingWarmRestarts(o, 5, last_epoch=e),
    "CosineAnnealingWarmRestarts longer": lambda s, o, e: s.CosineAnnealingWarmRestarts(o, 2, 2, 0.001, last_epoch=e),
    "CyclicLR": lambda s, o, e: s.CyclicLR(o, 0.01, 0.1, 4, last_epoch=e),
    "CyclicLR triangular2": lambda s, o, e: s.CyclicLR(
        o, [0.01, 0.02], [0.1, 0.3], 2, 3, mode="triangular2", last_epoch=e
    ),
    "CyclicLR exp_range": lambda s, o, e: s.CyclicLR(
        o, 0.01, 0.1, 3, mode="exp_range", gamma=0.95, cycle_momentum=False, last_epoch=e
    ),
    "CyclicLR own": lambda s, o, e: s.CyclicLR(
        o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / (5 ** (x * 0.1)), scale_mode="iterations", last_epoch=e
    ),
    "CyclicLR own object": lambda s, o, e: s.CyclicLR(o, 0.01, 0.1, 3, scale_fn=Decay(), last_epoch=e),
    "OneCycleLR": lambda s, o, e: s.OneCycleLR(o, 0.1, 20, last_epoch=e),
    "OneCycleLR three phases": lambda s, o, e: s.OneCycleLR(
        o, [0.1, 0.2], epochs=4, steps_per_epoch=5, anneal_strategy="linear", three_phase=True, last_epoch=e
    ),
    "OneCycleLR too short": lambda s, o, e: s.OneCycleLR(o, 0.1, 10, cycle_momentum=False, last_epoch=e),
    "ReduceLROnPlateau": lambda s, o, e: s.ReduceLROnPlateau(o, patience=1),
    "ReduceLROnPlateau max": lambda s, o, e: s.ReduceLROnPlateau(o, "max", 0.5, 0, 0.1, "abs", 2, [0.001, 0.01]),
    "SequentialLR": lambda s, o, e: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)], [3]),
    "SequentialLR of three": lambda s, o, e: s.SequentialLR(
        o, [warmup(s, o), s.CosineAnnealingLR(o, 6), s.StepLR(o, 2)], [4, 10]
    ),
    "SequentialLR of chains": lambda s, o, e: s.SequentialLR(
        o, [s.ChainedScheduler([warmup(s, o), s.ExponentialLR(o, 0.9)]), s.CosineAnnealingWarmRestarts(o, 3)], [4]
    ),
    "SWALR": lambda s, o, e: s.SWALR(o, 0.05, last_epoch=e),
    "SWALR linear": lambda s, o, e: s.SWALR(o, [0.05, 0.01], 3, "linear", last_epoch=e),
    "SWALR at once": lambda s, o, e: s.SWALR(o, 0.05, 0, last_epoch=e),
    "ChainedScheduler": lambda s, o, e: s.ChainedScheduler([s.ConstantLR(o), s.StepLR(o, 2)]),
    "ChainedScheduler of three": lambda s, o, e: s.ChainedScheduler(
        [warmup(s, o), s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 6)], o
    ),
}
RESUMED = {"initial_lr": 0.2, "max_lr": 0.3, "min_lr": 0.01, "max_momentum": 0.95, "base_momentum": 0.85}
MODES = ("plain", "resumed", "epochs given", "wrong order", "Adam", "Adagrad")
CASES = [
    f"{name}: {mode}"
    for name in SCHEDULES
    for mode in MODES
    if "Ad" not in mode or "Cycl" in name  # only these touch anything but the rate
]


def schedules(t: Any) -> Any:
    """All schedules, `SWALR` among them."""
    names = {name: getattr(t.optim.lr_scheduler, name) for name in t.optim.lr_scheduler.__all__}
    return SimpleNamespace(**names, SWALR=t.optim.swa_utils.SWALR)


def optimizer(t: Any, mode: str = "plain") -> Any:
    """An optimizer of two groups."""
    extra = RESUMED if mode == "resumed" else {}
    groups = [{"params": [t.ones(2, requires_grad=True)]} for _ in range(2)]
    groups[0] |= {"lr": 0.1, **extra}
    groups[1] |= {"lr": 0.5, **extra}
    if mode in ("Adam", "Adagrad"):
        return getattr(t.optim, mode)(groups)
    return t.optim.SGD(groups, momentum=0.9)


def advance(schedule: Any, i: int, mode: str = "plain") -> None:
    if type(schedule).__name__ == "ReduceLROnPlateau":
        schedule.step(METRICS[i])
    elif mode == "epochs given":
        schedule.step([0, 1, 2, 5, 3, 9][i % 6])
    else:
        schedule.step()


def plain(value: Any) -> Any:
    """A state dictionary as JSON's types."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return "inf" if value == float("inf") else "-inf" if value == -float("inf") else value


def visible(opt: Any) -> list[Any]:
    return [plain({k: g[k] for k in ("lr", "momentum", "betas") if k in g}) for g in opt.param_groups]


def follow(t: Any, case: str) -> dict[str, Any]:
    """What a schedule does in `STEPS` steps; an error ends it."""
    name, mode = case.split(": ")
    seen: list[Any] = []
    error, state = None, None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        opt = optimizer(t, mode)
        try:
            schedule = SCHEDULES[name](schedules(t), opt, 3 if mode == "resumed" else -1)
            seen.append(visible(opt))
            for i in range(STEPS):
                if mode != "wrong order" or i > 1:
                    opt.step()
                advance(schedule, i, mode)
                seen.append(visible(opt))
                assert schedule.get_last_lr() == [g["lr"] for g in opt.param_groups]
            state = plain(schedule.state_dict())
        except (ValueError, TypeError) as e:
            error = f"{type(e).__name__}: {e}"
    return {
        "seen": seen,
        "state": state,
        "options": sorted(set(opt.param_groups[0]) - {"params"}),
        "error": error,
        "warnings": sorted({str(w.message) for w in warned}),
    }


def assert_same(got: Any, want: Any, at: str = "") -> None:
    """Equal, floats to rounding."""
    if isinstance(want, dict):
        assert isinstance(got, dict) and got.keys() == want.keys(), at
        for key in want:
            assert_same(got[key], want[key], f"{at}.{key}")
    elif isinstance(want, list):
        assert isinstance(got, list) and len(got) == len(want), at
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            assert_same(g, w, f"{at}[{i}]")
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-15), at
    else:
        assert got == want and type(got) is type(want), at


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads(EXPECTED.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES)
def test_does_as_pytorch(case: str, expected: dict[str, Any]) -> None:
    assert_same(json.loads(json.dumps(follow(rushlight, case))), expected[case])


@pytest.mark.filterwarnings("ignore:Detected call of")  # as in PyTorch, for the parts of a schedule made anew
@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "OneCycleLR too short"])
def test_a_loaded_schedule_goes_on(name: str) -> None:
    s = schedules(rushlight)
    runs = []
    for again in (False, True):
        opt = optimizer(rushlight)
        schedule = SCHEDULES[name](s, opt, -1)
        seen = []
        for i in range(STEPS):
            opt.step()
            advance(schedule, i)
            seen.append(visible(opt))
            if again and i == 6:
                saved, options = copy.deepcopy((schedule.state_dict(), opt.state_dict()))
                if "own" not in name and "Lambda" not in name:
                    saved = pickle.loads(pickle.dumps(saved))
                opt = optimizer(rushlight)
                schedule = SCHEDULES[name](s, opt, -1)
                schedule.load_state_dict(saved)
                opt.load_state_dict(options)
        runs.append(seen)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["StepLR", "LinearLR", "CosineAnnealingLR", "OneCycleLR", "SequentialLR", "CyclicLR"])
def test_a_tensor_rate_is_changed_in_place(name: str) -> None:
    plain_opt, opt = optimizer(rushlight), optimizer(rushlight)
    rates = []
    for group in opt.param_groups:
        group["lr"] = rushlight.tensor(group["lr"])
        rates.append(group["lr"])
    s = rushlight.optim.lr_scheduler
    schedules = [SCHEDULES[name](s, o, -1) for o in (plain_opt, opt)]
    for _ in range(6):
        for o, schedule in zip((plain_opt, opt), schedules, strict=True):
            o.step()
            schedule.step()
        for group, rate, number in zip(opt.param_groups, rates, plain_opt.param_groups, strict=True):
            assert group["lr"] is rate
            assert rate.item() == pytest.approx(number["lr"], rel=1e-5)
        assert schedules[1].get_last_lr()[0] is not rates[0]


def test_saved_functions() -> None:
    s, opt = rushlight.optim.lr_scheduler, optimizer(rushlight)
    schedule = SCHEDULES["LambdaLR of each group"](s, opt, -1)
    state = schedule.state_dict()
    assert state["lr_lambdas"] == [{"rate": 0.9}, None] and "optimizer" not in state
    state["lr_lambdas"][0]["rate"] = 0.5
    schedule.load_state_dict(state)
    assert schedule.lr_lambdas[0].rate == 0.5
    assert SCHEDULES["CyclicLR own"](s, optimizer(rushlight), -1).state_dict()["_scale_fn_custom"] is None
    cyclic = SCHEDULES["CyclicLR own object"](s, optimizer(rushlight), -1)
    assert cyclic.state_dict()["_scale_fn_custom"] == {"rate": 0.9}


BAD = [
    (lambda s, o: s.StepLR(3, 1), TypeError, "int is not an Optimizer"),
    (lambda s, o: s.ReduceLROnPlateau(3), TypeError, "int is not an Optimizer"),
    (lambda s, o: s.StepLR(o, 1, last_epoch=2), KeyError, "param 'initial_lr' is not specified in param_groups[0]"),
    (lambda s, o: s.LambdaLR(o, [ninth]), ValueError, "Expected 2 lr_lambdas, but got 1"),
    (lambda s, o: s.MultiplicativeLR(o, [1, 2]), TypeError, "lr_lambda should be a function, but got int"),
    (lambda s, o: s.ConstantLR(o, 2.0), ValueError, "Constant multiplicative factor expected to be between 0 and 1."),
    (
        lambda s, o: s.LinearLR(o, 0),
        ValueError,
        "Starting multiplicative factor expected to be greater than 0 and less",
    ),
    (lambda s, o: s.LinearLR(o, 1, 2), ValueError, "Ending multiplicative factor expected to be between 0 and 1."),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError, "Expected positive integer T_0, but got 0"),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 0), ValueError, "Expected integer T_mult >= 1, but got 0"),
    (lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="up"), ValueError, "mode is invalid and scale_fn is None"),
    (
        lambda s, o: s.CyclicLR(o, [0.1], 0.2),
        ValueError,
        "base_lr must have the same length as optimizer.param_groups.",
    ),
    (
        lambda s, o: s.OneCycleLR(o, 0.1),
        ValueError,
        "You must define either total_steps OR (epochs AND steps_per_epoch)",
    ),
    (lambda s, o: s.OneCycleLR(o, 0.1, 0), ValueError, "Expected positive integer total_steps, but got 0"),
    (
        lambda s, o: s.OneCycleLR(o, 0.1, 5, pct_start=2),
        ValueError,
        "Expected float between 0 and 1 pct_start, but got 2",
    ),
    (lambda s, o: s.OneCycleLR(o, 0.1, 5, anneal_strategy="x"), ValueError, "anneal_strategy must be one of 'cos' or"),
    (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0."),
    (lambda s, o: s.ReduceLROnPlateau(o, "mid"), ValueError, "mode mid is unknown!"),
    (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode x is unknown!"),
    (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1]), ValueError, "expected 2 min_lrs, got 1"),
    (lambda s, o: s.SequentialLR(o, [], []), ValueError, "SequentialLR expects at least one scheduler, but got no"),
    (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]), ValueError, "Sequential Schedulers expects number of"),
    (lambda s, o: s.ChainedScheduler([1]), TypeError, "ChainedScheduler at index 0 should have `optimizer` as its"),
    (lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]), ValueError, "ChainedScheduler does not support"),
    (
        lambda s, o: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(optimizer(rushlight), 1)]),
        ValueError,
        "ChainedScheduler expects all schedulers to belong to the same optimizer, but got scheduler StepLR at index 1",
    ),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_arguments(number: int) -> None:
    make, kind, message = BAD[number]
    with pytest.raises(kind) as error:
        make(rushlight.optim.lr_scheduler, optimizer(rushlight))
    assert str(error.value.args[0]).startswith(message)


def test_momentum_is_needed_to_cycle_it() -> None:
    s, opt = rushlight.optim.lr_scheduler, optimizer(rushlight, "Adagrad")
    for make in (lambda: s.CyclicLR(opt, 0.1, 0.2), lambda: s.OneCycleLR(opt, 0.1, 5)):
        with pytest.raises(ValueError, match="optimizer must support momentum or beta1 with `cycle_momentum` option"):
            make()


def test_get_lr_warns_outside_a_step() -> None:
    schedule = rushlight.optim.lr_scheduler.ExponentialLR(optimizer(rushlight), 0.5)
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        assert schedule.get_lr() == [0.05, 0.25]


def test_an_overridden_step_is_noticed() -> None:
    opt = optimizer(rushlight)
    schedule = rushlight.optim.lr_scheduler.ExponentialLR(opt, 0.5)
    opt.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after learning rate scheduler initialization"):
        schedule.step()


def test_a_function_in_the_place_of_step_is_called() -> None:
    opt = optimizer(rushlight)
    calls: list[int] = []
    opt.step = lambda: calls.append(1)
    schedule = rushlight.optim.lr_scheduler.ExponentialLR(opt, 0.5)
    opt.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()
    assert calls == [1]


def test_a_schedule_keeps_no_cycle_through_its_optimizer() -> None:
    opt = optimizer(rushlight)
    schedule = rushlight.optim.lr_scheduler.StepLR(opt, 1)
    gone = weakref.ref(opt)
    gc.collect()
    gc.disable()
    try:
        del opt, schedule
        assert gone() is None
    finally:
        gc.enable()


def test_a_step_with_hooks_and_a_schedule() -> None:
    opt = optimizer(rushlight)
    seen: list[str] = []
    opt.register_step_post_hook(lambda o, args, kwargs: seen.append(type(o).__name__))
    schedule = rushlight.optim.lr_scheduler.StepLR(opt, 1)
    opt.step()
    schedule.step()
    assert seen == ["SGD"]
    other = copy.deepcopy(opt)
    other.step()
    assert seen == ["SGD"]


def test_a_schedule_of_ones_own() -> None:
    class Halves(rushlight.optim.lr_scheduler._LRScheduler):
        def get_lr(self) -> list[float]:
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    opt = optimizer(rushlight)
    schedule = Halves(opt)
    opt.step()
    schedule.step()
    assert [g["lr"] for g in opt.param_groups] == [0.05, 0.25]
    assert schedule.last_epoch == 1 and schedule._step_count == 2
    assert isinstance(schedule, rushlight.optim.lr_scheduler.LRScheduler)


def test_restarts_at_fractions_of_an_epoch() -> None:
    opt = optimizer(rushlight)
    schedule = rushlight.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 2, 2)
    schedule.step(2.5)
    assert (schedule.T_cur, schedule.T_i, schedule.last_epoch) == (0.5, 4, 2)
    with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
        schedule.step(-1)


def test_plateau_notices_a_new_group() -> None:
    opt = optimizer(rushlight)
    one, each = (rushlight.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, min_lr=m) for m in (0, [0, 0]))
    opt.add_param_group({"params": [rushlight.ones(1, requires_grad=True)], "lr": 1.0})
    one.step(1.0)
    one.step(1.0)
    assert opt.param_groups[2]["lr"] == pytest.approx(0.1)
    each.step(1.0)
    with pytest.raises(RuntimeError, match="The number of param groups in the `optimizer` "):
        each.step(1.0)


# ---------------------------------------------------------------------------------------------------------------------
# Averaged models


def model_and_average(**kwargs: Any) -> tuple[Any, Any]:
    model = rushlight.nn.Linear(1, 1)
    with rushlight.no_grad():
        model.weight.fill_(1.0)
        model.bias.fill_(-1.0)
    return model, rushlight.optim.swa_utils.AveragedModel(model, **kwargs)


def averages(kwargs: dict[str, Any], weights: tuple[float, ...] = (2.0, 4.0, 9.0)) -> list[float]:
    """The average of a weight that takes these values."""
    model, averaged = model_and_average(**kwargs)
    seen = []
    for i, weight in enumerate(weights):
        model.weight.data.fill_(weight)
        averaged.update_parameters(model)
        assert averaged.n_averaged.item() == i + 1
        assert averaged(rushlight.zeros(1)).item() == averaged.module.bias.item()
        seen.append(averaged.module.weight.item())
    assert model.weight.item() == weights[-1]
    return seen


def test_averages_of_a_model() -> None:
    swa = rushlight.optim.swa_utils
    assert averages({}) == averages({"avg_fn": swa.get_swa_avg_fn()}) == [2.0, 3.0, 5.0]
    assert averages({"multi_avg_fn": swa.get_swa_multi_avg_fn()}) == [2.0, 3.0, 5.0]
    for kwargs in ({"multi_avg_fn": swa.get_ema_multi_avg_fn(0.75)}, {"avg_fn": swa.get_ema_avg_fn(0.75)}):
        assert averages(kwargs) == [2.0, 2.5, 4.125]
    assert averages({"avg_fn": lambda average, current, count: average + current * count}) == [2.0, 6.0, 24.0]


def test_an_averaged_model_is_saved_and_loaded() -> None:
    model, averaged = model_and_average()
    averaged.update_parameters(model)
    saved = averaged.state_dict()
    assert list(saved) == ["n_averaged", "module.weight", "module.bias"]
    other = model_and_average()[1]
    other.load_state_dict(saved)
    assert other.n_averaged.item() == 1


def test_bad_arguments_of_averages() -> None:
    swa = rushlight.optim.swa_utils
    for make in (swa.get_ema_avg_fn, swa.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="Invalid decay value 1.5 provided. Please provide a value in "):
            make(1.5)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn should be provided"):
        model_and_average(avg_fn=swa.get_swa_avg_fn(), multi_avg_fn=swa.get_swa_multi_avg_fn())
    with pytest.raises(ValueError, match="anneal_epochs must be equal or greater than 0, got -1"):
        swa.SWALR(optimizer(rushlight), 0.1, -1)
    with pytest.raises(ValueError, match="anneal_strategy must be one of 'cos' or 'linear', instead got x"):
        swa.SWALR(optimizer(rushlight), 0.1, anneal_strategy="x")


def test_buffers_are_copied_or_averaged() -> None:
    layer = rushlight.nn.BatchNorm1d(1)
    plain_model, with_buffers = (
        rushlight.optim.swa_utils.AveragedModel(layer, use_buffers=use) for use in (False, True)
    )
    for value in (1.0, 3.0):
        layer.running_mean.fill_(value)
        plain_model.update_parameters(layer)
        with_buffers.update_parameters(layer)
    assert plain_model.module.running_mean.item() == 3.0
    assert with_buffers.module.running_mean.item() == 2.0


def test_update_bn_takes_the_mean_over_all_batches() -> None:
    layer = rushlight.nn.BatchNorm1d(1)
    layer.running_mean.fill_(77.0)
    layer.eval()
    batches = [[rushlight.tensor([[0.0], [2.0]]), "label"], [rushlight.tensor([[4.0], [8.0]]), "label"]]
    rushlight.optim.swa_utils.update_bn(batches, layer)
    assert layer.running_mean.item() == pytest.approx((1.0 + 6.0) / 2)
    assert layer.running_var.item() == pytest.approx((2.0 + 8.0) / 2)
    assert layer.momentum == 0.1 and not layer.training


def write_expected() -> None:
    """Asks PyTorch; a line for each case."""
    import torch

    lines = []
    for case in CASES:
        answer = json.loads(json.dumps(follow(torch, case)), parse_float=lambda x: float(f"{float(x):.14g}"))
        lines.append(f"{json.dumps(case)}: {json.dumps(answer)}")
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_expected()
    sys.exit(0)
