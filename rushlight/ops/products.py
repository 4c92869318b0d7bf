"""Products with more to them: a scaled product added to something, contractions by index (`einsum`, `tensordot`),
Kronecker products.

The contractions are composed of permutations, reshapes and batched matrix products, so their derivatives are too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rushlight.core.strided import broadcast_shapes, normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import TENSORS, Tensor

from .arithmetic import conj
from .matmul import added_symbols, bmm, check_expands, factors, matmul, mm, mv, outer
from .old_overloads import numbers_first, warn_of_old_overload
from .public import public
from .rules import broadcast, check_kind, promoted

# ---------------------------------------------------------------------------------------------------------------------
# input + value * (a product or quotient, element by element)


def _check_value(kind: Any, value: Any, name: str = "value") -> None:
    if not (kind.is_floating_point or kind.is_complex) and isinstance(value, (float, complex)):
        raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")


def _three(x: Spec, a: Spec, b: Spec, value: Spec) -> Spec:
    if x.dtype is a.dtype is b.dtype:
        check_kind(x, "addcmul_cpu_out", complexes=True)
    return broadcast((x, a, b), promoted(x, a, b))


def _three_kind(x: Spec, a: Spec, b: Spec, value: Spec) -> Any:
    return promoted(x, a, b)


ADDCMUL = operation("addcmul", _three, lambda x, a, b, value: x + value * a * b, compute=_three_kind)
ADDCMUL.gradient(
    x=lambda g: g,
    a=lambda g, b, value: g * conj(b * value),
    b=lambda g, a, value: g * conj(a * value),
)
ADDCDIV = operation("addcdiv", _three, lambda x, a, b, value: x + value * a / b, compute=_three_kind)
ADDCDIV.gradient(
    x=lambda g: g,
    a=lambda g, b, value: g * conj(value / b),
    b=lambda g, a, b, value: -g * conj(value * a / (b * b)),
)


_OLD, _NEW = "Number value, Tensor tensor1, Tensor tensor2", "Tensor tensor1, Tensor tensor2, *, Number value = 1"


@public(inplace=True, out=True)
def addcmul(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = None, *, value: Any = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`, broadcast.

    >>> torch.addcmul(torch.ones(1), torch.tensor([2.]), torch.tensor([3.]), value=10)
    tensor([61.])
    """
    if last is not None:
        warn_of_old_overload("addcmul", _OLD, _NEW)
        value, tensor1, tensor2 = tensor1, tensor2, last
    if value.__class__ is float:
        kind = promoted(settle(input).spec, settle(tensor1).spec, settle(tensor2).spec)
        value = value if kind.is_floating_point or kind.is_complex else int(value)
    return apply(ADDCMUL, (input, tensor1, tensor2, value))


