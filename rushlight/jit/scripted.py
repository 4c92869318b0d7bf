"""What `torch.jit.script` and `torch.jit.trace` give back for a module: the module under a class that is a
`ScriptModule`, too.

Nothing is compiled and no way through the program is fixed: forward stays Python. The scripted module shares
parameters, buffers and layers with the one that it was made of, and can be written to a file (`archive.py`).
"""

from __future__ import annotations

import inspect
import io
import os
from textwrap import dedent
from typing import IO, TYPE_CHECKING, Any

from rushlight.nn import Module

if TYPE_CHECKING:
    from rushlight.fx import Graph

__all__ = ["RecursiveScriptModule", "ScriptModule", "scripted"]


class ScriptModule(Module):
    """A module that can be saved with its program. Also the base class of old programs' modules, whose
    `@script_method`s run as Python.

    >>> layer = torch.jit.script(torch.nn.Linear(2, 1))
    >>> isinstance(layer, torch.jit.ScriptModule), layer.original_name
    (True, 'Linear')
    """

    @property
    def original_name(self) -> str:
        """The name of the class that the module was written as."""
        return type(self).__name__

    @property
    def code(self) -> str:
        """forward as it was written. Raises OSError where Python does not find its source."""
        return dedent(inspect.getsource(type(self).forward))

    @property
    def graph(self) -> Graph:
        """The calls that forward makes, traced by `torch.fx`. Raises `torch.fx.TraceError` where that cannot be."""
        from rushlight.fx import Tracer

        return Tracer().trace(self)

    inlined_graph = graph

    def save(self, f: str | os.PathLike[str] | IO[bytes], _extra_files: dict[str, Any] | None = None) -> None:
        """`torch.jit.save` of this module."""
        from rushlight.jit.archive import save

        save(self, f, _extra_files)

    def save_to_buffer(self, _extra_files: dict[str, Any] | None = None) -> bytes:
        """The bytes of the file that `save` writes."""
        buffer = io.BytesIO()
        self.save(buffer, _extra_files)
        return buffer.getvalue()


class RecursiveScriptModule(ScriptModule):
    """What `script`, `trace` and `load` give."""


def scripted(module: Module) -> Any:
    """The module under a class that is also a `RecursiveScriptModule`; a ScriptModule as it is.

    The copy is a shallow one: its parameters and layers are those of the module.
    """
    if isinstance(module, ScriptModule):
        return module
    written = type(module)
    metaclass: Any = type(written)
    made: Module = object.__new__(metaclass(written.__name__, (RecursiveScriptModule, written), {}))
    made.__dict__.update(module.__dict__)
    type(made).__module__, type(made).forward = written.__module__, written.forward  # type: ignore[method-assign]
    return made
