"""Attention in blocks of queries: equal to the formula, forwards and back, with only a block's scores in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, fresh_automaton, own_cache  # noqa: F401
from test_compile_views import numbers

import rushlight as torch
from rushlight.codegen.native import Segment
from rushlight.ops import attention_blocks
from rushlight.record import trace

F = torch.nn.functional
only_lazily = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
MASKS: dict[str, Any] = {
    "none": None,
    "causal": None,
    "for all": lambda b, h, length, s: (length, s),
    "by image": lambda b, h, length, s: (b, 1, 1, s),
    "by head": lambda b, h, length, s: (1, h, length, s),
    "of its own": lambda b, h, length, s: (b, h, length, s),
}
SIZES = [(2, 2, 5, 7, 4), (1, 3, 256, 20, 4), (2, 2, 261, 33, 8), (2, 1, 129, 130, 4), (1, 2, 165, 165, 4),
         (1, 1, 64, 64, 4)]  # fmt: skip


@pytest.fixture
def in_blocks(monkeypatch: Any) -> None:
    """No attention is small, and blocks are, so that small arrays show what large ones would."""
    monkeypatch.setattr(attention_blocks, "SMALL", 0)
    monkeypatch.setattr(attention_blocks, "ROWS", 32)
    monkeypatch.setattr("rushlight.ops.attention.LONGEST", 0)


def operands(b: int, h: int, length: int, s: int, e: int, kind: Any = torch.float64) -> list[torch.Tensor]:
    sizes = [(b, h, length, e), (b, h, s, e), (b, h, s, e)]
    return [(numbers(*size, kind=kind) / 7 + k).sin().requires_grad_() for k, size in enumerate(sizes)]


def mask_of(name: str, sizes: tuple[int, ...], kind: Any) -> Any:
    if MASKS[name] is None:
        return None
    made = numbers(*MASKS[name](*sizes[:4]), kind=kind).cos()
    return made > -0.2 if name in ("for all", "of its own") else made


def formula(q: Any, k: Any, v: Any, mask: Any, causal: bool) -> Any:
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -np.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1) @ v


def step(name: str, sizes: tuple[int, ...], kind: Any, f: Any) -> Callable[[], list[Any]]:
    q, k, v = operands(*sizes, kind=kind)
    mask = mask_of(name, sizes, kind)

    def run() -> list[Any]:
        out = f(q, k, v, mask, name == "causal")
        return [out, *torch.autograd.grad((out * out.cos()).sum(), (q, k, v))]

    return run


def ours(q: Any, k: Any, v: Any, mask: Any, causal: bool) -> Any:
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", MASKS)
def test_blocks_equal_the_formula(name: str, sizes: tuple[int, ...], in_blocks: None) -> None:
    found = step(name, sizes, torch.float64, ours)()
    expected = step(name, sizes, torch.float64, formula)()
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@only_lazily
@pytest.mark.filterwarnings("error:Rushlight could not compile")
@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MASKS)
def test_blocks_compile(name: str, kind: Any, in_blocks: None, monkeypatch: Any) -> None:
    expected, found, made = compiled(step(name, (2, 3, 70, 33, 8), kind, ours), monkeypatch)
    assert_same(expected, found, 1e-5 if kind is torch.float32 else 1e-12)
    for program in made:
        assert all(isinstance(s, Segment) for s in program.steps), program.reasons


def seeing_itself(mask: Any) -> Any:
    """A mask with its diagonal true, so that every query sees something."""
    return mask | torch.eye(*mask.shape[-2:]).bool()


def formula_below(q: Any, k: Any, v: Any, mask: Any, causal: bool) -> Any:
    """The formula for a causal mask and another one."""
    below = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    return formula(q, k, v, below if mask is None else seeing_itself(mask) & below, False)


@only_lazily
@pytest.mark.parametrize("length", [64, 96, 165])
@pytest.mark.parametrize("name", ["causal", "for all", "of its own"])
def test_keys_behind_all_queries_of_a_stretch(name: str, length: int, in_blocks: None, monkeypatch: Any) -> None:
    """Causal attention in stretches, each with the keys that it sees, with a mask and without."""
    sizes = (1, 2, length, length, 4)
    both = lambda q, k, v, mask, causal: ours(q, k, v, None if causal else seeing_itself(mask), True)  # noqa: E731
    found, again, _ = compiled(step(name, sizes, torch.float64, both), monkeypatch)
    expected = step(name, sizes, torch.float64, formula_below)()
    assert_same(found, again, 1e-12)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.array(a), b.detach().numpy(), rtol=1e-10, atol=1e-12)


@only_lazily
@pytest.mark.filterwarnings("error:Rushlight could not compile")
@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MASKS)
def test_weights_kept_head_by_head(name: str, kind: Any, monkeypatch: Any) -> None:
    run = step(name, (2, 3, 40, 33, 8), kind, ours)
    expected, found, made = compiled(run, monkeypatch)
    assert_same(expected, found, 1e-5 if kind is torch.float32 else 1e-12)
    for program in made:
        assert all(isinstance(s, Segment) for s in program.steps), program.reasons


@only_lazily
def test_the_scores_are_never_all_in_memory(monkeypatch: Any) -> None:
    b, h, length, e = 1, 4, 2048, 8
    expected, found, made = compiled(step("causal", (b, h, length, length, e), torch.float32, ours), monkeypatch)
    assert_same(expected, found, 1e-4)
    scores = b * h * length * length * 4
    assert 0 < max(s.entry.plan.arena for p in made for s in p.segments) < scores / 2


@only_lazily
def test_any_number_of_threads(in_blocks: None, monkeypatch: Any) -> None:
    run = step("causal", (3, 2, 100, 100, 16), torch.float32, ours)
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        try:
            _, found, _ = compiled(run, monkeypatch)
            results.append([np.array(a) for a in found])
        finally:
            torch.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_who_sees_nothing_gets_zeros(in_blocks: None) -> None:
    q, k, v = operands(1, 1, 70, 40, 4)
    mask = torch.ones(70, 40, dtype=torch.bool)
    mask[3] = mask[65] = False
    out = F.scaled_dot_product_attention(q, k, v, mask)
    grads = torch.autograd.grad(out.sum(), (q, k, v))
    assert not out[0, 0, [3, 65]].any() and out[0, 0, 4].all()
    assert all(g.isfinite().all() for g in grads) and not grads[0][0, 0, 65].any()


@pytest.mark.parametrize("sizes", [(1, 2, 3, 0, 4), (1, 2, 0, 3, 4), (0, 2, 3, 3, 4)], ids=str)
def test_no_keys_no_queries_no_images(sizes: tuple[int, ...]) -> None:
    b, h, length, s, e = sizes
    with torch.no_grad():
        out = F.scaled_dot_product_attention(torch.ones(b, h, length, e), *[torch.ones(b, h, s, e)] * 2)
    assert out.shape == (b, h, length, e) and out.sum().item() == 0
    q, k = torch.ones(b, h, length, e, requires_grad=True), torch.ones(b, h, s, e, requires_grad=True)
    F.scaled_dot_product_attention(q, k, k).sum().backward()
    assert not q.grad.any() and not k.grad.any()


@pytest.mark.parametrize("longest", [0, 100])
def test_results_lie_as_the_queries_do(longest: int, monkeypatch: Any) -> None:
    """As PyTorch lays them: heads that were split off rows are joined again without a copy."""
    monkeypatch.setattr("rushlight.ops.attention.LONGEST", longest)
    rows = torch.randn(2, 8, 3 * 64, requires_grad=True)
    q, k, v = (x.view(2, 8, 4, 16).transpose(1, 2) for x in rows.split(64, 2))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert y.stride() == (512, 16, 64, 1) and y.transpose(1, 2).is_contiguous()
    assert all(g.stride() == (512, 16, 64, 1) for g in torch.autograd.grad(y.sum(), (q, k, v)))
    q, k, v = (torch.randn(2, 4, 8, 16, requires_grad=True) for _ in range(3))
    y = F.scaled_dot_product_attention(q, k, v)
    assert y.stride() == (512, 128, 16, 1)
    y.sum().backward()
    assert q.grad.stride() == k.grad.stride() == (512, 128, 16, 1)


@pytest.mark.parametrize("longest", [0, 100])
def test_derivatives_of_derivatives(longest: int, in_blocks: None, monkeypatch: Any) -> None:
    """In blocks, and with the weights kept."""
    monkeypatch.setattr("rushlight.ops.attention.LONGEST", longest)
    q, k, v = operands(1, 1, 34, 3, 2)
    attend = lambda *x: F.scaled_dot_product_attention(*x)  # noqa: E731
    assert torch.autograd.gradcheck(attend, (q[:, :, :5], k, v))
    first = torch.autograd.grad((attend(q, k, v) ** 2).sum(), (q, k, v), create_graph=True)
    found = torch.autograd.grad(sum((g * g).sum() for g in first), (q, k, v))
    first = torch.autograd.grad((formula(q, k, v, None, False) ** 2).sum(), (q, k, v), create_graph=True)
    expected = torch.autograd.grad(sum((g * g).sum() for g in first), (q, k, v))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)
