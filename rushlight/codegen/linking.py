"""Object code in memory: the linker for what LLVM makes of our modules on x86-64.

    object files (ELF) -> their sections in one piece of memory -> addresses written in -> executable

A process that finds all its code in the cache needs nothing else, so it never loads LLVM, which would take longer than
everything before its first native step, and half of its memory.  That is possible because our modules are made for the
large code model: every address in them has 64 bits and stands for itself, wherever anything lies, and so there is but
one way of writing one in.  What is not of this kind raises `Unlinkable`, and LLVM's own linker does it: that of other
processors and systems, for instance.

The formats: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html and https://gitlab.com/x86-psABIs/x86-64-ABI.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

PAGE = mmap.PAGESIZE
X86_64 = b"\x7fELF\x02\x01\x01", 62  # 64 bits, little-endian; the number of the processor
SYMTAB, RELA, NOBITS = 2, 4, 8  # kinds of sections
WRITABLE, ALLOCATED = 1, 2  # their flags
UNWINDING = ".eh_frame"  # for exceptions of C++, of which there are none
ABSOLUTE = 1  # R_X86_64_64: the address of a symbol and a number, in 64 bits
LOCAL, UNDEFINED, SPECIAL = 0, 0, 0xFF00  # a symbol's binding; the numbers of sections that are none
SECTION, SYMBOL, ENTRY = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ"), struct.Struct("<QQq")
METH_FASTCALL = 0x80


class Code(NamedTuple):
    """What is linked: object code, the functions wanted, and what it calls of our own that is elsewhere."""

    objects: tuple[bytes, ...]
    names: tuple[str, ...]
    imports: tuple[str, ...]


class Unlinkable(Exception):
    """Object code of another kind than this linker knows."""


class Section(NamedTuple):
    """A part of an object file, as its header says."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int  # of symbols: the section with their names; of relocations: the one with their symbols
    target: int  # of relocations: the section that they are written into
    alignment: int

    @property
    def loaded(self) -> bool:
        """Whether it is there when the code runs."""
        return bool(self.flags & ALLOCATED and self.size and self.name != UNWINDING)


