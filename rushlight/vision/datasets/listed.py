"""Data sets of pictures in files, with a list of which picture belongs to which class: Flowers102, Food101, DTD, ...

Each class says where its list is and how it is read; the rest is `ListedPictures`.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from rushlight.vision.datasets import utils
from rushlight.vision.datasets.fetched import ListedPictures, Loader, Source, lines_of, load_mat
from rushlight.vision.datasets.folder import default_loader, find_classes, make_dataset
from rushlight.vision.datasets.vision import Transform

__all__ = [
    "DTD",
    "GTSRB",
    "SUN397",
    "CLEVRClassification",
    "FGVCAircraft",
    "Flowers102",
    "Food101",
    "Imagenette",
    "RenderedSST2",
    "StanfordCars",
]

FLOWERS = """
pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon
orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle,
yellow iris, globe-flower, purple coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily,
pincushion flower, fritillary, red ginger, grape hyacinth, corn poppy, prince of wales feathers, stemless
gentian, artichoke, sweet william, carnation, garden phlox, love in the mist, mexican aster, alpine sea holly,
ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose, barbeton daisy, daffodil, sword
lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia,
wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, pink-yellow
dahlia?, cautleya spicata, japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum,
spring crocus, bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple, morning
glory, passion flower, lotus, toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose,
tree mallow, magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, ball moss, foxglove,
bougainvillea, camellia, mallow, mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily
"""


class Flowers102(ListedPictures):
    """Flowers in 102 classes, 40 to 258 pictures each. https://www.robots.ox.ac.uk/~vgg/data/flowers/102/

    Args:
        root: folder in which ``flowers-102`` is, or is to be.
        split: "train", "val" or "test".
        transform, target_transform: functions of the picture and of the label.
        download: fetch the files if they are not there.
        loader: reads a picture.
    """

    classes = FLOWERS.replace("\n", " ").strip().split(", ")
    _download_url_prefix = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _file_dict = {
        "image": ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
        "label": ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
        "setid": ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
    }
    _splits_map = {"train": "trnid", "val": "valid", "test": "tstid"}

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", tuple(self._splits_map))
        self._base_folder = Path(self.root) / "flowers-102"
        self._images_folder = self._base_folder / "jpg"
        files = [(self._download_url_prefix + name, md5) for name, md5 in self._file_dict.values()]
        lists = [(self._base_folder / name, md5) for name, md5 in (self._file_dict["label"], self._file_dict["setid"])]
        self._ensure(download, Source(files, self._base_folder, [self._images_folder, *lists]))
        numbers, labels = (
            load_mat(self._base_folder / self._file_dict[kind][0], squeeze_me=True)[key]
            for kind, key in (("setid", self._splits_map[split]), ("label", "labels"))
        )
        self._labels = (labels[numbers - 1].astype(int) - 1).tolist()
        self._image_files = [self._images_folder / f"image_{number:05d}.jpg" for number in numbers.tolist()]

    def extra_repr(self) -> str:
        return f"split={self._split}"


class Food101(ListedPictures):
    """Dishes in 101 classes, 750 pictures each to train and 250 to test.

    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/

    Args:
        root: folder in which ``food-101`` is, or is to be.
        split: "train" or "test".
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(self.root) / "food-101"
        self._meta_folder = self._base_folder / "meta"
        self._images_folder = self._base_folder / "images"
        needed = [self._meta_folder, self._images_folder]
        self._ensure(download, Source([(self._URL, self._MD5)], Path(self.root), needed))
        listed = json.loads((self._meta_folder / f"{split}.json").read_text())
        self._name_classes(sorted(listed))
        self._samples = [
            (self._images_folder / f"{name}.jpg", self.class_to_idx[kind]) for kind in listed for name in listed[kind]
        ]

    def extra_repr(self) -> str:
        return f"split={self._split}"


