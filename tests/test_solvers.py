"""Solvers: the optimum on every backend, line search, stop reasons, singular problems."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from xpfit.backends import Backend, get_backend
from xpfit.core.fit import choose_solver, fit_linear_model
from xpfit.core.fit_huber import fit_huber
from xpfit.core.linalg import bordered_solver, positive_solver
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    huber,
)
from xpfit.core.solvers.line_search import wolfe_search

NUMPY = get_backend("numpy")
LOSSES = [HALF_BINOMIAL, HALF_POISSON, SQUARED_HINGE, HALF_SQUARED_ERROR, huber(0.7)]


def table(n: int = 120, d: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * np.arange(1, d + 1)
    return X, (X @ rng.normal(size=d) + rng.logistic(size=n) > 0).astype(float)


def scipy_optimum(X: Any, y: Any, loss: Any, l2: float) -> np.ndarray:
    """The minimum by SciPy, from the loss's own value alone."""

    def cost(theta: np.ndarray) -> float:
        raw = X @ theta[:-1] + theta[-1]
        values = loss.value(np, y, raw, *loss.parameters)
        return float(values.mean() + 0.5 * l2 * theta[:-1] @ theta[:-1])

    found = scipy.optimize.minimize(
        cost, np.zeros(X.shape[1] + 1), method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}
    )
    return np.asarray(found.x)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
def test_the_optimum_is_that_of_scipy(solver: str, loss: Any) -> None:
    X, y = table()
    fit = fit_linear_model(
        X, y, loss=loss, backend=NUMPY, l2_reg_strength=0.05, solver=solver, tol=1e-10, max_iter=500
    )
    assert fit.result.converged, fit.result
    expected = scipy_optimum(X, y, loss, 0.05)
    np.testing.assert_allclose([*fit.W[:, 0], fit.b[0]], expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_backends_agree(backend: Backend, loss: Any, solver: str) -> None:
    X, y = table(d=3)
    labels = (y + (X[:, 0] > 0)).astype(np.int64)
    target = labels if loss.is_multiclass else y
    n_outputs = 3 if loss.is_multiclass else 1
    settings: dict[str, Any] = {
        "loss": loss, "n_outputs": n_outputs, "l2_reg_strength": 0.01, "tol": 1e-9,
        "solver": solver,
    }  # fmt: skip
    expected = fit_linear_model(X, target, backend=NUMPY, **settings)
    fit = fit_linear_model(
        backend.from_numpy(X), backend.from_numpy(target), backend=backend, **settings
    )
    assert expected.result.converged
    assert fit.result.converged
    scores = X @ fit.W + fit.b
    np.testing.assert_allclose(scores, X @ expected.W + expected.b, rtol=1e-8, atol=1e-8)


def test_newton_and_lbfgs_find_the_same_softmax() -> None:
    X, y = table(n=400, d=5)
    labels = (y + (X[:, 1] > 1)).astype(np.int64)
    found = [
        fit_linear_model(
            X, labels, loss=HALF_MULTINOMIAL, n_outputs=3, backend=NUMPY, l2_reg_strength=1e-3,
            solver=solver, tol=1e-10, max_iter=500,
        ).W
        for solver in ("newton", "lbfgs")
    ]  # fmt: skip
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-7)
    assert np.ptp(found[0]) > 0.1


@pytest.mark.parametrize("solver", ["lbfgs", "newton", "exact"])
def test_collinear_columns_give_the_least_norm(solver: str) -> None:
    X, y = table(d=3)
    doubled = np.hstack([X, X[:, :1]])
    loss = HALF_SQUARED_ERROR if solver == "exact" else HALF_BINOMIAL
    fit = fit_linear_model(doubled, y, loss=loss, backend=NUMPY, solver=solver, tol=1e-9)
    assert fit.result.converged
    assert fit.W[0, 0] == pytest.approx(fit.W[3, 0], rel=1e-5)
    single = fit_linear_model(X, y, loss=loss, backend=NUMPY, solver=solver, tol=1e-9)
    assert 2 * fit.W[0, 0] == pytest.approx(single.W[0, 0], rel=1e-5)


def test_more_columns_than_rows_give_the_least_norm() -> None:
    X, y = np.random.default_rng(0).normal(size=(5, 9)), np.arange(5.0)
    fit = fit_linear_model(X, y, loss=HALF_SQUARED_ERROR, backend=NUMPY)
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(fit.W[:, 0], np.linalg.pinv(centred) @ (y - y.mean()), rtol=1e-9)


def test_separable_classes_without_a_penalty_end() -> None:
    X = np.asarray([[-2.0], [-1.0], [1.0], [2.0]])
    y = np.asarray([0.0, 0.0, 1.0, 1.0])
    for solver in ("lbfgs", "newton"):
        fit = fit_linear_model(X, y, loss=HALF_BINOMIAL, backend=NUMPY, solver=solver)
        assert fit.result.converged, fit.result.stop_reason
        assert ((X @ fit.W + fit.b)[:, 0] > 0).tolist() == [False, False, True, True]
        assert np.isfinite(fit.W).all()


@pytest.mark.parametrize("condition", [1e2, 1e6])
def test_passes_hardly_depend_on_the_condition(condition: float) -> None:
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    X = rng.normal(size=(20_000, 20)) @ (Q * np.geomspace(1, 1 / condition, 20)) @ Q.T
    y = (X @ rng.normal(size=20) * 3 + rng.logistic(size=20_000) > 0).astype(float)
    fit = fit_linear_model(
        X, y, loss=HALF_BINOMIAL, backend=NUMPY, l2_reg_strength=1e-9, solver="lbfgs", tol=1e-8
    )
    assert fit.result.converged
    assert fit.result.n_passes <= 25


