"""torch.hub: downloading files and state dicts, and models of a repository on this disk (`load(source="local")`).
Fetching and running the code of repositories on GitHub is left out.

A download goes into a temporary file beside its target and is renamed when it is complete and its checksum, where the
file name or the caller gives one, is right. A state dict is read by `torch.load`, which runs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from rushlight.core.missing import missing

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
CHUNK = 1 << 17

_directory: str | None = None


def _get_torch_home() -> str:
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """Where downloads are kept: `set_dir`'s directory, or $TORCH_HOME/hub (~/.cache/torch/hub)."""
    return _directory if _directory is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Sets where downloads are kept."""
    global _directory
    _directory = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Downloads a file; a failure leaves nothing behind.

    Raises RuntimeError if its SHA256 does not start with `hash_prefix`.
    """
    target = os.path.expanduser(dst)
    temporary = f"{target}.{secrets.token_hex(8)}.partial"
    try:
        found = _copy(url, temporary, progress)
        if hash_prefix is not None and not found.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _copy(url: str, path: str, progress: bool) -> str:
    """Copies what the address gives into a new file; returns its SHA256."""
    from tqdm import tqdm

    digest = hashlib.sha256()
    with urlopen(Request(url, headers={"User-Agent": "torch.hub"})) as source, open(path, "xb") as file:
        length = source.headers.get("Content-Length")
        total = int(length) if length is not None else None
        with tqdm(total=total, disable=not progress, unit="B", unit_scale=True, unit_divisor=1024) as bar:
            while chunk := source.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
    return digest.hexdigest()


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Downloads a state dict unless it is there already, and loads it.

    With `check_hash`, the file name must hold the start of its SHA256, as in `resnet18-5c106cde.pth`.
    """
    from rushlight.serialization import load as load_file

    directory = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(directory, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    cached = os.path.join(directory, name)
    if not os.path.exists(cached):
        match = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, cached, match.group(1) if match else None, progress)
    return load_file(cached, map_location=map_location)


def load(
    repo_or_dir: str | os.PathLike[str],
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What the function `model` of the file `hubconf.py` in a directory gives, called with the other arguments.

    Raises:
        NotImplementedError: `source` is not "local".
        RuntimeError: there is no such function, or a package that the file names in `dependencies` is missing.
    """
    if source.lower() not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source.lower() == "github":
        _refuse("load")
    directory = os.path.expanduser(os.fspath(repo_or_dir))
    with _importable(directory):
        return _entry(_hubconf(directory), model)(*args, **kwargs)


@contextlib.contextmanager
def _importable(directory: str) -> Iterator[None]:
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)


def _hubconf(directory: str) -> ModuleType:
    """The module of a repository's `hubconf.py`, run anew."""
    spec = importlib.util.spec_from_file_location("hubconf.py", os.path.join(directory, "hubconf.py"))
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entry(module: ModuleType, model: str) -> Callable[..., Any]:
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    needed = getattr(module, "dependencies", ())
    missing_ones = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing_ones:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing_ones)}")
    found = getattr(module, model, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return found  # type: ignore[no-any-return]


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.hub.{name} fetches and runs a program from GitHub, which Rushlight does not do: get the code yourself "
        'and use torch.hub.load(directory, model, source="local"), or import it and load its weights with '
        "torch.hub.load_state_dict_from_url"
    )


def _absent(name: str) -> Any:
    def refused(*_: Any, **__: Any) -> NoReturn:
        _refuse(name)

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = "Raises NotImplementedError: code of repositories is not fetched."
    refused.__dict__["absent_from_rushlight"] = True
    return refused


list, help = _absent("list"), _absent("help")

__getattr__ = missing(__name__)
