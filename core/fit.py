"""From data to coefficients: builds the objective, picks the solver, brings the answer home."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from array_api_compat import device

from ..backends import Array, Backend
from .columns import column_moments, describe_nonfinite, standard_scale
from .losses import HALF_SQUARED_ERROR, Loss
from .objective import LinearObjective
from .passes import predict_raw
from .solvers import Callback, SolverResult, minimize_lbfgs, minimize_newton
from .solvers.huber import HuberObjective, minimize_huber
from .solvers.least_squares import solve_least_squares

SOLVERS = ("auto", "lbfgs", "newton", "exact")

# Newton's method wins while forming the Hessian (n d^2 products) costs less than the calls of the
# many small steps of L-BFGS.
NEWTON_PRODUCTS = 50_000_000
NEWTON_COLUMNS = 600
# Columns beyond which a Gram matrix is too large to be formed for an exact solution.
EXACT_COLUMNS = 5000


@dataclass(frozen=True)
class LinearFit:
    """Coefficients for X as it was given, on the host.

    Attributes
    ----------
    W : ndarray of shape (n_features, n_outputs), float64
    b : ndarray of shape (n_outputs,), float64
    result : SolverResult
    scale : float or None
        The scale that a Huber fit estimated.
    """

    W: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any]
    result: SolverResult
    scale: float | None = None


def choose_solver(
    solver: str, loss: Loss, n_samples: int, n_features: int, n_outputs: int = 1
) -> str:
    """The solver that `auto` stands for; a solver that the loss does not allow is an error.

    Examples
    --------
    >>> choose_solver("auto", HALF_SQUARED_ERROR, 100, 3)
    'exact'
    """
    if solver not in SOLVERS:
        message = f"solver {solver!r} is not known. Known: {', '.join(SOLVERS)}."
        raise ValueError(message)
    squared = loss is HALF_SQUARED_ERROR
    if solver == "exact" and not squared:
        message = (
            f"solver 'exact' was asked for, but the loss is {loss.name!r}: only the squared error "
            "has an exact solution. Use solver='auto'."
        )
        raise ValueError(message)
    if solver == "auto":
        if squared and min(n_samples, n_features) <= EXACT_COLUMNS:
            return "exact"
        small = n_samples * (n_features * n_outputs) ** 2 <= NEWTON_PRODUCTS
        return "newton" if small and n_features * n_outputs <= NEWTON_COLUMNS else "lbfgs"
    return solver


def fit_linear_model(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    l2_reg_strength: float = 0.0,
    fit_intercept: bool = True,
    standardize: bool = False,
    solver: str = "auto",
    max_iter: int = 100,
    tol: float = 1e-6,
    W_start: np.ndarray[Any, Any] | None = None,
    b_start: np.ndarray[Any, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_linear_model",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> LinearFit:
    """Fit W and b of a linear model.

    minimize  sum_i w_i loss(y_i, x_i W + b) / sum_i w_i + 0.5 * l2_reg_strength * ||W||^2

    Parameters
    ----------
    X : array of the backend (n_samples, n_features), or CSR on host backends
        Read in its stored dtype and memory order, never copied whole.
    y : array of the backend, (n_samples,); labels 0 ... n_outputs - 1 for a multiclass loss;
        (n_samples, n_targets) is allowed for the squared error
    standardize : bool
        Let the penalty act on the coefficients of columns with mean 0 and deviation 1.
    solver : {"auto", "lbfgs", "newton", "exact"}
    max_iter, tol
        The solver stops when the largest absolute entry of the gradient is at most `tol`.
    W_start, b_start : host arrays, where to start; zero and the best intercept otherwise

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column; the first pass finds them at no cost.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> X = np.asarray([[0.0], [1.0], [2.0]])
    >>> fit = fit_linear_model(X, np.asarray([1.0, 3.0, 5.0]), loss=HALF_SQUARED_ERROR,
    ...                        backend=get_backend("numpy"))
    >>> [round(float(number), 12) for number in (fit.W[0, 0], fit.b[0])]
    [2.0, 1.0]
    """
    chosen = choose_solver(solver, loss, *X.shape, n_outputs)
    xp = backend.xp
    dtype = backend.compute_dtype(X.dtype)
    weight = None if sample_weight is None else xp.astype(sample_weight, dtype, copy=False)
    y = y if loss.is_multiclass else xp.astype(y, dtype, copy=False)
    shift = scale = None
    passes_before = 0
    if standardize:
        shift, variance = column_moments(X, weight, backend=backend, fused=fused)
        scale = standard_scale(xp, variance)
        passes_before = 1
        if not fit_intercept:
            shift = None  # centring moves the intercept, which must stay at zero
    objective = LinearObjective(
        X, y, weight, loss, backend, n_outputs, float(l2_reg_strength), fit_intercept,
        shift, scale, fused, rows_read=passes_before * X.shape[0],
    )  # fmt: skip

    def check() -> None:
        text = describe_nonfinite(X, backend=backend, who=who, feature_names=feature_names)
        if text is not None:
            raise ValueError(text)
        message = (
            f"the first evaluation in {who} overflowed, though X is finite: values of X or y are "
            "too large. Scale the columns, or set standardize=True."
        )
        raise ValueError(message)

    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if chosen == "exact":
            targets = y if y.ndim == 2 else y[:, None]
            objective.y = targets[:, 0]
            objective.on_overflow = check
            result = solve_least_squares(objective, targets, tol=tol, callbacks=callbacks)
            theta = result.theta
            columns = [objective.coefficients(theta[:, k]) for k in range(theta.shape[1])]
            W = xp.concat([W for W, _ in columns], axis=1)
            b = xp.concat([b for _, b in columns], axis=0)
        else:
            objective.on_overflow = check
            start = _start(objective, W_start, b_start)
            minimize = minimize_newton if chosen == "newton" else minimize_lbfgs
            result = minimize(objective, start, max_iter=max_iter, tol=tol, callbacks=callbacks)
            W, b = objective.coefficients(result.theta)
    return LinearFit(
        np.asarray(backend.to_numpy(W), dtype=np.float64),
        np.asarray(backend.to_numpy(b), dtype=np.float64),
        result,
    )


def _start(
    objective: LinearObjective,
    W_start: np.ndarray[Any, Any] | None,
    b_start: np.ndarray[Any, Any] | None,
) -> Array:
    """theta to start at: the one given, or zero with the intercept that fits the mean of y."""
    backend, dtype = objective.backend, objective.dtype
    host = np.float32 if "float32" in str(dtype) else np.float64
    K = objective.n_outputs
    if W_start is not None:
        b = np.zeros(K) if b_start is None else b_start
        return objective.theta_of(
            backend.from_numpy(np.asarray(W_start, dtype=host)),
            backend.from_numpy(np.asarray(b, dtype=host)),
        )
    theta = np.zeros((objective.n_rows_of_theta, K), dtype=host)
    if objective.fit_intercept:
        theta[-1, :] = _start_intercept(objective)
    return backend.from_numpy(theta.reshape(-1))


def _start_intercept(objective: LinearObjective) -> np.ndarray[Any, Any]:
    xp, y, weight = objective.backend.xp, objective.y, objective.sample_weight
    K, loss = objective.n_outputs, objective.loss
    if loss.is_multiclass:
        shares = []
        for k in range(K):
            member = xp.astype(y == k, objective.dtype)
            shares.append(float(xp.sum(member if weight is None else member * weight)))
        logs = np.log(np.maximum(np.asarray(shares) / objective.weight_sum, 1e-12))
        return np.asarray(logs - logs.mean())
    mean = float(xp.sum(y if weight is None else y * weight)) / objective.weight_sum
    try:
        start = loss.link(mean)
    except (ValueError, ZeroDivisionError, OverflowError):
        start = 0.0
    return np.asarray([start if math.isfinite(start) else 0.0])


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
    tol: float = 1e-6,
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
    xp = backend.xp
    dtype = backend.compute_dtype(X.dtype)
    y = xp.astype(y, dtype, copy=False)
    weight = (
        xp.ones(y.shape, dtype=dtype, device=device(y))
        if sample_weight is None
        else xp.astype(sample_weight, dtype, copy=False)
    )
    if W_start is None:
        first = fit_linear_model(
            X, y, loss=HALF_SQUARED_ERROR, backend=backend, sample_weight=sample_weight,
            l2_reg_strength=1e-8, fit_intercept=fit_intercept, who=who,
            feature_names=feature_names,
        )  # fmt: skip
        W_start, b_start = first.W, first.b
    host = np.float32 if "float32" in str(dtype) else np.float64
    b_host = np.zeros(1) if b_start is None else np.asarray(b_start).reshape(1)
    W_host = np.asarray(W_start, dtype=host).reshape(-1, 1)
    W, b = backend.from_numpy(W_host), backend.from_numpy(b_host.astype(host))
    if scale_start is None:
        residual = np.abs(backend.to_numpy(y - predict_raw(X, W, b, backend=backend)[:, 0]))
        spread = float(np.median(residual)) or float(residual.mean()) or 1.0
        scale_start = spread / 0.6745  # a normal distribution's deviation
    theta = np.concatenate([W_host[:, 0], b_host, [scale_start]]).astype(host)
    objective = HuberObjective(X, y, weight, backend, epsilon, alpha, fit_intercept)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        result = minimize_huber(
            objective, backend.from_numpy(theta), max_iter=max_iter, tol=tol, callbacks=callbacks
        )
    answer = np.asarray(backend.to_numpy(result.theta), dtype=np.float64)
    d = X.shape[1]
    return LinearFit(answer[:d, None], answer[d : d + 1], result, float(answer[d + 1]))
