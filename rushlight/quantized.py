"""Quantized tensors: whole numbers that stand for `(number - zero_point) * scale`.

A handle holds the numbers as a dense tensor of int8, uint8 or int32, and the scale and zero point of the whole or of
each channel. Functions find it as `other_tensors.py` says: what moves numbers, moves the whole numbers; what PyTorch
computes on quantized tensors is computed on what they stand for, and quantized again; the rest is refused, as there.

Fake quantization rounds a float as quantizing would and keeps it a float; its derivative lets through what was in
range ("straight through": Bengio et al. 2013; Jacob et al. 2018, https://arxiv.org/abs/1712.05877).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import QUANTIZED
from rushlight.core.qscheme import per_channel_affine, per_tensor_affine
from rushlight.ops.creation import wrap
from rushlight.ops.public import FUNCTIONS, require_tensor
from rushlight.ops.rules import fresh
from rushlight.other_tensors import find_by_functions
from rushlight.record.operation import operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor, Value, new_tensor
from rushlight.tensor.subclasses import disabled

__all__ = [
    "dequantize", "empty_quantized", "fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine", "int_repr",
    "q_per_channel_axis", "q_per_channel_scales", "q_per_channel_zero_points", "q_scale", "q_zero_point",
    "quantize_per_channel", "quantize_per_tensor", "quantize_per_tensor_dynamic",
]  # fmt: skip

LIMITS = {dtypes.qint8: (-128, 127), dtypes.quint8: (0, 255), dtypes.qint32: (-(2**31), 2**31 - 1)}


class QuantizedSpec(Spec):
    """Shape and dtype of a quantized tensor."""

    __slots__ = ()


class QuantizedValue(Value):
    """The whole numbers, and the scale and zero point: numbers, or with an axis a tensor each."""

    def __init__(self, whole: Tensor, kind: Any, scale: Any, zero_point: Any, axis: int | None) -> None:
        found = settle(whole).spec
        self.spec = QuantizedSpec(found.shape, kind, found.strides, False)
        self.whole, self.scale, self.zero_point, self.axis = whole, scale, zero_point, axis


class QuantizedTensor(Tensor):
    """The handle on a QuantizedValue."""

    __torch_function__ = disabled

    _value: QuantizedValue

    is_quantized = property(lambda self: True)  # type: ignore[assignment]

    def like(self, whole: Tensor, axis: int | None = None) -> QuantizedTensor:
        """Other whole numbers of the same scale; `axis` is where the channels lie now."""
        v = self._value
        return _handle(whole, v.spec.dtype, v.scale, v.zero_point, v.axis if axis is None else axis)

    def numpy(self, *, force: bool = False) -> NoReturn:
        """Raises PyTorch's error: NumPy has no such dtype."""
        raise TypeError(f"Got unsupported ScalarType {self.dtype.scalar_name}")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from rushlight.tensor import printing

        v = self._value
        text = "tensor(" + printing.format_array(realize(dequantize(self)), dtypes.float32, 7)
        notes = [f"size={tuple(self.shape)}", f"dtype={self.dtype}", f"quantization_scheme={_scheme(self)}"]
        notes += [f"scale={v.scale}", f"zero_point={v.zero_point}"] + ([] if v.axis is None else [f"axis={v.axis}"])
        return printing._append_notes(text, notes, 7)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> QuantizedTensor:
        return memo.setdefault(id(self), self.like(self._value.whole.clone()))

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        v = self._value
        return _handle, (v.whole, v.spec.dtype, v.scale, v.zero_point, v.axis)

    def copy_(self, source: Tensor, non_blocking: bool = False) -> QuantizedTensor:
        """Takes the numbers of a float tensor, quantized as this one is, or those of a quantized one."""
        if not isinstance(source, QuantizedTensor):
            source = _quantized_like(self, source)
        self._value = source.clone()._value  # type: ignore[assignment]
        return self


def _handle(whole: Tensor, kind: Any, scale: Any, zero_point: Any, axis: int | None = None) -> QuantizedTensor:
    find_by_functions(QuantizedTensor, meaning)
    made: Any = new_tensor(QuantizedTensor)
    made._value = QuantizedValue(whole, kind, scale, zero_point, axis)
    return made  # type: ignore[no-any-return]


