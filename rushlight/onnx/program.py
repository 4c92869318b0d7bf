"""`ONNXProgram`: an exported model in memory, to be saved, checked and run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.export.program import ExportedProgram
from rushlight.record.value import Tensor
from rushlight.tensor import FUNCTIONS

from .library import onnx

_from_numpy = FUNCTIONS["from_numpy"]
OUTSIDE = 1024  # bytes from which a tensor is stored outside of the model's own file
LIMIT = 2**31 - 1  # what one protobuf file may have


class ONNXProgram:
    """What `torch.onnx.export` returns.

    Attributes:
        model_proto: the model, as the `onnx` package has it.
        exported_program: the program that it was written from.
    """

    def __init__(self, model_proto: Any, exported_program: ExportedProgram | None) -> None:
        self.model_proto = model_proto
        self.exported_program = exported_program

    def __repr__(self) -> str:
        graph = self.model_proto.graph
        names = ", ".join(i.name for i in graph.input), ", ".join(o.name for o in graph.output)
        return f"ONNXProgram({len(graph.node)} nodes, ({names[0]}) -> ({names[1]}))"

    def save(
        self, destination: str | os.PathLike[str], *, include_initializers: bool = True,
        keep_initializers_as_inputs: bool = False, external_data: bool | None = None,
    ) -> None:  # fmt: skip
        """Writes the model.

        Args:
            include_initializers: whether parameters are in the file; if not, they become arguments.
            keep_initializers_as_inputs: whether they are arguments as well.
            external_data: whether they are in a file of their own, `destination` with `.data` behind it; None if one
                file would be too large.
        """
        model = self._arranged(include_initializers, keep_initializers_as_inputs)
        if external_data is None:
            external_data = model.ByteSize() > LIMIT
        destination = os.fspath(destination)
        if not external_data:
            onnx().save_model(model, destination)
            return
        data = os.path.basename(destination) + ".data"
        beside = os.path.join(os.path.dirname(destination), data)
        if os.path.exists(beside):
            os.remove(beside)  # the library would write behind what is there
        copy = type(model)()
        copy.CopyFrom(model)
        onnx().save_model(copy, destination, save_as_external_data=True, location=data, size_threshold=OUTSIDE)

    def _arranged(self, include: bool, as_inputs: bool) -> Any:
        if include and not as_inputs:
            return self.model_proto
        model = type(self.model_proto)()
        model.CopyFrom(self.model_proto)
        graph = model.graph
        there = {i.name for i in graph.input}
        for tensor in graph.initializer:
            if tensor.name not in there:
                graph.input.append(
                    onnx().helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
                )
        if not include:
            del graph.initializer[:]
        return model

    def __call__(self, *args: Any, **kwargs: Any) -> Sequence[Tensor]:
        """Runs the model with onnxruntime. Raises ImportError if that is not installed."""
        try:
            import onnxruntime
        except ImportError as why:
            text = "ONNXProgram: running it needs onnxruntime: pip install onnxruntime; or use call_reference"
            raise ImportError(text, name="onnxruntime") from why
        session = onnxruntime.InferenceSession(self.model_proto.SerializeToString())
        return _tensors(session.run(None, self._feeds(args, kwargs)))

    def call_reference(self, *args: Any, **kwargs: Any) -> Sequence[Tensor]:
        """Runs the model with the reference evaluator of the `onnx` package: slow, and the definition of what it means.

        Results come as a list of tensors.
        """
        onnx()
        from onnx.reference import ReferenceEvaluator

        return _tensors(list(ReferenceEvaluator(self.model_proto).run(None, self._feeds(args, kwargs))))

    def _feeds(self, args: Any, kwargs: Any) -> dict[str, np.ndarray]:
        from rushlight.utils._pytree import tree_leaves

        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        weights = {t.name for t in self.model_proto.graph.initializer}
        names = [i.name for i in self.model_proto.graph.input if i.name not in weights]
        if len(given) != len(names):
            raise ValueError(f"ONNXProgram: the model takes {len(names)} tensors, {names}, not {len(given)}")
        return {name: x.detach().numpy() for name, x in zip(names, given, strict=True)}


def _tensors(arrays: Sequence[Any]) -> list[Tensor]:
    return [_from_numpy(np.array(a)) for a in arrays]
