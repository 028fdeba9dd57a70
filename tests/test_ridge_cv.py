"""`RidgeCV`: leave-one-out in closed form against scikit-learn's and against leaving rows out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as theirs
from scipy import sparse
from sklearn.model_selection import KFold, LeaveOneOut

from xpfit import Ridge, RidgeCV
from xpfit.backends import get_backend
from xpfit.core.solvers import leave_one_out as module
from xpfit.core.solvers.leave_one_out import leave_one_out

RNG = np.random.default_rng(2)
ALPHAS = [0.01, 30.0, 0.1, 1.0]
SHAPES = {"long": (60, 5), "wide": (20, 40), "square": (15, 15)}


def table(shape: str) -> tuple[Any, Any, Any]:
    n, d = SHAPES[shape]
    X = RNG.normal(size=(n, d)) + RNG.normal(size=d)
    Y = X[:, :3] @ RNG.normal(size=(3, 3)) + RNG.normal(size=(n, 3)) + 3.0
    return X, Y, RNG.uniform(0.1, 2.0, size=n)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"store_cv_results": True},
    "no intercept": {"fit_intercept": False, "store_cv_results": True},
    "scored": {"scoring": "r2", "store_cv_results": True},
    "per target": {"alpha_per_target": True, "scoring": "neg_mean_absolute_error"},
    "per target, plain": {"alpha_per_target": True},
    "folds": {"cv": 4},
    "folds, scored": {"cv": 4, "scoring": "neg_mean_squared_error", "fit_intercept": False},
}


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_scikit_learn(shape: str, case: str, weighted: bool) -> None:
    X, Y, weight = table(shape)
    options, weight = OPTIONS[case], weight if weighted else None
    for y in (Y,) if "per target" in case else (Y, Y[:, 0]):
        ours = RidgeCV(ALPHAS, **options).fit(X, y, sample_weight=weight)
        expected = theirs.RidgeCV(ALPHAS, **options).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(ours.alpha_, expected.alpha_)
        # R² of a fold may be large and negative; its digits are those of the fits.
        np.testing.assert_allclose(ours.best_score_, expected.best_score_, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(ours.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(ours.intercept_, expected.intercept_, rtol=1e-8, atol=1e-10)
        if options.get("store_cv_results"):
            assert ours.cv_results_.shape == expected.cv_results_.shape
            np.testing.assert_allclose(ours.cv_results_, expected.cv_results_, rtol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_closed_form_is_leaving_each_row_out(shape: str, fit_intercept: bool) -> None:
    X, Y, weight = table(shape)
    weight[4] = 0.0  # a row that is only predicted
    found = leave_one_out(
        X, Y, ALPHAS, backend=get_backend("numpy"), sample_weight=weight,
        fit_intercept=fit_intercept, keep=True,
    )  # fmt: skip
    for a, alpha in enumerate(ALPHAS):
        model = Ridge(alpha=alpha, fit_intercept=fit_intercept)
        for train, (row,) in LeaveOneOut().split(X):
            model.fit(X[train], Y[train], weight[train])
            error = Y[row] - model.predict(X[[row]])[0]
            np.testing.assert_allclose(found.errors[a, row], error, rtol=1e-7, atol=1e-9)
    sums = np.einsum("i,aik->ak", weight, found.errors**2)
    np.testing.assert_allclose(found.squared, sums, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_sparse_rows_and_scaled_columns(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y, weight = table(shape)
    X = np.tile(X, (30, 1)) if shape == "long" else X
    Y, weight = np.tile(Y, (30, 1))[: len(X)], np.tile(weight, 30)[: len(X)]
    for standardize in (False, True):
        options = {"sample_weight": weight, "standardize": standardize, "keep": True}
        host = get_backend("numpy")
        whole = leave_one_out(X, Y, ALPHAS, backend=host, **options)
        csr = leave_one_out(sparse.csr_matrix(X), Y, ALPHAS, backend=host, **options)
        np.testing.assert_allclose(csr.errors, whole.errors, rtol=1e-8)
        with monkeypatch.context() as patch:
            patch.setattr(module, "MOST_NUMBERS", 100)
            parts = leave_one_out(X, Y, ALPHAS, backend=host, **options)
        np.testing.assert_allclose(parts.errors, whole.errors, rtol=1e-9)
    average = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - average) ** 2, axis=0, weights=weight))
    by_hand = leave_one_out(X / deviation, Y, ALPHAS, backend=host, sample_weight=weight)
    np.testing.assert_allclose(by_hand.squared, whole.squared, rtol=1e-8)


def test_columns_far_from_zero_lose_no_digits() -> None:
    X, Y, _ = table("long")
    near = RidgeCV(ALPHAS, store_cv_results=True).fit(X, Y)
    far = RidgeCV(ALPHAS, store_cv_results=True).fit(X + 1e6, Y)
    np.testing.assert_allclose(far.cv_results_, near.cv_results_, rtol=1e-7)


@pytest.mark.parametrize("name", ["numba", "jax"])
@pytest.mark.parametrize("shape", SHAPES)
def test_backends_agree(name: str, shape: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    X, Y, weight = table(shape)
    plain = RidgeCV(ALPHAS, store_cv_results=True, backend="numpy").fit(X, Y, weight)
    there = get_backend(name).from_numpy
    other = RidgeCV(ALPHAS, store_cv_results=True, backend=name)
    other.fit(there(X), there(Y), there(weight))
    assert other.backend_ == name
    assert other.alpha_ == plain.alpha_
    np.testing.assert_allclose(other.cv_results_, plain.cv_results_, rtol=1e-8)
    np.testing.assert_allclose(other.coef_, plain.coef_, atol=1e-8)


def test_a_scorer_that_is_a_function_sees_models_and_rows() -> None:
    X, Y, weight = table("long")

    def worst(model: Any, X: Any, y: Any) -> float:
        assert model.coef_.shape[-1] == X.shape[1]
        return -float(np.abs(model.predict(X) - y).max())

    for y in (Y, Y[:, 0]):
        ours = RidgeCV(ALPHAS, cv=KFold(3, shuffle=True, random_state=0), scoring=worst)
        expected = theirs.RidgeCV(ALPHAS, cv=KFold(3, shuffle=True, random_state=0), scoring=worst)
        ours.fit(X, y, weight)
        expected.fit(X, y)
        unweighted = RidgeCV(**ours.get_params()).fit(X, y)
        assert unweighted.alpha_ == expected.alpha_
        assert unweighted.best_score_ == pytest.approx(expected.best_score_, rel=1e-8)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"alphas": [1.0, -1.0]}, "alphas is .*greater than 0"),
        ({"alphas": [1.0, 0.0]}, "greater than 0"),
        ({"alphas": []}, "at least one"),
        ({"cv": 3, "store_cv_results": True}, "store_cv_results=True are incompatible"),
        ({"cv": 3, "alpha_per_target": True}, "alpha_per_target=True are incompatible"),
        ({"cv": 100}, "n_splits=100"),
        ({"cv": [([0, 1, 2], [3])], "scoring": "r2"}, "score of fold 1 of 1 is not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_bad_parameters_are_refused(options: Any, what: str) -> None:
    X, Y, _ = table("long")
    with pytest.raises(ValueError, match=what):
        RidgeCV(**options).fit(X, Y)


@pytest.mark.parametrize("shape", SHAPES)
def test_nan_in_x_is_named_by_column(shape: str) -> None:
    X, Y, _ = table(shape)
    X[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"RidgeCV.*column 3|column 3.*RidgeCV"):
        RidgeCV().fit(X, Y)
