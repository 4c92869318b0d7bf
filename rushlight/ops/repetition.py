"""The same elements again or in other places: `repeat`, `tile`, `repeat_interleave`, `flip`, `roll`, `rot90`, grids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core import strided
from rushlight.core.size import Size
from rushlight.core.strided import contiguous_strides, normalize_dim, normalize_dims
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .creation import integers_of, wrap
from .joining import stack
from .public import public, require_tensor
from .rules import fresh, in_format_of
from .slices import index_select
from .view import EXPAND, look_at


def _ints(args: tuple[Any, ...]) -> tuple[int, ...]:
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    return integers_of(args, "repeats")


# ---------------------------------------------------------------------------------------------------------------------
# repeat


def _repeat_spec(x: Spec, *, repeats: tuple[int, ...]) -> Spec:
    if len(repeats) < x.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    found = tuple(n * r for n, r in zip(shape, repeats, strict=True))
    if any(r < 0 for r in repeats):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(found)}: {list(found)}")
    return spec_of(found, x.dtype)


def _repeat_gradient(g: Tensor, x_spec: Spec, repeats: tuple[int, ...]) -> Tensor:
    """The sum over the copies: each repeated dimension taken apart into (copies, size)."""
    lead = len(repeats) - x_spec.ndim
    shape = (1,) * lead + x_spec.shape
    parts = tuple(n for pair in zip(repeats, shape, strict=True) for n in pair)
    copies = tuple(2 * d for d in range(len(repeats)))
    return g.reshape(parts).sum(copies).reshape(x_spec.shape) if copies else g


REPEAT = operation("repeat", _repeat_spec, lambda x, *, repeats: np.tile(x, repeats), exact=True, aliases=False)
REPEAT.gradient(x=_repeat_gradient)


@public(function=False)
def repeat(input: Tensor, *sizes: Any, repeats: Any = None) -> Tensor:
    """The tensor copied side by side, `repeats` times along each dimension; new dimensions come first.

    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    if repeats is None and not sizes:
        raise TypeError('repeat() missing 1 required positional arguments: "repeats"')
    return apply(REPEAT, (input,), (_ints(sizes if repeats is None else (repeats,)),))


@public()
def tile(input: Tensor, *sizes: Any, dims: Any = None) -> Tensor:
    """`repeat`, where missing repetitions in front count as 1."""
    repeats = _ints(sizes if dims is None else (dims,))
    return apply(REPEAT, (input,), ((1,) * (settle(input).spec.ndim - len(repeats)) + repeats,))


def _check_repeats(repeats: Tensor, n: int, dim: int) -> np.ndarray:
    counts = realize(repeats)
    kind = settle(repeats).spec.dtype
    if kind not in (dtypes.int32, dtypes.int64):
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{kind.scalar_name}'")
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeats can not be negative")
    counts = counts.reshape(-1)
    if counts.size not in (1, n):
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {counts.size} and "
            f"input.size({dim}) = {n}"
        )
    return np.broadcast_to(counts, (n,))


