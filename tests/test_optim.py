"""The optimizers: the same numbers as PyTorch, the same state, and a state that users can read and change at any time.

`optim_training.json` holds PyTorch's losses, parameters and state for every setting below; run this file with a Python
that has PyTorch to write it again. The other tests carry their values with them.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight

EXPECTED = Path(__file__).parent / "expected" / "optim_training.json"
STEPS = 12

# class -> settings to train with; a float in "tensor_..." is given as a tensor
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {},
        {"lr": 0.1},
        {"tensor_lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.5},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 0.01, "momentum": 0.9, "maximize": True},
        {"lr": 0.1, "foreach": True},
        {"lr": 0.1, "fused": True},
    ],
    "Adam": [
        {},
        {"lr": 0.01},
        {"tensor_lr": 0.01},
        {"lr": 0.01, "weight_decay": 0.1},
        {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.01, "amsgrad": True},
        {"lr": 0.01, "betas": [0.3, 0.5], "eps": 1e-3},
        {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [{}, {"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.01, "amsgrad": True}],
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.5},
        {"lr": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1, "maximize": True},
    ],
    "RMSprop": [
        {},
        {"lr": 0.001, "weight_decay": 0.1},
        {"lr": 0.001, "momentum": 0.9},
        {"lr": 0.001, "centered": True},
        {"lr": 0.001, "centered": True, "momentum": 0.5, "maximize": True},
    ],
    "Adadelta": [{}, {"lr": 0.1, "rho": 0.95, "weight_decay": 0.1}, {"maximize": True}],
    "Adamax": [{}, {"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.01, "maximize": True, "betas": [0.4, 0.9]}],
    "NAdam": [
        {},
        {"momentum_decay": 0.006, "weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "RAdam": [{}, {"lr": 0.01, "weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "ASGD": [{}, {"lr": 0.1, "t0": 3, "lambd": 0.1}, {"weight_decay": 0.1, "maximize": True}],
    "Rprop": [{}, {"lr": 2e-4, "etas": [0.3, 1.5]}, {"step_sizes": [2e-3, 0.02], "maximize": True}],
    "Adafactor": [{}, {"lr": 0.1, "weight_decay": 0.1, "d": 1.5}, {"eps": [1e-3, 1e-2], "maximize": True}],
    "Muon": [{}, {"lr": 0.01, "nesterov": False}, {"adjust_lr_fn": "match_rms_adamw", "momentum": 0.4}],
    "LBFGS": [
        {"max_iter": 2},
        {"max_iter": 4, "lr": 0.1, "history_size": 3},
        {"max_iter": 3, "line_search_fn": "strong_wolfe"},
    ],
}
VARIANTS = ("plain", "float64", "scheduled", "sometimes frozen")
CASES = [f"{name} {json.dumps(kw)} {v}" for name, kws in SETTINGS.items() for kw in kws for v in VARIANTS]


def pattern(t: Any, shape: tuple[int, ...], seed: int, dtype: Any) -> Any:
    """Numbers in (-1, 1) that any machine makes alike."""
    count = math.prod(shape)
    return t.tensor([((i * 37 + seed * 11) % 19 - 9) / 15 for i in range(count)], dtype=dtype).reshape(shape)


def network(t: Any, dtype: Any) -> tuple[list[Any], Any]:
    """Parameters of a 3-4-2 network, and the function of its loss."""
    params = [pattern(t, shape, i, dtype).requires_grad_() for i, shape in enumerate(((4, 3), (4,), (2, 4), (2,)))]
    x, y = pattern(t, (5, 3), 7, dtype), pattern(t, (5, 2), 8, dtype)

    def loss() -> Any:
        hidden = (x @ params[0].t() + params[1]).tanh()
        return ((hidden @ params[2].t() + params[3] - y) ** 2).mean()

    return params, loss


def options(t: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments from JSON: lists as tuples, `tensor_lr` as a tensor."""
    out = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    if "tensor_lr" in out:
        out["lr"] = t.tensor(out.pop("tensor_lr"))
    return out


