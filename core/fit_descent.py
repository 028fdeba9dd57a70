"""From data to coefficients by descent with all rows in each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .buckets import Rows, in_bucket
from .device_work import working_on
from .fit import LinearFit, check_labels, objective_of, start_of
from .losses import Loss
from .nonfinite import raise_nonfinite
from .objective import LinearObjective
from .optimizers import Optimizer
from .solvers import Callback
from .solvers.descent import minimize_descent
from .watching import FitStart, watching


def fit_by_descent(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    optimizer_of: Callable[[LinearObjective], Optimizer],
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    l2_reg_strength: float = 0.0,
    fit_intercept: bool = True,
    standardize: bool = False,
    max_iter: int = 100,
    tol: float = 1e-5,
    max_norm: float = math.inf,
    W_start: np.ndarray[Any, Any] | None = None,
    b_start: np.ndarray[Any, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    name: str = "gd",
    who: str = "fit_by_descent",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> LinearFit:
    """Fit W and b of a linear model by a first-order optimizer, one pass a step.

    minimize  sum_i w_i loss(y_i, x_i W + b) / sum_i w_i + 0.5 * l2_reg_strength * ||W||^2

    Parameters
    ----------
    optimizer_of : callable
        Makes the optimizer; it may ask the objective for a learning rate (`full_batch_rate`).
    max_norm, name
        As in `minimize_descent`.
    others
        As in `fit_linear_model`.

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.learning_rates import full_batch_rate
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> from xpfit.core.optimizers import SGD
    >>> X = np.asarray([[0.0], [1.0], [2.0]])
    >>> fit = fit_by_descent(
    ...     X, np.asarray([1.0, 3.0, 5.0]), loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"),
    ...     optimizer_of=lambda cost: SGD(full_batch_rate(cost)), max_iter=1000, tol=1e-9)
    >>> round(float(fit.W[0, 0]), 6), round(float(fit.b[0]), 6)
    (2.0, 1.0)
    """
    n_samples, n_features = X.shape
    with (
        working_on(backend, X, f"{who} on X of {X.dtype}, {n_samples:,} x {n_features:,}"),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
        watching(callbacks, FitStart(who, max_iter, "iteration")),
    ):
        given_X, given_y = X, y
        X, y, sample_weight = in_bucket(backend, Rows(X, y, sample_weight), fused)
        if loss.is_multiclass:
            check_labels(y, n_outputs, backend, who)
        objective = objective_of(
            X, y, sample_weight, loss, backend, n_outputs, l2_reg_strength, fit_intercept,
            standardize, fused,
        )  # fmt: skip
        objective.on_overflow = partial(
            raise_nonfinite, given_X, backend, who, feature_names, loss, given_y
        )
        start = start_of(objective, W_start, b_start)
        result = minimize_descent(
            objective, start, optimizer_of(objective), max_iter=max_iter, tol=tol,
            max_norm=max_norm, callbacks=callbacks, name=name,
        )  # fmt: skip
        W, b = objective.coefficients(result.theta)
    return LinearFit(
        np.asarray(backend.to_numpy(W), dtype=np.float64),
        np.asarray(backend.to_numpy(b), dtype=np.float64),
        result,
    )
