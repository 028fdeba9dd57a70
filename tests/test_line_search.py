"""The line search, and solving with Hessians that may be singular."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.linalg import bordered_solver, positive_solver
from xpfit.core.solvers.line_search import wolfe_search

NUMPY = get_backend("numpy")


def test_line_search_brackets_a_step_that_is_too_long() -> None:
    def evaluate(step: float) -> tuple[float, float, None]:
        return (step - 0.01) ** 2, 2 * (step - 0.01), None

    search = wolfe_search(evaluate, 1e-4, -0.02, 1.0, 0.0)
    assert search.accepted is not None
    assert search.accepted.step == pytest.approx(0.01, abs=0.009)
    assert search.accepted.value < 1e-4


def test_line_search_backs_off_where_the_cost_is_not_finite() -> None:
    def evaluate(step: float) -> tuple[float, float, None]:
        if step > 1e-3:
            return math.inf, math.nan, None
        return -step + 400.0 * step**2, -1.0 + 800.0 * step, None

    search = wolfe_search(evaluate, 0.0, -1.0, 1.0, 0.0)
    assert search.accepted is not None
    assert search.accepted.value < 0.0


def test_line_search_says_when_there_is_no_step() -> None:
    def lying(step: float) -> tuple[float, float, None]:
        return 1.0 + step, 1.0, None  # the slope at 0 was said to be negative

    assert wolfe_search(lying, 1.0, -1.0, 1.0, 0.0).accepted is None


def test_positive_solver_on_every_backend(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 4)) * [1.0, 1e4, 1e-3, 1.0]
    singular = np.hstack([A, A[:, :1]])
    for factor in (A, singular):
        matrix = factor.T @ factor
        solve = positive_solver(backend, backend.from_numpy(matrix))
        r = matrix @ rng.normal(size=matrix.shape[0])
        x = np.asarray(backend.to_numpy(solve(backend.from_numpy(r))))
        np.testing.assert_allclose(matrix @ x, r, rtol=1e-6, atol=1e-6 * np.abs(r).max())
    assert x[0] == pytest.approx(x[4], rel=1e-4)  # least norm shares out the doubled column


def test_bordered_solver_leaves_the_intercept_free() -> None:
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.normal(size=(8, 2)) + 5.0, np.ones((8, 1))])
    matrix = rows.T @ rows
    r = rng.normal(size=(3, 2))
    solve = bordered_solver(NUMPY, matrix, True)
    np.testing.assert_allclose(matrix @ solve(r), r, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(solve(r[:, 0]), solve(r)[:, 0], rtol=1e-12)
