"""The compiler's views, assemblies and positions against the interpreter.

Every case runs interpreted and compiled, over odd sizes and layouts, and must leave nothing to NumPy that is named in
`native`.  Positions that do not exist must raise as in the interpreter, before anything is written.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, fresh_automaton, own_cache  # noqa: F401

import rushlight as torch
from rushlight.codegen import background
from rushlight.codegen.native import Segment
from rushlight.record import trace
from rushlight.record.program import Program

pytestmark = [
    pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program"),
    pytest.mark.filterwarnings("error:Rushlight could not compile"),
]
F = torch.nn.functional
KINDS = [torch.float32, torch.float64, torch.int64]
SIZES = [1, 7, 17, 33]


def numbers(*shape: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Different numbers, the same in every run."""
    n = int(np.prod(shape))
    return torch.tensor(((np.arange(n) * 7919) % 101 - 50).reshape(shape) / 4).to(kind)


def native(f: Callable[[], list[Any]], patch: Any, but: tuple[str, ...] = ()) -> None:
    """The same answers interpreted and compiled, with no call left to NumPy except views of results and `but`."""
    expected, found, made = compiled(f, patch)
    assert_same(expected, found)
    assert made and any(p.segments for p in made), [p.reasons for p in made]
    for program in made:
        left = [s for s in program.steps if not isinstance(s, Segment)]
        names = {c.step.op.name for c in left if c.step.op.layouts is None} - set(but)
        assert not names, (names, program.reasons)


def pending(x: torch.Tensor) -> torch.Tensor:
    """An intermediate with the numbers of x: something that a view looks at inside the program."""
    return x * 1 + 0


# ---------------------------------------------------------------------------------------------------------------------
# Views

