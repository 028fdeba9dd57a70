"""A path by one fit after another, whatever the loss, the penalty and the backend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..backends import Array
from .fit import choose_solver
from .objective import LinearObjective
from .path_point import PathPoint
from .penalties import ElasticNet
from .solvers import minimize_lbfgs, minimize_newton, minimize_proximal_newton


@dataclass
class SingleFits:
    """The solver of one strength, from the coefficients of the one before."""

    objective: LinearObjective
    theta: Array
    max_iter: int
    tol: float

    def solve_from(self, penalty: ElasticNet, theta: Array) -> PathPoint:
        """As `solve`, from these parameters."""
        self.theta = theta
        return self.solve(penalty)

    def solve(self, penalty: ElasticNet) -> PathPoint:
        """The minimum at one strength."""
        objective = self.objective
        at = replace(objective, l2_reg_strength=penalty.l2, rows_read=0)
        options: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol}
        if penalty.l1 > 0.0:
            found = minimize_proximal_newton(at, self.theta, penalty.l1, **options)
        else:
            sizes = objective.n_samples, objective.n_features, objective.n_outputs
            newton = choose_solver("auto", objective.loss, *sizes) == "newton"
            found = (minimize_newton if newton else minimize_lbfgs)(at, self.theta, **options)
        objective.rows_read += at.rows_read
        objective.on_overflow = None
        self.theta = found.theta
        return PathPoint(
            found.theta, found.loss, found.gradient_norm, found.n_iter, found.stop_reason,
            found.message, found.duality_gap,
        )  # fmt: skip
