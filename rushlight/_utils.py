"""torch._utils: what programs borrow from PyTorch's own workshop: several tensors as one, and back."""

from __future__ import annotations

from collections.abc import Sequence

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of the tensors, in order, as one tensor of one dimension."""
    return rushlight.cat([t.contiguous().view(-1) for t in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The flat tensor cut into views of the shapes of `tensors`.

    >>> from rushlight._utils import _unflatten_dense_tensors
    >>> [t.shape for t in _unflatten_dense_tensors(torch.ones(5), [torch.ones(1), torch.ones(2, 2)])]
    [torch.Size([1]), torch.Size([2, 2])]
    """
    parts = flat.split([t.numel() for t in tensors])
    return tuple(part.view(t.shape) for part, t in zip(parts, tensors))


__getattr__ = missing(__name__)
