"""Every operation that gives a view, or looks as if it did, written through in both directions.

Each row of the table is a base and a way to look at it. Two cases come from a row: the base is modified and the
view read, and the view is modified and the base, a second view and a flat view are read; each with and without the
numbers being there already, and each with a reader that was recorded before the write and is looked at after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cases import case, look, raises

Make = Callable[[Any], Any]


def vector(t):
    return t.arange(12.0)


def matrix(t):
    return t.arange(12.0).reshape(3, 4).clone()


def square(t):
    return t.arange(9.0).reshape(3, 3).clone()


def cube(t):
    return t.arange(24.0).reshape(2, 3, 4).clone()


def thin(t):
    return t.arange(3.0).reshape(1, 3, 1).clone()


def whole(t):
    return t.arange(6).reshape(2, 3).clone()


def complexes(t):
    return t.tensor([[1 + 2j, 3 - 4j], [5j, 6 + 0j]])


def pairs(t):
    return t.arange(8.0).reshape(2, 2, 2).clone()


# Views (and things that return the tensor itself): what is written to one side has to be seen on the other.
WRITABLE: dict[str, tuple[Make, Callable[[Any, Any], Any]]] = {
    "view": (matrix, lambda t, x: x.view(2, 6)),
    "view_minus_one": (matrix, lambda t, x: x.view(-1)),
    "view_tuple": (cube, lambda t, x: x.view((4, 6))),
    "view_as": (matrix, lambda t, x: x.view_as(t.zeros(4, 3))),
    "reshape": (matrix, lambda t, x: x.reshape(4, 3)),
    "reshape_as": (matrix, lambda t, x: x.reshape_as(t.zeros(6, 2))),
    "reshape_of_transpose_that_stays_a_view": (matrix, lambda t, x: x.t().reshape(4, 3, 1)),
    "t": (matrix, lambda t, x: x.t()),
    "T": (matrix, lambda t, x: x.T),
    "mT": (cube, lambda t, x: x.mT),
    "H": (matrix, lambda t, x: x.H),
    "transpose": (cube, lambda t, x: x.transpose(0, 2)),
    "transpose_negative": (cube, lambda t, x: t.transpose(x, -1, -2)),
    "swapaxes": (cube, lambda t, x: x.swapaxes(0, 1)),
    "swapdims": (cube, lambda t, x: t.swapdims(x, 1, 2)),
    "permute": (cube, lambda t, x: x.permute(2, 0, 1)),
    "permute_function": (cube, lambda t, x: t.permute(x, (1, 2, 0))),
    "movedim": (cube, lambda t, x: x.movedim(0, -1)),
    "moveaxis": (cube, lambda t, x: t.moveaxis(x, (0, 1), (1, 2))),
    "narrow": (matrix, lambda t, x: x.narrow(1, 1, 2)),
    "select": (cube, lambda t, x: x.select(1, 2)),
    "index_int": (matrix, lambda t, x: x[1]),
    "index_negative": (matrix, lambda t, x: x[-1]),
    "index_to_zero_dim": (matrix, lambda t, x: x[1, 2]),
    "slice_rows": (matrix, lambda t, x: x[1:]),
    "slice_step": (vector, lambda t, x: x[1::3]),
    "slice_columns_step": (matrix, lambda t, x: x[:, ::2]),
    "slice_empty": (matrix, lambda t, x: x[3:]),
    "ellipsis": (cube, lambda t, x: x[..., 1]),
    "new_axis": (matrix, lambda t, x: x[:, None, 1:]),
    "diagonal": (matrix, lambda t, x: x.diagonal()),
    "diagonal_offset": (cube, lambda t, x: t.diagonal(x, 1, 1, 2)),
    "diag_of_square_transpose": (square, lambda t, x: x.t().diagonal(-1)),
    "unfold_apart": (vector, lambda t, x: x.unfold(0, 3, 4)),
    "as_strided": (vector, lambda t, x: x.as_strided((2, 3), (5, 2), 1)),
    "squeeze": (thin, lambda t, x: x.squeeze()),
    "squeeze_dim": (thin, lambda t, x: x.squeeze(-1)),
    "squeeze_of_nothing": (matrix, lambda t, x: x.squeeze(0)),
    "squeeze_dims": (thin, lambda t, x: x.squeeze((0, 2))),
    "unsqueeze": (matrix, lambda t, x: x.unsqueeze(1)),
    "split": (matrix, lambda t, x: x.split(2)[0]),
    "split_sizes": (matrix, lambda t, x: t.split(x, [1, 3], dim=1)[1]),
    "chunk": (matrix, lambda t, x: x.chunk(2, 1)[1]),
    "tensor_split": (vector, lambda t, x: x.tensor_split(5)[2]),
    "hsplit": (matrix, lambda t, x: t.hsplit(x, 2)[1]),
    "vsplit": (matrix, lambda t, x: t.vsplit(x, [1])[1]),
    "unbind": (matrix, lambda t, x: x.unbind(1)[2]),
    "iterated_row": (matrix, lambda t, x: list(x)[2]),
    "detach": (matrix, lambda t, x: x.detach()),
    "data": (matrix, lambda t, x: x.data),
    "flatten": (cube, lambda t, x: x.flatten()),
    "flatten_from": (cube, lambda t, x: t.flatten(x, 1)),
    "unflatten": (matrix, lambda t, x: x.unflatten(1, (2, -1))),
    "ravel": (matrix, lambda t, x: x.ravel()),
    "atleast_3d": (matrix, lambda t, x: t.atleast_3d(x)),
    "real": (complexes, lambda t, x: x.real),
    "imag": (complexes, lambda t, x: x.imag),
    "view_as_real": (complexes, lambda t, x: t.view_as_real(x)),
    "view_as_complex": (pairs, lambda t, x: t.view_as_complex(x)),
    "view_dtype_same_size": (matrix, lambda t, x: x.view(t.int32)),
    "view_dtype_smaller": (matrix, lambda t, x: x.view(t.int16)),
    "view_dtype_bytes": (whole, lambda t, x: x.view(t.uint8)),
    "view_dtype_larger": (matrix, lambda t, x: x.view(t.int64)),
    "contiguous_of_contiguous": (matrix, lambda t, x: x.contiguous()),
    "to_same_dtype": (matrix, lambda t, x: x.to(t.float32)),
    "float_of_float": (matrix, lambda t, x: x.float()),
    "conj_of_real": (matrix, lambda t, x: x.conj()),
    "resolve_conj": (matrix, lambda t, x: x.resolve_conj()),
    "nested_slice_of_transpose": (cube, lambda t, x: x.transpose(0, 2)[1:, :, 0]),
    "nested_transpose_slice_transpose": (matrix, lambda t, x: x.t()[1:3].t()),
    "nested_view_row_view_column": (matrix, lambda t, x: x.view(2, 6)[1].view(3, 2)[:, 0]),
    "nested_diagonal_slice": (square, lambda t, x: x.diagonal()[1:]),
    "nested_permute_select_t": (cube, lambda t, x: x.permute(2, 0, 1)[1].t()),
    "nested_squeeze_unsqueeze": (matrix, lambda t, x: x.unsqueeze(0).unsqueeze(-1).squeeze(0)),
    "nested_chunk_of_row": (matrix, lambda t, x: x[1].chunk(2)[1]),
    "nested_flatten_slice": (cube, lambda t, x: x.flatten(1)[:, 3:9:2]),
}

# Several elements of the view stand on one element of the base: reading follows the base, writing is refused.
READ_ONLY: dict[str, tuple[Make, Callable[[Any, Any], Any]]] = {
    "expand": (thin, lambda t, x: x.expand(2, 3, 2)),
    "expand_new_axis": (whole, lambda t, x: x.expand(2, -1, -1)),
    "expand_as": (thin, lambda t, x: x.expand_as(t.zeros(1, 3, 4))),
    "broadcast_to": (thin, lambda t, x: t.broadcast_to(x, (2, 3, 1))),
    "broadcast_tensors": (thin, lambda t, x: t.broadcast_tensors(x, t.zeros(2, 1, 1))[0]),
    "expanded_then_sliced": (thin, lambda t, x: x.expand(2, 3, 2)[:, 1:]),
    "as_strided_zero_stride": (vector, lambda t, x: x.as_strided((3, 2), (0, 1))),
}

# These give new memory: neither side sees what is written to the other.
COPIES: dict[str, tuple[Make, Callable[[Any, Any], Any]]] = {
    "clone": (matrix, lambda t, x: x.clone()),
    "clone_of_transpose": (matrix, lambda t, x: x.t().clone()),
    "contiguous_of_transpose": (matrix, lambda t, x: x.t().contiguous()),
    "reshape_of_transpose": (matrix, lambda t, x: x.t().reshape(-1)),
    "flatten_of_transpose": (matrix, lambda t, x: x.t().flatten()),
    "ravel_of_slice": (matrix, lambda t, x: x[:, 1:].ravel()),
    "double": (matrix, lambda t, x: x.double()),
    "to_copy": (matrix, lambda t, x: x.to(t.float32, copy=True)),
    "index_list": (matrix, lambda t, x: x[[0, 2]]),
    "index_tensor": (matrix, lambda t, x: x[t.tensor([2, 0])]),
    "index_mask": (matrix, lambda t, x: x[x > 4]),
    "index_select": (matrix, lambda t, x: x.index_select(1, t.tensor([1, 3]))),
    "masked_select": (matrix, lambda t, x: t.masked_select(x, x < 5)),
    "flip": (matrix, lambda t, x: x.flip(0)),
    "roll": (matrix, lambda t, x: x.roll(1)),
    "rot90": (matrix, lambda t, x: t.rot90(x)),
    "repeat": (matrix, lambda t, x: x.repeat(1, 1)),
    "tile": (matrix, lambda t, x: t.tile(x, (2,))),
    "cat_of_one": (matrix, lambda t, x: t.cat([x])),
    "stack_of_one": (matrix, lambda t, x: t.stack([x])),
    "tensor_of_tensor": (matrix, lambda t, x: t.tensor(x)),
    "diag_of_vector": (vector, lambda t, x: t.diag(x[:3])),
    "gather": (matrix, lambda t, x: x.gather(1, t.zeros(3, 1, dtype=t.long))),
    "unary_plus_zero": (matrix, lambda t, x: x + 0),
    "tril": (square, lambda t, x: x.tril()),
}


def register_base_write(kind_of_view: str, make: Make, view: Callable[[Any, Any], Any]) -> None:
    @case(name=f"base_write_seen_by_{kind_of_view}")
    def run(t, np):
        seen = []
        for realised in (False, True):
            x = make(t)
            v = view(t, x)
            if realised:
                v.tolist()
            early = v * 2
            x.add_(100)
            seen.append([look(v), early, v + 1])
        return seen


def register_view_write(kind_of_view: str, make: Make, view: Callable[[Any, Any], Any]) -> None:
    @case(name=f"write_through_{kind_of_view}")
    def run(t, np):
        seen = []
        for realised in (False, True):
            x = make(t)
            flat, sibling, v = x.view(-1), view(t, x), view(t, x)
            if realised:
                x.tolist()
                v.tolist()
            early = [x + 0, sibling + 0]
            v.mul_(-1)
            v.add_(3)
            middle = x * 1
            v[...] = v + 1
            seen.append([x, sibling, flat, early, middle, look(v)])
        return seen


def register_refusal(kind_of_view: str, make: Make, view: Callable[[Any, Any], Any]) -> None:
    @case(name=f"write_refused_by_{kind_of_view}")
    def run(t, np):
        x = make(t)
        v = view(t, x)
        return [raises(lambda: v.add_(1)), raises(lambda: v.copy_(v + 1)), raises(lambda: v.zero_()), x, v]


for title, (base, way) in WRITABLE.items():
    register_base_write(title, base, way)
    register_view_write(title, base, way)
for title, (base, way) in READ_ONLY.items():
    register_base_write(title, base, way)
    register_refusal(title, base, way)
for title, (base, way) in COPIES.items():
    register_base_write(title, base, way)
    register_view_write(title, base, way)