def train(t: Any, case: str) -> dict[str, Any]:
    """Trains as `case` says and returns all there is to see afterwards."""
    name, rest = case.split(" ", 1)
    settings, end = json.JSONDecoder().raw_decode(rest)
    variant = rest[end + 1 :]
    params, loss_of = network(t, t.float64 if variant == "float64" else t.float32)
    own = [p for p in params if p.dim() == 2] if name == "Muon" else params
    opt = getattr(t.optim, name)(own, **options(t, settings))
    losses = []
    for i in range(STEPS):

        def closure(i: int = i) -> Any:
            opt.zero_grad()
            loss = loss_of()
            loss.backward()
            if variant == "sometimes frozen" and i % 3 == 0 and name != "LBFGS":
                own[1].grad = None
            return loss

        losses.append(opt.step(closure).item())
        if variant == "scheduled":
            opt.param_groups[0]["lr"] *= 0.9
    state = opt.state_dict()
    first = {k: v for k, v in state["state"].get(0, {}).items() if hasattr(v, "tolist")}
    return {
        "losses": losses,
        "params": [p.detach().tolist() for p in params],
        "state": {k: v.tolist() for k, v in first.items()},
        "dtypes": {k: str(v.dtype).rpartition(".")[2] for k, v in first.items()},
        "steps": [float(s["step"]) for _, s in sorted(state["state"].items()) if "step" in s],
        "options": sorted(state["param_groups"][0]),
    }


def close(got: Any, want: Any, rtol: float, atol: float) -> None:
    got, want = np.array(got, float), np.array(want, float)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol, atol)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads(EXPECTED.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES)
def test_trains_as_pytorch(case: str, expected: dict[str, Any]) -> None:
    want, got = expected[case], train(rushlight, case)
    rtol, atol = (1e-7, 1e-9) if "float64" in case else (2e-4, 2e-6)
    if case.startswith("Muon"):
        rtol, atol = 1e-2, 1e-3  # bfloat16 inside
    elif case.startswith("LBFGS"):
        rtol, atol = (1e-5, 1e-7) if "float64" in case else (1e-2, 1e-3)  # it magnifies rounding from step to step
    close(got["losses"], want["losses"], rtol, atol)
    for p, q in zip(got["params"], want["params"], strict=True):
        close(p, q, rtol, atol)
    assert got["steps"] == want["steps"]
    assert got["options"] == want["options"]
    if case.startswith("LBFGS"):
        return  # which of its numbers are tensors is an accident
    assert got["dtypes"] == want["dtypes"]
    assert list(got["state"]) == list(want["state"])
    for key, value in want["state"].items():
        close(got["state"][key], value, 10 * rtol, 10 * atol)


def test_the_product_of_nadams_factors_is_rounded_as_pytorchs() -> None:
    """A tensor of float32 times a number: the number is rounded, too."""
    p = rushlight.zeros(2, dtype=rushlight.float64, requires_grad=True)
    optimizer, product = rushlight.optim.NAdam([p]), np.float32(1)
    for step in range(1, 31):
        p.grad = rushlight.ones_like(p)
        optimizer.step()
        product *= np.float32(0.9 * (1.0 - 0.5 * (0.96 ** (step * 0.004))))
        assert optimizer.state[p]["mu_product"].item() == product.item()


# ---------------------------------------------------------------------------------------------------------------------
# Groups, options, errors


def leaf(*values: float, grad: Any = None) -> Any:
    w = rushlight.tensor(list(values) or [1.0, 2.0], requires_grad=True)
    if grad is not None:
        w.grad = rushlight.tensor(grad)
    return w


def test_repr_is_pytorchs() -> None:
    assert repr(rushlight.optim.SGD([{"params": [leaf()], "lr": 0.5}, {"params": [leaf()]}], lr=0.1, momentum=0.9)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.5\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n\n"
        "Parameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n)"
    )


