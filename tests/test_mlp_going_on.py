"""Networks that go on: `partial_fit`, warm starts, early stopping, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlp_data import SMALL, binary, labels, numeric, quietly, three_classes

from xpfit import MLPClassifier, MLPRegressor
from xpfit.core import epochs


def test_partial_fit_goes_on() -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMALL, normalization="batch", dtype="float64")
    for epoch in range(30):
        for rows in np.array_split(np.random.default_rng(epoch).permutation(len(y)), 3):
            model.partial_fit(X[rows], y[rows], classes=[0, 1, 2] if epoch == 0 else None)
    assert model.n_iter_ == 90
    assert model.t_ == 30 * len(y)
    assert len(model.loss_curve_) == 90
    assert model.score(X, y) > 0.9
    whole = quietly(MLPRegressor(**{**SMALL, "shuffle": False, "max_iter": 6}), X, y)
    parts = MLPRegressor(**{**SMALL, "shuffle": False})
    for _ in range(6):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(parts.theta_, whole.theta_)


def test_partial_fit_goes_on_with_another_optimizer() -> None:
    X, y = numeric()
    model = quietly(MLPRegressor(**SMALL), X, y)
    first = model.loss_history_[0]
    changes = (
        {"solver": "sgd"}, {"momentum": 0.0}, {"optimizer": "rmsprop"}, {"average": True},
        {"average": False, "optimizer": "adamw"},
    )  # fmt: skip
    for change in changes:
        model.set_params(**change).partial_fit(X, y)
    assert model.solver_ == "adamw"
    assert model.n_iter_ == 10
    assert model.loss_ < 0.8 * first  # not begun anew


def test_a_warm_start_begins_where_the_last_fit_ended() -> None:
    X, y = binary()
    model = quietly(MLPClassifier(**SMALL, warm_start=True), X, y)
    before = model.loss_history_
    quietly(model, X, y)
    assert model.loss_history_[0] < before[0]
    assert model.loss_history_[-1] < before[-1]
    assert model.n_iter_ == 5


def test_early_stopping_keeps_the_best_epoch() -> None:
    X, y = numeric()
    options = {**SMALL, "hidden_layer_sizes": (64,), "early_stopping": True, "tol": 1e-4}
    model = MLPRegressor(**{**options, "max_iter": 200, "n_iter_no_change": 5}).fit(X, y)
    assert model.stop_reason_ == "no improvement"
    best = int(model.validation_loss_history_.argmin()) + 1
    assert best < model.n_iter_
    again = quietly(MLPRegressor(**{**options, "max_iter": best, "tol": None}), X, y)
    np.testing.assert_array_equal(again.theta_, model.theta_)


@pytest.mark.parametrize(("data", "backend"), [
    (three_classes, "numpy"), (numeric, "numba"), (labels, "numpy"), (three_classes, "jax"),
])  # fmt: skip
def test_a_fit_goes_on_from_its_checkpoint_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Any, backend: str
) -> None:
    monkeypatch.setattr(epochs, "KEEP_SECONDS", 0.0)
    X, y = data()
    cls = MLPRegressor if data is numeric else MLPClassifier
    options = {
        **SMALL, "normalization": "batch", "dropout": 0.3, "early_stopping": True, "average": 4,
        "backend": backend,
    }  # fmt: skip
    whole = quietly(cls(**{**options, "max_iter": 7}), X, y)
    kept = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    quietly(cls(**{**options, "max_iter": 3}, **kept), X, y)
    found = quietly(cls(**{**options, "max_iter": 7}, **kept), X, y)
    np.testing.assert_array_equal(found.theta_, whole.theta_)
    np.testing.assert_array_equal(found.loss_history_, whole.loss_history_)
    np.testing.assert_array_equal(found.validation_loss_history_, whole.validation_loss_history_)
    assert (found.n_iter_, found.t_) == (whole.n_iter_, whole.t_)
