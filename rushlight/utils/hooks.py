"""torch.utils.hooks: what registering a hook returns."""

from rushlight.core.missing import missing
from rushlight.nn.hooks import RemovableHandle

__all__ = ["RemovableHandle"]

__getattr__ = missing(__name__)
