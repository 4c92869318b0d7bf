"""`torchvision.transforms.v2`, the newer models, and drawing on pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.vision import models, tv_tensors, utils
from rushlight.vision import transforms as v1
from rushlight.vision.transforms import v2


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
    assert (image == 2).all() and label == "label"


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
    with pytest.raises(RuntimeError, match="Wrong image height! Expected 16 but got 8!"):
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
    assert (drawn[1, 5, 5:16] == 1).all() and not drawn[0].any() and drawn[1, 15].sum() == 0
    hidden = utils.draw_keypoints(torch.zeros(3, 20, 20), points, visibility=torch.tensor([[True, False]]))
    assert hidden[:, 5, 5].all() and not hidden[:, 5, 15].any()
