"""torch.library: operators that a program defines itself, `custom_op` and what is registered for it.

An operator is a Python function under a name "namespace::name", by which `torch.ops.namespace.name` finds it again. It
is called off the tape, as `forward` of an `autograd.Function`; what `register_autograd` gives is its `backward`. What
belongs to compilers and other devices (fake kernels, kernels for CUDA) is kept and not needed. Operators that are
defined by a schema, in a `Library`, are in `operator_libraries.py`; `opcheck` is in `operator_checks.py`.

Source: https://docs.pytorch.org/docs/stable/library.html
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rushlight.autograd.function import Function
from rushlight.autograd.grad_mode import no_grad
from rushlight.core.missing import missing
from rushlight.operator_schemas import bound, hints_of, infer_schema
from rushlight.tensor import FUNCTIONS, METHODS, Tensor
from rushlight.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from rushlight.operator_checks import opcheck
    from rushlight.operator_libraries import Library, define, impl

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "get_ctx", "impl", "impl_abstract", "infer_schema", "opcheck",
    "register_autocast", "register_autograd", "register_fake", "register_kernel", "register_vmap",
]  # fmt: skip

_operators: dict[str, CustomOpDef] = {}


class CustomOpDef:
    """An operator: called like its function, with gradients where `register_autograd` has said how."""

    def __init__(self, name: str, fn: Callable[..., Any], mutates: frozenset[str], schema: str) -> None:
        self._qualname, self._kernel, self._mutates = name, fn, mutates
        self._init_fn, self._schema, self._hints = fn, f"{name}{schema}", hints_of(fn)
        self._signature = inspect.signature(fn)
        self._fake: Callable[..., Any] | None = None  # works out shapes; only `opcheck` asks it
        self._backward: Callable[..., Any] | None = None
        self._setup_context: Callable[..., Any] | None = None
        self.__name__, self.__doc__ = name.partition("::")[2], fn.__doc__
        self._namespace, self._name = name.split("::")

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    @property
    def default(self) -> CustomOpDef:
        """The operator itself: it has one form."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = bound(self._qualname, self._signature, self._hints, self._schema, args, kwargs)
        if self._mutates:
            with no_grad():
                return self._kernel(*found.args, **found.kwargs)
        return _Call.apply(self, found.kwargs, *found.args)

    def _run(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        found = self._kernel(*args, **kwargs)
        given = tree_leaves((args, kwargs))
        if any(out is x for out in tree_leaves(found) if isinstance(out, Tensor) for x in given):
            raise RuntimeError(
                f"{self._qualname}: The output of this custom operator must not also be an input to this custom "
                "operator. Return a clone instead."
            )
        return found

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None
    ) -> None:
        """Gives the operator a derivative.

        Args:
            backward: `backward(ctx, *grads)`, which gives a gradient, or None, for each positional argument.
            setup_context: `setup_context(ctx, inputs, output)`, which keeps in `ctx` what `backward` needs; with a
                parameter `keyword_only_inputs`, it gets those too.
        """
        if self._mutates:
            raise RuntimeError(
                f"Cannot register autograd formula for non-functional operator {self!r}. Please create a functional "
                "operator and register an autograd formula for that."
            )
        self._backward, self._setup_context = backward, setup_context

    def register_kernel(self, device_types: Any, fn: Callable[..., Any] | None = None, /) -> Any:
        """Takes a function for a type of device; that for the CPU, or for all (None), becomes the operator's."""
        if fn is None:
            return lambda fn: self.register_kernel(device_types, fn)
        kinds = [device_types] if isinstance(device_types, str) or device_types is None else list(device_types)
        if None in kinds or "cpu" in kinds:
            self._kernel = fn
        return fn

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Keeps the function that works out shapes for a compiler, for `opcheck`; nothing else needs it."""
        self._fake = fn
        return fn

    def register_vmap(self, func: Callable[..., Any] | None = None) -> Any:
        """Accepted: `vmap` calls the operator once for each element."""
        return (lambda f: f) if func is None else func

    def register_autocast(self, device_type: str, cast_inputs: Any) -> None:
        """Accepted for devices that are not there. Raises NotImplementedError for the CPU."""
        if device_type == "cpu":
            raise NotImplementedError("torch.library.register_autocast for the CPU is not in Rushlight")


class _Call(Function):
    """One call of an operator on the tape."""

    @staticmethod
    def forward(ctx: Any, operator: CustomOpDef, kwargs: dict[str, Any], *args: Any) -> Any:
        found = operator._run(args, kwargs)
        ctx.operator = operator
        setup = operator._setup_context
        if setup is not None:
            options = {"ctx": ctx, "inputs": args, "output": found}
            if "keyword_only_inputs" in inspect.signature(setup).parameters:
                options["keyword_only_inputs"] = kwargs
            setup(**options)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        operator = ctx.operator
        if operator._backward is None:
            raise RuntimeError(
                f"Trying to backward through {operator._qualname} but no autograd formula was registered. Please use "
                "register_autograd to add one."
            )
        found = operator._backward(ctx, *grads)
        return None, None, *(found if isinstance(found, tuple) else (found,))


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: Any,
    device_types: Any = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Makes a function an operator; without `fn`, a decorator.

    Args:
        name: "namespace::name".
        mutates_args: the names of the arguments that the function writes to; such operators have no derivative.
        schema: the arguments' types (`infer_schema`), needed where they are not annotated.
        device_types, tags: accepted.

    Raises:
        ValueError: the name or the function's signature is not right.

    >>> @torch.library.custom_op("example::twice", mutates_args=())
    ... def twice(x: torch.Tensor) -> torch.Tensor:
    ...     return x * 2
    >>> twice.register_autograd(lambda ctx, g: g * 2)
    >>> x = torch.ones(1, requires_grad=True); torch.ops.example.twice(x).backward(); x.grad
    tensor([2.])
    """
    if fn is None:
        return lambda fn: custom_op(name, fn, mutates_args=mutates_args, schema=schema)
    space, separator, short = name.partition("::")
    if not (separator and space.isidentifier() and short.isidentifier()):
        raise ValueError(f"Expected the name of a custom operator to be like 'namespace::name', got {name!r}")
    written = infer_schema(fn, mutates_args=mutates_args) if schema is None else schema
    if mutates_args == "unknown":
        mutates = frozenset(inspect.signature(fn).parameters)
    else:
        mutates = frozenset([mutates_args] if isinstance(mutates_args, str) else mutates_args)
    _operators[name] = CustomOpDef(name, fn, mutates, written)
    return _operators[name]


