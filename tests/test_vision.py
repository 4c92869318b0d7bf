"""torchvision's transforms, grids and image files, and models."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.vision import models, transforms, utils
from rushlight.vision.transforms import augment
from rushlight.vision.transforms import functional as F

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)

needs_interpolate = pytest.mark.skipif(not hasattr(torch.nn.functional, "interpolate"), reason="no interpolate yet")
needs_grid = pytest.mark.skipif(not hasattr(torch.nn.functional, "grid_sample"), reason="no grid_sample yet")


@pytest.fixture
def image() -> Any:
    return pytest.importorskip("PIL.Image").fromarray(PIXELS)


# --- transforms -------------------------------------------------------------------------------------------------------


def test_to_tensor(image: Any) -> None:
    for picture in (image, PIXELS):
        tensor = F.to_tensor(picture)
        assert tensor.dtype is torch.float32 and tensor.shape == (3, 40, 50) and tensor.is_contiguous()
        assert np.array_equal(tensor.numpy(), PIXELS.transpose(2, 0, 1) / np.float32(255))
    assert F.to_tensor(PIXELS[:, :, 0]).shape == (1, 40, 50)
    assert F.to_tensor(PIXELS.astype(np.float64)).dtype is torch.float64
    assert F.pil_to_tensor(image).dtype is torch.uint8
    assert set(F.to_tensor(image.convert("1")).flatten().tolist()) == {0.0, 1.0}
    assert F.to_tensor(image.convert("I")).dtype is torch.int32
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        F.to_tensor([1])
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 1 dimensions."):
        F.to_tensor(np.zeros(3))


def test_to_pil_image(image: Any) -> None:
    for picture in (F.to_tensor(image), F.pil_to_tensor(image), PIXELS):
        back = transforms.ToPILImage()(picture)
        assert back.mode == "RGB" and np.abs(np.asarray(back).astype(int) - PIXELS).max() <= 1
    assert F.to_pil_image(torch.zeros(4, 5)).mode == "L"
    assert F.to_pil_image(torch.zeros(4, 5), mode="F").mode == "F"
    assert F.to_pil_image(torch.zeros(2, 4, 5)).mode == "LA" and F.to_pil_image(torch.zeros(4, 4, 5)).mode == "RGBA"
    assert F.to_pil_image(np.zeros((4, 5), np.int32)).mode == "I"
    assert F.to_pil_image(PIXELS, mode="HSV").mode == "HSV"
    for wrong, kind, message in (
        (lambda: F.to_pil_image("x"), TypeError, "pic should be Tensor or ndarray"),
        (lambda: F.to_pil_image(torch.zeros(5)), ValueError, "pic should be 2/3 dimensional. Got 1 dimensions."),
        (lambda: F.to_pil_image(torch.zeros(5, 4, 4)), ValueError, "pic should not have > 4 channels. Got 5"),
        (lambda: F.to_pil_image(PIXELS, mode="L"), ValueError, "Only modes .* are supported for 3D inputs"),
        (lambda: F.to_pil_image(PIXELS[:, :, 0], mode="RGB"), ValueError, r"Incorrect mode \(RGB\) supplied"),
        (lambda: F.to_pil_image(np.zeros((4, 5), np.int64)), TypeError, "Input type int64 is not supported"),
    ):
        with pytest.raises(kind, match=message):
            wrong()


def test_normalize() -> None:
    picture = torch.arange(12.0).reshape(3, 2, 2)
    done = transforms.Normalize((1.0, 2.0, 3.0), (2.0, 4.0, 8.0))(picture)
    assert done[:, 0, 0].tolist() == [-0.5, 0.5, 0.625] and picture[0, 0, 1].item() == 1.0
    assert F.normalize(picture, (0.0,), (2.0,), inplace=True) is picture and picture[0, 0, 1].item() == 0.5
    with pytest.raises(TypeError, match="img should be Tensor Image. Got"):
        F.normalize([1.0], (0.0,), (1.0,))
    with pytest.raises(TypeError, match="Input tensor should be a float tensor. Got torch.int64."):
        F.normalize(torch.ones(1, 2, 2, dtype=torch.int64), (0.0,), (1.0,))
    with pytest.raises(ValueError, match=r"Expected tensor to be a tensor image of size \(..., C, H, W\)"):
        F.normalize(torch.ones(2, 2), (0.0,), (1.0,))
    with pytest.raises(ValueError, match="std evaluated to zero after conversion to torch.float32"):
        F.normalize(torch.ones(1, 2, 2), (0.0,), (0.0,))


def test_convert_image_dtype() -> None:
    whole = torch.tensor([0, 128, 255], dtype=torch.uint8)
    assert F.convert_image_dtype(whole).tolist() == pytest.approx([0, 128 / 255, 1])
    assert F.convert_image_dtype(whole, torch.int16).tolist() == [0, 16384, 32640]
    assert F.convert_image_dtype(torch.tensor([0.0, 0.5, 1.0]), torch.uint8).tolist() == [0, 127, 255]
    assert F.convert_image_dtype(torch.tensor([32767], dtype=torch.int16), torch.uint8).tolist() == [255]
    with pytest.raises(RuntimeError, match="The cast from torch.float32 to torch.int32 cannot be performed safely"):
        F.convert_image_dtype(torch.ones(1), torch.int32)


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (transforms.Resize(5), "Resize(size=5, interpolation=bilinear, max_size=None, antialias=True)"),
        (transforms.CenterCrop(3), "CenterCrop(size=(3, 3))"),
        (transforms.RandomCrop(32, padding=4), "RandomCrop(size=(32, 32), padding=4)"),
        (transforms.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"),
        (
            transforms.RandomResizedCrop(224),
            "RandomResizedCrop(size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.3333), "
            "interpolation=bilinear, antialias=True)",
        ),
        (
            transforms.ColorJitter(0.5, hue=0.1),
            "ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(-0.1, 0.1))",
        ),
        (
            transforms.RandomRotation(10),
            "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
        ),
        (transforms.RandomAffine(5, (0.1, 0.2)), "RandomAffine(degrees=[-5.0, 5.0], translate=(0.1, 0.2))"),
        (transforms.Pad((1, 2)), "Pad(padding=(1, 2), fill=0, padding_mode=constant)"),
        (transforms.Lambda(abs), "Lambda()"),
        (transforms.ToPILImage("RGB"), "ToPILImage(mode=RGB)"),
        (transforms.Grayscale(), "Grayscale(num_output_channels=1)"),
        (transforms.RandomApply([transforms.ToTensor()]), "RandomApply(\n    p=0.5\n    ToTensor()\n)"),
        (transforms.RandomChoice([transforms.ToTensor()]), "RandomChoice(\n    ToTensor()\n)(p=None)"),
        (
            transforms.RandomErasing(),
            "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
        ),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_transforms_print_as_in_torchvision(transform: Any, text: str) -> None:
    assert repr(transform) == text


# What gives the same pixels for a PIL image and for a tensor of its bytes.
EXACT = [
    transforms.CenterCrop(30),
    transforms.CenterCrop((60, 20)),
    transforms.RandomCrop(32, padding=4),
    transforms.RandomCrop(60, pad_if_needed=True, padding_mode="reflect"),
    transforms.RandomCrop(60, pad_if_needed=True, padding_mode="symmetric"),
    transforms.Pad((1, 2, 3, 4), fill=7),
    transforms.Pad((1, 2), padding_mode="edge"),
    transforms.RandomHorizontalFlip(1),
    transforms.RandomVerticalFlip(1),
    transforms.RandomInvert(1),
    transforms.RandomPosterize(3, p=1),
    transforms.RandomSolarize(100, p=1),
    transforms.RandomEqualize(1),
    transforms.RandomAutocontrast(1),
    transforms.GaussianBlur(3),
]


@pytest.mark.parametrize("transform", EXACT, ids=lambda transform: type(transform).__name__)
def test_images_and_tensors_agree(image: Any, transform: Any) -> None:
    done = []
    for picture in (image, F.pil_to_tensor(image)):
        torch.manual_seed(3)
        result = transform(picture)
        done.append(result if isinstance(result, torch.Tensor) else F.pil_to_tensor(result))
    assert done[0].shape == done[1].shape and torch.equal(done[0], done[1])


def test_crop_outside(image: Any) -> None:
    for top, left in ((-5, -6), (30, 45), (-5, 45)):
        from_image = F.pil_to_tensor(F.crop(image, top, left, 20, 20))
        assert torch.equal(F.crop(F.pil_to_tensor(image), top, left, 20, 20), from_image)
    with pytest.raises(ValueError, match=r"Required crop size \(60, 60\) is larger than input image size \(40, 50\)"):
        transforms.RandomCrop(60)(image)


def test_five_and_ten_crops(image: Any) -> None:
    upper_left, _, _, lower_right, middle = transforms.FiveCrop(10)(image)
    assert np.array_equal(np.asarray(upper_left), PIXELS[:10, :10])
    assert np.array_equal(np.asarray(lower_right), PIXELS[-10:, -10:])
    assert np.array_equal(np.asarray(middle), PIXELS[15:25, 20:30])
    ten = transforms.TenCrop(10)(image)
    assert len(ten) == 10 and np.array_equal(np.asarray(ten[5]), PIXELS[:10, ::-1][:, :10])


def test_resize_of_images(image: Any) -> None:
    assert transforms.Resize(20)(image).size == (25, 20) and transforms.Resize((8, 9))(image).size == (9, 8)
    assert transforms.Resize(20, max_size=22)(image).size == (22, 17)
    assert transforms.Resize(40)(image) is image
    with pytest.raises(ValueError, match="max_size = 20 must be strictly greater than the requested size"):
        transforms.Resize(20, max_size=20)(image)
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        transforms.Resize(None)
    assert transforms.RandomResizedCrop(24)(image).size == (24, 24)


@needs_interpolate
def test_resize_of_tensors(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    for transform, most in ((transforms.Resize((20, 30)), 1), (transforms.Resize((20, 25), interpolation=0), 255)):
        done = transform(tensor)
        other = F.pil_to_tensor(transform(image))
        assert done.dtype is torch.uint8 and done.shape == other.shape
        assert (done.to(torch.int32) - other.to(torch.int32)).abs().max().item() <= most


def test_turning_images(image: Any) -> None:
    assert np.array_equal(np.asarray(F.rotate(image, 180)), PIXELS[::-1, ::-1])
    assert F.rotate(image, 90, expand=True).size == (40, 50)
    assert np.array_equal(np.asarray(F.affine(image, 0, [3, 2], 1.0, 0.0))[2:, 3:], PIXELS[:-2, :-3])
    corners = [[0, 0], [49, 0], [49, 39], [0, 39]]
    assert np.array_equal(np.asarray(F.perspective(image, corners, corners, 0)), PIXELS)


@needs_grid
def test_turning_tensors(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    assert torch.equal(F.rotate(tensor, 180), tensor.flip(-1, -2))
    assert F.rotate(tensor, 90, expand=True).shape == (3, 50, 40)
    moved = F.affine(tensor, 0, [3, 2], 1.0, 0.0, fill=9)
    assert torch.equal(moved[:, 2:, 3:], tensor[:, :-2, :-3]) and set(moved[:, :2].flatten().tolist()) == {9}
    turned = F.rotate(tensor, 30)
    other = F.pil_to_tensor(F.rotate(image, 30))
    assert (turned != other).to(torch.float32).mean().item() < 0.01


def test_colours(image: Any) -> None:
    tensor = F.pil_to_tensor(image)
    for function, factor in (
        (F.adjust_brightness, 1.3),
        (F.adjust_contrast, 0.6),
        (F.adjust_saturation, 1.5),
        (F.adjust_sharpness, 2),
        (F.adjust_gamma, 1.2),
        (F.rgb_to_grayscale, 3),
    ):
        done, other = function(tensor, factor), F.pil_to_tensor(function(image, factor))
        assert done.shape == other.shape and (done.to(torch.int32) - other.to(torch.int32)).abs().max().item() <= 2
    assert F.rgb_to_grayscale(image).mode == "L" and F.to_grayscale(image, 3).mode == "RGB"
    turned, floats = F.adjust_hue(tensor, 0.25), F.adjust_hue(F.to_tensor(image), 0.25)
    assert (turned / 255 - floats).abs().max().item() < 0.01
    with pytest.raises(ValueError, match=r"hue_factor \(0.6\) is not in \[-0.5, 0.5\]"):
        F.adjust_hue(image, 0.6)
    with pytest.raises(ValueError, match="brightness_factor"):
        F.adjust_brightness(tensor, -1)


def test_random_draws_are_torchvisions() -> None:
    """What torchvision's get_params draw, call by call, from PyTorch's stream."""
    picture = torch.zeros(3, 40, 50)
    torch.manual_seed(0)
    corner = torch.randint(0, 40 - 32 + 1, size=(1,)).item(), torch.randint(0, 50 - 32 + 1, size=(1,)).item()
    torch.manual_seed(0)
    assert transforms.RandomCrop.get_params(picture, (32, 32)) == (*corner, 32, 32)
    torch.manual_seed(0)
    angle = torch.empty(1).uniform_(-10, 10).item()
    torch.manual_seed(0)
    assert transforms.RandomRotation.get_params([-10, 10]) == angle
    torch.manual_seed(0)
    order = torch.randperm(4).tolist()
    torch.manual_seed(0)
    assert transforms.ColorJitter.get_params(None, None, None, (-0.5, 0.5))[0].tolist() == order


def test_random_erasing() -> None:
    torch.manual_seed(1)
    picture = torch.ones(3, 20, 20)
    erased = transforms.RandomErasing(p=1, value=(0.1, 0.2, 0.3))(picture)
    assert picture.min().item() == 1.0 and 0 < (erased != 1).sum().item() < 3 * 400
    assert erased[2].min().item() == pytest.approx(0.3)
    assert transforms.RandomErasing(p=0)(picture) is picture
    with pytest.raises(ValueError, match="If value is str, it should be 'random'"):
        transforms.RandomErasing(value="noise")


def test_linear_transformation() -> None:
    double = transforms.LinearTransformation(torch.eye(12) * 2, torch.ones(12))
    assert torch.equal(double(torch.full((3, 2, 2), 2.0)), torch.full((3, 2, 2), 2.0))
    with pytest.raises(ValueError, match="transformation_matrix should be square"):
        transforms.LinearTransformation(torch.ones(2, 3), torch.ones(2))


def test_lambda_wants_a_function() -> None:
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        transforms.Lambda(3)


@pytest.mark.parametrize(
    "transform",
    [
        transforms.AutoAugment(),
        transforms.AutoAugment(transforms.AutoAugmentPolicy.SVHN, fill=3),
        transforms.RandAugment(),
        transforms.TrivialAugmentWide(),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_augmentation(image: Any, transform: Any) -> None:
    different = 0
    for seed in range(12):
        done = []
        for _ in range(2):
            torch.manual_seed(seed)
            done.append(np.asarray(transform(image)))
        assert done[0].shape == PIXELS.shape and np.array_equal(*done)
        different += not np.array_equal(done[0], PIXELS)
    assert different > 3


def test_augmentation_policies() -> None:
    assert repr(transforms.AutoAugment()) == "AutoAugment(policy=AutoAugmentPolicy.IMAGENET, fill=None)"
    for policy in transforms.AutoAugmentPolicy:
        pairs = transforms.AutoAugment(policy).policies
        space = augment._space(10, (1.0, 1.0))
        assert len(pairs) == 25
        for name, probability, strength in (step for pair in pairs for step in pair):
            assert name == "Invert" or (strength is not None) == bool(space[name].magnitudes)
            assert 0 <= probability <= 1
    assert augment._space(10, (1.0, 1.0))["Posterize"].magnitudes == [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]


# --- grids ------------------------------------------------------------------------------------------------------------


def test_make_grid() -> None:
    pictures = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    grid = utils.make_grid(pictures, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 4 + 1)
    assert grid[0, 1].tolist() == [-1, 0, 0, 0, -1, 1, 1, 1, -1, 2, 2, 2, -1]
    assert grid[2, 4].tolist() == [-1, 3, 3, 3, -1, 4, 4, 4, -1, -1, -1, -1, -1]
    assert grid[1, 0].tolist() == [-1] * 13
    assert utils.make_grid(torch.zeros(10, 1, 28, 28)).shape == (3, 62, 242)
    assert utils.make_grid(torch.zeros(4, 5)).shape == (3, 4, 5)
    assert utils.make_grid([torch.zeros(3, 4, 5)] * 2).shape == (3, 8, 16)
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        utils.make_grid(3)


def test_make_grid_normalize() -> None:
    pictures = torch.tensor([0.0, 2.0, 4.0, 8.0]).reshape(2, 1, 1, 2).expand(2, 3, 1, 2)
    whole = utils.make_grid(pictures, padding=0, normalize=True)
    assert whole[0, 0].tolist() == [0.0, 0.25, 0.5, 1.0]
    each = utils.make_grid(pictures, padding=0, normalize=True, scale_each=True)
    assert each[0, 0].tolist() == [0.0, 1.0, 0.0, 1.0]
    limited = utils.make_grid(pictures, padding=0, normalize=True, value_range=(0, 4))
    assert limited[0, 0].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert pictures[1, 0, 0, 1].item() == 8.0


def test_save_image(tmp_path: Path) -> None:
    opener = pytest.importorskip("PIL.Image").open
    pictures = torch.linspace(-0.1, 1.1, 12).reshape(1, 3, 2, 2)
    utils.save_image(pictures, tmp_path / "one.png")
    expected = np.clip(pictures[0].numpy() * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    assert np.array_equal(np.asarray(opener(tmp_path / "one.png")), expected.transpose(1, 2, 0))
    stream = io.BytesIO()
    utils.save_image(torch.zeros(10, 1, 28, 28), stream, format="png", nrow=4)
    assert opener(stream).size == (122, 92)


# --- models -----------------------------------------------------------------------------------------------------------


def test_model_parameters_have_torchvisions_names() -> None:
    names = list(models.resnet18().state_dict())
    assert names[:6] == [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "bn1.num_batches_tracked",
    ]
    assert names[6] == "layer1.0.conv1.weight" and "layer2.0.downsample.1.bias" in names and names[-1] == "fc.bias"
    assert len(names) == 122
    assert "features.denseblock4.denselayer16.conv2.weight" in models.densenet121().state_dict()
    assert "features.18.1.running_var" in models.mobilenet_v2().state_dict()
    assert "features.12.expand3x3.bias" in models.squeezenet1_0().state_dict()


SIZED = """
    resnet18 mobilenet_v2 mobilenet_v3_small squeezenet1_1 shufflenet_v2_x1_0 mnasnet1_0 regnet_x_400mf regnet_y_800mf
    efficientnet_v2_s convnext_tiny swin_t swin_v2_t mc3_18 s3d maxvit_t
