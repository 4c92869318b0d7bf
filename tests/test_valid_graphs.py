"""Random graphs out of every family of operations: interpreted, compiled, and by several threads, the same numbers.

The generator is in `graphs/`; `python -m graphs 0 10000` in this folder goes on where these seeds end.
"""

from __future__ import annotations

from typing import Any

import pytest
from graphs import Graph, Step, drawn, ran
from graphs.compiled import compiled, complaint, interpreted, same_bits, smaller
from graphs.families import FAMILIES
from graphs.judging import differs

import rushlight as torch
from rushlight.codegen import planning
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
BLOCKS, MANY = 20, 15


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.filterwarnings("ignore", "error:Rushlight could not compile")
def test_graphs(block: int) -> None:
    for seed in range(block * MANY, block * MANY + MANY):
        graph, threads = drawn(seed), seed % 5 == 0
        why = complaint(graph, threads)
        assert why is None, f"{why}\n{smaller(graph, threads).told()}"


@pytest.mark.filterwarnings("ignore")
def test_every_family_is_drawn_and_every_way_is_gone() -> None:
    """So that a family which never fits is noticed."""
    graphs = [drawn(seed) for seed in range(80)]
    assert {g.way for g in graphs} == {"forward", "gradient", "training"}
    assert len({g.kind for g in graphs}) == 4
    assert len({s.family.split()[0] for g in graphs for s in g.steps}) > len(set(FAMILIES.values()))


def chain() -> Graph:
    """x, x + 1, (x + 1) * 2, and something beside."""
    steps = (
        Step("leaf", (), lambda t: t.arange(5.0), leaf=True),
        Step("add", (0,), lambda t, x: x + 1),
        Step("mul", (1,), lambda t, x: x * 2),
        Step("beside", (0,), lambda t, x: x - 3),
    )
    return Graph(0, "float32", "forward", "SGD", steps)


def test_a_graph_without_a_step_lacks_what_reads_it() -> None:
    left = chain().without(1)
    assert [s.family for s in left.steps] == ["leaf", "beside"]
    assert [x.tolist() for x in ran(torch, left)] == [[0, 1, 2, 3, 4], [-3, -2, -1, 0, 1]]


def test_a_wrong_kernel_is_found_and_made_small(monkeypatch: Any) -> None:
    """The judge is judged: a compiler that gets one operation wrong."""
    start = planning.PlannedProgram.run

    def wrong(self: Any, values: Any) -> Any:
        found = start(self, values)
        if any(c.step.op.name == "mul" for c in self.program.calls):
            found = [x * 1.001 if getattr(x, "ndim", 0) else x for x in found]
        return found

    monkeypatch.setattr(planning.PlannedProgram, "run", wrong)
    why = complaint(chain())
    assert why is not None and "off by" in why
    assert [s.family for s in smaller(chain()).steps] == ["leaf", "add", "mul"]


def test_rounding_is_no_difference() -> None:
    graph = chain()
    wanted = interpreted(graph)
    nearly = [x * (1 + 1e-7) for x in wanted]
    assert differs(graph, wanted, [n.astype(w.dtype) for n, w in zip(nearly, wanted, strict=True)]) is None
    assert differs(graph, wanted, [(w * 1.001).astype(w.dtype) for w in wanted]) is not None
    assert same_bits(compiled(graph, 2), compiled(graph, 5))
