"""GoogLeNet: convolutions of several sizes side by side, and two auxiliary classifiers on the way.

C. Szegedy et al., arXiv:1409.4842. In training the result is a `GoogLeNetOutputs`, all three classifiers' scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.weights import build, chosen_weights, imagenet_weights, require

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "GoogLeNet_Weights", "googlenet"]

GoogLeNet_Weights = imagenet_weights(
    "GoogLeNet_Weights", "googlenet-1378be20.pth", num_params=6624904, min_size=(15, 15)
)

# Channels of the inception blocks: what comes in, 1x1, 3x3 reduced and full, 5x5 reduced and full, pooled.
BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNetOutputs(NamedTuple):
    """The scores in training: of the network, and of the second and the first auxiliary classifier."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


_GoogLeNetOutputs = GoogLeNetOutputs


class BasicConv2d(nn.Module):
    """Convolution, normalization, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Any:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four branches side by side; as in torchvision, the branch that the paper calls 5x5 is 3x3."""

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        step = conv_block or BasicConv2d
        self.branch1 = step(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            step(in_channels, ch3x3red, kernel_size=1), step(ch3x3red, ch3x3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            step(in_channels, ch5x5red, kernel_size=1), step(ch5x5red, ch5x5, kernel_size=3, padding=1)
        )
        pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, step(in_channels, pool_proj, kernel_size=1))

    def forward(self, x: Tensor) -> Any:
        return rushlight.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """A classifier on the way."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv_block: Callable[..., nn.Module] | None = None,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x: Tensor) -> Any:
        x = rushlight.flatten(self.conv(F.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


class GoogLeNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        num_classes: how many scores.
        aux_logits: whether there are auxiliary classifiers.
        transform_input: pictures are normalized as for other models, the weights want -1 to 1.
        init_weights: draw the weights from a truncated normal distribution; None does so with a warning.
        blocks: make a convolution, an inception block and an auxiliary classifier.
        dropout, dropout_aux: before the scores.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        blocks: Sequence[Callable[..., nn.Module]] | None = None,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        step, inception, auxiliary = _checked(blocks or (BasicConv2d, Inception, InceptionAux))
        self.aux_logits, self.transform_input = aux_logits, transform_input
        pool = partial(nn.MaxPool2d, stride=2, ceil_mode=True)
        self.conv1 = step(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = pool(3)
        self.conv2 = step(64, 64, kernel_size=1)
        self.conv3 = step(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = pool(3)
        for name, widths in BLOCKS.items():
            setattr(self, f"inception{name}", inception(*widths))
            if name == "3b":
                self.maxpool3 = pool(3)
            elif name == "4e":
                self.maxpool4 = pool(2)
        self.aux1 = auxiliary(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = auxiliary(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if draws_weights(init_weights, "GoogleNet"):
            start_truncated(self, 0.01)

    def forward(self, x: Tensor) -> Any:
        x = as_pretrained_input(x) if self.transform_input else x
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        first = self.inception4a(self.maxpool3(self.inception3b(self.inception3a(x))))
        aux1 = self.aux1(first) if self.aux1 is not None and self.training else None
        second = self.inception4d(self.inception4c(self.inception4b(first)))
        aux2 = self.aux2(second) if self.aux2 is not None and self.training else None
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(second))))
        x = self.fc(self.dropout(rushlight.flatten(self.avgpool(x), 1)))
        return GoogLeNetOutputs(x, aux2, aux1) if self.training and self.aux_logits else x


def _checked(blocks: Sequence[Callable[..., nn.Module]]) -> Sequence[Callable[..., nn.Module]]:
    if len(blocks) != 3:
        raise ValueError(f"blocks length should be 3 instead of {len(blocks)}")
    return blocks


def draws_weights(init_weights: bool | None, name: str) -> bool:
    """Whether weights are drawn; warns, as torchvision does, where that was not said."""
    if init_weights is None:
        warnings.warn(
            f"The default weight initialization of {name} will be changed in future releases of torchvision. If you "
            "wish to keep the old behavior (which leads to long initialization times due to scipy/scipy#11299), "
            "please set init_weights=True.",
            FutureWarning,
            stacklevel=3,
        )
    return init_weights is None or init_weights


def start_truncated(model: nn.Module, spread: float) -> None:
    """Weights from a normal distribution cut off at -2 and 2; a module's own ``stddev`` goes before ``spread``."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            init.trunc_normal_(module.weight, mean=0.0, std=float(getattr(module, "stddev", spread)), a=-2, b=2)
        elif isinstance(module, nn.BatchNorm2d):
            init.constant_(module.weight, 1)
            init.constant_(module.bias, 0)


def as_pretrained_input(x: Tensor) -> Tensor:
    """Pictures normalized with ImageNet's statistics as pictures normalized with 0.5."""
    statistics = zip(x.unbind(1), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    channels = [part.unsqueeze(1) * (spread / 0.5) + (mean - 0.5) / 0.5 for part, mean, spread in statistics]
    return rushlight.cat(channels, 1)  # type: ignore[no-any-return]


def googlenet(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> GoogLeNet:
    """GoogLeNet; options as for the class. With weights, auxiliary classifiers are left out unless asked for."""
    chosen = chosen_weights(GoogLeNet_Weights, weights, kwargs)
    if chosen is None:
        return GoogLeNet(**kwargs)
    keep = kwargs.pop("aux_logits", False)
    kwargs.setdefault("transform_input", True)
    require(kwargs, "init_weights", False)
    model = build(partial(GoogLeNet, aux_logits=True), GoogLeNet_Weights, chosen, progress, kwargs)
    if keep:
        warnings.warn(
            "auxiliary heads in the pretrained googlenet model are NOT pretrained, so make sure to train them",
            stacklevel=2,
        )
    else:
        model.aux_logits, model.aux1, model.aux2 = False, None, None
    return model
