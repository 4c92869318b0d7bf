"""torch.utils: the packages that PyTorch keeps under this name, each loaded when it is first asked for."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {"data": "rushlight.utils.data", "dlpack": "rushlight.utils.dlpack"})
