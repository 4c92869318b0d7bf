"""Between tensors and NumPy: shared memory in both directions, lists, copies and pickles."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core.dtype import bfloat16
from rushlight.ops.creation import make_leaf, wrap
from rushlight.ops.public import attach
from rushlight.record.memory import expose, placement, storage_of
from rushlight.record.trace import realize, settle
from rushlight.record.value import Node, Tensor

from .properties import alias, method
from .subclasses import of_class

REQUIRES_GRAD = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."


@method
def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The tensor as a NumPy array on the same memory: a change to one is seen in the other.

    >>> t = torch.zeros(2)
    >>> t.numpy()[0] = 5; t
    tensor([5., 0.])
    """
    if self._node is not None and not force:
        raise RuntimeError(REQUIRES_GRAD)
    if settle(self).spec.dtype is bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    array = realize(self)
    if not array.flags.writeable and array.flags.owndata is False and 0 not in array.strides:
        self._value.buf = array = np.array(array, order="K")
    if not array.size or array.dtype.kind == "V":
        return np.array(array)
    shared = _borrowed(array)
    expose(self, shared)
    return shared


def _borrowed(array: np.ndarray) -> np.ndarray:
    """The same memory under another owner, so that NumPy's own views keep `shared` alive and it can be watched."""
    shared = np.asarray(_Memory(array))
    return shared if shared.dtype == array.dtype else shared.view(array.dtype)


class _Memory:
    """Hands an array's memory to NumPy through the array interface."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


@method
def __array__(self: Tensor, dtype: Any = None, copy: Any = None) -> np.ndarray:
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return np.array(array) if copy else array


attach("__array_priority__", 1000)


@method
def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    return wrap(np.array(array))


@method
def tolist(self: Tensor) -> Any:
    """The tensor as nested lists of Python numbers; a number for a 0-dimensional tensor."""
    array = realize(self)
    if array.dtype.kind == "V" or array.dtype.name == "bfloat16":
        array = array.astype("float32")
    return array.tolist()


@method
def __copy__(self: Tensor) -> Tensor:
    other = alias(self)
    other.__class__ = self.__class__
    other.__dict__.update(self.__dict__)
    if self._node is not None:
        make_leaf(other)
    return other


@method
def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    found = memo.get(id(self))
    if found is not None:
        return found
    if isinstance(self._node, Node):
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
            "see https://github.com/pytorch/pytorch/pull/103001"
        )
    other = _copied_storage(self, memo)
    other.__class__ = self.__class__
    memo[id(self)] = other
    if self._node is not None:
        make_leaf(other)
    if self._grad is not None:
        import copy

        other._grad = copy.deepcopy(self._grad, memo)
    for name, value in self.__dict__.items():
        import copy

        setattr(other, name, copy.deepcopy(value, memo))
    return other


def _copied_storage(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A copy of the memory behind the tensor, once for all tensors that share it in one deepcopy."""
    settle(self)
    if self._storage is None:
        return wrap(np.array(realize(self), order="K"))
    storage = storage_of(self)
    root = memo.get(id(storage))
    if root is None:
        from rushlight.record.value import tensor_of

        root = memo[id(storage)] = wrap(np.array(realize(tensor_of(storage.value)), order="K"))
    other = alias(root)
    if self._view is not None:
        shape, strides, offset, _ = placement(self)
        other = root.as_strided(shape, strides, offset)
        other._base = None
    return other


@method
def __reduce_ex__(self: Tensor, protocol: int) -> tuple[Any, ...]:
    if isinstance(self._node, Node):
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) can be pickled; call detach() first"
        )
    state = dict(self.__dict__)
    array = np.array(realize(self), order="K")
    return _rebuilt, (self.__class__, array, settle(self).spec.dtype, self._node is not None, state)


def _rebuilt(cls: type[Tensor], array: np.ndarray, dtype: Any, requires_grad: bool, state: dict[str, Any]) -> Tensor:
    t = wrap(array)
    of_class(t, cls)
    t.__dict__.update(state)
    if requires_grad:
        make_leaf(t)
    return t
