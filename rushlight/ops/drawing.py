"""Draws as recorded operations: random numbers inside a program, in the stream's order.

A draw in the middle of a recording is recorded: an operation on the engine's state, which runs when the program does
and changes the state as it goes (`Operation.effects`).  Whoever else wants the engine (a seed, its state, a draw that
is not recorded here) gets it from `Generator.engine`, which first has the program run.

Made at once, to enter the program as an input does, are numbers for which nothing is recorded yet; a few numbers, which
are likely to be looked at (`if torch.rand(1) < p`); those of the less common dtypes; and draws whose arguments are
refused.  Either way the numbers come from `core.sampling`, and are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import sampling
from rushlight.core.dtype import NAMES
from rushlight.core.generator import Generator, chosen, engine_of
from rushlight.core.memory import told
from rushlight.core.mersenne import Cells, MersenneTwister
from rushlight.core.normal import BLOCK
from rushlight.record import trace
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.value import Tensor, tensor_of, value_holding

from .creation import full_like_spec, wrap

Shape = tuple[int, ...]

STATE = spec_of((625,), NAMES["int32"])
RECORDED = ("float32", "float64", "bool")
FEW = 16  # numbers
UNIT_FILLINGS = {np.dtype(np.float32): "uniform32", np.dtype(np.float64): "uniform64"}
LIMIT = 1e30  # of bounds, means and deviations: beyond, the checks of `core.sampling` may have something to say


def _spec(state: Spec, *numbers: Spec, shape: Shape, kind: str, **_: Any) -> Spec:
    return spec_of(shape, NAMES[kind])


def _draw(name: str, kernel: Callable[..., np.ndarray], lower: Callable[..., Any]) -> Operation:
    made = operation(name, _spec, kernel, exact=True, aliases=False)
    made.effects = True
    made.lower = lower
    return made


def _uniform(state: Cells, low: float, high: float, *, shape: Shape, kind: str) -> np.ndarray:
    return sampling.uniform(state.engine, shape, low, high, kind)


def _uniform_in_code(state: Any, low: Any, high: Any, *, shape: Shape, kind: str) -> Any:
    bottom, top = low.astype(NAMES[kind].numpy), high.astype(NAMES[kind].numpy)
    return state.drawn("uniform32" if kind == "float32" else "uniform64", shape, NAMES[kind].numpy,
                       bottom, top - bottom, top)  # fmt: skip


def _normal(state: Cells, mean: float, std: float, *, shape: Shape, kind: str) -> np.ndarray:
    return sampling.normal(state.engine, shape, mean, std, kind)


def _normal_in_code(state: Any, mean: Any, std: Any, *, shape: Shape, kind: str) -> Any:
    from rushlight.codegen.capture import NotLowered

    if kind != "float32" or math.prod(shape) < BLOCK:
        raise NotLowered("normal numbers of float64, or fewer than 16")
    return state.drawn("normals32", shape, np.float32, mean, std)


def _chosen_in_code(state: Any, p: Any, shape: Shape) -> Any:
    """Whether each of the 53-bit draws is below p."""
    return state.drawn("chosen8", shape, np.bool_, np.ceil(p * 2.0**53))


def _bernoulli(state: Cells, p: float, *, shape: Shape, kind: str) -> np.ndarray:
    return sampling.bernoulli(state.engine, shape, p, kind)


def _bernoulli_in_code(state: Any, p: Any, *, shape: Shape, kind: str) -> Any:
    return _chosen_in_code(state, p, shape).astype(NAMES[kind].numpy)


def _bernoulli_of(state: Cells, p: np.ndarray, *, shape: Shape, kind: str) -> np.ndarray:
    return sampling.bernoulli_of(state.engine, p, kind)


def _bernoulli_of_in_code(state: Any, p: Any, *, shape: Shape, kind: str) -> Any:
    from rushlight.codegen.capture import NotLowered

    if p.dtype not in UNIT_FILLINGS:
        raise NotLowered(f"chances of {p.dtype}")
    unit = state.drawn(UNIT_FILLINGS[p.dtype], shape, p.dtype, 0.0, 1.0, 1.0)
    inside = np.logical_and(np.greater_equal(p, 0), np.less_equal(p, 1))
    return np.where(np.less(unit, p.provided(inside)), 1, 0).astype(NAMES[kind].numpy)


def _dropout(state: Cells, p: float, *, shape: Shape, kind: str) -> np.ndarray:
    return sampling.dropout_mask(state.engine, shape, p, kind)


def _dropout_in_code(state: Any, p: Any, *, shape: Shape, kind: str) -> Any:
    kept = 1.0 - p
    scale = NAMES[kind].numpy.type(1.0) / kept.astype(NAMES[kind].numpy)
    return np.where(_chosen_in_code(state, kept, shape), scale, 0.0)


def _other(state: Cells, *, name: str, arguments: tuple[Any, ...], shape: Shape, kind: str) -> np.ndarray:
    return OTHERS[name](state.engine, shape, kind, *arguments)


def _other_in_code(state: Any, *, name: str, arguments: tuple[Any, ...], shape: Shape, kind: str) -> Any:
    from rushlight.codegen.capture import NotLowered

    raise NotLowered(f"no machine code for {name}")


OTHERS: dict[str, Callable[..., np.ndarray]] = {
    "randint": lambda engine, shape, kind, low, high: sampling.randint(engine, shape, low, high, kind),
    "randperm": lambda engine, shape, kind: sampling.randperm(engine, shape[0], kind),
    "exponential": lambda engine, shape, kind, rate: sampling.exponential(engine, shape, rate, kind),
}
UNIFORM = _draw("draw_uniform", _uniform, _uniform_in_code)
NORMAL = _draw("draw_normal", _normal, _normal_in_code)
BERNOULLI = _draw("draw_bernoulli", _bernoulli, _bernoulli_in_code)
BERNOULLI_OF = _draw("bernoulli", _bernoulli_of, _bernoulli_of_in_code)
BERNOULLI_OF.gradient(p=lambda g: full_like_spec(g._value.spec, 0))
DROPOUT = _draw("draw_dropout", _dropout, _dropout_in_code)
OTHER = _draw("draw", _other, _other_in_code)


# ---------------------------------------------------------------------------------------------------------------------
# Recording


def _recorded(draw: Operation, generator: Generator | None, shape: Shape, kind: str, *numbers: float) -> Tensor | None:
    """The draw recorded, if it is one to record."""
    if not _is_recordable(generator, shape, kind):
        return None
    engine = chosen(generator).unsettled
    return trace.apply(draw, (_state_of(engine), *map(float, numbers)), (shape, kind))  # type: ignore[no-any-return]


def _is_recordable(generator: Generator | None, shape: Shape, kind: str) -> bool:
    if not trace.recorder().trace.values or kind not in RECORDED or 0 in shape:
        return False
    return math.prod(shape) >= FEW or is_pending(generator)


def _state_of(engine: MersenneTwister) -> Tensor:
    """The engine's state as the recorder knows it.

    One thread at a time has draws pending: what another has recorded is drawn first.
    """
    if engine.recorded is None:
        engine.recorded = tensor_of(value_holding(engine.cells(), STATE))
    pending = engine.recorded._value.trace
    if pending is not None and pending.recorder is not trace.recorder() and pending is pending.recorder.trace:
        pending.recorder.flush()
    return engine.recorded  # type: ignore[no-any-return]


def is_pending(generator: Generator | None) -> bool:
    """Whether this thread has recorded a draw from the engine that has not been made yet."""
    recorded = chosen(generator).unsettled.recorded
    return recorded is not None and recorded._value.trace is trace.recorder().trace


def _at_once(draw: Any, generator: Generator | None, *arguments: Any) -> Tensor:
    """A draw that is not recorded."""
    try:
        return wrap(draw(engine_of(generator), *arguments))
    except MemoryError as failure:
        raise told(failure) from failure


def uniform(generator: Generator | None, shape: Shape, low: float, high: float, kind: str) -> Tensor:
    """Uniform numbers in [low, high)."""
    plain = -LIMIT < low <= high < LIMIT and kind != "bool"
    drawn = _recorded(UNIFORM, generator, shape, kind, low, high) if plain else None
    return drawn if drawn is not None else _at_once(sampling.uniform, generator, shape, low, high, kind)


def normal(generator: Generator | None, shape: Shape, mean: float, std: float, kind: str) -> Tensor:
    """Normal numbers, as in memory without gaps in the order of the indices."""
    plain = 0.0 <= std < LIMIT and -LIMIT < mean < LIMIT and kind != "bool"
    drawn = _recorded(NORMAL, generator, shape, kind, mean, std) if plain else None
    return drawn if drawn is not None else _at_once(sampling.normal, generator, shape, mean, std, kind)


def bernoulli(generator: Generator | None, shape: Shape, p: float, kind: str) -> Tensor:
    """1 with probability p, else 0."""
    drawn = _recorded(BERNOULLI, generator, shape, kind, p) if 0.0 <= p <= 1.0 else None
    return drawn if drawn is not None else _at_once(sampling.bernoulli, generator, shape, p, kind)


def bernoulli_of(generator: Generator | None, p: Tensor) -> Tensor:
    """1 with the probability that stands in each place of `p`, else 0; the slope is zero."""
    spec = trace.settle(p).spec
    kind = spec.dtype.name
    plain = spec.is_contiguous and kind in ("float32", "float64")
    tracked = p._node is not None and trace.recorder().tracking
    if plain and (tracked or _is_recordable(generator, spec.shape, kind)):
        state = _state_of(chosen(generator).unsettled)
        return trace.apply(BERNOULLI_OF, (state, p), (spec.shape, kind))  # type: ignore[no-any-return]
    return _at_once(sampling.bernoulli_of, generator, trace.realize(p))


def dropout_mask(shape: Shape, p: float, kind: str) -> Tensor:
    """0 with probability p, else 1 / (1 - p)."""
    drawn = _recorded(DROPOUT, None, shape, kind, p) if 0.0 < p < 1.0 else None
    return drawn if drawn is not None else _at_once(sampling.dropout_mask, None, shape, p, kind)


def randint(generator: Generator | None, shape: Shape, low: int, high: int, kind: str) -> Tensor:
    """Integers in [low, high)."""
    plain = kind == "int64" and -(1 << 62) < low < high < 1 << 62
    drawn = _beside("randint", generator, shape, kind, low, high) if plain else None
    return drawn if drawn is not None else _at_once(sampling.randint, generator, shape, low, high, kind)


def randperm(generator: Generator | None, n: int, kind: str) -> Tensor:
    """The integers 0 to n - 1 in random order."""
    drawn = _beside("randperm", generator, (n,), kind) if kind == "int64" and n > 0 else None
    return drawn if drawn is not None else _at_once(sampling.randperm, generator, n, kind)


def exponential(generator: Generator | None, shape: Shape, rate: float, kind: str) -> Tensor:
    """Exponential numbers with mean 1 / rate."""
    plain = kind in ("float32", "float64") and 0.0 < rate < LIMIT
    drawn = _beside("exponential", generator, shape, kind, float(rate)) if plain else None
    return drawn if drawn is not None else _at_once(sampling.exponential, generator, shape, rate, kind)


def _beside(name: str, generator: Generator | None, shape: Shape, kind: str, *arguments: Any) -> Tensor | None:
    """A draw without machine code, recorded where others are pending: so these need not be made for its sake."""
    if not is_pending(generator) or 0 in shape:
        return None
    state = _state_of(chosen(generator).unsettled)
    return trace.apply(OTHER, (state,), (name, arguments, shape, kind))  # type: ignore[no-any-return]
