"""The Python in a notebook (`.ipynb`): its code cells as one program, and where each line of that stands.

What IPython does before Python sees a cell is left out: magics (`%matplotlib inline`), commands (`!pip install x`), and
questions (`nn.Linear?`). Of a cell under a cell magic, only those that run the cell's lines as Python are read.
"""

from __future__ import annotations

import json
import re
from typing import Any

_LINE_OF_IPYTHON = re.compile(r"(\s*)(\w+\s*=\s*)?([%!].*|[\w.%]+\?{1,2}\s*)$")
_RUN_AS_PYTHON = ("time", "timeit", "capture", "prun")


def program_of(text: str) -> tuple[str, list[str]]:
    """The program in a notebook's text, and for each of its lines the cell and the line there.

    Raises ValueError where the text is no notebook.

    >>> program_of('{"cells": [{"cell_type": "code", "source": ["import torch\\\\n", "%time x = 1"]}]}')
    ('import torch\\npass', ['cell 1, line 1', 'cell 1, line 2'])
    """
    lines, places = [], []
    for number, cell in enumerate(_cells(text), 1):
        if cell.get("cell_type") == "code":
            for row, line in enumerate(_python("".join(cell.get("source", ())).split("\n")), 1):
                lines.append(line)
                places.append(f"cell {number}, line {row}")
    return "\n".join(lines), places


def _cells(text: str) -> list[dict[str, Any]]:
    found = json.loads(text)
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("it is not a notebook: there is no list of cells in it")
    return cells


def _python(lines: list[str]) -> list[str]:
    """A cell's lines, with `pass` for those that are IPython's; none where another program gets the cell."""
    magic = re.match(r"%%(\w*)", lines[0])
    if magic and magic[1] not in _RUN_AS_PYTHON:
        return []
    return [_LINE_OF_IPYTHON.sub(r"\1pass", line) for line in lines]
