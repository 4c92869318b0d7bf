"""A loop over the places of sequences, with states that go from turn to turn: what a recurrent layer is made of.

`scan` runs a step for every place and keeps everything that it makes: the states after every turn, in *histories* with
one row more than there are places (the first states are there too), and the step's other results, a row for each place.
A step is written in NumPy's functions.  The compiler takes it as the body of one loop.  Without states the turns are
independent, and threads share them; where the samples of a batch go their own ways, threads share these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Arrays = Sequence[Any]
Step = Callable[[Arrays, Arrays, Arrays], tuple[Arrays, Arrays]]
"""(states, elements of the sequences, constants) -> (new states, results)."""


def scan(
    step: Step,
    states: Arrays,
    sequences: Arrays,
    constants: Arrays = (),
    reverse: bool = False,
    keep: bool = True,
    batched: bool = False,
) -> tuple[list[Any], list[Any]]:
    """The histories of the states, and the step's results in every place.

    Args:
        step: the body of the loop; it must not write into its arguments.
        states: what the first turn begins with.
        sequences: arrays with a row for every place, as many in each, and at least one.
        constants: handed to every turn as they are; None is allowed.
        reverse: goes from the last place to the first; the first states then stand in the last row of the histories.
        keep: whether histories are wanted; without them, the last states are returned.
        batched: whether the first dimension of every state, element and result counts samples that never meet: the
            step does the same with any number of them.

    >>> total, half = scan(lambda s, x, c: ((s[0] + x[0],), (x[0] / 2,)), [np.zeros(1)], [np.ones((3, 1))])
    >>> total[0].ravel().tolist(), half[0].ravel().tolist()
    ([0.0, 1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    """
    if not isinstance(sequences[0], np.ndarray):
        return sequences[0].scanned(step, states, sequences, constants, reverse, keep, batched)  # type: ignore[no-any-return]
    count = len(sequences[0])
    histories = [np.empty((count + 1, *s.shape), s.dtype) for s in states]
    results: list[Any] = []
    for history, s in zip(histories, states, strict=True):
        history[count if reverse else 0] = s
    for t in reversed(range(count)) if reverse else range(count):
        before, after = turn(t, reverse)
        new, made = step([h[before] for h in histories], [s[t] for s in sequences], constants)
        for history, s in zip(histories, new, strict=True):
            history[after] = s
        results = results or [np.empty((count, *r.shape), r.dtype) for r in made]
        for result, r in zip(results, made, strict=True):
            result[t] = r
    return (histories if keep else [h[0 if reverse else count] for h in histories]), results


def turn(t: int, reverse: bool) -> tuple[int, int]:
    """The rows of the histories with the states before and after a place."""
    return (t + 1, t) if reverse else (t, t + 1)
