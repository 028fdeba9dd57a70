"""Names and changes of dtypes, whatever the library: one place for both."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Namespace
from .passes import is_sparse


def host_dtype(dtype: Any) -> Any:
    """NumPy's name for a dtype in which a backend computes.

    Parameters
    ----------
    dtype : dtype
        float32 or float64, of any library.

    Examples
    --------
    >>> host_dtype(np.dtype("float32")).__name__, host_dtype("array_api_strict.float64").__name__
    ('float32', 'float64')
    """
    return np.float32 if "float32" in str(dtype) else np.float64


def in_dtype(xp: Namespace, X: Any, dtype: Any) -> Any:
    """X, an array or CSR, in another dtype; X itself where it has that one.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> X = np.ones((1, 2), dtype=np.uint8)
    >>> in_dtype(np, X, np.float32).dtype.name, in_dtype(np, csr_array(X), np.float32).dtype.name
    ('float32', 'float32')
    """
    return X.astype(dtype, copy=False) if is_sparse(X) else xp.astype(X, dtype, copy=False)
