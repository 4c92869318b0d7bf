"""torch.utils.data under its own path; the code is in `rushlight.data`."""

import sys

from rushlight import data
from rushlight.core.missing import missing
from rushlight.data import *  # noqa: F403
from rushlight.data import __all__ as __all__
from rushlight.data import _utils, dataset, loader, sampler

# `from ....utils.data.dataset import Dataset` and the like: PyTorch's modules, where its names are found in ours.
_PATHS = dict(_utils=_utils, dataset=dataset, sampler=sampler, distributed=sampler, dataloader=data)
sys.modules.update({f"{__name__}.{name}": module for name, module in _PATHS.items()})

dataloader = loader
distributed = sampler

__getattr__ = missing(__name__)
