"""Whether operations are recorded on the tape: contexts and decorators, per thread."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from rushlight.core.caller import stacklevel
from rushlight.record.trace import recorder, use_inference

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """A context manager that is also a decorator of functions, generators and (without a call) classes."""

    def __call__(self, f: F) -> F:
        if inspect.isclass(f):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                "functions or methods. To preserve the current behavior of class decoration, you can directly decorate "
                "the `__init__` method and nothing else.",
                FutureWarning,
                stacklevel=stacklevel(),
            )
            f.__init__ = self(f.__init__)  # type: ignore[method-assign]
            return f
        if inspect.isgeneratorfunction(f):
            return self._generator(f)

        @functools.wraps(f)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return f(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _generator(self, f: Any) -> Any:
        """The mode holds while the generator runs, not while it waits."""

        @functools.wraps(f)
        def inside(*args: Any, **kwargs: Any) -> Any:
            running = f(*args, **kwargs)
            answer, failure = None, None
            while True:
                try:
                    with self.clone():
                        item = running.throw(failure) if failure is not None else running.send(answer)
                except StopIteration as end:
                    return end.value
                failure = None
                try:
                    answer = yield item
                except GeneratorExit:
                    running.close()
                    raise
                except BaseException as raised:
                    failure = raised

        return inside

    def clone(self) -> Any:
        """A fresh context of the same kind."""
        return self.__class__()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError


class _GradMode(_Mode):
    wanted: bool
    before: list[bool]

    def __new__(cls, function: Any = None) -> Any:
        made = object.__new__(cls)
        made.before = []
        return made if function is None or not callable(function) else made(function)

    def __enter__(self) -> None:
        me = recorder()
        self.before.append(me.tracking)
        me.tracking = self.wanted

    def __exit__(self, *_: object) -> None:
        recorder().tracking = self.before.pop()


class no_grad(_GradMode):
    """Operations inside are not recorded on the tape.

    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    wanted = False


class enable_grad(_GradMode):
    """Operations inside are recorded on the tape."""

    wanted = True


class set_grad_enabled(_Mode):
    """Switches the tape on or off: as a function at once, as a context until its end."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool | int):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        me = recorder()
        self.before = me.tracking
        self.mode = bool(mode)
        me.tracking = self.mode

    def __call__(self, f: F) -> F:
        recorder().tracking = self.before
        return super().__call__(f)

    def clone(self) -> set_grad_enabled:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        recorder().tracking = self.mode

    def __exit__(self, *_: object) -> None:
        recorder().tracking = self.before


class inference_mode(_Mode):
    """No tape, and tensors made inside never join one."""

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if callable(mode):
            cls.__init__(made)
            return made(mode)
        return made

    def __init__(self, mode: Any = True) -> None:
        self.mode = mode if isinstance(mode, bool) else True
        self.before: list[tuple[bool, bool]] = []

    def clone(self) -> inference_mode:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        me = recorder()
        self.before.append((me.tracking, me.inference))
        me.tracking = not self.mode
        use_inference(self.mode)

    def __exit__(self, *_: object) -> None:
        me = recorder()
        me.tracking, me.inference = self.before.pop()


class _Setting(_Mode):
    """A switch that changes nothing here: a function at once, or a context until its end."""

    def __init__(self, enable: bool = True) -> None:
        self.enable = bool(enable)

    def clone(self) -> _Setting:
        return self.__class__(self.enable)

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *_: object) -> None:
        """Nothing changes."""


class set_multithreading_enabled(_Setting):
    """Accepted: a backward pass is recorded in the thread that asks for it."""


class enforce_grad_layout_policy(_Setting):
    """Accepted: a gradient always lies in memory as its parameter does."""


def is_grad_enabled() -> bool:
    """Whether operations are recorded on the tape."""
    return recorder().tracking


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on."""
    return recorder().inference
