"""torch.func: functions that take functions and give their gradients, Jacobians and batched forms.

All of them stand on the tape. A transform gives its function fresh copies of the arguments to differentiate with
respect to; the copies stay connected to the tape where the arguments were on it, so transforms nest, and what a
transform returns is taken off the tape again where nothing outside is on it. Forward-mode products are made by
differentiating the reverse-mode one. `vmap` runs the function once for each element and stacks the results.

Source of the definitions: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.autograd import grad as tape_grad
from rushlight.autograd.grad_mode import enable_grad
from rushlight.autograd.tape import reachable
from rushlight.core.generator import default_generator
from rushlight.core.missing import missing
from rushlight.ops.creation import full_like_spec, make_leaf
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Leaf, Tensor
from rushlight.tensor import FUNCTIONS
from rushlight.utils._pytree import (
    TreeSpec,
    broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_map_only,
    tree_structure,
    tree_unflatten,
)

Func = Callable[..., Any]
Argnums = int | tuple[int, ...]
Dims = Any  # an int, None, or containers of them

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

_stack = FUNCTIONS["stack"]


# ---------------------------------------------------------------------------------------------------------------------
# One level of differentiation


class Level:
    """The inputs of one transform: `sources` to differentiate with respect to, `copies` for the function."""

    def __init__(self, inputs: Sequence[Any]) -> None:
        self.outside = recorder().tracking
        with enable_grad():
            self.sources = [self._source(t) for t in inputs]
            self.copies = [t.clone() for t in self.sources]

    def _source(self, t: Any) -> Tensor:
        if not isinstance(t, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
        if self.outside and t.requires_grad:
            return t.clone()
        if not (t.is_floating_point() or t.is_complex()):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        source = t.detach()
        make_leaf(source)
        return source

    def gradients(self, outputs: Sequence[Tensor], vectors: Sequence[Tensor] | None) -> list[Tensor]:
        """The gradients of the outputs, weighted with the vectors, for every input; zeros where there is none."""
        places = [i for i, t in enumerate(outputs) if t.requires_grad]
        if not places:
            return [full_like_spec(settle(s).spec, 0) for s in self.sources]
        chosen = None if vectors is None else [vectors[i] for i in places]
        roots = [outputs[i] for i in places]
        differentiable = self._belongs_to_others([*roots, *(chosen or ())])
        found = tape_grad(
            roots, self.sources, chosen, retain_graph=True, create_graph=differentiable, allow_unused=True
        )
        zeros = full_like_spec
        return [zeros(settle(s).spec, 0) if g is None else g for g, s in zip(found, self.sources, strict=True)]

    def _belongs_to_others(self, tensors: Sequence[Tensor]) -> bool:
        """Whether tensors depend on what requires grad outside, so that their gradients must be differentiable, too."""
        own = self.leaves()
        return any(leaf not in own for leaf in reachable([t._node for t in tensors])[1])

    def leaves(self) -> set[Any]:
        """The ends of the tape that this level has made."""
        return {t._node for t in self.sources if isinstance(t._node, Leaf)}

    def released(self, tree: Any) -> Any:
        """The results, off the tape where nothing but this level holds them there."""
        own = self.leaves()
        return tree_map_only(Tensor, lambda t: _released(t, own, self.outside), tree)


def _released(t: Tensor, own: set[Any], outside: bool) -> Tensor:
    if not t.requires_grad:
        return t
    settle(t)
    if outside and any(leaf not in own for leaf in reachable([t._node])[1]):
        return t
    return t.detach()


def _tensors(tree: Any, problem: Callable[[Any], str]) -> tuple[list[Tensor], TreeSpec]:
    leaves, spec = tree_flatten(tree)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(problem(x))
    return leaves, spec


def _check_aux(tree: Any) -> Any:
    for x in tree_leaves(tree):
        if not isinstance(x, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(x)}")
    return tree


def _positions(argnums: Argnums, args: Sequence[Any]) -> tuple[int, ...]:
    """The chosen arguments, counted from the front."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    wanted = (argnums,) if isinstance(argnums, int) else argnums
    if not wanted:
        raise RuntimeError("argnums must be non-empty")
    for n in wanted:
        if not isinstance(n, int):
            raise RuntimeError(f"argnums must be a tuple of int, got {n} of type {type(n)}")
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    return tuple(n % len(args) for n in wanted)


