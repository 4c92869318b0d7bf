"""MNIST and its relatives: small grey pictures with a label, in IDX files.

The files are at ``<root>/<name>/raw``, compressed or not. With ``download=True`` what is missing is fetched: MNIST
from the copy that comes with Rushlight's source, else from the mirrors, checked by MD5. The whole set is read at once:
``data`` holds the pictures (N, 28, 28) uint8, ``targets`` the labels (N) int64. A sample is ``(PIL image, int)``; with
transforms that are known (`ToTensor`, `Normalize`) samples and whole batches are computed from the array, with the same
numbers.
"""

from __future__ import annotations

import os
import string
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np

from rushlight.data import gather
from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.idx import IdxError, read_idx
from rushlight.vision.datasets.vision import Transform, VisionDataset
from rushlight.vision.transforms.array_form import array_form

if TYPE_CHECKING:
    from rushlight import Tensor

__all__ = ["EMNIST", "FashionMNIST", "KMNIST", "MNIST", "QMNIST"]


class MNIST(VisionDataset):
    """Handwritten digits: 60 000 to train, 10 000 to test. http://yann.lecun.com/exdb/mnist/

    Args:
        root: folder in which ``MNIST/raw`` with the files is, or is to be.
        train: the training set, or the test set.
        transform: a function of the PIL image.
        target_transform: a function of the label.
        download: fetch the files if they are not there.

    Raises:
        RuntimeError: the files are not there and ``download`` is False, or they are not what they should be.
        URLError: they cannot be downloaded.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources: Any = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file = "training.pt"
    test_file = "test.pt"
    classes: list[str] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    data: Tensor
    targets: Tensor

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
        if not self._check_exists():
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it"
                f" (looked for {', '.join(self._file_names())} in {self.raw_folder})"
            )
        self.data, self.targets = self._load_data()

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old releases of torchvision kept processed files."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """From class name to label."""
        return {name: label for label, name in enumerate(self.classes)}

    def _file_names(self) -> tuple[str, ...]:
        """The files that this part of the set is read from, pictures and labels, without a suffix for compression."""
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _find(self, name: str) -> Path | None:
        plain = Path(self.raw_folder, name)
        candidates = (plain, plain.with_name(name + ".gz"), plain.with_name(name + ".xz"))
        return next((path for path in candidates if path.is_file()), None)

    def _check_exists(self) -> bool:
        return all(self._find(name) is not None for name in self._file_names())

    def _load_data(self) -> tuple[Any, Any]:
        images, labels = (self._read(name) for name in self._file_names())
        if images.ndim != 3 or images.dtype != np.uint8:
            raise IdxError(f"{self._find(self._file_names()[0])} holds no pictures: {images.dtype} {images.shape}")
        if labels.ndim != 1 or labels.dtype != np.uint8 or len(labels) != len(images):
            raise IdxError(
                f"{self._find(self._file_names()[1])} holds no labels for {len(images)} pictures: "
                f"{labels.dtype} {labels.shape}"
            )
        return wrap(images), wrap(labels.astype(np.int64))

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        path = self._find(name)
        if path is None:
            raise FileNotFoundError(os.path.join(self.raw_folder, name))
        return read_idx(path)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = self.data[index]
        target: Any = int(self.targets[index])
        form = array_form(self.transform)
        if form is not None and image.dim() == 2:
            picture: Any = wrap(form(image.realized_array()[None, None])[0])
        else:
            picture = _to_image(image)
            if self.transform is not None:
                picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"

    def download(self) -> None:
        """Fetches the files that are not there yet."""
        for file_name, md5 in self._resources():
            if self._find(os.path.splitext(file_name)[0]) is None:
                self._fetch(file_name, md5)

    def _resources(self) -> list[tuple[str, str]]:
        return list(self.resources)

    def _fetch(self, file_name: str, md5: str) -> None:
        folder = Path(self.raw_folder)
        shipped = _shipped_copy(type(self).__name__, file_name)
        if shipped is not None:
            utils.copy_file(shipped, folder / file_name)
        else:
            self._fetch_from_mirrors(file_name, md5, folder)
        # Unpacked once, the set is read ten times as fast ever after.
        utils.extract_archive(folder / file_name, folder)

    def _fetch_from_mirrors(self, file_name: str, md5: str, folder: Path) -> None:
        errors = []
        for mirror in self.mirrors:
            try:
                utils.download_url(f"{mirror}{file_name}", folder, file_name, md5)
                return
            except (URLError, RuntimeError) as error:
                errors.append(str(getattr(error, "reason", error)))
        raise RuntimeError(f"Error downloading {file_name}:\n" + "\n".join(errors))

    @property
    def train_labels(self) -> Any:
        """The old name of ``targets``."""
        warnings.warn("train_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def test_labels(self) -> Any:
        """The old name of ``targets``."""
        warnings.warn("test_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def train_data(self) -> Any:
        """The old name of ``data``."""
        warnings.warn("train_data has been renamed data", stacklevel=2)
        return self.data

    @property
    def test_data(self) -> Any:
        """The old name of ``data``."""
        warnings.warn("test_data has been renamed data", stacklevel=2)
        return self.data


def _to_image(pixels: Tensor) -> Any:
    from PIL import Image

    return Image.fromarray(pixels.numpy())


def _shipped_copy(name: str, file_name: str) -> Path | None:
    """The file in the ``data`` folder of Rushlight's source, or of the current directory; None where it is not."""
    import rushlight

    homes = [Path.cwd()]
    if rushlight.__file__ is not None:
        homes.insert(0, Path(rushlight.__file__).parents[1])
    candidates = (home / "data" / name / "raw" / file_name for home in homes)
    return next((path for path in candidates if path.is_file()), None)


