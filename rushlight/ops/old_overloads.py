"""Positional numbers that PyTorch took in its early days and still takes with a warning: `exp_avg.add_(1 - beta, grad)`
for `add_(grad, alpha=1 - beta)`. Optimizers from papers are full of them.
"""

from __future__ import annotations

import sys
import warnings

from rushlight.core.caller import stacklevel

_warned = False


def warn_of_old_overload(name: str, given: str, wanted: str) -> None:
    """Says once that `name(given)` is to be written as `name(wanted)`."""
    global _warned
    if _warned:
        return
    _warned = True
    caller = sys._getframe(2).f_code.co_name  # an in-place form is its function, called by `in_place`'s
    called = name + "_" if caller == "written" else name
    warnings.warn(
        f"This overload of {called} is deprecated:\n\t{called}({given})\n"
        f"Consider using one of the following signatures instead:\n\t{called}({wanted})",
        UserWarning,
        stacklevel=stacklevel(),
    )
