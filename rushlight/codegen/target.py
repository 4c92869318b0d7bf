"""LLVM: text in, object code out.

One target machine serves the process, and where our own linker (`linking.py`) does not know the kind of object code,
one of LLVM's.  Importing this module loads LLVM, so it is done when the first code has to be made (`machine.py`).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm

from .linking import keep_for_ever
from .processor import processor


class Target:
    """This computer's processor, as LLVM knows it."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
        if processor().scales and not features.get("avx512f"):  # LLVM would end the process
            raise NotImplementedError("the system says that this processor has AVX-512, and LLVM that it has not")
        self.cpu, self.features = llvm.get_host_cpu_name(), features.flatten()
        self.machine = self._machine(jit=False)
        self.numbers = itertools.count(1)  # of libraries: two threads never get the same one

    def _machine(self, jit: bool) -> Any:
        triple = llvm.Target.from_default_triple()
        return triple.create_target_machine(
            cpu=self.cpu, features=f"{self.features},-prefer-256-bit", opt=2, codemodel="jitdefault", jit=jit
        )

    def compile(self, text: str, hasty: bool) -> bytes:
        """The object code of a module."""
        with _unreduced_loops() if hasty else contextlib.nullcontext():
            module = llvm.parse_assembly(
                f'target triple = "{self.machine.triple}"\ntarget datalayout = "{self.machine.target_data}"\n{text}'
            )
            module.verify()
            return self.machine.emit_object(module)  # type: ignore[no-any-return]

    @functools.cached_property
    def _linker(self) -> Any:
        return llvm.create_lljit_compiler(self._machine(jit=True))

    def link(self, codes: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int]) -> Any:
        """Object code in memory: the addresses of these functions, for the life of the process."""
        library = llvm.JITLibraryBuilder().add_current_process()
        for code in codes:
            library.add_object_img(code)
        for name, address in imports.items():
            library.import_symbol(name, address)
        for name in names:
            library.export_symbol(name)
        linked = library.link(self._linker, f"rushlight{next(self.numbers)}")
        keep_for_ever(linked)
        return linked


@functools.cache
def target() -> Target:
    """The one Target of the process."""
    return Target()


@contextlib.contextmanager
def _unreduced_loops() -> Iterator[None]:
    """LLVM does not think about its loops' addresses meanwhile, for which it would take a fifth of its time."""
    llvm.set_option("rushlight", "-disable-lsr=true")
    try:
        yield
    finally:
        llvm.set_option("rushlight", "-disable-lsr=false")
