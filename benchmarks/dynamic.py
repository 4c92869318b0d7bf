"""Programs whose steps differ from one another, or whose shapes depend on the numbers, beside PyTorch.

    python benchmarks/dynamic.py [PATTERN] [SECONDS]

Masks say how many elements there are, scores how a loop goes on, sentences and trees how long it is, schedules which
number stands in the formula today.  `shapes.py` has batches of other sizes; here it is the program itself that
decides.  The table is that of `idioms.py`; the mean is the honest column.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from idioms import Step, compare, layers
from shapes import integers, learner, numbers

PROGRAMS: dict[str, Callable[[Any], Step]] = {}


def program(make: Callable[[Any], Step]) -> Callable[[Any], Step]:
    """Enters a function that prepares a program and returns its step."""
    PROGRAMS[make.__name__] = make
    return make


@program
def table_cleaned(torch: Any) -> Step:
    """Missing numbers become their column's mean, outliers its bounds, by masked assignment."""

    def step(turn: int) -> Any:
        x = numbers(torch, 500, 12)
        x[torch.rand(500, 12) < 0.05] = float("nan")
        for c in range(12):
            column = x[:, c]
            missing = torch.isnan(column)
            mean, spread = column[~missing].mean(), column[~missing].std()
            column[missing] = mean
            far = (column - mean).abs() > 3 * spread
            column[far] = mean + 3 * spread * column[far].sign()
            x[:, c] = column
        return x.sum().item()

    return step


