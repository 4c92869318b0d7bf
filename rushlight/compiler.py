"""`torch.compile` and `torch.compiler`: accepted, with nothing more to do, for every program is recorded and compiled
as it runs. A compiled module is wrapped as PyTorch wraps it, so that its state_dict has PyTorch's keys (`_orig_mod.`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.codegen.background import at_once
from rushlight.core.missing import missing
from rushlight.nn import Module

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "list_backends", "reset",
]  # fmt: skip


class OptimizedModule(Module):
    """A module that `torch.compile` was given: calls and attributes go to it (`_orig_mod`)."""

    def __init__(self, mod: Module) -> None:
        super().__init__()
        self._orig_mod = mod
        self.train(mod.training)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module answers."""
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return super().__getattr__(name)
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._orig_mod, name)


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable[..., Any] = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """The function as it is, the module as an `OptimizedModule`; without `model`, a decorator.

    From now on every program of the process is compiled when it first runs, not when it has repeated. The options are
    checked and change nothing.

    Raises RuntimeError where both `mode` and `options` are given, TypeError for what cannot be called.

    >>> compile(len)([1, 2])
    2
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda model: compile(model, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
                                     options=options, disable=disable)  # fmt: skip
    if not callable(model):
        raise TypeError(f"torch.compile takes a function or a module, got {type(model).__name__}")
    if disable:
        return model
    at_once()
    return OptimizedModule(model) if isinstance(model, Module) else model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function as it is; without one, a decorator."""
    return fn if fn is not None else lambda fn: fn


def allow_in_graph(fn: Any) -> Any:
    """The function as it is."""
    return fn


assume_constant_result = allow_in_graph


def reset() -> None:
    """Nothing to forget."""


def cudagraph_mark_step_begin() -> None:
    """Nothing to mark."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The names of backends that a program may give; all mean the same here."""
    return ["inductor"]


def is_compiling() -> bool:
    """False: a program never sees itself being compiled."""
    return False


is_dynamo_compiling = is_exporting = is_compiling

__getattr__ = missing(__name__)
