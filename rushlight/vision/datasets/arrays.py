"""Data sets whose pictures are read into one array: SVHN, STL10, USPS, SEMEION.

``data`` holds the pictures, grey (N, H, W) or in colour (N, 3, H, W), as uint8. A sample is ``(PIL image, int)``; with
transforms that are known (`ToTensor`, `Normalize`) samples and whole batches are computed from the array, with the
same numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rushlight.data import gather
from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, Source, lines_of, load_mat
from rushlight.vision.datasets.vision import Transform, VisionDataset
from rushlight.vision.transforms.array_form import ArrayForm, array_form

__all__ = ["SEMEION", "STL10", "SVHN", "USPS", "PictureArray"]

Array = np.ndarray[Any, Any]


class PictureArray(Fetched, VisionDataset):
    """Pictures in the array ``data``, each with a label."""

    data: Array
    _label_attribute = "labels"

    @property
    def _channels(self) -> int:
        return 1 if self.data.ndim == 3 else self.data.shape[1]

    def _form(self) -> ArrayForm | None:
        """What the transform does to the array, if that is known."""
        return array_form(self.transform, self._channels) if _holds_pictures(self.data) else None

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pixels, target = self.data[index], int(getattr(self, self._label_attribute)[index])
        form = self._form()
        if form is None:
            return self._transform_each(_to_image(pixels), target)
        picture = wrap(form(_with_channels(pixels[None]))[0])
        return picture, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.data)


def _holds_pictures(data: Any) -> bool:
    return isinstance(data, np.ndarray) and data.dtype == np.uint8 and (data.ndim == 3 or data.shape[1:2] == (3,))


def _with_channels(pictures: Array) -> Array:
    return pictures[:, None] if pictures.ndim == 3 else pictures


def _to_image(pixels: Array) -> Any:
    from PIL import Image

    return Image.fromarray(pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0))


@gather.register(PictureArray.__getitem__)
def _gather(dataset: PictureArray) -> gather.Gather | None:
    form = dataset._form()
    labels = gather.index_array(getattr(dataset, dataset._label_attribute))
    if form is None or labels is None or dataset.target_transform is not None or len(labels) != len(dataset.data):
        return None
    empty = form(np.empty((0, dataset._channels, *dataset.data.shape[-2:]), np.uint8))
    return gather.Gather(
        (
            gather.Column(lambda indices: form(_with_channels(dataset.data[indices])), empty.dtype, empty.shape[1:]),
            gather.Column(lambda indices: labels.take(indices), np.dtype(np.int64), ()),
        )
    )


class SVHN(PictureArray):
    """House numbers: colour pictures of 32 by 32 pixels of digits. http://ufldl.stanford.edu/housenumbers/

    ``data`` is (N, 3, 32, 32), ``labels`` an int64 array of 0 to 9 (the files say 10 for the digit 0). SciPy reads
    the files.

    Args:
        root: folder of the files.
        split: "train" (73 257), "test" (26 032) or "extra" (531 131 easier ones to train with).
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the file if it is not there.
    """

    split_list = {
        split: [f"http://ufldl.stanford.edu/housenumbers/{split}_32x32.mat", f"{split}_32x32.mat", md5]
        for split, md5 in (
            ("train", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            ("test", "eb5a983be6a315427106f1b164d9cef3"),
            ("extra", "a93ce644f1a588dc4d68dda5feec44a7"),
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
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = utils.verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[split]
        path = Path(self.root, self.filename)
        self._ensure(download, Source([(self.url, self.file_md5)], Path(self.root), [(path, self.file_md5)]))
        self.data, self.labels = _read_svhn(path)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def _read_svhn(path: Path) -> tuple[Array, Array]:
    content = load_mat(path)
    pixels, digits = content.get("X"), content.get("y")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[2] != 3:
        raise RuntimeError(f"{path} holds no pictures (H, W, 3, N)")
    if not isinstance(digits, np.ndarray) or digits.size != pixels.shape[3]:
        raise RuntimeError(f"{path} does not hold {pixels.shape[3]} labels")
    labels = digits.astype(np.int64).reshape(-1)
    labels[labels == 10] = 0
    return pixels.transpose(3, 2, 0, 1), labels


class STL10(PictureArray):
    """Colour pictures of 96 by 96 pixels in 10 classes, and many without labels. https://cs.stanford.edu/~acoates/stl10

    ``data`` is (N, 3, 96, 96), ``labels`` an array, -1 where there is none.

    Args:
        root: folder in which ``stl10_binary`` is, or is to be.
        split: "train" (5 000), "test" (8 000), "unlabeled" (100 000) or "train+unlabeled".
        folds: of the training pictures, the 1 000 of this fold (0 to 9) only.
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the archive if the files are not there.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list = [["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"], ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"]]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        folds: int | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = utils.verify_str_arg(split, "split", self.splits)
        self.folds = _verify_folds(folds)
        needed = [(self._file(name), md5) for name, md5 in self.train_list + self.test_list]
        self._ensure(download, Source([(self.url, self.tgz_md5)], Path(self.root), needed))
        parts = [self._read_part(part) for part in split.split("+")]
        self.data = np.concatenate([images for images, _ in parts]) if len(parts) > 1 else parts[0][0]
        self.labels = np.concatenate([labels for _, labels in parts]) if len(parts) > 1 else parts[0][1]
        names = self._file(self.class_names_file)
        if names.is_file():
            self.classes = names.read_text().splitlines()

    def _file(self, name: str) -> Path:
        return Path(self.root, self.base_folder, name)

    def _read_part(self, part: str) -> tuple[Array, Array]:
        flat = np.fromfile(self._file(f"{part}_X.bin"), np.uint8)
        images = flat.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)  # the files go down the columns
        if part == "unlabeled":
            return images, np.full(len(images), -1)
        labels = np.fromfile(self._file(f"{part}_y.bin"), np.uint8) - 1
        if part == "train" and self.folds is not None:
            chosen = np.array(lines_of(self._file(self.folds_list_file))[self.folds].split(), np.int64)
            return images[chosen], labels[chosen]
        return images, labels

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def _verify_folds(folds: Any) -> int | None:
    if folds is not None and not isinstance(folds, int):
        raise ValueError(f"Expected type None or int for argument folds, but got type {type(folds)}.")
    if folds is not None and folds not in range(10):
        raise ValueError(f"Value for argument folds should be in the range [0, 10), but got {folds}.")
    return folds


