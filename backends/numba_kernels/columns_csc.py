"""Products with columns of a CSR matrix, gathered as the tuple (data, indices, starts, which).

What is numbered j here is the gathered column which[j].
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .scalar import fetch_add, to_double

SUMS = {"reassoc", "contract", "nsz"}


@njit(nogil=True, error_model="numpy", cache=True)
def gather_columns(X, place, factor):
    """The columns j of X with place[j] < k = factor.shape[0], at that place, times factor[place].

    All other columns have the place k. Their entries are counted, written to one spare place and
    forgotten: to branch on what the columns are took 2.4 times as long, SciPy's X[:, columns] with
    its transposing 1.7 times.
    """
    data, indices, indptr = X
    n, k = indptr.shape[0] - 1, factor.shape[0]
    starts = np.zeros(k + 2, dtype=np.int64)
    stored = indices[indptr[0] : indptr[n]]
    for at in range(stored.shape[0]):
        starts[np.int64(place[stored[at]]) + 1] += 1
    for j in range(k):
        starts[j + 1] += starts[j]
    values = np.empty(starts[k] + 1)
    rows = np.empty(starts[k] + 1, dtype=np.uint32)
    free, step, scale = starts[: k + 1].copy(), np.ones(k + 1, dtype=np.int64), np.zeros(k + 1)
    step[k], scale[:k] = 0, factor
    for i in range(n):
        of_row, x = indices[indptr[i] : indptr[i + 1]], data[indptr[i] : indptr[i + 1]]
        for at in range(of_row.shape[0]):
            j = place[of_row[at]]
            to = free[j]
            values[to] = scale[j] * to_double(x[at])
            rows[to] = i
            free[j] = to + step[j]
    return values, rows, starts


@njit(nogil=True, error_model="numpy", forceinline=True)
def column(columns, j):
    """Entries and rows of column j.

    Loops over slices from 0 on, and rows without a sign, spare Numba the check for negative
    indices at each entry: whole fits took 0.7 of the time.
    """
    values, rows, starts, which = columns
    first, last = starts[which[j]], starts[which[j] + 1]
    return values[first:last], rows[first:last]


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def column_terms(columns, j, h, u):
    """The sums of h x, h x^2 and x u over column j."""
    values, rows = column(columns, j)
    edge, corner, slope = 0.0, 0.0, 0.0
    for at in range(values.shape[0]):
        x, i = values[at], rows[at]
        bent = h[i] * x
        edge += bent
        corner += bent * x
        slope += x * u[i]
    return edge, corner, slope


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def column_product(columns, j, u):
    """The sum of x u over column j."""
    values, rows = column(columns, j)
    total = 0.0
    for at in range(values.shape[0]):
        total += values[at] * u[rows[at]]
    return total


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def add_bent_column(columns, j, change, h, u):
    """u += change * h * x."""
    values, rows = column(columns, j)
    for at in range(values.shape[0]):
        u[rows[at]] += change * h[rows[at]] * values[at]


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def add_column(columns, j, change, raw):
    """raw += change * x."""
    values, rows = column(columns, j)
    for at in range(values.shape[0]):
        raw[rows[at]] += change * values[at]


@njit(nogil=True, error_model="numpy", cache=True)
def predict_columns(columns, w, b, raw):
    """raw = X w + b, written in place."""
    raw[:] = b
    for j in range(w.shape[0]):
        if w[j] != 0.0:
            add_column(columns, j, w[j], raw)


@njit(nogil=True, error_model="numpy", cache=True)
def column_products(columns, u, chunk_columns, counter, products):
    """products[j] = the sum of x u over column j, for this thread's chunks of columns."""
    k = products.shape[0]
    first = fetch_add(counter, 1) * chunk_columns
    while first < k:
        for j in range(first, min(k, first + chunk_columns)):
            products[j] = column_product(columns, j, u)
        first = fetch_add(counter, 1) * chunk_columns