class DTD(ListedPictures):
    """Textures in 47 classes. https://www.robots.ox.ac.uk/~vgg/data/dtd/

    Args:
        root: folder in which ``dtd`` is, or is to be.
        split: "train", "val" or "test".
        partition: 1 to 10; which picture belongs to which split.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        partition: int = 1,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = utils.verify_str_arg(split, "split", ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueError(
                f"Parameter 'partition' should be an integer with `1 <= partition <= 10`, but got {partition} instead"
            )
        self._partition = partition
        super().__init__(root, transform, target_transform, loader)
        self._base_folder = Path(self.root) / type(self).__name__.lower()
        self._data_folder = self._base_folder / "dtd"
        self._images_folder = self._data_folder / "images"
        self._ensure(download, Source([(self._URL, self._MD5)], self._base_folder, [self._data_folder]))
        names = lines_of(self._data_folder / "labels" / f"{split}{partition}.txt")
        self._name_classes(sorted({name.split("/")[0] for name in names}))
        self._samples = [(self._images_folder / name, self.class_to_idx[name.split("/")[0]]) for name in names]

    def extra_repr(self) -> str:
        return f"split={self._split}, partition={self._partition}"


class GTSRB(ListedPictures):
    """German traffic signs in 43 classes. https://benchmark.ini.rub.de/

    Args:
        root: folder in which ``gtsrb`` is, or is to be.
        split: "train" or "test".
        transform, target_transform: functions of the PIL image and of the label.
        download: fetch the archives if the pictures are not there.
    """

    _base_url = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    _archives = {
        "train": (("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478"),),
        "test": (
            ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
            ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
        ),
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform, target_transform)
        self._split = utils.verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(self.root) / "gtsrb"
        self._target_folder = self._base_folder / "GTSRB" / ("Training" if split == "train" else "Final_Test/Images")
        files = [(self._base_url + name, md5) for name, md5 in self._archives[split]]
        self._ensure(download, Source(files, self._base_folder, [self._target_folder]))
        self._samples = self._listed()

    def _listed(self) -> list[tuple[str, int]]:
        if self._split == "train":
            return make_dataset(self._target_folder, extensions=(".ppm",))
        with open(self._base_folder / "GT-final_test.csv", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";", skipinitialspace=True))
        return [(str(self._target_folder / row["Filename"]), int(row["ClassId"])) for row in rows]


class FGVCAircraft(ListedPictures):
    """10 000 aircraft in 100 variants of 70 families from 30 manufacturers.

    https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/

    Args:
        root: folder in which ``fgvc-aircraft-2013b`` is, or is to be.
        split: "train", "val", "trainval" or "test".
        annotation_level: "variant", "family" or "manufacturer": what the classes are.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"
    _levels = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}

    def __init__(
        self,
        root: str | Path,
        split: str = "trainval",
        annotation_level: str = "variant",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", ("train", "val", "trainval", "test"))
        self._annotation_level = utils.verify_str_arg(annotation_level, "annotation_level", tuple(self._levels))
        self._data_path = os.path.join(self.root, "fgvc-aircraft-2013b")
        self._ensure(download, Source([(self._URL, None)], Path(self.root), [Path(self._data_path)]))
        data = os.path.join(self._data_path, "data")
        self._name_classes(lines_of(os.path.join(data, self._levels[annotation_level])))
        for line in lines_of(os.path.join(data, f"images_{annotation_level}_{split}.txt")):
            name, _, kind = line.partition(" ")
            self._image_files.append(os.path.join(data, "images", f"{name}.jpg"))
            self._labels.append(self.class_to_idx[kind])


class SUN397(ListedPictures):
    """108 754 places in 397 classes. https://vision.princeton.edu/projects/2010/SUN/

    Args:
        root: folder in which ``SUN397`` is, or is to be.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _DATASET_URL = "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz"
    _DATASET_MD5 = "8ca2778205c41d23104230ba66911c7a"

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._data_dir = Path(self.root) / "SUN397"
        self._ensure(download, Source([(self._DATASET_URL, self._DATASET_MD5)], Path(self.root), [self._data_dir]))
        self._name_classes([line[3:] for line in lines_of(self._data_dir / "ClassName.txt")])  # "/a/abbey"
        self._samples = [(file, self._label_of(file)) for file in sorted(self._data_dir.rglob("sun_*.jpg"))]

    def _label_of(self, file: Path) -> int:
        return self.class_to_idx["/".join(file.relative_to(self._data_dir).parts[1:-1])]


class StanfordCars(ListedPictures):
    """16 185 cars in 196 classes. The set is no longer to be had from its authors.

    Args:
        root: folder in which ``stanford_cars`` is.
        split: "train" or "test".
        transform, target_transform: functions of the picture and of the label.
        download: raises ValueError.
        loader: reads a picture.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(self.root) / "stanford_cars"
        train, devkit = split == "train", self._base_folder / "devkit"
        self._images_base_path = self._base_folder / ("cars_train" if train else "cars_test")
        self._annotations_mat_path = (
            devkit / "cars_train_annos.mat" if train else self._base_folder / "cars_test_annos_withlabels.mat"
        )
        needed = [devkit, self._annotations_mat_path, self._images_base_path]
        self._ensure(download, Source([], self._base_folder, needed))
        listed = load_mat(self._annotations_mat_path, squeeze_me=True)["annotations"]
        self._samples = [(str(self._images_base_path / entry["fname"]), entry["class"] - 1) for entry in listed]
        self._name_classes(load_mat(devkit / "cars_meta.mat", squeeze_me=True)["class_names"].tolist())

    def download(self) -> None:
        """Raises ValueError: the set has no address any more."""
        raise ValueError("The original URL is broken so the StanfordCars dataset cannot be downloaded anymore.")


class RenderedSST2(ListedPictures):
    """Pictures of sentences, with a negative or a positive meaning.

    https://github.com/openai/CLIP/blob/main/data/rendered-sst2.md

    Args:
        root: folder in which ``rendered-sst2`` is, or is to be.
        split: "train", "val" or "test".
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz"
    _MD5 = "2384d08e9dcfa4bd55b324e610496ee5"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", ("train", "val", "test"))
        self._folder = Path(self.root, "rendered-sst2", "valid" if split == "val" else split)
        self._name_classes(["negative", "positive"])
        needed = [self._folder / name for name in self.classes]
        self._ensure(download, Source([(self._URL, self._MD5)], Path(self.root), needed))
        self._samples = make_dataset(self._folder, extensions=("png",))

    def extra_repr(self) -> str:
        return f"split={self._split}"


class CLEVRClassification(ListedPictures):
    """Scenes of simple bodies; the label is how many there are. https://cs.stanford.edu/people/jcjohns/clevr/

    Args:
        root: folder in which ``clevr`` is, or is to be.
        split: "train", "val" or "test", whose labels are None.
        transform, target_transform: functions of the picture and of the label.
        download: fetch the archive if the pictures are not there.
        loader: reads a picture.
    """

    _URL = "https://dl.fbaipublicfiles.com/clevr/CLEVR_v1.0.zip"
    _MD5 = "b11922020e72d0cd9154779b2d3d07d2"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = utils.verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root, transform, target_transform, loader)
        self._base_folder = Path(self.root) / "clevr"
        self._data_folder = self._base_folder / "CLEVR_v1.0"
        self._ensure(download, Source([(self._URL, self._MD5)], self._base_folder, [self._data_folder]))
        counts: dict[str, int] = {} if split == "test" else self._counts()
        files = sorted(self._data_folder.joinpath("images", split).glob("*"))
        self._samples = [(file, None if split == "test" else counts[file.name]) for file in files]

    def _counts(self) -> dict[str, int]:
        content = json.loads((self._data_folder / "scenes" / f"CLEVR_{self._split}_scenes.json").read_text())
        return {scene["image_filename"]: len(scene["objects"]) for scene in content["scenes"]}

    def extra_repr(self) -> str:
        return f"split={self._split}"


class Imagenette(ListedPictures):
    """Ten classes of ImageNet that are easily told apart. https://github.com/fastai/imagenette

    ``wnids`` and ``wnid_to_idx`` are by WordNet's numbers, ``classes`` and ``class_to_idx`` by names.

    Args:
        root: folder in which the set is, or is to be.
        split: "train" or "val".
        size: "full", "320px" or "160px": the shorter side.
        download: fetch the archive if the pictures are not there.
        transform, target_transform: functions of the picture and of the label.
        loader: reads a picture.
    """

    _ARCHIVES = {
        size: (f"https://s3.amazonaws.com/fast-ai-imageclas/imagenette2{suffix}.tgz", md5)
        for size, suffix, md5 in (
            ("full", "", "fe2fc210e6bb7c5664d602c3cd71e612"),
            ("320px", "-320", "3df6f0d01a2c9592104656642f5e78a3"),
            ("160px", "-160", "e793b78cc4c9e9a4ccc0c1155377a412"),
        )
    }
    _WNID_TO_CLASS = {
        "n01440764": ("tench", "Tinca tinca"),
        "n02102040": ("English springer", "English springer spaniel"),
        "n02979186": ("cassette player",),
        "n03000684": ("chain saw", "chainsaw"),
        "n03028079": ("church", "church building"),
        "n03394916": ("French horn", "horn"),
        "n03417042": ("garbage truck", "dustcart"),
        "n03425413": ("gas pump", "gasoline pump", "petrol pump", "island dispenser"),
        "n03445777": ("golf ball",),
        "n03888257": ("parachute", "chute"),
    }

    classes: list[Any]

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        size: str = "full",
        download: bool = False,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform, target_transform, loader)
        self._split = utils.verify_str_arg(split, "split", ["train", "val"])
        self._size = utils.verify_str_arg(size, "size", ["full", "320px", "160px"])
        self._size_root = Path(self.root) / Path(self._ARCHIVES[size][0]).stem
        self._ensure(download, Source([self._ARCHIVES[size]], Path(self.root), [self._size_root]))
        images = self._size_root / split
        self.wnids, self.wnid_to_idx = find_classes(images)
        self.classes = [self._WNID_TO_CLASS[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: number for number, names in enumerate(self.classes) for name in names}
        self._samples = make_dataset(str(images), self.wnid_to_idx, extensions=".jpeg")

    def _check_exists(self) -> bool:
        return self._size_root.exists()
