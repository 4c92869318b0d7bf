"""`Dim`: a dimension whose size is left open, and which dimensions of which arguments `dynamic_shapes` leaves open."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rushlight.record.value import Tensor
from rushlight.utils._pytree import TreeSpec, tree_leaves_with_path, tree_unflatten

__all__ = ["Dim", "Symbol", "argument_names", "dims", "leaf_names", "open_axes", "symbols_of"]


class DimHint(Enum):
    """`Dim.AUTO`: open if the model allows it; `Dim.DYNAMIC`: open; `Dim.STATIC`: the example's size."""

    AUTO = "auto"
    DYNAMIC = "dynamic"
    STATIC = "static"


class Dim:
    """A named dimension of any size between `min` and `max`; `2 * dim` and `dim + 1` are dimensions that follow it.

    >>> batch = torch.export.Dim("batch", min=2, max=64)
    >>> 2 * batch + 1
    2*batch + 1
    """

    AUTO, DYNAMIC, STATIC = DimHint.AUTO, DimHint.DYNAMIC, DimHint.STATIC

    def __init__(self, name: str, *, min: int | None = None, max: int | None = None) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"torch.export.Dim: expected an identifier as name, not {name!r}")
        if min is not None and max is not None and min >= max:
            raise ValueError(f"Cannot create Dim with inconsistent min={min}, max={max}")
        self.__name__ = name
        self.min, self.max = min, max
        self.root: Dim = self
        self.factor, self.offset = 1, 0

    def _derived(self, factor: int, offset: int) -> Dim:
        if not isinstance(factor, int) or not isinstance(offset, int):
            raise NotImplementedError(f"torch.export.Dim: {self} can be multiplied by integers and added to them only")
        made = Dim(self.root.__name__)
        made.root, made.factor, made.offset = self.root, factor, offset
        return made

    def __mul__(self, other: int) -> Dim:
        return self._derived(self.factor * other, self.offset * other)

    __rmul__ = __mul__

    def __add__(self, other: int) -> Dim:
        return self._derived(self.factor, self.offset + other)

    __radd__ = __add__

    def __sub__(self, other: int) -> Dim:
        return self + -other

    def __repr__(self) -> str:
        name = self.root.__name__ if self.factor == 1 else f"{self.factor}*{self.root.__name__}"
        return name if not self.offset else f"{name} {'-' if self.offset < 0 else '+'} {abs(self.offset)}"


def dims(*names: str, min: int | None = None, max: int | None = None) -> tuple[Dim, ...]:
    """Several dimensions.

    >>> torch.export.dims("batch", "length")
    (batch, length)
    """
    return tuple([Dim(name, min=min, max=max) for name in names])


@dataclass(eq=False)
class Symbol:
    """A size that is left open: its name, the example's size, its bounds, and where it stands.

    A place is the number of an argument, the dimension, and how the size there follows: `factor * size + offset`.
    """

    name: str
    hint: int
    min: int = 0
    max: int | None = None
    optional: bool = False
    places: list[tuple[int, int, int, int]] = field(default_factory=list)


def symbols_of(
    model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any], tree: TreeSpec,
    dynamic_shapes: Any,
) -> list[Symbol]:  # fmt: skip
    """What `dynamic_shapes` leaves open.

    Raises:
        ValueError: it does not fit the arguments, or one name stands for two sizes.
    """
    if not dynamic_shapes:
        return []
    numbered_args, numbered_kwargs = tree_unflatten(range(len(leaves)), tree)
    found = _Symbols(leaves)
    by_name = argument_names(model, args, kwargs)
    parts = {n: numbered_args[k] if isinstance(k, int) else numbered_kwargs[k] for n, k in by_name.items()}
    if isinstance(dynamic_shapes, Mapping):
        unknown = [name for name in dynamic_shapes if name not in parts and name not in _starred(model)]
        if unknown:
            raise ValueError(
                f"dynamic_shapes names {unknown[0]!r}, which is no argument of the model; there are {list(parts)}"
            )
        for name, shape in dynamic_shapes.items():
            if name in parts:
                found.walk(parts[name], shape, name)
            else:
                found.walk(list(numbered_args), shape, name)
    else:
        found.walk([*numbered_args, *numbered_kwargs.values()], dynamic_shapes, "args")
    return list(found.symbols.values())


def _starred(model: Callable[..., Any]) -> list[str]:
    parameters = _signature(model).values()
    return [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]


