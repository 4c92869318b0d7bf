"""Data sets whose samples say what they are, for `transforms.v2`: masks and boxes as `tv_tensors`.

`wrap_dataset_for_transforms_v2` puts an object around a data set. It takes the transforms from it, turns each bare
sample into one with masks and boxes by a function for that kind of data set (`WRAPPERS`), and applies the transforms.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from typing import Any

import rushlight
from rushlight.vision.datasets.vision import VisionDataset
from rushlight.vision.ops.boxes import box_convert
from rushlight.vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, Mask

__all__ = ["wrap_dataset_for_transforms_v2"]

Sample = tuple[Any, Any]
Wrapper = Callable[[int, Sample], Any]


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Collection[str] | None = None) -> Any:
    """The same data set with masks and boxes as `tv_tensors`.

    Of lists of dictionaries (`CocoDetection`, `Kitti`) the targets become dictionaries of lists. "boxes" (x1, y1, x2,
    y2), "labels" and for COCO "masks" are added.

    Args:
        dataset: a data set of pictures.
        target_keys: which keys of such a dictionary are wanted, or "all"; by default boxes and labels.

    Raises:
        TypeError: nothing is known of this kind of data set.
        ValueError: for keys that are not there.
        RuntimeError: for kinds of targets that cannot be transformed.
    """
    keys = target_keys
    if keys is not None and keys != "all" and not _are_strings(keys):
        raise ValueError(
            "`target_keys` can be None, 'all', or a collection of strings denoting the keys to be returned, "
            f"but got {keys}"
        )
    # A class of its own, so that the wrapped one passes for an instance of the data set's class.
    wrapped = type(f"Wrapped{type(dataset).__name__}", (Wrapped, type(dataset)), {})
    return wrapped(dataset, target_keys)


def _are_strings(keys: Any) -> bool:
    return isinstance(keys, Collection) and all(isinstance(key, str) for key in keys)


class Wrapped:
    """A data set around another one, which it takes samples and attributes from."""

    def __init__(self, dataset: Any, target_keys: Any) -> None:
        self._wrapper = _wrapper_of(dataset, target_keys)
        self._dataset, self._target_keys = dataset, target_keys
        for name in ("transform", "target_transform", "transforms"):
            setattr(self, name, getattr(dataset, name))
            setattr(dataset, name, None)

    def __getattr__(self, name: str) -> Any:
        if name == "_dataset":  # while it is being copied or unpickled
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> Any:
        sample = self._wrapper(index, self._dataset[index])
        transforms = self.transforms  # what the other two do, too
        return sample if transforms is None else transforms(*sample)

    def __len__(self) -> int:
        return len(self._dataset)

    def __reduce__(self) -> Any:
        dataset = copy.copy(self._dataset)
        for name in ("transform", "target_transform", "transforms"):
            setattr(dataset, name, getattr(self, name))
        return wrap_dataset_for_transforms_v2, (dataset, self._target_keys)


def _wrapper_of(dataset: Any, target_keys: Any) -> Wrapper:
    kind = type(dataset)
    if not isinstance(dataset, VisionDataset):
        raise TypeError(
            "This wrapper is meant for subclasses of `torchvision.datasets.VisionDataset`, "
            f"but got a '{kind.__name__}' instead."
        )
    package = __name__.rpartition(".")[0]
    for base in kind.mro():
        if base.__module__.startswith(package) and base.__name__ in WRAPPERS:
            if target_keys is not None and base.__name__ not in WITH_KEYS:
                raise ValueError(
                    "`target_keys` is currently only supported for `CocoDetection`, `VOCDetection`, `Kitti`, "
                    f"and `WIDERFace`, but got {base.__name__}."
                )
            return WRAPPERS[base.__name__](dataset, target_keys)
    raise TypeError(f"No wrapper exists for dataset class {kind.__name__}. Please wrap the output yourself.")


def _refuse(description: str) -> None:
    raise RuntimeError(f"{description} is currently not supported by this wrapper.")


def _chosen(keys: Any, added: Iterable[str], own: Iterable[str], default: Iterable[str] | None = None) -> list[str]:
    """The keys that are wanted: by default those that are added."""
    available = [*added, *own]
    wanted = set(available if keys == "all" else keys if keys is not None else default or added)
    if extra := wanted - set(available):
        raise ValueError(f"Target keys {sorted(extra)} are not available")
    return [key for key in available if key in wanted]


def _lists(dictionaries: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """A list of dictionaries as a dictionary of lists."""
    names = dict.fromkeys(name for entry in dictionaries for name in entry)
    return {name: [entry[name] for entry in dictionaries if name in entry] for name in names}


def _boxes(corners: Any, picture: Any, fmt: str = "xyxy") -> Any:
    numbers = rushlight.as_tensor(corners)
    if fmt != "xyxy":
        numbers = box_convert(numbers, fmt, "xyxy").to(numbers.dtype)
    return BoundingBoxes(numbers, format=BoundingBoxFormat.XYXY, canvas_size=(picture.height, picture.width))


def _by_type(target: Any, types: list[str], functions: dict[str, Callable[[Any], Any]]) -> Any:
    """Each kind of target through the function for it."""
    several = target if isinstance(target, list | tuple) else [target]
    found = [functions.get(kind, lambda item: item)(item) for kind, item in zip(types, several, strict=False)]
    return found[0] if len(found) == 1 else tuple(found)


# ---- what is done to a sample, by the kind of data set


def _as_it_is(dataset: Any, keys: Any) -> Wrapper:
    return lambda index, sample: sample


def _segmentation(dataset: Any, keys: Any) -> Wrapper:
    return lambda index, sample: (sample[0], Mask(sample[1]))


def _caltech101(dataset: Any, keys: Any) -> Wrapper:
    if "annotation" in dataset.target_type:
        _refuse("Caltech101 dataset with `target_type=['annotation', ...]`")
    return _as_it_is(dataset, keys)


def _sbd(dataset: Any, keys: Any) -> Wrapper:
    if dataset.mode == "boundaries":
        _refuse("SBDataset with mode='boundaries'")
    return _segmentation(dataset, keys)


def _coco(dataset: Any, keys: Any) -> Wrapper:
    own = "segmentation area iscrowd bbox category_id".split()
    wanted = _chosen(keys, ("image_id", "boxes", "labels", "masks"), own, ("image_id", "boxes", "labels"))

    def wrapper(index: int, sample: Sample) -> Sample:
        picture, annotations = sample
        number = dataset.ids[index]
        if not annotations:
            return picture, {"image_id": number}
        lists = _lists(annotations)
        makers: dict[str, Callable[[], Any]] = {
            "image_id": lambda: number,
            "boxes": lambda: _boxes(lists["bbox"], picture, "xywh"),
            "labels": lambda: rushlight.tensor(lists["category_id"]),
            "masks": lambda: Mask(rushlight.stack([_coco_mask(entry, picture) for entry in lists["segmentation"]])),
        }
        return picture, {key: makers[key]() if key in makers else lists[key] for key in wanted}

    return wrapper


def _coco_mask(outline: Any, picture: Any) -> Any:
    """The mask of polygons or of run lengths, which pycocotools draws."""
    try:
        from pycocotools import mask  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as error:
        raise RuntimeError("masks of COCO need the package pycocotools: pip install pycocotools") from error
    size = picture.height, picture.width
    if isinstance(outline, list):
        outline = mask.merge(mask.frPyObjects(outline, *size))
    elif not isinstance(outline, dict):
        raise ValueError(f"COCO segmentation expected to be a dict or a list, got {type(outline)}")
    elif not isinstance(outline["counts"], str):
        outline = mask.frPyObjects(outline, *size)
    return rushlight.from_numpy(mask.decode(outline))


VOC_DETECTION_CATEGORIES = """__background__ aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog
    horse motorbike person pottedplant sheep sofa train tvmonitor""".split()


def _voc(dataset: Any, keys: Any) -> Wrapper:
    wanted = _chosen(keys, ("boxes", "labels"), ["annotation"])

    def wrapper(index: int, sample: Sample) -> Sample:
        picture, target = sample
        lists = _lists(target["annotation"]["object"])
        target = target if "annotation" in wanted else {}
        if "boxes" in wanted:
            sides = "xmin ymin xmax ymax".split()
            target["boxes"] = _boxes([[int(box[side]) for side in sides] for box in lists["bndbox"]], picture)
        if "labels" in wanted:
            target["labels"] = rushlight.tensor([VOC_DETECTION_CATEGORIES.index(name) for name in lists["name"]])
        return picture, target

    return wrapper


def _celeba(dataset: Any, keys: Any) -> Wrapper:
    if {"attr", "landmarks"} & set(dataset.target_type):
        _refuse("`CelebA` dataset with `target_type=['attr', 'landmarks', ...]`")

    def wrapper(index: int, sample: Sample) -> Sample:
        picture, target = sample
        return picture, _by_type(target, dataset.target_type, {"bbox": lambda box: _boxes(box, picture, "xywh")})

    return wrapper


KITTI_CATEGORIES = "Car Van Truck Pedestrian Person_sitting Cyclist Tram Misc DontCare".split()


def _kitti(dataset: Any, keys: Any) -> Wrapper:
    own = "type truncated occluded alpha bbox dimensions location rotation_y".split()
    wanted = _chosen(keys, ("boxes", "labels"), own)

    def wrapper(index: int, sample: Sample) -> Sample:
        picture, target = sample
        if target is None:
            return sample
        lists = _lists(target)
        lists |= {"boxes": lists["bbox"], "labels": [KITTI_CATEGORIES.index(name) for name in lists["type"]]}
        makers = {"boxes": lambda boxes: _boxes(boxes, picture), "labels": rushlight.tensor}
        return picture, {key: makers[key](lists[key]) if key in makers else lists[key] for key in wanted}

    return wrapper


def _pets(dataset: Any, keys: Any) -> Wrapper:
    def wrapper(index: int, sample: Sample) -> Sample:
        picture, target = sample
        return picture, target if target is None else _by_type(target, dataset._target_types, {"segmentation": Mask})

    return wrapper


def _cityscapes(dataset: Any, keys: Any) -> Wrapper:
    if {"polygon", "color"} & set(dataset.target_type):
        _refuse("`Cityscapes` dataset with `target_type=['polygon', 'color', ...]`")
    functions: dict[str, Callable[[Any], Any]] = {"instance": _instances, "semantic": Mask}
    return lambda index, sample: (sample[0], _by_type(sample[1], dataset.target_type, functions))


def _instances(picture: Any) -> dict[str, Any]:
    """A mask for each thing; of numbers from 1000 on, the thousands are the class."""
    numbers = Mask(picture)
    different = numbers.unique()
    masks = rushlight.stack([numbers == number for number in different])
    return {"masks": Mask(masks), "labels": rushlight.where(different >= 1000, different // 1000, different)}


def _widerface(dataset: Any, keys: Any) -> Wrapper:
    own = "bbox blur expression illumination occlusion pose invalid".split()
    wanted = _chosen(keys, (), own, own)

    def wrapper(index: int, sample: Sample) -> Sample:
        picture, target = sample
        if target is None:
            return sample
        found = {key: target[key] for key in wanted}
        if "bbox" in found:
            found["bbox"] = _boxes(found["bbox"], picture, "xywh")
        return picture, found

    return wrapper


_CLASSIFICATION = """Caltech256 CIFAR10 CIFAR100 ImageNet MNIST FashionMNIST GTSRB DatasetFolder ImageFolder Imagenette
    CocoCaptions""".split()
WRAPPERS: dict[str, Callable[[Any, Any], Wrapper]] = {
    **dict.fromkeys(_CLASSIFICATION, _as_it_is),
    "Caltech101": _caltech101,
    "CelebA": _celeba,
    "Cityscapes": _cityscapes,
    "CocoDetection": _coco,
    "Kitti": _kitti,
    "OxfordIIITPet": _pets,
    "SBDataset": _sbd,
    "VOCDetection": _voc,
    "VOCSegmentation": _segmentation,
    "WIDERFace": _widerface,
}
WITH_KEYS = ("CocoDetection", "VOCDetection", "Kitti", "WIDERFace")
