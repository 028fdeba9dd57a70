"""What errors name: the text and where it is, the order of choices, the cause and not a fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
from sklearn.utils._param_validation import StrOptions

from xpfit import (
    ElasticNetCV,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from xpfit.estimators import _sgd_options

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = np.abs(X[:, 0])


def frame() -> pandas.DataFrame:
    columns = pandas.DataFrame(X, columns=["age", "job", "spent"]).astype({"job": object})
    columns.loc[4, "job"] = "cook"
    return columns


@pytest.mark.parametrize("model", [Ridge(), SGDRegressor(), PoissonRegressor(), RidgeCV()], ids=str)
@pytest.mark.parametrize("kind", [object, str, list])
def test_text_as_a_target_is_shown(model: Any, kind: Any) -> None:
    text: Any = ["1.5"] * 29 + ["high"]
    text = text if kind is list else np.asarray(text, dtype=kind)
    who = type(model).__name__
    with pytest.raises(ValueError, match=rf"^{who}: y holds text, 'high' in row 29\. Pass numbers"):
        model.fit(X, text)


@pytest.mark.parametrize("model", [LinearRegression(), LogisticRegression()], ids=str)
def test_text_in_a_column_is_shown_with_its_place(model: Any) -> None:
    y, place = np.median(Y) < Y, r"X holds text, 'cook' in column 1"
    values = frame().to_numpy()
    for data in (values, values.astype(str), values.tolist()):
        with pytest.raises(ValueError, match=rf"{place}, row 4\. Encode such columns as numbers"):
            model.fit(data, y)
    with pytest.raises(ValueError, match=rf"{place} 'job', row 4\."):
        model.fit(frame(), y)
    with pytest.raises(ValueError, match=r"X holds text, 'x' in column 0 'a', row 0\."):
        model.fit(polars.DataFrame({"a": ["x"] * 30, "b": Y}), y)
    model.fit(X, y)
    with pytest.raises(ValueError, match=place):
        model.predict(values)


def test_numbers_as_objects_are_numbers_and_other_faults_keep_their_text() -> None:
    model = Ridge().fit(X.astype(object), Y.astype(object))
    np.testing.assert_array_equal(model.coef_, Ridge().fit(X, Y).coef_)
    with pytest.raises(ValueError, match="Expected 2D array"):
        Ridge().fit(X[:, 0].astype(object), Y)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("n_rows", [30, 4])
def test_squares_that_overflow_are_named_so(
    cv: Any, standardize: bool, kind: Any, n_rows: int
) -> None:
    model = RidgeCV(cv=cv, standardize=standardize)
    wide = np.hstack([X] * 3)[:n_rows]
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match=r"in RidgeCV overflowed, though X is finite.*Scale them"),
    ):
        model.fit(kind(wide * 1e200), Y[:n_rows])


def test_a_leave_one_out_score_that_is_not_finite_speaks_of_no_fold() -> None:
    text = r"leave-one-out score at alpha=0.1 is not finite: values of X or y are too large"
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=text):
        RidgeCV().fit(X, Y * 1e200)


@pytest.mark.parametrize(
    "model", [RidgeCV(cv=3), LassoCV(alphas=[0.1]), ElasticNetCV(), LogisticRegressionCV()], ids=str
)
@pytest.mark.parametrize(("value", "text"), [(np.nan, "NaN (in column 1)"), (1e300, "overflowed")])
def test_a_cause_that_all_folds_share_is_no_fold_s(model: Any, value: float, text: str) -> None:
    damaged = X.copy()
    damaged[:, 1] *= value
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError) as raised:  # noqa: PT011
        model.fit(damaged, np.median(Y) < Y)
    assert text in str(raised.value)
    assert type(model).__name__ in str(raised.value)
    assert "fold" not in str(raised.value)


def test_choices_are_told_in_the_order_of_the_alphabet() -> None:
    solvers = r"\{'adagrad', 'adam', 'adamw', 'auto', 'gd', 'lbfgs', .*'sgd'\}"
    with pytest.raises(ValueError, match=solvers):
        LogisticRegression(solver="fast").fit(X, Y > 1.0)
    with pytest.raises(ValueError, match=r"\{'elasticnet', 'l1', 'l2'\} or None"):
        SGDClassifier(penalty="l0").fit(X, Y > 1.0)


def test_no_constraint_is_told_in_the_order_of_a_set() -> None:
    models = (LogisticRegressionCV, RidgeCV, LassoCV, SGDClassifier, SGDRegressor, PoissonRegressor)
    constraints = [_sgd_options.SGD_CONSTRAINTS, *(m._parameter_constraints for m in models)]
    for kinds in (kinds for named in constraints for kinds in named.values()):
        for kind in kinds:
            if isinstance(kind, StrOptions):
                names = str(kind).partition("{")[2].rstrip("}").split(", ")
                assert names == sorted(names)
