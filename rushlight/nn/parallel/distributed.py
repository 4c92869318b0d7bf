"""`DistributedDataParallel`: in a group of one process it passes through; without a group it raises PyTorch's error.

Gradients of several processes are not averaged here, so a larger group is refused rather than trained wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rushlight.core.missing import missing
from rushlight.nn.module import Module

__all__ = ["DistributedDataParallel"]


def check_alone(what: str, group: Any = None, instead: str = "") -> None:
    """Raises PyTorch's ValueError without a process group, NotImplementedError where it has several members."""
    from rushlight import distributed

    if not distributed.is_initialized():
        raise ValueError(
            "Default process group has not been initialized, please make sure to call init_process_group. Rushlight "
            f"trains in one process: leave {what.rpartition('.')[2]} out{instead}."
        )
    if (size := distributed.get_world_size(group)) > 1:
        raise NotImplementedError(f"{what} over {size} processes: Rushlight trains in one process")


def _check_group(module: Module, group: Any) -> None:
    check_alone("torch.nn.parallel.DistributedDataParallel", group, ", or use torch.nn.DataParallel")
    if not any(p.requires_grad for p in module.parameters()):
        raise RuntimeError(
            "DistributedDataParallel is not needed when a module doesn't have any parameters that require a gradient."
        )


class DistributedDataParallel(Module):
    """Calls the module it was given, where the process group has one member. Parameters are named `module.*`.

    Raises:
        ValueError: there is no process group.
        RuntimeError: no parameter requires grad.
        NotImplementedError: the group has several members.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0,
        broadcast_buffers: bool = True, init_sync: bool = True, process_group: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        _check_group(module, process_group)
        super().__init__()
        self.module = module
        self.device_ids, self.output_device, self.dim = device_ids, output_device, dim
        self.broadcast_buffers, self.process_group = broadcast_buffers, process_group
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Nothing is synchronised in a group of one; the flag says what PyTorch's would."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before


__getattr__ = missing(__name__)
