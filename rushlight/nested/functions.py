"""What Rushlight's functions mean for nested tensors, by their names.

Most are the same function of the values, or of each component: pointwise ones by a list of names, the others by a
function here with the arguments that it shares with the public one. What is not here raises NotImplementedError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core.size import Size
from rushlight.ops.creation import wrap
from rushlight.overrides import resolve_name
from rushlight.tensor import FUNCTIONAL, FUNCTIONS, METHODS, Tensor

from .ragged import NestedTensor, Ragged, of_components, of_parts, of_values, stacked

F = FUNCTIONAL
MEANINGS: dict[str, Callable[..., Any]] = {}

_ONE = """
    abs acos acosh asin asinh atan atanh ceil clone cos cosh deg2rad detach digamma elu erf erfc erfinv exp exp2 expm1
    float double half bfloat16 int long bool celu floor frac gelu hardshrink hardsigmoid hardswish hardtanh isfinite
    isinf isnan isneginf isposinf leaky_relu lgamma log log10 log1p log2 logical_not logit logsigmoid mish nan_to_num
    neg __neg__ positive rad2deg reciprocal relu relu6 round rrelu rsqrt selu sigmoid sign silu sin sinc sinh softplus
    softshrink softsign sqrt square tan tanh tanhshrink threshold trunc bitwise_not __invert__ to dropout dropout_
    alpha_dropout clamp clip clamp_min clamp_max ones_like zeros_like empty_like full_like rand_like randn_like
    type_as fill_ zero_ uniform_ normal_ requires_grad_ detach_ cpu type
""".split()
_TWO = """
    add sub subtract mul multiply div divide true_divide floor_divide fmod remainder pow rsub atan2 maximum minimum fmax
    fmin where masked_fill eq ne lt le gt ge lerp addcmul addcdiv logical_and logical_or logical_xor bitwise_and
    bitwise_or bitwise_xor copysign hypot xlogy isclose __and__ __or__ __xor__ __rsub__ __rtruediv__ __floordiv__
    __rfloordiv__ __rmod__ __rpow__ __eq__ __add__ __radd__ __sub__ __mul__ __rmul__ __truediv__ __mod__ __pow__
    __lt__ __le__ __gt__ __ge__ __ne__ __abs__ __pos__ __iadd__ __isub__ __imul__ __itruediv__ mse_loss
    binary_cross_entropy_with_logits
