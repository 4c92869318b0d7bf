"""torchvision.ops: numbers and gradients against loops in NumPy that spell the definitions out."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.autograd import gradcheck
from rushlight.vision import ops

Array = np.ndarray[Any, Any]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_boxes(count: int, side: float = 20.0, seed: int = 0) -> Array:
    corner, size = rng(seed).random((count, 2)) * side, rng(seed + 1).random((count, 2)) * side / 2 + 0.5
    return np.concatenate([corner, corner + size], 1)


def variable(array: Array) -> Any:
    return torch.tensor(array, requires_grad=True)


def test_all_names_are_there() -> None:
    assert len(ops.__all__) == len(set(ops.__all__)) == 39
    for name in ops.__all__:
        assert getattr(ops, name).__name__ == name
    assert ops.misc.Permute is ops.Permute and ops.poolers.MultiScaleRoIAlign is ops.MultiScaleRoIAlign
    with pytest.raises(AttributeError, match="torchvision.ops.nothing"):
        _ = ops.nothing


# ---- boxes


def overlap(a: Array, b: Array, kind: str) -> float:
    """One pair of boxes, by the definitions."""

    def area(box: Any) -> float:
        return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)

    low, high = np.minimum(a, b), np.maximum(a, b)
    shared = area([*high[:2], *low[2:]])
    covered = area(a) + area(b) - shared
    around = [*low[:2], *high[2:]]
    iou = shared / covered
    if kind == "generalized":
        return iou - (area(around) - covered) / area(around)
    centre = (a[:2] + a[2:]) / 2 - (b[:2] + b[2:]) / 2
    distance = iou - centre @ centre / ((around[2] - around[0]) ** 2 + (around[3] - around[1]) ** 2 + 1e-7)
    if kind == "distance":
        return distance
    angles = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return distance - v / (1 - iou + v + 1e-7) * v


@pytest.mark.parametrize("kind", ["generalized", "distance", "complete"])
def test_overlaps_and_their_losses(kind: str) -> None:
    a, b = some_boxes(4), some_boxes(5, seed=3)
    expected = [[overlap(one, other, kind) for other in b] for one in a]
    matrix, loss = getattr(ops, f"{kind}_box_iou"), getattr(ops, f"{kind}_box_iou_loss")
    assert np.allclose(matrix(torch.tensor(a), torch.tensor(b)), expected, rtol=0, atol=1e-12)
    several = matrix(torch.tensor(np.stack([a, a])), torch.tensor(np.stack([b, b])))
    assert several.shape == (2, 4, 5) and np.allclose(several[1], expected, rtol=0, atol=1e-12)
    losses = loss(torch.tensor(a), torch.tensor(b[:4]))
    assert np.allclose(losses, 1 - np.diag(np.array(expected)), rtol=0, atol=1e-7)
    assert loss(torch.tensor(a[0]), torch.tensor(b[0])).shape == ()
    assert loss(torch.tensor(a), torch.tensor(b[:4]), "mean").item() == pytest.approx(losses.mean().item())
    assert loss(torch.tensor(a), torch.tensor(b[:4]), "sum").item() == pytest.approx(losses.sum().item())
    assert loss(torch.zeros(0, 4), torch.zeros(0, 4), "mean").item() == 0.0
    with pytest.raises(ValueError, match="Invalid Value for arg 'reduction'"):
        loss(torch.tensor(a), torch.tensor(b[:4]), "product")
    if kind != "complete":  # whose weight is no variable
        assert gradcheck(loss, (variable(a), variable(b[:4])))
        assert gradcheck(matrix, (variable(a), variable(b)))


def test_complete_losses_weight_is_no_variable() -> None:
    a, b = variable(some_boxes(3)), variable(some_boxes(3, seed=3))
    ops.complete_box_iou_loss(a, b, "sum").backward()
    found, step = a.grad.numpy().copy(), 1e-6

    def frozen(boxes: Array) -> float:
        total = 0.0
        for box, start, other in zip(boxes, a.detach().numpy(), b.detach().numpy(), strict=True):
            angles = [math.atan((one[2] - one[0]) / (one[3] - one[1])) for one in (box, start, other)]
            v, v_start = (4 / math.pi**2 * (angle - angles[2]) ** 2 for angle in angles[:2])
            iou = ops.box_iou(*map(_row, (start, other))).item()
            total += 1 - overlap(box, other, "distance") + v_start / (1 - iou + v_start + 1e-7) * v
        return total

    for place in np.ndindex(3, 4):
        moved = np.zeros((3, 4))
        moved[place] = step
        slope = (frozen(a.detach().numpy() + moved) - frozen(a.detach().numpy() - moved)) / (2 * step)
        assert found[place] == pytest.approx(slope, abs=1e-6)


def _row(box: Array) -> Any:
    return torch.tensor(box[None])


def test_whole_numbers_and_formats_of_overlaps() -> None:
    a, b = np.array([[0, 0, 4, 2]]), np.array([[2, 0, 6, 2]])
    assert ops.box_iou(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(1 / 3)
    assert ops.box_area(torch.tensor(a.astype(np.int8))).dtype is torch.int32
    assert ops.box_area(torch.tensor(a, dtype=torch.float16)).dtype is torch.float32
    for fmt in ("xywh", "cxcywh"):
        one, other = (ops.box_convert(torch.tensor(box), "xyxy", fmt) for box in (a, b))
        assert ops.box_iou(one, other, fmt).item() == pytest.approx(1 / 3)
        assert ops.box_area(one, fmt).tolist() == [8]
    with pytest.raises(ValueError, match="Unsupported Bounding Box area"):
        ops.box_area(torch.tensor(a), "xywhr")
    with pytest.raises(ValueError, match="Unsupported format 'yx'"):
        ops.box_iou(torch.tensor(a), torch.tensor(b), "yx")


def clipped_area(polygon: Array, clip: Array) -> float:
    """The area of two convex polygons' intersection, by Sutherland and Hodgman's clipping."""
    points = list(polygon)
    for a, b in zip(clip, np.roll(clip, -1, 0), strict=True):
        side = [float((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) for p in points]
        kept = []
        for p, q, s, t in zip(points, points[1:] + points[:1], side, side[1:] + side[:1], strict=True):
            kept += [p] if s >= 0 else []
            kept += [p + (q - p) * s / (s - t)] if s * t < 0 else []
        points = kept
    x, y = np.array(points).reshape(-1, 2).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def test_overlaps_of_rotated_boxes() -> None:
    scale, shift = np.array([10, 10, 8, 8, 720]), np.array([0, 0, 1, 1, -360])
    boxes = rng().random((12, 5)) * scale + shift
    boxes[6:9, 4] = [0, 90, 45]
    boxes[9] = boxes[7]
    boxes[10] = boxes[2] + [0, 0, 0, 0, 360]
    boxes[11] = boxes[2] * [1, 1, 0.5, 0.5, 1]
    corners = ops.box_convert(torch.tensor(boxes), "cxcywhr", "xyxyxyxy")
    shapes = corners.numpy().reshape(-1, 4, 2)
    expected = np.zeros((12, 12))
    for i, j in np.ndindex(12, 12):
        shared = clipped_area(shapes[i], shapes[j])
        expected[i, j] = shared / (sizes_of(boxes[i]) + sizes_of(boxes[j]) - shared)
    found = ops.box_iou(torch.tensor(boxes), torch.tensor(boxes), "cxcywhr")
    assert found.dtype is torch.float32 and np.allclose(found, expected, rtol=0, atol=1e-6)
    assert np.allclose(np.diag(found.numpy()), 1) and found[2, 10].item() == pytest.approx(1)
    assert found[2, 11].item() == pytest.approx(0.25)
    assert np.allclose(ops.box_iou(corners, corners, "xyxyxyxy"), expected, rtol=0, atol=1e-6)
    flat = torch.tensor([[0.0, 0, 0, 3, 10]])
    assert ops.box_iou(flat, flat, "cxcywhr").tolist() == [[0.0]]
    assert ops.box_iou(flat[:0], flat, "xywhr").shape == (0, 1)
    with pytest.raises(RuntimeError, match=r"boxes1 should have shape \(N, 5\)"):
        ops.box_iou(flat[None], flat, "cxcywhr")
    with pytest.raises(RuntimeError, match="same floating-point dtype"):
        ops.box_iou(flat, flat.double(), "cxcywhr")


def sizes_of(box: Array) -> float:
    return float(box[2] * box[3])


def test_box_formats() -> None:
    boxes = some_boxes(3)
    x1, y1, x2, y2 = boxes.T
    forms = {
        "xyxy": boxes,
        "xywh": np.stack([x1, y1, x2 - x1, y2 - y1], 1),
        "cxcywh": np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], 1),
    }
    angle = np.deg2rad(30.0)
    right, down = (np.array([math.cos(angle), -math.sin(angle)]), np.array([math.sin(angle), math.cos(angle)]))
    start, (w, h) = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).T[..., None]
    corners = [start, start + w * right, start + w * right + h * down, start + h * down]
    rest = np.concatenate([w, h, np.full((3, 1), 30.0)], 1)
    turned = {
        "xywhr": np.concatenate([start, rest], 1),
        "cxcywhr": np.concatenate([(corners[0] + corners[2]) / 2, rest], 1),
        "xyxyxyxy": np.concatenate(corners, 1),
    }
    for group in (forms, turned):
        for source, given in group.items():
            for target, expected in group.items():
                assert np.allclose(ops.box_convert(torch.tensor(given), source, target), expected), (source, target)
    whole = ops.box_convert(torch.tensor([[10, 10, 20, 10, 90]]), "cxcywhr", "xywhr")
    assert whole.dtype is torch.int64 and whole.tolist() == [[5, 20, 20, 10, 90]]
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(torch.tensor(boxes), "xyxy", "yxyx")
    with pytest.raises(NotImplementedError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(torch.tensor(boxes), "xyxy", "xywhr")


@pytest.mark.parametrize("count", [0, 1, 40, 1200])
def test_nms(count: int) -> None:
    boxes, scores = some_boxes(count, 60.0), rng(5).random(count).round(2)
    classes = rng(6).integers(0, 3, count)
    kept: list[int] = []
    overlaps = ops.box_iou(torch.tensor(boxes), torch.tensor(boxes)).numpy() * (classes[:, None] == classes)
    for number in np.argsort(-scores, kind="stable"):
        if all(overlaps[number, other] <= 0.4 for other in kept):
            kept.append(int(number))
    tensors = torch.tensor(boxes), torch.tensor(scores)
    if count < 100:
        assert ops.batched_nms(*tensors, torch.tensor(classes), 0.4).tolist() == kept
    else:  # by class
        parts = [np.flatnonzero(classes == kind) for kind in range(3)]
        found = [part[ops.nms(tensors[0][part], tensors[1][part], 0.4).numpy()] for part in parts]
        together = ops.batched_nms(*tensors, torch.tensor(classes), 0.4)
        assert sorted(together.tolist()) == sorted(np.concatenate(found).tolist())
        assert np.all(np.diff(scores[together.numpy()]) <= 0)
    assert ops.nms(*tensors, 1.0).tolist() == np.argsort(-scores, kind="stable").tolist()


def test_masks_to_boxes() -> None:
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 2:4, 3:7] = True
    masks[2, 5, 0] = True
    found = ops.masks_to_boxes(torch.tensor(masks))
    assert found.tolist() == [[3, 2, 6, 3], [0, 0, 0, 0], [0, 5, 0, 5]] and found.dtype is torch.float32
    assert ops.masks_to_boxes(torch.zeros(0, 3, 3)).shape == (0, 4)


def test_focal_loss() -> None:
    scores, targets = rng().normal(size=(3, 4)), (rng(1).random((3, 4)) > 0.5).astype(float)
    p = 1 / (1 + np.exp(-scores))
    for alpha, gamma in ((0.25, 2), (-1, 1.5)):
        right = np.where(targets == 1, p, 1 - p)
        weight = 1.0 if alpha < 0 else np.where(targets == 1, alpha, 1 - alpha)
        expected = -weight * (1 - right) ** gamma * np.log(right)
        found = ops.sigmoid_focal_loss(torch.tensor(scores), torch.tensor(targets), alpha, gamma)
        assert np.allclose(found, expected, rtol=0, atol=1e-12)
        total = ops.sigmoid_focal_loss(torch.tensor(scores), torch.tensor(targets), alpha, gamma, "mean")
        assert total.item() == pytest.approx(expected.mean())
    assert gradcheck(lambda x: ops.sigmoid_focal_loss(x, torch.tensor(targets)), (variable(scores),))
    with pytest.raises(ValueError, match="Invalid alpha value: 2"):
        ops.sigmoid_focal_loss(torch.tensor(scores), torch.tensor(targets), 2)


# ---- regions of interest

# The picture's number and corners: inside, reaching outside on all sides, tiny, far outside, turned over.
ROIS = np.array(
    [
        [0, 1.2, 0.7, 6.3, 5.1],
        [1, -3.0, -2.5, 12.0, 9.5],
        [1, 2.5, 3.5, 2.6, 3.55],
        [0, 30.0, 1.0, 34.0, 4.0],
        [0, 4.5, 2.5, 9.0, 7.5],
    ]
)


def between(plane: Array, y: float, x: float) -> float:
    """A number of a plane between its places, as Mask R-CNN's authors take it."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper, lower = (plane[row, left] * (1 - x + left) + plane[row, right] * (x - left) for row in (top, bottom))
    return upper * (1 - y + top) + lower * (y - top)


