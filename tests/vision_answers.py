"""What torchvision answers: pictures through transforms, drawings and networks, each a line of code.

A line runs with the names of `names`, on torchvision and on Rushlight alike; `summary` makes its result small enough to
record. Run with a Python that has PyTorch and torchvision, this file writes `tests/expected/vision.json`.
"""

from __future__ import annotations

import json
import random
import warnings
import zlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

EXPECTED = Path(__file__).parent / "expected" / "vision.json"


def names(torch: Any, vision: str) -> dict[str, Any]:
    """The names that a line may use: pictures, and the modules of `vision` ("torchvision", or ours)."""
    found: dict[str, Any] = {"torch": torch, "np": np}
    paths = {"T": "transforms", "T2": "transforms.v2", "F": "transforms.functional", "F2": "transforms.v2.functional",
             "U": "utils", "TV": "tv_tensors", "IO": "io", "M": "models", "V": "models.video",
             "S": "models.segmentation"}  # fmt: skip
    found |= {name: import_module(f"{vision}.{path}") for name, path in paths.items()}
    for name in ("swin_transformer", "convnext", "regnet", "efficientnet"):
        found[name] = import_module(f"{vision}.models.{name}")
    found["video_resnet"] = import_module(f"{vision}.models.video.resnet")
    return found | _pictures(torch, found)


