"""Writes the files of `tests/checkpoint_table.py` beside this one, and `table.json`, which says what each holds.

    python tests/expected/checkpoints/make_table.py

Needs PyTorch. Each content is written in the zip format and, as `<name>_old.pt`, in the older one.
"""

import json
import sys
import warnings
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

import checkpoint_table  # noqa: E402

IN_ONE_FORMAT = ("newer_dtypes", "convolutions", "recurrent", "rmsprop", "adagrad", "numpy_things", "tied_and_normed")


def main():
    warnings.simplefilter("ignore")
    table = {}
    for name, make in checkpoint_table.CONTENTS.items():
        torch.manual_seed(0)
        content = make(torch)
        table[name] = checkpoint_table.described(torch, content)
        torch.save(content, HERE / f"table_{name}.pt")
        if name not in IN_ONE_FORMAT:
            torch.save(content, HERE / f"table_{name}_old.pt", _use_new_zipfile_serialization=False)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
    (HERE / "table.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
