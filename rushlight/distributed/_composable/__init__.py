"""torch.distributed._composable: the old place of `fully_shard`."""

from rushlight.core.missing import missing

__getattr__ = missing(
    __name__, {"fsdp": f"{__name__}.fsdp", "fully_shard": "rushlight.distributed.fsdp:fully_shard"}
)
