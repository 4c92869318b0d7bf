"""`summary(model, input_size)`: a model's layers as a table, in the layout of the torch-summary package.

Without an input the modules are listed in the order they were assigned. With one (sizes without the batch, or
tensors) the model is run once, forward hooks write a `Layer` for every call in the order of the calls, and shapes,
multiply-adds and megabytes follow. Both give a list of layers with their depth; `_rows` prints it as a tree.

    ├─Sequential: 1-1                        [-1, 1]                   --
    |    └─Linear: 2-1                       [-1, 3]                   6

Numbers are those of the model: where torch-summary counts layers inside a container twice, or a layer with one frozen
parameter as frozen whole, this table does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .plots import evaluating

NAME_WIDTH = 40
COLUMN_WIDTH = 25
BYTES_PER_NUMBER = 4
HEADINGS = {
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "kernel_size": "Kernel Shape",
    "mult_adds": "Mult-Adds",
}


@dataclass
class Layer:
    """One call of one module: what the table says about it."""

    module: Any
    depth: int
    name: str
    position: int = 0
    input_shape: list[int] | None = None
    output_shape: list[int] | None = None
    repeated: bool = False
    parameters: int = 0
    trainable: int = 0
    own_parameters: int = 0
    mult_adds: int = 0

    @property
    def label(self) -> str:
        """The layer's entry in the first column, such as ``Linear: 2-1``."""
        return f"{self.name}: {self.depth}-{self.position}"


@dataclass
class ModelSummary:
    """What `summary` found. Its text is the table; sizes are in bytes of 32-bit numbers."""

    layers: list[Layer]
    total_params: int
    trainable_params: int
    total_mult_adds: int
    input_bytes: int
    forward_backward_bytes: int
    params_bytes: int
    columns: tuple[str, ...]
    depth: int

    @property
    def non_trainable_params(self) -> int:
        """Parameters that do not require grad."""
        return self.total_params - self.trainable_params

    def __str__(self) -> str:
        return "\n".join(_table(self))

    __repr__ = __str__


def summary(
    model: Any,
    input_size: Any = None,
    *args: Any,
    depth: int = 3,
    dtypes: Sequence[Any] | None = None,
    device: Any = None,
    col_names: Sequence[str] | None = None,
    verbose: int = 1,
    **kwargs: Any,
) -> ModelSummary:
    """Print the table of ``model``'s layers and return it.

    ``input_size`` is the shape of one example without its batch, ``(3,)``; a list of such shapes for several inputs;
    or the tensors themselves, batch first. Further ``args`` and ``kwargs`` go to the model. ``dtypes`` are those of
    the inputs made from shapes (default float32), ``device`` where they are made (default: the model's), ``depth``
    how many levels are listed, ``col_names`` which of "input_size", "output_size", "num_params", "kernel_size",
    "mult_adds" are shown; ``verbose=0`` prints nothing. The model is run in evaluation mode without gradients and is
    left as it was, random state included.

    >>> from rushlight import nn
    >>> summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (3,), verbose=0).total_params
    16
    """
    columns = tuple(col_names or (("num_params",) if input_size is None else ("output_size", "num_params")))
    unknown = [name for name in columns if name not in HEADINGS]
    if unknown:
        raise ValueError(f"summary: unknown column {unknown[0]!r}; the columns are {', '.join(map(repr, HEADINGS))}")
    inputs = None if input_size is None else _inputs(model, input_size, dtypes, device)
    layers = _listed(model) if inputs is None else _called(model, [*inputs, *args], kwargs)
    _number(layers)
    found = _totals(model, layers, inputs or [], columns, depth)
    if verbose:
        print(found)
    return found


# --- what goes in -----------------------------------------------------------------------------------------------------


