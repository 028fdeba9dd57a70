"""`regularization_path`: every point is the estimator's own fit at that strength."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from xpfit import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    ProgressBar,
    Ridge,
    regularization_path,
)
from xpfit.backends import get_backend

RNG = np.random.default_rng(3)
X = RNG.normal(size=(90, 6)) * [1.0, 2.0, 0.5, 1.0, 3.0, 1.0] + [0.0, 1.0, 0.0, 2.0, 0.0, 0.0]
RAW = X[:, 0] - X[:, 1] + 0.3 * X[:, 3]
NUMERIC = RAW + RNG.normal(size=90)
BINARY = np.where(RAW + RNG.normal(size=90) > RAW.mean(), "yes", "no")
THREE = np.digitize(RAW + RNG.normal(size=90), np.quantile(RAW, [0.3, 0.7]))
WEIGHT = RNG.uniform(0.2, 3.0, size=90)

CASES = {
    "lasso": (Lasso(tol=1e-10), NUMERIC, None),
    "elastic net": (ElasticNet(l1_ratio=0.3, standardize=True, tol=1e-10), NUMERIC, None),
    "elastic net, no intercept": (ElasticNet(fit_intercept=False, tol=1e-10), NUMERIC, None),
    "elastic net, no L1": (ElasticNet(l1_ratio=0.0), NUMERIC, [1.0, 0.01, 0.1]),
    "ridge": (Ridge(), NUMERIC, [0.1, 100.0, 3.0]),
    "logistic": (LogisticRegression(l1_ratio=1.0, tol=1e-10), BINARY, None),
    "logistic, balanced": (
        LogisticRegression(l1_ratio=0.5, tol=1e-10, class_weight="balanced", standardize=True),
        BINARY,
        None,
    ),
    "logistic, no L1": (LogisticRegression(tol=1e-10), BINARY, [3.0, 0.1, 1.0]),
    "softmax": (LogisticRegression(l1_ratio=1.0, tol=1e-9), THREE, None),
    "softmax, no L1": (LogisticRegression(tol=1e-10), THREE, [1.0, 0.01]),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("case", CASES)
def test_each_point_is_the_fit_at_that_strength(case: str, weight: Any) -> None:
    estimator, y, strengths = CASES[case]
    path = regularization_path(
        estimator, X, y, strengths=strengths, n_strengths=6, eps=0.01, sample_weight=weight
    )
    steps = np.diff(path.values)
    assert (steps > 0).all() if path.parameter == "C" else (steps < 0).all()
    if strengths is None:
        assert path.n_nonzero[0] == 0 < path.n_nonzero[1] <= path.n_nonzero[-1]
    else:
        assert sorted(path.values.tolist()) == sorted(strengths)
    for index in range(len(path)):
        ours = path.estimator_at(index)
        cold = type(estimator)(**ours.get_params())
        assert getattr(cold, path.parameter) == path.values[index]
        cold.fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(ours.coef_, cold.coef_, atol=2e-7)
        np.testing.assert_allclose(ours.intercept_, cold.intercept_, atol=2e-7)
        assert ours.coef_.shape == cold.coef_.shape
        assert np.shape(ours.intercept_) == np.shape(cold.intercept_)
        assert ours.loss_history_[-1] == pytest.approx(cold.loss_history_[-1], abs=1e-9)
        if path.parameter == "C":
            assert (ours.predict(X) == cold.predict(X)).all()
        else:
            np.testing.assert_allclose(ours.predict(X), cold.predict(X), atol=1e-6)
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("name", ["numba", "jax"])
def test_backends_agree(name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    plain = regularization_path(Lasso(tol=1e-11), X, NUMERIC, n_strengths=8)
    there = get_backend(name).from_numpy
    other = regularization_path(
        Lasso(tol=1e-11, backend=name), there(X), there(NUMERIC), n_strengths=8
    )
    assert other.backend == name
    np.testing.assert_allclose(other.values, plain.values, rtol=1e-12)
    np.testing.assert_allclose(other.coefs, plain.coefs, atol=1e-8)


def test_sparse_x_gives_the_same_path() -> None:
    dense = regularization_path(Lasso(tol=1e-11), X, NUMERIC, n_strengths=5)
    csr = regularization_path(Lasso(tol=1e-11), sparse.csr_matrix(X), NUMERIC, n_strengths=5)
    np.testing.assert_allclose(csr.coefs, dense.coefs, atol=1e-8)


def test_a_point_is_a_whole_model(tmp_path: Any) -> None:
    from xpfit import load

    pandas = pytest.importorskip("pandas")
    names = [f"column {k}" for k in range(6)]
    frame = pandas.DataFrame(X, columns=names)
    path = regularization_path(LogisticRegression(l1_ratio=1.0), frame, BINARY, n_strengths=5)
    assert path.feature_names == names
    assert path.coefs.shape == (5, 6)
    assert path.intercepts.shape == (5,)
    model = path.estimator_at(-1)
    assert path.values[-1] == model.C
    assert model.feature_names_in_.tolist() == names
    assert model.stop_reason_ == path.stop_reasons[-1]
    assert model.result_.duality_gap == path.duality_gaps[-1] < 1e-4
    model.save(tmp_path / "model")
    assert (load(tmp_path / "model").predict(frame) == model.predict(frame)).all()
    assert repr(path).startswith("RegularizationPath(LogisticRegression(l1_ratio=1.0): 5 values of")
    again = pickle.loads(pickle.dumps(path))
    np.testing.assert_array_equal(again.estimator_at(2).coef_, path.estimator_at(2).coef_)
    with pytest.raises(IndexError):
        path.estimator_at(5)


def test_callbacks_see_each_strength_and_can_end_the_path() -> None:
    seen: list[float] = []

    def watch(record: Any) -> bool:
        seen.append(record.loss)
        return len(seen) == 4

    path = regularization_path(Lasso(callbacks=watch), X, NUMERIC, n_strengths=10)
    assert len(path) == len(seen) == 4
    np.testing.assert_array_equal(path.losses, seen)
    assert path.estimator_at(0).callbacks is watch


def test_a_progress_bar_counts_strengths(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    model = Lasso(callbacks=ProgressBar(enabled=True))
    path = regularization_path(model, X, NUMERIC, n_strengths=7)
    last = stream.getvalue().strip().splitlines()[-1]
    assert last.startswith(f"regularization_path(Lasso): strength 7, cost {path.losses[-1]:.6g}, ")


def test_strengths_that_did_not_converge_are_named_in_one_warning() -> None:
    model = LogisticRegression(max_iter=1, tol=1e-12)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regularization_path(model, X, BINARY, strengths=[0.5, 5.0, 50.0])
    texts = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert len(texts) == 1
    assert "3 of 3 fits did not converge" in texts[0]
    assert "C = 0.5, 5, 50" in texts[0]


@pytest.mark.parametrize(
    ("estimator", "y", "more", "error", "what"),
    [
        (HuberRegressor(), NUMERIC, {}, TypeError, "HuberRegressor.*has no path"),
        (Ridge(), NUMERIC, {}, ValueError, "Pass the strengths"),
        (LogisticRegression(), BINARY, {}, ValueError, "Pass the strengths"),
        (LogisticRegression(penalty=None), BINARY, {}, ValueError, "penalty=None"),
        (Lasso(), NUMERIC, {"strengths": [1.0, -1.0]}, ValueError, "greater than 0"),
        (Lasso(), NUMERIC, {"strengths": []}, ValueError, "at least one"),
        (Lasso(), NUMERIC, {"eps": 2.0}, ValueError, "eps"),
        (Lasso(), NUMERIC, {"n_strengths": 0}, ValueError, "n_strengths=0"),
        (Lasso(), np.stack([NUMERIC, NUMERIC], axis=1), {}, ValueError, "1d array"),
        (Lasso(positive=True), NUMERIC, {}, ValueError, "positive=True"),
        (Lasso(max_iter=0), NUMERIC, {}, ValueError, "max_iter"),
        (LogisticRegression(l1_ratio=1.0), np.zeros(90), {}, ValueError, "one class"),
        (Lasso(), NUMERIC[:5], {}, ValueError, "90 rows"),
    ],
)
def test_bad_input_is_refused(estimator: Any, y: Any, more: Any, error: Any, what: str) -> None:
    with pytest.raises(error, match=what):
        regularization_path(estimator, X, y, **more)


def test_nan_in_x_is_named_by_column() -> None:
    holed = X.copy()
    holed[4, 2] = np.nan
    with pytest.raises(ValueError, match="column 2"):
        regularization_path(Lasso(), holed, NUMERIC, n_strengths=3)
