"""The data sets of the regression and classification examples.

They are drawn by scikit-learn with a fixed seed. Where it is not installed, the same numbers are read from
`data/lecture4.npz`, and NumPy solves the least squares.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

STORED = Path(__file__).parent / "data" / "lecture4.npz"


@cache
def _has_scikit_learn() -> bool:
    try:
        import sklearn  # noqa: F401
    except ImportError:
        print("scikit-learn is not installed: using the stored copy of its data set (pip install scikit-learn)")
        return False
    return True


def _stored(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(STORED) as arrays:
        return arrays[f"{name}_X"], arrays[f"{name}_y"]


def regression(features: int) -> tuple[np.ndarray, np.ndarray]:
    """500 noisy points of a linear function of 1 or 3 features: X ``(500, features)``, y ``(500,)``."""
    if not _has_scikit_learn():
        return _stored(f"regression_{features}")
    from sklearn.datasets import make_regression

    return make_regression(n_samples=500, n_features=features, random_state=0, noise=10.0)


def curve() -> tuple[np.ndarray, np.ndarray]:
    """500 points of a curve no line can follow: X ``(500,)`` sorted, y ``(500,)``."""
    np.random.seed(2020)
    X = np.sort(np.random.randn(500))
    return X, X**2 + 15 * np.sin(X) ** 3


def circles() -> tuple[np.ndarray, np.ndarray]:
    """Two noisy rings, one inside the other: X ``(300, 2)``, y 0 outside and 1 inside."""
    if not _has_scikit_learn():
        return _stored("circles")
    from sklearn.datasets import make_circles

    return make_circles(n_samples=300, factor=0.5, noise=0.1, random_state=2020)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Four clusters in the plane: X ``(200, 2)``, y from 0 to 3."""
    if not _has_scikit_learn():
        return _stored("blobs")
    from sklearn.datasets import make_blobs

    return make_blobs(n_samples=200, centers=4, center_box=(-1.2, 1.2), cluster_std=[0.15] * 4, random_state=12345)


def least_squares(X: np.ndarray, y: np.ndarray) -> tuple[str, np.ndarray]:
    """Who solved it, and the exact answer: the bias, then one weight a feature."""
    if _has_scikit_learn():
        from sklearn.linear_model import LinearRegression

        fitted = LinearRegression().fit(X, y)
        return "scikit-learn", np.array([fitted.intercept_, *fitted.coef_])
    columns = np.column_stack([np.ones(len(X)), X])
    return "least squares", np.linalg.lstsq(columns, y, rcond=None)[0]
