"""The table of operations: for each one how it is called, on what, and what NumPy says it should give.

A module of this package holds the rows of one family, as a list `CASES` of `Case`s or a list `ROWS` of tuples `(name,
call, operands, options)`. `tests/test_operations.py` drives everything from them: forward, first and second
derivative, dtypes, views, in-place form, `out=`, and both ways of running.
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One operation on one choice of operands.

    Attributes:
        name: unique; what stands before the first blank is the function's name: `"add [broadcast]"` calls `torch.add`.
        call: `(torch, *tensors) -> tensor(s)`; None calls that function with the operands and `args`, `kwargs`.
        operands: for each a shape (random numbers of the `domain`), or an array taken as it is.
        reference: `(*float64 arrays) -> array(s)`, or the array(s); None: only the other properties are checked.
        domain: random operands are uniform in this range; None: standard normal.
        gradient: whether the derivative is checked, against finite differences in float64.
        second: whether the second derivative is checked too.
        floats: whether half precision, bfloat16 and double give results of their own dtype.
        dtypes: further dtypes of the operands, and the result's: `{"int64": "float32", "bool": None}`; None: it raises.
        views: whether operands with other strides give the same numbers (they do not where strides are the subject).
        pytorch: whether PyTorch gives the same numbers and gradients; where not, the row says why.
        inplace: the in-place form: True (`x.name_(others)`), or a call.
        out: whether `out=` works: True (`torch.name(operands, out=)`), or a call `(torch, out, *tensors)`.
    """

    name: str
    call: Callable[..., Any] | None
    operands: Sequence[Any]
    reference: Any = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    domain: tuple[float, float] | None = None
    gradient: bool = True
    second: bool = True
    floats: bool = True
    dtypes: Mapping[str, str | None] = field(default_factory=dict)
    inplace: Any = False
    out: Any = False
    views: bool = True
    pytorch: bool = True
    rtol: float = 1e-5
    atol: float = 1e-5

    @property
    def function(self) -> str:
        """The function's dotted name below `torch`."""
        return self.name.split(" ")[0].split("[")[0]

    @property
    def has_floats(self) -> bool:
        """Whether an operand can have a gradient."""
        return any(isinstance(o, tuple) or np.asarray(o).dtype.kind in "fc" for o in self.operands)

    def run(self, torch: Any, *tensors: Any) -> Any:
        """Calls the operation."""
        if self.call is not None:
            return self.call(torch, *tensors, *self.args, **self.kwargs)
        return resolve(torch, self.function)(*tensors, *self.args, **self.kwargs)

    def run_in_place(self, torch: Any, *tensors: Any) -> Any:
        """Calls the in-place form on the first tensor."""
        if self.inplace is not True:
            return self.inplace(torch, *tensors)
        method = getattr(tensors[0], self.function.rpartition(".")[2] + "_")
        return method(*tensors[1:], *self.args, **self.kwargs)

    def run_out(self, torch: Any, out: Any, *tensors: Any) -> Any:
        """Calls it with `out=`."""
        if self.out is not True:
            return self.out(torch, out, *tensors)
        return resolve(torch, self.function)(*tensors, *self.args, **self.kwargs, out=out)

    def arrays(self) -> list[np.ndarray]:
        """The operands in double precision (whole numbers and bools as they are); the same at every call."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [self._array(o, rng) for o in self.operands]

    def _array(self, operand: Any, rng: np.random.Generator) -> np.ndarray:
        if not isinstance(operand, tuple):
            found = np.array(operand)
            return found.astype("float64") if found.dtype.kind == "f" else found
        if self.domain is None:
            return rng.standard_normal(operand)
        return rng.uniform(*self.domain, size=operand)


def resolve(torch: Any, dotted: str) -> Any:
    """`torch.linalg.det` from "linalg.det"; the method, as a function, where torch has no such function."""
    found = torch
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found if found is not None else getattr(torch.Tensor, dotted)


def flat(result: Any) -> list[Any]:
    """All tensors in a result."""
    if isinstance(result, (list, tuple)):
        return [t for part in result for t in flat(part)]
    return [result]


def all_cases() -> list[Case]:
    """The rows of all families, in order."""
    cases: list[Case] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        family = importlib.import_module(f"{__name__}.{module}")
        cases += getattr(family, "CASES", [])
        for name, call, operands, *options in getattr(family, "ROWS", []):
            cases.append(Case(name, call, operands, **(options[0] if options else {})))
    names = [c.name for c in cases]
    repeated = {n for n in names if names.count(n) > 1}
    if repeated:
        raise ValueError(f"the table has two rows called {sorted(repeated)}")
    return cases
