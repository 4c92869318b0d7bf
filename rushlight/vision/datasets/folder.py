"""Data sets that are folders of files, one folder for each class: ``root/class/name.png``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["DatasetFolder", "ImageFolder"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
Extensions = str | tuple[str, ...]


def has_file_allowed_extension(filename: str, extensions: Extensions) -> bool:
    """Whether the name ends with one of the suffixes; upper and lower case are the same."""
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def is_image_file(filename: str) -> bool:
    """Whether the name is one of a picture."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | Path) -> tuple[list[str], dict[str, int]]:
    """The names of the folders in ``directory``, sorted, and the number of each. Without any: FileNotFoundError."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: number for number, name in enumerate(classes)}


def make_dataset(
    directory: str | Path,
    class_to_idx: dict[str, int] | None = None,
    extensions: Extensions | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """The pairs of path and class number of the files below ``directory``, in the order of their names.

    Raises:
        ValueError: when not exactly one of ``extensions`` and ``is_valid_file`` is given, or ``class_to_idx`` is empty.
        FileNotFoundError: when a class has no file, unless ``allow_empty``.
    """
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
    accepts = is_valid_file or (lambda name: has_file_allowed_extension(name, extensions or ()))
    samples: list[tuple[str, int]] = []
    found = set()
    for name in sorted(class_to_idx):
        members = [(path, class_to_idx[name]) for path in _files_below(os.path.join(directory, name)) if accepts(path)]
        samples += members
        found |= {name} if members else set()
    if not allow_empty:
        _check_none_empty(set(class_to_idx) - found, extensions)
    return samples


def _files_below(folder: str) -> Iterable[str]:
    for place, _, names in sorted(os.walk(folder, followlinks=True)):
        for name in sorted(names):
            yield os.path.join(place, name)


def _check_none_empty(empty: set[str], extensions: Extensions | None) -> None:
    if not empty:
        return
    message = f"Found no valid file for the classes {', '.join(sorted(empty))}. "
    if extensions is not None:
        suffixes = extensions if isinstance(extensions, str) else ", ".join(extensions)
        message += f"Supported extensions are: {suffixes}"
    raise FileNotFoundError(message)


class DatasetFolder(VisionDataset):
    """Files of any kind in folders by class. A sample is ``(loader(path), class number)``.

    Args:
        root: the folder of the class folders.
        loader: reads a file.
        extensions: the suffixes of the files that count; or
        is_valid_file: a function of the path that says whether it counts.
        transform, target_transform: functions of what is read and of the number.
        allow_empty: classes may be without files.

    Attributes:
        classes, class_to_idx: the names, and the number of each.
        samples, targets: pairs of path and number, and the numbers alone.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.loader = loader
        self.extensions = extensions
        self.targets = [number for _, number in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | Path,
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """The samples; see the function of the same name. A subclass may find them in another way."""
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """The classes; see the function of the same name. A subclass may find them in another way."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        return sample, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.samples)


def open_picture(path: str | Path, mode: str | None = None) -> Any:
    """The picture in a file, as a PIL image in a mode, or in the file's own; the file is closed again."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture if mode is None else picture.convert(mode)


def pil_loader(path: str | Path) -> Any:
    """The picture in a file, as a PIL image in RGB."""
    return open_picture(path, "RGB")


def default_loader(path: str | Path) -> Any:
    """Reads a picture."""
    return pil_loader(path)


class ImageFolder(DatasetFolder):
    """Pictures in folders by class. A sample is ``(PIL image, class number)``. Arguments as for `DatasetFolder`."""

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
