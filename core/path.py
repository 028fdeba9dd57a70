"""Regularization paths: one model at many strengths of the penalty, from strong to weak.

Each strength starts from the one before, whose coefficients are nearly its own.
Reference: Friedman, Hastie and Tibshirani, J. Stat. Softw. 33 (2010), section 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .fit import start_of
from .linalg import max_abs
from .losses import HALF_SQUARED_ERROR, Loss
from .objective import LinearObjective
from .path_columns import column_path
from .path_gram import MOST_COLUMNS, GramPath, read_quadratic
from .path_newton import NewtonPath
from .path_point import PathFit, PathPoint, collect_points
from .path_single_fits import SingleFits
from .penalties import ElasticNet
from .solvers import Callback, minimize_proximal_newton
from .solvers.result import Coefficients
from .sparse_setup import ready_objective, relative_to

# No strength is small beside rounding: where y tells nothing, the path needs one all the same.
SMALLEST_STRENGTH = 1e-12
# Up to so many columns a Hessian of all of them is formed at the knots of a path.
MOST_NEWTON_COLUMNS = 600


def fit_path(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    l1_ratio: float = 1.0,
    strengths: Sequence[float] | np.ndarray[Any, Any] | None = None,
    n_strengths: int = 100,
    eps: float = 1e-3,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    max_iter: int = 100,
    tol: float = 1e-5,
    relative_tol: bool = False,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_path",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> PathFit:
    """Fit W and b of a linear model at each strength s of

    minimize  sum_i w_i loss(y_i, x_i W + b) / sum_i w_i
              + s * (l1_ratio * ||W||_1 + 0.5 * (1 - l1_ratio) * ||W||^2)

    Parameters
    ----------
    X, y, loss, backend, n_outputs, sample_weight, fit_intercept, standardize, max_iter, tol, \
    relative_tol
        As in `fit_linear_model` and `fit_sparse_model`; `max_iter` is for each strength that is
        fitted alone.
    l1_ratio : float
        Between 0 and 1; 0 is a path of ridge penalties, and needs `strengths`.
    strengths : array-like or None
        Positive, in any order; None: `n_strengths` of them, evenly spaced in their logarithm, from
        the least that leaves no coefficient to `eps` of it.
    callbacks : sequence of callables
        Each is called once a strength, with an IterationRecord whose iteration counts strengths;
        one that returns True ends the path there.

    Returns
    -------
    PathFit
        In descending order of the strengths.

    Raises
    ------
    ValueError
        For strengths that are not positive and finite, l1_ratio=0 without strengths, and for NaN or
        infinity in X, named by column.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X = np.asarray([[-1.0, 1.0], [0.0, -2.0], [1.0, 1.0]])
    >>> path = fit_path(X, np.asarray([-2.0, 0.0, 2.0]), loss=HALF_SQUARED_ERROR,
    ...     backend=get_backend("numpy"), n_strengths=3, eps=0.01)
    >>> path.strengths.round(4).tolist(), path.W[:, 0, 0].round(4).tolist()
    ([1.3333, 0.1333, 0.0133], [0.0, 1.8, 1.98])
    """
    if not (0.0 <= l1_ratio <= 1.0 and 0.0 < eps < 1.0 and n_strengths >= 1):
        message = (
            f"{who} was given {l1_ratio=}, {eps=}, {n_strengths=}. l1_ratio must lie between 0 and "
            "1, eps inside of that, and at least one strength is needed."
        )
        raise ValueError(message)
    if strengths is not None:
        strengths = checked_strengths(strengths, who)
    elif l1_ratio == 0.0:
        message = (
            f"{who} with l1_ratio=0 has no strength that leaves no coefficient, from which a path "
            "could begin. Pass the strengths."
        )
        raise ValueError(message)
    with ready_objective(
        X, y, loss=loss, backend=backend, n_outputs=n_outputs, sample_weight=sample_weight,
        fit_intercept=fit_intercept, standardize=standardize, tol=tol, who=who,
        feature_names=feature_names, fused=fused,
    ) as (objective, tol):  # fmt: skip
        solve, largest = _engine(objective, l1_ratio, max_iter, tol, relative_tol)
        if strengths is None:
            largest = max(largest / l1_ratio, SMALLEST_STRENGTH)
            strengths = np.geomspace(largest, eps * largest, n_strengths)
        return collect_points(
            solve(penalties_of(strengths, l1_ratio)), strengths,
            read=partial(_coefficients, objective), n_passes=lambda: objective.n_passes,
            callbacks=callbacks, who=who,
        )  # fmt: skip


def _engine(
    objective: LinearObjective, l1_ratio: float, max_iter: int, tol: float, relative_tol: bool
) -> tuple[Callable[[Sequence[ElasticNet]], Iterable[PathPoint]], float]:
    """What solves a path, from strong to weak; and the largest strength of an L1 penalty."""
    if is_quadratic(objective):
        by_gram = GramPath(read_quadratic(objective), objective.fit_intercept)
        largest = by_gram.largest_strength()
        tol = relative_to(objective, tol, largest) if relative_tol else tol
        return partial(map, partial(by_gram.solve, tol=tol)), largest
    theta, largest = start_of(objective, None, None), 0.0
    if l1_ratio > 0.0:
        theta, largest = null_model(objective, theta, tol)
        tol = relative_to(objective, tol, largest) if relative_tol else tol
    alone = SingleFits(objective, theta, max_iter, tol)
    columns = None
    if l1_ratio > 0.0:
        columns = column_path(objective, theta, tol, max_iter, alone.solve_from)
    if columns is not None:
        return columns.points, largest
    if shares_reads(objective) and l1_ratio > 0.0:
        return NewtonPath(objective, theta, tol, alone.solve_from).points, largest
    return partial(map, alone.solve), largest


def shares_reads(objective: LinearObjective) -> bool:
    """Whether Hessians of all columns at a few strengths serve all of a path."""
    return (
        objective.n_outputs == 1
        and objective.size <= MOST_NEWTON_COLUMNS
        and objective.size <= objective.n_samples
        and objective.centre is None
        # Another number of models is another program: a first path took three times as long.
        and not objective.backend.compiles
    )


def is_quadratic(objective: LinearObjective) -> bool:
    """Whether one Gram matrix of all columns tells everything."""
    return (
        objective.loss is HALF_SQUARED_ERROR
        and objective.n_outputs == 1
        and objective.n_features <= MOST_COLUMNS
        # About zero the Gram matrix of columns far from it is all rounding.
        and objective.centre is None
    )


def penalties_of(strengths: np.ndarray[Any, Any], l1_ratio: float) -> list[ElasticNet]:
    """The penalty at each strength."""
    return [ElasticNet(s * l1_ratio, s * (1.0 - l1_ratio)) for s in strengths.tolist()]


def checked_strengths(strengths: Any, who: str) -> np.ndarray[Any, Any]:
    """Strengths, descending.

    Raises
    ------
    ValueError
        For none, and for one that is not positive and finite.
    """
    values = np.sort(np.asarray(strengths, dtype=np.float64).reshape(-1))[::-1]
    if not (values.size and np.isfinite(values).all() and values[-1] > 0.0):
        message = (
            f"{who} was given the strengths {np.asarray(strengths).tolist()!r}. Give at least one; "
            "each must be finite and greater than 0."
        )
        raise ValueError(message)
    return values.copy()


def null_model(objective: LinearObjective, theta: Array, tol: float) -> tuple[Array, float]:
    """The model of intercepts alone, and the least L1 strength that leaves no coefficient.

    Parameters
    ----------
    theta : array of shape (size,)
        Where to start: coefficients zero.

    Returns
    -------
    theta, strength
        strength = max_j abs(sum_i w_i loss'(y_i, b) x_ij) / sum_i w_i
    """
    xp, d = objective.backend.xp, objective.n_features * objective.n_outputs
    free = replace(objective, l2_reg_strength=0.0, rows_read=0)
    _, gradient = free.value_gradient(theta)
    if max_abs(xp, gradient[d:]) > tol:
        # The start fits the mean of y; of this loss another intercept is best.
        most = 2.0 * max_abs(xp, gradient) + 1.0
        theta = minimize_proximal_newton(free, theta, most, max_iter=100, tol=0.1 * tol).theta
        _, gradient = free.value_gradient(theta)
    objective.rows_read += free.rows_read
    objective.on_overflow = None
    return theta, max_abs(xp, gradient[:d])


def _coefficients(objective: LinearObjective, theta: Any) -> Coefficients:
    if isinstance(theta, np.ndarray):
        theta = objective.backend.from_numpy(theta.astype(objective.host_dtype))
    return objective.read(theta)
