"""This computer, as the compiler sees it: machine code for its processor, from the cache or made now, and linked.

What is in the cache is linked by ourselves (`linking.py`) in a fraction of a millisecond.  LLVM (`target.py`) is loaded
when code has to be made.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import llvmlite

from . import array_layout
from .background import emission, loading
from .cache import bound, cache_folder, keep, kept
from .capture import KINDS
from .imports import addresses
from .linking import Unlinkable, callable_at, link
from .processor import processor

if TYPE_CHECKING:
    from .target import Target


class Machine:
    """This computer.

    Attributes:
        vector_bytes, fuses: what its processor can do (`processor.Processor`).
        grown: whether there is more in the cache than when it was last looked through.
    """

    def __init__(self) -> None:
        array_layout.check()
        own = processor()
        self.name, self.vector_bytes, self.fuses = own.name, own.vector_bytes, own.fuses
        if not own.halves:
            KINDS.discard("float16")
        self.grown = False

    @property
    def target(self) -> Target:
        """LLVM, loaded when it is wanted."""
        with loading():
            from .target import target

            return target()

    def object_code(self, text: str, hasty: bool = False) -> bytes:
        """The machine code of a module, from the cache or made now."""
        key = self.key(text)
        code = self.kept_code(key)
        if code is None:
            target = self.target
            with emission():
                code = target.compile(text, hasty)
                self.keep_code(key, code)
            self.grown = True
        return code

    def key(self, text: str) -> str:
        """What the machine code of a module is called in the cache, or whatever else depends on the processor."""
        return hashlib.sha256("\n".join([text, self.name, llvmlite.__version__]).encode()).hexdigest()

    def kept_code(self, key: str) -> bytes | None:
        """The machine code of a module, if it is in the cache."""
        return kept(cache_folder() / f"{key}.o")

    def keep_code(self, key: str, code: bytes) -> None:
        """Puts machine code into the cache."""
        keep(cache_folder() / f"{key}.o", code)

    def forget(self, key: str) -> None:
        """Takes a module out of the cache that nobody will ask for again."""
        with contextlib.suppress(OSError):
            (cache_folder() / f"{key}.o").unlink(missing_ok=True)

    def functions(self, text: str, names: list[str]) -> list[Callable[..., Any]]:
        """A module's functions as Python callables."""
        return self.callables([self.object_code(text)], names)

    def callables(self, codes: Sequence[bytes], names: Sequence[str], imports: Iterable[str] = ()) -> list[Any]:
        """The functions of some modules as Python callables; `imports` are what they call of our own."""
        with loading():
            elsewhere = addresses(frozenset(imports))
        linked = self.link_code(codes, names, elsewhere)
        return [callable_at(name, linked[name]) for name in names]

    def link(self, text: str, names: list[str], imports: Mapping[str, int] | None = None) -> Mapping[str, int]:
        """The module's code in memory: the addresses of its functions by name, for the life of the process."""
        return self.link_code([self.object_code(text)], names, imports or {})

    def link_code(self, codes: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int]) -> Mapping[str, int]:
        """The same of the machine code of some modules."""
        try:
            linked: Any = link(codes, imports)
        except Unlinkable:
            target = self.target
            with emission():
                linked = target.link(codes, names, imports)
        if self.grown:
            self.grown = False
            with contextlib.suppress(OSError):
                bound(cache_folder())
        return linked  # type: ignore[no-any-return]


@functools.cache
def machine() -> Machine:
    """The one Machine of the process."""
    return Machine()
