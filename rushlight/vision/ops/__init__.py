"""Operations and layers for models of pictures: torchvision.ops. Each file is loaded when one of its names is used.

    boxes                     areas, overlaps, formats, non-maximum suppression
    losses                    of boxes and of scores
    layers, dropping          blocks of models; what leaves out parts of them in training
"""

from rushlight.core.missing import missing

_NAMES = {
    "boxes": """batched_nms box_area box_convert box_iou clip_boxes_to_image nms remove_small_boxes""",
    "layers": "Conv2dNormActivation Conv3dNormActivation FrozenBatchNorm2d MLP Permute SqueezeExcitation",
    "dropping": "DropBlock2d DropBlock3d StochasticDepth drop_block2d drop_block3d stochastic_depth",
}
_LAZY = {name: f"{__name__}.{module}:{name}" for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_LAZY)  # noqa: PLE0605

__getattr__ = missing(
    __name__, {**_LAZY, "misc": f"{__name__}.layers", **{module: f"{__name__}.{module}" for module in _NAMES}}
)
