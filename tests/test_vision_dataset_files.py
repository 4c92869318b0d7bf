"""torchvision.datasets on tiny made-up files: the same samples, attributes and prints as torchvision's own classes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import made_up_pictures as made
import numpy as np
import pytest

import rushlight as torch
from rushlight.data import DataLoader
from rushlight.data.gather import gather_of
from rushlight.vision import datasets, transforms
from rushlight.vision.datasets import utils as files

pytest.importorskip("PIL")

EXPECTED = json.loads((Path(__file__).parent / "expected" / "vision_datasets.json").read_text())
# Of these, torchvision's order is that of the file system.
ORDER_OF_FILES = "SUN397 INaturalist Kitti".split()


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up files have no right checksums."""
    monkeypatch.setattr(files, "check_integrity", lambda path, md5=None: os.path.isfile(path))


def in_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("key", made.CASES)
def test_samples(key: str, tmp_path: Path, unchecked: None) -> None:
    case, expected = made.CASES[key], EXPECTED[key]
    try:
        data = made.make(datasets, case, tmp_path)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    found = in_json(made.summary(data, tmp_path))
    if case.name in ORDER_OF_FILES:
        found["samples"].sort(key=str), expected["samples"].sort(key=str)
    lines = expected["repr"].splitlines()
    assert found["repr"].splitlines() == lines
    assert found["samples"] == expected["samples"]
    for name, value in expected["attributes"].items():
        assert found["attributes"].get(name) == value, name


@pytest.mark.parametrize("keys", [None, "all"])
@pytest.mark.parametrize("key", made.WRAPPED)
def test_samples_that_say_what_they_are(key: str, keys: Any, tmp_path: Path, unchecked: None) -> None:
    if made.WRAPPED[key].name in ("SBDataset", "Caltech101"):
        pytest.importorskip("scipy")
    found = in_json(made.wrapped(datasets, made.WRAPPED[key], keys, tmp_path))
    expected = EXPECTED[key][f"wrapped {keys}"]
    if made.WRAPPED[key].name in ORDER_OF_FILES:
        found.sort(key=str), expected.sort(key=str)
    assert found == expected


def test_wrapping(tmp_path: Path) -> None:
    import pickle

    made.voc(tmp_path)
    wrap, kind = datasets.wrap_dataset_for_transforms_v2, datasets.VOCDetection
    data = wrap(kind(tmp_path, image_set="val", transforms=_swapped))
    assert isinstance(data, kind) and len(data) == 2 and data.image_set == "val"
    assert list(data[1][0]) == ["boxes", "labels"] and data[1][1].mode == "RGB"
    again = pickle.loads(pickle.dumps(wrap(kind(tmp_path, image_set="val"))))
    assert again[0][1]["labels"].tolist() == [8]
    with pytest.raises(AttributeError):
        _ = data.nothing
    for given, keys, error, message in (
        (kind(tmp_path, image_set="val"), ["nix"], ValueError, r"Target keys \['nix'\] are not available"),
        (kind(tmp_path, image_set="val"), 3, ValueError, "can be None, 'all', or a collection"),
        (datasets.VOCSegmentation(tmp_path, image_set="val"), "all", ValueError, "is currently only supported for"),
        ([1], None, TypeError, "meant for subclasses"),
        (datasets.FakeData(), None, TypeError, "No wrapper exists for dataset class FakeData"),
    ):
        with pytest.raises(error, match=message):
            wrap(given, keys)


def _swapped(picture: Any, target: Any) -> Any:
    return target, picture


def test_wrapped_coco(tmp_path: Path) -> None:
    boxes = [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "segmentation": [[0, 0, 2, 0, 2, 2]]}]
    images = [{"id": 7, "file_name": "7.jpg"}, {"id": 9, "file_name": "9.jpg"}]
    made.text(tmp_path / "list.json", json.dumps({"images": images, "annotations": boxes}))
    for name in ("7.jpg", "9.jpg"):
        made.picture(tmp_path / name)
    bare = datasets.CocoDetection(tmp_path, str(tmp_path / "list.json"))
    data = datasets.wrap_dataset_for_transforms_v2(bare)
    target = data[0][1]
    assert target["image_id"] == 7 and target["boxes"].tolist() == [[1, 2, 4, 6]] and target["labels"].tolist() == [2]
    assert type(target["boxes"]).__name__ == "BoundingBoxes" and target["boxes"].canvas_size == (6, 7)
    assert data[1][1] == {"image_id": 9}
    chosen = datasets.wrap_dataset_for_transforms_v2(bare, ["bbox", "category_id"])
    assert chosen[0][1] == {"bbox": [[1, 2, 3, 4]], "category_id": [2]}


