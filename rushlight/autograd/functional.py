"""`torch.autograd.functional`: Jacobians, Hessians and products with them.

Source: https://pytorch.org/docs/stable/autograd.html#functional-higher-level-api
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops.creation import full_like_spec
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

Func = Callable[..., Any]


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _check_tensors(given: Any, what: str, function: str) -> None:
    """Raises TypeError for inputs or outputs that are not a tensor or a tuple of them."""
    wrong = next((i for i, t in enumerate(_tuple(given)) if not isinstance(t, Tensor)), None)
    if wrong is None:
        return
    if isinstance(given, tuple):
        found = f"value at index {wrong} of the given {what} has type {type(given[wrong])}"
    else:
        found = f"given {what} has type {type(given)}"
    raise TypeError(f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the {found}.")


def _leaves(inputs: Any, create_graph: bool, function: str) -> tuple[Tensor, ...]:
    """The inputs as tensors to differentiate with respect to, linked to the user's graph if one is wanted."""
    _check_tensors(inputs, "inputs", function)
    given = _tuple(inputs)
    return tuple(t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in given)


def _zeros(t: Tensor) -> Tensor:
    return full_like_spec(settle(t).spec, 0)


def _grad(
    outputs: Any, inputs: Any, vectors: Any, create_graph: bool, strict: bool = False, retain: bool = True
) -> list[Tensor]:
    from rushlight.autograd import grad

    pairs = [(o, v) for o, v in zip(_tuple(outputs), _tuple(vectors), strict=True) if o.requires_grad]
    if not pairs:
        if strict:
            raise RuntimeError(
                "Output 0 of the user-provided function does not require gradients. The outputs must be "
                "computed in a differentiable manner from the input when running in strict mode."
            )
        return [_zeros(t) for t in inputs]
    found = grad(
        [o for o, _ in pairs],
        inputs,
        [v for _, v in pairs],
        retain_graph=retain,
        create_graph=create_graph,
        allow_unused=True,
    )
    if strict and any(g is None for g in found):
        i = [g is None for g in found].index(True)
        raise RuntimeError(
            f"Output 0 of the user-provided function is independent of input {i}. This is not allowed in strict mode."
        )
    return [_zeros(t) if g is None else g for g, t in zip(found, inputs, strict=True)]


def _like_input(results: Sequence[Any], inputs: Any) -> Any:
    return tuple(results) if isinstance(inputs, tuple) else results[0]


def _detached(t: Any, create_graph: bool) -> Any:
    if isinstance(t, tuple):
        return tuple(_detached(x, create_graph) for x in t)
    return t if create_graph else t.detach()


def _check_vector(v: Any, like: tuple[Tensor, ...], name: str, verb: str = " is") -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if the {name}{verb} a single Tensor with a single element."
            )
        return (full_like_spec(settle(like[0]).spec, 1),)
    _check_tensors(v, "v", "the function")
    found = _tuple(v)
    if len(found) != len(like):
        wanted = "a single Tensor" if len(like) == 1 else f"{len(like)} Tensors"
        raise RuntimeError(f"The given v should contain {wanted}, got {len(found)}.")
    for a, b in zip(found, like, strict=True):
        if a.shape != b.shape:
            raise RuntimeError(f"v has invalid size: should be {b.shape} but got {a.shape}.")
    return found


def vjp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of `func` and the product of the vector `v` with its Jacobian."""
    xs = _leaves(inputs, create_graph, "vjp")
    outputs = func(*xs)
    vector = _check_vector(v, _tuple(outputs), "user-provided function returns", "")
    found = _grad(outputs, xs, vector, create_graph, strict)
    return _detached(outputs, create_graph), _detached(_like_input(found, inputs), create_graph)


def jvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of `func` and the product of its Jacobian with the vector `v` (by differentiating twice)."""
    xs = _leaves(inputs, create_graph, "jvp")
    vector = _check_vector(v, xs, "input to the user-provided function")
    outputs = func(*xs)
    probes = tuple(_zeros(o).requires_grad_() for o in _tuple(outputs))
    back = _grad(outputs, xs, probes, True, strict)
    found = _grad(tuple(back), probes, vector, create_graph)
    return _detached(outputs, create_graph), _detached(_like_input(found, outputs), create_graph)


