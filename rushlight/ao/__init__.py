"""torch.ao: quantized networks."""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {name: f"rushlight.ao.{name}" for name in ("nn", "quantization")})