BAD_OPTIONS = [
    ("SGD", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ("SGD", {"momentum": -1}, ValueError, "Invalid momentum value: -1"),
    ("SGD", {"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ("SGD", {"nesterov": True}, ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD", {"fused": True, "foreach": True}, RuntimeError, "`fused` and `foreach` cannot be `True` together."),
    ("SGD", {"fused": True, "differentiable": True}, RuntimeError, "`fused` does not support `differentiable`"),
    ("Adam", {"lr": float("nan")}, ValueError, "Invalid learning rate: nan"),
    ("Adam", {"eps": -1}, ValueError, "Invalid epsilon value: -1"),
    ("Adam", {"betas": (1.0, 0.9)}, ValueError, "Invalid beta parameter at index 0: 1.0"),
    ("Adam", {"betas": (0.9, -1)}, ValueError, "Invalid beta parameter at index 1: -1"),
    ("AdamW", {"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ("Adagrad", {"lr_decay": -0.5}, ValueError, "Invalid lr_decay value: -0.5"),
    ("Adadelta", {"rho": 1.1}, ValueError, "Invalid rho value: 1.1"),
    ("RMSprop", {"momentum": -1.0}, ValueError, "Invalid momentum value: -1.0"),
    ("RMSprop", {"alpha": -1.0}, ValueError, "Invalid alpha value: -1.0"),
    ("NAdam", {"momentum_decay": -0.2}, ValueError, "Invalid momentum_decay value: -0.2"),
    ("Rprop", {"etas": (1.0, 0.5)}, ValueError, "Invalid eta values: 1.0, 0.5"),
    ("Adafactor", {"lr": -1.0}, ValueError, "Learning rate should be >= 0 but is: -1.0"),
    ("Adafactor", {"d": 0.0}, ValueError, "Clipping threshold d should be >= 1 but is: 0.0"),
    ("Adafactor", {"eps": (-1, 0)}, ValueError, "epsilon1 should be >= 0 but is: -1"),
    ("Adafactor", {"beta2_decay": 0.8}, ValueError, "beta2_decay should be <= 0 but is: 0.8"),
    ("Muon", {"adjust_lr_fn": "no"}, ValueError, "Adjust learning rate function no is not supported"),
    (
        "Muon",
        {},
        ValueError,
        "Muon only supports 2D parameters whereas we found a parameter with size: torch.Size([2])",
    ),
    ("SparseAdam", {"lr": 0.0}, ValueError, "Invalid learning rate: 0.0"),
    ("LBFGS", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
]


@pytest.mark.parametrize(("name", "settings", "kind", "message"), BAD_OPTIONS)
def test_bad_options(name: str, settings: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind) as error:
        getattr(rushlight.optim, name)([leaf()], **settings)
    assert str(error.value) == message


def test_tensor_options() -> None:
    t = rushlight.tensor
    Adam = rushlight.optim.Adam
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        Adam([leaf()], lr=t([0.1, 0.2]))
    with pytest.raises(ValueError, match="lr as a Tensor is not supported for capturable=False and foreach=True"):
        Adam([leaf()], lr=t(0.1), foreach=True)
    with pytest.raises(ValueError, match="betas must be either both floats or both Tensors"):
        Adam([leaf()], betas=(0.9, t(0.9)))
    a, b = leaf(grad=[1.0, 2.0]), leaf(grad=[1.0, 2.0])
    Adam([a], lr=t(0.5), betas=(t(0.9), t(0.99))).step()
    Adam([b], lr=0.5, betas=(0.9, 0.99)).step()
    close(a.tolist(), b.tolist(), 1e-6, 0)


def test_errors_of_parameters() -> None:
    SGD = rushlight.optim.SGD
    w = leaf()
    cases: list[tuple[Any, type, str]] = [
        (w, TypeError, "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "),
        ([], ValueError, "optimizer got an empty parameter list"),
        ([1], TypeError, "optimizer can only optimize Tensors, but one of the params is int"),
        ([w * 2], ValueError, "can't optimize a non-leaf Tensor"),
        ([{"params": {w}}], TypeError, "optimizer parameters need to be organized in ordered collections"),
        ([{"params": [w]}, {"params": w}], ValueError, "some parameters appear in more than one parameter group"),
        ([("a", w), leaf()], ValueError, "all optimizer params should be with/without names."),
    ]
    for params, kind, message in cases:
        with pytest.raises(kind) as error:
            SGD(params)
        assert str(error.value).startswith(message)


def test_add_param_group() -> None:
    w, v = leaf(), leaf()
    opt = rushlight.optim.SGD([w], lr=0.1)
    with pytest.raises(TypeError, match="param_group must be a dict, but got <class 'int'>"):
        opt.add_param_group(3)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        opt.add_param_group({"params": [w]})
    with pytest.raises(ValueError, match="cannot add param group with names to the optimizer"):
        opt.add_param_group({"params": [("v", v)]})
    assert len(opt.param_groups) == 1
    opt.add_param_group({"params": v, "lr": 0.5})
    assert opt.param_groups[1]["params"] == [v]
    assert (opt.param_groups[1]["lr"], opt.param_groups[1]["momentum"]) == (0.5, 0)


def test_named_parameters() -> None:
    opt = rushlight.optim.Adam([("a", leaf()), ("b", leaf())])
    assert opt.param_groups[0]["param_names"] == ["a", "b"]
    saved = opt.state_dict()["param_groups"][0]
    assert list(saved)[0] == "param_names" and saved["params"] == [0, 1]
    del saved["param_names"]
    opt.load_state_dict({"state": {}, "param_groups": [saved]})
    assert opt.param_groups[0]["param_names"] == ["a", "b"]


def test_required_option() -> None:
    from rushlight.optim.optimizer import Optimizer, required

    assert repr(required) == "<required parameter>"
    with pytest.raises(
        ValueError, match="parameter group didn't specify a value of required optimization parameter lr"
    ):
        Optimizer([leaf()], {"lr": required})
    assert Optimizer([{"params": [leaf()], "lr": 1}], {"lr": required}).param_groups[0]["lr"] == 1


def test_capturable_raises_and_changes_nothing() -> None:
    w = leaf(grad=[1.0, 1.0])
    opt = rushlight.optim.Adam([w], capturable=True)
    with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported devices"):
        opt.step()
    assert w.tolist() == [1.0, 2.0] and not opt.state


def test_sparse_adam_refuses_dense_gradients() -> None:
    opt = rushlight.optim.SparseAdam([leaf(grad=[1.0, 1.0])])
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients, please consider Adam instead"):
        opt.step()


def test_groups_have_options_of_their_own() -> None:
    a, b, c = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0]), leaf()
    opt = rushlight.optim.SGD([{"params": [a, c]}, {"params": [b], "lr": 0.5, "weight_decay": 1.0}], lr=0.25)
    opt.step()
    assert a.tolist() == [0.75, 1.75]
    assert b.tolist() == [0.0, 0.5]
    assert c.tolist() == [1.0, 2.0]
    opt.param_groups[0]["lr"] = 1.0
    opt.param_groups[1]["params"].remove(b)
    opt.step()
    assert a.tolist() == [-0.25, 0.75]
    assert b.tolist() == [0.0, 0.5]


def test_a_parameter_listed_twice_takes_two_steps() -> None:
    w = leaf(grad=[1.0, 1.0])
    with pytest.warns(UserWarning, match="optimizer contains a parameter group with duplicate parameters"):
        opt = rushlight.optim.Adam([w, w], lr=0.25)
    opt.step()
    assert float(opt.state[w]["step"]) == 2.0
    close(w.tolist(), [0.5, 1.5], 1e-5, 0)


# ---------------------------------------------------------------------------------------------------------------------
# Steps


def test_zero_grad() -> None:
    w, v = leaf(grad=[1.0, 1.0]), leaf()
    opt = rushlight.optim.SGD([w, v])
    kept = w.grad
    opt.zero_grad(set_to_none=False)
    assert w.grad is kept and kept.tolist() == [0.0, 0.0] and v.grad is None
    opt.zero_grad()
    assert w.grad is None


def test_closure_has_gradients_and_its_loss_is_returned() -> None:
    w = leaf()
    opt = rushlight.optim.SGD([w], lr=0.5)

    def closure() -> Any:
        opt.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with rushlight.no_grad():
        loss = opt.step(closure)
    assert float(loss) == 5.0
    assert w.tolist() == [0.0, 0.0]
    assert opt.step() is None


def test_the_parameter_stays_the_same_tensor() -> None:
    w = leaf(grad=[1.0, 1.0])
    before, view = w, w.detach()
    version = w._version
    rushlight.optim.SGD([w], lr=1.0).step()
    assert before is w and w.is_leaf and w.requires_grad
    assert view.tolist() == [0.0, 1.0]
    assert w._version > version


def test_nan_gradients_are_no_error() -> None:
    w = leaf(grad=[float("nan"), 1.0])
    rushlight.optim.Adam([w], lr=0.5).step()
    assert math.isnan(w[0].item()) and w[1].item() == pytest.approx(1.5)


def test_a_step_that_fails_changes_nothing() -> None:
    w, v = leaf(grad=[1.0, 1.0]), leaf(grad=[1.0, 1.0])
    opt = rushlight.optim.Adam([w, v])
    opt.step()
    opt.state[v]["exp_avg"] = rushlight.zeros(3)
    kept = copy.deepcopy(opt.state_dict()), w.tolist(), v.tolist()
    with pytest.raises(RuntimeError):
        opt.step()
    assert (w.tolist(), v.tolist()) == kept[1:]
    for i, p in enumerate((w, v)):
        for key, value in kept[0]["state"][i].items():
            assert opt.state[p][key].tolist() == value.tolist()


def test_hooks_run_around_a_step() -> None:
    from rushlight.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    w = leaf(grad=[1.0, 1.0])
    opt = rushlight.optim.SGD([w])
    seen: list[str] = []
    handles = [
        opt.register_step_pre_hook(lambda o, args, kwargs: seen.append(f"pre {o is opt} {args[0] is opt} {kwargs}")),
        opt.register_step_post_hook(lambda o, args, kwargs: seen.append("post")),
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all pre")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all post")),
    ]
    opt.step()
    assert seen == ["all pre", "pre True True {}", "post", "all post"]
    for handle in handles:
        handle.remove()
    opt.step()
    assert len(seen) == 4
    with (
        opt.register_step_pre_hook(lambda o, args, kwargs: 3),
        pytest.raises(RuntimeError, match="must return None or"),
    ):
        opt.step()
    with opt.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7.0), {})):
        assert opt.step() == 7.0


