"""torch.autograd.forward_ad: dual numbers, whose tangent is the derivative along a direction.

Forward mode stands on the tape. `make_dual` gives a tensor whose place on the tape the current level remembers with its
tangent; what is computed from it is recorded as for a backward pass, on the tape even inside `torch.no_grad()` that was
entered before the level. `unpack_dual` works the tangent out when asked: the backward pass from the tensor is linear in
the gradient v that arrives, J' v, so its own derivative along the given tangents t is J t (two passes over the tape, no
rule but the reverse one). The same trick serves `torch.func.jvp`. In consequence

- a dual tensor requires grad, and is a copy of its primal: writing into one does not write into the other;
- what would stop a backward pass (a saved tensor overwritten in place) stops `unpack_dual`;
- a custom `Function` is differentiated by its `backward`, not by its `jvp`;
- `torch.no_grad()` entered inside a level would lose the tangents: `make_dual` and `unpack_dual` refuse to work in it.

Source of the definitions: https://pytorch.org/docs/stable/autograd.html#forward-mode-automatic-differentiation
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rushlight.autograd.functional import _grad, _zeros
from rushlight.autograd.grad_mode import _Mode, enable_grad
from rushlight.autograd.tape import reachable
from rushlight.ops.creation import make_leaf
from rushlight.record.trace import recorder, settle
from rushlight.record.value import Leaf, Tensor

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual",
]  # fmt: skip


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, which is None where it does not depend on a dual tensor."""

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """The dual tensors made since a level was entered: where each begins on the tape, and its tangent."""

    def __init__(self) -> None:
        self.outside = recorder().tracking
        self.sources: list[Tensor] = []
        self.tangents: list[Tensor] = []
        self.duals: list[tuple[Any, int]] = []  # where on the tape `make_dual` left each
        self.own: set[Leaf] = set()  # the ends of the tape that the level has made

    def dual(self, primal: Tensor, tangent: Tensor) -> Tensor:
        """A new dual tensor."""
        source = self._source(primal)
        made = source.clone()
        self.sources.append(source)
        self.tangents.append(tangent)
        self.duals.append((made._node, made._out))
        return made

    def _source(self, primal: Tensor) -> Tensor:
        """Where a dual tensor begins: linked to the primal's own history if it has one."""
        if self.outside and primal.requires_grad:
            return primal.clone()
        source = primal.detach()
        make_leaf(source)
        self.own.add(source._node)  # type: ignore[arg-type]
        return source

    def known(self, t: Tensor) -> Tensor | None:
        """The tangent of a tensor that came from `make_dual` as it is."""
        return next((v for place, v in zip(self.duals, self.tangents) if place == (t._node, t._out)), None)

    def tangent(self, t: Tensor) -> Tensor | None:
        """The derivative of `t` along the tangents of the dual tensors behind it."""
        nodes, leaves = reachable([t._node])
        behind = {*nodes, *leaves}
        pairs = [(s, v) for s, v in zip(self.sources, self.tangents) if s._node in behind]
        if not pairs:
            return None
        sources, vectors = zip(*pairs)
        probe = _zeros(t).requires_grad_()
        back = _grad(t, sources, probe, create_graph=True)
        (found,) = _grad(tuple(back), (probe,), vectors, create_graph=True)
        return self.released(found, probe)

    def released(self, t: Tensor, *probes: Tensor) -> Tensor:
        """The tensor, off the tape unless something outside the level holds it there."""
        own = self.own | {p._node for p in probes}
        if self.outside and t.requires_grad and any(leaf not in own for leaf in reachable([t._node])[1]):
            return t
        return t.detach()


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Begins a level, in which dual tensors can be made; its number, 0, as levels do not nest."""
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append(_Level())
    recorder().tracking = True
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Ends the level, and forgets its tangents."""
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    recorder().tracking = _levels.pop().outside


class dual_level(_Mode):  # noqa: N801
    """A level as a context (or a decorator).

    >>> with torch.autograd.forward_ad.dual_level():
    ...     x = torch.autograd.forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     torch.autograd.forward_ad.unpack_dual(x**2).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor with a tangent, which what is computed from it has as well.

    Args:
        tensor: the primal, of floating point or complex numbers.
        tangent: the direction, of the primal's shape and dtype.
        level: the level, if not the current one; there is only one.

    Raises:
        RuntimeError: no level was entered, `torch.no_grad()` was entered inside the level, the shapes or dtypes
            differ, or `tensor` is dual already.
    """
    current = _current(level, "create a dual Tensor")
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    _check_same_kind(tensor, tangent)
    if current.known(tensor) is not None or (tensor.requires_grad and current.tangent(tensor) is not None):
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level is not "
            "supported."
        )
    return current.dual(tensor, tangent)


def _current(level: int | None, purpose: str) -> _Level:
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            f"Trying to {purpose} for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if not recorder().tracking:
        raise RuntimeError(
            "forward-mode derivatives are taken from the tape, which torch.no_grad() has switched off here. Enter "
            "no_grad before the dual level, or leave it away: inside a level it would lose the tangents"
        )
    return _levels[-1]


def _check_same_kind(tensor: Tensor, tangent: Tensor) -> None:
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    if tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"Trying to set a forward gradient that has a different dtype ({tangent.dtype}) than that of the original "
            f"Tensor ({tensor.dtype}), this is not supported."
        )


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The tensor without its tangent, and the tangent; outside any level, the tensor and None."""
    if not _levels and level is None:
        return UnpackedDualTensor(tensor, None)
    current = _current(level, "unpack a dual Tensor")
    settle(tensor)
    if not tensor.requires_grad:
        return UnpackedDualTensor(tensor.detach(), None)
    with enable_grad():
        tangent = current.known(tensor)
        tangent = current.tangent(tensor) if tangent is None else tangent
        return UnpackedDualTensor(current.released(tensor), tangent)
