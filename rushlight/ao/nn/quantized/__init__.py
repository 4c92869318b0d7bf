"""torch.ao.nn.quantized: layers on quantized tensors, as `convert` makes them."""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.ao.nn.quantized.arithmetic import centred, requantized, scales
from rushlight.core import dtype as dtypes
from rushlight.core.missing import missing
from rushlight.quantized import QuantizedTensor, quantize_per_tensor
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["Conv2d", "ConvReLU2d", "DeQuantize", "FloatFunctional", "Linear", "LinearReLU", "Quantize"]


class Quantize(nn.Module):
    """Floats to quantized numbers of one scale.

    >>> Quantize(0.5, 0, torch.qint8)(torch.tensor([1.2])).int_repr()
    tensor([2], dtype=torch.int8)
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, scale: Any, zero_point: Any, dtype: Any, factory_kwargs: Any = None) -> None:
        super().__init__()
        self.register_buffer("scale", FUNCTIONS["tensor"]([float(scale)]))
        self.register_buffer("zero_point", FUNCTIONS["tensor"]([int(zero_point)]))
        self.dtype = dtype

    def forward(self, X: Tensor) -> Any:  # noqa: N803 - PyTorch's name
        """The quantized tensor."""
        return quantize_per_tensor(X, float(self.scale), int(self.zero_point), self.dtype)

    @staticmethod
    def from_float(mod: Any, use_precomputed_fake_quant: bool = False) -> Quantize:
        """What a `QuantStub` becomes, by what its observer has seen."""
        scale, zero_point = mod.activation_post_process.calculate_qparams()
        return Quantize(scale, zero_point, mod.activation_post_process.dtype)

    def extra_repr(self) -> str:
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.dtype}"


class DeQuantize(nn.Module):
    """Quantized numbers to floats."""

    def forward(self, Xq: Any) -> Tensor:  # noqa: N803 - PyTorch's name
        """The floats."""
        return Xq.dequantize()  # type: ignore[no-any-return]

    @staticmethod
    def from_float(mod: Any, use_precomputed_fake_quant: bool = False) -> DeQuantize:
        """What a `DeQuantStub` becomes."""
        return DeQuantize()


class _Weighted(nn.Module):
    """What Linear and Conv2d share: weight, bias, the scale of what they give, and whether a ReLU follows."""

    relu = False

    def __init__(self, mod: Any) -> None:
        super().__init__()
        from rushlight.ao.nn.quantized.dynamic import quantized_weight

        observer = mod.weight_fake_quant if hasattr(mod, "weight_fake_quant") else mod.qconfig.weight()
        scale, zero_point = mod.activation_post_process.calculate_qparams()
        self.scale, self.zero_point = float(scale), int(zero_point)
        self._weight = quantized_weight(mod.weight, getattr(observer, "activation_post_process", observer))
        self._bias = None if mod.bias is None else mod.bias.detach().clone()

    def weight(self) -> QuantizedTensor:
        """The weight."""
        return self._weight

    def bias(self) -> Any:
        """The bias, or None."""
        return self._bias

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        found = self._saved_weight()
        scales = {"scale": FUNCTIONS["tensor"](self.scale), "zero_point": FUNCTIONS["tensor"](self.zero_point)}
        found = found | scales if "weight" in found else scales | found
        destination.update({prefix + name: part for name, part in found.items()})

    def _saved_weight(self) -> dict[str, Any]:
        return {"weight": self._weight, "bias": self._bias}

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        found = {name: state_dict.pop(prefix + name, None) for name in (*self._saved_weight(), "scale", "zero_point")}
        missing_keys = args[2]
        missing_keys += [prefix + name for name, part in found.items() if part is None and name != "bias"]
        if found["scale"] is not None and found["zero_point"] is not None:
            self.scale, self.zero_point = found["scale"].item(), found["zero_point"].item()
        if "_packed_params._packed_params" in found:
            found["weight"], found["bias"] = found["_packed_params._packed_params"] or (None, None)
        if found["weight"] is not None:
            self._weight, self._bias = found["weight"], found["bias"]
        super()._load_from_state_dict(state_dict, prefix, *args)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of a layer that was prepared and has seen data."""
        return cls(mod)


class Linear(_Weighted):
    """`nn.Linear` of quantized numbers."""

    def __init__(self, mod: Any) -> None:
        super().__init__(mod)
        self.in_features, self.out_features = mod.in_features, mod.out_features

    def _saved_weight(self) -> dict[str, Any]:
        return {"_packed_params.dtype": dtypes.qint8, "_packed_params._packed_params": (self._weight, self._bias)}

    def forward(self, x: Any) -> Any:
        """Quantized numbers of quantized numbers."""
        step = x.q_scale() * scales(self._weight)
        return requantized(
            centred(x) @ centred(self._weight).t(), step, self._bias, self.scale, self.zero_point, self.relu
        )

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, scale={self.scale}, "
            f"zero_point={self.zero_point}, qscheme={self._weight.qscheme()}"
        )


