"""Sparse tensors from their parts, from dense tensors, and from one another.

PyTorch checks the parts only where `check_sparse_tensor_invariants` or `check_invariants=True` ask for it; a position
outside is found here when the tensor is used, and raises an error then.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from rushlight.core import layout as layouts
from rushlight.core.dtype import get_default_dtype, int32, int64
from rushlight.core.layout import layout
from rushlight.ops.creation import cast, check_device, size_of, wrap
from rushlight.ops.view import ALIAS, look_at, view_like
from rushlight.record.trace import realize, recorder, settle
from rushlight.record.value import Tensor
from rushlight.tensor.construct import as_tensor

from .compressed import CompressedTensor, compressed
from .coo import CooTensor, check_positions, coo, emptied

_AS_VALUES = view_like(ALIAS, "values_of_sparse", "SparseCooTensorWithDimsAndTensorsBackward0")

_AS_LISTED = view_like(ALIAS, "listed_of_dense", "ToSparseBackward1")


class _Checking(threading.local):
    on = False


checking = _Checking()


def _checked(t: Any, wanted: bool | None) -> Any:
    if checking.on if wanted is None else wanted:
        (check_positions if isinstance(t, CooTensor) else _check_compressed)(t)
    return t


def _values(data: Any, dtype: Any, requires_grad: bool) -> Tensor:
    """The values as a tensor of the sparse one's own: apart from a leaf, and from memory that NumPy code can reach."""
    t = as_tensor(data)
    if settle(t).exposure is not None:
        t = wrap(np.array(realize(t)))
    t = t if dtype is None else cast(t, dtype)
    if requires_grad:
        return t.detach().requires_grad_()
    if not recorder().tracking:
        return t.detach()
    return look_at(t, _AS_VALUES, ()) if t.requires_grad else t


def _indices(data: Any, keep_int32: bool = False) -> Tensor:
    t = as_tensor(data).detach()
    if settle(t).exposure is not None:
        t = wrap(np.array(realize(t)))
    return t if keep_int32 and t.dtype is int32 else cast(t, int64)


# ---------------------------------------------------------------------------------------------------------------------
# sparse_coo


