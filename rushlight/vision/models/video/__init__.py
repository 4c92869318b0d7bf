"""Networks for videos (N, C, T, H, W): torchvision.models.video."""

from rushlight.core.missing import missing
from rushlight.vision.models.video.mvit import *  # noqa: F403
from rushlight.vision.models.video.resnet import *  # noqa: F403
from rushlight.vision.models.video.s3d import *  # noqa: F403
from rushlight.vision.models.video.swin_transformer import *  # noqa: F403

__getattr__ = missing(__name__)
