"""torch.onnx.export: files that the reference evaluator of the onnx package runs to the results that we have."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.utils._pytree import tree_leaves
from rushlight.vision import models

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402


class Calls(nn.Module):
    """A function as a module, whose argument is called `x`."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x, *more):
        return self.function(x, *more)


def randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def agrees(program, model, *args, tolerance=2e-5) -> None:
    """The file gives the model's results, shapes and dtypes."""
    onnx.checker.check_model(program.model_proto, full_check=True)
    with torch.no_grad():
        wanted = [t.numpy() for t in tree_leaves(model(*args)) if isinstance(t, torch.Tensor)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = [t.numpy() for t in program.call_reference(*args)]
    assert [(a.shape, a.dtype) for a in found] == [(a.shape, a.dtype) for a in wanted]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def exported(model, args, **options):
    model = model if isinstance(model, nn.Module) else Calls(model)
    return model.eval(), torch.onnx.export(model, args, **options)


# ---------------------------------------------------------------------------------------------------------------------
# Operations

IMAGE = (2, 4, 8, 8)
UNARY = """
    abs neg exp sqrt rsqrt log log2 log10 log1p expm1 sin cos tan erf erfc floor ceil round trunc frac sign reciprocal
    square exp2 atan sinh cosh asinh sigmoid tanh relu isnan isfinite logical_not
""".split()
ACTIVATIONS = """
    relu silu gelu mish hardswish hardsigmoid softplus elu selu celu leaky_relu relu6 hardtanh logsigmoid softsign
    tanhshrink softshrink hardshrink
""".split()
BINARY = """
    add sub mul div maximum minimum pow atan2 fmod remainder eq ne lt le gt ge logical_and logical_or logical_xor hypot
    logaddexp floor_divide
""".split()


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_elements(name) -> None:
    x = randn(*IMAGE).abs() * 0.5 + 0.1
    model, program = exported(getattr(torch, name), (x,))
    agrees(program, model, x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation(name) -> None:
    x = randn(*IMAGE) * 3
    model, program = exported(getattr(F, name), (x,))
    agrees(program, model, x)


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two(name) -> None:
    x, y = randn(*IMAGE).abs() + 0.1, randn(4, 1, 8).abs() + 0.2
    model, program = exported(getattr(torch, name), (x, y))
    agrees(program, model, x, y)


@pytest.mark.parametrize("name", ["add", "div", "remainder", "fmod", "floor_divide", "bitwise_and", "maximum", "lt"])
def test_a_function_of_integers(name) -> None:
    x, y = torch.tensor([[-7, 7, 5], [-8, 0, 3]]), torch.tensor([3, -2, 5]).abs()
    model, program = exported(getattr(torch, name), (x, y))
    agrees(program, model, x, y)


def written_to(x):
    y = x.clone()
    y[:, 0] = 1.0
    y[:, 1:, 2] *= 2
    y[y > 1] = 0.0
    return y.add_(1).mul_(2)


def long_sequence(x):
    return x.masked_fill(torch.triu(torch.ones(8, 8, dtype=torch.bool), 1), float("-inf")).softmax(-1)


SHAPES = {
    "views": lambda x: (x.view(2, -1), x.flatten(1, 2), x.permute(0, 2, 3, 1).contiguous(), x[:, :1].squeeze(1)),
    "slices": lambda x: (x[:, 1:], x[:, :, ::2], x[..., -1], x[:, 0:2, 1:-1, 2], x[None, :, 1], x[:, -3:]),
    "pieces": lambda x: (*x.split(3, 2), *x.chunk(2, 1), *x.unbind(1), *torch.split(x, [1, 3], 1)),
    "joined": lambda x: (torch.cat([x, x * 2], 1), torch.stack([x, x], -1), x.repeat(2, 1, 1, 3)),
    "expanded": lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1) + x.new_ones(8),
    "turned": lambda x: (x.flip(1, 3), x.roll((1, -2), (2, 3)), x.roll(3), x.repeat_interleave(2, 1)),
    "padded": lambda x: (F.pad(x, (1, 2, 2, 1)), F.pad(x, (-1, 2)), *[F.pad(x, (1, 2, 2, 1), mode=m)
                         for m in ("reflect", "replicate", "circular")]),
    "pixels": lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.channel_shuffle(x, 2)),
    "triangles": lambda x: (x.tril(), x.triu(1), long_sequence(x)),
    "made": lambda x: x + torch.arange(8) + torch.linspace(0, 1, 8) + torch.eye(8) + torch.full((8,), 2.0),
    "numbers": lambda x: (x.clamp(-0.5, 0.5), torch.where(x > 0, x, 0.5), x.masked_fill(x > 0, -1e9), x.int().float()),
    "sums": lambda x: (x.sum(), x.sum(1), x.mean((2, 3), keepdim=True), x.amax(1), x.prod(1), x.logsumexp(1)),
    "spread": lambda x: (x.var(1), x.std((1, 2)), *torch.var_mean(x, 1), x.norm(), x.norm(1, dim=1)),
    "chosen": lambda x: (*x.max(1), *x.min(2, keepdim=True), x.argmax(), x.argmin(-1), *x.topk(3), *x.sort(-1)),
    "middle": lambda x: (x.median(1).values, x.kthvalue(2, -1).values, x.median()),
    "truth": lambda x: ((x > 0).all(), (x > 0).any(1), (x > 0).sum(), torch.isin(x.int(), torch.tensor([1, 0]))),
    "running": lambda x: (x.cumsum(1), x.softmax(1), x.log_softmax(-1), F.normalize(x, dim=1)),
    "picked": lambda x: (x[torch.tensor([1, 0])], x[:, torch.tensor([3, -1])],
                         x[:, :, torch.tensor([1]), torch.tensor([2])],
                         x.index_select(1, torch.tensor([0, 2])), x.gather(1, torch.ones(2, 2, 8, 8).long())),
    "scattered": lambda x: (x.scatter(1, torch.zeros(2, 1, 8, 8).long(), 1.5),
                            x.scatter_add(1, torch.ones(2, 2, 8, 8).long(), x)),
    "diagonals": lambda x: (x.diagonal(dim1=2, dim2=3), x.unfold(2, 3, 2), F.unfold(x, 3, padding=1, stride=2)),
    "written": written_to,
    "products": lambda x: (x @ x, torch.einsum("bchw,bcvw->bhv", x, x), torch.baddbmm(x[0], x[0], x[1]),
                           torch.addmm(x[0, 0], x[0, 1], x[0, 2], beta=0.5, alpha=2)),
    "attention": lambda x: (F.scaled_dot_product_attention(x, x, x, is_causal=True),
                            F.scaled_dot_product_attention(x, x, x, attn_mask=torch.ones(8, 8).tril().bool())),
    "resized": lambda x: tuple(F.interpolate(x, scale_factor=2, mode=m) for m in ("nearest", "bilinear", "bicubic"))
    + (F.interpolate(x, size=(5, 11), mode="bilinear", align_corners=True), F.interpolate(x, size=(5, 3), mode="area"),
       F.interpolate(x, size=(5, 5), mode="bilinear", antialias=True)),
    "mixed": lambda x: (x.double() + x, x.half() * 2, (x > 0) * x, x.long() / 2),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_operations_of_a_family(name) -> None:
    x = randn(*IMAGE)
    model, program = exported(SHAPES[name], (x,))
    agrees(program, model, x, tolerance=2e-3 if name == "mixed" else 1e-4)


# ---------------------------------------------------------------------------------------------------------------------
# Layers

LAYERS = {
    "Conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
    "Conv2d": (nn.Conv2d(4, 6, 3, dilation=2, padding="same"), IMAGE),
    "Conv3d": (nn.Conv3d(4, 2, 2), (2, 4, 4, 4, 4)),
    "circular": (nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), IMAGE),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), IMAGE),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), IMAGE),
    "indices": (nn.MaxPool2d(2, return_indices=True), IMAGE),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "divisor": (nn.AvgPool2d(2, divisor_override=3), IMAGE),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((1, 3)), IMAGE),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(3), IMAGE),
    "BatchNorm2d": (nn.BatchNorm2d(4), IMAGE),
    "InstanceNorm2d": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "LayerNorm": (nn.LayerNorm((8, 8)), IMAGE),
    "plain LayerNorm": (nn.LayerNorm(8, elementwise_affine=False), IMAGE),
    "GroupNorm": (nn.GroupNorm(2, 4), IMAGE),
    "RMSNorm": (nn.RMSNorm(8), IMAGE),
    "LocalResponseNorm": (nn.LocalResponseNorm(2), IMAGE),
    "PReLU": (nn.PReLU(4), IMAGE),
    "Linear": (nn.Linear(8, 3), IMAGE),
    "LSTM": (nn.LSTM(6, 5, num_layers=2, bidirectional=True), (7, 3, 6)),
    "GRU": (nn.GRU(6, 5, batch_first=True), (7, 3, 6)),
    "RNN": (nn.RNN(6, 5, bias=False), (7, 3, 6)),
    "GRUCell": (nn.GRUCell(6, 5), (3, 6)),
    "LSTMCell": (nn.LSTMCell(6, 5), (3, 6)),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (2, 5, 16)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name) -> None:
    layer, shape = LAYERS[name]
    x = randn(*shape)
    model, program = exported(layer, (x,), input_names=["x"])
    agrees(program, model, x)
    used = {t.name for t in program.model_proto.graph.initializer}
    assert used <= set(layer.state_dict())


