"""A cost with an L1 penalty: a smooth objective, which the data enter, plus l1 * ||W||_1."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from ...backends import Array
from ..duality import duality_gap
from ..linalg import max_abs
from ..objective import LinearObjective
from ..penalties import ElasticNet
from .result import (
    CONVERGED,
    OUT_OF_ITERATIONS,
    SMALL_GAP,
    STOPPED_BY_CALLBACK,
    History,
    SolverResult,
)


class Point(NamedTuple):
    """A point, with what one pass said of it."""

    theta: Array  # shape=(size,)
    cost: float  # with the L1 penalty
    gradient: Array  # shape=(size,): of the smooth part, L2 included
    violation: float  # largest of the conditions of optimality
    hessian: Array | None = None  # shape=(size, size): of the smooth part


@dataclass(frozen=True)
class SparseCost:
    """cost(theta) = objective(theta) + l1 * ||W||_1, W being theta without the intercepts.

    Parameters
    ----------
    objective : LinearObjective
        Its own L2 penalty makes this an elastic net.
    l1 : float
    """

    objective: LinearObjective
    l1: float

    @property
    def n_penalized(self) -> int:
        """Coefficients; the intercepts follow them in theta."""
        return self.objective.n_features * self.objective.n_outputs

    def penalty(self, theta: Array) -> float:
        """l1 * ||W||_1."""
        xp = self.objective.backend.xp
        return float(self.l1 * xp.sum(xp.abs(theta[: self.n_penalized])))

    def evaluate(self, theta: Array, *, with_hessian: bool = False) -> Point:
        """Cost and derivatives at theta, in one pass."""
        hessian = None
        if with_hessian:
            value, gradient, hessian = self.objective.value_gradient_hessian(theta)
        else:
            value, gradient = self.objective.value_gradient(theta)
        violation = self.violation(theta, gradient)
        return Point(theta, value + self.penalty(theta), gradient, violation, hessian)

    def violation(self, theta: Array, gradient: Array) -> float:
        """Largest violation of the conditions of optimality, at intercepts too."""
        xp, d = self.objective.backend.xp, self.n_penalized
        inner = ElasticNet(self.l1).violation(xp, theta[:d], gradient[:d])
        return max(inner, max_abs(xp, gradient[d:]))

    def gap(self, here: Point) -> float | None:
        """The duality gap, in two passes; None for a loss whose dual is not known."""
        return duality_gap(self.objective, self.l1, here.theta, here.cost)

    def finish(
        self, history: History, here: Point, reason: str, solver: str, tol: float
    ) -> SolverResult:
        """The result at `here`, with its gap as a certificate."""
        gap = self.gap(here)
        found = history.result(here.theta, reason, solver, self.objective.n_passes, tol)
        return replace(found, duality_gap=gap)


@dataclass
class SparseRun:
    """A solver on its way: when it may stop, and its records."""

    cost: SparseCost
    max_iter: int
    tol: float
    gap_tol: float = 0.0
    history: History = field(default_factory=History)

    def stops(self, here: Point, iteration: int) -> str | None:
        """Record an iteration; the reason to stop, if there is one."""
        objective = self.cost.objective
        read = partial(objective.read, here.theta)
        asked = self.history.add(here.cost, here.violation, objective.n_passes, read)
        if here.violation <= self.tol:
            return CONVERGED
        if self.gap_tol > 0.0:
            gap = self.cost.gap(here)
            if gap is not None and gap <= self.gap_tol * abs(here.cost):
                return SMALL_GAP
        if asked:
            return STOPPED_BY_CALLBACK
        return OUT_OF_ITERATIONS if iteration >= self.max_iter else None
