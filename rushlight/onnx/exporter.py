"""`torch.onnx.export`, with the arguments of PyTorch's exporters, the old one's and the new one's."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rushlight.export.dims import Symbol, leaf_names, open_axes, symbols_of
from rushlight.export.program import ExportedProgram, export_program
from rushlight.record.value import Tensor
from rushlight.testing import assert_close
from rushlight.utils._pytree import tree_flatten, tree_leaves

from .errors import OnnxExporterError, OnnxExporterWarning
from .library import onnx
from .modes import OperatorExportTypes, TrainingMode, exporting
from .program import ONNXProgram
from .writer import Form, write

FIRST, OLDEST, DEFAULT, NEWEST = 7, 13, 20, 23


def export(
    model: Any, args: Any = (), f: str | os.PathLike[str] | Any = None, *, kwargs: dict[str, Any] | None = None,
    verbose: bool | None = None, input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None,
    opset_version: int | None = None, dynamo: bool = True, external_data: bool = True, dynamic_shapes: Any = None,
    custom_translation_table: Any = None, report: bool = False, optimize: bool = True, verify: bool = False,
    profile: bool = False, dump_exported_program: bool = False, artifacts_dir: Any = ".", export_params: bool = True,
    keep_initializers_as_inputs: bool = False, dynamic_axes: Any = None, training: Any = TrainingMode.EVAL,
    operator_export_type: Any = OperatorExportTypes.ONNX, do_constant_folding: bool = True, custom_opsets: Any = None,
    export_modules_as_functions: Any = False, autograd_inlining: bool = True,
) -> ONNXProgram | None:  # fmt: skip
    """Writes a model as an ONNX file, or returns it as an `ONNXProgram`
    (https://pytorch.org/docs/stable/onnx_export.html).

    The model is recorded with the example arguments `args` and `kwargs`, and a few times more for every size that is
    left open, without anything being computed. Its parameters and buffers have the names of the state dict in the file.

    Args:
        model: a module, a function, or an `ExportedProgram`.
        args: the arguments, a tuple; a dict at its end is taken for `kwargs`.
        f: the file; None only returns the program. With `dynamo` and `external_data`, large tensors are in `f.data`.
        input_names, output_names: names in the file, for the first tensors among arguments and results.
        opset_version: ONNX's version, 13 to 23; 20 if none is given. For an older one the file is of version 13, with a
            warning.
        dynamic_axes: sizes that are left open, `{"input": {0: "batch"}}` or `{"input": [0]}`; names as `input_names`.
        dynamic_shapes: the same as `torch.export.export` takes it.
        training: the mode that the model is in meanwhile.
        export_params: False leaves parameters to whoever runs the file; `keep_initializers_as_inputs` lets them choose.
        verify: whether to run the file with the reference evaluator and compare.
        dynamo: False is PyTorch's old exporter, which returns None, writes one file, and only warns where the model
            reads numbers and does something that depends on them.
        verbose, report, profile, optimize, do_constant_folding, dump_exported_program, artifacts_dir,
        export_modules_as_functions, autograd_inlining: accepted, and change nothing.

    Raises:
        ImportError: the package `onnx` is not installed.
        NotImplementedError: an operation that ONNX, or Rushlight's table for it, does not have, with its layer; a model
            that does something else at another size or for other numbers.
        ValueError: an opset or names that there are not.
        OnnxExporterError: with `verify`, results that differ.

    >>> torch.onnx.export(torch.nn.Linear(3, 2), (torch.zeros(1, 3),), input_names=["x"], output_names=["y"])
    ONNXProgram(1 nodes, (x) -> (y))
    """
    onnx()
    opset = _checked(opset_version, operator_export_type, custom_translation_table, custom_opsets)
    args, kwargs = _arguments(args, kwargs)
    if isinstance(model, ExportedProgram):
        program = model
    else:
        symbols = _symbols(model, args, kwargs, input_names, dynamic_axes, dynamic_shapes)
        with exporting(model, training):
            program = export_program(model, args, kwargs, symbols, may_look=not dynamo)
    names = _input_names(program, input_names)
    form = Form(opset, names, output_names, _labels(dynamic_axes, names, output_names), export_params,
                keep_initializers_as_inputs)  # fmt: skip
    made = ONNXProgram(write(program.traced, program.size_names, form), program)
    if verify:
        _verify(made, program)
    if f is not None:
        _save(made, f, dynamo and external_data)
    return made if dynamo else None


def _checked(opset: int | None, kind: Any, table: Any, opsets: Any) -> int:
    if kind is OperatorExportTypes.ONNX_ATEN:
        raise NotImplementedError("torch.onnx.export: OperatorExportTypes.ONNX_ATEN; only ONNX can be written")
    if table or opsets:
        raise NotImplementedError("torch.onnx.export: translations and opsets of one's own (custom_translation_table)")
    opset = DEFAULT if opset is None else opset
    if not FIRST <= opset <= NEWEST:
        raise ValueError(f"Unsupported ONNX opset version: {opset}; {OLDEST} to {NEWEST} can be written")
    if opset < OLDEST:
        text = f"torch.onnx.export: opset_version {opset} is asked for; {OLDEST} is the oldest that is written"
        warnings.warn(text, OnnxExporterWarning, stacklevel=3)
    return max(opset, OLDEST)


def _arguments(args: Any, kwargs: dict[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One tensor stands for a tuple of it, and a dict behind others for keywords."""
    args = tuple(args) if isinstance(args, (tuple, list)) else (args,)
    if kwargs is None and args and isinstance(args[-1], dict) and all(isinstance(k, str) for k in args[-1]):
        return args[:-1], args[-1]
    return args, dict(kwargs or {})


def _input_names(program: ExportedProgram, names: Sequence[str] | None) -> list[str]:
    own = program.input_names
    names = list(names or ())
    if len(names) > len(own):
        raise ValueError(f"torch.onnx.export: {len(names)} input_names, but there are {len(own)} tensors: {own}")
    return [*names, *own[len(names) :]]


# ---------------------------------------------------------------------------------------------------------------------
# Sizes that are left open


def _symbols(
    model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], input_names: Sequence[str] | None,
    axes: Mapping[str, Any] | None, shapes: Any,
) -> list[Symbol]:  # fmt: skip
    """What `dynamic_shapes`, or `dynamic_axes` in its place, leaves open."""
    leaves, tree = tree_flatten((args, kwargs))
    if shapes is not None or not axes:
        return symbols_of(model, args, kwargs, leaves, tree, shapes)
    given = list(input_names or ())
    names: list[str | None] = []
    for name, x in zip(leaf_names(model, args, kwargs), leaves, strict=True):
        names.append((given.pop(0) if given else name) if isinstance(x, Tensor) else None)
    return open_axes(leaves, names, axes)


