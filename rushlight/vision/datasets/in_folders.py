"""Data sets whose folders are the classes: EuroSAT, Country211, Caltech101 and 256, Omniglot, INaturalist, Places365.

Where the folders say it all, a set is an `ImageFolder` that can be downloaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import Fetched, ListedPictures, Loader, Source, lines_of, load_mat
from rushlight.vision.datasets.folder import ImageFolder, default_loader, open_picture
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["Caltech101", "Caltech256", "Country211", "EuroSAT", "INaturalist", "Omniglot", "Places365"]


class EuroSAT(Fetched, ImageFolder):
    """Satellite pictures of Europe in 10 classes of land use. https://github.com/phelber/eurosat

    Args:
        root: folder in which ``eurosat`` is, or is to be.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = (
        "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
    )
    _MD5 = "c8fa014336c82ac7804f0398fcb19387"

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        root = os.path.expanduser(root)
        folder = Path(root, "eurosat")
        self._ensure(download, Source([(self._URL, self._MD5)], folder, [folder / "2750"]))
        super().__init__(str(folder / "2750"), transform, target_transform, loader)
        self.root = root


class Country211(Fetched, ImageFolder):
    """Photographs from 211 countries. https://github.com/openai/CLIP/blob/main/data/country211.md

    Args:
        root: folder in which ``country211`` is, or is to be.
        split: "train", "valid" or "test": 150, 50 and 100 pictures of each country.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "https://openaipublic.azureedge.net/clip/data/country211.tgz"
    _MD5 = "84988d7644798601126c29e9877aab6a"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = utils.verify_str_arg(split, "split", ("train", "valid", "test"))
        root = os.path.expanduser(root)
        folder = Path(root, "country211")
        self._ensure(download, Source([(self._URL, self._MD5)], Path(root), [folder]))
        super().__init__(str(folder / split), transform, target_transform, loader)
        self.root = root


class Caltech101(Fetched, VisionDataset):
    """Pictures of 101 classes, with outlines. https://data.caltech.edu/records/mzrjq-6wc02

    Args:
        root: folder in which ``caltech101`` is, or is to be.
        target_type: "category", the class; "annotation", the outline as an array, which SciPy reads; or a list of
            these for targets that are tuples.
        transform, target_transform: functions of the PIL image and of the target.
        download: fetch the archive if the pictures are not there.
    """

    _URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
    _MD5 = "3138e1922a9193bfa496528edbbc45d0"

    # Classes whose outlines are in folders of another name.
    _ANNOTATIONS = {
        "Faces": "Faces_2",
        "Faces_easy": "Faces_3",
        "Motorbikes": "Motorbikes_16",
        "airplanes": "Airplanes_Side_2",
    }

    def __init__(
        self,
        root: str | Path,
        target_type: list[str] | str = "category",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(os.path.join(root, "caltech101"), transform=transform, target_transform=target_transform)
        types = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [utils.verify_str_arg(t, "target_type", ("category", "annotation")) for t in types]
        pictures = Path(self.root, "101_ObjectCategories")
        self._ensure(download, Source([(self._URL, self._MD5)], Path(self.root), [pictures]))
        self.categories = sorted(set(os.listdir(pictures)) - {"BACKGROUND_Google"})
        self.annotation_categories = [self._ANNOTATIONS.get(name, name) for name in self.categories]
        counts = [len(os.listdir(pictures / name)) for name in self.categories]
        self.index, self.y = _numbered(counts)

    def download(self) -> None:
        """Fetches the archive, and unpacks the archives inside."""
        if self._check_exists():
            return
        super().download()
        inner = Path(self.root, "caltech-101")
        for packed in sorted(inner.glob("*.gz")):
            utils.extract_archive(packed, self.root)
        shutil.rmtree(inner)
        Path(self.root, "caltech-101.zip").unlink()

    def _target(self, kind: str, index: int) -> Any:
        if kind == "category":
            return self.y[index]
        folder = Path(self.root, "Annotations", self.annotation_categories[self.y[index]])
        return load_mat(folder / f"annotation_{self.index[index]:04d}.mat")["obj_contour"]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        folder = Path(self.root, "101_ObjectCategories", self.categories[self.y[index]])
        picture = open_picture(folder / f"image_{self.index[index]:04d}.jpg")
        return self._transform_each(picture, one_or_all([self._target(kind, index) for kind in self.target_type]))

    def __len__(self) -> int:
        return len(self.index)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}"


def _numbered(counts: Sequence[int]) -> tuple[list[int], list[int]]:
    """For classes of so many pictures: each picture's number in its class, from 1, and the class's."""
    index = [number for count in counts for number in range(1, count + 1)]
    return index, [label for label, count in enumerate(counts) for _ in range(count)]


def one_or_all(targets: list[Any]) -> Any:
    """What a set gives for a list of kinds of targets: None for none, one as it is, several as a tuple."""
    return tuple(targets) if len(targets) > 1 else targets[0] if targets else None


class Caltech256(Fetched, VisionDataset):
    """Pictures of 256 classes and of clutter. https://data.caltech.edu/records/nyy15-4j048

    Args:
        root: folder in which ``caltech256`` is, or is to be.
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the archive if the pictures are not there.
    """

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(os.path.join(root, "caltech256"), transform=transform, target_transform=target_transform)
        url = "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar"
        pictures = Path(self.root, "256_ObjectCategories")
        self._ensure(download, Source([(url, "67b4f42ca05d46448c6bb8ecd2220f6d")], Path(self.root), [pictures]))
        self.categories = sorted(os.listdir(pictures))
        self.index, self.y = _numbered([len(list((pictures / name).glob("*.jpg"))) for name in self.categories])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        label = self.y[index]
        name = f"{label + 1:03d}_{self.index[index]:04d}.jpg"
        picture = open_picture(Path(self.root, "256_ObjectCategories", self.categories[label], name))
        return self._transform_each(picture, label)

    def __len__(self) -> int:
        return len(self.index)


class Omniglot(Fetched, VisionDataset):
    """1 623 handwritten characters from 50 alphabets, 20 times each. https://github.com/brendenlake/omniglot

    Args:
        root: folder in which ``omniglot-py`` is, or is to be.
        background: the 30 alphabets to train with, or the 20 to evaluate with.
        transform, target_transform: functions of the PIL image and of the character's number.
        download: fetch the archive if it is not there.
        loader: reads a picture; None for a PIL image in grey.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5 = {
        "images_background": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    }

    def __init__(
        self,
        root: str | Path,
        background: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        super().__init__(os.path.join(root, self.folder), transform=transform, target_transform=target_transform)
        self.background = background
        name = self._get_target_folder()
        files = [(f"{self.download_url_prefix}/{name}.zip", self.zips_md5[name])]
        self._ensure(download, Source(files, Path(self.root), [(Path(self.root, f"{name}.zip"), self.zips_md5[name])]))
        self.target_folder = os.path.join(self.root, name)
        self._alphabets = sorted(utils.list_dir(self.target_folder))
        self._characters = [
            os.path.join(alphabet, character)
            for alphabet in self._alphabets
            for character in sorted(utils.list_dir(os.path.join(self.target_folder, alphabet)))
        ]
        self._character_images = [
            [(image, label) for image in sorted(utils.list_files(os.path.join(self.target_folder, character), ".png"))]
            for label, character in enumerate(self._characters)
        ]
        self._flat_character_images = [pair for pairs in self._character_images for pair in pairs]
        self.loader = loader

    def _get_target_folder(self) -> str:
        return "images_background" if self.background else "images_evaluation"

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name, label = self._flat_character_images[index]
        path = os.path.join(self.target_folder, self._characters[label], name)
        return self._transform_each(open_picture(path, "L") if self.loader is None else self.loader(path), label)

    def __len__(self) -> int:
        return len(self._flat_character_images)


CATEGORIES_2021 = ["kingdom", "phylum", "class", "order", "family", "genus"]


class INaturalist(Fetched, VisionDataset):
    """Living things in thousands of species. https://github.com/visipedia/inat_comp

    ``all_categories`` are the folders of the species, ``categories_index`` the numbers of names by rank
    ("genus", or "super" before 2021), ``categories_map`` for each species its number by rank.

    Args:
        root: folder in which a folder named after the version is, or is to be.
        version: "2017", "2018", "2019", "2021_train", "2021_train_mini" or "2021_valid".
        target_type: "full", the species; for 2021 also "kingdom", "phylum", "class", "order", "family" or "genus",
            before also "super"; or a list of these for targets that are tuples.
        transform, target_transform: functions of the picture and of the target.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture; None for a PIL image as it is in the file.
    """

    _ARCHIVES = {
        version: (f"https://ml-inat-competition-datasets.s3.amazonaws.com/{path}.tar.gz", md5)
        for version, path, md5 in (
            ("2017", "2017/train_val_images", "7c784ea5e424efaec655bd392f87301f"),
            ("2018", "2018/train_val2018", "b1c6952ce38f31868cc50ea72d066cc3"),
            ("2019", "2019/train_val2019", "c60a6e2962c9b8ccbd458d12c8582644"),
            ("2021_train", "2021/train", "e0526d53c7f7b2e3167b2b43bb2690ed"),
            ("2021_train_mini", "2021/train_mini", "db6ed8330e634445efc8fec83ae81442"),
            ("2021_valid", "2021/val", "f6f6e0e242e3d4c9569ba56400938afc"),
        )
    }

    def __init__(
        self,
        root: str | Path,
        version: str = "2021_train",
        target_type: list[str] | str = "full",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        self.version = utils.verify_str_arg(version, "version", self._ARCHIVES)
        super().__init__(os.path.join(root, version), transform=transform, target_transform=target_transform)
        ranks = CATEGORIES_2021 if version.startswith("2021") else ["super"]
        types = target_type if isinstance(target_type, list) else [target_type]
        self.target_type = [utils.verify_str_arg(t, "target_type", ("full", *ranks)) for t in types]
        self._ensure(download, Source([self._ARCHIVES[version]], Path(self.root).parent, [Path(self.root)]))
        self.all_categories: list[str] = []
        self.categories_index: dict[str, dict[str, int]] = {rank: {} for rank in ranks}
        self.categories_map: list[dict[str, int]] = []
        self._init_2021() if version.startswith("2021") else self._init_pre2021()
        self.index = [
            (species, name)
            for species, folder in enumerate(self.all_categories)
            for name in sorted(os.listdir(os.path.join(self.root, folder)))
        ]
        self.loader = loader

    def download(self) -> None:
        """Fetches the archive, and gives its folder the version's name."""
        if self._check_exists():
            return
        url, md5 = self._ARCHIVES[self.version]
        parent = self._source.folder
        utils.download_and_extract_archive(url, parent, filename=f"{self.version}.tgz", md5=md5)
        unpacked = parent / os.path.basename(url).removesuffix(".tar.gz")
        if not unpacked.exists():
            raise RuntimeError(f"Unable to find downloaded files at {unpacked}")
        os.rename(unpacked, self.root)

    def _init_2021(self) -> None:
        """Folders such as 00012_Animalia_Arthropoda_..._genus_species."""
        self.all_categories = sorted(os.listdir(self.root))
        for number, folder in enumerate(self.all_categories):
            pieces = folder.split("_")
            if len(pieces) != 8:
                raise RuntimeError(f"Unexpected category name {folder}, wrong number of pieces")
            if pieces[0] != f"{number:05d}":
                raise RuntimeError(f"Unexpected category id {pieces[0]}, expecting {number:05d}")
            ranks = zip(CATEGORIES_2021, pieces[1:7], strict=True)
            self.categories_map.append({rank: self._number(rank, name) for rank, name in ranks})

    def _number(self, rank: str, name: str) -> int:
        """The name's number in its rank, in the order in which they are met."""
        known = self.categories_index[rank]
        return known.setdefault(name, len(known))

    def _init_pre2021(self) -> None:
        """Folders such as Birds/123, in 2017 Birds/Turdus merula."""
        found: dict[int, tuple[str, int]] = {}
        for group in sorted(os.listdir(self.root)):
            above = self._number("super", group)
            for name in sorted(os.listdir(os.path.join(self.root, group))):
                number = len(found) if self.version == "2017" else _species_number(name)
                if number in found:
                    raise RuntimeError(f"Duplicate category {name}")
                found[number] = os.path.join(group, name), above
        for number in range(len(found)):
            if number not in found:
                raise RuntimeError(f"Missing category {number}")
            folder, above = found[number]
            self.all_categories.append(folder)
            self.categories_map.append({"super": above})

    def category_name(self, category_type: str, category_id: int) -> str:
        """The name of a number of a rank, or of a species ("full"). Raises ValueError where there is none."""
        if category_type == "full":
            return self.all_categories[category_id]
        if category_type not in self.categories_index:
            raise ValueError(f"Invalid category type '{category_type}'")
        names = list(self.categories_index[category_type])
        if not 0 <= category_id < len(names):
            raise ValueError(f"Invalid category id {category_id} for {category_type}")
        return names[category_id]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        species, name = self.index[index]
        path = os.path.join(self.root, self.all_categories[species], name)
        picture = open_picture(path) if self.loader is None else self.loader(path)
        ranks = self.categories_map[species]
        return self._transform_each(
            picture, one_or_all([species if kind == "full" else ranks[kind] for kind in self.target_type])
        )

    def __len__(self) -> int:
        return len(self.index)


def _species_number(name: str) -> int:
    try:
        return int(name)
    except ValueError:
        raise RuntimeError(f"Unexpected non-numeric dir name: {name}") from None


class Places365(ListedPictures):
    """Places in 365 classes. http://places2.csail.mit.edu/index.html

    Args:
        root: folder of the data.
        split: "train-standard", "train-challenge", "val" or "test", whose labels are None.
        small: the pictures of 256 by 256 pixels.
        download: fetch the lists and the pictures if they are not there.
        transform, target_transform: functions of the picture and of the label.
        loader: reads a picture.
    """

    _BASE_URL = "http://data.csail.mit.edu/places/places365/"
    _DEVKIT_META = {
        "standard": ("filelist_places365-standard.tar", "35a0585fee1fa656440f3ab298f8479c"),
        "challenge": ("filelist_places365-challenge.tar", "70a8307e459c3de41690a7c76c931734"),
    }
    _CATEGORIES_META = ("categories_places365.txt", "06c963b85866bd0649f97cb43dd16673")
    _FILE_LIST_META = {
        "train-standard": ("places365_train_standard.txt", "30f37515461640559006b8329efbed1a"),
        "train-challenge": ("places365_train_challenge.txt", "b2931dc997b8c33c27e7329c073a6b57"),
        "val": ("places365_val.txt", "e9f2fd57bfd9d07630173f4e8708e4b1"),
        "test": ("places365_test.txt", "2fce8233fe493576d724142e45d93653"),
    }
    _IMAGES_META = {
        ("train-standard", False): ("train_large_places365standard.tar", "67e186b496a84c929568076ed01a8aa1"),
        ("train-challenge", False): ("train_large_places365challenge.tar", "605f18e68e510c82b958664ea134545f"),
        ("val", False): ("val_large.tar", "9b71c4993ad89d2d8bcbdc4aef38042f"),
        ("test", False): ("test_large.tar", "41a4b6b724b1d2cd862fb3871ed59913"),
        ("train-standard", True): ("train_256_places365standard.tar", "53ca1c756c3d1e7809517cc47c5561c5"),
        ("train-challenge", True): ("train_256_places365challenge.tar", "741915038a5e3471ec7332404dfb64ef"),
        ("val", True): ("val_256.tar", "e27b17d8d44f4af9a78502beb927f808"),
        ("test", True): ("test_256.tar", "f532f6ad7b582262a2ec8009075e186b"),
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train-standard",
        small: bool = False,
        download: bool = False,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self.split = utils.verify_str_arg(split, "split", tuple(self._FILE_LIST_META))
        self.small = small
        lists = [(Path(self.root, name), md5) for name, md5 in (self._CATEGORIES_META, self._FILE_LIST_META[split])]
        devkit, md5 = self._DEVKIT_META[self.variant]
        self._ensure(download, Source([(self._BASE_URL + devkit, md5)], Path(self.root), lists))
        self.class_to_idx = {name: int(number) for name, number in map(str.split, lines_of(lists[0][0]))}
        self.classes = sorted(self.class_to_idx)
        self._samples = [self._sample_of(line) for line in lines_of(lists[1][0])]
        if download:
            self._download_images()

    @property
    def variant(self) -> str:
        """"standard" or "challenge"."""
        return "challenge" if "challenge" in self.split else "standard"

    @property
    def images_dir(self) -> str:
        """The folder of the pictures."""
        size = "256" if self.small else "large"
        train = self.split.startswith("train")
        return os.path.join(self.root, f"data_{size}_{self.variant}" if train else f"{self.split}_{size}")

    @property
    def imgs(self) -> list[tuple[str, int | None]]:
        """The pairs of path and label."""
        return self._samples

    @property
    def targets(self) -> list[int | None]:
        """The labels."""
        return self._labels

    def _sample_of(self, line: str) -> tuple[str, int | None]:
        name, _, label = line.partition(" ")
        return os.path.join(self.images_dir, *name.lstrip("/").split("/")), int(label) if label else None

    def _download_images(self) -> None:
        if os.path.exists(self.images_dir):
            return
        name, md5 = self._IMAGES_META[self.split, self.small]
        utils.download_and_extract_archive(self._BASE_URL + name, self.root, md5=md5)
        if self.split.startswith("train"):
            os.rename(self.images_dir.rsplit("_", 1)[0], self.images_dir)

    def extra_repr(self) -> str:
        return f"Split: {self.split}\nSmall: {self.small}"
