"""torch._dynamo: the workshop of `torch.compile`. Programs reset and configure it in passing; nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import reduce
from typing import Any

from rushlight.compiler import OptimizedModule, allow_in_graph, compile, disable, is_compiling, reset
from rushlight.core.missing import missing

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable", "graph_break",
           "is_compiling", "is_dynamo_supported", "mark_dynamic", "mark_static", "optimize", "patched", "reset",
           "reset_code_caches"]  # fmt: skip


@contextmanager
def patched(settings: Any, changes: Any, named: dict[str, Any]) -> Iterator[None]:
    """Other values for some of an object's attributes inside a `with` block; "a.b" is attribute b of attribute a.

    Raises AttributeError for one that is not there.
    """
    given = {**(changes if isinstance(changes, dict) else {}), **named}
    places = [(reduce(getattr, path.split(".")[:-1], settings), path.split(".")[-1]) for path in given]
    before = [getattr(owner, name) for owner, name in places]
    for (owner, name), value in zip(places, given.values(), strict=True):
        setattr(owner, name, value)
    try:
        yield
    finally:
        for (owner, name), value in zip(places, before, strict=True):
            setattr(owner, name, value)


class _Config:
    """Settings of a compiler that is not there: they are remembered."""

    cache_size_limit = recompile_limit = 8
    suppress_errors = verbose = capture_scalar_outputs = capture_dynamic_output_shape_ops = False
    automatic_dynamic_shapes = optimize_ddp = True

    def patch(self, changes: Any = None, **named: Any) -> AbstractContextManager[None]:
        """The settings inside a `with` block: a dict of them, or keyword arguments."""
        return patched(self, changes, named)


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
reset_code_caches = reset

__getattr__ = missing(__name__, {"eval_frame": "rushlight._dynamo"})
