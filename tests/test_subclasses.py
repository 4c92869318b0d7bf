"""Subclasses of Tensor, and `__torch_function__` of them and of other types."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

import rushlight as torch
from rushlight.overrides import TorchFunctionMode, get_default_nowrap_functions, has_torch_function

nn, F = torch.nn, torch.nn.functional


class Length(torch.Tensor):
    """Does nothing of its own."""


class Metre(Length):
    """A class below it."""


class Weight(torch.Tensor):
    """A class that knows nothing of the others."""


class Listening(torch.Tensor):
    """Writes down what it is asked."""

    heard: list[tuple[str, list[str]]] = []  # noqa: RUF012

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.heard.append((func.__name__, [kind.__name__ for kind in types]))
        return super().__torch_function__(func, types, args, kwargs)


class Noted(torch.Tensor):
    """Results carry the note of an argument."""

    note: Any = None

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = super().__torch_function__(func, types, args, kwargs)
        if isinstance(found, Noted):
            found.note = next((x.note for x in args if isinstance(x, Noted)), None)
        return found


def kind(x: Any) -> str:
    return type(x).__name__


def test_results_keep_the_class() -> None:
    x = torch.ones(2, 2).as_subclass(Length)
    results = [x + 1, 1 - x, x @ torch.eye(2), torch.relu(x), x.T, x[0], x.sum(), x.detach(), x.data, torch.cat([x, x]),
               torch.zeros_like(x), x == 1, x.to(torch.int64), F.linear(x, x), torch.where(x > 0, x, 0.0), x.max(0)[0],
               *x.split(1), *x, torch.stack([x, x]), torch.ones(2, 2) * x, copy.copy(x), copy.deepcopy(x)]  # fmt: skip
    assert {kind(r) for r in results} == {"Length"}
    assert kind(torch.tensor(x.tolist())) == kind(x.as_subclass(torch.Tensor)) == "Tensor"
    assert type(x.max(0))._fields == ("values", "indices")
    assert x.shape == (2, 2) and isinstance(x.shape, torch.Size) and x.numpy().sum() == 4 and x[0, 0].item() == 1
    y = x
    y += 1
    assert y is x and x.tolist() == [[2, 2], [2, 2]]


def test_layers_keep_the_class() -> None:
    x = torch.ones(3, 2).as_subclass(Length)
    layers = nn.Linear(2, 4), nn.ReLU(), nn.LayerNorm(4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Softmax(-1)
    assert kind(nn.Sequential(*layers)(x)) == "Length"
    out, (h, c) = nn.LSTM(2, 3)(x)
    assert [kind(out), kind(h), kind(c)] == ["Length"] * 3
    assert kind(nn.Conv2d(1, 1, 1)(x[None, None])) == kind(nn.MaxPool2d(2)(x[None, None])) == "Length"


def test_a_subclass_and_its_own_base_go_together_and_strangers_do_not() -> None:
    a, b, c = (torch.ones(2).as_subclass(k) for k in (Length, Metre, Weight))
    assert kind(a + b) == kind(b + a) == kind(torch.add(a, b)) == "Metre"
    with pytest.raises(TypeError, match="torch.add"):
        torch.add(a, c)
    with pytest.raises(TypeError, match="unsupported operand"):
        a + c


def test_instances() -> None:
    assert kind(Length([1.0, 2.0])) == kind(Length(torch.ones(2))) == kind(Length(2, 3)) == "Length"
    leaf = torch.Tensor._make_subclass(Length, torch.ones(2), True)
    (leaf * leaf).sum().backward()
    assert leaf.is_leaf and kind(leaf) == "Length" and kind(leaf.grad) == "Tensor" and leaf.grad.tolist() == [2, 2]
    for wrong in (lambda: torch.ones(1).as_subclass(int), lambda: torch.Tensor._make_subclass(int, torch.ones(1))):
        with pytest.raises(TypeError, match="does not inherit from Tensor"):
            wrong()


def test_the_tape_goes_through_subclasses() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.as_subclass(Length)
    assert not y.is_leaf and y.grad_fn.name() == (y * 2).grad_fn.name() == "AliasBackward0"
    (y * y * 3).sum().backward()
    assert x.grad.tolist() == [6, 6] and kind(x.grad) == "Tensor"
    assert [kind(g) for g in torch.autograd.grad((y * 2).sum(), [x])] == ["Length"]


def test_prints() -> None:
    assert repr(Length([1.0])) == "Length([1.])" and str(Length([1.0]) * 2) == "Length([2.])"

    class Own(nn.Parameter):
        pass

    assert repr(Own(torch.ones(1))) == "Parameter containing:\nParameter(Own([1.], requires_grad=True))"
    assert repr(nn.Parameter(Length([1.0]))) == "Parameter(Length([1.], requires_grad=True))"


def test_parameters() -> None:
    p = nn.Parameter(torch.ones(2, 2).as_subclass(Length))
    assert kind(p) == "Length" and isinstance(p, nn.Parameter) and p.requires_grad

    class Own(nn.Parameter):
        pass

    own = Own(torch.ones(2))
    assert kind(own * 2) == "Tensor" and kind(copy.deepcopy(own)) == "Own" and isinstance(own, nn.Parameter)
    layer = nn.Linear(2, 2, bias=False)
    layer.weight = p
    assert kind(layer(torch.ones(1, 2))) == "Length" and [kind(q) for q in layer.parameters()] == ["Length"]
    step = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.9)
    for _ in range(3):
        step.zero_grad()
        layer(torch.ones(1, 2)).sum().backward()
        step.step()
    assert kind(layer.weight) == "Length" and torch.allclose(layer.weight, torch.full((2, 2), -1.805))


def test_saved_and_pickled() -> None:
    x = Length([1.0])
    x.note = "kept"
    again = pickle.loads(pickle.dumps(x))
    assert kind(again) == "Length" and again.note == "kept" and kind(again + 1) == "Length"

    class Own(nn.Parameter):
        pass

    torch.save(Own(torch.ones(2)), file := io.BytesIO())
    file.seek(0)
    assert type(torch.load(file)) is nn.Parameter


HEARD = {
    "add": lambda x: x + 1, "relu": F.relu, "__get__": lambda x: x.shape, "__getitem__": lambda x: x[0],
    "linear": lambda x: F.linear(x, torch.ones(1, 2)), "matmul": lambda x: torch.ones(2) @ x, "__repr__": repr,
    "__set__": lambda x: setattr(x, "requires_grad", False), "__rsub__": lambda x: 2 - x,
    "softmax": lambda x: x.softmax(0),
    "cat": lambda x: torch.cat([torch.ones(1), x]), "ge": lambda x: x >= 0, "add_": lambda x: x.__iadd__(1),
    "unbind": lambda x: next(iter(x)), "__len__": len, "mean": lambda x: torch.mean(x, dim=0),
}  # fmt: skip


@pytest.mark.parametrize("name", HEARD)
def test_one_call_of_the_program_is_one_question(name: str) -> None:
    x = torch.ones(2).as_subclass(Listening)
    Listening.heard.clear()
    HEARD[name](x)
    assert Listening.heard == [(name, ["Listening"])]


def test_attributes_are_carried_on() -> None:
    x = torch.ones(2).as_subclass(Noted)
    x.note = "metres"
    assert (x * 2 + 1).note == torch.relu(x).note == "metres"
    assert nn.Sequential(nn.Linear(2, 3), nn.GELU())(x).note == "metres"


def test_classes_can_be_left_out() -> None:
    x = torch.ones(2).as_subclass(Length)
    with torch._C.DisableTorchFunctionSubclass():
        assert kind(x + 1) == "Tensor" and not has_torch_function([x])
    assert kind(x + 1) == "Length" and has_torch_function([x])
    assert not has_torch_function([torch.ones(1), nn.Parameter(torch.ones(1)), 3])

    class Quiet(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl

    quiet = torch.ones(2).as_subclass(Quiet)
    assert kind(quiet + 1) == "Tensor" and kind(quiet + x) == "Length"
    assert torch.Tensor.grad.__get__ in get_default_nowrap_functions()


def test_modes_are_asked_before_classes() -> None:
    found = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found.append((func.__name__, [kind.__name__ for kind in types]))
            return func(*args, **(kwargs or {}))

    x = torch.ones(2).as_subclass(Length)
    with Mode():
        assert kind(x + 1) == "Length"
        with torch._C.DisableTorchFunctionSubclass():
            assert kind(x * 1) == "Tensor"
        with torch._C.DisableTorchFunction():
            assert kind(x - 1) == "Tensor"
    assert found == [("add", ["Length"]), ("mul", [])]


class Diagonal:
    """Not a tensor: a number along a diagonal."""

    def __init__(self, n: int, value: float) -> None:
        self.n, self.value = n, value

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.mean:
            return args[0].value / args[0].n
        if func is torch.flatten:
            return "flat"
        if func in (torch.add, torch.Tensor.add):
            return "sum"
        return NotImplemented


def test_types_that_are_no_tensors() -> None:
    x = Diagonal(4, 2.0)
    assert torch.mean(x) == 0.5 and torch.flatten(x) == "flat"
    assert torch.add(torch.ones(1), x) == torch.add(x, 1) == torch.ones(1) + x == "sum"
    with pytest.raises(TypeError, match=r"no implementation found for 'torch\.mul'"):
        torch.mul(x, 2)
    with pytest.raises(TypeError, match="unsupported operand"):
        torch.ones(1) * x


def test_the_first_call_of_such_a_type_is_answered_in_a_fresh_process() -> None:
    import subprocess
    import sys

    program = (
        "import rushlight as torch\n"
        "class D:\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
        "        return func is torch.{0}\n"
        "print(torch.{0}({1}))\n"
    )
    for call, args in (("sum", "D(), dim=0"), ("reshape", "D(), (1,)"), ("cat", "[D()]"), ("add", "1, D()")):
        command = [sys.executable, "-c", program.format(call, args)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        assert run.stdout == "True\n"


def test_a_class_that_asks_itself_without_end_is_told_so() -> None:
    class Endless(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    x = torch.ones(2).as_subclass(Endless)
    for call in (lambda: x + 1, lambda: torch.relu(x), lambda: x.shape, lambda: repr(x), lambda: nn.Linear(2, 2)(x)):
        with pytest.raises(RecursionError):
            call()
    assert (torch.ones(2) + 1).tolist() == [2, 2]


def test_operations_do_not_ask_classes() -> None:
    class Wrapper(torch.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with pytest.raises(NotImplementedError, match="__torch_dispatch__"):
        torch.ones(2).as_subclass(Wrapper)
    with pytest.raises(NotImplementedError, match="_make_wrapper_subclass"):
        torch.Tensor._make_wrapper_subclass(Wrapper, (2,))
