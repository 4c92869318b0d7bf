"""Schemas of operators that a program defines (`torch.library`): their arguments' types, in PyTorch's notation.

A schema is written down from a function's annotations, `(Tensor x, float k=2.0) -> Tensor`; calls are checked against
the annotations, so that a wrong argument is named before the function runs. `parse_schema` reads the notation.

Source of the notation: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/README.md
"""

from __future__ import annotations

import ast
import inspect
import numbers
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rushlight.core.device import device
from rushlight.core.dtype import dtype
from rushlight.tensor import Tensor

__all__ = ["infer_schema"]

_NAMES: dict[Any, str] = {
    Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", dtype: "ScalarType", device: "Device",
    numbers.Number: "Scalar", int | float | bool: "Scalar",
}  # fmt: skip


def _parts(kind: Any) -> tuple[Any, ...]:
    """What a union is of, without None."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return (kind,)
    return tuple(part for part in typing.get_args(kind) if part is not type(None))


def _is_optional(kind: Any) -> bool:
    return type(None) in typing.get_args(kind) and typing.get_origin(kind) in (typing.Union, types.UnionType)


def _name(kind: Any) -> str | None:
    """A type in the notation; None for one that operators cannot have."""
    if kind in _NAMES:
        return _NAMES[kind]
    if _is_optional(kind):
        parts = _parts(kind)
        inner = _name(parts[0] if len(parts) == 1 else typing.Union[parts])  # noqa: UP007 - of a tuple
        return None if inner is None else f"{inner}?"
    if typing.get_origin(kind) in (list, Sequence):
        inner = _name(typing.get_args(kind)[0])
        return None if inner is None else f"{inner}[]"
    return "Scalar" if set(_parts(kind)) == {int, float, bool} else None


def _returned(kind: Any) -> str | None:
    if kind in (None, type(None), inspect.Signature.empty):
        return "()"
    if typing.get_origin(kind) is tuple:
        names = [_name(part) for part in typing.get_args(kind)]
        return None if None in names else f"({', '.join(map(str, names))})"
    return _name(kind)


def _unsupported(what: str, kind: Any) -> ValueError:
    return ValueError(
        f"infer_schema(func): {what} has unsupported type {kind}. The valid types are: Tensor, int, float, bool, str, "
        "torch.dtype, torch.device, a number, lists and Optionals of these"
    )


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, also those written as strings. Raises ValueError for names that are not there."""
    import rushlight

    known = {"torch": rushlight, **typing.__dict__, **getattr(function, "__globals__", {})}
    try:
        return typing.get_type_hints(function, known)
    except NameError as wrong:
        raise ValueError(f"infer_schema(func): unsupported type annotation: {wrong}") from None


def infer_schema(
    prototype_function: Callable[..., Any], /, *, mutates_args: Any, op_name: str | None = None
) -> str:
    """The schema of a function whose parameters and result are annotated.

    Args:
        mutates_args: the names of the tensors that the function writes to, or "unknown" for all of them.
        op_name: what to put before the arguments.

    Raises:
        ValueError: an annotation is missing, or operators cannot have such an argument or result.

    >>> def scaled(x: torch.Tensor, by: float = 2.0) -> torch.Tensor: ...
    >>> torch.library.infer_schema(scaled, mutates_args=())
    '(Tensor x, float by=2.0) -> Tensor'
    """
    signature, hints = inspect.signature(prototype_function), hints_of(prototype_function)
    written = _written(signature.parameters, hints, mutates_args)
    arguments, by_name = [], False
    for place, (name, parameter) in enumerate(signature.parameters.items()):
        if parameter.annotation is parameter.empty:
            raise ValueError(
                f"infer_schema(func): Parameter {name} must have a type annotation. Got func with signature "
                f"{signature})"
            )
        kind = _name(hints[name])
        if kind is None:
            raise _unsupported(f"Parameter {name}", hints[name])
        if parameter.kind is parameter.KEYWORD_ONLY and not by_name:
            by_name = True
            arguments.append("*")
        kind = kind.replace("Tensor", f"Tensor(a{place}!)", 1) if name in written else kind
        default = "" if parameter.default is parameter.empty else f"={_default(parameter.default)}"
        arguments.append(f"{kind} {name}{default}")
    result = _returned(hints.get("return", signature.return_annotation))
    if result is None:
        raise _unsupported("Return", hints["return"])
    return f"{op_name or ''}({', '.join(arguments)}) -> {result}"


