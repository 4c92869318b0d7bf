"""Data sets whose targets are boxes, masks or captions: VOC, COCO, Cityscapes, SBD, Kitti, Oxford's pets, Flickr, SBU.

Picture and target go through ``transforms`` together where both are cut or turned.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, Loader, Source, lines_of, load_mat
from rushlight.vision.datasets.folder import default_loader, open_picture
from rushlight.vision.datasets.in_folders import one_or_all
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = [
    "SBU",
    "Cityscapes",
    "Flickr8k",
    "Flickr30k",
    "Kitti",
    "OxfordIIITPet",
    "SBDataset",
    "VOCDetection",
    "VOCSegmentation",
]

Transforms = Callable[..., Any]

# Folder on the server, archive, MD5, and the folder that the set's is in.
VOC = {
    "2012": ("voc2012", "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", "VOCdevkit"),
    "2011": ("voc2011", "VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e", "TrainVal/VOCdevkit"),
    "2010": ("voc2010", "VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb", "VOCdevkit"),
    "2009": ("voc2009", "VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1", "VOCdevkit"),
    "2008": ("voc2008", "VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a", "VOCdevkit"),
    "2007": ("voc2007", "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64", "VOCdevkit"),
    "2007-test": ("voc2007", "VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f", "VOCdevkit"),
}


class _VOC(Fetched, VisionDataset):
    """What `VOCSegmentation` and `VOCDetection` have in common."""

    _SPLITS_DIR: str
    _TARGET_DIR: str
    _TARGET_FILE_EXT: str

    def __init__(
        self,
        root: str | Path,
        year: str = "2012",
        image_set: str = "train",
        download: bool = False,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year = utils.verify_str_arg(year, "year", [str(known) for known in range(2007, 2013)])
        known = ["train", "trainval", "val", *(["test"] if year == "2007" else [])]
        self.image_set = utils.verify_str_arg(image_set, "image_set", known)
        place, self.filename, self.md5, base = VOC["2007-test" if (year, image_set) == ("2007", "test") else year]
        self.url = f"https://thor.robots.ox.ac.uk/pascal/VOC/{place}/{self.filename}"
        folder = Path(self.root, base, f"VOC{year}")
        split = folder / "ImageSets" / self._SPLITS_DIR / f"{image_set}.txt"
        self._ensure(download, Source([(self.url, self.md5)], Path(self.root), [split]))
        names = lines_of(split)
        self.images = [str(folder / "JPEGImages" / f"{name}.jpg") for name in names]
        self.targets = [str(folder / self._TARGET_DIR / f"{name}{self._TARGET_FILE_EXT}") for name in names]

    def _load_target(self, path: str) -> Any:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self.images[index], "RGB")
        return self._transform_both(picture, self._load_target(self.targets[index]))

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOC):
    """Pascal VOC with masks: the target is a PIL image. https://www.robots.ox.ac.uk/~vgg/projects/pascal/VOC/

    Args:
        root: folder in which ``VOCdevkit`` is, or is to be.
        year: "2007" to "2012".
        image_set: "train", "trainval", "val", for 2007 also "test".
        download: fetch the archive if the pictures are not there.
        transform, target_transform, transforms: functions of the picture, of the target, or of both.
    """

    _SPLITS_DIR = "Segmentation"
    _TARGET_DIR = "SegmentationClass"
    _TARGET_FILE_EXT = ".png"

    @property
    def masks(self) -> list[str]:
        """The files of the masks."""
        return self.targets

    def _load_target(self, path: str) -> Any:
        return open_picture(path)


class VOCDetection(_VOC):
    """Pascal VOC with boxes: the target is an XML tree in dictionaries. Arguments as for `VOCSegmentation`."""

    _SPLITS_DIR = "Main"
    _TARGET_DIR = "Annotations"
    _TARGET_FILE_EXT = ".xml"

    @property
    def annotations(self) -> list[str]:
        """The files of the boxes."""
        return self.targets

    def _load_target(self, path: str) -> Any:
        from xml.etree.ElementTree import parse

        return self.parse_voc_xml(parse(path).getroot())

    @staticmethod
    def parse_voc_xml(node: Any) -> dict[str, Any]:
        """A node as {its name: text, or a dictionary of its children}; children of one name are a list."""
        if len(node) == 0:
            return {node.tag: node.text.strip()} if node.text else {}
        found: dict[str, list[Any]] = defaultdict(list)
        for child in node:
            for name, value in VOCDetection.parse_voc_xml(child).items():
                found[name].append(value)
        if node.tag == "annotation":
            found["object"] = [found["object"]]  # a list, also of one object
        return {node.tag: {name: values[0] if len(values) == 1 else values for name, values in found.items()}}


class CityscapesClass(NamedTuple):
    """What is known of a class."""

    name: str
    id: int
    train_id: int
    category: str
    category_id: int
    has_instances: bool
    ignore_in_eval: bool
    color: tuple[int, int, int]


class Cityscapes(VisionDataset):
    """Streets of 50 cities, with masks. http://www.cityscapes-dataset.com/

    Args:
        root: folder of ``leftImg8bit`` and ``gtFine`` or ``gtCoarse``, or of their archives.
        split: "train", "val", or for fine masks "test", for coarse ones "train_extra".
        mode: "fine" or "coarse".
        target_type: "instance", "semantic", "color", which are PIL images, or "polygon", a dictionary; or a list of
            these for targets that are tuples.
        transform, target_transform, transforms: functions of the picture, of the target, or of both.
    """

    CityscapesClass = CityscapesClass
    classes = [
        CityscapesClass("unlabeled", 0, 255, "void", 0, False, True, (0, 0, 0)),
        CityscapesClass("ego vehicle", 1, 255, "void", 0, False, True, (0, 0, 0)),
        CityscapesClass("rectification border", 2, 255, "void", 0, False, True, (0, 0, 0)),
        CityscapesClass("out of roi", 3, 255, "void", 0, False, True, (0, 0, 0)),
        CityscapesClass("static", 4, 255, "void", 0, False, True, (0, 0, 0)),
        CityscapesClass("dynamic", 5, 255, "void", 0, False, True, (111, 74, 0)),
        CityscapesClass("ground", 6, 255, "void", 0, False, True, (81, 0, 81)),
        CityscapesClass("road", 7, 0, "flat", 1, False, False, (128, 64, 128)),
        CityscapesClass("sidewalk", 8, 1, "flat", 1, False, False, (244, 35, 232)),
        CityscapesClass("parking", 9, 255, "flat", 1, False, True, (250, 170, 160)),
        CityscapesClass("rail track", 10, 255, "flat", 1, False, True, (230, 150, 140)),
        CityscapesClass("building", 11, 2, "construction", 2, False, False, (70, 70, 70)),
        CityscapesClass("wall", 12, 3, "construction", 2, False, False, (102, 102, 156)),
        CityscapesClass("fence", 13, 4, "construction", 2, False, False, (190, 153, 153)),
        CityscapesClass("guard rail", 14, 255, "construction", 2, False, True, (180, 165, 180)),
        CityscapesClass("bridge", 15, 255, "construction", 2, False, True, (150, 100, 100)),
        CityscapesClass("tunnel", 16, 255, "construction", 2, False, True, (150, 120, 90)),
        CityscapesClass("pole", 17, 5, "object", 3, False, False, (153, 153, 153)),
        CityscapesClass("polegroup", 18, 255, "object", 3, False, True, (153, 153, 153)),
        CityscapesClass("traffic light", 19, 6, "object", 3, False, False, (250, 170, 30)),
        CityscapesClass("traffic sign", 20, 7, "object", 3, False, False, (220, 220, 0)),
        CityscapesClass("vegetation", 21, 8, "nature", 4, False, False, (107, 142, 35)),
        CityscapesClass("terrain", 22, 9, "nature", 4, False, False, (152, 251, 152)),
        CityscapesClass("sky", 23, 10, "sky", 5, False, False, (70, 130, 180)),
        CityscapesClass("person", 24, 11, "human", 6, True, False, (220, 20, 60)),
        CityscapesClass("rider", 25, 12, "human", 6, True, False, (255, 0, 0)),
        CityscapesClass("car", 26, 13, "vehicle", 7, True, False, (0, 0, 142)),
        CityscapesClass("truck", 27, 14, "vehicle", 7, True, False, (0, 0, 70)),
        CityscapesClass("bus", 28, 15, "vehicle", 7, True, False, (0, 60, 100)),
        CityscapesClass("caravan", 29, 255, "vehicle", 7, True, True, (0, 0, 90)),
        CityscapesClass("trailer", 30, 255, "vehicle", 7, True, True, (0, 0, 110)),
        CityscapesClass("train", 31, 16, "vehicle", 7, True, False, (0, 80, 100)),
        CityscapesClass("motorcycle", 32, 17, "vehicle", 7, True, False, (0, 0, 230)),
        CityscapesClass("bicycle", 33, 18, "vehicle", 7, True, False, (119, 11, 32)),
        CityscapesClass("license plate", -1, -1, "vehicle", 7, False, True, (0, 0, 142)),
    ]
    _SUFFIXES = {
        "instance": "instanceIds.png",
        "semantic": "labelIds.png",
        "color": "color.png",
        "polygon": "polygons.json",
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        mode: str = "fine",
        target_type: list[str] | str = "instance",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        utils.verify_str_arg(mode, "mode", ("fine", "coarse"))
        known = ("train", "test", "val") if mode == "fine" else ("train", "train_extra", "val")
        listed = utils.iterable_to_str(known)
        message = f"Unknown value '{split}' for argument split if mode is '{mode}'. Valid values are {{{listed}}}."
        self.split = utils.verify_str_arg(split, "split", known, message)
        self.mode = "gtFine" if mode == "fine" else "gtCoarse"
        self.images_dir = os.path.join(self.root, "leftImg8bit", split)
        self.targets_dir = os.path.join(self.root, self.mode, split)
        types = target_type if isinstance(target_type, list) else [target_type]
        self.target_type = [utils.verify_str_arg(t, "target_type", tuple(self._SUFFIXES)) for t in types]
        self._unpack()
        self.images: list[str] = []
        self.targets: list[list[str]] = []
        for path in sorted(Path(self.images_dir).glob("*/*")):
            stem = os.path.join(self.targets_dir, path.parent.name, path.name.split("_leftImg8bit")[0])
            self.images.append(str(path))
            self.targets.append([f"{stem}_{self.mode}_{self._SUFFIXES[kind]}" for kind in self.target_type])

    def _unpack(self) -> None:
        """Unpacks the archives, if they are there and the folders are not."""
        if os.path.isdir(self.images_dir) and os.path.isdir(self.targets_dir):
            return
        pictures = "leftImg8bit_trainextra.zip" if self.split == "train_extra" else "leftImg8bit_trainvaltest.zip"
        masks = "gtFine_trainvaltest.zip" if self.mode == "gtFine" else "gtCoarse.zip"
        archives = [Path(self.root, pictures), Path(self.root, masks)]
        if not all(archive.is_file() for archive in archives):
            raise RuntimeError(
                "Dataset not found or incomplete. Please make sure all required folders for the"
                ' specified "split" and "mode" are inside the "root" directory'
            )
        for archive in archives:
            utils.extract_archive(archive, self.root)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self.images[index], "RGB")
        return self._transform_both(picture, one_or_all([_mask_or_json(path) for path in self.targets[index]]))

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nMode: {self.mode}\nType: {self.target_type}"


def _mask_or_json(path: str) -> Any:
    return json.loads(Path(path).read_text()) if path.endswith(".json") else open_picture(path)


class SBDataset(Fetched, VisionDataset):
    """Semantic boundaries of pictures of Pascal VOC 2011. http://home.bharathh.info/pubs/codes/SBD/download.html

    Args:
        root: folder of the set: ``img``, ``cls`` and the lists.
        image_set: "train", "val" or "train_noval", which has none of VOC 2012's pictures to validate.
        mode: "boundaries", an array (20, H, W), or "segmentation", a PIL image. SciPy reads both.
        download: fetch the archive if the pictures are not there.
        transforms: a function of picture and target.
    """

    url = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"
    md5 = "82b4d87ceb2ed10f6038a1cba92111cb"
    filename = "benchmark.tgz"
    voc_train_url = "https://www.cs.cornell.edu/~bharathh/train_noval.txt"
    voc_split_filename = "train_noval.txt"
    voc_split_md5 = "79bff800c5f0b1ec6b21080a3c066722"

    def __init__(
        self,
        root: str | Path,
        image_set: str = "train",
        mode: str = "boundaries",
        download: bool = False,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(root, transforms)
        self.image_set = utils.verify_str_arg(image_set, "image_set", ("train", "val", "train_noval"))
        self.mode = utils.verify_str_arg(mode, "mode", ("segmentation", "boundaries"))
        self.num_classes = 20
        folder = Path(self.root)
        needed = [folder / "img", folder / "cls", folder / f"{image_set}.txt"]
        self._ensure(download, Source([(self.url, self.md5)], folder, needed))
        names = lines_of(folder / f"{image_set}.txt")
        self.images = [str(folder / "img" / f"{name}.jpg") for name in names]
        self.masks = [str(folder / "cls" / f"{name}.mat") for name in names]

    def download(self) -> None:
        """Fetches the archive, and moves what is in it to its place."""
        if self._check_exists():
            return
        folder = Path(self.root)
        if not (folder / "img").exists():
            super().download()
            for name in ("cls", "img", "inst", "train.txt", "val.txt"):
                shutil.move(folder / "benchmark_RELEASE" / "dataset" / name, folder)
        if self.image_set == "train_noval":
            utils.download_url(self.voc_train_url, folder, self.voc_split_filename, self.voc_split_md5)

    def _get_target(self, path: str) -> Any:
        from PIL import Image

        content = load_mat(path)["GTcls"][0]
        if self.mode == "segmentation":
            return Image.fromarray(content["Segmentation"][0])
        return np.stack([content["Boundaries"][0][number][0].toarray() for number in range(self.num_classes)])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self.images[index], "RGB")
        return self._transform_both(picture, self._get_target(self.masks[index]))

    def __len__(self) -> int:
        return len(self.images)

    def extra_repr(self) -> str:
        return f"Image set: {self.image_set}\nMode: {self.mode}"


class Kitti(Fetched, VisionDataset):
    """Street scenes with boxes in space. http://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark

    A target is a list of dictionaries with "type", "truncated", "occluded", "alpha", "bbox", "dimensions", "location"
    and "rotation_y"; None for the test set.

    Args:
        root: folder in which ``Kitti/raw`` is, or is to be.
        train: the training or the test set.
        transform, target_transform, transforms: functions of the picture, of the target, or of both.
        download: fetch the archives if the pictures are not there.
    """

    data_url = "https://s3.eu-central-1.amazonaws.com/avg-kitti/"
    resources = ["data_object_image_2.zip", "data_object_label_2.zip"]
    image_dir_name = "image_2"
    labels_dir_name = "label_2"

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        transforms: Transforms | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.train = train
        self._location = "training" if train else "testing"
        raw = Path(self._raw_folder)
        folders = [raw / self._location / name for name in (self.image_dir_name, self.labels_dir_name)]
        files = [(self.data_url + name, None) for name in self.resources]
        self._ensure(download, Source(files, raw, folders if train else folders[:1]))
        names = sorted(os.listdir(folders[0]))
        self.images = [str(folders[0] / name) for name in names]
        self.targets = [str(folders[1] / f"{name.split('.')[0]}.txt") for name in names] if train else []

    @property
    def _raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    def _parse_target(self, index: int) -> list[dict[str, Any]]:
        with open(self.targets[index], newline="") as file:
            return [_kitti_box(row) for row in csv.reader(file, delimiter=" ")]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self.images[index])
        return self._transform_both(picture, self._parse_target(index) if self.train else None)

    def __len__(self) -> int:
        return len(self.images)


def _kitti_box(row: list[str]) -> dict[str, Any]:
    return {
        "type": row[0],
        "truncated": float(row[1]),
        "occluded": int(row[2]),
        "alpha": float(row[3]),
        "bbox": [float(number) for number in row[4:8]],
        "dimensions": [float(number) for number in row[8:11]],
        "location": [float(number) for number in row[11:14]],
        "rotation_y": float(row[14]),
    }


class OxfordIIITPet(Fetched, VisionDataset):
    """Cats and dogs of 37 breeds, with masks. https://www.robots.ox.ac.uk/~vgg/data/pets/

    Args:
        root: folder in which ``oxford-iiit-pet`` is, or is to be.
        split: "trainval" or "test".
        target_types: "category", the breed; "binary-category", cat or dog; "segmentation", a PIL image; or a list of
            these for targets that are tuples, empty for None.
        transforms, transform, target_transform: functions of both, of the picture, or of the target.
        download: fetch the archives if the pictures are not there.
    """

    _RESOURCES = (
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
    )
    _VALID_TARGET_TYPES = ("category", "binary-category", "segmentation")

    def __init__(
        self,
        root: str | Path,
        split: str = "trainval",
        target_types: Sequence[str] | str = "category",
        transforms: Transforms | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        self._split = utils.verify_str_arg(split, "split", ("trainval", "test"))
        types = [target_types] if isinstance(target_types, str) else target_types
        self._target_types = [utils.verify_str_arg(t, "target_types", self._VALID_TARGET_TYPES) for t in types]
        super().__init__(root, transforms, transform, target_transform)
        self._base_folder = Path(self.root) / "oxford-iiit-pet"
        images, annotations = self._base_folder / "images", self._base_folder / "annotations"
        self._ensure(download, Source(self._RESOURCES, self._base_folder, [images, annotations]))
        rows = [line.split() for line in lines_of(annotations / f"{split}.txt")]
        names = [row[0] for row in rows]
        self._images = [images / f"{name}.jpg" for name in names]
        self._segs = [annotations / "trimaps" / f"{name}.png" for name in names]
        self._labels = [int(row[1]) - 1 for row in rows]
        self._bin_labels = [int(row[2]) - 1 for row in rows]
        breeds = {label: name.rpartition("_")[0] for name, label in zip(names, self._labels, strict=True)}
        self.classes = [" ".join(part.title() for part in breeds[label].split("_")) for label in sorted(breeds)]
        self.bin_classes = ["Cat", "Dog"]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.bin_class_to_idx = {name: number for number, name in enumerate(self.bin_classes)}

    def _target(self, kind: str, idx: int) -> Any:
        if kind == "segmentation":
            return open_picture(self._segs[idx])
        return (self._labels if kind == "category" else self._bin_labels)[idx]

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        target = one_or_all([self._target(kind, idx) for kind in self._target_types])
        return self._transform_both(open_picture(self._images[idx], "RGB"), target)

    def __len__(self) -> int:
        return len(self._images)


class _Captioned(VisionDataset):
    """Pictures with captions: a subclass gives ``annotations``, a dictionary of the captions by the picture."""

    annotations: dict[str, list[str]]

    def __init__(
        self,
        root: str | Path,
        ann_file: str,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.ann_file = os.path.expanduser(ann_file)
        self.loader = loader
        self.annotations = self._read()
        self.ids = sorted(self.annotations)

    def _read(self) -> dict[str, list[str]]:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name = self.ids[index]
        return self._transform_each(self.loader(os.path.join(self.root, name)), self.annotations[name])

    def __len__(self) -> int:
        return len(self.ids)


class Flickr8k(_Captioned):
    """8 000 photographs with captions, listed in a web page. http://hockenmaier.cs.illinois.edu/8k-pictures.html

    Args:
        root: folder of the pictures.
        ann_file: the web page.
        transform, target_transform: functions of the picture and of the list of captions.
        loader: reads a picture.
    """

    def _read(self) -> dict[str, list[str]]:
        parser = Flickr8kParser(self.root)
        parser.feed(Path(self.ann_file).read_text(encoding="utf-8"))
        return parser.annotations


class Flickr8kParser(HTMLParser):
    """Reads the table of a page: links to pictures, each followed by a list of captions."""

    def __init__(self, root: str | Path) -> None:
        super().__init__()
        self.root = root
        self.annotations: dict[str, list[str]] = {}
        self.in_table = False
        self.current_tag: str | None = None
        self.current_img: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.current_tag = tag
        self.in_table = self.in_table or tag == "table"

    def handle_endtag(self, tag: str) -> None:
        self.current_tag = None
        self.in_table = self.in_table and tag != "table"

    def handle_data(self, data: str) -> None:
        if not self.in_table:
            return
        if data == "Image Not Found":
            self.current_img = None
        elif self.current_tag == "a":
            found = sorted(Path(self.root).glob(f"{data.split('/')[-2]}_*.jpg"))
            if not found:
                raise FileNotFoundError(f"no picture in {self.root} for {data}")
            self.current_img = os.path.join(self.root, found[0].name)
            self.annotations[self.current_img] = []
        elif self.current_tag == "li" and self.current_img:
            self.annotations[self.current_img].append(data.strip())


class Flickr30k(_Captioned):
    """31 783 photographs with five captions each. https://bryanplummer.com/Flickr30kEntities/

    Arguments as for `Flickr8k`; ``ann_file`` has lines of ``name.jpg#0``, a tabulator and a caption.
    """

    def _read(self) -> dict[str, list[str]]:
        captions: dict[str, list[str]] = defaultdict(list)
        for line in lines_of(self.ann_file):
            name, caption = line.split("\t")
            captions[name[:-2]].append(caption)
        return captions


class SBU(Fetched, VisionDataset):
    """A million photographs with a caption each, from Flickr. http://www.cs.virginia.edu/~vicente/sbucaptions/

    Args:
        root: folder of the archive and of ``dataset``.
        transform, target_transform: functions of the picture and of the caption.
        download: fetch the archive, and each picture that is still there, unless the archive is there.
        loader: reads a picture.
    """

    url = "https://www.cs.rice.edu/~vo9/sbucaptions/SBUCaptionedPhotoDataset.tar.gz"
    filename = "SBUCaptionedPhotoDataset.tar.gz"
    md5_checksum = "9aec147b3488753cf758b4d493422285"

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        needed = [(Path(self.root, self.filename), self.md5_checksum)]
        self._ensure(download, Source([(self.url, self.md5_checksum)], Path(self.root), needed))
        pairs = zip(self._lines("urls"), self._lines("captions"), strict=False)
        there = [(os.path.basename(url), caption) for url, caption in pairs if self._picture(url).exists()]
        self.photos = [photo for photo, _ in there]
        self.captions = [caption for _, caption in there]

    def _lines(self, kind: str) -> list[str]:
        return lines_of(Path(self.root, "dataset", f"SBU_captioned_photo_dataset_{kind}.txt"))

    def _picture(self, url: str) -> Path:
        return Path(self.root, "dataset", os.path.basename(url))

    def download(self) -> None:
        """Fetches the archive of the lists, and each picture that is still there."""
        if self._check_exists():
            return
        super().download()
        for url in self._lines("urls"):
            try:
                utils.download_url(url, Path(self.root, "dataset"))
            except OSError:  # their owners may have removed them
                continue

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = self.loader(os.path.join(self.root, "dataset", self.photos[index]))
        return self._transform_each(picture, self.captions[index])

    def __len__(self) -> int:
        return len(self.photos)
