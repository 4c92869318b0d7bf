"""`autocast`: inside the context, products are computed in bfloat16 or float16, and delicate functions in float32.

Which functions are which is PyTorch's table for the CPU (https://pytorch.org/docs/stable/amp.html#autocast-op-reference).
The first time that autocast is switched on in a process, the functions of that table are wrapped wherever programs and
layers find them (`torch`, `torch.nn.functional`, `torch.linalg`, `torch.fft`, methods of Tensor); a wrapper casts the
floating-point arguments while the calling thread is inside the context, and costs nothing to programs that never ask.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.device import device
from rushlight.core.dtype import dtype as Dtype
from rushlight.record.value import Tensor

#: Computed in the shorter dtype.
SHORT = frozenset(
    """addbmm addmm baddbmm bmm chain_matmul conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    conv_tbc einsum inner linear lstm matmul mm multi_dot multi_head_attention_forward prelu
    scaled_dot_product_attention tensordot vecdot __matmul__ __rmatmul__""".split()
)

#: Computed in float32.
FULL = frozenset(
    """avg_pool3d binary_cross_entropy binary_cross_entropy_with_logits cdist cholesky cholesky_inverse cond
    cosine_embedding_loss cross_entropy ctc_loss det eig eigh eigvals eigvalsh fft fft2 fftn fractional_max_pool2d
    fractional_max_pool3d geqrf grid_sample grid_sampler hfft hinge_embedding_loss huber_loss ifft
    ifft2 ifftn ihfft inv inverse irfft irfft2 irfftn kl_div l1_loss lstsq margin_ranking_loss matrix_rank mse_loss
    multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nanquantile nll_loss orgqr ormqr pinv pinverse
    poisson_nll_loss polar prod qr quantile replication_pad1d replication_pad2d replication_pad3d rfft rfft2 rfftn
    smooth_l1_loss soft_margin_loss solve stft svd svdvals tensorinv tensorsolve trace triplet_margin_loss
    triplet_margin_with_distance_loss view_as_complex""".split()
)

NAMESPACES = ("rushlight", "rushlight.functional", "rushlight.nn.functional", "rushlight.linalg", "rushlight.fft")
DEVICES = ("cpu", "cuda", "xpu", "mps", "hpu", "xla", "mtia", "maia", "ipu")


class _State(threading.local):
    """What autocast is in this thread."""

    enabled = False
    dtype: Dtype = dtypes.bfloat16
    cache = True
    inside = False  # a function of the table: what it calls is not cast again


_state = _State()
_installed = threading.Lock()
_wrapped: set[str] = set()


class autocast:
    """Runs products in a shorter dtype, as a context or a decorator.

    Args:
        device_type: "cpu"; autocast for devices that are not there is switched off, with PyTorch's warning.
        dtype: bfloat16 (the default) or float16.
        enabled: False switches autocast off inside an outer context.

    >>> with torch.autocast("cpu"):
    ...     y = torch.ones(2, 2) @ torch.ones(2, 2)
    >>> y.dtype
    torch.bfloat16
    """

    def __init__(
        self, device_type: str, dtype: Dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device(device_type).type
        self.fast_dtype = dtype or (dtypes.bfloat16 if self.device == "cpu" else dtypes.float16)
        self._enabled = bool(enabled) and self._available(enabled)
        self._cache_enabled = True if cache_enabled is None else cache_enabled
        self._outer: list[tuple[bool, Dtype, bool]] = []

    def _available(self, enabled: bool) -> bool:
        if self.device == "cpu":
            if self.fast_dtype in (dtypes.bfloat16, dtypes.float16):
                return True
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only "
                "supports dtypes of torch.bfloat16, torch.float16 currently.",
                UserWarning,
                stacklevel=4,
            )
        elif self.device == "cuda":
            text = "CUDA is not available or torch_xla is imported. Disabling autocast."
            warnings.warn(text, UserWarning, stacklevel=4)
        return False

    def __enter__(self) -> autocast:
        self._outer.append((_state.enabled, _state.dtype, _state.cache))
        if self.device == "cpu":
            if self._enabled:
                install()
            _state.enabled, _state.dtype, _state.cache = self._enabled, self.fast_dtype, self._cache_enabled
        return self

    def __exit__(self, *_: object) -> None:
        _state.enabled, _state.dtype, _state.cache = self._outer.pop()

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return inside


def saved_state() -> autocast:
    """A context that brings back what autocast is now."""
    context = autocast("cpu", _state.dtype, enabled=False, cache_enabled=_state.cache)
    context._enabled = _state.enabled
    return context


def is_autocast_available(device_type: str) -> bool:
    """Whether PyTorch has autocast for this kind of device."""
    return device(device_type).type in DEVICES


# ---------------------------------------------------------------------------------------------------------------------
# The wrappers


def install() -> None:
    """Wraps the functions of the table, once for the process."""
    with _installed:
        if _wrapped:
            return
        places = [import_module(name).__dict__ for name in NAMESPACES]
        made: dict[Any, Any] = {}
        for name in SHORT | FULL:
            cast = functools.partial(_casting, short=name in SHORT)
            for place in places:
                if callable(place.get(name)):
                    place[name] = _cached(made, place[name], cast)
            method = vars(Tensor).get(name)
            if callable(method):
                setattr(Tensor, name, _cached(made, method, cast))
            _wrapped.add(name)
        functional = import_module("rushlight.nn.functional").__dict__
        functional["pad"] = _casting_pad(functional["pad"])
        for module in [import_module(f"rushlight.nn.{name}").__dict__ for name in ("recurrent", "recurrent_functions")]:
            module["run_layers"] = _cached(made, module["run_layers"], _casting_layers)


def _cached(made: dict[Any, Any], function: Any, wrap: Callable[[Any], Any]) -> Any:
    """One wrapper for a function, however many names it has."""
    if function not in made:
        made[function] = wrap(function)
    return made[function]


def _casting(function: Any, short: bool) -> Any:
    @functools.wraps(function)
    def cast_first(*args: Any, **kwargs: Any) -> Any:
        state = _state
        if not state.enabled or state.inside:
            return function(*args, **kwargs)
        wanted = state.dtype if short else dtypes.float32
        state.inside = True
        try:
            return function(*[_cast(a, wanted) for a in args], **{k: _cast(v, wanted) for k, v in kwargs.items()})
        finally:
            state.inside = False

    return cast_first


def _casting_pad(function: Any) -> Any:
    """`pad`: in float32 where PyTorch's kernels `reflection_pad1d` and `replication_pad*` do it, else as it comes."""
    full = _casting(function, False)

    @functools.wraps(function)
    def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
        by_kernel = mode == "replicate" or (mode == "reflect" and len(pad) == 2)
        return (full if by_kernel else function)(input, pad, mode, value)

    return pad


