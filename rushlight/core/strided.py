"""Shape and stride arithmetic: how a tensor's elements lie in memory, and what every view does to that.

Pure functions on tuples of ints; strides and offsets count elements, as PyTorch's do. A layout is the triple
(shape, strides, offset): the view functions take one and give the next. The others answer one question about a layout
(contiguous? overlapping? how large?) or find the shape and strides of a fresh result. Errors carry PyTorch's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rushlight.core.dtype import dtype

Shape = tuple[int, ...]
Strides = tuple[int, ...]
Layout = tuple[Shape, Strides, int]

numel = prod  #: the number of elements of a shape

_CHANNELS_LAST_ORDER = {4: (1, 3, 2, 0), 5: (1, 4, 3, 2, 0)}  # dimensions from the fastest to the slowest


# --- strides of fresh tensors ----------------------------------------------------------------------------------------


def contiguous_strides(shape: Shape) -> Strides:
    """The strides of a freshly made tensor (row-major); a dimension of size 0 counts as one of size 1.

    >>> contiguous_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        if size > 1:
            step *= size
    strides.reverse()
    return tuple(strides)


def channels_last_strides(shape: Shape) -> Strides:
    """The strides of an NHWC (4-D) or NDHWC (5-D) tensor; raises RuntimeError for other ranks.

    >>> channels_last_strides((2, 3, 4, 5))
    (60, 1, 15, 3)
    """
    order = _CHANNELS_LAST_ORDER.get(len(shape))
    if order is None:
        raise RuntimeError(f"required rank 4 tensor to use channels_last format (got shape {list(shape)})")
    return _strides_in_order(shape, order, smallest=0)


def _strides_in_order(shape: Shape, order: Iterable[int], smallest: int) -> Strides:
    """Dense strides with the dimensions in `order`, fastest first; sizes below `smallest` count as `smallest`."""
    strides = [0] * len(shape)
    step = 1
    for dim in order:
        strides[dim] = step
        step *= max(shape[dim], smallest)
    return tuple(strides)


# --- questions about a layout ----------------------------------------------------------------------------------------


def is_contiguous(shape: Shape, strides: Strides) -> bool:
    """Whether the elements lie row-major without gaps. Strides of dimensions of size 1 do not matter."""
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1:
            if stride != step:
                return 0 in shape
            step *= size
    return True


def is_channels_last(shape: Shape, strides: Strides) -> bool:
    """Whether a 4-D (5-D) tensor is contiguous in the memory format channels_last (channels_last_3d)."""
    step = 1
    for dim in _CHANNELS_LAST_ORDER.get(len(shape), ()):
        size = shape[dim]
        if size != 1:
            if strides[dim] != step:
                return False
            step *= size
    return len(shape) in _CHANNELS_LAST_ORDER


def has_channels_last_strides(shape: Shape, strides: Strides) -> bool:
    """Whether the strides, gaps allowed, order the dimensions as channels_last does; ambiguous cases say no.

    This decides the memory format that convolutions and pooling keep for their results.
    """
    order = _CHANNELS_LAST_ORDER.get(len(shape))
    if order is None or strides[1] == 0:
        return False
    smallest = 0
    for dim in order:
        if shape[dim] == 0 or strides[dim] < smallest or (dim == 0 and smallest == strides[1]):
            return False
        smallest = strides[dim] * max(shape[dim], 1)
    return True


def is_non_overlapping_and_dense(shape: Shape, strides: Strides) -> bool:
    """Whether the elements fill one stretch of memory, each place once, in whatever order of dimensions."""
    step = 1
    for stride, size in sorted((stride, size) for size, stride in zip(shape, strides, strict=True) if size != 1):
        if stride != step:
            return 0 in shape
        step *= size
    return True


def has_internal_overlap(shape: Shape, strides: Strides) -> bool:
    """Whether elements certainly share memory: a stride of 0 in a dimension larger than 1 (an expanded tensor)."""
    if 0 not in strides or 0 in shape:
        return False
    return any(stride == 0 and size > 1 for size, stride in zip(shape, strides, strict=True))


def extent(shape: Shape, strides: Strides) -> int:
    """How many elements of memory lie between the first and the last element, both included; 0 for an empty tensor.

    >>> extent((2, 2), (3, 1))
    5
    """
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


