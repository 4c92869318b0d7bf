"""Products and convolutions compiled: every size, layout and geometry against the interpreter, gradients included."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, own_cache  # noqa: F401 - a fixture

import rushlight as torch
from rushlight.codegen.tiles import Tiles
from rushlight.codegen.tiling import Problem, Side, choose
from rushlight.core.contraction import Windows
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
F = torch.nn.functional
KINDS = [torch.float32, torch.float64]


def close(expected: list[Any], found: list[Any], terms: int) -> None:
    """Rounding errors grow with how many terms a sum has, and are as large as its largest terms."""
    for a, b in zip(expected, found, strict=True):
        unit = 1e-15 if a.dtype == np.float64 else 1e-7
        assert a.shape == b.shape and a.dtype == b.dtype
        assert np.abs(a - b).max() <= unit * (8 + 4 * np.sqrt(terms)) * max(1.0, np.abs(a).max())


def whole(f: Callable[[], list[Any]], patch: Any, terms: int) -> list[Any]:
    """Compares, and checks that nothing was left to NumPy; returns the kernels."""
    expected, found, made = compiled(f, patch)
    close(expected, found, terms)
    assert made and not any(m.reasons for m in made), [m.reasons for m in made]
    return [k for m in made for s in m.segments for k in s.entry.kernels]


SIZES = [
    (1, 1, 1), (3, 5, 7), (50, 1, 10), (10, 50, 1), (17, 33, 65), (64, 300, 10), (1, 100, 1), (5, 7, 100),
    (130, 129, 131), (33, 2000, 47), (7, 3136, 40), (200, 17, 300), (10, 300, 1100), (64, 1024, 20),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m, k, n", SIZES)
def test_products(m: int, k: int, n: int, kind: torch.dtype, monkeypatch: Any) -> None:
    for left, right in itertools.product([False, True], repeat=2):
        x = torch.randn(k, m, dtype=kind).t() if left else torch.randn(m, k, dtype=kind)
        y = torch.randn(n, k, dtype=kind).t() if right else torch.randn(k, n, dtype=kind)
        whole(lambda x=x, y=y: [x @ y + 1], monkeypatch, k)


@pytest.mark.parametrize("kind", KINDS)
def test_products_of_vectors(kind: torch.dtype, monkeypatch: Any) -> None:
    """One example through a linear layer, and other products with an array of one dimension, are native, too."""
    a, x, y, b = (torch.randn(*n, dtype=kind) for n in ((17, 40), (40,), (17,), (3, 17, 40)))
    for f in (
        lambda: [F.linear(x, a, y) * 2], lambda: [a @ x + 1], lambda: [y @ a + 1], lambda: [x @ x + 1],
        lambda: [b @ x + 1], lambda: [y @ b + 1], lambda: [torch.addmv(y, a, x) + 1], lambda: [torch.addr(a, y, x) + 1],
    ):  # fmt: skip
        whole(f, monkeypatch, 40)
    layer = torch.nn.Linear(40, 17, dtype=kind)

    def step() -> list[Any]:
        return [*torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))]

    whole(step, monkeypatch, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_products(kind: torch.dtype, monkeypatch: Any) -> None:
    x, y = torch.randn(4, 3, 17, 33, dtype=kind), torch.randn(4, 3, 33, 20, dtype=kind)
    whole(lambda: [x @ y * 2], monkeypatch, 33)
    whole(lambda: [x.transpose(-1, -2) @ y.transpose(-1, -2)[:, :, :17, :].contiguous()[..., :17, :]], monkeypatch, 17)
    rows = torch.randn(5, 40, dtype=kind)
    whole(lambda: [torch.bmm(rows.expand(6, 5, 40), rows.t().expand(6, 40, 5))], monkeypatch, 40)


def test_a_product_of_something_expanded(monkeypatch: Any) -> None:
    x, w = torch.randn(6, 10), torch.randn(8, 10, requires_grad=True)

    def f() -> list[torch.Tensor]:
        w.grad = None
        (x @ w.t()).sum().backward()  # the gradient is one number, expanded
        return [w.grad]

    whole(f, monkeypatch, 10)


def tiles_of(kernels: list[Any]) -> list[Tiles]:
    """The tiles among the kernels of a program."""
    return [k for k in kernels if isinstance(k, Tiles)]


def test_an_expanded_gradient_is_copied_so_that_tiles_have_rows(monkeypatch: Any) -> None:
    """Both gradients of a layer under a sum: the result moves where neither operand does."""
    x, w = torch.randn(40, 48, requires_grad=True), torch.randn(64, 48, requires_grad=True)

    def f() -> list[torch.Tensor]:
        x.grad = w.grad = None
        (x @ w.t()).sum().backward()
        return [x.grad, w.grad]

    assert all(k.tile.rows > 1 and k.tile.lanes > 1 for k in tiles_of(whole(f, monkeypatch, 64)))


def test_a_matrix_that_is_expanded_over_a_batch_stays_where_it_is(monkeypatch: Any) -> None:
    x, w = torch.randn(6, 20, 30), torch.randn(30, 32)
    kernels = whole(lambda: [torch.bmm(x, w.expand(6, 30, 32))], monkeypatch, 30)
    assert [type(k) for k in kernels if "pad" in k.what] == []


@pytest.mark.parametrize("groups, form", [(64, "batch"), (4, "outer")])
def test_convolutions_in_groups_run_in_vectors_of_channels(groups: int, form: str, monkeypatch: Any) -> None:
    x, w = torch.randn(2, 64, 9, 9), torch.randn(64, 64 // groups, 3, 3)
    tiles = tiles_of(whole(lambda: [F.conv2d(x, w, padding=1, groups=groups)], monkeypatch, 9 * 64 // groups))
    assert tiles
    assert all(t.tile.form == form and t.tile.lanes > 1 and t.tile.rows > 1 for t in tiles)


# batch, channels, out, height, width, kernel, stride, padding, dilation, groups
GEOMETRIES = [
    (2, 1, 10, 12, 12, 5, 1, 0, 1, 1), (3, 32, 64, 14, 14, 5, 1, 2, 1, 1), (2, 3, 16, 9, 11, 3, 1, 1, 1, 1),
    (2, 16, 32, 8, 8, 3, 2, 1, 1, 1), (2, 6, 6, 9, 7, 3, 1, 1, 1, 6), (2, 4, 6, 9, 9, 3, 2, 1, 2, 2),
    (1, 1, 1, 7, 7, 3, 1, 1, 1, 1), (4, 16, 32, 9, 9, 1, 2, 0, 1, 1), (2, 5, 7, 10, 10, 2, 3, 1, 1, 1),
    (1, 64, 20, 1, 1, 1, 1, 0, 1, 1), (2, 17, 33, 6, 6, 3, 1, 1, 1, 1), (2, 32, 32, 6, 6, 3, 1, 1, 1, 32),
    (2, 48, 96, 7, 7, 3, 2, 1, 1, 3), (1, 40, 80, 8, 8, 5, 1, 2, 1, 40),
]  # fmt: skip


def gradients(f: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> list[torch.Tensor]:
    """The result and the gradient of every input."""
    for x in inputs:
        x.grad = None
    y = f(*inputs)
    y.backward(torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape) * 1e-3 + 0.3)
    return [y.detach(), *[x.grad for x in inputs]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n, c, o, h, w, k, s, p, d, g", GEOMETRIES)
def test_convolutions(
    n: int, c: int, o: int, h: int, w: int, k: int, s: int, p: int, d: int, g: int, kind: torch.dtype, monkeypatch: Any
) -> None:
    x, b = torch.randn(n, c, h, w, dtype=kind, requires_grad=True), torch.randn(o, dtype=kind, requires_grad=True)
    weight = torch.randn(o, c // g, k, k, dtype=kind, requires_grad=True)
    whole(lambda: gradients(lambda *a: F.conv2d(*a, s, p, d, g), x, weight, b), monkeypatch, n * h * w * c * k * k)
    back = torch.randn(c, o // g, k, k, dtype=kind, requires_grad=True)
    room = min(s, d) - 1 if s > 1 else 0
    whole(
        lambda: gradients(lambda *a: F.conv_transpose2d(*a, s, p, room, g, d), x, back, b),
        monkeypatch, n * h * w * c * k * k,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions_of_other_dimensions(kind: torch.dtype, monkeypatch: Any) -> None:
    x, w = torch.randn(2, 3, 20, dtype=kind, requires_grad=True), torch.randn(8, 3, 4, dtype=kind, requires_grad=True)
    whole(lambda: gradients(lambda x, w: F.conv1d(x, w, None, 2, 1), x, w), monkeypatch, 60)
    x = torch.randn(2, 3, 6, 7, 5, dtype=kind, requires_grad=True)
    w = torch.randn(8, 3, 3, 3, 2, dtype=kind, requires_grad=True)
    whole(lambda: gradients(lambda x, w: F.conv3d(x, w, None, 2, 1), x, w), monkeypatch, 200)


def test_a_network_of_convolutions(monkeypatch: Any) -> None:
    """Intermediates lie channels last inside, and the gradients of the parameters as PyTorch lays them."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 12, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(12, 20, 3),
        torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(180, 10),
    )  # fmt: skip
    x, y = torch.randn(9, 1, 16, 16), torch.arange(9)

    def f() -> list[torch.Tensor]:
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return [loss.detach(), *[p.grad for p in model.parameters()]]

    kernels = whole(f, monkeypatch, 16 * 25)
    assert sum(isinstance(k, Tiles) and k.epilogue is not None for k in kernels) >= 2  # bias and ReLU


