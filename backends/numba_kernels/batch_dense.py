"""Products with chosen rows of a dense X, in either memory order: what a mini-batch reads."""

from __future__ import annotations

from numba import njit

from .rows_c import (
    ENOUGH,
    SUMS,
    accumulate,
    accumulate_many,
    ask,
    product,
    product_many,
)
from .scalar import to_double

# Rows that are copied side by side at a time, so that the products of whole blocks serve them.
BLOCK = 32
# Rows that memory is asked for before their turn: the processor cannot guess a shuffled order.
AHEAD = 8


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def gather(X, order, start, m, block):
    """block[i] = X[order[start + i]], and a request for the rows that come `BLOCK` later."""
    d = block.shape[1]
    last = order.shape[0] - 1
    per_line = 64 // X.itemsize
    for i in range(m):
        ask(X, order[min(last, start + i + BLOCK)], 1, d, per_line)
        row, out = X[order[start + i]], block[i]
        for j in range(d):
            out[j] = to_double(row[j])


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def row_product(X, row, soon, w, b):
    """X[row] @ w + b, and a request for the row that comes soon."""
    ask(X, soon, 1, w.shape[0], 64 // X.itemsize)
    x, total = X[row], b
    for j in range(w.shape[0]):
        total += to_double(x[j]) * w[j]
    return total


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def row_gradient(X, row, slope, l2_reg_strength, w, out):
    """out = slope * X[row] + l2 * w."""
    x = X[row]
    for j in range(w.shape[0]):
        out[j] = slope * to_double(x[j]) + l2_reg_strength * w[j]


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def batch_product(X, order, start, m, w, b, raw, block):
    """raw[i] = X[order[start + i]] @ w + b for i < m."""
    gather(X, order, start, m, block)
    product(block, 0, m, w, b, raw, ENOUGH)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def batch_accumulate(X, order, start, m, g, out, block):
    """out += X[order[start : start + m]].T @ g, of the rows that `batch_product` has read."""
    accumulate(block, 0, m, g, out, ENOUGH)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def batch_product_many(X, order, start, m, W, b, raw, block):
    """raw[k, i] = X[order[start + i]] @ W[k] + b[k]."""
    gather(X, order, start, m, block)
    product_many(block, 0, m, W, b, raw, block)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def batch_accumulate_many(X, order, start, m, g, out, block):
    """out[k] += X[order[start : start + m]].T @ g[k]."""
    accumulate_many(block, block, 0, m, g, out)
