"""Data sets that can be downloaded: what there is to fetch, and how one sees that it is there already.

A set says its `Source`: the files as pairs of address and MD5 checksum, where they go, and what must be there in the
end. `Fetched.download` fetches them, archives are unpacked (`utils.fetch`), and `Fetched._ensure`, called by every
constructor, says what to do where the data is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rushlight.vision.datasets import utils
from rushlight.vision.datasets.folder import default_loader
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["Fetched", "ListedPictures", "Loader", "Source", "lines_of", "load_mat"]

Loader = Callable[[Any], Any]


@dataclass(frozen=True)
class Source:
    """Where a set comes from.

    Args:
        files: address and MD5 checksum of every file; archives among them are unpacked where they land.
        folder: where they land.
        needed: files and folders that are there when the set is; files that must be undamaged with their checksum.
    """

    files: Iterable[tuple[str, str | None]]
    folder: Path
    needed: Iterable[Path | tuple[Path, str]]

    def is_there(self) -> bool:
        """Whether nothing is missing or damaged."""
        pairs = (entry if isinstance(entry, tuple) else (entry, None) for entry in self.needed)
        return all(path.exists() if md5 is None else utils.check_integrity(path, md5) for path, md5 in pairs)


class Fetched:
    """Mixin: a constructor calls `_ensure` with the set's `Source`."""

    _source: Source

    def download(self) -> None:
        """Fetches and unpacks what the set is made of, unless it is there."""
        if not self._check_exists():
            utils.fetch(self._source.files, self._source.folder)

    def _check_exists(self) -> bool:
        return self._source.is_there()

    def _ensure(self, download: bool, source: Source) -> None:
        """Raises RuntimeError if the data is not there in the end."""
        self._source = source
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
                f" (looked in {source.folder})"
            )


class ListedPictures(Fetched, VisionDataset):
    """Pictures in files, each with a label: a subclass lists both. A sample is ``(loader(file), label)``.

    Args:
        root: folder of the data.
        transform, target_transform: functions of the picture and of the label.
        loader: reads a file; a PIL image in RGB by default.
    """

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self._image_files: list[Any] = []
        self._labels: list[Any] = []

    @property
    def _samples(self) -> list[tuple[Any, Any]]:
        return list(zip(self._image_files, self._labels, strict=True))

    @_samples.setter
    def _samples(self, samples: Iterable[tuple[Any, Any]]) -> None:
        samples = list(samples)
        self._image_files = [file for file, _ in samples]
        self._labels = [label for _, label in samples]

    def _name_classes(self, classes: list[str]) -> None:
        self.classes = classes
        self.class_to_idx = {name: number for number, name in enumerate(classes)}

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        return self._transform_each(self.loader(self._image_files[idx]), self._labels[idx])

    def __len__(self) -> int:
        return len(self._image_files)


def lines_of(path: str | Path) -> list[str]:
    """The lines of a text file, without what surrounds them."""
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file]


def load_mat(path: str | Path, **options: Any) -> dict[str, Any]:
    """What a file of MATLAB's holds. Raises RuntimeError where SciPy, which reads it, is not installed."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise RuntimeError(
            "Scipy is not found. This dataset needs to have scipy installed: pip install scipy"
        ) from error
    content: dict[str, Any] = loadmat(path, **options)
    return content
