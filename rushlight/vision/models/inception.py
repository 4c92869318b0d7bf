"""Inception v3: GoogLeNet's branches with large convolutions taken apart into rows and columns.

C. Szegedy et al., arXiv:1512.00567. Pictures are at least 75 by 75, best 299 by 299. In training the result is an
`InceptionOutputs`, the scores of the network and of its auxiliary classifier. A block is a table of branches, each a
chain of convolutions: name, channels, kernel size, and stride where it is not 1.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.tensor import Tensor
from rushlight.vision.models.googlenet import BasicConv2d, as_pretrained_input, draws_weights, start_truncated
from rushlight.vision.models.weights import File, build, chosen_weights, imagenet_weights, require

__all__ = ["Inception3", "InceptionOutputs", "Inception_V3_Weights", "inception_v3"]

Inception_V3_Weights = imagenet_weights(
    "Inception_V3_Weights",
    File("inception_v3_google-0cc3c7bd.pth", crop=299, resize=342),
    num_params=27161264,
    min_size=(75, 75),
)

Chain = list[Any]  # of (name, channels, kernel size[, stride]), or of a list of these that lie side by side
ROW, COLUMN = (1, 7), (7, 1)


class InceptionOutputs(NamedTuple):
    """The scores in training: of the network, and of the auxiliary classifier."""

    logits: Tensor
    aux_logits: Tensor | None


_InceptionOutputs = InceptionOutputs


class _Branches(nn.Module):
    """Chains of convolutions side by side, and a branch that pools.

    Args:
        in_channels: of the input.
        chains: see above.
        pool_features: channels of the branch that takes the mean of neighbours; None for one that takes every second
            maximum, as blocks do that halve the size.
    """

    def __init__(self, in_channels: int, chains: list[Chain], pool_features: int | None) -> None:
        super().__init__()
        self._names: list[list[list[str]]] = []
        for chain in chains:
            channels, names = in_channels, []
            for step in chain:
                together = step if isinstance(step, list) else [step]
                channels = sum(self._add(channels, *one) for one in together)
                names.append([one[0] for one in together])
            self._names.append(names)
        self.branch_pool = None
        if pool_features is not None:
            self.branch_pool = BasicConv2d(in_channels, pool_features, kernel_size=1)

    def _add(self, channels_in: int, name: str, channels: int, kernel: Any, stride: int = 1) -> int:
        padding = tuple(size // 2 for size in kernel) if isinstance(kernel, tuple) else kernel // 2
        options = {"stride": 2} if stride == 2 else {"padding": padding}
        setattr(self, name, BasicConv2d(channels_in, channels, kernel_size=kernel, **options))
        return channels

    def forward(self, x: Tensor) -> Any:
        return rushlight.cat([*(self._through(names, x) for names in self._names), self._pooled(x)], 1)

    def _through(self, chain: list[list[str]], x: Tensor) -> Any:
        for together in chain:
            results = [getattr(self, name)(x) for name in together]
            x = results[0] if len(results) == 1 else rushlight.cat(results, 1)
        return x

    def _pooled(self, x: Tensor) -> Any:
        if self.branch_pool is None:
            return F.max_pool2d(x, kernel_size=3, stride=2)
        return self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))


class InceptionA(_Branches):
    """Squares of 3 and 5."""

    def __init__(self, in_channels: int, pool_features: int) -> None:
        twice = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
        chains: list[Chain] = [[("branch1x1", 64, 1)], [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)], twice]
        super().__init__(in_channels, chains, pool_features)


class InceptionB(_Branches):
    """Half the size."""

    def __init__(self, in_channels: int) -> None:
        twice = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2)]
        super().__init__(in_channels, [[("branch3x3", 384, 3, 2)], twice], None)


class InceptionC(_Branches):
    """Rows and columns of 7."""

    def __init__(self, in_channels: int, channels_7x7: int) -> None:
        width = channels_7x7
        once = [("branch7x7_1", width, 1), ("branch7x7_2", width, ROW), ("branch7x7_3", 192, COLUMN)]
        shapes = ((width, 1), (width, COLUMN), (width, ROW), (width, COLUMN), (192, ROW))
        twice = [(f"branch7x7dbl_{number}", *shape) for number, shape in enumerate(shapes, 1)]
        super().__init__(in_channels, [[("branch1x1", 192, 1)], once, twice], 192)


class InceptionD(_Branches):
    """Half the size."""

    def __init__(self, in_channels: int) -> None:
        square = [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)]
        shapes = ((192, 1), (192, ROW), (192, COLUMN), (192, 3, 2))
        seven = [(f"branch7x7x3_{number}", *shape) for number, shape in enumerate(shapes, 1)]
        super().__init__(in_channels, [square, seven], None)


class InceptionE(_Branches):
    """Rows and columns of 3 side by side."""

    def __init__(self, in_channels: int) -> None:
        once = [("branch3x3_1", 384, 1), [("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]]
        both = [("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))]
        twice = [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), both]
        super().__init__(in_channels, [[("branch1x1", 320, 1)], once, twice], 192)


class InceptionAux(nn.Module):
    """A classifier on the way."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = BasicConv2d(in_channels, 128, kernel_size=1)
        self.conv1: Any = BasicConv2d(128, 768, kernel_size=5)
        self.conv1.stddev = 0.01
        self.fc: Any = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Any:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(rushlight.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception3(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        num_classes: how many scores.
        aux_logits: whether there is an auxiliary classifier.
        transform_input: pictures are normalized as for other models, the weights want -1 to 1.
        init_weights: draw the weights from a truncated normal distribution; None does so with a warning.
        dropout: before the scores.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = InceptionA(192, pool_features=32)
        self.Mixed_5c = InceptionA(256, pool_features=64)
        self.Mixed_5d = InceptionA(288, pool_features=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, channels_7x7=128)
        self.Mixed_6c = InceptionC(768, channels_7x7=160)
        self.Mixed_6d = InceptionC(768, channels_7x7=160)
        self.Mixed_6e = InceptionC(768, channels_7x7=192)
        self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if draws_weights(init_weights, "inception_v3"):
            start_truncated(self, 0.1)

    def forward(self, x: Tensor) -> Any:
        x = as_pretrained_input(x) if self.transform_input else x
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        aux = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(rushlight.flatten(self.dropout(self.avgpool(x)), 1))
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


def inception_v3(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> Inception3:
    """Inception v3; options as for the class."""
    chosen = chosen_weights(Inception_V3_Weights, weights, kwargs)
    if chosen is None:
        return Inception3(**kwargs)
    keep = kwargs.pop("aux_logits", True)
    kwargs.setdefault("transform_input", True)
    require(kwargs, "init_weights", False)
    model = build(partial(Inception3, aux_logits=True), Inception_V3_Weights, chosen, progress, kwargs)
    if not keep:
        model.aux_logits, model.AuxLogits = False, None
    return model
