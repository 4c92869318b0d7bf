"""How an operation becomes callable: `torch.f`, `Tensor.f`, `Tensor.f_` and `torch.nn.functional.f`.

A family's file writes one Python function for each operation, with PyTorch's arguments, and marks it `@public(...)`.
From it come the
method, the in-place form (compute, then write back) and `out=`.  The floor above hangs the tables on Tensor and the
modules.
"""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from rushlight.core.dtype import can_cast, given_dtype
from rushlight.core.dtype import dtype as Dtype
from rushlight.core.strided import contiguous_strides, extent, has_internal_overlap, is_non_overlapping_and_dense
from rushlight.record.memory import assign, check_writable, placement, relayout
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # torch.<name>
METHODS: dict[str, Callable[..., Any]] = {}  # Tensor.<name>
FUNCTIONAL: dict[str, Callable[..., Any]] = {}  # torch.nn.functional.<name>
SPACES: dict[str, dict[str, Callable[..., Any]]] = {"linalg": {}, "fft": {}, "special": {}}  # torch.<space>.<name>


def others_take_part(args: Any, kwargs: Any) -> bool:
    """Whether a call that has failed is to be made again, because its arguments answer it (set by `tensor`)."""
    return False


def attach(name: str, value: Any) -> None:
    """Hangs a method or property on Tensor, whose class the floor below defines without any."""
    if name.startswith("__") and getattr(value, "__name__", "").startswith("_"):
        value.__name__ = name  # what modes see an operator called
    setattr(Tensor, name, value)


def public(
    *,
    function: bool = True,
    method: bool = True,
    inplace: bool = False,
    out: bool = False,
    functional: bool = False,
    space: str | None = None,
    names: tuple[str, ...] = (),
    keywords: dict[str, str] | None = None,
    tensors: int = 0,
    row_major: bool = False,
) -> Callable[[F], F]:
    """Marks a function as part of the public surface, under its own name and `names`.

    `function`: `torch.f`; `method`: `Tensor.f`; `inplace`: also `Tensor.f_` (and `torch.f_` / `F.f_` where those
    exist);
    `out`: accepts `out=`; `functional`: `torch.nn.functional.f`; `space`: `torch.linalg.f` and the like;
    `keywords`: further names of arguments, where one function serves several of PyTorch's (`{"input": "A"}`);
    `tensors`: so many of the first arguments must be tensors, though the operation itself would take numbers;
    `row_major`: the result lies row by row, however `input` does (in place, it stays where it is).
    """
    more = keywords or {}

    def mark(f: F) -> F:
        for name in (f.__name__, *names):
            checked = of_tensors(f, name, tensors, more) if tensors else f
            checked = in_rows(checked) if row_major else checked
            if out:  # which looks at the arguments itself, rather than have another call in between
                shown = with_out(checked if row_major else f, name, more, 0 if row_major else tensors)
            else:
                shown = as_called(checked, name, more)
            if function:
                FUNCTIONS[name] = shown if functional or shown is not f else tried_again(f)
            if functional:
                FUNCTIONAL[name] = shown if out else checked
            if space:
                SPACES[space][name] = shown
            called = as_called(checked if tensors > 1 else f, name, more)  # a method's first argument is one
            if method:
                METHODS[name] = as_called(checked, name, more) if row_major else called
            if inplace:
                written = in_place(called, name)
                METHODS[name + "_"] = written
                if function:
                    FUNCTIONS[name + "_"] = written
                if functional:
                    FUNCTIONAL[name + "_"] = written
        return f

    return mark


#: NumPy's name for an argument, which PyTorch's functions take too, and PyTorch's own.
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}
NO_NAMES: Mapping[str, str] = MappingProxyType({})


def of_tensors(f: Callable[..., Any], name: str, count: int, more: Mapping[str, str]) -> Callable[..., Any]:
    """The function, which refuses numbers among its first `count` arguments with PyTorch's TypeError."""
    refuse_numbers = refusal(f, name, count, more)

    @functools.wraps(f)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for given in args[:count]:
            if given.__class__ is not Tensor:
                refuse_numbers(args)
        return f(*args, **kwargs)

    return checked


