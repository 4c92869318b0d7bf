"""torch.autograd.variable: where `Variable` was before tensors had gradients themselves."""

from __future__ import annotations

from rushlight.autograd import Variable
from rushlight.core.missing import missing

__all__ = ["Variable"]

__getattr__ = missing(__name__)
