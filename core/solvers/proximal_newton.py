"""Proximal Newton: Newton's method for a cost with an L1 penalty, over working sets of columns.

Each iteration minimizes the second-order model of the smooth part plus the L1 penalty, which
`quadratic.py` does without reading the data, and goes along the line to that minimum as far as the
cost falls. Intercepts, which carry no penalty, are eliminated from the model first. For the
squared error the model is the cost itself: one Gram matrix serves the whole fit.

Where there are many columns most coefficients stay zero. Then only a working set of columns enters
the model: those with a coefficient, and those that violate the conditions of optimality most. One
pass over all columns tells whether that set was large enough. References: Lee, Sun and Saunders,
SIAM J. Optim. 24 (2014); Johnson and Guestrin, Blitz (ICML 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from array_api_compat import device

from ...backends import Array, Backend
from ..linalg import max_abs
from ..losses import HALF_SQUARED_ERROR
from ..objective import LinearObjective
from ..passes import is_sparse
from ..penalties import ElasticNet
from .fista import minimize_fista
from .line_search import C1, cost_rounding
from .quadratic import minimize_quadratic, spread
from .result import (
    AT_PRECISION,
    LINE_SEARCH_FAILED,
    Callback,
    History,
    SolverResult,
)
from .sparse_cost import Point, SparseCost, SparseRun

NAME = "proximal-newton"
# Up to so many parameters the Gram matrix of all columns is formed; the squared error needs one.
ALL_COLUMNS = 128
ALL_COLUMNS_SQUARED = 512
# Columns of the first working set, and the most; beyond, the method goes over to FISTA.
FIRST_COLUMNS = 64
MOST_COLUMNS = 4096
# A working set is solved to this share of the violation that all columns show.
SHARE = 0.1
# The model is minimized to this share of the violation: a pass costs more.
MODEL_SHARE = 1e-4
HALVINGS = 30


def minimize_proximal_newton(
    objective: LinearObjective,
    theta: Array,
    l1: float,
    *,
    max_iter: int,
    tol: float,
    gap_tol: float = 0.0,
    callbacks: Sequence[Callback] = (),
) -> SolverResult:
    """Minimize objective(theta) + l1 * ||W||_1.

    Parameters
    ----------
    objective : LinearObjective
        The smooth part; with several outputs, of at most `ALL_COLUMNS` parameters or by FISTA.
    theta : array of shape (size,)
        Where to start.
    l1 : float
    max_iter : int
    tol : float
        Stop once no condition of optimality is violated by more.
    gap_tol : float
        Stop once the duality gap is at most this share of the cost too; looking costs two passes
        an iteration. 0: the gap is found at the end only.

    Returns
    -------
    SolverResult
        `gradient_norm` is the largest violation, `duality_gap` the certificate. Coefficients that
        are zero are exact zeros.
    """
    run = SparseRun(SparseCost(objective, l1), max_iter, tol, gap_tol, History(callbacks))
    squared = objective.loss is HALF_SQUARED_ERROR
    most = ALL_COLUMNS_SQUARED if squared else ALL_COLUMNS
    if objective.size <= most:
        here, reason = _newton(run, theta)
        return run.cost.finish(run.history, here, reason, NAME, tol)
    if objective.n_outputs == 1:
        here, reason = _by_working_sets(run, theta)
        if reason != LINE_SEARCH_FAILED:
            return run.cost.finish(run.history, here, reason, NAME, tol)
        theta = here.theta
    return minimize_fista(
        objective, theta, l1, max_iter=max_iter, tol=tol, gap_tol=gap_tol,
        callbacks=callbacks, history=run.history,
    )  # fmt: skip


def _newton(run: SparseRun, theta: Array) -> tuple[Point, str]:
    """Proximal Newton on all columns of the objective."""
    cost, objective = run.cost, run.cost.objective
    once = objective.loss is HALF_SQUARED_ERROR
    here = cost.evaluate(theta, with_hessian=True)
    for iteration in range(run.max_iter + 1):
        reason = run.stops(here, iteration)
        if reason is not None:
            return here, reason
        share = 0.0 if once else MODEL_SHARE * here.violation
        target = _model_minimum(cost, here, max(0.1 * run.tol, share))
        found, predicted = _search(cost, here, target, with_hessian=not once)
        if found is None:
            rounding = _rounding(cost, here)
            # Of a model that cannot be trusted (no curvature) the prediction says nothing.
            return here, AT_PRECISION if abs(predicted) <= 10.0 * rounding else LINE_SEARCH_FAILED
        here = found._replace(hessian=here.hessian) if once else found
    raise AssertionError("unreachable")  # noqa: EM101


def _rounding(cost: SparseCost, here: Point) -> float:
    objective = cost.objective
    return cost_rounding(here.cost, float(objective.backend.xp.finfo(objective.dtype).eps))


def _model_minimum(cost: SparseCost, here: Point, tol: float) -> Array:
    """Minimum of the second-order model at `here`, intercepts included."""
    objective, d = cost.objective, cost.n_penalized
    backend, xp = objective.backend, objective.backend.xp
    hessian, gradient, theta = here.hessian, here.gradient, here.theta
    assert hessian is not None
    if not objective.fit_intercept:
        return minimize_quadratic(
            backend, hessian, gradient, theta, cost.l1, tol, fused=objective.fused
        )
    corner = _regular(backend, hessian[d:, d:])
    solved = xp.linalg.solve(corner, xp.concat([hessian[d:, :d], gradient[d:][:, None]], axis=1))
    edge, offset = solved[:, :d], solved[:, d]
    inner = hessian[:d, :d] - hessian[:d, d:] @ edge
    slopes = gradient[:d] - hessian[:d, d:] @ offset
    W = minimize_quadratic(backend, inner, slopes, theta[:d], cost.l1, tol, fused=objective.fused)
    return xp.concat([W, theta[d:] - offset - edge @ (W - theta[:d])], axis=0)


def _regular(backend: Backend, corner: Array) -> Array:
    """The curvature of the intercepts, with some added along what the cost does not depend on."""
    xp, K = backend.xp, corner.shape[0]
    mean = float(xp.sum(xp.linalg.diagonal(corner))) / K
    if not mean > 0.0:
        return xp.eye(K, dtype=corner.dtype, device=device(corner))
    # Softmax does not see what is added to all its intercepts.
    return corner + mean / K if K > 1 else corner


def _search(
    cost: SparseCost, here: Point, target: Array, *, with_hessian: bool
) -> tuple[Point | None, float]:
    """The first step of 1, 1/2, 1/4 ... towards `target` that lowers the cost as it should."""
    xp = cost.objective.backend.xp
    along = target - here.theta
    predicted = float(here.gradient @ along) + cost.penalty(target) - cost.penalty(here.theta)
    if not math.isfinite(predicted):
        return None, math.inf
    rounding = _rounding(cost, here)
    step = 1.0
    for _ in range(HALVINGS):
        if not predicted < 0.0:
            break
        theta = target if step == 1.0 else here.theta + step * along
        found = cost.evaluate(theta, with_hessian=with_hessian)
        if math.isfinite(found.cost) and bool(xp.all(xp.isfinite(found.gradient))):
            if found.cost <= here.cost + C1 * step * predicted:
                # Near the minimum the cost is all rounding: the conditions tell more.
                lost = -step * predicted <= rounding and found.violation >= here.violation
                return (None if lost else found), predicted
            if found.cost <= here.cost + rounding and found.violation < here.violation:
                return found, predicted
        if -step * predicted <= 1e-3 * rounding:
            break
        step *= 0.5
    return None, predicted


def _by_working_sets(run: SparseRun, theta: Array) -> tuple[Point, str]:
    """Proximal Newton on the columns that matter, until all columns meet the conditions."""
    cost, objective = run.cost, run.cost.objective
    xp, d = objective.backend.xp, cost.n_penalized
    here, size = cost.evaluate(theta), FIRST_COLUMNS
    for iteration in range(run.max_iter + 1):
        reason = run.stops(here, iteration)
        if reason is not None:
            return here, reason
        W = here.theta[:d]
        n_nonzero = int(xp.sum(xp.astype(W != 0, xp.int64)))
        while size < 2 * n_nonzero:
            size *= 2
        if n_nonzero > MOST_COLUMNS // 2:
            return here, LINE_SEARCH_FAILED
        size = min(size, MOST_COLUMNS, d)
        scores = ElasticNet(cost.l1).violations(xp, W, here.gradient[:d])
        scores = xp.where(W != 0, xp.max(scores) + 1.0, scores)
        columns = xp.sort(xp.argsort(-scores)[:size])
        found, failed = _solve_among(run, here, columns)
        if not found.cost < here.cost and found.violation >= here.violation:
            # Nothing gained on these columns: more of them, or the end.
            all_in = size >= d or not _outside(cost, here, columns) > run.tol
            if failed == LINE_SEARCH_FAILED:
                return here, failed
            if all_in:
                return here, AT_PRECISION
        else:
            here = found
        size *= 2 if _outside(cost, here, columns) > run.tol else 1
    raise AssertionError("unreachable")  # noqa: EM101


def _outside(cost: SparseCost, here: Point, columns: Array) -> float:
    """Largest violation among the columns that are not in the working set."""
    xp, d = cost.objective.backend.xp, cost.n_penalized
    scores = ElasticNet(cost.l1).violations(xp, here.theta[:d], here.gradient[:d])
    inside = spread(xp, xp.take(scores, columns, axis=0), columns, d)
    return max_abs(xp, scores - inside)


def _solve_among(run: SparseRun, here: Point, columns: Array) -> tuple[Point, str]:
    """The minimum over these columns and the intercept, evaluated on all columns."""
    cost, objective = run.cost, run.cost.objective
    xp, d = objective.backend.xp, cost.n_penalized
    among = _restricted(objective, columns)
    start = xp.concat([xp.take(here.theta[:d], columns, axis=0), here.theta[d:]], axis=0)
    tol = max(0.5 * run.tol, SHARE * here.violation)
    inner = SparseRun(SparseCost(among, cost.l1), run.max_iter, tol)
    there, reason = _newton(inner, start)
    n_columns = among.n_features
    objective.rows_read += math.ceil(among.rows_read * n_columns / objective.n_features)
    W = spread(xp, there.theta[:n_columns], columns, d)
    return cost.evaluate(xp.concat([W, there.theta[n_columns:]], axis=0)), reason


def _restricted(objective: LinearObjective, columns: Array) -> LinearObjective:
    """The objective of some columns, of which X holds a copy."""
    xp = objective.backend.xp

    def some(vector: Array | None) -> Any:
        return None if vector is None else xp.take(vector, columns, axis=0)

    X = objective.X
    return replace(
        objective,
        X=X[:, columns] if is_sparse(X) else xp.take(X, columns, axis=1),
        shift=some(objective.shift), scale=some(objective.scale), centre=None,
        rows_read=0, on_overflow=None,
    )  # fmt: skip
