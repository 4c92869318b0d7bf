"""This computer's processor: what code for it may use, and what tells it from others.

Linux says so in a file, which is quickly read.  Elsewhere LLVM is asked, and loaded for it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Collection
from typing import NamedTuple

TOLD = "/proc/cpuinfo"  # a paragraph for each processor
ENOUGH = 1 << 14  # characters: more than the first paragraph has, less than asking a hundred processors takes time for
MODEL = {  # the lines that say which model it is, on x86 and on ARM
    "vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
}  # fmt: skip
ABILITIES = "flags", "Features"  # the lines that say what it can do, likewise


class Processor(NamedTuple):
    """What code for it depends on.

    Attributes:
        name: code that was made for one processor is good for all of the same name.
        vector_bytes: how wide its vectors are.
        fuses: multiplies and adds, rounding once; without that random numbers are left to NumPy.
        scales: has AVX-512's multiplication by a power of two, on 64 bytes.
        halves: converts float16 by instructions, not by calls into a library of the C compiler.
    """

    name: str
    vector_bytes: int
    fuses: bool
    scales: bool
    halves: bool


@functools.cache
def processor() -> Processor:
    """This computer's."""
    name, abilities = _told() or _asked()
    wide = {"avx512f", "avx512bw", "avx512vl"}.issubset(abilities)
    x86 = "sse2" in abilities
    return Processor(
        name=name,
        vector_bytes=64 if wide else 32 if "avx2" in abilities else 16,
        fuses="fma" in abilities or not x86,  # what is no x86 has them always
        scales=wide,
        halves="f16c" in abilities or not x86,
    )


def _told() -> tuple[str, Collection[str]] | None:
    """Name and abilities, in the words that LLVM has for them, as the system's file says; None if it does not."""
    try:
        with open(TOLD) as file:
            paragraph = file.read(ENOUGH).partition("\n\n")[0]
    except (OSError, UnicodeDecodeError):
        return None
    lines = [(name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in paragraph.splitlines())]
    abilities = sorted({word for name, value in lines if name in ABILITIES for word in value.split()})
    if not abilities:
        return None
    return " ".join([*(f"{name}={value}" for name, value in lines if name in MODEL), *abilities]), frozenset(abilities)


def _asked() -> tuple[str, Collection[str]]:
    """The same from LLVM."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return f"{llvm.get_host_cpu_name()} {features.flatten()}", {name for name, there in features.items() if there}


def architecture() -> str:
    """The processor's family, in the words of LLVM's triples."""
    name = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    name = "i686" if sys.maxsize < 1 << 32 else name.lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
