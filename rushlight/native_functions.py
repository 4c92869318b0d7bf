"""The functions of `torch` that are PyTorch's kernels under their own signatures: `torch.native_layer_norm`,
`torch.embedding_bag`, `torch.kl_div` and the like.

They take numbers where `torch.nn.functional` takes names (`mode=1`, `reduction=1`), and give what the backward pass
saves beside the result. Each calls the function of `torch.nn.functional` that does the same; what it gives besides is
computed here, outside the tape as it is in PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.autograd.grad_mode import no_grad
from rushlight.core.dtype import float32, get_default_dtype
from rushlight.nn import functional as F
from rushlight.ops.creation import wrap
from rushlight.ops.embedding import _limit_norms
from rushlight.record.trace import realize
from rushlight.tensor import FUNCTIONS, SPACES, Tensor

__all__ = [
    "affine_grid_generator", "embedding_bag", "embedding_renorm_", "empty_permuted", "from_file", "hash_tensor",
    "kl_div", "native_batch_norm", "native_group_norm", "native_layer_norm", "norm_except_dim",
]  # fmt: skip

Three = tuple[Tensor, Tensor, Tensor]
BAGS = ("sum", "mean", "max")


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """`torch.nn.functional.kl_div`; `reduction` is 0 for none, 1 for the mean and 2 for the sum.

    >>> torch.kl_div(torch.zeros(2), torch.ones(2), 2)
    tensor(0.)
    """
    losses = F.kl_div(input, target, reduction="none", log_target=log_target)
    return losses if reduction == 0 else losses.sum() if reduction == 2 else losses.mean()


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """`torch.nn.functional.affine_grid`."""
    return F.affine_grid(theta, size, align_corners)


# ---------------------------------------------------------------------------------------------------------------------
# Normalisation: the result, the means and one over the standard deviations


@no_grad()
def _statistics(x: Tensor, dims: Sequence[int], eps: float, keepdim: bool) -> tuple[Tensor, Tensor]:
    variance, mean = FUNCTIONS["var_mean"](x, dims, correction=0, keepdim=keepdim)
    return mean, (variance + eps).rsqrt()


def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Three:
    """`torch.nn.functional.layer_norm`, the means and one over the standard deviations, their dimensions kept.

    >>> torch.native_layer_norm(torch.tensor([1., 3.]), (2,), None, None, 0.0)
    (tensor([-1.,  1.]), tensor([2.]), tensor([1.]))
    """
    dims = [-1 - k for k in range(len(normalized_shape))]
    return F.layer_norm(input, normalized_shape, weight, bias, eps), *_statistics(input, dims, eps, True)


def native_group_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int,
                      eps: float) -> Three:  # fmt: skip
    """`torch.nn.functional.group_norm`, the means and one over the standard deviations, (N, group) each."""
    grouped = input.reshape(N, group, C // group * HxW)
    return FUNCTIONS["group_norm"](input, group, weight, bias, eps), *_statistics(grouped, [2], eps, False)


def native_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
                      running_var: Tensor | None, training: bool, momentum: float, eps: float) -> Three:  # fmt: skip
    """`torch.nn.functional.batch_norm`, and in training the channels' means and one over their standard deviations."""
    found = FUNCTIONS["batch_norm"](input, weight, bias, running_mean, running_var, training, momentum, eps)
    if not training:
        return found, input.new_empty(0), input.new_empty(0)
    dims = [d for d in range(input.dim()) if d != 1]
    return found, *_statistics(input, dims, eps, False)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The `pow`-norm over all dimensions but the first or the last (which are kept), over all for `dim` -1.

    >>> torch.norm_except_dim(torch.tensor([[3., 4.], [6., 8.]]))
    tensor([[ 5.],
            [10.]])
    """
    if dim == -1:
        return FUNCTIONS["norm"](v, pow)
    rest = [d for d in range(v.dim()) if d != dim]
    return SPACES["linalg"]["vector_norm"](v, pow, rest, True) if rest else v.abs()


# ---------------------------------------------------------------------------------------------------------------------
# Pooling: under `torch.ops.aten` only


def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`torch.nn.functional.max_pool2d`, and where in its plane each maximum stands."""
    stride = stride if isinstance(stride, int) else tuple(stride) or None
    found = F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True)
    return found  # type: ignore[return-value]


