"""Sparse tensors: a table of short programs with PyTorch's answers, and what the table cannot say.

The table (`sparse_cases.py`) runs as it is and with every operation computed at once; a graph network, an embedding and
a file that PyTorch wrote follow.
"""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sparse_cases import CASES, EXPECTED, answer
from test_compile import compiled, own_cache  # noqa: F401 - a fixture

import rushlight as torch
from rushlight.nn import functional as F
from rushlight.record import trace

ANSWERS = json.loads(EXPECTED.read_text())


@pytest.mark.parametrize("eager", [False, True], ids=["recorded", "eager"])
def test_table(eager, monkeypatch):
    monkeypatch.setattr(trace, "EAGER", eager)
    wrong = [(p, ANSWERS[p], found) for p in CASES if (found := answer(torch, p)) != ANSWERS[p]]
    assert not wrong


def test_the_table_is_the_recorded_one():
    assert set(CASES) == set(ANSWERS)


# -- what has no rule says so


@pytest.mark.parametrize("name", "exp cos sigmoid argmax cumsum sort tril erfc digamma median".split())
def test_what_has_no_meaning_is_refused_by_name(name):
    with pytest.raises(NotImplementedError, match=f"aten::{name}"):
        getattr(torch.eye(2).to_sparse(), name)(*[0] * (name == "cumsum"))


def test_numbers_of_a_sparse_tensor_are_never_read_as_dense_ones():
    s = torch.eye(2).to_sparse()
    for use in (lambda: torch.bincount(s), lambda: torch.unique(s), lambda: np.add(s, 1), lambda: s.fill_(2),
                lambda: torch.ones(2, 2).copy_(s), lambda: torch.rand_like(s), lambda: torch.ones_like(s)):  # fmt: skip
        with pytest.raises((NotImplementedError, TypeError)):
            use()


def test_positions_outside_are_found_when_they_are_used():
    s = torch.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,))
    for use in (lambda: s.coalesce(), lambda: s.to_dense().sum().item(), lambda: (s + s.coalesce()).to_dense()):
        with pytest.raises((RuntimeError, IndexError)):
            use()


# -- a graph network


def _network(rng):
    n = 12
    adjacency = rng.random((n, n)) < 0.25
    adjacency |= adjacency.T | np.eye(n, dtype=bool)
    rows, columns = np.nonzero(adjacency)
    weights = (1 / adjacency.sum(1))[rows]
    indices = torch.from_numpy(np.vstack([rows, columns]))
    return torch.sparse.FloatTensor(indices, torch.from_numpy(weights).float(), torch.Size((n, n)))


