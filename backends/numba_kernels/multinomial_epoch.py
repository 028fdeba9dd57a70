"""One epoch of mini-batch descent for the half multinomial loss, in one call. A template like
`pointwise_epoch.py`; everything is class-major, (n_classes, ...), as in `multinomial_passes.py`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .batch_dense import BLOCK, batch_accumulate_many, batch_product_many
from .descent import add_to_average, average_gradient, clip, look_ahead, soft_threshold
from .lazy_csr import SCALE, begin, product, settle, step
from .multinomial_passes import softmax_rows
from .scalar import log
from .template_rule import apply_rule


@njit(nogil=True, error_model="numpy")
def losses_of(y, weight, order, start, m, raw, largest, total, chosen):
    """Sum of the weighted losses of m rows; `raw` becomes weight * (softmax - one_hot)."""
    for i in range(m):
        chosen[i] = raw[y[order[start + i]], i]
    softmax_rows(raw, m, largest, total)
    loss = 0.0
    for i in range(m):
        own = weight[order[start + i]] if weight.shape[0] > 0 else 1.0
        loss += own * ((largest[i] - chosen[i]) + log(total[i]))
        total[i] = own / total[i]
        chosen[i] = own
    for k in range(raw.shape[0]):
        for i in range(m):
            raw[k, i] *= total[i]
    for i in range(m):
        raw[y[order[start + i]], i] -= chosen[i]
    return loss


@njit(nogil=True, error_model="numpy", cache=True)
def epoch(
    X,
    n_features,
    n_outputs,
    y,
    weight,
    order,
    batch_size,
    theta,
    slots,
    average,
    gains,
    scalars,
    ahead,
    l2_reg_strength,
    max_norm,
    thresholds,
    parameters,
    losses,
):
    """As `pointwise_epoch.epoch`; theta is a class after the other, then the intercepts."""
    n = order.shape[0]
    n_classes, n_weights = n_outputs, n_outputs * n_features
    out = np.empty_like(theta)
    at = np.empty_like(theta) if ahead > 0.0 else theta
    W = at[:n_weights].reshape(n_classes, n_features)
    grad_W = out[:n_weights].reshape(n_classes, n_features)
    block = np.empty((BLOCK, n_features))
    raw = np.empty((n_classes, BLOCK))
    largest, total, chosen = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    b = np.zeros(n_classes)
    for t in range(losses.shape[0]):
        first = t * batch_size
        last = min(n, first + batch_size)
        if ahead > 0.0:
            look_ahead(theta, slots[0], ahead, at)
        b[: theta.shape[0] - n_weights] = at[n_weights:]
        out[:] = 0.0
        loss = 0.0
        for start in range(first, last, BLOCK):
            m = min(last - start, BLOCK)
            batch_product_many(X, order, start, m, W, b, raw, block)
            loss += losses_of(y, weight, order, start, m, raw, largest, total, chosen)
            batch_accumulate_many(X, order, start, m, raw, grad_W, block)
            for k in range(theta.shape[0] - n_weights):
                for i in range(m):
                    out[n_weights + k] += raw[k, i]
        losses[t] = loss / (last - first)
        if not math.isfinite(loss):
            return t
        average_gradient(out, at, n_weights, 1.0 / (last - first), l2_reg_strength)
        clip(out, max_norm)
        apply_rule(out, theta, slots, scalars, t)
        soft_threshold(theta, n_weights, thresholds[t])
        add_to_average(average, theta, gains[t])
    return losses.shape[0]


@njit(nogil=True, error_model="numpy", cache=True)
def lazy_epoch(
    X,
    n_features,
    n_outputs,
    y,
    weight,
    order,
    batch_size,
    theta,
    average,
    gains,
    rates,
    decay,
    l2_reg_strength,
    max_norm,
    parameters,
    losses,
):
    """As `pointwise_epoch.lazy_epoch`; the classes of a column stand side by side in theta."""
    n, n_weights = order.shape[0], n_outputs * n_features
    v, b = theta[:n_weights], theta[n_weights:]
    u, mean_b = average[:n_weights], average[n_weights:]
    now, sums = begin(v), np.empty(n_outputs)
    out = np.zeros(n_weights if max_norm < math.inf else 0)
    most = min(n, batch_size)
    raw = np.empty((n_outputs, most))
    largest, total, chosen = np.empty(most), np.empty(most), np.empty(most)
    own_b = np.zeros(n_outputs)
    for t in range(losses.shape[0]):
        first = t * batch_size
        m = min(n - first, batch_size)
        own_b[: b.shape[0]] = b
        for i in range(m):
            product(X, order[first + i], now[SCALE], v, own_b, sums, raw, i)
        loss = losses_of(y, weight, order, first, m, raw, largest, total, chosen)
        losses[t] = loss / m
        if not math.isfinite(loss):
            break
        step(
            X, order, first, raw, m, v, u, b, mean_b, now, rates[t], gains[t], decay,
            l2_reg_strength, max_norm, sums, out,
        )  # fmt: skip
    settle(now, v, u)
