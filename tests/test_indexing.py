"""`x[...]` and `x[...] = v`: against NumPy, whose rules PyTorch shares; where it differs, PyTorch's answers.

Random indices come from a fixed seed; each is read, differentiated and written to, on realised and on pending tensors.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.record import trace

Index = tuple[Any, ...]


def part(rng: random.Random, n: int, advanced: bool) -> Any:
    """A random index of a dimension of size n, as NumPy takes it."""
    kind = rng.randrange(8)
    if advanced and kind < 3:
        if kind == 0:
            return np.array([rng.random() < 0.5 for _ in range(n)], bool)
        return np.array([rng.randrange(-n, n) for _ in range(2)]) if kind == 1 else np.array([[rng.randrange(n)], [0]])
    if not advanced and kind < 3:
        return rng.randrange(-n, n)
    ends = [None, *range(-n - 1, n + 2)]
    return slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, 2, 3]))


def random_index(rng: random.Random, shape: tuple[int, ...]) -> Index:
    """Parts for some leading (or, behind `...`, trailing) dimensions, new dimensions among them."""
    advanced = rng.random() < 0.5
    count = rng.randrange(len(shape) + 1)
    behind = rng.random() < 0.3
    sizes = shape[len(shape) - count :] if behind else shape[:count]
    parts: list[Any] = [part(rng, n, advanced) for n in sizes]
    masks = [i for i, p in enumerate(parts) if isinstance(p, np.ndarray) and p.dtype == bool]
    for i in masks[1:] if any(p.ndim > 1 for p in parts if isinstance(p, np.ndarray)) or len(masks) > 1 else []:
        parts[i] = slice(None)
    if masks and any(isinstance(p, np.ndarray) for i, p in enumerate(parts) if i != masks[0]):
        parts[masks[0]] = slice(None)  # a mask's length would have to fit the positions beside it
    if behind:
        parts.insert(0, Ellipsis)
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), None)
    return tuple(parts)


def examples(seed: int, count: int) -> list[tuple[tuple[int, ...], Index]]:
    """Random shapes and indices."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        shape = tuple(rng.randrange(1, 5) for _ in range(rng.randrange(1, 4)))
        found.append((shape, random_index(rng, shape)))
    return found


def ours(index: Index, t: Any = torch) -> Index:
    """The same index with tensors for arrays."""
    return tuple(t.from_numpy(np.array(p)) if isinstance(p, np.ndarray) else p for p in index)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    """1, 2, 3, ... in that shape."""
    return np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)


EXAMPLES = examples(1, 300)


@pytest.mark.parametrize("pending", [False, True])
def test_reading_is_numpys(pending: bool) -> None:
    for shape, index in EXAMPLES:
        x = torch.from_numpy(numbers(shape))
        x = x + 0 if pending else x
        assert x[ours(index)].tolist() == numbers(shape)[index].tolist(), f"{shape} {index}"


def test_reading_of_strided_tensors() -> None:
    for shape, index in EXAMPLES:
        x = torch.from_numpy(np.ascontiguousarray(numbers(shape).T))
        x = x.permute(*range(len(shape) - 1, -1, -1))
        assert x[ours(index)].tolist() == numbers(shape)[index].tolist(), f"{shape} {index}"


def test_gradient_adds_up_where_elements_were_read() -> None:
    for shape, index in EXAMPLES:
        x = torch.from_numpy(numbers(shape)).requires_grad_()
        y = x[ours(index)]
        weights = numbers(tuple(y.shape))
        (y * torch.from_numpy(weights)).sum().backward()
        expected = np.zeros(shape)
        np.add.at(expected, index, weights)
        assert x.grad.tolist() == expected.tolist(), f"{shape} {index}"


def unrepeated(shape: tuple[int, ...], index: Index) -> bool:
    """Whether the index names no element twice."""
    places = np.arange(np.prod(shape)).reshape(shape)[index]
    return len(np.unique(places)) == places.size


@pytest.mark.parametrize("pending", [False, True])
def test_writing_is_numpys(pending: bool) -> None:
    for shape, index in EXAMPLES:
        if not unrepeated(shape, index):
            continue
        for value in (-1.0, None):
            x, expected = torch.from_numpy(numbers(shape)).clone(), numbers(shape)
            x = x * 1 if pending else x
            new = value if value is not None else -numbers(expected[index].shape)
            x[ours(index)] = new if value is not None else torch.from_numpy(np.array(new))
            expected[index] = new
            assert x.tolist() == expected.tolist(), f"{shape} {index} = {value}"


