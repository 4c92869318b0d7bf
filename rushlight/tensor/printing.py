"""How tensors are printed: `format_tensor` turns the numbers into exactly the text PyTorch's `repr` gives.

The numbers come in as a NumPy array. A large tensor is first cut down to its edges; the numbers left decide one format
for all of them (integral, fixed or scientific, and a width); then the brackets are nested around them, and what the
numbers do not show (dtype, device, grad_fn) follows. `set_printoptions` changes how everything is printed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from rushlight.core.device import device as Device
from rushlight.core.dtype import FLOATING, bool_, complex64, complex128, float64, get_default_dtype, int64
from rushlight.core.dtype import dtype as DType

Text = Callable[[Any], str]  # one element, padded to the common width


@dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: Final = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed, as `torch.set_printoptions`.

    Args:
        precision: digits after the decimal point (default 4).
        threshold: the number of elements above which only the edges are printed (default 1000).
        edgeitems: how many elements at each edge (default 3).
        linewidth: characters in a line (default 80).
        profile: "default", "short" or "full": sets the four above first.
        sci_mode: scientific notation always (True), never (False) or where it helps (None, the default; like PyTorch,
            every call sets this one).

    Raises ValueError for an unknown profile or an option out of range, TypeError for one that is not a number. Nothing
    is changed then.
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"unknown profile {profile!r}: choose one of {', '.join(_PROFILES)}")
    chosen = _options if profile is None else _PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        _check_option(name, value)
    _options = replace(chosen, **changes, sci_mode=sci_mode)


def _check_option(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) and not (name == "threshold" and isinstance(value, float)):
        raise TypeError(f"set_printoptions(): {name} must be an integer, not {type(value).__name__}")
    if value < (name == "linewidth"):
        raise ValueError(f"set_printoptions(): {name} is too small: {value}")


def get_printoptions() -> dict[str, Any]:
    """The options in force: precision, threshold, edgeitems, linewidth and sci_mode."""
    return asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Other options, those of `set_printoptions`, inside a `with` block."""
    global _options
    before = _options
    try:
        set_printoptions(**{"sci_mode": before.sci_mode, **options})
        yield
    finally:
        _options = before


def format_tensor(
    array: np.ndarray[Any, Any] | None,
    dtype: DType,
    device: Device,
    *,
    shape: tuple[int, ...] | None = None,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    class_name: str = "tensor",
    parameter: bool = False,
    default_dtype: DType | None = None,
) -> str:
    """The text of `repr(tensor)`.

    Args:
        array: the numbers, in NumPy's type for `dtype`; None for a tensor that has none (device meta).
        dtype: the tensor's dtype, shown unless it can be told from the numbers.
        device: shown unless it is the CPU.
        shape: the tensor's shape, needed only where `array` is None.
        requires_grad: shown for a tensor without `grad_fn_name`.
        grad_fn_name: the class of the `grad_fn`, such as "AddBackward0".
        class_name: what stands before the bracket: "tensor", or the name of a subclass.
        parameter: whether to announce a parameter in a line of its own.
        default_dtype: the dtype that need not be shown; None for the one of `get_default_dtype`.

    >>> from rushlight.core.dtype import float32
    >>> format_tensor(np.array([1.0, 2.5], np.float32), float32, Device("cpu"))
    'tensor([1.0000, 2.5000])'
    """
    prefix = f"{class_name}("
    notes = _notes(array, shape, dtype, device, default_dtype or get_default_dtype())
    if grad_fn_name is not None:
        notes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        notes.append("requires_grad=True")
    text = prefix + ("..." if array is None else format_array(array, dtype, indent=len(prefix)))
    text = _append_notes(text, notes, indent=len(prefix))
    return f"Parameter containing:\n{text}" if parameter else text


def _notes(
    array: np.ndarray[Any, Any] | None, shape: tuple[int, ...] | None, dtype: DType, device: Device, default: DType
) -> list[str]:
    """What has to be said beside the numbers: device, size, dtype."""
    notes = [] if device.type == "cpu" else [f"device='{device}'"]
    sizes = array.shape if array is not None else shape or ()
    if array is None or (_options.edgeitems == 0 if array.size else array.ndim != 1):
        notes.append(f"size={tuple(sizes)}")
    obvious: tuple[DType, ...] = (default,)
    if array is not None and array.size:  # elements tell integers, bools, floats and complex numbers apart
        obvious = (default, complex128 if default is float64 else complex64, int64, bool_)
    return notes if dtype in obvious else [*notes, f"dtype={dtype!r}"]


