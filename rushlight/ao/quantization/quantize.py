"""Quantizing a network: weights only (`quantize_dynamic`), by observing (`prepare`, `convert`), or in training.

Source: https://docs.pytorch.org/docs/stable/quantization.html (eager mode).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from rushlight import nn
from rushlight.ao.nn import intrinsic, qat, quantized
from rushlight.ao.nn.quantized import dynamic
from rushlight.ao.quantization.qconfig import (
    QConfig,
    default_dynamic_qconfig,
    default_qat_qconfig,
    float16_dynamic_qconfig,
)
from rushlight.ao.quantization.stubs import DeQuantStub, QuantStub, QuantWrapper
from rushlight.core import dtype as dtypes

__all__ = [
    "add_quant_dequant", "convert", "prepare", "prepare_qat", "propagate_qconfig_", "quantize", "quantize_dynamic",
    "quantize_qat",
]  # fmt: skip

Swap = dict[type[Any], Any]

DYNAMIC: Swap = {nn.Linear: dynamic.Linear, nn.LSTM: dynamic.LSTM, nn.GRU: dynamic.GRU}
TRAINED: Swap = {nn.Linear: qat.Linear, nn.Conv2d: qat.Conv2d}
STATIC: Swap = {
    QuantStub: quantized.Quantize, DeQuantStub: quantized.DeQuantize, nn.Linear: quantized.Linear,
    nn.Conv2d: quantized.Conv2d, qat.Linear: quantized.Linear, qat.Conv2d: quantized.Conv2d,
    quantized.FloatFunctional: quantized.QFunctional, intrinsic.LinearReLU: quantized.LinearReLU,
    intrinsic.ConvReLU2d: quantized.ConvReLU2d,
}  # fmt: skip
FUSED = (intrinsic.LinearReLU, intrinsic.ConvReLU2d)  # one layer each: those inside are not observed, nor replaced


def propagate_qconfig_(module: Any, qconfig_dict: Any = None, prepare_custom_config_dict: Any = None) -> None:
    """Gives each module the `qconfig` of the module that it is in, unless it has, or is named with, one of its own."""
    chosen = qconfig_dict or {}

    def visit(mod: Any, name: str, outer: Any) -> None:
        own = chosen.get(name, chosen.get(type(mod), getattr(mod, "qconfig", outer)))
        mod.qconfig = own
        for child_name, child in mod.named_children():
            visit(child, f"{name}.{child_name}" if name else child_name, own)

    visit(module, "", None)


def _swapped(model: Any, replace: Callable[[Any], Any]) -> Any:
    """The model with its modules replaced, those inside of others first."""
    for name, child in () if isinstance(model, FUSED) else model.named_children():
        found = _swapped(child, replace)
        if found is not child:
            setattr(model, name, found)
    return replace(model)


def _without_qconfig(model: Any) -> Any:
    for mod in model.modules():
        mod.__dict__.pop("qconfig", None)
    return model


def quantize_dynamic(model: Any, qconfig_spec: Any = None, dtype: Any = dtypes.qint8, mapping: Any = None,
                     inplace: bool = False) -> Any:  # fmt: skip
    """The model with the weights of its Linear, LSTM and GRU layers as whole numbers, or as float16.

    Args:
        qconfig_spec: a set of layer types or names; or a dictionary from these to QConfigs.
        dtype: torch.qint8 or torch.float16.
        mapping: which class takes the place of which.
        inplace: change the model itself.

    Raises ValueError for another dtype.

    >>> torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(2, 1)))
    Sequential(
      (0): DynamicQuantizedLinear(in_features=2, out_features=1, dtype=torch.qint8, qscheme=torch.per_tensor_affine)
    )
    """
    qconfig = {dtypes.qint8: default_dynamic_qconfig, dtypes.float16: float16_dynamic_qconfig}.get(dtype)
    if qconfig is None:
        raise ValueError(f"Don't know how to quantize with default settings for {dtype}. Provide full qconfig please")
    swap = DYNAMIC if mapping is None else mapping
    spec = qconfig_spec
    if spec is None:
        spec = {nn.Linear, nn.LSTM, nn.GRU}
    if not isinstance(spec, dict):
        spec = dict.fromkeys(spec, qconfig)
    model = model if inplace else copy.deepcopy(model)
    model.eval()
    propagate_qconfig_(model, spec)

    def replace(mod: Any) -> Any:
        made = swap.get(type(mod)) if getattr(mod, "qconfig", None) is not None else None
        return mod if made is None else made.from_float(mod).eval()

    return _without_qconfig(_swapped(model, replace))


def _observed(mod: Any) -> bool:
    return getattr(mod, "qconfig", None) is not None and type(mod) in STATIC and not isinstance(mod, DeQuantStub)


def _watch(model: Any) -> None:
    """Hangs an observer of what it gives on each module that will be quantized."""
    inside = {id(layer) for mod in model.modules() if isinstance(mod, FUSED) for layer in mod}
    for mod in list(model.modules()):
        if id(mod) in inside or not _observed(mod):
            continue
        observer = mod.qconfig.activation()
        mod.activation_post_process = observer
        if not isinstance(mod, quantized.FloatFunctional):
            mod.register_forward_hook(_look)


def _look(mod: Any, args: Any, result: Any) -> Any:
    return mod.activation_post_process(result)


def prepare(model: Any, inplace: bool = False, allow_list: Any = None, observer_non_leaf_module_list: Any = None,
            prepare_custom_config_dict: Any = None) -> Any:  # fmt: skip
    """The model with observers: run it on data, then `convert` it. Each module's `qconfig` says what observes it."""
    model = model if inplace else copy.deepcopy(model)
    propagate_qconfig_(model)
    _watch(model)
    return model


