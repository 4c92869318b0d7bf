"""torch.distributed.tensor: tensors that lie on several processes. Here is one process, so there are none.

Placements can be written down and `isinstance` asked; what would distribute a tensor raises PyTorch's error without a
process group, gives the tensor back in a group of one, and raises NotImplementedError for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from rushlight.core.missing import missing
from rushlight.nn.parallel.distributed import check_alone
from rushlight.tensor import Tensor

__all__ = ["DTensor", "Partial", "Placement", "Replicate", "Shard", "distribute_module", "distribute_tensor"]


class Placement:
    """How a tensor lies on the processes along one dimension of a mesh."""

    def is_shard(self, dim: int | None = None) -> bool:
        """Whether it is divided (along `dim`)."""
        return isinstance(self, Shard) and (dim is None or self.dim == dim)

    def is_replicate(self) -> bool:
        """Whether each process has all of it."""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op: str | None = None) -> bool:
        """Whether the processes have terms of a sum."""
        return isinstance(self, Partial) and (reduce_op is None or self.reduce_op == reduce_op)


@dataclass(frozen=True)
class Shard(Placement):
    """Divided along a dimension."""

    dim: int


@dataclass(frozen=True)
class Replicate(Placement):
    """All of it everywhere."""

    def __repr__(self) -> str:
        return "Replicate()"


@dataclass(frozen=True)
class Partial(Placement):
    """Terms that are still to be reduced."""

    reduce_op: str = "sum"


class DTensor(Tensor):
    """For `isinstance`: nothing is one."""

    absent_from_rushlight = True

    def __init__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("torch.distributed.tensor.DTensor: Rushlight computes in one process")

    from_local = __init__


def distribute_tensor(tensor: Tensor, device_mesh: Any = None, placements: Any = None, **_: Any) -> Tensor:
    """The tensor itself, in a group of one process."""
    check_alone("torch.distributed.tensor.distribute_tensor")
    return tensor


def distribute_module(module: Any, device_mesh: Any = None, *_: Any, **__: Any) -> Any:
    """The module itself, in a group of one process."""
    check_alone("torch.distributed.tensor.distribute_module")
    return module


__getattr__ = missing(__name__, {"parallel": f"{__name__}.parallel", "placement_types": __name__})
