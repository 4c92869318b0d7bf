"""PyTorch's inner path ``torch.utils.data._utils``: programs spell out ``_utils.collate`` and ``_utils.worker``."""

import sys

from rushlight.core.missing import missing
from rushlight.data import collate, worker_info

worker = worker_info

for _name, _module in (("collate", collate), ("worker", worker_info)):
    sys.modules[f"{__name__}.{_name}"] = _module

__getattr__ = missing(__name__, home="torch.utils.data._utils")
