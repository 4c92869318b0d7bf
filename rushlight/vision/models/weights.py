"""Trained weights: where they are, and how a model gets them.

Each model has an enumeration, `ResNet18_Weights` and so on, whose members say where a file is and how pictures have to
be prepared for it. The file is fetched once, to the cache folder, its SHA-256 is compared with the one in its name, and
it is read as plain tensors: nothing in it can run code.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import rushlight
from rushlight.nn import Module
from rushlight.vision.datasets.utils import download_url
from rushlight.vision.transforms.presets import ImageClassification

__all__ = ["Weights", "WeightsEnum", "build", "imagenet_weights"]

SERVER = "https://download.pytorch.org/models/"
M = TypeVar("M", bound=Module)


@dataclass
class Weights:
    """A file of weights.

    Attributes:
        url: where it is.
        transforms: makes the function that prepares pictures for it.
        meta: what is known of it.
    """

    url: str
    transforms: Callable[..., Any]
    meta: Mapping[str, Any] = field(default_factory=dict)


class WeightsEnum(Enum):
    """Base class of the enumerations of weights; ``DEFAULT`` is the best of them."""

    @property
    def url(self) -> str:
        """Where the file is."""
        return str(self.value.url)

    @property
    def transforms(self) -> Callable[..., Any]:
        """Makes the function that prepares pictures."""
        function: Callable[..., Any] = self.value.transforms
        return function

    @property
    def meta(self) -> Mapping[str, Any]:
        """What is known of the weights."""
        known: Mapping[str, Any] = self.value.meta
        return known

    def get_state_dict(self, progress: bool = True, check_hash: bool = True) -> Mapping[str, Any]:
        """Fetches and reads the weights. Raises URLError without a network, RuntimeError for a damaged file."""
        path = _cache_folder() / os.path.basename(self.url)
        download_url(self.url, path.parent)
        if check_hash:
            _check_hash(path)
        weights: Mapping[str, Any] = rushlight.load(path, weights_only=True)
        return weights

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


def _cache_folder() -> Path:
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def _check_hash(path: Path) -> None:
    """The name ends with the first digits of the file's SHA-256: resnet18-f37072fd.pth."""
    expected = path.stem.rpartition("-")[2]
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(expected):
        path.unlink()
        raise RuntimeError(f'invalid hash value (expected "{expected}", got "{found}"): {path} has been deleted')


def imagenet_weights(name: str, *files: str, crop: int = 224, **meta: Any) -> Any:
    """The enumeration ``name`` with members IMAGENET1K_V1, V2 and so on, and DEFAULT for the last one."""

    def transforms(**options: Any) -> ImageClassification:
        return ImageClassification(**({"crop_size": crop} | options))

    entries = {
        f"IMAGENET1K_V{number}": Weights(f"{SERVER}{file}", transforms, meta) for number, file in enumerate(files, 1)
    }
    entries["DEFAULT"] = list(entries.values())[-1]
    return WeightsEnum(name, entries, module=__name__)  # type: ignore[call-arg]


def build(make: Callable[..., M], kinds: Any, weights: Any, progress: bool, options: dict[str, Any]) -> M:
    """Makes a model, and loads the weights that are asked for.

    Args:
        make: makes it from the options.
        kinds: the enumeration of its weights.
        weights: None, a member, or the name of one; True and False as in old programs.
        progress: show the download.
        options: of the model; ``pretrained`` of old programs may be among them.
    """
    chosen = _chosen(kinds, weights, options)
    if chosen is None:
        return make(**options)
    classes = options.setdefault("num_classes", 1000)
    if classes != 1000:
        raise ValueError(f"The parameter 'num_classes' expected value 1000 but got {classes} instead.")
    model = make(**options)
    model.load_state_dict(chosen.get_state_dict(progress))
    return model


def _chosen(kinds: Any, weights: Any, options: dict[str, Any]) -> WeightsEnum | None:
    pretrained = options.pop("pretrained", None)
    if isinstance(weights, bool):
        weights, pretrained = None, weights
    if pretrained is not None:
        warnings.warn(
            "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future, "
            "please use 'weights' instead.",
            stacklevel=4,
        )
        weights = kinds.DEFAULT if pretrained else weights
    if isinstance(weights, str):
        weights = kinds[weights.rpartition(".")[2]]
    if weights is not None and not isinstance(weights, kinds):
        raise TypeError(
            f"Invalid Weight class provided; expected {kinds.__name__} but received {type(weights).__name__}."
        )
    chosen: WeightsEnum | None = weights
    return chosen
