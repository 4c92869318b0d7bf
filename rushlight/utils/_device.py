"""torch.utils._device: the default device as a mode."""

from __future__ import annotations

from typing import Any

from rushlight.core.device import parse
from rushlight.core.missing import missing
from rushlight.overrides import TorchFunctionMode

__all__ = ["DeviceContext"]


class DeviceContext(TorchFunctionMode):
    """Inside a `with` block, tensors that are made without `device=` are made on `device`.

    >>> with DeviceContext("meta"):
    ...     torch.ones(2).device
    device(type='meta')
    """

    def __init__(self, device: Any) -> None:
        self.device = parse(device)

    def __enter__(self) -> DeviceContext:
        self.device.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.device.__exit__(*exception)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the function gives; factories ask for the default device themselves."""
        return func(*args, **(kwargs or {}))


__getattr__ = missing(__name__)
