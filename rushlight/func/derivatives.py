"""Gradients, products with the Jacobian, and Jacobians of functions.

A transform makes a `Level`: fresh copies of its inputs for the function, on the tape. What the function returns is
differentiated with respect to their sources, and released from the tape where nothing outside holds it there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.autograd import grad as tape_grad
from rushlight.autograd.grad_mode import enable_grad
from rushlight.autograd.tape import reachable
from rushlight.ops.creation import full_like_spec, make_leaf
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Leaf, Tensor
from rushlight.tensor import FUNCTIONS
from rushlight.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map_only, tree_unflatten

from .batching import note_leaf
from .mapping import check_randomness, vmap

Func = Callable[..., Any]
Argnums = int | tuple[int, ...]

_eye, _stack = FUNCTIONS["eye"], FUNCTIONS["stack"]

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
        note_leaf(source._node)
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
    positions = tuple(n % len(args) for n in wanted)
    if len(set(positions)) < len(positions):
        raise RuntimeError(f"argnums elements must be unique, got {wanted}")
    return positions


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
        wrong = next((v for v in vectors if not isinstance(v, Tensor)), None)
        if len(vectors) and not all(isinstance(v, Tensor) for v in vectors):
            raise RuntimeError(f"vjp(f, ...): the cotangents must be tensors like the outputs, got {type(wrong)}")
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
    if not tree_leaves(primals):
        raise RuntimeError("jvp(f, primals, tangents): Expected primals to contain at least one Tensor.")
    output, push, aux = _linear(func, primals, has_aux, strict)
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


def _linear(
    func: Func, primals: tuple[Any, ...], has_aux: bool, strict: bool = False
) -> tuple[Any, Callable[[Any], Any], Any]:
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
        if strict and not all(o.requires_grad for o in outputs):
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
                "allowed with strict=True."
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
            _check_outputs(outputs)
            blocks = [chosen.arranged(_jacobian(level, t, chunk_size)) for t in outputs]
        found = level.released(tree_unflatten(blocks, spec))
        return (found, level.released(_check_aux(aux))) if has_aux else found

    return wrapper


def _check_outputs(outputs: Sequence[Tensor]) -> None:
    """Refuses outputs that have no derivative."""
    for t in outputs:
        if not (t.is_floating_point() or t.is_complex()):
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                f"{t.dtype}"
            )


def _jacobian(level: Level, output: Tensor, chunk_size: int | None) -> list[Tensor]:
    """The Jacobian of one output, for every input."""
    n = output.numel()
    shapes = [(*output.shape, *s.shape) for s in level.sources]
    if not n:
        return [s.new_zeros(shape) for s, shape in zip(level.sources, shapes, strict=True)]
    if n == 1 or output.is_complex():
        flat = output.reshape(-1)
        rows = [level.gradients([flat[k]], None) for k in range(n)]
        columns = [_stack(column) for column in zip(*rows, strict=True)]
    else:
        basis = _eye(n, dtype=output.dtype).reshape(n, *output.shape)
        columns = vmap(lambda v: level.gradients([output], [v]), chunk_size=chunk_size)(basis)
    return [t.reshape(shape) for t, shape in zip(columns, shapes, strict=True)]


def jacfwd(func: Func, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error") -> Func:
    """A function that gives the Jacobian of `func`; here the same as `jacrev`, whose numbers it has.

    >>> torch.func.jacfwd(torch.sin)(torch.tensor(0.))
    tensor(1.)
    """
    check_randomness(randomness)
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Func, argnums: Argnums = 0) -> Func:
    """A function that gives the Hessian of `func`.

    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
