"""`fuse_modules`: layers that follow one another as one, for evaluation: batch normalization is folded into the layer
before it, and an activation is quantized together with what it is of.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from rushlight import nn
from rushlight.ao.nn import intrinsic
from rushlight.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

__all__ = ["fuse_modules", "fuse_modules_qat"]

Kinds = tuple[type[nn.Module], ...]


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Module:
    transposed = isinstance(conv, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    return fuse_conv_bn_eval(conv, norm, transposed)


def _table() -> dict[Kinds, Callable[..., nn.Module]]:
    """What becomes of layers of these classes."""
    found: dict[Kinds, Callable[..., nn.Module]] = {
        (nn.Linear, nn.ReLU): intrinsic.LinearReLU,
        (nn.Linear, nn.BatchNorm1d): fuse_linear_bn_eval,
        (nn.BatchNorm2d, nn.ReLU): intrinsic.BNReLU2d,
        (nn.BatchNorm3d, nn.ReLU): intrinsic.BNReLU3d,
    }
    for d in (1, 2, 3):
        conv, norm = getattr(nn, f"Conv{d}d"), getattr(nn, f"BatchNorm{d}d")
        both = getattr(intrinsic, f"ConvReLU{d}d")
        found[conv, nn.ReLU] = both
        found[conv, norm] = found[getattr(nn, f"ConvTranspose{d}d"), norm] = _folded
        found[conv, norm, nn.ReLU] = lambda conv, norm, relu, both=both: both(_folded(conv, norm), relu)
    return found


FUSED = _table()


def _fuse(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """The fused layer, then an Identity for each of the others. The hooks of the first and the last go along."""
    if len({layer.training for layer in layers}) > 1:
        raise AssertionError("Expected all modules to be in the same mode")
    if layers[0].training:
        raise AssertionError("Fusion only for eval!")
    kinds = tuple(map(type, layers))
    if kinds not in FUSED:
        raise AssertionError(f"did not find fuser method for: {kinds} ")
    before, after = layers[0]._forward_pre_hooks.copy(), layers[-1]._forward_hooks.copy()
    layers[0]._forward_pre_hooks.clear()
    layers[-1]._forward_hooks.clear()
    made = FUSED[kinds](*layers)
    made._forward_pre_hooks.update(before)
    made._forward_hooks.update(after)
    made.training = layers[0].training
    return [made, *[nn.Identity().eval() for _ in layers[1:]]]


def fuse_modules(
    model: nn.Module, modules_to_fuse: Any, inplace: bool = False,
    fuser_func: Callable[..., list[nn.Module]] | None = None, fuse_custom_config_dict: Any = None,
) -> nn.Module:  # fmt: skip
    """The model, in evaluation, with layers put together: the first of each list becomes the fused one, the others do
    nothing.

    Args:
        modules_to_fuse: paths of layers that follow one another, `["conv", "bn", "relu"]`, or several such lists.
            There are convolution, batch normalization and ReLU; linear and ReLU or batch normalization; batch
            normalization and ReLU.
        inplace: change the model itself.
        fuser_func: what makes of a list of layers the list that takes its place.

    Raises:
        AssertionError: the model is in training, or there is no form for these layers.
        NotImplementedError: a `fuse_custom_config_dict` is given.

    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU()).eval()
    >>> torch.ao.quantization.fuse_modules(model, ["0", "1"])
    Sequential(
      (0): LinearReLU(
        (0): Linear(in_features=2, out_features=1, bias=True)
        (1): ReLU()
      )
      (1): Identity()
    )
    """
    if fuse_custom_config_dict:
        raise NotImplementedError("torch.ao.quantization.fuse_modules: fuse_custom_config_dict is not in Rushlight")
    model = model if inplace else copy.deepcopy(model)
    several = [modules_to_fuse] if all(isinstance(name, str) for name in modules_to_fuse) else modules_to_fuse
    for paths in several:
        made = (fuser_func or _fuse)([model.get_submodule(path) for path in paths])
        for path, layer in zip(paths, made, strict=True):
            owner, _, name = path.rpartition(".")
            setattr(model.get_submodule(owner), name, layer)
    return model


def fuse_modules_qat(model: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    """Raises NotImplementedError: layers are not fused for training."""
    raise NotImplementedError(
        "torch.ao.quantization.fuse_modules_qat is not in Rushlight: train with fake quantization unfused, or fuse for "
        "evaluation with fuse_modules"
    )


fuse_modules_qat.__dict__["absent_from_rushlight"] = True
