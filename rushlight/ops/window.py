"""Windows for signals: `torch.hann_window` and its relatives, and `torch.signal.windows`.

Every window is computed in double precision from its formula and rounded once. The older functions are periodic by
default (made for `stft`), those of `torch.signal.windows` symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype as Dtype
from rushlight.core.dtype import get_default_dtype
from rushlight.core.layout import strided
from rushlight.record.value import Tensor

from . import bessel
from .creation import check_device, finish, wrap
from .public import public

WINDOWS: dict[str, Callable[..., Tensor]] = {}  # torch.signal.windows.<name>


def _made(array: np.ndarray, dtype: Dtype | None, device: Any, requires_grad: bool, name: str) -> Tensor:
    kind = dtype or get_default_dtype()
    if not kind.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {kind.scalar_name}")
    check_device(device)
    return finish(wrap(array.astype(kind.numpy)), requires_grad)


def _points(length: int, periodic: bool) -> np.ndarray:
    """Positions from 0 to 1, the 1 left out in a periodic window."""
    steps = max(length if periodic else length - 1, 1)
    return np.arange(length) / steps


def _cosines(length: int, periodic: bool, weights: Sequence[float]) -> np.ndarray:
    t = 2 * math.pi * _points(length, periodic)
    if length == 1:
        return np.ones(1)
    terms = [(-1) ** k * w * np.cos(k * t) for k, w in enumerate(weights)]
    return np.sum(terms, axis=0)


def _triangle(length: int, periodic: bool) -> np.ndarray:
    return np.ones(1) if length == 1 else 1 - np.abs(2 * _points(length, periodic) - 1)


def _kaiser(length: int, periodic: bool, beta: float) -> np.ndarray:
    if length == 1:
        return np.ones(1)
    x = 2 * _points(length, periodic) - 1
    return bessel.modified_i(0, beta * np.sqrt(np.maximum(1 - x * x, 0))) / bessel.modified_i(0, beta)


def _check_length(length: int, name: str) -> int:
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    return length


@public(method=False)
def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
                pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """sin(pi n / N)**2.

    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    n = _check_length(window_length, "hann_window")
    return _made(_cosines(n, periodic, (0.5, 0.5)), dtype, device, requires_grad, "hann_window")


@public(method=False)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - beta cos(2 pi n / N)."""
    n = _check_length(window_length, "hamming_window")
    return _made(_cosines(n, periodic, (alpha, beta)), dtype, device, requires_grad, "hamming_window")


@public(method=False)
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""
    n = _check_length(window_length, "blackman_window")
    return _made(np.abs(_cosines(n, periodic, (0.42, 0.5, 0.08))), dtype, device, requires_grad, "blackman_window")


@public(method=False)
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle from 0 to 1 and back."""
    n = _check_length(window_length, "bartlett_window")
    return _made(_triangle(n, periodic), dtype, device, requires_grad, "bartlett_window")


@public(method=False)
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """I0(beta sqrt(1 - x**2)) / I0(beta) for x from -1 to 1, I0 the modified Bessel function."""
    n = _check_length(window_length, "kaiser_window")
    return _made(_kaiser(n, periodic, beta), dtype, device, requires_grad, "kaiser_window")


# ---------------------------------------------------------------------------------------------------------------------
# torch.signal.windows


#: Sums of cosines, whose errors PyTorch raises in their common function's name.
_COSINE_SUMS = dict.fromkeys(("general_hamming", "hamming", "hann", "nuttall"), "general_cosine")


def _check_window(name: str, length: int, dtype: Any, layout: Any) -> None:
    if length < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={length}")
    if layout not in (None, strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if (dtype or get_default_dtype()).name not in ("float32", "float64"):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype or get_default_dtype()}")


def _offer(f: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Makes `torch.signal.windows.<name>` of a function (M, periodic, *parameters) that computes the numbers."""
    name = f.__name__

    def window(M: int, *args: Any, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, **parameters: Any) -> Tensor:  # fmt: skip
        _check_window(_COSINE_SUMS.get(name, name), M, dtype, layout)
        found = f(M, not sym, *args, **parameters) if M > 1 else np.ones(M)
        return _made(found, dtype, device, requires_grad, name)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f.__doc__
    WINDOWS[name] = window
    return f


@_offer
def bartlett(M: int, periodic: bool) -> np.ndarray:
    """A triangle from 0 to 1 and back."""
    return _triangle(M, periodic)


@_offer
def blackman(M: int, periodic: bool) -> np.ndarray:
    """0.42 - 0.5 cos + 0.08 cos of twice the angle."""
    return _cosines(M, periodic, (0.42, 0.5, 0.08))


@_offer
def general_cosine(M: int, periodic: bool, *, a: Sequence[float]) -> np.ndarray:
    """The sum of (-1)**k a[k] cos(2 pi k n / N)."""
    if not isinstance(a, Sequence):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _cosines(M, periodic, a)


@_offer
def general_hamming(M: int, periodic: bool, *, alpha: float = 0.54) -> np.ndarray:
    """alpha - (1 - alpha) cos(2 pi n / N)."""
    return _cosines(M, periodic, (alpha, 1 - alpha))


@_offer
def hamming(M: int, periodic: bool) -> np.ndarray:
    """0.54 - 0.46 cos(2 pi n / N)."""
    return _cosines(M, periodic, (0.54, 0.46))


@_offer
def hann(M: int, periodic: bool) -> np.ndarray:
    """sin(pi n / N)**2."""
    return _cosines(M, periodic, (0.5, 0.5))


@_offer
def nuttall(M: int, periodic: bool) -> np.ndarray:
    """Nuttall's window of four cosines."""
    return _cosines(M, periodic, (0.3635819, 0.4891775, 0.1365995, 0.0106411))


@_offer
def cosine(M: int, periodic: bool) -> np.ndarray:
    """sin(pi (n + 1/2) / M)."""
    return np.sin(math.pi * (np.arange(M) + 0.5) / (M + periodic))


def _centred(M: int, periodic: bool, center: float | None = None) -> np.ndarray:
    middle = (M - (not periodic)) / 2 if center is None else center
    return np.arange(M) - middle


@_offer
def exponential(M: int, periodic: bool, *, center: float | None = None, tau: float = 1.0) -> np.ndarray:
    """exp(-|n - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if not periodic and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    return np.exp(-np.abs(_centred(M, periodic, center)) / tau)


@_offer
def gaussian(M: int, periodic: bool, *, std: float = 1.0) -> np.ndarray:
    """exp(-(n - center)**2 / (2 std**2))."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return np.exp(-0.5 * (_centred(M, periodic) / std) ** 2)


@_offer
def kaiser(M: int, periodic: bool, *, beta: float = 12.0) -> np.ndarray:
    """I0(beta sqrt(1 - x**2)) / I0(beta), I0 the modified Bessel function."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _kaiser(M, periodic, beta)
