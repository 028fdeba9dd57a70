"""From data to coefficients: builds the objective, picks the solver, brings the answer home."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .buckets import Rows, in_bucket
from .columns import column_moments, off_centre, standard_scale
from .device_work import working_on
from .linalg import max_abs
from .losses import HALF_SQUARED_ERROR, Loss
from .nonfinite import raise_nonfinite
from .objective import LinearObjective
from .passes import is_sparse
from .solvers import Callback, SolverResult, minimize_lbfgs, minimize_newton
from .solvers.least_squares import solve_least_squares
from .watching import FitStart, watching

SOLVERS = ("auto", "lbfgs", "newton", "exact")

# Newton's method wins while forming the Hessian (n_samples * n_features^2 products) costs less than
# the many small steps of L-BFGS; the joint Hessian of classes is formed less efficiently.
NEWTON_PRODUCTS = 16_000_000
NEWTON_PRODUCTS_MULTICLASS = 1_000_000
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
    solver: str,
    loss: Loss,
    n_samples: int,
    n_features: int,
    n_outputs: int = 1,
    *,
    sparse: bool = False,
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
        # Rows of a sparse X make no smaller Gram matrix: that of the columns is needed.
        order = n_features if sparse else min(n_samples, n_features)
        if squared and order <= EXACT_COLUMNS:
            return "exact"
        most = NEWTON_PRODUCTS_MULTICLASS if loss.is_multiclass else NEWTON_PRODUCTS
        small = n_samples * (n_features * n_outputs) ** 2 <= most
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
    tol: float = 1e-5,
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
    n_samples, n_features = X.shape
    chosen = choose_solver(solver, loss, n_samples, n_features, n_outputs, sparse=is_sparse(X))
    what = f"{who} on X of {X.dtype}, {n_samples:,} x {n_features:,}"
    with (
        working_on(backend, X, what),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
        watching(callbacks, FitStart(who, max_iter, "iteration")),
    ):
        given_X, given_y = X, y
        if n_samples >= n_features:  # fewer rows are solved by a matrix of rows
            X, y, sample_weight = in_bucket(backend, Rows(X, y, sample_weight), fused)
        if loss.is_multiclass:
            check_labels(y, n_outputs, backend, who)
        objective = objective_of(
            X, y, sample_weight, loss, backend, n_outputs, l2_reg_strength, fit_intercept,
            standardize, fused,
        )  # fmt: skip
        if fit_intercept and y.ndim == 1 and n_samples > n_features:
            centre = off_centre(X, backend=backend, fused=fused)
            if centre is not None:
                # Gram matrices of all rows as they are would be rounding; of samples they are not.
                if chosen == "exact":
                    tol = 1e-4 * tol  # as far as the exact solution would have gone
                # A gradient is no better than the rounding of x itself.
                eps = float(backend.xp.finfo(objective.dtype).eps)
                tol = max(tol, 500.0 * eps * max_abs(backend.xp, centre))
                chosen = "lbfgs"
                objective.centre = centre
                objective.shift = centre if objective.shift is None else objective.shift
        objective.on_overflow = partial(
            raise_nonfinite, given_X, backend, who, feature_names, loss, given_y
        )
        if chosen == "exact":
            W, b, result = _exact(objective, y, tol, callbacks)
        else:
            start = start_of(objective, W_start, b_start)
            minimize = minimize_newton if chosen == "newton" else minimize_lbfgs
            result = minimize(objective, start, max_iter=max_iter, tol=tol, callbacks=callbacks)
            W, b = objective.coefficients(result.theta)
    return LinearFit(
        np.asarray(backend.to_numpy(W), dtype=np.float64),
        np.asarray(backend.to_numpy(b), dtype=np.float64),
        result,
    )


def check_labels(y: Array, n_outputs: int, backend: Backend, who: str) -> None:
    # Fused kernels use the labels as indices.
    xp = backend.xp
    low, high = int(xp.min(y)), int(xp.max(y))
    if low < 0 or high >= n_outputs:
        message = (
            f"labels given to {who} lie in {low} ... {high}; with n_outputs={n_outputs} they must "
            f"lie in 0 ... {n_outputs - 1}. Encode them first, for example by np.unique."
        )
        raise ValueError(message)


def objective_of(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    loss: Loss,
    backend: Backend,
    n_outputs: int,
    l2_reg_strength: float,
    fit_intercept: bool,
    standardize: bool,
    fused: bool | None,
) -> LinearObjective:
    xp, dtype = backend.xp, backend.compute_dtype(X.dtype)
    weight = None if sample_weight is None else xp.astype(sample_weight, dtype, copy=False)
    if not loss.is_multiclass:
        y = xp.astype(y, dtype, copy=False)
    shift = scale = None
    if standardize:
        shift, variance = column_moments(X, weight, backend=backend, fused=fused)
        scale = standard_scale(xp, variance)
        if not fit_intercept:
            shift = None  # centring moves the intercept, which must stay at zero
    return LinearObjective(
        X, y if y.ndim == 1 else y[:, 0], weight, loss, backend, n_outputs,
        float(l2_reg_strength), fit_intercept, shift, scale, fused,
        rows_read=X.shape[0] if standardize else 0,
    )  # fmt: skip


def _exact(
    objective: LinearObjective, y: Array, tol: float, callbacks: Sequence[Callback]
) -> tuple[Array, Array, SolverResult]:
    xp = objective.backend.xp
    targets = xp.astype(y, objective.dtype, copy=False)
    targets = targets if targets.ndim == 2 else targets[:, None]
    result = solve_least_squares(objective, targets, tol=tol, callbacks=callbacks)
    each = [objective.coefficients(result.theta[:, k]) for k in range(targets.shape[1])]
    W = xp.concat([W for W, _ in each], axis=1)
    return W, xp.concat([b for _, b in each], axis=0), result


def start_of(
    objective: LinearObjective,
    W_start: np.ndarray[Any, Any] | None,
    b_start: np.ndarray[Any, Any] | None,
) -> Array:
    """theta to start at: the one given, or zero with the intercept that fits the mean of y."""
    backend, host = objective.backend, objective.host_dtype
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
