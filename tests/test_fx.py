"""torch.fx and torchvision's feature extraction: graphs and code as PyTorch writes them, changed and run again."""

from __future__ import annotations

import copy
import functools
import operator
import subprocess
import sys
from typing import Any

import pytest

import rushlight as torch
from rushlight import fx, nn
from rushlight.nn import functional as F
from rushlight.vision import models
from rushlight.vision.models.feature_extraction import create_feature_extractor, get_graph_node_names


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.param = nn.Parameter(torch.ones(3, 4))
        self.linear = nn.Linear(4, 5)
        self.seq = nn.Sequential(nn.Linear(5, 5), nn.ReLU())
        self.register_buffer("b", torch.ones(5))

    def forward(self, x, k=2):  # type: ignore[no-untyped-def]
        y = self.linear(x + self.param).clamp(min=0.0, max=1.0)
        y = torch.flatten(y, 1) * self.b
        a, b = y.split([2, 3], dim=1)
        z = self.seq(torch.cat([a, b], dim=-1))[:, None, 0:3]
        z = torch.nn.functional.relu(z, inplace=False)
        return {"o": -z + 2 * z.shape[0] ** k, "p": (z, y.size(0))}


# What PyTorch 2.13 writes of it.
CODE = """
def forward(self, x, k = 2):
    param = self.param
    add = x + param;  x = param = None
    linear = self.linear(add);  add = None
    clamp = linear.clamp(min = 0.0, max = 1.0);  linear = None
    flatten = torch.flatten(clamp, 1);  clamp = None
    b = self.b
    mul = flatten * b;  flatten = b = None
    split = mul.split([2, 3], dim = 1)
    getitem = split[0]
    getitem_1 = split[1];  split = None
    cat = torch.cat([getitem, getitem_1], dim = -1);  getitem = getitem_1 = None
    seq_0 = getattr(self.seq, "0")(cat);  cat = None
    seq_1 = getattr(self.seq, "1")(seq_0);  seq_0 = None
    getitem_2 = seq_1[(slice(None, None, None), None, slice(0, 3, None))];  seq_1 = None
    relu = torch.nn.functional.relu(getitem_2, inplace = False);  getitem_2 = None
    neg = -relu
    getattr_1 = relu.shape
    getitem_3 = getattr_1[0];  getattr_1 = None
    pow_1 = getitem_3 ** k;  getitem_3 = k = None
    mul_1 = 2 * pow_1;  pow_1 = None
    add_1 = neg + mul_1;  neg = mul_1 = None
    size = mul.size(0);  mul = None
    return {'o': add_1, 'p': (relu, size)}
"""
LINES = """
    %param : [num_users=1] = get_attr[target=param]
    %add : [num_users=1] = call_function[target=operator.add](args = (%x, %param), kwargs = {})
    %clamp : [num_users=1] = call_method[target=clamp](args = (%linear,), kwargs = {min: 0.0, max: 1.0})
    %cat : [num_users=1] = call_function[target=torch.cat](args = ([%getitem, %getitem_1],), kwargs = {dim: -1})
    %seq_0 : [num_users=1] = call_module[target=seq.0](args = (%cat,), kwargs = {})
    %getattr_1 : [num_users=1] = call_function[target=builtins.getattr](args = (%relu, shape), kwargs = {})
    return {'o': add_1, 'p': (relu, size)}
""".strip("\n").split("\n")


def test_code_and_graph_are_pytorchs() -> None:
    traced = fx.symbolic_trace(Small())
    assert traced.code.strip() == CODE.strip()
    assert set(LINES) <= set(str(traced.graph).split("\n"))
    assert type(traced).__name__ == "Small" and list(traced.state_dict()) == list(Small().state_dict())


def test_results_are_the_modules_own() -> None:
    module, x = Small(), torch.rand(3, 4)
    traced = fx.symbolic_trace(module)
    expected = module(x)
    changed = fx.Transformer(traced).transform()
    for found in (traced(x), copy.deepcopy(traced)(x), fx.Interpreter(traced).run(x), changed(x)):
        assert torch.equal(found["o"], expected["o"]) and torch.equal(found["p"][0], expected["p"][0])
        assert found["p"][1] == 3
    traced(x)["o"].sum().backward()
    assert module.linear.weight.grad is not None  # the parameters are the same


