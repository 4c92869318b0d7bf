"""torch._higher_order_ops: control flow as functions, `torch.cond` and `while_loop`.

PyTorch traces both branches so that a compiled program can choose between them. Here what is recorded is what was run,
so the condition is looked at, and the branch that it chooses is called: same results, same gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["cond", "while_loop"]


def _decided(pred: Any) -> bool:
    if not isinstance(pred, (bool, Tensor)):
        raise RuntimeError(f"Expected pred to be bool or tensor, but got {pred}.")
    if isinstance(pred, Tensor) and pred.numel() != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    return bool(pred)


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    """`true_fn(*operands)` where `pred` (a bool, or a tensor of one element) is true, else `false_fn(*operands)`.

    >>> torch.cond(torch.tensor(True), torch.sin, torch.cos, (torch.zeros(2),))
    tensor([0., 0.])
    """
    if not (callable(true_fn) and callable(false_fn)):
        raise RuntimeError("Expect both branches to be callable.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(
            "Expect operands to be a tuple of possibly nested dict/list/tuple that only consists of tensor leaves, but "
            f"got {operands}."
        )
    return (true_fn if _decided(pred) else false_fn)(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    """Calls `body_fn` on what it gave last, as long as `cond_fn` of that is true; what it gave last.

    >>> while_loop(lambda x: x < 5, lambda x: (x * 2,), (torch.tensor(1),))
    (tensor(8),)
    """
    carried = tuple(carried_inputs)
    while _decided(cond_fn(*carried)):
        found = body_fn(*carried)
        carried = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    return carried


__getattr__ = missing(__name__)
