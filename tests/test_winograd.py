"""Convolutions with fewer multiplications: the matrices, the three forms in NumPy, what the compiler makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, own_cache  # noqa: F401 - a fixture
from test_compile_contract import whole

import rushlight as torch
from rushlight.codegen.layout import apart
from rushlight.codegen.scan import Turns
from rushlight.codegen.tiles import Tiles
from rushlight.core.cook_toom import transforms
from rushlight.ops import im2col, winograd
from rushlight.ops.im2col import Geometry
from rushlight.record import trace

F = torch.nn.functional
compiling = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


@pytest.mark.parametrize("m, r", [(m, r) for m in range(1, 8) for r in range(1, 9 - m) if m + r > 2])
def test_results_of_a_short_filter(m: int, r: int) -> None:
    rng = np.random.default_rng(0)
    output, filters, inputs = (np.array(matrix) for matrix in transforms(m, r))
    assert output.shape == (m, m + r - 1) and filters.shape == (m + r - 1, r) and inputs.shape == (m + r - 1,) * 2
    g, d = rng.standard_normal(r), rng.standard_normal(m + r - 1)
    np.testing.assert_allclose(output @ ((filters @ g) * (inputs @ d)), np.convolve(d, g[::-1], "valid"), atol=1e-12)


# (images, channels, space, filters, kernel, padding, stride)
GEOMETRIES = [
    (4, 16, (14, 14), 32, (5, 5), (2, 2), (1, 1)),
    (3, 32, (26, 26), 24, (3, 3), (0, 0), (1, 1)),
    (6, 16, (9, 11), 16, (3, 3), (1, 1), (1, 1)),
    (2, 17, (12, 13), 19, (3, 5), (1, 2), (1, 1)),
    (2, 16, (12, 13), 17, (3, 5), (2, 4), (1, 1)),
    (5, 20, (14, 14), 16, (4, 4), (1, 1), (2, 2)),
    (4, 16, (13, 15), 20, (4, 4), (0, 2), (2, 2)),
    (4, 16, (13, 15), 20, (4, 3), (2, 1), (2, 1)),
    (3, 16, (11, 19), 18, (4, 4), (0, 0), (2, 2)),  # a row and a column are left over
    (2, 16, (9, 9), 16, (2, 2), (0, 0), (1, 1)),
    (13, 16, (10, 10), 18, (3, 3), (1, 1), (1, 1)),
]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sizes for which it does not pay too."""
    monkeypatch.setattr(winograd, "_pays", lambda *a: True)
    yield


