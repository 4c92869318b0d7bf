"""The names of `torch.nn.functional`. Written by benchmarks/type_stubs.py."""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.record.value import Tensor

def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    r"""Averages over as many windows as `output_size` says. Shapes: (N, C, L) or (C, L)."""
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    r"""Averages over as many windows as `output_size` says (None: as many as there are numbers). Shapes: (N, C, H, W)"""
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    r"""Averages over as many windows as `output_size` says. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: builtins.bool = ...) -> Any:
    r"""Maxima over as many windows as `output_size` says. Shapes: (N, C, L) or (C, L)."""
def adaptive_max_pool1d_with_indices(*args: Any, **kwargs: Any) -> Any:
    r"""`adaptive_max_pool1d` with `return_indices=True`."""
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: builtins.bool = ...) -> Any:
    r"""Maxima over as many windows as `output_size` says. Shapes: (N, C, H, W) or (C, H, W)."""
def adaptive_max_pool2d_with_indices(*args: Any, **kwargs: Any) -> Any:
    r"""`adaptive_max_pool2d` with `return_indices=True`."""
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: builtins.bool = ...) -> Any:
    r"""Maxima over as many windows as `output_size` says. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
def adaptive_max_pool3d_with_indices(*args: Any, **kwargs: Any) -> Any:
    r"""`adaptive_max_pool3d` with `return_indices=True`."""
def affine_grid(theta: Tensor, size: Any, align_corners: builtins.bool | None = ...) -> Tensor:
    r"""The places in [-1, 1] that an affine map sends an image's pixels to, for `grid_sample`."""
def alpha_dropout(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., *, train: builtins.bool | None = ...) -> Tensor:
    r"""Dropout that keeps mean and variance, for networks of SELUs (Klambauer et al. 2017)."""
def avg_pool1d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., ceil_mode: builtins.bool = ..., count_include_pad: builtins.bool = ...) -> Tensor:
    r"""`avg_pool2d` for signals: (N, C, L) or (C, L)."""
def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., ceil_mode: builtins.bool = ..., count_include_pad: builtins.bool = ..., divisor_override: builtins.int | None = ...) -> Tensor:
    r"""The average of each window. Shapes: (N, C, H, W) or (C, H, W) to (N, C, H', W')."""
def avg_pool3d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., ceil_mode: builtins.bool = ..., count_include_pad: builtins.bool = ..., divisor_override: builtins.int | None = ...) -> Tensor:
    r"""`avg_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""
def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = ..., bias: Tensor | None = ..., training: builtins.bool = ..., momentum: builtins.float = ..., eps: builtins.float = ...) -> Tensor:
    r"""Each channel with mean 0 and variance 1 over the batch, then times `weight` plus `bias` (Ioffe and Szegedy 2015)."""
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = ...) -> Tensor:
    r"""`input1 @ weight[k] @ input2 + bias[k]` for each output k."""
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""-(y log(x) + (1 - y) log(1 - x)), the logarithms no less than -100"""
def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ..., pos_weight: Tensor | None = ...) -> Tensor:
    r"""`binary_cross_entropy` of sigmoid(input), safe from overflow; `pos_weight` multiplies the part of the positive"""
def celu(input: Tensor, alpha: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017)."""
def celu_(input: Tensor, alpha: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor: ...
def channel_shuffle(input: Tensor, groups: builtins.int) -> Tensor:
    r"""The channels of (N, C, *) dealt out: groups x C / groups transposed (Zhang et al. 2017)."""
def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: builtins.int = ...) -> Tensor:
    r"""The cross-correlation of a batch of signals with filters"""
def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: builtins.int = ...) -> Tensor:
    r"""The cross-correlation of a batch of images with filters"""
def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., dilation: Any = ..., groups: builtins.int = ...) -> Tensor:
    r"""The cross-correlation of a batch of volumes with filters."""
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: builtins.int = ...) -> Tensor:
    r"""`conv1d` with time first: input (T, N, C), weight (K, C, O), bias (O); result (T', N, O)."""
def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., output_padding: Any = ..., groups: builtins.int = ..., dilation: Any = ...) -> Tensor:
    r"""The adjoint of `conv1d` in its input. Shapes: input (N, C, L) or (C, L), weight (C, O / groups, K); result (N,"""