def test_gradient_of_writing() -> None:
    """What was overwritten gets no gradient; what was written gets that of its place."""
    for shape, index in EXAMPLES:
        if not unrepeated(shape, index):
            continue
        x = torch.from_numpy(numbers(shape)).requires_grad_()
        new = torch.from_numpy(numbers(numbers(shape)[index].shape)).requires_grad_()
        y = x * 2
        y[ours(index)] = new
        weights = numbers(shape)
        (y * torch.from_numpy(weights)).sum().backward()
        left = 2 * weights
        left[index] = 0
        assert x.grad.tolist() == left.tolist(), f"{shape} {index}"
        assert new.grad.tolist() == weights[index].tolist(), f"{shape} {index}"


def test_repeated_positions_accumulate() -> None:
    x = torch.zeros(3)
    x.index_put_((torch.tensor([0, 0, 2]),), torch.tensor([1.0, 2.0, 5.0]), accumulate=True)
    assert x.tolist() == [3.0, 0.0, 5.0]


def test_integers_select_before_tensors_pick() -> None:
    """Here PyTorch differs from NumPy, for which an integer beside positions counts as a position."""
    x = torch.from_numpy(numbers((2, 3, 4)))
    assert x[0, :, torch.tensor([0, 1])].shape == (3, 2)
    assert x[torch.tensor([0, 1]), :, torch.tensor([0, 1])].shape == (2, 3)


def test_true_and_false_make_a_dimension() -> None:
    x = torch.arange(3)
    assert x[True].tolist() == [[0, 1, 2]]
    assert x[False].shape == (0, 3)
    x[torch.tensor(True)] = 5
    assert x.tolist() == [5, 5, 5]


def test_other_kinds_of_index() -> None:
    x = torch.arange(6).view(2, 3)
    assert x[torch.tensor(1)].tolist() == [3, 4, 5]
    assert x[np.int64(1), np.array(2)].item() == 5
    assert x[[True, False]].tolist() == [[0, 1, 2]]
    assert x[range(2)].tolist() == x.tolist()
    assert x[[]].shape == (0, 3)
    assert x[torch.tensor(0) : torch.tensor(1)].tolist() == [[0, 1, 2]]
    assert x[torch.tensor([1, 0], dtype=torch.int32)].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert x[...].tolist() == x[:].tolist() == x[()].tolist() == x.tolist()


def test_lists_of_lists_are_tuples() -> None:
    x = torch.arange(6).view(2, 3)
    with pytest.warns(UserWarning, match="non-tuple sequence"):
        assert x[[[0, 1], [1, 0]]].tolist() == [1, 3]


def test_bytes_are_masks() -> None:
    with pytest.warns(UserWarning, match="uint8 is now deprecated"):
        assert torch.arange(3)[torch.tensor([1, 0, 1], dtype=torch.uint8)].tolist() == [0, 2]


# ---------------------------------------------------------------------------------------------------------------------
# Views


def test_basic_indices_are_views() -> None:
    x = torch.zeros(3, 4)
    for view in (x[0], x[1:], x[:, 2], x[..., None], x[0, 1:3]):
        assert view._base is x
        assert view.untyped_storage() == x.untyped_storage()
    x[1:, 2].add_(1)
    assert x.sum().item() == 2


def test_positions_and_masks_make_copies() -> None:
    x = torch.zeros(3)
    x[torch.tensor([0, 1])].add_(1)
    x[x == 0].add_(1)
    assert x.tolist() == [0, 0, 0]


def test_strides_and_offsets() -> None:
    x = torch.zeros(3, 4, 5)
    assert x[1, 2].storage_offset() == 30
    assert (x[:, 1::2].stride(), x[:, 1::2].storage_offset()) == ((20, 10, 1), 5)
    assert x[:, None].stride() == (20, 20, 5, 1)


def test_names_of_nodes() -> None:
    x = torch.zeros(3, 4, requires_grad=True)
    names = [type(y.grad_fn).__name__ for y in (x[0], x[:, 1:], x[None], x[...], x[:], x[torch.tensor([0])], x[x > 0])]
    assert (
        names
        == ["SelectBackward0", "SliceBackward0", "UnsqueezeBackward0", "AliasBackward0", "SliceBackward0"]
        + ["IndexBackward0"] * 2
    )


