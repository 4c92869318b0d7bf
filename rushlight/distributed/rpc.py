"""`torch.distributed.rpc`: calls between processes, of which there is one. Libraries ask whether it is available."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = ["init_rpc", "is_available", "remote", "rpc_async", "rpc_sync", "shutdown"]


def is_available() -> bool:
    """False."""
    return False


def _refuse(*_: Any, **__: Any) -> NoReturn:
    """Raises RuntimeError: there are no processes to call."""
    raise RuntimeError("RPC has not been initialized. Call torch.distributed.rpc.init_rpc first.")


def init_rpc(*_: Any, **__: Any) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError("torch.distributed.rpc is not in Rushlight, which computes in one process")


remote = rpc_async = rpc_sync = shutdown = _refuse

__getattr__ = missing(__name__)
