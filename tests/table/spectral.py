"""Rows of `ops.spectral`: Fourier transforms against `numpy.fft`, short-time transforms against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case

SIGNAL = np.array([[1 + 2j, -0.5, 2j, 1 - 1j, 0.3], [0.1j, 2, -1 + 1j, 3, -2j]])


def _case(name: str, operands: list[Any], reference: Any, *args: Any, **kwargs: Any) -> Case:
    f = name.split(" ")[0]
    return Case(
        f"fft.{name}",
        None,
        operands,
        lambda x: getattr(np.fft, f)(x, *args, **_numpys(kwargs)) if reference is None else reference(x),
        args,
        kwargs,
        floats=False,
    )


def _numpys(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {("axis" if isinstance(v, int) else "axes") if k == "dim" else k: v for k, v in kwargs.items()}


def _stft(x: np.ndarray) -> np.ndarray:
    frames = [x[k : k + 8] * np.hanning(9)[:8] for k in range(0, 13, 2)]
    return np.stack([np.fft.rfft(f) for f in frames], 1)


def _window(t: Any, x: Any) -> Any:
    return t.hann_window(8, dtype=x.dtype)


CASES = [
    _case("fft", [SIGNAL], None),
    _case("fft [real]", [(2, 5)], None),
    _case("fft [n, dim, norm]", [SIGNAL], None, 3, 0, "ortho"),
    _case("ifft", [SIGNAL], None),
    _case("ifft [longer]", [SIGNAL], None, 8, norm="forward"),
    _case("rfft", [(2, 5)], None),
    _case("rfft [even]", [(2, 6)], None, norm="ortho"),
    _case("irfft", [SIGNAL], None),
    _case("irfft [odd]", [SIGNAL], None, 7),
    _case("irfft [norm]", [SIGNAL], None, norm="forward"),
    _case("hfft", [SIGNAL], None),
    _case("hfft [n]", [SIGNAL], None, 5, norm="ortho"),
    _case("ihfft", [(2, 6)], None),
    _case("fft2", [SIGNAL], None),
    _case("ifft2", [SIGNAL], None, (3, 4)),
    _case("rfft2", [(3, 4)], None),
    _case("irfft2", [SIGNAL], None),
    _case("fftn", [(2, 3, 4)], None),
    _case("fftn [dim]", [(2, 3, 4)], lambda x: np.fft.fftn(x, axes=(0, 2)), dim=(0, 2)),
    _case("ifftn", [SIGNAL], None, norm="ortho"),
    _case("rfftn", [(2, 3, 4)], None),
    _case("irfftn", [SIGNAL], None, (2, 9)),
    _case("hfft2", [SIGNAL], lambda x: np.fft.irfftn(np.conj(x), norm="forward")),
    _case("ihfft2", [(3, 4)], lambda x: np.conj(np.fft.rfftn(x, norm="forward"))),
    _case("fftshift", [(4, 5)], None),
    _case("ifftshift", [(4, 5)], lambda x: np.fft.ifftshift(x, 1), 1),
    Case("fft.fftfreq", lambda t: t.fft.fftfreq(5, 0.5), [], np.fft.fftfreq(5, 0.5)),
    Case("fft.rfftfreq", lambda t: t.fft.rfftfreq(6), [], np.fft.rfftfreq(6)),
    Case("fft.fft [whole numbers]", lambda t, x: t.fft.fft(x), [np.array([1, 2, 3])], lambda x: np.fft.fft(x)),
    Case(
        "stft",
        lambda t, x: t.stft(x, 8, 2, window=_window(t, x), center=False, return_complex=True),
        [(20,)],
        _stft,
        floats=False,
    ),
    Case(
        "stft [center]",
        lambda t, x: t.stft(x, 8, normalized=True, window=_window(t, x), return_complex=True),
        [(2, 20)],
        floats=False,
    ),
    Case(
        "istft",
        lambda t, x: t.istft(
            t.stft(x, 8, 2, window=_window(t, x), return_complex=True), 8, 2, window=_window(t, x), length=20
        ),
        [(2, 20)],
        lambda x: x,
        floats=False,
    ),
]