def test_functions_are_themselves_again() -> None:
    before = torch.relu, F.relu, nn.Module.__call__, nn.Module.__getattr__
    with pytest.raises(fx.TraceError, match="control flow"):
        fx.symbolic_trace(lambda x: x if torch.relu(x).sum() > 0 else -x)
    assert before == (torch.relu, F.relu, nn.Module.__call__, nn.Module.__getattr__)


def test_a_graph_can_be_changed() -> None:
    traced = fx.symbolic_trace(lambda x: torch.relu(x) + torch.relu(-x))
    for node in traced.graph.nodes:
        if node.target is torch.relu:
            with traced.graph.inserting_after(node):
                other = traced.graph.call_function(torch.neg, node.args)
            node.replace_all_uses_with(other)
            traced.graph.erase_node(node)
    traced.graph.lint()
    traced.recompile()
    assert traced(torch.tensor([1.0, -2.0])).tolist() == [0.0, 0.0]
    assert [node.op for node in reversed(traced.graph.nodes)][0] == "output"
    add = next(node for node in traced.graph.nodes if node.target is operator.add)
    with pytest.raises(RuntimeError, match="still had 1 users"):
        traced.graph.erase_node(add)
    add.args = (add.args[0], 3)
    assert traced.graph.eliminate_dead_code() and len(traced.graph.nodes) == 4


def test_lint_finds_what_cannot_run() -> None:
    traced = fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2)))
    first, call = list(traced.graph.nodes)[:2]
    call.target = "nothing"
    with pytest.raises(RuntimeError, match="nonexistent attribute nothing"):
        traced.graph.lint()
    call.target = "0"
    call.append(first)
    with pytest.raises(RuntimeError, match="used before it has been defined"):
        traced.graph.lint()


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    fx.symbolic_trace(lambda x: x.relu()).graph.print_tabular()
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].split() == ["opcode", "name", "target", "args", "kwargs"]
    assert lines[3].split() == ["call_method", "relu", "relu", "(x,)", "{}"]


def test_constants_and_dtypes() -> None:
    constant = torch.tensor([1.0, 2.0])
    traced = fx.symbolic_trace(lambda x: (x + constant).to(torch.float64) * float("inf"))
    assert "_tensor_constant0" in traced.code and "torch.float64" in traced.code
    assert traced(torch.ones(2)).dtype == torch.float64


def test_fixed_arguments() -> None:
    traced = fx.symbolic_trace(Small(), concrete_args={"k": 3})
    assert traced(torch.zeros(3, 4))["o"].max().item() == 2 * 3**3


def test_it_loads_when_it_is_touched() -> None:
    code = "import sys, rushlight as torch; assert 'rushlight.fx' not in sys.modules; torch.fx.Graph()"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- features


def resnet() -> Any:
    torch.manual_seed(0)
    return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=3)


def test_names_are_torchvisions() -> None:
    train, evaluation = get_graph_node_names(resnet())
    assert train == evaluation and train[:5] == ["x", "conv1", "bn1", "relu", "maxpool"]
    block = "conv1 bn1 relu conv2 bn2 add relu_1".split()
    assert train[5:12] == [f"layer1.0.{name}" for name in block]
    assert train[-3:] == ["avgpool", "flatten", "fc"]


def test_leaf_layers_and_dropped_blocks() -> None:
    _, names = get_graph_node_names(models.efficientnet_b0(), suppress_diff_warning=True)
    assert names[1] == "features.0" and "features.2.1.stochastic_depth" in names and len(names) == 88


def test_features() -> None:
    model, x = resnet().eval(), torch.rand(2, 3, 32, 32)
    wanted = {"layer1": "low", "layer3.0.relu_1": "middle", "flatten": "last"}
    features = create_feature_extractor(model, wanted)
    assert not features.training and set(features(x)) == set(wanted.values())
    kept: list[Any] = []
    model.layer3.register_forward_hook(lambda module, args, result: kept.append(result))
    model(x)
    assert torch.equal(features(x)["middle"], kept[0])
    assert not any(name.startswith("fc") for name in features.state_dict())
    again = copy.deepcopy(features)
    assert torch.equal(again(x)["last"], features(x)["last"])
    assert again.layer1 is not features.layer1


