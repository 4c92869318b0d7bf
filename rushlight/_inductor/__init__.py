"""torch._inductor: the generator of kernels behind PyTorch's `torch.compile`. Programs set its options in passing
(`config.py`); Rushlight's own compiler has none of them.
"""

from rushlight.core.missing import missing

__getattr__ = missing(__name__, {"config": f"{__name__}.config"})
