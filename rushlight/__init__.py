"""Rushlight: PyTorch's API on an engine that records the program and compiles it as a whole.

    import rushlight as torch

Namespaces (`nn`, `optim`, `utils`, `vision`, ...) load when they are first touched.
"""

import math as _math

import rushlight.core.blas as _blas  # first: NumPy reads what it sets
from rushlight.codegen import background as _background
from rushlight.core import dtype as _dtypes
from rushlight.core import heap as _heap
from rushlight.core.device import device, get_default_device, set_default_device
from rushlight.core.dtype import can_cast, dtype, finfo, get_default_dtype, iinfo, promote_types, set_default_dtype
from rushlight.core.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    jagged,
    layout,
    memory_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from rushlight.core.missing import missing as _missing
from rushlight.core.size import Size
from rushlight.tensor import FUNCTIONS as _FUNCTIONS
from rushlight.tensor import TYPES as _TYPES
from rushlight.tensor import Tensor
from rushlight.tensor.construct import tensor  # the function; `rushlight.tensor` is also the package behind it
from rushlight.tensor.printing import set_printoptions
from rushlight.torch_version import TorchVersion as _Version

__version__ = _Version("2.13.0")  # the PyTorch version whose behaviour this follows

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
has_lapack = has_spectral = True
has_mkl = has_openmp = False

globals().update(_dtypes.NAMES)
globals().update(_TYPES)
globals().update({name: f for name, f in _FUNCTIONS.items() if name.isidentifier()})

_background.install()
_heap.keep_freed_memory()

_NAMESPACES = """
    amp autograd backends compiler cuda data distributed distributions export fft func hub jit linalg mps
    multiprocessing nested nn onnx optim profiler random serialization show sparse special testing utils version
    vision
    accelerator xpu cpu library signal types torch_version _utils _dynamo _higher_order_ops _jit_internal
    _inductor _logging
    functional overrides futures fx __config__ _C _tensor_str storage return_types ao quantization quasirandom
""".split()
_MODES = "no_grad enable_grad set_grad_enabled is_grad_enabled inference_mode is_inference_mode_enabled".split()
_CASTING = """
    is_autocast_enabled is_autocast_cpu_enabled set_autocast_enabled set_autocast_cpu_enabled get_autocast_dtype
    get_autocast_cpu_dtype get_autocast_gpu_dtype set_autocast_dtype set_autocast_cpu_dtype is_autocast_cache_enabled
    set_autocast_cache_enabled clear_autocast_cache autocast
""".split()
_FOREACH = """
    abs acos add addcdiv addcmul asin atan ceil clamp_max clamp_min cos cosh div erf erfc exp expm1 floor frac lerp
    lgamma log log10 log1p log2 maximum minimum mul neg pow reciprocal round rsqrt sigmoid sign sin sinh sqrt sub tan
    tanh trunc copy_ zero_ norm powsum mm clone max
""".split()
_WRITTEN = [f"{name}_" for name in _FOREACH[: _FOREACH.index("copy_")]]
_GAMMA = {
    "_standard_gamma": "standard_gamma",
    "_sample_dirichlet": "sample_dirichlet",
    "_dirichlet_grad": "dirichlet_grad",
}
_RECURRENT = "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell".split()
_STORED = "BFloat16 Bool Byte Char ComplexDouble ComplexFloat Double Float Half Int Long Short".split()
_NATIVE = """
    affine_grid_generator embedding_bag embedding_renorm_ empty_permuted from_file hash_tensor kl_div native_batch_norm
    native_group_norm native_layer_norm norm_except_dim
""".split()
_SPARSE = """
    sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor
""".split()
_QUANTIZED = """
    quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic empty_quantized int_repr q_scale q_zero_point
    q_per_channel_scales q_per_channel_zero_points q_per_channel_axis fake_quantize_per_tensor_affine
    fake_quantize_per_channel_affine _make_per_tensor_quantized_tensor
""".split()
_SCHEMES = """
    qscheme per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric
    per_channel_affine_float_qparams
""".split()
_SEEDING = """
    Generator manual_seed seed initial_seed get_rng_state set_rng_state default_generator thread_safe_generator
""".split()

