"""Solving with a symmetric positive semi-definite matrix, on any namespace.

The intercept is eliminated first (Schur complement), so that where the matrix is singular the
answer is the one of least norm in the coefficients, with the intercept free, as a centred least
squares problem has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from array_api_compat import array_namespace

from ..backends import Array, Backend, Namespace
from .dispatch import compiled

# Eigenvalues (or squared Cholesky pivots) below this share of the largest count as zero, in units
# of the machine precision times the order of the matrix.
RANK_TOLERANCE = 10.0


class Solver(Protocol):
    """Maps r (n,) or (n, k) to x. A named tuple of arrays, where a compiled function takes it."""

    def __call__(self, r: Array, /) -> Array:
        """The solution."""
        ...


class Identity(NamedTuple):
    """Solves with the identity."""

    def __call__(self, r: Array) -> Array:
        """The solution."""
        return r


class Multiple(NamedTuple):
    """factor * r."""

    factor: Array  # shape=()

    def __call__(self, r: Array) -> Array:
        """The solution."""
        return self.factor * r


class InverseFactor(NamedTuple):
    """Solves with a Cholesky factor by its inverse: the array API has no triangular solve."""

    inverse: Array

    def __call__(self, r: Array) -> Array:
        """The solution."""
        return self.inverse.T @ (self.inverse @ r)


class Dense(NamedTuple):
    """The inverse itself: one product, which a fused kernel of a device can do."""

    dense: Array

    def __call__(self, r: Array) -> Array:
        """The solution."""
        return self.dense @ r


class Rescaled(NamedTuple):
    """scale * solve(scale * r)."""

    scale: Array
    solve: Solver

    def __call__(self, r: Array) -> Array:
        """The solution."""
        column = self.scale if r.ndim == 1 else self.scale[:, None]
        return column * self.solve(column * r)


class LeastNorm(NamedTuple):
    """The least-norm solution, from eigenvectors of the scaled matrix."""

    values: Array  # inverse eigenvalues; 0 for those that count as zero
    vectors: Array
    scale: Array
    null: Array  # orthonormal, of the null space of the matrix itself

    def __call__(self, r: Array) -> Array:
        """The solution."""
        values, scale = self.values, self.scale
        if r.ndim == 2:
            values, scale = values[:, None], scale[:, None]
        x = scale * (self.vectors @ (values * (self.vectors.T @ (scale * r))))
        return x - self.null @ (self.null.T @ x)


class Bordered(NamedTuple):
    """Solves with a matrix whose last row and column have been eliminated."""

    solve: Solver  # with what remains (Schur complement)
    edge: Array  # last column over the corner
    corner: Array  # shape=()

    def __call__(self, r: Array) -> Array:
        """The solution."""
        xp, d = array_namespace(r), self.edge.shape[0]
        if r.ndim == 1:
            W = self.solve(r[:d] - self.edge * r[d])
            return xp.concat([W, r[d:] / self.corner - xp.sum(self.edge * W)], axis=0)
        W = self.solve(r[:d, :] - self.edge[:, None] * r[d, :][None, :])
        return xp.concat([W, r[d:, :] / self.corner - self.edge[None, :] @ W], axis=0)


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
    solve = _solver(backend, matrix, no_eigenvectors=False)
    assert solve is not None
    return solve


def _solver(backend: Backend, matrix: Array, *, no_eigenvectors: bool) -> Solver | None:
    xp, n = backend.xp, matrix.shape[0]
    if n == 0:
        return Identity()
    scaled, scale = compiled(backend, _unit_diagonal)(matrix)
    threshold = RANK_TOLERANCE * n * float(xp.finfo(matrix.dtype).eps)
    factored = (backend.cholesky or _cholesky_of(backend))(scaled)
    if factored is not None and factored[1] ** 2 > threshold:
        return Rescaled(scale, factored[0])
    if no_eigenvectors:
        return None
    return _least_norm_solver(backend, scaled, scale, threshold)


def definite_solver(backend: Backend, matrix: Array) -> Solver | None:
    """As `positive_solver`, but None where that would ask for eigenvectors: those of a thousand
    columns take as long as hundreds of Cholesky factors."""
    return _solver(backend, matrix, no_eigenvectors=True)


def _unit_diagonal(xp: Namespace, matrix: Array) -> tuple[Array, Array]:
    # Columns in different units are not a lack of rank.
    diagonal = xp.linalg.diagonal(matrix)
    scale = xp.where(diagonal > 0, 1.0 / xp.sqrt(xp.where(diagonal > 0, diagonal, 1.0)), 1.0)
    return matrix * scale[:, None] * scale[None, :], scale


def _cholesky_of(backend: Backend) -> Callable[[Array], tuple[Solver, float] | None]:
    def cholesky(matrix: Array) -> tuple[Solver, float] | None:
        try:
            inverse, smallest = compiled(backend, _inverse_factor)(matrix)
        except Exception as problem:
            # Each library has a LinAlgError of its own. CuPy and JAX return NaN instead.
            if "LinAlgError" in type(problem).__name__:
                return None
            raise
        return InverseFactor(inverse), float(smallest)

    return cholesky


def _inverse_factor(xp: Namespace, matrix: Array) -> tuple[Array, Array]:
    factor = xp.linalg.cholesky(matrix)
    return xp.linalg.inv(factor), xp.min(xp.linalg.diagonal(factor))


def _least_norm_solver(
    backend: Backend, scaled: Array, scale: Array, threshold: float
) -> LeastNorm:
    # The rank is found on the scaled matrix, or columns in small units would pass for zero. The
    # least norm is that of the coefficients themselves: what a solution has in the null space of
    # the unscaled matrix is taken out of it.
    xp = backend.xp
    inverse, vectors, kept = compiled(backend, _eigen_inverse, threshold)(scaled)
    n_null = int(xp.sum(xp.astype(~kept, xp.int64)))  # eigenvalues ascend
    null = scale[:, None] * vectors[:, :n_null]
    return LeastNorm(inverse, vectors, scale, xp.linalg.qr(null)[0] if n_null else null)


def _eigen_inverse(xp: Namespace, threshold: float, matrix: Array) -> tuple[Array, Array, Array]:
    values, vectors = xp.linalg.eigh(matrix)
    kept = values > threshold * xp.max(xp.abs(values))
    return xp.where(kept, 1.0 / xp.where(kept, values, 1.0), 0.0), vectors, kept


def bordered_solver(backend: Backend, hessian: Array, has_intercept: bool) -> Solver:
    """As `positive_solver`, for a Hessian whose last row and column belong to the intercept.

    Of all solutions the one with the least norm of the coefficients is returned.
    """
    if not has_intercept:
        return positive_solver(backend, hessian)
    inner, edge, corner = compiled(backend, schur_complement)(hessian)
    if not float(corner) > 0.0:
        return positive_solver(backend, hessian)
    return Bordered(positive_solver(backend, inner), edge, corner)


def schur_complement(xp: Namespace, matrix: Array) -> tuple[Array, Array, Array]:
    """What remains once the last row is eliminated; its column over the corner; the corner."""
    d = matrix.shape[0] - 1
    corner = matrix[d, d]
    edge = matrix[:d, d] / corner
    return matrix[:d, :d] - edge[:, None] * matrix[d, :d][None, :], edge, corner


def max_abs(xp: Namespace, vector: Array) -> float:
    """Largest absolute entry, as a Python float; 0 for an empty vector."""
    return float(xp.max(xp.abs(vector))) if vector.shape[0] else 0.0


def dot(xp: Namespace, a: Array, b: Array) -> float:
    """Inner product of two vectors, as a Python float."""
    value: Any = a @ b
    return float(value)
