"""scikit-learn's own checks of the estimators that cross-validate, with no expected failure."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import sklearn.linear_model
from sklearn.utils.estimator_checks import parametrize_with_checks
from test_estimators_check import run_check

from xpfit import ElasticNetCV, LassoCV, LogisticRegressionCV, RidgeCV

VARIANTS = (
    LassoCV(alphas=5, cv=3),
    ElasticNetCV(alphas=4, cv=3, l1_ratio=[0.3, 1.0]),
    LogisticRegressionCV(Cs=3, cv=3),
    LogisticRegressionCV(Cs=[1.0, 0.1], cv=3, l1_ratios=(0.0, 1.0), refit=False),
    RidgeCV(),
    RidgeCV(cv=3),
)
CLASSES = tuple(dict.fromkeys(type(variant) for variant in VARIANTS))
# What scikit-learn says by a warning is said outright here.
SETTLED = {"l1_ratios", "scoring", "use_legacy_attributes"}


@parametrize_with_checks(list(VARIANTS))
def test_check_estimator(estimator: Any, check: Any) -> None:
    run_check(estimator, check)


@pytest.mark.parametrize("cls", CLASSES)
def test_parameters_are_scikit_learns_and_ours(cls: type) -> None:
    theirs = getattr(sklearn.linear_model, cls.__name__)()
    ours = cls()
    added = {"backend", "callbacks", "standardize"}
    assert set(ours.get_params()) == set(theirs.get_params()) | added
    changed = {"tol", "solver", *SETTLED, *added}
    same = {key: value for key, value in theirs.get_params().items() if key not in changed}
    assert {key: ours.get_params()[key] for key in same} == same
    for name, parameter in inspect.signature(type(theirs)).parameters.items():
        assert inspect.signature(cls).parameters[name].kind == parameter.kind