def _casting_layers(function: Any) -> Any:
    """`run_layers`: in the shorter dtype where PyTorch's result has it, which is not so for GRU and packed LSTM."""
    short = _casting(function, True)

    @functools.wraps(function)
    def run_layers(mode: str, x: Any, hx: Any, weights: Any, packing: Any, *more: Any) -> Any:
        if not _state.enabled or mode == "GRU" or (mode == "LSTM" and packing is not None):
            return function(mode, x, hx, weights, packing, *more)
        weights = [w.converted(lambda t: _cast(t, _state.dtype)) for w in weights]
        return short(mode, x, hx, weights, packing, *more)

    return run_layers


def _cast(x: Any, wanted: Dtype) -> Any:
    """A floating-point argument in the dtype; float64 is left alone, as PyTorch does."""
    if isinstance(x, Tensor):
        kind = x._value.spec.dtype
        return x.to(wanted) if kind.is_floating_point and kind not in (wanted, dtypes.float64) else x
    if type(x) in (list, tuple):
        return type(x)(_cast(item, wanted) for item in x)
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Asking and setting


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for a kind of device; without an argument, for CUDA."""
    return device(device_type).type == "cpu" and _state.enabled


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on for the CPU."""
    return _state.enabled


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switches autocast on or off for a kind of device."""
    if enabled is not None and device(device_type).type == "cpu":
        if enabled:
            install()
        _state.enabled = bool(enabled)


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switches autocast on or off for the CPU."""
    set_autocast_enabled("cpu", enabled)


def get_autocast_dtype(device_type: str) -> Dtype:
    """The shorter dtype that autocast uses for a kind of device."""
    return _state.dtype if device(device_type).type == "cpu" else dtypes.float16


def get_autocast_cpu_dtype() -> Dtype:
    """The shorter dtype that autocast uses on the CPU."""
    return _state.dtype


def get_autocast_gpu_dtype() -> Dtype:
    """The shorter dtype that autocast would use on CUDA."""
    return dtypes.float16


def set_autocast_dtype(device_type: str, dtype: Dtype) -> None:
    """Sets the shorter dtype that autocast uses for a kind of device."""
    if device(device_type).type == "cpu":
        _state.dtype = dtype


def set_autocast_cpu_dtype(dtype: Dtype) -> None:
    """Sets the shorter dtype that autocast uses on the CPU."""
    _state.dtype = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights may be reused."""
    return _state.cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Says whether casts of weights may be reused; the recorder shares them anyway."""
    _state.cache = enabled


def clear_autocast_cache() -> None:
    """Nothing to do: casts are not kept."""


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Dtype | None = None) -> Any:
    """Decorates `forward` of an autograd Function: it runs as autocast is, or in `cast_inputs` without autocast."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._fwd_autocast = saved_state()
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return fwd(ctx, *args, **kwargs)
        ctx._fwd_autocast = autocast(device_type, enabled=False)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *[_cast(a, cast_inputs) for a in args], **kwargs)

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorates `backward` of an autograd Function: it runs as autocast was in `forward`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *args: Any) -> Any:
        with ctx._fwd_autocast:
            return bwd(ctx, *args)

    return backward
