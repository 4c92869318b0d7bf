"""Faster R-CNN: S. Ren et al., arXiv:1506.01497; on feature pyramids, T.-Y. Lin et al., arXiv:1612.03144.

The second version has more convolutions in its heads and normalizes everywhere (Y. Li et al., arXiv:2111.11429).
"""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
from rushlight.vision.models.detection.backbone_utils import _mobilenet_extractor, _resnet_fpn_extractor
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.equal_shapes import row_wise
from rushlight.vision.models.detection.generalized_rcnn import GeneralizedRCNN
from rushlight.vision.models.detection.roi_heads import RoIHeads
from rushlight.vision.models.detection.rpn import RegionProposalNetwork, RPNHead
from rushlight.vision.models.detection.transform import GeneralizedRCNNTransform
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.mobilenet import MobileNet_V3_Large_Weights, mobilenet_v3_large
from rushlight.vision.models.resnet import ResNet50_Weights, resnet50
from rushlight.vision.ops.layers import Conv2dNormActivation
from rushlight.vision.ops.poolers import MultiScaleRoIAlign
from rushlight.vision.transforms.presets import IMAGENET_MEAN, IMAGENET_STD

__all__ = [
    "FasterRCNN",
    "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights",
    "FasterRCNN_MobileNet_V3_Large_FPN_Weights",
    "FasterRCNN_ResNet50_FPN_V2_Weights",
    "FasterRCNN_ResNet50_FPN_Weights",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
]

FasterRCNN_ResNet50_FPN_Weights = coco_weights(
    "FasterRCNN_ResNet50_FPN_Weights", 41755286, COCO_V1="fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
)
FasterRCNN_ResNet50_FPN_V2_Weights = coco_weights(
    "FasterRCNN_ResNet50_FPN_V2_Weights", 43712278, COCO_V1="fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"
)
FasterRCNN_MobileNet_V3_Large_FPN_Weights = coco_weights(
    "FasterRCNN_MobileNet_V3_Large_FPN_Weights", 19386354, COCO_V1="fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth"
)
FasterRCNN_MobileNet_V3_Large_320_FPN_Weights = coco_weights(
    "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights",
    19386354,
    COCO_V1="fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth",
)


def _default_anchorgen() -> AnchorGenerator:
    """One size for each of five maps, in three shapes."""
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)


