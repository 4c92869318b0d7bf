"""A program as a list of nodes, in the order in which they run, and the Python code that is written from it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rushlight.fx.node import Node, map_arg, type_name

__all__ = ["Graph", "PythonCode"]

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "and_": "&", "or_": "|", "xor": "^",
    "lshift": "<<", "rshift": ">>",
}  # fmt: skip
UNARY = {"neg": "-", "pos": "+", "invert": "~"}


@dataclass
class PythonCode:
    """A function's text, and the names that it needs."""

    src: str
    globals: dict[str, Any]


class Graph:
    """A list of `Node`s. New ones are put at the end, or where `inserting_before` and `inserting_after` say.

    >>> from rushlight.fx import Graph
    >>> graph = Graph()
    >>> x = graph.placeholder("x")
    >>> _ = graph.output(graph.call_method("relu", (x,)))
    >>> print(graph)
    graph():
        %x : [num_users=1] = placeholder[target=x]
        %relu : [num_users=1] = call_method[target=relu](args = (%x,), kwargs = {})
        return relu
    """

    def __init__(self, owning_module: Any = None, tracer_cls: Any = None, tracer_extras: Any = None) -> None:
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._place: int | None = None
        self.owning_module = owning_module
        self._tracer_cls = tracer_cls
        self._root = Node(self, "", "call_function", "root", (), {})

    @property
    def nodes(self) -> _NodeList:
        """The nodes, in order; ``reversed`` works, too."""
        return _NodeList(self)

    def find_nodes(self, *, op: str, target: Any = None, sort: bool = True) -> list[Node]:
        """The nodes of a kind, and of a target if one is given."""
        return [node for node in self._nodes if node.op == op and (target is None or node.target == target)]

    # ---- making nodes

    def create_node(
        self, op: str, target: Any, args: Any = None, kwargs: Any = None, name: str | None = None, type_expr: Any = None
    ) -> Node:
        """A new node; its name is made of ``name``, or of what is called."""
        args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise AssertionError("args must be a tuple and kwargs a dict")
        node = Node(self, self._free_name(name or _candidate(op, target)), op, target, args, kwargs)
        node.type = type_expr
        self._insert(node)
        return node

    def placeholder(self, name: str, type_expr: Any = None, default_value: Any = ...) -> Node:
        """An argument of the program."""
        default = () if default_value is ... else (default_value,)
        return self.create_node("placeholder", name, default, {}, None, type_expr)

    def get_attr(self, qualified_name: str, type_expr: Any = None) -> Node:
        """A parameter or buffer."""
        return self.create_node("get_attr", qualified_name)

    def call_module(self, module_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None) -> Node:
        """A call of a module inside of the owner."""
        return self.create_node("call_module", module_name, args, kwargs)

    def call_function(
        self, the_function: Callable[..., Any], args: Any = None, kwargs: Any = None, type_expr: Any = None
    ) -> Node:
        """A call of a function."""
        return self.create_node("call_function", the_function, args, kwargs)

    def call_method(self, method_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None) -> Node:
        """A call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs)

    def output(self, result: Any, type_expr: Any = None) -> Node:
        """The result of the program."""
        return self.create_node("output", "output", (result,))

    def node_copy(self, node: Node, arg_transform: Callable[[Node], Any] = lambda x: x) -> Node:
        """A copy of another graph's node, with its arguments' nodes replaced."""
        args, kwargs = map_arg((node.args, node.kwargs), arg_transform)
        copied = self.create_node(node.op, node.target, args, kwargs, re.sub(r"_\d+$", "", node.name))
        copied.meta, copied.type, copied._path = dict(node.meta), node.type, node._path
        return copied

    def graph_copy(self, g: Graph, val_map: dict[Node, Node], return_output_node: bool = False) -> Any:
        """Copies of another graph's nodes, entered in ``val_map``. Returns what is to be this graph's output."""
        for node in g._nodes:
            if node in val_map:
                continue
            if node.op == "output":
                found = map_arg(node.args[0], lambda n: val_map[n])
                return (found, node) if return_output_node else found
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def __deepcopy__(self, memo: Any = None) -> Graph:
        copied = Graph(tracer_cls=self._tracer_cls)
        found = copied.graph_copy(self, {}, True)
        if found is not None:
            copied.output(found[0]).meta = dict(found[1].meta)
        return copied

    def _free_name(self, wanted: str) -> str:
        wanted = re.sub(r"\W", "_", wanted)
        wanted = wanted if wanted and not wanted[0].isdigit() else f"_{wanted}"
        name, number = wanted, 0
        base = re.sub(r"_\d+$", "", wanted)
        while name in self._names or keyword.iskeyword(name) or hasattr(builtins, name):
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    # ---- changing

    def _insert(self, node: Node) -> None:
        if self._place is None:
            self._nodes.append(node)
        else:
            self._nodes.insert(self._place, node)
            self._place += 1

    @contextmanager
    def _at(self, place: int) -> Iterator[None]:
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def inserting_before(self, n: Node | None = None) -> Any:
        """New nodes inside of the ``with`` are put before this one, or at the beginning."""
        return self._at(0 if n is None else self._nodes.index(n))

    def inserting_after(self, n: Node | None = None) -> Any:
        """New nodes inside of the ``with`` are put behind this one, or at the end."""
        return self._at(len(self._nodes) if n is None else self._nodes.index(n) + 1)

    def _beside(self, node: Node, step: int) -> Node:
        place = self._nodes.index(node) + step
        return self._nodes[place] if 0 <= place < len(self._nodes) else self._root

    def _move(self, node: Node, beside: Node, step: int) -> None:
        self._nodes.remove(node)
        self._nodes.insert(self._nodes.index(beside) + step, node)

    def erase_node(self, to_erase: Node) -> None:
        """Takes a node away. Raises RuntimeError while somebody uses it."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in the graph: "
                f"{to_erase.users}!"
            )
        to_erase._set((), {})
        self._nodes.remove(to_erase)

    def eliminate_dead_code(self, is_impure_node: Callable[[Node], bool] | None = None) -> bool:
        """Takes away what nobody uses. Returns whether there was anything."""
        kept = is_impure_node or Node.is_impure
        dead = [node for node in reversed(self._nodes) if not kept(node)]
        before = len(self._nodes)
        for node in dead:
            if not node.users:
                self.erase_node(node)
        return len(self._nodes) < before

    def lint(self) -> None:
        """Raises RuntimeError for a graph that could not run: names that are there twice, nodes used before they ran,
        modules that the owner does not have."""
        seen: dict[str, Node] = {}
        for node in self._nodes:
            if node.name in seen:
                raise RuntimeError(f"Node redefined name {node.name}!")
            for used in node.all_input_nodes:
                if seen.get(used.name) is not used:
                    raise RuntimeError(
                        f"Argument '{used}' of Node '{node}' was used before it has been defined! "
                        "Please check that Nodes in the graph are topologically ordered"
                    )
            seen[node.name] = node
            if node.op in ("call_module", "get_attr") and self.owning_module is not None:
                _check_target(self.owning_module, node)

    # ---- text

    def python_code(self, root_module: str = "self") -> PythonCode:
        """The program as a function ``forward``."""
        return _Writer(self, root_module).written()

    def print_tabular(self) -> None:
        """Prints a table of the nodes."""
        rows = [["opcode", "name", "target", "args", "kwargs"]]
        rows += [[node.op, node.name, str(node.target), str(node.args), str(node.kwargs)] for node in self._nodes]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        print("\n".join(line.rstrip() if number != 1 else line for number, line in enumerate(lines)))

    def __str__(self) -> str:
        return "\n".join(["graph():", *(f"    {node.format_node()}" for node in self._nodes)])


