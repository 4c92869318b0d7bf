"""Modules that keep nothing for the backward pass, and are computed again in it; parameters keep their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from functools import partial
from typing import Any, NoReturn

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.utils.checkpoint import checkpoint

__all__ = ["CheckpointImpl", "CheckpointWrapper", "apply_activation_checkpointing", "checkpoint_wrapper"]

_PREFIX = "_checkpoint_wrapped_module"


class CheckpointImpl(Enum):
    """Which of the two ways of `torch.utils.checkpoint` is taken."""

    REENTRANT, NO_REENTRANT = auto(), auto()


class CheckpointWrapper(nn.Module):
    """A module, which is computed again in the backward pass. Its state has the module's own names."""

    def __init__(self, mod: nn.Module, checkpoint_impl: CheckpointImpl = CheckpointImpl.NO_REENTRANT,
                 checkpoint_fn: Any = None, **options: Any) -> None:  # fmt: skip
        super().__init__()
        self._checkpoint_wrapped_module = mod
        reentrant = checkpoint_impl is CheckpointImpl.REENTRANT
        self._compute = partial(checkpoint_fn or partial(checkpoint, use_reentrant=reentrant), **options)
        self._register_state_dict_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__(_PREFIX), name)

    def __getitem__(self, key: Any) -> Any:
        return self._checkpoint_wrapped_module[key]  # type: ignore[index]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self._compute(self._checkpoint_wrapped_module, *args, **kwargs)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As the module's own names have it."""
        for name, p in super().named_parameters(*args, **kwargs):
            yield name.replace(f"{_PREFIX}.", ""), p


def _renamed(state: Any, prefix: str, old: str, new: str) -> None:
    for key in [k for k in state if k.startswith(prefix + old)]:
        state[prefix + new + key[len(prefix + old) :]] = state.pop(key)


def _without_prefix(module: Any, state: Any, prefix: str, *_: Any) -> None:
    _renamed(state, prefix, f"{_PREFIX}.", "")


def _with_prefix(module: Any, state: Any, prefix: str, *_: Any) -> None:
    _renamed(state, prefix, "", f"{_PREFIX}.")


def checkpoint_wrapper(module: nn.Module, checkpoint_impl: CheckpointImpl = CheckpointImpl.NO_REENTRANT,
                       checkpoint_fn: Any = None, **options: Any) -> CheckpointWrapper:  # fmt: skip
    """The module, computed again in the backward pass.

    >>> from rushlight.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
    >>> list(checkpoint_wrapper(torch.nn.Linear(2, 1)).state_dict())
    ['weight', 'bias']
    """
    return CheckpointWrapper(module, checkpoint_impl, checkpoint_fn, **options)


def offload_wrapper(module: nn.Module) -> NoReturn:
    """Raises NotImplementedError: there is no other memory to keep things in."""
    raise NotImplementedError("torch.distributed...offload_wrapper: there is one device; use checkpoint_wrapper")


def apply_activation_checkpointing(
    model: nn.Module, checkpoint_wrapper_fn: Callable[..., Any] = checkpoint_wrapper,
    check_fn: Callable[[nn.Module], bool] = lambda _: True, auto_wrap_policy: Any = None,
) -> None:  # fmt: skip
    """Wraps, in place, the modules inside of `model` of which `check_fn` says True."""
    if auto_wrap_policy is not None:
        raise NotImplementedError("apply_activation_checkpointing: auto_wrap_policy is not in Rushlight; give check_fn")
    for name, child in list(model.named_children()):
        apply_activation_checkpointing(child, checkpoint_wrapper_fn, check_fn)
        if check_fn(child):
            setattr(model, name, checkpoint_wrapper_fn(child))


__getattr__ = missing(__name__)
