"""One call of a graph: what is called, and with what; arguments that come from other calls are their nodes."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

__all__ = ["Node", "full_name", "map_arg"]

OPS = ("placeholder", "get_attr", "call_function", "call_module", "call_method", "output")


class Node:
    """A node of a `Graph`; made by the graph's methods.

    Attributes:
        op: "placeholder" (an argument), "get_attr" (a parameter), "call_function", "call_module", "call_method" or
            "output".
        target: the argument's name, the path of parameter or module, the function, or the method's name.
        args, kwargs: the call's arguments; nodes among them, also inside lists, tuples, dicts and slices.
        name: the only one of this name in the graph.
        users: the nodes that have this one among their arguments.
        meta: whatever a program wants to remember.
    """

    def __init__(self, graph: Any, name: str, op: str, target: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        if op not in OPS:
            raise AssertionError(f"op '{op}' is not one of {OPS}")
        self.graph, self.name, self.op, self.target = graph, name, op, target
        self.users: dict[Node, None] = {}
        self.meta: dict[str, Any] = {}
        self.type: Any = None
        self._path: str | None = None
        self._args: tuple[Any, ...] = ()
        self._kwargs: dict[str, Any] = {}
        self._set(args, kwargs)

    # ---- arguments

    def _set(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for node in self.all_input_nodes:
            node.users.pop(self, None)
        self._args, self._kwargs = args, kwargs
        for node in self.all_input_nodes:
            node.users[self] = None

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments by place."""
        return self._args

    @args.setter
    def args(self, args: tuple[Any, ...]) -> None:
        self._set(tuple(args), self._kwargs)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by name."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, kwargs: dict[str, Any]) -> None:
        self._set(self._args, dict(kwargs))

    def update_arg(self, idx: int, arg: Any) -> None:
        """Puts another argument in a place."""
        self.args = (*self.args[:idx], arg, *self.args[idx + 1 :])

    def update_kwarg(self, key: str, arg: Any) -> None:
        """Gives an argument of this name another value."""
        self.kwargs = {**self.kwargs, key: arg}

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes among the arguments, each once."""
        return list(dict.fromkeys(_nodes((self._args, self._kwargs))))

    def replace_input_with(self, old_input: Node, new_input: Node) -> None:
        """Takes another node wherever one is among the arguments."""
        args, kwargs = map_arg((self._args, self._kwargs), lambda n: new_input if n is old_input else n)
        self._set(args, kwargs)

    def replace_all_uses_with(
        self, replace_with: Node, delete_user_cb: Callable[[Node], bool] = lambda _: True
    ) -> list[Node]:
        """Lets all users, or those that are chosen, use another node. Returns them."""
        changed = [user for user in self.users if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    # ---- place

    @property
    def next(self) -> Node:
        """The node behind this one; behind the last one, the graph's root."""
        found: Node = self.graph._beside(self, 1)
        return found

    @property
    def prev(self) -> Node:
        """The node before this one."""
        found: Node = self.graph._beside(self, -1)
        return found

    def append(self, x: Node) -> None:
        """Moves a node behind this one."""
        self.graph._move(x, self, 1)

    def prepend(self, x: Node) -> None:
        """Moves a node before this one."""
        self.graph._move(x, self, 0)

    def is_impure(self) -> bool:
        """Whether the node matters although nobody uses it."""
        return self.op in ("placeholder", "output") or getattr(self.target, "__name__", "") == "_assert"

    # ---- text

    def format_node(self) -> str:
        """The node as one line."""
        if self.op == "placeholder":
            default = f"(default={self.args[0]})" if self.args else ""
            kind = f"{type_name(self.type)} " if type_name(self.type) else ""
            return f"%{self.name} : {kind}[num_users={len(self.users)}] = placeholder[target={self.target}]{default}"
        if self.op == "output":
            return f"return {self.args[0]}"
        call = "" if self.op == "get_attr" else f"(args = {_shown(self.args)}, kwargs = {_shown(self.kwargs)})"
        return f"%{self.name} : [num_users={len(self.users)}] = {self.op}[target={self._shown()}]{call}"

    def _shown(self) -> str:
        if self.op != "call_function":
            return str(self.target)
        path = self.path
        return path if "." in path else f"builtins.{path}"

    @property
    def path(self) -> str:
        """How a function is called in a program: "torch.flatten", "operator.add", "getattr"."""
        return self._path or full_name(self.target)

    def __repr__(self) -> str:
        return self.name


def _shown(value: Any) -> str:
    """Arguments as a graph prints them: a % before the names of nodes, texts without quotes."""
    if isinstance(value, Node):
        return f"%{value.name}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in value.items()) + "}"
    return str(value)


def type_name(kind: Any) -> str:
    """How an annotation is written: builtin types and Tensor; nothing for others."""
    name = kind.__name__ if isinstance(kind, type) else ""
    if name == "Tensor":
        return "torch.Tensor"
    return name if name and getattr(builtins, name, None) is kind else ""


NAMESPACES = {
    "rushlight": "torch",
    "rushlight.nn.functional": "torch.nn.functional",
    "rushlight.special": "torch.special",
    "rushlight.linalg": "torch.linalg",
    "rushlight.fft": "torch.fft",
}
"""Where Rushlight's functions are, and what programs call the place."""


def functions() -> list[tuple[dict[str, Any], str, Any, str]]:
    """Rushlight's functions: the names that one is among, its name there, the function, and its path.

    They are looked up each time, for some are replaced later: by autocast, or by a program.
    """
    found = []
    for module, path in NAMESPACES.items():
        names = vars(import_module(module))
        for name, value in names.items():
            if (not name.startswith("_") or name == "_assert") and isinstance(value, FunctionType):
                found.append((names, name, value, f"{path}.{name}"))
    return found


@cache
def _paths() -> dict[Any, str]:
    return {function: path for _, _, function, path in reversed(functions())}


def full_name(function: Any) -> str:
    """How a function is called in a program, as far as the function itself says."""
    path = _paths().get(function) or _paths().get(getattr(function, "__wrapped__", None))
    if path is not None:
        return path
    name: str = function.__name__
    if getattr(builtins, name, None) is function:
        return name
    if getattr(operator, name, None) is function:
        return f"operator.{name}"
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module else name


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _nodes(part)
    elif isinstance(value, slice):
        yield from _nodes((value.start, value.stop, value.step))


def map_arg(value: Any, change: Callable[[Node], Any]) -> Any:
    """The same arguments with each node replaced by what the function makes of it."""
    return map_aggregate(value, lambda part: change(part) if isinstance(part, Node) else part)


def map_aggregate(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same arguments with each part that is no list, tuple, dict or slice replaced."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_aggregate(part, change) for part in value))
    if isinstance(value, list | tuple):
        return type(value)([map_aggregate(part, change) for part in value])
    if isinstance(value, dict):
        return type(value)((key, map_aggregate(part, change)) for key, part in value.items())
    if isinstance(value, slice):
        return slice(*(map_aggregate(part, change) for part in (value.start, value.stop, value.step)))
    return change(value)
