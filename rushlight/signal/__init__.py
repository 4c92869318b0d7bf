"""`torch.signal`: windows."""

from rushlight.core.missing import missing

from . import windows

__getattr__ = missing(__name__)
