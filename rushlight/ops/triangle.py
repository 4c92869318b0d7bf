"""Diagonals and triangles (`tril`, `triu`, `diag`, `diag_embed`), and writing into parts (`slice_scatter`, ...).

The `*_scatter` functions are one operation, which writes a tensor into a strided part of a copy; they differ in the
part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core import strided
from rushlight.core.strided import normalize_dim
from rushlight.record.memory import look, memory_of, strided_layouts
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import constant
from .public import integer, public
from .rules import row_major
from .view import diagonal

# ---------------------------------------------------------------------------------------------------------------------
# Triangles


def _triangle_spec(x: Spec, *, diagonal: int) -> Spec:
    if x.ndim < 2:
        raise RuntimeError("tril: input tensor must have at least 2 dimensions")
    return row_major(x)


def _triu_spec(x: Spec, *, diagonal: int) -> Spec:
    if x.ndim < 2:
        raise RuntimeError("triu: input tensor must have at least 2 dimensions")
    return row_major(x)


TRIL = operation("tril", _triangle_spec, lambda x, *, diagonal: np.tril(x, diagonal), exact=True, aliases=False)
TRIL.gradient(x=lambda g, diagonal: apply(TRIL, (g,), (diagonal,)))
TRIU = operation("triu", _triu_spec, lambda x, *, diagonal: np.triu(x, diagonal), exact=True, aliases=False)
TRIU.gradient(x=lambda g, diagonal: apply(TRIU, (g,), (diagonal,)))


@public(inplace=True, out=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of each matrix, up to `diagonal`; zeros elsewhere.

    >>> torch.ones(2, 2).tril()
    tensor([[1., 0.],
            [1., 1.]])
    """
    return apply(TRIL, (input,), (integer(diagonal, "tril", "diagonal", 2),))


