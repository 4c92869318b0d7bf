"""Images of bytes resized in machine code (`codegen/general_images.py`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .general import Kernel, Native, empty, runs
from .upsampling import Axis, in_whole_numbers, whole_weights

U8 = np.dtype(np.uint8)


def _resized(x: Any, axes: tuple[Axis, ...], resize: Native, turn: Native) -> Any:
    """The last dimension first, as the kernel does it."""
    shape = x.shape
    for dim, axis in reversed(list(enumerate(axes, x.ndim - len(axes)))):
        positions, weights, bits = whole_weights(axis)
        front, behind = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
        numbers = positions.shape[1], bits
        if behind > 1:
            out = empty((front, axis.out, behind), U8)
            done = resize(x, out, positions, weights, front, axis.size, axis.out, behind, *numbers)
        else:
            columns, results = empty((axis.size, front), U8), empty((axis.out, front), U8)
            out = empty((front, axis.out), U8)
            done = turn(x, columns, front, axis.size)
            done = done and resize(columns, results, positions, weights, 1, axis.size, axis.out, front, *numbers)
            done = done and turn(results, out, axis.out, front)
        if not done:
            return None
        x, shape = out, (*shape[:dim], axis.out, *shape[dim + 1 :])
    return x.reshape(shape)


@runs(
    "UpsampleBilinear2D", "UpsampleBicubic2D", "UpsampleBilinear2DAa", "UpsampleBicubic2DAa", "UpsampleLanczos2DAa",
    function=("resize_bytes", "turn_bytes"),
)  # fmt: skip
def _resizing(kernel: Kernel, *functions: Native) -> Kernel:
    resize, turn = functions[0], functions[2]  # bytes are the same whatever the floats are

    def run(x: Any, *, axes: tuple[Axis, ...]) -> Any:
        if x.dtype is U8 and in_whole_numbers(x, axes):
            found = _resized(np.ascontiguousarray(x), axes, resize, turn)
            if found is not None:
                return found
        return kernel(x, axes=axes)

    return run