def _labels(
    axes: Mapping[str, Any] | None, input_names: Sequence[str], output_names: Sequence[str] | None
) -> dict[str, dict[int, str]]:
    """What `dynamic_axes` calls sizes, by argument and result."""
    labels: dict[str, dict[int, str]] = {}
    for name, chosen in (axes or {}).items():
        if name not in input_names and name not in (output_names or ()):
            text = f"Provided key {name} for dynamic axes is not a valid input/output name"
            warnings.warn(text, OnnxExporterWarning, stacklevel=3)
        elif isinstance(chosen, Mapping):
            labels[name] = {axis: str(getattr(label, "__name__", label)) for axis, label in chosen.items()}
        else:
            labels[name] = {axis: f"{name}_dynamic_axes_{k + 1}" for k, axis in enumerate(chosen)}
    return labels


# ---------------------------------------------------------------------------------------------------------------------
# Afterwards


def _save(made: ONNXProgram, f: Any, beside: bool) -> None:
    if hasattr(f, "write"):
        f.write(made.model_proto.SerializeToString())
    else:
        made.save(f, external_data=True if beside else None)


def _verify(made: ONNXProgram, program: ExportedProgram) -> None:
    """Compares what the file and the program make of the example arguments."""
    args, kwargs = program.example_inputs
    wanted = [x for x in tree_leaves(program.module()(*args, **kwargs)) if isinstance(x, Tensor)]
    for k, (ours, theirs) in enumerate(zip(wanted, made.call_reference(*args, **kwargs), strict=True)):
        try:
            assert_close(theirs, ours.detach(), rtol=1e-3, atol=1e-4)
        except AssertionError as why:
            raise OnnxExporterError(f"torch.onnx.export: result {k} of the file is not the model's: {why}") from why
