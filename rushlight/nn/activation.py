"""Activation layers: functions of single numbers, and the softmax family.

Layers that differ only by the function called share a base: `_Pointwise` (no arguments), `_Inplace` (`inplace`) and
`_AlongDim` (`dim`). The functions are those of `functional`, looked up by the name in `_function`.
"""

from __future__ import annotations

import warnings
from typing import Any

from rushlight.nn import functional as F
from rushlight.nn import init as _init
from rushlight.nn.module import Module
from rushlight.nn.parameter import new_parameter
from rushlight.tensor import Tensor


def _in_place(inplace: bool, separator: str = ", ") -> str:
    return f"{separator}inplace=True" if inplace else ""


class _Pointwise(Module):
    """A function without arguments. Shape: any, to the same."""

    _function: str

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input)


class Sigmoid(_Pointwise):
    """1 / (1 + exp(-x)). Shape: any, to the same.

    >>> Sigmoid()
    Sigmoid()
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(_Pointwise):
    """The hyperbolic tangent. Shape: any, to the same.

    >>> Tanh()(torch.tensor([-2., 0., 3.]))
    tensor([-0.9640,  0.0000,  0.9951])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class LogSigmoid(_Pointwise):
    """log(1 / (1 + exp(-x))). Shape: any, to the same.

    >>> LogSigmoid()(torch.tensor([-2., 0., 3.]))
    tensor([-2.1269, -0.6931, -0.0486])
    """

    _function = "logsigmoid"


class Softsign(_Pointwise):
    """x / (1 + |x|). Shape: any, to the same.

    >>> Softsign()(torch.tensor([-2., 0., 3.]))
    tensor([-0.6667,  0.0000,  0.7500])
    """

    _function = "softsign"


class Tanhshrink(_Pointwise):
    """x - tanh(x). Shape: any, to the same.

    >>> Tanhshrink()(torch.tensor([-2., 0., 3.]))
    tensor([-1.0360,  0.0000,  2.0049])
    """

    _function = "tanhshrink"


class _Inplace(Module):
    """A function whose only argument is whether to overwrite its input. Shape: any, to the same."""

    __constants__ = ["inplace"]
    _function: str

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.inplace)

    def extra_repr(self) -> str:
        return _in_place(self.inplace, "")


class ReLU(_Inplace):
    """max(0, x). Shape: any, to the same; `inplace` overwrites the input.

    >>> ReLU(inplace=True)
    ReLU(inplace=True)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class SiLU(_Inplace):
    """x / (1 + exp(-x)), also known as swish. Shape: any, to the same.

    >>> SiLU()(torch.tensor([-2., 0., 3.]))
    tensor([-0.2384,  0.0000,  2.8577])
    """

    _function = "silu"


class Mish(_Inplace):
    """x tanh(softplus(x)). Misra 2019. Shape: any, to the same.

    >>> Mish()(torch.tensor([-2., 0., 3.]))
    tensor([-0.2525,  0.0000,  2.9865])
    """

    _function = "mish"


class SELU(_Inplace):
    """scale * (max(0, x) + min(0, alpha (exp(x) - 1))), with fixed constants. Klambauer et al. 2017.

    >>> SELU()(torch.tensor([-2., 0., 3.]))
    tensor([-1.5202,  0.0000,  3.1521])
    """

    _function = "selu"


class Hardsigmoid(_Inplace):
    """x / 6 + 1/2, cut off at 0 and 1. Shape: any, to the same.

    >>> Hardsigmoid()(torch.tensor([-2., 0., 3.]))
    tensor([0.1667, 0.5000, 1.0000])
    """

    _function = "hardsigmoid"

    def extra_repr(self) -> str:
        return ""


class Hardswish(_Inplace):
    """x times `Hardsigmoid` of x. Howard et al. 2019. Shape: any, to the same.

    >>> Hardswish()(torch.tensor([-2., 0., 3.]))
    tensor([-0.3333,  0.0000,  3.0000])
    """

    _function = "hardswish"

    def extra_repr(self) -> str:
        return ""


class Hardtanh(Module):
    """x cut off at `min_val` and `max_val`. Shape: any, to the same. Raises AssertionError unless min_val < max_val.

    >>> Hardtanh(-2, 2)
    Hardtanh(min_val=-2, max_val=2)
    """

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for old, value in (("min", min_value), ("max", max_value)):
            if value is not None:
                message = f"keyword argument `{old}_value` is deprecated and renamed to `{old}_val`"
                warnings.warn(message, FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}{_in_place(self.inplace)}"


class ReLU6(Hardtanh):
    """min(max(0, x), 6). Shape: any, to the same.

    >>> ReLU6()
    ReLU6()
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return _in_place(self.inplace, "")


