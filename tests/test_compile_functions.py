"""Functions in machine code: their exactness against more precise ones, their edges against the interpreter.

Also what is made of them: rounding, division, bits, losses with a check of their numbers, softmax and attention.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from table import Case, all_cases, flat
from test_compile import assert_same, compiled, own_cache  # noqa: F401 - the fixture

import rushlight as torch
from rushlight.codegen import native, planning
from rushlight.ops import attention
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
F = torch.nn.functional
KINDS = [torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: Any) -> None:
    """A single operation is worth a native function here."""
    monkeypatch.setattr(planning, "FEWEST", 1)


def natively(f: Callable[[], list[Any]], patch: Any) -> tuple[list[Any], list[Any]]:
    """The answers of `f`, interpreted and compiled; nothing but looks at results may be left to NumPy."""
    expected, found, made = compiled(f, patch)
    assert made
    for program in made:
        left = [s.step.op for s in program.steps if not isinstance(s, native.Segment)]
        left = [op.name for op in left if not op.view]
        assert not left, (left, program.reasons)
    return expected, found


# ---------------------------------------------------------------------------------------------------------------------
# Exactness

RANGES = {
    "exp": (-104, 89), "exp2": (-150, 128), "expm1": (-30, 88), "log": (1e-38, 1e3), "log2": (1e-38, 1e3),
    "log10": (1e-38, 1e3), "log1p": (-0.999, 50), "tanh": (-10, 10), "erf": (-5, 5), "sin": (-1e5, 1e5),
    "cos": (-1e5, 1e5), "tan": (-1e3, 1e3), "asin": (-1, 1), "acos": (-1, 1), "atan": (-30, 30), "sinh": (-80, 80),
    "cosh": (-80, 80), "asinh": (-1e4, 1e4), "acosh": (1, 1e4), "atanh": (-0.9999, 0.9999),
}  # fmt: skip
NUMPY = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}


def exactly(name: str, x: np.ndarray) -> np.ndarray:
    """The function in more precision than `x` has."""
    if name != "erf":
        return getattr(np, NUMPY.get(name, name))(x.astype(np.longdouble))  # type: ignore[no-any-return]
    return np.array([math.erf(v) for v in x.tolist()])


def units(found: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units of the last place, of finite results."""
    with np.errstate(over="ignore"):
        rounded = np.abs(exact).astype(found.dtype)
    fine = np.isfinite(rounded)
    return float(np.max(np.abs(found[fine] - exact[fine]) / np.spacing(rounded[fine])))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", RANGES)
