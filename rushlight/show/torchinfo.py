"""torchinfo's `summary`: a model's layers as a table, by the calls of one forward pass. Stands in for that package.

The model runs once on inputs of the sizes given; forward hooks write a `Row` for every call, in the order the calls
begin. Containers that are never called themselves (ModuleList) get a row where one of theirs is. Without inputs, rows
are the registered modules. `ModelStatistics` holds the rows and the totals; `text` makes the table of them.

    ├─Sequential: 1-1                        [1, 8, 4, 4]              --
    │    └─Conv2d: 2-1                       [1, 8, 4, 4]              224

Numbers are those of the model: tied parameters are counted once, also where torchinfo counts them twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from rushlight.core.missing import missing

__all__ = ["ModelStatistics", "summary"]

__version__ = "1.8.0"  # the release of torchinfo whose table this is

NAME_WIDTH = 40
HEADINGS = {
    "kernel_size": "Kernel Shape",
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
NEED_INPUT = ("input_size", "output_size", "mult_adds")
ROW_SETTINGS = ("depth", "var_names", "ascii_only", "hide_recursive_layers")
MODES = ("train", "eval", "same")


@dataclass
class Row:
    """One call of a module, or a container that stands above one."""

    module: Any
    depth: int
    parent: Row | None = None
    number: int = 0
    var_name: str = ""
    is_recursive: bool = False
    input_size: list[int] = field(default_factory=list)
    output_size: list[int] = field(default_factory=list)
    children: list[Row] = field(default_factory=list)
    below: list[Row] = field(default_factory=list)  # the children of all rows of a container that is never called

    @property
    def class_name(self) -> str:
        """The name of the module's class."""
        return type(self.module).__name__

    @property
    def num_params(self) -> int:
        """Numbers in all parameters of the module."""
        return sum(p.numel() for p in self.module.parameters())

    @property
    def left_over(self) -> int:
        """Numbers in parameters that no row below this one accounts for."""
        accounted = {id(p) for row in self.below for p in row.module.parameters()}
        return sum(p.numel() for p in self.module.parameters() if id(p) not in accounted)

    @property
    def mult_adds(self) -> int:
        """Multiply-adds of the call: of the module's own parameters, if it has no children, else of all rows below."""
        if self.children or next(self.module.children(), None) is not None:
            return sum(row.mult_adds for row in self.children)
        named = self.module.named_parameters(recurse=False)
        return sum(p.numel() * _places(self, name) for name, p in named) if self.output_size else 0

    @property
    def trainable(self) -> str:
        """Whether the parameters require grad: True, False, Partial; -- without any."""
        flags = {p.requires_grad for p in self.module.parameters()}
        return "--" if not flags else "Partial" if len(flags) == 2 else str(flags.pop())


def _places(row: Row, name: str) -> int:
    """How often a parameter is used: at each place of a convolution's output, in each step of a recurrence."""
    batch, *rest = row.output_size
    if "Conv" in row.class_name:
        return batch * prod(rest[1:])
    if name.startswith(("weight_", "bias_")):
        return batch * (rest[0] if rest else 1)
    return batch


@dataclass
class ModelStatistics:
    """What `summary` found; its text is the table."""

    summary_list: list[Row]
    input_size: list[list[int]]
    total_input: int
    total_params: int
    trainable_params: int
    total_param_bytes: int
    total_output_bytes: int
    total_mult_adds: int
    col_names: tuple[str, ...]
    col_width: int
    depth: int
    row_settings: frozenset[str]
    verbose: int

    def __repr__(self) -> str:
        return "\n".join(text(self))


