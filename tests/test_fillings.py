"""Random numbers in machine code against those that NumPy makes: the same bits, and the same state afterwards."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.codegen import background, verify
from rushlight.codegen import mersenne as machine_code
from rushlight.codegen.machine import machine
from rushlight.codegen.routines import Fillings
from rushlight.core import box_muller
from rushlight.core import mersenne as core
from rushlight.core import sampling as s
from rushlight.core.mersenne import FILLINGS, MersenneTwister
from rushlight.distributions.implicit import beta_slope, gamma_slope

SIZES = [1, 7, 15, 16, 17, 31, 33, 48, 311, 312, 313, 623, 624, 625, 626, 1247, 1249, 10_000]
USED = [0, 1, 5, 300, 609, 623, 624, 625]
BY_REJECTION = {"poisson_rates", "gamma", "gamma_single", "dirichlet", "binomial", "binomial_single"}  # slow by NumPy


def _trials(n: int) -> tuple[Any, Any]:
    """Counts and probabilities, one of them unknown."""
    prob = np.linspace(1e-6, 1.0, n).astype(np.float32)
    prob[n // 2] = np.nan
    return np.arange(n).astype(np.float32), prob


DRAWS: dict[str, Callable[[MersenneTwister, int], Any]] = {
    "words": lambda g, n: g.draw(n),
    "pairs": lambda g, n: g.draw64(n),
    "doubles": lambda g, n: g.doubles(n),
    "rand": lambda g, n: s.uniform(g, n),
    "rand_double": lambda g, n: s.uniform(g, n, dtype="float64"),
    "rand_half": lambda g, n: s.uniform(g, n, dtype="float16"),
    "uniform": lambda g, n: s.uniform(g, n, -0.3, 0.1),
    "uniform_double": lambda g, n: s.uniform(g, n, -0.3, 0.1, "float64"),
    "nothing": lambda g, n: s.uniform(g, n, 2.0, 2.0),
    "bernoulli": lambda g, n: s.bernoulli(g, n, 0.3),
    "bernoulli_double": lambda g, n: s.bernoulli(g, n, 0.3, "float64"),
    "bernoulli_int": lambda g, n: s.bernoulli(g, n, 0.9, "int64"),
    "bernoulli_bool": lambda g, n: s.bernoulli(g, n, 0.5, "bool"),
    "always": lambda g, n: s.bernoulli(g, n, 1.0),
    "never": lambda g, n: s.bernoulli(g, n, 0.0),
    "dropout": lambda g, n: s.dropout_mask(g, n, 0.4),
    "dropout_double": lambda g, n: s.dropout_mask(g, n, 0.4, "float64"),
    "dropout_half": lambda g, n: s.dropout_mask(g, n, 0.4, "float16"),
    "randn": lambda g, n: s.normal(g, n),
    "normal": lambda g, n: s.normal(g, n, -0.3, 0.1),
    "randn_double": lambda g, n: s.normal(g, n, dtype="float64"),
    "normal_half": lambda g, n: s.normal(g, n, 1.0, 2.0, "float16"),
    "strided": lambda g, n: s.normal(g, n, contiguous=False),
    "exponential": lambda g, n: s.exponential(g, n),
    "randint": lambda g, n: s.randint(g, n, 0, 10),
    "randint_wide": lambda g, n: s.randint(g, n, 0, 1 << 40),
    "randperm": lambda g, n: s.randperm(g, n),
    "poisson": lambda g, n: s.poisson(g, np.full(n, 3.0)),
    "poisson_rates": lambda g, n: s.poisson(g, np.append(np.geomspace(1e-3, 1e6, n), [0.0, np.inf])),
    "gamma": lambda g, n: s.standard_gamma(g, np.append(np.geomspace(1e-30, 1e4, n), [0.0, np.inf])),
    "gamma_single": lambda g, n: s.standard_gamma(g, np.geomspace(1e-5, 1e4, n).astype(np.float32)),
    "dirichlet": lambda g, n: s.dirichlet(g, np.geomspace(0.1, 9.0, 2 * n).reshape(n, 2)),
    "binomial": lambda g, n: s.binomial(g, np.floor(np.geomspace(1.0, 1e5, n)), np.linspace(0.0, 1.0, n)),
    "binomial_single": lambda g, n: s.binomial(g, *_trials(n)),
}


@pytest.fixture
def by_numpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function without machine code for random numbers."""

    def run(f: Callable[[], Any]) -> Any:
        kept = dict(FILLINGS)
        FILLINGS.clear()
        with monkeypatch.context() as here:
            here.setattr(core.Demand, "compiler", None)
            try:
                return f()
            finally:
                FILLINGS.update(kept)

    return run


