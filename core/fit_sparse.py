"""From data to sparse coefficients: linear models with an L1 or elastic-net penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .fit import LinearFit, start_of
from .linalg import max_abs
from .losses import Loss
from .solvers import Callback, minimize_fista, minimize_proximal_newton
from .sparse_setup import ready_objective, relative_to
from .watching import FitStart, watching

SOLVERS = {"proximal-newton": minimize_proximal_newton, "fista": minimize_fista}


def fit_sparse_model(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    l1_reg_strength: float,
    l2_reg_strength: float = 0.0,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    solver: str = "auto",
    max_iter: int = 100,
    tol: float = 1e-5,
    gap_tol: float = 0.0,
    relative_tol: bool = False,
    W_start: np.ndarray[Any, Any] | None = None,
    b_start: np.ndarray[Any, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_sparse_model",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> LinearFit:
    """Fit W and b of a linear model with an elastic-net penalty.

    minimize  sum_i w_i loss(y_i, x_i W + b) / sum_i w_i
              + l1_reg_strength * ||W||_1 + 0.5 * l2_reg_strength * ||W||^2

    Parameters
    ----------
    X, y, loss, backend, n_outputs, sample_weight, fit_intercept, standardize, W_start, b_start
        As in `fit_linear_model`; the intercept is free of both penalties.
    l1_reg_strength, l2_reg_strength : float
    solver : {"auto", "proximal-newton", "fista"}
        "auto" is proximal Newton, which hands over to FISTA for many coefficients of softmax.
    max_iter, tol
        The solver stops when no condition of optimality is violated by more than `tol`.
    gap_tol : float
        It also stops at this duality gap, as a share of the cost.
    relative_tol : bool
        `tol` counts in units of the least L1 strength that leaves no coefficient; finding that
        takes a pass.

    Returns
    -------
    LinearFit
        Coefficients that are zero are exact zeros; `result.duality_gap` is the certificate.

    Raises
    ------
    ValueError
        For an unknown solver, and for NaN or infinity in X, named by column.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X = np.asarray([[-1.0, 1.0], [0.0, -2.0], [1.0, 1.0]])
    >>> fit = fit_sparse_model(X, np.asarray([-2.0, 0.0, 2.0]), loss=HALF_SQUARED_ERROR,
    ...     backend=get_backend("numpy"), l1_reg_strength=0.2)
    >>> fit.W.round(12).tolist(), abs(fit.result.duality_gap) < 1e-12
    ([[1.7], [0.0]], True)
    """
    if solver not in {"auto", *SOLVERS}:
        message = f"solver {solver!r} is not known here. Known: auto, {', '.join(SOLVERS)}."
        raise ValueError(message)
    with (
        ready_objective(
            X, y, loss=loss, backend=backend, l2_reg_strength=l2_reg_strength,
            n_outputs=n_outputs, sample_weight=sample_weight, fit_intercept=fit_intercept,
            standardize=standardize, tol=tol, who=who, feature_names=feature_names, fused=fused,
        ) as (objective, tol),
        watching(callbacks, FitStart(who, max_iter, "iteration")),
    ):  # fmt: skip
        if relative_tol:
            null = start_of(objective, None, None)
            d = objective.n_features * objective.n_outputs
            largest = max_abs(backend.xp, objective.value_gradient(null)[1][:d])
            tol = relative_to(objective, tol, largest)
        minimize = SOLVERS["proximal-newton" if solver == "auto" else solver]
        result = minimize(
            objective, start_of(objective, W_start, b_start), float(l1_reg_strength),
            max_iter=max_iter, tol=tol, gap_tol=gap_tol, callbacks=callbacks,
        )  # fmt: skip
        W, b = objective.coefficients(result.theta)
    return LinearFit(
        np.asarray(backend.to_numpy(W), dtype=np.float64),
        np.asarray(backend.to_numpy(b), dtype=np.float64),
        result,
    )
