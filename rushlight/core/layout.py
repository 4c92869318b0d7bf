"""Memory layouts and formats, as PyTorch names them, and what they have in common with other constants that have names.

A constant is an object of its own, which prints as PyTorch's does and is found again by its name in a pickle.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NamedConstant:
    """One of a few objects that stand for something and have a name in `torch`; each kind has its own by name."""

    __slots__ = ("name",)
    known: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        cls.known = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.known[name] = self

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return named, (type(self), self.name)


def named(kind: type[NamedConstant], name: str) -> NamedConstant:
    """The constant of this kind and name."""
    return kind.known[name]  # type: ignore[no-any-return]


class layout(NamedConstant):
    """How a tensor's elements are stored."""

    __slots__ = ()


class memory_format(NamedConstant):
    """In which order the dimensions lie in memory."""

    __slots__ = ()


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")

contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
