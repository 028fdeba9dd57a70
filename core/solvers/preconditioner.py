"""Estimates of the inverse Hessian from a sample of rows, for L-BFGS to start from."""

from __future__ import annotations

import numpy as np

from ...backends import Array
from ..linalg import Solver, bordered_solver
from ..losses import HALF_SQUARED_ERROR
from ..objective import LinearObjective
from ..passes import is_sparse, predict_raw

# Rows of the sample for each column. The error of the estimate falls with the square root.
ROWS_PER_COLUMN = 20
# Beyond this many columns the factor costs more time and memory than it saves passes.
MAX_COLUMNS = 2500
# Sampling error makes directions look flatter than they are; a small ridge bounds the harm.
RELATIVE_RIDGE = 1e-10


def sampled_inverse_hessian(objective: LinearObjective, theta: Array, seed: int) -> Solver:
    """A function that applies an estimate of the inverse Hessian at theta to a flat array.

    One sampled Hessian for a pointwise loss; for the multinomial loss one Gram matrix for all
    classes, scaled for each by its mean curvature; a diagonal where there are too many columns.
    """
    n_rows = min(objective.n_samples, ROWS_PER_COLUMN * objective.n_rows_of_theta)
    n_rows = max(n_rows, min(objective.n_samples, 500))
    sample = objective.sample(n_rows, seed)
    objective.rows_read += sample.n_samples
    if objective.n_rows_of_theta > MAX_COLUMNS:
        return _diagonal(sample, theta)
    if objective.loss.is_multiclass:
        return _one_gram_for_all_classes(sample, theta)
    _, _, hessian = sample.value_gradient_hessian(theta)
    return _solver(sample, hessian)


def _solver(objective: LinearObjective, hessian: Array) -> Solver:
    xp = objective.backend.xp
    trace = float(xp.sum(xp.linalg.diagonal(hessian)))
    ridge = RELATIVE_RIDGE * trace / hessian.shape[0]
    if ridge > 0.0:
        eye = xp.eye(hessian.shape[0], dtype=hessian.dtype, device=hessian.device)
        hessian = hessian + ridge * eye
        return bordered_solver(xp, hessian, objective.fit_intercept)
    return lambda flat: flat


def _mean_curvature(objective: LinearObjective, theta: Array) -> list[float]:
    """Weighted mean over rows of the diagonal curvature of each output."""
    xp = objective.backend.xp
    W, b = objective.coefficients(theta)
    raw = predict_raw(objective.X, W, b, backend=objective.backend)
    loss = objective.loss
    curvature = (
        loss.curvature(xp, objective.y, raw)
        if loss.is_multiclass
        else loss.curvature(xp, objective.y, raw[:, 0], *loss.parameters)[:, None]
    )
    if objective.sample_weight is not None:
        curvature = curvature * objective.sample_weight[:, None]
    means = xp.sum(curvature, axis=0) / objective.weight_sum
    return [float(means[k]) for k in range(objective.n_outputs)]


def _one_gram_for_all_classes(objective: LinearObjective, theta: Array) -> Solver:
    """W[:, k] is solved with curvature_k * Gram + l2: the block diagonal of the Hessian, where
    the curvature of a class hardly depends on the row."""
    xp = objective.backend.xp
    squared = LinearObjective(
        objective.X, xp.zeros_like(objective.X[:, 0]) if not is_sparse(objective.X)
        else np.zeros(objective.n_samples), objective.sample_weight, HALF_SQUARED_ERROR,
        objective.backend, 1, 0.0, objective.fit_intercept, objective.shift, objective.scale,
        objective.fused,
    )  # fmt: skip
    start = xp.zeros((squared.size,), dtype=theta.dtype, device=theta.device)
    _, _, gram = squared.value_gradient_hessian(start)
    solvers = []
    d = objective.n_features
    for curvature in _mean_curvature(objective, theta):
        # A class that the sample does not hold would have no curvature, and an endless step.
        hessian = max(curvature, 1e-4) * gram
        penalty = xp.zeros((gram.shape[0],), dtype=gram.dtype, device=gram.device)
        penalty = xp.where(
            xp.arange(gram.shape[0], device=gram.device) < d, objective.l2_reg_strength, penalty
        )
        eye = xp.eye(gram.shape[0], dtype=gram.dtype, device=gram.device)
        solvers.append(_solver(objective, hessian + eye * penalty[None, :]))

    def solve(flat: Array) -> Array:
        matrix = objective.as_matrix(flat)
        columns = [solver(matrix[:, k]) for k, solver in enumerate(solvers)]
        return xp.reshape(xp.stack(columns, axis=1), flat.shape)

    return solve


def _diagonal(objective: LinearObjective, theta: Array) -> Solver:
    """Mean curvature times mean square of each column, plus the penalty."""
    xp = objective.backend.xp
    X, dtype = objective.X, theta.dtype
    weight = objective.sample_weight
    if weight is None:
        weight = xp.ones((X.shape[0],), dtype=dtype, device=theta.device)
    if is_sparse(X):
        squares = X.astype(dtype).power(2).T @ weight
    else:
        converted = xp.astype(X, dtype)
        squares = (converted * converted).T @ weight
    squares = squares / objective.weight_sum
    if objective.shift is not None:
        squares = squares - objective.shift * objective.shift
    if objective.scale is not None:
        squares = squares / (objective.scale * objective.scale)
    floor = 1e-3 * float(xp.max(squares)) + 1e-300
    squares = xp.where(squares > floor, squares, floor)
    columns = []
    for curvature in _mean_curvature(objective, theta):
        column = max(curvature, 1e-4) * squares + objective.l2_reg_strength
        if objective.fit_intercept:
            corner = xp.ones((1,), dtype=dtype, device=theta.device) * max(curvature, 1e-4)
            column = xp.concat([column, corner], axis=0)
        columns.append(column)
    inverse = 1.0 / xp.reshape(xp.stack(columns, axis=1), theta.shape)
    return lambda flat: flat * inverse
