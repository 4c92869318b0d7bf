"""torch.fx: programs as graphs of calls, to look at, to change, and to run again.

`symbolic_trace` runs a module with stand-ins for tensors (`proxy`, `symbolic`) and writes down every call in a `Graph`
of `Node`s; a `GraphModule` is a module whose forward is written from such a graph; an `Interpreter` runs one node after
the other. Rushlight's own recording has nothing to do with it: a graph is what a person works with.
"""

from rushlight.core.missing import missing
from rushlight.fx.graph import Graph
from rushlight.fx.graph_module import GraphModule
from rushlight.fx.interpreter import Interpreter, Transformer
from rushlight.fx.node import Node, map_arg
from rushlight.fx.proxy import Proxy, TraceError, wrap
from rushlight.fx.subgraph_rewriter import replace_pattern
from rushlight.fx.symbolic import Tracer, symbolic_trace

__all__ = [
    "Graph",
    "GraphModule",
    "Interpreter",
    "Node",
    "Proxy",
    "TraceError",
    "Tracer",
    "Transformer",
    "map_arg",
    "replace_pattern",
    "symbolic_trace",
    "wrap",
]

__getattr__ = missing(
    __name__,
    {
        name: f"{__name__}.{path}"
        for name, path in {
            "_symbolic_trace": "symbolic", "graph": "graph", "node": "node", "proxy": "proxy", "passes": "passes",
            "subgraph_rewriter": "subgraph_rewriter",
        }.items()
    },
)  # fmt: skip
