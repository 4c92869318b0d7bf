"""Data sets in large arrays on the disk: MovingMNIST (NumPy) and PCAM (HDF5)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, Source
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["PCAM", "MovingMNIST"]


class MovingMNIST(Fetched, VisionDataset):
    """10 000 videos of two moving digits. http://www.cs.toronto.edu/~nitish/unsupervised_video/

    ``data`` and samples are tensors of uint8: (N, T, 1, 64, 64) and (T, 1, 64, 64), with at most 20 frames.

    Args:
        root: folder in which ``MovingMNIST`` is, or is to be.
        split: "train", the first frames of each video; "test", the others; None for all.
        split_ratio: how many frames are the first ones.
        download: fetch the file if it is not there.
        transform: a function of the video.
    """

    _URL = "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy"
    _MD5 = "be083ec986bfe91a449d63653c411eb2"

    def __init__(
        self,
        root: str | Path,
        split: str | None = None,
        split_ratio: int = 10,
        download: bool = False,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(root, transform=transform)
        self.split = split if split is None else utils.verify_str_arg(split, "split", ("train", "test"))
        if not isinstance(split_ratio, int):
            raise TypeError(f"`split_ratio` should be an integer, but got {type(split_ratio)}")
        if not 1 <= split_ratio <= 19:
            raise ValueError(f"`split_ratio` should be `1 <= split_ratio <= 19`, but got {split_ratio} instead.")
        self.split_ratio = split_ratio
        folder = Path(self.root, type(self).__name__)
        path = folder / os.path.basename(self._URL)
        self._ensure(download, Source([(self._URL, self._MD5)], folder, [path]))
        frames = {None: slice(None), "train": slice(split_ratio), "test": slice(split_ratio, None)}[split]
        videos = np.load(path, allow_pickle=False)[frames].swapaxes(0, 1)[:, :, None]
        self.data = wrap(np.ascontiguousarray(videos))

    def __getitem__(self, idx: int) -> Any:
        return self.data[idx] if self.transform is None else self.transform(self.data[idx])

    def __len__(self) -> int:
        return len(self.data)


class PCAM(VisionDataset):
    """327 680 patches of 96 by 96 pixels of lymph nodes, with a tumour or without. https://github.com/basveeling/pcam

    The package h5py reads the files.

    Args:
        root: folder in which ``pcam`` is, or is to be.
        split: "train", "test" or "val".
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the files, with the package gdown, if they are not there.
    """

    _FILES = {
        split: {
            "images": (f"camelyonpatch_level_2_split_{name}_x.h5", *images),
            "targets": (f"camelyonpatch_level_2_split_{name}_y.h5", *targets),
        }
        for split, name, images, targets in (
            (
                "train",
                "train",
                ("1Ka0XfEMiwgCYPdTI-vv6eUElOBnKFKQ2", "1571f514728f59376b705fc836ff4b63"),
                ("1269yhu3pZDP8UYFQs-NYs3FPwuK-nGSG", "35c2d7259d906cfc8143347bb8e05be7"),
            ),
            (
                "test",
                "test",
                ("1qV65ZqZvWzuIVthK8eVDhIwrbnsJdbg_", "d8c2d60d490dbd479f8199bdfa0cf6ec"),
                ("17BHrSrwWKjYsOgTMmoqrIjDy6Fa2o_gP", "60a7035772fbdb7f34eb86d4420cf66a"),
            ),
            (
                "val",
                "valid",
                ("1hgshYGWK8V-eGRy8LToWJJgDU_rXWVJ3", "d5b63470df7cfa627aeec8b9dc0c066e"),
                ("1bH8ZRbhSVAhScTS0p9-ZzGnX91cHT3uO", "2b85f58b927af9964a4c15b8f7e8f179"),
            ),
        )
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        try:
            import h5py  # type: ignore[import-not-found]
        except ImportError as error:
            raise RuntimeError(
                "h5py is not found. This dataset needs to have h5py installed: please run pip install h5py"
            ) from error
        self.h5py = h5py
        self._split = utils.verify_str_arg(split, "split", ("train", "test", "val"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._base_folder = Path(self.root) / "pcam"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")

    def _file(self, kind: str) -> Any:
        return self.h5py.File(self._base_folder / self._FILES[self._split][kind][0])

    def _check_exists(self) -> bool:
        return all((self._base_folder / name).exists() for name, *_ in self._FILES[self._split].values())

    def _download(self) -> None:
        if self._check_exists():
            return
        for name, file_id, md5 in self._FILES[self._split].values():
            utils.download_file_from_google_drive(file_id, self._base_folder, f"{name}.gz", md5)
            utils.extract_archive(self._base_folder / f"{name}.gz")

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        from PIL import Image

        with self._file("images") as images, self._file("targets") as targets:
            picture, target = Image.fromarray(images["x"][idx]).convert("RGB"), int(targets["y"][idx, 0, 0, 0])
        return self._transform_each(picture, target)

    def __len__(self) -> int:
        with self._file("images") as images:
            return int(images["x"].shape[0])