def test_flows(tmp_path: Path) -> None:
    made.sintel(tmp_path)
    data = datasets.Sintel(tmp_path, transforms=lambda first, second, flow, mask: (first.size, 1, flow, 4))
    assert data[0][:2] == ((7, 6), 1) and data[0][3] == 4 and len(3 * data) == 6
    assert len(datasets.Sintel(tmp_path, transforms=lambda *sample: sample)[0]) == 3
    from rushlight.vision.datasets.optical_flow import read_flo, read_pfm

    path = tmp_path / "bad"
    for content in (b"", b"PIEH", b"PIEX" + bytes(16), b"PIEH" + np.array([9, 9], "<i4").tobytes() + bytes(8)):
        path.write_bytes(content)
        for read in (read_flo, read_pfm):
            with pytest.raises(ValueError):
                read(path)
    with pytest.raises(FileNotFoundError, match="FlyingChairs_train_val.txt was not found"):
        datasets.FlyingChairs(tmp_path)
    with pytest.raises(FileNotFoundError, match="Could not find the FlyingThings3D"):
        datasets.FlyingThings3D(tmp_path)


# Each set without its files, and arguments that it must refuse.
ROOT_ONLY = """STL10 SVHN USPS Flowers102 Food101 DTD GTSRB FGVCAircraft SUN397 StanfordCars RenderedSST2
    CLEVRClassification Imagenette EuroSAT Country211 Caltech101 Caltech256 Omniglot INaturalist Places365 LFWPeople
    LFWPairs CelebA WIDERFace VOCDetection VOCSegmentation SBDataset Kitti OxfordIIITPet MovingMNIST""".split()


@pytest.mark.parametrize("name", ROOT_ONLY)
def test_nothing_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ataset not found or corrupted"):
        getattr(datasets, name)(tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SVHN", {"split": "all"}, "'all' for argument split. Valid values are {'train', 'test', 'extra'}."),
        ("STL10", {"folds": 10}, "should be in the range [0, 10), but got 10"),
        ("STL10", {"folds": "1"}, "Expected type None or int for argument folds"),
        ("DTD", {"partition": 11}, "but got 11 instead"),
        ("VOCDetection", {"image_set": "test"}, "Unknown value 'test' for argument image_set"),
        ("Cityscapes", {"split": "train_extra"}, "for argument split if mode is 'fine'"),
        ("StanfordCars", {"download": True}, "cannot be downloaded anymore"),
        ("LFWPeople", {"download": True}, "no longer available for automatic download"),
        ("MovingMNIST", {"split_ratio": 20}, "should be `1 <= split_ratio <= 19`"),
        ("Kinetics", {}, "not in Rushlight yet"),
    ],
)
def test_refused(name: str, options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, AttributeError)) as caught:
        getattr(datasets, name)(tmp_path, **options)
    assert message in str(caught.value)


