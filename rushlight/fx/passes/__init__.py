"""torch.fx.passes: what is done to whole graphs."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {name: f"rushlight.fx.passes.{name}" for name in ("shape_prop", "split_module")})
