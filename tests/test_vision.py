"""torchvision's names: datasets (with hostile files), transforms, grids and image files."""

from __future__ import annotations

import gzip
import http.server
import io
import pickle
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

import rushlight as torch
from rushlight.data import DataLoader, Subset
from rushlight.data.gather import gather_of
from rushlight.vision import datasets, transforms, utils
from rushlight.vision.datasets import cifar, folder, idx
from rushlight.vision.datasets import utils as files
from rushlight.vision.transforms import functional as F

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)

needs_interpolate = pytest.mark.skipif(not hasattr(torch.nn.functional, "interpolate"), reason="no interpolate yet")
needs_grid = pytest.mark.skipif(not hasattr(torch.nn.functional, "grid_sample"), reason="no grid_sample yet")


def idx_bytes(array: np.ndarray[Any, Any], code: int = 8) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.tobytes()


def write_mnist(
    root: Path, name: str = "MNIST", packed: bool = True
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """30 training and 10 test pictures; returns the training ones."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for part, count in (("t10k", 10), ("train", 30)):
        images = generator.integers(0, 256, (count, 28, 28), np.uint8)
        labels = generator.integers(0, 10, count, np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = raw / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    return images, labels


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    write_mnist(tmp_path)
    return tmp_path


@pytest.fixture
def image() -> Any:
    return pytest.importorskip("PIL.Image").fromarray(PIXELS)


# --- MNIST ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_mnist(tmp_path: Path, packed: bool) -> None:
    images, labels = write_mnist(tmp_path, packed=packed)
    data = datasets.MNIST(tmp_path, download=True)
    assert len(data) == 30 and len(datasets.MNIST(str(tmp_path), train=False)) == 10
    assert data.data.dtype is torch.uint8 and tuple(data.data.shape) == (30, 28, 28)
    assert data.targets.dtype is torch.int64 and data.targets.tolist() == labels.tolist()
    assert data.classes[3] == "3 - three" and data.class_to_idx["9 - nine"] == 9
    pytest.importorskip("PIL")
    picture, label = data[4]
    assert picture.mode == "L" and picture.size == (28, 28) and type(label) is int and label == labels[4]
    assert np.array_equal(np.asarray(picture), images[4])


def test_mnist_prints_as_in_torchvision(mnist: Path) -> None:
    data = datasets.MNIST(str(mnist), transform=transforms.ToTensor())
    assert repr(data) == (
        f"Dataset MNIST\n    Number of datapoints: 30\n    Root location: {mnist}\n    Split: Train\n"
        "    StandardTransform\nTransform: ToTensor()"
    )
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    test = datasets.MNIST(str(mnist), train=False, transform=both, target_transform=transforms.Lambda(str))
    assert repr(test).splitlines()[3:] == [
        "    Split: Test",
        "    StandardTransform",
        "Transform: Compose(",
        "               ToTensor()",
        "               Normalize(mean=(0.5,), std=(0.5,))",
        "           )",
        "Target transform: Lambda()",
    ]


NORMALIZED = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])


@pytest.mark.parametrize("transform", [transforms.ToTensor(), NORMALIZED], ids=["scaled", "normalized"])
@pytest.mark.parametrize("subset", [False, True])
def test_mnist_batches_are_gathered(mnist: Path, transform: Any, subset: bool) -> None:
    pytest.importorskip("PIL")
    fast: Any = datasets.MNIST(mnist, transform=transform)
    slow: Any = datasets.MNIST(mnist, transform=lambda picture: transform(picture))
    if subset:
        fast, slow = Subset(fast, [3, -1, 5, 5]), Subset(slow, [3, -1, 5, 5])
    assert gather_of(fast) is not None and gather_of(slow) is None
    assert torch.equal(fast[1][0], slow[1][0])
    seen = []
    for data in (fast, slow):
        torch.manual_seed(0)
        seen.append(list(DataLoader(data, batch_size=4, shuffle=True)))
    for one, other in zip(*seen, strict=True):
        assert type(one) is list and one[0].dtype is torch.float32 and one[1].dtype is torch.int64
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
        assert one[0].shape == other[0].shape and one[0].shape[1:] == (1, 28, 28)


def test_mnist_scaling(mnist: Path) -> None:
    data = datasets.MNIST(mnist, transform=NORMALIZED)
    value = np.float32(data.data[0, 5, 5].item()) / np.float32(255)
    expected = (value - np.float32(0.1307)) / np.float32(0.3081)
    assert data[0][0][0, 5, 5].item() == expected


def test_mnist_what_is_not_gathered(mnist: Path) -> None:
    class Own(datasets.MNIST):
        def __getitem__(self, index: int) -> Any:
            return index, 0

        raw_folder = property(lambda self: str(Path(self.root, "MNIST", "raw")))

    class OwnToTensor(transforms.ToTensor):
        def __call__(self, pic: Any) -> Any:
            return super().__call__(pic) * 2

    to_tensor = transforms.ToTensor()
    assert gather_of(Own(mnist, transform=to_tensor)) is None
    for options in (
        {},
        {"transform": OwnToTensor()},
        {"transform": transforms.Compose([to_tensor, transforms.Normalize((0.1, 0.2), (1.0, 1.0))])},
        {"transform": transforms.Compose([to_tensor, transforms.Normalize((0.1,), (0.0,))])},
        {"transform": transforms.Compose([to_tensor, transforms.RandomErasing()])},
        {"transform": to_tensor, "target_transform": float},
    ):
        assert gather_of(datasets.MNIST(mnist, **options)) is None


def test_mnist_changed_data(mnist: Path) -> None:
    data = datasets.MNIST(mnist, transform=transforms.ToTensor())
    chosen = data.targets == data.targets[0]
    data.data, data.targets = data.data[chosen], data.targets[chosen]
    batch, labels = next(iter(DataLoader(data, batch_size=100)))
    assert len(batch) == len(labels) == len(data) == int(chosen.sum()) and len(set(labels.tolist())) == 1


def test_mnist_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="Dataset not found. You can use download=True to download it"):
        datasets.MNIST(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/", "file:///etc/"])
    with pytest.raises((RuntimeError, ValueError), match="(?s)Error downloading|only http"):
        datasets.KMNIST(tmp_path, download=True)
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(RuntimeError, match="(?s)Error downloading.*cannot be reached.*by hand"):
        datasets.KMNIST(tmp_path, download=True)


def test_mnist_comes_with_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch, "__file__", str(tmp_path / "rushlight" / "__init__.py"))
    data = datasets.MNIST(tmp_path / "elsewhere", download=True)
    assert len(data) == 30
    assert (tmp_path / "elsewhere" / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file()


def test_relatives_of_mnist(tmp_path: Path) -> None:
    write_mnist(tmp_path, "FashionMNIST")
    fashion = datasets.FashionMNIST(tmp_path)
    assert len(fashion) == 30 and fashion.classes[9] == "Ankle boot" and "FashionMNIST" in repr(fashion)
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "emnist-letters-test-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((2, 28, 28), np.uint8)))
    (raw / "emnist-letters-test-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([1, 2], np.uint8)))
    letters = datasets.EMNIST(tmp_path, "letters", train=False)
    assert letters.targets.tolist() == [1, 2] and letters.classes[:2] == ["N/A", "a"]
    with pytest.raises(ValueError, match="Unknown value 'runes' for argument split"):
        datasets.EMNIST(tmp_path, "runes")
    raw = tmp_path / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    known = np.arange(16, dtype=">i4").reshape(2, 8)
    (raw / "qmnist-train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((2, 28, 28), np.uint8)))
    (raw / "qmnist-train-labels-idx2-int").write_bytes(idx_bytes(known, 0x0C))
    more = datasets.QMNIST(tmp_path, transform=transforms.ToTensor())
    assert more.targets.tolist() == known.tolist() and "Split: train" in repr(more)
    pytest.importorskip("PIL")
    assert more[1][1] == 8 and gather_of(more) is None


# --- hostile files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file: it starts with nothing"),
        (b"\x00\x00", "is no IDX file"),
        (b"\x89PNG\r\n\x1a\n", "is no IDX file: it starts with 89 50 4e 47"),
        (b"\x00\x00\x07\x01\x00\x00\x00\x01a", "is no IDX file"),
        (b"\x00\x00\x08\x00a", "is no IDX file"),
        (b"\x00\x00\x08\xff" + b"\xff" * 1020, "is no IDX file"),
        (b"\x00\x00\x08\x03\x00\x00", "cut short in its header"),
        (idx_bytes(np.zeros(5, np.uint8))[:-1], "more than can be in a file of its length|is cut short"),
        (idx_bytes(np.zeros(5, np.uint8)) + b"!", "is longer than the array"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "more than can be in a file of its length"),
        (b"\x00\x00\x0e\x08" + b"\xff" * 32, "more than can be in a file of its length"),
    ],
)
def test_damaged_idx(tmp_path: Path, content: bytes, message: str) -> None:
    for name, stored in (("plain", content), ("packed.gz", gzip.compress(content))):
        path = tmp_path / name
        path.write_bytes(stored)
        with pytest.raises(idx.IdxError, match=f"(?s){message}|is cut short"):
            idx.read_idx(path)


def test_idx_of_all_types(tmp_path: Path) -> None:
    for code, dtype in idx.TYPES.items():
        array = np.arange(6).reshape(2, 3).astype(dtype)
        (tmp_path / "file").write_bytes(idx_bytes(array, code))
        found = idx.read_idx(tmp_path / "file")
        assert np.array_equal(found, array) and found.dtype.isnative


def test_idx_bombs_and_broken_compression(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(idx_bytes(np.zeros(3, np.uint8)) + bytes(10_000_000)))
    with pytest.raises(idx.IdxError, match="longer than the array"):
        idx.read_idx(bomb)
    whole = gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)))
    for name, stored in (("cut.gz", whole[:-20]), ("flipped.gz", whole[:40] + b"\xff\xff\xff" + whole[43:])):
        (tmp_path / name).write_bytes(stored)
        with pytest.raises(idx.IdxError, match="is damaged|cut short"):
            idx.read_idx(tmp_path / name)


def test_mnist_files_that_are_something_else(mnist: Path) -> None:
    labels = mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    for wrong in (np.zeros(29, np.uint8), np.zeros((30, 1), np.uint8)):
        labels.write_bytes(idx_bytes(wrong))
        with pytest.raises(ValueError, match="holds no labels for 30 pictures"):
            datasets.MNIST(mnist)
    (mnist / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros(30, np.uint8)))
    with pytest.raises(ValueError, match="holds no pictures"):
        datasets.MNIST(mnist)


class Bomb:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    """Six training pictures in one batch, and two to test."""
    where = root / "cifar-10-batches-py"
    where.mkdir()
    generator = np.random.default_rng(2)

    def batch(count: int) -> dict[str, Any]:
        return {"data": generator.integers(0, 256, (count, 3072), np.uint8), "labels": list(range(count))} | changes

    contents = {"data_batch_1": batch(6), "test_batch": batch(2), "batches.meta": {"label_names": ["a", "b", "c"]}}
    sums = {}
    for name, content in contents.items():
        (where / name).write_bytes(pickle.dumps(content, protocol=2))
        sums[name] = files.calculate_md5(where / name)
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    return contents


def test_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = write_cifar(tmp_path, monkeypatch)
    data = datasets.CIFAR10(tmp_path)
    expected = contents["data_batch_1"]["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(data.data, expected) and data.targets == [0, 1, 2, 3, 4, 5]
    assert data.classes == ["a", "b", "c"] and data.class_to_idx["c"] == 2
    assert len(datasets.CIFAR10(tmp_path, train=False)) == 2 and "Split: Train" in repr(data)
    pytest.importorskip("PIL")
    picture, label = data[3]
    assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), expected[3]) and label == 3


def test_cifar_batches_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    write_cifar(tmp_path, monkeypatch)
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))])
    fast = datasets.CIFAR10(tmp_path, transform=change)
    slow = datasets.CIFAR10(tmp_path, transform=lambda picture: change(picture))
    assert gather_of(fast) is not None and gather_of(slow) is None
    for one, other in zip(DataLoader(fast, batch_size=4), DataLoader(slow, batch_size=4), strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_cifar_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path, monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted"):
        datasets.CIFAR10(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"data": np.zeros((6, 5), np.uint8)}, {"data": [1, 2]}, {"labels": None}, {"labels": ["x"] * 6}],
    ids=["shape", "list", "none", "strings"],
)
def test_cifar_batches_that_are_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    write_cifar(tmp_path, monkeypatch, **changes)
    with pytest.raises(pickle.UnpicklingError, match="holds no pictures|does not hold"):
        datasets.CIFAR10(tmp_path)


def test_pickles_run_no_code(tmp_path: Path) -> None:
    target = tmp_path / "written"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "evil").write_bytes(pickle.dumps({"data": Bomb(target)}, protocol=protocol))
        with pytest.raises(pickle.UnpicklingError, match="refused to load (_io|io|builtins|__builtin__).open"):
            cifar.read_plain_pickle(tmp_path / "evil")
    objects = np.array([Bomb(target)], dtype=object)
    (tmp_path / "evil").write_bytes(pickle.dumps({"data": objects}, protocol=2))
    with pytest.raises(pickle.UnpicklingError):
        cifar.read_plain_pickle(tmp_path / "evil")
    assert not target.exists()
    for rubbish in (b"", b"garbage", pickle.dumps([1])):
        (tmp_path / "evil").write_bytes(rubbish)
        with pytest.raises(pickle.UnpicklingError):
            cifar.read_plain_pickle(tmp_path / "evil")


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Any]:
    """A web server on this machine that knows one file and can go on in the middle of it."""
    content = bytes(range(256)) * 1000

    class Handler(http.server.BaseHTTPRequestHandler):
        asked: list[Any] = []

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            self.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if not self.path.endswith("/file.bin"):
                self.send_error(404)
                return
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        Handler.asked = []
        yield f"http://127.0.0.1:{running.server_address[1]}/file.bin", content, Handler
        running.shutdown()


def test_download(tmp_path: Path, server: Any) -> None:
    url, content, handler = server
    files.download_url(url, tmp_path / "new")
    path = tmp_path / "new" / "file.bin"
    assert path.read_bytes() == content and handler.asked == [None]
    md5 = files.calculate_md5(path)
    files.download_url(url, tmp_path / "new", md5=md5)
    assert handler.asked == [None], "what is there is not fetched again"
    assert files.check_integrity(path, md5) and not files.check_integrity(path, "0" * 32)
    assert not files.check_integrity(tmp_path / "nothing")


def test_download_goes_on(tmp_path: Path, server: Any) -> None:
    url, content, handler = server
    (tmp_path / "file.bin.part").write_bytes(content[:1000])
    files.download_url(url, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == content and handler.asked == ["bytes=1000-"]
    assert not (tmp_path / "file.bin.part").exists()


def test_download_errors(tmp_path: Path, server: Any) -> None:
    url, _, _ = server
    with pytest.raises(RuntimeError, match="File not found or corrupted"):
        files.download_url(url, tmp_path, md5="0" * 32)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(URLError, match="404"):
        files.download_url(url + "x", tmp_path)
    with pytest.raises(URLError, match="cannot be reached.*by hand"):
        files.download_url("http://127.0.0.1:9/file.bin", tmp_path)
    for local in ("file:///etc/hostname", "ftp://127.0.0.1/file"):
        with pytest.raises(ValueError, match="only http and https"):
            files.download_url(local, tmp_path)


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("inner/one.txt", "one")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as bundle:
        bundle.add(tmp_path / "a.zip", "inner/two.zip")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"three"))
    files.extract_archive(tmp_path / "a.zip", tmp_path / "out")
    files.extract_archive(tmp_path / "b.tar.gz", tmp_path / "out", remove_finished=True)
    files.extract_archive(tmp_path / "c.txt.gz")
    assert (tmp_path / "out" / "inner" / "one.txt").read_text() == "one"
    assert (tmp_path / "out" / "inner" / "two.zip").is_file() and not (tmp_path / "b.tar.gz").exists()
    assert (tmp_path / "c.txt").read_text() == "three"
    with pytest.raises(RuntimeError, match="Unknown compression or archive type"):
        files.extract_archive(tmp_path / "c.txt")


def test_archives_that_reach_outside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr("fine.txt", "fine")
        packed.writestr("../evil.txt", "evil")
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    above = tarfile.TarInfo("../evil.txt")
    absolute = tarfile.TarInfo(str(tmp_path / "evil.txt"))
    for number, member in enumerate((link, above, absolute)):
        with tarfile.open(tmp_path / f"evil{number}.tar", "w") as bundle:
            bundle.addfile(member, io.BytesIO())
    for path in sorted(tmp_path.glob("evil*")):
        with pytest.raises(RuntimeError, match="refused to unpack"):
            files.extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists() and not (tmp_path / "out").exists()


def test_image_folder(tmp_path: Path, image: Any) -> None:
    for name in ("cat/2.png", "cat/1.PNG", "dog/deep/3.jpg", "dog/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no picture")
        else:
            image.save(path)
    data = datasets.ImageFolder(tmp_path, transform=transforms.ToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert [Path(path).name for path, _ in data.imgs] == ["1.PNG", "2.png", "3.jpg"] and data.targets == [0, 0, 1]
    assert data[1][0].shape == (3, 40, 50) and data[2][1] == 1
    texts = datasets.DatasetFolder(
        tmp_path, loader=lambda path: Path(path).read_text(), extensions=(".txt",), allow_empty=True
    )
    assert texts[0] == ("no picture", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="Found no valid file for the classes empty. Supported extensions are"):
        datasets.ImageFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(tmp_path / "empty")
    with pytest.raises(ValueError, match="cannot be None or not None at the same time"):
        folder.make_dataset(tmp_path, {"cat": 0})


def test_fake_data(image: Any) -> None:
    data = datasets.FakeData(size=3, image_size=(3, 8, 9), num_classes=4)
    torch.manual_seed(0)
    before = torch.rand(1)
    torch.manual_seed(0)
    picture, label = data[1]
    assert torch.equal(torch.rand(1), before), "the program's own random numbers are left alone"
    assert picture.size == (9, 8) and 0 <= label < 4
    assert np.array_equal(np.asarray(data[1][0]), np.asarray(picture)) and data[1][1] == label
    with pytest.raises(IndexError, match="FakeData index out of range"):
        data[3]


def test_both_kinds_of_transforms() -> None:
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform can be passed as argument"):
        datasets.VisionDataset("here", transforms=lambda a, b: (a, b), transform=str)


# --- transforms -------------------------------------------------------------------------------------------------------


def test_to_tensor(image: Any) -> None:
    for picture in (image, PIXELS):
        tensor = F.to_tensor(picture)
        assert tensor.dtype is torch.float32 and tensor.shape == (3, 40, 50) and tensor.is_contiguous()
        assert np.array_equal(tensor.numpy(), PIXELS.transpose(2, 0, 1) / np.float32(255))
    assert F.to_tensor(PIXELS[:, :, 0]).shape == (1, 40, 50)
    assert F.to_tensor(PIXELS.astype(np.float64)).dtype is torch.float64
    assert F.pil_to_tensor(image).dtype is torch.uint8
    assert set(F.to_tensor(image.convert("1")).unique().tolist()) == {0.0, 1.0}
    assert F.to_tensor(image.convert("I")).dtype is torch.int32
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        F.to_tensor([1])
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 1 dimensions."):
        F.to_tensor(np.zeros(3))


def test_to_pil_image(image: Any) -> None:
    for picture in (F.to_tensor(image), F.pil_to_tensor(image), PIXELS):
        back = transforms.ToPILImage()(picture)
        assert back.mode == "RGB" and np.abs(np.asarray(back).astype(int) - PIXELS).max() <= 1
    assert F.to_pil_image(torch.zeros(4, 5)).mode == "L"
    assert F.to_pil_image(torch.zeros(4, 5), mode="F").mode == "F"
    assert F.to_pil_image(torch.zeros(2, 4, 5)).mode == "LA" and F.to_pil_image(torch.zeros(4, 4, 5)).mode == "RGBA"
    assert F.to_pil_image(np.zeros((4, 5), np.int32)).mode == "I"
    assert F.to_pil_image(PIXELS, mode="HSV").mode == "HSV"
    for wrong, kind, message in (
        (lambda: F.to_pil_image("x"), TypeError, "pic should be Tensor or ndarray"),
        (lambda: F.to_pil_image(torch.zeros(5)), ValueError, "pic should be 2/3 dimensional. Got 1 dimensions."),
        (lambda: F.to_pil_image(torch.zeros(5, 4, 4)), ValueError, "pic should not have > 4 channels. Got 5"),
        (lambda: F.to_pil_image(PIXELS, mode="L"), ValueError, "Only modes .* are supported for 3D inputs"),
        (lambda: F.to_pil_image(PIXELS[:, :, 0], mode="RGB"), ValueError, r"Incorrect mode \(RGB\) supplied"),
        (lambda: F.to_pil_image(np.zeros((4, 5), np.int64)), TypeError, "Input type int64 is not supported"),
    ):
        with pytest.raises(kind, match=message):
            wrong()


def test_normalize() -> None:
    picture = torch.arange(12.0).reshape(3, 2, 2)
    done = transforms.Normalize((1.0, 2.0, 3.0), (2.0, 4.0, 8.0))(picture)
    assert done[:, 0, 0].tolist() == [-0.5, 0.5, 0.625] and picture[0, 0, 1].item() == 1.0
    assert F.normalize(picture, (0.0,), (2.0,), inplace=True) is picture and picture[0, 0, 1].item() == 0.5
    with pytest.raises(TypeError, match="img should be Tensor Image. Got"):
        F.normalize([1.0], (0.0,), (1.0,))
    with pytest.raises(TypeError, match="Input tensor should be a float tensor. Got torch.int64."):
        F.normalize(torch.ones(1, 2, 2, dtype=torch.int64), (0.0,), (1.0,))
    with pytest.raises(ValueError, match=r"Expected tensor to be a tensor image of size \(..., C, H, W\)"):
        F.normalize(torch.ones(2, 2), (0.0,), (1.0,))
    with pytest.raises(ValueError, match="std evaluated to zero after conversion to torch.float32"):
        F.normalize(torch.ones(1, 2, 2), (0.0,), (0.0,))


def test_convert_image_dtype() -> None:
    whole = torch.tensor([0, 128, 255], dtype=torch.uint8)
    assert F.convert_image_dtype(whole).tolist() == pytest.approx([0, 128 / 255, 1])
    assert F.convert_image_dtype(whole, torch.int16).tolist() == [0, 16384, 32640]
    assert F.convert_image_dtype(torch.tensor([0.0, 0.5, 1.0]), torch.uint8).tolist() == [0, 127, 255]
    assert F.convert_image_dtype(torch.tensor([32767], dtype=torch.int16), torch.uint8).tolist() == [255]
    with pytest.raises(RuntimeError, match="The cast from torch.float32 to torch.int32 cannot be performed safely"):
        F.convert_image_dtype(torch.ones(1), torch.int32)


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (transforms.Resize(5), "Resize(size=5, interpolation=bilinear, max_size=None, antialias=True)"),
        (transforms.CenterCrop(3), "CenterCrop(size=(3, 3))"),
        (transforms.RandomCrop(32, padding=4), "RandomCrop(size=(32, 32), padding=4)"),
        (transforms.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"),
        (
            transforms.RandomResizedCrop(224),
            "RandomResizedCrop(size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.3333), "
            "interpolation=bilinear, antialias=True)",
        ),
        (
            transforms.ColorJitter(0.5, hue=0.1),
            "ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(-0.1, 0.1))",
        ),
        (
            transforms.RandomRotation(10),
            "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
        ),
        (transforms.RandomAffine(5, (0.1, 0.2)), "RandomAffine(degrees=[-5.0, 5.0], translate=(0.1, 0.2))"),
        (transforms.Pad((1, 2)), "Pad(padding=(1, 2), fill=0, padding_mode=constant)"),
        (transforms.Lambda(abs), "Lambda()"),
        (transforms.ToPILImage("RGB"), "ToPILImage(mode=RGB)"),
        (transforms.Grayscale(), "Grayscale(num_output_channels=1)"),
        (transforms.RandomApply([transforms.ToTensor()]), "RandomApply(\n    p=0.5\n    ToTensor()\n)"),
        (transforms.RandomChoice([transforms.ToTensor()]), "RandomChoice(\n    ToTensor()\n)(p=None)"),
        (
            transforms.RandomErasing(),
            "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
        ),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_transforms_print_as_in_torchvision(transform: Any, text: str) -> None:
    assert repr(transform) == text


# What gives the same pixels for a PIL image and for a tensor of its bytes.
EXACT = [
    transforms.CenterCrop(30),
    transforms.CenterCrop((60, 20)),
    transforms.RandomCrop(32, padding=4),
    transforms.RandomCrop(60, pad_if_needed=True, padding_mode="reflect"),
    transforms.RandomCrop(60, pad_if_needed=True, padding_mode="symmetric"),
    transforms.Pad((1, 2, 3, 4), fill=7),
    transforms.Pad((1, 2), padding_mode="edge"),
    transforms.RandomHorizontalFlip(1),
    transforms.RandomVerticalFlip(1),
    transforms.RandomInvert(1),
    transforms.RandomPosterize(3, p=1),
    transforms.RandomSolarize(100, p=1),
    transforms.RandomEqualize(1),
    transforms.RandomAutocontrast(1),
    transforms.GaussianBlur(3),
]


@pytest.mark.parametrize("transform", EXACT, ids=lambda transform: type(transform).__name__)
def test_images_and_tensors_agree(image: Any, transform: Any) -> None:
    done = []
    for picture in (image, F.pil_to_tensor(image)):
        torch.manual_seed(3)
        result = transform(picture)
        done.append(result if isinstance(result, torch.Tensor) else F.pil_to_tensor(result))
    assert done[0].shape == done[1].shape and torch.equal(done[0], done[1])


def test_crop_outside(image: Any) -> None:
    for top, left in ((-5, -6), (30, 45), (-5, 45)):
        from_image = F.pil_to_tensor(F.crop(image, top, left, 20, 20))
        assert torch.equal(F.crop(F.pil_to_tensor(image), top, left, 20, 20), from_image)
    with pytest.raises(ValueError, match=r"Required crop size \(60, 60\) is larger than input image size \(40, 50\)"):
        transforms.RandomCrop(60)(image)


def test_five_and_ten_crops(image: Any) -> None:
    upper_left, _, _, lower_right, middle = transforms.FiveCrop(10)(image)
    assert np.array_equal(np.asarray(upper_left), PIXELS[:10, :10])
    assert np.array_equal(np.asarray(lower_right), PIXELS[-10:, -10:])
    assert np.array_equal(np.asarray(middle), PIXELS[15:25, 20:30])
    ten = transforms.TenCrop(10)(image)
    assert len(ten) == 10 and np.array_equal(np.asarray(ten[5]), PIXELS[:10, ::-1][:, :10])


def test_resize_of_images(image: Any) -> None:
    assert transforms.Resize(20)(image).size == (25, 20) and transforms.Resize((8, 9))(image).size == (9, 8)
    assert transforms.Resize(20, max_size=22)(image).size == (22, 17)
    assert transforms.Resize(40)(image) is image
    with pytest.raises(ValueError, match="max_size = 20 must be strictly greater than the requested size"):
        transforms.Resize(20, max_size=20)(image)
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        transforms.Resize(None)
    assert transforms.RandomResizedCrop(24)(image).size == (24, 24)


@needs_interpolate
def test_resize_of_tensors(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    for transform, most in ((transforms.Resize((20, 30)), 1), (transforms.Resize((20, 25), interpolation=0), 255)):
        done = transform(tensor)
        other = F.pil_to_tensor(transform(image))
        assert done.dtype is torch.uint8 and done.shape == other.shape
        assert (done.to(torch.int32) - other.to(torch.int32)).abs().max().item() <= most


def test_turning_images(image: Any) -> None:
    assert np.array_equal(np.asarray(F.rotate(image, 180)), PIXELS[::-1, ::-1])
    assert F.rotate(image, 90, expand=True).size == (40, 50)
    assert np.array_equal(np.asarray(F.affine(image, 0, [3, 2], 1.0, 0.0))[2:, 3:], PIXELS[:-2, :-3])
    corners = [[0, 0], [49, 0], [49, 39], [0, 39]]
    assert np.array_equal(np.asarray(F.perspective(image, corners, corners, 0)), PIXELS)


@needs_grid
def test_turning_tensors(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    assert torch.equal(F.rotate(tensor, 180), tensor.flip(-1, -2))
    assert F.rotate(tensor, 90, expand=True).shape == (3, 50, 40)
    moved = F.affine(tensor, 0, [3, 2], 1.0, 0.0, fill=9)
    assert torch.equal(moved[:, 2:, 3:], tensor[:, :-2, :-3]) and set(moved[:, :2].unique().tolist()) == {9}
    turned = F.rotate(tensor, 30)
    other = F.pil_to_tensor(F.rotate(image, 30))
    assert (turned != other).to(torch.float32).mean().item() < 0.01


def test_colours(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    for function, factor in (
        (F.adjust_brightness, 1.3),
        (F.adjust_contrast, 0.6),
        (F.adjust_saturation, 1.5),
        (F.adjust_sharpness, 2),
        (F.adjust_gamma, 1.2),
        (F.rgb_to_grayscale, 3),
    ):
        done, other = function(tensor, factor), F.pil_to_tensor(function(image, factor))
        assert done.shape == other.shape and (done.to(torch.int32) - other.to(torch.int32)).abs().max().item() <= 2
    assert F.rgb_to_grayscale(image).mode == "L" and F.to_grayscale(image, 3).mode == "RGB"
    turned, floats = F.adjust_hue(tensor, 0.25), F.adjust_hue(F.to_tensor(image), 0.25)
    assert (turned / 255 - floats).abs().max().item() < 0.01
    with pytest.raises(ValueError, match=r"hue_factor \(0.6\) is not in \[-0.5, 0.5\]"):
        F.adjust_hue(image, 0.6)
    with pytest.raises(ValueError, match="brightness_factor"):
        F.adjust_brightness(tensor, -1)


def test_random_draws_are_torchvisions() -> None:
    """What torchvision's get_params draw, call by call, from PyTorch's stream."""
    picture = torch.zeros(3, 40, 50)
    torch.manual_seed(0)
    corner = torch.randint(0, 40 - 32 + 1, size=(1,)).item(), torch.randint(0, 50 - 32 + 1, size=(1,)).item()
    torch.manual_seed(0)
    assert transforms.RandomCrop.get_params(picture, (32, 32)) == (*corner, 32, 32)
    torch.manual_seed(0)
    angle = torch.empty(1).uniform_(-10, 10).item()
    torch.manual_seed(0)
    assert transforms.RandomRotation.get_params([-10, 10]) == angle
    torch.manual_seed(0)
    order = torch.randperm(4).tolist()
    torch.manual_seed(0)
    assert transforms.ColorJitter.get_params(None, None, None, (-0.5, 0.5))[0].tolist() == order


def test_random_erasing() -> None:
    torch.manual_seed(1)
    picture = torch.ones(3, 20, 20)
    erased = transforms.RandomErasing(p=1, value=(0.1, 0.2, 0.3))(picture)
    assert picture.min().item() == 1.0 and 0 < (erased != 1).sum().item() < 3 * 400
    assert erased[2].min().item() == pytest.approx(0.3)
    assert transforms.RandomErasing(p=0)(picture) is picture
    with pytest.raises(ValueError, match="If value is str, it should be 'random'"):
        transforms.RandomErasing(value="noise")


def test_linear_transformation() -> None:
    double = transforms.LinearTransformation(torch.eye(12) * 2, torch.ones(12))
    assert torch.equal(double(torch.full((3, 2, 2), 2.0)), torch.full((3, 2, 2), 2.0))
    with pytest.raises(ValueError, match="transformation_matrix should be square"):
        transforms.LinearTransformation(torch.ones(2, 3), torch.ones(2))


def test_lambda_wants_a_function() -> None:
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        transforms.Lambda(3)


# --- grids ------------------------------------------------------------------------------------------------------------


def test_make_grid() -> None:
    pictures = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    grid = utils.make_grid(pictures, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 4 + 1)
    assert grid[0, 1].tolist() == [-1, 0, 0, 0, -1, 1, 1, 1, -1, 2, 2, 2, -1]
    assert grid[2, 4].tolist() == [-1, 3, 3, 3, -1, 4, 4, 4, -1, -1, -1, -1, -1]
    assert grid[1, 0].tolist() == [-1] * 13
    assert utils.make_grid(torch.zeros(10, 1, 28, 28)).shape == (3, 62, 242)
    assert utils.make_grid(torch.zeros(4, 5)).shape == (3, 4, 5)
    assert utils.make_grid([torch.zeros(3, 4, 5)] * 2).shape == (3, 8, 16)
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        utils.make_grid(3)


def test_make_grid_normalize() -> None:
    pictures = torch.tensor([0.0, 2.0, 4.0, 8.0]).reshape(2, 1, 1, 2).expand(2, 3, 1, 2)
    whole = utils.make_grid(pictures, padding=0, normalize=True)
    assert whole[0, 0].tolist() == [0.0, 0.25, 0.5, 1.0]
    each = utils.make_grid(pictures, padding=0, normalize=True, scale_each=True)
    assert each[0, 0].tolist() == [0.0, 1.0, 0.0, 1.0]
    limited = utils.make_grid(pictures, padding=0, normalize=True, value_range=(0, 4))
    assert limited[0, 0].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert pictures[1, 0, 0, 1].item() == 8.0


def test_save_image(tmp_path: Path) -> None:
    opener = pytest.importorskip("PIL.Image").open
    pictures = torch.linspace(-0.1, 1.1, 12).reshape(1, 3, 2, 2)
    utils.save_image(pictures, tmp_path / "one.png")
    expected = np.clip(pictures[0].numpy() * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    assert np.array_equal(np.asarray(opener(tmp_path / "one.png")), expected.transpose(1, 2, 0))
    stream = io.BytesIO()
    utils.save_image(torch.zeros(10, 1, 28, 28), stream, format="png", nrow=4)
    assert opener(stream).size == (122, 92)
