"""torch.fx.passes: what is done to whole graphs."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {"shape_prop": "rushlight.fx.passes.shape_prop"})
