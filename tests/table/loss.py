"""Rows of `ops.loss`, `ops.cross_entropy`, `ops.margin_loss` and `ops.ctc_loss`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Case

X, Y = (4, 3), (4, 3)
UNIT = (0.1, 0.9)
TARGETS = np.array([2, 0, 1, 1])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0])
WEIGHTS = np.array([0.5, 1.0, 2.0])
REDUCTIONS: dict[str, Callable[[Any], Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def _losses(name: str, operands: list[Any], reference: Callable[..., Any], **options: Any) -> list[Case]:
    """A row for each reduction; `reference` gives the single losses."""
    kwargs = options.pop("kwargs", {})

    def row(mode: str) -> Case:
        label = f"nn.functional.{name}{' ' if '[' in name else ' ['}{mode}]"
        function = getattr_path(name.split(" ")[0])
        return Case(
            label,
            lambda torch, *t: function(torch)(*t, reduction=mode, **kwargs(torch) if callable(kwargs) else kwargs),
            operands,
            lambda *a: REDUCTIONS[mode](reference(*a)),
            **options,
        )

    return [row(mode) for mode in REDUCTIONS]


def getattr_path(name: str) -> Callable[[Any], Any]:
    """`torch.nn.functional.<name>` of a torch to come."""
    return lambda torch: getattr(torch.nn.functional, name)


def _log_softmax(x: np.ndarray, dim: int = 1) -> np.ndarray:
    return x - np.log(np.exp(x).sum(dim, keepdims=True))


def _picked(scores: np.ndarray) -> np.ndarray:
    return -scores[np.arange(4), TARGETS]


def _smooth(z: np.ndarray, beta: float) -> np.ndarray:
    return np.where(np.abs(z) < beta, z * z / (2 * beta), np.abs(z) - beta / 2)


def _norm(z: np.ndarray) -> np.ndarray:
    return np.sqrt((z * z).sum(-1))


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / (_norm(a) * _norm(b))


def _multi_margin(x: np.ndarray, p: int) -> np.ndarray:
    right = x[np.arange(4), TARGETS][:, None]
    hinges = np.maximum(0, 1 - right + x) ** p
    hinges[np.arange(4), TARGETS] = 0
    return hinges.sum(1) / 3


def _mean_of_weighted(losses: np.ndarray) -> float:
    return float((losses * WEIGHTS[TARGETS]).sum() / WEIGHTS[TARGETS].sum())


def _weights(torch: Any, like: Any) -> Any:
    return torch.tensor(WEIGHTS).to(like.dtype)


LABELS = np.array([[1, -1, 0], [0, 2, -1], [-1, 0, 0], [2, -1, 1]])


def _multilabel(x: np.ndarray) -> np.ndarray:
    losses = []
    for row, labels in zip(x, ([1], [0, 2], [], [2]), strict=True):
        others = [c for c in range(3) if c not in labels]
        losses.append(sum(max(0.0, 1 - row[j] + row[i]) for j in labels for i in others) / 3)
    return np.array(losses)


CTC_TARGETS = np.array([[1, 2], [2, 2]])


def _ctc(scores: np.ndarray) -> np.ndarray:
    """By enumerating all paths."""
    import itertools

    logp = _log_softmax(scores, 2)
    found = []
    for n, target in enumerate(CTC_TARGETS):
        total = 0.0
        for path in itertools.product(range(3), repeat=len(logp)):
            merged = [c for c, _ in itertools.groupby(path) if c != 0]
            if merged == list(target):
                total += math.exp(sum(logp[t, n, c] for t, c in enumerate(path)))
        found.append(-math.log(total))
    return np.array(found)


CASES = [
    *_losses("mse_loss", [X, Y], lambda x, y: (x - y) ** 2),
    *_losses("l1_loss", [X, Y], lambda x, y: np.abs(x - y)),
    *_losses("smooth_l1_loss", [X, Y], lambda x, y: _smooth(x - y, 1.0)),
    *_losses("smooth_l1_loss [beta", [X, Y], lambda x, y: _smooth(x - y, 0.5), kwargs={"beta": 0.5}),
    *_losses("huber_loss", [X, Y], lambda x, y: 0.7 * _smooth(x - y, 0.7), kwargs={"delta": 0.7}),
    *_losses("binary_cross_entropy", [X, Y], lambda x, y: -(y * np.log(x) + (1 - y) * np.log(1 - x)), domain=UNIT),
    *_losses("binary_cross_entropy_with_logits", [X, Y], lambda x, y: np.log1p(np.exp(x)) - x * y, domain=UNIT),
    Case(
        "nn.functional.binary_cross_entropy_with_logits [weights]",
        lambda torch, x, y: torch.nn.functional.binary_cross_entropy_with_logits(
            x, y, _weights(torch, x), pos_weight=_weights(torch, x)
        ),
        [X, Y],
        lambda x, y: (WEIGHTS * ((1 - y) * np.log1p(np.exp(x)) + WEIGHTS * y * np.log1p(np.exp(-x)))).mean(),
        domain=UNIT,
    ),
    *_losses("kl_div", [X, Y], lambda x, y: y * (np.log(y) - x), domain=UNIT),
    *_losses("kl_div [log", [X, Y], lambda x, y: np.exp(y) * (y - x), kwargs={"log_target": True}),
    *_losses("soft_margin_loss", [X, Y], lambda x, y: np.log1p(np.exp(-x * y)), pytorch=False),
    *_losses("poisson_nll_loss", [X, Y], lambda x, y: np.exp(x) - y * x),
    Case(
        "nn.functional.poisson_nll_loss [full]",
        None,
        [X, Y],
        lambda x, y: np.mean(
            x - y * np.log(x + 1e-8) + np.where(y > 1, y * np.log(y) - y + 0.5 * np.log(2 * np.pi * y), 0)
        ),
        kwargs={"log_input": False, "full": True},
        domain=(0.5, 3),
    ),
    *_losses("gaussian_nll_loss", [X, Y, (4, 3)], lambda x, y, v: 0.5 * (np.log(v) + (x - y) ** 2 / v), domain=UNIT),
    *_losses(
        "hinge_embedding_loss", [(4,), SIGNS], lambda x, s: np.where(s == 1, x, np.maximum(0, 1 - x)), gradient=False
    ),
    *_losses(
        "margin_ranking_loss",
        [(4,), (4,), SIGNS],
        lambda x, y, s: np.maximum(0, -s * (x - y) + 0.3),
        kwargs={"margin": 0.3},
        gradient=False,
    ),
    *_losses(
        "cosine_embedding_loss",
        [X, Y, np.array([1, -1, 1, -1])],
        lambda x, y, s: np.where(s == 1, 1 - _cosine(x, y), np.maximum(0, _cosine(x, y))),
    ),
    *_losses(
        "triplet_margin_loss",
        [X, Y, (4, 3)],
        lambda a, p, n: np.maximum(0, 1 + _norm(a - p + 1e-6) - _norm(a - n + 1e-6)),
    ),
    *_losses(
        "triplet_margin_with_distance_loss",
        [X, Y, (4, 3)],
        lambda a, p, n: np.maximum(0, 1 + _norm(a - p) ** 2 - _norm(a - n) ** 2),
        kwargs={"distance_function": lambda u, v: ((u - v) ** 2).sum(-1)},
        floats=False,
    ),
    *_losses("multi_margin_loss", [X, TARGETS], lambda x, t: _multi_margin(x, 1)),
    *_losses("multi_margin_loss [squared", [X, TARGETS], lambda x, t: _multi_margin(x, 2), kwargs={"p": 2}),
    *_losses("multilabel_margin_loss", [X, LABELS], lambda x, t: _multilabel(x)),
    *_losses(
        "multilabel_soft_margin_loss",
        [X, (np.arange(12).reshape(4, 3) % 2).astype(float)],
        lambda x, t: (np.log1p(np.exp(x)) - x * t).mean(1),
    ),
    *_losses("nll_loss", [X, TARGETS], lambda x, t: _picked(x), dtypes={"int64": None}),
    *_losses("cross_entropy", [X, TARGETS], lambda x, t: _picked(_log_softmax(x)), dtypes={"int64": None}),
    *_losses(
        "cross_entropy [smooth",
        [X, TARGETS],
        lambda x, t: 0.9 * _picked(_log_softmax(x)) - 0.1 * _log_softmax(x).mean(1),
        kwargs={"label_smoothing": 0.1},
    ),
    *_losses(
        "cross_entropy [space",
        [(2, 3, 2), np.array([[0, 2], [1, 1]])],
        lambda x, t: -np.take_along_axis(_log_softmax(x), t[:, None], 1)[:, 0],
    ),
    Case(
        "nn.functional.cross_entropy [weights]",
        lambda torch, x, t: torch.nn.functional.cross_entropy(x, t, _weights(torch, x)),
        [X, TARGETS],
        lambda x, t: _mean_of_weighted(_picked(_log_softmax(x))),
    ),
    Case(
        "nn.functional.cross_entropy [ignored]",
        None,
        [X, np.array([2, -100, 1, -100])],
        lambda x, t: -(_log_softmax(x)[0, 2] + _log_softmax(x)[2, 1]) / 2,
    ),
    Case(
        "nn.functional.cross_entropy [probabilities]",
        None,
        [X, Y],
        lambda x, y: -(y * _log_softmax(x)).sum(1).mean(),
        domain=UNIT,
    ),
    Case("nn.functional.cross_entropy [one]", None, [(3,), np.array(1)], lambda x, t: -_log_softmax(x, 0)[1]),
    Case(
        "nn.functional.ctc_loss",
        lambda torch, x, t: torch.nn.functional.ctc_loss(x.log_softmax(2), t, (5, 5), (2, 2), reduction="none"),
        [(5, 2, 3), CTC_TARGETS],
        lambda x, t: _ctc(x),
        second=False,
        floats=False,
    ),
]
