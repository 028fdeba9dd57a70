"""y and sample_weight as users hold them, checked and turned into vectors of the backend."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array

from ..backends import Array, Backend, as_backend_array, backend_of
from ._dates import describe_dates
from ._inputs import as_target, compute_dtype, name_of
from ._text import describe_no_numbers


def check_rows(who: str, argument: str, n_rows: int, n_samples: int) -> None:
    if n_rows != n_samples:
        message = (
            f"{who}: X has {n_samples} rows, but {argument} has {n_rows}: inconsistent numbers of "
            f"samples. Pass one entry of {argument} for each row of X."
        )
        raise ValueError(message)


def require_y(estimator: Any, y: Any) -> Any:
    """y, or scikit-learn's error for its absence."""
    if y is None:
        message = (
            f"{name_of(estimator)}.fit requires y to be passed, but the target y is None. "
            "Pass y, one entry for each row of X."
        )
        raise ValueError(message)
    return as_backend_array(y)


def flatten_column(y: Array, who: str) -> Array:
    """A column vector as a vector, with scikit-learn's warning; other shapes are errors."""
    if y.ndim == 1:
        return y
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        return y.reshape(-1)
    message = (
        f"{who}: y should be a 1d array, got an array of shape {tuple(y.shape)} instead. "
        "Pass one target per row."
    )
    raise ValueError(message)


def read_targets(
    estimator: Any,
    y: Any,
    X: Array,
    backend: Backend,
    *,
    domain: tuple[float, float, bool, bool] | None = None,
    multi_output: bool = False,
) -> Array:
    """Numeric targets as a float array of the backend: (n_samples,) or (n_samples, n_targets).

    Raises
    ------
    ValueError
        For another length than X's, NaN or infinity, or values outside the loss's domain.
    """
    who = name_of(estimator)
    on_device = backend_of(y) is not None
    if not on_device:
        given = y
        try:
            y = check_array(
                y, ensure_2d=False, allow_nd=True, ensure_all_finite=False, input_name="y",
                estimator=estimator, dtype="numeric",
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            text = describe_no_numbers(who, "y", given)
            if text is None:
                raise
            raise ValueError(text) from error
        text = None if y.dtype.kind in "biuf" else describe_dates(who, "y", given)
        if text is None and y.dtype.kind not in "biufO":
            text = f"{who}: y holds values of dtype {y.dtype}, not numbers. Pass numbers."
        if text is not None:
            raise ValueError(text)
    if not (multi_output and y.ndim == 2):
        y = flatten_column(y, who)
    check_rows(who, "y", y.shape[0], X.shape[0])
    if on_device:
        y = backend.xp.astype(y, backend.compute_dtype(X.dtype), copy=False)
    else:
        y = as_target(y, X, backend)
    _check_range(who, y, backend, domain)
    return y


def _check_range(
    who: str, y: Array, backend: Backend, domain: tuple[float, float, bool, bool] | None
) -> None:
    # NaN spreads through a minimum, so two reductions answer both questions about y.
    low, high = float(backend.xp.min(y)), float(backend.xp.max(y))
    if math.isnan(low) or math.isnan(high):
        message = f"{who}: Input y contains NaN. Remove or impute those rows."
        raise ValueError(message)
    if math.isinf(low) or math.isinf(high):
        message = (
            f"{who}: Input y contains infinity or a value too large for {y.dtype}. "
            "Remove those rows."
        )
        raise ValueError(message)
    if domain is None:
        return
    lowest, highest, with_lowest, with_highest = domain
    below = low < lowest or (low == lowest and not with_lowest)
    above = high > highest or (high == highest and not with_highest)
    if below or above:
        left, right = "[" if with_lowest else "(", "]" if with_highest else ")"
        message = (
            f"{who}: Some value(s) of y are out of the valid range of the loss, "
            f"{left}{lowest:g}, {highest:g}{right}: y runs from {low:g} to {high:g}. Correct "
            "those rows, or choose a loss that fits such targets."
        )
        raise ValueError(message)


def read_sample_weight(estimator: Any, sample_weight: Any, X: Array, backend: Backend) -> Array:
    """Weights as a float vector of the backend, or None where all rows count the same.

    Raises
    ------
    ValueError
        For another length than X's, NaN or infinity, a negative weight, or zeros only.
    """
    if sample_weight is None:
        return None
    who, n_samples = name_of(estimator), X.shape[0]
    dtype = compute_dtype(backend, X)
    if backend_of(sample_weight) is not None:
        weight = backend.xp.astype(sample_weight, backend.compute_dtype(X.dtype), copy=False)
    else:
        weight = np.asarray(sample_weight, dtype=dtype)
        weight = np.full(n_samples, weight) if weight.ndim == 0 else weight
        weight = as_target(weight, X, backend)
    if weight.ndim != 1:
        message = (
            f"{who}: Sample weights must be 1D array or scalar, got an array of shape "
            f"{tuple(weight.shape)}. Pass sample_weight of shape ({n_samples},)."
        )
        raise ValueError(message)
    check_rows(who, "sample_weight", weight.shape[0], n_samples)
    low, high = float(backend.xp.min(weight)), float(backend.xp.max(weight))
    if not (math.isfinite(low) and math.isfinite(high)):
        problem = "contains NaN" if math.isnan(low) or math.isnan(high) else "contains infinity"
        message = f"{who}: Input sample_weight {problem}. Give every row a finite weight."
        raise ValueError(message)
    if low < 0.0:
        message = (
            f"{who}: Negative values in sample_weight (the smallest is {low:g}). A weight is how "
            "often a row counts: pass weights of at least 0."
        )
        raise ValueError(message)
    if high == 0.0:
        message = (
            f"{who}: sample_weight is zero for every row. Sample weights must contain at least "
            "one non-zero number."
        )
        raise ValueError(message)
    return weight
