"""What an operation is: its name, shape and dtype rule, meaning in NumPy and derivative, in one object.

    exp = operation("exp", pointwise_floating, np.exp)
    exp.gradient(x=lambda g, result: g * result.conj())

The NumPy kernel's own signature is the operation's: positional parameters are operands (tensors or Python numbers),
keyword-only parameters are attributes, fixed when the program is recorded.  A gradient rule gives the derivative for
one operand; its parameter names say what it needs: `g` (the gradient arriving), an operand's name (its saved value),
`result` (the saved result; `results` for several), `<operand>_spec` (shape and dtype only, nothing is saved), an
attribute's name, or `needs` (which operands want a gradient).  Broadcast dimensions are summed and dtypes restored by
the engine, so no rule does either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.core.dtype import dtype

from .spec import Spec

Kernel = Callable[..., Any]
Rule = Callable[..., Any]
Inference = Callable[..., Any]

_registry: dict[str, Operation] = {}


class Operation:
    """One recordable operation.

    Attributes:
        infer: `(specs..., **attributes) -> Spec | tuple[Spec, ...]`; raises the user's error if the operands do not
        fit.
        kernel: the meaning in NumPy, `(arrays..., **attributes) -> array(s)`.
        run: what the interpreter calls: the kernel, or something faster that does the same (`ops/general.py`).
        compute: `(specs..., **attributes) -> dtype | None`: operands are cast to it before the kernel runs.
        view: the result shares its operand's memory (nothing is computed).
        overwrites: the kernel writes into its first operand, which is dead afterwards or a copy.
        exact: only moves bits; half-precision operands need no widening.
        effects: it draws random numbers from the engine whose state is its first operand: it is run once, in order,
            whether or not anybody reads the numbers; its other operands are numbers.
        aliases: the kernel may return (a view of) its first operand's array.
        walks: its derivative is no dense tensor, so that a backward pass over it is recorded anew every time.
        lower: how the compiler turns it into loops (filled by the compiler; None runs the kernel).
        layouts: of a view, `(shape, strides, offset, **attributes)` -> where each result's elements lie in the
            operand's memory: (shape, strides, offset); an offset that is a second operand comes on top.
    """

    __slots__ = (
        "aliases", "attributes", "compute", "effects", "exact", "infer", "joint", "kernel", "layouts", "lower", "name",
        "node", "operands", "overwrites", "rules", "run", "shown", "variadic", "view", "walks",
    )  # fmt: skip

    def __init__(self, name: str, infer: Inference, kernel: Kernel, compute: Inference | None, node: str) -> None:
        code = kernel.__code__ if hasattr(kernel, "__code__") else None
        self.name = name
        self.infer = infer
        self.kernel = self.run = kernel
        self.compute = compute
        self.node = node
        self.operands: tuple[str, ...] = _positional(code) if code else ("x", "y")[: getattr(kernel, "nin", 1)]
        self.attributes: tuple[str, ...] = _keyword_only(code) if code else ()
        self.variadic = bool(code and code.co_flags & 0x04)
        self.rules: dict[str, Rule] = {}
        self.joint: Rule | None = None
        self.view = self.overwrites = self.exact = self.aliases = self.effects = self.walks = False
        self.lower: Callable[..., Any] | None = None
        self.layouts: Callable[..., list[Any]] | None = None
        self.shown: Callable[..., Any] | None = None  # how `next_functions` lists the operands, where PyTorch differs

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __reduce__(self) -> str | tuple[object, ...]:
        return _lookup, (self.name,)

    def gradient(self, joint: Rule | None = None, /, **rules: Rule) -> Operation:
        """Declares the derivative: a rule for each operand, or one joint rule that returns all of them."""
        unknown = set(rules) - set(self.operands)
        if unknown:
            raise TypeError(f"{self.name} has no operand {sorted(unknown)}; its operands are {self.operands}")
        self.rules.update(rules)
        self.joint = joint or self.joint
        return self

    @property
    def differentiable(self) -> bool:
        """Whether any operand has a derivative."""
        return self.joint is not None or bool(self.rules)

    def needed_by(self, tracked: tuple[bool, ...]) -> frozenset[str]:
        """The names that the rules of the tracked operands ask for."""
        if self.joint is not None:
            return frozenset(parameters(self.joint))
        wanted = [self.rules[n] for n, t in zip(self.operands, tracked, strict=False) if t and n in self.rules]
        return frozenset(name for rule in wanted for name in parameters(rule))


def operation(
    name: str,
    infer: Inference,
    kernel: Kernel,
    *,
    compute: Inference | None = None,
    node: str | None = None,
    view: bool = False,
    overwrites: bool = False,
    exact: bool = False,
    aliases: bool | None = None,
) -> Operation:
    """Declares an operation. `node` is the name of its `grad_fn` (default: `ExpBackward0` for `exp`)."""
    if name in _registry:
        raise ValueError(f"operation {name!r} is declared twice")
    camel = "".join(part.capitalize() for part in name.split("_"))
    made = Operation(name, infer, kernel, compute or getattr(infer, "compute", None), node or f"{camel}Backward0")
    made.view, made.overwrites, made.exact = view, overwrites, exact or view
    made.aliases = made.exact if aliases is None else aliases
    _registry[name] = made
    return made


def operations() -> dict[str, Operation]:
    """Every declared operation, by name."""
    return dict(_registry)


def parameters(rule: Rule) -> tuple[str, ...]:
    """The parameter names of a gradient rule."""
    return _positional(rule.__code__) + _keyword_only(rule.__code__)


def computing(compute: Callable[..., dtype | None]) -> Callable[[Inference], Inference]:
    """Attaches to a shape rule the dtype in which its kernel computes."""

    def attach(infer: Inference) -> Inference:
        infer.compute = compute  # type: ignore[attr-defined]
        return infer

    return attach


def one(spec: Spec) -> Spec:
    """The shape rule of an operation that keeps shape, strides and dtype."""
    return spec


def _lookup(name: str) -> Operation:
    return _registry[name]


def _positional(code: Any) -> tuple[str, ...]:
    names = code.co_varnames[: code.co_argcount]
    if code.co_flags & 0x04:
        names += (code.co_varnames[code.co_argcount + code.co_kwonlyargcount],)
    return names


def _keyword_only(code: Any) -> tuple[str, ...]:
    return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