class Threshold(Module):
    """x where it is greater than `threshold`, else `value`. Shape: any, to the same.

    >>> Threshold(0.1, 20)
    Threshold(threshold=0.1, value=20)
    """

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}{_in_place(self.inplace)}"


class RReLU(Module):
    """`LeakyReLU` with slopes drawn from [lower, upper] while training, and their mean otherwise. Xu et al. 2015.

    >>> RReLU(0.1, 0.3)
    RReLU(lower=0.1, upper=0.3)
    """

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}{_in_place(self.inplace)}"


class _Alpha(Module):
    __constants__ = ["alpha", "inplace"]
    _function: str

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}{_in_place(self.inplace)}"


class ELU(_Alpha):
    """x where positive, else alpha (exp(x) - 1). Clevert et al. 2015. Shape: any, to the same.

    >>> ELU()
    ELU(alpha=1.0)
    """

    _function = "elu"


class CELU(_Alpha):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Barron 2017. Shape: any, to the same.

    >>> CELU()(torch.tensor([-2., 0., 3.]))
    tensor([-0.8647,  0.0000,  3.0000])
    """

    _function = "celu"


class LeakyReLU(Module):
    """x where positive, else negative_slope x. Shape: any, to the same.

    >>> LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)
    """

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}{_in_place(self.inplace)}"


class PReLU(Module):
    """`LeakyReLU` with a learned slope, one for all channels or one for each. He et al. 2015.

    Shape: (N, C, *), to the same. `weight` is (num_parameters,), 1 or C, starting at `init`.

    >>> PReLU()
    PReLU(num_parameters=1)
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = new_parameter((num_parameters,), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to `init`."""
        _init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class GELU(Module):
    """x times the normal distribution function of x; `approximate="tanh"` is a quicker form. Hendrycks & Gimpel 2016.

    >>> GELU()
    GELU(approximate='none')
    """

    __constants__ = ["approximate"]

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold. Shape: any, to the same.

    >>> Softplus()
    Softplus(beta=1.0, threshold=20.0)
    """

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class _Shrink(Module):
    __constants__ = ["lambd"]
    _function: str

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x where |x| > lambd, else 0. Shape: any, to the same.

    >>> Hardshrink()
    Hardshrink(0.5)
    """

    _function = "hardshrink"


class Softshrink(_Shrink):
    """x moved by lambd towards 0, and 0 within lambd of it. Shape: any, to the same.

    >>> Softshrink()(torch.tensor([-2., 0., 3.]))
    tensor([-1.5000,  0.0000,  2.5000])
    """

    _function = "softshrink"


class GLU(Module):
    """The first half of dimension `dim` times the sigmoid of the second. Shape: (*, 2n, *) to (*, n, *).

    >>> GLU()
    GLU(dim=-1)
    """

    __constants__ = ["dim"]

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class _AlongDim(Module):
    __constants__ = ["dim"]
    _function: str

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"dim": None} | state)

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) divided by its sum along `dim`. Shape: any, to the same.

    >>> Softmax(dim=1)
    Softmax(dim=1)
    """

    _function = "softmax"


class Softmin(_AlongDim):
    """`Softmax` of -x. Shape: any, to the same.

    >>> Softmin(dim=0)(torch.tensor([-2., 0., 3.]))
    tensor([0.8756, 0.1185, 0.0059])
    """

    _function = "softmin"


class LogSoftmax(_AlongDim):
    """The logarithm of `Softmax`. Shape: any, to the same.

    >>> LogSoftmax(dim=0)(torch.tensor([-2., 0., 3.]))
    tensor([-5.0550, -3.0550, -0.0550])
    """

    _function = "log_softmax"


class Softmax2d(Module):
    """`Softmax` over the channels. Shape: (N, C, H, W) or (C, H, W), to the same; ValueError for another.

    >>> Softmax2d()
    Softmax2d()
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