def _scheme(x: QuantizedTensor) -> Any:
    return per_tensor_affine if x._value.axis is None else per_channel_affine


# ---------------------------------------------------------------------------------------------------------------------
# There and back


def _kind(dtype: Any) -> Any:
    if dtype not in QUANTIZED:
        raise RuntimeError(f"ScalarType {getattr(dtype, 'scalar_name', dtype)} is not supported in new_qtensor.")
    return dtype


def _check_float(x: Tensor) -> None:
    if settle(x).spec.dtype is not dtypes.float32:
        raise RuntimeError(f"Quantize only works on Float Tensor, got {x.dtype.scalar_name}")


def _rounded(x: Tensor, inverse: Any, zero_point: Any, kind: Any) -> Tensor:
    """round(x / scale + zero point), within the dtype's limits."""
    low, high = LIMITS[kind]
    whole = (x * inverse + zero_point).round()
    if kind is dtypes.qint32:
        whole = whole.double()  # floats have no 2**31 - 1
    return whole.clamp(low, high).to(QUANTIZED[kind])


def quantize_per_tensor(input: Any, scale: Any, zero_point: Any, dtype: Any) -> Any:  # noqa: A002 - PyTorch's name
    """The tensor as whole numbers of one scale; a list of tensors with a tensor of scales and one of zero points.

    Raises RuntimeError for another input than float32, and for a zero point that the dtype cannot hold.

    >>> torch.quantize_per_tensor(torch.tensor([0.1, 0.26]), 0.1, 10, torch.quint8).int_repr()
    tensor([11, 13], dtype=torch.uint8)
    """
    if isinstance(input, (list, tuple)):
        scales, points = scale.double().tolist(), zero_point.tolist()
        return tuple(quantize_per_tensor(x, s, z, dtype) for x, s, z in zip(input, scales, points, strict=True))
    require_tensor(input, "quantize_per_tensor")
    _check_float(input)
    low, high = LIMITS[_kind(dtype)]
    scale, zero_point = float(scale), int(zero_point)
    if zero_point > high or zero_point < low:
        side = "above upper" if zero_point > high else "below lower"
        raise RuntimeError(f"quantize_tensor_per_tensor_affine zero_point {zero_point} is {side} bound.")
    inverse = float(np.float32(1) / np.float32(scale))
    return _handle(_rounded(input.detach(), inverse, zero_point, dtype), dtype, scale, zero_point)


def quantize_per_channel(input: Tensor, scales: Tensor, zero_points: Tensor, axis: int, dtype: Any) -> Any:  # noqa: A002
    """The tensor as whole numbers, with a scale for each place along `axis`.

    >>> x = torch.quantize_per_channel(torch.ones(2, 1), torch.tensor([1., 0.5]), torch.zeros(2), 0, torch.qint8)
    >>> x.int_repr().tolist()
    [[1], [2]]
    """
    _check_float(require_tensor(input, "quantize_per_channel"))
    _kind(dtype)
    axis = axis % input.dim()
    if scales.numel() != input.shape[axis] or zero_points.numel() != input.shape[axis]:
        raise RuntimeError("scale and zero_point need to match the number of channels: "
                           f"{input.shape[axis]} along axis {axis}, but {scales.numel()} scales")  # fmt: skip
    scales, zero_points = scales.detach().double(), zero_points.detach().long()
    inverse = _along(scales.float().reciprocal(), axis, input)
    whole = _rounded(input.detach(), inverse, _along(zero_points.float(), axis, input), dtype)
    return _handle(whole, dtype, scales, zero_points, axis)


def _along(t: Tensor, axis: int, like: Tensor) -> Tensor:
    return t.reshape([-1 if d == axis else 1 for d in range(like.dim())])


