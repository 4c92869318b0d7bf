"""`ExportedProgram`: a model as a program for all sizes, apart from the code that it was written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from rushlight import fx, nn
from rushlight.fx.interpreter import Interpreter
from rushlight.record.spec import spec_of
from rushlight.record.value import Tensor, tensor_holding
from rushlight.utils._pytree import tree_flatten, tree_unflatten

from .calls import Writer
from .dims import Symbol, leaf_names, symbols_of
from .graph import Graph, Value
from .recording import state_of
from .tracing import Tracer


class InputKind(Enum):
    """What an argument of the exported graph is."""

    USER_INPUT = "USER_INPUT"
    PARAMETER = "PARAMETER"
    BUFFER = "BUFFER"
    CONSTANT_TENSOR = "CONSTANT_TENSOR"


class OutputKind(Enum):
    """What a result of the exported graph is."""

    USER_OUTPUT = "USER_OUTPUT"


@dataclass(frozen=True)
class InputSpec:
    """An argument of the exported graph: its name there, and of a parameter or buffer the name in the state dict."""

    kind: InputKind
    arg: str
    target: str | None


@dataclass(frozen=True)
class OutputSpec:
    """A result of the exported graph, by its name there."""

    kind: OutputKind
    arg: str | None
    target: str | None = None


@dataclass(frozen=True)
class ExportGraphSignature:
    """The arguments and results of the exported graph."""

    input_specs: list[InputSpec]
    output_specs: list[OutputSpec]

    def _of(self, kind: InputKind) -> dict[str, str]:
        return {s.arg: str(s.target) for s in self.input_specs if s.kind is kind}

    @property
    def user_inputs(self) -> tuple[str, ...]:
        """The names of what the caller gives."""
        return tuple([s.arg for s in self.input_specs if s.kind is InputKind.USER_INPUT])

    @property
    def user_outputs(self) -> tuple[str | None, ...]:
        """The names of what the caller gets."""
        return tuple([s.arg for s in self.output_specs])

    @property
    def inputs_to_parameters(self) -> dict[str, str]:
        """The names in the graph and in the state dict."""
        return self._of(InputKind.PARAMETER)

    @property
    def inputs_to_buffers(self) -> dict[str, str]:
        """The names in the graph and in the state dict."""
        return self._of(InputKind.BUFFER)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that are used."""
        return tuple(self.inputs_to_parameters.values())

    @property
    def buffers(self) -> tuple[str, ...]:
        """The buffers that are used."""
        return tuple(self.inputs_to_buffers.values())

    def __str__(self) -> str:
        lines = ["", "# inputs"]
        for s in self.input_specs:
            lines.append(f"{s.arg}: {s.kind.name}" + ("" if s.target is None else f" target='{s.target}'"))
        return "\n".join([*lines, "", "# outputs", *[f"{s.arg}: {s.kind.name}" for s in self.output_specs], ""])


