"""Batches on their way from a worker process to the loader.

`send` pickles any Python object into one message in which the numbers of tensors and arrays stand apart (pickle
protocol 5); `receive` makes the object again around those numbers, without copying them once more. A large batch
travels in anonymous shared memory (`memfd`, on Linux): the worker writes it there and passes the file descriptor, and
the memory is gone when the last tensor of the batch is, even if a process is killed. Small batches, and other
systems, use the pipe alone.

Only the loader and the workers that it started itself speak over such a pipe: nothing from outside is unpickled here.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import sys
from collections.abc import Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from rushlight.data.collate import _is_plain
from rushlight.tensor import Tensor, wrap

SHARED_FROM = 1 << 18
"""Batches of so many bytes go through shared memory: below, making and mapping it costs more than the copies."""

ALIGNMENT = 64
_HAS_SHARED_MEMORY = sys.platform == "linux" and hasattr(os, "memfd_create")


class _Pickler(pickle.Pickler):
    """Takes plain tensors as the arrays they are; all else in pickle's own way."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is Tensor and _is_plain(obj):
            return wrap, (np.ascontiguousarray(obj.realized_array()),)
        return NotImplemented


def send(connection: Connection, tag: Any, payload: Any) -> None:
    """Sends ``(tag, payload)``. Nothing has been sent when pickling raises."""
    body, buffers = _pickle((tag, payload))
    sizes = [buffer.nbytes for buffer in buffers]
    if _HAS_SHARED_MEMORY and sum(sizes) >= SHARED_FROM:
        _send_shared(connection, body, buffers, sizes)
        return
    connection.send_bytes(pickle.dumps((body, sizes, False)))
    for buffer in buffers:
        connection.send_bytes(buffer)


def receive(connection: Connection) -> tuple[Any, Any]:
    """The next ``(tag, payload)``. Raises EOFError when the other end is gone."""
    body, sizes, shared = pickle.loads(connection.recv_bytes())
    buffers = _receive_shared(connection, sizes) if shared else [_receive_buffer(connection, size) for size in sizes]
    tag, payload = pickle.loads(body, buffers=buffers)
    return tag, payload


def _pickle(message: Any) -> tuple[bytes, list[memoryview]]:
    stream = io.BytesIO()
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes == 0:
            return True
        buffers.append(raw)
        return False

    _Pickler(stream, protocol=5, buffer_callback=keep).dump(message)
    return stream.getvalue(), buffers


def _receive_buffer(connection: Connection, size: int) -> np.ndarray[Any, Any]:
    buffer = np.empty(size, np.uint8)
    connection.recv_bytes_into(buffer)  # type: ignore[arg-type]
    return buffer


def _offsets(sizes: Sequence[int]) -> list[int]:
    """Where each buffer starts, aligned; the total size comes last."""
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + -(-size // ALIGNMENT) * ALIGNMENT)
    return offsets


def _send_shared(connection: Connection, body: bytes, buffers: list[memoryview], sizes: list[int]) -> None:
    offsets = _offsets(sizes)
    descriptor = os.memfd_create("rushlight-batch")
    try:
        os.ftruncate(descriptor, offsets[-1])
        with mmap.mmap(descriptor, offsets[-1]) as memory:
            for start, size, buffer in zip(offsets, sizes, buffers, strict=False):
                memory[start : start + size] = buffer.cast("B")
        connection.send_bytes(pickle.dumps((body, sizes, True)))
        reduction.send_handle(connection, descriptor, os.getppid())  # type: ignore[attr-defined]
    finally:
        os.close(descriptor)


def _receive_shared(connection: Connection, sizes: list[int]) -> list[memoryview]:
    offsets = _offsets(sizes)
    descriptor = reduction.recv_handle(connection)  # type: ignore[attr-defined]
    try:
        memory = memoryview(mmap.mmap(descriptor, offsets[-1]))
    finally:
        os.close(descriptor)
    return [memory[start : start + size] for start, size in zip(offsets, sizes, strict=False)]
