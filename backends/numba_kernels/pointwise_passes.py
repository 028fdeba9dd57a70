"""Fused passes for losses of one raw prediction per sample: every row is read once.

This file is a template. `compile.py` writes a copy of it for each loss and layout, with `value`,
`gradient` and `curvature` bound to the formulas of that loss and `product` and `accumulate` to
those of the layout of X, so that Numba inlines them and can keep the compiled code on disk (it
cannot for a function that closes over another compiled function).

How a pass goes: the rows are cut into chunks, fixed by the shape of X alone. Each thread takes the
next free chunk and leaves its sums in that chunk's own slot; the slots are added in order at the
end. So the result does not depend on the number of threads, nor on who was faster. Within a chunk
rows go in blocks that stay in the nearest cache: product, then loss, then accumulation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .rows_c import BLOCK, ENOUGH, accumulate, add_gram, product
from .scalar import fetch_add, scalar_namespace
from .template_loss import curvature, gradient, value


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def losses(y, weight, raw, n, parameters, g):
    """Sum of the weighted losses of n rows; g[i] = weight * gradient."""
    xp = scalar_namespace()
    total = 0.0
    if weight.shape[0] == 0:
        for i in range(n):
            total += value(xp, y[i], raw[i], *parameters)
            g[i] = gradient(xp, y[i], raw[i], *parameters)
    else:
        for i in range(n):
            total += weight[i] * value(xp, y[i], raw[i], *parameters)
            g[i] = weight[i] * gradient(xp, y[i], raw[i], *parameters)
    return total


@njit(nogil=True, error_model="numpy", cache=True)
def losses_of_many(y, weight, raw, own, parameters, totals):
    """raw[k, i] becomes weight * gradient of model k; totals += [sums of losses, of gradients].

    `own` is room for a row: writing into what is read would keep the loops from being vectorized.
    """
    n = y.shape[0]
    for k in range(raw.shape[0]):
        row = raw[k]
        totals[0, k] += losses(y, weight, row, n, parameters, own)
        for i in range(n):
            row[i] = own[i]
            totals[1, k] += own[i]


@njit(nogil=True, error_model="numpy", cache=True)
def loss_gradient(X, y, weight, w, b, parameters, chunk_rows, counter, sums):
    """sums[chunk] = [grad_w..., grad_b, loss] for the chunks that this thread takes."""
    n = y.shape[0]
    d = w.shape[0]
    raw = np.empty(BLOCK)
    g = np.empty(BLOCK)
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        out = np.zeros(d)
        grad_b = 0.0
        loss = 0.0
        first = chunk * chunk_rows
        last = min(n, first + chunk_rows)
        for start in range(first, last, BLOCK):
            stop = min(last, start + BLOCK)
            product(X, start, stop, w, b, raw, stop)
            loss += losses(y[start:stop], weight[start:stop], raw, stop - start, parameters, g)
            accumulate(X, start, stop, g, out, stop)
            for i in range(stop - start):
                grad_b += g[i]
        sums[chunk, :d] = out
        sums[chunk, d] = grad_b
        sums[chunk, d + 1] = loss
        chunk = fetch_add(counter, 1)


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def bend(y, weight, raw, along, n, parameters, g):
    """g[i] = weight * curvature * along[i]."""
    xp = scalar_namespace()
    for i in range(n):
        g[i] = curvature(xp, y[i], raw[i], *parameters) * along[i]
    if weight.shape[0] > 0:
        for i in range(n):
            g[i] *= weight[i]


@njit(nogil=True, error_model="numpy", cache=True)
def curvature_product(
    X, y, weight, w, b, direction_w, direction_b, parameters, chunk_rows, counter, sums
):
    """sums[chunk] = [product_w..., product_b, 0] for the chunks that this thread takes."""
    n = y.shape[0]
    d = w.shape[0]
    raw = np.empty(BLOCK)
    along = np.empty(BLOCK)
    g = np.empty(BLOCK)
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        out = np.zeros(d)
        product_b = 0.0
        first = chunk * chunk_rows
        last = min(n, first + chunk_rows)
        for start in range(first, last, BLOCK):
            stop = min(last, start + BLOCK)
            product(X, start, stop, w, b, raw, stop)
            product(X, start, stop, direction_w, direction_b, along, ENOUGH)
            bend(y[start:stop], weight[start:stop], raw, along, stop - start, parameters, g)
            accumulate(X, start, stop, g, out, stop)
            for i in range(stop - start):
                product_b += g[i]
        sums[chunk, :d] = out
        sums[chunk, d] = product_b
        sums[chunk, d + 1] = 0.0
        chunk = fetch_add(counter, 1)


# Rows of a block of the Gram pass: it is read once for each four columns.
GRAM_ROWS = 64


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def curvatures(y, weight, raw, n, parameters, h):
    """h[i] = weight * curvature; their sum is returned."""
    xp = scalar_namespace()
    total = 0.0
    for i in range(n):
        h[i] = curvature(xp, y[i], raw[i], *parameters)
    if weight.shape[0] > 0:
        for i in range(n):
            h[i] *= weight[i]
    for i in range(n):
        total += h[i]
    return total


@njit(nogil=True, error_model="numpy", cache=True)
def weighted_gram(X, y, weight, w, b, parameters, chunk_rows, counter, sums):
    """sums[chunk] = [gram (d x d)..., edge (d)..., grad_w..., corner, grad_b, loss]."""
    n = y.shape[0]
    d = w.shape[0]
    raw, g, h = np.empty(GRAM_ROWS), np.empty(GRAM_ROWS), np.empty(GRAM_ROWS)
    padded = d + (-d) % 4
    scratch = np.zeros((2, padded, GRAM_ROWS))
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        inner, edge, grad = np.zeros((padded, padded)), np.zeros(d), np.zeros(d)
        corner, grad_b, loss = 0.0, 0.0, 0.0
        first = chunk * chunk_rows
        last = min(n, first + chunk_rows)
        for start in range(first, last, GRAM_ROWS):
            stop = min(last, start + GRAM_ROWS)
            m = stop - start
            product(X, start, stop, w, b, raw, stop)
            loss += losses(y[start:stop], weight[start:stop], raw, m, parameters, g)
            corner += curvatures(y[start:stop], weight[start:stop], raw, m, parameters, h)
            accumulate(X, start, stop, g, grad, stop)
            accumulate(X, start, stop, h, edge, ENOUGH)
            add_gram(X, start, stop, h, scratch, inner)
            for i in range(m):
                grad_b += g[i]
        for j in range(d):
            for k in range(j, d):
                sums[chunk, j * d + k] = sums[chunk, k * d + j] = inner[j, k]
        sums[chunk, d * d : d * d + d] = edge
        sums[chunk, d * d + d : d * d + 2 * d] = grad
        sums[chunk, d * d + 2 * d] = corner
        sums[chunk, d * d + 2 * d + 1] = grad_b
        sums[chunk, d * d + 2 * d + 2] = loss
        chunk = fetch_add(counter, 1)
