"""Learning rates that `SGDClassifier` and `SGDRegressor` make of the data and of a fit's length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sgd_data import binary, numeric, quietly
from sklearn.linear_model import SGDClassifier as TheirClassifier

from xpfit import LogisticRegression, SGDClassifier, SGDRegressor, get_backend
from xpfit.core.learning_rates import mini_batch_rate
from xpfit.core.losses import SQUARED_HINGE
from xpfit.core.schedules import Cosine, OneCycle, schedule_over


def cost(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    margin = (2.0 * y - 1.0) * (X @ model.coef_[0] + model.intercept_[0])
    penalty = 0.5 * model.alpha * float(model.coef_[0] @ model.coef_[0])
    return 0.5 * float(np.mean(np.maximum(0.0, 1.0 - margin) ** 2)) + penalty


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("alpha", [1e-2, 1e-4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_squared_hinge_descends_at_the_default_rate(
    batch_size: int, alpha: float, seed: int
) -> None:
    X, y = binary()
    model = SGDClassifier(
        loss="squared_hinge", alpha=alpha, batch_size=batch_size, random_state=seed
    ).fit(X, y)
    # Of a model of zeros it is a half; without a bound on the rate an epoch's was over 200.
    assert model.loss_history_.max() < 0.5
    assert cost(model, X, y) < 0.05
    assert model.score(X, y) > 0.97


def test_so_does_the_squared_error_where_optimal_is_asked_for() -> None:
    X, y = numeric()
    model = SGDRegressor(learning_rate="optimal", random_state=0).fit(X, y)
    assert model.loss_history_.max() < 1.0
    assert model.score(X, y) > 0.2


def test_the_logistic_loss_keeps_scikit_learns_rate() -> None:
    X, y = binary()
    ours = quietly(SGDClassifier(max_iter=1, tol=None, shuffle=False), X, y)
    theirs = quietly(TheirClassifier("log_loss", max_iter=1, tol=None, shuffle=False), X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-9)


def test_long_rows_bound_the_rate_of_small_batches() -> None:
    X = np.ones((100, 1))
    X[0] = 100.0  # one long row: the means of x² and x⁴ are 101 and 1e6
    options = {"loss": SQUARED_HINGE, "backend": get_backend("numpy"), "fit_intercept": False}
    plain = mini_batch_rate(X, None, **options)
    squares, fourth = np.mean(X**2), np.mean(X**4)
    assert plain == pytest.approx(1.0 / squares)
    one = mini_batch_rate(X, None, batch_size=1, **options)
    assert one == pytest.approx(0.5 * squares / fourth)
    assert mini_batch_rate(X, None, batch_size=10, **options) == pytest.approx(10.0 * one)
    assert mini_batch_rate(X, None, batch_size=10_000, **options) == plain
    sparse = scipy.sparse.csr_matrix(X)
    assert mini_batch_rate(sparse, None, batch_size=1, **options) == pytest.approx(one)
    weighted = mini_batch_rate(X, np.full(100, 3.0), batch_size=1, **options)
    assert weighted == pytest.approx(one)
    assert mini_batch_rate(0.0 * X, None, batch_size=1, **options) == 1.0


def test_named_schedules_are_as_long_as_the_fit() -> None:
    options: dict[str, Any] = {"learning_rate": 0.5, "source": "a test"}
    assert schedule_over("cosine", 60, **options) == Cosine(0.5, period=60, restarts=False)
    assert schedule_over("one_cycle", 60, **options) == OneCycle(0.5, total_steps=60)
    assert schedule_over("one_cycle", 1, **options)(0) > 0.0
    with pytest.raises(TypeError, match="Its options are: learning_rate, every"):
        schedule_over("step_halving", 60, **options)


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_estimator_takes_them_by_name(name: str, optimizer: str) -> None:
    # 100 rows less 20 held out, in batches of 16 over 3 epochs, are 15 steps.
    lengths = {"cosine": {"period": 15, "restarts": False}, "one_cycle": {"total_steps": 15}}
    made = {"cosine": Cosine, "one_cycle": OneCycle}[name](0.02, **lengths[name])
    X, y = (part[:100] for part in binary())
    common = {
        "optimizer": optimizer, "max_iter": 3, "tol": None, "batch_size": 16, "eta0": 0.02,
        "random_state": 0, "early_stopping": True, "validation_fraction": 0.2,
    }  # fmt: skip
    for kind, target in ((SGDClassifier, y), (SGDRegressor, 1.0 * y)):
        by_name = quietly(kind(schedule=name, **common), X, target)
        np.testing.assert_array_equal(
            by_name.coef_, quietly(kind(schedule=made, **common), X, target).coef_
        )
    first = SGDRegressor(schedule=name, **common).partial_fit(X, 1.0 * y)
    assert np.isfinite(first.coef_).all()


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
def test_logistic_regression_takes_one_cycle_by_name(solver: str) -> None:
    X, y = binary()
    n_steps = 20 * (1 if solver == "gd" else -(-len(y) // 32))
    models = [
        quietly(
            LogisticRegression(
                solver=solver, max_iter=20, random_state=0, tol=0.0, solver_options=options
            ),
            X, y,
        )
        for options in (
            {"schedule": "one_cycle", "learning_rate": 0.05},
            {"schedule": OneCycle(0.05, total_steps=n_steps)},
        )
    ]  # fmt: skip
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
