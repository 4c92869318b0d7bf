"""Every row of the table of operations (`tests/table`), in every way it can be run.

Forward against NumPy; derivatives against finite differences in float64, along random directions; dtypes; views as
operands; in-place and `out=` forms; the recorded and the eager way of running. Where PyTorch is installed, the same
rows run there too.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from table import Case, all_cases, flat

import rushlight as torch
from rushlight.record import trace
from rushlight.record.operation import operations

CASES = all_cases()
FLOATS = {"float64": 1e-6, "float16": 2e-2, "bfloat16": 8e-2}


def where(choose: Any) -> Any:
    """Parametrizes a test with the rows that `choose` accepts."""
    chosen = [c for c in CASES if choose(c)]
    return pytest.mark.parametrize("case", chosen, ids=[c.name for c in chosen])


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Warnings (of deprecated names, of degrees of freedom) have tests of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tensor(array: np.ndarray, dtype: str = "float32", t: Any = torch) -> Any:
    """A fresh tensor; `dtype` only matters to floats."""
    made = t.from_numpy(np.array(array, copy=True))
    if array.dtype.kind == "f":
        return made.to(getattr(t, dtype))
    if array.dtype.kind == "c":
        return made.to(t.complex128 if dtype == "float64" else t.complex64)
    return made


def operands(case: Case, dtype: str = "float32", grad: bool = False, t: Any = torch) -> list[Any]:
    """The case's operands as tensors."""
    made = [tensor(a, dtype, t) for a in case.arrays()]
    for x in made:
        if grad and (x.is_floating_point() or x.is_complex()):
            x.requires_grad_()
    return made


def number_of(t: Any) -> np.ndarray:
    """The tensor's numbers; half precision widened."""
    if not hasattr(t, "detach"):
        return np.asarray(t)
    t = t.detach().resolve_conj()
    return (t.double() if t.is_floating_point() else t).numpy()


def close(found: Any, expected: Any, rtol: float, atol: float, what: str = "") -> None:
    """All results agree, in shape and number."""
    a, b = flat(found), flat(expected)
    assert len(a) == len(b), f"{what}: {len(a)} results, expected {len(b)}"
    for x, y in zip(a, b, strict=True):
        x, y = number_of(x), number_of(y)
        assert x.shape == y.shape, f"{what}: shape {x.shape}, expected {y.shape}"
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=what)


def differentiable(result: Any) -> list[Any]:
    """The results that a gradient can start from."""
    return [r for r in flat(result) if hasattr(r, "grad_fn") and r.requires_grad]


def loss_of(case: Case, xs: list[Any], t: Any = torch) -> Any:
    """A scalar made of all results: each weighted with fixed random numbers."""
    rng = np.random.default_rng(7)
    total = 0
    for r in flat(case.run(t, *xs)):
        if not hasattr(r, "detach") or not (r.is_floating_point() or r.is_complex()):
            continue
        w = tensor(
            np.asarray(rng.standard_normal(tuple(r.shape))),
            str(r.dtype).split(".")[1].replace("complex128", "float64").replace("complex64", "float32"),
            t,
        )
        if r.is_complex():
            r = t.view_as_real(r.resolve_conj())
            w = w.unsqueeze(-1) * tensor(np.array([0.7, -1.1]), str(w.dtype).split(".")[1], t)
        total = total + (r * w).sum()
    return total


# ---------------------------------------------------------------------------------------------------------------------


@where(lambda c: c.reference is not None)
def test_forward(case: Case) -> None:
    expected = case.reference(*case.arrays()) if callable(case.reference) else case.reference
    close(case.run(torch, *operands(case)), expected, case.rtol, case.atol)


def directions(case: Case) -> list[np.ndarray | None]:
    """A random direction for each operand that has a gradient."""
    rng = np.random.default_rng(11)
    found: list[np.ndarray | None] = []
    for a in case.arrays():
        if a.dtype.kind == "f":
            found.append(np.asarray(rng.standard_normal(a.shape)))
        elif a.dtype.kind == "c":
            found.append(np.asarray(rng.standard_normal(a.shape) + 1j * rng.standard_normal(a.shape)))
        else:
            found.append(None)
    return found