def test_exactness(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    low, high = RANGES[name]
    x = np.concatenate(
        [np.linspace(low, high, 30_011), np.random.default_rng(0).uniform(max(low, -2), min(high, 2), 9_999)]
    )
    x = torch.tensor(x, dtype=kind)
    _, (found,) = natively(lambda: [getattr(torch, name)(x)], monkeypatch)
    assert units(found, exactly(name, x.numpy())) <= (2 if kind is torch.float32 else 2.6)


MORE = ["sigmoid", "rsqrt", "floor", "ceil", "trunc", "round", "frac", "sign", "isinf", "isfinite", "signbit", "sinc",
        "deg2rad", "rad2deg", "relu", "square", "reciprocal"]  # fmt: skip
EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 1.0, -1.0, 0.5, -0.5, 3e38, -3e38, 200.0, -200.0, 1e6, 89.0]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", [*RANGES, *MORE])
def test_edges(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    x = torch.tensor(EDGES, dtype=kind)
    (a,), (b,) = natively(lambda: [getattr(torch, name)(x)], monkeypatch)
    np.testing.assert_allclose(b, a, rtol=6e-7 if kind is torch.float32 else 1e-15, atol=0)
    zero = a == 0
    np.testing.assert_array_equal(np.signbit(b[zero]), np.signbit(a[zero]))


def test_huge_angles(monkeypatch: Any) -> None:
    """Beyond 2**30 the C library helps out, in the lanes that need it."""
    for kind in KINDS:
        x = torch.tensor([1.0, 2.0**29, 2.0**31, -1e15, 3e38, 0.5, np.inf, -7.0] * 5, dtype=kind)
        a, b = natively(lambda x=x: [torch.sin(x), torch.cos(x), torch.tan(x)], monkeypatch)  # type: ignore[misc]
        assert_same(a, b, 1e-6 if kind is torch.float32 else 1e-14)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_powers(kind: torch.dtype, monkeypatch: Any) -> None:
    rng, size = np.random.default_rng(0), 80 if kind is torch.float32 else 700
    bases = np.concatenate([np.exp(rng.uniform(-size, size, 9_973)), rng.uniform(0.5, 2, 9_973)])
    x = torch.tensor(bases, dtype=kind)
    y = torch.tensor(np.concatenate([rng.uniform(-1, 1, 9_973), rng.uniform(-size, size, 9_973)]), dtype=kind)
    _, (found,) = natively(lambda: [torch.pow(x, y)], monkeypatch)
    assert units(found, np.power(x.numpy().astype(np.longdouble), y.numpy().astype(np.longdouble))) <= 1.1
    more = [] if kind is torch.float32 else [5e-324, 1e300, 2.0**53 + 2, 1 + 2.0**-52]
    edges, powers = [*EDGES, 1 - 2.0**-23, *more], [*EDGES, 2.0, 3.0, -3.0, -2.0, 2.5, 1e9, -1e9, 1e17, 1 / 3, *more]
    base = torch.tensor([a for a in edges for _ in powers], dtype=kind)
    exponent = torch.tensor(powers * len(edges), dtype=kind)
    (a,), (b,) = natively(lambda: [torch.pow(base, exponent)], monkeypatch)
    np.testing.assert_allclose(b, a, 6e-7 if kind is torch.float32 else 5e-16, 2 * np.finfo(a.dtype).smallest_subnormal)
    np.testing.assert_array_equal(np.signbit(b[a == 0]), np.signbit(a[a == 0]))
    z = torch.randn(33, dtype=kind)
    for number in (2, 3, 0.5, -1, 4, 1.7, 0, -2.0):
        (a,), (b,) = natively(lambda n=number: [z.abs() ** n], monkeypatch)  # type: ignore[misc]
        np.testing.assert_allclose(b, a, rtol=3e-7 if kind is torch.float32 else 1e-15)


# ---------------------------------------------------------------------------------------------------------------------
# Rounding, division, bits

TWO = ["floor_divide", "remainder", "fmod", "hypot", "copysign", "fmax", "fmin", "logaddexp", "atan2", "maximum"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", TWO)
def test_two_floats(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    numbers = [*EDGES[:5], 1.0, -1.0, 0.5, -0.5, 7.0, -7.0, 3.0, -3.0, 2.5, 200.0, -1e6]
    x = torch.tensor([a for a in numbers for _ in numbers], dtype=kind)
    y = torch.tensor(numbers * len(numbers), dtype=kind)
    (a,), (b,) = natively(lambda: [getattr(torch, name)(x, y)], monkeypatch)
    np.testing.assert_allclose(b, a, rtol=6e-7 if kind is torch.float32 else 4e-15)


@pytest.mark.parametrize("kind", [torch.int32, torch.int64], ids=str)
def test_whole_numbers(kind: torch.dtype, monkeypatch: Any) -> None:
    x = torch.tensor([a for a in range(-9, 10) for _ in range(18)], dtype=kind)
    y = torch.tensor([b for b in range(-9, 10) if b] * 19, dtype=kind)
    big = torch.tensor([-(2**31), 2**31 - 1, 5], dtype=kind)

    def results() -> list[torch.Tensor]:
        shift = y.abs()
        bits = [x & y, x | y, x ^ y, ~x, x << shift, x >> shift]
        parts = [x // y, x % y, torch.fmod(x, y), big // -1, x.abs(), torch.sign(x), x.floor()]
        return [*bits, *parts, torch.maximum(x, y), x.clamp(-3, 4), (x > 0).any(), (x > y).all()]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found)


def test_division_by_zero_raises(monkeypatch: Any) -> None:
    x, y = torch.tensor([1, 2, 3]), torch.tensor([1, 0, 2])
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        compiled(lambda: [x // y], monkeypatch)
    natively(lambda: [x // (y + 1)], monkeypatch)


@pytest.mark.parametrize("shape", [(7,), (17, 3), (2, 5, 33)])
def test_bools_and_places(shape: Any, monkeypatch: Any) -> None:
    x, y = torch.randn(shape), torch.randn(shape)

    def results() -> list[torch.Tensor]:
        a, b = x > 0, y > 0
        masked = x.masked_fill(a, 2.0)
        whole = [a & b, a | b, a ^ b, ~a, a.any(), a.all(), a.any(-1), b.all(0), torch.count_nonzero(x > 0), masked]
        return [*whole, x.argmax(), x.argmin(-1), y.argmax(0), torch.logical_xor(a, b), torch.where(a, x, y).prod()]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found)


def test_triangles(monkeypatch: Any) -> None:
    x = torch.randn(3, 7, 5)
    expected, found = natively(lambda: [x.tril(), x.triu(1), x.tril(-2)], monkeypatch)
    assert_same(expected, found, 1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# Activations and losses

ACTIVATIONS = ["gelu", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "hardtanh", "hardswish", "hardsigmoid",
               "softplus", "logsigmoid", "softsign", "tanhshrink", "relu6", "hardshrink", "softshrink"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_slopes(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        x = (torch.randn(17, 5, dtype=kind) * 3).requires_grad_()
        y = getattr(F, name)(x)
        y.square().sum().backward()
        assert x.grad is not None
        return [y, x.grad]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found, 2e-6 if kind is torch.float32 else 1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
                                  "binary_cross_entropy_with_logits", "kl_div", "soft_margin_loss"])  # fmt: skip
def test_losses(name: str, reduction: str, monkeypatch: Any) -> None:
    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        x, y = torch.rand(7, 33, requires_grad=True), torch.rand(7, 33)
        loss = getattr(F, name)(x, y, reduction=reduction)
        loss.sum().backward()
        assert x.grad is not None
        return [loss, x.grad]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found)


def test_binary_cross_entropy_outside_its_range_raises(monkeypatch: Any) -> None:
    y = torch.rand(40)
    for wrong in (1.5, -0.1, float("nan")):
        x = torch.full((40,), 0.5)
        x[33] = wrong
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            compiled(lambda x=x: [F.binary_cross_entropy(x * 1, y)], monkeypatch)  # type: ignore[misc]


# ---------------------------------------------------------------------------------------------------------------------
# Softmax and attention


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_softmax(dim: int, kind: torch.dtype, monkeypatch: Any) -> None:
    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        x = torch.randn(3, 17, 5, dtype=kind, requires_grad=True)
        soft, log = torch.softmax(x, dim), torch.log_softmax(x, dim)
        (soft * log).sum().backward()
        assert x.grad is not None
        return [soft, log, x.grad, torch.logsumexp(x, dim)]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found, 3e-6 if kind is torch.float32 else 1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("mask", ["none", "causal", "bool", "float"])
@pytest.mark.parametrize("longest", [0, 8])
def test_attention(longest: int, mask: str, kind: torch.dtype, monkeypatch: Any) -> None:
    """With the weights made again by the backward pass, and with the weights kept."""
    monkeypatch.setattr(attention, "LONGEST", longest)

    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        q, k, v = (torch.randn(2, 3, 7, 5, dtype=kind, requires_grad=True) for _ in range(3))
        given = None
        if mask == "bool":
            given = torch.rand(7, 7) > 0.3
            given = given & (torch.arange(7) != 2)[:, None]  # a query that nothing takes part in
        elif mask == "float":
            given = torch.randn(7, 7, dtype=kind)
        y = F.scaled_dot_product_attention(q, k, v, given, is_causal=mask == "causal")
        y.square().sum().backward()
        return [y, *(t.grad for t in (q, k, v) if t.grad is not None)]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found, 1e-5 if kind is torch.float32 else 1e-12)


def test_positions_in_what_was_just_made(monkeypatch: Any) -> None:
    """All of an array must be there before it is read at positions."""
    index = torch.randint(0, 200, (3, 200))

    def results() -> list[torch.Tensor]:
        counts = torch.zeros(3, 200).scatter_add(1, index, torch.ones(3, 200))
        return [(1 / counts.clamp(min=1)).gather(1, index)]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found)


# ---------------------------------------------------------------------------------------------------------------------
# Half precision: stored in 16 bits, computed in 32

HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("kind", HALVES, ids=str)
@pytest.mark.parametrize("shape", [(1,), (7, 17), (33,), (3, 5, 4)])
def test_half_precision(shape: Any, kind: torch.dtype, monkeypatch: Any) -> None:
    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        x, y = torch.randn(shape).to(kind), torch.randn(shape).to(kind)
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        (torch.where(a > 0, a * b + 1, b) / 3).sum().backward()
        assert a.grad is not None and b.grad is not None
        wide = [
            t.float()
            for t in (x * y - 2, x.sum(), x.masked_fill(y > 0, 1.5), a.grad, b.grad, x.t() if x.ndim == 2 else x)
        ]
        return [*wide, x > y, (x * 100).to(torch.int32), torch.softmax(x, -1).float()]

    expected, found = natively(results, monkeypatch)
    assert_same(expected, found, 1e-2 if kind is torch.bfloat16 else 1e-3)


@pytest.mark.parametrize("kind", HALVES, ids=str)
def test_half_precision_is_rounded_to_even(kind: torch.dtype, monkeypatch: Any) -> None:
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.normal(size=500), np.exp(rng.uniform(-100, 88, 500)), np.arange(4097) / 2048, EDGES])
    x = torch.tensor(numbers, dtype=torch.float32)
    wide = torch.tensor(np.concatenate([numbers[:1000], 1 + 2.0**-11 + rng.normal(size=99) * 2.0**-40]))
    expected, found = natively(lambda: [x.to(kind).float(), (-x).to(kind).float(), wide.to(kind).float()], monkeypatch)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(b, a)
        np.testing.assert_array_equal(np.signbit(b), np.signbit(a))


# ---------------------------------------------------------------------------------------------------------------------
# Every operation there is: the rows of `tests/table`, forward and backward

ROWS = [c for c in all_cases() if c.has_floats]
BLOCKS = 36


def row_results(case: Case, kind: torch.dtype) -> list[torch.Tensor]:
    """What a row of the table gives, and its gradients, as real tensors."""
    xs = [torch.from_numpy(a.copy()) for a in case.arrays()]
    xs = [x.to(kind) if x.is_floating_point() else x for x in xs]
    for x in xs:
        if case.gradient and x.is_floating_point():
            x.requires_grad_()
    made = flat(case.run(torch, *xs))
    for t in made:
        if hasattr(t, "requires_grad") and t.requires_grad and not t.is_complex():
            t.sum().backward(retain_graph=True)
    found = [t for t in (*made, *(x.grad for x in xs)) if isinstance(t, torch.Tensor)]
    return [torch.view_as_real(t.detach().resolve_conj()) if t.is_complex() else t for t in found]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.filterwarnings("ignore", "error:Rushlight could not compile")
def test_rows_of_the_table(block: int, kind: torch.dtype, monkeypatch: Any) -> None:
    rows = ROWS[block::BLOCKS]  # of many families

    def results() -> list[torch.Tensor]:
        torch.manual_seed(0)
        return [t for case in rows for t in row_results(case, kind)]

    expected, found, made = compiled(results, monkeypatch)
    assert any(program.segments for program in made)
    counts = [len(row_results(case, kind)) for case in rows]
    names = [case.name for case, n in zip(rows, counts, strict=True) for _ in range(n)]
    for name, a, b in zip(names, expected, found, strict=True):
        within = 2e-4 if kind is torch.float32 else 1e-9
        np.testing.assert_allclose(b, a, rtol=within, atol=within, err_msg=name)