@pytest.fixture(params=[16, 32, 64], ids=lambda n: f"{8 * n} bits")
def native(request: pytest.FixtureRequest) -> Iterator[None]:
    """Machine code for vectors of so many bytes."""
    here = machine()
    if not here.fuses:
        pytest.skip("this processor does not fuse multiplications and additions")
    kept, usual = dict(FILLINGS), here.vector_bytes
    here.vector_bytes = request.param
    try:
        with background._lock:
            FILLINGS.update(Fillings(here).functions)
        yield
    finally:
        here.vector_bytes = usual
        FILLINGS.clear()
        FILLINGS.update(kept)


def _stream(name: str) -> list[tuple[Any, bytes]]:
    draw, made = DRAWS[name], []
    for n in [1, 17, 624] if name in BY_REJECTION else SIZES:
        for used in [0, 5, 623] if name in BY_REJECTION else USED:
            g = MersenneTwister(n + used)
            g.next_normal = 0.25 if used == 5 else None
            g.draw(used)
            numbers = draw(g, n)
            made.append((numbers, g.get_state().tobytes()))
    return made


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_numbers_and_state(name: str, native: None, by_numpy: Any) -> None:
    expected = by_numpy(lambda: _stream(name))
    for (numbers, state), (theirs, after) in zip(_stream(name), expected, strict=True):
        assert numbers.dtype == theirs.dtype and numbers.tobytes() == theirs.tobytes()
        assert state == after


