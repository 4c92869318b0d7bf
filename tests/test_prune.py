"""`torch.nn.utils.prune`: masks, hooks and what is left; the same program in PyTorch, where it is installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn.utils import prune

W = [[3.0, -1.0, 0.5, 2.0], [-0.1, 4.0, -2.5, 0.2], [1.0, 1.5, -0.3, 0.7]]


def layer(t: Any = torch) -> Any:
    made = t.nn.Linear(4, 3)
    with t.no_grad():
        made.weight.copy_(t.tensor(W))
        made.bias.copy_(t.tensor([0.5, -0.2, 0.1]))
    return made


def test_the_smallest_are_held_at_zero() -> None:
    m = layer()
    assert prune.l1_unstructured(m, "weight", 4) is m and prune.is_pruned(nn.Sequential(m))
    gone = np.abs(W) <= 0.5
    assert ((m.weight == 0).numpy() == gone).all() and m.weight_orig.tolist() == layer().weight.tolist()
    assert [n for n, _ in m.named_parameters()] == ["bias", "weight_orig"] and "weight_mask" in dict(m.named_buffers())
    m(torch.ones(2, 4)).sum().backward()
    assert ((m.weight_orig.grad == 0).numpy() == gone).all()
    with torch.no_grad():
        m.weight_orig += 0.25
    m(torch.ones(2, 4))
    assert ((m.weight == 0).numpy() == gone).all()
    prune.remove(m, "weight")
    assert [n for n, _ in m.named_parameters()] == ["bias", "weight"] and not prune.is_pruned(m)
    assert isinstance(m.weight, nn.Parameter) and ((m.weight == 0).numpy() == gone).all()
    assert m(torch.ones(1, 4)).shape == (1, 3)


def test_slices_are_held_at_zero() -> None:
    m = prune.ln_structured(layer(), "weight", amount=0.5, n=2, dim=1)
    assert (m.weight == 0).all(0).tolist() == [False, False, True, True]
    m = prune.ln_structured(layer(), "weight", 1, n=float("inf"), dim=0)
    assert (m.weight == 0).all(1).tolist() == [False, False, True]
    m = prune.random_structured(layer(), "weight", 2, dim=1)
    assert int((m.weight == 0).all(0).sum()) == 2
    assert not (prune.ln_structured(layer(), "weight", 0, 2, -1).weight == 0).any()


def test_methods_add_up() -> None:
    m = layer()
    for method in (lambda: prune.l1_unstructured(m, "weight", 4), lambda: prune.l1_unstructured(m, "weight", 0.25),
                   lambda: prune.ln_structured(m, "weight", 1, 1, 0)):  # fmt: skip
        method()
    (hook,) = m._forward_pre_hooks.values()
    assert isinstance(hook, prune.PruningContainer) and len(hook) == 3 and hook[0].amount == 4
    assert [type(h).__name__ for h in hook] == ["L1Unstructured", "L1Unstructured", "LnStructured"]
    assert int((m.weight == 0).sum()) == 8
    prune.random_unstructured(m, "bias", 0.34)
    assert int((m.bias == 0).sum()) == 1 and len(m._forward_pre_hooks) == 2
    of_the_bias = prune.Identity()
    of_the_bias._tensor_name = "bias"
    with pytest.raises(ValueError, match="Can only add pruning methods acting on the parameter named 'weight'"):
        hook.add_pruning_method(of_the_bias)
    with pytest.raises(TypeError, match="is not a BasePruningMethod subclass"):
        hook.add_pruning_method(3)


def test_over_several_modules() -> None:
    a, b = layer(), layer()
    with torch.no_grad():
        b.weight.mul_(10)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=0.5)
    assert int((a.weight == 0).sum()) + int((b.weight == 0).sum()) == 12 and int((b.weight == 0).sum()) < 4
    prune.global_unstructured(
        [(a, "bias"), (b, "bias")], prune.L1Unstructured, {(a, "bias"): torch.full((3,), 100.0)}, amount=3
    )
    assert not (a.bias == 0).any() and (b.bias == 0).all()
    with pytest.raises(TypeError, match='Only "unstructured" PRUNING_TYPE'):
        prune.global_unstructured([(a, "weight")], prune.LnStructured, amount=1, n=2)
    with pytest.raises(TypeError, match="must be of type dict"):
        prune.global_unstructured([(a, "weight")], prune.L1Unstructured, 3, amount=1)


def test_masks_and_scores_of_ones_own() -> None:
    m = prune.custom_from_mask(layer(), "bias", torch.tensor([1, 0, 1]))
    assert (m.bias == 0).tolist() == [False, True, False]
    m = prune.l1_unstructured(layer(), "bias", 1, importance_scores=torch.tensor([1.0, 2.0, 3.0]))
    assert (m.bias == 0).tolist() == [True, False, False]
    assert not (prune.identity(layer(), "weight").weight == 0).any()
    assert prune.L1Unstructured(2).prune(torch.tensor([1.0, -3.0, 2.0])).tolist() == [0, -3, 0]

    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t: Any, default_mask: Any) -> Any:
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    EveryOther.apply(m, "weight")
    assert (m.weight[0] == 0).tolist() == [True, False, True, False]


def test_a_pruned_module_can_be_saved_and_copied() -> None:
    import copy

    m = prune.l1_unstructured(layer(), "weight", 4)
    other = prune.identity(nn.Linear(4, 3), "weight")
    other.load_state_dict(m.state_dict())
    x = torch.randn(2, 4)
    assert torch.equal(other(x), m(x)) and torch.equal(copy.deepcopy(prune.remove(m, "weight"))(x), other(x))


def test_refusals() -> None:
    m = layer()
    for amount, error in (("a", TypeError), (-1, ValueError), (1.5, ValueError), (100, ValueError)):
        with pytest.raises(error):
            prune.l1_unstructured(m, "weight", amount)
    assert dict(m.named_parameters()).keys() == {"weight", "bias"}
    with pytest.raises(ValueError, match="only be applied to multidimensional"):
        prune.ln_structured(m, "bias", 1, 2, 0)
    with pytest.raises(IndexError, match="Invalid index 2"):
        prune.ln_structured(m, "weight", 1, 2, 2)
    with pytest.raises(ValueError, match="has to be pruned before"):
        prune.remove(m, "weight")
    with pytest.raises(AssertionError, match="should have the same shape"):
        prune.l1_unstructured(m, "weight", 1, importance_scores=torch.ones(2))
    with pytest.raises(AssertionError, match="must match self.mask shape"):
        prune.custom_from_mask(m, "bias", torch.ones(2))
    assert not prune.is_pruned(m) and m(torch.ones(1, 4)).shape == (1, 3)


def test_the_program_is_pytorchs() -> None:
    def program(t: Any) -> list[Any]:
        p = importlib.import_module(f"{t.__name__}.nn.utils.prune")
        t.manual_seed(4)
        m, found = layer(t), []
        for step in (
            lambda: p.random_unstructured(m, "weight", 0.2),
            lambda: p.l1_unstructured(m, "weight", 0.3),
            lambda: p.random_structured(m, "weight", 1, dim=1),
            lambda: p.ln_structured(m, "weight", 1, n=1, dim=0),
            lambda: p.random_unstructured(m, "bias", 1),
            lambda: p.remove(m, "weight"),
            lambda: p.global_unstructured([(m, "weight"), (m, "bias")], p.RandomUnstructured, amount=3),
        ):
            step()
            found += [m.weight.tolist(), m.bias.tolist(), sorted(m.state_dict())]
        return [*found, m(t.ones(1, 4)).tolist(), t.rand(1).item()]

    assert program(torch) == program(pytest.importorskip("torch"))
