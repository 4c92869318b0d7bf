"""Fourier transforms: `torch.fft`, `torch.stft` and `torch.istft`.

Three operations: complex to complex, real to complex (one side) and back, over any dimensions, in NumPy's pocketfft or
in machine code (`general_spectral.py`).
Their derivatives are each other, for the adjoint of a scaled transform is the transform the other way with the same
scale. https://pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import get_default_dtype
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .creation import arange, cast, finish, full_like_spec
from .joining import cat
from .public import FUNCTIONAL, public
from .view import slice_along

Dims = tuple[int, ...]

#: How results are scaled: not at all, by 1/sqrt(n), by 1/n; and what NumPy calls that for either direction.
NONE, ROOT, WHOLE = "none", "root", "whole"
_FORWARD: dict[str, Any] = {NONE: "backward", ROOT: "ortho", WHOLE: "forward"}
_INVERSE: dict[str, Any] = {NONE: "forward", ROOT: "ortho", WHOLE: "backward"}


def _scale(norm: str | None, forward: bool) -> str:
    if norm == "ortho":
        return ROOT
    if norm in (None, "backward", "forward"):
        return WHOLE if (norm == "forward") == forward else NONE
    raise RuntimeError(f'Invalid normalization mode: "{norm}"')


# ---------------------------------------------------------------------------------------------------------------------
# The three transforms


def _c2c(x: np.ndarray, *, dims: Dims, scale: str, forward: bool) -> np.ndarray:
    if forward:
        return np.fft.fftn(x, axes=dims, norm=_FORWARD[scale])
    return np.fft.ifftn(x, axes=dims, norm=_INVERSE[scale])


C2C = operation("fft_c2c", lambda x, *, dims, scale, forward: spec_of(x.shape, x.dtype), _c2c)
C2C.gradient(x=lambda g, dims, scale, forward: apply(C2C, (g,), (dims, scale, not forward)))


def _with_size(shape: tuple[int, ...], dim: int, size: int) -> tuple[int, ...]:
    return (*shape[:dim], size, *shape[dim + 1 :])


def _r2c_spec(x: Spec, *, dims: Dims, scale: str) -> Spec:
    return spec_of(_with_size(x.shape, dims[-1], x.shape[dims[-1]] // 2 + 1), x.dtype.to_complex())


def _r2c_gradient(g: Tensor, x_spec: Spec, dims: Dims, scale: str) -> Tensor:
    whole = resized(g, dims[-1], x_spec.shape[dims[-1]])
    return apply(C2C, (whole,), (dims, scale, False)).real


R2C = operation("fft_r2c", _r2c_spec, lambda x, *, dims, scale: np.fft.rfftn(x, axes=dims, norm=_FORWARD[scale]))
R2C.gradient(x=_r2c_gradient)


def _c2r_spec(x: Spec, *, dims: Dims, scale: str, size: int) -> Spec:
    return spec_of(_with_size(x.shape, dims[-1], size), x.dtype.to_real())


def _c2r(x: np.ndarray, *, dims: Dims, scale: str, size: int) -> np.ndarray:
    sizes = [x.shape[d] for d in dims[:-1]] + [size]
    return np.fft.irfftn(x, s=sizes, axes=dims, norm=_INVERSE[scale])


def _c2r_gradient(g: Tensor, dims: Dims, scale: str, size: int) -> Tensor:
    """All but the first frequency (and the middle one) stand for two."""
    found = apply(R2C, (g,), (dims, scale))
    spec = found._value.spec
    last = dims[-1]
    count = spec.shape[last]
    weights = np.full(count, 2.0)
    weights[[0] if size % 2 else [0, -1]] = 1.0
    shape = [1] * spec.ndim
    shape[last] = count
    from .creation import wrap

    return found * wrap(weights.astype(spec.dtype.to_real().numpy).reshape(shape))


C2R = operation("fft_c2r", _c2r_spec, _c2r)
C2R.gradient(x=_c2r_gradient)

# ---------------------------------------------------------------------------------------------------------------------
# Arguments


def resized(x: Tensor, dim: int, size: int) -> Tensor:
    """Cut, or filled up with zeros, to `size` along `dim`."""
    spec = x._value.spec
    if spec.shape[dim] == size:
        return x
    if spec.shape[dim] > size:
        return slice_along(x, dim, 0, size)
    zeros = full_like_spec(spec_of(_with_size(spec.shape, dim, size - spec.shape[dim]), spec.dtype), 0)
    return cat([x, zeros], dim)


def _promoted(x: Tensor, to_complex: bool, real: bool = False) -> Tensor:
    kind = settle(x).spec.dtype
    if kind in (dtypes.float16, dtypes.bfloat16):
        raise RuntimeError(f"Unsupported dtype {kind.scalar_name}")
    if not (kind.is_floating_point or kind.is_complex):
        kind = get_default_dtype()
    if to_complex and not kind.is_complex:
        kind = kind.to_complex()
    return cast(x, kind)


def _need_real(x: Tensor, name: str) -> None:
    kind = settle(x).spec.dtype
    if kind.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {kind.scalar_name}")


def _check_points(n: int) -> int:
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _one(x: Tensor, n: int | None, dim: int) -> tuple[int, int]:
    spec = settle(x).spec
    if not spec.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    at = normalize_dim(dim, spec.ndim)
    return at, _check_points(spec.shape[at] if n is None else n)


def _several(x: Tensor, s: Any, dim: Any, back: bool = False) -> tuple[Dims, list[int]]:
    """The dimensions to transform and their sizes; `back`: the last one is the number of real points."""
    spec = settle(x).spec
    s = [s] if isinstance(s, int) else s
    dim = [dim] if isinstance(dim, int) else dim
    if dim is None:
        dims = tuple(range(spec.ndim)) if s is None else tuple(range(spec.ndim - len(s), spec.ndim))
        if s is not None and len(s) > spec.ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {spec.ndim} dimensions.")
    else:
        if dim and not spec.ndim:
            raise IndexError(f"Dimension specified as {dim[0]} but tensor has no dimensions")
        dims = tuple(normalize_dim(d, spec.ndim) for d in dim)
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
    if s is not None and len(s) != len(dims):
        raise RuntimeError(
            f"When given, dim and shape arguments must have the same length, but got dim with {len(dims)} and "
            f"shape with {len(s)} values."
        )
    sizes = [spec.shape[d] for d in dims]
    if back and dims:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if s is not None:
        sizes = [size if want == -1 else want for size, want in zip(sizes, s, strict=True)]
    for size in sizes:
        _check_points(size)
    return dims, sizes


def _fitted(x: Tensor, dims: Dims, sizes: Sequence[int]) -> Tensor:
    for d, size in zip(dims, sizes, strict=True):
        x = resized(x, d, size)
    return x


def _complex(x: Tensor, dims: Dims, sizes: Sequence[int], norm: str | None, forward: bool) -> Tensor:
    x = _fitted(_promoted(x, True), dims, sizes)
    return apply(C2C, (x,), (dims, _scale(norm, forward), forward)) if dims else x


def _from_real(x: Tensor, dims: Dims, sizes: Sequence[int], norm: str | None, forward: bool, name: str) -> Tensor:
    _need_real(x, name)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    x = _fitted(_promoted(x, False), dims, sizes)
    found = apply(R2C, (x,), (dims, _scale(norm, forward)))
    return found if forward else conj(found)


def _to_real(x: Tensor, dims: Dims, sizes: Sequence[int], norm: str | None, forward: bool, name: str) -> Tensor:
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    x = _fitted(_promoted(x, True), dims, [*sizes[:-1], sizes[-1] // 2 + 1])
    return apply(C2R, (conj(x) if forward else x,), (dims, _scale(norm, forward), sizes[-1]))


# ---------------------------------------------------------------------------------------------------------------------
# torch.fft


def _offer(name: str, f: Any, doc: str) -> None:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    public(function=False, method=False, out=True, space="fft")(f)


def _complex_family(forward: bool) -> None:
    """fft, fft2, fftn or their inverses."""

    def f(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        at, size = _one(input, n, dim)
        return _complex(input, (at,), (size,), norm, forward)

    def f2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
        return _complex(input, *_several(input, s, dim), norm, forward)

    def fn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
        return _complex(input, *_several(input, s, dim), norm, forward)

    stem, what = ("fft", "discrete") if forward else ("ifft", "inverse discrete")
    _offer(stem, f, f"The {what} Fourier transform along `dim`, cut or filled up to `n` points.")
    _offer(f"{stem}2", f2, f"The {what} Fourier transform over two dimensions.")
    _offer(f"{stem}n", fn, f"The {what} Fourier transform over several dimensions (all by default).")


def _real_family(forward: bool) -> None:
    """rfft, rfft2, rfftn, or ihfft, ihfft2, ihfftn."""
    stem = "rfft" if forward else "ihfft"

    def f(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        _need_real(input, stem)
        at, size = _one(input, n, dim)
        return _from_real(input, (at,), (size,), norm, forward, stem)

    def f2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
        return _from_real(input, *_several(input, s, dim), norm, forward, f"{stem}2")

    def fn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
        return _from_real(input, *_several(input, s, dim), norm, forward, f"{stem}n")

    what = "Fourier transform of a real signal" if forward else "inverse Fourier transform of a real spectrum"
    _offer(stem, f, f"The {what}: the non-negative frequencies, along `dim`.")
    _offer(f"{stem}2", f2, f"The {what} over two dimensions.")
    _offer(f"{stem}n", fn, f"The {what} over several dimensions (all by default).")


def _hermitian_family(forward: bool) -> None:
    """irfft, irfft2, irfftn, or hfft, hfft2, hfftn."""
    stem = "hfft" if forward else "irfft"

    def f(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        at, _ = _one(input, n if n is None else 1, dim)
        size = _check_points(2 * (settle(input).spec.shape[at] - 1) if n is None else n)
        return _to_real(input, (at,), (size,), norm, forward, stem)

    def f2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
        return _to_real(input, *_several(input, s, dim, True), norm, forward, f"{stem}2")

    def fn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
        return _to_real(input, *_several(input, s, dim, True), norm, forward, f"{stem}n")

    what = "Fourier transform of a Hermitian signal" if forward else "inverse of `rfft`"
    _offer(stem, f, f"The {what}: real, `n` points (2 (size - 1) by default) along `dim`.")
    _offer(f"{stem}2", f2, f"The {what} over two dimensions." if forward else "The inverse of `rfft2`.")
    _offer(f"{stem}n", fn, f"The {what} over several dimensions." if forward else "The inverse of `rfftn`.")


for _forward in (True, False):
    _complex_family(_forward)
    _real_family(_forward)
    _hermitian_family(_forward)


def _frequencies(first: int, count: int, n: int, d: float, dtype: Any, requires_grad: bool) -> Tensor:
    kind = dtype or get_default_dtype()
    found = arange(first, first + count, dtype=kind) * (1.0 / (n * d))
    return finish(found, requires_grad)


@public(function=False, method=False, out=True, space="fft")
def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The frequencies of the points of `fft`, for a signal sampled every `d`: 0, 1, ..., -2, -1 over (n d).

    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    if n == 0:
        return _frequencies(0, 0, 1, d, dtype, requires_grad)
    half = (n + 1) // 2
    parts = [_frequencies(0, half, n, d, dtype, False), _frequencies(-(n // 2), n // 2, n, d, dtype, False)]
    return finish(cat(parts), requires_grad)


@public(function=False, method=False, out=True, space="fft")
def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The frequencies of the points of `rfft`: 0, 1, ..., n // 2 over (n d)."""
    return _frequencies(0, n // 2 + 1, n, d, dtype, requires_grad)


def _shift(x: Tensor, dim: Any, forward: bool) -> Tensor:
    from .repetition import roll

    spec = settle(x).spec
    dims = tuple(range(spec.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if not dims:
        return x.clone()
    sizes = [spec.shape[d] // 2 if forward else (spec.shape[d] + 1) // 2 for d in dims]
    return roll(x, sizes, dims)


@public(function=False, method=False, space="fft")
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequency 0 moved to the middle, along `dim` (all dimensions by default)."""
    return _shift(input, dim, True)


@public(function=False, method=False, space="fft")
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shift(input, dim, False)


# ---------------------------------------------------------------------------------------------------------------------
# Short-time transforms


def _frames(x: np.ndarray, *, size: int, hop: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)[..., ::hop, :]


def _frames_spec(x: Spec, *, size: int, hop: int) -> Spec:
    return spec_of((*x.shape[:-1], (x.shape[-1] - size) // hop + 1, size), x.dtype)


def _overlapped(x: np.ndarray, *, hop: int, length: int) -> np.ndarray:
    """The sum of frames (..., count, size), each `hop` later than the one before."""
    total = np.zeros((*x.shape[:-2], length), x.dtype)
    size = x.shape[-1]
    for k in range(x.shape[-2]):
        total[..., k * hop : k * hop + size] += x[..., k, :]
    return total


FRAMES = operation("frames", _frames_spec, _frames, node="AsStridedBackward0")
FRAMES.gradient(x=lambda g, x_spec, hop: apply(OVERLAP, (g,), (hop, x_spec.shape[-1])))
OVERLAP: Operation = operation(
    "overlap_add",
    lambda x, *, hop, length: spec_of((*x.shape[:-2], length), x.dtype),
    _overlapped,
    node="UnfoldBackwardBackward0",
)
OVERLAP.gradient(x=lambda g, x_spec, hop: apply(FRAMES, (g,), (x_spec.shape[-1], hop)))


def _windowed(window: Tensor | None, n_fft: int, win_length: int, name: str) -> Tensor | None:
    """The window in the middle of n_fft points."""
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{name} expected 0 < win_length <= n_fft, but got win_length={win_length}")
    if window is None and win_length == n_fft:
        return None
    if window is None:
        window = full_like_spec(spec_of((win_length,), get_default_dtype()), 1)
    if window.dim() != 1 or window._value.spec.shape[0] != win_length:
        raise RuntimeError(
            f"{name} expected a 1D window tensor of size equal to win_length={win_length}, but got window with size "
            f"{list(settle(window).spec.shape)}"
        )
    before = (n_fft - win_length) // 2
    return FUNCTIONAL["pad"](window, (before, n_fft - win_length - before)) if win_length < n_fft else window


@public()
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Fourier transforms of the windows of a signal (time) or (batch, time): (batch, frequency, frame).

    https://pytorch.org/docs/stable/generated/torch.stft.html
    """
    spec = settle(input).spec
    if spec.ndim not in (1, 2):
        raise RuntimeError(f"stft({_shown(spec)}, ...): expected a 1D or 2D tensor")
    one_sided = not spec.dtype.is_complex if onesided is None else onesided
    if return_complex is None:
        if not spec.dtype.is_complex:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require "
                "that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    hop, length = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    x = input if spec.ndim == 2 else input.unsqueeze(0)
    if center:
        x = FUNCTIONAL["pad"](x.unsqueeze(1), (n_fft // 2, n_fft // 2), pad_mode).squeeze(1)
    if not 0 < n_fft <= x._value.spec.shape[-1]:
        raise RuntimeError(f"stft({_shown(spec)}, n_fft={n_fft}, ...): expected 0 < n_fft <= {x._value.spec.shape[-1]}")
    if hop <= 0:
        raise RuntimeError(f"stft({_shown(spec)}, ...): expected hop_length > 0, but got hop_length={hop}")
    frames = apply(FRAMES, (x,), (n_fft, hop))
    shape = _windowed(window, n_fft, length, f"stft({_shown(spec)}, ...):")
    if shape is not None:
        frames = frames * shape
    found = _transformed(frames, one_sided, normalized).transpose(1, 2)
    found = found if spec.ndim == 2 else found.squeeze(0)
    return found if return_complex else found.view_as_real() if hasattr(found, "view_as_real") else _as_pairs(found)


def _as_pairs(x: Tensor) -> Tensor:
    from .joining import stack

    return stack([x.real, x.imag], -1)


def _shown(spec: Spec) -> str:
    return f"torch.{spec.dtype.scalar_name}Tensor{list(spec.shape)}"


def _transformed(frames: Tensor, one_sided: bool, normalized: bool) -> Tensor:
    scale = ROOT if normalized else NONE
    last = frames.dim() - 1
    if one_sided:
        return apply(R2C, (frames,), ((last,), scale))
    return apply(C2C, (_promoted(frames, True),), ((last,), scale, True))


@public()
def istft(input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
          window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
          length: int | None = None, return_complex: bool = False) -> Tensor:  # fmt: skip
    """The signal whose `stft` is nearest to `input`: overlapped frames over the overlapped squares of the window.

    https://pytorch.org/docs/stable/generated/torch.istft.html
    """
    spec = settle(input).spec
    hop, size = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    name = f"istft({_shown(spec)}, ...):"
    if not spec.dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if not spec.numel:
        raise RuntimeError(f"{name} input tensor cannot be empty.")
    x = input if spec.ndim == 3 else input.unsqueeze(0)
    bins = x._value.spec.shape[1]
    one_sided = bins != n_fft if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if one_sided else n_fft):
        raise RuntimeError(
            f"{name} expected the frequency dimension (3rd to the last) of the input tensor to match n_fft"
            f"{' / 2 + 1' if one_sided else ''}, but got {bins}"
        )
    if not 0 < hop <= size:
        raise RuntimeError(f"{name} expected 0 < hop_length <= win_length")
    shape = _windowed(window, n_fft, size, name)
    if shape is None:
        shape = full_like_spec(spec_of((n_fft,), spec.dtype.to_real()), 1)
    frames = _untransformed(x.transpose(1, 2), one_sided, normalized, n_fft, return_complex)
    signal = _overlap_normalised(frames, shape, hop, n_fft, center, length, name)
    return signal if spec.ndim == 3 else signal.squeeze(0)


def _untransformed(x: Tensor, one_sided: bool, normalized: bool, n_fft: int, return_complex: bool) -> Tensor:
    scale = ROOT if normalized else WHOLE
    if return_complex:
        return apply(C2C, (x,), ((2,), scale, False))
    half = x if one_sided else slice_along(x, 2, 0, n_fft // 2 + 1)
    return apply(C2R, (half,), ((2,), scale, n_fft))


def _overlap_normalised(frames: Tensor, window: Tensor, hop: int, n_fft: int, center: bool, length: int | None,
                        name: str) -> Tensor:  # fmt: skip
    count = frames._value.spec.shape[1]
    total = n_fft + hop * (count - 1)
    signal = apply(OVERLAP, (frames * window,), (hop, total))
    squares = apply(OVERLAP, ((window * window).unsqueeze(0).expand(count, n_fft),), (hop, total))
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    stop = min(end, total)
    weights = slice_along(squares, 0, start, stop)
    if bool((np.abs(realize(weights)) < 1e-11).any()):
        raise RuntimeError(f"{name} window overlap add min: 1")
    found = slice_along(signal, 1, start, stop) / weights
    return resized(found, 1, end - start) if end > stop else found
