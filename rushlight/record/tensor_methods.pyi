"""The methods of Tensor, which the floors above `record` hang on it. Written by benchmarks/type_stubs.py."""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .own_attributes import TensorBase
from .value import Tensor

class TensorMethods(TensorBase):
    @property
    def H(self) -> Tensor: ...
    @property
    def T(self) -> Tensor: ...
    def abs(self) -> Tensor:
        r"""The absolute value."""
    def abs_(self) -> Tensor: ...
    def absolute(self) -> Tensor:
        r"""The absolute value."""
    def absolute_(self) -> Tensor: ...
    def acos(self) -> Tensor:
        r"""The inverse cosine."""
    def acos_(self) -> Tensor: ...
    def acosh(self) -> Tensor:
        r"""The inverse hyperbolic cosine."""
    def acosh_(self) -> Tensor: ...
    def add(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor:
        r"""`input + alpha * other`, broadcast (https://pytorch.org/docs/stable/generated/torch.add.html)."""
    def add_(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
    def addbmm(self, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor:
        r"""`beta * input + alpha * bmm(batch1, batch2).sum(0)`."""
    def addbmm_(self, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
    def addcdiv(self, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor:
        r"""`input + value * tensor1 / tensor2`, broadcast, of floating-point tensors."""
    def addcdiv_(self, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor: ...
    def addcmul(self, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor:
        r"""`input + value * tensor1 * tensor2`, broadcast."""
    def addcmul_(self, tensor1: Any, tensor2: Tensor, last: Tensor | None = ..., *, value: Any = ...) -> Tensor: ...
    def addmm(self, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor:
        r"""`beta * input + alpha * (mat1 @ mat2)`."""
    def addmm_(self, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
    def addmv(self, mat: Tensor, vec: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor:
        r"""`beta * input + alpha * (mat @ vec)`."""
    def addmv_(self, mat: Tensor, vec: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
    def addr(self, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor:
        r"""`beta * input + alpha * outer(vec1, vec2)`."""
    def addr_(self, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
    def adjoint(self) -> Tensor:
        r"""The conjugate transpose of the last two dimensions."""
    def all(self, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""Whether every element is true (over `dim`)."""
    def allclose(self, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> builtins.bool:
        r"""Whether all elements are close (see `isclose`)."""
    def amax(self, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The largest elements over `dim` (all dimensions by default); ties share the gradient."""
    def amin(self, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The smallest elements over `dim` (all dimensions by default); ties share the gradient."""
    def aminmax(self, *, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
        r"""The smallest and the largest element, over `dim` or of the whole tensor."""
    def angle(self) -> Tensor:
        r"""The angle of each complex number in the plane, in radians; 0 or pi for real numbers."""
    def any(self, dim: Any = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""Whether any element is true (over `dim`)."""
    def apply_(self, callable: Callable[[Any], Any]) -> Tensor: ...
    def arccos(self) -> Tensor:
        r"""The inverse cosine."""
    def arccos_(self) -> Tensor: ...
    def arccosh(self) -> Tensor:
        r"""The inverse hyperbolic cosine."""
    def arccosh_(self) -> Tensor: ...
    def arcsin(self) -> Tensor:
        r"""The inverse sine."""
    def arcsin_(self) -> Tensor: ...
    def arcsinh(self) -> Tensor:
        r"""The inverse hyperbolic sine."""
    def arcsinh_(self) -> Tensor: ...
    def arctan(self) -> Tensor:
        r"""The inverse tangent."""
    def arctan2(self, other: Tensor) -> Tensor:
        r"""The angle of the point (other, input), in radians."""
    def arctan2_(self, other: Tensor) -> Tensor: ...
    def arctan_(self) -> Tensor: ...
    def arctanh(self) -> Tensor:
        r"""The inverse hyperbolic tangent."""
    def arctanh_(self) -> Tensor: ...
    def argmax(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""Where the largest element is: its position in the flat tensor, or along `dim`."""
    def argmin(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""Where the smallest element is: its position in the flat tensor, or along `dim`."""
    def argsort(self, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ..., *, axis: Any = ...) -> Tensor:
        r"""The positions that put the elements in order along `dim`."""
    def argwhere(self) -> Tensor:
        r"""The positions of the elements that are not zero, one row each."""
    def as_strided(self, size: Any, stride: Any, storage_offset: builtins.int | None = ...) -> Tensor:
        r"""A view of the tensor's storage with the given size, strides and offset."""
    def as_strided_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def as_strided_scatter(self, src: Tensor, size: Any, stride: Any, storage_offset: builtins.int | None = ...) -> Tensor:
        r"""A copy of `input` (row-major) with `src` in the strided part that `as_strided` would show."""
    def as_subclass(self, cls: Any) -> Any:
        r"""The same memory as an instance of `cls`, on the tape as the tensor is."""
    def asin(self) -> Tensor:
        r"""The inverse sine."""
    def asin_(self) -> Tensor: ...
    def asinh(self) -> Tensor:
        r"""The inverse hyperbolic sine."""
    def asinh_(self) -> Tensor: ...
    def atan(self) -> Tensor:
        r"""The inverse tangent."""
    def atan2(self, other: Tensor) -> Tensor:
        r"""The angle of the point (other, input), in radians."""
    def atan2_(self, other: Tensor) -> Tensor: ...
    def atan_(self) -> Tensor: ...
    def atanh(self) -> Tensor:
        r"""The inverse hyperbolic tangent."""
    def atanh_(self) -> Tensor: ...
    def backward(self, gradient: Any = ..., retain_graph: builtins.bool | None = ..., create_graph: builtins.bool = ..., inputs: Any = ...) -> None:
        r"""Accumulates the gradient of this tensor into `.grad` of every leaf it was made from."""
    def baddbmm(self, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor:
        r"""`beta * input + alpha * bmm(batch1, batch2)`; with beta 0, `input` is ignored, NaN included."""
    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: Any = ..., alpha: Any = ...) -> Tensor: ...
    def bernoulli(self, p: builtins.float | None = ..., *, generator: Any = ..., out: Any = ...) -> Tensor:
        r"""1 with the probability that stands in `input` (or `p` everywhere), else 0."""
    def bernoulli_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def bfloat16(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.bfloat16."""
    def bincount(self, weights: Any = ..., minlength: builtins.int = ...) -> Tensor:
        r"""How often each of 0, 1, 2, ... occurs in a vector of integers, or the sum of the weights there."""
    def bitwise_and(self, other: Any) -> Tensor:
        r"""Element by element `input & other` of integers or bools, broadcast."""
    def bitwise_and_(self, other: Any) -> Tensor: ...
    def bitwise_left_shift(self, other: Any) -> Tensor:
        r"""Element by element `input << other` of integers or bools, broadcast."""
    def bitwise_left_shift_(self, other: Any) -> Tensor: ...
    def bitwise_not(self) -> Tensor:
        r"""Every bit inverted; for bools, `not`."""
    def bitwise_not_(self) -> Tensor: ...
    def bitwise_or(self, other: Any) -> Tensor:
        r"""Element by element `input | other` of integers or bools, broadcast."""
    def bitwise_or_(self, other: Any) -> Tensor: ...
    def bitwise_right_shift(self, other: Any) -> Tensor:
        r"""Element by element `input >> other` of integers or bools, broadcast."""
    def bitwise_right_shift_(self, other: Any) -> Tensor: ...
    def bitwise_xor(self, other: Any) -> Tensor:
        r"""Element by element `input ^ other` of integers or bools, broadcast."""
    def bitwise_xor_(self, other: Any) -> Tensor: ...
    def bmm(self, mat2: Tensor) -> Tensor:
        r"""The products of two batches of matrices, (B, n, m) and (B, m, p)."""
    def bool(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.bool."""
    def broadcast_to(self, *sizes: Any, size: Any = ...) -> Tensor:
        r"""`self.expand(size)`."""
    def bucketize(self, boundaries: Tensor, *, out_int32: builtins.bool = ..., right: builtins.bool = ...) -> Tensor:
        r"""The bucket of each element: how many of the sorted `boundaries` are less than it (or, right, not more)."""
    def byte(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.uint8."""
    def cauchy_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def ccol_indices(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def cdouble(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.complex128."""
    def ceil(self) -> Tensor:
        r"""Rounded up."""
    def ceil_(self) -> Tensor: ...
    def celu_(self, alpha: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor: ...
    def cfloat(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.complex64."""
    def char(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.int8."""
    def cholesky(self, upper: builtins.bool = ...) -> Tensor:
        r"""See `torch.linalg.cholesky`."""
    def cholesky_inverse(self, upper: builtins.bool = ...) -> Tensor:
        r"""The inverse of A, from its Cholesky factor."""
    def cholesky_solve(self, input2: Tensor, upper: builtins.bool = ...) -> Tensor:
        r"""X with A X = input, from the Cholesky factor of A. Shapes: input (..., n, k), input2 (..., n, n)."""
    def chunk(self, chunks: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""At most `chunks` pieces of equal size along `dim`, the last perhaps smaller."""
    def clamp(self, min: Any = ..., max: Any = ...) -> Tensor:
        r"""Every element moved into [min, max]; either bound may be missing, a number or a tensor."""
    def clamp_(self, min: Any = ..., max: Any = ...) -> Tensor: ...
    def clamp_max(self, max: Any) -> Tensor:
        r"""Every element at most `max`."""
    def clamp_max_(self, max: Any) -> Tensor: ...
    def clamp_min(self, min: Any) -> Tensor:
        r"""Every element at least `min`."""
    def clamp_min_(self, min: Any) -> Tensor: ...
    def clip(self, min: Any = ..., max: Any = ...) -> Tensor:
        r"""Every element moved into [min, max]; either bound may be missing, a number or a tensor."""
    def clip_(self, min: Any = ..., max: Any = ...) -> Tensor: ...
    def clone(self, *, memory_format: Any = ...) -> Tensor:
        r"""A copy with its own memory; gradients pass through it to `input`."""
    def coalesce(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def col_indices(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def combinations(self, r: builtins.int = ..., with_replacement: builtins.bool = ...) -> Tensor:
        r"""All ways to choose `r` elements of a vector in its order, a row each."""
    def conj(self) -> Tensor:
        r"""The complex conjugate; a real tensor as it is."""
    def conj_physical(self) -> Tensor:
        r"""The complex conjugate in new memory; a real tensor as it is."""
    def conj_physical_(self) -> Tensor: ...
    def const_data_ptr(self) -> builtins.int:
        r"""The address of the first element: `data_ptr`."""
    def contiguous(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor itself if it lies row by row in memory (or as `memory_format` says), else a copy that does."""
    def copy_(self, other: Any, non_blocking: builtins.bool = ...) -> Tensor: ...
    def copysign(self, other: Tensor) -> Tensor:
        r"""The size of `input` with the sign of `other`."""
    def copysign_(self, other: Tensor) -> Tensor: ...
    def corrcoef(self) -> Tensor:
        r"""The correlation coefficients of variables (rows) over observations (columns), within [-1, 1]."""
    def cos(self) -> Tensor:
        r"""The cosine."""
    def cos_(self) -> Tensor: ...
    def cosh(self) -> Tensor:
        r"""The hyperbolic cosine."""
    def cosh_(self) -> Tensor: ...
    def count_nonzero(self, dim: Any = ..., *, axis: Any = ...) -> Tensor:
        r"""How many elements are not zero, over `dim` or in the whole tensor; int64."""
    def cov(self, *, correction: builtins.int = ..., fweights: Tensor | None = ..., aweights: Tensor | None = ...) -> Tensor:
        r"""The covariance matrix of variables (rows) over observations (columns); the variance of a vector."""
    def cpu(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor on the CPU."""
    def cross(self, other: Tensor, dim: builtins.int | None = ..., *, axis: Any = ...) -> Tensor:
        r"""See `torch.linalg.cross`; without `dim` along the first dimension of size 3."""
    def crow_indices(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def cuda(self, device: Any = ..., non_blocking: builtins.bool = ..., memory_format: Any = ...) -> Tensor:
        r"""The tensor on a CUDA device; raises PyTorch's error where there is none."""
    def cummax(self, dim: builtins.int, *, out: Any = ..., axis: Any = ...) -> Any:
        r"""The largest element so far along `dim`, and its position (the last of equal ones)."""
    def cummin(self, dim: builtins.int, *, out: Any = ..., axis: Any = ...) -> Any:
        r"""The smallest element so far along `dim`, and its position (the last of equal ones)."""
    def cumprod(self, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor:
        r"""The running product along `dim`; integers are multiplied as int64."""
    def cumprod_(self, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor: ...
    def cumsum(self, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor:
        r"""The running sum along `dim`; integers are summed as int64."""
    def cumsum_(self, dim: Any = ..., *, dtype: Any = ..., axis: Any = ...) -> Tensor: ...
    def data_ptr(self) -> builtins.int:
        r"""The address of the first element; 0 for an empty tensor."""
    def deg2rad(self) -> Tensor:
        r"""Degrees as radians."""
    def deg2rad_(self) -> Tensor: ...
    def dense_dim(self) -> builtins.int:
        r"""The number of dimensions."""
    def dequantize(self) -> Tensor:
        r"""The numbers as float32."""
    def det(self) -> Tensor:
        r"""The determinants of matrices (..., n, n) (https://pytorch.org/docs/stable/generated/torch.linalg.det.html)."""
    def detach(self) -> Tensor:
        r"""The same memory, off the tape."""
    def detach_(self) -> Tensor: ...
    @property
    def device(self) -> Any: ...
    def diag(self, diagonal: builtins.int = ...) -> Tensor:
        r"""The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    def diag_embed(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        r"""Matrices with the last dimension of `input` on their diagonal `offset`, zeros elsewhere."""
    def diagflat(self, offset: builtins.int = ...) -> Tensor:
        r"""The matrix with all elements of `input`, read as one row, on its diagonal `offset`."""
    def diagonal(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        r"""The diagonal of dimensions `dim1` and `dim2`, as the last dimension of a view."""
    def diagonal_copy(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        r"""A copy of the diagonal of dimensions `dim1` and `dim2`."""
    def diagonal_scatter(self, src: Tensor, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        r"""A copy of `input` whose diagonal is `src`."""
    def diff(self, n: builtins.int = ..., dim: builtins.int = ..., prepend: Any = ..., append: Any = ..., *, axis: Any = ...) -> Tensor:
        r"""The `n`-th differences of neighbours along `dim`, after joining `prepend` and `append` to it."""
    def digamma(self) -> Tensor:
        r"""The derivative of the logarithm of the gamma function."""
    def digamma_(self) -> Tensor: ...
    def dim(self) -> builtins.int:
        r"""The number of dimensions."""
    def dim_order(self, *, ambiguity_check: Any = ...) -> tuple[builtins.int, ...]:
        r"""The dimensions in the order in which they lie in memory, outermost first."""
    def dist(self, other: Tensor, p: builtins.float = ...) -> Tensor:
        r"""The p-norm of `input - other`."""
    def div(self, other: Any, *, rounding_mode: str | None = ...) -> Tensor:
        r"""`input / other`; `rounding_mode` None (true division), "trunc" or "floor"."""
    def div_(self, other: Any, *, rounding_mode: str | None = ...) -> Tensor: ...
    def divide(self, other: Any, *, rounding_mode: str | None = ...) -> Tensor:
        r"""`input / other`; `rounding_mode` None (true division), "trunc" or "floor"."""
    def divide_(self, other: Any, *, rounding_mode: str | None = ...) -> Tensor: ...
    def dot(self, tensor: Tensor) -> Tensor:
        r"""The inner product of two vectors."""
    def double(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.float64."""
    def dsplit(self, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
        r"""`tensor_split` along dimension 2; the parts must be equal."""
    @property
    def dtype(self) -> Any: ...
    def eig(self, *_: Any, **__: Any) -> Any:
        r"""Raises RuntimeError: `torch.linalg.eig` has taken its place."""
    def element_size(self) -> builtins.int:
        r"""Bytes of one element."""
    def eq(self, other: Any) -> Tensor:
        r"""Element by element `numpy.equal(input, other)`, broadcast; a bool tensor."""
    def eq_(self, other: Any) -> Tensor: ...
    def equal(self, other: Tensor) -> builtins.bool:
        r"""Whether the tensors have the same shape and the same elements."""
    def erf(self) -> Tensor:
        r"""2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    def erf_(self) -> Tensor: ...
    def erfc(self) -> Tensor:
        r"""1 - erf(x)."""
    def erfc_(self) -> Tensor: ...
    def erfinv(self) -> Tensor:
        r"""The inverse of erf on (-1, 1)."""
    def erfinv_(self) -> Tensor: ...
    def exp(self) -> Tensor:
        r"""e to the power of each element."""
    def exp2(self) -> Tensor:
        r"""2 to the power of each element."""
    def exp2_(self) -> Tensor: ...
    def exp_(self) -> Tensor: ...
    def expand(self, *sizes: Any, size: Any = ..., implicit: builtins.bool = ...) -> Tensor:
        r"""Dimensions of size 1 repeated to `size` without a copy; -1 keeps a dimension."""
    def expand_as(self, other: Tensor) -> Tensor:
        r"""`input.expand(other.shape)`."""
    def expm1(self) -> Tensor:
        r"""exp(x) - 1, exact near 0."""
    def expm1_(self) -> Tensor: ...
    def exponential_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def fill_(self, value: Any) -> Tensor: ...
    def fill_diagonal_(self, fill_value: Any, wrap: builtins.bool = ...) -> Tensor: ...
    def fix(self) -> Tensor:
        r"""Rounded towards zero."""
    def fix_(self) -> Tensor: ...
    def flatten(self, start_dim: builtins.int = ..., end_dim: builtins.int = ...) -> Tensor:
        r"""Dimensions `start_dim` to `end_dim` made one."""
    def flip(self, *axes: Any, dims: Any = ...) -> Tensor:
        r"""The order of the elements along `dims` reversed (a copy)."""
    def fliplr(self) -> Tensor:
        r"""Columns in reverse order (dimension 1)."""
    def flipud(self) -> Tensor:
        r"""Rows in reverse order (dimension 0)."""
    def float(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.float32."""
    def float_power(self, exponent: Any) -> Tensor:
        r"""`input ** exponent` in double precision."""
    def float_power_(self, exponent: Any) -> Tensor: ...
    def floor(self) -> Tensor:
        r"""Rounded down."""
    def floor_(self) -> Tensor: ...
    def floor_divide(self, other: Any) -> Tensor:
        r"""`input / other`, rounded down."""
    def floor_divide_(self, other: Any) -> Tensor: ...
    def fmax(self, other: Tensor) -> Tensor:
        r"""The larger of each pair of elements; a number wins over NaN."""
    def fmin(self, other: Tensor) -> Tensor:
        r"""The smaller of each pair of elements; a number wins over NaN."""
    def fmod(self, other: Any) -> Tensor:
        r"""The remainder of division with the sign of the dividend, as C's `fmod`."""
    def fmod_(self, other: Any) -> Tensor: ...
    def frac(self) -> Tensor:
        r"""The part after the point, with the sign of x."""
    def frac_(self) -> Tensor: ...
    def frexp(self) -> Any:
        r"""Mantissa and exponent: `input == mantissa * 2 ** exponent` with 1/2 <= |mantissa| < 1."""
    def gather(self, dim: builtins.int, index: Tensor, *, sparse_grad: builtins.bool = ..., axis: Any = ...) -> Tensor:
        r"""The elements of `input` at the positions `index` along `dim`; the result has the index's shape."""
    def gcd(self, other: Tensor) -> Tensor:
        r"""The greatest common divisor."""
    def gcd_(self, other: Tensor) -> Tensor: ...
    def ge(self, other: Any) -> Tensor:
        r"""Element by element `numpy.greater_equal(input, other)`, broadcast; a bool tensor."""
    def ge_(self, other: Any) -> Tensor: ...
    def geometric_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def geqrf(self) -> Any:
        r"""The QR decomposition as LAPACK stores it: R above, reflections below the diagonal, and their factors."""
    def ger(self, vec2: Tensor) -> Tensor:
        r"""The outer product of two vectors."""
    def get_device(self) -> builtins.int:
        r"""The index of the device; -1 for the CPU."""
    @property
    def grad_fn(self) -> Any: ...
    def greater(self, other: Any) -> Tensor:
        r"""Element by element `numpy.greater(input, other)`, broadcast; a bool tensor."""
    def greater_(self, other: Any) -> Tensor: ...
    def greater_equal(self, other: Any) -> Tensor:
        r"""Element by element `numpy.greater_equal(input, other)`, broadcast; a bool tensor."""
    def greater_equal_(self, other: Any) -> Tensor: ...
    def gt(self, other: Any) -> Tensor:
        r"""Element by element `numpy.greater(input, other)`, broadcast; a bool tensor."""
    def gt_(self, other: Any) -> Tensor: ...
    def half(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.float16."""
    def hardshrink(self, lambd: builtins.float = ...) -> Tensor:
        r"""x where |x| > lambd, else 0."""
    def hash_tensor(self, dim: Any = ..., *, keepdim: builtins.bool = ..., mode: builtins.int = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""`torch.hash_tensor`."""
    def heaviside(self, other: Tensor) -> Tensor:
        r"""0 below zero and for NaN, 1 above, `values` at zero."""
    def heaviside_(self, other: Tensor) -> Tensor: ...
    def histc(self, bins: builtins.int = ..., min: builtins.float = ..., max: builtins.float = ...) -> Tensor:
        r"""How many elements fall into each of `bins` equal bins between `min` and `max` (both 0: the data's extremes)."""
    def histogram(self, bins: Any, *, range: Any = ..., weight: Any = ..., density: builtins.bool = ..., out: Any = ...) -> Any:
        r"""The histogram of all elements, and the edges of its bins: `bins` equal ones, or the edges themselves."""
    def histogramdd(self, bins: Any, range: Any = ..., weight: Any = ..., density: builtins.bool = ...) -> Any:
        r"""The histogram of points (the last dimension holds their coordinates) over a grid, and its edges."""
    def hsplit(self, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
        r"""`tensor_split` along dimension 1, of a vector along dimension 0; the parts must be equal."""
    def hypot(self, other: Tensor) -> Tensor:
        r"""sqrt(input**2 + other**2)."""
    def hypot_(self, other: Tensor) -> Tensor: ...
    def i0(self) -> Tensor:
        r"""The modified Bessel function of the first kind, order 0."""
    def i0_(self) -> Tensor: ...
    def igamma(self, other: Tensor) -> Tensor:
        r"""The regularized lower incomplete gamma function P(input, other)."""
    def igamma_(self, other: Tensor) -> Tensor: ...
    def igammac(self, other: Tensor) -> Tensor:
        r"""The regularized upper incomplete gamma function Q(input, other)."""
    def igammac_(self, other: Tensor) -> Tensor: ...
    def index_add(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Any = ..., axis: Any = ...) -> Tensor:
        r"""A copy of `input` with `alpha * source` added to the slices that `index` names along `dim`."""
    def index_add_(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Any = ..., axis: Any = ...) -> Tensor: ...
    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor, *, axis: Any = ...) -> Tensor:
        r"""A copy of `input` whose slices that `index` names along `dim` are those of `source`."""
    def index_copy_(self, dim: builtins.int, index: Tensor, source: Tensor, *, axis: Any = ...) -> Tensor: ...
    def index_fill(self, dim: builtins.int, index: Tensor, value: Any, *, axis: Any = ...) -> Tensor:
        r"""A copy of `input` whose slices that `index` names along `dim` are full of `value`."""
    def index_fill_(self, dim: builtins.int, index: Tensor, value: Any, *, axis: Any = ...) -> Tensor: ...
    def index_put(self, indices: Any, values: Tensor, accumulate: builtins.bool = ...) -> Tensor:
        r"""A copy of `input` with `values` at the positions that `indices` (a tuple of tensors) names."""
    def index_put_(self, indices: Any, values: Tensor, accumulate: builtins.bool = ...) -> Tensor: ...
    def index_reduce(self, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor:
        r"""A copy of `input` where slices of `source` are combined into the slices `index` names along `dim`."""
    def index_reduce_(self, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor: ...
    def index_select(self, dim: builtins.int, index: Tensor, *, axis: Any = ...) -> Tensor:
        r"""The slices of `input` at the positions `index` (a vector) along `dim`."""
    def indices(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def inner(self, other: Tensor) -> Tensor:
        r"""The products of the last dimensions: (*, n) and (**, n) to (*, **); with a number, the plain product."""
    def int(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.int32."""
    def int_repr(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def inverse(self) -> Tensor:
        r"""See `torch.linalg.inv`."""
    def ipu(self, *_: Any, **__: Any) -> Any:
        r"""Raises PyTorch's error for a build without IPU."""
    def is_coalesced(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def is_complex(self) -> builtins.bool:
        r"""Whether the dtype is complex."""
    def is_conj(self) -> builtins.bool:
        r"""False: conjugation is computed, never only noted."""
    def is_contiguous(self, memory_format: Any = ...) -> builtins.bool:
        r"""Whether the elements lie in memory in the order of `memory_format` (row by row)."""
    @property
    def is_cpu(self) -> Any: ...
    @property
    def is_cuda(self) -> builtins.bool: ...
    def is_distributed(self) -> builtins.bool:
        r"""False."""
    def is_floating_point(self) -> builtins.bool:
        r"""Whether the dtype is a floating-point one."""
    def is_inference(self) -> builtins.bool:
        r"""Whether the tensor was made in inference mode."""
    @property
    def is_ipu(self) -> Any: ...
    @property
    def is_leaf(self) -> builtins.bool: ...
    @property
    def is_meta(self) -> Any: ...
    @property
    def is_mkldnn(self) -> Any: ...
    @property
    def is_mps(self) -> Any: ...
    def is_neg(self) -> builtins.bool:
        r"""False: negation is computed, never only noted."""
    @property
    def is_nested(self) -> Any: ...
    def is_nonzero(self) -> builtins.bool:
        r"""Whether the only element is not zero."""
    def is_pinned(self, device: Any = ...) -> builtins.bool:
        r"""Whether the memory is pinned for an accelerator."""
    @property
    def is_quantized(self) -> Any: ...
    def is_same_size(self, other: Tensor) -> builtins.bool:
        r"""Whether the shapes are equal."""
    def is_set_to(self, tensor: Tensor) -> builtins.bool:
        r"""Whether both tensors see the same elements of the same memory in the same way."""
    def is_shared(self) -> builtins.bool:
        r"""Whether the memory is shared with other processes (`share_memory_`)."""
    def is_signed(self) -> builtins.bool:
        r"""Whether the dtype has negative numbers."""
    @property
    def is_sparse(self) -> Any: ...
    @property
    def is_sparse_csr(self) -> Any: ...
    @property
    def is_vulkan(self) -> Any: ...
    @property
    def is_xla(self) -> Any: ...
    @property
    def is_xpu(self) -> Any: ...
    def isclose(self, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> Tensor:
        r"""Whether |input - other| <= atol + rtol * |other|, element by element."""
    def isfinite(self) -> Tensor:
        r"""True where the element is neither infinite nor NaN."""
    def isinf(self) -> Tensor:
        r"""True where the element is infinite."""
    def isnan(self) -> Tensor:
        r"""True where the element is NaN."""
    def isneginf(self) -> Tensor:
        r"""True where the element is -inf."""
    def isposinf(self) -> Tensor:
        r"""True where the element is +inf."""
    def isreal(self) -> Tensor:
        r"""True where the imaginary part is 0."""
    def istft(self, n_fft: builtins.int, hop_length: builtins.int | None = ..., win_length: builtins.int | None = ..., window: Tensor | None = ..., center: builtins.bool = ..., normalized: builtins.bool = ..., onesided: builtins.bool | None = ..., length: builtins.int | None = ..., return_complex: builtins.bool = ...) -> Tensor:
        r"""The signal whose `stft` is nearest to `input`: overlapped frames over the overlapped squares of the window."""
    def item(self) -> Any:
        r"""The only element, as a Python number."""
    @property
    def itemsize(self) -> builtins.int: ...
    def kron(self, other: Tensor) -> Tensor:
        r"""The Kronecker product: every element of `input` times the whole of `other`."""
    def kthvalue(self, k: builtins.int, dim: builtins.int = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
        r"""The `k`-th smallest element along `dim` (counted from 1), and its position."""
    @property
    def layout(self) -> Any: ...
    def lcm(self, other: Tensor) -> Tensor:
        r"""The least common multiple."""
    def lcm_(self, other: Tensor) -> Tensor: ...
    def ldexp(self, other: Any) -> Tensor:
        r"""`input * 2 ** other`."""
    def ldexp_(self, other: Any) -> Tensor: ...
    def le(self, other: Any) -> Tensor:
        r"""Element by element `numpy.less_equal(input, other)`, broadcast; a bool tensor."""
    def le_(self, other: Any) -> Tensor: ...
    def lerp(self, end: Tensor, weight: Any) -> Tensor:
        r"""`input + weight * (end - input)`, broadcast."""
    def lerp_(self, end: Tensor, weight: Any) -> Tensor: ...
    def less(self, other: Any) -> Tensor:
        r"""Element by element `numpy.less(input, other)`, broadcast; a bool tensor."""
    def less_(self, other: Any) -> Tensor: ...
    def less_equal(self, other: Any) -> Tensor:
        r"""Element by element `numpy.less_equal(input, other)`, broadcast; a bool tensor."""
    def less_equal_(self, other: Any) -> Tensor: ...
    def lgamma(self) -> Tensor:
        r"""The logarithm of |gamma(x)|."""
    def lgamma_(self) -> Tensor: ...
    def log(self) -> Tensor:
        r"""The natural logarithm."""
    def log10(self) -> Tensor:
        r"""The logarithm to base 10."""
    def log10_(self) -> Tensor: ...
    def log1p(self) -> Tensor:
        r"""log(1 + x), exact near 0."""
    def log1p_(self) -> Tensor: ...
    def log2(self) -> Tensor:
        r"""The logarithm to base 2."""
    def log2_(self) -> Tensor: ...
    def log_(self) -> Tensor: ...
    def log_normal_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def log_softmax(self, dim: builtins.int | None = ..., dtype: Any = ..., *, axis: Any = ...) -> Tensor:
        r"""log(softmax(x)) across `dim`, computed without ever taking the logarithm of 0."""
    def logaddexp(self, other: Tensor) -> Tensor:
        r"""log(exp(input) + exp(other))."""
    def logaddexp2(self, other: Tensor) -> Tensor:
        r"""log2(2**input + 2**other)."""
    def logcumsumexp(self, dim: builtins.int, *, axis: Any = ...) -> Tensor:
        r"""log(cumsum(exp(input))) along `dim`, without overflow."""
    def logdet(self) -> Tensor:
        r"""The logarithm of the determinants; NaN where they are negative."""
    def logical_and(self, other: Any) -> Tensor:
        r"""Element by element `numpy.logical_and(input, other)`, broadcast; a bool tensor."""
    def logical_and_(self, other: Any) -> Tensor: ...
    def logical_not(self) -> Tensor:
        r"""True where the element is zero."""
    def logical_not_(self) -> Tensor: ...
    def logical_or(self, other: Any) -> Tensor:
        r"""Element by element `numpy.logical_or(input, other)`, broadcast; a bool tensor."""
    def logical_or_(self, other: Any) -> Tensor: ...
    def logical_xor(self, other: Any) -> Tensor:
        r"""Element by element `numpy.logical_xor(input, other)`, broadcast; a bool tensor."""
    def logical_xor_(self, other: Any) -> Tensor: ...
    def logit(self, eps: builtins.float | None = ...) -> Tensor:
        r"""log(x / (1 - x)); with `eps`, x is first moved into [eps, 1 - eps]."""
    def logit_(self, eps: builtins.float | None = ...) -> Tensor: ...
    def logsumexp(self, dim: Any, keepdim: builtins.bool = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""log(sum(exp(x))) over `dim`, without overflow."""
    def long(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.int64."""
    def lstsq(self, *_: Any, **__: Any) -> Any:
        r"""Raises RuntimeError: `torch.linalg.lstsq` has taken its place."""
    def lt(self, other: Any) -> Tensor:
        r"""Element by element `numpy.less(input, other)`, broadcast; a bool tensor."""
    def lt_(self, other: Any) -> Tensor: ...
    def lu(self, pivot: builtins.bool = ..., get_infos: builtins.bool = ...) -> Any:
        r"""See `torch.linalg.lu_factor`."""
    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
        r"""X with A X = input, from `lu_factor(A)`."""
    @property
    def mH(self) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    def map2_(self, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor: ...
    def map_(self, other: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor: ...
    def masked_fill(self, mask: Tensor, value: Any) -> Tensor:
        r"""`value` (a number or a tensor of one) where the mask holds, else `input`; broadcast."""
    def masked_fill_(self, mask: Tensor, value: Any) -> Tensor: ...
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        r"""A copy of `input` with the elements of `source`, in order, where the mask holds."""
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor: ...
    def masked_select(self, mask: Tensor) -> Tensor:
        r"""The elements where the (broadcast) mask holds, as a vector."""
    def matmul(self, other: Tensor) -> Tensor:
        r"""The matrix product with NumPy's rules: vectors, matrices and broadcast batches (`@`)."""
    def matrix_exp(self) -> Tensor:
        r"""The exponential of matrices (..., n, n): the sum of A**k / k!."""
    def matrix_power(self, n: builtins.int) -> Tensor:
        r"""A multiplied with itself n times; the inverse's power for negative n."""
    def max(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., other: Any = ..., keepdims: Any = ...) -> Any:
        r"""The largest element; along `dim`, the largest elements and their positions; with a tensor, `maximum`."""
    def maximum(self, other: Tensor) -> Tensor:
        r"""The larger of each pair of elements."""
    def mean(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: builtins.bool = ...) -> Tensor:
        r"""The mean over `dim` (all dimensions by default) of a floating-point or complex tensor."""
    def median(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
        r"""The median, the lower one of two; along `dim` also its position. NaN if there is a NaN."""
    def min(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., other: Any = ..., keepdims: Any = ...) -> Any:
        r"""The smallest element; along `dim`, the smallest elements and their positions; with a tensor, `minimum`."""
    def minimum(self, other: Tensor) -> Tensor:
        r"""The smaller of each pair of elements."""
    def mm(self, mat2: Tensor) -> Tensor:
        r"""The product of two matrices."""
    def mode(self, dim: builtins.int = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
        r"""The most frequent element along `dim` (the smallest of several), and where it stands last."""
    def module_load(self, other: Tensor, assign: builtins.bool = ...) -> Tensor:
        r"""What a parameter or buffer becomes when `other` is loaded into it: this tensor with its numbers, or `other`."""
    def moveaxis(self, source: Any, destination: Any) -> Tensor:
        r"""Dimensions `source` moved to the places `destination`, the others in order."""
    def movedim(self, source: Any, destination: Any) -> Tensor:
        r"""Dimensions `source` moved to the places `destination`, the others in order."""
    def msort(self) -> Tensor:
        r"""The elements in order along the first dimension."""
    def mtia(self, *_: Any, **__: Any) -> Any:
        r"""Raises PyTorch's error for a build without MTIA."""
    def mul(self, other: Any) -> Tensor:
        r"""`input * other`, element by element, broadcast."""
    def mul_(self, other: Any) -> Tensor: ...
    def multinomial(self, num_samples: builtins.int, replacement: builtins.bool = ..., *, generator: Any = ..., out: Any = ...) -> Tensor:
        r"""`num_samples` positions drawn from each row of weights."""
    def multiply(self, other: Any) -> Tensor:
        r"""`input * other`, element by element, broadcast."""
    def multiply_(self, other: Any) -> Tensor: ...
    def mv(self, vec: Tensor) -> Tensor:
        r"""The product of a matrix and a vector."""
    def mvlgamma(self, p: builtins.int) -> Tensor:
        r"""The logarithm of the multivariate gamma function of dimension `p` >= 1."""
    def mvlgamma_(self, p: builtins.int) -> Tensor: ...
    @property
    def name(self) -> Any: ...
    @property
    def names(self) -> Any: ...
    def nan_to_num(self, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ...) -> Tensor:
        r"""NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest and smallest finite numbers)."""
    def nan_to_num_(self, nan: builtins.float | None = ..., posinf: builtins.float | None = ..., neginf: builtins.float | None = ...) -> Tensor: ...
    def nanmean(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The mean over `dim` (all by default) of the elements that are not NaN."""
    def nanmedian(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Any:
        r"""The median of the elements that are not NaN."""
    def nanquantile(self, q: Any, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, interpolation: str = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The quantiles of the elements that are not NaN."""
    def nansum(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The sum over `dim` (all by default), NaN counting as zero."""
    def narrow(self, dim: builtins.int, start: Any, length: builtins.int, *, axis: Any = ...) -> Tensor:
        r"""`length` elements of dimension `dim` from `start` on."""
    def narrow_copy(self, *args: Any, out: Any = ..., **kwargs: Any) -> Any:
        r"""`narrow`, but a copy instead of a view."""
    @property
    def nbytes(self) -> builtins.int: ...
    @property
    def ndim(self) -> builtins.int: ...
    def ndimension(self) -> builtins.int:
        r"""The number of dimensions."""
    def ne(self, other: Any) -> Tensor:
        r"""Element by element `numpy.not_equal(input, other)`, broadcast; a bool tensor."""
    def ne_(self, other: Any) -> Tensor: ...
    def neg(self) -> Tensor:
        r"""`-input`."""
    def neg_(self) -> Tensor: ...
    def negative(self) -> Tensor:
        r"""`-input`."""
    def negative_(self) -> Tensor: ...
    def nelement(self) -> builtins.int:
        r"""The number of elements."""
    def new(self, *args: Any, size: Any = ..., other: Any = ..., device: Any = ...) -> Tensor:
        r"""A tensor of this one's dtype from a size or from data (the old constructor)."""
    def new_empty(self, *args: Any, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., layout: Any = ..., pin_memory: builtins.bool = ..., **named: Any) -> Tensor:
        r"""`torch.empty` in the dtype and on the device of this tensor."""
    def new_empty_strided(self, size: Any, stride: Any, dtype: Any = ..., **options: Any) -> Tensor:
        r"""An empty tensor with the given size and strides, in this tensor's dtype."""
    def new_full(self, *args: Any, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., layout: Any = ..., pin_memory: builtins.bool = ..., **named: Any) -> Tensor:
        r"""`torch.full` in the dtype and on the device of this tensor."""
    def new_ones(self, *args: Any, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., layout: Any = ..., pin_memory: builtins.bool = ..., **named: Any) -> Tensor:
        r"""`torch.ones` in the dtype and on the device of this tensor."""
    def new_tensor(self, *args: Any, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., layout: Any = ..., pin_memory: builtins.bool = ..., **named: Any) -> Tensor:
        r"""`torch.tensor` in the dtype and on the device of this tensor."""
    def new_zeros(self, *args: Any, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ..., layout: Any = ..., pin_memory: builtins.bool = ..., **named: Any) -> Tensor:
        r"""`torch.zeros` in the dtype and on the device of this tensor."""
    def nextafter(self, other: Tensor) -> Tensor:
        r"""The next number after `input` towards `other`."""
    def nextafter_(self, other: Tensor) -> Tensor: ...
    def nonzero(self, *, out: Any = ..., as_tuple: builtins.bool = ...) -> Any:
        r"""The positions of the elements that are not zero: one row each, or one tensor a dimension."""
    def nonzero_static(self, *, size: builtins.int, fill_value: builtins.int = ...) -> Tensor:
        r"""The first `size` positions of elements that are not zero; missing rows are full of `fill_value`."""
    def norm(self, p: Any = ..., dim: Any = ..., keepdim: builtins.bool = ..., dtype: Any = ..., *, axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The p-norm over `dim` (all by default); "fro" is the 2-norm, "nuc" the sum of the singular values."""
    def normal_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def not_equal(self, other: Any) -> Tensor:
        r"""Element by element `numpy.not_equal(input, other)`, broadcast; a bool tensor."""
    def not_equal_(self, other: Any) -> Tensor: ...
    def numel(self) -> builtins.int:
        r"""The number of elements."""
    def numpy(self, *, force: builtins.bool = ...) -> np.ndarray:
        r"""The tensor as a NumPy array on the same memory: a change to one is seen in the other."""
    def orgqr(self, input2: Tensor) -> Tensor:
        r"""See `torch.linalg.householder_product`."""
    def ormqr(self, tau: Tensor, other: Tensor, left: builtins.bool = ..., transpose: builtins.bool = ...) -> Tensor:
        r"""`other` times the whole product Q of reflections: Q other, or other Q if not `left`; Q^H if `transpose`."""
    def outer(self, vec2: Tensor) -> Tensor:
        r"""The outer product of two vectors."""
    @property
    def output_nr(self) -> builtins.int: ...
    def permute(self, *order: Any, dims: Any = ...) -> Tensor:
        r"""The dimensions in another order."""
    def pin_memory(self, device: Any = ...) -> Tensor:
        r"""Page-locked memory serves accelerators; there is none, so the tensor itself."""
    def pinverse(self, rcond: builtins.float = ...) -> Tensor:
        r"""See `torch.linalg.pinv`."""
    def polygamma(self, n: builtins.int) -> Tensor:
        r"""See `torch.polygamma`."""
    def polygamma_(self, n: builtins.int) -> Tensor: ...
    def positive(self) -> Tensor:
        r"""`+input`: the tensor itself. Raises RuntimeError for a bool tensor."""
    def pow(self, exponent: Any) -> Tensor:
        r"""`input ** exponent`, broadcast."""
    def pow_(self, exponent: Any) -> Tensor: ...
    def prelu(self, weight: Tensor) -> Tensor:
        r"""x where x > 0, else weight * x, with one weight or one for each channel (dimension 1) (He et al. 2015)."""
    def prod(self, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The product of all elements, or along `dim`; integers and bools are multiplied as int64."""
    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = ...) -> Tensor:
        r"""A copy of `input`, read as one row, with `source` put (or added) at the positions `index`."""
    def put_(self, index: Tensor, source: Tensor, accumulate: builtins.bool = ...) -> Tensor: ...
    def q_per_channel_axis(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def q_per_channel_scales(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def q_per_channel_zero_points(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def q_scale(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def q_zero_point(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def qr(self, some: builtins.bool = ...) -> Any:
        r"""See `torch.linalg.qr`."""
    def qscheme(self) -> Any:
        r"""Raises PyTorch's error: only quantized tensors (`torch.quantize_per_tensor`) have it."""
    def quantile(self, q: Any, dim: builtins.int | None = ..., keepdim: builtins.bool = ..., *, interpolation: str = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The q-th quantiles (q a number or a vector in [0, 1]) along `dim`, or of all elements; those of q come first."""
    def rad2deg(self) -> Tensor:
        r"""Radians as degrees."""
    def rad2deg_(self) -> Tensor: ...
    def random_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def ravel(self) -> Tensor:
        r"""One dimension, without a copy where possible."""
    def realized_array(self) -> np.ndarray:
        r"""The tensor's numbers, computed now if they were not; for reading only."""
    def reciprocal(self) -> Tensor:
        r"""1 / x."""
    def reciprocal_(self) -> Tensor: ...
    def record_stream(self, s: Any) -> Any:
        r"""Raises PyTorch's error: the CPU has no streams that memory must wait for."""
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        r"""Calls `hook(grad)` when the gradient of the tensor is computed; what it returns replaces the gradient."""
    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Any:
        r"""Calls `hook(tensor)` after a gradient was accumulated into a leaf."""
    def reinforce(self, *_: Any, **__: Any) -> Any:
        r"""Raises RuntimeError: `the log_prob of a torch.distributions distribution` has taken its place."""
    def relu(self, inplace: builtins.bool = ...) -> Tensor:
        r"""max(x, 0), element by element (https://pytorch.org/docs/stable/generated/torch.nn.functional.relu.html)."""
    def relu_(self, inplace: builtins.bool = ...) -> Tensor: ...
    def remainder(self, other: Any) -> Tensor:
        r"""The remainder of division with the sign of the divisor, as Python's `%`."""
    def remainder_(self, other: Any) -> Tensor: ...
    def renorm(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float, *, axis: Any = ...) -> Tensor:
        r"""Slices along `dim` scaled down so that no p-norm exceeds `maxnorm`."""
    def renorm_(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float, *, axis: Any = ...) -> Tensor: ...
    def repeat(self, *sizes: Any, repeats: Any = ...) -> Tensor:
        r"""The tensor copied side by side, `repeats` times along each dimension; new dimensions come first."""
    def repeat_interleave(self= ..., repeats: Any = ..., dim: builtins.int | None = ..., *, output_size: builtins.int | None = ..., axis: Any = ...) -> Tensor:
        r"""Each element (slice along `dim`) `repeats` times, one after the other; without `dim`, of the flat tensor."""
    def requires_grad_(self, requires_grad: builtins.bool = ...) -> Tensor: ...
    def reshape(self, *sizes: Any, shape: Any = ...) -> Tensor:
        r"""The same numbers in another shape: a view where the strides allow it, else a copy."""
    def reshape_as(self, other: Tensor) -> Tensor:
        r"""`input.reshape(other.shape)`."""
    def resize(self, *sizes: Any) -> Tensor:
        r"""The tensor's elements in another shape of as many elements (deprecated in PyTorch; `reshape` is the same)."""
    def resize_(self, *sizes: Any, size: Any = ..., memory_format: Any = ...) -> Tensor: ...
    def resize_as(self, tensor: Tensor) -> Tensor:
        r"""`resize` to the other tensor's shape (deprecated in PyTorch)."""
    def resize_as_(self, the_template: Tensor, *, memory_format: Any = ...) -> Tensor: ...
    def resize_as_sparse_(self, *_: Any, **__: Any) -> Any: ...
    def resolve_conj(self) -> Tensor:
        r"""The tensor itself: conjugates are always carried out."""
    def resolve_neg(self) -> Tensor:
        r"""The tensor itself: negatives are always carried out."""
    def retain_grad(self) -> None:
        r"""Keeps `.grad` for a tensor that is no leaf."""
    @property
    def retains_grad(self) -> builtins.bool: ...
    def roll(self, shifts: Any, dims: Any = ...) -> Tensor:
        r"""The elements moved by `shifts` along `dims`, those that leave at the end coming back in front."""
    def rot90(self, k: builtins.int = ..., dims: Sequence[builtins.int] = ...) -> Tensor:
        r"""The plane of `dims` turned by `k` times 90 degrees, from the first towards the second."""
    def round(self, *, decimals: builtins.int = ...) -> Tensor:
        r"""Rounded to `decimals` places, halves to the even neighbour."""
    def round_(self, *, decimals: builtins.int = ...) -> Tensor: ...
    def row_indices(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def rrelu_(self, lower: builtins.float = ..., upper: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., generator: Any = ...) -> Tensor: ...
    def rsqrt(self) -> Tensor:
        r"""1 / sqrt(x)."""
    def rsqrt_(self) -> Tensor: ...
    def scatter(self, dim: builtins.int, index: Tensor, src: Any = ..., *, value: Any = ..., reduce: Any = ..., axis: Any = ...) -> Tensor:
        r"""A copy of `input` with `src` (a tensor or a number) at the positions `index` along `dim`."""
    def scatter_(self, dim: builtins.int, index: Tensor, src: Any = ..., *, value: Any = ..., reduce: Any = ..., axis: Any = ...) -> Tensor: ...
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor, *, axis: Any = ...) -> Tensor:
        r"""A copy of `input` with `src` added at the positions `index` along `dim`."""
    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor, *, axis: Any = ...) -> Tensor: ...
    def scatter_reduce(self, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor:
        r"""A copy of `input` where the elements of `src` that `index` sends to one place along `dim` are combined."""
    def scatter_reduce_(self, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ..., axis: Any = ...) -> Tensor: ...
    def select(self, dim: builtins.int, index: builtins.int, *, axis: Any = ...) -> Tensor:
        r"""The part of `input` at `index` of dimension `dim`, which disappears."""
    def select_scatter(self, src: Tensor, dim: builtins.int, index: builtins.int, *, axis: Any = ...) -> Tensor:
        r"""A copy of `input` whose slice `index` along `dim` is `src`."""
    def selu_(self, inplace: builtins.bool = ...) -> Tensor: ...
    def set_(self, source: Any = ..., storage_offset: builtins.int = ..., size: Any = ..., stride: Any = ...) -> Tensor: ...
    def sgn(self) -> Tensor:
        r"""x / |x|; for real numbers, the sign."""
    def sgn_(self) -> Tensor: ...
    @property
    def shape(self) -> Any: ...
    def share_memory_(self) -> Tensor: ...
    def short(self, memory_format: Any = ...) -> Tensor:
        r"""The tensor as torch.int16."""
    def sigmoid(self) -> Tensor:
        r"""1 / (1 + exp(-x))."""
    def sigmoid_(self) -> Tensor: ...
    def sign(self) -> Tensor:
        r"""-1, 0 or 1: the sign."""
    def sign_(self) -> Tensor: ...
    def signbit(self) -> Tensor:
        r"""True where the sign bit is set (-0. included)."""
    def sin(self) -> Tensor:
        r"""The sine."""
    def sin_(self) -> Tensor: ...
    def sinc(self) -> Tensor:
        r"""sin(pi x) / (pi x), 1 at 0."""
    def sinc_(self) -> Tensor: ...
    def sinh(self) -> Tensor:
        r"""The hyperbolic sine."""
    def sinh_(self) -> Tensor: ...
    def size(self, dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
        r"""The shape, or the size of one dimension."""
    def slice(self, dim: builtins.int = ..., start: builtins.int | None = ..., end: builtins.int | None = ..., step: builtins.int = ..., *, axis: Any = ...) -> Tensor:
        r"""`input[start:end:step]` along `dim`; as a method, what PyTorch calls `aten::slice`."""
    def slice_scatter(self, src: Tensor, dim: builtins.int = ..., start: builtins.int | None = ..., end: builtins.int | None = ..., step: builtins.int = ..., *, axis: Any = ...) -> Tensor:
        r"""A copy of `input` whose part `start:end:step` along `dim` is `src`."""
    def slogdet(self) -> Any:
        r"""See `torch.linalg.slogdet`."""
    def smm(self, mat: Tensor) -> Tensor:
        r"""The product of a sparse and a dense matrix as a sparse one."""
    def softmax(self, dim: builtins.int | None = ..., dtype: Any = ..., *, axis: Any = ...) -> Tensor:
        r"""exp(x) / sum(exp(x)) across `dim`; with `dtype`, computed in that dtype."""
    def solve(self, *_: Any, **__: Any) -> Any:
        r"""Raises RuntimeError: `torch.linalg.solve` has taken its place."""
    def sort(self, dim: Any = ..., descending: builtins.bool = ..., stable: Any = ..., *, out: Any = ..., axis: Any = ...) -> Any:
        r"""The elements in order along `dim` (the last by default), and the positions they came from."""
    def sparse_dim(self) -> builtins.int:
        r"""0: no dimension is sparse."""
    def sparse_mask(self, mask: Tensor) -> Tensor:
        r"""The elements at the positions of `mask`, a tensor of layout sparse_coo."""
    def sparse_resize_(self, *_: Any, **__: Any) -> Any: ...
    def sparse_resize_and_clear_(self, *_: Any, **__: Any) -> Any: ...
    def split(self, split_size_or_sections: Any, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""Pieces of `tensor` along `dim`: all of one size (the last may be smaller), or of the sizes given."""
    def split_with_sizes(self, split_sizes: Sequence[builtins.int], dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""`input.split(split_sizes, dim)`."""
    def sqrt(self) -> Tensor:
        r"""The square root."""
    def sqrt_(self) -> Tensor: ...
    def square(self) -> Tensor:
        r"""x * x."""
    def square_(self) -> Tensor: ...
    def squeeze(self, dim: Any = ..., *, axis: Any = ...) -> Tensor:
        r"""Without the dimensions of size 1, or without those among `dim`."""
    def squeeze_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def std(self, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The standard deviation over `dim` (all by default): the root of `var`."""
    def stft(self, n_fft: builtins.int, hop_length: builtins.int | None = ..., win_length: builtins.int | None = ..., window: Tensor | None = ..., center: builtins.bool = ..., pad_mode: str = ..., normalized: builtins.bool = ..., onesided: builtins.bool | None = ..., return_complex: builtins.bool | None = ..., align_to_window: builtins.bool | None = ...) -> Tensor:
        r"""Fourier transforms of the windows of a signal (time) or (batch, time): (batch, frequency, frame)."""
    def storage(self) -> Any:
        r"""The memory that this tensor and its views share, counted in elements."""
    def storage_offset(self) -> builtins.int:
        r"""Where the tensor starts in its storage, in elements."""
    def storage_type(self) -> Any:
        r"""The type of `storage()`."""
    def stride(self, dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
        r"""The steps in memory between neighbours of each dimension, in elements."""
    def sub(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor:
        r"""`input - alpha * other`, broadcast."""
    def sub_(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
    def subtract(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor:
        r"""`input - alpha * other`, broadcast."""
    def subtract_(self, other: Any, scaled: Tensor | None = ..., *, alpha: Any = ...) -> Tensor: ...
    def sum(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Any = ..., axis: Any = ..., keepdims: builtins.bool = ...) -> Tensor:
        r"""The sum over `dim` (all dimensions by default); integers and bools are summed as int64."""
    def sum_to_size(self, *sizes: Any, size: Any = ...) -> Tensor:
        r"""The sum over dimensions that broadcasting `size` to the tensor's shape would repeat."""
    def svd(self, some: builtins.bool = ..., compute_uv: builtins.bool = ...) -> Any:
        r"""U, S, V with input = U diag(S) V^H (`torch.linalg.svd` gives V^H); zeros for U and V without `compute_uv`."""
    def swapaxes(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        r"""Dimensions `dim0` and `dim1` exchanged."""
    def swapaxes_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def swapdims(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        r"""Dimensions `dim0` and `dim1` exchanged."""
    def swapdims_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def symeig(self, *_: Any, **__: Any) -> Any:
        r"""Raises RuntimeError: `torch.linalg.eigh` has taken its place."""
    def t(self) -> Tensor:
        r"""The transpose of a matrix; a vector or a number as it is."""
    def t_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def take(self, index: Tensor) -> Tensor:
        r"""The elements of `input`, read as one row, at the positions `index`."""
    def take_along_dim(self, indices: Tensor, dim: builtins.int | None = ..., *, axis: Any = ...) -> Tensor:
        r"""`gather` whose operands are broadcast along the other dimensions; without `dim`, `take`."""
    def tan(self) -> Tensor:
        r"""The tangent."""
    def tan_(self) -> Tensor: ...
    def tanh(self) -> Tensor:
        r"""The hyperbolic tangent."""
    def tanh_(self) -> Tensor: ...
    def tensor_split(self, indices_or_sections: Any = ..., dim: builtins.int = ..., *, indices: Any = ..., sections: Any = ..., tensor_indices_or_sections: Any = ..., axis: Any = ...) -> tuple[Tensor, ...]:
        r"""Views of `input` along `dim`: so many nearly equal parts, or cut before the given indices."""
    def threshold_(self, threshold: builtins.float, value: builtins.float, inplace: builtins.bool = ...) -> Tensor: ...
    def tile(self, *sizes: Any, dims: Any = ...) -> Tensor:
        r"""`repeat`, where missing repetitions in front count as 1."""
    def to(self, *args: Any, dtype: Any = ..., device: Any = ..., non_blocking: builtins.bool = ..., copy: builtins.bool = ..., memory_format: Any = ...) -> Tensor:
        r"""The tensor in another dtype or on another device; the tensor itself if it is there already."""
    def to_dense(self, dtype: Any = ..., *, masked_grad: builtins.bool | None = ...) -> Tensor:
        r"""The tensor itself, in another dtype where one is given."""
    def to_padded_tensor(self, padding: builtins.float, output_size: Any = ...) -> Any:
        r"""Raises PyTorch's error: only nested tensors (`torch.nested`) have components to be padded."""
    def to_sparse(self, sparse_dim: builtins.int | None = ..., *, layout: Any = ..., blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in a sparse layout (sparse_coo)."""
    def to_sparse_bsc(self, blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in layout torch.sparse_bsc."""
    def to_sparse_bsr(self, blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in layout torch.sparse_bsr."""
    def to_sparse_coo(self, blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in layout torch.sparse_coo."""
    def to_sparse_csc(self, blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in layout torch.sparse_csc."""
    def to_sparse_csr(self, blocksize: Any = ..., dense_dim: builtins.int | None = ...) -> Tensor:
        r"""The elements that are not zero, in layout torch.sparse_csr."""
    def tolist(self) -> Any:
        r"""The tensor as nested lists of Python numbers; a number for a 0-dimensional tensor."""
    def topk(self, k: Any, dim: builtins.int = ..., largest: builtins.bool = ..., sorted: builtins.bool = ..., *, out: Any = ..., axis: Any = ...) -> Any:
        r"""The `k` largest (or smallest) elements along `dim` in order, and their positions."""
    def trace(self) -> Tensor:
        r"""The sum of the diagonal of a matrix."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        r"""Dimensions `dim0` and `dim1` exchanged."""
    def transpose_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def triangular_solve(self, A: Tensor, upper: builtins.bool = ..., transpose: builtins.bool = ..., unitriangular: builtins.bool = ...) -> Any:
        r"""See `torch.linalg.solve_triangular`, which takes its arguments the other way round."""
    def tril(self, diagonal: builtins.int = ...) -> Tensor:
        r"""The lower triangle of each matrix, up to `diagonal`; zeros elsewhere."""
    def tril_(self, diagonal: builtins.int = ...) -> Tensor: ...
    def triu(self, diagonal: builtins.int = ...) -> Tensor:
        r"""The upper triangle of each matrix, from `diagonal` on; zeros elsewhere."""
    def triu_(self, diagonal: builtins.int = ...) -> Tensor: ...
    def true_divide(self, other: Any) -> Tensor:
        r"""`input / other`, never rounded to an integer."""
    def true_divide_(self, other: Any) -> Tensor: ...
    def trunc(self) -> Tensor:
        r"""Rounded towards zero."""
    def trunc_(self) -> Tensor: ...
    def type(self, dtype: Any = ..., non_blocking: builtins.bool = ...) -> Any:
        r"""The name of the tensor's type (`torch.FloatTensor`), or the tensor in another dtype."""
    def type_as(self, other: Tensor) -> Tensor:
        r"""The tensor in the dtype of `other`."""
    def unbind(self, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""All parts along `dim`, without that dimension."""
    def unflatten(self, dim: builtins.int, sizes: Any, *, axis: Any = ...) -> Tensor:
        r"""Dimension `dim` split into `sizes` (one of them may be -1)."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        r"""All windows of `size` along `dimension`, `step` apart, as a view with one more dimension."""
    def uniform_(self, *args: Any, generator: Any = ..., **options: Any) -> Tensor: ...
    def unique(self, sorted: builtins.bool = ..., return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
        r"""The distinct elements (or slices along `dim`) in order; also where each element went, and how often each occurs."""
    def unique_consecutive(self, return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ..., *, axis: Any = ...) -> Any:
        r"""The elements (or slices along `dim`) without those equal to the one before."""
    def unsafe_chunk(self, chunks: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""`chunk`, whose parts are no views."""
    def unsafe_split(self, split_size: builtins.int, dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""`split`, whose parts are no views."""
    def unsafe_split_with_sizes(self, split_sizes: Sequence[builtins.int], dim: builtins.int = ..., *, axis: Any = ...) -> tuple[Tensor, ...]:
        r"""`split_with_sizes`, whose parts are no views."""
    def unsqueeze(self, dim: builtins.int, *, axis: Any = ...) -> Tensor:
        r"""With a new dimension of size 1 at `dim`."""
    def unsqueeze_(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def untyped_storage(self) -> Any:
        r"""The memory that this tensor and its views share."""
    def values(self) -> Any:
        r"""Raises RuntimeError: the tensor is dense."""
    def var(self, dim: Any = ..., unbiased: builtins.bool | None = ..., keepdim: builtins.bool = ..., *, correction: Any = ..., axis: Any = ..., keepdims: Any = ...) -> Tensor:
        r"""The variance over `dim` (all by default): squared distances from the mean over count - `correction` (1)."""
    def vdot(self, other: Tensor) -> Tensor:
        r"""The inner product of two vectors, the first conjugated."""
    def view(self, *sizes: Any, size: Any = ..., dtype: Any = ...) -> Tensor:
        r"""The same memory in another shape, which must fit the strides; or, given a dtype, read as that dtype."""
    def view_as(self, other: Tensor) -> Tensor:
        r"""`input.view(other.shape)`."""
    @property
    def volatile(self) -> builtins.bool: ...
    def vsplit(self, *given: Any, sections: Any = ..., indices: Any = ...) -> tuple[Tensor, ...]:
        r"""`tensor_split` along dimension 0 of a matrix; the parts must be equal."""
    def where(self, condition: Tensor, other: Any) -> Tensor:
        r"""`torch.where(condition, self, other)`."""
    def xlogy(self, other: Any) -> Tensor:
        r"""input * log(other), 0 where input is 0 (unless other is NaN)."""
    def xlogy_(self, other: Any) -> Tensor: ...
    def xpu(self, *_: Any, **__: Any) -> Any:
        r"""Raises PyTorch's error for a build without XPU."""
    def zero_(self) -> Tensor: ...
