"""What a worker process does: it waits for indices, makes the batch, sends it back.

The loader's process and a worker hold the two ends of one pipe. Tasks come in (a ticket and indices), answers with the
ticket go out: the batch, a `Failure` with the worker's traceback, or `END` when the worker's copy of a stream is
exhausted. The worker ends when the other end of the pipe is closed.
"""

from __future__ import annotations

import pickle
import queue
import random
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import numpy as np

import rushlight
from rushlight.data import iterators, transport, worker_info

TASK = "task"
RESUME = "resume"
END = "end"
FAILED = "failed"
BATCH = "batch"


class _KeyErrorText(str):
    """KeyError shows the repr of its argument: this text's is itself, so that a traceback in it stays readable."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception of a worker, with its traceback as text, to raise again in the loader's process."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.kind: Any = type(error) if _has_pickle(type(error)) else RuntimeError
        self.text = "".join(traceback.format_exception(error))
        self.where = where

    def reraise(self) -> NoReturn:
        """Raises the same kind of exception, or RuntimeError where that kind cannot be made of one message."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            raise KeyError(_KeyErrorText(message))
        try:
            error = self.kind(message=message) if getattr(self.kind, "message", None) else self.kind(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


def _has_pickle(kind: type) -> bool:
    try:
        pickle.dumps(kind)
    except Exception:  # a class made inside a function
        return False
    return True


@dataclass(frozen=True)
class WorkerSettings:
    """All that a worker needs to know; travels to it when it starts."""

    dataset_kind: int
    dataset: Any
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    base_seed: int
    init_fn: Callable[[int], None] | None
    num_workers: int


def run_worker(settings: WorkerSettings, number: int, connection: Connection) -> None:
    """The main function of a worker process."""
    try:
        _Worker(settings, number, connection).run()
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        pass  # the loader's process is gone, or is being interrupted and says so itself


class _Worker:
    def __init__(self, settings: WorkerSettings, number: int, connection: Connection) -> None:
        self.settings = settings
        self.number = number
        self.connection = connection
        self.tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.fetch: Callable[[Any], Any] | None = None
        self.broken: Failure | None = None
        self.ended = False

    def run(self) -> None:
        # Read all the time, also while a batch is made or sent: else both ends could wait for the other to read.
        threading.Thread(target=self._listen, daemon=True).start()
        self._start()
        while (task := self.tasks.get()) is not None:
            self._answer(*task)

    def _listen(self) -> None:
        try:
            while True:
                self.tasks.put(self.connection.recv())
        except (EOFError, OSError):
            self.tasks.put(None)

    def _start(self) -> None:
        _seed(self.settings, self.number)
        try:
            if self.settings.init_fn is not None:
                self.settings.init_fn(self.number)
            self.fetch = self._new_fetch()
        except Exception as error:
            self.broken = self._failure(error)

    def _new_fetch(self) -> Callable[[Any], Any]:
        chosen = self.settings
        return iterators.fetcher(
            chosen.dataset_kind, chosen.dataset, chosen.auto_collation, chosen.collate_fn, chosen.drop_last
        )

    def _answer(self, kind: str, content: Any) -> None:
        if kind == RESUME:
            self._resume()
        elif not self.ended:
            self._send_batch(*content)

    def _resume(self) -> None:
        """A new epoch: a stream begins again."""
        self.ended = False
        try:
            self.fetch = self._new_fetch()
        except Exception as error:
            self.broken = self._failure(error)

    def _send_batch(self, ticket: Any, indices: Any) -> None:
        kind, answer = self._make(indices)
        try:
            transport.send(self.connection, (kind, ticket, self.number), answer)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # the batch cannot be pickled
            transport.send(self.connection, (FAILED, ticket, self.number), self._failure(error))

    def _make(self, indices: Any) -> tuple[str, Any]:
        if self.broken is not None:
            failure, self.broken = self.broken, None
            return FAILED, failure
        if self.fetch is None:
            return END, None
        try:
            return BATCH, self.fetch(indices)
        except Exception as error:
            if isinstance(error, StopIteration) and self.settings.dataset_kind == iterators.DatasetKind.Iterable:
                self.ended = True
                return END, None
            return FAILED, self._failure(error)

    def _failure(self, error: BaseException) -> Failure:
        return Failure(error, f"in DataLoader worker process {self.number}")


def _seed(settings: WorkerSettings, number: int) -> None:
    """Each worker gets generators of its own: ``base_seed + number``, and for NumPy a state mixed of the two."""
    seed = settings.base_seed + number
    random.seed(seed)
    rushlight.manual_seed(seed)
    rushlight.set_num_threads(1)
    np.random.seed(numpy_seed(settings.base_seed, number))
    worker_info.enter(worker_info.WorkerInfo(number, settings.num_workers, seed, settings.dataset))


def numpy_seed(base_seed: int, number: int) -> list[int]:
    """Four 32-bit words for ``np.random.seed``: NumPy's SeedSequence over the worker's number and the base seed."""
    entropy = [number, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(4)]
