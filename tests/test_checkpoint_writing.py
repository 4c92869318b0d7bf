"""torch.save to a path is all or nothing: programs that are killed, disks that are full, objects that cannot be saved.

Each of the first tests lets a program of its own fail while it writes over a file, in a way that the program cannot
clean up after or cannot expect, and finds the old file whole.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import rushlight as torch

unix = pytest.mark.skipif(os.name != "posix", reason="limits and signals of Unix")
OLD = {"step": 1, "weight": torch.arange(4.0)}

PRELUDE = """
import os, resource, signal, sys
import numpy as np
import rushlight as torch
from rushlight.serialization import archive
PATH = sys.argv[1]
new = {"step": 2, "weight": torch.from_numpy(np.ones(300_000, np.float32))}
"""

KILLED = """
write = archive.write_whole
def write_then_die(file, data):
    write(file, data)
    if len(data) > 100_000:
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
archive.write_whole = write_then_die
torch.save(new, PATH)
"""

FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    torch.save(new, PATH, _use_new_zipfile_serialization=sys.argv[2] == "zip")
except OSError as error:
    print(type(error).__name__, error.errno)
"""


def run(program, *arguments):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(OLD, path)
    return path


def assert_old(path):
    found = torch.load(path)
    assert found["step"] == 1 and found["weight"].tolist() == [0, 1, 2, 3]


@unix
def test_killed_half_way(path):
    assert run(KILLED, path).returncode == -9
    assert_old(path)
    torch.save({"step": 3}, path)
    assert torch.load(path) == {"step": 3}


@unix
@pytest.mark.parametrize("form", ["zip", "older"])
def test_the_disk_is_full(path, form):
    done = run(FULL, path, form)
    assert done.returncode == 0 and done.stdout.startswith("OSError"), done.stderr
    assert_old(path)
    assert os.listdir(path.parent) == ["a.pt"]


class Refuses:
    def __reduce__(self):
        raise ValueError("not me")


@pytest.mark.parametrize("bad", [Refuses(), lambda: 0, (i for i in ())], ids=["own error", "lambda", "generator"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
def test_what_cannot_be_pickled(path, bad, zipped):
    with pytest.raises(Exception, match="not me|pickle|local object"):
        torch.save({"weight": torch.zeros(2), "bad": bad}, path, _use_new_zipfile_serialization=zipped)
    assert_old(path)
    assert os.listdir(path.parent) == ["a.pt"]


@unix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_permissions_stay(path, mode):
    os.chmod(path, mode)
    torch.save({"step": 2}, path)
    assert stat.S_IMODE(path.stat().st_mode) == mode and torch.load(path) == {"step": 2}


@unix
def test_a_new_file_has_the_programs_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        torch.save(1, tmp_path / "new.pt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.pt").stat().st_mode) == 0o640


@unix
def test_what_is_no_ordinary_file(tmp_path):
    torch.save(torch.ones(2), "/dev/null")
    with pytest.raises(OSError):
        torch.save(1, tmp_path)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as end:
        torch.save(torch.ones(2), end)
    with os.fdopen(read, "rb") as end:
        assert torch.load(io.BytesIO(end.read())).tolist() == [1, 1]


def test_a_file_without_a_buffer_may_take_parts():
    class Reluctant(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data[:100]))

    for zipped in (True, False):
        file = Reluctant()
        torch.save(torch.arange(1000), file, _use_new_zipfile_serialization=zipped)
        file.seek(0)
        assert torch.load(file).sum() == 499500


def test_after_other_content_in_the_file(path):
    with open(path, "wb") as file:
        file.write(b"header of a program's own")
        torch.save(OLD, file)
    with open(path, "rb") as file:
        file.seek(25)
        assert torch.load(file)["step"] == 1


def test_checksums_can_be_left_out(path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(OLD, path)
        assert not torch.serialization.get_crc32_options()
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(path) as listed:
        assert {i.CRC for i in listed.infolist()} == {0}
    assert_old(path)


def test_room_without_numbers(path):
    content = {"a": torch.ones(50_000), "b": [torch.ones(3, dtype=torch.int8), "text"]}
    with torch.serialization.skip_data():
        torch.save(content, path)
    found = torch.load(path)
    assert found["a"].shape == (50_000,) and not found["a"].any() and found["b"][1] == "text"
    torch.save(content, path)
    with torch.serialization.skip_data():
        assert torch.load(path)["a"].shape == (50_000,)
        with pytest.raises(RuntimeError, match="Cannot use skip_data=True with _use_new_zipfile_serialization=False"):
            torch.save(content, path, _use_new_zipfile_serialization=False)
    assert torch.load(path)["a"].sum() == 50_000
    with pytest.raises(NotImplementedError, match="fake tensors"):
        torch.serialization.skip_data(materialize_fake_tensors=True)


def test_how_files_are_mapped():
    import mmap

    assert torch.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    with torch.serialization.set_default_mmap_options(mmap.MAP_PRIVATE):
        pass
    with pytest.raises(NotImplementedError, match="MAP_SHARED"):
        torch.serialization.set_default_mmap_options(mmap.MAP_SHARED)
    with pytest.raises(ValueError, match="expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got 5"):
        torch.serialization.set_default_mmap_options(5)


def test_arrays_of_the_other_byte_order_keep_their_numbers():
    found = torch.load(saved([np.arange(3, dtype=">i4"), np.array([1.5], ">f8"), np.dtype(">i4")]))
    assert found[0].tolist() == [0, 1, 2] and found[1].tolist() == [1.5] and found[2] == np.dtype(">i4")


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return file
