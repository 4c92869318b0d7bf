"""torch.autograd: backward passes, gradient mode, custom functions and checks of derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from rushlight.core.caller import stacklevel
from rushlight.core.missing import missing
from rushlight.ops.creation import full_like_spec
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Tensor

from . import gradient
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .replay import replayed
from .tape import at_edge


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Accumulates the gradients of `tensors` into `.grad` of the leaves (or of `inputs` alone).

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.backward.html
    """
    roots = _handles(tensors)
    grads = _grads_for(roots, grad_variables if grad_tensors is None else grad_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    if create_graph:
        _warn_of_cycle()
    chosen = None if inputs is None else _handles(inputs)
    if chosen is not None and not chosen:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    for i, t in enumerate(chosen or ()):
        settle(t)
        if t._node is None:
            raise RuntimeError(f"element {i} of the input tensors does not require grad")
    gradient.backward(roots, grads, keep, create_graph, chosen)


_warned = False


def _warn_of_cycle() -> None:
    """PyTorch's warning, once, on a backward pass whose graph is kept in `.grad`."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
            "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid "
            "this. If you have to use this function, make sure to reset the .grad fields of your parameters to None "
            "after use to break the cycle and avoid the leak.",
            UserWarning,
            stacklevel=stacklevel(),
        )


def backward_from(root: Tensor, gradient: Any, retain_graph: bool | None, create_graph: bool, inputs: Any) -> None:
    """`Tensor.backward`: nearly always of a loss alone, and then as one edge of the recorder."""
    if gradient is None and inputs is None and not create_graph:
        spec = settle(root).spec
        if spec.numel == 1 and not spec.dtype.is_complex and replayed(root, None, retain_graph):
            return
    backward(root, gradient, retain_graph, create_graph, inputs=inputs)


def _handles(given: Any) -> tuple[Tensor, ...]:
    """A tensor or several; what is a `graph.GradientEdge` gets a tensor without numbers in its place on the tape."""
    if isinstance(given, Tensor):
        return (given,)
    if hasattr(given, "output_nr"):
        given = (given,)
    return tuple([t if isinstance(t, Tensor) or not hasattr(t, "output_nr") else at_edge(t) for t in given])


def _grads_for(roots: Sequence[Tensor], given: Any) -> list[Tensor | None]:
    grads: list[Tensor | None]
    grads = [None] * len(roots) if given is None else [given] if isinstance(given, Tensor) else list(given)
    if len(grads) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(grads)} gradients")
    for t, g in zip(roots, grads, strict=True):
        spec = settle(t).spec
        if t._node is None:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        if g is None and spec.numel != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if g is None and spec.dtype.is_complex:
            raise RuntimeError(
                "grad can be implicitly created only for real scalar outputs but got " + repr(spec.dtype)
            )
        if g is not None and settle(g).spec.shape != spec.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has a shape of {t.shape}."
            )
        if g is not None and g.dtype.is_complex != spec.dtype.is_complex:
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
                f"dtype: grad_output[0] has a dtype of {g.dtype} and output[0] has a dtype of {spec.dtype}."
            )
    return grads


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    >>> x = torch.tensor(3., requires_grad=True)
    >>> torch.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if not only_inputs:
        _warn_of_only_inputs()
    if is_grads_batched:
        return _batched_grad(outputs, inputs, grad_outputs, create_graph, allow_unused, materialize_grads)
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    roots, wanted = _handles(outputs), _handles(inputs)
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    grads = _grads_for(roots, grad_outputs)
    for t in wanted:
        settle(t)
        if t._node is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    keep = create_graph if retain_graph is None else retain_graph
    found = gradient.gradients(roots, grads, wanted, keep, create_graph)
    if materialize_grads:
        found = [full_like_spec(t._value.spec, 0) if g is None else g for g, t in zip(found, wanted, strict=True)]
    elif not allow_unused:
        _check_all_used(found)
    return tuple(found)


def _warn_of_only_inputs() -> None:
    warnings.warn(
        "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
        "parts of the graph, please use torch.autograd.backward.",
        FutureWarning,
        stacklevel=stacklevel(),
    )


def _check_all_used(found: Sequence[Any]) -> None:
    unused = [k for k, g in enumerate(found) if g is None]
    if unused:
        raise RuntimeError(
            f"The differentiated Tensor at index {unused[0]} appears to not have been used in the graph. Set "
            "allow_unused=True if this is the desired behavior."
        )


def _batched_grad(outputs: Any, inputs: Any, grad_outputs: Any, create_graph: bool, *options: Any) -> tuple[Any, ...]:
    """One backward pass for each row of the gradients, stacked."""
    from rushlight.tensor import FUNCTIONS

    given = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)
    rows = []
    for i in range(len(given[0])):
        at = [g[i] for g in given]
        rows.append(
            grad(outputs, inputs, at, True, create_graph, allow_unused=options[0], materialize_grads=options[1])
        )
    return tuple(None if column[0] is None else FUNCTIONS["stack"](column) for column in zip(*rows, strict=True))


class _Variables(type):
    """Makes every Tensor an instance of `Variable`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_Variables):
    """The old constructor: a tensor with the same numbers, which may require grad. Every Tensor is an instance."""

    def __new__(cls, data: Any, requires_grad: bool = False, volatile: bool = False) -> Tensor:  # type: ignore[misc]
        t = data.detach() if isinstance(data, Tensor) else data
        return t.requires_grad_(requires_grad)


import_module(f"{__name__}.variable")  # first: the function has the module's name


def variable(*args: Any, **kwargs: Any) -> NoReturn:
    """Refused, as in PyTorch: `torch.tensor` took its place."""
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")


__all__ = [
    "Function", "Variable", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled",
]  # fmt: skip

__getattr__ = missing(
    __name__,
    {
        name: f"rushlight.autograd.{name}"
        for name in ("function", "functional", "grad_mode", "graph", "profiler", "forward_ad")
    }
    | {
        name: f"rushlight.autograd.grad_mode:{name}"
        for name in ("enforce_grad_layout_policy", "set_multithreading_enabled")
    }
    | {name: f"rushlight.autograd.anomaly:{name}" for name in ("detect_anomaly", "set_detect_anomaly")}
    | {name: f"rushlight.autograd.finite_differences:{name}" for name in ("gradcheck", "gradgradcheck")},
)