def aligned_bins(maps: Array, rois: Array, size: tuple[int, int], scale: float, ratio: int, kind: str) -> Array:
    channels = maps.shape[1] // (size[0] * size[1]) if kind == "ps" else maps.shape[1]
    result = np.zeros((len(rois), channels, *size))
    for number, roi in enumerate(rois):
        x, y, right, bottom = roi[1:] * scale - (0.0 if kind == "plain" else 0.5)
        extent = np.array([bottom - y, right - x])
        extent = np.maximum(extent, 1) if kind == "plain" else extent
        side = extent / size
        grid = [ratio, ratio] if ratio > 0 else [math.ceil(s) for s in side]
        for channel, i, j in np.ndindex(result.shape[1:]):
            plane = maps[int(roi[0]), (channel * size[0] + i) * size[1] + j if kind == "ps" else channel]
            down = [y + (i + (a + 0.5) / grid[0]) * side[0] for a in range(grid[0])]
            along = [x + (j + (b + 0.5) / grid[1]) * side[1] for b in range(grid[1])]
            samples = [between(plane, a, b) for a in down for b in along]
            result[number, channel, i, j] = sum(samples) / max(len(samples), 1)
    return result


@pytest.mark.parametrize("ratio", [2, 0, -1])
@pytest.mark.parametrize("kind", ["plain", "aligned", "ps"])
def test_roi_align(kind: str, ratio: int) -> None:
    size = (2, 3)
    maps = rng().normal(size=(2, 6, 7, 8))

    def call(x: Any) -> Any:
        rois = torch.tensor(ROIS)
        if kind == "ps":
            return ops.ps_roi_align(x, rois, size, 0.9, ratio)
        return ops.roi_align(x, rois, size, 0.9, ratio, kind == "aligned")

    assert np.allclose(call(torch.tensor(maps)), aligned_bins(maps, ROIS, size, 0.9, ratio, kind), rtol=0, atol=1e-12)
    check_adjoint(call, maps)
    single = torch.tensor(maps, dtype=torch.float32)
    boxes = [torch.tensor(ROIS[ROIS[:, 0] == number, 1:], dtype=torch.float32) for number in (0, 1)]
    order = np.argsort(ROIS[:, 0], kind="stable")
    layer: Any = ops.PSRoIAlign(size, 0.9, ratio) if kind == "ps" else ops.RoIAlign(size, 0.9, ratio, kind == "aligned")  # type: ignore[arg-type]
    assert np.allclose(layer(single, boxes), call(torch.tensor(maps))[order], rtol=0, atol=1e-5)


