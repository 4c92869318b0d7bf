"""Tensors that say what they are: torchvision.tv_tensors.

`transforms.v2` changes every `Image`, `Mask`, `BoundingBoxes` and `KeyPoints` of a sample, each in its own way, and
lets other tensors pass. Operations on them give plain tensors, as in torchvision, but for `clone`, `to`, `detach` and
`requires_grad_`; transforms give what they were given.

What the functions of `transforms.functional` do to masks, boxes and points is in `transforms.v2.masks`, `.boxes` and
`.keypoints`; they find it by the attribute `_kernels`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.tensor.subclasses import disabled
from rushlight.vision.transforms import functional as F

__all__ = [
    "BoundingBoxFormat",
    "BoundingBoxes",
    "Image",
    "KeyPoints",
    "Mask",
    "TVTensor",
    "Video",
    "is_pure_tensor",
    "wrap",
]


class TVTensor(Tensor):
    """Base class of tensors that say what they are."""

    __slots__ = ()
    __torch_function__ = disabled

    #: Where the functions on pictures find what they do to this type; None for pictures themselves.
    _kernels: str | None = None

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        return _typed(cls, _as_tensor(data, dtype, device), requires_grad)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done by `__new__`."""

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """A copy of the same kind."""
        return wrap(super().clone(*args, **kwargs), like=self)  # type: ignore[misc]

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Another dtype or device, of the same kind."""
        return wrap(super().to(*args, **kwargs), like=self)  # type: ignore[misc]

    def detach(self) -> Any:
        """The same numbers without history, of the same kind."""
        return wrap(super().detach(), like=self)  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = wrap(self._plain().detach().clone(), like=self)
        return copied.requires_grad_(self.requires_grad)  # type: ignore[attr-defined]

    def _plain(self) -> Any:
        """The same numbers as a plain tensor."""
        return self.view_as(self)  # type: ignore[attr-defined]

    def __repr__(self, **_: Any) -> str:
        name, extra = type(self).__name__, self._described()
        shown = repr(self._plain()).removeprefix("tensor(").removesuffix(")")
        first, *rest = shown.split("\n")
        rest = [" " * len(name + "(") + line.removeprefix(" " * len("tensor(")) for line in rest]
        return "\n".join([f"{name}({first}", *rest]) + f"{extra})"

    def _described(self) -> str:
        return ""


def _plainly(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._plain(), name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, f"`Tensor.{name}`: a plain tensor."
    return method


for _name in ("float", "double", "half", "bfloat16", "int", "long", "short", "char", "byte", "bool", "type_as"):
    setattr(TVTensor, _name, _plainly(_name))


class Image(TVTensor):
    """A picture (..., C, H, W) or (H, W), from a tensor, a PIL image or anything `torch.as_tensor` takes."""

    __slots__ = ()

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Image:
        tensor = _as_tensor(data, dtype, device)
        if tensor.dim() < 2:
            raise ValueError(f"Tensor must be 2D or higher, got {tensor.dim()}D tensor.")
        made: Image = _typed(cls, tensor.unsqueeze(0) if tensor.dim() == 2 else tensor, requires_grad)
        return made


class Video(TVTensor):
    """Pictures one after the other (..., T, C, H, W). Raises ValueError for less than four dimensions."""

    __slots__ = ()

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Video:
        tensor = _as_tensor(data, dtype, device)
        if tensor.dim() < 4:
            raise ValueError(f"a video has at least four dimensions, got a tensor of shape {tuple(tensor.shape)}")
        made: Video = _typed(cls, tensor, requires_grad)
        return made


class Mask(TVTensor):
    """Which pixels belong to what: (..., H, W) of labels, or one mask for each object. Never interpolated."""

    __slots__ = ()
    _kernels = "rushlight.vision.transforms.v2.masks"


class BoundingBoxFormat(Enum):
    """What a box's four numbers are: two corners; a corner and the size; the middle and the size."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"


