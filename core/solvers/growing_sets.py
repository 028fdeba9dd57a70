"""The squared error with an L1 penalty among many dense columns, by working sets whose Gram matrix
grows.

The penalty falls to its value step by step. At each strength only the columns enter whose slopes
are near the penalty's bound; most of those that would enter at once for the last strength, from
nowhere, would leave again. The Gram matrix of the columns so far (`column_gram.py`) serves all
strengths, so that one costs the products with the columns that are new, sweeps over that matrix,
and one pass over all columns for their slopes. References: Friedman, Hastie and Tibshirani,
J. Stat. Softw. 33 (2010); Tibshirani et al., Strong rules, J. R. Stat. Soc. B 74 (2012).
"""

from __future__ import annotations

from array_api_compat import device

from ...backends import Array
from ..linalg import max_abs
from ..losses import HALF_SQUARED_ERROR
from ..objective import LinearObjective
from ..passes import is_sparse
from .column_gram import ColumnGram
from .quadratic import minimize_quadratic, spread
from .result import AT_PRECISION, LINE_SEARCH_FAILED
from .sparse_cost import Point, SparseRun
from .working_sets import FIRST_COLUMNS, MOST_COLUMNS, SHARE

# From one strength of the penalty to the next, and the share of a strength to which its conditions
# of optimality are met on the way.
FALL = 0.5
ON_THE_WAY = 0.1
# Columns with a slope of at least this share of the strength may enter: they are next to violate.
NEAR = 0.9


def has_growing_sets(objective: LinearObjective) -> bool:
    """Whether `by_growing_sets` is for this objective."""
    return (
        objective.loss is HALF_SQUARED_ERROR
        and objective.n_outputs == 1
        and not is_sparse(objective.X)
        # Of many rows it is the products that cost: 10,000 x 2,000 with 153 nonzero coefficients
        # took 1.9 times as long as by the working sets of one strength.
        and objective.n_samples <= objective.n_features
        # Each number of columns would be a program.
        and not objective.backend.compiles
    )


def by_growing_sets(
    run: SparseRun, theta: Array, gram: ColumnGram | None = None
) -> tuple[Point, str]:
    """The minimum among all columns; to be called where `has_growing_sets`.

    Parameters
    ----------
    run : SparseRun
    theta : array of shape (size,)
    gram : ColumnGram or None
        Of an objective of the same data, with the columns that other penalties asked for.

    Returns
    -------
    here : Point
    reason : str
        Why it ended; LINE_SEARCH_FAILED also where too many columns matter.
    """
    cost = run.cost
    gram = ColumnGram(cost.objective) if gram is None else gram
    here, strength, least = cost.evaluate(theta), float("inf"), FIRST_COLUMNS
    for iteration in range(run.max_iter + 1):
        reason = run.stops(here, iteration)
        if reason is not None:
            return here, reason
        arrived = strength == cost.l1
        largest = max_abs(cost.objective.backend.xp, here.gradient[: cost.n_penalized])
        strength = max(cost.l1, FALL * min(strength, largest))
        wanted = _wanted(run, here, strength, least)
        if wanted is None:
            return here, LINE_SEARCH_FAILED
        gram.hold(wanted)
        found = _solved(run, here, gram, strength)
        if not arrived or found.cost < here.cost or found.violation < here.violation:
            here = found
        elif gram.columns.shape[0] == cost.n_penalized:
            return here, AT_PRECISION
        elif gram.columns.shape[0] >= MOST_COLUMNS or least > MOST_COLUMNS:
            # A limit of size, not of precision: another method can go on.
            return here, LINE_SEARCH_FAILED
        else:
            least *= 2
    raise AssertionError("unreachable")  # noqa: EM101


def _wanted(run: SparseRun, here: Point, strength: float, least: int) -> Array | None:
    """The columns to solve for next, as a mask; None where they would be too many."""
    cost = run.cost
    xp, d = cost.objective.backend.xp, cost.n_penalized
    sizes, chosen = xp.abs(here.gradient[:d]), here.theta[:d] != 0
    n_nonzero = int(xp.count_nonzero(chosen))
    if n_nonzero > MOST_COLUMNS // 2:
        return None
    near = ~chosen & (sizes >= NEAR * strength)
    most = max(n_nonzero, least)
    if int(xp.count_nonzero(near)) > most:
        ranked = xp.sort(xp.where(near, sizes, 0.0), descending=True)
        near = near & (sizes >= ranked[most - 1])
    return chosen | near


def _solved(run: SparseRun, here: Point, gram: ColumnGram, strength: float) -> Point:
    """The minimum among the held columns at this strength, evaluated on all of them."""
    cost, objective = run.cost, run.cost.objective
    xp, d = objective.backend.xp, cost.n_penalized
    start = xp.take(here.theta[:d], gram.columns, axis=0)
    slopes = xp.take(here.gradient[:d], gram.columns, axis=0)
    hessian, b = gram.hessian, here.theta[d:]
    if objective.fit_intercept:
        b = b - here.gradient[d:]
        slopes = slopes - gram.edge * here.gradient[d:]
    if objective.l2_reg_strength > 0.0:
        eye = xp.eye(hessian.shape[0], dtype=hessian.dtype, device=device(hessian))
        hessian = hessian + objective.l2_reg_strength * eye
    share = SHARE * here.violation if strength == cost.l1 else ON_THE_WAY * strength
    W = minimize_quadratic(
        objective.backend, hessian, slopes, start, strength, max(0.5 * run.tol, share),
        fused=objective.fused,
    )  # fmt: skip
    if objective.fit_intercept:
        b = b - xp.sum(gram.edge * (W - start))
    order = xp.argsort(gram.columns)
    places = xp.take(gram.columns, order, axis=0)
    whole = spread(xp, xp.take(W, order, axis=0), places, d)
    return cost.evaluate(xp.concat([whole, b], axis=0))
