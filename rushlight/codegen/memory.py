"""Loads and stores in LLVM's language: one element or a vector of them, all lanes or those of a mask."""

from __future__ import annotations

from .llvm import SHORT, Writer, wide


def load(w: Writer, kind: str, place: str, align: int, lanes: int, mask: str | None = None) -> str:
    """Loads from an address on; lanes outside the mask are 0."""
    whole = wide(kind, lanes)
    if lanes == 1 or mask is None:
        return w.let(f"load {whole}, ptr {place}, align {align}")
    name, test = f"llvm.masked.load.v{lanes}{SHORT[kind]}.p0", f"<{lanes} x i1>"
    w.declared.add(f"declare {whole} @{name}(ptr, i32, {test}, {whole})")
    return w.let(f"call {whole} @{name}(ptr {place}, i32 {align}, {test} {mask}, {whole} zeroinitializer)")


def store(w: Writer, kind: str, place: str, align: int, lanes: int, value: str, mask: str | None = None) -> None:
    """Stores from an address on; lanes outside the mask are left alone."""
    whole = wide(kind, lanes)
    if lanes == 1 or mask is None:
        w.line(f"store {whole} {value}, ptr {place}, align {align}")
        return
    name, test = f"llvm.masked.store.v{lanes}{SHORT[kind]}.p0", f"<{lanes} x i1>"
    w.declared.add(f"declare void @{name}({whole}, ptr, i32, {test})")
    w.line(f"call void @{name}({whole} {value}, ptr {place}, i32 {align}, {test} {mask})")


def first_lanes(count: int, lanes: int) -> str | None:
    """The mask of the first `count` lanes; None for all."""
    if count == lanes:
        return None
    return "<" + ", ".join(f"i1 {'true' if k < count else 'false'}" for k in range(lanes)) + ">"
