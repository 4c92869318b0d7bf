"""Positional numbers that PyTorch took in its early days and still takes with a warning: `exp_avg.add_(1 - beta, grad)`
for `add_(grad, alpha=1 - beta)`. Optimizers from papers are full of them.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from rushlight.core.caller import stacklevel
from rushlight.record.value import Tensor

_warned = False


def warn_of_old_overload(name: str, given: str, wanted: str) -> None:
    """Says once that `name(given)` is to be written as `name(wanted)`."""
    global _warned
    if _warned:
        return
    _warned = True
    callers = {sys._getframe(depth).f_code.co_name for depth in (2, 3)}
    called = name + "_" if "written" in callers else name  # an in-place form is its function, called by `in_place`'s
    warnings.warn(
        f"This overload of {called} is deprecated:\n\t{called}({given})\n"
        f"Consider using one of the following signatures instead:\n\t{called}({wanted})",
        UserWarning,
        stacklevel=stacklevel(),
    )


def numbers_first(name: str, factors: tuple[str, str], *given: Any) -> tuple[Any, ...]:
    """`(input, x, y, beta, alpha)` of `addmm(beta, input, alpha, x, y)`, with or without `alpha`, or of the method's
    `input.addmm(beta, alpha, x, y)`; `factors` are PyTorch's names of x and y."""
    method = isinstance(given[0], Tensor)
    tensors = [t for t in given if isinstance(t, Tensor)]
    numbers = [n for n in given if not isinstance(n, Tensor)]
    if len(tensors) != 3 or not 1 <= len(numbers) <= 2:
        raise TypeError(f"{name}() takes 3 tensors and the keywords beta and alpha, but {len(given)} positional "
                        "arguments were given")  # fmt: skip
    first, out = ("", "") if method else ("Tensor input, ", ", Tensor out = None")
    products = f"Tensor {factors[0]}, Tensor {factors[1]}"
    scale = "Number alpha, " if len(numbers) == 2 else ""
    old = f"Number beta, {first}{scale}{products}" + (", *" + out if out else "")
    warn_of_old_overload(name, old, f"{first}{products}, *, Number beta = 1, Number alpha = 1{out}")
    return (*tensors, numbers[0], numbers[1] if len(numbers) == 2 else 1)
