"""Tensors taken apart: `split`, `chunk`, `unbind`, `tensor_split`, `hsplit` and their relatives.

The parts are views.  On the tape, those of one `split` or `unbind` share a node, and none of them may be written to.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import chunk_sizes, normalize_dim, split_sizes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor

from .joining import cat
from .public import integer, public
from .view import SELECT, SLICE, along, hang, index_layout, look_at, numpy_index

# ---------------------------------------------------------------------------------------------------------------------
# Several views at once


def _pieces_spec(x: Spec, *, parts: tuple[Any, ...]) -> tuple[Spec, ...]:
    found = []
    for index in parts:
        shape, strides, _ = index_layout(x.shape, x.strides, 0, index=index)
        found.append(spec_of(shape, x.dtype, strides))
    return tuple(found)


def _split_apart(x: np.ndarray, *, parts: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    return tuple(x[(*numpy_index(index), ...)] for index in parts)


def _put_together(*pieces: np.ndarray, parts: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros(shape, pieces[0].dtype)
    for piece, index in zip(pieces, parts, strict=True):
        whole[numpy_index(index)] = piece
    return whole


PUT_TOGETHER = operation(
    "put_together",
    lambda *pieces, parts, shape: spec_of(shape, pieces[0].dtype),
    _put_together,
    exact=True,
    aliases=False,
)
PUT_TOGETHER.lower = lambda *pieces, parts, shape: pieces[0].assembled(
    pieces, shape, lambda *where: [index_layout(*where, index=index) for index in parts]
)
PUT_TOGETHER.gradient(lambda g, parts: apply(SPLIT, (g,), (parts,)))


def _splitting(name: str, node: str) -> Operation:
    """An operation that makes several views at once, with one node for all of them."""
    op = operation(name, _pieces_spec, _split_apart, node=node, view=True)
    op.layouts = lambda *where, parts: [index_layout(*where, index=index) for index in parts]
    return op.gradient(lambda g, x_spec, parts: (apply(PUT_TOGETHER, g, (parts, x_spec.shape)),))


UNBIND = _splitting("unbind", "UnbindBackward0")
SPLIT: Operation = _splitting("split", "SplitBackward0")
SPLIT_SIZES = _splitting("split_with_sizes", "SplitWithSizesBackward0")


@public(keywords={"split_size": "split_size_or_sections"})
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of `tensor` along `dim`: all of one size (the last may be smaller), or of the sizes given.

    >>> [p.tolist() for p in torch.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]
    """
    shape = settle(tensor).spec.shape
    if not isinstance(split_size_or_sections, (int, tuple, list)):
        wrong = type(split_size_or_sections).__name__
        raise TypeError(f"split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not {wrong}")
    even = isinstance(split_size_or_sections, int)
    sizes: Any = split_size_or_sections if even else tuple(split_sizes(shape, split_size_or_sections, dim))
    return _split_into(tensor, SPLIT if even else SPLIT_SIZES, _pieces(shape, sizes, dim), SLICE)


@functools.lru_cache(4096)
def _pieces(shape: tuple[int, ...], sizes: int | tuple[int, ...], dim: int) -> tuple[Any, ...]:
    """Where the pieces of these sizes, or all of one, lie; raises PyTorch's errors for sizes that do not fit."""
    each = split_sizes(shape, sizes, dim) if isinstance(sizes, int) else sizes
    ends = list(itertools.accumulate(each))
    dim = normalize_dim(dim, len(shape))
    return tuple(along(shape, dim, (end - n, end, 1)) for n, end in zip(each, ends, strict=True))


def _split_into(t: Tensor, op: Operation, parts: tuple[Any, ...], single: Operation) -> tuple[Tensor, ...]:
    """The views of `t` at `parts`; on the tape they share one node, and none of them may be written to."""
    if t._node is None or not recorder().tracking or not parts:
        views = [look_at(t, single, (index,)) for index in parts]
    else:
        views, me = apply(op, (t,), (parts,)), recorder()
        for offset, v in zip(_offsets(settle(t).spec, parts), views, strict=True):
            hang(t, v, offset, me)
    name = op.node.removesuffix("Backward0")
    for v in views:
        v._piece_of = name
    return tuple(views)


@functools.lru_cache(4096)
def _offsets(spec: Spec, parts: tuple[Any, ...]) -> tuple[int, ...]:
    """Where the parts of a tensor begin in it."""
    return tuple(index_layout(spec.shape, spec.strides, 0, index=index)[2] for index in parts)


@public()
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`input.split(split_sizes, dim)`."""
    return split(input, list(split_sizes), dim)


@public()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size along `dim`, the last perhaps smaller."""
    shape = settle(input).spec.shape
    chunks = integer(chunks, "chunk", "chunks", 1)
    return _split_into(input, SPLIT, _pieces(shape, tuple(chunk_sizes(shape, chunks, dim)), dim), SLICE)


