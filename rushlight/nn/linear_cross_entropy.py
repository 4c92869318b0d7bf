"""`torch.nn.functional.linear_cross_entropy`: the scores of a linear layer and their cross entropy in one call.

With `LinearCrossEntropyOptions` the batch is taken in pieces, each under `torch.utils.checkpoint`: the scores, which
with a large vocabulary are far larger than everything else, need not be kept for the backward pass.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

__all__ = ["LinearCrossEntropyOptions", "linear_cross_entropy"]


@dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How the batch is cut into pieces.

    Attributes:
        batch_chunk_size: how many examples a piece has, if not chosen by `chunking_method`.
        chunking_method: "aspect_ratio:N" chooses pieces whose scores take about an N-th of the input's memory; "auto"
            is "aspect_ratio:2" where no size is given; None leaves the batch whole.
        allow_retain_graph, acc_policy, acc_dtype: accepted. What arrives is never overwritten, and products are summed
            in float32 at least.

    Raises ValueError for what PyTorch does not accept.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in ("auto", "accurate", "balanced", "compact"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto"):
            name, _, factor = str(self.chunking_method).partition(":")
            if name != "aspect_ratio" or not (factor or "1").isdigit() or not int(factor or "1"):
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and not getattr(self.acc_dtype, "is_floating_point", False):
            raise ValueError(f"acc_dtype must be None or a floating point dtype, got {self.acc_dtype!r}")

    def size_for(self, batch: int, features: int, classes: int) -> int:
        """How many examples a piece has. Raises ValueError where the method and the given size disagree."""
        given, method = self.batch_chunk_size, self.chunking_method
        if method == "auto":
            method = None if given is not None else "aspect_ratio:2"
        if method is None:
            return max(1, batch if given is None else min(given, batch))
        target = -(-batch // -(-classes // features))
        found = min((1 << (target - 1).bit_length()) // int(method.partition(":")[2] or "1"), batch)
        if given is not None and given != found:
            raise ValueError(
                f"batch_chunk_size (={given}) and chunking_method ('{method}') give different chunk sizes ({given} vs "
                f"{found}); pass only one."
            )
        return max(1, found)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """`cross_entropy(linear(input, linear_weight, linear_bias), target, ...)`.

    Shapes: input (in) or (N, in), linear_weight (C, in), or (C, d1, ..., in) for a loss in several dimensions, target
    class indices () or (N) or (N, d1, ...), or probabilities of the scores' shape. `options` cuts the batch into
    pieces, for class indices without `label_smoothing` and further dimensions.

    >>> x, w = torch.ones(2, 3), torch.zeros(4, 3)
    >>> torch.nn.functional.linear_cross_entropy(x, w, torch.tensor([0, 1]))
    tensor(1.3863)
    """
    _check(input, linear_weight, linear_bias)
    probabilities = target.is_floating_point()
    if probabilities and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    kwargs: dict[str, Any] = {"weight": weight, "ignore_index": -100 if ignore_index is None else ignore_index}
    if options is not None:
        if not (probabilities or label_smoothing or linear_weight.dim() > 2 or input.dim() < 2):
            return _in_pieces(input, linear_weight, linear_bias, target, reduction, options, kwargs)
        text = "linear_cross_entropy: ``options`` ignored: they serve a batch and class indices without label_smoothing"
        warnings.warn(text, UserWarning, stacklevel=2)
    scores = _scores(input, linear_weight, linear_bias)
    return F.cross_entropy(scores, target, reduction=reduction, label_smoothing=label_smoothing, **kwargs)


def _scores(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    classes = weight.shape[:-1]
    scores = F.linear(input, weight.reshape(-1, weight.shape[-1]), None if bias is None else bias.reshape(-1))
    return scores.reshape((*scores.shape[:-1], *classes))


def _check(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.dim()}")
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively"
        )
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}")
    if weight.dim() > 2 and input.dim() < 2:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, (N, "
            f"{input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )


def _in_pieces(
    input: Tensor, linear_weight: Tensor, bias: Tensor | None, target: Tensor, reduction: str,
    options: LinearCrossEntropyOptions, kwargs: dict[str, Any],
) -> Tensor:  # fmt: skip
    import rushlight
    from rushlight.utils.checkpoint import checkpoint

    def loss(x: Tensor, w: Tensor, b: Tensor | None, t: Tensor) -> Tensor:
        return F.cross_entropy(_scores(x, w, b), t, reduction="none" if reduction == "none" else "sum", **kwargs)

    size = options.size_for(len(input), input.shape[1], len(linear_weight))
    pairs = zip(input.split(size), target.split(size), strict=True)
    losses = [checkpoint(loss, x, linear_weight, bias, t, use_reentrant=False) for x, t in pairs]
    if reduction == "none":
        return rushlight.cat(losses)
    total = rushlight.stack(losses).sum()
    if reduction == "sum":
        return total
    counted = target != kwargs["ignore_index"]
    weight = kwargs["weight"]
    return total / (counted.sum() if weight is None else weight[rushlight.where(counted, target, 0)][counted].sum())