def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., output_padding: Any = ..., groups: builtins.int = ..., dilation: Any = ...) -> Tensor:
    r"""The adjoint of `conv2d` in its input, which enlarges images"""
def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = ..., stride: Any = ..., padding: Any = ..., output_padding: Any = ..., groups: builtins.int = ..., dilation: Any = ...) -> Tensor:
    r"""The adjoint of `conv3d` in its input. Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (C, O / groups, Kd,"""
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: builtins.float = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""1 - cos(input1, input2) where the target is 1, max(0, cos(input1, input2) - margin) where it is -1."""
def cosine_similarity(x1: Tensor, x2: Tensor, dim: builtins.int = ..., eps: builtins.float = ..., *, axis: Any = ...) -> Tensor:
    r"""x1 . x2 / (|x1| |x2|) over `dim`, each norm at least `eps`; broadcast."""
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = ..., size_average: Any = ..., ignore_index: builtins.int = ..., reduce: Any = ..., reduction: str = ..., label_smoothing: builtins.float = ...) -> Tensor:
    r"""Softmax and negative log-likelihood in one: the loss of a classifier that returns unnormalised scores"""
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: builtins.int = ..., reduction: Any = ..., zero_infinity: builtins.bool = ...) -> Tensor:
    r"""The negative log-likelihood of label sequences"""
def dropout(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., *, train: builtins.bool | None = ...) -> Tensor:
    r"""While training, sets each number to zero with probability `p` and divides the others by 1 - p (Hinton et al."""
def dropout1d(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""Dropout of whole channels. Shapes: (N, C, L) or (C, L)."""
def dropout2d(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""Dropout of whole channels. Shapes: (N, C, H, W); (N, C, L) is taken, with a warning, as a batch too."""
def dropout3d(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""Dropout of whole channels. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
def elu(input: Tensor, alpha: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015)."""
def elu_(input: Tensor, alpha: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor: ...
def embedding(input: Tensor, weight: Tensor, padding_idx: builtins.int | None = ..., max_norm: builtins.float | None = ..., norm_type: builtins.float = ..., scale_grad_by_freq: builtins.bool = ..., sparse: builtins.bool = ...) -> Tensor:
    r"""The rows of `weight` that `input` names"""
def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = ..., max_norm: builtins.float | None = ..., norm_type: builtins.float = ..., scale_grad_by_freq: builtins.bool = ..., mode: str = ..., sparse: builtins.bool = ..., per_sample_weights: Tensor | None = ..., include_last_offset: builtins.bool = ..., padding_idx: builtins.int | None = ...) -> Tensor:
    r"""Sums, means or maxima of bags of rows of `weight`"""
def feature_alpha_dropout(input: Tensor, p: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., *, train: builtins.bool | None = ...) -> Tensor:
    r"""`alpha_dropout` of whole channels."""
def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = ..., padding: Any = ..., stride: Any = ...) -> Tensor:
    r"""The adjoint of `unfold`: columns added up to images, (N, C * kernel, windows) to (N, C, *output_size)."""
def fractional_max_pool2d(input: Tensor, kernel_size: Any, output_size: Any = ..., output_ratio: Any = ..., return_indices: builtins.bool = ..., _random_samples: Tensor | None = ...) -> Any:
    r"""Maxima over windows that begin at random places (Graham 2014). Shapes: (N, C, H, W) or (C, H, W)."""
def fractional_max_pool2d_with_indices(*args: Any, **kwargs: Any) -> Any:
    r"""`fractional_max_pool2d` with `return_indices=True`."""
def fractional_max_pool3d(input: Tensor, kernel_size: Any, output_size: Any = ..., output_ratio: Any = ..., return_indices: builtins.bool = ..., _random_samples: Tensor | None = ...) -> Any:
    r"""Maxima over windows that begin at random places. Shapes: (N, C, T, H, W) or (C, T, H, W)."""
def fractional_max_pool3d_with_indices(*args: Any, **kwargs: Any) -> Any:
    r"""`fractional_max_pool3d` with `return_indices=True`."""
def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: builtins.bool = ..., eps: builtins.float = ..., reduction: str = ...) -> Tensor:
    r"""The negative log-likelihood of `target` under normal distributions with mean `input` and variance `var`, which"""
