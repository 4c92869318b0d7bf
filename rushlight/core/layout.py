"""Memory layouts and formats, as PyTorch names them."""

from __future__ import annotations


class layout:
    """How a tensor's elements are stored; `strided` is the only one here."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return named_layout, (self.name,)


class memory_format:
    """In which order the dimensions lie in memory."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return named_format, (self.name,)


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")
_layouts = {x.name: x for x in (strided, sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc, jagged)}

contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
_formats = {x.name: x for x in (contiguous_format, preserve_format, channels_last, channels_last_3d)}


def named_layout(name: str) -> layout:
    """The layout of this name."""
    return _layouts[name]


def named_format(name: str) -> memory_format:
    """The memory format of this name."""
    return _formats[name]