def prepare_qat(model: Any, mapping: Any = None, inplace: bool = False) -> Any:
    """The model with fake quantization in it, to be trained, then `convert`ed. Raises AssertionError in eval mode."""
    if not model.training:
        raise AssertionError("prepare_qat only works on models in training mode")
    model = model if inplace else copy.deepcopy(model)
    propagate_qconfig_(model)
    swap = TRAINED if mapping is None else mapping

    def replace(mod: Any) -> Any:
        made = swap.get(type(mod)) if getattr(mod, "qconfig", None) is not None else None
        return mod if made is None else made.from_float(mod)

    model = _swapped(model, replace)
    _watch(model)
    return model


def convert(module: Any, mapping: Any = None, inplace: bool = False, remove_qconfig: bool = True,
            is_reference: bool = False, convert_custom_config_dict: Any = None,
            use_precomputed_fake_quant: bool = False) -> Any:  # fmt: skip
    """The model that `prepare` or `prepare_qat` has made, computing with quantized numbers."""
    if is_reference:
        raise NotImplementedError("torch.ao.quantization.convert: is_reference=True is not in Rushlight")
    module = module if inplace else copy.deepcopy(module)
    swap = STATIC if mapping is None else mapping

    def replace(mod: Any) -> Any:
        made = swap.get(type(mod)) if getattr(mod, "qconfig", None) is not None else None
        return mod if made is None else made.from_float(mod)

    module = _swapped(module, replace)
    return _without_qconfig(module) if remove_qconfig else module


def quantize(model: Any, run_fn: Callable[..., Any], run_args: Any, mapping: Any = None, inplace: bool = False) -> Any:
    """`prepare`, `run_fn(model, *run_args)` on data, `convert`."""
    model = model if inplace else copy.deepcopy(model)
    model.eval()
    prepare(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


def quantize_qat(model: Any, run_fn: Callable[..., Any], run_args: Any, inplace: bool = False) -> Any:
    """`prepare_qat`, training by `run_fn(model, *run_args)`, `convert`."""
    model = model if inplace else copy.deepcopy(model)
    model.train()
    if getattr(model, "qconfig", None) is None:
        model.qconfig = default_qat_qconfig
    prepare_qat(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, inplace=True)


def add_quant_dequant(module: Any) -> Any:
    """Puts each layer that has a `qconfig` of its own between a `QuantStub` and a `DeQuantStub`."""
    if not list(module.named_children()) and isinstance(getattr(module, "qconfig", None), QConfig):
        return QuantWrapper(module)
    for name, child in module.named_children():
        setattr(module, name, add_quant_dequant(child))
    return module
