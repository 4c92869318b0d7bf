"""torch._C: what libraries take from PyTorch's compiled half; the few names of it that mean something here.

Switches of TorchScript's fusers are accepted, questions about tracing are answered no.
"""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing
from rushlight.futures import Future
from rushlight.linalg import LinAlgError
from rushlight.random import Generator, default_generator
from rushlight.record.own_attributes import TensorBase
from rushlight.tensor import Tensor
from rushlight.tensor.subclasses import DisableTorchFunction, DisableTorchFunctionSubclass, disabled

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "Future", "Generator", "default_generator"]


class _nn:
    """torch._C._nn: how libraries read the arguments of a `to` of their own."""

    @staticmethod
    def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
        """(device, dtype, non_blocking, memory_format)."""
        from rushlight.nn.conversion import parse_to

        return parse_to(args, kwargs)


_LinAlgError = LinAlgError
_TensorMeta = type(Tensor)
_TensorBase = TensorBase
_disabled_torch_function_impl = disabled


def _get_tracing_state() -> None:
    """None: nothing is traced."""


def _log_api_usage_once(*_: Any) -> None:
    """Nothing is logged."""


def _are_functorch_transforms_active() -> bool:
    """False."""
    return False


def _no_switch(*_: Any) -> bool:
    """Accepted; the switch was off."""
    return False


_SWITCHES = """
    _jit_set_profiling_executor _jit_set_profiling_mode _jit_override_can_fuse_on_cpu _jit_override_can_fuse_on_gpu
    _jit_set_texpr_fuser_enabled _jit_set_nvfuser_enabled _jit_can_fuse_on_cpu _jit_can_fuse_on_gpu
    _jit_texpr_fuser_enabled _jit_set_bailout_depth _debug_set_autodiff_subgraph_inlining
    _debug_set_fusion_group_inlining _cuda_isInBadFork
""".split()
globals().update(dict.fromkeys(_SWITCHES, _no_switch))

__getattr__ = missing(__name__)