def _append_notes(text: str, notes: list[str], indent: int) -> str:
    """The notes after the text and the closing bracket; a note that does not fit in its line begins a new one."""
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + note
            used = indent + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"


def format_array(array: np.ndarray[Any, Any], dtype: DType, indent: int = 0) -> str:
    """The nested brackets only; `indent` is the width of what precedes the first one."""
    if array.size == 0:
        return "[]"
    if array.size <= _options.threshold:
        edges = _ALL
        shown = array
    else:
        edges = _options.edgeitems
        shown = _edges_of(array, edges)
    text, width = _choose_format(shown, dtype)
    per_line = max(1, (_options.linewidth - indent - array.ndim + 1) // (width + 2)) if array.ndim else 1
    return _nest(array, text, per_line, edges, indent)


_ALL: Final = -1  # instead of a number of edge items: everything is printed


def _edges_of(array: np.ndarray[Any, Any], edges: int) -> np.ndarray[Any, Any]:
    """The elements that are printed of a large tensor (all of them of a vector without edges, as in PyTorch)."""
    if edges == 0:
        return array if array.ndim == 1 else array[:0]
    for axis, size in enumerate(array.shape):
        if size > 2 * edges:
            ends = [*range(edges), *range(size - edges, size)]
            array = array[(slice(None),) * axis + (ends,)]  # unlike np.take, never copies all of a transposed array
    return array


def _nest(array: np.ndarray[Any, Any], text: Text, per_line: int, edges: int, indent: int) -> str:
    if array.ndim == 0:
        return text(array.item())
    long = edges != _ALL and len(array) > 2 * edges
    if array.ndim == 1:
        return _row(array, text, per_line, edges if long else _ALL, indent)
    parts = array if not long else [*array[:edges], None, *array[len(array) - edges :]]
    inner = ["..." if part is None else _nest(part, text, per_line, edges, indent + 1) for part in parts]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(inner) + "]"


def _row(vector: np.ndarray[Any, Any], text: Text, per_line: int, edges: int, indent: int) -> str:
    if edges == _ALL:
        items = [text(value) for value in vector.tolist()]
    elif edges == 0:
        items = ["..."]
    else:
        ends = [[text(value) for value in part.tolist()] for part in (vector[:edges], vector[-edges:])]
        items = [*ends[0], " ...", *ends[1]]
    lines = [", ".join(items[start : start + per_line]) for start in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


# --- one format for all elements -------------------------------------------------------------------------------------


def _choose_format(shown: np.ndarray[Any, Any], dtype: DType) -> tuple[Text, int]:
    """How to print an element, from all the elements to be printed, and the width this takes."""
    if dtype.is_complex:
        return _complex_format(shown)
    if dtype.category >= FLOATING:
        return _float_format(shown)
    width = max(map(len, map(str, shown.ravel().tolist())), default=1)
    return (lambda value: str(value).rjust(width)), width


def _float_format(shown: np.ndarray[Any, Any]) -> tuple[Text, int]:
    values = shown.astype(np.float64).ravel()
    values = values[np.isfinite(values) & (values != 0)]
    integral = bool((values == np.ceil(values)).all())
    text = _float_text(integral, _needs_exponent(values, integral))
    width = max(map(len, map(text, values.tolist())), default=1)
    return (lambda value: text(value).rjust(width)), width


def _needs_exponent(values: np.ndarray[Any, Any], integral: bool) -> bool:
    """Whether numbers (finite, not zero) differ so much in size, or are so large or small, that digits would be lost.

    `sci_mode` overrules this, but not where there are only zeros and numbers that are not finite.
    """
    if not values.size or _options.sci_mode is not None:
        return bool(values.size and _options.sci_mode)
    sizes = np.abs(values)
    low, high = float(sizes.min()), float(sizes.max())
    return high / low > 1000.0 or high > 1.0e8 or (not integral and low < 1.0e-4)


def _float_text(integral: bool, exponent: bool) -> Text:
    if exponent:
        return f"{{:.{_options.precision}e}}".format
    if not integral:
        return f"{{:.{_options.precision}f}}".format
    return lambda value: f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _complex_format(shown: np.ndarray[Any, Any]) -> tuple[Text, int]:
    real_text, real_width = _float_format(shown.real)
    imag_text, imag_width = _float_format(shown.imag)

    def text(value: complex) -> str:
        imag = imag_text(value.imag).lstrip()
        return real_text(value.real) + ("" if imag[0] in "+-" else "+") + imag + "j"

    return text, real_width + imag_width + 1