def test_writing_through_views_and_handles() -> None:
    x = torch.zeros(2, 3)
    row, other = x[0], x.detach()
    x[0, 1] = 5
    other[1] = torch.tensor([1.0, 2.0, 3.0])
    row[2] = 7
    assert x.tolist() == other.tolist() == [[0, 5, 7], [1, 2, 3]]
    assert row.tolist() == [0, 5, 7]
    assert x._version == other._version == 3


def test_overlapping_source() -> None:
    x = torch.arange(5)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]
    x[2] = x[4]
    assert x.tolist() == [0, 0, 3, 2, 3]


def test_augmented_assignment() -> None:
    x = torch.arange(4.0)
    x[1] += 10
    x[2:] *= 2
    x[torch.tensor([0, 0])] += 1
    x[x > 10] -= 0.5
    assert x.tolist() == [1, 10.5, 4, 6]


def test_pending_readers_keep_the_old_numbers() -> None:
    x = torch.arange(3.0)
    before = x + 0
    x[0] = 9
    assert before.tolist() == [0, 1, 2]
    assert x.tolist() == [9, 1, 2]


def test_numpy_sees_what_is_written() -> None:
    x = torch.zeros(2, 2)
    shared = x.numpy()
    x[0, 1] = 3
    assert shared.tolist() == [[0, 3], [0, 0]]


def test_a_loop_over_positions_is_one_program() -> None:
    """Off the tape a position is a run-time number: the automaton does not grow with it."""
    x, y = torch.zeros(100), torch.arange(100.0)
    for i in range(3):
        x[i] = y[i] * 2
        x.tolist()
    before = trace.State.count
    for i in range(3, 100):
        x[i] = y[i] * 2
        x.tolist()
    assert trace.State.count == before
    assert x.tolist() == [2.0 * i for i in range(100)]


# ---------------------------------------------------------------------------------------------------------------------
# Dtypes


def test_values_are_cast() -> None:
    x = torch.zeros(3, dtype=torch.int64)
    x[0], x[1], x[2] = 3.7, True, torch.tensor(2.9)
    assert x.tolist() == [3, 1, 2]
    x[x == 3] = torch.tensor(1.5)
    assert x.tolist() == [1, 1, 2]
    b = torch.zeros(2, dtype=torch.bool)
    b[0] = 2
    assert b.tolist() == [True, False]
    u = torch.zeros(1, dtype=torch.uint8)
    u[0] = -1
    assert u.tolist() == [255]
    h = torch.zeros(2, dtype=torch.bfloat16)
    h[1] = 1.0 + 2**-10
    assert h.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("dtype", "value", "name"),
    [
        ("uint8", 300, "uint8_t"),
        ("int32", 2**40, "int"),
        ("float32", 2 + 1j, "float"),
        ("int64", float("nan"), "int64_t"),
    ],
)
def test_values_that_do_not_fit(dtype: str, value: Any, name: str) -> None:
    x = torch.zeros(2, dtype=getattr(torch, dtype))
    with pytest.raises(RuntimeError, match=f"value cannot be converted to type {name} without overflow"):
        x[0] = value
    assert x.tolist() == [0, 0]


# ---------------------------------------------------------------------------------------------------------------------
# Errors

