"""Functions of plain arrays that the libraries spell in different ways, or not at all."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from array_api_compat import device

from ...backends import BackendUnavailableError, get_backend, resolve_backend


def where_of(xp: Any) -> Any:
    """`where` that takes Python numbers."""

    def where(condition: Any, a: Any, b: Any) -> Any:
        # The standard wants arrays of one dtype.
        dtype = a.dtype if hasattr(a, "dtype") else getattr(b, "dtype", None)
        a, b = (
            value if hasattr(value, "dtype") else xp.asarray(value, dtype=dtype) for value in (a, b)
        )
        return xp.where(condition, a, b)

    return where


def reshape_of(xp: Any) -> Any:
    """`reshape` of (x, shape)."""
    # By position, because NumPy's name for it was another one before 2.1.
    return lambda x, shape, **options: xp.reshape(x, shape, **options)


# Names that the rules use and that the libraries do not agree on.
SPECIAL: dict[str, Any] = {"where": where_of, "reshape": reshape_of}

# Operators take Python numbers too, and leave arrays in their dtype.
OPERATORS: dict[str, Any] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "pow": operator.pow,
}


def getitem(x: Any, key: Any) -> Any:
    """x[key]."""
    return x[key]


def put(xp: Any, x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape with x added at a key; what falls on one place is added up."""
    whole = xp.zeros(shape, dtype=x.dtype)
    try:
        backend = resolve_backend(None, x)
    except (TypeError, BackendUnavailableError):
        backend = get_backend("numpy")
    if isinstance(x, backend.array_type | np.generic):
        return backend.at_add(whole, key, x)
    # Of a library that is no backend, whose arrays `at_add` would return as NumPy's. The standard
    # has no sums at indices that repeat, and new axes only where an array is read.
    keys = key if isinstance(key, tuple) else (key,)
    if all(isinstance(each, int | slice) or each is Ellipsis for each in keys):
        whole[key] = x
        return whole
    plain = tuple(np.asarray(each) if hasattr(each, "dtype") else each for each in keys)
    found = get_backend("numpy").at_add(np.asarray(whole), plain, np.asarray(x))
    return xp.asarray(found, device=device(x))


def concat(xp: Any, *arrays: Any, axis: int = 0) -> Any:
    """One array after the other."""
    return xp.concat(arrays, axis=axis)
