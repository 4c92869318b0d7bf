"""How long a loop waits for the compiler: a moment in one turn, a second together, which comes back with time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rushlight.codegen import background


class Clock:
    """Time that passes only while somebody waits; also the event that is waited for, which never comes."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        assert 0 < seconds <= background.MOMENT
        self.now += seconds
        return False

    sleep = wait


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    found = Clock()
    monkeypatch.setattr(background, "time", found)
    return found


def waited(here: background.Background, clock: Clock, turns: int) -> float:
    before = clock.now
    for _ in range(turns):
        here._wait(clock)  # type: ignore[arg-type]
    return clock.now - before


def test_no_turn_waits_longer_than_a_moment(clock: Clock) -> None:
    assert waited(background.Background(), clock, 1) == pytest.approx(background.MOMENT)


def test_all_turns_together_wait_a_second_and_a_little(clock: Clock) -> None:
    here = background.Background()
    total = waited(here, clock, 200)
    assert background.ALTOGETHER <= total < 1.3 * background.ALTOGETHER
    assert waited(here, clock, 200) < 0.1


def test_less_is_waited_for_the_compilers_own_modules(clock: Clock) -> None:
    here = background.Background()
    before = clock.now
    for _ in range(200):
        here._wait_for_loading(clock)  # type: ignore[arg-type]
    assert background.LOADING <= clock.now - before < background.LOADING + 2 * background.MOMENT


def test_a_later_model_is_waited_for_again(clock: Clock) -> None:
    here = background.Background()
    waited(here, clock, 200)
    clock.now += 3600.0
    assert background.ALTOGETHER <= waited(here, clock, 200) < 1.3 * background.ALTOGETHER


# ---------------------------------------------------------------------------------------------------------------------
# Functions for arrays of any extents


@pytest.fixture
def asked(monkeypatch: Any) -> background.Background:
    """A compiler that notes what it is asked for, and does nothing."""
    here = background.Background()
    monkeypatch.setattr(here, "_start", lambda: None)
    monkeypatch.setattr(here, "events", SimpleNamespace(put=lambda work: work()))
    monkeypatch.setattr(here.dispatch, "here_only", True)
    monkeypatch.setattr(background.Program, "interpreting", here.interpreting)
    return here


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups of functions that are made, which they are at once."""
    groups: list[str] = []

    def begin(target: Any, args: Any, **options: Any) -> Any:
        return SimpleNamespace(start=lambda: target(*args))

    monkeypatch.setattr(background.threading, "Thread", begin)
    monkeypatch.setattr(background, "general_now", groups.append)
    return groups


def test_much_that_is_interpreted_asks_for_functions_once(asked: background.Background, made: list[str]) -> None:
    for _ in range(background.TIRED // 100):
        asked.interpreting(100)
    assert not made and background.Program.interpreting is not None
    asked.interpreting(1)
    assert background.Program.interpreting is None
    assert tuple(made) == background.GENERAL


def test_a_child_asks_for_what_is_missing(asked: background.Background, made: list[str]) -> None:
    asked.general.update(background.GENERAL[1:])
    asked.interpreted = background.TIRED
    asked.interpreting(1)
    assert made == [background.GENERAL[0]]


def test_what_cannot_be_compiled_stays_with_numpy() -> None:
    with pytest.warns(UserWarning, match="could not compile none and leaves them to NumPy"):
        background.general_now("none")


def test_a_process_is_ready_where_the_cache_is_empty(
    asked: background.Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something like a step of training has run once: if the cache knows nothing, it will have to be compiled."""
    ready: list[bool] = []
    monkeypatch.setattr(asked.dispatch, "prepare", lambda: ready.append(True))
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path))
    asked.interpreting(background.STEP)
    assert not ready
    for _ in range(3):
        asked.interpreting(background.STEP + 1)
    assert ready == [True]
    (tmp_path / "a.plan").write_bytes(b"")
    asked.expecting = False
    asked.interpreting(background.STEP + 1)
    assert ready == [True]


def test_a_program_that_computes_nothing_is_not_compiled(asked: background.Background, monkeypatch: Any) -> None:
    """As where a trace only hands on what was there: what it costs for each call could not be said."""
    given: list[Any] = []
    monkeypatch.setattr(asked, "events", SimpleNamespace(put=given.append))
    empty = background.Program([], ())
    asked.request(empty)
    assert not given and empty.faster is None