def test_svhn(tmp_path: Path, unchecked: None) -> None:
    pytest.importorskip("scipy")
    made.svhn(tmp_path)
    data = datasets.SVHN(tmp_path)
    assert data.data.shape == (5, 3, 32, 32) and data.data.dtype == np.uint8
    assert data.labels.tolist() == [1, 0, 9, 0, 3] and data.labels.dtype == np.int64
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))])
    fast = datasets.SVHN(tmp_path, transform=both)
    slow = datasets.SVHN(tmp_path, transform=lambda picture: both(picture))
    assert gather_of(fast) is not None and gather_of(slow) is None
    for one, other in zip(DataLoader(fast, 2), DataLoader(slow, 2), strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert torch.equal(fast[3][0], slow[3][0]) and fast[3][1] == 0


def test_svhn_that_is_something_else(tmp_path: Path, unchecked: None) -> None:
    pytest.importorskip("scipy")
    pixels, path = np.zeros((32, 32, 3, 2), np.uint8), tmp_path / "train_32x32.mat"
    for content, message in (
        ({"X": pixels[..., 0], "y": [[1]]}, "holds no pictures"),
        ({"X": pixels.astype(float), "y": [[1, 2]]}, "holds no pictures"),
        ({"y": [[1, 2]]}, "holds no pictures"),
        ({"X": pixels, "y": [[1]]}, "does not hold 2 labels"),
    ):
        made.mat(path, content)
        with pytest.raises(RuntimeError, match=message):
            datasets.SVHN(tmp_path)


def test_grey_arrays_are_gathered(tmp_path: Path, unchecked: None) -> None:
    made.usps(tmp_path)
    fast = datasets.USPS(tmp_path, transform=transforms.ToTensor())
    slow = datasets.USPS(tmp_path, transform=lambda picture: transforms.ToTensor()(picture))
    assert gather_of(fast) is not None and gather_of(slow) is None
    for one, other in zip(DataLoader(fast, 2), DataLoader(slow, 2), strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_coco(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (7, 3)]
    boxes: list[dict[str, Any]] = [
        {"id": 1, "image_id": 7, "category_id": 2, "area": 5.0, "iscrowd": 0, "bbox": [1, 2, 3, 4], "caption": "one"},
        {"id": 4, "image_id": 7, "category_id": 1, "area": 9.0, "iscrowd": 1, "bbox": [0, 0, 1, 1], "caption": "two"},
    ]
    kinds = [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "car", "supercategory": "vehicle"}]
    content = {"images": images, "annotations": boxes, "categories": kinds}
    made.text(tmp_path / "list.json", json.dumps(content))
    for entry in images:
        made.picture(tmp_path / str(entry["file_name"]), mode="L")
    data = datasets.CocoDetection(tmp_path, str(tmp_path / "list.json"), target_transform=lambda found: found[::-1])
    assert data.ids == [3, 7] and data[0][1] == [] and data[1][1] == boxes[::-1] and data[0][0].mode == "RGB"
    assert datasets.CocoCaptions(tmp_path, str(tmp_path / "list.json"))[1][1] == ["one", "two"]
    index = data.coco
    assert index.getAnnIds(7) == [1, 4] == index.getAnnIds() and index.getAnnIds([7], catIds=[1]) == [4]
    assert index.getAnnIds(areaRng=[4, 6]) == [1] and index.getAnnIds(iscrowd=True) == [4]
    assert index.getCatIds("car") == [2] and index.getCatIds(supNms=["animal"]) == [1]
    assert sorted(index.getImgIds()) == [3, 7] and index.getImgIds(catIds=[1, 2]) == [7]
    assert index.loadCats([1]) == kinds[:1] and index.loadImgs(3) == images[1:]
    with pytest.raises(ValueError, match="must be of type integer"):
        data["3"]


def test_transforms_of_both(tmp_path: Path) -> None:
    made.voc(tmp_path)
    data = datasets.VOCSegmentation(tmp_path, image_set="val", transforms=lambda one, other: (other.mode, one.mode))
    assert data[0] == ("L", "RGB")
    data = datasets.VOCSegmentation(tmp_path, image_set="val", transform=lambda one: one.size)
    assert data[0][0] == (7, 6) and data[0][1].mode == "L"


def test_imagenet(tmp_path: Path, unchecked: None) -> None:
    import tarfile

    pytest.importorskip("scipy")
    kit = tmp_path / "ILSVRC2012_devkit_t12"
    synsets = np.array(
        [(1, "n02", "dog, hound", "", 0), (2, "n01", "cat", "", 0), (3, "n00", "animal", "", 2)],
        [("ID", int), ("WNID", object), ("words", object), ("gloss", object), ("num_children", int)],
    )
    made.mat(kit / "data" / "meta.mat", {"synsets": synsets})
    made.text(kit / "data" / "ILSVRC2012_validation_ground_truth.txt", "2\n1\n2\n")
    for name in ("n01_1", "n02_1", "n02_2", "val_1", "val_2", "val_3"):
        made.picture(tmp_path / f"{name}.JPEG")
    for archive, members in (
        ("ILSVRC2012_devkit_t12.tar.gz", ["ILSVRC2012_devkit_t12"]),
        ("n01.tar", ["n01_1.JPEG"]),
        ("n02.tar", ["n02_1.JPEG", "n02_2.JPEG"]),
        ("ILSVRC2012_img_train.tar", ["n01.tar", "n02.tar"]),
        ("ILSVRC2012_img_val.tar", ["val_1.JPEG", "val_2.JPEG", "val_3.JPEG"]),
    ):
        with tarfile.open(tmp_path / archive, "w:gz" if archive.endswith("gz") else "w") as bundle:
            for member in members:
                bundle.add(tmp_path / member, member)
    train, val = datasets.ImageNet(tmp_path), datasets.ImageNet(str(tmp_path), "val")
    assert train.wnids == ["n01", "n02"] and train.classes == [("cat",), ("dog", "hound")]
    assert train.class_to_idx == {"cat": 0, "dog": 1, "hound": 1} and train.wnid_to_idx == {"n01": 0, "n02": 1}
    assert train.targets == [0, 1, 1] and len(val) == 3
    assert [(Path(path).name, label) for path, label in val.samples] == [
        ("val_1.JPEG", 0),
        ("val_3.JPEG", 0),
        ("val_2.JPEG", 1),
    ]
    assert "Split: val" in repr(val) and sorted(path.name for path in (tmp_path / "train").iterdir()) == ["n01", "n02"]
    with pytest.raises(RuntimeError, match="ILSVRC2012_devkit_t12.tar.gz is not present"):
        datasets.ImageNet(tmp_path / "train")


# --- downloads: the addresses lead to a folder of this machine --------------------------------------------------------


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files every address leads to, by their last part."""
    folder = tmp_path_factory.mktemp("server")

    def fetch(url: str, part: Path, target: Path) -> None:
        part.write_bytes((folder / os.path.basename(url)).read_bytes())

    monkeypatch.setattr(files, "_fetch", fetch)
    monkeypatch.setattr(files, "check_md5", lambda path, md5: True)
    return folder


def pack(folder: Path, archive: Path) -> None:
    import shutil

    kind = {".zip": "zip", ".tar": "tar", ".tgz": "gztar", ".gz": "gztar"}[archive.suffix]
    made_archive = shutil.make_archive(str(archive.parent / "packed"), kind, folder)
    os.replace(made_archive, archive)


@pytest.mark.parametrize(
    ("name", "options", "write", "folder", "archive"),
    [
        ("STL10", {}, made.stl10, "", "stl10_binary.tar.gz"),
        ("Food101", {}, made.food, "", "food-101.tar.gz"),
        ("GTSRB", {}, made.gtsrb, "gtsrb", "GTSRB-Training_fixed.zip"),
        ("EuroSAT", {}, made.eurosat, "eurosat", "EuroSAT.zip"),
        ("Country211", {"split": "valid"}, made.country, "", "country211.tgz"),
        ("Caltech256", {}, made.caltech256, "caltech256", "256_ObjectCategories.tar"),
        ("VOCDetection", {"image_set": "val"}, made.voc, "", "VOCtrainval_11-May-2012.tar"),
    ],
)
def test_download(
    name: str, options: Any, write: Any, folder: str, archive: str, tmp_path: Path, server: Path
) -> None:
    (tmp_path / "source").mkdir()
    write(tmp_path / "source")
    pack(tmp_path / "source" / folder, server / archive)
    root = tmp_path / "root"
    for download in (True, True, False):
        assert len(getattr(datasets, name)(root, download=download, **options)) > 0
    assert not list(root.rglob(".unpacking*")) and not list(root.rglob("*.part"))


def test_plain_files_are_downloaded(tmp_path: Path, server: Path) -> None:
    pytest.importorskip("scipy")
    made.svhn(server)
    made.usps(server)
    made.moving_mnist(tmp_path)
    os.replace(tmp_path / "MovingMNIST" / "mnist_test_seq.npy", server / "mnist_test_seq.npy")
    root = tmp_path / "root"
    assert len(datasets.SVHN(root, "test", download=True)) == 5
    assert len(datasets.USPS(root, download=True)) == 3 and (root / "usps.bz2").is_file()
    assert len(datasets.MovingMNIST(root, download=True)) == 3


def test_caltech101_is_archives_in_an_archive(tmp_path: Path, server: Path) -> None:
    pytest.importorskip("scipy")
    made.caltech101(tmp_path / "source")
    inner = tmp_path / "inner" / "caltech-101"
    inner.mkdir(parents=True)
    pack(tmp_path / "source" / "caltech101", inner / "101.tar.gz")
    pack(tmp_path / "inner", server / "caltech-101.zip")
    root = tmp_path / "root"
    assert len(datasets.Caltech101(root, "annotation", download=True)) == 3
    assert sorted(path.name for path in (root / "caltech101").iterdir()) == ["101_ObjectCategories", "Annotations"]


def test_from_google_drive(tmp_path: Path) -> None:
    for name in ("CelebA", "WIDERFace"):
        with pytest.raises(RuntimeError, match="'gdown' is required.*by hand"):
            getattr(datasets, name)(tmp_path, download=True)
