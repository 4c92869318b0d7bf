"""How detectors are made by name: with trained weights, on a trained backbone, or from nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rushlight import nn
from rushlight.vision.models.detection._utils import overwrite_eps
from rushlight.vision.models.detection.backbone_utils import _validate_trainable_layers
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.weights import SERVER, Weights, chosen_weights, published, require
from rushlight.vision.ops.layers import FrozenBatchNorm2d
from rushlight.vision.transforms.presets import ObjectDetection

__all__ = ["Start", "coco_weights", "detector_builder"]

CLASSES = 91


@dataclass(frozen=True)
class Start:
    """What a detector is made of: the backbone's weights, and what follows from whether anything is trained.

    Attributes:
        weights: of the backbone; None for none.
        progress: show downloads.
        trained: whether the backbone, or all of the detector, has been trained.
        layers: how many stages of the backbone are to be trained.
        num_classes: how many classes there are, the background among them.
    """

    weights: Any
    progress: bool
    trained: bool
    layers: int
    num_classes: int

    @property
    def norm_layer(self) -> Layer:
        """Normalizations of a trained backbone stay as they are."""
        return FrozenBatchNorm2d if self.trained else nn.BatchNorm2d

    def backbone(self, make: Callable[..., Any], **options: Any) -> Any:
        """Makes the backbone."""
        return make(weights=self.weights, progress=self.progress, **options)


def coco_weights(name: str, num_params: int, classes: int = CLASSES, meta: Any = None, **files: str) -> Any:
    """The enumeration ``name`` of weights trained on COCO; the last of the files is DEFAULT."""
    about = {"num_params": num_params, **(meta or {})}
    entries = {key: Weights(f"{SERVER}{file}", partial(ObjectDetection), about, classes) for key, file in files.items()}
    return published(name, entries, list(files)[-1])


def detector_builder(
    name: str,
    kinds: Any,
    backbone_weights: tuple[Any, Any],
    stages: tuple[int, int],
    assemble: Callable[..., nn.Module],
    doc: str,
    num_classes: int = CLASSES,
    exact: bool = False,
) -> Any:
    """The function ``name``, which makes a detector.

    Args:
        kinds: the enumeration of its weights.
        backbone_weights: the enumeration of the backbone's, and which of them is the default.
        stages: how many stages the backbone has, and how many of a trained one are trained by default.
        assemble: makes the detector of a `Start` and its options.
        doc: what it is.
        num_classes: the default.
        exact: the weights COCO_V1 want normalizations with no eps.
    """
    backbone_kinds, usual = backbone_weights

    def made(
        *,
        weights: Any = None,
        progress: bool = True,
        num_classes: int | None = None,
        weights_backbone: Any = usual,
        trainable_backbone_layers: int | None = None,
        **kwargs: Any,
    ) -> nn.Module:
        chosen = chosen_weights(kinds, weights, kwargs)
        below = chosen_weights(backbone_kinds, weights_backbone, {}) if chosen is None else None
        options = {} if num_classes is None else {"num_classes": num_classes}
        if chosen is not None:
            require(options, "num_classes", chosen.value.classes)
        trained = chosen is not None or below is not None
        layers = _validate_trainable_layers(trained, trainable_backbone_layers, *stages)
        model = assemble(Start(below, progress, trained, layers, options.get("num_classes", default)), **kwargs)
        if chosen is not None:
            model.load_state_dict(chosen.get_state_dict(progress))
            if exact and chosen.name == "COCO_V1":
                overwrite_eps(model, 0.0)
        return model

    default = num_classes
    made.__name__ = made.__qualname__ = name
    made.__doc__ = doc
    return made
