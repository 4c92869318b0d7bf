"""Subclasses of Tensor: how instances are made, and `__torch_function__`, with which a class answers calls itself.

A class takes part in calls unless its `__torch_function__` is `disabled`, as Parameter's is. From the first instance
of one that takes part on, Rushlight's functions look for such arguments (`overrides.ask_types`); programs without any
pay nothing. What a class inherits from Tensor computes, and gives its results that class. A type of another kind that
defines `__torch_function__` is met when a function of torch fails on it: that call is made again, and asks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Self

from rushlight.ops import public
from rushlight.ops import view as views
from rushlight.ops.creation import make_leaf
from rushlight.ops.public import attach
from rushlight.record.memory import storage_of
from rushlight.record.value import Tensor, tensor_of

from .properties import alias

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "answering", "disabled", "look_for", "of_class"]


class _Asking(threading.local):
    """How often a thread has asked that classes, or classes and modes, are left out."""

    classes_off = 0
    all_off = 0


asking = _Asking()


class DisableTorchFunctionSubclass:
    """A `with` block in which no class is asked: functions compute; modes still see them."""

    def __enter__(self) -> Self:
        asking.classes_off += 1
        return self

    def __exit__(self, *_: object) -> None:
        asking.classes_off -= 1


class DisableTorchFunction:
    """A `with` block in which neither classes nor modes are asked."""

    def __enter__(self) -> Self:
        asking.classes_off += 1
        asking.all_off += 1
        return self

    def __exit__(self, *_: object) -> None:
        asking.classes_off -= 1
        asking.all_off -= 1


def disabled(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """A `__torch_function__` that computes as if there were none: its class takes no part in calls."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


# ---------------------------------------------------------------------------------------------------------------------
# Which arguments answer

_QUIET = frozenset((Tensor, int, float, bool, complex, str, type(None)))


def takes_part(kind: type) -> bool:
    """Whether functions ask objects of the type what a call is to do."""
    if kind in _QUIET:
        return False
    found = getattr(kind, "__torch_function__", None)
    return found is not None and found is not disabled


def answering(arguments: Iterable[Any]) -> list[Any]:
    """Those of the arguments that take part, and of the members of lists and tuples among them."""
    found = []
    for x in arguments:
        if x.__class__ in (list, tuple):
            found += [y for y in x if takes_part(y.__class__)]
        elif takes_part(x.__class__):
            found.append(x)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# What every class inherits


def _converted(found: Any, cls: type[Tensor]) -> Any:
    """A result, or the results in lists and tuples, as instances of the class."""
    if isinstance(found, Tensor):
        return found if isinstance(found, cls) else as_subclass(found, cls)
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return type(found)(*[_converted(part, cls) for part in found])
    if isinstance(found, list | tuple):
        return type(found)([_converted(part, cls) for part in found])
    return found


def nowrap_functions() -> set[Any]:
    """What gives a tensor as it is kept, of whatever class that is."""
    return {vars(Tensor)["grad"].__get__}


def _torch_function(cls: type[Tensor], func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Calls the function and gives its results the class; NotImplemented beside a class that this one knows nothing of.

    >>> class Celsius(torch.Tensor): pass
    >>> type(torch.ones(2).as_subclass(Celsius) + 1).__name__
    'Celsius'
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        found = func(*args, **(kwargs or {}))
        return found if cls is Tensor or func in nowrap_functions() else _converted(found, cls)


setattr(Tensor, "__torch_function__", classmethod(_torch_function))  # noqa: B010 - the name is the protocol's

# ---------------------------------------------------------------------------------------------------------------------
# Instances


_found: set[type] = set()


def look_for(kind: type) -> bool:
    """From now on functions look for arguments that take part, if objects of this type do. Whether that is new."""
    if kind in _found or not takes_part(kind):
        return False
    from rushlight import overrides

    overrides.begin_asking()
    _found.add(kind)
    return True


def _others_take_part(args: Any, kwargs: Any) -> bool:
    """Whether a call that has failed is to be made again: an argument is of a type that functions did not look for."""
    return any(look_for(type(x)) for x in answering((*args, *kwargs.values())))


public.others_take_part = _others_take_part


def of_class(made: Tensor, cls: type[Tensor]) -> Any:
    """The tensor, made an instance of the class; nobody else may hold it.

    Raises NotImplementedError for a class with a `__torch_dispatch__`: operations are not dispatched to classes.
    """
    if cls is Tensor:
        return made
    if getattr(cls, "__torch_dispatch__", None) is not None:
        raise NotImplementedError(
            f"{cls.__name__}.__torch_dispatch__: operations do not ask subclasses of Tensor; define "
            "__torch_function__, or use a torch.utils._python_dispatch.TorchDispatchMode"
        )
    made.__class__ = cls
    look_for(cls)
    return made


def _check_class(cls: Any) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure "
            f"your class inherits from Tensor; it must be a subclass of Tensor, got {cls}"
        )


def as_subclass(self: Tensor, cls: type[Tensor]) -> Any:
    """The same memory as an instance of `cls`, on the tape as the tensor is.

    Raises TypeError where `cls` is no subclass of Tensor.
    """
    _check_class(cls)
    return of_class(views.look_at(self, views.ALIAS, ()), cls)


attach("as_subclass", as_subclass)


def make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False) -> Any:
    """A handle of a subclass on the memory of `data`, a leaf of the tape if `require_grad`."""
    _check_class(cls)
    other = alias(data) if data._storage is not None else tensor_of(data._value)
    if data._storage is None:
        storage_of(data)
        other._storage, other._seen = data._storage, data._seen
    of_class(other, cls)
    if require_grad:
        make_leaf(other)
    return other


def _make_wrapper_subclass(cls: type[Tensor], *_: Any, **__: Any) -> Any:
    """Raises NotImplementedError: tensors without memory whose class answers each operation are not in Rushlight."""
    raise NotImplementedError(
        f"torch.Tensor._make_wrapper_subclass({cls.__name__}): operations do not ask subclasses of Tensor; "
        "hold the tensors as attributes of a subclass with __torch_function__ instead"
    )


attach("_make_subclass", staticmethod(make_subclass))
attach("_make_wrapper_subclass", staticmethod(_make_wrapper_subclass))