@pytest.mark.parametrize("opset", [13, 14, 17, 18, 20, 21, 23])
def test_opsets(opset) -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.GELU(), nn.Hardswish(), nn.LayerNorm(6), nn.GroupNorm(2, 4))
    model, program = exported(lambda x: net.eval()(x).mean((1, 3)).softmax(0), (randn(*IMAGE),), opset_version=opset)
    assert [(o.domain, o.version) for o in program.model_proto.opset_import] == [("", opset)]
    agrees(program, model, randn(*IMAGE))


def test_pictures_between_their_pixels() -> None:
    x, grid = randn(2, 3, 4, 4), randn(2, 5, 4, 2).tanh()
    model, program = exported(lambda x, grid: F.grid_sample(x, grid, align_corners=False), (x, grid))
    agrees(program, model, x, grid)
    theta = randn(2, 2, 3)
    model, program = exported(lambda x: F.affine_grid(x, (2, 3, 4, 4), align_corners=False), (theta,))
    agrees(program, model, theta)


def test_an_opset_that_is_too_old_is_warned_of() -> None:
    with pytest.warns(torch.onnx.errors.OnnxExporterWarning, match="13 is the oldest"):
        program = torch.onnx.export(nn.ReLU(), (randn(4),), opset_version=11)
    assert program.model_proto.opset_import[0].version == 13


