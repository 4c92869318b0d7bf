"""PyTorch's inner paths: `torch.nn.modules.conv` and its like lead to the files of `rushlight.nn`.

Programs import from them what `torch.nn` does not show (`from torch.nn.modules.batchnorm import _BatchNorm`).
"""

import sys

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.nn import *  # noqa: F403
from rushlight.nn import __all__ as __all__
from rushlight.nn import (
    activation,
    adaptive,
    attention,
    container,
    convolution,
    distance,
    dropout,
    flatten,
    lazy,
    linear,
    loss,
    module,
    normalization,
    padding,
    pooling,
    recurrent,
    sizes,
    sparse,
    transformer,
    upsampling,
)

activation.MultiheadAttention = attention.MultiheadAttention  # type: ignore[attr-defined]

_PATHS = {
    "activation": activation,
    "adaptive": adaptive,
    "batchnorm": normalization,
    "channelshuffle": upsampling,
    "container": container,
    "conv": convolution,
    "distance": distance,
    "dropout": dropout,
    "flatten": flatten,
    "fold": upsampling,
    "instancenorm": normalization,
    "lazy": lazy,
    "linear": linear,
    "loss": loss,
    "module": module,
    "normalization": normalization,
    "padding": padding,
    "pixelshuffle": upsampling,
    "pooling": pooling,
    "rnn": recurrent,
    "sparse": sparse,
    "transformer": transformer,
    "upsampling": upsampling,
    "utils": sizes,
}
for _name, _module in _PATHS.items():
    sys.modules[f"{__name__}.{_name}"] = globals()[_name] = _module

Module = nn.Module
__getattr__ = missing(__name__)
