"""`torch.distributed` without a process group: Rushlight computes in one process.

`is_available()` is False, as in a PyTorch built without distributed training, so programs that ask run on alone. What
needs no group answers as PyTorch does before `init_process_group`; what needs one raises PyTorch's error for a group
that was never initialized; what would make one says that it is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = [
    "Backend", "GroupMember", "ReduceOp", "default_pg_timeout", "get_backend",
    "get_process_group_ranks", "get_rank", "get_world_size", "group", "is_available", "is_backend_available",
    "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available", "is_torchelastic_launched",
    "is_ucc_available", "is_xccl_available", "new_group",
]  # fmt: skip

_NO_GROUP = "Default process group has not been initialized, please make sure to call init_process_group."

default_pg_timeout = timedelta(minutes=30)


def is_available() -> bool:
    """False: processes cannot be joined into a group."""
    return False


def is_initialized() -> bool:
    """False: there is never a default group."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether `torchrun` started this process."""
    import os

    return os.getenv("TORCHELASTIC_RUN_ID") is not None


def is_backend_available(backend: str) -> bool:
    """False for every backend."""
    return False


def _no_backend() -> bool:
    """False."""
    return False


is_nccl_available = is_gloo_available = is_mpi_available = is_ucc_available = is_xccl_available = _no_backend


def get_rank(group: Any = None) -> int:
    """Raises ValueError: there is no group, so no rank in it. Ask `is_initialized()` first."""
    raise ValueError(_NO_GROUP)


def get_world_size(group: Any = None) -> int:
    """Raises ValueError: there is no group, so no size of it. Ask `is_initialized()` first."""
    raise ValueError(_NO_GROUP)


def get_backend(group: Any = None) -> str:
    """Raises ValueError: there is no group."""
    raise ValueError(_NO_GROUP)


def get_process_group_ranks(group: Any = None) -> list[int]:
    """Raises ValueError: there is no group."""
    raise ValueError(_NO_GROUP)


def new_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Raises ValueError: there is no group to take processes from."""
    raise ValueError(_NO_GROUP)


class ReduceOp(Enum):
    """How values of several processes are combined."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR, PREMUL_SUM = range(9)

    def __str__(self) -> str:
        return f"<RedOpType.{self.name}: {self.value}>"


class Backend(str):
    """The name of a backend, in small letters."""

    UNDEFINED, GLOO, NCCL, UCC, MPI, XCCL = "undefined", "gloo", "nccl", "ucc", "mpi", "xccl"

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, but got: {name!r}")
        return super().__new__(cls, name.lower())


class GroupMember:
    """The default group, which is none."""

    WORLD = None
    NON_GROUP_MEMBER = -100


class group:
    """The default group, which is none."""

    WORLD = None


def _explained(name: str) -> str:
    return (
        f"torch.distributed.{name} is not in Rushlight, which computes in one process "
        "(torch.distributed.is_available() is False). Run the program as a single process, without torchrun."
    )


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(_explained(name))

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Raises NotImplementedError: `torch.distributed.{name}` joins processes, and here is only one."
    refuse.__dict__["absent_from_rushlight"] = True
    return refuse


def _refusing_class(name: str) -> type:
    """A class for annotations and isinstance, of which nothing can be made."""
    members = {"__init__": _refusing(name), "__module__": __name__, "absent_from_rushlight": True}
    return type(name, (), members)


_FUNCTIONS = """
    init_process_group destroy_process_group barrier monitored_barrier broadcast broadcast_object_list all_reduce
    all_reduce_coalesced reduce all_gather all_gather_object all_gather_into_tensor all_gather_coalesced gather
    gather_object scatter scatter_object_list reduce_scatter reduce_scatter_tensor all_to_all all_to_all_single send
    recv isend irecv send_object_list recv_object_list batch_isend_irecv new_subgroups init_device_mesh
    get_global_rank get_group_rank split_group supports_complex
""".split()
_CLASSES = "DeviceMesh FileStore HashStore P2POp PrefixStore ProcessGroup Store TCPStore Work".split()
globals().update({name: _refusing(name) for name in _FUNCTIONS} | {name: _refusing_class(name) for name in _CLASSES})
__all__ += sorted((*_FUNCTIONS, *_CLASSES))  # noqa: PLE0605 - a list all the same

from . import nn as nn  # noqa: E402 - its collectives ask for the group

_PACKAGES = "_composable algorithms checkpoint fsdp optim rpc tensor".split()

__getattr__ = missing(
    __name__,
    {name: f"{__name__}.{name}" for name in _PACKAGES} | {"device_mesh": __name__, "_tensor": f"{__name__}.tensor"},
)
