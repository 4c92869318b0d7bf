"""The training loop of the regression and classification examples: forward, loss, backward, step."""

from __future__ import annotations

import rushlight as torch
from rushlight import nn
from rushlight.utils.data import DataLoader


def trainer(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataloader: DataLoader,
    epochs: int = 5,
    verbose: bool = True,
    flatten: bool = True,
) -> list[float]:
    """Train for ``epochs`` passes and return their mean losses; ``flatten`` makes outputs ``(n, 1)`` into ``(n,)``."""
    history = []
    for epoch in range(epochs):
        losses = 0.0
        for X, y in dataloader:
            optimizer.zero_grad()  # forget the gradients of the step before
            y_hat = model(X)
            loss = criterion(y_hat.flatten() if flatten else y_hat, y)
            loss.backward()
            optimizer.step()
            losses += loss.item()
        history.append(losses / len(dataloader))
        if verbose:
            print(f"epoch: {epoch + 1}, loss: {history[-1]:.4f}")
    return history
