"""torch.save and torch.load: PyTorch's files here, ours there, and files made to do harm.

`tests/expected/checkpoints/` holds files that PyTorch wrote (`make.py` beside them says how). The hostile files are in
`hostile_checkpoints.py`; each is loaded from memory and from a path, and must fail with an error of the kinds that
programs expect, without running anything, and leaving the random numbers, the allow-list and the file's position as
they were.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import io
import os
import pickle
import random
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile_checkpoints import (
    HOSTILE,
    RAN,
    EvilTuple,
    name_of,
    number,
    older_tensor,
    pickled_tensor,
    proto,
    tensor_file,
    text,
    zipped,
)

import rushlight as torch

CHECKPOINTS = Path(__file__).parent / "expected" / "checkpoints"
Run = collections.namedtuple("Run", "name epoch")
TWO_FORMATS = pytest.mark.parametrize("ending", ["", "_old"], ids=["zip", "older"])


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x)


def saved(obj, **options) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return file


def again(obj, **options):
    return torch.load(saved(obj, **options))


def checkpoint(name, **options):
    sys.modules.setdefault("test_serialization", sys.modules[__name__])
    return torch.load(CHECKPOINTS / f"{name}.pt", **options)


def same(a, b) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.stride() == b.stride() and bool((a == b).all())


# ---------------------------------------------------------------------------------------------------------------------
# Files of PyTorch


@TWO_FORMATS
def test_a_training_checkpoint_of_pytorch_goes_on_here(ending):
    found = checkpoint("training" + ending)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    assert str(model.load_state_dict(found["model"])) == "<All keys matched successfully>"
    assert type(found["model"]) is collections.OrderedDict and found["model"]._metadata[""] == {"version": 1}
    assert torch.allclose(model.eval()(torch.ones(1, 2)), found["output"], atol=1e-6)
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(found["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1 and optimizer.state[model[0].weight]["step"] == 2
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4])
    schedule.load_state_dict(found["schedule"])
    assert schedule.last_epoch == 2 and schedule.milestones == collections.Counter([3, 4])
    assert found["epoch"] == 2 and found["best"] == float("inf")
    torch.set_rng_state(found["rng"])
    assert torch.get_rng_state().tolist() == found["rng"].tolist()


@TWO_FORMATS
def test_every_dtype(ending):
    found = checkpoint("kinds" + ending)
    assert len(found) == (12 if ending else 17)
    for name, t in found.items():
        expected = [False, True, True, True] if name == "bool" else [0, 1, 2, 3]
        assert (
            t.dtype is getattr(torch, name)
            and t.to(torch.float64 if "complex" not in name else t.dtype).tolist() == expected
        )


@TWO_FORMATS
def test_views_share_memory_again(ending):
    base, row, turned, middle, every_other, odd, image, wide = checkpoint("views" + ending)
    assert base.stride() == (4, 1) and turned.stride() == (1, 4) and every_other.stride() == (8, 1)
    assert (middle.storage_offset(), odd.storage_offset()) == (1, 3)
    assert odd.tolist() == [3, 4, 5, 6] and odd.untyped_storage().nbytes() == 80
    assert image.is_contiguous(memory_format=torch.channels_last) and image[0, 1, 0].tolist() == [8.0, 9.0, 10.0, 11.0]
    assert wide.stride() == (1, 0) and wide.sum() == 12
    base[1, 1] = 50
    assert row.tolist() == [4, 50, 6, 7] and turned[1, 1] == 50 and middle[1, 0] == 50
    turned[3, 2] = -1
    assert base[2, 3] == -1 and every_other[1, 3] == -1


@TWO_FORMATS
def test_every_kind_of_object(ending):
    found = checkpoint("objects" + ending)
    assert isinstance(found["parameter"], torch.nn.Parameter) and not found["parameter"].requires_grad
    assert (
        isinstance(found["tagged"], torch.nn.Parameter) and found["tagged"].tag == 7 and found["tagged"].requires_grad
    )
    assert found["leaf"].requires_grad and found["leaf"].is_leaf and type(found["leaf"]) is torch.Tensor
    assert found["marked"].note == "mine"
    assert isinstance(found["buffer"], torch.nn.Buffer) and found["buffer"].persistent is False
    assert found["conjugate"].tolist() == [1 - 2j]
    assert type(found["size"]) is torch.Size and found["size"] == (2, 3)
    assert found["dtype"] is torch.float16 and found["device"] == torch.device("cuda", 1)
    assert found["layout"] is torch.strided
    assert found["empty"].shape == (3, 0) and found["scalar"].item() == 2.5
    assert list(found["ordered"]) == ["b", "a"] and found["counter"] == collections.Counter("aab")
    assert found["default"] == {"x": [1]} and found["default"]["new"] == []
    assert type(found["run"]) is Run and found["run"].epoch == 3
    assert found["array"].tolist() == [[0, 3], [1, 4], [2, 5]] and found["array"].dtype == np.int16
    assert found["texts"].tolist() == ["ab", "c"]
    assert type(found["number"]) is np.float32 and found["number"] == 1.5
    assert found["set"] == {1, 2} and found["complex"] == 1 + 2j and found["bytes"] == b"\0\xff"
    assert found["large"] == 1 << 70 and found["text"] == "Grüße" and found["none"] is None
    assert found["max"].values.tolist() == [1, 1] and found["max"].indices.tolist() == [0, 1]
    assert (
        torch.rand(1, generator=found["generator"]).item()
        == torch.rand(1, generator=torch.Generator().manual_seed(5)).item()
    )


def test_other_protocols_and_missing_checksums():
    assert checkpoint("protocol4").tolist() == checkpoint("unsummed").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("weights_only", [None, True, False])
def test_a_whole_module_is_refused_by_name(weights_only):
    with pytest.raises(pickle.UnpicklingError, match="Unsupported global: GLOBAL test_serialization.Net") as refused:
        checkpoint("module", weights_only=weights_only)
    assert str(refused.value).startswith("Weights only load failed")
    assert "add_safe_globals" in str(refused.value) and "load_state_dict" in str(refused.value)


def test_a_whole_module_is_loaded_where_its_classes_are_declared_safe():
    with torch.serialization.safe_globals([(Net, "test_serialization.Net"), torch.nn.Linear]):
        model = checkpoint("module")
    assert type(model) is Net and type(model.layer) is torch.nn.Linear
    assert model(torch.ones(1, 1)).shape == (1, 1) and len(list(model.parameters())) == 2
    assert torch.serialization.get_unsafe_globals_in_checkpoint(CHECKPOINTS / "module.pt") == [
        "test_serialization.Net", "torch.nn.modules.linear.Linear"
    ]  # fmt: skip


def test_the_list_of_safe_globals():
    before = torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals([Net]):
        torch.serialization.add_safe_globals([(Net, "other.Name")])
        assert torch.serialization.get_safe_globals() == [*before, Net, (Net, "other.Name")]
    assert torch.serialization.get_safe_globals() == before
    torch.serialization.add_safe_globals([Net])
    torch.serialization.clear_safe_globals()
    assert torch.serialization.get_safe_globals() == []
    with pytest.raises(TypeError, match="classes and functions"):
        torch.serialization.add_safe_globals(["Net"])


# ---------------------------------------------------------------------------------------------------------------------
# Files of ours

OPTIONS = pytest.mark.parametrize(
    "options",
    [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 5}],
    ids=["zip", "older", "protocol 5"],
)


@OPTIONS
def test_what_is_saved_here_is_loaded_here(options):
    base = torch.arange(6.0).reshape(2, 3)
    marked = torch.ones(1)
    marked.note = [1, "two"]
    found = again(
        {
            "views": (base, base.t()),
            "lazy": base * 2 + 1,
            "leaf": torch.ones(2, requires_grad=True) * 3,
            "marked": marked,
            "buffer": torch.nn.Buffer(torch.ones(1)),
            "b": torch.ones(3).bfloat16(),
            "empty": torch.zeros(0, 2),
            "space": argparse.Namespace(lr=0.1),
            "simple": types.SimpleNamespace(a=1),
            "path": Path("a") / "b",
            "queue": collections.deque([1, 2], 5),
            "slice": slice(1, None, 2),
            "range": range(3),
            "frozen": frozenset([1, "a"]),
            "bytearray": bytearray(b"ab"),
            "run": Run("r", 1),
            "max": torch.max(torch.eye(2), 0),
            "generator": torch.Generator().manual_seed(3),
            ("tuple", 1): True,
        },
        **options,
    )
    found["views"][0][0, 1] = 9
    assert found["views"][1][1, 0] == 9
    assert found["lazy"].tolist() == [[1, 3, 5], [7, 9, 11]]
    assert found["leaf"].tolist() == [3, 3] and found["leaf"].requires_grad and found["leaf"].is_leaf
    assert found["marked"].note == [1, "two"] and found["b"].dtype is torch.bfloat16
    assert isinstance(found["buffer"], torch.nn.Buffer) and found["buffer"].persistent
    assert found["empty"].shape == (0, 2) and found["space"].lr == 0.1 and found["simple"].a == 1
    assert found["path"] == Path("a") / "b" and found["queue"].maxlen == 5 and found["slice"] == slice(1, None, 2)
    assert found["range"] == range(3) and found["frozen"] == {1, "a"} and found["bytearray"] == b"ab"
    assert found["run"] == Run("r", 1) and found["max"].indices.tolist() == [0, 1] and found["tuple", 1] is True
    assert found["generator"].initial_seed() == 3


@OPTIONS
def test_models_optimizers_and_metadata(options):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    found = again({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, **options)
    assert all(same(t, found["model"][name]) for name, t in model.state_dict().items())
    assert found["model"]._metadata == model.state_dict()._metadata
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    assert same(found["optimizer"]["state"][0]["momentum_buffer"], optimizer.state[model[0].weight]["momentum_buffer"])
    parameter = again(model[0].weight)
    assert isinstance(parameter, torch.nn.Parameter) and same(parameter, model[0].weight) and parameter.requires_grad


def test_a_loaded_tensor_is_an_ordinary_one():
    weights = again(torch.ones(2, 3))
    weights.add_(1)
    weights[0] = 5
    assert weights.tolist() == [[5, 5, 5], [2, 2, 2]] and weights.storage_offset() == 0
    storage = again(torch.arange(3.0).storage())
    assert storage.tolist() == [0, 1, 2] and storage.size() == 3 and storage.untyped().nbytes() == 12
    assert again([t := torch.ones(1), t])[0] is not None
    first, second = again([t, t])
    assert first is second


def test_the_zip_is_laid_out_as_pytorch_does_it(tmp_path):
    path = tmp_path / "model.tar.pt"
    torch.save([torch.arange(5.0), torch.ones(3, dtype=torch.int8)], path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert [i.filename.partition("/")[2] for i in archive.infolist()] == [
            "data.pkl", ".format_version", ".storage_alignment", "byteorder", "data/0", "data/1", "version",
            ".data/serialization_id",
        ]  # fmt: skip
        assert {i.filename.partition("/")[0] for i in archive.infolist()} == {"model.tar"}
        assert (
            archive.read("model.tar/version") == b"3\n"
            and archive.read("model.tar/byteorder") == sys.byteorder.encode()
        )
        content = path.read_bytes()
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            lengths = struct.unpack("<HH", content[info.header_offset + 26 : info.header_offset + 30])
            assert (info.header_offset + 30 + sum(lengths)) % 64 == 0
    assert b"rushlight" not in content


def test_archives_beyond_four_gigabytes_use_the_longer_records(monkeypatch):
    from rushlight.serialization import archive

    monkeypatch.setattr(archive, "ZIP64_FROM", 100)
    file = saved([torch.arange(50.0), torch.ones(2)])
    with zipfile.ZipFile(file) as listed:
        assert listed.testzip() is None and len(listed.infolist()) == 8
        assert listed.getinfo("archive/data/0").extract_version == 45
    file.seek(0)
    assert torch.load(file)[0].sum() == 1225


# ---------------------------------------------------------------------------------------------------------------------
# Files, paths, places


def test_paths_and_files(tmp_path):
    path = tmp_path / "a.pt"
    for target in (path, str(path)):
        torch.save(torch.ones(2), target)
        assert torch.load(target).sum() == 2
    with open(path, "wb") as file:
        torch.save({"a": 1}, file)
    with open(path, "rb") as file:
        assert torch.load(file) == {"a": 1}
    with open(path) as file, pytest.raises((TypeError, UnicodeDecodeError)):
        torch.load(file)
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "missing.pt")
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
        torch.save(1, tmp_path / "missing" / "a.pt")
    with pytest.raises(AttributeError, match="'write' attribute"):
        torch.save(1, 3)
    with pytest.raises(AttributeError, match="seekable"):
        torch.load(3)
    with pytest.raises(EOFError, match="Ran out of input"):
        torch.load(io.BytesIO())


def test_only_write_and_only_read_are_needed():
    class OnlyWrite:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))

    file = OnlyWrite()
    torch.save(torch.arange(3), file)
    inner = io.BytesIO(b"".join(file.parts))

    class NoReadinto:
        read, seek, tell, readline = inner.read, inner.seek, inner.tell, inner.readline

    assert torch.load(NoReadinto()).tolist() == [0, 1, 2]


def test_several_objects_of_the_older_format_in_one_file():
    file = io.BytesIO()
    for i in range(3):
        torch.save(torch.full((2,), i), file, _use_new_zipfile_serialization=False)
    file.seek(0)
    assert [torch.load(file).tolist() for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(torch.ones(2), path)
    os.chmod(path, 0o640)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        torch.save({"a": torch.zeros(2), "f": lambda: 0}, path)
    assert torch.load(path).tolist() == [1, 1] and os.listdir(tmp_path) == ["a.pt"]
    torch.save(torch.zeros(2), path)
    assert path.stat().st_mode & 0o777 == 0o640 and os.listdir(tmp_path) == ["a.pt"]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    from rushlight.serialization import archive

    path = tmp_path / "a.pt"
    torch.save(torch.ones(2), path)

    def full(self):
        raise OSError("no space left on device")

    monkeypatch.setattr(archive.ArchiveWriter, "finish", full)
    with pytest.raises(OSError, match="no space left"):
        torch.save(torch.zeros(2), path)
    assert torch.load(path).tolist() == [1, 1] and os.listdir(tmp_path) == ["a.pt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "runs").mkdir()
    real, link = tmp_path / "runs" / "1.pt", tmp_path / "best.pt"
    real.write_bytes(b"")
    link.symlink_to(real)
    torch.save(torch.ones(1), link)
    assert link.is_symlink() and torch.load(real).tolist() == [1]


def test_saving_what_cannot_be_saved():
    x = torch.zeros(4)
    with pytest.raises(
        RuntimeError, match="Cannot save multiple tensors or storages that view the same data as different types"
    ):
        saved([x, x.view(torch.int32)])
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(pickle.PicklingError, match="too deeply"):
        saved(deep)
    with pytest.raises(NotImplementedError, match="pickle_module"):
        torch.save(1, io.BytesIO(), pickle_module=types.SimpleNamespace(Pickler=None))
    with pytest.raises(NotImplementedError, match="torch.uint16"):
        saved(torch.zeros(1, dtype=torch.uint16), _use_new_zipfile_serialization=False)
    with pytest.warns(UserWarning, match="whole module .Linear."):
        saved(torch.nn.Linear(1, 1))


def test_mapping_the_file_into_memory(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(1000.0), "b": torch.ones(3, dtype=torch.int8), "empty": torch.zeros(0)}, path)
    before = path.read_bytes()
    found = torch.load(path, mmap=True)
    assert found["a"].sum() == 499500 and found["b"].tolist() == [1, 1, 1] and found["empty"].shape == (0,)
    found["a"][0] = 7
    found["b"].zero_()
    assert found["a"][:2].tolist() == [7, 1] and path.read_bytes() == before
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        torch.load(io.BytesIO(before), mmap=True)
    torch.save(1, path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        torch.load(path, mmap=True)


# ---------------------------------------------------------------------------------------------------------------------
# Devices


def on_device(location) -> io.BytesIO:
    return zipped(pickled_tensor(location=location), {"data/0": bytes(8)})


def test_files_from_a_gpu_need_map_location():
    with pytest.raises(
        RuntimeError, match="Attempting to deserialize object on a CUDA device but torch.cuda.is_available"
    ):
        torch.load(on_device("cuda:0"))
    for where in ("cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert torch.load(on_device("cuda:0"), map_location=where).tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.load(on_device("cpu"), map_location="cuda")
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.load(on_device("cuda:1"), map_location={"cuda:0": "cpu"})
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        torch.load(on_device("mps:0"))
    with pytest.raises(RuntimeError, match="Expected one of cpu"):
        torch.load(on_device("cpu"), map_location="nowhere")
    with pytest.raises(TypeError, match="map_location"):
        torch.load(on_device("cpu"), map_location=3)


def test_map_location_as_a_function():
    seen = []

    def where(storage, location):
        seen.append((storage.nbytes(), location))

    assert torch.load(on_device("cpu"), map_location=where).tolist() == [0, 0] and seen == [(8, "cpu")]
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.load(on_device("cuda:0"), map_location=where)


# ---------------------------------------------------------------------------------------------------------------------
# Files made by hand


def test_files_made_by_hand_are_read():
    """So that the hostile ones below fail for what they do, not for how they are made."""
    assert tensor_file().getvalue() and torch.load(tensor_file()).tolist() == [0, 0]
    assert torch.load(older_tensor()).tolist() == [0, 0]
    assert torch.load(tensor_file(key=0)).tolist() == [0, 0]
    assert torch.load(zipped()) is None
    long_line = b"\x80\x02" + b"I5\n" + b"."
    assert torch.load(zipped(long_line)) == 5


def test_the_other_byte_order_is_turned():
    big = struct.pack(">2f", 1.5, -2)
    assert torch.load(zipped(pickled_tensor(), {"data/0": big, "byteorder": b"big"})).tolist() == [1.5, -2]
    complexes = pickled_tensor(kind="torch.ComplexFloatStorage", count=1, size=(1,))
    assert torch.load(zipped(complexes, {"data/0": big, "byteorder": b"big"})).tolist() == [1.5 - 2j]
    unsaid = zipped(pickled_tensor(), {"data/0": big})
    torch.serialization.set_default_load_endianness(torch.serialization.LoadEndianness.BIG)
    try:
        assert torch.load(unsaid).tolist() == [1.5, -2]
    finally:
        torch.serialization.set_default_load_endianness(None)
    assert torch.serialization.get_default_load_endianness() is None


def test_texts_of_python_2():
    raw = b"\x80\x02U\x03a\xc3\xa4."
    assert torch.load(zipped(raw)) == "aä"
    assert torch.load(zipped(raw), encoding="bytes") == b"a\xc3\xa4"
    assert torch.load(zipped(b"\x80\x02U\x01\xe4."), encoding="latin1") == "ä"
    with pytest.raises(pickle.UnpicklingError, match="UnicodeDecodeError"):
        torch.load(zipped(b"\x80\x02U\x01\xe4."))


EXPECTED = (pickle.UnpicklingError, RuntimeError, ValueError)


def test_there_are_many_hostile_files():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("weights_only", [True, False])
def test_hostile_file(name, weights_only, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = HOSTILE[name]()
    torch.serialization.get_safe_globals()  # what the reader itself imports is there
    torch.manual_seed(7)
    numbers_before, modules_before = torch.get_rng_state().tolist(), set(sys.modules)
    with pytest.raises(EXPECTED) as failed:
        torch.load(file, weights_only=weights_only)
    assert type(failed.value) in EXPECTED or isinstance(failed.value, NotImplementedError)
    assert len(str(failed.value)) > 10
    assert file.tell() == 0
    Path("file.pt").write_bytes(file.getvalue())
    with pytest.raises(EXPECTED):
        torch.load("file.pt", weights_only=weights_only)
    assert RAN == [] and os.listdir() == ["file.pt"] and "antigravity" not in sys.modules
    assert {m for m in set(sys.modules) - modules_before if not m.startswith(("rushlight.", "encodings."))} == set()
    assert torch.get_rng_state().tolist() == numbers_before and torch.serialization.get_safe_globals() == []


def test_a_subclass_of_a_named_tuple_is_built_without_its_code():
    body = name_of("hostile_checkpoints.EvilTuple") + b"(" + text("a") + number(1) + b"t\x81"
    made = torch.load(proto(body))
    assert type(made) is EvilTuple and made.epoch == 1 and RAN == []


def test_damage_anywhere_is_an_error_or_harmless():
    """Every byte of a small file changed, one after another: only the expected errors, and never a wrong number."""
    content = saved({"a": torch.arange(3.0), "b": [1, "x"]}).getvalue()
    places = range(0, len(content), 7)
    for at in places:
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        try:
            found = torch.load(io.BytesIO(bytes(damaged)))
        except (*EXPECTED, OSError, EOFError):
            continue
        assert found["a"].tolist() == [0, 1, 2] and found["b"] == [1, "x"]


@TWO_FORMATS
def test_a_file_cut_anywhere_is_an_error(ending):
    content = saved(torch.arange(3.0), _use_new_zipfile_serialization=not ending).getvalue()
    for length in range(1, len(content), 5):
        with pytest.raises((*EXPECTED, EOFError)):
            torch.load(io.BytesIO(content[:length]))


def test_random_pickles_raise_only_the_expected_errors():
    chance = random.Random(1)
    opcodes = bytes(
        x[0] for x in (v for k, v in vars(pickle).items() if k.isupper() and isinstance(v, bytes) and len(v) == 1)
    )
    for _ in range(1500):
        body = bytes(
            chance.choice(opcodes) if chance.random() < 0.8 else chance.randrange(256)
            for _ in range(chance.randrange(1, 60))
        )
        try:
            torch.load(zipped(b"\x80\x02" + body + b"."))
        except EXPECTED:
            pass
    assert RAN == []


# ---------------------------------------------------------------------------------------------------------------------
# Neighbours


def test_python_pickles_of_tensors_stay_ordinary():
    t = torch.ones(2, requires_grad=True)
    found = pickle.loads(pickle.dumps(t))
    assert found.tolist() == [1, 1] and found.requires_grad


def test_pytorch_reads_our_files():
    """Where PyTorch is installed: every kind of object, in both formats, with and without weights_only."""
    pytorch = pytest.importorskip("torch")
    if pytorch is torch:
        pytest.skip("torch means Rushlight here")
    base = torch.arange(6.0).reshape(2, 3)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    content = {
        "views": [base, base.t()],
        "model": model.state_dict(),
        "parameter": model[0].weight,
        "kinds": [
            torch.ones(2).to(d) for d in (torch.bfloat16, torch.complex64, torch.bool, torch.uint8, torch.float64)
        ],
        "others": [torch.Size([1, 2]), torch.float16, torch.device("cpu"), torch.strided, {1, 2}, b"ab", None, 1 << 70],
    }
    for zip_format in (True, False):
        file = saved(content, _use_new_zipfile_serialization=zip_format)
        for weights_only in (True, False):
            file.seek(0)
            found = pytorch.load(file, weights_only=weights_only)
            found["views"][0][0, 1] = 9
            assert found["views"][1][1, 0] == 9
            assert all(t.tolist() == model.state_dict()[name].tolist() for name, t in found["model"].items())
            assert type(found["parameter"]) is pytorch.nn.Parameter
            assert [str(t.dtype) for t in found["kinds"]] == [str(t.dtype) for t in content["kinds"]]
            assert str(found["others"]) == str(content["others"])
    with pytest.warns(UserWarning, match="whole module"):
        whole = saved(model.eval())
    theirs = pytorch.load(whole, weights_only=False)
    expected = model(torch.ones(1, 2)).tolist()
    assert np.allclose(theirs(pytorch.ones(1, 2)).tolist(), expected)


# ---- places of storages


def test_programs_add_places_for_storages(tmp_path):
    locations = importlib.import_module("rushlight.serialization.locations")
    serialization = torch.serialization
    storage = torch.ones(2).untyped_storage()
    assert serialization.location_tag(storage) == "cpu"
    assert serialization.default_restore_location(storage, "cpu") is storage
    assert torch.load(_saved(tmp_path), map_location=serialization.default_restore_location).tolist() == [1, 1]
    for refused in (lambda: serialization.default_restore_location(storage, "cuda:0"),
                    lambda: serialization.validate_cuda_device("cuda")):  # fmt: skip
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
            refused()
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        torch.load(_saved(tmp_path), map_location={"cpu": "toaster"})
    before = list(locations._packages)
    try:
        serialization.register_package(
            5, lambda s: "toaster", lambda s, location: s if location == "toaster" else None
        )
        assert serialization.location_tag(storage) == "toaster"
        assert torch.load(_saved(tmp_path), map_location={"cpu": "toaster"}).tolist() == [1, 1]
    finally:
        locations._packages[:] = before


def _saved(directory):
    path = directory / "ones.pt"
    torch.save(torch.ones(2), path)
    return path


def test_versions_of_modules():
    from types import SimpleNamespace

    check = torch.serialization.check_module_version_greater_or_equal
    module = SimpleNamespace(__name__="m", __version__="1.12.3")
    assert check(module, (1, 9)) and not check(module, (2, 0))
    module.__version__ = "new"
    with pytest.raises(RuntimeError, match="malformed"):
        check(module, (1, 0))
    with pytest.warns(UserWarning, match="assuming that requirement is met"):
        assert check(module, (1, 0), error_if_malformed=False)


def test_tensors_without_numbers_are_saved_and_loaded() -> None:
    file = io.BytesIO()
    torch.save({"a": torch.empty(2, 3, device="meta").t(), "b": torch.nn.Parameter(torch.ones(2))}, file)
    file.seek(0)
    there = torch.load(file)["a"]
    assert (there.device.type, there.shape, there.stride()) == ("meta", (3, 2), (1, 3))
    file.seek(0)
    moved = torch.load(file, map_location="meta")["b"]
    assert isinstance(moved, torch.nn.Parameter) and moved.is_meta and moved.shape == (2,)


def test_an_argument_that_no_unpickler_has() -> None:
    file = io.BytesIO()
    torch.save(1, file)
    file.seek(0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'mapping'"):
        torch.load(file, mapping="cpu")


def test_a_storage_is_written_like_the_tensor_on_it() -> None:
    t = torch.arange(4.0)
    view, pending = t[1:3], t * 2
    storage = t.storage()
    storage[1] = 7
    assert t.tolist() == [0, 7, 2, 3] and view.tolist() == [7, 2] and pending.tolist() == [0, 2, 4, 6]
    assert storage.fill_(5) is storage and view.tolist() == [5, 5]
    t.untyped_storage().copy_(torch.arange(4.0).untyped_storage())
    assert t.tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="size mismatch"):
        storage.copy_(torch.ones(2).storage())
    with pytest.raises(NotImplementedError, match=r"resize_\(0\)"):
        t.untyped_storage().resize_(0)


def test_storages_of_their_own() -> None:
    assert torch.UntypedStorage(8).nbytes() == 8
    assert torch.UntypedStorage([1, 2]).tolist() == [1, 2]
    assert torch.FloatStorage(3).size() == 3