def check_adjoint(function: Any, array: Array, error: float = 1e-12) -> None:
    """That the gradient of a linear function is its adjoint."""
    x, direction = variable(array * 0), rng(7).normal(size=array.shape)
    result = function(x)
    weights = rng(8).normal(size=tuple(result.shape))
    (result * torch.tensor(weights)).sum().backward()
    there = float((function(torch.tensor(direction)).numpy() * weights).sum())
    assert there == pytest.approx(float((x.grad.numpy() * direction).sum()), rel=error)


def whole(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def pooled_bins(maps: Array, rois: Array, size: tuple[int, int], scale: float, kind: str) -> Array:
    height, width = maps.shape[2:]
    channels = maps.shape[1] // (size[0] * size[1]) if kind == "ps" else maps.shape[1]
    more, limits = (0, (height - 1, width - 1)) if kind == "ps" else (1, (height, width))
    result = np.zeros((len(rois), channels, *size))
    for number, roi in enumerate(rois):
        left, top, right, bottom = (whole(entry) for entry in roi[1:] * scale)
        starts, sides = (top, left), [max(bottom - top + more, 1) / size[0], max(right - left + more, 1) / size[1]]
        for channel, *place in np.ndindex(result.shape[1:]):
            spans = []
            for p, side, start, limit in zip(place, sides, starts, limits, strict=True):
                ends = math.floor(p * side) + start, math.ceil((p + 1) * side) + start
                spans.append(slice(*(min(max(end, 0), limit) for end in ends)))
            plane = (channel * size[0] + place[0]) * size[1] + place[1] if kind == "ps" else channel
            found = maps[int(roi[0]), plane, spans[0], spans[1]]
            if found.size:
                result[number, channel, *place] = found.mean() if kind == "ps" else found.max()
    return result


@pytest.mark.parametrize("kind", ["plain", "ps"])
def test_roi_pool(kind: str) -> None:
    size, maps = (2, 3), rng().normal(size=(2, 6, 7, 8))
    function = ops.ps_roi_pool if kind == "ps" else ops.roi_pool

    def call(x: Any) -> Any:
        return function(x, torch.tensor(ROIS), size, 1.0)

    assert np.allclose(call(torch.tensor(maps)), pooled_bins(maps, ROIS, size, 1.0, kind), rtol=0, atol=1e-12)
    # A largest number is linear as long as it stays the largest one.
    check_adjoint(lambda x: call(torch.tensor(maps) + x * 1e-6) * 1e6 - call(torch.tensor(maps)) * 1e6, maps, 1e-6)
    layer = (ops.PSRoIPool if kind == "ps" else ops.RoIPool)(size, 1.0)
    assert torch.equal(layer(torch.tensor(maps), torch.tensor(ROIS)), call(torch.tensor(maps)))


def test_roi_pools_gradient_goes_to_the_first_of_equals() -> None:
    maps = torch.ones(1, 1, 3, 3, requires_grad=True)
    ops.roi_pool(maps, [torch.tensor([[0.0, 0.0, 2.0, 2.0]])], 1).backward()
    assert maps.grad.flatten().tolist() == [1.0] + [0.0] * 8


@pytest.mark.parametrize("name", ["roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool"])
def test_wrong_regions(name: str) -> None:
    function, maps = getattr(ops, name), torch.zeros(1, 4, 5, 5)
    assert function(maps, torch.zeros(0, 5), 2).shape == (0, 1 if name.startswith("ps") else 4, 2, 2)
    with pytest.raises(AssertionError, match=r"Tensor\[K, 5\]"):
        function(maps, torch.zeros(3, 4), 2)
    with pytest.raises(AssertionError, match=r"List\[Tensor\[L, 4\]\]"):
        function(maps, [torch.zeros(3, 5)], 2)
    with pytest.raises(AssertionError, match="expected to be"):
        function(maps, None, 2)
    with pytest.raises(RuntimeError, match="same dtype"):
        function(maps, torch.zeros(3, 5, dtype=torch.float64), 2)
    if name.startswith("ps"):
        with pytest.raises(RuntimeError, match="must be a multiple of"):
            function(maps, torch.zeros(3, 5), 3)


def test_regions_of_boxes_that_are_no_numbers() -> None:
    boxes = torch.tensor([[0.0, math.nan, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 2.0, 2.0]])
    found = ops.roi_align(torch.ones(1, 1, 4, 4), boxes, 2, sampling_ratio=2)
    assert found[1].tolist() == [[[1.0, 1.0], [1.0, 1.0]]] and found[0].tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_a_loop_that_is_compiled() -> None:
    maps, boxes, seen = variable(rng().normal(size=(2, 3, 7, 8))), torch.tensor(ROIS), []
    for _ in range(6):
        maps.grad = None
        (ops.roi_align(maps, boxes, 2, sampling_ratio=2) ** 2).sum().backward()
        seen.append(maps.grad.numpy().copy())
    assert all(np.allclose(grad, seen[0], rtol=0, atol=1e-12) for grad in seen)


def test_multi_scale() -> None:
    pool = ops.MultiScaleRoIAlign(["a", "b"], 3, 2, canonical_scale=32, canonical_level=3)
    maps = {"a": rng().normal(size=(2, 5, 16, 16)), "c": np.zeros((1, 1)), "b": rng(1).normal(size=(2, 5, 8, 8))}
    boxes = [some_boxes(4, 60.0), np.array([[5.0, 6, 50, 52], [1, 2, 12, 9], [3, 30, 60, 63]])]
    sizes = [(64, 60), (50, 64)]
    found = pool({name: torch.tensor(entry) for name, entry in maps.items()}, [torch.tensor(b) for b in boxes], sizes)
    assert pool.scales == [0.25, 0.125] and (pool.map_levels.k_min, pool.map_levels.k_max) == (2, 3)
    number, levels = 0, set()
    for picture, several in enumerate(boxes):
        for x1, y1, x2, y2 in several:
            level = math.floor(3 + math.log2(math.sqrt((x2 - x1) * (y2 - y1)) / 32) + 1e-6)
            level = min(max(level, 2), 3)
            levels.add(level)
            roi = np.array([[picture, x1, y1, x2, y2]])
            expected = aligned_bins(maps["a" if level == 2 else "b"], roi, (3, 3), 0.5**level, 2, "plain")
            assert np.allclose(found[number], expected[0], rtol=0, atol=1e-12)
            number += 1
    assert levels == {2, 3}
    single = ops.MultiScaleRoIAlign(["b"], (3, 3), 2)
    assert single({"b": torch.tensor(maps["b"])}, [torch.tensor(b) for b in boxes], sizes).shape == (7, 5, 3, 3)
    with pytest.raises(ValueError, match="images list should not be empty"):
        ops.MultiScaleRoIAlign(["b"], 3, 2)({"b": torch.tensor(maps["b"])}, [torch.tensor(boxes[0])], [])
    assert repr(pool) == "MultiScaleRoIAlign(featmap_names=['a', 'b'], output_size=(3, 3), sampling_ratio=2)"


# ---- deformable convolution


def at_zero_outside(plane: Array, y: float, x: float) -> float:
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def deformed(
    x: Array, offset: Array, weight: Array, mask: Array | None, stride: Any, padding: Any, dilation: Any
) -> Array:
    pictures, channels = x.shape[:2]
    out, own, rows, columns = weight.shape
    sets = offset.shape[1] // (2 * rows * columns)
    result = np.zeros((pictures, out, *offset.shape[2:]))
    for n, o, i, j in np.ndindex(result.shape):
        first = o // (out // (channels // own)) * own
        for c, a, b in np.ndindex(own, rows, columns):
            group = (first + c) // (channels // sets)
            tap = (group * rows + a) * columns + b
            y = i * stride[0] - padding[0] + a * dilation[0] + offset[n, 2 * tap, i, j]
            along = j * stride[1] - padding[1] + b * dilation[1] + offset[n, 2 * tap + 1, i, j]
            factor = 1.0 if mask is None else mask[n, tap, i, j]
            result[n, o, i, j] += weight[o, c, a, b] * factor * at_zero_outside(x[n, first + c], y, along)
    return result


@pytest.mark.parametrize(
    ("groups", "sets", "stride", "padding", "dilation", "masked"),
    [
        (1, 1, (1, 1), (0, 0), (1, 1), False),
        (1, 2, (2, 1), (1, 2), (1, 1), True),
        (2, 1, (1, 2), (2, 0), (2, 1), True),
        (2, 4, (1, 1), (1, 1), (1, 2), False),
    ],
)
def test_deformable(groups: int, sets: int, stride: Any, padding: Any, dilation: Any, masked: bool) -> None:
    x, weight = rng().normal(size=(2, 4, 6, 5)), rng(1).normal(size=(4, 4 // groups, 3, 2))
    size = tuple((x.shape[2 + d] + 2 * padding[d] - dilation[d] * (2 - d) - 1) // stride[d] + 1 for d in (0, 1))
    offset = rng(2).normal(size=(2, 2 * sets * 6, *size)) * 2
    mask = rng(3).random((2, sets * 6, *size)) if masked else None
    bias = rng(4).normal(size=4)
    expected = deformed(x, offset, weight, mask, stride, padding, dilation) + bias[:, None, None]

    def call(x: Any, offset: Any, weight: Any, bias: Any, mask: Any = None) -> Any:
        return ops.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)

    arrays = [x, offset, weight, bias] + ([] if mask is None else [mask])
    assert np.allclose(call(*map(torch.tensor, arrays)), expected, rtol=0, atol=1e-12)
    variables = [variable(array) for array in arrays]
    weights = torch.tensor(rng(5).normal(size=expected.shape))
    (call(*variables) * weights).sum().backward()
    for array, tensor in zip(arrays, variables, strict=True):  # finite differences in some directions
        for seed in range(3):
            step = rng(10 + seed).normal(size=array.shape) * 1e-6
            ends = [call(*(torch.tensor(a + s * step if a is array else a) for a in arrays)) for s in (1, -1)]
            slope = ((ends[0] - ends[1]) * weights).sum().item() / 2
            assert slope == pytest.approx(float((tensor.grad.numpy() * step).sum()), rel=1e-5, abs=1e-10)


def test_deformable_without_offsets_is_a_convolution() -> None:
    torch.manual_seed(0)
    layer = ops.DeformConv2d(4, 6, 3, stride=2, padding=1, groups=2)
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    assert torch.equal(layer.weight, plain.weight) and torch.equal(layer.bias, plain.bias)
    x = torch.randn(2, 4, 7, 8)
    assert torch.allclose(layer(x, torch.zeros(2, 18, 4, 4)), plain(x), atol=1e-6)
    half = layer(x, torch.zeros(2, 18, 4, 4), torch.full((2, 9, 4, 4), 0.5)) - layer.bias[:, None, None]
    assert torch.allclose(half * 2 + layer.bias[:, None, None], plain(x), atol=1e-6)
    assert repr(layer) == "DeformConv2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=2)"
    for offset, mask, message in (
        (torch.zeros(2, 17, 4, 4), None, "offset tensor at dimension 1 is not valid"),
        (torch.zeros(2, 18, 4, 5), None, "offset output dims"),
        (torch.zeros(2, 18, 4, 4), torch.zeros(2, 8, 4, 4), "mask should have shape"),
    ):
        with pytest.raises(RuntimeError, match=message):
            layer(x, offset, mask)
    with pytest.raises(ValueError, match="out_channels must be divisible by groups"):
        ops.DeformConv2d(4, 5, 3, groups=2)


# ---- layers


def test_blocks() -> None:
    block = ops.Conv2dNormActivation(3, 4, (3, 5), dilation=2, norm_layer=None)
    assert block[0].padding == (2, 4) and block[0].bias is not None and len(block) == 2 and block.out_channels == 4
    assert block(torch.zeros(1, 3, 9, 9)).shape == (1, 4, 9, 9)
    block = ops.Conv2dNormActivation(3, 4, inplace=None, activation_layer=nn.GELU)
    assert block[0].bias is None and [type(part).__name__ for part in block] == ["Conv2d", "BatchNorm2d", "GELU"]
    assert ops.Conv3dNormActivation(3, 4)(torch.zeros(2, 3, 5, 5, 5)).shape == (2, 4, 5, 5, 5)
    with pytest.warns(UserWarning, match="Don't use ConvNormActivation directly"):
        ops.layers.ConvNormActivation(3, 4)
    names = [type(part).__name__ for part in ops.MLP(3, [4, 5], norm_layer=nn.LayerNorm, inplace=True)]
    assert names == ["Linear", "LayerNorm", "ReLU", "Dropout", "Linear", "Dropout"]
    assert ops.Permute([0, 2, 1])(torch.zeros(2, 3, 4)).shape == (2, 4, 3)
    squeeze = ops.SqueezeExcitation(3, 2, nn.SiLU, nn.Hardsigmoid)
    assert list(squeeze.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    x = torch.randn(2, 3, 4, 4)
    inner = nn.functional.silu(squeeze.fc1(x.mean((2, 3), keepdim=True)))
    assert torch.allclose(squeeze(x), x * nn.functional.hardsigmoid(squeeze.fc2(inner)))


def test_frozen_normalization() -> None:
    live = nn.BatchNorm2d(3).eval()
    with torch.no_grad():
        for parameter in (live.weight, live.bias, live.running_mean, live.running_var):
            parameter.uniform_(0.5, 2)
    frozen = ops.FrozenBatchNorm2d(3)
    frozen.load_state_dict(live.state_dict())
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(frozen(x), live(x), atol=1e-6) and not list(frozen.parameters())
    assert repr(frozen) == "FrozenBatchNorm2d(3, eps=1e-05)"


def test_stochastic_depth() -> None:
    x = torch.ones(4, 2)
    torch.manual_seed(0)
    found = ops.stochastic_depth(x, 0.25, "row")
    torch.manual_seed(0)
    assert torch.equal(found, x * (torch.empty(4, 1).bernoulli_(0.75) / 0.75))
    assert ops.stochastic_depth(x, 0.5, "batch").unique().numel() == 1
    assert ops.stochastic_depth(x, 0.5, "row", training=False) is x is ops.stochastic_depth(x, 0.0, "row")
    assert ops.stochastic_depth(x, 1.0, "row").sum().item() == 0
    layer = ops.StochasticDepth(0.5, "row")
    assert layer.eval()(x) is x and repr(layer) == "StochasticDepth(p=0.5, mode=row)"
    with pytest.raises(ValueError, match="drop probability has to be between 0 and 1, but got 2"):
        ops.stochastic_depth(x, 2, "row")
    with pytest.raises(ValueError, match="mode has to be"):
        ops.stochastic_depth(x, 0.5, "column")


@pytest.mark.parametrize("sides", [2, 3])
def test_drop_block(sides: int) -> None:
    function: Any = ops.drop_block2d if sides == 2 else ops.drop_block3d
    layer: Any = (ops.DropBlock2d if sides == 2 else ops.DropBlock3d)(0.3, 3)
    x = torch.ones(2, 3, *[7] * sides)
    torch.manual_seed(0)
    found = function(x, 0.3, 3)
    torch.manual_seed(0)
    starts = torch.empty(2, 3, *[5] * sides).bernoulli_(0.3 * 7**sides / (3**sides * 5**sides)).numpy()
    kept = np.ones(x.shape, np.float32)
    for n, c, *place in np.argwhere(starts):
        kept[n, c, *(slice(p, p + 3) for p in place)] = 0
    assert 0 < kept.mean() < 1 and np.allclose(found, kept / kept.mean(), rtol=1e-5)
    torch.manual_seed(0)
    assert torch.equal(layer(x), found) and layer.eval()(x) is x
    torch.manual_seed(0)
    assert function(x, 0.3, 3, inplace=True) is x and torch.equal(x, found)
    assert repr(layer) == f"DropBlock{sides}d(p=0.3, block_size=3, inplace=False)"
    with pytest.raises(ValueError, match="block size should be odd. Got 2"):
        function(x, 0.3, 2)
    with pytest.raises(ValueError, match=f"input should be {sides + 2} dimensional. Got 2"):
        function(torch.ones(2, 2), 0.3, 3)


def test_feature_pyramid() -> None:
    torch.manual_seed(0)
    pyramid = ops.FeaturePyramidNetwork([3, 4], 2, ops.feature_pyramid_network.LastLevelMaxPool())
    x = OrderedDict(large=torch.randn(1, 3, 8, 6), small=torch.randn(1, 4, 4, 3))
    found = pyramid(x)
    assert list(found) == ["large", "small", "pool"] and list(x) == ["large", "small"]
    inner = [block(entry) for block, entry in zip(pyramid.inner_blocks, x.values(), strict=True)]
    large = inner[0] + inner[1].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(found["large"], pyramid.layer_blocks[0](large), atol=1e-6)
    assert torch.allclose(found["small"], pyramid.layer_blocks[1](inner[1]), atol=1e-6)
    assert torch.equal(found["pool"], found["small"][..., ::2, ::2])
    old = {".".join(name.rsplit(".0.", 1)): entry for name, entry in pyramid.state_dict().items()}
    renewed = ops.FeaturePyramidNetwork([3, 4], 2)
    renewed.load_state_dict(old)
    assert torch.equal(renewed(x)["large"], found["large"])
    extra = ops.feature_pyramid_network.LastLevelP6P7(4, 2)
    assert list(ops.FeaturePyramidNetwork([3, 4], 2, extra)(x)) == ["large", "small", "p6", "p7"] and not extra.use_P5
    with pytest.raises(ValueError, match="in_channels=0"):
        ops.FeaturePyramidNetwork([0], 2)
    with pytest.raises(TypeError, match="should be of type ExtraFPNBlock"):
        ops.FeaturePyramidNetwork([3], 2, nn.ReLU())  # type: ignore[arg-type]
