"""Data sets of pairs of pictures and how their points move: Sintel, FlyingChairs, FlyingThings3D.

A sample is ``(first picture, second picture, flow)``; the flow is an array (2, H, W) of float32, x before y, or None
where it is not known. With ``transforms``, a function of both pictures, flow and mask of where the flow is valid, it
may have the mask for a fourth. The data must be fetched by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rushlight.data import ConcatDataset
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Loader
from rushlight.vision.datasets.folder import default_loader
from rushlight.vision.datasets.vision import VisionDataset

__all__ = ["FlowDataset", "FlyingChairs", "FlyingThings3D", "Sintel"]

Array = np.ndarray[Any, Any]
Transforms = Callable[..., Any]


class FlowDataset(VisionDataset):
    """What these data sets have in common: a subclass lists the pictures and flows, and says how flows are read."""

    def __init__(self, root: str | Path, transforms: Transforms | None = None, loader: Loader = default_loader) -> None:
        super().__init__(root)
        self.transforms: Any = transforms  # of four things, not of two as in other data sets
        self._loader = loader
        self._flow_list: list[str] = []
        self._image_list: list[list[str]] = []

    def _read_flow(self, file_name: str) -> Array:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Any:
        first, second = (self._loader(path) for path in self._image_list[index])
        flow = self._read_flow(self._flow_list[index]) if self._flow_list else None
        if self.transforms is None:
            return first, second, flow
        *found, mask = self.transforms(first, second, flow, None)
        return tuple(found) if mask is None else (*found, mask)

    def __len__(self) -> int:
        return len(self._image_list)

    def __rmul__(self, v: int) -> ConcatDataset[Any]:
        return ConcatDataset([self] * v)


def _listed(folder: Path, pattern: str) -> list[str]:
    return sorted(map(str, folder.glob(pattern)))


class Sintel(FlowDataset):
    """Scenes of an animated film. http://sintel.is.tue.mpg.de/

    Args:
        root: folder in which ``Sintel`` is.
        split: "train" or "test", whose flows are None.
        pass_name: "clean", "final", with blur and fog, or "both".
        transforms: a function of first picture, second picture, flow and mask.
        loader: reads a picture.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        pass_name: str = "clean",
        transforms: Transforms | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transforms, loader)
        utils.verify_str_arg(split, "split", ("train", "test"))
        utils.verify_str_arg(pass_name, "pass_name", ("clean", "final", "both"))
        folder = Path(self.root, "Sintel")
        for name in ("clean", "final") if pass_name == "both" else (pass_name,):
            for scene in sorted((folder / ("training" if split == "train" else split) / name).iterdir()):
                self._image_list += map(list, itertools.pairwise(_listed(scene, "*.png")))
                if split == "train":
                    self._flow_list += _listed(folder / "training" / "flow" / scene.name, "*.flo")

    def _read_flow(self, file_name: str) -> Array:
        return read_flo(file_name)


class FlyingChairs(FlowDataset):
    """Chairs that move in front of pictures.

    https://lmb.informatik.uni-freiburg.de/resources/datasets/FlyingChairs.en.html#flyingchairs

    Args:
        root: folder in which ``FlyingChairs`` is, with ``data`` and ``FlyingChairs_train_val.txt``.
        split: "train" or "val".
        transforms: a function of first picture, second picture, flow and mask.
    """

    def __init__(self, root: str | Path, split: str = "train", transforms: Transforms | None = None) -> None:
        super().__init__(root, transforms)
        utils.verify_str_arg(split, "split", ("train", "val"))
        folder = Path(self.root, "FlyingChairs")
        parts = folder / "FlyingChairs_train_val.txt"
        if not parts.exists():
            raise FileNotFoundError(f"{parts} was not found - please download it from the dataset page")
        pictures, flows = _listed(folder / "data", "*.ppm"), _listed(folder / "data", "*.flo")
        wanted = 1 if split == "train" else 2
        for number in np.flatnonzero(np.loadtxt(parts, dtype=np.int32, ndmin=1)[: len(flows)] == wanted):
            self._flow_list.append(flows[number])
            self._image_list.append(pictures[2 * number : 2 * number + 2])

    def _read_flow(self, file_name: str) -> Array:
        return read_flo(file_name)