class Chosen:
    """The arguments that a transform differentiates with respect to, and the function of them alone."""

    def __init__(self, args: Sequence[Any], argnums: Argnums) -> None:
        self.args = list(args)
        self.single = isinstance(argnums, int)
        self.positions = _positions(argnums, args)
        self.inputs, self.spec = tree_flatten(tuple(args[n] for n in self.positions))

    def with_inputs(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments, the chosen ones made of these leaves."""
        args = list(self.args)
        for n, value in zip(self.positions, tree_unflatten(leaves, self.spec), strict=True):
            args[n] = value
        return args

    def arranged(self, leaves: Sequence[Any]) -> Any:
        """Something for each input, arranged as the chosen arguments."""
        found = tree_unflatten(leaves, self.spec)
        return found[0] if self.single else found


# ---------------------------------------------------------------------------------------------------------------------
# Gradients and products


def grad_and_value(func: Func, argnums: Argnums = 0, has_aux: bool = False) -> Func:
    """A function that gives the gradient of `func` and its value: `(gradient, value)`.

    >>> torch.func.grad_and_value(lambda x: (x ** 2).sum())(torch.tensor([1., 2.]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(args, argnums)
        level = Level(chosen.inputs)
        with enable_grad():
            output, aux = _called(func, chosen.with_inputs(level.copies), kwargs, has_aux, "grad_and_value(f)(*args)")
            _check_scalar(output)
            found = level.gradients([output], None)
        gradient, output = level.released((chosen.arranged(found), output))
        return (gradient, (output, level.released(_check_aux(aux)))) if has_aux else (gradient, output)

    return wrapper


def _called(func: Func, args: Sequence[Any], kwargs: dict[str, Any], has_aux: bool, name: str) -> tuple[Any, Any]:
    output = func(*args, **kwargs)
    if not has_aux:
        return output, None
    if not isinstance(output, tuple) or len(output) != 2:
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return output


def _check_scalar(output: Any) -> None:
    if not isinstance(output, Tensor):
        raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
    if output.dim() != 0:
        raise RuntimeError(
            "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
            f"{output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )


def grad(func: Func, argnums: Argnums = 0, has_aux: bool = False) -> Func:
    """A function that gives the gradient of `func`, which must return a scalar.

    Args:
        argnums: the argument, or the tuple of arguments, to differentiate with respect to.
        has_aux: `func` returns `(value, aux)`; then the result is `(gradient, aux)`.

    >>> torch.func.grad(torch.sin)(torch.tensor(0.))
    tensor(1.)
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def vjp(func: Func, *primals: Any, has_aux: bool = False) -> Any:
    """The value of `func`, and a function from a vector to the tuple of its products with the Jacobian.

    >>> output, vjp_fn = torch.func.vjp(torch.sin, torch.zeros(2))
    >>> vjp_fn(torch.tensor([1., 2.]))
    (tensor([1., 2.]),)
    """
    return _vjp(func, primals, has_aux)


def _vjp(func: Func, primals: Sequence[Any], has_aux: bool) -> Any:
    chosen = Chosen(primals, tuple(range(len(primals))))
    level = Level(chosen.inputs)
    with enable_grad():
        output, aux = _called(func, chosen.with_inputs(level.copies), {}, has_aux, "vjp(f, *primals)")
    outputs, spec = _tensors(
        output,
        lambda x: f"vjp(f, *primals): expected f(*primals) to return only tensors, got unsupported type {type(x)}",
    )

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        vectors, given = tree_flatten(cotangents)
        if given != spec:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {given}, primal output: {spec}"
            )
        with enable_grad():
            found = level.gradients(outputs, vectors)
        return chosen.arranged(level.released(found))

    released = level.released(output)
    return (released, vjp_fn, level.released(_check_aux(aux))) if has_aux else (released, vjp_fn)


def jvp(func: Func, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """The value of `func` and the product of its Jacobian with `tangents`.

    >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.tensor([1., 2.]),))
    (tensor([0., 0.]), tensor([1., 2.]))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple):
            raise RuntimeError(
                f"jvp(f, primals, tangents): Expected {name} to be a tuple. E.g. it should be valid to call "
                "f(*primals)."
            )
    output, push, aux = _linear(func, primals, has_aux)
    product = push(tangents)
    return (output, product, aux) if has_aux else (output, product)


def linearize(func: Func, *primals: Any) -> tuple[Any, Func]:
    """The value of `func` and a function from tangents to the product of the Jacobian with them.

    >>> output, jvp_fn = torch.func.linearize(torch.sin, torch.zeros(2))
    >>> jvp_fn(torch.tensor([1., 2.]))
    tensor([1., 2.])
    """
    output, push, _ = _linear(func, primals, False)
    return output, lambda *tangents: push(tangents)


def _linear(func: Func, primals: tuple[Any, ...], has_aux: bool) -> tuple[Any, Callable[[Any], Any], Any]:
    """The value, the product with the Jacobian as a function, and what else `func` gave.

    The transposed product is linear in its vector, so the product is that one's derivative, transposed once more.
    """
    chosen = Chosen(primals, tuple(range(len(primals))))
    level = Level(chosen.inputs)
    with enable_grad():
        output, aux = _called(func, chosen.with_inputs(level.copies), {}, has_aux, "jvp(f, primals, tangents)")
        outputs, spec = _tensors(
            output, lambda x: f"jvp(f, primals, tangents): Expected f(*primals) to return only tensors, got {type(x)}"
        )
        probe = Level([full_like_spec(settle(o).spec, 0) for o in outputs])
        back = level.gradients(outputs, probe.copies)

    def push(tangents: Any) -> Any:
        vectors = tree_leaves(tangents)
        _check_tangents(chosen.inputs, vectors)
        with enable_grad():
            found = probe.gradients(back, vectors)
        return level.released(probe.released(tree_unflatten(found, spec)))

    return level.released(output), push, level.released(_check_aux(aux)) if has_aux else None


def _check_tangents(primals: Sequence[Tensor], tangents: Sequence[Any]) -> None:
    if len(primals) != len(tangents):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure."
        )
    for p, t in zip(primals, tangents, strict=True):
        if p.shape != t.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is "
                f"not supported. Tensor is of size {list(p.shape)} while the given forward gradient is of size "
                f"{list(t.shape)}."
            )