@public(inplace=True, out=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of each matrix, from `diagonal` on; zeros elsewhere.

    >>> torch.ones(2, 2).triu(1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return apply(TRIU, (input,), (integer(diagonal, "triu", "diagonal", 2),))


def _triangle_indices(
    name: str, pick: Any, row: int, col: int, offset: int, dtype: Any, device: Any, layout: Any,
    requires_grad: bool,
) -> Tensor:
    from .creation import check_device, finish, wrap

    for value, what in ((row, "row"), (col, "col")):
        if value < 0:
            raise RuntimeError(f"{what} must be non-negative, got{value}")
    if layout is not None and str(layout) != "torch.strided":
        raise RuntimeError(f"only support layout=torch.strided, got {layout}")
    check_device(device)
    kind = dtype or dtypes.int64
    if kind not in (dtypes.int32, dtypes.int64):
        raise NotImplementedError(f"\"{name}\" not implemented for '{kind.scalar_name}'")
    return finish(wrap(np.stack(pick(row, offset, col)).astype(kind.numpy)), requires_grad)


@public(method=False)
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None,
                 pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The positions of the lower triangle of a row x col matrix: a 2 x N tensor of rows and columns.

    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle_indices("tril_indices", np.tril_indices, row, col, offset, dtype, device, layout, requires_grad)


@public(method=False)
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None,
                 pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The positions of the upper triangle of a row x col matrix: a 2 x N tensor of rows and columns."""
    return _triangle_indices("triu_indices", np.triu_indices, row, col, offset, dtype, device, layout, requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Diagonals


def _diag_embed(x: np.ndarray, *, offset: int, dim1: int, dim2: int) -> np.ndarray:
    n = x.shape[-1] + abs(offset)
    whole = np.zeros((*x.shape[:-1], n, n), x.dtype)
    lines = np.arange(x.shape[-1])
    whole[..., lines + max(-offset, 0), lines + max(offset, 0)] = x
    return np.moveaxis(whole, (-2, -1), (dim1, dim2))


def _diag_embed_spec(x: Spec, *, offset: int, dim1: int, dim2: int) -> Spec:
    n = x.shape[-1] + abs(offset)
    shape = list(x.shape[:-1])
    for d in sorted((dim1, dim2)):
        shape.insert(d, n)
    return spec_of(tuple(shape), x.dtype)


DIAG_EMBED = operation("diag_embed", _diag_embed_spec, _diag_embed, exact=True, aliases=False)
DIAG_EMBED.lower = lambda x, *, offset, dim1, dim2: x.assembled(
    (x,),
    _diag_embed_spec(spec_of(x.shape, dtypes.float32), offset=offset, dim1=dim1, dim2=dim2).shape,
    lambda shape, strides, start: [strided.diagonal(shape, strides, start, offset, dim1, dim2)],
)
DIAG_EMBED.gradient(x=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2))


@public()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension of `input` on their diagonal `offset`, zeros elsewhere.

    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    n = settle(input).spec.ndim + 1
    first, second = normalize_dim(dim1, n), normalize_dim(dim2, n)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply(DIAG_EMBED, (input,), (offset, first, second))


@public(out=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    >>> torch.diag(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    n = settle(input).spec.ndim
    if n not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {n}D")
    if n == 1:
        return diag_embed(input, diagonal)
    return diagonal_copy(input, diagonal)


@public()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of `input`, read as one row, on its diagonal `offset`."""
    return diag_embed(input.reshape(-1), offset)


@public(out=True)
def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of the diagonal of dimensions `dim1` and `dim2`."""
    spec = settle(input).spec
    strided.diagonal(spec.shape, spec.strides, 0, offset, dim1, dim2)
    dim1, dim2 = normalize_dim(dim1, spec.ndim), normalize_dim(dim2, spec.ndim)
    return apply(DIAGONAL_COPY, (input,), (offset, dim1, dim2))


def _diagonal_copy_spec(x: Spec, *, offset: int, dim1: int, dim2: int) -> Spec:
    return spec_of(strided.diagonal(x.shape, x.strides, 0, offset, dim1, dim2)[0], x.dtype)


DIAGONAL_COPY = operation(
    "diagonal_copy", _diagonal_copy_spec,
    lambda x, *, offset, dim1, dim2: _diagonal_of(x, offset, dim1, dim2).copy(),
    node="DiagonalBackward0_copy",
    exact=True, aliases=False,
)  # fmt: skip
DIAGONAL_COPY.gradient(
    x=lambda g, x_spec, offset, dim1, dim2: diagonal_scatter(constant(x_spec.shape, 0, g.dtype), g, offset, dim1, dim2)
)


def _diagonal_of(x: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    n = strided.diagonal(x.shape, strided.contiguous_strides(x.shape), 0, offset, dim1, dim2)[0][-1]
    return np.diagonal(x, offset, dim1, dim2) if n else np.diagonal(x, offset, dim1, dim2)[..., :0]


# ---------------------------------------------------------------------------------------------------------------------
# A copy with another part


def _written(x: np.ndarray, src: np.ndarray, *, part: Any) -> np.ndarray:
    whole = np.array(x, order="C", copy=True)
    look(memory_of(whole, strided.contiguous_strides(whole.shape)), (*part, _Kind(whole.dtype)))[...] = src
    return whole


class _Kind:
    """Lets `look` keep the dtype of an array."""

    def __init__(self, numpy: np.dtype) -> None:
        self.numpy = numpy


def _written_spec(x: Spec, src: Spec, *, part: Any) -> Spec:
    return row_major(x)


def _read(x: np.ndarray, *, part: Any) -> np.ndarray:
    whole = np.ascontiguousarray(x)
    return look(memory_of(whole, strided.contiguous_strides(x.shape)), (*part, _Kind(x.dtype))).copy()


def _read_symbols(x: Any, *, part: Any) -> Any:
    from rushlight.codegen.capture import look as look_at

    return look_at(x, part[0], lambda lies, start: _part_in(x.shape, lies, start, part)[0][1:])


def _part_in(at: Any, lies: Any, start: int, part: Any) -> Any:
    """Where a part of row-major memory lies in an array of the shape `at`."""
    shape, strides, offset = part
    own = strided.contiguous_strides(at)
    return strided_layouts(at, lies, start + offset, shape=shape, strides=strides, kind=None, layout=own)


PART_OF = operation("part_of", lambda x, *, part: spec_of(part[0], x.dtype), _read, exact=True, aliases=False)
PART_OF.lower = _read_symbols
PART_OF.gradient(x=lambda g, x_spec, part: apply(SLICE_SCATTER, (constant(x_spec.shape, 0, g.dtype), g), (part,)))


def _written_symbols(x: Any, src: Any, *, part: Any) -> Any:
    from rushlight.codegen.assembly import put

    return put(x.shape, x, (src,), lambda at, lies, start: _part_in(at, lies, start, part))


def _part_writer(name: str) -> Operation:
    op = operation(name, _written_spec, _written, exact=True, aliases=False)
    op.lower = _written_symbols
    return op.gradient(
        x=lambda g, src_spec, part: apply(op, (g, constant(src_spec.shape, 0, g.dtype)), (part,)),
        src=lambda g, part: apply(PART_OF, (g,), (part,)),
    )


DIAGONAL_SCATTER, SELECT_SCATTER, SLICE_SCATTER, AS_STRIDED_SCATTER = map(
    _part_writer, ("diagonal_scatter", "select_scatter", "slice_scatter", "as_strided_scatter")
)


def _put_into(op: Operation, input: Tensor, src: Tensor, layout: Any) -> Tensor:
    """A copy of `input` whose part `layout` (shape, strides, offset in row-major memory) is `src`."""
    shape = settle(src).spec.shape
    if tuple(shape) != tuple(layout[0]):
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(shape)}, slice size = {list(layout[0])}"
        )
    kind = settle(input).spec.dtype
    return apply(
        op, (input, src if src.dtype is kind else src.to(kind)), ((tuple(layout[0]), tuple(layout[1]), layout[2]),)
    )


def _rows(input: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = settle(input).spec.shape
    return shape, strided.contiguous_strides(shape)


@public(out=True)
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` whose diagonal is `src`."""
    return _put_into(DIAGONAL_SCATTER, input, src, strided.diagonal(*_rows(input), 0, offset, dim1, dim2))


@public(out=True)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` whose slice `index` along `dim` is `src`."""
    return _put_into(SELECT_SCATTER, input, src, strided.select(*_rows(input), 0, dim, index))


@public(out=True)
def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
                  step: int = 1) -> Tensor:  # fmt: skip
    """A copy of `input` whose part `start:end:step` along `dim` is `src`.

    >>> torch.zeros(4).slice_scatter(torch.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
    """
    layout = strided.slice_dim(*_rows(input), 0, dim, start, end, step)
    return _put_into(SLICE_SCATTER, input, src, layout)


@public(out=True)
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy of `input` (row-major) with `src` in the strided part that `as_strided` would show."""
    shape, strides = _rows(input)
    length = strided.extent(shape, strides)
    layout = strided.as_strided(
        tuple(size), tuple(stride), storage_offset or 0, length, settle(input).spec.numpy.itemsize
    )
    return _put_into(AS_STRIDED_SCATTER, input, src, layout)


@public(inplace=False, function=False)
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Fills the main diagonal in place; with `wrap`, a tall matrix's diagonal begins again after each square."""
    spec = settle(self).spec
    if spec.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if spec.ndim > 2 and len(set(spec.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    rows, columns = spec.shape[0], spec.shape[1]
    step = sum(spec.strides)
    length = min(spec.shape)
    start = self.storage_offset()
    self.as_strided((length,), (step,), start).fill_(fill_value)
    if wrap and spec.ndim == 2 and rows > columns + 1:
        for first in range(columns + 1, rows, columns + 1):
            n = min(columns, rows - first)
            self.as_strided((n,), (step,), start + first * spec.strides[0]).fill_(fill_value)
    return self
