"""Least squares with an L2 penalty, solved exactly from the Gram matrix and refined by passes.

One pass gives the Gram matrix and the gradient at zero; their solution is corrected by the gradient
at the solution until it no longer gets smaller (iterative refinement: each pass gains the digits
that the squared condition number leaves). Where there are more columns than rows the n x n Gram
matrix of the rows is used. Singular problems get the solution of least norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from array_api_compat import device

from ...backends import Array
from ..linalg import bordered_solver, max_abs, positive_solver
from ..objective import LinearObjective
from ..passes import is_sparse
from .result import EXACT, ILL_CONDITIONED, Callback, Coefficients, History, SolverResult

# Refinements at most; the gradient is at rounding after one or two unless X is nearly singular.
MAX_REFINEMENTS = 10
# The gradient at the solution, as a share of the longest column times the size of y, up to which
# the equations count as solved. More is left where the Gram matrix is mostly rounding.
SOLVED = 2e-10
# What rounding leaves of it in short floats, in units of their precision.
SOLVED_ROUNDING = 1e3


def solve_least_squares(
    objective: LinearObjective, Y: Array, *, tol: float, callbacks: Sequence[Callback] = ()
) -> SolverResult:
    """The exact minimum for the half squared error, for one or several targets.

    Parameters
    ----------
    objective : LinearObjective
        For the first column of Y.
    Y : array of shape (n_samples, n_targets)
    tol : float
        Refinement stops early once the largest absolute entry of the gradient is below it by a
        factor of 1e-6: the digits cost one pass each time.

    Returns
    -------
    SolverResult
        `theta` has shape (n_features [+ 1], n_targets), here as a matrix.
    """
    xp = objective.backend.xp
    history = History(callbacks)
    objectives = [replace(objective, y=Y[:, k], rows_read=0) for k in range(Y.shape[1])]
    zero = xp.zeros((objective.size,), dtype=objective.dtype, device=device(Y))
    if objective.n_features > objective.n_samples and not is_sparse(objective.X):
        solve = _row_space_solver(objective)
        objective.rows_read += 2 * objective.n_samples
        start = [o.value_gradient(zero) for o in objectives]
        length = max(1.0, max(max_abs(xp, gradient) for _, gradient in start))
    else:
        value, gradient, hessian = objectives[0].value_gradient_hessian(zero)
        solve = bordered_solver(objective.backend, hessian, objective.fit_intercept)
        length = math.sqrt(float(xp.max(xp.linalg.diagonal(hessian))))
        start = [(value, gradient), *(o.value_gradient(zero) for o in objectives[1:])]
    thetas = [zero for _ in objectives]
    gradients = [gradient for _, gradient in start]

    def n_passes() -> int:
        return objective.n_passes + sum(o.n_passes for o in objectives)

    def read() -> Coefficients:
        each = [objective.read(theta) for theta in thetas]
        return np.concatenate([W for W, _ in each], axis=1), np.concatenate([b for _, b in each])

    def record(values: list[float]) -> None:
        norm = max(max_abs(xp, g) for g in gradients)
        history.add(sum(values), norm, n_passes(), read)

    record([value for value, _ in start])
    for _ in range(MAX_REFINEMENTS):
        trial = [theta - solve(g) for theta, g in zip(thetas, gradients, strict=True)]
        found = [o.value_gradient(theta) for o, theta in zip(objectives, trial, strict=True)]
        norm = max(max_abs(xp, gradient) for _, gradient in found)
        if not norm < 0.5 * history.records[-1].gradient_norm:
            break
        thetas, gradients = trial, [gradient for _, gradient in found]
        record([value for value, _ in found])
        if norm <= 1e-6 * tol:
            break
    last = history.records[-1].gradient_norm
    share = max(SOLVED, SOLVED_ROUNDING * float(xp.finfo(objective.dtype).eps))
    solved = last <= max(tol, share * length * math.sqrt(2.0 * start[0][0]))
    reason = EXACT if solved else ILL_CONDITIONED
    theta = xp.stack(thetas, axis=1)
    return history.result(theta, reason, "exact", n_passes(), tol)


def _row_space_solver(objective: LinearObjective):  # type: ignore[no-untyped-def]
    """Applies the pseudo-inverse of the Hessian by way of the (n, n) Gram matrix of the rows.

    X is converted and centred here, as a copy: it has fewer rows than columns.
    """
    xp = objective.backend.xp
    X = xp.astype(objective.X, objective.dtype)
    weight = objective.sample_weight
    if weight is None:
        weight = xp.ones((objective.n_samples,), dtype=X.dtype, device=device(X))
    weight = weight / objective.weight_sum
    mean = weight @ X if objective.fit_intercept else None
    if mean is not None:
        X = X - mean
    if objective.scale is not None:
        X = X / objective.scale
    A = xp.sqrt(weight)[:, None] * X
    gram = A @ A.T
    shift = mean
    if objective.shift is not None and mean is not None:
        shift = (mean - objective.shift) / objective.scale
    l2 = objective.l2_reg_strength
    eye = xp.eye(gram.shape[0], dtype=gram.dtype, device=device(gram))
    solve_rows = positive_solver(objective.backend, gram + l2 * eye)

    def apply(r: Array) -> Array:
        # r lies in the span of the rows: (A'A + l2) x = A' z has x = A' (A A' + l2)^-1 z, and
        # z = (A A')^+ A r.
        d = objective.n_features
        inner = r[:d] if shift is None else r[:d] - shift * r[d]
        W = A.T @ solve_rows(solve_plain(A @ inner))
        if shift is None:
            return W
        return xp.concat([W, r[d:] - xp.sum(shift * W)], axis=0)

    solve_plain = solve_rows if l2 == 0.0 else positive_solver(objective.backend, gram)
    return apply
