"""`LassoCV` and `ElasticNetCV` against scikit-learn's: alphas, errors of each fold, the choice."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as theirs
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from xpfit import ElasticNet, ElasticNetCV, Lasso, LassoCV

RNG = np.random.default_rng(5)
X = RNG.normal(size=(80, 7)) * [1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.1] + RNG.normal(size=7)
y = 3.0 * X[:, 0] - X[:, 1] + X[:, 4] + RNG.normal(size=80) + 2.0
WEIGHT = RNG.uniform(0.1, 3.0, size=80)
TIGHT = {"tol": 1e-11}
REFERENCE = {"tol": 1e-13, "max_iter": 100_000}

CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "lasso": (LassoCV, theirs.LassoCV, {"alphas": 12}),
    "no intercept": (LassoCV, theirs.LassoCV, {"alphas": 12, "fit_intercept": False, "eps": 0.01}),
    "alphas given": (LassoCV, theirs.LassoCV, {"alphas": [0.01, 1.0, 0.1], "cv": 3}),
    "shuffled": (LassoCV, theirs.LassoCV, {"cv": KFold(4, shuffle=True, random_state=0)}),
    "repeated": (
        LassoCV,
        theirs.LassoCV,
        {"alphas": 6, "cv": ShuffleSplit(3, test_size=0.3, random_state=1)},
    ),
    "bootstrap": (
        LassoCV,
        theirs.LassoCV,
        {"alphas": 6, "cv": [(RNG.integers(0, 60, 90), np.arange(60, 80))]},
    ),
    "elastic net": (ElasticNetCV, theirs.ElasticNetCV, {"alphas": 9}),
    "ratios": (ElasticNetCV, theirs.ElasticNetCV, {"alphas": 9, "l1_ratio": [0.2, 0.7, 1.0]}),
    "ratios, alphas given": (
        ElasticNetCV,
        theirs.ElasticNetCV,
        {"alphas": [0.3, 0.02, 0.1], "l1_ratio": [0.2, 1.0]},
    ),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_scikit_learn(case: str, weight: Any) -> None:
    cls, reference, options = CASES[case]
    ours = cls(**options, **TIGHT).fit(X, y, sample_weight=weight)
    expected = reference(**options, **REFERENCE).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.alphas_, expected.alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.mse_path_, expected.mse_path_, rtol=1e-6)
    assert ours.alpha_ == pytest.approx(expected.alpha_, rel=1e-10)
    assert getattr(ours, "l1_ratio_", None) == getattr(expected, "l1_ratio_", None)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-6)
    assert ours.intercept_ == pytest.approx(expected.intercept_, abs=1e-6)
    assert ours.score(X, y) == pytest.approx(expected.score(X, y), abs=1e-6)
    assert ours.dual_gap_ < 1e-8


def test_the_last_fit_is_that_of_the_plain_estimator() -> None:
    chosen = ElasticNetCV(l1_ratio=[0.5, 0.9], alphas=7, standardize=True).fit(X, y, WEIGHT)
    plain = ElasticNet(alpha=chosen.alpha_, l1_ratio=chosen.l1_ratio_, standardize=True)
    plain.fit(X, y, WEIGHT)
    np.testing.assert_array_equal(chosen.coef_, plain.coef_)
    assert chosen.intercept_ == plain.intercept_
    assert chosen.dual_gap_ == plain.dual_gap_
    assert chosen.n_passes_ > plain.n_passes_
    assert (chosen.sparse_coef_.toarray() == chosen.coef_).all()


def test_standardizing_uses_the_training_rows_alone() -> None:
    splits = list(KFold(3).split(X))
    ours = LassoCV(alphas=[0.3, 0.03], cv=splits, standardize=True, **TIGHT).fit(X, y)
    for index, (train, test) in enumerate(splits):
        for row, alpha in enumerate(ours.alphas_):
            fold = Lasso(alpha=alpha, standardize=True, **TIGHT).fit(X[train], y[train])
            error = np.mean((fold.predict(X[test]) - y[test]) ** 2)
            assert ours.mse_path_[row, index] == pytest.approx(error, rel=1e-8)


def test_sparse_x() -> None:
    dense = LassoCV(alphas=6, cv=KFold(3, shuffle=True, random_state=0), **TIGHT).fit(X, y)
    csr = LassoCV(alphas=6, cv=KFold(3, shuffle=True, random_state=0), **TIGHT)
    csr.fit(sparse.csr_matrix(X), y)
    np.testing.assert_allclose(csr.mse_path_, dense.mse_path_, rtol=1e-8)
    np.testing.assert_allclose(csr.coef_, dense.coef_, atol=1e-8)


def test_groups_reach_the_splitter() -> None:
    groups = RNG.integers(0, 6, size=80)
    options = {"alphas": 5, "cv": GroupKFold(3)}
    with config_context(enable_metadata_routing=True):
        ours = LassoCV(**options, **TIGHT).fit(X, y, groups=groups)
        expected = theirs.LassoCV(**options, **REFERENCE).fit(X, y, groups=groups)
    np.testing.assert_allclose(ours.mse_path_, expected.mse_path_, rtol=1e-6)
    with pytest.raises(ValueError, match="groups"):
        LassoCV(**options).fit(X, y, groups=groups)


def test_callbacks_are_told_of_each_fold_and_strength() -> None:
    class Watch:
        def __init__(self) -> None:
            self.told: list[Any] = []
            self.count: list[int] = []

        def fit_begins(self, about: Any) -> None:
            self.told.append(about[:3])
            self.count.append(0)

        def __call__(self, record: Any) -> None:
            self.count[-1] += 1

    watch = Watch()
    LassoCV(alphas=4, cv=2, callbacks=watch).fit(X, y)
    assert watch.told[:2] == [(f"LassoCV, fold {k} of 2", 4, "strength") for k in (1, 2)]
    assert watch.told[2][2] == "iteration"
    assert watch.count[:2] == [4, 4]


def test_a_callback_that_ends_a_fold_leaves_the_alphas_that_all_folds_have() -> None:
    seen: list[Any] = []

    def end_the_second_fold(record: Any) -> bool:
        seen.append(record)
        return len(seen) == 8

    model = LassoCV(alphas=5, cv=3, callbacks=end_the_second_fold).fit(X, y)
    assert model.mse_path_.shape == (3, 3)
    assert len(model.alphas_) == 3
    assert model.alpha_ in model.alphas_


def test_control_c_ends_the_fit() -> None:
    def interrupt(record: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LassoCV(alphas=4, callbacks=interrupt).fit(X, y)


def test_fits_that_did_not_converge_are_counted_in_one_warning() -> None:
    wide = RNG.normal(size=(80, 2100))  # no Gram matrix of all columns
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LassoCV(alphas=[1.0, 1e-3], cv=2, max_iter=1, tol=1e-12).fit(wide, y)
    texts = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert sum(text.startswith("LassoCV: 4 of 4 fits did not converge") for text in texts) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"alphas": [1.0, -1.0]}, "alphas is .*greater than 0"),
        ({"alphas": []}, "at least one"),
        ({"alphas": [[1.0], [2.0]]}, "Pass a list"),
        ({"l1_ratio": [0.5, 2.0]}, "between 0 and 1"),
        ({"l1_ratio": 0.0}, "Pass alphas"),
        ({"cv": 100}, "n_splits=100"),
        ({"cv": []}, "no folds"),
        ({"cv": [(np.arange(80), np.asarray([], dtype=int))]}, "0 held out"),
        ({"positive": True}, "positive=True"),
    ],
)
def test_bad_parameters_are_refused(options: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        ElasticNetCV(**options).fit(X, y)


def test_held_out_rows_without_weight_are_refused() -> None:
    weight = np.ones(80)
    weight[:16] = 0.0
    with pytest.raises(ValueError, match="fold 1 of 5 is not finite: its held-out rows have"):
        LassoCV(alphas=3).fit(X, y, weight)
    weight = np.zeros(80)
    weight[:16] = 1.0
    with pytest.raises(ValueError, match="fold 1 of 5: no training row has a weight"):
        LassoCV(alphas=3).fit(X, y, weight)
