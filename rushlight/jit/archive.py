"""`torch.jit.save` and `torch.jit.load`: a module as a file of plain data, of which nothing is run as code.

forward is traced by `torch.fx`, once as in training and once as in evaluation. A node of the graph is written as the
name of what it calls, a function of `torch`, a method of Tensor, an operator or a layer of `torch.nn`, with its
arguments; a layer as its class and the arguments of its constructor. Reading looks these names up in Rushlight's own
tables and calls the public functions, which check what they are given. The file itself is one that `torch.save` writes.
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import IO, Any

from rushlight import fx, nn
from rushlight.core.device import device
from rushlight.core.dtype import dtype
from rushlight.fx.graph import BINARY, UNARY
from rushlight.jit.scripted import RecursiveScriptModule
from rushlight.serialization import load as load_data
from rushlight.serialization import save as save_data
from rushlight.tensor import FUNCTIONAL, FUNCTIONS, METHODS, SPACES, Tensor

KIND = "rushlight.jit"
VERSION = 1
PLAIN = (bool, int, float, complex, str, type(None), dtype)

# ---------------------------------------------------------------------------------------------------------------------
# Names in the file, and what they call

#: What a graph asks of a tensor without calling it.
ATTRIBUTES = frozenset({"shape", "ndim", "dtype", "device", "T", "mT", "H", "mH", "real", "imag", "requires_grad"})
#: Methods that are not among the operations, but compute or say something of a tensor.
METHODS_OF_HANDLES = frozenset({
    "to", "float", "double", "half", "bfloat16", "long", "int", "bool", "cpu", "type_as", "detach", "size", "dim",
    "numel", "item", "is_contiguous", "new_zeros", "new_ones", "new_full", "zero_", "fill_", "copy_",
})  # fmt: skip
HOMES = ("rushlight.ops.", "rushlight.nn.")  # where the functions are that a file may name
OPERATORS = (*BINARY, *UNARY, "getitem", "iadd", "isub", "imul", "itruediv")


def _attribute(x: Any, name: str) -> Any:
    if not isinstance(x, Tensor) or name not in ATTRIBUTES:
        raise RuntimeError(f"torch.jit.load: the program asks a {type(x).__name__} for {name!r}")
    return getattr(x, name)


@cache
def _callable_names() -> dict[str, Callable[..., Any]]:
    """The functions that a file may name: those that compute something of tensors, and nothing else."""
    found: dict[str, Callable[..., Any]] = {f"operator.{name}": getattr(operator, name) for name in OPERATORS}
    found |= {f.__name__: f for f in (float, int, len)}
    found["getattr"] = _attribute
    for path, table in (("torch", FUNCTIONS), ("torch.nn.functional", FUNCTIONAL)):
        found |= {f"{path}.{name}": f for name, f in table.items() if f.__module__.startswith(HOMES)}
    for space, table in SPACES.items():
        found |= {f"torch.{space}.{name}": f for name, f in table.items()}
    for name, f in vars(nn.functional).items():
        if isinstance(f, FunctionType) and name[0] != "_" and f.__module__.startswith(HOMES):
            found[f"torch.nn.functional.{name}"] = f
    return found


@cache
def _method_names() -> frozenset[str]:
    return METHODS_OF_HANDLES | {n for n, f in METHODS.items() if getattr(f, "__module__", "").startswith(HOMES)}


@cache
def _layers() -> dict[str, type[nn.Module]]:
    """The layers that a file may name."""
    classes = {name: c for name, c in vars(nn).items() if isinstance(c, type) and issubclass(c, nn.Module)}
    del classes["Module"]
    return classes


def _constructor(kind: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """The parameters of a layer's constructor; a recurrent layer's are its base's."""
    for cls in kind.__mro__:
        found = inspect.signature(cls).parameters
        if not any(p.kind is p.VAR_POSITIONAL for p in found.values()):
            return {n: p for n, p in found.items() if n not in ("mode", "device", "dtype") and n[0] != "_"}
    return {}


def _described(layer: nn.Module) -> dict[str, Any] | None:
    """A layer as its class and the arguments that make another one like it; None where that cannot be told."""
    kind = type(layer).__name__
    if _layers().get(kind) is not type(layer) or layer._modules:
        return None
    given = {name: getattr(layer, name) for name in _constructor(type(layer)) if hasattr(layer, name)}
    wanted = {n: True if isinstance(v, Tensor) else False if n == "bias" and v is None else v for n, v in given.items()}
    if not all(_is_plain(value) for value in wanted.values()):
        return None
    try:
        like = _made({"kind": kind, "options": wanted, "training": layer.training})
    except Exception:  # whatever a constructor objects to: then the layer is not one that these arguments make
        return None
    return {"kind": kind, "options": wanted, "training": layer.training} if _alike(layer, like) else None


def _is_plain(value: Any) -> bool:
    return all(map(_is_plain, value)) if isinstance(value, (tuple, list)) else isinstance(value, PLAIN)


def _alike(a: nn.Module, b: nn.Module) -> bool:
    """Whether two layers have the same settings, and parameters and buffers of the same names and shapes."""
    plain = [{n: v for n, v in vars(m).items() if _is_plain(v)} for m in (a, b)]
    shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (a, b)]
    return plain[0] == plain[1] and shapes[0] == shapes[1]


