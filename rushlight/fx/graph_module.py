"""A module whose forward is written from a graph."""

from __future__ import annotations

import copy
import linecache
from itertools import count
from typing import Any

from rushlight import nn
from rushlight.fx.graph import Graph, PythonCode
from rushlight.tensor import Tensor

__all__ = ["GraphModule"]

_numbers = count()


class GraphModule(nn.Module):
    """The modules, parameters and buffers that a graph uses, and the graph's code as forward.

    Args:
        root: the module, or a dict of paths, that they are taken from.
        graph: the program. After changing it, `recompile` writes the code anew.
        class_name: what the module calls itself.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> GraphModule:
        """Each has a class of its own: forward is the class's."""
        return super().__new__(type(cls.__name__, (cls,), {}))

    def __init__(self, root: Any, graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        type(self).__name__ = class_name
        self.training = root.training if isinstance(root, nn.Module) else True
        for node in graph.nodes:
            if node.op in ("call_module", "get_attr"):
                _copy_attribute(root, self, str(node.target))
        self.graph = graph

    @property
    def graph(self) -> Graph:
        """The program."""
        found: Graph = self.__dict__["_graph"]
        return found

    @graph.setter
    def graph(self, graph: Graph) -> None:
        self.__dict__["_graph"] = graph
        graph.owning_module = self
        self.recompile()

    @property
    def code(self) -> str:
        """The forward, as Python code."""
        return str(self.__dict__["_code"])

    def recompile(self) -> PythonCode:
        """Writes forward from the graph."""
        written = self.graph.python_code("self")
        self.__dict__["_code"] = written.src
        file = f"<graph module {next(_numbers)}>"
        linecache.cache[file] = (len(written.src), None, written.src.splitlines(True), file)
        names = dict(written.globals)
        exec(compile(written.src, file, "exec"), names)
        type(self).forward = names["forward"]
        return written

    def print_readable(self, print_output: bool = True) -> str:
        """Prints the code under the class's name, and returns it."""
        body = self.code.strip().replace("\n", "\n    ")
        text = f"class {type(self).__name__}(torch.nn.Module):\n    {body}\n"
        if print_output:
            print(text)
        return text

    def delete_submodule(self, target: str) -> bool:
        """Takes a module away. Returns whether it was there."""
        *path, name = target.split(".")
        owner: Any = self
        for part in path:
            owner = getattr(owner, part, None)
        if not isinstance(owner, nn.Module) or name not in owner._modules:
            return False
        delattr(owner, name)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Takes away the modules that the graph does not call."""
        used = {str(node.target) for node in self.graph.nodes if node.op in ("call_module", "get_attr")}
        kept = {".".join(path.split(".")[:depth]) for path in used for depth in range(1, path.count(".") + 2)}
        for path, _ in list(self.named_modules()):
            if path and path not in kept and not any(path.startswith(f"{other}.") for other in used):
                self.delete_submodule(path)

    def _copied_parts(self, memo: Any) -> nn.Module:
        """A module with copies of what this one has, but for graphs and code."""
        holder = nn.Module()
        holder.__dict__.update(copy.deepcopy({k: v for k, v in self.__dict__.items() if k not in OWN}, memo))
        return holder

    def __deepcopy__(self, memo: Any) -> GraphModule:
        return GraphModule(self._copied_parts(memo), copy.deepcopy(self.graph), type(self).__name__)

    def __str__(self) -> str:
        hint = "# To see more debug info, please use `graph_module.print_readable()`"
        return f"{super().__str__()}\n\n{self.code}\n\n{hint}"


OWN = ("_graph", "_code", "train_graph", "eval_graph")


def _copy_attribute(source: Any, to: nn.Module, path: str) -> None:
    """Puts what is at a path of the source in the same place, in modules that are made for it."""
    *owners, name = path.split(".")
    found = source[path] if isinstance(source, dict) else source
    for owner in owners:
        found = found if isinstance(source, dict) else getattr(found, owner)
        if not hasattr(to, owner):
            setattr(to, owner, nn.Module())
        to = getattr(to, owner)
    value = found if isinstance(source, dict) else getattr(found, name)
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        to.register_buffer(name, value)
    else:
        setattr(to, name, value)
