"""The linker for machine code from the cache, and that a process which finds all its code there never loads LLVM."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rushlight.codegen import linking
from rushlight.codegen import machine as machines
from rushlight.codegen.linking import ObjectFile, Unlinkable, link
from rushlight.codegen.machine import machine

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="LLVM links the code of other processors"
)

SQUARE = "define i64 @square(i64 %x) {\n  %y = mul i64 %x, %x\n  ret i64 %y\n}\n"
FOURTH = """declare i64 @square(i64)
define i64 @fourth(i64 %x) {
  %y = call i64 @square(i64 %x)
  %z = call i64 @square(i64 %y)
  ret i64 %z
}
"""
COUNTER = """@count = internal global i64 0
@steps = internal constant [2 x i64] [i64 1, i64 10], align 64
define i64 @counted(i64 %k) {
  %place = getelementptr i64, ptr @steps, i64 %k
  %step = load i64, ptr %place
  %old = load i64, ptr @count
  %new = add i64 %old, %step
  store i64 %new, ptr @count
  ret i64 %new
}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path / "cache"))


def made(text: str) -> bytes:
    return machine().object_code(text)


def call(address: int, x: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(x)


def test_modules_call_one_another_and_what_is_imported() -> None:
    assert call(link([made(FOURTH), made(SQUARE)], {})["fourth"], 3) == 81
    square = link([made(SQUARE)], {})["square"]
    assert call(link([made(FOURTH)], {"square": square})["fourth"], 2) == 16


def test_what_is_in_the_process_is_found_there() -> None:
    text = "declare i64 @labs(i64)\ndefine i64 @size(i64 %x) {\n  %y = call i64 @labs(i64 %x)\n  ret i64 %y\n}\n"
    assert call(link([made(text)], {})["size"], -7) == 7


def test_memory_of_a_module_is_its_own_and_begins_at_zero() -> None:
    one, other = (link([made(COUNTER)], {})["counted"] for _ in range(2))
    assert [call(one, k) for k in (0, 1, 1)] == [1, 11, 21]
    assert call(other, 1) == 10


def test_code_cannot_be_written_and_data_cannot_be_executed() -> None:
    address = link([made(COUNTER)], {})["counted"]
    found = [line.split()[1] for line in Path("/proc/self/maps").read_text().splitlines() if _holds(line, address)]
    assert [rights[:3] for rights in found] == ["r-x"]


def _holds(line: str, address: int) -> bool:
    start, end = (int(x, 16) for x in line.split()[0].split("-"))
    return start <= address < end


def test_a_function_that_is_nowhere_is_named() -> None:
    with pytest.raises(OSError, match="square"):
        link([made(FOURTH)], {})


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: b"\x7fELF" + bytes(80), lambda c: c[: len(c) // 2]])
def test_what_is_no_object_file_is_refused(damage: Any) -> None:
    with pytest.raises(Unlinkable):
        link([damage(made(FOURTH))], {"square": 1})


def _claiming(code: bytes, size: int) -> bytes:
    """The object file, whose first loaded section says that it has so many bytes."""
    (start,) = struct.unpack_from("<Q", code, 40)
    at = start + 64 * next(k for k, s in enumerate(ObjectFile(code).sections) if s.loaded) + 32
    return code[:at] + struct.pack("<Q", size) + code[at + 8 :]


def test_a_section_longer_than_its_file_is_refused() -> None:
    with pytest.raises(Unlinkable, match="longer than its file"):
        link([_claiming(made(SQUARE), 1 << 20)], {})


def test_a_relocation_outside_its_section_is_refused() -> None:
    code = made(FOURTH)
    file = ObjectFile(code)
    found = next(s for s in file.sections if s.kind == linking.RELA and file.sections[s.target].loaded)
    damaged = code[: found.offset] + struct.pack("<Q", 1 << 40) + code[found.offset + 8 :]
    with pytest.raises(Unlinkable, match="outside its section"):
        link([damaged], {"square": 1})


def test_another_kind_of_relocation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "ABSOLUTE", 2)
    with pytest.raises(Unlinkable, match="relocation of kind 1"):
        link([made(FOURTH), made(SQUARE)], {})


def test_what_our_linker_does_not_know_llvm_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(codes: Any, imports: Any) -> Any:
        raise Unlinkable("for this test")

    monkeypatch.setattr(machines, "link", refuse)
    assert call(machine().link(FOURTH.partition("\n")[2] + SQUARE, ["fourth"])["fourth"], 3) == 81


def test_sections_are_aligned() -> None:
    file = ObjectFile(made(COUNTER))
    link([file.content], {})
    assert max(s.alignment for s in file.sections if s.loaded) == 64


TRAINING = """
import sys, time
from pathlib import Path
import rushlight as torch

model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Tanh(), torch.nn.Linear(8, 1))
opt = torch.optim.Adam(model.parameters())
x = torch.randn(64, 4)

def step():
    loss = (model(x) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    loss.item()
    time.sleep(0.001)

def at_work():
    modules = sys.modules.get("rushlight.codegen.modules")
    there = list(Path(sys.argv[1]).glob("*.plan")) and "rushlight.codegen.native" in sys.modules
    return not there or (modules is not None and modules.WORKER.busy())

end = time.monotonic() + 60
for k in range(100_000):
    step()
    if k > 200 and (not at_work() or time.monotonic() > end):
        break
print(*[name in sys.modules for name in ("llvmlite.binding", "rushlight.codegen.planning", "rushlight.codegen.native")])
"""


def test_a_process_that_finds_its_code_in_the_cache_never_loads_llvm(tmp_path: Path) -> None:
    def train() -> str:
        environment = {**os.environ, "RUSHLIGHT_COMPILE": "thread", "RUSHLIGHT_CACHE": str(tmp_path / "programs")}
        command = [sys.executable, "-W", "error", "-c", TRAINING, str(tmp_path / "programs")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert train() == "True True True"
    assert train() == "False False True"
