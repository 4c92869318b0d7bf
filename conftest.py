"""What every test starts from: the same random numbers, and `torch` for the examples in docstrings.

The tests run recorded (lazily) unless the environment says RUSHLIGHT_EAGER=1; `make test` does both. Nothing compiles
in the background, for a program that turns native in the middle of a test rounds otherwise from then on: the compiler's
own tests ask for it, and RUSHLIGHT_COMPILE=sync compiles every program of every test. Whatever is compiled is verified
between the passes. None needs PyTorch. This file stands above `tests/` because the docstring examples, collected from
the package itself, need it too.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("RUSHLIGHT_COMPILE", "0")
import rushlight  # noqa: E402 - it reads the environment when it is imported
from rushlight.codegen import verify  # noqa: E402

verify.ENABLED = True  # between the passes of whatever is compiled

# Programs that need PyTorch: they write the fixtures, and are no tests.
collect_ignore_glob = ["tests/expected/checkpoints/*.py"]
# Puts another module in its own place (`rushlight.data`), whose examples are collected there.
collect_ignore = ["rushlight/utils/data.py"]


@pytest.fixture(autouse=True)
def seeded(doctest_namespace: dict[str, Any]) -> None:
    """Seed all three generators, and let doctests say `torch` or `rushlight` without importing it."""
    random.seed(0)
    np.random.seed(0)
    rushlight.manual_seed(0)
    doctest_namespace.update(rushlight=rushlight, torch=rushlight, F=rushlight.nn.functional)
