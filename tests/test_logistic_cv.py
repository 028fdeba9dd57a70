"""`LogisticRegressionCV` against scikit-learn's: scores, paths, the choice, and its refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as theirs
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, make_scorer
from sklearn.model_selection import GroupKFold, KFold

from xpfit import LogisticRegression, LogisticRegressionCV

RNG = np.random.default_rng(11)
X = RNG.normal(size=(120, 5)) * [1.0, 2.0, 0.5, 1.0, 1.5]
RAW = 1.5 * X[:, 0] - X[:, 1] + RNG.normal(size=120)
BINARY = np.where(RAW > 0.3, "yes", "no")
THREE = np.digitize(RAW, np.quantile(RAW, [0.3, 0.6])) + 5
WEIGHT = RNG.uniform(0.2, 2.0, size=120)
REFERENCE = {
    "solver": "newton-cholesky", "tol": 1e-10, "max_iter": 10_000, "use_legacy_attributes": False,
}  # fmt: skip


def negative_brier(estimator: Any, X: Any, y: Any) -> float:
    """A scorer that is a plain function and looks at coefficients and rows."""
    assert np.shape(estimator.coef_)[-1] == X.shape[1]
    return -brier_score_loss(y, estimator.predict_proba(X)[:, 1], pos_label="yes")


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "accuracy": (BINARY, {"scoring": None, "Cs": 6}),
    "log loss": (BINARY, {"scoring": "neg_log_loss", "Cs": [1.0, 0.01, 10.0, 0.1]}),
    "balanced": (BINARY, {"scoring": "roc_auc", "Cs": 4, "class_weight": "balanced"}),
    "weights of classes": (THREE, {"scoring": None, "Cs": 4, "class_weight": {5: 3.0}}),
    "no intercept": (BINARY, {"scoring": "neg_log_loss", "Cs": 4, "fit_intercept": False}),
    "no refit": (BINARY, {"scoring": "neg_log_loss", "Cs": 4, "refit": False}),
    "softmax": (THREE, {"scoring": "neg_log_loss", "Cs": [0.1, 1.0]}),
    "softmax, no refit": (THREE, {"scoring": "accuracy", "Cs": [1.0, 0.1], "refit": False}),
    "a function": (BINARY, {"scoring": negative_brier, "Cs": [0.1, 1.0]}),
    "folds without a class": (THREE, {"scoring": "neg_log_loss", "Cs": [1.0], "cv": KFold(60)}),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_scikit_learn(case: str, weight: Any) -> None:
    y, options = CASES[case]
    if case == "a function":
        weight = None  # scikit-learn would hand weights to this scorer, which takes none
    ours = LogisticRegressionCV(tol=1e-9, **options).fit(X, y, sample_weight=weight)
    expected = theirs.LogisticRegressionCV(**REFERENCE, **options, l1_ratios=(0.0,))
    expected.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(ours.Cs_, expected.Cs_)
    np.testing.assert_array_equal(ours.classes_, expected.classes_)
    np.testing.assert_array_equal(ours.l1_ratios_, expected.l1_ratios_)
    assert (ours.C_, ours.l1_ratio_) == (pytest.approx(expected.C_), expected.l1_ratio_)
    np.testing.assert_allclose(ours.scores_, expected.scores_, atol=2e-6)
    np.testing.assert_allclose(ours.coefs_paths_, expected.coefs_paths_, rtol=1e-4, atol=1e-4)
    assert ours.n_iter_.shape == expected.n_iter_.shape
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, expected.intercept_, atol=1e-5)
    assert ours.score(X, y) == pytest.approx(expected.score(X, y), abs=1e-7)


def test_shares_of_the_l1_penalty_are_those_of_single_fits() -> None:
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    ours = LogisticRegressionCV(
        Cs=[0.5, 0.05], l1_ratios=[0.0, 0.5, 1.0], cv=folds, scoring="neg_log_loss", tol=1e-10,
        standardize=True,
    ).fit(X, BINARY)  # fmt: skip
    assert ours.scores_.shape == ours.n_iter_.shape == (3, 3, 2)
    assert ours.coefs_paths_.shape == (3, 3, 2, 1, 6)
    for f, (train, test) in enumerate(folds):
        for r, ratio in enumerate(ours.l1_ratios_):
            for c, C in enumerate(ours.Cs_):
                one = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-10, standardize=True)
                one.fit(X[train], BINARY[train])
                found = np.r_[one.coef_[0], one.intercept_]
                np.testing.assert_allclose(ours.coefs_paths_[f, r, c, 0], found, atol=1e-6)
                truth = (BINARY[test] == "yes").astype(int)
                chance = one.predict_proba(X[test])[np.arange(len(test)), truth]
                assert ours.scores_[f, r, c] == pytest.approx(np.log(chance).mean(), abs=1e-6)
    mean = ours.scores_.mean(axis=0)
    r, c = np.unravel_index(mean.argmax(), mean.shape)
    assert (ours.l1_ratio_, ours.C_) == (ours.l1_ratios_[r], ours.Cs_[c])


def test_groups_and_weights_are_routed() -> None:
    groups = RNG.integers(0, 6, size=120)
    options = {"Cs": 3, "cv": GroupKFold(3), "scoring": make_scorer(brier, greater_is_better=False)}
    with config_context(enable_metadata_routing=True):
        ours = LogisticRegressionCV(**options).fit(X, BINARY, groups=groups)
        expected = theirs.LogisticRegressionCV(**options, **REFERENCE, l1_ratios=(0.0,))
        expected.fit(X, BINARY, groups=groups)
    np.testing.assert_allclose(ours.scores_, expected.scores_, atol=1e-6)


def brier(y: Any, predicted: Any) -> float:
    return float(np.mean(y != predicted))


def test_a_penalty_by_its_old_name() -> None:
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        old = LogisticRegressionCV(Cs=[0.1], penalty="l1").fit(X, BINARY)
    assert old.l1_ratio_ == 1.0
    with pytest.warns(FutureWarning, match="l1_ratios=None"):
        old = LogisticRegressionCV(Cs=[0.1], l1_ratios=None).fit(X, BINARY)
    assert old.l1_ratio_ == 0.0


def test_a_callback_that_ends_a_fold_leaves_the_cs_that_all_folds_have() -> None:
    seen: list[Any] = []

    def end_the_second_fold(record: Any) -> bool:
        seen.append(record)
        return len(seen) == 6

    model = LogisticRegressionCV(Cs=[9.0, 0.01, 1.0, 0.1], cv=3, callbacks=end_the_second_fold)
    model.fit(X, BINARY)
    assert model.Cs_.tolist() == [0.01, 0.1]
    assert model.scores_.shape == (3, 1, 2)


def test_fits_that_did_not_converge_are_counted_in_one_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LogisticRegressionCV(Cs=[1.0, 2.0], cv=2, max_iter=1, tol=1e-12).fit(X, BINARY)
    texts = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert sum("4 of 4 fits did not converge" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("options", "y", "what"),
    [
        ({"Cs": [1.0, -1.0]}, BINARY, "Cs is .*greater than 0"),
        ({"Cs": [1.0, np.inf]}, BINARY, "Cs is .*finite"),
        ({"l1_ratios": [2.0]}, BINARY, "l1_ratios is"),
        ({"l1_ratios": []}, BINARY, "l1_ratios is"),
        ({"l1_ratios": [0.5], "solver": "lbfgs"}, BINARY, "smooth costs"),
        ({"use_legacy_attributes": True}, BINARY, "use_legacy_attributes=False"),
        ({"cv": 100}, BINARY, "n_splits=100 cannot be greater"),
        ({}, np.zeros(120), "only one class"),
        ({"solver": "liblinear"}, THREE, "multiclass"),
        ({"scoring": "nonsense"}, BINARY, "scoring"),
    ],
)
def test_bad_input_is_refused(options: Any, y: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        LogisticRegressionCV(**options).fit(X, y)


def test_scores_that_are_not_finite_are_refused() -> None:
    def undefined(estimator: Any, X: Any, y: Any) -> float:
        return float("nan")

    with pytest.raises(ValueError, match="score of fold 1 of 5 is not finite"):
        LogisticRegressionCV(Cs=2, scoring=undefined).fit(X, BINARY)
