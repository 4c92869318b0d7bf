"""Arguments under PyTorch's names and in PyTorch's order, also where one function of ours serves several of PyTorch's,
and the signatures that PyTorch took in its early days.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import rushlight as torch

A = torch.arange(12.0).reshape(3, 4)
M = torch.eye(3) * 2
FACTOR = torch.linalg.cholesky(M)
WHOLE = torch.tensor([3, 4])

SAME: dict[str, Any] = {
    "cholesky_inverse": (lambda: torch.cholesky_inverse(input=FACTOR), lambda: torch.eye(3) / 2),
    "cholesky_solve": (lambda: torch.cholesky_solve(input=M, input2=FACTOR), lambda: torch.eye(3)),
    "det": (lambda: torch.det(input=M), lambda: torch.tensor(8.0)),
    "linalg.det": (lambda: torch.linalg.det(A=M), lambda: torch.tensor(8.0)),
    "hsplit": (lambda: A.hsplit(sections=2)[1], lambda: A[:, 2:]),
    "hsplit at": (lambda: torch.hsplit(A, indices=(1, 2))[1], lambda: A[:, 1:2]),
    "vsplit": (lambda: A.vsplit(1, 2)[2], lambda: A[2:]),
    "heaviside": (lambda: A.heaviside(values=A), lambda: (A > 0).float()),
    "heaviside_": (lambda: A.clone().heaviside_(values=A), lambda: (A > 0).float()),
    "isin": (lambda: torch.isin(elements=A, test_element=1), lambda: A == 1),
    "matrix_power": (lambda: torch.matrix_power(input=M, n=2), lambda: M @ M),
    "max": (lambda: torch.max(input=A, other=A + 1), lambda: A + 1),
    "min": (lambda: A.min(other=A * 0), lambda: A * 0),
    "repeat_interleave": (lambda: torch.repeat_interleave(repeats=torch.tensor([0, 2])), lambda: torch.tensor([1, 1])),
    "resize_as_": (lambda: torch.resize_as_(input=A.clone(), the_template=M), lambda: A.reshape(-1)[:9].reshape(3, 3)),
    "resize_": (lambda: A.clone().resize_(size=(2, 2)), lambda: A.reshape(-1)[:4].reshape(2, 2)),
    "rsub": (lambda: torch.rsub(A, 1, 2), lambda: 1 - 2 * A),
    "swapaxes": (lambda: A.swapaxes(axis0=0, axis1=1), lambda: A.t()),
    "swapaxes_": (lambda: A.clone().swapaxes_(axis0=0, axis1=1), lambda: A.t()),
    "tril_indices": (lambda: torch.tril_indices(2, 1, requires_grad=False), lambda: torch.tensor([[0, 1], [0, 0]])),
    "copy_": (lambda: torch.zeros(3, 4).copy_(other=A), lambda: A),
    "map_": (lambda: A.clone().map_(other=A, callable=lambda x, y: x + y), lambda: 2 * A),
    "new": (lambda: A.new(other=M), lambda: M),
    "split": (lambda: A.split(split_size=2)[1], lambda: A[2:]),
    "split of sizes": (lambda: A.split(split_size=[1, 2])[1], lambda: A[1:]),
    "sum_to_size": (lambda: A.sum_to_size(size=(1, 4)), lambda: A.sum(0, keepdim=True)),
    "histogramdd": (lambda: torch.histogramdd(A[:, :2], 2, [0, 10, 0, 10]).hist, lambda: M.new([[1, 1], [0, 1]])),
    "addcmul": (lambda: torch.addcmul(WHOLE, WHOLE, WHOLE, value=2.7), lambda: torch.tensor([21, 36])),
    "to_sparse_bsr": (lambda: A.to_sparse_bsr(blocksize=(1, 2)).to_dense(), lambda: A),
}


@pytest.mark.parametrize("name", SAME)
def test_takes_the_names_of_pytorch(name: str) -> None:
    found, wanted = SAME[name]
    assert torch.equal(found(), wanted())


def test_result_type_of_tensors_and_numbers() -> None:
    assert torch.result_type(tensor=A, other=1) is torch.float32
    assert torch.result_type(scalar=2.5, tensor=WHOLE) is torch.float32
    assert torch.result_type(scalar1=1, scalar2=2) is torch.int64
    with pytest.raises(TypeError):
        torch.result_type(A)


def test_new_takes_a_size_by_name() -> None:
    assert A.new(size=(2,)).shape == (2,)
    assert A.new(device="cpu").dtype is torch.float32


OLD: dict[str, Any] = {
    "addmm": (lambda: torch.addmm(2, M, 3, M, M), lambda: 2 * M + 3 * (M @ M)),
    "addmm without alpha": (lambda: torch.addmm(2, M, M, M), lambda: 2 * M + M @ M),
    "addmm method": (lambda: M.addmm(2, 3, M, M), lambda: 2 * M + 3 * (M @ M)),
    "addmm_": (lambda: M.clone().addmm_(2, M, M), lambda: 2 * M + M @ M),
    "addmv": (lambda: torch.addmv(2, M[0], M, M[0]), lambda: 2 * M[0] + M @ M[0]),
    "addbmm": (lambda: torch.addbmm(2, M, M[None], M[None]), lambda: 2 * M + M @ M),
    "baddbmm": (lambda: torch.baddbmm(2, M[None], 3, M[None], M[None]), lambda: (2 * M + 3 * (M @ M))[None]),
    "addr": (lambda: M.addr(2, 3, M[0], M[0]), lambda: 2 * M + 3 * torch.outer(M[0], M[0])),
}


@pytest.mark.parametrize("name", OLD)
def test_numbers_may_come_first_as_they_once_did(name: str) -> None:
    found, wanted = OLD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.equal(found(), wanted())


def test_numbers_first_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from rushlight.ops import old_overloads

    monkeypatch.setattr(old_overloads, "_warned", False)
    with pytest.warns(UserWarning, match=r"addmm\(Number beta, Tensor input, Number alpha, Tensor mat1, Tensor mat2"):
        torch.addmm(2, M, 3, M, M)


def test_full_wants_a_tuple() -> None:
    with pytest.raises(TypeError, match="argument 'size' .position 1. must be tuple of ints, not int"):
        torch.full(3, 1.0)  # type: ignore[arg-type]


def test_losses_of_two_precisions() -> None:
    """PyTorch's kernels write some losses in the input's dtype and one in the target's."""
    F, x, y = torch.nn.functional, A / 10, (A > 3).double()
    assert F.binary_cross_entropy_with_logits(x, y).dtype is torch.float64
    assert F.binary_cross_entropy_with_logits(x.double(), y.float()).dtype is torch.float32
    assert F.huber_loss(x, y).dtype is torch.float32
    assert F.soft_margin_loss(x, y).dtype is torch.float32
    assert F.mse_loss(x, y).dtype is torch.float64


def test_logits_and_targets_of_two_precisions() -> None:
    F = torch.nn.functional
    x = (A / 10 - 0.5).requires_grad_()
    for more in ({}, {"weight": A.double()}, {"pos_weight": A[0].double() + 1}):
        mixed = F.binary_cross_entropy_with_logits(x, (A > 3).double(), **more)
        plain = F.binary_cross_entropy_with_logits(x.double(), (A > 3).double(), **more)
        assert torch.allclose(mixed, plain, atol=1e-6)
        (slope,), (wanted,) = torch.autograd.grad(mixed, x), torch.autograd.grad(plain, x)
        assert torch.allclose(slope, wanted, atol=1e-6)
