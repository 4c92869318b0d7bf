"""Checkpoints beyond 2 and 4 GiB, on little disk and in little memory: the files have holes where they hold zeros.

Each test runs a program of its own, which reports the most memory that it ever had. Where the file system knows no
holes the tests are skipped. Where PyTorch is installed it reads the same files, and writes some to be read here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
import zipfile

import pytest

LIMIT_MB = 300

#: What both programs below begin with. `Sparse` is a file that passes over blocks of zeros.
PRELUDE = """
import json, os, sys
import numpy as np
NAME = sys.argv[1]
if NAME == "torch":
    import torch
else:
    import rushlight as torch
PATH, ELEMENTS = sys.argv[2], int(sys.argv[3])
PLACES = [0, 1, 12345, ELEMENTS // 2, (1 << 29) - 1, 1 << 29, ELEMENTS - 1]

class Sparse:
    def __init__(self, file):
        self.file = file

    def write(self, data):
        data = np.frombuffer(data, np.uint8)
        for start in range(0, len(data), 1 << 20):
            block = data[start : start + (1 << 20)]
            if block.any():
                self.file.write(block)
            else:
                self.file.seek(len(block), os.SEEK_CUR)
        return len(data)

    def flush(self):
        self.file.flush()

def report(**found):
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({**found, "peak": peak // 1024}))
"""

WRITE = """
numbers = np.zeros(ELEMENTS, np.float32)  # zeros that nobody touches take no memory
for i, place in enumerate(PLACES):
    numbers[place] = i + 0.5
big = torch.from_numpy(numbers)
content = {"first": torch.arange(3), "big": big, "view": big[(1 << 29) - 2 :], "last": torch.ones(2).bfloat16()}
with open(PATH, "xb") as file:
    torch.save(content, Sparse(file))
report()
"""

READ = """
found = torch.load(PATH, mmap=True)
big, view = found["big"], found["view"]
assert view.storage_offset() == (1 << 29) - 2 and view.shape == (ELEMENTS - (1 << 29) + 2,)
shared = view.untyped_storage().data_ptr() == big.untyped_storage().data_ptr()
report(shape=list(big.shape), numbers=[big[place].item() for place in PLACES], shared=[shared, *view[:4].tolist()],
       others=[found["first"].tolist(), found["last"].tolist(), str(found["last"].dtype)])
"""

HOLLOW = """
with torch.serialization.skip_data():
    content = {"big": torch.from_numpy(np.zeros(ELEMENTS, np.float32)), "last": torch.ones(2, dtype=torch.int16)}
    torch.save(content, PATH)
report()
"""

READ_HOLLOW = """
found = torch.load(PATH, mmap=True)
report(shape=list(found["big"].shape), numbers=[found["big"][place].item() for place in PLACES],
       last=found["last"].tolist())
"""


def run(program, path, elements, library="rushlight"):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program, library, str(path), str(elements)],
        capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture
def path(tmp_path):
    probe = tmp_path / "probe"
    with open(probe, "wb") as file:
        file.seek(64 << 20)
        file.write(b"x")
    if not sys.platform.startswith("linux") or os.stat(probe).st_blocks * 512 > 1 << 20:
        pytest.skip("the file system has no holes, or the system no /proc")
    yield tmp_path / "large.pt"
    (tmp_path / "large.pt").unlink(missing_ok=True)


def has_pytorch() -> bool:
    return importlib.util.find_spec("torch") is not None


TWO_GIB = (1 << 29) + 4096  # float32s: two pages of numbers more than 2 GiB
FIVE_GIB = 5 << 28
WRITTEN = [i + 0.5 for i in range(7)]


def check_read(found, elements, limit=LIMIT_MB):
    assert found["shape"] == [elements] and found["numbers"] == WRITTEN and found["shared"] == [True, 0, 4.5, 5.5, 0]
    assert found["others"][:2] == [[0, 1, 2], [1, 1]] and found["others"][2].endswith("bfloat16")
    assert found["peak"] < limit


def test_two_gibibytes_round_trip_in_little_memory(path):
    assert run(WRITE, path, TWO_GIB)["peak"] < LIMIT_MB
    status = os.stat(path)
    assert status.st_size > 2 << 30 and status.st_blocks * 512 < 64 << 20
    check_read(run(READ, path, TWO_GIB), TWO_GIB)
    with zipfile.ZipFile(path) as listed:
        sizes = {i.filename.rpartition("/")[2]: i.file_size for i in listed.infolist()}
        assert sorted(n for n in sizes.values() if n > 1000) == [4 * TWO_GIB]


def test_five_gibibytes_with_the_longer_records(path):
    """`skip_data` leaves room; the numbers are put into it afterwards, as a program that downloads them would."""
    assert run(HOLLOW, path, FIVE_GIB)["peak"] < LIMIT_MB
    assert os.stat(path).st_size > 5 << 30 and os.stat(path).st_blocks * 512 < 1 << 20
    with zipfile.ZipFile(path) as listed:
        infos = {i.filename.rpartition("/")[2]: i for i in listed.infolist()}
        assert infos["0"].file_size == 4 * FIVE_GIB and infos["1"].header_offset > 5 << 30
        with open(path, "r+b") as file:
            start = data_start(file, infos["0"])
            for i, place in enumerate([0, 1, 12345, FIVE_GIB // 2, (1 << 29) - 1, 1 << 29, FIVE_GIB - 1]):
                file.seek(start + 4 * place)
                file.write(FLOATS[i])
    for library in ["rushlight", "torch"] if has_pytorch() else ["rushlight"]:
        found = run(READ_HOLLOW, path, FIVE_GIB, library)
        assert found["shape"] == [FIVE_GIB] and found["numbers"] == WRITTEN and found["last"] == [0, 0]
        assert found["peak"] < 2 * LIMIT_MB


FLOATS = [struct.pack("<f", x) for x in WRITTEN]


def data_start(file, info):
    file.seek(info.header_offset + 26)
    lengths = file.read(4)
    return info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")


@pytest.mark.skipif(not has_pytorch(), reason="needs PyTorch")
@pytest.mark.parametrize(("writer", "reader"), [("rushlight", "torch"), ("torch", "rushlight")])
def test_two_gibibytes_both_ways_with_pytorch(path, writer, reader):
    run(WRITE, path, TWO_GIB, writer)
    check_read(run(READ, path, TWO_GIB, reader), TWO_GIB, limit=2 * LIMIT_MB)
