"""Products with rows of a C-ordered X, for one output."""

from __future__ import annotations

from numba import njit

from .gram import add_gram_of_columns
from .scalar import as_block, prefetch, to_double

# Sums may be reordered (that is what lets them be vectorized); NaN and infinity keep their meaning.
SUMS = {"reassoc", "contract", "nsz"}
# Twice the rows that fit a level-1 cache beside 64 columns: the loss is then evaluated in longer
# runs. float32 took 0.96 of the time with 64 rows, narrow X (16 columns) 0.94, float64 the same.
BLOCK = 128
# Memory is asked for rows while others are worked on, so that it never waits for arithmetic: for
# those of the next block, half of them during the product, half during the accumulation. That took
# 0.77 of the time of asking a few rows ahead during the product alone (64 columns). Blocks of more
# bytes than NEAR would drive each other out of the cache: then rows shortly AHEAD are asked for.
NEAR = 1 << 16
AHEAD = 16
# In place of the row that the next block starts at: it is not known, or all was asked for already.
UNKNOWN, ENOUGH = -1, -2
# Narrower numbers (float16, uint8) keep arithmetic busy for longer than memory.
LEAST_ITEMSIZE = 4


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def ask(X, first, count, width, per_line):
    """Ask memory for X[first:first + count, :width], a line of `per_line` numbers at a time."""
    for k in range(count):
        for j in range(0, width, per_line):
            prefetch(X, first + k, j)


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def product(X, start, stop, w, b, raw, soon):
    """raw[i] = X[start + i] @ w + b: four rows for each trip through `w`.

    `soon` is the row that the next block starts at, or UNKNOWN, or ENOUGH.
    """
    d = w.shape[0]
    n = stop - start
    whole = n - n % 4
    # One loop with other numbers in it serves near and far: a branch in the loop took 1.1 times
    # as long, and so did the division there.
    per_line = 64 // X.itemsize
    near = soon >= 0 and n * d * X.itemsize <= NEAR
    ahead = soon if near else start + AHEAD
    shift, count = (1, 2) if near else (0, 4)
    width = d if X.itemsize >= LEAST_ITEMSIZE and soon != ENOUGH else 0
    for i in range(0, whole, 4):
        ask(X, ahead + (i >> shift), count, width, per_line)
        r = start + i
        r0, r1, r2, r3 = X[r], X[r + 1], X[r + 2], X[r + 3]
        t0, t1, t2, t3 = b, b, b, b
        for j in range(d):
            wj = w[j]
            t0 += to_double(r0[j]) * wj
            t1 += to_double(r1[j]) * wj
            t2 += to_double(r2[j]) * wj
            t3 += to_double(r3[j]) * wj
        raw[i], raw[i + 1], raw[i + 2], raw[i + 3] = t0, t1, t2, t3
    for i in range(whole, n):
        row = X[start + i]
        total = b
        for j in range(d):
            total += to_double(row[j]) * w[j]
        raw[i] = total


