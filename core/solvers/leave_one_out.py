"""Errors of ridge regression for each row, had that row been left out: in closed form.

With H_a = X'SX + a I (X and y centred by their weighted means, S the diagonal of the weights s) and
residuals r_i = y_i - x_i H_a^-1 X'S y,

error_i = r_i / (1 - s_i x_i H_a^-1 x_i' - s_i / sum(s)),    the last term with an intercept.

One eigendecomposition serves all strengths: that of X'SX (two reads of X: the matrix, then the
errors), or, where there are no more rows than columns, that of the matrix of the rows.
Reference: Rifkin and Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ...backends import Array, Backend
from ..columns import column_moments, standard_scale
from ..device_work import working_on
from ..nonfinite import raise_nonfinite
from ..passes import is_sparse

# Numbers that a block of rows may come to, with what is computed of it.
MOST_NUMBERS = 1 << 22


class LeaveOneOut(NamedTuple):
    """Errors of rows that were left out, at each strength."""

    squared: np.ndarray[Any, Any]  # (n_alphas, n_targets), sum_i s_i error_i²
    errors: np.ndarray[Any, Any] | None  # (n_alphas, n_samples, n_targets), y - prediction
    n_passes: int


class _Rows(NamedTuple):
    """X and Y, and what centres and scales them."""

    X: Any
    Y: Array  # (n_samples, n_targets), centred
    weight: Array
    mean: Array
    scale: Array
    share: float  # 1 / sum of weights with an intercept, else 0
    backend: Backend


def leave_one_out(
    X: Any,
    Y: Array,
    alphas: Sequence[float] | np.ndarray[Any, Any],
    *,
    backend: Backend,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    keep: bool = False,
    who: str = "leave_one_out",
    feature_names: Sequence[str] | None = None,
) -> LeaveOneOut:
    """Leave-one-out errors of ridge regression, minimizing for each target

    sum_i s_i (y_i - x_i w - b)² + alpha ||w||²

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
    alphas : (n_alphas,), positive
    sample_weight : array of shape (n_samples,) or None
    standardize : bool
        Columns have unit deviation over *all* rows, the one left out included.
    keep : bool
        Return the error of each row, beside the sums of their squares.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column; for X whose squares overflow.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> X, Y = np.asarray([[-1.0], [0.0], [1.0]]), np.asarray([[-2.0], [0.0], [2.0]])
    >>> found = leave_one_out(X, Y, [1.0, 1e-9], backend=get_backend("numpy"), keep=True)
    >>> found.errors[:, 0, 0].round(6).tolist(), found.squared[:, 0].round(6).tolist()
    ([-2.0, -0.0], [8.0, 0.0])
    """
    n, d = X.shape
    with (
        working_on(backend, X, f"{who} on X of {X.dtype}, {n:,} x {d:,}"),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
    ):
        xp = backend.xp
        moments = column_moments(X, sample_weight, backend=backend)
        if not bool(xp.all(xp.isfinite(moments[0]))):
            raise_nonfinite(X, backend, who, feature_names)
        rows = _prepared(X, Y, sample_weight, moments, fit_intercept, standardize, backend)
        strengths = xp.asarray(np.asarray(alphas), dtype=rows.Y.dtype, device=device(rows.Y))
        wide = n <= d
        gram = _row_gram(rows) if wide else _column_gram(rows)
        if not all(bool(xp.all(xp.isfinite(part))) for part in gram):
            raise_nonfinite(X, backend, who, feature_names)
        found = (_by_rows if wide else _by_columns)(rows, strengths, *gram)
        squared, errors = 0.0, []
        for part, block in found:  # (n_rows, n_alphas, n_targets)
            squared = squared + xp.sum(rows.weight[part][:, None, None] * block**2, axis=0)
            if keep:
                errors.append(np.asarray(backend.to_numpy(block), dtype=np.float64))
        kept = np.ascontiguousarray(np.swapaxes(np.concatenate(errors), 0, 1)) if keep else None
        sums = np.asarray(backend.to_numpy(squared), dtype=np.float64)
    return LeaveOneOut(sums, kept, 2 if wide else 3)


def _prepared(
    X: Any, Y: Array, weight: Array | None, moments: tuple[Array, Array], fit_intercept: bool,
    standardize: bool, backend: Backend,
) -> _Rows:  # fmt: skip
    xp, (mean, variance) = backend.xp, moments
    Y = xp.astype(Y, mean.dtype, copy=False)
    scale = standard_scale(xp, variance) if standardize else xp.ones_like(mean)
    weight = xp.ones_like(Y[:, 0]) if weight is None else xp.astype(weight, mean.dtype, copy=False)
    if not fit_intercept:
        return _Rows(X, Y, weight, xp.zeros_like(mean), scale, 0.0, backend)
    total = float(xp.sum(weight))
    Y = Y - (weight @ Y) / total
    return _Rows(X, Y, weight, mean, scale, 1.0 / total, backend)


def _blocks(rows: _Rows, width: int) -> Iterator[slice]:
    n = rows.X.shape[0]
    step = max(256, MOST_NUMBERS // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _centred(rows: _Rows, part: slice) -> Array:
    X = rows.backend.xp.astype(rows.X[part, :], rows.mean.dtype, copy=False)
    return (X - rows.mean) / rows.scale


def _times(rows: _Rows, part: slice, vectors: Array) -> Array:
    """Centred and scaled rows times vectors; sparse rows stay sparse."""
    if not is_sparse(rows.X):
        return _centred(rows, part) @ vectors
    vectors = vectors / rows.scale[:, None]
    product: Array = rows.X[part] @ vectors - rows.mean @ vectors
    return product


def _column_gram(rows: _Rows) -> tuple[Array, Array]:
    """X'SX (n_features, n_features) and X'SY of centred, scaled columns."""
    xp = rows.backend.xp
    if is_sparse(rows.X):
        weighted = rows.X.multiply(rows.weight[:, None]).tocsr()
        sums = weighted.T @ np.ones(rows.X.shape[0])
        gram = (rows.X.T @ weighted).toarray()
        # sum s (x - m)(x - m)', for any m.
        cross = np.outer(sums, rows.mean)
        gram += float(rows.weight.sum()) * np.outer(rows.mean, rows.mean) - cross - cross.T
        moment = weighted.T @ rows.Y - np.outer(rows.mean, rows.weight @ rows.Y)
        return gram / np.outer(rows.scale, rows.scale), moment / rows.scale[:, None]
    gram, moment = 0.0, 0.0
    for part in _blocks(rows, rows.X.shape[1]):
        Z, weight = _centred(rows, part), rows.weight[part]
        half = xp.sqrt(weight)[:, None] * Z
        gram = gram + half.T @ half
        moment = moment + Z.T @ (weight[:, None] * rows.Y[part, :])
    return gram, moment


def _by_columns(
    rows: _Rows, alphas: Array, gram: Array, moment: Array
) -> Iterator[tuple[slice, Array]]:
    xp, (n_targets, n_alphas) = rows.backend.xp, (rows.Y.shape[1], alphas.shape[0])
    values, vectors = xp.linalg.eigh(gram)
    # Rounding makes eigenvalues of zero negative.
    inverse = 1.0 / (xp.where(values > 0.0, values, 0.0)[:, None] + alphas)  # (d, n_alphas)
    turned = vectors.T @ moment
    solved = xp.reshape(inverse[:, :, None] * turned[:, None, :], (-1, n_alphas * n_targets))
    for part in _blocks(rows, rows.X.shape[1] + n_alphas * n_targets):
        T = _times(rows, part, vectors)
        weight = rows.weight[part]
        leverage = weight[:, None] * ((T * T) @ inverse + rows.share)
        fitted = xp.reshape(T @ solved, (-1, n_alphas, n_targets))
        yield part, (rows.Y[part, :][:, None, :] - fitted) / (1.0 - leverage)[:, :, None]


def _row_gram(rows: _Rows) -> tuple[Array]:
    """X X' (n_samples, n_samples) of centred, scaled columns, alone in a tuple."""
    if not is_sparse(rows.X):
        # A copy of X, which has no more rows than columns.
        Z = _centred(rows, slice(None))
        return (Z @ Z.T,)
    scaled = rows.X.multiply(1.0 / rows.scale[None, :]).tocsr()
    mean = rows.mean / rows.scale
    along = scaled @ mean
    return ((scaled @ scaled.T).toarray() - along[:, None] - along[None, :] + mean @ mean,)


def _by_rows(rows: _Rows, alphas: Array, gram: Array) -> Iterator[tuple[slice, Array]]:
    xp, weight = rows.backend.xp, rows.weight
    root = xp.sqrt(weight)
    values, vectors = xp.linalg.eigh(root[:, None] * gram * root[None, :])
    inverse = 1.0 / (xp.where(values > 0.0, values, 0.0)[:, None] + alphas)  # (n, n_alphas)
    diagonal = (vectors * vectors) @ inverse
    if rows.share:
        along = vectors @ (inverse * (vectors.T @ root)[:, None])
        diagonal = diagonal - along * (root * rows.share)[:, None]
    turned = vectors.T @ (root[:, None] * rows.Y)
    errors = []
    counts = weight > 0.0
    for a in range(alphas.shape[0]):
        dual = vectors @ (inverse[:, a][:, None] * turned)
        # alpha * dual is the residual, without the digits that subtracting would lose; a row
        # without weight has no part in it.
        rest = rows.Y - gram @ (root[:, None] * dual)
        divisor = xp.where(counts, diagonal[:, a] * root, 1.0)[:, None]
        errors.append(xp.where(counts[:, None], dual / divisor, rest))
    yield slice(None), xp.stack(errors, axis=1)
