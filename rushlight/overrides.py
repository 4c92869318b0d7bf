"""torch.overrides: the protocol by which functions give way to `__torch_function__` of their arguments, and to modes.

A program's own functions ask by themselves: `has_torch_function` says whether there is an argument that takes part,
`handle_torch_function` asks those in turn. Rushlight's own functions record; they ask (`core/interception.py`) while a
`TorchFunctionMode` is entered, and from the first tensor of a subclass on (`tensor/subclasses.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rushlight.core.interception import Interception
from rushlight.core.missing import missing
from rushlight.record import memo
from rushlight.tensor import METHODS, Tensor
from rushlight.tensor.subclasses import (
    DisableTorchFunctionSubclass,
    answering,
    asking,
    nowrap_functions,
    takes_part,
)

__all__ = [
    "BaseTorchFunctionMode", "TorchFunctionMode", "get_default_nowrap_functions", "get_overridable_functions",
    "handle_torch_function",
    "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "resolve_name",
    "wrap_torch_function",
]  # fmt: skip


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether the type of any of them, other than Tensor and Parameter, defines `__torch_function__`."""
    return has_torch_function_variadic(*relevant_args)


def has_torch_function_unary(x: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function_variadic(x)


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of the arguments."""
    return not asking.classes_off and any(takes_part(type(x)) for x in args)


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor, or of a type that defines `__torch_function__`."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether it is a method of Tensor, or the getter of one of its properties."""
    found = vars(Tensor).get(getattr(func, "__name__", ""))
    return found is func or getattr(func, "__name__", None) == "__get__"


def _asked(relevant_args: Iterable[Any]) -> list[Any]:
    """The arguments that take part, one of each type: subclasses before their bases, otherwise in order."""
    found: list[Any] = []
    for x in relevant_args:
        if not takes_part(type(x)) or any(type(x) is type(y) for y in found):
            continue
        place = next((i for i, y in enumerate(found) if issubclass(type(x), type(y))), len(found))
        found.insert(place, x)
    return found


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Sequence[Any], *args: Any, **kwargs: Any
) -> Any:
    """What the first `__torch_function__` that knows the function gives for `public_api(*args, **kwargs)`.

    Raises TypeError where each gives NotImplemented.
    """
    found = _answer(public_api, relevant_args, args, kwargs)
    if found is not NotImplemented:
        return found
    name = resolve_name(public_api) or f"{public_api.__module__}.{public_api.__name__}"
    kinds = "\n".join(f"  - tensor subclass {type(x)!r}" for x in _asked(relevant_args))
    raise TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented: no "
        f"implementation found for '{name}' on types that implement __torch_function__:\n\n{kinds}"
    )


def _answer(public_api: Callable[..., Any], relevant_args: Sequence[Any], args: Any, kwargs: Any) -> Any:
    """What the first that knows the function gives; NotImplemented where none does."""
    asked = _asked(relevant_args)
    types = tuple(type(x) for x in asked)
    answers = (x.__torch_function__(public_api, types, args, kwargs) for x in asked)
    return next((found for found in answers if found is not NotImplemented), NotImplemented)


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function ask `__torch_function__` of the arguments that `dispatcher` picks from its own."""
    from functools import wraps

    def make(func: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(func)
        def asking(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(asking, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return asking

    return make


# ---------------------------------------------------------------------------------------------------------------------
# Modes


class _Entered(threading.local):
    """The modes that a thread has entered, the innermost last."""

    def __init__(self) -> None:
        self.modes: list[TorchFunctionMode] = []


_entered = _Entered()


#: Python's operators -> the methods that PyTorch's modes see for them.
_OPERATORS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add_", "__sub__": "sub", "__isub__": "sub_", "__mul__": "mul",
    "__rmul__": "mul", "__imul__": "mul_", "__truediv__": "div", "__itruediv__": "div_", "__mod__": "remainder",
    "__imod__": "remainder_", "__pow__": "pow", "__ipow__": "pow_", "__matmul__": "matmul",
    "__ifloordiv__": "floor_divide_", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__ne__": "ne",
    "__neg__": "neg", "__pos__": "positive", "__abs__": "abs",
}  # fmt: skip
#: Operators where Python tries the other operand when one of them does not know.
_REFLECTED = frozenset(f"__{r}{name}__" for r in ("", "r", "i") for name in """
    add sub mul truediv floordiv mod pow matmul and or xor lshift rshift
""".split()) | {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
_OTHER_OPERATORS = """
    __rsub__ __rtruediv__ __floordiv__ __rfloordiv__ __rmod__ __rpow__ __rmatmul__ __and__ __or__ __xor__ __lshift__
    __rshift__ __rand__ __ror__ __rxor__ __rlshift__ __rrshift__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__
    __eq__ __invert__ __getitem__ __setitem__ __len__ __contains__ __bool__ __float__ __int__ __index__ __complex__
    __array__ __repr__ __format__ __reversed__ __deepcopy__
""".split()


def _ask_mode(f: Any, inner: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Hands a call to the innermost mode, which is not asked about what it does itself."""
    if f in _KEPT:
        return _ask_nobody(inner, args, kwargs)
    modes = _entered.modes
    if not modes or asking.all_off:
        return inner(*args, **kwargs)
    relevant = () if asking.classes_off else answering((*args, *kwargs.values()))
    types = tuple(type(x) for x in _asked(relevant))
    mode = modes.pop()
    try:
        return mode.__torch_function__(_shown(f), types, args, kwargs)
    finally:
        modes.append(mode)


