"""The solvers as loops: evaluate, record, test, step. Each returns a `SolverResult`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from ...backends import Array, Backend, Namespace
from ..dispatch import compiled
from ..linalg import Multiple, Solver, dot, max_abs
from ..objective import LinearObjective
from ..row_sample import RowSampler
from . import lbfgs, newton
from .full_step import FullStep, accepted, on_host
from .line_search import ROUNDING, cost_rounding
from .preconditioner import GroupedClasses, SampledHessian, hessian_solver
from .result import (
    AT_PRECISION,
    CONVERGED,
    LINE_SEARCH_FAILED,
    OUT_OF_ITERATIONS,
    STOPPED_BY_CALLBACK,
    Callback,
    Coefficients,
    History,
    SolverResult,
)
from .smooth import SmoothObjective

# Iterations after which the sampled Hessian is estimated anew: the first steps go far. A well
# conditioned fit has ended before the last two.
REFRESH_AFTER = (1, 3, 12, 25)


def _rounding(objective: SmoothObjective, value: float, theta: Array) -> float:
    """By how much two evaluations of the same cost may differ."""
    xp = objective.backend.xp
    eps = float(xp.finfo(objective.dtype).eps)
    rounding = cost_rounding(value, eps)
    if not isinstance(objective, LinearObjective) or objective.centre is None:
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
    initial = _Sampled(SampledHessian(objective, RowSampler(objective, seed)))
    return _run_lbfgs(objective, theta, initial, max_iter, tol, callbacks)


def minimize_plain_lbfgs(
    objective: SmoothObjective,
    theta: Array,
    *,
    max_iter: int,
    tol: float,
    callbacks: Sequence[Callback] = (),
) -> SolverResult:
    """Minimize by L-BFGS from a multiple of the identity: of any smooth cost.

    Stops when the largest absolute entry of the gradient is at most `tol`; of a cost that is not
    convex, at a local minimum. One pass an iteration, but for line searches that need more trials.
    """
    initial = _ScaledIdentity(objective.backend)
    return _run_lbfgs(objective, theta, initial, max_iter, tol, callbacks)


class _Initial(Protocol):
    """Where the two-loop recursion starts from."""

    def inverse(self, iteration: int, before: lbfgs.Point, here: lbfgs.Point) -> Solver:
        """The estimate of the inverse Hessian for this iteration."""
        ...


class _Sampled:
    """The Hessian on a sample of rows, estimated anew after some of the iterations."""

    def __init__(self, hessian: SampledHessian) -> None:
        self.hessian = hessian
        self.current: Solver | None = None

    def inverse(self, iteration: int, before: lbfgs.Point, here: lbfgs.Point) -> Solver:
        if self.current is None or iteration in REFRESH_AFTER:
            self.current = self.hessian.inverse_at(here.theta)
        return self.current


class _ScaledIdentity:
    """The identity times the step over the change of the gradient, which is the curvature that the
    last step met (Nocedal and Wright, 7.20). It never leaves the device."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.factor: Array | None = None

    def inverse(self, iteration: int, before: lbfgs.Point, here: lbfgs.Point) -> Solver:
        if self.factor is None:
            self.factor = compiled(self.backend, _first_factor)(here.gradient)
        else:
            self.factor = compiled(self.backend, _next_factor)(self.factor, before, here)
        return Multiple(self.factor)


def _first_factor(xp: Namespace, gradient: Array) -> Array:
    # A first step of length 1 at most: nothing is known of the curvature yet.
    return 1.0 / xp.clip(xp.sqrt(gradient @ gradient), 1.0)


def _next_factor(xp: Namespace, factor: Array, before: lbfgs.Point, here: lbfgs.Point) -> Array:
    step, change = here.theta - before.theta, here.gradient - before.gradient
    curvature = step @ change
    usable = curvature > 0.0
    return xp.where(usable, curvature / xp.where(usable, change @ change, 1.0), factor)


