"""Tiny data sets of made-up files, in the layouts that torchvision.datasets reads.

`CASES` has, by a name, a class of torchvision.datasets, the arguments besides ``root``, and a function that writes the
files below a folder. All files are the same in every run. `describe` says of a sample what both libraries must agree
on. The expectations in ``expected/vision_datasets.json`` were recorded with torchvision 0.28 by ``record`` here:

    python tests/made_up_pictures.py
"""

from __future__ import annotations

import bz2
import json
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    name: str
    options: dict[str, Any]
    write: Callable[[Path], None]


def picture(path: Path, number: int = 0, mode: str = "RGB", side: int = 6) -> None:
    """A picture of noise; PNG inside whatever the name says, so that every release of Pillow reads the same pixels."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    wide = side if side == 128 else side + 1
    shape = (side, wide, 3) if mode == "RGB" else (side, wide)
    pixels = np.random.default_rng([number, *path.name.encode()]).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def mat(path: Path, content: dict[str, Any]) -> None:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content)


def objects(rows: list[Any]) -> Any:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def svhn(root: Path) -> None:
    generator = np.random.default_rng(0)
    for split in ("train", "test", "extra"):
        pixels = generator.integers(0, 256, (32, 32, 3, 5), np.uint8)
        mat(root / f"{split}_32x32.mat", {"X": pixels, "y": np.array([[1], [10], [9], [10], [3]], np.uint8)})


def stl10(root: Path) -> None:
    folder, generator = root / "stl10_binary", np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2), ("unlabeled", 3)):
        folder.mkdir(exist_ok=True)
        (folder / f"{part}_X.bin").write_bytes(generator.integers(0, 256, count * 3 * 96 * 96, np.uint8).tobytes())
        (folder / f"{part}_y.bin").write_bytes(generator.integers(1, 11, count, np.uint8).tobytes())
    text(folder / "class_names.txt", "airplane\nbird\ncar\n")
    text(folder / "fold_indices.txt", "0 1\n3 2 \n")


def usps(root: Path) -> None:
    generator = np.random.default_rng(0)
    for name in ("usps.bz2", "usps.t.bz2"):
        values = generator.uniform(-1, 1, (3, 256)).round(4)
        lines = [
            " ".join([str(label), *(f"{place + 1}:{value}" for place, value in enumerate(row))])
            for label, row in zip((1, 10, 4), values, strict=True)
        ]
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))


def semeion(root: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (3, 256))
    rows = np.concatenate([bits, np.eye(10, dtype=int)[[7, 0, 9]]], 1)
    text(root / "semeion.data", "\n".join(" ".join(map(str, row)) for row in rows))


def moving_mnist(root: Path) -> None:
    (root / "MovingMNIST").mkdir()
    videos = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 4), np.uint8)
    np.save(root / "MovingMNIST" / "mnist_test_seq.npy", videos)


def celeba(root: Path) -> None:
    folder = root / "celeba"
    names = [f"{number:06d}.jpg" for number in range(1, 6)]
    for number, name in enumerate(names):
        picture(folder / "img_align_celeba" / name, number)
    text(folder / "list_eval_partition.txt", "".join(f"{n} {p}\n" for n, p in zip(names, "00122", strict=True)))
    text(folder / "identity_CelebA.txt", "".join(f"{n} {p}\n" for n, p in zip(names, "31542", strict=True)))
    for name, columns in (("bbox", 4), ("landmarks_align", 10), ("attr", 3)):
        table = np.random.default_rng(columns).integers(0, 100, (5, columns))
        table = np.where(table > 50, 1, -1) if name == "attr" else table
        rows = "".join(f"{n}  {' '.join(map(str, row))}\n" for n, row in zip(names, table, strict=True))
        header = " ".join(f"column{number}" for number in range(columns))
        text(folder / f"list_{name}_celeba.txt", f"5\n{header}\n{rows}")


def flowers(root: Path) -> None:
    for number in range(1, 7):
        picture(root / "flowers-102" / "jpg" / f"image_{number:05d}.jpg", number)
    mat(root / "flowers-102" / "imagelabels.mat", {"labels": np.array([[77, 77, 1, 102, 5, 6]], np.uint8)})
    mat(root / "flowers-102" / "setid.mat", {"trnid": [[4, 1]], "valid": [[2, 6]], "tstid": [[3, 5]]})


def food(root: Path) -> None:
    folder = root / "food-101"
    listed = {"waffles": ["waffles/1", "waffles/3"], "apple_pie": ["apple_pie/2"]}
    for split in ("train", "test"):
        text(folder / "meta" / f"{split}.json", json.dumps(listed))
    for names in listed.values():
        for name in names:
            picture(folder / "images" / f"{name}.jpg")


def dtd(root: Path) -> None:
    names = ["woven/w_1.jpg", "banded/b_2.jpg", "woven/w_3.jpg"]
    text(root / "dtd" / "dtd" / "labels" / "val3.txt", "\n".join(names) + "\n")
    for name in names:
        picture(root / "dtd" / "dtd" / "images" / name)


def gtsrb(root: Path) -> None:
    folder = root / "gtsrb" / "GTSRB"
    for name in ("Training/00000/a.ppm", "Training/00002/b.ppm", "Training/00002/GT.csv", "Final_Test/Images/0.ppm"):
        picture(folder / name)
    text(root / "gtsrb" / "GT-final_test.csv", "Filename;Width;ClassId\n0.ppm;5;16\n")


def aircraft(root: Path) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    text(data / "families.txt", "A300\nBoeing 737\n")
    text(data / "images_family_test.txt", "0001 Boeing 737\n0002 A300\n")
    for name in ("0001", "0002"):
        picture(data / "images" / f"{name}.jpg")


def sun(root: Path) -> None:
    text(root / "SUN397" / "ClassName.txt", "/a/abbey\n/a/apse/indoor\n")
    picture(root / "SUN397" / "a" / "abbey" / "sun_a.jpg")
    picture(root / "SUN397" / "a" / "apse" / "indoor" / "sun_b.jpg")


def cars(root: Path) -> None:
    folder = root / "stanford_cars"
    annotations = np.array([("1.jpg", 2), ("2.jpg", 1)], [("fname", object), ("class", np.uint8)])
    mat(folder / "devkit" / "cars_train_annos.mat", {"annotations": annotations})
    mat(folder / "devkit" / "cars_meta.mat", {"class_names": objects(["Audi A4", "BMW 3"])})
    for name in ("1.jpg", "2.jpg"):
        picture(folder / "cars_train" / name)


def rendered(root: Path) -> None:
    for name in ("valid/negative/1.png", "valid/positive/2.png", "valid/positive/3.png"):
        picture(root / "rendered-sst2" / name)


def clevr(root: Path) -> None:
    folder = root / "clevr" / "CLEVR_v1.0"
    scenes = [{"image_filename": f"{number}.png", "objects": [{}] * number} for number in (2, 1)]
    text(folder / "scenes" / "CLEVR_val_scenes.json", json.dumps({"scenes": scenes}))
    for name in ("val/1.png", "val/2.png", "test/9.png"):
        picture(folder / "images" / name)


def imagenette(root: Path) -> None:
    for name in ("n03888257/1.JPEG", "n01440764/2.JPEG", "n01440764/3.JPEG"):
        picture(root / "imagenette2-160" / "train" / name)


def eurosat(root: Path) -> None:
    for name in ("River/1.jpg", "Forest/2.jpg"):
        picture(root / "eurosat" / "2750" / name)


def country(root: Path) -> None:
    for name in ("AD/1.jpg", "FR/2.jpg"):
        picture(root / "country211" / "valid" / name)


def caltech101(root: Path) -> None:
    folder = root / "caltech101"
    for name in ("Faces/image_0001", "Faces/image_0002", "ant/image_0001", "BACKGROUND_Google/image_0001"):
        picture(folder / "101_ObjectCategories" / f"{name}.jpg")
    for name in ("Faces_2/annotation_0001", "Faces_2/annotation_0002", "ant/annotation_0001"):
        mat(folder / "Annotations" / f"{name}.mat", {"obj_contour": np.arange(6.0).reshape(2, 3) + len(name)})


def caltech256(root: Path) -> None:
    for name in ("001.ak47/001_0001", "001.ak47/001_0002", "002.flag/002_0001"):
        picture(root / "caltech256" / "256_ObjectCategories" / f"{name}.jpg", mode="L")


def omniglot(root: Path) -> None:
    folder = root / "omniglot-py"
    picture(folder / "images_evaluation" / "Greek" / "character01" / "0001_01.png", mode="L")
    (folder / "images_evaluation.zip").write_bytes(b"")


def inaturalist_2021(root: Path) -> None:
    for folder in (
        "00000_Animalia_Arthropoda_Insecta_Coleoptera_Cleridae_Trichodes_apiarius",
        "00001_Animalia_Chordata_Aves_Passeriformes_Turdidae_Turdus_merula",
    ):
        picture(root / "2021_valid" / folder / "1.jpg")


def inaturalist_2018(root: Path) -> None:
    for folder in ("Birds/1", "Insects/0"):
        picture(root / "2018" / folder / "1.jpg")


def places(root: Path) -> None:
    text(root / "categories_places365.txt", "/a/airfield 0\n/a/alley 1\n")
    text(root / "places365_val.txt", "1.jpg 1\n2.jpg 0\n")
    text(root / "places365_test.txt", "3.jpg\n")
    for name in ("val_256/1.jpg", "val_256/2.jpg", "test_256/3.jpg"):
        picture(root / name)


def lfw(root: Path) -> None:
    folder = root / "lfw-py"
    text(folder / "lfw-names.txt", "Ann_A\t2\nBob_B\t1\n")
    text(folder / "people.txt", "2\n1\nAnn_A\t2\n1\nBob_B\t1\n")
    text(folder / "pairsDevTest.txt", "1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t1\n")
    text(folder / "lfw-funneled.tgz", "")
    for name in ("Ann_A/Ann_A_0001", "Ann_A/Ann_A_0002", "Bob_B/Bob_B_0001"):
        picture(folder / "lfw_funneled" / f"{name}.jpg")


def widerface(root: Path) -> None:
    folder = root / "widerface"
    for name in ("train/images/0--Parade/1.jpg", "train/images/0--Parade/2.jpg", "val/x", "test/images/1--T/3.jpg"):
        picture(folder / f"WIDER_{name}")
    lines = "0--Parade/1.jpg\n2\n1 2 3 4 0 0 0 1 0 1\n5 6 7 8 1 1 0 2 0 0\n0--Parade/2.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
    text(folder / "wider_face_split" / "wider_face_train_bbx_gt.txt", lines)
    text(folder / "wider_face_split" / "wider_face_test_filelist.txt", "1--T/3.jpg\n")


def _faces() -> list[str]:
    return [" ".join(map(str, row)) for row in np.random.default_rng(0).integers(0, 256, (3, 48 * 48))]


def fer2013(root: Path) -> None:
    rows = zip((3, 0, 6), _faces(), ("Training", "PublicTest", "PrivateTest"), strict=True)
    text(root / "fer2013" / "fer2013.csv", "emotion,pixels,Usage\n" + "\n".join(f"{e},{p},{u}" for e, p, u in rows))


def fer2013_icml(root: Path) -> None:
    rows = zip((3, 0, 6), _faces(), ("Training", "PublicTest", "PrivateTest"), strict=True)
    content = "emotion, Usage, pixels\n" + "\n".join(f"{e},{u},{p}" for e, p, u in rows)
    text(root / "fer2013" / "icml_face_data.csv", content)


def fer2013_parts(root: Path) -> None:
    text(root / "fer2013" / "test.csv", "pixels\n" + "\n".join(_faces()))


def voc(root: Path) -> None:
    folder = root / "VOCdevkit" / "VOC2012"
    for kind in ("Main", "Segmentation"):
        text(folder / "ImageSets" / kind / "val.txt", "2007_1\n2007_2\n")
    box = "".join(f"<{side}>{number}</{side}>" for number, side in enumerate(("xmin", "ymin", "xmax", "ymax"), 1))
    thing = f"<object><name>cat</name><bndbox>{box}</bndbox></object>"
    for name, things in (("2007_1", thing), ("2007_2", thing * 2 + thing.replace("cat", " dog "))):
        picture(folder / "JPEGImages" / f"{name}.jpg")
        picture(folder / "SegmentationClass" / f"{name}.png", mode="L")
        text(folder / "Annotations" / f"{name}.xml", f"<annotation>\n <folder>V</folder>{things}<empty/></annotation>")


def cityscapes(root: Path) -> None:
    for city, number in (("aachen", 1),):
        stem = f"{city}_{number:06d}_000019"
        picture(root / "leftImg8bit" / "val" / city / f"{stem}_leftImg8bit.png")
        for kind in ("instanceIds", "labelIds", "color"):
            picture(root / "gtFine" / "val" / city / f"{stem}_gtFine_{kind}.png", mode="L")
        text(root / "gtFine" / "val" / city / f"{stem}_gtFine_polygons.json", '{"imgHeight": 6, "objects": []}')


def sbd(root: Path) -> None:
    from scipy.sparse import csc_matrix

    text(root / "train.txt", "2008_1\n")
    picture(root / "img" / "2008_1.jpg")
    edges = np.empty((20, 1), object)
    for number in range(20):
        edges[number, 0] = csc_matrix(np.eye(6, 7, number % 5, dtype=float))
    segmentation = np.arange(42, dtype=np.uint8).reshape(6, 7)
    mat(root / "cls" / "2008_1.mat", {"GTcls": {"Segmentation": segmentation, "Boundaries": edges}})


def kitti(root: Path) -> None:
    raw = root / "Kitti" / "raw"
    picture(raw / "training" / "image_2" / "000000.png")
    picture(raw / "testing" / "image_2" / "000001.png")
    line = "Car 0.50 1 -1.57 1.0 2.0 3.0 4.0 1.5 1.6 3.7 0.1 0.2 8.4 0.01\n"
    text(raw / "training" / "label_2" / "000000.txt", line + line.replace("Car", "Van"))


def pets(root: Path) -> None:
    folder = root / "oxford-iiit-pet"
    text(folder / "annotations" / "trainval.txt", "great_pyrenees_2 2 2 1\nBlue_cat_10 1 1 1\nBlue_cat_11 1 1 1\n")
    for name in ("great_pyrenees_2", "Blue_cat_10", "Blue_cat_11"):
        picture(folder / "images" / f"{name}.jpg")
        picture(folder / "annotations" / "trimaps" / f"{name}.png", mode="L")


def flickr8k(root: Path) -> None:
    picture(root / "123_abc.jpg")
    text(
        root / "page.html",
        "<a>no/table</a><table><tr><td><a href='x'>http://flickr.com/photos/me/123/</a><ul><li>A dog. </li>"
        "<li> A cat.</li></ul></td></tr><tr><td>Image Not Found<ul><li>Nothing.</li></ul></td></tr></table>",
    )


def flickr30k(root: Path) -> None:
    for name in ("2.jpg", "1.jpg"):
        picture(root / name)
    text(root / "captions.token", "2.jpg#0\tA dog .\n2.jpg#1\tThe dog .\n1.jpg#0\tA cat .\n")


def sbu(root: Path) -> None:
    text(root / "SBUCaptionedPhotoDataset.tar.gz", "")
    text(root / "dataset" / "SBU_captioned_photo_dataset_urls.txt", "http://f.com/1/1.jpg\nhttp://f.com/1/2.jpg\n")
    text(root / "dataset" / "SBU_captioned_photo_dataset_captions.txt", "one \ntwo\n")
    picture(root / "dataset" / "2.jpg")


def phototour(root: Path) -> None:
    for number in range(2):
        picture(root / "liberty" / f"patches{number:04d}.bmp", mode="L", side=128)
    text(root / "liberty" / "info.txt", "\n".join(f"{number // 2} 0" for number in range(8)))
    text(root / "liberty" / "m50_100000_100000_0.txt", "0 5 0 1 5 0\n2 5 0 7 6 0\n")


def _flo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(len(path.name)).normal(size=(2, 3, 2)).astype("<f4")
    path.write_bytes(b"PIEH" + np.array([3, 2], "<i4").tobytes() + numbers.tobytes())


def sintel(root: Path) -> None:
    for number in range(3):
        for kind in ("training/clean", "training/final", "test/clean"):
            picture(root / "Sintel" / kind / "alley_1" / f"frame_{number}.png")
    for number in range(2):
        _flo(root / "Sintel" / "training" / "flow" / "alley_1" / f"frame_{number}.flo")


def chairs(root: Path) -> None:
    folder = root / "FlyingChairs"
    text(folder / "FlyingChairs_train_val.txt", "1\n2\n1\n")
    for number in range(3):
        _flo(folder / "data" / f"{number}_flow.flo")
        for which in (1, 2):
            picture(folder / "data" / f"{number}_img{which}.ppm")


def things(root: Path) -> None:
    folder = root / "FlyingThings3D"
    for number, side in ((number, side) for number in range(3) for side in ("left", "right")):
        picture(folder / "frames_finalpass" / "TEST" / "A" / "0000" / side / f"{number}.png")
        for direction, head in (("into_future", b"PF\n3 2\n-1.0\n"), ("into_past", b"PF\n3 2\n1.0\n")):
            path = folder / "optical_flow" / "TEST" / "A" / "0000" / direction / side / f"{number}.pfm"
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = np.random.default_rng(number).normal(size=(2, 3, 3))
            path.write_bytes(head + numbers.astype("<f4" if b"-" in head else ">f4").tobytes())


CASES = {
    f"{number} {case.name}": case
    for number, case in enumerate(
        (
            Case("SVHN", {}, svhn),
            Case("SVHN", {"split": "extra"}, svhn),
            Case("STL10", {"split": "train"}, stl10),
            Case("STL10", {"split": "train+unlabeled", "folds": 1}, stl10),
            Case("STL10", {"split": "unlabeled"}, stl10),
            Case("STL10", {"split": "test"}, stl10),
            Case("USPS", {}, usps),
            Case("USPS", {"train": False}, usps),
            Case("SEMEION", {"download": False}, semeion),
            Case("MovingMNIST", {}, moving_mnist),
            Case("MovingMNIST", {"split": "train", "split_ratio": 3}, moving_mnist),
            Case("MovingMNIST", {"split": "test"}, moving_mnist),
            Case("CelebA", {"target_type": ["attr", "identity", "bbox", "landmarks"]}, celeba),
            Case("CelebA", {"split": "all"}, celeba),
            Case("CelebA", {"split": "test", "target_type": []}, celeba),
            Case("Flowers102", {}, flowers),
            Case("Flowers102", {"split": "val"}, flowers),
            Case("Food101", {"split": "test"}, food),
            Case("DTD", {"split": "val", "partition": 3}, dtd),
            Case("GTSRB", {}, gtsrb),
            Case("GTSRB", {"split": "test"}, gtsrb),
            Case("FGVCAircraft", {"split": "test", "annotation_level": "family"}, aircraft),
            Case("SUN397", {}, sun),
            Case("StanfordCars", {}, cars),
            Case("RenderedSST2", {"split": "val"}, rendered),
            Case("CLEVRClassification", {"split": "val"}, clevr),
            Case("CLEVRClassification", {"split": "test"}, clevr),
            Case("Imagenette", {"size": "160px"}, imagenette),
            Case("EuroSAT", {}, eurosat),
            Case("Country211", {"split": "valid"}, country),
            Case("Caltech101", {}, caltech101),
            Case("Caltech101", {"target_type": ["category", "annotation"]}, caltech101),
            Case("Caltech256", {}, caltech256),
            Case("Omniglot", {"background": False}, omniglot),
            Case("INaturalist", {"version": "2021_valid", "target_type": ["full", "class"]}, inaturalist_2021),
            Case("INaturalist", {"version": "2018", "target_type": ["super", "full"]}, inaturalist_2018),
            Case("Places365", {"split": "val", "small": True}, places),
            Case("Places365", {"split": "test", "small": True}, places),
            Case("LFWPeople", {}, lfw),
            Case("LFWPairs", {"split": "test"}, lfw),
            Case("WIDERFace", {}, widerface),
            Case("WIDERFace", {"split": "test"}, widerface),
            Case("FER2013", {}, fer2013),
            Case("FER2013", {"split": "test"}, fer2013_icml),
            Case("FER2013", {"split": "test"}, fer2013_parts),
            Case("VOCDetection", {"image_set": "val"}, voc),
            Case("VOCSegmentation", {"image_set": "val"}, voc),
            Case("Cityscapes", {"split": "val"}, cityscapes),
            Case("Cityscapes", {"split": "val", "target_type": ["semantic", "color", "polygon"]}, cityscapes),
            Case("SBDataset", {}, sbd),
            Case("SBDataset", {"mode": "segmentation"}, sbd),
            Case("Kitti", {}, kitti),
            Case("Kitti", {"train": False}, kitti),
            Case("OxfordIIITPet", {}, pets),
            Case("OxfordIIITPet", {"target_types": ["category", "binary-category", "segmentation"]}, pets),
            Case("Flickr8k", {"ann_file": "page.html"}, flickr8k),
            Case("Flickr30k", {"ann_file": "captions.token"}, flickr30k),
            Case("SBU", {"download": False}, sbu),
            Case("PhotoTour", {"name": "liberty"}, phototour),
            Case("PhotoTour", {"name": "liberty", "train": False}, phototour),
            Case("Sintel", {"pass_name": "both"}, sintel),
            Case("Sintel", {"split": "test"}, sintel),
            Case("FlyingChairs", {}, chairs),
            Case("FlyingChairs", {"split": "val"}, chairs),
            Case("FlyingThings3D", {"split": "test", "pass_name": "final", "camera": "both"}, things),
        )
    )
}

# Public attributes that programs look at.
ATTRIBUTES = """classes class_to_idx labels targets split train wnids wnid_to_idx categories annotation_categories
    attr_names filename y all_categories categories_index categories_map bin_classes bin_class_to_idx captions
    photos pair_names image_set mode""".split()


def make(datasets: Any, case: Case, root: Path) -> Any:
    """The data set of a case, whose files are written below `root`."""
    case.write(root)
    options = dict(case.options)
    if "ann_file" in options:
        options["ann_file"] = str(root / options["ann_file"])
    return getattr(datasets, case.name)(str(root), **options)


def describe(value: Any, root: Path) -> Any:
    """A value in terms of JSON, the same for both libraries."""
    if hasattr(value, "getpixel"):
        return ["image", value.mode, list(value.size), zlib.crc32(value.tobytes())]
    if hasattr(value, "requires_grad"):
        return [str(value.dtype).removeprefix("torch."), describe(value.numpy(), root)]
    if isinstance(value, np.ndarray):
        large = [list(value.shape), zlib.crc32(np.ascontiguousarray(value).tobytes())]
        return [str(value.dtype), value.tolist() if value.size < 10 else large]
    if isinstance(value, dict):
        return {str(key): describe(entry, root) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *(describe(entry, root) for entry in value)]
    if isinstance(value, np.generic):
        return value.item()
    return str(value).replace(str(root), "ROOT") if isinstance(value, str | Path) else value


def summary(dataset: Any, root: Path) -> dict[str, Any]:
    """What is said of a data set: how it prints, its samples and its attributes."""
    attributes = {name: describe(getattr(dataset, name), root) for name in ATTRIBUTES if hasattr(dataset, name)}
    return {
        "repr": repr(dataset).replace(str(root), "ROOT"),
        "samples": [describe(dataset[index], root) for index in range(len(dataset))],
        "attributes": {name: value for name, value in attributes.items() if len(json.dumps(value)) < 600},
    }


def wrapped(datasets: Any, case: Case, keys: Any, root: Path) -> Any:
    """The samples of a data set that says what they are, or the error of a kind that cannot."""
    try:
        data = datasets.wrap_dataset_for_transforms_v2(make(datasets, case, root), keys)
        return [type(data).__name__, *(_typed(data[index], root) for index in range(len(data)))]
    except (TypeError, ValueError, RuntimeError) as error:
        return type(error).__name__


def _typed(value: Any, root: Path) -> Any:
    """`describe`, and for tensors what they are."""
    if isinstance(value, dict):
        return {key: _typed(entry, root) for key, entry in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_typed(entry, root) for entry in value]
    kind = [type(value).__name__, *getattr(value, "canvas_size", ())] if hasattr(value, "requires_grad") else []
    return [*kind, describe(value, root)]


# Data sets that can be wrapped, once each.
WRAPPED = {key: case for key, case in CASES.items() if case.name in """CelebA Caltech101 Cityscapes Kitti SBDataset
    OxfordIIITPet VOCDetection VOCSegmentation WIDERFace Food101 EuroSAT GTSRB""".split()}


def record() -> None:
    """Writes down what torchvision says; checksums of made-up files are not looked at."""
    import os
    import sys

    import torchvision

    for name, module in list(sys.modules.items()):
        if name.startswith("torchvision.datasets") and hasattr(module, "check_integrity"):
            module.check_integrity = lambda path, md5=None: os.path.isfile(path)
    expected = {}
    for key, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            expected[key] = summary(make(torchvision.datasets, case, Path(folder)), Path(folder))
        for keys in (None, "all") if key in WRAPPED else ():
            with tempfile.TemporaryDirectory() as folder:
                expected[key][f"wrapped {keys}"] = wrapped(torchvision.datasets, case, keys, Path(folder))
    content = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in expected.items())
    (Path(__file__).parent / "expected" / "vision_datasets.json").write_text(f"{{{content}}}\n")


if __name__ == "__main__":
    record()