def test_embeddings() -> None:
    index = torch.tensor([[1, 0, 3], [4, 4, 2]])
    for layer in (nn.Embedding(5, 4, padding_idx=0), nn.EmbeddingBag(5, 4), nn.EmbeddingBag(5, 4, mode="max")):
        model, program = exported(layer, (index,))
        agrees(program, model, index)


def test_weights_that_are_read_in_another_form_keep_their_names() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 4)
            self.head = nn.Linear(4, 5, bias=False)
            self.head.weight = self.table.weight

        def forward(self, index):
            return self.head(self.table(index)) @ self.head.weight.view(5, 4).t().t()

    index = torch.tensor([[1, 0, 3]])
    model, program = exported(Tied(), (index,))
    assert [t.name for t in program.model_proto.graph.initializer] == ["table.weight"]
    agrees(program, model, index)


# ---------------------------------------------------------------------------------------------------------------------
# Whole models

def small_vision_transformer():
    return models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5)


def small_swin_transformer():
    return models.SwinTransformer([4, 4], 8, [2, 2], [1, 2], [4, 4], num_classes=5)


def small_convnext():
    from rushlight.vision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5)


NETWORKS = {
    "resnet18": models.resnet18, "mobilenet_v3_small": models.mobilenet_v3_small,
    "squeezenet1_1": models.squeezenet1_1, "shufflenet_v2_x0_5": models.shufflenet_v2_x0_5,
    "vision transformer": small_vision_transformer, "swin transformer": small_swin_transformer,
    "convnext": small_convnext,
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_take_any_number_of_pictures(name) -> None:
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    for p in model.parameters():
        if not p.any():
            nn.init.normal_(p, std=0.1)
    program = torch.onnx.export(model, (randn(1, 3, 32, 32),), dynamic_axes={"x": {0: "batch"}}, input_names=["x"])
    graph = program.model_proto.graph
    assert [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == ["batch", 3, 32, 32]
    assert {t.name for t in graph.initializer} <= set(model.state_dict())
    agrees(program, model, randn(2, 3, 32, 32), tolerance=1e-3)


class UNet(nn.Module):
    """Two halves that meet at one size again: the difference is padded."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.out = nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x = self.down(x).relu()
        y = self.up(F.max_pool2d(x, 2))
        rows, columns = x.size(2) - y.size(2), x.size(3) - y.size(3)
        y = F.pad(y, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        return self.out(torch.cat([x, y], 1))


def test_differences_of_sizes() -> None:
    model = UNet().eval()
    program = torch.onnx.export(model, (randn(1, 3, 16, 16),), dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}})
    for size in ((20, 34), (21, 33), (8, 15)):
        agrees(program, model, randn(2, 3, *size))


class Tiny(nn.Module):
    """A language model as lectures write it: positions, heads, a mask that is cut to the length."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(11, 8), nn.Embedding(16, 8)
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 11)
        self.register_buffer("mask", torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16))

    def forward(self, index):
        b, t = index.size()
        x = self.tokens(index) + self.places(torch.arange(t))
        q, k, v = [y.view(b, t, 2, 4).transpose(1, 2) for y in self.qkv(x).split(8, dim=2)]
        scores = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        x = x + (F.softmax(scores, -1) @ v).transpose(1, 2).contiguous().view(b, t, 8)
        return self.head(x), x.mean() / t