def _run_lbfgs(
    objective: SmoothObjective,
    theta: Array,
    initial: _Initial,
    max_iter: int,
    tol: float,
    callbacks: Sequence[Callback],
) -> SolverResult:
    xp = objective.backend.xp
    history = History(callbacks)

    def evaluate_at(theta: Array) -> tuple[float, lbfgs.Point]:
        value, gradient = objective.value_gradient(theta)
        return value, lbfgs.Point(theta, gradient)

    def read() -> Any:
        return objective.read(here.theta)

    def done(reason: str) -> SolverResult:
        return history.result(here.theta, reason, "lbfgs", objective.n_passes, tol)

    value, here = evaluate_at(theta)
    before, pairs = here, _Pairs(objective, theta)
    stop = history.add(value, max_abs(xp, here.gradient), objective.n_passes, read)
    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        apply_initial = initial.inverse(iteration, before, here)
        trial = pairs.attempt(before, here, apply_initial)
        rounding = _rounding(objective, value, here.theta)
        if _no_gain(rounding, trial.slope):
            return done(AT_PRECISION)
        found = accepted(objective, here, value, trial, rounding, evaluate_at)
        if found is None and iteration > 0:
            # The pairs may be spoilt by rounding: once more from the sampled Hessian alone.
            pairs = _Pairs(objective, theta)
            trial = pairs.attempt(here, here, apply_initial)
            found = accepted(objective, here, value, trial, rounding, evaluate_at)
        if found is None:
            # What a Newton step would gain, against what a cost can resolve.
            gain = abs(dot(xp, here.gradient, apply_initial(here.gradient)))
            return done(AT_PRECISION if gain <= 10.0 * rounding else LINE_SEARCH_FAILED)
        before, (here, value, norm) = here, found
        stop = history.add(value, norm, objective.n_passes, read)
    raise AssertionError("unreachable")  # noqa: EM101


class _Pairs:
    """The memory of L-BFGS, and which slots of it are in use."""

    def __init__(self, objective: SmoothObjective, theta: Array) -> None:
        self.objective = objective
        self.memory = compiled(objective.backend, lbfgs.empty_memory)(theta)
        self.n_pairs = 0

    def attempt(self, before: lbfgs.Point, here: lbfgs.Point, apply_initial: Solver) -> FullStep:
        """Remember the step from `before` to `here`, and try the next one in full."""
        objective = self.objective
        slot = self.n_pairs % lbfgs.MEMORY
        n_slots = min(self.n_pairs + 1, lbfgs.MEMORY)
        if objective.compiles:
            n_slots = lbfgs.MEMORY  # or each iteration would be a program of its own
        if before is not here:
            self.n_pairs += 1  # where there is nothing to remember the slot is used again
        objective.rows_read += objective.n_samples
        run = objective.compiled(lbfgs.attempt, n_slots, donate=(0,))
        if isinstance(apply_initial, GroupedClasses):
            # How classes group depends on the data, and so would the program.
            run = partial(lbfgs.attempt, objective, n_slots)
        self.memory, attempt = run(self.memory, slot, before, here, apply_initial)
        return on_host(objective, attempt)


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

    def evaluate_at(theta: Array) -> tuple[float, newton.Point]:
        value, *derivatives = objective.value_gradient_hessian(theta)
        return value, newton.Point(theta, *derivatives)

    def attempt(function: Callable[..., Any], *more: Solver) -> FullStep:
        objective.rows_read += objective.n_samples
        return on_host(objective, objective.compiled(function)(here, *more))

    def read() -> Coefficients:
        return objective.read(here.theta)

    def done(reason: str) -> SolverResult:
        return history.result(here.theta, reason, "newton", objective.n_passes, tol)

    value, here = evaluate_at(theta)
    stop = history.add(value, max_abs(xp, here.gradient), objective.n_passes, read)
    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        trial = attempt(newton.attempt, hessian_solver(objective, here.hessian))
        if not trial.slope < 0.0:
            trial = attempt(newton.attempt_descent)
        rounding = _rounding(objective, value, here.theta)
        if _no_gain(rounding, trial.slope):
            return done(AT_PRECISION)
        found = accepted(objective, here, value, trial, rounding, evaluate_at)
        if found is None:
            lost = abs(trial.slope) <= 10.0 * rounding
            return done(AT_PRECISION if lost else LINE_SEARCH_FAILED)
        here, value, norm = found
        stop = history.add(value, norm, objective.n_passes, read)
    raise AssertionError("unreachable")  # noqa: EM101
