"""FISTA: the accelerated proximal gradient method, for any loss and any number of columns.

    new   = proximal_step(ahead - step * gradient(ahead), step)
    ahead = new + (age - 1) / older * (new - before),   older = (1 + sqrt(1 + 4 age^2)) / 2

The step is `1 / (bound * m_j)`, with m_j the mean square of column j, so that columns in different
units do not slow it down; `bound` doubles where two points in a row show more curvature than it
allows. Momentum that points uphill is dropped, and `bound` lowered a little. One pass an iteration.
References: Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009); O'Donoghue and Candes, Found. Comput.
Math. 15 (2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from array_api_compat import device

from ...backends import Array
from ..objective import LinearObjective
from ..penalties import soft_threshold
from .diagonal import column_squares
from .line_search import cost_rounding
from .result import (
    AT_PRECISION,
    LINE_SEARCH_FAILED,
    Callback,
    History,
    SolverResult,
)
from .sparse_cost import Point, SparseCost, SparseRun

NAME = "fista"
# The bound on the curvature: its growth where it was too small, and its fall at a restart.
GROWTH, FALL = 2.0, 0.9
# The age after a first step: (1 + sqrt(5)) / 2.
RESTARTED = 0.5 * (1.0 + math.sqrt(5.0))
MOST_DOUBLINGS = 60
# Iterations without a smaller violation after which rounding is all that is left, where the costs
# agree too.
PATIENCE = 100


class _Metric(NamedTuple):
    step: Array  # shape=(size,): 1 / (mean square of the column); 1 for intercepts
    threshold: Array  # shape=(size,): l1 * step; 0 for intercepts


class _State(NamedTuple):
    before: Array  # the last point that a proximal step made
    ahead: Point  # where the gradient is known
    age: float


def minimize_fista(
    objective: LinearObjective,
    theta: Array,
    l1: float,
    *,
    max_iter: int,
    tol: float,
    gap_tol: float = 0.0,
    callbacks: Sequence[Callback] = (),
    history: History | None = None,
) -> SolverResult:
    """Minimize objective(theta) + l1 * ||W||_1 by accelerated proximal steps.

    Parameters and result are those of `minimize_proximal_newton`; any loss will do. `history` goes
    on with another solver's records.
    """
    cost, xp = SparseCost(objective, l1), objective.backend.xp
    history = History(callbacks) if history is None else history
    run = SparseRun(cost, max_iter, tol, gap_tol, history)
    metric, bound = _metric(cost, theta), 1.0
    state = _State(theta, cost.evaluate(theta), 1.0)
    best, since = state.ahead, 0
    for iteration in range(max_iter + 1):
        here = state.ahead
        best, since = (here, 0) if here.violation < best.violation else (best, since + 1)
        reason = run.stops(here, iteration)
        if reason is not None:
            return cost.finish(history, here, reason, NAME, tol)
        rounding = cost_rounding(here.cost, float(xp.finfo(objective.dtype).eps))
        if since >= PATIENCE and abs(here.cost - best.cost) <= rounding:
            read = partial(objective.read, best.theta)
            history.add(best.cost, best.violation, objective.n_passes, read)
            return cost.finish(history, best, AT_PRECISION, NAME, tol)
        for _ in range(MOST_DOUBLINGS):
            found = _step(cost, state, metric, bound)
            if _allowed(here, found.ahead, metric, bound, cost):
                break
            bound *= GROWTH
            state = _State(here.theta, here, 1.0)
        else:
            return cost.finish(history, here, LINE_SEARCH_FAILED, NAME, tol)
        bound *= FALL if found.age == RESTARTED else 1.0
        state = found
    raise AssertionError("unreachable")  # noqa: EM101


def _metric(cost: SparseCost, theta: Array) -> _Metric:
    objective, d = cost.objective, cost.n_penalized
    xp = objective.backend.xp
    squares = column_squares(objective) + objective.l2_reg_strength
    objective.rows_read += objective.n_samples
    squares = xp.where(squares > 0, squares, 1.0)
    shape = (squares.shape[0], objective.n_outputs)
    each = xp.reshape(xp.broadcast_to(1.0 / squares[:, None], shape), (d,))
    free = xp.ones((theta.shape[0] - d,), dtype=theta.dtype, device=device(theta))
    return _Metric(xp.concat([each, free]), xp.concat([cost.l1 * each, 0.0 * free]))


def _step(cost: SparseCost, state: _State, metric: _Metric, bound: float) -> _State:
    """One proximal step, and the pass at the point ahead of it."""
    xp, ahead = cost.objective.backend.xp, state.ahead
    target = ahead.theta - metric.step / bound * ahead.gradient
    new = soft_threshold(xp, target, metric.threshold / bound)
    age, moved = state.age, new - state.before
    uphill = float(xp.sum((ahead.theta - new) / metric.step * moved)) > 0.0
    if uphill:
        age = 1.0
    older = RESTARTED if age == 1.0 else 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * age * age))
    return _State(new, cost.evaluate(new + (age - 1.0) / older * moved), older)


def _allowed(here: Point, there: Point, metric: _Metric, bound: float, cost: SparseCost) -> bool:
    """Whether the curvature between two points is at most what the step stands for."""
    xp = cost.objective.backend.xp
    if not math.isfinite(there.cost):
        return False
    change = there.theta - here.theta
    curvature = float((there.gradient - here.gradient) @ change)
    # Slopes are good to rounding only: steps that small are not judged.
    eps = float(xp.finfo(cost.objective.dtype).eps)
    lost = 10.0 * eps * float(xp.sum(xp.abs(here.gradient * change)))
    return curvature <= bound * float(xp.sum(change * change / metric.step)) + lost
