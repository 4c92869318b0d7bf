"""The names of `torch`. Written by benchmarks/type_stubs.py."""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

AcceleratorError: Any
from rushlight.tensor.legacy_storage import BFloat16Storage as BFloat16Storage
from rushlight.tensor.legacy_storage import BoolStorage as BoolStorage
from rushlight.tensor.legacy_storage import ByteStorage as ByteStorage
from rushlight.tensor.legacy_storage import CharStorage as CharStorage
from rushlight.tensor.legacy_storage import ComplexDoubleStorage as ComplexDoubleStorage
from rushlight.tensor.legacy_storage import ComplexFloatStorage as ComplexFloatStorage
from rushlight.tensor.legacy_storage import DoubleStorage as DoubleStorage
from rushlight.streams import Event as Event
from rushlight.tensor.legacy_storage import FloatStorage as FloatStorage
from rushlight.futures import Future as Future
from rushlight.core.generator import Generator as Generator
from rushlight.amp.grad_scaler import GradScaler as GradScaler
from rushlight.tensor.legacy_storage import HalfStorage as HalfStorage
from rushlight.tensor.legacy_storage import IntStorage as IntStorage
from rushlight.tensor.legacy_storage import LongStorage as LongStorage
OutOfMemoryError: Any
from rushlight.serialization.archive import PyTorchFileReader as PyTorchFileReader
from rushlight.jit import ScriptFunction as ScriptFunction
from rushlight.jit.scripted import ScriptModule as ScriptModule
from rushlight.tensor.legacy_storage import ShortStorage as ShortStorage
from rushlight.core.size import Size as Size
from rushlight.streams import Stream as Stream
from rushlight.types import SymBool as SymBool
from rushlight.types import SymFloat as SymFloat
from rushlight.types import SymInt as SymInt
from rushlight.record.value import Tensor as Tensor
from rushlight.tensor.storage import TypedStorage as TypedStorage
from rushlight.tensor.storage import UntypedStorage as UntypedStorage
__version__: Any
from rushlight import accelerator as accelerator
from rushlight.native_functions import affine_grid_generator as affine_grid_generator
from rushlight import amp as amp
from rushlight import ao as ao
from rushlight.amp.autocast_mode import autocast as autocast
from rushlight import autograd as autograd
from rushlight import backends as backends
from rushlight.core.dtype import can_cast as can_cast
channels_last: Any
channels_last_3d: Any
from rushlight.amp.autocast_mode import clear_autocast_cache as clear_autocast_cache
from rushlight import codegen as codegen
from rushlight.compiler import compile as compile
from rushlight import compiler as compiler
from rushlight._higher_order_ops import cond as cond
contiguous_format: Any
from rushlight import core as core
from rushlight import cpu as cpu
from rushlight import cuda as cuda
from rushlight import data as data
default_generator: Any
from rushlight.core.device import device as device
from rushlight import distributed as distributed
from rushlight import distributions as distributions
from rushlight.sparse import spmm as dsmm
from rushlight.core.dtype import dtype as dtype
e: builtins.float
from rushlight.native_functions import embedding_bag as embedding_bag
from rushlight.native_functions import embedding_renorm_ as embedding_renorm_
from rushlight.native_functions import empty_permuted as empty_permuted
from rushlight.quantized import empty_quantized as empty_quantized
from rushlight.autograd.grad_mode import enable_grad as enable_grad
from rushlight.codegen.explain import explain as explain
from rushlight import export as export
from rushlight.quantized import fake_quantize_per_channel_affine as fake_quantize_per_channel_affine
from rushlight.quantized import fake_quantize_per_tensor_affine as fake_quantize_per_tensor_affine
from rushlight import fft as fft
from rushlight.core.dtype import finfo as finfo
from rushlight.jit import fork as fork
from rushlight.native_functions import from_file as from_file
from rushlight import func as func
from rushlight import functional as functional
from rushlight import futures as futures
from rushlight import fx as fx
from rushlight.amp.autocast_mode import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from rushlight.amp.autocast_mode import get_autocast_dtype as get_autocast_dtype
from rushlight.amp.autocast_mode import get_autocast_gpu_dtype as get_autocast_gpu_dtype
from rushlight.core.device import get_default_device as get_default_device
from rushlight.core.dtype import get_default_dtype as get_default_dtype
from rushlight.accelerator import get_device_module as get_device_module
from rushlight.random import get_rng_state as get_rng_state
from rushlight.nn.recurrent_functions import gru as gru
from rushlight.nn.recurrent_functions import gru_cell as gru_cell
has_lapack: builtins.bool
has_mkl: builtins.bool
has_openmp: builtins.bool
has_spectral: builtins.bool
from rushlight.native_functions import hash_tensor as hash_tensor
from rushlight.sparse import hspmm as hspmm
from rushlight import hub as hub
from rushlight.core.dtype import iinfo as iinfo
inf: builtins.float
from rushlight.autograd.grad_mode import inference_mode as inference_mode
from rushlight.random import initial_seed as initial_seed
from rushlight.cli.alias import install as install
from rushlight.quantized import int_repr as int_repr
from rushlight.autograd.anomaly import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from rushlight.autograd.anomaly import is_anomaly_enabled as is_anomaly_enabled
from rushlight.amp.autocast_mode import is_autocast_cache_enabled as is_autocast_cache_enabled
from rushlight.amp.autocast_mode import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from rushlight.amp.autocast_mode import is_autocast_enabled as is_autocast_enabled
from rushlight.autograd.grad_mode import is_grad_enabled as is_grad_enabled
from rushlight.autograd.grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from rushlight.accelerator import is_vulkan_available as is_vulkan_available
jagged: Any
from rushlight import jit as jit
from rushlight.native_functions import kl_div as kl_div
from rushlight.core.layout import layout as layout
from rushlight import library as library
from rushlight import linalg as linalg
from rushlight.serialization.loading import load as load
from rushlight._lobpcg import lobpcg as lobpcg
from rushlight.nn.recurrent_functions import lstm as lstm
from rushlight.nn.recurrent_functions import lstm_cell as lstm_cell
from rushlight.random import manual_seed as manual_seed
from rushlight.core.layout import memory_format as memory_format
from rushlight import mps as mps
from rushlight import multiprocessing as multiprocessing
nan: builtins.float
from rushlight.native_functions import native_batch_norm as native_batch_norm
from rushlight.native_functions import native_group_norm as native_group_norm
from rushlight.native_functions import native_layer_norm as native_layer_norm
from rushlight import nested as nested
newaxis: Any
from rushlight import nn as nn
from rushlight.autograd.grad_mode import no_grad as no_grad
from rushlight.native_functions import norm_except_dim as norm_except_dim
from rushlight import onnx as onnx
from rushlight import ops as ops
from rushlight import optim as optim
from rushlight import overrides as overrides
from rushlight._lowrank import pca_lowrank as pca_lowrank
per_channel_affine: Any
per_channel_affine_float_qparams: Any
per_channel_symmetric: Any
per_tensor_affine: Any
per_tensor_symmetric: Any
pi: builtins.float
preserve_format: Any
from rushlight import profiler as profiler
from rushlight.core.dtype import promote_types as promote_types
from rushlight.quantized import q_per_channel_axis as q_per_channel_axis
from rushlight.quantized import q_per_channel_scales as q_per_channel_scales
from rushlight.quantized import q_per_channel_zero_points as q_per_channel_zero_points
from rushlight.quantized import q_scale as q_scale
from rushlight.quantized import q_zero_point as q_zero_point
from rushlight.core.qscheme import qscheme as qscheme
from rushlight import quantization as quantization
from rushlight.quantized import quantize_per_channel as quantize_per_channel
from rushlight.quantized import quantize_per_tensor as quantize_per_tensor
from rushlight.quantized import quantize_per_tensor_dynamic as quantize_per_tensor_dynamic
from rushlight import quasirandom as quasirandom
from rushlight import random as random
from rushlight import record as record
from rushlight import return_types as return_types
from rushlight.nn.recurrent_functions import rnn_relu as rnn_relu
from rushlight.nn.recurrent_functions import rnn_relu_cell as rnn_relu_cell
from rushlight.nn.recurrent_functions import rnn_tanh as rnn_tanh
from rushlight.nn.recurrent_functions import rnn_tanh_cell as rnn_tanh_cell
from rushlight.serialization.saving import save as save
from rushlight.random import seed as seed
from rushlight import serialization as serialization
from rushlight.autograd.anomaly import set_anomaly_enabled as set_anomaly_enabled
from rushlight.amp.autocast_mode import set_autocast_cache_enabled as set_autocast_cache_enabled
from rushlight.amp.autocast_mode import set_autocast_cpu_dtype as set_autocast_cpu_dtype
from rushlight.amp.autocast_mode import set_autocast_cpu_enabled as set_autocast_cpu_enabled
from rushlight.amp.autocast_mode import set_autocast_dtype as set_autocast_dtype
from rushlight.amp.autocast_mode import set_autocast_enabled as set_autocast_enabled
from rushlight.core.device import set_default_device as set_default_device
from rushlight.core.dtype import set_default_dtype as set_default_dtype
from rushlight.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from rushlight.tensor.printing import set_printoptions as set_printoptions
from rushlight.random import set_rng_state as set_rng_state
from rushlight import show as show
from rushlight import signal as signal
from rushlight.sparse import smm as smm
from rushlight import sparse as sparse
sparse_bsc: Any
from rushlight.sparse.construct import sparse_bsc_tensor as sparse_bsc_tensor
sparse_bsr: Any
from rushlight.sparse.construct import sparse_bsr_tensor as sparse_bsr_tensor
from rushlight.sparse.construct import sparse_compressed_tensor as sparse_compressed_tensor
sparse_coo: Any
from rushlight.sparse.construct import sparse_coo_tensor as sparse_coo_tensor
sparse_csc: Any
from rushlight.sparse.construct import sparse_csc_tensor as sparse_csc_tensor
sparse_csr: Any
from rushlight.sparse.construct import sparse_csr_tensor as sparse_csr_tensor
from rushlight import special as special
from rushlight.sparse import spmm as spmm
from rushlight.sparse import sspaddmm as sspaddmm
from rushlight import storage as storage
strided: Any
from rushlight._lowrank import svd_lowrank as svd_lowrank
from rushlight.symbolic_numbers import sym_float as sym_float
from rushlight.symbolic_numbers import sym_int as sym_int
from rushlight.symbolic_numbers import sym_ite as sym_ite
from rushlight.symbolic_numbers import sym_max as sym_max
from rushlight.symbolic_numbers import sym_min as sym_min
from rushlight.symbolic_numbers import sym_not as sym_not
from rushlight.symbolic_numbers import sym_sqrt as sym_sqrt
from rushlight.symbolic_numbers import sym_sum as sym_sum
from rushlight import testing as testing
from rushlight.random import thread_safe_generator as thread_safe_generator
from rushlight import torch_version as torch_version
from rushlight import types as types
from rushlight.cli.alias import uninstall as uninstall
from rushlight import utils as utils
from rushlight import version as version
from rushlight import vision as vision
from rushlight.func.mapping import vmap as vmap
from rushlight.jit import wait as wait
from rushlight import xpu as xpu
bfloat16: dtype
bool: dtype
cdouble: dtype
cfloat: dtype
chalf: dtype
complex128: dtype
complex32: dtype
complex64: dtype
double: dtype
float: dtype
float16: dtype
float32: dtype
float64: dtype
float8_e4m3fn: dtype
float8_e5m2: dtype
half: dtype
int: dtype
int16: dtype
int32: dtype
int64: dtype
int8: dtype
long: dtype
qint32: dtype
qint8: dtype
quint8: dtype
short: dtype
uint16: dtype
uint32: dtype
uint64: dtype
uint8: dtype
BFloat16Tensor: Any
BoolTensor: Any
ByteTensor: Any
CharTensor: Any
DoubleTensor: Any
FloatTensor: Any
HalfTensor: Any
IntTensor: Any
LongTensor: Any
ShortTensor: Any
from rushlight.nn.functional import adaptive_avg_pool1d as adaptive_avg_pool1d
from rushlight.nn.functional import alpha_dropout as alpha_dropout
from rushlight.nn.functional import avg_pool1d as avg_pool1d
from rushlight.nn.functional import bilinear as bilinear
from rushlight.nn.functional import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from rushlight.nn.functional import celu as celu
from rushlight.nn.functional import celu_ as celu_
from rushlight.nn.functional import channel_shuffle as channel_shuffle
from rushlight.nn.functional import conv1d as conv1d
from rushlight.nn.functional import conv2d as conv2d
from rushlight.nn.functional import conv3d as conv3d
from rushlight.nn.functional import conv_tbc as conv_tbc
from rushlight.nn.functional import conv_transpose1d as conv_transpose1d
from rushlight.nn.functional import conv_transpose2d as conv_transpose2d
from rushlight.nn.functional import conv_transpose3d as conv_transpose3d
from rushlight.nn.functional import cosine_embedding_loss as cosine_embedding_loss
from rushlight.nn.functional import ctc_loss as ctc_loss
from rushlight.nn.functional import feature_alpha_dropout as feature_alpha_dropout
from rushlight.nn.functional import hardshrink as hardshrink
from rushlight.nn.functional import hinge_embedding_loss as hinge_embedding_loss
from rushlight.nn.functional import layer_norm as layer_norm
from rushlight.nn.functional import margin_ranking_loss as margin_ranking_loss
from rushlight.nn.functional import max_pool1d as max_pool1d
from rushlight.nn.functional import max_pool1d_with_indices as max_pool1d_with_indices
from rushlight.nn.functional import max_pool2d as max_pool2d
from rushlight.nn.functional import max_pool3d as max_pool3d
from rushlight.nn.functional import native_channel_shuffle as native_channel_shuffle
from rushlight.nn.functional import pdist as pdist
from rushlight.nn.functional import pixel_shuffle as pixel_shuffle
from rushlight.nn.functional import pixel_unshuffle as pixel_unshuffle
from rushlight.nn.functional import poisson_nll_loss as poisson_nll_loss
from rushlight.nn.functional import prelu as prelu
from rushlight.nn.functional import relu as relu
from rushlight.nn.functional import relu_ as relu_
from rushlight.nn.functional import rms_norm as rms_norm
from rushlight.nn.functional import rrelu as rrelu
from rushlight.nn.functional import rrelu_ as rrelu_
from rushlight.nn.functional import selu as selu
from rushlight.nn.functional import selu_ as selu_
from rushlight.nn.functional import sigmoid as sigmoid
from rushlight.nn.functional import sigmoid_ as sigmoid_
from rushlight.nn.functional import tanh as tanh
from rushlight.nn.functional import tanh_ as tanh_
from rushlight.nn.functional import threshold as threshold
from rushlight.nn.functional import threshold_ as threshold_
from rushlight.nn.functional import triplet_margin_loss as triplet_margin_loss
def _assert(condition: Any, message: str) -> None:
    r"""`assert condition, message`."""
