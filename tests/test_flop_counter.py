"""FlopCounterMode: the totals that PyTorch gives, however the recorder cuts the program."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.utils.flop_counter import FlopCounterMode


def counted(layer: nn.Module, x: torch.Tensor) -> FlopCounterMode:
    with FlopCounterMode(display=False) as counter:
        layer(x).sum().backward()
    return counter


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        (lambda: nn.Conv2d(3, 4, 3, padding=1), (2, 3, 8, 8), 82944),
        (lambda: nn.ConvTranspose2d(3, 4, 3), (2, 3, 8, 8), 82944),
        (lambda: nn.Conv2d(4, 4, 3, groups=2, stride=2), (2, 4, 9, 9), 18432),
        (lambda: nn.Linear(5, 4), (2, 3, 5), 720),
        (lambda: nn.Linear(5, 4), (2, 5), 240),
        (lambda: nn.Linear(5, 4, bias=False), (2, 5), 240),
    ],
)
def test_forward_and_backward(layer: object, shape: tuple[int, ...], flops: int) -> None:
    made = layer()  # type: ignore[operator]
    for _ in range(3):  # the second and third time the backward pass is one edge of the automaton
        assert counted(made, torch.ones(shape, requires_grad=True)).get_total_flops() == flops


def test_products() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 4)
    x, y = torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    with FlopCounterMode(display=False) as counter:
        a @ b
        torch.addmm(torch.ones(4), a, b)
        torch.bmm(x, y).sum().item()  # computed in the middle
        torch.baddbmm(torch.ones(2, 3, 5), x, y)
    aten = torch.ops.aten
    assert counter.get_flop_counts()["Global"] == {aten.mm: 48, aten.addmm: 48, aten.bmm: 240, aten.baddbmm: 240}
    a @ b
    assert counter.get_total_flops() == 576  # nothing is counted behind the block


def test_by_module(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 1)))
    with FlopCounterMode(depth=2) as counter:
        net(torch.ones(1000, 4)).sum().backward()
    counts = counter.get_flop_counts()
    of_linear = {name: found[torch.ops.aten.addmm] for name, found in counts.items()}
    assert of_linear == {
        "Global": 208000, "Sequential": 208000, "Sequential.0": 64000, "Sequential.2": 144000,
        "Sequential.2.0": 128000, "Sequential.2.1": 16000,
    }  # fmt: skip
    assert counter.get_total_flops() == 560000
    table = capsys.readouterr().out
    assert "560.000K" in table and "Sequential.2 " in table and "Sequential.2.0" not in table


def test_an_error_ends_it() -> None:
    with pytest.raises(RuntimeError), FlopCounterMode(display=False):
        nn.Linear(5, 4)(torch.ones(2, 3))
    assert counted(nn.Linear(5, 4), torch.ones(2, 5)).get_total_flops() == 160
