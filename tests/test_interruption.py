"""Ctrl-C at any moment: no number is lost, nothing is done twice, and the next step is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rushlight as torch
from rushlight.core import interruption
from rushlight.record import trace
from rushlight.record.program import Call, Program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
only_lazily = pytest.mark.skipif(trace.EAGER, reason="a step is many flushes, and an interrupt comes between them")


@pytest.fixture(autouse=True)
def pythons_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    interruption.put_off = None
    signal.signal(signal.SIGINT, before)


def interrupting(monkeypatch: Any, owner: Any, name: str) -> None:
    """Has Ctrl-C pressed when `owner.name` is called for the first time, after it has done its work."""
    work, pressed = getattr(owner, name), []

    def pressing(*arguments: Any, **keywords: Any) -> Any:
        made = work(*arguments, **keywords)
        if not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return made

    pressing.__code__ = pressing.__code__.replace(co_filename=interruption.INSIDE[0] + "made_up.py")
    monkeypatch.setattr(owner, name, pressing)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()


@only_lazily
@pytest.mark.parametrize(("owner", "name"), [(Program, "run"), (Program, "collect"), (Call, "store")], ids=str)
def test_in_a_flush(owner: Any, name: str, monkeypatch: Any) -> None:
    def trained(interrupted: bool) -> list[Any]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(model.parameters())
        step(model, optimizer)
        step(model, optimizer)
        if interrupted:
            with monkeypatch.context() as patch:
                interrupting(patch, owner, name)
                try:
                    step(model, optimizer)
                except KeyboardInterrupt:
                    pass
        else:
            step(model, optimizer)
        return [p.tolist() for p in model.parameters()]

    torch.ones(2).add(1).tolist()  # the handler stands from the first flush on
    assert trained(True) == trained(False)


@only_lazily
def test_it_arrives_at_the_end_of_the_flush(monkeypatch: Any) -> None:
    torch.ones(2).add(1).tolist()
    x = torch.arange(3.0) * 2
    with monkeypatch.context() as patch:
        interrupting(patch, interruption, "watch")
        with pytest.raises(KeyboardInterrupt):
            x.tolist()
    assert interruption.put_off is None and x.tolist() == [0, 2, 4]


def test_a_function_of_the_users_own_is_interrupted_where_it_is() -> None:
    torch.ones(2).add(1).tolist()
    seen = []

    def hook(g: torch.Tensor) -> None:
        signal.raise_signal(signal.SIGINT)
        seen.append(g)  # not reached

    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(hook)
    with pytest.raises(KeyboardInterrupt):
        y.sum().backward()
    assert not seen and (x * 3).tolist() == [3, 3, 3]


def test_a_handler_of_the_users_own_stays() -> None:
    seen = []
    mine = lambda *_: seen.append(True)
    signal.signal(signal.SIGINT, mine)
    torch.ones(2).add(1).tolist()
    assert signal.getsignal(signal.SIGINT) is mine
    signal.raise_signal(signal.SIGINT)
    assert seen


def test_other_threads_leave_signals_alone() -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(torch.ones(2).add(1).tolist()))
    thread.start()
    thread.join()
    assert made == [[2, 2]] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_never_ends_is_interrupted_all_the_same(monkeypatch: Any) -> None:
    torch.ones(2).add(1).tolist()
    monkeypatch.setattr(interruption, "LONGEST", 0.05)

    def endless(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        start = time.monotonic()
        while time.monotonic() - start < 60:
            pass

    endless.__code__ = endless.__code__.replace(co_filename=interruption.INSIDE[0] + "made_up.py")
    with pytest.raises(KeyboardInterrupt):
        endless()


RANDOM = """
import os, random, signal, threading, time
import rushlight as torch
def start():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 2))
    return model, torch.optim.Adam(model.parameters(), lr=0.01), torch.randn(6, 5)
def train(model, optimizer, x):
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
wanted, hits = train(*start()), 0
draw = random.Random(1)
stopped = True
def press():
    while True:
        time.sleep(0.003 + draw.random() * 0.03)
        if not stopped:
            os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
while hits < HITS:
    parts = start()
    try:
        stopped = False
        while True:
            train(*parts)
    except KeyboardInterrupt:
        hits += 1
    for _ in range(3):
        try:
            stopped = True
            time.sleep(0.05)
        except KeyboardInterrupt:
            pass
    assert all(p.isfinite().all() for p in parts[0].parameters())
    found = train(*start())
    assert all(abs(a - b) < 1e-5 for a, b in zip(wanted, found)), (wanted, found)
print("hits", hits)
"""


@pytest.mark.parametrize("mode", ["0", "sync", "1"])
def test_at_random_moments(mode: str, tmp_path: Path) -> None:
    environment = {**os.environ, "RUSHLIGHT_COMPILE": mode, "RUSHLIGHT_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RANDOM.replace("HITS", "30")], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "hits 30\n"), done.stderr
