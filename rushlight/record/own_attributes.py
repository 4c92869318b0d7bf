"""`tensor.__dict__`: the attributes that a program has set, and none of the recorder's.

Programs copy them from one tensor to another (`type(p)(data, p.requires_grad, **p.__dict__)`), and update them in
place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TensorBase:
    """The class that Tensor is derived from, as in PyTorch; attributes lie in its `__dict__`."""


#: All of a tensor's attributes, also the recorder's.
every_attribute: Callable[[Any], dict[str, Any]] = TensorBase.__dict__["__dict__"].__get__


class OwnAttributes(dict[str, Any]):
    """The attributes as a dict that writes through to the tensor."""

    def __init__(self, tensor: TensorBase, internal: frozenset[str]) -> None:
        self._all = every_attribute(tensor)
        super().__init__({name: value for name, value in self._all.items() if name not in internal})

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._all[name] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        del self._all[name]

    def update(self, *others: Any, **more: Any) -> None:
        """Sets attributes."""
        for name, value in dict(*others, **more).items():
            self[name] = value

    def __ior__(self, other: Any) -> OwnAttributes:  # type: ignore[override, misc]
        self.update(other)
        return self

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Sets an attribute that is not there; gives it."""
        if name not in self:
            self[name] = default
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:  # type: ignore[override]
        """Takes an attribute away."""
        if name in self:
            del self._all[name]
        return super().pop(name, *default)

    def popitem(self) -> tuple[str, Any]:
        """Takes the attribute away that was set last."""
        name, value = super().popitem()
        del self._all[name]
        return name, value

    def clear(self) -> None:
        """Takes all away."""
        for name in list(self):
            del self[name]
