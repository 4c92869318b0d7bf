"""ImageNet of 2012: 1.28 million pictures in 1 000 classes. The archives must be fetched by hand.

``ILSVRC2012_devkit_t12.tar.gz`` and ``ILSVRC2012_img_train.tar`` or ``ILSVRC2012_img_val.tar`` are put into the root
folder. The first time they are unpacked: the names of the classes into ``meta.bin``, the pictures into a folder for
each class.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import rushlight
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import lines_of, load_mat
from rushlight.vision.datasets.folder import ImageFolder

__all__ = ["ImageNet", "load_meta_file", "parse_devkit_archive", "parse_train_archive", "parse_val_archive"]

ARCHIVE_META = {
    "train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
    "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
    "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
}
META_FILE = "meta.bin"


class ImageNet(ImageFolder):
    """ImageNet's classification set of 2012. https://image-net.org

    ``wnids`` and ``wnid_to_idx`` are by WordNet's numbers; ``classes`` are tuples of names, and ``class_to_idx`` knows
    each name.

    Args:
        root: folder of the archives, or of what has been unpacked from them.
        split: "train" or "val".
        kwargs: ``transform``, ``target_transform`` and ``loader``, as for `ImageFolder`.
    """

    classes: list[Any]

    def __init__(self, root: str | Path, split: str = "train", **kwargs: Any) -> None:
        root = self.root = os.path.expanduser(root)
        self.split = utils.verify_str_arg(split, "split", ("train", "val"))
        self.parse_archives()
        names = load_meta_file(root)[0]
        super().__init__(self.split_folder, **kwargs)
        self.root = root
        self.wnids, self.wnid_to_idx = self.classes, self.class_to_idx
        self.classes = [names[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: number for number, several in enumerate(self.classes) for name in several}

    def parse_archives(self) -> None:
        """Unpacks what has not been unpacked yet."""
        if not utils.check_integrity(os.path.join(self.root, META_FILE)):
            parse_devkit_archive(self.root)
        if not os.path.isdir(self.split_folder):
            (parse_train_archive if self.split == "train" else parse_val_archive)(self.root)

    @property
    def split_folder(self) -> str:
        """The folder of the classes' folders."""
        return os.path.join(self.root, self.split)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def load_meta_file(root: str | Path, file: str | None = None) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The names by WordNet's number, and the numbers of the validation pictures. Raises RuntimeError without a file."""
    path = os.path.join(root, file or META_FILE)
    if not utils.check_integrity(path):
        raise RuntimeError(
            f"The meta file {path} is not present in the root directory or is corrupted. "
            "This file is automatically created by the ImageNet dataset."
        )
    content: tuple[dict[str, tuple[str, ...]], list[str]] = rushlight.load(path, weights_only=True)
    return content


def _archive(root: str | Path, kind: str, file: str | None) -> str:
    name, md5 = ARCHIVE_META[kind]
    path = os.path.join(root, file or name)
    if not utils.check_integrity(path, md5):
        raise RuntimeError(
            f"The archive {file or name} is not present in the root directory or is corrupted. "
            f"You need to download it externally and place it in {root}."
        )
    return path


def parse_devkit_archive(root: str | Path, file: str | None = None) -> None:
    """Writes ``meta.bin`` from the archive of the development kit."""
    with tempfile.TemporaryDirectory() as folder:
        utils.extract_archive(_archive(root, "devkit", file), folder)
        data = Path(folder, "ILSVRC2012_devkit_t12", "data")
        wnid_of, names = _read_synsets(data / "meta.mat")
        numbers = [int(line) for line in lines_of(data / "ILSVRC2012_validation_ground_truth.txt")]
    rushlight.save((names, [wnid_of[number] for number in numbers]), os.path.join(root, META_FILE))


def _read_synsets(path: Path) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
    """WordNet's number of each class, and the names of each; inner nodes, which have children, are no classes."""
    leaves = [synset for synset in load_mat(path, squeeze_me=True)["synsets"] if synset[4] == 0]
    names = {str(wnid): tuple(str(words).split(", ")) for _, wnid, words, *_ in leaves}
    return {int(number): str(wnid) for number, wnid, *_ in leaves}, names


def parse_train_archive(root: str | Path, file: str | None = None, folder: str = "train") -> None:
    """Unpacks the archive of the training pictures, which holds an archive for each class."""
    source, part = _archive(root, "train", file), _part(root, folder)
    utils.extract_archive(source, part)
    for archive in sorted(part.iterdir()):
        utils.extract_archive(archive, part / archive.stem, remove_finished=True)
    os.replace(part, Path(root, folder))


def _part(root: str | Path, folder: str) -> Path:
    """Where a folder is made that shall be whole or not there; what an interrupted try has left there is removed."""
    part = Path(root, f"{folder}.part")
    shutil.rmtree(part, ignore_errors=True)
    return part


def parse_val_archive(
    root: str | Path, file: str | None = None, wnids: list[str] | None = None, folder: str = "val"
) -> None:
    """Unpacks the archive of the validation pictures and sorts them into folders by class."""
    wnids = load_meta_file(root)[1] if wnids is None else wnids
    source, part = _archive(root, "val", file), _part(root, folder)
    utils.extract_archive(source, part)
    pictures = sorted(part.iterdir())
    for wnid in set(wnids):
        (part / wnid).mkdir()
    for wnid, picture in zip(wnids, pictures, strict=False):
        os.replace(picture, part / wnid / picture.name)
    os.replace(part, Path(root, folder))