class BoundingBoxes(TVTensor):
    """Rectangles (N, 4) in a picture of `canvas_size` (height, width).

    Args:
        data: the numbers; one box (4,) becomes (1, 4).
        format: what they are, a `BoundingBoxFormat` or its name.
        canvas_size: of the picture that the boxes are in.
        clamping_mode: None lets boxes reach outside of the canvas after a transform.

    Raises ValueError for numbers that are not four for each box.

    >>> from rushlight.vision.tv_tensors import BoundingBoxes
    >>> BoundingBoxes([[1, 2, 3, 4]], format="XYXY", canvas_size=(8, 8))
    BoundingBoxes([[1, 2, 3, 4]], format=BoundingBoxFormat.XYXY, canvas_size=(8, 8), clamping_mode=soft)
    """

    _kernels = "rushlight.vision.transforms.v2.boxes"
    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls, data: Any, *, format: BoundingBoxFormat | str, canvas_size: Sequence[int],
        clamping_mode: str | None = "soft", dtype: Any = None, device: Any = None, requires_grad: bool | None = None,
    ) -> BoundingBoxes:  # fmt: skip
        tensor = _as_tensor(data, dtype, device)
        tensor = tensor.unsqueeze(0) if tensor.dim() == 1 else tensor
        if tensor.dim() != 2 or tensor.shape[-1] != 4:
            raise ValueError(f"Expected a 1D or 2D tensor of boxes with four numbers each, got shape {tensor.shape}")
        made: BoundingBoxes = _typed(cls, tensor, requires_grad)
        made.format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        made.canvas_size = (int(canvas_size[0]), int(canvas_size[1]))
        made.clamping_mode = checked_mode(clamping_mode)
        return made

    def _described(self) -> str:
        return f", format={self.format}, canvas_size={self.canvas_size}, clamping_mode={self.clamping_mode}"


def checked_mode(clamping_mode: str | None) -> str | None:
    """The mode, if it is one. Raises ValueError for others than None, "soft" and "hard"."""
    if clamping_mode not in (None, "soft", "hard"):
        raise ValueError(f"clamping_mode must be None, hard or soft, got {clamping_mode}.")
    return clamping_mode


class KeyPoints(TVTensor):
    """Points (..., 2) of x and y in a picture of `canvas_size` (height, width).

    Raises ValueError for points that have not two numbers.

    >>> from rushlight.vision.tv_tensors import KeyPoints
    >>> KeyPoints([[1, 2]], canvas_size=(8, 8))
    KeyPoints([[1, 2]], canvas_size=(8, 8))
    """

    _kernels = "rushlight.vision.transforms.v2.keypoints"
    canvas_size: tuple[int, int]

    def __new__(
        cls, data: Any, *, canvas_size: Sequence[int], dtype: Any = None, device: Any = None,
        requires_grad: bool | None = None,
    ) -> KeyPoints:  # fmt: skip
        tensor = _as_tensor(data, dtype, device)
        if tensor.dim() == 1:
            tensor = tensor.unsqueeze(0)
        elif tensor.shape[-1] != 2:
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tensor.shape}")
        made: KeyPoints = _typed(cls, tensor, requires_grad)
        made.canvas_size = (int(canvas_size[0]), int(canvas_size[1]))
        return made

    def _described(self) -> str:
        return f", canvas_size={self.canvas_size}"


_OF_A_CANVAS = {BoundingBoxes: ("format", "canvas_size", "clamping_mode"), KeyPoints: ("canvas_size",)}


def _as_tensor(data: Any, dtype: Any, device: Any) -> Any:
    return F.pil_to_tensor(data) if F.is_pil(data) else rushlight.as_tensor(data, dtype=dtype, device=device)


def _typed(cls: type, tensor: Any, requires_grad: bool | None = None) -> Any:
    """The tensor's numbers under a fresh handle of the class, so that the tensor itself stays what it is."""
    made = tensor.view_as(tensor)
    made.__class__ = cls
    return made if requires_grad is None else made.requires_grad_(requires_grad)


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """The tensor as the kind that `like` is; `format` and `canvas_size` of boxes are `like`'s unless given."""
    made = _typed(type(like), wrappee)
    for kind, names in _OF_A_CANVAS.items():
        if isinstance(like, kind):
            for name in names:
                setattr(made, name, kwargs.get(name, getattr(like, name)))
    return made


def is_pure_tensor(inpt: Any) -> bool:
    """Whether it is a tensor that does not say what it is."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, TVTensor)


def set_return_type(return_type: str) -> None:
    """Accepts "Tensor", what operations give. Raises NotImplementedError for "TVTensor", ValueError for others."""
    known: Mapping[str, bool] = {"tensor": True, "tvtensor": False}
    if return_type.lower() not in known:
        raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
    if not known[return_type.lower()]:
        raise NotImplementedError("torchvision.tv_tensors.set_return_type('TVTensor') is not in Rushlight")


__getattr__ = missing(__name__)
