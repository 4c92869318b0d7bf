"""Tensors on the device meta: shape, strides and dtype, and no numbers, so of any size.

Such a handle is not among the `TENSORS` that `apply` takes. An operation that meets one leaves the recorder
(`record.trace.other_layout`) and comes here, where the operation's own rule says what the result would be like; nothing
is recorded. There is no tape: a result knows the leaves that it depends on, and a backward pass gives these gradients
of their own shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from rushlight.core.device import meta
from rushlight.core.strided import contiguous_strides
from rushlight.ops.creation import cast
from rushlight.ops.public import check_cast
from rushlight.record.memo import BIND, Unbound
from rushlight.record.operation import Operation
from rushlight.record.own_attributes import every_attribute
from rushlight.record.spec import NUMBERS, Spec, spec_of
from rushlight.record.state import kind_of
from rushlight.record.trace import recorder, settle
from rushlight.record.value import TENSORS, Leaf, Tensor, Value, new_tensor
from rushlight.tensor.subclasses import disabled

NO_DATA = "Cannot copy out of meta tensor; no data!"


class MetaSpec(Spec):
    """The Spec of a tensor on the device meta; made by `meta_spec` only."""

    __slots__ = ()

    def __init__(self, like: Spec) -> None:
        super().__init__(like.shape, like.dtype, like.strides, False)
        self.device = meta

    def __reduce__(self) -> tuple[object, ...]:
        return meta_spec, (spec_of(self.shape, self.dtype, self.strides),)


_specs: dict[Spec, MetaSpec] = {}


def meta_spec(like: Spec) -> MetaSpec:
    """The one MetaSpec with these properties."""
    found = _specs.get(like)
    if found is None:
        found = _specs[like] = MetaSpec(like)
    return found


class MetaTensor(Tensor):
    """The handle on a Value without numbers."""

    __torch_function__ = disabled

    _leaves: tuple[Leaf, ...] = ()  # what it was made of that requires grad; nothing for a leaf

    is_meta = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    is_leaf = property(lambda self: not self._leaves)  # type: ignore[assignment]
    grad_fn = property(lambda self: None)  # type: ignore[assignment]

    # -- numbers, of which there are none

    def item(self) -> NoReturn:
        """Raises PyTorch's error: there are no numbers."""
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")

    __bool__ = __float__ = __int__ = __index__ = __complex__ = item  # type: ignore[assignment]

    def cpu(self, memory_format: Any = None) -> NoReturn:
        """Raises PyTorch's error: there are no numbers."""
        raise NotImplementedError(NO_DATA)

    tolist = cpu

    def numpy(self, *, force: bool = False) -> NoReturn:
        """Raises PyTorch's error: there are no numbers."""
        raise TypeError(
            "can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        self.numpy()

    def data_ptr(self) -> int:
        """0: there is no memory."""
        return 0

    def backward(self, gradient: Any = None, *_: Any, **__: Any) -> None:
        """Gives the leaves that the tensor depends on gradients of their shapes."""
        if self._node is None:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        if gradient is None and self.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        for leaf in self._leaves or (self._node,):
            t = leaf.tensor  # type: ignore[union-attr]
            if t is not None and t._grad is None:
                t._grad = of_spec(settle(t).spec)

    # -- the same tensor, otherwise

    def like(self, spec: Spec | None = None) -> MetaTensor:
        """Another handle, with this Spec or the same."""
        return of_spec(spec or self._value.spec)

    def detach(self) -> MetaTensor:
        """The same shape, off the tape."""
        return self.like()

    def detach_(self) -> MetaTensor:
        """Takes the tensor itself off the tape."""
        self._node, self._leaves = None, ()
        return self

    @property
    def data(self) -> Tensor:
        """The same shape, off the tape."""
        return self.like()

    @data.setter
    def data(self, new: Tensor) -> None:
        if not isinstance(new, MetaTensor):
            raise RuntimeError("Attempted to call `variable.set_data(tensor)`, but `variable` and `tensor` have "
                               "incompatible tensor type.")  # fmt: skip
        self._value = new._value

    def to(self, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
        """The tensor in another dtype; NotImplementedError for another device."""
        from rushlight.nn.conversion import parse_to

        where, kind = parse_to(args, kwargs)[:2]
        if where is not None and where is not meta:
            raise NotImplementedError(NO_DATA)
        if kind is None or kind is self._value.spec.dtype:
            return self.like() if copy else self
        return cast(self, kind)

    def become(self, other: Tensor) -> MetaTensor:
        """Ends an in-place operation: only whether the result would fit is checked."""
        mine, found = self._value.spec, other._value.spec
        if self._node is not None and not self._leaves and recorder().tracking:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        if found.shape != mine.shape:
            raise RuntimeError(
                f"output with shape {list(mine.shape)} doesn't match the broadcast shape {list(found.shape)}"
            )
        check_cast(found.dtype, mine.dtype)
        return self

    def _unchanged(self, *_: Any, **__: Any) -> MetaTensor:
        """The tensor itself: there are no numbers to be written."""
        return self

    uniform_ = normal_ = bernoulli_ = random_ = exponential_ = log_normal_ = cauchy_ = geometric_ = _unchanged
    fill_ = zero_ = __setitem__ = fill_diagonal_ = _unchanged  # type: ignore[assignment]

    def copy_(self, src: Any, non_blocking: bool = False) -> MetaTensor:
        """The tensor itself, if the source fits."""
        shape = self._value.spec.shape
        if isinstance(src, Tensor) and tuple(src.expand(shape).shape) != shape:
            raise RuntimeError(f"copy_(): {tuple(src.shape)} does not fit {shape}")
        return self

    def filled_like(self, value: Any, dtype: Any) -> MetaTensor:
        """What `zeros_like` and the others make."""
        spec = self._value.spec
        return of_spec(spec_of(spec.shape, dtype, spec.strides))

    def __deepcopy__(self, memo: dict[int, Any]) -> MetaTensor:
        if id(self) not in memo:
            other = self.like()
            kept = {k: v for k, v in every_attribute(self).items() if k not in ("_value", "_node", "_grad")}
            every_attribute(other).update(kept)
            if self._node is not None:
                other._node = Leaf(other)
            memo[id(self)] = other
        return memo[id(self)]  # type: ignore[no-any-return]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        spec = self._value.spec
        text = f"tensor(..., device='meta', size={tuple(spec.shape)}"
        if spec.dtype is not _default():
            text += f", dtype={spec.dtype}"
        text += ", requires_grad=True)" if self._node is not None else ")"
        return ("Parameter containing:\n" if getattr(self, "_is_param", False) else "") + text

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    @classmethod
    def dispatch(cls, op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
        """What an operation would give."""
        if op is BIND:
            raise Unbound("nothing is recorded on the device meta")
        _check_places(op, operands)
        specs = tuple([_plain(x) for x in operands])
        kind = kind_of(op, attrs, specs, ())
        leaves = _leaves_of(operands) if recorder().tracking and op.differentiable else ()
        made = [of_spec(s, leaves if s.dtype.is_floating_point or s.dtype.is_complex else ()) for s in kind.specs]
        return made[0] if kind.single else tuple(made)


TENSORS.discard(MetaTensor)
MetaTensor.__name__ = "Tensor"  # PyTorch's users know it by its device, not by its class


def _default() -> Any:
    from rushlight.core.dtype import get_default_dtype

    return get_default_dtype()


def _leaves_of(operands: Sequence[Any]) -> tuple[Leaf, ...]:
    """The leaves that tensors depend on."""
    found: dict[Any, None] = {}
    for x in operands:
        if isinstance(x, MetaTensor) and x._node is not None:
            found.update(dict.fromkeys(x._leaves or (x._node,)))
    return tuple(found)


def _plain(x: Any) -> Spec | None:
    """The Spec that an operand would have on the CPU."""
    if x is None:
        return None
    if not isinstance(x, Tensor):
        return NUMBERS[x.__class__]
    found = settle(x).spec
    return spec_of(found.shape, found.dtype, found.strides) if found.__class__ is MetaSpec else found


def _check_places(op: Operation, operands: Sequence[Any]) -> None:
    """Raises PyTorch's errors where numbers would be needed, or where the operands lie on two devices."""
    here = [x for x in operands if isinstance(x, Tensor) and not isinstance(x, MetaTensor)]
    if here and operands[0] is here[0] and op.name in ("copy_from", "fill_tensor", "filled_tensor"):
        raise NotImplementedError(NO_DATA)
    if any(x._value.spec.ndim and x._value.spec.dtype.is_floating_point for x in here):
        raise RuntimeError("Tensor on device cpu is not on the expected device meta!")


def of_spec(spec: Spec, leaves: tuple[Leaf, ...] = ()) -> MetaTensor:
    """A tensor of this shape, dtype and strides on the device meta, which depends on `leaves`."""
    made: Any = new_tensor(MetaTensor)
    value = Value()
    value.spec = spec if spec.__class__ is MetaSpec else meta_spec(spec)
    made._value = value
    if leaves:
        made._leaves, made._node = leaves, Leaf(made)
    return made  # type: ignore[no-any-return]


def empty_on_meta(shape: tuple[int, ...], kind: Any, requires_grad: bool = False) -> MetaTensor:
    """A new tensor on the device meta.

    >>> (torch.empty(10**9, 10**9, device="meta") + 1).sum(0).shape
    torch.Size([1000000000])
    """
    made = of_spec(spec_of(shape, kind, contiguous_strides(shape)))
    made.requires_grad_(requires_grad)
    return made


def moved_to_meta(t: Tensor, requires_grad: bool = False) -> MetaTensor:
    """A tensor's shape, dtype and strides on the device meta."""
    made = of_spec(settle(t).spec)
    made.requires_grad_(requires_grad)
    return made
