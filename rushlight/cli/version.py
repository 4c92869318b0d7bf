"""Print the versions of Rushlight, Python and the libraries that compute."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("rushlight", "numpy", "llvmlite")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`rushlight version` takes none."""


def execute(options: argparse.Namespace) -> int:
    """Print one line a package. Returns 0."""
    print(f"rushlight {installed_version('rushlight')}")
    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in PACKAGES[1:]:
        print(f"{package} {installed_version(package)}")
    return 0


def installed_version(package: str) -> str:
    """The version of an installed package, "not installed" for one that is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
