"""Recording beside the running trace: for a look at numbers that are there, which must not compute what is pending.

Whoever reads a result flushes the trace, and with it all that the program has recorded so far; a check that the
library makes of its own accord should not cut the program's step in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .trace import Trace, recorder
from .value import TENSORS, Tensor


def is_computed(t: Tensor) -> bool:
    """Whether a tensor's numbers are there, so that they can be read `aside`."""
    storage = t._storage
    return t.__class__ in TENSORS and t._value.buf is not None and (storage is None or t._seen == storage.version)


@contextmanager
def aside() -> Iterator[None]:
    """Records off the tape and in a trace of its own; only tensors that are computed may be used there."""
    me = recorder()
    with me.lock:
        running, tracking = me.trace, me.tracking
        me.trace, me.tracking = Trace(me), False
        try:
            yield
        finally:
            me.trace, me.tracking = running, tracking
