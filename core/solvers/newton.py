"""Newton's method: the full step to the minimum of the second-order model."""

from __future__ import annotations

from typing import NamedTuple

from ...backends import Array
from ..linalg import Solver
from ..objective import LinearObjective
from .full_step import Attempt, attempt_along

# Least curvature for a step of steepest descent.
LEAST_CURVATURE = 1e-8


class Point(NamedTuple):
    """A point, with the gradient and Hessian there."""

    theta: Array  # shape=(size,)
    gradient: Array  # shape=(size,)
    hessian: Array  # shape=(size, size)


def attempt(objective: LinearObjective, here: Point, solve: Solver) -> Attempt:
    """Try the Newton step, in one pass that returns the next Hessian too."""
    along = -solve(here.gradient)
    return _attempt_along(objective, here, along)


def attempt_descent(objective: LinearObjective, here: Point) -> Attempt:
    """Try steepest descent: where curvature is zero and the gradient is not (Huber, squared
    hinge), there is no Newton step."""
    xp = objective.backend.xp
    curvature = xp.max(xp.abs(xp.linalg.diagonal(here.hessian)))
    return _attempt_along(objective, here, -here.gradient / xp.clip(curvature, LEAST_CURVATURE))


def _attempt_along(objective: LinearObjective, here: Point, along: Array) -> Attempt:
    theta = here.theta + along
    value, gradient, hessian = objective.cost_gradient_hessian(theta)
    point = Point(theta, gradient, hessian)
    return attempt_along(objective, here.gradient, along, value, point)
