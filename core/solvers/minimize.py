"""The solvers as loops: evaluate, record, test, step. Each returns a `SolverResult`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...backends import Array
from ..dispatch import compiled
from ..linalg import Solver, dot, max_abs
from ..objective import LinearObjective
from ..row_sample import RowSampler
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


def _rounding(objective: LinearObjective, value: float, theta: Array) -> float:
    """By how much two evaluations of the same cost may differ."""
    xp = objective.backend.xp
    eps = float(xp.finfo(objective.dtype).eps)
    rounding = cost_rounding(value, eps)
    if objective.centre is None:
        return rounding
    # Raw predictions are differences of large numbers; how far the cost follows them is its slope,
    # of which the squared error's is a fair guess.
    W, _ = objective.coefficients(theta)
    size = float(xp.sum(xp.abs(objective.centre) @ xp.abs(W)))
    return rounding + eps * size * math.sqrt(2.0 * abs(value))


# A step whose predicted gain is below this share of the precision of the cost (a gradient of about
# 1e-12) only moves rounding around: without this, a tolerance of 0 would run to max_iter.
NO_GAIN = 1e-8


def _no_gain(rounding: float, slope: float) -> bool:
    return abs(slope) <= NO_GAIN * rounding / ROUNDING


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
    value, gradient = objective.value_gradient(theta)
    here = before = lbfgs.Point(theta, gradient)
    memory = compiled(objective.backend, lbfgs.empty_memory)(theta)

    def done(reason: str) -> SolverResult:
        return history.result(here.theta, reason, "lbfgs", objective.n_passes, tol)

    stop = history.add(value, max_abs(xp, gradient), objective.n_passes)
    sampled = SampledHessian(objective, RowSampler(objective, seed))
    apply_initial = sampled.inverse_at(theta)
    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        if iteration in REFRESH_AFTER:
            apply_initial = sampled.inverse_at(here.theta)
        memory, trial = _attempt(objective, memory, before, here, apply_initial)
        rounding = _rounding(objective, value, here.theta)
        if _no_gain(rounding, trial.slope):
            return done(AT_PRECISION)
        found = _step(objective, here, value, trial, rounding)
        if found is None and iteration > 0:
            # The pairs may be spoilt by rounding: once more from the sampled Hessian alone.
            memory = compiled(objective.backend, lbfgs.empty_memory)(theta)
            memory, trial = _attempt(objective, memory, here, here, apply_initial)
            found = _step(objective, here, value, trial, rounding)
        if found is None:
            # What a Newton step would gain, against what a cost can resolve.
            gain = abs(dot(xp, here.gradient, apply_initial(here.gradient)))
            return done(AT_PRECISION if gain <= 10.0 * rounding else LINE_SEARCH_FAILED)
        before, (here, value, norm) = here, found
        stop = history.add(value, norm, objective.n_passes)
    raise AssertionError("unreachable")  # noqa: EM101


class _Attempt(NamedTuple):
    """A full step, with the numbers that the host decides by."""

    along: Array
    point: lbfgs.Point
    slope: float
    value: float
    slope_there: float
    norm: float  # largest absolute entry of the gradient there


def _attempt(
    objective: LinearObjective,
    memory: lbfgs.Memory,
    before: lbfgs.Point,
    here: lbfgs.Point,
    apply_initial: Solver,
) -> tuple[lbfgs.Memory, _Attempt]:
    objective.rows_read += objective.n_samples
    run = objective.compiled(lbfgs.attempt, donate=(0,))
    memory, trial = run(memory, before, here, apply_initial)
    # The one transfer of an iteration.
    numbers = [float(number) for number in objective.backend.to_numpy(trial.numbers)]
    return memory, _Attempt(trial.along, trial.point, *numbers)


def _step(
    objective: LinearObjective,
    here: lbfgs.Point,
    value: float,
    full: _Attempt,
    rounding: float,
) -> tuple[lbfgs.Point, float, float] | None:
    """The accepted point, its cost and its gradient's largest entry; the full step is known."""
    xp = objective.backend.xp
    if not full.slope < 0.0 or not math.isfinite(full.slope):
        return None

    def evaluate(step: float) -> tuple[float, float, Any]:
        if step == 1.0:
            return full.value, full.slope_there, (full.point, full.value, full.norm)
        theta = here.theta + step * full.along
        there, gradient = objective.value_gradient(theta)
        point = lbfgs.Point(theta, gradient)
        return there, dot(xp, gradient, full.along), (point, there, max_abs(xp, gradient))

    search = wolfe_search(evaluate, value, full.slope, 1.0, rounding)
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
        rounding = _rounding(objective, value, theta)
        if _no_gain(rounding, slope):
            return done(AT_PRECISION)

        def evaluate(
            step: float, start: Array = theta, along: Array = along
        ) -> tuple[float, float, Any]:
            point = start + step * along
            value, gradient, hessian = objective.value_gradient_hessian(point)
            return value, dot(xp, gradient, along), (point, value, gradient, hessian)

        search = wolfe_search(evaluate, value, slope, 1.0, rounding)
        if search.accepted is None:
            return done(AT_PRECISION if abs(slope) <= 10.0 * rounding else LINE_SEARCH_FAILED)
        theta, value, gradient, hessian = search.accepted.point
        stop = history.add(value, max_abs(xp, gradient), objective.n_passes)
    raise AssertionError("unreachable")  # noqa: EM101