# ---------------------------------------------------------------------------------------------------------------------
# Jacobians


def jacrev(
    func: Func,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate: bool = False,
) -> Func:
    """A function that gives the Jacobian of `func`, row by row: output.shape + input.shape for each pair.

    >>> torch.func.jacrev(lambda x: x ** 2)(torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(args, argnums)
        level = Level(chosen.inputs)
        with enable_grad():
            output, aux = _called(func, chosen.with_inputs(level.copies), kwargs, has_aux, "jacrev(f)(*args)")
            outputs, spec = _tensors(
                output, lambda x: f"jacrev: Expected f(*args) to return only tensors, got unsupported type {type(x)}"
            )
            blocks = [chosen.arranged(_jacobian(level, t)) for t in outputs]
        found = level.released(tree_unflatten(blocks, spec))
        return (found, level.released(_check_aux(aux))) if has_aux else found

    return wrapper


def _jacobian(level: Level, output: Tensor) -> list[Tensor]:
    """The Jacobian of one output, for every input."""
    flat = output.reshape(-1)
    rows = [level.gradients([flat[k]], None) for k in range(flat.numel())]
    return [
        (_stack([row[i] for row in rows]) if rows else s.new_zeros(0)).reshape((*output.shape, *s.shape))
        for i, s in enumerate(level.sources)
    ]


def jacfwd(func: Func, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error") -> Func:
    """A function that gives the Jacobian of `func`; here the same as `jacrev`, whose numbers it has.

    >>> torch.func.jacfwd(torch.sin)(torch.tensor(0.))
    tensor(1.)
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Func, argnums: Argnums = 0) -> Func:
    """A function that gives the Hessian of `func`.

    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


# ---------------------------------------------------------------------------------------------------------------------
# vmap


def vmap(
    func: Func, in_dims: Dims = 0, out_dims: Dims = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Func:
    """A function that applies `func` to every element of its arguments along a dimension, and stacks the results.

    Args:
        in_dims: which dimension of each argument counts the elements; None for an argument that all share.
        out_dims: which dimension of each result does.
        randomness: whether `func` may draw random numbers: "error", "different" (for each element), "same".
        chunk_size: accepted; the elements are always taken one at a time.

    Raises:
        ValueError: a dimension that an argument does not have, or arguments of different numbers of elements.

    >>> torch.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _mapped(func, in_dims, out_dims, randomness, args, kwargs)

    return wrapper


def _mapped(func: Func, in_dims: Dims, out_dims: Dims, randomness: str, args: Any, kwargs: dict[str, Any]) -> Any:
    name = getattr(func, "__name__", repr(func))
    dims, leaves, spec = _input_dims(name, in_dims, args)
    size = _size(name, in_dims, leaves, dims)

    def at(i: int) -> Any:
        parts = [_element(x, d, i) for x, d in zip(leaves, dims, strict=True)]
        return func(*tree_unflatten(parts, spec), **kwargs)

    results = _run_all(at, size, randomness)
    shape = tree_structure(results[0])
    places = _output_dims(name, out_dims, shape)
    columns = zip(*[tree_leaves(r) for r in results], strict=True)
    return tree_unflatten([_joined(c, d, size, name) for c, d in zip(columns, places, strict=True)], shape)


