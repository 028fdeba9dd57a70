"""What the estimators that cross-validate have in common: places, files, names, refusals."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from xpfit import (
    ElasticNetCV,
    LassoCV,
    LogisticRegressionCV,
    RidgeCV,
    backends,
    load,
)
from xpfit.core import cross_validation, folds
from xpfit.core.cross_validation import fold_paths, held_out_raw, mean_squared_errors
from xpfit.core.folds import Fold
from xpfit.core.losses import HALF_SQUARED_ERROR
from xpfit.estimators import ModelFileError

RNG = np.random.default_rng(8)
X = RNG.normal(size=(72, 4)) * [1.0, 2.0, 1.0, 0.5] + [0.0, 1.0, 0.0, 0.0]
NUMERIC = 2.0 * X[:, 0] - X[:, 1] + RNG.normal(size=72)
LABELS = np.digitize(NUMERIC, np.quantile(NUMERIC, [0.3, 0.6]))
WEIGHT = RNG.uniform(0.3, 2.0, size=72)

CASES = {
    "LassoCV": (LassoCV(alphas=6, tol=1e-11), NUMERIC),
    "ElasticNetCV": (ElasticNetCV(alphas=4, l1_ratio=[0.3, 1.0], tol=1e-11), NUMERIC),
    "RidgeCV": (RidgeCV([0.1, 10.0, 1.0]), NUMERIC),
    "RidgeCV, folds": (RidgeCV([0.1, 10.0], cv=KFold(3, shuffle=True, random_state=0)), NUMERIC),
    "LogisticRegressionCV": (
        LogisticRegressionCV(Cs=[0.1, 1.0], scoring="neg_log_loss", tol=1e-11),
        LABELS == 2,
    ),
    "LogisticRegressionCV, classes": (
        LogisticRegressionCV(Cs=[0.1, 1.0], scoring="neg_log_loss", tol=1e-10),
        LABELS,
    ),
    "LogisticRegressionCV, L1": (
        LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=[1.0], scoring="roc_auc", tol=1e-11),
        LABELS == 2,
    ),
}
# What the choice was made from.
EVIDENCE = ("mse_path_", "scores_", "coefs_paths_", "best_score_", "alpha_", "C_", "l1_ratio_")


def copy_of(estimator: Any, **params: Any) -> Any:
    return clone(estimator).set_params(**params)


@pytest.mark.parametrize("name", ["numba", "jax"])
@pytest.mark.parametrize("case", CASES)
def test_backends_agree_where_the_data_are(case: str, name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    estimator, y = CASES[case]
    plain = copy_of(estimator, backend="numpy", standardize=True).fit(X, y, WEIGHT)
    there = backends.get_backend(name).from_numpy
    other = copy_of(estimator, backend=name, standardize=True)
    other.fit(there(X), there(y.astype(float)), there(WEIGHT))
    assert other.backend_ == name
    for attribute in EVIDENCE:
        if hasattr(plain, attribute):
            found, expected = getattr(other, attribute), getattr(plain, attribute)
            assert isinstance(found, (np.ndarray, float))
            np.testing.assert_allclose(found, expected, atol=2e-8, rtol=1e-8)
    np.testing.assert_allclose(other.coef_, plain.coef_, atol=2e-8)
    predicted = backends.get_backend(name).to_numpy(other.predict(there(X)))
    np.testing.assert_allclose(predicted, plain.predict(X).astype(float), atol=1e-7)
    assert other.score(there(X), there(y.astype(float))) == pytest.approx(
        plain.score(X, y), abs=1e-7
    )


@pytest.mark.parametrize("case", CASES)
def test_a_file_keeps_the_model_and_the_evidence(case: str, tmp_path: Any) -> None:
    estimator, y = CASES[case]
    model = clone(estimator)
    with pytest.raises(NotFittedError):
        model.save(tmp_path / "model")
    model.fit(X, y)
    if isinstance(model.cv, KFold):
        with pytest.raises(ModelFileError, match="cv cannot be kept"):
            model.save(tmp_path / "model")
        model.set_params(cv=3)
    model.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert type(again) is type(model)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        for attribute in EVIDENCE:
            if hasattr(model, attribute):
                np.testing.assert_array_equal(getattr(again, attribute), getattr(model, attribute))
    assert not hasattr(clone(model), "coef_")


@pytest.mark.parametrize("case", CASES)
def test_names_of_columns_are_kept_and_checked(case: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    estimator, y = CASES[case]
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = clone(estimator).fit(frame, pandas.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_allclose(model.coef_, clone(estimator).fit(X, y).coef_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("dcba")])
    holed = frame.copy()
    holed.loc[3, "c"] = np.nan
    with pytest.raises(ValueError, match=r"\bc\b"):
        clone(estimator).fit(holed, y)


@pytest.mark.parametrize("case", CASES)
def test_weights_count_as_repeated_rows_and_x_is_left_alone(case: str) -> None:
    estimator, y = CASES[case]
    counts = RNG.integers(1, 4, size=72)
    rows = np.repeat(np.arange(72), counts)
    splits = list(KFold(3).split(X))
    copies = [tuple(np.flatnonzero(np.isin(rows, part)) for part in split) for split in splits]
    held = X.copy()
    held.flags.writeable = False
    weighted = copy_of(estimator, cv=splits).fit(held, y, sample_weight=counts)
    repeated = copy_of(estimator, cv=copies).fit(X[rows], y[rows])
    for attribute in EVIDENCE:
        if hasattr(weighted, attribute):
            np.testing.assert_allclose(
                getattr(weighted, attribute), getattr(repeated, attribute), rtol=1e-6, atol=1e-7
            )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_fit_learns_the_columns_alone(case: str) -> None:
    class Interrupt:
        def __call__(self, record: Any) -> None:
            if self.unit == "iteration":  # the last fit, to all rows
                raise KeyboardInterrupt

        def fit_begins(self, about: Any) -> None:
            self.unit = about.unit

    estimator, y = CASES[case]
    model = copy_of(estimator, callbacks=Interrupt())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert [name for name in vars(model) if name.endswith("_")] == ["n_features_in_"]


def test_held_out_rows_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    numpy = backends.get_backend("numpy")
    rows = RNG.permutation(72)[:31]
    fold = Fold(np.setdiff1d(np.arange(72), rows), rows)
    strengths = np.asarray([1.0, 0.1, 0.01])
    (path,) = fold_paths(
        X, NUMERIC, [fold], strengths=strengths, loss=HALF_SQUARED_ERROR, backend=numpy
    )
    expected = X[rows] @ path.W[:, :, 0].T + path.b[:, 0]
    errors = ((expected - NUMERIC[rows][:, None]) ** 2).mean(axis=0)
    for most_predictions, most_gathered in ((1 << 25, 1 << 22), (40, 1 << 22), (1, 20)):
        monkeypatch.setattr(cross_validation, "MOST_PREDICTIONS", most_predictions)
        monkeypatch.setattr(folds, "MOST_GATHERED", most_gathered)
        parts = list(held_out_raw(X, path, rows, backend=numpy))
        assert len(parts) == (1 if most_predictions > 40 else 3)
        np.testing.assert_allclose(np.hstack([raw for _, raw in parts]), expected, atol=1e-12)
        found = mean_squared_errors(X, NUMERIC, path, rows, backend=numpy)
        np.testing.assert_allclose(found, errors, rtol=1e-10)
    run = np.arange(10, 20)
    first = replace(path, strengths=path.strengths[:1], W=path.W[:1], b=path.b[:1])
    ((_, raw),) = held_out_raw(X, first, run, backend=numpy)
    np.testing.assert_allclose(raw[:, 0], X[run] @ path.W[0, :, 0] + path.b[0, 0], atol=1e-12)
