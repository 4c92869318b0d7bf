"""A model's graph, found by recording it with arguments of several sizes.

Each size that is left open is changed on its own, so that whatever depends on it can be told from what depends on
another. Nothing is computed for the further recordings, so they cost what it takes to call the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.record.value import Tensor
from rushlight.tensor import FUNCTIONS
from rushlight.utils._pytree import TreeSpec

from .dims import Symbol
from .graph import Diverges, Graph, merge
from .recording import Recording, record

_arange = FUNCTIONS["arange"]
Chosen = dict[Symbol, int]
ENOUGH = 3  # other sizes: a multiple, and some that leave another rest when they are halved


class Tracer:
    """Records a model at chosen sizes and lays the recordings side by side."""

    def __init__(
        self, model: Callable[..., Any], leaves: Sequence[Any], tree: TreeSpec, symbols: list[Symbol],
        may_look: bool = False,
    ) -> None:  # fmt: skip
        """`may_look`: the model may read numbers, with a warning that they are fixed in what is exported."""
        self.model, self.leaves, self.tree = model, leaves, tree
        self.may_look = may_look
        self.symbols = symbols
        self.recordings: list[Recording] = []
        self.shapes: list[list[Any]] = []  # the arguments of each recording
        self.names: dict[tuple[int, ...], str] = {}  # what each open size was in the recordings, and its name

    def graph(self) -> Graph:
        """The graph, good for all sizes.

        Raises:
            NotImplementedError: the model does something else at another size or for other numbers, or only this size
                is possible.
        """
        self._first()
        self._check_looks()
        chosen = [self._base()]
        for symbol in list(self.symbols):
            if symbol in self.symbols:
                chosen += self._vary(symbol)
        self.names = {tuple([c[s] for c in chosen]): s.name for s in self.symbols}
        return self._merged()

    def _check_looks(self) -> None:
        """What depends on numbers is another program for other numbers."""
        layer = self.recordings[0].looked
        if layer is None:
            return
        where = f"in layer {layer!r} " if layer else ""
        what = f"torch.export: {where}the model reads numbers of its tensors (item, bool, a mask as index)"
        if not self.may_look:
            raise NotImplementedError(f"{what}, and what it does then depends on them; torch.where may do the same")
        warnings.warn(f"{what}; what it does then is fixed as it is for the example arguments", stacklevel=6)

    def _merged(self) -> Graph:
        numbers = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor)]
        return merge(self.recordings, {k: [leaves[k] for leaves in self.shapes] for k in numbers})

    def _base(self) -> Chosen:
        return {s: self.base[s] for s in self.symbols}

    def _first(self) -> None:
        """Records the model once. A size of 1 broadcasts and vanishes, so that one that is left open begins at 2."""
        self.base = {s: max(s.hint, 2) if s.max is None or s.max > 1 else s.hint for s in self.symbols}
        try:
            self._record(self.base)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
            self.base = {s: s.hint for s in self.symbols}
            self._record(self.base)

    def _record(self, chosen: Chosen) -> None:
        leaves = self._resized(chosen)
        self.recordings.append(record(self.model, leaves, self.tree))
        self.shapes.append(leaves)

    def _resized(self, chosen: Chosen) -> list[Any]:
        """The arguments in other sizes: their elements, again from the beginning where there are more."""
        leaves = list(self.leaves)
        for symbol, size in chosen.items():
            for number, axis, factor, offset in symbol.places:
                x, wanted = leaves[number], size * factor + offset
                if x.shape[axis] != wanted:
                    leaves[number] = x.detach().index_select(axis, _arange(wanted) % max(x.shape[axis], 1))
        return leaves

    def _vary(self, symbol: Symbol) -> list[Chosen]:
        """Records the model with a few other sizes for the symbol; which sizes were chosen."""
        tried, why = self._try_others([symbol])
        if tried:
            return tried
        equal = [s for s in self.symbols if s.hint == symbol.hint]
        if len(equal) > 1:  # two names for what the model takes for one size
            tried, _ = self._try_others(equal)
            if tried:
                for other in equal:
                    if other is not symbol:
                        symbol.places += other.places
                        self.symbols.remove(other)
                return tried
        if symbol.optional:
            self.symbols.remove(symbol)
            return []
        raise NotImplementedError(
            f"torch.export: the size {symbol.name!r} cannot be left open; with another one than {self.base[symbol]}: "
            f"{why}"
        ) from why

    def _try_others(self, together: list[Symbol]) -> tuple[list[Chosen], BaseException | None]:
        size = self.base[together[0]]
        found: list[Chosen] = []
        why: BaseException | None = None
        for other in (2 * size, 2 * size - 1, size + 1, 3 * size, size // 2, size - 1, 2 * size + 1):
            if len(found) == ENOUGH or not self._allowed(together, other) or other == size:
                continue
            chosen = {**self._base(), **dict.fromkeys(together, other)}
            if chosen in found:
                continue
            failure = self._fits(chosen)
            if failure is None:
                found.append(chosen)
            elif why is None:
                why = failure
        if found and isinstance(why, Diverges):
            warnings.warn(
                f"torch.export: {why}; the exported program is right for sizes at which the model does the same",
                stacklevel=6,
            )
        return found, why

    def _allowed(self, together: list[Symbol], size: int) -> bool:
        return all(max(s.min, 2) <= size and (s.max is None or size <= s.max) for s in together)

    def _fits(self, chosen: Chosen) -> BaseException | None:
        """Records the model at these sizes, if that works and it is the same program; else why not."""
        count = len(self.recordings)
        try:
            self._record(chosen)
            self._merged()
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError, Diverges) as failure:
            del self.recordings[count:], self.shapes[count:]
            return failure
        return None
