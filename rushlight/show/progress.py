"""A progress bar that also says how the training goes: `Progress` wraps tqdm for loops over batches.

On a terminal it is one moving line; in a log (no terminal) it says a line now and then instead of hundreds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from .canvas import needs

Item = TypeVar("Item")


class Progress(Generic[Item]):
    """Iterate over ``items`` showing how far along they are; `note` adds numbers at the end of the line.

    >>> for batch in (bar := Progress([1, 2, 3], "adding", quiet=True)):
    ...     bar.note(loss=batch)
    """

    def __init__(
        self, items: Iterable[Item], description: str = "", *, total: int | None = None, quiet: bool = False
    ) -> None:
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise needs("tqdm", "tqdm", "a progress bar") from error
        terminal = sys.stderr.isatty()
        self._bar: Any = tqdm(
            items,
            description,
            total=total,
            disable=quiet,
            mininterval=0.1 if terminal else 10.0,
            dynamic_ncols=terminal,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}",
        )

    def __iter__(self) -> Iterator[Item]:
        return iter(self._bar)

    def __len__(self) -> int:
        return len(self._bar)

    def note(self, **numbers: float) -> None:
        """Show ``numbers`` by name from the next refresh on; reading a tensor's value is left to the caller."""
        self._bar.set_postfix_str("  ".join(f"{name} {value:.4g}" for name, value in numbers.items()), refresh=False)
