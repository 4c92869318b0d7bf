"""`torch.jit`: annotations for TorchScript's compiler, which there is none of here; functions and modules come back as
they are and run as Python. TorchScript files can be neither written nor read: `save` and `load` say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from rushlight.core.missing import missing
from rushlight.futures import Future
from rushlight.nn import Module

__all__ = [
    "Attribute", "Error", "Final", "Future", "annotate", "enable_onednn_fusion", "export", "fork", "freeze", "ignore",
    "interface", "is_scripting", "is_tracing", "isinstance", "load", "onednn_fusion_enabled", "ScriptFunction",
    "ScriptModule", "optimize_for_inference", "optimized_execution", "save", "script", "script_if_tracing",
    "script_method", "set_fusion_strategy", "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip

F = TypeVar("F")
_builtin_isinstance = isinstance


def script(obj: F, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> F:
    """The function, class or module as it is.

    >>> script(len)([1, 2])
    2
    """
    return obj


def trace(func: F, example_inputs: Any = None, *args: Any, **kwargs: Any) -> F:
    """The function or module as it is: control flow stays, where a trace of PyTorch's would keep one way through it."""
    return func


def _as_it_is(fn: F) -> F:
    """The function as it is."""
    return fn


export = unused = script_if_tracing = script_method = interface = _overload = _overload_method = _as_it_is


def trace_module(mod: F, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> F:
    """The module as it is."""
    return mod


class Attribute(NamedTuple):
    """A value and the type that TorchScript shall know it by."""

    value: Any
    type: Any


class Error(RuntimeError):
    """What TorchScript raises: never here, but programs catch it."""


class ScriptModule(Module):
    """A base class of old programs' modules, whose `@script_method`s run as Python. `script` makes none of these."""


class ScriptFunction:
    """For `isinstance`: `script` and `trace` give back plain functions, so nothing is one."""


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function as it is; called with options, a decorator."""
    return drop if callable(drop) else _as_it_is


def freeze(mod: F, preserved_attrs: Any = None, optimize_numerics: bool = True) -> F:
    """The module as it is."""
    return mod


def optimize_for_inference(mod: F, other_methods: Any = None) -> F:
    """The module as it is."""
    return mod


def annotate(the_type: Any, the_value: F) -> F:
    """The value."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's, for types that it knows."""
    return _builtin_isinstance(obj, target_type)


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """Calls the function at once; `wait` gives its result, or raises what it raised."""
    future: Future[Any] = Future()
    try:
        future.set_result(func(*args, **kwargs))
    except Exception as failure:
        future.set_exception(failure)
    return future


def wait(future: Future[Any]) -> Any:
    """The result of a `fork`."""
    return future.wait()


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """Changes nothing."""
    yield


@contextmanager
def strict_fusion() -> Iterator[None]:
    """Changes nothing."""
    yield


_fusion: dict[str, Any] = {"onednn": False, "strategy": []}


def enable_onednn_fusion(enabled: bool) -> None:
    """Accepted."""
    _fusion["onednn"] = bool(enabled)


def onednn_fusion_enabled() -> bool:
    """What `enable_onednn_fusion` was told."""
    return bool(_fusion["onednn"])


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Accepted; gives what it was told before."""
    before: list[tuple[str, int]] = _fusion["strategy"]
    _fusion["strategy"] = strategy
    return before


def save(m: Any, f: Any, _extra_files: Any = None) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError("torch.jit.save: Rushlight cannot write TorchScript files; torch.save the state_dict")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch.jit.load: TorchScript files hold programs, which Rushlight does not read; torch.load a state_dict"
    )


for _refusing in (save, load):
    _refusing.__dict__["absent_from_rushlight"] = True

__getattr__ = missing(__name__)
