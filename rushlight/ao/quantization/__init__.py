"""torch.ao.quantization: networks whose weights, or all of whose numbers, are whole ones of 8 bits.

    observer  histogram_observer what chooses scales by what it has seen
    fake_quantize               what rounds while a network is trained
    qconfig  stubs              which of them where
    fuse_modules                layers that are quantized as one
    quantize                    quantize_dynamic, prepare, prepare_qat, convert

Eager mode only. Quantized tensors themselves are in `rushlight/quantized.py`, the layers in `rushlight/ao/nn`.
"""

from rushlight.ao.quantization.fake_quantize import *  # noqa: F403
from rushlight.ao.quantization.fake_quantize import __all__ as _fakes
from rushlight.ao.quantization.fuse_modules import *  # noqa: F403
from rushlight.ao.quantization.fuse_modules import __all__ as _fusers
from rushlight.ao.quantization.histogram_observer import *  # noqa: F403
from rushlight.ao.quantization.histogram_observer import __all__ as _histograms
from rushlight.ao.quantization.observer import *  # noqa: F403
from rushlight.ao.quantization.observer import __all__ as _observers
from rushlight.ao.quantization.qconfig import *  # noqa: F403
from rushlight.ao.quantization.qconfig import __all__ as _qconfigs
from rushlight.ao.quantization.quantize import *  # noqa: F403
from rushlight.ao.quantization.quantize import __all__ as _steps
from rushlight.ao.quantization.stubs import *  # noqa: F403
from rushlight.ao.quantization.stubs import __all__ as _stubs
from rushlight.core.missing import missing

__all__ = sorted(_fakes + _fusers + _histograms + _observers + _qconfigs + _steps + _stubs)  # noqa: PLE0605 - a list all the same

__getattr__ = missing(__name__)
