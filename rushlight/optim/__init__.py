"""Optimizers, learning rate schedules and averaged models, under PyTorch's names.

A step gathers all parameters that have a gradient and runs one recorded rule over them (`update.py`); the formulas
are in the file named after the optimizer. `lr_scheduler` changes the options from step to step, `swa_utils` averages
parameters.
"""

from rushlight.core.missing import missing
from rushlight.optim import lr_scheduler
from rushlight.optim.adadelta import Adadelta
from rushlight.optim.adafactor import Adafactor
from rushlight.optim.adagrad import Adagrad
from rushlight.optim.adam import Adam
from rushlight.optim.adamax import Adamax
from rushlight.optim.adamw import AdamW
from rushlight.optim.asgd import ASGD
from rushlight.optim.lbfgs import LBFGS
from rushlight.optim.muon import Muon
from rushlight.optim.nadam import NAdam
from rushlight.optim.optimizer import Optimizer
from rushlight.optim.radam import RAdam
from rushlight.optim.rmsprop import RMSprop
from rushlight.optim.rprop import Rprop
from rushlight.optim.sgd import SGD
from rushlight.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]

# Loaded when first asked for: `swa_utils` needs `rushlight.nn`, the optimizers do not.
_SWAP = "swap_in_optimizer_params_and_state"
__getattr__ = missing(
    __name__, {"swa_utils": "rushlight.optim.swa_utils", _SWAP: f"rushlight.optim.stateless:{_SWAP}"}
)
