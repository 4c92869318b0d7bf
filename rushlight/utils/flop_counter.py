"""torch.utils.flop_counter: how many floating-point operations a program's products and convolutions take.

The recorder knows a program as a chain of States, one for each operation. Between two looks at that chain, all that it
has grown by belongs to the modules that are open: a look is taken where a module begins and ends, and before the
recorder computes and starts anew. As in PyTorch on the CPU, products inside attention and recurrent layers count for
nothing; the backward pass counts as a whole, not by module.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.core.missing import missing
from rushlight.record import flush as flushing
from rushlight.record import trace as recording
from rushlight.record.state import Loose, State, Step, steps_to

__all__ = ["FlopCounterMode"]

Shape = tuple[int, ...]


def _of_product(step: Step) -> int:
    """Of x (..., n, k) and y (..., k, m)."""
    x, y = (s.shape for s in step.input_specs[-2:] if s is not None)
    return 2 * math.prod(x) * y[-1]


def _of_scaled_product(step: Step) -> int:
    """Of `c + x @ y`."""
    x, y = (s.shape for s in step.input_specs[1:3])
    return 2 * math.prod(x) * y[-1]


def _of_linear(step: Step) -> int:
    """Of x (..., k) and weight (n, k)."""
    x, w = (s.shape for s in step.input_specs[:2])
    return 2 * math.prod(x) * w[0]


def _convolved(sparse_side: Shape, weight: Shape, batch: int) -> int:
    """Each of the positions, which the convolution writes or its transpose reads, times each weight."""
    return 2 * batch * math.prod(sparse_side[2:]) * math.prod(weight)


def _of_convolution(step: Step) -> int:
    shape = step.specs[0].shape
    return _convolved(shape, step.input_specs[1].shape, shape[0])


def _of_transposed_convolution(step: Step) -> int:
    shape = step.input_specs[0].shape
    return _convolved(shape, step.input_specs[1].shape, shape[0])


def _of_weight_gradient(step: Step) -> int:
    """As PyTorch counts it: groups are not told apart."""
    x, d = (s.shape for s in step.input_specs[:2])
    return 2 * math.prod(d) * x[1] * math.prod(step.specs[0].shape[2:])


#: Our operation -> PyTorch's name for it, and its count.
COUNTED: dict[str, tuple[str, Callable[[Step], int]]] = {
    "mm": ("mm", _of_product),
    "bmm": ("bmm", _of_product),
    "addmm": ("addmm", _of_scaled_product),
    "baddbmm": ("baddbmm", _of_scaled_product),
    "linear": ("addmm", _of_linear),
    "linear_nd": ("addmm", _of_linear),
    "linear_no_bias": ("mm", _of_linear),
    "linear_nd_no_bias": ("mm", _of_linear),
    "convolution": ("convolution", _of_convolution),
    "convolution_transposed": ("convolution", _of_transposed_convolution),
    "convolution_input": ("convolution_backward", _of_transposed_convolution),
    "convolution_weight": ("convolution_backward", _of_weight_gradient),
}


class FlopCounterMode:
    """Counts, inside a `with` block, by operation and by module; prints a table at the end where `display` is set.

    `mods` is not needed: every module that is called is seen. A product of n x k and k x m numbers counts 2nkm.

    >>> with FlopCounterMode(display=False) as counter:
    ...     y = torch.nn.Linear(5, 4)(torch.ones(2, 5))
    >>> counter.get_total_flops()
    80
    """

    def __init__(
        self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None
    ) -> None:
        if custom_mapping:
            raise NotImplementedError("FlopCounterMode: custom_mapping is not in Rushlight")
        self.depth, self.display = depth, display
        self.flop_counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._names: dict[int, str] = {}
        self._open: list[str] = []
        self._seen = 0  # how many operations of the running trace are counted

    def get_total_flops(self) -> int:
        """All that was counted."""
        self._look()
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """By module, and in each by operation; "Global" is everything."""
        self._look()
        return {
            name: {getattr(ops.aten, op): flops for op, flops in counts.items()}
            for name, counts in self.flop_counts.items()
        }

    def get_table(self, depth: int | None = None) -> str:
        """The counts as text, modules down to `depth`."""
        depth = self.depth if depth is None else depth
        total = self.get_total_flops()
        rows = [("Module", "FLOP", "% Total")]
        for name, counts in sorted(self.flop_counts.items(), key=lambda pair: (pair[0] != "Global", pair[0])):
            level = name.count(".") + (name != "Global")
            if level > depth:
                continue
            rows.append(_row("  " * level + name, sum(counts.values()), total))
            rows += [_row("  " * level + " - aten." + op, flops, total) for op, flops in counts.items()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        rows.insert(1, ("-" * widths[0], "-" * widths[1], "-" * widths[2]))
        return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)

    def __enter__(self) -> FlopCounterMode:
        from rushlight.nn.hooks import register_module_forward_hook, register_module_forward_pre_hook

        self.flop_counts.clear()
        self.flop_counts["Global"] = Counter()
        self._recorder = recording.recorder()
        self._recorder.flush()
        self._seen = 0
        self._run = flushing.compute
        flushing.compute = self._computing
        self._hooks = (
            register_module_forward_pre_hook(self._begin),
            register_module_forward_hook(self._end, always_call=True),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        flushing.compute = self._run
        for hook in self._hooks:
            hook.remove()
        self._open.clear()
        del self._recorder
        if self.display:
            print(self.get_table(self.depth))

    def _begin(self, module: Any, args: Any) -> None:
        self._look()
        name = self._names.setdefault(id(module), type(module).__name__)
        self._open.append(name)
        for child, inner in module.named_children():
            self._names.setdefault(id(inner), f"{name}.{child}")

    def _end(self, module: Any, args: Any, result: Any) -> None:
        self._look()
        if self._open:
            self._open.pop()

    def _computing(self, trace: Any) -> None:
        """Runs in the recorder's place: a trace ends here."""
        if getattr(self, "_recorder", None) is trace.recorder:
            self._count(trace.state)
            self._seen = 0
        self._run(trace)

    def _look(self) -> None:
        if hasattr(self, "_recorder"):
            self._count(self._recorder.trace.state)

    def _count(self, state: State | Loose) -> None:
        """Adds what was recorded since the last look to the modules that are open."""
        found: Counter[str] = Counter()
        for step in steps_to(state)[self._seen :]:
            counted = COUNTED.get(step.op.name)
            if counted is not None:
                found[counted[0]] += counted[1](step)
        self._seen = state.depth
        if found:
            for name in {"Global", *self._open}:
                self.flop_counts[name].update(found)


def _row(name: str, flops: int, total: int) -> tuple[str, str, str]:
    return name, _shown(flops), f"{flops / total:.2%}" if total else "0%"


def _shown(flops: int) -> str:
    """Three digits and a unit, as `82.944K`."""
    for unit in ("", "K", "M", "B"):
        if flops < 1000 or unit == "B":
            return f"{flops:.3f}{unit}" if unit else str(int(flops))
        flops /= 1000  # type: ignore[assignment]
    return ""


__getattr__ = missing(__name__)
