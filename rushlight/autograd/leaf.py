"""What arrives at a leaf: it is added to `.grad`."""

from __future__ import annotations

import warnings

from rushlight.core.strided import is_non_overlapping_and_dense
from rushlight.record.memory import assign, relayout
from rushlight.record.trace import recorder, settle
from rushlight.record.value import TENSORS, Leaf, Tensor, tensor_of

from .tape import sum_of

accumulations = 0  # how often a `.grad` was written to: `vmap` asks whether its function did that


def into_leaf(leaf: Leaf, g: Tensor, create_graph: bool) -> None:
    t = leaf.tensor
    if t is None or t._node is not leaf:
        return
    accumulate(t, g, create_graph)
    for hook in list(leaf.post_hooks.values()) if leaf.post_hooks else ():
        found = hook(t)
        if isinstance(found, Tensor):
            raise RuntimeError("Tensor post accumulate grad hooks should return None.")
        if found is not None:
            raise TypeError(f"expected Variable, but hook returned '{type(found).__name__}'")


def accumulate(t: Tensor, g: Tensor, create_graph: bool) -> None:
    """Adds to `.grad`: in place, unless the graph of the gradient is wanted."""
    global accumulations
    accumulations += 1
    if t._grad is None:
        t._grad = g if create_graph else own(g, t)
    elif create_graph:
        t._grad = sum_of(t._grad, g)
    else:
        me = recorder()
        tracking, me.tracking = me.tracking, False
        try:
            total = sum_of(t._grad, g)
            if total.__class__ is t._grad.__class__ is Tensor:
                assign(t._grad, total)
            else:
                t._grad = total
        finally:
            me.tracking = tracking


def own(g: Tensor, t: Tensor) -> Tensor:
    """A handle of the leaf's own on a gradient, laid out as the leaf: writing to one `.grad` never changes another."""
    mine, layout = settle(g).spec, t._value.spec
    if g.__class__ not in TENSORS:
        return g
    if (
        mine.strides != layout.strides
        and mine.shape == layout.shape
        and is_non_overlapping_and_dense(layout.shape, layout.strides)
    ):
        g = relayout(g, layout.strides)
    return tensor_of(settle(g))


def warn_non_leaf_grad() -> None:
    """PyTorch's warning on reading `.grad` of a tensor that keeps none."""
    warnings.warn(
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf "
        "Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure "
        "you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information.",
        UserWarning,
        stacklevel=3,
    )
