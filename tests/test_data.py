"""torch.utils.data: datasets, samplers, collating, the loader in one process and with workers.

The seeded orders are PyTorch 2.13's; they were taken down from it once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import OrderedDict, UserList, namedtuple
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.data import gather
from rushlight.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

Point = namedtuple("Point", ["x", "y"])

SEEDED: dict[str, Any] = {
    "permutation": [6, 9, 0, 7, 3, 5, 4, 2, 1, 8],
    "replacement": [1, 3, 2, 0, 2, 1, 2, 4],
    "longer": [3, 2, 0, 1, 1, 2],
    "subset": [40, 30, 10, 20],
    "weighted": [0, 1, 2, 1, 2, 1],
    "rest": 0.9151939749717712,
    "shared first": [[5, 0, 1], [3, 4, 2]],
    "shared second": [1, 0, 5, 2, 4, 3],
    "epoch 1": [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]],
    "epoch 2": [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]],
    "after two epochs": 0.455627977848053,
    "worker torch": 0.7821398973464966,
    "worker random": 0.21315340548154382,
    "worker numpy": 0.8371640508861415,
}


def rows(count: int = 10) -> TensorDataset:
    return TensorDataset(torch.arange(count * 2, dtype=torch.float32).reshape(count, 2), torch.arange(count))


class OneByOne(TensorDataset):
    """The same samples, with a __getitem__ of its own: fetched sample by sample."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index)


class Numbers(Dataset):
    def __init__(self, count: int = 8) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return index


