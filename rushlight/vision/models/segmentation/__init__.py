"""Networks that give each pixel a class: torchvision.models.segmentation."""

from rushlight.core.missing import missing
from rushlight.vision.models.segmentation.deeplabv3 import *  # noqa: F403
from rushlight.vision.models.segmentation.fcn import *  # noqa: F403
from rushlight.vision.models.segmentation.lraspp import *  # noqa: F403

__getattr__ = missing(__name__)
