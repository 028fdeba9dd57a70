"""Bad input: every error names the estimator, the argument and the cure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from xpfit.backends import (
    Backend,
    BackendUnavailableError,
    MixedBackendError,
    UnknownBackendError,
    available_backends,
)
from xpfit.estimators import (
    ElasticNet,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
LABELS = (X[:, 0] + RNG.standard_normal(40) > 0).astype(int)
COUNTS = RNG.poisson(3.0, 40)
ALL = (
    LinearRegression, Ridge, Lasso, ElasticNet, LogisticRegression, PoissonRegressor,
    HuberRegressor, GeneralizedLinearRegressor, SGDClassifier, SGDRegressor,
)  # fmt: skip


def with_value(value: float, *columns: int) -> Any:
    bad = X.copy()
    bad[7, list(columns)] = value
    return bad


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("cls", ALL)
def test_nan_and_infinity_in_x_are_named_by_column(cls: Any, backend: str) -> None:
    for value, word in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        with pytest.raises(
            ValueError, match=rf"Input X contains {word} .*columns 1, 2.*{cls.__name__}"
        ):
            cls(backend=backend).fit(with_value(value, 1, 2), LABELS)
    model = cls(backend=backend).fit(X, LABELS)
    for value, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        with pytest.raises(ValueError, match=rf"{cls.__name__}: Input X contains {word}.*column 1"):
            model.predict(with_value(value, 1))


def test_columns_of_a_frame_are_named() -> None:
    bad = pd.DataFrame(with_value(np.nan, 1), columns=["age", "income", "size"])
    good = pd.DataFrame(X, columns=["age", "income", "size"])
    with pytest.raises(ValueError, match=r"Input X contains NaN .*column 1 'income'"):
        LogisticRegression().fit(bad, LABELS)
    with pytest.raises(ValueError, match=r"Input X contains NaN .*column 1 'income'"):
        LogisticRegression().fit(good, LABELS).predict(bad)


def test_nan_in_sparse_x() -> None:
    with pytest.raises(ValueError, match=r"Input X contains NaN .*column 2.*LogisticRegression"):
        LogisticRegression().fit(sp.csr_array(with_value(np.nan, 2)), LABELS)
    with pytest.raises(ValueError, match=r"Input X contains NaN.*column 2"):
        LogisticRegression().fit(X, LABELS).predict(sp.csr_array(with_value(np.nan, 2)))


@pytest.mark.parametrize("cls", ALL)
def test_shapes(cls: Any) -> None:
    who = cls.__name__
    with pytest.raises(ValueError, match=rf"{who}: X has 40 rows, but y has 39.*each row"):
        cls().fit(X, LABELS[:-1])
    with pytest.raises(ValueError, match=rf"{who}: X has 40 rows, but sample_weight has 3"):
        cls().fit(X, LABELS, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=rf"{who}: Sample weights must be 1D"):
        cls().fit(X, LABELS, np.ones((40, 2)))
    with pytest.raises(ValueError, match="Expected 2D array"):
        cls().fit(X[:, 0], LABELS)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        cls().fit(X[:0], LABELS[:0])
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        cls().fit(X[:, :0], LABELS)
    with pytest.raises(ValueError, match=rf"X has 2 features, but {who} is expecting 3"):
        cls().fit(X, LABELS).predict(X[:, :2])
    with pytest.raises(ValueError, match=rf"{who}.fit requires y"):
        cls().fit(X, None)
    with pytest.raises(NotFittedError, match=who):
        cls().predict(X)


@pytest.mark.parametrize("cls", ALL[4:7] + ALL[8:])
def test_several_columns_of_y(cls: Any) -> None:
    with pytest.raises(ValueError, match=rf"{cls.__name__}: y should be a 1d array.*\(40, 2\)"):
        cls().fit(X, np.stack([LABELS, LABELS], axis=1))


@pytest.mark.parametrize("cls", ALL)
def test_weights(cls: Any) -> None:
    weight = np.ones(40)
    weight[3] = -1.0
    with pytest.raises(ValueError, match=rf"{cls.__name__}: Negative values in sample_weight"):
        cls().fit(X, LABELS, weight)
    weight[3] = np.nan
    with pytest.raises(ValueError, match=rf"{cls.__name__}: Input sample_weight contains NaN"):
        cls().fit(X, LABELS, weight)
    weight[3] = np.inf
    with pytest.raises(ValueError, match=rf"{cls.__name__}: Input sample_weight contains inf"):
        cls().fit(X, LABELS, weight)
    with pytest.raises(ValueError, match=rf"{cls.__name__}: sample_weight is zero for every row"):
        cls().fit(X, LABELS, np.zeros(40))


@pytest.mark.parametrize("cls", ALL)
def test_values_of_y(cls: Any) -> None:
    y = LABELS.astype(float)
    y[5] = np.nan
    with pytest.raises(ValueError, match=rf"{cls.__name__}: Input y contains NaN"):
        cls().fit(X, y)
    y[5] = np.inf
    with pytest.raises(ValueError, match=rf"{cls.__name__}: Input y contains infinity"):
        cls().fit(X, y)


def test_targets_outside_the_domain_of_the_loss() -> None:
    with pytest.raises(ValueError, match=r"PoissonRegressor: Some value\(s\) of y.*\[0, inf\)"):
        PoissonRegressor().fit(X, COUNTS - 5)
    for loss in ("half_binomial", "squared_hinge"):
        with pytest.raises(ValueError, match=r"GeneralizedLinearRegressor: Some.*\[0, 1\]"):
            GeneralizedLinearRegressor(loss=loss).fit(X, COUNTS)


def test_labels_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"LogisticRegression needs.*only one class: 1\."):
        LogisticRegression().fit(X, np.ones(40, dtype=int))
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*regressor"):
        LogisticRegression().fit(X, X[:, 0])
    missing = np.where(LABELS == 1, "a", "b").astype(object)
    missing[4] = None
    with pytest.raises(ValueError, match=r"LogisticRegression.*NoneType, str.*drop the rows"):
        LogisticRegression().fit(X, missing)
    with pytest.raises(ValueError, match="classes"):
        LogisticRegression(class_weight={0: 1.0, "one": 2.0}).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"class_weight\[1\] is -2"):
        LogisticRegression(class_weight={1: -2}).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"no weight for class 1:"):
        LogisticRegression(class_weight="balanced").fit(X, LABELS, (LABELS == 0) * 1.0)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (LogisticRegression(C=-1.0), "'C' parameter of LogisticRegression"),
        (LogisticRegression(C=0.0), "'C' parameter of LogisticRegression"),
        (LogisticRegression(solver="nwton"), "'solver' parameter of LogisticRegression"),
        (LogisticRegression(max_iter=-1), "'max_iter' parameter"),
        (LogisticRegression(class_weight="even"), "'class_weight' parameter"),
        (Ridge(alpha=-1.0), "'alpha' parameter of Ridge"),
        (Ridge(alpha=[1.0, 2.0]), "Number of targets and number of penalties do not correspond"),
        (Ridge(alpha=[-1.0]), "Ridge: alpha is .* at least 0"),
        (PoissonRegressor(tol=-1.0), "'tol' parameter of PoissonRegressor"),
        (HuberRegressor(epsilon=0.5), "'epsilon' parameter of HuberRegressor"),
        (GeneralizedLinearRegressor(loss="absolute"), "'loss' parameter"),
        (LinearRegression(standardize="yes"), "'standardize' parameter of LinearRegression"),
        (LinearRegression(positive=True), r"LinearRegression\(positive=True\).*sklearn"),
        (Ridge(positive=True), r"Ridge\(positive=True\).*sklearn"),
        (
            LogisticRegression(l1_ratio=0.5, solver="lbfgs"),
            r"solver='lbfgs'.*l1_ratio=0\.5.*smooth.*solver='auto'",
        ),
        (LogisticRegression(dual=True), "dual=True.*Leave dual out"),
        (
            LogisticRegression(solver="liblinear", intercept_scaling=10.0),
            "intercept_scaling.*Leave intercept_scaling out",
        ),
    ],
)
def test_parameters(model: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        model.fit(X, LABELS)


def test_callbacks_that_cannot_be_called() -> None:
    with pytest.raises(TypeError, match=r"LogisticRegression: callbacks holds 3.*IterationRecord"):
        LogisticRegression(callbacks=[3]).fit(X, LABELS)


def test_what_scikit_learn_deprecates() -> None:
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        model = LogisticRegression(penalty=None, tol=1e-9).fit(X, LABELS)
    expected = LogisticRegression(C=np.inf, tol=1e-9).fit(X, LABELS)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    with (
        pytest.warns(FutureWarning, match="was deprecated in scikit-learn 1.8"),
        pytest.raises(ValueError, match=r"penalty='elasticnet', l1_ratio=None.*Pass l1_ratio"),
    ):
        LogisticRegression(penalty="elasticnet", l1_ratio=None).fit(X, LABELS)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        model = LogisticRegression(penalty="l1", tol=1e-9).fit(X, LABELS)
    expected = LogisticRegression(l1_ratio=1.0, tol=1e-9).fit(X, LABELS)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    with pytest.warns(FutureWarning, match="'n_jobs' has no effect"):
        LogisticRegression(n_jobs=2).fit(X, LABELS)
    with pytest.warns(FutureWarning, match="l1_ratio=None"):
        LogisticRegression(l1_ratio=None).fit(X, LABELS)


def test_liblinear_is_for_two_classes() -> None:
    assert LogisticRegression(solver="liblinear", dual=True).fit(X, LABELS).coef_.shape == (1, 3)
    with pytest.raises(ValueError, match=r"'liblinear' solver does not support multiclass.*OneVs"):
        LogisticRegression(solver="liblinear").fit(X, np.arange(40) % 3)


def test_backends_that_cannot_be(monkeypatch: pytest.MonkeyPatch, jax_backend: Backend) -> None:
    asked = r"'nunba'.*backend= in Ridge.*Known: numpy, numba, cupy, jax, auto\. Did you mean"
    with pytest.raises(UnknownBackendError, match=asked):
        Ridge(backend="nunba").fit(X, COUNTS)
    missing = [status.name for status in available_backends() if not status.available]
    for name in missing:
        with pytest.raises(BackendUnavailableError, match=rf"{name}.*Usable here: numpy"):
            Ridge(backend=name).fit(X, COUNTS)
    monkeypatch.setenv("XPFIT_BACKEND", "nunba")
    with pytest.raises(UnknownBackendError, match="environment variable XPFIT_BACKEND"):
        Ridge().fit(X, COUNTS)
    with pytest.raises(UnknownBackendError, match="environment variable XPFIT_BACKEND"):
        Ridge(backend="numpy").fit(X, COUNTS)


def test_mixed_devices(jax_backend: Backend) -> None:
    on_jax = jax_backend.from_numpy
    for cls in ALL:
        with pytest.raises(MixedBackendError, match=rf"{cls.__name__}.*Move them to one"):
            cls().fit(on_jax(X), LABELS)
        with pytest.raises(MixedBackendError, match="Move them to one"):
            cls().fit(X, on_jax(LABELS))
        with pytest.raises(MixedBackendError, match="Move them to one"):
            cls().fit(on_jax(X), on_jax(LABELS), np.ones(40))
        with pytest.raises(MixedBackendError, match=r"'numpy'.*backend= in.*belong to.*'jax'"):
            cls(backend="numpy").fit(on_jax(X), on_jax(LABELS))


def test_bad_jax_arrays(jax_backend: Backend) -> None:
    on_jax = jax_backend.from_numpy
    y = on_jax(COUNTS)
    with pytest.raises(ValueError, match="Ridge: Expected 2D array, got 1D"):
        Ridge().fit(on_jax(X[:, 0]), y)
    with pytest.raises(ValueError, match="Ridge: X is empty"):
        Ridge().fit(on_jax(X[:0]), y[:0])
    with pytest.raises(ValueError, match="Ridge: Complex data not supported"):
        Ridge().fit(on_jax(X.astype(complex)), y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        Ridge().fit(on_jax(with_value(np.nan, 1)), y)
    with pytest.raises(ValueError, match="X has 2 features, but Ridge is expecting 3"):
        Ridge().fit(on_jax(X), y).predict(on_jax(X[:, :2]))
    with pytest.raises(ValueError, match="Ridge: X is sparse, which backend 'jax' does not take"):
        Ridge(backend="jax").fit(sp.csr_array(X), COUNTS)


def test_warm_start_needs_the_same_shape() -> None:
    model = LogisticRegression(warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"warm_start=True.*3 features.*clone"):
        model.fit(X[:, :2], LABELS)


def test_a_fit_that_did_not_converge_says_so() -> None:
    with pytest.warns(ConvergenceWarning, match=r"LogisticRegression.*max_iter") as caught:
        model = LogisticRegression(max_iter=1, solver="lbfgs", tol=1e-12).fit(X, LABELS)
    assert caught[0].filename == __file__
    assert not model.result_.converged


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separable_classes_without_a_penalty_end_with_a_reason() -> None:
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression(C=np.inf).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.score(X, y) == 1.0
    assert model.stop_reason_


def test_constant_columns_are_no_problem() -> None:
    constant = np.concatenate([X, np.full((40, 1), 3.0), np.zeros((40, 1))], axis=1)
    for cls in ALL:
        by_descent = cls in (SGDClassifier, SGDRegressor)
        for options in ({}, {"standardize": True})[: 1 + ("standardize" in cls().get_params())]:
            model = cls(**options).fit(constant, LABELS)
            assert np.isfinite(model.coef_).all()
            assert model.coef_.ravel()[-1] == pytest.approx(0.0, abs=1e-4)
            # Descent shares an offset between the intercept and a column that is constant.
            assert by_descent or model.coef_.ravel()[-2] == pytest.approx(0.0, abs=1e-4)
