"""`torch.library.opcheck`: whether an operator does what was said of it.

Of PyTorch's tests those that have a meaning here are made: that what the schema says of writing is true, that the
function for shapes agrees with the operator, and that a call gives the same numbers and gradients when it is repeated,
recorded in a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.autograd.grad_mode import no_grad
from rushlight.library import CustomOpDef, _operator
from rushlight.tensor import FUNCTIONS, Tensor
from rushlight.utils._pytree import tree_leaves, tree_map

__all__ = ["OpCheckError", "opcheck"]


class OpCheckError(Exception):
    """A test of `opcheck` has failed."""


def opcheck(
    op: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, test_utils: str | Sequence[str] = (),
    raise_exception: bool = True, atol: float | None = None, rtol: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Calls an operator and compares what it does with what was registered for it.

    Args:
        op: an operator of `custom_op`'s or of a `Library`'s.
        args, kwargs: what to call it with.
        test_utils: the tests to make; all by default.
        raise_exception: whether a test that fails raises; else what it raised stands in the result.
        atol, rtol: what counts as the same number.

    Returns:
        For each test "SUCCESS", or an OpCheckError.

    Raises:
        OpCheckError: a test has failed.
        ValueError: there is no such test.

    >>> @torch.library.custom_op("opcheck_example::twice", mutates_args=())
    ... def twice(x: torch.Tensor) -> torch.Tensor: return x * 2
    >>> torch.library.opcheck(twice, (torch.ones(2),), test_utils="test_schema")
    {'test_schema': 'SUCCESS'}
    """
    operator = _operator(op if isinstance(op, (str, CustomOpDef)) else getattr(op, "_qualname", op))
    chosen = [test_utils] if isinstance(test_utils, str) else list(test_utils) or list(DEFAULT)
    if not set(chosen) <= TESTS.keys():
        raise ValueError(
            f"opcheck(op, ..., test_utils={test_utils!r}), expected test_utils to be subset of {tuple(TESTS)} but it "
            "was not"
        )
    given = args, kwargs or {}
    found: dict[str, Any] = {}
    close = {name: value for name, value in (("atol", atol), ("rtol", rtol)) if value is not None}
    for name in chosen:
        try:
            TESTS[name](operator, given, close)
            found[name] = "SUCCESS"
        except Exception as why:
            failure = OpCheckError(f"opcheck(op, ...): {name} failed with {why} (scroll up for stack trace)")
            if raise_exception:
                raise failure from why
            found[name] = failure
    return found


def _copies(given: Any) -> Any:
    """The arguments, with a leaf of its own for every tensor."""
    return tree_map(lambda x: x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x, given)


def _writes_what_it_says(operator: CustomOpDef, given: Any, close: dict[str, float]) -> None:
    args, kwargs = _copies(given)
    bound = operator._signature.bind(*args, **kwargs)
    before = {name: x.detach().clone() for name, x in bound.arguments.items() if isinstance(x, Tensor)}
    with no_grad():
        found = operator(*bound.args, **bound.kwargs)
    for name, was in before.items():
        now = bound.arguments[name]
        if name not in operator._mutates and not now.equal(was):
            raise RuntimeError(f"Argument {name} is not defined as mutable but was mutated")
        if any(out is now or (isinstance(out, Tensor) and out._base is not None and out._base is now)
               for out in tree_leaves(found)):  # fmt: skip
            raise RuntimeError(f"Argument {name} is not defined to alias output but was aliasing")


def _has_a_derivative(operator: CustomOpDef, given: Any, close: dict[str, float]) -> None:
    """Nothing can be registered in the wrong place here: what can go wrong shows in a backward pass."""
    if operator._backward is not None:
        _outcome(operator, _copies(given))


def _shapes_agree(operator: CustomOpDef, given: Any, close: dict[str, float]) -> None:
    if operator._fake is None:
        raise RuntimeError(f"there was no fake impl registered for {operator!r}; register one with register_fake")
    args, kwargs = tree_map(lambda x: x.detach().to("meta") if isinstance(x, Tensor) else x, given)
    said = tree_leaves(operator._fake(*args, **kwargs))
    with no_grad():
        args, kwargs = _copies(given)
        real = tree_leaves(operator(*args, **kwargs))
    if len(said) != len(real):
        raise RuntimeError(f"the fake impl gives {len(said)} results, the operator {len(real)}")
    for k, (a, b) in enumerate(zip(said, real, strict=True)):
        for what in ("shape", "dtype"):
            if getattr(a, what, None) != getattr(b, what, None):
                raise RuntimeError(
                    f"result {k}: the fake impl says {what} {getattr(a, what, None)}, the operator gives "
                    f"{getattr(b, what, None)}"
                )


def _outcome(operator: CustomOpDef, given: Any) -> list[Tensor]:
    """The operator's results and the gradients of their sum."""
    args, kwargs = given
    found = [x for x in tree_leaves(operator(*args, **kwargs)) if isinstance(x, Tensor)]
    tracked = [x.abs().sum() for x in found if x.requires_grad]
    if tracked:
        FUNCTIONS["stack"](tracked).sum().backward()
    leaves = [x for x in tree_leaves(given) if isinstance(x, Tensor)]
    return [x.detach() for x in (*found, *leaves)] + [x.grad for x in leaves if x.grad is not None]


def _repeats_itself(operator: CustomOpDef, given: Any, close: dict[str, float]) -> None:
    once, again = (_outcome(operator, _copies(given)) for _ in range(2))
    if len(once) != len(again):
        raise RuntimeError("a second call gives more or fewer results and gradients")
    for a, b in zip(once, again, strict=True):
        if a.shape != b.shape or not FUNCTIONS["allclose"](a, b, **close, equal_nan=True):
            raise RuntimeError("a second call with the same arguments gives other results or gradients")


Test = Callable[[CustomOpDef, Any, dict[str, float]], None]
TESTS: dict[str, Test] = {
    "test_schema": _writes_what_it_says,
    "test_autograd_registration": _has_a_derivative,
    "test_faketensor": _shapes_agree,
    "test_aot_dispatch_static": _repeats_itself,
    "test_aot_dispatch_dynamic": _repeats_itself,
}
DEFAULT = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
