"""torch.backends.mkldnn: oneDNN, which Rushlight does not use; the switches are remembered and change nothing."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from rushlight.backends.switches import Switches, settings
from rushlight.core.missing import missing

enabled = False
deterministic = False
allow_tf32 = True
fp32_precision = "none"
matmul = Switches(fp32_precision="none")
conv = Switches(fp32_precision="none")
rnn = Switches(fp32_precision="none")


def is_available() -> bool:
    """Whether oneDNN can be used: no."""
    return False


def flags(
    enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none"
) -> AbstractContextManager[None]:
    """These settings inside a `with` block."""
    return settings(
        sys.modules[__name__], enabled=enabled, deterministic=deterministic, allow_tf32=allow_tf32,
        fp32_precision=fp32_precision,
    )  # fmt: skip


__getattr__ = missing(__name__)
