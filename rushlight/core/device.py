"""`device`: where a tensor lives, and the default device that factories use.

A device is an interned pair (type, index): equal devices are the same object, so the floors above compare with `is`
and use devices in dictionary keys. `parse` turns whatever a user may pass as `device=` into one.
"""

from __future__ import annotations

import re
import threading
from typing import Any, Final, NoReturn

TYPES: Final = ("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla",
                "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone")  # fmt: skip

_FORM = re.compile(r"([a-zA-Z_]+)(?::(0|[1-9][0-9]*))?")
_LARGEST_INDEX = 127  # PyTorch keeps the index in a signed byte
_INTERNED: dict[tuple[str, int | None], device] = {}


class device:
    """A device type and, optionally, which one of that type, as `torch.device`.

    Forms: `device("cuda:1")`, `device("cuda", 1)`, `device(type="cuda", index=1)`, `device(another_device)`. As a
    context manager it is the default device of the factories called inside, in this thread. Raises RuntimeError for a
    string that names no device, TypeError for other arguments.

    >>> device("cuda", 1), str(device("cpu")), device("cpu").index is None
    (device(type='cuda', index=1), 'cpu', True)
    """

    __slots__ = ("type", "index", "__weakref__")

    type: str
    index: int | None

    def __new__(cls, *args: Any, **kwargs: Any) -> device:
        if len(args) == 1 and not kwargs and isinstance(args[0], str):
            return _INTERNED.get((args[0], None)) or _from_string(args[0])
        return _from_arguments(args, kwargs)

    def __init_subclass__(cls, **kwargs: object) -> None:
        raise TypeError("type 'torch.device' is not an acceptable base type")

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return device, (self.type,) if self.index is None else (self.type, self.index)

    def __copy__(self) -> device:
        return self

    def __deepcopy__(self, memo: object) -> device:
        return self

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        if hasattr(device, attribute):
            raise AttributeError(f"attribute '{attribute}' of 'torch.device' objects is not writable")
        raise AttributeError(f"'torch.device' object has no attribute '{attribute}'")

    def __delattr__(self, attribute: str) -> NoReturn:
        self.__setattr__(attribute, None)

    def __enter__(self) -> device:
        _state.outer = (_state.default, _state.outer)
        _state.default = self
        return self

    def __exit__(self, *exception: object) -> None:
        assert _state.outer is not None, "device.__exit__ without __enter__"
        _state.default, _state.outer = _state.outer


def _intern(type_: str, index: int | None) -> device:
    found = _INTERNED.get((type_, index))
    if found is None:
        found = object.__new__(device)
        object.__setattr__(found, "type", type_)
        object.__setattr__(found, "index", index)
        found = _INTERNED.setdefault((type_, index), found)  # another thread may have been quicker
    return found


def _from_string(text: str) -> device:
    if not text:
        raise RuntimeError("Device string must not be empty")
    form = _FORM.fullmatch(text)
    if form is None:
        raise RuntimeError(f"Invalid device string: '{text}'")
    type_, digits = form.groups()
    _check_type(type_, text)
    if digits and (len(digits) > 3 or int(digits) > _LARGEST_INDEX):
        raise RuntimeError(f"Could not parse device index '{digits}' in device string '{text}'")
    return _intern(type_, int(digits) if digits else None)


def _check_type(type_: str, text: str) -> None:
    if type_ not in TYPES:
        raise RuntimeError(f"Expected one of {', '.join(TYPES)} device type at start of device string: {text}")


def _from_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> device:
    """Every form but the plain string."""
    if len(args) == 1 and not kwargs or not args and set(kwargs) == {"device"}:
        return _from_single(args[0] if args else kwargs["device"])
    names = ("type", "index")[len(args) :]
    if len(args) > 2 or not args and "type" not in kwargs or not set(kwargs) <= set(names):
        raise _invalid_combination(args, kwargs)
    return _from_type_and_index(args[0] if args else kwargs["type"], args[1] if len(args) > 1 else kwargs.get("index"))


def _from_single(value: Any) -> device:
    if isinstance(value, device):
        return value
    if isinstance(value, str):
        return _from_string(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise RuntimeError("Device index must not be negative")
        raise RuntimeError("Cannot access accelerator device when none is available. A bare index "
                           f"({value}) names an accelerator; for the processor ask for device('cpu')")  # fmt: skip
    raise _invalid_combination((value,), {})


def _from_type_and_index(type_: Any, index: Any) -> device:
    if not isinstance(type_, str):
        raise TypeError(f"device(): argument 'type' (position 1) must be str, not {_type_name(type_)}")
    if index is None:
        return _from_string(type_)
    if not isinstance(index, int) or isinstance(index, bool):
        raise TypeError(f"device(): argument 'index' (position 2) must be int, not {_type_name(index)}")
    if ":" in type_:
        raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type_}")
    if index < 0:
        raise RuntimeError("Device index must not be negative")
    if index > _LARGEST_INDEX:
        raise RuntimeError(f"Device index {index} is too large: at most {_LARGEST_INDEX}")
    return _intern(_from_string(type_).type, index)


def _type_name(value: object) -> str:
    return "torch.device" if isinstance(value, device) else type(value).__name__


def _invalid_combination(args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    given = ", ".join([*map(_type_name, args), *(f"{name}={_type_name(value)}" for name, value in kwargs.items())])
    return TypeError(
        f"device() received an invalid combination of arguments - got ({given}), but expected one of:\n"
        " * (torch.device device)\n * (str type, int index = -1)\n"
    )


cpu: Final = _intern("cpu", None)
meta: Final = _intern("meta", None)


class _State(threading.local):
    """The default device of each thread, and the ones to go back to when `with device(...)` blocks end."""

    default: device = cpu
    outer: tuple[device, Any] | None = None


_state = _State()


def get_default_device() -> device:
    """The device of tensors made without `device=`, in this thread."""
    return _state.default


def set_default_device(new: device | str | int | None) -> None:
    """Make `new` the device of tensors made without `device=` in this thread; None stands for the CPU."""
    _state.default = parse(new) if new is not None else cpu


def parse(value: device | str | int | None) -> device:
    """A `device=` argument as a device; None stands for the default one. Raises as `device` does."""
    if value is None:
        return _state.default
    return value if type(value) is device else device(value)
