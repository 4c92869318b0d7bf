"""`torch.__version__`: a string that compares as a version, also with tuples (`torch.__version__ >= (1, 6)`)."""

from __future__ import annotations

import re
from typing import Any


def _key(version: Any) -> tuple[tuple[int, ...], str]:
    """The numbers, without zeros at the end, and what makes it earlier than the release ("~" sorts after letters)."""
    text = ".".join(map(str, version)) if isinstance(version, tuple) else str(version)
    match = re.match(r"v?(\d+(?:\.\d+)*)[._-]?(?:(a|b|rc|dev)\D*(\d*))?", text)
    if match is None:
        raise ValueError(f"Invalid version: {text!r}")
    numbers = [int(n) for n in match[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    stage = {"dev": "0"}.get(match[2], match[2]) if match[2] else None
    return tuple(numbers), f"{stage}{int(match[3] or 0):06d}" if stage else "~"


class TorchVersion(str):
    """A version as text.

    >>> TorchVersion("2.13.0") >= "2.9", TorchVersion("2.13.0") > (1, 6), TorchVersion("1.0a") < "1.0"
    (True, True, True)
    """

    __slots__ = ()

    def _compared(self, other: Any) -> tuple[Any, Any] | None:
        try:
            return (_key(self), _key(other)) if isinstance(other, (str, tuple)) else None
        except ValueError:  # not a version: PyTorch compares such a string as a string
            return (str(self), str(other))

    def __lt__(self, other: Any) -> bool:
        pair = self._compared(other)
        return NotImplemented if pair is None else pair[0] < pair[1]

    def __le__(self, other: Any) -> bool:
        pair = self._compared(other)
        return NotImplemented if pair is None else pair[0] <= pair[1]

    def __gt__(self, other: Any) -> bool:
        pair = self._compared(other)
        return NotImplemented if pair is None else pair[0] > pair[1]

    def __ge__(self, other: Any) -> bool:
        pair = self._compared(other)
        return NotImplemented if pair is None else pair[0] >= pair[1]

    def __eq__(self, other: object) -> bool:
        pair = self._compared(other)
        return False if pair is None else bool(pair[0] == pair[1])

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
