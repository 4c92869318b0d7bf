"""What a network sees on its way: torchvision.models.feature_extraction.

A model is traced with `rushlight.fx`, in training and in evaluation mode; every call gets the name of the module that
it happens in, "layer1.0.relu" or "layer1.0.add". `create_feature_extractor` makes a model that ends with the calls
that are asked for.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from rushlight import fx, nn
from rushlight.core.missing import missing
from rushlight.vision import ops

__all__ = ["create_feature_extractor", "get_graph_node_names"]

MODES = ("train", "eval")


class NodePathTracer(fx.Tracer):
    """A tracer that knows in which module each call happens.

    Args:
        leaf_modules: classes whose calls are one node each, besides the layers of ``torch.nn``.

    Attributes:
        node_to_qualname: the nodes' names: a module's path and, for a function inside it, the function's name, with a
            number behind it from the second on.
    """

    def __init__(self, *args: Any, leaf_modules: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leaf_modules = tuple(_layers_of_ops() if leaf_modules is None else leaf_modules)
        self.current_module_qualname = ""
        self.node_to_qualname: dict[fx.Node, str] = {}
        self._counts: Counter[str] = Counter()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or isinstance(m, self.leaf_modules)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        before, self.current_module_qualname = self.current_module_qualname, self.path_of_module(m)
        try:
            return super().call_module(m, forward, args, kwargs)
        finally:
            self.current_module_qualname = before

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None) -> fx.Proxy:
        proxy = super().create_proxy(kind, target, args, kwargs, name)
        self.node_to_qualname[proxy.node] = self._qualified(proxy.node)
        return proxy

    def _qualified(self, node: fx.Node) -> str:
        own = re.sub(r"_\d+$", "", node.name)
        if node.op == "call_module":
            name = re.sub(r"_\d+$", "", self.current_module_qualname)
        else:
            name = f"{self.current_module_qualname}.{own}" if self.current_module_qualname else own
        self._counts[name] += 1
        number = self._counts[name] - 1
        return f"{name}_{number}" if number else name


def _layers_of_ops() -> list[type]:
    found = (getattr(ops, name) for name in ops.__all__)
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, nn.Module)]


def _traced(
    model: nn.Module, tracer_kwargs: Mapping[str, Any] | None, concrete_args: dict[str, Any] | None
) -> dict[str, tuple[NodePathTracer, fx.Graph]]:
    """The tracers and graphs of both modes; the model is left in its own."""
    was_training = model.training
    found = {}
    try:
        for mode in MODES:
            model.train(mode == "train")
            tracer = NodePathTracer(**dict(tracer_kwargs or {}))
            found[mode] = (tracer, tracer.trace(model, concrete_args))
    finally:
        model.train(was_training)
    return found


def _warn_of_differences(train: list[str], evaluation: list[str]) -> None:
    if train == evaluation:
        return
    about = "The nodes obtained by tracing the model in train mode are different to those obtained in eval mode. "
    for inner, outer, shorter, longer in (
        ("eval", "train", evaluation, train),
        ("train", "eval", train, evaluation),
    ):
        rest = iter(longer)
        if all(name in rest for name in shorter):
            about = (
                f"NOTE: The nodes obtained by tracing the model in {inner} mode are a subsequence of those obtained in "
                f"{outer} mode. "
            )
            break
    warnings.warn(
        f"{about}When choosing nodes for feature extraction, you may need to specify output nodes for train and eval "
        "mode separately.",
        stacklevel=3,
    )


def get_graph_node_names(
    model: nn.Module,
    tracer_kwargs: Mapping[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> tuple[list[str], list[str]]:
    """The names of all calls in training and in evaluation mode, in order.

    Args:
        model: what is traced.
        tracer_kwargs: for the tracer: "leaf_modules".
        suppress_diff_warning: say nothing if the two are not the same.
        concrete_args: arguments that are fixed.

    >>> from rushlight.vision.models.feature_extraction import get_graph_node_names
    >>> get_graph_node_names(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))[1]
    ['input', '0', '1']
    """
    traced = _traced(model, tracer_kwargs, concrete_args)
    train, evaluation = (list(traced[mode][0].node_to_qualname.values()) for mode in MODES)
    if not suppress_diff_warning:
        _warn_of_differences(train, evaluation)
    return train, evaluation


class DualGraphModule(fx.GraphModule):
    """A module with a graph for training and one for evaluation.

    Args:
        root: the module that the graphs were traced from.
        train_graph, eval_graph: the graphs.
        class_name: what the module calls itself.
    """

    def __init__(
        self, root: nn.Module, train_graph: fx.Graph, eval_graph: fx.Graph, class_name: str = "GraphModule"
    ) -> None:
        both = fx.Graph()
        for node in (*train_graph.nodes, *eval_graph.nodes):  # the parts that either of them uses
            if node.op in ("call_module", "get_attr"):
                both.create_node(node.op, node.target)
        super().__init__(root, both, class_name)
        self.__dict__["train_graph"], self.__dict__["eval_graph"] = train_graph, eval_graph
        self.train(root.training)

    def train(self, mode: bool = True) -> DualGraphModule:
        """Sets the mode, and takes its graph."""
        if "train_graph" in self.__dict__:
            self.graph = self.train_graph if mode else self.eval_graph
        super().train(mode)
        return self

    def __deepcopy__(self, memo: Any) -> DualGraphModule:
        train, evaluation = (deepcopy(graph) for graph in (self.train_graph, self.eval_graph))
        return DualGraphModule(self._copied_parts(memo), train, evaluation, type(self).__name__)


def create_feature_extractor(
    model: nn.Module,
    return_nodes: list[str] | dict[str, str] | None = None,
    train_return_nodes: list[str] | dict[str, str] | None = None,
    eval_return_nodes: list[str] | dict[str, str] | None = None,
    tracer_kwargs: Mapping[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> fx.GraphModule:
    """A model of the same parameters that hands out what some of its calls gave.

    Args:
        model: what is traced.
        return_nodes: names of calls, or of modules for their last call; as a dict, with the names in the result.
        train_return_nodes, eval_return_nodes: the same, for each mode.
        tracer_kwargs: for the tracer: "leaf_modules".
        suppress_diff_warning: say nothing if the two modes' calls are not the same.
        concrete_args: arguments that are fixed.

    Raises ValueError for names that the model does not have, and where it is unclear which are meant.

    >>> from rushlight.vision.models.feature_extraction import create_feature_extractor
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> create_feature_extractor(net, {"1": "inside"})(torch.ones(4, 2))["inside"].shape
    torch.Size([4, 3])
    """
    if return_nodes is None and train_return_nodes is None and eval_return_nodes is None:
        raise ValueError(
            "Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, should be specified"
        )
    if (train_return_nodes is None) != (eval_return_nodes is None):
        raise ValueError(
            "If any of `train_return_nodes` and `eval_return_nodes` are specified, then both should be specified"
        )
    if (return_nodes is None) == (train_return_nodes is None):
        raise ValueError("If `train_return_nodes` and `eval_return_nodes` are specified, then both should be specified")
    wanted = {"train": train_return_nodes or return_nodes, "eval": eval_return_nodes or return_nodes}
    traced = _traced(model, tracer_kwargs, concrete_args)
    if not suppress_diff_warning:
        _warn_of_differences(*(list(traced[mode][0].node_to_qualname.values()) for mode in MODES))
    train, evaluation = (_ending_with(*traced[mode], _names(wanted[mode])) for mode in MODES)
    return DualGraphModule(model, train, evaluation, type(model).__name__)


def _names(wanted: Any) -> dict[str, str]:
    pairs = wanted.items() if isinstance(wanted, Mapping) else ((name, name) for name in wanted)
    return {str(name): str(result) for name, result in pairs}


def _ending_with(tracer: NodePathTracer, graph: fx.Graph, wanted: dict[str, str]) -> fx.Graph:
    """The graph with another output: the last of the calls that each name stands for."""
    found: dict[str, fx.Node] = {}
    for query, result in wanted.items():
        matches = [
            node for node, name in tracer.node_to_qualname.items() if re.match(rf"^{query}(\.|$)", name) is not None
        ]
        if not matches:
            raise ValueError(
                f"node: '{query}' is not present in model. Hint: use `get_graph_node_names` to make sure the "
                "`return_nodes` you specified are present. It may even be that you need to specify "
                "`train_return_nodes` and `eval_return_nodes` separately."
            )
        found[result] = matches[-1]
    for node in reversed(graph.nodes):
        if node.op == "output":
            graph.erase_node(node)
    graph.output(found)
    graph.eliminate_dead_code()
    return graph


__getattr__ = missing(__name__)
