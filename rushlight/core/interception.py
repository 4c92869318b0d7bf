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
Hook = Callable[..., Any]  # (the function, what it does without this hook, args, kwargs) -> result


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
    twin.__kwdefaults__, twin.__annotations__ = f.__kwdefaults__, f.__annotations__
    return twin


class Interception:
    """Functions whose calls go through hooks while there are any; in all threads.

    Args:
        functions: gives the functions; called once, when the first hook comes.

    >>> def double(x): return 2 * x
    >>> seen = Interception(lambda: [double])
    >>> def hook(f, inner, args, kwargs): return f is double, inner(*args)
    >>> seen.begin(hook); found = double(4); seen.end(hook); found, double(4)
    ((True, 8), 8)
    """

    def __init__(self, functions: Callable[[], Iterable[Any]]) -> None:
        self._functions = functions
        self._codes: list[tuple[FunctionType, FunctionType, CodeType]] | None = None  # the function, its twin, asking
        self._hooks: tuple[Hook, ...] = ()  # the outermost first
        self._counts: dict[Hook, int] = {}
        self._lock = threading.Lock()

    def begin(self, hook: Hook, innermost: bool = False) -> None:
        """Calls go through the hook from now on, outside or inside of the hooks that are there; may be nested."""
        with self._lock:
            self._counts[hook] = self._counts.get(hook, 0) + 1
            if self._counts[hook] > 1:
                return
            if self._codes is None:
                self._codes = self._prepared()
            first = not self._hooks
            self._hooks = (*self._hooks, hook) if innermost else (hook, *self._hooks)
            if first:
                for f, twin, asking in self._codes:
                    f.__code__ = asking
                    f.__dict__.setdefault("__wrapped__", twin)  # where `inspect` finds the signature

    def end(self, hook: Hook) -> None:
        """They do so no longer, if every `begin` of the hook has had its `end`."""
        with self._lock:
            self._counts[hook] -= 1
            if self._counts[hook]:
                return
            self._hooks = tuple(h for h in self._hooks if h is not hook)
            if not self._hooks:
                for f, twin, _ in self._codes or ():
                    f.__code__ = twin.__code__
                    if f.__dict__.get("__wrapped__") is twin:
                        del f.__dict__["__wrapped__"]

    def is_on(self, hook: Hook) -> bool:
        """Whether calls go through the hook."""
        return hook in self._hooks

    def _prepared(self) -> list[tuple[FunctionType, FunctionType, CodeType]]:
        found: dict[int, tuple[FunctionType, FunctionType, CodeType]] = {}
        for f in self._functions():
            if id(f) not in found and isinstance(f, FunctionType):
                twin = _twin(f)
                found[id(f)] = f, twin, _code_that_asks(f, self._asked(f, twin))
        return list(found.values())

    def _asked(self, f: FunctionType, twin: FunctionType) -> Callable[..., Any]:
        def ask(args: Any, kwargs: Any) -> Any:
            call: Callable[..., Any] = twin
            for hook in reversed(self._hooks):
                call = _through(hook, f, call)
            return call(*args, **kwargs)

        return ask


def _through(hook: Hook, f: FunctionType, inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: hook(f, inner, args, kwargs)
