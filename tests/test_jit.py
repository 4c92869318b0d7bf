"""`torch.jit`: scripted modules share what they were made of; files of modules say the same as the modules, in training
and in evaluation, and a file that was tampered with runs nothing.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.jit import archive

T = torch.tensor


class Net(nn.Module):
    """Layers, functions, methods, sizes, a buffer that forward writes to, and another way in training."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.rnn = nn.LSTM(4, 5, 2, batch_first=True)
        self.heads = nn.ModuleList([nn.Linear(5, 3, bias=False), nn.Linear(5, 2)])
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("seen", torch.zeros(1), persistent=False)

    def forward(self, x: torch.Tensor, factor: float = 2.0) -> dict[str, Any]:
        y = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2).flatten(2).transpose(1, 2)
        out, _ = self.rnn(y)
        if self.training:
            self.seen.add_(1)
            out = nn.functional.dropout(out, 0.5)
        last = out[:, -1] * factor * self.scale + T([1.0])
        return {"heads": [head(last) for head in self.heads], "size": x.size(0), "shape": x.shape}


def copy_of(module: nn.Module, **options: Any) -> Any:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module), file)
    file.seek(0)
    return torch.jit.load(file, **options)


def same(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a["heads"], b["heads"], strict=True)) and a["size"] == b["size"]


def test_script_shares_its_parameters() -> None:
    net = Net()
    scripted = torch.jit.trace(net, torch.zeros(2, 1, 4, 4))
    assert isinstance(scripted, torch.jit.ScriptModule) and isinstance(scripted, Net)
    assert scripted.original_name == "Net" and list(scripted.state_dict()) == list(net.state_dict())
    assert all(a is b for a, b in zip(scripted.parameters(), net.parameters(), strict=True))
    assert scripted.code.startswith("def forward(self, x") and torch.jit.script(scripted) is scripted
    linear = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert [n.op for n in linear.graph.nodes] == ["placeholder", "call_module", "call_module", "output"]


def test_a_loaded_module_does_the_same() -> None:
    torch.manual_seed(0)
    net = Net()
    loaded = copy_of(net)
    assert loaded.training and loaded.original_name == "Net" and net.seen.item() == 0
    assert list(loaded.state_dict()) == list(net.state_dict()) and "_tensor_constant0" not in vars(net)
    for size in (2, 3):
        x = torch.randn(size, 1, 4, 4)
        for mode in (True, False):
            torch.manual_seed(1)
            expected = net.train(mode)(x, factor=3.0)
            torch.manual_seed(1)
            assert same(loaded.train(mode)(x, factor=3.0), expected)
    assert loaded.seen.item() == net.seen.item() == 2 and torch.equal(loaded.norm.running_mean, net.norm.running_mean)
    loaded(x)["heads"][0].sum().backward()
    assert loaded.conv.weight.grad.abs().sum() > 0 and "self.conv(x)" in loaded.code
    again = copy_of(loaded)
    assert not again.training and same(again(x), loaded(x))


def test_what_is_written_beside_a_module() -> None:
    net = nn.Linear(2, 1).requires_grad_(False)
    file = io.BytesIO()
    torch.jit.script(net).save(file, _extra_files={"labels.txt": "one\ntwo"})
    file.seek(0)
    wanted: dict[str, Any] = {"labels.txt": "", "other": b""}
    loaded = torch.jit.load(file, map_location="cpu", _extra_files=wanted)
    assert wanted == {"labels.txt": b"one\ntwo", "other": b""} and not loaded.weight.requires_grad
    with pytest.raises(TypeError, match="missing a required argument: 'input'"):
        loaded()


def test_what_cannot_be_written_says_so() -> None:
    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    class Sorts(nn.Module):
        def forward(self, *xs: torch.Tensor) -> Any:
            return torch.stack(xs)

    class Saves(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return x.numpy()

    for module, why in ((Looks(), "control flow"), (Sorts(), ""), (Saves(), "no form in a file")):
        with pytest.raises(NotImplementedError, match=f"torch.jit.save: what .* does .*{why}"):
            torch.jit.save(module, io.BytesIO())
        assert module.training
    with pytest.raises(TypeError, match="expected a module, got function"):
        torch.jit.save(same, io.BytesIO())


def tampered(change: Any) -> io.BytesIO:
    program = archive._program_of(nn.Sequential(nn.Linear(2, 1))) | {"extra": {}}
    change(program)
    file = io.BytesIO()
    torch.save(program, file)
    file.seek(0)
    return file


def node(*parts: Any) -> Any:
    """Puts another node before the output of both graphs."""

    def change(program: dict[str, Any]) -> None:
        for nodes in program["graphs"].values():
            nodes.insert(-1, parts)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (node("a", "call_function", "torch.save", (1, "x"), {}), "torch.save"),
        (node("a", "call_function", "os.system", ("true",), {}), "os.system"),
        (node("a", "call_method", "__reduce_ex__", ({"node": "input_1"}, 4), {}), "no method that a program may call"),
        (node("a", "call_method", "numpy", ({"node": "input_1"},), {}), "no method that a program may call"),
        (node("a", "get_attr", "0.forward", (), {}), "neither parameter nor buffer"),
        (node("a", "call_module", "", (), {}), "is no layer"),
        (node("a", "call_method", "relu", ({"node": "nobody"},), {}), "nobody"),
        (lambda p: p["layers"]["0"].update(kind="Module"), "Module"),
        (lambda p: p["layers"]["0"]["options"].update(device="cpu"), "no such arguments"),
        (lambda p: p["layers"]["0"]["options"].update(in_features=10**9), "not the shape"),
        (lambda p: p["state"].pop(), "no numbers for 0.bias"),
        (lambda p: p.update(version=2), "holds data"),
        (lambda p: p["graphs"].clear(), "damaged"),
    ],
)  # fmt: skip
def test_a_tampered_file_is_refused(change: Any, why: str) -> None:
    with pytest.raises(RuntimeError, match=why):
        torch.jit.load(tampered(change))


def test_methods_are_called_of_tensors_only() -> None:
    file = tampered(node("a", "call_method", "item", ([1],), {}))
    with pytest.raises(RuntimeError, match="calls item of something that is no tensor"):
        torch.jit.load(file)(torch.zeros(1, 2))
    file = tampered(node("a", "call_function", "getattr", ({"node": "input_1"}, "__class__"), {}))
    with pytest.raises(RuntimeError, match="asks a Tensor for '__class__'"):
        torch.jit.load(file)(torch.zeros(1, 2))


def test_files_of_torchscript_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archived:
        archived.writestr("model/data.pkl", b"")
        archived.writestr("model/constants.pkl", b"")
        archived.writestr("model/version", b"3")
    file.seek(0)
    with pytest.raises(NotImplementedError, match="torch.jit.load: the file was written by PyTorch"):
        torch.jit.load(file)
    with pytest.raises(FileNotFoundError):
        torch.jit.load("no_such_file.pt")
