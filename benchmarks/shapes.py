"""Programs whose shapes differ from step to step, beside PyTorch where it is installed.

    python benchmarks/shapes.py [PATTERN] [SECONDS]

Graphs have other numbers of nodes and edges in each batch, sentences other lengths, episodes end when they end, text
grows word by word.  What such a program records is seldom what it recorded before, so the compiler has little to go
by; what counts is how fast the recorder takes in what it does not know, and how fast the interpreter runs it.
The table is that of `idioms.py`; here the mean is the honest column.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from idioms import Step, compare, layers

PROGRAMS: dict[str, Callable[[Any], Step]] = {}


def program(make: Callable[[Any], Step]) -> Callable[[Any], Step]:
    """Enters a function that prepares a program and returns its step."""
    PROGRAMS[make.__name__] = make
    return make


def learner(torch: Any, modules: list[Any], **options: Any) -> Callable[[Any], float]:
    """A function that takes one step down a loss, and reads it."""
    optimizer = torch.optim.Adam([p for module in modules for p in module.parameters()], **options)

    def learn(loss: Any) -> float:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value: float = loss.item()
        return value

    return learn


def integers(torch: Any, high: int, *shape: int) -> Any:
    """Random integers below `high`."""
    return torch.from_numpy(np.random.randint(0, high, shape))


def numbers(torch: Any, *shape: int) -> Any:
    """Random numbers."""
    return torch.from_numpy(np.random.randn(*shape).astype(np.float32))


@program
def graphs(torch: Any) -> Step:
    """Two layers of graph convolution, 32 graphs in a batch."""
    first, second, out = torch.nn.Linear(16, 64), torch.nn.Linear(64, 64), torch.nn.Linear(64, 3)
    learn = learner(torch, [first, second, out])

    def passed_on(h: Any, start: Any, end: Any) -> Any:
        degree = torch.zeros(h.size(0)).scatter_add_(0, end, torch.ones(end.size(0))).clamp(min=1)
        weight = (degree[start] * degree[end]).rsqrt()
        return torch.zeros(h.shape).index_add_(0, end, h[start] * weight[:, None])

    def step(turn: int) -> Any:
        nodes, edges = random.randrange(400, 600), random.randrange(1500, 2500)
        start, end = integers(torch, nodes, 2, edges)
        graph = torch.from_numpy(np.sort(np.random.randint(0, 32, nodes)))
        h = passed_on(first(numbers(torch, nodes, 16)), start, end).relu()
        h = passed_on(second(h), start, end).relu()
        pooled = torch.zeros(32, 64).index_add_(0, graph, h)
        return learn(torch.nn.functional.cross_entropy(out(pooled), integers(torch, 3, 32)))

    return step


@program
def sentences(torch: Any) -> Step:
    """A language model of one LSTM; a batch is as long as its longest sentence."""
    nn = torch.nn
    words, memory, out = nn.Embedding(50, 32), nn.LSTM(32, 64, batch_first=True), nn.Linear(64, 50)
    learn = learner(torch, [words, memory, out])

    def step(turn: int) -> Any:
        x = integers(torch, 50, 16, random.randrange(11, 61))
        said = out(memory(words(x[:, :-1]))[0])
        return learn(nn.functional.cross_entropy(said.reshape(-1, 50), x[:, 1:].reshape(-1)))

    return step


def transformer(torch: Any) -> Any:
    """A small GPT; a block is given the keys and values so far where these are kept."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, width: int = 64, heads: int = 4) -> None:
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.asked, self.told = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            self.heads = heads

        def forward(self, x: Any, kept: Any) -> Any:
            rows, length, width = x.shape
            parts = self.asked(self.norms[0](x)).split(width, 2)
            q, k, v = [p.view(rows, length, self.heads, -1).transpose(1, 2) for p in parts]
            if kept:
                k, v = torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)
            if kept is not None:
                kept[:] = k, v
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=kept is None)
            x = x + self.told(seen.transpose(1, 2).reshape(rows, length, width))
            return x + self.inner(self.norms[1](x))

    class Transformer(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(65, 64), nn.Embedding(128, 64)
            self.blocks = nn.ModuleList([Block(), Block()])
            self.norm, self.out = nn.LayerNorm(64), nn.Linear(64, 65, bias=False)

        def forward(self, x: Any, kept: Any = (None, None), start: int = 0) -> Any:
            h = self.words(x) + self.places(torch.arange(start, start + x.size(1)))
            for block, own in zip(self.blocks, kept, strict=True):
                h = block(h, own)
            return self.out(self.norm(h))

    return Transformer()


@program
def longer_sentences(torch: Any) -> Step:
    """A transformer learns from sequences of 10 to 100 words."""
    model = transformer(torch)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        x = integers(torch, 65, 8, random.randrange(11, 101))
        said = model(x[:, :-1])
        return learn(torch.nn.functional.cross_entropy(said.reshape(-1, 65), x[:, 1:].reshape(-1)))

    return step


@program
def generation(torch: Any) -> Step:
    """A transformer says 100 words, reading all it has said before each."""
    model = transformer(torch).eval()

    def step(turn: int) -> Any:
        said = torch.zeros((1, 1), dtype=torch.long)
        with torch.no_grad():
            for _ in range(100):
                chances = model(said)[:, -1].softmax(-1)
                said = torch.cat([said, torch.multinomial(chances, 1)], 1)
        return said[0].tolist()

    return step


@program
def generation_with_memory(torch: Any) -> Step:
    """The same with keys and values kept."""
    model = transformer(torch).eval()

    def step(turn: int) -> Any:
        word, said, kept = torch.zeros((1, 1), dtype=torch.long), [], ([], [])  # type: ignore[var-annotated]
        with torch.no_grad():
            for n in range(100):
                word = torch.multinomial(model(word, kept, n)[:, -1].softmax(-1), 1)
                said.append(word)
        return torch.cat(said, 1)[0].tolist()

    return step


@program
def episodes(torch: Any) -> Step:
    """REINFORCE: actions one by one, then a step over the whole episode."""
    policy = layers(torch, 4, 2)
    learn = learner(torch, [policy])

    def step(turn: int) -> Any:
        seen, done = [], []
        for _ in range(random.randrange(10, 200)):
            seen.append(np.random.randn(4).astype(np.float32))
            with torch.no_grad():
                action = torch.distributions.Categorical(logits=policy(torch.from_numpy(seen[-1]))).sample()
            done.append(action.item())
        chances = policy(torch.from_numpy(np.stack(seen))).log_softmax(1)
        return learn(-(chances.gather(1, torch.tensor(done)[:, None])[:, 0] * torch.randn(len(done))).mean())

    return step


@program
def pictures(torch: Any) -> Step:
    """A convolutional network on pictures of any size."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        x = numbers(torch, 4, 3, random.randrange(32, 80), random.randrange(32, 80))
        return learn(nn.functional.cross_entropy(model(x), integers(torch, 10, 4)))

    return step


@program
def bags_of_words(torch: Any) -> Step:
    """Texts of other lengths, one after the other."""
    bag, out = torch.nn.EmbeddingBag(2000, 64), torch.nn.Linear(64, 4)
    learn = learner(torch, [bag, out])

    def step(turn: int) -> Any:
        lengths = np.random.randint(10, 60, 16)
        starts = torch.from_numpy(np.cumsum(lengths) - lengths)
        said = out(bag(integers(torch, 2000, int(lengths.sum())), starts))
        return learn(torch.nn.functional.cross_entropy(said, integers(torch, 4, 16)))

    return step


@program
def masked_words(torch: Any) -> Step:
    """The loss of those that a mask names."""
    model = layers(torch, 20, 30)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        mask = torch.from_numpy(np.random.rand(128) < 0.15)
        said, y = model(numbers(torch, 128, 20)), integers(torch, 30, 128)
        return learn(torch.nn.functional.cross_entropy(said[mask], y[mask]))

    return step


@program
def clouds_of_points(torch: Any) -> Step:
    """What is the same for every point, and the largest of each feature."""
    each, all_of_them = layers(torch, 3, 64), layers(torch, 64, 10)
    learn = learner(torch, [each, all_of_them])

    def step(turn: int) -> Any:
        seen = each(numbers(torch, random.randrange(100, 1000), 3)).max(0)[0]
        return learn(torch.nn.functional.cross_entropy(all_of_them(seen)[None], torch.tensor([1])))

    return step


@program
def packed_sequences(torch: Any) -> Step:
    """Sequences of eight lengths, packed."""
    rnn, memory, out = torch.nn.utils.rnn, torch.nn.GRU(8, 32, batch_first=True), torch.nn.Linear(32, 2)
    learn = learner(torch, [memory, out])

    def step(turn: int) -> Any:
        lengths = sorted(np.random.randint(3, 30, 8).tolist(), reverse=True)
        padded = rnn.pad_sequence([numbers(torch, n, 8) for n in lengths], batch_first=True)
        _, last = memory(rnn.pack_padded_sequence(padded, lengths, batch_first=True))
        return learn(torch.nn.functional.cross_entropy(out(last[-1]), integers(torch, 2, 8)))

    return step


@program
def trees(torch: Any) -> Step:
    """A recursive network; no two trees are alike."""
    nn = torch.nn
    words, join, out = nn.Embedding(100, 32), nn.Linear(64, 32), nn.Linear(32, 3)
    learn = learner(torch, [words, join, out])

    def meaning(leaves: int) -> Any:
        if leaves == 1:
            return words(torch.tensor([random.randrange(100)]))
        left = random.randrange(1, leaves)
        return join(torch.cat([meaning(left), meaning(leaves - left)], 1)).tanh()

    def step(turn: int) -> Any:
        return learn(nn.functional.cross_entropy(out(meaning(random.randrange(4, 14))), torch.tensor([1])))

    return step


if __name__ == "__main__":
    compare(PROGRAMS, __file__)
