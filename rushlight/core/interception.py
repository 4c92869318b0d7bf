"""Functions that ask somebody else first, while they are asked to.

A program's modes (`torch.overrides`, `torch.utils._python_dispatch`) want to see every call of Rushlight's functions,
by whatever name the program has got hold of them. Asking at each call would cost every program. So a function is left
as it is until a mode is entered; then its code, and not the function, is exchanged for code that asks. The function
stays the same object: a program's tables of functions still find it. Afterwards its own code is put back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Interception"]

_HERE = 0.5  # stands in the asking code for whoever is asked
Hook = Callable[..., Any]  # (the function, its twin that asks nobody, args, kwargs) -> result


def _asking(*args: Any, **kwargs: Any) -> Any:
    asked: Any = 0.5
    return asked(args, kwargs)


def _code_that_asks(f: FunctionType, asked: Callable[..., Any]) -> CodeType:
    """Code for a function like `f`, with room for the same captured names: Python exchanges no other."""
    code = _asking.__code__
    constants = tuple(asked if c == _HERE else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_freevars=f.__code__.co_freevars, co_name=f.__name__)


def _twin(f: FunctionType) -> FunctionType:
    """The same function as another object, which keeps its code."""
    twin = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__ = f.__kwdefaults__
    return twin


class Interception:
    """Functions whose calls go to a hook between `begin` and `end`, which may be nested; in all threads.

    Args:
        functions: gives the functions and the hook of each; called once, when the first mode is entered.

    >>> def double(x): return 2 * x
    >>> seen = Interception(lambda: [(double, lambda f, twin, args, kwargs: (f is double, twin(*args)))])
    >>> seen.begin(); found = double(4); seen.end(); found, double(4)
    ((True, 8), 8)
    """

    def __init__(self, functions: Callable[[], Iterable[tuple[Any, Hook]]]) -> None:
        self._functions = functions
        self._codes: list[tuple[FunctionType, CodeType, CodeType]] | None = None  # the function, its own code, asking
        self._depth = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """The functions ask from now on."""
        with self._lock:
            if self._codes is None:
                self._codes = self._prepared()
            self._depth += 1
            if self._depth == 1:
                for f, _, asking in self._codes:
                    f.__code__ = asking

    def end(self) -> None:
        """They ask no longer, if every `begin` has had its `end`."""
        with self._lock:
            self._depth -= 1
            if not self._depth:
                for f, own, _ in self._codes or ():
                    f.__code__ = own

    def _prepared(self) -> list[tuple[FunctionType, CodeType, CodeType]]:
        found: dict[int, tuple[FunctionType, CodeType, CodeType]] = {}
        for f, hook in self._functions():
            if id(f) not in found and isinstance(f, FunctionType):
                twin = _twin(f)
                found[id(f)] = f, f.__code__, _code_that_asks(f, _asked(f, twin, hook))
        return list(found.values())


def _asked(f: FunctionType, twin: FunctionType, hook: Hook) -> Callable[..., Any]:
    return lambda args, kwargs: hook(f, twin, args, kwargs)
