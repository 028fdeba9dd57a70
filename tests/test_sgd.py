"""`SGDClassifier` and `SGDRegressor`: the same model on every backend, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model
from sgd_data import FAST, binary, numeric, quietly, three_classes
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpfit import LogisticRegression, Ridge, SGDClassifier, SGDRegressor, get_backend
from xpfit.core.losses import huber
from xpfit.core.optimizers import Adam
from xpfit.core.schedules import Cosine
from xpfit.estimators import load

WEIGHTS = "a row of weight 0 still takes its turn in a shuffled epoch, as in scikit-learn"
FAR = "X lies 100 away from zero: any first rate above 1e-5 diverges, and that is an error here"
NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}
DIVERGES = {
    "check_fit_idempotent": FAR,
    "check_fit_check_is_fitted": FAR,
    "check_n_features_in": FAR,
}


def failing(estimator: Any) -> dict[str, str]:
    plain = isinstance(estimator, SGDRegressor) and estimator.optimizer == "sgd"
    return NOT_MET | (DIVERGES if plain else {})


@parametrize_with_checks(
    [
        SGDClassifier(), SGDRegressor(), SGDClassifier(backend="numpy", **FAST),
        SGDRegressor(backend="numpy", **FAST), SGDRegressor(early_stopping=True),
        SGDClassifier(early_stopping=True, average=True),
    ],
    expected_failed_checks=failing,
)  # fmt: skip
def test_check_estimator(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, UserWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        check(estimator)


@pytest.mark.parametrize("cls", [SGDClassifier, SGDRegressor])
def test_parameters_are_scikit_learns_and_ours(cls: type) -> None:
    theirs = getattr(sklearn.linear_model, cls.__name__)().get_params()
    ours = cls().get_params()
    added = {
        "optimizer", "momentum", "nesterov", "schedule", "batch_size", "max_norm", "backend",
        "checkpoint", "resume",
        "callbacks",
    }  # fmt: skip
    assert set(ours) == (set(theirs) | added) - {"epsilon"} or cls is SGDRegressor
    changed = {"loss", "n_iter_no_change", *added, "epsilon"}
    assert {k: v for k, v in ours.items() if k not in changed} == {
        k: v for k, v in theirs.items() if k not in changed
    }


@pytest.mark.parametrize("options", [
    {"batch_size": 1}, {"batch_size": 32, "optimizer": "adam"},
    {"batch_size": 16, "momentum": 0.9, "nesterov": True, "learning_rate": "constant"},
    {"batch_size": 8, "optimizer": "rmsprop", "average": 10},
    {"batch_size": 10_000, "momentum": 0.9, "learning_rate": "constant", "early_stopping": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("data", [binary, three_classes])
def test_one_seed_is_one_model_on_every_backend(data: Any, options: dict[str, Any]) -> None:
    X, y = data()
    models = {}
    for name in ("numpy", "numba", "jax"):
        model = SGDClassifier(max_iter=5, tol=None, random_state=3, backend=name, **options)
        models[name] = quietly(model, X, y)
        assert models[name].backend_ == name
    size = np.abs(models["numpy"].coef_).max()
    for name in ("numba", "jax"):
        for attribute in ("coef_", "intercept_", "loss_history_", "validation_loss_history_"):
            np.testing.assert_allclose(
                getattr(models[name], attribute), getattr(models["numpy"], attribute),
                rtol=1e-8, atol=1e-8 * size,
            )  # fmt: skip


def test_unshuffled_descent_is_scikit_learns() -> None:
    X, y = binary()
    options = {
        "loss": "log_loss", "alpha": 0.0, "learning_rate": "invscaling", "eta0": 0.1,
        "power_t": 0.5, "max_iter": 3, "tol": None, "shuffle": False,
    }  # fmt: skip
    theirs = sklearn.linear_model.SGDClassifier(**options).fit(X, y)
    ours = quietly(SGDClassifier(**options), X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9)
    assert ours.t_ == theirs.t_


def test_many_epochs_reach_the_optimum() -> None:
    X, y = binary()
    alpha = 1e-1
    optimum = LogisticRegression(C=1.0 / (alpha * len(y)), tol=1e-10).fit(X, y)
    model = SGDClassifier(
        alpha=alpha, batch_size=len(y), learning_rate="constant", eta0=1.0, momentum=0.9,
        nesterov=True, max_iter=3000, tol=0.0, n_iter_no_change=50,
    )  # fmt: skip
    model.fit(X, y)
    assert model.loss_history_[-1] < (1.0 + 1e-6) * optimum.loss_history_[-1]
    X, y = numeric()
    exact = Ridge(alpha=alpha * len(y)).fit(X, y)
    averaged = SGDRegressor(alpha=alpha, average=2000, max_iter=60, tol=None, random_state=0)
    assert quietly(averaged, X, y).score(X, y) > exact.score(X, y) - 2e-3


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_by_name_learns(name: str) -> None:
    X, y = three_classes()
    options = {"batch_size": 8, "eta0": 0.05, "max_iter": 50, "random_state": 0}
    for schedule in (None, "inverse_time", Cosine(0.05, period=100)):
        if schedule == "inverse_time":
            continue  # needs its decay: a name alone does for those without further fields
        model = SGDClassifier(optimizer=name, schedule=schedule, **options)
        assert quietly(model, X, y).score(X, y) > 0.9
        assert model.solver_ == name


def test_sparse_rows_and_weights_of_classes() -> None:
    X, y = binary()
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    options = {**FAST, "max_iter": 5, "tol": None}
    weight = np.where(y == 1, 3.0, 1.0)
    dense = quietly(SGDClassifier(**options), X, y, sample_weight=weight)
    sparse = quietly(SGDClassifier(**options), scipy.sparse.csr_matrix(X), y, sample_weight=weight)
    by_class = quietly(SGDClassifier(class_weight={1: 3.0}, **options), X, y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-8)
    np.testing.assert_allclose(by_class.coef_, dense.coef_, rtol=1e-8)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"optimizer": "adamm"}, ValueError, "adam"),
        ({"optimizer": "adam", "momentum": 0.9}, ValueError, "belong to optimizer='sgd'"),
        ({"optimizer": Adam(), "schedule": "constant"}, ValueError, "Set them there"),
        ({"alpha": 0.0}, ValueError, "alpha must be > 0"),
        ({"schedule": "cosinus"}, ValueError, "cosine"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"loss": "hinge"}, ValueError, "loss"),
        ({"penalty": "l3"}, ValueError, "penalty"),
        ({"penalty": "elasticnet", "l1_ratio": None}, ValueError, "Pass l1_ratio between"),
        ({"max_norm": -1.0}, ValueError, "max_norm"),
        ({"validation_fraction": 0.0001, "early_stopping": True}, ValueError, "no row to hold out"),
        ({"loss": "squared_hinge"}, ValueError, "OneVsRestClassifier"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options: Any, error: type[Exception], text: str) -> None:
    X, y = three_classes()
    with pytest.raises(error, match=text):
        SGDClassifier(**options).fit(X, y)


def test_only_the_log_loss_has_probabilities() -> None:
    X, y = binary()
    assert hasattr(SGDClassifier(), "predict_proba")
    options = {"learning_rate": "invscaling", "max_iter": 20, "random_state": 0}
    hinge = quietly(SGDClassifier("squared_hinge", **options), X, y)
    assert not hasattr(hinge, "predict_proba")
    assert hinge.score(X, y) > 0.9


def test_losses_of_the_regressor() -> None:
    X, y = numeric()
    y = y.copy()
    y[:5] += 100.0
    options = {**FAST, "eta0": 0.01, "max_iter": 60, "tol": None}
    robust = quietly(SGDRegressor("huber", epsilon=0.5, **options), X, y)
    own = quietly(SGDRegressor(huber(0.5), **options), X, y)
    np.testing.assert_array_equal(robust.coef_, own.coef_)
    plain = quietly(SGDRegressor(**options), X, y)
    assert abs(robust.intercept_[0]) < abs(plain.intercept_[0])


def test_a_saved_model_predicts_and_goes_on(tmp_path: Path) -> None:
    X, y = binary()
    model = SGDClassifier(**FAST).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.partial_fit(X, y)
    assert loaded.score(X, y) > 0.95


def test_auto_takes_numba_where_there_are_many_steps() -> None:
    X, y = binary()
    assert quietly(SGDClassifier(max_iter=50, tol=None, random_state=0), X, y).backend_ == "numba"
    few = SGDClassifier(batch_size=569, max_iter=5, tol=None, random_state=0)
    assert quietly(few, X, y).backend_ == get_backend("numpy").name