def _inputs(model: Any, input_size: Any, dtypes: Sequence[Any] | None, device: Any) -> list[Any]:
    """The tensors to run the model on: those given, or ones of the shapes given with a batch of 2 in front."""
    if hasattr(input_size, "detach"):
        return [input_size]
    if not isinstance(input_size, (list, tuple)) or not input_size:
        raise TypeError(
            f"summary: input_size must be a shape such as (3,), a list of shapes, or tensors, got {input_size!r}"
        )
    if all(hasattr(item, "detach") for item in input_size):
        return list(input_size)
    shapes = [input_size] if all(isinstance(item, int) for item in input_size) else list(input_size)
    if not all(isinstance(shape, (list, tuple)) and all(isinstance(n, int) for n in shape) for shape in shapes):
        raise TypeError(
            f"summary: input_size must be a shape such as (3,), a list of shapes, or tensors, got {input_size!r}"
        )
    return _made(model, shapes, dtypes, device)


def _made(model: Any, shapes: list[Any], dtypes: Sequence[Any] | None, device: Any) -> list[Any]:
    import rushlight

    parameter = next(iter(model.parameters()), None)
    where = device if device is not None else (parameter.device if parameter is not None else None)
    kinds = list(dtypes) if dtypes is not None else [rushlight.float32] * len(shapes)
    if len(kinds) != len(shapes):
        raise ValueError(f"summary: {len(shapes)} shapes and {len(kinds)} dtypes; give one dtype for each input")
    # Zeros: valid indices for an embedding, and no random number is drawn that the caller's seed would miss.
    return [rushlight.zeros(2, *shape, dtype=kind, device=where) for shape, kind in zip(shapes, kinds, strict=True)]


# --- the layers -------------------------------------------------------------------------------------------------------


def _listed(model: Any) -> list[Layer]:
    """Every module below ``model``, in the order of assignment (the model itself when it has no children)."""
    seen: set[int] = set()
    if not list(model.children()):
        return [_layer(model, 0, seen)]
    return list(_below(model, 1, seen))


def _below(module: Any, depth: int, seen: set[int]) -> Iterator[Layer]:
    for child in module.children():
        yield _layer(child, depth, seen)
        yield from _below(child, depth + 1, seen)


