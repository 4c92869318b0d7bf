"""torch.utils.benchmark: timing a statement fairly.

`Timer` runs a statement many times and computes what each run recorded before the next begins; an expression's value is
held until then, so that its numbers are really made. `Measurement` says how long it took, `Compare` puts several side
by side.
"""

from __future__ import annotations

import ast
import statistics
import timeit
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rushlight.core.missing import missing
from rushlight.record.trace import recorder

__all__ = ["Compare", "Measurement", "TaskSpec", "Timer"]

UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
MANY_RUNS = 100  # a block of runs should last long beside the clock's own cost
IQR_WARN_THRESHOLD, IQR_GROSS_WARN_THRESHOLD = 0.1, 0.25


def select_unit(seconds: float) -> tuple[str, float]:
    """The unit that shows a time best, and its length in seconds.

    >>> from rushlight.utils.benchmark import select_unit
    >>> select_unit(0.002)
    ('ms', 0.001)
    """
    return next(((name, scale) for name, scale in UNITS if seconds >= scale), UNITS[-1])


class TaskSpec:
    """What is timed."""

    def __init__(
        self, stmt: str, setup: str, label: str | None, sub_label: str | None, description: str | None, env: str | None,
        num_threads: int,
    ) -> None:  # fmt: skip
        self.stmt, self.setup, self.env = stmt, setup, env
        self.label, self.sub_label, self.description, self.num_threads = label, sub_label, description, num_threads

    @property
    def title(self) -> str:
        """The label, or the statement."""
        title = self.label or self.stmt.strip()
        return f"{title}: {self.sub_label}" if self.sub_label else title

    def setup_str(self) -> str:
        """The setup, as the report shows it."""
        if not self.setup or self.setup == "pass":
            return ""
        return f"setup:\n  {self.setup}" if "\n" in self.setup else f"setup: {self.setup}"


class Measurement:
    """How long a statement took: `raw_times` are seconds for `number_per_run` runs each."""

    def __init__(self, number_per_run: int, raw_times: list[float], task_spec: TaskSpec, metadata: Any = None) -> None:
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.task_spec = task_spec
        self.metadata = metadata

    @property
    def times(self) -> list[float]:
        """Seconds of a run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def mean(self) -> float:
        """The mean time of a run, in seconds."""
        return statistics.mean(self.times)

    @property
    def median(self) -> float:
        """The median time of a run, in seconds."""
        return statistics.median(self.times)

    def quartiles(self) -> tuple[float, float]:
        """The times that a quarter and three quarters of the runs stayed below."""
        ordered = sorted(self.times)
        if len(ordered) == 1:
            return ordered[0], ordered[0]
        low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
        return low, high

    @property
    def iqr(self) -> float:
        """The distance between the quartiles."""
        low, high = self.quartiles()
        return high - low

    @property
    def has_warnings(self) -> bool:
        """Whether the runs differ much."""
        return len(self.times) > 1 and self.iqr / self.median > IQR_WARN_THRESHOLD

    @property
    def title(self) -> str:
        """What was timed."""
        return self.task_spec.title

    @property
    def env(self) -> str:
        """The environment, if one was named."""
        return self.task_spec.env or "Unspecified env"

    @property
    def as_row_name(self) -> str:
        """The name of the row in a `Compare`."""
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        head = [f"<torch.utils.benchmark.utils.common.Measurement object at {id(self):#x}>", self.title]
        head += [t for t in (self.task_spec.description, self.task_spec.setup_str()) if t]
        threads = f"{self.task_spec.num_threads} thread{'s' if self.task_spec.num_threads > 1 else ''}"
        if len(self.raw_times) == 1:
            runs = f"{self.number_per_run} runs " if self.number_per_run > 1 else "1 run"
            return "\n".join([*head, f"  {self.median / scale:.2f} {unit}", f"  1 measurement, {runs}, {threads}"])
        low, high = (q / scale for q in self.quartiles())
        body = [
            f"  Median: {self.median / scale:.2f} {unit}",
            f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})",
            f"  {len(self.raw_times)} measurements, {self.number_per_run} runs per measurement, {threads}",
        ]
        return "\n".join([*head, *body, *self._warnings()])

    def _warnings(self) -> list[str]:
        if not self.has_warnings:
            return []
        share = self.iqr / self.median
        what = "This suggests significant environmental influence."
        if share <= IQR_GROSS_WARN_THRESHOLD:
            what = "This could indicate system fluctuation."
        return [f"  WARNING: Interquartile range is {share:.1%} of the median measurement.", f"           {what}"]

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of one task put together."""
        groups: dict[tuple[Any, ...], list[Measurement]] = {}
        for m in measurements:
            groups.setdefault((tuple(vars(m.task_spec).values()), m.number_per_run), []).append(m)
        return [
            Measurement(g[0].number_per_run, [t for m in g for t in m.raw_times], g[0].task_spec)
            for g in groups.values()
        ]


