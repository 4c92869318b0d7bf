"""torch.ao.nn: layers of quantized networks."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {name: f"rushlight.ao.nn.{name}" for name in ("intrinsic", "qat", "quantized")})