def _called(model: Any, inputs: list[Any], kwargs: dict[str, Any]) -> list[Layer]:
    """Every call of a module while ``model`` runs on ``inputs``, in the order they begin."""
    layers: list[Layer] = []
    open_calls: list[Layer] = []
    seen: set[int] = set()
    alone = not list(model.children())

    def begin(module: Any, values: tuple[Any, ...]) -> None:
        layer = _layer(module, len(open_calls) + (0 if alone else 1), seen)
        layer.input_shape = _shape(values)
        layers.append(layer)
        open_calls.append(layer)

    def end(module: Any, values: tuple[Any, ...], output: Any) -> None:
        layer = open_calls.pop()
        layer.output_shape = _shape(output)
        layer.mult_adds = _mult_adds(layer)

    watched = [model] if alone else [module for module in model.modules() if module is not model]
    hooks = [h for m in watched for h in (m.register_forward_pre_hook(begin), m.register_forward_hook(end))]
    try:
        with evaluating(model):
            model(*inputs, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    return layers


def _layer(module: Any, depth: int, seen: set[int]) -> Layer:
    every = list(module.parameters())
    return Layer(
        module,
        depth,
        type(module).__name__,
        repeated=_seen_before(module, seen),
        parameters=sum(p.numel() for p in every),
        trainable=sum(p.numel() for p in every if p.requires_grad),
        own_parameters=sum(p.numel() for p in module.parameters(recurse=False)),
    )


def _seen_before(module: Any, seen: set[int]) -> bool:
    again = id(module) in seen
    seen.add(id(module))
    return again


def _shape(value: Any) -> list[int] | None:
    """Shape of the first tensor in ``value`` with -1 for the batch, None where there is none."""
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    if isinstance(value, dict) and value:
        return _shape(next(iter(value.values())))
    shape = getattr(value, "shape", None)
    return None if shape is None else [-1, *(int(n) for n in shape[1:])]


def _mult_adds(layer: Layer) -> int:
    """Multiply-adds of one example: each weight once, a convolution's for every place of its output; no biases."""
    places = 1
    if type(layer.module).__name__.startswith("Conv") and layer.output_shape is not None:
        for n in layer.output_shape[2:]:
            places *= n
    own = layer.module.named_parameters(recurse=False)
    return places * sum(p.numel() for name, p in own if name.startswith("weight"))


def _number(layers: list[Layer]) -> None:
    """Set the second number of every label: a running count at each depth."""
    counts: dict[int, int] = {}
    for layer in layers:
        counts[layer.depth] = counts.get(layer.depth, 0) + 1
        layer.position = counts[layer.depth]


def _totals(model: Any, layers: list[Layer], inputs: list[Any], columns: tuple[str, ...], depth: int) -> ModelSummary:
    parameters = list(model.parameters())
    total = sum(p.numel() for p in parameters)
    outputs = sum(_count(layer.output_shape) for layer in layers if layer.own_parameters)
    return ModelSummary(
        layers=layers,
        total_params=total,
        trainable_params=sum(p.numel() for p in parameters if p.requires_grad),
        total_mult_adds=sum(layer.mult_adds for layer in layers),
        input_bytes=BYTES_PER_NUMBER * sum(_count(_shape(x)) for x in inputs),
        forward_backward_bytes=2 * BYTES_PER_NUMBER * outputs,
        params_bytes=BYTES_PER_NUMBER * total,
        columns=columns,
        depth=depth,
    )


def _count(shape: list[int] | None) -> int:
    """Numbers in one example of ``shape``, whose first axis is the batch."""
    if shape is None:
        return 0
    count = 1
    for n in shape[1:]:
        count *= n
    return count


# --- the table --------------------------------------------------------------------------------------------------------


def _table(found: ModelSummary) -> Iterator[str]:
    line = "=" * (NAME_WIDTH + COLUMN_WIDTH * len(found.columns))
    yield line
    yield _row("Layer (type:depth-idx)", [HEADINGS[name] for name in found.columns])
    yield line
    yield from _rows(found)
    yield line
    yield f"Total params: {found.total_params:,}"
    yield f"Trainable params: {found.trainable_params:,}"
    yield f"Non-trainable params: {found.non_trainable_params:,}"
    if any(layer.output_shape is not None for layer in found.layers):
        yield from _costs(found, line)
    yield line


def _costs(found: ModelSummary, line: str) -> Iterator[str]:
    unit, size = ("G", 1e9) if found.total_mult_adds >= 1e9 else ("M", 1e6)
    total = found.input_bytes + found.forward_backward_bytes + found.params_bytes
    yield f"Total mult-adds ({unit}): {found.total_mult_adds / size:.2f}"
    yield line
    yield f"Input size (MB): {_megabytes(found.input_bytes)}"
    yield f"Forward/backward pass size (MB): {_megabytes(found.forward_backward_bytes)}"
    yield f"Params size (MB): {_megabytes(found.params_bytes)}"
    yield f"Estimated Total Size (MB): {_megabytes(total)}"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.2f}"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<{NAME_WIDTH}} " + " ".join(f"{cell:<{COLUMN_WIDTH}}" for cell in cells).rstrip()


def _rows(found: ModelSummary) -> Iterator[str]:
    shown = [layer for layer in found.layers if layer.depth <= found.depth]
    for layer in shown:
        yield _row(_branch(layer.depth) + layer.label, [_cell(layer, name, found.depth) for name in found.columns])


def _branch(depth: int) -> str:
    """The tree drawn in front of a layer's name."""
    if depth == 1:
        return "├─"
    return "|    " * (depth - 1) + "└─"


def _cell(layer: Layer, column: str, depth: int) -> str:
    if column == "num_params":
        return _parameter_cell(layer, depth)
    if column == "mult_adds":
        return f"{layer.mult_adds:,}" if layer.mult_adds else "--"
    if column == "kernel_size":
        weight = getattr(layer.module, "weight", None)
        return "--" if weight is None else str([int(n) for n in weight.shape])
    shape = layer.input_shape if column == "input_size" else layer.output_shape
    return "--" if shape is None else str(shape)


def _parameter_cell(layer: Layer, depth: int) -> str:
    """Parameters of the layer, in brackets when frozen; a container speaks for what is below the last level shown."""
    count = layer.parameters if layer.depth == depth else layer.own_parameters
    if not count:
        return "--"
    if layer.repeated:
        return "(recursive)"
    return f"{count:,}" if layer.trainable else f"({count:,})"
