"""torch.export: a model's program, at the sizes of the example and at others."""

from __future__ import annotations

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.export import Dim, dims, export
from rushlight.nn import functional as F
from rushlight.utils._pytree import tree_leaves
from rushlight.vision import models


def randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def agrees(program, model, *args) -> None:
    """The program's module and its graph module give the model's results."""
    with torch.no_grad():
        wanted = tree_leaves(model(*args))
        state = {**program.state_dict, **program.constants}
        weights = [state[s.target] for s in program.graph_signature.input_specs if s.target is not None]
        for found in (program.module()(*args), program.graph_module(*weights, *tree_leaves(args))):
            for a, b in zip(tree_leaves(found), wanted, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.register_buffer("scale", torch.tensor(0.5))
        self.hidden = torch.tensor([0.0, 1.0]).repeat(4)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x + self.hidden).view(b, t, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).masked_fill(torch.ones(t, t).triu(1).bool(), -1e9).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(b, t, c), x.sum() / (b * t) * float(t)


def test_sizes_that_are_left_open() -> None:
    model = Attention().eval()
    program = export(model, (randn(2, 5, 8),), dynamic_shapes={"x": {0: Dim("b"), 1: Dim("t", max=99)}})
    for shape in ((2, 5, 8), (1, 9, 8), (3, 1, 8)):
        agrees(program, model, randn(*shape))
    assert program.range_constraints == {"b": (0, None), "t": (0, 99)}


