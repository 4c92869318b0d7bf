"""torch.nn.utils.prune: parameters with a part of their numbers held at 0.

Pruning parameter `weight` of a module leaves the numbers in the parameter `weight_orig`, keeps a mask of zeros and ones
in the buffer `weight_mask`, and makes `weight` their product, anew before each `forward` by a forward pre-hook: the
`BasePruningMethod` itself. A method says which places to hold at 0 (`compute_mask`); pruning what is pruned already
puts the methods into a `PruningContainer`, where the newest one sees only what is left. `remove` makes the product
the parameter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

import rushlight as torch
from rushlight.core.missing import missing
from rushlight.nn.module import Module
from rushlight.nn.utils.convert_parameters import parameters_to_vector
from rushlight.tensor import Tensor

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
    "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove",
]  # fmt: skip


class BasePruningMethod(ABC):
    """The hook. A method of one's own defines `PRUNING_TYPE` and `compute_mask`.

    `PRUNING_TYPE` says what a second method on the same parameter sees: "unstructured" the numbers that are left,
    "structured" the slices along `dim` that are left, "global" everything.
    """

    PRUNING_TYPE: str
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """A mask like `default_mask`, with zeros also where `t` shall be held at 0."""

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times its mask."""
        mask, orig = getattr(module, self._tensor_name + "_mask"), getattr(module, self._tensor_name + "_orig")
        return mask.to(dtype=orig.dtype) * orig  # type: ignore[no-any-return]

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prunes parameter `name` of the module by `cls(*args, **kwargs)`, on top of what prunes it already.

        Args:
            importance_scores: what the mask is computed from, in place of the parameter's own numbers.
        """
        before = _take_hook(module, name)
        method = cls(*args, **kwargs)
        method._tensor_name = name
        if before is None:
            return method._begin(module, importance_scores)
        container = before if isinstance(before, PruningContainer) else PruningContainer(before)
        container.add_pruning_method(method)
        default = getattr(module, name + "_mask").detach().clone(memory_format=torch.contiguous_format)
        container._put(module, _scores(importance_scores, getattr(module, name), name), default)
        return container

    def _begin(self, module: Module, scores: Tensor | None) -> BasePruningMethod:
        """Prunes a parameter that is not pruned yet; leaves it as it was where the method refuses."""
        name = self._tensor_name
        orig = getattr(module, name)
        scores = _scores(scores, orig, name)
        module.register_parameter(name + "_orig", orig)
        del module._parameters[name]
        try:
            self._put(module, scores, torch.ones_like(orig))
        except Exception:
            module.register_parameter(name, orig)
            del module._parameters[name + "_orig"]
            raise
        return self

    def _put(self, module: Module, scores: Tensor, default_mask: Tensor) -> None:
        module.register_buffer(self._tensor_name + "_mask", self.compute_mask(scores, default_mask=default_mask))
        setattr(module, self._tensor_name, self.apply_mask(module))
        module.register_forward_pre_hook(self)

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """The tensor with places held at 0; no module takes part."""
        mask = torch.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(_scores(importance_scores, t, "t"), default_mask=mask)

    def remove(self, module: Module) -> None:
        """Makes the product the parameter; the hook stays where it is."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        delattr(module, name)
        orig = module._parameters.pop(name + "_orig")
        orig.data = weight.data  # type: ignore[union-attr]
        del module._buffers[name + "_mask"]
        setattr(module, name, orig)


def _scores(given: Tensor | None, like: Tensor, name: str) -> Tensor:
    if given is not None and given.shape != like.shape:
        raise AssertionError(
            f"importance_scores should have the same shape as parameter {name}, got {given.shape} vs {like.shape}"
        )
    return like if given is None else given


def _hooks(module: Module, name: str | None = None) -> list[int]:
    """The ids of the pruning hooks of a module, or of one of its parameters."""
    return [
        key
        for key, hook in module._forward_pre_hooks.items()
        if isinstance(hook, BasePruningMethod) and name in (None, hook._tensor_name)
    ]


def _take_hook(module: Module, name: str) -> Any:
    keys = _hooks(module, name)
    if len(keys) > 1:
        raise AssertionError(
            f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a PruningContainer."
        )
    return module._forward_pre_hooks.pop(keys[0]) if keys else None


class PruningContainer(BasePruningMethod):
    """Several methods on one parameter, the newest last."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Adds a method for the same parameter. Raises TypeError for what is no method, ValueError for another's."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The newest method's mask, on what the others have left."""
        method = self._pruning_methods[-1]
        left = _left_by(default_mask, method)
        mask = default_mask.to(dtype=t.dtype, copy=True)
        mask[left] = method.compute_mask(t[left], default_mask=default_mask[left]).to(dtype=mask.dtype)
        return mask


