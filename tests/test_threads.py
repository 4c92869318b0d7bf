"""Threads that read, and differentiate through, what other threads are still recording.

The interpreter switches threads as often as it can here, so that a flush asked for by another thread meets its owner at
every point of recording an operation.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import rushlight as torch
from rushlight import Tensor
from rushlight.record import trace

ROUNDS = 60
Shared = dict[int, Tensor]


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def record(shared: Shared, me: int) -> None:
    """Averages a leaf with itself, publishes the pending result and goes on with it."""
    for _ in range(ROUNDS):
        leaf = torch.ones(8, requires_grad=True)
        mean = leaf
        for _ in range(20):
            mean = (mean + leaf) * 0.5
        shared[me] = mean
        (mean * 2).sum().backward()
        assert leaf.grad is not None
        assert mean.tolist() == [1.0] * 8
        assert leaf.grad.tolist() == [2.0] * 8


def read(shared: Shared, me: int) -> None:
    for _ in range(ROUNDS):
        for mean in list(shared.values()):
            assert (mean.detach() * 3).tolist() == [3.0] * 8


def differentiate(shared: Shared, me: int) -> None:
    for _ in range(ROUNDS):
        for mean in list(shared.values()):
            (gradient,) = torch.autograd.grad((mean * 3).sum(), mean)
            assert gradient.tolist() == [3.0] * 8


@pytest.mark.parametrize("other", [read, differentiate])
def test_pending_results_are_shared(other: Callable[[Shared, int], None]) -> None:
    shared: Shared = {}
    failures: list[BaseException] = []

    def guarded(work: Callable[[Shared, int], None], me: int) -> None:
        try:
            work(shared, me)
        except BaseException as failure:
            failures.append(failure)

    jobs = [(record, 0), (record, 1), (other, 2), (other, 3)]
    threads = [threading.Thread(target=guarded, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    assert failures == []


def test_programs_are_forgotten_while_others_record() -> None:
    stopped, failures = threading.Event(), []

    def another_each_time(seed: int) -> None:
        x = torch.ones(3)
        try:
            for turn in range(150):
                y, wanted = x, 1.0
                for k in range(12):
                    add = (turn * 7919 + seed) >> k & 1
                    y, wanted = (y + 1, wanted + 1) if add else (y * 2, wanted * 2)
                assert y.tolist() == [wanted] * 3
        except Exception as failure:
            failures.append(failure)

    def forget() -> None:
        try:
            while not stopped.is_set():
                trace.AUTOMATON.forget()
        except Exception as failure:
            failures.append(failure)

    recording = [threading.Thread(target=another_each_time, args=(seed,)) for seed in (1, 2)]
    forgetting = threading.Thread(target=forget)
    for thread in (*recording, forgetting):
        thread.start()
    for thread in recording:
        thread.join()
    stopped.set()
    forgetting.join()
    assert not failures
