"""Samples as transforms.v2 takes them: a picture, or any nest of lists, tuples and dicts with pictures in it.

`flatten` takes a sample apart, `pictures` says which leaves are changed (every Image and PIL image, or where there is
none, the first plain tensor; and masks and boxes), and `Structured`, the base of the transforms, changes those and puts
the sample together again. All see the same random numbers: the generator goes back to where it stood for the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import rushlight
from rushlight.tensor import Tensor
from rushlight.vision.transforms.functional import get_dimensions, is_pil
from rushlight.vision.tv_tensors import TVTensor, is_pure_tensor, wrap


def flatten(sample: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a sample, and a function that puts changed leaves in their places."""
    if isinstance(sample, Mapping):
        return _flattened(list(sample.values()), lambda parts: type(sample)(zip(sample, parts)))  # type: ignore[call-arg]
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return _flattened(list(sample), lambda parts: type(sample)(*parts))
    if isinstance(sample, list | tuple):
        return _flattened(list(sample), type(sample))
    return [sample], lambda leaves: leaves[0]


def _flattened(parts: list[Any], assemble: Callable[[list[Any]], Any]) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    flat = [flatten(part) for part in parts]

    def rebuild(leaves: list[Any]) -> Any:
        rest, made = list(leaves), []
        for own, build in flat:
            made.append(build(rest[: len(own)]))
            del rest[: len(own)]
        return assemble(made)

    return [leaf for own, _ in flat for leaf in own], rebuild


def pictures(leaves: list[Any], pixels_only: bool = False) -> list[int]:
    """Which of the leaves are changed: pictures, and masks and boxes unless only `pixels` are changed.

    The first plain tensor is a picture where nothing else is one.
    """
    typed = {i for i, leaf in enumerate(leaves) if isinstance(leaf, TVTensor) or is_pil(leaf)}
    seen = {i for i in typed if is_pil(leaves[i]) or leaves[i]._kernels is None}
    if not seen:
        seen = set([i for i, leaf in enumerate(leaves) if is_pure_tensor(leaf)][:1])
    return sorted(seen if pixels_only else typed | seen)


def query_chw(flat_inputs: list[Any]) -> tuple[int, int, int]:
    """The channels, height and width that all pictures of a sample have.

    Raises TypeError where there is no picture, ValueError where they differ.
    """
    found = {tuple(get_dimensions(x)) for x in flat_inputs if is_pil(x) or _has_pixels(x)}
    return _only_one(found, "No image or video was found in the sample", "CxHxW")  # type: ignore[return-value]


def query_size(flat_inputs: list[Any]) -> tuple[int, int]:
    """The height and width that all pictures, masks, boxes and points of a sample have.

    Raises TypeError where there is none of them, ValueError where they differ.
    """
    found = {
        tuple(getattr(x, "canvas_size", None) or get_dimensions(x)[1:])
        for x in flat_inputs
        if is_pil(x) or isinstance(x, Tensor)
    }
    missing = "No image, video, mask, bounding box of keypoint was found in the sample"
    return _only_one(found, missing, "HxW")  # type: ignore[return-value]


def _has_pixels(x: Any) -> bool:
    return is_pure_tensor(x) or (isinstance(x, TVTensor) and x._kernels is None)


def _only_one(found: set[tuple[int, ...]], missing: str, what: str) -> tuple[int, ...]:
    if not found:
        raise TypeError(missing)
    if len(found) > 1:
        raise ValueError(f"Found multiple {what} dimensions in the sample: {sorted(found)}")
    return found.pop()


def changed(change: Callable[[Any], Any], sample: Any, pixels_only: bool = False) -> Any:
    """The sample with `change` done to its pictures, with the same random numbers for each."""
    leaves, rebuild = flatten(sample)
    places = pictures(leaves, pixels_only)
    if len(places) > 1:
        _check_sizes([leaves[i] for i in places])
    state = rushlight.get_rng_state() if len(places) > 1 else None
    for number, i in enumerate(places):
        if number and state is not None:
            rushlight.set_rng_state(state)
        leaves[i] = _same_kind(leaves[i], change(leaves[i]))
    return rebuild(leaves)


def _check_sizes(found: list[Any]) -> None:
    sizes = sorted({tuple(get_dimensions(picture)[1:]) for picture in found})
    if len(sizes) > 1:
        raise ValueError(f"Found multiple HxW dimensions in the sample: {sizes}")


def _same_kind(before: Any, after: Any) -> Any:
    plain = isinstance(before, TVTensor) and is_pure_tensor(after)
    return wrap(after, like=before) if plain else after


class Described:
    """Prints a transform as torchvision.transforms.v2 does: its plain attributes, in the order they were set."""

    def extra_repr(self) -> str:
        return _listed({name: value for name, value in self.__dict__.items() if not name.startswith("_")})


def _listed(values: Mapping[str, Any]) -> str:
    plain = bool | int | float | str | tuple | list | Enum
    shown = [(name, value) for name, value in values.items() if name != "training" and isinstance(value, plain)]
    return ", ".join(f"{name}={value}" for name, value in shown)


_PRINTED_RAW = ("interpolation", "fill")


def _same(value: Any) -> Any:
    return value


class Structured:
    """Stands before a transform of pictures and makes it one of samples: `transform(image)`, `transform(image, label)`,
    `transform({"image": image, "label": label})`. With `_pixels_only`, masks and boxes are left as they are.
    """

    _pixels_only = False
    _printed_first: tuple[str, ...] = ()
    _printed_as: Mapping[str, Callable[[Any], Any]] = {}
    _given: dict[str, Any]

    def extra_repr(self) -> str:
        order = [*self._printed_first, *(name for name in self._given if name not in self._printed_first)]
        values = {name: self._given[name] if name in _PRINTED_RAW else getattr(self, name) for name in order}
        return _listed({name: self._printed_as.get(name, _same)(value) for name, value in values.items()})

    def forward(self, *inputs: Any) -> Any:
        """The sample with its pictures changed; several arguments are a sample, and come back as a tuple."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        return changed(super().forward, sample, self._pixels_only)  # type: ignore[misc]
