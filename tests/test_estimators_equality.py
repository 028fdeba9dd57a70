"""Coefficients equal scikit-learn's, solved to a tight tolerance, on real data."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import sklearn.datasets
import sklearn.linear_model
from sklearn.preprocessing import StandardScaler

from xpfit.estimators import (
    GeneralizedLinearRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)

BACKENDS = ("numpy", "numba", "jax")
TIGHT = 1e-6
OURS: dict[str, Any] = {"tol": 1e-11, "max_iter": 1000}
SHARED = Path(
    os.environ.get("XPFIT_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
BUNDLED_CLASSES = ("breast_cancer", "digits", "iris", "wine")
SHARED_CLASSES = ("heart_scale", "ionosphere", "htru2", "cardiotocography", "wine_quality")
# JAX compiles anew for every shape, which takes seconds: for it, a set of each kind.
COMPILED_FOR = {"breast_cancer", "wine", "heart_scale", "cardiotocography"}


def on_backends(names: tuple[str, ...]) -> list[Any]:
    """Pairs of a backend and a set for `parametrize`."""
    return [
        (backend, name)
        for backend in BACKENDS
        for name in names
        if backend != "jax" or name in COMPILED_FOR
    ]


class Table(NamedTuple):
    """A data set with standardized columns."""

    X: Any
    y: Any
    weight: Any


@functools.cache
def bundled(name: str) -> Table:
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    return table(X, y)


@functools.cache
def shared(name: str) -> Table:
    path = SHARED / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there; set XPFIT_SHARED_DATA to the folder with the sets")
    with np.load(path, allow_pickle=False) as content:
        return table(content["X"], content["y"])


def table(X: Any, y: Any) -> Table:
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(y))
    return Table(StandardScaler().fit_transform(X.astype(float)), y, weight)


def assert_equal(model: Any, reference: Any) -> None:
    size = max(1.0, float(np.max(np.abs(reference.coef_))))
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=TIGHT * size)
    size = max(1.0, float(np.max(np.abs(reference.intercept_))))
    np.testing.assert_allclose(model.intercept_, reference.intercept_, rtol=0, atol=TIGHT * size)
    assert model.coef_.shape == reference.coef_.shape
    assert np.shape(model.intercept_) == np.shape(reference.intercept_)


@functools.cache
def reference_classifier(name: str, source: str, weighted: bool, C: float) -> Any:
    data = bundled(name) if source == "bundled" else shared(name)
    # Of scikit-learn's solvers these two get closest; the first is slow for many classes.
    solver = "newton-cholesky" if len(np.unique(data.y)) == 2 else "newton-cg"
    model = sklearn.linear_model.LogisticRegression(C=C, solver=solver, tol=1e-11, max_iter=1000)
    return model.fit(data.X, data.y, data.weight if weighted else None)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("backend", "name"), on_backends(BUNDLED_CLASSES))
def test_classifier_on_bundled_sets(backend: str, name: str, weighted: bool) -> None:
    data = bundled(name)
    model = LogisticRegression(backend=backend, **OURS)
    model.fit(data.X, data.y, data.weight if weighted else None)
    assert model.backend_ == backend
    assert_equal(model, reference_classifier(name, "bundled", weighted, 1.0))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("backend", "name"), on_backends(SHARED_CLASSES))
def test_classifier_on_shared_sets(backend: str, name: str, weighted: bool) -> None:
    data = shared(name)
    model = LogisticRegression(backend=backend, **OURS)
    model.fit(data.X, data.y, data.weight if weighted else None)
    assert_equal(model, reference_classifier(name, "shared", weighted, 1.0))


@pytest.mark.parametrize(
    "solver", ["auto", "lbfgs", "newton", "newton-cholesky", "newton-cg", "sag", "saga"]
)
@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_every_solver_name_reaches_the_same_optimum(name: str, solver: str) -> None:
    data = bundled(name)
    model = LogisticRegression(solver=solver, C=0.3, **OURS).fit(data.X, data.y)
    assert_equal(model, reference_classifier(name, "bundled", False, 0.3))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5, 2: 1.5}])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_class_weight(class_weight: Any, weighted: bool) -> None:
    data = bundled("wine")
    weight = data.weight if weighted else None
    reference = sklearn.linear_model.LogisticRegression(
        class_weight=class_weight, solver="newton-cholesky", tol=1e-12
    )
    model = LogisticRegression(class_weight=class_weight, **OURS)
    assert_equal(model.fit(data.X, data.y, weight), reference.fit(data.X, data.y, weight))


@pytest.mark.parametrize("name", ["heart_scale", "htru2"])
def test_no_penalty_and_no_intercept(name: str) -> None:
    data = shared(name)
    for options in ({"C": np.inf}, {"C": np.inf, "fit_intercept": False}, {"fit_intercept": False}):
        reference = sklearn.linear_model.LogisticRegression(
            solver="newton-cholesky", tol=1e-12, max_iter=1000, **options
        )
        model = LogisticRegression(**options, **OURS)
        assert_equal(model.fit(data.X, data.y), reference.fit(data.X, data.y))


def test_standardize_is_scikit_learn_on_scaled_columns() -> None:
    X, y = sklearn.datasets.load_breast_cancer(return_X_y=True)
    scaler = StandardScaler().fit(X)
    reference = sklearn.linear_model.LogisticRegression(
        solver="newton-cholesky", tol=1e-12, max_iter=1000
    ).fit(scaler.transform(X), y)
    model = LogisticRegression(standardize=True, **OURS).fit(X, y)
    np.testing.assert_allclose(
        model.decision_function(X),
        reference.decision_function(scaler.transform(X)),
        rtol=0,
        atol=1e-5,
    )
    coef = reference.coef_ / scaler.scale_
    np.testing.assert_allclose(model.coef_, coef, rtol=TIGHT, atol=TIGHT * np.abs(coef).max())


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_least_squares(backend: str, weighted: bool) -> None:
    data = bundled("diabetes")
    weight = data.weight if weighted else None
    # Its columns are collinear to 1e-2 only: any penalty shows.
    for alpha in (0.0, 0.5, 30.0):
        reference = sklearn.linear_model.Ridge(alpha=alpha, solver="cholesky")
        model = Ridge(alpha=alpha, backend=backend).fit(data.X, data.y, weight)
        assert_equal(model, reference.fit(data.X, data.y, weight))
    reference = sklearn.linear_model.LinearRegression(tol=1e-14)
    model = LinearRegression(backend=backend).fit(data.X, data.y, weight)
    assert_equal(model, reference.fit(data.X, data.y, weight))
    assert model.score(data.X, data.y, weight) == pytest.approx(
        reference.score(data.X, data.y, weight), abs=1e-10
    )


@pytest.mark.parametrize("solver", ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga"])
def test_ridge_solver_names_and_several_targets(solver: str) -> None:
    data = bundled("diabetes")
    targets = np.stack([data.y, data.y**2 / 100.0, data.X[:, 0]], axis=1)
    for alpha in (2.0, [0.1, 1.0, 10.0]):
        reference = sklearn.linear_model.Ridge(alpha=alpha).fit(data.X, targets)
        model = Ridge(alpha=alpha, solver=solver, tol=1e-10).fit(data.X, targets)
        assert_equal(model, reference)
        np.testing.assert_allclose(model.predict(data.X), reference.predict(data.X), rtol=1e-5)


def test_minimum_norm_where_columns_are_collinear() -> None:
    data = bundled("diabetes")
    X = np.concatenate([data.X, data.X[:, :3]], axis=1)
    expected = np.linalg.lstsq(X - X.mean(axis=0), data.y - data.y.mean(), rcond=1e-10)[0]
    model = LinearRegression().fit(X, data.y)
    np.testing.assert_allclose(model.coef_, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_poisson(backend: str, weighted: bool) -> None:
    data = bundled("diabetes")
    weight = data.weight if weighted else None
    for alpha in (1.0, 0.0):
        reference = sklearn.linear_model.PoissonRegressor(
            alpha=alpha, solver="newton-cholesky", tol=1e-12, max_iter=1000
        ).fit(data.X, data.y, weight)
        model = PoissonRegressor(alpha=alpha, backend=backend, tol=1e-9, max_iter=1000)
        model.fit(data.X, data.y, weight)
        assert_equal(model, reference)
        assert model.score(data.X, data.y, weight) == pytest.approx(
            reference.score(data.X, data.y, weight), abs=1e-8
        )


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_huber_regressor(backend: str, weighted: bool) -> None:
    data = bundled("diabetes")
    weight = data.weight if weighted else None
    model = HuberRegressor(backend=backend, tol=1e-10, max_iter=1000).fit(data.X, data.y, weight)
    reference = sklearn.linear_model.HuberRegressor(tol=1e-10, max_iter=10_000)
    reference.fit(data.X, data.y, weight)
    # scikit-learn's L-BFGS-B stops early here: the judge is the gradient of its own objective.
    cost, gradient = scikit_learns_huber(model, data, weight)
    their_cost, their_gradient = scikit_learns_huber(reference, data, weight)
    assert cost <= their_cost
    assert np.abs(gradient).max() < 1e-7 < np.abs(their_gradient).max()
    size = np.abs(reference.coef_).max()
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=1e-3 * size)
    np.testing.assert_allclose(model.scale_, reference.scale_, rtol=1e-4)
    assert np.mean(model.outliers_ == reference.outliers_) > 0.99


def scikit_learns_huber(model: Any, data: Table, weight: Any) -> Any:
    from sklearn.linear_model._huber import _huber_loss_and_gradient

    theta = np.concatenate([model.coef_, [model.intercept_, model.scale_]])
    weight = np.ones(len(data.y)) if weight is None else weight
    return _huber_loss_and_gradient(theta, data.X, data.y, model.epsilon, model.alpha, weight)


@pytest.mark.parametrize("backend", BACKENDS)
def test_generalized_linear_regressor_is_the_named_models(backend: str) -> None:
    data = bundled("diabetes")
    options: dict[str, Any] = {"backend": backend, "alpha": 0.1, "tol": 1e-9}
    model = GeneralizedLinearRegressor(loss="half_poisson", **options).fit(data.X, data.y)
    assert_equal(model, PoissonRegressor(**options).fit(data.X, data.y))
    n_samples = len(data.y)
    model = GeneralizedLinearRegressor(loss="half_squared_error", **options).fit(data.X, data.y)
    assert_equal(model, Ridge(alpha=0.1 * n_samples, backend=backend).fit(data.X, data.y))
    binary = bundled("breast_cancer")
    model = GeneralizedLinearRegressor(loss="half_binomial", **options).fit(binary.X, binary.y)
    classifier = LogisticRegression(C=1 / (0.1 * len(binary.y)), backend=backend, tol=1e-9)
    classifier.fit(binary.X, binary.y)
    np.testing.assert_allclose(model.coef_, classifier.coef_[0], atol=TIGHT)
    np.testing.assert_allclose(
        model.predict(binary.X), classifier.predict_proba(binary.X)[:, 1], atol=TIGHT
    )


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_predictions_are_scikit_learns(name: str) -> None:
    data = bundled(name)
    reference = reference_classifier(name, "bundled", False, 1.0)
    model = LogisticRegression(**OURS).fit(data.X, data.y)
    for method in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
        np.testing.assert_allclose(
            getattr(model, method)(data.X), getattr(reference, method)(data.X), rtol=1e-4, atol=1e-5
        )
    assert model.score(data.X, data.y, data.weight) == pytest.approx(
        reference.score(data.X, data.y, data.weight)
    )


def test_log_proba_is_finite_where_the_probability_underflows() -> None:
    for y in ([0, 0, 1, 1], [0, 1, 2, 2]):
        X = np.asarray([[0.0], [1.0], [2.0], [3.0]])
        model = LogisticRegression().fit(X, y)
        log_proba = model.predict_log_proba(np.asarray([[1e5], [-1e5]]))
        assert np.isfinite(log_proba).all()
        assert log_proba.min() < -1000.0