class Timer:
    """Times a statement.

    >>> from rushlight.utils.benchmark import Timer
    >>> Timer("x + 1", setup="x = torch.ones(2)", globals={"torch": torch}).timeit(10).number_per_run
    10

    Source: https://pytorch.org/docs/stable/benchmark_utils.html
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "py",
    ) -> None:
        if str(getattr(language, "value", language)).lower() not in ("0", "py", "python"):
            raise NotImplementedError("torch.utils.benchmark.Timer: only Python statements are timed")
        self._task_spec = TaskSpec(stmt, setup, label, sub_label, description, env, num_threads)
        variables = dict(globals or {})
        variables.setdefault("torch", __import__("rushlight"))
        variables["__compute__"] = lambda held=None: recorder().flush()
        self._timer = timeit.Timer(_computed(stmt), setup, timer, variables)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """The time of `number` runs in one block, after a few to warm up."""
        self._timer.timeit(max(number // 100, 2))
        return Measurement(number, [self._timer.timeit(number)], self._task_spec)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """The times of as many blocks of runs as fit into `min_run_time` seconds."""
        number = self._block_size(min_run_time)
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._timer.timeit(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Blocks of runs until their times agree within `threshold`, or `max_run_time` is over."""
        number = self._block_size(0.05)
        times: list[float] = []
        while True:
            times.append(self._timer.timeit(number))
            found = Measurement(number, times, self._task_spec)
            settled = len(times) > 3 and found.iqr / found.median < threshold and sum(times) >= min_run_time
            if settled or sum(times) >= max_run_time:
                return found

    autorange = blocked_autorange

    def _block_size(self, min_run_time: float) -> int:
        """How many runs last long enough to be timed, and are few enough to be repeated."""
        self._timer.timeit(2)
        number = 1
        while True:
            taken = self._timer.timeit(number)
            if taken >= min_run_time / 1000 and taken >= 1e-5 * MANY_RUNS or taken >= min_run_time:
                return number
            number *= 10


def _computed(stmt: str) -> str:
    """The statement, followed by the computing of what it recorded."""
    try:
        ast.parse(stmt.strip(), mode="eval")
    except SyntaxError:
        return f"{stmt}\n__compute__()"
    return f"__compute__({stmt.strip()})"


class Compare:
    """Measurements as tables: a row for each `sub_label`, a column for each `description`."""

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results = Measurement.merge(results)

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """Adds measurements."""
        self._results = Measurement.merge([*self._results, *results])

    def trim_significant_figures(self) -> None:
        """Accepted: one decimal is shown."""

    def colorize(self, rowwise: bool = False) -> None:
        """Accepted: tables have no colours."""

    def highlight_warnings(self) -> None:
        """Accepted: see the measurements themselves."""

    def print(self) -> None:
        """Prints the tables."""
        print(self)

    def __str__(self) -> str:
        labels = dict.fromkeys(m.task_spec.label for m in self._results)
        return "\n".join(_table(label, [m for m in self._results if m.task_spec.label == label]) for label in labels)


def _table(label: str | None, results: Sequence[Measurement]) -> str:
    unit, scale = select_unit(min(m.median for m in results))
    columns = list(dict.fromkeys(m.task_spec.description or "" for m in results))
    rows = list(dict.fromkeys((m.task_spec.num_threads, m.as_row_name) for m in results))
    cells = {
        (m.task_spec.num_threads, m.as_row_name, m.task_spec.description or ""): f"{m.median / scale:.1f}"
        for m in results
    }
    first = max(len("1 threads: "), *[len(name) + 8 for _, name in rows])
    widths = [max(len(c), *[len(cells.get((*r, c), "")) for r in rows]) + 2 for c in columns]
    line = lambda head, parts: "  |  ".join([head.ljust(first), *[p.center(w) for p, w in zip(parts, widths)]])  # noqa: E731, B905
    header = line("", columns)
    title = f" {label or ''} "
    lines = ["[" + title.center(len(header) - 2, "-") + "]", header]
    for threads in dict.fromkeys(t for t, _ in rows):
        lines.append(f"{threads} threads: ".ljust(len(header), "-"))
        lines += [
            line(f"      {n}", [cells.get((threads, n, c), "") for c in columns]) for t, n in rows if t == threads
        ]
    return "\n".join([*lines, "", f"Times are in {NAMES[unit]} ({unit}).", ""])


__getattr__ = missing(__name__)
