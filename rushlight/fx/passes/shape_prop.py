"""torch.fx.passes.shape_prop: what shape, dtype and strides each node of a graph has, for given arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

from rushlight.core.dtype import dtype
from rushlight.core.layout import channels_last, channels_last_3d, contiguous_format, memory_format
from rushlight.core.missing import missing
from rushlight.core.size import Size
from rushlight.fx.interpreter import Interpreter
from rushlight.fx.node import Node, map_aggregate
from rushlight.tensor import Tensor

__all__ = ["ShapeProp", "TensorMetadata"]


class TensorMetadata(NamedTuple):
    """What is known of a node's tensor."""

    shape: Size
    dtype: dtype
    requires_grad: bool
    stride: tuple[int, ...]
    memory_format: memory_format | None
    is_quantized: bool
    qparams: dict[str, Any]


def _extract_tensor_metadata(result: Tensor) -> TensorMetadata:
    form = next((f for f in (contiguous_format, channels_last, channels_last_3d) if _is_of(result, f)), None)
    return TensorMetadata(result.shape, result.dtype, result.requires_grad, result.stride(), form, False, {})


def _is_of(t: Tensor, form: memory_format) -> bool:
    if form is not contiguous_format and t.dim() != (4 if form is channels_last else 5):
        return False
    return bool(t.is_contiguous(memory_format=form))


class ShapeProp(Interpreter):
    """Runs a graph and notes at each node its `meta["tensor_meta"]` (of each tensor in it) and `meta["type"]`.

    >>> gm = torch.fx.symbolic_trace(lambda x: x.sum(0))
    >>> y = ShapeProp(gm).propagate(torch.ones(2, 3))
    >>> [tuple(node.meta["tensor_meta"].shape) for node in gm.graph.nodes]
    [(2, 3), (3,), (3,)]
    """

    def run_node(self, n: Node) -> Any:
        """The result of one node, and what is noted of it."""
        try:
            result = super().run_node(n)
        except Exception as error:
            raise RuntimeError(f"ShapeProp error for: node={n.format_node()} with meta={n.meta}") from error
        noted = False

        def note(value: Any) -> Any:
            nonlocal noted
            if not isinstance(value, Tensor):
                return value
            noted = True
            return _extract_tensor_metadata(value)

        meta = map_aggregate(result, note)
        if noted:
            n.meta["tensor_meta"] = meta
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args: Any) -> Any:
        """Runs the graph for these arguments; its result."""
        return super().run(*args)


__getattr__ = missing(__name__)
