"""What the picture data sets have in common: a root folder, transforms of picture and target, and how they print."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rushlight.data.dataset import Dataset

__all__ = ["StandardTransform", "VisionDataset"]

Transform = Callable[[Any], Any]


class VisionDataset(Dataset[Any]):
    """Base class of picture data sets. A subclass gives ``__getitem__`` and ``__len__``.

    Args:
        root: the folder of the data.
        transforms: a function of picture and target that gives both back.
        transform: a function of the picture.
        target_transform: a function of the target.

    Raises:
        ValueError: when ``transforms`` is given together with one of the other two.
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable[..., Any] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.root: Any = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should implement __getitem__.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} should implement __len__.")

    def _transform_each(self, picture: Any, target: Any) -> tuple[Any, Any]:
        """The picture through ``transform``, the target through ``target_transform``."""
        if self.transform is not None:
            picture = self.transform(picture)
        return picture, target if self.target_transform is None else self.target_transform(target)

    def _transform_both(self, picture: Any, target: Any) -> tuple[Any, Any]:
        """Picture and target through ``transforms``."""
        return (picture, target) if self.transforms is None else self.transforms(picture, target)

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])

    def extra_repr(self) -> str:
        """More lines of a subclass for the printed form."""
        return ""


class StandardTransform:
    """A transform of the picture and one of the target, as one function of both."""

    def __init__(self, transform: Transform | None = None, target_transform: Transform | None = None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        named = (("Transform: ", self.transform), ("Target transform: ", self.target_transform))
        lines = [type(self).__name__]
        for head, transform in named:
            if transform is not None:
                lines += _hanging(head, repr(transform))
        return "\n".join(lines)


def _hanging(head: str, text: str) -> list[str]:
    first, *rest = text.splitlines()
    return [head + first, *(" " * len(head) + line for line in rest)]