def test_a_language_model_for_any_length() -> None:
    model = Tiny().eval()
    sizes = {"index": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=16)}}
    program = torch.onnx.export(model, (torch.randint(11, (2, 5)),), dynamic_shapes=sizes)
    for shape in ((2, 5), (1, 16), (4, 3), (1, 1)):
        agrees(program, model, torch.randint(11, shape))
    results = program.model_proto.graph.output
    assert [d.dim_param or d.dim_value for d in results[0].type.tensor_type.shape.dim] == ["batch", "length", 11]


def written_at_any_size(x):
    y, z = x.clone(), torch.zeros(x.shape[0], x.shape[1], 4)
    y[..., 0:2] = y[..., 0:2] * 2
    y[:, 1] = 0.0
    y[:, 1:, 2] += 1
    y[:, -1] = x[:, 0]
    y[0] = 5.0
    y[:, ::2, 1:3] = 7.0
    z[:, :, 1:3] = x[..., :2]
    z[:, -1] = 9
    turned = x.transpose(1, 2).contiguous()
    turned[:, 1:, 0] = 3.0
    return y, z, turned


def test_writing_in_place_at_any_size() -> None:
    model, program = exported(written_at_any_size, (randn(2, 4, 8),), dynamic_axes={"x": {0: "b", 1: "t"}},
                              input_names=["x"])  # fmt: skip
    agrees(program, model, randn(2, 4, 8))
    agrees(program, model, randn(3, 7, 8))