# --- dimensions and sizes --------------------------------------------------------------------------------------------


def normalize_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front. A zero-dim tensor has a dimension 0 for this purpose. Raises IndexError.

    >>> normalize_dim(-1, 3)
    2
    """
    if 0 <= dim < ndim:
        return dim
    limit = ndim or 1
    if -limit <= dim < limit:
        return dim % limit
    raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})")


def normalize_dims(dims: Iterable[int], ndim: int) -> tuple[int, ...]:
    """Every dim counted from the front. Raises IndexError out of range, RuntimeError for a dim given twice."""
    found: list[int] = []
    for dim in dims:
        dim = normalize_dim(dim, ndim)
        if dim in found:
            raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
        found.append(dim)
    return tuple(found)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape of a pointwise operation on operands of these shapes. Raises RuntimeError where they do not match.

    >>> broadcast_shapes((2, 1), (3,), ())
    (2, 3)
    """
    result: Shape = shapes[0] if shapes else ()
    for shape in shapes[1:]:
        if shape != result:
            result = _broadcast_pair(result, shape)
    return result


def _broadcast_pair(a: Shape, b: Shape) -> Shape:
    ndim = max(len(a), len(b))
    wide_a, wide_b = (1,) * (ndim - len(a)) + a, (1,) * (ndim - len(b)) + b
    sizes = [y if x == 1 else x if y == 1 or x == y else -1 for x, y in zip(wide_a, wide_b, strict=True)]
    if -1 in sizes:
        dim = ndim - 1 - sizes[::-1].index(-1)
        raise RuntimeError(
            f"The size of tensor a ({wide_a[dim]}) must match the size of tensor b ({wide_b[dim]}) "
            f"at non-singleton dimension {dim}"
        )
    return tuple(sizes)


def infer_size(shape: Sequence[int], elements: int) -> Shape:
    """`shape` with its -1, if any, replaced so that it holds `elements` elements; raises RuntimeError if none does.

    >>> infer_size((2, -1), 6)
    (2, 3)
    """
    if min(shape, default=0) < 0:
        _check_inferrable(shape)
        known = -prod(shape)
        if known and elements % known == 0:
            return tuple(elements // known if size == -1 else size for size in shape)
        if elements == known:  # both 0
            raise RuntimeError(f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
                               "dimension size -1 can be any value and is ambiguous")  # fmt: skip
    elif prod(shape) == elements:
        return tuple(shape)
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {elements}")


def _check_inferrable(shape: Sequence[int]) -> None:
    inferred = False
    for position, size in enumerate(shape):
        if size < -1:
            raise RuntimeError(f"invalid shape dimension {size} at index {position} of shape {list(shape)}")
        if size == -1 and inferred:
            raise RuntimeError("only one dimension can be inferred")
        inferred |= size == -1


def flatten_shape(shape: Shape, start_dim: int = 0, end_dim: int = -1) -> Shape:
    """The shape after `flatten`; raises RuntimeError if the range is backwards, IndexError if a dim is out of range.

    >>> flatten_shape((2, 3, 4), 1)
    (2, 12)
    """
    start, end = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


def unflatten_shape(shape: Shape, dim: int, sizes: Sequence[int]) -> Shape:
    """The shape after `unflatten`: `sizes`, one of which may be -1, in the place of `dim`. Raises RuntimeError."""
    dim = normalize_dim(dim, len(shape))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        inner = infer_size(sizes, shape[dim])
    except RuntimeError as error:
        if "invalid for input" not in str(error):
            raise RuntimeError(f"unflatten got an unexpected error:\n{error}") from None
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
                           f"({shape[dim]}) in the input tensor") from None  # fmt: skip
    return shape[:dim] + inner + shape[dim + 1 :]


