"""torch.fx: programs as graphs of PyTorch's own kind, which are not made here: operations are recorded, not modules.

Libraries mark functions with `wrap` and ask whether something is a `Proxy` or a `GraphModule` without ever tracing;
that works. `symbolic_trace` and the classes that would trace say that they are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from rushlight.core.missing import missing
from rushlight.nn import Module

__all__ = ["Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "symbolic_trace", "wrap"]

F = TypeVar("F", bound=Callable[..., Any] | str)


def wrap(fn_or_name: F) -> F:
    """The function, or its name, as it is: a tracer would take calls of it as one node.

    >>> wrap(len) is len
    True
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    return fn_or_name


def is_fx_tracing() -> bool:
    """False."""
    return False


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError(
        "torch.fx: Rushlight makes no graphs of modules; use forward hooks to look at what modules give, or "
        "rushlight.explain to see the recorded operations"
    )


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse()


class Proxy:
    """For `isinstance`: nothing is traced, so nothing is one."""

    __init__ = _refuse


class Node:
    """For `isinstance`: there are no graphs, so no nodes of them."""

    __init__ = _refuse


class Graph:
    """A graph of PyTorch's kind, of which there are none."""

    __init__ = _refuse


class GraphModule(Module):
    """For `isinstance`: there are no graphs to make modules of."""

    __init__ = _refuse


class Tracer:
    """A base class of libraries' tracers; it cannot trace."""

    trace = _refuse

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
        """Whether a tracer would take the module as one node: PyTorch's own layers."""
        return type(m).__module__.startswith(("torch.nn", "rushlight.nn"))


class Interpreter:
    """A base class of libraries' interpreters of graphs, of which there are none."""

    __init__ = _refuse


class Transformer(Interpreter):
    """A base class of libraries' transformers of graphs, of which there are none."""


for _refusing in (symbolic_trace, Graph, Interpreter, Transformer, GraphModule, Tracer):
    setattr(_refusing, "absent_from_rushlight", True)  # noqa: B010 - a class or a function

__getattr__ = missing(__name__)