@public(inplace=True, out=True)
def addcdiv(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = None, *, value: Any = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`, broadcast, of floating-point tensors."""
    if last is not None:
        warn_of_old_overload("addcdiv", _OLD, _NEW)
        value, tensor1, tensor2 = tensor1, tensor2, last
    kinds = [settle(t).spec.dtype for t in (tensor1, tensor2)]
    if not any(k.is_floating_point or k.is_complex for k in kinds):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
            "true division "
            "of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float "
            "inputs. The "
            "future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all "
            "dtypes."
        )
    return apply(ADDCDIV, (input, tensor1, tensor2, value))


# ---------------------------------------------------------------------------------------------------------------------
# beta * input + alpha * (a product of matrices or vectors)


def _kernel(product: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def added(c: Any, x: Any, y: Any, beta: Any, alpha: Any) -> Any:
        found = product(x, y)
        if alpha != 1:
            found = found * found.dtype.type(alpha)
        if beta == 0:
            return found
        return found + (c if beta == 1 else c * found.dtype.type(beta))

    return added


#: What PyTorch's errors call the kernels.
KERNELS = {"baddbmm": "baddbmm", "addbmm": "addmm_impl_cpu_", "addmv": "addmv_impl_cpu", "addr": "addr"}


def _check_kinds(name: str, c: Spec, x: Spec, y: Spec) -> None:
    kinds = [t.dtype.scalar_name for t in (c, x, y)]
    if c.dtype is x.dtype is y.dtype:
        return
    if name == "addmv":
        raise RuntimeError("addmv input tensors must have the same dtype, but got {}, {}, and {}".format(*kinds))
    raise RuntimeError(f"expected scalar type {kinds[0]} but found {kinds[1] if kinds[1] != kinds[0] else kinds[2]}")


def _added(name: str, product: Callable[[Any, Any], Any], result: Callable[[Spec, Spec], tuple[int, ...]],
           of_x: Callable[..., Tensor], of_y: Callable[..., Tensor]) -> Operation:  # fmt: skip
    """Declares `beta * c + alpha * product(x, y)`; `of_x(g, y)` and `of_y(g, x)` are the product's derivatives."""

    def infer(c: Spec, x: Spec, y: Spec, beta: Spec, alpha: Spec) -> Spec:
        shape = result(x, y)
        check_expands(c, shape)
        _check_kinds(name, c, x, y)
        check_kind(x, KERNELS[name], bools=name == "addr", complexes=True)
        return spec_of(shape, x.dtype)

    op = operation(name, infer, _kernel(product))
    op.lower = lambda c, x, y, beta, alpha: added_symbols(c, product(x, y), beta, alpha)
    return op.gradient(
        c=lambda g, beta: g * conj(beta),
        x=lambda g, y, alpha: of_x(g, y) * conj(alpha),
        y=lambda g, x, alpha: of_y(g, x) * conj(alpha),
    )


def _batched_shape(x: Spec, y: Spec) -> tuple[int, ...]:
    if x.ndim != 3 or y.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if x.ndim != 3 else "batch2 must be a 3D tensor")
    if x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{x.shape[0]}, {x.shape[2]}] but got: "
            f"[{y.shape[0]}, {y.shape[1]}]."
        )
    return x.shape[0], x.shape[1], y.shape[2]


def _matrix_vector_shape(x: Spec, y: Spec) -> tuple[int, ...]:
    if x.ndim != 2 or y.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {x.ndim}, {y.ndim}")
    if x.shape[1] != y.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({x.shape[0]}), mat ({x.shape[0]}x{x.shape[1]}), vec ({y.shape[0]})"
        )
    return (x.shape[0],)


def _outer_shape(x: Spec, y: Spec) -> tuple[int, ...]:
    if x.ndim != 1 or y.ndim != 1:
        name, ndim = ("vec1", x.ndim) if x.ndim != 1 else ("vec2", y.ndim)
        raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {ndim}-D")
    return x.shape[0], y.shape[0]


BADDBMM = _added(
    "baddbmm", np.matmul, _batched_shape,
    lambda g, y: bmm(g, conj(y).transpose(1, 2)), lambda g, x: bmm(conj(x).transpose(1, 2), g),
)  # fmt: skip
ADDBMM = _added(
    "addbmm", lambda x, y: np.matmul(x, y).sum(0, dtype=x.dtype), lambda x, y: _batched_shape(x, y)[1:],
    lambda g, y: matmul(g, conj(y).transpose(1, 2)), lambda g, x: matmul(conj(x).transpose(1, 2), g),
)  # fmt: skip
ADDMV = _added(
    "addmv", np.matmul, _matrix_vector_shape, lambda g, y: outer(g, conj(y)), lambda g, x: mv(conj(x).t(), g)
)
ADDR = _added(
    "addr", lambda x, y: x[:, None] * y, _outer_shape, lambda g, y: mv(g, conj(y)), lambda g, x: mv(g.t(), conj(x))
)


def _scaled_sum(op: Operation, input: Tensor, x: Tensor, y: Tensor, beta: Any, alpha: Any) -> Tensor:
    if op is ADDR:
        kind = settle(input).spec.dtype
        _check_value(kind, beta, "beta")
        _check_value(kind, alpha, "alpha")
    return apply(op, (input, x, y, *factors(input, beta, alpha)))


@public(inplace=True, out=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2)`; with beta 0, `input` is ignored, NaN included."""
    if old:
        input, batch1, batch2, beta, alpha = numbers_first("baddbmm", ("batch1", "batch2"), input, batch1, batch2, *old)
    return _scaled_sum(BADDBMM, input, batch1, batch2, beta, alpha)


@public(inplace=True, out=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2).sum(0)`."""
    if old:
        input, batch1, batch2, beta, alpha = numbers_first("addbmm", ("batch1", "batch2"), input, batch1, batch2, *old)
    return _scaled_sum(ADDBMM, input, batch1, batch2, beta, alpha)


@public(inplace=True, out=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * (mat @ vec)`."""
    if old:
        input, mat, vec, beta, alpha = numbers_first("addmv", ("mat", "vec"), input, mat, vec, *old)
    return _scaled_sum(ADDMV, input, mat, vec, beta, alpha)


@public(inplace=True, out=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    if old:
        input, vec1, vec2, beta, alpha = numbers_first("addr", ("vec1", "vec2"), input, vec1, vec2, *old)
    return _scaled_sum(ADDR, input, vec1, vec2, beta, alpha)


# ---------------------------------------------------------------------------------------------------------------------
# Contractions


@public(out=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The products of the last dimensions: (*, n) and (**, n) to (*, **); with a number, the plain product.

    >>> torch.inner(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor(11.)
    """
    a, b = settle(input).spec, settle(other).spec
    if a.ndim == 0 or b.ndim == 0:
        return input * other
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(a.shape)} and "
            f"{list(b.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@public(method=False, out=True)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Contracts `dims` dimensions: the last of `a` with the first of `b`, or the two lists of dimensions given.

    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 2), 1)
    tensor([[3., 3.],
            [3., 3.]])
    """
    x, y = settle(a).spec, settle(b).spec
    left, right = _contracted_dims(dims, x.ndim, y.ndim)
    if len(left) != len(right):
        raise RuntimeError("both dimension lists should have same length")
    for i, j in zip(left, right, strict=True):
        n, m = x.shape[i], y.shape[j]
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {i} and second has size {m} in "
                f"dim {j}"
            )
        if n != m:
            a, b = (a, b.sum(j, keepdim=True, dtype=y.dtype)) if n == 1 else (a.sum(i, keepdim=True, dtype=x.dtype), b)
            x, y = settle(a).spec, settle(b).spec
    free_left = [d for d in range(x.ndim) if d not in left]
    free_right = [d for d in range(y.ndim) if d not in right]
    count = math.prod(x.shape[d] for d in left)
    p = a.permute(*free_left, *left).reshape(math.prod(x.shape[d] for d in free_left), count)
    q = b.permute(*right, *free_right).reshape(count, math.prod(y.shape[d] for d in free_right))
    return mm(p, q).reshape(*(x.shape[d] for d in free_left), *(y.shape[d] for d in free_right))


def _contracted_dims(dims: Any, a: int, b: int) -> tuple[list[int], list[int]]:
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a, b):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return list(range(a - dims, a)), list(range(dims))
    left, right = dims
    left = [left] if isinstance(left, int) else list(left)
    right = [right] if isinstance(right, int) else list(right)
    return [normalize_dim(d, a) for d in left], [normalize_dim(d, b) for d in right]


@public(method=False)
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """The product of several matrices, in the order that costs least (Cormen et al., Introduction to Algorithms,
    15.2)."""
    from .public import write_out

    for m in matrices:
        if settle(m).spec.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {m._value.spec.ndim}, expected 2 instead.")
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    sizes = [matrices[0].size(0), *(m.size(1) for m in matrices)]
    result = _multiply(matrices, _best_splits(sizes), 0, len(matrices) - 1)
    return result if out is None else write_out(out, result, "chain_matmul")


def _best_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each chain i..j so that the number of multiplications is least."""
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(len(sizes) - 1)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, len(sizes) - 1):
        for i in range(len(sizes) - 1 - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return split


def _multiply(matrices: Sequence[Tensor], split: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return matrices[i]
    k = split[i, j]
    return mm(_multiply(matrices, split, i, k), _multiply(matrices, split, k + 1, j))


@public(method=False, functional=True)
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input1 @ weight[k] @ input2 + bias[k]` for each output k.

    Shapes: input1 (*, in1), input2 (*, in2), weight (out, in1, in2), bias (out); result (*, out).
    """
    a, b, w = settle(input1).spec.shape, settle(input2).spec.shape, settle(weight).spec.shape
    if len(a) != len(b):
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {len(a)} and {len(b)}")
    for dim, (n, m) in enumerate(zip(a[:-1], b[:-1], strict=True)):
        if n != m:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {dim}: got {n} and {m}")
    for name, n, m in (("input1", a[-1], w[1]), ("input2", b[-1], w[2])):
        if n != m:
            raise RuntimeError(f"bilinear(): {name} size does not match weight size: got {n} but expected {m}")
    rows = math.prod(a[:-1])
    x, y = input1.reshape(rows, a[-1]), input2.reshape(rows, b[-1])
    half = mm(x, weight.permute(1, 0, 2).reshape(w[1], w[0] * w[2])).reshape(rows, w[0], w[2])
    result = bmm(half, y.unsqueeze(2)).reshape(*a[:-1], w[0])
    return result if bias is None else result + bias


# ---------------------------------------------------------------------------------------------------------------------
# einsum

Ints = tuple[int, ...]
Labels = tuple[Any, ...]  # letters or integers; ("...", k) for the k-th dimension of the ellipsis counted from its end


@public(method=False)
def einsum(*args: Any) -> Tensor:
    """Sums products of elements along the dimensions that an equation names
    (https://pytorch.org/docs/stable/generated/torch.einsum.html).

    `einsum("ij,jk->ik", a, b)`, or with lists of integers: `einsum(a, [0, 1], b, [1, 2], [0, 2])`.

    >>> torch.einsum("ij,j->i", torch.ones(2, 3), torch.ones(3))
    tensor([3., 3.])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    operands, inputs, output = _parse(args)
    spelt = _spelt(inputs, tuple([settle(t).spec.ndim for t in operands]))
    terms = [_without_repeats(t, labels) for t, labels in zip(operands, spelt, strict=True)]
    labels = tuple([labels for _, labels in terms])
    _check_sizes(labels, tuple([settle(t).spec.shape for t, _ in terms]))
    result_labels = _output_labels(labels, inputs, output)
    whole, kept = terms[0]
    for i, (u, other) in enumerate(terms[1:], 1):
        later = set(result_labels).union(*(m for _, m in terms[i + 1 :]))
        whole, kept = _contract(whole, kept, u, other, later)
    whole, kept = _sum_out(whole, kept, set(result_labels))
    return whole.permute([kept.index(m) for m in result_labels]) if kept != result_labels else whole


def _parse(args: tuple[Any, ...]) -> tuple[list[Tensor], tuple[Labels, ...], Labels | None]:
    """Operands, their labels (with Ellipsis where there is one) and the output's labels, if given."""
    if not args:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if isinstance(args[0], Tensor):
        pairs = len(args) // 2
        output = tuple(args[-1]) if len(args) % 2 else None
        return list(args[0 : 2 * pairs : 2]), tuple([tuple(s) for s in args[1 : 2 * pairs : 2]]), output
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    inputs, output = _read(equation)
    if len(inputs) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if len(inputs) > len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    return operands, inputs, output


@functools.lru_cache(1024)
def _read(equation: str) -> tuple[tuple[Labels, ...], Labels | None]:
    """The labels of the operands, and those of the output, if given."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    return tuple([_letters(part) for part in left.split(",")]), _letters(right) if arrow else None


def _letters(text: str) -> Labels:
    found: list[Any] = []
    rest = text
    while rest:
        if rest.startswith("..."):
            found.append(Ellipsis)
            rest = rest[3:]
        elif rest[0].isascii() and rest[0].isalpha():
            found.append(rest[0])
            rest = rest[1:]
        else:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {len(text) - len(rest)} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
    return tuple(found)


@functools.lru_cache(1024)
def _spelt(inputs: tuple[Labels, ...], ndims: Ints) -> tuple[Labels, ...]:
    """One label for each dimension of each operand."""
    pairs = zip(inputs, ndims, strict=True)
    return tuple([_dimensions(labels, ndim, position) for position, (labels, ndim) in enumerate(pairs)])


def _dimensions(labels: Labels, ndim: int, position: int) -> Labels:
    """One label for each dimension, the ellipsis spelt out."""
    named = len([m for m in labels if m is not Ellipsis])
    if Ellipsis not in labels:
        if named != ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of "
                f"dimensions ({ndim}) "
                f"for operand {position} and no ellipsis was given"
            )
        return tuple(labels)
    if named > ndim:
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({named}) is more than the number of dimensions "
            f"({ndim}) for "
            f"operand {position}"
        )
    at = labels.index(Ellipsis)
    hidden = [("...", k) for k in range(ndim - named, 0, -1)]
    return (*labels[:at], *hidden, *labels[at + 1 :])


def _without_repeats(t: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """Takes the diagonal of dimensions with the same label."""
    while len(set(labels)) < len(labels):
        i = next(k for k, m in enumerate(labels) if m in labels[k + 1 :])
        j = labels.index(labels[i], i + 1)
        n, m = t.size(i), t.size(j)
        if n != m:
            raise RuntimeError(
                f"einsum(): subscript {labels[i]} is repeated for an operand but the sizes don't match, {m} != {n}"
            )
        t = t.diagonal(0, i, j)
        rest = [x for k, x in enumerate(labels) if k not in (i, j)]
        labels = (*rest, labels[i])
    return t, labels


@functools.lru_cache(1024)
def _check_sizes(terms: tuple[Labels, ...], shapes: tuple[Ints, ...]) -> None:
    sizes: dict[Any, int] = {}
    for position, (labels, shape) in enumerate(zip(terms, shapes, strict=True)):
        for label, n in zip(labels, shape, strict=True):
            known = sizes.get(label, 1)
            if known != 1 and n not in (1, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {n} for operand {position} which does not broadcast with "
                    f"previously "
                    f"seen size {known}"
                )
            sizes[label] = max(known, n) if n else n


@functools.lru_cache(1024)
def _output_labels(terms: tuple[Labels, ...], inputs: tuple[Labels, ...], output: Labels | None) -> Labels:
    present = {m for labels in terms for m in labels}
    hidden = sorted((m for m in present if isinstance(m, tuple)), key=lambda m: -m[1])
    if output is None:
        counted = [m for labels in inputs for m in labels if m is not Ellipsis]
        return (*hidden, *sorted(m for m in set(counted) if counted.count(m) == 1))
    found: list[Any] = []
    for m in output:
        found.extend(hidden if m is Ellipsis else [m])
    for m in found:
        if found.count(m) > 1:
            raise RuntimeError(f"einsum(): output subscript {m} appears more than once in the output")
        if m not in present:
            raise RuntimeError(f"einsum(): output subscript {m} does not appear in the equation for any input operand")
    return tuple(found)


def _sum_out(t: Tensor, labels: Labels, keep: set[Any]) -> tuple[Tensor, Labels]:
    """Sums over the dimensions that nobody needs any more."""
    gone = [d for d, m in enumerate(labels) if m not in keep]
    if not gone:
        return t, labels
    return t.sum(gone), tuple(m for m in labels if m in keep)


def _contract(a: Tensor, left: Labels, b: Tensor, right: Labels, later: set[Any]) -> tuple[Tensor, Labels]:
    """The product of two terms, summed over the labels that both have and nobody needs later."""
    a, left = _sum_out(a, left, later | set(right))
    b, right = _sum_out(b, right, later | set(left))
    for m in set(left) & set(right) - later:  # a size of 1 broadcasts: sum the other term on its own
        if a.size(left.index(m)) != b.size(right.index(m)):
            if a.size(left.index(m)) == 1:
                b = b.sum(right.index(m), keepdim=True)
            else:
                a = a.sum(left.index(m), keepdim=True)
    way = _way(left, right, frozenset(later), settle(a).spec.shape, settle(b).spec.shape)
    x, y = _shaped(_ordered(a, way.orders[0]), way.shapes[0]), _shaped(_ordered(b, way.orders[1]), way.shapes[1])
    alike = len(way.shapes[0]) == 3 and way.shapes[0][0] == way.shapes[1][0] and x.dtype == y.dtype
    product = (bmm if alike else matmul)(x, y) if way.sums else x * y
    return _shaped(product, way.result), way.labels


class _Way(NamedTuple):
    """How two terms become factors of a product of matrices, and that the result."""

    orders: tuple[Ints, Ints]
    shapes: tuple[Ints, Ints]
    sums: bool
    result: Ints
    labels: Labels


@functools.lru_cache(1024)
def _way(left: Labels, right: Labels, later: frozenset[Any], a: Ints, b: Ints) -> _Way:
    shared = [m for m in left if m in right]
    batch, summed = [m for m in shared if m in later], [m for m in shared if m not in later]
    only_left, only_right = [m for m in left if m not in right], [m for m in right if m not in left]
    first = tuple([left.index(m) for m in (*batch, *only_left, *summed)])
    second = tuple([right.index(m) for m in (*batch, *summed, *only_right)])
    p, q, n = [a[k] for k in first], [b[k] for k in second], len(batch)
    lead = broadcast_shapes(tuple(p[:n]), tuple(q[:n]))
    count = math.prod(p[n + len(only_left) :])
    rows, columns = p[n : n + len(only_left)], q[n + len(summed) :]
    images: Any = ((math.prod(lead),) * (n > 0),) * 2 if p[:n] == q[:n] else (p[:n], q[:n])
    shapes = (*images[0], math.prod(rows), count), (*images[1], count, math.prod(columns))
    return _Way((first, second), shapes, count != 1, (*lead, *rows, *columns), (*batch, *only_left, *only_right))


def _ordered(t: Tensor, order: Ints) -> Tensor:
    """The dimensions in an order, if it is another one."""
    return t if order == tuple(range(len(order))) else t.permute(order)


def _shaped(t: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The numbers in a shape; a sparse tensor, whatever its shape, is refused as PyTorch refuses it."""
    return t if t.__class__ in TENSORS and t._value.spec.shape == shape else t.reshape(shape)