def test_state_dict_hooks() -> None:
    opt = rushlight.optim.SGD([leaf()], lr=0.5)
    seen: list[str] = []
    opt.register_state_dict_pre_hook(lambda o: seen.append("second"))
    opt.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    opt.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    saved = opt.state_dict()
    assert seen == ["first", "second"] and saved["more"] == 1

    def lower(o: Any, state: dict[str, Any]) -> dict[str, Any]:
        group = {**state["param_groups"][0], "lr": 0.25}
        return {"state": {}, "param_groups": [group]}

    opt.register_load_state_dict_pre_hook(lower)
    opt.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    opt.load_state_dict(saved)
    assert opt.param_groups[0]["lr"] == 0.25 and saved["param_groups"][0]["lr"] == 0.5
    assert seen[-1] == "loaded"


def test_an_optimizer_of_ones_own() -> None:
    class Signs(rushlight.optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @rushlight.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    w = leaf(grad=[3.0, -2.0])
    opt = Signs([w], 0.5)
    seen: list[int] = []
    opt.register_step_post_hook(lambda o, a, k: seen.append(1))
    opt.step()
    assert w.tolist() == [0.5, 2.5] and seen == [1]
    assert opt.state_dict() == {"state": {0: {"count": 1}}, "param_groups": [{"lr": 0.5, "params": [0]}]}


def test_differentiable_step() -> None:
    w0 = leaf(1.0, 2.0)
    lr = rushlight.tensor(0.5, requires_grad=True)
    w = w0.clone()
    w.grad = rushlight.tensor([1.0, 2.0])
    rushlight.optim.SGD([w], lr=lr, differentiable=True).step()
    (w * w).sum().backward()
    assert w.tolist() == [0.5, 1.0]
    assert lr.grad.item() == pytest.approx(2 * (0.5 * -1 + 1.0 * -2))
    assert w0.grad.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Rprop", "ASGD"])
def test_a_complex_parameter_is_two_real_ones(name: str) -> None:
    start, grad = [[1.0, 2.0], [3.0, -1.0]], [[0.5, -1.0], [2.0, 0.25]]
    real = rushlight.tensor(start, requires_grad=True)
    both = rushlight.view_as_complex(rushlight.tensor(start)).requires_grad_()
    optimizers = [getattr(rushlight.optim, name)([p], lr=0.1) for p in (real, both)]
    for _ in range(3):
        real.grad = rushlight.tensor(grad)
        both.grad = rushlight.view_as_complex(rushlight.tensor(grad))
        for opt in optimizers:
            opt.step()
    close(rushlight.view_as_real(both.detach()).tolist(), real.tolist(), 1e-6, 0)
    if name == "Adam":
        assert optimizers[1].state[both]["exp_avg"].is_complex()


# ---------------------------------------------------------------------------------------------------------------------
# State


def adam(lr: float = 0.5, steps: int = 1) -> tuple[Any, Any]:
    w = leaf(grad=[1.0, -2.0])
    opt = rushlight.optim.Adam([w], lr=lr)
    for _ in range(steps):
        opt.step()
    return w, opt


def test_state_dict_of_adam() -> None:
    w, opt = adam(lr=0.001)
    saved = opt.state_dict()
    assert saved["param_groups"] == [
        {
            "lr": 0.001,
            "betas": (0.9, 0.999),
            "eps": 1e-08,
            "weight_decay": 0,
            "amsgrad": False,
            "maximize": False,
            "foreach": None,
            "capturable": False,
            "differentiable": False,
            "fused": None,
            "decoupled_weight_decay": False,
            "params": [0],
        }
    ]
    assert list(saved["state"]) == [0] and type(saved["state"][0]) is dict
    state = saved["state"][0]
    assert list(state) == ["step", "exp_avg", "exp_avg_sq"]
    assert state["step"].shape == () and state["step"].dtype == rushlight.float32 and state["step"].item() == 1.0
    close(state["exp_avg"].tolist(), [0.1, -0.2], 1e-6, 0)
    close(state["exp_avg_sq"].tolist(), [0.001, 0.004], 1e-6, 0)


def test_the_step_is_a_tensor_whoever_asks() -> None:
    asks = [
        lambda s: s["step"],
        lambda s: s.get("step"),
        lambda s: dict(s)["step"],
        lambda s: {**s}["step"],
        lambda s: list(s.values())[0],
        lambda s: dict(s.items())["step"],
        lambda s: copy.copy(s)["step"],
        lambda s: copy.deepcopy(s)["step"],
        lambda s: pickle.loads(pickle.dumps(s))["step"],
        lambda s: (s | {})["step"],
        lambda s: s.setdefault("step", 5),
        lambda s: s.pop("step"),
    ]
    for ask in asks:
        w, opt = adam(steps=3)
        step = ask(opt.state[w])
        assert isinstance(step, rushlight.Tensor) and step.item() == 3.0
    w, opt = adam()
    assert list(opt.state[w]) == ["step", "exp_avg", "exp_avg_sq"]
    for test in (lambda s: "step" in s, lambda s: len(s) == 3, lambda s: "'step': tensor(1.)" in repr(s), bool):
        assert test(adam()[1].state_dict()["state"][0])
        w, opt = adam()
        assert test(opt.state[w])


def test_a_step_tensor_that_is_held_counts_on() -> None:
    w, opt = adam()
    step = opt.state[w]["step"]
    opt.step()
    assert step.item() == 2.0 and opt.state[w]["step"] is step
    saved = opt.state_dict()
    opt.step()
    assert saved["state"][0]["step"].item() == 3.0
    del step, saved
    opt.step()
    assert opt.state[w]["step"].item() == 4.0


def test_the_user_may_change_the_state() -> None:
    w, opt = adam(steps=2)
    other, reference = adam(steps=2)
    opt.state[w]["step"].fill_(100.0)
    opt.state[w]["exp_avg"].zero_()
    opt.state[w]["exp_avg_sq"] = rushlight.tensor([1.0, 4.0])
    before = w.tolist()
    opt.step()
    first, second = 0.1 * np.array([1.0, -2.0]), 0.999 * np.array([1.0, 4.0]) + 0.001 * np.array([1.0, 4.0])
    divisor = np.sqrt(second) / math.sqrt(1 - 0.999**101) + 1e-8
    close(w.tolist(), np.array(before) - 0.5 / (1 - 0.9**101) * first / divisor, 1e-5, 0)
    assert opt.state[w]["step"].item() == 101.0
    opt.state.clear()
    opt.step()
    assert opt.state[w]["step"].item() == 1.0
    reference.state[other] = {k: v.clone() for k, v in reference.state[other].items()}
    reference.step()
    assert reference.state[other]["step"].item() == 3.0
    assert type(reference.state[other]) is dict


def test_parameters_may_have_taken_different_numbers_of_steps() -> None:
    a, b = leaf(grad=[1.0, 1.0]), leaf()
    opt = rushlight.optim.Adam([a, b], lr=0.5)
    opt.step()
    b.grad = rushlight.tensor([1.0, 1.0])
    opt.step()
    assert (opt.state[a]["step"].item(), opt.state[b]["step"].item()) == (2.0, 1.0)
    close(a.tolist(), [0.0, 1.0], 1e-5, 1e-6)
    close(b.tolist(), [0.5, 1.5], 1e-6, 0)


def test_loading_goes_on_where_saving_stopped() -> None:
    for name in ("SGD", "Adam", "NAdam", "ASGD", "Adagrad", "RMSprop", "Rprop", "Adafactor", "LBFGS"):
        settings = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        runs = []
        for again in (False, True):
            params, loss_of = network(rushlight, rushlight.float32)
            opt = getattr(rushlight.optim, name)(params, **settings)
            for i in range(6):
                if again and i == 3:
                    saved = pickle.loads(pickle.dumps(copy.deepcopy(opt.state_dict())))
                    opt = getattr(rushlight.optim, name)(params, lr=77.0, **settings)
                    opt.load_state_dict(saved)

                def closure(opt: Any = opt, loss_of: Any = loss_of) -> Any:
                    opt.zero_grad()
                    loss = loss_of()
                    loss.backward()
                    return loss

                opt.step(closure)
            runs.append([p.tolist() for p in params])
        assert runs[0] == runs[1], name


def test_loading_follows_the_parameter() -> None:
    w, opt = adam()
    saved = copy.deepcopy(opt.state_dict())
    saved["state"][0]["exp_avg"] = saved["state"][0]["exp_avg"].double()
    saved["state"][0]["step"] = 7  # files of old versions hold numbers
    opt.load_state_dict(saved)
    assert opt.state[w]["exp_avg"].dtype == rushlight.float32
    assert opt.state[w]["step"].item() == 7.0
    opt.step()
    assert opt.state[w]["step"].item() == 8.0


def test_loading_the_wrong_layout_changes_nothing() -> None:
    w, opt = adam()
    groups = opt.state_dict()["param_groups"]
    with pytest.raises(ValueError, match="loaded state dict has a different number of parameter groups"):
        opt.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="parameter group that doesn't match the size of optimizer's group"):
        opt.load_state_dict({"state": {}, "param_groups": [{**groups[0], "params": [0, 1]}]})
    assert opt.state[w]["step"].item() == 1.0


