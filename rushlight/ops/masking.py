"""Masks and membership: `masked_select`, `masked_scatter`, `nonzero` and its relatives, `isin`, `nan_to_num`, `lerp`.

Where the number of results depends on the numbers (`masked_select`, `nonzero`), the mask is computed at once; the
elements it selects are then an ordinary recorded operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import finfo
from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .creation import full_like_spec, wrap
from .public import public
from .rules import broadcast, fresh
from .selection import MASKED_FILL, where
from .slices import PUT
from .view import EXPAND, look_at

# ---------------------------------------------------------------------------------------------------------------------
# masked_select, masked_scatter


def _selected(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    return x.reshape(-1)[places]


MASKED_SELECT = operation(
    "masked_select", lambda x, places: spec_of(places.shape, x.dtype), _selected, exact=True, aliases=False
)
MASKED_SELECT.gradient(x=lambda g, places, x_spec: apply(PUT, (full_like_spec(x_spec, 0), places, g), (False,)))


@public(out=True)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the (broadcast) mask holds, as a vector.

    Raises RuntimeError unless the mask is a bool tensor that broadcasts with `input`.

    >>> torch.tensor([1, 2, 3]).masked_select(torch.tensor([True, False, True]))
    tensor([1, 3])
    """
    if settle(mask).spec.dtype is not dtypes.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = broadcast_shapes(settle(mask).spec.shape, settle(input).spec.shape)
    places = np.flatnonzero(np.broadcast_to(realize(mask), shape))
    wide = input if settle(input).spec.shape == shape else look_at(input, EXPAND, (shape,))
    return apply(MASKED_SELECT, (wide, wrap(places)))


def _masked_scatter(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    x, mask = np.broadcast_arrays(x, mask)
    found = np.array(x, order="C", copy=True)
    n = int(np.count_nonzero(mask))
    if n > source.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    found[mask] = source.reshape(-1)[:n]
    return found


def _masked_scatter_spec(x: Spec, mask: Spec, source: Spec) -> Spec:
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype.scalar_name}"
        )
    if x.dtype is not source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{x.dtype.scalar_name} and {source.dtype.scalar_name}"
        )
    return spec_of(broadcast((x, mask), x.dtype).shape, x.dtype)


