"""torch.backends: what could compute, and switches that programs set in passing."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing


class _Switches:
    """A backend that is not there: it says so, and remembers what programs set."""

    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)

    def is_available(self) -> bool:
        """Whether the backend can be used: no."""
        return False

    def is_built(self) -> bool:
        """Whether the backend was built in: no."""
        return False

    def version(self) -> None:
        """The version of the backend: there is none."""


cudnn = _Switches(enabled=True, benchmark=False, deterministic=False, allow_tf32=True)
mps = _Switches()
cuda = _Switches(matmul=_Switches(allow_tf32=False, allow_fp16_reduced_precision_reduction=True))
mkl = _Switches()
mkldnn = _Switches(enabled=False)
openmp = _Switches()

__getattr__ = missing(__name__)
