"""The ways in which programs write a training step, beside PyTorch where it is installed.

    python benchmarks/idioms.py [PATTERN] [SECONDS]

The arithmetic is small, so what counts is how a step is put: where the loss is read, what happens to gradients and
parameters between two steps, whether shapes and lengths change.  Each idiom runs for some seconds under either
framework, in a process of its own, on one thread; the fastest fifth of the second half is printed (it is long enough
for what repeats to be compiled), its mean, and how many steps the first second saw.  `shapes.py` has programs whose
steps differ in shape, for which the mean is what counts.
"""

from __future__ import annotations

import copy
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

Step = Callable[[int], Any]
IDIOMS: dict[str, Callable[[Any], Step]] = {}


def idiom(make: Callable[[Any], Step]) -> Callable[[Any], Step]:
    """Enters a function that prepares an idiom and returns its step."""
    IDIOMS[make.__name__] = make
    return make


def layers(torch: Any, inputs: int = 20, outputs: int = 5) -> Any:
    """A small network."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


class Classifier:
    """A network, its optimizer and a batch."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.model = layers(torch)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.x, self.y = torch.randn(32, 20), torch.randint(0, 5, (32,))

    def loss(self, x: Any = None, y: Any = None) -> Any:
        """The loss of the batch, or of another."""
        out = self.model(self.x if x is None else x)
        return self.torch.nn.functional.cross_entropy(out, self.y if y is None else y)

    def learn(self, loss: Any) -> Any:
        """One step down; the loss, read after it."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


@idiom
def loss_read_after(torch: Any) -> Step:
    it = Classifier(torch)

    return lambda turn: it.learn(it.loss())


@idiom
def loss_read_before(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        out = it.model(it.x)
        loss = torch.nn.functional.cross_entropy(out, it.y)
        seen = loss.item(), (out.argmax(1) == it.y).float().mean().item()
        it.learn(loss)
        return seen

    return step


@idiom
def norms_of_gradients_read(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        it.optimizer.zero_grad()
        it.loss().backward()
        norm = sum(p.grad.norm().item() ** 2 for p in it.model.parameters()) ** 0.5
        it.optimizer.step()
        return norm

    return step


@idiom
def gradients_clipped(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        it.optimizer.zero_grad()
        loss = it.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(it.model.parameters(), 1.0)
        it.optimizer.step()
        return loss.item()

    return step


@idiom
def gradients_of_four_batches(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        loss = it.loss() / 4
        loss.backward()
        if turn % 4 == 3:
            it.optimizer.step()
            it.optimizer.zero_grad()
        return loss.item()

    return step


@idiom
def moving_average_of_weights(torch: Any) -> Step:
    it = Classifier(torch)
    average = copy.deepcopy(it.model)

    def step(turn: int) -> Any:
        seen = it.learn(it.loss())
        for p, q in zip(it.model.parameters(), average.parameters(), strict=True):
            q.data.copy_(0.01 * p.data + 0.99 * q.data)
        return seen

    return step


@idiom
def own_descent(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        loss = it.loss()
        loss.backward()
        for p in it.model.parameters():
            p.data.sub_(0.01 * p.grad.data)
            p.grad.data.zero_()
        return loss.item()

    return step


@idiom
def own_optimizer(torch: Any) -> Step:
    class Lion(torch.optim.Optimizer):  # type: ignore[misc, name-defined]
        @torch.no_grad()
        def step(self) -> None:
            for p in self.param_groups[0]["params"]:
                state = self.state[p]
                mean = state.setdefault("mean", torch.zeros_like(p))
                p.add_(torch.sign(mean * 0.9 + p.grad * 0.1), alpha=-1e-4)
                mean.mul_(0.99).add_(p.grad, alpha=0.01)

    it = Classifier(torch)
    it.optimizer = Lion(it.model.parameters(), {})

    return lambda turn: it.learn(it.loss())


@idiom
def closure(torch: Any) -> Step:
    model, x = layers(torch, 2, 1), torch.randn(32, 2)
    y, optimizer = (x**2).sum(1, keepdim=True), torch.optim.LBFGS(model.parameters(), max_iter=5)

    def loss() -> Any:
        optimizer.zero_grad()
        found = torch.nn.functional.mse_loss(model(x), y)
        found.backward()
        return found

    return lambda turn: optimizer.step(loss)


@idiom
def batches_from_a_loader(torch: Any) -> Step:
    data = torch.utils.data.TensorDataset(torch.randn(640, 20), torch.randint(0, 5, (640,)))
    loader, it = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True), Classifier(torch)
    batches = (batch for _ in iter(int, 1) for batch in loader)

    def step(turn: int) -> Any:
        return it.learn(it.loss(*next(batches)))

    return step


@idiom
def batches_from_numpy(torch: Any) -> Step:
    rng, it = np.random.default_rng(0), Classifier(torch)
    xs, ys = rng.normal(size=(640, 20)), rng.integers(0, 5, 640)

    def step(turn: int) -> Any:
        chosen = rng.choice(640, 32)
        return it.learn(it.loss(torch.from_numpy(xs[chosen]).float(), torch.tensor(ys[chosen])))

    return step


@idiom
def adversaries(torch: Any) -> Step:
    """A generator and a discriminator whose outputs are printed, as in PyTorch's DCGAN tutorial."""
    maker, judge = layers(torch, 8, 20), layers(torch, 20, 1)
    optimizers = [torch.optim.Adam(m.parameters()) for m in (judge, maker)]
    loss, x = torch.nn.BCEWithLogitsLoss(), torch.randn(32, 20)

    def judged(made: Any, answer: float) -> Any:
        out = judge(made).view(-1)
        loss(out, torch.full((32,), answer)).backward()
        return out.mean().item()

    def step(turn: int) -> Any:
        judge.zero_grad()
        made = maker(torch.randn(32, 8))
        seen = [judged(x, 1.0), judged(made.detach(), 0.0)]
        optimizers[0].step()
        maker.zero_grad()
        seen.append(judged(made, 1.0))
        optimizers[1].step()
        return seen

    return step


