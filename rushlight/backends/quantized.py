"""torch.backends.quantized: whose products of whole numbers to use. They are Rushlight's own whatever `engine` says."""

from __future__ import annotations

from rushlight.core.missing import missing

engine = "x86"
supported_engines = ["qnnpack", "none", "onednn", "x86", "fbgemm"]

__getattr__ = missing(__name__)
