"""An optimizer made to work on other parameters for a while: `torch.optim.swap_in_optimizer_params_and_state`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rushlight.optim.optimizer import Optimizer
from rushlight.tensor import Tensor

__all__ = ["swap_in_optimizer_params_and_state"]

_NAME = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: Mapping[str, Tensor], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """In a `with` block, the optimizer has these parameters, and the state and options of a state dict.

    Args:
        swapin_parameters: the parameters, in the order of the optimizer's own.
        swapin_optim_state: like `optimizer.state_dict()`. What a step writes into its tensors stays there.

    Raises:
        RuntimeError: the optimizer has no state yet, or what is given does not fit its groups.
    """
    groups, parameters = _checked(optimizer, swapin_optim_state), list(swapin_parameters.values())
    state_of = swapin_optim_state["state"]
    before = optimizer.state, [dict(group) for group in optimizer.param_groups]
    counts = [len(group["params"]) for group in groups]
    if sum(counts) != len(parameters):
        raise RuntimeError(f"{_NAME} requires {sum(counts)} parameters, got {len(parameters)}")
    state: defaultdict[Tensor, Any] = defaultdict(dict)
    rest = iter(parameters)
    try:
        for live, given in zip(optimizer.param_groups, groups, strict=True):
            params = [next(rest) for _ in given["params"]]
            live.update(given | {"params": params})
            state.update({p: dict(state_of.get(key, {})) for p, key in zip(params, given["params"], strict=True)})
        optimizer.state = state
        yield
    finally:
        optimizer.state = before[0]
        for live, group in zip(optimizer.param_groups, before[1], strict=True):
            live.clear()
            live.update(group)


def _checked(optimizer: Optimizer, given: Any) -> list[dict[str, Any]]:
    """The groups of a state dict that fits the optimizer."""
    if not optimizer.state:
        raise RuntimeError(f"{_NAME} requires initialized optimizer state.")
    groups = given.get("param_groups") if isinstance(given, dict) else None
    if not isinstance(groups, list) or not isinstance(given.get("state"), dict):
        raise RuntimeError(f"{_NAME} requires a DCP-style optimizer state_dict.")
    if len(groups) != len(optimizer.param_groups):
        raise RuntimeError("swapin_optim_state has a different number of param groups than the live optimizer.")
    for i, (live, group) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        if len(live["params"]) != len(group["params"]):
            raise RuntimeError(
                f"swapin_optim_state param group {i} has a different number of params than the live optimizer param "
                "group."
            )
        if live.keys() != group.keys():
            raise RuntimeError(
                f"{_NAME} requires optimizer.state_dict()-style param group keys to exactly match the live optimizer "
                f"group keys for group {i}. Keys in only one of them: {sorted(live.keys() ^ group.keys())}."
            )
    return groups
