"""Functions that ask about tensors, and settings that programs touch in passing."""

from __future__ import annotations

import os
from typing import Any

from rushlight.codegen.background import BACKGROUND
from rushlight.codegen.team import get_threads, set_threads
from rushlight.core import blas
from rushlight.core.dtype import result_type_of
from rushlight.record.spec import NUMBERS
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

from .construct import function


@function
def _assert(condition: Any, message: str) -> None:
    """`assert condition, message`."""
    assert condition, message


@function
def _assert_async(input: Tensor, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """Raises RuntimeError if the only element is zero; it is looked at now."""
    if not input:
        raise RuntimeError(assert_msg)


@function
def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


@function
def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage."""
    from .storage import UntypedStorage

    return isinstance(obj, UntypedStorage)


@function
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point one."""
    return settle(input).spec.dtype.is_floating_point


@function
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return settle(input).spec.dtype.is_complex


@function
def is_conj(input: Tensor) -> bool:
    """False: conjugation is computed, never only noted."""
    return False


@function
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero."""
    if input.numel() != 1:
        raise RuntimeError(
            f"Boolean value of Tensor with {'no values' if not input.numel() else 'more than one value'} is ambiguous"
        )
    return bool(input)


@function
def numel(input: Tensor) -> int:
    """The number of elements."""
    return settle(input).spec.numel


@function
def result_type(*operands: Any, **named: Any) -> Any:
    """The dtype that arithmetic between two operands would have: `(tensor, other)`, or numbers in their places
    (`scalar` and `tensor`, `scalar1` and `scalar2`)."""
    both = (*operands, *named.values())
    if len(both) != 2 or not {*named} <= {"tensor", "other", "scalar", "scalar1", "scalar2"}:
        raise TypeError("result_type() received an invalid combination of arguments: it takes (tensor, other), "
                        "(scalar, tensor) or (scalar1, scalar2)")  # fmt: skip
    for t in both:
        if not isinstance(t, Tensor) and type(t) not in NUMBERS:
            raise TypeError(
                "result_type() received an invalid combination of arguments - got "
                f"({', '.join(type(t).__name__ for t in both)}): it takes tensors and numbers"
            )
    specs = [settle(t).spec if isinstance(t, Tensor) else NUMBERS[type(t)] for t in both]
    return result_type_of([(s.dtype, s.ndim, s.wrapped) for s in specs])


@function
def typename(obj: Any) -> str:
    """The name of the type of an object, `torch.FloatTensor` for a tensor."""
    if isinstance(obj, Tensor):
        return obj.type()
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


_threads = {"inter": os.cpu_count() or 1}


@function
def get_num_threads() -> int:
    """How many threads compute."""
    return get_threads()


@function
def init_num_threads() -> None:
    """The threads are made when they are needed."""


@function
def set_num_threads(int: int) -> None:  # noqa: A002 - PyTorch's name
    """Sets how many threads compute."""
    if int <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    set_threads(int)
    blas.allow(int)


@function
def get_num_interop_threads() -> int:
    """How many operations may run side by side."""
    return _threads["inter"]


@function
def set_num_interop_threads(int: int) -> None:  # noqa: A002 - PyTorch's name
    """Sets how many operations may run side by side."""
    _threads["inter"] = int


_settings: dict[str, Any] = {"deterministic": False, "matmul": "highest", "warn_only": False}


@function
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Operations always are deterministic; True makes reproducible, too, when a loop becomes machine code."""
    if not isinstance(mode, bool):
        raise TypeError(
            f"_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}"
        )
    BACKGROUND.await_all(mode)
    _settings["deterministic"] = mode
    _settings["warn_only"] = warn_only


@function
def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was told."""
    return bool(_settings["deterministic"])


@function
def set_float32_matmul_precision(precision: str) -> None:
    """Accepted ("highest", "high", "medium"): products are always computed in full precision."""
    if precision not in ("highest", "high", "medium"):
        raise ValueError(f"float32 matmul precision must be highest, high or medium, got {precision!r}")
    _settings["matmul"] = precision


@function
def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told."""
    return str(_settings["matmul"])


@function
def set_default_tensor_type(t: Any) -> None:
    """Sets the default dtype by the name of a tensor type (`torch.DoubleTensor`)."""
    from rushlight.core.dtype import set_default_dtype

    from .conversion import _named_type

    if isinstance(t, str) and t.startswith("torch.cuda."):
        raise TypeError(f"type {t} not available. Torch not compiled with CUDA enabled.")
    set_default_dtype(_named_type(t) if isinstance(t, str) else t.dtype)
