"""Solving with a symmetric positive semi-definite matrix, on any namespace.

The intercept is eliminated first (Schur complement), so that where the matrix is singular the
answer is the one of least norm in the coefficients, with the intercept free, as a centred least
squares problem has it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..backends import Array, Backend, Namespace

# Eigenvalues (or squared Cholesky pivots) below this share of the largest count as zero, in units
# of the machine precision times the order of the matrix.
RANK_TOLERANCE = 10.0

Solver = Callable[[Array], Array]


def positive_solver(backend: Backend, matrix: Array) -> Solver:
    """A function that maps r (n,) or (n, k) to the least-norm solution of matrix @ x = r.

    Cholesky where the matrix is safely positive definite, else its eigenvectors.

    Parameters
    ----------
    backend : Backend
    matrix : array of shape (n, n), symmetric, positive semi-definite

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> solve = positive_solver(get_backend("numpy"), np.asarray([[4.0, 0.0], [0.0, 0.0]]))
    >>> [float(number) for number in solve(np.asarray([2.0, 0.0]))]
    [0.5, 0.0]
    """
    xp, n = backend.xp, matrix.shape[0]
    if n == 0:
        return lambda r: r
    # Unit diagonal first: columns in different units are not a lack of rank.
    diagonal = xp.linalg.diagonal(matrix)
    scale = xp.where(diagonal > 0, 1.0 / xp.sqrt(xp.where(diagonal > 0, diagonal, 1.0)), 1.0)
    scaled = matrix * scale[:, None] * scale[None, :]
    threshold = RANK_TOLERANCE * n * float(xp.finfo(matrix.dtype).eps)
    solve = _cholesky_solver(backend, scaled, threshold)
    if solve is None:
        return _least_norm_solver(xp, scaled, scale, threshold)

    def rescaled(r: Array) -> Array:
        column = scale if r.ndim == 1 else scale[:, None]
        return column * solve(column * r)

    return rescaled


def _cholesky_solver(backend: Backend, matrix: Array, threshold: float) -> Solver | None:
    factored = (backend.cholesky or partial(_cholesky, backend.xp))(matrix)
    if factored is None:
        return None
    solve, smallest_pivot = factored
    return solve if smallest_pivot**2 > threshold else None


def _cholesky(xp: Namespace, matrix: Array) -> tuple[Solver, float] | None:
    try:
        factor = xp.linalg.cholesky(matrix)
    except Exception as problem:
        # Each library has a LinAlgError of its own. CuPy and JAX return NaN instead.
        if "LinAlgError" in type(problem).__name__:
            return None
        raise
    # The array API has no triangular solve; the inverse is applied once an iteration.
    inverse = xp.linalg.inv(factor)
    smallest = float(xp.min(xp.linalg.diagonal(factor)))
    return (lambda r: inverse.T @ (inverse @ r)), smallest


def _least_norm_solver(xp: Namespace, scaled: Array, scale: Array, threshold: float) -> Solver:
    # The rank is found on the scaled matrix, or columns in small units would pass for zero. The
    # least norm is that of the coefficients themselves: what a solution has in the null space of
    # the unscaled matrix is taken out of it.
    values, vectors = xp.linalg.eigh(scaled)
    largest = float(xp.max(xp.abs(values)))
    kept = values > max(threshold * largest, 0.0)
    inverse = xp.where(kept, 1.0 / xp.where(kept, values, 1.0), 0.0)
    n_null = int(xp.sum(xp.astype(~kept, xp.int64)))  # eigenvalues ascend
    null = xp.linalg.qr(scale[:, None] * vectors[:, :n_null])[0] if n_null else None

    def solve(r: Array) -> Array:
        column, units = (inverse, scale) if r.ndim == 1 else (inverse[:, None], scale[:, None])
        x = units * (vectors @ (column * (vectors.T @ (units * r))))
        return x if null is None else x - null @ (null.T @ x)

    return solve


def bordered_solver(backend: Backend, hessian: Array, has_intercept: bool) -> Solver:
    """As `positive_solver`, for a Hessian whose last row and column belong to the intercept.

    Of all solutions the one with the least norm of the coefficients is returned.
    """
    if not has_intercept:
        return positive_solver(backend, hessian)
    xp, d = backend.xp, hessian.shape[0] - 1
    corner = float(hessian[d, d])
    if not corner > 0.0:
        return positive_solver(backend, hessian)
    edge = hessian[:d, d] / corner
    inner = hessian[:d, :d] - edge[:, None] * hessian[d, :d][None, :]
    solve_inner = positive_solver(backend, inner)

    def solve(r: Array) -> Array:
        if r.ndim == 1:
            W = solve_inner(r[:d] - edge * r[d])
            b = r[d:] / corner - xp.sum(edge * W)
            return xp.concat([W, b], axis=0)
        W = solve_inner(r[:d, :] - edge[:, None] * r[d, :][None, :])
        b = r[d:, :] / corner - edge[None, :] @ W
        return xp.concat([W, b], axis=0)

    return solve


def max_abs(xp: Namespace, vector: Array) -> float:
    """Largest absolute entry, as a Python float; 0 for an empty vector."""
    return float(xp.max(xp.abs(vector))) if vector.shape[0] else 0.0


def dot(xp: Namespace, a: Array, b: Array) -> float:
    """Inner product of two vectors, as a Python float."""
    value: Any = a @ b
    return float(value)