@idiom
def penalty_on_gradients(torch: Any) -> Step:
    judge, x = layers(torch, 20, 1), torch.randn(32, 20)
    optimizer = torch.optim.Adam(judge.parameters())

    def step(turn: int) -> Any:
        made, share = torch.randn(32, 20), torch.rand(32, 1)
        between = (share * x + (1 - share) * made).requires_grad_(True)
        slope = torch.autograd.grad(judge(between).sum(), between, create_graph=True)[0]
        loss = judge(made).mean() - judge(x).mean() + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


@idiom
def gradients_asked_for(torch: Any) -> Step:
    it = Classifier(torch)

    def step(turn: int) -> Any:
        parameters = list(it.model.parameters())
        loss = it.loss()
        seen = loss.item()
        with torch.no_grad():
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p.sub_(0.01 * g)
        return seen

    return step


@idiom
def gradients_of_each_example(torch: Any) -> Step:
    it = Classifier(torch)
    weights = {name: p.detach() for name, p in it.model.named_parameters()}

    def loss(weights: Any, x: Any, y: Any) -> Any:
        out = torch.func.functional_call(it.model, weights, (x.unsqueeze(0),))
        return torch.nn.functional.cross_entropy(out, y.unsqueeze(0))

    of_each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    return lambda turn: of_each(weights, it.x, it.y)["0.weight"].norm().item()


@idiom
def episodes(torch: Any) -> Step:
    """REINFORCE: actions are read at every turn, and episodes have other lengths each time."""
    policy = layers(torch, 4, 2)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)

    def step(turn: int) -> Any:
        logs = []
        for _ in range(random.randint(10, 60)):
            seen = torch.tensor([random.random() for _ in range(4)]).unsqueeze(0)
            chances = torch.distributions.Categorical(torch.softmax(policy(seen), 1))
            action = chances.sample()
            logs.append(chances.log_prob(action))
            action.item()
        returns = torch.tensor([random.random() for _ in logs])
        loss = torch.cat([-log * r for log, r in zip(logs, returns, strict=True)]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


@idiom
def turns_of_several_kinds(torch: Any) -> Step:
    """A score that is read at every turn and says how to go on, as in the LSTM-CRF tutorial."""
    weights, x = layers(torch, 5, 5), torch.randn(30, 5)
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.01)

    def step(turn: int) -> Any:
        scores = torch.zeros(5)
        for seen in weights(x[turn % 20 : turn % 20 + 10]):
            scores = scores + seen
            best = scores[scores.argmax().item()]
            scores = best + (scores - best).exp().sum().log() + 0.1 * scores
        optimizer.zero_grad()
        loss = scores.sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


