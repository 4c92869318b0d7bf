"""torch.save and torch.load, in PyTorch's file format.

`saving.py` pickles with `pickler.py` and writes the zip of `archive.py`. `loading.py` reads that zip, or the older
format, with `unpickler.py`: a machine that builds what `builders.py` lists and runs nothing that a file names, unless
the program has allowed it (`allowlist.py`). `storages.py` puts the tensors on their memory.
"""

from rushlight.core.missing import missing

from .allowlist import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .loading import (
    LoadEndianness,
    get_default_load_endianness,
    get_unsafe_globals_in_checkpoint,
    load,
    set_default_load_endianness,
)
from .saving import DEFAULT_PROTOCOL, MAGIC_NUMBER, PROTOCOL_VERSION, save

__all__ = [
    "LoadEndianness", "add_safe_globals", "clear_safe_globals", "get_default_load_endianness", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "safe_globals", "save", "set_default_load_endianness",
]  # fmt: skip

__getattr__ = missing(__name__)