def _element(x: Any, dim: int | None, i: int) -> Any:
    if dim is None:
        return x
    if x.shape[dim]:
        return x.select(dim, i)
    shape = list(x.shape)
    del shape[dim]
    return x.new_zeros(shape)  # nothing to map over: shows the function what an element would be


def _run_all(at: Callable[[int], Any], size: int, randomness: str) -> list[Any]:
    """The results for all elements; for none at all, that of an invented one."""
    before = default_generator.get_state()
    results = []
    for i in range(max(size, 1)):
        if randomness == "same" and i:
            default_generator.set_state(before)
        results.append(at(i))
        if randomness == "error" and not i and bool((default_generator.get_state() != before).any()):
            default_generator.set_state(before)
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
    return results


def _joined(column: Sequence[Any], dim: int | None, size: int, name: str) -> Any:
    if dim is None:
        return column[0]
    for x in column:
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set "
                "out_dims= to None for output?"
            )
    joined = _stack(column, dim)
    return joined if size else joined.narrow(dim, 0, 0)


def _input_dims(name: str, in_dims: Dims, args: Any) -> tuple[list[Any], list[Any], TreeSpec]:
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
            f"tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of "
            f"`inputs`. in_dims has structure {tree_structure(in_dims)} but inputs has structure {spec}."
        )
    return [_input_dim(name, in_dims, x, d) for x, d in zip(leaves, dims, strict=True)], leaves, spec


def _input_dim(name: str, in_dims: Dims, x: Any, dim: Any) -> int | None:
    start = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={dim} for "
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{start}an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{start}an input but the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, please use "
            "None as the respective in_dim"
        )
    if not -x.dim() <= dim < x.dim():
        raise ValueError(
            f"{start}some input, but that input is a Tensor of dimensionality {x.dim()} so expected in_dim to satisfy "
            f"-{x.dim()} <= in_dim < {x.dim()}."
        )
    return dim % x.dim()


def _size(name: str, in_dims: Dims, leaves: Sequence[Any], dims: Sequence[Any]) -> int:
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def _output_dims(name: str, out_dims: Dims, spec: TreeSpec) -> list[Any]:
    places = broadcast_to_and_flatten(out_dims, spec)
    if places is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree_structure(out_dims)} but outputs has structure {spec}."
        )
    return places


# ---------------------------------------------------------------------------------------------------------------------
# Modules as functions


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the named tensors in place of its own parameters and buffers.

    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, torch.ones(2))
    tensor([2.])
    """
    from rushlight.nn.utils.stateless import _functional_call

    tensors = _one_dict(parameter_and_buffer_dicts)
    return _functional_call(module, tensors, args, kwargs, tie_weights=tie_weights, strict=strict)


def _one_dict(given: Any) -> dict[str, Tensor]:
    if isinstance(given, dict):
        return given
    if not isinstance(given, (list, tuple)):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}"
        )
    if not all(isinstance(d, dict) for d in given):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for d in given for name in d]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: t for d in given for name, t in d.items()}


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and buffers of models of one kind, stacked: an ensemble for `vmap` over `functional_call`."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or not any(m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {k: _stacked([dict(m.named_parameters())[k] for m in models]) for k, _ in models[0].named_parameters()}
    buffers = {k: _stacked([dict(m.named_buffers())[k] for m in models]) for k, _ in models[0].named_buffers()}
    return parameters, buffers


def _stacked(tensors: list[Tensor]) -> Tensor:
    if not all(t.requires_grad for t in tensors) and any(t.requires_grad for t in tensors):
        raise RuntimeError("Expected all parameters from each model to have the same .requires_grad")
    whole = _stack([t.detach() for t in tensors])
    return whole.requires_grad_(tensors[0].requires_grad)


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Makes every batch norm in `root` forget its running statistics, so that `vmap` can map over the module."""
    for module in root.modules():
        if getattr(module, "track_running_stats", None) is not None and hasattr(module, "running_mean"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Func, *, remove: str = "mutations") -> Func:
    """`func` itself: in-place operations are recorded as functional ones anyway."""
    return func


debug_unwrap: Func = lambda tensor, *, recurse=True: tensor  # noqa: E731

__getattr__ = missing(__name__, {"rearrange": "rushlight.rearrangement:rearrange"})