def chosen(low: float, high: float, kind: Any, reduce_range: bool) -> tuple[float, int]:
    """Scale and zero point for numbers between `low` and `high` (FBGEMM's `ChooseQuantizationParams`).

    Zero is exact; of two zero points, one from each end, the one with the smaller error is taken.
    """
    least, most = LIMITS[kind]
    if reduce_range:
        least, most = int(least / 2), most // 2
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (most - least)
    if scale == 0 or not np.isfinite(np.float32(1) / np.float32(scale)):
        scale = 0.1
    from_low, from_high = least - low / scale, most - high / scale
    error_low, error_high = abs(least) + abs(low / scale), abs(most) + abs(high / scale)
    point = from_low if error_low < error_high else from_high
    return scale, int(np.rint(np.clip(point, least, most)))


def quantize_per_tensor_dynamic(input: Tensor, dtype: Any, reduce_range: bool) -> Any:  # noqa: A002 - PyTorch's name
    """The tensor as whole numbers of a scale that its own extremes choose; `reduce_range` leaves out one bit."""
    _check_float(require_tensor(input, "quantize_per_tensor_dynamic"))
    low, high = FUNCTIONS["aminmax"](input.detach()) if input.numel() else (0.0, 0.0)
    scale, zero_point = chosen(float(low), float(high), _kind(dtype), reduce_range)
    return quantize_per_tensor(input, scale, zero_point, dtype)


def dequantize(input: Any) -> Any:  # noqa: A002 - PyTorch's name
    """The floats that the whole numbers stand for; a dense tensor itself, as float32."""
    if isinstance(input, (list, tuple)):
        return tuple(map(dequantize, input))
    if not isinstance(input, QuantizedTensor):
        return input.to(dtypes.float32)
    v = input._value
    if v.axis is None:
        return (v.whole.to(dtypes.float32) - v.zero_point) * v.scale
    return (v.whole - _along(v.zero_point, v.axis, v.whole)).float() * _along(v.scale.float(), v.axis, v.whole)


def _quantized_like(model: QuantizedTensor, x: Tensor) -> QuantizedTensor:
    v = model._value
    if v.axis is None:
        return quantize_per_tensor(x, v.scale, v.zero_point, v.spec.dtype)  # type: ignore[no-any-return]
    return quantize_per_channel(x, v.scale, v.zero_point, v.axis, v.spec.dtype)  # type: ignore[no-any-return]


def empty_quantized(size: Any, qtensor: QuantizedTensor, **_: Any) -> QuantizedTensor:
    """A tensor of that size (of zeros), quantized as `qtensor` is."""
    return qtensor.like(FUNCTIONS["zeros"](size, dtype=settle(qtensor._value.whole).spec.dtype))


def _make_per_tensor_quantized_tensor(input: Tensor, scale: float, zero_point: int) -> QuantizedTensor:  # noqa: A002
    """Whole numbers (int8, uint8, int32) as a quantized tensor."""
    kind = next((q for q, whole in QUANTIZED.items() if whole is input.dtype), None)
    if kind is None:
        raise RuntimeError(f"_make_per_tensor_quantized_tensor: no quantized dtype of {input.dtype}")
    return _handle(input.detach().clone(), kind, float(scale), int(zero_point))


def rebuilt_quantized(whole: Tensor, scale: Any, zero_point: Any, axis: int | None) -> QuantizedTensor:
    """A quantized tensor that a file holds: its whole numbers, which say the dtype, and how they are scaled."""
    kind = next(q for q, known in QUANTIZED.items() if known is whole.dtype)
    if axis is not None:
        scale, zero_point = scale.double(), zero_point.long()
    return _handle(whole, kind, scale, zero_point, axis)


# ---------------------------------------------------------------------------------------------------------------------
# Questions


def _question(name: str, answer: Callable[[QuantizedValue], Any], channels: bool | None = None) -> Any:
    def ask(input: Tensor) -> Any:  # noqa: A002 - PyTorch's name
        if not isinstance(input, QuantizedTensor):
            raise NotImplementedError(
                f"Could not run 'aten::{name}' with arguments from the 'CPU' backend: the tensor is not quantized"
            )
        if channels is not None and channels is (input._value.axis is None):
            wanted = "per_channel_affine" if channels else "per_tensor_affine"
            raise RuntimeError(f"Expected quantizer->qscheme() == k{wanted.title().replace('_', '')} to be true")
        return answer(input._value)

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = f"`{name}` of a quantized tensor; NotImplementedError for another."
    return ask


