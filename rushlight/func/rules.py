"""Batching rules: what an operation that was recorded for one element is for a batch of them.

A rule gets a `Call`: the operation's Kind and its operands, of which those that are `on` have a dimension of elements
in front. It records operations on the whole batch and returns the results, each with that dimension in front. Here are
the rules of whole families: pointwise operations (known by their shape rules), views, reductions and whatever works
along dimensions; those of products and layers are in `layer_rules.py`. An operation without a rule, or whose rule says
`Unbatchable` of these operands, is recorded for each element and stacked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops import rules as shapes
from rushlight.ops.view import SLICE, look_at
from rushlight.record.memory import relayout
from rushlight.record.operation import operations
from rushlight.record.spec import NUMBERS, Spec
from rushlight.record.trace import Trace, apply, settle
from rushlight.record.value import Tensor, tensor_of, value_holding
from rushlight.tensor import FUNCTIONS


class Unbatchable(Exception):
    """There is no way to do this for all elements at once."""


class Call:
    """An operation to be recorded for a batch: its Kind, its operands, and which of them are batches."""

    __slots__ = ("args", "attributes", "kind", "on", "op", "size", "specs")

    def __init__(self, kind: Any, args: list[Any], on: list[bool], size: int) -> None:
        self.kind = kind
        self.op = kind.op
        self.specs: tuple[Spec, ...] = kind.input_specs
        self.attributes: dict[str, Any] = kind.attributes
        self.args = args
        self.on = on
        self.size = size

    def record(self, args: Sequence[Any], name: str | None = None, **changed: Any) -> Any:
        """The operation, or that of another name, on these operands; with attributes changed."""
        op = self.op if name is None else operations_by_name(name)
        attributes = {**self.attributes, **changed}
        return apply(op, args, tuple([attributes[a] for a in op.attributes]))

    def only(self, *positions: int) -> bool:
        """Whether these operands and no others are batches."""
        return all(on == (i in positions) for i, on in enumerate(self.on))

    def batch(self, i: int) -> Any:
        """Operand i as a batch, expanded where it is the same for all; numbers and None as they are."""
        t = self.args[i]
        if t is None or self.on[i] or self.specs[i].wrapped:
            return t
        return t.unsqueeze(0).expand(self.size, *self.specs[i].shape)

    def batches(self) -> list[Any]:
        """All operands as batches."""
        return [self.batch(i) for i in range(len(self.args))]

    def aligned(self, i: int, rank: int) -> Any:
        """Operand i with an element's dimensions counted from the back, as broadcasting does."""
        t, spec = self.args[i], self.specs[i]
        if not self.on[i] or spec.ndim == rank:
            return t
        return t.reshape(self.size, *(1,) * (rank - spec.ndim), *spec.shape)

    def folded(self, i: int) -> Any:
        """Operand i with the elements among its first dimension, as more samples."""
        t = self.batch(i)
        spec = self.specs[i]
        if t is None or spec.wrapped:
            return t
        if not spec.ndim:
            raise Unbatchable("nothing to fold into")
        return t.reshape(self.size * spec.shape[0], *spec.shape[1:])

    def shaped(self, t: Tensor, k: int = 0) -> Tensor:
        """A result in the shape that a batch of result k has."""
        return t.reshape(self.size, *self.kind.specs[k].shape)


Rule = Callable[[Call], Any]
RULES: dict[str, Rule] = {}
MANY = 128  # elements that an operation is recorded for one by one
looped: list[str] = []  # operations that were recorded for each element, as they were met first