def chunk_sizes(shape: Shape, chunks: int, dim: int) -> tuple[int, ...]:
    """The sizes along `dim` of the pieces `chunk` makes: equal but for the last, perhaps fewer than asked for.

    >>> chunk_sizes((5,), 3, 0)
    (2, 2, 1)
    """
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = shape[normalize_dim(dim, len(shape))]
    if size == 0:  # so many empty pieces
        return (0,) * chunks
    return split_sizes(shape, -(-size // chunks), dim)


def split_sizes(shape: Shape, split: int | Sequence[int], dim: int) -> tuple[int, ...]:
    """The sizes along `dim` of the pieces `split` makes, from the size of a piece or a list of sizes.

    >>> split_sizes((5,), 2, 0)
    (2, 2, 1)
    """
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = normalize_dim(dim, len(shape))
    size = shape[dim]
    if not isinstance(split, int):
        return _checked_split(tuple(split), size, dim)
    if split < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={split}")
    if split == 0 and size:
        raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}")
    whole, rest = divmod(size, split) if split else (1, 0)
    return (split,) * whole + (rest,) * (rest > 0 or whole == 0)


def _checked_split(sizes: tuple[int, ...], size: int, dim: int) -> tuple[int, ...]:
    given = list(sizes)
    if min(sizes, default=0) < 0:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={given}"
        )
    if sum(sizes) != size:
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at "
                           f"dimension {dim}), but got split_sizes={given}")  # fmt: skip
    return sizes


# --- strides of the result of an operation ---------------------------------------------------------------------------


def elementwise_strides(operands: Sequence[tuple[Shape, Strides]], out_shape: Shape) -> Strides:
    """The strides PyTorch gives to the fresh result of a pointwise operation on these operands.

    The operands are (shape, strides), scalars included as ((), ()), and broadcast to `out_shape`. The result keeps the
    order in which the operands' dimensions lie in memory, the first operand deciding before the second. Source: the
    rules of ATen's TensorIterator, checked against PyTorch.

    >>> elementwise_strides([((2, 3), (1, 2))], (2, 3))
    (1, 2)
    """
    if all(shape == out_shape for shape, _ in operands):
        shared = _shared_strides(operands, out_shape)
        if shared is not None:
            return shared
    aligned = [_aligned_strides(shape, strides, out_shape) for shape, strides in operands]
    order = _memory_order(aligned, out_shape)
    if order == list(range(len(out_shape) - 1, -1, -1)):
        return contiguous_strides(out_shape)
    return _strides_in_order(out_shape, order, smallest=0)


def _shared_strides(operands: Sequence[tuple[Shape, Strides]], out_shape: Shape) -> Strides | None:
    """The strides where all operands have the shape of the result and lie in memory alike; None otherwise."""
    if all(is_contiguous(shape, strides) for shape, strides in operands):
        return contiguous_strides(out_shape)
    if len(out_shape) == 4 and all(is_channels_last(shape, strides) for shape, strides in operands):
        return channels_last_strides(out_shape)
    first = operands[0][1]
    if all(strides == first for _, strides in operands) and is_non_overlapping_and_dense(out_shape, first):
        return first
    return None


def _aligned_strides(shape: Shape, strides: Strides, out_shape: Shape) -> Strides:
    """An operand's strides once broadcast: 0 where it is repeated, otherwise its own."""
    if shape == out_shape:
        return strides
    missing = len(out_shape) - len(shape)
    own = zip(shape, strides, out_shape[missing:], strict=True)
    return (0,) * missing + tuple(0 if size == 1 and out != 1 else stride for size, stride, out in own)


def _memory_order(operands: Sequence[Strides], shape: Shape) -> list[int]:
    """The dimensions from the fastest to the slowest, as the first operand that is not repeated along them has it."""

    def compare(a: int, b: int) -> int:
        for strides in operands:
            step_a, step_b = strides[a], strides[b]
            if step_a and step_b:
                if step_a != step_b:
                    return -1 if step_a < step_b else 1
                if shape[a] > shape[b]:
                    return 1
        return 0

    return _sorted_dims(len(shape), compare)


def _sorted_dims(ndim: int, compare: Callable[[int, int], int]) -> list[int]:
    """Dimensions, last first, insertion-sorted by a comparison that may be undecided (0).

    Undecided pairs are passed over, not kept in place: the order depends on the algorithm, so it must be this one.
    """
    order = list(range(ndim - 1, -1, -1))
    for start in range(1, ndim):
        moving = start
        for other in range(start - 1, -1, -1):
            decided = compare(order[other], order[moving])
            if decided > 0:
                order[other], order[moving] = order[moving], order[other]
                moving = other
            elif decided < 0:
                break
    return order


