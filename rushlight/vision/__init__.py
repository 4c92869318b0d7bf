"""Pictures: torchvision's names. `datasets`, `transforms`, `utils` and `models` load when they are first touched."""

from typing import Any

from rushlight.core.missing import missing

__version__ = "0.28.0"
"""The release of torchvision whose names and numbers these are."""

__getattr__ = missing(
    __name__,
    {
        name: f"rushlight.vision.{name}"
        for name in ("datasets", "io", "models", "ops", "transforms", "tv_tensors", "utils")
    },
)


def set_image_backend(backend: str) -> None:
    """Chooses the library that reads image files: ``"PIL"``, the only one here. Raises ValueError for another."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'")


def get_image_backend() -> str:
    """The library that reads image files."""
    return "PIL"


def disable_beta_transforms_warning() -> Any:
    """Does nothing: for programs of the time when ``transforms.v2`` was new."""
