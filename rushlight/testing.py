"""torch.testing: `assert_close` for tensors, numbers and containers of them, and `make_tensor`.

A pair of things is compared by what it is: containers item by item, None, booleans and numbers by themselves, tensors
and arrays by attributes first and then number by number. The messages are PyTorch's.

Source: https://pytorch.org/docs/stable/testing.html
"""

from __future__ import annotations

import cmath
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import dtype as Dtype
from rushlight.core.dtype import promote_types
from rushlight.core.missing import missing
from rushlight.record.trace import realize
from rushlight.record.value import Tensor
from rushlight.tensor import FUNCTIONS

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

Message = str | Callable[[str], str] | None

#: (rtol, atol) by dtype; everything else must be equal.
TOLERANCES: dict[Dtype, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
_NUMBERS: dict[type, Dtype] = {int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128}


class _Mismatch(Exception):
    """What was found different, and where."""

    def __init__(self, text: str, path: tuple[Any, ...]) -> None:
        place = "".join(f"[{step!r}]" for step in path)
        super().__init__(f"{text}\n\nThe failure occurred for item {place}" if path else text)


class Comparison:
    """The options of one `assert_close`, and the comparing."""

    def __init__(self, rtol: float | None, atol: float | None, **options: bool) -> None:
        if (rtol is None) != (atol is None):
            raise ValueError(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{'rtol' if rtol is None else 'atol'}."
            )
        if (rtol or 0) < 0 or (atol or 0) < 0:
            raise ValueError(f"rtol and atol must not be negative, but got rtol={rtol}, atol={atol}")
        self.rtol = rtol
        self.atol = atol
        self.options = options

    def compare(self, actual: Any, expected: Any, path: tuple[Any, ...] = ()) -> None:
        """Raises _Mismatch where the two differ, TypeError where they cannot be compared."""
        if _are(actual, expected, Sequence) and not _are(actual, expected, str):
            self._sequences(actual, expected, path)
        elif _are(actual, expected, Mapping):
            self._mappings(actual, expected, path)
        elif actual is None or expected is None:
            if actual is not expected:
                raise _Mismatch(f"None mismatch: {actual} is not {expected}", path)
        elif _are(actual, expected, (bool, np.bool_)):
            if bool(actual) is not bool(expected):
                raise _Mismatch(f"Booleans mismatch: {bool(actual)} is not {bool(expected)}", path)
        elif _are(actual, expected, (int, float, complex, np.number)):
            self._numbers(actual, expected, path)
        else:
            self._tensor_likes(actual, expected, path)

    def _sequences(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> None:
        if len(actual) != len(expected):
            raise _Mismatch(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            self.compare(a, e, (*path, i))

    def _mappings(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> None:
        if actual.keys() != expected.keys():
            raise _Mismatch(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(expected.keys() - actual.keys(), key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(actual.keys() - expected.keys(), key=str)}",
                path,
            )
        for key in expected:
            self.compare(actual[key], expected[key], (*path, key))

    def _tolerances(self, *kinds: Dtype) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        found = [TOLERANCES.get(k, (0.0, 0.0)) for k in kinds]
        return max(r for r, _ in found), max(a for _, a in found)

    # -- numbers

    def _numbers(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> None:
        a, e = (x.item() if isinstance(x, np.generic) else x for x in (actual, expected))
        if self.options["check_dtype"] and type(a) is not type(e):
            raise _Mismatch(f"The (d)types do not match: {type(a)} != {type(e)}.", path)
        rtol, atol = self._tolerances(_NUMBERS[type(a)], _NUMBERS[type(e)])
        if a == e or _close(a, e, rtol, atol) or (self.options["equal_nan"] and cmath.isnan(a) and cmath.isnan(e)):
            return
        raise _Mismatch(_scalar_text(a, e, abs(a - e), _relative(abs(a - e), abs(e)), rtol, atol), path)

    # -- tensors

    def _tensor_likes(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> None:
        related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
        same = related if self.options["allow_subclasses"] else type(actual) is type(expected)
        if not same or not isinstance(actual, (Tensor, np.ndarray)):
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
            )
        pair = (actual, expected)
        a, e = (x.detach() if isinstance(x, Tensor) else FUNCTIONS["from_numpy"](np.array(x)) for x in pair)
        self._attributes(a, e, path)
        self._values(a, e, path)

    def _attributes(self, a: Tensor, e: Tensor, path: tuple[Any, ...]) -> None:
        checks = [("shape", a.shape, e.shape, True)]
        checks += [(n, getattr(a, n), getattr(e, n), self.options[f"check_{n}"]) for n in ("layout", "device", "dtype")]
        checks.append(("stride()", a.stride(), e.stride(), self.options["check_stride"]))
        for name, mine, its, checked in checks:
            if checked and mine != its:
                raise _Mismatch(f"The values for attribute '{name}' do not match: {mine} != {its}.", path)

    def _values(self, a: Tensor, e: Tensor, path: tuple[Any, ...]) -> None:
        rtol, atol = self._tolerances(a.dtype, e.dtype)
        kind = promote_types(a.dtype, e.dtype)
        kind = dtypes.int64 if not (kind.is_floating_point or kind.is_complex) else kind
        mine, its = (np.asarray(realize(t)).astype(kind.numpy) for t in (a, e))
        matches = _matches(mine, its, rtol, atol, self.options["equal_nan"])
        if not matches.all():
            raise _Mismatch(_difference_text(mine, its, matches, rtol, atol), path)


def _are(a: Any, b: Any, kinds: Any) -> bool:
    return isinstance(a, kinds) and isinstance(b, kinds)


def _close(a: Any, e: Any, rtol: float, atol: float) -> bool:
    return cmath.isfinite(a) and cmath.isfinite(e) and abs(a - e) <= atol + rtol * abs(e)


def _relative(difference: float, expected: float) -> float:
    if math.isinf(expected):
        return math.nan
    return difference / expected if expected else math.inf


def _matches(a: np.ndarray, e: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    equal = a == e
    if rtol or atol:
        wide = np.complex128 if np.iscomplexobj(a) else np.float64
        x, y = a.astype(wide), e.astype(wide)
        with np.errstate(all="ignore"):
            near = np.abs(x - y) <= atol + rtol * np.abs(y)
        equal = equal | (near & np.isfinite(x) & np.isfinite(y))
    return equal | ((a != a) & (e != e)) if equal_nan else equal


def _scalar_text(a: Any, e: Any, absolute: Any, relative: Any, rtol: float, atol: float) -> str:
    exact = not rtol and not atol
    allowed_a, allowed_r = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {e} but got {a}.\n"
        f"Absolute difference: {absolute}{allowed_a}\nRelative difference: {relative}{allowed_r}"
    )


def _difference_text(a: np.ndarray, e: np.ndarray, matches: np.ndarray, rtol: float, atol: float) -> str:
    with np.errstate(all="ignore"):
        absolute = np.abs(a - e)
        below = np.abs(e)
        relative = absolute.astype("float32") / below.astype("float32") if a.dtype.kind == "i" else absolute / below
    if not a.ndim:
        return _scalar_text(a.item(), e.item(), absolute.item(), relative.item(), rtol, atol)
    absolute, relative = (np.where(matches, np.zeros((), d.dtype), d) for d in (absolute, relative))
    exact = not rtol and not atol
    wrong = int(matches.size - matches.sum())
    text = f"Tensor-likes are not {'equal' if exact else 'close'}!\n\n"
    text += f"Mismatched elements: {wrong} / {matches.size} ({wrong / matches.size:.1%})\n"
    lines = [_greatest(n, d, "" if exact else f" (up to {t} allowed)")
             for n, d, t in (("absolute", absolute, atol), ("relative", relative, rtol))]  # fmt: skip
    return text + "\n".join(lines)


def _greatest(name: str, difference: np.ndarray, allowed: str) -> str:
    wide = difference.astype("float64") if difference.dtype.kind not in "if" else difference
    at = tuple(int(i) for i in np.unravel_index(int(wide.argmax()), difference.shape))
    return f"Greatest {name} difference: {wide[at].item()} at index {at}{allowed}"


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raises AssertionError unless `|actual - expected| <= atol + rtol * |expected|` everywhere.

    Tensors, NumPy arrays, numbers, None, and sequences and mappings of them. The tolerances follow from the dtype
    unless both are given. `msg` replaces the message, or turns it into another.

    >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    """
    __tracebackhide__ = True
    comparison = Comparison(
        rtol, atol, allow_subclasses=allow_subclasses, equal_nan=equal_nan, check_device=check_device,
        check_dtype=check_dtype, check_layout=check_layout, check_stride=check_stride,
    )  # fmt: skip
    try:
        comparison.compare(actual, expected)
    except _Mismatch as mismatch:
        text = str(mismatch)
    else:
        return
    raise AssertionError(text if msg is None else msg(text) if callable(msg) else msg)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Deprecated: `assert_close` without checks of dtype and the like."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please "
        "use `torch.testing.assert_close()` instead. You can find detailed upgrade instructions in "
        "https://github.com/pytorch/pytorch/issues/61844.",
        FutureWarning,
        stacklevel=2,
    )
    a, e = (x if isinstance(x, Tensor) else FUNCTIONS["tensor"](x) for x in (actual, expected))
    if rtol is None and atol is None:
        loosest = [{"float16": (1e-3, 1e-3), "float64": (1e-5, 1e-8)}.get(t.dtype.name, (1e-4, 1e-5)) for t in (a, e)]
        rtol, atol = max(r for r, _ in loosest), max(x for _, x in loosest)
    assert_close(a, e, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True, check_dtype=False, msg=msg or None)


def make_tensor(
    *shape: Any,
    dtype: Dtype,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of random numbers from `low` to `high` (-9 to 9 unless given; bool: both, unsigned: from 0)."""
    size = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    if noncontiguous and memory_format is not None:
        raise ValueError("The parameters `noncontiguous` and `memory_format` are mutually exclusive")
    wide = (*size[:-1], size[-1] * 2) if noncontiguous and size else tuple(size)
    made = _random(wide, dtype, low, high)
    if exclude_zero:
        made = FUNCTIONS["where"](made == 0, FUNCTIONS["ones_like"](made), made)
    if noncontiguous and size:
        made = made[..., ::2]
    if memory_format is not None:
        made = made.contiguous(memory_format=memory_format)
    return made.requires_grad_(requires_grad)


def _random(size: tuple[int, ...], dtype: Dtype, low: float | None, high: float | None) -> Tensor:
    if dtype is dtypes.bool_:
        return FUNCTIONS["randint"](0, 2, size).to(dtype)
    if not dtype.is_floating_point and not dtype.is_complex:
        start = (0 if not dtype.is_signed else -9) if low is None else math.ceil(low)
        return FUNCTIONS["randint"](start, 10 if high is None else math.ceil(high), size).to(dtype)
    start, end = -9.0 if low is None else low, 9.0 if high is None else high  # type: ignore[assignment]
    if start > end:
        raise ValueError(f"`low` must be less than or equal to `high`, but got {start} > {end}")
    if dtype.is_complex:
        pairs = FUNCTIONS["rand"]((*size, 2), dtype=dtype.to_real()) * (end - start) + start
        return FUNCTIONS["view_as_complex"](pairs)
    return (FUNCTIONS["rand"](size) * (end - start) + start).to(dtype)


__getattr__ = missing(__name__)
