"""What a name that is not there says about itself.

A program asks for `torch.nn.Foo`; Rushlight has no such thing yet. The bare answer, "module 'rushlight.nn' has no
attribute 'Foo'", names a module that the program never heard of. A package that ends with

    __getattr__ = missing(__name__)

answers with the name the program knows, and as the error Python itself would raise there: AttributeError for
`torch.nn.Foo`, ImportError for `from torch.nn import Foo`; and with what may have been meant. `hasattr` stays False.
The same function loads what a package offers but does not import at once (`lazy`).

The table of how PyTorch's module paths lie in Rushlight is here too; the import hook (`cli/alias.py`) reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any, NoReturn

# PyTorch's path -> ours, the longest prefix first.
PATHS: dict[str, str] = {
    "torch.utils.data": "rushlight.data",
    "torchvision": "rushlight.vision",
    "torch": "rushlight",
}


def rushlight_path(name: str) -> str:
    """Where a module of PyTorch lies in Rushlight.

    >>> rushlight_path("torch.nn.functional"), rushlight_path("torchvision.transforms")
    ('rushlight.nn.functional', 'rushlight.vision.transforms')
    """
    return _translate(name, PATHS.items())


def pytorch_path(name: str) -> str:
    """The inverse of `rushlight_path`.

    >>> pytorch_path("rushlight.data"), pytorch_path("rushlight.nn")
    ('torch.utils.data', 'torch.nn')
    """
    return _translate(name, ((ours, theirs) for theirs, ours in PATHS.items()))


def _translate(name: str, pairs: Any) -> str:
    for old, new in pairs:
        if name == old or name.startswith(old + "."):
            return new + name[len(old) :]
    return name


def missing(module: str, lazy: Mapping[str, str] | None = None, home: str | None = None) -> Callable[[str], Any]:
    """Make the module-level `__getattr__` of `module`.

    Args:
        module: the module's `__name__`.
        lazy: names that are loaded when first asked for: `{"show": "rushlight.show"}` for a module,
            `{"install": "rushlight.cli.alias:install"}` for something in one.
        home: the module's name in PyTorch, where it is not that of `pytorch_path`.

    Returns:
        A function of the missing name. It raises AttributeError, or ImportError where a `from ... import` statement
        asked.
    """
    sources = dict(lazy or {})

    def __getattr__(name: str) -> Any:
        source = sources.get(name)
        if source is None or not _is_there(source):
            _raise_missing(sys.modules[module], home or pytorch_path(module), name, sys._getframe(1))
        value = _load(source)
        setattr(sys.modules[module], name, value)
        return value

    return __getattr__


def _is_there(source: str) -> bool:
    """Whether the module of a `lazy` entry exists: a namespace may be listed before it is written."""
    from importlib.util import find_spec

    try:
        return find_spec(source.partition(":")[0]) is not None
    except ModuleNotFoundError:  # nor does its parent
        return False


def _load(source: str) -> Any:
    path, _, name = source.partition(":")
    found = import_module(path)
    return getattr(found, name) if name else found


def _raise_missing(module: ModuleType, home: str, name: str, asker: FrameType) -> NoReturn:
    """Raise the error for `name`, which `module` does not have and `asker` wanted; PyTorch calls the module `home`."""
    if _is_import_from(asker):
        text = f"cannot import name {name!r} from {home!r}: {home}.{name} is not in Rushlight yet"
        raise ImportError(text + suggestion(home, name, module), name=home)
    text = f"{home}.{name}: not in Rushlight yet (module {home!r} has no attribute {name!r})"
    raise AttributeError(text + suggestion(home, name, module), name=name, obj=module)


@lru_cache(maxsize=256)  # programs ask `hasattr` in loops
def suggestion(home: str, name: str, module: Any) -> str:
    """The words "(did you mean ...?)" where `module`, which PyTorch calls `home`, has something like `name`, else none.

    >>> suggestion("torch", "sofmax", torch)
    ' (did you mean torch.softmax?)'
    """
    if name.startswith("_"):  # the import system's own questions
        return ""
    from difflib import get_close_matches

    names = [other for other in dir(module) if not other.startswith("_")]
    by_case = [other for other in names if other.lower() == name.lower()]
    near = by_case or get_close_matches(name, names, 1, 0.8)
    return f" (did you mean {home}.{near[0]}?)" if near and near[0] != name else ""


def _is_import_from(frame: FrameType) -> bool:
    """Whether the frame stands at `from ... import`: that statement turns our AttributeError into a text of its own."""
    if frame.f_lasti < 0:
        return False
    import opcode

    return frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]