def _rows(output: Tensor, xs: tuple[Tensor, ...], create_graph: bool, strict: bool) -> list[list[Tensor]]:
    """The gradient of every element of an output, for each input."""
    from rushlight.tensor import FUNCTIONS

    flat = output.reshape(-1)
    per_input: list[list[Tensor]] = [[] for _ in xs]
    for k in range(flat.numel()):
        one = FUNCTIONS["ones_like"](flat[k])
        for i, g in enumerate(_grad(flat[k], xs, one, create_graph, strict)):
            per_input[i].append(g)
    return per_input


def _check_strategy(strategy: str, vectorize: bool, strict: bool, create_graph: bool) -> None:
    """Refuses what PyTorch refuses; the numbers are the same whichever strategy is asked for."""
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            "torch.autograd.functional.jacobian: `create_graph=True` and `strategy=\"forward-mode\"` are not supported "
            "together. Please either set `create_graph=False` or `strategy=\"reverse-mode\"`."
        )
    if strategy == "forward-mode" and strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together. Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )
    if strict and vectorize:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
            "Please either set `strict=False` or `vectorize=False`."
        )


def jacobian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: for each output and input a tensor of shape output.shape + input.shape.

    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    from rushlight.tensor import FUNCTIONS

    _check_strategy(strategy, vectorize, strict, create_graph)
    xs = _leaves(inputs, create_graph, "jacobian")
    outputs = func(*xs)
    _check_tensors(outputs, "outputs of the user-provided function", "jacobian")
    table = []
    for output in _tuple(outputs):
        blocks = []
        for rows, x in zip(_rows(output, xs, create_graph, strict), xs, strict=True):
            shape = (*output.shape, *x.shape)
            stacked = FUNCTIONS["stack"](rows) if rows else x.new_zeros(shape)
            blocks.append(_detached(stacked.reshape(shape), create_graph))
        table.append(_like_input(blocks, inputs))
    return _like_input(table, outputs)


def _check_slopes(function: str, slopes: Sequence[Tensor]) -> None:
    """Refuses, in strict mode, a first derivative that does not depend on the inputs."""
    constant = next((i for i, g in enumerate(slopes) if not g.requires_grad), None)
    if constant is not None:
        raise RuntimeError(
            f"While computing the {function}, found that the jacobian of the user-provided function with respect to "
            f"input {constant} is independent of the input. This is not allowed in strict mode."
        )


def hessian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function with one scalar output.

    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([2.]))
    tensor([[12.]])
    """

    _check_tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def slope(*xs: Tensor) -> Any:
        output = func(*xs)
        if _tuple(output)[0].numel() != 1:
            raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
        single = _tuple(output)[0].reshape(())
        slopes = _grad(single, xs, full_like_spec(settle(single).spec, 1), True, strict)
        if strict:
            _check_slopes("hessian", slopes)
        return tuple(slopes)

    found = jacobian(slope, _tuple(inputs), create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if isinstance(inputs, tuple) else found[0][0]


def vhp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of a scalar function and the product of the vector `v` with its Hessian."""
    xs = _leaves(inputs, create_graph, "vhp")
    vector = _check_vector(v, xs, "input to the user-provided function")
    output = func(*xs)
    slopes = _grad(output, xs, full_like_spec(settle(output).spec, 1), True, strict)
    if strict:
        _check_slopes("hessian", slopes)
    found = _grad(tuple(slopes), xs, vector, create_graph, False)
    return _detached(output, create_graph), _detached(_like_input(found, inputs), create_graph)


def hvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of a scalar function and the product of its Hessian with `v` (the Hessian is symmetric)."""
    return vhp(func, inputs, v, create_graph, strict)