@public()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All parts along `dim`, without that dimension."""
    shape = settle(input).spec.shape
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    dim = normalize_dim(dim, len(shape))
    return _split_into(input, UNBIND, _each_along(shape, dim), SELECT)


@functools.lru_cache(1024)
def _each_along(shape: tuple[int, ...], dim: int) -> tuple[Any, ...]:
    """The places of all parts along a dimension."""
    return tuple([along(shape, dim, i) for i in range(shape[dim])])


# ---------------------------------------------------------------------------------------------------------------------
# Sections, and parts along a direction


def _cut(input: Tensor, shape: tuple[int, ...], dim: int, bounds: Sequence[tuple[int, int]]) -> tuple[Tensor, ...]:
    n = shape[dim]
    return tuple(look_at(input, SLICE, (along(shape, dim, (*_clipped(a, b, n), 1)),)) for a, b in bounds)


def _clipped(start: int, stop: int, n: int) -> tuple[int, int]:
    first, last, _ = slice(start, stop).indices(n)
    return first, max(first, last)


def _even_bounds(n: int, sections: int) -> list[tuple[int, int]]:
    """`sections` parts of a dimension, the first `n % sections` of them one longer."""
    size, longer = divmod(n, sections)
    ends = [size * i + min(i, longer) for i in range(sections + 1)]
    return list(zip(ends[:-1], ends[1:], strict=True))


def _bounds_at(n: int, indices: Sequence[int]) -> list[tuple[int, int]]:
    cuts = [0, *(int(i) for i in indices), n]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


@public()
def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
                 sections: Any = None, tensor_indices_or_sections: Any = None) -> tuple[Tensor, ...]:  # fmt: skip
    """Views of `input` along `dim`: so many nearly equal parts, or cut before the given indices.

    >>> [p.tolist() for p in torch.arange(5).tensor_split(2)]
    [[0, 1, 2], [3, 4]]
    """
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    where: Any = next((w for w in given if w is not None), None)
    shape = settle(input).spec.shape
    if not shape:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = normalize_dim(dim, len(shape))
    if isinstance(where, Tensor):
        where = _split_tensor(where)
    if isinstance(where, (tuple, list)):
        return _cut(input, shape, dim, _bounds_at(shape[dim], where))
    if where <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {where}")
    return _cut(input, shape, dim, _even_bounds(shape[dim], where))


def _split_tensor(where: Tensor) -> Any:
    if settle(where).spec.dtype is not dtypes.int64:
        raise RuntimeError(
            f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {where.dtype.scalar_name}"
        )
    if where.dim() > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
            f"got a tensor with {where.dim()} dims"
        )
    return where.tolist()


def _split_by(name: str, least: int, input: Tensor, where: Any, dim: int) -> tuple[Tensor, ...]:
    shape = settle(input).spec.shape
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} "
            "dimensions!"
        )
    if isinstance(where, int) and (where == 0 or shape[dim] % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {shape[dim]} is not "
            f"divisible by the split_size {where}!"
        )
    if isinstance(where, str):
        raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, {type(where).__name__})")
    return tensor_split(input, where, dim)


def _sections(given: tuple[Any, ...], sections: Any, indices: Any) -> Any:
    """How many parts, or where they begin: `f(2)`, `f(1, 2)`, `f((1, 2))`, `sections=2`, `indices=(1, 2)`."""
    if not given:
        return indices if sections is None else sections
    return given[0] if len(given) == 1 else tuple(given)


@public()
def hsplit(input: Tensor, *given: Any, sections: Any = None, indices: Any = None) -> tuple[Tensor, ...]:
    """`tensor_split` along dimension 1, of a vector along dimension 0; the parts must be equal."""
    dim = 0 if settle(input).spec.ndim == 1 else 1
    return _split_by("hsplit", 1, input, _sections(given, sections, indices), dim)


@public()
def vsplit(input: Tensor, *given: Any, sections: Any = None, indices: Any = None) -> tuple[Tensor, ...]:
    """`tensor_split` along dimension 0 of a matrix; the parts must be equal."""
    return _split_by("vsplit", 2, input, _sections(given, sections, indices), 0)


@public()
def dsplit(input: Tensor, *given: Any, sections: Any = None, indices: Any = None) -> tuple[Tensor, ...]:
    """`tensor_split` along dimension 2; the parts must be equal."""
    return _split_by("dsplit", 3, input, _sections(given, sections, indices), 2)


def _unsafe_split_spec(x: Spec, *, sizes: tuple[int, ...], dim: int) -> tuple[Spec, ...]:
    return tuple(spec_of((*x.shape[:dim], n, *x.shape[dim + 1 :]), x.dtype) for n in sizes)


def _unsafe_split(x: np.ndarray, *, sizes: tuple[int, ...], dim: int) -> tuple[np.ndarray, ...]:
    cuts = np.cumsum(sizes)[:-1]
    return tuple(part.copy() for part in np.split(x, cuts, dim))


UNSAFE_SPLIT = operation("unsafe_split", _unsafe_split_spec, _unsafe_split, exact=True, aliases=False)
UNSAFE_SPLIT.gradient(lambda g, dim: (cat(g, dim),))


@public()
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split`, whose parts are no views."""
    shape = settle(input).spec.shape
    sizes = split_sizes(shape, split_size, dim)
    return apply(UNSAFE_SPLIT, (input,), (tuple(sizes), normalize_dim(dim, len(shape))))


@public()
def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes`, whose parts are no views."""
    return unsafe_split(input, list(split_sizes), dim)  # type: ignore[arg-type]


@public()
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk`, whose parts are no views."""
    shape = settle(input).spec.shape
    sizes = chunk_sizes(shape, chunks, dim)
    return apply(UNSAFE_SPLIT, (input,), (tuple(sizes), normalize_dim(dim, len(shape))))
