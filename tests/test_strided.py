"""Stride arithmetic, against PyTorch's answers written down here and against NumPy's views of the same memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from rushlight.core import dtype as dtypes
from rushlight.core import strided
from rushlight.core.strided import Layout, Shape, Strides

MEMORY = np.arange(20000)


def layout(shape: Shape, strides: Strides, offset: int = 0) -> np.ndarray[Any, Any]:
    """The elements of a layout, as a NumPy view of MEMORY."""
    assert offset >= 0 and (0 in shape or offset + strided.extent(shape, strides) <= MEMORY.size)
    return as_strided(MEMORY[offset:], shape, [stride * MEMORY.itemsize for stride in strides])


def random_layout(generator: random.Random, shape: Shape) -> Layout:
    """A layout of this shape: dimensions in any order, gaps, sometimes an expanded dimension."""
    strides = [0] * len(shape)
    step = generator.choice([1, 1, 2])
    for dim in generator.sample(range(len(shape)), len(shape)):
        strides[dim] = step
        step *= max(shape[dim], 1) + generator.choice([0, 0, 0, 1])
    if shape and generator.random() < 0.2:
        strides[generator.randrange(len(shape))] = 0
    return shape, tuple(strides), generator.choice([0, 0, 3])


def random_shape(generator: random.Random, ndim: int, sizes: tuple[int, ...] = (0, 1, 1, 2, 3, 4)) -> Shape:
    return tuple(generator.choice(sizes) for _ in range(ndim))


def assert_same_elements(ours: Layout, numpys: np.ndarray[Any, Any]) -> None:
    assert ours[0] == numpys.shape
    np.testing.assert_array_equal(layout(*ours), numpys)


# --- strides of results: PyTorch's answers ---------------------------------------------------------------------------

# operands (shape, strides), shape of the result, strides PyTorch 2.13 gave it
ELEMENTWISE: list[tuple[list[tuple[Shape, Strides]], Shape, Strides]] = [
    ([((2, 3), (1, 2))], (2, 3), (1, 2)),
    ([((2, 3), (1, 2)), ((), ())], (2, 3), (1, 2)),
    ([((2, 3), (1, 2)), ((2, 3), (3, 1))], (2, 3), (1, 2)),
    ([((2, 3), (3, 1)), ((2, 3), (1, 2))], (2, 3), (3, 1)),
    ([((3,), (1,)), ((2, 3), (1, 2))], (2, 3), (1, 2)),
    ([((2, 0), (1, 2))], (2, 0), (1, 1)),
    ([((3, 1, 1), (1, 1, 1)), ((3, 1, 1), (2, 1, 6))], (3, 1, 1), (1, 1, 3)),
    ([((1, 4, 2, 5), (1, 1, 4, 8))], (1, 4, 2, 5), (1, 1, 4, 8)),
    ([((2, 1, 4, 5), (4, 7, 1, 0)), ((2, 1, 4, 1), (1, 8, 2, 2))], (2, 1, 4, 5), (20, 40, 5, 1)),
    ([((5, 5, 4, 1), (5, 1, 25, 25)), ((5, 5, 4, 1), (5, 1, 0, 1))], (5, 5, 4, 1), (5, 1, 25, 25)),
    ([((3, 2, 4, 1), (16, 1, 4, 64))], (3, 2, 4, 1), (8, 1, 2, 24)),
    (
        [((4, 4, 1, 1), (1, 4, 1, 1)), ((1, 4, 1, 1), (16, 1, 4, 8)), ((4, 1, 1, 1), (1, 1, 5, 5))],
        (4, 4, 1, 1),
        (1, 4, 4, 4),
    ),
    ([((1, 1, 1), (2, 7, 1)), ((5, 1, 1), (1, 5, 5)), ((5, 1, 1), (2, 2, 2))], (5, 1, 1), (1, 5, 5)),
    ([((2, 1, 1, 1), (4, 2, 8, 4)), ((2, 1, 1, 1), (1, 10, 5, 10))], (2, 1, 1, 1), (1, 1, 2, 2)),
    ([((1, 2, 2, 4), (16, 1, 8, 2)), ((2, 2, 2, 4), (8, 16, 4, 1))], (2, 2, 2, 4), (16, 1, 8, 2)),
    (
        [((5, 1, 0, 4), (5, 25, 50, 1)), ((5, 1, 0, 1), (3, 1, 3, 3)), ((5, 1, 0, 4), (0, 1, 4, 1))],
        (5, 1, 0, 4),
        (4, 20, 20, 1),
    ),
    ([((2, 2, 3), (3, 12, 1))], (2, 2, 3), (3, 6, 1)),
    ([((2, 1, 5), (5, 5, 1)), ((2, 1, 5), (1, 10, 2))], (2, 1, 5), (5, 10, 1)),
    ([((1, 1), (1, 1)), ((1, 2), (1, 1)), ((1, 1), (100, 2))], (1, 2), (1, 1)),
    ([((), ()), ((3, 5, 4), (20, 1, 5))], (3, 5, 4), (20, 1, 5)),
    ([((5, 2, 1), (4, 1, 2)), ((5, 2, 1), (2, 1, 10))], (5, 2, 1), (2, 1, 2)),
    ([((1, 2, 3, 2), (6, 6, 1, 3)), ((1, 2, 3, 2), (12, 1, 2, 6))], (1, 2, 3, 2), (6, 6, 1, 3)),
    ([((3, 3, 4, 3), (14, 168, 42, 1)), ((3, 3, 4, 3), (36, 4, 1, 12))], (3, 3, 4, 3), (3, 36, 9, 1)),
    (
        [((4, 3, 2, 1), (6, 1, 3, 3)), ((4, 1, 2, 1), (2, 2, 1, 2)), ((4, 1, 2, 1), (0, 8, 1, 2))],
        (4, 3, 2, 1),
        (6, 1, 3, 6),
    ),
    ([((2, 3), (1, 2))], (2, 3), (1, 2)),
    (
        [((5, 1, 1, 2), (2, 2, 1, 1)), ((1, 2, 1, 1), (2, 1, 2, 2)), ((5, 2, 3, 2), (1, 24, 6, 72))],
        (5, 2, 3, 2),
        (12, 3, 1, 6),
    ),
    ([((3, 3), (3, 1)), ((3,), (1,))], (3, 3), (3, 1)),
    ([((4, 5, 5), (25, 1, 5)), ((), ()), ((4, 1, 5), (5, 1, 1))], (4, 5, 5), (25, 1, 5)),
    ([((2,), (1,)), ((1, 1, 2), (7, 2, 0))], (1, 1, 2), (2, 2, 1)),
    ([((2, 3, 4, 1), (3, 1, 18, 9)), ((2, 3, 4, 1), (3, 1, 6, 6))], (2, 3, 4, 1), (3, 1, 6, 6)),
    ([((0, 1, 1), (2, 6, 2)), ((1, 1), (1, 1))], (0, 1, 1), (1, 0, 0)),
    ([((1,), (1,)), ((3, 1, 1, 1), (1, 1, 3, 3)), ((3, 1, 1, 1), (0, 3, 3, 1))], (3, 1, 1, 1), (1, 1, 3, 3)),
    ([((1, 1, 1), (1, 1, 1)), ((1, 5, 1), (2, 2, 1)), ((1,), (1,))], (1, 5, 1), (1, 1, 1)),
    ([((2, 1), (1, 1)), ((1, 1, 1), (1, 1, 2)), ((4, 2, 1), (1, 8, 16))], (4, 2, 1), (1, 4, 8)),
    ([((3, 5, 1, 1), (1, 3, 3, 3))], (3, 5, 1, 1), (1, 3, 3, 3)),
    ([((5, 1, 5, 4), (1, 5, 80, 10)), ((5, 1, 5, 4), (12, 4, 120, 1))], (5, 1, 5, 4), (1, 5, 20, 5)),
    ([((3, 4), (4, 1)), ((1, 4), (1, 1)), ((3, 4), (1, 3))], (3, 4), (4, 1)),
    ([((1, 3), (7, 0)), ((1, 1, 1, 3), (3, 3, 1, 1))], (1, 1, 1, 3), (3, 3, 1, 1)),
    ([((3, 1, 3, 3), (3, 9, 9, 1)), ((3, 3), (0, 1))], (3, 1, 3, 3), (3, 9, 9, 1)),
    ([((4, 1, 2), (1, 7, 0)), ((4, 1, 2), (2, 2, 1)), ((4, 1, 1), (1, 1, 4))], (4, 1, 2), (2, 8, 1)),
    ([((1, 5, 5, 1), (25, 0, 5, 5)), ((1, 5, 5, 1), (5, 1, 5, 1))], (1, 5, 5, 1), (25, 1, 5, 1)),
    ([((3,), (1,)), ((1, 4, 1, 3), (12, 1, 4, 4)), ((1, 4, 1, 3), (12, 1, 12, 4))], (1, 4, 1, 3), (12, 1, 4, 4)),
    ([((1, 1, 1), (1, 1, 1)), ((0, 5, 3), (5, 1, 5)), ((0, 5, 3), (1, 3, 1))], (0, 5, 3), (5, 1, 0)),
    ([((3, 4), (1, 3)), ((3, 4), (1, 3))], (3, 4), (1, 3)),
    ([((3, 1, 3), (7, 7, 1))], (3, 1, 3), (3, 3, 1)),
    ([((5, 3, 1, 1), (3, 1, 15, 15)), ((5, 3, 1, 1), (12, 2, 1, 2))], (5, 3, 1, 1), (3, 1, 15, 15)),
    ([((), ()), ((1, 5, 2), (2, 2, 1))], (1, 5, 2), (2, 2, 1)),
    ([((1, 1, 5, 4), (20, 1, 4, 1)), ((1, 1, 1, 1), (1, 1, 1, 1))], (1, 1, 5, 4), (20, 1, 4, 1)),
    ([((1, 3, 3, 1), (3, 1, 3, 3))], (1, 3, 3, 1), (9, 1, 3, 3)),
    ([((1, 4, 3, 1), (4, 0, 4, 4)), ((1, 4, 3, 1), (4, 1, 8, 4))], (1, 4, 3, 1), (4, 1, 4, 4)),
    ([((2, 4, 0, 3), (1, 6, 1, 2)), ((2, 1, 0, 1), (2, 2, 2, 2))], (2, 4, 0, 3), (0, 0, 1, 0)),
    ([((1, 2, 1, 1), (4, 16, 2, 8)), ((3, 4), (1, 3))], (1, 2, 3, 4), (12, 12, 1, 3)),
    ([((4, 4), (1, 4)), ((4, 4), (4, 1))], (4, 4), (1, 4)),
    ([((4, 5), (1, 4)), ((), ())], (4, 5), (1, 4)),
]

# shape, strides, strides of PyTorch's clone() of it
PRESERVED: list[tuple[Shape, Strides, Strides]] = [
    ((1, 5, 3, 1), (15, 1, 5, 5), (15, 1, 5, 5)),
    ((5, 4), (1, 5), (1, 5)),
    ((4, 1), (1, 8), (1, 8)),
    ((4, 2), (2, 1), (2, 1)),
    ((3, 2), (1, 6), (1, 3)),
    ((2, 4, 1), (2, 4, 1), (1, 2, 1)),
    ((1, 2, 3, 4), (12, 12, 0, 3), (12, 12, 4, 1)),
    ((3, 1, 5), (2, 1, 6), (1, 1, 3)),
    ((2, 1, 1), (1, 2, 2), (1, 2, 2)),
    ((2, 1), (1, 2), (1, 2)),
    ((0, 5, 1, 1), (5, 1, 5, 1), (5, 1, 5, 1)),
    ((1, 2, 4, 1), (1, 1, 2, 1), (1, 1, 2, 1)),
    ((4, 1, 5, 5), (25, 1, 5, 1), (25, 1, 5, 1)),
    ((4, 2, 1, 4), (5, 20, 20, 1), (4, 16, 16, 1)),
    ((5, 1, 1, 4), (2, 2, 2, 44), (1, 1, 1, 5)),
    ((3, 1, 1, 5), (10, 5, 30, 1), (5, 5, 15, 1)),
    ((1, 0, 5), (1, 2, 2), (1, 2, 2)),
    ((5, 5, 5, 2), (30, 150, 5, 1), (10, 50, 2, 1)),
    ((5, 2, 2), (4, 2, 1), (4, 2, 1)),
    ((0, 5), (1, 0), (1, 0)),
]


@pytest.mark.parametrize(("operands", "shape", "strides"), ELEMENTWISE)
def test_elementwise_strides(operands: list[tuple[Shape, Strides]], shape: Shape, strides: Strides) -> None:
    assert strided.broadcast_shapes(*(operand[0] for operand in operands)) == shape
    assert strided.elementwise_strides(operands, shape) == strides


@pytest.mark.parametrize(("shape", "strides", "preserved"), PRESERVED)
def test_preserve_strides(shape: Shape, strides: Strides, preserved: Strides) -> None:
    assert strided.preserve_strides(shape, strides) == preserved


def test_results_are_always_dense() -> None:
    generator = random.Random(1)
    for _ in range(300):
        shape = random_shape(generator, generator.randrange(5), (1, 2, 3, 4))
        operands = [random_layout(generator, shape)[:2] for _ in range(generator.randint(1, 3))]
        for strides in (strided.elementwise_strides(operands, shape), strided.preserve_strides(*operands[0])):
            assert strided.is_non_overlapping_and_dense(shape, strides)


# --- questions -------------------------------------------------------------------------------------------------------


def test_contiguous_strides() -> None:
    assert strided.contiguous_strides(()) == ()
    assert strided.contiguous_strides((2, 3, 4)) == (12, 4, 1)
    assert strided.contiguous_strides((2, 0, 3)) == (3, 3, 1)
    assert strided.channels_last_strides((2, 3, 4, 5)) == (60, 1, 15, 3)
    assert strided.channels_last_strides((2, 3, 4, 5, 6)) == (360, 1, 90, 18, 3)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        strided.channels_last_strides((2, 3))


@pytest.mark.parametrize(
    ("shape", "strides", "contiguous", "dense", "overlaps", "extent"),
    [
        ((), (), True, True, False, 1),
        ((3,), (1,), True, True, False, 3),
        ((3,), (2,), False, False, False, 5),
        ((2, 3), (3, 1), True, True, False, 6),
        ((2, 3), (1, 2), False, True, False, 6),
        ((2, 3), (4, 1), False, False, False, 7),
        ((2, 3), (0, 1), False, False, True, 3),
        ((1, 3), (0, 1), True, True, False, 3),
        ((3, 1), (1, 99), True, True, False, 3),
        ((0, 3), (7, 5), True, True, False, 0),
        ((2, 2), (1, 1), False, False, False, 3),
    ],
)
def test_questions(shape: Shape, strides: Strides, contiguous: bool, dense: bool, overlaps: bool, extent: int) -> None:
    assert strided.is_contiguous(shape, strides) is contiguous
    assert strided.is_non_overlapping_and_dense(shape, strides) is dense
    assert strided.has_internal_overlap(shape, strides) is overlaps
    assert strided.extent(shape, strides) == extent
    assert strided.numel(shape) == int(np.prod(shape))


def test_channels_last() -> None:
    shape = (2, 3, 4, 5)
    nhwc, nchw = strided.channels_last_strides(shape), strided.contiguous_strides(shape)
    assert strided.is_channels_last(shape, nhwc) and not strided.is_channels_last(shape, nchw)
    assert strided.has_channels_last_strides(shape, nhwc) and not strided.has_channels_last_strides(shape, nchw)
    # one channel, no image: both formats at once, and PyTorch then keeps NCHW
    assert strided.is_channels_last((2, 3, 1, 1), (3, 1, 1, 1)) and strided.is_contiguous((2, 3, 1, 1), (3, 1, 1, 1))
    assert not strided.has_channels_last_strides((2, 3, 1, 1), (3, 1, 1, 1))
    assert strided.has_channels_last_strides((2, 3, 2, 2), (24, 1, 12, 6))  # with gaps
    assert not strided.is_channels_last((2, 3, 2, 2), (24, 1, 12, 6))
    assert not strided.is_channels_last((2, 3), (3, 1))


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_broadcast_shapes() -> None:
    assert strided.broadcast_shapes() == ()
    assert strided.broadcast_shapes((2, 1), (3,), (), (1, 1, 1)) == (1, 2, 3)
    assert strided.broadcast_shapes((0,), (1,)) == (0,)
    generator = random.Random(2)
    for _ in range(200):
        shapes = [random_shape(generator, generator.randrange(4)) for _ in range(2)]
        try:
            expected = np.broadcast_shapes(*shapes)
        except ValueError:
            with pytest.raises(RuntimeError, match="must match the size of tensor b"):
                strided.broadcast_shapes(*shapes)
        else:
            assert strided.broadcast_shapes(*shapes) == expected


def test_dimensions() -> None:
    assert [strided.normalize_dim(dim, 3) for dim in range(-3, 3)] == [0, 1, 2, 0, 1, 2]
    assert strided.normalize_dim(-1, 0) == strided.normalize_dim(0, 0) == 0
    assert strided.normalize_dims((-1, 0), 3) == (2, 0)


def test_infer_size() -> None:
    assert strided.infer_size((2, -1), 6) == (2, 3)
    assert strided.infer_size((), 1) == ()
    assert strided.infer_size((-1,), 0) == (0,)
    assert strided.infer_size([-1, 3], 0) == (0, 3)


def test_flatten_and_unflatten() -> None:
    assert strided.flatten_shape((2, 3, 4)) == (24,)
    assert strided.flatten_shape((2, 3, 4), 1, -1) == (2, 12)
    assert strided.flatten_shape((2, 3, 4), 1, 1) == (2, 3, 4)
    assert strided.flatten_shape(()) == (1,)
    assert strided.unflatten_shape((2, 12), -1, (3, -1)) == (2, 3, 4)


def test_chunks_and_splits() -> None:
    assert strided.chunk_sizes((2, 7), 3, 1) == (3, 3, 1)
    assert strided.chunk_sizes((4,), 3, 0) == (2, 2)  # fewer than asked for
    assert strided.chunk_sizes((0,), 3, 0) == (0, 0, 0)
    assert strided.split_sizes((7,), 3, 0) == (3, 3, 1)
    assert strided.split_sizes((6,), 3, 0) == (3, 3)
    assert strided.split_sizes((0,), 3, 0) == strided.split_sizes((0,), 0, 0) == (0,)
    assert strided.split_sizes((7,), [3, 4], -1) == (3, 4)


# --- views, beside NumPy's -------------------------------------------------------------------------------------------


def test_views_are_numpys() -> None:
    generator = random.Random(3)
    for _ in range(300):
        ndim = generator.randint(1, 4)
        old = random_layout(generator, random_shape(generator, ndim))
        array = layout(*old)
        dims = generator.sample(range(-ndim, 0), ndim)
        dim, other = dims[0], dims[-1]
        assert_same_elements(strided.permute(*old, dims), array.transpose(dims))
        assert_same_elements(strided.transpose(*old, dim, other), array.swapaxes(dim, other))
        assert_same_elements(strided.unsqueeze(*old, dim), np.expand_dims(array, dim))
        assert_same_elements(strided.squeeze(*old), array.squeeze())
        if array.shape[dim] == 1:
            assert_same_elements(strided.squeeze(*old, dim), array.squeeze(dim))
        moved = strided.movedim_order(ndim, (dim,), (other,))
        assert_same_elements(strided.permute(*old, moved), np.moveaxis(array, dim, other))
        start, stop = (generator.choice([None, -5, -2, 0, 1, 3, 9]) for _ in range(2))
        step = generator.randint(1, 3)
        cut = (slice(None),) * (dim % ndim) + (slice(start, stop, step),)
        assert_same_elements(strided.slice_dim(*old, dim, start, stop, step), array[cut])
        if array.shape[dim]:
            index = generator.randrange(-array.shape[dim], array.shape[dim])
            assert_same_elements(strided.select(*old, dim, index), np.asarray(array.take(index, dim)))
        if ndim > 1:
            shift = generator.randint(-4, 4)
            assert_same_elements(strided.diagonal(*old, shift, dim, other), array.diagonal(shift, dim, other))


def test_expand_is_numpys_broadcast() -> None:
    generator = random.Random(4)
    for _ in range(200):
        old = random_layout(generator, random_shape(generator, generator.randrange(4)))
        new = tuple(generator.choice([2, 3]) if size == 1 and generator.random() < 0.5 else size for size in old[0])
        new = random_shape(generator, generator.randrange(3), (1, 2)) + new
        assert_same_elements(strided.expand(*old, new), np.broadcast_to(layout(*old), new))
    # -1 keeps a size; a new dimension of size 1 gets the stride it would have if contiguous
    assert strided.expand_strides((3, 1), (1, 1), (2, -1, 4)) == ((2, 3, 4), (0, 1, 0))
    assert strided.expand_strides((2, 3), (3, 1), (1, 2, 3)) == ((1, 2, 3), (6, 3, 1))
    assert strided.expand_strides((), (), (2, 1)) == ((2, 1), (0, 0))


def test_view_strides_finds_a_view_exactly_where_there_is_one() -> None:
    generator = random.Random(5)
    found = 0
    for _ in range(400):
        old = random_layout(generator, random_shape(generator, generator.randint(1, 4), (1, 2, 2, 3, 4)))
        array = layout(*old)
        factors = [size for size in old[0] for size in ((2, 2) if size == 4 else (size,))]
        new: list[int] = []
        for factor in factors:  # merge and split neighbours, put in ones
            if new and generator.random() < 0.4:
                new[-1] *= factor
            else:
                new.append(factor)
            if generator.random() < 0.2:
                new.append(1)
        strides = strided.view_strides(old[0], old[1], tuple(new))
        try:
            expected = np.reshape(array, new, copy=False)
        except ValueError:
            assert strides is None
        else:
            assert strides is not None
            assert_same_elements((tuple(new), strides, old[2]), expected)
            found += 1
    assert 100 < found < 400


def test_view_of_empty_and_zero_dim_tensors() -> None:
    assert strided.view((0, 3), (3, 1), 0, (2, 0)) == ((2, 0), (1, 1), 0)
    assert strided.view((0, 3), (9, 9), 5, (0, 3)) == ((0, 3), (9, 9), 5)
    assert strided.view((), (), 4, (1, 1)) == ((1, 1), (1, 1), 4)
    assert strided.view((1,), (5,), 4, ()) == ((), (), 4)


def test_narrow_and_unfold() -> None:
    assert strided.narrow((2, 5), (5, 1), 0, 1, -3, 2) == ((2, 2), (5, 1), 2)
    assert strided.narrow((2, 3), (3, 1), 0, 1, 3, 0) == ((2, 0), (3, 1), 3)
    assert strided.unfold((), (), 7, 0, 1, 1) == ((1,), (1,), 7)
    assert strided.unfold((2, 3), (3, 1), 0, 1, 0, 1) == ((2, 4, 0), (3, 1, 1), 0)
    array = layout((3, 9), (11, 1), 2)
    windows = np.lib.stride_tricks.sliding_window_view(array, 4, axis=1)[:, ::2]
    assert_same_elements(strided.unfold((3, 9), (11, 1), 2, 1, 4, 2), windows)


def test_views_as_other_types() -> None:
    f32, f64, i16 = dtypes.float32, dtypes.float64, dtypes.int16
    assert strided.view_dtype((2, 3), (3, 1), 1, f32, i16) == ((2, 6), (6, 1), 2)
    assert strided.view_dtype((2, 4), (6, 1), 2, f32, f64) == ((2, 2), (3, 1), 1)
    assert strided.view_dtype((2, 3), (1, 2), 1, f32, dtypes.int32) == ((2, 3), (1, 2), 1)
    assert strided.view_as_real((2, 3), (3, 1), 1) == ((2, 3, 2), (6, 2, 1), 2)
    assert strided.view_as_complex((2, 3, 2), (6, 2, 1), 2) == ((2, 3), (3, 1), 1)
    assert strided.view_as_complex((1, 3, 2), (7, 2, 1), 0) == ((1, 3), (3, 1), 0)


def test_as_strided() -> None:
    assert strided.as_strided([2, 2], [1, 1], 1, 4, 4) == ((2, 2), (1, 1), 1)
    assert strided.as_strided((0, 2), (100, 1), 0, 1, 4) == ((0, 2), (100, 1), 0)


# --- errors, in PyTorch's words --------------------------------------------------------------------------------------

ERRORS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: strided.broadcast_shapes((3,), (4,)), RuntimeError,
     "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"),
    (lambda: strided.broadcast_shapes((2, 3, 4), (2, 1, 3)), RuntimeError,
     "The size of tensor a (4) must match the size of tensor b (3) at non-singleton dimension 2"),
    (lambda: strided.broadcast_shapes((5, 2), (4, 3)), RuntimeError,
     "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1"),
    (lambda: strided.normalize_dim(2, 2), IndexError,
     "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    (lambda: strided.normalize_dim(-2, 0), IndexError,
     "Dimension out of range (expected to be in range of [-1, 0], but got -2)"),
    (lambda: strided.normalize_dims((0, -2), 2), RuntimeError, "dim 0 appears multiple times in the list of dims"),
    (lambda: strided.infer_size((5,), 6), RuntimeError, "shape '[5]' is invalid for input of size 6"),
    (lambda: strided.infer_size((-1, 4), 6), RuntimeError, "shape '[-1, 4]' is invalid for input of size 6"),
    (lambda: strided.infer_size((-1, -1), 6), RuntimeError, "only one dimension can be inferred"),
    (lambda: strided.infer_size((-2, 3), 6), RuntimeError, "invalid shape dimension -2 at index 0 of shape [-2, 3]"),
    (lambda: strided.infer_size((-1, 0), 0), RuntimeError,
     "cannot reshape tensor of 0 elements into shape [-1, 0] because the unspecified dimension size -1 can be any "
     "value and is ambiguous"),
    (lambda: strided.flatten_shape((2, 3), 1, 0), RuntimeError, "start_dim cannot come after end_dim"),
    (lambda: strided.unflatten_shape((2, 3), 1, (2, 2)), RuntimeError,
     "unflatten: Provided sizes [2, 2] don't multiply up to the size of dim 1 (3) in the input tensor"),
    (lambda: strided.unflatten_shape((2, 3), 1, ()), RuntimeError, "unflatten: sizes must be non-empty"),
    (lambda: strided.unflatten_shape((2, 3), 1, (-1, -1)), RuntimeError, "only one dimension can be inferred"),
    (lambda: strided.chunk_sizes((3,), 0, 0), RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0"),
    (lambda: strided.chunk_sizes((), 1, 0), RuntimeError, "chunk expects at least a 1-dimensional tensor"),
    (lambda: strided.split_sizes((), 1, 0), RuntimeError, "split expects at least a 1-dimensional tensor"),
    (lambda: strided.split_sizes((3,), 0, 0), RuntimeError,
     "split_size can only be 0 if dimension size is 0, but got dimension size of 3"),
    (lambda: strided.split_sizes((3,), -1, 0), RuntimeError, "split_size be non-negative, but got split_size=-1"),
    (lambda: strided.split_sizes((2, 3), (1, 1), 1), RuntimeError,
     "split_with_sizes expects split_sizes to sum exactly to 3 (input tensor's size at dimension 1), but got "
     "split_sizes=[1, 1]"),
    (lambda: strided.split_sizes((3,), (4, -1), 0), RuntimeError,
     "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=[4, -1]"),
    (lambda: strided.view((3, 2), (1, 3), 0, (6,)), RuntimeError,
     "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
     "contiguous subspaces). Use .reshape(...) instead."),
    (lambda: strided.expand((2, 3), (3, 1), 0, (4, 3)), RuntimeError,
     "The expanded size of the tensor (4) must match the existing size (2) at non-singleton dimension 0.  "
     "Target sizes: [4, 3].  Tensor sizes: [2, 3]"),
    (lambda: strided.expand((2, 3), (3, 1), 0, (3,)), RuntimeError,
     "expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to the "
     "number of dimensions in the tensor (2)"),
    (lambda: strided.expand((2, 3), (3, 1), 0, (-1, 2, 3)), RuntimeError,
     "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension 0"),
    (lambda: strided.permute((2, 3), (3, 1), 0, (0,)), RuntimeError,
     "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering "
     "of dimensions i.e. input.dim() = 2 is not equal to len(dims) = 1"),
    (lambda: strided.permute((2, 3), (3, 1), 0, (0, -2)), RuntimeError, "permute(): duplicate dims are not allowed."),
    (lambda: strided.movedim_order(2, (0, 0), (0, 1)), RuntimeError, "movedim: repeated dim in `source` ([0, 0])"),
    (lambda: strided.movedim_order(2, (0, 1), (0, 0)), RuntimeError, "movedim: repeated dim in `destination` ([0, 0])"),
    (lambda: strided.movedim_order(2, (0, 1), (0,)), RuntimeError,
     "movedim: Invalid source or destination dims: source ([0, 1] dims) should contain the same number of dims as "
     "destination ([0] dims)"),
    (lambda: strided.squeeze((2, 3), (3, 1), 0, (0, 0)), RuntimeError, "dim 0 appears multiple times"),
    (lambda: strided.unsqueeze((2, 3), (3, 1), 0, 3), IndexError,
     "Dimension out of range (expected to be in range of [-3, 2], but got 3)"),
    (lambda: strided.select((2, 3), (3, 1), 0, 0, 2), IndexError,
     "select(): index 2 out of range for tensor of size [2, 3] at dimension 0"),
    (lambda: strided.select((), (), 0, 0, 0), IndexError, "select() cannot be applied to a 0-dim tensor."),
    (lambda: strided.slice_dim((), (), 0, 0, 0, 1), IndexError, "slice() cannot be applied to a 0-dim tensor."),
    (lambda: strided.slice_dim((3,), (1,), 0, 0, 0, 1, -1), RuntimeError, "slice step must be positive"),
    (lambda: strided.narrow((2, 3), (3, 1), 0, 1, 1, 3), RuntimeError,
     "start (1) + length (3) exceeds dimension size (3)."),
    (lambda: strided.narrow((2, 3), (3, 1), 0, 1, 5, 1), IndexError,
     "start out of range (expected to be in range of [-3, 3], but got 5)"),
    (lambda: strided.narrow((2, 3), (3, 1), 0, 1, 0, -1), RuntimeError, "narrow(): length must be non-negative."),
    (lambda: strided.narrow((), (), 0, 0, 0, 1), RuntimeError, "narrow() cannot be applied to a 0-dim tensor."),
    (lambda: strided.diagonal((2, 3), (3, 1), 0, 0, 1, -1), RuntimeError,
     "diagonal dimensions cannot be identical 1, -1"),
    (lambda: strided.diagonal((3,), (1,), 0), IndexError, "range of [-1, 0], but got 1"),
    (lambda: strided.unfold((2, 3), (3, 1), 0, 1, 4, 1), RuntimeError,
     "maximum size for tensor at dimension 1 is 3 but size is 4"),
    (lambda: strided.unfold((2, 3), (3, 1), 0, 1, 2, 0), RuntimeError, "step is 0 but must be > 0"),
    (lambda: strided.unfold((2, 3), (3, 1), 0, 1, -1, 1), RuntimeError, "size is -1 but must be >= 0"),
    (lambda: strided.as_strided((2, 2), (1, 1), 5, 6, 4), RuntimeError,
     "setStorage: sizes [2, 2], strides [1, 1], storage offset 5, and itemsize 4 requiring a storage size of 32 are "
     "out of bounds for storage of size 24"),
    (lambda: strided.as_strided((2, 2), (1,), 0, 6, 4), RuntimeError, "mismatch in length of strides and shape"),
    (lambda: strided.as_strided((2, 2), (-1, 1), 0, 6, 4), RuntimeError,
     "as_strided: Negative strides are not supported at the moment, got strides: [-1, 1]"),
    (lambda: strided.as_strided((2,), (1,), -1, 6, 4), RuntimeError, "Tensor: invalid storage offset -1"),
    (lambda: strided.view_dtype((2, 3), (3, 1), 0, dtypes.float32, dtypes.float64), RuntimeError,
     "self.size(-1) must be divisible by 2 to view Float as Double (different element sizes), but got 3"),
    (lambda: strided.view_dtype((2, 2), (3, 1), 0, dtypes.float32, dtypes.float64), RuntimeError,
     "self.stride(0) must be divisible by 2 to view Float as Double (different element sizes), but got 3"),
    (lambda: strided.view_dtype((3, 2), (1, 3), 0, dtypes.float32, dtypes.int16), RuntimeError,
     "self.stride(-1) must be 1 to view Float as Short (different element sizes), but got 3"),
    (lambda: strided.view_dtype((), (), 0, dtypes.float32, dtypes.int16), RuntimeError,
     "self.dim() cannot be 0 to view Float as Short (different element sizes)"),
    (lambda: strided.view_as_complex((3, 3), (3, 1), 0), RuntimeError, "Tensor must have a last dimension of size 2"),
    (lambda: strided.view_as_complex((3, 2), (1, 3), 0), RuntimeError,
     "Tensor must have a last dimension with stride 1"),
    (lambda: strided.view_as_complex((3, 2), (3, 1), 0), RuntimeError,
     "stride divisible by 2 for all but last dimension"),
    (lambda: strided.view_as_complex((3, 2), (2, 1), 1), RuntimeError, "storage_offset divisible by 2"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "message"), ERRORS, ids=[row[2][:40] for row in ERRORS])
def test_errors(wrong: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        wrong()
    assert message in str(raised.value)


# --- beside PyTorch, where it is installed ---------------------------------------------------------------------------


def test_strides_of_results_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    generator = random.Random(6)
    memory = torch.zeros(MEMORY.size)
    for _ in range(400):
        shape = random_shape(generator, generator.randrange(6))
        operands = []
        for _ in range(generator.randint(1, 3)):
            own = tuple(size if generator.random() < 0.8 else 1 for size in shape)
            operands.append(random_layout(generator, own[generator.choice([0, 0, 0, 1]) :]))
        tensors = [memory.as_strided(*operand) for operand in operands]
        result = (torch.neg, torch.add, torch.addcmul)[len(tensors) - 1](*tensors)
        pairs = [(shape, strides) for shape, strides, _ in operands]
        assert strided.elementwise_strides(pairs, tuple(result.shape)) == result.stride(), pairs
        assert strided.preserve_strides(*pairs[0]) == tensors[0].clone().stride(), pairs[0]
