"""torch._jit_internal: what TorchScript's annotations need, for programs that were written to be scripted.

Nothing is scripted here: the annotations say nothing, and `boolean_dispatch` chooses when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rushlight.core.missing import missing

__all__ = ["BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Final", "boolean_dispatch"]

class BroadcastingListCls:
    """An annotation: a number, or a list of as many."""

    def __getitem__(self, types: Any) -> None:
        return None


BroadcastingList1, BroadcastingList2, BroadcastingList3 = (BroadcastingListCls() for _ in range(3))


def boolean_dispatch(
    arg_name: str,
    arg_index: int,
    default: bool,
    if_true: Callable[..., Any],
    if_false: Callable[..., Any],
    module_name: str | None,
    func_name: str | None,
) -> Callable[..., Any]:
    """A function that calls `if_true` or `if_false`, by one of its arguments.

    >>> choose = boolean_dispatch("flag", 1, False, lambda x, flag: "yes", lambda x, flag=False: "no", None, "choose")
    >>> choose(0), choose(0, True), choose(0, flag=True)
    ('no', 'yes', 'yes')
    """
    if if_true.__doc__ is not None and if_false.__doc__ is not None:
        raise RuntimeError("only one function can have a docstring")

    def chosen(*args: Any, **kwargs: Any) -> Any:
        flag = kwargs.get(arg_name, args[arg_index] if arg_index < len(args) else default)
        return (if_true if flag else if_false)(*args, **kwargs)

    chosen.__doc__ = if_true.__doc__ or if_false.__doc__
    chosen.__module__ = module_name or chosen.__module__
    chosen.__name__ = func_name or chosen.__name__
    return chosen


def assert_int_or_pair(arg: Any, arg_name: str, message: str) -> None:
    """Raises AssertionError unless the argument is a number or two."""
    if not (isinstance(arg, int) or len(arg) == 2):
        raise AssertionError(message.format(arg_name))


_ANNOTATIONS = ("export", "ignore", "unused", "is_scripting")
__getattr__ = missing(__name__, {name: f"rushlight.jit:{name}" for name in _ANNOTATIONS})
