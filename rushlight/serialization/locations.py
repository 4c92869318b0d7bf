"""Where storages of a checkpoint go: PyTorch's table of devices, to which a program may add its own.

An entry has a priority, a function that names the place of a storage, and one that brings a storage to a named place;
each gives None for what it does not know. `torch.load` asks the table (`restore_location`) where each storage goes. The
CPU and the refusal of devices that are not there stand in it from the start.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

__all__ = [
    "SourceChangeWarning", "check_module_version_greater_or_equal", "default_restore_location", "location_tag",
    "register_package", "validate_cuda_device",
]  # fmt: skip

Tagger = Callable[[Any], str | None]
Deserializer = Callable[[Any, str], Any]

NO_CUDA = (
    "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a "
    "CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU."
)


class SourceChangeWarning(Warning):
    """Older PyTorch's warning of a module whose source has changed since it was saved."""


def validate_cuda_device(location: str) -> int:
    """Raises RuntimeError: there is no CUDA device."""
    raise RuntimeError(NO_CUDA)


def _to_cpu(storage: Any, location: str) -> Any:
    return storage if location.partition(":")[0] == "cpu" else None


def _to_cuda(storage: Any, location: str) -> Any:
    return validate_cuda_device(location) if location.startswith("cuda") else None


def _to_meta(storage: Any, location: str) -> Any:
    if location != "meta":
        return None
    storage.on_meta = True  # what is rebuilt on it will have no numbers
    return storage


def _nowhere(storage: Any) -> None:
    """No storage is there."""


_packages: list[tuple[int, Tagger, Deserializer]] = [
    (10, lambda storage: "cpu", _to_cpu), (20, _nowhere, _to_cuda), (22, _nowhere, _to_meta),
]  # fmt: skip


def register_package(priority: int, tagger: Tagger, deserializer: Deserializer) -> None:
    """Adds a place for storages. The lowest priority is asked first.

    Args:
        tagger: gives the name of the place that a storage is in, or None.
        deserializer: takes a storage and a name; gives the storage there, or None. `torch.load` only asks whether
            it gives one: here all memory is the CPU's.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda entry: entry[0])


def location_tag(storage: Any) -> str:
    """The name of the place that a storage is in.

    >>> torch.serialization.location_tag(torch.ones(2).untyped_storage())
    'cpu'
    """
    for _, tagger, _ in _packages:
        found = tagger(storage)
        if found:
            return found
    raise RuntimeError(f"don't know how to determine data location of {type(storage).__qualname__}")


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage at the named place, as `torch.load` brings it there without `map_location`."""
    for _, _, deserializer in _packages:
        found = deserializer(storage, location)
        if found is not None:
            return found
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location[:40]}): use "
        "torch.load with map_location=torch.device('cpu') to map your storages to the CPU."
    )


def check_module_version_greater_or_equal(
    module: Any, req_version_tuple: tuple[Any, ...], error_if_malformed: bool = True
) -> bool:
    """Whether a module's `__version__` is at least that. Raises RuntimeError (or warns) if it cannot be read."""
    try:
        fields = module.__version__.split(".")
        found = tuple(type(wanted)(fields[i]) for i, wanted in enumerate(req_version_tuple))
        return found >= tuple(req_version_tuple)
    except Exception as error:
        text = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and cannot be compared "
            f"with tuple {req_version_tuple}"
        )
        if error_if_malformed:
            raise RuntimeError(text) from error
        warnings.warn(text + ", but continuing assuming that requirement is met", stacklevel=2)
        return True
