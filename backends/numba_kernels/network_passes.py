"""Forward and backward pass of a network on one batch, by the table that describes it.

One compiled function serves every architecture: it reads kinds and places from `network_codes.py`'s
table. Matrix products are BLAS's, also the smallest: NumPy's loops in Numba took 3 times as long at
32 x 30 x 16, and 8 times where an output has 7 columns.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .network_activations import activate, differentiate
from .network_codes import (
    ACTIVATION,
    AFFINE,
    BATCH_NORM,
    DROPOUT,
    ELEMENTWISE,
    FIRST,
    GELU,
    INNER,
    INPUT,
    KEPT,
    KIND,
    LAYER,
    LAYER_NORM,
    LEAKY_RELU,
    LOG_SOFTMAX,
    N_IN,
    N_OUT,
    OUTPUT,
    PARAMETERS,
    SLOPE,
    SOFTPLUS,
    STATISTICS,
)
from .network_layers import (
    SPREAD,
    batch_norm,
    batch_norm_back,
    drop_out,
    finish,
    layer_norm,
    layer_norm_back,
    softmax,
    softmax_back,
    unfinish,
)
from .network_output import losses_of
from .real import entry
from .views import matrix, part


@njit(**INNER)
def gather(X, rows, block):
    """block[i] = X[rows[i]], in the type of the network."""
    m, d = block.shape
    if X.strides[1] > X.strides[0]:
        # Column after column: in this order neighbours of what is read lie side by side.
        for j in range(d):
            for i in range(m):
                block[i, j] = entry(block, X[rows[i], j])
    else:
        for i in range(m):
            row = X[rows[i]]
            for j in range(d):
                block[i, j] = entry(block, row[j])


@njit(**INNER)
def key_of(key, layer):
    """`layer_key` of `core/network/uniform.py`."""
    return np.uint32(key ^ np.uint32(np.uint32(layer) * SPREAD))


@njit(**INNER, cache=True)
def forward(table, numbers, theta, statistics, work, m, key):
    """Fills the workspace with the outputs of all operations.

    theta holds the parameters, `statistics` the whole vector, whose tail is moved.
    """
    for op in range(table.shape[0]):
        row = table[op]
        kind, activation, n, k = row[KIND], row[ACTIVATION], row[N_IN], row[N_OUT]
        slope = numbers[op, SLOPE]
        x = matrix(work, row[INPUT], m, n)
        out = matrix(work, row[OUTPUT], m, k)
        flat = part(work, row[OUTPUT], m * k)
        start = row[PARAMETERS]
        if kind == AFFINE:
            np.dot(x, matrix(theta, start, n, k), out)
            finish(flat, m, part(theta, start + n * k, k), activation, slope)
            continue
        if kind in (BATCH_NORM, LAYER_NORM):
            gamma, beta = part(theta, start, n), part(theta, start + n, n)
            z, kept = matrix(work, row[KEPT], m, n), row[KEPT] + m * n
            inverse = part(work, kept, max(m, n))
            if kind == BATCH_NORM:
                at = row[STATISTICS]
                batch_norm(
                    x, gamma, beta, part(statistics, at, n), part(statistics, at + n, n),
                    numbers[op], z, inverse, part(work, kept + n, n), part(work, kept + 2 * n, n),
                    out,
                )  # fmt: skip
            else:
                layer_norm(x, gamma, beta, numbers[op], z, inverse, out)
            activate(activation, slope, flat)
            continue
        before = row[INPUT]
        for j in range(m * n):
            flat[j] = work[before + j]
        if kind == ELEMENTWISE:
            activate(activation, slope, flat)
        elif kind == DROPOUT:
            drop_out(flat, numbers[op, FIRST], key_of(key, row[LAYER]))
        else:
            softmax(out, kind == LOG_SOFTMAX)


@njit(**INNER, cache=True)
def losses_from(work, start, output, raw, n, codes, values, rows, weight, sums):
    """The raw predictions at `start` of the workspace become `losses_of`'s derivative in `raw`."""
    for j in range(rows.shape[0] * n):
        raw[j] = work[start + j]
    return losses_of(output, raw, n, codes, values, rows, weight, sums)


@njit(**INNER, cache=True)
def backward(table, numbers, theta, work, m, key, d_flat, other, gradient):
    """The gradient, from the derivative of `raw` in d_flat; `other` is room for as many numbers.

    The first operation of the table that has parameters is the last here, and its input's
    derivative is left out: the table starts at most with operations that have none.
    """
    for op in range(table.shape[0] - 1, -1, -1):
        row = table[op]
        kind, activation, n, k = row[KIND], row[ACTIVATION], row[N_IN], row[N_OUT]
        slope = numbers[op, SLOPE]
        d, flat = matrix(d_flat, 0, m, k), part(d_flat, 0, m * k)
        out = part(work, row[OUTPUT], m * k)
        start = row[PARAMETERS]
        further = start > 0
        if kind == AFFINE:
            unfinish(flat, m, out, activation, slope, part(gradient, start + n * k, k))
            x = matrix(work, row[INPUT], m, n)
            np.dot(x.T, d, matrix(gradient, start, n, k))
            if further:
                np.dot(d, matrix(theta, start, n, k).T, matrix(other, 0, m, n))
                d_flat, other = other, d_flat
        elif kind in (BATCH_NORM, LAYER_NORM):
            differentiate(activation, slope, flat, out)
            z = matrix(work, row[KEPT], m, n)
            inverse = part(work, row[KEPT] + m * n, max(m, n))
            gamma, grad_gamma = part(theta, start, n), part(gradient, start, n)
            grad_beta = part(gradient, start + n, n)
            if kind == BATCH_NORM:
                batch_norm_back(d, gamma, z, inverse, grad_gamma, grad_beta, further)
            else:
                layer_norm_back(d, gamma, z, inverse, grad_gamma, grad_beta, further)
        elif kind == ELEMENTWISE:
            from_x = activation in (GELU, SOFTPLUS, LEAKY_RELU)
            at = row[INPUT] if from_x else row[OUTPUT]
            differentiate(activation, slope, flat, part(work, at, m * k))
        elif kind == DROPOUT:
            drop_out(flat, numbers[op, FIRST], key_of(key, row[LAYER]))
        else:
            softmax_back(d, matrix(out, 0, m, k), kind == LOG_SOFTMAX)
        if start == 0:
            return
