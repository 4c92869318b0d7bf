"""torch.utils.dlpack: memory shared with other array libraries through DLPack."""

from rushlight.tensor.exchange import DLDeviceType, from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]
