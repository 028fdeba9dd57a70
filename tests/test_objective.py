"""The cost as a function of one array: derivatives, the algebra of standardizing, sampling."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.gradient_check import finite_difference
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_POISSON
from xpfit.core.objective import LinearObjective
from xpfit.core.row_sample import RowSampler

CASES = [(HALF_BINOMIAL, 1), (HALF_POISSON, 1), (HALF_MULTINOMIAL, 3)]


def make(
    backend: Backend, loss: Any, n_outputs: int, *, fit_intercept: bool = True, standardize: bool
) -> LinearObjective:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, -1.0]
    y = rng.integers(0, 3, 40) if loss.is_multiclass else rng.integers(0, 2, 40).astype(float)
    shift = backend.from_numpy(X.mean(axis=0)) if standardize and fit_intercept else None
    scale = backend.from_numpy(X.std(axis=0)) if standardize else None
    return LinearObjective(
        backend.from_numpy(X), backend.from_numpy(y), backend.from_numpy(rng.random(40) + 0.1),
        loss, backend, n_outputs, 0.3, fit_intercept, shift, scale,
    )  # fmt: skip


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("loss", "n_outputs"), CASES, ids=lambda case: getattr(case, "name", ""))
def test_gradient_and_hessian_are_derivatives(
    backend: Backend, loss: Any, n_outputs: int, fit_intercept: bool, standardize: bool
) -> None:
    objective = make(backend, loss, n_outputs, fit_intercept=fit_intercept, standardize=standardize)
    rng = np.random.default_rng(1)
    theta = rng.normal(size=objective.size) * 0.3
    direction = rng.normal(size=objective.size)

    def at(step: float) -> tuple[float, np.ndarray]:
        value, gradient = objective.value_gradient(backend.from_numpy(theta + step * direction))
        return value, np.asarray(backend.to_numpy(gradient))

    slope = at(0.0)[1] @ direction
    assert slope == pytest.approx(finite_difference(lambda t: at(t)[0], 0.0), rel=1e-7)
    bend = finite_difference(lambda t: at(t)[1], 0.0)
    point, along = backend.from_numpy(theta), backend.from_numpy(direction)
    product = backend.to_numpy(objective.curvature_product(point, along))
    np.testing.assert_allclose(product, bend, rtol=1e-6, atol=1e-9)
    value, gradient, hessian = objective.value_gradient_hessian(point)
    assert value == pytest.approx(at(0.0)[0], rel=1e-13)
    np.testing.assert_allclose(backend.to_numpy(gradient), at(0.0)[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        np.asarray(backend.to_numpy(hessian)) @ direction, bend, rtol=1e-6, atol=1e-9
    )


def test_a_hessian_off_by_a_thousandth_is_noticed() -> None:
    objective = make(get_backend("numpy"), HALF_BINOMIAL, 1, standardize=True)
    theta, direction = np.full(4, 0.1), np.asarray([1.0, -1.0, 0.5, 0.2])
    bend = finite_difference(lambda t: objective.value_gradient(theta + t * direction)[1], 0.0)
    hessian = objective.value_gradient_hessian(theta)[2]
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(1.001 * hessian @ direction, bend, rtol=1e-6, atol=1e-9)


def test_standardizing_is_the_same_as_standardized_columns(backend: Backend) -> None:
    objective = make(backend, HALF_BINOMIAL, 1, standardize=True)
    X = np.asarray(backend.to_numpy(objective.X))
    copied = (X - X.mean(axis=0)) / X.std(axis=0)
    plain = dataclasses.replace(objective, X=backend.from_numpy(copied), shift=None, scale=None)
    theta = backend.from_numpy(np.asarray([0.3, -0.2, 0.5, 0.1]))
    value, gradient = objective.value_gradient(theta)
    expected_value, expected = plain.value_gradient(theta)
    assert value == pytest.approx(expected_value, rel=1e-12)
    np.testing.assert_allclose(
        backend.to_numpy(gradient), backend.to_numpy(expected), rtol=1e-10, atol=1e-12
    )


def test_theta_and_coefficients_are_inverse(backend: Backend) -> None:
    objective = make(backend, HALF_MULTINOMIAL, 3, standardize=True)
    theta = np.random.default_rng(2).normal(size=objective.size)
    W, b = objective.coefficients(backend.from_numpy(theta))
    back = backend.to_numpy(objective.theta_of(W, b))
    np.testing.assert_allclose(back, theta, rtol=1e-12)


def test_a_sample_estimates_the_cost_without_bias() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 2)), (rng.random(3000) < 0.03).astype(np.int64)
    objective = LinearObjective(X, y, None, HALF_MULTINOMIAL, get_backend("numpy"), 2)
    theta = rng.normal(size=objective.size)
    whole = objective.value_gradient(theta)[0] * objective.weight_sum / 3000
    sampler, draws = RowSampler(objective), []
    for _ in range(200):
        sample = sampler.draw(200)
        assert sample.n_samples == 200
        draws.append(sample.value_gradient(theta)[0] * sample.weight_sum / 200)
        # Half of the draw is for the classes in equal shares: the rare one is well represented.
        assert 30 <= int(sample.y.sum()) <= 90
    assert np.mean(draws) == pytest.approx(whole, abs=4 * np.std(draws) / np.sqrt(200))


def test_passes_are_counted() -> None:
    objective = make(get_backend("numpy"), HALF_BINOMIAL, 1, standardize=False)
    theta = np.zeros(4)
    objective.value_gradient(theta)
    objective.curvature_product(theta, theta)
    objective.value_gradient_hessian(theta)
    assert objective.n_passes == 3
    objective.rows_read += 1
    assert objective.n_passes == 4  # a part of X counts as begun
