"""`LogisticRegression.summary`: against statsmodels and a plain inverse Hessian; what has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from scipy.stats import norm
from sgd_data import three_classes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as Theirs
from stored_references import stored
from summary_data import LEVEL, mixed

from xpfit import LogisticRegression

TIGHT = {"tol": 1e-10}


def test_statsmodels_agrees() -> None:
    X, y = mixed()
    ours = LogisticRegression(C=np.inf, **TIGHT).fit(X, y).summary(X, y, level=LEVEL)
    theirs = stored("statsmodels")
    for name in ("estimate", "standard_error", "z"):
        np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(ours.p_value, theirs["p_value"], rtol=1e-5)
    np.testing.assert_allclose(
        np.stack([ours.low, ours.high], axis=1), theirs["interval"], rtol=1e-6
    )


def plain_covariance(model: Any, X: Any, weight: Any, penalty: Any) -> np.ndarray:
    """The inverse Hessian as the textbook writes it."""
    A = np.concatenate([X, np.ones((len(X), 1))], axis=1) if model.fit_intercept else X
    p = model.predict_proba(X)[:, 1]
    return np.linalg.inv(A.T @ np.diag(weight * p * (1 - p)) @ A + np.diag(penalty))


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("options", [
    {"C": np.inf}, {"C": 0.3}, {"C": 0.3, "standardize": True}, {"C": 2.0, "fit_intercept": False},
    {"C": np.inf, "class_weight": {0: 2.0, 1: 0.5}},
], ids=str)  # fmt: skip
def test_the_inverse_hessian_in_plain_numpy(options: dict[str, Any], backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax", reason="jax is not installed")
    X, y = mixed(200)
    X = (X - [1995.0, 0.0, 0.0]) / [10.0, 1e-3, 1.0]
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    model = LogisticRegression(backend=backend, **TIGHT, **options).fit(X, y, weight)
    table = model.summary(X, y, weight, level=0.5)
    total = weight * (np.where(y == 1, 0.5, 2.0) if "class_weight" in options else 1.0)
    mean = np.average(X, axis=0, weights=total)
    variance = np.average((X - mean) ** 2, axis=0, weights=total)
    penalty = np.append(np.full(3, 1.0 / options["C"]), 0.0)[: 3 + model.fit_intercept]
    if model.standardize:
        penalty[:3] *= variance
    covariance = plain_covariance(model, X, total, penalty)
    np.testing.assert_allclose(table.covariance, covariance, rtol=1e-8, atol=1e-12)
    error = np.sqrt(np.diag(covariance))
    estimate = np.append(model.coef_[0], model.intercept_)[: error.size]
    np.testing.assert_allclose(table.estimate, estimate)
    np.testing.assert_allclose(table.standard_error, error, rtol=1e-9)
    np.testing.assert_allclose(table.p_value, 2 * norm.sf(np.abs(estimate / error)), rtol=1e-7)
    np.testing.assert_allclose(table.low, estimate - norm.ppf(0.75) * error, rtol=1e-7)
    np.testing.assert_allclose(table.odds_ratio, np.exp(estimate))
    np.testing.assert_allclose(table.odds_high, np.exp(table.high))
    np.testing.assert_allclose(table.standardized[:3], model.coef_[0] * np.sqrt(variance))
    says = " ".join(table.notes)
    assert ("penalty" in says) == np.isfinite(options["C"])
    assert "repetitions" in says


def test_weights_are_repetitions() -> None:
    X, y = mixed(150)
    counts = np.random.default_rng(2).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    once = LogisticRegression(C=np.inf, **TIGHT).fit(X, y, counts).summary(X, y, counts)
    more = LogisticRegression(C=np.inf, **TIGHT).fit(X[rows], y[rows]).summary(X[rows], y[rows])
    np.testing.assert_allclose(once.standard_error, more.standard_error, rtol=1e-7)


def test_frames_text_sparse_device_arrays_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = mixed()
    X = (X - [1995.0, 0.0, 0.0]) / [10.0, 1e-3, 1.0]
    model = LogisticRegression(**TIGHT)
    plain = model.fit(X, y).summary(X, y)
    frame, names = pandas.DataFrame(X, columns=["year", "b", "c"]), np.array(["no", "yes"])[y]
    named = model.fit(frame, names).summary(frame, names)
    assert named.names == ["year", "b", "c", "intercept"]
    assert named.positive_class == "yes"
    np.testing.assert_allclose(named.standard_error, plain.standard_error, rtol=1e-9)
    made = named.to_frame()
    assert list(made.index) == named.names
    np.testing.assert_array_equal(made["odds_low"], named.odds_low)
    from xpfit.estimators import _inference

    monkeypatch.setattr(_inference, "BLOCK_BYTES", 1000)
    csr = scipy.sparse.csr_matrix(X)
    sparse = model.fit(csr, y).summary(csr, y)
    np.testing.assert_allclose(sparse.standard_error, plain.standard_error, rtol=1e-6)
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    device = model.fit(jnp.asarray(X), jnp.asarray(y)).summary(jnp.asarray(X), jnp.asarray(y))
    np.testing.assert_allclose(device.standard_error, plain.standard_error, rtol=1e-6)


def test_it_prints_as_a_table() -> None:
    X, y = mixed()
    table = LogisticRegression(C=np.inf).fit(X, y).summary(X, y)
    lines = str(table).splitlines()
    assert lines[0] == "Log-odds of class 1, 400 rows"
    assert "95 % interval" in lines[2]
    assert lines[3].startswith("x0 ")
    assert lines[6].startswith("intercept ")
    assert repr(table) == str(table)
    assert max(map(len, lines)) <= 120


def separable(kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 2))
    y = (X[:, 0] + rng.logistic(size=n) > 0).astype(int)
    if kind == "wholly":
        return X, (X[:, 0] > 0.1).astype(int)
    rare = np.arange(n) < max(5, n // 50)
    y[rare] = 1
    return np.concatenate([X, rare[:, None].astype(float)], axis=1), y


@pytest.mark.parametrize("tol", [1e-5, 1e-7, 1e-12])
@pytest.mark.parametrize("n", [100, 3000])
@pytest.mark.parametrize("kind", ["wholly", "in part"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separated_classes_have_no_intervals(kind: str, n: int, tol: float) -> None:
    X, y = separable(kind, n)
    model = LogisticRegression(C=np.inf, tol=tol).fit(X, y)
    with pytest.raises(ValueError, match=r"separated.* infinite.* finite C") as error:
        model.summary(X, y)
    if kind == "in part" and tol > 1e-12:
        assert "by x2:" in str(error.value)
    held = LogisticRegression(C=1.0).fit(X, y).summary(X, y)
    assert np.all(np.isfinite(held.standard_error))


def test_collinear_columns_have_no_errors_without_a_penalty() -> None:
    X, y = mixed()
    double = np.concatenate([X, X[:, :1] - 2.0 * X[:, 2:]], axis=1)
    with pytest.raises(ValueError, match=r"x0, x2, x3 are collinear.*finite C"):
        LogisticRegression(C=np.inf).fit(double, y).summary(double, y)
    constant = np.concatenate([X, np.full((len(y), 1), 7.0)], axis=1)
    with pytest.raises(ValueError, match="x3 is constant"):
        LogisticRegression(C=np.inf).fit(constant, y).summary(constant, y)
    table = LogisticRegression(C=1.0).fit(double, y).summary(double, y)
    assert np.all(np.isfinite(table.standard_error))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_has_no_summary_says_what_to_do() -> None:
    X, y = mixed()
    with pytest.raises(NotFittedError):
        LogisticRegression().summary(X, y)
    with pytest.raises(ValueError, match="OneVsRestClassifier"):
        LogisticRegression().fit(*three_classes()).summary(*three_classes())
    model = LogisticRegression(C=np.inf).fit(X, y)
    with pytest.raises(ValueError, match="level"):
        model.summary(X, y, level=95)
    with pytest.raises(ValueError, match="not a solution for these data"):
        model.summary(X, 1 - y)
    with pytest.raises(ValueError, match="fit to the end"):
        LogisticRegression(C=np.inf, max_iter=0).fit(X, y).summary(X, y)
    with pytest.raises(ValueError, match="features"):
        model.summary(X[:, :2], y)
    assert not hasattr(Theirs(), "summary")


def test_an_l1_penalty_has_no_standard_errors() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    model = LogisticRegression(l1_ratio=0.5).fit(X, y)
    with pytest.raises(ValueError, match=r"L1 penalty.*C=np.inf"):
        model.summary(X, y)
