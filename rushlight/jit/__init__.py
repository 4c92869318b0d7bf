"""`torch.jit`: annotations for TorchScript's compiler, which there is none of here: functions come back as they are,
and modules as `ScriptModule`s (`scripted.py`) that run as Python. `save` and `load` keep a module's graph of calls and
its parameters in a file of Rushlight's own (`archive.py`); TorchScript's files are refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, NamedTuple, TypeVar

from rushlight.core.missing import missing
from rushlight.futures import Future
from rushlight.jit.scripted import RecursiveScriptModule, ScriptModule, scripted
from rushlight.nn import Module

__all__ = [
    "Attribute", "Error", "Final", "Future", "annotate", "enable_onednn_fusion", "export", "fork", "freeze", "ignore",
    "interface", "is_scripting", "is_tracing", "isinstance", "load", "onednn_fusion_enabled", "ScriptFunction",
    "RecursiveScriptModule", "ScriptModule", "TracerWarning", "optimize_for_inference", "optimized_execution", "save",
    "script", "script_if_tracing", "script_method", "set_fusion_strategy", "strict_fusion", "trace", "trace_module",
    "unused", "wait",
]  # fmt: skip

F = TypeVar("F")
_builtin_isinstance = isinstance


def script(obj: F, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> F:
    """The function or class as it is, a module as a `ScriptModule` of the same parameters.

    >>> script(len)([1, 2])
    2
    """
    given: Any = obj
    return scripted(given) if _builtin_isinstance(given, Module) else given


def trace(func: F, example_inputs: Any = None, *args: Any, **kwargs: Any) -> F:
    """As `script`: control flow stays, where a trace of PyTorch's would keep one way through it."""
    return script(func)


def _as_it_is(fn: F) -> F:
    """The function as it is."""
    return fn


export = unused = script_if_tracing = script_method = interface = _overload = _overload_method = _as_it_is


def trace_module(mod: F, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> F:
    """As `script`."""
    return script(mod)


class Attribute(NamedTuple):
    """A value and the type that TorchScript shall know it by."""

    value: Any
    type: Any


class Error(RuntimeError):
    """What TorchScript raises: never here, but programs catch it."""


class TracerWarning(Warning):
    """What PyTorch's tracer warns with: never here, but programs filter it."""


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


def save(m: Module, f: str | os.PathLike[str] | IO[bytes], _extra_files: dict[str, Any] | None = None) -> None:
    """Writes a module, as a graph of calls with its parameters and buffers, for `load`.

    The graph is `torch.fx`'s. What forward does is written once for training and once for `eval()`.

    Args:
        m: the module, scripted or not.
        f: a path or an open file.
        _extra_files: texts or bytes that are written beside it, by name.

    Raises:
        NotImplementedError: forward cannot be traced (it asks for numbers, or for the number of dimensions), or calls
            something that is neither a function of `torch` nor a layer of `torch.nn`.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU())), file)
    >>> _ = file.seek(0)
    >>> torch.jit.load(file)(torch.tensor([[[-1.0, 2.0]]]))
    tensor([[0., 2.]])
    """
    from rushlight.jit.archive import save

    save(m, f, _extra_files)


def load(
    f: str | os.PathLike[str] | IO[bytes], map_location: Any = None, _extra_files: dict[str, Any] | None = None,
    _restore_shapes: bool = False,
) -> RecursiveScriptModule:  # fmt: skip
    """Reads what `save` has written. Nothing of the file is run as code: it names functions of `torch` and layers.

    Args:
        f: a path or an open file.
        map_location: as `torch.load`'s.
        _extra_files: its keys are the names of the files that are wanted; their contents, bytes, are put there.

    Raises:
        FileNotFoundError: there is no such file.
        NotImplementedError: it was written by PyTorch: such files hold programs, which Rushlight does not read.
        RuntimeError: it is no file of `save`'s.
    """
    from rushlight.jit.archive import load

    return load(f, map_location, _extra_files)


__getattr__ = missing(__name__)
