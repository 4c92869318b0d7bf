"""What programs do to the tape: hooks, saved tensors, custom Functions, checkpoints, gradcheck, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight.utils.checkpoint import CheckpointError, checkpoint

graph, functional, grad = torch.autograd.graph, torch.autograd.functional, torch.autograd.grad


def leaf(*numbers: float, dtype: Any = None) -> torch.Tensor:
    return torch.tensor(numbers, dtype=dtype or torch.float32, requires_grad=True)


# ---- hooks


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (lambda g: 3, TypeError, "expected Variable, but hook returned 'int'"),
        (lambda g: g.double(), RuntimeError, "changed the type of value .was torch.FloatTensor got torch.DoubleTensor"),
        (lambda g: g[:1], RuntimeError, "changed the size"),
    ],
)
def test_what_a_hook_must_not_answer(answer: Any, error: type[Exception], says: str) -> None:
    x = leaf(1, 2)
    x.register_hook(answer)
    with pytest.raises(error, match=says):
        x.sum().backward()


def test_a_hook_after_accumulation_answers_nothing() -> None:
    x = leaf(1)
    x.register_post_accumulate_grad_hook(lambda t: 3)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="expected Variable"):
        x.sum().backward()


def test_a_hook_on_several_tensors_waits_for_those_that_the_pass_comes_to() -> None:
    a, b, seen, first = leaf(1), leaf(2), [], []
    graph.register_multi_grad_hook((a, b), lambda gs: seen.append([None if g is None else g.item() for g in gs]))
    graph.register_multi_grad_hook((a, b), lambda g: first.append(g.item()), mode="any")
    (a * 3).sum().backward()
    (a * b).sum().backward()
    (b * 5).sum().backward()
    assert seen == [[3, None], [2, 1], [None, 5]] and first[0] == 3 and len(first) == 3
    grad((a * b * 2).sum(), [a])
    assert seen[3:] == [[4, None]]


def test_hooks_of_leaves_that_a_pass_is_not_for_hear_nothing() -> None:
    a, b, heard = leaf(1), leaf(1), []
    b.register_hook(heard.append)
    grad((a * b).sum(), [a])
    (a * b).sum().backward(inputs=[a])
    assert heard == [] and a.grad.item() == 1 and b.grad is None


# ---- what is saved


def test_hooks_on_one_saved_tensor() -> None:
    x = leaf(1, 2)
    y = x**2
    saved = y.grad_fn._raw_saved_self
    saved.register_hooks(lambda t: "packed", lambda packed: torch.full((2,), 10.0))
    with pytest.raises(RuntimeError, match="already been set"):
        saved.register_hooks(lambda t: t, lambda t: t)
    y.sum().backward()
    assert x.grad.tolist() == [20, 20]
    with pytest.raises(RuntimeError, match="second time"):
        saved.register_hooks(lambda t: t, lambda t: t)
    with pytest.raises(AttributeError, match="_raw_saved_other"):
        y.grad_fn._raw_saved_other
    assert leaf(1, 2).sum().grad_fn._saved_self_sym_sizes == (2,)


def test_a_pack_hook_must_not_write() -> None:
    x = leaf(1, 2)
    with graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t), pytest.raises(RuntimeError, match="in place"):
        x * x
    assert x.tolist() == [1, 2]


# ---- Functions


class Scaled(torch.autograd.Function):
    """Times a number that may be given by name."""

    @staticmethod
    def forward(ctx: Any, x: Any, by: float = 2.0) -> Any:
        ctx.by = by
        return x * by

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * ctx.by, None


def test_a_functions_arguments_by_name() -> None:
    x = leaf(1, 2)
    Scaled.apply(x, by=5.0).sum().backward()
    assert x.grad.tolist() == [5, 5]
    assert len(Scaled.apply(x, 3.0).grad_fn.next_functions) == 1, "numbers have no place on the tape"
    with pytest.raises(TypeError):
        Scaled.apply(x, wrong=5.0)


def test_what_a_function_says_it_wrote_to_it_must_return() -> None:
    class Writing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x.mul_(2))
            return x * 1

    with pytest.raises(RuntimeError, match="marked as dirty"):
        Writing.apply(leaf(1).clone())


def test_a_functions_view_is_not_written_to() -> None:
    class Passing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return grads[0] * 5

    class Row(Passing):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.view(-1)

    for function in (Passing, Row):
        x = leaf(1, 2)
        y = function.apply(x)
        with pytest.raises(RuntimeError, match="created inside a custom Function"):
            y.add_(1)
        y.sum().backward()
        assert x.grad.tolist() == [5, 5]
        with torch.no_grad():
            x.zero_()
        assert y.tolist() == [0, 0], "it is the same memory"
        assert function.apply(torch.ones(2)).add_(1).tolist() == [2, 2]


# ---- passes


def test_gradients_of_another_kind_are_refused() -> None:
    with pytest.raises(RuntimeError, match="required to have the same dtype"):
        leaf(1, 2).backward(torch.ones(2, dtype=torch.complex64))


def test_warnings() -> None:
    with pytest.warns(FutureWarning, match="only_inputs"):
        grad(leaf(1).sum(), leaf(1), only_inputs=False, allow_unused=True)
    with pytest.warns(FutureWarning, match="Decorating classes"):

        @torch.no_grad()
        class Quiet:
            def __init__(self) -> None:
                self.tracked = torch.is_grad_enabled()

    assert not Quiet().tracked
    torch.autograd._warned = False  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="create_graph=True will create a reference cycle"):
        leaf(1).exp().backward(create_graph=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leaf(1).exp().backward(create_graph=True)


# ---- functional


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda f: f.jacobian(lambda x: x, leaf(1), strategy="sideways"), AssertionError, "Expected strategy"),
        (lambda f: f.jacobian(lambda x: x, leaf(1), strategy="forward-mode"), NotImplementedError, "vectorize=True"),
        (lambda f: f.jacobian(lambda x: x, leaf(1), strict=True, vectorize=True), RuntimeError, "not supported toget"),
        (lambda f: f.jacobian(lambda x: x, 3), TypeError, "inputs given to jacobian must be"),
        (lambda f: f.jacobian(lambda x: [x], leaf(1)), TypeError, "has type <class 'list'>"),
        (lambda f: f.vjp(lambda x: x, leaf(1), (torch.ones(1), torch.ones(1))), RuntimeError, "should contain a singl"),
        (lambda f: f.hessian(lambda x: x.sum(), leaf(1), strict=True), RuntimeError, "independent|does not require"),
        (lambda f: f.hvp(lambda x: (x * 2).sum(), leaf(1), torch.ones(1), strict=True), RuntimeError, "independent"),
    ],
)
def test_functional_refuses(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(functional)


# ---- gradcheck


def test_gradcheck_looks_at_its_inputs_and_asks_twice() -> None:
    class Drifting(torch.autograd.Function):
        calls = 0

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            Drifting.calls += 1
            return grads[0] * 2 + Drifting.calls * 1e-9

    x = leaf(1, 2, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="not reentrant"):
        torch.autograd.gradcheck(Drifting.apply, x)
    assert torch.autograd.gradcheck(Drifting.apply, x, nondet_tol=1e-3)
    with pytest.raises(RuntimeError, match="stride 0"):
        torch.autograd.gradcheck(torch.exp, torch.ones(1, dtype=torch.float64).expand(3).requires_grad_())
    with pytest.warns(UserWarning, match="not a double precision"):
        torch.autograd.gradcheck(lambda x: x * 2, leaf(1), atol=1.0)


# ---- checkpoints


@pytest.mark.parametrize("reentrant", [False, True])
def test_the_node_of_a_checkpoint(reentrant: bool) -> None:
    y = checkpoint(lambda x: x * 2, leaf(1), use_reentrant=reentrant)
    assert y.grad_fn.name() == ("CheckpointFunctionBackward" if reentrant else "MulBackward0")
    assert "grad_fn" in repr(y) and y.grad_fn is not None


def test_a_second_run_that_saves_less_is_found_out() -> None:
    runs = []

    def changing(x: torch.Tensor) -> torch.Tensor:
        runs.append(x)
        return x.sin().cos() if len(runs) == 1 else x.sin()

    with pytest.raises(CheckpointError, match="A different number of tensors was saved"):
        checkpoint(changing, leaf(1), use_reentrant=False).sum().backward()
    runs.clear()
    checkpoint(changing, leaf(1), use_reentrant=False, determinism_check="none").sum().backward()
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(changing, leaf(1), use_reentrant=False, determinism_check="twice")


# ---- a graph of the gradient, through operations in place


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu", "silu", "hardtanh", "relu", "mish"])
def test_a_penalty_on_the_gradient_passes_through_activations_in_place(name: str) -> None:
    """As a WGAN's critic with `LeakyReLU(inplace=True)` asks for; the third time the passes are known ones."""

    def penalty(inplace: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        x, w, v = (torch.randn(n, requires_grad=True) for n in ((5, 4), (4, 3), (3, 2)))
        y = getattr(torch.nn.functional, name)(x @ w, inplace=inplace) @ v
        (g,) = grad(y.sum(), x, create_graph=True)
        (((g.norm(dim=1) - 1) ** 2).mean() + y.mean()).backward()
        return [x.grad, w.grad, v.grad]  # type: ignore[list-item]

    for _ in range(3):
        for there, beside in zip(penalty(True), penalty(False), strict=True):
            torch.testing.assert_close(there, beside)
            assert there.abs().sum() > 0


def test_third_derivatives_through_operations_in_place() -> None:
    def third(of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        w = leaf(0.5, 2.0, dtype=torch.float64)
        y = of(w).sum()
        for _ in range(2):
            y = grad(y, w, create_graph=True)[0].sum()
        return grad(y, w)[0]

    silu = torch.nn.functional.silu
    there = third(lambda w: silu(w * 1, inplace=True).mul_(w))
    torch.testing.assert_close(there, third(lambda w: silu(w) * w))
