"""Products of matrices and vectors, and the affine map `linear`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import broadcast_shapes, expand
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .old_overloads import numbers_first
from .public import public, write_back
from .reduction import SUM_DIM
from .rules import check_kind
from .selection import number_in
from .view import SQUEEZE_DIM, unsafe_view, view_like

WORTHWHILE = 1 << 13  # multiplications of whole numbers from which on looking at them first pays


def _same_dtype(x: Spec, y: Spec, *_: Any, **__: Any) -> None:
    if x.dtype is not y.dtype:
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {_c_name(x)} != {_c_name(y)}")


def _c_name(x: Spec) -> str:
    names = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
             "int64": "long long", "int32": "int", "int16": "short", "int8": "signed char", "uint8": "unsigned char",
             "bool": "bool", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>"}  # fmt: skip
    return names.get(x.dtype.name, x.dtype.name)


def _matrix_product(x: Any, y: Any) -> Any:
    if x.dtype.kind == "b":
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")
    if x.dtype.kind in "iu" and _exact_in_doubles(x, y):
        return np.matmul(x.astype(np.float64), y.astype(np.float64)).astype(np.int64).astype(x.dtype)
    return np.matmul(x, y)


def _exact_in_doubles(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether no sum of whole numbers needs more than the 53 bits of a double, whose products are far quicker."""
    if not x.size or not y.size or x.size * y.shape[-1] < WORTHWHILE:
        return False
    x_most, y_most = (max(abs(int(a.min())), abs(int(a.max()))) for a in (x, y))
    return x_most * y_most * x.shape[-1] < 1 << 53


def _check_numbers(x: Spec) -> None:
    if x.dtype is dtypes.bool_:
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")


def check_expands(c: Spec, shape: tuple[int, ...]) -> None:
    """Raises PyTorch's error unless what is added to a product can be expanded to its shape."""
    expand(c.shape, c.strides, 0, shape)


def _mm_spec(x: Spec, y: Spec) -> Spec:
    if x.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if y.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    if x.shape[1] != y.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({x.shape[0]}x{x.shape[1]} and {y.shape[0]}x{y.shape[1]})"
        )
    _same_dtype(x, y)
    _check_numbers(x)
    return spec_of((x.shape[0], y.shape[1]), x.dtype)


MM = operation("mm", _mm_spec, _matrix_product)
MM.gradient(x=lambda g, y: apply(MM, (g, conj(y).t())), y=lambda g, x: apply(MM, (conj(x).t(), g)))


@public(out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices.

    >>> torch.mm(torch.eye(2), torch.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    return apply(MM, (input, mat2))


def _bmm_spec(x: Spec, y: Spec) -> Spec:
    if x.ndim != 3 or y.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if x.ndim != 3 else "batch2 must be a 3D tensor")
    if x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{x.shape[0]}, {x.shape[2]}] but got: "
            f"[{y.shape[0]}, {y.shape[1]}]."
        )
    if x.dtype is not y.dtype:
        raise RuntimeError(f"expected scalar type {x.dtype.scalar_name} but found {y.dtype.scalar_name}")
    check_kind(x, "bmm", complexes=True)
    return spec_of((x.shape[0], x.shape[1], y.shape[2]), x.dtype)


BMM = operation("bmm", _bmm_spec, _matrix_product)
BMM.gradient(
    x=lambda g, y: apply(BMM, (g, conj(y).transpose(1, 2))),
    y=lambda g, x: apply(BMM, (conj(x).transpose(1, 2), g)),
)


