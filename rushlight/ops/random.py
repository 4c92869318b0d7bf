"""Random tensors: PyTorch's distributions, in program order, from PyTorch's own stream.

Uniform and normal numbers and Bernoulli's can be recorded (`drawing.py`); a draw of any other kind is realised when
it is called, and enters the recorded program as an input.  The numbers come from `core.sampling`; here are the argument
forms and the order in which a tensor's memory is filled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core import sampling
from rushlight.core.dtype import get_default_dtype
from rushlight.core.generator import engine_of
from rushlight.core.strided import is_contiguous, preserve_strides
from rushlight.record.memory import assign, check_writable
from rushlight.record.spec import Spec
from rushlight.record.trace import realize, settle
from rushlight.record.value import Leaf, Tensor

from . import drawing
from .creation import check_device, finish, is_on_meta, on_meta, size_of, wrap
from .public import METHODS, public, write_out


def _made(numbers: np.ndarray | Tensor, device: Any, requires_grad: bool, out: Any, name: str) -> Tensor:
    made = numbers if isinstance(numbers, Tensor) else wrap(numbers)
    if is_on_meta(device):
        return on_meta(made._value.spec.shape, made._value.spec.dtype, requires_grad)
    t = finish(made, requires_grad)
    return t if out is None else write_out(out, t, name)


@public(method=False)
def rand(
    *sizes: Any,
    size: Any = None,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1).

    >>> torch.rand(2).shape
    torch.Size([2])
    """
    kind = dtype or get_default_dtype()
    shape = size_of(sizes if size is None else (size,))
    if is_on_meta(device):
        return on_meta(shape, kind, requires_grad)
    return _made(drawing.uniform(generator, shape, 0.0, 1.0, kind.name), device, requires_grad, out, "rand")


