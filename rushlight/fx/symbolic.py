"""Tracing: a module or function runs once with stand-ins for its arguments, and what it does becomes a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rushlight import nn
from rushlight.fx.graph import Graph
from rushlight.fx.graph_module import GraphModule
from rushlight.fx.node import Node, map_aggregate
from rushlight.fx.proxy import Proxy, watching
from rushlight.tensor import Tensor

__all__ = ["Tracer", "is_fx_tracing", "symbolic_trace"]

_tracing = 0  # tracers at work


class Tracer:
    """Writes down what a program does. Subclasses decide in `is_leaf_module` which modules are one node each.

    Args:
        autowrap_modules, autowrap_functions: accepted; functions are wrapped by `rushlight.fx.wrap`.
        param_shapes_constant: accepted.

    Attributes:
        proxy_buffer_attributes: whether buffers are nodes as parameters are; else what is computed of them alone is a
            constant of the graph. Subclasses set it.
    """

    proxy_buffer_attributes = False

    def __init__(
        self, autowrap_modules: Any = (), autowrap_functions: Any = (), param_shapes_constant: bool = False
    ) -> None:
        self.graph = Graph()
        self.root: Any = nn.Module()
        self._paths: dict[int, str] = {}
        self._attributes: dict[str, Proxy] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether calls of a module are one node: layers of `torch.nn`, but not what holds several."""
        return type(m).__module__.startswith(("rushlight.nn", "torch.nn")) and not isinstance(m, nn.Sequential)

    def path_of_module(self, mod: nn.Module) -> str:
        """The path of a module inside of the root. Raises NameError if it has none."""
        if id(mod) not in self._paths:
            raise NameError("module is not installed as a submodule")
        return self._paths[id(mod)]

    def create_arg(self, a: Any) -> Any:
        """What stands for an argument in a node: nodes for stand-ins, parameters and tensors."""
        return map_aggregate(a, self._argument)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, Proxy):
            return value.node
        if isinstance(value, Tensor):
            return self._attribute(self._path_of_tensor(value)).node
        return value

    def _path_of_tensor(self, value: Tensor) -> str:
        for named in (self.root.named_parameters(), self.root.named_buffers()):
            for path, known in named:
                if known is value:
                    return str(path)
        number = 0
        while hasattr(self.root, f"_tensor_constant{number}"):
            if getattr(self.root, f"_tensor_constant{number}") is value:
                return f"_tensor_constant{number}"
            number += 1
        setattr(self.root, f"_tensor_constant{number}", value)
        return f"_tensor_constant{number}"

    def _attribute(self, path: str) -> Proxy:
        if path not in self._attributes:
            self._attributes[path] = self.create_proxy("get_attr", path, (), {})
        return self._attributes[path]

    def create_node(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
    ) -> Node:
        """A node of the graph that is being written."""
        return self.graph.create_node(kind, target, args, kwargs, name)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None) -> Proxy:
        """A stand-in for the result of a new node."""
        return Proxy(self.create_node(kind, target, self.create_arg(tuple(args)), self.create_arg(kwargs), name), self)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """What becomes of a call of a module: a node, or what its forward does."""
        path = self.path_of_module(m)
        if self.is_leaf_module(m, path):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> Graph:
        """The graph of a module's forward, or of a function, with some arguments fixed."""
        is_module = isinstance(root, nn.Module)
        self.root = root if is_module else nn.Module()
        self.graph = Graph(tracer_cls=type(self))
        self._attributes = {}
        self._paths = {id(module): path for path, module in self.root.named_modules()}
        function = root.forward if is_module else root
        with self._watching_modules(), watching():
            args, kwargs = self._placeholders(function, concrete_args or {})
            result = function(*args, **kwargs)
            self.graph.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _placeholders(self, function: Any, fixed: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            if name in fixed:
                value: Any = fixed[name]
            elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
                self.create_proxy("placeholder", f"{stars}{name}", (), {})
                continue
            else:
                default = () if parameter.default is parameter.empty else (parameter.default,)
                value = self.create_proxy("placeholder", name, default, {})
                value.node.type = None if parameter.annotation is parameter.empty else parameter.annotation
            if parameter.kind is parameter.KEYWORD_ONLY:
                kwargs[name] = value
            else:
                args.append(value)
        return args, kwargs

    @contextmanager
    def _watching_modules(self) -> Iterator[None]:
        """Inside, calls of modules come to `call_module`, and their parameters are nodes."""
        global _tracing
        call, look_up = nn.Module.__call__, nn.Module.__getattr__
        tracer = self

        def watched_call(module: Any, *args: Any, **kwargs: Any) -> Any:
            return tracer.call_module(module, lambda *a, **k: call(module, *a, **k), args, kwargs)

        def watched_look_up(module: Any, name: str) -> Any:
            found = look_up(module, name)
            kind = Tensor if tracer.proxy_buffer_attributes else nn.Parameter
            if isinstance(found, kind) and id(module) in tracer._paths:
                path = tracer._paths[id(module)]
                return tracer._attribute(f"{path}.{name}" if path else name)
            return found

        base: Any = nn.Module
        base.__call__, base.__getattr__ = watched_call, watched_look_up
        _tracing += 1
        try:
            yield
        finally:
            _tracing -= 1
            base.__call__, base.__getattr__ = call, look_up


def is_fx_tracing() -> bool:
    """Whether a program is being traced just now."""
    return _tracing > 0


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """The module or function as a `GraphModule`.

    What depends on numbers (``if x.sum() > 0``) cannot be traced and raises `TraceError`.

    >>> from rushlight.fx import symbolic_trace
    >>> print(symbolic_trace(lambda x: torch.relu(x) + 1).code.strip())
    def forward(self, x):
        relu = torch.relu(x);  x = None
        add = relu + 1;  relu = None
        return add
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, nn.Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
