"""torch.utils._python_dispatch: modes that see every operation as it is recorded, those of backward passes too.

The operations are Rushlight's own, which are often PyTorch's and sometimes larger (`linear`, `softmax` in one); their
positional arguments are the operands, and their keywords the attributes. While a mode is entered nothing is memoised:
each operation is recorded and computed by itself, as with `RUSHLIGHT_EAGER=1`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rushlight import library
from rushlight.core.interception import Interception
from rushlight.core.missing import missing
from rushlight.record import trace as recording
from rushlight.record.memo import BIND
from rushlight.record.operation import Operation

__all__ = ["BaseTorchDispatchMode", "TorchDispatchMode"]


class _Entered(threading.local):
    """The modes that a thread has entered, and the operations that they are answering, the innermost last."""

    def __init__(self) -> None:
        self.modes: list[TorchDispatchMode] = []
        self.shown: list[tuple[library.AtenOperator, Operation]] = []


_entered = _Entered()
_unnamed: dict[str, library.AtenOperator] = {}


def _operator(op: Operation) -> library.AtenOperator:
    """What PyTorch calls the operation, or an operator of our own name where it has none."""
    try:
        return getattr(library.aten, op.name)  # type: ignore[no-any-return]
    except AttributeError:
        return _unnamed.setdefault(op.name, library.AtenOperator(op.name, recording.apply))


def _running(operator: library.AtenOperator) -> Callable[..., Any] | None:
    """What calling the operator means to the mode that was shown it."""
    shown, op = _entered.shown[-1] if _entered.shown else (None, None)
    if shown is not operator or op is None:
        return None
    return lambda *operands, **attributes: recording.apply(op, operands, tuple(attributes[k] for k in op.attributes))


def _ask_mode(_: Any, inner: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    op, operands, attrs = _parts(*args, **kwargs)
    modes = _entered.modes
    if not modes or op is BIND:
        return inner(*args, **kwargs)
    operator = _operator(op)
    mode = modes.pop()
    _entered.shown.append((operator, op))
    try:
        return mode.__torch_dispatch__(operator, (), tuple(operands), dict(zip(op.attributes, attrs, strict=True)))
    finally:
        _entered.shown.pop()
        modes.append(mode)


def _parts(op: Operation, operands: Any, attrs: Any = ()) -> tuple[Operation, Any, Any]:
    return op, operands, attrs


_interception = Interception(lambda: [recording.apply])
_eager_before: list[bool] = []


class TorchDispatchMode:
    """A base class of modes: inside a `with` block `__torch_dispatch__(func, types, args, kwargs)` is to record.

    `func` is one of `torch.ops.aten`; what the mode calls itself is not shown to it.

    >>> class Listing(TorchDispatchMode):
    ...     def __torch_dispatch__(self, func, types, args=(), kwargs=None):
    ...         print(func)
    ...         return func(*args, **(kwargs or {}))
    >>> x = torch.ones(2, 2)
    >>> with Listing():
    ...     y = (x @ x).relu()
    aten.mm
    aten.relu
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Does an operation; a mode must define it."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        recording.recorder().flush()
        _eager_before.append(recording.EAGER)
        recording.EAGER = True
        library.shown_to_mode = _running
        _interception.begin(_ask_mode)
        _entered.modes.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _entered.modes.pop()
        _interception.end(_ask_mode)
        recording.EAGER = _eager_before.pop()
        if not _eager_before:
            library.shown_to_mode = None

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """A new mode to be entered."""
        return cls(*args, **kwargs)


class BaseTorchDispatchMode(TorchDispatchMode):
    """A mode that changes nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the operation gives."""
        return func(*args, **(kwargs or {}))


def _get_current_dispatch_mode() -> TorchDispatchMode | None:
    """The innermost mode that this thread has entered."""
    return _entered.modes[-1] if _entered.modes else None


def _get_current_dispatch_mode_stack() -> list[TorchDispatchMode]:
    """The modes that this thread has entered, the innermost last."""
    return list(_entered.modes)


__getattr__ = missing(__name__)
