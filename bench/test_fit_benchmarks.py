"""Whole fits: ours on each host backend beside scikit-learn's, to the same objective."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from xpfit.bench.peers import (
    Model,
    fit_glum,
    fit_ours,
    fit_ours_by_default,
    fit_sklearn,
    fit_sklearn_by_default,
    has,
    objective_value,
)
from xpfit.bench.problems import bundled_sets, digits_as_bytes, logistic_problem
from xpfit.bench.sizes import chosen_size

SHAPE = {"tiny": (2_000, 8, 1e2), "full": (300_000, 64, 1e4)}
TIGHT = 1e-9
# f - f* of two fits at that tolerance; most of the distance is the peers'.
AGREEMENT = 1e-7


@pytest.fixture(scope="module")
def problem() -> Any:
    return logistic_problem(*SHAPE[chosen_size()])


FITS = {
    "xpfit": fit_ours,
    "sklearn-newton-cholesky": fit_sklearn("newton-cholesky"),
    "sklearn-lbfgs": fit_sklearn("lbfgs"),
    "glum": fit_glum,
}


@pytest.mark.parametrize("name", FITS)
def test_logistic_fit_speed(benchmark: Any, problem: Any, name: str) -> None:
    if name == "glum" and not has("glum"):
        pytest.skip("glum is not installed")
    l2 = 1.0 / problem.X.shape[0]
    smallest = objective_value(problem.X, problem.y, fit_ours(problem.X, problem.y, l2, TIGHT), l2)
    fit = partial(FITS[name], problem.X, problem.y, l2, TIGHT)
    assert abs(objective_value(problem.X, problem.y, fit(), l2) - smallest) < AGREEMENT
    benchmark.group = f"logistic {problem.X.shape}"
    benchmark.pedantic(fit, rounds=3)


def test_softmax_fit_speed_on_bytes(benchmark: Any) -> None:
    digits = digits_as_bytes()
    X, l2 = digits.X, 1e-4 * 255.0**2
    model = fit_ours(X, digits.y, l2, 1e-7)
    scaled = model._replace(W=model.W * 255.0)
    theirs = fit_sklearn("lbfgs")(digits.X / 255.0, digits.y, 1e-4, 1e-6)
    found, expected = (
        objective_value(digits.X, digits.y, m, 1e-4, 255.0) for m in (scaled, theirs)
    )
    assert found <= expected + AGREEMENT
    benchmark.pedantic(partial(fit_ours, X, digits.y, l2, 1e-7), rounds=3)


@pytest.mark.parametrize("library", ["xpfit", "sklearn"])
@pytest.mark.parametrize("data", list(bundled_sets()), ids=lambda data: data.name)
def test_default_fit_speed(benchmark: Any, data: Any, library: str) -> None:
    l2 = 1.0 / data.X.shape[0]
    ours: Model = fit_ours_by_default(data.X, data.y)
    theirs = fit_sklearn_by_default(data.X, data.y)
    assert objective_value(data.X, data.y, ours, l2) <= (
        objective_value(data.X, data.y, theirs, l2) + 1e-9
    )
    benchmark.group = f"default fit, {data.name}"
    fit = fit_ours_by_default if library == "xpfit" else fit_sklearn_by_default
    benchmark(partial(fit, data.X, data.y))