class ObjectFile:
    """One object file.

    Attributes:
        content: its bytes.
        sections: its parts.
        places: where in memory the loaded ones of these begin, by number.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) < 64 or content[:7] != X86_64[0] or struct.unpack_from("<H", content, 18)[0] != X86_64[1]:
            raise Unlinkable("not an object file for x86-64")
        self.content = content
        (start,) = struct.unpack_from("<Q", content, 40)
        size, count, names = struct.unpack_from("<HHH", content, 58)
        headers = [SECTION.unpack_from(content, start + k * size) for k in range(count)]
        self.sections = [self._section(header, headers[names][4]) for header in headers]
        self.places: dict[int, int] = {}

    def _section(self, header: Sequence[int], names: int) -> Section:
        name, kind, flags, _, offset, size, link, target, alignment, _ = header
        return Section(self._text(names + name), kind, flags, offset, size, link, target, alignment)

    def _text(self, start: int) -> str:
        return self.content[start : self.content.index(b"\0", start)].decode()

    def place(self, number: int, address: int) -> None:
        """Puts a section into memory."""
        section = self.sections[number]
        self.places[number] = address
        if section.kind == NOBITS:  # fresh memory is zero
            return
        if section.offset + section.size > len(self.content):
            raise Unlinkable("a section that is longer than its file")
        ctypes.memmove(address, self.content[section.offset : section.offset + section.size], section.size)

    def symbols(self, table: Section) -> list[tuple[str, int, int | None]]:
        """The symbols of a table: name, binding, and address if it is in this file."""
        names, found = self.sections[table.link].offset, []
        for at in range(table.offset, table.offset + table.size, SYMBOL.size):
            name, about, _, section, value, _ = SYMBOL.unpack_from(self.content, at)
            if section >= SPECIAL:  # the file's own name, or something unusual that nobody refers to
                section = UNDEFINED
            base = self.places.get(section)
            found.append((self._text(names + name), about >> 4, None if base is None else base + value))
        return found

    def exported(self) -> dict[str, int]:
        """The addresses of what it defines for others."""
        tables = [s for s in self.sections if s.kind == SYMTAB]
        return {
            name: at for t in tables for name, binding, at in self.symbols(t) if binding != LOCAL and at is not None
        }

    def relocate(self, address_of: Callable[[str], int]) -> None:
        """Writes addresses in; those of other files are asked for."""
        for relocations in self.sections:
            base = self.places.get(relocations.target)
            if relocations.kind != RELA or base is None:
                continue
            symbols = self.symbols(self.sections[relocations.link])
            for at in range(relocations.offset, relocations.offset + relocations.size, ENTRY.size):
                where, what, more = ENTRY.unpack_from(self.content, at)
                if what & 0xFFFFFFFF != ABSOLUTE:
                    raise Unlinkable(f"a relocation of kind {what & 0xFFFFFFFF}")
                if where + 8 > self.sections[relocations.target].size:
                    raise Unlinkable("a relocation outside its section")
                name, _, found = symbols[what >> 32]
                value = address_of(name) if found is None else found
                ctypes.c_uint64.from_address(base + where).value = value + more


def link(codes: Sequence[bytes], imports: Mapping[str, int]) -> dict[str, int]:
    """Puts object files into memory, for the life of the process: the addresses of all that they export.

    What they call is looked for among themselves, then among `imports`, then in this process.

    Raises:
        Unlinkable: this is for LLVM's linker.
        OSError: a function is nowhere to be found, or the system allows no new code.
    """
    try:
        return _link([ObjectFile(code) for code in codes], imports)
    except (struct.error, IndexError, ValueError) as failure:
        raise Unlinkable("an object file that is not well formed") from failure


def _link(files: Sequence[ObjectFile], imports: Mapping[str, int]) -> dict[str, int]:
    fixed, changing = _laid(files, False, 0), _laid(files, True, 0)
    code = -(-fixed[1] // PAGE) * PAGE
    memory = mmap.mmap(-1, max(code + changing[1], PAGE), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for base, (offsets, _) in ((start, fixed), (start + code, changing)):
        for file, number, offset in offsets:
            file.place(number, base + offset)
    known: dict[str, int] = {}
    for file in files:
        known = file.exported() | known
    for file in files:
        file.relocate(lambda name: known.get(name) or imports.get(name) or in_process(name))
    _make_executable(start, code)
    keep_for_ever(memory)
    return known


def _laid(files: Sequence[ObjectFile], writable: bool, end: int) -> tuple[list[tuple[ObjectFile, int, int]], int]:
    """Where the sections of one kind lie, one after the other, and where they end."""
    found = []
    for file in files:
        for number, section in enumerate(file.sections):
            if section.loaded and bool(section.flags & WRITABLE) == writable:
                if section.alignment > PAGE:
                    raise Unlinkable("a section with an alignment of more than a page")
                end = -(-end // max(section.alignment, 1)) * max(section.alignment, 1)
                found.append((file, number, end))
                end += section.size
    return found, end


def _make_executable(start: int, size: int) -> None:
    """From now on this memory is code, and nobody writes there."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if size and library.mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "the system allows no new code in this process")


@functools.cache
def in_process(name: str) -> int:
    """The address of a function of Python or of the C library.

    Raises:
        OSError: there is none.
    """
    try:
        address = ctypes.cast(ctypes.CDLL(None)[name], ctypes.c_void_p).value
    except AttributeError:
        address = None
    if address is None:
        raise OSError(f"machine code calls {name}, which is not in this process")
    return address


def keep_for_ever(what: Any) -> None:
    """Has an object outlive even the end of the interpreter: threads and dying functions may still look at it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(what))


class _MethodDefinition(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def callable_at(name: str, address: int) -> Callable[..., Any]:
    """A METH_FASTCALL function as a callable of Python."""
    definition = _MethodDefinition(name.encode(), address, METH_FASTCALL, None)
    keep_for_ever(definition)  # the function object reads it when it dies
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return make(ctypes.addressof(definition), None, None)  # type: ignore[no-any-return]
