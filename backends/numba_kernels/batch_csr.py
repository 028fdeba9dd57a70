"""Products with chosen rows of a CSR matrix, given as the tuple (data, indices, indptr)."""

from __future__ import annotations

import numpy as np
from numba import njit

from .batch_dense import AHEAD, BLOCK  # noqa: F401 - every layout has them
from .rows_c import ENOUGH
from .rows_csr import accumulate, accumulate_many, product, product_many
from .scalar import to_double


@njit(nogil=True, fastmath={"reassoc", "contract"}, error_model="numpy", forceinline=True)
def row_product(X, row, soon, w, b):
    """X[row] @ w + b."""
    data, indices, indptr = X
    total = b
    for k in range(indptr[row], indptr[row + 1]):
        total += to_double(data[k]) * w[np.uintp(indices[k])]
    return total


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def row_gradient(X, row, slope, l2_reg_strength, w, out):
    """out = slope * X[row] + l2 * w."""
    data, indices, indptr = X
    for j in range(w.shape[0]):
        out[j] = l2_reg_strength * w[j]
    for k in range(indptr[row], indptr[row + 1]):
        out[indices[k]] += slope * to_double(data[k])


@njit(nogil=True, error_model="numpy")
def batch_product(X, order, start, m, w, b, raw, block):
    """raw[i] = X[order[start + i]] @ w + b for i < m."""
    for i in range(m):
        row = order[start + i]
        product(X, row, row + 1, w, b, raw[i : i + 1], ENOUGH)


@njit(nogil=True, error_model="numpy")
def batch_accumulate(X, order, start, m, g, out, block):
    """out += X[order[start : start + m]].T @ g."""
    for i in range(m):
        row = order[start + i]
        accumulate(X, row, row + 1, g[i : i + 1], out, ENOUGH)


@njit(nogil=True, error_model="numpy")
def batch_product_many(X, order, start, m, W, b, raw, block):
    """raw[k, i] = X[order[start + i]] @ W[k] + b[k]."""
    for i in range(m):
        row = order[start + i]
        product_many(X, row, row + 1, W, b, raw[:, i : i + 1], block)


@njit(nogil=True, error_model="numpy")
def batch_accumulate_many(X, order, start, m, g, out, block):
    """out[k] += X[order[start : start + m]].T @ g[k]."""
    for i in range(m):
        row = order[start + i]
        accumulate_many(X, block, row, row + 1, g[:, i : i + 1], out)
