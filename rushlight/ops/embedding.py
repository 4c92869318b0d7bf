"""Embeddings: rows of a table picked by integers, and sums, means or maxima of bags of rows.

The derivative of picking rows adds each gradient to its row: row by row where rows are long, number by number where
they are short.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.memory import assign
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, recorder, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .public import public

LONG_ROW = 64  # numbers in a row from which adding up row by row is faster: measured
INDICES = (dtypes.int64, dtypes.int32)

# ---------------------------------------------------------------------------------------------------------------------
# Kernels


def _check_rows(indices: np.ndarray, rows: int) -> None:
    if indices.size and (indices.min() < 0 or indices.max() >= rows):
        wrong = indices[(indices < 0) | (indices >= rows)]
        raise IndexError(f"index out of range in self. The table has {rows} rows; there is no row {wrong.flat[0]}")


def _rows(weight: np.ndarray, indices: np.ndarray) -> np.ndarray:
    _check_rows(indices, len(weight))
    return np.take(weight, indices, axis=0)


def _shares(indices: np.ndarray, padding_idx: int, by_freq: bool, kind: np.dtype) -> np.ndarray | None:
    """What each pick's gradient counts: 0 for the padding row, 1 / frequency with `by_freq`; None where all count 1."""
    if not by_freq and padding_idx < 0:
        return None
    shares = np.ones(indices.shape, kind)
    if by_freq and indices.size:
        shares /= np.bincount(indices.ravel())[indices]
    return np.where(indices == padding_idx, 0, shares).astype(kind)


def _add_rows(d: np.ndarray, indices: np.ndarray, *, rows: int, padding_idx: int, by_freq: bool) -> np.ndarray:
    """The adjoint of picking: (*, width) gradients added to the rows of a table."""
    shares = _shares(indices, padding_idx, by_freq, d.dtype)
    return add_rows(d if shares is None else d * shares[..., None], indices, rows)


