"""The solvers as loops: evaluate, record, test, step. Each returns a `SolverResult`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...backends import Array
from ..linalg import dot, max_abs
from ..objective import LinearObjective
from . import lbfgs
from .line_search import ROUNDING, cost_rounding, wolfe_search
from .preconditioner import SampledHessian, hessian_solver
from .result import (
    AT_PRECISION,
    CONVERGED,
    LINE_SEARCH_FAILED,
    OUT_OF_ITERATIONS,
    STOPPED_BY_CALLBACK,
    Callback,
    History,
    SolverResult,
)

# Iterations after which the sampled Hessian is estimated anew: the first steps go far. A well
# conditioned fit has ended before the last two.
REFRESH_AFTER = (1, 3, 12, 25)


def _rounding(objective: LinearObjective, value: float) -> float:
    return cost_rounding(value, float(objective.backend.xp.finfo(objective.dtype).eps))


# A step whose predicted gain is below this share of the precision of the cost (a gradient of about
# 1e-12) only moves rounding around: without this, a tolerance of 0 would run to max_iter.
NO_GAIN = 1e-8


def _no_gain(objective: LinearObjective, value: float, slope: float) -> bool:
    return abs(slope) <= NO_GAIN * _rounding(objective, value) / ROUNDING


def minimize_lbfgs(
    objective: LinearObjective,
    theta: Array,
    *,
    max_iter: int,
    tol: float,
    callbacks: Sequence[Callback] = (),
    seed: int = 0,
) -> SolverResult:
    """Minimize by L-BFGS with a sampled-Hessian preconditioner.

    Stops when the largest absolute entry of the gradient is at most `tol`. One pass an iteration,
    but for line searches that need a second trial, and the samples.
    """
    xp = objective.backend.xp
    history = History(callbacks)
    state = lbfgs.init(theta, *objective.value_gradient(theta))

    def done(reason: str) -> SolverResult:
        return history.result(state.theta, reason, "lbfgs", objective.n_passes, tol)

    stop = history.add(state.value, max_abs(xp, state.gradient), objective.n_passes)
    sampled = SampledHessian(objective, seed)
    apply_initial = sampled.inverse_at(state.theta)
    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        if iteration in REFRESH_AFTER:
            apply_initial = sampled.inverse_at(state.theta)
        along = lbfgs.direction(xp, state, apply_initial)
        if _no_gain(objective, state.value, dot(xp, state.gradient, along)):
            return done(AT_PRECISION)
        found = _step(objective, state, along)
        if found is None and state.pairs:
            # The pairs may be spoilt by rounding: once more from the sampled Hessian alone.
            state = state._replace(pairs=())
            found = _step(objective, state, lbfgs.direction(xp, state, apply_initial))
        if found is None:
            return done(_why_no_step(objective, state, apply_initial(state.gradient)))
        state = lbfgs.update(xp, state, *found, apply_initial)
        stop = history.add(state.value, max_abs(xp, state.gradient), objective.n_passes)
    raise AssertionError("unreachable")  # noqa: EM101


def _why_no_step(objective: LinearObjective, state: lbfgs.LbfgsState, newton_step: Array) -> str:
    # What a Newton step would gain, against what a cost can resolve.
    gain = dot(objective.backend.xp, state.gradient, newton_step)
    resolvable = 10.0 * _rounding(objective, state.value)
    return AT_PRECISION if abs(gain) <= resolvable else LINE_SEARCH_FAILED


def _step(
    objective: LinearObjective, state: lbfgs.LbfgsState, along: Array
) -> tuple[Array, float, Array] | None:
    xp = objective.backend.xp
    slope = dot(xp, state.gradient, along)
    if not slope < 0.0 or not math.isfinite(slope):
        return None

    def evaluate(step: float) -> tuple[float, float, Any]:
        point = state.theta + step * along
        value, gradient = objective.value_gradient(point)
        return value, dot(xp, gradient, along), (point, value, gradient)

    search = wolfe_search(evaluate, state.value, slope, 1.0, _rounding(objective, state.value))
    return None if search.accepted is None else search.accepted.point


def minimize_newton(
    objective: LinearObjective,
    theta: Array,
    *,
    max_iter: int,
    tol: float,
    callbacks: Sequence[Callback] = (),
) -> SolverResult:
    """Minimize by Newton's method (iteratively reweighted least squares).

    Each trial point costs one pass, which returns its Hessian too; the full step is tried first.
    A singular Hessian (collinear columns, separable classes) gives the step of least norm.
    """
    xp = objective.backend.xp
    history = History(callbacks)
    value, gradient, hessian = objective.value_gradient_hessian(theta)
    stop = history.add(value, max_abs(xp, gradient), objective.n_passes)

    def done(reason: str) -> SolverResult:
        return history.result(theta, reason, "newton", objective.n_passes, tol)

    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        along = -hessian_solver(objective, hessian)(gradient)
        slope = dot(xp, gradient, along)
        if not slope < 0.0:
            # Curvature is zero where the gradient is not (Huber, squared hinge): descend.
            along = -gradient / max(max_abs(xp, xp.linalg.diagonal(hessian)), 1e-8)
            slope = dot(xp, gradient, along)
        if _no_gain(objective, value, slope):
            return done(AT_PRECISION)

        def evaluate(
            step: float, start: Array = theta, along: Array = along
        ) -> tuple[float, float, Any]:
            point = start + step * along
            value, gradient, hessian = objective.value_gradient_hessian(point)
            return value, dot(xp, gradient, along), (point, value, gradient, hessian)

        rounding = _rounding(objective, value)
        search = wolfe_search(evaluate, value, slope, 1.0, rounding)
        if search.accepted is None:
            return done(AT_PRECISION if abs(slope) <= 10.0 * rounding else LINE_SEARCH_FAILED)
        theta, value, gradient, hessian = search.accepted.point
        stop = history.add(value, max_abs(xp, gradient), objective.n_passes)
    raise AssertionError("unreachable")  # noqa: EM101
