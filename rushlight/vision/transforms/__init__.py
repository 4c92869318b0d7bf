"""Transforms of pictures: torchvision.transforms. `transforms` has the classes, `functional` what they do."""

from rushlight.core.missing import missing
from rushlight.vision.transforms.augment import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide
from rushlight.vision.transforms.functional import InterpolationMode
from rushlight.vision.transforms.randomized import (
    ColorJitter,
    ElasticTransform,
    GaussianBlur,
    RandomAdjustSharpness,
    RandomAffine,
    RandomAutocontrast,
    RandomCrop,
    RandomEqualize,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomPerspective,
    RandomPosterize,
    RandomResizedCrop,
    RandomRotation,
    RandomSolarize,
    RandomVerticalFlip,
)
from rushlight.vision.transforms.transforms import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    FiveCrop,
    Grayscale,
    Lambda,
    LinearTransformation,
    Normalize,
    Pad,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomOrder,
    Resize,
    TenCrop,
    ToPILImage,
    ToTensor,
)

__getattr__ = missing(__name__, {name: f"rushlight.vision.transforms.{name}" for name in ("functional", "v2")})
