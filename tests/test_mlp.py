"""`MLPClassifier` and `MLPRegressor`: what they learn, on every backend, and what they keep."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.neural_network
from mlp_data import SMALL, binary, digits, labels, numeric, quietly, three_classes
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpfit import MLPClassifier, MLPRegressor
from xpfit.core.network import Affine, BatchNorm, Dropout, LayerNorm, Tanh
from xpfit.core.optimizers import RMSProp
from xpfit.core.schedules import Cosine
from xpfit.estimators import load, read_metadata

WEIGHTS = "a row of weight 0 still takes its turn in a shuffled epoch, as in scikit-learn"
NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}
FULL: dict[str, Any] = {
    **SMALL, "normalization": "batch", "dropout": 0.2, "dtype": "float64",
}  # fmt: skip


@parametrize_with_checks(
    [MLPClassifier(), MLPRegressor()], expected_failed_checks=lambda estimator: NOT_MET
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, UserWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        check(estimator)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_parameters_are_scikit_learns_and_ours(cls: Any) -> None:
    theirs = getattr(sklearn.neural_network, cls.__name__)().get_params()
    ours = cls().get_params()
    added = {
        "optimizer", "schedule", "dropout", "normalization", "initializer", "layers", "dtype",
        "l1_ratio", "class_weight", "max_norm", "average", "checkpoint", "resume", "backend",
        "callbacks",
    }  # fmt: skip
    del theirs["max_fun"]  # of "lbfgs"
    assert set(ours) - added == set(theirs)
    assert {name: ours[name] for name in theirs} == theirs


def test_it_learns_as_scikit_learn_does() -> None:
    X, y = digits()
    X = StandardScaler().fit_transform(X)
    options = {"hidden_layer_sizes": (32,), "max_iter": 40, "random_state": 1, "batch_size": 50}
    theirs = quietly(sklearn.neural_network.MLPClassifier(**options), X[::2], y[::2])
    ours = quietly(MLPClassifier(**options), X[::2], y[::2])
    assert ours.score(X[1::2], y[1::2]) > theirs.score(X[1::2], y[1::2]) - 0.03
    assert ours.loss_ < 1.5 * theirs.loss_
    assert [coef.shape for coef in ours.coefs_] == [coef.shape for coef in theirs.coefs_]
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_from_the_same_weights_the_steps_are_scikit_learns(solver: str) -> None:
    X, y = three_classes()
    options = {
        "hidden_layer_sizes": (5,), "activation": "tanh", "solver": solver, "alpha": 0.5,
        "batch_size": 30, "max_iter": 4, "tol": 0.0, "shuffle": False, "random_state": 1,
        # scikit-learn adds its epsilon before the correction of the average, the paper after it.
        "learning_rate_init": 0.05, "epsilon": 1e-14,
    }  # fmt: skip
    theirs = sklearn.neural_network.MLPClassifier(**options)
    theirs.partial_fit(X, y, classes=[0, 1, 2])
    ours = MLPClassifier(**options, dtype="float64", warm_start=True)
    ours.partial_fit(X, y, classes=[0, 1, 2])
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        other[:] = mine
    for mine, other in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        other[:] = mine
    # Both begin with fresh slots from here.
    theirs.set_params(warm_start=True)
    quietly(theirs, X, y)
    quietly(ours, X, y)
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)


# JAX compiles an epoch for each of these networks: few of them, and small ones.
@pytest.mark.parametrize(("data", "options"), [
    (binary, FULL | {"hidden_layer_sizes": (12, 8)}),
    (three_classes, FULL | {"solver": "sgd", "max_norm": 1.0, "l1_ratio": 0.5, "alpha": 0.1}),
    (labels, FULL | {"optimizer": "rmsprop", "schedule": "cosine", "average": 3}),
    (numeric, FULL | {"early_stopping": True, "activation": "gelu", "normalization": "layer"}),
], ids=["binary", "softmax", "labels", "numbers"])  # fmt: skip
def test_one_seed_is_one_model_on_every_backend(data: Any, options: dict[str, Any]) -> None:
    X, y = data()
    cls, answer = MLPClassifier, "predict_proba"
    if data is numeric:
        cls, answer = MLPRegressor, "predict"
    models = {}
    for name in ("numpy", "numba", "jax"):
        models[name] = quietly(cls(**{**options, "max_iter": 3}, backend=name), X, y)
        assert models[name].backend_ == name
    for name in ("numba", "jax"):
        found, expected = (getattr(models[of], answer)(X) for of in (name, "numpy"))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        for history in ("loss_history_", "validation_loss_history_"):
            found, expected = (getattr(models[of], history) for of in (name, "numpy"))
            np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_several_labels_a_row() -> None:
    X, y = labels()
    options = {**SMALL, "max_iter": 30, "early_stopping": True}
    model = quietly(MLPClassifier(**options), X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.out_activation_ == "logistic"
    probability = model.predict_proba(X)
    assert probability.shape == y.shape
    np.testing.assert_array_equal(model.predict(X), probability > 0.5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probability, rtol=1e-6)
    assert (model.predict(X) == y).mean() > 0.9
    assert model.score(X, y) > 0.7
    as_sparse = quietly(MLPClassifier(**options), X, scipy.sparse.csr_matrix(y))
    np.testing.assert_array_equal(as_sparse.theta_, model.theta_)


def test_one_and_several_targets() -> None:
    X, y = numeric()
    options = {**SMALL, "max_iter": 40}
    one = quietly(MLPRegressor(**options), X, y)
    assert one.predict(X).shape == y.shape
    assert one.score(X, y) > 0.4
    several = quietly(MLPRegressor(**options), X, np.stack([y, -2.0 * y], axis=1))
    assert several.predict(X).shape == (len(y), 2)
    assert several.n_outputs_ == 2
    assert several.out_activation_ == "identity"
    held = quietly(MLPRegressor(**options, early_stopping=True), X, np.stack([y, -y], axis=1))
    assert held.validation_loss_history_.shape == (40,)


@pytest.mark.parametrize("name", [
    "identity", "logistic", "sigmoid", "tanh", "relu", "leaky_relu", "gelu", "softplus",
])  # fmt: skip
def test_every_activation_learns(name: str) -> None:
    X, y = three_classes()
    model = MLPClassifier(**{**SMALL, "max_iter": 40}, activation=name)
    assert quietly(model, X, y).score(X, y) > 0.9


@pytest.mark.parametrize("options", [
    {"optimizer": "adagrad"}, {"optimizer": "adamw", "schedule": "one_cycle"},
    {"optimizer": RMSProp(0.01), "learning_rate_init": 0.001},
    {"schedule": Cosine(0.02, period=200), "learning_rate_init": 0.001},
    {"learning_rate": "adaptive", "solver": "sgd"},
    {"momentum": 0.0, "solver": "sgd", "learning_rate_init": 0.2},
    {"normalization": "layer"}, {"initializer": "orthogonal"}, {"class_weight": "balanced"},
    {"hidden_layer_sizes": 8}, {"hidden_layer_sizes": [8, 8]}, {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (100,), "layers": (Affine(8), LayerNorm(), Tanh(), Dropout(0.1))},
], ids=str)  # fmt: skip
def test_every_option_learns(options: dict[str, Any]) -> None:
    X, y = three_classes()
    model = MLPClassifier(**{**SMALL, "max_iter": 40, **options})
    assert quietly(model, X, y).score(X, y) > 0.8


def test_x_as_it_is_stored() -> None:
    X, y = digits()
    plain = quietly(MLPClassifier(**SMALL), X.astype(np.float32), y)
    for kind in (X, scipy.sparse.csr_matrix(X), np.asfortranarray(X), X.astype(np.float16)):
        model = quietly(MLPClassifier(**SMALL), kind, y)
        np.testing.assert_allclose(model.theta_, plain.theta_, atol=2e-4)
        np.testing.assert_allclose(model.predict_proba(kind), plain.predict_proba(X), atol=2e-3)
        assert model.theta_.dtype == np.float32
    assert plain.predict_proba(X).dtype == np.float32


def test_device_arrays_and_frames() -> None:
    X, y = three_classes()
    X = X.astype(np.float32)
    model = quietly(MLPClassifier(**SMALL), jnp.asarray(X), jnp.asarray(y))
    assert model.backend_ == "jax"
    assert isinstance(model.predict(jnp.asarray(X)), type(jnp.zeros(1)))
    assert isinstance(model.theta_, np.ndarray)
    np.testing.assert_array_equal(np.asarray(model.predict(jnp.asarray(X))), model.predict(X))
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    named = quietly(MLPClassifier(**SMALL), frame, np.asarray(["x", "y", "z"])[y])
    assert named.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert set(named.predict(frame)) <= {"x", "y", "z"}
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame[["b", "a", "c", "d"]])


def test_weights_of_rows_and_classes() -> None:
    X, y = binary()
    weight = np.where(y == 1, 3.0, 1.0)
    by_row = quietly(MLPClassifier(**FULL), X, y, sample_weight=weight)
    by_class = quietly(MLPClassifier(**FULL, class_weight={1: 3.0}), X, y)
    np.testing.assert_allclose(by_row.theta_, by_class.theta_, rtol=1e-9)
    assert np.any(by_row.theta_ != quietly(MLPClassifier(**FULL), X, y).theta_)


def test_in_a_pipeline_and_a_search() -> None:
    X, y = three_classes()
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**{**SMALL, "max_iter": 20}))
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (8, 4)], "mlpclassifier__dropout": [0.0]}
    search = quietly(GridSearchCV(pipe, grid, cv=2), X, y)
    assert search.best_score_ > 0.8
    layers = (Affine(4), BatchNorm(), Tanh())
    copied = clone(MLPClassifier(layers=layers))
    assert copied.layers == layers


OWN: dict[str, Any] = {
    **SMALL, "layers": (Affine(6, "normal", 0.1), BatchNorm(0.2), Tanh()),
    "hidden_layer_sizes": (100,),
}  # fmt: skip


@pytest.mark.parametrize(("data", "options", "backend"), [
    (binary, FULL, "numpy"), (three_classes, OWN, "jax"), (labels, OWN, "numpy"),
    (numeric, FULL, "numba"),
], ids=["binary", "softmax", "labels", "numbers"])  # fmt: skip
def test_a_saved_model_is_the_same_elsewhere(
    tmp_path: Path, data: Any, options: Any, backend: str
) -> None:
    X, y = data()
    cls = MLPRegressor if data is numeric else MLPClassifier
    model = quietly(cls(**options, backend=backend), X, y)
    path = tmp_path / "model.safetensors"
    model.save(path, {"why": "a test"})
    assert read_metadata(path)["metadata"] == {"why": "a test"}
    loaded = load(path).set_params(backend="numpy")
    assert loaded.network_ == model.network_
    np.testing.assert_array_equal(loaded.theta_, model.theta_)
    answer = "predict" if cls is MLPRegressor else "predict_proba"
    # The model on JAX predicts host data on the host too.
    np.testing.assert_allclose(getattr(loaded, answer)(X), getattr(model, answer)(X), atol=1e-12)
    on_device = np.asarray(getattr(model, answer)(jnp.asarray(X)))
    np.testing.assert_allclose(getattr(loaded, answer)(X), on_device, atol=1e-9)
    loaded.partial_fit(X, y)
    assert loaded.loss_curve_[:-1] == model.loss_curve_