""".split()
_WRITTEN = [f"{name}_" for name in _ONE + _TWO if f"{name}_" in METHODS]


def meaning(f: Any) -> Callable[..., Any] | None:
    """What a function means where an argument is nested."""
    name = f.__name__
    if name in ANSWERED:
        return None
    if name in MEANINGS:
        return MEANINGS[name]
    if name in _POINTWISE:
        return lambda *args, **kwargs: pointwise(f, args, kwargs)
    shown = resolve_name(f) or name

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{shown}: Rushlight has no {name} of nested tensors; use values() with offsets(), unbind() or "
            "to_padded_tensor()"
        )

    return refuse


_POINTWISE = frozenset(_ONE + _TWO + _WRITTEN)
#: Questions about dtype and device, walks along the tape, and `save`, that ordinary functions answer.
ANSWERED = frozenset(
    "is_floating_point is_complex is_tensor is_signed element_size get_device backward grad dim_order result_type "
    "retain_grad register_hook is_inference is_pinned __len__ is_storage is_nonzero save".split()
)


def means(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the meaning of the functions called `names`."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        MEANINGS.update(dict.fromkeys(names, f))
        return f

    return add


# ---------------------------------------------------------------------------------------------------------------------
# Pointwise


def pointwise(f: Any, args: Any, kwargs: Any) -> Any:
    """A function of corresponding elements; dense operands are broadcast, each over the components."""
    model = next(x for x in (*args, *kwargs.values()) if isinstance(x, NestedTensor))
    count = len(model._value.parts)
    found = []
    for k in range(count):
        these = [_operand(x, model, k, f) for x in args]
        found.append(f(*these, **{name: _operand(x, model, k, f) for name, x in kwargs.items()}))
    if f.__name__.endswith("_") and not f.__name__.endswith("__") or f.__name__.startswith("__i"):
        return model
    if found[0].dim() == 0 and model.dim() > 1:
        raise NotImplementedError(f"{f.__name__}: of nested tensors, with a reduction; use values()")
    return model.like(*found)


def _operand(x: Any, model: NestedTensor, k: int, f: Any) -> Any:
    """What stands for an operand beside part `k` of `model`."""
    if isinstance(x, NestedTensor):
        if x._value.ragged is not model._value.ragged or x._value.at != model._value.at or len(x) != len(model):
            raise RuntimeError(
                f"cannot call binary pointwise function {f.__name__.strip('_')}.Tensor with inputs of shapes "
                f"{_shown(model)} and {_shown(x)}"
            )
        return x._value.parts[k]
    if not isinstance(x, Tensor) or x.dim() == 0:
        return x
    return _broadcast(x, model, k, f)


def _shown(x: Tensor) -> str:
    sizes = x._value.shape if isinstance(x, NestedTensor) else tuple(x.shape)
    return f"({', '.join(map(str, sizes))})"


def _broadcast(x: Tensor, model: NestedTensor, k: int, f: Any) -> Tensor:
    """A dense operand beside the values: each component meets its own part of it."""
    v = model._value
    if v.ragged is None:
        whole = x if x.dim() < model.dim() else x[k if x.shape[0] > 1 else 0]
        return whole
    behind = model.dim() - v.at  # the ragged dimension and those after it
    if x.dim() < behind or x.dim() < model.dim() and x.shape[-behind] == 1:
        return x
    if x.dim() != model.dim() or x.shape[v.at] != 1 or x.shape[0] not in (1, len(model)):
        raise RuntimeError(
            f"cannot call binary pointwise function {f.__name__.strip('_')}.Tensor with inputs of shapes "
            f"{_shown(model)} and {_shown(x)}"
        )
    if x.shape[0] == 1:
        return x.squeeze(0)
    rows = x.select(v.at, 0).index_select(0, wrap(v.ragged.owners()))
    return rows.movedim(0, v.at - 1)


# ---------------------------------------------------------------------------------------------------------------------
# Along a dimension


def _along(x: NestedTensor, dim: int, f: Callable[[Tensor, int], Tensor]) -> NestedTensor:
    """A function along one dimension that keeps its size."""
    d = x.inner_dim(dim)
    if x.is_ragged(d):
        return x.by_component(lambda p: f(p, d))
    return x.map(lambda p: f(p, d))


def _keeping(f: Callable[..., Any]) -> Callable[..., Any]:
    def along(input: NestedTensor, dim: int, *, dtype: Any = None, **_: Any) -> Any:
        return _along(input, dim, lambda p, d: f(p, d, dtype=dtype))

    return along


for _name in ("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "logcumsumexp"):
    _found = METHODS.get(_name) or F.get(_name)
    if _found is not None:
        means(_name)(_keeping(_found))


@means("flip")
def _flip(input: NestedTensor, *dims: Any) -> Any:
    (d,) = dims[0] if isinstance(dims[0], (tuple, list)) else dims
    return _along(input, d, lambda p, k: p.flip(k))


@means("glu")
def _glu(input: NestedTensor, dim: int = -1) -> Any:
    d = input.inner_dim(dim)
    return input.map(lambda p: F["glu"](p, d))


def _reduction(name: str) -> Callable[..., Any]:
    f = METHODS[name]

    def reduced(input: NestedTensor, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        x = input.contiguous()
        if dim is None:
            flat = FUNCTIONS["cat"]([p.reshape(-1) for p in x._value.parts])
            return f(flat, **options)
        dims = {d % x.dim() for d in (dim if isinstance(dim, (tuple, list)) else (dim,))}
        ragged = x._value.at
        if 0 in dims:
            if ragged not in dims or x._value.ragged is None:
                raise RuntimeError(
                    f"{name}(): reducing along the batch dimension but not the ragged dimension is not supported for "
                    "nested tensors"
                )
            if keepdim:
                raise NotImplementedError(f"{name}(): of nested tensors over the batch, with keepdim=True")
            return f(x.values(), _as_given(sorted(d - 1 for d in dims - {0})), **options)
        inner = _as_given(sorted(d - 1 for d in dims))
        if ragged in dims and x._value.ragged is not None:
            return _stacked_results([f(p, inner, keepdim, **options) for p in x.unbind()])
        if x._value.ragged is None:
            return _parts_of(x, [f(p, inner, keepdim, **options) for p in x._value.parts])
        at = ragged if keepdim else ragged - sum(d < ragged for d in dims)
        found = f(x.values(), inner, keepdim, **options)
        make = lambda values: of_values(values, x._value.ragged, at)  # noqa: E731
        return type(found)(*map(make, found)) if isinstance(found, tuple) else make(found)

    return reduced


def _as_given(dims: list[int]) -> Any:
    return dims[0] if len(dims) == 1 else tuple(dims)


def _stacked_results(found: list[Any]) -> Any:
    if isinstance(found[0], tuple):
        return type(found[0])(*map(stacked, zip(*found, strict=True)))
    return stacked(found)


def _parts_of(x: NestedTensor, found: list[Any]) -> Any:
    if isinstance(found[0], tuple):
        return type(found[0])(*(x.like(*part) for part in zip(*found, strict=True)))
    return x.like(*found)


for _name in "sum mean prod amax amin max min any all var std logsumexp argmax argmin nansum".split():
    means(_name)(_reduction(_name))


# ---------------------------------------------------------------------------------------------------------------------
# Layers


@means("linear")
def _linear(input: NestedTensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    if input.is_ragged(input.inner_dim(-1)):
        raise RuntimeError("linear(): the last dimension of a nested input must not be the ragged one")
    return input.map(lambda p: F["linear"](p, weight, bias))


@means("layer_norm")
def _layer_norm(input: NestedTensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5,
                cudnn_enable: bool = True) -> Any:  # fmt: skip
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if len(shape) >= input.dim() - input._value.at:
        raise RuntimeError("layer_norm(): not supported when normalizing over the ragged dimension for NestedTensor")
    return input.map(lambda p: F["layer_norm"](p, shape, weight, bias, eps))


@means("rms_norm")
def _rms_norm(input: NestedTensor, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    if len(tuple(normalized_shape)) >= input.dim() - input._value.at:
        raise RuntimeError("rms_norm(): Normalization over the ragged dimension not supported for nested tensors")
    return input.map(lambda p: F["rms_norm"](p, normalized_shape, weight, eps))


@means("embedding")
def _embedding(input: NestedTensor, weight: Tensor, *args: Any, **kwargs: Any) -> Any:
    return input.map(lambda p: F["embedding"](p, weight, *args, **kwargs))


@means("matmul", "__matmul__", "bmm")
def _matmul(input: Any, other: Any) -> Any:
    f = FUNCTIONS["matmul"]
    if isinstance(other, NestedTensor) and isinstance(input, NestedTensor):
        if len(input) != len(other):
            raise RuntimeError(f"matmul(): {len(input)} components and {len(other)} do not go together")
        found = [f(a, b) for a, b in zip(input.unbind(), other.unbind(), strict=True)]
        if input._value.ragged is not None and len({tuple(p.shape) for p in found}) == 1:
            return stacked(found)
        return of_parts(found) if input._value.ragged is None else of_components(found, input._value.at)
    if not isinstance(input, NestedTensor):
        raise NotImplementedError("matmul(): of a dense and a nested tensor; transpose() both and exchange them")
    if input._value.ragged is None:
        raise RuntimeError("Expected both to be nested, but got a nested self and non-nested other")
    if other.dim() <= 2:
        return input.map(lambda p: f(p, other))
    parts = input.unbind()
    return of_components([f(p, other[k]) for k, p in enumerate(parts)], input._value.at, input._value.ragged)


@means("scaled_dot_product_attention")
def _attention(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
               scale: float | None = None, enable_gqa: bool = False) -> Any:  # fmt: skip
    """Of (batch, heads, length, width): padded, with a mask that leaves the padding out, and cut again."""
    if attn_mask is not None:
        raise RuntimeError("attn_mask cannot be set when nested tensors are passed to scaled_dot_product_attention")
    if not all(isinstance(x, NestedTensor) for x in (query, key, value)):
        raise NotImplementedError("scaled_dot_product_attention(): query, key and value must all be nested")
    f = F["scaled_dot_product_attention"]
    if query._value.ragged is None or query._value.at != 2:
        parts = zip(query.unbind(), key.unbind(), value.unbind(), strict=True)
        found = [f(q, k, v, None, dropout_p, is_causal, scale, enable_gqa) for q, k, v in parts]
        at, ragged = query._value.at, query._value.ragged
        return of_parts(found) if ragged is None else of_components(found, at, ragged)
    q, k, v = (padded(x, 0.0) for x in (query, key, value))
    there = key._value.ragged.grid(k.shape[2])[1][:, None, None, :]
    if is_causal:
        there = there & np.tri(q.shape[2], k.shape[2], dtype=bool)
    found = f(q, k, v, wrap(np.ascontiguousarray(np.broadcast_to(there, (*there.shape[:2], q.shape[2], k.shape[2])))),
              dropout_p, False, scale, enable_gqa)  # fmt: skip
    return cut(found, query._value.ragged, 2)


# ---------------------------------------------------------------------------------------------------------------------
# Padding


def padded(x: NestedTensor, padding: float, longest: int | None = None) -> Tensor:
    """A jagged tensor as a dense one: components as long as the longest."""
    ragged, at = x._jagged("to_padded_tensor"), x._value.at
    length = int(ragged.counts.max(initial=0)) if longest is None else longest
    index, there = ragged.grid(length)
    if not x.values().shape[at - 1]:
        sizes = [n for d, n in enumerate(x.values().shape) if d != at - 1]
        made: Tensor = x.values().new_full((len(x), length, *sizes), padding)
        return made.movedim(1, at)
    rows = x.values().movedim(at - 1, 0)[wrap(index)]
    mask = wrap(there.reshape(*there.shape, *[1] * (rows.dim() - 2)))
    found: Tensor = FUNCTIONS["where"](mask, rows, padding)
    return found.movedim(1, at)


def cut(dense: Tensor, ragged: Ragged, at: int) -> NestedTensor:
    """The inverse of `padded`."""
    rows = dense.movedim(at, 1).flatten(0, 1)
    places = np.flatnonzero(ragged.grid(dense.shape[at])[1])
    like = ragged if ragged.lengths is None else Ragged.of_counts(ragged.counts.tolist())
    return of_values(rows.index_select(0, wrap(places)).movedim(0, at - 1), like, at)


@means("to_padded_tensor")
def to_padded_tensor(input: NestedTensor, padding: float, output_size: Any = None) -> Tensor:
    """A dense tensor that holds the components, and `padding` where they are shorter than the longest.

    Raises RuntimeError for an `output_size` that a component does not fit into.
    """
    if input._value.ragged is not None:
        return padded(input, padding, None if output_size is None else output_size[input._value.at])
    parts = input.unbind()
    sizes = [max(n) for n in zip(*[p.shape for p in parts], strict=True)]
    if output_size is not None:
        if any(n > given for n, given in zip(sizes, output_size[1:], strict=True)):
            raise RuntimeError(
                "Value in output_size is less than NestedTensor padded size. Truncation is not supported."
            )
        sizes = list(output_size[1:])
    pads = [[q for n, have in zip(sizes[::-1], tuple(p.shape)[::-1], strict=True) for q in (0, n - have)]
            for p in parts]  # fmt: skip
    return stacked([F["pad"](p, pad, value=padding) for p, pad in zip(parts, pads, strict=True)])


# ---------------------------------------------------------------------------------------------------------------------
# Shapes


@means("transpose")
def _transpose(input: NestedTensor, dim0: int, dim1: int) -> Any:
    a, b = input.inner_dim(dim0), input.inner_dim(dim1)
    v = input._value
    if v.ragged is None:
        return input.map(lambda p: p.transpose(a, b))
    at = {a: b, b: a}.get(v.at - 1, v.at - 1) + 1
    return of_values(input.values().transpose(a, b), v.ragged, at)


@means("permute")
def _permute(input: NestedTensor, *dims: Any) -> Any:
    order = [d % input.dim() for d in (dims[0] if isinstance(dims[0], (tuple, list)) else dims)]
    if order[0] != 0:
        raise RuntimeError("permute(): a nested tensor's batch dimension must stay the first")
    inner = [d - 1 for d in order[1:]]
    if input._value.ragged is None:
        return input.map(lambda p: p.permute(inner))
    return of_values(input.values().permute(inner), input._value.ragged, order.index(input._value.at))


@means("unsqueeze")
def _unsqueeze(input: NestedTensor, dim: int) -> Any:
    d = dim % (input.dim() + 1)
    if d == 0:
        raise RuntimeError("unsqueeze(): a nested tensor's batch dimension must stay the first")
    if input._value.ragged is None:
        return input.map(lambda p: p.unsqueeze(d - 1))
    at = input._value.at
    return of_values(input.values().unsqueeze(d - 1), input._value.ragged, at + (d <= at))


@means("squeeze")
def _squeeze(input: NestedTensor, dim: int) -> Any:
    d = input.inner_dim(dim)
    if input.is_ragged(d):
        return input
    if input._value.ragged is None:
        return input.map(lambda p: p.squeeze(d))
    at = input._value.at - (d < input._value.at - 1 and input.values().shape[d] == 1)
    return of_values(input.values().squeeze(d), input._value.ragged, at)


@means("view", "reshape")
def _view(input: NestedTensor, *sizes: Any) -> Any:
    """The sizes name the batch first; the ragged dimension by its symbol or as -1, in its place."""
    to = list(sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes)
    v = input._value
    at = next((k for k, n in enumerate(to) if v.ragged is not None and n is v.ragged.size), None)
    at = next((k for k, n in enumerate(to) if n == -1), None) if at is None else at
    if at is None or not to or to[0] not in (len(input), -1) or at == 0:
        raise RuntimeError(f"view(): cannot view shape {_shown(input)} as ({', '.join(map(str, to))})")
    if v.ragged is None:
        return input.map(lambda p: p.reshape(*to[1:at], p.shape[v.at - 1], *to[at + 1 :]))
    return of_values(input.values().reshape(*to[1:at], input.values().shape[v.at - 1], *to[at + 1 :]), v.ragged, at)


@means("unflatten")
def _unflatten(input: NestedTensor, dim: int, sizes: Any) -> Any:
    d = input.inner_dim(dim)
    if input.is_ragged(d):
        raise RuntimeError("unflatten(): not supported for NestedTensor on the ragged dimension")
    at = input._value.at + (len(sizes) - 1) * (d < input._value.at - 1)
    if input._value.ragged is None:
        return input.map(lambda p: p.unflatten(d, sizes))
    return of_values(input.values().unflatten(d, sizes), input._value.ragged, at)


@means("flatten")
def _flatten(input: NestedTensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    a, b = input.inner_dim(start_dim), input.inner_dim(end_dim)
    if a <= input._value.at - 1 <= b:
        raise RuntimeError("flatten(): not supported for NestedTensor over the ragged dimension")
    at = input._value.at - (b - a) * (b < input._value.at - 1)
    if input._value.ragged is None:
        return input.map(lambda p: p.flatten(a, b))
    return of_values(input.values().flatten(a, b), input._value.ragged, at)


@means("cat", "concat", "concatenate")
def _cat(tensors: Any, dim: int = 0) -> Any:
    f = FUNCTIONS["cat"]
    first = next(t for t in tensors if isinstance(t, NestedTensor))
    if dim % first.dim() == 0:
        parts = [p for t in tensors for p in t.unbind()]
        return of_parts(parts) if first._value.ragged is None else of_components(parts, first._value.at)
    d = first.inner_dim(dim)
    return first.like(*[
        f([_operand(t, first, k, FUNCTIONS["cat"]) for t in tensors], d) for k in range(len(first._value.parts))
    ])  # fmt: skip


def _pieces(name: str) -> Callable[..., Any]:
    f = METHODS[name]

    def cut_up(input: NestedTensor, sizes: Any, dim: int = 0) -> Any:
        d = input.inner_dim(dim)
        if input.is_ragged(d):
            raise RuntimeError(f"{name}(): not supported for NestedTensor on ragged dim")
        found = [f(p, sizes, d) for p in input._value.parts]
        return tuple(input.like(*parts) for parts in zip(*found, strict=True))

    return cut_up


for _name in ("chunk", "split", "tensor_split", "split_with_sizes"):
    means(_name)(_pieces(_name))


@means("select")
def _select(input: NestedTensor, dim: int, index: int) -> Any:
    if dim % input.dim() == 0:
        return input.unbind()[index]
    d = input.inner_dim(dim)
    if input.is_ragged(d):
        return stacked([p.select(d, index) for p in input.unbind()])
    at = input._value.at - (d < input._value.at - 1)
    if input._value.ragged is None:
        return input.map(lambda p: p.select(d, index))
    return of_values(input.values().select(d, index), input._value.ragged, at)


@means("__getitem__")
def _getitem(input: NestedTensor, index: Any) -> Any:
    index = index if isinstance(index, tuple) else (index,)
    if isinstance(index[0], int):
        return input.unbind()[index[0]][index[1:]] if len(index) > 1 else input.unbind()[index[0]]
    if index[0] not in (slice(None), Ellipsis):
        raise RuntimeError("slice(): not supported for NestedTensor on dim=0")
    at = input._value.at
    if index[0] is Ellipsis:
        index = (slice(None),) * (input.dim() - len(index) + 1) + index[1:]
    if len(index) > at and isinstance(index[at], int) and all(i == slice(None) for i in index[1:at]):
        return stacked([p[index[1:]] for p in input.unbind()])
    if any(i != slice(None) for i in index[1 : at + 1]) or any(not isinstance(i, slice) for i in index[1:]):
        raise NotImplementedError(f"nested tensors can be indexed by whole components and behind them, not by {index}")
    return input.map(lambda p: p[index[1:]])


@means("is_same_size")
def _is_same_size(input: Any, other: Any) -> bool:
    return bool(input._value.shape == other._value.shape)


@means("equal")
def _equal(input: Any, other: Any) -> bool:
    if not (isinstance(input, NestedTensor) and isinstance(other, NestedTensor)) or len(input) != len(other):
        return False
    return all(FUNCTIONS["equal"](a, b) for a, b in zip(input.unbind(), other.unbind(), strict=True))


@means("allclose")
def _allclose(input: NestedTensor, other: NestedTensor, *args: Any, **kwargs: Any) -> bool:
    pairs = zip(input.unbind(), other.unbind(), strict=True)
    return all(FUNCTIONS["allclose"](a, b, *args, **kwargs) for a, b in pairs)


@means("stride")
def _stride(input: NestedTensor, dim: int | None = None) -> Any:
    raise NotImplementedError("stride(): a nested tensor has none that hold for all components; see values().stride()")


@means("stack")
def _stack(tensors: Any, dim: int = 0) -> Any:
    raise RuntimeError("stack(): not supported for NestedTensor on dim=0")


@means("_nested_tensor_size")
def _sizes(input: NestedTensor) -> Tensor:
    """(components, dimensions of one): the size of each component."""
    return wrap(np.array([tuple(Size(p.shape)) for p in input.unbind()], np.int64))
