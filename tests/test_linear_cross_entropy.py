"""`linear_cross_entropy`, whole and in pieces, and `grouped_mm`: against the operations that they are made of, and
PyTorch where it is installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F

OPTIONS = nn.LinearCrossEntropyOptions


def data(t: Any = torch) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    x, w, b = (t.from_numpy(rng.standard_normal(s)).requires_grad_() for s in ((7, 3), (5, 3), (5,)))
    return x, w, b, t.tensor([0, 4, 2, 2, -100, 1, 3]), t.from_numpy(rng.random(5))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [None, {"batch_chunk_size": 2}, {"chunking_method": "aspect_ratio:4"}, {}])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_loss_of_the_layer(reduction: str, options: Any, weighted: bool) -> None:
    chosen = None if options is None else OPTIONS(**options)
    x, w, b, target, weight = data()
    more = {"weight": weight if weighted else None, "reduction": reduction}
    expected = F.cross_entropy(F.linear(x, w, b), target, **more)
    found = F.linear_cross_entropy(x, w, target, linear_bias=b, options=chosen, **more)
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    grads = [torch.autograd.grad(t.sum(), (x, w, b)) for t in (expected, found)]
    for a, c in zip(*grads, strict=True):
        np.testing.assert_allclose(c.numpy(), a.numpy(), rtol=1e-10, atol=1e-14)


def test_other_forms() -> None:
    x, w, b, target, _ = data()
    one = F.linear_cross_entropy(x[0], w, target[0])
    assert torch.allclose(one, F.cross_entropy(w @ x[0], target[0]))
    soft = torch.softmax(torch.randn(7, 5, dtype=torch.float64), 1)
    assert torch.allclose(F.linear_cross_entropy(x, w, soft), F.cross_entropy(F.linear(x, w), soft))
    deep = torch.randn(5, 2, 4, 3, dtype=torch.float64)
    places = torch.randint(5, (7, 2, 4))
    scores = torch.einsum("ni,cdei->ncde", x, deep)
    assert torch.allclose(F.linear_cross_entropy(x, deep, places), F.cross_entropy(scores, places))
    smooth = F.linear_cross_entropy(x, w, target, label_smoothing=0.1)
    assert torch.allclose(smooth, F.cross_entropy(F.linear(x, w), target, label_smoothing=0.1))
    with pytest.warns(UserWarning, match="``options`` ignored"):
        found = F.linear_cross_entropy(x, w, target, label_smoothing=0.1, options=OPTIONS())
    assert torch.equal(found, smooth)
    skipped = F.linear_cross_entropy(x, w, target.clamp(min=0), ignore_index=2, options=OPTIONS(batch_chunk_size=3))
    assert torch.allclose(skipped, F.cross_entropy(F.linear(x, w), target.clamp(min=0), ignore_index=2))


def test_the_module_takes_options() -> None:
    torch.manual_seed(0)
    m = nn.LinearCrossEntropyLoss(3, 5, bias=True, options=OPTIONS(batch_chunk_size=2))
    x, target = torch.randn(7, 3), torch.randint(5, (7,))
    assert torch.allclose(m(x, target), F.cross_entropy(m.linear(x), target))
    deep = nn.LinearCrossEntropyLoss(3, 5, out_features=(2,), bias=True)
    places = torch.randint(5, (7, 2))
    assert torch.allclose(deep(x, places), F.cross_entropy(deep.linear(x).reshape(7, 5, 2), places))


def test_options_say_how_large_pieces_are() -> None:
    shape = (1024, 64, 4096)
    assert OPTIONS().size_for(*shape) == 8 and OPTIONS(chunking_method="aspect_ratio").size_for(*shape) == 16
    assert OPTIONS(batch_chunk_size=5).size_for(3, 1, 1) == 3 and OPTIONS(chunking_method=None).size_for(7, 1, 1) == 7
    with pytest.raises(ValueError, match="give different chunk sizes"):
        OPTIONS(batch_chunk_size=5, chunking_method="aspect_ratio:2").size_for(1024, 64, 4096)
    for wrong in ({"acc_policy": "x"}, {"chunking_method": "x"}, {"chunking_method": "aspect_ratio:0"},
                  {"batch_chunk_size": 0}, {"acc_dtype": torch.int64}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            OPTIONS(**wrong)


def test_refusals() -> None:
    x, w, b, target, _ = data()
    for call, text in (
        (lambda: F.linear_cross_entropy(x[None], w, target), "dimensionality 1 or 2, got 3"),
        (lambda: F.linear_cross_entropy(x, w[0], target), "at least 2, got 1"),
        (lambda: F.linear_cross_entropy(x, w[:, :2], target), "got 3 and 2, respectively"),
        (lambda: F.linear_cross_entropy(x, w, target, linear_bias=b[:2]), r"expected linear_bias shape \(5,\)"),
        (lambda: F.linear_cross_entropy(x[0], w[:, None], target), "requires batched input"),
        (lambda: F.linear_cross_entropy(x, w, x[:, :1].expand(7, 5), ignore_index=1), "contains probabilities"),
    ):
        with pytest.raises(RuntimeError, match=text):
            call()


def test_pieces_are_pytorchs() -> None:
    pytorch = pytest.importorskip("torch")
    found = []
    for t in (torch, pytorch):
        x, w, b, target, weight = data(t)
        options = t.nn.LinearCrossEntropyOptions(batch_chunk_size=2)
        loss = t.nn.functional.linear_cross_entropy(x, w, target, linear_bias=b, weight=weight, options=options)
        loss.backward()
        found.append([loss.item(), *(p.grad.numpy() for p in (x, w, b))])
    for a, c in zip(*found, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-9, atol=1e-12)


# ---- products of groups


def groups(t: Any, form: str) -> Any:
    rng = np.random.default_rng(1)

    def matrix(*shape: int) -> Any:
        return t.from_numpy(rng.standard_normal(shape).astype(np.float32))

    offs = t.tensor([2, 5, 16], dtype=t.int32)
    a, b = {"rows": ((16, 8), (3, 8, 16)), "columns": ((3, 4, 8), (8, 16)), "inner": ((4, 16), (16, 8)),
            "all": ((3, 4, 8), (3, 8, 16))}[form]  # fmt: skip
    return matrix(*a), matrix(*b), None if form == "all" else offs


@pytest.mark.parametrize("form", ["rows", "columns", "inner", "all"])
def test_groups_are_multiplied(form: str) -> None:
    a, b, offs = groups(torch, form)
    found = F.grouped_mm(a, b, offs=offs).numpy()
    x, y, cuts = a.numpy(), b.numpy(), (slice(0, 2), slice(2, 5), slice(5, 16))
    expected = {
        "rows": lambda: np.concatenate([x[s] @ m for s, m in zip(cuts, y)]),
        "columns": lambda: np.concatenate([m @ y[:, s] for s, m in zip(cuts, x)], 1),
        "inner": lambda: np.stack([x[:, s] @ y[s] for s in cuts]),
        "all": lambda: x @ y,
    }[form]()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    pytorch = pytest.importorskip("torch")
    a, b, offs = groups(pytorch, form)
    np.testing.assert_allclose(found, pytorch.nn.functional.grouped_mm(a, b, offs=offs).numpy(), rtol=1e-4, atol=1e-5)


def test_groups_have_gradients() -> None:
    a = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    offs = torch.tensor([1, 4], dtype=torch.int32)
    assert torch.autograd.gradcheck(lambda a, b: F.grouped_mm(a, b, offs=offs), (a, b))
    assert F.grouped_mm(a, b, offs=offs)[4].tolist() == [0, 0, 0]


def test_groups_that_do_not_fit() -> None:
    a, b, offs = groups(torch, "rows")
    for call, text in (
        (lambda: F.grouped_mm(a, b), "Have to provide offsets"),
        (lambda: F.grouped_mm(a, b[:, :2], offs=offs), "contraction dimension"),
        (lambda: F.grouped_mm(a, b, offs=offs[:2]), "batch sizes have to match"),
        (lambda: F.grouped_mm(a, b, offs=offs.long()), "Offsets have to be int32"),
        (lambda: F.grouped_mm(a, b, offs=offs + 1), "do not cut a dimension of size 16"),
        (lambda: F.grouped_mm(a, b, offs=offs, out_dtype=torch.float64), "output dtype must match"),
        (lambda: F.grouped_mm(a, b, offs=offs, bias=a), "Bias not supported"),
        (lambda: F.grouped_mm(a[0], b, offs=offs), "2 or 3 dimensional"),
    ):
        with pytest.raises(RuntimeError, match=text):
            call()