def preserve_strides(shape: Shape, strides: Strides) -> Strides:
    """The strides of `empty_like` and `clone` with `memory_format=torch.preserve_format`.

    The same strides if the tensor is dense, otherwise dense ones with the dimensions in the same order.
    """
    if is_non_overlapping_and_dense(shape, strides):
        return strides
    return _strides_in_order(shape, _by_stride(shape, strides), smallest=1)


def _by_stride(shape: Shape, strides: Strides) -> list[int]:
    """The dimensions, fastest first."""

    def compare(a: int, b: int) -> int:
        if not strides[a] or not strides[b]:
            return 0
        if strides[a] != strides[b]:
            return -1 if strides[a] < strides[b] else 1
        return int(shape[a] > shape[b])

    return _sorted_dims(len(shape), compare)


def dim_order(shape: Shape, strides: Strides) -> tuple[int, ...]:
    """The dimensions in the order in which they lie in memory, outermost first.

    >>> dim_order((2, 5, 3), (15, 1, 5))
    (0, 2, 1)
    """
    if is_contiguous(shape, strides):
        return tuple(range(len(shape)))
    return tuple(reversed(_by_stride(shape, strides)))


def view_strides(shape: Shape, strides: Strides, new_shape: Shape) -> Strides | None:
    """The strides that show the same elements as `new_shape` without a copy, or None if there are none.

    Both shapes must hold as many elements (see `infer_size`). Each stretch of old dimensions that lies in one piece
    must be made up of whole new dimensions.

    >>> view_strides((2, 3), (3, 1), (6,)), view_strides((2, 3), (1, 2), (6,))
    ((1,), None)
    """
    if not shape:
        return (1,) * len(new_shape)
    if 0 in shape:
        return strides if shape == new_shape else contiguous_strides(new_shape)
    return _split_into_pieces(shape, strides, new_shape)


def _split_into_pieces(shape: Shape, strides: Strides, new_shape: Shape) -> Strides | None:
    new_strides = [0] * len(new_shape)
    new_dim = len(new_shape) - 1
    for size, step in _contiguous_pieces(shape, strides):
        taken = 1
        while new_dim >= 0 and (taken < size or new_shape[new_dim] == 1):
            new_strides[new_dim] = taken * step
            taken *= new_shape[new_dim]
            new_dim -= 1
        if taken != size:
            return None
    return tuple(new_strides) if new_dim < 0 else None


def _contiguous_pieces(shape: Shape, strides: Strides) -> Iterable[tuple[int, int]]:
    """(number of elements, stride) of each stretch of dimensions that could be one dimension, last first."""
    size, step = 1, strides[-1]
    for dim in range(len(shape) - 1, -1, -1):
        size *= shape[dim]
        if dim == 0:
            yield size, step
        elif shape[dim - 1] != 1 and strides[dim - 1] != size * step:
            yield size, step
            size, step = 1, strides[dim - 1]


# --- views -----------------------------------------------------------------------------------------------------------


def view(shape: Shape, strides: Strides, offset: int, new_shape: Sequence[int]) -> Layout:
    """The layout after `view(*new_shape)`, one -1 allowed. Raises RuntimeError if sizes or strides do not allow it."""
    sizes = infer_size(new_shape, prod(shape))
    new_strides = view_strides(shape, strides, sizes)
    if new_strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            f"contiguous subspaces). Use .reshape(...) instead. (shape {list(shape)}, strides {list(strides)}, "
            f"asked for {list(sizes)})"
        )
    return sizes, new_strides, offset