class Stream(IterableDataset):
    """0 to count - 1; each worker gives its share."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Any:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return iter(range(first, self.count, step))


def assert_same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype and left.shape == right.shape and torch.equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right


def labels(loader: DataLoader) -> list[list[int]]:
    return [batch[-1].tolist() for batch in loader]


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_tensor_dataset() -> None:
    data = rows()
    assert len(data) == 10
    assert_same(data[3], (torch.tensor([6.0, 7.0]), torch.tensor(3)))
    assert_same(data[-1][1], torch.tensor(9))
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(torch.ones(3), torch.ones(4))


def test_dataset_without_getitem() -> None:
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement __getitem__"):
        Dataset()[0]


def test_concat() -> None:
    both = Numbers(3) + Numbers(4)
    assert isinstance(both, ConcatDataset)
    assert [both[index] for index in range(len(both))] == [0, 1, 2, 0, 1, 2, 3]
    assert both[-1] == 3 and both[-7] == 0
    assert both.cumulative_sizes == [3, 7]
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        both[-8]
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(2)])


def test_chain() -> None:
    both = Stream(2) + Stream(3)
    assert isinstance(both, ChainDataset)
    assert list(both) == [0, 1, 0, 1, 2]
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        list(ChainDataset([Numbers()]))


def test_stack() -> None:
    tuples = StackDataset(Numbers(3), ["a", "b", "c"])
    assert tuples[1] == (1, "b") and len(tuples) == 3
    assert tuples.__getitems__([2, 0]) == [(2, "c"), (0, "a")]
    named = StackDataset(number=Numbers(3), letter=["a", "b", "c"])
    assert named[2] == {"number": 2, "letter": "c"}
    assert named.__getitems__([0]) == [{"number": 0, "letter": "a"}]
    for wrong, message in (
        (lambda: StackDataset(), "At least one dataset should be passed"),
        (lambda: StackDataset(Numbers(1), Numbers(2)), "Size mismatch between datasets"),
        (lambda: StackDataset(Numbers(1), a=Numbers(1)), "both types are given"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_subset() -> None:
    part = Subset(rows(), [4, 2, -1])
    assert len(part) == 3 and part[2][1].item() == 9
    assert [sample[1].item() for sample in part.__getitems__([0, 1])] == [4, 2]

    class Changed(Subset):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index)

    with pytest.raises(NotImplementedError, match="Changed overrides __getitem__ but not __getitems__"):
        Changed(rows(), [0])


def test_random_split() -> None:
    generator = torch.Generator()
    generator.manual_seed(42)
    parts = random_split(range(10), [3, 7], generator=generator)
    assert [list(part.indices) for part in parts] == [[2, 6, 1], [8, 4, 5, 0, 9, 3, 7]]
    assert [len(part) for part in random_split(range(11), [0.3, 0.3, 0.4])] == [4, 3, 4]
    everything = sorted(index for part in random_split(range(11), [0.5, 0.5]) for index in part.indices)
    assert everything == list(range(11))
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset!"):
        random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(3), [0.9, 0.1])


# --- samplers ---------------------------------------------------------------------------------------------------------


def test_random_sampler_order() -> None:
    torch.manual_seed(0)
    assert list(RandomSampler(range(10))) == SEEDED["permutation"]
    assert list(RandomSampler(range(5), replacement=True, num_samples=8)) == SEEDED["replacement"]
    assert list(RandomSampler(range(4), num_samples=6)) == SEEDED["longer"]
    assert list(SubsetRandomSampler([10, 20, 30, 40])) == SEEDED["subset"]
    assert list(WeightedRandomSampler([0.1, 0.2, 0.7], 6)) == SEEDED["weighted"]
    assert torch.rand(1).item() == pytest.approx(SEEDED["rest"])


def test_random_sampler_draws_from_the_given_generator_to_the_end() -> None:
    """PyTorch permutes once more when the epoch is over: visible to whoever shares the generator."""
    generator = torch.Generator()
    generator.manual_seed(5)
    sampler = RandomSampler(range(6), generator=generator)
    loader = DataLoader(TensorDataset(torch.arange(6)), batch_size=3, sampler=sampler)
    first = [batch[0].tolist() for batch in loader]
    assert first == SEEDED["shared first"]
    assert list(sampler) == SEEDED["shared second"]


def test_sampler_arguments() -> None:
    for wrong, kind, message in (
        (lambda: RandomSampler(range(3), replacement=1), TypeError, "replacement should be a boolean value"),
        (
            lambda: RandomSampler([]),
            ValueError,
            "num_samples should be a positive integer value, but got num_samples=0",
        ),
        (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive integer"),
        (lambda: WeightedRandomSampler([1.0], 1, replacement=2), ValueError, "replacement should be a boolean"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, "weights should be a 1d sequence"),
        (lambda: BatchSampler(range(3), 0, False), ValueError, "batch_size should be a positive integer value"),
        (lambda: BatchSampler(range(3), 2, 1), ValueError, "drop_last should be a boolean value"),
        (lambda: DistributedSampler(range(3), 2, 2), ValueError, "Invalid rank 2, rank should be in the interval"),
    ):
        with pytest.raises(kind, match=message):
            wrong()


def test_batch_sampler() -> None:
    assert list(BatchSampler(SequentialSampler(range(5)), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(SequentialSampler(range(5)), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3 and len(BatchSampler(range(5), 2, True)) == 2


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [2, 9, 10])
def test_distributed_sampler(count: int, drop_last: bool) -> None:
    parts = [DistributedSampler(range(count), 3, rank, drop_last=drop_last) for rank in range(3)]
    for part in parts:
        part.set_epoch(4)
    given = [list(part) for part in parts]
    assert {len(indices) for indices in given} == {len(parts[0])}
    together = [index for indices in given for index in indices]
    assert len(set(together)) == (len(together) if drop_last or count % 3 == 0 else count)
    sequential = DistributedSampler(range(7), 3, 1, shuffle=False)
    assert list(sequential) == [1, 4, 0]


# --- collating --------------------------------------------------------------------------------------------------------


def test_collate_numbers() -> None:
    assert_same(default_collate([1, 2]), torch.tensor([1, 2]))
    assert_same(default_collate([True, False]), torch.tensor([True, False]))
    assert_same(default_collate([1.5, 2.5]), torch.tensor([1.5, 2.5], dtype=torch.float64))
    assert_same(default_collate([np.float32(1), np.float32(2)]), torch.tensor([1.0, 2.0]))
    assert_same(default_collate([np.ones(2, np.int16)] * 2), torch.ones(2, 2, dtype=torch.int16))
    assert_same(default_collate([torch.ones(2), torch.zeros(2)]), torch.tensor([[1.0, 1.0], [0.0, 0.0]]))


def test_collate_containers() -> None:
    assert default_collate(["a", "b"]) == ["a", "b"] and default_collate([b"a", b"b"]) == [b"a", b"b"]
    assert_same(default_collate([{"a": 0, "b": "x"}, {"a": 1, "b": "y"}]), {"a": torch.tensor([0, 1]), "b": ["x", "y"]})
    ordered = default_collate([OrderedDict(a=1), OrderedDict(a=2)])
    assert type(ordered) is OrderedDict and ordered["a"].tolist() == [1, 2]
    assert_same(default_collate([Point(0, 0), Point(1, 1)]), Point(torch.tensor([0, 1]), torch.tensor([0, 1])))
    assert_same(default_collate([(0, 1), (2, 3)]), [torch.tensor([0, 2]), torch.tensor([1, 3])])
    assert_same(default_collate([[0, 1], [2, 3]]), [torch.tensor([0, 2]), torch.tensor([1, 3])])
    listed = default_collate([UserList([1]), UserList([2])])
    assert type(listed) is UserList and listed[0].tolist() == [1, 2]


def test_collate_errors() -> None:
    with pytest.raises(TypeError, match="batch must contain tensors, numpy arrays, numbers, dicts or lists; found"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(
        RuntimeError, match=r"stack expects each tensor to be equal size, but got \[2\] at entry 0 and \[3\]"
    ):
        default_collate([torch.ones(2), torch.ones(3)])


def test_collate_keeps_the_graph() -> None:
    weight = torch.ones(2, requires_grad=True)
    default_collate([weight, weight * 2]).sum().backward()
    assert weight.grad.tolist() == [3.0, 3.0]


def test_convert() -> None:
    array = np.arange(2)
    assert_same(default_convert(array), torch.tensor([0, 1]))
    assert_same(default_convert({"a": (array, "b")}), {"a": [torch.tensor([0, 1]), "b"]})
    assert default_convert("text") == "text" and default_convert(3) == 3
    strings = np.array(["a"])
    assert default_convert(strings) is strings


# --- the loader in one process ----------------------------------------------------------------------------------------


def test_batches_in_order() -> None:
    loader = DataLoader(rows(5), batch_size=2)
    assert len(loader) == 3
    batches = list(loader)
    assert_same(batches[0], [torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([0, 1])])
    assert_same(batches[2], [torch.tensor([[8.0, 9.0]]), torch.tensor([4])])
    assert labels(DataLoader(rows(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]


def test_shuffle_is_pytorchs() -> None:
    torch.manual_seed(0)
    loader = DataLoader(rows(), batch_size=4, shuffle=True)
    assert labels(loader) == SEEDED["epoch 1"]
    assert labels(loader) == SEEDED["epoch 2"]
    assert torch.rand(1).item() == pytest.approx(SEEDED["after two epochs"])


def test_iterator_draws_one_number() -> None:
    torch.manual_seed(0)
    iter(DataLoader(rows()))
    torch.manual_seed(0), torch.empty((), dtype=torch.int64).random_()
    expected = torch.rand(1)
    torch.manual_seed(0)
    iter(DataLoader(rows(), shuffle=True))
    assert torch.equal(torch.rand(1), expected)


def wholes() -> list[tuple[Any, Any]]:
    """Data in memory, and the same samples from datasets that are fetched one by one."""
    plain = rows(23)
    slow = OneByOne(*plain.tensors)
    return [
        (plain, slow),
        (Subset(plain, [3, -1, 4, 4, 20]), Subset(slow, [3, -1, 4, 4, 20])),
        (ConcatDataset([plain, Subset(plain, [1, 2])]), ConcatDataset([slow, Subset(slow, [1, 2])])),
        (Subset(ConcatDataset([plain, plain]), range(5, 40)), Subset(ConcatDataset([slow, slow]), range(5, 40))),
        (TensorDataset(plain.tensors[0].t().contiguous().t()), OneByOne(plain.tensors[0])),
    ]


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"shuffle": True, "drop_last": True}], ids=str)
def test_gathered_batches_are_the_fetched_ones(which: int, options: dict[str, Any]) -> None:
    fast, slow = wholes()[which]
    assert gather.gather_of(fast) is not None and gather.gather_of(slow) is None
    seen = []
    for data in (fast, slow):
        torch.manual_seed(7)
        seen.append([*DataLoader(data, batch_size=4, **options), torch.rand(2)])
    assert_same(*seen)


@pytest.mark.parametrize("sampler", ["list", "batches", "generator", "weighted"])
def test_gathering_follows_any_sampler(sampler: str) -> None:
    def loader(data: Any) -> DataLoader:
        if sampler == "batches":
            return DataLoader(data, batch_sampler=[[0, 1], [-1], [5, 5, 5]])
        orders: dict[str, Any] = {
            "list": [3, 1, -2],
            "generator": (index for index in (4, 2)),
            "weighted": WeightedRandomSampler([1.0] * 10, 12),
        }
        return DataLoader(data, batch_size=2, sampler=orders[sampler])

    torch.manual_seed(1)
    fast = list(loader(rows()))
    torch.manual_seed(1)
    assert_same(fast, list(loader(OneByOne(*rows().tensors))))


def test_gathering_sees_changes() -> None:
    data = rows(4)
    batches = iter(DataLoader(data, batch_size=2))
    next(batches)
    data.tensors[1].add_(100)
    assert next(batches)[1].tolist() == [102, 103]


@pytest.mark.parametrize("change", ["in place", "through a view", "data", "NumPy"])
def test_what_is_gathered_ahead_follows_the_data(change: str) -> None:
    x = torch.arange(6.0)
    seen = []
    for k, (batch,) in enumerate(DataLoader(TensorDataset(x), batch_size=2)):
        seen += batch.tolist()
        if k == 1:
            continue
        if change == "in place":
            x.mul_(10)
        elif change == "through a view":
            x[2:].mul_(10)
        elif change == "data":
            x.data = x.data * 10
        else:
            x.numpy()[:] *= 10
    assert seen == [0, 1, 20, 30, 40, 50]


def test_writing_to_a_batch_changes_no_other() -> None:
    loader = iter(DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2))
    (first,) = next(loader)
    first.fill_(7)
    (second,) = next(loader)
    second.numpy()[:] = 8
    assert next(loader)[0].tolist() == [4, 5] and first.tolist() == [7, 7] and second.tolist() == [8, 8]
    assert first.untyped_storage().nbytes() == 8


def test_an_index_out_of_range_leaves_the_other_batches() -> None:
    class Wrong(torch.utils.data.SequentialSampler):
        def blocks(self) -> Any:
            yield np.array([0, 1, 2, 9, 4, 5])

    data = TensorDataset(torch.arange(6.0))
    loader = iter(DataLoader(data, batch_size=2, sampler=Wrong(data)))
    assert next(loader)[0].tolist() == [0, 1]
    with pytest.raises(IndexError):
        next(loader)
    assert next(loader)[0].tolist() == [4, 5]


def test_a_batch_is_no_view_of_the_data() -> None:
    data = rows(4)
    for features, _ in DataLoader(data, batch_size=2):
        features.zero_()
    assert data.tensors[0].sum().item() == 28.0


def test_what_has_no_gather() -> None:
    assert gather.gather_of(TensorDataset(torch.ones(3, requires_grad=True))) is None
    assert gather.gather_of(Numbers()) is None and gather.gather_of([1, 2]) is None
    data = rows()
    data.__getitems__ = lambda indices: [("own", index) for index in indices]  # type: ignore[attr-defined]
    assert next(iter(DataLoader(data, batch_size=2)))[0] == ("own", "own")
    own = DataLoader(rows(), batch_size=2, collate_fn=lambda samples: len(samples))
    assert list(own) == [2] * 5


THREE = [rows(3), ConcatDataset([rows(3), rows(3)]), Subset(rows(9), [1, 2, 3])]


@pytest.mark.parametrize("data", THREE, ids=("rows", "concat", "subset"))
def test_index_out_of_range(data: Any) -> None:
    for index in (17, -18):
        with pytest.raises((IndexError, ValueError)):
            list(DataLoader(data, batch_size=1, sampler=[0, index]))


def test_batch_size_none() -> None:
    assert list(DataLoader(Numbers(3), batch_size=None)) == [0, 1, 2]
    first = next(iter(DataLoader([np.arange(2)], batch_size=None)))
    assert_same(first, torch.tensor([0, 1]))


def test_getitems_is_used() -> None:
    class Many(Numbers):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [index * 10 for index in indices]

    assert next(iter(DataLoader(Many(), batch_size=3))).tolist() == [0, 10, 20]


def test_stream() -> None:
    assert [batch.tolist() for batch in DataLoader(Stream(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in DataLoader(Stream(5), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]


def test_stream_longer_than_announced() -> None:
    class Liar(Stream):
        def __len__(self) -> int:
            return 2

    loader = DataLoader(Liar(3))
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2.*but 3 samples have been fetched"):
        list(loader)


def test_attributes() -> None:
    loader = DataLoader(rows(), batch_size=3, shuffle=True, num_workers=0)
    assert loader.batch_size == 3 and loader.collate_fn is default_collate and not loader.drop_last
    assert isinstance(loader.sampler, RandomSampler) and isinstance(loader.batch_sampler, BatchSampler)
    assert loader.dataset is loader.sampler.data_source and loader.prefetch_factor is None
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 4
    assert loader.batch_size == 3
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        iter(loader).__getstate__()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"num_workers": 1, "prefetch_factor": -1}, "prefetch_factor option should be non-negative"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"shuffle": True, "sampler": [0]}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "shuffle": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context can only be used with multi-process loading"),
        ({"multiprocessing_context": "no", "num_workers": 1}, "should specify a valid start method in"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(rows(), **options)


@pytest.mark.parametrize("option", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_wrong_options_for_streams(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected unspecified {next(iter(option))} option"):
        DataLoader(Stream(3), **option)


def test_pin_memory_without_accelerator() -> None:
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator is found"):
        assert len(list(DataLoader(rows(3), pin_memory=True))) == 3


# --- workers ----------------------------------------------------------------------------------------------------------


class Draws(Numbers):
    """Samples that show the worker's random numbers."""

    def __getitem__(self, index: int) -> Any:
        return index, torch.rand(1), random.random(), np.random.rand()


