"""Files from outside: checksums, downloads, archives. The names are torchvision's.

A download goes to ``<name>.part`` and is moved to its place when it is complete and its checksum is right; an
interrupted one is continued at the next try. An archive is unpacked only below its target folder: a member that
points elsewhere (an absolute path, ``..``), a link, or a bomb is refused, and of an archive that is refused or damaged
nothing is left there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_file_from_google_drive",
    "download_url",
    "extract_archive",
    "fetch",
    "is_archive",
    "iterable_to_str",
    "list_dir",
    "list_files",
    "verify_str_arg",
]

PathLike = str | os.PathLike[str]
T = TypeVar("T")

CHUNK = 1 << 16
TIMEOUT = 30.0
"""Seconds without a byte after which a download is given up."""

SMALL_UNPACKED = 1 << 30
"""Bytes that an archive of any size may unpack to."""

LARGEST_RATIO = 100
"""How many times its own size a larger one may unpack to: pictures are hardly compressed, bombs a thousand times."""


def calculate_md5(fpath: PathLike, chunk_size: int = 1 << 20) -> str:
    """The MD5 checksum of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def check_md5(fpath: PathLike, md5: str, **kwargs: Any) -> bool:
    """Whether the file has this checksum."""
    return calculate_md5(fpath, **kwargs) == md5


def check_integrity(fpath: PathLike, md5: str | None = None) -> bool:
    """Whether the file is there, and has the checksum where one is given."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(
    url: str, root: PathLike, filename: PathLike | None = None, md5: str | None = None, max_redirect_hops: int = 3
) -> None:
    """Downloads a file to ``root/filename``, unless it is there already.

    Args:
        url: http or https.
        root: folder; made if need be.
        filename: the last part of the URL by default.
        md5: the checksum the file must have.

    Raises:
        RuntimeError: "File not found or corrupted." when the checksum is wrong.
        URLError: when the server cannot be reached; the message says where the file can be put by hand.
    """
    folder = Path(root).expanduser()
    target = folder / (filename or os.path.basename(urlsplit(url).path))
    if check_integrity(target, md5):
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _fetch(url, part, target)
    if md5 is not None and not check_md5(part, md5):
        found = calculate_md5(part)
        part.unlink()
        raise RuntimeError(f"File not found or corrupted. {url} has the MD5 checksum {found}, expected was {md5}.")
    os.replace(part, target)


def _fetch(url: str, part: Path, target: Path) -> None:
    """Downloads to ``part``, going on where an interrupted download stopped."""
    import http.client
    from urllib.error import HTTPError, URLError

    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"only http and https addresses are downloaded, not {url!r}")
    try:
        _fetch_rest(url, part, target.name)
    except HTTPError as error:
        raise URLError(f"{url} answered {error.code} {error.reason}") from error
    except (URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise URLError(
            f"{url} cannot be reached ({reason}). Without a network, put the file into {target.parent} by hand."
        ) from error


def _fetch_rest(url: str, part: Path, name: str) -> None:
    from urllib.request import Request, urlopen

    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "rushlight"} | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT) as answer:
        resumed = answer.status == 206
        length = answer.headers.get("Content-Length")
        total = int(length) if length is not None else None
        with open(part, "ab" if resumed else "wb") as file, _progress(name, total) as bar:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if total is not None:
                    total -= len(chunk)
    if total:
        raise ConnectionError(f"the connection ended {total} bytes too early; the next try goes on from there")


def _progress(name: str, total: int | None) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit="B", unit_scale=True, unit_divisor=1024, desc=name)


def extract_archive(from_path: PathLike, to_path: PathLike | None = None, remove_finished: bool = False) -> PathLike:
    """Unpacks a .zip, .tar (.gz, .bz2, .xz, .tgz) or a single compressed file, by its suffix: all of it or nothing.

    Returns:
        the folder, or for a single compressed file the file.

    Raises:
        RuntimeError: for an unknown suffix, a damaged archive, links, members that would land outside the folder, or
            far more content than an archive of that size has.
    """
    source = Path(from_path)
    folder = Path(to_path) if to_path is not None else source.parent
    if is_archive(source.name):
        _unpack(source, folder)
    elif source.suffix in (".gz", ".bz2", ".xz"):
        folder = folder / source.stem if to_path is None or folder.is_dir() else folder
        _decompress(source, folder)
    else:
        suffixes = "".join(source.suffixes[-2:])
        raise RuntimeError(
            f"Unknown compression or archive type: '{suffixes}'.\nKnown: .zip, .tar, .tgz, .gz, .bz2, .xz."
        )
    if remove_finished:
        source.unlink()
    return folder


def is_archive(name: str) -> bool:
    """Whether a file of that name holds other files."""
    return re.search(r"\.(zip|tar|tar\.(gz|bz2|xz)|tgz|tbz2?)$", name) is not None


def _unpack(source: Path, folder: Path) -> None:
    """Unpacks into a new folder beside, whose content is moved when all of it is there."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    try:
        with _saying_what_is_damaged(source):
            (_unzip if source.suffix == ".zip" else _untar)(source, beside)
        _merge(beside, folder)
    except BaseException:
        shutil.rmtree(beside)
        if made:
            folder.rmdir()
        raise


