"""Forward and backward passes of the layers of a network, on one batch, in float32 or float64.

Matrices are (m, columns), row after row. `d` is the derivative with respect to an output, already
divided by the rows of the batch, and what it becomes stands in its place.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..constants import GOLDEN, MIX_1, MIX_2
from .network_activations import activate, differentiate
from .network_codes import SUMS
from .real import exp, number
from .scalar import log
from .views import matrix, part

# Numbers that stay in the nearest cache while a bias and an activation go over them.
NEAR = 4096
SPREAD, FIRST, SECOND = np.uint32(GOLDEN), np.uint32(MIX_1), np.uint32(MIX_2)


@njit(**SUMS)
def finish(flat, m, b, activation, slope):
    """z = activation(z + b), for the m rows of a flat z."""
    n = b.shape[0]
    rows, z = max(1, NEAR // n), matrix(flat, 0, m, n)
    for start in range(0, m, rows):
        stop = min(m, start + rows)
        for i in range(start, stop):
            for j in range(n):
                z[i, j] += b[j]
        activate(activation, slope, part(flat, start * n, (stop - start) * n))


@njit(**SUMS)
def unfinish(flat, m, output, activation, slope, grad_b):
    """d *= derivative of the activation, grad_b = sums of the columns of d, all flat."""
    n = grad_b.shape[0]
    rows, d = max(1, NEAR // n), matrix(flat, 0, m, n)
    for j in range(n):
        grad_b[j] = number(d, 0.0)
    for start in range(0, m, rows):
        stop = min(m, start + rows)
        at, size = start * n, (stop - start) * n
        differentiate(activation, slope, part(flat, at, size), part(output, at, size))
        for i in range(start, stop):
            for j in range(n):
                grad_b[j] += d[i, j]


@njit(**SUMS)
def batch_norm(
    x, gamma, beta, running_mean, running_variance, numbers, z, inverse, mean, squares, out
):
    """out = gamma * z + beta, z by columns; moves the running mean and variance.

    mean and squares (n_columns,) are room for what their names say.
    """
    m, n = x.shape
    share, one, zero = number(x, 1.0 / m), number(x, 1.0), number(x, 0.0)
    momentum, epsilon = number(x, numbers[0]), number(x, numbers[1])
    unbiased = number(x, 1.0 / max(m - 1, 1))
    for j in range(n):
        mean[j], squares[j] = zero, zero
    for i in range(m):
        for j in range(n):
            mean[j] += x[i, j]
    for j in range(n):
        mean[j] *= share
    for i in range(m):
        for j in range(n):
            centred = x[i, j] - mean[j]
            z[i, j] = centred
            squares[j] += centred * centred
    for j in range(n):
        inverse[j] = one / math.sqrt(squares[j] * share + epsilon)
        running_mean[j] += momentum * (mean[j] - running_mean[j])
        if m > 1:  # one row says nothing of a variance
            running_variance[j] += momentum * (squares[j] * unbiased - running_variance[j])
    for i in range(m):
        for j in range(n):
            value = z[i, j] * inverse[j]
            z[i, j] = value
            out[i, j] = gamma[j] * value + beta[j]


@njit(**SUMS)
def batch_norm_back(d, gamma, z, inverse, grad_gamma, grad_beta, further):
    """Gradients of gamma and beta, and d = inverse * (d_z - mean(d_z) - z * mean(d_z * z))."""
    m, n = d.shape
    share, zero = number(d, 1.0 / m), number(d, 0.0)
    for j in range(n):
        grad_gamma[j], grad_beta[j] = zero, zero
    for i in range(m):
        for j in range(n):
            grad_gamma[j] += d[i, j] * z[i, j]
            grad_beta[j] += d[i, j]
    if further:
        for i in range(m):
            for j in range(n):
                away = (grad_beta[j] + z[i, j] * grad_gamma[j]) * share
                d[i, j] = gamma[j] * inverse[j] * (d[i, j] - away)


@njit(**SUMS)
def layer_norm(x, gamma, beta, numbers, z, inverse, out):
    """out = gamma * z + beta, z by rows."""
    m, n = x.shape
    share, one, zero = number(x, 1.0 / n), number(x, 1.0), number(x, 0.0)
    epsilon = number(x, numbers[0])
    for i in range(m):
        total, squares = zero, zero
        for j in range(n):
            total += x[i, j]
        mean = total * share
        for j in range(n):
            centred = x[i, j] - mean
            squares += centred * centred
        scale = one / math.sqrt(squares * share + epsilon)
        inverse[i] = scale
        for j in range(n):
            value = (x[i, j] - mean) * scale
            z[i, j] = value
            out[i, j] = gamma[j] * value + beta[j]


@njit(**SUMS)
def layer_norm_back(d, gamma, z, inverse, grad_gamma, grad_beta, further):
    """As `batch_norm_back`, by rows."""
    m, n = d.shape
    share, zero = number(d, 1.0 / n), number(d, 0.0)
    for j in range(n):
        grad_gamma[j], grad_beta[j] = zero, zero
    for i in range(m):
        mean, along = zero, zero
        for j in range(n):
            grad_gamma[j] += d[i, j] * z[i, j]
            grad_beta[j] += d[i, j]
            mean += d[i, j] * gamma[j]
            along += d[i, j] * gamma[j] * z[i, j]
        if further:
            mean *= share
            along *= share
            for j in range(n):
                d[i, j] = inverse[i] * (gamma[j] * d[i, j] - mean - z[i, j] * along)


@njit(**SUMS)
def softmax(z, logarithm):
    """z = softmax of its rows, or its logarithm."""
    m, n = z.shape
    zero = number(z, 0.0)
    for i in range(m):
        top = z[i, 0]
        for j in range(1, n):
            top = max(top, z[i, j])
        total = zero
        for j in range(n):
            below = z[i, j] - top
            e = exp(below)
            total += e
            z[i, j] = below if logarithm else e
        if logarithm:
            shift = number(z, log(float(total)))
            for j in range(n):
                z[i, j] -= shift
        else:
            for j in range(n):
                z[i, j] /= total


@njit(**SUMS)
def softmax_back(d, output, logarithm):
    """d = p * (d - sum(d * p)), or d - p * sum(d), by rows."""
    m, n = d.shape
    for i in range(m):
        along = number(d, 0.0)
        if logarithm:
            for j in range(n):
                along += d[i, j]
            for j in range(n):
                d[i, j] -= exp(output[i, j]) * along
        else:
            for j in range(n):
                along += d[i, j] * output[i, j]
            for j in range(n):
                d[i, j] = output[i, j] * (d[i, j] - along)


@njit(**SUMS)
def drop_out(x, rate, key):
    """x = x * mask / (1 - rate); the mask is the hash of `core/network/uniform.py`."""
    least = np.uint32(int(rate * 4294967296.0))
    zero, factor = number(x, 0.0), number(x, 1.0 / (1.0 - rate))
    for j in range(x.shape[0]):
        bits = np.uint32(np.uint32(j) * SPREAD + key)
        bits = np.uint32((bits ^ (bits >> np.uint32(16))) * FIRST)
        bits = np.uint32((bits ^ (bits >> np.uint32(13))) * SECOND)
        bits = np.uint32(bits ^ (bits >> np.uint32(16)))
        x[j] = x[j] * (factor if bits >= least else zero)
