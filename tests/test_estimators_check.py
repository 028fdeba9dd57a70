"""scikit-learn's own checks of every estimator, with no expected failure."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpfit.backends import get_backend, use_backend
from xpfit.estimators import (
    ElasticNet,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from xpfit.estimators._backend_choice import choose_host_backend
from xpfit.estimators._crossover import auto_crossover

CLASSES = (
    LinearRegression,
    Ridge,
    Lasso,
    ElasticNet,
    LogisticRegression,
    PoissonRegressor,
    HuberRegressor,
    GeneralizedLinearRegressor,
)
VARIANTS = (
    *(cls() for cls in CLASSES),
    *(cls(backend=name) for name in ("numpy", "numba") for cls in CLASSES),
    LogisticRegression(standardize=True),
    LogisticRegression(l1_ratio=0.5),
    LogisticRegression(solver="newton-cholesky"),
    LogisticRegression(solver="lbfgs", class_weight="balanced"),
    Ridge(solver="lsqr"),
    GeneralizedLinearRegressor(loss="huber"),
)


def run_check(estimator: Any, check: Any) -> None:
    """Run one check. Some fit one sample, or noise, and warn by design; a failure still fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        # The checks hand over lists of feature names of other lengths and deprecated flags.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        check(estimator)


@parametrize_with_checks(list(VARIANTS))
def test_check_estimator(estimator: Any, check: Any) -> None:
    run_check(estimator, check)


@pytest.mark.parametrize("cls", CLASSES)
def test_parameters_are_scikit_learns_and_ours(cls: type) -> None:
    import sklearn.linear_model

    theirs = getattr(sklearn.linear_model, cls.__name__, None)
    if theirs is None:
        assert cls is GeneralizedLinearRegressor
        return
    ours = set(cls().get_params())
    added = {"backend", "callbacks", "standardize"}
    if cls is HuberRegressor:
        added.remove("standardize")
    if cls is LogisticRegression:
        added.add("solver_options")
    assert ours == set(theirs().get_params()) | added
    changed = {"tol", "solver", *added}
    same = {key: value for key, value in theirs().get_params().items() if key not in changed}
    assert {key: cls().get_params()[key] for key in same} == same


def test_auto_takes_numpy_for_small_and_numba_for_large_data() -> None:
    assert choose_host_backend(auto_crossover() - 1, 1) == "numpy"
    assert choose_host_backend(auto_crossover(), 1) == "numba"
    assert choose_host_backend(10**6, 10**6, n_stored=10) == "numpy"


def test_backend_is_argument_then_context_then_environment_then_auto(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = np.arange(6.0)[:, None], np.arange(6.0)
    assert LinearRegression().fit(X, y).backend_ == "numpy"
    monkeypatch.setenv("XPFIT_BACKEND", "numba")
    assert LinearRegression().fit(X, y).backend_ == "numba"
    with use_backend("numpy"):
        assert LinearRegression().fit(X, y).backend_ == "numpy"
        assert LinearRegression(backend="numba").fit(X, y).backend_ == "numba"
    assert LinearRegression(backend="auto").fit(X, y).backend_ == "numpy"
    assert get_backend("numpy").name == "numpy"