def test_each_mode_has_its_graph() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            return self.a(x) if self.training else self.b(x)

    with pytest.warns(UserWarning, match="train mode are different to those obtained in eval mode"):
        features = create_feature_extractor(Two(), train_return_nodes=["a"], eval_return_nodes=["b"])
    x = torch.ones(1, 2)
    assert list(features(x)) == ["a"] and list(features.eval()(x)) == ["b"] and list(features.train()(x)) == ["a"]


def test_errors_of_names() -> None:
    with pytest.raises(ValueError, match="node: 'layer9' is not present in model. Hint"):
        create_feature_extractor(resnet(), ["layer9"])
    with pytest.raises(ValueError, match="Either `return_nodes` or"):
        create_feature_extractor(resnet())
    with pytest.raises(ValueError, match="If any of `train_return_nodes`"):
        create_feature_extractor(resnet(), train_return_nodes=["fc"])


def test_vision_transformers_names_are_torchvisions() -> None:
    model = models.VisionTransformer(32, 16, 1, 2, 8, 16)
    names = get_graph_node_names(model)[1]
    block = "dim eq getattr _assert ln self_attention getitem getitem_1 dropout add ln_1 mlp add_1".split()
    start = names.index("encoder.layers.encoder_layer_0.dim")
    assert names[start:-3] == [f"encoder.layers.encoder_layer_0.{name}" for name in block]
    assert names[6:10] == ["eq", "_assert", "eq_1", "_assert_1"]
    assert names[-3:] == ["encoder.ln", "getitem_5", "heads.head"]
    features = create_feature_extractor(model, ["getitem_5"])
    assert features(torch.rand(2, 3, 32, 32))["getitem_5"].shape == (2, 8)
    with pytest.raises(AssertionError, match="Wrong image width"):
        features(torch.rand(2, 3, 32, 16))


# ---------------------------------------------------------------------------------------------------------------------
# Replacing patterns, and shapes


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(3, 3)

    def forward(self, x, y):  # type: ignore[no-untyped-def]
        a = torch.cat([x, y]).sum()
        b = torch.cat([y, x]).sum()
        c = torch.relu(self.l(x))
        return torch.relu(torch.relu(c)) + a * b


def _names(gm: Any) -> list[str]:
    return [node.name for node in gm.graph.nodes]


def test_a_pattern_is_replaced_wherever_it_occurs() -> None:
    gm = fx.symbolic_trace(Twice())
    found = fx.replace_pattern(gm, lambda a, b: torch.cat([a, b]).sum(), lambda a, b: torch.stack([a, b]).mean())
    assert [match.anchor.name for match in found] == ["sum_1", "sum_1"]
    assert [found[1].nodes_map[match].name for match in list(found[1].nodes_map)][:2] == ["sum_2", "cat_1"]
    after = ["stack", "mean", "stack_1", "mean_1", "mul", "add", "output"]
    assert _names(gm) == ["x", "y", "l", "relu", "relu_1", "relu_2", *after]
    gm.graph.lint()
    x, y = torch.rand(2, 3), torch.rand(2, 3)
    mean = torch.stack([x, y]).mean()
    assert torch.allclose(gm(x, y), torch.relu(gm.l(x)) + mean * mean)


def test_matches_do_not_overlap() -> None:
    gm = fx.symbolic_trace(Twice())
    assert len(fx.replace_pattern(gm, lambda a: torch.relu(torch.relu(a)), lambda a: torch.tanh(a))) == 1
    assert "relu_2" in _names(gm) and "relu" not in _names(gm)


def test_a_replacement_may_bring_modules() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k = nn.Linear(3, 3)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.k(x)

    other = Other()
    gm = fx.symbolic_trace(Twice())
    assert len(fx.replace_pattern(gm, lambda a: torch.relu(a), other)) == 3
    assert gm.k is other.k
    x = torch.rand(2, 3)
    both = torch.cat([x, x]).sum()
    assert torch.allclose(gm(x, x), other.k(other.k(other.k(gm.l(x)))) + both * both)


def test_a_pattern_with_two_results() -> None:
    gm = fx.symbolic_trace(Twice())
    pattern = lambda a, b: (torch.cat([a, b]).sum(), torch.cat([b, a]).sum())
    assert len(fx.replace_pattern(gm, pattern, lambda a, b: (a.sum(), b.sum()))) == 1
    x, y = torch.rand(2, 3), torch.rand(2, 3)
    assert torch.allclose(gm(x, y), torch.relu(gm.l(x)) + x.sum() * y.sum())


