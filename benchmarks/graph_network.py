"""A training step of a graph convolutional network (Kipf and Welling, 2017), beside PyTorch where it is installed.

    python benchmarks/graph_network.py

A graph of the size of Cora: 2708 nodes, 13264 entries of the adjacency matrix with its diagonal, 1433 features of which
49216 are not zero, 16 hidden units, 7 classes.  The features are once a dense and once a sparse matrix.  Both
frameworks train with the same numbers; the last losses are printed beside the median times.
"""

from __future__ import annotations

import math
import statistics
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

NODES, EDGES, FEATURES, ENTRIES, HIDDEN, CLASSES = 2708, 5278, 1433, 49216, 16, 7
STEPS = 100


def adjacency(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions and values of a random graph's adjacency matrix: symmetric, with the diagonal, rows summing to 1."""
    edges = rng.integers(0, NODES, (EDGES, 2))
    both = np.concatenate([edges, edges[:, ::-1], np.repeat(np.arange(NODES), 2).reshape(-1, 2)])
    rows, columns = np.unique(both, axis=0).T
    return np.stack([rows, columns]), (1 / np.bincount(rows))[rows].astype(np.float32)


def features(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions and values of a bag-of-words matrix whose rows sum to 1."""
    places = np.sort(rng.choice(NODES * FEATURES, ENTRIES, replace=False))
    rows, columns = np.divmod(places, FEATURES)
    return np.stack([rows, columns]), (1 / np.bincount(rows))[rows].astype(np.float32)


def network(torch: Any) -> Any:
    """The two layers, in the words of a program for PyTorch."""
    nn, functional = torch.nn, torch.nn.functional

    class Convolution(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            bound = 1 / math.sqrt(outputs)
            self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

        def forward(self, x: Any, graph: Any) -> Any:
            return torch.spmm(graph, torch.mm(x, self.weight)) + self.bias

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Convolution(FEATURES, HIDDEN), Convolution(HIDDEN, CLASSES)

        def forward(self, x: Any, graph: Any) -> Any:
            x = functional.dropout(functional.relu(self.first(x, graph)), 0.5, self.training)
            return functional.log_softmax(self.second(x, graph), dim=1)

    return Network()


def sparse(torch: Any, parts: tuple[np.ndarray, np.ndarray], size: tuple[int, int]) -> Any:
    """The sparse matrix of these positions and values."""
    where, values = parts
    return torch.sparse_coo_tensor(torch.from_numpy(where), torch.from_numpy(values), size).coalesce()


def train(torch: Any, sparse_features: bool) -> tuple[float, float]:
    """(median milliseconds of a step, last loss)."""
    rng = np.random.default_rng(0)
    graph = sparse(torch, adjacency(rng), (NODES, NODES))
    x = sparse(torch, features(rng), (NODES, FEATURES))
    x = x if sparse_features else x.to_dense()
    labels, known = torch.from_numpy(rng.integers(0, CLASSES, NODES)), torch.arange(140)
    torch.manual_seed(42)
    model = network(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    times, loss = [], None
    for _ in range(STEPS):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(model(x, graph)[known], labels[known])
        loss.backward()
        optimizer.step()
        value = loss.item()
        times.append(time.perf_counter() - start)
    return statistics.median(times[STEPS // 4 :]) * 1e3, value


def main() -> None:
    """Prints a line for each framework and kind of features."""
    for name in ("rushlight", "torch"):
        if find_spec(name) is None:
            continue
        torch = import_module(name)
        for kind in ("dense", "sparse"):
            step, loss = train(torch, kind == "sparse")
            print(f"{name:10} {kind:6} features  {step:8.3f} ms a step  loss {loss:.5f}")


if __name__ == "__main__":
    main()
