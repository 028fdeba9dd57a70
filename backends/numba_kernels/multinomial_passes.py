"""Fused passes of the half multinomial loss: every row is read once. A template like
`pointwise_passes.py`, copied for each layout of X.

Inside a block everything is class-major, (n_classes, rows): the loops over rows then vectorize
whatever the number of classes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .rows_c import accumulate_many, product_many
from .scalar import exp, fetch_add, log

# With 784 columns a block of float64 is 200 KiB; it is read again by each pair of classes.
ROWS = 32


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def softmax_rows(raw, n, largest, total):
    """raw[:, :n] becomes exp(raw - largest), `total` its sum over classes."""
    n_classes = raw.shape[0]
    for i in range(n):
        largest[i] = raw[0, i]
        total[i] = 0.0
    for k in range(1, n_classes):
        row = raw[k]
        for i in range(n):
            largest[i] = row[i] if row[i] > largest[i] else largest[i]
    for k in range(n_classes):
        row = raw[k]
        for i in range(n):
            row[i] = exp(row[i] - largest[i])
            total[i] += row[i]


@njit(nogil=True, error_model="numpy")
def losses(y, weight, raw, n, largest, total, chosen):
    """Sum of the weighted losses of n rows; `raw` becomes weight * (softmax - one_hot)."""
    for i in range(n):
        chosen[i] = raw[y[i], i]
    softmax_rows(raw, n, largest, total)
    loss = 0.0
    for i in range(n):
        weight_i = weight[i] if weight.shape[0] > 0 else 1.0
        loss += weight_i * ((largest[i] - chosen[i]) + log(total[i]))
        total[i] = weight_i / total[i]
        chosen[i] = weight_i
    for k in range(raw.shape[0]):
        row = raw[k]
        for i in range(n):
            row[i] *= total[i]
    for i in range(n):
        raw[y[i], i] -= chosen[i]
    return loss


@njit(nogil=True, error_model="numpy", cache=True)
def loss_gradient(X, y, weight, W, b, chunk_rows, counter, sums):
    """sums[chunk] = [grad_W (class-major)..., grad_b..., loss] for the chunks of this thread."""
    n = y.shape[0]
    n_classes, d = W.shape
    raw = np.empty((n_classes, ROWS))
    largest, total, chosen = np.empty(ROWS), np.empty(ROWS), np.empty(ROWS)
    scratch = np.empty((ROWS, d))
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        out = np.zeros((n_classes, d))
        grad_b = np.zeros(n_classes)
        loss = 0.0
        first = chunk * chunk_rows
        last = min(n, first + chunk_rows)
        for start in range(first, last, ROWS):
            stop = min(last, start + ROWS)
            m = stop - start
            block = product_many(X, start, stop, W, b, raw, scratch)
            loss += losses(y[start:stop], weight[start:stop], raw, m, largest, total, chosen)
            accumulate_many(X, block, start, stop, raw, out)
            for k in range(n_classes):
                for i in range(m):
                    grad_b[k] += raw[k, i]
        size = n_classes * d
        sums[chunk, :size] = out.ravel()
        sums[chunk, size : size + n_classes] = grad_b
        sums[chunk, size + n_classes] = loss
        chunk = fetch_add(counter, 1)


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def bend(weight, raw, along, n, largest, total, mean):
    """`along` becomes weight * p * (along - sum_k p_k along_k), p the softmax of `raw`."""
    softmax_rows(raw, n, largest, total)
    n_classes = raw.shape[0]
    for i in range(n):
        total[i] = 1.0 / total[i]
        mean[i] = 0.0
    for k in range(n_classes):
        p, a = raw[k], along[k]
        for i in range(n):
            p[i] *= total[i]
            mean[i] += p[i] * a[i]
    for k in range(n_classes):
        p, a = raw[k], along[k]
        for i in range(n):
            a[i] = p[i] * (a[i] - mean[i])
    if weight.shape[0] > 0:
        for k in range(n_classes):
            for i in range(n):
                along[k, i] *= weight[i]


@njit(nogil=True, error_model="numpy", cache=True)
def curvature_product(X, y, weight, W, b, V, c, chunk_rows, counter, sums):
    """sums[chunk] = [product_W (class-major)..., product_b..., 0] for this thread's chunks."""
    n = y.shape[0]
    n_classes, d = W.shape
    raw, along = np.empty((n_classes, ROWS)), np.empty((n_classes, ROWS))
    largest, total, mean = np.empty(ROWS), np.empty(ROWS), np.empty(ROWS)
    scratch = np.empty((ROWS, d))
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        out = np.zeros((n_classes, d))
        product_b = np.zeros(n_classes)
        first = chunk * chunk_rows
        last = min(n, first + chunk_rows)
        for start in range(first, last, ROWS):
            stop = min(last, start + ROWS)
            m = stop - start
            product_many(X, start, stop, W, b, raw, scratch)
            block = product_many(X, start, stop, V, c, along, scratch)
            bend(weight[start:stop], raw, along, m, largest, total, mean)
            accumulate_many(X, block, start, stop, along, out)
            for k in range(n_classes):
                for i in range(m):
                    product_b[k] += along[k, i]
        size = n_classes * d
        sums[chunk, :size] = out.ravel()
        sums[chunk, size : size + n_classes] = product_b
        sums[chunk, size + n_classes] = 0.0
        chunk = fetch_add(counter, 1)
