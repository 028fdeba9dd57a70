"""Mini-batch descent: when it stops, what it keeps, and how it goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sgd_data import FAST, binary, numeric, quietly, three_classes
from sklearn.exceptions import ConvergenceWarning

from xpfit import SGDClassifier, SGDRegressor
from xpfit.core.epochs import DivergenceError


def test_early_stopping_keeps_the_best_epoch() -> None:
    X, y = binary()
    seen: list[Any] = []
    model = SGDClassifier(
        optimizer="adam", eta0=0.3, batch_size=8, early_stopping=True, n_iter_no_change=7,
        tol=0.0, random_state=0, callbacks=seen.append,
    ).fit(X, y)  # fmt: skip
    losses = model.validation_loss_history_
    assert model.stop_reason_ == "no improvement"
    assert len(losses) == len(model.loss_history_) == len(seen) == model.n_iter_
    best = int(np.argmin(losses))
    assert best < len(losses) - 1
    shorter = SGDClassifier(**{**model.get_params(), "callbacks": None, "max_iter": best + 1})
    np.testing.assert_array_equal(quietly(shorter, X, y).coef_, model.coef_)


def test_held_out_rows_are_not_learned_from() -> None:
    X, y = binary()
    model = SGDClassifier(
        **FAST, early_stopping=True, max_iter=2, tol=None, validation_fraction=0.5
    )
    coef = quietly(model, X, y).coef_
    # Rows of a known part: with the same seed the same rows are held out.
    from xpfit.estimators._labels import encode_labels, split_by_class

    held = split_by_class(model, encode_labels(model, y, len(y)), 0.5, model._generator())
    spoilt = X.copy()
    spoilt[held] += 1e6
    changed = quietly(SGDClassifier(**model.get_params()), spoilt, y)
    assert changed.n_iter_ == 2
    trained = quietly(SGDClassifier(**{**model.get_params(), "max_iter": 1}), spoilt, y)
    first = quietly(SGDClassifier(**{**model.get_params(), "max_iter": 1}), X, y)
    np.testing.assert_array_equal(trained.coef_, first.coef_)
    assert coef.shape == (1, X.shape[1])


def test_epochs_stop_when_the_cost_no_longer_falls() -> None:
    X, y = binary()
    model = SGDClassifier(**FAST, tol=1e-3, n_iter_no_change=3).fit(X, y)
    assert model.stop_reason_ == "no improvement"
    assert 3 < model.n_iter_ < 1000
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        SGDClassifier(**FAST, max_iter=2).fit(X, y)


def test_the_adaptive_rate_falls() -> None:
    X, y = numeric()
    options = {"eta0": 0.02, "random_state": 0, "n_iter_no_change": 2}
    adaptive = SGDRegressor(learning_rate="adaptive", **options).fit(X, y)
    assert adaptive.result_.stop_reason == "no improvement"
    assert adaptive._descent.rate_factor < 1e-5
    constant = SGDRegressor(learning_rate="constant", **options).fit(X, y)
    assert adaptive.score(X, y) > constant.score(X, y)


def test_partial_fit_goes_on_where_it_was() -> None:
    X, y = three_classes()
    options = {**FAST, "shuffle": False, "tol": None}
    whole = quietly(SGDClassifier(max_iter=4, **options), X, y)
    parts = SGDClassifier(**options)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-12)
    assert parts.t_ == whole.t_
    X, y = numeric()
    regressor = quietly(SGDRegressor(max_iter=2, **options), X, y)
    part = SGDRegressor(**options).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_allclose(part.coef_, regressor.coef_, rtol=1e-12)


def test_partial_fit_of_some_of_the_classes() -> None:
    X, y = three_classes()
    model = SGDClassifier(**FAST)
    model.partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    for _ in range(20):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(ValueError, match="holds 7, which is not among the classes 0, 1, 2"):
        model.partial_fit(X[:1], [7])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SGDClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        SGDClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_a_warm_start_begins_at_the_coefficients() -> None:
    X, y = binary()
    options = {**FAST, "optimizer": "sgd", "learning_rate": "constant", "shuffle": False}
    model = SGDClassifier(warm_start=True, max_iter=3, tol=None, **options)
    twice = quietly(quietly(model, X, y), X, y)
    once = quietly(SGDClassifier(max_iter=6, tol=None, **options), X, y)
    np.testing.assert_allclose(twice.coef_, once.coef_, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
def test_divergence_names_rate_and_step_and_keeps_the_best(backend: str) -> None:
    X, y = numeric()
    model = SGDRegressor(learning_rate="constant", eta0=10.0, backend=backend, random_state=0)
    with pytest.raises(DivergenceError, match=r"at step \d+, in epoch 1, .* rate was 10\. Lower"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.stop_reason_ == "diverged"
    assert model.predict(X).shape == y.shape


def test_not_a_number_in_x_is_named() -> None:
    X, y = binary()
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN \\(in column 4\\)"):
        SGDClassifier(**FAST).fit(X, y)


def test_ctrl_c_leaves_the_best_parameters_so_far() -> None:
    X, y = binary()

    def stop(record: Any) -> None:
        if record.iteration == 3:
            raise KeyboardInterrupt

    model = SGDClassifier(**FAST, callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.stop_reason_ == "interrupted"
    assert model.score(X, y) > 0.9


def test_a_callback_ends_the_fit() -> None:
    X, y = binary()
    model = SGDClassifier(**FAST, callbacks=lambda record: record.iteration == 2).fit(X, y)
    assert (model.n_iter_, model.stop_reason_) == (2, "stopped by callback")


def test_a_line_for_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = binary()
    SGDClassifier(**FAST, tol=None, max_iter=3, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("cost" in line and "gradient" not in line for line in lines)
