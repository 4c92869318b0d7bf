"""What is known of a value before its numbers are: shape, strides, dtype and device.

Specs are interned: equal Specs are one object, so a Spec is compared and hashed by identity, which is what makes it a
cheap part of an automaton key. `wrapped` marks a Python number standing among tensors: it takes part in type promotion
with the lowest priority, as in PyTorch (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc).
"""

from __future__ import annotations

import math
from sys import getrefcount

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.device import device
from rushlight.core.strided import contiguous_strides

CPU = device("cpu")

_interned: dict[tuple[object, ...], Spec] = {}
ALONE = 2  # references to a Spec that only `_forget` still has
MANY = 50_000  # Specs, before those are forgotten that nobody uses any more
_limit = MANY


class Spec:
    """Shape, element strides, dtype and device of a value; made by `spec_of` only."""

    __slots__ = (
        "device", "dtype", "is_contiguous", "nbytes", "ndim", "numel", "numpy", "shape", "strides", "wrapped"
    )  # fmt: skip

    def __init__(self, shape: tuple[int, ...], dtype: dtypes.dtype, strides: tuple[int, ...], wrapped: bool) -> None:
        self.shape = shape
        self.dtype = dtype
        self.strides = strides
        self.device = CPU
        self.wrapped = wrapped
        self.ndim = len(shape)
        self.numel = math.prod(shape)
        self.numpy: np.dtype = dtype.numpy
        self.nbytes = self.numel * self.numpy.itemsize
        self.is_contiguous = strides == contiguous_strides(shape)  # the elements lie in row-major order without gaps

    def __repr__(self) -> str:
        kind = "number " if self.wrapped else ""
        layout = "" if self.is_contiguous else f" strides {self.strides}"
        return f"<{kind}{self.dtype} {list(self.shape)}{layout}>"

    def __reduce__(self) -> tuple[object, ...]:
        return spec_of, (self.shape, self.dtype, self.strides, self.wrapped)

    @property
    def byte_strides(self) -> tuple[int, ...]:
        """Strides in bytes, as NumPy counts them."""
        size = self.numpy.itemsize
        return tuple(s * size for s in self.strides)

    def like(self, shape: tuple[int, ...] | None = None, dtype: dtypes.dtype | None = None) -> Spec:
        """A row-major Spec with another shape or dtype; keeps the strides where the shape stays."""
        if shape is None or shape == self.shape:
            return spec_of(self.shape, dtype or self.dtype, self.strides)
        return spec_of(shape, dtype or self.dtype)


def spec_of(
    shape: tuple[int, ...],
    dtype: dtypes.dtype,
    strides: tuple[int, ...] | None = None,
    wrapped: bool = False,
) -> Spec:
    """The one Spec with these properties; row-major where no strides are given."""
    if strides is None:
        strides = contiguous_strides(shape)
    key = (shape, dtype, strides, wrapped)
    found = _interned.get(key)
    if found is None:
        if len(_interned) >= _limit:
            _forget()
        # NumPy's whole numbers are found under Python's, but print otherwise: the one Spec has Python's
        shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
        found = _interned[shape, dtype, strides, wrapped] = Spec(shape, dtype, strides, wrapped)
    return found


def _forget() -> None:
    """Lets go of the Specs that nobody uses: where shapes differ in every step, most."""
    global _limit
    for key in list(_interned):
        spec = _interned.pop(key)
        if getrefcount(spec) > ALONE:
            _interned.setdefault(key, spec)
    _limit = max(MANY, 2 * len(_interned))


#: The Spec of a bare Python number, by its type.
NUMBERS: dict[type, Spec] = {
    bool: spec_of((), dtypes.bool_, wrapped=True),
    int: spec_of((), dtypes.int64, wrapped=True),
    float: spec_of((), dtypes.float64, wrapped=True),
    complex: spec_of((), dtypes.complex128, wrapped=True),
}
