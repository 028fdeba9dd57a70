"""The path of a smooth loss: many strengths share each read of X.

At a few strengths, the knots, one pass gives the gradient and the Hessian. Between two knots the
Hessian hardly differs from the straight line between theirs, so that minima of quadratic models
need only gradients to be corrected, and one read of X gives the gradients of a whole group of
strengths: it multiplies X by a matrix of models. Each such round leaves a few hundredths of the
error. A strength that does not come nearer at that rate goes to the solver of single fits.
Reference: quasi-Newton with a fixed Hessian, Dembo, Eisenstat and Steihaug, SIAM J. Numer. Anal. 19
(1982).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .many_passes import ManySums, losses_gradients
from .objective import LinearObjective
from .path_gaps import certificate_of, path_gaps
from .path_gram import GramPath, Quadratic
from .path_point import PathPoint
from .penalties import ElasticNet
from .solvers.result import CONVERGED

Matrix = np.ndarray[Any, Any]

# Strengths from knot to knot, and those that share reads: more of them take more memory, and the
# first ones wait for the last.
STRIDE = 11
GROUP = 33
# Rounds of a group, and the share of a violation that a round may leave.
MAX_ROUNDS = 12
STALLED = 0.5


class Knot(NamedTuple):
    """A point near the path, with what one pass said of the smooth cost there."""

    penalty: ElasticNet
    theta: Matrix
    gradient: Matrix
    hessian: Matrix


@dataclass
class NewtonPath:
    """Minima of a smooth cost under an elastic net at descending strengths, a group at a time.

    Parameters
    ----------
    objective : LinearObjective
        Of one output, without a penalty.
    theta : array of shape (size,)
        The model without coefficients.
    tol : float
    one_by_one : callable
        Solves for a penalty from a theta, where rounds do not converge.
    """

    objective: LinearObjective
    theta: Any
    tol: float
    one_by_one: Callable[[ElasticNet, Any], PathPoint]

    def __post_init__(self) -> None:
        self.given_up = False
        self.knot = self._knot(ElasticNet(math.inf, 0.0), self.theta)
        self.null, d = self.knot.theta, self.objective.n_features
        self.largest = float(np.abs(self.knot.gradient[:d]).max(initial=0.0))

    def points(self, penalties: Sequence[ElasticNet]) -> Iterator[PathPoint]:
        """The minima, in order; a group is solved when its first is asked for."""
        theta = self.theta
        for first in range(0, len(penalties), GROUP):
            group = penalties[first : first + GROUP]
            if not self.given_up:
                points = self._group(group)
                theta = self._send(np.asarray(self._host(points[-1].theta)))
                yield from points
                continue
            for penalty in group:
                point = self.one_by_one(penalty, theta)
                theta = point.theta
                yield point

    def _knot(self, penalty: ElasticNet, theta: Any) -> Knot:
        _, *derivatives = self.objective.value_gradient_hessian(theta)
        theta, gradient, hessian = (self._host(a) for a in (theta, *derivatives))
        return Knot(penalty, theta, gradient, 0.5 * (hessian + hessian.T))

    def _group(self, penalties: Sequence[ElasticNet]) -> list[PathPoint]:
        models = []
        for first in range(0, len(penalties), STRIDE):
            part = penalties[first : first + STRIDE]
            before, after = self.knot, self._next_knot(part[-1])
            models += [_between(before, after, p, self.objective.fit_intercept) for p in part]
            self.knot = after
        inner = 0.1 * self.tol
        thetas = np.stack(
            [self._first(model, p, inner) for model, p in zip(models, penalties, strict=True)]
        )
        found: dict[int, PathPoint] = {}
        slopes = np.empty_like(thetas)
        left, violations = list(range(len(penalties))), np.full(len(penalties), np.inf)
        for rounds in range(1, MAX_ROUNDS + 1):
            means = self._means(thetas[left], self.objective.loss)
            slopes[left] = self._gradients(means)
            going_on = []
            for k, loss in zip(left, means.losses.tolist(), strict=True):
                point = self._point(thetas[k], loss, slopes[k], penalties[k], rounds)
                if point.violation <= self.tol:
                    found[k] = point
                elif point.violation <= STALLED * violations[k]:
                    models[k].go_on_from(thetas[k], slopes[k])
                    thetas[k] = models[k].minimum(penalties[k], max(inner, 1e-3 * point.violation))
                    violations[k] = point.violation
                    going_on.append(k)
            left = going_on
            if not left:
                break
        # Where Hessians change too fast for straight lines, the rest of the path goes alone too.
        self.given_up = 2 * len(found) < len(penalties)
        self._certify(found, slopes, penalties)
        for k, penalty in enumerate(penalties):
            if k not in found:
                # From the nearest stronger penalty that is solved, else from no coefficients.
                near = [j for j in found if j < k]
                start = self._send(found[max(near)].theta if near else self.null)
                found[k] = self.one_by_one(penalty, start)
        return [found[k] for k in range(len(penalties))]

    def _certify(
        self, found: dict[int, PathPoint], slopes: Matrix, penalties: Sequence[ElasticNet]
    ) -> None:
        """Give each point its duality gap, where the loss has one, in one more read."""
        summed = certificate_of(self.objective)
        if summed is None or not found:
            return
        own, d = list(found), self.objective.n_features
        thetas, asked = np.stack([found[k].theta for k in own]), [penalties[k] for k in own]
        losses = np.asarray(
            [found[k].loss - float(penalties[k].value(np, found[k].theta[:d])) for k in own]
        )
        gaps = path_gaps(thetas, losses, slopes[own], self._means(thetas, summed), asked)
        for k, gap in zip(own, gaps.tolist(), strict=True):
            found[k] = found[k]._replace(duality_gap=gap)

    def _first(self, model: GramPath, penalty: ElasticNet, tol: float) -> Matrix:
        # Rounding of the largest strength must not let a coefficient in.
        none = penalty.l1 >= self.largest * (1.0 - 1e-12)
        return self.null if none else model.minimum(penalty, tol)

    def _next_knot(self, penalty: ElasticNet) -> Knot:
        knot = self.knot
        model = GramPath(_model(knot, knot.hessian), self.objective.fit_intercept)
        model.W = knot.theta[: self.objective.n_features]
        theta = model.minimum(penalty, 0.1 * self.tol)
        return self._knot(penalty, self._send(theta))

    def _host(self, array: Any) -> Matrix:
        return np.array(self.objective.backend.to_numpy(array), dtype=np.float64)

    def _send(self, theta: Matrix) -> Any:
        return self.objective.backend.from_numpy(
            np.ascontiguousarray(theta, dtype=self.objective.host_dtype)
        )

    def _means(self, thetas: Matrix, loss: Any) -> ManySums:
        """Mean losses and gradients at each row of thetas, with respect to theta."""
        objective, to_numpy = self.objective, self.objective.backend.to_numpy
        sums = losses_gradients(
            objective.X, objective.y, objective.sample_weight,
            *objective.scaling.to_raw(self._send(thetas.T)), loss,
            backend=objective.backend, fused=objective.fused,
        )  # fmt: skip
        objective.rows_read += objective.n_samples
        gradients = objective.scaling.pull_back(sums.grad_W, sums.grad_b)
        losses, gradients, slopes = (
            np.asarray(to_numpy(a), dtype=np.float64) / float(objective.weight_sum)
            for a in (sums.losses, gradients, sums.grad_b)
        )
        return ManySums(losses, gradients[: objective.n_features], slopes)

    def _gradients(self, means: ManySums) -> Matrix:
        """One row of (size,) for each model."""
        rows: Matrix = means.grad_W.T
        if self.objective.fit_intercept:
            rows = np.concatenate([rows, means.grad_b[:, None]], axis=1)
        return rows

    def _point(
        self, theta: Matrix, loss: float, gradient: Matrix, penalty: ElasticNet, rounds: int
    ) -> PathPoint:
        d = self.objective.n_features
        violation = max(
            penalty.violation(np, theta[:d], gradient[:d]),
            float(np.abs(gradient[d:]).max(initial=0.0)),
        )
        cost = loss + float(penalty.value(np, theta[:d]))
        return PathPoint(theta.copy(), cost, violation, rounds, CONVERGED, "", None)


def _model(knot: Knot, hessian: Matrix) -> Quadratic:
    return Quadratic(0.0, knot.gradient - hessian @ knot.theta, hessian)


def _between(before: Knot, after: Knot, penalty: ElasticNet, fit_intercept: bool) -> GramPath:
    """The quadratic model at a strength between two knots.

    With s the share of the way, by the logarithm of the strength, H = (1 - s) H_0 + s H_1. The
    gradient is extrapolated from either knot with the mean Hessian of the way from there, and the
    two are mixed as (1 - s) and s: the error is of third order in the distance of the knots.
    """
    total, last, own = (p.l1 + p.l2 for p in (before.penalty, after.penalty, penalty))
    s = 1.0
    if math.isfinite(total) and total > last:
        s = math.log(total / own) / math.log(total / last)
    H0, H1 = before.hessian, after.hessian
    from_before = before.gradient - ((1.0 - 0.5 * s) * H0 + 0.5 * s * H1) @ before.theta
    from_after = after.gradient - (0.5 * (1.0 - s) * H0 + 0.5 * (1.0 + s) * H1) @ after.theta
    gradient = (1.0 - s) * from_before + s * from_after
    model = GramPath(Quadratic(0.0, gradient, (1.0 - s) * H0 + s * H1), fit_intercept)
    model.W = after.theta[: model.n_penalized] if s > 0.5 else before.theta[: model.n_penalized]
    return model
