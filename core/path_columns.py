"""The path over sparse columns: predictions go along from strength to strength.

Where X is sparse, a column has few entries, and a step over the few columns that matter costs less
than a read of X. So X is put in order of its columns once, for all strengths (as much memory again
as the sparse X), and the predictions at the last strength are those at which the next one starts.
Which columns may matter next, the last gradient tells: the sequential strong rule. It can err, so
the gradient of all columns is looked at afterwards, and that is the one read of a strength. Its
duality gap needs no other: the slopes and what they sum up to are at hand.
Reference: Tibshirani et al., Strong rules for discarding predictors, J. R. Stat. Soc. B 74 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .dispatch import run_kernel
from .losses import HALF_SQUARED_ERROR
from .many_passes import ManySums
from .objective import LinearObjective
from .path_gaps import certificate_of, path_gaps
from .path_gram import gap_of_squared_error
from .path_point import PathPoint
from .penalties import ElasticNet
from .solvers.result import CONVERGED

Matrix = np.ndarray[Any, Any]

KERNEL = "column_model"
# The working set is solved to this share of the tolerance that all columns must meet.
SHARE = 0.5


def no_column_model(objective: LinearObjective, theta: Array, *, backend: Backend) -> None:
    """Without a kernel on columns a path goes another way."""


def column_path(
    objective: LinearObjective,
    theta: Array,
    tol: float,
    max_iter: int,
    one_by_one: Callable[[ElasticNet, Array], PathPoint],
) -> ColumnPath | None:
    """The path of this objective over its columns, where the backend has kernels for it.

    Parameters
    ----------
    objective : LinearObjective
        Of one output, without a penalty.
    theta : array of shape (size,)
        The model without coefficients.
    tol : float
    max_iter : int
        Rounds and steps for each strength.
    one_by_one : callable
        (penalty, theta) -> PathPoint: the solver of single fits, from theta.
    """
    if objective.n_outputs > 1 or objective.centre is not None:
        return None
    model = run_kernel(
        objective.backend, KERNEL, no_column_model, objective, theta,
        fused=objective.fused, in_blocks=False,
    )  # fmt: skip
    return None if model is None else ColumnPath(objective, model, tol, max_iter, one_by_one)


@dataclass
class ColumnPath:
    """Minima under an elastic net at descending strengths, each starting from the one before.

    Parameters
    ----------
    objective : LinearObjective
    model : backend's model of columns
        As `xpfit.backends.numba_columns.ColumnModel`.
    tol, max_iter, one_by_one
        As in `column_path`.
    """

    objective: LinearObjective
    model: Any
    tol: float
    max_iter: int
    one_by_one: Callable[[ElasticNet, Array], PathPoint]
    l1_before: float = math.inf
    gradient: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.is_quadratic = self.objective.loss is HALF_SQUARED_ERROR
        self.objective.rows_read += 2 * self.objective.n_samples  # the columns put in order
        self._look_around()

    def points(self, penalties: Sequence[ElasticNet]) -> Iterator[PathPoint]:
        """Strength by strength; one that the columns do not solve goes to single fits."""
        theta = self.model.theta
        for penalty in penalties:
            point = self.solve(penalty)
            if point is None:
                point = self.one_by_one(penalty, theta)
                self.model.move_to(point.theta)
                self._look_around()
            theta = point.theta
            yield point

    def _look_around(self) -> None:
        # With no column that may move, the derivatives are found and the intercept stays.
        self.model.minimize(np.zeros(0, dtype=np.int64), 0.0, 0.0, math.inf, 1)
        self.gradient = self._gradient()

    def _gradient(self) -> Matrix:
        self.objective.rows_read += self.objective.n_samples
        return np.asarray(self.model.pull_back(self.model.g))

    def solve(self, penalty: ElasticNet) -> PathPoint | None:
        """The minimum at one strength; None where it is not found on the columns."""
        model, d, tol = self.model, self.objective.n_features, self.tol
        threshold = max(2.0 * penalty.l1 - self.l1_before, 0.0)
        self.l1_before = penalty.l1
        chosen = np.zeros(d, dtype=bool)
        share = {"share": 0.0} if self.is_quadratic else {}
        for n_rounds in range(1, self.max_iter + 1):
            smooth = self.gradient[:d] + penalty.l2 * model.w if penalty.l2 else self.gradient[:d]
            chosen |= (model.w != 0.0) | (np.abs(smooth) >= threshold)
            (which,) = np.nonzero(chosen)
            cost, steps, there = model.minimize(
                which, penalty.l1, penalty.l2, SHARE * tol, self.max_iter, **share
            )
            if not there:
                return None
            self.objective.rows_read += math.ceil(
                (steps + 1) * self.objective.n_samples * which.shape[0] / max(1, d)
            )
            self.gradient = self._gradient()
            violations = penalty.violations(np, model.w, self.gradient[:d])
            if not violations[~chosen].max(initial=0.0) > tol:
                at_intercept = np.abs(self.gradient[d:]).max(initial=0.0)
                # np.maximum keeps a NaN, which max would lose or not by its place.
                violation = float(np.maximum(violations.max(), at_intercept))
                # All rounding, or no curvature, or NaN: which is not known here.
                if not violation <= tol:
                    return None
                theta = model.theta
                gap = self._gap(penalty, cost, theta)
                return PathPoint(theta, cost, violation, n_rounds, CONVERGED, "", gap)
            threshold = penalty.l1
        return None

    def _gap(self, penalty: ElasticNet, cost: float, theta: Matrix) -> float | None:
        model, d, gradient = self.model, self.objective.n_features, self.gradient
        if self.is_quadratic:
            penalized = float(penalty.value(np, model.w))
            along = float(gradient @ theta)
            return gap_of_squared_error(cost - penalized, gradient[:d], along, penalized, penalty)
        if certificate_of(self.objective) is None:
            return None
        rising = gradient[:d], 0.0
        if self.objective.fit_intercept:
            whole = np.asarray(model.pull_back(np.maximum(model.g, 0.0)))
            self.objective.rows_read += self.objective.n_samples
            rising = whole[:d], float(whole[d])
        squares = model.g * model.g
        with np.errstate(divide="ignore"):
            terms = np.divide(squares, model.h, out=np.zeros_like(squares), where=squares > 0.0)
        sums = ManySums(np.asarray([terms.sum()]), rising[0][:, None], np.asarray([rising[1]]))
        mean_loss = cost - float(penalty.value(np, model.w))
        return float(
            path_gaps(theta[None], np.asarray([mean_loss]), gradient[None], sums, [penalty])[0]
        )
