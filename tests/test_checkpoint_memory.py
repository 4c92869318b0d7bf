"""Hostile checkpoints may not take the machine's memory: all of them are loaded in one program that watches its own.

The limit is far below what the bombs among them would take if they went off (gigabytes), and far above what checking
needs. A second run forbids the operating system to give more, which also catches memory that is asked for, not used.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile_checkpoints import HOSTILE, copies, proto

import rushlight as torch

LIMIT_MB = 300

PROGRAM = """
import io, json, os, resource, sys
sys.path.insert(0, sys.argv[1])
import hostile_checkpoints as hostile
import rushlight as torch

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

files = {name: make() for name, make in hostile.HOSTILE.items()}
torch.load(hostile.GOOD)
start = peak()
with open("/proc/self/statm") as sizes:
    mapped = int(sizes.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + (int(sys.argv[2]) << 20),) * 2)
told, before = {}, start
for name, file in files.items():
    try:
        torch.load(file)
        told[name] = "was loaded"
    except (Exception, MemoryError) as error:
        told[name] = "" if type(error).__name__ in ("UnpicklingError", "RuntimeError", "ValueError",
                                                    "NotImplementedError") else repr(error)
    if "more memory than there is" in told[name]:
        told[name] = "asked for all memory"
assert torch.load(hostile.GOOD).tolist() == [0, 0]  # and the program goes on
print(json.dumps({"told": {k: v for k, v in told.items() if v}, "peak": peak() - start, "ran": len(hostile.RAN)}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts memory as Linux does")
def test_all_hostile_files_together_take_little_memory():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(LIMIT_MB)],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["told"] == {} and found["ran"] == 0 and found["peak"] < LIMIT_MB


def test_the_budget_is_above_what_pickling_writes(monkeypatch):
    """The densest honest pickles, without the budget that every file has anyway."""
    from rushlight.serialization import unpickler

    monkeypatch.setattr(unpickler, "FREE_BUDGET", 0)
    n, tensor, numbers = 300, torch.zeros(1), [[i] for i in range(300)]
    contents = [
        [[] for _ in range(n)],
        [() for _ in range(n)] + [(i % 7,) for i in range(n)],
        [{} for _ in range(n)],
        [set() for _ in range(n)] + [{i % 9} for i in range(n)],
        [collections.OrderedDict() for _ in range(n)],
        [collections.OrderedDict(a=i) for i in range(n)],
        [collections.Counter(range(n))],
        [collections.deque(numbers)],
        [set(range(n)), frozenset(range(n))],
        [bytes([i % 200]) for i in range(n)],
        [bytes(n), bytearray(n)],
        [torch.Size([i % 5]) for i in range(n)],
        [torch.float32, torch.device("cpu")] * n,
        [np.zeros(n), np.float32(1), *[np.zeros(1)] * n],
        [tensor[0:1] for _ in range(n)],
        [torch.nn.Parameter(torch.ones(1)) for _ in range(n)],
        [argparse.Namespace(a=1, b=i) for i in range(n)],
    ]
    for content in contents:
        for options in ({"pickle_protocol": 2}, {"pickle_protocol": 5}, {"_use_new_zipfile_serialization": False}):
            file = io.BytesIO()
            torch.save(content, file, **options)
            file.seek(0)
            assert len(torch.load(file)) == len(content)


def test_an_honest_list_is_not_a_bomb():
    """The same structure as the bombs, with a few copies instead of many."""
    assert torch.load(copies("builtins.list", b"](" + b"N" * 1000 + b"e", 20))[19] == [None] * 1000
    with pytest.raises(Exception, match="far more objects than one of its length would hold"):
        torch.load(HOSTILE["lists copied"]())
    assert torch.load(proto(b"](" + b"N" * 500_000 + b"e")) == [None] * 500_000