LOOKS: dict[str, Callable[[torch.Tensor], Any]] = {
    "select": lambda x: x[:, 2],
    "select_last": lambda x: x[..., -1],
    "slice": lambda x: x[1:, ::2],
    "narrow": lambda x: x.narrow(1, 1, 3),
    "transpose": lambda x: x.transpose(0, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "diagonal": lambda x: x.diagonal(1, 0, 1),
    "unfold": lambda x: x.unfold(1, 3, 2),
    "as_strided": lambda x: x.as_strided((3, 2), (2, 1), 3),
    "flatten": lambda x: x.flatten(1),
    "view": lambda x: x.view(-1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "expand": lambda x: x[:, :1].expand(-1, 4, -1),
    "reshape_of_transposed": lambda x: x.transpose(0, 1).reshape(-1, 2),
    "reshape_of_slice": lambda x: x[:, 1:].reshape(-1),
    "slice_of_select": lambda x: x[1][2:, 1:],
    "chain": lambda x: x.permute(1, 2, 0)[1:].transpose(0, 1)[:, ::2].reshape(2, -1),
    "contiguous": lambda x: x.transpose(1, 2).contiguous(),
    "clone": lambda x: x.permute(2, 1, 0).clone(),
    "detach": lambda x: x.detach()[0],
    "new_axis": lambda x: x[None, :, 1, None],
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", LOOKS)
def test_views_of_inputs_and_intermediates(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    look, x = LOOKS[name], numbers(3, 5, 2, kind=kind)

    def looked() -> list[torch.Tensor]:
        made = pending(x)
        return [look(made) * 2, look(x) + look(made), look(made), made]

    native(looked, monkeypatch)


@pytest.mark.parametrize("kind", [*KINDS, torch.uint8, torch.bool], ids=str)
@pytest.mark.parametrize("shape", [(3, 2), (2, 16), (5, 33), (2, 17, 40), (20, 18)])
def test_backwards_in_vectors_and_squares(shape: tuple[int, ...], kind: torch.dtype, monkeypatch: Any) -> None:
    x = numbers(*shape, kind=kind)

    def turned() -> list[torch.Tensor]:
        found = [x.flip(d) for d in range(len(shape))] + [x.rot90(k, (-2, -1)) != 0 for k in range(1, 4)]
        others = [(x.flip(-1) != x).sum(-1), (x.flip(-1) != x).sum(0), x.rot90(1, (-2, -1)).sum(0), x.flip(0, 1) != x]
        return [*found, *others]

    native(turned, monkeypatch)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("tracked", [False, True])
def test_several_views_at_once(n: int, tracked: bool, monkeypatch: Any) -> None:
    x = numbers(3, 4 * n).requires_grad_(tracked)

    def parts() -> list[torch.Tensor]:
        a, b, c, d = pending(x).chunk(4, 1)
        rows = pending(x).unbind(0)
        first, rest = pending(x).split([n, 3 * n], 1)
        made = torch.sigmoid(a) * torch.tanh(b) + c * d + rows[0][:n] - rows[2][n : 2 * n] + first * rest[:, n : 2 * n]
        if not tracked:
            return [made, rows[1], c]
        made.sum().backward()
        gradient, x.grad = x.grad, None
        return [made, gradient]

    native(parts, monkeypatch)


def test_a_loop_over_positions(monkeypatch: Any) -> None:
    x = numbers(9, 5)

    def rows() -> list[torch.Tensor]:
        made = pending(x)
        return [made[i] * 2 + made[8 - i] for i in range(9)]

    native(rows, monkeypatch)


def test_views_of_inputs_that_lie_otherwise(monkeypatch: Any) -> None:
    x, y = numbers(6, 4).t(), numbers(12, 8)[::2, 1::2]

    def looked() -> list[torch.Tensor]:
        return [x[1:] * y.t()[:3, :6], (x * 2).reshape(-1) + y.reshape(-1), x.flatten() * 1]

    native(looked, monkeypatch)


# ---------------------------------------------------------------------------------------------------------------------
# Assemblies


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_tensors_put_together(n: int, dim: int, kind: torch.dtype, monkeypatch: Any) -> None:
    x, y = numbers(3, n, kind=kind), numbers(3, n, kind=kind).flip(0)

    def joined() -> list[torch.Tensor]:
        made = pending(x)
        whole = torch.cat([made, y, made * 2], dim)
        return [torch.stack([x, made, y + 1], dim), whole * 2, whole, torch.cat([x, whole, y.t().t()], dim).sum()]

    native(joined, monkeypatch)


@pytest.mark.parametrize("n", SIZES)
def test_gradients_of_parts(n: int, monkeypatch: Any) -> None:
    x = numbers(n, 6).requires_grad_()

    def gradients() -> list[torch.Tensor]:
        y = x * 2
        made = y[:, 1] * 3 + y[:, 2:5:2].sum(1) + y.narrow(1, 3, 2).sum(1) + y[n // 2].sum()
        z = torch.stack([made, made * 2]).sum() + torch.cat([y, y[:, :2]], 1).square().sum()
        z.backward()
        gradient, x.grad = x.grad, None
        return [z.detach(), gradient]

    native(gradients, monkeypatch)


def test_cat_of_different_dtypes(monkeypatch: Any) -> None:
    x, y = numbers(3, 4), numbers(2, 4, kind=torch.int64)
    native(lambda: [torch.cat([x * 2, y + 1]), torch.cat([y * 3, y])], monkeypatch)


def test_writing_into_a_part(monkeypatch: Any) -> None:
    x = numbers(5, 7)

    def written() -> list[torch.Tensor]:
        y = x * 2
        y[1] = 3
        y[:, 2:5] += x[:, :3]
        y[2:4, ::3].mul_(2)
        return [y, y + 1]

    native(written, monkeypatch, but=("set_part",))


# ---------------------------------------------------------------------------------------------------------------------
# Creation


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_creation_cuts_no_run(kind: torch.dtype, monkeypatch: Any) -> None:
    x = numbers(17, kind=kind)

    def created() -> list[torch.Tensor]:
        a, b = torch.full((17,), 3, dtype=kind), torch.zeros(17, dtype=kind)
        steps = torch.arange(1, 35, 2, dtype=kind)
        spread = torch.ones(17, 3, dtype=kind)[:, 1]
        return [x * a + b, x * steps, steps, torch.ones_like(x) * x + spread, torch.arange(17) * 2]

    native(created, monkeypatch)


# ---------------------------------------------------------------------------------------------------------------------
# Positions


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("padding", [None, 3])
def test_embedding(width: int, kind: torch.dtype, padding: int | None, monkeypatch: Any) -> None:
    table = numbers(11, width, kind=kind).requires_grad_()
    at = torch.tensor([[3, 0, 10, 3], [7, 7, 3, 1], [5, 9, 0, 0]])

    def looked_up() -> list[torch.Tensor]:
        found = F.embedding(at, table * 1, padding_idx=padding)
        found.square().sum().backward()
        gradient, table.grad = table.grad, None
        return [found * 2, gradient]

    native(looked_up, monkeypatch)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("n", SIZES)
def test_elements_at_positions(n: int, kind: torch.dtype, monkeypatch: Any) -> None:
    x = numbers(n, 9, kind=kind)
    rows = torch.tensor([0, n - 1, n // 2, 0, n // 3])
    each = torch.tensor((np.arange(n * 5) * 31 % 9).reshape(n, 5))

    def found() -> list[torch.Tensor]:
        made = pending(x)
        return [
            made.index_select(0, rows),
            x.index_select(1, each[0]) * 2,
            made.gather(1, each) + 1,
            made[rows] * 2,
            x.t()[:, rows],
            made[rows, each[0]],
            made[-1 - rows],
            made[rows.view(5, 1), each[0]],
        ]

    native(found, monkeypatch)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_positions_that_do_not_exist_raise(wrong: int, monkeypatch: Any) -> None:
    table, right = numbers(5, 3), torch.tensor([0, 4, 2])
    cases: list[tuple[Callable[[Any, Any], Any], bool]] = [
        (lambda x, i: F.embedding(i, x), False),
        (lambda x, i: x.index_select(0, i), False),
        (lambda x, i: x.gather(0, i[:, None]), False),
        (lambda x, i: x.scatter_add(0, i[:, None], x), False),
        (lambda x, i: x.index_add(0, i, x[:3]), False),
        (lambda x, i: x[i], True),
        (lambda x, i: x.index_put((i,), x[0]), True),
    ]
    for f, wraps in cases:
        native(lambda f=f: [f(table * 2, right + 0) + 1], monkeypatch)  # type: ignore[misc]
        places = torch.tensor([0, -6 if wraps and wrong < 0 else wrong, 2])
        raised = []
        for compiler in (None, background.compile_now):
            fresh_automaton()
            monkeypatch.setattr(Program, "compiler", compiler)
            monkeypatch.setattr(Program, "patience", 1)
            with pytest.raises((IndexError, RuntimeError)) as error:
                (f(table * 2, places + 0) + 1).numpy()
            raised.append((error.type, str(error.value)))
        monkeypatch.setattr(Program, "compiler", None)
        assert raised[0] == raised[1]


WRITES: dict[str, Callable[..., torch.Tensor]] = {
    "index_put": lambda x, at, v: x.index_put((at,), v),
    "index_put_added": lambda x, at, v: x.index_put((at,), v, accumulate=True),
    "index_add": lambda x, at, v: x.index_add(0, at, v),
    "index_copy": lambda x, at, v: x.index_copy(0, at, v),
    "index_fill": lambda x, at, v: x.index_fill(0, at, 3),
    "scatter": lambda x, at, v: x.scatter(0, at[:, None].expand(-1, v.shape[1]), v),
    "scatter_number": lambda x, at, v: x.scatter(0, at[:, None].expand(-1, v.shape[1]), 2),
    "scatter_add": lambda x, at, v: x.scatter_add(0, at[:, None].expand(-1, v.shape[1]), v),
    "columns": lambda x, at, v: x.t().index_add(1, at, v.t()),
    "assigned": lambda x, at, v: x.clone().index_put_((at, at * 0), v[:, 0]),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WRITES)
def test_writing_at_positions(name: str, n: int, kind: torch.dtype, monkeypatch: Any) -> None:
    x, v = numbers(9, n, kind=kind), numbers(5, n, kind=kind)
    at = torch.tensor([3, 0, 8, 3, 1])
    native(lambda: [WRITES[name](pending(x), at, v * 2), WRITES[name](x, at, pending(v)) + 1], monkeypatch)


@pytest.mark.parametrize("n", SIZES)
def test_gradients_of_positions(n: int, monkeypatch: Any) -> None:
    x = numbers(9, n).requires_grad_()
    at, each = torch.tensor([3, 0, 8, 3, 1]), torch.tensor((np.arange(2 * n) * 31 % 9).reshape(2, n))

    def gradients() -> list[torch.Tensor]:
        y = x * 2
        z = y[at].square().sum() + y.gather(0, each).sum() * 3 + y.index_select(0, at).sum() + y[at, at * 0].sum()
        z.backward()
        gradient, x.grad = x.grad, None
        return [z.detach(), gradient]

    native(gradients, monkeypatch)


def test_a_loop_that_writes_copies_once(monkeypatch: Any) -> None:
    x = numbers(40, 3)

    def written() -> list[torch.Tensor]:
        y = x * 2
        for i in range(0, 40, 2):
            y[i] = x[i] + i
        return [y + 1]

    expected, found, made = compiled(written, monkeypatch)
    assert_same(expected, found)
    plans = [s.entry.plan for p in made for s in p.segments]
    assert any(len(w.args) > 20 for plan in plans for w in plan.buffers if w.kind == "whole")
    native(written, monkeypatch)


MOVES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "flip": lambda x: x.flip(0, 1),
    "roll": lambda x: x.roll((1, -2), (0, 1)),
    "roll_flat": lambda x: x.roll(4),
    "repeat": lambda x: x.repeat(2, 3, 1),
    "tile": lambda x: x.tile(2),
    "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=7),
    "crop": lambda x: F.pad(x, (-1, 1)),
    "diag_embed": lambda x: torch.diag_embed(x, 1),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 33)])
@pytest.mark.parametrize("name", MOVES)
def test_elements_moved(name: str, shape: Any, kind: torch.dtype, monkeypatch: Any) -> None:
    x, move = numbers(*shape, kind=kind), MOVES[name]
    native(lambda: [move(pending(x)) * 2, move(x) + 1, move(x.t().contiguous().t())], monkeypatch)


def put_into_expanded() -> list[torch.Tensor]:
    """The gradient of elements that were put somewhere, when what arrives is one number in all places."""
    x, y = numbers(3, 4).requires_grad_(), numbers(2, 4).requires_grad_()
    z = x * 1
    z[torch.tensor([0, 2])] = y
    z.sum().backward()
    return [x.grad, y.grad]


def test_what_is_computed_of_an_expanded_tensor_has_places_of_its_own(monkeypatch: Any) -> None:
    expected, found, _ = compiled(put_into_expanded, monkeypatch)
    assert_same(expected, found)
    assert found[0].tolist() == [[0] * 4, [1] * 4, [0] * 4]
    whole = torch.ones(1, 1).expand(3, 4)
    for made in (whole.index_put((torch.tensor([1]),), torch.tensor(5.0)), whole.masked_fill(whole > 2, 1.0)):
        assert made.stride() == (4, 1)


# ---------------------------------------------------------------------------------------------------------------------
# Long programs


def recurrent(steps: int) -> Callable[[], list[torch.Tensor]]:
    torch.manual_seed(0)
    model = torch.nn.LSTM(6, 7, batch_first=True)
    x = numbers(3, steps, 6)

    def trained() -> list[torch.Tensor]:
        model.zero_grad()
        found, (h, c) = model(x)
        (found.square().mean() + h.sum() * c.mean()).backward()
        return [found, h, c, *[p.grad for p in model.parameters()]]

    return trained


def test_equal_kernels_are_one_function(monkeypatch: Any) -> None:
    expected, found, made = compiled(recurrent(40), monkeypatch)
    assert_same(expected, found, 1e-4)
    program = max(made, key=lambda p: len(p.program.calls))
    kernels = sum(len(s.entry.kernels) for s in program.segments)
    assert len(program.functions) * 4 < kernels, (len(program.functions), kernels)
    assert len(program.segments) == 1


def test_intermediates_use_memory_again(monkeypatch: Any) -> None:
    x = numbers(100, 100)

    def chain() -> list[torch.Tensor]:
        made = x
        for _ in range(20):
            made = (made * 0.5).t().contiguous().view(50, 200).cumsum(0).view(100, 100)
            made = torch.cat([made[50:], made[:50]]) + 1
        return [made]

    expected, found, made = compiled(chain, monkeypatch)
    assert_same(expected, found, 1e-4)
    assert all(s.entry.plan.arena < 6 * x.numel() * 4 for p in made for s in p.segments)


def test_a_part_without_a_form_leaves_the_rest(monkeypatch: Any) -> None:
    from rushlight.codegen import entry
    from rushlight.codegen.capture import NotLowered

    start = entry.Entry.__init__

    def picky(self: Any, plan: Any, *rest: Any) -> None:
        if any(x.kind == "tanh" for nest in plan.nests for x in nest.body):
            raise NotLowered("a function that nobody knows")
        start(self, plan, *rest)

    monkeypatch.setattr(entry.Entry, "__init__", picky)
    x = numbers(7, 5)

    def several() -> list[torch.Tensor]:
        made = x
        for k in range(16):
            made = made * 2 + k
        made = torch.tanh(made)
        for k in range(16):
            made = made - k
        return [made]

    expected, found, made = compiled(several, monkeypatch)
    assert_same(expected, found)
    assert len(made[0].segments) >= 2
    assert {c.step.op.name for c in made[0].steps if not isinstance(c, Segment)} == {"tanh"}


# ---------------------------------------------------------------------------------------------------------------------
# Random programs

Shape = tuple[int, ...]
Move = tuple[Callable[[torch.Tensor], torch.Tensor], Shape]


def random_move(draw: random.Random, shape: Shape) -> Move:
    """Something that moves the elements of a tensor with at least one dimension, and the new shape."""
    d = draw.randrange(len(shape))
    n = shape[d]
    what = draw.randrange(12)
    start = draw.randrange(n)
    end = draw.randint(start + 1, n)
    places = [draw.randrange(n) for _ in range(draw.randint(1, 4))]
    before, after = shape[:d], shape[d + 1 :]
    if what == 0:
        return lambda x: x.select(d, start), before + after
    if what == 1:
        return lambda x: x.narrow(d, start, end - start), (*before, end - start, *after)
    if what == 2:
        order = draw.sample(range(len(shape)), len(shape))
        return lambda x: x.permute(order), tuple(shape[k] for k in order)
    if what == 3:
        return lambda x: x.reshape(-1, n), (int(np.prod(shape)) // n, n)
    if what == 4:
        return lambda x: torch.cat([x, x * 2], d), (*before, 2 * n, *after)
    if what == 5:
        return lambda x: torch.stack([x, x + 1, x], d), (*before, 3, n, *after)
    if what == 6:
        at = torch.tensor(places)
        return lambda x: x.index_select(d, at), (*before, len(places), *after)
    if what == 7:
        at = torch.tensor(places)
        return lambda x: torch.zeros_like(x).index_add(d, at, x.index_select(d, at) * 2), shape
    if what == 8:
        return lambda x: x.flip(d), shape
    if what == 9:
        return lambda x: x.roll(start, d), shape
    if what == 10:
        return lambda x: sum(part.sum(d, keepdim=True) for part in x.split(max(1, n // 2), d)) + x, shape

    def written(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y.narrow(d, start, end - start).copy_(x.narrow(d, start, end - start) + 1)
        return y

    return written, shape


def moves_of(seed: int) -> tuple[Shape, list[Move]]:
    """A shape, and what is done to a tensor of it, step after step."""
    draw = random.Random(seed)
    first = shape = tuple(draw.choice([1, 2, 3, 5, 7]) for _ in range(draw.randint(1, 4)))
    moves: list[Move] = []
    while len(moves) < 8 and shape and int(np.prod(shape)) < 5000:
        moves.append(random_move(draw, shape))
        shape = moves[-1][1]
    return first, moves


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("block", range(8))
def test_random_moves(kind: torch.dtype, block: int, monkeypatch: Any) -> None:
    for seed in range(block * 15, block * 15 + 15):
        shape, moves = moves_of(seed)
        x = numbers(*shape, kind=kind)

        def moved(x: torch.Tensor = x, moves: list[Move] = moves) -> list[torch.Tensor]:
            made, all_made = x, []
            for move, _ in moves:
                made = move(made)
                all_made.append(made * 2 if len(all_made) % 2 else made)
            return all_made

        expected, found, made = compiled(moved, monkeypatch)
        assert_same(expected, found)
        assert all(p.segments or not p.reasons for p in made), (seed, [p.reasons for p in made])


def test_a_call_that_needs_nothing_of_a_run_does_not_cut_it(monkeypatch: Any) -> None:
    x = numbers(5, 5)

    def drawn() -> list[torch.Tensor]:
        torch.manual_seed(3)
        made = x * 2
        noise = torch.randn(5, 5)
        made = torch.tanh(made + noise)
        mask = torch.nn.functional.dropout(torch.ones(5, 5), 0.5)
        return [made * mask + torch.eye(5) - torch.rand(5), made @ torch.randn_like(made), torch.sort(made)[0] + 1]

    expected, found, made = compiled(drawn, monkeypatch)
    assert_same(expected, found, 1e-5)
    largest = max(made, key=lambda p: len(p.program.calls))
    assert len(largest.segments) <= 2
    assert isinstance(largest.steps[-1], Segment)
