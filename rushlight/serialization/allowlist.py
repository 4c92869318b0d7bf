"""Which globals a checkpoint may name: the tables of `builders.py`, and what the program itself has declared safe.

`resolve` turns a name of the file into an object without importing anything of the program's: a name that is in no
table must be a class or function that `add_safe_globals` was given, a named tuple of a module that is loaded already
(built without calling its class), or a result type such as `torch.return_types.max`.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any

from rushlight.core.missing import pytorch_path, rushlight_path
from rushlight.ops.results import TYPES as RESULT_TYPES

from .builders import GLOBALS, UNSUPPORTED

Safe = Callable[..., Any] | tuple[Callable[..., Any], str]

_safe: list[Safe] = []

_HELP = (
    "Check the documentation of torch.load to learn more about types accepted by default with weights_only "
    "https://pytorch.org/docs/stable/generated/torch.load.html."
)


def add_safe_globals(safe_globals: list[Safe]) -> None:
    """Declares classes and functions that files may call when they are loaded.

    They run with what the file gives them: name only what is harmless with any argument. A tuple `(class, "a.b.Name")`
    gives the name that the file has for it.
    """
    for entry in safe_globals:
        _name_and_object(entry)
    _safe.extend(entry for entry in safe_globals if entry not in _safe)


def get_safe_globals() -> list[Safe]:
    """What `add_safe_globals` was given so far."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Takes all declarations back."""
    _safe.clear()


class safe_globals:
    """Declares classes and functions safe inside a `with` block.

    >>> with torch.serialization.safe_globals([dict]):
    ...     torch.serialization.get_safe_globals()
    [<class 'dict'>]
    """

    def __init__(self, safe_globals: list[Safe]) -> None:
        self.safe_globals = safe_globals
        self.before: list[Safe] = []

    def __enter__(self) -> None:
        self.before = list(_safe)
        add_safe_globals(self.safe_globals)

    def __exit__(self, *_: object) -> None:
        _safe[:] = self.before


def _name_and_object(entry: Safe) -> tuple[str, Any]:
    if isinstance(entry, tuple):
        if len(entry) != 2 or not isinstance(entry[1], str):
            raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), but got tuple {entry}")
        return entry[1], entry[0]
    if not callable(entry) or not hasattr(entry, "__qualname__"):
        raise TypeError(f"add_safe_globals takes classes and functions, not {type(entry).__name__}")
    return f"{pytorch_path(entry.__module__)}.{entry.__qualname__}", entry


def trusted() -> tuple[dict[str, Any], list[Any]]:
    """The declared objects, by name and as such."""
    pairs = [_name_and_object(entry) for entry in _safe]
    return dict(pairs), [found for _, found in pairs]


def resolve(module: str, name: str) -> Any:
    """The object that a file means by a global; raises UnpicklingError for one that is not allowed."""
    known = GLOBALS.get((module, name))
    if known is not None:
        return known
    names, objects = trusted()
    full = f"{module}.{name}"
    if full in names:
        return names[full]
    if module == "torch.return_types" and name in RESULT_TYPES:
        return RESULT_TYPES[name]
    found = _of_ours(module, name) if objects else None
    if found is not None and any(found is o for o in objects):
        return found
    found = _named_tuple(module, name)
    if found is None:
        raise not_allowed(module, name)
    return found


#: Where classes of ours lie that a program may declare safe, under PyTorch's names.
_OURS = re.compile(r"torch\.(nn|optim|utils\.data)(\.[a-z][a-z0-9_]*)*|torchvision(\.[a-z][a-z0-9_]*)*")


def _of_ours(module: str, name: str) -> Any:
    """A name of PyTorch's that is one of ours too; only these modules of Rushlight itself are imported for it."""
    if _OURS.fullmatch(module) and name.isidentifier():
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(rushlight_path(module)), name)
    return None


def _named_tuple(module: str, name: str) -> Any:
    """A class of a module that the program has loaded, if it is a named tuple."""
    loaded = sys.modules.get(module)
    found = vars(loaded).get(name) if loaded is not None and "." not in name else None
    return found if is_named_tuple(found) else None


def is_named_tuple(kind: Any) -> bool:
    """Whether a class is a tuple with named fields."""
    return isinstance(kind, type) and type(kind) is type and issubclass(kind, tuple) and hasattr(kind, "_fields")


def not_allowed(module: str, name: str) -> UnpicklingError:
    """PyTorch's error for a global that files may not name, and what to do."""
    full = f"{module}.{name}"[:200]
    if module == "torch._utils" and name in UNSUPPORTED:
        return UnpicklingError(f"{full}: the file holds {UNSUPPORTED[name]}. Rushlight has no such tensors yet.")
    return UnpicklingError(
        f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
        f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` context "
        "manager to allowlist this global if you trust this class/function. Rushlight never runs code from a file, "
        "with weights_only=False either. If the file holds a whole module, load it in the program that defines its "
        "class, save model.state_dict() there, and here build the model and call its load_state_dict(torch.load(...))."
        f"\n\n{_HELP}"
    )


def unknown_globals(found: Iterator[tuple[str, str]]) -> list[str]:
    """Those of the given globals that would be refused, each once."""
    unknown: list[str] = []
    for module, name in found:
        try:
            resolve(module, name)
        except UnpicklingError:
            if f"{module}.{name}" not in unknown:
                unknown.append(f"{module}.{name}")
    return unknown
