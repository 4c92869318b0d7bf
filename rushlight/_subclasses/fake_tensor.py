"""torch._subclasses.fake_tensor: whether a tensor has no numbers."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["FakeTensor", "is_fake"]


class FakeTensor(Tensor):
    """For `isinstance`: nothing is one."""

    def __init__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("FakeTensor: tensors without numbers are those of device='meta'")


def is_fake(x: Any) -> bool:
    """False."""
    return False


__getattr__ = missing(__name__)
