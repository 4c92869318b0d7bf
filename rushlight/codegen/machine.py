"""LLVM: text in, callable functions out.

One target machine and one ORC linker serve the process.  Object code is kept on disk under the hash of its text, the
processor and LLVM's version, so the next process links in a fraction of a millisecond; files appear whole (written
aside, then renamed), and one that is damaged is made again.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from .background import emission, loading
from .capture import KINDS
from .drawing import FILL
from .entry import C_CONTIGUOUS, DATA, FLAGS
from .lanes import Processor
from .team import RUN, team

METH_FASTCALL = 0x80
ABANDONED = 3600  # seconds after which nobody is still writing an entry
MAX_CACHE, MAX_ENTRIES = 256 << 20, 20_000  # bytes of object code kept on disk, and modules
DIGEST = hashlib.sha256().digest_size  # every entry begins with the hash of the rest
_kept: list[Any] = []  # libraries live as long as the process


class _MethodDefinition(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class Machine:
    """This computer's processor, as LLVM knows it."""

    def __init__(self) -> None:
        _check_array_layout()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.cpu = llvm.get_host_cpu_name()
        features = llvm.get_host_cpu_features()
        self.features = features.flatten() + ",-prefer-256-bit"
        wide = features.get("avx512f") and features.get("avx512bw") and features.get("avx512vl")
        self.vector_bytes = 64 if wide else 32 if features.get("avx2") else 16
        Processor.scales = bool(wide)
        self.fuses = bool(features.get("fma")) or not features.get("sse2")  # what is no x86 has them always
        Processor.fuses = self.fuses
        if features.get("sse2") and not features.get("f16c"):
            KINDS.discard("float16")  # its conversions would be calls into a library of the C compiler
        self.target = self._target(jit=False)
        self.linker = llvm.create_lljit_compiler(self._target(jit=True))
        self.grown = False  # whether there is more in the cache than when it was last looked through
        self.numbers = itertools.count(1)  # of libraries: two threads never get the same one

    def _target(self, jit: bool) -> Any:
        triple = llvm.Target.from_default_triple()
        return triple.create_target_machine(
            cpu=self.cpu, features=self.features, opt=2, codemodel="jitdefault", jit=jit
        )

    def object_code(self, text: str, hasty: bool = False) -> bytes:
        """The machine code of a module, from the cache or made now."""
        key = self.key(text)
        code = self.kept_code(key)
        if code is None:
            with emission():
                code = self._compile(text, hasty)
                keep(cache_folder() / f"{key}.o", code)
            self.grown = True
        return code

    def key(self, text: str) -> str:
        """What the machine code of a module is called in the cache, or whatever else depends on the processor."""
        whole = "\n".join([text, self.cpu, self.features, llvmlite.__version__])
        return hashlib.sha256(whole.encode()).hexdigest()

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

    def _compile(self, text: str, hasty: bool = False) -> bytes:
        with _unreduced_loops() if hasty else contextlib.nullcontext():
            module = llvm.parse_assembly(
                f'target triple = "{self.target.triple}"\ntarget datalayout = "{self.target.target_data}"\n{text}'
            )
            module.verify()
            return self.target.emit_object(module)  # type: ignore[no-any-return]

    def functions(self, text: str, names: list[str]) -> list[Callable[..., Any]]:
        """A module's functions as Python callables."""
        return self.callables([self.object_code(text)], names)

    def callables(self, codes: Sequence[bytes], names: Sequence[str], imports: Iterable[str] = ()) -> list[Any]:
        """The functions of some modules as Python callables; `imports` are what they call of our own."""
        with loading():
            addresses = {RUN: team().address} if RUN in imports else {}
            if any(name.startswith(FILL) for name in imports):
                from .mersenne import fillings

                addresses |= {name: at for name, at in fillings().addresses.items() if name in imports}
        linked = self._link(codes, names, addresses)
        return [callable_at(name, linked[name]) for name in names]

    def link(self, text: str, names: list[str], imports: Mapping[str, int] | None = None) -> Any:
        """The module's code in memory: the addresses of its functions by name, for the life of the process."""
        return self._link([self.object_code(text)], names, imports or {})

    def link_code(self, code: bytes, names: Sequence[str], imports: Mapping[str, int]) -> Any:
        """The same of machine code."""
        return self._link([code], names, imports)

    def _link(self, codes: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int]) -> Any:
        with emission():
            library = llvm.JITLibraryBuilder().add_current_process()
            for code in codes:
                library.add_object_img(code)
            for name, address in imports.items():
                library.import_symbol(name, address)
            for name in names:
                library.export_symbol(name)
            linked = library.link(self.linker, f"rushlight{next(self.numbers)}")
        _kept.append(linked)
        if self.grown:
            self.grown = False
            with contextlib.suppress(OSError):
                _bound(cache_folder())
        return linked


def _check_array_layout() -> None:
    """Refuses a Python or NumPy whose array objects are built otherwise than the entry functions read them."""
    array = np.empty(3, np.float32)
    found = [ctypes.c_void_p.from_address(id(array) + DATA).value]
    found.append(ctypes.c_int32.from_address(id(array) + FLAGS).value & C_CONTIGUOUS)
    if found != [array.ctypes.data, C_CONTIGUOUS] or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise NotImplementedError("the compiler does not know this interpreter's array objects")


@functools.cache
def machine() -> Machine:
    """The one Machine of the process."""
    return Machine()


@contextlib.contextmanager
def _unreduced_loops() -> Iterator[None]:
    """LLVM does not think about its loops' addresses meanwhile, for which it would take a fifth of its time."""
    llvm.set_option("rushlight", "-disable-lsr=true")
    try:
        yield
    finally:
        llvm.set_option("rushlight", "-disable-lsr=false")


def callable_at(name: str, address: int) -> Callable[..., Any]:
    """A METH_FASTCALL function as a callable of Python."""
    definition = _MethodDefinition(name.encode(), address, METH_FASTCALL, None)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))  # for ever: the function object reads it when it dies
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return make(ctypes.addressof(definition), None, None)  # type: ignore[no-any-return]


def cache_folder() -> Path:
    """Where object code is kept: RUSHLIGHT_CACHE, or the user's cache folder."""
    chosen = os.environ.get("RUSHLIGHT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(chosen) if chosen else Path(base) / "rushlight"


def kept(path: Path) -> bytes | None:
    """What a cache entry holds; None if there is none or it is damaged."""
    try:
        entry = path.read_bytes()
    except OSError:
        return None
    digest, code = entry[:DIGEST], entry[DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def keep(path: Path, code: bytes) -> None:
    """Writes one cache entry, whole or not at all; a folder that cannot be written is no error."""
    aside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(aside, path)
    except OSError:
        if aside is not None:
            Path(aside).unlink(missing_ok=True)


def _entries(folder: Path) -> Iterator[Path]:
    """Object code, and what is known of whole programs."""
    yield from folder.glob("*.o")
    yield from folder.glob("*.plan")


def _bound(folder: Path) -> None:
    """Drops the oldest entries of a cache that has grown too large, and what a process that was killed left behind."""
    for part in folder.glob("*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED:
            part.unlink(missing_ok=True)
    entries = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in _entries(folder)), reverse=True)
    total = 0
    for count, (_, size, path) in enumerate(entries):
        total += size
        if total > MAX_CACHE or count >= MAX_ENTRIES:
            path.unlink(missing_ok=True)
