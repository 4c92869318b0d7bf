"""What torchvision's detectors answer: small ones trained for a step and asked for detections, and their parts.

A line runs with the names of `names`, on torchvision and on Rushlight alike. Run with a Python that has PyTorch and
torchvision, this file writes `tests/expected/detection.json`.
"""

from __future__ import annotations

import json
import random
import warnings
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from vision_answers import summary

EXPECTED = Path(__file__).parent / "expected" / "detection.json"
MODULES = """anchor_utils backbone_utils faster_rcnn fcos image_list keypoint_rcnn mask_rcnn retinanet roi_heads rpn ssd
    ssdlite transform _utils""".split()
SIZES = ((48, 60), (56, 44))


def names(torch: Any, vision: str) -> dict[str, Any]:
    """The names that a line may use: the modules of detection, small networks, and `step`, which tries a detector."""
    found: dict[str, Any] = {name: import_module(f"{vision}.models.detection.{name}") for name in MODULES}
    found |= {"torch": torch, "D": import_module(f"{vision}.models.detection"), "np": np, "rand": _rand(torch)}
    found |= {"M": import_module(f"{vision}.models"), "ops": import_module(f"{vision}.ops")}
    found |= {"nn": torch.nn, "start": _start}
    found |= {"tiny": lambda: _tiny(torch), "data": lambda **kw: _data(torch, **kw), "step": _step(torch)}
    anchors = found["anchor_utils"].AnchorGenerator
    found["anchors"] = anchors(((8, 16), (24, 32)), ((0.5, 1.0),) * 2)
    found["square"] = anchors(((8,), (16,)), ((1.0,),) * 2)
    found["pool"] = lambda size: found["ops"].MultiScaleRoIAlign(["0", "1"], size, 2)
    found["small"] = {"min_size": 48, "max_size": 70}
    found["few"] = {
        **found["small"], "rpn_anchor_generator": found["anchors"], "box_roi_pool": found["pool"](5),
        "box_batch_size_per_image": 24, "rpn_batch_size_per_image": 20, "box_score_thresh": 0.0,
        "box_detections_per_img": 7, "rpn_pre_nms_top_n_train": 60, "rpn_pre_nms_top_n_test": 60,
    }  # fmt: skip
    return found


def _rand(torch: Any) -> Any:
    return lambda *shape: torch.from_numpy(np.random.RandomState(sum(shape)).rand(*shape))


def _tiny(torch: Any) -> Any:
    """A backbone with two maps of eight channels."""

    class Tiny(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 8, 5, stride=8, padding=2)
            self.second = torch.nn.Conv2d(8, 8, 3, stride=2, padding=1)
            self.out_channels = 8

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            return OrderedDict([("0", x), ("1", self.second(x.relu()))])

    return Tiny()


def _data(torch: Any, masks: bool = False, points: int = 0, classes: int = 3) -> tuple[list[Any], list[Any]]:
    """Pictures in two sizes, with two objects each."""
    noise = np.random.RandomState(0)
    pictures, targets = [], []
    for height, width in SIZES:
        pictures.append(torch.from_numpy(noise.rand(3, height, width)))
        low = noise.rand(2, 2) * [width / 2, height / 2]
        side = noise.rand(2, 2) * [width / 3, height / 3] + 8
        boxes = np.concatenate([low, low + side], 1)
        target = {"boxes": boxes, "labels": noise.randint(1, classes, 2)}
        if masks:
            target["masks"] = (noise.rand(2, height, width) > 0.4).astype(np.uint8)
        if points:
            at = low[:, None] + noise.rand(2, points, 2) * side[:, None]
            target["keypoints"] = np.concatenate([at, noise.randint(0, 3, (2, points, 1))], 2).astype(np.float32)
        targets.append({key: torch.from_numpy(value) for key, value in target.items()})
    return pictures, targets


def _start(make: Any) -> Any:
    """The names, shapes and first numbers of a model's parameters."""
    model = make()
    layout = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    sums = [float(value.detach().double().abs().mean()) for value in model.parameters()]
    trained = [value.requires_grad for value in model.parameters()]
    return [repr(layout), sum(sums), sums[0], sums[-1], sum(trained)]


def _step(torch: Any) -> Any:
    """A detector's start, its losses, its gradients, and what it finds in pictures, in float64."""

    def answer(make: Any, **kinds: Any) -> Any:
        torch.manual_seed(0)
        start = _start(make)
        torch.manual_seed(0)
        model = make().double().train()
        pictures, targets = _data(torch, **kinds)
        losses = model(pictures, targets)
        sum(losses.values()).backward()
        slopes = [float(value.grad.abs().sum()) for value in model.parameters() if value.grad is not None]
        with torch.no_grad():
            found = model.eval()(pictures)
        return [start, {name: loss.double() for name, loss in losses.items()}, len(slopes), sum(slopes), found]

    return answer


