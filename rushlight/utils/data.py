"""torch.utils.data under its own path: the module is `rushlight.data` itself, so that a class is the same and a name
that a program replaces is replaced, whichever path leads to it.
"""

import sys

from rushlight import data
from rushlight.data import *  # noqa: F403 - for type checkers, which do not follow the last line
from rushlight.data import _utils, collate, dataset, loader, sampler, worker_info

# PyTorch's inner paths (`torch.utils.data.dataloader`), each leading to the module where its names are found here.
# Without these entries the import system would load a second copy of a file under the path it was asked for.
_INNER = {
    "_utils": _utils,
    "_utils.collate": collate,
    "_utils.worker": worker_info,
    "dataloader": loader,
    "dataset": dataset,
    "distributed": sampler,
    "sampler": sampler,
}
sys.modules.update({f"{__name__}.{name}": module for name, module in _INNER.items()})
sys.modules[__name__] = data
