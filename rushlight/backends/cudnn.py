"""torch.backends.cudnn: not there; `benchmark`, `deterministic` and the like are remembered and change nothing."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from rushlight.backends.switches import Switches, settings
from rushlight.core.missing import missing

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"
conv = Switches(fp32_precision="tf32")
rnn = Switches(fp32_precision="tf32")


def is_available() -> bool:
    """Whether cuDNN can be used: no."""
    return False


def version() -> int | None:
    """The version of cuDNN: None, for there is none."""
    return None


def is_acceptable(tensor: object) -> bool:
    """Whether cuDNN could compute with the tensor: no."""
    return False


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> AbstractContextManager[None]:
    """These settings inside a `with` block.

    >>> with torch.backends.cudnn.flags(benchmark=True):
    ...     torch.backends.cudnn.benchmark
    True
    """
    return settings(
        sys.modules[__name__], enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit,
        deterministic=deterministic, allow_tf32=allow_tf32, fp32_precision=fp32_precision,
    )  # fmt: skip


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str | None = None,
) -> tuple[bool, bool, int | None, bool, bool, str]:
    """Changes the settings that are given; returns those before."""
    before = (enabled, benchmark, benchmark_limit, deterministic, allow_tf32, fp32_precision)
    names = "enabled benchmark benchmark_limit deterministic allow_tf32 fp32_precision".split()
    given = zip(names, (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32, _fp32_precision))
    globals().update({name: value for name, value in given if value is not None})
    return before


__getattr__ = missing(__name__)
