"""torch.nested: batches of tensors whose sizes differ.

    ragged                  what a nested tensor is made of, its handle, and how functions find it
    functions               what Rushlight's functions mean for one

The package loads when it is first touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.layout import jagged, strided
from rushlight.core.missing import missing
from rushlight.ops.creation import wrap
from rushlight.record.trace import realize
from rushlight.tensor import FUNCTIONS, Tensor

from .functions import to_padded_tensor
from .ragged import NestedTensor, Ragged, of_components, of_parts, of_values

__all__ = [
    "as_nested_tensor", "masked_select", "narrow", "nested_tensor", "nested_tensor_from_jagged", "to_padded_tensor",
]  # fmt: skip


def nested_tensor(
    tensor_list: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> NestedTensor:  # fmt: skip
    """A nested tensor of copies of the components, a leaf of the tape.

    Args:
        tensor_list: tensors, or what `torch.tensor` makes tensors of.
        layout: torch.strided (the default), or torch.jagged for components that differ in their first dimension.

    Raises RuntimeError where the components do not go together.

    >>> x = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged)
    >>> x.offsets()
    tensor([0, 2, 3])
    """
    tensor, as_tensor = FUNCTIONS["tensor"], FUNCTIONS["as_tensor"]
    parts = [
        as_tensor(x, dtype=dtype).detach().clone() if isinstance(x, Tensor) else tensor(x, dtype=dtype)
        for x in tensor_list
    ]
    made = _assembled(parts, layout)
    if made._value.ragged is not None:
        made = made.map(lambda p: p.detach())
    return made.requires_grad_(requires_grad)  # type: ignore[return-value]


def _assembled(parts: list[Tensor], layout: Any) -> NestedTensor:
    if layout is None or layout is strided:
        return of_parts(parts or [FUNCTIONS["empty"](0)])
    if layout is not jagged:
        raise RuntimeError(f"Specified layout is unsupported for nested tensors: {layout}")
    if not parts:
        raise RuntimeError("Cannot construct a nested tensor from an empty tensor list")
    if len({p.dtype for p in parts}) > 1:
        raise RuntimeError("When constructing a nested tensor, all tensors in list must have the same dtype")
    if len({p.dim() for p in parts}) > 1 or parts[0].dim() == 0:
        raise RuntimeError(
            "When constructing a nested tensor, all tensors in list must have the same dim, and one at least"
        )
    odd = [d for d in range(parts[0].dim()) if len({p.shape[d] for p in parts}) > 1]
    if len(odd) > 1:
        raise RuntimeError("nested_tensor(): components of layout torch.jagged must differ in one dimension only")
    return of_components(parts, odd[0] + 1 if odd else 1)


def as_nested_tensor(ts: Any, dtype: Any = None, device: Any = None, layout: Any = None) -> NestedTensor:
    """A nested tensor of the components, which keeps their history; a nested tensor itself, in another dtype.

    A dense tensor's first dimension becomes the batch.

    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.nested.as_nested_tensor([x, x[:1]], layout=torch.jagged).sum().backward(); x.grad
    tensor([2., 1.])
    """
    if isinstance(ts, NestedTensor):
        return ts if dtype is None or ts.dtype is dtype else ts.map(lambda p: p.to(dtype))
    parts = list(ts.unbind(0)) if isinstance(ts, Tensor) else list(ts)
    if not all(isinstance(p, Tensor) for p in parts):
        raise TypeError("as_nested_tensor(): Expected a list or tuple of tensors")
    return _assembled([p if dtype is None else p.to(dtype) for p in parts], layout)


def nested_tensor_from_jagged(
    values: Tensor, offsets: Tensor | None = None, lengths: Tensor | None = None, jagged_dim: int | None = None,
    min_seqlen: int | None = None, max_seqlen: int | None = None,
) -> NestedTensor:  # fmt: skip
    """A nested tensor of layout jagged that sees the values; component k begins at `offsets[k]`.

    Args:
        values: the components one after another, along dimension `jagged_dim - 1` (0).
        offsets: int64 or int32, one more than there are components; `lengths` alone says as much.
        lengths: with offsets, how long each component is, where holes lie between them.

    Raises RuntimeError where neither is given, or where they do not fit the values.

    >>> torch.nested.nested_tensor_from_jagged(torch.arange(3.), torch.tensor([0, 2, 3])).unbind()
    (tensor([0., 1.]), tensor([2.]))
    """
    if offsets is None:
        if lengths is None:
            raise RuntimeError("nested_tensor_from_jagged(): At least one of offsets or lengths is required.")
        offsets = wrap(np.concatenate([[0], np.cumsum(realize(lengths))]).astype(np.int64))
        lengths = None
    at = 1 if jagged_dim is None else jagged_dim % (values.dim() + 1)
    ragged = Ragged.of(offsets, lengths)
    _check(values, ragged, at)
    return of_values(values, ragged, at)


def _check(values: Tensor, ragged: Ragged, at: int) -> None:
    """Raises RuntimeError where components would lie outside of the values."""
    if at == 0:
        raise RuntimeError("nested_tensor_from_jagged(): the batch dimension cannot be the ragged one")
    n = values.shape[at - 1]
    if ragged.offsets.dim() != 1 or not len(ragged.counts) or len(ragged.starts) != len(ragged.counts):
        raise RuntimeError("nested_tensor_from_jagged(): offsets must be 1-D, with one more than there are components")
    if (ragged.starts < 0).any() or (ragged.counts < 0).any() or (ragged.starts + ragged.counts > n).any():
        raise RuntimeError(f"nested_tensor_from_jagged(): offsets and lengths must lie within the {n} values")


def narrow(tensor: Tensor, dim: int, start: Any, length: Any, layout: Any = strided) -> NestedTensor:
    """For each entry of the batch, its part of `length[k]` elements from `start[k]` on; `dim` must be 1.

    >>> torch.nested.narrow(torch.arange(6).view(2, 3), 1, torch.tensor([0, 1]), torch.tensor([1, 2])).unbind()
    (tensor([0]), tensor([4, 5]))
    """
    if dim != 1:
        raise RuntimeError(f"Input dim must be 1, got {dim}")
    starts, lengths = (_per_component(x, len(tensor)) for x in (start, length))
    parts = [tensor[k].narrow(0, s, n) for k, (s, n) in enumerate(zip(starts, lengths, strict=True))]
    return of_parts(parts) if layout is strided else of_components(parts, 1)


def _per_component(x: Any, count: int) -> Sequence[int]:
    return [int(n) for n in realize(x)] if isinstance(x, Tensor) else [x] * count


def masked_select(tensor: Tensor, mask: Tensor) -> NestedTensor:
    """Of layout jagged: for each row of a matrix, the elements where the mask is true.

    >>> torch.nested.masked_select(torch.arange(4).view(2, 2), torch.tensor([[True, False], [True, True]])).unbind()
    (tensor([0]), tensor([2, 3]))
    """
    if tensor.layout is not strided:
        raise RuntimeError(f"torch.nested.masked_select requires a strided tensor, given {tensor.layout}")
    if mask.layout is not strided:
        raise RuntimeError(f"torch.nested.masked_select requires a strided mask, given: {mask.layout}")
    whole = mask.expand(tensor.shape)
    counts = whole.reshape(len(tensor), -1).sum(1).tolist()
    return of_values(tensor[whole], Ragged.of_counts(counts), 1)


__getattr__ = missing(__name__)