@program
def spikes(torch: Any) -> Step:
    """A network of leaky neurons learns through a surrogate derivative; who has fired starts again."""
    first, second = torch.nn.Linear(40, 64), torch.nn.Linear(64, 5)
    learn = learner(torch, [first, second])

    class Spike(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            out = torch.zeros_like(x)
            out[x > 0] = 1.0
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g / (100 * x.abs() + 1) ** 2

    def step(turn: int) -> Any:
        x = torch.from_numpy((np.random.rand(20, 32, 40) < 0.3).astype(np.float32))
        current, membrane, total = torch.zeros(32, 64), torch.zeros(32, 64), torch.zeros(32, 5)
        for t in range(20):
            fired = Spike.apply(membrane - 1.0)
            reset = torch.zeros_like(membrane)
            s = membrane > 1.0
            reset[s] = torch.ones_like(membrane)[s]
            current = 0.8 * current + first(x[t])
            membrane = 0.9 * membrane + current - reset
            total = total + second(fired)
        return learn(torch.nn.functional.cross_entropy(total, integers(torch, 5, 32)))

    return step


@program
def refractory_neurons(torch: Any) -> Step:
    """A simulation: for 100 turns, neurons that fire are set back and rest."""
    weights = torch.randn(200, 200) * 0.1

    def step(turn: int) -> Any:
        v, rest = torch.full((200,), -65.0), torch.zeros(200)
        fired, count = torch.zeros(200, dtype=torch.bool), 0
        for _ in range(100):
            v = v + 0.1 * (-65.0 - v) + weights @ fired.float() + 3 * torch.rand(200)
            v[rest > 0] = -65.0
            fired = v > -50.0
            rest[fired] = 5.0
            rest[~fired] -= 1.0
            v[fired] = (-65.0 + rest)[fired]
            count = count + fired.sum()
        return count.item()  # type: ignore[attr-defined]

    return step


@program
def labels_spread(torch: Any) -> Step:
    """Classes are renamed one after the other, and what is unlabelled takes its neighbour's label."""

    def step(turn: int) -> Any:
        labels, fresh = integers(torch, 20, 64, 64), torch.full((64, 64), 255)
        for old in range(20):
            fresh[labels == old] = old % 7
        for _ in range(5):
            near = torch.roll(fresh, 1, 0)
            lost = fresh == 0
            fresh[lost] = near[lost]
        return fresh.sum().item()

    return step


@program
def hard_examples(torch: Any) -> Step:
    """The loss of the positives, and of three times as many of the hardest negatives."""
    model = layers(torch, 20, 2)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        x, y = numbers(torch, 256, 20), torch.from_numpy((np.random.rand(256) < 0.2).astype(np.int64))
        loss = torch.nn.functional.cross_entropy(model(x), y, reduction="none")
        positive = y > 0
        negatives = loss[~positive]
        k = min(3 * int(positive.sum()), negatives.numel())
        return learn((loss[positive].sum() + negatives.topk(k)[0].sum()) / positive.sum())

    return step


@program
def masked_means(torch: Any) -> Step:
    """Losses of an autoencoder where there are numbers: masks in the formula, no count asked for."""
    model = layers(torch, 20, 20)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        x, mask = numbers(torch, 128, 20), torch.from_numpy(np.random.rand(128, 20) < 0.7)
        said = model(torch.where(mask, x, torch.zeros_like(x)))
        wrong = (said - x) ** 2
        return learn(wrong[mask].mean() + 0.1 * wrong[~mask].mean())

    return step


@program
def unique_in_a_step(torch: Any) -> Step:
    """Prototypes of the classes that a batch happens to have, and the distances from them."""
    model = layers(torch, 20, 16)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        x, y = numbers(torch, 64, 20), integers(torch, 12, 64)
        h = model(x)
        kinds, where = torch.unique(y, return_inverse=True)
        middles = torch.stack([h[y == k].mean(0) for k in kinds])
        return learn(torch.nn.functional.cross_entropy(-torch.cdist(h, middles), where))

    return step


@program
def nonzero_in_a_step(torch: Any) -> Step:
    """A masked language model's words, found by nonzero."""
    words, model = torch.nn.Embedding(100, 32), layers(torch, 32, 100)
    learn = learner(torch, [words, model])

    def step(turn: int) -> Any:
        x = integers(torch, 99, 8, 40) + 1
        hidden = torch.rand(8, 40) < 0.15
        places = hidden.view(-1).nonzero().squeeze(1)
        h = words(x.masked_fill(hidden, 0)).view(-1, 32)
        h = h + h.mean(0)
        return learn(torch.nn.functional.cross_entropy(model(h[places]), x.view(-1)[places]))

    return step


@program
def lstm_crf(torch: Any) -> Step:
    """The tutorial's BiLSTM-CRF: scores tag by tag, in Python loops."""
    nn, tags = torch.nn, 5
    words, memory, out = nn.Embedding(50, 5), nn.LSTM(5, 2, bidirectional=True), nn.Linear(4, tags)
    moves = nn.Parameter(torch.randn(tags, tags))
    with torch.no_grad():
        moves[3, :] = -10000
        moves[:, 4] = -10000
    optimizer = torch.optim.SGD([*words.parameters(), *memory.parameters(), *out.parameters(), moves], lr=0.01)

    def log_sum_exp(v: Any) -> Any:
        most = v[0, torch.max(v, 1)[1].item()]
        return most + torch.log(torch.sum(torch.exp(v - most.view(1, -1).expand(1, v.size()[1]))))

    def all_paths(features: Any) -> Any:
        before = torch.full((1, tags), -10000.0)
        before[0][3] = 0.0
        for feature in features:
            now = []
            for tag in range(tags):
                emitted = feature[tag].view(1, -1).expand(1, tags)
                now.append(log_sum_exp(before + moves[tag].view(1, -1) + emitted).view(1))
            before = torch.cat(now).view(1, -1)
        return log_sum_exp(before + moves[4])

    def score(features: Any, said: Any) -> Any:
        total = torch.zeros(1)
        said = torch.cat([torch.tensor([3], dtype=torch.long), said])
        for i, feature in enumerate(features):
            total = total + moves[said[i + 1], said[i]] + feature[said[i + 1]]
        return total + moves[4, said[-1]]

    def step(turn: int) -> Any:
        n = random.randrange(5, 12)
        x, y = integers(torch, 50, n), integers(torch, 3, n)
        optimizer.zero_grad()
        features = out(memory(words(x).view(n, 1, -1))[0].view(n, 4))
        loss = all_paths(features) - score(features, y)
        loss.backward()
        optimizer.step()
        return None

    return step


@program
def turing_machine(torch: Any) -> Step:
    """A neural Turing machine copies sequences of 1 to 20 vectors."""
    nn, F = torch.nn, torch.nn.functional
    rows, width = 32, 12
    control, heads = nn.LSTMCell(7 + width, 48), nn.Linear(48, 2 * (width + 6) + 2 * width)
    out = nn.Linear(48 + width, 6)
    learn = learner(torch, [control, heads, out])

    def address(told: Any, memory: Any, before: Any) -> Any:
        key, strength, gate, shift, sharp = told.split([width, 1, 1, 3, 1], 1)
        w = F.softmax(F.softplus(strength) * F.cosine_similarity(memory, key.unsqueeze(1), dim=-1), 1)
        w = torch.sigmoid(gate) * w + (1 - torch.sigmoid(gate)) * before
        s = F.softmax(shift, 1)
        w = s[:, :1] * torch.roll(w, 1, 1) + s[:, 1:2] * w + s[:, 2:] * torch.roll(w, -1, 1)
        w = w ** (1 + F.softplus(sharp))
        return w / (w.sum(1, keepdim=True) + 1e-16)

    def step(turn: int) -> Any:
        n = random.randint(1, 20)
        x = torch.from_numpy((np.random.rand(n, 4, 6) < 0.5).astype(np.float32))
        given = torch.zeros(2 * n + 1, 4, 7)
        given[:n, :, :6] = x
        given[n, :, 6] = 1.0
        memory, read = torch.full((4, rows, width), 1e-6), torch.zeros(4, width)
        looking = writing = torch.zeros(4, rows)
        h, c, said = torch.zeros(4, 48), torch.zeros(4, 48), []
        for t in range(2 * n + 1):
            h, c = control(torch.cat([given[t], read], 1), (h, c))
            told = heads(h)
            one, two, erase, add = told.split([width + 6, width + 6, width, width], 1)
            writing = address(two, memory, writing)
            memory = memory * (1 - writing[:, :, None] * erase.sigmoid()[:, None]) + writing[:, :, None] * add[:, None]
            looking = address(one, memory, looking)
            read = (looking.unsqueeze(1) @ memory).squeeze(1)
            if t > n:
                said.append(out(torch.cat([h, read], 1)))
        return learn(F.binary_cross_entropy_with_logits(torch.stack(said), x))

    return step


@program
def translation(torch: Any) -> Step:
    """The tutorial's sequence to sequence: attention, teacher forcing half of the time, a sentence a step."""
    nn, F, longest = torch.nn, torch.nn.functional, 12
    heard, said = nn.Embedding(80, 32), nn.Embedding(90, 32)
    encoder, decoder = nn.GRU(32, 32), nn.GRU(32, 32)
    attend, joined, out = nn.Linear(64, longest), nn.Linear(64, 32), nn.Linear(32, 90)
    parts = [heard, said, encoder, decoder, attend, joined, out]
    optimizer = torch.optim.SGD([p for m in parts for p in m.parameters()], lr=0.01)

    def spoken(word: Any, hidden: Any, outputs: Any) -> Any:
        embedded = F.dropout(said(word).view(1, 1, -1), 0.1)
        weights = F.softmax(attend(torch.cat((embedded[0], hidden[0]), 1)), dim=1)
        seen = torch.bmm(weights.unsqueeze(0), outputs.unsqueeze(0))
        x = F.relu(joined(torch.cat((embedded[0], seen[0]), 1)).unsqueeze(0))
        x, hidden = decoder(x, hidden)
        return F.log_softmax(out(x[0]), dim=1), hidden

    def step(turn: int) -> Any:
        x, y = integers(torch, 80, random.randint(3, 11), 1), integers(torch, 90, random.randint(3, 11), 1)
        hidden, outputs = torch.zeros(1, 1, 32), torch.zeros(longest, 32)
        optimizer.zero_grad()
        for i in range(x.size(0)):
            output, hidden = encoder(heard(x[i]).view(1, 1, -1), hidden)
            outputs[i] = output[0, 0]
        word, loss, forced = torch.tensor([[0]]), 0, random.random() < 0.5
        for i in range(y.size(0)):
            chances, hidden = spoken(word, hidden, outputs)
            loss = loss + F.nll_loss(chances, y[i])
            if forced:
                word = y[i]
            else:
                word = chances.topk(1)[1].squeeze().detach()
                if word.item() == 1:
                    break
        loss.backward()  # type: ignore[attr-defined]
        optimizer.step()
        return loss.item() / y.size(0)  # type: ignore[attr-defined]

    return step


@program
def boxes_assigned(torch: Any) -> Step:
    """A detector on a grid: each true box to the anchor that it fits best, and the loss where there are any."""
    nn, F = torch.nn, torch.nn.functional
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 3 * 9, 3, 2, 1)
    )
    anchors = torch.tensor([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    learn = learner(torch, [model])

    def targets(boxes: Any) -> Any:
        mask = torch.zeros(4, 3, 8, 8, dtype=torch.bool)
        empty, wanted = torch.ones(4, 3, 8, 8, dtype=torch.bool), torch.zeros(4, 3, 8, 8, 4)
        kinds = torch.zeros(4, 3, 8, 8, 4)
        xy, wh = boxes[:, 2:4] * 8, boxes[:, 4:6] * 8
        shared = torch.min(anchors[:, None, :], wh[None]).prod(2)
        fit = shared / (anchors.prod(1)[:, None] + wh.prod(1)[None] - shared)
        best = fit.max(0)[1]
        b, label = boxes[:, :2].long().t()
        i, j = xy.long().clamp(0, 7).t()
        mask[b, best, j, i] = True
        empty[b, best, j, i] = False
        for k, one in enumerate(fit.t()):
            empty[b[k], one > 0.5, j[k], i[k]] = False
        wanted[b, best, j, i] = torch.cat([xy - xy.floor(), torch.log(wh / anchors[best] + 1e-16)], 1)
        kinds[b, best, j, i, label] = 1
        return mask, empty, wanted, kinds

    def step(turn: int) -> Any:
        n = random.randrange(4, 16)
        boxes = np.random.rand(n, 6)
        boxes[:, 0], boxes[:, 1] = np.random.randint(0, 4, n), np.random.randint(0, 4, n)
        mask, empty, wanted, kinds = targets(torch.from_numpy(boxes.astype(np.float32)))
        said = model(numbers(torch, 4, 3, 64, 64)).view(4, 3, 9, 8, 8).permute(0, 1, 3, 4, 2)
        sure = said[..., 4].sigmoid()
        loss = F.mse_loss(said[..., :4][mask], wanted[mask]) + F.binary_cross_entropy(sure[mask], mask.float()[mask])
        loss = loss + 100 * F.binary_cross_entropy(sure[empty], mask.float()[empty])
        return learn(loss + F.binary_cross_entropy_with_logits(said[..., 5:][mask], kinds[mask]))

    return step


@program
def isomorphism_network(torch: Any) -> Step:
    """A graph isomorphism network, 32 other graphs in each batch."""
    nn = torch.nn

    def twice(inputs: int) -> Any:
        return nn.Sequential(nn.Linear(inputs, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())

    parts, out = nn.ModuleList([twice(7), twice(32), twice(32)]), nn.Linear(32, 2)
    learn = learner(torch, [parts, out], lr=0.01)

    def step(turn: int) -> Any:
        sizes = np.random.randint(10, 30, 32)
        nodes, starts = int(sizes.sum()), np.cumsum(sizes) - sizes
        edges = np.concatenate([np.random.randint(0, n, (2, 2 * n)) + s for n, s in zip(sizes, starts, strict=True)], 1)
        source, target = torch.from_numpy(edges)
        graph = torch.from_numpy(np.repeat(np.arange(32), sizes))
        h = numbers(torch, nodes, 7)
        for part in parts:
            h = part(h + torch.zeros_like(h).index_add_(0, target, h[source]))
        pooled = torch.zeros(32, 32).index_add(0, graph, h)
        return learn(nn.functional.cross_entropy(out(pooled), integers(torch, 2, 32)))

    return step


@program
def tree_lstm(torch: Any) -> Step:
    """A child-sum tree LSTM, four trees a step."""
    nn = torch.nn
    words, gates, more = nn.Embedding(100, 24), nn.Linear(24, 4 * 24), nn.Linear(24, 3 * 24)
    forget, out = nn.Linear(24, 24), nn.Linear(24, 3)
    learn = learner(torch, [words, gates, more, forget, out])

    def meaning(size: int) -> Any:
        children = []
        size -= 1
        while size:
            part = random.randint(1, size)
            children.append(meaning(part))
            size -= part
        h = torch.stack([c[0] for c in children]) if children else torch.zeros(1, 24)
        c = torch.stack([c[1] for c in children]) if children else torch.zeros(1, 24)
        x = gates(words(torch.tensor(random.randrange(100))))
        i, o, u = torch.split(x[:72] + more(h.sum(0)), 24)
        f = torch.sigmoid(forget(h) + x[72:])
        c = i.sigmoid() * u.tanh() + (f * c).sum(0)
        return o.sigmoid() * c.tanh(), c

    def step(turn: int) -> Any:
        tops = torch.stack([meaning(random.randrange(3, 10))[0] for _ in range(4)])
        return learn(nn.functional.cross_entropy(out(tops), integers(torch, 3, 4)))

    return step


@program
def rows_read(torch: Any) -> Step:
    """A perceptron: row by row, corrected where it is wrong."""
    x = numbers(torch, 100, 6)
    y = torch.sign(x[:, 0] + 0.3 * x[:, 1])

    def step(turn: int) -> Any:
        w, wrong = torch.zeros(6), 0
        for i in range(100):
            if (w @ x[i]).item() * y[i].item() <= 0:
                w += 0.1 * y[i] * x[i]
                wrong += 1
        return wrong

    return step


@program
def rows_of_a_loop(torch: Any) -> Step:
    """Numbers taken one by one out of what a network says, and a list of losses made of them."""
    model = layers(torch, 20, 3)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        said, total = model(numbers(torch, 32, 20)), 0
        for row, target in zip(said, integers(torch, 3, 32), strict=True):
            weight = 2.0 if row.argmax().item() != target.item() else 0.5
            total = total + weight * torch.nn.functional.cross_entropy(row[None], target[None])
        return learn(total / 32)

    return step


@program
def numbers_that_change(torch: Any) -> Step:
    """Q-learning: a learning rate, an epsilon, a temperature and a counter of their own in every step."""
    model, old = layers(torch, 4, 3), layers(torch, 4, 3)
    optimizer = torch.optim.Adam(model.parameters())
    state = torch.zeros(4)

    def step(turn: int) -> Any:
        nonlocal state
        epsilon, temperature = 0.05 + 0.9 * math.exp(-turn / 200), 1.0 + 1.0 / (turn + 1)
        with torch.no_grad():
            action = random.randrange(3) if random.random() < epsilon else model(state[None]).argmax(1).item()
        state = (0.9 * state + 0.1 * action + 0.01 * turn % 1).clamp(-1, 1)
        x, a = numbers(torch, 32, 4), integers(torch, 3, 32, 1)
        best = (old(x) / temperature).softmax(1).max(1)[0].detach()
        loss = torch.nn.functional.smooth_l1_loss(model(x).gather(1, a)[:, 0], best * 0.99 + epsilon)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.999**turn
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p, q in zip(model.parameters(), old.parameters(), strict=True):
                q.copy_(0.005 * p + 0.995 * q)
        return loss.item()

    return step


@program
def early_exits(torch: Any) -> Step:
    """A network that thinks until it is sure: adaptive computation time."""
    nn = torch.nn
    cell, halt, out = nn.GRUCell(8, 32), nn.Linear(32, 1), nn.Linear(32, 3)
    learn = learner(torch, [cell, halt, out])

    def step(turn: int) -> Any:
        x, h = numbers(torch, 16, 8), torch.zeros(16, 32)
        going, left, mixed = torch.ones(16, 1), torch.ones(16, 1), torch.zeros(16, 32)
        for _ in range(12):
            h = cell(x, h)
            p = halt(h).sigmoid()
            stops = ((1 - left + p) > 0.9).float() * going
            mixed = mixed + (p * going * (1 - stops) + left * stops) * h
            left, going = left - p * going, going * (1 - stops)
            if not going.bool().any():
                break
        return learn(nn.functional.cross_entropy(out(mixed), integers(torch, 3, 16)) + 0.01 * left.mean())

    return step


@program
def dropout_scheduled(torch: Any) -> Step:
    """The chance of dropout, the smoothing of labels and the bound of gradients change in every step."""
    nn, F = torch.nn, torch.nn.functional
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 5))
    optimizer = torch.optim.AdamW(model.parameters())

    def step(turn: int) -> Any:
        model[2].p = 0.5 / (1 + turn / 500)
        loss = F.cross_entropy(model(numbers(torch, 64, 20)), integers(torch, 5, 64), label_smoothing=0.1 / (1 + turn))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0 + 1 / (turn + 1))
        optimizer.step()
        return loss.item()

    return step


