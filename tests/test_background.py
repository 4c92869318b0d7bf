"""How long a loop waits for the compiler: a moment in one turn, a second together, which comes back with time."""

from __future__ import annotations

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


def test_a_later_model_is_waited_for_again(clock: Clock) -> None:
    here = background.Background()
    waited(here, clock, 200)
    clock.now += 3600.0
    assert background.ALTOGETHER <= waited(here, clock, 200) < 1.3 * background.ALTOGETHER