def _made(described: dict[str, Any]) -> nn.Module:
    """The layer that was described, with tensors that have no numbers yet."""
    kind, options = _layers()[described["kind"]], described["options"]
    if not all(n in _constructor(kind) and _is_plain(v) for n, v in options.items()):
        raise ValueError(f"{described['kind']} has no such arguments")
    with device("meta"):
        made = kind(**options)
    return made.train(bool(described["training"]))


# ---------------------------------------------------------------------------------------------------------------------
# Writing


class _Tracer(fx.Tracer):
    """Goes into every module that is not among the layers that can be written."""

    proxy_buffer_attributes = True

    def __init__(self, layers: dict[str, Any]) -> None:
        super().__init__()
        self.layers = layers

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name in self.layers


def save(m: nn.Module, f: str | os.PathLike[str] | IO[bytes], extra: dict[str, Any] | None = None) -> None:
    """`torch.jit.save`."""
    if not isinstance(m, nn.Module):
        raise TypeError(f"torch.jit.save: expected a module, got {type(m).__name__}")
    save_data(_program_of(m) | {"extra": dict(extra or {})}, f)


def _program_of(m: nn.Module) -> dict[str, Any]:
    if isinstance(m, LoadedModule):
        return m.__dict__["_program"] | {"training": m.training, "state": _state_of(m), "layers": _layers_in(m)}
    graphs, layers, modes = {}, _layers_in(m), [(module, module.training) for module in m.modules()]
    try:
        for training in (True, False):
            graphs[training] = _nodes_of(m.train(training), layers)
    finally:
        for module, was in modes:
            module.training = was
    return {"kind": KIND, "version": VERSION, "name": type(m).__name__, "training": m.training, "graphs": graphs,
            "layers": layers, "state": _state_of(m)}  # fmt: skip


def _layers_in(m: nn.Module) -> dict[str, Any]:
    return {path: found for path, module in m.named_modules() if (found := _described(module)) is not None}


def _state_of(m: nn.Module) -> list[tuple[str, str, Tensor, bool]]:
    """Parameters and buffers: their path, what they are, their numbers, whether they require grad."""
    saved = m.state_dict(keep_vars=True)
    found = [(n, "parameter", p.detach(), p.requires_grad) for n, p in m.named_parameters(remove_duplicate=False)]
    for name, b in m.named_buffers(remove_duplicate=False):
        found.append((name, "buffer" if name in saved else "passing buffer", b.detach(), False))
    return found


def _nodes_of(m: nn.Module, layers: dict[str, Any]) -> list[tuple[str, str, str, Any, Any]]:
    """The graph of forward as plain data. Raises NotImplementedError for what cannot be traced or written."""
    tracer, before = _Tracer(layers), set(vars(m))
    try:
        graph = tracer.trace(m)
        return [_written(node, m) for node in graph.nodes]
    except Exception as why:
        raise NotImplementedError(
            f"torch.jit.save: what {type(m).__name__} does cannot be written down as calls ({why}); torch.save its "
            "state_dict() instead"
        ) from why
    finally:
        for name in vars(m).keys() - before:  # a tracer leaves constants on what it has traced
            delattr(m, name)


def _written(node: fx.Node, m: nn.Module) -> tuple[str, str, str, Any, Any]:
    target = node.path if node.op == "call_function" else str(node.target)
    known = {"call_function": _callable_names(), "call_method": _method_names()}.get(node.op)
    if known is not None and target not in known or node.op == "placeholder" and target[0] == "*":
        raise NotImplementedError(f"{target} has no form in a file")
    if node.op == "get_attr" and target.startswith("_tensor_constant"):
        return node.name, "constant", target, getattr(m, target).detach(), {}
    return node.name, node.op, target, _data(node.args), _data(node.kwargs)


def _data(value: Any) -> Any:
    """Arguments as plain data: what is not, becomes a dict that says what it was."""
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)([_data(part) for part in value])
    if isinstance(value, dict):
        return {"dict": {name: _data(part) for name, part in value.items()}}
    if isinstance(value, slice):
        return {"slice": [_data(part) for part in (value.start, value.stop, value.step)]}
    if value is Ellipsis or isinstance(value, device):
        return {"ellipsis": True} if value is Ellipsis else {"device": str(value)}
    if not isinstance(value, PLAIN):
        raise NotImplementedError(f"an argument of type {type(value).__name__} has no form in a file")
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Reading


