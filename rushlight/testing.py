"""`torch.testing`: `assert_close` compares tensors, arrays, numbers, and lists and dicts of them, and says where and by
how much they differ, in PyTorch's words. Tensors are compared by NumPy; the tolerances are PyTorch's, by dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["assert_allclose", "assert_close"]

# Relative and absolute tolerance.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class Rules(NamedTuple):
    """What counts as close."""

    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool


class _Mismatch(Exception):
    """A difference, and where in the nest it is."""

    def __init__(self, text: str, where: tuple[Any, ...] = ()) -> None:
        item = "".join(f"[{key!r}]" for key in where)
        super().__init__(f"{text}\n\nThe failure occurred for item {item}" if where else text)


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
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """That |actual - expected| <= atol + rtol * |expected|, everywhere, in tensors of one shape and dtype.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences and mappings of them, nested alike.
        rtol, atol: both or neither; by default after the dtype (1.3e-6 and 1e-5 for float32; 0 for integers).
        equal_nan: nan is close to nan.
        msg: the message, or a function of the message made here.

    Raises:
        AssertionError: they differ. ValueError: one tolerance without the other. TypeError: nothing that can be
            compared.

    >>> assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, "
            f"but got no {'rtol' if rtol is None else 'atol'}."
        )
    rules = Rules(rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    try:
        _compare(actual, expected, rules, ())
    except _Mismatch as difference:
        text = msg(str(difference)) if callable(msg) else msg or str(difference)
        raise AssertionError(text) from None


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """`assert_close` without looking at device, dtype and strides; old programs use it. Warns FutureWarning."""
    import warnings

    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please "
        "use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    actual = actual if isinstance(actual, Tensor) else rushlight.tensor(actual)
    expected = expected if isinstance(expected, Tensor) else rushlight.tensor(expected, dtype=actual.dtype)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True, check_dtype=False,
                 msg=msg or None)  # fmt: skip


# ---- walking through the nest


def _compare(actual: Any, expected: Any, rules: Rules, where: tuple[Any, ...]) -> None:
    both = (actual, expected)
    if all(isinstance(v, Tensor) or isinstance(v, np.ndarray | np.generic) for v in both):
        pair = [v if isinstance(v, Tensor) else rushlight.as_tensor(v) for v in both]
        _compare_tensors(pair[0], pair[1], rules, where)
    elif all(isinstance(v, bool) for v in both):
        if actual is not expected:
            raise _Mismatch(f"Booleans mismatch: {actual} is not {expected}", where)
    elif all(type(v) in (int, float, complex) for v in both):
        _compare_numbers(actual, expected, rules, where)
    elif all(isinstance(v, Mapping) for v in both):
        _compare_mappings(actual, expected, rules, where)
    elif all(isinstance(v, Sequence) and not isinstance(v, str | bytes) for v in both):
        if len(actual) != len(expected):
            raise _Mismatch(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", where)
        for i, (ours, theirs) in enumerate(zip(actual, expected)):
            _compare(ours, theirs, rules, (*where, i))
    elif actual is None and expected is None:
        return
    else:
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
            + "".join(f"\n\nThe failure occurred for item [{key!r}]" for key in where[-1:])
        )


def _compare_mappings(actual: Any, expected: Any, rules: Rules, where: tuple[Any, ...]) -> None:
    if actual.keys() != expected.keys():
        absent, more = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
        raise _Mismatch(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {absent}\nAdditional keys in the actual mapping: {more}",
            where,
        )
    for key in sorted(actual):
        _compare(actual[key], expected[key], rules, (*where, key))


# ---- tensors and numbers


