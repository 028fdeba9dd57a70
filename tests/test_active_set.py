"""The active set of a quadratic with an L1 penalty, along paths and from anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers.active_set import ActiveSet


def quadratic(n: int, d: int, *, copies: int = 0, common: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, d)) + common * rng.normal(size=(n, 1))
    X[:, d - copies :] = X[:, :copies]
    y = X[:, :10] @ rng.normal(size=10) + rng.normal(size=n)
    X, y = X - X.mean(axis=0), y - y.mean()
    return X.T @ X / n, -X.T @ y / n


@pytest.mark.parametrize(
    ("n", "d", "copies", "common"),
    [
        (300, 30, 0, 0.0),
        (300, 30, 12, 1.0),  # exact copies: the system would be singular
        (300, 40, 0, 30.0),  # nearly collinear
        (60, 150, 0, 1.0),  # more columns than rank
        (60, 150, 70, 1.0),
        (5, 40, 0, 1.0),
    ],
)
def test_a_path_meets_the_conditions(n: int, d: int, copies: int, common: float) -> None:
    H, g = quadratic(n, d, copies=copies, common=common)
    most = np.abs(g).max()
    among, w = ActiveSet(H, g), np.zeros(d)
    costs, cold = [], []
    for l1 in np.geomspace(most, 1e-4 * most, 60):
        w, violation = among.minimize(w, l1, 1e-10 * most)
        # What it says is what plain formulas say.
        assert ElasticNet(l1).violation(np, w, g + H @ w) <= max(violation, 1e-10 * most) * 1.001
        assert violation <= 1e-10 * most
        alone, _ = ActiveSet(H, g).minimize(np.zeros(d), l1, 1e-10 * most)
        costs.append(g @ w + 0.5 * w @ H @ w + l1 * np.abs(w).sum())
        cold.append(g @ alone + 0.5 * alone @ H @ alone + l1 * np.abs(alone).sum())
    np.testing.assert_allclose(costs, cold, rtol=1e-7, atol=1e-12)
    assert 0 < np.count_nonzero(w) <= np.linalg.matrix_rank(H)


def test_any_start_will_do() -> None:
    H, g = quadratic(300, 30, copies=12)
    expected, _ = ActiveSet(H, g).minimize(np.zeros(30), 0.1, 1e-12)
    rng = np.random.default_rng(0)
    for start in (rng.normal(size=30), -10.0 * expected, np.where(rng.random(30) < 0.5, 3.0, 0.0)):
        w, violation = ActiveSet(H, g).minimize(start, 0.1, 1e-12)
        assert violation <= 1e-12
        np.testing.assert_allclose(H @ w, H @ expected, atol=1e-10)
        np.testing.assert_allclose(np.abs(w).sum(), np.abs(expected).sum(), rtol=1e-9)


def test_without_a_penalty_it_is_a_linear_system() -> None:
    H, g = quadratic(300, 20, common=0.0)
    w, violation = ActiveSet(H, g).minimize(np.zeros(20), 0.0, 1e-12)
    assert violation <= 1e-12
    np.testing.assert_allclose(w, np.linalg.solve(H, -g), rtol=1e-9)


def test_columns_of_zeros_stay_out() -> None:
    H, g = quadratic(300, 20)
    H[[4, 7]] = H[:, [4, 7]] = g[[4, 7]] = 0.0
    w, violation = ActiveSet(H, g).minimize(np.ones(20), 0.0, 1e-12)
    assert violation <= 1e-12
    assert w[4] == w[7] == 0.0
