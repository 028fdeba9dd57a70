"""Proximal Newton: Newton's method for a cost with an L1 penalty, over working sets of columns.

Few columns all enter the model of each step (`proximal_steps.py`); for the squared error the model
is the cost itself: one Gram matrix serves the whole fit. Of many columns only those that matter do
(`working_sets.py`; `growing_sets.py` for the squared error of wide X). Where one way fails the next
goes on from there, and FISTA at last. Reference: Lee, Sun and
Saunders, SIAM J. Optim. 24 (2014).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...backends import Array
from ..losses import HALF_SQUARED_ERROR
from ..objective import LinearObjective
from .fista import minimize_fista
from .growing_sets import by_growing_sets, has_growing_sets
from .proximal_steps import newton_steps
from .result import LINE_SEARCH_FAILED, Callback, History, SolverResult
from .sparse_cost import SparseCost, SparseRun
from .working_sets import by_working_sets

NAME = "proximal-newton"
# Up to so many parameters the Gram matrix of all columns is formed; the squared error needs one.
ALL_COLUMNS = 128
ALL_COLUMNS_SQUARED = 512


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
        here, reason = newton_steps(run, theta)
        if reason != LINE_SEARCH_FAILED:
            return run.cost.finish(run.history, here, reason, NAME, tol)
        theta = here.theta
    if has_growing_sets(objective):
        here, reason = by_growing_sets(run, theta)
        if reason != LINE_SEARCH_FAILED:
            return run.cost.finish(run.history, here, reason, NAME, tol)
        theta = here.theta
    if objective.n_outputs == 1:
        here, reason = by_working_sets(run, theta)
        if reason != LINE_SEARCH_FAILED:
            return run.cost.finish(run.history, here, reason, NAME, tol)
        theta = here.theta
    return minimize_fista(
        objective, theta, l1, max_iter=max_iter, tol=tol, gap_tol=gap_tol,
        callbacks=callbacks, history=run.history,
    )  # fmt: skip
