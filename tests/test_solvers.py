"""Solvers: the optimum on every backend, line search, stop reasons, singular problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

from xpfit.backends import Backend, get_backend
from xpfit.core.columns import column_moments
from xpfit.core.fit import choose_solver, fit_linear_model
from xpfit.core.fit_huber import fit_huber
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    huber,
)

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


def test_exact_is_for_the_squared_error() -> None:
    with pytest.raises(ValueError, match="only the squared error has an exact solution"):
        choose_solver("exact", HALF_BINOMIAL, 10, 2)
    with pytest.raises(ValueError, match="solver 'sgd' is not known"):
        choose_solver("sgd", HALF_BINOMIAL, 10, 2)


@pytest.mark.whole_fit
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


def test_columns_in_different_units_keep_their_rank() -> None:
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=400), rng.normal(size=400)
    y = (a + 2.0 * c + rng.logistic(size=400) > 0).astype(float)
    X = np.stack([1e5 * a, 1e5 * a, 1e-4 * c], axis=1)
    for solver in ("lbfgs", "newton"):
        fit = fit_linear_model(X, y, loss=HALF_BINOMIAL, backend=NUMPY, solver=solver, tol=1e-9)
        plain = fit_linear_model(
            np.stack([a, c], axis=1), y, loss=HALF_BINOMIAL, backend=NUMPY, tol=1e-9
        )
        # What the two equal columns have apart is rounding of the third, 9 digits larger.
        assert 1e5 * fit.W[:2, 0].sum() == pytest.approx(plain.W[0, 0], rel=1e-4)
        assert 1e-4 * fit.W[2, 0] == pytest.approx(plain.W[1, 0], rel=1e-4)


def test_overflow_is_an_error_and_no_solution() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2)) * 1e160
    with pytest.raises(ValueError, match="overflowed"):
        fit_linear_model(X, np.ones(30), loss=HALF_SQUARED_ERROR, backend=NUMPY)


def test_a_large_mean_is_not_a_constant_column(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    X = np.stack([1.7e9 + 30.0 * rng.normal(size=300), np.full(300, 0.1)], axis=1)
    mean, variance = column_moments(backend.from_numpy(X), None, backend=backend)
    assert np.asarray(backend.to_numpy(variance))[0] == pytest.approx(X[:, 0].var(), rel=1e-6)
    assert float(variance[1]) == 0.0
    assert float(mean[0]) == pytest.approx(X[:, 0].mean())


def test_rows_without_weight_are_no_sample() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50_000, 3)), rng.integers(0, 2, 50_000).astype(float)
    weight = np.zeros(50_000)
    weight[::1250] = 1.0
    for loss, n_outputs in ((HALF_BINOMIAL, 1), (HALF_MULTINOMIAL, 2)):
        target = y.astype(np.int64) if n_outputs == 2 else y
        settings: dict[str, Any] = {"loss": loss, "n_outputs": n_outputs, "tol": 1e-9}
        fit = fit_linear_model(
            X, target, backend=NUMPY, sample_weight=weight, l2_reg_strength=0.1, solver="lbfgs",
            **settings,
        )  # fmt: skip
        few = fit_linear_model(
            X[::1250], target[::1250], backend=NUMPY, l2_reg_strength=0.1, **settings
        )
        np.testing.assert_allclose(fit.W, few.W, rtol=1e-6, atol=1e-9)


def test_wide_sparse_least_squares_needs_no_square_matrix() -> None:
    assert choose_solver("auto", HALF_SQUARED_ERROR, 200, 40_000, sparse=True) == "lbfgs"
    assert choose_solver("auto", HALF_SQUARED_ERROR, 200, 40_000) == "exact"


def test_labels_out_of_range_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"lie in 0 \.\.\. 3; with n_outputs=3"):
        fit_linear_model(
            np.ones((4, 1)), np.arange(4), loss=HALF_MULTINOMIAL, n_outputs=3, backend=NUMPY
        )


def test_huber_weighs_the_penalty_against_an_exact_fit() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    y = X @ np.asarray([1.0, 2.0])
    free = fit_huber(X, y, backend=NUMPY, alpha=1e-4)
    np.testing.assert_allclose(free.W[:, 0], [1.0, 2.0], rtol=1e-9)
    shrunk = fit_huber(X, y, backend=NUMPY, alpha=1000.0)
    assert np.abs(shrunk.W[:, 0]).max() < 0.1


def test_passes_of_an_exact_fit_are_counted() -> None:
    X, y = table()
    for standardize, extra in ((False, 0), (True, 1)):
        fit = fit_linear_model(
            X, y, loss=HALF_SQUARED_ERROR, backend=NUMPY, standardize=standardize
        )
        evaluations = len(fit.result.history) + 0
        assert fit.result.n_passes in (evaluations + extra, evaluations + extra + 1)
