"""Special functions and other long formulas in machine code: exactness against Python's own, edges against NumPy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, own_cache  # noqa: F401 - the fixture
from test_compile_functions import natively, short_runs, units  # noqa: F401 - the fixture

import rushlight as torch
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
KINDS = [torch.float32, torch.float64]
S = torch.special

EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[float], float], float, float]] = {
    "erfc": (torch.erfc, math.erfc, -5, 9),
    "erfcx": (S.erfcx, lambda v: math.exp(v * v) * math.erfc(v), -4, 5),
    "lgamma": (torch.lgamma, math.lgamma, 2.5, 60),
    "lgamma left": (torch.lgamma, math.lgamma, -1.993, -0.013),
    "log_ndtr": (S.log_ndtr, lambda v: math.log(math.erfc(-v / math.sqrt(2)) / 2), -8, 1),
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "erfc": torch.erfc, "erfinv": torch.erfinv, "erfcx": S.erfcx, "ndtri": S.ndtri, "log_ndtr": S.log_ndtr,
    "lgamma": torch.lgamma, "digamma": torch.digamma, "trigamma": lambda x: torch.polygamma(1, x),
    "polygamma": lambda x: torch.polygamma(2, x.abs()), "mvlgamma": lambda x: torch.mvlgamma(x.abs() + 2, 3),
    "zeta": lambda x: S.zeta(x.abs() + 1, x.abs() + 0.5), "i0": torch.i0, "i0e": S.i0e, "i1": S.i1, "i1e": S.i1e,
}  # fmt: skip
EDGES = [0.0, -0.0, 1, -1, 2, -2, -3, 0.5, -0.5, 1.5, 1e-30, -1e-30, 9.99, 10, 1e6, 3e8, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_exactness(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    function, exactly, low, high = EXACT[name]
    x = torch.linspace(low, high, 5003, dtype=kind)
    _, (found,) = natively(lambda: [function(x)], monkeypatch)
    exact = np.array([exactly(v) for v in x.tolist()])
    near_zero = np.abs(exact) < 0.1 if "lgamma" in name else np.zeros(exact.shape, bool)  # absolutely exact there
    assert units(np.where(near_zero, exact, found).astype(x.numpy().dtype), exact) <= 24


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_edges(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    x = torch.cat([torch.tensor(EDGES, dtype=kind), torch.linspace(-12, 12, 1201, dtype=kind)])
    (expected,), (found,) = natively(lambda: [FUNCTIONS[name](x)], monkeypatch)
    tight = 1e-6 if kind is torch.float32 else 1e-11
    np.testing.assert_allclose(found, expected, rtol=tight, atol=tight)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_inverses(kind: torch.dtype, monkeypatch: Any) -> None:
    y = torch.linspace(-3.5, 3.5, 2001, dtype=kind)
    x, q = torch.erf(y), torch.erfc(-y / math.sqrt(2)) / 2
    x.sum().item(), q.sum().item()
    _, (found, quantile) = natively(lambda: [torch.erfinv(x), S.ndtri(q)], monkeypatch)
    slack = np.spacing(np.ones(1, y.numpy().dtype))[0] * np.exp(np.square(y.numpy().astype(float)))
    assert np.all(np.abs(found - y.numpy()) <= 4 * slack)
    assert np.all(np.abs(quantile - y.numpy()) <= 16 * slack)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_values(kind: torch.dtype) -> None:
    """Digamma and trigamma at 1 and 1/2, log gamma's zeros, tails of the normal distribution."""
    x = torch.tensor([1.0, 0.5, 2.0], dtype=kind)
    euler = 0.5772156649015329
    close = 2e-7 if kind is torch.float32 else 1e-14
    np.testing.assert_allclose(torch.digamma(x)[:2].numpy(), [-euler, -euler - 2 * math.log(2)], rtol=close)
    np.testing.assert_allclose(torch.polygamma(1, x)[:2].numpy(), [math.pi**2 / 6, math.pi**2 / 2], rtol=close)
    assert torch.lgamma(x)[[0, 2]].tolist() == [0, 0]
    far = torch.tensor([1e8, 30.0, -1e8], dtype=kind)
    assert torch.erfc(far).tolist() == [0, 0, 2]
    assert S.log_ndtr(far)[0].item() == 0


