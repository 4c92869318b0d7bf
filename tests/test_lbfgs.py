"""L-BFGS: its direction against dense matrices, its line search, and what is left when the user's closure raises.

What it trains stands among the other optimizers' answers, in tests/test_optim.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.optim.lbfgs import two_loop_direction

GRID = rushlight.linspace(-1, 1, 20).reshape(10, 2)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_direction_is_the_inverse_hessian_times_the_gradient(count: int) -> None:
    """The BFGS update of the inverse Hessian, done with matrices."""
    rng = np.random.default_rng(0)
    grad, scale, inverse = rng.normal(size=5), 0.7, 0.7 * np.eye(5)
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    for _ in range(count):
        change, move = rng.normal(size=5), rng.normal(size=5)
        ro = 1 / change.dot(move)
        left = np.eye(5) - ro * np.outer(move, change)
        inverse = left @ inverse @ left.T + ro * np.outer(move, move)
        pairs.append((change, move, ro))
    state: dict[str, Any] = {
        name: [rushlight.tensor(pair[k], dtype=rushlight.float64) for pair in pairs]
        for k, name in enumerate(("old_dirs", "old_stps", "ro"))
    }
    state["H_diag"] = scale
    direction = two_loop_direction(rushlight.tensor(grad), state, 10)
    assert np.allclose(direction.numpy(), -inverse @ grad, rtol=1e-10)
    assert [f is None for f in state["al"]] == [k >= count for k in range(10)]
    assert all(f.shape == () for f in state["al"][:count])


def test_lbfgs_restores_when_the_closure_raises() -> None:
    rushlight.manual_seed(0)
    model, x = rushlight.nn.Sequential(rushlight.nn.Linear(2, 8), rushlight.nn.Tanh(), rushlight.nn.Linear(8, 1)), GRID
    params = list(model.parameters())
    opt = rushlight.optim.LBFGS(params, max_iter=5, line_search_fn="strong_wolfe")
    calls = [0]

    def closure() -> Any:
        calls[0] += 1
        if calls[0] == 9:
            raise OSError("out of data")
        opt.zero_grad()
        loss = (model(x) - x.square().sum(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    opt.step(closure)
    before = [p.tolist() for p in params], opt.state[params[0]]["n_iter"], calls[0]
    assert before[2] < 9
    with pytest.raises(OSError, match="out of data"):
        opt.step(closure)
    assert ([p.tolist() for p in params], opt.state[params[0]]["n_iter"]) == before[:2]
    with pytest.raises(TypeError, match="closure"):
        opt.step()


@pytest.mark.parametrize(
    "max_eval, asked, iterations",
    [(1, 6, 3), (2, 7, 3), (3, 9, 5), (4, 12, 8), (7, 20, 14), (12, 21, 15), (None, 19, 13)],
)
def test_lbfgs_line_search_keeps_to_max_eval(max_eval: int | None, asked: int, iterations: int) -> None:
    """How often PyTorch 2.13 asks for Rosenbrock's function: a line search has what is left of `max_eval`."""
    w = rushlight.tensor([-1.2, 1.0], dtype=rushlight.float64, requires_grad=True)
    opt = rushlight.optim.LBFGS([w], max_iter=5, max_eval=max_eval, line_search_fn="strong_wolfe")

    def closure() -> Any:
        opt.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        return loss

    for _ in range(3):
        opt.step(closure)
    assert (opt.state[w]["func_evals"], opt.state[w]["n_iter"]) == (asked, iterations)
    assert type(opt.state[w]["t"]) is float