def max_pool2d_with_indices_backward(grad_output: Tensor, input: Tensor, kernel_size: Any, stride: Any, padding: Any,
                                     dilation: Any, ceil_mode: bool, indices: Tensor) -> Tensor:  # fmt: skip
    """The gradient of `max_pool2d_with_indices`: each window's, added where its maximum stands."""
    if tuple(indices.shape) != tuple(grad_output.shape):
        raise RuntimeError(
            f"Expected a tensor of dimension and sizes {tuple(grad_output.shape)}, but got indices of "
            f"{tuple(indices.shape)}"
        )
    planes = FUNCTIONS["zeros"]((*input.shape[:-2], input.shape[-2] * input.shape[-1]), dtype=grad_output.dtype)
    return planes.scatter_add(-1, indices.flatten(-2), grad_output.flatten(-2)).reshape(input.shape)


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scales the rows that `indices` names down to a norm of at most `max_norm`, in place.

    >>> torch.embedding_renorm_(torch.tensor([[3., 4.], [6., 8.]]), torch.tensor([0]), 1.0, 2.0)
    tensor([[0.6000, 0.8000],
            [6.0000, 8.0000]])
    """
    _limit_norms(input, indices, max_norm, norm_type)
    return input


def embedding_bag(weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
                  sparse: bool = False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """`torch.nn.functional.embedding_bag`, and the bag of each index, the bags' sizes, and what the maximum came from.

    `mode` is 0 for sums, 1 for means, 2 for maxima. As in PyTorch, the three are only made where the mode needs them:
    for sums without `padding_idx` they are empty or 0; the last one is that of a maximum.
    """
    found = F.embedding_bag(
        indices, weight, offsets, mode=BAGS[mode], scale_grad_by_freq=scale_grad_by_freq, sparse=sparse,
        per_sample_weights=per_sample_weights, include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    return found, *_bags(realize(weight), realize(indices), realize(offsets), mode, include_last_offset, padding_idx)


def _bags(table: Any, indices: Any, offsets: Any, mode: int, include_last: bool, padding: int | None) -> Three:
    count = len(offsets) - 1 if include_last else len(offsets)
    if mode == 0 and padding is None:
        return tuple(wrap(np.zeros(n, indices.dtype)) for n in (0, count, count))  # type: ignore[return-value]
    bag = np.searchsorted(offsets[:count], np.arange(len(indices)), side="right") - 1
    kept = indices != (-1 if padding is None else padding % len(table))
    sizes = np.bincount(bag[kept], minlength=count).astype(indices.dtype)
    largest = sizes if mode != 2 else np.zeros((count, table.shape[1]), indices.dtype)
    if mode == 2:
        for k in np.flatnonzero(sizes):
            rows = indices[(bag == k) & kept]
            largest[k] = rows[table[rows].argmax(0)]
    return wrap(bag.astype(indices.dtype)), wrap(sizes), wrap(np.array(largest))


# ---------------------------------------------------------------------------------------------------------------------
# Memory


def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: Any) -> Tensor:
    """A tensor of that shape whose dimensions lie in memory in the order `physical_layout`, outermost first.

    >>> torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride()
    (3, 1, 6)
    """
    rank = len(size)
    if len(physical_layout) != rank:
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{rank} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    for i, d in enumerate(physical_layout):
        if not 0 <= d < rank:
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {rank - 1}, but got {d} at index {i}).  NB: "
                "negative dims not currently supported; file an issue if you want it."
            )
        if d in physical_layout[:i]:
            raise RuntimeError("Duplicate dim not allowed")
    strides, step = [0] * rank, 1
    for d in reversed(physical_layout):
        strides[d], step = step, step * size[d]
    return FUNCTIONS["empty_strided"](size, strides, **options)  # type: ignore[no-any-return]


def from_file(filename: str | os.PathLike[str], shared: bool | None = None, size: int | None = 0, *, dtype: Any = None,
              layout: Any = None, device: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """The first `size` elements of a file, mapped into memory.

    Writing to them changes the file where it is `shared`, which also makes the file, and makes it long enough. Raises
    RuntimeError for a file that cannot be opened, or is too short.
    """
    kind = (dtype or get_default_dtype()).numpy
    if shared:
        mode: Any = "r+" if os.path.exists(filename) else "w+"
        return FUNCTIONS["from_numpy"](np.memmap(filename, kind, mode, shape=(size or 0,)).view(np.ndarray))
    try:
        length = os.stat(filename).st_size
    except OSError as error:
        raise RuntimeError(
            f"unable to open file <{os.fspath(filename)}> in read-only mode: {error.strerror} ({error.errno})"
        ) from None
    needed = (size or 0) * kind.itemsize
    if length < needed:
        raise RuntimeError(
            f"file <{os.fspath(filename)}> size <{length}> is smaller than the required mapping size <{needed}>"
        )
    return wrap(np.memmap(filename, kind, "c", shape=(size,)).view(np.ndarray) if size else np.empty(0, kind))


def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """The exclusive or of the elements' bits, as uint64: floating-point numbers as float64, others as int64.

    >>> torch.hash_tensor(torch.tensor([1, 2, 4])).item()
    7
    """
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    numbers = realize(input)
    if input.is_complex():
        raise RuntimeError("hash_tensor is not supported for complex tensors")
    wide = realize(input.double()) if input.is_floating_point() else numbers.astype(np.int64)
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    reduce: Any = np.bitwise_xor.reduce
    found = reduce(wide.view(np.uint64), axis=axes or None, keepdims=keepdim)
    return wrap(np.array(found))


# ---- kernels that only `torch.ops.aten` names


def _to_copy(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: Any = None,
             non_blocking: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """A copy, of another dtype if one is given."""
    return input.to(device, dtype, copy=True, memory_format=memory_format)


def alias(input: Tensor) -> Tensor:
    """A view of all of the tensor."""
    return input.view(input.shape)


def _pin_memory(input: Tensor, device: Any = None) -> Tensor:
    """`Tensor.pin_memory`."""
    return input.pin_memory(device)


def index(input: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """`input[indices]`, where None stands for a whole dimension."""
    return input[tuple(slice(None) if i is None else i for i in indices)]


def _softmax(input: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    """`torch.softmax`, with the result as float32 if `half_to_float`."""
    return F.softmax(input, dim, dtype=float32 if half_to_float else None)


def _log_softmax(input: Tensor, dim: int, half_to_float: bool = False) -> Tensor:
    """`torch.log_softmax`, with the result as float32 if `half_to_float`."""
    return F.log_softmax(input, dim, dtype=float32 if half_to_float else None)


def _sparse_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`torch.sparse.addmm`."""
    from rushlight.sparse import addmm

    return addmm(input, mat1, mat2, beta=beta, alpha=alpha)
