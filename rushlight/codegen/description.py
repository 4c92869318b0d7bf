"""A program in plain data: what the planner needs to know of it, as bytes, and the program made of such bytes again.

The compiler's process (`process.py`, `server.py`) gets programs this way, and the cache knows them by it (`plans.py`):
equal programs have equal bytes, in this process or another.  Operations go by their names; attributes are numbers,
text, dtypes, tuples of these, and whatever module of our own names.  What is none of these raises `Indescribable`.

    attributes and Specs -> kinds, each once -> (kinds, calls, live slots, homes) -> bytes
"""

from __future__ import annotations

import importlib
import marshal
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype, dtype_from_name
from rushlight.record.operation import Operation, operations
from rushlight.record.program import Call, Program, casts
from rushlight.record.spec import Spec, spec_of
from rushlight.record.state import Kind, Step

PLAIN = frozenset([type(None), bool, int, float, complex, str, bytes])
VERSION = 2  # of marshal: nothing in it depends on who else holds an object
OURS = __name__.partition(".")[0]


class Indescribable(Exception):
    """Something that only this process knows."""


class Unknown(Exception):
    """An operation of which this process knows nothing."""


def described(program: Program) -> bytes:
    """The program, without its numbers."""
    kinds: dict[bytes, int] = {}
    known: dict[Kind, int] = {}
    calls = []
    for call in program.calls:
        step = call.step
        kind = known.get(step.kind)
        if kind is None:
            kind = known[step.kind] = kinds.setdefault(marshal.dumps(_of_kind(step.kind), VERSION), len(kinds))
        calls.append((kind, step.inputs, step.outputs))
    return marshal.dumps((tuple(kinds), tuple(calls), program.live, tuple(program.homes.items())), VERSION)


def program_of(description: bytes) -> Program:
    """The program that was described, for planning: it cannot be run."""
    kinds, calls, live, homes = marshal.loads(description)
    known = [_kind(*marshal.loads(kind)) for kind in kinds]
    program = Program([Call(_placed(known[k], inputs, outputs), (), False) for k, inputs, outputs in calls], live)
    program.homes = dict(homes)
    return program


def _of_kind(kind: Kind) -> tuple[Any, ...]:
    """What the planner needs to know of a Kind: nothing of the tape."""
    attributes = tuple([(name, plain(value)) for name, value in kind.attributes.items()])
    specs = [tuple([None if s is None else _of_spec(s) for s in some]) for some in (kind.input_specs, kind.specs)]
    compute = None if kind.compute is None else kind.compute.name
    return _of_operation(kind.op), attributes, *specs, compute, kind.single


def _kind(
    op: tuple[str, str], attributes: tuple[Any, ...], input_specs: tuple[Any, ...], specs: tuple[Any, ...],
    compute: str | None, single: bool,
) -> Kind:  # fmt: skip
    kind = Kind.__new__(Kind)
    kind.op, kind.single = _operation(*op), single
    kind.attributes = {name: restored(value) for name, value in attributes}
    kind.input_specs, kind.specs = (tuple([s and _spec(*s) for s in some]) for some in (input_specs, specs))
    kind.compute = compute and dtype_from_name(compute)
    kind.casts = casts(kind.op, kind.compute, kind.input_specs)
    kind.large = False  # it is not run
    return kind


def _placed(kind: Kind, inputs: tuple[int | None, ...], outputs: tuple[int, ...]) -> Step:
    """A Step of this Kind with its slots."""
    step = Step.__new__(Step)
    step.kind, step.single = kind, kind.single
    step.inputs, step.outputs = inputs, outputs
    return step


def _of_operation(op: Operation) -> tuple[str, str]:
    module = getattr(op.infer, "__module__", "")
    if not module.startswith(OURS):
        raise Indescribable(f"the operation {op.name}")
    return op.name, module


def _operation(name: str, module: str) -> Operation:
    found = operations().get(name)
    if found is None:  # some modules are imported when they are wanted
        importlib.import_module(module)
        found = operations().get(name)
    if found is None:
        raise Unknown(f"the operation {name}")
    return found


def _of_spec(spec: Spec) -> tuple[Any, ...]:
    return spec.shape, spec.dtype.name, None if spec.is_contiguous else spec.strides, spec.wrapped


def _spec(shape: tuple[int, ...], kind: str, strides: tuple[int, ...] | None, wrapped: bool) -> Spec:
    return spec_of(shape, dtype_from_name(kind), strides, wrapped)


def plain(value: Any) -> Any:
    """A value as marshal takes it: what is not plain is a list that begins with what it is."""
    kind = value.__class__
    if kind in PLAIN:
        return value
    if kind is tuple:
        return tuple([plain(v) for v in value])
    if kind is dtype:
        return ["dtype", value.name]
    if kind is list:
        return ["list", *map(plain, value)]
    if kind is Operation:
        return ["operation", *_of_operation(value)]
    if kind is Spec:
        return ["spec", *_of_spec(value)]
    if isinstance(value, np.dtype) and value.isbuiltin:
        return ["numpy", value.str]
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return ["fields", *_of_global(kind), *map(plain, value)]
    return ["global", *_of_global(value)]


def restored(value: Any) -> Any:
    """What `plain` was given."""
    if value.__class__ is tuple:
        return tuple([restored(v) for v in value])
    if value.__class__ is not list:
        return value
    kind, *rest = value
    if kind == "fields":
        return _global(*rest[:2])(*map(restored, rest[2:]))
    if kind == "list":
        return [*map(restored, rest)]
    return _MADE_OF[kind](*rest)


def _of_global(value: Any) -> tuple[str, str]:
    """Where a function or a class of our own is found."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or module.partition(".")[0] != OURS or "<" in name:
        raise Indescribable(f"a {value.__class__.__name__}")
    try:
        found = _global(module, name)
    except (ImportError, AttributeError):
        found = None
    if found is not value:
        raise Indescribable(name)
    return module, name


def _global(module: str, name: str) -> Any:
    if module.partition(".")[0] != OURS:
        raise Unknown(module)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


_MADE_OF: dict[str, Callable[..., Any]] = {
    "dtype": dtype_from_name, "operation": _operation, "spec": _spec, "numpy": np.dtype, "global": _global,
}  # fmt: skip