X = (2, 3)
ERRORS = [
    (lambda x, t: x[2], IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    (lambda x, t: x[-3], IndexError, "index -3 is out of bounds for dimension 0 with size 2"),
    (lambda x, t: x[0, 3], IndexError, "index 3 is out of bounds for dimension 1 with size 3"),
    (lambda x, t: x[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
    (lambda x, t: x[0, 0][0], IndexError, "invalid index of a 0-dim tensor. Use `tensor.item()` in Python"),
    (lambda x, t: x[0, 0][:], IndexError, "slice() cannot be applied to a 0-dim tensor."),
    (lambda x, t: x[::-1], ValueError, "step must be greater than zero"),
    (lambda x, t: x[::0], ValueError, "slice step cannot be zero"),
    (lambda x, t: x[1.5:], TypeError, "slice indices must be integers or None or have an __index__ method"),
    (lambda x, t: x[1.5], IndexError, "None and long or byte Variables are valid indices (got float)"),
    (lambda x, t: x[t.tensor([5])], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda x, t: x[[0, 5]], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda x, t: x[t.tensor([0.0])], IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
    (lambda x, t: x[[0, 1], [0, 1, 2]], IndexError, "could not be broadcast together with shapes [2], [3]"),
    (
        lambda x, t: x[t.tensor([True])],
        IndexError,
        "The shape of the mask [1] at index 0 does not match the shape of the indexed tensor [2, 3] at index 0",
    ),
    (lambda x, t: x[t.ones(2, 2, dtype=t.bool)], IndexError, "The shape of the mask [2, 2] at index 1"),
    (lambda x, t: x.__setitem__(0, [1, 2, 3]), TypeError, "can't assign a list to a torch.FloatTensor"),
    (lambda x, t: x.__setitem__(0, np.ones(3)), TypeError, "can't assign a numpy.ndarray to a torch.FloatTensor"),
    (lambda x, t: x.__setitem__(0, None), TypeError, "can't assign a NoneType to a torch.FloatTensor"),
    (
        lambda x, t: x.__setitem__(0, t.ones(5)),
        RuntimeError,
        "The expanded size of the tensor (3) must match the existing "
        "size (5) at non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [5]",
    ),
    (
        lambda x, t: x.__setitem__(0, t.ones(2, 3)),
        RuntimeError,
        "the number of sizes provided (1) must be greater or equal",
    ),
    (
        lambda x, t: x.__setitem__(t.tensor([0]), t.ones(5)),
        RuntimeError,
        "shape mismatch: value tensor of shape [5] cannot be broadcast to indexing result of shape [1, 3]",
    ),
    (
        lambda x, t: x.__setitem__(t.tensor([0]), t.tensor(3)),
        RuntimeError,
        "Index put requires the source and destination "
        "dtypes match, got Float for the destination and Long for the source.",
    ),
    (
        lambda x, t: t.zeros(1, 3).expand(2, 3).__setitem__((slice(None), 0), 1),
        RuntimeError,
        "more than one element of the written-to tensor refers to a single memory location",
    ),
    (
        lambda x, t: t.zeros(2, requires_grad=True).__setitem__(0, 1),
        RuntimeError,
        "a view of a leaf Variable that requires grad is being used in an in-place operation.",
    ),
    (
        lambda x, t: x.index_put_((t.tensor([0]),) * 3, t.tensor(1.0)),
        IndexError,
        "too many indices for tensor of dimension 2",
    ),
]


@pytest.mark.parametrize("which", range(len(ERRORS)))
def test_errors(which: int) -> None:
    """PyTorch's words, and the tensor is left as it was."""
    wrong, kind, message = ERRORS[which]
    x = torch.ones(X)
    with pytest.raises(kind) as caught:
        wrong(x, torch)
    assert message in str(caught.value)
    assert x.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_positions_known_only_later_are_checked_then() -> None:
    at = torch.tensor([1, 2]) * 2
    with pytest.raises(IndexError, match="index 4 is out of bounds for dimension 0 with size 3"):
        torch.arange(3)[at].tolist()


def test_errors_are_pytorchs() -> None:
    real = pytest.importorskip("torch")
    for wrong, kind, message in ERRORS:
        with pytest.raises(kind) as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong(real.ones(X), real)
        assert message in str(caught.value)


def test_random_indices_are_pytorchs() -> None:
    """Numbers, strides, offsets, nodes and gradients, where PyTorch is installed."""
    real = pytest.importorskip("torch")

    def observe(t: Any, shape: tuple[int, ...], index: Index) -> list[Any]:
        x = t.from_numpy(numbers(shape)).requires_grad_()
        y = x[ours(index, t)]
        y.sum().backward()
        seen = [y.tolist(), type(y.grad_fn).__name__, y._base is x, x.grad.tolist()]
        return [*seen, [s for n, s in zip(y.shape, y.stride()) if n != 1] if y.numel() else None, y.storage_offset()]

    for shape, index in examples(2, 200):
        assert observe(torch, shape, index) == observe(real, shape, index), f"{shape} {index}"


def test_index_put_at_single_positions():
    t = torch.tensor([1.0, 5.0, 2.0])
    assert torch.zeros(4).index_put_((t.argmax(),), torch.tensor(3.0)).tolist() == [0, 3, 0, 0]
    assert torch.zeros(2, 2).index_put((torch.tensor(1),), torch.tensor([1.0, 2.0])).tolist() == [[0, 0], [1, 2]]
    mixed = torch.zeros(2, 3).index_put_((torch.tensor(1), torch.tensor([0, 2])), torch.tensor(4.0), accumulate=True)
    assert mixed.tolist() == [[0, 0, 0], [4, 0, 4]]
