"""torch.backends.cuda: not there. Which kernel attention takes on a GPU can be chosen, and changes nothing here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rushlight.backends.switches import Switches
from rushlight.core.missing import missing

matmul = Switches(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)

_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether there is code for CUDA: no."""
    return False


def _asker(kernel: str) -> Callable[[], bool]:
    def enabled() -> bool:
        """What was chosen."""
        return _sdp[kernel]

    return enabled


def _chooser(kernel: str) -> Callable[[bool], None]:
    def enable(enabled: bool) -> None:
        """Remembered: there is one kernel for attention, whatever is chosen."""
        _sdp[kernel] = bool(enabled)

    return enable


flash_sdp_enabled, enable_flash_sdp = _asker("flash"), _chooser("flash")
mem_efficient_sdp_enabled, enable_mem_efficient_sdp = _asker("mem_efficient"), _chooser("mem_efficient")
math_sdp_enabled, enable_math_sdp = _asker("math"), _chooser("math")
cudnn_sdp_enabled, enable_cudnn_sdp = _asker("cudnn"), _chooser("cudnn")


@contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[dict[str, bool]]:
    """The choice inside a `with` block; deprecated in PyTorch for `torch.nn.attention.sdpa_kernel`."""
    import warnings

    warnings.warn(
        "`torch.backends.cuda.sdp_kernel()` is deprecated. In the future, this context manager will be removed. Please "
        "see `torch.nn.attention.sdpa_kernel()` for the new context manager, with updated signature.",
        FutureWarning,
        stacklevel=3,
    )
    before = dict(_sdp)
    _sdp.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield {}
    finally:
        _sdp.update(before)


def preferred_linalg_library(backend: Any = None) -> str:
    """Accepted: there is one library."""
    return "default"


preferred_blas_library = preferred_linalg_library

__getattr__ = missing(__name__)