def _pictures(torch: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    noise = np.random.RandomState(0).randint(0, 256, (17, 23, 4), dtype=np.uint8)
    tensor = torch.from_numpy(np.ascontiguousarray(noise[..., :3].transpose(2, 0, 1)))
    corners = np.array([[2, 3, 10, 12], [0, 0, 23, 17], [5, 1, 7, 4], [12, 9, 22, 16]])
    image = import_module("PIL.Image").fromarray
    modes, kinds = found["T"].InterpolationMode, found["TV"]
    boxes = kinds.BoundingBoxes(torch.from_numpy(corners), format="XYXY", canvas_size=(17, 23))
    return {
        "u8": tensor, "f32": tensor.to(torch.float32) / 255, "batch": torch.stack([tensor, tensor.flip(-1)]),
        "grey": tensor[:1], "RGB": image(noise[..., :3].copy()), "L": image(noise[..., 0].copy()),
        "RGBA": image(noise.copy()), "P": image(noise[..., :3].copy()).quantize(16),
        "CMYK": image(noise[..., :3].copy()).convert("CMYK"), "array": noise[..., :3].copy(),
        "img": kinds.Image(tensor), "mask": kinds.Mask(torch.from_numpy((noise[..., 0] // 64).astype(np.int64))),
        "shapes": torch.from_numpy(noise.transpose(2, 0, 1) > 128), "boxes": boxes,
        "middle": found["F2"].convert_bounding_box_format(boxes, new_format="CXCYWH"),
        "points": kinds.KeyPoints(torch.from_numpy(corners.reshape(-1, 2).astype(np.float32)), canvas_size=(17, 23)),
        "flow": torch.linspace(-3, 4, 60).reshape(2, 5, 6),
        "N": modes.NEAREST, "BL": modes.BILINEAR, "BC": modes.BICUBIC,
        "times": lambda transform, *sample: [transform(*sample) for _ in range(4)], "trained": _trained(torch),
    }  # fmt: skip


def _trained(torch: Any) -> Any:
    """A network's parameters, and what it makes of a picture and of its scores' squares, in float64."""

    def answer(make: Any, *shape: int) -> Any:
        torch.manual_seed(0)
        model = make().double()
        picture = torch.from_numpy(np.random.RandomState(0).rand(*shape))
        layout = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
        start = [float(value.double().abs().mean()) for value in model.parameters()]
        torch.manual_seed(1)
        scores = _parts(model.train()(picture))
        sum(score.pow(2).mean() for score in scores).backward()
        slopes = [float(value.grad.abs().sum()) for value in model.parameters() if value.grad is not None]
        with torch.no_grad():
            seen = _parts(model.eval()(picture))
        return [repr(layout), sum(start), start[0], start[-1], *scores, len(slopes), sum(slopes), *seen]

    return answer


def _parts(scores: Any) -> list[Any]:
    values = scores.values() if isinstance(scores, Mapping) else scores if isinstance(scores, tuple) else [scores]
    return [value for value in values if value is not None]


def answer(line: str, torch: Any, vision: str) -> Any:
    """The summary of what a line gives, or the type of the error that it raises."""
    torch.manual_seed(len(line))
    random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return summary(eval(line, names(torch, vision)))
    except Exception as error:
        return f"raises {type(error).__name__}"


def summary(value: Any) -> Any:
    """Whole numbers and texts by a checksum, floats by two sums, the rest by its parts."""
    if hasattr(value, "detach"):
        about = [type(value).__name__] + [str(getattr(value, key)) for key in ("format", "canvas_size")
                                          if hasattr(value, key)]  # fmt: skip
        return [*about, *summary(np.array(value.detach().numpy()))]
    if hasattr(value, "getbands"):
        return [value.mode, *summary(np.array(value))]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), *_numbers(value)]
    if isinstance(value, Mapping):
        return {key: summary(part) for key, part in value.items()}
    if isinstance(value, str):
        return value if len(value) < 80 else zlib.crc32(value.encode())
    if isinstance(value, Sequence):
        return [summary(part) for part in value]
    return value if isinstance(value, bool | int | float | None) else str(value).rpartition(".")[2]


def _numbers(array: Any) -> list[float]:
    if array.dtype.kind != "f":
        return [zlib.crc32(np.ascontiguousarray(array).tobytes())]
    flat = array.astype(np.float64).reshape(-1)
    return [float(f"{total:.9g}") for total in (flat.sum(), (flat * np.cos(np.arange(flat.size))).sum())]


LINES = """
F.pad(u8, (-1, 2, -3, 1), padding_mode='symmetric')
F.pad(u8, 1, fill=None)
F.pad(u8, 1, fill=[9])
F.pad(CMYK, 2, padding_mode='edge')
F.pad(P, 2, padding_mode='reflect')
F2.pad(u8, [1, 2, 3, 4], fill=[1, 2, 3])
F2.pad(mask, 1, fill=[1, 2])
F.rgb_to_grayscale(grey, 3)
F.rgb_to_grayscale(u8, 3)
F.to_pil_image(grey.to(torch.int16))
F.resize(RGB, [9, 30], BC)
F2.resize(u8, None, max_size=12)
F2.resize(u8, (9, 12), BC, antialias=False)
F.rotate(u8, 30)
F.rotate(f32, 30.5, BL, expand=True, fill=[1.0, 2.0, 3.0])
F.affine(RGB, 10, (1, 2), 0.7, 5, BL)
F.affine(u8, 10, [1, 2], 1.2, [3, 4])
F.perspective(f32, [[0, 0], [22, 0], [22, 16], [0, 16]], [[2, 1], [20, 3], [21, 15], [1, 14]])
F.elastic_transform(f32, torch.linspace(-.3, .3, 782).reshape(1, 17, 23, 2), BC)
F.invert(u8[0])
F.autocontrast(u8[:2])
F.adjust_sharpness(u8, 1.6)
F2.adjust_sharpness(u8, 1.6)
F2.adjust_saturation(u8, .3)
F2.adjust_contrast(u8, 1.7)
F2.autocontrast(u8)
F2.equalize(f32)
F2.posterize(f32, 3)
F2.posterize(u8, 9)
F2.horizontal_flip(img)
F2.erase(RGB, 2, 3, 4, 5, torch.tensor([[[1.0]], [[2.0]], [[3.0]]]))
F2.permute_channels(RGB, [2, 0, 1])
F2.to_dtype(mask, torch.float32, scale=True)
F2.convert_bounding_box_format(middle, new_format='XYWH')
F2.convert_bounding_box_format(middle, new_format='CXCYWH')
F2.clamp_bounding_boxes(middle)
F2.horizontal_flip(middle)
F2.crop(middle, 2, 3, 7, 9)
F2.resize(middle, (30, 12))
F2.rotate(boxes, 30, expand=True)
F2.horizontal_flip(points)
F2.vertical_flip(points)
F2.crop(points, 2, 3, 7, 9)
F2.pad(points, [1, 2, 3, 4])
F2.resize(points, (30, 12))
F2.rotate(points, 30)
F2.affine(points, 10, [1, 2], 1.2, [3, 4])
F2.clamp_keypoints(F2.crop(points, 2, 3, 7, 9))
F2.sanitize_keypoints(F2.crop(points, 2, 3, 7, 9))
F2.uniform_temporal_subsample(batch, 3)
F2.get_num_frames(batch)
F2.crop_image(u8, 1, 2, 3, 4)
F2.rotate_mask(mask.as_subclass(torch.Tensor), 30)
F2.is_pure_tensor(img)
TV.KeyPoints([1, 2, 3], canvas_size=(3, 4))
TV.KeyPoints([[1, 2, 3]], canvas_size=(3, 4))
TV.BoundingBoxes([1, 2, 3, 4], format='XYXY', canvas_size=(5, 6), clamping_mode='x')
repr(TV.KeyPoints([[1, 2]], canvas_size=(3, 4)))
repr(T.RandomAffine(0, shear=(1, 5), interpolation=BL))
times(T.RandomCrop((9, 30), pad_if_needed=True, padding_mode='edge'), u8)
times(T.ColorJitter(.5, .4, .3, .2), RGB)
times(T.AutoAugment(), RGB)
times(T.RandAugment(), u8)
times(T2.ColorJitter(.5, .4, .3, .2), u8)
times(T2.AutoAugment(), RGB)
times(T2.AutoAugment(T2.AutoAugmentPolicy.CIFAR10), u8)
times(T2.RandAugment(), RGB)
times(T2.RandAugment(num_ops=4), u8)
times(T2.TrivialAugmentWide(), RGB)
times(T2.TrivialAugmentWide(), f32)
times(T2.RandomErasing(1.), RGB)
times(T2.RandomPhotometricDistort(), RGB)
times(T2.RandomZoomOut(fill={TV.Image: 3, TV.Mask: 1, 'others': 0}, p=1.), img, mask, boxes)
times(T2.RandomRotation(20, fill={TV.Image: 5, TV.Mask: 2, 'others': 0}), img, mask)
times(T2.RandomCrop(30, pad_if_needed=True, fill=(1, 2, 3)), img)
times(T2.RandomHorizontalFlip(), img, points)
T2.Pad(2, fill={TV.Image: 5, TV.Mask: 2, 'others': 0})(img, mask, middle, points)
T2.Resize(None, max_size=20)(img, mask, boxes)
T2.ToImage()(TV.Video(batch))
T2.ConvertImageDtype(torch.float64)(img, mask)
T2.ToDtype({TV.Image: torch.float64})(RGB)
T2.UniformTemporalSubsample(2)(TV.Video(batch))
T2.SetClampingMode(None)(boxes).clamping_mode
T2.SetClampingMode('x')
T2.ClampKeyPoints()(points)
T2.SanitizeKeyPoints()(F2.crop(points, 2, 3, 7, 9))
T2.JPEG(0)
T2.JPEG((5, True, 3))
T2.RandomChannelPermutation()(mask)
repr(T2.RandomZoomOut())
repr([T2.Resize(9), T2.Pad((1, 2)), T2.Normalize((.1, .2, .3), (.4, .5, .6)), T2.RandomCrop(8, padding=(1, 2, 3, 4))])
repr([T2.RandomHorizontalFlip(), T2.RandomPerspective(), T2.RandAugment(), T2.AutoAugment(fill=5), T2.GaussianBlur(3)])
repr([T2.RandomErasing(value='random'), T2.RandomErasing(), T2.RandomRotation(20, BL), T2.ColorJitter(.5)])
repr(T2.RandomShortestSize([8, 12], max_size=22))
repr(T2.GaussianNoise())
repr(T2.ClampBoundingBoxes())
U.make_grid(u8, normalize=True)
U.make_grid([f32, 3])
U.draw_segmentation_masks(u8, shapes)
U.draw_segmentation_masks(f32, shapes[:2], alpha=.5, colors=['red', 'blue'])
U.draw_segmentation_masks(grey, shapes)
U.draw_bounding_boxes(grey, torch.zeros(0, 4))
U.draw_bounding_boxes(u8, boxes[:1].as_subclass(torch.Tensor), width=2, fill=True, colors='blue')
U.draw_keypoints(u8, torch.tensor([[[2, 3], [10, 12], [20, 5]]]), [(0, 1)], colors='red')
U.draw_keypoints(u8, torch.tensor([[[2, 3], [10, 12], [20, 5]]]))
U.draw_keypoints(grey, torch.tensor([[[2, 3]]]))
U.flow_to_image(flow)
U.flow_to_image(flow.double())
M.ResNet50_Weights.DEFAULT.transforms().resize_size
M.EfficientNet_B3_Weights.DEFAULT.transforms()(RGB)
repr(M.ViT_L_16_Weights.IMAGENET1K_SWAG_E2E_V1.transforms())
M.get_model_weights('regnet_y_16gf').DEFAULT.meta['num_params']
M.get_weight('ResNet50_Weights.IMAGENET1K_V2').meta['categories'][:3]
V.R3D_18_Weights.DEFAULT.transforms()(f32[None])
S.FCN_ResNet50_Weights.DEFAULT.meta['categories'][-1]
M.list_models(V, include='r*')
M.get_model('nothing')
trained(lambda: M.shufflenet_v2_x0_5(num_classes=7), 2, 3, 33, 40)
trained(lambda: M.mnasnet0_5(num_classes=7), 2, 3, 33, 40)
trained(lambda: M.googlenet(num_classes=7, init_weights=False), 2, 3, 33, 40)
trained(lambda: M.regnet_x_400mf(num_classes=7), 2, 3, 33, 40)
trained(lambda: M.regnet_y_400mf(num_classes=7), 2, 3, 33, 40)
trained(lambda: M.mobilenet_v3_small(num_classes=7, width_mult=.5, reduced_tail=True, dilated=True), 2, 3, 33, 40)
trained(lambda: swin_transformer.SwinTransformer([2, 2], 8, [2, 2], [2, 4], [4, 4], num_classes=7), 2, 3, 22, 26)
trained(lambda: swin_transformer.SwinTransformer([2, 2], 8, [2, 2], [2, 4], [4, 4], num_classes=7, block=swin_transformer.SwinTransformerBlockV2, downsample_layer=swin_transformer.PatchMergingV2), 2, 3, 22, 26)
trained(lambda: V.swin_transformer.SwinTransformer3d([2, 2, 2], 8, [2, 2], [2, 4], [3, 4, 4], num_classes=7), 1, 3, 9, 22, 18)
trained(lambda: V.swin_transformer.SwinTransformer3d([1, 2, 2], 8, [2, 2], [2, 4], [8, 2, 3], num_classes=7), 2, 3, 3, 9, 10)
trained(lambda: M.maxvit.MaxVit((64, 64), 8, 2, [8, 16], [2, 1], 4, .2, num_classes=7), 2, 3, 64, 64)
M.maxvit.MaxVit((60, 64), 8, 2, [8, 16], [2, 1], 4, .2)
V.Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1.transforms()(f32[None])
trained(lambda: V.mvit.MViT((32, 24), 4, [V.mvit.MSBlockConfig(1, 8, 8, [], [3, 3, 3], [], [1, 2, 2]), V.mvit.MSBlockConfig(2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1])], False, False, False, False, stochastic_depth_prob=.2, num_classes=7), 2, 3, 4, 32, 24)
trained(lambda: V.mvit.MViT((32, 24), 4, [V.mvit.MSBlockConfig(1, 8, 8, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 2, 2]), V.mvit.MSBlockConfig(2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1])], True, False, True, True, num_classes=7), 2, 3, 4, 32, 24)
trained(lambda: V.mvit.MViT((32, 32), 4, [V.mvit.MSBlockConfig(1, 8, 8, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 2, 2]), V.mvit.MSBlockConfig(2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 1, 1])], True, True, True, False, num_classes=7, attention_dropout=.1), 2, 3, 4, 32, 32)
V.mvit.MViT((32, 32), 4, [], True, True, True, False)
V.MViT_V2_S_Weights.DEFAULT.transforms()(f32[None])
trained(lambda: convnext.ConvNeXt([convnext.CNBlockConfig(8, 16, 2), convnext.CNBlockConfig(16, None, 2)], .3, num_classes=7), 2, 3, 33, 40)
trained(lambda: regnet.RegNet(regnet.BlockParams.from_init_params(5, 16, 20.0, 2.2, 8, se_ratio=.25), num_classes=7), 2, 3, 33, 40)
trained(lambda: efficientnet.EfficientNet([efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 2), efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 2), efficientnet.MBConvConfig(4, 3, 2, 16, 24, 2)], .2, num_classes=7, last_channel=32), 2, 3, 33, 40)
trained(lambda: V.mc3_18(num_classes=7), 1, 3, 3, 9, 10)
trained(lambda: S.lraspp_mobilenet_v3_large(weights_backbone=None, num_classes=3), 2, 3, 33, 40)
trained(lambda: S.deeplabv3_mobilenet_v3_large(weights_backbone=None, num_classes=3, aux_loss=True), 2, 3, 33, 40)
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
