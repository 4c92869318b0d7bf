"""torch.quantization: the old name of `torch.ao.quantization`."""

from rushlight.ao.quantization import *  # noqa: F403
from rushlight.ao.quantization import __all__  # noqa: F401
from rushlight.core.missing import missing

_MODULES = "fake_quantize observer qconfig quantize stubs".split()

__getattr__ = missing(__name__, {name: f"rushlight.ao.quantization.{name}" for name in _MODULES})