def _compare_tensors(actual: Tensor, expected: Tensor, rules: Rules, where: tuple[Any, ...]) -> None:
    for name, ours, theirs in _attributes(actual, expected, rules):
        if ours != theirs:
            raise _Mismatch(f"The values for attribute {name!r} do not match: {ours} != {theirs}.", where)
    rtol, atol = _tolerances(rules, str(actual.dtype), str(expected.dtype))
    kind = rushlight.promote_types(actual.dtype, expected.dtype)
    a, b = (_numbers(t.detach().to(kind)) for t in (actual, expected))
    close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=rules.equal_nan) if rtol or atol else _equal(a, b, rules)
    if close.all():
        return
    if not a.ndim:
        raise _Mismatch(_of_numbers(a.item(), b.item(), rtol, atol), where)
    raise _Mismatch(_of_tensors(a, b, close, rtol, atol), where)


def _attributes(actual: Tensor, expected: Tensor, rules: Rules) -> Iterator[tuple[str, Any, Any]]:
    yield "shape", actual.shape, expected.shape
    if rules.check_device:
        yield "device", actual.device, expected.device
    if rules.check_dtype:
        yield "dtype", actual.dtype, expected.dtype
    if rules.check_layout:
        yield "layout", actual.layout, expected.layout
    if rules.check_stride:
        yield "stride()", actual.stride(), expected.stride()


def _numbers(tensor: Tensor) -> Any:
    """As an array in which differences do not overflow: bool and integers as int64, small floats as float32."""
    if tensor.dtype.is_complex:
        return tensor.numpy()
    if not tensor.dtype.is_floating_point:
        return tensor.to(rushlight.int64).numpy()
    return (tensor if tensor.dtype == rushlight.float64 else tensor.float()).numpy()


def _equal(a: Any, b: Any, rules: Rules) -> Any:
    same = np.asarray(a == b)
    return same | (np.isnan(a) & np.isnan(b)) if rules.equal_nan else same


def _tolerances(rules: Rules, *dtypes: str) -> tuple[float, float]:
    """The given ones, or the looser of the dtypes' own."""
    if rules.rtol is not None and rules.atol is not None:
        return rules.rtol, rules.atol
    known = [_TOLERANCES.get(name.removeprefix("torch."), (0.0, 0.0)) for name in dtypes]
    return max(rtol for rtol, _ in known), max(atol for _, atol in known)


def _compare_numbers(actual: Any, expected: Any, rules: Rules, where: tuple[Any, ...]) -> None:
    kinds = [
        "complex128" if isinstance(v, complex) else "float64" if isinstance(v, float) else "int64"
        for v in (actual, expected)
    ]
    rtol, atol = _tolerances(rules, *kinds)
    if rules.check_dtype and type(actual) is not type(expected):
        raise _Mismatch(f"The (d)types do not match: {type(actual)} != {type(expected)}.", where)
    if not np.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=rules.equal_nan):
        raise _Mismatch(_of_numbers(actual, expected, rtol, atol), where)


def _allowed(tolerance: float, exact: bool) -> str:
    return "" if exact else f" (up to {tolerance or 0} allowed)"


def _of_numbers(actual: Any, expected: Any, rtol: float, atol: float) -> str:
    exact = not rtol and not atol
    absolute = abs(actual - expected)
    relative = absolute / abs(expected) if expected else float("inf")
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{_allowed(atol, exact)}\n"
        f"Relative difference: {relative}{_allowed(rtol, exact)}"
    )


def _of_tensors(a: Any, b: Any, close: Any, rtol: float, atol: float) -> str:
    exact = not rtol and not atol
    with np.errstate(all="ignore"):
        absolute = np.where(close, 0, np.abs(a - b))
        size = np.abs(b).astype(np.float32 if absolute.dtype.kind == "i" else absolute.dtype)
        relative = np.where(close, 0, absolute.astype(size.dtype) / size)
    count, total = int((~close).sum()), close.size
    return (
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n\n"
        f"Mismatched elements: {count} / {total} ({count / total:.1%})\n"
        f"Greatest absolute difference: {_greatest(absolute)}{_allowed(atol, exact)}\n"
        f"Greatest relative difference: {_greatest(relative)}{_allowed(rtol, exact)}"
    )


def _greatest(differences: Any) -> str:
    index = np.unravel_index(int(np.argmax(differences)), differences.shape)
    return f"{differences[index].item()} at index {tuple(map(int, index))}"


__getattr__ = missing(__name__)