def _signature(model: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(getattr(model, "forward", model)).parameters
    except (TypeError, ValueError):
        return {}


def argument_names(model: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments' names, and for each its position or its keyword."""
    named: list[str] = []
    for p in _signature(model).values():
        if p.kind is p.VAR_POSITIONAL:
            named += [f"{p.name}_{k}" for k in range(len(args) - len(named))]
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            named.append(p.name)
    named += [f"arg{k}" for k in range(len(named), len(args))]
    return {**{name: k for k, name in enumerate(named[: len(args)])}, **{name: name for name in kwargs}}


class _Symbols:
    """Collects Symbols while arguments and their shapes are walked side by side."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self.leaves = leaves
        self.symbols: dict[str, Symbol] = {}

    def walk(self, part: Any, shape: Any, path: str) -> None:
        """`part` has the numbers of arguments where the arguments have tensors."""
        if shape is None:
            return
        if isinstance(part, int):
            self._tensor(part, shape, path)
        elif isinstance(part, Mapping) and isinstance(shape, Mapping):
            for key, inner in shape.items():
                self.walk(part[key], inner, f"{path}[{key!r}]")
        elif isinstance(part, (list, tuple)) and isinstance(shape, (list, tuple)) and len(part) == len(shape):
            for k, (p, s) in enumerate(zip(part, shape, strict=True)):
                self.walk(p, s, f"{path}[{k}]")
        else:
            raise ValueError(f"dynamic_shapes for {path} does not have the structure of the argument: got {shape!r}")

    def _tensor(self, number: int, shape: Any, path: str) -> None:
        x = self.leaves[number]
        if not isinstance(x, Tensor):
            raise ValueError(f"dynamic_shapes for {path}: the argument is no tensor but a {type(x).__name__}")
        if isinstance(shape, (list, tuple)):
            if len(shape) != x.dim():
                raise ValueError(f"dynamic_shapes for {path} has {len(shape)} entries; the tensor is {x.dim()}-D")
            shape = dict(enumerate(shape))
        if not isinstance(shape, Mapping):
            raise ValueError(f"dynamic_shapes for {path}: expected a dict or tuple of Dims, not {shape!r}")
        for axis, dim in shape.items():
            if not -x.dim() <= axis < x.dim():
                raise ValueError(f"dynamic_shapes for {path} names dimension {axis} of a {x.dim()}-D tensor")
            self._place(number, axis % x.dim(), dim, path)

    def _place(self, number: int, axis: int, dim: Any, path: str) -> None:
        size = self.leaves[number].shape[axis]
        if dim is None or dim is DimHint.STATIC or isinstance(dim, int):
            if isinstance(dim, int) and dim != size:
                raise ValueError(f"dynamic_shapes for {path}: dimension {axis} shall be {dim}, the example has {size}")
            return
        if isinstance(dim, DimHint):
            name = f"s{len(self.symbols)}"
            made = self.symbols[name] = Symbol(name, size, optional=dim is DimHint.AUTO)
            made.places.append((number, axis, 1, 0))
            return
        dim = Dim(dim) if isinstance(dim, str) else dim
        if not isinstance(dim, Dim):
            raise ValueError(f"dynamic_shapes for {path}: {dim!r} is no Dim")
        self._named(dim, size, (number, axis, dim.factor, dim.offset), path)

    def _named(self, dim: Dim, size: int, place: tuple[int, int, int, int], path: str) -> None:
        hint, rest = divmod(size - dim.offset, dim.factor)
        root = dim.root
        symbol = self.symbols.setdefault(root.__name__, Symbol(root.__name__, hint, root.min or 0, root.max))
        if rest or symbol.hint != hint:
            raise ValueError(
                f"Constraints violated ({root.__name__})! dynamic_shapes for {path} says {dim} of dimension "
                f"{place[1]}, whose size is {size}, but {root.__name__} is {symbol.hint} elsewhere"
            )
        symbol.places.append(place)


def leaf_names(model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """A name for each argument, those inside containers among them: `x`, `state_0`, `options_scale`."""
    names = argument_names(model, args, kwargs)
    by_place = {place: name for name, place in names.items()}
    found = []
    for path, _ in tree_leaves_with_path((args, kwargs)):
        _, place, *rest = [_key(k) for k in path]
        found.append("_".join([str(by_place.get(place, place)), *map(str, rest)]))
    return found


def _key(entry: Any) -> Any:
    return next(getattr(entry, name) for name in ("idx", "key", "name") if hasattr(entry, name))


def open_axes(leaves: Sequence[Any], names: Sequence[str | None], axes: Mapping[str, Any]) -> list[Symbol]:
    """The Symbols of PyTorch's older form: `{"x": {0: "batch"}}`, or `{"x": [0, 1]}` for sizes without names.

    `names` are the tensors' names, as the file has them.
    """
    found: dict[str, Symbol] = {}
    for number, (x, name) in enumerate(zip(leaves, names, strict=True)):
        chosen = axes.get(name, {}) if name is not None else {}
        if not isinstance(chosen, Mapping):
            chosen = {axis: f"{name}_dynamic_axes_{k + 1}" for k, axis in enumerate(chosen)}
        for axis, label in chosen.items():
            if not isinstance(axis, int) or not -x.dim() <= axis < x.dim():
                raise ValueError(f"dynamic_axes for {name!r} names dimension {axis!r} of a {x.dim()}-D tensor")
            size = x.shape[axis]
            label = str(getattr(label, "__name__", label))
            known = found.get(label)
            if known is not None and known.hint != size:
                label = f"{label}_of_{name}_{axis}"
            symbol = found.setdefault(label, Symbol(label, size))
            symbol.places.append((number, axis % x.dim(), 1, 0))
    return list(found.values())
