"""The minimum over a working set of columns: by a kernel on the columns, or by their Hessian.

Where X is sparse a column has few entries, and coordinate descent on the columns themselves (the
backend's kernel `column_newton`) costs less than any Gram matrix. Where it is dense and tall, the
Gram matrix of a few hundred columns is formed in the time of a few sweeps over them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ...backends import Array, Backend
from ..dispatch import run_kernel
from ..objective import LinearObjective
from ..passes import is_sparse
from .proximal_steps import newton_steps
from .result import LINE_SEARCH_FAILED
from .sparse_cost import SparseCost, SparseRun

KERNEL = "column_newton"


def minimum_among(
    objective: LinearObjective, columns: Array, start: Array, l1: float, tol: float, max_steps: int
) -> tuple[Array, bool]:
    """theta at the minimum of cost + l1 ||W||_1 over some columns and the intercept.

    Parameters
    ----------
    objective : LinearObjective
        On all columns, of one output.
    columns : array of shape (k,), integers, ascending
    start : array of shape (k [+ 1],)
        Coefficients of these columns, and the intercept.
    l1, tol : float
        The largest violation of the conditions of optimality, of these columns.
    max_steps : int

    Returns
    -------
    theta : array of shape (k [+ 1],)
    trusted : bool
        False where no step lowered the cost: the model cannot be trusted.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> objective = LinearObjective(np.eye(3), np.asarray([3.0, 0.0, -6.0]), None,
    ...     HALF_SQUARED_ERROR, get_backend("numpy"), fit_intercept=False)
    >>> theta, _ = minimum_among(objective, np.asarray([0, 2]), np.zeros(2), 1.0, 1e-9, 10)
    >>> theta.round(9).tolist()
    [0.0, -3.0]
    """
    theta, n_reads, trusted = run_kernel(
        objective.backend, KERNEL, generic_column_newton,
        objective, columns, start, l1, tol, max_steps, fused=objective.fused, in_blocks=False,
    )  # fmt: skip
    objective.rows_read += _rows(objective, columns, n_reads)
    if trusted is None:
        theta, n_reads, trusted = generic_column_newton(
            objective, columns, theta, l1, tol, max_steps, backend=objective.backend
        )
        objective.rows_read += _rows(objective, columns, n_reads)
    return theta, bool(trusted)


def _rows(objective: LinearObjective, columns: Array, n_reads: int) -> int:
    # Rows of these columns, as rows of X.
    read = n_reads * objective.n_samples * int(columns.shape[0])
    return math.ceil(read / objective.n_features)


def generic_column_newton(
    objective: LinearObjective,
    columns: Array,
    start: Array,
    l1: float,
    tol: float,
    max_steps: int,
    *,
    backend: Backend,
) -> tuple[Array, int, bool | None]:
    """theta, reads of the columns, and whether to trust the model: the contract of the kernel.

    A kernel says None where it did not arrive: this function then goes on from there.
    """
    among = _restricted(objective, columns)
    here, reason = newton_steps(SparseRun(SparseCost(among, l1), max_steps, tol), start)
    return here.theta, among.n_passes, reason != LINE_SEARCH_FAILED


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
