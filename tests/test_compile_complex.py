"""Complex numbers in machine code: the answers of the interpreter, and what zeros, infinities and NaN become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, own_cache  # noqa: F401 - the fixture
from test_compile_functions import natively, short_runs  # noqa: F401 - the fixture

import rushlight as torch
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
F = torch.nn.functional
EDGES = (0.0, -0.0, 1.0, -2.5, 1e-5, 30.0, np.inf, -np.inf, np.nan)
UNARY = (
    "exp expm1 log log2 log10 sqrt rsqrt reciprocal square sin cos tan sinh cosh tanh sigmoid abs angle sgn conj neg "
    "isnan isinf isfinite logical_not"
).split()


def drawn(*shape: int, kind: torch.dtype = torch.complex64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=kind, generator=generator)


def edges(kind: torch.dtype) -> torch.Tensor:
    """All pairs of remarkable numbers."""
    made = np.empty((len(EDGES), len(EDGES)), np.complex128)
    made.real, made.imag = np.array(EDGES)[:, None], EDGES
    return torch.tensor(made).to(kind)


def as_reals(a: np.ndarray) -> np.ndarray:
    return np.stack([a.real, a.imag], -1) if a.dtype.kind == "c" else a


def without_idle_signs(a: np.ndarray) -> np.ndarray:
    """The parts; the sign of what stands beside NaN is nobody's (C's Annex G), and differs between C libraries."""
    parts = as_reals(a) if a.dtype.kind == "c" else a[..., None]
    return np.where(np.isnan(parts).any(-1, keepdims=True), np.abs(parts), parts)


def assert_close(expected: list[Any], found: list[Any]) -> None:
    """Real and imaginary parts alike, each beside the size of the number."""
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        within = 1e-11 if a.dtype in (np.complex128, np.float64) else 2e-5
        size = np.abs(a).max(initial=0, where=np.isfinite(a)) if a.dtype.kind in "fc" else 0
        np.testing.assert_allclose(as_reals(b), as_reals(a), rtol=within, atol=within * float(size))


def same_natively(f: Callable[[], list[Any]], patch: Any) -> None:
    assert_close(*natively(f, patch))


# ---------------------------------------------------------------------------------------------------------------------
# Functions and their edges


@pytest.mark.parametrize("kind", [torch.complex64, torch.complex128])
def test_functions(kind: torch.dtype, monkeypatch: Any) -> None:
    x = drawn(5, 33, kind=kind)
    same_natively(lambda: [getattr(torch, name)(x) for name in UNARY], monkeypatch)


def test_arithmetic(monkeypatch: Any) -> None:
    x, y, real = drawn(4, 17), drawn(17, seed=1), torch.linspace(-1, 1, 17)

    def step() -> list[Any]:
        found = [x + y, x - y, x * y, x / y, x * real, real / x, 2 - x, x * 2j, 1j / x, x + (1 - 2j), x == y, x != y]
        return [*found, x**2, x**3, x**-1, x**-2.0, x**0.5, x**1.5, x ** (1 + 2j), 2**x, x**y, x**0]

    same_natively(step, monkeypatch)


def test_edges_of_arithmetic(monkeypatch: Any) -> None:
    """Products spread NaN as NumPy's do; quotients are Smith's, by zero each part's own."""
    x = edges(torch.complex64)
    ys = [torch.tensor(v, dtype=torch.complex64) for v in (2 - 3j, 0j, complex(np.inf, 1), complex(0, np.nan))]
    expected, found = natively(lambda: [f for y in ys for f in (x * y, x / y, y / x, x + y, x * y.conj())], monkeypatch)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(as_reals(b), as_reals(a), rtol=1e-6)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs", "angle"])
def test_edges_of_functions(name: str, monkeypatch: Any) -> None:
    for kind in (torch.complex64, torch.complex128):
        x = edges(kind)
        (expected,), (found,) = natively(lambda x=x: [getattr(torch, name)(x)], monkeypatch)  # type: ignore[misc]
        np.testing.assert_allclose(without_idle_signs(found), without_idle_signs(expected), rtol=1e-5)


def test_branch_cuts_know_the_sign_of_zero(monkeypatch: Any) -> None:
    x = torch.tensor([complex(-4, 0.0), complex(-4, -0.0)])
    _, (root, log) = natively(lambda: [torch.sqrt(x), torch.log(x)], monkeypatch)
    assert root.imag.tolist() == [2, -2]
    np.testing.assert_allclose(log.imag, [np.pi, -np.pi], rtol=1e-6)


def test_sgn_of_infinity() -> None:
    """Each part is divided by the size, so that a zero beside infinity stays one."""
    found = torch.sgn(torch.tensor([complex(0, np.inf), 3 + 4j, 0j]))
    assert found[0].real.item() == 0 and np.isnan(found[0].imag.item())
    np.testing.assert_allclose(found[1:].numpy(), [0.6 + 0.8j, 0], rtol=1e-6)


def test_numbers_at_run_time(monkeypatch: Any) -> None:
    x = drawn(6, 9)
    for number in (2j, 1.5 - 1j):
        same_natively(lambda number=number: [x * number + number, torch.full((3, 4), number) / 2], monkeypatch)


# ---------------------------------------------------------------------------------------------------------------------
# Memory: pairs, views, parts


def test_parts_and_pairs(monkeypatch: Any) -> None:
    x, a, b = drawn(3, 8, 5), torch.randn(4, 6), torch.randn(4, 6)

    def step() -> list[Any]:
        made = torch.complex(a, b)
        pairs = torch.view_as_real(made * 2)
        stacked = torch.view_as_complex(torch.stack([a, b], -1))
        return [x.real + x.imag, x.transpose(0, 2) * 2, stacked + made, pairs + 1,
                torch.polar(a.abs(), b), pairs.flatten() * 2, x.to(torch.complex128) * 2, made.real * 3]  # fmt: skip

    same_natively(step, monkeypatch)


