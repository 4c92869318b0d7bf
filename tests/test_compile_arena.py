"""The arena: whoever lives at the same time lies apart, and all else shares memory."""

from __future__ import annotations

import itertools
import random
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from test_compile import assert_same, compiled, own_cache  # noqa: F401 - the fixture
from test_compile_views import numbers

import rushlight as torch
from rushlight.codegen.arena import LINE, Arena
from rushlight.codegen.native import shared
from rushlight.record import trace

only_lazily = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
F = torch.nn.functional


def fresh() -> Arena:
    """An arena of a plan without nests."""
    plan: Any = SimpleNamespace(arena=0)
    return Arena(plan)


def test_gaps_are_filled() -> None:
    arena = fresh()
    large, small = arena.take(1000, 0, 3), arena.take(100, 0, 9)
    assert (large, small) == (0, 1024) and arena.plan.arena == 1024 + 128
    assert arena.take(500, 4, 5) == 0 and arena.take(64, 4, 4) == 512  # two where the large one was
    assert arena.take(400, 4, 6) == 576 and arena.take(1024, 7, 7) == 0
    assert arena.take(65, 7, 9) == 1152 and arena.plan.arena == 1280
    assert arena.keep(10) == 1280 and arena.take(1281, 20, 20) == 1344


def test_those_alike_take_turns() -> None:
    arena = fresh()
    first = arena.share(200, "a", 0, 2)
    assert arena.share(200, "a", 2, 4) != first and arena.share(200, "a", 3, 5) == first
    assert arena.share(200, "b", 8, 9) not in (first, arena.share(200, "a", 8, 9))
    assert arena.take(200, 30, 30) >= 3 * 256  # no other ever


def test_nobody_lies_where_another_lives() -> None:
    chance = random.Random(0)
    arena, held = fresh(), []
    for _ in range(300):
        first = chance.randrange(40)
        last, size = first + chance.randrange(10), chance.randrange(1, 5000)
        held.append((arena.take(size, first, last), size, first, last))
    for (a, m, b, e), (c, n, f, g) in itertools.combinations(held, 2):
        assert e < f or g < b or a + m <= c or c + n <= a
    assert all(at % LINE == 0 and at + size <= arena.plan.arena for at, size, _, _ in held)
    most = max(sum(size for _, size, b, e in held if b <= t <= e) for t in range(50))
    assert arena.plan.arena < 1.5 * most


def arena_of(made: list[Any]) -> int:
    """The bytes of intermediates."""
    return sum(s.entry.plan.arena for p in made for s in p.segments)


@only_lazily
def test_copies_with_a_border_take_turns(monkeypatch: Any) -> None:
    """As many convolutions as one likes need the memory of two."""
    x, w = numbers(2, 8, 12, 12).sin(), numbers(8, 8, 3, 3).cos() * 0.1
    sizes = []
    for depth in (3, 9):

        def run(depth: int = depth) -> list[Any]:
            y = x
            for _ in range(depth):
                y = torch.tanh(F.conv2d(y, w, padding=1))
            return [y]

        for _ in range(2):  # the border is still zeros when it runs again
            expected, found, made = compiled(run, monkeypatch)
            assert_same(expected, found)
        sizes.append(arena_of(made))
    assert sizes[0] == sizes[1] > 0


@only_lazily
def test_loops_of_several_sizes_share(monkeypatch: Any) -> None:
    """Layers of other sizes, one after the other: what each needs for itself is there once."""
    with torch.no_grad():
        layers = [torch.nn.LSTM(6, 6 + k) for k in range(4)]
        x = numbers(4, 3, 6)
        each = [arena_of(compiled(lambda m=m: [m(x)[0]], monkeypatch)[2]) for m in layers]  # type: ignore[misc]
        expected, found, made = compiled(lambda: [m(x)[0] for m in layers], monkeypatch)
    assert_same(expected, found, 1e-5)
    assert max(each) <= arena_of(made) < sum(each)


@only_lazily
def test_programs_that_keep_nothing_have_the_same_arena(monkeypatch: Any) -> None:
    """A pass in fifty pieces needs the memory of one; a border of zeros stays with its program."""
    x, w = numbers(40, 50).sin(), numbers(8, 8, 3, 3).cos() * 0.1
    runs: list[Any] = [
        lambda: [(x.exp().cumsum(0) + k).T.contiguous().cumsum(0) @ x for k in range(2)],
        lambda: [(x.cos().cumsum(1) - 1).T.contiguous().cumsum(1) @ x.exp()],
        lambda: [F.conv2d(torch.tanh(F.conv2d(numbers(2, 8, 6, 6), w, padding=1)), w, padding=1)],
    ]
    found = [compiled(run, monkeypatch) for run in runs]
    for expected, there, _ in found + [compiled(run, monkeypatch) for run in runs[::-1]]:
        assert_same(expected, there, 1e-5)
    one, other, bordered = [[s for p in made for s in p.segments if s.outline.arena] for _, _, made in found]
    assert {s.outline.keeps for s in one + other} == {False} and any(s.outline.keeps for s in bordered)
    assert all(s.arena is shared(s.outline.arena) for s in one + other) and len(one) and len(other)
    assert all(s.arena is not shared(s.outline.arena) for s in bordered if s.outline.keeps)


def test_arenas_of_one_size_are_there_once_and_go_with_the_last() -> None:
    block = shared(3 << 20)
    assert shared(4 << 20) is block and block.nbytes == 4 << 20 and block.ctypes.data % LINE == 0
    assert shared((4 << 20) + 1) is not block and not shared(0).size
    watch = weakref.ref(block)
    del block
    assert watch() is None
