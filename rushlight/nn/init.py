"""Filling tensors with starting values: `torch.nn.init`.

Every function changes its tensor in place, outside of the tape, and returns it. Random numbers come from the default
generator, or the one given, in PyTorch's order, so a seed gives the same weights as PyTorch on a CPU.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rushlight.autograd import no_grad
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight import Generator

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_GAINS = dict.fromkeys((*_LINEAR, "sigmoid"), 1) | {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before `nonlinearity` are larger than before none; `param` is leaky_relu's slope.

    Raises ValueError for an unknown name or a slope that is no number.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
        raise ValueError(f"negative_slope {param} not a valid number")
    slope = 0.01 if param is None else param
    return math.sqrt(2.0 / (1 + slope**2))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn evenly from [a, b).

    >>> uniform_(torch.empty(2, 3), 4.0, 5.0).floor()
    tensor([[4., 4., 4.],
            [4., 4., 4.]])
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn from the normal distribution.

    >>> normal_(torch.empty(2, 3), mean=9.0) > 0
    tensor([[True, True, True],
            [True, True, True]])
    """
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with numbers drawn from the normal distribution cut off outside of [a, b].

    Numbers outside are drawn again where most of the distribution lies inside; otherwise even draws from [a, b] are
    accepted with the density as their probability. Warns where the mean is more than 2 std outside.

    >>> trunc_normal_(torch.empty(100)).abs().max() <= 2
    tensor(True)
    """
    if _is_meta(tensor):
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    with no_grad():
        if inside > 0.3:
            return _redraw_outside(tensor, mean, std, a, b, generator)
        return _accept_by_density(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redraw_outside(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    import rushlight

    low, high = (tensor.new_tensor(bound, device="cpu").item() for bound in (a, b))  # as the dtype rounds them
    result = tensor.normal_(mean, std, generator=generator)
    while (outside := (result < low) | (result > high)).any():
        fresh = rushlight.empty_like(result).normal_(mean, std, generator=generator)
        result = rushlight.where(outside, fresh, result)
    return tensor if result is tensor else tensor.copy_(result)


def _accept_by_density(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    import rushlight

    log_peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def rejected(candidates: Tensor) -> Tensor:
        log_density = candidates.clone().sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(log_peak)
        return rushlight.empty_like(candidates).uniform_(generator=generator).log_().gt(log_density)

    result = tensor.uniform_(a, b, generator=generator).clone()
    pending = rejected(result)
    while pending.any():
        candidates = rushlight.empty_like(tensor).uniform_(a, b, generator=generator)
        result = rushlight.where(pending, candidates, result)
        pending = rushlight.where(pending, rejected(candidates), pending)
    return tensor.copy_(result)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with the number `val`.

    >>> constant_(torch.empty(2), 0.3)
    tensor([0.3000, 0.3000])
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    >>> ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    >>> zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    with no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity. Raises ValueError unless `tensor` has 2 dimensions.

    >>> eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    import rushlight

    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        return tensor.copy_(rushlight.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the weight of a convolution pass its input channels on unchanged, as many as there are.

    Raises ValueError unless `tensor` has 3, 4 or 5 dimensions, the first divisible by `groups`.

    >>> dirac_(torch.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    dims = tensor.ndimension()
    if dims not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.size(0) % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if _is_meta(tensor):
        return tensor
    per_group = tensor.size(0) // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, tensor.size(1))):
                tensor[(group * per_group + channel, channel, *middle)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output depends on, and how many outputs an input reaches."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    outputs, inputs, *window = tensor.shape
    area = math.prod(window)
    return inputs * area, outputs * area


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill evenly from [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)). Glorot & Bengio 2010.

    >>> xavier_uniform_(torch.empty(2, 4)).abs().max() <= 1
    tensor(True)
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution with std = gain * sqrt(2 / (fan_in + fan_out)). Glorot & Bengio 2010.

    >>> xavier_normal_(torch.empty(3, 5)).shape
    torch.Size([3, 5])
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """None, with a warning, for a tensor without elements."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill evenly from [-b, b), b = gain * sqrt(3 / fan), so that the scale survives the layers. He et al. 2015.

    `a` is the slope of leaky_relu; `mode` says whether the forward ("fan_in") or backward ("fan_out") scale is kept.

    >>> kaiming_uniform_(torch.empty(2, 6), nonlinearity="relu").abs().max() <= 1
    tensor(True)
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution with std = gain / sqrt(fan). He et al. 2015; arguments as kaiming_uniform_.

    >>> kaiming_normal_(torch.empty(3, 5)).shape
    torch.Size([3, 5])
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Make a matrix (other dimensions flattened) orthogonal, times `gain`. Saxe et al. 2013.

    Raises ValueError for fewer than 2 dimensions.

    >>> w = orthogonal_(torch.empty(2, 3)); torch.allclose(w @ w.T, torch.eye(2), atol=1e-6)
    True
    """
    import rushlight

    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0 or _is_meta(tensor):
        return tensor
    rows = tensor.size(0)
    with no_grad():
        flat = tensor.new_empty((rows, tensor.numel() // rows)).normal_(0, 1, generator=generator)
        wide = rows < flat.size(1)
        q, r = rushlight.linalg.qr(flat.t() if wide else flat)
        q = q * rushlight.diag(r, 0).sign()  # makes the draw uniform
        tensor.copy_((q.t() if wide else q).reshape(tensor.shape))
        return tensor.mul_(gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix from the normal distribution, and with zeros in the share `sparsity` of each column. Martens 2010.

    Raises ValueError unless `tensor` has 2 dimensions.

    >>> (sparse_(torch.empty(10, 3), sparsity=0.2) == 0).sum(0)
    tensor([2, 2, 2])
    """
    import rushlight

    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if _is_meta(tensor):
        return tensor
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[rushlight.randperm(rows)[:zeros], column] = 0
    return tensor


def _is_meta(tensor: Tensor) -> bool:
    return tensor.device.type == "meta"


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The name without the underscore, which old programs use; warns."""
    old = function.__name__[:-1]

    def init(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{function.__name__}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    init.__name__ = init.__qualname__ = old
    init.__doc__ = f"Deprecated: `{function.__name__}`."
    return init


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