def test_copies_and_pickles_are_whole() -> None:
    w, opt = adam(steps=2)
    for other in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        v = other.param_groups[0]["params"][0]
        assert v is not w and v.tolist() == w.tolist()
        v.grad = rushlight.tensor([1.0, -2.0])
        other.step()
        assert other.state[v]["step"].item() == 3.0
        assert opt.state[w]["step"].item() == 2.0
        other.register_step_post_hook(lambda o, a, k: None)
    opt.step()
    assert w.tolist() == v.tolist()


def test_state_goes_to_pytorch_and_back() -> None:
    torch = pytest.importorskip("torch")
    for name, settings in (("Adam", {"amsgrad": True}), ("SGD", {"momentum": 0.9}), ("NAdam", {}), ("ASGD", {})):
        opts = []
        for t in (rushlight, torch):
            params, loss_of = network(t, t.float32)
            opt = getattr(t.optim, name)(params, **settings)
            opts.append((opt, params, loss_of))
        ours, theirs = opts
        for opt, _, loss_of in opts:
            loss_of().backward()
            opt.step()
        crossed = theirs[0].state_dict(), ours[0].state_dict()
        for (opt, _, loss_of), t, saved in zip(opts, (rushlight, torch), crossed, strict=True):
            state = {i: {k: t.tensor(v.tolist()) for k, v in s.items()} for i, s in saved["state"].items()}
            opt.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
            opt.zero_grad()
            loss_of().backward()
            opt.step()
        for p, q in zip(ours[1], theirs[1], strict=True):
            close(p.tolist(), q.tolist(), 1e-5, 1e-7)


