"""`torch.library`: operators of a program's own; PyTorch gives the same answers, where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

import pytest

import rushlight
from rushlight import library

FRAMEWORKS = [rushlight] + ([importlib.import_module("torch")] if importlib.util.find_spec("torch") else [])
every = pytest.mark.parametrize("torch", FRAMEWORKS, ids=lambda t: t.__name__)


@every
def test_an_operator_has_the_gradient_that_it_is_given(torch: Any) -> None:
    seen = []

    def scaled_square(x: torch.Tensor, k: float = 2.0) -> torch.Tensor:
        return x * x * k

    scaled_square.__annotations__ = {"x": torch.Tensor, "k": float, "return": torch.Tensor}
    op = torch.library.custom_op("testing::scaled_square", mutates_args=())(scaled_square)
    x = torch.ones(2, requires_grad=True)
    y = op(x)
    assert y.requires_grad and y.tolist() == [2, 2] and repr(op) == "<CustomOpDef(testing::scaled_square)>"
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        y.sum().backward()

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        seen.append(inputs[1])
        ctx.save_for_backward(inputs[0])
        ctx.k = inputs[1]

    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * ctx.k * x * g, None

    op.register_autograd(backward, setup_context=setup)
    op(x, k=3.0).sum().backward()
    torch.ops.testing.scaled_square(x).sum().backward()
    assert x.grad.tolist() == [10, 10] and seen == [3.0, 2.0]
    assert torch.ops.testing.scaled_square.default(x.detach(), 1.0).tolist() == [1, 1]
    with torch.no_grad():
        assert not op(x).requires_grad
    op.register_fake(lambda x, k=2.0: torch.empty_like(x))
    op.register_kernel("cpu")(lambda x, k=2.0: x * 0)
    assert op(x).tolist() == [0, 0]
    with pytest.raises(AttributeError):
        _ = torch.ops.testing.nothing


@every
def test_several_results_and_keywords(torch: Any) -> None:
    def two(x, *, s):
        return x * s, x + s

    two.__annotations__ = {"x": torch.Tensor, "s": float, "return": tuple[torch.Tensor, torch.Tensor]}
    op = torch.library.custom_op("testing::two", two, mutates_args=())
    found = []
    torch.library.register_autograd(
        "testing::two",
        lambda ctx, a, b: a * 2 + b,
        setup_context=lambda ctx, inputs, keyword_only_inputs, output: found.append(keyword_only_inputs),
    )
    x = torch.ones(2, requires_grad=True)
    a, b = op(x, s=2.0)
    (a + b).sum().backward()
    assert x.grad.tolist() == [3, 3] and found == [{"s": 2.0}]
    with pytest.raises(RuntimeError, match="operator testing::unknown does not exist"):
        torch.library.register_fake("testing::unknown", lambda x: x)


@every
def test_operators_that_write(torch: Any) -> None:
    def fill(x, value):
        x.fill_(value)

    fill.__annotations__ = {"x": torch.Tensor, "value": float, "return": None}
    op = torch.library.custom_op("testing::fill", fill, mutates_args={"x"})
    x = torch.ones(2)
    assert op(x, 3.0) is None and x.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="Cannot register autograd formula for non-functional operator"):
        op.register_autograd(lambda ctx, g: g)

    def same(x):
        return x

    same.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    with pytest.raises(RuntimeError, match="must not also be an input"):
        torch.library.custom_op("testing::same", same, mutates_args=())(x)


@every
def test_names_and_signatures(torch: Any) -> None:
    with pytest.raises(ValueError, match="must have a type annotation"):
        torch.library.custom_op("testing::bare", lambda x: x, mutates_args=())

    def f(x):
        return x

    f.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    with pytest.raises(ValueError, match="like 'namespace::name'" if torch is rushlight else None):
        torch.library.custom_op("bad", f, mutates_args=())
    with pytest.raises(ValueError, match="mutates_args"):
        torch.library.custom_op("testing::f", f, mutates_args={"y"})


@every
def test_pytorchs_own_operators_have_names(torch: Any) -> None:
    aten = torch.ops.aten
    x = torch.arange(6.0).reshape(2, 3)
    assert aten.mm(x, x.T).tolist() == aten.mm.default(x, aten.t(x)).tolist() == (x @ x.T).tolist()
    assert aten.view(x, [3, 2]).shape == (3, 2) and aten.add.Tensor(x, x).tolist() == (x * 2).tolist()
    assert aten.mm is aten.mm and aten.mm.default is aten.mm.default and aten.mm in {aten.mm, aten.clone}
    with pytest.raises(AttributeError):
        _ = aten.no_such_operator


def test_what_is_accepted() -> None:
    torch = rushlight

    @library.custom_op("testing::accepted", mutates_args="unknown")
    def op(x: torch.Tensor) -> None:
        x.add_(1)

    @library.register_fake("testing::accepted")
    def fake(x: torch.Tensor) -> None:
        """Nothing to work out."""

    x = torch.zeros(2)
    op(x)
    assert x.tolist() == [1, 1] and library.register_vmap(op, fake) is fake and op.register_vmap()(fake) is fake
    library.register_kernel(op, ["cuda"])(lambda x: x.add_(100))
    op(x)
    assert x.tolist() == [2, 2] and "accepted" in dir(torch.ops.testing)
    library.register_autocast(op, "cuda", torch.float16)
    with pytest.raises(NotImplementedError, match="register_autocast"):
        library.register_autocast(op, "cpu", torch.bfloat16)
    with pytest.raises(RuntimeError, match="inside a fake kernel"):
        library.get_ctx()
    with pytest.raises(AttributeError):
        _ = torch.ops.no_such_namespace


def test_a_schema_is_written_down_from_annotations() -> None:
    torch = rushlight

    def many(
        xs: list[torch.Tensor], n: Sequence[int], o: torch.Tensor | None = None, *, s: str = "a", b: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("never called")

    infer = torch.library.infer_schema
    expected = '(Tensor[] xs, SymInt[] n, Tensor? o=None, *, str s="a", bool b=True) -> (Tensor, Tensor)'
    assert infer(many, mutates_args=()) == expected

    def writing(k: float, x: torch.Tensor) -> None:
        raise AssertionError("never called")

    assert infer(writing, mutates_args={"x"}) == "(float k, Tensor(a1!) x) -> ()"
    assert infer(writing, mutates_args="unknown", op_name="f") == "f(float k, Tensor(a1!) x) -> ()"

    def wrong(x: torch.Tensor) -> object:
        raise AssertionError("never called")

    for f, written, says in ((wrong, (), "Return has unsupported type"), (writing, {"z"}, "were not found"),
                             (lambda x: x, (), "must have a type annotation")):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            infer(f, mutates_args=written)


def test_wrong_arguments_of_an_operator_are_named_before_it_runs() -> None:
    calls, torch = [], rushlight

    @torch.library.custom_op("schemas::scaled", mutates_args=())
    def scaled(x: torch.Tensor, k: float = 2.0) -> torch.Tensor:
        calls.append(k)
        return x * k

    for call, says in (
        (lambda: scaled("a"), r"schemas::scaled\(\) Expected a value of type 'Tensor' for argument 'x'.*'str'"),
        (lambda: scaled(), "is missing value for argument 'x'"),
        (lambda: scaled(torch.ones(1), 1.0, 2.0), "expected at most 2 argument.* but received 3"),
        (lambda: scaled(torch.ones(1), q=1.0), "Unknown keyword argument"),
    ):
        with pytest.raises(RuntimeError, match=says):
            call()
    assert calls == [] and scaled(torch.ones(1), k=3.0).item() == 3
    assert scaled._schema == "schemas::scaled(Tensor x, float k=2.0) -> Tensor"


@every
def test_operators_that_a_schema_defines(torch: Any) -> None:
    lib = torch.library.Library("testing_lib", "DEF")
    try:
        assert lib.define("scaled(Tensor x, float k=2.0, *, int[] sizes=[1, 2]) -> Tensor") == "scaled"
        x = torch.ones(2, requires_grad=True)
        with pytest.raises(NotImplementedError, match="Could not run 'testing_lib::scaled'"):
            torch.ops.testing_lib.scaled(x)
        lib.impl("scaled", lambda x, k=2.0, *, sizes=(1, 2): x.sin() * k * sum(sizes), "CPU")
        torch.library.impl(lib, "scaled", "CUDA")(lambda x, k=2.0, *, sizes=(): None)
        assert torch.ops.testing_lib.scaled(torch.zeros(2), sizes=[5]).tolist() == [0, 0]
        assert torch.ops.testing_lib.scaled(x).requires_grad
        torch.library.register_autograd("testing_lib::scaled", lambda ctx, g: (g * 100, None))
        torch.ops.testing_lib.scaled(x).sum().backward()
        assert x.grad.tolist() == [100, 100]
        torch.library.define("testing_lib::add_to", "(Tensor x, Tensor(a!) y) -> ()", lib=lib)
        torch.library.impl("testing_lib::add_to", "cpu", lambda x, y: y.add_(x) and None, lib=lib)
        y = torch.zeros(1)
        assert torch.ops.testing_lib.add_to(torch.ones(1), y) is None and y.item() == 1
        with pytest.raises(RuntimeError, match="multiple times"):
            lib.define("scaled(Tensor x) -> Tensor")
        with pytest.raises(RuntimeError, match="Only a single TORCH_LIBRARY"):
            torch.library.Library("testing_lib", "DEF")
        with pytest.raises(ValueError, match="Unsupported kind: X"):
            torch.library.Library("testing_lib", "X")
        with pytest.raises(ValueError, match="reserved namespace"):
            torch.library.Library("aten", "DEF")
        with pytest.raises(RuntimeError, match="[Ss]chema|expected"):
            lib.define("scaled2(Tensor x")
        with pytest.raises(TypeError, match="required to be a callable"):
            lib.impl("scaled", 3, "CPU")
    finally:
        lib._destroy()
    with pytest.raises(AttributeError):
        _ = torch.ops.testing_lib.scaled


@every
def test_operators_are_checked(torch: Any) -> None:
    def twice(x):
        return x * 2

    def writes(x):
        return x.add_(1) * 1

    for f in (twice, writes):
        f.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    good = torch.library.custom_op("testing_check::twice", mutates_args=())(twice)
    bad = torch.library.custom_op("testing_check::writes", mutates_args=())(writes)
    good.register_autograd(lambda ctx, g: g * 2)
    assert good.register_fake(lambda x: torch.empty_like(x)) is not None
    every_test = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    x = torch.ones(2, requires_grad=True)
    assert torch.library.opcheck(good, (x,)) == dict.fromkeys(every_test, "SUCCESS") and x.grad is None
    with pytest.raises(Exception, match="Argument x is not defined as mutable but was mutated"):
        torch.library.opcheck(bad, (torch.ones(2),))
    found = torch.library.opcheck(bad, (torch.ones(2),), test_utils="test_schema", raise_exception=False)
    assert "mutated" in str(found["test_schema"])
    good.register_fake(lambda x: torch.empty_like(x)[:1])
    with pytest.raises(Exception, match="test_faketensor failed"):
        torch.library.opcheck(good, (torch.ones(2),), test_utils="test_faketensor")
    with pytest.raises(ValueError, match="expected test_utils to be subset"):
        torch.library.opcheck(good, (x,), test_utils=("test_nothing",))