@public(out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, (B, n, m) and (B, m, p)."""
    return apply(BMM, (input, mat2))


def _mv_spec(x: Spec, y: Spec) -> Spec:
    if x.ndim != 2 or y.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {x.ndim}, {x.ndim}, {y.ndim}")
    if x.shape[1] != y.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({x.shape[0]}), mat ({x.shape[0]}x{x.shape[1]}), vec ({y.shape[0]})"
        )
    if x.dtype is not y.dtype:
        names = [t.dtype.scalar_name for t in (y, x, y)]
        raise RuntimeError("addmv input tensors must have the same dtype, but got {}, {}, and {}".format(*names))
    check_kind(x, "addmv_impl_cpu", complexes=True)
    return spec_of((x.shape[0],), x.dtype)


MV = operation("mv", _mv_spec, _matrix_product)
MV.lower = lambda x, y: np.sum(x * y, -1, dtype=x.dtype)
MV.gradient(x=lambda g, y: g.unsqueeze(1) * conj(y), y=lambda g, x: apply(MV, (conj(x).t(), g)))


@public(out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return apply(MV, (input, vec))


def _dot_spec(x: Spec, y: Spec) -> Spec:
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {x.ndim}D and {y.ndim}D tensors")
    if x.dtype is not y.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {x.dtype.scalar_name} and {y.dtype.scalar_name}"
        )
    if x.shape != y.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{x.shape[0]}] and src [{y.shape[0]}] to have the same number "
            f"of "
            f"elements, but got {x.shape[0]} and {y.shape[0]} elements respectively"
        )
    check_kind(x, "dot", complexes=True)
    return spec_of((), x.dtype)


DOT = operation("dot", _dot_spec, lambda x, y: np.dot(x, y))
DOT.gradient(x=lambda g, y: g * conj(y), y=lambda g, x: g * conj(x))
DOT.lower = lambda x, y: np.sum(x * y, dtype=x.dtype)
VDOT = operation("vdot", _dot_spec, lambda x, y: np.vdot(x, y))
VDOT.gradient(x=lambda g, y: conj(g) * y, y=lambda g, x: g * x)


@public(out=True, tensors=2)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors.

    >>> torch.dot(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
    tensor(11.)
    """
    return apply(DOT, (input, tensor))


@public(out=True)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors, the first conjugated."""
    return apply(VDOT, (input, other))


@public(out=True, names=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The outer product of two vectors."""
    for t, name in ((input, "self"), (vec2, "vec2")):
        if settle(t).spec.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {t._value.spec.ndim}-D")
    return input.unsqueeze(1) * vec2


@public(out=True)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product with NumPy's rules: vectors, matrices and broadcast batches (`@`).

    >>> torch.ones(2, 3) @ torch.ones(3)
    tensor([3., 3.])
    """
    a, b = settle(input).spec.ndim, settle(other).spec.ndim
    if a == 0 or b == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D")
    if a == 2 and b == 2:
        return apply(MM, (input, other))
    if a == 1 and b == 1:
        return dot(input, other)
    if a == 2 and b == 1:
        return mv(input, other)
    if a == 1 and b == 2:
        return apply(SQUEEZED, (mm(input.unsqueeze(0), other),), ((0,),))
    if a > 2 and b <= 2:
        return _folded(input, other)
    return _batched(input, other, a, b)


SQUEEZED = view_like(SQUEEZE_DIM, "squeeze_product", "SqueezeBackward4")


def _folded(input: Tensor, other: Tensor) -> Tensor:
    """A batch times one matrix (or vector): one large product."""
    shape = input._value.spec.shape
    inner = other._value.spec.shape
    if shape[-1] != inner[0]:
        rows = 1
        for n in shape[:-1]:
            rows *= n
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{shape[-1]} and "
            f"{inner[0]}x{inner[-1] if len(inner) > 1 else 1})"
        )
    flat = input.reshape(-1, shape[-1]) if shape[-1] else input.reshape(_count(shape[:-1]), 0)
    product = mv(flat, other) if len(inner) == 1 else mm(flat, other)
    return unsafe_view(product, (*shape[:-1], *inner[1:]))


def _count(shape: tuple[int, ...]) -> int:
    n = 1
    for s in shape:
        n *= s
    return n


def _batched(input: Tensor, other: Tensor, a: int, b: int) -> Tensor:
    left = input.unsqueeze(0) if a == 1 else input
    right = other.unsqueeze(1) if b == 1 else other
    p, q = left._value.spec.shape, right._value.spec.shape
    batch = broadcast_shapes(p[:-2], q[:-2])
    if p[-1] != q[-2]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{_count(batch)}, {p[-1]}] but got: "
            f"[{_count(batch)}, {q[-2]}]."
        )
    n = _count(batch)
    x = left.expand(*batch, *p[-2:]).reshape(n, *p[-2:])
    y = right.expand(*batch, *q[-2:]).reshape(n, *q[-2:])
    shape = (*batch, *(() if a == 1 else p[-2:-1]), *(() if b == 1 else q[-1:]))
    return unsafe_view(bmm(x, y), shape)


# ---------------------------------------------------------------------------------------------------------------------
# With an added term


def _addmm_spec(c: Spec, x: Spec, y: Spec, beta: Spec, alpha: Spec) -> Spec:
    if x.ndim == 2 and y.ndim == 2:
        check_added(c, x, y)
    product = _mm_spec(x, y)
    check_expands(c, product.shape)
    return product


def check_added(c: Spec, x: Spec, y: Spec) -> None:
    """Raises PyTorch's error unless a term and the factors of a product have one dtype."""
    for name, a in (("self", c), ("mat1", x)):
        if a.dtype is not y.dtype:
            raise RuntimeError(
                f"{name} and mat2 must have the same dtype, but got {a.dtype.scalar_name} and {y.dtype.scalar_name}"
            )


def _addmm(c: Any, x: Any, y: Any, beta: float, alpha: float) -> Any:
    product = np.matmul(x, y)
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    return product + (c if beta == 1 else c * beta)


def added_symbols(c: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """`beta * c + alpha * product` for the compiler, which does not know the numbers."""
    kind = product.dtype
    term = np.where(beta == 0, kind.type(0), c * beta.astype(kind))
    return product * alpha.astype(kind) + term


ADDMM = operation("addmm", _addmm_spec, _addmm)
ADDMM.lower = lambda c, x, y, beta, alpha: added_symbols(c, np.matmul(x, y), beta, alpha)
ADDMM.gradient(
    c=lambda g, beta: g * beta,
    x=lambda g, y, alpha: mm(g, conj(y).t()) * alpha,
    y=lambda g, x, alpha: mm(conj(x).t(), g) * alpha,
)


@public(out=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * (mat1 @ mat2)`."""
    if old:
        input, mat1, mat2, beta, alpha = numbers_first("addmm", ("mat1", "mat2"), input, mat1, mat2, *old)
    if beta.__class__ is not int or alpha.__class__ is not int:
        beta, alpha = factors(input, beta, alpha)
    return apply(ADDMM, (input, mat1, mat2, beta, alpha))


def factors(input: Tensor, beta: Any, alpha: Any) -> tuple[Any, Any]:
    """Two factors as numbers of the tensors' dtype: whole ones where it is of integers, as PyTorch takes them."""
    kind = settle(input).spec.dtype
    return tuple(x if isinstance(x, Tensor) else number_in(x, kind) for x in (beta, alpha))  # type: ignore[return-value]


@public(function=False)
def addmm_(self: Tensor, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`addmm` in place; `self` must have the shape of the product already."""
    if old:
        self, mat1, mat2, beta, alpha = numbers_first("addmm_", ("mat1", "mat2"), self, mat1, mat2, *old)
    held, found = settle(self).spec, _mm_spec(settle(mat1).spec, settle(mat2).spec)
    if held.shape != found.shape:
        raise RuntimeError(
            f"Bad in-place call: input tensor size {list(held.shape)} and output tensor size {list(found.shape)} "
            "should match"
        )
    return write_back(self, addmm(self, mat1, mat2, beta=beta, alpha=alpha))


# ---------------------------------------------------------------------------------------------------------------------
# Linear


def _linear_spec(x: Spec, w: Spec, b: Spec | None) -> Spec:
    if not x.ndim:
        raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are 0D and {w.ndim}D")
    if w.ndim != 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {w.ndim}D")
    if x.shape[-1] != w.shape[-1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_count(x.shape[:-1])}x{x.shape[-1]} and "
            f"{w.shape[1]}x{w.shape[0]})"
        )
    if b is None:
        _same_dtype(x, w)
    else:
        check_added(b, x, w)
    _check_numbers(x)
    shape = (*x.shape[:-1], w.shape[0])
    if b is not None:
        check_expands(b, shape)
    return spec_of(shape, x.dtype)


def _linear(x: Any, w: Any, b: Any) -> Any:
    ndim = x.ndim
    if x.__class__ is np.ndarray and x.dtype.kind == "f":
        product = _product_of_floats(x, w, ndim)
        if b is not None:
            np.add(product, b, product)
        return product
    flat = x if ndim == 2 else x.reshape(_count(x.shape[:-1]), x.shape[-1])
    product = np.matmul(flat, w.T)
    if ndim != 2:
        product = product.reshape(*x.shape[:-1], len(w))
    if b is not None:
        product += b
    return product


def _product_of_floats(x: Any, w: Any, ndim: int) -> Any:
    """x @ w.T by the shortest way to the linear-algebra library."""
    if ndim == 2:
        return np.dot(x, w.T)
    if ndim == 1:
        return np.dot(w, x)
    shape = x.shape
    return np.dot(x.reshape(_count(shape[:-1]), shape[-1]), w.T).reshape(*shape[:-1], len(w))


def _linear_without_bias(x: Any, w: Any) -> Any:
    return _linear(x, w, None)


def _linear_gradient_w(g: Tensor, x: Tensor) -> Tensor:
    rows, columns = g._value.spec.shape[-1], x._value.spec.shape[-1]
    if g._value.spec.ndim == 2:
        return mm(g.t(), conj(x))
    count = _count(g._value.spec.shape[:-1])
    return mm(g.reshape(count, rows).t(), conj(x).reshape(count, columns))


def _linear_gradient_b(g: Tensor, b_spec: Spec) -> Tensor:
    ndim = g._value.spec.ndim
    if ndim == 1 or b_spec.ndim != 1 or b_spec.shape[0] != g._value.spec.shape[-1]:
        return g
    return apply(SUM_DIM, (g,), (tuple(range(ndim - 1)), False))


class ShownNode:
    """A step that PyTorch takes and Rushlight does not: something for `next_functions` to show between two real
    nodes."""

    def __init__(self, *next_functions: tuple[Any, int]) -> None:
        self.next_functions = next_functions

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.next_functions == self.next_functions  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.next_functions))

    def name(self) -> str:
        """The node's name."""
        return type(self).__name__


_shown_classes: dict[str, type[ShownNode]] = {}

Pair = tuple[Any, int]


def shown_step(name: str, *pairs: Pair) -> Pair:
    """A `ShownNode` called `name` in front of `pairs`; nothing where none of them leads anywhere."""
    if all(function is None for function, _ in pairs):
        return None, 0
    if name not in _shown_classes:
        _shown_classes[name] = type(name, (ShownNode,), {})
    return _shown_classes[name](*pairs), 0


def three_shown(pairs: list[Pair]) -> list[Pair]:
    """Input, weight and bias, also where a layer has no weight or no bias."""
    return [*pairs, (None, 0), (None, 0)][:3]


def first_shown(pairs: list[Pair]) -> list[Pair]:
    """The input alone."""
    return pairs[:1]


def _as_addmm(pairs: list[Pair]) -> list[Pair]:
    x, w, b = pairs
    return [b, x, shown_step("TBackward0", w)]


def _as_view_of_addmm(pairs: list[Pair]) -> list[Pair]:
    x, w, b = pairs
    return [shown_step("AddmmBackward0", b, shown_step("ViewBackward0", x), shown_step("TBackward0", w))]


def _as_mm(pairs: list[Pair]) -> list[Pair]:
    x, w = pairs
    return [x, shown_step("TBackward0", w)]


def _as_view_of_mm(pairs: list[Pair]) -> list[Pair]:
    x, w = pairs
    return [shown_step("MmBackward0", shown_step("ViewBackward0", x), shown_step("TBackward0", w))]


def _linear_operation(name: str, node: str, bias: bool, shown: Any) -> Operation:
    """`linear` under the name that its last step has in PyTorch; there it is a product of matrices, with or without
    views."""
    if bias:
        op = operation(name, _linear_spec, _linear, node=node)
        op.gradient(b=_linear_gradient_b)
        op.lower = lambda x, w, b: np.matmul(x, w.T) + b
    else:
        op = operation(name, lambda x, w: _linear_spec(x, w, None), _linear_without_bias, node=node)
    op.gradient(x=lambda g, w: matmul(g, conj(w)), w=_linear_gradient_w)
    op.shown = shown
    return op


LINEAR = _linear_operation("linear", "AddmmBackward0", True, _as_addmm)
LINEAR_ND = _linear_operation("linear_nd", "ViewBackward0", True, _as_view_of_addmm)
LINEAR_NO_BIAS = _linear_operation("linear_no_bias", "MmBackward0", False, _as_mm)
LINEAR_ND_NO_BIAS = _linear_operation("linear_nd_no_bias", "UnsafeViewBackward0", False, _as_view_of_mm)


@public(function=False, method=False, functional=True)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias` (https://pytorch.org/docs/stable/generated/torch.nn.functional.linear.html).

    Shapes: input (*, in), weight (out, in) or (in), bias (out); result (*, out).

    >>> torch.nn.functional.linear(torch.tensor([[1., 2.]]), torch.tensor([[1., 1.]]))
    tensor([[3.]])
    """
    flat = settle(input).spec.ndim == 2
    if weight._value.spec.ndim == 1:
        product = matmul(input, weight)
        return product if bias is None else product + bias
    if bias is None:
        return apply(LINEAR_NO_BIAS if flat else LINEAR_ND_NO_BIAS, (input, weight))
    return apply(LINEAR if flat else LINEAR_ND, (input, weight, bias))
