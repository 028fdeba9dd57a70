"""Folds of a squared error from one read of X: sums over the rows that each fold holds out.

Where every row is held out once, the rows that a fold learns from are those that the others hold
out, and sums over them are the sums of the others. For rows z = (x, 1, b0 - y), with b0 the mean
of y, each part keeps A = sum_i w_i z_i z_i^T: of a model (W, b) and t = (W, b - b0, 1)

sum_i w_i (x_i W + b - y_i)^2 = t @ A @ t

which is the cost on the rows to learn from, and the error on those held out. The others' sums are
added, never subtracted from those of all rows: a column that is constant but for the rows held
out, or an outlier among them, would leave its rounding behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .columns import moments_of_sums, origin_of, standard_scale, sums_of_columns
from .fit import start_of
from .folds import Fold, are_a_partition, refuse_weightless, take_rows
from .losses import Loss
from .objective import LinearObjective
from .passes import is_sparse, weighted_gram
from .path import checked_strengths, is_quadratic, penalties_of
from .path_gram import GramPath, Quadratic
from .path_point import PathFit, collect_points
from .scaling import Scaling
from .solvers import Callback
from .solvers.result import Coefficients
from .sparse_setup import ready_objective, relative_tol

Matrix = np.ndarray[Any, Any]

# Numbers that the parts may hold (32 MB), if X is no larger.
MOST_NUMBERS = 1 << 22
# Rounding of a held-out error, as a share of it, up to which A tells it.
ROUNDING = 1e-9


@dataclass
class FoldGrams:
    """What of the rows that each fold holds out its paths need, on the host.

    Attributes
    ----------
    parts : ndarray of shape (n_folds, n_features + 2, n_features + 2), float64
        A of the module's text.
    moments : ndarray of shape (n_folds, 2, n_features) or None
        Sums of the columns and of their squares, about `origin`, where columns are standardized.
    intercept : float
        b0; zero without an intercept.
    eps : float
        Rounding of the dtype that computed the parts.
    n_passes : int
        Reads of X.
    """

    parts: Matrix
    moments: Matrix | None
    origin: Matrix
    intercept: float
    fit_intercept: bool
    eps: float
    n_samples: int
    n_passes: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_passes = 1 if self.moments is None else 2

    def largest_strength(self) -> float:
        """The least strength of an L1 penalty that leaves no coefficient, of all rows."""
        return self._problem(None)[0].largest_strength()

    def path(
        self,
        number: int,
        strengths: Matrix,
        *,
        l1_ratio: float,
        summed: bool,
        tol: float,
        relative: bool,
        callbacks: Sequence[Callback],
        who: str,
    ) -> PathFit:
        """The path of the rows that one fold learns from; see `fold_paths`.

        Raises
        ------
        ValueError
            For a fold whose training rows weigh nothing.
        """
        rows = self._sum(self.parts, number)
        weight, mean_square = self._weight_and_square(rows)
        refuse_weightless(weight > 0.0, who)
        strengths = checked_strengths(strengths / (weight if summed else 1.0), who)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            by_gram, scaling = self._problem(number)
            if relative:
                largest = by_gram.largest_strength()
                tol = relative_tol(tol, largest, mean_square, self.eps)
            return collect_points(
                map(partial(by_gram.solve, tol=tol), penalties_of(strengths, l1_ratio)), strengths,
                read=partial(_read, scaling), n_passes=lambda: 0, callbacks=callbacks, who=who,
            )  # fmt: skip

    def squared_errors(self, path: PathFit, number: int) -> tuple[Matrix, Matrix]:
        """Mean squared errors on the rows that a fold holds out, and which of them are sure.

        They are differences of larger sums, whose size t @ A @ t <= (sum_j abs(t_j) sqrt(A_jj))^2
        bounds: where a fit is nearly perfect, or columns lie far from zero, rounding is left.

        Returns
        -------
        errors : ndarray of shape (n_strengths,)
            NaN where none of the rows has a weight.
        sure : ndarray of shape (n_strengths,), bool
            Whether rounding is at most `ROUNDING` of the error.
        """
        A = self.parts[number]
        ones = np.ones_like(path.b)
        t = np.concatenate([path.W[:, :, 0], path.b - self.intercept, ones], axis=1)
        sums = np.einsum("sj,sj->s", t @ A, t)
        size = (np.abs(t) @ np.sqrt(np.diagonal(A))) ** 2
        # A sum of n numbers that are added one by one has rounded by about sqrt(n) eps.
        sure = self.eps * np.sqrt(self.n_samples) * size <= ROUNDING * sums
        weight, _ = self._weight_and_square(A)
        return np.maximum(sums, 0.0) / (weight or np.nan), sure

    def _problem(self, number: int | None) -> tuple[GramPath, Scaling]:
        """The quadratic of the rows that a fold learns from, columns standardized by their own
        moments, and the map to coefficients; of all rows for None.
        """
        rows = self._sum(self.parts, number)
        weight, _ = self._weight_and_square(rows)
        scaling = self._scaling(weight, number)
        size = len(rows) - 1
        edge = rows[:size, size:]
        gradient = scaling.pull_back(edge[:-1], edge[-1])[:, 0]
        hessian = scaling.pull_back_hessian(rows[:size, :size], 1)
        origin = np.zeros(len(gradient))
        if self.fit_intercept:
            origin[-1] = self.intercept
        value = 0.5 * float(rows[size, size]) / weight
        quadratic = Quadratic(value, gradient / weight, hessian / weight, origin)
        return GramPath(quadratic, self.fit_intercept), scaling

    def _scaling(self, weight: float, number: int | None) -> Scaling:
        shift = scale = None
        if self.moments is not None:
            sums, squares = self._sum(self.moments, number)
            shift, variance = moments_of_sums(np, sums, squares, weight, self.origin)
            scale = standard_scale(np, variance)
            if not self.fit_intercept:
                shift = None  # as `objective_of`
        return Scaling(np, shift, scale, self.fit_intercept)

    @staticmethod
    def _sum(parts: Matrix, number: int | None) -> Matrix:
        total: Matrix
        if number is None:
            total = parts.sum(axis=0)
        else:
            total = parts[:number].sum(axis=0) + parts[number + 1 :].sum(axis=0)
        return total

    def _weight_and_square(self, rows: Matrix) -> tuple[float, float]:
        """Sum of the weights, and the weighted mean of y² (b0 - (b0 - y) squared)."""
        weight, b0 = float(rows[-2, -2]), self.intercept
        summed = weight * b0 * b0 - 2.0 * b0 * float(rows[-2, -1]) + float(rows[-1, -1])
        return weight, max(summed, 0.0) / (weight or np.nan)


def _read(scaling: Scaling, theta: Matrix) -> Coefficients:
    return scaling.to_raw(theta[:, None])


def read_fold_grams(
    X: Any,
    y: Array,
    folds: Sequence[Fold],
    *,
    loss: Loss,
    backend: Backend,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    who: str = "read_fold_grams",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> FoldGrams | None:
    """The sums from which paths of all folds follow; None where each is to read X for itself.

    That is so where some row is not held out exactly once, for other losses, more columns than a
    Gram matrix may have or columns far off centre, where the parts would hold more numbers than X
    (many folds, more columns than rows), and on a backend that compiles: other numbers of rows
    would be other programs.

    Parameters
    ----------
    X, y, loss, backend, n_outputs, sample_weight, fit_intercept, standardize, feature_names, fused
        As in `fit_path`.

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, rows = np.asarray([[-1.0], [0.0], [1.0], [2.0]]), np.arange(4)
    >>> folds = [Fold(rows[2:], rows[:2]), Fold(rows[:2], rows[2:])]
    >>> grams = read_fold_grams(
    ...     X, X[:, 0], folds, loss=HALF_SQUARED_ERROR, backend=get_backend("numpy"))
    >>> grams.parts.shape, grams.largest_strength()
    ((2, 3, 3), 1.25)
    """
    numbers = len(folds) * (X.shape[1] + 2) ** 2
    held = X.nnz if is_sparse(X) else X.shape[0] * X.shape[1]
    if backend.compiles or numbers > max(held, MOST_NUMBERS):
        return None
    if not are_a_partition(folds, X.shape[0]):
        return None
    with ready_objective(
        X, y, loss=loss, backend=backend, n_outputs=n_outputs, sample_weight=sample_weight,
        fit_intercept=fit_intercept, who=who, feature_names=feature_names, fused=fused,
    ) as (objective, _):  # fmt: skip
        if not is_quadratic(objective) or not objective.weight_sum > 0.0:
            return None
        W, b = objective.coefficients(start_of(objective, None, None))
        origin = origin_of(objective.X, backend=backend) if standardize else None
        parts, moments = [], []
        for fold in folds:
            part, sums = _read_part(objective, fold.test, W, b, origin)
            parts.append(part)
            moments.append(sums)
        found = np.stack(parts)
        if not np.isfinite(found.sum()) and objective.on_overflow is not None:
            objective.on_overflow()
        return FoldGrams(
            found,
            np.stack(moments) if standardize else None,
            # In its own dtype: the rounding of the sums is that.
            np.zeros(0) if origin is None else np.asarray(backend.to_numpy(origin)),
            float(b[0]),
            fit_intercept,
            float(backend.xp.finfo(objective.dtype).eps),
            X.shape[0],
        )


def _read_part(
    objective: LinearObjective, rows: Matrix, W: Array, b: Array, origin: Array | None
) -> tuple[Matrix, Matrix]:
    """A of some rows, and the sums of their columns if there is an origin."""
    backend, fused, d = objective.backend, objective.fused, objective.n_features
    weights, index = objective.sample_weight, backend.from_numpy(rows)
    y = backend.xp.take(objective.y, index)
    weight = None if weights is None else backend.xp.take(weights, index)
    A, moments, first = np.zeros((d + 2, d + 2)), np.zeros((2, d)), 0
    for block in take_rows(objective.X, rows, backend=backend):
        at = slice(first, first + block.shape[0])
        of_rows = None if weight is None else weight[at]
        sums, gram = weighted_gram(
            block, y[at], of_rows, W, b, objective.loss, backend=backend, fused=fused
        )
        A[:-1, :-1] += _host(backend, gram)
        A[:-2, -1] += _host(backend, sums.grad_W)[:, 0]
        A[-2, -1] += float(sums.grad_b[0])
        A[-1, -1] += 2.0 * float(sums.loss)
        if origin is not None:
            columns = sums_of_columns(block, of_rows, origin, backend=backend, fused=fused)
            moments += np.stack([_host(backend, column) for column in columns[:2]])
        first = at.stop
    A[-1, :-1] = A[:-1, -1]
    return 0.5 * (A + A.T), moments


def _host(backend: Backend, array: Array) -> Matrix:
    return np.asarray(backend.to_numpy(array), dtype=np.float64)
