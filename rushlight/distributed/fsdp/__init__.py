"""torch.distributed.fsdp: parameters that several processes share out. In a group of one, nothing is shared out.

As with DistributedDataParallel, a group of one passes through, a larger one raises NotImplementedError, and without a
group PyTorch's error is raised. What only describes how to share out is kept as it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.nn.parallel.distributed import check_alone
from rushlight.nn.utils.clip_grad import clip_grad_norm_

__all__ = [
    "BackwardPrefetch", "CPUOffload", "CPUOffloadPolicy", "FSDPModule", "FullOptimStateDictConfig",
    "FullStateDictConfig", "FullyShardedDataParallel", "MixedPrecision", "MixedPrecisionPolicy", "OffloadPolicy",
    "ShardedStateDictConfig", "ShardingStrategy", "StateDictType", "fully_shard", "register_fsdp_forward_method",
]  # fmt: skip


class ShardingStrategy(Enum):
    """What is shared out."""

    FULL_SHARD, SHARD_GRAD_OP, NO_SHARD, HYBRID_SHARD, _HYBRID_SHARD_ZERO2 = (auto() for _ in range(5))


class BackwardPrefetch(Enum):
    """When the next parameters are fetched in a backward pass."""

    BACKWARD_PRE, BACKWARD_POST = auto(), auto()


class StateDictType(Enum):
    """In which form a state is given: here they are one."""

    FULL_STATE_DICT, LOCAL_STATE_DICT, SHARDED_STATE_DICT = auto(), auto(), auto()


@dataclass
class MixedPrecision:
    """The dtypes of FullyShardedDataParallel's parameters, reductions and buffers."""

    param_dtype: Any = None
    reduce_dtype: Any = None
    buffer_dtype: Any = None
    keep_low_precision_grads: bool = False
    cast_forward_inputs: bool = False
    cast_root_forward_inputs: bool = True


@dataclass(frozen=True)
class MixedPrecisionPolicy:
    """The dtypes of `fully_shard`'s parameters, reductions and results."""

    param_dtype: Any = None
    reduce_dtype: Any = None
    output_dtype: Any = None
    cast_forward_inputs: bool = True


@dataclass
class CPUOffload:
    """Whether parameters wait in the processor's memory."""

    offload_params: bool = False


@dataclass
class OffloadPolicy:
    """Parameters stay where they are."""


@dataclass
class CPUOffloadPolicy(OffloadPolicy):
    """Parameters wait in the processor's memory."""

    pin_memory: bool = True


@dataclass
class StateDictConfig:
    """Where a state is to lie."""

    offload_to_cpu: bool = False


@dataclass
class FullStateDictConfig(StateDictConfig):
    """A whole state, perhaps for the first process only."""

    rank0_only: bool = False


@dataclass
class ShardedStateDictConfig(StateDictConfig):
    """A state in shares."""


@dataclass
class FullOptimStateDictConfig(StateDictConfig):
    """An optimizer's whole state, perhaps for the first process only."""

    rank0_only: bool = False


def _refuse_dtypes(what: str, policy: Any) -> None:
    """Mixed precision changes results, so it is refused rather than left out."""
    names = ("param_dtype", "reduce_dtype", "buffer_dtype", "output_dtype")
    if policy is not None and any(getattr(policy, name, None) is not None for name in names):
        raise NotImplementedError(f"{what}: mixed precision is not in Rushlight; use torch.autocast")


class FullyShardedDataParallel(nn.Module):
    """Calls the module it was given, where the process group has one member.

    Raises ValueError without a process group, NotImplementedError for several members and for mixed precision.
    """

    def __init__(self, module: nn.Module, process_group: Any = None, sharding_strategy: Any = None,
                 cpu_offload: Any = None, auto_wrap_policy: Any = None, backward_prefetch: Any = None,
                 mixed_precision: Any = None, **_: Any) -> None:  # fmt: skip
        check_alone("torch.distributed.fsdp.FullyShardedDataParallel", process_group)
        _refuse_dtypes("torch.distributed.fsdp.FullyShardedDataParallel", mixed_precision)
        super().__init__()
        self._fsdp_wrapped_module = module
        self.sharding_strategy = sharding_strategy or ShardingStrategy.NO_SHARD

    @property
    def module(self) -> nn.Module:
        """The module."""
        return self._fsdp_wrapped_module  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_fsdp_wrapped_module"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self._fsdp_wrapped_module(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The module's state, by its own names."""
        return self._fsdp_wrapped_module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Gives the module its state."""
        return self._fsdp_wrapped_module.load_state_dict(state_dict, *args, **kwargs)

    def clip_grad_norm_(self, max_norm: float, norm_type: float = 2.0) -> Any:
        """`torch.nn.utils.clip_grad_norm_` of the parameters."""
        return clip_grad_norm_(self.parameters(), max_norm, norm_type)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Nothing is synchronised in a group of one."""
        yield

    @staticmethod
    @contextmanager
    def summon_full_params(module: nn.Module, *_: Any, **__: Any) -> Iterator[None]:
        """Parameters are whole."""
        yield

    @staticmethod
    @contextmanager
    def state_dict_type(module: nn.Module, *_: Any, **__: Any) -> Iterator[None]:
        """All forms of a state are one."""
        yield

    @staticmethod
    def optim_state_dict(model: nn.Module, optim: Any, optim_state_dict: Any = None, group: Any = None) -> Any:
        """The optimizer's state by the names of the parameters."""
        from rushlight.distributed.checkpoint.state_dict import get_optimizer_state_dict

        return get_optimizer_state_dict(model, optim)


class FSDPModule:
    """What `fully_shard` adds to a module's class."""

    def reshard(self) -> None:
        """Nothing is shared out."""

    def unshard(self, async_op: bool = False) -> None:
        """Parameters are whole."""

    def _accept(self, *_: Any, **__: Any) -> None:
        """Accepted: it would change when parameters are fetched, and not what is computed."""

    set_is_last_backward = set_requires_gradient_sync = set_requires_all_reduce = set_reshard_after_backward = _accept
    set_modules_to_forward_prefetch = set_modules_to_backward_prefetch = set_reshard_after_forward = _accept


def fully_shard(module: Any, *, mesh: Any = None, reshard_after_forward: Any = None, shard_placement_fn: Any = None,
                mp_policy: Any = None, offload_policy: Any = None, ignored_params: Any = None) -> Any:  # fmt: skip
    """Makes a module, in place, one of class FSDPModule too; in a group of one it computes what it did.

    Raises ValueError without a process group, NotImplementedError for several members and for mixed precision.
    """
    check_alone("torch.distributed.fsdp.fully_shard")
    _refuse_dtypes("torch.distributed.fsdp.fully_shard", mp_policy)
    for one in module if isinstance(module, (list, tuple)) else (module,):
        if isinstance(one, (nn.ModuleList, nn.ModuleDict)):
            raise ValueError(f"fully_shard does not support containers that do not implement forward: {one}")
        kind = type(one)
        if not issubclass(kind, FSDPModule):
            one.__class__ = type(f"FSDP{kind.__name__}", (FSDPModule, kind), {})
    return module


def register_fsdp_forward_method(module: nn.Module, method_name: str) -> None:
    """Accepted: any method finds the parameters whole."""


__getattr__ = missing(__name__, {"wrap": f"{__name__}.wrap"})
