"""What a tensor says of itself: shape, dtype, place in memory, and its part in the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.core import strided
from rushlight.core.layout import strided as dense
from rushlight.core.size import Size
from rushlight.ops.creation import make_leaf
from rushlight.ops.public import METHODS, as_called, attach
from rushlight.record.memory import placement, storage_of
from rushlight.record.trace import realize, recorder, settle
from rushlight.record.value import Node, Tensor, tensor_of


def prop(f: Callable[[Tensor], Any]) -> None:
    """Makes a function a read-only property of Tensor."""
    attach(f.__name__, property(f))


def method(f: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function a method of Tensor."""
    METHODS[f.__name__] = called = as_called(f, f.__name__)
    setattr(Tensor, f.__name__, called)
    return f


@prop
def shape(self: Tensor) -> Size:
    """The size of each dimension."""
    return Size(settle(self).spec.shape)


@prop
def dtype(self: Tensor) -> Any:
    """The type of the elements."""
    return self._value.spec.dtype


@prop
def device(self: Tensor) -> Any:
    """Where the tensor lives."""
    return self._value.spec.device


@prop
def layout(self: Tensor) -> Any:
    """`torch.strided`, always."""
    return dense


@prop
def ndim(self: Tensor) -> int:
    """The number of dimensions."""
    return settle(self).spec.ndim


@prop
def itemsize(self: Tensor) -> int:
    """Bytes of one element."""
    return self._value.spec.dtype.itemsize


@prop
def nbytes(self: Tensor) -> int:
    """Bytes of all elements."""
    return settle(self).spec.nbytes


@prop
def is_cuda(self: Tensor) -> bool:
    """Whether the tensor lives on a CUDA device."""
    return self._value.spec.device.type == "cuda"


for _name in ("is_mps", "is_sparse", "is_sparse_csr", "is_quantized", "is_mkldnn", "is_meta", "is_xla", "is_nested",
              "is_xpu", "is_vulkan", "is_ipu"):  # fmt: skip
    setattr(Tensor, _name, property(lambda self: False))
attach("is_cpu", property(lambda self: True))
attach("name", property(lambda self: None))
attach("names", property(lambda self: (None,) * self.dim()))


@method
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one dimension."""
    spec = settle(self).spec
    return Size(spec.shape) if dim is None else spec.shape[strided.normalize_dim(dim, spec.ndim)]


@method
def dim(self: Tensor) -> int:
    """The number of dimensions."""
    return settle(self).spec.ndim


METHODS["ndimension"] = dim


@method
def numel(self: Tensor) -> int:
    """The number of elements."""
    return settle(self).spec.numel


METHODS["nelement"] = numel


@method
def element_size(self: Tensor) -> int:
    """Bytes of one element."""
    return self._value.spec.dtype.itemsize


@method
def stride(self: Tensor, dim: int | None = None) -> Any:
    """The steps in memory between neighbours of each dimension, in elements."""
    spec = settle(self).spec
    return spec.strides if dim is None else spec.strides[strided.normalize_dim(dim, spec.ndim)]


@method
def storage_offset(self: Tensor) -> int:
    """Where the tensor starts in its storage, in elements."""
    return placement(self)[2]


@method
def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in the order of `memory_format` (row by row)."""
    spec = settle(self).spec
    name = "contiguous_format" if memory_format is None else memory_format.name
    if name == "contiguous_format":
        return bool(strided.is_contiguous(spec.shape, spec.strides))
    return bool(strided.is_channels_last(spec.shape, spec.strides))


@prop
def _cdata(self: Tensor) -> int:
    """A number that no other tensor has: libraries ask whether two names are of one tensor."""
    return id(self)



@method
def data_ptr(self: Tensor) -> int:
    """The address of the first element; 0 for an empty tensor."""
    array = realize(self)
    return array.__array_interface__["data"][0] if array.size else 0


@method
def get_device(self: Tensor) -> int:
    """The index of the device; -1 for the CPU."""
    return -1


@method
def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is a floating-point one."""
    return self._value.spec.dtype.is_floating_point


@method
def is_complex(self: Tensor) -> bool:
    """Whether the dtype is complex."""
    return self._value.spec.dtype.is_complex


@method
def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self._value.spec.dtype.is_signed


@method
def is_conj(self: Tensor) -> bool:
    """False: conjugation is computed, never only noted."""
    return False


@method
def is_neg(self: Tensor) -> bool:
    """False: negation is computed, never only noted."""
    return False


@method
def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return settle(self).spec.shape == settle(other).spec.shape


@method
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the memory is pinned for an accelerator."""
    return False


@method
def is_inference(self: Tensor) -> bool:
    """Whether the tensor was made in inference mode."""
    return self._inference


# ---------------------------------------------------------------------------------------------------------------------
# The tape


def _requires_grad(self: Tensor) -> bool:
    """Whether gradients are to be computed for the tensor."""
    settle(self)
    base = self._base
    return self._node is not None or (base is not None and base._node is not None)


def _set_requires_grad(self: Tensor, wanted: bool) -> None:
    if wanted == (self._node is not None):
        return
    if isinstance(self._node, Node):
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
            "subgraph that doesn't require differentiation use var_no_grad = var.detach()."
        )
    if not wanted:
        self._node = None
    else:
        if not (self.is_floating_point() or self.is_complex()):
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        if self._inference and not recorder().inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        make_leaf(self)


