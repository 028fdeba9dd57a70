"""Products with rows of a Fortran-ordered X, given as its C-ordered transpose, for one output."""

from __future__ import annotations

from numba import njit

from .gram import add_gram_of_columns
from .rows_c import ENOUGH, UNKNOWN  # noqa: F401 - every layout has them
from .rows_c import accumulate_many as accumulate_many_c
from .rows_c import product_many as product_many_c
from .scalar import prefetch, to_double

SUMS = {"reassoc", "contract", "nsz"}
# Long enough that each column's piece is worth asking memory for, short enough that 64 columns of
# this block and of the next (256 KiB of float64 each) stay in a level-2 cache.
BLOCK = 512


@njit(nogil=True, error_model="numpy", forceinline=True)
def ask(X, j, first, count, per_line):
    """Ask memory for X[j, first:first + count], a line of `per_line` numbers at a time."""
    for i in range(first, first + count, per_line):
        prefetch(X, j, i)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def product(X, start, stop, w, b, raw, soon):
    """raw[i] = X[:, start + i] @ w + b: eight columns for each trip through `raw`.

    `soon` is the row that the next block starts at; nothing is asked for where it is negative.
    """
    d = w.shape[0]
    n = stop - start
    per_line = 64 // X.itemsize
    asked = n if soon >= 0 else 0
    for i in range(n):
        raw[i] = b
    whole = d - d % 8
    for j in range(0, whole, 8):
        # Half of the columns of the next block; the others are asked for by `accumulate`.
        for k in range(4):
            ask(X, j // 2 + k, soon, asked, per_line)
        c0, c1 = X[j, start:stop], X[j + 1, start:stop]
        c2, c3 = X[j + 2, start:stop], X[j + 3, start:stop]
        c4, c5 = X[j + 4, start:stop], X[j + 5, start:stop]
        c6, c7 = X[j + 6, start:stop], X[j + 7, start:stop]
        w0, w1, w2, w3 = w[j], w[j + 1], w[j + 2], w[j + 3]
        w4, w5, w6, w7 = w[j + 4], w[j + 5], w[j + 6], w[j + 7]
        for i in range(n):
            one = (to_double(c0[i]) * w0 + to_double(c1[i]) * w1) + (
                to_double(c2[i]) * w2 + to_double(c3[i]) * w3
            )
            two = (to_double(c4[i]) * w4 + to_double(c5[i]) * w5) + (
                to_double(c6[i]) * w6 + to_double(c7[i]) * w7
            )
            raw[i] += one + two
    for j in range(whole, d):
        column = X[j, start:stop]
        wj = w[j]
        for i in range(n):
            raw[i] += to_double(column[i]) * wj


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def accumulate(X, start, stop, g, out, soon):
    """out[j] += X[j, start:stop] @ g: four columns for each trip through `g`."""
    n = stop - start
    d = out.shape[0]
    per_line = 64 // X.itemsize
    asked = n if soon >= 0 else 0
    whole = d - d % 4
    for j in range(0, whole, 4):
        ask(X, (d + j) // 2, soon, asked, per_line)
        ask(X, (d + j) // 2 + 1, soon, asked, per_line)
        c0, c1 = X[j, start:stop], X[j + 1, start:stop]
        c2, c3 = X[j + 2, start:stop], X[j + 3, start:stop]
        t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            gi = g[i]
            t0 += to_double(c0[i]) * gi
            t1 += to_double(c1[i]) * gi
            t2 += to_double(c2[i]) * gi
            t3 += to_double(c3[i]) * gi
        out[j] += t0
        out[j + 1] += t1
        out[j + 2] += t2
        out[j + 3] += t3
    for j in range(whole, d):
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
    """As in `rows_c`."""
    columns, weighted = scratch[0], scratch[1]
    for j in range(X.shape[0]):
        column, target = X[j, start:stop], columns[j]
        for i in range(stop - start):
            target[i] = to_double(column[i])
    add_gram_of_columns(columns, weighted, h, stop - start, out)