@idiom
def batches_from_a_memory(torch: Any) -> Step:
    """Deep Q-learning: a batch is put together of tensors drawn from a list."""
    it, examples = Classifier(torch), []
    for _ in range(500):
        examples.append((torch.randn(1, 20), torch.tensor([random.randrange(5)])))

    def step(turn: int) -> Any:
        xs, ys = zip(*random.choices(examples, k=64), strict=True)
        return it.learn(it.loss(torch.cat(xs), torch.cat(ys)))

    return step


@idiom
def sequence_in_a_loop(torch: Any) -> Step:
    cell, out, x = torch.nn.GRUCell(8, 32), torch.nn.Linear(32, 8), torch.randn(20, 16, 8)
    optimizer = torch.optim.Adam([*cell.parameters(), *out.parameters()])

    def step(turn: int) -> Any:
        h, loss = torch.zeros(16, 32), 0
        for i in range(19):
            h = cell(x[i], h)
            loss = loss + torch.nn.functional.mse_loss(out(h), x[i + 1])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[attr-defined]
        optimizer.step()
        return loss.item()  # type: ignore[attr-defined]

    return step


@idiom
def teacher_forced_at_random(torch: Any) -> Step:
    """Another program each time: at every turn of the loop either of two inputs."""
    cell, out, x = torch.nn.GRUCell(8, 32), torch.nn.Linear(32, 8), torch.randn(20, 16, 8)
    optimizer = torch.optim.Adam([*cell.parameters(), *out.parameters()])

    def step(turn: int) -> Any:
        h, loss, given = torch.zeros(16, 32), 0, x[0]
        for i in range(19):
            h = cell(given, h)
            said = out(h)
            loss = loss + torch.nn.functional.mse_loss(said, x[i + 1])
            given = x[i + 1] if random.random() < 0.5 else said
        optimizer.zero_grad()
        loss.backward()  # type: ignore[attr-defined]
        optimizer.step()
        return loss.item()  # type: ignore[attr-defined]

    return step


@idiom
def sequences_of_other_lengths(torch: Any) -> Step:
    nn = torch.nn
    words, memory, out = nn.Embedding(100, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 4)
    optimizer = torch.optim.Adam([p for layer in (words, memory, out) for p in layer.parameters()])

    def step(turn: int) -> Any:
        x, y = torch.randint(0, 100, (16, random.randint(5, 40))), torch.randint(0, 4, (16,))
        loss = nn.functional.cross_entropy(out(memory(words(x))[0][:, -1]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def measured(make: Callable[[Any], Step], framework: str, seconds: float) -> tuple[float, float, int]:
    """Microseconds of a step, the fastest fifth and the mean, and how many steps the first second saw."""
    torch = import_module(framework)
    import_module(f"{framework}.distributions")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    step, times, start = make(torch), [], time.perf_counter()
    early = 0
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - before)
        early += time.perf_counter() - start < 1
    late = sorted(times[len(times) // 2 :])
    return late[len(late) // 5] * 1e6, sum(late) / len(late) * 1e6, early


def compare(programs: dict[str, Callable[[Any], Step]], script: str) -> None:
    """Runs the programs that the command line names, each framework in a process of its own, and prints a table."""
    if len(sys.argv) == 5 and sys.argv[1] == "--one":
        print(*measured(programs[sys.argv[2]], sys.argv[3], float(sys.argv[4])))
        return
    pattern, seconds = [*sys.argv[1:], ".", "10"][:2] if len(sys.argv) < 3 else sys.argv[1:3]
    frameworks = ["rushlight", "torch"] if find_spec("torch") else ["rushlight"]
    print(f"{'':30}" + "".join(f"{f:>12} us{'mean':>9}{'first s':>9}" for f in frameworks) + "     ratio  of means")
    for name in (n for n in programs if re.search(pattern, n)):
        found = []
        for framework in frameworks:
            command = [sys.executable, script, "--one", name, framework, seconds]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            found.append((float(answer[0]), float(answer[1]), int(answer[2])))
        ratio = f"{found[1][0] / found[0][0]:10.2f}{found[1][1] / found[0][1]:10.2f}" if len(found) > 1 else ""
        line = "".join(f"{us:15.0f}{mean:9.0f}{early:9}" for us, mean, early in found)
        print(f"{name:30}" + line + ratio, flush=True)


if __name__ == "__main__":
    compare(IDIOMS, __file__)