@njit(nogil=True, fastmath=SUMS, error_model="numpy", forceinline=True)
def accumulate(X, start, stop, g, out, soon):
    """out += X[start:stop].T @ g: eight rows for each trip through `out`, which costs a store."""
    d = out.shape[0]
    n = stop - start
    whole = n - n % 8
    per_line = 64 // X.itemsize
    near = soon >= 0 and n * d * X.itemsize <= NEAR
    width = d if near and X.itemsize >= LEAST_ITEMSIZE else 0
    ahead = soon + n // 2
    for i in range(0, whole, 8):
        ask(X, ahead + i // 2, 4, width, per_line)
        r = start + i
        r0, r1, r2, r3 = X[r], X[r + 1], X[r + 2], X[r + 3]
        r4, r5, r6, r7 = X[r + 4], X[r + 5], X[r + 6], X[r + 7]
        g0, g1, g2, g3 = g[i], g[i + 1], g[i + 2], g[i + 3]
        g4, g5, g6, g7 = g[i + 4], g[i + 5], g[i + 6], g[i + 7]
        for j in range(d):
            first = (to_double(r0[j]) * g0 + to_double(r1[j]) * g1) + (
                to_double(r2[j]) * g2 + to_double(r3[j]) * g3
            )
            second = (to_double(r4[j]) * g4 + to_double(r5[j]) * g5) + (
                to_double(r6[j]) * g6 + to_double(r7[j]) * g7
            )
            out[j] += first + second
    for i in range(whole, n):
        row = X[start + i]
        gi = g[i]
        for j in range(d):
            out[j] += to_double(row[j]) * gi


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def product_many(X, start, stop, W, b, raw, scratch):
    """raw[k, i] = X[start + i] @ W[k] + b[k], in tiles of four rows and two outputs.

    W is (n_outputs, n_features). Returns the rows as float64, for `accumulate_many`.
    """
    block = as_block(X, start, stop, scratch)
    n_outputs, d = W.shape
    n = stop - start
    whole = n - n % 4
    for i in range(0, whole, 4):
        r0, r1, r2, r3 = block[i], block[i + 1], block[i + 2], block[i + 3]
        for k in range(0, n_outputs - 1, 2):
            u, v = W[k], W[k + 1]
            t00, t10, t20, t30 = 0.0, 0.0, 0.0, 0.0
            t01, t11, t21, t31 = 0.0, 0.0, 0.0, 0.0
            for j in range(d):
                t00 += r0[j] * u[j]
                t01 += r0[j] * v[j]
                t10 += r1[j] * u[j]
                t11 += r1[j] * v[j]
                t20 += r2[j] * u[j]
                t21 += r2[j] * v[j]
                t30 += r3[j] * u[j]
                t31 += r3[j] * v[j]
            raw[k, i], raw[k, i + 1], raw[k, i + 2], raw[k, i + 3] = t00, t10, t20, t30
            raw[k + 1, i], raw[k + 1, i + 1] = t01, t11
            raw[k + 1, i + 2], raw[k + 1, i + 3] = t21, t31
        if n_outputs % 2 == 1:
            k = n_outputs - 1
            u = W[k]
            t00, t10, t20, t30 = 0.0, 0.0, 0.0, 0.0
            for j in range(d):
                t00 += r0[j] * u[j]
                t10 += r1[j] * u[j]
                t20 += r2[j] * u[j]
                t30 += r3[j] * u[j]
            raw[k, i], raw[k, i + 1], raw[k, i + 2], raw[k, i + 3] = t00, t10, t20, t30
    for i in range(whole, n):
        row = block[i]
        for k in range(n_outputs):
            u = W[k]
            total = 0.0
            for j in range(d):
                total += row[j] * u[j]
            raw[k, i] = total
    for k in range(n_outputs):
        for i in range(n):
            raw[k, i] += b[k]
    return block


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def accumulate_many(X, block, start, stop, g, out):
    """out[k] += X[start:stop].T @ g[k], in tiles of eight rows and two outputs."""
    n_outputs, d = out.shape
    n = stop - start
    whole = n - n % 8
    for i in range(0, whole, 8):
        r0, r1, r2, r3 = block[i], block[i + 1], block[i + 2], block[i + 3]
        r4, r5, r6, r7 = block[i + 4], block[i + 5], block[i + 6], block[i + 7]
        for k in range(0, n_outputs - 1, 2):
            p, q = g[k, i : i + 8], g[k + 1, i : i + 8]
            p0, p1, p2, p3, p4, p5, p6, p7 = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
            q0, q1, q2, q3, q4, q5, q6, q7 = q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7]
            u, v = out[k], out[k + 1]
            for j in range(d):
                u[j] += ((r0[j] * p0 + r1[j] * p1) + (r2[j] * p2 + r3[j] * p3)) + (
                    (r4[j] * p4 + r5[j] * p5) + (r6[j] * p6 + r7[j] * p7)
                )
                v[j] += ((r0[j] * q0 + r1[j] * q1) + (r2[j] * q2 + r3[j] * q3)) + (
                    (r4[j] * q4 + r5[j] * q5) + (r6[j] * q6 + r7[j] * q7)
                )
        if n_outputs % 2 == 1:
            accumulate(block, i, i + 8, g[n_outputs - 1, i : i + 8], out[n_outputs - 1], ENOUGH)
    if whole < n:
        for k in range(n_outputs):
            accumulate(block, whole, n, g[k, whole:n], out[k], ENOUGH)


@njit(nogil=True, fastmath=SUMS, error_model="numpy")
def column_sums(X, start, stop, weight, origin, sums, squares):
    """sums += w (x - origin), squares += w (x - origin)^2 over rows start:stop."""
    d = origin.shape[0]
    for i in range(start, stop):
        row = X[i]
        w = weight[i] if weight.shape[0] > 0 else 1.0
        for j in range(d):
            x = to_double(row[j]) - origin[j]
            sums[j] += w * x
            squares[j] += w * x * x


@njit(nogil=True, error_model="numpy")
def add_gram(X, start, stop, h, scratch, out):
    """Upper triangle of out += X[start:stop].T @ diag(h) @ X[start:stop].

    `scratch` is (2, columns, rows), zero in the columns that X has not.
    """
    columns, weighted = scratch[0], scratch[1]
    for i in range(stop - start):
        row = X[start + i]
        for j in range(row.shape[0]):
            columns[j, i] = to_double(row[j])
    add_gram_of_columns(columns, weighted, h, stop - start, out)
