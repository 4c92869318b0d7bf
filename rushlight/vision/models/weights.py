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
from rushlight.vision.transforms.functional import InterpolationMode
from rushlight.vision.transforms.presets import ImageClassification

__all__ = ["File", "Weights", "WeightsEnum", "build", "builder", "imagenet_weights", "publish", "retrained"]

SERVER = "https://download.pytorch.org/models/"
M = TypeVar("M", bound=Module)


@dataclass
class Weights:
    """A file of weights.

    Attributes:
        url: where it is.
        transforms: makes the function that prepares pictures for it.
        meta: what is known of it.
        classes: how many classes its scores tell apart.
    """

    url: str
    transforms: Callable[..., Any]
    meta: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 1000


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
        """What is known of the weights: ``num_params``, ``min_size`` and ``categories``, the names of the classes."""
        from rushlight.vision.models.categories import categories

        return {"min_size": (1, 1), "categories": categories(self.value.classes), **self.value.meta}

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


@dataclass(frozen=True)
class File:
    """A file of ImageNet weights by its name, and how pictures are prepared for it."""

    name: str
    crop: int = 224
    resize: int = 256
    interpolation: InterpolationMode = InterpolationMode.BILINEAR
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def transforms(self, **options: Any) -> ImageClassification:
        """Makes the function that prepares pictures."""
        usual: dict[str, Any] = {
            "crop_size": self.crop,
            "resize_size": self.resize,
            "interpolation": self.interpolation,
        }
        return ImageClassification(**(usual | dict(self.statistics) | options))


def retrained(name: str) -> File:
    """A file of torchvision's later trainings, which are tested on slightly smaller pictures."""
    return File(name, resize=232)


def imagenet_weights(name: str, *files: str | File, default: str = "", **details: Any) -> Any:
    """The enumeration ``name``: members IMAGENET1K_V1, V2 and so on, and what is named in ``details``.

    Args:
        default: the member that is DEFAULT; the last of ``files`` if not given.
        details: further `File` members by name; everything else is known of all of them (``num_params``).
    """
    numbered = {f"IMAGENET1K_V{number}": file for number, file in enumerate(files, 1)}
    named = {key: value for key, value in details.items() if isinstance(value, File)}
    meta = {key: value for key, value in details.items() if key not in named}
    members = {key: file if isinstance(file, File) else File(file) for key, file in (numbered | named).items()}
    entries = {
        key: Weights(f"{SERVER}{file.name}", file.transforms, meta | dict(file.meta)) for key, file in members.items()
    }
    return published(name, entries, default or list(numbered)[-1])


def published(name: str, entries: Mapping[str, Weights], default: str) -> Any:
    """The enumeration ``name`` with these members, and DEFAULT for one of them."""
    members = {**entries, "DEFAULT": entries[default]}
    return WeightsEnum(name, members, module=__name__)  # type: ignore[call-arg]


def build(make: Callable[..., M], kinds: Any, weights: Any, progress: bool, options: dict[str, Any]) -> M:
    """Makes a model, and loads the weights that are asked for.

    Args:
        make: makes it from the options.
        kinds: the enumeration of its weights.
        weights: None, a member, or the name of one; True and False as in old programs.
        progress: show the download.
        options: of the model; ``pretrained`` of old programs may be among them.
    """
    chosen = chosen_weights(kinds, weights, options)
    if chosen is None:
        return make(**options)
    require(options, "num_classes", chosen.value.classes)
    model = make(**options)
    model.load_state_dict(chosen.get_state_dict(progress))
    return model


def require(options: dict[str, Any], name: str, value: Any) -> None:
    """The option that the weights were made with. Raises ValueError where another is asked for."""
    if options.setdefault(name, value) != value:
        raise ValueError(f"The parameter '{name}' expected value {value} but got {options[name]} instead.")


def builder(name: str, make: Callable[..., M], kinds: Any, doc: str) -> Callable[..., M]:
    """The function ``name`` that makes a model from its options, with ``weights`` where they are asked for."""

    def made(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> M:
        return build(make, kinds, weights, progress, kwargs)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = doc
    return made


def publish(module: dict[str, Any], name: str, make: Callable[..., Any], kinds: Any, doc: str) -> None:
    """Puts a model's function and its weights among a module's public names."""
    function = builder(name, make, kinds, doc)
    function.__module__ = module["__name__"]
    for public in (function, kinds):
        module[public.__name__] = public
        module["__all__"].append(public.__name__)


def chosen_weights(kinds: Any, weights: Any, options: dict[str, Any]) -> WeightsEnum | None:
    """The member that is meant by ``weights``, and by ``pretrained`` of old programs. Raises TypeError for others."""
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