@program
def accumulated(torch: Any) -> Step:
    """Gradients of one to eight batches."""
    model = layers(torch, 20, 5)
    optimizer = torch.optim.Adam(model.parameters())

    def step(turn: int) -> Any:
        batches, total = random.randint(1, 8), 0.0
        optimizer.zero_grad()
        for _ in range(batches):
            loss = torch.nn.functional.cross_entropy(model(numbers(torch, 32, 20)), integers(torch, 5, 32)) / batches
            loss.backward()
            total += loss.item()
        optimizer.step()
        return total

    return step


@program
def curriculum(torch: Any) -> Step:
    """A cell in a loop whose length grows with the turns, then is any up to it."""
    cell, out = torch.nn.LSTMCell(8, 32), torch.nn.Linear(32, 8)
    learn = learner(torch, [cell, out])

    def step(turn: int) -> Any:
        n = random.randint(2, min(30, 4 + turn // 20))
        x, loss = numbers(torch, n + 1, 16, 8), 0
        h = c = torch.zeros(16, 32)
        for i in range(n):
            h, c = cell(x[i], (h, c))
            loss = loss + torch.nn.functional.mse_loss(out(h), x[i + 1])
        return learn(loss / n)  # type: ignore[operator]

    return step


@program
def noise_removed(torch: Any) -> Step:
    """A diffusion model samples: coefficients are Python numbers, other ones at each of 50 turns."""
    model = layers(torch, 3, 2)
    betas = [1e-4 + 0.02 * t / 50 for t in range(50)]
    kept = np.cumprod([1 - b for b in betas]).tolist()

    def step(turn: int) -> Any:
        with torch.no_grad():
            x = torch.randn(64, 2)
            for t in reversed(range(50)):
                noise = model(torch.cat([x, torch.full((64, 1), t / 50)], 1))
                x = (x - betas[t] / math.sqrt(1 - kept[t]) * noise) / math.sqrt(1 - betas[t])
                if t > 0:
                    x = x + math.sqrt(betas[t]) * torch.randn(64, 2)
        return x.mean().item()

    return step


@program
def boxes_suppressed(torch: Any) -> Step:
    """Non-maximum suppression by hand: a loop while there are boxes left."""

    def step(turn: int) -> Any:
        corner, size = torch.from_numpy(np.random.rand(2, 100, 2).astype(np.float32))
        boxes, scores = torch.cat([corner, corner + 0.3 * size], 1), torch.from_numpy(np.random.rand(100))
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order, kept = scores.argsort(descending=True), []
        while order.numel() > 0:
            i = order[0]
            kept.append(i.item())
            rest = order[1:]
            low, high = torch.max(boxes[i, :2], boxes[rest, :2]), torch.min(boxes[i, 2:], boxes[rest, 2:])
            shared = (high - low).clamp(min=0).prod(1)
            order = rest[shared / (area[i] + area[rest] - shared) <= 0.3]
        return len(kept)

    return step


@program
def triplets_mined(torch: Any) -> Step:
    """Semi-hard triplets: those that a mask of three dimensions names."""
    model = layers(torch, 20, 16)
    learn = learner(torch, [model])

    def step(turn: int) -> Any:
        y, h = integers(torch, 6, 24), torch.nn.functional.normalize(model(numbers(torch, 24, 20)))
        far = torch.cdist(h, h)
        same = y[:, None] == y[None]
        valid = (same & ~torch.eye(24, dtype=torch.bool))[:, :, None] & ~same[:, None]
        loss = (far[:, :, None] - far[:, None] + 0.2)[valid]
        loss = loss[loss > 0]
        return learn(loss.mean() if loss.numel() else loss.sum())

    return step


if __name__ == "__main__":
    compare(PROGRAMS, __file__)