def gelu(input: Tensor, approximate: str = ...) -> Tensor:
    r"""x times the probability that a standard normal number is below x; `approximate="tanh"` for the quick formula."""
def glu(input: Tensor, dim: builtins.int = ..., *, axis: Any = ...) -> Tensor:
    r"""The first half of `dim` times the sigmoid of the second half (Dauphin et al. 2016)."""
def grid_sample(input: Tensor, grid: Tensor, mode: str = ..., padding_mode: str = ..., align_corners: builtins.bool | None = ...) -> Tensor:
    r"""The image's values at the places of a grid, interpolated"""
def group_norm(input: Tensor, num_groups: builtins.int, weight: Tensor | None = ..., bias: Tensor | None = ..., eps: builtins.float = ...) -> Tensor:
    r"""Mean 0 and variance 1 over each example's groups of channels, then for each channel a scale and a shift (Wu and"""
def gumbel_softmax(logits: Tensor, tau: builtins.float = ..., hard: builtins.bool = ..., eps: builtins.float = ..., dim: builtins.int = ..., *, axis: Any = ...) -> Tensor:
    r"""A sample from the Gumbel-Softmax distribution (Jang et al. 2016); `hard` makes it one-hot, with the soft"""
def hardshrink(input: Tensor, lambd: builtins.float = ...) -> Tensor:
    r"""x where |x| > lambd, else 0."""
