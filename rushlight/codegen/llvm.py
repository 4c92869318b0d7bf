"""LLVM's language, printed from the loop IR.

This is the only file (with the hand-written text of `team.py` and `timing.py`) that knows it: labels and phis for the
structured loops, intrinsics for masked access and reductions, the notation of constants.  A `Printer` serves one
program and remembers what its functions declare.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes

from .imports import RUN
from .ir import FLOATS, SIZES, UNSIGNED, Function, Index, Loop, Table, Value, When

SCALARS = {"f32": "float", "f64": "double", "f16": "half", "bf16": "i16", "u16": "i16", "i64": "i64", "i32": "i32",
           "u8": "i8", "bool": "i1", "ptr": "ptr"}  # fmt: skip
SHORT = {"f32": "f32", "f64": "f64", "f16": "f16", "ptr": "p0", **{k: SCALARS[k] for k in ("bf16", "u16", "i64", "i32",
         "u8", "bool")}}  # fmt: skip
CODES = {"add": "add", "sub": "sub", "mul": "mul", "div": "sdiv", "rem": "srem", "and": "and", "or": "or",
         "xor": "xor", "shl": "shl", "shr": "ashr", "lshr": "lshr", "udiv": "udiv", "urem": "urem"}  # fmt: skip
INTRINSICS = {"neg": "", "abs": "fabs", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
              "rint": "rint", "copysign": "copysign", "fma": "fma", "min": "smin", "max": "smax"}  # fmt: skip
OBJECTS = "_Py_TrueStruct", "_Py_FalseStruct"


def _binary_codes() -> dict[tuple[str, str], str]:
    """LLVM's word for an operation of two values, by operation and type."""
    made = {(op, kind): code for op, code in CODES.items() for kind in SCALARS if kind not in FLOATS}
    made.update({(op, kind): f"f{op}" for op in ("add", "sub", "mul", "div", "rem") for kind in FLOATS})
    made.update({(op, kind): f"u{op}" for op in ("div", "rem") for kind in UNSIGNED})
    return made


class _Wide(dict[tuple[str, int], str]):
    """LLVM's types, by element type and lanes."""

    def __missing__(self, key: tuple[str, int]) -> str:
        kind, lanes = key
        made = self[key] = SCALARS[kind] if lanes == 1 else f"<{lanes} x {SCALARS[kind]}>"
        return made


class _Masks(dict[tuple[int, int], str]):
    """The masks of the first few lanes, by count and lanes."""

    def __missing__(self, key: tuple[int, int]) -> str:
        count, lanes = key
        made = self[key] = "<" + ", ".join(f"i1 {'true' if k < count else 'false'}" for k in range(lanes)) + ">"
        return made


WIDE = _Wide()
MASKS = _Masks()
BINARY = _binary_codes()


def suffix(kind: str, lanes: int) -> str:
    """A type in an intrinsic's name."""
    return SHORT[kind] if lanes == 1 else f"v{lanes}{SHORT[kind]}"


def number(value: Any, kind: str) -> str:
    """A constant in LLVM's notation."""
    if kind == "bool":
        return "true" if value else "false"
    if kind in FLOATS:
        value = float(value)
        if kind == "f32":
            value = struct.unpack("<f", struct.pack("<f", value))[0] if abs(value) < 3.5e38 else value
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if kind == "f16":
        return f"0xH{np.float16(value).view(np.uint16):04X}"
    if kind == "bf16":
        return str(int(np.asarray(value).astype(dtypes.bfloat16.numpy).view(np.uint16)))
    if kind == "ptr":
        return f"inttoptr (i64 {value} to ptr)" if value else "null"
    return str(int(value))


def _fixed(a: Value) -> str:
    """A value that has no name."""
    if a.op == "global":
        return f"@{a.data}"
    if a.op == "undefined":
        return "poison"
    return _frequent(a.data, a.kind, a.lanes) if a.data else _constant(a.data, a.kind, a.lanes)


def _constant(data: Any, kind: str, lanes: int) -> str:
    """A number in every lane, or one for each."""
    if data.__class__ is tuple:
        return "<" + ", ".join(f"{SCALARS[kind]} {number(v, kind)}" for v in data) + ">"
    text = number(data, kind)
    return text if lanes == 1 else f"splat ({SCALARS[kind]} {text})"


_frequent = functools.lru_cache(1024)(_constant)  # not for 0.0, which is equal to -0.0


