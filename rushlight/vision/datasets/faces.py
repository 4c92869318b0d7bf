"""Data sets of faces: CelebA, Labeled Faces in the Wild, WIDER FACE, FER2013."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import wrap
from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, Loader, Source, lines_of
from rushlight.vision.datasets.folder import default_loader, open_picture
from rushlight.vision.datasets.in_folders import one_or_all
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["FER2013", "CelebA", "LFWPairs", "LFWPeople", "WIDERFace"]


@dataclass(frozen=True)
class CSV:
    """A table: the names of its columns, the names of its rows, and its numbers."""

    header: list[str]
    index: list[str]
    data: Any


class CelebA(VisionDataset):
    """202 599 pictures of 10 177 celebrities, with 40 attributes. http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html

    Args:
        root: folder in which ``celeba`` is, or is to be.
        split: "train", "valid", "test" or "all".
        target_type: "attr", 40 zeros and ones; "identity", the person's number; "bbox", (x, y, width, height) in the
            original picture; "landmarks", 10 numbers; a list of these for targets that are tuples, empty for None.
        transform, target_transform: functions of the PIL image and of the target.
        download: fetch the files, with the package gdown, if they are not there.
    """

    base_folder = "celeba"
    file_list = [
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2", "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16", "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c", "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt"),
    ]

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        target_type: list[str] | str = "attr",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        parts = {"train": 0, "valid": 1, "test": 2, "all": None}
        self.split = split
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        if not self.target_type and self.target_transform is not None:
            raise RuntimeError("target_transform is specified but target_type is empty")
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        wanted = utils.verify_str_arg(split.lower() if isinstance(split, str) else split, "split", tuple(parts))
        self._read(parts[wanted])

    def _read(self, part: int | None) -> None:
        partition = self._load_csv("list_eval_partition.txt")
        rows = np.nonzero((partition.data[:, 0].numpy() == part) | (part is None))[0]
        self.filename = [partition.index[row] for row in rows]
        tables = ("identity_CelebA", None), ("list_bbox_celeba", 1), ("list_landmarks_align_celeba", 1)
        self.identity, self.bbox, self.landmarks_align = (
            self._load_csv(f"{name}.txt", header).data[rows] for name, header in tables
        )
        attributes = self._load_csv("list_attr_celeba.txt", 1)
        self.attr = (attributes.data[rows] + 1) // 2  # from -1 and 1
        self.attr_names = attributes.header

    def _file(self, name: str) -> Path:
        return Path(self.root, self.base_folder, name)

    def _load_csv(self, filename: str, header: int | None = None) -> CSV:
        with open(self._file(filename), newline="") as file:
            lines = list(csv.reader(file, delimiter=" ", skipinitialspace=True))
        start = 0 if header is None else header + 1
        rows = lines[start:]
        numbers = rushlight.tensor([[int(number) for number in row[1:]] for row in rows])
        return CSV([] if header is None else lines[header], [row[0] for row in rows], numbers)

    def _check_integrity(self) -> bool:
        lists = [(name, md5) for _, md5, name in self.file_list if not name.endswith(".zip")]
        whole = all(utils.check_integrity(self._file(name), md5) for name, md5 in lists)
        return whole and self._file("img_align_celeba").is_dir()

    def download(self) -> None:
        """Fetches and unpacks what the set is made of, unless it is there."""
        if self._check_integrity():
            return
        for file_id, md5, name in self.file_list:
            utils.download_file_from_google_drive(file_id, self._file(""), name, md5)
        utils.extract_archive(self._file("img_align_celeba.zip"))

    def _target(self, kind: str, index: int) -> Any:
        if kind == "identity":
            return self.identity[index, 0]
        table = {"attr": self.attr, "bbox": self.bbox, "landmarks": self.landmarks_align}.get(kind)
        if table is None:
            raise ValueError(f'Target type "{kind}" is not recognized.')
        return table[index, :]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self._file("img_align_celeba") / self.filename[index])
        target = one_or_all([self._target(kind, index) for kind in self.target_type])
        return self._transform_each(picture, target)

    def __len__(self) -> int:
        return len(self.attr)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}\nSplit: {self.split}"


class _LFW(VisionDataset):
    """What `LFWPeople` and `LFWPairs` have in common."""

    base_folder = "lfw-py"
    file_dict = {
        "original": ("lfw", "lfw.tgz", "a17d05bd522c52d84eca14327a23d494"),
        "funneled": ("lfw_funneled", "lfw-funneled.tgz", "1b42dfed7d15c9b2dd63d5e5840c86ad"),
        "deepfunneled": ("lfw-deepfunneled", "lfw-deepfunneled.tgz", "68331da3eb755a505a502b5aacb3c201"),
    }
    checksums = {
        "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
        "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
        "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
        "people.txt": "450f0863dd89e85e73936a6d71a3474b",
        "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
        "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
        "lfw-names.txt": "a6d0a479bd074669f656265a6e693f6d",
    }
    annot_file = {"10fold": "", "train": "DevTrain", "test": "DevTest"}
    names = "lfw-names.txt"
    view: str

    def __init__(
        self,
        root: str | Path,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(os.path.join(root, self.base_folder), transform=transform, target_transform=target_transform)
        self.image_set = utils.verify_str_arg(image_set.lower(), "image_set", self.file_dict)
        folder, self.filename, self.md5 = self.file_dict[self.image_set]
        self.split = utils.verify_str_arg(split.lower(), "split", self.annot_file)
        self.labels_file = f"{self.view}{self.annot_file[self.split]}.txt"
        if download:
            raise ValueError(
                "LFW dataset is no longer available for automatic download. "
                f"Please download it by hand and put it into {self.root}."
            )
        if not self._check_integrity():
            raise RuntimeError(f"Dataset not found or corrupted (looked in {self.root})")
        self.images_dir = os.path.join(self.root, folder)
        self._loader = loader
        self.data: list[Any] = []
        self.targets: list[int] = []
        self._read()

    def _read(self) -> None:
        """Fills `data` and `targets`."""
        raise NotImplementedError

    def _check_integrity(self) -> bool:
        needed = {self.filename: self.md5, self.labels_file: self.checksums[self.labels_file]}
        if self.view == "people":
            needed[self.names] = self.checksums[self.names]
        return all(utils.check_integrity(os.path.join(self.root, name), md5) for name, md5 in needed.items())

    def _lines(self) -> Iterator[list[str]]:
        """The fields of the list's lines, one after the other."""
        return (line.split("\t") for line in lines_of(os.path.join(self.root, self.labels_file)))

    def _get_path(self, identity: str, no: int | str) -> str:
        return os.path.join(self.images_dir, identity, f"{identity}_{int(no):04d}.jpg")

    def extra_repr(self) -> str:
        return f"Alignment: {self.image_set}\nSplit: {self.split}"

    def __len__(self) -> int:
        return len(self.data)


