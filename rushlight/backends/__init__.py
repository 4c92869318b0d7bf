"""torch.backends: what could compute, and switches that programs set in passing.

Each backend is a module of its own, as in PyTorch: it says that it is not there, and remembers what programs set. What
Rushlight computes does not depend on any of these settings, but for `nnpack`, which is about convolutions.
"""

from __future__ import annotations

from rushlight.core.missing import missing

_BACKENDS = "cpu cuda cudnn mkl mkldnn mps nnpack openmp opt_einsum quantized".split()

__getattr__ = missing(__name__, {name: f"rushlight.backends.{name}" for name in _BACKENDS})


def __dir__() -> list[str]:
    return sorted({*globals(), *_BACKENDS})
