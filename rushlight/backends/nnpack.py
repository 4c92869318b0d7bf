"""torch.backends.nnpack: in PyTorch the library of fast convolutions; here the switch of the compiler's own.

`flags(enabled=False)` keeps convolutions that are called inside from saving multiplications (`ops/winograd.py`): they
then add the same products that PyTorch adds, and take up to three times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rushlight.core.missing import missing
from rushlight.ops import winograd


def is_available() -> bool:
    """Whether convolutions can be computed with fewer multiplications: yes, once compiled."""
    return True


def set_flags(_enabled: bool) -> tuple[bool]:
    """Whether convolutions called from now on may; returns what held before."""
    before = winograd.Setting.enabled
    winograd.Setting.enabled = bool(_enabled)
    return (before,)


@contextmanager
def flags(enabled: bool = False) -> Iterator[None]:
    """The setting inside a `with` block.

    >>> with torch.backends.nnpack.flags(enabled=False):
    ...     y = torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    """
    (before,) = set_flags(enabled)
    try:
        yield
    finally:
        set_flags(before)


__getattr__ = missing(__name__)
