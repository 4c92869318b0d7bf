"""Named results, such as `torch.return_types.max(values=..., indices=...)`."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

TYPES: dict[str, type] = {}


class Named(tuple[Any, ...]):
    """A tuple whose fields have names, printed as PyTorch prints its return types."""

    _fields: tuple[str, ...] = ()
    __slots__ = ()

    def __new__(cls, *values: Any) -> Named:
        given: Iterable[Any] = values[0] if len(values) == 1 and isinstance(values[0], (list, tuple)) else values
        return super().__new__(cls, given)

    def __repr__(self) -> str:
        body = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{body})"


def result_type(name: str, fields: tuple[str, ...]) -> Any:
    """The type `torch.return_types.<name>` with these fields."""
    found = TYPES.get(name)
    if found is None:
        body: dict[str, Any] = {"_fields": fields, "__slots__": ()}
        body |= {field: property(itemgetter(i)) for i, field in enumerate(fields)}
        found = TYPES[name] = type(name, (Named,), body)
    return found
