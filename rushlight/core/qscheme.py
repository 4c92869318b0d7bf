"""`qscheme`: how the numbers of a quantized tensor are scaled, as PyTorch names it."""

from __future__ import annotations

__all__ = ["qscheme"]


class qscheme:
    """One scale for the whole tensor or one for each channel; symmetric ones have their zero in the middle."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return named_scheme, (self.name,)


per_tensor_affine = qscheme("per_tensor_affine")
per_channel_affine = qscheme("per_channel_affine")
per_tensor_symmetric = qscheme("per_tensor_symmetric")
per_channel_symmetric = qscheme("per_channel_symmetric")
per_channel_affine_float_qparams = qscheme("per_channel_affine_float_qparams")
SCHEMES = {
    x.name: x
    for x in (
        per_tensor_affine, per_channel_affine, per_tensor_symmetric, per_channel_symmetric,
        per_channel_affine_float_qparams,
    )
}  # fmt: skip


def named_scheme(name: str) -> qscheme:
    """The scheme of this name."""
    return SCHEMES[name]
