"""`nn.init`: the numbers are those that PyTorch draws on a CPU for seed 0."""

from __future__ import annotations

import math
import re

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import init

DRAWS = [
    ("uniform_", (3,), (), {}, [0.496257, 0.768222, 0.088477]),
    ("uniform_", (3,), (-1.0, 2.0), {}, [0.48877, 1.304665, -0.734568]),
    ("normal_", (3,), (), {}, [1.540996, -0.293429, -2.178789]),
    ("normal_", (16,), (1.0, 2.0), {},
     [-1.25168, -1.30472, 0.498843, 0.132242, 2.697421, 2.384018, 0.367974, -3.230439, 1.64455, -1.52667, 1.699966,
      1.616268, 1.239683, 3.475316, 3.233554, 0.505444]),
    ("trunc_normal_", (5,), (), {}, [1.540996, -0.293429, 0.838026, 0.568431, -1.084522]),
    ("trunc_normal_", (4,), (0.0, 1.0, -0.5, 0.5), {}, [0.370394, -0.293429, 0.403347, 0.182036]),
    ("xavier_uniform_", (2, 3), (), {}, [-0.008201, 0.587645, -0.901601, -0.806181, -0.421915, 0.293752]),
    ("xavier_normal_", (2, 3), (2.0,), {}, [1.949223, -0.371161, -2.755975, 0.719015, -1.371824, -1.769099]),
    ("kaiming_uniform_", (2, 3), (), {}, [-0.010588, 0.758646, -1.163962, -1.040775, -0.54469, 0.379232]),
    ("kaiming_uniform_", (2, 3), (), {"mode": "fan_out", "nonlinearity": "relu"},
     [-0.012968, 0.929148, -1.425556, -1.274684, -0.667107, 0.464462]),
    ("kaiming_normal_", (2, 2, 2), (), {},
     [1.089649, -0.207486, -1.540637, 0.401942, -0.766873, -0.988956, 0.285209, 0.592574]),
    ("orthogonal_", (3, 2), (), {}, [0.534953, -0.16993, -0.756361, 0.340184, -0.376489, -0.924878]),
    ("orthogonal_", (2, 3), (), {"gain": 2.0}, [1.147962, -0.218589, -1.623084, -0.69083, -1.861765, -0.237871]),
    ("orthogonal_", (2, 2, 1), (), {}, [0.57744, 0.816433, -0.816433, 0.57744]),
    ("sparse_", (4, 2), (0.5,), {}, [0.0, -0.002934, 0.0, 0.0, -0.010845, -0.013986, 0.004033, 0.0]),
    ("eye_", (2, 3), (), {}, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    ("dirac_", (2, 2, 3), (), {}, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    ("dirac_", (4, 1, 1, 3), (), {"groups": 2}, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    ("constant_", (2,), (3.0,), {}, [3.0, 3.0]),
    ("ones_", (2,), (), {}, [1.0, 1.0]),
    ("zeros_", (2,), (), {}, [0.0, 0.0]),
]  # fmt: skip

LAYERS = {
    "Linear(3, 2)": [-0.004323, 0.309716, -0.475185, -0.424895, -0.222369, 0.154821, -0.011439, 0.457775],
    "Conv2d(1, 2, 2)": [-0.003743, 0.268222, -0.411523, -0.36797, -0.192577, 0.134079, -0.009907, 0.396445, -0.044372,
                        0.132306],
    "ConvTranspose1d(2, 1, 2)": [-0.005294, 0.379323, -0.581981, -0.520387, -0.272345],
    "Embedding(3, 2, padding_idx=1)": [1.540996, -0.293429, 0.0, 0.0, -1.084522, -1.398595],
    "EmbeddingBag(2, 2)": [1.540996, -0.293429, -2.178789, 0.568431],
    "LSTM(1, 1)": [-0.007487, 0.536444, -0.823045, -0.735939, -0.385154, 0.268157, -0.019813, 0.792889, -0.088744,
                   0.264613, -0.302213, -0.196565, -0.955348, -0.662282, -0.412223, 0.037044],
    "GRUCell(1, 1, bias=False)": [-0.007487, 0.536444, -0.823045, -0.735939, -0.385154, 0.268157],
    "MultiheadAttention(2, 1)": [-0.017159, 0.686662, -0.076855, 0.229161, -0.261724, -0.170231, -0.827356, -0.573553,
                                 -0.356996, 0.032081, 0.34237, 0.519635, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.005294,
                                 0.379323, -0.581981, -0.520387, 0.0, 0.0],
    "Bilinear(1, 2, 1)": [-0.007487, 0.536444, -0.823045],
    "PReLU(2)": [0.25, 0.25],
    "LayerNorm(2)": [1.0, 1.0, 0.0, 0.0],
    "BatchNorm1d(2)": [1.0, 1.0, 0.0, 0.0],
}  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "args", "kwargs", "expected"), DRAWS)
def test_draws(name, shape, args, kwargs, expected):
    torch.manual_seed(0)
    t = torch.empty(*shape)
    assert getattr(init, name)(t, *args, **kwargs) is t
    assert t.flatten().tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("source", LAYERS)
def test_layers_start_as_in_pytorch(source):
    torch.manual_seed(0)
    layer = eval("nn." + source)
    numbers = [number for p in layer.parameters() for number in p.detach().flatten().tolist()]
    assert numbers == pytest.approx(LAYERS[source], abs=2e-6)


def test_rare_truncation_is_drawn_by_rejection():
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="mean is more than 2 std from \\[a, b\\] in nn.init.trunc_normal_"):
        t = init.trunc_normal_(torch.empty(4), 0.0, 1.0, 2.5, 4.0)
    assert t.tolist() == pytest.approx([3.183442, 2.865487, 2.632716, 2.547579], abs=2e-6)


