"""How far a descent by batches has come: the estimate, and the verdict on it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sgd_data import binary, quietly, three_classes
from sklearn.exceptions import ConvergenceWarning

from xpfit import LogisticRegression, get_backend
from xpfit.core.losses import HALF_BINOMIAL, HALF_SQUARED_ERROR
from xpfit.core.objective import LinearObjective
from xpfit.core.remaining import MOST_TERMS, estimated_excess
from xpfit.core.solvers.result import NEAR_MINIMUM

NUMPY = get_backend("numpy")


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_of_a_quadratic_the_estimate_is_exact(fit_intercept: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=50)
    cost = LinearObjective(X, y, None, HALF_SQUARED_ERROR, NUMPY, 1, 0.1, fit_intercept)
    theta = rng.normal(size=cost.size)
    value, gradient, hessian = cost.value_gradient_hessian(theta)
    step = np.linalg.solve(hessian, gradient)
    least = cost.value_gradient(theta - step)[0]
    cost.rows_read = 0
    found, excess = estimated_excess(cost, theta)
    assert found == pytest.approx(value)
    # The last terms, 2 % of the sum each, may be missing; it never is above.
    assert 0.95 * (value - least) <= excess <= (value - least) * (1.0 + 1e-12)
    assert cost.n_passes <= MOST_TERMS + 1
    assert estimated_excess(cost, theta - step)[1] == pytest.approx(0.0, abs=1e-20)


def test_near_the_minimum_of_the_logistic_cost_it_is_close() -> None:
    X, y = binary()
    optimum = LogisticRegression(tol=1e-10).fit(X, y)
    cost = LinearObjective(X, 1.0 * y, None, HALF_BINOMIAL, NUMPY, 1, 1.0 / len(y))
    theta = np.append(optimum.coef_[0], optimum.intercept_[0])
    for share in (0.99, 0.95):
        value, excess = estimated_excess(cost, share * theta)
        assert excess == pytest.approx(value - optimum.loss_history_[-1], rel=0.15)


def test_a_cost_that_does_not_curve_is_at_no_minimum() -> None:
    X, y = np.ones((4, 1)), np.ones(4)
    cost = LinearObjective(X, y, None, HALF_BINOMIAL, NUMPY, 1, 0.0, False)
    assert estimated_excess(cost, np.asarray([-800.0]))[1] == np.inf


@pytest.mark.parametrize("solver", ["momentum", "nesterov", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("C", [1.0, 0.01])
def test_batches_converge_on_standardized_columns(solver: str, C: float) -> None:
    X, y = binary()
    least = LogisticRegression(C=C, tol=1e-10).fit(X, y).loss_history_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = LogisticRegression(solver=solver, C=C, random_state=0).fit(X, y)
    assert (model.stop_reason_, model.result_.converged) == (NEAR_MINIMUM, True)
    assert model.loss_history_[-1] < 1.001 * least
    assert model.n_passes_ > 2 * model.n_iter_[0]


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
def test_softmax_is_judged_on_every_backend(backend: str) -> None:
    X, y = three_classes()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    options: dict[str, Any] = {"C": 0.1, "fit_intercept": False, "class_weight": "balanced"}
    least = LogisticRegression(tol=1e-10, **options).fit(X, y, weight).loss_history_[-1]
    model = LogisticRegression(solver="momentum", backend=backend, random_state=0, **options)
    model.fit(X, y, weight)
    assert model.stop_reason_ == NEAR_MINIMUM
    assert model.loss_history_[-1] < 1.001 * least


def test_what_has_not_arrived_is_told_how_far_it_is_and_what_to_do() -> None:
    X, y = binary()
    least = LogisticRegression(tol=1e-10).fit(X, y).loss_history_[-1]
    text = r"solver 'sgd' .*gradient_norm is .* cost is, by estimate, ([\d.]+) % above its minimum"
    with pytest.warns(ConvergenceWarning, match=text + r"\. Raise max_iter, raise learning_rate"):
        model = LogisticRegression(solver="sgd", random_state=0).fit(X, y)
    assert model.stop_reason_ == "max_iter reached"
    told = float(model.result_.message.partition("estimate, ")[2].partition(" %")[0])
    assert told == pytest.approx(100.0 * (model.loss_history_[-1] / least - 1.0), rel=0.3)


def test_a_smaller_tol_asks_for_the_gradient() -> None:
    X, y = binary()
    with pytest.warns(ConvergenceWarning, match=r"by estimate, 0\.01\d? % above its minimum"):
        model = LogisticRegression(solver="adam", tol=1e-6, random_state=0).fit(X, y)
    assert not model.result_.converged
    nothing = quietly(LogisticRegression(solver="adam", max_iter=0), X, y)
    assert nothing.n_passes_ == 0
