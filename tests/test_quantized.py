"""Quantized tensors, observers, fake quantization, and quantized networks. Expected numbers are PyTorch 2.13's."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight as torch

Q = torch.ao.quantization
X = torch.tensor([[-1.0, 0.0, 1.0], [2.0, 0.3, -0.77]])


def test_there_and_back() -> None:
    q = torch.quantize_per_tensor(X, 0.1, 10, torch.quint8)
    assert q.int_repr().tolist() == [[0, 10, 20], [30, 13, 2]] and q.int_repr().dtype is torch.uint8
    torch.testing.assert_close(q.dequantize(), torch.tensor([[-1.0, 0, 1], [2, 0.3, -0.8]]))
    assert q.is_quantized and not X.is_quantized and q.dtype is torch.quint8 and q.shape == (2, 3)
    assert (q.q_scale(), q.q_zero_point(), q.qscheme()) == (0.1, 10, torch.per_tensor_affine)
    assert repr(q) == (
        "tensor([[-1.0000,  0.0000,  1.0000],\n        [ 2.0000,  0.3000, -0.8000]], size=(2, 3), dtype=torch.quint8,"
        "\n       quantization_scheme=torch.per_tensor_affine, scale=0.1, zero_point=10)"
    )
    half = torch.quantize_per_tensor(torch.tensor([0.3]), 0.2, 1, torch.qint8)
    assert half.int_repr().item() == 2, "the zero point is added before rounding"
    assert torch.dequantize(X) is X and torch.quint8.itemsize == 1


def test_by_channel() -> None:
    q = torch.quantize_per_channel(X, torch.tensor([0.1, 0.01]), torch.tensor([10, 0]), 0, torch.qint8)
    assert q.int_repr().tolist() == [[0, 10, 20], [127, 30, -77]] and q.q_per_channel_axis() == 0
    assert q.q_per_channel_scales().dtype is torch.float64 and q.q_per_channel_zero_points().tolist() == [10, 0]
    torch.testing.assert_close(q.dequantize()[1], torch.tensor([1.27, 0.3, -0.77]))
    with pytest.raises(RuntimeError, match="qscheme"):
        q.q_scale()


def test_dynamic_scales() -> None:
    q = torch.quantize_per_tensor_dynamic(X, torch.quint8, False)
    assert q.q_scale() == 3 / 255 and q.q_zero_point() == 85 and q.int_repr().tolist()[1] == [255, 110, 20]
    q = torch.quantize_per_tensor_dynamic(X, torch.qint8, True)
    assert q.q_scale() == 3 / 127 and q.q_zero_point() == -22


def test_what_quantized_tensors_can_do() -> None:
    q = torch.quantize_per_tensor(X, 0.1, 10, torch.quint8)
    assert q.view(-1).int_repr().tolist() == [0, 10, 20, 30, 13, 2] and q.t().shape == (3, 2)
    assert q[0].int_repr().tolist() == [0, 10, 20] and torch.cat([q, q]).shape == (4, 3)
    assert torch.relu(q).int_repr().tolist() == [[10, 10, 20], [30, 13, 10]] and torch.equal(q, q.clone())
    assert (q == q).all() and torch.equal(copy.deepcopy(q), q) and torch.equal(pickle.loads(pickle.dumps(q)), q)
    assert torch.nn.functional.max_pool2d(q[None, None], 2).int_repr().item() == 30
    assert torch.empty_quantized([2], q).shape == (2,)
    for refused in (lambda: q + q, lambda: q.sum(), lambda: torch.nn.functional.linear(q, X)):
        with pytest.raises(NotImplementedError, match="QuantizedCPU"):
            refused()
    with pytest.raises(TypeError, match="QUInt8"):
        q.numpy()


def test_what_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Float Tensor, got Double"):
        torch.quantize_per_tensor(X.double(), 0.1, 0, torch.qint8)
    with pytest.raises(RuntimeError, match="new_qtensor"):
        torch.quantize_per_tensor(X, 0.1, 0, torch.int8)
    with pytest.raises(RuntimeError, match="above upper bound"):
        torch.quantize_per_tensor(X, 0.1, 500, torch.qint8)
    for ask in (X.int_repr, X.q_scale, lambda: torch.q_zero_point(X)):
        with pytest.raises(NotImplementedError, match="not quantized"):
            ask()
    with pytest.raises(AssertionError, match="Version number: 1"):
        Q.get_default_qconfig("x86", 1)
    with pytest.raises(ValueError, match="Don't know how"):
        Q.quantize_dynamic(torch.nn.Linear(1, 1), dtype=torch.int32)


def test_fake_quantization_has_a_straight_through_gradient() -> None:
    x = torch.tensor([-2.0, -0.26, 0.04, 0.3, 5.0], requires_grad=True)
    found = torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -8, 15)
    torch.testing.assert_close(found, torch.tensor([-0.8, -0.3, 0, 0.3, 1.5]))
    found.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    found = torch.fake_quantize_per_channel_affine(X, torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, 0, 255)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0, 1], [2, 0.4, -0.2]]))
    with pytest.raises(RuntimeError, match="quant_min"):
        torch.fake_quantize_per_tensor_affine(X, 0.1, 0, 5, 1)
    with pytest.raises(RuntimeError, match="dimensions of scale"):
        torch.fake_quantize_per_channel_affine(X, torch.ones(3), torch.zeros(3), 0, 0, 255)


def test_observers() -> None:
    observe = Q.MinMaxObserver()
    with pytest.warns(UserWarning, match="must run observer"):
        assert [t.tolist() for t in observe.calculate_qparams()] == [[1.0], [0]]
    observe(X)
    observe(X * 2 + 1)
    assert (observe.min_val.item(), observe.max_val.item()) == (-1.0, 5.0)
    scale, zero_point = observe.calculate_qparams()
    assert zero_point.tolist() == [42] and scale.item() == pytest.approx(6 / 255)
    moving = Q.MovingAverageMinMaxObserver(averaging_constant=0.5)
    moving(X)
    moving(X * 3)
    assert (moving.min_val.item(), moving.max_val.item()) == (-2.0, 4.0)
    by_row = Q.PerChannelMinMaxObserver(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    by_row(X)
    assert by_row.calculate_qparams()[0].tolist() == pytest.approx([1 / 127.5, 2 / 127.5])
    again = Q.PerChannelMinMaxObserver()
    again.load_state_dict(by_row.state_dict())
    assert torch.equal(again.min_val, by_row.min_val)
    with pytest.raises(NotImplementedError, match="qscheme"):
        Q.MinMaxObserver(qscheme=torch.per_channel_affine)


def net() -> Any:
    torch.manual_seed(1)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.c, self.r, self.p = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
            self.l = torch.nn.Linear(64, 5)

        def forward(self, x: Any) -> Any:
            return self.dequant(self.l(self.p(self.r(self.c(self.quant(x)))).flatten(1)))

    return Net()


def test_a_network_quantized_by_observing() -> None:
    model, data = net().eval(), torch.randn(3, 1, 8, 8)
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(model)
    prepared(data)
    made = Q.convert(prepared)
    assert type(made.l).__module__.endswith("ao.nn.quantized") and made.c.weight().dtype is torch.qint8
    torch.testing.assert_close(made(data), model(data), atol=0.05, rtol=0)
    other = Q.convert(prepared)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(data), made(data))
    assert list(made.state_dict())[-4:] == [
        "l.scale", "l.zero_point", "l._packed_params.dtype", "l._packed_params._packed_params",
    ]  # fmt: skip


@pytest.mark.parametrize("backend", ["x86", "qnnpack"])
def test_a_network_quantized_in_training(backend: str) -> None:
    model, data = net().train(), torch.randn(3, 1, 8, 8)
    model.qconfig = Q.get_default_qat_qconfig(backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = Q.prepare_qat(model)
    step = torch.optim.SGD(prepared.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        loss = (prepared(data) ** 2).mean()
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0] and isinstance(prepared.l, torch.ao.nn.qat.Linear)
    prepared.eval()
    torch.testing.assert_close(Q.convert(prepared)(data), prepared(data), atol=0.05, rtol=0)
    with pytest.raises(AssertionError, match="training mode"):
        Q.prepare_qat(model.eval())


def test_weights_as_whole_numbers() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 7), torch.nn.ReLU())
    x = torch.randn(4, 10)
    made = torch.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    torch.testing.assert_close(made(x), model(x), atol=0.05, rtol=0)
    weight = made[0].weight()
    assert weight.dtype is torch.qint8 and weight.q_zero_point() == 0
    assert weight.q_scale() == pytest.approx(model[0].weight.abs().max().item() / 127.5)
    half = Q.quantize_dynamic(model, dtype=torch.float16)
    assert half[0].weight().dtype is torch.float16
    torch.testing.assert_close(half(x), model(x), atol=1e-2, rtol=0)
    again = Q.quantize_dynamic(model)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(x), made(x)) and isinstance(model[0], torch.nn.Linear)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers(kind: str) -> None:
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(6, 5, num_layers=2, bidirectional=True, batch_first=True)
    made = Q.quantize_dynamic(torch.nn.ModuleList([layer]), {getattr(torch.nn, kind)})[0]
    x = torch.randn(3, 4, 6)
    (found, state), (want, ends) = made(x), layer(x)
    torch.testing.assert_close(found, want, atol=0.03, rtol=0)
    torch.testing.assert_close(state, ends, atol=0.03, rtol=0)
    assert made(x[0])[0].shape == (4, 10)
    torch.testing.assert_close(made(x, ends)[0], layer(x, ends)[0], atol=0.03, rtol=0)
    assert repr(made) == f"DynamicQuantized{kind}(6, 5, num_layers=2, batch_first=True, bidirectional=True)"


def test_files(tmp_path: Path) -> None:
    q = torch.quantize_per_tensor(X, 0.1, 10, torch.quint8)
    c = torch.quantize_per_channel(X, torch.tensor([0.1, 0.2]), torch.tensor([1, 2]), 0, torch.qint8)
    torch.save({"q": q, "c": c, "t": q.t(), "d": torch.qint8}, tmp_path / "q.pt")
    found = torch.load(tmp_path / "q.pt")
    assert torch.equal(found["q"], q) and torch.equal(found["c"], c) and found["d"] is torch.qint8
    assert torch.equal(found["t"], q.t().clone()) and found["c"].q_per_channel_axis() == 0
    model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    made = Q.quantize_dynamic(model)
    torch.save(made.state_dict(), tmp_path / "m.pt")
    again = Q.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(3, 2)))
    again.load_state_dict(torch.load(tmp_path / "m.pt"))
    assert torch.equal(again(X), made(X))


def test_a_file_of_pytorch_is_read() -> None:
    found = torch.load(Path(__file__).parent / "expected" / "quantized.pt")
    assert found["q"].q_scale() == 0.1 and found["q"].int_repr().tolist() == [[3, 13, 23], [33, 43, 53]]
    assert found["c"].q_per_channel_zero_points().tolist() == [1, 2] and found["c"].dtype is torch.qint8
    assert found["c"].int_repr().tolist() == [[1, 11, 21], [17, 22, 27]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [  # what PyTorch 2.13 chooses
        ({}, [(0.021435868, 129), (0.0487378985, 125), (0.0886832774, 127)]),
        ({"reduce_range": True}, [(0.0430405252, 64), (0.0978595614, 62), (0.178064838, 63)]),
        (
            {"dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric},
            [(0.0217458252, 0), (0.0496931635, 0), (0.0893641859, 0)],
        ),
        ({"bins": 100}, [(0.0212318748, 131), (0.0482740887, 126), (0.0878393278, 128)]),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.inf detected", "ignore:Please use quant_min")
def test_a_histogram_chooses_the_range_that_loses_least(options: Any, expected: Any) -> None:
    random, observe = np.random.RandomState(0), Q.HistogramObserver(**options)
    for turn, (scale, zero_point) in enumerate(expected):
        x = random.randn(500 + turn * 1000) * (turn + 1)
        x[0] = np.inf if turn == 2 else x[0]
        observe(torch.tensor(x.astype(np.float32)))
        found = observe.calculate_qparams()
        assert found[0].item() == pytest.approx(scale, rel=1e-6) and found[1].item() == zero_point


def test_histograms_of_little() -> None:
    observe = Q.HistogramObserver()
    with pytest.warns(UserWarning, match="must run observer before"):
        assert [x.item() for x in observe.calculate_qparams()] == [1.0, 0]
    assert list(observe.state_dict()) == ["eps", "histogram", "min_val", "max_val"]
    assert observe(torch.empty(0)).numel() == 0 and observe.histogram.sum() == 0
    observe(torch.ones(5))
    assert observe.calculate_qparams()[0].item() == pytest.approx(1 / 255)
    observe(torch.tensor([3.0, -1.0]))
    scale, zero_point = observe.calculate_qparams()
    assert scale.item() == pytest.approx(0.015678614) and zero_point == 64 and observe.histogram.sum() == 7
    with pytest.raises(NotImplementedError, match="qscheme only support"):
        Q.HistogramObserver(qscheme=torch.per_channel_affine)
    with pytest.raises(NotImplementedError, match="dynamic"):
        Q.HistogramObserver(is_dynamic=True)


@pytest.mark.filterwarnings("ignore:Please use quant_min")
def test_quantizing_by_default() -> None:
    torch.manual_seed(0)
    model = Q.QuantWrapper(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))).eval()
    model.qconfig = Q.get_default_qconfig("x86")
    prepared, x = Q.prepare(model), torch.randn(8, 1, 8, 8)
    prepared(x)
    quantized = Q.convert(prepared)
    assert (quantized(x) - model(x)).abs().max() < 0.1 and "QuantizedLinear" in repr(quantized)


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.rest = nn.Sequential(nn.Flatten(), nn.Linear(144, 6), nn.ReLU(), nn.Linear(6, 3))

    def forward(self, x: Any) -> Any:
        return self.dequant(self.rest(self.relu(self.norm(self.conv(self.quant(x))))))


def test_layers_are_fused_and_quantized_as_one() -> None:
    torch.manual_seed(0)
    model, x = Small(), torch.randn(4, 1, 8, 8)
    model(x)
    model.eval()
    model.relu.register_forward_hook(lambda *_: seen.append("relu"))
    seen: list[str] = []
    fused = Q.fuse_modules(model, [["conv", "norm", "relu"], ["rest.1", "rest.2"]])
    assert isinstance(fused.conv, torch.ao.nn.intrinsic.ConvReLU2d) and isinstance(fused.norm, torch.nn.Identity)
    torch.testing.assert_close(fused(x), model(x))
    assert seen == ["relu", "relu"] and isinstance(model.conv, torch.nn.Conv2d)
    assert torch.backends.quantized.engine in torch.backends.quantized.supported_engines
    fused.qconfig = Q.get_default_qconfig("qnnpack")
    prepared = Q.prepare(fused)
    assert sum(isinstance(m, Q.HistogramObserver) for m in prepared.modules()) == 4
    prepared(x)
    quantized = Q.convert(prepared)
    assert repr(quantized.conv).startswith("QuantizedConvReLU2d(1, 4, kernel_size=(3, 3), stride=(1, 1), scale=0.00992")
    assert [n.rpartition(".")[2] for n in quantized.conv.state_dict()] == ["weight", "bias", "scale", "zero_point"]
    expected = [[0.3706, 0.0728, 0.3605], [0.3774, 0.0677, 0.2674]]  # PyTorch 2.13's
    torch.testing.assert_close(quantized(x)[:2], torch.tensor(expected), atol=0.0035, rtol=0.0)


def test_what_cannot_be_fused() -> None:
    for paths in (["relu", "conv"], ["conv"]):
        with pytest.raises(AssertionError, match="did not find fuser method"):
            Q.fuse_modules(Small().eval(), paths)
    with pytest.raises(AssertionError, match="Fusion only for eval"):
        Q.fuse_modules(Small(), ["conv", "norm", "relu"])
    with pytest.raises(AssertionError, match="ConvReLU2d is of"):
        torch.ao.nn.intrinsic.ConvReLU2d(torch.nn.Linear(1, 1), torch.nn.ReLU())
    with pytest.raises(NotImplementedError, match="fuse_modules_qat"):
        Q.fuse_modules_qat(Small(), ["conv", "norm", "relu"])
    for first, then in ((torch.nn.Conv1d(1, 2, 1), torch.nn.BatchNorm1d(2)), (torch.nn.Linear(1, 2), torch.nn.ReLU())):
        pair = torch.nn.Sequential(first, then).eval()
        x = torch.ones(3, 1, 1) if isinstance(first, torch.nn.Conv1d) else torch.ones(3, 1)
        torch.testing.assert_close(Q.fuse_modules(pair, ["0", "1"])(x), pair(x))


@pytest.mark.parametrize(
    "name", ["nn.quantized.dynamic", "nn.quantized", "nn.qat", "nn.intrinsic", "quantization.quantize"]
)
def test_any_part_may_be_imported_first(name: str) -> None:
    found = subprocess.run([sys.executable, "-c", f"import rushlight.ao.{name}"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
