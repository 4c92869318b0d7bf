"""Tensors are dense here. What PyTorch's sparse and quantized tensors can do answers as it does for dense ones: with
PyTorch's error, or with the tensor itself (`to_dense`). Making a sparse tensor raises NotImplementedError.
"""

from __future__ import annotations

import warnings
from typing import Any, NoReturn

from rushlight.core import strided
from rushlight.core.layout import memory_format
from rushlight.ops.public import FUNCTIONS, METHODS, attach
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

_SPARSE = """
    sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor
""".split()
_TO_SPARSE = "to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc".split()


def _refuse_part(name: str, layout: str) -> Any:
    def refuse(self: Tensor) -> NoReturn:
        raise RuntimeError(f"{name} expected {layout} but got Strided")

    refuse.__name__ = name
    refuse.__doc__ = "Raises RuntimeError: the tensor is dense."
    return refuse


def _absent(path: str) -> Any:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"{path}: Rushlight has no sparse tensors; dense ones compute the same")

    refuse.__name__ = path.rpartition(".")[2]
    refuse.__doc__ = "Raises NotImplementedError: there are no sparse tensors."
    refuse.__dict__["absent_from_rushlight"] = True
    return refuse


METHODS.update({name: _refuse_part(name, layout) for name, layout in _PARTS.items()})
METHODS.update({name: _absent(f"torch.Tensor.{name}") for name in _TO_SPARSE})
FUNCTIONS.update({name: _absent(f"torch.{name}") for name in _SPARSE})


@method
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """The tensor itself, in another dtype where one is given."""
    return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined, no-any-return]


@method
def dequantize(self: Tensor) -> Tensor:
    """The numbers as float32."""
    return self.float()  # type: ignore[attr-defined, no-any-return]


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


FUNCTIONS.update({name: METHODS[name] for name in ("dequantize", "is_distributed")})


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
