"""What is asked of the columns of X, a block of rows at a time: moments, and entries not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backends import Array, Backend, Namespace
from .dispatch import around_pass, run_kernel
from .passes import is_sparse, row_blocks

# Rows looked at for whether X is far off centre, and the mean, in deviations, that is far.
LOOKED_AT = 256
FAR = 1e6
# Rows of a block of columns whose products are taken are at least so many: fewer are slow.
LEAST_ROWS = 1024
# Columns named in an error; a message with thousands helps nobody.
NAMED_AT_MOST = 5


def column_moments(
    X: Any, sample_weight: Array | None, *, backend: Backend, fused: bool | None = None
) -> tuple[Array, Array]:
    """Weighted mean and variance of each column, in one pass.

    mean_j = sum_i w_i x_ij / sum_i w_i,  variance_j = sum_i w_i (x_ij - mean_j)^2 / sum_i w_i

    Sums are taken of the differences to the first row, so a large mean costs no digits. A variance
    within rounding of that of a constant column is returned as 0.

    Returns
    -------
    mean, variance : arrays of shape (n_features,), in the backend's compute dtype

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> mean, variance = column_moments(
    ...     np.asarray([[1.0, 5.0], [3.0, 5.0]]), None, backend=get_backend("numpy"))
    >>> [float(number) for number in (*mean, *variance)]
    [2.0, 5.0, 1.0, 0.0]
    """
    found: tuple[Array, Array] = around_pass(
        backend, "column_sums", _moments, X, sample_weight, fused=fused
    )
    return found


def _moments(
    xp: Namespace, backend: Backend, fused: bool | None, X: Any, sample_weight: Array | None
) -> tuple[Array, Array]:
    origin = origin_of(X, backend=backend)
    sums, squares, total = sums_of_columns(X, sample_weight, origin, backend=backend, fused=fused)
    return moments_of_sums(xp, sums, squares, total, origin)


def moments_of_sums(
    xp: Namespace, sums: Array, squares: Array, total: Any, origin: Array
) -> tuple[Array, Array]:
    """Mean and variance of each column from the sums of its differences to an origin."""
    offset = sums / total
    mean = origin + offset
    variance = squares / total - offset * offset
    # Rounding of the sums is relative to the mean square about the origin; a stored value itself is
    # good to eps times its size.
    eps = 10.0 * float(xp.finfo(origin.dtype).eps)
    varies = variance > eps * (squares / total) + (eps * mean) ** 2
    return mean, xp.where(varies, variance, 0.0)


def origin_of(X: Any, *, backend: Backend) -> Array:
    """What sums of columns are taken about: the first row, or zero where X is CSR."""
    xp, dtype = backend.xp, backend.compute_dtype(X.dtype)
    return xp.zeros(X.shape[1], dtype=dtype) if is_sparse(X) else xp.astype(X[0, :], dtype)


def sums_of_columns(
    X: Any, sample_weight: Array | None, origin: Array, *, backend: Backend, fused: bool | None
) -> tuple[Array, Array, Any]:
    """sum_i w_i (x_i - origin), sum_i w_i (x_i - origin)^2 and sum_i w_i, in one pass."""
    found: tuple[Array, Array, Any] = run_kernel(
        backend, "column_sums", generic_column_sums, X, sample_weight, origin, fused=fused
    )
    return found


def off_centre(X: Any, *, backend: Backend, fused: bool | None = None) -> Array | None:
    """Approximate column means where some mean is far larger than its column's spread, else None.

    Without centring a Gram matrix loses twice the digits that the mean has more than the spread. A
    few hundred rows, evenly spaced, tell; any point near the data will do as a centre.
    """
    n_samples = X.shape[0]
    if is_sparse(X) or n_samples < 2:
        return None
    mean, far = around_pass(backend, "column_sums", _far, X, fused=fused)
    return mean if bool(far) else None


def _far(xp: Namespace, backend: Backend, fused: bool | None, X: Array) -> tuple[Array, Array]:
    rows = X[:: max(1, X.shape[0] // LOOKED_AT), :]
    mean, variance = _moments(xp, backend, fused, rows, None)
    # A Gram matrix in float32 has lost as much at the square root of that.
    precision = float(xp.finfo(xp.float64).eps) / float(xp.finfo(mean.dtype).eps)
    return mean, xp.any((variance > 0) & (mean * mean > FAR**2 * precision * variance))


def standard_scale(xp: Namespace, variance: Array) -> Array:
    """Standard deviations to divide by; 1 for a constant column, which is thereby left alone."""
    varies = variance > 0.0
    return xp.where(varies, xp.sqrt(xp.where(varies, variance, 1.0)), 1.0)


def generic_column_sums(
    X: Any, sample_weight: Array | None, origin: Array, *, backend: Backend
) -> tuple[Array, Array, float]:
    """sum_i w_i (x_i - origin), sum_i w_i (x_i - origin)^2 and sum_i w_i; origin is 0 for CSR."""
    xp = backend.xp
    if is_sparse(X):
        weight = xp.ones(X.shape[0]) if sample_weight is None else sample_weight
        converted = X.astype(origin.dtype)
        return converted.T @ weight, converted.power(2).T @ weight, float(xp.sum(weight))
    sums, squares, total = xp.zeros_like(origin), xp.zeros_like(origin), 0.0
    for rows in row_blocks(X, 8, backend.block_bytes):
        block = xp.astype(X[rows, :], origin.dtype) - origin
        if sample_weight is None:
            weighted, total = block, total + float(block.shape[0])
        else:
            weighted = block * sample_weight[rows][:, None]
            total += float(xp.sum(sample_weight[rows]))
        sums = sums + xp.sum(weighted, axis=0)
        squares = squares + xp.sum(weighted * block, axis=0)
    return sums, squares, total


def generic_column_products(
    X: Array,
    sample_weight: Array | None,
    columns: Array,
    n_known: int,
    origin: Array | None,
    dtype: Any,
    *,
    backend: Backend,
) -> tuple[Array, Array]:
    """Of z_i = x_i[columns] - origin, and u_i = z_i without its first n_known entries: the sums of
    w_i z_i u_i' and of w_i u_i."""
    xp = backend.xp
    products: Any = 0.0
    sums: Any = 0.0
    rows_at_once = X.shape[0]
    if backend.block_bytes is not None:
        rows_at_once = max(LEAST_ROWS, backend.block_bytes // (8 * columns.shape[0]))
    for first in range(0, X.shape[0], rows_at_once):
        rows = slice(first, min(first + rows_at_once, X.shape[0]))
        block = xp.astype(xp.take(X[rows, :], columns, axis=1), dtype, copy=False)
        if origin is not None:
            block = block - origin
        weighted = block[:, n_known:]
        if sample_weight is not None:
            weighted = weighted * sample_weight[rows][:, None]
        products = products + block.T @ weighted
        sums = sums + xp.sum(weighted, axis=0)
    return products, sums


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
    cure = (
        "Fill missing values first, e.g. with sklearn.impute.SimpleImputer, or drop the rows."
        if bad_nan
        else "Replace infinite values first, or drop the rows."
    )
    return f"Input X contains {' and '.join(parts)}. {who} cannot be fitted on it. {cure}"


def _columns(indices: list[int], feature_names: Sequence[str] | None) -> str:
    shown = [
        f"{j}" if feature_names is None else f"{j} {feature_names[j]!r}"
        for j in indices[:NAMED_AT_MOST]
    ]
    more = len(indices) - len(shown)
    word = "column" if len(indices) == 1 else "columns"
    return f"{word} {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")
