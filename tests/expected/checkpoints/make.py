"""Writes the checkpoints beside this file; needs PyTorch.

    python tests/expected/checkpoints/make.py

Each is what a program of the years 2018 to 2026 would have saved, in the zip format and in the older one.  What they
hold is written down in tests/test_serialization.py, not here.
"""

import collections
import warnings
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
Run = collections.namedtuple("Run", "name epoch")
Run.__module__ = "test_serialization"


def model_and_optimizer():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4])
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.arange(8.0).reshape(4, 2)).square().mean().backward()
        optimizer.step()
        schedule.step()
    return model, optimizer, schedule


def training():
    model, optimizer, schedule = model_and_optimizer()
    return {
        "epoch": 2,
        "best": float("inf"),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "rng": torch.get_rng_state(),
        "output": model.eval()(torch.ones(1, 2)).detach(),
    }


def kinds(old=False):
    names = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()
    names += [] if old else "uint16 uint32 uint64 float8_e4m3fn float8_e5m2".split()
    return {name: torch.tensor([0, 1, 2, 3]).to(getattr(torch, name)) for name in names}


def views():
    base = torch.arange(12.0).reshape(3, 4)
    odd = torch.arange(10)[3:7]
    image = torch.arange(16.0).reshape(1, 2, 2, 4).contiguous(memory_format=torch.channels_last)
    return [base, base[1], base.t(), base[:, 1:3], base[::2], odd, image, torch.ones(3, 1).expand(3, 4)]


def objects():
    marked = torch.zeros(2)
    marked.note = "mine"
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.tag = 7
    return {
        "parameter": torch.nn.Parameter(torch.ones(2), requires_grad=False),
        "tagged": parameter,
        "leaf": torch.ones(2, requires_grad=True),
        "marked": marked,
        "buffer": torch.nn.Buffer(torch.ones(1), persistent=False),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "device": torch.device("cuda", 1),
        "layout": torch.strided,
        "empty": torch.zeros(3, 0),
        "scalar": torch.tensor(2.5),
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "counter": collections.Counter("aab"),
        "default": collections.defaultdict(list, {"x": [1]}),
        "run": Run("first", 3),
        "array": np.arange(6, dtype="int16").reshape(2, 3).T,
        "texts": np.array(["ab", "c"]),
        "number": np.float32(1.5),
        "set": {1, 2},
        "complex": 1 + 2j,
        "bytes": b"\0\xff",
        "large": 1 << 70,
        "text": "Grüße",
        "none": None,
        "max": torch.max(torch.eye(2), 0),
        "generator": torch.Generator().manual_seed(5),
    }


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)


Net.__module__ = "test_serialization"


def main():
    warnings.simplefilter("ignore")
    import sys

    sys.modules["test_serialization"] = sys.modules["__main__"]
    files = {"training": training(), "kinds": kinds(), "views": views(), "objects": objects(), "module": Net()}
    for name, content in files.items():
        torch.save(content, HERE / f"{name}.pt")
        content = kinds(old=True) if name == "kinds" else content
        if name != "module":  # the older format would hold the path of this file
            torch.save(content, HERE / f"{name}_old.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.arange(4.0), HERE / "protocol4.pt", pickle_protocol=4)
    torch.serialization.set_crc32_options(False)
    torch.save(torch.arange(4.0), HERE / "unsummed.pt")


if __name__ == "__main__":
    main()
