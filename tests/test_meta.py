"""Tensors on the device meta have a shape and no numbers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import rushlight as torch
from rushlight import nn

F = nn.functional
HUGE = 10**7


def meta(*shape: int, **options: Any) -> Any:
    return torch.empty(*shape, device="meta", **options)


def test_of_any_size() -> None:
    x = meta(HUGE, HUGE)
    assert x.is_meta and x.device == torch.device("meta") and not x.is_cpu and x.numel() == 10**14
    assert (x + 1).relu().shape == (HUGE, HUGE) and x.sum(0).shape == (HUGE,) and (x @ x.t()).shape == x.shape
    assert x[5, :3].shape == (3,) and x.view(-1).shape == (10**14,) and x.t().stride() == (1, HUGE)
    assert torch.cat([x, x], 1).shape == (HUGE, 2 * HUGE) and x.softmax(-1).is_meta and x.nbytes == 4 * 10**14
    assert x.add_(1) is x and x.to(torch.float64).dtype is torch.float64
    with pytest.raises(RuntimeError, match="must match the size"):
        x + meta(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: torch.zeros(2, **o), lambda **o: torch.ones(2, **o), lambda **o: torch.full((2,), 1.0, **o),
        lambda **o: torch.rand(2, **o), lambda **o: torch.randn(2, **o), lambda **o: torch.arange(2, **o),
        lambda **o: torch.tensor([1, 2], **o), lambda **o: torch.as_tensor([1, 2], **o),
    ],
)  # fmt: skip
def test_factories(make: Any) -> None:
    torch.manual_seed(0)
    there = make(device="meta")
    with torch.device("meta"):
        inside = make()
    here = make()
    assert there.is_meta and inside.is_meta and not here.is_meta and there.dtype is inside.dtype is here.dtype
    assert there.shape == inside.shape == here.shape
    torch.manual_seed(0)
    assert torch.equal(make(), here), "nothing is drawn for a tensor without numbers"
    assert torch.zeros_like(here, device="meta").is_meta and torch.rand_like(there.float()).is_meta
    assert torch.empty_like(there, device="cpu").tolist() is not None and there.new_zeros(3).is_meta


def test_what_needs_numbers_is_refused() -> None:
    x = meta(2, 2)
    for read, kind in (
        (x.item, RuntimeError), (lambda: bool(x.sum()), RuntimeError), (x.numpy, TypeError),
        (x.cpu, NotImplementedError), (lambda: x.to("cpu"), NotImplementedError), (x.tolist, NotImplementedError),
        (x.nonzero, NotImplementedError), (lambda: torch.ones(2, 2).copy_(x), NotImplementedError),
        (lambda: torch.ones(()).add_(meta(())), NotImplementedError),
    ):  # fmt: skip
        with pytest.raises(kind):
            read()
    with pytest.raises(RuntimeError, match="not on the expected device meta"):
        x + torch.ones(2, 2)
    assert (x + torch.ones(())).is_meta and x.copy_(torch.ones(2)) is x
    assert repr(meta(2, dtype=torch.float64)) == "tensor(..., device='meta', size=(2,), dtype=torch.float64)"


def test_a_model_without_numbers_and_its_gradients() -> None:
    model = nn.Linear(3, 2, device="meta")
    assert isinstance(model.weight, nn.Parameter) and model.weight.requires_grad and model.weight.is_leaf
    assert repr(model.weight).startswith("Parameter containing:\ntensor(..., device='meta', size=(2, 3), requires_grad")
    loss = model(meta(4, 3)).sum()
    assert loss.requires_grad and not loss.is_leaf
    loss.backward()
    assert model.weight.grad.is_meta and model.weight.grad.shape == (2, 3)
    with torch.no_grad():
        assert not model(meta(4, 3)).requires_grad
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        step = kind(model.parameters(), lr=0.1)
        step.step()
        step.step()
        assert model.weight.is_meta and isinstance(model.weight, nn.Parameter) and model.weight.shape == (2, 3)
    assert step.state[model.weight]["exp_avg"].is_meta
    again = copy.deepcopy(model)
    assert again.weight.is_meta and again.weight is not model.weight and again.weight.requires_grad


def test_deferred_initialisation() -> None:
    torch.manual_seed(0)
    before = torch.rand(1).item()
    torch.manual_seed(0)
    with torch.device("meta"):
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        assert model(torch.ones(2, 3, 8)).shape == (2, 3, 8)
    assert torch.rand(1).item() == before, "nothing was drawn"
    assert all(p.is_meta for p in model.parameters())
    real = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    model.load_state_dict(real.state_dict(), assign=True)
    x = torch.randn(2, 3, 8)
    assert torch.equal(model.eval()(x), real.eval()(x))
    made = nn.Linear(2, 2, device="meta").to_empty(device="cpu")
    assert not made.weight.is_meta and isinstance(made.weight, nn.Parameter)
    made.reset_parameters()
    assert made(torch.ones(1, 2)).shape == (1, 2)
    with pytest.raises(NotImplementedError, match="to_empty"):
        nn.Linear(2, 2, device="meta").to("cpu")
    with pytest.warns(UserWarning, match="no-op"):
        nn.Linear(2, 2, device="meta").load_state_dict(nn.Linear(2, 2).state_dict())


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (lambda: nn.Conv2d(3, 8, 3), (2, 3, 9, 9)), (lambda: nn.BatchNorm2d(3), (2, 3, 4, 4)),
        (lambda: nn.LSTM(4, 5, 2), (3, 2, 4)), (lambda: nn.LayerNorm(4), (2, 4)), (lambda: nn.Dropout(0.5), (3, 3)),
        (lambda: nn.MaxPool2d(2), (1, 1, 4, 4)), (lambda: nn.GELU(), (3,)), (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    ],
)  # fmt: skip
def test_layers(layer: Any, shapes: Any) -> None:
    here = layer()(torch.ones(shapes))
    with torch.device("meta"):
        there = layer()(torch.ones(shapes))
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (here, there)), strict=True):
        if isinstance(a, tuple):
            assert [t.shape for t in a] == [t.shape for t in b]
        else:
            assert a.shape == b.shape and b.is_meta and a.dtype is b.dtype
