"""torch.utils.cpp_extension: C++ and CUDA extensions of PyTorch. Rushlight has no C++ interface, and says so.

An extension is compiled against PyTorch's headers and called with its tensors, which are not here. Programs that fall
back to Python where none can be built find what they ask: there is no CUDA, and building raises NotImplementedError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = [
    "CUDA_HOME", "BuildExtension", "CUDAExtension", "CppExtension", "SyclExtension", "check_compiler_is_gcc",
    "check_compiler_ok_for_platform", "get_cxx_compiler", "include_paths", "is_ninja_available", "library_paths",
    "load", "load_inline", "verify_ninja_availability",
]  # fmt: skip

CUDA_HOME = CUDNN_HOME = ROCM_HOME = SYCL_HOME = None
IS_HIP_EXTENSION = False


def _refusing(name: str, what: str = "builds no C++ or CUDA extensions: they need PyTorch's own headers") -> Any:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"torch.utils.cpp_extension.{name}: Rushlight {what}. Use the program's Python version of the operation; "
            "it is recorded and compiled"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises NotImplementedError: there are no extensions."
    refuse.__dict__["absent_from_rushlight"] = True
    return refuse


_FUNCTIONS = "CUDAExtension CppExtension SyclExtension include_paths library_paths load load_inline".split()
_made: dict[str, Callable[..., NoReturn]] = {name: _refusing(name) for name in _FUNCTIONS}
CUDAExtension, CppExtension, SyclExtension = (_made[name] for name in _FUNCTIONS[:3])
include_paths, library_paths, load, load_inline = (_made[name] for name in _FUNCTIONS[3:])


class BuildExtension:
    """The command that would build extensions, for `cmdclass` of a setup script; nothing can be made of it."""

    absent_from_rushlight = True

    def __init__(self, *_: Any, **__: Any) -> None:
        _refusing("BuildExtension")()

    @classmethod
    def with_options(cls, **options: Any) -> type[BuildExtension]:
        """The class itself: there is nothing that options could change."""
        return cls


def is_ninja_available() -> bool:
    """Whether the program ninja can be called."""
    import shutil

    return shutil.which("ninja") is not None


def verify_ninja_availability() -> None:
    """Raises RuntimeError where the program ninja cannot be called."""
    if not is_ninja_available():
        raise RuntimeError("Ninja is required to load C++ extensions (pip install ninja to get it)")


def get_cxx_compiler() -> str:
    """The C++ compiler that the environment names in `CXX`."""
    import os

    return os.environ.get("CXX", "c++")


def check_compiler_ok_for_platform(compiler: str) -> bool:
    """Whether there is a program of that name."""
    import shutil

    return shutil.which(compiler) is not None


def check_compiler_is_gcc(compiler: str) -> bool:
    """Whether the compiler is one of GCC's, to judge by its name."""
    import os
    import shutil

    found = shutil.which(compiler)
    return found is not None and os.path.basename(os.path.realpath(found)).startswith(("g++", "gcc"))


__getattr__ = missing(__name__)