#: What is loaded when it is first asked for, and from where.
_LAZY = {
    "explain": "rushlight.codegen.explain:explain",
    "torch": "rushlight",  # some programs write torch.torch.Tensor
    **{name: f"rushlight.{name}" for name in _NAMESPACES},
    **{name: f"rushlight.autograd.grad_mode:{name}" for name in _MODES},
    **{name: f"rushlight.random:{name}" for name in _SEEDING},
    **{name: f"rushlight.native_functions:{name}" for name in _NATIVE},
    **{name: f"rushlight.types:{name}" for name in ("SymBool", "SymFloat", "SymInt")},
    **{f"sym_{n}": f"rushlight.symbolic_numbers:sym_{n}" for n in ("float int ite max min not sqrt sum".split())},
    **{name: f"rushlight.streams:{name}" for name in ("Event", "Stream")},
    **{name: f"rushlight.accelerator:{name}" for name in ("get_device_module", "is_vulkan_available")},
    **{name: f"rushlight._lowrank:{name}" for name in ("pca_lowrank", "svd_lowrank")},
    **{f"{name}Storage": f"rushlight.tensor.legacy_storage:{name}Storage" for name in _STORED},
    **{name: f"rushlight.sparse.construct:{name}" for name in _SPARSE},
    **{name: f"rushlight.sparse:{name}" for name in ("spmm", "hspmm", "smm", "sspaddmm")},
    **{name: f"rushlight.quantized:{name}" for name in _QUANTIZED},
    **{name: f"rushlight.core.qscheme:{name}" for name in _SCHEMES},
    "dsmm": "rushlight.sparse:spmm",
    "lobpcg": "rushlight._lobpcg:lobpcg",
    "cond": "rushlight._higher_order_ops:cond",
    "set_anomaly_enabled": "rushlight.autograd.anomaly:set_anomaly_enabled",
    "is_anomaly_enabled": "rushlight.autograd.anomaly:is_anomaly_enabled",
    "is_anomaly_check_nan_enabled": "rushlight.autograd.anomaly:is_anomaly_check_nan_enabled",
    **{name: f"rushlight.amp.autocast_mode:{name}" for name in _CASTING},
    "GradScaler": "rushlight.amp.grad_scaler:GradScaler",
    **{f"_foreach_{name}": f"rushlight.foreach:_foreach_{name}" for name in (*_FOREACH, *_WRITTEN)},
    **{name: f"rushlight.nn.recurrent_functions:{name}" for name in _RECURRENT},
    **{name: f"rushlight.distributions.implicit:{ours}" for name, ours in _GAMMA.items()},
    "UntypedStorage": "rushlight.tensor.storage:UntypedStorage",
    "TypedStorage": "rushlight.tensor.storage:TypedStorage",
    "AcceleratorError": "rushlight.cuda.refusals:AcceleratorError",
    "OutOfMemoryError": "rushlight.cuda.refusals:OutOfMemoryError",
    "vmap": "rushlight.func:vmap",
    "Future": "rushlight.futures:Future",
    "fork": "rushlight.jit:fork",
    "wait": "rushlight.jit:wait",
    "ScriptModule": "rushlight.jit:ScriptModule",
    "ScriptFunction": "rushlight.jit:ScriptFunction",
    "PyTorchFileReader": "rushlight.serialization.archive:PyTorchFileReader",
    "save": "rushlight.serialization:save",
    "load": "rushlight.serialization:load",
    "compile": "rushlight.compiler:compile",
    "install": "rushlight.cli.alias:install",
    "uninstall": "rushlight.cli.alias:uninstall",
}

__getattr__ = _missing(__name__, _LAZY)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
