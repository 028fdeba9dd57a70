"""Losses of the user: what they may return, and what is said where they fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.fit import fit_linear_model
from xpfit.core.losses import PointwiseLoss
from xpfit.estimators import GeneralizedLinearRegressor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
COUNTS = RNG.poisson(2.0, 40).astype(float)


def _ones(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return 1.0


def _half_square(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return 0.5 * (raw_prediction - y) * (raw_prediction - y)


def _residual(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return raw_prediction - y


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
def test_a_formula_may_return_one_number(backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    loss = PointwiseLoss("own", _half_square, _residual, _ones)
    for solver in ("newton", "lbfgs"):
        model = GeneralizedLinearRegressor(loss=loss, backend=backend, alpha=0.1, solver=solver)
        model.fit(X, COUNTS)
        reference = GeneralizedLinearRegressor(alpha=0.1).fit(X, COUNTS)
        np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-5)


def _roots(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return xp.sqrt(raw_prediction - y)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_loss_that_is_not_finite_is_named(backend: str) -> None:
    loss = PointwiseLoss("own", _half_square, _roots, _ones)
    model = GeneralizedLinearRegressor(loss=loss, backend=backend)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=r"the gradient of loss 'own' in Gen.* is NaN or infinite"),
    ):
        model.fit(X, COUNTS + 1)


def half_squares(xp: Any, y: Any, raw_prediction: Any, stiffness: Any) -> Any:
    return 0.5 * stiffness * (raw_prediction - y) ** 2


def slopes(xp: Any, y: Any, raw_prediction: Any, stiffness: Any) -> Any:
    return stiffness * (raw_prediction - y)


def stiffness_itself(xp: Any, y: Any, raw_prediction: Any, stiffness: Any) -> Any:
    return stiffness


def test_a_formula_may_return_a_parameter(backend: Backend) -> None:
    loss = PointwiseLoss("stiff", half_squares, slopes, stiffness_itself, parameters=(2.0,))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    y = X @ np.asarray([1.0, -2.0]) + 3.0
    fit = fit_linear_model(
        backend.from_numpy(X), backend.from_numpy(y), loss=loss, backend=backend, tol=1e-9
    )
    np.testing.assert_allclose(fit.W[:, 0], [1.0, -2.0], rtol=1e-7)