SIZES = {
    "convolutions": (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                     (1, 3, 32, 32), (3, 3, 47, 50), ({0: "b", 2: "h", 3: "w"},)),
    "recurrent": (nn.GRU(6, 5, bidirectional=True), (7, 2, 6), (4, 3, 6), ({0: "t", 1: "b"},)),
    "transformer": (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (2, 5, 16), (3, 8, 16),
                    ({0: "b", 1: "t"},)),
    "network": (models.resnet18(), (1, 3, 64, 64), (2, 3, 77, 64), ((Dim("b"), None, Dim("h"), None),)),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_layers_at_other_sizes(name) -> None:
    model, shape, other, sizes = SIZES[name]
    model = model.eval()
    program = export(model, (randn(*shape),), dynamic_shapes=sizes)
    agrees(program, model, randn(*shape))
    agrees(program, model, randn(*other))


class Pair(nn.Module):
    def forward(self, x, y, *, options):
        return {"joined": torch.cat([x, y * options["by"]]), "x": x}


def test_sizes_that_follow_another() -> None:
    n = Dim("n")
    args, kwargs = (randn(3, 2), randn(7, 2)), {"options": {"by": torch.tensor(2.0)}}
    program = export(Pair(), args, kwargs, dynamic_shapes={"x": {0: n}, "y": {0: 2 * n + 1}, "options": {"by": None}})
    found = program.module()(randn(5, 2), randn(11, 2), options={"by": torch.tensor(3.0)})
    assert found["joined"].shape == (16, 2) and found["x"].shape == (5, 2)
    assert program.graph_signature.user_inputs == ("x", "y", "options_by")


def test_sizes_that_need_no_name() -> None:
    program = export(nn.Linear(3, 2), (randn(4, 3),), dynamic_shapes=({0: Dim.DYNAMIC, 1: Dim.AUTO},))
    assert program.module()(randn(9, 3)).shape == (9, 2) and list(program.range_constraints) == ["s0"]
    assert [str(d) for d in dims("a", "b")] == ["a", "b"] and repr(Dim("a") * 2 - 1) == "2*a - 1"


def test_signature_and_state() -> None:
    model = Attention()
    program = export(model, (randn(2, 5, 8),))
    signature = program.graph_signature
    assert signature.inputs_to_parameters == {"p_qkv_weight": "qkv.weight", "p_qkv_bias": "qkv.bias"}
    assert signature.inputs_to_buffers == {"b_scale": "scale"} and signature.user_inputs == ("x",)
    assert [n.name for n in program.graph.nodes if n.op == "placeholder"] == [s.arg for s in signature.input_specs]
    assert len(signature.user_outputs) == 2 and "qkv.weight" in str(signature) and "masked_fill" in str(program)
    assert list(program.state_dict) == list(model.state_dict()) == list(program.module().state_dict())
    assert [name for name, _ in program.named_buffers()] == ["scale"] and len(list(program.parameters())) == 2
    program.validate()


def test_the_module_trains_the_models_own_parameters() -> None:
    model = nn.Linear(3, 2)
    program = export(model, (randn(4, 3),), dynamic_shapes=({0: Dim("n")},))
    program.module()(randn(6, 3)).sum().backward()
    assert model.weight.grad is not None and torch.allclose(model.bias.grad, torch.full((2,), 6.0))
    with torch.no_grad():
        model.bias.zero_()
    agrees(program, model, randn(2, 3))


class Large(nn.Module):
    def forward(self, x):
        return (x[:, None] * x).sum()  # 1 TB on the way


def test_an_export_computes_nothing() -> None:
    program = export(Large(), (torch.ones(1 << 19),), dynamic_shapes=({0: "n"},))
    torch.ones(1).add(1).item()
    assert program.module()(torch.ones(8)).item() == 64


def test_what_a_model_keeps_is_computed() -> None:
    class Keeping(nn.Module):
        def forward(self, x):
            self.seen = x + 1
            return self.seen * 2

    model = Keeping()
    with torch.inference_mode():
        program = export(model, (torch.ones(2),))
    assert model.seen.tolist() == [2.0, 2.0] and program.module()(torch.ones(2)).tolist() == [4.0, 4.0]


def written_in_place(x):
    y = x.clone()
    y[:, 0] = 1
    y[1:, 1:] += x[:-1, 1:]
    return F.relu_(y), y.T


def test_writing_in_place() -> None:
    class Module(nn.Module):
        def forward(self, x):
            return written_in_place(x)

    agrees(export(Module(), (randn(3, 4),)), Module(), randn(3, 4))


class Branch(nn.Module):
    def forward(self, x):
        return x + 1 if x.max() > 0 else x


class Steps(nn.Module):
    def forward(self, x):
        for row in x:
            x = x + row
        return x


LINEAR = nn.Linear(3, 2)
REFUSED = [
    (lambda: export(lambda x: x, (randn(2),)), ValueError, "Expected `mod` to be an instance of `torch.nn.Module`"),
    (lambda: export(LINEAR, randn(2, 3)), TypeError, "Expecting `args` to be a tuple"),
    (lambda: export(Branch(), (randn(2),)), NotImplementedError, "reads numbers of its tensors"),
    (lambda: export(Steps(), (randn(2, 2),), dynamic_shapes=({0: "n"},)), NotImplementedError, "'n' cannot be left op"),
    (lambda: export(nn.Dropout(), (randn(2),)), NotImplementedError, "random numbers"),
    (lambda: export(nn.BatchNorm1d(2), (randn(3, 2),)), NotImplementedError, "writes to 'running_mean'"),
    (lambda: export(LINEAR, (randn(2, 3),), dynamic_shapes={"y": {0: "n"}}), ValueError, "names 'y', which is no arg"),
    (lambda: export(LINEAR, (randn(2, 3),), dynamic_shapes=({2: "n"},)), ValueError, "dimension 2 of a 2-D tensor"),
    (lambda: export(LINEAR, (randn(2, 3),), dynamic_shapes=({0: "n", 1: "n"},)), ValueError, "Constraints violated"),
    (lambda: export(LINEAR, (randn(2, 3),), dynamic_shapes=({0: 5},)), ValueError, "shall be 5, the example has 2"),
    (lambda: export(LINEAR, (randn(2, 3),), dynamic_shapes=(3,)), ValueError, "expected a dict or tuple of Dims"),
    (lambda: Dim("a b"), ValueError, "expected an identifier"),
    (lambda: Dim("a", min=3, max=2), ValueError, "inconsistent min=3, max=2"),
    (lambda: export(LINEAR, (randn(2, 3),)).module()(randn(4, 3)), RuntimeError, r"input.size\(\)\[0\] == 2; it is 4"),
    (lambda: export(LINEAR, (randn(2, 3),)).module()(randn(3)), RuntimeError, "is a 1-D tensor"),
    (lambda: export(LINEAR, (randn(2, 3),)).module()(randn(2, 3).double()), RuntimeError, "dtype is torch.float64"),
    (lambda: export(LINEAR, (randn(2, 3),)).module()(x=1), ValueError, "arguments of the structure"),
    (lambda: export(LINEAR, (randn(2, 3),)).module().eval(), NotImplementedError, "eval"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_what_cannot_be(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