class FasterRCNN(GeneralizedRCNN):
    """Pictures to boxes and their classes.

    In training, called with pictures and targets with "boxes" (N, 4) and "labels" (N,), the result is a dictionary of
    losses; in evaluation, for each picture a dictionary with "boxes", "labels" and "scores".

    Args:
        backbone: pictures to a map or a dictionary of maps, with an attribute ``out_channels``.
        num_classes: how many classes, the background among them; None where there is a ``box_predictor``.
        min_size, max_size, image_mean, image_std: as for `GeneralizedRCNNTransform`, which gets further options, too.
        rpn_anchor_generator, rpn_head: as for `RegionProposalNetwork`, as all options with ``rpn_``.
        box_roi_pool, box_head, box_predictor: as for `RoIHeads`, as all options with ``box_``.
        bbox_reg_weights: as for `RoIHeads`.

    Raises:
        ValueError: for a backbone without ``out_channels``; for neither, or both, of classes and predictor.
        TypeError: for parts of another class.

    >>> from rushlight.vision.models.detection import FasterRCNN
    >>> from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
    >>> from rushlight.vision.ops import MultiScaleRoIAlign
    >>> backbone = torch.nn.Conv2d(3, 8, 3, 16)
    >>> anchors, pool = AnchorGenerator(((16, 32),)), MultiScaleRoIAlign(["0"], 7, 2)
    >>> model = FasterRCNN(backbone, num_classes=2, min_size=32, rpn_anchor_generator=anchors, box_roi_pool=pool)
    >>> sorted(model.eval()([torch.zeros(3, 32, 32)])[0])
    ['boxes', 'labels', 'scores']
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int | None = None,
        min_size: Any = 800,
        max_size: int = 1333,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        rpn_anchor_generator: AnchorGenerator | None = None,
        rpn_head: nn.Module | None = None,
        rpn_pre_nms_top_n_train: int = 2000,
        rpn_pre_nms_top_n_test: int = 1000,
        rpn_post_nms_top_n_train: int = 2000,
        rpn_post_nms_top_n_test: int = 1000,
        rpn_nms_thresh: float = 0.7,
        rpn_fg_iou_thresh: float = 0.7,
        rpn_bg_iou_thresh: float = 0.3,
        rpn_batch_size_per_image: int = 256,
        rpn_positive_fraction: float = 0.5,
        rpn_score_thresh: float = 0.0,
        box_roi_pool: MultiScaleRoIAlign | None = None,
        box_head: nn.Module | None = None,
        box_predictor: nn.Module | None = None,
        box_score_thresh: float = 0.05,
        box_nms_thresh: float = 0.5,
        box_detections_per_img: int = 100,
        box_fg_iou_thresh: float = 0.5,
        box_bg_iou_thresh: float = 0.5,
        box_batch_size_per_image: int = 512,
        box_positive_fraction: float = 0.25,
        bbox_reg_weights: tuple[float, float, float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        check_backbone(backbone)
        check_part("rpn_anchor_generator", rpn_anchor_generator, AnchorGenerator)
        check_part("box_roi_pool", box_roi_pool, MultiScaleRoIAlign)
        _check_classes(num_classes, box_predictor)
        channels, anchors = backbone.out_channels, rpn_anchor_generator or _default_anchorgen()
        if rpn_head is None:
            rpn_head = RPNHead(channels, anchors.num_anchors_per_location()[0])
        rpn = RegionProposalNetwork(
            anchors, rpn_head, rpn_fg_iou_thresh, rpn_bg_iou_thresh, rpn_batch_size_per_image, rpn_positive_fraction,
            {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test},
            rpn_nms_thresh, score_thresh=rpn_score_thresh,
        )  # fmt: skip
        pool = box_roi_pool or pyramid_pool(7)
        if box_head is None:
            box_head = TwoMLPHead(channels * pool.output_size[0] ** 2, 1024)
        if box_predictor is None:
            box_predictor = FastRCNNPredictor(1024, num_classes)  # type: ignore[arg-type]
        roi_heads = RoIHeads(
            pool, box_head, box_predictor, box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image,
            box_positive_fraction, bbox_reg_weights, box_score_thresh, box_nms_thresh, box_detections_per_img,
        )  # fmt: skip
        mean, std = image_mean or list(IMAGENET_MEAN), image_std or list(IMAGENET_STD)
        super().__init__(backbone, rpn, roi_heads, GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs))


def _check_classes(num_classes: int | None, predictor: nn.Module | None) -> None:
    """Raises ValueError unless either the number of classes or a predictor is given."""
    check_not_both("num_classes", num_classes, "box_predictor", predictor)
    if num_classes is None and predictor is None:
        raise ValueError("num_classes should not be None when box_predictor is not specified")


def check_backbone(backbone: Any) -> None:
    """Raises ValueError for a backbone that does not say how many channels its maps have."""
    if not hasattr(backbone, "out_channels"):
        raise ValueError(
            "backbone should contain an attribute out_channels specifying the number of output channels (assumed to be "
            "the same for all the levels)"
        )


def check_part(name: str, part: Any, kind: type) -> None:
    """Raises TypeError for a part of another class than `kind`; None stands for the usual part."""
    if part is not None and not isinstance(part, kind):
        raise TypeError(f"{name} should be of type {kind.__name__} or None instead of {type(part)}")


def check_not_both(number: str, how_many: int | None, name: str, predictor: Any) -> None:
    """Raises ValueError where a program says how many there are to predict, and brings a predictor that knows."""
    if how_many is not None and predictor is not None:
        raise ValueError(f"{number} should be None when {name} is specified")


def pyramid_pool(size: int) -> MultiScaleRoIAlign:
    """Brings proposals on the four large maps of a pyramid to one size."""
    return MultiScaleRoIAlign(featmap_names=["0", "1", "2", "3"], output_size=size, sampling_ratio=2)


@row_wise
class TwoMLPHead(nn.Module):
    """Two linear layers: (K, C, H, W) to (K, representation_size).

    Args:
        in_channels: C * H * W.
        representation_size: of both layers' results.
    """

    def __init__(self, in_channels: int, representation_size: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)

    def forward(self, x: Any) -> Any:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(start_dim=1)))))


@row_wise
class FastRCNNConvFCHead(nn.Sequential):
    """Convolutions, then linear layers.

    Args:
        input_size: channels, height and width.
        conv_layers: the convolutions' channels.
        fc_layers: the sizes of the linear layers' results.
        norm_layer: makes the convolutions' normalizations; None for none.
    """

    def __init__(
        self,
        input_size: tuple[int, int, int],
        conv_layers: list[int],
        fc_layers: list[int],
        norm_layer: Layer | None = None,
    ) -> None:
        channels, height, width = input_size
        layers: list[nn.Module] = []
        for size in conv_layers:
            layers.append(Conv2dNormActivation(channels, size, norm_layer=norm_layer))
            channels = size
        layers.append(nn.Flatten())
        channels *= height * width
        for size in fc_layers:
            layers += [nn.Linear(channels, size), nn.ReLU(inplace=True)]
            channels = size
        super().__init__(*layers)
        start_convolutions(self)


def start_convolutions(head: nn.Module) -> None:
    """A head's convolutions by He et al., their biases zero."""
    for layer in head.modules():
        if isinstance(layer, nn.Conv2d):
            init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                init.zeros_(layer.bias)


