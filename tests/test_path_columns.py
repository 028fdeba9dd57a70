"""Paths over sparse columns: the same models as by any other way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from xpfit.backends import get_backend, numba_columns
from xpfit.core.duality import duality_gap
from xpfit.core.fit import objective_of
from xpfit.core.losses import HALF_BINOMIAL, HALF_POISSON, HALF_SQUARED_ERROR, Loss, huber
from xpfit.core.path import PathFit, fit_path, is_quadratic
from xpfit.core.path_columns import column_path
from xpfit.core.penalties import ElasticNet

NUMPY, NUMBA = get_backend("numpy"), get_backend("numba")
LOSSES = [HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON, huber(0.8)]
rng = np.random.default_rng(31)
# More columns than a Gram matrix of all would be formed of.
DENSE = rng.poisson(0.03, size=(120, 2100)) * rng.uniform(0.5, 2.0, size=2100)
X = sp.csr_matrix(DENSE)
RAW = X @ np.where(rng.random(2100) < 0.01, 1.5, 0.0) - 0.3
WEIGHT = rng.integers(1, 4, size=120).astype(np.float64)


def target(loss: Loss) -> Any:
    if loss is HALF_BINOMIAL:
        return (RAW + rng.normal(size=120) > 0.0).astype(np.float64)
    return rng.poisson(np.exp(0.3 * RAW)).astype(np.float64) if loss is HALF_POISSON else RAW


@pytest.mark.parametrize(
    "options",
    [{}, {"fit_intercept": False}, {"standardize": True}, {"l1_ratio": 0.5}],
    ids=["intercept", "no intercept", "standardized", "elastic net"],
)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_it_is_the_path_of_other_backends(loss: Loss, options: dict[str, Any]) -> None:
    # FISTA, to which a Huber loss without curvature goes, takes seconds a strength on NumPy.
    n_strengths, tol = (6, 1e-7) if loss is LOSSES[3] else (8, 1e-10)
    if loss is LOSSES[3] and ("standardize" in options or "fit_intercept" in options):
        pytest.skip("half a minute each on NumPy: the other losses show it")
    eps = 0.3 if loss is LOSSES[3] else 0.1
    more = {"n_strengths": n_strengths, "eps": eps, "tol": tol, "max_iter": 2000, **options}
    y = target(loss)
    assert not is_quadratic(objective_of(X, y, None, loss, NUMBA, 1, 0.0, True, False, None))
    fits = [
        fit_path(X, y, loss=loss, backend=backend, sample_weight=WEIGHT, **more)
        for backend in (NUMPY, NUMBA)
    ]
    slow, fast = fits
    assert (fast.violations <= tol).all()
    assert np.count_nonzero(fast.W[-1]) > 5
    np.testing.assert_allclose(fast.losses, slow.losses, rtol=max(1e-12, tol))
    raw = [X @ fit.W[5] + fit.b[5] for fit in fits]
    np.testing.assert_allclose(*raw, rtol=1e-5, atol=1e-5 if tol < 1e-9 else 1e-3)
    if loss is not LOSSES[3]:
        assert (np.abs(fast.duality_gaps) <= 1e-8).all()
    else:
        assert np.isnan(fast.duality_gaps).all()


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("loss", LOSSES[:3], ids=lambda loss: loss.name)
def test_gaps_bound_those_of_single_models(
    loss: Loss, l1_ratio: float, fit_intercept: bool
) -> None:
    y = target(loss)
    path = fit_path(
        X, y, loss=loss, backend=NUMBA, sample_weight=WEIGHT, n_strengths=8, eps=0.1,
        l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=3e-3,
    )  # fmt: skip
    assert path.duality_gaps.max() > 1e-8
    for k, s in enumerate(path.strengths):
        objective = objective_of(
            X, y, WEIGHT, loss, NUMPY, 1, s * (1.0 - l1_ratio), fit_intercept, False, None
        )
        theta = np.concatenate([path.W[k][:, 0], path.b[k]])[: objective.size]
        exact = duality_gap(objective, s * l1_ratio, theta, float(path.losses[k]))
        assert exact is not None
        assert exact - 1e-13 <= path.duality_gaps[k] <= 1.5 * exact + 1e-5


def test_columns_that_the_rule_left_out_come_back() -> None:
    y = target(HALF_BINOMIAL)
    objective = objective_of(X, y, None, HALF_BINOMIAL, NUMBA, 1, 0.0, False, False, None)

    def one_by_one(penalty: ElasticNet, theta: Any) -> Any:
        raise AssertionError(penalty, theta)

    path = column_path(objective, np.zeros(2100), 1e-10, 100, one_by_one)
    assert path is not None
    # As if the strength before had been none: the rule then leaves out too many.
    path.l1_before = 0.0
    penalty = ElasticNet(0.3 * float(np.abs(path.gradient).max()))
    point = path.solve(penalty)
    assert point is not None
    assert point.n_iter > 1
    _, gradient = objective.value_gradient(point.theta)
    assert penalty.violation(np, point.theta, gradient) <= 2e-10
    assert np.count_nonzero(point.theta) > 1


def test_what_the_columns_do_not_solve_single_fits_do(monkeypatch: pytest.MonkeyPatch) -> None:
    y = target(HALF_BINOMIAL)
    options: dict[str, Any] = {"n_strengths": 8, "eps": 0.03, "tol": 1e-9, "backend": NUMBA}

    def fit() -> PathFit:
        return fit_path(X, y, loss=HALF_BINOMIAL, **options)

    whole, calls = fit(), []
    minimize = numba_columns.ColumnModel.minimize

    def fails_at_the_fifth(model: Any, *arguments: Any, **more: Any) -> Any:
        calls.append(1)
        cost, steps, there = minimize(model, *arguments, **more)
        return cost, steps, there and len(calls) != 5

    monkeypatch.setattr(numba_columns.ColumnModel, "minimize", fails_at_the_fifth)
    mended = fit()
    assert mended.stop_reasons == whole.stop_reasons
    np.testing.assert_allclose(mended.losses, whole.losses, rtol=1e-12)
    np.testing.assert_allclose(mended.W, whole.W, atol=1e-5)
    # The columns went on afterwards.
    assert len(calls) >= 9
