"""The cache on disk: object code, and what whole programs have become, each under a name that is a hash.

Files appear whole (written aside, then renamed) and begin with the hash of their name and the rest, so that one that
is damaged, or holds what belongs under another name, is made again.  Processes share them.  What is oldest goes when
there is too much.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import llvmlite
import numpy as np

from rushlight.version import __version__

ABANDONED = 3600  # seconds after which nobody is still writing an entry
MAX_CACHE, MAX_ENTRIES = 256 << 20, 20_000  # bytes of object code kept on disk, and modules
NOWHERE = os.devnull  # in which there is no folder, and nobody can make one
DIGEST = hashlib.sha256().digest_size  # every entry begins with the hash of its name and the rest


def cache_folder() -> Path:
    """Where object code is kept: RUSHLIGHT_CACHE, or the user's cache folder; nowhere, if he has no home.

    Without one, "~" stays "~", and every folder that a program is started in would get a cache.
    """
    chosen = os.environ.get("RUSHLIGHT_CACHE")
    if chosen:
        return Path(chosen)
    bases = os.environ.get("XDG_CACHE_HOME", ""), os.path.join(os.path.expanduser("~"), ".cache")
    return Path(next(filter(os.path.isabs, bases), NOWHERE)) / "rushlight"


def kept(path: Path) -> bytes | None:
    """What a cache entry holds; None if there is none or it is damaged."""
    try:
        entry = path.read_bytes()
    except OSError:
        return None
    digest, code = entry[:DIGEST], entry[DIGEST:]
    return code if _digest(path, code) == digest else None


def keep(path: Path, code: bytes) -> None:
    """Writes one cache entry, whole or not at all; a folder that cannot be written is no error."""
    import tempfile  # takes a moment, and most processes write nothing

    aside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(path, code) + code)
        os.replace(aside, path)
    except OSError:
        if aside is not None:
            Path(aside).unlink(missing_ok=True)


def _digest(path: Path, code: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + code).digest()


def _entries(folder: Path) -> Iterator[Path]:
    """Object code, and what is known of whole programs."""
    yield from folder.glob("*.o")
    yield from folder.glob("*.plan")


def bound(folder: Path) -> None:
    """Drops the oldest entries of a cache that has grown too large, and what a process that was killed left behind."""
    for part in folder.glob("*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED:
            part.unlink(missing_ok=True)
    entries = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in _entries(folder)), reverse=True)
    total = 0
    for count, (_, size, path) in enumerate(entries):
        total += size
        if total > MAX_CACHE or count >= MAX_ENTRIES:
            path.unlink(missing_ok=True)


@functools.cache
def fingerprint() -> str:
    """What the compiler's work depends on, beside the program and the processor: this package's files, and versions."""
    versions = sys.version, np.__version__, llvmlite.__version__, __version__
    return hashlib.sha256("\n".join([*versions, *_files(Path(__file__).parent.parent)]).encode()).hexdigest()


def _files(folder: Path | str) -> Iterator[str]:
    """The Python files in a folder and those below it, how long they are, and when they were written."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.endswith(".py"):
            about = entry.stat()
            yield f"{entry.name} {about.st_size} {about.st_mtime_ns}"
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry.path)