def test_running_out_of_iterations_says_what_to_do() -> None:
    X, y = table()
    fit = fit_linear_model(X, y, loss=HALF_BINOMIAL, backend=NUMPY, solver="lbfgs", max_iter=1)
    assert not fit.result.converged
    assert fit.result.stop_reason == "max_iter reached"
    assert "Raise max_iter" in fit.result.message
    assert fit.result.n_iter == 1


def test_a_callback_sees_every_iteration_and_may_stop() -> None:
    X, y = table()
    seen: list[Any] = []

    def stop_at_two(record: Any) -> bool:
        seen.append(record)
        return record.iteration == 2

    fit = fit_linear_model(
        X, y, loss=HALF_BINOMIAL, backend=NUMPY, solver="newton", callbacks=[stop_at_two]
    )
    assert [record.iteration for record in seen] == [0, 1, 2]
    assert fit.result.stop_reason == "stopped by callback"
    losses = [record.loss for record in fit.result.history]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 3


def test_a_tolerance_out_of_reach_ends_at_precision() -> None:
    X, y = table()
    for solver in ("lbfgs", "newton"):
        fit = fit_linear_model(
            X, y, loss=HALF_BINOMIAL, backend=NUMPY, solver=solver, tol=0.0, max_iter=500
        )
        assert fit.result.converged
        assert fit.result.gradient_norm < 1e-7


def test_line_search_brackets_a_step_that_is_too_long() -> None:
    def evaluate(step: float) -> tuple[float, float, None]:
        return (step - 0.01) ** 2, 2 * (step - 0.01), None

    search = wolfe_search(evaluate, 1e-4, -0.02, 1.0, 0.0)
    assert search.accepted is not None
    assert search.accepted.step == pytest.approx(0.01, abs=0.009)
    assert search.accepted.value < 1e-4


def test_line_search_backs_off_where_the_cost_is_not_finite() -> None:
    def evaluate(step: float) -> tuple[float, float, None]:
        if step > 1e-3:
            return math.inf, math.nan, None
        return -step + 400.0 * step**2, -1.0 + 800.0 * step, None

    search = wolfe_search(evaluate, 0.0, -1.0, 1.0, 0.0)
    assert search.accepted is not None
    assert search.accepted.value < 0.0


def test_line_search_says_when_there_is_no_step() -> None:
    def lying(step: float) -> tuple[float, float, None]:
        return 1.0 + step, 1.0, None  # the slope at 0 was said to be negative

    assert wolfe_search(lying, 1.0, -1.0, 1.0, 0.0).accepted is None


def test_exact_is_for_the_squared_error() -> None:
    with pytest.raises(ValueError, match="only the squared error has an exact solution"):
        choose_solver("exact", HALF_BINOMIAL, 10, 2)
    with pytest.raises(ValueError, match="solver 'sgd' is not known"):
        choose_solver("sgd", HALF_BINOMIAL, 10, 2)


def test_positive_solver_on_every_backend(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 4)) * [1.0, 1e4, 1e-3, 1.0]
    singular = np.hstack([A, A[:, :1]])
    for factor in (A, singular):
        matrix = factor.T @ factor
        solve = positive_solver(backend, backend.from_numpy(matrix))
        r = matrix @ rng.normal(size=matrix.shape[0])
        x = np.asarray(backend.to_numpy(solve(backend.from_numpy(r))))
        np.testing.assert_allclose(matrix @ x, r, rtol=1e-6, atol=1e-6 * np.abs(r).max())
    assert x[0] == pytest.approx(x[4], rel=1e-4)  # least norm shares out the doubled column


def test_bordered_solver_leaves_the_intercept_free() -> None:
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.normal(size=(8, 2)) + 5.0, np.ones((8, 1))])
    matrix = rows.T @ rows
    r = rng.normal(size=(3, 2))
    solve = bordered_solver(NUMPY, matrix, True)
    np.testing.assert_allclose(matrix @ solve(r), r, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(solve(r[:, 0]), solve(r)[:, 0], rtol=1e-12)


def test_huber_finds_its_scale(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    y = X @ np.asarray([1.0, -2.0, 0.5]) + rng.standard_t(2, size=150)
    weight = rng.random(150)

    def cost(theta: np.ndarray) -> float:
        sigma = theta[4]
        size = np.abs(y - X @ theta[:3] - theta[3]) / sigma
        H = np.where(size <= 1.35, size**2, 2 * 1.35 * size - 1.35**2)
        return float(weight @ (sigma + H * sigma) + 1e-4 * theta[:3] @ theta[:3])

    fit = fit_huber(
        backend.from_numpy(X), backend.from_numpy(y), backend=backend,
        sample_weight=backend.from_numpy(weight), tol=1e-10,
    )  # fmt: skip
    assert fit.result.converged
    assert fit.scale is not None
    theta = np.asarray([*fit.W[:, 0], fit.b[0], fit.scale])
    for j in range(5):
        step = 1e-5 * np.eye(5)[j]
        slope = (cost(theta + step) - cost(theta - step)) / 2e-5
        assert abs(slope) < 1e-5 * weight.sum(), j


def test_huber_with_an_exact_fit_ends() -> None:
    X = np.random.default_rng(0).normal(size=(6, 9))
    fit = fit_huber(X, X[:, 0] * 2.0, backend=NUMPY)
    assert fit.result.converged
    np.testing.assert_allclose(X @ fit.W[:, 0] + fit.b[0], X[:, 0] * 2.0, atol=1e-8)