def summary(
    model: Any,
    input_size: Any = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """Print the table of a model's layers, and return what is in it.

    Args:
        model: the module. It is run without gradients, and each module's training flag is put back.
        input_size: the shape of the input, batch included; several shapes as a list.
        input_data: the inputs themselves instead: a tensor, a list, or a dict of the forward's arguments.
        batch_dim: a dimension of 1 is put in there; `input_size` is then given without a batch.
        cache_forward_pass: accepted; the model runs each time.
        col_names: of "input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds",
            "trainable".
        depth: how many levels are listed.
        device, dtypes: of inputs that are made (uniform random numbers, from the default generator).
        mode: "eval" (default), "train", or "same" as it is.
        row_settings: of "depth", "var_names", "ascii_only", "hide_recursive_layers".
        verbose: 0 prints nothing, 2 lists parameters too. kwargs: passed to the model.

    Raises:
        ValueError: an unknown column, row setting or mode; a column that needs an input where there is none.
        RuntimeError: the model fails on the inputs, or both kinds of input are given.
        TypeError: `input_size` is no shape.

    >>> from rushlight import nn
    >>> summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3), verbose=0).total_params
    16

    Source of the layout: https://github.com/TylerYep/torchinfo
    """
    has_input = input_size is not None or input_data is not None
    columns = _columns(col_names, has_input)
    rows_as = frozenset(_each_valid(row_settings or ("depth",), ROW_SETTINGS, "RowSettings"))
    (mode,) = _each_valid([mode or "eval"], MODES, "Mode")
    if input_size is not None and input_data is not None:
        raise RuntimeError("Only one of (input_data, input_size) should be specified.")
    inputs, named = _inputs(model, input_size, input_data, batch_dim, dtypes, device)
    listed = _called(model, inputs, {**named, **kwargs}, mode) if has_input else _registered(model)
    loud = 1 if verbose is None else verbose
    given = [*inputs, *named.values()]
    found = _statistics(model, listed, given, columns, col_width, depth, rows_as, loud)
    if loud:
        print(found)
    return found


# ---- what is asked for


def _columns(names: Iterable[str] | None, has_input: bool) -> tuple[str, ...]:
    default = ("output_size", "num_params") if has_input else ("num_params",)
    chosen = _each_valid(default if names is None else names, HEADINGS, "ColumnSettings")
    needing = [name for name in chosen if name in NEED_INPUT]
    if needing and not has_input:
        raise ValueError(f"You must pass input_data or input_size in order to use columns: {', '.join(needing)}")
    return tuple(chosen)


def _each_valid(given: Iterable[Any], known: Iterable[str], kind: str) -> list[str]:
    names = [str(getattr(name, "value", name)) for name in given]
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is not a valid {kind}; there are {', '.join(known)}")
    return names


def _inputs(
    model: Any, size: Any, data: Any, batch_dim: int | None, dtypes: Sequence[Any] | None, device: Any
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments for the model, by position and by name."""
    if data is not None:
        where = _device(model, device)
        if isinstance(data, dict):
            return [], {name: _moved(x, where) for name, x in data.items()}
        several = list(data) if isinstance(data, (list, tuple)) else [data]
        return [_moved(x, where) for x in several], {}
    if size is None:
        return [], {}
    return _made(_shapes(size), batch_dim, dtypes, _device(model, device)), {}


def _device(model: Any, device: Any) -> Any:
    parameter = next(iter(model.parameters()), None)
    return device if device is not None or parameter is None else parameter.device


def _moved(x: Any, device: Any) -> Any:
    return x.to(device) if device is not None and hasattr(x, "to") else x


def _shapes(size: Any) -> list[list[int]]:
    """One shape for each input."""
    if not isinstance(size, (list, tuple)) or not size:
        raise TypeError(
            "Input_size is not a recognized type. Please ensure input_size is valid.\n"
            f"For multiple inputs to the network, ensure input_size is a list of tuple sizes. It is {size!r}"
        )
    shapes = [size] if all(isinstance(n, int) for n in size) else size
    if not all(isinstance(n, int) and n > 0 for shape in shapes for n in shape):
        raise ValueError(f"Input_data is invalid, or negative size found in input_data: {size!r}")
    return [list(shape) for shape in shapes]


def _made(shapes: list[list[int]], batch_dim: int | None, dtypes: Sequence[Any] | None, device: Any) -> list[Any]:
    import rushlight

    kinds = list(dtypes) if dtypes is not None else [rushlight.float32] * len(shapes)
    if batch_dim is not None:
        shapes = [[*shape[:batch_dim], 1, *shape[batch_dim:]] for shape in shapes]
    return [rushlight.rand(*shape, device=device).to(kind) for shape, kind in zip(shapes, kinds)]


# ---- the rows


def _registered(model: Any) -> list[Row]:
    """The model and every module below it, in the order of assignment."""
    rows: list[Row] = []
    seen: set[int] = set()

    def add(module: Any, name: str, parent: Row | None) -> None:
        row = _row(module, name, parent, seen)
        rows.append(row)
        for child_name, child in module._modules.items():
            if child is not None:
                add(child, child_name, row)

    add(model, type(model).__name__, None)
    return _numbered(rows)


def _row(module: Any, name: str, parent: Row | None, seen: set[int]) -> Row:
    row = Row(module, 0 if parent is None else parent.depth + 1, parent, var_name=name)
    row.is_recursive = id(module) in seen and bool(row.num_params or row.children)
    seen.add(id(module))
    if parent is not None:
        parent.children.append(row)
        parent.below.append(row)
    return row


def _numbered(rows: list[Row]) -> list[Row]:
    """Every row with its number among those of its depth."""
    counts: dict[int, int] = {}
    for row in rows:
        row.number = counts[row.depth] = counts.get(row.depth, 0) + 1
    return rows


class _Watch:
    """Writes the rows while a model runs."""

    def __init__(self, model: Any) -> None:
        self.rows: list[Row] = []
        self.open: list[Row] = []
        self.seen: set[int] = set()
        self.below: dict[int, list[Row]] = {}
        self.above = {
            id(child): (module, name)
            for module in model.modules()
            for name, child in module._modules.items()
            if child is not None
        }

    def begin(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caller = self.open[-1] if self.open else None
        parent = caller
        for container in self._between(module, caller):
            parent = self._container(container, parent)
        name = self.above[id(module)][1] if id(module) in self.above else type(module).__name__
        row = _row(module, name, parent, self.seen)
        row.input_size = _shape(args or tuple(kwargs.values()))
        self.rows.append(row)
        self.open.append(row)

    def end(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        self.open.pop().output_size = _shape(output)

    def _between(self, module: Any, caller: Row | None) -> list[Any]:
        """The containers that hold the module below its caller, outermost first; none if it is held elsewhere."""
        found: list[Any] = []
        while caller is not None and id(module) in self.above:
            module = self.above[id(module)][0]
            if module is caller.module:
                return found[::-1]
            found.append(module)
        return []

    def _container(self, container: Any, parent: Row | None) -> Row:
        """The container's row: the last one below its parent if it is the container's, else a new one."""
        last = parent.children[-1] if parent is not None and parent.children else None
        if last is not None and last.module is container:
            return last
        row = _row(container, self.above[id(container)][1], parent, self.seen)
        row.below = self.below.setdefault(id(container), row.below)
        self.rows.append(row)
        return row


def _called(model: Any, inputs: list[Any], kwargs: dict[str, Any], mode: str) -> list[Row]:
    """Every call of a module while the model runs on the inputs, in the order they begin."""
    import rushlight

    watch = _Watch(model)
    flags = [(module, module.training) for module in model.modules()]
    hooks = [module.register_forward_pre_hook(watch.begin, with_kwargs=True) for module, _ in flags]
    hooks += [module.register_forward_hook(watch.end, with_kwargs=True) for module, _ in flags]
    try:
        if mode != "same":
            model.train(mode == "train")
        with rushlight.no_grad():
            model(*inputs, **kwargs)
    except Exception as error:
        ran = ", ".join(f"{row.class_name}: {row.depth}" for row in watch.rows if row.output_size)
        raise RuntimeError(
            f"Failed to run torchinfo. See above stack traces for more details. Executed layers up to: [{ran}]"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in flags:
            module.training = training
    return _numbered(watch.rows)


def _shape(value: Any) -> list[int]:
    """The shape of the first tensor in `value`; [] where there is none."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        return next((shape for shape in map(_shape, value) if shape), [])
    return [int(n) for n in getattr(value, "shape", ())]


def _statistics(
    model: Any, rows: list[Row], inputs: list[Any], columns: tuple[str, ...], width: int, depth: int,
    settings: frozenset[str], verbose: int,
) -> ModelStatistics:  # fmt: skip
    parameters = list(model.parameters())
    leaves = [row for row in rows if not row.children and row.num_params and not row.is_recursive]
    return ModelStatistics(
        summary_list=rows,
        input_size=[_shape(x) for x in inputs],
        total_input=sum(x.numel() * x.element_size() for x in inputs if hasattr(x, "element_size")),
        total_params=sum(p.numel() for p in parameters),
        trainable_params=sum(p.numel() for p in parameters if p.requires_grad),
        total_param_bytes=sum(p.numel() * p.element_size() for p in parameters),
        total_output_bytes=sum(2 * 4 * prod(row.output_size) for row in leaves if row.output_size),
        total_mult_adds=rows[0].mult_adds,
        col_names=columns,
        col_width=width,
        depth=depth,
        row_settings=settings,
        verbose=verbose,
    )


# ---- the table


def text(found: ModelStatistics) -> Iterator[str]:
    """The lines of the table."""
    hide = "hide_recursive_layers" in found.row_settings
    rows = [row for row in found.summary_list if row.depth <= found.depth and not (hide and _again(row, found))]
    width = _name_width(rows, found)
    rule = "=" * (width + found.col_width * len(found.col_names))
    yield rule
    yield _line(_heading(found), [HEADINGS[name] for name in found.col_names], width, found)
    yield rule
    for row in rows:
        yield _line(_label(row, found), [_cell(row, name, found) for name in found.col_names], width, found)
        if found.verbose == 2:
            yield from _parameters(row, width, found)
    yield rule
    yield from _totals(found, rule)
    yield rule


def _again(row: Row, found: ModelStatistics) -> bool:
    """Whether a row before this one is of the same module."""
    first = next(other for other in found.summary_list if other.module is row.module)
    return first is not row


def _name_width(rows: list[Row], found: ModelStatistics) -> int:
    longest = max(len(_label(row, found)) for row in rows)
    return longest + 4 if longest >= NAME_WIDTH else NAME_WIDTH


def _line(name: str, cells: Sequence[str], width: int, found: ModelStatistics) -> str:
    return (f"{name:<{width}} " + " ".join(f"{cell:<{found.col_width}}" for cell in cells)).rstrip()


def _heading(found: ModelStatistics) -> str:
    name = "type (var_name)" if "var_names" in found.row_settings else "type"
    return f"Layer ({name}:depth-idx)" if "depth" in found.row_settings else f"Layer ({name})"


def _label(row: Row, found: ModelStatistics) -> str:
    name = f"{row.class_name} ({row.var_name})" if "var_names" in found.row_settings else row.class_name
    if "depth" in found.row_settings and row.depth:
        name += f": {row.depth}-{row.number}"
    return _branch(row.depth, found) + name


def _branch(depth: int, found: ModelStatistics) -> str:
    """The tree drawn in front of a name."""
    if depth == 0:
        return ""
    if "ascii_only" in found.row_settings:
        return "|    " * (depth - 1) + "+ "
    return "├─" if depth == 1 else "│    " * (depth - 1) + "└─"


def _parameters(row: Row, width: int, found: ModelStatistics) -> Iterator[str]:
    """A line for each parameter of a row below the model."""
    named = list(row.module.named_parameters()) if row.depth else []
    for place, (name, parameter) in enumerate(named):
        mark = "└─" if place == len(named) - 1 else "├─"
        shown = {"num_params": f"{mark}{parameter.numel():,}", "kernel_size": str(list(parameter.shape))}
        label = "│    " * row.depth + "└─" + name
        yield _line(label, [shown.get(column, "") for column in found.col_names], width, found)


def _cell(row: Row, column: str, found: ModelStatistics) -> str:
    if column in ("input_size", "output_size"):
        return str(getattr(row, column) or "--")
    if column == "num_params":
        return _parameter_cell(row, found)
    if column == "params_percent":
        return _percent_cell(row, found)
    if column == "mult_adds":
        inner = row.children and row.depth < found.depth
        return "--" if inner or not row.mult_adds else f"{row.mult_adds:,}"
    if column == "kernel_size":
        weight = getattr(row.module, "weight", None)
        return str(list(weight.shape[2:])) if "Conv" in row.class_name and weight is not None else "--"
    return row.trainable


def _counted(row: Row, found: ModelStatistics) -> int:
    """Parameters that the row speaks for: the last level shown speaks for all below it."""
    return row.num_params if row.depth == found.depth else row.left_over


def _parameter_cell(row: Row, found: ModelStatistics) -> str:
    if row.is_recursive:
        return "(recursive)"
    count = _counted(row, found)
    return "--" if not count else f"({count:,})" if row.trainable == "False" else f"{count:,}"


def _percent_cell(row: Row, found: ModelStatistics) -> str:
    if row.is_recursive:
        return "(recursive)"
    count = _counted(row, found)
    return f"{f'{count / found.total_params:.2%}' if count else '--':>7}"


def _totals(found: ModelStatistics, rule: str) -> Iterator[str]:
    yield f"Total params: {found.total_params:,}"
    yield f"Trainable params: {found.trainable_params:,}"
    yield f"Non-trainable params: {found.total_params - found.trainable_params:,}"
    if not found.input_size:
        return
    work = found.total_mult_adds
    unit, size = next(((u, s) for u, s in (("T", 1e12), ("G", 1e9)) if work >= s), ("M", 1e6))
    yield f"Total mult-adds ({unit}): {work / size:.2f}"
    yield rule
    total = found.total_input + found.total_output_bytes + found.total_param_bytes
    yield f"Input size (MB): {found.total_input / 1e6:.2f}"
    yield f"Forward/backward pass size (MB): {found.total_output_bytes / 1e6:.2f}"
    yield f"Params size (MB): {found.total_param_bytes / 1e6:.2f}"
    yield f"Estimated Total Size (MB): {total / 1e6:.2f}"


__getattr__ = missing(__name__, home="torchinfo")
