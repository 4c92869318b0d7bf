"""torchvision.datasets: MNIST, CIFAR and folders; downloads, archives, and files that are not what they claim to be."""

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
from rushlight.vision import datasets, transforms
from rushlight.vision.datasets import cifar, folder, idx
from rushlight.vision.datasets import utils as files


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
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    return pytest.importorskip("PIL.Image").fromarray(pixels)


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


@pytest.mark.parametrize("suffix", ["tar", "tgz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("kind", ["link", "hard link", "above", "absolute", "pipe", "through a folder"])
def test_hostile_archives_of_every_kind(tmp_path: Path, suffix: str, kind: str) -> None:
    evil = tarfile.TarInfo("evil")
    if kind in ("link", "hard link"):
        evil.type, evil.linkname = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE}[kind], "../../target"
    elif kind == "pipe":
        evil.type = tarfile.FIFOTYPE
    else:
        evil.name = {"above": "../evil", "absolute": str(tmp_path / "evil"), "through a folder": "a/../../evil"}[kind]
    mode: Any = {"tar": "w", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[suffix]
    path, out = tmp_path / f"pack.{suffix}", tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")
    with tarfile.open(path, mode) as bundle:
        fine = tarfile.TarInfo("fine")
        fine.size = 4
        bundle.addfile(fine, io.BytesIO(b"fine"))
        bundle.addfile(evil, io.BytesIO())
    with pytest.raises(RuntimeError, match="refused to unpack"):
        files.extract_archive(path, out)
    assert sorted(entry.name for entry in out.iterdir()) == ["mine"] and not (tmp_path / "evil").exists()


def test_zip_with_a_link(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    files.extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out" / "link").is_symlink() and (tmp_path / "out" / "link").read_text() == "/etc/passwd"


def _packed(path: Path, members: dict[str, bytes]) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in members.items():
                packed.writestr(name, content)
        return
    with tarfile.open(path, "w" if path.suffix == ".tar" else f"w:{path.suffix[1:]}") as bundle:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))


NOISE = np.random.default_rng(0).bytes(50_000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("damage", ["end", "start", "all"])
def test_damaged_archives_leave_nothing(tmp_path: Path, name: str, damage: str) -> None:
    path, out = tmp_path / name, tmp_path / "out"
    _packed(path, {"one": NOISE, "inner/two": NOISE[::-1]})
    whole = path.read_bytes()
    path.write_bytes({"end": whole[: len(whole) * 2 // 3], "start": b"x" * 600 + whole[600:], "all": b"?" * 99}[damage])
    with pytest.raises(RuntimeError, match="is damaged or incomplete"):
        files.extract_archive(path, out)
    assert not out.exists()
    path.write_bytes(whole)
    files.extract_archive(path, out)
    assert (out / "one").read_bytes() == NOISE and (out / "inner" / "two").read_bytes() == NOISE[::-1]


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_bombs(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SMALL_UNPACKED", 1 << 20)
    _packed(tmp_path / name, {"small": b"", "zeros": bytes(10 << 20)})
    with pytest.raises(RuntimeError, match="refused to unpack.*it claims to hold"):
        files.extract_archive(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_compressed_files_damaged_or_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bz2
    import lzma

    monkeypatch.setattr(files, "SMALL_UNPACKED", 1 << 20)
    for suffix, module in (("gz", gzip), ("bz2", bz2), ("xz", lzma)):
        path = tmp_path / f"file.{suffix}"
        for content, message in (
            (module.compress(NOISE)[:-2000], "damaged or incomplete"),
            (b"nothing of the kind", "damaged or incomplete"),
            (module.compress(bytes(20 << 20)), "refused to unpack"),
        ):
            path.write_bytes(content)
            with pytest.raises(RuntimeError, match=message):
                files.extract_archive(path)
            assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name]
        path.unlink()


def test_archives_go_into_folders_that_are_there(tmp_path: Path) -> None:
    _packed(tmp_path / "a.zip", {"inner/one": b"1", "inner/deep/two": b"2", "top": b"new"})
    _packed(tmp_path / "b.tar", {"inner/three": b"3"})
    out = tmp_path / "out"
    (out / "inner" / "deep").mkdir(parents=True)
    (out / "inner" / "deep" / "mine").write_text("mine")
    (out / "top").write_text("old")
    files.fetch([], out)
    for name in ("a.zip", "b.tar"):
        files.extract_archive(tmp_path / name, out)
    found = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    inner = {"inner/one": "1", "inner/deep/two": "2", "inner/deep/mine": "mine", "inner/three": "3"}
    assert found == inner | {"top": "new"}


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
