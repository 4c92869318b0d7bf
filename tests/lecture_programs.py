"""The lectures' programs, each written once as a function of the module it runs on.

`PROGRAMS[name](t, steps)` seeds ``t`` (Rushlight, or PyTorch where the expected losses are made), builds the
lecture's model, and trains it for ``steps`` steps on data that are the same numbers wherever it runs; it returns the
loss of every step. `python lecture_programs.py` under PyTorch writes `expected/lecture_losses.json`;
`test_examples.py` compares Rushlight with it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = Path(__file__).parent / "expected" / "lecture_losses.json"
STEPS = 100
PROGRAMS: dict[str, Callable[[Any, int], list[float]]] = {}


def program(function: Callable[[Any, int], list[float]]) -> Callable[[Any, int], list[float]]:
    PROGRAMS[function.__name__] = function
    return function


# --- data -------------------------------------------------------------------------------------------------------------


def stored(name: str) -> tuple[np.ndarray, np.ndarray]:
    """One of the data sets that scikit-learn drew for the fourth lecture."""
    with np.load(ROOT / "examples" / "data" / "lecture4.npz") as arrays:
        return arrays[f"{name}_X"], arrays[f"{name}_y"]


def curve() -> tuple[np.ndarray, np.ndarray]:
    X = np.sort(np.random.RandomState(2020).randn(500))
    return X[:, None], X**2 + 15 * np.sin(X) ** 3


def idx(name: str, count: int, header: int, item: int) -> np.ndarray:
    """The first ``count`` items of a gzipped IDX file of bytes."""
    with gzip.open(ROOT / "data" / "MNIST" / "raw" / name) as file:
        file.read(header)
        return np.frombuffer(file.read(count * item), dtype=np.uint8)


def digits(t: Any, count: int) -> Any:
    images = idx("train-images-idx3-ubyte.gz", count, 16, 784).reshape(count, 1, 28, 28)
    labels = idx("train-labels-idx1-ubyte.gz", count, 8, 1)
    x, y = t.tensor(images.astype(np.float32) / 255), t.tensor(labels.astype(np.int64))
    return t.utils.data.TensorDataset(x, y)


def table(t: Any, X: np.ndarray, y: np.ndarray, dtype: Any) -> Any:
    return t.utils.data.TensorDataset(t.tensor(X, dtype=t.float32), t.tensor(y, dtype=dtype))


def batches(t: Any, dataset: Any, size: int, steps: int) -> Iterator[Any]:
    """``steps`` batches, epoch after epoch."""
    loader = t.utils.data.DataLoader(dataset, batch_size=size, shuffle=True)

    def epochs() -> Iterator[Any]:
        while True:
            yield from loader

    return islice(epochs(), steps)


def train(t: Any, dataset: Any, size: int, steps: int, optimizer: Any, loss_of: Callable[..., Any]) -> list[float]:
    losses = []
    for batch in batches(t, dataset, size, steps):
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# --- lecture 4: regression and classification -------------------------------------------------------------------------


def regression(t: Any, steps: int, model: Any, data: tuple[np.ndarray, np.ndarray], lr: float) -> list[float]:
    criterion, optimizer = t.nn.MSELoss(), t.optim.SGD(model.parameters(), lr=lr)
    dataset = table(t, *data, dtype=t.float32)
    return train(t, dataset, 50, steps, optimizer, lambda x, y: criterion(model(x).flatten(), y))


@program
def linear_regression(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    return regression(t, steps, t.nn.Linear(1, 1), stored("regression_1"), lr=0.02)


@program
def multiple_regression(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    return regression(t, steps, t.nn.Linear(3, 1), stored("regression_3"), lr=0.05)


@program
def nonlinear_regression(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    nn = t.nn
    model = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 1))
    return regression(t, steps, model, curve(), lr=0.01)


@program
def deep_regression(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    nn = t.nn
    model = nn.Sequential(nn.Linear(1, 10), nn.Sigmoid(), nn.Linear(10, 10), nn.Sigmoid(), nn.Linear(10, 1))
    return regression(t, steps, model, curve(), lr=0.2)


def classifier(t: Any, outputs: int) -> Any:
    return t.nn.Sequential(t.nn.Linear(2, 5), t.nn.ReLU(), t.nn.Linear(5, outputs))


@program
def circles(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    model, criterion = classifier(t, 1), t.nn.BCEWithLogitsLoss()
    optimizer = t.optim.Adam(model.parameters(), lr=0.1)
    dataset = table(t, *stored("circles"), dtype=t.float32)
    return train(t, dataset, 50, steps, optimizer, lambda x, y: criterion(model(x).flatten(), y))


@program
def blobs(t: Any, steps: int) -> list[float]:
    t.manual_seed(0)
    model, criterion = classifier(t, 4), t.nn.CrossEntropyLoss()
    optimizer = t.optim.Adam(model.parameters(), lr=0.2)
    dataset = table(t, *stored("blobs"), dtype=t.int64)
    return train(t, dataset, 50, steps, optimizer, lambda x, y: criterion(model(x), y))


# --- MNIST ------------------------------------------------------------------------------------------------------------


@program
def mnist_cnn(t: Any, steps: int) -> list[float]:
    nn, F = t.nn, t.nn.functional

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 5, padding=2), nn.Conv2d(32, 64, 5, padding=2)
            self.fc1, self.fc2 = nn.Linear(3136, 1024), nn.Linear(1024, 10)

        def forward(self, x: Any) -> Any:
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc2(F.relu(self.fc1(x.view(-1, 3136))))

    t.manual_seed(0)
    model = Net()
    optimizer = t.optim.SGD(model.parameters(), lr=0.01)
    return train(t, digits(t, 2000), 10, steps, optimizer, lambda x, y: F.cross_entropy(model(x), y))


@program
def autoencoder(t: Any, steps: int) -> list[float]:
    nn, F = t.nn, t.nn.functional
    t.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 20))
    decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())
    model = nn.Sequential(encoder, decoder)
    optimizer = t.optim.Adam(model.parameters(), lr=1e-3)
    return train(t, digits(t, 2000), 32, steps, optimizer, lambda x, _: F.mse_loss(model(x), x.view(-1, 784)))


@program
def vae(t: Any, steps: int) -> list[float]:
    nn, F = t.nn, t.nn.functional

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

        def encode(self, x: Any) -> Any:
            h1 = F.relu(self.fc1(x))
            return self.fc21(h1), self.fc22(h1)

        def reparameterize(self, mu: Any, logvar: Any) -> Any:
            std = t.exp(0.5 * logvar)
            eps = t.randn_like(std)
            return mu + eps * std

        def decode(self, z: Any) -> Any:
            return t.sigmoid(self.fc4(F.relu(self.fc3(z))))

        def forward(self, x: Any) -> Any:
            mu, logvar = self.encode(x.view(-1, 784))
            return self.decode(self.reparameterize(mu, logvar)), mu, logvar

    t.manual_seed(0)
    model, reconst_loss = VAE(), nn.BCELoss(reduction="sum")
    optimizer = t.optim.Adam(model.parameters(), lr=1e-3)

    def loss_of(x: Any, _: Any) -> Any:
        again, mu, logvar = model(x)
        kld = -0.5 * t.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return reconst_loss(again, x.view(-1, 784)) + kld

    return train(t, digits(t, 2000), 32, steps, optimizer, loss_of)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    made = {name: [float(f"{loss:.9g}") for loss in run(torch, STEPS)] for name, run in PROGRAMS.items()}
    EXPECTED.parent.mkdir(exist_ok=True)
    EXPECTED.write_text(
        json.dumps({"torch": torch.__version__, "losses": made}, indent=None, separators=(",", ":")) + "\n"
    )
    print(f"wrote {EXPECTED}")
