"""Working sets: an L1 fit of many columns by fits of the few that matter.

Where there are many columns most coefficients stay zero. Then only a working set of columns enters
the model: those with a coefficient, and those that violate the conditions of optimality most. One
pass over all columns tells whether that set was large enough. Reference: Johnson and Guestrin,
Blitz (ICML 2015).
"""

from __future__ import annotations

from ...backends import Array
from ..linalg import max_abs
from ..penalties import ElasticNet
from .column_newton import minimum_among
from .quadratic import spread
from .result import AT_PRECISION, LINE_SEARCH_FAILED
from .sparse_cost import Point, SparseCost, SparseRun

# Columns of the first working set, and the most; beyond, the method goes over to FISTA.
FIRST_COLUMNS = 128
MOST_COLUMNS = 4096
# A working set is solved to this share of the violation that all columns show.
SHARE = 0.1
# Columns with a gradient of at least this share of l1 may enter: they are the next to violate.
NEAR = 0.8


def by_working_sets(run: SparseRun, theta: Array) -> tuple[Point, str]:
    """Proximal Newton on the columns that matter, until all columns meet the conditions.

    Parameters
    ----------
    run : SparseRun
        Of an objective with one output.
    theta : array of shape (size,)

    Returns
    -------
    here : Point
    reason : str
        Why it ended; LINE_SEARCH_FAILED also where too many columns matter.
    """
    cost = run.cost
    here, size = cost.evaluate(theta), FIRST_COLUMNS
    for iteration in range(run.max_iter + 1):
        reason = run.stops(here, iteration)
        if reason is not None:
            return here, reason
        columns = _working_set(cost, here, size)
        if columns is None:
            return here, LINE_SEARCH_FAILED
        found, trusted = _solve_among(run, here, columns)
        if found.cost < here.cost or found.violation < here.violation:
            here = found
            continue
        # Nothing gained on these columns: more of them, or the end.
        if not trusted:
            return here, LINE_SEARCH_FAILED
        if columns.shape[0] >= cost.n_penalized or not _outside(cost, here, columns) > run.tol:
            return here, AT_PRECISION
        size *= 2
    raise AssertionError("unreachable")  # noqa: EM101


def _working_set(cost: SparseCost, here: Point, least: int) -> Array | None:
    """The columns to solve for next, ascending; None where they would be too many.

    Those with a coefficient, and as many of the others (`least` in all, if those are few), in the
    order of abs(gradient): those that violate the conditions, or nearly.
    """
    objective, d = cost.objective, cost.n_penalized
    xp, W = objective.backend.xp, here.theta[:d]
    sizes = xp.abs(here.gradient[:d])
    chosen = W != 0
    n_nonzero = int(xp.sum(xp.astype(chosen, xp.int64)))
    if n_nonzero > MOST_COLUMNS // 2:
        return None
    scores = xp.where(chosen, xp.max(sizes) + 1.0, sizes)
    if objective.backend.compiles:  # each number of columns would be a program
        most = least
        while most < 2 * n_nonzero:
            most *= 2
        return xp.sort(xp.argsort(-scores)[: min(most, MOST_COLUMNS, d)])
    (near,) = xp.nonzero(scores >= NEAR * cost.l1)
    most = min(n_nonzero + max(n_nonzero, least), MOST_COLUMNS)
    if near.shape[0] > most:
        order = xp.argsort(-xp.take(scores, near, axis=0))
        near = xp.sort(xp.take(near, order[:most], axis=0))
    return near


def _outside(cost: SparseCost, here: Point, columns: Array) -> float:
    """Largest violation among the columns that are not in the working set."""
    xp, d = cost.objective.backend.xp, cost.n_penalized
    scores = ElasticNet(cost.l1).violations(xp, here.theta[:d], here.gradient[:d])
    inside = spread(xp, xp.take(scores, columns, axis=0), columns, d)
    return max_abs(xp, scores - inside)


def _solve_among(run: SparseRun, here: Point, columns: Array) -> tuple[Point, bool]:
    """The minimum over these columns and the intercept, evaluated on all columns."""
    cost, objective = run.cost, run.cost.objective
    xp, d, k = objective.backend.xp, cost.n_penalized, int(columns.shape[0])
    start = xp.concat([xp.take(here.theta[:d], columns, axis=0), here.theta[d:]], axis=0)
    tol = max(0.5 * run.tol, SHARE * here.violation)
    theta, trusted = minimum_among(objective, columns, start, cost.l1, tol, run.max_iter)
    W = spread(xp, theta[:k], columns, d)
    return cost.evaluate(xp.concat([W, theta[k:]], axis=0)), trusted
