"""What cannot be made without CUDA: each says so with PyTorch's error when it is called, and not before.

A program may name `torch.cuda.Stream` in an annotation, or ask `isinstance(x, torch.cuda.FloatTensor)`.
"""

from __future__ import annotations

from typing import Any, NoReturn

NOT_COMPILED = "Torch not compiled with CUDA enabled"


def refused(*_: Any, **__: Any) -> NoReturn:
    """Raises PyTorch's error for a build without CUDA."""
    raise AssertionError(NOT_COMPILED)


class AcceleratorError(RuntimeError):
    """Raised when a device fails: never here, but programs catch it."""

    __module__ = "torch"


class OutOfMemoryError(RuntimeError):
    """Raised when a device's memory is used up: never here, but programs catch it."""

    __module__ = "torch"


class Stream:
    """A queue of work on a device: none can be made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("torch.cuda.Stream requires CUDA support")


class ExternalStream(Stream):
    """A stream made elsewhere: none can be made."""


class StreamContext:
    """What `torch.cuda.stream` gives: none can be made."""

    def __init__(self, stream: Any) -> None:
        raise RuntimeError("torch.cuda.Stream requires CUDA support")


class Event:
    """A mark in a stream, for timing: none can be made. `time.perf_counter` times work on the CPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("Tried to instantiate dummy base class Event")


class CUDAGraph:
    """Work captured on a device: none can be made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("Tried to instantiate dummy base class CUDAGraph")


class graph:
    """What captures work into a CUDAGraph: none can be made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("torch.cuda.graph requires CUDA support")


class TensorType(type):
    """The old type of a tensor on a device: of none, so `isinstance` is False and none can be made."""

    space = "torch.cuda"

    def __instancecheck__(cls, obj: object) -> bool:
        return False

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"type {cls.space}.{cls.__name__} not available. {NOT_COMPILED}.")

    def __repr__(cls) -> str:
        return f"<class '{cls.space}.{cls.__name__}'>"


class FloatTensor(metaclass=TensorType):
    """float32 on a device."""


class DoubleTensor(metaclass=TensorType):
    """float64 on a device."""


class HalfTensor(metaclass=TensorType):
    """float16 on a device."""


class BFloat16Tensor(metaclass=TensorType):
    """bfloat16 on a device."""


class ByteTensor(metaclass=TensorType):
    """uint8 on a device."""


class CharTensor(metaclass=TensorType):
    """int8 on a device."""


class ShortTensor(metaclass=TensorType):
    """int16 on a device."""


class IntTensor(metaclass=TensorType):
    """int32 on a device."""


class LongTensor(metaclass=TensorType):
    """int64 on a device."""


class BoolTensor(metaclass=TensorType):
    """bool on a device."""
