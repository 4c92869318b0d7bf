"""Rows of `ops.joining` and `ops.repetition`: joining, taking apart, repeating and reordering."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from . import Case

KEPT = {"int64": "int64", "bool": "bool", "complex64": "complex64", "uint8": "uint8"}
IMAGES = np.arange(48.0).reshape(2, 2, 3, 4)


def _blocks(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    whole = np.zeros((4, 6))
    whole[:2, :3], whole[2:3, 3:5], whole[3, 5] = x, y, z
    return whole


def _turned(k: int) -> Any:
    return lambda x: np.rot90(x, k)


CASES = [
    Case(
        "cat",
        lambda t, x, y: t.cat([x, y]),
        [(2, 3), (1, 3)],
        lambda x, y: np.concatenate([x, y]),
        dtypes=KEPT,
        out=lambda t, out, x, y: t.cat([x, y], out=out),
    ),
    Case(
        "cat [dim]",
        lambda t, x, y, z: t.cat((x, y, z), dim=-1),
        [(2, 3), (2, 1), (2, 2)],
        lambda x, y, z: np.concatenate([x, y, z], 1),
    ),
    Case("cat [of one, twice]", lambda t, x: t.cat([x, x], 1), [(2, 3)], lambda x: np.concatenate([x, x], 1)),
    Case("cat [empty vectors count for nothing]", lambda t, x, y: t.cat([y, x, y]), [(2, 3), (0,)], lambda x, y: x),
    Case(
        "cat [promotes]", lambda t, x, y: t.cat([x, y]), [(2,), np.array([3, 4])], lambda x, y: np.concatenate([x, y])
    ),
    Case(
        "cat [channels last]",
        lambda t, x: t.cat([x.to(memory_format=t.channels_last)] * 2, 1),
        [(2, 3, 2, 2)],
        lambda x: np.concatenate([x, x], 1),
    ),
    Case("concat", lambda t, x, y: t.concat([x, y], axis=1), [(2, 3), (2, 1)], lambda x, y: np.concatenate([x, y], 1)),
    Case(
        "stack",
        lambda t, x, y: t.stack([x, y]),
        [(2, 3), (2, 3)],
        lambda x, y: np.stack([x, y]),
        dtypes=KEPT,
        out=lambda t, out, x, y: t.stack([x, y], out=out),
    ),
    Case("stack [last]", lambda t, x, y: t.stack([x, y], -1), [(2, 3), (2, 3)], lambda x, y: np.stack([x, y], -1)),
    Case("stack [numbers]", lambda t, x, y: t.stack([x, y]), [(), ()], lambda x, y: np.stack([x, y])),
    Case("hstack", lambda t, x, y: t.hstack([x, y]), [(2, 3), (2, 1)], lambda x, y: np.hstack([x, y])),
    Case("hstack [vectors]", lambda t, x, y: t.hstack([x, y]), [(2,), ()], lambda x, y: np.hstack([x, y])),
    Case("vstack", lambda t, x, y: t.vstack([x, y]), [(3,), (2, 3)], lambda x, y: np.vstack([x, y])),
    Case("dstack", lambda t, x, y: t.dstack([x, y]), [(3,), (3,)], lambda x, y: np.dstack([x, y])),
    Case("column_stack", lambda t, x, y: t.column_stack([x, y]), [(3,), (3, 2)], lambda x, y: np.column_stack([x, y])),
    Case("block_diag", None, [(2, 3), (2,), ()], _blocks, dtypes=KEPT),
    Case("atleast_1d", None, [()], np.atleast_1d),
    Case("atleast_2d", None, [(3,)], np.atleast_2d),
    Case("atleast_3d", None, [(2, 3)], np.atleast_3d),
    Case("atleast_3d [vector]", None, [(3,)], np.atleast_3d),
    # taking apart
    Case("tensor_split", None, [(7, 2)], lambda x: np.array_split(x, 3), args=(3,), dtypes=KEPT),
    Case("tensor_split [indices]", None, [(7,)], lambda x: np.split(x, [2, 5]), args=((2, 5),)),
    Case("tensor_split [dim]", None, [(2, 5)], lambda x: np.array_split(x, 2, 1), args=(2,), kwargs={"dim": 1}),
    Case("hsplit", None, [(2, 4)], lambda x: np.hsplit(x, 2), args=(2,)),
    Case("vsplit", None, [(4, 2)], lambda x: np.vsplit(x, [1, 3]), args=([1, 3],)),
    Case("dsplit", None, [(1, 2, 4)], lambda x: np.dsplit(x, 2), args=(2,)),
    Case("chunk", None, [(7,)], lambda x: [x[:3], x[3:6], x[6:]], args=(3,)),
    Case("split", None, [(5, 2)], lambda x: [x[:2], x[2:4], x[4:]], args=(2,)),
    Case("split [sizes]", None, [(2, 5)], lambda x: [x[:, :1], x[:, 1:]], args=([1, 4],), kwargs={"dim": 1}),
    Case("unbind", None, [(2, 3)], lambda x: [x[:, 0], x[:, 1], x[:, 2]], args=(1,)),
    Case("unsafe_split", None, [(5,)], lambda x: [x[:2], x[2:4], x[4:]], args=(2,)),
    Case("unsafe_chunk", None, [(4, 2)], lambda x: [x[:, :1], x[:, 1:]], args=(2, 1)),
    # repetition
    Case("Tensor.repeat", lambda t, x: x.repeat(2, 1, 3), [(2, 3)], lambda x: np.tile(x, (2, 1, 3)), dtypes=KEPT),
    Case("Tensor.repeat [never]", lambda t, x: x.repeat(0, 2), [(2, 3)], np.zeros((0, 6))),
    Case("tile", None, [(2, 3)], lambda x: np.tile(x, 2), args=((2,),)),
    Case("repeat_interleave", None, [(2, 3)], lambda x: np.repeat(x, 2), args=(2,), dtypes=KEPT),
    Case("repeat_interleave [dim]", None, [(2, 3)], lambda x: np.repeat(x, 2, 1), args=(2, 1)),
    Case(
        "repeat_interleave [each]",
        None,
        [(3, 2), np.array([1, 0, 2])],
        lambda x, n: np.repeat(x, n, 0),
        kwargs={"dim": 0},
    ),
    Case("repeat_interleave [positions]", None, [np.array([1, 0, 2])], np.array([0, 2, 2])),
    Case("flip", None, [(2, 3)], lambda x: np.flip(x, (0, 1)), args=([0, -1],), dtypes=KEPT),
    Case("fliplr", None, [(2, 3)], np.fliplr),
    Case("flipud", None, [(2, 3)], np.flipud),
    Case("roll", None, [(2, 3)], lambda x: np.roll(x, 1), args=(1,), dtypes=KEPT),
    Case("roll [dims]", None, [(2, 3)], lambda x: np.roll(x, (1, -2), (0, 1)), args=((1, -2), (0, 1))),
    *[Case(f"rot90 [{k}]", None, [(2, 3)], _turned(k), args=(k,)) for k in (1, 2, -1)],
    Case("rot90 [plane]", None, [(2, 3, 4)], lambda x: np.rot90(x, 1, (2, 0)), args=(1, (2, 0))),
    Case("broadcast_tensors", None, [(3, 1), (2,)], lambda x, y: np.broadcast_arrays(x, y)),
    Case("meshgrid", None, [(2,), (3,)], lambda x, y: np.meshgrid(x, y, indexing="ij"), kwargs={"indexing": "ij"}),
    Case("meshgrid [xy]", None, [(2,), (3,), (2,)], lambda *x: np.meshgrid(*x), kwargs={"indexing": "xy"}),
    Case("cartesian_prod", None, [(2,), (3,)], lambda x, y: np.array(list(itertools.product(x, y)))),
    Case("combinations", None, [(4,)], lambda x: np.array(list(itertools.combinations(x, 3))), args=(3,)),
    Case(
        "combinations [with replacement]",
        None,
        [(3,)],
        lambda x: np.array(list(itertools.combinations_with_replacement(x, 2))),
        kwargs={"with_replacement": True},
    ),
]
