"""torch.utils.data under its own path; the code is in `rushlight.data`."""

import sys

from rushlight import data
from rushlight.core.missing import missing
from rushlight.data import *  # noqa: F403
from rushlight.data import __all__ as __all__
from rushlight.data import dataset, loader, sampler

# `from ....utils.data.dataset import Dataset` and the like: PyTorch's modules, where its names are found in ours.
for name, module in dict(dataset=dataset, sampler=sampler, distributed=sampler, dataloader=data).items():
    sys.modules[f"{__name__}.{name}"] = module

dataloader = loader
distributed = sampler

__getattr__ = missing(__name__)