def _train(adjacency, features, labels, product, steps=8):
    w1 = (torch.arange(30.0).reshape(6, 5).sin() * 0.5).requires_grad_()
    w2 = (torch.arange(15.0).reshape(5, 3).cos() * 0.5).requires_grad_()
    optimizer = torch.optim.Adam([w1, w2], lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = F.relu(product(adjacency, product(features, w1)))
        loss = F.nll_loss(F.log_softmax(product(adjacency, hidden @ w2), 1), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_graph_network_is_what_it_is_with_dense_matrices(monkeypatch):
    rng = np.random.default_rng(0)
    adjacency = _network(rng)
    features = torch.from_numpy((rng.random((12, 6)) < 0.4).astype("float32"))
    labels = torch.from_numpy(rng.integers(0, 3, 12))
    dense = _train(adjacency.to_dense(), features, labels, torch.mm)
    assert dense[-1] < dense[0]
    for a, x in ((adjacency, features), (adjacency, features.to_sparse()), (adjacency.to_sparse_csr(), features),
                 (adjacency.coalesce(), features.to_sparse_csr()), (adjacency.to_sparse_csc(), features)):  # fmt: skip
        for product in (torch.spmm, torch.sparse.mm, torch.matmul):
            np.testing.assert_allclose(_train(a, x, labels, product), dense, rtol=1e-5)


def test_gradients_agree_with_finite_differences():
    s = torch.tensor([[0.0, 2, 0, 1], [3, 0, 0, 0], [0, 0.5, 0, 4]], dtype=torch.float64).to_sparse().requires_grad_()
    k = torch.tensor([[0.0, 1, 2, 0], [1, 0, 0, 0], [0, 0, 0, 2]], dtype=torch.float64).to_sparse().requires_grad_()
    d = torch.arange(12.0, dtype=torch.float64).reshape(3, 4).sin().requires_grad_()
    e = torch.arange(8.0, dtype=torch.float64).reshape(4, 2).cos().requires_grad_()
    for f, inputs in ((torch.sparse.mm, (s, e)), (lambda s, k: torch.sparse.mm(s, k.t()), (s, k)),
                      (lambda s, d: (s * d).to_dense(), (s, d)), (lambda s, k: (s * k + s).to_dense(), (s, k)),
                      (lambda s: torch.sparse.softmax(s, 1).to_dense(), (s,)),
                      (lambda s: torch.sparse.log_softmax(s, 0).to_dense(), (s,)),
                      (lambda s: torch.sparse.sum(s.sin() ** 2, 0).to_dense(), (s,)),
                      (lambda s, d: d + s.t().t() * 3, (s, d)), (lambda s: torch.cat([s, s], 1).to_dense(), (s,)),
                      (lambda s: torch.stack([s, s])[0].to_dense(), (s,)),
                      (lambda s, e: s.to_sparse_csr() @ e, (s, e)), (lambda d: d.sparse_mask(s.detach()) @ e, (d,)),
                      (lambda d: d.to_sparse() @ e, (d,)), (lambda s: s.index_select(0, torch.tensor([2, 0, 2])).sum(),
                                                            (s,))):  # fmt: skip
        assert torch.autograd.gradcheck(f, inputs)


# -- embeddings


def _trained_embedding(sparse, optimizer, steps=6):
    weight = (torch.arange(40.0).reshape(10, 4) / 10).requires_grad_()
    opt = optimizer([weight])
    for step in range(steps):
        opt.zero_grad()
        at = torch.tensor([[step, 3, step], [9 - step, 3, 0]])
        (F.embedding(at, weight, sparse=sparse) ** 2).sum().backward()
        opt.step()
    return weight.detach()


@pytest.mark.parametrize("optimizer", [lambda p: torch.optim.SGD(p, lr=0.01), lambda p: torch.optim.Adagrad(p, lr=0.1)])
def test_a_sparse_gradient_steps_as_a_dense_one(optimizer):
    np.testing.assert_allclose(_trained_embedding(True, optimizer), _trained_embedding(False, optimizer), rtol=1e-6)


def test_sparse_adam_is_adam_where_every_row_is_listed():
    def train(sparse, optimizer):
        weight = (torch.arange(12.0).reshape(3, 4) / 10).requires_grad_()
        opt = optimizer([weight], lr=0.1)
        for _ in range(5):
            opt.zero_grad()
            (F.embedding(torch.tensor([2, 0, 1, 2]), weight, sparse=sparse) ** 2).sum().backward()
            opt.step()
        return weight.detach()

    found, wanted = train(True, torch.optim.SparseAdam), train(False, torch.optim.Adam)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_sparse_adam_leaves_other_rows_and_their_moments_alone():
    weight = torch.ones(4, 2, requires_grad=True)
    optimizer = torch.optim.SparseAdam([weight], lr=0.1)
    for at in (0, 1):
        optimizer.zero_grad()
        F.embedding(torch.tensor([at]), weight, sparse=True).sum().backward()
        before = weight.detach().clone()
        optimizer.step()
        changed = (weight != before).any(1)
        assert changed.tolist() == [row == at for row in range(4)]
    state = pickle.loads(pickle.dumps(optimizer.state_dict()))["state"][0]
    assert state["step"] == 2 and state["exp_avg"][2:].abs().sum() == 0


# -- files


def test_pytorch_s_file_of_sparse_tensors():
    path = Path(__file__).parent / "expected" / "checkpoints" / "sparse.pt"
    found = torch.load(path)
    assert repr(found["coo"]) == ANSWERS["u"] and repr(found["coalesced"]) == ANSWERS["s"]
    assert repr(found["csr"]) == ANSWERS["c"] and repr(found["hybrid"]) == ANSWERS["h"]
    assert isinstance(found["parameter"], torch.nn.Parameter) and found["parameter"].is_sparse


def test_a_file_whose_positions_lie_outside_is_refused():
    bad = torch.sparse_coo_tensor([[0, 7]], [1.0, 2.0], (3,))
    file = io.BytesIO()
    torch.save(bad, file)
    with pytest.raises(pickle.UnpicklingError, match="do not fit together"):
        torch.load(io.BytesIO(file.getvalue()))


def test_layouts_and_formats_are_pickled():
    for x in (torch.strided, torch.sparse_coo, torch.channels_last):
        assert pickle.loads(pickle.dumps(x)) is x


def test_modules_carry_sparse_tensors():
    class Convolution(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("adjacency", torch.eye(3).to_sparse())

        def forward(self, x):
            return self.adjacency @ x

    layer = Convolution()
    again = Convolution()
    layer.adjacency = layer.adjacency * 2
    again.load_state_dict(layer.state_dict())
    assert again(torch.ones(3, 1)).tolist() == [[2.0]] * 3
    assert again.double().adjacency.dtype is torch.float64


def test_a_row_of_integers_makes_an_old_typed_tensor():
    assert torch.LongTensor(range(3)).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="invalid data type 'str'"):
        torch.LongTensor("ab")


def test_factories_take_the_size_by_name_and_a_layout():
    for make in (torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn, torch.ones(1).new_zeros):
        assert make(size=(2, 3)).shape == make(2, 3).shape == (2, 3)
    assert repr(torch.zeros(2, 3, layout=torch.sparse_coo)) == ANSWERS["z"]
    assert torch.empty((2, 2), layout=torch.sparse_csr).crow_indices().tolist() == [0, 0, 0]
    with pytest.raises(NotImplementedError):
        torch.ones(2, layout=torch.sparse_coo)


def test_invariants_are_checked_where_asked():
    with torch.sparse.check_sparse_tensor_invariants(), pytest.raises(RuntimeError, match="found index 9"):
        torch.sparse_coo_tensor([[0, 9]], [1.0, 2.0], (3,))
    with pytest.raises(RuntimeError, match="col_indices < 2"):
        torch.sparse_csr_tensor([0, 1, 2], [0, 3], [1.0, 2.0], (2, 2), check_invariants=True)
    assert not torch.sparse.check_sparse_tensor_invariants.is_enabled()


def test_dense_programs_do_not_load_it():
    import subprocess
    import sys

    program = "import rushlight as torch, sys; x = torch.ones(2, 2, requires_grad=True); (x @ x).sum().backward(); " \
              "assert not x.grad.is_sparse and 'rushlight.sparse' not in sys.modules"  # fmt: skip
    subprocess.run([sys.executable, "-c", program], check=True)


# -- machine code


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_products_and_their_derivatives_are_machine_code(kind, layout, monkeypatch):
    whole = torch.where(torch.arange(77).reshape(7, 11) % 3 == 0, torch.arange(77.0).reshape(7, 11).sin(), 0.0).to(kind)
    sparse = whole.to_sparse(layout=layout)
    values = sparse.values().clone().requires_grad_()
    x = torch.arange(220.0).reshape(11, 20).cos().to(kind).requires_grad_()

    def step():
        s = sparse._value.like(values * 2)
        y = torch.sparse.mm(s, x).tanh()
        return [y.detach(), *torch.autograd.grad((y * y).sum(), (values, x))]

    expected, found, programs = compiled(step, monkeypatch)
    assert programs
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=3e-6 if kind is torch.float32 else 1e-12, atol=1e-6)


def test_fewer_than_two_elements_are_in_order() -> None:
    one = torch.sparse_coo_tensor([[1]], [2.0], (3,))
    assert one.is_coalesced() and one.values().tolist() == [2]
    assert torch.eye(2).to_sparse()[0].is_coalesced()


def test_a_sparse_factor_of_a_dense_tensor_in_place() -> None:
    x = torch.full((2, 2), 3.0)
    assert x.mul_(torch.eye(2).to_sparse()) is x
    assert x.tolist() == [[3, 0], [0, 3]]


def test_compressed_and_dense_add_up_in_either_order() -> None:
    sparse, dense = torch.eye(2).to_sparse_csr(), torch.ones(2, 2)
    assert (sparse + dense).tolist() == (dense + sparse).tolist() == [[2, 1], [1, 2]]
    with pytest.raises(RuntimeError, match="is not supported"):
        sparse + 1


def test_a_row_of_a_compressed_matrix() -> None:
    sparse = torch.tensor([[0.0, 3.0], [4.0, 0.0]]).to_sparse_csr()
    assert sparse.select(0, 1).to_dense().tolist() == [4, 0]
    assert sparse.select(1, 1).to_dense().tolist() == [3, 0]


def test_columns_of_a_checked_row_are_in_order() -> None:
    with pytest.raises(RuntimeError, match="sorted and distinct"):
        torch.sparse_csr_tensor([0, 2], [1, 0], [1.0, 2.0], (1, 2), check_invariants=True)
