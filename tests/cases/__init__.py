"""Programs with known answers: the cases that PyTorch answered once and Rushlight must answer again.

A case is a small function of the tensor module `t` and of NumPy; it returns observations (numbers, shapes, strides,
names, error messages) as plain data. `tests/make_expected.py` runs the cases on PyTorch and writes
`tests/expected/<group>.json`; `tests/test_aliasing.py` and `tests/test_autograd.py` run them on Rushlight and
compare. A group is one module of this package.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).resolve().parent.parent / "expected"
ALIASING = ("views_table", "view_chains", "inplace", "out_argument", "numpy_bridge", "identity", "lazy_reads")
AUTOGRAD = (
    "grad_engine",
    "grad_inplace",
    "grad_modes",
    "grad_graph",
    "grad_function",
    "grad_functional",
    "grad_formulas",
    "grad_memory",
)


@dataclass(frozen=True)
class Case:
    """One program: its name, the function that runs it, and how near its floats have to come."""

    name: str
    run: Callable[[Any, Any], Any]
    rtol: float
    atol: float


REGISTRY: dict[str, dict[str, Case]] = {}


def case(function: Any = None, *, name: str | None = None, rtol: float = 1e-6, atol: float = 1e-7) -> Any:
    """Register a function `(t, np) -> observations` as a case of the module that defines it."""

    def register(run: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        group = REGISTRY.setdefault(run.__module__.rpartition(".")[2], {})
        key = name or run.__name__
        if key in group:
            raise ValueError(f"two cases are called {key}")
        group[key] = Case(key, run, rtol, atol)
        return run

    return register if function is None else register(function)


def load(groups: tuple[str, ...]) -> dict[str, Case]:
    """Import the case modules of `groups`; return every case under the name `group.case`."""
    for group in groups:
        importlib.import_module(f"cases.{group}")
    return {f"{group}.{key}": found for group in groups for key, found in REGISTRY[group].items()}


def expected(groups: tuple[str, ...]) -> dict[str, Any]:
    """PyTorch's answers for `groups`, under the same names as `load` gives."""
    files = {group: json.loads((EXPECTED / f"{group}.json").read_text()) for group in groups}
    return {f"{group}.{key}": answer for group, answers in files.items() for key, answer in answers.items()}


def observe(found: Case, t: Any, np: Any) -> Any:
    """Run a case and turn what it returns into JSON's types (through JSON's own text, so that both sides agree)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return json.loads(json.dumps(plain(found.run(t, np))))


def plain(value: Any) -> Any:
    """`value` in JSON's types: tensors and arrays as lists, dtypes by name, what JSON lacks as tagged text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, complex):
        return {"re": plain(value.real), "im": plain(value.imag)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if type(value).__name__ in ("dtype", "device", "layout", "memory_format"):
        return str(value).rpartition(".")[2]
    if hasattr(value, "tolist"):
        return plain((value.detach() if hasattr(value, "detach") else value).tolist())
    raise TypeError(f"a case returned {type(value).__name__}, which is not plain data")


def differences(got: Any, want: Any, rtol: float, atol: float, at: str = "") -> list[str]:
    """Where `got` is not `want`: one line for each place, floats compared within the tolerances."""
    if isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        pairs = [(f"{at}[{i}]", g, w) for i, (g, w) in enumerate(zip(got, want, strict=True))]
    elif isinstance(want, dict) and isinstance(got, dict) and got.keys() == want.keys():
        pairs = [(f"{at}.{key}", got[key], want[key]) for key in want]
    elif same(got, want, rtol, atol):
        return []
    else:
        return [f"at {at or 'the top'}: got {got!r}, PyTorch gives {want!r}"]
    return [line for place, g, w in pairs for line in differences(g, w, rtol, atol, place)]


def same(got: Any, want: Any, rtol: float, atol: float) -> bool:
    """Equal in type and value, floats within the tolerances."""
    if type(got) is not type(want):
        return False
    if isinstance(want, float):
        return abs(got - want) <= atol + rtol * abs(want)
    return bool(got == want)


def sentence(message: str) -> str:
    """The first sentence of an error message, without a full stop: programs match on it, the rest may be added to."""
    first = re.split(r"\n|(?<!\.)\.(?=\s|$)| \(Triggered internally", str(message).strip(), maxsplit=1)[0]
    return first.strip().replace("rushlight.", "torch.")


def raises(action: Callable[[], Any]) -> list[Any]:
    """The error that `action` raises, as its type's name and its first sentence; or that there was none."""
    try:
        result = action()
    except Exception as error:
        return [type(error).__name__, sentence(str(error))]
    return ["no error", plain(result)]


def warns(action: Callable[[], Any]) -> list[list[str]]:
    """The warnings that `action` gives: the category's name and the first sentence of each."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        action()
    return [[entry.category.__name__, sentence(str(entry.message))] for entry in seen]


def kind(x: Any) -> str:
    """The dtype of `x` by its bare name, such as `float32`."""
    return str(x.dtype).rpartition(".")[2]


def look(x: Any) -> dict[str, Any]:
    """All there is to see of a tensor: values, shape, strides, offset, dtype, whether it is contiguous."""
    return {
        "values": plain(x),
        "shape": list(x.shape),
        "stride": list(x.stride()),
        "offset": x.storage_offset(),
        "dtype": kind(x),
        "contiguous": x.is_contiguous(),
    }


def layout(x: Any) -> list[Any]:
    """Shape and strides of a tensor, without its values."""
    return [list(x.shape), list(x.stride())]


def shares(x: Any, y: Any) -> bool:
    """Whether two tensors stand on the same storage."""
    return bool(x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr())


def chain(node: Any, limit: int = 12) -> list[Any]:
    """The names of the graph below `node`, depth first, as nested lists."""
    if node is None or limit == 0:
        return [None]
    return [node.name()] + [chain(below, limit - 1) for below, _ in node.next_functions]
