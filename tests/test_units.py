"""The units of X and y change no model of the squared error: `tol` counts in theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from xpfit import ElasticNet, ElasticNetCV, Lasso, LassoCV, regularization_path

X, Y = load_diabetes(return_X_y=True)
UNITS = [(1e-6, 1.0), (1.0, 1e-6), (1e-3, 1e-3), (1e6, 1e4)]


@pytest.mark.parametrize(("of_X", "of_y"), UNITS)
@pytest.mark.parametrize("cls", [Lasso, ElasticNet])
def test_single_fits(cls: Any, of_X: float, of_y: float) -> None:
    # The L2 part of the elastic net has units of its own: alpha is scaled for the L1 part only.
    options = {"l1_ratio": 1.0} if cls is ElasticNet else {}
    expected = cls(alpha=0.5, **options).fit(X, Y)
    found = cls(alpha=0.5 * of_X * of_y, **options).fit(X * of_X, Y * of_y)
    assert np.count_nonzero(expected.coef_) > 1
    np.testing.assert_allclose(found.coef_ * of_X / of_y, expected.coef_, rtol=1e-6, atol=1e-6)
    assert found.stop_reason_ == expected.stop_reason_


@pytest.mark.parametrize(("of_X", "of_y"), UNITS)
def test_chosen_penalties(of_X: float, of_y: float) -> None:
    expected = LassoCV(alphas=20).fit(X, Y)
    found = LassoCV(alphas=20).fit(X * of_X, Y * of_y)
    np.testing.assert_allclose(found.alpha_, expected.alpha_ * of_X * of_y, rtol=1e-9)
    assert found.score(X * of_X, Y * of_y) == pytest.approx(expected.score(X, Y), rel=1e-6)
    net = ElasticNetCV(alphas=20, l1_ratio=[0.5, 1.0]).fit(X * of_X, Y * of_y)
    assert net.score(X * of_X, Y * of_y) > 0.5


@pytest.mark.parametrize(("of_X", "of_y"), UNITS)
def test_paths(of_X: float, of_y: float) -> None:
    expected = regularization_path(Lasso(), X, Y, n_strengths=15)
    found = regularization_path(Lasso(), X * of_X, Y * of_y, n_strengths=15)
    np.testing.assert_allclose(
        found.coefs * of_X / of_y, expected.coefs, rtol=1e-6, atol=1e-6 * np.abs(Y).max()
    )


@pytest.mark.parametrize("value", [0.0, 3.7, 1e9])
def test_a_constant_target(value: float) -> None:
    model = Lasso(alpha=0.1).fit(X, np.full(X.shape[0], value))
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == pytest.approx(value, abs=1e-12)
    assert model.stop_reason_ == "gradient_norm <= tol"
