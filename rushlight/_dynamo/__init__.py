"""torch._dynamo: the workshop of `torch.compile`. Programs reset and configure it in passing; nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rushlight.compiler import OptimizedModule, allow_in_graph, compile, disable, is_compiling, reset
from rushlight.core.missing import missing

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "graph_break",
           "is_compiling", "is_dynamo_supported", "mark_dynamic", "mark_static", "optimize", "reset"]  # fmt: skip


class _Config:
    """Settings of a compiler that is not there: they are remembered."""

    cache_size_limit = recompile_limit = 8
    suppress_errors = verbose = capture_scalar_outputs = capture_dynamic_output_shape_ops = False
    automatic_dynamic_shapes = optimize_ddp = True

    @contextmanager
    def patch(self, changes: Any = None, **named: Any) -> Iterator[None]:
        """The settings inside a `with` block; a name and its value, a dict of them, or keyword arguments."""
        given = {**(changes if isinstance(changes, dict) else {}), **named}
        before = {name: getattr(self, name) for name in given}
        self.__dict__.update(given)
        try:
            yield
        finally:
            self.__dict__.update(before)


config = _Config()


def optimize(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """A decorator that does what `torch.compile` does."""
    return lambda model: compile(model)


def graph_break(msg: str = "") -> None:
    """Nothing to break."""


def assume_constant_result(fn: Any) -> Any:
    """The function as it is."""
    return fn


def is_dynamo_supported() -> bool:
    """True: `torch.compile` can be called."""
    return True


def mark_dynamic(t: Any, index: Any, **_: Any) -> None:
    """Accepted: shapes are never fixed."""


mark_static = mark_dynamic

__getattr__ = missing(__name__, {"eval_frame": "rushlight._dynamo"})
