"""Lasso, ElasticNet and L1 logistic regression equal scikit-learn's at a tight tolerance."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.datasets
import sklearn.linear_model
from sklearn.preprocessing import StandardScaler

from xpfit import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge, load

BACKENDS = ("numpy", "numba", "jax")


@functools.cache
def table(name: str) -> tuple[Any, Any, Any]:
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(y))
    return StandardScaler().fit_transform(X.astype(float)), y, weight


def assert_equal(model: Any, reference: Any, tight: float = 1e-6) -> None:
    size = max(1.0, float(np.max(np.abs(reference.coef_))))
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=tight * size)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, rtol=1e-6, atol=tight * size)
    assert model.coef_.shape == reference.coef_.shape
    assert ((model.coef_ == 0) == (np.abs(reference.coef_) <= 1e-3 * tight)).all()


def strongest(X: Any, y: Any, weight: Any) -> float:
    """The least L1 strength that leaves no coefficient."""
    residual = y - np.average(y, weights=weight)
    share = np.full(len(y), 1.0 / len(y)) if weight is None else weight / weight.sum()
    return float(np.abs(X.T @ (share * residual)).max())


@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_lasso_and_elastic_net(backend: str, weighted: bool, form: str) -> None:
    X, y, weight = table("diabetes")
    if form == "csr":
        if backend == "jax":
            pytest.skip("JAX takes no sparse X")
        X = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    given = weight if weighted else None
    tight: dict[str, Any] = {"tol": 1e-14, "max_iter": 100_000}
    for alpha in (0.1, 2.0, 20.0):
        for ours, theirs in (
            (Lasso, sklearn.linear_model.Lasso),
            (ElasticNet, sklearn.linear_model.ElasticNet),
        ):
            model = ours(alpha=alpha, backend=backend, tol=1e-10).fit(X, y, given)
            assert_equal(model, theirs(alpha=alpha, **tight).fit(X, y, given))
            assert -1e-10 < model.dual_gap_ < 1e-7
            # In units of the least strength that leaves no coefficient.
            assert model.gradient_norm_ <= 1e-10 * strongest(X, y, given)
            np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)


@functools.cache
def sagas_answer(weighted: bool, C: float, l1_ratio: float) -> Any:
    # Weak penalties take saga more than 50,000 epochs on these collinear columns.
    X, y, weight = table("breast_cancer")
    return sklearn.linear_model.LogisticRegression(
        solver="saga", tol=1e-9, max_iter=50_000, random_state=0, C=C, l1_ratio=l1_ratio
    ).fit(X, y, weight if weighted else None)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_binary_logistic_regression(backend: str, weighted: bool) -> None:
    X, y, weight = table("breast_cancer")
    given = weight if weighted else None
    for C, l1_ratio in ((0.02, 1.0), (0.1, 1.0), (0.1, 0.4)):
        options: dict[str, Any] = {"C": C, "l1_ratio": l1_ratio}
        reference = sagas_answer(weighted, C, l1_ratio)
        for solver in ("auto", "saga", "liblinear"):
            model = LogisticRegression(backend=backend, solver=solver, tol=1e-10, **options)
            assert_equal(model.fit(X, y, given), reference)
        assert model.solver_ == "proximal-newton"
        assert -1e-14 < model.result_.duality_gap < 1e-8


def test_liblinear_without_an_intercept() -> None:
    X, y, weight = table("breast_cancer")
    options: dict[str, Any] = {"l1_ratio": 1.0, "fit_intercept": False, "solver": "liblinear"}
    reference = sklearn.linear_model.LogisticRegression(
        tol=1e-12, max_iter=100_000, random_state=0, **options
    ).fit(X, y, weight)
    model = LogisticRegression(tol=1e-10, **options).fit(X, y, weight)
    assert_equal(model, reference, 1e-5)


def test_softmax() -> None:
    X, y, _ = table("wine")
    for C, l1_ratio in ((1.0, 1.0), (1.0, 0.3)):
        options: dict[str, Any] = {"C": C, "l1_ratio": l1_ratio}
        reference = sklearn.linear_model.LogisticRegression(
            solver="saga", tol=1e-10, max_iter=100_000, random_state=0, **options
        ).fit(X, y)
        model = LogisticRegression(tol=1e-10, **options).fit(X, y)
        # saga leaves the intercepts where their sum happens to be.
        reference.intercept_ = reference.intercept_ - reference.intercept_.mean()
        assert_equal(model, reference, 1e-5)
        assert (model.coef_ == 0).any()
    images, digits, _ = table("digits")
    model = LogisticRegression(C=0.02, l1_ratio=1.0, tol=1e-6, max_iter=3000).fit(images, digits)
    assert model.solver_ == "fista"
    assert model.gradient_norm_ <= 1e-6


def test_standardize_is_scikit_learn_after_a_scaler() -> None:
    X, y, _ = table("diabetes")
    scale = np.logspace(-3, 3, X.shape[1])
    raw = X * scale + 5.0 * scale
    model = Lasso(alpha=1.5, standardize=True, tol=1e-11).fit(raw, y)
    reference = sklearn.linear_model.Lasso(alpha=1.5, tol=1e-14, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(model.coef_ * scale, reference.coef_, rtol=0, atol=1e-7)


def test_the_ends_of_l1_ratio_and_several_targets() -> None:
    X, y, _ = table("diabetes")
    n = len(y)
    ridge = ElasticNet(alpha=0.3, l1_ratio=0.0).fit(X, y)
    np.testing.assert_allclose(ridge.coef_, Ridge(alpha=0.3 * n).fit(X, y).coef_, rtol=1e-7)
    assert np.isnan(ridge.dual_gap_)
    plain = Lasso(alpha=0.0).fit(X, y).coef_
    np.testing.assert_allclose(plain, LinearRegression().fit(X, y).coef_, rtol=1e-7)
    lasso = ElasticNet(alpha=0.3, l1_ratio=1.0, tol=1e-9).fit(X, y)
    np.testing.assert_array_equal(lasso.coef_, Lasso(alpha=0.3, tol=1e-9).fit(X, y).coef_)
    targets = np.stack([y, 2.0 * y], axis=1)
    several = Lasso(alpha=0.3, tol=1e-9).fit(X, targets)
    assert several.coef_.shape == (2, X.shape[1])
    assert several.dual_gap_.shape == (2,)
    np.testing.assert_allclose(several.coef_[0], lasso.coef_, atol=1e-5)


def test_a_warm_start_is_at_the_minimum(tmp_path: Any) -> None:
    X, y, _ = table("breast_cancer")
    model = LogisticRegression(l1_ratio=1.0, warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_[0] == 0
    lasso = Lasso(alpha=0.01, warm_start=True).fit(X, y)
    assert lasso.fit(X, y).n_iter_ == 0
    lasso.save(tmp_path / "lasso.safetensors")
    again = load(tmp_path / "lasso.safetensors")
    np.testing.assert_array_equal(again.coef_, lasso.coef_)
    assert again.dual_gap_ == lasso.dual_gap_
