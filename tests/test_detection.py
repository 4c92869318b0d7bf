"""Detectors answer as torchvision's do: `detection_answers` has the cases and records them. And what is our own: steps
of equal shapes, non-maximum suppression in blocks, sums of weighted rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from detection_answers import EXPECTED, LINES, answer, names
from test_compile import fresh_automaton

import rushlight as torch
from rushlight import nn
from rushlight.autograd import gradcheck
from rushlight.ops.weighted_rows import weighted_rows
from rushlight.record import trace
from rushlight.vision.models import detection
from rushlight.vision.models.detection import equal_shapes
from rushlight.vision.models.detection.faster_rcnn import FastRCNNPredictor
from rushlight.vision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from rushlight.vision.ops.boxes import kept, kept_by_group

RECORDED: dict[str, Any] = json.loads(EXPECTED.read_text())
OURS = names(torch, "rushlight.vision")


@pytest.mark.parametrize("line", LINES)
def test_answers_are_torchvisions(line: str) -> None:
    assert _close(json.loads(json.dumps(answer(line, torch, "rushlight.vision"))), RECORDED[line])


def _close(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and isinstance(ours, int | float):
        return ours == pytest.approx(theirs, rel=2e-5, abs=1e-6)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(_close, ours, theirs))
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return list(ours) == list(theirs) and all(_close(ours[key], theirs[key]) for key in theirs)
    return bool(ours == theirs)


def mask_rcnn() -> Any:
    torch.manual_seed(0)
    return detection.MaskRCNN(OURS["tiny"](), 3, mask_roi_pool=OURS["pool"](6), mask_head=MaskRCNNHeads(8, (256,), 1),
                              **OURS["few"])  # fmt: skip


def floats(pictures: list[Any], targets: list[Any]) -> tuple[list[Any], list[Any]]:
    return [each.float() for each in pictures], [{**each, "boxes": each["boxes"].float()} for each in targets]


def test_the_fine_tuning_tutorial() -> None:
    """Its predictors are replaced, steps with targets make the losses fall, and pictures get boxes and masks."""
    model = mask_rcnn()
    inside = model.roi_heads.box_predictor.cls_score.in_features
    model.roi_heads.box_predictor = FastRCNNPredictor(inside, 2)
    inside = model.roi_heads.mask_predictor.conv5_mask.in_channels
    model.roi_heads.mask_predictor = MaskRCNNPredictor(inside, 8, 2)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02, momentum=0.9)
    pictures, targets = floats(*OURS["data"](masks=True, classes=2))
    totals = []
    for _ in range(8):
        losses = model(pictures, targets)
        total = sum(losses.values())
        totals.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert totals[-1] < totals[0]
    with torch.no_grad():
        found = model.eval()(pictures)
    for picture, seen in zip(pictures, found, strict=True):
        assert set(seen) == {"boxes", "labels", "scores", "masks"}
        assert seen["masks"].shape == (len(seen["boxes"]), 1, *picture.shape[1:])
        assert (seen["scores"][:-1] >= seen["scores"][1:]).all()


def test_steps_with_other_numbers_of_proposals_are_mostly_known() -> None:
    """Another number of true boxes records the small part that depends on it, not the networks once more."""
    fresh_automaton()
    model = mask_rcnn().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    pictures, targets = floats(*OURS["data"](masks=True))
    grown = []
    for number in range(12):
        some = [{key: value[: 1 + number % 2] for key, value in each.items()} for each in targets]
        before = trace.State.count
        total = sum(model(pictures, some).values())
        total.item()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        grown.append(trace.State.count - before)
    assert max(grown[6:]) < sum(grown[:6]) / 3


def test_filling_up_counts_for_nothing() -> None:
    boxes = [torch.rand(3, 4), torch.rand(2, 4)]
    filled = equal_shapes.filled_up(boxes, 4)
    assert [len(each) for each in filled] == [3, 5] and torch.equal(filled[1][:2], boxes[1])
    assert equal_shapes.filled_up(boxes, 5) is boxes
    assert [len(each) for each in equal_shapes.filled_up([torch.rand(0, 4)], 4)] == [4]


def test_only_layers_that_treat_rows_alone_are_filled_up() -> None:
    assert equal_shapes.row_by_row(MaskRCNNHeads(4, (4,), 1), MaskRCNNPredictor(4, 4, 2))
    assert not equal_shapes.row_by_row(MaskRCNNHeads(4, (4,), 1, norm_layer=nn.BatchNorm2d))
    assert not equal_shapes.row_by_row(nn.Sequential(nn.Linear(3, 3), nn.Dropout()))
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda *_: None)
    assert not equal_shapes.row_by_row(layer)


def test_no_objects_at_all() -> None:
    """Pictures without objects are background: losses of masks are zero, not nan."""
    pictures, targets = floats(*OURS["data"](masks=True))
    nothing = [{key: value[:0] for key, value in each.items()} for each in targets]
    losses = mask_rcnn().train()(pictures, nothing)
    sum(losses.values()).backward()
    assert losses["loss_mask"].item() == 0.0 and losses["loss_box_reg"].item() == 0.0
    assert all(torch.isfinite(loss) for loss in losses.values())


# ---- which boxes stay


def plain_nms(boxes: Any, scores: Any, threshold: float) -> list[int]:
    """One after the other, by the definition."""
    stay: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        for better in stay:
            low, high = np.maximum(boxes[place, :2], boxes[better, :2]), np.minimum(boxes[place, 2:], boxes[better, 2:])
            shared = np.prod(np.maximum(high - low, 0))
            areas = sum(np.prod(boxes[each, 2:] - boxes[each, :2]) for each in (place, better))
            if shared / (areas - shared) > threshold:
                break
        else:
            stay.append(int(place))
    return stay


@pytest.mark.parametrize("count", [0, 1, 60, 300])
def test_blocks_keep_what_the_definition_keeps(count: int) -> None:
    noise = np.random.default_rng(count)
    low = noise.random((count, 2), dtype=np.float32) * 50
    boxes = np.concatenate([low, low + noise.random((count, 2), dtype=np.float32) * 20 + 1], 1)
    scores = noise.random(count, dtype=np.float32)
    assert kept(boxes, scores, 0.3).tolist() == plain_nms(boxes, scores, 0.3)


def test_groups_do_not_compete() -> None:
    noise = np.random.default_rng(0)
    for count in (100, 1200):  # moved apart, and gone through
        low = noise.random((count, 2)) * 50
        boxes, scores = np.concatenate([low, low + 10], 1), noise.random(count)
        groups = noise.integers(0, 3, count)
        parts = [np.flatnonzero(groups == kind) for kind in range(3)]
        expected = sorted(int(place) for part in parts for place in part[kept(boxes[part], scores[part], 0.4)])
        found = kept_by_group(boxes, scores, groups, 0.4)
        assert sorted(found.tolist()) == expected
        assert (np.diff(scores[found]) <= 0).all()


# ---- sums of weighted rows


def test_weighted_rows() -> None:
    noise = np.random.default_rng(0)
    index, weight = noise.integers(0, 7, (5, 3)), noise.random((5, 3)) - 0.3
    table = noise.random((7, 4))
    arrays = [torch.tensor(each) for each in (index, weight)]
    found = weighted_rows(torch.tensor(table), *arrays)
    assert np.allclose(found, np.einsum("bt,btc->bc", weight, table[index]), rtol=0, atol=1e-14)
    assert gradcheck(lambda t: weighted_rows(t, *arrays), torch.tensor(table, requires_grad=True))
    assert weighted_rows(torch.tensor(table), arrays[0][:0], arrays[1][:0]).shape == (0, 4)
    with pytest.raises(RuntimeError, match="out of bounds"):
        weighted_rows(torch.tensor(table), arrays[0] + 5, arrays[1]).tolist()


def test_weighted_rows_compiled() -> None:
    noise = np.random.default_rng(1)
    index, weight = torch.tensor(noise.integers(0, 9, (6, 3))), torch.tensor(noise.random((6, 3)))
    tables = [torch.tensor(noise.random((9, 20)), requires_grad=True) for _ in range(6)]
    for table in tables:
        weighted_rows(table, index, weight).square().sum().backward()
        expected = np.zeros((9, 20))
        sums = np.einsum("bt,btc->bc", weight.numpy(), table.detach().numpy()[index.numpy()])
        np.add.at(expected, index.numpy(), 2 * sums[:, None, :] * weight.numpy()[..., None])
        assert np.allclose(table.grad, expected, rtol=0, atol=1e-12)
