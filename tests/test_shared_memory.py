"""Tensors whose memory several processes share: forked, spawned, through queues; views and parameters with them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import rushlight as torch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shared on POSIX systems only")

PROGRAM = """
import sys
import torch, torch.multiprocessing as mp

def work(model, whole, row, queue, done):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        (model(torch.ones(4, 3)) - 1).pow(2).mean().backward()
        optimizer.step()
    row[0] = 7  # `row` is a row of `whole` here, too
    assert whole[1, 0] == 7 and whole.is_shared() and row.is_shared()
    assert all(isinstance(p, torch.nn.Parameter) and p.requires_grad for p in model.parameters())
    queue.put(whole)
    done.wait()

if __name__ == "__main__":
    mp.set_start_method(sys.argv[1])
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1).share_memory()
    whole = torch.zeros(2, 3).share_memory_()
    row, queue, done = whole[1], mp.Queue(), mp.Event()
    process = mp.Process(target=work, args=(model, whole, row, queue, done))
    process.start()
    back = queue.get()
    back[0, 0] = -1
    done.set()
    process.join()
    assert process.exitcode == 0
    assert whole.tolist() == [[-1, 0, 0], [7, 0, 0]] == back.tolist(), whole
    assert back.is_shared() and row.tolist() == [7, 0, 0]
    assert abs(model(torch.ones(1, 3)).item() - 1) < 1e-3
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_write_to_the_same_memory(method: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.replace("import torch, torch", "import rushlight as torch, rushlight"))
    done = subprocess.run([sys.executable, path, method], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_sharing_changes_nothing_else() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    column, turned = x[:, 1], x.t()
    assert not x.is_shared()
    assert column.share_memory_() is column
    assert x.is_shared() and turned.is_shared() and not x.clone().is_shared()
    turned.mul_(2)
    assert column.tolist() == [2.0, 10.0, 18.0] and x.sum().item() == 132
    copy = pickle.loads(pickle.dumps(x))  # an ordinary pickle holds the numbers
    copy.zero_()
    assert x.sum().item() == 132 and not copy.is_shared()
    assert torch.empty(0).share_memory_().is_shared()


def test_a_parameter_is_trained_in_shared_memory() -> None:
    p = torch.nn.Parameter(torch.ones(3))
    where = p.share_memory_().data_ptr()
    optimizer = torch.optim.Adam([p])
    for _ in range(5):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    assert p.is_shared() and p.data_ptr() == where and p[0].item() < 1
