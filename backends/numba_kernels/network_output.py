"""The losses of a network's raw predictions, and their derivatives in the place of these."""

from __future__ import annotations

from numba import njit

from .network_activations import sigmoid
from .network_codes import SIGMOID_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, SUMS
from .real import exp, log1p, number
from .scalar import log
from .views import matrix, part


@njit(**SUMS)
def softmax_cross_entropy(flat, m, n, codes, rows, weight, sums):
    """Sum of weighted losses log(sum_k exp(raw_k)) - raw_y; raw = weight * gradient / m.

    Passes over the whole batch: exp over all of it is a loop of whole vectors.
    """
    raw, total = matrix(flat, 0, m, n), 0.0
    for i in range(m):
        top = raw[i, 0]
        for j in range(1, n):
            top = max(top, raw[i, j])
        for j in range(n):
            raw[i, j] -= top
        own = weight[rows[i]] if weight.shape[0] > 0 else 1.0
        total -= own * raw[i, codes[rows[i]]]
    for j in range(m * n):
        flat[j] = exp(flat[j])
    for i in range(m):
        sums[i] = 0.0
        for j in range(n):
            sums[i] += raw[i, j]
    for i in range(m):
        own = weight[rows[i]] if weight.shape[0] > 0 else 1.0
        total += own * log(sums[i])
        factor = number(raw, own / m / sums[i])
        for j in range(n):
            raw[i, j] *= factor
        raw[i, codes[rows[i]]] -= number(raw, own / m)
    return total


@njit(**SUMS)
def pointwise(kind, flat, m, n, values, rows, weight):
    """The same of the losses whose target is a row of numbers."""
    raw, total = matrix(flat, 0, m, n), 0.0
    zero, one = number(raw, 0.0), number(raw, 1.0)
    for i in range(m):
        own = weight[rows[i]] if weight.shape[0] > 0 else 1.0
        factor, loss = number(raw, own / m), zero
        y = part(values, rows[i] * n, n)
        if kind == SIGMOID_CROSS_ENTROPY:
            for j in range(n):
                x = raw[i, j]
                loss += (x if x > zero else zero) - y[j] * x + log1p(exp(-abs(x)))
                raw[i, j] = factor * (sigmoid(x, zero, one) - y[j])
            total += own * loss
        else:
            for j in range(n):
                away = raw[i, j] - y[j]
                loss += away * away
                raw[i, j] = factor * away
            total += 0.5 * own * loss
    return total


@njit(**SUMS)
def losses_of(kind, raw, n, codes, values, rows, weight, sums):
    """Sum of the weighted losses; `raw` becomes the derivative of their mean.

    raw is flat, of n columns. codes (n_samples,) are read by a softmax, values (n_samples * n,) by
    the others; `rows` are those of the batch, and weight (n_samples,) may be empty.
    """
    m = rows.shape[0]
    if kind == SOFTMAX_CROSS_ENTROPY:
        return softmax_cross_entropy(raw, m, n, codes, rows, weight, sums)
    return pointwise(kind, raw, m, n, values, rows, weight)