def test_what_follows_a_product_is_made_with_it(monkeypatch: Any) -> None:
    x, w, b, old = torch.randn(90, 300), torch.randn(48, 300), torch.randn(48), torch.randn(90, 48)
    kernels = whole(lambda: [torch.relu(F.linear(x, w, b)) + old], monkeypatch, 300)
    assert [k.epilogue is not None for k in kernels if isinstance(k, Tiles)] == [True]
    # the product itself is wanted too, and the sum is taken in blocks
    x, w = torch.randn(40, 5000), torch.randn(5000, 48)
    old = torch.randn(40, 48)

    def f() -> list[torch.Tensor]:
        y = x @ w
        return [y, torch.relu(y) * old, old - 0.1 * y]

    expected, found, _ = compiled(f, monkeypatch)
    close(expected, found, 5000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m, k, n", [(130, 9, 300), (61, 20, 1001), (20, 3, 13007), (300, 5, 160)])
def test_sums_wait_for_long_rows(m: int, k: int, n: int, kind: torch.dtype, monkeypatch: Any) -> None:
    """A large weight's gradient and its update: tiles of a whole stretch come first, then what follows from them."""
    left, right, momentum = torch.randn(k, m, dtype=kind), torch.randn(k, n, dtype=kind), torch.rand(m, n, dtype=kind)
    weight, column, row = (torch.rand(*shape, dtype=kind) for shape in ((m, n), (m, 1), (n,)))

    def f() -> list[torch.Tensor]:
        gradient = left.t() @ right
        mean = momentum + (gradient - momentum) * 0.1
        return [gradient, mean, weight * row - mean * column / ((gradient * gradient + momentum).sqrt() + 1e-3)]

    kernels = whole(f, monkeypatch, k)
    assert [kernel.waits for kernel in kernels if isinstance(kernel, Tiles)] == [True]
    whole(lambda: [left.t() @ right * 0.5 + weight], monkeypatch, k)  # what follows is short: no waiting


@pytest.mark.parametrize("turned", [False, True])
def test_no_loop_of_one_turn_around_a_tile(turned: bool, monkeypatch: Any) -> None:
    """A loop inside the sums' own costs registers, for the sums go through it."""
    w = torch.randn(48, 700).t() if turned else torch.randn(700, 48)
    x = torch.randn(60, 700)
    for tiles in tiles_of(whole(lambda: [x @ w], monkeypatch, 700)):
        assert all(tiles.problem.extents[v] > 1 for v in tiles.tile.sums)


@pytest.mark.parametrize("kind", KINDS)
def test_a_product_is_made_in_the_shape_in_which_it_is_read(kind: torch.dtype, monkeypatch: Any) -> None:
    x, w, b = torch.randn(3, 5, 40, dtype=kind), torch.randn(40, 24, dtype=kind), torch.randn(3, 5, 24, dtype=kind)
    kernels = whole(lambda: [torch.relu(x @ w) * b], monkeypatch, 40)
    assert [k.epilogue is not None for k in tiles_of(kernels)] == [True]
    x, y, b = (torch.randn(*size, dtype=kind) for size in ((6, 40), (40, 24), (2, 3, 2, 12)))
    whole(lambda: [torch.exp((x @ y).view(2, 3, 2, 12)) + b, (x @ y).view(2, 3, 24) * 2], monkeypatch, 40)
    product = lambda: x @ y  # noqa: E731
    for read in (
        lambda z: [z.view(2, 3, 24) + 1, z + 1],  # as it is, too
        lambda z: [z.view(2, 3, 24) + 1, z.view(2, 3, 24) * 2, z.view(3, 2, 24) - 1],
        lambda z: [z.view(6, 2, 12) + b.view(6, 2, 12), z.view(6, 2, 12).sum(0)],
        lambda z: [z.view(9, 16) + 1, z.t().sum(0)],
        lambda z: [z.view(2, 3, 24)],
    ):
        whole(lambda read=read: read(product()), monkeypatch, 40)


def test_sums_stay_behind_an_epilogue(monkeypatch: Any) -> None:
    """The gradient of an activation is made with the product before it, though a bias's is the sum of it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Tanh(), torch.nn.Linear(40, 16))
    x = torch.randn(4, 9, 24)

    def f() -> list[torch.Tensor]:
        model.zero_grad()
        (model(x) ** 2).sum().backward()
        return [p.grad for p in model.parameters()]

    tiles = tiles_of(whole(f, monkeypatch, 200))
    shapes = [k.symbol.shape for k in tiles if k.epilogue is not None]
    assert shapes.count((4, 9, 40)) == 2  # the layer with its bias and tanh, and the gradient of tanh
    z, w = torch.randn(6, 24), torch.randn(24, 30)
    whole(lambda: [(y := torch.exp(z @ w)), y.sum(0), y.amax(1), (z @ w).sum()], monkeypatch, 720)
    whole(lambda: [torch.exp(z @ w).sum(0)], monkeypatch, 720)


def test_rows_a_whole_number_of_pages_apart() -> None:
    """A tile's rows fit into the first cache together."""
    extents, matrix = [512, 512, 2048], [[2048, 0, 1], [0, 1, 512], [512, 1, 0]]
    problem = Problem(extents, [0, 1, 2], *[Side(strides, 0) for strides in matrix], [], steady=frozenset({0, 1}))
    assert choose(problem, 16, 28).rows <= 8


def test_rows_that_meet_in_the_second_cache_are_asked_for() -> None:
    """The gradient of a weight, of many places: the operand's rows have a quarter of the cache."""
    for features, hops in ((512, True), (480, False)):
        strides = [[1, 0, 128], [0, 1, features], [features, 1, 0]]
        sides = [Side(own, 0) for own in strides]
        problem = Problem([128, features, 1024], [0, 1, 2], *sides, [], steady=frozenset({0, 1}))
        tile = choose(problem, 16, 28, dense=True)
        assert (tile.problem.exchanged, tile.hops) == (False, hops)


def test_sums_in_vectors_take_rows_that_lie_together() -> None:
    """Images lie 64 kilobytes apart, and the places of a row beside one another."""
    strides = [[16384, 1, 64], [0, 1, 0], [196, 0, 1]]
    problem = Problem([16, 64, 14], [0, 1, 2], *[Side(own, 0) for own in strides], [], steady=frozenset({0, 1, 2}))
    tile = choose(problem, 16, 28, dense=True)
    assert (tile.form, tile.row) == ("dot", 2)


def test_a_large_epilogue_after_long_sums(monkeypatch: Any) -> None:
    """What it reads and writes is fetched while the sums are made, where that is much."""
    x, w, old = torch.randn(300, 80), torch.randn(80, 150), torch.randn(300, 150)
    kernels = whole(lambda: [(x @ w) * old + 1, old], monkeypatch, 80)
    assert [k.epilogue is not None for k in tiles_of(kernels)] == [True]


def test_tiles_where_rows_crowd_the_cache(monkeypatch: Any) -> None:
    """Rows 4096 bytes from one another share a set of the first cache: fewer than it holds make a tile."""
    x, w = torch.randn(32, 2048), torch.randn(96, 2048)
    kernels = whole(lambda: [x @ w.t()], monkeypatch, 2048)
    assert [k.tile.rows < 8 for k in kernels if isinstance(k, Tiles)] == [True]


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_a_bit(threads: int, monkeypatch: Any) -> None:
    x, w = torch.randn(8, 16, 20, 20, requires_grad=True), torch.randn(24, 16, 3, 3, requires_grad=True)
    before = torch.get_num_threads()
    answers = []
    try:
        for count in (1, threads):
            torch.set_num_threads(count)
            answers.append(compiled(lambda: gradients(lambda x, w: F.conv2d(x, w, None, 1, 1), x, w), monkeypatch)[1])
    finally:
        torch.set_num_threads(before)
    for a, b in zip(*answers, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_pieces_of_convolutions_are_adjoint() -> None:
    """The multiplications of the three forms are the same ones, up to those that meet the padding."""
    w = Windows((2, 6, 9, 8), (4, 3, 3, 3), (2, 4, 5, 4), (2, 2), (1, 1), (1, 1), 2)
    forward, weight = w.correlate()[0].macs, w.weigh()[0].macs
    assert forward == weight == 2 * 4 * 5 * 4 * 3 * 9
    assert len(w.scatter()) == 4


def test_explain_computes_what_a_step_returns() -> None:
    w, g = torch.ones(2000), torch.ones(2000)
    page = torch.explain(lambda lr: w - lr * g, 0.1, text=True)
    assert page.startswith("program 1: 2 calls, 1 native function") and "for %" in page
    assert torch.explain(lambda: None) == "Nothing was computed, so there is nothing to explain."


def test_explain_measures(monkeypatch: Any) -> None:
    x, w = torch.randn(64, 64), torch.randn(64, 64)
    page = torch.explain(lambda: torch.relu(x @ w).sum().item())
    assert "contract" in page and "lanes" in page and "numpy" not in page
    if platform.machine() == "x86_64":
        assert "GFLOP/s" in page and "GB/s" in page and " us " in page