class FlyingThings3D(FlowDataset):
    """Everyday things that fly about in space.

    https://lmb.informatik.uni-freiburg.de/resources/datasets/SceneFlowDatasets.en.html

    Args:
        root: folder in which ``FlyingThings3D`` is, with ``frames_cleanpass``, ``frames_finalpass``, ``optical_flow``.
        split: "train" or "test".
        pass_name: "clean", "final" or "both".
        camera: "left", "right" or "both".
        transforms: a function of first picture, second picture, flow and mask.
        loader: reads a picture.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        pass_name: str = "clean",
        camera: str = "left",
        transforms: Transforms | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transforms, loader)
        utils.verify_str_arg(split, "split", ("train", "test"))
        utils.verify_str_arg(pass_name, "pass_name", ("clean", "final", "both"))
        utils.verify_str_arg(camera, "camera", ("left", "right", "both"))
        passes = ("clean", "final") if pass_name == "both" else (pass_name,)
        cameras = ("left", "right") if camera == "both" else (camera,)
        folder = Path(self.root, "FlyingThings3D")
        for name, side, direction in itertools.product(passes, cameras, ("into_future", "into_past")):
            scenes = _listed(folder / f"frames_{name}pass" / split.upper(), "*/*")
            flows = _listed(folder / "optical_flow" / split.upper(), "*/*")
            if not scenes or not flows:
                raise FileNotFoundError(
                    "Could not find the FlyingThings3D flow images. "
                    "Please make sure the directory structure is correct."
                )
            for scene, flow in zip(scenes, flows, strict=False):
                self._add(_listed(Path(scene, side), "*.png"), _listed(Path(flow, direction, side), "*.pfm"), direction)

    def _add(self, pictures: list[str], flows: list[str], direction: str) -> None:
        for number in range(len(flows) - 1):
            pair = pictures[number : number + 2]
            past = direction == "into_past"
            self._image_list.append(pair[::-1] if past else pair)
            self._flow_list.append(flows[number + past])

    def _read_flow(self, file_name: str) -> Array:
        return read_pfm(file_name)


def read_flo(path: str | Path) -> Array:
    """The flow (2, H, W) in a file of Middlebury's format. Raises ValueError for another or a damaged file."""
    content = Path(path).read_bytes()
    if content[:4] != b"PIEH" or len(content) < 12:
        raise ValueError("Magic number incorrect. Invalid .flo file")
    width, height = np.frombuffer(content, "<i4", 2, 4).tolist()
    if len(content) - 12 != 8 * width * height:
        raise ValueError(f"{path} does not hold {width} by {height} pairs of numbers")
    return np.frombuffer(content, "<f4", offset=12).reshape(height, width, 2).transpose(2, 0, 1)


def read_pfm(path: str | Path, slice_channels: int = 2) -> Array:
    """The first channels (C, H, W) of a picture of floating-point numbers. Raises ValueError for another file."""
    with open(path, "rb") as file:
        kind, sizes, scale = file.readline().rstrip(), file.readline().split(), file.readline()
        if kind not in (b"PF", b"Pf") or len(sizes) != 2:
            raise ValueError("Invalid PFM file")
        width, height, channels = int(sizes[0]), int(sizes[1]), 3 if kind == b"PF" else 1
        numbers = np.frombuffer(file.read(), "<f4" if float(scale) < 0 else ">f4")
    pixels = numbers.reshape(height, width, channels).transpose(2, 0, 1)[:, ::-1]  # from the lowest row up
    return pixels[:slice_channels].astype(np.float32)
