"""Products with rows of a CSR matrix, given as the tuple (data, indices, indptr)."""

from __future__ import annotations

from numba import njit

from .rows_c import ENOUGH, UNKNOWN  # noqa: F401 - every layout has them
from .scalar import to_double

BLOCK = 256


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def product(X, start, stop, w, b, raw, soon):
    """raw[i] = X[start + i] @ w + b."""
    data, indices, indptr = X
    for i in range(stop - start):
        total = b
        for k in range(indptr[start + i], indptr[start + i + 1]):
            total += to_double(data[k]) * w[indices[k]]
        raw[i] = total


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def accumulate(X, start, stop, g, out, soon):
    """out += X[start:stop].T @ g."""
    data, indices, indptr = X
    for i in range(stop - start):
        gi = g[i]
        for k in range(indptr[start + i], indptr[start + i + 1]):
            out[indices[k]] += to_double(data[k]) * gi


@njit(nogil=True, error_model="numpy")
def product_many(X, start, stop, W, b, raw, scratch):
    """raw[k, i] = X[start + i] @ W[k] + b[k]."""
    data, indices, indptr = X
    n_outputs = W.shape[0]
    for i in range(stop - start):
        for k in range(n_outputs):
            raw[k, i] = b[k]
        for at in range(indptr[start + i], indptr[start + i + 1]):
            x = to_double(data[at])
            j = indices[at]
            for k in range(n_outputs):
                raw[k, i] += x * W[k, j]
    return scratch


@njit(nogil=True, error_model="numpy")
def accumulate_many(X, block, start, stop, g, out):
    """out[k] += X[start:stop].T @ g[k]."""
    data, indices, indptr = X
    n_outputs = out.shape[0]
    for i in range(stop - start):
        for at in range(indptr[start + i], indptr[start + i + 1]):
            x = to_double(data[at])
            j = indices[at]
            for k in range(n_outputs):
                out[k, j] += x * g[k, i]


@njit(nogil=True, error_model="numpy")
def column_sums(X, start, stop, weight, origin, sums, squares):
    """sums += w x, squares += w x^2 over rows start:stop; the origin is 0."""
    data, indices, indptr = X
    for i in range(start, stop):
        w = weight[i] if weight.shape[0] > 0 else 1.0
        for at in range(indptr[i], indptr[i + 1]):
            x = to_double(data[at])
            sums[indices[at]] += w * x
            squares[indices[at]] += w * x * x


@njit(nogil=True, error_model="numpy")
def add_gram(X, start, stop, h, scratch, out):
    """Upper triangle of out += X[start:stop].T @ diag(h) @ X[start:stop]."""
    data, indices, indptr = X
    for i in range(stop - start):
        first, last = indptr[start + i], indptr[start + i + 1]
        for a in range(first, last):
            c = h[i] * to_double(data[a])
            j = indices[a]
            for e in range(first, last):
                if indices[e] >= j:
                    out[j, indices[e]] += c * to_double(data[e])
