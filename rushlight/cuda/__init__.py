"""torch.cuda on a machine without one: it says so, and the calls that programs make in passing are quiet.

What asks for a device or makes something on it raises PyTorch's error for a build without CUDA (`refusals`).
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rushlight.core.device import device as _device_of
from rushlight.core.missing import missing
from rushlight.cuda.refusals import (
    NOT_COMPILED,
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    CUDAGraph,
    DoubleTensor,
    Event,
    ExternalStream,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    OutOfMemoryError,
    ShortTensor,
    Stream,
    StreamContext,
    graph,
    refused,
)

has_half = True
default_generators: tuple[Any, ...] = ()


def is_available() -> bool:
    """Whether a CUDA device can be used: no."""
    return False


def device_count() -> int:
    """How many CUDA devices there are: none."""
    return 0


def is_initialized() -> bool:
    """Whether CUDA was started: no."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the device computes in bfloat16: there is none."""
    return False


is_tf32_supported = is_current_stream_capturing = is_initialized


def init() -> None:
    """Raises PyTorch's error for a build without CUDA."""
    raise AssertionError(NOT_COMPILED)


current_device = get_device_name = get_device_capability = get_device_properties = current_stream = refused
default_stream = mem_get_info = can_device_access_peer = initial_seed = get_rng_state = refused
set_per_process_memory_fraction = get_sync_debug_mode = set_sync_debug_mode = current_blas_handle = refused
utilization = temperature = power_draw = clock_rate = memory_usage = refused


# ---- which device


def _index(device: Any) -> int:
    """The number of a device, -1 for none; AssertionError for one, since there is none."""
    if device is None or isinstance(device, int):
        index = -1 if device is None else device
    else:
        asked = _device_of(device)
        index = -1 if asked.type != "cuda" else asked.index or 0
    if index >= 0:
        raise AssertionError(NOT_COMPILED)
    return index


def set_device(device: Any) -> None:
    """Raises AssertionError for a device; a negative number means none, and is accepted."""
    _index(device)


class device(AbstractContextManager[None]):
    """The device inside a `with` block: None and negative numbers change nothing, others raise AssertionError."""

    def __init__(self, device: Any) -> None:
        self.idx = device

    def __enter__(self) -> None:
        _index(self.idx)

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""


class device_of(device):
    """The device of a tensor, which is never one of CUDA's."""

    def __init__(self, obj: Any) -> None:
        super().__init__(-1)


def stream(stream: Any) -> AbstractContextManager[None]:
    """A `with` block on a stream; None, the only one there can be, changes nothing."""
    return nullcontext()


def set_stream(stream: Any) -> None:
    """Nothing to do: there is no stream but None."""


# ---- what is quiet


def _quiet(*_: Any, **__: Any) -> None:
    """Nothing to do without a device."""


synchronize = manual_seed = manual_seed_all = empty_cache = reset_peak_memory_stats = reset_max_memory_allocated = (
    ipc_collect
) = _quiet
seed = seed_all = reset_max_memory_cached = reset_accumulated_memory_stats = _quiet


def _nothing(*_: Any, **__: Any) -> int:
    """No device, no memory in use."""
    return 0


memory_allocated = max_memory_allocated = memory_reserved = max_memory_reserved = _nothing


def memory_cached(device: Any = None) -> int:
    """0; the old name of `memory_reserved`."""
    warnings.warn(
        "`torch.cuda.memory_cached` has been renamed to `torch.cuda.memory_reserved`", FutureWarning, stacklevel=2
    )
    return 0


def max_memory_cached(device: Any = None) -> int:
    """0; the old name of `max_memory_reserved`."""
    warnings.warn(
        "`torch.cuda.max_memory_cached` has been renamed to `torch.cuda.max_memory_reserved`",
        FutureWarning,
        stacklevel=2,
    )
    return 0


def memory_stats(device: Any = None) -> OrderedDict[str, Any]:
    """Empty: there is no device to count on."""
    return OrderedDict()


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A line that says that there is nothing to sum up."""
    return "No CUDA device, so no CUDA memory in use."


def get_arch_list() -> list[str]:
    """The kinds of GPU that there is code for: none."""
    return []


def get_rng_state_all() -> list[Any]:
    """The states of all devices' generators: none."""
    return []


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Nothing to set: no device has a generator."""


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Nothing to set: no device has a generator."""


_MODULES = {name: f"rushlight.cuda.{name}" for name in ("amp", "nvtx", "sparse")}
__getattr__ = missing(__name__, {**_MODULES, "random": __name__})  # whose functions are these