int_repr = _question("int_repr", lambda v: v.whole.clone())
q_scale = _question("q_scale", lambda v: v.scale, channels=False)
q_zero_point = _question("q_zero_point", lambda v: v.zero_point, channels=False)
q_per_channel_scales = _question("q_per_channel_scales", lambda v: v.scale, channels=True)
q_per_channel_zero_points = _question("q_per_channel_zero_points", lambda v: v.zero_point, channels=True)
q_per_channel_axis = _question("q_per_channel_axis", lambda v: v.axis, channels=True)
scheme_of = _question("qscheme", lambda v: per_tensor_affine if v.axis is None else per_channel_affine)

# ---------------------------------------------------------------------------------------------------------------------
# What functions mean

_MOVING = """
    view reshape permute transpose t flatten squeeze unsqueeze contiguous clone detach expand unflatten flip
    __getitem__ narrow select index_select view_as reshape_as repeat cpu movedim swapaxes
""".split()
_COMPUTED = """
    relu relu6 hardtanh max_pool2d max_pool1d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool1d
    adaptive_avg_pool3d mean clamp leaky_relu interpolate upsample max min pad
""".split()
_COMPARED = "eq ne lt le gt ge __eq__ __ne__ __lt__ __le__ __gt__ __ge__".split()
_ANSWERED = frozenset("""
    dim size numel nelement is_floating_point is_complex element_size get_device __len__ stride is_contiguous type
    is_tensor is_signed data_ptr ndimension storage_offset requires_grad_ is_inference
""".split())


def meaning(f: Any) -> Callable[..., Any] | None:
    """What a function means where an argument is quantized; None where it does what it always does."""
    name = f.__name__
    if name in _ANSWERED or f.__module__ == __name__:
        return None
    if name in QUESTIONS:
        return QUESTIONS[name]
    if name in _MOVING:
        return lambda x, *args, **kwargs: _moved(f, x, args, kwargs)
    if name in _COMPUTED:
        return lambda x, *args, **kwargs: _quantized_like(x, f(dequantize(x), *args, **kwargs))
    if name in _COMPARED:
        return lambda x, y: f(_plain(x), _plain(y))
    if name in ("chunk", "split"):
        return _pieces(f)
    found: dict[str, Callable[..., Any]] = {"equal": _equal, "cat": _cat, "concat": _cat, "to": _to}
    return found.get(name) or _refusal(name)


def _moved(f: Any, x: QuantizedTensor, args: Any, kwargs: Any) -> QuantizedTensor:
    if x._value.axis is not None and f.__name__ not in ("clone", "contiguous", "detach", "cpu"):
        raise NotImplementedError(f"{f.__name__}(): of tensors quantized per channel; dequantize() them first")
    return x.like(f(x._value.whole, *args, **kwargs))


def _pieces(f: Any) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: tuple(x.like(p) for p in f(x._value.whole, *args, **kwargs))


def _plain(x: Any) -> Any:
    return dequantize(x) if isinstance(x, QuantizedTensor) else x


def _equal(x: Any, y: Any) -> bool:
    """Whether both are quantized alike and hold the same numbers."""
    if not (isinstance(x, QuantizedTensor) and isinstance(y, QuantizedTensor)):
        return False
    a, b = x._value, y._value
    same = [a.axis == b.axis, a.spec.dtype is b.spec.dtype, FUNCTIONS["equal"](a.whole, b.whole)]
    return bool(all(same) and np.array_equal(_plain_array(a.scale), _plain_array(b.scale))
                and np.array_equal(_plain_array(a.zero_point), _plain_array(b.zero_point)))  # fmt: skip


def _plain_array(x: Any) -> Any:
    return realize(x) if isinstance(x, Tensor) else x


def _cat(tensors: Any, dim: int = 0) -> QuantizedTensor:
    return _quantized_like(tensors[0], FUNCTIONS["cat"](list(map(dequantize, tensors)), dim))


