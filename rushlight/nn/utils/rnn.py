"""Sequences of different lengths: padded to one tensor, or packed step by step without the padding.

A `PackedSequence` holds the samples sorted by length, longest first: `data` has the first step of all samples, then the
second step of those that have one, and so on; `batch_sizes` says how many have each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from rushlight.tensor import Tensor

_NOT_ON_CPU = (
    "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should be "
    "instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. "
    "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
)
_NOT_SORTED = (
    "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
    "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not "
    "need ONNX exportability."
)


class PackedSequence_(NamedTuple):  # noqa: N801 - PyTorch's name
    """The fields of a `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """What `pack_padded_sequence` returns and recurrent layers take. Made by functions, not by hand.

    Shape: data (sum of lengths, *), batch_sizes (longest length). `sorted_indices` is the order of the samples by
    length, `unsorted_indices` the way back, both None where they were sorted.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(_NOT_ON_CPU)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)  # type: ignore[arg-type]

    def _map(self, data: Tensor, convert: Callable[[Tensor], Tensor]) -> PackedSequence:
        orders = (None if order is None else convert(order) for order in (self.sorted_indices, self.unsorted_indices))
        return type(self)(data, self.batch_sizes, *orders)

    def pin_memory(self) -> PackedSequence:
        """The same in page-locked memory."""
        return self._map(self.data.pin_memory(), lambda t: t.pin_memory())

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with the data moved or converted as by `Tensor.to`; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._map(data, lambda t: t.to(data.device))

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same on a GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to(device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same in the processor's memory."""
        return self.to(*args, **{"device": "cpu", **kwargs})

    def _to_dtype(self, name: str) -> PackedSequence:
        import rushlight

        return self.to(dtype=getattr(rushlight, name))

    def double(self) -> PackedSequence:
        """The same with float64 data."""
        return self._to_dtype("float64")

    def float(self) -> PackedSequence:
        """The same with float32 data."""
        return self._to_dtype("float32")

    def half(self) -> PackedSequence:
        """The same with float16 data."""
        return self._to_dtype("float16")

    def long(self) -> PackedSequence:
        """The same with int64 data."""
        return self._to_dtype("int64")

    def int(self) -> PackedSequence:
        """The same with int32 data."""
        return self._to_dtype("int32")

    def short(self) -> PackedSequence:
        """The same with int16 data."""
        return self._to_dtype("int16")

    def char(self) -> PackedSequence:
        """The same with int8 data."""
        return self._to_dtype("int8")

    def byte(self) -> PackedSequence:
        """The same with uint8 data."""
        return self._to_dtype("uint8")

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data is in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`."""
    import rushlight

    if permutation is None:
        return None
    order = rushlight.arange(permutation.numel(), device=permutation.device)
    return rushlight.empty_like(permutation).scatter_(0, permutation, order.to(permutation.dtype))


def _step_rows(lengths: Sequence[int], batch: int) -> tuple[list[int], list[int]]:
    """Where the packed numbers lie in a padded, time-major tensor seen as rows; and the batch sizes."""
    sizes = [sum(length > step for length in lengths) for step in range(lengths[0])]
    return [step * batch + sample for step, size in enumerate(sizes) for sample in range(size)], sizes


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack (T, N, *), or (N, T, *) with `batch_first`, where sample i ends after `lengths[i]` steps.

    With `enforce_sorted` the lengths must fall; without, the samples are sorted. Raises RuntimeError where they do not
    fall, for a length below 1 and for a wrong number of lengths.
    """
    import rushlight

    batch_dim = 0 if batch_first else 1
    if isinstance(lengths, Tensor):
        ends = lengths.to(dtype=rushlight.int64)
    else:
        ends = rushlight.as_tensor(lengths, dtype=rushlight.int64, device="cpu")
    order = None
    if not enforce_sorted:
        ends, order = rushlight.sort(ends, descending=True)
        order = order.to(input.device)
        input = input.index_select(batch_dim, order)
    if batch_first:
        input = input.transpose(0, 1)
    counts = ends.tolist()
    _check_lengths(counts, input)
    rows, sizes = _step_rows(counts, input.size(1))
    index = rushlight.tensor(rows, dtype=rushlight.int64, device=input.device)  # type: ignore[operator]
    data = input.reshape(-1, *input.shape[2:]).index_select(0, index)
    return PackedSequence(data, rushlight.tensor(sizes, dtype=rushlight.int64), order, None)  # type: ignore[operator]


def _check_lengths(lengths: list[int], input: Tensor) -> None:
    if len(lengths) != input.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={input.size(1)})"
        )
    if not lengths or min(lengths) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(lengths, lengths[1:], strict=False)):
        raise RuntimeError(_NOT_SORTED)
    if lengths[0] > input.size(0):
        raise RuntimeError(
            f"Expected all lengths to be at most {input.size(0)}, the size of the input's time dimension, but got "
            f"{lengths[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: the padded tensor (T, N, *), or (N, T, *), and the lengths.

    `total_length` is the T wanted; ValueError if it is shorter than the longest sample.
    """
    import rushlight

    data, sizes = sequence.data, sequence.batch_sizes.tolist()
    longest, batch = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    lengths = [sum(size > sample for size in sizes) for sample in range(batch)]
    index = rushlight.tensor(_step_rows(lengths, batch)[0], dtype=rushlight.int64, device=data.device)  # type: ignore[operator]
    padding = data.new_full((longest * batch, *data.shape[1:]), padding_value)
    padded = padding.index_copy(0, index, data).reshape(longest, batch, *data.shape[1:])
    if batch_first:
        padded = padded.transpose(0, 1)
    ends = rushlight.tensor(lengths, dtype=rushlight.int64)  # type: ignore[operator]
    order = sequence.unsorted_indices
    if order is None:
        return padded, ends
    return padded.index_select(0 if batch_first else 1, order), ends[order.cpu()]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Stack tensors of different first sizes (L_i, *) to (T, N, *), or (N, T, *) with `batch_first`, padding the ends.

    >>> import rushlight
    >>> pad_sequence([rushlight.ones(2), rushlight.ones(3)], batch_first=True)
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    import rushlight
    from rushlight.nn import functional as F

    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(s.size(0) for s in sequences)
    padded = []
    for s in sequences:
        amounts = [0, 0] * (s.dim() - 1) + [0, 0]
        amounts[-2 if padding_side == "left" else -1] = longest - s.size(0)
        padded.append(F.pad(s, amounts, value=padding_value) if longest > s.size(0) else s)
    return rushlight.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Undo `pad_sequence`: the tensors without their padding."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[:length] for s, length in zip(padded_sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors of different first sizes (L_i, *); longest first unless `enforce_sorted=False`."""
    lengths = [s.size(0) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
