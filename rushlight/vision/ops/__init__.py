"""Operations and layers for models of pictures: torchvision.ops. Each file is loaded when one of its names is used.

    boxes                     areas, overlaps, formats, non-maximum suppression
    rotated_boxes             overlaps of these
    losses                    of boxes and of scores
    layers, dropping          blocks of models; what leaves out parts of them in training
    feature_pyramid_network   maps of several sizes
    regions, poolers          regions of maps brought to one size, of one map or of several
    deform_conv               convolutions whose taps move
"""

from rushlight.core.missing import missing

_NAMES = {
    "boxes": """batched_nms box_area box_convert box_iou clip_boxes_to_image complete_box_iou distance_box_iou
             generalized_box_iou masks_to_boxes nms remove_small_boxes""",
    "deform_conv": "DeformConv2d deform_conv2d",
    "dropping": "DropBlock2d DropBlock3d StochasticDepth drop_block2d drop_block3d stochastic_depth",
    "feature_pyramid_network": "FeaturePyramidNetwork",
    "layers": "Conv2dNormActivation Conv3dNormActivation FrozenBatchNorm2d MLP Permute SqueezeExcitation",
    "losses": "complete_box_iou_loss distance_box_iou_loss generalized_box_iou_loss sigmoid_focal_loss",
    "poolers": "MultiScaleRoIAlign",
    "regions": "PSRoIAlign PSRoIPool RoIAlign RoIPool ps_roi_align ps_roi_pool roi_align roi_pool",
}
_LAZY = {name: f"{__name__}.{module}:{name}" for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_LAZY)  # noqa: PLE0605

__getattr__ = missing(
    __name__, {**_LAZY, "misc": f"{__name__}.layers", **{module: f"{__name__}.{module}" for module in _NAMES}}
)