class LoadedModule(RecursiveScriptModule):
    """A module that a file describes: its layers, parameters and buffers, and the graph that runs them."""

    def __init__(self, program: dict[str, Any]) -> None:
        super().__init__()
        for path, described in program["layers"].items():
            _put(self, path, _made(described))
        for path, kind, t, requires_grad in program["state"]:
            _put_tensor(self, path, kind, t, requires_grad)
        for name, t in self.state_dict(keep_vars=True).items():
            if t.is_meta:
                raise ValueError(f"there are no numbers for {name}")
        self.__dict__["_program"] = program
        self.__dict__["_graphs"] = {mode: self._read(program["graphs"][mode]) for mode in (True, False)}
        self.training = bool(program["training"])

    @property
    def original_name(self) -> str:
        return str(self.__dict__["_program"]["name"])

    @property
    def graph(self) -> fx.Graph:
        """The calls that forward makes in the mode that the module is in."""
        found: fx.Graph = self.__dict__["_graphs"][self.training]
        return found

    @property
    def code(self) -> str:
        """The graph as Python code."""
        return str(self.graph.python_code("self").src)

    def _get_name(self) -> str:
        return f"RecursiveScriptModule[{self.original_name}]"

    def _read(self, nodes: list[Any]) -> fx.Graph:
        graph, known = fx.Graph(), {}
        for name, op, target, args, kwargs in nodes:
            if op == "constant":
                _put_tensor(self, target, "passing buffer", args, False)
                known[name] = graph.get_attr(target)
                continue
            called: Any = _callable_names()[target] if op == "call_function" else target
            _check_target(self, op, target)
            known[name] = graph.create_node(op, called, _arguments(args, known), _arguments(kwargs, known), name)
        graph.lint()
        return graph

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the program. Raises TypeError for arguments that it does not have."""
        parameters = [
            inspect.Parameter(str(n.target), inspect.Parameter.POSITIONAL_OR_KEYWORD,
                              default=n.args[0] if n.args else inspect.Parameter.empty)
            for n in self.graph.nodes if n.op == "placeholder"
        ]  # fmt: skip
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
        bound.apply_defaults()
        return _Runner(self, graph=self.graph).run(*bound.args)


class _Runner(fx.Interpreter):
    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        """The result of a method of a tensor, and of nothing else."""
        if not args or not isinstance(args[0], Tensor):
            raise RuntimeError(f"torch.jit.load: the program calls {target} of something that is no tensor")
        return getattr(args[0], target)(*args[1:], **kwargs)


def _owner(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that has the last part of a path, made where it is not there yet, and that part."""
    *parts, name = path.split(".")
    for part in parts:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]  # type: ignore[assignment]
    return root, name


def _put(root: nn.Module, path: str, layer: nn.Module) -> None:
    owner, name = _owner(root, path)
    owner.add_module(name, layer)


def _put_tensor(root: nn.Module, path: str, kind: str, t: Any, requires_grad: bool) -> None:
    owner, name = _owner(root, path)
    before = (owner._parameters if kind == "parameter" else owner._buffers).get(name)
    if not isinstance(t, Tensor) or before is not None and before.shape != t.shape:
        raise ValueError(f"{path} has not the shape that its layer wants")
    if kind == "parameter":
        owner._parameters.pop(name, None)
        owner.register_parameter(name, nn.Parameter(t, bool(requires_grad)))
    else:
        owner._buffers.pop(name, None)
        owner.register_buffer(name, t, persistent=kind == "buffer")


def _check_target(root: nn.Module, op: str, target: str) -> None:
    """Raises ValueError for what a node may not name."""
    owner, _, name = target.rpartition(".")
    if op == "call_method" and target not in _method_names():
        raise ValueError(f"{target} is no method that a program may call")
    if op == "call_module" and type(root.get_submodule(target)) not in _layers().values():
        raise ValueError(f"{target} is no layer")
    if op == "get_attr" and name not in (module := root.get_submodule(owner))._parameters | module._buffers:
        raise ValueError(f"{target} is neither parameter nor buffer")


def _arguments(value: Any, known: dict[str, fx.Node]) -> Any:
    """The arguments that `_data` has written."""
    if isinstance(value, (list, tuple)):
        return type(value)([_arguments(part, known) for part in value])
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items() if value else (("dict", {}),)
    if kind == "node":
        return known[inner]
    if kind == "dict":
        return {str(name): _arguments(part, known) for name, part in inner.items()}
    if kind == "slice":
        return slice(*[_arguments(part, known) for part in inner])
    return {"ellipsis": Ellipsis, "device": device(inner) if kind == "device" else None}[kind]


def load(f: str | os.PathLike[str] | IO[bytes], map_location: Any, extra: dict[str, Any] | None) -> LoadedModule:
    """`torch.jit.load`."""
    try:
        program = load_data(f, map_location)
    except RuntimeError as why:
        if "TorchScript archive" not in str(why):
            raise
        raise NotImplementedError(
            "torch.jit.load: the file was written by PyTorch; such files hold programs, which Rushlight does not read. "
            "torch.load a state_dict instead"
        ) from why
    if not isinstance(program, dict) or program.get("kind") != KIND or program.get("version") != VERSION:
        raise RuntimeError("torch.jit.load: the file holds data, not a module that torch.jit.save has written")
    try:
        made = LoadedModule(program)
    except Exception as why:  # anything at all may stand in a file
        raise RuntimeError(f"torch.jit.load: the file is damaged: {type(why).__name__}: {why}") from why
    wanted = {} if extra is None else extra
    for name in wanted.keys() & program["extra"].keys():
        found = program["extra"][name]
        wanted[name] = found.encode() if isinstance(found, str) else found
    return made
