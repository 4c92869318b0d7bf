"""Run cases and print those that answer otherwise than PyTorch did: `python -m cases [--module NAME] [group or
group.case ...]`.

Run from `tests/`. Every case runs twice, because a program met again takes another path than one met for the first
time. Exits with 1 if any case differs, so that a test can run all of them in a process with other settings.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any

import numpy

from cases import ALIASING, AUTOGRAD, Case, differences, expected, load, observe


def complaint(found: Case, t: Any, want: Any) -> str:
    """What is wrong with the answers of a case, in a line; nothing if they are PyTorch's."""
    for turn in ("first", "second"):
        try:
            problems = differences(observe(found, t, numpy), want, found.rtol, found.atol)
        except Exception as error:
            problems = [f"{type(error).__name__}: {error}"]
        if problems:
            return f"({turn} time) " + problems[0].replace("\n", " ")[:400]
    return ""


def main(arguments: list[str]) -> int:
    """Run the cases that `arguments` name, all of them without any; return the exit status."""
    parser = argparse.ArgumentParser(prog="cases")
    parser.add_argument("--module", default="rushlight")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    t = import_module(options.module)
    groups = tuple(dict.fromkeys(name.partition(".")[0] for name in options.names)) or ALIASING + AUTOGRAD
    cases, answers = load(groups), expected(groups)
    chosen = [
        name for name in cases if not options.names or name in options.names or name.partition(".")[0] in options.names
    ]
    bad = {name: line for name in chosen if (line := complaint(cases[name], t, answers[name]))}
    for name, line in bad.items():
        print(f"{name} {line}")
    print(f"{len(chosen) - len(bad)} of {len(chosen)} cases answer as PyTorch does")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
