"""CIFAR-10 and CIFAR-100: small colour pictures with a label, in pickled batches.

The batches lie in ``<root>/cifar-10-batches-py`` and ``<root>/cifar-100-python``, unpacked from one archive. They are
pickles, and a pickle can run any code: these are read by an unpickler that knows nothing but NumPy arrays, bytes and
plain containers, after the checksums have been compared. https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import codecs
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from rushlight.data import gather
from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.vision import Transform, VisionDataset
from rushlight.vision.transforms.array_form import array_form

__all__ = ["CIFAR10", "CIFAR100"]

SIDE = 32


class CIFAR10(VisionDataset):
    """60 000 pictures of 32 by 32 pixels in 10 classes, 10 000 of them to test.

    ``data`` holds the pictures (N, 32, 32, 3) uint8 as an array, ``targets`` the labels as a list. A sample is ``(PIL
    image, int)``.

    Args:
        root: folder in which ``cifar-10-batches-py`` is, or is to be.
        train: the training set, or the test set.
        transform: a function of the PIL image.
        target_transform: a function of the label.
        download: fetch the archive if the batches are not there.

    Raises:
        RuntimeError: the batches are not there or are damaged, and ``download`` is False.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                f"Dataset not found or corrupted. You can use download=True to download it (looked in {self._folder()})"
            )
        parts = [_read_batch(self._folder() / name) for name, _ in (self.train_list if train else self.test_list)]
        self.data: Any = np.concatenate([images for images, _ in parts])
        self.targets: list[int] = [label for _, labels in parts for label in labels]
        self._load_meta()

    def _folder(self) -> Path:
        return Path(self.root, self.base_folder)

    def _load_meta(self) -> None:
        names = read_plain_pickle(self._folder() / self.meta["filename"]).get(self.meta["key"])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise pickle.UnpicklingError(f"{self._folder() / self.meta['filename']} has no list of class names")
        self.classes: list[str] = names
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}

    def _check_integrity(self) -> bool:
        listed = [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]
        return all(utils.check_integrity(self._folder() / name, md5) for name, md5 in listed)

    def download(self) -> None:
        """Fetches and unpacks the archive, unless the batches are there."""
        if not self._check_integrity():
            utils.download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = self.data[index], self.targets[index]
        form = array_form(self.transform, channels=3)
        if form is not None and image.shape[2:] == (3,) and image.dtype == np.uint8:
            picture: Any = wrap(form(image.transpose(2, 0, 1)[None])[0])
        else:
            from PIL import Image

            picture = Image.fromarray(image)
            if self.transform is not None:
                picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """60 000 pictures of 32 by 32 pixels in 100 classes, 10 000 of them to test. Arguments as for `CIFAR10`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}


class _PlainUnpickler(pickle.Unpickler):
    """Finds only what NumPy's own array pickles name."""

    _KNOWN = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): codecs.encode,
    } | {(f"numpy.{package}.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0] for package in ("core", "_core")}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"refused to load {module}.{name}: batches of CIFAR hold only arrays, bytes and containers"
            ) from None


def read_plain_pickle(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dictionary in a pickle of arrays, strings and containers. Raises UnpicklingError for any other pickle."""
    try:
        with open(path, "rb") as file:
            content = _PlainUnpickler(file, encoding="latin1").load()
    except (EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError) as error:
        raise pickle.UnpicklingError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise pickle.UnpicklingError(f"{path} holds a {type(content).__name__}, not a dictionary")
    return content


def _read_batch(path: Path) -> tuple[np.ndarray[Any, Any], list[int]]:
    """The pictures (N, 32, 32, 3) and labels of a batch."""
    content = read_plain_pickle(path)
    pixels, labels = content.get("data"), content.get("labels", content.get("fine_labels"))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3 * SIDE * SIDE,):
        raise pickle.UnpicklingError(f"{path} holds no pictures of {SIDE} by {SIDE} pixels")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int for label in labels):
        raise pickle.UnpicklingError(f"{path} does not hold {len(pixels)} labels")
    return np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)), labels


@gather.register(CIFAR10.__getitem__)
def _gather(dataset: CIFAR10) -> gather.Gather | None:
    images, form = dataset.data, array_form(dataset.transform, channels=3)
    labels = gather.index_array(dataset.targets)
    if form is None or labels is None or dataset.target_transform is not None or len(labels) != len(images):
        return None
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[3:] != (3,):
        return None
    empty = form(np.empty((0, 3, *images.shape[1:3]), np.uint8))
    return gather.Gather(
        (
            gather.Column(
                lambda indices: form(dataset.data[indices].transpose(0, 3, 1, 2)), empty.dtype, empty.shape[1:]
            ),
            gather.Column(lambda indices: labels.take(indices), np.dtype(np.int64), ()),
        )
    )
