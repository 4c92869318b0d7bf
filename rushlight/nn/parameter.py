"""Tensors that a module owns: `Parameter`, `Buffer`, and their forms whose shape is not known yet.

A `Parameter` is a Tensor whose class alone says that a module should list it; making one shares the tensor's numbers.
`Module.__setattr__` sorts by these classes. An uninitialized parameter or buffer belongs to a lazy layer: it has a
dtype and a device but no shape until `materialize` is called with the shape that the first input implies.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NoReturn

from rushlight.tensor import Tensor
from rushlight.tensor.subclasses import disabled

_NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` "
    "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the "
    "parameters before accessing their attributes."
)
_NO_SHARING = (
    "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters before "
    "calling `module.share_memory()`."
)


class _ParameterMeta(type(Tensor)):  # type: ignore[misc]
    """Lets a Tensor subclass count as a Parameter by the attribute `_is_param`."""

    def __instancecheck__(cls, instance: object) -> bool:
        if cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False):
            return True
        return super().__instancecheck__(instance)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a module lists among its parameters when it is assigned to one of its attributes.

    `data` is shared, not copied; None stands for an empty tensor. Needs a gradient unless `requires_grad=False`, and
    does so even when made under `no_grad`.

    >>> import rushlight
    >>> Parameter(rushlight.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __torch_function__ = disabled
    _is_param = True

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = _empty((0,))
        if type(data) is Tensor or type(data) is Parameter:
            return _handle(cls, data, requires_grad)
        return _marked(data, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        hooks: OrderedDict[int, Any] = OrderedDict()
        state = dict(vars(self))
        if state:
            return _rebuild_parameter_with_state, (self.data, self.requires_grad, hooks, state)
        return _rebuild_parameter, (self.data, self.requires_grad, hooks)


def _marked(data: Any, requires_grad: bool) -> Any:
    """A parameter that keeps the type of a Tensor subclass."""
    tensor = data.detach().requires_grad_(requires_grad)
    if type(tensor) is not type(data):
        raise RuntimeError(
            f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an "
            f"instance of the same type, but return type {type(tensor).__name__} was found instead. To use the type as "
            "a Parameter, please correct the detach() semantics defined by its __torch_dispatch__() implementation."
        )
    tensor._is_param = True
    return tensor


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Parameter:
    """What a pickled Parameter calls when it is read; hooks are not saved."""
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: Any, state: dict[str, Any]
) -> Parameter:
    parameter = Parameter(data, requires_grad)
    for name, value in state.items():
        setattr(parameter, name, value)
    return parameter


class Buffer(Tensor):
    """A tensor that a module lists among its buffers when it is assigned to one of its attributes.

    Not trained; saved in `state_dict` unless `persistent=False`. Shares the numbers of `data`.
    """

    __torch_function__ = disabled

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = _empty((0,))
        buffer = _handle(cls, data.detach(), data.requires_grad)
        buffer.persistent = persistent
        return buffer

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), persistent=self.persistent)
        return memo[id(self)]

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        return _rebuild_buffer, (self.data, self.persistent)


def _rebuild_buffer(data: Tensor, persistent: bool) -> Buffer:
    return Buffer(data, persistent=persistent)


class UninitializedTensorMixin:
    """A tensor without a shape: it can be moved and converted, and `materialize` makes it an ordinary one."""

    cls_to_become: type[Any]

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give it `shape` and memory (numbers undefined) and turn it into its ordinary class."""
        data: Any = self.data  # type: ignore[has-type]
        device, dtype = data.device if device is None else device, data.dtype if dtype is None else dtype
        self.data = _empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    @property
    def shape(self) -> NoReturn:
        raise RuntimeError(_NO_SHAPE)

    def share_memory_(self) -> NoReturn:
        raise RuntimeError(_NO_SHARING)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        return type(self), (self.requires_grad,)  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            data: Any = self.data  # type: ignore[attr-defined]
            memo[id(self)] = type(self)(self.requires_grad, data.device, data.dtype)  # type: ignore[call-arg, attr-defined]
        return memo[id(self)]


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc, metaclass]
    """A Parameter of a lazy layer before the first input is seen; becomes a `Parameter`."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:  # type: ignore[misc]
        data = _empty((0,), device=device, dtype=dtype)
        return _handle(cls, data, requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):  # type: ignore[misc]
    """A buffer of a lazy layer before the first input is seen; becomes a `Buffer`."""

    cls_to_become = Buffer

    def __new__(  # type: ignore[misc]
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> UninitializedBuffer:
        buffer = _handle(cls, _empty((0,), device=device, dtype=dtype), requires_grad)
        buffer.persistent = persistent
        return buffer


def is_lazy(param: Any) -> bool:
    """Whether `param` is an uninitialized parameter or buffer."""
    return isinstance(param, UninitializedTensorMixin)


def _handle(cls: type[Tensor], data: Tensor, requires_grad: bool) -> Any:
    """A tensor of class `cls` on the memory of `data`, a leaf of the tape."""
    return Tensor._make_subclass(cls, data, requires_grad)  # type: ignore[attr-defined]


def _empty(shape: Any, **factory: Any) -> Tensor:
    import rushlight

    return rushlight.empty(shape, **factory)


def weight_and_bias(module: Any) -> tuple[Any, Any]:
    """`module.weight` and `module.bias`, read in a third of the time that the attributes take."""
    parameters = module._parameters
    try:
        return parameters["weight"], parameters["bias"]
    except KeyError:  # a parametrization has taken one over
        return module.weight, module.bias


def new_parameter(
    shape: tuple[int, ...], device: Any = None, dtype: Any = None, requires_grad: bool = True
) -> Parameter:
    """A parameter of `shape` whose numbers are undefined: what every layer fills in `reset_parameters`."""
    return Parameter(_empty(shape, device=device, dtype=dtype), requires_grad)
