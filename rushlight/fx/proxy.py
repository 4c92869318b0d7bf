"""Stand-ins for tensors while a program is traced: whatever is done with one becomes a node of the graph.

Rushlight's functions record tensors and know no stand-ins. While a program is traced, the names that it finds in
`torch`, `torch.nn.functional` and so on are others, which look for stand-ins among their arguments (`watching`).
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from rushlight.fx.node import Node, functions, map_aggregate

__all__ = ["Proxy", "TraceError", "wrap", "watching"]

WRAPPED: set[tuple[str, str]] = {
    ("rushlight.vision.ops.dropping", name) for name in ("stochastic_depth", "drop_block2d", "drop_block3d")
}
"""Functions, by module and name, that are one node each though they are none of Rushlight's operations."""


class TraceError(ValueError):
    """What is raised where a program asks a stand-in for numbers."""


class Proxy:
    """The result of a node.

    Attributes:
        node: the node.
        tracer: who writes down what is done with it.
    """

    def __init__(self, node: Node, tracer: Any) -> None:
        self.node, self.tracer = node, tracer

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Attribute(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Any:
        frame = sys._getframe(1)
        code = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2]
        import opcode

        if code and opcode.opname[code[0]] == "UNPACK_SEQUENCE":  # a, b = x
            return (self.tracer.create_proxy("call_function", operator.getitem, (self, i), {}) for i in range(code[1]))
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as a *args or "
            "**kwargs function argument. See the torch.fx docs on pytorch.org for a more detailed explanation of what "
            "types of control flow can be traced, and check out the Proxy docstring for help troubleshooting Proxy "
            "iteration errors"
        )

    def __bool__(self) -> bool:
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be recorded, please call "
            "torch.fx.wrap('len') at module scope"
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("'Proxy' object does not support item assignment")


class Attribute(Proxy):
    """Something after a dot: a method when it is called, otherwise an attribute, which becomes a node when used."""

    def __init__(self, root: Proxy, name: str) -> None:
        self.root, self.attr, self.tracer = root, name, root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The node that looks the attribute up."""
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


def _operator(function: Callable[..., Any], reflected: bool = False) -> Callable[..., Any]:
    def apply(self: Proxy, *others: Any) -> Any:
        args = (*others, self) if reflected else (self, *others)
        return self.tracer.create_proxy("call_function", function, args, {})

    return apply


for _name in "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift".split():
    _function = getattr(operator, _name)
    setattr(Proxy, f"__{_name.rstrip('_')}__", _operator(_function))
    setattr(Proxy, f"__r{_name.rstrip('_')}__", _operator(_function, reflected=True))
for _name in "lt le gt ge eq ne neg pos invert getitem abs".split():
    setattr(Proxy, f"__{_name}__", _operator(abs if _name == "abs" else getattr(operator, _name)))
Proxy.__hash__ = object.__hash__  # type: ignore[method-assign]


def wrap(fn_or_name: Any) -> Any:
    """Makes calls of a function one node each; given a function, or the name of one, at a module's outside."""
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    frame = sys._getframe(1)
    if frame.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    WRAPPED.add((frame.f_globals["__name__"], name))
    return fn_or_name


def _first_proxy(args: Any) -> Proxy | None:
    found: list[Proxy] = []
    map_aggregate(args, lambda part: found.append(part) if isinstance(part, Proxy) else None)
    return found[0] if found else None


def _watched(function: Callable[..., Any], path: str | None = None) -> Callable[..., Any]:
    """The function, but a node where there are stand-ins among its arguments."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        proxy = _first_proxy((args, kwargs))
        if proxy is None:
            return function(*args, **kwargs)
        result = proxy.tracer.create_proxy("call_function", function, args, kwargs)
        result.node._path = path
        return result

    return call


@contextmanager
def watching() -> Iterator[None]:
    """Inside, Rushlight's functions and the wrapped ones look for stand-ins among their arguments."""
    changed: list[tuple[dict[str, Any], str, Any, str | None]] = list(functions())
    for module, name in WRAPPED:
        names = vars(sys.modules[module]) if module in sys.modules else {}
        if name in names:
            changed.append((names, name, names[name], None))
    try:
        for names, name, value, path in changed:
            names[name] = _watched(value, path)
        yield
    finally:
        for names, name, value, _ in changed:
            names[name] = value