class ExportedProgram:
    """What `torch.export.export` returns.

    Attributes:
        example_inputs: the arguments and keyword arguments that the model was recorded with.
        input_names: the names of the tensors among them.
        range_constraints: the sizes that are left open, by name, and their bounds.
        traced: the recorded graph, from which the others are written.
    """

    def __init__(
        self, traced: Graph, model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        symbols: list[Symbol], size_names: dict[tuple[int, ...], str],
    ) -> None:  # fmt: skip
        self.traced = traced
        self.size_names = size_names
        self.example_inputs = args, kwargs
        leaves, self._tree = tree_flatten((args, kwargs))
        self._leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        names = leaf_names(model, args, kwargs)
        self._numbers = [k for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.input_names = [names[k] for k in self._numbers]
        module = model if isinstance(model, nn.Module) else None
        self._state = state_of(module)
        self.state_dict: dict[str, Tensor] = {} if module is None else module.state_dict(keep_vars=True)
        self.range_constraints = {s.name: (s.min, s.max) for s in symbols}
        self._graph_module: fx.GraphModule | None = None
        self._graph_signature: ExportGraphSignature | None = None

    # ---- parts

    def parameters(self) -> Iterator[Tensor]:
        """The parameters."""
        return (t for t in self._state.values() if isinstance(t, nn.Parameter))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters and their names."""
        return ((name, t) for name, t in self._state.items() if isinstance(t, nn.Parameter))

    def buffers(self) -> Iterator[Tensor]:
        """The buffers."""
        return (t for t in self._state.values() if not isinstance(t, nn.Parameter))

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The buffers and their names."""
        return ((name, t) for name, t in self._state.items() if not isinstance(t, nn.Parameter))

    @property
    def constants(self) -> dict[str, Tensor]:
        """Tensors that the model uses and that are neither arguments nor in its state dict."""
        found = [v for v in self.traced.values() if v.kind == "constant"]
        return {f"constant_{k}": _tensor(v) for k, v in enumerate(found)}

    tensor_constants = constants

    # ---- as a graph

    def _placeholders(self) -> list[tuple[Value, InputSpec]]:
        """The graph's arguments: parameters, buffers and constants before the caller's."""
        found = []
        for name, value in self.traced.state.items():
            parameter = isinstance(self._state[name], nn.Parameter)
            kind = InputKind.PARAMETER if parameter else InputKind.BUFFER
            found.append((value, InputSpec(kind, f"{'p' if parameter else 'b'}_{name.replace('.', '_')}", name)))
        constants = [v for v in self.traced.values() if v.kind == "constant"]
        for k, value in enumerate(constants):
            found.append((value, InputSpec(InputKind.CONSTANT_TENSOR, f"c_constant_{k}", f"constant_{k}")))
        for name, value in zip(self.input_names, self.traced.inputs.values(), strict=True):
            found.append((value, InputSpec(InputKind.USER_INPUT, name, None)))
        return found

    @property
    def graph_module(self) -> fx.GraphModule:
        """The program as a graph of calls whose arguments are parameters, buffers, and what the caller gives."""
        if self._graph_module is None:
            writer = Writer(self.traced)
            for value, spec in self._placeholders():
                writer.take(value, writer.made.placeholder(spec.arg))
            self._graph_module = fx.GraphModule(nn.Module(), writer.write())
        return self._graph_module

    @property
    def graph(self) -> fx.Graph:
        """The graph of `graph_module`."""
        return self.graph_module.graph

    @property
    def graph_signature(self) -> ExportGraphSignature:
        """What the arguments and results of `graph` are."""
        if self._graph_signature is None:
            outputs = next(n for n in self.graph.nodes if n.op == "output").args[0]
            results = [OutputSpec(OutputKind.USER_OUTPUT, None if n is None else n.name) for n in outputs]
            self._graph_signature = ExportGraphSignature([spec for _, spec in self._placeholders()], results)
        return self._graph_signature

    def __str__(self) -> str:
        code = self.graph_module.print_readable(print_output=False)
        signature = str(self.graph_signature)
        return f"ExportedProgram:\n{code}\nGraph signature:{signature}\nRange constraints: {self.range_constraints}\n"

    __repr__ = __str__

    # ---- as a module

    def module(self, check_guards: bool = True) -> nn.Module:
        """The program as a module, with the parameters and buffers of the model itself."""
        return ExportedModule(self)

    def validate(self) -> None:
        """Raises RuntimeError if the graph is not well-formed."""
        self.graph.lint()

    def run_decompositions(self, decomp_table: Any = None, **options: Any) -> ExportedProgram:
        """The program itself: what is recorded are Rushlight's own operations, and there is no other set of them."""
        return self


class ExportedModule(nn.Module):
    """A module that runs an exported program; it is called as the model was."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        for name, t in program._state.items():
            self._put(name, t)
        writer = Writer(program.traced)
        for value, spec in program._placeholders():
            if spec.kind is InputKind.USER_INPUT:
                node = writer.made.placeholder(spec.arg)
            else:
                if spec.kind is InputKind.CONSTANT_TENSOR:
                    self._put(str(spec.target), _tensor(value), persistent=False)
                node = writer.made.get_attr(str(spec.target))
            writer.take(value, node)
        self.__dict__["graph"] = writer.write()
        self.__dict__["_program"] = program

    def _put(self, path: str, t: Tensor, persistent: bool = True) -> None:
        owner: nn.Module = self
        *owners, name = path.split(".")
        for part in owners:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner._modules[part]  # type: ignore[assignment]
        if isinstance(t, nn.Parameter):
            owner.register_parameter(name, t)
        else:
            owner.register_buffer(name, t, persistent)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the program. Raises ValueError or RuntimeError for arguments that it was not exported for."""
        program: ExportedProgram = self.__dict__["_program"]
        leaves, tree = tree_flatten((args, kwargs))
        if tree != program._tree:
            raise ValueError(f"the exported program takes arguments of the structure {program._tree}, not {tree}")
        for k, (given, fixed) in enumerate(zip(leaves, program._leaves, strict=True)):
            if k not in program._numbers and given != fixed:
                raise ValueError(f"the exported program was recorded with argument {k} {fixed!r}, not {given!r}")
        tensors = [leaves[k] for k in program._numbers]
        for name, value, t in zip(program.input_names, program.traced.inputs.values(), tensors, strict=True):
            _check(name, value, t)
        found = Interpreter(self, graph=self.__dict__["graph"]).run(*tensors)
        return tree_unflatten(found, program.traced.result_tree)

    def train(self, mode: bool = True) -> NoReturn:
        """Raises NotImplementedError: the mode is the one that the program was recorded in."""
        raise NotImplementedError("Calling train() is not supported yet.")

    def eval(self) -> NoReturn:
        """Raises NotImplementedError, as `train` does."""
        raise NotImplementedError("Calling eval() is not supported yet.")


def _check(name: str, value: Value, t: Any) -> None:
    if not isinstance(t, Tensor) or t.dim() != len(value.shape):
        what = f"a {t.dim()}-D tensor" if isinstance(t, Tensor) else f"a {type(t).__name__}"
        raise RuntimeError(f"Guard failed: {name} is {what}; it was a {len(value.shape)}-D tensor in the export")
    if t.dtype is not value.dtype:
        raise RuntimeError(f"Guard failed: {name}.dtype is {t.dtype}; it was {value.dtype} in the export")
    for axis, (n, now) in enumerate(zip(value.shape, t.shape, strict=True)):
        if isinstance(n, int) and n != now:
            raise RuntimeError(f"Guard failed: {name}.size()[{axis}] == {n}; it is {now}, and was not left open")


def _tensor(value: Value) -> Tensor:
    array = value.array
    return tensor_holding(array, spec_of(array.shape, value.dtype, tuple(s // array.itemsize for s in array.strides)))


def export_program(
    model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], symbols: list[Symbol],
    may_look: bool = False,
) -> ExportedProgram:  # fmt: skip
    """Records a model, with these sizes left open. With `may_look` it is only warned of that it reads numbers."""
    leaves, tree = tree_flatten((args, kwargs))
    tracer = Tracer(model, leaves, tree, symbols, may_look)
    traced = tracer.graph()
    return ExportedProgram(traced, model, args, kwargs, tracer.symbols, tracer.names)


def export(
    mod: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, dynamic_shapes: Any = None,
    strict: bool = False, preserve_module_call_signature: tuple[str, ...] = (),
    prefer_deferred_runtime_asserts_over_guards: bool = False,
) -> ExportedProgram:  # fmt: skip
    """Records what a module does with the example arguments, as a program for all sizes that are left open
    (https://pytorch.org/docs/stable/export.html).

    Args:
        dynamic_shapes: for each argument which sizes are left open, `{"x": {0: Dim("batch")}}`; all others are fixed.
        strict, preserve_module_call_signature, prefer_deferred_runtime_asserts_over_guards: accepted.

    Raises:
        TypeError: `mod` is no module, or `args` no tuple.
        ValueError: `dynamic_shapes` does not fit the arguments.
        NotImplementedError: the model does something else at another size or for other numbers, or writes to its
            buffers.

    >>> program = torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(4, 3),),
    ...                               dynamic_shapes={"input": {0: torch.export.Dim("batch")}})
    >>> program.module()(torch.zeros(7, 3)).shape
    torch.Size([7, 2])
    """
    if not isinstance(mod, nn.Module):
        raise ValueError(f"Expected `mod` to be an instance of `torch.nn.Module`, got {type(mod)}.")
    if not isinstance(args, tuple):
        raise TypeError(f"Expecting `args` to be a tuple of example positional inputs, got {type(args)}")
    named = dict(kwargs or {})
    leaves, tree = tree_flatten((args, named))
    program = export_program(mod, args, named, symbols_of(mod, args, named, leaves, tree, dynamic_shapes))
    if program.traced.written:
        raise NotImplementedError(
            f"torch.export: the model writes to {program.traced.written[0]!r}, which a program does not; call "
            "eval() before"
        )
    return program
