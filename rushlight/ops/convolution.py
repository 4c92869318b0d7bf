"""Convolutions in one, two and three dimensions, and their transposes.

Three operations, each the adjoint of the others in one argument: `convolution` (x, w), `convolution_input` (g, w) and
`convolution_weight` (x, g).  So every derivative, of any order, is one of the three.  A transposed convolution is
`convolution_input` with a bias.  The arithmetic is in `im2col.py`; here are the argument forms, PyTorch's checks and
the derivatives.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.contraction import Windows
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from . import winograd
from .arithmetic import conj
from .im2col import Geometry, Ints, correlate, scatter, weight_product
from .matmul import three_shown
from .public import public
from .rules import in_format_of
from .sizes import given_sizes

# ---------------------------------------------------------------------------------------------------------------------
# Checks


def _check_kinds(x: Spec, w: Spec, b: Spec | None) -> None:
    if b is not None and b.dtype is not x.dtype:
        raise RuntimeError(f"Input type ({_c_name(x)}) and bias type ({_c_name(b)}) should be the same")
    if x.dtype is not w.dtype:
        raise RuntimeError(f"expected scalar type {x.dtype.scalar_name} but found {w.dtype.scalar_name}")
    if x.dtype is dtypes.bool_:
        raise NotImplementedError("\"convolution\" not implemented for 'Bool'")


def _check_weight(w: Spec, x: Spec, dims: int) -> None:
    if w.ndim != dims + 2:
        raise RuntimeError(
            f"Expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight {list(w.shape)}, but got "
            f"{x.ndim}-dimensional "
            f"input of size {list(x.shape)} instead"
        )


def _c_name(x: Spec) -> str:
    names = {
        "float32": "float",
        "float64": "double",
        "float16": "c10::Half",
        "bfloat16": "c10::BFloat16",
        "int64": "long int",
        "uint8": "unsigned char",
    }
    return names.get(x.dtype.name, x.dtype.name)


def _check_groups(w: Spec, groups: int) -> None:
    if w.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(w.shape)} instead"
        )
    if w.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size "
            f"[{list(w.shape)}] instead"
        )


def _check_bias(w: Spec, b: Spec | None, count: int, given: str) -> None:
    if b is not None and b.shape != (count,):
        raise RuntimeError(
            f"Given {given}weight of size {list(w.shape)}, expected bias to be 1-dimensional with {count} elements, "
            f"but got "
            f"bias of size {list(b.shape)} instead"
        )


def _sizes(space: Any) -> str:
    return " x ".join(map(str, space))


def _convolution_spec(x: Spec, w: Spec, b: Spec | None, *, geometry: Geometry) -> Spec:
    groups = geometry.groups
    _check_groups(w, groups)
    if x.shape[1] != w.shape[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(w.shape)}, expected input{list(x.shape)} to have "
            f"{w.shape[1] * groups} channels, but got {x.shape[1]} channels instead"
        )
    _check_bias(w, b, w.shape[0], "")
    _check_kinds(x, w, b)
    kernel = w.shape[2:]
    if 0 in kernel:
        raise RuntimeError(f"a convolution's kernel must not be empty, but got weight of size {list(w.shape)}")
    room = tuple(n + 2 * p for n, p in zip(x.shape[2:], geometry.padding, strict=True))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, geometry.dilation, strict=True))
    if any(r > n for r, n in zip(reach, room, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_sizes(room)}). Kernel size: ({_sizes(reach)}). Kernel size "
            f"can't be "
            "greater than actual input size"
        )
    return in_format_of(x, w, shape=(x.shape[0], w.shape[0], *geometry.output(x.shape[2:], kernel)))


def _transposed_spec(g: Spec, w: Spec, b: Spec | None, *, space: Ints, geometry: Geometry) -> Spec:
    groups = geometry.groups
    _check_groups(w, groups)
    if g.shape[1] != w.shape[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected input{list(g.shape)} to have {w.shape[0]} "
            f"channels, "
            f"but got {g.shape[1]} channels instead"
        )
    _check_bias(w, b, w.shape[1] * groups, "transposed=1, ")
    _check_kinds(g, w, b)
    if 0 in g.shape[2:]:
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(g.shape)}"
        )
    if any(n <= 0 for n in space):
        raise RuntimeError(
            f"Given input size per channel: ({_sizes(g.shape[2:])}). Calculated output size per channel: "
            f"({_sizes(space)}). "
            "Output size is too small"
        )
    return in_format_of(g, w, shape=(g.shape[0], w.shape[1] * groups, *space))


# ---------------------------------------------------------------------------------------------------------------------
# Operations


def _with_bias(result: Any, b: Any) -> Any:
    if b is not None:
        result += b.reshape(-1, *[1] * (result.ndim - 2))
    return result


def _convolution(x: Any, w: Any, b: Any, *, geometry: Geometry) -> Any:
    return _with_bias(correlate(x, w, geometry), b)


def _input(x: Any, w: Any, b: Any, *, space: Ints, geometry: Geometry) -> Any:
    return _with_bias(scatter(x, w, space, geometry), b)


def _weight(x: Any, d: Any, *, kernel: Ints, geometry: Geometry) -> Any:
    return weight_product(x, d, kernel, geometry)


# The same as contractions, for the compiler: `x` and the others are its Symbols.


def _windows(x: Any, w: Any, y: Any, geometry: Geometry) -> Windows:
    return Windows(tuple(x), tuple(w), tuple(y), *geometry[:4])


def _plus_bias(result: Any, b: Any) -> Any:
    return result if b is None else result + b.reshape(-1, *[1] * (result.ndim - 2))


def _convolution_lowered(x: Any, w: Any, b: Any, *, geometry: Geometry) -> Any:
    if (fast := winograd.tiling(x.shape, w.shape, geometry)) is not None and x.dtype == "float32":
        return winograd.correlate(x, w, b, geometry, fast)
    shape = (x.shape[0], w.shape[0], *geometry.output(x.shape[2:], w.shape[2:]))
    return _plus_bias(x.contract(w, shape, _windows(x.shape, w.shape, shape, geometry).correlate()), b)


def _input_lowered(x: Any, w: Any, b: Any, *, space: Ints, geometry: Geometry) -> Any:
    if (fast := winograd.tiling_back(x.shape, w.shape, space, geometry)) is not None and x.dtype == "float32":
        return winograd.scatter(x, w, b, space, geometry, fast)
    shape = (x.shape[0], w.shape[1] * geometry.groups, *space)
    return _plus_bias(x.contract(w, shape, _windows(shape, w.shape, x.shape, geometry).scatter()), b)


def _weight_lowered(x: Any, d: Any, *, kernel: Ints, geometry: Geometry) -> Any:
    shape = (d.shape[1], x.shape[1] // geometry.groups, *kernel)
    if (fast := winograd.tiling(x.shape, shape, geometry)) is not None and x.dtype == "float32":
        return winograd.weigh(x, d, kernel, geometry, fast)
    return x.contract(d, shape, _windows(x.shape, shape, d.shape, geometry).weigh())


def _bias_gradient(g: Tensor, b_spec: Spec) -> Tensor:
    return g.sum((0, *range(2, g._value.spec.ndim)))


CONVOLUTION = operation("convolution", _convolution_spec, _convolution)
CONVOLUTION_INPUT = operation("convolution_input", _transposed_spec, _input, node="ConvolutionBackwardBackward0")
CONVOLUTION_TRANSPOSED = operation("convolution_transposed", _transposed_spec, _input, node="ConvolutionBackward0")
CONVOLUTION_WEIGHT = operation(
    "convolution_weight",
    lambda x, d, *, kernel, geometry: spec_of((d.shape[1], x.shape[1] // geometry.groups, *kernel), d.dtype),
    _weight,
    node="ConvolutionBackwardBackward0",
)


def _correlated(x: Tensor, w: Tensor, geometry: Geometry, out: Ints) -> Tensor:
    """The convolution; of its places the first `out`, where output padding made room for more."""
    result = apply(CONVOLUTION, (x, w, None), (geometry,))
    if result._value.spec.shape[2:] == out:
        return result
    for dim, n in enumerate(out, 2):
        result = result.narrow(dim, 0, n)
    return result


def _scattered(g: Tensor, w: Tensor, space: Ints, geometry: Geometry) -> Tensor:
    return apply(CONVOLUTION_INPUT, (g, w, None), (space, geometry))


def _weighed(x: Tensor, g: Tensor, kernel: Ints, geometry: Geometry) -> Tensor:
    return apply(CONVOLUTION_WEIGHT, (x, g), (kernel, geometry))


CONVOLUTION.lower, CONVOLUTION_WEIGHT.lower = _convolution_lowered, _weight_lowered
CONVOLUTION_INPUT.lower = CONVOLUTION_TRANSPOSED.lower = _input_lowered

CONVOLUTION.gradient(
    x=lambda g, w, x_spec, geometry: _scattered(g, conj(w), x_spec.shape[2:], geometry),
    w=lambda g, x, w_spec, geometry: _weighed(conj(x), g, w_spec.shape[2:], geometry),
    b=_bias_gradient,
)
for _op in (CONVOLUTION_INPUT, CONVOLUTION_TRANSPOSED):
    _op.gradient(
        x=lambda g, w, x_spec, geometry: _correlated(g, conj(w), geometry, x_spec.shape[2:]),
        w=lambda g, x, w_spec, geometry: _weighed(g, conj(x), w_spec.shape[2:], geometry),
        b=_bias_gradient,
    )
CONVOLUTION.shown = CONVOLUTION_TRANSPOSED.shown = three_shown
CONVOLUTION_WEIGHT.gradient(
    x=lambda g, d, x_spec, geometry: _scattered(conj(d), g, x_spec.shape[2:], geometry),
    d=lambda g, x, d_spec, geometry: _correlated(conj(x), g, geometry, d_spec.shape[2:]),
)

# ---------------------------------------------------------------------------------------------------------------------
# Arguments


def _each(value: Any, dims: int, name: str) -> Ints:
    """A size argument, one number or one for each dimension."""
    found = value if isinstance(value, tuple) else (value,)
    if len(found) == 1:
        return found * dims
    if len(found) != dims:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the convolution "
            f"dimensions, "
            f"but got {name}={list(found)}"
        )
    return found


@functools.lru_cache(maxsize=4096, typed=True)
def _geometry(dims: int, stride: Any, padding: Any, dilation: Any, groups: int, fast: bool) -> Geometry:
    if not isinstance(groups, int):
        raise TypeError(f"a convolution's argument 'groups' must be int, not {type(groups).__name__}")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    made = Geometry(
        _each(stride, dims, "stride"), _each(padding, dims, "padding"), _each(dilation, dims, "dilation"), groups, fast
    )
    if any(p < 0 for p in made.padding):
        raise RuntimeError("negative padding is not supported")
    if any(s <= 0 for s in made.stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(d <= 0 for d in made.dilation):
        raise RuntimeError("non-positive dilation is not supported")
    return made


def _require(function: str, input: Any, weight: Any, bias: Any) -> None:
    if not (isinstance(input, Tensor) and isinstance(weight, Tensor) and (bias is None or isinstance(bias, Tensor))):
        kinds = ", ".join(type(a).__name__ for a in (input, weight, bias))
        raise TypeError(
            f"{function}() received an invalid combination of arguments - got ({kinds}), but expected (Tensor input, "
            "Tensor weight, Tensor bias = None, ...)"
        )


def _convolve(dims: int, input: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any,
              groups: int) -> Tensor:  # fmt: skip
    name = f"conv{dims}d"
    _require(name, input, weight, bias)
    ndim = settle(input).spec.ndim
    if ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input._value.spec.shape)}"
        )
    stride, dilation = given_sizes(stride, name, "stride", 4), given_sizes(dilation, name, "dilation", 6)
    if padding.__class__ is str:
        input, padding = _padding_of(input, weight, padding, stride, dilation, dims)
    w = settle(weight).spec
    _check_weight(w, input._value.spec, dims)
    geometry = _geometry(
        dims, stride, given_sizes(padding, name, "padding", 5), dilation, groups, winograd.Setting.enabled
    )
    if ndim == dims + 1:
        return apply(CONVOLUTION, (input.unsqueeze(0), weight, bias), (geometry,)).squeeze(0)
    return apply(CONVOLUTION, (input, weight, bias), (geometry,))


def _padding_of(
    input: Tensor, weight: Tensor, padding: str, stride: Any, dilation: Any, dims: int
) -> tuple[Tensor, Ints]:
    """The input and the padding that "valid" or "same" mean."""
    if padding == "valid":
        return input, (0,) * dims
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(s != 1 for s in _each(stride, dims, "stride")):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    kernel = settle(weight).spec.shape[2:]
    if len(kernel) != dims:
        raise RuntimeError(
            f"Expected {len(kernel) + 2}-dimensional input for {len(kernel) + 2}-dimensional weight"
            f"{list(weight._value.spec.shape)}, but got {settle(input).spec.ndim}-dimensional input of size "
            f"{list(input._value.spec.shape)} instead"
        )
    total = [d * (k - 1) for d, k in zip(_each(dilation, dims, "dilation"), kernel, strict=True)]
    if any(t % 2 for t in total):
        from .padding import pad

        warnings.warn(
            "Using padding='same' with even kernel lengths and odd dilation may require a zero-padded copy of the "
            "input be "
            "created",
            UserWarning,
            stacklevel=4,
        )
        input = pad(input, [e for t in reversed(total) for e in (0, t % 2)])
    return input, tuple(t // 2 for t in total)


@public(method=False, functional=True)
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The cross-correlation of a batch of signals with filters
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html).

    Shapes: input (N, C, L) or (C, L), weight (O, C / groups, K), bias (O); result (N, O, L').  `padding` may be
    "valid" or "same".

    >>> torch.nn.functional.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@public(method=False, functional=True)
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The cross-correlation of a batch of images with filters
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html).

    Shapes: input (N, C, H, W) or (C, H, W), weight (O, C / groups, Kh, Kw), bias (O); result (N, O, H', W').

    >>> torch.nn.functional.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    tensor([[[[4.]]]])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@public(method=False, functional=True)
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The cross-correlation of a batch of volumes with filters.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, Kd, Kh, Kw), bias (O); result (N, O, D', H',
    W').
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


def _transpose(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    name = f"conv_transpose{dims}d"
    _require(name, input, weight, bias)
    spec, w = settle(input).spec, settle(weight).spec
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: "
            f"{list(spec.shape)}"
        )
    _check_weight(w, spec, dims)
    stride, padding = given_sizes(stride, name, "stride", 4), given_sizes(padding, name, "padding", 5)
    dilation = given_sizes(dilation, name, "dilation", 8)
    geometry = _geometry(dims, stride, padding, dilation, groups, winograd.Setting.enabled)
    extra = _each(given_sizes(output_padding, name, "output_padding", 6), dims, "output_padding")
    _check_output_padding(extra, geometry)
    space = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(
            spec.shape[-dims:], geometry.stride, geometry.padding, geometry.dilation, w.shape[2:], extra, strict=True
        )
    )
    if spec.ndim == dims + 1:
        return apply(CONVOLUTION_TRANSPOSED, (input.unsqueeze(0), weight, bias), (space, geometry)).squeeze(0)
    return apply(CONVOLUTION_TRANSPOSED, (input, weight, bias), (space, geometry))


def _check_output_padding(extra: Ints, geometry: Geometry) -> None:
    if any(e < 0 for e in extra):
        raise RuntimeError("negative output_padding is not supported")
    if any(e >= s and e >= d for e, s, d in zip(extra, geometry.stride, geometry.dilation, strict=True)):
        given = (("output_padding", extra, 0), ("stride", geometry.stride, 1), ("dilation", geometry.dilation, 1))
        sizes = [_spelled(name, of if len(of) > 1 else (missing, *of)) for name, of, missing in given]
        raise RuntimeError(f"output padding must be smaller than either stride or dilation, but got {' '.join(sizes)}")


def _spelled(name: str, sizes: Ints) -> str:
    """The sizes with a name for each dimension; PyTorch sees a signal as an image of height 1."""
    axes = ("depth", "height", "width")[-len(sizes) :]
    return " ".join(f"{name}_{axis}: {size}" for axis, size in zip(axes, sizes, strict=True))


@public(method=False, functional=True)
def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Tensor:  # fmt: skip
    """The adjoint of `conv1d` in its input. Shapes: input (N, C, L) or (C, L), weight (C, O / groups, K); result (N,
    O, L')."""
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False, functional=True)
def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Tensor:  # fmt: skip
    """The adjoint of `conv2d` in its input, which enlarges images
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html).

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, O / groups, Kh, Kw), bias (O); result (N, O, H', W').

    >>> torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 2, 2))
    tensor([[[[1., 1.],
              [1., 1.]]]])
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False, functional=True)
def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Tensor:  # fmt: skip
    """The adjoint of `conv3d` in its input. Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (C, O / groups, Kd,
    Kh, Kw)."""
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False, functional=True)
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` with time first: input (T, N, C), weight (K, C, O), bias (O); result (T', N, O)."""
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


@public(method=False)
def convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
                transposed: bool, output_padding: Any, groups: int) -> Tensor:  # fmt: skip
    """Any of the convolutions above; the number of dimensions is the weight's."""
    dims = settle(weight).spec.ndim - 2
    if transposed:
        return _transpose(dims, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(dims, input, weight, bias, stride, padding, dilation, groups)
