"""Folds of a squared error from one read of X, against each fold by itself; and their memory."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

from xpfit import ElasticNetCV, LassoCV, LogisticRegressionCV, RidgeCV, backends
from xpfit.backends import Backend
from xpfit.core import cross_validation
from xpfit.core.cross_validation import (
    fold_errors,
    fold_paths,
    held_out_raw,
    largest_strength,
    mean_squared_errors,
)
from xpfit.core.fold_gram import FoldGrams, read_fold_grams
from xpfit.core.folds import Fold, are_a_partition
from xpfit.core.losses import HALF_BINOMIAL, HALF_SQUARED_ERROR

RNG = np.random.default_rng(12)
X = RNG.normal(size=(90, 6)) * [1.0, 5.0, 0.2, 1.0, 2.0, 1.0] + [0.0, 3.0, 1.0, 0.0, -9.0, 0.0]
y = X[:, 0] - 0.3 * X[:, 1] + RNG.normal(size=90) + 40.0
WEIGHT = RNG.uniform(0.2, 3.0, size=90)
STRENGTHS = np.asarray([1.0, 0.1, 0.01])
FOLDS = {
    "runs": KFold(5),
    "shuffled": KFold(4, shuffle=True, random_state=0),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "standardized": {"standardize": True},
    "no intercept": {"fit_intercept": False, "standardize": True},
}


def folds_of(splitter: Any, n_samples: int = 90) -> list[Fold]:
    return [Fold(*split) for split in splitter.split(np.zeros(n_samples))]


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("name", FOLDS)
def test_equal_to_folds_that_read_x_themselves(
    name: str, case: str, weight: Any, backend: Backend
) -> None:
    if backend.compiles:
        assert read(backend, X, FOLDS[name], None) is None  # another program for each size
        return
    folds, there = folds_of(FOLDS[name]), backend.from_numpy
    weight = None if weight is None else there(weight)
    A, t = there(X), there(y)
    options: dict[str, Any] = {
        "loss": HALF_SQUARED_ERROR, "backend": backend, "sample_weight": weight, **OPTIONS[case],
    }  # fmt: skip
    grams = read_fold_grams(A, t, folds, **options)
    assert grams is not None
    assert grams.n_passes == (2 if "standardize" in options else 1)
    largest = largest_strength(A, t, **options)
    assert grams.largest_strength() == pytest.approx(largest, rel=1e-12)
    for more in ({"relative_tol": True}, {"summed": True, "l1_ratio": 0.0}):
        every = {**options, **more, "strengths": STRENGTHS, "tol": 1e-9}
        shared = list(fold_paths(A, t, folds, grams=grams, **every))
        alone = list(fold_paths(A, t, folds, **every))
        for number, (one, other) in enumerate(zip(shared, alone, strict=True)):
            np.testing.assert_allclose(one.strengths, other.strengths, rtol=1e-12)
            np.testing.assert_allclose(one.W, other.W, rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(one.losses, other.losses, rtol=1e-9)
            np.testing.assert_allclose(one.duality_gaps, other.duality_gaps, atol=1e-9)
            held = {"backend": backend, "sample_weight": weight}
            found = fold_errors(A, t, one, folds, number, grams=grams, **held)
            expected = mean_squared_errors(A, t, other, folds[number].test, **held)
            np.testing.assert_allclose(found, expected, rtol=1e-8)


def read(backend: Any, A: Any, splitter: Any, weight: Any, y: Any = y) -> FoldGrams | None:
    folds = folds_of(splitter, A.shape[0])
    return read_fold_grams(
        A, y, folds, loss=HALF_SQUARED_ERROR, backend=backend, sample_weight=weight
    )


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("form", [np.asfortranarray, sparse.csr_matrix, np.float32, lambda A: A[:]])
def test_every_form_of_x(form: Any, name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    model = LassoCV(alphas=8, tol=1e-11, cv=FOLDS["shuffled"], backend="numpy")
    expected = model.fit(X.astype(np.float32).astype(float), y).mse_path_
    given = form(X.astype(np.float32).astype(float)) if form is not np.float32 else X.astype(form)
    found = model.set_params(backend=name).fit(given, y).mse_path_
    np.testing.assert_allclose(found, expected, rtol=1e-8 if form is not np.float32 else 1e-3)


def test_the_read_is_counted_once_for_all_ratios() -> None:
    one = ElasticNetCV(l1_ratio=[0.5], alphas=[0.1]).fit(X, y)
    two = ElasticNetCV(l1_ratio=[0.5, 0.4], alphas=[0.1]).fit(X, y)
    alone = ElasticNetCV(l1_ratio=[0.5], alphas=[0.1], cv=ShuffleSplit(5, random_state=0))
    assert one.n_passes_ == two.n_passes_ < alone.fit(X, y).n_passes_


@pytest.mark.parametrize("splitter", [ShuffleSplit(3, random_state=0), TimeSeriesSplit(3)])
def test_other_folds_read_x_themselves(splitter: Any) -> None:
    numpy = backends.get_backend("numpy")
    assert read(numpy, X, splitter, None) is None
    split = list(splitter.split(X))
    np.testing.assert_allclose(
        LassoCV(alphas=[0.1], cv=splitter, tol=1e-10).fit(X, y).mse_path_,
        LassoCV(alphas=[0.1], cv=split, tol=1e-10).fit(X, y).mse_path_,
    )


def test_what_makes_a_partition() -> None:
    rows = np.arange(6)
    good = [Fold(rows[3:], rows[:3]), Fold(rows[:3], rows[3:])]
    assert are_a_partition(good, 6)
    assert not are_a_partition(good, 7)  # a row that no fold holds out
    assert not are_a_partition([good[0], good[0]], 6)
    twice = Fold(np.asarray([3, 4, 4]), rows[:3])  # a bootstrap
    assert not are_a_partition([twice, good[1]], 6)
    assert not are_a_partition([*good, Fold(rows, rows[:0])], 6)


def test_where_the_sums_are_not_read() -> None:
    numpy, folds = backends.get_backend("numpy"), folds_of(KFold(5))
    assert read(numpy, X + 1e9, KFold(5), None) is None  # a Gram matrix of rounding
    assert read(numpy, X, KFold(5), np.zeros(90)) is None
    wide = RNG.normal(size=(90, 1500))
    assert read(numpy, wide, KFold(5), None) is None  # five matrices larger than X
    options = {"loss": HALF_BINOMIAL, "backend": numpy}
    assert read_fold_grams(X, (y > 40.0) * 1.0, folds, **options) is None


@pytest.mark.parametrize(("noise", "far", "sure"), [(1.0, 0.0, True), (1e-7, 0.0, False),
                                                    (1.0, 1e5, False)])  # fmt: skip
def test_errors_that_rounding_hides_are_predicted(noise: float, far: float, sure: bool) -> None:
    numpy, folds = backends.get_backend("numpy"), folds_of(KFold(3))
    A = X + far
    t = X[:, 0] - X[:, 3] + noise * RNG.normal(size=90)
    options: dict[str, Any] = {"loss": HALF_SQUARED_ERROR, "backend": numpy}
    grams = read_fold_grams(A, t, folds, **options)
    assert grams is not None
    paths = fold_paths(A, t, folds, strengths=np.asarray([1e-10]), tol=1e-13, grams=grams,
                       **options)  # fmt: skip
    for number, path in enumerate(paths):
        assert grams.squared_errors(path, number)[1].all() == sure
        found = fold_errors(A, t, path, folds, number, backend=numpy, grams=grams)
        expected = mean_squared_errors(A, t, path, folds[number].test, backend=numpy)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_column_that_only_held_out_rows_fill() -> None:
    A = X.copy()
    A[:, 2] = 0.0
    A[:18, 2] = 1e6 * RNG.normal(size=18)
    one = LassoCV(alphas=[0.1], tol=1e-10, standardize=True).fit(A, y)
    other = LassoCV(alphas=[0.1], tol=1e-10, standardize=True, cv=list(KFold(5).split(A)) * 2)
    np.testing.assert_allclose(one.mse_path_, other.fit(A, y).mse_path_[:5], rtol=1e-8)


CASES: dict[str, tuple[Any, Any]] = {
    "shared": (LassoCV(alphas=[0.1]), y),
    "alone": (LassoCV(alphas=[0.1], cv=ShuffleSplit(3, random_state=0)), y),
    "ridge": (RidgeCV(cv=3), y),
    "logistic": (LogisticRegressionCV(), y > 40.0),
}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("case", CASES)
def test_no_fold_is_blamed_for_x(case: str, wrong: float) -> None:
    class Told:
        folds = 0

        def fit_begins(self, about: Any) -> None:
            self.folds += 1

        def __call__(self, record: Any) -> None: ...

    (model, t), told = CASES[case], Told()
    name = type(model).__name__
    for convert in (np.asarray, sparse.csr_matrix):
        A = X.copy()
        A[2, 4] = wrong
        what = rf"(NaN|infinity) \(in column 4\)\. {name} cannot be fitted"
        with pytest.raises(ValueError, match=what):
            type(model)(**{**model.get_params(), "callbacks": told}).fit(convert(A), t)
    assert not told.folds


def test_one_path_is_held_at_a_time() -> None:
    A = sparse.random(60, 12_000, density=0.005, format="csr", random_state=0)
    t = A @ (RNG.random(12_000) < 0.01) + RNG.normal(size=60)
    alphas = np.geomspace(0.5, 0.15, 40)
    numpy = backends.get_backend("numpy")
    one_path = 8 * 12_000 * len(alphas)
    for model in (LassoCV(alphas=alphas, cv=6, backend="numpy", tol=1e-2),
                  RidgeCV(1.0 / alphas, cv=6, backend="numpy")):  # fmt: skip
        tracemalloc.start()
        model.fit(A, t)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # The path, a copy of its coefficients where they are multiplied, and vectors of columns.
        assert peak < 2.8 * one_path
    paths = fold_paths(A, t, folds_of(KFold(3), 60), strengths=alphas, tol=1e-2, relative_tol=True,
                       loss=HALF_SQUARED_ERROR, backend=numpy)  # fmt: skip
    assert next(paths).W.shape == (40, 12_000, 1)
    paths.close()


def test_no_context_stays_open_while_predictions_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numpy, folds = backends.get_backend("numpy"), folds_of(KFold(3))
    depth = 0

    class Open:
        def __enter__(self) -> None:
            nonlocal depth
            depth += 1

        def __exit__(self, *problem: Any) -> None:
            nonlocal depth
            depth -= 1

    watched = dataclasses.replace(numpy, on_device_of=lambda _: Open())
    paths = fold_paths(X, y, folds, strengths=STRENGTHS, loss=HALF_SQUARED_ERROR, backend=numpy)
    monkeypatch.setattr(cross_validation, "MOST_PREDICTIONS", 1)
    parts = held_out_raw(X, next(paths), folds[0].test, backend=watched)
    for _ in range(2):
        next(parts)
        assert depth == 0
