"""torch.distributed.algorithms: of it, the wrapper that recomputes a module in the backward pass."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {"_checkpoint": f"{__name__}._checkpoint"})
