"""Products with rows of a Fortran-ordered X, given as its C-ordered transpose, for one output."""

from __future__ import annotations

from numba import njit

from .rows_c import accumulate_many as accumulate_many_c
from .rows_c import add_gram as add_gram_c
from .rows_c import product_many as product_many_c
from .scalar import to_double

SUMS = {"reassoc", "contract", "nsz"}
# Long enough that each column's piece is worth a hardware prefetch, short enough that 64 columns
# of it (512 KiB of float64) stay in a level-2 cache for the second reading.
BLOCK = 1024


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def product(X, start, stop, w, b, raw):
    """raw[i] = X[:, start + i] @ w + b: four columns for each trip through `raw`."""
    d = w.shape[0]
    n = stop - start
    for i in range(n):
        raw[i] = b
    whole = d - d % 4
    for j in range(0, whole, 4):
        c0, c1 = X[j, start:stop], X[j + 1, start:stop]
        c2, c3 = X[j + 2, start:stop], X[j + 3, start:stop]
        w0, w1, w2, w3 = w[j], w[j + 1], w[j + 2], w[j + 3]
        for i in range(n):
            raw[i] += (to_double(c0[i]) * w0 + to_double(c1[i]) * w1) + (
                to_double(c2[i]) * w2 + to_double(c3[i]) * w3
            )
    for j in range(whole, d):
        column = X[j, start:stop]
        wj = w[j]
        for i in range(n):
            raw[i] += to_double(column[i]) * wj


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def accumulate(X, start, stop, g, out):
    """out[j] += X[j, start:stop] @ g."""
    n = stop - start
    for j in range(out.shape[0]):
        column = X[j, start:stop]
        total = 0.0
        for i in range(n):
            total += to_double(column[i]) * g[i]
        out[j] += total


@njit(nogil=True, error_model="numpy")
def transposed_block(X, start, stop, scratch):
    """Rows start:stop, C-ordered and float64, in `scratch`: 64 columns at a time stay in cache."""
    d = X.shape[0]
    for j in range(d):
        column = X[j, start:stop]
        for i in range(stop - start):
            scratch[i, j] = to_double(column[i])
    return scratch[: stop - start]


@njit(nogil=True, error_model="numpy")
def product_many(X, start, stop, W, b, raw, scratch):
    """As in `rows_c`, on rows that are transposed into `scratch` first."""
    block = transposed_block(X, start, stop, scratch)
    return product_many_c(block, 0, stop - start, W, b, raw, scratch)


@njit(nogil=True, error_model="numpy")
def accumulate_many(X, block, start, stop, g, out):
    """As in `rows_c`, on the rows that `product_many` left behind."""
    accumulate_many_c(block, block, start, stop, g, out)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def column_sums(X, start, stop, weight, origin, sums, squares):
    """sums += w (x - origin), squares += w (x - origin)^2 over rows start:stop."""
    n = stop - start
    for j in range(origin.shape[0]):
        column, first = X[j, start:stop], origin[j]
        total, square = 0.0, 0.0
        if weight.shape[0] > 0:
            w = weight[start:stop]
            for i in range(n):
                x = to_double(column[i]) - first
                total += w[i] * x
                square += w[i] * x * x
        else:
            for i in range(n):
                x = to_double(column[i]) - first
                total += x
                square += x * x
        sums[j] += total
        squares[j] += square


@njit(nogil=True, error_model="numpy")
def add_gram(X, start, stop, h, scratch, out):
    """As in `rows_c`, on rows that are transposed into `scratch` first."""
    add_gram_c(transposed_block(X, start, stop, scratch), 0, stop - start, h, scratch, out)
