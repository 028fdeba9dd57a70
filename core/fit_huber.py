"""Huber regression with its scale, from data to coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from array_api_compat import device

from ..backends import Array, Backend
from .buckets import Rows, in_bucket
from .device_work import working_on
from .dtypes import host_dtype
from .fit import LinearFit, fit_linear_model
from .losses import HALF_SQUARED_ERROR
from .nonfinite import raise_nonfinite
from .passes import predict_raw
from .solvers import Callback
from .solvers.huber import HuberObjective, minimize_huber
from .watching import FitStart, watching

# Residuals below this share of the spread of y are rounding: the data are fitted exactly.
EXACT_SHARE = 1e-9


def fit_huber(
    X: Any,
    y: Array,
    *,
    backend: Backend,
    epsilon: float = 1.35,
    alpha: float = 0.0001,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    max_iter: int = 100,
    tol: float = 1e-5,
    W_start: np.ndarray[Any, Any] | None = None,
    b_start: np.ndarray[Any, Any] | None = None,
    scale_start: float | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_huber",
    feature_names: Sequence[str] | None = None,
) -> LinearFit:
    """Fit W, b and the scale sigma of Huber regression; the cost stands in `solvers/huber.py`.

    Unless a start is given, it is the least-squares fit and the median absolute residual of it.
    """
    if X.shape[0] >= X.shape[1]:
        with working_on(backend, X, who):
            X, y, sample_weight = in_bucket(backend, Rows(X, y, sample_weight), None)
    xp, dtype = backend.xp, backend.compute_dtype(X.dtype)
    host = host_dtype(dtype)
    y = xp.astype(y, dtype, copy=False)
    if sample_weight is None:
        weight = xp.ones(y.shape, dtype=dtype, device=device(y))
    else:
        weight = xp.astype(sample_weight, dtype, copy=False)
    least_squares = fit_linear_model(
        X, y, loss=HALF_SQUARED_ERROR, backend=backend, sample_weight=sample_weight,
        fit_intercept=fit_intercept, who=who, feature_names=feature_names,
    )  # fmt: skip
    residual, kept = _residual(X, y, weight, least_squares, backend)
    spread = float(xp.max(xp.abs(y))) or 1.0
    exact = residual.size == 0 or float(residual.max()) <= EXACT_SHARE * spread
    if exact and _penalty_cannot_move(X, weight, kept, least_squares, alpha, epsilon, backend):
        # The cost falls as sigma goes to zero, towards the exact fit of least norm.
        return replace(least_squares, scale=10.0 * float(np.finfo(np.float64).eps) * spread)
    W_start = least_squares.W if W_start is None else W_start
    b_start = least_squares.b if b_start is None else b_start
    if scale_start is None:
        # 0.6745 is the median absolute value of a standard normal variable.
        scale_start = max(float(np.median(residual)) / 0.6745, 1e-3 * spread if exact else 0.0)
        scale_start = scale_start or float(residual.mean())
    theta = np.concatenate([np.ravel(W_start), np.ravel(b_start), [scale_start]]).astype(host)
    # The least-squares fit and its residuals have read X too.
    read = (least_squares.result.n_passes + 1) * X.shape[0]
    objective = HuberObjective(X, y, weight, backend, epsilon, alpha, fit_intercept, read)
    objective.on_overflow = partial(raise_nonfinite, X, backend, who, feature_names)
    with (
        working_on(backend, X, f"{who} on X of {X.dtype}, {X.shape[0]:,} x {X.shape[1]:,}"),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
        watching(callbacks, FitStart(who, max_iter, "iteration")),
    ):
        result = minimize_huber(
            objective, backend.from_numpy(theta), max_iter=max_iter, tol=tol, callbacks=callbacks
        )
    answer = np.asarray(backend.to_numpy(result.theta), dtype=np.float64)
    d = X.shape[1]
    return LinearFit(answer[:d, None], answer[d : d + 1], result, float(answer[d + 1]))


def _residual(
    X: Any, y: Array, weight: Array, fit: LinearFit, backend: Backend
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Absolute residuals of the samples that have weight, on the host, and which samples."""
    host = host_dtype(y.dtype)
    with working_on(backend, X, "residuals of a least-squares fit"):
        W, b = backend.from_numpy(fit.W.astype(host)), backend.from_numpy(fit.b.astype(host))
        size = backend.xp.abs(y - predict_raw(X, W, b, backend=backend)[:, 0])
    kept = np.asarray(backend.to_numpy(weight)) > 0.0
    return np.asarray(backend.to_numpy(size))[kept], kept


def _penalty_cannot_move(
    X: Any,
    weight: Array,
    kept: np.ndarray[Any, Any],
    fit: LinearFit,
    alpha: float,
    epsilon: float,
    backend: Backend,
) -> bool:
    """Whether an exact fit stays the minimum as sigma goes to zero.

    The loss is then 2 epsilon sum_i w_i abs(r_i): its subgradient must hold that of the penalty,
    alpha W = epsilon sum_i w_i u_i x_i with abs(u_i) <= 1 (and sum_i w_i u_i = 0).
    """
    if alpha == 0.0 or not np.any(fit.W):
        return True
    rows = X.toarray() if hasattr(X, "toarray") else np.asarray(backend.to_numpy(X))
    rows = rows[kept].astype(np.float64)
    weights = np.asarray(backend.to_numpy(weight), dtype=np.float64)[kept]
    equations = np.hstack([rows, np.ones((rows.shape[0], 1))]).T * weights
    wanted = np.append(alpha * fit.W[:, 0] / epsilon, 0.0)
    u = np.linalg.lstsq(equations, wanted, rcond=None)[0]
    fits = np.allclose(equations @ u, wanted, atol=1e-8 * float(np.abs(wanted).max()))
    return bool(fits and np.abs(u).max() <= 1.0)
