"""Data sets of pictures: torchvision.datasets. Files of less common ones are loaded when one of their names is used."""

from rushlight.core.missing import missing
from rushlight.vision.datasets.cifar import CIFAR10, CIFAR100
from rushlight.vision.datasets.fakedata import FakeData
from rushlight.vision.datasets.folder import DatasetFolder, ImageFolder
from rushlight.vision.datasets.mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from rushlight.vision.datasets.vision import VisionDataset

_NAMES = {
    "annotated": "Cityscapes Flickr30k Flickr8k Kitti OxfordIIITPet SBDataset SBU VOCDetection VOCSegmentation",
    "arrays": "SEMEION STL10 SVHN USPS",
    "coco": "CocoCaptions CocoDetection",
    "faces": "CelebA FER2013 LFWPairs LFWPeople WIDERFace",
    "imagenet": "ImageNet",
    "in_folders": "Caltech101 Caltech256 Country211 EuroSAT INaturalist Omniglot Places365",
    "listed": """CLEVRClassification DTD FGVCAircraft Flowers102 Food101 GTSRB Imagenette RenderedSST2 StanfordCars
              SUN397""",
    "optical_flow": "FlyingChairs FlyingThings3D Sintel",
    "sequences": "MovingMNIST PCAM PhotoTour",
    "wrapping": "wrap_dataset_for_transforms_v2",
}
_LAZY = {name: f"{__name__}.{module}:{name}" for module, names in _NAMES.items() for name in names.split()}

__all__ = [  # noqa: PLE0604
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
    *_LAZY,
]

__getattr__ = missing(__name__, _LAZY)
