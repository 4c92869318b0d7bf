"""torch.save and torch.load, in PyTorch's file format.

`saving.py` pickles with `pickler.py` and writes the zip of `archive.py`. `loading.py` reads that zip, or the older
format, with `unpickler.py`: a machine that builds what `builders.py` lists and runs nothing that a file names, unless
the program has allowed it (`allowlist.py`). `storages.py` puts the tensors on their memory, `locations.py` says where
that may be. `options.py` has the settings that hold for the whole program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, Union

from rushlight.core.device import device
from rushlight.core.missing import missing
from rushlight.tensor.storage import UntypedStorage as Storage

from .allowlist import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .loading import get_unsafe_globals_in_checkpoint, load
from .locations import (
    SourceChangeWarning,
    check_module_version_greater_or_equal,
    default_restore_location,
    location_tag,
    register_package,
    validate_cuda_device,
)
from .options import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
    skip_data,
)
from .saving import DEFAULT_PROTOCOL, MAGIC_NUMBER, PROTOCOL_VERSION, save

__all__ = [
    "LoadEndianness", "SourceChangeWarning", "add_safe_globals", "check_module_version_greater_or_equal",
    "clear_safe_globals", "default_restore_location", "get_crc32_options", "get_default_load_endianness",
    "get_default_mmap_options", "get_safe_globals", "get_unsafe_globals_in_checkpoint", "load", "location_tag",
    "register_package", "safe_globals", "save", "set_crc32_options", "set_default_load_endianness",
    "set_default_mmap_options", "skip_data", "validate_cuda_device",
]  # fmt: skip

#: What `map_location` of `load` may be; libraries annotate with it.
MAP_LOCATION: TypeAlias = Union[Callable[[Storage, str], Storage], device, str, dict[str, str], None]  # noqa: UP007

__getattr__ = missing(__name__)
