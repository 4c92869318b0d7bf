"""Tensors from data: `tensor`, `as_tensor`, `from_numpy`, and the `Tensor(...)` constructors."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.caller import stacklevel
from rushlight.core.device import device as Device
from rushlight.core.dtype import get_default_dtype
from rushlight.core.size import Size
from rushlight.ops.creation import cast, check_device, empty, finish, is_on_meta, spec_of_array, wrap
from rushlight.ops.public import FUNCTIONS, as_called, attach
from rushlight.record.memory import storage_of
from rushlight.record.trace import realize
from rushlight.record.value import Exposure, Tensor, tensor_of, value_holding


def function(f: Any) -> Any:
    """Makes a function `torch.f`."""
    FUNCTIONS[f.__name__] = as_called(f, f.__name__)
    return f


def _array_of(data: Any) -> np.ndarray:
    """A fresh array with the data, in the dtype that PyTorch would infer."""
    if isinstance(data, (np.ndarray, np.generic)):
        return np.array(data)
    kinds: set[np.dtype] = set()
    if isinstance(data, (list, tuple)):
        data = _numbers(data, kinds)
    elif hasattr(data, "__array__"):
        return np.array(data)
    try:
        array = np.array(data)
    except ValueError as uneven:
        raise _uneven(data) from uneven
    if array.dtype == object or array.dtype.kind in "USV" and array.dtype not in kinds:
        raise _no_numbers(data)
    if array.dtype.kind in "fV" and kinds:  # ml_dtypes' floats are of kind V
        return _rounded(array, np.result_type(*[k for k in kinds if k.kind not in "iub"]))
    if array.dtype.kind == "c" and isinstance(_first(data), np.generic):
        return array
    if array.dtype.kind == "f":
        return _rounded(array, get_default_dtype().numpy)
    if array.dtype.kind == "c":
        return array.astype(get_default_dtype().to_complex().numpy)
    if array.size == 0:
        return _rounded(array, get_default_dtype().numpy)
    if array.dtype == np.uint64:
        raise ValueError("Overflow when unpacking long long")
    return array


def _first(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def _no_numbers(data: Any) -> Exception:
    inner = data
    while isinstance(inner, (list, tuple)) and inner:
        inner = next((x for x in inner if not isinstance(x, (int, float, complex))), inner[0])
    if isinstance(inner, str) and isinstance(data, (list, tuple)) and isinstance(_first(data), str):
        return ValueError("too many dimensions 'str'")
    if isinstance(inner, (str, bytes)):
        return TypeError(f"new(): invalid data type '{type(inner).__name__}'")
    if isinstance(inner, int):
        return ValueError("Overflow when unpacking long long")
    return RuntimeError(f"Could not infer dtype of {type(inner).__name__}")


def _uneven(data: Any, dim: int = 0) -> Exception:
    if any(isinstance(x, np.ndarray) and x.ndim for x in data):
        return ValueError("only one element tensors can be converted to Python scalars")
    lengths = [len(x) if isinstance(x, (list, tuple)) else -1 for x in data]
    odd = next((k for k, n in enumerate(lengths) if n != lengths[0]), None)
    if odd is None:
        return _uneven(next(x for x in data if _is_uneven(x)), dim + 1)
    if lengths[odd] < 0:
        return TypeError("not a sequence")
    if lengths[0] >= 0:
        return ValueError(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {lengths[odd]})")
    kind = type(data[odd]).__name__
    if isinstance(data[0], int):
        return TypeError(f"'{kind}' object cannot be interpreted as an integer")
    return TypeError(f"must be real number, not {kind}")


def _is_uneven(data: Any) -> bool:
    try:
        np.array(data)
    except ValueError:
        return True
    return False


def _numbers(data: Any, kinds: set[np.dtype]) -> Any:
    """Nested sequences with the tensors among them as plain numbers; adds the dtypes of what has one to `kinds`."""
    found = []
    for x in data:
        if x.__class__ is float:
            kinds.add(get_default_dtype().numpy)
        elif isinstance(x, (list, tuple)):
            x = _numbers(x, kinds)
        elif isinstance(x, Tensor):
            if x.numel() != 1:
                raise ValueError("only one element tensors can be converted to Python scalars")
            x = realize(x).reshape(())
            kinds.add(x.dtype)
        elif isinstance(x, (np.ndarray, np.generic)):
            kinds.add(x.dtype)
        found.append(x)
    return found


@function
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A tensor with a copy of `data`: numbers, nested sequences, arrays (https://pytorch.org/docs/stable/generated/torch.tensor.html).

    >>> torch.tensor([1, 2, 3.])
    tensor([1., 2., 3.])
    """
    if is_on_meta(device):
        from rushlight.meta import moved_to_meta

        with Device("cpu"):
            return moved_to_meta(tensor(data, dtype=dtype, device="cpu"), requires_grad)
    if requires_grad is not True and requires_grad is not False:
        raise TypeError(f"tensor(): argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
    if isinstance(data, Tensor):
        import warnings

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=stacklevel(),
        )
        copied = wrap(np.array(realize(data)))
        return finish(copied if dtype is None else cast(copied, dtype), requires_grad)
    if dtype is not None:
        return finish(wrap(_typed(data, dtype)), requires_grad)
    return finish(wrap(_native(_array_of(data))), requires_grad)


def _typed(data: Any, dtype: Any) -> np.ndarray:
    if isinstance(data, (list, tuple)):
        data = _numbers(data, set())
    try:
        array = np.array(data)
    except ValueError as uneven:
        raise _uneven(data) from uneven
    if array.dtype == object or array.dtype.kind in "US":
        raise _no_numbers(data)
    if array.dtype.kind == "c" and not dtype.is_complex:
        raise RuntimeError(f"value cannot be converted to type {dtype} without overflow")
    _check_range(array, data, dtype)
    return _rounded(array, dtype.numpy)