def moved(case: Case, along: list[np.ndarray | None], step: float) -> list[Any]:
    """The operands moved a step along the directions."""
    arrays = [a if d is None else a + step * d for a, d in zip(case.arrays(), along, strict=True)]
    made = [tensor(a, "float64") for a in arrays]
    for x, d in zip(made, along, strict=True):
        if d is not None:
            x.requires_grad_()
    return made


def inner(grads: Any, along: list[np.ndarray | None]) -> float:
    """The slope that gradients predict along directions (for complex numbers: Re of the conjugate product)."""
    total = 0.0
    for g, d in zip(grads, along, strict=True):
        if g is not None and d is not None:
            total += float(np.sum(np.conj(number_of(g)) * d).real)
    return total


def gradients(case: Case, xs: list[Any], **how: Any) -> list[Any]:
    """The gradient of the case's scalar with respect to each operand; None for whole numbers."""
    roots = [x for x in xs if x.requires_grad]
    found = iter(torch.autograd.grad(loss_of(case, xs), roots, allow_unused=True, **how))
    return [next(found) if x.requires_grad else None for x in xs]


@where(lambda c: c.gradient and c.has_floats)
def test_gradient(case: Case) -> None:
    along, step = directions(case), 1e-6
    predicted = inner(gradients(case, moved(case, along, 0.0)), along)
    numbers = [float(loss_of(case, moved(case, along, s)).detach()) for s in (step, -step)]
    measured = (numbers[0] - numbers[1]) / (2 * step)
    assert predicted == pytest.approx(measured, rel=2e-4, abs=2e-5)


@where(lambda c: c.gradient and c.second and c.has_floats)
def test_second_derivative(case: Case) -> None:
    along, step = directions(case), 1e-5

    def slope(xs: list[Any]) -> Any:
        total = torch.zeros((), dtype=torch.float64)
        for k, g in enumerate(gradients(case, xs, create_graph=True)):
            if g is not None:
                g = torch.view_as_real(g) if g.is_complex() else g
                weights = np.random.default_rng(k).standard_normal(tuple(g.shape))
                total = total + (g * tensor(np.asarray(weights), "float64")).sum()
        return total

    xs = moved(case, along, 0.0)
    s = slope(xs)
    if not s.requires_grad:  # linear in every operand
        predicted = 0.0
    else:
        roots = [x for x in xs if x.requires_grad]
        found = iter(torch.autograd.grad(s, roots, allow_unused=True))
        predicted = inner([next(found) if x.requires_grad else None for x in xs], along)
    numbers = [float(slope(moved(case, along, d)).detach()) for d in (step, -step)]
    measured = (numbers[0] - numbers[1]) / (2 * step)
    assert predicted == pytest.approx(measured, rel=1e-3, abs=1e-4)


@where(lambda c: c.floats and c.has_floats)
@pytest.mark.parametrize("dtype", FLOATS)
def test_float_dtypes(case: Case, dtype: str) -> None:
    """Results have the operands' dtype, and numbers near those of float32."""
    found = flat(case.run(torch, *operands(case, dtype)))
    expected = flat(case.run(torch, *[tensor(np.asarray(number_of(x)), "float32") for x in operands(case, dtype)]))
    for r, e in zip(found, expected, strict=True):
        if e.is_floating_point():
            assert r.dtype is getattr(torch, dtype), f"dtype {r.dtype}"
        else:
            assert r.is_complex() == e.is_complex()
    tolerance = max(FLOATS[dtype], 10 * case.rtol)
    close(found, expected, tolerance, tolerance)


def in_dtype(array: np.ndarray, dtype: str, t: Any = torch) -> Any:
    """Random numbers as whole numbers, bools or complex numbers."""
    if dtype == "bool":
        return t.from_numpy(np.array(array > 0))
    if dtype.startswith("complex"):
        return t.from_numpy(np.array(array + 1j * np.roll(array, 1).reshape(array.shape) / 2)).to(getattr(t, dtype))
    if "int" in dtype:
        array = np.rint(np.abs(array) * 3 if dtype.startswith("u") else array * 3)
    return t.from_numpy(np.array(array)).to(getattr(t, dtype))


@where(lambda c: c.dtypes)
def test_other_dtypes(case: Case) -> None:
    """The result's dtype for operands that are not floats; None in the row: an error, a RuntimeError or TypeError."""
    for dtype, expected in case.dtypes.items():
        xs = [in_dtype(a, dtype) if a.dtype.kind == "f" else tensor(a) for a in case.arrays()]
        if expected is None:
            with pytest.raises((RuntimeError, TypeError)):
                for r in flat(case.run(torch, *xs)):
                    r.numpy()
            continue
        first = flat(case.run(torch, *xs))[0]
        assert first.dtype is getattr(torch, expected), f"{dtype} gives {first.dtype}"
        assert first.numpy().dtype == first.dtype.numpy