def name(a: Index) -> str:
    """An operand, without its type."""
    if a.__class__ is int:
        return str(a)
    return a.name or _fixed(a)


def typed(a: Index) -> str:
    """An operand with its type."""
    if a.__class__ is int:
        return f"i64 {a}"
    return f"{WIDE[a.kind, a.lanes]} {a.name or _fixed(a)}"


def table_text(table: Table) -> str:
    """An array of constants."""
    kind = SCALARS[table.kind]
    numbers = ", ".join(f"{kind} {number(v, table.kind)}" for v in table.values.ravel().tolist())
    return f"@{table.name} = private constant [{table.values.size} x {kind}] [{numbers}], align 64\n"


def _function(function: Function, body: str, result: str, flags: str) -> str:
    parameters = ", ".join(f"{SCALARS[p.kind]} {p.name}" for p in function.parameters)
    return f"define {result} @{function.name}({parameters}){flags} {{\n{body}\n}}\n"


class Printer:
    """Prints the functions of one program."""

    def __init__(self) -> None:
        self.needs: dict[str, set[str]] = {}  # what each body that was printed has declared
        self.declared: set[str] = set()
        self.lines: list[str] = []
        self.block = "entry"

    def body(self, function: Function) -> str:
        """What stands between a function's braces."""
        self.lines, self.block, self.declared = ["entry:"], "entry", set()
        self._list(function.body)
        text = "\n".join(self.lines)
        self.needs[text] = self.declared
        return text

    def program(self, tables: Iterable[Table], kernels: Iterable[tuple[Function, str]],
                entries: Iterable[tuple[Function, str]], whole: bool = True, hasty: bool = False) -> str:  # fmt: skip
        """A module of functions whose bodies are printed: kernels and entries.

        If it is the `whole` program, nobody else calls the kernels. A `hasty` one is compiled in less time.
        """
        kernels, entries = list(kernels), list(entries)
        haste = " noinline optnone" if hasty else ""
        inner = "".join([_function(f, body, "internal void" if whole else "void", haste) for f, body in kernels])
        outer = "".join([_function(f, body, "ptr", haste) for f, body in entries])
        numbers = "".join(map(table_text, tables))
        here = {f"@{f.name}(" for f, _ in (*kernels, *entries)}
        declared = set[str]().union(*[self.needs[text] for _, text in (*kernels, *entries)])
        other = [line for line in declared if line[line.find("@") : line.find("(") + 1] not in here]
        return "\n".join(sorted(other)) + "\n" + numbers + inner + outer

    def _list(self, body: list[Value]) -> None:
        for v in body:
            WRITERS[v.op](self, v)

    def _let(self, v: Value, text: str) -> None:
        self.lines.append(f"  {v.name} = {text}")

    def _call(self, v: Value, result: str, function: str, arguments: Sequence[tuple[str, str]],
              flags: str = "") -> None:  # fmt: skip
        """A call of an intrinsic or a function of C; declares it."""
        self.declared.add(f"declare {result} @{function}({', '.join([kind for kind, _ in arguments])})")
        text = f"call {flags}{result} @{function}({', '.join([f'{kind} {value}' for kind, value in arguments])})"
        self.lines.append(f"  {v.name} = {text}" if v.name else f"  {text}")

    # -- Arithmetic

    def _binary(self, v: Value) -> None:
        a, b = v.args
        kind = v.kind
        self.lines.append(f"  {v.name} = {BINARY[v.op, kind]} {WIDE[kind, v.lanes]} {name(a)}, {name(b)}")

    def _intrinsic(self, v: Value) -> None:
        kind, code = WIDE[v.kind, v.lanes], INTRINSICS[v.op]
        if v.kind in UNSIGNED:
            code = "u" + code[1:]
        self._call(v, kind, f"llvm.{code}.{suffix(v.kind, v.lanes)}", [(kind, name(a)) for a in v.args])

    def _neg(self, v: Value) -> None:
        self._let(v, f"fneg {typed(v.args[0])}")

    def _scale(self, v: Value) -> None:
        """x * 2 ** n in the 64 bytes of an AVX-512 register; 4 is the usual rounding."""
        x, n = v.args
        letter, mask = ("s", "i16") if v.kind == "f32" else ("d", "i8")
        kind = WIDE[v.kind, v.lanes]
        arguments = [(kind, name(x)), (kind, name(n)), (kind, name(x)), (mask, "-1"), ("i32", "4")]
        self._call(v, kind, f"llvm.x86.avx512.mask.scalef.p{letter}.512", arguments)

    def _compare(self, v: Value) -> None:
        a, b = v.args
        code = "fcmp" if a.__class__ is not int and a.kind in FLOATS else "icmp"
        self.lines.append(f"  {v.name} = {code} {v.data} {typed(a)}, {name(b)}")

    def _select(self, v: Value) -> None:
        test, a, b = v.args
        chosen = typed(a)
        if test.__class__ is not int and test.op == "const" and v.lanes > 1:
            # Where lanes that a constant leaves meet bits that a constant leaves (half precision, widened), LLVM 22
            # stops the process by an assertion when it compiles in haste. `freeze` keeps the two apart.
            self.lines.append(f"  {v.name}.frozen = freeze {chosen}")
            chosen = f"{WIDE[v.kind, v.lanes]} {v.name}.frozen"
        self.lines.append(f"  {v.name} = select {typed(test)}, {chosen}, {typed(b)}")

    def _convert(self, v: Value) -> None:
        (a,) = v.args
        self._let(v, f"{_conversion(a.kind, v.kind)} {typed(a)} to {WIDE[v.kind, v.lanes]}")

    def _bitcast(self, v: Value) -> None:
        self._let(v, f"bitcast {typed(v.args[0])} to {WIDE[v.kind, v.lanes]}")

    # -- Lanes

    def _splat(self, v: Value) -> None:
        kind, one = WIDE[v.kind, v.lanes], f"{v.name}.one"
        self.lines.append(f"  {one} = insertelement {kind} poison, {typed(v.args[0])}, i32 0")
        self._let(v, f"shufflevector {kind} {one}, {kind} poison, <{v.lanes} x i32> zeroinitializer")

    def _shuffle(self, v: Value) -> None:
        a, *rest = v.args
        kind = WIDE[a.kind, a.lanes]
        order = ", ".join([f"i32 {k}" for k in v.data])
        other = name(rest[0]) if rest else "poison"
        self._let(v, f"shufflevector {kind} {name(a)}, {kind} {other}, <{v.lanes} x i32> <{order}>")

    def _insert(self, v: Value) -> None:
        self._let(v, f"insertelement {typed(v.args[0])}, {typed(v.args[1])}, i32 {v.data}")

    def _extract(self, v: Value) -> None:
        self._let(v, f"extractelement {typed(v.args[0])}, i32 {v.data}")

    def _reduce(self, v: Value) -> None:
        (a,) = v.args
        kind, vector = WIDE[v.kind, 1], WIDE[a.kind, a.lanes]
        if v.kind in FLOATS:
            code, start = ("fadd", -0.0) if v.data == "add" else ("fmul", 1.0)
            arguments, flags = [(kind, number(start, v.kind)), (vector, name(a))], "reassoc "
        else:
            code = {"max": "smax", "min": "smin"}.get(v.data, v.data)
            arguments, flags = [(vector, name(a))], ""
        self._call(v, kind, f"llvm.vector.reduce.{code}.{suffix(a.kind, a.lanes)}", arguments, flags)

    # -- Memory

    def _at(self, v: Value) -> None:
        base, offset = v.args
        self.lines.append(f"  {v.name} = getelementptr {SCALARS[v.data]}, ptr {name(base)}, {typed(offset)}")

    def _load(self, v: Value) -> None:
        align, first = v.data
        kind = WIDE[v.kind, v.lanes]
        mask = name(v.args[1]) if v.args[1:] else None if first is None else MASKS[first, v.lanes]
        if mask is None:
            self.lines.append(f"  {v.name} = load {kind}, ptr {name(v.args[0])}, align {align}")
            return
        if first == 1:
            self._load_one(v, align)
            return
        function, test = f"llvm.masked.load.v{v.lanes}{SHORT[v.kind]}.p0", f"<{v.lanes} x i1>"
        self.declared.add(f"declare {kind} @{function}(ptr, i32, {test}, {kind})")
        self._let(v, f"call {kind} @{function}(ptr {name(v.args[0])}, i32 {align}, {test} {mask}, "
                     f"{kind} zeroinitializer)")  # fmt: skip

    def _store(self, v: Value) -> None:
        value, place, *chosen = v.args
        align, first = v.data
        mask = name(chosen[0]) if chosen else None if first is None else MASKS[first, value.lanes]
        if mask is None:
            self.lines.append(f"  store {typed(value)}, ptr {name(place)}, align {align}")
            return
        if first == 1:
            self._store_one(v, align)
            return
        lanes, kind = value.lanes, WIDE[value.kind, value.lanes]
        function, test = f"llvm.masked.store.v{lanes}{SHORT[value.kind]}.p0", f"<{lanes} x i1>"
        self.declared.add(f"declare void @{function}({kind}, ptr, i32, {test})")
        self.lines.append(f"  call void @{function}({kind} {name(value)}, ptr {name(place)}, i32 {align}, "
                          f"{test} {mask})")  # fmt: skip

    def _load_one(self, v: Value, align: int) -> None:
        """The first lane alone, and zeros."""
        scalar, one = SCALARS[v.kind], f"{v.name}.one"
        self.lines.append(f"  {one} = load {scalar}, ptr {name(v.args[0])}, align {align}")
        self._let(v, f"insertelement {WIDE[v.kind, v.lanes]} zeroinitializer, {scalar} {one}, i32 0")

    def _store_one(self, v: Value, align: int) -> None:
        """The first lane alone.

        Of a masked store of one short number that was made of a long one, LLVM 22 would make a store of the long one,
        which writes behind the array.
        """
        (value, place), one = v.args, f"%one{len(self.lines)}"
        self.lines.append(f"  {one} = extractelement {typed(value)}, i32 0")
        self.lines.append(f"  store {SCALARS[value.kind]} {one}, ptr {name(place)}, align {align}")

    def _gather(self, v: Value) -> None:
        (places,) = v.args
        align, first = v.data
        kind, lanes = WIDE[v.kind, v.lanes], v.lanes
        arguments = [(f"<{lanes} x ptr>", name(places)), ("i32", str(align)),
                     (f"<{lanes} x i1>", MASKS[lanes if first is None else first, lanes]),
                     (kind, "zeroinitializer")]  # fmt: skip
        self._call(v, kind, f"llvm.masked.gather.v{lanes}{SHORT[v.kind]}.v{lanes}p0", arguments)

    def _zero(self, v: Value) -> None:
        arguments = [("ptr", name(v.args[0])), ("i8", "0"), ("i64", str(v.data)), ("i1", "false")]
        self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        text = ", ".join([f"{kind} {value}" for kind, value in arguments])
        self.lines.append(f"  call void @llvm.memset.p0.i64({text})")

    def _prefetch(self, v: Value) -> None:
        arguments = [("ptr", name(v.args[0])), ("i32", "0"), ("i32", "2"), ("i32", "1")]  # to read, soon, data
        self._call(v, "void", "llvm.prefetch.p0", arguments)

    def _stack(self, v: Value) -> None:
        self._let(v, f"alloca [{v.data} x i8], align 64")

    # -- Calls

    def _function(self, v: Value) -> None:
        for a in v.args:
            if a.__class__ is Value and a.op == "global" and a.data in OBJECTS:
                self.declared.add(f"@{a.data} = external global i64")
        self._call(v, SCALARS[v.kind] if v.kind else "void", v.data, [tuple(typed(a).split(" ", 1)) for a in v.args])  # type: ignore[misc]

    def _kernel(self, v: Value) -> None:
        self.declared.add(f"declare void @{v.data.name}(ptr, i64, i64, i64)")
        self.lines.append(f"  call void @{v.data.name}({typed(v.args[0])}, i64 0, i64 0, i64 0)")

    def _team(self, v: Value) -> None:
        self.declared.add(f"declare void @{RUN}(ptr, ptr, i64)")
        self.declared.add(f"declare void @{v.data.name}(ptr, i64, i64, i64)")
        self.lines.append(f"  call void @{RUN}(ptr @{v.data.name}, {typed(v.args[0])}, {typed(v.args[1])})")

    def _cycles(self, v: Value) -> None:
        self._call(v, "i64", "llvm.readcyclecounter", [])

    def _return(self, v: Value) -> None:
        self.lines.append(f"  ret {typed(v.args[0])}" if v.args else "  ret void")

    # -- Control

    def _start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def _loop(self, v: Value) -> None:
        assert isinstance(v, Loop)
        n, lines, before = v.name[2:], self.lines, self.block
        begin, end, *first = v.args
        index, following = v.index.name, f"{v.index.name}.next"
        lines.append(f"  br label %loop{n}")
        self._start(f"loop{n}")
        lines.append(f"  {index} = phi i64 [{name(begin)}, %{before}], [{following}, %next{n}]")
        for now, a, result in zip(v.carried, first, v.results, strict=True):
            again = result.name if v.sure else f"{now.name}.next"
            lines.append(f"  {now.name} = phi {WIDE[now.kind, now.lanes]} [{name(a)}, %{before}], [{again}, %next{n}]")
        if not v.sure:
            lines.append(f"  %more{n} = icmp slt i64 {index}, {name(end)}")
            if v.stops:
                lines.append(f"  %goes{n} = select i1 {v.carried[0].name}, i1 false, i1 %more{n}")
            lines.append(f"  br i1 %{'goes' if v.stops else 'more'}{n}, label %turn{n}, label %done{n}")
            self._start(f"turn{n}")
        self._list(v.body)
        lines.append(f"  br label %next{n}")
        self._close(v, n)

    def _close(self, v: Loop, n: str) -> None:
        """The end of a loop: what the turn leaves to the next one, and the jump there."""
        lines, block, index = self.lines, self.block, v.index.name
        self._start(f"next{n}")
        for now, result, value in zip(v.carried, v.results, v.following, strict=True):
            to = result.name if v.sure else f"{now.name}.next"
            lines.append(f"  {to} = phi {WIDE[now.kind, now.lanes]} [{name(value)}, %{block}]")
        lines.append(f"  {index}.next = add i64 {index}, {v.data}")
        if v.sure:
            lines.append(f"  %more{n} = icmp ult i64 {index}.next, {name(v.args[1])}")
            lines.append(f"  br i1 %more{n}, label %loop{n}, label %done{n}")
        else:
            lines.append(f"  br label %loop{n}")
        self._start(f"done{n}")
        if not v.sure:
            for now, result in zip(v.carried, v.results, strict=True):
                lines.append(f"  {result.name} = phi {WIDE[now.kind, now.lanes]} [{now.name}, %loop{n}]")

    def _when(self, v: Value) -> None:
        assert isinstance(v, When)
        n, before = v.name[2:], self.block
        other = f"else{n}" if v.unless else f"after{n}"
        self.lines.append(f"  br i1 {name(v.args[0])}, label %when{n}, label %{other}")
        here = self._branch(f"when{n}", v.body, n)
        there = self._branch(other, v.unless, n) if v.unless else before
        self._start(f"after{n}")
        for result, a, b in zip(v.results, *v.values, strict=True):
            kind = WIDE[result.kind, result.lanes]
            self.lines.append(f"  {result.name} = phi {kind} [{name(a)}, %{here}], [{name(b)}, %{there}]")

    def _branch(self, label: str, body: list[Value], n: str) -> str:
        """One of a When's lists; returns the block that it ends in."""
        self._start(label)
        self._list(body)
        if not body or body[-1].op != "return":
            self.lines.append(f"  br label %after{n}")
        return self.block