class USPS(PictureArray):
    """Handwritten digits of 16 by 16 grey pixels, in the format of LIBSVM: 7 291 to train, 2 007 to test.

    https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps. ``targets`` is a list of 0 to 9.

    Args:
        root: folder of the files.
        train: the training or the test set.
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the file if it is not there.
    """

    split_list = {
        split: [f"https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/{name}", name, md5]
        for split, name, md5 in (
            ("train", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"),
            ("test", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"),
        )
    }
    _label_attribute = "targets"

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        url, name, md5 = self.split_list["train" if train else "test"]
        path = Path(self.root, name)
        self._ensure(download, Source([(url, md5)], Path(self.root), [path]))
        self.data, self.targets = _read_usps(path)


def _read_usps(path: Path) -> tuple[Array, list[int]]:
    """Lines of ``label index:value ...``: labels from 1, values from -1 to 1."""
    import bz2

    with bz2.open(path, "rt") as file:
        rows = [line.split() for line in file]
    values = np.array([[entry.rpartition(":")[2] for entry in row[1:]] for row in rows], np.float32)
    return ((values.reshape(-1, 16, 16) + 1) / 2 * 255).astype(np.uint8), [int(row[0]) - 1 for row in rows]


class SEMEION(PictureArray):
    """1 593 handwritten digits of 16 by 16 pixels, black or white.

    http://archive.ics.uci.edu/ml/datasets/semeion+handwritten+digit

    Args:
        root: folder of the file.
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the file if it is not there.
    """

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = Path(self.root, self.filename)
        self._ensure(download, Source([(self.url, self.md5_checksum)], Path(self.root), [(path, self.md5_checksum)]))
        rows = np.loadtxt(path)
        self.data = (rows[:, :256] * 255).astype(np.uint8).reshape(-1, 16, 16)
        self.labels = np.nonzero(rows[:, 256:])[1]
