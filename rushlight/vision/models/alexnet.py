"""AlexNet, one column of it (A. Krizhevsky, One weird trick for parallelizing CNNs, arXiv:1404.5997)."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.weights import build, imagenet_weights

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]

AlexNet_Weights = imagenet_weights(
    "AlexNet_Weights", "alexnet-owt-7be5be79.pth", num_params=61100840, min_size=(63, 63)
)


class AlexNet(nn.Module):
    """Pictures (N, 3, H, W), H and W at least 63, to scores (N, num_classes)."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(rushlight.flatten(x, 1))


def alexnet(weights: Any = None, progress: bool = True, **kwargs: Any) -> AlexNet:
    """AlexNet; options as for the class."""
    return build(AlexNet, AlexNet_Weights, weights, progress, kwargs)
