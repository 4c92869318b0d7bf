"""Networks for pictures: torchvision.models. Parameters have torchvision's names and, seeded, its numbers.

A family lies in a file of its own; `detection`, `segmentation` and `video` have packages. `weights` says how
models get trained weights, `list_models` and `get_model` know them all by name.
"""

import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from importlib import import_module
from types import ModuleType
from typing import Any

from rushlight.core.missing import missing
from rushlight.vision.models import detection, mobilenet, segmentation, video  # noqa: F401
from rushlight.vision.models.alexnet import *  # noqa: F403
from rushlight.vision.models.convnext import *  # noqa: F403
from rushlight.vision.models.densenet import *  # noqa: F403
from rushlight.vision.models.efficientnet import *  # noqa: F403
from rushlight.vision.models.googlenet import *  # noqa: F403
from rushlight.vision.models.inception import *  # noqa: F403
from rushlight.vision.models.maxvit import *  # noqa: F403
from rushlight.vision.models.mnasnet import *  # noqa: F403
from rushlight.vision.models.mobilenet import *  # noqa: F403
from rushlight.vision.models.regnet import *  # noqa: F403
from rushlight.vision.models.resnet import *  # noqa: F403
from rushlight.vision.models.shufflenetv2 import *  # noqa: F403
from rushlight.vision.models.squeezenet import *  # noqa: F403
from rushlight.vision.models.swin_transformer import *  # noqa: F403
from rushlight.vision.models.vgg import *  # noqa: F403
from rushlight.vision.models.vision_transformer import *  # noqa: F403
from rushlight.vision.models.weights import Weights, WeightsEnum

_PATHS = """
    alexnet convnext densenet detection.faster_rcnn detection.fcos detection.keypoint_rcnn detection.mask_rcnn
    detection.retinanet detection.ssd detection.ssdlite efficientnet googlenet inception maxvit mnasnet mobilenet regnet
    resnet segmentation.deeplabv3 segmentation.fcn segmentation.lraspp shufflenetv2 squeezenet swin_transformer vgg
    video.mvit video.resnet video.s3d video.swin_transformer vision_transformer
""".split()
_FAMILIES = [import_module(f"{__name__}.{path}") for path in _PATHS]
_HOMES = {name: family for family in _FAMILIES for name in family.__all__ if name.islower()}

for _path in ("mobilenetv2", "mobilenetv3"):
    sys.modules[f"{__name__}.{_path}"] = mobilenet

Patterns = str | Iterable[str] | None


def list_models(module: ModuleType | None = None, include: Patterns = None, exclude: Patterns = None) -> list[str]:
    """The names of the models, for `get_model`; of one package, with shell patterns to include and to exclude."""
    wanted, unwanted = ([given] if isinstance(given, str) else list(given or ()) for given in (include, exclude))
    names = [name for name, home in _HOMES.items() if module is None or _package(home) == module.__name__]
    return sorted(
        name
        for name in names
        if (not wanted or any(fnmatch(name, pattern) for pattern in wanted))
        and not any(fnmatch(name, pattern) for pattern in unwanted)
    )


def _package(home: ModuleType) -> str:
    return home.__name__.rpartition(".")[0]


def get_model_builder(name: str) -> Callable[..., Any]:
    """The function that makes a model. Raises ValueError for an unknown name."""
    name = name.lower()
    if name not in _HOMES:
        raise ValueError(f"Unknown model {name}")
    builder: Callable[..., Any] = getattr(_HOMES[name], name)
    return builder


def get_model(name: str, **config: Any) -> Any:
    """Makes the model of that name."""
    return get_model_builder(name)(**config)


def get_model_weights(name: str | Callable[..., Any]) -> Any:
    """The enumeration of the weights of a model, given its name or the function that makes it."""
    known = get_model_builder(name if isinstance(name, str) else name.__name__).__name__
    found = {key.lower(): key for key in _HOMES[known].__all__}
    return getattr(_HOMES[known], found[f"{known}_weights"])


def get_weight(name: str) -> WeightsEnum:
    """The weights of a name like "ResNet50_Weights.IMAGENET1K_V1". Raises ValueError for an unknown one."""
    kind, dot, member = name.partition(".")
    if not dot or "." in member:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    for family in _FAMILIES:
        if kind in family.__all__ and issubclass(getattr(family, kind), WeightsEnum):
            found: WeightsEnum = getattr(family, kind)[member]
            return found
    raise ValueError(f"The weight enum '{kind}' for the specific method couldn't be retrieved.")


__getattr__ = missing(__name__, {"feature_extraction": f"{__name__}.feature_extraction"})
