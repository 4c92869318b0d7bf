"""Goes through many seeds and prints, made small, the graphs on which machine code and the interpreter differ.

`python -m graphs FIRST LAST [ratio]`: every `ratio`-th graph is also run by 1, 2 and 5 threads, to the bit.
"""

from __future__ import annotations

import sys
import warnings

from . import drawn
from .compiled import complaint, smaller


def main(first: int, last: int, every: int = 5) -> None:
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", "Rushlight could not compile")
    wrong = 0
    for seed in range(first, last):
        graph = drawn(seed)
        threads = seed % every == 0
        try:
            why = complaint(graph, threads)
        except Exception as failure:
            print(f"{failure!r}\n{graph.told()}\n", flush=True)
            continue
        if why is not None:
            wrong += 1
            print(f"{why}\n{smaller(graph, threads).told()}\n", flush=True)
        if seed % 100 == 99:
            print(f"... {seed + 1 - first} graphs, {wrong} wrong", flush=True)
    print(f"{last - first} graphs, {wrong} wrong")


main(*map(int, sys.argv[1:]))
