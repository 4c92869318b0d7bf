"""torch.backends.cpu: what the processor can do."""

from __future__ import annotations

from rushlight.core.missing import missing


def get_cpu_capability() -> str:
    """The widest vector instructions that NumPy found: "AVX512", "AVX2" or "DEFAULT"."""
    from numpy._core._multiarray_umath import __cpu_features__ as found  # type: ignore[import-not-found, unused-ignore]

    return next((name for name, feature in (("AVX512", "AVX512F"), ("AVX2", "AVX2")) if found.get(feature)), "DEFAULT")


__getattr__ = missing(__name__)