attach("requires_grad", property(_requires_grad, _set_requires_grad))


@method
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Sets `requires_grad` and returns the tensor."""
    if requires_grad is not True and requires_grad is not False:
        raise TypeError(
            f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {type(requires_grad).__name__}"
        )
    if requires_grad and not (self.is_floating_point() or self.is_complex()):
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    self.requires_grad = requires_grad
    return self


@prop
def is_leaf(self: Tensor) -> bool:
    """Whether no recorded operation made the tensor, or none that the tape knows."""
    settle(self)
    return not isinstance(self._node, Node)


@prop
def grad_fn(self: Tensor) -> Any:
    """The node of the tape that made the tensor; None for a leaf."""
    from rushlight.autograd.node import function_of

    settle(self)
    return function_of(self._node) if isinstance(self._node, Node) else None


@prop
def output_nr(self: Tensor) -> int:
    """Which output of `grad_fn` the tensor is."""
    return self._out


@prop
def _version(self: Tensor) -> int:
    if self._inference:
        raise RuntimeError("Inference tensors do not track version counter.")
    return self._edits if self._storage is None or self._untracked else self._storage.edits


@prop
def retains_grad(self: Tensor) -> bool:
    """Whether a tensor that is no leaf keeps its gradient."""
    return self._retains


def _grad(self: Tensor) -> Tensor | None:
    """The accumulated gradient, or None."""
    if self._grad is None and isinstance(self._node, Node) and not self._retains:
        from rushlight.autograd.leaf import warn_non_leaf_grad

        warn_non_leaf_grad()
    return self._grad


def _set_grad(self: Tensor, new: Tensor | None) -> None:
    if new is not None:
        _check_grad(self, new)
    self._grad = new


_C_NAMES = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
            "int64": "long", "int32": "int", "uint8": "unsigned char", "bool": "bool"}  # fmt: skip


def _check_grad(self: Tensor, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(new).__name__}")
    if new is self:
        raise RuntimeError("can't assign Variable as its own grad")
    mine, its = settle(self).spec, settle(new).spec
    if mine.dtype is not its.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{_C_NAMES.get(its.dtype.name, its.dtype.name)}' to a tensor "
            f"with grad_dtype '{mine.dtype.scalar_name}'. The gradient must match the tensor's grad_dtype (defaults "
            "to the tensor's dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None to "
            "allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may "
            "break downstream systems that assume that they match."
        )
    if mine.shape != its.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(its.shape)}' to a tensor of size '{list(mine.shape)}'. "
            "Please "
            "ensure that the gradient and the tensor are the same size"
        )


def _delete_grad(self: Tensor) -> None:
    self._grad = None


attach("grad", property(_grad, _set_grad, _delete_grad))


@method
def detach(self: Tensor) -> Tensor:
    """The same memory, off the tape.

    >>> x = torch.ones(2, requires_grad=True)
    >>> x.detach()
    tensor([1., 1.])
    """
    return alias(self)


def alias(self: Tensor, untracked: bool = False) -> Tensor:
    """Another handle on the same memory, off the tape."""
    settle(self)
    storage_of(self)
    other = tensor_of(self._value)
    other._storage, other._seen, other._view = self._storage, self._seen, self._view
    other._untracked = untracked or self._untracked
    other._inference = self._inference
    return other


@method
def detach_(self: Tensor) -> Tensor:
    """Takes the tensor itself off the tape."""
    if self._base is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
        )
    self._node, self._out = None, 0
    return self


def _data(self: Tensor) -> Tensor:
    """The same memory, off the tape, whose in-place changes the tape does not notice."""
    return alias(self, untracked=True)


def _set_data(self: Tensor, new: Tensor) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
    kind = settle(new).spec.dtype
    if self._node is not None and not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
    storage_of(new)
    settle(self).replaced = new._value  # a tape that saved the old numbers sees the new ones, as in PyTorch
    recorder().trace.overwrote = True
    self._value, self._storage, self._seen, self._view = new._value, new._storage, new._seen, new._view
    self._base = self._base_node = None


attach("data", property(_data, _set_data))


_autograd: Any = None  # the floor above, loaded by the first backward pass


@method
def backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:  # fmt: skip
    """Accumulates the gradient of this tensor into `.grad` of every leaf it was made from.

    >>> x = torch.tensor([2.], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([4.])
    """
    global _autograd
    if _autograd is None:
        from rushlight import autograd

        _autograd = autograd
    _autograd.backward_from(self, gradient, retain_graph, create_graph, inputs)


@method
def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Any:
    """Calls `hook(grad)` when the gradient of the tensor is computed; what it returns replaces the gradient."""
    from rushlight.autograd.node import register_tensor_hook

    return register_tensor_hook(self, hook)


@method
def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> Any:
    """Calls `hook(tensor)` after a gradient was accumulated into a leaf."""
    from rushlight.autograd.node import register_post_hook

    return register_post_hook(self, hook)


@method
def retain_grad(self: Tensor) -> None:
    """Keeps `.grad` for a tensor that is no leaf."""
    from rushlight.autograd.node import keep_grad

    keep_grad(self)


@method
def _is_view(self: Tensor) -> bool:
    return self._base is not None