@row_wise
class FastRCNNPredictor(nn.Module):
    """Of (K, in_channels) the scores (K, num_classes) and the moves (K, num_classes * 4).

    Raises AssertionError for maps of more than one place.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, num_classes * 4)

    def forward(self, x: Any) -> tuple[Any, Any]:
        if x.dim() == 4 and list(x.shape[2:]) != [1, 1]:
            raise AssertionError(
                f"x has the wrong shape, expecting the last two dimensions to be [1,1] instead of {list(x.shape[2:])}"
            )
        x = x.flatten(start_dim=1)
        return self.cls_score(x), self.bbox_pred(x)


def _version_1(start: Start, **options: Any) -> FasterRCNN:
    backbone = start.backbone(resnet50, norm_layer=start.norm_layer)
    return FasterRCNN(_resnet_fpn_extractor(backbone, start.layers), start.num_classes, **options)


def version_2_parts(start: Start) -> tuple[Any, dict[str, Any]]:
    """The backbone and the heads of the second versions of Faster and Mask R-CNN."""
    layers = _resnet_fpn_extractor(start.backbone(resnet50), start.layers, norm_layer=nn.BatchNorm2d)
    anchors = _default_anchorgen()
    channels = layers.out_channels
    rpn_head = RPNHead(channels, anchors.num_anchors_per_location()[0], conv_depth=2)
    box_head = FastRCNNConvFCHead((channels, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d)
    return layers, {"rpn_anchor_generator": anchors, "rpn_head": rpn_head, "box_head": box_head}


def _version_2(start: Start, **options: Any) -> FasterRCNN:
    backbone, parts = version_2_parts(start)
    return FasterRCNN(backbone, start.num_classes, **parts, **options)


def _on_mobilenet(start: Start, **options: Any) -> FasterRCNN:
    backbone = start.backbone(mobilenet_v3_large, norm_layer=start.norm_layer)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    options = {"rpn_score_thresh": 0.05, **options}
    layers = _mobilenet_extractor(backbone, True, start.layers)
    return FasterRCNN(layers, start.num_classes, rpn_anchor_generator=anchors, **options)


def _small_on_mobilenet(start: Start, **options: Any) -> FasterRCNN:
    small = {"min_size": 320, "max_size": 640, "rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150}
    return _on_mobilenet(start, **{**small, **options})


_ON_RESNET = (ResNet50_Weights, ResNet50_Weights.IMAGENET1K_V1)
_ON_MOBILENET = (MobileNet_V3_Large_Weights, MobileNet_V3_Large_Weights.IMAGENET1K_V1)

fasterrcnn_resnet50_fpn = detector_builder(
    "fasterrcnn_resnet50_fpn",
    FasterRCNN_ResNet50_FPN_Weights,
    _ON_RESNET,
    (5, 3),
    _version_1,
    "Faster R-CNN on ResNet-50.",
    exact=True,
)
fasterrcnn_resnet50_fpn_v2 = detector_builder(
    "fasterrcnn_resnet50_fpn_v2",
    FasterRCNN_ResNet50_FPN_V2_Weights,
    (ResNet50_Weights, None),
    (5, 3),
    _version_2,
    "Faster R-CNN on ResNet-50, the second version.",
)
fasterrcnn_mobilenet_v3_large_fpn = detector_builder(
    "fasterrcnn_mobilenet_v3_large_fpn",
    FasterRCNN_MobileNet_V3_Large_FPN_Weights,
    _ON_MOBILENET,
    (6, 3),
    _on_mobilenet,
    "Faster R-CNN on MobileNet V3.",
)
fasterrcnn_mobilenet_v3_large_320_fpn = detector_builder(
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    FasterRCNN_MobileNet_V3_Large_320_FPN_Weights,
    _ON_MOBILENET,
    (6, 3),
    _small_on_mobilenet,
    "Faster R-CNN on MobileNet V3, for small pictures.",
)
