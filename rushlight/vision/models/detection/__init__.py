"""Networks that find objects: torchvision.models.detection, its models, modules and names.

    faster_rcnn, mask_rcnn, keypoint_rcnn   detectors in two stages; their frame is `generalized_rcnn`
    rpn, roi_heads, masks, keypoints        the second stage's proposals, and what looks at them
    retinanet, fcos, ssd, ssdlite           detectors in one stage; their frame is `dense`
    anchor_utils, box_coder, matcher        anchors, boxes seen from anchors, and which anchor stands for which box
    transform, image_list, targets          what happens to pictures and targets before, and to detections afterwards
    selection                               which of many boxes stay
    backbone_utils, building                feature pyramids on other models; how detectors are made by name
"""

from rushlight.core.missing import missing
from rushlight.vision.models.detection import _utils  # noqa: F401
from rushlight.vision.models.detection.faster_rcnn import *  # noqa: F403
from rushlight.vision.models.detection.fcos import *  # noqa: F403
from rushlight.vision.models.detection.keypoint_rcnn import *  # noqa: F403
from rushlight.vision.models.detection.mask_rcnn import *  # noqa: F403
from rushlight.vision.models.detection.retinanet import *  # noqa: F403
from rushlight.vision.models.detection.ssd import *  # noqa: F403
from rushlight.vision.models.detection.ssdlite import *  # noqa: F403

__getattr__ = missing(__name__)
