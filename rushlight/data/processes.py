"""A pass over a DataLoader with worker processes.

Each worker has a pipe. The iterator keeps ``prefetch_factor`` batches a worker under way: it hands index lists to the
workers in turn, each with a ticket (epoch, batch number), waits on all pipes at once, and gives the batches out in
the order of their numbers, holding back those that come early. A worker that dies, or one that is too slow for
``timeout``, is reported as a RuntimeError. Closing the pipes ends the workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
import weakref
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NoReturn

from rushlight.data import transport
from rushlight.data.iterators import BaseIterator
from rushlight.data.worker import END, RESUME, TASK, Failure, WorkerSettings, run_worker

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

    from rushlight.data.loader import DataLoader

PATIENCE = 5.0
"""Seconds a worker has to finish its batch when the pass is over; then it is terminated."""

_our_ends: weakref.WeakSet[Connection] = weakref.WeakSet()


def _close_our_ends() -> None:
    """In a forked process: a worker notices that we are gone only when nobody else holds our end of its pipe."""
    for pipe in _our_ends:
        pipe.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_our_ends)


class MultiProcessingIterator(BaseIterator):
    """Loads in ``num_workers`` processes."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._process = os.getpid()
        self._workers: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        super().__init__(loader)
        if not loader.prefetch_factor:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._prefetch_factor = loader.prefetch_factor
        self._in_order = loader.in_order
        self._epoch = 0
        self._settings = WorkerSettings(
            self._dataset_kind,
            self._dataset,
            self._auto_collation,
            self._collate_fn,
            self._drop_last,
            self._base_seed,
            loader.worker_init_fn,
            self._num_workers,
        )
        self._start(loader.multiprocessing_context or _default_context())
        self._begin()

    def _start(self, context: BaseContext) -> None:
        for number in range(self._num_workers):
            ours, theirs = context.Pipe()
            self._pipes.append(ours)
            _our_ends.add(ours)
            worker = context.Process(  # type: ignore[attr-defined]
                target=run_worker, args=(self._settings, number, theirs), daemon=True
            )
            with warnings.catch_warnings():
                # Python warns of forking while threads run: the worker takes no locks of ours.
                warnings.simplefilter("ignore", DeprecationWarning)
                worker.start()
            theirs.close()
            self._workers.append(worker)

    def _begin(self) -> None:
        self._sent = 0  # the number of the next batch to ask for
        self._due = 0  # the number of the next batch to give out
        self._owner: dict[int, int] = {}  # batch under way -> worker
        self._arrived: dict[int, Any] = {}  # batch that came early -> content
        self._active = [True] * self._num_workers
        self._load = [0] * self._num_workers
        self._turn = 0
        for _ in range(self._prefetch_factor * self._num_workers):
            self._ask()

    def _reset(self, loader: DataLoader[Any]) -> None:
        super()._reset(loader)
        if not self._pipes:
            raise RuntimeError(
                "DataLoader workers are not running any more: one of them failed. Make a new DataLoader."
            )
        self._epoch += 1  # batches of the last epoch that are still under way are thrown away when they come
        for number in range(self._num_workers):
            self._send(number, RESUME, None)
        self._begin()

    def _ask(self) -> None:
        """Sends the next index to the worker whose turn it is, if there is a next index and a worker to ask."""
        try:
            index = self._next_index()
        except StopIteration:
            return
        number = self._next_worker()
        if number is None:
            return
        self._send(number, TASK, ((self._epoch, self._sent), index))
        self._owner[self._sent] = number
        self._load[number] += 1
        self._sent += 1

    def _next_worker(self) -> int | None:
        for _ in range(self._num_workers):
            number = self._turn
            self._turn = (self._turn + 1) % self._num_workers
            if self._active[number] and (self._in_order or self._load[number] < self._share()):
                return number
        return None

    def _share(self) -> int:
        return self._prefetch_factor * self._num_workers // sum(self._active)

    def _send(self, number: int, kind: str, content: Any) -> None:
        try:
            self._pipes[number].send((kind, content))
        except (BrokenPipeError, ConnectionResetError):
            self._report_dead([number])

    def _next_data(self) -> Any:
        while True:
            self._skip_abandoned()
            if self._due in self._arrived:
                return self._give(self._arrived.pop(self._due))
            if self._due == self._sent:
                if not self._persistent_workers:
                    self._shut_down()
                raise StopIteration
            batch, content = self._receive()
            if batch is None:
                self._ask()
            elif self._in_order:
                self._arrived[batch] = content
            else:
                return self._give(content)

    def _skip_abandoned(self) -> None:
        """Passes over batches given out already, and those whose worker came to the end of its stream before them."""
        while self._due < self._sent and self._due not in self._arrived:
            number = self._owner.get(self._due)
            if number is not None and self._active[number]:
                return
            self._owner.pop(self._due, None)
            self._due += 1

    def _give(self, content: Any) -> Any:
        if self._in_order:
            self._due += 1
        self._ask()
        if isinstance(content, Failure):
            content.reraise()
        return content

    def _receive(self) -> tuple[int | None, Any]:
        """The next batch of this epoch and its number; no number: a worker came to the end of its stream."""
        while True:
            (kind, (epoch, batch), number), content = self._receive_any()
            if epoch != self._epoch:
                continue
            self._load[number] -= 1
            if kind == END:
                self._active[number] = False
                return None, None
            self._owner.pop(batch)
            return batch, content

    def _receive_any(self) -> tuple[Any, Any]:
        pipes = {self._pipes[number]: number for number in range(self._num_workers) if self._active[number]}
        sentinels = {self._workers[number].sentinel: number for number in pipes.values()}
        ready = wait([*pipes, *sentinels], self._timeout or None)
        if not ready:
            self._shut_down(patience=0)
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        for pipe in pipes:
            if pipe in ready:
                try:
                    return transport.receive(pipe)
                except (EOFError, ConnectionResetError):
                    self._report_dead([pipes[pipe]])
        self._report_dead([number for sentinel, number in sentinels.items() if sentinel in ready])

    def _report_dead(self, numbers: list[int]) -> NoReturn:
        dead = [self._workers[number] for number in numbers]
        for worker in dead:
            worker.join(PATIENCE)
        pids = ", ".join(str(worker.pid) for worker in dead)
        causes = " ".join(_cause_of_death(worker) for worker in dead)
        self._shut_down()
        raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly: {causes}")

    def _shut_down(self, patience: float = PATIENCE) -> None:
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            worker.join(patience)
            if worker.is_alive():
                worker.terminate()
                worker.join()
        self._pipes, self._workers = [], []

    def __del__(self) -> None:
        # A forked process has a copy of this object, and no business with the workers.
        if self.__dict__.get("_workers") and self._process == os.getpid():
            self._shut_down()


def _default_context() -> BaseContext:
    """Fork where the system has it: workers start at once and share the dataset's memory."""
    methods = multiprocessing.get_all_start_methods()
    chosen = multiprocessing.get_start_method(allow_none=True)
    return multiprocessing.get_context(chosen or ("fork" if "fork" in methods else None))


def _cause_of_death(worker: BaseProcess) -> str:
    code = worker.exitcode
    if code is not None and code < 0:
        name = signal.strsignal(-code) or f"signal {-code}"
        hint = " It may have run out of memory." if -code == getattr(signal, "SIGKILL", None) else ""
        return f"DataLoader worker (pid {worker.pid}) is killed by signal: {name}.{hint}"
    return (
        f"DataLoader worker (pid {worker.pid}) exited unexpectedly with exit code {code}. Details are lost due to "
        "multiprocessing. Rerunning with num_workers=0 may give better error trace."
    )