def write_expected() -> None:
    """Asks PyTorch; a line for each case, numbers with the digits that count."""
    import torch

    lines = []
    for case in CASES:
        digits = "%.12g" if "float64" in case else "%.8g"
        answer = json.loads(json.dumps(train(torch, case)), parse_float=lambda x, d=digits: float(d % float(x)))
        lines.append(f"{json.dumps(case)}: {json.dumps(answer)}")
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_expected()
    sys.exit(0)


# ---- other parameters for a while


def _stepped(optimizer, parameters):
    for p in parameters:
        p.grad = rushlight.full_like(p, 0.5)
    optimizer.step()
    return [p.detach().clone() for p in parameters]


def test_an_optimizer_works_on_other_parameters_for_a_while():
    swap = rushlight.optim.swap_in_optimizer_params_and_state
    live, other = ([rushlight.full((2,), v, requires_grad=True) for v in (a, a + 1)] for a in (1.0, 5.0))
    optimizer = rushlight.optim.Adam([{"params": live[:1]}, {"params": live[1:], "lr": 0.1}])
    twin = rushlight.optim.Adam([{"params": other[:1]}, {"params": other[1:], "lr": 0.2}])
    _stepped(optimizer, live)
    _stepped(twin, other)
    start = [p.detach().clone().requires_grad_() for p in other]
    saved, mine = copy.deepcopy(twin.state_dict()), copy.deepcopy(optimizer.state_dict())
    expected = _stepped(twin, other)
    with swap(optimizer, {"a": start[0], "b": start[1]}, saved):
        assert optimizer.param_groups[1]["lr"] == 0.2
        for found, wanted in zip(_stepped(optimizer, start), expected, strict=True):
            assert rushlight.equal(found, wanted)
    assert saved["state"][0]["step"].item() == 2
    assert optimizer.param_groups[0]["params"][0] is live[0] and optimizer.param_groups[1]["lr"] == 0.1
    assert rushlight.equal(optimizer.state[live[1]]["exp_avg"], mine["state"][1]["exp_avg"])
    with pytest.raises(RuntimeError, match="requires 2 parameters"), swap(optimizer, {"a": start[0]}, saved):
        pass
    with pytest.raises(RuntimeError, match="different number of param groups"), \
         swap(optimizer, {}, saved | {"param_groups": []}):  # fmt: skip
        pass
    with pytest.raises(RuntimeError, match="DCP-style"), swap(optimizer, {}, []):
        pass
    with pytest.raises(RuntimeError, match="initialized optimizer state"), swap(rushlight.optim.SGD(live), {}, saved):
        pass
    with pytest.raises(RuntimeError, match="exactly match"), \
         swap(optimizer, {}, saved | {"param_groups": [g | {"x": 1} for g in saved["param_groups"]]}):  # fmt: skip
        pass


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "ASGD"])
def test_a_learning_rate_may_be_a_number_of_numpys(name: str) -> None:
    kind = getattr(rushlight.optim, name)

    def trained(*rates: Any) -> list[float]:
        p = rushlight.nn.Parameter(rushlight.ones(2))
        optimizer = kind([p], lr=rates[0])
        for rate in rates:
            optimizer.param_groups[0]["lr"] = rate
            p.grad = rushlight.ones(2)
            optimizer.step()
        return p.tolist()

    assert trained(np.float64(0.5), np.float64(0.25), np.float64(0.125)) == trained(0.5, 0.25, 0.125)
    assert trained(np.float32(0.5)) == trained(0.5)
