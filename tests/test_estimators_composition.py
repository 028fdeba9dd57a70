"""The estimators inside scikit-learn's own: pipelines, searches, wrappers, metadata routing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from helpers import USERS_OWN
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

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

CANCER_X, CANCER_Y = load_breast_cancer(return_X_y=True)
SCALED = StandardScaler().fit_transform(CANCER_X)
IRIS_X, IRIS_Y = load_iris(return_X_y=True)
DIABETES_X, DIABETES_Y = load_diabetes(return_X_y=True)


def test_pipeline_and_grid_search() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.01, 1.0, np.inf]}, cv=3)
    search.fit(CANCER_X[:, :6], CANCER_Y)
    assert search.best_score_ > 0.9
    assert isinstance(search.best_estimator_[-1], LogisticRegression)


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (Lasso(), {"alpha": [0.01, 0.1, 1.0]}),
        (ElasticNet(), {"alpha": [0.01, 0.1], "l1_ratio": [0.2, 0.9]}),
        (SGDRegressor(random_state=0, eta0=0.01), {"alpha": [1e-4, 1e-2]}),
        (SGDRegressor(random_state=0, eta0=0.1, batch_size=16), {"optimizer": ["adam", "rmsprop"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_searches_over_regressors(model: Any, grid: dict[str, Any]) -> None:
    scaled = (DIABETES_Y - DIABETES_Y.mean()) / DIABETES_Y.std()
    pipeline = make_pipeline(StandardScaler(), clone(model))
    names = {f"{type(model).__name__.lower()}__{key}": value for key, value in grid.items()}
    search = GridSearchCV(pipeline, names, cv=3).fit(DIABETES_X, scaled)
    assert 0.4 < search.best_score_ < 0.6
    assert (
        search.best_estimator_[-1].get_params().items()
        >= {key.partition("__")[2]: value for key, value in search.best_params_.items()}.items()
    )


def test_lasso_and_descent_inside_wrappers() -> None:
    chosen = SelectFromModel(Lasso(alpha=5.0)).fit(DIABETES_X, DIABETES_Y)
    kept = Lasso(alpha=5.0).fit(DIABETES_X, DIABETES_Y).coef_ != 0.0
    assert np.array_equal(chosen.get_support(), kept) or not kept.any()
    log = TransformedTargetRegressor(ElasticNet(alpha=1e-4), func=np.log, inverse_func=np.exp)
    assert log.fit(DIABETES_X, DIABETES_Y).score(DIABETES_X, DIABETES_Y) > 0.3
    descent = SGDClassifier(random_state=0)
    calibrated = CalibratedClassifierCV(descent, cv=3).fit(SCALED, CANCER_Y)
    assert calibrated.score(SCALED, CANCER_Y) > 0.95
    bag = BaggingClassifier(descent, n_estimators=3, random_state=0).fit(SCALED, CANCER_Y)
    assert bag.score(SCALED, CANCER_Y) > 0.95
    hinge = OneVsRestClassifier(
        SGDClassifier(loss="squared_hinge", random_state=0, eta0=0.01, learning_rate="constant")
    )
    assert (
        hinge.fit(StandardScaler().fit_transform(IRIS_X), IRIS_Y).score(
            StandardScaler().fit_transform(IRIS_X), IRIS_Y
        )
        > 0.85
    )


def test_cross_validation_agrees_with_scikit_learn() -> None:
    ours = cross_val_score(
        LogisticRegression(tol=1e-6), SCALED, CANCER_Y, cv=5, scoring="neg_log_loss"
    )
    reference = Reference(solver="newton-cholesky", tol=1e-8)
    theirs = cross_val_score(reference, SCALED, CANCER_Y, cv=5, scoring="neg_log_loss")
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    ours = cross_val_score(Ridge(), DIABETES_X, DIABETES_Y, cv=3)
    theirs = cross_val_score(sklearn.linear_model.Ridge(), DIABETES_X, DIABETES_Y, cv=3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    for name in ("Lasso", "ElasticNet"):
        cls, options = {"Lasso": Lasso, "ElasticNet": ElasticNet}[name], {"alpha": 0.05}
        reference = getattr(sklearn.linear_model, name)(tol=1e-10, max_iter=100_000, **options)
        ours = cross_val_score(cls(tol=1e-10, **options), DIABETES_X, DIABETES_Y, cv=3)
        theirs = cross_val_score(reference, DIABETES_X, DIABETES_Y, cv=3)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("wrap", [OneVsRestClassifier, OneVsOneClassifier])
def test_one_versus_rest_and_one(wrap: Any) -> None:
    model = wrap(LogisticRegression(solver="liblinear")).fit(IRIS_X, IRIS_Y)
    assert model.score(IRIS_X, IRIS_Y) > 0.9


def test_calibration() -> None:
    model = CalibratedClassifierCV(LogisticRegression(), cv=3).fit(SCALED, CANCER_Y)
    assert model.score(SCALED, CANCER_Y) > 0.95


def test_thresholds() -> None:
    model = TunedThresholdClassifierCV(LogisticRegression(), scoring="f1", cv=3)
    assert model.fit(SCALED, CANCER_Y).score(SCALED, CANCER_Y) > 0.95
    fixed = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(SCALED, CANCER_Y)
    assert (
        fixed.predict(SCALED).mean()
        < LogisticRegression().fit(SCALED, CANCER_Y).predict(SCALED).mean()
    )


def test_stacking_and_bagging() -> None:
    stack = StackingClassifier(
        [("a", LogisticRegression()), ("b", LogisticRegression(C=0.01))], LogisticRegression(), cv=3
    )
    assert stack.fit(SCALED, CANCER_Y).score(SCALED, CANCER_Y) > 0.95
    bag = BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0)
    assert bag.fit(SCALED, CANCER_Y).score(SCALED, CANCER_Y) > 0.95


def test_selection_importance_and_targets() -> None:
    chosen = SelectFromModel(LogisticRegression(), max_features=5).fit(SCALED, CANCER_Y)
    assert chosen.get_support().sum() == 5
    model = Ridge().fit(DIABETES_X, DIABETES_Y)
    importance = permutation_importance(model, DIABETES_X, DIABETES_Y, n_repeats=2, random_state=0)
    assert np.isfinite(importance.importances_mean).all()
    transformed = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    assert transformed.fit(DIABETES_X, DIABETES_Y).score(DIABETES_X, DIABETES_Y) > 0.3
    several = MultiOutputRegressor(HuberRegressor()).fit(
        DIABETES_X, np.stack([DIABETES_Y, 2 * DIABETES_Y], axis=1)
    )
    assert several.predict(DIABETES_X).shape == (442, 2)


def test_sparse_columns_from_a_one_hot_encoder() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (200, 2)).astype(str)
    y = (X[:, 0] > "2").astype(int)
    encode = make_column_transformer((OneHotEncoder(), [0, 1]), sparse_threshold=1.0)
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    assert model.score(X, y) == 1.0


def test_metadata_routing_of_sample_weight() -> None:
    weight = np.random.default_rng(0).uniform(0.1, 5.0, len(CANCER_Y))
    with sklearn.config_context(enable_metadata_routing=True):
        step = LogisticRegression(tol=1e-9).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), step)
        pipeline.fit(CANCER_X, CANCER_Y, sample_weight=weight)
        scored = LogisticRegression().set_score_request(sample_weight=True)
        scored.set_fit_request(sample_weight=True)
        cross_val_score(scored, SCALED, CANCER_Y, params={"sample_weight": weight}, cv=2)
    expected = LogisticRegression(tol=1e-9).fit(SCALED, CANCER_Y, weight)
    np.testing.assert_allclose(pipeline[-1].coef_, expected.coef_, rtol=1e-5)


def test_clone_keeps_a_users_loss_and_callbacks() -> None:
    model = GeneralizedLinearRegressor(loss=USERS_OWN, callbacks=[len])
    assert clone(model).loss == USERS_OWN
    assert clone(model).callbacks == [len]


def test_a_users_loss_fits_scores_and_cross_validates() -> None:
    y = (DIABETES_Y - DIABETES_Y.mean()) / DIABETES_Y.std()
    X = StandardScaler().fit_transform(DIABETES_X)
    model = GeneralizedLinearRegressor(loss=USERS_OWN, alpha=0.01).fit(X, y)
    assert 0.2 < model.score(X, y) < 1.0
    assert cross_val_predict(model, X, y, cv=3).shape == y.shape


@pytest.mark.parametrize("loss", ["half_squared_error", "huber", "half_poisson"])
def test_d2_is_zero_for_the_best_constant_and_scikit_learns_elsewhere(loss: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    y = rng.poisson(np.exp(0.5 * X[:, 0] + 1.0)).astype(float)
    constant = GeneralizedLinearRegressor(loss=loss, alpha=0.0).fit(np.zeros((300, 1)), y)
    assert constant.score(np.zeros((300, 1)), y) == pytest.approx(0.0, abs=1e-9)
    model = GeneralizedLinearRegressor(loss=loss, alpha=0.0).fit(X, y)
    assert 0.05 < model.score(X, y) < 1.0
    if loss == "half_poisson":
        theirs = sklearn.linear_model.PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, y)
        assert model.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-8)
        assert PoissonRegressor(alpha=0.0).fit(X, y).score(X, y) == pytest.approx(
            theirs.score(X, y), abs=1e-8
        )
