"""A training step leaves no reference cycles: what it made goes when nobody refers to it, not when Python looks for
cycles, else the same step would be another program each time."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch

nn, F = torch.nn, torch.nn.functional


class Doubled(torch.autograd.Function):
    """A derivative written in Python."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return g * 2 + ctx.saved_tensors[0] * 0


def _of_sequences(layer: torch.nn.Module, twice: bool = False) -> Callable[[torch.Tensor], torch.Tensor]:
    """A layer over sequences, of samples in a batch of one."""

    def run(x: torch.Tensor) -> torch.Tensor:
        found = layer(x[:, None], x[:, None]) if twice else layer(x[:, None])
        return found if isinstance(found, torch.Tensor) else found[0]

    return run


def _penalty(x: torch.Tensor) -> torch.Tensor:
    leaf = x.detach().requires_grad_()
    (g,) = torch.autograd.grad((leaf.tanh() ** 2).sum(), leaf, create_graph=True)
    return g.pow(2).sum() + x.sum()


def _hooked(x: torch.Tensor) -> torch.Tensor:
    y = x * 3
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    return y.exp()


LAYERS: dict[str, Callable[[], Callable[[torch.Tensor], torch.Tensor]]] = {
    "layer norm": lambda: nn.LayerNorm(8),
    "batch norm": lambda: nn.BatchNorm1d(8),
    "group norm": lambda: nn.GroupNorm(2, 8),
    "attention": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1),
    "decoder": lambda: _of_sequences(nn.TransformerDecoderLayer(8, 2, 16), twice=True),
    "lstm": lambda: _of_sequences(nn.LSTM(8, 8, 2, bidirectional=True)),
    "gru cell": lambda: nn.GRUCell(8, 8),
    "pool": lambda: lambda x: F.max_pool1d(x, 2, return_indices=True)[0],
    "sort": lambda: lambda x: x.sort(1).values + x.topk(3, 1).values.sum(),
    "svd": lambda: lambda x: torch.linalg.svd(x, full_matrices=False)[1],
    "split": lambda: lambda x: torch.cat([a * k for k, a in enumerate(x.split(2, 1))], 1) + sum(x.unbind(1)).sum(),
    "function": lambda: Doubled.apply,
    "checkpoint": lambda: lambda x: torch.utils.checkpoint.checkpoint(torch.tanh, x, use_reentrant=False),
    "derivative of a derivative": lambda: _penalty,
    "hooks": lambda: _hooked,
    "vmap": lambda: lambda x: torch.func.vmap(lambda row: row.tanh() * row.sum())(x),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_step_leaves_no_cycles(name: str) -> None:
    layer = LAYERS[name]()
    x = torch.randn(6, 8, requires_grad=True)
    optimizer = torch.optim.Adam([x])

    def step() -> float:
        optimizer.zero_grad()
        loss = layer(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        step()
        gc.collect()
        left = [type(found).__name__ for found in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
