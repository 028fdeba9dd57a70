"""The kernel for sparse columns, against the Gram matrix and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model

from xpfit.backends import get_backend
from xpfit.core.fit_sparse import fit_sparse_model
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    Loss,
)
from xpfit.core.objective import LinearObjective
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers import column_newton

NUMBA = get_backend("numba")
LOSSES = [HALF_BINOMIAL, HALF_SQUARED_ERROR, HALF_POISSON, SQUARED_HINGE]


def words(loss: Loss = HALF_BINOMIAL, n: int = 300, d: int = 400) -> tuple[Any, Any, Any]:
    """Counts of rare words, some columns zero, some twice there, and targets."""
    rng = np.random.default_rng(4)
    X = rng.poisson(rng.uniform(0.0, 0.3, d), (n, d)).astype(float)
    X[:, 20:40] = X[:, 40:60]
    X[:, 5] = 0.0
    raw = X[:, 40:46] @ np.asarray([2.0, -2.0, 1.5, -1.0, 1.0, 0.5]) - 0.3
    weight = rng.integers(0, 3, n).astype(float)
    if loss is HALF_POISSON:
        return sp.csr_array(X), rng.poisson(np.exp(0.5 * raw)) * 1.0, weight
    if loss is HALF_SQUARED_ERROR:
        return sp.csr_array(X), raw + rng.normal(size=n), weight
    return sp.csr_array(X), (raw + rng.logistic(size=n) > 0.0) * 1.0, weight


def violation(fit: Any, X: Any, y: Any, weight: Any, loss: Loss, l1: float, l2: float) -> float:
    raw = X @ fit.W[:, 0] + fit.b[0]
    slopes = loss.gradient(np, y, raw, *loss.parameters) * weight / weight.sum()
    return max(ElasticNet(l1, l2).violation(np, fit.W[:, 0], X.T @ slopes), abs(slopes.sum()))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_the_kernel_finds_what_the_gram_matrix_finds(loss: Loss, l2: float, weighted: bool) -> None:
    X, y, weight = words(loss)
    options: dict[str, Any] = {
        "loss": loss, "backend": NUMBA, "l1_reg_strength": 0.01, "l2_reg_strength": l2,
        "sample_weight": weight if weighted else None, "tol": 1e-10, "max_iter": 200,
    }  # fmt: skip
    fit = fit_sparse_model(X, y, **options)
    generic = fit_sparse_model(X, y, **options, fused=False)
    assert fit.result.converged
    given = weight if weighted else np.ones_like(y)
    assert violation(fit, X, y, given, loss, 0.01, l2) <= 2e-10
    assert fit.W[5, 0] == 0.0
    assert fit.result.loss == pytest.approx(generic.result.loss, abs=1e-13)
    if l2 > 0.0 and loss is not SQUARED_HINGE:
        np.testing.assert_allclose(fit.W, generic.W, rtol=0, atol=1e-7)
        assert ((fit.W == 0.0) == (generic.W == 0.0)).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_standardizing_is_algebra_there_too(fit_intercept: bool, standardize: bool) -> None:
    X, y, weight = words()
    options: dict[str, Any] = {
        "loss": HALF_BINOMIAL, "backend": NUMBA, "l1_reg_strength": 0.02, "tol": 1e-11,
        "sample_weight": weight, "fit_intercept": fit_intercept, "standardize": standardize,
    }  # fmt: skip
    sparse, dense = (fit_sparse_model(given, y, **options) for given in (X, X.toarray()))
    assert sparse.result.converged
    assert sparse.result.loss == pytest.approx(dense.result.loss, abs=1e-13)
    np.testing.assert_allclose(
        X @ sparse.W[:, 0] + sparse.b, X @ dense.W[:, 0] + dense.b, rtol=0, atol=1e-7
    )


@pytest.fixture(scope="module", params=[0.05, 0.5])
def liblinears(request: Any) -> tuple[float, Any]:
    X, y, _ = words()
    model = sklearn.linear_model.LogisticRegression(
        C=request.param, l1_ratio=1.0, solver="liblinear", fit_intercept=False, tol=1e-7,
        max_iter=10_000, random_state=0,
    )  # fmt: skip
    return request.param, model.fit(sp.csr_matrix(X), y).coef_[0]


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_scikit_learns_optimum(liblinears: tuple[float, Any], dtype: str) -> None:
    X, y, _ = words()
    C, theirs = liblinears
    fit = fit_sparse_model(
        X.astype(dtype), y, loss=HALF_BINOMIAL, backend=NUMBA, fit_intercept=False, tol=1e-9,
        l1_reg_strength=1.0 / (C * len(y)),
    )  # fmt: skip
    raw = X @ theirs
    value = np.mean(np.logaddexp(0.0, raw) - y * raw) + np.abs(theirs).sum() / (C * len(y))
    assert fit.result.converged
    assert fit.result.loss <= value + 1e-12
    assert fit.result.loss == pytest.approx(value, abs=1e-8)
    np.testing.assert_allclose(X @ fit.W[:, 0], raw, rtol=0, atol=1e-3)


def test_a_start_at_the_minimum_takes_no_step() -> None:
    X, y, weight = words()
    options: dict[str, Any] = {
        "loss": HALF_BINOMIAL, "backend": NUMBA, "l1_reg_strength": 0.01, "tol": 1e-8,
        "sample_weight": weight, "standardize": True,
    }  # fmt: skip
    first = fit_sparse_model(X, y, **options)
    again = fit_sparse_model(X, y, **options, W_start=first.W, b_start=first.b)
    assert again.result.n_iter == 0
    np.testing.assert_allclose(again.W, first.W, rtol=1e-13, atol=0)
    near = fit_sparse_model(
        X, y, **{**options, "l1_reg_strength": 0.0095}, W_start=first.W, b_start=first.b
    )
    cold = fit_sparse_model(X, y, **{**options, "l1_reg_strength": 0.0095})
    assert near.result.n_passes <= cold.result.n_passes
    assert near.result.loss == pytest.approx(cold.result.loss, abs=1e-10)


def test_separable_classes_and_one_class() -> None:
    X = sp.csr_array(np.concatenate([np.eye(200), np.eye(200)], axis=0))
    y = np.tile(np.arange(200) % 2, 2).astype(float)
    options: dict[str, Any] = {"loss": HALF_BINOMIAL, "backend": NUMBA, "tol": 1e-10}
    fit = fit_sparse_model(X, y, l1_reg_strength=1e-6, **options)
    assert fit.result.converged
    assert (np.sign(fit.W[:, 0]) == 2 * y[:200] - 1).all()
    zero = fit_sparse_model(X, np.ones(400), l1_reg_strength=1e-3, fit_intercept=False, **options)
    assert zero.result.converged
    assert (zero.W > 0.0).all()


def test_the_kernel_says_when_it_did_not_arrive() -> None:
    X, y, weight = words()
    objective = LinearObjective(X, y, weight, HALF_BINOMIAL, NUMBA)
    columns, start = np.arange(40, 60), np.zeros(21)
    kernel = NUMBA.kernels[column_newton.KERNEL]
    assert kernel.accepts(objective, columns, start, 0.01, 1e-12, 1)
    theta, _, arrived = kernel.call(objective, columns, start, 0.01, 1e-12, 1)
    assert arrived is None
    theta, trusted = column_newton.minimum_among(objective, columns, start, 0.01, 1e-12, 1)
    far, _ = column_newton.minimum_among(objective, columns, start, 0.01, 1e-12, 50)
    assert trusted
    assert np.abs(theta - far).max() < 0.5
    dense = LinearObjective(X.toarray(), y, weight, HALF_BINOMIAL, NUMBA)
    assert not kernel.accepts(dense, columns, start, 0.01, 1e-12, 1)


@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_entries_that_are_stored_in_parts(loss: Any) -> None:
    rng = np.random.default_rng(3)
    whole = sp.random_array((120, 700), density=0.05, format="coo", rng=rng)
    rows, columns = (np.repeat(index, 3) for index in whole.coords)
    index = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[index], np.arange(121))
    parts = sp.csr_matrix(
        (np.repeat(whole.data / 3.0, 3)[index], columns[index], starts), shape=whole.shape
    )
    assert parts.nnz == 3 * whole.nnz
    y = np.asarray(whole.tocsr()[:, :9].sum(axis=1)).ravel()
    y = (y > np.median(y)) * 1.0 if loss is HALF_BINOMIAL else y
    numba = get_backend("numba")
    options: dict[str, Any] = {"loss": loss, "backend": numba, "l1_reg_strength": 1e-3, "tol": 1e-8}
    expected = fit_sparse_model(sp.csr_matrix(whole.tocsr()), y, max_iter=1000, **options)
    found = fit_sparse_model(parts, y, max_iter=1000, **options)
    np.testing.assert_allclose(found.W, expected.W, atol=1e-3)
    assert found.result.converged
