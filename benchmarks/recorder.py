"""What Rushlight's own Python costs: recording an operation, a training step outside the arithmetic, the import.

    python benchmarks/recorder.py

The arithmetic is taken away by answering every program with the arrays of its first run; what is left is the
recorder, the
layers, the optimizer and the flush.  Times are medians of several repetitions, in microseconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import rushlight as torch
from rushlight.record.program import Program


def median_us(f: Callable[[], object], calls: int = 300, rounds: int = 15) -> float:
    """The median time of one call over several rounds."""
    for _ in range(50):
        f()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            f()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times) * 1e6


class WithoutArithmetic:
    """Inside, a program that ran once answers with the arrays of that run."""

    def __enter__(self) -> None:
        self.run = run = Program.run
        known: dict[Program, list[object]] = {}

        def replay(program: Program, values: object) -> list[object]:
            found = known.get(program)
            if found is None:
                found = known[program] = run(program, values)  # type: ignore[arg-type]
            return list(found)

        Program.run = replay  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: object) -> None:
        Program.run = self.run  # type: ignore[method-assign]


def chain(length: int, requires_grad: bool) -> Callable[[], object]:
    """A recorded chain of additions and products, read at its end."""
    a = torch.ones(4, requires_grad=requires_grad)

    def f() -> object:
        b = a
        for _ in range(length // 2):
            b = (b + a) * 0.5
        return b.sum().item()

    return f


def lecture_step() -> Callable[[], object]:
    """A step of the lecture's 1-10-10-1 network with SGD."""
    nn = torch.nn
    layers = nn.Linear(1, 10), nn.Sigmoid(), nn.Linear(10, 10), nn.Sigmoid(), nn.Linear(10, 1)
    model, criterion = nn.Sequential(*layers), nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    x, y = torch.randn(50, 1), torch.randn(50)

    def step() -> object:
        optimizer.zero_grad()
        loss = criterion(model(x).flatten(), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def loader_epoch() -> Callable[[], object]:
    """Ten shuffled batches of 50 from a TensorDataset."""
    data = torch.utils.data.TensorDataset(torch.randn(500, 1), torch.randn(500))
    loader = torch.utils.data.DataLoader(data, batch_size=50, shuffle=True)
    return lambda: list(loader)


def import_figures() -> tuple[float, float]:
    """Seconds and megabytes of `import rushlight` in a fresh process (the best of five)."""
    program = (
        "import time, resource; t = time.perf_counter(); import rushlight; "
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(5)
    ]
    seconds, megabytes = zip(*(map(float, r.stdout.split()) for r in runs), strict=True)
    return min(seconds), max(megabytes)


def main() -> None:
    """Prints the figures."""
    seconds, megabytes = import_figures()  # first: a child's peak memory is never below its parent's at the fork
    step, epoch = lecture_step(), loader_epoch()
    print(f"{'a step of 1-10-10-1, with arithmetic':48} {median_us(step):8.1f} us")
    print(f"{'10 shuffled batches of 50, TensorDataset':48} {median_us(epoch, 50):8.1f} us")
    with WithoutArithmetic():
        for tracked in (False, True):
            cost = median_us(chain(100, tracked), 30) / 100
            print(f"{'an operation recorded' + (', on the tape' if tracked else ''):48} {cost:8.2f} us")
        print(f"{'a step of 1-10-10-1, without arithmetic':48} {median_us(step):8.1f} us")
    print(f"{'import':48} {seconds * 1e3:8.0f} ms, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