def _merge(source: Path, target: Path) -> None:
    """Moves what is in one folder into another, in place of what has the same name there."""
    for entry in list(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _merge(entry, place)
        else:
            os.replace(entry, place)
    source.rmdir()


@contextmanager
def _saying_what_is_damaged(source: Path) -> Iterator[None]:
    import lzma
    import tarfile
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)
    try:
        yield
    except damaged as error:
        raise RuntimeError(f"{source} is damaged or incomplete: {error}") from error
    except OSError as error:
        if error.errno is not None:  # the disk's fault
            raise
        raise RuntimeError(f"{source} is damaged or incomplete: {error}") from error


def _check_member(name: str, folder: Path) -> None:
    inside = (folder / name).resolve()
    if not inside.is_relative_to(folder.resolve()):
        raise RuntimeError(f"refused to unpack {name!r}: it would land outside {folder.parent}")


def _check_total(total: int, source: Path) -> None:
    if total > max(SMALL_UNPACKED, LARGEST_RATIO * source.stat().st_size):
        raise RuntimeError(f"refused to unpack {source}: it claims to hold {total} bytes")


def _unzip(source: Path, folder: Path) -> None:
    import zipfile

    with zipfile.ZipFile(source) as archive:
        _check_total(sum(member.file_size for member in archive.infolist()), source)
        for member in archive.infolist():
            _check_member(member.filename, folder)
        archive.extractall(folder)


def _untar(source: Path, folder: Path) -> None:
    """Goes through the archive once: compressed ones cannot be searched in advance for less than unpacking them."""
    import tarfile

    total = 0
    with tarfile.open(source) as archive:
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise RuntimeError(f"refused to unpack {member.name!r} of {source}: it is neither a file nor a folder")
            _check_member(member.name, folder)
            total += member.size
            _check_total(total, source)
            archive.extract(member, folder, filter="data")


def _decompress(source: Path, target: Path) -> None:
    import bz2
    import gzip
    import lzma

    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[source.suffix]
    part = target.with_name(target.name + ".part")
    try:
        with _saying_what_is_damaged(source), opener(source, "rb") as packed, open(part, "wb") as file:
            written = 0
            while chunk := packed.read(1 << 20):
                written += len(chunk)
                _check_total(written, source)
                file.write(chunk)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def fetch(resources: Iterable[tuple[str, str | None]], folder: PathLike) -> None:
    """Downloads files, pairs of address and MD5 checksum, into a folder; archives are unpacked there."""
    for url, md5 in resources:
        unpack = is_archive(os.path.basename(urlsplit(url).path))
        (download_and_extract_archive if unpack else download_url)(url, folder, md5=md5)


def download_and_extract_archive(
    url: str,
    download_root: PathLike,
    extract_root: PathLike | None = None,
    filename: PathLike | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url`, then `extract_archive` to ``extract_root`` (the download's folder by default)."""
    folder = Path(download_root).expanduser()
    name = filename or os.path.basename(urlsplit(url).path)
    download_url(url, folder, name, md5)
    extract_archive(folder / name, extract_root if extract_root is not None else folder, remove_finished)


def download_file_from_google_drive(
    file_id: str, root: PathLike, filename: PathLike | None = None, md5: str | None = None
) -> None:
    """Downloads a file from Google Drive, with the package gdown.

    Raises:
        RuntimeError: gdown is not installed, or the checksum is wrong.
    """
    target = Path(root).expanduser() / (filename or file_id)
    if check_integrity(target, md5):
        return
    try:
        import gdown  # type: ignore[import-not-found]
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "To download files from GDrive, 'gdown' is required. You can install it with 'pip install gdown', or put"
            f" the file https://drive.google.com/file/d/{file_id} to {target} by hand."
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    gdown.download(id=file_id, output=os.fspath(target), quiet=False)
    if not check_integrity(target, md5):
        raise RuntimeError(f"File not found or corrupted. {target}")


def list_dir(root: PathLike, prefix: bool = False) -> list[str]:
    """The folders in ``root``: their names, or paths with ``prefix``."""
    names = [entry.name for entry in os.scandir(os.path.expanduser(root)) if entry.is_dir()]
    return [os.path.join(root, name) for name in names] if prefix else names


def list_files(root: PathLike, suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """The files in ``root`` whose names end with ``suffix``: their names, or paths with ``prefix``."""
    names = [
        entry.name for entry in os.scandir(os.path.expanduser(root)) if entry.is_file() and entry.name.endswith(suffix)
    ]
    return [os.path.join(root, name) for name in names] if prefix else names


def iterable_to_str(iterable: Iterable[Any]) -> str:
    """The items between quotation marks, with commas."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(
    value: T, arg: str | None = None, valid_values: Iterable[T] | None = None, custom_msg: str | None = None
) -> T:
    """Returns ``value`` if it is a string, and one of ``valid_values`` where they are given; raises ValueError else."""
    if not isinstance(value, str):
        subject = "Expected type str" if arg is None else f"Expected type str for argument {arg}"
        raise ValueError(f"{subject}, but got type {type(value)}.")
    if valid_values is None:
        return value
    valid = cast(Sequence[str], list(valid_values))
    if value not in valid:
        listed = "{" + ", ".join(map(repr, valid)) + "}"
        raise ValueError(custom_msg or f"Unknown value '{value}' for argument {arg}. Valid values are {listed}.")
    return value


def copy_file(source: Path, target: Path) -> None:
    """Copies a file so that it is at ``target`` whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    os.replace(part, target)
