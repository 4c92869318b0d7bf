"""`vmap`: a function applied to every element of its arguments, for all elements at once where that can be.

The function records the first element; if that is a program that a batch of elements can go through, `Body` has them
go through it. Otherwise (it looked at numbers, drew random ones, wrote in place) it runs for the other elements, too,
and the results are stacked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.generator import Generator, default_generator
from rushlight.record.trace import recorder
from rushlight.record.value import Tensor
from rushlight.tensor import FUNCTIONS
from rushlight.utils._pytree import (
    TreeSpec,
    broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_structure,
    tree_unflatten,
)

from .batching import Body, recording

Func = Callable[..., Any]
Dims = Any  # an int, None, or containers of them

_cat, _stack = FUNCTIONS["cat"], FUNCTIONS["stack"]
PIECE = 64  # slots of recorded work after which `vmap` has it computed, at the end of an element


def vmap(
    func: Func, in_dims: Dims = 0, out_dims: Dims = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Func:
    """A function that applies `func` to every element of its arguments along a dimension, and stacks the results.

    Args:
        in_dims: which dimension of each argument counts the elements; None for an argument that all share.
        out_dims: which dimension of each result does.
        randomness: whether `func` may draw random numbers: "error", "different" (for each element), "same".
        chunk_size: how many elements to take at once, so that less memory is needed (None: all).

    Raises:
        ValueError: a dimension that an argument does not have, or arguments of different numbers of elements.

    >>> torch.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    check_randomness(randomness)
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if chunk_size is None:
            return _mapped(func, in_dims, out_dims, randomness, args, kwargs)
        return _in_chunks(func, in_dims, out_dims, randomness, chunk_size, args, kwargs)

    return wrapper


def check_randomness(randomness: str) -> None:
    """Raises RuntimeError for what is not a way to treat random numbers."""
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")


def _in_chunks(
    func: Func, in_dims: Dims, out_dims: Dims, randomness: str, count: int, args: Any, kwargs: dict[str, Any]
) -> Any:
    """The results of so many elements at a time, put together."""
    name = getattr(func, "__name__", repr(func))
    dims, leaves, spec = _input_dims(name, in_dims, args)
    size = _size(name, in_dims, leaves, dims)
    before, found = _random_state(), []
    for i in range(0, max(size, 1), count):
        if randomness == "same":
            _go_back(before)
        part = [x if d is None else x.narrow(d, i, min(count, size - i)) for x, d in zip(leaves, dims, strict=True)]
        found.append(_mapped(func, in_dims, out_dims, randomness, tree_unflatten(part, spec), kwargs))
    shape = tree_structure(found[0])
    columns = zip(*[tree_leaves(r) for r in found], _output_dims(name, out_dims, shape), strict=True)
    return tree_unflatten([c[0] if d is None else _cat(c, d) for *c, d in columns], shape)


def _mapped(func: Func, in_dims: Dims, out_dims: Dims, randomness: str, args: Any, kwargs: dict[str, Any]) -> Any:
    name = getattr(func, "__name__", repr(func))
    _check_out_dims(name, out_dims)
    dims, leaves, spec = _input_dims(name, in_dims, args)
    size = _size(name, in_dims, leaves, dims)

    def of(parts: Sequence[Any]) -> Any:
        return func(*tree_unflatten(parts, spec), **kwargs)

    def element(i: int) -> Any:
        return of([_element(x, d, i) for x, d in zip(leaves, dims, strict=True)])

    before = _random_state()
    if size > 1:
        body = Body(leaves, dims)
        with body:
            first = of(body.parts)
        shape = tree_structure(first)
        found = body.batched(tree_leaves(first), broadcast_to_and_flatten(out_dims, shape), size)
        if found is not None:
            return tree_unflatten(found, shape)
    else:
        first = element(0)
        shape = tree_structure(first)
    _check_draws(before, randomness)
    results = [first]
    for i in range(1, size):
        _cut()
        if randomness == "same":
            _go_back(before)
        results.append(element(i))
    places = _output_dims(name, out_dims, shape)
    columns = zip(*[tree_leaves(r) for r in results], strict=True)
    return tree_unflatten([_joined(c, d, size, name) for c, d in zip(columns, places, strict=True)], shape)


def _cut() -> None:
    """Computes what is recorded if that is much: the elements after the first are then all one program."""
    me = recorder()
    if len(me.trace.values) >= PIECE and not me.hold and not recording():
        me.flush()


def _random_state() -> tuple[Any, ...]:
    """Where the default generator stands; asking for it counts as no draw."""
    asked = Generator.asked
    engine = default_generator.engine
    Generator.asked = asked
    return np.array(engine.cells()), engine.next_normal, engine.next_normal_float


def _go_back(state: tuple[Any, ...]) -> None:
    """Has the default generator draw again what it has drawn since."""
    engine = default_generator.engine
    engine.cells()[:], engine.next_normal, engine.next_normal_float = state


def _check_draws(before: tuple[Any, ...], randomness: str) -> None:
    now = _random_state()
    if randomness == "error" and (now[1:] != before[1:] or (now[0] != before[0]).any()):
        _go_back(before)
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
            "'different' randomness flags on vmap or perform the randomness operation out of vmap"
        )


def _element(x: Any, dim: int | None, i: int) -> Any:
    if dim is None:
        return x
    if x.shape[dim]:
        return x.select(dim, i)
    shape = list(x.shape)
    del shape[dim]
    return x.new_zeros(shape)  # nothing to map over: shows the function what an element would be


def _joined(column: Sequence[Any], dim: int | None, size: int, name: str) -> Any:
    if dim is None:
        return column[0]
    for x in column:
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set "
                "out_dims= to None for output?"
            )
    joined = _stack(column, dim)
    return joined if size else joined.narrow(dim, 0, 0)


def _input_dims(name: str, in_dims: Dims, args: Any) -> tuple[list[Any], list[Any], TreeSpec]:
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
            f"tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of "
            f"`inputs`. in_dims has structure {tree_structure(in_dims)} but inputs has structure {spec}."
        )
    return [_input_dim(name, in_dims, x, d) for x, d in zip(leaves, dims, strict=True)], leaves, spec


def _input_dim(name: str, in_dims: Dims, x: Any, dim: Any) -> int | None:
    start = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={dim} for "
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{start}an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{start}an input but the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, please use "
            "None as the respective in_dim"
        )
    if not -x.dim() <= dim < x.dim():
        raise ValueError(
            f"{start}some input, but that input is a Tensor of dimensionality {x.dim()} so expected in_dim to satisfy "
            f"-{x.dim()} <= in_dim < {x.dim()}."
        )
    return dim % x.dim()


def _size(name: str, in_dims: Dims, leaves: Sequence[Any], dims: Sequence[Any]) -> int:
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def _check_out_dims(name: str, out_dims: Dims) -> None:
    if not all(d is None or isinstance(d, int) for d in tree_leaves(out_dims)):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
            "representing where in the outputs the vmapped dimension should appear."
        )


def _output_dims(name: str, out_dims: Dims, spec: TreeSpec) -> list[Any]:
    places = broadcast_to_and_flatten(out_dims, spec)
    if places is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree_structure(out_dims)} but outputs has structure {spec}."
        )
    return places