def strided_copy(array: np.ndarray) -> Any:
    """The same numbers with strides that no fresh tensor has: every second column of a wider matrix, transposed."""
    if array.ndim == 0:
        return tensor(array)
    wide = np.zeros((*array.shape[::-1][:-1], array.shape[0] * 2), array.dtype)
    wide[..., ::2] = array.T
    made = tensor(wide)[..., ::2]
    return made.permute(*range(array.ndim - 1, -1, -1))


@where(lambda c: c.views)
def test_views_as_operands(case: Case) -> None:
    """Numbers do not depend on the operands' strides, and a view's base gets its gradient."""
    expected = case.run(torch, *operands(case))
    close(
        case.run(torch, *[strided_copy(a) for a in case.arrays()]), expected, max(case.rtol, 1e-5), max(case.atol, 1e-6)
    )


@where(lambda c: True)
def test_lazy_and_eager_agree(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers and the same gradients, whether recorded or run at once."""

    def both() -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        xs = operands(case, grad=case.gradient)
        results = [number_of(r) for r in flat(case.run(torch, *xs))]
        grads = gradients(case, xs) if case.gradient and any(x.requires_grad for x in xs) else []
        return results, [None if g is None else number_of(g) for g in grads]

    recorded = both()
    again = both()  # now by known States
    monkeypatch.setattr(trace, "EAGER", True)
    at_once = both()
    for way in (again, at_once):
        for a, b in zip(recorded[0] + recorded[1], way[0] + way[1], strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-6)


@where(lambda c: c.inplace)
def test_in_place(case: Case) -> None:
    expected = case.run(torch, *operands(case))
    xs = operands(case)
    place, version = xs[0].data_ptr(), xs[0]._version
    result = case.run_in_place(torch, *xs)
    assert result is xs[0]
    assert xs[0].data_ptr() == place
    assert xs[0]._version > version
    close(xs[0], expected.to(xs[0].dtype), case.rtol, case.atol)


@where(lambda c: c.out)
def test_out(case: Case) -> None:
    expected = case.run(torch, *operands(case))
    outs = [torch.empty_like(e) for e in flat(expected)]
    given = tuple(outs) if isinstance(expected, tuple) else outs[0]
    result = case.run_out(torch, given, *operands(case))
    for o, r, e in zip(outs, flat(result), flat(expected), strict=True):
        assert r is o
        close(o, e, case.rtol, case.atol)


@where(lambda c: c.pytorch)
def test_like_pytorch(case: Case) -> None:
    """Numbers, dtypes and gradients are PyTorch's."""
    real = pytest.importorskip("torch")
    ours, theirs = operands(case, grad=case.gradient), operands(case, grad=case.gradient, t=real)
    a, b = flat(case.run(torch, *ours)), flat(case.run(real, *theirs))
    close(a, b, max(case.rtol, 1e-5), max(case.atol, 1e-5), "numbers")
    for x, y in zip(a, b, strict=True):
        if hasattr(y, "dtype"):
            assert str(x.dtype) == str(y.dtype)
            assert x.requires_grad == y.requires_grad
    if case.gradient and differentiable(b):
        found = gradients(case, ours)
        roots = [x for x in theirs if x.requires_grad]
        expected = iter(real.autograd.grad(loss_of(case, theirs, real), roots, allow_unused=True))
        for g, x in zip(found, theirs, strict=True):
            e = next(expected) if x.requires_grad else None
            if g is not None and e is not None:
                close(g, e, 1e-3, 1e-4, "gradient")
    for dtype, kind in case.dtypes.items():
        xs = [in_dtype(v, dtype, real) if v.dtype.kind == "f" else tensor(v, t=real) for v in case.arrays()]
        if kind is None:
            with pytest.raises((RuntimeError, TypeError)):
                case.run(real, *xs)
        else:
            assert str(flat(case.run(real, *xs))[0].dtype) == f"torch.{kind}"


def in_every_way(case: Case) -> None:
    """The case's results, first and second derivatives and in-place form, computed once."""
    xs = operands(case, "float64", grad=case.gradient)
    if case.gradient and any(x.requires_grad for x in xs):
        grads = [g for g in gradients(case, xs, create_graph=case.second) if g is not None and g.requires_grad]
        total = sum((torch.view_as_real(g) if g.is_complex() else g).sum() for g in grads)
        if grads:
            torch.autograd.grad(total, [x for x in xs if x.requires_grad], allow_unused=True)
        if case.second:
            gradients(case, xs, create_graph=False)  # where nothing is differentiated further, it may be done otherwise
    case.run(torch, *operands(case))
    if case.inplace:
        case.run_in_place(torch, *operands(case))


#: What has tests of its own: what `rushlight.sparse` and `rushlight.quantized` declare when they are loaded, L-BFGS's
#: direction, detectors' maps.
ELSEWHERE = """
    sparse_product sparse_form_product row_totals values_of_sparse listed_of_dense two_loop weighted_rows
    weighted_rows_backward adam_step fake_quantize fake_quantize_mask
""".split()


def test_every_operation_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every declared operation is recorded by some row: none escapes the tests above."""
    recorded: set[str] = set()
    whole = trace.Step.__init__

    def noted(step: Any, kind: Any, *rest: Any) -> None:
        recorded.add(kind.op.name)
        whole(step, kind, *rest)

    monkeypatch.setattr(trace.Step, "__init__", noted)
    monkeypatch.setattr(trace, "EAGER", False)  # which makes some views at once
    monkeypatch.setattr(trace.AUTOMATON, "root", trace.State(None, None, 0))  # nothing is known yet
    trace.recorder().flush()
    trace.recorder().trace = trace.Trace(trace.recorder())
    for case in CASES:
        in_every_way(case)
    trace.recorder().flush()
    draws = {name for name, op in operations().items() if op.effects}  # tests/test_drawing.py has these
    sparse = {name for name, op in operations().items() if op.walks}  # and tests/test_sparse.py these
    missing = sorted(set(operations()) - recorded - draws - sparse - set(ELSEWHERE))
    assert not missing, f"no row of tests/table records {missing}"


@pytest.mark.parametrize(
    ("make", "shape", "dtype"),
    [
        (lambda: [torch.ones(1), torch.ones(1, 1)], (2,), torch.float32),
        (lambda: [torch.tensor(1), torch.tensor(2)], (2,), torch.int64),
        (lambda: [torch.tensor(1), 2.5], (2,), torch.float32),
        (lambda: [torch.tensor(1.0, dtype=torch.float64), 2], (2,), torch.float64),
        (lambda: [np.ones(2), np.ones(2)], (2, 2), torch.float64),
        (lambda: [np.ones(2, np.float32)], (1, 2), torch.float32),
        (lambda: [1.0, np.float64(2)], (2,), torch.float64),
        (lambda: [np.float32(1), 2.0], (2,), torch.float32),
        (lambda: [torch.tensor(1.0, dtype=torch.bfloat16)], (1,), torch.bfloat16),
    ],
)
def test_tensor_of_tensors_and_arrays(make: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """A tensor of one element is a number; what has a dtype brings it along."""
    made = torch.tensor(make())
    assert (made.shape, made.dtype) == (shape, dtype)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: torch.tensor([torch.ones(2), torch.ones(2)]), ValueError, "only one element tensors"),
        (lambda: torch.tensor(["a"]), ValueError, "too many dimensions 'str'"),
        (lambda: torch.tensor("a"), TypeError, "invalid data type 'str'"),
        (lambda: torch.zeros(2.5), TypeError, "at pos 1 .*got float"),
        (lambda: torch.randn(2, 4 / 2), TypeError, "at pos 2 .*got float"),
        (lambda: torch.nn.Linear(10 / 2, 3), TypeError, "at pos 2 .*got float"),
        (lambda: torch.ones(2).repeat(1.5), TypeError, "repeats"),
        (lambda: torch.tensor([]).argmax(), IndexError, "Expected reduction dim"),
        (lambda: torch.tensor([]).max(), RuntimeError, "Expected reduction dim"),
        (
            lambda: torch.nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 5, 5, dtype=torch.float64)),
            RuntimeError,
            r"Input type \(double\) and bias type \(float\)",
        ),
    ],
)
def test_usual_mistakes_raise_what_pytorch_raises(call: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        call()
