"""The two-loop recursion of L-BFGS: a gradient times the inverse Hessian that pairs of steps suggest.

It is one operation, for its hundreds of products of vectors are a chain, each too small to be worth a place in the
recording.
"""

from __future__ import annotations

import numpy as np

from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of


def _two_loop_specs(grad: Spec, scale: Spec, *pairs: Spec) -> tuple[Spec, ...]:
    return spec_of(grad.shape, grad.dtype), spec_of((len(pairs) // 3,), grad.dtype)


def _two_loop(grad: np.ndarray, scale: np.ndarray, *pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-H grad (Nocedal & Wright, Numerical Optimization, algorithm 7.4), and the factors of its first loop.

    `pairs` are the changes of the gradient, those of the parameters, and 1 / (one dot the other), the oldest first;
    H is `scale` times the identity before the first pair.
    """
    count = len(pairs) // 3
    changes, moves, inverses = pairs[:count], pairs[count : 2 * count], pairs[2 * count :]
    direction, factors = -grad, np.empty(count, grad.dtype)
    for i in reversed(range(count)):
        factors[i] = moves[i].dot(direction) * inverses[i]
        direction -= changes[i] * factors[i]
    direction *= scale
    for i in range(count):
        direction += moves[i] * (factors[i] - changes[i].dot(direction) * inverses[i])
    return direction, factors


TWO_LOOP = operation("two_loop", _two_loop_specs, _two_loop, compute=lambda grad, *rest: grad.dtype)