def sparse_coo_tensor(*args: Any, indices: Any = None, values: Any = None, size: Any = None, dtype: Any = None,
                      device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
                      check_invariants: bool | None = None, is_coalesced: bool | None = None,
                      layout: Any = None) -> Tensor:  # fmt: skip
    """A sparse tensor that has `values` (elements x dense dimensions) at `indices` (sparse dimensions x elements).

    Positions may repeat. Without `size` the tensor is as large as its positions need; a size alone makes a tensor
    without elements. (https://pytorch.org/docs/stable/generated/torch.sparse_coo_tensor.html)

    >>> torch.sparse_coo_tensor([[0, 1], [2, 0]], [3., 4.], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    if device is not None:
        check_device(device)
    given = {name: x for name, x in (("indices", indices), ("values", values), ("size", size)) if x is not None}
    if len(args) == 1 and "values" not in given or not args and set(given) == {"size"}:
        return without_elements(size_of((args[0] if args else size,)), layouts.sparse_coo, dtype, requires_grad)
    given.update(zip(("indices", "values", "size"), args))
    if "indices" not in given or "values" not in given:
        raise TypeError("sparse_coo_tensor() needs indices and values, or a size")
    positions, elements = _indices(given["indices"]), _values(given["values"], dtype, requires_grad)
    shape = _fitting_size(positions, elements, given.get("size"))
    return _checked(coo(positions, elements, shape, bool(is_coalesced)), check_invariants)  # type: ignore[no-any-return]


def without_elements(shape: tuple[int, ...], kind: layout, dtype: Any, requires_grad: bool = False) -> Tensor:
    """A sparse tensor without elements: what `torch.zeros(..., layout=...)` makes."""
    made = emptied(shape, len(shape), dtype or get_default_dtype(), np.dtype("int64"))
    found = converted(made, kind, None)
    return found.requires_grad_() if requires_grad else found


def _fitting_size(positions: Tensor, elements: Tensor, size: Any) -> tuple[int, ...]:
    """The size, given or as large as the positions need; RuntimeError where the parts do not fit together."""
    at, own = tuple(positions.shape), tuple(elements.shape)
    if size is not None:
        shape = size_of((size,))
        sparse, dense = at[0] if at else 0, max(len(own) - 1, 0)
        if len(shape) != sparse + dense:
            raise RuntimeError(
                f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = "
                f"{sparse}, dense_dim = {dense}"
            )
    if len(at) != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(at)}")
    if at[1] != (own[0] if own else 1):
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {at[1]}, nnz from values: "
            f"{own[0] if own else 1}"
        )
    if size is not None:
        return shape
    numbers = realize(positions)
    if not at[1] and at[0]:
        return (0,) * at[0] + own[1:]
    for d, least in enumerate(numbers.min(1).tolist()):
        if least < 0:
            raise RuntimeError(f"found negative index {least} for dim {d}")
    return (*[n + 1 for n in numbers.max(1).tolist()], *own[1:])


# ---------------------------------------------------------------------------------------------------------------------
# Compressed layouts


def sparse_compressed_tensor(compressed_indices: Any, plain_indices: Any, values: Any, size: Any = None, *,
                             dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
                             requires_grad: bool = False, check_invariants: bool | None = None) -> Tensor:  # fmt: skip
    """A matrix of a compressed layout: where each row (column) begins, the columns (rows) of the elements, and these.

    (https://pytorch.org/docs/stable/generated/torch.sparse_compressed_tensor.html)
    """
    if layout is None or layout.name not in ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"):
        raise RuntimeError(f"sparse_compressed_tensor expected compressed layout but got {layout}")
    if device is not None:
        check_device(device)
    starts, others = _indices(compressed_indices, True), _indices(plain_indices, True)
    elements = _values(values, dtype, requires_grad)
    if starts.dim() != 1 or others.dim() != 1:
        raise NotImplementedError(f"batches of matrices of layout {layout}")
    shape = size_of((size,)) if size is not None else _implied_size(layout, starts, others, elements)
    if len(shape) != 2:
        raise NotImplementedError(f"a tensor of layout {layout} with dense dimensions, or of {len(shape)} dimensions")
    return _checked(compressed(layout, starts, others, elements, shape), check_invariants)  # type: ignore[no-any-return]


def _implied_size(kind: layout, starts: Tensor, others: Tensor, values: Tensor) -> tuple[int, ...]:
    found = realize(others)
    counts = starts.shape[0] - 1, int(found.max()) + 1 if found.size else 0
    by_rows = kind in (layouts.sparse_csr, layouts.sparse_bsr)
    rows, columns = counts if by_rows else counts[::-1]
    high, wide = values.shape[1:3] if kind in (layouts.sparse_bsr, layouts.sparse_bsc) else (1, 1)
    return rows * high, columns * wide


def _compressing(kind: layout, first: str, second: str) -> Any:
    def make(*args: Any, **options: Any) -> Tensor:
        names = {first: "compressed_indices", second: "plain_indices"}
        return sparse_compressed_tensor(*args, **{names.get(k, k): x for k, x in options.items()} | {"layout": kind})

    make.__name__ = make.__qualname__ = f"{kind.name}_tensor"
    make.__doc__ = f"`torch.sparse_compressed_tensor` of layout torch.{kind.name}."
    return make


sparse_csr_tensor = _compressing(layouts.sparse_csr, "crow_indices", "col_indices")
sparse_csc_tensor = _compressing(layouts.sparse_csc, "ccol_indices", "row_indices")
sparse_bsr_tensor = _compressing(layouts.sparse_bsr, "crow_indices", "col_indices")
sparse_bsc_tensor = _compressing(layouts.sparse_bsc, "ccol_indices", "row_indices")


def _check_compressed(t: CompressedTensor) -> None:
    """Raises RuntimeError unless the parts of a compressed matrix fit together."""
    starts, others = map(realize, t._value.where)
    values, (rows, columns) = t._value.values, t.shape
    high, wide = values.shape[1:3] if t.in_blocks else (1, 1)
    lines, places = (rows // high, columns // wide) if t.by_rows else (columns // wide, rows // high)
    named = ("crow_indices", "col_indices") if t.by_rows else ("ccol_indices", "row_indices")
    if len(starts) != lines + 1:
        raise RuntimeError(f"{named[0]}.shape[-1] must be equal to the number of compressed dimensions plus one "
                           f"(={lines + 1}), but got {len(starts)}")  # fmt: skip
    if len(others) != values.shape[0]:
        raise RuntimeError(f"number of non-zero elements in {named[1]} ({len(others)}) and values "
                           f"({values.shape[0]}) must be equal")  # fmt: skip
    counts = np.diff(starts)
    if starts[0] != 0 or starts[-1] != len(others):
        raise RuntimeError(f"`{named[0]}[..., 0] == 0` and `{named[0]}[..., -1] == nnz` are not satisfied.")
    if ((counts < 0) | (counts > places)).any():
        raise RuntimeError(
            f"`0 <= {named[0]}[..., 1:] - {named[0]}[..., :-1] <= {places}` is not satisfied."
        )
    if others.size and not 0 <= others.min() <= others.max() < places:
        raise RuntimeError(f"`0 <= {named[1]} < {places}` is not satisfied.")
    line = np.repeat(np.arange(lines), counts)
    if ((np.diff(others) <= 0) & (np.diff(line) == 0)).any():
        raise RuntimeError(
            f"`{named[1]}[..., {named[0]}[..., i - 1]:{named[0]}[..., i]] are sorted and distinct for all i` is not "
            "satisfied."
        )


# ---------------------------------------------------------------------------------------------------------------------
# From one layout to another


def to_sparse(dense: Tensor, sparse_dim: int | None = None, kind: Any = None, blocksize: Any = None) -> Tensor:
    """The elements of a dense tensor that are not zero, in a sparse layout."""
    if kind is not None and kind.name in ("sparse_bsr", "sparse_bsc"):
        return _in_blocks(dense, kind, blocksize)
    count = dense.dim()
    chosen = count if sparse_dim is None else sparse_dim
    if not (0 < chosen <= count or chosen == count == 0):
        raise RuntimeError(
            f"dense_to_sparse: sparse_dim argument must be in [0,{count}] range, but {sparse_dim} is given"
            if chosen else "dense_to_sparse: sparse_dim argument must be >0 when dimensionality of the input is >0"
        )  # fmt: skip
    shape = tuple(dense.shape)
    there = realize(dense) != 0
    there = there.reshape(*shape[:chosen], -1).any(-1) if chosen < count else there
    flat = np.flatnonzero(there)
    where = np.unravel_index(flat, shape[:chosen]) if chosen else ()
    positions = np.array(where, "int64").reshape(chosen, len(flat))
    values = dense.reshape(-1, *shape[chosen:]).index_select(0, wrap(flat))
    if values.requires_grad:
        values = look_at(values, _AS_LISTED, ())
    made = coo(wrap(positions), values, shape, True)
    if values.requires_grad and len(shape) == 2 and chosen == 2:
        made._value.origin = dense
    return converted(made, kind or layouts.sparse_coo, None)


def _in_blocks(dense: Tensor, kind: layout, blocksize: Any) -> Tensor:
    if blocksize is None:
        raise RuntimeError(f"to_sparse for Strided to {kind.name} conversion needs a blocksize")
    high, wide = blocksize
    rows, columns = dense.shape
    if rows % high or columns % wide:
        raise RuntimeError(
            f"tensor sparse size ({rows},{columns}) must be divisible by given blocksize ({high},{wide})"
        )
    blocks = dense.reshape(rows // high, high, columns // wide, wide).permute(0, 2, 1, 3)
    there = (realize(blocks) != 0).any((2, 3))
    by_rows = kind is layouts.sparse_bsr
    line, place = np.nonzero(there if by_rows else there.T)
    flat = line * there.shape[1] + place if by_rows else place * there.shape[1] + line
    values = blocks.reshape(-1, high, wide).index_select(0, wrap(flat))
    starts = _starts(line, there.shape[0 if by_rows else 1])
    return compressed(kind, wrap(starts), wrap(place.astype("int64")), values, (rows, columns))


def _starts(lines: np.ndarray, count: int) -> np.ndarray:
    """Where each line begins in the list of elements, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(np.bincount(lines, minlength=count)))).astype("int64")


