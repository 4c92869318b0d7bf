"""Networks for pictures: torchvision.models. Parameters have torchvision's names and, seeded, its numbers."""

import sys
from typing import Any

from rushlight.core.missing import missing
from rushlight.vision.models import alexnet as _alexnet
from rushlight.vision.models import densenet, efficientnet, mobilenet, resnet, squeezenet, vgg, vision_transformer
from rushlight.vision.models.alexnet import *  # noqa: F403
from rushlight.vision.models.densenet import *  # noqa: F403
from rushlight.vision.models.efficientnet import *  # noqa: F403
from rushlight.vision.models.mobilenet import *  # noqa: F403
from rushlight.vision.models.resnet import *  # noqa: F403
from rushlight.vision.models.squeezenet import *  # noqa: F403
from rushlight.vision.models.vgg import *  # noqa: F403
from rushlight.vision.models.vision_transformer import *  # noqa: F403
from rushlight.vision.models.weights import Weights, WeightsEnum

_FAMILIES = (_alexnet, densenet, efficientnet, mobilenet, resnet, squeezenet, vgg, vision_transformer)
_BUILDERS = {name: getattr(family, name) for family in _FAMILIES for name in family.__all__ if name.islower()}

for _path in ("mobilenetv2", "mobilenetv3"):
    sys.modules[f"{__name__}.{_path}"] = mobilenet


def list_models(module: Any = None, include: Any = None, exclude: Any = None) -> list[str]:
    """The names of the models, for `get_model`; with shell patterns of those to include and to exclude."""
    from fnmatch import fnmatch

    def fits(name: str, patterns: Any) -> bool:
        return any(fnmatch(name, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))

    names = [name for name, builder in _BUILDERS.items() if module is None or builder.__module__ == module.__name__]
    return sorted(
        name for name in names if (not include or fits(name, include)) and not (exclude and fits(name, exclude))
    )


def get_model_builder(name: str) -> Any:
    """The function that makes a model. Raises ValueError for an unknown name."""
    try:
        return _BUILDERS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name}. Known are {', '.join(sorted(_BUILDERS))}") from None


def get_model(name: str, **config: Any) -> Any:
    """Makes the model of that name."""
    return get_model_builder(name)(**config)


__getattr__ = missing(__name__)
