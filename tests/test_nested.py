"""Nested tensors: each function must give what it gives of every component."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight.overrides import TorchFunctionMode

F = torch.nn.functional
LAYOUTS = [torch.strided, torch.jagged]


def parts(grad: bool = False, width: int = 4) -> list[Any]:
    torch.manual_seed(3)
    return [torch.randn(n, width, requires_grad=grad) for n in (2, 5, 1)]


def made(layout: Any, grad: bool = False, width: int = 4) -> tuple[Any, list[Any]]:
    found = parts(grad, width)
    return torch.nested.as_nested_tensor(found, layout=layout), found


SAME_FOR_EACH: list[Callable[[Any], Any]] = [
    lambda x: x + 1,
    lambda x: 2 - x,
    lambda x: x * x,
    lambda x: -x.exp().relu(),
    lambda x: x / torch.arange(1.0, 5.0),
    lambda x: torch.where(x > 0, x, x * 0),
    lambda x: F.gelu(x).clamp(min=0.1),
    lambda x: x.softmax(-1),
    lambda x: F.log_softmax(x, 1) if x.is_nested else F.log_softmax(x, 0),
    lambda x: F.layer_norm(x, (4,)),
    lambda x: F.rms_norm(x, (4,)),
    lambda x: F.linear(x, torch.arange(8.0).view(2, 4), torch.ones(2)),
    lambda x: x.transpose(1, 2) if x.is_nested else x.transpose(0, 1),
    lambda x: x.unflatten(-1, (2, 2)),
    lambda x: x.unsqueeze(-1).squeeze(-1),
    lambda x: torch.cat([x, x * 2], -1),
    lambda x: x.chunk(2, -1)[1],
    lambda x: x.double().float(),
    lambda x: x.masked_fill(x > 0, 7.0),
    lambda x: x[..., 1:3],
    lambda x: F.dropout(x, 0.0),
    lambda x: x.view(3, -1, 2, 2) if x.is_nested else x.view(-1, 2, 2),
    lambda x: x.sum(-1),
    lambda x: x.mean(-1, keepdim=True),
    lambda x: x.max(-1).values,
    lambda x: x.isnan(),
    lambda x: torch.zeros_like(x),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("f", SAME_FOR_EACH)
def test_as_of_each_component(f: Callable[[Any], Any], layout: Any) -> None:
    x, each = made(layout)
    found = f(x)
    assert found.is_nested and found.layout is layout
    for a, b in zip(found.unbind(), map(f, each), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_reach_the_components(layout: Any) -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.LayerNorm(6))
    x, each = made(layout, grad=True)
    (layer(x).softmax(-1) ** 2).sum().backward()
    found = [p.grad for p in each]
    weight = layer[0].weight.grad.clone()
    layer.zero_grad()
    again = parts(grad=True)
    sum(((layer(p).softmax(-1) ** 2).sum() for p in again), torch.tensor(0.0)).backward()
    for g, p in zip(found, again, strict=True):
        torch.testing.assert_close(g, p.grad)
    torch.testing.assert_close(weight, layer[0].weight.grad)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_leaf_has_a_nested_gradient(layout: Any) -> None:
    x = torch.nested.nested_tensor(parts(), layout=layout, requires_grad=True)
    assert x.is_leaf and x.requires_grad and x.grad is None
    (x * 3).sum().backward()
    assert x.grad.is_nested and torch.equal(x.grad, torch.ones_like(x) * 3)


def test_what_a_jagged_tensor_says() -> None:
    x, each = made(torch.jagged)
    assert repr(x) == f"NestedTensor(size=(3, {x.shape[1]}, 4), offsets=tensor([0, 2, 7, 8]), contiguous=True)"
    assert x.dim() == 3 and len(x) == 3 and x.numel() == 32 and x.size(0) == 3 and x.size(-1) == 4
    assert isinstance(x.shape[1], torch.SymInt) and x.shape == (x + 1).shape and x.shape != made(torch.jagged)[0].shape
    assert torch.equal(x.values(), torch.cat(each)) and x.offsets().tolist() == [0, 2, 7, 8] and x.lengths() is None
    assert x.dtype is torch.float32 and x.is_contiguous() and torch.equal(x[1], each[1])
    with pytest.raises(RuntimeError):
        int(x.shape[1])
    with pytest.raises(RuntimeError):
        x.numpy()


def test_what_a_strided_one_says() -> None:
    x = torch.nested.nested_tensor([[1.0, 2], [3.0]])
    assert repr(x) == "nested_tensor([\n  tensor([1., 2.]),\n  tensor([3.])\n])" and x.tolist() == [[1, 2], [3]]
    assert x.values().tolist() == [1, 2, 3] and x.size(0) == 2
    with pytest.raises(RuntimeError, match="irregular"):
        x.size(1)
    with pytest.raises(RuntimeError, match="sizes"):
        _ = x.shape
    several = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(3, 2)])
    assert torch.nested.to_padded_tensor(several, 0.0).shape == (2, 3, 3) and several.sum().item() == 12


@pytest.mark.parametrize("layout", LAYOUTS)
def test_padding(layout: Any) -> None:
    x, each = made(layout, grad=True)
    padded = x.to_padded_tensor(-1.0)
    assert padded.shape == (3, 5, 4) and torch.equal(padded[0, :2], each[0]) and (padded[2, 1:] == -1).all()
    assert torch.nested.to_padded_tensor(x, 0.0, (3, 7, 4)).shape == (3, 7, 4)
    padded.sum().backward()
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in each)


def test_over_the_ragged_dimension() -> None:
    x, each = made(torch.jagged)
    torch.testing.assert_close(x.sum(1), torch.stack([p.sum(0) for p in each]))
    torch.testing.assert_close(x.mean(1), torch.stack([p.mean(0) for p in each]))
    torch.testing.assert_close(x.amax(1, keepdim=True), torch.stack([p.amax(0, keepdim=True) for p in each]))
    torch.testing.assert_close(x.sum((0, 1)), sum(p.sum(0) for p in each))
    torch.testing.assert_close(x.mean(), torch.cat(each).mean())
    with pytest.raises(RuntimeError, match="batch dimension"):
        x.sum(0)


def test_dense_operands() -> None:
    x, each = made(torch.jagged)
    bias = torch.arange(12.0).view(3, 1, 4)
    for found, p, b in zip((x + bias).unbind(), each, bias, strict=True):
        torch.testing.assert_close(found, p + b)
    for found, p, m in zip((x @ torch.ones(3, 4, 2)).unbind(), each, torch.ones(3, 4, 2), strict=True):
        torch.testing.assert_close(found, p @ m)
    with pytest.raises(RuntimeError, match="add.Tensor with inputs of shapes"):
        x + torch.ones(2, 4)
    with pytest.raises(RuntimeError, match="add.Tensor with inputs of shapes"):
        x + made(torch.jagged)[0]


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal: bool) -> None:
    def heads(x: Any) -> Any:
        return x.unflatten(-1, (2, 4)).transpose(-3, -2)

    x, each = made(torch.jagged, grad=True, width=8)
    q, k, v = heads(x), heads(x * 2), heads(x + 1)
    found = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(-2)
    found.values().square().sum().backward()
    again = parts(grad=True, width=8)
    for got, p, g in zip(found.unbind(), again, each, strict=True):
        want = F.scaled_dot_product_attention(*(heads(t)[None] for t in (p, p * 2, p + 1)), is_causal=causal)
        want = want[0].transpose(0, 1).flatten(-2)
        torch.testing.assert_close(got, want)
        want.square().sum().backward()
        torch.testing.assert_close(g.grad, p.grad, rtol=1e-4, atol=1e-4)


def test_from_parts_that_lie_apart() -> None:
    offsets, lengths = torch.tensor([0, 3, 5]), torch.tensor([2, 1])
    x = torch.nested.nested_tensor_from_jagged(torch.arange(5.0), offsets, lengths)
    assert [p.tolist() for p in x.unbind()] == [[0, 1], [3]] and not x.is_contiguous()
    assert x.contiguous().values().tolist() == [0, 1, 3] and x.sum().item() == 4
    assert x.to_padded_tensor(9.0).tolist() == [[0, 1], [3, 9]]
    y = torch.nested.nested_tensor_from_jagged(torch.ones(5), offsets, lengths)
    assert [p.tolist() for p in (x + y).unbind()] == [[1, 2], [4]], "one pair of offsets and lengths: they go together"
    assert torch.nested.nested_tensor_from_jagged(torch.arange(3.0), lengths=lengths).offsets().tolist() == [0, 2, 3]
    with pytest.raises(RuntimeError, match="At least one"):
        torch.nested.nested_tensor_from_jagged(torch.ones(3))
    with pytest.raises(RuntimeError, match="within the 3 values"):
        torch.nested.nested_tensor_from_jagged(torch.ones(3), torch.tensor([0, 9]))
    with pytest.raises(RuntimeError, match="batch dimension"):
        torch.nested.nested_tensor_from_jagged(torch.ones(3), torch.tensor([0, 3]), jagged_dim=0)


def test_what_is_refused() -> None:
    x, _ = made(torch.jagged)
    assert torch.equal(copy.deepcopy(x), x) and copy.deepcopy(x).values() is not x.values()
    for layout in LAYOUTS:
        with pytest.raises(NotImplementedError, match="nested tensors are not saved"):
            torch.save(made(layout)[0], io.BytesIO())
    with pytest.raises(NotImplementedError, match="torch.fft.fft: Rushlight has no fft of nested tensors"):
        torch.fft.fft(x)
    with pytest.raises(RuntimeError, match="same dtype"):
        torch.nested.nested_tensor([torch.ones(1), torch.ones(2).int()], layout=torch.jagged)
    with pytest.raises(RuntimeError, match="empty tensor list"):
        torch.nested.nested_tensor([], layout=torch.jagged)
    with pytest.raises(TypeError):
        torch.nested.as_nested_tensor([1, 2])


def test_embeddings_in_place_and_modes() -> None:
    tokens = torch.nested.nested_tensor([torch.tensor([1, 2]), torch.tensor([3])], layout=torch.jagged)
    found = torch.nn.Embedding(5, 3)(tokens)
    assert found.dim() == 3 and found.values().shape == (3, 3)
    x, each = made(torch.jagged)
    x = x.detach().clone()
    x.mul_(2).add_(1)
    torch.testing.assert_close(x.values(), torch.cat(each) * 2 + 1)
    names: list[str] = []

    class Names(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    with Names():
        _ = x + 1
    assert names == ["add"] and (x + 1).is_nested


def test_a_jagged_model_learns() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    step = torch.optim.Adam(model.parameters(), lr=0.05)
    x, _ = made(torch.jagged)
    losses = []
    for _ in range(30):
        loss = ((model(x) - 0.5) ** 2).mean()
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