class Fails(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise KeyError(f"no sample {index}")
        return index


class Dies(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


class Sleeps(Numbers):
    def __getitem__(self, index: int) -> Any:
        time.sleep(5 if index == 5 else 0)
        return index


class Pictures(Numbers):
    def __getitem__(self, index: int) -> Any:
        return torch.full((3, 100, 100), float(index)), {"label": index}


def test_workers_give_the_same_batches() -> None:
    for data in (rows(), Pictures(6), OneByOne(*rows().tensors)):
        seen = []
        for workers in (0, 2):
            torch.manual_seed(3)
            seen.append(list(DataLoader(data, batch_size=4, shuffle=True, num_workers=workers)))
        assert_same(*seen)


def test_worker_batches_can_be_written() -> None:
    for pictures, _ in DataLoader(Pictures(4), batch_size=2, num_workers=1):
        pictures.add_(1)
        assert pictures.min().item() >= 1.0


def test_workers_have_their_own_random_numbers() -> None:
    torch.manual_seed(0)
    epochs = [list(DataLoader(Draws(4), num_workers=2)) for _ in range(2)]
    for member in (1, 2, 3):
        drawn = [batch[member].item() for epoch in epochs for batch in epoch]
        assert len(set(drawn)) == len(drawn)
    torch.manual_seed(0)
    assert_same(epochs[0], list(DataLoader(Draws(4), num_workers=2)))
    assert epochs[0][0][1].item() == pytest.approx(SEEDED["worker torch"])
    assert epochs[0][0][2].item() == pytest.approx(SEEDED["worker random"])
    assert epochs[0][0][3].item() == pytest.approx(SEEDED["worker numpy"])


def test_worker_init_and_info() -> None:
    def initialize(number: int) -> None:
        info = get_worker_info()
        assert info is not None and info.id == number and info.num_workers == 2
        info.dataset.count = 100 + number

    class Reports(Numbers):
        def __getitem__(self, index: int) -> Any:
            return self.count

    assert [batch.item() for batch in DataLoader(Reports(4), num_workers=2, worker_init_fn=initialize)] == [
        100,
        101,
        100,
        101,
    ]
    assert get_worker_info() is None


def test_worker_error() -> None:
    with pytest.raises(KeyError) as caught:
        list(DataLoader(Fails(), batch_size=2, num_workers=2))
    text = str(caught.value)
    assert text.startswith("Caught KeyError in DataLoader worker process 0.\nOriginal Traceback")
    assert "no sample 5" in text and "in __getitem__" in text


def test_worker_init_error() -> None:
    def initialize(number: int) -> None:
        raise RuntimeError("no licence")

    with pytest.raises(RuntimeError, match="Caught RuntimeError in DataLoader worker process 0(.|\n)*no licence"):
        list(DataLoader(Numbers(), num_workers=1, worker_init_fn=initialize))


def test_loading_goes_on_after_an_error() -> None:
    batches = iter(DataLoader(Fails(), batch_size=2, num_workers=2))
    seen = []
    for _ in range(4):
        try:
            seen.append(next(batches).tolist())
        except KeyError:
            seen.append("error")
    assert seen == [[0, 1], [2, 3], "error", [6, 7]]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_dead_worker() -> None:
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly.*killed by signal"):
        list(DataLoader(Dies(), batch_size=2, num_workers=2))


def test_timeout() -> None:
    batches = iter(DataLoader(Sleeps(), batch_size=2, num_workers=2, timeout=1))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="DataLoader timed out after 1 seconds"):
        next(batches), next(batches)


def test_stream_with_workers() -> None:
    loader = DataLoader(Stream(11), batch_size=2, num_workers=2)
    assert [batch.tolist() for batch in loader] == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9]]