def hardsigmoid(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""min(max(x + 3, 0), 6) / 6."""
def hardswish(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""
def hardtanh(input: Tensor, min_val: builtins.float = ..., max_val: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""x moved into [min_val, max_val]; the slope is 0 at and outside the bounds."""
def hardtanh_(input: Tensor, min_val: builtins.float = ..., max_val: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor: ...
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: builtins.float = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""x where the target is 1, max(0, margin - x) where it is -1."""
def huber_loss(input: Tensor, target: Tensor, reduction: str = ..., delta: builtins.float = ..., weight: Tensor | None = ...) -> Tensor:
    r"""0.5 * z**2 where |z| <= delta, else delta * (|z| - 0.5 * delta), for z = input - target (Huber 1964)."""
def instance_norm(input: Tensor, running_mean: Tensor | None = ..., running_var: Tensor | None = ..., weight: Tensor | None = ..., bias: Tensor | None = ..., use_input_stats: builtins.bool = ..., momentum: builtins.float = ..., eps: builtins.float = ...) -> Tensor:
    r"""Each channel of each example with mean 0 and variance 1, then times `weight` plus `bias` (Ulyanov et al. 2016)."""
def interpolate(input: Tensor, size: Any = ..., scale_factor: Any = ..., mode: str = ..., align_corners: builtins.bool | None = ..., recompute_scale_factor: builtins.bool | None = ..., antialias: builtins.bool = ...) -> Tensor:
    r"""The input in another size, given by `size` or `scale_factor`"""
def kl_div(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ..., log_target: builtins.bool = ...) -> Tensor:
    r"""The Kullback-Leibler divergence target * (log(target) - input), where `input` holds log-probabilities."""
def l1_loss(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ..., weight: Tensor | None = ...) -> Tensor:
    r"""The mean (or sum, or each) of |input - target|."""
def layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = ..., bias: Tensor | None = ..., eps: builtins.float = ..., cudnn_enable: builtins.bool = ...) -> Tensor:
    r"""Mean 0 and variance 1 over the last dimensions, then times `weight` plus `bias` (Ba et al. 2016)."""
def leaky_relu(input: Tensor, negative_slope: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor:
    r"""x where x > 0, else negative_slope * x."""
def leaky_relu_(input: Tensor, negative_slope: builtins.float = ..., inplace: builtins.bool = ...) -> Tensor: ...
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = ...) -> Tensor:
    r"""`input @ weight.T + bias` (https://pytorch.org/docs/stable/generated/torch.nn.functional.linear.html)."""
def local_response_norm(input: Tensor, size: builtins.int, alpha: builtins.float = ..., beta: builtins.float = ..., k: builtins.float = ...) -> Tensor:
    r"""The input divided by (k + alpha * mean of squares over `size` neighbouring channels) ** beta (Krizhevsky et al."""
def log_softmax(input: Tensor, dim: builtins.int | None = ..., _stacklevel: Any = ..., dtype: Any = ..., *, axis: Any = ...) -> Tensor:
    r"""log(softmax(x)) across `dim`, computed without ever taking the logarithm of 0."""
def logsigmoid(input: Tensor) -> Tensor:
    r"""log(1 / (1 + exp(-x)))."""
def lp_pool1d(input: Tensor, norm_type: builtins.float, kernel_size: Any, stride: Any = ..., ceil_mode: builtins.bool = ...) -> Tensor:
    r"""The p-th root of the sum of p-th powers in each window. Shapes: (N, C, L) or (C, L)."""
def lp_pool2d(input: Tensor, norm_type: builtins.float, kernel_size: Any, stride: Any = ..., ceil_mode: builtins.bool = ...) -> Tensor:
    r"""The p-th root of the sum of p-th powers in each window. Shapes: (N, C, H, W) or (C, H, W)."""
def lp_pool3d(input: Tensor, norm_type: builtins.float, kernel_size: Any, stride: Any = ..., ceil_mode: builtins.bool = ...) -> Tensor:
    r"""The p-th root of the sum of p-th powers in each window. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: builtins.float = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""max(0, -target * (input1 - input2) + margin): the first should be larger where the target is 1, smaller where it"""
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> Any:
    r"""`max_pool2d` for signals: (N, C, L) or (C, L)."""
def max_pool1d_with_indices(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> tuple[Tensor, Tensor]:
    r"""`max_pool1d` with `return_indices=True`."""
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> Any:
    r"""The largest number in each window"""
def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> tuple[Tensor, Tensor]:
    r"""`max_pool2d` with `return_indices=True`."""
def max_pool3d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> Any:
    r"""`max_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""
def max_pool3d_with_indices(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ..., ceil_mode: builtins.bool = ..., return_indices: builtins.bool = ...) -> tuple[Tensor, Tensor]:
    r"""`max_pool3d` with `return_indices=True`."""
def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., output_size: Any = ...) -> Tensor:
    r"""The inverse of `max_pool1d` as far as there is one: maxima back in their places, zeros elsewhere."""
def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., output_size: Any = ...) -> Tensor:
    r"""The inverse of `max_pool2d` as far as there is one: maxima back in their places, zeros elsewhere."""
def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., output_size: Any = ...) -> Tensor:
    r"""The inverse of `max_pool3d` as far as there is one: maxima back in their places, zeros elsewhere."""
def mish(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""x * tanh(softplus(x)) (Misra 2019)."""
def mse_loss(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ..., weight: Tensor | None = ...) -> Tensor:
    r"""The mean (or sum, or each) of (input - target)**2"""
def multi_head_attention_forward(query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: builtins.int, num_heads: builtins.int, in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: builtins.bool, dropout_p: builtins.float, out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: builtins.bool = ..., key_padding_mask: Tensor | None = ..., need_weights: builtins.bool = ..., attn_mask: Tensor | None = ..., use_separate_proj_weight: builtins.bool = ..., q_proj_weight: Tensor | None = ..., k_proj_weight: Tensor | None = ..., v_proj_weight: Tensor | None = ..., static_k: Tensor | None = ..., static_v: Tensor | None = ..., average_attn_weights: builtins.bool = ..., is_causal: builtins.bool = ...) -> tuple[Tensor, Tensor | None]:
    r"""Multi-head attention with its projections: what `nn.MultiheadAttention` computes."""
def multi_margin_loss(input: Tensor, target: Tensor, p: builtins.int = ..., margin: builtins.float = ..., weight: Tensor | None = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""The mean over the classes of max(0, margin - x[target] + x[i]) ** p, without the target's own."""
def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""Sums max(0, 1 - x[label] + x[other]) over an example's labels and the other classes, divided by the number of"""
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""The mean over the classes of the binary cross entropy of sigmoid(input). Shapes: input and target (N, C) or"""
def native_channel_shuffle(input: Tensor, groups: builtins.int) -> Tensor:
    r"""The channels of (N, C, *) dealt out: groups x C / groups transposed (Zhang et al. 2017)."""
def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = ..., size_average: Any = ..., ignore_index: builtins.int = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""The negative log-likelihood of the target classes, weighted by `weight` of each class"""
def normalize(input: Tensor, p: builtins.float = ..., dim: Any = ..., eps: builtins.float = ..., out: Tensor | None = ..., *, axis: Any = ...) -> Tensor:
    r"""The input divided by its p-norm over `dim`, which counts as at least `eps`."""
def one_hot(tensor: Tensor, num_classes: builtins.int = ...) -> Tensor:
    r"""A vector for each class index, with 1 in its place and 0 elsewhere."""
def pad(input: Tensor, pad: Any, mode: str = ..., value: builtins.float | None = ...) -> Tensor:
    r"""The tensor with numbers around its last dimensions"""
def pairwise_distance(x1: Tensor, x2: Tensor, p: builtins.float = ..., eps: builtins.float = ..., keepdim: builtins.bool = ..., *, keepdims: Any = ...) -> Tensor:
    r"""The p-norm of x1 - x2 + eps over the last dimension."""
def pdist(input: Tensor, p: builtins.float = ...) -> Tensor:
    r"""The p-norm distances between all pairs of rows i < j: (N, M) to (N (N - 1) / 2)."""
def pixel_shuffle(input: Tensor, upscale_factor: builtins.int) -> Tensor:
    r"""Channels spread over space: (*, C r**2, H, W) to (*, C, H r, W r) (Shi et al. 2016)."""
def pixel_unshuffle(input: Tensor, downscale_factor: builtins.int) -> Tensor:
    r"""The inverse of `pixel_shuffle`: (*, C, H r, W r) to (*, C r**2, H, W)."""
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: builtins.bool = ..., full: builtins.bool = ..., size_average: Any = ..., eps: builtins.float = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""The negative log-likelihood of counts `target` under Poisson distributions with rate exp(input), or input where"""
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    r"""x where x > 0, else weight * x, with one weight or one for each channel (dimension 1) (He et al. 2015)."""
def relu(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""max(x, 0), element by element (https://pytorch.org/docs/stable/generated/torch.nn.functional.relu.html)."""
def relu6(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""min(max(x, 0), 6)."""
def relu_(input: Tensor, inplace: builtins.bool = ...) -> Tensor: ...
def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = ..., eps: builtins.float | None = ...) -> Tensor:
    r"""The input divided by its root mean square over the last dimensions, times `weight` (Zhang and Sennrich 2019)."""
def rrelu(input: Tensor, lower: builtins.float = ..., upper: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., generator: Any = ...) -> Tensor:
    r"""Leaky ReLU whose slope is drawn from [lower, upper] for each element while training, else their mean (Xu et al."""
def rrelu_(input: Tensor, lower: builtins.float = ..., upper: builtins.float = ..., training: builtins.bool = ..., inplace: builtins.bool = ..., generator: Any = ...) -> Tensor: ...
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = ..., dropout_p: builtins.float = ..., is_causal: builtins.bool = ..., scale: builtins.float | None = ..., enable_gqa: builtins.bool = ...) -> Tensor:
    r"""softmax(query @ key.T * scale + mask) @ value"""
def selu(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""The exponential linear unit that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
def selu_(input: Tensor, inplace: builtins.bool = ...) -> Tensor: ...
def sigmoid(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""1 / (1 + exp(-x))."""
def sigmoid_(input: Tensor) -> Tensor: ...
def silu(input: Tensor, inplace: builtins.bool = ...) -> Tensor:
    r"""x * sigmoid(x), also called swish (Hendrycks and Gimpel 2016)."""
def smooth_l1_loss(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ..., beta: builtins.float = ...) -> Tensor:
    r"""0.5 * z**2 / beta where |z| < beta, else |z| - 0.5 * beta, for z = input - target (Girshick 2015)."""
def soft_margin_loss(input: Tensor, target: Tensor, size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""log(1 + exp(-target * input)), for targets 1 and -1."""
def softmax(input: Tensor, dim: builtins.int | None = ..., _stacklevel: Any = ..., dtype: Any = ..., *, axis: Any = ...) -> Tensor:
    r"""exp(x) / sum(exp(x)) across `dim`; with `dtype`, computed in that dtype."""
def softmin(input: Tensor, dim: builtins.int | None = ..., _stacklevel: builtins.int = ..., dtype: Any = ..., *, axis: Any = ...) -> Tensor:
    r"""softmax(-x) across `dim`."""
def softplus(input: Tensor, beta: builtins.float = ..., threshold: builtins.float = ...) -> Tensor:
    r"""log(1 + exp(beta * x)) / beta; the identity where beta * x > threshold."""
def softshrink(input: Tensor, lambd: builtins.float = ...) -> Tensor:
    r"""x moved towards 0 by lambd, and 0 where |x| <= lambd."""
def softsign(input: Tensor) -> Tensor:
    r"""x / (1 + |x|)."""
def tanh(input: Tensor, *, out: Any = ...) -> Tensor:
    r"""The hyperbolic tangent."""
def tanh_(input: Tensor) -> Tensor: ...
def tanhshrink(input: Tensor) -> Tensor:
    r"""x - tanh(x)."""
def threshold(input: Tensor, threshold: builtins.float, value: builtins.float, inplace: builtins.bool = ...) -> Tensor:
    r"""x where x > threshold, else `value`."""
def threshold_(input: Tensor, threshold: builtins.float, value: builtins.float, inplace: builtins.bool = ...) -> Tensor: ...
def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: builtins.float = ..., p: builtins.float = ..., eps: builtins.float = ..., swap: builtins.bool = ..., size_average: Any = ..., reduce: Any = ..., reduction: str = ...) -> Tensor:
    r"""max(0, margin + |anchor - positive| - |anchor - negative|); with `swap`, the negative may be nearer to the"""
def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = ..., margin: builtins.float = ..., swap: builtins.bool = ..., reduction: str = ...) -> Tensor:
    r"""`triplet_margin_loss` with a distance of one's own."""
def unfold(input: Tensor, kernel_size: Any, dilation: Any = ..., padding: Any = ..., stride: Any = ...) -> Tensor:
    r"""The windows of a batch of images as columns: (N, C, H, W) to (N, C * kernel, windows)."""
def upsample(input: Tensor, size: Any = ..., scale_factor: Any = ..., mode: str = ..., align_corners: builtins.bool | None = ...) -> Tensor:
    r"""`interpolate`, under its old name."""
def upsample_bilinear(input: Tensor, size: Any = ..., scale_factor: Any = ...) -> Tensor:
    r"""`interpolate` bilinearly with aligned corners, under its old name."""
def upsample_nearest(input: Tensor, size: Any = ..., scale_factor: Any = ...) -> Tensor:
    r"""`interpolate` to the nearest number, under its old name."""

def __getattr__(name: str) -> Any: ...
