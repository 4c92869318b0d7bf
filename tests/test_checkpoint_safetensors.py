"""safetensors: the library reads and writes the files, with `rushlight run` as with PyTorch, or by way of NumPy.

Its reader checks what a file claims before it maps it; the hostile files below hold it to that, so that a version of
the library that no longer did would be noticed.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import rushlight as torch

safetensors = pytest.importorskip("safetensors")
numpy_files = pytest.importorskip("safetensors.numpy")

PROGRAM = """
import json, sys
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model

path = sys.argv[1]
names = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool float8_e4m3fn".split()
tensors = {n: torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, n)) for n in names}
tensors.update(empty=torch.zeros(0, 2), point=torch.tensor(2.5))
save_file(tensors, path, metadata={"format": "pt", "step": "3"})
for found in (load_file(path), load(save(tensors))):
    assert found.keys() == tensors.keys()
    for name, t in tensors.items():
        assert found[name].dtype == t.dtype and found[name].shape == t.shape
        assert found[name].float().tolist() == t.float().tolist(), name
with safe_open(path, framework="pt") as file:
    assert file.metadata()["step"] == "3" and set(file.keys()) == tensors.keys()
    assert file.get_slice("float32")[:, 1:].tolist() == [[1, 1], [0, 1]]
    assert torch.is_tensor(file.get_tensor("int8"))
found = load_file(path)
found["float32"].add_(1)
assert load_file(path)["float32"][0, 0] == 0  # private
torch.manual_seed(0)
model, other = (torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)) for _ in range(2))
model[0].bias = other[0].bias
save_model(model, path + ".model")
load_model(other, path + ".model")
assert torch.equal(model[0].weight, other[0].weight)
print("rushlight" in torch.__file__, sorted(found))
"""


def run(library: list[str], program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *library, program, *arguments], capture_output=True, text=True, timeout=120, env=environment
    )


def test_the_library_works_with_rushlight_as_with_pytorch(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = run(["-m", "rushlight", "run"], str(program), str(tmp_path / "a.safetensors"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("True ['bfloat16', 'bool', 'empty'")


def test_pytorch_writes_and_reads_the_same_bytes(tmp_path):
    pytest.importorskip("torch")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    files = {}
    for library in (["-m", "rushlight", "run"], []):
        path = tmp_path / f"{len(library)}.safetensors"
        done = run(library, str(program), str(path))
        assert done.returncode == 0, done.stderr[-2000:]
        written = path.read_bytes()
        size = int.from_bytes(written[:8], "little")
        header = json.loads(written[8 : 8 + size])
        metadata = header.pop("__metadata__")  # the library writes its entries in any order
        files[len(library)] = (size, list(header.items()), metadata, written[8 + size :])
    assert files[0] == files[3]


def test_by_way_of_numpy(tmp_path):
    path = tmp_path / "model.safetensors"
    model, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    numpy_files.save_file({name: t.numpy() for name, t in model.state_dict().items()}, path)
    other.load_state_dict({name: torch.from_numpy(a) for name, a in numpy_files.load_file(path).items()})
    assert torch.equal(other.weight, model.weight) and torch.equal(other.bias, model.bias)


# ---------------------------------------------------------------------------------------------------------------------
# Hostile files


def packed(header, data=bytes(8), length=None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def one(dtype="F32", shape=(2,), offsets=(0, 8), **more) -> dict:
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}, **more}


HOSTILE = {
    "empty": b"",
    "too short for a length": b"\x01\0\0",
    "a header longer than the file": packed(one(), length=1 << 20),
    "a header of exabytes": packed(one(), length=(1 << 63) - 1),
    "a negative length": packed(one(), length=(1 << 64) - 1),
    "no JSON": packed(b"not json"),
    "JSON cut off": packed(json.dumps(one()).encode()[:-3]),
    "text that is not UTF-8": packed(b'{"\xff\xfe": 1}'),
    "a list": packed([1, 2]),
    "brackets a hundred thousand deep": packed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a number of a million digits": packed(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 1_000_000 + b'],"data_offsets":[0,8]}}'),
    "an unknown dtype": packed(one(dtype="F33")),
    "a dtype that is a number": packed(one(dtype=3)),
    "a negative size": packed(one(shape=(-2,))),
    "a size whose product overflows": packed(one(shape=(1 << 40, 1 << 40))),
    "a shape larger than the data": packed(one(shape=(1 << 40,))),
    "a shape smaller than the data": packed(one(shape=(1,))),
    "offsets beyond the file": packed(one(shape=(1 << 30,), offsets=(0, 4 << 30))),
    "negative offsets": packed(one(offsets=(-8, 0))),
    "offsets the wrong way round": packed(one(offsets=(8, 0))),
    "offsets that are not two": packed(one(offsets=(0, 4, 8))),
    "data that nobody describes": packed(one(), data=bytes(16)),
    "a hole between tensors": packed(
        one(b={"dtype": "F32", "shape": [1], "data_offsets": [12, 16]}), data=bytes(16)),
    "tensors over each other": packed(one(b={"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}), data=bytes(12)),
    "two tensors in one place": packed(one(b={"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})),
    "metadata that is no text": packed(one(__metadata__={"a": {"b": 1}})),
    "a tensor without a shape": packed({"a": {"dtype": "F32", "data_offsets": [0, 8]}}),
    "data cut off": packed(one(), data=bytes(7)),
    "a checkpoint of torch.save": b"PK\3\4" + bytes(100),
    "a pickle": b"\x80\x02cos\nsystem\n" + b"X\x04\0\0\0true\x85R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file.safetensors").write_bytes(HOSTILE[name])
    tracemalloc.start()
    try:
        for attempt in (
            lambda: numpy_files.load_file("file.safetensors"),
            lambda: numpy_files.load(HOSTILE[name]),
            lambda: safetensors.safe_open("file.safetensors", "np"),
        ):
            with pytest.raises((safetensors.SafetensorError, OSError, ValueError)) as failed:
                attempt()
            assert len(str(failed.value)) > 5
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert os.listdir() == ["file.safetensors"]


def test_the_files_above_are_refused_for_what_they_claim(tmp_path):
    assert numpy_files.load(packed(one()))["a"].tolist() == [0, 0]
    both = one(b={"dtype": "F32", "shape": [2], "data_offsets": [8, 16]})
    assert set(numpy_files.load(packed(both, data=np.ones(4, np.float32).tobytes()))) == {"a", "b"}