def refusal(f: Callable[..., Any], name: str, count: int, more: Mapping[str, str]) -> Callable[[Any], None]:
    """Raises PyTorch's TypeError unless the first `count` of given arguments are tensors."""
    theirs = {ours: other for other, ours in more.items()}
    expected = [theirs.get(argument, argument) for argument in f.__code__.co_varnames[:count]]

    def refuse_numbers(args: Any) -> None:
        for i, given in enumerate(args[:count]):
            if not isinstance(given, Tensor):
                require_tensor(given, name, expected[i], i + 1)

    return refuse_numbers


def in_rows(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function of its first argument's elements laid out row by row, as PyTorch copies them first."""

    @functools.wraps(f)
    def called(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        spec = settle(input).spec if isinstance(input, Tensor) else None
        if spec is not None and spec.__class__ is Spec and not spec.is_contiguous:
            input = relayout(input, contiguous_strides(spec.shape))
        return f(input, *args, **kwargs)

    return called


def _numpy_names(f: Callable[..., Any]) -> dict[str, str]:
    """Those of NUMPY_NAMES that `f` does not take itself and has an argument for."""
    code = getattr(f, "__wrapped__", f).__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {theirs: ours for theirs, ours in NUMPY_NAMES.items() if ours in taken and theirs not in taken}


def _takes_dtype(f: Callable[..., Any]) -> bool:
    """Whether `f` wants its `dtype` looked at: not the busiest functions, which see to it and to `axis` themselves."""
    code = getattr(f, "__wrapped__", f).__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return "dtype" in taken and "axis" not in taken and f.__name__ not in ("to", "type")


def _translate(kwargs: dict[str, Any], names: dict[str, str], name: str, typed: bool) -> None:
    for theirs, ours in names.items():
        if theirs in kwargs:
            kwargs[ours] = kwargs.pop(theirs)
    if typed and "dtype" in kwargs and kwargs["dtype"].__class__ is not Dtype:
        kwargs["dtype"] = given_dtype(kwargs["dtype"], name)


def as_called(f: Callable[..., Any], name: str, more: Mapping[str, str] = NO_NAMES) -> Callable[..., Any]:
    """The function as programs call it: also with `axis` for `dim`, and with `dtype=float`."""
    names, typed = {**_numpy_names(f), **more}, _takes_dtype(f)
    if not names and not typed:
        return f

    return tried_again(f, lambda kwargs: _translate(kwargs, names, name, typed))


def tried_again(f: Callable[..., Any], prepare: Callable[[Any], None] | None = None) -> Callable[..., Any]:
    """The function as `torch` has it: a call that fails is made again where its arguments answer it themselves.

    `prepare` is given the keyword arguments first, if there are any.
    """

    @functools.wraps(f)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs and prepare is not None:
            prepare(kwargs)
        try:
            return f(*args, **kwargs)
        except Exception:
            if not others_take_part(args, kwargs):
                raise
        return called(*args, **kwargs)

    return called


def in_place(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The in-place form of a function: computes it, then writes the result into the first argument."""

    @functools.wraps(f, assigned=("__doc__",))
    def written(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._storage is not None:
            for other in args:
                if isinstance(other, Tensor) and other._storage is self._storage and other is not self:
                    check_no_partial_overlap(self, other)
        return write_back(self, f(self, *args, **kwargs))

    written.__name__ = name + "_"
    written.__qualname__ = f"Tensor.{name}_"
    return written


def check_memory(out: Any, operands: Iterable[Any], name: str) -> None:
    """Raises PyTorch's error where `out` lies partly in an operand's memory; for some functions, wholly, too."""
    whole = name in _WRITES_EARLY
    for target in out if isinstance(out, (tuple, list)) else (out,):
        for read in operands:
            if isinstance(read, (tuple, list)):
                check_memory(target, read, name)
            elif isinstance(read, Tensor) and isinstance(target, Tensor) and (whole or read is not target):
                if read is target or (read._storage is not None and read._storage is target._storage):
                    check_no_partial_overlap(target, read, whole)


def check_no_partial_overlap(written: Tensor, read: Tensor, whole: bool = False) -> None:
    """Raises PyTorch's error where the written memory is also read, in other places of the same operation; with
    `whole`, in the same places, too."""
    a, b = placement(written), placement(read)
    if not (is_non_overlapping_and_dense(*a[:2]) and is_non_overlapping_and_dense(*b[:2])):
        return
    ends = [(offset, offset + extent(shape, strides)) for shape, strides, offset, _ in (a, b)]
    if not whole and (a[:3] == b[:3] or (ends[0] == ends[1] and a[1] == b[1])):
        return
    if max(e[0] for e in ends) < min(e[1] for e in ends):
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory "
            "location. Please clone() the tensor before performing the operation."
        )


def write_back(t: Tensor, result: Tensor) -> Tensor:
    """Ends an in-place operation: `t` takes the numbers and history of `result`, cast to its dtype."""
    spec = settle(t).spec
    if spec.__class__ is not Spec:
        return t.become(result)  # type: ignore[no-any-return]
    check_writable(t, tracked=result._node is not None)
    found = result._value.spec
    if found.device is not spec.device:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    if found.__class__ is not Spec:  # a sparse tensor is written into a dense one
        result = result.to_dense()
        found = result._value.spec
    if found.shape != spec.shape:
        raise RuntimeError(
            f"output with shape {list(spec.shape)} doesn't match the broadcast shape {list(found.shape)}"
        )
    if found.dtype is not spec.dtype:
        check_cast(found.dtype, spec.dtype)
        result = cast(result, spec.dtype)
    return assign(t, result)


def check_cast(found: Any, wanted: Any) -> None:
    """Raises PyTorch's error where a result's dtype cannot be written into a tensor of another."""
    if not can_cast(found, wanted):
        raise RuntimeError(
            f"result type {found.scalar_name} can't be cast to the desired output type {wanted.scalar_name}"
        )


def cast(t: Tensor, dtype: Any) -> Tensor:
    """The tensor in another dtype (recorded; set by ops.creation)."""
    raise NotImplementedError("ops.creation defines the cast")


def with_out(
    f: Callable[..., Any], name: str, more: Mapping[str, str] = NO_NAMES, tensors: int = 0
) -> Callable[..., Any]:
    """The function as programs call it (`as_called`), and with PyTorch's `out=`; the first arguments are tensors."""
    names, typed = {**_numpy_names(f), **more}, _takes_dtype(f)
    refuse_numbers, single = refusal(f, name, tensors, more), tensors == 1

    @functools.wraps(f)
    def accepting_out(*args: Any, **kwargs: Any) -> Any:
        out = None
        try:
            if tensors and not (
                args and args[0].__class__ is Tensor and (single or (len(args) > 1 and args[1].__class__ is Tensor))
            ):
                refuse_numbers(args)
            if not kwargs:
                return f(*args)
            _translate(kwargs, names, name, typed)
            out = kwargs.pop("out", None)
            return f(*args, **kwargs) if out is None else computed_into(out, args, kwargs)
        except Exception:
            given = kwargs if out is None else {**kwargs, "out": out}
            if not others_take_part(args, given):
                raise
        return accepting_out(*args, **given)

    def computed_into(out: Any, args: Any, kwargs: Any) -> Any:
        if name in ("cumsum", "cumprod") and "dtype" not in kwargs:
            kwargs["dtype"] = settle(out).spec.dtype
        elif name in _FACTORIES:
            kwargs["dtype"] = _dtype_for(out, kwargs.get("dtype"))
        check_memory(out, args, name)
        result = f(*args, **kwargs)
        if isinstance(result, tuple):
            return written_out(result, out, name)
        if name in _ANY_DTYPE and kwargs.get("dtype") is not None:
            check_same_dtype(out, result, name)
        return write_out(out, result, name)

    return accepting_out


#: Products take only an `out=` of their own dtype; sums compute in whatever dtype it has.
_SAME_DTYPE = frozenset(
    "matmul mm bmm mv dot vdot tensordot addmm addmv addbmm baddbmm gather aminmax amax amin complex "
    "polar multinomial abs absolute neg negative sign sgn signbit isposinf isneginf ceil floor round trunc fix frac "
    "conj_physical nan_to_num where cross diag tril triu take take_along_dim masked_select nonzero isin sort "
    "msort topk kthvalue mode cummax cummin logcumsumexp quantile nanquantile argmax argmin norm renorm histc "
    "searchsorted bucketize index_add index_copy index_reduce index_select scatter scatter_add scatter_reduce "
    "slice_scatter outer ger inv det".split()
)
#: These write while they still read: their `out=` may share no memory with any operand.
_WRITES_EARLY = frozenset("cat concat concatenate gather kthvalue masked_select take".split())
_ANY_DTYPE = frozenset(("sum", "prod", "cumsum", "cumprod", "nansum"))
#: They make numbers in the dtype of `out=`.
_FACTORIES = frozenset("zeros ones empty full eye linspace logspace".split())
#: Their error names `cat`, which they all end in.
_JOINING = frozenset(("cat", "concat", "concatenate", "stack"))


def _c_name(kind: Any) -> str:
    return {"float32": "float", "float64": "double", "int64": "long int", "int32": "int"}.get(kind.name, kind.name)


def _dtype_for(out: Tensor, wanted: Any) -> Any:
    kind = settle(out).spec.dtype
    if wanted is not None and wanted is not kind:
        raise RuntimeError(
            f"dtype {wanted.scalar_name} does not match dtype of out parameter ({kind.scalar_name})"
        )
    return kind


def _dtype_refused(name: str, found: Any, given: Any) -> str:
    """PyTorch's words where a function's `out=` must be of the result's dtype."""
    if name in ("amax", "amin"):
        return (
            f"Expected the dtype for input and out to match, but got {found.scalar_name} for input's dtype and "
            f"{given.scalar_name} for out's dtype."
        )
    if name in ("complex", "polar"):
        wanted, got = found.scalar_name, given.scalar_name
        return f"Expected object of scalar type {wanted} but got scalar type {got} for argument 'out'"
    if name == "multinomial":
        return f"multinomial expects Long tensor out, got: {given.scalar_name}"
    return f"Expected out tensor to have dtype {_c_name(found)}, but got {_c_name(given)} instead"


def check_same_dtype(out: Tensor, result: Tensor, name: str) -> None:
    """Raises PyTorch's error where `out=` of an operation that casts nothing has another dtype."""
    wanted, held = result._value.spec.dtype, settle(out).spec.dtype
    if wanted is not held:
        raise RuntimeError(_dtype_refused(name, wanted, held))


def written_out(results: Any, out: Any, name: str) -> Any:
    """Several results, written to the tensors of `out` where they are given; these must have their dtypes."""
    if out is None:
        return results
    for target, result in zip(out, results, strict=True):
        check_same_dtype(target, result, name)
    return type(results)([write_out(target, result, name) for target, result in zip(out, results, strict=True)])


def write_out(out: Tensor, result: Tensor, name: str) -> Tensor:
    """Ends an operation with `out=`: resizes with PyTorch's warning, casts, and writes."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if recorder().tracking and (out._node is not None or result._node is not None):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    spec, found = settle(out).spec, result._value.spec
    if name in _SAME_DTYPE:
        check_same_dtype(out, result, name)
    if found.dtype is not spec.dtype and name in _ANY_DTYPE:
        result = cast(result, spec.dtype)
    elif found.dtype is not spec.dtype:
        if name in _JOINING and not can_cast(found.dtype, spec.dtype):
            wanted = spec.dtype.scalar_name
            raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {wanted}")
        check_cast(found.dtype, spec.dtype)
    if spec.shape != found.shape and has_internal_overlap(spec.shape, spec.strides):
        check_writable(out)
    if spec.shape != found.shape:
        if spec.numel and name not in _FACTORIES:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(spec.shape)}, which does "
                "not "
                f"match the required output shape {list(found.shape)}. This behavior is deprecated, and in a future "
                "PyTorch release outputs will not be resized unless they have zero elements. You can explicitly reuse "
                "an "
                "out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=3,
            )
        out.resize_(found.shape)
    return write_back(out, result)


def require_tensor(t: Any, function: str, argument: str = "input", position: int = 1) -> Tensor:
    """The argument, if it is a Tensor; else PyTorch's TypeError."""
    if isinstance(t, Tensor):
        return t
    raise TypeError(f"{function}(): argument '{argument}' (position {position}) must be Tensor, not {type(t).__name__}")


def integer(value: Any, function: str, argument: str, position: int = 0) -> int:
    """The argument, if it is a whole number; else PyTorch's TypeError."""
    if isinstance(value, int):
        return value
    try:
        return int(operator.index(value))
    except TypeError:
        where = f" (position {position})" if position else ""
        wrong = type(value).__name__
        raise TypeError(f"{function}(): argument '{argument}'{where} must be int, not {wrong}") from None


__all__ = [
    "FUNCTIONAL",
    "FUNCTIONS",
    "METHODS",
    "SPACES",
    "apply",
    "integer",
    "public",
    "require_tensor",
    "write_back",
    "write_out",
    "written_out",
]