@pytest.mark.parametrize("images, c, space, o, kernel, padding, stride", GEOMETRIES)
@pytest.mark.parametrize("cache", [1, 1 << 30])
def test_the_three_forms(images: int, c: int, space: Any, o: int, kernel: Any, padding: Any, stride: Any, cache: int,
                         always: None, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(winograd, "CACHE", cache)
    rng, geometry = np.random.default_rng(0), Geometry(stride, padding, (1, 1))
    x, w = rng.standard_normal((images, c, *space)), rng.standard_normal((o, c, *kernel))
    y, b = im2col.correlate(x, w, geometry), rng.standard_normal(o)
    t = winograd.tiling(x.shape, w.shape, geometry)
    assert t is not None
    np.testing.assert_allclose(winograd.correlate(x, w, b, geometry, t), y + b[:, None, None], atol=1e-9)
    g, b = rng.standard_normal(y.shape), rng.standard_normal(c)
    np.testing.assert_allclose(winograd.weigh(x, g, kernel, geometry, t), im2col.weight_product(x, g, kernel, geometry),
                               atol=1e-8)  # fmt: skip
    back = winograd.tiling_back(g.shape, w.shape, space, geometry)
    assert back is not None
    found = winograd.scatter(g, w, b, space, geometry, back)
    np.testing.assert_allclose(found, im2col.scatter(g, w, space, geometry) + b[:, None, None], atol=1e-9)


@pytest.mark.parametrize("w, geometry", [
    ((16, 16, 3, 3), Geometry((2, 2), (1, 1), (1, 1))),  # a stride that the kernel is no multiple of
    ((16, 16, 3, 3), Geometry((1, 1), (2, 2), (2, 2))),
    ((16, 8, 3, 3), Geometry((1, 1), (1, 1), (1, 1), 2)),
    ((16, 16, 7, 7), Geometry((1, 1), (3, 3), (1, 1))),
    ((16, 8, 3, 3), Geometry((1, 1), (1, 1), (1, 1))),
    ((16, 16, 3), Geometry((1,), (1,), (1,))),
    ((16, 16, 3, 3), Geometry((1, 1), (1, 1), (1, 1), 1, False)),
    ((512, 512, 3, 3), Geometry((1, 1), (1, 1), (1, 1))),  # so few images that transforming the kernels costs more
])  # fmt: skip
def test_where_it_does_not_pay(w: Any, geometry: Geometry) -> None:
    x = (1, w[1] * geometry.groups, *(8,) * len(geometry.stride))
    assert winograd.tiling(x, w, geometry) is None


# ---------------------------------------------------------------------------------------------------------------------
# Compiled


def layer(images: int, c: int, space: Any, o: int, kernel: Any, padding: Any, stride: Any,
          back: bool = False) -> Callable[[], list[Any]]:  # fmt: skip
    """A convolution, or a transposed one, with its gradients."""
    torch.manual_seed(0)
    x, b = torch.randn(images, c, *space, requires_grad=True), torch.randn(o, requires_grad=True)
    w = torch.randn(*((c, o) if back else (o, c)), *kernel, requires_grad=True)
    convolution = F.conv_transpose2d if back else F.conv2d
    g = torch.randn_like(convolution(x, w, b, stride, padding))

    def f() -> list[Any]:
        x.grad = w.grad = b.grad = None
        y = convolution(x, w, b, stride, padding)
        y.backward(g)
        return [y.detach(), x.grad, w.grad, b.grad]

    return f


@compiling
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("images, c, space, o, kernel, padding, stride", GEOMETRIES)
def test_compiled(images: int, c: int, space: Any, o: int, kernel: Any, padding: Any, stride: Any, back: bool,
                  always: None, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    f = layer(images, c, space, o, kernel, padding, stride, back)
    kernels = whole(f, monkeypatch, images * space[0] * space[1])
    assert sum(isinstance(k, Turns) for k in kernels) >= 2


@compiling
def test_other_layouts_and_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, bias=False),
        torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(32, 16, 5, padding=2),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    x = torch.randn(8, 3, 18, 18).contiguous(memory_format=torch.channels_last)

    def f() -> list[Any]:
        model.zero_grad()
        y = model(x)
        y.square().mean().backward()
        return [y.detach(), *[p.grad for p in model.parameters()]]

    kernels = whole(f, monkeypatch, 8 * 16 * 16)
    assert sum(isinstance(k, Turns) for k in kernels) >= 4


@compiling
@pytest.mark.parametrize("at", [0, 1, 5])
def test_rounding_errors_are_a_few_times_those_of_sums_in_order(at: int, always: None,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    images, c, space, o, kernel, padding, stride = GEOMETRIES[at]
    found = {}
    for fast in (True, False):
        with torch.backends.nnpack.flags(enabled=fast):
            _, (y, *_), made = compiled(layer(*GEOMETRIES[at]), monkeypatch)
        assert any(isinstance(k, Turns) for m in made for s in m.segments for k in s.entry.kernels) == fast
        found[fast] = y
    torch.manual_seed(0)
    x, b, w = torch.randn(images, c, *space), torch.randn(o), torch.randn(o, c, *kernel)
    exact = F.conv2d(x.double(), w.double(), b.double(), stride, padding).numpy()
    error = {fast: np.sqrt(((y - exact) ** 2).mean() / (exact**2).mean()) for fast, y in found.items()}
    assert error[True] < 6 * error[False] and error[True] < 2e-6


@compiling
def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHLIGHT_COMPILE", "sync")
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            found.append([t.numpy().copy() for t in layer(*GEOMETRIES[1])()])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_the_switch() -> None:
    nnpack = torch.backends.nnpack
    assert nnpack.is_available() and nnpack.set_flags(True) == (True,)
    with nnpack.flags(enabled=False):
        assert not winograd.Setting.enabled
    assert winograd.Setting.enabled


def planes(kernels: list[Any]) -> list[int]:
    """How many elements the places of a tile lie apart, where products of tiles are made inside of scans."""
    inside = [k for turns in kernels if isinstance(turns, Turns) for k in turns.each]
    products = [k.problem for k in inside if isinstance(k, Tiles)]
    return [s.strides[0] for p in products for s in (p.a, p.b, p.c)] + planes(inside) if inside else []


@compiling
def test_planes_do_not_meet_in_the_first_cache(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of images of 32 by 32 with 16 channels they would lie a page apart; a line more keeps them in the cache."""
    found = planes(whole(layer(4, 16, (32, 32), 16, (3, 3), (1, 1), (1, 1)), monkeypatch, 4 * 32 * 32))
    assert found and not any(distance % 1024 == 0 for distance in found)


def test_which_planes_are_put_apart() -> None:
    assert apart((36, 8, 8, 16), (1024, 128, 16, 1), 4) == (1040, 128, 16, 1)
    assert apart((36, 7, 7, 64), (3136, 448, 64, 1), 4) == (3136, 448, 64, 1)  # already spread over the cache
    assert apart((8, 8, 8, 16), (1024, 128, 16, 1), 4) == (1024, 128, 16, 1)  # as many as it has places