class FashionMNIST(MNIST):
    """Pictures of clothes, in the form of MNIST. https://github.com/zalandoresearch/fashion-mnist"""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Handwritten hiragana, in the form of MNIST. http://codh.rois.ac.jp/kmnist/"""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


_ALPHANUMERIC = set(string.digits + string.ascii_letters)
_LETTERS_LIKE_THEIR_CAPITALS = set("cijklmopsuvwxyz")


class EMNIST(MNIST):
    """Handwritten letters and digits. https://www.nist.gov/itl/products-and-services/emnist-dataset

    Args:
        split: one of ``byclass``, ``bymerge``, ``balanced``, ``letters``, ``digits`` and ``mnist``.
        kwargs: those of `MNIST`.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict = {
        "byclass": sorted(_ALPHANUMERIC),
        "bymerge": sorted(_ALPHANUMERIC - _LETTERS_LIKE_THEIR_CAPITALS),
        "balanced": sorted(_ALPHANUMERIC - _LETTERS_LIKE_THEIR_CAPITALS),
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        self.split = utils.verify_str_arg(split, "split", self.splits)
        self.training_file = f"training_{split}.pt"
        self.test_file = f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    def _file_names(self) -> tuple[str, ...]:
        stem = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"

    def download(self) -> None:
        """Fetches the archive of all splits, if this one's files are not there."""
        if self._check_exists():
            return
        folder = Path(self.raw_folder)
        utils.download_and_extract_archive(self.url, folder, md5=self.md5)
        for packed in (folder / "gzip").glob("*.gz"):
            utils.extract_archive(packed, folder)


class QMNIST(MNIST):
    """MNIST with more test pictures, and for each where it comes from. https://github.com/facebookresearch/qmnist

    Args:
        what: ``train``, ``test``, ``test10k``, ``test50k`` or ``nist``; by default what ``train`` says.
        compat: the target is the label; otherwise all eight numbers that are known of a picture.
        train: the training or the test set.
        kwargs: ``transform``, ``target_transform`` and ``download``, as for `MNIST`.
    """

    subsets = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    mirrors = ["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"]
    resources = {
        "train": [
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            ("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }
    _ranges = {"test10k": slice(0, 10000), "test50k": slice(10000, None)}

    def __init__(
        self, root: str | Path, what: str | None = None, compat: bool = True, train: bool = True, **kwargs: Any
    ) -> None:
        what = ("train" if train else "test") if what is None else what
        self.what = utils.verify_str_arg(what, "what", tuple(self.subsets))
        self.compat = compat
        super().__init__(root, train, **kwargs)

    def _resources(self) -> list[tuple[str, str]]:
        return list(self.resources[self.subsets[self.what]])

    def _file_names(self) -> tuple[str, ...]:
        return tuple(os.path.splitext(name)[0] for name, _ in self._resources())

    def _load_data(self) -> tuple[Any, Any]:
        images, labels = (self._read(name) for name in self._file_names())
        if images.ndim != 3 or images.dtype != np.uint8:
            raise IdxError(f"QMNIST's pictures are no pictures: {images.dtype} {images.shape}")
        if labels.ndim != 2 or labels.dtype != np.int32 or len(labels) != len(images):
            raise IdxError(f"QMNIST's labels do not fit {len(images)} pictures: {labels.dtype} {labels.shape}")
        part = self._ranges.get(self.what, slice(None))
        return wrap(images[part].copy()), wrap(labels[part].astype(np.int64))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = _to_image(self.data[index])
        target: Any = int(self.targets[index][0]) if self.compat else self.targets[index]
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def extra_repr(self) -> str:
        return f"Split: {self.what}"


@gather.register(MNIST.__getitem__)
def _gather(dataset: MNIST) -> gather.Gather | None:
    form = array_form(dataset.transform)
    images = gather.tensor_column(dataset.data)
    labels = gather.tensor_column(dataset.targets)
    if form is None or dataset.target_transform is not None or images is None or labels is None:
        return None
    if images.dtype != np.uint8 or len(images.shape) != 2 or labels.shape != () or labels.dtype.kind not in "iu":
        return None
    empty = form(np.empty((0, 1, *images.shape), np.uint8))
    return gather.Gather(
        (
            gather.Column(lambda indices: form(images.take(indices)[:, None]), empty.dtype, empty.shape[1:]),
            gather.Column(lambda indices: labels.take(indices).astype(np.int64), np.dtype(np.int64), ()),
        )
    )