def _masked_collect(g: np.ndarray, mask: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """What went where the mask holds, in order, at the beginning of an array of the source's shape."""
    found = np.zeros(shape, g.dtype)
    taken = g[np.broadcast_to(mask, g.shape)]
    found.reshape(-1)[: taken.size] = taken
    return found


MASKED_SCATTER = operation("masked_scatter", _masked_scatter_spec, _masked_scatter, exact=True, aliases=False)
MASKED_COLLECT = operation(
    "masked_collect", lambda g, mask, *, shape: spec_of(shape, g.dtype), _masked_collect, exact=True, aliases=False
)
MASKED_SCATTER.gradient(
    x=lambda g, mask: apply(MASKED_FILL, (g, mask, 0)),
    source=lambda g, mask, source_spec: apply(MASKED_COLLECT, (g, mask), (source_spec.shape,)),
)
MASKED_COLLECT.gradient(
    g=lambda g, mask, g_spec: apply(MASKED_SCATTER, (full_like_spec(g_spec, 0), mask, g)),
)


@public(inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the elements of `source`, in order, where the mask holds.

    >>> torch.zeros(3).masked_scatter(torch.tensor([True, False, True]), torch.tensor([1., 2.]))
    tensor([1., 0., 2.])
    """
    held, n = mask._value.buf, settle(source).spec.numel
    if held is not None and settle(mask).spec.dtype is dtypes.bool_ and settle(input).spec.shape == held.shape:
        if np.count_nonzero(held) > n:
            raise RuntimeError("Number of elements of source < number of ones in mask")
    return apply(MASKED_SCATTER, (input, mask, source))


# ---------------------------------------------------------------------------------------------------------------------
# nonzero


@public()
def nonzero(input: Tensor, *, out: Any = None, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: one row each, or one tensor a dimension.

    >>> torch.tensor([0, 5, 6]).nonzero()
    tensor([[1],
            [2]])
    """
    array = realize(input)
    if as_tuple:
        return tuple(wrap(np.ascontiguousarray(p)) for p in np.nonzero(np.atleast_1d(array)))
    found = wrap(_positions(array))
    if out is None:
        return found
    from .public import write_out

    return write_out(out, found, "nonzero")


def _positions(array: np.ndarray) -> np.ndarray:
    """One row for each element that is not zero; stored column by column, as PyTorch's are."""
    if not array.ndim:
        return np.zeros((int(bool(array)), 0), "int64")
    return np.array(np.nonzero(array), "int64").T


@public()
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one row each."""
    return nonzero(input)


@public(out=True)
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` positions of elements that are not zero; missing rows are full of `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    positions = _positions(realize(input))
    found = np.full((size, positions.shape[1]), fill_value, "int64")
    found[: min(size, len(positions))] = positions[:size]
    return wrap(found)


# ---------------------------------------------------------------------------------------------------------------------
# isin


def _isin(x: Any, y: Any, *, invert: bool) -> np.ndarray:
    return np.isin(x, y, invert=invert)


ISIN = operation("isin", lambda x, y, *, invert: spec_of(x.shape, dtypes.bool_), _isin)


@public(method=False, out=True, keywords={"element": "elements", "test_element": "test_elements"})
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among `test_elements` (not among them, with `invert`).

    >>> torch.isin(torch.tensor([1, 2]), torch.tensor([2, 3]))
    tensor([False,  True])
    """
    for t in (elements, test_elements):
        if isinstance(t, Tensor) and (t.is_complex() or t.dtype is dtypes.bool_):
            raise RuntimeError(f"Unsupported input type encountered for isin(): {t.dtype.scalar_name}")
    return apply(ISIN, (elements, test_elements), (bool(invert),))


# ---------------------------------------------------------------------------------------------------------------------
# nan_to_num, lerp


def _nan_to_num(x: np.ndarray, nan: float, high: float, low: float) -> np.ndarray:
    found = np.array(x, copy=True)
    if x.dtype.kind == "c":
        for part in (found.real, found.imag):
            part[...] = _nan_to_num(part, nan, high, low)
        return found
    np.copyto(found, nan, where=np.isnan(x))
    np.copyto(found, high, where=x == np.inf)
    np.copyto(found, low, where=x == -np.inf)
    return found


def _finite_part(g: Tensor, x: Tensor) -> Tensor:
    return where((x - x) == 0, g, 0)


def _nan_to_num_symbols(x: Any, *replaced: Any) -> Any:
    nan, high, low = (number.astype(x.dtype) for number in replaced)
    infinite = np.where(x == np.inf, high, np.where(x == -np.inf, low, x))
    return np.where(np.isnan(x), nan, infinite)


NAN_TO_NUM = operation("nan_to_num", lambda x, nan, high, low: fresh(x), _nan_to_num)
NAN_TO_NUM.lower = _nan_to_num_symbols
NAN_TO_NUM.gradient(x=_finite_part)


@public(inplace=True, out=True)
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest and smallest finite numbers).

    >>> torch.tensor([float("nan"), 1.]).nan_to_num()
    tensor([0., 1.])
    """
    kind = settle(input).spec.dtype
    if not (kind.is_floating_point or kind.is_complex):
        return input.clone()
    limits = finfo(kind.to_real() if kind.is_complex else kind)
    high = limits.max if posinf is None else float(posinf)
    low = limits.min if neginf is None else float(neginf)
    return apply(NAN_TO_NUM, (input, 0.0 if nan is None else float(nan), high, low))


def _lerp(x: Any, y: Any, weight: Any) -> Any:
    near = np.abs(weight) < 0.5
    return np.where(near, x + weight * (y - x), y - (y - x) * (1 - weight))


def _lerp_spec(x: Spec, y: Spec, weight: Spec) -> Spec:
    if y.dtype is not x.dtype:
        raise RuntimeError(f"expected dtype {_c_type(x.dtype)} for `end` but got dtype {_c_type(y.dtype)}")
    if not weight.wrapped and weight.ndim and weight.dtype is not x.dtype:
        raise RuntimeError(f"expected dtype {_c_type(x.dtype)} for `weight` but got dtype {_c_type(weight.dtype)}")
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        kernel = "lerp_kernel_scalar" if weight.wrapped else "lerp_kernel_tensor"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{x.dtype.scalar_name}'")
    return broadcast((x, y, weight), x.dtype)


def _c_type(kind: Any) -> str:
    names = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int", "float16": "c10::Half"}
    return names.get(kind.name, kind.name)


LERP = operation("lerp", _lerp_spec, _lerp, compute=lambda x, y, weight: x.dtype)
LERP_TENSOR = operation("lerp_tensor", _lerp_spec, _lerp, compute=lambda x, y, weight: x.dtype, node="LerpBackward1")
for _op in (LERP, LERP_TENSOR):
    _op.gradient(
        x=lambda g, weight: g * (1 - conj(weight)),
        y=lambda g, weight: g * conj(weight),
        weight=lambda g, x, y: g * conj(y - x),
    )


@public(inplace=True, out=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """`input + weight * (end - input)`, broadcast.

    >>> torch.tensor([0., 2.]).lerp(torch.tensor([1., 4.]), 0.5)
    tensor([0.5000, 3.0000])
    """
    if not isinstance(end, Tensor):
        raise TypeError(f"lerp(): argument 'end' (position 2) must be Tensor, not {type(end).__name__}")
    return apply(LERP_TENSOR if isinstance(weight, Tensor) else LERP, (input, end, weight))