def add(operator: CustomOpDef) -> None:
    """Has `torch.ops` find the operator under its name."""
    _operators[operator._qualname] = operator


def exists(name: str) -> bool:
    """Whether there is an operator of this name."""
    return name in _operators


def remove(name: str) -> None:
    """Forgets the operator of this name."""
    _operators.pop(name, None)


def _operator(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    if op not in _operators:
        raise RuntimeError(f"operator {op} does not exist")
    return _operators[op]


def register_autograd(
    op: Any, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None, lib: Any = None
) -> None:
    """`CustomOpDef.register_autograd` of an operator, given by itself or by its name."""
    _operator(op).register_autograd(backward, setup_context=setup_context)


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """`CustomOpDef.register_kernel` of an operator, given by itself or by its name."""
    return _operator(op).register_kernel(device_types, func)


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, _stacklevel: int = 1) -> Any:
    """`CustomOpDef.register_fake` of an operator, given by itself or by its name; without `func`, a decorator."""
    register = _operator(op).register_fake
    return register if func is None else register(func)


impl_abstract = register_fake


def register_vmap(op: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Accepted: `vmap` calls the operator once for each element."""
    return _operator(op).register_vmap(func)


def register_autocast(op: Any, device_type: str, cast_inputs: Any, /, *, lib: Any = None) -> None:
    """`CustomOpDef.register_autocast` of an operator, given by itself or by its name."""
    _operator(op).register_autocast(device_type, cast_inputs)


def get_ctx() -> Any:
    """Raises RuntimeError: there is no fake kernel to be called in."""
    raise RuntimeError("get_ctx() can only be called inside a fake kernel, and none is called here")


class Namespace:
    """`torch.ops.<namespace>`: the operators of that namespace."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> CustomOpDef:
        found = _operators.get(f"{self._name}::{name}")
        if found is None:
            raise AttributeError(f"'_OpNamespace' '{self._name}' object has no attribute '{name}'", name=name, obj=self)
        return found

    def __dir__(self) -> Iterable[str]:
        return [name.partition("::")[2] for name in _operators if name.startswith(f"{self._name}::")]


#: While a TorchDispatchMode answers: what the operator that it was shown does there (`utils/_python_dispatch.py`).
shown_to_mode: Callable[[AtenOperator], Callable[..., Any] | None] | None = None


class AtenOperator:
    """One of PyTorch's own operations, under its name in `torch.ops.aten`; its overloads (`default`, ...) are one."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._function, self.__name__ = function, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        run = None if shown_to_mode is None else shown_to_mode(self)
        return (run or self._function)(*args, **kwargs)

    def __getattr__(self, overload: str) -> AtenOperator:
        if overload.startswith("__"):
            raise AttributeError(overload)
        return self

    def __repr__(self) -> str:
        return f"aten.{self.__name__}"


class AtenNamespace:
    """`torch.ops.aten`: the functions of `torch` and of PyTorch's kernels, and the methods of Tensor as functions."""

    def __getattr__(self, name: str) -> AtenOperator:
        from rushlight import native_functions

        found = FUNCTIONS.get(name) or METHODS.get(name)
        if found is None and (native := vars(native_functions).get(name)) is not None:
            found = native if getattr(native, "__module__", "") == native_functions.__name__ else None
        if found is None:
            raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'", name=name, obj=self)
        made = AtenOperator(name, found)
        setattr(self, name, made)  # the same object again: programs compare operators
        return made


aten = AtenNamespace()


def namespace(name: str) -> Any:
    """The namespace of that name, if an operator is in it."""
    if name == "aten":
        return aten
    return Namespace(name) if any(n.startswith(f"{name}::") for n in _operators) else None


__getattr__ = missing(
    __name__,
    {name: f"rushlight.operator_libraries:{name}" for name in ("Library", "define", "impl")}
    | {"opcheck": "rushlight.operator_checks:opcheck"},
)
