"""What sparse and quantized tensors can do, asked of dense ones: PyTorch's error, or the tensor itself (`to_dense`).

What makes a sparse tensor of a dense one loads `rushlight.sparse`.
"""

from __future__ import annotations

import warnings
from typing import Any, NoReturn

from rushlight.core import strided
from rushlight.core.layout import memory_format, sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr
from rushlight.core.layout import strided as strided_layout
from rushlight.ops.public import FUNCTIONS, METHODS, as_called, attach
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

from .construct import function
from .properties import method, prop
from .queries import is_nonzero

METHODS["is_nonzero"] = is_nonzero

# What asks for the parts of a sparse tensor, and the layout that it asks for.
_PARTS = {
    "values": "sparse tensor layout",
    "crow_indices": "sparse row compressed tensor layout",
    "col_indices": "sparse row compressed tensor layout",
    "ccol_indices": "sparse column compressed tensor layout",
    "row_indices": "sparse column compressed tensor layout",
    "indices": "sparse coordinate tensor layout",
    "coalesce": "sparse coordinate tensor layout",
    "is_coalesced": "sparse coordinate tensor layout",
}

def _refuse_part(name: str, layout: str) -> Any:
    def refuse(self: Tensor) -> NoReturn:
        raise RuntimeError(f"{name} expected {layout} but got Strided")

    refuse.__name__ = name
    refuse.__doc__ = "Raises RuntimeError: the tensor is dense."
    return refuse


METHODS.update({name: _refuse_part(name, layout) for name, layout in _PARTS.items()})

@method
def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None,
              dense_dim: int | None = None) -> Tensor:  # fmt: skip
    """The elements that are not zero, in a sparse layout (sparse_coo).

    >>> torch.tensor([[0, 2], [0, 0]]).to_sparse()
    tensor(indices=tensor([[0],
                           [1]]),
           values=tensor([2]),
           size=(2, 2), nnz=1, layout=torch.sparse_coo)
    """
    from rushlight.sparse import construct

    if layout is strided_layout:
        return self
    return construct.to_sparse(self, sparse_dim, layout, blocksize)


def _to_layout(kind: Any) -> None:
    def convert(self: Tensor, blocksize: Any = None, dense_dim: int | None = None) -> Tensor:
        return self.to_sparse(layout=kind, blocksize=blocksize)  # type: ignore[no-any-return]

    convert.__name__ = f"to_{kind.name}"
    convert.__doc__ = f"The elements that are not zero, in layout torch.{kind.name}."
    method(convert)


for _kind in (sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc):
    _to_layout(_kind)


@method
def sparse_mask(self: Tensor, mask: Tensor) -> Tensor:
    """The elements at the positions of `mask`, a tensor of layout sparse_coo."""
    from rushlight.sparse.arithmetic import masked

    return masked(self, mask)


@method
def smm(self: Tensor, mat: Tensor) -> Tensor:
    """The product of a sparse and a dense matrix as a sparse one."""
    from rushlight.sparse import smm

    return smm(self, mat)


def _for_sparse_only(name: str) -> None:
    def refuse(self: Tensor, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"Could not run 'aten::{name}' with arguments from the 'CPU' backend.")

    refuse.__name__ = name
    refuse.__doc__ = "Raises NotImplementedError: the tensor is dense."
    method(refuse)


for _name in ("_nnz", "_indices", "_values", "_dimI", "_dimV", "sparse_resize_", "sparse_resize_and_clear_",
              "resize_as_sparse_", "_coalesced_"):  # fmt: skip
    _for_sparse_only(_name)


@method
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """The tensor itself, in another dtype where one is given."""
    return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined, no-any-return]


@method
def dequantize(self: Tensor) -> Tensor:
    """The numbers as float32."""
    return self.float()  # type: ignore[attr-defined, no-any-return]


@method
def to_padded_tensor(self: Tensor, padding: float, output_size: Any = None) -> NoReturn:
    """Raises PyTorch's error: only nested tensors (`torch.nested`) have components to be padded."""
    raise NotImplementedError(
        "Could not run 'aten::to_padded_tensor' with arguments from the 'CPU' backend: the tensor is not nested"
    )


def _for_quantized_only(name: str) -> None:
    def refuse(self: Tensor) -> NoReturn:
        raise NotImplementedError(
            f"Could not run 'aten::{name}' with arguments from the 'CPU' backend: the tensor is not quantized"
        )

    refuse.__name__ = name
    refuse.__doc__ = "Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."
    method(refuse)


for _name in ("int_repr", "q_scale", "q_zero_point", "q_per_channel_scales", "q_per_channel_zero_points",
              "q_per_channel_axis", "qscheme"):  # fmt: skip
    _for_quantized_only(_name)


@method
def sparse_dim(self: Tensor) -> int:
    """0: no dimension is sparse."""
    return 0


@method
def dense_dim(self: Tensor) -> int:
    """The number of dimensions."""
    return settle(self).spec.ndim


@method
def is_distributed(self: Tensor) -> bool:
    """False."""
    return False


