"""`torch.compile` and `torch.compiler`: accepted, with nothing more to do, for every program is recorded and compiled
as it runs. A compiled module is wrapped as PyTorch wraps it, so that its state_dict has PyTorch's keys (`_orig_mod.`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.autograd.grad_mode import _Mode
from rushlight.codegen.background import at_once
from rushlight.core.missing import missing
from rushlight.nn import Module
from rushlight.tensor import FUNCTIONS, Tensor
from rushlight.utils._pytree import tree_map

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable",
    "get_default_backend", "is_compiling", "is_dynamo_compiling", "is_exporting", "keep_portable_guards_unsafe",
    "keep_tensor_guards_unsafe", "list_backends", "load_cache_artifacts", "nested_compile_region", "reset",
    "save_cache_artifacts", "set_default_backend", "set_enable_guard_collectives", "set_stance",
    "skip_all_guards_unsafe", "skip_guard_on_all_nn_modules_unsafe", "skip_guard_on_globals_unsafe",
    "skip_guard_on_inbuilt_nn_modules_unsafe", "substitute_in_graph", "wrap_numpy",
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


MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


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

    The next programs of the process, 64 of them, are compiled when they first run, not when they have repeated; what is
    another program every time is compiled no further. The options are checked and change nothing.

    Raises RuntimeError where both `mode` and `options` are given, AssertionError for what cannot be called.

    >>> compile(len)([1, 2])
    2
    """
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda model: compile(model, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
                                     options=options, disable=disable)  # fmt: skip
    if mode is not None and mode not in MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(MODES)}")
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
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


# ---------------------------------------------------------------------------------------------------------------------
# Switches of PyTorch's compiler


class set_stance(_Mode):
    """When PyTorch would compile and when not: a function, a context or a decorator. Accepted, and changes nothing.

    Raises RuntimeError for a stance that PyTorch does not know.
    """

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None
    ) -> None:
        if stance not in _STANCES:
            raise RuntimeError(f"invalid torch.compile stance '{stance}'")
        self.stance = stance

    def clone(self) -> set_stance:
        return self.__class__(self.stance)

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *_: object) -> None:
        """Nothing changes."""


_STANCES = ("default", "force_eager", "eager_on_recompile", "eager_then_compile", "fail_on_recompile",
            "aot_eager_then_compile")  # fmt: skip
_settings: dict[str, Any] = {"backend": "inductor", "collectives": False}


def set_default_backend(backend: Any) -> None:
    """Sets what `get_default_backend` says; None stands for "inductor"."""
    _settings["backend"] = "inductor" if backend is None else backend


def get_default_backend() -> Any:
    """What `set_default_backend` was told."""
    return _settings["backend"]


def set_enable_guard_collectives(enabled: bool) -> bool:
    """Accepted; gives what it was told before."""
    before, _settings["collectives"] = _settings["collectives"], bool(enabled)
    return bool(before)


def nested_compile_region(fn: Any = None, **options: Any) -> Any:
    """The function as it is; without one, a decorator."""
    return fn if fn is not None else lambda fn: fn


def substitute_in_graph(original_fn: Any, **options: Any) -> Any:
    """A decorator that gives the function as it is: the original goes on to be called."""
    return allow_in_graph


def wrap_numpy(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors that calls one of NumPy arrays; no gradients pass through it.

    >>> wrap_numpy(lambda a: a[::-1].copy())(torch.tensor([1, 2]))
    tensor([2, 1])
    """

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(lambda x: x.numpy() if isinstance(x, Tensor) else x, (args, kwargs))
        return tree_map(lambda x: FUNCTIONS["as_tensor"](x) if isinstance(x, np.ndarray) else x, fn(*args, **kwargs))

    return wrapped


def save_cache_artifacts() -> None:
    """None: what was compiled lies in $RUSHLIGHT_CACHE."""


def load_cache_artifacts(serialized_artifacts: bytes) -> None:
    """None: there are none of PyTorch's."""


def skip_all_guards_unsafe(guard_entries: Any) -> list[bool]:
    """False for each guard of PyTorch's compiler; there are none here."""
    return [False for _ in guard_entries]


skip_guard_on_all_nn_modules_unsafe = skip_guard_on_globals_unsafe = skip_all_guards_unsafe
skip_guard_on_inbuilt_nn_modules_unsafe = keep_portable_guards_unsafe = skip_all_guards_unsafe


def keep_tensor_guards_unsafe(guard_entries: Any, keep_parameters: bool = False) -> list[bool]:
    """False for each guard of PyTorch's compiler; there are none here."""
    return skip_all_guards_unsafe(guard_entries)


__getattr__ = missing(__name__)