def operations_by_name(name: str) -> Any:
    """The operation of that name."""
    return operations()[name]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declares a function as the rule of these operations."""

    def declare(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return declare


def number_in(trace: Trace, slot: int) -> Tensor:
    """The Python number in a slot, by its slot: another time it may be another number."""
    number = trace.values[slot]
    made = value_holding(number, NUMBERS[number.__class__])
    made.trace = trace
    made.slot = slot
    return tensor_of(made)


def step_batched(kind: Any, args: list[Any], on: list[bool], size: int) -> Sequence[Tensor]:
    """The results of one operation for all elements."""
    call = Call(kind, args, on, size)
    found = rule_of(kind.op)
    if found is not None:
        try:
            results = found(call)
            results = [results] if isinstance(results, Tensor) else list(results)
            if _fit(results, kind, size):
                if kind.op.view:
                    _note_views(results, args[0])
                return results
        except (Unbatchable, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
            pass  # the elements one by one, below, say what is wrong, if anything is
    return _one_by_one(call)


def _fit(results: list[Tensor], kind: Any, size: int) -> bool:
    specs = [settle(t).spec for t in results]
    return len(specs) == len(kind.specs) and all(
        s.shape == (size, *of.shape) and s.dtype is of.dtype for s, of in zip(specs, kind.specs, strict=True)
    )


def _note_views(results: list[Tensor], operand: Tensor) -> None:
    """Says whose memory the results look into, where the rule recorded the operation itself."""
    of = operand._value
    for t in results:
        v = t._value
        if v.root is None and v is not of:
            v.root = of if of.root is None else of.root


def _one_by_one(call: Call) -> Sequence[Tensor]:
    """The operation on each element, stacked."""
    if call.size > MANY:
        raise Unbatchable("too long a program")
    if call.op.name not in looped:
        looped.append(call.op.name)
    args = [_laid_out_as(t, s, call.size) if on else t
            for t, s, on in zip(call.args, call.specs, call.on, strict=True)]  # fmt: skip
    rows = []
    for i in range(call.size):
        found = call.record([t.select(0, i) if on else t for t, on in zip(args, call.on, strict=True)])
        rows.append((found,) if isinstance(found, Tensor) else found)
    return [FUNCTIONS["stack"](column) for column in zip(*rows, strict=True)]


def _laid_out_as(t: Tensor, spec: Spec, size: int) -> Tensor:
    """The batch with every element in memory as the first one was, as attributes of views may say."""
    if settle(t).spec.strides[1:] == spec.strides:
        return t
    if not _dense(spec.shape, spec.strides):
        raise Unbatchable("elements with gaps between their numbers")
    return relayout(t, (spec.numel, *spec.strides))


def _dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for s, n in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n != 1):
        if s != expected:
            return False
        expected *= n
    return True


# ---------------------------------------------------------------------------------------------------------------------
# Element by element

_SHAPE_RULES = {shapes.pointwise, shapes.pointwise_float, shapes.comparison, shapes.predicate, shapes.fresh}
_SHAPE_RULES_OF = ("bounded.<locals>", "floating.<locals>", "only.<locals>", "real_float.<locals>", "_bitwise.<locals>",
                   "_angle.<locals>", "_real_question.<locals>", "_pair.<locals>")  # fmt: skip
_POINTWISE = {
    "addcdiv", "addcmul", "angle", "cast", "clamp_tensor", "deg2rad", "gelu_backward", "lerp", "lerp_tensor", "logit",
    "nan_to_num", "native_dropout", "nextafter", "pow_fixed", "rad2deg", "round", "rrelu", "rsub", "rsub_tensor",
    "sign", "signbit", "square", "sub", "threshold", "where",
}  # fmt: skip


def pointwise_batched(c: Call) -> Any:
    """Numbers of one rank broadcast; those of fewer dimensions count from the back."""
    rank = max([s.ndim for s in c.specs if s is not None])
    args = [c.aligned(i, rank) for i in range(len(c.args))]
    compute = c.kind.compute
    if compute is not None and len({s.dtype for s in c.specs if s is not None and not s.wrapped}) > 1:
        # A tensor without dimensions hardly counts in type promotion, a batch of them does.
        args = [t if t is None or s.wrapped or s.dtype is compute else t.to(compute)
                for t, s in zip(args, c.specs, strict=True)]  # fmt: skip
    return c.record(args)


def rule_of(op: Any) -> Rule | None:
    """The rule of an operation, if it has one."""
    found = RULES.get(op.name)
    if found is None and _is_pointwise(op):
        found = RULES[op.name] = pointwise_batched
    return found


def _is_pointwise(op: Any) -> bool:
    family = op.infer.__qualname__.startswith(_SHAPE_RULES_OF) and op.infer.__module__.startswith("rushlight.ops.")
    return op.name in _POINTWISE or op.infer in _SHAPE_RULES or family


@rule("masked_fill", "masked_fill_tensor")
def _masked(c: Call) -> Any:
    rank = max(c.specs[0].ndim, c.specs[1].ndim)
    x, mask, value = [c.aligned(i, rank) for i in range(3)]
    if c.on[2]:  # the operation's own value is one for all
        return FUNCTIONS["where"](mask, value, x)
    return c.record([x, mask, value])


# ---------------------------------------------------------------------------------------------------------------------
# Views


@rule("view", "reshape_alias", "unsafe_view", "squeeze", "squeeze_dim", "squeeze_dims", "unsqueeze", "squeeze_product",
      "alias")  # fmt: skip
def _reshaped(c: Call) -> Tensor:
    return c.shaped(c.args[0])


@rule("permute", "transpose", "t")
def _permuted(c: Call) -> Tensor:
    return c.args[0].permute(0, *[d + 1 for d in c.attributes["dims"]])


@rule("expand")
def _expanded(c: Call) -> Tensor:
    to = c.attributes["to"]
    return c.aligned(0, len(to)).expand(c.size, *to)


def _with_elements(index: Any, size: int) -> Any:
    return ((0, size, 1), *index)


@rule("slice", "select")
def _sliced(c: Call) -> Tensor:
    return look_at(c.args[0], c.op, (_with_elements(c.attributes["index"], c.size),))


@rule("unbind", "split", "split_with_sizes")
def _split(c: Call) -> list[Tensor]:
    return [look_at(c.args[0], SLICE, (_with_elements(index, c.size),)) for index in c.attributes["parts"]]


@rule("put_together")
def _put_together(c: Call) -> Tensor:
    parts = tuple([_with_elements(index, c.size) for index in c.attributes["parts"]])
    return c.record(c.batches(), parts=parts, shape=(c.size, *c.attributes["shape"]))


@rule("put_back")
def _put_back(c: Call) -> Tensor:
    a = c.attributes
    return c.record(c.args, index=_with_elements(a["index"], c.size), shape=(c.size, *a["shape"]))


@rule("strided", "diagonal", "unfold_dim", "select_at")
def _strided(c: Call) -> Tensor:
    spec, a = c.specs[0], c.attributes
    if c.on[1] or a["kind"] is not spec.dtype:
        raise Unbatchable("memory of several dtypes")
    own = settle(c.args[0]).spec.strides
    if own[1:] != a["layout"]:
        if not _dense(spec.shape, a["layout"]):
            raise Unbatchable("memory with gaps")
        own = (spec.numel, *a["layout"])
    shape, strides = (c.size, *a["shape"]), (own[0], *a["strides"])
    return c.record([relayout(c.args[0], own), c.args[1]], shape=shape, strides=strides, layout=own)


@rule("strided_adjoint")
def _strided_adjoint(c: Call) -> Tensor:
    a = c.attributes
    if c.on[1] or not _dense(a["shape"], a["layout"]):
        raise Unbatchable("memory with gaps")
    numel = math.prod(a["shape"])
    return c.record(c.args, strides=(numel, *a["strides"]), shape=(c.size, *a["shape"]), layout=(numel, *a["layout"]))


@rule("relayout")
def _relaid(c: Call) -> Tensor:
    return relayout(c.args[0], (c.specs[0].numel, *c.attributes["layout"]))


@rule("view_as_complex", "view_as_real", "one_hot", "tril", "triu", "reflection_pad1d", "reflection_pad1d_backward",
      "constant_pad_nd")  # fmt: skip
def _from_the_back(c: Call) -> Tensor:
    """What counts its dimensions from the back."""
    if not c.only(0):
        raise Unbatchable("more than the first operand is a batch")
    pads = c.attributes.get("pads")
    if c.op.name.startswith("reflection") and (pads is None or c.specs[0].ndim != 3):
        return c.shaped(c.record([c.folded(0)]))
    return c.record(c.args)


# ---------------------------------------------------------------------------------------------------------------------
# Along dimensions


def _shifted(dim: Any, ndim: int) -> Any:
    """Dimensions of an element as dimensions of the batch."""
    if dim is None:
        return tuple(range(1, ndim + 1))
    return dim % ndim + 1 if isinstance(dim, int) else tuple([d % ndim + 1 for d in dim])


@rule("sum_dim", "mean_dim", "logsumexp", "nansum", "var", "std", "var_mean", "std_mean", "amax", "amin", "all", "any",
      "count_nonzero", "vector_norm", "prod_dim", "max_dim", "min_dim", "argmax", "argmin", "median_dim",
      "nanmedian_dim", "mode", "kthvalue", "aminmax")  # fmt: skip
def _reduced(c: Call) -> Any:
    return _reduced_by(c, c.op.name)


def _reduced_by(c: Call, name: str) -> Any:
    x, dim, shape = c.args[0], c.attributes.get("dim"), c.specs[0].shape
    if dim == ():
        raise Unbatchable("no dimension")
    if not shape or (dim is None and name in _ONE_DIMENSION):
        dim, shape = (1 if name in _ONE_DIMENSION else (1,)), (c.specs[0].numel,)
        x = x.reshape(c.size, *shape)
    else:
        dim = _shifted(dim, len(shape))
    keepdim = c.attributes.get("keepdim", False)
    found = c.record([x], name, dim=dim, keepdim=keepdim)
    return c.shaped(found) if isinstance(found, Tensor) else [c.shaped(t, k) for k, t in enumerate(found)]


_ONE_DIMENSION = {"prod_dim", "max_dim", "min_dim", "argmax", "argmin", "median_dim", "nanmedian_dim", "mode",
                  "kthvalue"}  # fmt: skip


@rule("sum", "mean", "prod", "max", "min")
def _reduced_whole(c: Call) -> Any:
    names = {"sum": "sum_dim", "mean": "mean_dim", "prod": "prod_dim", "max": "amax", "min": "amin"}
    return _reduced_by(c, names[c.op.name])


@rule("median", "nanmedian")
def _middle(c: Call) -> Tensor:
    x = c.args[0].reshape(c.size, -1)
    return c.record([x], f"{c.op.name}_dim", dim=1, keepdim=False)[0]  # type: ignore[no-any-return]


@rule("softmax", "log_softmax", "safe_softmax", "softmax_backward", "log_softmax_backward", "cumsum", "cumprod",
      "logcumsumexp", "cummax", "cummin", "recurrence", "sort", "sort_stable", "topk", "glu", "glu_backward", "gather",
      "scatter", "scatter_value", "scatter_add", "scatter_plus", "scatter_times", "scatter_reduce", "cat",
      "cross")  # fmt: skip
def _along(c: Call) -> Any:
    """All operands have the same dimensions, and one of these is worked along."""
    ndim = c.specs[0].ndim
    if not ndim:
        found = c.record([t if t is None or s.wrapped else t.unsqueeze(1)
                          for t, s in zip(c.batches(), c.specs, strict=True)], dim=1)  # fmt: skip
        return found.squeeze(1) if isinstance(found, Tensor) else [t.squeeze(1) for t in found]
    return c.record(c.batches(), dim=_shifted(c.attributes["dim"], ndim))


@rule("product_of_others")
def _products_of_others(c: Call) -> Any:
    dim = c.attributes["dim"]
    if dim is None or not c.specs[0].ndim:
        return c.shaped(c.record([c.args[0].reshape(c.size, -1)], dim=1))
    return c.record(c.args, dim=_shifted(dim, c.specs[0].ndim))


@rule("stack")
def _stacked(c: Call) -> Any:
    return c.record(c.batches(), dim=_shifted(c.attributes["dim"], c.specs[0].ndim + 1))


@rule("flip", "roll", "fft_c2c", "fft_r2c", "fft_c2r")
def _moved(c: Call) -> Any:
    if not c.attributes["dims"] or not c.specs[0].ndim:
        raise Unbatchable("no dimension")
    return c.record(c.args, dims=_shifted(c.attributes["dims"], c.specs[0].ndim))


@rule("repeat")
def _repeated(c: Call) -> Any:
    repeats = c.attributes["repeats"]
    return c.record([c.aligned(0, len(repeats))], repeats=(1, *repeats))


@rule("index_select", "index_add", "index_copy", "index_fill", "index_fill_tensor", "index_reduce")
def _at_positions(c: Call) -> Any:
    """The positions are the same for all elements."""
    if c.on[1] or not c.specs[0].ndim or c.op.name == "index_fill_tensor" and c.on[2]:
        raise Unbatchable("positions that differ, or a value")
    rest = [c.args[i] if c.specs[i].ndim == 0 and not c.on[i] else c.batch(i) for i in range(2, len(c.args))]
    return c.record([c.batch(0), c.args[1], *rest], dim=_shifted(c.attributes["dim"], c.specs[0].ndim))


@rule("index", "index_adjoint")
def _indexed(c: Call) -> Any:
    """With the element as one more index where the positions differ, as one more kept dimension where they do not."""
    places, a = c.attributes["places"], c.attributes
    changed: dict[str, Any] = {"shape": (c.size, *a["shape"])} if "shape" in a else {}
    if not any(c.on[1:]):
        where = [d for d, here in enumerate(places) if here]
        if where[-1] - where[0] + 1 != len(where):
            raise Unbatchable("the picked dimensions would come in front")
        return c.record([c.batch(0), *c.args[1:]], places=(False, *places), **changed)
    first = [d for d, here in enumerate(places) if here]
    if first != list(range(len(first))):
        raise Unbatchable("a kept dimension before the picked ones")
    rank = max(s.ndim for s in c.specs[1:])
    indices = [c.aligned(i, rank) for i in range(1, len(c.args))]
    element = FUNCTIONS["arange"](c.size).reshape(c.size, *(1,) * rank)
    return c.record([c.batch(0), element, *indices], places=(True, *places), **changed)


@rule("embedding", "embedding_backward")
def _embedded(c: Call) -> Any:
    """Tables that differ are one table, and the positions count on from element to element."""
    a = c.attributes
    if c.op.name == "embedding" and not c.on[0]:
        return c.record(c.args)
    if a["by_freq"] or a["padding_idx"] >= 0:
        raise Unbatchable("rows without a gradient")
    rows = a["rows"] if "rows" in a else c.specs[0].shape[0]
    index = c.batch(1)
    first = (FUNCTIONS["arange"](c.size) * rows).reshape(c.size, *(1,) * c.specs[1].ndim)
    index = FUNCTIONS["where"]((index >= 0) & (index < rows), index + first, -1)  # what is no row stays none
    if "rows" in a:
        return c.shaped(c.record([c.batch(0), index], rows=c.size * rows))
    return c.record([c.args[0].reshape(c.size * rows, -1), index])