def _assert_async(input: Tensor, assert_msg: str = ...) -> None:
    r"""Raises RuntimeError if the only element is zero; it is looked at now."""
def _check(cond: builtins.bool, message: Any = ...) -> None:
    r"""Raises RuntimeError with what `message()` says, unless `cond`."""
def abs(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The absolute value."""
def abs_(input: Tensor) -> Tensor: ...
def absolute(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The absolute value."""
def absolute_(input: Tensor) -> Tensor: ...
def acos(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse cosine."""
def acos_(input: Tensor) -> Tensor: ...
def acosh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic cosine."""
def acosh_(input: Tensor) -> Tensor: ...
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    r"""`torch.adaptive_max_pool1d`: values and indices."""
def add(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`input + alpha * other`, broadcast (https://pytorch.org/docs/stable/generated/torch.add.html)."""
def add_(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`beta * input + alpha * bmm(batch1, batch2).sum(0)`."""
def addbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
def addcdiv(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ..., out: Any = ...) -> Tensor:
    r"""`input + value * tensor1 / tensor2`, broadcast, of floating-point tensors."""
def addcdiv_(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor: ...
def addcmul(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ..., out: Any = ...) -> Tensor:
    r"""`input + value * tensor1 * tensor2`, broadcast."""
def addcmul_(input: Tensor, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor: ...
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`beta * input + alpha * (mat1 @ mat2)`."""
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`beta * input + alpha * (mat @ vec)`."""
def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`beta * input + alpha * outer(vec1, vec2)`."""
def addr_(input: Tensor, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
def adjoint(input: Tensor) -> Tensor:
    r"""The conjugate transpose of the last two dimensions."""
def alias_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`alias`, but a copy instead of a view."""
def all(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""Whether every element is true (over `dim`)."""
def allclose(input: Tensor, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> builtins.bool:
    r"""Whether all elements are close (see `isclose`)."""
def alpha_dropout_(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor: ...
def amax(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The largest elements over `dim` (all dimensions by default); ties share the gradient."""
def amin(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The smallest elements over `dim` (all dimensions by default); ties share the gradient."""
def aminmax(input: Tensor, *, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
    r"""The smallest and the largest element, over `dim` or of the whole tensor."""
def angle(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The angle of each complex number in the plane, in radians; 0 or pi for real numbers."""
def any(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""Whether any element is true (over `dim`)."""
def arange(*args: Any, start: Any = ..., end: Any = ..., step: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Numbers from `start` (0) up to, not including, `end`, `step` (1) apart; integers unless one argument is a float."""
def arccos(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse cosine."""
def arccos_(input: Tensor) -> Tensor: ...
def arccosh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic cosine."""
def arccosh_(input: Tensor) -> Tensor: ...
def arcsin(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse sine."""
def arcsin_(input: Tensor) -> Tensor: ...
def arcsinh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic sine."""
def arcsinh_(input: Tensor) -> Tensor: ...
def arctan(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse tangent."""
def arctan2(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The angle of the point (other, input), in radians."""
def arctan2_(input: Tensor, other: Tensor) -> Tensor: ...
def arctan_(input: Tensor) -> Tensor: ...
def arctanh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic tangent."""
def arctanh_(input: Tensor) -> Tensor: ...
def are_deterministic_algorithms_enabled() -> builtins.bool:
    r"""What `use_deterministic_algorithms` was told."""
def argmax(input: Tensor, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""Where the largest element is: its position in the flat tensor, or along `dim`."""
def argmin(input: Tensor, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""Where the smallest element is: its position in the flat tensor, or along `dim`."""
def argsort(input: Tensor, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ..., *, axis: Any = ...) -> Tensor:
    r"""The positions that put the elements in order along `dim`."""
def argwhere(input: Tensor) -> Tensor:
    r"""The positions of the elements that are not zero, one row each."""
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: builtins.int | None = ...) -> Tensor:
    r"""A view of the tensor's storage with the given size, strides and offset."""
def as_strided_(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def as_strided_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`as_strided`, but a copy instead of a view."""
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: builtins.int | None = ..., *, out: Any = ...) -> Tensor:
    r"""A copy of `input` (row-major) with `src` in the strided part that `as_strided` would show."""
def as_tensor(data: Any, dtype: Any = ..., device: Any = ...) -> Tensor:
    r"""The data as a tensor, without a copy where that is possible."""
def asarray(obj: Any, *, dtype: Any = ..., device: Any = ..., copy: builtins.bool | None = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""The tensor itself, a view of an array's memory, or a new tensor; with `copy`, new in any case."""
def asin(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse sine."""
def asin_(input: Tensor) -> Tensor: ...
def asinh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic sine."""
def asinh_(input: Tensor) -> Tensor: ...
def atan(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse tangent."""
def atan2(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The angle of the point (other, input), in radians."""
def atan2_(input: Tensor, other: Tensor) -> Tensor: ...
def atan_(input: Tensor) -> Tensor: ...
def atanh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse hyperbolic tangent."""
def atanh_(input: Tensor) -> Tensor: ...
def atleast_1d(*tensors: Any) -> Any:
    r"""Each tensor as it is, or a number as a vector of one element."""
def atleast_2d(*tensors: Any) -> Any:
    r"""Each tensor with at least two dimensions; a vector becomes a row."""
def atleast_3d(*tensors: Any) -> Any:
    r"""Each tensor with at least three dimensions; a matrix gets the new one last."""
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`beta * input + alpha * bmm(batch1, batch2)`; with beta 0, `input` is ignored, NaN included."""
def baddbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
def bartlett_window(window_length: builtins.int, periodic: builtins.bool = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""A triangle from 0 to 1 and back."""
def batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None, training: builtins.bool, momentum: builtins.float, eps: builtins.float, cudnn_enabled: builtins.bool = ...) -> Tensor:
    r"""`torch.nn.functional.batch_norm` with its arguments in another order."""
def bernoulli(input: Tensor, p: builtins.float | None = ..., *, generator: Any = ..., out: Any = ...) -> Tensor:
    r"""1 with the probability that stands in `input` (or `p` everywhere), else 0."""
def bincount(input: Tensor, weights: Any = ..., minlength: builtins.int = ...) -> Tensor:
    r"""How often each of 0, 1, 2, ... occurs in a vector of integers, or the sum of the weights there."""
def binomial(count: Tensor, prob: Tensor, generator: Any = ...) -> Tensor:
    r"""How many of `count` trials succeed with probability `prob`."""
def bitwise_and(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `input & other` of integers or bools, broadcast."""
def bitwise_and_(input: Any, other: Any) -> Tensor: ...
def bitwise_left_shift(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `input << other` of integers or bools, broadcast."""
def bitwise_left_shift_(input: Any, other: Any) -> Tensor: ...
def bitwise_not(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Every bit inverted; for bools, `not`."""
def bitwise_not_(input: Tensor) -> Tensor: ...
def bitwise_or(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `input | other` of integers or bools, broadcast."""
def bitwise_or_(input: Any, other: Any) -> Tensor: ...
def bitwise_right_shift(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `input >> other` of integers or bools, broadcast."""
def bitwise_right_shift_(input: Any, other: Any) -> Tensor: ...
def bitwise_xor(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `input ^ other` of integers or bools, broadcast."""
def bitwise_xor_(input: Any, other: Any) -> Tensor: ...
def blackman_window(window_length: builtins.int, periodic: builtins.bool = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""
def block_diag(*tensors: Tensor) -> Tensor:
    r"""A matrix with the given matrices along its diagonal, zeros elsewhere."""
def bmm(input: Tensor, mat2: Tensor, *, out: Any = ...) -> Tensor:
    r"""The products of two batches of matrices, (B, n, m) and (B, m, p)."""
def broadcast_shapes(*shapes: Any) -> Any:
    r"""The shape that tensors of these shapes (sequences of sizes, or numbers) broadcast to."""
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    r"""The tensors expanded to their common shape, as views."""
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    r"""`input.expand(size)`."""
def bucketize(input: Any, boundaries: Tensor, *, out_int32: builtins.bool = ..., right: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""The bucket of each element: how many of the sorted `boundaries` are less than it (or, right, not more)."""
def cartesian_prod(*tensors: Any) -> Tensor:
    r"""All ways to take one element of each vector, a row each."""
def cat(tensors: Sequence[Tensor], dim: builtins.int = ..., *, axis: builtins.int | None = ..., out: Any = ...) -> Tensor:
    r"""The tensors one after the other along `dim`; their other sizes must agree."""
def cdist(x1: Tensor, x2: Tensor, p: builtins.float = ..., compute_mode: str | None = ...) -> Tensor:
    r"""The p-norm distances between all pairs of rows: (*, P, M) and (*, R, M) to (*, P, R)."""
def ceil(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Rounded up."""
def ceil_(input: Tensor) -> Tensor: ...
def chain_matmul(*matrices: Tensor, out: Tensor | None = ...) -> Tensor:
    r"""The product of several matrices, in the order that costs least (Cormen et al., Introduction to Algorithms,"""
def cholesky(input: Tensor, upper: builtins.bool = ..., *, out: Any = ...) -> Tensor:
    r"""See `torch.linalg.cholesky`."""
def cholesky_inverse(input: Tensor, upper: builtins.bool = ..., *, out: Any = ...) -> Tensor:
    r"""The inverse of A, from its Cholesky factor."""
def cholesky_solve(input: Tensor, input2: Tensor, upper: builtins.bool = ..., *, out: Any = ...) -> Tensor:
    r"""X with A X = input, from the Cholesky factor of A. Shapes: input (..., n, k), input2 (..., n, n)."""
def chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""At most `chunks` pieces of equal size along `dim`, the last perhaps smaller."""
def clamp(input: Tensor, min: Any = ..., max: Any = ..., *, out: Any = ...) -> Tensor:
    r"""Every element moved into [min, max]; either bound may be missing, a number or a tensor."""
def clamp_(input: Tensor, min: Any = ..., max: Any = ...) -> Tensor: ...
def clamp_max(input: Tensor, max: Any, *, out: Any = ...) -> Tensor:
    r"""Every element at most `max`."""
def clamp_max_(input: Tensor, max: Any) -> Tensor: ...
def clamp_min(input: Tensor, min: Any, *, out: Any = ...) -> Tensor:
    r"""Every element at least `min`."""
def clamp_min_(input: Tensor, min: Any) -> Tensor: ...
def clip(input: Tensor, min: Any = ..., max: Any = ..., *, out: Any = ...) -> Tensor:
    r"""Every element moved into [min, max]; either bound may be missing, a number or a tensor."""
def clip_(input: Tensor, min: Any = ..., max: Any = ...) -> Tensor: ...
def clone(input: Tensor, *, memory_format: Any = ...) -> Tensor:
    r"""A copy with its own memory; gradients pass through it to `input`."""
def column_stack(tensors: Sequence[Tensor], *, out: Any = ...) -> Tensor:
    r"""The tensors side by side, vectors as columns."""
def combinations(input: Tensor, r: builtins.int = ..., with_replacement: builtins.bool = ...) -> Tensor:
    r"""All ways to choose `r` elements of a vector in its order, a row each."""
def complex(real: Tensor, imag: Tensor, *, out: Any = ...) -> Tensor:
    r"""The complex tensor with these real and imaginary parts, of one dtype, broadcast."""
def concat(tensors: Sequence[Tensor], dim: builtins.int = ..., *, axis: builtins.int | None = ..., out: Any = ...) -> Tensor:
    r"""The tensors one after the other along `dim`; their other sizes must agree."""
def concatenate(tensors: Sequence[Tensor], dim: builtins.int = ..., *, axis: builtins.int | None = ..., out: Any = ...) -> Tensor:
    r"""The tensors one after the other along `dim`; their other sizes must agree."""
def conj(input: Tensor) -> Tensor:
    r"""The complex conjugate; a real tensor as it is."""
def conj_physical(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The complex conjugate in new memory; a real tensor as it is."""
def conj_physical_(input: Tensor) -> Tensor: ...
def constant_pad_nd(input: Tensor, pad: Any, value: builtins.float = ...) -> Tensor:
    r"""`torch.nn.functional.pad` with a constant."""
def convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: builtins.bool, output_padding: Any, groups: builtins.int) -> Tensor:
    r"""Any of the convolutions above; the number of dimensions is the weight's."""
def copysign(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The size of `input` with the sign of `other`."""
def copysign_(input: Tensor, other: Tensor) -> Tensor: ...
def corrcoef(input: Tensor) -> Tensor:
    r"""The correlation coefficients of variables (rows) over observations (columns), within [-1, 1]."""
def cos(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The cosine."""
def cos_(input: Tensor) -> Tensor: ...
def cosh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The hyperbolic cosine."""
def cosh_(input: Tensor) -> Tensor: ...
def cosine_similarity(x1: Tensor, x2: Tensor, dim: builtins.int = ..., eps: builtins.float = ..., *, axis: Any = ...) -> Tensor:
    r"""x1 . x2 / (|x1| |x2|) over `dim`, each norm at least `eps`; broadcast."""
def count_nonzero(input: Tensor, dim: Any = ..., *, axis: Any = ...) -> Tensor:
    r"""How many elements are not zero, over `dim` or in the whole tensor; int64."""
def cov(input: Tensor, *, correction: builtins.int = ..., fweights: Tensor | None = ..., aweights: Tensor | None = ...) -> Tensor:
    r"""The covariance matrix of variables (rows) over observations (columns); the variance of a vector."""
def cross(input: Tensor, other: Tensor, dim: builtins.int | None = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""See `torch.linalg.cross`; without `dim` along the first dimension of size 3."""
def cummax(input: Tensor, dim: builtins.int, *, out: Any = ..., axis: Any = ...) -> Any:
    r"""The largest element so far along `dim`, and its position (the last of equal ones)."""
def cummin(input: Tensor, dim: builtins.int, *, out: Any = ..., axis: Any = ...) -> Any:
    r"""The smallest element so far along `dim`, and its position (the last of equal ones)."""
def cumprod(input: Tensor, dim: Any = ..., *, dtype: Any = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""The running product along `dim`; integers are multiplied as int64."""
def cumprod_(input: Tensor, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor: ...
def cumsum(input: Tensor, dim: Any = ..., *, dtype: Any = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""The running sum along `dim`; integers are summed as int64."""
def cumsum_(input: Tensor, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor: ...
def cumulative_trapezoid(y: Tensor, x: Any = ..., *, dx: Any = ..., dim: builtins.int = ..., axis: Any = ...) -> Tensor:
    r"""The running integral of y along `dim` by the trapezoidal rule."""
def deg2rad(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Degrees as radians."""
def deg2rad_(input: Tensor) -> Tensor: ...
def dequantize(self: Tensor) -> Tensor:
    r"""The numbers as float32."""
def det(A: Tensor, *, out: Any = ...) -> Tensor:
    r"""The determinants of matrices (..., n, n) (https://pytorch.org/docs/stable/generated/torch.linalg.det.html)."""
def detach(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def detach_(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def detach_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`detach`, but a copy instead of a view."""
def diag(input: Tensor, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
    r"""The diagonal of a matrix, or the matrix with a vector on its diagonal."""
def diag_embed(input: Tensor, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
    r"""Matrices with the last dimension of `input` on their diagonal `offset`, zeros elsewhere."""
def diagflat(input: Tensor, offset: builtins.int = ...) -> Tensor:
    r"""The matrix with all elements of `input`, read as one row, on its diagonal `offset`."""
def diagonal(input: Tensor, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
    r"""The diagonal of dimensions `dim1` and `dim2`, as the last dimension of a view."""
def diagonal_copy(input: Tensor, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ..., *, out: Any = ...) -> Tensor:
    r"""A copy of the diagonal of dimensions `dim1` and `dim2`."""
def diagonal_scatter(input: Tensor, src: Tensor, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ..., *, out: Any = ...) -> Tensor:
    r"""A copy of `input` whose diagonal is `src`."""
def diff(input: Tensor, n: builtins.int = ..., dim: builtins.int = ..., prepend: Any = ..., append: Any = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""The `n`-th differences of neighbours along `dim`, after joining `prepend` and `append` to it."""
def digamma(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The derivative of the logarithm of the gamma function."""
def digamma_(input: Tensor) -> Tensor: ...
def dist(input: Tensor, other: Tensor, p: builtins.float = ...) -> Tensor:
    r"""The p-norm of `input - other`."""
def div(input: Tensor, other: Any, *, rounding_mode: str | None = ..., out: Any = ...) -> Tensor:
    r"""`input / other`; `rounding_mode` None (true division), "trunc" or "floor"."""
def div_(input: Tensor, other: Any, *, rounding_mode: str | None = ...) -> Tensor: ...
def divide(input: Tensor, other: Any, *, rounding_mode: str | None = ..., out: Any = ...) -> Tensor:
    r"""`input / other`; `rounding_mode` None (true division), "trunc" or "floor"."""
def divide_(input: Tensor, other: Any, *, rounding_mode: str | None = ...) -> Tensor: ...
def dot(input: Tensor, tensor: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inner product of two vectors."""
def dropout(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor:
    r"""`torch.nn.functional.dropout` with nothing left out."""
def dropout_(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor: ...
def dsplit(input: Tensor, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
    r"""`tensor_split` along dimension 2; the parts must be equal."""
def dstack(tensors: Sequence[Tensor], *, out: Any = ...) -> Tensor:
    r"""The tensors one behind the other: along dimension 2."""
def einsum(*args: Any) -> Tensor:
    r"""Sums products of elements along the dimensions that an equation names"""
def embedding(weight: Tensor, indices: Tensor, padding_idx: builtins.int = ..., scale_grad_by_freq: builtins.bool = ..., sparse: builtins.bool = ...) -> Tensor:
    r"""`torch.nn.functional.embedding` with its arguments in another order."""
def empty(*sizes: Any, size: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., memory_format: Any = ..., out: Any = ...) -> Tensor:
    r"""A tensor of the given size whose numbers are not specified (here: zeros)."""
def empty_like(input: Tensor, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""A tensor with the shape and dtype of `input` whose numbers are not specified (here: zeros)."""
def empty_strided(size: Any, stride: Any, **options: Any) -> Tensor:
    r"""An uninitialised tensor with these strides."""
def eq(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.equal(input, other)`, broadcast; a bool tensor."""
def eq_(input: Tensor, other: Any) -> Tensor: ...
def equal(input: Tensor, other: Tensor) -> builtins.bool:
    r"""Whether the tensors have the same shape and the same elements."""
def erf(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
def erf_(input: Tensor) -> Tensor: ...
def erfc(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""1 - erf(x)."""
def erfc_(input: Tensor) -> Tensor: ...
def erfinv(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inverse of erf on (-1, 1)."""
def erfinv_(input: Tensor) -> Tensor: ...
def exp(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""e to the power of each element."""
def exp2(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""2 to the power of each element."""
def exp2_(input: Tensor) -> Tensor: ...
def exp_(input: Tensor) -> Tensor: ...
def expand_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`expand`, but a copy instead of a view."""
def expm1(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""exp(x) - 1, exact near 0."""
def expm1_(input: Tensor) -> Tensor: ...
def eye(n: builtins.int, m: builtins.int | None = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""The identity matrix, n x m."""
def feature_alpha_dropout_(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor: ...
def feature_dropout(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor:
    r"""Sets whole channels, `input[n, c]`, to zero with probability `p`."""
def feature_dropout_(input: Tensor, p: builtins.float, train: builtins.bool) -> Tensor: ...
def fill(input: Tensor, value: Any) -> Tensor:
    r"""A tensor like `input` full of one number."""
def fill_(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def fix(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Rounded towards zero."""
def fix_(input: Tensor) -> Tensor: ...
def flatten(input: Tensor, start_dim: builtins.int = ..., end_dim: builtins.int = ...) -> Tensor:
    r"""Dimensions `start_dim` to `end_dim` made one."""
def flip(input: Tensor, *axes: Any, dims: Any = ...) -> Tensor:
    r"""The order of the elements along `dims` reversed (a copy)."""
def fliplr(input: Tensor) -> Tensor:
    r"""Columns in reverse order (dimension 1)."""
def flipud(input: Tensor) -> Tensor:
    r"""Rows in reverse order (dimension 0)."""
def float_power(input: Any, exponent: Any, *, out: Any = ...) -> Tensor:
    r"""`input ** exponent` in double precision."""
def floor(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Rounded down."""
def floor_(input: Tensor) -> Tensor: ...
def floor_divide(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""`input / other`, rounded down."""
def floor_divide_(input: Tensor, other: Any) -> Tensor: ...
def fmax(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The larger of each pair of elements; a number wins over NaN."""
def fmin(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The smaller of each pair of elements; a number wins over NaN."""
def fmod(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""The remainder of division with the sign of the dividend, as C's `fmod`."""
def fmod_(input: Tensor, other: Any) -> Tensor: ...
def frac(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The part after the point, with the sign of x."""
def frac_(input: Tensor) -> Tensor: ...
def frexp(input: Tensor, *, out: Any = ...) -> Any:
    r"""Mantissa and exponent: `input == mantissa * 2 ** exponent` with 1/2 <= |mantissa| < 1."""
def frobenius_norm(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
    r"""The square root of the sum of squares; `torch.linalg.vector_norm`."""
def from_dlpack(ext_tensor: Any, *, device: Any = ..., copy: builtins.bool | None = ...) -> Tensor:
    r"""A tensor on the memory of another library's array (an object with `__dlpack__`, or a DLPack capsule)."""
def from_numpy(ndarray: np.ndarray) -> Tensor:
    r"""A tensor that shares the array's memory: a change to one is seen in the other."""
def frombuffer(buffer: Any, *, dtype: Any, count: builtins.int = ..., offset: builtins.int = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""A vector on the memory of an object with Python's buffer protocol, from byte `offset` on."""
def full(size: Any, fill_value: Any, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., names: Any = ..., out: Any = ...) -> Tensor:
    r"""A tensor of the given size full of `fill_value`; its dtype is the value's unless given."""
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""`fill_value` everywhere, with the shape and dtype of `input`."""
def gather(input: Tensor, dim: builtins.int, index: Tensor, *, sparse_grad: builtins.bool = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""The elements of `input` at the positions `index` along `dim`; the result has the index's shape."""
def gcd(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The greatest common divisor."""
def gcd_(input: Tensor, other: Tensor) -> Tensor: ...
def ge(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.greater_equal(input, other)`, broadcast; a bool tensor."""
def ge_(input: Tensor, other: Any) -> Tensor: ...
def geqrf(input: Tensor, *, out: Any = ...) -> Any:
    r"""The QR decomposition as LAPACK stores it: R above, reflections below the diagonal, and their factors."""
def ger(input: Tensor, vec2: Tensor, *, out: Any = ...) -> Tensor:
    r"""The outer product of two vectors."""
def get_deterministic_debug_mode() -> builtins.int:
    r"""0: there is nothing to warn of."""
def get_device(input: Tensor) -> builtins.int:
    r"""-1: the tensor is on the CPU."""
def get_float32_matmul_precision() -> str:
    r"""What `set_float32_matmul_precision` was told."""
def get_num_interop_threads() -> builtins.int:
    r"""How many operations may run side by side."""
def get_num_threads() -> builtins.int:
    r"""How many threads compute."""
def gradient(input: Tensor, *, spacing: Any = ..., dim: Any = ..., edge_order: builtins.int = ..., axis: Any = ...) -> tuple[Tensor, ...]:
    r"""The derivative of a sampled function along each of `dim` (all by default), one tensor each."""
def greater(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.greater(input, other)`, broadcast; a bool tensor."""
def greater_(input: Tensor, other: Any) -> Tensor: ...
def greater_equal(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.greater_equal(input, other)`, broadcast; a bool tensor."""
def greater_equal_(input: Tensor, other: Any) -> Tensor: ...
def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: builtins.int, padding_mode: builtins.int, align_corners: builtins.bool) -> Tensor:
    r"""`grid_sample` with its modes as numbers: 0, 1, 2 for bilinear, nearest, bicubic; zeros, border, reflection."""
def grid_sampler_2d(input: Tensor, grid: Tensor, interpolation_mode: builtins.int, padding_mode: builtins.int, align_corners: builtins.bool) -> Tensor:
    r"""`grid_sampler` for images: input (N, C, H, W)."""
def grid_sampler_3d(input: Tensor, grid: Tensor, interpolation_mode: builtins.int, padding_mode: builtins.int, align_corners: builtins.bool) -> Tensor:
    r"""`grid_sampler` for volumes: input (N, C, D, H, W)."""
def group_norm(input: Tensor, num_groups: builtins.int, weight: Any = ..., bias: Any = ..., eps: builtins.float = ..., cudnn_enabled: builtins.bool = ...) -> Tensor:
    r"""`torch.nn.functional.group_norm` without its check of the batch size."""
def gt(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.greater(input, other)`, broadcast; a bool tensor."""
def gt_(input: Tensor, other: Any) -> Tensor: ...
def hamming_window(window_length: builtins.int, periodic: builtins.bool = ..., alpha: builtins.float = ..., beta: builtins.float = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""alpha - beta cos(2 pi n / N)."""
def hann_window(window_length: builtins.int, periodic: builtins.bool = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""sin(pi n / N)**2."""
def heaviside(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""0 below zero and for NaN, 1 above, `values` at zero."""
def heaviside_(input: Tensor, other: Tensor) -> Tensor: ...
def histc(input: Tensor, bins: builtins.int = ..., min: builtins.float = ..., max: builtins.float = ..., *, out: Any = ...) -> Tensor:
    r"""How many elements fall into each of `bins` equal bins between `min` and `max` (both 0: the data's extremes)."""
def histogram(input: Tensor, bins: Any, *, range: Any = ..., weight: Any = ..., density: builtins.bool = ..., out: Any = ...) -> Any:
    r"""The histogram of all elements, and the edges of its bins: `bins` equal ones, or the edges themselves."""
def histogramdd(input: Tensor, bins: Any, range: Any = ..., weight: Any = ..., density: builtins.bool = ...) -> Any:
    r"""The histogram of points (the last dimension holds their coordinates) over a grid, and its edges."""
def hsplit(input: Tensor, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
    r"""`tensor_split` along dimension 1, of a vector along dimension 0; the parts must be equal."""
def hstack(tensors: Sequence[Tensor], *, out: Any = ...) -> Tensor:
    r"""The tensors side by side: along dimension 1, vectors along dimension 0."""
def hypot(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""sqrt(input**2 + other**2)."""
def hypot_(input: Tensor, other: Tensor) -> Tensor: ...
def i0(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The modified Bessel function of the first kind, order 0."""
def i0_(input: Tensor) -> Tensor: ...
def igamma(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The regularized lower incomplete gamma function P(input, other)."""
def igamma_(input: Tensor, other: Tensor) -> Tensor: ...
def igammac(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The regularized upper incomplete gamma function Q(input, other)."""
def igammac_(input: Tensor, other: Tensor) -> Tensor: ...
def imag(input: Tensor) -> Tensor:
    r"""A view of the imaginary parts of a complex tensor."""
def index_add(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Any = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` with `alpha * source` added to the slices that `index` names along `dim`."""
def index_add_(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Any = ..., axis: Any = ...) -> Tensor: ...
def index_copy(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` whose slices that `index` names along `dim` are those of `source`."""
def index_copy_(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, axis: Any = ...) -> Tensor: ...
def index_fill(input: Tensor, dim: builtins.int, index: Tensor, value: Any, *, axis: Any = ...) -> Tensor:
    r"""A copy of `input` whose slices that `index` names along `dim` are full of `value`."""
def index_fill_(input: Tensor, dim: builtins.int, index: Tensor, value: Any, *, axis: Any = ...) -> Tensor: ...
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: builtins.bool = ...) -> Tensor:
    r"""A copy of `input` with `values` at the positions that `indices` (a tuple of tensors) names."""
def index_put_(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def index_reduce(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` where slices of `source` are combined into the slices `index` names along `dim`."""
def index_reduce_(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor: ...
def index_select(input: Tensor, dim: builtins.int, index: Tensor, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""The slices of `input` at the positions `index` (a vector) along `dim`."""
def init_num_threads() -> None:
    r"""The threads are made when they are needed."""
def inner(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The products of the last dimensions: (*, n) and (**, n) to (*, **); with a number, the plain product."""
def instance_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: builtins.bool, momentum: builtins.float, eps: builtins.float, cudnn_enabled: builtins.bool = ...) -> Tensor:
    r"""`torch.nn.functional.instance_norm` with its arguments in another order."""
def inverse(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""See `torch.linalg.inv`."""
def is_complex(input: Tensor) -> builtins.bool:
    r"""Whether the dtype is complex."""
def is_conj(input: Tensor) -> builtins.bool:
    r"""False: conjugation is computed, never only noted."""
def is_deterministic_algorithms_warn_only_enabled() -> builtins.bool:
    r"""False: everything is deterministic, there is nothing to warn of."""
def is_distributed(self: Tensor) -> builtins.bool:
    r"""False."""
def is_floating_point(input: Tensor) -> builtins.bool:
    r"""Whether the dtype is a floating-point one."""
def is_inference(input: Tensor) -> builtins.bool:
    r"""Whether the tensor was made in inference mode."""
def is_neg(input: Tensor) -> builtins.bool:
    r"""False: negation is computed, never only noted."""
def is_nonzero(input: Tensor) -> builtins.bool:
    r"""Whether the only element is not zero."""
def is_same_size(input: Tensor, other: Tensor) -> builtins.bool:
    r"""Whether the shapes are the same."""
def is_signed(input: Tensor) -> builtins.bool:
    r"""Whether the dtype has negative numbers."""
def is_storage(obj: Any) -> builtins.bool:
    r"""Whether `obj` is a storage."""
def is_tensor(obj: Any) -> builtins.bool:
    r"""Whether `obj` is a Tensor."""
def is_warn_always_enabled() -> builtins.bool:
    r"""What `set_warn_always` was told."""
def isclose(input: Tensor, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> Tensor:
    r"""Whether |input - other| <= atol + rtol * |other|, element by element."""
def isfinite(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is neither infinite nor NaN."""
def isin(elements: Any, test_elements: Any, *, assume_unique: builtins.bool = ..., invert: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""Whether each element is among `test_elements` (not among them, with `invert`)."""
def isinf(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is infinite."""
def isnan(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is NaN."""
def isneginf(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is -inf."""
def isposinf(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is +inf."""
def isreal(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the imaginary part is 0."""
def istft(input: Tensor, n_fft: builtins.int, hop_length: builtins.int | None = ..., win_length: builtins.int | None = ..., window: Tensor | None = ..., center: builtins.bool = ..., normalized: builtins.bool = ..., onesided: builtins.bool | None = ..., length: builtins.int | None = ..., return_complex: builtins.bool = ...) -> Tensor:
    r"""The signal whose `stft` is nearest to `input`: overlapped frames over the overlapped squares of the window."""
def kaiser_window(window_length: builtins.int, periodic: builtins.bool = ..., beta: builtins.float = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""I0(beta sqrt(1 - x**2)) / I0(beta) for x from -1 to 1, I0 the modified Bessel function."""
def kron(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The Kronecker product: every element of `input` times the whole of `other`."""
def kthvalue(input: Tensor, k: builtins.int, dim: builtins.int = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
    r"""The `k`-th smallest element along `dim` (counted from 1), and its position."""
def lcm(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The least common multiple."""
def lcm_(input: Tensor, other: Tensor) -> Tensor: ...
def ldexp(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""`input * 2 ** other`."""
def ldexp_(input: Tensor, other: Any) -> Tensor: ...
def le(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.less_equal(input, other)`, broadcast; a bool tensor."""
def le_(input: Tensor, other: Any) -> Tensor: ...
def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Any = ...) -> Tensor:
    r"""`input + weight * (end - input)`, broadcast."""
def lerp_(input: Tensor, end: Tensor, weight: Any) -> Tensor: ...
def less(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.less(input, other)`, broadcast; a bool tensor."""
def less_(input: Tensor, other: Any) -> Tensor: ...
def less_equal(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.less_equal(input, other)`, broadcast; a bool tensor."""
def less_equal_(input: Tensor, other: Any) -> Tensor: ...
def lgamma(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The logarithm of |gamma(x)|."""
def lgamma_(input: Tensor) -> Tensor: ...
def linspace(start: Any, end: Any, steps: builtins.int, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""`steps` numbers from `start` to `end`, both included, evenly apart."""
def log(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The natural logarithm."""
def log10(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The logarithm to base 10."""
def log10_(input: Tensor) -> Tensor: ...
def log1p(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""log(1 + x), exact near 0."""
def log1p_(input: Tensor) -> Tensor: ...
def log2(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The logarithm to base 2."""
def log2_(input: Tensor) -> Tensor: ...
def log_(input: Tensor) -> Tensor: ...
def log_softmax(input: Tensor, dim: builtins.int | None = ..., dtype: Any = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""log(softmax(x)) across `dim`, computed without ever taking the logarithm of 0."""
def logaddexp(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""log(exp(input) + exp(other))."""
def logaddexp2(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""log2(2**input + 2**other)."""
def logcumsumexp(input: Tensor, dim: builtins.int, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""log(cumsum(exp(input))) along `dim`, without overflow."""
def logdet(input: Tensor) -> Tensor:
    r"""The logarithm of the determinants; NaN where they are negative."""
def logical_and(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.logical_and(input, other)`, broadcast; a bool tensor."""
def logical_and_(input: Tensor, other: Any) -> Tensor: ...
def logical_not(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the element is zero."""
def logical_not_(input: Tensor) -> Tensor: ...
def logical_or(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.logical_or(input, other)`, broadcast; a bool tensor."""
def logical_or_(input: Tensor, other: Any) -> Tensor: ...
def logical_xor(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.logical_xor(input, other)`, broadcast; a bool tensor."""
def logical_xor_(input: Tensor, other: Any) -> Tensor: ...
def logit(input: Tensor, eps: builtins.float | None = ..., *, out: Any = ...) -> Tensor:
    r"""log(x / (1 - x)); with `eps`, x is first moved into [eps, 1 - eps]."""
def logit_(input: Tensor, eps: builtins.float | None = ...) -> Tensor: ...
def logspace(start: Any, end: Any, steps: builtins.int, base: builtins.float = ..., *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""`steps` numbers from `base ** start` to `base ** end`, evenly apart on a logarithmic scale."""
def logsumexp(input: Tensor, dim: Any, keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""log(sum(exp(x))) over `dim`, without overflow."""
def lt(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.less(input, other)`, broadcast; a bool tensor."""
def lt_(input: Tensor, other: Any) -> Tensor: ...
def lu(A: Tensor, pivot: builtins.bool = ..., get_infos: builtins.bool = ...) -> Any:
    r"""See `torch.linalg.lu_factor`."""
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = ...) -> Tensor:
    r"""X with A X = input, from `lu_factor(A)`."""
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: builtins.bool = ..., unpack_pivots: builtins.bool = ..., *, out: Any = ...) -> Any:
    r"""P, L, U from the compact form; what is not asked for is empty."""
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    r"""`value` (a number or a tensor of one) where the mask holds, else `input`; broadcast."""
def masked_fill_(input: Tensor, mask: Tensor, value: Any) -> Tensor: ...
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    r"""A copy of `input` with the elements of `source`, in order, where the mask holds."""
def masked_scatter_(input: Tensor, mask: Tensor, source: Tensor) -> Tensor: ...
def masked_select(input: Tensor, mask: Tensor, *, out: Any = ...) -> Tensor:
    r"""The elements where the (broadcast) mask holds, as a vector."""
def matmul(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The matrix product with NumPy's rules: vectors, matrices and broadcast batches (`@`)."""
def matrix_exp(A: Tensor) -> Tensor:
    r"""The exponential of matrices (..., n, n): the sum of A**k / k!."""
def matrix_power(A: Tensor, n: builtins.int, *, out: Any = ...) -> Tensor:
    r"""A multiplied with itself n times; the inverse's power for negative n."""
def max(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., other: Any = ..., keepdims: Any = ...) -> Any:
    r"""The largest element; along `dim`, the largest elements and their positions; with a tensor, `maximum`."""
def maximum(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The larger of each pair of elements."""
def mean(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""The mean over `dim` (all dimensions by default) of a floating-point or complex tensor."""
def median(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
    r"""The median, the lower one of two; along `dim` also its position. NaN if there is a NaN."""
def meshgrid(*tensors: Any, indexing: str | None = ...) -> tuple[Tensor, ...]:
    r"""Grids of coordinates: tensor k varies along dimension k (with "xy", the first two are exchanged)."""
def min(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., other: Any = ..., keepdims: Any = ...) -> Any:
    r"""The smallest element; along `dim`, the smallest elements and their positions; with a tensor, `minimum`."""
def minimum(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The smaller of each pair of elements."""
def mm(input: Tensor, mat2: Tensor, *, out: Any = ...) -> Tensor:
    r"""The product of two matrices."""
def mode(input: Tensor, dim: builtins.int = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
    r"""The most frequent element along `dim` (the smallest of several), and where it stands last."""
def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    r"""Dimensions `source` moved to the places `destination`, the others in order."""
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    r"""Dimensions `source` moved to the places `destination`, the others in order."""
def msort(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The elements in order along the first dimension."""
def mul(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""`input * other`, element by element, broadcast."""
def mul_(input: Tensor, other: Any) -> Tensor: ...
def multinomial(input: Tensor, num_samples: builtins.int, replacement: builtins.bool = ..., *, generator: Any = ..., out: Any = ...) -> Tensor:
    r"""`num_samples` positions drawn from each row of weights."""
def multiply(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""`input * other`, element by element, broadcast."""
def multiply_(input: Tensor, other: Any) -> Tensor: ...
def mv(input: Tensor, vec: Tensor, *, out: Any = ...) -> Tensor:
    r"""The product of a matrix and a vector."""
def mvlgamma(input: Tensor, p: builtins.int, *, out: Any = ...) -> Tensor:
    r"""The logarithm of the multivariate gamma function of dimension `p` >= 1."""
def mvlgamma_(input: Tensor, p: builtins.int) -> Tensor: ...
def nan_to_num(input: Tensor, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ..., *, out: Any = ...) -> Tensor:
    r"""NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest and smallest finite numbers)."""
def nan_to_num_(input: Tensor, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ...) -> Tensor: ...
def nanmean(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The mean over `dim` (all by default) of the elements that are not NaN."""
def nanmedian(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
    r"""The median of the elements that are not NaN."""
def nanquantile(input: Tensor, q: Any, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, interpolation: str = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The quantiles of the elements that are not NaN."""
def nansum(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The sum over `dim` (all by default), NaN counting as zero."""
def narrow(input: Tensor, dim: builtins.int, start: Any, length: builtins.int, *, axis: Any = ...) -> Tensor:
    r"""`length` elements of dimension `dim` from `start` on."""
def narrow_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`narrow`, but a copy instead of a view."""
def native_dropout(input: Tensor, p: builtins.float, train: builtins.bool | None) -> tuple[Tensor, Tensor]:
    r"""The result of dropout, and the mask of the numbers that were kept."""
def ne(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.not_equal(input, other)`, broadcast; a bool tensor."""
def ne_(input: Tensor, other: Any) -> Tensor: ...
def neg(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""`-input`."""
def neg_(input: Tensor) -> Tensor: ...
def negative(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""`-input`."""
def negative_(input: Tensor) -> Tensor: ...
def nextafter(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The next number after `input` towards `other`."""
def nextafter_(input: Tensor, other: Tensor) -> Tensor: ...
def nonzero(input: Tensor, *, out: Any = ..., as_tuple: builtins.bool = ...) -> Any:
    r"""The positions of the elements that are not zero: one row each, or one tensor a dimension."""
def nonzero_static(input: Tensor, *, size: builtins.int, fill_value: builtins.int = ..., out: Any = ...) -> Tensor:
    r"""The first `size` positions of elements that are not zero; missing rows are full of `fill_value`."""
def norm(input: Tensor, p: Any = ..., dim: Any = ..., keepdim: builtins.bool = ..., dtype: Any = ..., *, axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The p-norm over `dim` (all by default); "fro" is the 2-norm, "nuc" the sum of the singular values."""
def normal(mean: Any, std: Any = ..., size: Any = ..., *, generator: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Normal numbers: one for each element of `mean` and `std`, or of `size` where both are numbers."""
def not_equal(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""Element by element `numpy.not_equal(input, other)`, broadcast; a bool tensor."""
def not_equal_(input: Tensor, other: Any) -> Tensor: ...
def nuclear_norm(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
    r"""The sum of singular values; `torch.linalg.matrix_norm(input, "nuc")`."""
def numel(input: Tensor) -> builtins.int:
    r"""The number of elements."""
def ones(*sizes: Any, size: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., names: Any = ..., out: Any = ...) -> Tensor:
    r"""A tensor of ones with the given size."""
def ones_like(input: Tensor, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Ones with the shape and dtype of `input`."""
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    r"""See `torch.linalg.householder_product`."""
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: builtins.bool = ..., transpose: builtins.bool = ..., *, out: Any = ...) -> Tensor:
    r"""`other` times the whole product Q of reflections: Q other, or other Q if not `left`; Q^H if `transpose`."""
def outer(input: Tensor, vec2: Tensor, *, out: Any = ...) -> Tensor:
    r"""The outer product of two vectors."""
def pairwise_distance(x1: Tensor, x2: Tensor, p: builtins.float = ..., eps: builtins.float = ..., keepdim: builtins.bool = ..., *, keepdims: Any = ...) -> Tensor:
    r"""The p-norm of x1 - x2 + eps over the last dimension."""
def permute(input: Tensor, *order: Any, dims: Any = ...) -> Tensor:
    r"""The dimensions in another order."""
def permute_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`permute`, but a copy instead of a view."""
def pinverse(input: Tensor, rcond: builtins.float = ...) -> Tensor:
    r"""See `torch.linalg.pinv`."""
def poisson(input: Tensor, generator: Any = ...) -> Tensor:
    r"""A Poisson number for each rate in `input`."""
def polar(abs: Tensor, angle: Tensor, *, out: Any = ...) -> Tensor:
    r"""abs * exp(i * angle), from real tensors of one dtype, broadcast."""
def polygamma(n: builtins.int, input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The n-th derivative of `digamma`, n >= 0."""
def positive(input: Tensor) -> Tensor:
    r"""`+input`: the tensor itself. Raises RuntimeError for a bool tensor."""
def pow(input: Any, exponent: Any, *, out: Any = ...) -> Tensor:
    r"""`input ** exponent`, broadcast."""
def pow_(input: Any, exponent: Any) -> Tensor: ...
def prod(input: Tensor, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The product of all elements, or along `dim`; integers and bools are multiplied as int64."""
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: builtins.bool = ...) -> Tensor:
    r"""A copy of `input`, read as one row, with `source` put (or added) at the positions `index`."""
def put_(input: Tensor, index: Tensor, source: Tensor, accumulate: builtins.bool = ...) -> Tensor: ...
def qr(input: Tensor, some: builtins.bool = ..., *, out: Any = ...) -> Any:
    r"""See `torch.linalg.qr`."""
def quantile(input: Tensor, q: Any, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, interpolation: str = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The q-th quantiles (q a number or a vector in [0, 1]) along `dim`, or of all elements; those of q come first."""
def rad2deg(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Radians as degrees."""
def rad2deg_(input: Tensor) -> Tensor: ...
def rand(*sizes: Any, size: Any = ..., generator: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Uniform numbers in [0, 1)."""
def rand_like(input: Tensor, *args: Any, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., generator: Any = ..., **bounds: Any) -> Tensor:
    r"""Uniform numbers in [0, 1) with the shape and dtype of `input`."""
def randint(*args: Any, low: builtins.int = ..., high: builtins.int | None = ..., size: Any = ..., generator: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`."""
def randint_like(input: Tensor, *args: Any, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., generator: Any = ..., **bounds: Any) -> Tensor:
    r"""Integers in [low, high) with the shape and dtype of `input`."""
def randn(*sizes: Any, size: Any = ..., generator: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Normal numbers with mean 0 and standard deviation 1."""
def randn_like(input: Tensor, *args: Any, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., generator: Any = ..., **bounds: Any) -> Tensor:
    r"""Normal numbers with the shape and dtype of `input`."""
def randperm(n: builtins.int, *, generator: Any = ..., out: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""The integers 0 to n - 1 in random order."""
def range(start: builtins.float = ..., end: builtins.float | None = ..., step: builtins.float = ..., **options: Any) -> Tensor:
    r"""Numbers from `start` up to and including `end`; deprecated in PyTorch for `arange`."""
def ravel(input: Tensor) -> Tensor:
    r"""One dimension, without a copy where possible."""
def real(input: Tensor) -> Tensor:
    r"""A view of the real parts; a real tensor itself."""
def reciprocal(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""1 / x."""
def reciprocal_(input: Tensor) -> Tensor: ...
def remainder(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""The remainder of division with the sign of the divisor, as Python's `%`."""
def remainder_(input: Any, other: Any) -> Tensor: ...
def renorm(input: Tensor, p: builtins.float, dim: builtins.int, maxnorm: builtins.float, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""Slices along `dim` scaled down so that no p-norm exceeds `maxnorm`."""
def renorm_(input: Tensor, p: builtins.float, dim: builtins.int, maxnorm: builtins.float, *, axis: Any = ...) -> Tensor: ...
def repeat_interleave(input: Tensor | None = ..., repeats: Any = ..., dim: builtins.int | None = ..., *, output_size: builtins.int | None = ..., axis: Any = ...) -> Tensor:
    r"""Each element (slice along `dim`) `repeats` times, one after the other; without `dim`, of the flat tensor."""
def reshape(input: Tensor, *sizes: Any, shape: Any = ...) -> Tensor:
    r"""The same numbers in another shape: a view where the strides allow it, else a copy."""
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    r"""`input.reshape(other.shape)`."""
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = ...) -> Tensor: ...
def resolve_conj(input: Tensor) -> Tensor:
    r"""The tensor itself: conjugates are always carried out."""
def resolve_neg(input: Tensor) -> Tensor:
    r"""The tensor itself: negatives are always carried out."""
def result_type(*operands: Any, **named: Any) -> Any:
    r"""The dtype that arithmetic between two operands would have: `(tensor, other)`, or numbers in their places"""
def roll(input: Tensor, shifts: Any, dims: Any = ...) -> Tensor:
    r"""The elements moved by `shifts` along `dims`, those that leave at the end coming back in front."""
def rot90(input: Tensor, k: builtins.int = ..., dims: Sequence[builtins.int] = ...) -> Tensor:
    r"""The plane of `dims` turned by `k` times 90 degrees, from the first towards the second."""
def round(input: Tensor, *, decimals: builtins.int = ..., out: Any = ...) -> Tensor:
    r"""Rounded to `decimals` places, halves to the even neighbour."""
def round_(input: Tensor, *, decimals: builtins.int = ...) -> Tensor: ...
def row_stack(tensors: Sequence[Tensor], *, out: Any = ...) -> Tensor:
    r"""The tensors one below the other: along dimension 0, vectors as rows."""
def rsqrt(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""1 / sqrt(x)."""
def rsqrt_(input: Tensor) -> Tensor: ...
def rsub(input: Tensor, other: Any, alpha: Any = ...) -> Tensor:
    r"""`other - alpha * input`."""
def scalar_tensor(s: Any, *, dtype: Any = ..., **options: Any) -> Tensor:
    r"""A number as a tensor without dimensions, of the default dtype."""
def scatter(input: Tensor, dim: builtins.int, index: Tensor, src: Any = ..., *, value: Any = ..., reduce: Any = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` with `src` (a tensor or a number) at the positions `index` along `dim`."""
def scatter_(input: Tensor, dim: builtins.int, index: Tensor, src: Any = ..., *, value: Any = ..., reduce: Any = ..., axis: Any = ...) -> Tensor: ...
def scatter_add(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` with `src` added at the positions `index` along `dim`."""
def scatter_add_(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, *, axis: Any = ...) -> Tensor: ...
def scatter_reduce(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` where the elements of `src` that `index` sends to one place along `dim` are combined."""
def scatter_reduce_(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor: ...
def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: builtins.bool = ..., right: builtins.bool = ..., side: str | None = ..., sorter: Any = ..., out: Any = ...) -> Tensor:
    r"""Where each value would go in the sorted last dimension of `sorted_sequence`, before (right: after) equal ones."""
def select(input: Tensor, dim: builtins.int, index: builtins.int, *, axis: Any = ...) -> Tensor:
    r"""The part of `input` at `index` of dimension `dim`, which disappears."""
def select_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`select`, but a copy instead of a view."""
def select_scatter(input: Tensor, src: Tensor, dim: builtins.int, index: builtins.int, *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` whose slice `index` along `dim` is `src`."""
def set_default_tensor_type(t: Any) -> None:
    r"""Sets the default dtype by the name of a tensor type (`torch.DoubleTensor`)."""
def set_deterministic_debug_mode(debug_mode: builtins.int | str) -> None:
    r"""Accepted: everything is deterministic."""
def set_float32_matmul_precision(precision: str) -> None:
    r"""Accepted ("highest", "high", "medium"): products are always computed in full precision."""
def set_flush_denormal(mode: builtins.bool) -> builtins.bool:
    r"""False: NumPy computes with denormal numbers, and that cannot be switched off."""
def set_num_interop_threads(int: builtins.int) -> None:
    r"""Sets how many operations may run side by side."""
def set_num_threads(int: builtins.int) -> None:
    r"""Sets how many threads compute."""
def set_warn_always(b: builtins.bool) -> None:
    r"""Remembered: Python's filters decide which warnings are shown again."""
def sgn(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""x / |x|; for real numbers, the sign."""
def sgn_(input: Tensor) -> Tensor: ...
def sign(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""-1, 0 or 1: the sign."""
def sign_(input: Tensor) -> Tensor: ...
def signbit(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""True where the sign bit is set (-0. included)."""
def sin(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The sine."""
def sin_(input: Tensor) -> Tensor: ...
def sinc(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""sin(pi x) / (pi x), 1 at 0."""
def sinc_(input: Tensor) -> Tensor: ...
def sinh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The hyperbolic sine."""
def sinh_(input: Tensor) -> Tensor: ...
def slice_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`slice`, but a copy instead of a view."""
def slice_scatter(input: Tensor, src: Tensor, dim: builtins.int = ..., start: builtins.int | None = ..., end: builtins.int | None = ..., step: builtins.int = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""A copy of `input` whose part `start:end:step` along `dim` is `src`."""
def slogdet(input: Tensor) -> Any:
    r"""See `torch.linalg.slogdet`."""
def softmax(input: Tensor, dim: builtins.int | None = ..., dtype: Any = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""exp(x) / sum(exp(x)) across `dim`; with `dtype`, computed in that dtype."""
def sort(input: Tensor, dim: Any = ..., descending: builtins.bool = ..., stable: Any = ..., *, out: Any = ..., axis: Any = ...) -> Any:
    r"""The elements in order along `dim` (the last by default), and the positions they came from."""
def split(tensor: Tensor, split_size_or_sections: Any, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""Pieces of `tensor` along `dim`: all of one size (the last may be smaller), or of the sizes given."""
def split_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`split`, but a copy instead of a view."""
def split_with_sizes(input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""`input.split(split_sizes, dim)`."""
def split_with_sizes_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`split_with_sizes`, but a copy instead of a view."""
def sqrt(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The square root."""
def sqrt_(input: Tensor) -> Tensor: ...
def square(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""x * x."""
def square_(input: Tensor) -> Tensor: ...
def squeeze(input: Tensor, dim: Any = ..., *, axis: Any = ...) -> Tensor:
    r"""Without the dimensions of size 1, or without those among `dim`."""
def squeeze_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`squeeze`, but a copy instead of a view."""
def stack(tensors: Sequence[Tensor], dim: builtins.int = ..., *, axis: builtins.int | None = ..., out: Any = ...) -> Tensor:
    r"""Tensors of one shape side by side along a new dimension `dim`."""
def std(input: Tensor, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The standard deviation over `dim` (all by default): the root of `var`."""
def std_mean(input: Tensor, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ...) -> tuple[Tensor, Tensor]:
    r"""Standard deviation and mean over `dim` (all by default)."""
def stft(input: Tensor, n_fft: builtins.int, hop_length: builtins.int | None = ..., win_length: builtins.int | None = ..., window: Tensor | None = ..., center: builtins.bool = ..., pad_mode: str = ..., normalized: builtins.bool = ..., onesided: builtins.bool | None = ..., return_complex: builtins.bool | None = ..., align_to_window: builtins.bool | None = ...) -> Tensor:
    r"""Fourier transforms of the windows of a signal (time) or (batch, time): (batch, frequency, frame)."""
def sub(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`input - alpha * other`, broadcast."""
def sub_(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
def subtract(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ..., out: Any = ...) -> Tensor:
    r"""`input - alpha * other`, broadcast."""
def subtract_(input: Tensor, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
def sum(input: Tensor, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: builtins.bool = ..., out: Any = ...) -> Tensor:
    r"""The sum over `dim` (all dimensions by default); integers and bools are summed as int64."""
def svd(input: Tensor, some: builtins.bool = ..., compute_uv: builtins.bool = ..., *, out: Any = ...) -> Any:
    r"""U, S, V with input = U diag(S) V^H (`torch.linalg.svd` gives V^H); zeros for U and V without `compute_uv`."""
def swapaxes(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    r"""Dimensions `dim0` and `dim1` exchanged."""
def swapdims(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    r"""Dimensions `dim0` and `dim1` exchanged."""
def t(input: Tensor) -> Tensor:
    r"""The transpose of a matrix; a vector or a number as it is."""
def t_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`t`, but a copy instead of a view."""
def take(input: Tensor, index: Tensor, *, out: Any = ...) -> Tensor:
    r"""The elements of `input`, read as one row, at the positions `index`."""
def take_along_dim(input: Tensor, indices: Tensor, dim: builtins.int | None = ..., *, axis: Any = ..., out: Any = ...) -> Tensor:
    r"""`gather` whose operands are broadcast along the other dimensions; without `dim`, `take`."""
def tan(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The tangent."""
def tan_(input: Tensor) -> Tensor: ...
def tensor(data: Any, *, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""A tensor with a copy of `data`: numbers, nested sequences, arrays (https://pytorch.org/docs/stable/generated/torch.tensor.html)."""
def tensor_split(input: Tensor, indices_or_sections: Any = ..., dim: builtins.int = ..., *, indices: Any = ..., sections: Any = ..., tensor_indices_or_sections: Any = ..., axis: Any = ...) -> tuple[Tensor, ...]:
    r"""Views of `input` along `dim`: so many nearly equal parts, or cut before the given indices."""
def tensordot(a: Tensor, b: Tensor, dims: Any = ..., *, out: Any = ...) -> Tensor:
    r"""Contracts `dims` dimensions: the last of `a` with the first of `b`, or the two lists of dimensions given."""
def tile(input: Tensor, *sizes: Any, dims: Any = ...) -> Tensor:
    r"""`repeat`, where missing repetitions in front count as 1."""
def to_dlpack(tensor: Tensor) -> Any:
    r"""The tensor's memory as a DLPack capsule."""
def topk(input: Tensor, k: Any, dim: builtins.int = ..., largest: builtins.bool = ..., sorted: builtins.bool = ..., *, out: Any = ..., axis: Any = ...) -> Any:
    r"""The `k` largest (or smallest) elements along `dim` in order, and their positions."""
def trace(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The sum of the diagonal of a matrix."""
def transpose(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    r"""Dimensions `dim0` and `dim1` exchanged."""
def transpose_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`transpose`, but a copy instead of a view."""
def trapezoid(y: Tensor, x: Any = ..., *, dx: Any = ..., dim: builtins.int = ..., axis: Any = ...) -> Tensor:
    r"""The integral of y along `dim` by the trapezoidal rule, at the points `x` or `dx` (1) apart."""
def trapz(y: Tensor, x: Any = ..., *, dx: Any = ..., dim: builtins.int = ..., axis: Any = ...) -> Tensor:
    r"""The integral of y along `dim` by the trapezoidal rule, at the points `x` or `dx` (1) apart."""
def triangular_solve(input: Tensor, A: Tensor, upper: builtins.bool = ..., transpose: builtins.bool = ..., unitriangular: builtins.bool = ..., *, out: Any = ...) -> Any:
    r"""See `torch.linalg.solve_triangular`, which takes its arguments the other way round."""
def tril(input: Tensor, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
    r"""The lower triangle of each matrix, up to `diagonal`; zeros elsewhere."""
def tril_(input: Tensor, diagonal: builtins.int = ...) -> Tensor: ...
def tril_indices(row: builtins.int, col: builtins.int, offset: builtins.int = ..., *, dtype: Any = ..., device: Any = ..., layout: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""The positions of the lower triangle of a row x col matrix: a 2 x N tensor of rows and columns."""
def triu(input: Tensor, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
    r"""The upper triangle of each matrix, from `diagonal` on; zeros elsewhere."""
def triu_(input: Tensor, diagonal: builtins.int = ...) -> Tensor: ...
def triu_indices(row: builtins.int, col: builtins.int, offset: builtins.int = ..., *, dtype: Any = ..., device: Any = ..., layout: Any = ..., pin_memory: builtins.bool = ..., requires_grad: builtins.bool = ...) -> Tensor:
    r"""The positions of the upper triangle of a row x col matrix: a 2 x N tensor of rows and columns."""
def true_divide(input: Tensor, other: Any, *, out: Any = ...) -> Tensor:
    r"""`input / other`, never rounded to an integer."""
def true_divide_(input: Tensor, other: Any) -> Tensor: ...
def trunc(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""Rounded towards zero."""
def trunc_(input: Tensor) -> Tensor: ...
def typename(obj: Any) -> str:
    r"""The name of the type of an object, `torch.FloatTensor` for a tensor."""
def unbind(input: Tensor, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""All parts along `dim`, without that dimension."""
def unbind_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`unbind`, but a copy instead of a view."""
def unflatten(input: Tensor, dim: builtins.int, sizes: Any, *, axis: Any = ...) -> Tensor:
    r"""Dimension `dim` split into `sizes` (one of them may be -1)."""
def unfold_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`unfold`, but a copy instead of a view."""
def unique(input: Tensor, sorted: builtins.bool = ..., return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
    r"""The distinct elements (or slices along `dim`) in order; also where each element went, and how often each occurs."""
def unique_consecutive(input: Tensor, return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
    r"""The elements (or slices along `dim`) without those equal to the one before."""
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    r"""The positions, one tensor a dimension, that flat positions in a tensor of this shape mean."""
def unsafe_chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""`chunk`, whose parts are no views."""
def unsafe_split(input: Tensor, split_size: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""`split`, whose parts are no views."""
def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
    r"""`split_with_sizes`, whose parts are no views."""
def unsqueeze(input: Tensor, dim: builtins.int, *, axis: Any = ...) -> Tensor:
    r"""With a new dimension of size 1 at `dim`."""
def unsqueeze_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`unsqueeze`, but a copy instead of a view."""
def use_deterministic_algorithms(mode: builtins.bool, *, warn_only: builtins.bool = ...) -> None:
    r"""Operations always are deterministic; True makes reproducible, too, when a loop becomes machine code."""
def vander(x: Tensor, N: builtins.int | None = ..., increasing: builtins.bool = ...) -> Tensor:
    r"""The Vandermonde matrix of a vector: columns x**(N - 1) ... 1, or the other way round if `increasing`."""
def var(input: Tensor, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ..., out: Any = ...) -> Tensor:
    r"""The variance over `dim` (all by default): squared distances from the mean over count - `correction` (1)."""
def var_mean(input: Tensor, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ...) -> tuple[Tensor, Tensor]:
    r"""Variance and mean over `dim` (all by default)."""
def vdot(input: Tensor, other: Tensor, *, out: Any = ...) -> Tensor:
    r"""The inner product of two vectors, the first conjugated."""
def view_as(input: Tensor, other: Tensor) -> Tensor:
    r"""`input.view(other.shape)`."""
def view_as_complex(input: Tensor) -> Tensor:
    r"""A view of a real tensor, whose last dimension is (real part, imaginary part), as a complex one."""
def view_as_complex_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`view_as_complex`, but a copy instead of a view."""
def view_as_real(input: Tensor) -> Tensor:
    r"""A view of a complex tensor as real numbers: a new last dimension (real part, imaginary part)."""
def view_as_real_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`view_as_real`, but a copy instead of a view."""
def view_copy(input: Tensor, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
    r"""`view`, but a copy instead of a view."""
def vsplit(input: Tensor, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
    r"""`tensor_split` along dimension 0 of a matrix; the parts must be equal."""
def vstack(tensors: Sequence[Tensor], *, out: Any = ...) -> Tensor:
    r"""The tensors one below the other: along dimension 0, vectors as rows."""
def where(condition: Tensor, input: Any = ..., other: Any = ..., *, out: Any = ...) -> Any:
    r"""`input` where the condition holds, else `other`; with the condition alone, the positions where it holds."""
def xlogy(input: Any, other: Any, *, out: Any = ...) -> Tensor:
    r"""input * log(other), 0 where input is 0 (unless other is NaN)."""
def xlogy_(input: Any, other: Any) -> Tensor: ...
def zero_(input: Tensor, *args: Any, _name: str = ..., **options: Any) -> Tensor: ...
def zeros(*sizes: Any, size: Any = ..., dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., pin_memory: builtins.bool = ..., names: Any = ..., out: Any = ...) -> Tensor:
    r"""A tensor of zeros with the given size (https://pytorch.org/docs/stable/generated/torch.zeros.html)."""
def zeros_like(input: Tensor, *, dtype: Any = ..., layout: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., memory_format: Any = ..., pin_memory: builtins.bool = ...) -> Tensor:
    r"""Zeros with the shape and dtype of `input`."""

def __getattr__(name: str) -> Any: ...
