"""Writes what type checkers and editors see of the names that tables hold: torch's and F's functions, Tensor's methods.

    python benchmarks/type_stubs.py

The functions are written one by one, beside their operations, but reach `torch` and `Tensor` through tables
(`ops/public.py`), which nothing that only reads the source can follow. So their signatures are written down in stubs:
`rushlight/__init__.pyi`, `rushlight/nn/functional.pyi` and `rushlight/record/tensor_methods.pyi`. A name that is newer
than the stubs is Any until this is run again. `tests/test_type_stubs.py` holds the stubs beside the functions.
"""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import rushlight
from rushlight.core.dtype import NAMES as DTYPES
from rushlight.ops.public import NUMPY_NAMES
from rushlight.tensor import FUNCTIONAL, FUNCTIONS, TYPES, Tensor

PACKAGE = Path(rushlight.__file__).parent
# Words that annotations may use; what has another in it is Any. Names that `torch` has, too, are builtins' here.
KNOWN = {"Any", "None", "Tensor", "Callable", "Sequence", "tuple", "list", "dict", "str", "np", "ndarray"}
BUILTINS = {"int", "float", "bool", "complex"}

HEAD = '''"""{what} Written by benchmarks/type_stubs.py."""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

'''


def annotation(found: Any) -> str:
    """An annotation as it may stand in a stub."""
    if found is inspect.Parameter.empty or not isinstance(found, str):
        return "Any"
    words = set(re.findall(r"\w+", found))
    if found == "NoReturn" or not words <= KNOWN | BUILTINS:
        return "Any"
    return re.sub(rf"\b({'|'.join(BUILTINS)})\b", r"builtins.\1", found)


def parameters(f: Callable[..., Any]) -> Iterator[str]:
    """The parameters of a function, and what `ops.public` has it take besides: `out`, `axis` and `keepdims`."""
    kinds = inspect.Parameter
    found = inspect.signature(f).parameters
    more = [theirs for theirs, ours in NUMPY_NAMES.items() if ours in found and theirs not in found]
    if f.__code__.co_name == "accepting_out":
        more.append("out")
    values = list(found.values())
    keywords = [p for p in values if p.kind is kinds.KEYWORD_ONLY]
    rest = [p for p in values if p.kind is kinds.VAR_KEYWORD]
    starred = any(p.kind is kinds.VAR_POSITIONAL for p in values)
    for p in values:
        if p not in keywords and p not in rest:
            yield _parameter(p)
    if (keywords or more) and not starred:
        yield "*"
    yield from map(_parameter, keywords)
    yield from (f"{name}: Any = ..." for name in more)
    yield from map(_parameter, rest)


def _parameter(p: inspect.Parameter) -> str:
    star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    default = "" if p.default is p.empty else " = ..."
    return f"{star}{p.name}: {annotation(p.annotation)}{default}"


def function(name: str, f: Callable[..., Any], indent: str = "") -> str:
    """One function's lines."""
    returns = annotation(inspect.signature(f).return_annotation)
    written_in_place = name.endswith("_")  # the name says it, and the other form says the rest
    summary = "" if written_in_place else (f.__doc__ or "").strip().partition("\n")[0].replace("\\", "\\\\")
    body = f'\n{indent}    r"""{summary}"""\n' if summary else " ...\n"
    return f"{indent}def {name}({', '.join(parameters(f))}) -> {returns}:{body}"


def functions(table: Mapping[str, Callable[..., Any]]) -> str:
    """A table of functions, by name."""
    return "".join(function(name, f) for name, f in sorted(table.items()) if _is_name(name) and hasattr(f, "__code__"))


def _is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def torch_stub() -> str:
    """`rushlight/__init__.pyi`: modules and classes by where they are defined, dtypes, functions."""
    lines = [HEAD.format(what="The names of `torch`.")]
    for name in sorted(set(dir(rushlight)) - set(FUNCTIONS) - set(DTYPES) - set(TYPES) - {"torch"}):
        if _is_name(name) and (not name.startswith("_") or name in ("__version__",)):
            lines.append(_where(name, getattr(rushlight, name, None)))
    lines += [f"{name}: dtype\n" for name in sorted(DTYPES)] + [f"{name}: Any\n" for name in sorted(TYPES)]
    shared = {name for name, f in FUNCTIONS.items() if FUNCTIONAL.get(name) is f}
    lines += [f"from rushlight.nn.functional import {name} as {name}\n" for name in sorted(shared)]
    rest = {name: f for name, f in FUNCTIONS.items() if name not in shared}
    return "".join([*lines, functions(rest), GETATTR])


GETATTR = "\ndef __getattr__(name: str) -> Any: ...\n"


def _where(name: str, value: Any) -> str:
    """The line that says what `torch.<name>` is."""
    if isinstance(value, ModuleType):
        home, _, last = value.__name__.rpartition(".")
        return f"from {home} import {last} as {name}\n"
    home = getattr(value, "__module__", "")
    if isinstance(value, type) or inspect.isfunction(value):
        defined = getattr(inspect.getmodule(value), value.__name__, None) is value and home.startswith("rushlight.")
        return f"from {home} import {value.__name__} as {name}\n" if defined else f"{name}: Any\n"
    kind = f"builtins.{type(value).__name__}" if type(value).__name__ in BUILTINS | {"str"} else "Any"
    return f"{name}: {kind}\n"


def functional_stub() -> str:
    """`rushlight/nn/functional.pyi`."""
    head = HEAD.format(what="The names of `torch.nn.functional`.")
    return head + "from rushlight.record.value import Tensor\n\n" + functions(FUNCTIONAL) + GETATTR


def methods_stub() -> str:
    """`rushlight/record/tensor_methods.pyi`: what the floors above hang on Tensor."""
    head = HEAD.format(what="The methods of Tensor, which the floors above `record` hang on it.")
    lines = [head, "from .own_attributes import TensorBase\nfrom .value import Tensor\n\n"]
    lines.append("class TensorMethods(TensorBase):\n")
    for name, found in sorted(vars(Tensor).items()):
        if not _is_name(name) or name.startswith("_"):
            continue
        if isinstance(found, property) and found.fset is None:
            returns = annotation(inspect.signature(found.fget).return_annotation) if found.fget else "Any"
            lines.append(f"    @property\n    def {name}(self) -> {returns}: ...\n")
        elif inspect.isfunction(found):
            lines.append(_method(name, found))
    return "".join(lines)


def _method(name: str, f: Callable[..., Any]) -> str:
    text = function(name, f, "    ")
    return re.sub(rf"^(    def {name}\()\w+: [^,)=]*", r"\1self", text, count=1)


def main() -> None:
    for path, text in (
        ("__init__.pyi", torch_stub()),
        ("nn/functional.pyi", functional_stub()),
        ("record/tensor_methods.pyi", methods_stub()),
    ):
        (PACKAGE / path).write_text(text)


if __name__ == "__main__":
    main()