@public(method=False)
def randn(
    *sizes: Any,
    size: Any = None,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers with mean 0 and standard deviation 1."""
    kind = dtype or get_default_dtype()
    shape = size_of(sizes if size is None else (size,))
    if is_on_meta(device):
        return on_meta(shape, kind, requires_grad)
    return _made(drawing.normal(generator, shape, 0.0, 1.0, kind.name), device, requires_grad, out, "randn")


@public(method=False)
def randint(
    *args: Any,
    low: int = 0,
    high: int | None = None,
    size: Any = None,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`."""
    given = list(args)
    if given and size is None and isinstance(given[-1], (tuple, list)):
        size = given.pop()
    if len(given) == 2:
        low, high = given
    elif given:
        high = given[0] if high is None else high
        low = low if high is given[0] else given[0]
    kind = dtype or dtypes.int64
    if is_on_meta(device):
        return on_meta(size_of((size,)), kind, requires_grad)
    numbers = drawing.randint(generator, size_of((size,)), int(low), int(high), kind.name)  # type: ignore[arg-type]
    return _made(numbers, device, requires_grad, out, "randint")


@public(method=False)
def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """The integers 0 to n - 1 in random order."""
    kind = dtype or dtypes.int64
    return _made(drawing.randperm(generator, n, kind.name), device, requires_grad, out, "randperm")


def _in_order(spec: Spec, strides: tuple[int, ...], draw: Callable[[tuple[int, ...]], np.ndarray]) -> Tensor:
    """Draws in the order in which the elements lie in memory."""
    axes = sampling.memory_order(spec.shape, strides)
    array = draw(tuple(spec.shape[a] for a in axes))
    return wrap(array.transpose(np.argsort(axes)) if spec.ndim > 1 else array)


def _like(
    name: str, draw: Callable[..., np.ndarray], doc: str, record: Callable[..., Tensor] | None = None
) -> None:
    def f(
        input: Tensor,
        *args: Any,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        memory_format: Any = None,
        generator: Any = None,
        **bounds: Any,
    ) -> Tensor:
        spec = settle(input).spec
        if device is not None:
            check_device(device)
        if spec.device.type == "meta" or device is not None and is_on_meta(device):
            return on_meta(spec.shape, dtype or spec.dtype, requires_grad)
        if spec.__class__ is not Spec:
            raise NotImplementedError(f"{name}(): a tensor of layout {input.layout} has no such relative")
        kind = (dtype or spec.dtype).name
        strides = preserve_strides(spec.shape, spec.strides)
        if draw is _normal_like:
            bounds["contiguous"] = is_contiguous(spec.shape, strides)
        in_order = record is not None and is_contiguous(spec.shape, strides)
        if in_order:
            drawn = record(generator, spec.shape, kind)  # type: ignore[misc]
        else:
            drawn = _in_order(spec, strides, lambda shape: draw(engine_of(generator), shape, kind, *args, **bounds))
        return finish(drawn, requires_grad)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    public(method=False)(f)


def _uniform_like(engine: Any, shape: Any, kind: str) -> np.ndarray:
    return sampling.uniform(engine, shape, 0.0, 1.0, kind)


def _normal_like(engine: Any, shape: Any, kind: str, *, contiguous: bool = True) -> np.ndarray:
    return sampling.normal(engine, shape, 0.0, 1.0, kind, contiguous)


def _randint_like(
    engine: Any, shape: Any, kind: str, *bounds: int, low: int = 0, high: int | None = None
) -> np.ndarray:
    if len(bounds) == 2:
        low, high = bounds
    elif bounds:
        low, high = (low, bounds[0]) if high is None else (bounds[0], high)
    return sampling.randint(engine, shape, low, high, kind)


_like("rand_like", _uniform_like, "Uniform numbers in [0, 1) with the shape and dtype of `input`.",
      lambda generator, shape, kind: drawing.uniform(generator, shape, 0.0, 1.0, kind))  # fmt: skip
_like("randn_like", _normal_like, "Normal numbers with the shape and dtype of `input`.",
      lambda generator, shape, kind: drawing.normal(generator, shape, 0.0, 1.0, kind))  # fmt: skip
_like("randint_like", _randint_like, "Integers in [low, high) with the shape and dtype of `input`.")


# ---------------------------------------------------------------------------------------------------------------------
# Filling a tensor


def _filling(
    name: str, draw: Callable[..., np.ndarray], doc: str, record: Callable[..., Tensor | None] | None = None
) -> None:
    def fill(self: Tensor, *args: Any, generator: Any = None, **options: Any) -> Tensor:
        spec = settle(self).spec
        check_writable(self)
        if draw is _normal:
            options["contiguous"] = is_contiguous(spec.shape, spec.strides)  # PyTorch draws by pairs elsewhere
        if draw is _bernoulli and (args or "p" in options):
            args, options = (_chances(spec, *args, **options),), {}
        drawn = None
        if record is not None and drawing.is_pending(generator) and self._node.__class__ is not Leaf:
            drawn = record(generator, spec, *args, **options)
        if drawn is None:
            drawn = _in_order(
                spec, spec.strides, lambda shape: draw(engine_of(generator), shape, spec.dtype.name, *args, **options)
            )
        return assign(self, drawn)

    fill.__name__ = name
    fill.__qualname__ = f"Tensor.{name}"
    fill.__doc__ = doc
    METHODS[name] = fill


def _uniform(engine: Any, shape: Any, kind: str, from_: float = 0.0, to: float = 1.0, **named: float) -> np.ndarray:
    return sampling.uniform(engine, shape, named.get("from", from_), to, kind)


def _normal(
    engine: Any, shape: Any, kind: str, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True
) -> np.ndarray:
    return sampling.normal(engine, shape, mean, std, kind, contiguous)


def _random(engine: Any, shape: Any, kind: str, *bounds: int, to: int | None = None, **named: int) -> np.ndarray:
    low = named.get("from", bounds[0] if len(bounds) == 2 else 0)
    high = to if to is not None else bounds[-1] if bounds else None
    if high is None and "from" not in named:
        return sampling.random(engine, shape, kind)
    return sampling.randint(engine, shape, low, high, kind)


def _chances(spec: Spec, p: Any = 0.5) -> Any:
    """A tensor's probabilities, one for each element in the order of memory, in which they are drawn."""
    if not isinstance(p, Tensor):
        return p
    return np.broadcast_to(realize(p), spec.shape).transpose(sampling.memory_order(spec.shape, spec.strides))


def _bernoulli(engine: Any, shape: Any, kind: str, p: Any = 0.5) -> np.ndarray:
    if isinstance(p, np.ndarray):
        return sampling.bernoulli_of(engine, p, kind)
    return sampling.bernoulli(engine, shape, p, kind)


def _record_uniform(
    generator: Any, spec: Spec, from_: float = 0.0, to: float = 1.0, **named: float
) -> Tensor | None:
    if not spec.is_contiguous:
        return None
    return drawing.uniform(generator, spec.shape, named.get("from", from_), to, spec.dtype.name)


def _record_normal(
    generator: Any, spec: Spec, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True
) -> Tensor | None:
    if not (contiguous and spec.is_contiguous):
        return None
    return drawing.normal(generator, spec.shape, mean, std, spec.dtype.name)


def _record_bernoulli(generator: Any, spec: Spec, p: Any = 0.5) -> Tensor | None:
    if isinstance(p, np.ndarray) or not spec.is_contiguous:
        return None
    return drawing.bernoulli(generator, spec.shape, p, spec.dtype.name)


def _record_exponential(generator: Any, spec: Spec, lambd: float = 1.0) -> Tensor | None:
    return drawing.exponential(generator, spec.shape, lambd, spec.dtype.name) if spec.is_contiguous else None


_filling("uniform_", _uniform, "Fills the tensor with uniform numbers in [from, to).", _record_uniform)
_filling("normal_", _normal, "Fills the tensor with normal numbers.", _record_normal)
_filling("random_", _random, "Fills the tensor with integers in [from, to), or in the dtype's range.")
_filling("bernoulli_", _bernoulli, "Fills the tensor with 1 (probability p) and 0.", _record_bernoulli)
_filling(
    "exponential_",
    lambda engine, shape, kind, lambd=1.0: sampling.exponential(engine, shape, lambd, kind),
    "Fills the tensor with exponential numbers of rate `lambd`.",
    _record_exponential,
)
_filling(
    "cauchy_",
    lambda engine, shape, kind, median=0.0, sigma=1.0: sampling.cauchy(engine, shape, median, sigma, kind),
    "Fills the tensor with Cauchy numbers.",
)
_filling(
    "geometric_",
    lambda engine, shape, kind, p: sampling.geometric(engine, shape, p, kind),
    "Fills the tensor with numbers of trials up to the first success.",
)
_filling(
    "log_normal_",
    lambda engine, shape, kind, mean=1.0, std=2.0: sampling.log_normal(engine, shape, mean, std, kind),
    "Fills the tensor with numbers whose logarithms are normal.",
)

# ---------------------------------------------------------------------------------------------------------------------
# From parameters


@public()
def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """1 with the probability that stands in `input` (or `p` everywhere), else 0."""
    if p is not None:
        spec = settle(input).spec
        return _made(drawing.bernoulli(generator, spec.shape, p, spec.dtype.name), None, False, out, "bernoulli")
    drawn = drawing.bernoulli_of(generator, input)
    return drawn if out is None else write_out(out, drawn, "bernoulli")


@public(method=False)
def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers: one for each element of `mean` and `std`, or of `size` where both are numbers."""
    if size is not None:
        kind = dtype or get_default_dtype()
        numbers: Any = drawing.normal(generator, size_of((size,)), float(mean), float(std), kind.name)
    else:
        given = [realize(p) if isinstance(p, Tensor) else p for p in (mean, std)]
        if not (isinstance(mean, Tensor) or isinstance(std, Tensor)):
            raise TypeError(
                f"normal() received an invalid combination of arguments - got ({type(mean).__name__}, "
                f"{type(std).__name__}); of two numbers, it needs a size"
            )
        numbers = sampling.normal_of(engine_of(generator), *given)
    return _made(numbers, device, requires_grad, out, "normal")


@public()
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Tensor:
    """`num_samples` positions drawn from each row of weights."""
    array = sampling.multinomial(engine_of(generator), realize(input), num_samples, replacement)
    return _made(array, None, False, out, "multinomial")


@public(method=False)
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """A Poisson number for each rate in `input`."""
    return wrap(sampling.poisson(engine_of(generator), realize(input)))


@public(method=False)
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials succeed with probability `prob`."""
    return wrap(sampling.binomial(engine_of(generator), realize(count), realize(prob)))
