"""The compiler's normalisation, pooling and classification losses against the interpreter, and the sums under them.

Calls with several results, kernels that write in place, sums over any dimensions, elements that lie between others, and
values computed again instead of stored: over odd sizes and layouts, on one thread and divided among several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, own_cache
from test_compile_views import native, numbers

import rushlight as torch
from rushlight.codegen import parallel
from rushlight.codegen.capture import NotLowered, Symbol
from rushlight.codegen.fuse import _traced
from rushlight.codegen.native import Segment
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
__all__ = ["own_cache"]
F = torch.nn.functional
KINDS = [torch.float32, torch.float64]


@pytest.fixture(params=["alone", "divided"])
def threads(request: Any, monkeypatch: Any) -> Iterator[None]:
    """Loops as they are, and every loop that falls into units given to the team."""
    if request.param == "divided":
        monkeypatch.setattr(parallel, "KERNEL", 0.0)
        monkeypatch.setattr(parallel, "FUNCTION", 0.0)
    yield


def trained(f: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
    """What f makes of x, and the gradients of a weighted sum of it."""
    for t in others:
        t.grad = None
    leaf = (x * 1).detach().requires_grad_()
    y = f(leaf)
    (y * y * 1e-3 + y).sum().backward()
    return [y.detach(), leaf.grad, *[t.grad for t in others]]


# ---------------------------------------------------------------------------------------------------------------------
# Normalisation

IMAGES = [(4, 3, 5, 7), (8, 16, 4, 4), (3, 17, 1, 33), (2, 33, 9, 2), (1, 5, 8, 8)]


def parameters(channels: int, kind: torch.dtype) -> list[torch.Tensor]:
    return [(numbers(channels, kind=kind) / 20 + s).detach().requires_grad_() for s in (1.0, 0.25)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [*IMAGES, (5, 33), (17, 3), (4, 3, 11), (2, 3, 2, 5, 3)], ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["", "channels_last"])
def test_batch_norm(shape: Any, kind: torch.dtype, last: bool, threads: None, monkeypatch: Any) -> None:
    def run() -> list[Any]:
        x = numbers(*shape, kind=kind)
        if last and len(shape) == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        w, b = parameters(shape[1], kind)
        mean, var = torch.zeros(shape[1], dtype=kind), torch.ones(shape[1], dtype=kind)
        results = trained(lambda x: F.batch_norm(x, mean, var, w, b, True, 0.3), x, w, b)
        still = trained(lambda x: F.batch_norm(x, mean, var, w, b, False), x, w, b)
        plain = trained(lambda x: F.batch_norm(x, None, None, training=True), x)
        return [*results, mean, var, *still, *plain]

    native(run, monkeypatch)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(4, 3, 128), (2, 7, 33), (17, 1), (33, 17), (7, 5, 300)], ids=str)
def test_layer_norm(shape: Any, kind: torch.dtype, threads: None, monkeypatch: Any) -> None:
    def run() -> list[Any]:
        x, (w, b) = numbers(*shape, kind=kind), parameters(shape[-1], kind)
        results = trained(lambda x: F.layer_norm(x, shape[-1:], w, b), x, w, b)
        return [*results, *trained(lambda x: F.layer_norm(x, shape[-1:]), x)]

    native(run, monkeypatch)


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["", "channels_last"])
def test_group_and_instance_norm(shape: Any, last: bool, threads: None, monkeypatch: Any) -> None:
    def run() -> list[Any]:
        x, (w, b) = numbers(*shape), parameters(shape[1], torch.float32)
        if last:
            x = x.contiguous(memory_format=torch.channels_last)
        groups = next(g for g in (3, 4, 11, 17, 5) if shape[1] % g == 0)
        results = trained(lambda x: F.group_norm(x, groups, w, b), x, w, b)
        return [*results, *trained(lambda x: F.instance_norm(x, weight=w, bias=b), x, w, b)]

    native(run, monkeypatch)


@pytest.mark.parametrize("last", [False, True], ids=["", "channels_last"])
def test_statistics_far_from_zero(last: bool, monkeypatch: Any) -> None:
    """The variance is that of the centred numbers: nothing is lost to a large mean."""
    x = torch.randn(32, 16, 24, 24) * 0.1 + 300
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = x.numpy().astype(np.float64)
    _, (mean, var), _ = compiled(lambda: statistics(x), monkeypatch)
    np.testing.assert_allclose(mean, exact.mean((0, 2, 3)), rtol=2e-6)
    np.testing.assert_allclose(var, exact.var((0, 2, 3), ddof=1), rtol=1e-4)


def statistics(x: torch.Tensor) -> list[torch.Tensor]:
    mean, var = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    F.batch_norm(x * 1, mean, var, training=True, momentum=1.0)
    return [mean, var]


def test_what_is_cheap_is_not_stored(monkeypatch: Any) -> None:
    """The centred input of a normalisation is read off the input again."""
    x = numbers(8, 16, 16, 16)
    made = compiled(lambda: [F.relu(F.batch_norm(x * 1, None, None, training=True)), x * 1], monkeypatch)[2]
    (segment,) = made[0].segments
    assert segment.entry.plan.arena < x.numel() * 4


# ---------------------------------------------------------------------------------------------------------------------
# Pooling

POOLS: dict[str, Any] = {
    "2": ((2, 3, 8, 66), {"kernel_size": 2}),
    "odd": ((2, 3, 9, 35), {"kernel_size": 2}),
    "one_row": ((1, 1, 2, 17), {"kernel_size": 2}),
    "3": ((2, 3, 9, 99), {"kernel_size": 3}),
    "4": ((1, 3, 8, 68), {"kernel_size": 4}),
    "5": ((1, 3, 10, 25), {"kernel_size": 5}),
    "padded": ((2, 3, 9, 35), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "overlapping": ((2, 3, 9, 11), {"kernel_size": 3, "stride": 1, "padding": 1}),
    "ceiling": ((2, 3, 9, 12), {"kernel_size": 2, "stride": 2, "ceil_mode": True}),
    "uneven": ((2, 3, 12, 13), {"kernel_size": (2, 3), "stride": (3, 2), "padding": (1, 0)}),
    "apart": ((2, 3, 12, 33), {"kernel_size": 2, "stride": 3}),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("last", [False, True], ids=["", "channels_last"])
def test_max_pool(name: str, kind: torch.dtype, last: bool, threads: None, monkeypatch: Any) -> None:
    shape, options = POOLS[name]

    def run() -> list[Any]:
        x = numbers(*shape, kind=kind)
        if last:
            x = x.contiguous(memory_format=torch.channels_last)
        values = F.max_pool2d(x * 2, **options) + 1
        return [*trained(lambda x: F.max_pool2d(x, **options), x), values]

    native(run, monkeypatch)


@pytest.mark.parametrize("name", [n for n in POOLS if n != "ceiling"])
def test_avg_pool(name: str, threads: None, monkeypatch: Any) -> None:
    shape, options = POOLS[name]
    native(lambda: trained(lambda x: F.avg_pool2d(x, **options), numbers(*shape)), monkeypatch)


@pytest.mark.parametrize("out", [(1, 1), (4, 3), (8, 12), (2, 12)], ids=str)
def test_adaptive_avg_pool(out: Any, monkeypatch: Any) -> None:
    native(lambda: trained(lambda x: F.adaptive_avg_pool2d(x, out), numbers(2, 3, 8, 12)), monkeypatch)


def test_pools_of_other_dimensions(monkeypatch: Any) -> None:
    def run() -> list[Any]:
        volume, signal = numbers(2, 3, 4, 6, 18), numbers(2, 3, 35)
        return [
            *trained(lambda x: F.max_pool3d(x, 2), volume), *trained(lambda x: F.avg_pool3d(x, 2), volume),
            *trained(lambda x: F.max_pool1d(x, 2), signal),
            *trained(lambda x: F.max_pool2d(x.transpose(1, 2), 2), signal),
        ]  # fmt: skip

    native(run, monkeypatch)


@pytest.mark.parametrize("padding", [0, 1])
def test_pool_of_infinities_and_nan(padding: int, monkeypatch: Any) -> None:
    """The last NaN wins, else the first of equals, and of nothing but -inf the first that is no padding."""
    x = np.full((1, 2, 6, 36), -np.inf, np.float32)
    x[0, 0, ::3, ::5] = np.nan
    x[0, 1, 2, ::7] = np.inf

    def run() -> list[Any]:
        t = torch.tensor(x) + 0
        values, places = F.max_pool2d(t, 3, 2, padding, return_indices=True)
        return [values, places]

    native(run, monkeypatch, but=("max_pool_indices",))


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_sample(mode: str, padding: str, threads: None, monkeypatch: Any) -> None:
    """Gradients go back to where the numbers were picked, several of them to one place."""
    grid = (numbers(2, 5, 7, 2) * 0.3).detach().requires_grad_()
    options = {"mode": mode, "padding_mode": padding, "align_corners": False}
    native(lambda: trained(lambda x: F.grid_sample(x, grid, **options), numbers(2, 3, 6, 4), grid), monkeypatch)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}, {"dilation": (2, 1), "padding": (0, 2)}])
def test_windows_as_columns(settings: dict[str, Any], monkeypatch: Any) -> None:
    """And back: a number of several windows gets the sum."""
    native(lambda: trained(lambda x: F.unfold(x, (3, 2), **settings), numbers(2, 3, 7, 8)), monkeypatch)
    count = F.unfold(numbers(1, 1, 7, 8), (3, 2), **settings).shape[-1]
    native(lambda: trained(lambda x: F.fold(x, (7, 8), (3, 2), **settings), numbers(2, 18, count)), monkeypatch)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest", "area"])
@pytest.mark.parametrize("size", [(13, 4), (3, 5)])
def test_images_in_another_size_give_their_gradients_back(mode: str, size: Any, monkeypatch: Any) -> None:
    native(lambda: trained(lambda x: F.interpolate(x, size=size, mode=mode), numbers(2, 3, 6, 9)), monkeypatch)


def test_maxima_back_in_their_places(monkeypatch: Any) -> None:
    places = F.max_pool2d(numbers(2, 3, 8, 6), 2, return_indices=True)[1]
    native(lambda: trained(lambda x: F.max_unpool2d(x, places, 2), numbers(2, 3, 4, 3)), monkeypatch)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_margins_between_classes(p: int, weighted: bool, monkeypatch: Any) -> None:
    target, weight = torch.tensor([0, 3, 1, 2]), torch.arange(1.0, 6) if weighted else None
    loss = lambda x: F.multi_margin_loss(x, target, p=p, margin=0.7, weight=weight)  # noqa: E731
    native(lambda: trained(loss, numbers(4, 5)), monkeypatch)


@pytest.mark.parametrize("reduce", ["mean", "amax", "amin", "prod"])
@pytest.mark.parametrize("own", [True, False])
def test_slices_are_combined(reduce: str, own: bool, monkeypatch: Any) -> None:
    index, source = torch.tensor([0, 2, 0]), numbers(2, 3, 4).requires_grad_()
    combined = lambda x, s: x.index_reduce(1, index, s, reduce, include_self=own)  # noqa: E731
    native(lambda: trained(lambda x: combined(x, source), numbers(2, 5, 4), source), monkeypatch)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_turned_planes_lie_as_they_do_in_pytorch(k: int, monkeypatch: Any) -> None:
    native(lambda: trained(lambda x: x.rot90(k, (1, 2)), numbers(2, 3, 5)), monkeypatch)
    assert numbers(2, 3, 5).rot90(k, (1, 2)).stride() == ((15, 1, 5) if k % 2 else (15, 5, 1))


@pytest.mark.parametrize("padding", ["border", "reflection"])
def test_a_place_on_the_border_has_no_slope(padding: str) -> None:
    """As PyTorch: the border counts as outside, from where moving on changes nothing."""
    grid = torch.tensor([[[[1.0, -1.0], [0.5, 0.5]]]], requires_grad=True)
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    F.grid_sample(x, grid, padding_mode=padding, align_corners=True).sum().backward()
    assert grid.grad is not None and grid.grad.flatten().tolist() == [0, 0, 1, 3]


@pytest.mark.parametrize(("image", "places"), [((0, 2, 3, 3), (0, 2, 2, 2)), ((1, 2, 3, 3), (1, 0, 2, 2)),
                                               ((2, 0, 3, 3), (2, 2, 2, 2))])  # fmt: skip
def test_sampling_nothing(image: Any, places: Any) -> None:
    x, grid = torch.ones(image, requires_grad=True), torch.zeros(places, requires_grad=True)
    found = F.grid_sample(x, grid, align_corners=False)
    found.sum().backward()
    assert found.shape == (*image[:2], *places[1:3]) and x.grad is not None and grid.grad is not None
    assert float(x.grad.sum()) == float(grid.grad.sum()) == 0


def test_maxima_of_adaptive_windows_get_their_gradients(monkeypatch: Any) -> None:
    run = lambda: trained(lambda x: F.adaptive_max_pool2d(x, (3, 5)), numbers(2, 3, 8, 12))  # noqa: E731
    native(run, monkeypatch, but=("adaptive_max_pool2d",))


# ---------------------------------------------------------------------------------------------------------------------
# Classification


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("shape", [(33, 10), (17, 65), (7, 5, 3, 2), (5,), (1, 1), (64, 300)], ids=str)
def test_cross_entropy(shape: Any, weighted: bool, reduction: str, kind: torch.dtype, monkeypatch: Any) -> None:
    classes = shape[min(1, len(shape) - 1)]

    def run() -> list[Any]:
        x, places = numbers(*shape, kind=kind), (shape[0], *shape[2:]) if len(shape) > 1 else ()
        found = np.arange(int(np.prod(places))).reshape(places) % classes
        target, some = torch.tensor(found), torch.tensor(np.where(found == 1, -100, found))
        weight = numbers(classes, kind=kind).abs() + 0.5 if weighted else None
        made = []
        for targets, ignored in ((some, -100), (target, 0), (target, classes - 1)):
            loss = lambda x, t=targets, i=ignored: F.cross_entropy(x, t, weight, None, i, reduction=reduction)  # noqa: E731
            made += trained(loss, x)
        return made

    native(run, monkeypatch)


def test_a_class_that_does_not_exist(monkeypatch: Any) -> None:
    x = numbers(4, 3)

    def run(last: int) -> list[Any]:
        target = torch.tensor([0, 1, 2, last]) + torch.tensor([0, 0, 0, 1])
        return [F.nll_loss(x * 2, target), x + 1]

    expected, found, made = compiled(lambda: run(1), monkeypatch)
    assert made[0].segments
    assert_same(expected, found)
    for wrong in (2, -3):
        with pytest.raises(IndexError, match="out of bounds"):
            compiled(lambda wrong=wrong: run(wrong), monkeypatch)


def test_one_hot_vectors(monkeypatch: Any) -> None:
    classes = torch.tensor([[0, 2], [3, 0], [1, 1]])
    native(lambda: [F.one_hot(classes + 0, 4) * 2, F.one_hot(classes[0] + 0, 5)], monkeypatch)

    def run(last: int) -> list[Any]:
        return [F.one_hot(torch.tensor([0, 1, last]) + torch.tensor([0, 0, 1]), 4)]

    compiled(lambda: run(2), monkeypatch)
    for wrong, reason in ((3, "smaller than num_classes"), (-2, "non-negative")):
        with pytest.raises(RuntimeError, match=reason):
            compiled(lambda wrong=wrong: run(wrong), monkeypatch)


# ---------------------------------------------------------------------------------------------------------------------
# Sums and elements between others

SUMS = [(7, 33), (1025, 16), (2048, 7), (300, 64), (33, 200), (5, 40, 17), (40, 5, 17), (3, 1030, 5), (2, 3, 40, 9)]


@pytest.mark.parametrize("kind", [*KINDS, torch.int64], ids=str)
@pytest.mark.parametrize("shape", SUMS, ids=str)
def test_sums_over_every_dimension(shape: Any, kind: torch.dtype, threads: None, monkeypatch: Any) -> None:
    def run() -> list[Any]:
        x = numbers(*shape, kind=kind)
        y, made = x * 2 + 1, [x.sum()]
        for d in range(len(shape)):
            made += [y.sum(d), y.amax(d), (x * 3).sum(d, keepdim=True)]
        for d in range(len(shape) - 1):
            made += [y.sum((d, d + 1)), x.transpose(d, d + 1).sum(d)]
        return made

    native(run, monkeypatch)


def test_long_sums_of_rows_stay_accurate(monkeypatch: Any) -> None:
    x = torch.rand(200_000, 5)
    _, (total, _), _ = compiled(lambda: [(x * 1).sum(0), x * 1], monkeypatch)
    np.testing.assert_allclose(total, x.numpy().astype(np.float64).sum(0), rtol=2e-6)


@pytest.mark.parametrize("kind", [*KINDS, torch.bool, torch.int32], ids=str)
@pytest.mark.parametrize("width", [8, 33, 130])
def test_elements_between_others(width: int, kind: torch.dtype, threads: None, monkeypatch: Any) -> None:
    def run() -> list[Any]:
        x = (numbers(3, width).round() > 0) if kind is torch.bool else numbers(3, width).to(kind)
        made = [x[:, ::2] == x[:, 1::2][:, :1], x[:, 1::2] == x[:, :1], x[:, 2::4] == x[:, 1::4][:, :1]]
        if kind is not torch.bool:
            made += [x[:, ::3] * 2 + x[:, 0:1], torch.stack((x * 2, x + 1), -1), torch.stack((x, x + 1, x * 3), -1)]
            made += [torch.stack((x, x + 1, x * 3, x - 2), -1).flatten(1), torch.stack((x + 1, x), 1)[:, :, ::2] + 1]
        return made

    native(run, monkeypatch)


@pytest.mark.parametrize("kind", [*KINDS, torch.int64, torch.bool, torch.uint8], ids=str)
@pytest.mark.parametrize(
    "shape", [(2, 3, 33, 17), (1, 64, 7, 7), (3, 5, 16, 16), (2, 40, 5, 35), (20, 4, 4, 4)], ids=str
)
def test_arrays_that_lie_across_one_another(shape: Any, kind: torch.dtype, threads: None, monkeypatch: Any) -> None:
    first = numbers(*shape).abs().to(kind)
    last = first.contiguous(memory_format=torch.channels_last)

    def run() -> list[Any]:
        made = [first == last, last.contiguous() == first[:, :1], (first != last[:1]).transpose(1, 3).contiguous()]
        if kind.is_floating_point:
            both = first * last
            made += [
                first + last,
                (last * 2).contiguous() + 1,
                (first * 3).contiguous(memory_format=torch.channels_last),
            ]
            made += [both.sum((0, 2, 3)), both.sum((2, 3)), both.amax(1), both.sum(), both.sum((0, 1), keepdim=True)]
            made += [
                (first + 1).transpose(2, 3) * last.transpose(2, 3).contiguous(),
                (last - 1).permute(1, 0, 2, 3) + 0,
            ]
        return made

    native(run, monkeypatch)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_extremes_of_nan_and_zeros(name: str, monkeypatch: Any) -> None:
    x = np.zeros((5, 70), np.float32)
    x[1, 3], x[2, 69], x[3, ::2], x[4] = np.nan, np.nan, -0.0, -np.inf

    def run() -> list[Any]:
        t = torch.tensor(x) * 1
        both = torch.maximum(t, t.flip(1)) if name == "amax" else torch.minimum(t, t.flip(1))
        return [getattr(t, name)(1), getattr(t, name)(0), both, t.clamp(min=0)]

    native(run, monkeypatch, but=("flip",))


# ---------------------------------------------------------------------------------------------------------------------
# Kernels that write in place


def symbol() -> Symbol:
    return Symbol("input", (), (3, 4), np.float32, 0)


def test_writing_in_place_is_a_new_symbol() -> None:
    x = symbol()

    def kernel(a: Any) -> Any:
        b = a * 2
        b += a
        return np.exp(b, out=b)

    made = _traced(kernel, [x], {})
    assert made.kind == "exp" and made.args[0].kind == "add" and not x.written


@pytest.mark.parametrize(
    "read",
    [lambda a: a + 1, lambda a: a.reshape(12), lambda a: a[0] * 2, lambda a: a],
    ids=["sum", "view", "part", "all"],
)
def test_reading_what_was_written_in_place_is_refused(read: Any) -> None:
    def kernel(a: Any) -> Any:
        part = a.reshape(4, 3)
        part *= 2
        return read(a)

    with pytest.raises(NotLowered, match="written in place"):
        _traced(kernel, [symbol()], {})


def test_results_of_one_call_in_several_slots(monkeypatch: Any) -> None:
    def run() -> list[Any]:
        values, places = F.max_pool2d(numbers(1, 2, 4, 36) * 1, 2, return_indices=True)
        return [values * 2, *torch.var_mean(numbers(5, 7), 1), *numbers(4, 6).split(2, 1)]

    expected, found, made = compiled(run, monkeypatch)
    assert_same(expected, found)
    assert any(isinstance(s, Segment) for p in made for s in p.steps)
