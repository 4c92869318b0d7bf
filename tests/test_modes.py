"""Modes that see every call (`torch.overrides`) or every operation (`torch.utils._python_dispatch`)."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest

import rushlight as torch
from rushlight.overrides import BaseTorchFunctionMode, TorchFunctionMode
from rushlight.utils._device import DeviceContext
from rushlight.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode

F = torch.nn.functional


class Names(TorchFunctionMode):
    """Writes down the names of what is called."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_mode_sees_functions_methods_and_operators() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    layer = torch.nn.Linear(2, 2)
    with Names() as names:
        y = layer(x) + 1
        y.sum().backward()
        -y[0]
        F.relu(1 - y)
        torch.linalg.norm(y)
    assert names.found == ["linear", "add", "sum", "backward", "__getitem__", "neg", "__rsub__", "relu", "norm"]
    torch.relu(x)
    assert names.found[-1] == "norm", "after the block nobody is asked"


def test_functions_are_found_in_a_programs_tables_and_by_any_name() -> None:
    relu = torch.relu
    answers = {torch.relu: 5, torch.Tensor.add: 6}

    class Answering(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return answers[func] if func in answers else func(*args, **(kwargs or {}))

    with Answering():
        assert relu(torch.ones(1)) == 5 and torch.ones(1) + 1 == 6
        assert list(inspect.signature(torch.Tensor.add).parameters)[:2] == ["input", "other"]
    assert relu is torch.relu and torch.equal(relu(torch.ones(1)), torch.ones(1))
    assert list(inspect.signature(torch.Tensor.add).parameters)[:2] == ["input", "other"]


def test_modes_nest_and_are_left_when_something_is_raised() -> None:
    class Twice(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = func(*args, **(kwargs or {}))
            return found * 2 if func is torch.exp else found

    with Names() as outer, Twice():
        assert torch.exp(torch.zeros(1)).item() == 2
    assert outer.found[:2] == ["zeros", "exp"]
    with pytest.raises(RuntimeError, match="shape|size"), Names():
        torch.ones(2) + torch.ones(3)
    assert torch.overrides._get_current_function_mode() is None
    with BaseTorchFunctionMode() as base:
        assert torch.overrides._get_current_function_mode() is base and torch.ones(1).item() == 1
    with pytest.raises(NotImplementedError), TorchFunctionMode():
        torch.ones(1)


def test_a_mode_belongs_to_its_thread() -> None:
    with Names() as names:
        t = threading.Thread(target=lambda: torch.ones(1).exp())
        t.start()
        t.join()
    assert names.found == []


def test_a_mode_has_no_part_in_what_is_remembered() -> None:
    """An optimizer's step is recorded once and taken again: what a mode does to its operations must not stay in it."""

    class Wrong(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return args[0] * 100 if func is torch.Tensor.mul else func(*args, **(kwargs or {}))

    p = torch.nn.Parameter(torch.ones(3))
    step = torch.optim.SGD([p], lr=0.5, momentum=0.9)
    for k in range(5):
        p.grad = torch.ones(3)
        if k < 3:
            with Wrong():
                step.step()
        else:
            step.step()
    q = torch.nn.Parameter(torch.ones(3))
    plain = torch.optim.SGD([q], lr=0.5, momentum=0.9)
    for _ in range(5):
        q.grad = torch.ones(3)
        plain.step()
    assert torch.equal(p, q)


def test_default_device_as_a_mode() -> None:
    with DeviceContext("cpu"):
        assert torch.ones(1).device == torch.device("cpu")
    assert isinstance(DeviceContext("cpu"), TorchFunctionMode)


def test_what_can_be_overridden() -> None:
    found = torch.overrides.get_overridable_functions()
    assert torch.relu in found[torch] and F.linear in found[F] and torch.Tensor.add_ in found[torch.Tensor]
    assert torch.overrides.resolve_name(torch.Tensor.view) == "torch.Tensor.view"
    assert torch.overrides.resolve_name(len) is None


class Operations(TorchDispatchMode):
    """Writes down the operations."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found.append(func)
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_sees_what_is_recorded_and_the_backward_pass() -> None:
    w = torch.ones(2, 2, requires_grad=True)
    with Operations() as seen:
        assert _get_current_dispatch_mode() is seen
        (w @ w).sum().backward()
    aten = torch.ops.aten
    assert seen.found[0] is aten.mm.default and seen.found.count(aten.mm) == 3
    assert torch.equal(w.grad, torch.full((2, 2), 4.0)) and _get_current_dispatch_mode() is None


def test_a_dispatch_mode_can_answer() -> None:
    class Zeros(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten.exp.default:
                return torch.zeros_like(args[0])
            return func(*args, **(kwargs or {}))

    with Zeros(), Operations() as seen:
        found = torch.ones(2).exp() + 1
    assert torch.equal(found, torch.ones(2)) and torch.ops.aten.exp in seen.found
    assert torch.ones(1).exp().item() > 2


def test_an_optimizers_step_is_seen_each_time() -> None:
    p = torch.nn.Parameter(torch.ones(3))
    step = torch.optim.SGD([p], lr=0.5)
    counts = []
    for _ in range(3):
        p.grad = torch.ones(3)
        with Operations() as seen:
            step.step()
        counts.append(len(seen.found))
    assert counts[0] == counts[1] == counts[2] > 0 and torch.equal(p.detach(), torch.full((3,), -0.5))