def test_samples_move_with_their_parameters_as_numpy_says(native: None, by_numpy: Any) -> None:
    """Number by number, over all the ranges in which the formulas differ; what is unknown stays so."""
    r = np.random.default_rng(0)
    a, b, c = np.exp(r.uniform((-5, -4, -4), (9, 6, 6), (400, 3))).T
    x, y = np.maximum(r.gamma(a), 1e-300), np.clip(r.beta(b, c), 1e-12, 1 - 1e-12)
    a[3] = y[5] = np.nan

    def slopes() -> Any:
        return gamma_slope(a, x), beta_slope(y, b, c), gamma_slope(a[:0], x[:0]), gamma_slope(2.0, x)

    for found, expected in zip(slopes(), by_numpy(slopes), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_draws_of_all_kinds_one_after_the_other(native: None, by_numpy: Any) -> None:
    def mixed() -> list[bytes]:
        g, order = MersenneTwister(11), np.random.RandomState(0)
        made = []
        for _ in range(300):
            draw = list(DRAWS.values())[order.randint(len(DRAWS))]
            made.append(draw(g, int(order.choice([1, 2, 3, 15, 16, 40, 100, 700]))).tobytes())
        return [*made, g.get_state().tobytes()]

    assert mixed() == by_numpy(mixed)


def test_the_state_goes_around_in_the_middle_of_a_stream(native: None, by_numpy: Any) -> None:
    def travels() -> list[bytes]:
        g = torch.Generator().manual_seed(3)
        made = [torch.rand(1000, generator=g).numpy().tobytes()]
        other = pickle.loads(pickle.dumps(g))
        state = g.get_state()
        for h in (g, g.clone_state(), other, torch.Generator().set_state(state) or torch.Generator()):
            made.append(torch.randn(100, generator=h).numpy().tobytes())
        g.set_state(state)
        made.append(torch.randn(100, generator=g).numpy().tobytes())
        g.manual_seed(3)
        return [*made, torch.rand(1000, generator=g).numpy().tobytes()]

    made = travels()
    assert made[1] == made[2] == made[3] == made[5] and made[0] == made[6]
    assert made == by_numpy(travels)


def test_an_engine_is_copied_with_its_place() -> None:
    g = MersenneTwister(3)
    s.uniform(g, 1000)
    copies = [copy.copy(g), copy.deepcopy(g), pickle.loads(pickle.dumps(g)), g.clone()]
    expected = s.uniform(g, 1000).tolist()
    for other in copies:
        assert s.uniform(other, 1000).tolist() == expected
    assert s.uniform(g, 1000).tolist() == s.uniform(copies[0], 1000).tolist()


def _untempered(y: np.ndarray) -> np.ndarray:
    """The words of a state that are handed out as y."""
    y = y ^ y >> 18
    y = y ^ (y << 15) & np.uint32(0xEFC60000)
    found = y
    for _ in range(5):
        found = y ^ (found << 7) & np.uint32(0x9D2C5680)
    y = found
    for _ in range(3):
        found = y ^ found >> 11
    return found


def test_box_muller_over_the_whole_range(native: None) -> None:
    every = np.arange(0, 1 << 24, 37, dtype=np.uint32)  # of all 2**24 radii and angles, which agree
    edges = [0, 1, 2, (1 << 24) - 1, 1 << 23, 5931642] * 52
    every = np.append(every[: len(every) // 312 * 312], edges).astype(np.uint32)
    words = np.stack([every.reshape(-1, 8), np.roll(every, 12345).reshape(-1, 8)], 1).ravel() | np.uint32(0xA5000000)
    made, cells = np.empty(len(words), np.float32), np.zeros(625, np.uint32).view(np.int32)
    for start in range(0, len(words), 624):
        cells[:624], cells[624] = _untempered(words[start : start + 624]).view(np.int32), 0
        FILLINGS["normal32"](cells, made[start : start + 624], 624, 0.0, 1.0, 0.0)
    expected = box_muller.standard_normal(words.astype(np.uint64))
    np.testing.assert_array_equal(made.view(np.uint32), expected.view(np.uint32))


def test_nothing_is_written_beyond_the_array(native: None) -> None:
    kinds = {"words": np.uint64, "chosen8": np.bool_, "chosen32": np.float32, "uniform64": np.float64}
    for name, kind in kinds.items():
        for n in SIZES:
            whole = np.ones(n + 100, kind)
            assert MersenneTwister(1).fill(name, whole[50 : n + 50], 0.0, 0.0, 7.0)
            assert (whole[:50] == 1).all() and (whole[n + 50 :] == 1).all()


def test_machine_code_is_asked_for_once_and_when_many_numbers_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(core.Demand, "compiler", staticmethod(lambda: asked.append(1)))
    monkeypatch.setattr(core.Demand, "drawn", 0)
    monkeypatch.setattr(core.Demand, "patience", 1000)
    kept = dict(FILLINGS)
    FILLINGS.clear()
    try:
        g = MersenneTwister(0)
        s.uniform(g, 400)  # which asks twice: for these, and for the words that they are made of
        assert not asked
        for _ in range(3):
            s.uniform(g, 400)
        assert asked == [1]
    finally:
        FILLINGS.update(kept)


PROGRAM = """
import hashlib, rushlight as torch
torch.manual_seed(5)
seen = hashlib.sha256()
for turn in range(40):
    for made in (torch.rand(700), torch.randn(700), torch.nn.functional.dropout(torch.ones(700)), torch.randperm(50)):
        seen.update(made.numpy().tobytes())
seen.update(torch.get_rng_state().numpy().tobytes())
print(seen.hexdigest())
"""


def test_a_program_draws_the_same_numbers_whatever_compiles_them() -> None:
    found = {
        subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, "RUSHLIGHT_COMPILE": mode},
                       capture_output=True, text=True, check=True).stdout for mode in ("0", "1", "sync")
    }  # fmt: skip
    assert len(found) == 1


FORK = """
import os, time, rushlight as torch
from rushlight.core import mersenne
mersenne.Demand.compiler = None  # asked, and not done yet
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for _ in range(1000):
    torch.rand(20_000)
    if mersenne.FILLINGS:
        break
    time.sleep(0.01)
os._exit(not mersenne.FILLINGS and mersenne.Demand.compiler is not None)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_fork_asks_anew() -> None:
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "1"}
    assert not subprocess.run([sys.executable, "-c", FORK], env=environment, check=False).returncode


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_the_fillings_are_well_formed(vector_bytes: int) -> None:
    for function in machine_code.functions(vector_bytes):
        verify.function(function)


def test_bernoulli_of_probabilities_in_another_layout():
    """The draws go through the tensor's memory; each takes the probability of its own place."""
    p = torch.linspace(0, 1, 20).reshape(4, 5)
    torch.manual_seed(4)
    drawn = torch.zeros(5, 4).t().bernoulli_(p)
    torch.manual_seed(4)
    assert torch.equal(drawn, torch.zeros(5, 4).bernoulli_(p.t()).t())
    assert drawn[0, 0] == 0
    assert drawn[3, 4] == 1
    torch.manual_seed(4)
    assert torch.zeros(6, 5)[::2].bernoulli_(torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0])).tolist() == [[0, 1, 0, 1, 0]] * 3
