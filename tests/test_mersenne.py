"""The random number engine against numbers that PyTorch 2.13 gave on an x86-64 CPU.

`EXPECTED` holds, for the seed 7, what a call returned and the 31 bits the generator gave next: a function must make the
same numbers and use up the same draws. Where PyTorch is installed, the last tests compare many more sizes with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rushlight.core import random_integers
from rushlight.core import sampling as s
from rushlight.core.mersenne import DEFAULT_SEED, MersenneTwister

EXPECTED: dict[str, tuple[list[Any], int]] = {
    "rand": ([0.53492254, 0.198803186, 0.659211695], 1369975286),
    "rand_double": ([0.279380429906404, 0.27369371365176565], 1882953283),
    "rand_half": ([0.53515625, 0.1988525390625, 0.6591796875], 1369975286),
    "uniform": ([1.13969016, -0.204787254, 1.63684678], 1369975286),
    "randn_last": ([2.44739938, 0.169216022, -0.848775506], 2097903270),
    "randn_first": ([-0.820134521, 0.395631164, 0.898908496], 2097903270),
    "randn7": ([-0.146795094, 0.786141276, 0.94682163, -1.114344, 1.69079018, -0.894827902, -0.355625033], 1152936666),
    "randn15then16": ([0.240546122, 1.39545083, -0.0835282281, -0.0234779324, 0.174375355], 1757192964),
    "randn17": ([-0.820134521, -0.324566633, 1.92636812], 1485942463),
    "randn_double": ([0.06626753966449943, -0.8067815436367963, -0.4275695310980957], 397691140),
    "randn_half_18": ([-0.8203125, 0.395751953125, -1.5830078125, -1.359375], 916483116),
    "normal": ([-0.640269041, 0.971024096, 2.28054523], 104563532),
    "strided": ([-0.146795094, 0.786141276, 2.02560186], 431854331),
    "odd": ([-1.19129717, -1.65176582], 68334472),
    "randint": ([5, 2, 1, 6, 3, 7, 7, 9, 8, 1], 165338510),
    "randint_wide": ([752595690692, 108744157686, 291964244179], 959775639),
    "randint_28": ([171107524, 27798006, 174903507], 959775639),
    "randint_below_28": ([59306160, 171107527, 128500261], 1369975286),
    "randint_float": ([0.0, -3.0, -4.0, 1.0, -2.0], 2053951699),
    "full": ([1407639518939636932, -4059781650074555914], 1882953283),
    "random_int64": ([1407639518939636932, 5163590386780219894], 1882953283),
    "random_bool": ([True, False, True, False, True, True], 959775639),
    "random_float": ([8974492.0, 3335306.0, 11059538.0], 1369975286),
    "random_uint8": ([175, 196, 25, 246], 1882953283),
    "randperm": ([5, 0, 3, 4, 1, 7, 9, 6, 8, 2], 1322904761),
    "randperm_1000": ([615, 284, 599, 580, 347], 1778051873),
    "randperm_70000": ([1615, 67841, 26538, 53880], 502894250),
    "bernoulli": ([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0], 1636129708),
    "bernoulli_of": ([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 4812360),
    "bernoulli_of_double": ([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0], 1636129708),
    "dropout": ([1.66666663, 1.66666663, 0.0, 0.0, 0.0, 0.0], 4812360),
    "exponential": ([0.327643931, 0.319783479, 1.98117542], 959775639),
    "exponential_double": ([0.1638219614915395, 0.1598917355510892], 1882953283),
    "geometric": ([4.0, 4.0, 1.0, 2.0, 1.0, 1.0], 4812360),
    "cauchy": ([-0.661111534, -0.722406089, 5.32378435], 959775639),
    "log_normal": ([2.02670193, 13.0956821, 18.0589828], 2052949340),
    "multinomial_with": ([1, 1, 3, 3, 3, 3, 1, 2, 3, 3], 769786948),
    "multinomial_without": ([1, 3, 0], 2052949340),
    "multinomial_rows": ([1, 0], 4812360),
    "poisson": ([0.0, 5.0, 21.0, 518.0], 1304549247),
    "gamma": ([0.454868466, 7.34603643, 21.7103729], 1152936666),
    "dirichlet": ([0.0154133774, 0.248923004, 0.735663593], 1152936666),
    "binomial": ([1.0, 26.0, 528.0], 4812360),
    "trunc": ([-0.820134521, 0.395631164, 0.898908496], 396263773),
    "trunc_tail": ([1.63706672, 1.79820478, 1.93025851], 1451346723),
    "normal_of": ([-0.146795094, 2.57228255, 4.84046459], 2052949340),
    "complex": ([-0.103799812, 0.555885851, 0.669503987, -0.787960231], 2052949340),
}


def _float32(*values: float) -> Any:
    return np.array(values, np.float32)


WEIGHTS = _float32(0.1, 0.2, 0.3, 0.4)

CALLS: dict[str, Callable[[MersenneTwister], Any]] = {
    "rand": lambda g: s.uniform(g, 3),
    "rand_double": lambda g: s.uniform(g, 2, dtype="float64"),
    "rand_half": lambda g: s.uniform(g, 3, dtype="float16"),
    "uniform": lambda g: s.uniform(g, 3, -1, 3),
    "randn_last": lambda g: s.normal(g, 1000)[-3:],
    "randn_first": lambda g: s.normal(g, (10, 100)).ravel()[:3],
    "randn7": lambda g: s.normal(g, 7),
    "randn15then16": lambda g: np.concatenate((s.normal(g, 15), s.normal(g, 16)))[13:18],
    "randn17": lambda g: s.normal(g, 17)[:3],
    "randn_double": lambda g: s.normal(g, 64, dtype="float64")[[0, 8, 63]],
    "randn_half_18": lambda g: s.normal(g, 18, dtype="float16")[[0, 1, 2, 17]],
    "normal": lambda g: s.normal(g, 100, 1.0, 2.0)[[0, 50, 99]],
    "strided": lambda g: s.normal(g, 20, contiguous=False)[[0, 1, 19]],
    "odd": lambda g: (s.normal(g, 3), s.uniform(g, 5), s.normal(g, 1), s.normal(g, 2))[3],
    "randint": lambda g: s.randint(g, 10, 0, 10),
    "randint_wide": lambda g: s.randint(g, 3, 0, 2**40),
    "randint_28": lambda g: s.randint(g, 3, 0, 2**28),
    "randint_below_28": lambda g: s.randint(g, 3, 0, 2**28 - 1),
    "randint_float": lambda g: s.randint(g, 5, -5, 5, "float32"),
    "full": lambda g: s.randint(g, 2, -(2**63), None),
    "random_int64": lambda g: s.random(g, 2),
    "random_bool": lambda g: s.random(g, 6, "bool"),
    "random_float": lambda g: s.random(g, 3, "float32"),
    "random_uint8": lambda g: s.random(g, 4, "uint8"),
    "randperm": lambda g: s.randperm(g, 10),
    "randperm_1000": lambda g: s.randperm(g, 1000)[:5],
    "randperm_70000": lambda g: s.randperm(g, 70000)[[0, 1, 35000, 69999]],
    "bernoulli": lambda g: s.bernoulli(g, 12, 0.3),
    "bernoulli_of": lambda g: s.bernoulli_of(g, np.full(12, 0.3, np.float32)),
    "bernoulli_of_double": lambda g: s.bernoulli_of(g, np.full(12, 0.3)),
    "dropout": lambda g: s.dropout_mask(g, 6, 0.4),
    "exponential": lambda g: s.exponential(g, 3),
    "exponential_double": lambda g: s.exponential(g, 2, 2.0, "float64"),
    "geometric": lambda g: s.geometric(g, 6, 0.3),
    "cauchy": lambda g: s.cauchy(g, 3, 1.0, 2.0),
    "log_normal": lambda g: s.log_normal(g, 3),
    "multinomial_with": lambda g: s.multinomial(g, WEIGHTS, 10, True),
    "multinomial_without": lambda g: s.multinomial(g, WEIGHTS, 3),
    "multinomial_rows": lambda g: s.multinomial(g, np.array([[0.1, 0.9, 0], [0.3, 0.3, 0.4]], np.float32), 1),
    "poisson": lambda g: s.poisson(g, _float32(0.5, 3.0, 20.0, 500.0)),
    "gamma": lambda g: s.standard_gamma(g, _float32(0.5, 3.0, 20.0)),
    "dirichlet": lambda g: s.dirichlet(g, _float32(0.5, 3.0, 20.0)),
    "binomial": lambda g: s.binomial(g, _float32(5.0, 50.0, 1000.0), _float32(0.3, 0.6, 0.5)),
    "trunc": lambda g: s.truncated_normal(g, 40)[:3],
    "trunc_tail": lambda g: s.truncated_normal(g, 5, 0.0, 1.0, 1.5, 3.0)[:3],
    "normal_of": lambda g: s.normal_of(g, _float32(0, 1, 2), _float32(1, 2, 3)),
    "complex": lambda g: s.normal(g, 2, dtype="complex64").view(np.float32),
}

ERRORS: list[tuple[Callable[[MersenneTwister], Any], type[Exception], str]] = [
    (lambda g: s.normal(g, 3, 0.0, -1.0), RuntimeError, "normal expects std >= 0.0, but found std -1"),
    (lambda g: s.normal(g, 3, dtype="int64"), NotImplementedError, "\"normal_kernel_cpu\" not implemented for 'Long'"),
    (lambda g: s.normal_of(g, 0.0, np.array([1.0, -1.0])), RuntimeError, "all elements of std >= 0.0"),
    (lambda g: s.uniform(g, 3, 2, 1), RuntimeError, "but found from=2 > to=1"),
    (lambda g: s.uniform(g, 3, -3e38, 3e38), RuntimeError, "to-from <= std::numeric_limits<Float>::max()"),
    (lambda g: s.uniform(g, 3, 0, 1e6, "float16"), RuntimeError, "to is out of bounds for c10::Half"),
    (lambda g: s.randint(g, 3, 5, 5), RuntimeError, "but got from=5 >= to=5"),
    (lambda g: s.randint(g, 3, 0, 257, "uint8"), RuntimeError, "to - 1 is out of bounds for unsigned char"),
    (lambda g: s.randint(g, 3, -1, 1, "bool"), RuntimeError, "from is out of bounds for bool"),
    (lambda g: s.random(g, 3, "complex64"), NotImplementedError, "'ComplexFloat'"),
    (lambda g: s.randperm(g, -1), RuntimeError, "negative dimension -1"),
    (lambda g: s.randperm(g, 257, "uint8"), RuntimeError, "cannot be converted to type uint8_t"),
    (lambda g: s.randperm(g, 3000, "float16"), RuntimeError, "n cannot be greater than 2049 for Half type"),
    (lambda g: s.bernoulli(g, 3, 1.5), RuntimeError, "expects p to be in [0, 1], but got p=1.5"),
    (lambda g: s.bernoulli_of(g, np.array([0.5, np.nan])), RuntimeError, "Expected p_in >= 0 && p_in <= 1"),
    (lambda g: s.dropout_mask(g, 3, -0.1), ValueError, "between 0 and 1, but got -0.1"),
    (lambda g: s.exponential(g, 3, 0.0), RuntimeError, "expects lambda > 0.0, but found lambda=0"),
    (lambda g: s.geometric(g, 3, 1.0), RuntimeError, "expects p to be in (0, 1), but got p=1"),
    (lambda g: s.cauchy(g, 3, 0.0, 0.0), RuntimeError, "expects sigma > 0.0"),
    (lambda g: s.log_normal(g, 3, 0.0, 0.0), RuntimeError, "expects std > 0.0"),
    (lambda g: s.multinomial(g, WEIGHTS, 5), RuntimeError, "cannot sample n_sample > prob_dist.size(-1)"),
    (lambda g: s.multinomial(g, -WEIGHTS, 5, True), RuntimeError, "encountering probability entry < 0"),
    (lambda g: s.multinomial(g, 0 * WEIGHTS, 1), RuntimeError, "sum of probabilities <= 0"),
    (lambda g: s.multinomial(g, np.array([np.inf, 1.0]), 1), RuntimeError, "contains either `inf`"),
    (lambda g: s.poisson(g, np.array([-1.0])), RuntimeError, "invalid Poisson rate"),
    (lambda g: s.binomial(g, np.array([1]), np.array([0.5])), ValueError, "for count, got: Long"),
]


def _digest(array: Any) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize("name", EXPECTED)
def test_numbers_and_draws_are_pytorchs(name: str) -> None:
    generator = MersenneTwister(7)
    values, following = EXPECTED[name]
    got = CALLS[name](generator)
    np.testing.assert_allclose(got.astype(np.float64).ravel(), values, rtol=2e-7)
    assert generator.random() % 2**31 == following


def test_long_streams_are_pytorchs_bit_for_bit() -> None:
    assert _digest(s.normal(MersenneTwister(0), 20000)) == (
        "4cd005dde248001d7c2c1f6d935875a397c578fe9f4b317bfc99b3d7c365cea1"
    )
    generator = MersenneTwister(0)
    s.normal(generator, 20000)
    assert _digest(s.uniform(generator, 20000)) == "97a7b2cbd63827218d074e6a9fa959769120c3033cffd35919864d9cefb31849"
    assert _digest(s.randperm(generator, 70000)) == "67bbed2397e17f2b8a1d16c17fa72034ae191388e7a11caf227e55004a395889"


@pytest.mark.parametrize(("call", "error", "words"), ERRORS)
def test_refused_input_draws_nothing(call: Callable[..., Any], error: type[Exception], words: str) -> None:
    generator = MersenneTwister(7)
    with pytest.raises(error) as caught:
        call(generator)
    assert words in str(caught.value)
    assert generator.random() == MersenneTwister(7).random()


def test_seeds() -> None:
    generator = MersenneTwister()
    assert generator.initial_seed() == DEFAULT_SEED == 67280421310721
    assert generator.manual_seed(-1) is generator
    assert generator.initial_seed() == 2**64 - 1
    assert generator.random() == MersenneTwister(0xFFFF_FFFF).random()  # the low 32 bits choose the stream
    for wrong, error in (("x", RuntimeError), (1.5, RuntimeError), (True, RuntimeError), (2**64, ValueError)):
        with pytest.raises(error):
            generator.manual_seed(wrong)  # type: ignore[arg-type]
    assert generator.initial_seed() == 2**64 - 1
    assert generator.seed() == generator.initial_seed()


def test_seeding_forgets_the_waiting_normal() -> None:
    generator = MersenneTwister(7)
    s.normal(generator, 3)
    assert generator.next_normal is not None
    generator.manual_seed(7)
    np.testing.assert_array_equal(s.normal(generator, 3), s.normal(MersenneTwister(7), 3))


def test_draws_of_64_bits_are_pairs() -> None:
    for count in (3, 5000):
        pairs = MersenneTwister(3).draw(2 * count).reshape(-1, 2)
        np.testing.assert_array_equal(MersenneTwister(3).draw64(count), pairs[:, 0] << np.uint64(32) | pairs[:, 1])
    assert MersenneTwister(3).random64() == int(MersenneTwister(3).draw64(1)[0])
    assert MersenneTwister(3).double() == MersenneTwister(3).doubles(1)[0]


def test_state_has_pytorchs_bytes() -> None:
    generator = MersenneTwister(2**40 + 3)
    assert _digest(generator.get_state()) == "2c29770cead0313882e5e3ead01694d133487c2f16dd57857ac98213bff291eb"
    generator.manual_seed(123)
    s.normal(generator, 3)
    assert _digest(generator.get_state()) == "58972a30826f169967ba0d00ac53610a129bf403268b5092ef0592a1534f4e84"


@pytest.mark.parametrize("before", [0, 1, 5, 623, 624, 625, 2000])
def test_state_round_trip(before: int) -> None:
    generator = MersenneTwister(9)
    generator.draw(before)
    s.normal(generator, 1)
    state = generator.get_state()
    other, third = MersenneTwister(1), generator.clone()
    other.set_state(state)
    expected = s.normal(generator, 5)
    np.testing.assert_array_equal(s.normal(other, 5), expected)
    np.testing.assert_array_equal(s.normal(third, 5), expected)
    np.testing.assert_array_equal(other.get_state(), generator.get_state())
    assert other.initial_seed() == third.initial_seed() == 9


def _damaged(offset: int, value: int) -> Any:
    state = MersenneTwister(7).get_state()
    state[offset] = value
    return state


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (np.zeros(10, np.uint8), RuntimeError),
        (np.zeros(5056, np.float32), TypeError),
        (np.zeros(5056, np.uint8), RuntimeError),
        (_damaged(12, 0), RuntimeError),  # never seeded
        (_damaged(8, 5), RuntimeError),  # 5 left of 624 unused
        (_damaged(16, 9), RuntimeError),
        (_damaged(23, 0x80), RuntimeError),
    ],
)
def test_what_is_not_a_state_changes_nothing(state: Any, error: type[Exception]) -> None:
    generator = MersenneTwister(7)
    with pytest.raises(error):
        generator.set_state(state)
    np.testing.assert_array_equal(generator.get_state(), MersenneTwister(7).get_state())


def test_upper_bound_is_not_reached() -> None:
    values = s.uniform(MersenneTwister(0), 100000, 1000.0, 1000.0005)
    assert values.min() == 1000.0 and values.max() < np.float32(1000.0005)


def test_every_permutation_route_is_a_permutation() -> None:
    for n in (0, 1, 2, 600, 601, 65536, 65537):
        np.testing.assert_array_equal(np.sort(s.randperm(MersenneTwister(n), n)), np.arange(n))


def test_joint_swaps_are_the_swaps_one_by_one() -> None:
    for n in (1, 2, 3, 50, 3000):
        steps = [MersenneTwister(n).random() % (n - i) for i in range(n - 1)]
        places = np.array([i + step for i, step in enumerate(steps)] + [n - 1])
        one_by_one = random_integers._swap_one_by_one(places.tolist())
        np.testing.assert_array_equal(random_integers._swap_together(places), one_by_one)


def test_permutation_with_wide_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_integers, "_WIDE_PERMUTATION", 10)
    order, generator = [0] * 3000, MersenneTwister(4)
    for i in range(3000):
        z = generator.random64() % (i + 1)
        order[i] = order[z]
        order[z] = i
    np.testing.assert_array_equal(s.randperm(MersenneTwister(4), 3000), order)


def test_dropout_of_none_and_of_all_draws_nothing() -> None:
    generator = MersenneTwister(7)
    assert s.dropout_mask(generator, 3, 0.0).tolist() == [1.0, 1.0, 1.0]
    assert s.dropout_mask(generator, 3, 1.0).tolist() == [0.0, 0.0, 0.0]
    assert generator.random() == MersenneTwister(7).random()


def test_shapes_and_types() -> None:
    generator = MersenneTwister(0)
    for name in ("float16", "float32", "float64"):
        for function in (s.uniform, s.normal, s.exponential, s.cauchy, s.log_normal, s.bernoulli, s.dropout_mask):
            out = function(generator, (2, 0, 3), dtype=name)
            assert out.shape == (2, 0, 3) and out.dtype == name
            assert function(generator, (), dtype=name).shape == ()
    assert s.multinomial(generator, np.ones((3, 5)), 2).shape == (3, 2)
    assert s.multinomial(generator, np.ones((0, 5)), 2).shape == (0, 2)


def test_bfloat16_numbers_are_rounded_float32_numbers() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    bfloat16 = np.dtype(ml_dtypes.bfloat16)
    wide = s.normal(MersenneTwister(5), 32)
    np.testing.assert_array_equal(s.normal(MersenneTwister(5), 32, dtype="bfloat16"), wide.astype(bfloat16))
    values = s.uniform(MersenneTwister(5), 5000, dtype="bfloat16").astype(np.float32)
    assert values.max() < 1.0  # what rounds to 1 becomes 0, as in PyTorch


def test_memory_order() -> None:
    assert s.memory_order((2, 3, 4), (12, 4, 1)) == (0, 1, 2)
    assert s.memory_order((3, 4, 2), (4, 1, 12)) == (2, 0, 1)


# ---- beside PyTorch


def _check_beside(torch: Any, generator: MersenneTwister, got: Any, expected: Any) -> None:
    np.testing.assert_array_equal(got, expected.numpy())
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_sizes_beside_pytorch(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    kind, generator = getattr(torch, dtype), MersenneTwister(3)
    torch.manual_seed(3)
    for n in [*range(40), 100, 623, 624, 625, 1000, 16384, 50001]:
        _check_beside(torch, generator, s.normal(generator, n, dtype=dtype), torch.randn(n, dtype=kind))
        _check_beside(torch, generator, s.uniform(generator, n, dtype=dtype), torch.rand(n, dtype=kind))
        _check_beside(torch, generator, s.uniform(generator, n, -0.3, 0.1, dtype),
                      torch.empty(n, dtype=kind).uniform_(-0.3, 0.1))  # fmt: skip
        _check_beside(torch, generator, s.normal(generator, n, -0.3, 0.1, dtype),
                      torch.empty(n, dtype=kind).normal_(-0.3, 0.1))  # fmt: skip
        _check_beside(torch, generator, s.bernoulli(generator, n, 0.3, dtype),
                      torch.empty(n, dtype=kind).bernoulli_(0.3))  # fmt: skip
        _check_beside(torch, generator, s.exponential(generator, n, 1.5, dtype),
                      torch.empty(n, dtype=kind).exponential_(1.5))  # fmt: skip


def test_integers_beside_pytorch() -> None:
    torch = pytest.importorskip("torch")
    generator = MersenneTwister(3)
    torch.manual_seed(3)
    for n in [*range(20), 600, 601, 5000, 65537]:
        _check_beside(torch, generator, s.randperm(generator, n), torch.randperm(n))
    for low, high in ((0, 2), (-5, 5), (0, 2**28 - 1), (0, 2**28), (-(2**62), 2**62)):
        _check_beside(torch, generator, s.randint(generator, (7, 9), low, high), torch.randint(low, high, (7, 9)))


def test_state_goes_both_ways() -> None:
    torch = pytest.importorskip("torch")
    generator, theirs = MersenneTwister(5), torch.Generator()
    for before in (0, 7, 624, 700):
        generator.manual_seed(before).draw(before)
        theirs.set_state(torch.from_numpy(generator.get_state()))
        np.testing.assert_array_equal(s.normal(generator, 9), torch.randn(9, generator=theirs).numpy())
        generator.manual_seed(0)
        generator.set_state(theirs.get_state().numpy())
        np.testing.assert_array_equal(s.normal(generator, 3), torch.randn(3, generator=theirs).numpy())


def test_fill_order_beside_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for axes in ((0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1)):
        target = torch.empty(3, 4, 5).permute(axes)
        torch.manual_seed(1)
        target.uniform_()
        order = s.memory_order(target.shape, target.stride())
        values = s.uniform(MersenneTwister(1), [target.shape[a] for a in order])
        np.testing.assert_array_equal(target.numpy().transpose(order), values)
