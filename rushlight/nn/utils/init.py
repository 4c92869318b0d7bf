"""`skip_init`: a module made without drawing its starting values."""

from __future__ import annotations

import inspect
from typing import Any

from rushlight.nn.module import Module
from rushlight.random import fork_rng


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """`module_cls(*args, **kwargs)` with memory whose numbers are undefined. The class must take `device`.

    Raises RuntimeError for something else than a module class, or one without `device`.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    with fork_rng(devices=[]):  # what is drawn all the same must not show in later draws
        module = module_cls(*args, **kwargs, device="meta")
    return module.to_empty(device=device)
