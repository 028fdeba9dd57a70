"""The wide lasso: working sets whose Gram matrix grows, against scikit-learn at tight tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.linear_model

from xpfit.backends import Backend, get_backend
from xpfit.core.fit_sparse import fit_sparse_model
from xpfit.core.losses import HALF_SQUARED_ERROR
from xpfit.core.objective import LinearObjective
from xpfit.core.solvers.column_gram import ColumnGram
from xpfit.core.solvers.growing_sets import has_growing_sets


def wide(n: int = 60, d: int = 650) -> tuple[Any, Any, Any]:
    """Columns off centre, some of them twice there, one constant, and one a sum of two others."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(n, d)) * np.exp(rng.normal(size=d)) + 3.0
    X[:, 20:30] = X[:, 0:10]
    X[:, 30] = X[:, 1] + X[:, 2]
    X[:, 31] = 2.0
    y = X[:, :12] @ rng.normal(size=12) + rng.normal(size=n)
    return X, y, rng.integers(0, 3, n).astype(float)


@pytest.mark.parametrize("share", [0.2, 1e-3], ids=["few", "as-many-as-rows"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardized"])
def test_scikit_learns_minimum(
    backend: Backend, share: float, l1_ratio: float, weighted: bool, standardize: bool
) -> None:
    if backend.compiles:
        pytest.skip("grows no sets where each size is compiled: test_sparse_solvers.py has wide X")
    if backend.name == "array-api-strict" and not weighted == standardize == (l1_ratio < 1.0):
        pytest.skip("takes six times as long: NumPy takes all combinations, this each value once")
    X, y, weight = wide()
    weight = weight if weighted else np.ones_like(y)
    mean = np.average(X, axis=0, weights=weight)
    Z = X - mean
    if standardize:
        deviation = np.sqrt(np.average(Z**2, axis=0, weights=weight))
        Z = Z / np.where(deviation > 1e-12, deviation, 1.0)
    target = y - np.average(y, weights=weight)
    largest = np.abs(Z.T @ (weight * target)).max() / weight.sum()
    alpha = share * largest / l1_ratio
    theirs = sklearn.linear_model.ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, tol=1e-10, max_iter=1_000_000
    ).fit(Z, y, sample_weight=weight)
    fit = fit_sparse_model(
        backend.from_numpy(X), backend.from_numpy(y), loss=HALF_SQUARED_ERROR, backend=backend,
        sample_weight=backend.from_numpy(weight), l1_reg_strength=alpha * l1_ratio,
        l2_reg_strength=alpha * (1.0 - l1_ratio), standardize=standardize, tol=1e-9, max_iter=1000,
    )  # fmt: skip
    assert fit.result.converged, fit.result.message
    assert fit.result.gradient_norm <= 1e-9
    raw = (Z @ theirs.coef_) + theirs.intercept_
    np.testing.assert_allclose(X @ fit.W[:, 0] + fit.b[0], raw, rtol=0, atol=2e-3)
    loss = np.average(0.5 * (y - raw) ** 2, weights=weight)
    loss += alpha * l1_ratio * np.abs(theirs.coef_).sum()
    loss += 0.5 * alpha * (1.0 - l1_ratio) * (theirs.coef_**2).sum()
    assert fit.result.loss <= loss + 1e-9
    assert fit.result.loss == pytest.approx(loss, rel=1e-5)
    assert fit.W[31, 0] == 0.0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_matrix_grows_to_that_of_all_columns(fit_intercept: bool, scaled: bool) -> None:
    X, y, weight = wide(40, 50)
    objective = LinearObjective(
        X, y, weight, HALF_SQUARED_ERROR, get_backend("numpy"), fit_intercept=fit_intercept,
        scale=np.linspace(1.0, 2.0, 50) if scaled else None,
    )  # fmt: skip
    assert has_growing_sets(objective)
    gram = ColumnGram(objective)
    for wanted in (np.arange(50) % 7 == 3, np.arange(50) > 40, np.arange(50) > 45):
        gram.hold(wanted)
    assert sorted(gram.columns.tolist()) == sorted({*range(3, 50, 7), *range(41, 50)})
    _, _, hessian = objective.value_gradient_hessian(np.zeros(objective.size))
    expected = hessian[:50, :50]
    if fit_intercept:
        expected = expected - np.outer(hessian[:50, 50], hessian[50, :50])
        np.testing.assert_allclose(gram.edge, hessian[50, gram.columns], rtol=1e-12)
    chosen = np.ix_(gram.columns, gram.columns)
    np.testing.assert_allclose(gram.hessian, expected[chosen], rtol=1e-10, atol=1e-11)
