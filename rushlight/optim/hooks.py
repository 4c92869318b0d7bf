"""The handle that registering a hook returns: `remove()` takes the hook away again."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """Removes one hook from its table; as a context manager, at the end of the block."""

    next_id: int = 0

    def __init__(self, hooks: MutableMapping[int, Any]) -> None:
        self._table = weakref.ref(hooks)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1

    def remove(self) -> None:
        """Takes the hook away; doing so twice is no error."""
        table = self._table()
        if table is not None:
            table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