def view_dtype(shape: Shape, strides: Strides, offset: int, old: dtype, new: dtype) -> Layout:
    """The layout after `view(new)`: the same bytes read as another type. Raises RuntimeError if they do not fit."""
    if old.itemsize == new.itemsize:
        return shape, strides, offset
    between = f"to view {old.scalar_name} as {new.scalar_name} (different element sizes)"
    if not shape:
        raise RuntimeError(f"self.dim() cannot be 0 {between}")
    if old.itemsize > new.itemsize:
        _check_adjacent(strides, between)
        ratio = old.itemsize // new.itemsize
        return (*shape[:-1], shape[-1] * ratio), (*(s * ratio for s in strides[:-1]), 1), offset * ratio
    ratio = new.itemsize // old.itemsize
    _check_divisible(shape, strides, offset, ratio, between)
    return (*shape[:-1], shape[-1] // ratio), (*(s // ratio for s in strides[:-1]), 1), offset // ratio


def _check_adjacent(strides: Strides, between: str) -> None:
    if strides[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 {between}, but got {strides[-1]}")


def _check_divisible(shape: Shape, strides: Strides, offset: int, ratio: int, between: str) -> None:
    def check(name: str, number: int) -> None:
        if number % ratio:
            raise RuntimeError(f"self.{name} must be divisible by {ratio} {between}, but got {number}")

    check("size(-1)", shape[-1])
    check("storage_offset()", offset)
    _check_adjacent(strides, between)
    for dim, stride in enumerate(strides[:-1]):
        check(f"stride({dim})", stride)


def expand_strides(
    shape: Shape, strides: Strides, new_shape: Sequence[int], type_name: str = "torch.FloatTensor"
) -> tuple[Shape, Strides]:
    """Shape and strides after `expand(*new_shape)`, where -1 keeps a size: stride 0 wherever elements are repeated.

    Raises RuntimeError for sizes the tensor cannot be expanded to. `type_name` is for the message only.

    >>> expand_strides((3, 1), (1, 1), (2, -1, 4))
    ((2, 3, 4), (0, 1, 0))
    """
    missing = len(new_shape) - len(shape)
    if missing < 0:
        raise RuntimeError(
            f"expand({type_name}{{{list(shape)}}}, size={list(new_shape)}): the number of sizes provided "
            f"({len(new_shape)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    sizes, steps = list(new_shape), [0] * missing + list(strides)
    for dim in range(len(sizes) - 1, -1, -1):
        if dim < missing:
            _check_leading(sizes[dim], dim)
            # PyTorch gives a new dimension of size 1 the stride it would have if contiguous.
            steps[dim] = sizes[dim + 1] * steps[dim + 1] if shape and sizes[dim] == 1 else 0
            continue
        size = shape[dim - missing]
        if sizes[dim] == -1:
            sizes[dim] = size
        elif sizes[dim] != size:
            _check_repeatable(size, sizes[dim], dim, new_shape, shape)
            steps[dim] = 0
    return tuple(sizes), tuple(steps)


def _check_leading(size: int, dim: int) -> None:
    if size < 0:
        raise RuntimeError(f"The expanded size of the tensor ({size}) isn't allowed in a leading, "
                           f"non-existing dimension {dim}")  # fmt: skip


def _check_repeatable(size: int, wanted: int, dim: int, new_shape: Sequence[int], shape: Shape) -> None:
    if size != 1 or wanted < 0:
        raise RuntimeError(
            f"The expanded size of the tensor ({wanted}) must match the existing size ({size}) at non-singleton "
            f"dimension {dim}.  Target sizes: {list(new_shape)}.  Tensor sizes: {list(shape)}"
        )


def expand(shape: Shape, strides: Strides, offset: int, new_shape: Sequence[int]) -> Layout:
    """The layout after `expand(*new_shape)`; see `expand_strides`."""
    return (*expand_strides(shape, strides, new_shape), offset)


def permute(shape: Shape, strides: Strides, offset: int, dims: Sequence[int]) -> Layout:
    """The layout after `permute(*dims)`. Raises RuntimeError unless every dimension is named exactly once.

    >>> permute((2, 3), (3, 1), 0, (1, 0))
    ((3, 2), (1, 3), 0)
    """
    ndim = len(shape)
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    order: list[int] = []
    for dim in dims:
        dim = normalize_dim(dim, ndim)
        if dim in order:
            raise RuntimeError(f"permute(): duplicate dims are not allowed. (got {list(dims)})")
        order.append(dim)
    return tuple(shape[dim] for dim in order), tuple(strides[dim] for dim in order), offset


def transpose(shape: Shape, strides: Strides, offset: int, dim0: int, dim1: int) -> Layout:
    """The layout after `transpose(dim0, dim1)`. Raises IndexError for a dim out of range."""
    dim0, dim1 = normalize_dim(dim0, len(shape)), normalize_dim(dim1, len(shape))
    if dim0 == dim1:
        return shape, strides, offset
    order = list(range(len(shape)))
    order[dim0], order[dim1] = dim1, dim0
    return tuple(shape[dim] for dim in order), tuple(strides[dim] for dim in order), offset


def movedim_order(ndim: int, source: Sequence[int], destination: Sequence[int]) -> tuple[int, ...]:
    """The `permute` argument that does `movedim(source, destination)`. Raises RuntimeError as PyTorch does.

    >>> movedim_order(3, (0,), (2,))
    (1, 2, 0)
    """
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should contain the same number "
            f"of dims as destination ({list(destination)} dims)"
        )
    sources, targets = ([normalize_dim(dim, ndim) for dim in dims] for dims in (source, destination))
    for name, dims, given in (("source", sources, source), ("destination", targets, destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    moved = dict(zip(targets, sources, strict=True))
    others = iter(dim for dim in range(ndim) if dim not in sources)
    return tuple(moved[dim] if dim in moved else next(others) for dim in range(ndim))


def squeeze(shape: Shape, strides: Strides, offset: int, dim: int | Sequence[int] | None = None) -> Layout:
    """The layout without its dimensions of size 1: all of them, or those named. Raises IndexError out of range.

    >>> squeeze((1, 3, 1), (3, 1, 1), 0, 0)
    ((3, 1), (1, 1), 0)
    """
    if dim is None:
        chosen: Sequence[int] = range(len(shape))
    elif isinstance(dim, int):
        chosen = (normalize_dim(dim, len(shape)),)
    else:
        chosen = normalize_dims(dim, len(shape))
    kept = [d for d, size in enumerate(shape) if size != 1 or d not in chosen]
    return tuple(shape[d] for d in kept), tuple(strides[d] for d in kept), offset


def unsqueeze(shape: Shape, strides: Strides, offset: int, dim: int) -> Layout:
    """The layout with a new dimension of size 1 at `dim`. Raises IndexError out of range.

    >>> unsqueeze((2, 3), (3, 1), 0, -1)
    ((2, 3, 1), (3, 1, 1), 0)
    """
    ndim = len(shape)
    dim = normalize_dim(dim, ndim + 1)
    step = shape[dim] * strides[dim] if dim < ndim else 1
    return (*shape[:dim], 1, *shape[dim:]), (*strides[:dim], step, *strides[dim:]), offset


def select(shape: Shape, strides: Strides, offset: int, dim: int, index: int) -> Layout:
    """The layout after `select(dim, index)`: that dimension gone. Raises IndexError out of range or for zero dims.

    >>> select((2, 3), (3, 1), 0, 0, -1)
    ((3,), (1,), 3)
    """
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = normalize_dim(dim, len(shape))
    size = shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {dim}")
    offset += (index % size) * strides[dim]
    return shape[:dim] + shape[dim + 1 :], strides[:dim] + strides[dim + 1 :], offset


def slice_dim(
    shape: Shape, strides: Strides, offset: int, dim: int, start: int | None, stop: int | None, step: int = 1
) -> Layout:
    """The layout after slicing `dim` by start:stop:step, bounds clamped as Python does.

    Raises RuntimeError for a step below 1 and IndexError for a zero-dim tensor or a dim out of range.

    >>> slice_dim((2, 5), (5, 1), 0, 1, 1, None, 2)
    ((2, 2), (5, 2), 1)
    """
    if not shape:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    dim = normalize_dim(dim, len(shape))
    if step < 1:
        raise RuntimeError(f"slice step must be positive (got {step})")
    first, last, step = slice(start, stop, step).indices(shape[dim])
    size = len(range(first, last, step))
    return (
        (*shape[:dim], size, *shape[dim + 1 :]),
        (*strides[:dim], strides[dim] * step, *strides[dim + 1 :]),
        offset + first * strides[dim],
    )


def narrow(shape: Shape, strides: Strides, offset: int, dim: int, start: int, length: int) -> Layout:
    """The layout after `narrow(dim, start, length)`. Raises RuntimeError or IndexError out of range."""
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative. (got {length})")
    dim = normalize_dim(dim, len(shape))
    size = shape[dim]
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, {size}], but got {start})")
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return slice_dim(shape, strides, offset, dim, start, start + length)


def diagonal(shape: Shape, strides: Strides, offset: int, diagonal: int = 0, dim1: int = 0, dim2: int = 1) -> Layout:
    """The layout after `diagonal(diagonal, dim1, dim2)`: those two dimensions gone, their diagonal last.

    Raises IndexError for a dim out of range, RuntimeError if both are the same.

    >>> diagonal((3, 3), (3, 1), 0, 1)
    ((2,), (4,), 1)
    """
    ndim = len(shape)
    row, column = normalize_dim(dim1, ndim), normalize_dim(dim2, ndim)
    if row == column:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if diagonal >= 0:
        size = max(min(shape[row], shape[column] - diagonal), 0)
    else:
        size = max(min(shape[row] + diagonal, shape[column]), 0)
    if size:
        offset += diagonal * strides[column] if diagonal >= 0 else -diagonal * strides[row]
    kept = [dim for dim in range(ndim) if dim != row and dim != column]
    step = strides[row] + strides[column]
    return (*(shape[dim] for dim in kept), size), (*(strides[dim] for dim in kept), step), offset


def unfold(shape: Shape, strides: Strides, offset: int, dim: int, size: int, step: int) -> Layout:
    """The layout after `unfold(dim, size, step)`: `dim` counts windows, a new last dimension goes through one.

    Raises RuntimeError for windows larger than the dimension or a step below 1.

    >>> unfold((5,), (1,), 0, 0, 3, 2)
    ((2, 3), (2, 1), 0)
    """
    dim = normalize_dim(dim, len(shape))
    available, stride = (shape[dim], strides[dim]) if shape else (1, 1)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > available:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {available} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not shape:
        return (size,), (1,), offset
    windows = (available - size) // step + 1
    return (
        (*shape[:dim], windows, *shape[dim + 1 :], size),
        (*strides[:dim], stride * step, *strides[dim + 1 :], stride),
        offset,
    )


def as_strided(size: Sequence[int], stride: Sequence[int], offset: int, storage_size: int, itemsize: int) -> Layout:
    """The layout `as_strided` asks for, checked against a storage of `storage_size` elements of `itemsize` bytes.

    Raises RuntimeError for negative numbers and for a layout that would reach outside the storage.
    """
    shape, strides = tuple(size), tuple(stride)
    if len(shape) != len(strides):
        raise RuntimeError(f"mismatch in length of strides and shape (got {list(strides)} and {list(shape)})")
    if min(strides, default=0) < 0:
        raise RuntimeError("as_strided: Negative strides are not supported at the moment, "
                           f"got strides: {list(strides)}")  # fmt: skip
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if min(shape, default=0) < 0:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    spanned = extent(shape, strides)
    if spanned and offset + spanned > storage_size:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset}, and itemsize "
            f"{itemsize} requiring a storage size of {(offset + spanned) * itemsize} are out of bounds for "
            f"storage of size {storage_size * itemsize}"
        )
    return shape, strides, offset


def view_as_real(shape: Shape, strides: Strides, offset: int) -> Layout:
    """The layout of a complex tensor's parts as real numbers: a new last dimension of size 2."""
    return (*shape, 2), (*(2 * stride for stride in strides), 1), 2 * offset


def view_as_complex(shape: Shape, strides: Strides, offset: int) -> Layout:
    """The layout of pairs of real numbers as complex ones. Raises RuntimeError unless the last dimension is a pair."""
    if not shape:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if shape[-1] != 2:
        raise RuntimeError(f"Tensor must have a last dimension of size 2 (got shape {list(shape)})")
    if strides[-1] != 1:
        raise RuntimeError(f"Tensor must have a last dimension with stride 1 (got strides {list(strides)})")
    if any(stride % 2 and size != 1 for size, stride in zip(shape[:-1], strides[:-1], strict=True)):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension "
                           f"(got strides {list(strides)})")  # fmt: skip
    if offset % 2:
        raise RuntimeError(f"Tensor must have a storage_offset divisible by 2 (got {offset})")
    return shape[:-1], tuple(stride // 2 for stride in strides[:-1]), offset // 2