class _NodeList:
    """A graph's nodes; going through them, nodes may be added and taken away."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __len__(self) -> int:
        return len(self.graph._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self.graph._nodes))

    def __reversed__(self) -> Iterator[Node]:
        return reversed(list(self.graph._nodes))


def _candidate(op: str, target: Any) -> str:
    """What a node is named after, in small letters with underscores."""
    name = target.__name__ if callable(target) else str(target)
    name = name[2:-2] if re.fullmatch(r"__\w+__", name) else name.lstrip("*").replace(".", "_")
    return name if op == "placeholder" else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _check_target(owner: Any, node: Node) -> None:
    found = owner
    for part in str(node.target).split("."):
        if not hasattr(found, part):
            raise RuntimeError(f"Node {node} target {node.target} references nonexistent attribute {part} of {owner}")
        found = getattr(found, part)


class _Writer:
    """Writes the code of a graph: each node a line, at whose end the names that nobody needs any more are let go."""

    def __init__(self, graph: Graph, root: str) -> None:
        self.graph, self.root = graph, root
        self.globals: dict[str, Any] = {}
        self.last: dict[Node, list[Node]] = {}
        seen: set[Node] = set()
        for node in reversed(graph._nodes):
            for used in node.all_input_nodes:
                if used not in seen:
                    seen.add(used)
                    self.last.setdefault(node, []).append(used)

    def written(self) -> PythonCode:
        if any(node.type is not None for node in self.graph._nodes):
            import rushlight

            self.globals["torch"] = rushlight
        arguments, body = [self.root], []
        for node in self.graph._nodes:
            if node.op == "placeholder":
                stars = "*" * (len(node.target) - len(node.target.lstrip("*")))
                kind = f" : {type_name(node.type)}" if type_name(node.type) else ""
                default = f" = {self.text(node.args[0])}" if node.args else ""
                arguments.append(f"{stars}{node.name}{kind}{default}")
            elif node.op == "output":
                body.append(f"return {self.text(node.args[0])}")
            else:
                body.append(f"{node.name} = {self.call(node)}{self.freed(node)}")
        lines = "".join(f"    {line}\n" for line in body or ["pass"])
        return PythonCode(f"\n\n\ndef forward({', '.join(arguments)}):\n{lines}    ", self.globals)

    def freed(self, node: Node) -> str:
        gone = [used.name for used in self.last.get(node, ())]
        gone += [] if node.users else [node.name]
        return f";  {' = '.join(gone)} = None" if gone else ""

    def call(self, node: Node) -> str:
        if node.op == "get_attr":
            return f"{self.root}.{node.target}"
        arguments = ", ".join(
            [*map(self.text, node.args), *(f"{name} = {self.text(value)}" for name, value in node.kwargs.items())]
        )
        if node.op == "call_module":
            return f"{_path(self.root, node.target)}({arguments})"
        if node.op == "call_method":
            first, *others = map(self.text, node.args)
            others += [f"{name} = {self.text(value)}" for name, value in node.kwargs.items()]
            return f"{first}.{node.target}({', '.join(others)})"
        return self.function(node, arguments)

    def function(self, node: Node, arguments: str) -> str:
        path = node.path
        parts = [self.text(arg) for arg in node.args]
        if path.startswith("operator.") and not node.kwargs:
            name = path.partition(".")[2]
            if name in BINARY and len(parts) == 2:
                return f"{parts[0]} {BINARY[name]} {parts[1]}"
            if name in UNARY and len(parts) == 1:
                return f"{UNARY[name]}{parts[0]}"
            if name == "getitem" and len(parts) == 2:
                return f"{parts[0]}[{parts[1]}]"
        if path == "getattr" and len(parts) == 2 and str(node.args[1]).isidentifier():
            return f"{parts[0]}.{node.args[1]}"
        return f"{self.named(node.target, path)}({arguments})"

    def named(self, function: Any, path: str) -> str:
        """How the code calls a function, and where it finds it."""
        if path.startswith("torch."):
            import rushlight

            self.globals["torch"] = rushlight
            return path
        if getattr(builtins, path, None) is function:
            return path
        name = path.replace(".", "_").replace("<", "_").replace(">", "_")
        while self.globals.get(name, function) is not function:
            name += "_"
        self.globals[name] = function
        return name

    def text(self, value: Any) -> str:
        """An argument as Python code."""
        if isinstance(value, Node):
            return value.name
        if isinstance(value, slice):
            return f"slice({', '.join(self.text(part) for part in (value.start, value.stop, value.step))})"
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            kind = type(value)
            return f"{self.named(kind, kind.__name__)}({', '.join(map(self.text, value))})"
        if isinstance(value, tuple):
            return f"({', '.join(map(self.text, value))}{',' if len(value) == 1 else ''})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.text, value))}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self.text(part)}" for key, part in value.items()) + "}"
        if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
            return f"float('{value}')"
        if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
            return "..." if value is ... else repr(value)
        return self._constant(value)

    def _constant(self, value: Any) -> str:
        """Something that has no text of its own: a dtype by its path, the rest by a name among the globals."""
        text = repr(value)
        if re.fullmatch(r"torch(\.\w+)+", text):
            import rushlight

            self.globals["torch"] = rushlight
            return text
        name = f"_{type(value).__name__.lower()}_{len(self.globals)}"
        self.globals[name] = value
        return name


def _path(root: str, target: str) -> str:
    """The module at a path: names after dots, numbers by getattr."""
    found = root
    for part in target.split("."):
        found = f"{found}.{part}" if part.isidentifier() else f'getattr({found}, "{part}")'
    return found
