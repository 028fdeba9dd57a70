"""The path of a squared error from one Gram matrix: one read of X for all strengths.

The mean squared error is a quadratic, L(theta) = value + gradient @ theta + 0.5 theta @ H @ theta,
whose three parts one pass gives. Everything else happens on the host: minima by their
active sets, the cost, and the duality gap, which for residuals a = raw - y is

(1 - s)^2 L + s theta @ dL + l1 ||W||_1 + 0.5 l2 ||W||^2 + penalty*(s dL),  s = min(1, l1 / max|dL|)

with s = 1 where there is an L2 penalty, if that is better. See `duality.py` for the general form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .fit import start_of
from .objective import LinearObjective
from .path_point import PathPoint
from .penalties import ElasticNet
from .solvers.active_set import ActiveSet
from .solvers.result import CONVERGED, OUT_OF_ITERATIONS

Matrix = np.ndarray[Any, Any]

# The largest Gram matrix: 2,000 columns are 32 MB, and its products pay for themselves by serving
# every strength.
MOST_COLUMNS = 2000


class Quadratic(NamedTuple):
    """value + gradient @ t + 0.5 * t @ hessian @ t for t = theta - origin, on the host."""

    value: float
    gradient: Matrix  # shape=(size,)
    hessian: Matrix  # shape=(size, size)
    origin: Matrix | float = 0.0  # shape=(size,), coefficients zero


def read_quadratic(objective: LinearObjective) -> Quadratic:
    """The squared error of an objective without a penalty as a quadratic, in one pass.

    About the mean of y: about zero, a y far from it would leave costs that are all rounding.
    """
    backend, start = objective.backend, start_of(objective, None, None)
    value, gradient, hessian = objective.value_gradient_hessian(start)
    origin, gradient, hessian = (
        np.asarray(backend.to_numpy(a), dtype=np.float64) for a in (start, gradient, hessian)
    )
    return Quadratic(value, gradient, 0.5 * (hessian + hessian.T), origin)


@dataclass
class GramPath:
    """Minima of a quadratic under an elastic net, each starting from the one before.

    Parameters
    ----------
    quadratic : Quadratic
    fit_intercept : bool
        Whether the last entry of theta is free of the penalty.

    Examples
    --------
    >>> part = Quadratic(2.0, np.asarray([-2.0]), np.asarray([[1.0]]))
    >>> point = GramPath(part, fit_intercept=False).solve(ElasticNet(0.5, 0.0), 1e-12)
    >>> point.theta.tolist(), point.loss, point.duality_gap
    ([1.5], 0.875, 0.0)
    """

    quadratic: Quadratic
    fit_intercept: bool

    def __post_init__(self) -> None:
        hessian = self.quadratic.hessian
        d = self.n_penalized = hessian.shape[0] - int(self.fit_intercept)
        self.inner, self.W = hessian[:d, :d], np.zeros(d)
        if self.fit_intercept:
            # The best intercept for any W: b = -(g_b + H_bW W) / H_bb.
            self.edge = hessian[d, :d] / hessian[d, d]
            self.inner = self.inner - np.outer(hessian[:d, d], self.edge)
        self._take_gradient(self.quadratic.gradient)
        self.active: ActiveSet | None = None
        self.l2 = 0.0
        self.eigen: tuple[Matrix, Matrix] | None = None

    def _take_gradient(self, gradient: Matrix) -> None:
        d, hessian = self.n_penalized, self.quadratic.hessian
        self.slopes, self.offset = gradient[:d], 0.0
        if self.fit_intercept:
            self.offset = gradient[d] / hessian[d, d]
            self.slopes = self.slopes - hessian[:d, d] * self.offset

    def go_on_from(self, theta: Matrix, gradient: Matrix) -> None:
        """Let the gradient at theta be this one; the Hessian stays."""
        at_zero = gradient - self.quadratic.hessian @ theta
        self.quadratic = self.quadratic._replace(gradient=at_zero)
        self._take_gradient(at_zero)
        self.W = theta[: self.n_penalized]
        if self.active is not None:
            self.active.gradient = self.slopes

    def largest_strength(self) -> float:
        """The least L1 strength that leaves no coefficient."""
        return float(np.abs(self.slopes).max(initial=0.0))

    def solve(self, penalty: ElasticNet, tol: float) -> PathPoint:
        """The minimum at one strength, and what is to be said of it."""
        return self._point(self.minimum(penalty, tol), penalty, tol)

    def minimum(self, penalty: ElasticNet, tol: float) -> Matrix:
        """theta - origin at the minimum at one strength."""
        if penalty.l1 == 0.0:
            values, vectors = self._eigen()
            self.W = -(vectors @ ((vectors.T @ self.slopes) / (values + penalty.l2)))
        else:
            self.W, _ = self._active_set(penalty.l2).minimize(self.W, penalty.l1, 0.1 * tol)
        theta = self.W
        if self.fit_intercept:
            theta = np.append(theta, -self.offset - self.edge @ theta)
        return theta

    def _eigen(self) -> tuple[Matrix, Matrix]:
        # As long as a dozen systems takes; the strengths after those are free.
        if self.eigen is None:
            values, vectors = np.linalg.eigh(self.inner)
            self.eigen = np.maximum(values, 0.0), vectors
        return self.eigen

    def _active_set(self, l2: float) -> ActiveSet:
        if self.active is None:
            self.active = ActiveSet(self.inner.copy(), self.slopes)
        if l2 != self.l2:
            diagonal = np.einsum("ii->i", self.active.hessian)
            diagonal += l2 - self.l2
            self.active.forget()
            self.l2 = l2
        return self.active

    def _point(self, theta: Matrix, penalty: ElasticNet, tol: float) -> PathPoint:
        value, gradient, hessian, origin = self.quadratic
        d, W = self.n_penalized, self.W
        slope = gradient + hessian @ theta
        mean_loss = value + 0.5 * float((gradient + slope) @ theta)
        at_intercept = float(np.abs(slope[d:]).max(initial=0.0))
        violation = max(penalty.violation(np, W, slope[:d]), at_intercept)
        penalized = float(penalty.value(np, W))
        gap = None
        if penalty.l1 > 0.0:
            gap = gap_of_squared_error(
                max(mean_loss, 0.0), slope[:d], float(slope @ theta), penalized, penalty
            )
        met = violation <= tol
        message = "" if met else (
            f"the active set of the quadratic left a violation of {violation:.3g}, and tol is "
            f"{tol:.3g}. Columns of very different scale are the usual cause: set standardize=True."
        )  # fmt: skip
        reason = CONVERGED if met else OUT_OF_ITERATIONS
        return PathPoint(theta + origin, mean_loss + penalized, violation, 1, reason, message, gap)


def gap_of_squared_error(
    mean_loss: float, v: Matrix, along: float, penalized: float, penalty: ElasticNet
) -> float:
    """The formula of the module's text; `along` is theta @ dL."""
    return min(
        (1.0 - share) ** 2 * mean_loss
        + share * along
        + penalized
        + penalty.conjugate(np, share * v)
        for share in penalty.feasible_shares(np, v)
    )