def answer(line: str, torch: Any, vision: str) -> Any:
    """The summary of what a line gives, or the error that it raises."""
    torch.manual_seed(len(line))
    random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return summary(eval(line, names(torch, vision)))
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("torchvision", vision).replace(vision, "vision")


LINES = """
step(lambda: D.FasterRCNN(tiny(), 3, **few))
step(lambda: D.FasterRCNN(tiny(), None, box_head=nn.Flatten(), box_predictor=faster_rcnn.FastRCNNPredictor(200, 4), **few))
step(lambda: D.FasterRCNN(tiny(), 3, box_head=faster_rcnn.FastRCNNConvFCHead((8, 5, 5), [6], [1024], nn.BatchNorm2d), **few))
step(lambda: D.MaskRCNN(tiny(), None, mask_roi_pool=pool(6), box_predictor=faster_rcnn.FastRCNNPredictor(1024, 3), mask_head=mask_rcnn.MaskRCNNHeads(8, (6, 4), 1), mask_predictor=mask_rcnn.MaskRCNNPredictor(4, 5, 3), **few), masks=True)
step(lambda: D.KeypointRCNN(tiny(), 2, keypoint_roi_pool=pool(6), keypoint_head=keypoint_rcnn.KeypointRCNNHeads(8, (6, 4)), keypoint_predictor=keypoint_rcnn.KeypointRCNNPredictor(4, 3), **few), points=3, classes=2)
step(lambda: D.RetinaNet(tiny(), 3, anchor_generator=anchors, score_thresh=0.0, detections_per_img=20, **small))
step(lambda: D.RetinaNet(tiny(), 3, anchor_generator=anchors, head=retinanet.RetinaNetHead(8, 4, 3, lambda c: nn.GroupNorm(2, c)), score_thresh=0.0, **small))
step(lambda: D.FCOS(tiny(), 3, anchor_generator=square, head=fcos.FCOSHead(8, 1, 3, 0), score_thresh=0.0, **small))
step(lambda: ssd.SSD(tiny(), anchor_utils.DefaultBoxGenerator([[2], [2, 3]]), (48, 40), 3, head=ssd.SSDHead([8, 8], [4, 6], 3), score_thresh=0.0, detections_per_img=15))
start(lambda: D.fasterrcnn_mobilenet_v3_large_320_fpn(weights_backbone=None, num_classes=4))
start(lambda: D.ssdlite320_mobilenet_v3_large(weights_backbone=None, num_classes=4))
start(lambda: backbone_utils.resnet_fpn_backbone(backbone_name='resnet18', weights=None, trainable_layers=2))
start(lambda: backbone_utils.mobilenet_backbone(backbone_name='mobilenet_v2', weights=None, fpn=False))
start(lambda: backbone_utils.mobilenet_backbone(backbone_name='mobilenet_v2', weights=None, fpn=True, returned_layers=[3, 4], trainable_layers=3))
anchors.generate_anchors([8, 16], [.5, 1, 2])
anchors.grid_anchors([[2, 3], [1, 2]], [[8, 8], [16, 16]])
square(image_list.ImageList(rand(2, 3, 16, 24), [(16, 20), (12, 24)]), [rand(2, 1, 2, 3), rand(2, 1, 1, 2)])
anchor_utils.DefaultBoxGenerator([[2], [2, 3]], steps=[8, 16])(image_list.ImageList(rand(2, 3, 16, 24), [(16, 20), (12, 24)]), [rand(2, 1, 2, 3), rand(2, 1, 1, 2)])
repr(anchor_utils.DefaultBoxGenerator([[2], [2, 3]], 0.2, 0.95))
repr(transform.GeneralizedRCNNTransform((40, 50), 80, [.1, .2, .3], [.4, .5, .6]))
_utils.BoxCoder((10., 10., 5., 5.)).decode(rand(5, 8), [rand(3, 4), rand(2, 4)])
_utils.BoxLinearCoder().decode(rand(5, 4), rand(5, 4))
_utils.BoxLinearCoder(False).encode(rand(5, 4), rand(5, 4) + 1)
_utils.Matcher(.6, .4)(rand(3, 9))
_utils.Matcher(.9, .4, True)(rand(3, 9))
_utils.SSDMatcher(.7)(rand(3, 9))
_utils.Matcher(.9, .4)(rand(0, 9))
_utils.Matcher(.9, .4)(rand(3, 0))
_utils.BalancedPositiveNegativeSampler(6, .5)([torch.tensor([1, 0, 0, -1, 1, 1, 0, 2, 1, 0]), torch.tensor([0, 0, 1])])
_utils._box_loss('smooth_l1', _utils.BoxCoder((1., 1., 1., 1.)), rand(5, 4).cumsum(1), rand(5, 4).cumsum(1) + 1, rand(5, 4), {'beta': .5})
_utils._box_loss('ciou', _utils.BoxCoder((1., 1., 1., 1.)), rand(5, 4).cumsum(1), rand(5, 4).cumsum(1) + 1, rand(5, 4))
_utils._box_loss('l2', None, None, None, None)
_utils.retrieve_out_channels(tiny(), (20, 30))
roi_heads.keypoints_to_heatmap(rand(4, 3, 3) * 5, torch.tensor([[0., 0., 4., 4.]] * 4), 7)
roi_heads.heatmaps_to_keypoints(rand(2, 3, 6, 6), torch.tensor([[0., 1., 9.5, 7.], [3., 3., 3.2, 12.]]).double())
roi_heads.keypointrcnn_loss(rand(2, 3, 4, 5), [], [], [])
roi_heads.paste_masks_in_image(rand(2, 1, 6, 6), torch.tensor([[1., 2., 11., 9.], [-3., 4., 8.5, 19.]]).double(), (14, 12))
roi_heads.paste_masks_in_image(rand(0, 1, 6, 6), torch.zeros(0, 4), (14, 12))
roi_heads.project_masks_on_boxes(torch.tensor(np.random.RandomState(1).rand(2, 20, 30) > .5), torch.tensor([[1., 2., 20., 19.], [0., 0., 2., 3.], [8., 5., 29., 12.5]]), torch.tensor([1, 0, 1]), 5)
roi_heads.maskrcnn_inference(rand(3, 2, 4, 4), [torch.tensor([1]), torch.tensor([0, 1])])
rpn.concat_box_prediction_layers([rand(2, 6, 2, 3), rand(2, 6, 1, 1)], [rand(2, 8, 2, 3), rand(2, 8, 1, 1)])
transform.resize_keypoints(rand(2, 3, 3).float(), (10, 20), (15, 50))
transform.GeneralizedRCNNTransform((40, 50), 80, [0., 0., 0.], [1., 1., 1.]).train()(*data(masks=True, points=3))[1]
transform.GeneralizedRCNNTransform(40, 80, [0.], [1.])([torch.zeros(2, 2)])
transform.GeneralizedRCNNTransform(40, 80, [0.], [1.])([torch.zeros(1, 2, 2, dtype=torch.uint8)])
anchors.grid_anchors([[2, 3]], [[8, 8]])
anchor_utils.DefaultBoxGenerator([[2], [2, 3]], steps=[8])
D.FasterRCNN(nn.Flatten(), 3)
D.FasterRCNN(tiny())
D.FasterRCNN(tiny(), 3, box_predictor=nn.Flatten())
D.MaskRCNN(tiny(), 3, mask_predictor=nn.Flatten())
D.KeypointRCNN(tiny(), 3, num_keypoints=3, keypoint_predictor=nn.Flatten())
D.FCOS(tiny(), 3, anchor_generator=anchors)
D.FasterRCNN(tiny(), 3, **few)(data()[0])
D.FasterRCNN(tiny(), 3, **few)(data()[0], [{'boxes': torch.zeros(2, 5), 'labels': torch.tensor([1, 1])}] * 2)
D.FasterRCNN(tiny(), 3, **few)(data()[0], [{'boxes': [1], 'labels': torch.tensor([1, 1])}] * 2)
D.FasterRCNN(tiny(), 3, **few).double()(data()[0], [{'boxes': torch.tensor([[8., 8., 8., 12.]]), 'labels': torch.tensor([1])}] * 2)
D.FasterRCNN(tiny(), 3, **few).double()(data()[0], [{'boxes': torch.tensor([[8., 8., 28., 12.]]).double(), 'labels': torch.tensor([1.])}] * 2)
D.FasterRCNN(tiny(), 3, **few).double()(data()[0], [{'boxes': torch.tensor([[8., 8., 28., 12.]]).double()}] * 2)
D.MaskRCNN(tiny(), 3, **few).double()(*data())
faster_rcnn.FastRCNNPredictor(2, 3)(rand(1, 2, 2, 2))
backbone_utils.resnet_fpn_backbone(backbone_name='resnet18', weights=None, trainable_layers=6)
backbone_utils.resnet_fpn_backbone(backbone_name='resnet18', weights=None, returned_layers=[0])
backbone_utils._validate_trainable_layers(True, 7, 5, 3)
D.KeypointRCNN_ResNet50_FPN_Weights.COCO_LEGACY.meta['keypoint_names']
[D.MaskRCNN_ResNet50_FPN_Weights.DEFAULT.meta['categories'], D.SSD300_VGG16_Weights.DEFAULT.url, D.FCOS_ResNet50_FPN_Weights.COCO_V1.meta['num_params']]
repr(D.FCOS_ResNet50_FPN_Weights.DEFAULT.transforms())
M.list_models(D)
M.get_model_weights('ssd300_vgg16').DEFAULT.meta['num_params']
""".strip().split("\n")  # noqa: E501


def main() -> None:
    """Writes torchvision's answers, a line for each case."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    import_module("torchvision")
    found = ",\n".join(f"{json.dumps(line)}: {json.dumps(answer(line, torch, 'torchvision'))}" for line in LINES)
    EXPECTED.write_text("{\n" + found + "\n}\n")


if __name__ == "__main__":
    main()