# ---------------------------------------------------------------------------------------------------------------------
# Pooling by windows of several sizes, remainders, views whose elements meet


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(
    ("shape", "out"), [((2, 3, 13, 17), (5, 4)), ((1, 2, 4, 5), (7, 6)), ((2, 2, 5, 7, 6), (2, 3, 4))]
)
@pytest.mark.parametrize("numbers", ["any", "ties", "nan", "infinite"])
def test_adaptive_pools(numbers: str, shape: Any, out: Any, kind: torch.dtype, monkeypatch: Any) -> None:
    """The same values, positions and gradients as the interpreter's loops over windows."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=shape)
    x = np.round(x) if numbers == "ties" else x
    x[rng.random(shape) < 0.1] = {"nan": np.nan, "infinite": np.inf}.get(numbers, 0.5)
    F, dims = torch.nn.functional, len(out)

    def step() -> list[Any]:
        t = torch.tensor(x, dtype=kind, requires_grad=True)
        best, where = getattr(F, f"adaptive_max_pool{dims}d")(t, out, return_indices=True)
        means = getattr(F, f"adaptive_avg_pool{dims}d")(t, out)
        (best.sum() + (means * means).sum()).backward()
        return [best.detach(), where, means.detach(), t.grad]

    for expected, found in zip(*natively(step, monkeypatch), strict=True):
        assert_same(expected, found)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_remainders_are_exact(kind: torch.dtype, monkeypatch: Any) -> None:
    edges = [0.0, -0.0, 1, -1, 2.5, math.inf, -math.inf, math.nan, 7, 1e9, 1e-3]
    rng = np.random.default_rng(0)
    x, y = (torch.tensor(np.concatenate([a.ravel(), rng.normal(size=500) * 9]), dtype=kind)
            for a in np.meshgrid(edges, edges))  # fmt: skip
    _, (rest, turned, down) = natively(lambda: [x.fmod(y), x % y, x // y], monkeypatch)
    a, b = x.numpy(), y.numpy()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(rest, np.fmod(a, b))
        np.testing.assert_array_equal(turned, np.where(b == 0, np.nan, np.remainder(a, b)))
        np.testing.assert_array_equal(down, np.floor_divide(a, b))


def test_quotients_beyond_the_exact_are_interpreted() -> None:
    x = torch.tensor([1e30, 5.0])
    for _ in range(4):
        found = (x * 1).fmod(torch.tensor([3e-7, 3.0])).numpy()
        np.testing.assert_array_equal(found, np.fmod(np.float32([1e30, 5]), np.float32([3e-7, 3])))


@pytest.mark.parametrize(("size", "step"), [(4, 2), (3, 1), (2, 3)])
def test_unfolded_views_give_their_gradients_back(size: int, step: int, monkeypatch: Any) -> None:
    """Every element gets as much as windows hold it, also through windows of windows."""
    count = np.zeros(20)
    for first in range(0, 20 - size + 1, step):
        count[first : first + size] += 1

    def gradient() -> list[Any]:
        x = torch.ones(5, 20, requires_grad=True)
        (x.unfold(1, size, step) * 2).sum().backward()
        return [x.grad]

    _, (found,) = natively(gradient, monkeypatch)
    np.testing.assert_array_equal(found, np.tile(count * 2, (5, 1)))
    x = torch.ones(5, 20, requires_grad=True)
    x.unfold(1, size, step).unfold(0, 2, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.outer([1, 2, 2, 2, 1], count))


def test_products_without_one_factor(monkeypatch: Any) -> None:
    x = torch.tensor([[2.0, 3, 4], [0, 5, 6], [0, 0, 7]], requires_grad=True)

    def gradient() -> list[Any]:
        x.grad = None
        x.prod(1).sum().backward()
        return [x.grad]

    _, (found,) = natively(gradient, monkeypatch)
    assert found.tolist() == [[12, 8, 6], [30, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("beta", "alpha"), [(1, 1), (0, 2), (0.5, 3)])
def test_added_products(beta: float, alpha: float, monkeypatch: Any) -> None:
    c, x, y = torch.full((4, 4), math.nan if beta == 0 else 2.0), torch.ones(4, 3), torch.ones(3, 4)
    batch = lambda t: t.expand(2, *t.shape).clone()  # noqa: E731

    def step() -> list[Any]:
        more = dict(beta=beta, alpha=alpha)
        return [torch.addmm(c, x, y, **more), torch.baddbmm(batch(c), batch(x), batch(y), **more)]

    _, found = natively(step, monkeypatch)
    for f in found:
        assert np.unique(f).tolist() == [(0 if beta == 0 else 2 * beta) + 3 * alpha]


@pytest.mark.parametrize("dim", [2, 1, 0])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, torch.int32, torch.int64], ids=str)
def test_the_largest_of_lines(kind: torch.dtype, largest: bool, dim: int, monkeypatch: Any) -> None:
    """Equal elements in the order in which they stand, infinities among them."""
    x = torch.tensor(np.random.default_rng(5).integers(-9, 9, (3, 4, 50)), dtype=kind)
    if kind.is_floating_point:
        x[0, 0, 7:20], x[1, 2, ::3] = math.inf, -math.inf
    k = min(7, x.shape[dim])
    (values, at), found = natively(lambda: list((x * 1).topk(k, dim, largest=largest)), monkeypatch)
    np.testing.assert_array_equal(found[0], values)
    np.testing.assert_array_equal(found[1], at)


def test_the_largest_with_unknown_numbers() -> None:
    x = torch.tensor([[1.0, math.nan, 3, 2], [4, 5, 6, 7]])
    for _ in range(4):
        values, at = (x * 1).topk(2)
        assert at.tolist() == [[1, 2], [3, 2]]
        assert values[1].tolist() == [7, 6]


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 100])
def test_searches(n: int, right: bool, monkeypatch: Any) -> None:
    rng = np.random.default_rng(n)
    sorted_ = np.sort(np.round(rng.normal(size=n) * 9)).astype(np.float32)
    values = np.concatenate([sorted_, rng.normal(size=50) * 9, [np.inf, -np.inf]]).astype(np.float32)
    x, y = torch.tensor(sorted_), torch.tensor(values)
    _, (found, bucket) = natively(
        lambda: [torch.searchsorted(x, y, right=right), torch.bucketize(y, x, right=right, out_int32=True)], monkeypatch
    )
    expected = np.searchsorted(sorted_, values, "right" if right else "left")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(bucket, expected)


@pytest.mark.parametrize("right", [False, True])
def test_searches_in_rows_of_their_own(right: bool, monkeypatch: Any) -> None:
    rng = np.random.default_rng(0)
    rows = np.sort(np.round(rng.normal(size=(2, 3, 9)) * 5), -1).astype(np.float32)
    values = np.round(rng.normal(size=(2, 3, 20)) * 5).astype(np.float32)
    x, y = torch.tensor(rows), torch.tensor(values)
    _, (found,) = natively(lambda: [torch.searchsorted(x, y, right=right)], monkeypatch)
    side: Any = "right" if right else "left"
    expected = [np.searchsorted(r, v, side) for r, v in zip(rows.reshape(6, 9), values.reshape(6, 20), strict=True)]
    np.testing.assert_array_equal(found, np.reshape(expected, values.shape))


def test_searches_in_rows_of_nothing() -> None:
    for _ in range(4):
        assert torch.searchsorted(torch.zeros(2, 0), torch.ones(2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]
        assert torch.searchsorted(torch.zeros(0, 3), torch.ones(0, 2)).shape == (0, 2)


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_diagonals_and_parts_written_into_copies(offset: int, monkeypatch: Any) -> None:
    x = torch.arange(60.0).reshape(3, 4, 5).requires_grad_()

    def run() -> list[Any]:
        x.grad = None
        d = torch.diagonal_copy(x * 2, offset, 1, 2)
        y = (x * 3).diagonal_scatter(d, offset, 1, 2).slice_scatter(d[:, :2, None].tile(5), 1, 1, 4, 2)
        (y * y).sum().backward()
        return [d, y, x.grad]

    natively(run, monkeypatch)
    assert x.grad is not None and float(x.grad.sum()) != 0


def test_searches_for_the_unknown() -> None:
    """As PyTorch: NaN goes behind everything, and what lies before a NaN in the middle is not looked at."""
    x, y = torch.tensor([1.0, 2, math.nan]), torch.tensor([0.0, 1.5, 3, math.nan])
    for _ in range(4):
        assert torch.searchsorted(x, y * 1).tolist() == [0, 1, 3, 3]
        assert torch.searchsorted(torch.tensor([1.0, math.nan]), y * 1).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 3])
def test_bags_of_equal_length(mode: str, padding: int | None, monkeypatch: Any) -> None:
    rng = np.random.default_rng(0)
    places, table = torch.tensor(rng.integers(0, 10, (6, 5))), torch.tensor(rng.normal(size=(10, 4)))
    offsets = torch.arange(0, 30, 5)
    bag = torch.nn.functional.embedding_bag

    def step() -> list[Any]:
        w = table.clone().requires_grad_()
        bags = bag(places, w, mode=mode, padding_idx=padding)
        (bags * bags).sum().backward()
        return [bags.detach(), w.grad]

    found = step() if mode == "max" and padding else [torch.tensor(x) for x in natively(step, monkeypatch)[1]]
    w = table.clone().requires_grad_()
    bags = bag(places.reshape(-1), w, offsets, mode=mode, padding_idx=padding)
    (bags * bags).sum().backward()
    np.testing.assert_allclose(found[0].numpy(), bags.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found[1].numpy(), w.grad.numpy(), rtol=1e-12)


def test_unique_by_counting() -> None:
    x = torch.tensor([[5, -3, 5], [0, -3, 9]])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == (
        [-3, 0, 5, 9], [[2, 0, 2], [1, 0, 3]], [2, 1, 2, 1])  # fmt: skip
    assert x.to(torch.uint8).unique().tolist() == [0, 5, 9, 253]


def test_unknown_places_in_a_grid() -> None:
    """As PyTorch: without a place there is no number, unless places are moved into the image: then its first."""
    x, grid = torch.arange(1.0, 5).reshape(1, 1, 2, 2), torch.tensor([[[[math.nan, math.nan], [1.0, 1.0]]]])
    sample = torch.nn.functional.grid_sample
    for _ in range(4):
        found = sample(x * 1, grid, align_corners=True).ravel().tolist()
        assert math.isnan(found[0]) and found[1] == 4
        for padding in ("border", "reflection"):
            assert sample(x * 1, grid, padding_mode=padding, align_corners=True).ravel().tolist() == [1, 4]
        assert sample(x * 1, grid, mode="nearest", align_corners=True).ravel().tolist() == [0, 4]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin", "prod"])
def test_scattered_elements_are_combined(reduce: str, own: bool, monkeypatch: Any) -> None:
    rng = np.random.default_rng(2)
    x, src = (torch.tensor(rng.normal(size=(6, 9))) for _ in range(2))
    index = torch.tensor(rng.integers(0, 9, (6, 9)))
    combined = lambda: [(x * 1).scatter_reduce(1, index, src, reduce, include_self=own)]  # noqa: E731
    (expected,), (found,) = natively(combined, monkeypatch)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_samples_with_replacement_are_the_searched_ones() -> None:
    """Many rows are compared at once, one row is searched: the same numbers."""
    weights = torch.tensor(np.random.default_rng(0).random((20, 30)))
    torch.manual_seed(1)
    together = torch.multinomial(weights, 4, True)
    torch.manual_seed(1)
    assert together.tolist() == [torch.multinomial(row, 4, True).tolist() for row in weights]
