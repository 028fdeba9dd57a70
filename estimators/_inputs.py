"""X as users hold it, turned into what `core` takes, in the dtype and order of its storage."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ..backends import (
    Array,
    Backend,
    PrecisionError,
    as_backend_array,
    backend_of,
    get_backend,
)
from ..core.columns import describe_nonfinite
from ..core.device_work import on_device_of, working_on
from ..core.passes import is_sparse
from ._dates import describe_dates, holds_typed_dates
from ._text import describe_no_numbers

# Bytes of the widest float that is read as stored; a wider one becomes float64.
_WIDEST_FLOAT = 8


def name_of(estimator: Any) -> str:
    """Name of the estimator's class, for errors."""
    return type(estimator).__name__


def to_host(array: Any) -> Any:
    """A device array copied to a NumPy array; anything on the host as it is."""
    array = as_backend_array(array)
    name = None if array is None else backend_of(array)
    return array if name is None else get_backend(name).to_numpy(array)


def like_input(result: Array, given: Any) -> Any:
    """A prediction as the kind of array that X was given as: a tensor for a tensor."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(given, torch.Tensor) and result.dtype != object:
        return torch.from_dlpack(result)
    return result


def read_features(estimator: Any, X: Any, *, reset: bool) -> Array:
    """X in its stored dtype and memory order: an array of its own library, or SciPy CSR.

    Sets (`reset=True`, in `fit`) or checks feature names and count. Whether X is finite is not
    looked at here, because that would be one more read of it: the first pass finds out.

    Raises
    ------
    ValueError
        For a wrong number of dimensions, no rows, no columns, text, complex numbers.
    """
    X = as_backend_array(X)
    if _is_plain(X) and _agrees(estimator, X, reset=reset):
        return X
    if backend_of(X) is not None:
        return _check_device_features(estimator, X, reset=reset)
    # polars makes numbers of dates by itself, in units that nobody asked for.
    if holds_typed_dates(X):
        raise ValueError(describe_dates(name_of(estimator), "X", X))
    try:
        return _converted(estimator, X, reset=reset)
    except (ValueError, TypeError) as error:
        text = None if is_sparse(X) else describe_no_numbers(name_of(estimator), "X", X)
        if text is None:
            raise
        raise ValueError(text) from error


def _converted(estimator: Any, X: Any, *, reset: bool) -> Array:
    X = validate_data(estimator, X, reset=reset, accept_sparse="csr", ensure_all_finite=False)
    if X.dtype.kind not in "biufO":
        message = (
            f"{name_of(estimator)}: X holds values of dtype {X.dtype}, not numbers. "
            "Encode such columns as numbers first."
        )
        raise ValueError(message)
    if X.dtype.kind == "O" or X.dtype.itemsize > _WIDEST_FLOAT or not X.dtype.isnative:
        X = X.astype(np.float64)
    return X


def _is_plain(X: Any) -> bool:
    """Whether X is an array that needs no conversion and can have no fault but its values."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.size > 0
        and X.dtype.kind in "biuf"
        and X.dtype.itemsize <= _WIDEST_FLOAT
        and X.dtype.isnative
    )


def _agrees(estimator: Any, X: Array, *, reset: bool) -> bool:
    # What `validate_data` does for such an array, without its 50 microseconds: a third of what
    # this package adds to a fit of a few hundred rows. Disagreement is left to it to report.
    if reset:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
        return True
    has_names = hasattr(estimator, "feature_names_in_")
    return not has_names and bool(estimator.n_features_in_ == X.shape[1])


def _check_device_features(estimator: Any, X: Array, *, reset: bool) -> Array:
    who = name_of(estimator)
    if X.ndim != 2:
        message = (
            f"{who}: Expected 2D array, got {X.ndim}D array of shape {X.shape} as X. "
            "Reshape your data with X.reshape(-1, 1) for one feature or X.reshape(1, -1) for "
            "one sample."
        )
        raise ValueError(message)
    n_samples, n_features = X.shape
    if n_samples == 0 or n_features == 0:
        message = f"{who}: X is empty (shape={X.shape}). At least one row and column are needed."
        raise ValueError(message)
    if np.dtype(X.dtype).kind == "c":
        message = f"{who}: Complex data not supported (X is {X.dtype}). Pass real numbers."
        raise ValueError(message)
    return validate_data(estimator, X, reset=reset, skip_check_array=True)