def test_what_is_used_elsewhere_is_not_replaced() -> None:
    def used_twice(x, y):  # type: ignore[no-untyped-def]
        t = x + y
        return torch.relu(t) * t

    gm = fx.symbolic_trace(used_twice)
    assert fx.replace_pattern(gm, lambda a, b: torch.relu(a + b), lambda a, b: a) == []
    assert fx.replace_pattern(gm, lambda a: F.gelu(a), lambda a: a) == []


def test_shapes_of_a_graph() -> None:
    from rushlight.fx.passes.shape_prop import ShapeProp

    gm = fx.symbolic_trace(nn.Sequential(nn.Conv2d(2, 4, 1), nn.Flatten()))
    ShapeProp(gm).propagate(torch.ones(2, 2, 4, 4).to(memory_format=torch.channels_last))
    x, conv, flat, _ = gm.graph.nodes
    assert x.meta["tensor_meta"].memory_format is torch.channels_last and not x.meta["tensor_meta"].requires_grad
    meta = conv.meta["tensor_meta"]
    assert (tuple(meta.shape), meta.dtype, meta.requires_grad) == ((2, 4, 4, 4), torch.float32, True)
    assert flat.meta["tensor_meta"].memory_format is torch.contiguous_format and flat.meta["type"] is torch.Tensor
    with pytest.raises(RuntimeError, match="ShapeProp error for: node=%_0"):
        ShapeProp(gm).propagate(torch.ones(2, 3, 4, 4))


class Branching(torch.nn.Module):
    """Two results, a parameter, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.p = torch.nn.Parameter(torch.rand(3, 4))
        self.linear, self.b = torch.nn.Linear(4, 5), torch.nn.Sequential(torch.nn.Linear(5, 5))

    def forward(self, x: Any, y: Any) -> Any:
        z = self.linear(x + self.p).clamp(min=0.0, max=1.0)
        w = self.linear(y).clamp(min=0.0, max=1.0)
        return self.b(z + w), w


def test_a_graph_cut_into_modules() -> None:
    from rushlight.fx.passes.split_module import split_module

    model, names = Branching(), iter(range(9))
    origins: dict[str, str] = {}
    cut = split_module(fx.symbolic_trace(model), model, lambda node: min(next(names) // 3, 2), origins)
    assert [str(node) for node in cut.graph.nodes] == [
        "x", "y", "p", "submod_0", "submod_1", "getitem", "getitem_1", "submod_2", "output",
    ]  # fmt: skip
    assert list(cut.state_dict()) == [
        "p", "submod_0.linear.weight", "submod_0.linear.bias", "submod_1.linear.weight", "submod_1.linear.bias",
        "submod_2.b_0.weight", "submod_2.b_0.bias",
    ]  # fmt: skip
    assert origins["submod_2.b_0"] == "b.0" and [str(n) for n in cut.submod_2.graph.nodes] == ["add_1", "b_0", "output"]
    x = torch.ones(3, 4)
    for found, want in zip(cut(x, x * 2), model(x, x * 2), strict=True):
        assert torch.equal(found, want)
    turns = iter([0, 1, 0, 1, 0, 1, 0])
    with pytest.raises(RuntimeError, match="cycle exists"):
        split_module(fx.symbolic_trace(model), model, lambda node: next(turns))


def test_named_tuples_among_arguments_keep_their_class() -> None:
    from rushlight.ops.im2col import Geometry

    def stride_of(x, geometry):
        return x * geometry.stride[0]

    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(stride_of, (x, Geometry((3, 3), (0, 0), (1, 1)))))
    assert fx.GraphModule(torch.nn.Module(), graph)(torch.ones(1)).item() == 3


def test_a_function_that_was_replaced_stays_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As autocast replaces some when it is first entered, which may be after something was traced."""
    fx.symbolic_trace(torch.nn.Linear(2, 2))

    @functools.wraps(F.linear)
    def other(*args: Any) -> Any:
        return args

    monkeypatch.setattr(F, "linear", other)
    traced = fx.GraphModule(nn.Module(), fx.Tracer().trace(lambda x: F.linear(x, x)))
    assert F.linear is other and F.linear in torch.overrides.get_overridable_functions()[F]
    assert "torch.nn.functional.linear(x, x)" in traced.code