FUNCTIONS.update({name: as_called(METHODS[name], name, {"input": "self"}) for name in ("dequantize", "is_distributed")})


@prop
def volatile(self: Tensor) -> bool:
    """False; PyTorch removed it in 0.4."""
    warnings.warn("volatile was removed (Variable.volatile is always False)", UserWarning, stacklevel=2)
    return False


@method
def xpu(self: Tensor, *_: Any, **__: Any) -> NoReturn:
    """Raises PyTorch's error for a build without XPU."""
    raise AssertionError("Torch not compiled with XPU enabled")


@method
def mtia(self: Tensor, *_: Any, **__: Any) -> NoReturn:
    """Raises PyTorch's error for a build without MTIA."""
    raise AssertionError("Torch not compiled with MTIA enabled")


@method
def ipu(self: Tensor, *_: Any, **__: Any) -> NoReturn:
    """Raises PyTorch's error for a build without IPU."""
    raise RuntimeError("PyTorch is not linked with support for ipu devices")


@method
def record_stream(self: Tensor, s: Any) -> NoReturn:
    """Raises PyTorch's error: the CPU has no streams that memory must wait for."""
    raise NotImplementedError("Could not run 'aten::record_stream' with arguments from the 'CPU' backend.")


_AMBIGUOUS = "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."


@method
def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions in the order in which they lie in memory, outermost first.

    With `ambiguity_check` True, RuntimeError where there are several orders; with a list of memory formats, unless the
    tensor has exactly one of them.

    >>> torch.empty(2, 3, 5).transpose(1, 2).dim_order()
    (0, 2, 1)
    """
    formats = ambiguity_check if isinstance(ambiguity_check, list) else []
    if not isinstance(ambiguity_check, (bool, list)) or not all(isinstance(f, memory_format) for f in formats):
        raise TypeError("The ambiguity_check argument must be a bool or a list of memory formats.")
    shape, strides = self.size(), self.stride()
    several = 1 in shape or any(a == b for a, b in zip(strides, strides[1:]))
    if ambiguity_check and several and sum(self.is_contiguous(memory_format=f) for f in formats) != 1:
        raise RuntimeError(_AMBIGUOUS)
    return strided.dim_order(shape, strides)


@function
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are the same."""
    return settle(input).spec.shape == settle(other).spec.shape


@function
def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return settle(input).spec.dtype.is_signed


@function
def is_neg(input: Tensor) -> bool:
    """False: negation is computed, never only noted."""
    return False


@function
def get_device(input: Tensor) -> int:
    """-1: the tensor is on the CPU."""
    return -1


@function
def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()  # type: ignore[attr-defined, no-any-return]


@function
def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return _warn_always[0]


@function
def set_warn_always(b: bool) -> None:
    """Remembered: Python's filters decide which warnings are shown again."""
    _warn_always[0] = bool(b)


_warn_always = [False]


@function
def set_flush_denormal(mode: bool) -> bool:
    """False: NumPy computes with denormal numbers, and that cannot be switched off."""
    return not mode


@function
def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """False: everything is deterministic, there is nothing to warn of."""
    return False


@function
def get_deterministic_debug_mode() -> int:
    """0: there is nothing to warn of."""
    return 0


@function
def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Accepted: everything is deterministic."""
    if debug_mode not in (0, 1, 2, "default", "warn", "error"):
        raise RuntimeError(
            f"invalid value for debug_mode, expected integer in {{0,1,2}} or one of "
            f"{{'default','warn','error'}}, got {debug_mode!r}"
        )


@function
def _check(cond: bool, message: Any = None) -> None:
    """Raises RuntimeError with what `message()` says, unless `cond`."""
    if cond:
        return
    text = "Expected cond to be True, but got False. Give a function as the second argument that says what is wrong."
    raise RuntimeError(text if message is None else str(message()))


@function
def empty_strided(size: Any, stride: Any, **options: Any) -> Tensor:
    """An uninitialised tensor with these strides.

    Raises RuntimeError where size and stride differ in length.
    """
    shape, strides = tuple(size), tuple(stride)
    if len(shape) != len(strides):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})"
        )
    needs_grad = options.pop("requires_grad", False)
    extent = 1 + sum((n - 1) * step for n, step in zip(shape, strides)) if 0 not in shape else 0
    made = FUNCTIONS["empty"](extent, **options)
    made = made.as_strided(shape, strides)
    return made.requires_grad_() if needs_grad else made  # type: ignore[no-any-return]


@function
def frobenius_norm(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The square root of the sum of squares; `torch.linalg.vector_norm`."""
    import rushlight

    return rushlight.linalg.vector_norm(input, 2.0, dim or None, keepdim)  # type: ignore[no-any-return]


@function
def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of singular values; `torch.linalg.matrix_norm(input, "nuc")`."""
    import rushlight

    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return rushlight.linalg.matrix_norm(input, "nuc", dim, keepdim)  # type: ignore[no-any-return]


attach("is_maia", False)
attach("is_mtia", False)
