"""`torchvision.transforms.v2`, the newer models, and drawing on pictures."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.vision import models, tv_tensors, utils
from rushlight.vision import transforms as v1
from rushlight.vision.transforms import v2
from rushlight.vision.transforms.v2 import functional as F


def picture(size: int = 8) -> Any:
    image = pytest.importorskip("PIL.Image")
    return image.fromarray(np.arange(3 * size * size, dtype=np.uint8).reshape(size, size, 3))


# ---- transforms.v2


def test_v2_gives_the_numbers_of_v1() -> None:
    mean, std = [0.5] * 3, [0.25] * 3
    old = v1.Compose([v1.RandomCrop(6), v1.RandomHorizontalFlip(), v1.ToTensor(), v1.Normalize(mean, std)])
    new = v2.Compose(
        [v2.ToImage(), v2.RandomCrop(6), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True),
         v2.Normalize(mean, std)]
    )  # fmt: skip
    for seed in range(4):
        torch.manual_seed(seed)
        expected = old(picture())
        torch.manual_seed(seed)
        got, label = new(picture(), 7)
        assert label == 7 and isinstance(got, tv_tensors.Image)
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)


def test_pictures_of_a_sample_share_their_chance() -> None:
    transform = v2.Compose([v2.ToImage(), v2.RandomResizedCrop(4), v2.RandomVerticalFlip()])
    sample = {"left": picture(), "right": [picture(), torch.tensor(3)], "name": "a"}
    for _ in range(5):
        found = transform(sample)
        assert torch.equal(found["left"], found["right"][0])
        assert found["right"][1] == 3 and found["name"] == "a"


def test_only_the_first_plain_tensor_is_a_picture() -> None:
    image, target = torch.rand(3, 8, 8), torch.ones(2)
    got, same = v2.Resize(4)(image, target)
    assert got.shape == (3, 4, 4) and same is target and type(got) is torch.Tensor


def test_operations_on_an_image_give_tensors() -> None:
    image = tv_tensors.Image(picture())
    assert image.shape == (3, 8, 8) and type(image + 1) is torch.Tensor
    assert type(v2.ToPureTensor()(image)) is torch.Tensor
    plain = torch.zeros(3, 2, 2)
    assert isinstance(tv_tensors.Image(plain), torch.Tensor) and type(plain) is torch.Tensor


def test_pictures_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="Found multiple HxW dimensions in the sample"):
        v2.RandomCrop(2)(tv_tensors.Image(torch.zeros(3, 4, 4)), tv_tensors.Image(torch.zeros(3, 5, 5)))


def test_own_transform() -> None:
    class Shift(v2.Transform):
        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"by": len(flat_inputs)}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            return inpt + params["by"]

    image, label = Shift()(torch.zeros(1, 2, 2), "label")
    assert (image == 1).all() and label == "label"  # the text is not changed, so not shown either


# ---- masks and boxes; the numbers are torchvision 0.28's


def detection_sample(boxes: Any = ((2, 3, 9, 11), (0, 0, 5, 4)), dtype: Any = torch.float32) -> dict[str, Any]:
    masks = np.zeros((2, 12, 16), bool)
    masks[0, 3:11, 2:9] = masks[1, 0:4, 0:5] = True
    return {
        "image": tv_tensors.Image(torch.arange(3 * 12 * 16).remainder(251).to(torch.uint8).view(3, 12, 16)),
        "boxes": tv_tensors.BoundingBoxes(torch.tensor(boxes, dtype=dtype), format="XYXY", canvas_size=(12, 16)),
        "masks": tv_tensors.Mask(torch.from_numpy(masks)),
        "labels": torch.tensor([1, 2]),
    }


MOVED = [
    (lambda: v2.RandomHorizontalFlip(1.0), [[7, 3, 14, 11], [11, 0, 16, 4]], (12, 16)),
    (lambda: v2.RandomVerticalFlip(1.0), [[2, 1, 9, 9], [0, 8, 5, 12]], (12, 16)),
    (lambda: v2.Resize((24, 8)), [[1, 6, 4.5, 22], [0, 0, 2.5, 8]], (24, 8)),
    (lambda: v2.CenterCrop((6, 8)), [[0, 0, 5, 6], [0, 0, 1, 1]], (6, 8)),
    (lambda: v2.Pad([1, 2, 3, 4]), [[3, 5, 10, 13], [1, 2, 6, 6]], (18, 20)),
    (lambda: v2.RandomRotation((90, 90), expand=True), [[3, 7, 11, 14], [0, 11, 4, 16]], (16, 12)),
]


@pytest.mark.parametrize("transform, boxes, canvas", MOVED)
def test_masks_and_boxes_move_with_the_picture(transform: Any, boxes: Any, canvas: Any) -> None:
    found = transform()(detection_sample())
    np.testing.assert_allclose(found["boxes"].numpy(), boxes, atol=1e-4)
    assert found["boxes"].canvas_size == canvas == found["image"].shape[-2:] == found["masks"].shape[-2:]
    assert isinstance(found["masks"], tv_tensors.Mask) and found["masks"].dtype is torch.bool
    for box, mask in zip(found["boxes"].round().int().tolist(), found["masks"]):
        rows, columns = np.nonzero(mask.numpy())
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == box or isinstance(
            transform(), v2.Resize
        )
    assert found["labels"].tolist() == [1, 2]


def test_a_turned_box_is_the_rectangle_around_it() -> None:
    found = v2.functional.rotate(detection_sample()["boxes"], 30.0)
    corner = np.array([[2, 3], [9, 3], [9, 11], [2, 11]]) - [8, 6]
    turn = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6)], [-np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    points = corner @ turn.T + [8, 6]
    around = np.clip([*points.min(0), *points.max(0)], 0, [16, 12, 16, 12])
    np.testing.assert_allclose(found[0].numpy(), around, atol=1e-4)


def test_pixels_alone_change_without_masks_and_boxes() -> None:
    sample = detection_sample()
    for transform in (v2.ColorJitter(0.5), v2.RandomInvert(1.0), v2.RandomErasing(1.0), v2.GaussianNoise(), v2.RGB()):
        found = transform(sample)
        assert found["boxes"] is sample["boxes"] and found["masks"] is sample["masks"]
    floats = v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}, scale=True)
    found = floats(sample)
    assert found["image"].max() <= 1 and found["masks"].dtype is torch.int64 and found["labels"] is sample["labels"]
    with pytest.raises(ValueError, match="No dtype was specified for type"):
        v2.ToDtype({tv_tensors.Image: torch.float32})(sample)
    with pytest.raises(TypeError, match="Inputs of type BoundingBoxes are not supported by RandAugment"):
        v2.RandAugment()(sample)
    with pytest.raises(TypeError, match="Functional F.adjust_brightness"):
        v2.functional.adjust_brightness(sample["masks"], 2.0)


def test_formats_of_boxes() -> None:
    boxes = tv_tensors.BoundingBoxes([5, 6, 4, 5], format="cxcywh", canvas_size=(12, 16))
    assert boxes.shape == (1, 4) and boxes.format is tv_tensors.BoundingBoxFormat.CXCYWH
    corners = v2.ConvertBoundingBoxFormat("XYXY")(boxes)
    assert corners.tolist() == [[3, 3, 7, 8]] and corners.format is tv_tensors.BoundingBoxFormat.XYXY
    convert = v2.functional.convert_bounding_box_format
    assert convert(torch.tensor([[1.0, 2, 3, 4]]), "XYXY", "CXCYWH").tolist() == [[2, 3, 2, 2]]
    with pytest.raises(ValueError, match="For pure tensor inputs, `old_format`"):
        convert(torch.ones(1, 4), new_format="XYWH")
    outside = tv_tensors.BoundingBoxes([[-3, 4, 20, 30]], format="XYXY", canvas_size=(12, 16))
    assert v2.ClampBoundingBoxes()(outside).tolist() == [[0, 4, 16, 12]]
    assert repr(outside) == (
        "BoundingBoxes([[-3,  4, 20, 30]], format=BoundingBoxFormat.XYXY, canvas_size=(12, 16), clamping_mode=soft)"
    )
    assert type(outside.clone()).__name__ == "BoundingBoxes" and type(outside + 1) is torch.Tensor
    with pytest.raises(ValueError, match="four numbers each"):
        tv_tensors.BoundingBoxes(torch.ones(2, 3), format="XYXY", canvas_size=(2, 2))


def test_boxes_that_are_too_small_go_with_their_labels() -> None:
    sample = detection_sample([[2, 3, 9, 11], [4, 4, 4.5, 9]])
    found = v2.SanitizeBoundingBoxes()(sample)
    assert found["boxes"].tolist() == [[2, 3, 9, 11]] and found["labels"].tolist() == [1] and len(found["masks"]) == 1
    kept, valid = v2.functional.sanitize_bounding_boxes(sample["boxes"], min_size=2)
    assert kept.shape == (1, 4) and valid.tolist() == [True, False]
    with pytest.raises(ValueError, match="must match the number of labels"):
        v2.SanitizeBoundingBoxes()({**sample, "labels": torch.ones(3)})
    torch.manual_seed(0)
    pipeline = v2.Compose(
        [v2.RandomIoUCrop(), v2.RandomZoomOut(p=1.0), v2.RandomResize(8, 20), v2.SanitizeBoundingBoxes()]
    )
    for _ in range(5):
        found = pipeline(detection_sample())
        assert len(found["boxes"]) == len(found["labels"]) == len(found["masks"])
        assert found["boxes"].canvas_size == tuple(found["image"].shape[-2:])


BYTES = [  # PyTorch's numbers: the first twelve, and the sum
    ("bilinear", (9, 30), [170, 109, 87, 118, 174, 83, 106, 158, 121, 83, 77, 103], 101087),
    ("bicubic", (9, 30), [176, 105, 74, 117, 185, 66, 92, 170, 130, 76, 64, 102], 101172),
    ("bilinear", (5, 6), [120, 113, 120, 149, 139, 124, 126, 128, 120, 106, 128, 111], 11258),
    ("bicubic", (31, 40), [182, 130, 47, 71, 127, 184, 171, 77, 135, 255, 250, 196], 464397),
]


@pytest.mark.parametrize("mode, size, first, total", BYTES)
def test_bytes_are_resized_in_whole_numbers(mode: str, size: tuple[int, int], first: list[int], total: int) -> None:
    array = np.random.RandomState(0).randint(0, 255, (1, 3, 17, 23)).astype(np.uint8)
    found = v2.Resize(size, v2.InterpolationMode(mode))(torch.from_numpy(array))
    assert found.flatten()[:12].tolist() == first and found.long().sum() == total


# ---- batches mixed with themselves


@pytest.mark.parametrize("kind", [v2.MixUp, v2.CutMix])
def test_mixed_batches(kind: Any) -> None:
    torch.manual_seed(1)
    pictures = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 10, 10)
    mixed, labels = kind(num_classes=4)(pictures, torch.arange(4))
    np.testing.assert_allclose(labels.sum(1).numpy(), 1, rtol=1e-6)
    # The share of each class is its share of the picture.
    means = mixed.mean((1, 2, 3))
    np.testing.assert_allclose(means.numpy(), (labels * torch.arange(4.0)).sum(1).numpy(), rtol=1e-5)
    found = kind(num_classes=4)({"imgs": pictures, "labels": torch.arange(4)})
    assert found["labels"].shape == (4, 4) and found["imgs"].shape == pictures.shape
    for arguments, message in (
        ((pictures[0], torch.arange(4)), "Expected a batched input with 4 dims"),
        ((pictures, torch.arange(3)), "does not match the batch size of the labels"),
        ((pictures, "abc"), "Could not infer where the labels are"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(num_classes=4)(*arguments)
    with pytest.raises(ValueError, match="num_classes must be passed"):
        kind()(pictures, torch.arange(4))


# ---- boxes and files


def test_overlapping_boxes() -> None:
    ops = importlib.import_module("rushlight.vision.ops")
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    assert ops.box_iou(boxes, boxes)[0, 1].item() == pytest.approx(81 / 119)
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 2] and ops.nms(boxes, scores, 0.7).tolist() == [1, 0, 2]
    assert ops.batched_nms(boxes, scores, torch.tensor([0, 1, 0]), 0.5).tolist() == [1, 0, 2]
    assert ops.box_convert(boxes[1:2], "xyxy", "xywh").tolist() == [[1, 1, 10, 10]]
    assert ops.clip_boxes_to_image(boxes, (5, 8)).tolist()[1] == [1, 1, 8, 5]
    assert ops.remove_small_boxes(boxes, 10).tolist() == [0, 1, 2]


def test_pictures_in_files(tmp_path: Any) -> None:
    pytest.importorskip("PIL")
    io = importlib.import_module("rushlight.vision.io")
    image = torch.arange(3 * 4 * 5).to(torch.uint8).view(3, 4, 5)
    path = str(tmp_path / "a.png")
    io.write_png(image, path)
    assert torch.equal(io.read_image(path), image)
    assert io.read_image(path, io.ImageReadMode.GRAY).shape == (1, 4, 5)
    assert io.decode_image(io.encode_jpeg(image)).shape == (3, 4, 5)
    with pytest.raises(RuntimeError, match="Unsupported image file"):
        io.decode_image(torch.zeros(10, dtype=torch.uint8))


# ---- models


@pytest.mark.parametrize("name, count", [("efficientnet_b0", 5_288_548), ("efficientnet_b2", 9_109_994)])
def test_efficientnet_has_torchvisions_parameters(name: str, count: int) -> None:
    model = models.get_model(name)
    assert sum(p.numel() for p in model.parameters()) == count
    keys = list(model.state_dict())
    assert keys[0] == "features.0.0.weight" and keys[-1] == "classifier.1.bias"
    assert "features.1.0.block.1.fc1.weight" in keys and "features.2.1.block.3.1.running_mean" in keys


def test_efficientnet_scores() -> None:
    model = models.efficientnet_b0(num_classes=5).eval()
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 5)


def test_vision_transformer() -> None:
    model = models.VisionTransformer(16, 8, 2, 4, 32, 64, num_classes=5)
    assert (model(torch.randn(2, 3, 16, 16)) == 0).all()  # the scores' weights start at zero
    assert model.encoder.pos_embedding.shape == (1, 5, 32)
    assert "encoder.layers.encoder_layer_1.mlp.3.weight" in model.state_dict()
    with pytest.raises(AssertionError, match="Wrong image height! Expected 16 but got 8!"):
        model(torch.randn(2, 3, 8, 8))
    with pytest.raises(RuntimeError, match="indivisible by patch size"):
        models.VisionTransformer(15, 8, 2, 4, 32, 64)


# ---- drawing


def test_boxes() -> None:
    pytest.importorskip("PIL")
    image = torch.zeros(3, 20, 20, dtype=torch.uint8)
    drawn = utils.draw_bounding_boxes(image, torch.tensor([[2.0, 3.0, 10.0, 12.0]]), colors="red")
    expected = np.zeros((20, 20), np.uint8)
    expected[3:13, [2, 10]] = expected[[3, 12], 2:11] = 255
    np.testing.assert_array_equal(drawn[0].numpy(), expected)
    assert not drawn[1:].any() and not image.any()
    with pytest.raises(ValueError, match="Boxes need to be in"):
        utils.draw_bounding_boxes(image, torch.tensor([[9, 3, 2, 12]]))
    with pytest.raises(ValueError, match="mismatch"):
        utils.draw_bounding_boxes(image, torch.tensor([[2, 3, 10, 12]]), labels=["a", "b"])


def test_masks() -> None:
    pytest.importorskip("PIL")
    image = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    mask = torch.tensor([[True, False], [False, False]])
    drawn = utils.draw_segmentation_masks(image, mask, alpha=0.5, colors=(0, 0, 200))
    assert drawn[:, 0, 0].tolist() == [50, 50, 150] and (drawn[:, 1] == 100).all()
    with pytest.raises(ValueError, match="must be of dtype bool"):
        utils.draw_segmentation_masks(image, mask.int())


def test_keypoints() -> None:
    pytest.importorskip("PIL")
    points = torch.tensor([[[5.0, 5.0], [15.0, 5.0]]])
    drawn = utils.draw_keypoints(
        torch.zeros(3, 20, 20), points, connectivity=[(0, 1)], colors="lime", radius=1, width=1
    )
    assert (drawn[1, 5, 5:16] == 1).all() and drawn[1, 15].sum() == 0
    assert drawn[0, 5, 10] == 1  # lines are white whatever the points' colour is, as in torchvision
    assert not drawn[0, :, :5].any()
    seen = torch.tensor([[True, False]])
    hidden = utils.draw_keypoints(torch.zeros(3, 20, 20), points, colors="white", visibility=seen)
    assert hidden[:, 5, 5].all() and not hidden[:, 5, 15].any()


def test_kernels_of_ones_own() -> None:
    class Line(tv_tensors.TVTensor):
        """Numbers along the width of a picture."""

    with pytest.raises(TypeError, match="has no kernel"):
        F.register_kernel("crop", Line)(lambda line, *_: line)
        F.hflip(Line([1, 2]))

    @F.register_kernel(functional="hflip", tv_tensor_cls=Line)
    def mirrored(line: Line) -> Line:
        return tv_tensors.wrap(line.flip(-1), like=line)

    found = v2.RandomHorizontalFlip(1.0)(Line([1, 2, 3]))
    assert type(found) is Line and found.tolist() == [3, 2, 1]
    assert F.horizontal_flip(Line([4, 5])).tolist() == [5, 4]
    for wrong, reason in ((tv_tensors.Image, "builtin"), (torch.Tensor, "subclasses of torchvision.tv_tensors")):
        with pytest.raises(ValueError, match=reason):
            F.register_kernel("hflip", wrong)
    with pytest.raises(ValueError, match="Could not find functional"):
        F.register_kernel("nothing", Line)


def test_jpeg_loses_little() -> None:
    pytest.importorskip("PIL")
    smooth = (torch.linspace(0, 255, 64).view(1, 8, 8).expand(2, 3, 8, 8)).to(torch.uint8)
    close = v2.JPEG(95)(tv_tensors.Video(smooth))
    assert type(close) is tv_tensors.Video and close.shape == smooth.shape
    assert (close.int() - smooth.int()).abs().max() < 8
    assert (F.jpeg(smooth, 5).int() - smooth.int()).abs().max() > 8
    with pytest.raises(ValueError, match="between 1 and 100"):
        F.jpeg(smooth, 101)


def test_mixing_wants_floats() -> None:
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        v2.MixUp(num_classes=2)(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]))
    assert repr(v2.MixUp(num_classes=2)) == "MixUp(alpha=1.0, num_classes=2)"


def test_what_a_transform_of_ones_own_is_shown() -> None:
    class Counting(v2.Transform):
        def check_inputs(self, flat_inputs: list[Any]) -> None:
            assert flat_inputs[-1] == "text"

        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"shown": len(flat_inputs)}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            return inpt + params["shown"]

    boxes = tv_tensors.BoundingBoxes([[0, 0, 1, 1]], format="XYXY", canvas_size=(2, 2))
    picture, _, rest = Counting()(torch.zeros(3, 2, 2), boxes, "text")
    assert picture.unique().tolist() == [2] and rest == "text"


def test_sizes_of_a_sample() -> None:
    picture = tv_tensors.Image(torch.zeros(3, 4, 5))
    points = tv_tensors.KeyPoints([[1, 2]], canvas_size=(4, 5))
    assert v2.query_size([picture, points, "text"]) == (4, 5)
    assert v2.query_chw([picture, points]) == (3, 4, 5)
    with pytest.raises(TypeError, match="No image"):
        v2.query_size(["text"])
    with pytest.raises(ValueError, match="multiple CxHxW"):
        v2.query_chw([picture, torch.zeros(1, 4, 5)])


def test_wrong_samples_and_arguments_of_transforms() -> None:
    boxes = tv_tensors.BoundingBoxes([[0, 0, 1, 1]], format="XYXY", canvas_size=(2, 2))
    with pytest.raises(ValueError, match="dtype must be a dict or a torch.dtype"):
        v2.ToDtype(3)
    with pytest.raises(ValueError, match="at least one transform"):
        v2.RandomApply([])
    with pytest.raises(ValueError, match="must be a tensor or None"):
        v2.SanitizeBoundingBoxes()({"boxes": boxes, "labels": [1]})
    with pytest.raises(TypeError, match="tensor or PIL images and bounding boxes"):
        v2.RandomIoUCrop()(torch.zeros(3, 4, 4))
    with pytest.raises(NotImplementedError, match="no rotated boxes"):
        v2.functional.convert_bounding_box_format(boxes, new_format="XYWHR")
    with pytest.raises(TypeError, match="not a torch image"):
        v2.Normalize([0.5], [0.5])(torch.ones(2))


def test_casts_of_boxes_are_plain_tensors() -> None:
    boxes = tv_tensors.BoundingBoxes([[0, 0, 1, 1]], format="XYXY", canvas_size=(2, 2))
    assert type(boxes.float()) is torch.Tensor and boxes.float().dtype is torch.float32
    assert type(boxes.to(torch.float32)) is tv_tensors.BoundingBoxes
