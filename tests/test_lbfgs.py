"""The recursion of L-BFGS in matrix form, against the textbook's two loops over pairs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.fit import fit_linear_model
from xpfit.core.linalg import InverseFactor
from xpfit.core.losses import HALF_SQUARED_ERROR, huber
from xpfit.core.objective import LinearObjective
from xpfit.core.solvers import lbfgs

SIZE = 5


def quadratic(backend: Backend) -> tuple[LinearObjective, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(40, SIZE)) * np.arange(1, SIZE + 1)
    objective = LinearObjective(
        backend.from_numpy(X), backend.from_numpy(np.ones(40)), None, HALF_SQUARED_ERROR, backend,
        fit_intercept=False,
    )  # fmt: skip
    return objective, X.T @ X / 40


def two_loops(pairs: list[Any], gradient: np.ndarray, initial: np.ndarray) -> np.ndarray:
    q, alphas = gradient, []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (s @ y))
        q = q - alphas[-1] * y
    r = initial @ q
    if pairs:
        s, y = pairs[-1]
        r = r * (s @ y) / (y @ initial @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r = r + (alpha - y @ r / (s @ y)) * s
    return -r


def attempts(
    objective: LinearObjective, points: list[lbfgs.Point], solver: Any, all_slots: bool
) -> lbfgs.Attempt:
    """The attempt from the last point, once the steps between all of them are remembered."""
    memory = lbfgs.empty_memory(objective.backend.xp, points[0].theta)
    for k, (before, here) in enumerate(pairwise([points[0], *points])):
        slot = max(0, k - 1) % lbfgs.MEMORY
        n_slots = lbfgs.MEMORY if all_slots else min(max(1, k), lbfgs.MEMORY)
        memory, trial = lbfgs.attempt(objective, n_slots, memory, slot, before, here, solver)
    return trial


@pytest.mark.parametrize("all_slots", [False, True])
@pytest.mark.parametrize("n_steps", [0, 1, 3, lbfgs.MEMORY, lbfgs.MEMORY + 4])
def test_directions_are_those_of_the_two_loops(
    backend: Backend, n_steps: int, all_slots: bool
) -> None:
    if backend.compiles and n_steps > 3 and not all_slots:
        pytest.skip("every number of pairs is compiled by itself: 1 to 3 will do")
    rng = np.random.default_rng(n_steps)
    objective, hessian = quadratic(backend)
    # Small, so that the scale of a pair stays within its bounds.
    factor = 0.3 * rng.normal(size=(SIZE, SIZE)) + 0.5 * np.eye(SIZE)
    solver = InverseFactor(backend.from_numpy(factor))
    thetas = [rng.normal(size=SIZE) for _ in range(n_steps + 1)]
    moved = [backend.from_numpy(theta) for theta in thetas]
    points = [lbfgs.Point(theta, objective.value_gradient(theta)[1]) for theta in moved]
    trial = attempts(objective, points, solver, all_slots)
    steps = np.diff(thetas, axis=0)[-lbfgs.MEMORY :]
    pairs = [(step, hessian @ step) for step in steps]
    gradient = backend.to_numpy(points[-1].gradient)
    expected = two_loops(pairs, gradient, factor.T @ factor)
    np.testing.assert_allclose(backend.to_numpy(trial.along), expected, rtol=1e-8)
    value, there = objective.value_gradient(trial.point.theta)
    numbers = [gradient @ expected, value, backend.to_numpy(there) @ expected]
    numbers.append(float(np.abs(backend.to_numpy(there)).max()))
    np.testing.assert_allclose(backend.to_numpy(trial.numbers), numbers, rtol=1e-8, atol=1e-12)


def test_a_pair_without_positive_curvature_is_forgotten(backend: Backend) -> None:
    rng = np.random.default_rng(1)
    objective, hessian = quadratic(backend)
    solver = InverseFactor(backend.from_numpy(np.eye(SIZE)))
    start, end = rng.normal(size=SIZE), rng.normal(size=SIZE)
    gradients = [hessian @ start, hessian @ end]

    def point(theta: np.ndarray, gradient: np.ndarray) -> lbfgs.Point:
        return lbfgs.Point(backend.from_numpy(theta), backend.from_numpy(gradient))

    good = point(start, gradients[0]), point(end, gradients[1])
    # The gradient changes against the step: no convex cost does that, but rounding may.
    bad = point(end, gradients[1]), point(end + 1.0, gradients[1] - 1.0)
    memory = lbfgs.empty_memory(backend.xp, good[0].theta)
    memory, _ = lbfgs.attempt(objective, 1, memory, 0, *good, solver)
    _, trial = lbfgs.attempt(objective, 2, memory, 1, *bad, solver)
    pairs = [(end - start, gradients[1] - gradients[0])]
    expected = two_loops(pairs, gradients[1] - 1.0, np.eye(SIZE))
    np.testing.assert_allclose(backend.to_numpy(trial.along), expected, rtol=1e-8)


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
def test_no_curvature_anywhere_at_the_start_is_no_obstacle(solver: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8))
    y = (X[:, 0] > 0).astype(float)
    # At the start every residual is 0.5, where this loss is linear.
    fit = fit_linear_model(
        X,
        y,
        loss=huber(0.25),
        backend=get_backend("numpy"),
        solver=solver,
        l2_reg_strength=1e-3,
        tol=1e-9,
    )
    assert fit.result.converged, fit.result.message
