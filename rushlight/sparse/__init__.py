"""torch.sparse: tensors that list their elements, and what is special to them.

    layout                  what a sparse tensor is to the rest: SparseValue, SparseTensor, how operations find rules
    coo  compressed         the classes: sparse_coo; sparse_csr, sparse_csc, sparse_bsr, sparse_bsc
    arithmetic  shapes      rules of sparse_coo, by family
    products  reductions
    construct  types        sparse_coo_tensor and the like, conversions; torch.sparse.FloatTensor
    display                 printing

The package loads when it is first touched. Every tensor here is made of dense ones, so what it computes is recorded,
compiled and differentiated as their operations are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rushlight.core.layout import sparse_coo
from rushlight.core.missing import missing
from rushlight.ops.matmul import addmm as _addmm
from rushlight.ops.matmul import mm as _mm
from rushlight.ops.public import write_out
from rushlight.ops.sparse_product import sampled_product
from rushlight.tensor import Tensor

from . import arithmetic, compressed, shapes  # noqa: F401
from .compressed import CompressedTensor
from .construct import checking, converted
from .coo import CooTensor, coo
from .layout import SparseTensor, unsupported
from .products import product
from .reductions import log_softmax, softmax
from .reductions import sparse_sum as sum  # noqa: A004 - PyTorch's name
from .types import TYPES

globals().update(TYPES)

__all__ = [
    "addmm", "as_sparse_gradcheck", "check_sparse_tensor_invariants", "log_softmax", "mm", "sampled_addmm", "softmax",
    "spdiags", "spsolve", "sum", "to_sparse_semi_structured",
]  # fmt: skip


def mm(input: Tensor, mat2: Tensor, reduce: str | None = None, *, out: Tensor | None = None) -> Tensor:  # noqa: A002
    """The product of two matrices, of which the first is sparse; `input @ mat2`.

    With `reduce` ("sum", "mean", "amax", "amin", "prod"), which takes layout sparse_csr, the terms of each sum are
    combined in that way.

    >>> torch.sparse.mm(torch.eye(2).to_sparse(), torch.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    found = _masked_product(input, mat2) if reduce is None else _reduced_product(input, mat2, reduce)
    return found if out is None else write_out(out, found, "mm")


def _masked_product(x: Tensor, y: Tensor) -> Tensor:
    """x @ y; the derivative for a sparse x is one at its own positions."""
    if isinstance(x, CompressedTensor):
        return compressed.product(x, y, masked=True)
    return product(x, y, masked=True) if isinstance(x, CooTensor) else _mm(x, y)


def _reduced_product(x: Tensor, y: Tensor, reduce: str) -> Tensor:
    if not isinstance(x, CompressedTensor) or not x.is_sparse_csr:
        raise unsupported("_sparse_mm_reduce_impl", x.layout)
    rows, columns = x.lines()
    terms = x._value.values.unsqueeze(1) * y.index_select(0, columns)
    at = rows.unsqueeze(1).expand(terms.shape)
    start = y.new_zeros(x.shape[0], y.shape[1])
    return start.scatter_reduce(0, at, terms, reduce, include_self=False)


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """`beta * mat + alpha * (mat1 @ mat2)` with a sparse `mat1`."""
    if not isinstance(mat1, SparseTensor):
        return _addmm(mat, mat1, mat2, beta=beta, alpha=alpha)
    found = _masked_product(mat1, mat2)
    return mat * beta + (found if alpha == 1 else found * alpha)


def sampled_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0,  # noqa: A002
                  out: Tensor | None = None) -> Tensor:  # fmt: skip
    """`beta * input + alpha * (mat1 @ mat2)` at the positions of `input`, of layout sparse_csr."""
    if not isinstance(input, CompressedTensor) or not input.is_sparse_csr:
        raise RuntimeError("sampled_addmm: Expected self tensor to have sparse csr layout")
    if mat1.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"sampled_addmm: mat1 and mat2 shapes cannot be multiplied ({mat1.shape[0]}x{mat1.shape[1]} "
                           f"and {mat2.shape[0]}x{mat2.shape[1]})")  # fmt: skip
    rows, columns = input.lines()
    found = sampled_product(rows, columns, mat1, mat2.t())
    values = input._value.values * beta + (found if alpha == 1 else found * alpha)
    if out is None:
        return input._value.like(values)
    out.become(input._value.like(values))
    return out


