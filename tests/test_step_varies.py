"""Steps that differ a little each time: what varies must not make another program of them, nor another answer."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.autograd import replay
from rushlight.record import flush, trace
from rushlight.record.state import State

only_lazily = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


def examples(n: int = 12) -> list[Any]:
    return [torch.arange(3.0).reshape(1, 3) + i for i in range(n)]


@pytest.mark.parametrize("join", ["cat", "stack"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_many_computed_tensors_are_joined_as_few_are(join: str, dim: int) -> None:
    many = examples()
    _ = [t.tolist() for t in many]
    arrays = [t.numpy() for t in examples()]
    found = getattr(torch, join)(many, dim)
    expected = np.concatenate(arrays, dim) if join == "cat" else np.stack(arrays, dim)
    assert found.stride() == torch.from_numpy(expected.copy()).stride()
    assert np.array_equal(found.numpy(), expected)


def test_joined_tensors_have_the_numbers_of_that_moment() -> None:
    many = examples()
    _ = [t.tolist() for t in many]
    many[3] += 100
    many[4][0, 1] = -1
    before = torch.cat(many)
    many[5].zero_()
    assert before[3].tolist() == [103, 104, 105]
    assert before[4].tolist() == [4, -1, 6]
    assert before[5].tolist() == [5, 6, 7]
    assert torch.cat(many)[5].tolist() == [0, 0, 0]


def test_joined_tensors_on_the_tape_keep_their_history() -> None:
    many = [t.requires_grad_() for t in examples()]
    _ = [t.tolist() for t in many]
    torch.cat(many).square().sum().backward()
    assert many[2].grad.tolist() == [[4, 6, 8]]
    with torch.no_grad():
        assert not torch.cat(many).requires_grad


def test_joined_tensors_of_several_shapes_and_dtypes() -> None:
    many = [*examples(), torch.zeros(2, 3, dtype=torch.float64), torch.ones(1, 3, dtype=torch.int64)]
    _ = [t.tolist() for t in many]
    found = torch.cat(many)
    assert found.dtype == torch.float64 and found.shape == (15, 3)
    with pytest.raises(RuntimeError, match="zero-dimensional tensor"):
        torch.cat([torch.tensor(1.0)] * 12)
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        torch.stack([*examples(), torch.zeros(2, 3)])


@only_lazily
def test_batches_drawn_from_a_list_are_one_program() -> None:
    trace.recorder().flush()
    trace.AUTOMATON.start_afresh()
    trace.recorder().trace = trace.Trace(trace.recorder())
    memory = examples(40)
    _ = [t.tolist() for t in memory]

    def step() -> float:
        return float(torch.cat(random.choices(memory, k=20)).mul(2).sum().item())

    for _ in range(6):  # what comes once is not kept
        step()
    known = State.count
    for _ in range(5):
        step()
    assert known == State.count


def turns_of_several_kinds(w: Any, kinds: list[int]) -> Any:
    """A recurrence that is read at every turn and goes on in one of several ways."""
    h = torch.ones(4, dtype=w.dtype)
    for kind in kinds:
        h = (h @ w).tanh() if kind == 0 else (h * w[kind]).sigmoid() if kind < 3 else h + w.exp()[0]
        assert h.sum().item() < 100
    return h.sum()


def gradient_in_numpy(w: np.ndarray, kinds: list[int]) -> np.ndarray:
    def value(w: np.ndarray) -> float:
        h = np.ones(4)
        for kind in kinds:
            z = h * w[kind]
            h = np.tanh(h @ w) if kind == 0 else 1 / (1 + np.exp(-z)) if kind < 3 else h + np.exp(w)[0]
        return float(h.sum())

    steps = np.eye(16).reshape(16, 4, 4) * 1e-6
    return np.array([(value(w + s) - value(w - s)) / 2e-6 for s in steps]).reshape(4, 4)


def test_passes_through_turns_of_several_kinds() -> None:
    rng = random.Random(0)
    w = torch.linspace(-0.5, 0.5, 16, dtype=torch.float64).reshape(4, 4).requires_grad_()
    for _ in range(6):
        kinds = [rng.randrange(4) for _ in range(20)]
        w.grad = None
        turns_of_several_kinds(w, kinds).backward()
        assert np.allclose(w.grad.numpy(), gradient_in_numpy(w.detach().numpy(), kinds), atol=1e-7)


@only_lazily
def test_the_order_of_turns_makes_no_programs() -> None:
    rng = random.Random(0)
    w = torch.linspace(-0.5, 0.5, 16, dtype=torch.float64).reshape(4, 4).requires_grad_()

    def known(turns: int) -> int:
        for _ in range(turns):
            turns_of_several_kinds(w, [rng.randrange(4) for _ in range(24)]).backward()
            _ = w.grad.tolist()
        return State.count

    known(40)
    assert known(0) == known(5)


def programs_of_passes(make: Any) -> int:
    """How many programs the backward passes of a step still record when it has come often; 0 where they are replayed.

    Counts calls of the walk over the nodes, which a pass that is taken as one edge does not make.
    """
    walks = []
    visit = replay.visit
    replay.visit = lambda *args: walks.append(1) or visit(*args)
    try:
        for _ in range(6):
            make()
        walks.clear()
        make()
    finally:
        replay.visit = visit
    return len(walks)


@only_lazily
def test_passes_over_parts_written_in_place_are_replayed() -> None:
    w, places = torch.ones(3, requires_grad=True), torch.tensor([0, 2])

    def step() -> None:
        w.grad = None
        found, more = torch.zeros(3), w * 2
        for i in range(3):
            found[i] = (w * i).exp().sum()
        more[places] = found[:2]
        more[1:] *= 2
        (found.mean() + more.sum()).backward()
        assert np.allclose(w.grad.numpy(), [1 / 3 * np.exp(1) + 2 / 3 * np.exp(2) + 2 * np.exp(1)] * 3 + ADDED)

    ADDED = np.array([0.0, 4.0, 0.0])
    assert programs_of_passes(step) == 0


@only_lazily
def test_passes_that_begin_with_a_sum_are_replayed() -> None:
    """What leaves a stretch is a view there: the gradient of a sum is one number, repeated."""
    w = torch.ones(3, requires_grad=True)

    def step() -> None:
        w.grad = None
        middle = (w * 2).exp()
        assert middle.sum().item() > 0  # the pass has two stretches
        middle.sum().reshape(1, 1).expand(2, 2).sum().backward()
        assert np.allclose(w.grad.numpy(), 8 * np.exp(2))

    assert programs_of_passes(step) == 0


def turns_of(cell: Any, x: Any, n: int) -> Any:
    """A recurrence of n turns that no layer knows of, each of some 30 operations."""
    h, total = torch.zeros(4), 0
    for t in range(n):
        for _ in range(5):
            h = (h * cell + x[t]).tanh() * 0.5 + h.sigmoid() * 0.25
        total = total + (h * h).sum()
    return total


def expected_gradient(cell: Any, x: Any, n: int) -> Any:
    """The same in NumPy: the loss, and its derivative with respect to the cell, carried along."""
    h, d = np.zeros(4), np.zeros((4, 4))
    total, slope = 0.0, np.zeros(4)
    for t in range(n):
        for _ in range(5):
            y, s = np.tanh(h * cell + x[t]), 1 / (1 + np.exp(-h))
            d = 0.5 * (1 - y * y) * (cell * d + np.diag(h)) + 0.25 * s * (1 - s) * d
            h = 0.5 * y + 0.25 * s
        total += (h * h).sum()
        slope += (2 * h) @ d
    return total, slope


def test_loops_of_other_lengths_have_the_same_answers_in_pieces() -> None:
    x, cell = torch.randn(40, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64, requires_grad=True)
    x_array, cell_array = x.numpy().copy(), cell.detach().numpy().copy()
    for n in (7, 12, 9, 20, 15, 30, 25, 8, 11, 40, 21, 33, 10):
        cell.grad = None
        loss = turns_of(cell, x, n)
        loss.backward()
        total, slope = expected_gradient(cell_array, x_array, n)
        assert np.allclose(loss.item(), total, rtol=1e-10)
        assert np.allclose(cell.grad.numpy(), slope, rtol=1e-8)


@only_lazily
def test_a_loop_that_is_longer_each_time_becomes_known(monkeypatch: pytest.MonkeyPatch) -> None:
    x, cell = torch.randn(60, 6), torch.randn(6, requires_grad=True)
    unknown: list[Any] = []
    extend = trace._extend
    monkeypatch.setattr(trace, "_extend", lambda *given: unknown.append(given[1]) or extend(*given))

    def turn(n: int) -> int:
        del unknown[:]
        h, total = torch.zeros(6), 0
        for t in range(n):
            for _ in range(5):
                h = (h * cell + x[t]).tanh() * 0.5 + h.sigmoid() * 0.25
            total = total + (h * h).sum()
        total.backward()  # type: ignore[attr-defined]
        assert cell.grad is not None and bool(cell.grad.isfinite().all())
        return len(unknown)

    first = turn(10)
    for n in range(11, 40):
        last = turn(n)
    assert first > 300 and last < 100, (first, last)


@only_lazily
def test_rows_of_what_an_earlier_turn_computed_are_one_program() -> None:
    table, counts = torch.randn(50, 3, requires_grad=True), []
    for i in random.Random(0).sample(range(50), 20):
        table.grad = None
        (table[i] * 2).sum().backward()
        assert table.grad[i].tolist() == [2, 2, 2] and table.grad.sum().item() == 6
        counts.append(State.count)
    assert counts[6] == counts[-1]
    assert table[4].grad_fn.name() == "SelectBackward0"


def test_what_a_mask_picks_is_written_where_another_mask_holds() -> None:
    numbers = np.random.default_rng(0)
    x = torch.from_numpy(numbers.standard_normal((5, 4)).astype("float32"))
    whole = torch.zeros(3, 5, 4)
    r, expected = whole[1], np.zeros((3, 5, 4), "float32")
    for _ in range(10):
        m = torch.from_numpy(numbers.random((5, 4)) < 0.5)
        n = m.numpy().copy()
        r[m] = x[m]
        expected[1][n] = x.numpy()[n]
        r.t()[~m.t()] = (x.t() * 2)[~m.t()]
        expected[1].T[~n.T] = (x.numpy().T * 2)[~n.T]
        picked = x[m]
        x = x + 1
        assert np.array_equal(picked.numpy(), x.numpy()[n] - 1) or np.allclose(picked.numpy(), x.numpy()[n] - 1)
        assert np.array_equal(whole.numpy(), expected)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        r[x < x.max()] = x[x == x.max()].repeat(2)
    assert np.array_equal(whole.numpy(), expected)


def test_a_mask_off_the_tape_leaves_the_tape_alone() -> None:
    x, w = torch.randn(6), torch.randn(6, requires_grad=True)
    y = w * 2
    mask = x > x.median()
    y[mask] = x[mask]
    y[~mask] = y[~mask] * 3
    y.sum().backward()
    assert w.grad.tolist() == [0.0 if m else 6.0 for m in mask.tolist()]


@only_lazily
def test_the_count_of_a_mask_stands_in_no_program() -> None:
    x, counts, numbers = torch.randn(40), [], np.random.default_rng(1)
    for n in numbers.permutation(40)[:30]:
        mask, r = torch.from_numpy(numbers.permutation(40) < n), torch.zeros(40)
        r[mask] = x[mask]
        total = ((r * 2).exp() - 1).sum().item()
        assert np.isclose(total, (np.exp(x.numpy()[mask.numpy()] * 2) - 1).sum(), rtol=1e-4, atol=1e-4)
        counts.append(State.count)
    assert counts[8] == counts[-1]


HOLDERS: dict[str, Callable[[np.ndarray], Any]] = {
    "the array": lambda a: a,
    "a part of it": lambda a: a[1:],
    "a part of a part": lambda a: a[1:][::2],
    "the same bytes": lambda a: a.view("int64"),
    "a window": memoryview,
    "an array of a subclass": lambda a: a.view(np.matrix),
    "a weak reference": weakref.ref,
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_memory_that_numpy_code_has_is_shared(holder: str) -> None:
    a = np.arange(4.0)
    x, kept = torch.from_numpy(a), HOLDERS[holder](a)
    if holder != "a weak reference":
        del a
    x.mul_(10)
    row = x[1:]
    held = (kept() if holder == "a weak reference" else np.asarray(kept).view("float64")).flat
    assert held[-1] == 30
    held[-1] = 7
    assert 7 in row.tolist() and 7 in (x + 0).tolist()
    row.add_(1)
    assert held[-1] == 8


def test_memory_that_numpy_code_has_let_go_is_the_tensors_own() -> None:
    for size, shape in ((4, (4,)), (4, (2, 2)), (5, (5,))):
        x = torch.from_numpy(np.arange(float(size)).reshape(shape).ravel()[:4])
        begin, address = x.tolist(), x.data_ptr()
        y = x[1:] + x[:-1]
        assert (x._value.exposure is None) is (size == 4)
        x[0] = 9
        x.add_(1)
        assert y.tolist() == [a + b for a, b in zip(begin[1:], begin[:-1], strict=True)]
        assert x.tolist() == [10, *[b + 1 for b in begin[1:]]]
        assert x.data_ptr() == address
        view = x.numpy()  # from now on it is shared again
        x.mul_(2)
        assert view.tolist() == x.tolist() and view[0] == 20


@pytest.mark.parametrize("tracked", [False, True])
def test_positions_pick_rows(tracked: bool) -> None:
    table = torch.arange(12.0).reshape(4, 3).requires_grad_(tracked)
    assert table[torch.tensor([2, -1])].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert table[torch.tensor([[0], [3]])].shape == (2, 1, 3)
    assert table[torch.tensor([], dtype=torch.int64)].shape == (0, 3)
    last = table[torch.tensor(-1)]
    assert last.tolist() == [9, 10, 11] and last._base is not None and last.storage_offset() == 9
    for wrong, why in (([4], "index 4 is out of bounds for dimension 0"), (-5, "index -5 is out of bounds")):
        with pytest.raises(IndexError, match=why):
            table[torch.tensor(wrong)]
    with pytest.raises(IndexError, match="too many indices"):
        torch.tensor(1.0)[torch.tensor([0])]
    assert torch.tensor([5.0]).to_sparse()[torch.tensor(0)].item() == 5


def tokens_of(network: torch.nn.Module, count: int) -> list[int]:
    """Greedy generation: the network sees the end of a sequence that is longer each time."""
    tokens, shown = torch.zeros(1, 4, dtype=torch.int64), []
    with torch.no_grad():
        for _ in range(count):
            token = network(tokens[:, -4:])[:, -1:].argmax(-1)
            shown.append(token.item())
            tokens = torch.cat((tokens, token), dim=1)
    return shown


@only_lazily
def test_what_a_network_makes_of_a_growing_sequence_becomes_known(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = [torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh()) for _ in range(12)]
    network = torch.nn.Sequential(torch.nn.Embedding(9, 8), *layers, torch.nn.Linear(8, 9))
    whole = []
    run = flush.compute

    def noted(t: trace.Trace) -> None:
        whole.append((t.state.__class__ is State, t.state.depth))
        run(t)

    first = tokens_of(network, 8)
    monkeypatch.setattr(flush, "compute", noted)
    found = tokens_of(network, 40)
    assert found[: len(first)] == first
    pieces = [known for known, depth in whole if depth > 24]
    assert len(pieces) >= 36 and all(pieces[-30:])