def compute_dtype(backend: Backend, X: Array) -> np.dtype[Any]:
    """The NumPy dtype in which the backend holds parameters and targets for this X."""
    dtype: np.dtype[Any] = np.dtype(backend.compute_dtype(X.dtype))
    return dtype


def beside(X: Array, values: np.ndarray[Any, Any], backend: Backend) -> Array:
    """Host values in the backend's hands, on the device of X where X is on one already."""
    with on_device_of(backend, X):
        return backend.from_numpy(values)


def as_target(values: np.ndarray[Any, Any], X: Array, backend: Backend) -> Array:
    """A host vector beside X, in the dtype of the computation."""
    return beside(X, np.ascontiguousarray(values, dtype=compute_dtype(backend, X)), backend)


def _check_indices(estimator: Any, X: Array) -> None:
    # Compiled kernels do not check bounds: a bad index would read and write outside of arrays.
    if X.nnz and not (X.indices.min() >= 0 and X.indices.max() < X.shape[1]):
        message = (
            f"{name_of(estimator)}: X is a CSR matrix with {X.shape[1]} columns whose column "
            f"indices lie in {X.indices.min()} ... {X.indices.max()}: it is damaged. Build it anew."
        )
        raise ValueError(message)


def send_features(estimator: Any, X: Array, backend: Backend) -> Array:
    """X as an array of the backend: itself, or host data sent to a device once.

    Raises
    ------
    ValueError
        For sparse X and a backend that takes none.
    """
    if backend_of(X) is not None or isinstance(X, backend.array_type):
        return X
    if is_sparse(X):
        if backend.array_type is np.ndarray:
            _check_indices(estimator, X)
            return X
        message = (
            f"{name_of(estimator)}: X is sparse, which backend {backend.name!r} does not take. "
            "Use backend='numba' or 'numpy', or pass X.toarray()."
        )
        raise ValueError(message)
    shape = " x ".join(f"{size:,}" for size in X.shape)
    with working_on(backend, X, f"moving X of {X.dtype}, {shape}, to backend {backend.name!r}"):
        return backend.from_numpy(X)


def narrowed_to(estimator: Any, X: Array, backend: Backend, dtype: str) -> Array:
    """X for a fit in `dtype`: host float64 in float32, where that is the dtype and the backend
    holds nothing wider (JAX in its 32-bit mode); else X itself.

    Raises
    ------
    ValueError
        For numbers that float32 does not hold.
    """
    wide = isinstance(X, np.ndarray) or is_sparse(X)
    if dtype != "float32" or not wide or X.dtype != np.float64:
        return X
    try:
        backend.compute_dtype(X.dtype)
    except PrecisionError:
        pass
    else:
        return X
    with np.errstate(over="ignore"):
        narrow = X.astype(np.float32)
    values, given = (narrow.data, X.data) if is_sparse(X) else (narrow, X)
    if bool(np.any(np.isinf(values) & np.isfinite(given))):
        message = (
            f"{name_of(estimator)}: X of float64 holds numbers beyond 3.4e38, and backend "
            f"{backend.name!r} computes in float32. Scale the columns "
            "(sklearn.preprocessing.StandardScaler), or take another backend."
        )
        raise ValueError(message)
    return narrow


def check_raw_prediction(estimator: Any, X: Array, raw: Array, backend: Backend) -> None:
    """Refuse a prediction that NaN or infinity in X made; X is read again only to name columns.

    Raises
    ------
    ValueError
        As scikit-learn's, with the columns named.
    """
    if bool(backend.xp.all(backend.xp.isfinite(raw))):
        return
    who = name_of(estimator)
    names = feature_names(estimator)
    text = describe_nonfinite(X, backend=backend, who=who, feature_names=names)
    if text is not None:
        # The rest of that text speaks of fitting.
        found = text.partition(". ")[0]
        message = f"{who}: {found}. Remove or impute those values before predicting."
        raise ValueError(message)


def feature_names(estimator: Any) -> list[str] | None:
    """Names of the columns, where X in `fit` had names."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]
