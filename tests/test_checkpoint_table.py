"""The table of checkpoints that PyTorch wrote: each is loaded, compared bit for bit, saved here and loaded again.

`expected/checkpoints/table.json` says what each file holds (see `checkpoint_table.py`), so PyTorch is not needed. Where
it is installed, it also loads what was saved here, and the description that it gives must be the same once more; and
what it writes then and there is loaded here.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import checkpoint_table
import pytest
from checkpoint_table import CONTENTS, described

import rushlight as torch

CHECKPOINTS = Path(__file__).parent / "expected" / "checkpoints"
TABLE = json.loads((CHECKPOINTS / "table.json").read_text())
FILES = sorted(path.stem for path in CHECKPOINTS.glob("table_*.pt"))
EVERY_FILE = pytest.mark.parametrize("name", FILES)


def expected(name: str) -> Any:
    return TABLE[name.removeprefix("table_").removesuffix("_old")]


def path_of(name: str) -> Path:
    return CHECKPOINTS / f"{name}.pt"


def saved(library: Any, content: Any, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    library.save(content, file, **options)
    file.seek(0)
    return file


def options_of(name: str) -> dict[str, Any]:
    return {"_use_new_zipfile_serialization": not name.endswith("_old")}


def difference(found: Any, wanted: Any, where: str = "") -> str:
    """Where two descriptions differ first; empty if they do not."""
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        parts = (difference(f, w, f"{where}[{i}]") for i, (f, w) in enumerate(zip(found, wanted)))
        return next((part for part in parts if part), "")
    return "" if found == wanted and type(found) is type(wanted) else f"{where}: {found} instead of {wanted}"


def test_the_table_is_whole():
    assert len(FILES) >= 33 and set(TABLE) == set(CONTENTS)
    assert all(path_of(f"table_{name}").exists() for name in TABLE)
    assert sum(path.stat().st_size for path in CHECKPOINTS.iterdir() if path.is_file()) < 300_000


@EVERY_FILE
@pytest.mark.parametrize("way", ["path", "weights_only=False", "mmap", "buffer"])
def test_pytorchs_file_is_loaded_bit_for_bit(name, way):
    if way == "mmap" and name.endswith("_old"):
        with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
            torch.load(path_of(name), mmap=True)
        return
    options = {"weights_only=False": {"weights_only": False}, "mmap": {"mmap": True}}.get(way, {})
    source = io.BytesIO(path_of(name).read_bytes()) if way == "buffer" else path_of(name)
    assert difference(described(torch, torch.load(source, **options)), expected(name)) == ""


@EVERY_FILE
@pytest.mark.parametrize(
    "where",
    ["cpu", torch.device("cpu"), {"cpu": "cpu"}, lambda storage, place: storage],
    ids=["name", "device", "dict", "function"],
)
def test_map_location_changes_nothing_on_the_cpu(name, where):
    assert difference(described(torch, torch.load(path_of(name), map_location=where)), expected(name)) == ""


@EVERY_FILE
@pytest.mark.parametrize("protocol", [2, 5])
def test_saved_here_and_loaded_here_it_is_the_same(name, protocol):
    again = torch.load(saved(torch, torch.load(path_of(name)), pickle_protocol=protocol, **options_of(name)))
    assert difference(described(torch, again), expected(name)) == ""


# ---------------------------------------------------------------------------------------------------------------------
# As older versions of PyTorch laid files out

LATER = {".format_version", ".storage_alignment", "byteorder", ".data/serialization_id"}


def rewritten(name: str, without: set[str], version: bytes = b"3\n", root: str = "archive", place: str = "version"):
    """The zip with other entries around the same pickle and storages, at no particular alignment."""
    file = io.BytesIO()
    with zipfile.ZipFile(path_of(name)) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            inner = info.filename.partition("/")[2]
            if inner not in without | {"version"}:
                new.writestr(f"{root}/{inner}", old.read(info))
        new.writestr(f"{root}/{place}", version)
    file.seek(0)
    return file


ZIPS = [name for name in FILES if not name.endswith("_old")]
LAYOUTS = {
    "1.4": (LATER, b"2\n", "archive"),
    "1.6 to 2.0": (LATER, b"3\n", "model"),
    "2.1": (LATER - {"byteorder", ".data/serialization_id"}, b"3\n", "a.b"),
    "2.5": ({".format_version", ".storage_alignment"}, b"3\n", "archive"),
}


@pytest.mark.parametrize("name", ZIPS)
@pytest.mark.parametrize("version", LAYOUTS)
def test_older_layouts_of_the_zip(name, version, tmp_path):
    without, number, root = LAYOUTS[version]
    file = rewritten(name, without, number, root)
    assert difference(described(torch, torch.load(file)), expected(name)) == ""
    (tmp_path / "old.pt").write_bytes(file.getvalue())
    assert difference(described(torch, torch.load(tmp_path / "old.pt", mmap=True)), expected(name)) == ""


def test_the_version_may_stand_where_torchscript_has_it():
    assert difference(described(torch, torch.load(rewritten("table_mlp", LATER, place=".data/version"))),
                      expected("table_mlp")) == ""  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Beside PyTorch


@pytest.fixture(scope="module")
def pytorch():
    found = pytest.importorskip("torch")
    if found is torch:
        pytest.skip("torch means Rushlight here")
    return found


# PyTorch cannot read Generators in the older format, its own neither: their state comes later in the file.
UNREADABLE = "table_of_pytorch_old"


@pytest.mark.parametrize("name", [name for name in FILES if name != UNREADABLE])
@pytest.mark.filterwarnings("ignore")
def test_saved_here_it_is_the_same_in_pytorch(name, pytorch):
    file = saved(torch, torch.load(path_of(name)), **options_of(name))
    with pytorch.serialization.safe_globals([checkpoint_table.Run]):
        theirs = pytorch.load(file, weights_only=False)
    assert difference(described(pytorch, theirs), expected(name)) == ""


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
@pytest.mark.filterwarnings("ignore")
def test_what_pytorch_writes_now_is_loaded_here_and_goes_back(name, zipped, pytorch):
    if not zipped and name == "newer_dtypes":
        return  # the older format has no such types
    content = CONTENTS[name](pytorch)
    before = described(pytorch, content)
    here = torch.load(saved(pytorch, content, _use_new_zipfile_serialization=zipped))
    assert difference(described(torch, here), before) == ""
    if f"table_{name}_old" == UNREADABLE and not zipped:
        return
    back = pytorch.load(saved(torch, here, _use_new_zipfile_serialization=zipped), weights_only=False)
    assert difference(described(pytorch, back), before) == ""


STRIDED_E5M2 = pytest.mark.xfail(raises=TypeError, reason="NumPy does not stride over float8_e5m2")


@pytest.mark.parametrize("name", [pytest.param(n, marks=STRIDED_E5M2 if n == "newer_dtypes" else ()) for n in CONTENTS])
@pytest.mark.filterwarnings("ignore")
def test_what_is_built_and_saved_here_is_the_same_in_pytorch(name, pytorch):
    """The very program that made the table, run here: PyTorch finds in its file what Rushlight finds in it."""
    file = saved(torch, CONTENTS[name](torch))
    here = described(torch, torch.load(file))
    file.seek(0)
    assert difference(described(pytorch, pytorch.load(file, weights_only=False)), here) == ""
