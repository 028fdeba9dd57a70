"""What is asked of the columns of X, a block of rows at a time: moments, and entries not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backends import Array, Backend
from .passes import is_sparse, row_blocks

# Columns named in an error; a message with thousands helps nobody.
NAMED_AT_MOST = 5


def column_moments(
    X: Any, sample_weight: Array | None, *, backend: Backend
) -> tuple[Array, Array]:
    """Weighted mean and standard deviation of each column, in one pass.

    Sums are taken of the differences to the first row, so a large mean costs no digits. A constant
    column has deviation 1: it is left alone by a division.

    Returns
    -------
    mean, scale : arrays of shape (n_features,), in the backend's compute dtype
    """
    xp = backend.xp
    dtype = backend.compute_dtype(X.dtype)
    n_samples, d = X.shape
    if is_sparse(X):
        weight = xp.ones(n_samples) if sample_weight is None else sample_weight
        total = float(xp.sum(weight))
        converted = X.astype(dtype)
        mean = (converted.T @ weight) / total
        variance = (converted.power(2).T @ weight) / total - mean * mean
        square = mean * mean
    else:
        first = xp.astype(X[0, :], dtype)
        sums, squares, total = xp.zeros_like(first), xp.zeros_like(first), 0.0
        for rows in row_blocks(X, dtype.itemsize, backend.block_bytes):
            block = xp.astype(X[rows, :], dtype) - first
            if sample_weight is None:
                weighted, total = block, total + float(block.shape[0])
            else:
                weighted = block * sample_weight[rows][:, None]
                total += float(xp.sum(sample_weight[rows]))
            sums = sums + xp.sum(weighted, axis=0)
            squares = squares + xp.sum(weighted * block, axis=0)
        offset = sums / total
        mean = first + offset
        variance = squares / total - offset * offset
        square = mean * mean
    # Rounding leaves a constant column with a variance of about eps times its square.
    eps = float(xp.finfo(dtype).eps)
    varies = variance > 10.0 * eps * square
    return mean, xp.where(varies, xp.sqrt(xp.where(varies, variance, 1.0)), 1.0)


def describe_nonfinite(
    X: Any, *, backend: Backend, who: str, feature_names: Sequence[str] | None = None
) -> str | None:
    """The text of the error for NaN or infinity in X, naming the columns; None if there is none."""
    xp = backend.xp
    if is_sparse(X):
        bad_nan = sorted({int(j) for j in X.indices[xp.isnan(X.data)]})
        bad_inf = sorted({int(j) for j in X.indices[xp.isinf(X.data)]})
    else:
        bad_nan, bad_inf = [], []
        has_nan = xp.zeros((X.shape[1],), dtype=xp.bool)
        has_inf = has_nan
        if not xp.isdtype(X.dtype, "real floating"):
            return None
        for rows in row_blocks(X, 8, backend.block_bytes):
            block = X[rows, :]
            has_nan = has_nan | xp.any(xp.isnan(block), axis=0)
            has_inf = has_inf | xp.any(xp.isinf(block), axis=0)
        bad_nan = [j for j in range(X.shape[1]) if bool(has_nan[j])]
        bad_inf = [j for j in range(X.shape[1]) if bool(has_inf[j])]
    if not bad_nan and not bad_inf:
        return None
    parts = []
    if bad_nan:
        parts.append(f"NaN (in {_columns(bad_nan, feature_names)})")
    if bad_inf:
        parts.append(f"infinity (in {_columns(bad_inf, feature_names)})")
    return (
        f"Input X contains {' and '.join(parts)}. {who} cannot be fitted on it. Fill missing "
        "values first, for example with sklearn.impute.SimpleImputer, or drop those rows."
    )


def _columns(indices: list[int], feature_names: Sequence[str] | None) -> str:
    shown = [
        f"{j}" if feature_names is None else f"{j} {feature_names[j]!r}"
        for j in indices[:NAMED_AT_MOST]
    ]
    more = len(indices) - len(shown)
    word = "column" if len(indices) == 1 else "columns"
    return f"{word} {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")
