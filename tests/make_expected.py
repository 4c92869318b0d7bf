"""Ask PyTorch for the answers: run every case on it and write `tests/expected/<group>.json`.

Run with a Python that has PyTorch: `python tests/make_expected.py [group ...]`. Each case runs twice, the second
time in reverse order, and must answer the same both times; a case whose answer depends on addresses, on chance or
on what ran before is refused.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import numpy
from cases import ALIASING, AUTOGRAD, EXPECTED, load, observe


def answers(torch: Any, group: str) -> dict[str, Any]:
    """PyTorch's answer to each case of `group`."""
    found = load((group,))
    first = {name: observe(found[name], torch, numpy) for name in found}
    again = {name: observe(found[name], torch, numpy) for name in reversed(found)}
    unstable = [name for name in found if first[name] != again[name]]
    if unstable:
        raise SystemExit(f"these cases answer differently when run again: {unstable}")
    return {name.partition(".")[2]: answer for name, answer in first.items()}


def write(group: str, found: dict[str, Any]) -> None:
    """Write the answers of one group, a line for each case, so that a changed answer is a changed line."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in found.items())
    (EXPECTED / f"{group}.json").write_text("{\n" + lines + "\n}\n")


def main(groups: tuple[str, ...]) -> None:
    """Write the answers of `groups`; PyTorch is imported here, so that this file can be read without it."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    torch.set_warn_always(True)
    for group in groups:
        found = answers(torch, group)
        write(group, found)
        print(f"{group}: {len(found)} cases")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ALIASING + AUTOGRAD)
