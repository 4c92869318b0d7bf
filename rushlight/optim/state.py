"""What an optimizer remembers about one parameter: tensors, and numbers kept in Python until somebody looks.

PyTorch keeps the step count (and NAdam's running product, ASGD's rates) as 0-dim tensors in `optimizer.state[p]`. A
rule needs them as Python numbers at every step, so a `ParamState` holds them in the tuple `host` and makes the
tensors when one of them is read. From then on the tensors are the truth, since whoever has one may change it; `fold`
takes the numbers back when no one else holds the tensors any more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap

__all__ = ["ParamState", "host_dtype", "number_tensor", "read_number"]


def host_dtype() -> str:
    """The dtype of the 0-dim tensors: float64 where that is the default dtype, else float32."""
    return "float64" if rushlight.get_default_dtype() == rushlight.float64 else "float32"


def number_tensor(value: float, dtype: str | None = None) -> Tensor:
    """A 0-dim tensor of its own for one number."""
    return wrap(np.array(value, dtype or host_dtype()))


def read_number(value: Any) -> float:
    """The number in a 0-dim tensor, or a number itself (files of old versions hold those)."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)


class ParamState(dict[str, Any]):
    """The dictionary `optimizer.state[p]`, with the numbers called `names` first.

    `host` is their values while no tensors stand for them, else None.
    """

    __slots__ = ("names", "host")

    def __init__(self, names: tuple[str, ...], host: tuple[float, ...] | None, tensors: dict[str, Any]) -> None:
        super().__init__(tensors)
        self.names = names
        self.host = host

    def materialise(self) -> None:
        """Makes the 0-dim tensors. Every reading or changing of the dictionary as a whole comes through here."""
        host = self.host
        if host is None:
            return
        self.host = None
        rest = dict(dict.items(self))
        dict.clear(self)
        dict.update(self, {name: number_tensor(value) for name, value in zip(self.names, host, strict=True)})
        dict.update(self, rest)

    def fold(self) -> bool:
        """Takes the numbers back from tensors that nobody else holds; says whether it did."""
        if not all(_only_here(self, name) for name in self.names):
            return False
        host = tuple(read_number(dict.__getitem__(self, name)) for name in self.names)
        for name in self.names:
            dict.__delitem__(self, name)
        self.host = host
        return True

    def __missing__(self, key: str) -> Any:
        if self.host is None or key not in self.names:
            raise KeyError(key)
        self.materialise()
        return dict.__getitem__(self, key)

    # A dictionary that hides keys must answer for them everywhere, so each of these looks first.
    def __contains__(self, key: object) -> bool:
        self.materialise()
        return dict.__contains__(self, key)

    def __iter__(self) -> Iterator[str]:
        self.materialise()
        return dict.__iter__(self)

    def __len__(self) -> int:
        self.materialise()
        return dict.__len__(self)

    def __setitem__(self, key: str, value: Any) -> None:
        self.materialise()
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.materialise()
        dict.__delitem__(self, key)

    def __eq__(self, other: object) -> bool:
        self.materialise()
        return dict.__eq__(self, other)

    def __repr__(self) -> str:
        self.materialise()
        return dict.__repr__(self)

    def __or__(self, other: Any) -> Any:
        self.materialise()
        return dict.__or__(self, other)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Saved and copied as the plain dictionary it looks like."""
        return (dict, (dict(self),))

    def keys(self) -> Any:
        self.materialise()
        return dict.keys(self)

    def values(self) -> Any:
        self.materialise()
        return dict.values(self)

    def items(self) -> Any:
        self.materialise()
        return dict.items(self)

    def get(self, key: str, default: Any = None) -> Any:
        self.materialise()
        return dict.get(self, key, default)

    def pop(self, *args: Any) -> Any:
        self.materialise()
        return dict.pop(self, *args)

    def popitem(self) -> tuple[str, Any]:
        self.materialise()
        return dict.popitem(self)

    def clear(self) -> None:
        self.materialise()
        dict.clear(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        self.materialise()
        return dict.setdefault(self, key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self.materialise()
        dict.update(self, *args, **kwargs)

    def copy(self) -> dict[str, Any]:
        return dict(self)


def _references(state: ParamState, name: str) -> int:
    value = dict.get(state, name)
    return sys.getrefcount(value)


# How many references a value has that only its dictionary holds; the count differs between Python versions.
_ALONE = _references(ParamState((), None, {"probe": object()}), "probe")


def _only_here(state: ParamState, name: str) -> bool:
    value = dict.get(state, name)
    return isinstance(value, Tensor) and value.dim() == 0 and _references(state, name) <= _ALONE + 1


def values_of(state: dict[str, Any], names: Sequence[str]) -> tuple[float, ...]:
    """The numbers called `names` of a state whose tensors are the truth."""
    return tuple(read_number(dict.__getitem__(state, name)) for name in names)


def write_values(state: dict[str, Any], names: Sequence[str], values: Sequence[float]) -> None:
    """Writes new numbers into the 0-dim tensors of a state, in place: whoever holds one sees it."""
    for name, value in zip(names, values, strict=True):
        tensor = dict.__getitem__(state, name)
        if isinstance(tensor, Tensor):
            tensor._assign(number_tensor(value, str(tensor.dtype).rpartition(".")[2]))
        else:
            dict.__setitem__(state, name, number_tensor(value))
