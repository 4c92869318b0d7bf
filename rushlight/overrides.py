"""torch.overrides: the protocol by which a program's own functions give way to `__torch_function__` of their arguments.

A class that defines `__torch_function__` is asked by functions that ask it: `has_torch_function` says whether there is
one among the arguments, `handle_torch_function` calls them in turn. Rushlight's own operations record; they ask nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = [
    "TorchFunctionMode", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "wrap_torch_function",
]  # fmt: skip


def _overrides(x: Any) -> bool:
    return getattr(type(x), "__torch_function__", None) is not None


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether the type of any of them defines `__torch_function__`."""
    return any(_overrides(x) for x in relevant_args)


def has_torch_function_unary(x: Any) -> bool:
    """`has_torch_function` of one argument."""
    return _overrides(x)


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of the arguments."""
    return has_torch_function(args)


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
        if not _overrides(x) or any(type(x) is type(y) for y in found):
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
    asked = _asked(relevant_args)
    types = tuple(type(x) for x in asked)
    for x in asked:
        found = x.__torch_function__(public_api, types, args, kwargs)
        if found is not NotImplemented:
            return found
    name = f"{public_api.__module__}.{public_api.__name__}"
    raise TypeError(f"no implementation found for '{name}' on types that implement __torch_function__: {list(types)}")


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


class TorchFunctionMode:
    """A base class of libraries' modes, which would see every call of PyTorch's functions; it cannot be entered."""

    def __enter__(self) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__}: a TorchFunctionMode would be asked at every call; Rushlight records calls and "
            "asks nobody"
        )

    def __exit__(self, *_: object) -> None:
        """Nothing was entered."""


__getattr__ = missing(__name__)