def _left_by(mask: Tensor, method: Any) -> Any:
    """The places that a method sees, as an index."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return ...
    if method.PRUNING_TYPE != "structured":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError(
            'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
        )
    dim = method.dim if method.dim >= 0 else mask.dim() + method.dim
    if dim < 0:
        raise IndexError(f"Index is out of bounds for tensor with dimensions {mask.dim()}")
    kept = mask.sum(dim=[d for d in range(mask.dim()) if d != dim]) != 0
    return (slice(None),) * dim + (kept,)


# ---------------------------------------------------------------------------------------------------------------------
# Methods


class _OfAmount(BasePruningMethod):
    """Holds a part of the numbers, or that many of them, at 0."""

    def __init__(self, amount: Any) -> None:
        if not isinstance(amount, Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if float(amount) < 0 or (not isinstance(amount, Integral) and float(amount) > 1):  # type: ignore[arg-type]
            raise ValueError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer"
            )
        self.amount = amount

    def _count(self, size: int) -> int:
        """How many of `size`."""
        if not isinstance(self.amount, Integral):
            return round(float(self.amount) * size)
        if int(self.amount) > size:
            raise ValueError(
                f"amount={self.amount} should be smaller than the number of parameters to prune={size}"
            )
        return int(self.amount)


class Identity(BasePruningMethod):
    """Holds nothing at 0, but makes the parameter one that is pruned."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Unstructured(_OfAmount):
    """Holds single numbers at 0: those of the largest `_order`."""

    PRUNING_TYPE = "unstructured"

    def _order(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = self._count(t.numel())
        mask = default_mask.clone(memory_format=torch.contiguous_format)
        if count:
            mask.view(-1)[torch.topk(self._order(t).reshape(-1), k=count).indices] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Holds numbers at 0 that chance chooses."""

    def _order(self, t: Tensor) -> Tensor:
        return torch.rand_like(t)


class L1Unstructured(_Unstructured):
    """Holds the numbers of the smallest absolute value at 0."""

    def _order(self, t: Tensor) -> Tensor:
        return -torch.abs(t)


class _Structured(_OfAmount):
    """Holds slices along dimension `dim` at 0."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _kept(self, t: Tensor, count: int) -> Tensor:
        """An index of the slices that are kept, where `count` are not."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.dim()} dims"
            )
        if self.dim >= t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = self._count(t.shape[self.dim])
        if not count:
            return default_mask
        mask = torch.zeros_like(t)
        mask[(slice(None),) * (self.dim % t.dim()) + (self._kept(t, count),)] = 1
        return mask * default_mask.to(dtype=mask.dtype)


class RandomStructured(_Structured):
    """Holds slices at 0 that chance chooses."""

    def _kept(self, t: Tensor, count: int) -> Tensor:
        drawn = torch.rand(t.shape[self.dim])
        return drawn > torch.kthvalue(drawn, k=count).values  # type: ignore[no-any-return]


class LnStructured(_Structured):
    """Holds the slices of the smallest `n`-norm at 0."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Tensor, count: int) -> Tensor:
        dim = self.dim % t.dim()
        norm = torch.norm(t, p=self.n, dim=[d for d in range(t.dim()) if d != dim])
        return torch.topk(norm, k=t.shape[dim] - count).indices  # type: ignore[no-any-return]


class CustomFromMask(BasePruningMethod):
    """Holds at 0 what a given mask does."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Functions


def identity(module: Module, name: str) -> Module:
    """Makes the parameter one that is pruned, with nothing held at 0."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Any) -> Module:
    """Holds a part of the numbers (a float), or that many (an int), at 0, chosen by chance."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Any, importance_scores: Tensor | None = None) -> Module:
    """Holds the smallest numbers, a part of all or that many, at 0.

    >>> layer = l1_unstructured(torch.nn.Linear(4, 2), "weight", amount=3)
    >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
    (3, ['bias', 'weight_mask', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Any, dim: int) -> Module:
    """Holds slices along `dim` at 0, chosen by chance."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: Any, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Holds the slices along `dim` of the smallest `n`-norm at 0."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Holds at 0 what the mask does."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prunes parameters of several modules as if they were one: the smallest numbers of all, wherever they are.

    Args:
        parameters: pairs of a module and the name of its parameter.
        pruning_method: an unstructured method, which gets `kwargs`.
        importance_scores: scores for some of the pairs, in place of the parameters' own numbers.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    pairs, scores = list(parameters), {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    tensors = [getattr(module, name) for module, name in pairs]
    masks = [getattr(m, f"{name}_mask", torch.ones_like(t)) for (m, name), t in zip(pairs, tensors, strict=True)]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "temp"
    all_scores = parameters_to_vector([scores.get(pair, t) for pair, t in zip(pairs, tensors, strict=True)])
    found = PruningContainer(method).compute_mask(all_scores, parameters_to_vector(masks))
    parts = found.split([t.numel() for t in tensors])
    for (module, name), t, part in zip(pairs, tensors, parts, strict=True):
        custom_from_mask(module, name, part.view_as(t))


def remove(module: Module, name: str) -> Module:
    """Makes the pruned numbers the parameter, for good. Raises ValueError unless the parameter is pruned."""
    keys = _hooks(module, name)
    if not keys:
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    hook: Any = module._forward_pre_hooks.pop(keys[0])
    hook.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one inside it, is pruned."""
    return any(_hooks(inside) for inside in module.modules())


__getattr__ = missing(__name__)
