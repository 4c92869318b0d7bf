"""`torch.utils.swap_tensors`: two tensors change places, for all who refer to them."""

from __future__ import annotations

import weakref

from rushlight.record.own_attributes import every_attribute
from rushlight.record.trace import settle
from rushlight.record.value import Leaf, Tensor

__all__ = ["swap_tensors"]


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchanges what the two tensors are: numbers, class, gradient, place on the tape.

    >>> a, b = torch.zeros(1), torch.ones(2)
    >>> torch.utils.swap_tensors(a, b); a, b
    (tensor([1., 1.]), tensor([0.]))

    Raises RuntimeError for a view. Views of a tensor keep seeing its old memory.
    """
    for t in (t1, t2):
        settle(t)
        if t._base is not None or t._view is not None:
            raise RuntimeError("swap_tensors: a view cannot change places with another tensor")
    first, second = dict(every_attribute(t1)), dict(every_attribute(t2))
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    for t, state in ((t1, second), (t2, first)):
        attributes = every_attribute(t)
        attributes.clear()
        attributes.update(state)
        if isinstance(t._node, Leaf):
            t._node._tensor = weakref.ref(t)