def test_persistent_workers() -> None:
    class Process(Numbers):
        def __getitem__(self, index: int) -> Any:
            return os.getpid()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loader = DataLoader(Process(4), num_workers=2, persistent_workers=True)
        first, second = ([batch.item() for batch in loader] for _ in range(2))
    assert first == second and len(set(first)) == 2 and os.getpid() not in first
    stream = DataLoader(Stream(4), num_workers=2, persistent_workers=True)
    assert [[b.item() for b in stream] for _ in range(2)] == [[0, 1, 2, 3]] * 2


def test_abandoned_epoch_of_persistent_workers() -> None:
    loader = DataLoader(Numbers(8), num_workers=2, persistent_workers=True)
    next(iter(loader))
    assert [batch.item() for batch in loader] == list(range(8))


def test_workers_end_with_the_iterator() -> None:
    batches = iter(DataLoader(Numbers(100), num_workers=2))
    next(batches)
    workers = list(batches._workers)
    del batches
    assert all(not worker.is_alive() for worker in workers)


def test_order_of_arrival() -> None:
    loader = DataLoader(Numbers(9), num_workers=2, in_order=False)
    assert sorted(batch.item() for batch in loader) == list(range(9))


def test_spawned_workers() -> None:
    loader = DataLoader(TensorDataset(torch.arange(4)), batch_size=2, num_workers=1, multiprocessing_context="spawn")
    assert [batch[0].tolist() for batch in loader] == [[0, 1], [2, 3]]