@public()
def repeat_interleave(
    input: Tensor | None = None, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (slice along `dim`) `repeats` times, one after the other; without `dim`, of the flat tensor.

    With a tensor alone, the positions k repeated input[k] times.

    >>> torch.tensor([1, 2]).repeat_interleave(2)
    tensor([1, 1, 2, 2])
    """
    if input is None or repeats is None:
        given = require_tensor(repeats if input is None else input, "repeat_interleave")
        return _repeated_positions(given, output_size)
    t = input.reshape(-1) if dim is None else input
    spec = settle(t).spec
    at = normalize_dim(0 if dim is None else dim, spec.ndim)
    if not isinstance(repeats, Tensor):
        return _interleaved(t, int(repeats), at, output_size)
    n = spec.shape[at] if spec.ndim else 1
    counts = _check_repeats(repeats, n, at)
    _check_output(int(counts.sum()), output_size)
    return index_select(t, at, wrap(np.repeat(np.arange(n), counts)))


def _repeated_positions(repeats: Tensor, output_size: int | None) -> Tensor:
    if settle(repeats).spec.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    counts = _check_repeats(repeats, repeats.numel(), 0)
    _check_output(int(counts.sum()), output_size)
    return wrap(np.repeat(np.arange(counts.size, dtype=realize(repeats).dtype), counts))


def _check_output(found: int, wanted: int | None) -> None:
    if wanted is not None and found != wanted:
        raise RuntimeError(f"repeat_interleave: Invalid output_size, expected {found} but got {wanted}")


def _interleaved_spec(x: Spec, *, repeats: int, dim: int) -> Spec:
    shape = x.shape or (1,)
    return spec_of((*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :]), x.dtype)


def _not_interleaved(g: Tensor, x_spec: Spec, repeats: int, dim: int) -> Tensor:
    shape = x_spec.shape or (1,)
    return g.reshape(*shape[: dim + 1], repeats, *shape[dim + 1 :]).sum(dim + 1).reshape(x_spec.shape)


INTERLEAVE = operation(
    "repeat_interleave",
    _interleaved_spec,
    lambda x, *, repeats, dim: np.repeat(x, repeats, dim if x.ndim else None),
    node="ViewBackward0",  # PyTorch makes it of expand, clone and flatten
    exact=True,
    aliases=False,
)
INTERLEAVE.gradient(x=_not_interleaved)


def _interleaved(t: Tensor, repeats: int, dim: int, output_size: int | None) -> Tensor:
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    shape = settle(t).spec.shape or (1,)
    _check_output(shape[dim] * repeats, output_size)
    return apply(INTERLEAVE, (t,), (repeats, dim))


# ---------------------------------------------------------------------------------------------------------------------
# flip, roll, rot90

FLIP = operation(
    "flip", lambda x, *, dims: fresh(x), lambda x, *, dims: np.flip(x, dims).copy(), exact=True, aliases=False
)
FLIP.gradient(x=lambda g, dims: apply(FLIP, (g,), (dims,)))


@public()
def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """The order of the elements along `dims` reversed (a copy).

    >>> torch.tensor([1, 2, 3]).flip(0)
    tensor([3, 2, 1])
    """
    n = settle(input).spec.ndim
    found = tuple(normalize_dims(_ints(axes if dims is None else (dims,)), n))
    return apply(FLIP, (input,), (found if n else (),))


@public()
def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order (dimension 1)."""
    if settle(input).spec.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


@public()
def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order (dimension 0)."""
    if settle(input).spec.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


ROLL = operation(
    "roll",
    lambda x, *, shifts, dims: in_format_of(x, shape=x.shape),
    lambda x, *, shifts, dims: np.roll(x, shifts, dims),
    exact=True,
    aliases=False,
)
ROLL.gradient(x=lambda g, shifts, dims: apply(ROLL, (g,), (_negative(shifts), dims)))


def _negative(shifts: Any) -> Any:
    return -shifts if isinstance(shifts, int) else tuple(-s for s in shifts)


@public()
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """The elements moved by `shifts` along `dims`, those that leave at the end coming back in front.

    >>> torch.tensor([1, 2, 3]).roll(1)
    tensor([3, 1, 2])
    """
    by, along = _ints((shifts,)), () if dims is None else _ints((dims,))
    if not by:
        raise RuntimeError("`shifts` required")
    if not along and len(by) == 1:
        return apply(ROLL, (input,), (by[0], None))
    if len(by) != len(along):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(along)}")
    n = settle(input).spec.ndim
    return apply(ROLL, (input,), (by, tuple(normalize_dim(d, n) for d in along)))


def _rot90_spec(x: Spec, *, k: int, dims: tuple[int, int]) -> Spec:
    shape, strides = list(x.shape), list(contiguous_strides(x.shape))
    if k % 2:
        for sizes in (shape, strides):
            sizes[dims[0]], sizes[dims[1]] = sizes[dims[1]], sizes[dims[0]]
    return spec_of(tuple(shape), x.dtype, tuple(strides))


def _turned(x: np.ndarray, *, k: int, dims: tuple[int, int]) -> np.ndarray:
    """Laid out as the Spec says: a quarter turn is a line turned over, and the strides exchanged."""
    if k % 2 == 0:
        return np.flip(x, dims).copy() if k else x.copy()
    return np.flip(x, dims[1] if k == 1 else dims[0]).copy().swapaxes(*dims)


ROT90 = operation("rot90", _rot90_spec, _turned, exact=True, aliases=False, node="Rot90Backward0")
ROT90.gradient(x=lambda g, k, dims: apply(ROT90, (g,), (-k % 4, dims)))


@public()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The plane of `dims` turned by `k` times 90 degrees, from the first towards the second.

    >>> torch.tensor([[1, 2], [3, 4]]).rot90()
    tensor([[2, 4],
            [1, 3]])
    """
    n = settle(input).spec.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if n < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {n}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == n:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    return apply(ROT90, (input,), (k % 4, (normalize_dim(dims[0], n), normalize_dim(dims[1], n))))


# ---------------------------------------------------------------------------------------------------------------------
# Broadcasting, grids, combinations


@public(method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape, as views."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shape = strided.broadcast_shapes(*[settle(t).spec.shape for t in given])
    return tuple(look_at(t, EXPAND, (shape,)) for t in given)


@public(method=False)
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes (sequences of sizes, or numbers) broadcast to.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    return Size(strided.broadcast_shapes(*[(s,) if isinstance(s, int) else tuple(s) for s in shapes]))


@public(method=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of coordinates: tensor k varies along dimension k (with "xy", the first two are exchanged).

    >>> torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4]), indexing="ij")[0]
    tensor([[1, 1],
            [2, 2]])
    """
    given = list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else list(tensors)
    if indexing is None:
        _warn_indexing()
        indexing = "ij"
    _check_grid(given, indexing)
    swap = indexing == "xy" and len(given) >= 2
    if swap:
        given[0], given[1] = given[1], given[0]
    sizes = tuple(settle(t).spec.numel for t in given)
    grids = []
    for d, t in enumerate(given):
        line = t.reshape(tuple(sizes[d] if k == d else 1 for k in range(len(sizes))))
        grids.append(look_at(line, EXPAND, (sizes,)))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _warn_indexing() -> None:
    import warnings

    warnings.warn(
        "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.",
        UserWarning,
        stacklevel=3,
    )


def _check_grid(tensors: list[Tensor], indexing: str) -> None:
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    first = settle(tensors[0]).spec
    for t in tensors:
        spec = settle(t).spec
        if spec.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {_shown(t)}")
        if spec.dtype is not first.dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')


def _shown(t: Tensor) -> str:
    return f"a tensor of shape {list(settle(t).spec.shape)}"


@public(method=False)
def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one element of each vector, a row each."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    for t in given:
        if settle(t).spec.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(settle(t).spec.shape)}")
    if len(given) == 1:
        return given[0]
    return stack([g.flatten() for g in meshgrid(*given, indexing="ij")], 1)


def _chosen(n: int, r: int, with_replacement: bool) -> list[np.ndarray]:
    """The positions of all combinations, one array for each of the r places."""
    if r == 2:
        return list(np.triu_indices(n, int(not with_replacement)))
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return [column.copy() for column in np.array(list(pick(range(n), r)), "int64").reshape(-1, r).T]


@public()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to choose `r` elements of a vector in its order, a row each.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    spec = settle(input).spec
    if spec.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(spec.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        from .creation import constant

        return constant((0,), 0, spec.dtype)
    return stack([index_select(input, 0, wrap(column)) for column in _chosen(spec.numel, r, with_replacement)], 1)
