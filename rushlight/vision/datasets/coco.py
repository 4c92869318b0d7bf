"""COCO: pictures with boxes, outlines or captions, listed in one JSON file.

The list is read here: `CocoIndex` has those of the names of pycocotools' COCO that looking things up needs, and that
package is not needed. ``dataset.coco`` is such an index.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rushlight.vision.datasets.folder import open_picture
from rushlight.vision.datasets.vision import Transform, VisionDataset

__all__ = ["CocoCaptions", "CocoDetection", "CocoIndex"]

Entry = dict[str, Any]


class CocoIndex:
    """A list of annotations, with what belongs to what.

    Args:
        annotation_file: a JSON file with "images", and perhaps "annotations" and "categories".

    Attributes:
        dataset: the file's content.
        imgs, anns, cats: images, annotations and categories by their number.
        imgToAnns, catToImgs: an image's annotations, a category's images' numbers.
    """

    def __init__(self, annotation_file: str | Path) -> None:
        with open(annotation_file, encoding="utf-8") as file:
            self.dataset: Entry = json.load(file)
        if not isinstance(self.dataset, dict):
            raise TypeError(f"annotation file format {type(self.dataset)} not supported")
        self.imgs, self.anns, self.cats = (
            {entry["id"]: entry for entry in self.dataset.get(kind, ())}
            for kind in ("images", "annotations", "categories")
        )
        self.imgToAnns: dict[int, list[Entry]] = defaultdict(list)
        self.catToImgs: dict[int, list[int]] = defaultdict(list)
        for annotation in self.dataset.get("annotations", ()):
            self.imgToAnns[annotation["image_id"]].append(annotation)
            if "category_id" in annotation:
                self.catToImgs[annotation["category_id"]].append(annotation["image_id"])

    def getAnnIds(
        self, imgIds: Any = (), catIds: Any = (), areaRng: Any = (), iscrowd: bool | None = None
    ) -> list[int]:
        """The numbers of the annotations of these images and categories, with areas between the two given."""
        wanted, kinds = _several(imgIds), set(_several(catIds))
        groups = [self.imgToAnns.get(number, []) for number in wanted] if wanted else [self.dataset["annotations"]]
        low, high = areaRng if len(areaRng) else (None, None)
        return [
            entry["id"]
            for group in groups
            for entry in group
            if (not kinds or entry["category_id"] in kinds)
            and (low is None or low < entry["area"] < high)
            and (iscrowd is None or bool(entry["iscrowd"]) == bool(iscrowd))
        ]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[int]:
        """The numbers of the categories with these names, names of groups and numbers."""
        filters = [(key, set(_several(v))) for key, v in (("name", catNms), ("supercategory", supNms), ("id", catIds))]
        return [
            entry["id"]
            for entry in self.dataset.get("categories", ())
            if all(not allowed or entry[key] in allowed for key, allowed in filters)
        ]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[int]:
        """The numbers of these images, or of all, that have annotations of each of the categories."""
        found = set(_several(imgIds)) or set(self.imgs)
        for kind in _several(catIds):
            found &= set(self.catToImgs.get(kind, ()))
        return list(found)

    def loadAnns(self, ids: Any = ()) -> list[Entry]:
        """The annotations with these numbers."""
        return [self.anns[number] for number in _several(ids)]

    def loadCats(self, ids: Any = ()) -> list[Entry]:
        """The categories with these numbers."""
        return [self.cats[number] for number in _several(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Entry]:
        """The images with these numbers."""
        return [self.imgs[number] for number in _several(ids)]


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


class CocoDetection(VisionDataset):
    """COCO with a list of annotations for each picture. https://cocodataset.org/#detection-2016

    Args:
        root: folder of the pictures.
        annFile: the JSON file.
        transform, target_transform, transforms: functions of the picture, of the target, or of both.
    """

    def __init__(
        self,
        root: str | Path,
        annFile: str,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        transforms: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = CocoIndex(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, id: int) -> Any:
        return open_picture(os.path.join(self.root, self.coco.loadImgs(id)[0]["file_name"]), "RGB")

    def _load_target(self, id: int) -> list[Any]:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not isinstance(index, int):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        number = self.ids[index]
        return self._transform_both(self._load_image(number), self._load_target(number))

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """COCO with a list of captions for each picture. Arguments as for `CocoDetection`."""

    def _load_target(self, id: int) -> list[str]:
        return [annotation["caption"] for annotation in super()._load_target(id)]