def test_what_cannot_be_pickled_is_reported() -> None:
    class Local:
        pass

    loader = DataLoader([Local()], num_workers=1, collate_fn=list)
    with pytest.raises(Exception, match="in DataLoader worker process 0(.|\n)*ickle"):
        list(loader)


def test_import_paths() -> None:
    from rushlight.utils.data.dataloader import DataLoader as by_module
    from rushlight.utils.data.dataset import TensorDataset as dataset_by_module
    from rushlight.utils.data.distributed import DistributedSampler as sampler_by_module

    assert by_module is DataLoader and dataset_by_module is TensorDataset and sampler_by_module is DistributedSampler


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="asks Linux for the memory of a process")
def test_the_dataset_is_not_copied_for_the_workers() -> None:
    size = 64 << 20

    class Large(Numbers):
        def __init__(self) -> None:
            super().__init__(8)
            self.array = np.ones(size, np.uint8)
            self.tensor = torch.from_numpy(np.ones(size, np.uint8))

        def __getitem__(self, index: int) -> Any:
            assert self.array[:: 1 << 12].sum() + self.tensor[:: 1 << 12].sum().item() == size >> 11
            with open("/proc/self/smaps_rollup") as lines:
                return sum(int(line.split()[1]) for line in lines if line.startswith(("Private", "Swap:"))) << 10

    own = [batch.item() for batch in DataLoader(Large(), num_workers=2)]
    assert max(own) < size


def test_a_program_without_a_main_guard_starts_workers(tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import rushlight as torch\n"
        "from rushlight.utils.data import DataLoader, Dataset\n"
        "class Squares(Dataset):\n"
        "    def __len__(self): return 8\n"
        "    def __getitem__(self, i): return i * i\n"
        "print('once')\n"
        "for _ in range(2):\n"
        "    print([b.tolist() for b in DataLoader(Squares(), batch_size=3, num_workers=4)])\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=120)
    expected = "[[0, 1, 4], [9, 16, 25], [36, 49]]\n"
    assert done.stdout == "once\n" + 2 * expected, done.stderr


def test_a_timeout_needs_workers() -> None:
    with pytest.raises(AssertionError, match="_SingleProcessDataLoaderIter requires timeout == 0"):
        iter(DataLoader(rows(), timeout=1))


def test_sparse_samples_are_not_collated() -> None:
    with pytest.raises(RuntimeError, match="Batches of sparse tensors are not currently supported"):
        default_collate([torch.eye(2).to_sparse()] * 2)