def test_generator():
    g = torch.Generator().manual_seed(0)
    assert init.uniform_(torch.empty(3), generator=g).tolist() == pytest.approx(DRAWS[0][4], abs=2e-6)
    g.manual_seed(0)
    assert init.kaiming_normal_(torch.empty(2, 2, 2), generator=g).flatten().tolist() == pytest.approx(
        DRAWS[10][4], abs=2e-6
    )


def test_parameters_are_filled_outside_of_the_tape():
    p = nn.Parameter(torch.empty(2, 2))
    for fill in (init.ones_, init.zeros_, init.xavier_normal_, init.orthogonal_, init.eye_):
        fill(p)
        assert p.is_leaf and p.requires_grad and p.grad_fn is None
    assert p.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_gain():
    table = {"linear": 1, "conv1d": 1, "conv_transpose3d": 1, "sigmoid": 1}
    table |= {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: init.calculate_gain(name) for name in table} == table
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / (1 + 0.2**2))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: init.calculate_gain("what"), "Unsupported nonlinearity what"),
        (lambda: init.calculate_gain("leaky_relu", "a"), "negative_slope a not a valid number"),
        (lambda: init.calculate_gain("leaky_relu", True), "negative_slope True not a valid number"),
        (lambda: init.xavier_uniform_(torch.empty(3)),
         "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"),
        (lambda: init.kaiming_uniform_(torch.empty(2, 2), mode="fan"),
         "Mode fan not supported, please use one of ['fan_in', 'fan_out']"),
        (lambda: init.orthogonal_(torch.empty(3)), "Only tensors with 2 or more dimensions are supported"),
        (lambda: init.eye_(torch.empty(3)), "Only tensors with 2 dimensions are supported"),
        (lambda: init.sparse_(torch.empty(3), 0.1), "Only tensors with 2 dimensions are supported"),
        (lambda: init.dirac_(torch.empty(3, 3)), "Only tensors with 3, 4, or 5 dimensions are supported"),
        (lambda: init.dirac_(torch.empty(3, 3, 3), groups=2), "dim 0 must be divisible by groups"),
    ],
)  # fmt: skip
def test_messages(act, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        act()


def test_empty_tensors_are_left_alone():
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
            assert fill(torch.empty(0, 2)).numel() == 0
    assert init.orthogonal_(torch.empty(0, 2)).numel() == 0


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="`nn.init.constant` is now deprecated in favor of `nn.init.constant_`."):
        assert init.constant(torch.empty(2), 4.0).tolist() == [4.0, 4.0]
