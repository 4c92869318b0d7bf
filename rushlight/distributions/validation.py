"""Whether values satisfy a constraint, found out at little cost: each check that is read computes what is pending.

So the constraints of all parameters are recorded before the first is read, and values that are there are looked at
beside the running trace, which stays whole.
"""

from __future__ import annotations

from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.record.aside import aside, is_computed
from rushlight.record.trace import recorder
from rushlight.tensor import Tensor


def holds(constraint: Any, value: Tensor) -> Any:
    """Whether all of the value satisfies the constraint: True or False, or a tensor that says so when it is read."""
    if isinstance(value, Tensor) and is_computed(value) and _is_plain(constraint) and not recorder().hold:
        with aside():
            return bool(constraint.check(value).all())
    with torch.no_grad():
        return constraint.check(value).all()


def _is_plain(constraint: Any) -> bool:
    """Whether it is one of ours, whose bounds are numbers."""
    if type(constraint).__module__ != constraints.__name__:
        return False
    return all(
        _is_plain(x) if isinstance(x, constraints.Constraint) else isinstance(x, (int, float, str))
        for x in vars(constraint).values()
    )