class Conv2d(_Weighted):
    """`nn.Conv2d` of quantized numbers."""

    def __init__(self, mod: Any) -> None:
        super().__init__(mod)
        self.in_channels, self.out_channels, self.kernel_size = mod.in_channels, mod.out_channels, mod.kernel_size
        self.stride, self.padding, self.dilation, self.groups = mod.stride, mod.padding, mod.dilation, mod.groups
        if mod.padding_mode != "zeros":
            raise NotImplementedError(f"quantized Conv2d with padding_mode={mod.padding_mode!r} is not in Rushlight")

    def forward(self, x: Any) -> Any:
        """Quantized numbers of quantized numbers."""
        total = nn.functional.conv2d(
            centred(x), centred(self._weight), None, self.stride, self.padding, self.dilation, self.groups
        )
        found = scales(self._weight)
        step = x.q_scale() * (found.reshape(-1, 1, 1) if isinstance(found, Tensor) else found)
        bias = None if self._bias is None else self._bias.reshape(-1, 1, 1)
        return requantized(total, step, bias, self.scale, self.zero_point, self.relu)

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
        text += f"scale={self.scale}, zero_point={self.zero_point}"
        return text + (f", padding={self.padding}" if any(self.padding) else "")


class _WithReLU(_Weighted):
    """Of a layer and a ReLU, which `fuse_modules` has put together and `prepare` has observed as one."""

    relu = True

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        layer = mod[0]
        layer.qconfig, layer.activation_post_process = mod.qconfig, mod.activation_post_process
        return cls(layer)


class LinearReLU(_WithReLU, Linear):
    """`Linear`, then ReLU, of quantized numbers."""


class ConvReLU2d(_WithReLU, Conv2d):
    """`Conv2d`, then ReLU, of quantized numbers."""


class FloatFunctional(nn.Module):
    """Arithmetic that can be observed: `add`, `mul`, `cat` and the like as methods, each followed by an observer."""

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process: Any = nn.Identity()

    def add(self, x: Tensor, y: Tensor) -> Any:
        """x + y."""
        return self.activation_post_process(x + y)

    def add_scalar(self, x: Tensor, y: float) -> Any:
        """x + y of a number."""
        return x + y

    def mul(self, x: Tensor, y: Tensor) -> Any:
        """x * y."""
        return self.activation_post_process(x * y)

    def mul_scalar(self, x: Tensor, y: float) -> Any:
        """x * y of a number."""
        return x * y

    def cat(self, x: Any, dim: int = 0) -> Any:
        """The tensors joined."""
        return self.activation_post_process(FUNCTIONS["cat"](x, dim))

    def add_relu(self, x: Tensor, y: Tensor) -> Any:
        """relu(x + y)."""
        return self.activation_post_process((x + y).relu())

    def matmul(self, x: Tensor, y: Tensor) -> Any:
        """x @ y."""
        return self.activation_post_process(x @ y)

    def forward(self, x: Any) -> Any:
        """Raises RuntimeError: call one of the methods."""
        raise RuntimeError("FloatFunctional is not intended to use the forward. Please use the underlying operation")


class QFunctional(nn.Module):
    """`FloatFunctional` of quantized numbers: computed on what they stand for, then quantized."""

    def __init__(self, scale: float = 1.0, zero_point: int = 0) -> None:
        super().__init__()
        self.scale, self.zero_point = scale, zero_point

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> QFunctional:
        """What a prepared `FloatFunctional` becomes."""
        scale, zero_point = mod.activation_post_process.calculate_qparams()
        return cls(float(scale), int(zero_point))

    def _quantized(self, x: Tensor) -> Any:
        return quantize_per_tensor(x, self.scale, self.zero_point, dtypes.quint8)

    def add(self, x: Any, y: Any) -> Any:
        """x + y."""
        return self._quantized(x.dequantize() + y.dequantize())

    def mul(self, x: Any, y: Any) -> Any:
        """x * y."""
        return self._quantized(x.dequantize() * y.dequantize())

    def add_relu(self, x: Any, y: Any) -> Any:
        """relu(x + y)."""
        return self._quantized((x.dequantize() + y.dequantize()).relu())

    def cat(self, x: Any, dim: int = 0) -> Any:
        """The tensors joined."""
        return self._quantized(FUNCTIONS["cat"]([t.dequantize() for t in x], dim))


__getattr__ = missing(__name__, {"dynamic": "rushlight.ao.nn.quantized.dynamic"})