def add_rows(d: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:
    """Zeros (rows, width) with each (*, width) row of d added at its position."""
    width = d.shape[-1]
    total = np.zeros((rows, width), d.dtype)
    if indices.size:
        add = _add_long_rows if width >= LONG_ROW else _add_short_rows
        add(total, indices.ravel(), d.reshape(indices.size, width))
    return total


def _add_short_rows(total: np.ndarray, indices: np.ndarray, d: np.ndarray) -> None:
    width = d.shape[1]
    np.add.at(total.reshape(-1), (indices[:, None] * width + np.arange(width)).ravel(), d.ravel())


def _add_long_rows(total: np.ndarray, indices: np.ndarray, d: np.ndarray) -> None:
    """Sorts the gradients by row and adds every run up at once."""
    order = np.argsort(indices, kind="stable")
    ordered, d = indices[order], d[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = np.append(starts[1:], len(ordered))
    for row, start, end in zip(ordered[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
        total[row] = d[start] if end - start == 1 else np.add.reduce(d[start:end], 0)


def _weighed_rows(x: np.ndarray, indices: np.ndarray, *, padding_idx: int, by_freq: bool) -> np.ndarray:
    """The adjoint of `_add_rows`."""
    shares = _shares(indices, padding_idx, by_freq, x.dtype)
    found = np.take(x, indices, axis=0)
    return found if shares is None else found * shares[..., None]


def _renormalised(weight: np.ndarray, indices: np.ndarray, max_norm: Any, norm_type: Any) -> np.ndarray:
    """Scales the picked rows down to `max_norm`."""
    _check_rows(indices, len(weight))
    picked = np.unique(indices)
    rows = weight[picked]
    norms = np.linalg.norm(rows.astype(np.float64), ord=float(norm_type), axis=1)
    scale = np.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
    weight[picked] = rows * scale[:, None].astype(weight.dtype)
    return weight


# ---------------------------------------------------------------------------------------------------------------------
# Embedding


def _picked_spec(weight: Spec, indices: Spec, **_: Any) -> Spec:
    return spec_of((*indices.shape, *weight.shape[1:]), weight.dtype)


EMBEDDING = operation(
    "embedding", lambda weight, indices, *, padding_idx, by_freq: _picked_spec(weight, indices),
    lambda weight, indices, *, padding_idx, by_freq: _rows(weight, indices),
)  # fmt: skip
ADD_ROWS = operation(
    "embedding_backward", lambda d, indices, *, rows, padding_idx, by_freq: spec_of((rows, d.shape[-1]), d.dtype),
    _add_rows, node="EmbeddingDenseBackwardBackward0",
)  # fmt: skip
WEIGHED_ROWS = operation(
    "embedding_weighed", lambda x, indices, *, padding_idx, by_freq: _picked_spec(x, indices), _weighed_rows,
    node="EmbeddingBackward0",
)  # fmt: skip


EMBEDDING.lower = lambda weight, indices, *, padding_idx, by_freq: weight.take(indices, 0, wraps=False)


def _add_rows_by_parts(d: Any, indices: Any, *, rows: int, padding_idx: int, by_freq: bool) -> Any:
    if by_freq:
        raise NotImplementedError("shares by frequency are counted by NumPy")
    if padding_idx >= 0:
        d = d * np.not_equal(indices, padding_idx).astype(d.dtype)[..., None]  # type: ignore[attr-defined]
    return d.added_rows(indices, rows)


ADD_ROWS.lower = _add_rows_by_parts


def _add_rows_of(g: Tensor, indices: Tensor, rows: int, padding_idx: int, by_freq: bool) -> Tensor:
    return apply(ADD_ROWS, (g, indices), (rows, padding_idx, by_freq))


EMBEDDING.gradient(
    weight=lambda g, indices, weight_spec, padding_idx, by_freq: _add_rows_of(
        g, indices, weight_spec.shape[0], padding_idx, by_freq
    )
)


def _listed_rows(g: Tensor, indices: Tensor, weight_spec: Spec, padding_idx: int, by_freq: bool) -> Tensor:
    """The gradient as a tensor of layout sparse_coo: a row for each pick."""
    from rushlight.sparse.coo import rows_at

    if by_freq:
        raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    return rows_at(indices, g, weight_spec.shape[0], padding_idx)


EMBEDDING_SPARSE = operation("embedding_sparse", EMBEDDING.infer, EMBEDDING.kernel, node="EmbeddingBackward0")
EMBEDDING_SPARSE.lower = EMBEDDING.lower
EMBEDDING_SPARSE.walks = True
EMBEDDING_SPARSE.gradient(weight=_listed_rows)

ADD_ROWS.gradient(d=lambda g, indices, padding_idx, by_freq: apply(WEIGHED_ROWS, (g, indices), (padding_idx, by_freq)))
WEIGHED_ROWS.gradient(
    x=lambda g, indices, x_spec, padding_idx, by_freq: _add_rows_of(g, indices, x_spec.shape[0], padding_idx, by_freq)
)
RENORM_ROWS = operation("embedding_renorm", lambda weight, indices, max_norm, norm_type: weight, _renormalised,
                        overwrites=True)  # fmt: skip


def _padding_row(padding_idx: int | None, rows: int) -> int:
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _check_indices(indices: Tensor, rows: int, function: str) -> None:
    value = settle(indices)
    if value.spec.dtype not in INDICES:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{value.spec.dtype.scalar_name}Tensor instead (while checking arguments for {function})"
        )
    found = value.buf
    if function == "embedding_bag" and found is not None and found.size and not 0 <= found.min() <= found.max() < rows:
        wrong = found[(found < 0) | (found >= rows)].flat[0]
        raise RuntimeError(
            f"embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {wrong} "
            f"(the table has {rows} rows)"
        )
    if found is not None:
        _check_rows(found, rows)


def _limit_norms(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Writes the scaled rows into the table, outside the tape."""
    me = recorder()
    tracking, me.tracking = me.tracking, False
    try:
        assign(weight, apply(RENORM_ROWS, (weight, indices, float(max_norm), float(norm_type))))
    finally:
        me.tracking = tracking


@public(function=False, method=False, functional=True)
def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:  # fmt: skip
    """The rows of `weight` that `input` names
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html).

    Shapes: input (*) of int64 or int32, weight (V, D); result (*, D).  Row `padding_idx` gets no gradient.  With
    `max_norm`, the rows used are first scaled down in place.  Raises IndexError for a row that does not exist.
    With `sparse` the gradient of the table is a sparse tensor.

    >>> torch.nn.functional.embedding(torch.tensor([1, 0]), torch.tensor([[1., 2.], [3., 4.]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    table = settle(weight).spec
    if table.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    row = _padding_row(padding_idx, table.shape[0])
    _check_indices(input, table.shape[0], "embedding")
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    return apply(EMBEDDING_SPARSE if sparse else EMBEDDING, (weight, input), (row, scale_grad_by_freq))


def _torch_embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
                     sparse: bool = False) -> Tensor:  # fmt: skip
    """`torch.nn.functional.embedding` with its arguments in another order."""
    return embedding(indices, weight, None if padding_idx < 0 else padding_idx, None, 2.0, scale_grad_by_freq, sparse)


# ---------------------------------------------------------------------------------------------------------------------
# Bags


def _bags(indices: np.ndarray, offsets: np.ndarray, include_last: bool) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each bag, and how many rows it has."""
    _check_offsets(offsets, indices.size)
    starts = offsets[:-1] if include_last else offsets
    ends = np.append(starts[1:], offsets[-1] if include_last else indices.size) if len(starts) else starts
    return starts, ends - starts


def _check_offsets(offsets: np.ndarray, count: int) -> None:
    if offsets.size and offsets[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            "However, got "
            f"{offsets[0]}"
        )
    if offsets.size and offsets[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {offsets[-1]}"
        )


def _bag_of_rows(
    indices: np.ndarray, offsets: np.ndarray, include_last: bool, padding_idx: int
) -> tuple[Any, Any, int]:
    """The bag of each row (in order), which rows count, and how many bags there are."""
    _, lengths = _bags(indices, offsets, include_last)
    bag = np.repeat(np.arange(len(lengths)), lengths)
    return bag, indices[: len(bag)] != padding_idx, len(lengths)


def _divisors(bag: Any, kept: Any, bags: int, kind: np.dtype) -> Any:
    return np.maximum(np.bincount(bag[kept], minlength=bags), 1).astype(kind)[:, None]


def _sums(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The sums of as many rows, one after the other, as the lengths say."""
    if len(lengths) and (lengths == lengths[0]).all() and lengths[0]:
        return rows.reshape(len(lengths), lengths[0], rows.shape[1]).sum(1)  # type: ignore[no-any-return]
    total = np.zeros((len(lengths), rows.shape[1]), rows.dtype)
    starts = np.cumsum(lengths) - lengths
    if len(rows):
        total[lengths > 0] = np.add.reduceat(rows, starts[lengths > 0], 0)
    return total


def _reduce_bags(
    rows: Any, indices: Any, offsets: Any, *, mean: bool, padding_idx: int, include_last: bool, length: int
) -> Any:
    bag, kept, bags = _bag_of_rows(indices, offsets, include_last, padding_idx)
    rows = rows[: len(bag)]
    if not kept.all():
        rows = np.where(kept[:, None], rows, rows.dtype.type(0))
    total = _sums(rows, np.bincount(bag, minlength=bags))
    return total / _divisors(bag, kept, bags, rows.dtype) if mean else total


def _spread_bags(
    d: Any, indices: Any, offsets: Any, *, mean: bool, padding_idx: int, include_last: bool, length: int
) -> Any:
    bag, kept, bags = _bag_of_rows(indices, offsets, include_last, padding_idx)
    if mean:
        d = d / _divisors(bag, kept, bags, d.dtype)
    rows = np.zeros((indices.size, d.shape[1]), d.dtype)
    rows[: len(bag)][kept] = d[bag[kept]]
    return rows


def _equal_bags(indices: Any, padding_idx: int, length: int) -> tuple[Any, Any]:
    """For the compiler, where all bags have so many rows: (bags, rows, 1) which rows count, and (bags, 1) how many."""
    if not length:
        raise ValueError("bags of several lengths")
    kept = indices.reshape(indices.size // length, length, 1) != padding_idx
    return kept, np.sum(kept, axis=1)


def _reduce_equal_bags(rows: Any, indices: Any, _: Any, *, mean: bool, padding_idx: int, length: int, **__: Any) -> Any:
    kept, counts = _equal_bags(indices, padding_idx, length)
    bags = rows.reshape(kept.shape[0], length, rows.shape[1])
    total = np.where(kept, bags, rows.dtype.type(0)).sum(1)
    return total / np.maximum(counts, 1).astype(rows.dtype) if mean else total


def _spread_equal_bags(d: Any, indices: Any, _: Any, *, mean: bool, padding_idx: int, length: int, **__: Any) -> Any:
    kept, counts = _equal_bags(indices, padding_idx, length)
    d = d / np.maximum(counts, 1).astype(d.dtype) if mean else d
    rows = np.where(kept, d.reshape(d.shape[0], 1, d.shape[1]), d.dtype.type(0))
    return rows.reshape(indices.size, d.shape[1])


def _bags_spec(rows: Spec, indices: Spec, offsets: Spec, *, include_last: bool, **_: Any) -> Spec:
    return spec_of((max(offsets.shape[0] - include_last, 0), rows.shape[1]), rows.dtype)


REDUCE_BAGS = operation("embedding_bag", _bags_spec, _reduce_bags)
SPREAD_BAGS = operation(
    "embedding_bag_backward",
    lambda d, indices, offsets, *, mean, padding_idx, include_last, length: spec_of(
        (indices.numel, d.shape[1]), d.dtype
    ),
    _spread_bags,
    node="EmbeddingBagBackwardBackward0",
)
REDUCE_BAGS.gradient(
    rows=lambda g, indices, offsets, mean, padding_idx, include_last, length: apply(
        SPREAD_BAGS, (g, indices, offsets), (mean, padding_idx, include_last, length)
    )
)
SPREAD_BAGS.gradient(
    d=lambda g, indices, offsets, mean, padding_idx, include_last, length: apply(
        REDUCE_BAGS, (g, indices, offsets), (mean, padding_idx, include_last, length)
    )
)
REDUCE_BAGS.lower, SPREAD_BAGS.lower = _reduce_equal_bags, _spread_equal_bags


def _largest_of_bags(
    rows: Any, indices: Any, offsets: Any, *, padding_idx: int, include_last: bool, length: int
) -> tuple[Any, Any]:
    """The largest numbers of each bag and the rows that hold them (-1: the bag is empty)."""
    starts, lengths = _bags(indices, offsets, include_last)
    found = np.zeros((len(starts), rows.shape[1]), rows.dtype)
    at = np.full(found.shape, -1, np.int64)
    for bag, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        here = start + np.flatnonzero(indices[start : start + length] != padding_idx)
        if len(here):
            at[bag] = here[np.argmax(rows[here], axis=0)]
            found[bag] = np.max(rows[here], axis=0)
    return found, at


def _largest_of_equal_bags(
    rows: Any, indices: Any, offsets: Any, *, padding_idx: int, include_last: bool, length: int
) -> tuple[Any, Any]:
    if not length or padding_idx >= 0:
        raise ValueError("bags of several lengths")
    count, width = indices.size // length, rows.shape[1]
    bags = rows.reshape(count, length, width)
    first = rows.counted(count).reshape(count, 1) * length
    return np.max(bags, axis=1), np.argmax(bags, axis=1) + first


def _to_largest_of_equal_bags(d: Any, at: Any, *, rows: int, length: int) -> Any:
    if not length:
        raise ValueError("bags of several lengths")
    count, width = d.shape
    chosen = d.counted(rows).reshape(count, length, 1) == at.reshape(count, 1, width)
    return np.where(chosen, d.reshape(count, 1, width), d.dtype.type(0)).reshape(rows, width)


def _to_largest(d: Any, at: Any, *, rows: int, length: int) -> Any:
    total = np.zeros((rows, d.shape[1]), d.dtype)
    bag, column = np.nonzero(at >= 0)
    total[at[bag, column], column] = d[bag, column]
    return total


def _from_largest(x: Any, at: Any, *, length: int) -> Any:
    return np.where(at >= 0, np.take_along_axis(x, np.maximum(at, 0), 0), 0) if len(x) else np.zeros(at.shape, x.dtype)


def _largest_spec(rows: Spec, indices: Spec, offsets: Spec, **kw: Any) -> tuple[Spec, Spec]:
    found = _bags_spec(rows, indices, offsets, include_last=kw["include_last"])
    return found, spec_of(found.shape, dtypes.int64)


MAX_BAGS = operation(
    "embedding_bag_max", lambda rows, indices, offsets, *, padding_idx, include_last, length: _largest_spec(
        rows, indices, offsets, include_last=include_last), _largest_of_bags, node="EmbeddingBagBackward0",
)  # fmt: skip
TO_LARGEST = operation(
    "embedding_bag_max_backward", lambda d, at, *, rows, length: spec_of((rows, d.shape[1]), d.dtype), _to_largest
)
FROM_LARGEST = operation(
    "embedding_bag_max_take", lambda x, at, *, length: spec_of(at.shape, x.dtype), _from_largest
)
MAX_BAGS.gradient(
    lambda g, results, rows_spec, length: (
        apply(TO_LARGEST, (g[0], results[1]), (rows_spec.shape[0], length)), None, None)
)  # fmt: skip
MAX_BAGS.lower, TO_LARGEST.lower = _largest_of_equal_bags, _to_largest_of_equal_bags
TO_LARGEST.gradient(d=lambda g, at, length: apply(FROM_LARGEST, (g, at), (length,)))
FROM_LARGEST.gradient(x=lambda g, at, x_spec, length: apply(TO_LARGEST, (g, at), (x_spec.shape[0], length)))


def _look_through(pairs: list[Any]) -> list[Any]:
    """PyTorch picks and adds up in one step: show what the picked rows come from."""
    function = pairs[0][0]
    return pairs if function is None else [*function.next_functions, (None, 0)][:2]


REDUCE_BAGS.shown = MAX_BAGS.shown = _look_through


@public(function=False, method=False, functional=True)
def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
                  norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:  # fmt: skip
    """Sums, means or maxima of bags of rows of `weight`
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding_bag.html).

    Shapes: input (B, N), every row a bag; or (N) with `offsets` (B), where each bag begins.  Result (B, D).
    `per_sample_weights` scales the rows of a sum.
    """
    if settle(weight).spec.dtype in INDICES and settle(input).spec.dtype.is_floating_point:
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, "
            "and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        input, weight = weight, input
    if per_sample_weights is not None and settle(per_sample_weights).spec.shape != settle(input).spec.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if settle(weight).spec.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._value.spec.ndim}")
    if offsets is None:
        include_last_offset = False  # every row is a bag
    shape = settle(input).spec.shape
    length = shape[1] if len(shape) == 2 else 0  # of every bag, if each is a row
    if per_sample_weights is not None and per_sample_weights._value.spec.dtype is not settle(weight).spec.dtype:
        raise RuntimeError(
            f"Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
            f"'per_sample_weights'; but {weight.dtype} does not equal {per_sample_weights.dtype}"
        )
    input, offsets, per_sample_weights = _flat_bags(input, offsets, per_sample_weights)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
            "mode="
            f"'{mode}'). Please open a feature request on GitHub."
        )
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    return _embedding_bag(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                          per_sample_weights, include_last_offset, padding_idx, length)  # fmt: skip


def _flat_bags(input: Tensor, offsets: Tensor | None, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    shape = settle(input).spec.shape
    if len(shape) == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                "sequences. "
                f"However, found offsets of type {type(offsets)}"
            )
        starts = np.arange(0, shape[0] * shape[1], shape[1]) if shape[1] else np.zeros(shape[0], np.int64)
        return input.reshape(-1), wrap(starts), None if weights is None else weights.reshape(-1)
    if len(shape) != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {len(shape)}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if settle(offsets).spec.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if offsets._value.buf is not None:
        _check_offsets(offsets._value.buf, shape[0])
    return input, offsets, weights


def _embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor,
    max_norm: Any,
    norm_type: float,
    by_freq: bool,
    mode: str,
    sparse: bool,
    per_sample_weights: Any,
    include_last: bool,
    padding_idx: int | None,
    length: int,
) -> Tensor:
    table = settle(weight).spec
    if padding_idx is not None and not -table.shape[0] <= padding_idx < table.shape[0]:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, -{table.shape[0]} through {table.shape[0] - 1}, "
            f"but got {padding_idx}"
        )
    row = _padding_row(padding_idx, table.shape[0])
    _check_indices(input, table.shape[0], "embedding_bag")
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    rows = apply(EMBEDDING_SPARSE if sparse else EMBEDDING, (weight, input), (row if sparse else -1, by_freq))
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    if mode == "max":
        return apply(MAX_BAGS, (rows, input, offsets), (row, include_last, length))[0]
    return apply(REDUCE_BAGS, (rows, input, offsets), (mode == "mean", row, include_last, length))


# ---------------------------------------------------------------------------------------------------------------------
# One-hot vectors


def _check_classes(x: np.ndarray, classes: int) -> None:
    if x.size and x.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if x.size and x.max() >= classes:
        raise RuntimeError("Class values must be smaller than num_classes.")


def _one_hot(x: np.ndarray, *, classes: int) -> np.ndarray:
    _check_classes(x, classes)
    found = np.zeros((x.size, classes), np.int64)
    found[np.arange(x.size), x.ravel()] = 1
    return found.reshape(*x.shape, classes)


def _one_hot_symbols(x: Any, *, classes: int) -> Any:
    known = x.provided(np.logical_and(np.greater_equal(x, 0), np.less(x, classes)))
    return np.equal(known.reshape(*x.shape, 1), x.counted(classes)).astype(np.int64)


ONE_HOT = operation("one_hot", lambda x, *, classes: spec_of((*x.shape, classes), dtypes.int64), _one_hot)
ONE_HOT.lower = _one_hot_symbols


@public(function=False, method=False, functional=True)
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A vector for each class index, with 1 in its place and 0 elsewhere.

    As many classes as the largest index needs, by default: this looks at the numbers.

    >>> torch.nn.functional.one_hot(torch.tensor([1, 0]), 3)
    tensor([[0, 1, 0],
            [1, 0, 0]])
    """
    value = settle(tensor)
    if value.spec.dtype is not dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes == -1:
        found = realize(tensor)
        if not found.size:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        _check_classes(found, int(found.max()) + 1)
        num_classes = int(found.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif value.buf is not None:
        _check_classes(value.buf, num_classes)
    return apply(ONE_HOT, (tensor,), (num_classes,))


def _publish() -> None:
    from .public import FUNCTIONS

    FUNCTIONS["embedding"] = _torch_embedding


_publish()
