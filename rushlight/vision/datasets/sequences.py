"""Data sets in large arrays on the disk: MovingMNIST (NumPy), PCAM (HDF5) and PhotoTour (tensors)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, Source, lines_of
from rushlight.vision.datasets.folder import open_picture
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["PCAM", "MovingMNIST", "PhotoTour"]


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


class PhotoTour(Fetched, VisionDataset):
    """Patches of 64 by 64 grey pixels of buildings from many sides. http://matthewalunbrown.com/patchdata/patchdata.html

    ``data`` are the patches (N, 64, 64) uint8, ``labels`` the numbers of the points they show, ``matches`` (M, 3) pairs
    of patches, with 1 for the same point. They are kept in ``<name>.pt``. A sample to train with is a patch, one to
    test with ``(patch, patch, 0 or 1)``.

    Args:
        root: folder of the data.
        name: "notredame", "yosemite" or "liberty", or one of these with "_harris".
        train: patches, or pairs.
        transform: a function of a patch.
        download: fetch the archive if the patches are not there.
    """

    urls = {
        name: [f"{place}/{name}.zip", f"{name}.zip", md5]
        for place, name, md5 in (
            ("http://matthewalunbrown.com/patchdata", "notredame_harris", "69f8c90f78e171349abdf0307afefe4d"),
            ("http://matthewalunbrown.com/patchdata", "yosemite_harris", "a73253d1c6fbd3ba2613c45065c00d46"),
            ("http://matthewalunbrown.com/patchdata", "liberty_harris", "c731fcfb3abb4091110d0ae8c7ba182c"),
            ("http://icvl.ee.ic.ac.uk/vbalnt", "notredame", "509eda8535847b8c0a90bbb210c83484"),
            ("http://icvl.ee.ic.ac.uk/vbalnt", "yosemite", "533b2e8eb7ede31be40abc317b2fd4f0"),
            ("http://icvl.ee.ic.ac.uk/vbalnt", "liberty", "fdd9152f138ea5ef2091746689176414"),
        )
    }
    means = {"notredame": 0.4854, "yosemite": 0.4844, "liberty": 0.4437}
    means |= {f"{name}_harris": mean for name, mean in means.items()}
    stds = {"notredame": 0.1864, "yosemite": 0.1818, "liberty": 0.2019}
    stds |= {f"{name}_harris": deviation for name, deviation in stds.items()}
    lens = {
        "notredame": 468159,
        "yosemite": 633587,
        "liberty": 450092,
        "liberty_harris": 379587,
        "yosemite_harris": 450912,
        "notredame_harris": 325295,
    }
    image_ext = "bmp"
    info_file = "info.txt"
    matches_files = "m50_100000_100000_0.txt"

    def __init__(
        self,
        root: str | Path,
        name: str,
        train: bool = True,
        transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform)
        self.name = utils.verify_str_arg(name, "name", self.urls)
        self.train, self.mean, self.std = train, self.means[name], self.stds[name]
        self.data_dir = os.path.join(self.root, name)
        self.data_file = os.path.join(self.root, f"{name}.pt")
        kept = os.path.exists(self.data_file)
        self._ensure(download, Source([], Path(self.root), [Path(self.data_file if kept else self.data_dir)]))
        if not kept:
            self.cache()
        self.data, self.labels, self.matches = rushlight.load(self.data_file, weights_only=True)

    def download(self) -> None:
        """Fetches the archive, and unpacks it into a folder of its own."""
        if self._check_exists():
            return
        url, name, md5 = self.urls[self.name]
        utils.download_and_extract_archive(url, self.root, self.data_dir, name, md5, remove_finished=True)

    def cache(self) -> None:
        """Reads the pictures and lists, and keeps them as tensors in one file."""
        folder = Path(self.data_dir)
        patches = [patch for path in sorted(folder.glob(f"*{self.image_ext}")) for patch in _patches(path)]
        labels = [int(line.split()[0]) for line in lines_of(folder / self.info_file)]
        pairs = [line.split() for line in lines_of(folder / self.matches_files)]
        matches = [[int(pair[0]), int(pair[3]), int(pair[1] == pair[4])] for pair in pairs]
        content = wrap(np.array(patches[: self.lens[self.name]])), rushlight.tensor(labels), rushlight.tensor(matches)
        rushlight.save(content, self.data_file)

    def _patch(self, number: Any) -> Any:
        return self.data[number] if self.transform is None else self.transform(self.data[number])

    def __getitem__(self, index: int) -> Any:
        if self.train:
            return self._patch(index)
        first, second, same = self.matches[index]
        return self._patch(first), self._patch(second), same

    def __len__(self) -> int:
        return len(self.data if self.train else self.matches)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


def _patches(path: Path) -> list[np.ndarray[Any, Any]]:
    """The squares of 64 by 64 pixels of a picture, row by row."""
    pixels = np.asarray(open_picture(path, "L"))
    return [
        pixels[y : y + 64, x : x + 64] for y in range(0, pixels.shape[0], 64) for x in range(0, pixels.shape[1], 64)
    ]
