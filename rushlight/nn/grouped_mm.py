"""`torch.nn.functional.grouped_mm`: matrix products of groups of different sizes, as a mixture of experts has them.

One dimension of a two-dimensional operand is the groups' stretches, one after another, which end at `offs`. Their sizes
are numbers of the program, so `offs` is looked at.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.tensor import Tensor

__all__ = ["grouped_mm"]


def grouped_mm(
    mat_a: Tensor, mat_b: Tensor, *, offs: Tensor | None = None, bias: Tensor | None = None, out_dtype: Any = None
) -> Tensor:
    """The products of each group's matrices.

    Shapes: with G groups, (T, K) and (G, K, N) give (T, N), each group's rows times its matrix; (G, M, K) and (K, T)
    give (M, T); (M, T) and (T, N) give (G, M, N); (G, M, K) and (G, K, N), without `offs`, give (G, M, N). Rows and
    columns behind the last offset are 0.

    Args:
        offs: int32, where each group ends.

    >>> a, b = torch.ones(3, 2), torch.stack([torch.eye(2), 2 * torch.eye(2)])
    >>> torch.nn.functional.grouped_mm(a, b, offs=torch.tensor([1, 3], dtype=torch.int32))
    tensor([[1., 1.],
            [2., 2.],
            [2., 2.]])
    """
    _check(mat_a, mat_b, offs, bias, out_dtype)
    if offs is None:
        return rushlight.bmm(mat_a, mat_b)
    sizes = _sizes(offs, mat_a.shape[0] if mat_b.dim() == 3 else mat_b.shape[-1] if mat_a.dim() == 3 else len(mat_b))
    left = _parts(mat_a, sizes, dim=1 if mat_b.dim() == 2 else 0)
    right = _parts(mat_b, sizes, dim=0 if mat_a.dim() == 2 else 1)
    products = [a @ b for a, b in zip(left, right, strict=True)]
    if mat_a.dim() == mat_b.dim() == 2:
        return rushlight.stack(products)
    dim = 0 if mat_a.dim() == 2 else 1
    shape = list(products[0].shape)
    shape[dim] = (mat_a if dim == 0 else mat_b).shape[dim] - sum(sizes)
    return rushlight.cat([*products, products[0].new_zeros(shape)], dim)


def _check(a: Tensor, b: Tensor, offs: Tensor | None, bias: Tensor | None, out_dtype: Any) -> None:
    if a.dim() not in (2, 3) or b.dim() not in (2, 3):
        raise RuntimeError(f"mat_a and mat_b have to be 2 or 3 dimensional tensors, got {a.dim()} and {b.dim()}")
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError("contraction dimension of mat_a and mat_b must match")
    if (offs is None) == (a.dim() == 2 or b.dim() == 2):
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    groups = [len(t) for t in (a, b, offs) if t is not None and (t.dim() == 3 or t is offs)]
    if len(set(groups)) > 1:
        raise RuntimeError("matrix batch sizes have to match")
    if offs is not None and offs.dtype != rushlight.int32:
        raise RuntimeError("Offsets have to be int32")
    if out_dtype not in (None, a.dtype):
        raise RuntimeError("Grouped gemm output dtype must match `mat_a` dtype")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")


def _sizes(offs: Tensor, length: int) -> list[int]:
    ends = offs.tolist()
    sizes = [end - start for start, end in zip([0, *ends], ends)]
    if min(sizes, default=0) < 0 or (ends and ends[-1] > length):
        raise RuntimeError(f"offsets {ends} do not cut a dimension of size {length} into groups")
    return sizes


def _parts(t: Tensor, sizes: list[int], dim: int) -> tuple[Tensor, ...]:
    """The groups' matrices: of three dimensions one by one, of two cut along `dim`."""
    return t.unbind(0) if t.dim() == 3 else t.narrow(dim, 0, sum(sizes)).split(sizes, dim)  # type: ignore[no-any-return]
