"""`MLPClassifier` and `MLPRegressor` with `solver="lbfgs"`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model
from mlp_data import binary, labels, numeric, quietly, three_classes
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpfit import LogisticRegression, MLPClassifier, MLPRegressor, Ridge, load
from xpfit.core.network import Affine, BatchNorm, Dropout, Tanh
from xpfit.core.optimizers import Adam

SMOOTH: dict[str, Any] = {
    "hidden_layer_sizes": (5,), "activation": "tanh", "solver": "lbfgs", "alpha": 1.0,
    "max_iter": 2000, "tol": 1e-6, "random_state": 0, "dtype": "float64",
}  # fmt: skip
LINEAR: dict[str, Any] = {**SMOOTH, "hidden_layer_sizes": (), "tol": 1e-10}


def short(cls: Any) -> Any:
    return cls(hidden_layer_sizes=(5,), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=300)


@parametrize_with_checks([short(MLPClassifier), short(MLPRegressor)])
def test_check_estimator(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, UserWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        check(estimator)


@pytest.mark.parametrize(
    ("cls", "data"), [(MLPClassifier, binary), (MLPClassifier, three_classes),
    (MLPClassifier, labels), (MLPRegressor, numeric)],
    ids=["binary", "classes", "labels", "numbers"],
)  # fmt: skip
def test_the_cost_ends_below_that_of_adam(cls: Any, data: Any) -> None:
    X, y = data()
    X, y = X[::3], y[::3]
    options = {**SMOOTH, "batch_size": X.shape[0]}  # so that the penalty is the same
    adam = quietly(cls(**options | {"solver": "adam", "max_iter": 200, "tol": None}), X, y)
    model = cls(**options).fit(X, y)
    assert model.stop_reason_ == "gradient_norm <= tol"
    assert model.gradient_norm_ <= 1e-6
    assert model.loss_ < adam.loss_


def test_attributes_tell_how_the_fit_went() -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMOOTH).fit(X, y)
    assert model.solver_ == "lbfgs"
    assert model.loss_curve_ == model.loss_history_.tolist()
    assert len(model.loss_curve_) == model.n_iter_ + 1
    assert model.loss_ == model.best_loss_ == model.result_.loss
    assert model.n_iter_ < model.n_passes_ <= 3 * model.n_iter_ + 3
    assert model.t_ == model.n_iter_ * X.shape[0]
    assert model.validation_loss_history_.size == 0
    assert [W.shape for W in model.coefs_] == [(4, 5), (5, 3)]
    weights = sum(float(np.sum(W**2)) for W in model.coefs_)
    entropy = -np.mean(np.log(model.predict_proba(X)[np.arange(len(y)), y]))
    assert model.loss_ == pytest.approx(entropy + 0.5 * weights / len(y), rel=1e-10)


@pytest.mark.parametrize("data", [binary, three_classes])
@pytest.mark.parametrize("weighted", [False, True])
def test_without_hidden_layers_it_is_logistic_regression(data: Any, *, weighted: bool) -> None:
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    network = MLPClassifier(**LINEAR, class_weight="balanced").fit(X, y, weight)
    ours = LogisticRegression(C=1.0, tol=1e-10, class_weight="balanced").fit(X, y, weight)
    theirs = sklearn.linear_model.LogisticRegression(
        C=1.0, tol=1e-10, class_weight="balanced", solver="newton-cholesky"
    ).fit(X, y, weight)
    (W,), (b,) = network.coefs_, network.intercepts_
    for other in (ours, theirs):
        np.testing.assert_allclose(W.T, other.coef_, rtol=1e-6, atol=1e-6)
        # A constant added to every class changes no probability.
        mine, own = (b, other.intercept_) if len(b) == 1 else (b - b.mean(), other.intercept_)
        np.testing.assert_allclose(mine, own - (0 if len(b) == 1 else own.mean()), atol=1e-6)
        np.testing.assert_allclose(network.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_without_hidden_layers_it_is_ridge() -> None:
    X, y = numeric()
    network = MLPRegressor(**LINEAR).fit(X, y)
    expected = Ridge(alpha=1.0, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(network.coefs_[0][:, 0], expected.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(network.predict(X), expected.predict(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["numba", "jax"])
def test_backends_agree(name: str) -> None:
    X, y = three_classes()
    options = {**SMOOTH, "tol": 1e-9}
    model = MLPClassifier(**options, backend="numpy").fit(X, y)
    other = MLPClassifier(**options, backend=name).fit(X, y)
    assert other.backend_ == name
    np.testing.assert_allclose(other.theta_, model.theta_, rtol=1e-5, atol=1e-6)
    assert other.loss_ == pytest.approx(model.loss_, rel=1e-10)


@pytest.mark.parametrize("stored", [np.float32, np.float64])
@pytest.mark.parametrize("asked", ["float32", "float64"])
def test_the_dtype_asked_for_is_taken_where_it_can_be(stored: Any, asked: str) -> None:
    X, y = three_classes()
    X = X.astype(stored)
    options = {**SMOOTH, "dtype": asked, "max_iter": 30}
    on_jax = quietly(MLPClassifier(**options, backend="jax"), X, y)
    on_host = quietly(MLPClassifier(**options, backend="numpy"), X, y)
    assert on_jax.theta_.dtype == asked
    assert on_host.theta_.dtype == np.float64
    assert on_jax.loss_ == pytest.approx(on_host.loss_, rel=1e-3)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"early_stopping": True}, "early_stopping=True"),
        ({"checkpoint": "file"}, "checkpoint='file'"),
        ({"checkpoint": "file", "resume": True}, "checkpoint='file', resume=True"),
        ({"dropout": 0.2}, "dropout=0.2"),
        ({"normalization": "batch"}, "normalization='batch'"),
        ({"average": True}, "average=True"),
        ({"average": 10}, "average=10"),
        ({"l1_ratio": 0.5, "max_norm": 1.0}, "l1_ratio=0.5, max_norm=1.0"),
        ({"optimizer": "adam"}, "optimizer='adam'"),
        ({"optimizer": Adam()}, "optimizer=Adam"),
        ({"schedule": "cosine"}, "schedule='cosine'"),
        ({"layers": (Affine(3), BatchNorm(), Tanh())}, "BatchNorm.* in layers"),
        ({"layers": (Affine(3), Tanh(), Dropout(0.1))}, "Dropout.* in layers"),
    ],
    ids=str,
)
def test_what_belongs_to_batches_is_refused(cls: Any, options: Any, text: str) -> None:
    X, y = three_classes()
    model = cls(solver="lbfgs", **options)
    pattern = rf"{cls.__name__}\(solver='lbfgs'\) was given .*{text}.*: .*take solver='adam'"
    with pytest.raises(ValueError, match=pattern):
        model.fit(X, y)
    assert not hasattr(model, "theta_")


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_partial_fit_is_not_there(cls: Any) -> None:
    model = cls(solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        _ = model.partial_fit
    assert "Take solver='adam'" in str(caught.value.__cause__)
    assert hasattr(model.set_params(solver="adam"), "partial_fit")


def test_layer_normalization_and_own_layers_are_taken() -> None:
    X, y = three_classes()
    built = quietly(MLPClassifier(**SMOOTH, normalization="layer"), X, y)
    assert built.score(X, y) > 0.95
    options = {**SMOOTH, "hidden_layer_sizes": (100,), "activation": "relu"}
    own = quietly(MLPClassifier(**options, layers=(Affine(5, "xavier"), Tanh())), X, y)
    np.testing.assert_array_equal(own.theta_, MLPClassifier(**SMOOTH).fit(X, y).theta_)


def test_a_warm_start_begins_where_the_last_fit_ended() -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMOOTH | {"max_iter": 5}, warm_start=True)
    first = quietly(model, X, y).loss_
    second = quietly(model, X, y)
    assert second.loss_history_[0] == pytest.approx(first, rel=1e-12)
    assert second.loss_ < first
    assert second.n_iter_ == 5
    with pytest.raises(ValueError, match=r"warm_start=True.*4-7-3"):
        model.set_params(hidden_layer_sizes=(7,)).fit(X, y)


def test_it_goes_on_from_adam_and_adam_from_it() -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMOOTH | {"solver": "adam", "max_iter": 3}, warm_start=True)
    start = quietly(model, X, y).theta_.copy()
    model.set_params(solver="lbfgs", max_iter=2000).fit(X, y)
    again = MLPClassifier(**SMOOTH)
    again.fit(X, y)
    assert model.loss_ == pytest.approx(again.loss_, rel=0.05)
    assert not np.array_equal(model.theta_, start)
    model.set_params(solver="adam").partial_fit(X, y)
    assert model.solver_ == "adam"


def test_running_out_of_iterations_warns_unless_all_were_asked_for() -> None:
    X, y = three_classes()
    with pytest.warns(ConvergenceWarning, match=r"MLPClassifier.*Raise max_iter"):
        model = MLPClassifier(**SMOOTH | {"max_iter": 3}).fit(X, y)
    assert model.n_iter_ == 3
    assert model.stop_reason_ == "max_iter reached"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MLPClassifier(**SMOOTH | {"max_iter": 3, "tol": None}).fit(X, y)
    assert model.n_iter_ == 3


def test_callbacks_see_each_iteration_and_may_stop() -> None:
    X, y = numeric()
    seen: list[Any] = []

    def watch(record: Any) -> bool:
        seen.append((record.iteration, [array.shape for array in record.coefficients()]))
        return record.iteration == 4

    model = MLPRegressor(**SMOOTH, callbacks=watch).fit(X, y)
    assert [iteration for iteration, _ in seen] == [0, 1, 2, 3, 4]
    assert seen[0][1] == [(10, 5), (5,), (5, 1), (1,)]
    assert model.stop_reason_ == "stopped by callback"


def test_the_random_state_draws_the_start() -> None:
    X, y = three_classes()
    one, same, other = (
        quietly(MLPClassifier(**SMOOTH | {"random_state": seed, "max_iter": 2}), X, y).theta_
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    # The draw of every solver: an epoch of one batch reports the loss before its step.
    options = {**SMOOTH, "alpha": 0.0, "batch_size": len(y), "max_iter": 1, "tol": None}
    adam, whole = (
        MLPClassifier(**options | {"solver": solver}).fit(X, y) for solver in ("adam", "lbfgs")
    )
    assert whole.loss_history_[0] == pytest.approx(adam.loss_history_[0], rel=1e-10)


def test_sparse_rows_are_read_as_they_are() -> None:
    X, y = three_classes()
    X = np.where(X > 0.5, X, 0.0)
    dense = MLPClassifier(**SMOOTH).fit(X, y)
    sparse = MLPClassifier(**SMOOTH).fit(scipy.sparse.csr_array(X), y)
    assert sparse.loss_ == pytest.approx(dense.loss_, rel=1e-8)
    with pytest.raises(ValueError, match="X is sparse, which backend 'jax' does not take"):
        MLPClassifier(**SMOOTH, backend="jax").fit(scipy.sparse.csr_array(X), y)


def test_a_file_keeps_it(tmp_path: Path) -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMOOTH).fit(X, y)
    model.save(tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert (loaded.solver, loaded.solver_) == ("lbfgs", "lbfgs")
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.theta_, model.theta_)