class Detector(nn.Module):
    """The head of a detector: boxes written into slices of its results, a grid made for their size."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(c, 3 * 7, 1) for c in (4, 8))
        self.register_buffer("anchors", torch.rand(2, 3, 2))

    def forward(self, maps):
        found = []
        for layer, x, anchors in zip(self.layers, maps, self.anchors, strict=True):
            n, _, rows, columns = x.shape
            y = layer(x).view(n, 3, 7, rows, columns).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
            down, along = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            y[..., 0:2] = y[..., 0:2] * 2 - 0.5 + torch.stack((along, down), 2).expand(1, 3, rows, columns, 2).float()
            y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * anchors.view(1, 3, 1, 1, 2)
            found.append(y.view(n, -1, 7))
        return torch.cat(found, 1)


def test_a_detectors_head_for_pictures_of_any_size() -> None:
    model = Detector().eval()
    sizes = ([{0: "n", 2: "h", 3: "w"}, {0: "n", 2: "h2", 3: "w2"}],)
    program = torch.onnx.export(model, ([randn(1, 4, 8, 8), randn(1, 8, 4, 4)],), dynamic_shapes=sizes)
    agrees(program, model, [randn(3, 4, 9, 7), randn(3, 8, 5, 3)])


def test_pictures_of_any_size() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(3, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear"),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten())  # fmt: skip
    model, program = exported(model, (randn(1, 3, 32, 32),), dynamic_axes={"input": [0, 2, 3]})
    agrees(program, model, randn(3, 3, 37, 50))


def test_tensors_made_of_sizes() -> None:
    model, program = exported(lambda x: x * torch.tensor([x.shape[0], 1.0, x.shape[1]]).sum() + torch.tensor(len(x)),
                              (randn(2, 3),), dynamic_axes={"x": {0: "n"}}, input_names=["x"])  # fmt: skip
    agrees(program, model, randn(7, 3))
    with pytest.raises(NotImplementedError, match="other elements at another size"):
        exported(lambda x: x + torch.tensor([0.5 * n for n in range(len(x))]), (randn(2),), dynamic_axes={"x": [0]})


def test_two_names_for_one_size() -> None:
    model, program = exported(lambda x, y: x + y, (randn(2, 3), randn(2, 3)), input_names=["x", "y"],
                              dynamic_axes={"x": {0: "n"}, "y": {0: "m"}})  # fmt: skip
    agrees(program, model, randn(5, 3), randn(5, 3))


# ---------------------------------------------------------------------------------------------------------------------
# Arguments of the exporter


def test_names_and_files(tmp_path) -> None:
    model = nn.Linear(3, 2)
    file = tmp_path / "model.onnx"
    x = randn(4, 3)
    axes = {"in": {0: "n"}, "out": {0: "n"}}
    made = torch.onnx.export(model, x, file, input_names=["in"], output_names=["out"], export_params=True,
                             verbose=False, dynamic_axes=axes, dynamo=False)  # fmt: skip
    assert made is None and [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    loaded = onnx.load(file)
    assert [i.name for i in loaded.graph.input] == ["in"] and [o.name for o in loaded.graph.output] == ["out"]
    assert {t.name for t in loaded.graph.initializer} == {"weight", "bias"}
    out = ReferenceEvaluator(loaded).run(None, {"in": randn(7, 3).numpy()})[0]
    np.testing.assert_allclose(out, model(randn(7, 3)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_large_tensors_lie_in_a_file_of_their_own(tmp_path) -> None:
    model = nn.Linear(30, 20)
    file = tmp_path / "model.onnx"
    for _ in range(2):  # the second time over the first
        program = torch.onnx.export(model, (randn(4, 30),), str(file))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
        assert (tmp_path / "model.onnx.data").stat().st_size < 3000
    onnx.checker.check_model(str(file))
    found = ReferenceEvaluator(onnx.load(file)).run(None, {"input": randn(4, 30).numpy()})[0]
    np.testing.assert_allclose(found, program.call_reference(randn(4, 30))[0].numpy())
    program.save(tmp_path / "one.onnx")
    assert not (tmp_path / "one.onnx.data").exists()


def test_a_file_object_and_keywords() -> None:
    model, buffer = Calls(lambda x, y=None: x + (0 if y is None else y)), io.BytesIO()
    torch.onnx.export(model, (randn(2), {}), buffer)
    assert onnx.load_from_string(buffer.getvalue()).graph.node[-1].op_type == "Add"

    def add(x, *, other, scale=2):
        return x + other * scale

    program = torch.onnx.export(add, (randn(2),), kwargs={"other": randn(2), "scale": 3})
    assert [i.name for i in program.model_proto.graph.input] == ["x", "other"]
    np.testing.assert_allclose(
        program.call_reference(torch.ones(2), other=torch.ones(2), scale=3)[0].numpy(), [4.0, 4.0]
    )


def test_weights_as_arguments(tmp_path) -> None:
    model = nn.Linear(3, 2)
    program = torch.onnx.export(model, (randn(4, 3),), keep_initializers_as_inputs=True)
    assert [i.name for i in program.model_proto.graph.input] == ["input", "weight", "bias"]
    program = torch.onnx.export(model, (randn(4, 3),), export_params=False)
    assert not program.model_proto.graph.initializer and len(program.model_proto.graph.input) == 3
    torch.onnx.export(model, (randn(4, 3),)).save(tmp_path / "a.onnx", include_initializers=False)
    assert len(onnx.load(tmp_path / "a.onnx").graph.input) == 3


def test_nested_arguments_and_results() -> None:
    def model(pair, options):
        return {"sum": pair[0] + pair[1] * options["by"], "all": [pair[0], pair[0], torch.ones(2)], "none": None}

    args = (randn(2), randn(2)), {"by": randn(2)}
    program = torch.onnx.export(model, (*args, {}))
    assert [i.name for i in program.model_proto.graph.input] == ["pair_0", "pair_1", "options_by"]
    agrees(program, model, *args)


def test_the_model_is_in_the_mode_that_is_asked_for() -> None:
    seen = []

    class Watched(nn.Module):
        def forward(self, x):
            seen.append((self.training, torch.onnx.is_in_onnx_export()))
            return x + 1

    model = Watched().train()
    torch.onnx.export(model, (randn(2),))
    torch.onnx.export(model, (randn(2),), training=torch.onnx.TrainingMode.PRESERVE)
    assert seen == [(False, True), (True, True)] and model.training and not torch.onnx.is_in_onnx_export()


def test_an_export_changes_nothing() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).train()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    x = randn(4, 3).requires_grad_()
    program = torch.onnx.export(model, (x,), training=torch.onnx.TrainingMode.TRAINING)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert x.grad is None and all(p.grad is None for p in model.parameters())
    agrees(program, model, x.detach())
    model(x).sum().backward()
    assert x.grad is not None


def test_verify_and_an_exported_program() -> None:
    model = nn.Linear(3, 2)
    torch.onnx.export(model, (randn(4, 3),), verify=True, report=True)
    exported_program = torch.export.export(model, (randn(4, 3),))
    agrees(torch.onnx.export(exported_program), model, randn(4, 3))


# ---------------------------------------------------------------------------------------------------------------------
# What cannot be


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real


def by_number(x):
    return x + 1 if x.sum() > 0 else x - 1


def by_size(x):
    return x + 1 if x.shape[0] > 3 else x - 1


REFUSED = [
    (lambda: torch.onnx.export(nn.Sequential(nn.ReLU(), Spectrum()), (randn(4),)), NotImplementedError,
     r"fft_\w+ in layer '1' cannot be exported"),
    (lambda: torch.onnx.export(by_number, (randn(4),)), NotImplementedError, "reads numbers"),
    (lambda: torch.onnx.export(lambda x: x[x > 0], (randn(4),)), NotImplementedError, "reads numbers"),
    (lambda: torch.onnx.export(lambda x: x.nonzero(), (randn(4),)), NotImplementedError, "reads numbers"),
    (lambda: torch.onnx.export(lambda x: x * x[0].item(), (randn(4),)), NotImplementedError, "reads numbers"),
    (lambda: torch.onnx.export(lambda x: x + x.numpy(), (randn(4),)), NotImplementedError, "reads numbers"),
    (lambda: torch.onnx.export(nn.Linear(3, 2), (randn(4, 3),), dynamic_axes={"input": [1]}), NotImplementedError,
     "the size 'input_dynamic_axes_1' cannot be left open"),
    (lambda: torch.onnx.export(nn.Dropout(), (randn(4),), training=torch.onnx.TrainingMode.TRAINING),
     NotImplementedError, "draws random numbers"),
    (lambda: torch.onnx.export(nn.Dropout(), (randn(99, 99),), training=torch.onnx.TrainingMode.TRAINING),
     NotImplementedError, "draws random numbers"),
    (lambda: torch.onnx.export(nn.ReLU(), (randn(4),), opset_version=99), ValueError, "opset version: 99; 13 to 23"),
    (lambda: torch.onnx.export(nn.ReLU(), (randn(4),), input_names=["a", "b"]), ValueError, "2 input_names"),
    (lambda: torch.onnx.export(nn.ReLU(), (randn(4),), output_names=["a", "b"]), ValueError, "2 output_names"),
    (lambda: torch.onnx.export(lambda x: "text", (randn(4),)), NotImplementedError, "returned a str"),
    (lambda: torch.onnx.export(lambda x: x.tril(), (randn(4, 4) > 0,), custom_opsets={"a": 1}), NotImplementedError,
     "custom"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_what_cannot_be_exported_says_so(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_depends_on_numbers_is_warned_of_where_pytorch_warns() -> None:
    buffer = io.BytesIO()
    with pytest.warns(UserWarning, match="reads numbers"):
        torch.onnx.export(by_number, (torch.ones(4),), buffer, dynamo=False)
    found = ReferenceEvaluator(onnx.load_from_string(buffer.getvalue())).run(None, {"x": -np.ones(4, "float32")})
    np.testing.assert_allclose(found[0], 0)


def test_another_program_at_another_size_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="the exported program is right for sizes"):
        torch.onnx.export(by_size, (randn(2),), dynamic_axes={"x": [0]})


def test_a_failed_export_leaves_the_recorder_as_it_was() -> None:
    def broken(x):
        raise KeyError("broken")

    pending = torch.ones(2) + 1
    with pytest.raises(KeyError, match="broken"):
        torch.onnx.export(broken, (randn(2),))
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    assert pending.tolist() == [2.0, 2.0] and x.grad.tolist() == [2.0, 2.0]


def test_neither_onnx_nor_the_exporter_is_loaded_before_an_export() -> None:
    program = "import sys, rushlight.onnx; assert not {'onnx', 'rushlight.export', 'rushlight.fx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_onnx_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['onnx'] = None\nimport rushlight as torch\n"
        "try: torch.onnx.export(torch.nn.ReLU(), (torch.ones(2),))\n"
        "except ImportError as why: assert 'pip install onnx' in str(why); print('said')"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "said"