def _rounded(array: np.ndarray, kind: Any) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large is infinity, without a word
        return array.astype(kind)


def _check_range(array: np.ndarray, data: Any, dtype: Any) -> None:
    """Numbers that the dtype cannot hold are refused, as PyTorch refuses them; unsigned types count negative ones back.

    >>> torch.tensor([-1], dtype=torch.uint8)
    tensor([255], dtype=torch.uint8)
    """
    if isinstance(data, (np.ndarray, np.generic)) or dtype.is_floating_point or dtype.is_complex or not array.size:
        return
    if dtype is dtypes.bool_ or array.dtype.kind not in "iuf":
        return
    limits, low, high = np.iinfo(dtype.numpy), array.min(), array.max()
    if array.dtype.kind == "u" and high > np.iinfo(np.int64).max and dtype is not dtypes.uint64:
        raise ValueError("Overflow when unpacking long long")
    lowest = limits.min if dtype.is_signed else -limits.max
    if not (low >= lowest and high <= limits.max):
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")


def _native(array: np.ndarray) -> np.ndarray:
    if not array.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
            "currently not supported."
        )
    return array


@function
def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory: a change to one is seen in the other.

    >>> a = np.zeros(2)
    >>> t = torch.from_numpy(a); a[0] = 1; t
    tensor([1., 0.], dtype=torch.float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    _native(ndarray)
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array  with "
            "array.copy().) "
        )
    if any(s % ndarray.itemsize for s in ndarray.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the array to reallocate the "
            "memory."
        )
    if not ndarray.flags.writeable:
        _warn_read_only()
    value = value_holding(ndarray.view(np.ndarray), spec_of_array(ndarray))
    base = value.buf.base
    whole = isinstance(base, np.ndarray) and base.size == ndarray.size  # else written numbers could not stay here
    value.exposure = Exposure(base if whole else ndarray)
    t = tensor_of(value)
    storage_of(t)
    return t


def _warn_read_only() -> None:
    import warnings

    warnings.warn(
        "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means "
        "writing to this tensor will result in undefined behavior. You may want to copy the array to protect its "
        "data or make it writable before converting it to a tensor. This type of warning will be suppressed for the "
        "rest of this program.",
        UserWarning,
        stacklevel=3,
    )


@function
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without a copy where that is possible."""
    if device is not None:
        check_device(device)
        if is_on_meta(device):
            return as_tensor(data, dtype, "cpu").to("meta")
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None else shared.to(dtype)
    return tensor(data, dtype=dtype, device=device)


@function
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """The tensor itself, a view of an array's memory, or a new tensor; with `copy`, new in any case."""
    if copy and isinstance(obj, Tensor):
        return finish(obj.detach().clone() if dtype is None else cast(obj.detach().clone(), dtype), requires_grad)
    found = tensor(obj, dtype=dtype) if copy else as_tensor(obj, dtype)
    if copy is False and isinstance(obj, (Tensor, np.ndarray)) and dtype is not None:
        own = obj.dtype if isinstance(obj, Tensor) else from_numpy(obj).dtype
        if own is not dtype:
            raise ValueError(f"can't alias tensor with dtype '{own.scalar_name}' into dtype '{dtype.scalar_name}'.")
    return finish(found, requires_grad)


@function
def scalar_tensor(s: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """A number as a tensor without dimensions, of the default dtype."""
    return tensor(s, dtype=dtype or get_default_dtype(), **options)


def _new(cls: type[Tensor], *args: Any, **options: Any) -> Tensor:
    """`Tensor()`, `Tensor(2, 3)`, `Tensor([1, 2])`, `Tensor(array)`: always of the default dtype."""
    if options.get("device") is not None and Device(options["device"]).type != "cpu":
        given = Device(options["device"]).type
        raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {given} was passed")
    made = _constructed(args, get_default_dtype(), typed=False)
    if cls is Tensor:
        return made
    from .subclasses import of_class

    return of_class(made, cls)  # type: ignore[no-any-return]


def _on_storage(storage: Any, dtype: Any) -> Tensor:
    """A tensor of all elements of a storage, which shares its memory."""
    own = storage._cell.value.spec.dtype
    if own is not dtype and hasattr(storage, "dtype"):
        raise RuntimeError(
            f"Expected a Storage of type {dtype.scalar_name} or an UntypedStorage, but got type {own.scalar_name} for "
            "argument 1 'storage'"
        )
    made: Tensor = empty(0, dtype=own).set_(storage)
    return made if own is dtype else made.view(dtype)


def _constructed(args: tuple[Any, ...], dtype: Any, typed: bool = True) -> Tensor:
    """What the old constructors make; of another tensor, one on its memory, whose dtype a typed one insists on."""
    if len(args) == 1:
        (data,) = args
        if hasattr(data, "untyped"):
            return _on_storage(data, dtype)
        if isinstance(data, Tensor):
            if data.dtype is not dtype and typed:
                raise TypeError(f"expected a tensor of dtype {dtype} for its constructor, but got {data.dtype}")
            return data.detach()
        if isinstance(data, (str, bytes)):
            raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
        if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, (tuple, np.ndarray)):
            data = list(data)  # a range, for instance
        if isinstance(data, (list, tuple, np.ndarray)) and not isinstance(data, Size):
            return tensor(data, dtype=dtype)
    return empty(*args, dtype=dtype) if args else empty(0, dtype=dtype)


attach("__new__", _new)
attach("__init__", lambda self, *args, **kwargs: None)