class LFWPeople(_LFW):
    """Labeled Faces in the Wild, with the person's number. http://vis-www.cs.umass.edu/lfw/

    Args:
        root: folder in which ``lfw-py`` is, with the archive, unpacked, and the lists.
        split: "10fold", "train" or "test".
        image_set: "original", "funneled" or "deepfunneled": how the faces are aligned.
        transform, target_transform: functions of the picture and of the label.
        download: raises ValueError: the set must be fetched by hand.
        loader: reads a picture.
    """

    view = "people"

    def _read(self) -> None:
        names = lines_of(os.path.join(self.root, self.names))
        self.class_to_idx = {line.split()[0]: number for number, line in enumerate(names)}
        lines = self._lines()
        for _ in range(int(next(lines)[0]) if self.split == "10fold" else 1):
            for _ in range(int(next(lines)[0])):
                person, count = next(lines)
                self.data += [self._get_path(person, number) for number in range(1, int(count) + 1)]
                self.targets += [self.class_to_idx[person]] * int(count)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transform_each(self._loader(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}\nClasses (identities): {len(self.class_to_idx)}"


class LFWPairs(_LFW):
    """Pairs of Labeled Faces in the Wild; the label is 1 for one person, 0 for two. Arguments as for `LFWPeople`."""

    view = "pairs"

    def _read(self) -> None:
        self.pair_names: list[tuple[str, str]] = []
        lines = self._lines()
        first = next(lines)
        folds, count = (int(first[0]), int(first[1])) if self.split == "10fold" else (1, int(first[0]))
        for _ in range(folds):
            for same in (1, 0):
                for _ in range(count):
                    self._add(next(lines), same)

    def _add(self, fields: list[str], same: int) -> None:
        """A line: person, number, number; or person, number, person, number."""
        one, no, other, other_no = (fields[0], fields[1], fields[0], fields[2]) if same else fields
        self.pair_names.append((one, other))
        self.data.append((self._get_path(one, no), self._get_path(other, other_no)))
        self.targets.append(same)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        one, other = (self._loader(path) for path in self.data[index])
        if self.transform is not None:
            one, other = self.transform(one), self.transform(other)
        target = self.targets[index]
        return one, other, target if self.target_transform is None else self.target_transform(target)


class WIDERFace(Fetched, VisionDataset):
    """Faces among other things, with boxes. http://shuoyang1213.me/WIDERFACE/

    A target is a dictionary of tensors: "bbox" (n, 4) as x, y, width, height, "blur", "expression", "illumination",
    "occlusion", "pose" and "invalid"; None for the test set.

    Args:
        root: folder in which ``widerface`` is, or is to be.
        split: "train", "val" or "test".
        transform, target_transform: functions of the PIL image and of the target.
        download: fetch the files, with the package gdown, if they are not there.
    """

    BASE_FOLDER = "widerface"
    FILE_LIST = [
        ("15hGDLhsx8bLgLcIRD5DhYt5iBxnjNF1M", "3fedf70df600953d25982bcd13d91ba2", "WIDER_train.zip"),
        ("1GUCogbp16PMGa39thoMMeWxp7Rp5oM8Q", "dfa7d7e790efa35df3788964cf0bbaea", "WIDER_val.zip"),
        ("1HIfDbVEWKmsYKJZm4lchTBDLW5N7dY5T", "e5d8f4248ed24c334bbd12f49c29dd40", "WIDER_test.zip"),
    ]
    ANNOTATIONS_FILE = (
        "http://shuoyang1213.me/WIDERFACE/support/bbx_annotation/wider_face_split.zip",
        "0e3767bcf0e326556d407bf5bff5d27c",
        "wider_face_split.zip",
    )
    _KINDS = ("blur", "expression", "illumination", "occlusion", "pose", "invalid")

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        folder = os.path.join(root, self.BASE_FOLDER)
        super().__init__(folder, transform=transform, target_transform=target_transform)
        self.split = utils.verify_str_arg(split, "split", ("train", "val", "test"))
        names = [name for *_, name in (*self.FILE_LIST, self.ANNOTATIONS_FILE)]
        needed = [Path(self.root, name.removesuffix(".zip")) for name in names]
        self._ensure(download, Source([self.ANNOTATIONS_FILE[:2]], Path(self.root), needed))
        self.img_info = self._test_pictures() if split == "test" else list(self._annotated())

    def download(self) -> None:
        """Fetches and unpacks what the set is made of, unless it is there."""
        if self._check_exists():
            return
        for file_id, md5, name in self.FILE_LIST:
            utils.download_file_from_google_drive(file_id, self.root, name, md5)
            utils.extract_archive(Path(self.root, name))
        super().download()

    def _path(self, name: str) -> str:
        return os.path.abspath(os.path.join(self.root, f"WIDER_{self.split}", "images", name))

    def _test_pictures(self) -> list[dict[str, Any]]:
        names = lines_of(Path(self.root, "wider_face_split", "wider_face_test_filelist.txt"))
        return [{"img_path": self._path(name)} for name in names]

    def _annotated(self) -> Iterator[dict[str, Any]]:
        """A picture's name, how many faces, and a line for each; where there is none, a line of zeros."""
        lines = iter(lines_of(Path(self.root, "wider_face_split", f"wider_face_{self.split}_bbx_gt.txt")))
        for name in lines:
            faces = [list(map(int, next(lines).split())) for _ in range(max(1, int(next(lines))))]
            table = rushlight.tensor(faces)
            kinds = {kind: table[:, 4 + column].clone() for column, kind in enumerate(self._KINDS)}
            yield {"img_path": self._path(name), "annotations": {"bbox": table[:, :4].clone(), **kinds}}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        info = self.img_info[index]
        return self._transform_each(open_picture(info["img_path"]), info.get("annotations"))

    def __len__(self) -> int:
        return len(self.img_info)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


class FER2013(VisionDataset):
    """Grey faces of 48 by 48 pixels with 7 expressions.

    https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge

    Args:
        root: folder in which ``fer2013`` is, with ``fer2013.csv``, ``icml_face_data.csv``, or ``train.csv`` and
            ``test.csv``, which has no labels: targets are None.
        split: "train" or "test".
        transform, target_transform: functions of the PIL image and of the label.
    """

    _RESOURCES = {
        "train": ("train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"),
        "test": ("test.csv", "b02c2298636a634e8c2faabbf3ea9a23"),
        "fer": ("fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"),
        "icml": ("icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d"),
    }
    _USAGES = {"train": ("Training",), "test": ("PublicTest", "PrivateTest")}

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self._split = utils.verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        folder = Path(self.root) / "fer2013"
        there = (kind for kind in ("fer", "icml") if (folder / self._RESOURCES[kind][0]).exists())
        name, md5 = self._RESOURCES[next(there, split)]
        if not utils.check_integrity(folder / name, md5):
            raise RuntimeError(
                f"{name} not found in {folder} or corrupted. You can download it from https://www.kaggle.com/c/"
                "challenges-in-representation-learning-facial-expression-recognition-challenge"
            )
        self._samples = list(self._read(folder / name))

    def _read(self, path: Path) -> Iterator[tuple[Any, int | None]]:
        with open(path, newline="") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                if row.get("Usage") in (None, *self._USAGES[self._split]):
                    pixels = np.array(row["pixels"].split(), np.uint8).reshape(48, 48)
                    yield wrap(pixels), int(row["emotion"]) if "emotion" in row else None

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        from PIL import Image

        pixels, target = self._samples[idx]
        return self._transform_each(Image.fromarray(pixels.numpy()), target)

    def __len__(self) -> int:
        return len(self._samples)

    def extra_repr(self) -> str:
        return f"split={self._split}"