def spdiags(diagonals: Tensor, offsets: Tensor, shape: tuple[int, int], layout: Any = None) -> Tensor:
    """A sparse matrix whose diagonals, by their offsets, are the rows of `diagonals`, column by column.

    >>> torch.sparse.spdiags(torch.ones(1, 2), torch.tensor([0]), (2, 2)).to_dense()
    tensor([[1., 0.],
            [0., 1.]])
    """
    import numpy as np

    from rushlight.ops.creation import wrap

    rows = diagonals.unsqueeze(0) if diagonals.dim() == 1 else diagonals
    found = offsets.reshape(-1).tolist()
    if rows.shape[0] != len(found):
        raise RuntimeError(f"Number of diagonals ({rows.shape[0]}) does not match the number of offsets ({len(found)})")
    if len(set(found)) != len(found):
        raise RuntimeError("Offset tensor contains duplicate values")
    if len(shape) != 2:
        raise RuntimeError("Output shape must be 2d")
    places = []
    for k, offset in enumerate(found):
        columns = np.arange(max(0, offset), min(shape[1], shape[0] + offset, rows.shape[1]))
        places.append(np.stack([columns - offset, columns, columns + k * rows.shape[1]]))
    line, column, flat = np.concatenate(places, 1).astype("int64")
    values = rows.reshape(-1).index_select(0, wrap(flat))
    made = coo(wrap(np.stack([line, column])), values, shape)
    return made if layout is None or layout is sparse_coo else converted(made, layout, None)


class check_sparse_tensor_invariants:  # noqa: N801 - PyTorch's name
    """Whether the parts of new sparse tensors are checked: a context manager, a decorator, and a switch."""

    def __init__(self, enable: bool = True) -> None:
        self.wanted = enable
        self.before: bool | None = None

    @staticmethod
    def is_enabled() -> bool:
        """Whether parts are checked now."""
        return checking.on

    @staticmethod
    def enable() -> None:
        """Checks from now on."""
        checking.on = True

    @staticmethod
    def disable() -> None:
        """Checks no longer."""
        checking.on = False

    def __enter__(self) -> None:
        if self.before is not None:
            raise RuntimeError("This context manager instance is already activated. Use a different context manager "
                               "instance for context nesting.")  # fmt: skip
        self.before, checking.on = checking.on, self.wanted

    def __exit__(self, *_: object) -> None:
        assert self.before is not None
        checking.on, self.before = self.before, None

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(f)
        def within(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.wanted):
                return f(*args, **kwargs)

        return within


def of_values(func: Callable[..., Any], inputs: Any) -> tuple[Callable[..., Any], Any]:
    """A function of sparse tensors and its inputs as a function of their values."""
    given = inputs if isinstance(inputs, (list, tuple)) else (inputs,)
    if not any(isinstance(x, SparseTensor) for x in given):
        return func, inputs

    def of_parts(*parts: Any) -> Any:
        whole = [x._value.like(p) if isinstance(x, SparseTensor) else p for x, p in zip(given, parts, strict=True)]
        found = func(*whole)
        return found._value.values if isinstance(found, SparseTensor) else found

    return of_parts, tuple(x._value.values.detach().requires_grad_(x.requires_grad) if isinstance(x, SparseTensor)
                           else x for x in given)  # fmt: skip


def as_sparse_gradcheck(gradcheck: Callable[..., Any]) -> Callable[..., Any]:
    """`gradcheck` for functions of sparse tensors: what is varied is their values."""

    def checked(func: Callable[..., Any], inputs: Any, **options: Any) -> Any:
        return gradcheck(*of_values(func, inputs), **options)

    return checked


def spsolve(input: Tensor, other: Tensor, *, left: bool = True) -> NoReturn:  # noqa: A002 - PyTorch's name
    """Raises PyTorch's error for a build without a solver."""
    raise RuntimeError("Calling linear solver with sparse tensors requires compiling PyTorch with CUDA cuDSS and is "
                       "not supported in ROCm build.")  # fmt: skip


def to_sparse_semi_structured(original_tensor: Tensor, *_: Any, **__: Any) -> NoReturn:
    """Raises RuntimeError: two of four elements are the business of accelerators, as in PyTorch."""
    raise RuntimeError(f"Error original_tensor.device= {original_tensor.device} is not supported! Only CUDA tensors "
                       "are currently supported.")  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# torch.spmm and its old relatives


def spmm(input: Tensor, mat2: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
    """`torch.mm`, under the name that programs with sparse matrices use."""
    return _mm(input, mat2)


def hspmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse and a dense matrix as a tensor of one sparse dimension: the rows that have elements."""
    import numpy as np

    from rushlight.ops.creation import wrap
    from rushlight.record.trace import realize

    if not isinstance(mat1, CooTensor):
        raise unsupported("hspmm", mat1.layout)
    rows = np.unique(realize(mat1._indices())[0])
    values = product(mat1, mat2).index_select(0, wrap(rows))
    return coo(wrap(rows.reshape(1, -1)), values, (mat1.shape[0], mat2.shape[1]))


def sspaddmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:  # noqa: A002
    """`beta * input + alpha * (mat1 @ mat2)` as a sparse tensor, all of it but `mat2` sparse."""
    found = mat1.to_dense() @ mat2 if isinstance(mat1, SparseTensor) else mat1 @ mat2
    return input * beta + found.to_sparse() * alpha


def smm(input: Tensor, mat: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
    """The product of a sparse and a dense matrix as a sparse one."""
    return product(input, mat).to_sparse()


__getattr__ = missing(__name__)

