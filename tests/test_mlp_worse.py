"""A fit that ends above the cost of its initial weights says so, and other fits do not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from mlp_data import quietly
from sklearn.exceptions import ConvergenceWarning

from xpfit import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = X[:, 0] + 0.1 * RNG.normal(size=300)
OPTIONS: dict[str, Any] = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 10}


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_a_rate_that_made_it_worse_is_told(backend: str, tol: float | None) -> None:
    model = MLPRegressor(**OPTIONS, learning_rate_init=10.0, backend=backend, tol=tol)
    told = r"MLPRegressor: the cost was .* before the first step and is .* made it worse\. Lower"
    with pytest.warns(ConvergenceWarning, match=told) as caught:
        model.fit(X, Y)
    assert len(caught) == 1
    assert "which was 10 at first" in str(caught[0].message)
    assert not model.result_.converged
    assert model.score(X, Y) < 0.0
    assert model.theta_.dtype == np.float32


def test_a_fit_that_ends_by_no_improvement_is_told_too() -> None:
    options = {**OPTIONS, "max_iter": 200, "n_iter_no_change": 2, "learning_rate_init": 5.0}
    model = MLPRegressor(**options, early_stopping=True, tol=1e9)
    with pytest.warns(ConvergenceWarning, match="made it worse"):
        model.fit(X, Y)
    assert model.stop_reason_ == "no improvement"


def test_batch_normalization_is_judged_too() -> None:
    model = MLPRegressor(**OPTIONS, learning_rate_init=100.0, normalization="batch")
    with pytest.warns(ConvergenceWarning, match="made it worse"):
        model.fit(X, Y)


@pytest.mark.parametrize("rate", [1e-4, 0.01, 0.1])
@pytest.mark.parametrize(
    "options", [{}, {"normalization": "batch"}, {"dropout": 0.5}, {"batch_size": 1, "max_iter": 2}],
    ids=str,
)  # fmt: skip
def test_no_word_where_it_became_better(rate: float, options: dict[str, Any]) -> None:
    for model, y in ((MLPRegressor(), Y), (MLPClassifier(), Y > 0)):
        model.set_params(**{**OPTIONS, **options}, learning_rate_init=rate, tol=None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(X, y)


def test_a_fit_that_goes_on_may_end_beside_where_it_began() -> None:
    model = MLPRegressor(**OPTIONS, tol=None, warm_start=True)
    quietly(model.set_params(learning_rate_init=0.01), X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(learning_rate_init=1.0).fit(X, Y)
        model.partial_fit(X, Y)
