"""What the loops of static graphs call: sums of blocks, and the larger of two numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

# Columns that are added up before they join the sum: fewer digits are lost, none of the speed.
COLUMNS_AT_A_TIME = 256


# Additions may change places within a block: only so can they be done several at a time.
@njit(fastmath={"contract", "reassoc"}, error_model="numpy")
def block_sum(block: Any, n: int) -> Any:
    """The sum of the first n entries; of floats in float64."""
    total = 0
    for i in range(n):
        total += block[i]
    return total


@njit(error_model="numpy", forceinline=True)
def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers; NaN where one is."""
    return a if (a > b or a != a) else b


@njit(error_model="numpy", forceinline=True)
def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers; NaN where one is."""
    return a if (a < b or a != a) else b


@njit(error_model="numpy")
def block_max(block: Any, n: int) -> Any:
    """The largest of the first n entries, n at least 1."""
    found = block[0]
    for i in range(1, n):
        found = larger(found, block[i])
    return found


@njit(error_model="numpy")
def block_min(block: Any, n: int) -> Any:
    """The smallest of the first n entries, n at least 1."""
    found = block[0]
    for i in range(1, n):
        found = smaller(found, block[i])
    return found


@njit(fastmath={"contract", "reassoc"}, error_model="numpy", nogil=True)
def matrix_vector(A: Any, x: Any) -> Any:
    """A x, by rows or by columns, as A lies in memory.

    BLAS, which Numba takes from SciPy, has threads of its own beside those of NumPy's: where both
    were in use on two cores, each waited for the other, up to ten times as long as the product.
    """
    m, n = A.shape
    out = np.zeros(m, A.dtype)
    if A.strides[0] >= A.strides[1]:
        for i in range(m):
            total = A.dtype.type(0)
            for j in range(n):
                total += A[i, j] * x[j]
            out[i] = total
        return out
    part = np.empty(m, A.dtype)
    for start in range(0, n, COLUMNS_AT_A_TIME):
        part[:] = 0
        for j in range(start, min(n, start + COLUMNS_AT_A_TIME)):
            factor = x[j]
            for i in range(m):
                part[i] += A[i, j] * factor
        for i in range(m):
            out[i] += part[i]
    return out


@njit(nogil=True)
def product(a: Any, b: Any) -> Any:
    """a b by BLAS; compiled once, and not at every place that calls it."""
    return np.dot(a, b)