def _conversion(source: str, to: str) -> str:
    """LLVM's word for a conversion between two types."""
    floats = ("f16", *FLOATS)
    grows = SIZES[source] < SIZES[to]
    if source in floats and to in floats:
        return "fpext" if grows else "fptrunc"
    if to in floats:
        return "uitofp" if source in UNSIGNED else "sitofp"
    if source in floats:
        return "fptosi"
    if not grows and source != "bool":
        return "trunc"
    return "zext" if source in ("u16", *UNSIGNED) else "sext"


WRITERS: dict[str, Callable[[Printer, Any], None]] = {
    **dict.fromkeys(CODES, Printer._binary), **dict.fromkeys(INTRINSICS, Printer._intrinsic), "neg": Printer._neg,
    "scale": Printer._scale, "compare": Printer._compare, "select": Printer._select, "convert": Printer._convert,
    "bitcast": Printer._bitcast, "splat": Printer._splat, "shuffle": Printer._shuffle, "insert": Printer._insert,
    "extract": Printer._extract, "reduce": Printer._reduce, "at": Printer._at, "load": Printer._load,
    "store": Printer._store, "gather": Printer._gather, "zero": Printer._zero, "prefetch": Printer._prefetch,
    "stack": Printer._stack, "call": Printer._function, "kernel": Printer._kernel, "team": Printer._team,
    "cycles": Printer._cycles, "return": Printer._return, "for": Printer._loop, "when": Printer._when,
}  # fmt: skip
