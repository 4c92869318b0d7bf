"""Pointwise functions of any extents, made of the operations' own NumPy kernels: what `capture` makes of one kernel.

A function takes the arrays, the results, how many elements there are, and then the numbers.  In an operation's letters
F is an array, f a number and - an operand that is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.record.operation import operations

from .arithmetic import constant_of
from .capture import Symbol
from .fuse import ancestors
from .general import FLOATS, GROUPS, Definition, Writer
from .lanes import Lanes

if TYPE_CHECKING:
    from rushlight.record.operation import Operation

    from .ir import Value

COUNT = 7  # elements that the kernels are shown; any number does
ADAM = "FFFF-fffffff", {"maximize": False, "small_weight1": True}  # without AMSGrad
RESULTS = {"adam_step": 3}  # of operations that have more than one
POINTWISE: dict[str, tuple[str, str, dict[str, Any]]] = {  # by name: the operation, its operands' letters, attributes
    "adam": ("adam_step", ADAM[0], {**ADAM[1], "decay": False, "decoupled": False}),
    "adam_decay": ("adam_step", ADAM[0], {**ADAM[1], "decay": True, "decoupled": False}),
    "adam_decoupled": ("adam_step", ADAM[0], {**ADAM[1], "decay": True, "decoupled": True}),
    "gelu": ("gelu", "F", {"tanh": False}), "gelu_tanh": ("gelu", "F", {"tanh": True}),
    "gelu_backward": ("gelu_backward", "FF", {"tanh": False}),
    "gelu_tanh_backward": ("gelu_backward", "FF", {"tanh": True}),
    "relu": ("relu", "F", {}), "threshold_backward": ("threshold_backward", "FFf", {}),
    "sigmoid": ("sigmoid", "F", {}),
    "silu": ("silu", "F", {}), "silu_backward": ("silu_backward", "FF", {}),
    "mish": ("mish", "F", {}), "mish_backward": ("mish_backward", "FF", {}),
    "softplus": ("softplus", "Fff", {}), "softplus_backward": ("softplus_backward", "FFff", {}),
    "log_sigmoid": ("log_sigmoid", "F", {}), "log_sigmoid_backward": ("log_sigmoid_backward", "FF", {}),
    "leaky_relu": ("leaky_relu", "Ff", {}), "leaky_relu_backward": ("leaky_relu_backward", "FFf", {}),
    "elu": ("elu", "Ffff", {}), "elu_backward": ("elu_backward", "FFfff", {}), "clamp": ("clamp", "Fff", {}),
    "clamp_min": ("clamp_min", "Ff-", {}), "clamp_max": ("clamp_max", "F-f", {}),
    "smooth_l1_loss": ("smooth_l1_loss", "FFf-", {"reduction": "none"}),
    "huber_loss": ("huber_loss", "FFf-", {"reduction": "none"}),
    "binary_cross_entropy_with_logits": ("binary_cross_entropy_with_logits", "FF--", {"reduction": "none"}),
    "hardtanh": ("hardtanh", "Fff", {}), "hardtanh_backward": ("hardtanh_backward", "FFff", {}),
    "hardswish": ("hardswish", "F", {}),
    "hardswish_backward": ("hardswish_backward", "FF", {}),
}  # fmt: skip


def _captured(op: Operation, letters: str, attributes: dict[str, Any], kind: str) -> list[Symbol]:
    """What a kernel makes of vectors and numbers."""
    dtype = np.dtype(FLOATS[kind])
    made = {
        "F": lambda at: Symbol("input", (), (COUNT,), dtype, at),
        "f": lambda at: Symbol("number", (), (), np.float64, at),
        "-": lambda at: None,
    }
    places = {letter: iter(range(len(letters))) for letter in made}
    found = (op.lower or op.kernel)(*[made[x](next(places[x])) for x in letters], **attributes)
    results = list(found) if isinstance(found, tuple) else [found]
    if not all(isinstance(x, Symbol) and x.shape == (COUNT,) for x in results):
        raise TypeError(f"{op.name} is not pointwise")
    return results


def _definition(name: str, letters: str, attributes: dict[str, Any]) -> Definition:
    arrays = letters.count("F")

    def definition(k: Writer, *given: Any) -> None:
        expressions = _captured(operations()[name], letters, attributes, k.kind)
        order = ancestors(expressions)
        behind = arrays + len(expressions)
        operands, outs, (count, *numbers) = given[:arrays], given[arrays:behind], given[behind:]

        def body(i: Value, m: Value | None) -> None:
            known: dict[Symbol, Value] = {}
            for x in order:
                known[x] = _value(k, x, known, operands, numbers, i, m)
            for x, out in zip(expressions, outs, strict=True):
                k.store(Lanes(k.vector, known[x]).to(k.kind), out, i, m)

        k.each(count, body)

    return definition


def _value(k: Writer, x: Symbol, known: Any, operands: Any, numbers: Any, i: Value, m: Any) -> Value:
    if x.kind == "input":
        return k.load(operands[x.data], i, m).value
    if x.kind == "number":
        return k.vector.cast(numbers[x.data].value, "f64")
    if x.kind == "constant":
        return k.vector.splat(constant_of(x))
    return k.vector.evaluate(x, [known[a] for a in x.args])


def _list() -> None:
    for name, (operation, letters, attributes) in POINTWISE.items():
        arrays = letters.count("F") + RESULTS.get(operation, 1)
        signature = f"{'F' * arrays}n{'f' * letters.count('f')}"
        GROUPS.setdefault("pointwise", {})[name] = signature, _definition(operation, letters, attributes)


_list()