def _to(x: QuantizedTensor, *args: Any, **kwargs: Any) -> QuantizedTensor:
    target = x._value.whole.to(*args, **kwargs)
    if target.dtype is not x._value.whole.dtype:
        raise RuntimeError("Creation of quantized tensor requires quantized dtype like torch.quint8")
    return x


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"Could not run 'aten::{name.strip('_')}' with arguments from the 'QuantizedCPU' backend. Call "
            "dequantize() first"
        )

    return refuse


QUESTIONS: dict[str, Callable[..., Any]] = {
    "int_repr": int_repr, "q_scale": q_scale, "q_zero_point": q_zero_point, "dequantize": dequantize,
    "q_per_channel_scales": q_per_channel_scales, "q_per_channel_zero_points": q_per_channel_zero_points,
    "q_per_channel_axis": q_per_channel_axis, "qscheme": scheme_of,
}  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Fake quantization


def _steps(x: Any, scale: Any, zero_point: Any) -> Any:
    return np.rint(x * (1 / scale)) + zero_point


def _fake(x: Any, scale: Any, zero_point: Any, *, low: int, high: int) -> Any:
    return (np.minimum(np.maximum(_steps(x, scale, zero_point), low), high) - zero_point) * scale


def _in_range(x: Any, scale: Any, zero_point: Any, *, low: int, high: int) -> Any:
    found = _steps(x, scale, zero_point)
    return np.logical_and(found >= low, found <= high)


def _same_kind(x: Spec, scale: Spec, zero_point: Spec, **_: Any) -> Any:
    return x.dtype


FAKE_QUANTIZE = operation(
    "fake_quantize", lambda x, scale, zero_point, **_: fresh(x), _fake, compute=_same_kind,
    node="FakeQuantizePerTensorAffineCachemaskBackward0",
)  # fmt: skip
IN_RANGE = operation(
    "fake_quantize_mask", lambda x, scale, zero_point, **_: fresh(x).like(dtype=dtypes.bool_), _in_range,
    compute=_same_kind,
)  # fmt: skip
FAKE_QUANTIZE.gradient(
    x=lambda g, x, scale, zero_point, low, high: g * apply(IN_RANGE, (x, scale, zero_point), (low, high))
)


def _check_range(low: int, high: int) -> None:
    if low > high:
        raise RuntimeError("`quant_min` should be less than or equal to `quant_max`.")


def fake_quantize_per_tensor_affine(
    input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int  # noqa: A002 - PyTorch's name
) -> Tensor:
    """What quantizing and dequantizing would make of the floats; the derivative is 1 in range and 0 outside.

    >>> torch.fake_quantize_per_tensor_affine(torch.tensor([0.26, 9.]), 0.1, 0, 0, 15)
    tensor([0.3000, 1.5000])
    """
    require_tensor(input, "fake_quantize_per_tensor_affine")
    _check_range(quant_min, quant_max)
    if not isinstance(zero_point, Tensor) and not quant_min <= zero_point <= quant_max:
        raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")
    step = scale.detach().reshape(()) if isinstance(scale, Tensor) else wrap(np.array(scale, np.float32))
    point = zero_point.detach().reshape(()).float() if isinstance(zero_point, Tensor) else float(zero_point)
    return apply(FAKE_QUANTIZE, (input, step, point), (int(quant_min), int(quant_max)))  # type: ignore[no-any-return]


def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int  # noqa: A002
) -> Tensor:
    """`fake_quantize_per_tensor_affine` with a scale and a zero point for each place along `axis`."""
    require_tensor(input, "fake_quantize_per_channel_affine")
    _check_range(quant_min, quant_max)
    if scale.numel() != zero_point.numel():
        raise RuntimeError("scale and zero-point need to have the same dimensions")
    if scale.numel() != input.shape[axis]:
        raise RuntimeError("dimensions of scale and zero-point are not consistent with input tensor")
    step, point = _along(scale.detach(), axis % input.dim(), input), zero_point.detach().to(dtypes.float32)
    operands = input, step, _along(point, axis % input.dim(), input)
    return apply(FAKE_QUANTIZE, operands, (int(quant_min), int(quant_max)))  # type: ignore[no-any-return]


for _name, _ask in QUESTIONS.items():
    setattr(QuantizedTensor, _name, _ask)