def _shown(f: Any) -> Any:
    """What PyTorch calls for a function of ours: a method for an operator, `Tensor.T.__get__` for a property's."""
    name = _OPERATORS.get(f.__name__)
    return _properties.get(f, f) if name is None else METHODS[name]


def _ask_nobody(inner: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Runs what is kept and taken again later: the part of a mode or a class in it would be kept, too."""
    modes, _entered.modes = _entered.modes, []
    try:
        with DisableTorchFunctionSubclass():
            return inner(*args, **kwargs)
    finally:
        _entered.modes = modes


_KEPT = (memo.memoised, memo.replay)

#: Functions that take any object as it is.
_TAKE_ANYTHING = frozenset("""
    tensor as_tensor asarray is_tensor is_storage typename from_numpy from_dlpack manual_seed
    set_default_device set_default_dtype compile is_grad_enabled
""".split())


def ask_types(f: Any, inner: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Hands a call to the arguments that take part, if there are any."""
    if asking.classes_off or f.__name__ in _TAKE_ANYTHING:
        return inner(*args, **kwargs)
    if f in _KEPT:
        return _ask_nobody(inner, args, kwargs)
    relevant = answering((*args, *kwargs.values()) if kwargs else args)
    if not relevant:
        return inner(*args, **kwargs)
    if f.__name__ in _REFLECTED:
        return _answer(_shown(f), relevant, args, kwargs)
    return handle_torch_function(_shown(f), relevant, *args, **kwargs)


def begin_asking() -> None:
    """From now on Rushlight's functions hand their calls to arguments that take part."""
    if not CALLS.is_on(ask_types):
        CALLS.begin(ask_types, innermost=True)
        _PROPERTIES.begin(ask_types)


def _all_functions() -> Iterator[Any]:
    """What modes see, and what they must not."""
    from rushlight import autograd
    from rushlight.fx.node import functions
    from rushlight.nn.recurrent import run_layers

    yield from (memo.memoised, memo.replay, autograd.backward, autograd.grad, run_layers)
    for _, _, f, path in functions():
        if not path.endswith((".missing", "._assert")):
            yield f
    for name, f in vars(Tensor).items():
        if name in _OPERATORS or name in _OTHER_OPERATORS or not name.startswith("_") and name != "as_subclass":
            yield f


def _property_functions() -> Iterator[tuple[Any, Any]]:
    """The functions behind Tensor's properties, and what PyTorch calls in their place."""
    for name, found in vars(Tensor).items():
        if isinstance(found, property) and not name.startswith("_"):
            calls = (found.fget, found.__get__), (found.fset, found.__set__), (found.fdel, found.__delete__)
            yield from ((f, shown) for f, shown in calls if f is not None and f.__name__ not in METHODS)


_properties = dict(_property_functions())


#: The calls of Rushlight's public functions.
CALLS = Interception(_all_functions)
#: The calls of the functions behind Tensor's properties.
_PROPERTIES = Interception(lambda: _properties)


class TorchFunctionMode:
    """A base class of modes: inside a `with` block, `__torch_function__(func, types, args, kwargs)` answers every call.

    It is asked about the functions of `torch`, `torch.nn.functional` and the like, about Tensor's methods and about
    operators; not about properties. What it calls itself is not shown to it, but to the mode outside of it.

    >>> class Counting(torch.overrides.TorchFunctionMode):
    ...     calls = 0
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         self.calls += 1
    ...         return func(*args, **(kwargs or {}))
    >>> with Counting() as counting:
    ...     y = torch.relu(torch.ones(2)) + 1
    >>> counting.calls
    3
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answers a call; a mode must define it."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        CALLS.begin(_ask_mode)
        _entered.modes.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _entered.modes.pop()
        CALLS.end(_ask_mode)

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """A new mode to be entered."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the function gives."""
        return func(*args, **(kwargs or {}))


def _get_current_function_mode() -> TorchFunctionMode | None:
    """The innermost mode that this thread has entered."""
    return _entered.modes[-1] if _entered.modes else None


def _get_current_function_mode_stack() -> list[TorchFunctionMode]:
    """The modes that this thread has entered, the innermost last."""
    return list(_entered.modes)


# ---------------------------------------------------------------------------------------------------------------------
# What there is to be overridden


def get_default_nowrap_functions() -> set[Callable[..., Any]]:
    """What gives a tensor as it is kept, of whatever class that is: results do not become the subclass's."""
    return nowrap_functions()


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """The functions that modes see, by the module or class in which programs find them."""
    from importlib import import_module

    from rushlight.fx.node import NAMESPACES, functions

    found: dict[Any, list[Callable[..., Any]]] = {}
    modules = {path: import_module(module) for module, path in NAMESPACES.items()}
    for _, _, f, path in functions():
        found.setdefault(modules[path.rpartition(".")[0]], []).append(f)
    found[Tensor] = [f for name, f in vars(Tensor).items() if not name.startswith("_") and callable(f)]
    return found


def resolve_name(f: Callable[..., Any]) -> str | None:
    """How programs write a function: `"torch.relu"`, `"torch.Tensor.add_"`; None for another's.

    >>> torch.overrides.resolve_name(torch.nn.functional.linear)
    'torch.nn.functional.linear'
    """
    from rushlight.fx.node import functions

    for _, _, known, path in functions():
        if f in (known, getattr(known, "__wrapped__", None)):  # autocast puts a function of its own around some
            return path
    return next((f"torch.Tensor.{name}" for name, known in vars(Tensor).items() if known is f), None)


__getattr__ = missing(__name__)
