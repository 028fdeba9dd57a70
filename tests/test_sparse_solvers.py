"""Proximal Newton and FISTA: conditions of optimality, certificates, and data that are not nice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from helpers import USERS_OWN

from xpfit.backends import Backend, get_backend
from xpfit.core.fit_sparse import fit_sparse_model
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    Loss,
    huber,
)
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers import proximal_newton
from xpfit.core.solvers.result import LINE_SEARCH_FAILED

LOSSES: list[Loss] = [
    HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON, huber(0.8), SQUARED_HINGE, USERS_OWN,
]  # fmt: skip
WITH_DUAL = {HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON}
TOL = 1e-8


def problem(loss: Loss, n: int = 90, d: int = 7) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(11)
    X = rng.normal(size=(n, d)) * np.logspace(-1, 1, d) + 0.5
    W = np.where(np.arange(d) % 3 == 0, 0.8, 0.0) / np.logspace(-1, 1, d)
    raw = (X - 0.5) @ W + 0.3
    weight = rng.integers(0, 4, n).astype(float)
    if loss.is_multiclass:
        y = np.argmax(np.stack([raw, -raw, 0.0 * raw], 1) + rng.gumbel(size=(n, 3)), axis=1)
        return X, y, weight
    if loss in {HALF_BINOMIAL, SQUARED_HINGE}:
        return X, (raw + rng.logistic(size=n) > 0) * 1.0, weight
    if loss is HALF_POISSON:
        return X, rng.poisson(np.exp(raw)) * 1.0, weight
    return X, raw + rng.normal(size=n), weight


def optimality(fit: Any, X: Any, y: Any, weight: Any, loss: Loss, l1: float, l2: float) -> float:
    """Largest violation, from plain formulas on the whole of X."""
    raw = X @ fit.W + fit.b
    if loss.is_multiclass:
        slopes = loss.gradient(np, y, raw)
    else:
        slopes = loss.gradient(np, y, raw[:, 0], *loss.parameters)[:, None]
    slopes = slopes * weight[:, None] / weight.sum()
    inner = ElasticNet(l1, l2).violation(np, fit.W, X.T @ slopes)
    return max(inner, np.abs(slopes.sum(axis=0)).max())


@pytest.mark.whole_fit
@pytest.mark.parametrize("loss", [*LOSSES, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_conditions_of_optimality(backend: Backend, loss: Loss) -> None:
    l2 = 0.02 if loss in {HALF_BINOMIAL, USERS_OWN} else 0.0
    X, y, weight = problem(loss)
    fit = fit_sparse_model(
        backend.from_numpy(X), backend.from_numpy(y), loss=loss, backend=backend,
        sample_weight=backend.from_numpy(weight), l1_reg_strength=0.06, l2_reg_strength=l2,
        n_outputs=3 if loss.is_multiclass else 1, tol=TOL, max_iter=3000,
    )  # fmt: skip
    assert fit.result.converged, fit.result.message
    assert optimality(fit, X, y, weight, loss, 0.06, l2) <= 2.0 * TOL
    assert 0 < np.count_nonzero(fit.W) < fit.W.size
    gap = fit.result.duality_gap
    if loss in WITH_DUAL:
        assert gap is not None
        assert -1e-14 < gap < 1e-6
    else:
        assert gap is None


@pytest.mark.parametrize("loss", [*LOSSES, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_both_solvers_agree(loss: Loss) -> None:
    X, y, weight = problem(loss)
    fits = [
        fit_sparse_model(
            X, y, loss=loss, backend=get_backend("numpy"), sample_weight=weight, tol=1e-10,
            l1_reg_strength=0.06, l2_reg_strength=0.01, max_iter=20_000, solver=solver,
            n_outputs=3 if loss.is_multiclass else 1,
        )
        for solver in ("proximal-newton", "fista")
    ]  # fmt: skip
    np.testing.assert_allclose(fits[0].W, fits[1].W, rtol=0, atol=1e-7)
    assert ((fits[0].W == 0) == (fits[1].W == 0)).all()
    assert fits[0].result.solver != fits[1].result.solver or loss.is_multiclass


@pytest.mark.parametrize("loss", sorted(WITH_DUAL, key=lambda loss: loss.name))
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_gap_bounds_what_is_left_to_gain(loss: Loss, fit_intercept: bool) -> None:
    X, y, weight = problem(loss)
    options: dict[str, Any] = {
        "loss": loss, "backend": get_backend("numpy"), "sample_weight": weight, "tol": 1e-12,
        "l1_reg_strength": 0.05, "fit_intercept": fit_intercept,
    }  # fmt: skip
    for l2 in (0.0, 1e-9, 0.1):
        best = fit_sparse_model(X, y, l2_reg_strength=l2, **options).result
        for n in range(5):
            early = fit_sparse_model(X, y, l2_reg_strength=l2, **{**options, "max_iter": n}).result
            assert early.duality_gap >= early.loss - best.loss - 1e-13
        assert abs(best.duality_gap) < 1e-9
        stopped = fit_sparse_model(X, y, l2_reg_strength=l2, gap_tol=1e-3, **options).result
        assert stopped.converged
        assert stopped.duality_gap <= 1e-3 * abs(stopped.loss)
        assert stopped.n_iter <= best.n_iter


@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
@pytest.mark.parametrize("form", ["dense", "fortran", "csr"])
@pytest.mark.parametrize("standardize", [False, True], ids=["plain", "standardize"])
def test_more_columns_than_a_working_set(loss: Loss, form: str, standardize: bool) -> None:
    rng = np.random.default_rng(2)
    X = np.where(rng.random((150, 700)) < 0.3, rng.normal(size=(150, 700)), 0.0)
    raw = X[:, :5] @ np.asarray([2.0, -2.0, 1.0, -1.0, 1.5])
    y = raw + 0.1 * rng.normal(size=150) if loss is HALF_SQUARED_ERROR else (raw > 0.2) * 1.0
    weight = rng.uniform(0.5, 2.0, 150)
    given = {"dense": X, "fortran": np.asfortranarray(X), "csr": sp.csr_array(X)}[form]
    for name in ("numpy", "numba"):
        fit = fit_sparse_model(
            given, y, loss=loss, backend=get_backend(name), sample_weight=weight, tol=TOL,
            l1_reg_strength=0.02, standardize=standardize,
        )  # fmt: skip
        assert fit.result.converged
        assert fit.result.solver == proximal_newton.NAME
        mean, scale = np.zeros(700), np.ones(700)
        if standardize:
            mean = np.average(X, axis=0, weights=weight)
            scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
        b = fit.b + mean @ fit.W
        scaled = type(fit)(fit.W * scale[:, None], b, fit.result)
        Z = (X - mean) / scale
        assert optimality(scaled, Z, y, weight, loss, 0.02, 0.0) <= 2.0 * TOL
        assert 5 <= np.count_nonzero(fit.W) < 150
        assert -1e-14 < fit.result.duality_gap < 1e-6


@pytest.mark.whole_fit
def test_wide_data_on_every_backend(backend: Backend) -> None:
    X, y, weight = problem(HALF_SQUARED_ERROR, n=40, d=600)
    options: dict[str, Any] = {"loss": HALF_SQUARED_ERROR, "l1_reg_strength": 0.3, "tol": TOL}
    fit = fit_sparse_model(
        backend.from_numpy(X), backend.from_numpy(y), backend=backend,
        sample_weight=backend.from_numpy(weight), **options,
    )  # fmt: skip
    assert fit.result.converged
    assert optimality(fit, X, y, weight, HALF_SQUARED_ERROR, 0.3, 0.0) <= 2.0 * TOL


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("solver", ["proximal-newton", "fista"])
def test_a_strong_penalty_returns_exact_zeros_at_once(loss: Loss, solver: str) -> None:
    X, y, _ = problem(loss)
    zero = fit_sparse_model(
        X, y, loss=loss, backend=get_backend("numpy"), l1_reg_strength=1e3, tol=TOL, solver=solver,
        max_iter=2000,
    )  # fmt: skip
    assert zero.result.converged
    assert (zero.W == 0.0).all()
    if loss in WITH_DUAL:
        assert zero.result.n_iter == 0
        assert abs(zero.result.duality_gap) < 1e-12


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_columns_that_are_collinear_constant_or_zero(loss: Loss, name: str) -> None:
    X, y, weight = problem(loss)
    X = np.concatenate([X, X[:, :4], X[:, :1] + X[:, 1:2], np.full((90, 1), 3.0)], axis=1)
    X = np.concatenate([X, np.zeros((90, 1))], axis=1)
    for fit_intercept in (True, False):
        fit = fit_sparse_model(
            X, y, loss=loss, backend=get_backend(name), sample_weight=weight, tol=TOL,
            l1_reg_strength=0.01, fit_intercept=fit_intercept, max_iter=500,
        )  # fmt: skip
        assert fit.result.converged
        assert fit.W[-1, 0] == 0.0
        assert not fit_intercept or fit.W[-2, 0] == 0.0
        assert -1e-14 < fit.result.duality_gap < 1e-6


@pytest.mark.parametrize("solver", ["proximal-newton", "fista"])
def test_separable_classes(solver: str) -> None:
    X = np.asarray([[-1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    fit = fit_sparse_model(
        X, np.asarray([0.0, 0.0, 1.0, 1.0]), loss=HALF_BINOMIAL, backend=get_backend("numpy"),
        l1_reg_strength=1e-4, tol=1e-9, solver=solver, max_iter=20_000,
    )  # fmt: skip
    assert fit.result.converged
    assert fit.W[0, 0] > 9.0
    assert fit.W[1, 0] == 0.0


def test_a_callback_ends_the_fit_and_errors_name_what_is_wrong() -> None:
    X, y, _ = problem(HALF_BINOMIAL)
    options: dict[str, Any] = {
        "loss": HALF_BINOMIAL, "backend": get_backend("numpy"), "l1_reg_strength": 0.01,
    }  # fmt: skip
    for solver in ("proximal-newton", "fista"):
        seen: list[Any] = []
        fit = fit_sparse_model(
            X, y, solver=solver, **options, callbacks=[lambda r, seen=seen: seen.append(r) or True]
        )
        assert fit.result.stop_reason == "stopped by callback"
        assert len(seen) == 1
    with pytest.raises(ValueError, match="solver 'lars' is not known here"):
        fit_sparse_model(X, y, solver="lars", **options)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"NaN \(in column 2\)"):
        fit_sparse_model(X, y, **options)


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("alpha", [1e-3, 1e-4])
@pytest.mark.parametrize("shape", [(60, 300), (40, 100)])
def test_more_columns_than_rows(name: str, alpha: float, shape: tuple[int, int]) -> None:
    """A small penalty leaves directions without curvature among the coefficients on the way."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = X[:, :5].sum(1) + 0.1 * rng.normal(size=shape[0])
    theirs = sklearn.linear_model.Lasso(alpha=alpha, tol=1e-8, max_iter=1_000_000).fit(X, y)
    expected = 0.5 * np.mean((y - theirs.predict(X)) ** 2) + alpha * np.abs(theirs.coef_).sum()
    fit = fit_sparse_model(
        X, y, loss=HALF_SQUARED_ERROR, backend=get_backend(name), l1_reg_strength=alpha,
        l2_reg_strength=0.0, tol=TOL, max_iter=1000,
    )  # fmt: skip
    assert fit.result.converged, fit.result.message
    assert fit.result.loss <= expected * (1.0 + 1e-6)


@pytest.mark.parametrize("shape", [(60, 100), (200, 20)])
def test_another_method_goes_on_where_steps_fail(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = X[:, :5].sum(1) + 0.1 * rng.normal(size=shape[0])

    def fit() -> Any:
        return fit_sparse_model(
            X, y, loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"), l1_reg_strength=0.1,
            l2_reg_strength=0.0, tol=TOL, max_iter=1000,
        ).result  # fmt: skip

    def failing(run: Any, theta: Any) -> Any:
        return run.cost.evaluate(theta), LINE_SEARCH_FAILED

    whole = fit()
    monkeypatch.setattr(proximal_newton, "newton_steps", failing)
    mended = fit()
    assert mended.converged, mended.message
    assert mended.loss == pytest.approx(whole.loss, rel=1e-10)
