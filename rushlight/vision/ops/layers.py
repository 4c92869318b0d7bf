"""Layers that picture models share: convolution with normalization and activation, squeeze-and-excitation, MLP.

Each is made of layers of `rushlight.nn`, in torchvision's order: its parameters have torchvision's names ("0.weight",
"fc1.bias") and, seeded, its first numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn.sizes import Size, _ntuple

__all__ = [
    "MLP",
    "Conv2dNormActivation",
    "Conv3dNormActivation",
    "ConvNormActivation",
    "FrozenBatchNorm2d",
    "Permute",
    "SqueezeExcitation",
]

Layer = Callable[..., nn.Module]


class ConvNormActivation(nn.Sequential):
    """What `Conv2dNormActivation` and `Conv3dNormActivation` have in common; ``conv_layer`` makes the convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Size = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
        conv_layer: Layer = nn.Conv2d,
    ) -> None:
        if padding is None:
            padding = _keeping_size(kernel_size, dilation)
        bias = norm_layer is None if bias is None else bias
        options: dict[str, Any] = {"dilation": dilation, "groups": groups, "bias": bias}
        layers = [conv_layer(in_channels, out_channels, kernel_size, stride, padding, **options)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**_in_place(inplace)))
        super().__init__(*layers)
        self.out_channels = out_channels
        if type(self) is ConvNormActivation:
            warnings.warn(
                "Don't use ConvNormActivation directly, please use Conv2dNormActivation and Conv3dNormActivation"
                " instead.",
                stacklevel=2,
            )


def _keeping_size(kernel_size: Size, dilation: Size) -> Size:
    """The padding that keeps the size for odd kernels and stride 1."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    number = len(kernel_size) if isinstance(kernel_size, Sequence) else len(dilation)  # type: ignore[arg-type]
    every = _ntuple(number)
    return tuple((size - 1) // 2 * apart for size, apart in zip(every(kernel_size), every(dilation), strict=True))


def _in_place(inplace: bool | None) -> dict[str, bool]:
    """The option for layers that know it; None says nothing about it."""
    return {} if inplace is None else {"inplace": inplace}


class Conv2dNormActivation(ConvNormActivation):
    """Convolution, normalization, activation: ``0``, ``1`` and ``2`` among the parameters' names.

    Args:
        in_channels, out_channels: of the convolution.
        kernel_size, stride, groups, dilation: of the convolution.
        padding: of the convolution; None keeps the size, for odd kernels and stride 1.
        norm_layer: makes a normalization of so many channels; None for none.
        activation_layer: makes an activation; None for none.
        inplace: handed to the activation, unless None.
        bias: of the convolution; None for one where there is no normalization.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Size = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            groups,
            norm_layer,
            activation_layer,
            dilation,
            inplace,
            bias,
            nn.Conv2d,
        )


class Conv3dNormActivation(ConvNormActivation):
    """`Conv2dNormActivation` for videos (N, C, T, H, W)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm3d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: Size = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            groups,
            norm_layer,
            activation_layer,
            dilation,
            inplace,
            bias,
            nn.Conv3d,
        )


class SqueezeExcitation(nn.Module):
    """Each channel times a factor computed from all channels' means (J. Hu et al., arXiv:1709.01507).

    Args:
        input_channels: how many channels.
        squeeze_channels: how many numbers the means are squeezed to.
        activation: makes what follows the squeezing.
        scale_activation: makes what turns the result into factors.
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Layer = nn.ReLU,
        scale_activation: Layer = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Any) -> Any:
        scale = self.fc2(self.activation(self.fc1(self.avgpool(input))))
        return self.scale_activation(scale) * input


class MLP(nn.Sequential):
    """Linear layers, all but the last with normalization and activation, and dropout behind each.

    Args:
        in_channels: size of the input.
        hidden_channels: sizes of the layers' results.
        norm_layer: makes a normalization of a size; None for none.
        activation_layer: makes an activation.
        inplace: handed to activations and dropouts, unless None.
        bias: of the linear layers.
        dropout: the probability.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: list[int],
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        option = _in_place(inplace)
        layers: list[nn.Module] = []
        for before, size in zip([in_channels, *hidden_channels[:-2]], hidden_channels[:-1], strict=False):
            layers.append(nn.Linear(before, size, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(size))
            layers.append(activation_layer(**option))
            layers.append(nn.Dropout(dropout, **option))
        last = [in_channels, *hidden_channels][-2]
        layers += [nn.Linear(last, hidden_channels[-1], bias=bias), nn.Dropout(dropout, **option)]
        super().__init__(*layers)


class Permute(nn.Module):
    """The input with its dimensions in the order ``dims``."""

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        return rushlight.permute(x, self.dims)


class FrozenBatchNorm2d(nn.Module):
    """Batch normalization whose statistics, weight and bias never change: all four are buffers.

    Args:
        num_features: channels of the input (N, C, H, W).
        eps: added to the variance.
    """

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", rushlight.ones(num_features))
        self.register_buffer("bias", rushlight.zeros(num_features))
        self.register_buffer("running_mean", rushlight.zeros(num_features))
        self.register_buffer("running_var", rushlight.ones(num_features))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        state_dict.pop(prefix + "num_batches_tracked", None)  # of a BatchNorm2d's checkpoint
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, x: Any) -> Any:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"
