"""Regularization that leaves out whole branches (stochastic depth) or blocks of places (DropBlock) in training.

The random numbers are torchvision's: one Bernoulli draw into an empty tensor of the same shape.
"""

from __future__ import annotations

import math
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F

__all__ = ["DropBlock2d", "DropBlock3d", "StochasticDepth", "drop_block2d", "drop_block3d", "stochastic_depth"]


def stochastic_depth(input: Any, p: float, mode: str, training: bool = True) -> Any:
    """Each row of ``input`` all zero with probability ``p``, else divided by 1 - ``p`` (G. Huang, arXiv:1603.09382).

    Args:
        input: values (N, ...) of a residual branch.
        p: the probability.
        mode: "row" decides for each row, "batch" for all at once.
        training: if False, ``input`` is returned as it is.

    Raises:
        ValueError: for a probability outside 0 to 1, or another mode.
    """
    _check_probability(p)
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    survival = 1.0 - p
    size = [input.shape[0] if mode == "row" else 1] + [1] * (input.dim() - 1) if input.dim() else []
    noise = rushlight.empty(size, dtype=input.dtype).bernoulli_(survival)
    return input * (noise.div_(survival) if survival > 0.0 else noise)


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a layer: it drops in training mode only."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Any) -> Any:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


def drop_block2d(
    input: Any, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True
) -> Any:
    """Squares of ``block_size`` places become zero, the others grow as much (G. Ghiasi et al., arXiv:1810.12890).

    Args:
        input: values (N, C, H, W).
        p: how much is dropped, on average.
        block_size: the side of a square.
        inplace: write the result into ``input``.
        eps: keeps the division from zero.
        training: if False, ``input`` is returned as it is.

    Raises:
        ValueError: for a probability outside 0 to 1, an input of another number of dimensions, or an even block.
    """
    return _drop_block(input, p, block_size, inplace, eps, training, 2, F.max_pool2d)


def drop_block3d(
    input: Any, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True
) -> Any:
    """`drop_block2d` for cubes of values (N, C, D, H, W)."""
    return _drop_block(input, p, block_size, inplace, eps, training, 3, F.max_pool3d)


def _drop_block(
    input: Any, p: float, block_size: int, inplace: bool, eps: float, training: bool, sides: int, pool: Any
) -> Any:
    _check_probability(p)
    if input.dim() != sides + 2:
        raise ValueError(f"input should be {sides + 2} dimensional. Got {input.dim()} dimensions.")
    if not training or p == 0.0:
        return input
    places = list(input.shape[2:])
    block = min(block_size, *places)
    corners = [size - block + 1 for size in places]  # where a block can begin
    if block % 2 == 0:
        raise ValueError(f"block size should be odd. Got {block} which is even.")
    gamma = math.prod([p, *places]) / (block**sides * math.prod(corners))
    noise = rushlight.empty((*input.shape[:2], *corners), dtype=input.dtype).bernoulli_(gamma)
    noise = F.pad(noise, [block // 2] * (2 * sides), value=0)
    kept = 1 - pool(noise, kernel_size=block, stride=1, padding=block // 2)
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


class DropBlock2d(nn.Module):
    """`drop_block2d` as a layer: it drops in training mode only."""

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input: Any) -> Any:
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"


class DropBlock3d(DropBlock2d):
    """`drop_block3d` as a layer: it drops in training mode only."""

    def forward(self, input: Any) -> Any:
        return drop_block3d(input, self.p, self.block_size, self.inplace, self.eps, self.training)