def _default(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).removeprefix("torch.")


def _written(parameters: Collection[str], hints: dict[str, Any], mutates_args: Any) -> set[str]:
    if mutates_args == "unknown":
        return {name for name in parameters if Tensor in _parts(hints.get(name))}
    written = {mutates_args} if isinstance(mutates_args, str) else set(mutates_args)
    if written - set(parameters):
        raise ValueError(
            f"infer_schema(func): {written - set(parameters)} in mutates_args were not found in the custom op's "
            "signature. mutates_args should contain the names of all args that the custom op mutates, or just the "
            'string "unknown" if you don\'t know.'
        )
    return written


def bound(
    name: str, signature: inspect.Signature, hints: dict[str, Any], schema: str, args: Any, kwargs: Any
) -> inspect.BoundArguments:
    """The arguments of a call. Raises RuntimeError where they are not those of the schema."""
    places = [p for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    if len(args) > len(places):
        raise RuntimeError(
            f"{name}() expected at most {len(places)} argument(s) but received {len(args)} argument(s). "
            f"Declaration: {schema}"
        )
    try:
        found = signature.bind(*args, **kwargs)
    except TypeError:
        given = {p.name for p in places[: len(args)]} | set(kwargs)
        missing = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name not in given]
        unknown = set(kwargs) - set(signature.parameters)
        why = f"is missing value for argument '{missing[0]}'" if missing else f"Unknown keyword argument {unknown}"
        raise RuntimeError(f"{name}() {why}. Declaration: {schema}") from None
    for argument, value in found.arguments.items():
        if argument in hints and _is_tensor_alone(hints[argument]) and not isinstance(value, Tensor):
            raise RuntimeError(
                f"{name}() Expected a value of type 'Tensor' for argument '{argument}' but instead found type "
                f"'{type(value).__name__}'. Declaration: {schema}"
            )
    found.apply_defaults()
    return found


def _is_tensor_alone(kind: Any) -> bool:
    return kind is Tensor


# ---------------------------------------------------------------------------------------------------------------------
# Reading the notation

ARGUMENT = re.compile(
    r"(?P<kind>Tensor|SymInt|int|float|bool|str|ScalarType|Device|Layout|MemoryFormat|Scalar|Generator)"
    r"(?P<alias>\([a-z*!| >-]+\))?(?P<more>(\?|\[\d*\])*) (?P<name>\w+)(=(?P<default>.+))?"
)


@dataclass(frozen=True)
class Schema:
    """A schema that was read: the operator's name, its parameters, and those of them that it writes to."""

    name: str
    signature: inspect.Signature
    hints: dict[str, Any]
    mutates: frozenset[str]
    text: str


def parse_schema(text: str) -> Schema:
    """Reads `name(Tensor x, int[] sizes, *, float k=2.0) -> Tensor`.

    Raises:
        RuntimeError: that is no schema.

    >>> parse_schema("scaled(Tensor x, float by=2.0) -> Tensor").signature
    <Signature (x, by=2.0)>
    """
    outer = re.fullmatch(r"\s*([\w.]+)\s*\((.*)\)\s*->\s*(.+?)\s*", text, re.DOTALL)
    if outer is None:
        raise RuntimeError(f"expected a schema like 'name(Tensor x, int n=1) -> Tensor', got {text!r}")
    parameters, hints, mutates = [], {}, set()
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for part in re.split(r",\s*(?![^\[(]*[\])])", outer[2].strip()) if outer[2].strip() else ():
        if part.strip() == "*":
            kind = inspect.Parameter.KEYWORD_ONLY
            continue
        found = ARGUMENT.fullmatch(part.strip())
        if found is None:
            raise RuntimeError(f"{part.strip()!r} is no argument of a schema; in {text!r}")
        parameters.append(inspect.Parameter(found["name"], kind, default=_default_of(found["default"])))
        if found["kind"] == "Tensor" and not found["more"]:
            hints[found["name"]] = Tensor
        if "!" in (found["alias"] or ""):
            mutates.add(found["name"])
    try:
        signature = inspect.Signature(parameters)
    except ValueError as wrong:
        raise RuntimeError(f"{wrong}; in {text!r}") from None
    return Schema(outer[1], signature, hints, frozenset(mutates), text.strip())


def _default_of(written: str | None) -> Any:
    """A default as it stands in a schema: a number, a text, a list, None, or the name of a constant."""
    if written is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(written, written)