def converted(t: Any, kind: layout, blocksize: Any) -> Tensor:
    """A sparse tensor in another sparse layout; itself where it has that already."""
    if kind is t.layout:
        return t  # type: ignore[no-any-return]
    if kind is layouts.strided:
        return t.to_dense()  # type: ignore[no-any-return]
    found: CooTensor = t.to_coo() if isinstance(t, CompressedTensor) else t
    if kind is layouts.sparse_coo:
        return found
    if kind in (layouts.sparse_bsr, layouts.sparse_bsc):
        return _in_blocks(found.to_dense(), kind, blocksize)
    if found.sparse_dim() != 2 or found.dense_dim():
        raise NotImplementedError(f"a tensor of layout {kind} of {found.dim()} dimensions, or with dense ones")
    found = found.coalesce()
    rows, columns = realize(found._indices())
    if kind is layouts.sparse_csr:
        made = compressed(kind, wrap(_starts(rows, t.shape[0])), found._indices()[1], found._value.values, t.shape)
    else:
        order = np.lexsort((rows, columns))
        values = found._value.values.index_select(0, wrap(order))
        made = compressed(kind, wrap(_starts(columns, t.shape[1])), wrap(rows[order]), values, t.shape)
    made._value.origin = found._value.origin
    return made


def rebuilt(kind: layout, parts: tuple[Any, ...]) -> Tensor:
    """The sparse tensor that `saved_parts` describes: what files call `torch._utils._rebuild_sparse_tensor`."""
    if kind is layouts.sparse_coo:
        indices, values, size, *coalesced = parts
        made = sparse_coo_tensor(indices, values, size, is_coalesced=bool(coalesced and coalesced[0]))
        check_positions(made)  # type: ignore[arg-type]
        return made
    return sparse_compressed_tensor(*parts, layout=kind, check_invariants=True)


