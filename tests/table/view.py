"""Rows of `ops.view`, `ops.reinterpret` and `ops.handle`: other shapes, orders and parts of the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import Case

KEPT = {"int64": "int64", "bool": "bool", "complex64": "complex64"}
COMPLEX = np.array([[1 + 2j, -1j, 3.0], [0.5j, 2 - 1j, -1.0]])


def _in_place(name: str, args: tuple[Any, ...]) -> Any:
    return lambda t, x: getattr(x.contiguous() * 2, f"{name}_")(*args) * 1


CASES = [
    Case(
        "Tensor.view",
        lambda t, x: x.contiguous().view(4, -1),
        [(2, 6)],
        lambda x: x.reshape(4, 3),
        dtypes={"int64": "int64"},
    ),
    Case("reshape", None, [(2, 6)], lambda x: x.reshape(3, 4), args=((3, -1),), dtypes=KEPT),
    Case("reshape [copy]", lambda t, x: x.t().reshape(-1), [(2, 3)], lambda x: x.T.reshape(-1)),
    Case("flatten", None, [(2, 3, 4)], lambda x: x.reshape(2, 12), args=(1,)),
    Case("flatten [number]", None, [()], lambda x: x.reshape(1)),
    Case("ravel", None, [(2, 3)], np.ravel),
    Case("unflatten", None, [(2, 6)], lambda x: x.reshape(2, 2, 3), args=(1, (2, -1))),
    Case("squeeze", None, [(1, 2, 1)], np.squeeze),
    Case("squeeze [dim]", None, [(1, 2, 1)], lambda x: x[0], args=(0,)),
    Case("squeeze [dims]", None, [(1, 2, 1)], np.squeeze, args=((0, 2),)),
    Case("unsqueeze", None, [(2, 3)], lambda x: x[:, :, None], args=(-1,)),
    Case("permute", None, [(2, 3, 4)], lambda x: x.transpose(2, 0, 1), args=((2, 0, 1),), dtypes=KEPT),
    Case("transpose", None, [(2, 3, 4)], lambda x: x.swapaxes(0, -1), args=(0, -1)),
    Case("swapaxes", None, [(2, 3)], lambda x: x.T, args=(0, 1)),
    Case("t", None, [(2, 3)], np.transpose),
    Case("t [vector]", None, [(3,)], lambda x: x),
    Case("movedim", None, [(2, 3, 4)], lambda x: np.moveaxis(x, (0, 1), (2, 0)), args=((0, 1), (2, 0))),
    Case("Tensor.T", lambda t, x: x.T, [(2, 3)], np.transpose),
    Case("Tensor.mT", lambda t, x: x.mT, [(2, 3, 4)], lambda x: x.swapaxes(1, 2)),
    Case("Tensor.H", lambda t, x: x.H, [COMPLEX], lambda x: x.conj().T, floats=False),
    Case("Tensor.mH", lambda t, x: x.mH, [COMPLEX], lambda x: x.conj().T, floats=False),
    Case(
        "Tensor.expand", lambda t, x: x.expand(2, 3, -1), [(3, 1)], lambda x: np.broadcast_to(x, (2, 3, 1)), dtypes=KEPT
    ),
    Case("broadcast_to", None, [(3, 1)], lambda x: np.broadcast_to(x, (2, 3, 4)), args=((2, 3, 4),)),
    Case("Tensor.sum_to_size", lambda t, x: x.sum_to_size(3, 1), [(2, 3, 4)], lambda x: x.sum((0, 2))[:, None]),
    Case("select", None, [(2, 3)], lambda x: x[:, -1], args=(1, -1)),
    Case("narrow", None, [(2, 5)], lambda x: x[:, 1:4], args=(1, 1, 3)),
    Case("narrow_copy", None, [(2, 5)], lambda x: x[:, 1:4], args=(1, 1, 3)),
    Case("diagonal", None, [(2, 3, 4)], lambda x: np.diagonal(x, 1, 2, 1), args=(1, 2, 1)),
    Case("Tensor.unfold", lambda t, x: x.unfold(1, 3, 2), [(2, 7)], lambda x: sliding_window_view(x, 3, 1)[:, ::2]),
    Case("Tensor.unfold [overlapping]", lambda t, x: x.unfold(0, 2, 1), [(5,)], lambda x: sliding_window_view(x, 2)),
    Case(
        "as_strided",
        lambda t, x: x.contiguous().as_strided((2, 2), (1, 3), 1),
        [(2, 3)],
        lambda x: x.ravel()[[[1, 4], [2, 5]]],
    ),
    Case(
        "as_strided [overlapping]",
        lambda t, x: x.contiguous().as_strided((3, 2), (1, 1)),
        [(4,)],
        lambda x: sliding_window_view(x, 2),
    ),
    # complex numbers
    Case("view_as_real", None, [COMPLEX], lambda x: np.stack([x.real, x.imag], -1), floats=False),
    Case("view_as_complex", lambda t, x: t.view_as_complex(x.contiguous()), [(2, 3, 2)], None, floats=False),
    Case("real", None, [COMPLEX], np.real, floats=False),
    Case("imag", None, [COMPLEX], np.imag, floats=False),
    # copies and handles
    *[
        Case(f"{name}_copy", None, [(2, 3)], reference, args=args)
        for name, reference, args in (
            ("permute", np.transpose, ((1, 0),)),
            ("expand", lambda x: x[None].repeat(2, 0), ((2, 2, 3),)),
            ("select", lambda x: x[0], (0, 0)),
            ("slice", lambda x: x[1:], (0, 1)),
            ("t", np.transpose, ()),
            ("unsqueeze", lambda x: x[None], (0,)),
            ("transpose", np.transpose, (0, 1)),
            ("diagonal", np.diagonal, ()),
            ("unbind", lambda x: [x[0], x[1]], ()),
        )
    ],
    Case("view_copy", lambda t, x: t.view_copy(x.contiguous(), (3, 2)), [(2, 3)], lambda x: x.reshape(3, 2)),
    *[
        Case(f"Tensor.{name}_", _in_place(name, args), [shape], reference)
        for name, shape, args, reference in (
            ("t", (2, 3), (), lambda x: 2 * x.T),
            ("transpose", (2, 3, 4), (0, 2), lambda x: 2 * x.swapaxes(0, 2)),
            ("unsqueeze", (3,), (0,), lambda x: 2 * x[None]),
            ("squeeze", (1, 3), (), lambda x: 2 * x[0]),
            ("swapaxes", (2, 3), (0, 1), lambda x: 2 * x.T),
            ("as_strided", (2, 3), ((2,), (2,), 1), lambda x: 2 * x.ravel()[1:5:2]),
        )
    ],
    Case("unravel_index", None, [np.array([5, 3])], (np.array([1, 1]), np.array([2, 0])), args=((2, 3),)),
    Case("alias_copy", None, [(2, 3)], lambda x: x),
    Case("detach_copy", None, [(2, 3)], lambda x: x, gradient=False),
    Case(
        "as_strided_copy",
        lambda t, x: t.as_strided_copy(x.contiguous(), (2, 2), (1, 3), 1),
        [(2, 3)],
        lambda x: x.ravel()[[[1, 4], [2, 5]]],
    ),
    Case("split_copy", None, [(3, 2)], lambda x: [x[:2], x[2:]], args=(2,)),
    Case("split_with_sizes_copy", None, [(3, 2)], lambda x: [x[:1], x[1:]], args=([1, 2],)),
    Case("squeeze_copy", None, [(2, 1, 3)], lambda x: x[:, 0], args=(1,)),
    Case("unfold_copy", None, [(2, 5)], lambda x: sliding_window_view(x, 2, 1)[:, ::2], args=(1, 2, 2)),
    Case("view_as_real_copy", None, [COMPLEX], lambda x: np.stack([x.real, x.imag], -1), floats=False),
    Case(
        "view_as_complex_copy",
        lambda t, x: t.view_as_complex_copy(x.contiguous()),
        [(2, 3, 2)],
        lambda x: x[..., 0] + 1j * x[..., 1],
        floats=False,
        pytorch=False,
    ),
    Case("Tensor.squeeze_ [dim]", _in_place("squeeze", (1,)), [(2, 1, 3)], lambda x: 2 * x[:, 0]),
    Case("Tensor.squeeze_ [dims]", _in_place("squeeze", ((0, 2),)), [(1, 2, 1)], lambda x: 2 * x[0, :, 0]),
    Case(
        "Tensor.view [dtype]",
        lambda t, x: x.contiguous().view(t.int32),
        [(2, 3)],
        lambda x: x.astype("float32").view("int32"),
        gradient=False,
        floats=False,
    ),
]
