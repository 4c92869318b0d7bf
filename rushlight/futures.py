"""torch.futures: results that come later. Where there is one process, `torch.jit.fork` makes them, and programs do."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rushlight.core.missing import missing

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")


class Future(Generic[T]):
    """A result or an exception, now or later, and what is to be done when it is there.

    >>> future = Future()
    >>> later = future.then(lambda done: done.value() + 1)
    >>> future.set_result(2)
    >>> later.wait()
    3
    """

    def __init__(self, *, devices: Any = None) -> None:
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._result: Any = None
        self._failure: BaseException | None = None
        self._callbacks: list[Callable[[Future[Any]], Any]] = []

    def done(self) -> bool:
        """Whether the result or an exception is there."""
        return self._settled.is_set()

    def wait(self) -> T:
        """The result, waited for; raises the exception that took its place."""
        self._settled.wait()
        return self.value()

    def value(self) -> T:
        """The result, which must be there; raises the exception that took its place."""
        if not self.done():
            raise RuntimeError("The Future has no value yet; wait() waits for it")
        if self._failure is not None:
            raise self._failure
        return self._result  # type: ignore[no-any-return]

    def set_result(self, result: T) -> None:
        """Gives the result, once."""
        self._settle(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Gives an exception in place of the result."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._settle(None, result)

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """The Future of what `callback` makes of this one, when it is done."""
        following: Future[Any] = Future()

        def follow(done: Future[T]) -> None:
            try:
                result = callback(done)
            except Exception as failure:
                name = type(failure).__name__
                text = f"Got the following error when running the callback: {name}: {failure}"
                following.set_exception(RuntimeError(text))
            else:
                following.set_result(result)

        self._when_done(follow)
        return following

    def add_done_callback(self, callback: Callable[[Future[T]], Any]) -> None:
        """Has `callback` called with this Future when it is done; what it raises is printed and goes no further."""

        def guarded(done: Future[T]) -> None:
            try:
                callback(done)
            except Exception:
                traceback.print_exc(file=sys.stderr)

        self._when_done(guarded)

    def _when_done(self, callback: Callable[[Future[T]], Any]) -> None:
        with self._lock:
            waiting = not self.done()
            if waiting:
                self._callbacks.append(callback)
        if not waiting:
            callback(self)

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        with self._lock:
            if self.done():
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future can only be marked "
                    "completed once."
                )
            self._result, self._failure = result, failure
            callbacks, self._callbacks = self._callbacks, []
            self._settled.set()
        for callback in callbacks:
            callback(self)


def collect_all(futures: list[Future[Any]]) -> Future[list[Future[Any]]]:
    """The Future of all of them, done when the last one is."""
    together: Future[list[Future[Any]]] = Future()
    left = len(futures)
    lock = threading.Lock()

    def count(_: Any) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            failure = next((f._failure for f in futures if f._failure is not None), None)
            together._settle(futures, failure)

    for future in futures:
        future._when_done(count)
    if not futures:
        together.set_result([])
    return together


def wait_all(futures: list[Future[Any]]) -> list[Any]:
    """The results of all of them; raises the first exception."""
    return [future.wait() for future in collect_all(futures).wait()]


__getattr__ = missing(__name__)