""".split()


@pytest.mark.parametrize("name", SIZED)
def test_models_have_the_published_size(name: str) -> None:
    kinds = models.get_model_weights(name)
    model = models.get_model(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == kinds.DEFAULT.meta["num_params"]


def test_inception_in_training_has_scores_on_the_way() -> None:
    with pytest.warns(FutureWarning, match="default weight initialization of inception_v3"):
        names = models.Inception3(num_classes=3).state_dict()
    assert names["AuxLogits.fc.weight"].shape == (3, 768) and len(names) == 580
    model = models.googlenet(num_classes=3, init_weights=True, dropout=0.0)
    picture = torch.rand(2, 3, 40, 40)
    scores = model(picture)
    assert type(scores).__name__ == "GoogLeNetOutputs" and scores.aux_logits1.shape == (2, 3)
    assert model.eval()(picture).shape == (2, 3)


def test_segmentation_backbones_come_with_weights() -> None:
    from inspect import signature

    build = models.segmentation.fcn_resnet50
    assert signature(build).parameters["weights_backbone"].default is models.ResNet50_Weights.IMAGENET1K_V1
    small = models.segmentation.deeplabv3_mobilenet_v3_large(weights_backbone=None, num_classes=4)
    scores = small.eval()(torch.rand(1, 3, 33, 40))
    assert list(scores) == ["out"] and scores["out"].shape == (1, 4, 33, 40)


def test_model_arguments() -> None:
    assert "resnet18" in models.list_models(include="resnet*") and models.list_models(exclude="*") == []
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        models.get_model("resnet19")
    with pytest.raises(ValueError, match="The parameter 'num_classes' expected value 1000 but got 10 instead"):
        models.resnet18(weights="DEFAULT", num_classes=10)
    with pytest.raises(TypeError, match="Invalid Weight class provided"):
        models.resnet18(weights=models.ResNet50_Weights.DEFAULT)
    with pytest.warns(UserWarning, match="The parameter 'pretrained' is deprecated"):
        small = models.mobilenet_v3_small(pretrained=False, num_classes=7)
    assert small.classifier[-1].out_features == 7
    assert repr(models.ResNet50_Weights.IMAGENET1K_V2) == "ResNet50_Weights.IMAGENET1K_V2"