def test_rotary_embedding(monkeypatch: Any) -> None:
    x, turns = torch.randn(2, 6, 3, 8, requires_grad=True), torch.polar(torch.ones(6, 4), torch.randn(6, 4))

    def step() -> list[Any]:
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        turned = torch.view_as_real(z * turns.view(1, 6, 1, 4)).flatten(3)
        return [turned + 0, *torch.autograd.grad((turned**3).sum(), x)]

    same_natively(step, monkeypatch)


def test_parts_of_memory_written_in_place(monkeypatch: Any) -> None:
    x, y = drawn(4, 3, 10), drawn(4, 3, 4, seed=1)

    def step() -> list[Any]:
        out = torch.zeros(4, 3, 10, dtype=torch.complex64)
        out[:, :, :4] = y * 2
        out[:, 1, -2:] += x[:, 1, 3:5]
        return [out * 1j, torch.cat([x, y], -1) * 2, torch.stack([y, y.conj()]) + 1, F.pad(y * 1j, (1, 2))]

    expected, found, made = compiled(step, monkeypatch)
    assert any(p.segments for p in made)
    assert_close(expected, found)


def test_positions(monkeypatch: Any) -> None:
    x, at, mask = drawn(7, 5), torch.tensor([3, 0, 6, 3]), torch.arange(35).reshape(7, 5) % 3 == 0

    def step() -> list[Any]:
        return [x[at] * 2, x.index_select(1, at[1:2]) + 0, x.flip(0) * 1, x.roll(2, 1) * 1, torch.where(mask, x, 1j),
                x.masked_fill(mask, 0), x.index_add(0, at, x[:4]), x.tril() * 1, x.cumsum(0)]  # fmt: skip

    expected, found, made = compiled(step, monkeypatch)
    assert any(p.segments for p in made)
    assert_close(expected, found)


# ---------------------------------------------------------------------------------------------------------------------
# Sums and products


def test_reductions(monkeypatch: Any) -> None:
    x = drawn(6, 5, 4)
    same_natively(lambda: [x.sum(), x.sum(1), x.mean((0, 2)), x.prod(1), x.sum(dtype=torch.complex128)], monkeypatch)


@pytest.mark.parametrize("kind", [torch.complex64, torch.complex128])
def test_products_and_their_gradients(kind: torch.dtype, monkeypatch: Any) -> None:
    x, w, v = (drawn(*s, kind=kind, seed=k).requires_grad_() for k, s in enumerate([(9, 33), (33, 20), (20,)]))
    images, kernels = drawn(5, 7, 6, kind=kind), drawn(5, 6, 8, kind=kind, seed=4)

    def step() -> list[Any]:
        product = x @ w
        loss = (product @ v).abs().square().sum() + (F.linear(x, w.t(), v).real ** 2).sum()
        return [product * 1, images @ kernels, torch.dot(v, v), torch.vdot(v, v), torch.outer(v, v),
                *torch.autograd.grad(loss, [x, w, v])]  # fmt: skip

    same_natively(step, monkeypatch)


def test_einsum_of_spectra(monkeypatch: Any) -> None:
    x, w = drawn(2, 5, 9, 8), drawn(5, 3, 4, 6, seed=1).requires_grad_()

    def step() -> list[Any]:
        found = torch.einsum("bixy,ioxy->boxy", x[:, :, :4, :6], w)
        return [found * 1, *torch.autograd.grad(found.abs().sum(), w)]

    expected, found, made = compiled(step, monkeypatch)
    assert any(p.segments for p in made)
    assert_close(expected, found)


def test_convolutions(monkeypatch: Any) -> None:
    x, w, b = drawn(2, 3, 9, 8), drawn(4, 3, 3, 3, seed=1).requires_grad_(), drawn(4, seed=2).requires_grad_()

    def step() -> list[Any]:
        found = F.conv2d(x, w, b, stride=2, padding=1)
        return [found * 1, *torch.autograd.grad((found * found.conj()).real.sum(), [w, b])]

    expected, found, made = compiled(step, monkeypatch)
    assert any(p.segments for p in made)
    assert_close(expected, found)


def test_a_loop_of_rows(monkeypatch: Any) -> None:
    x = drawn(12, 40)
    same_natively(lambda: [x.cumsum(0), x.cumprod(0)], monkeypatch)


def test_a_circuit_of_gates(monkeypatch: Any) -> None:
    """Gates of 2 by 2 on a state of 5 qubits, and the gradient of an expectation."""
    angles = torch.linspace(0.1, 2, 5, requires_grad=True)

    def step() -> list[Any]:
        state = torch.zeros([2] * 5, dtype=torch.complex64)
        state[0, 0, 0, 0, 0] = 1
        for q in range(5):
            c, s = torch.cos(angles[q]), torch.sin(angles[q])
            gate = torch.stack([torch.stack([c + 0j, -1j * s]), torch.stack([-1j * s, c + 0j])])
            state = torch.tensordot(gate, state, dims=([1], [q])).movedim(0, q)
        chances = state.abs() ** 2
        return [chances * 1, *torch.autograd.grad((chances * torch.arange(32.0).view(2, 2, 2, 2, 2)).sum(), angles)]

    expected, found, made = compiled(step, monkeypatch)
    assert any(p.segments for p in made)
    assert_close(expected, found)
