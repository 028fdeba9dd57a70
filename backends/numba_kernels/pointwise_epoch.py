"""One epoch of mini-batch descent for losses of one raw prediction per sample, in one call.

A template: `compile.py` writes a copy for each loss, rule and layout, with `value` and `gradient`
bound to the loss, `apply_rule` to the optimizer, and the products to the layout of X.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .batch_dense import (
    AHEAD,
    BLOCK,
    batch_accumulate,
    batch_product,
    row_gradient,
    row_product,
)
from .descent import add_to_average, average_gradient, clip, look_ahead, soft_threshold
from .lazy_csr import SCALE, begin, dot, settle, step, step_of_one
from .scalar import scalar_namespace
from .template_loss import gradient, value
from .template_rule import apply_rule


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def losses_of(y, weight, order, start, m, raw, parameters, g):
    """Sum of the weighted losses of m rows in their order; g[i] = weight * gradient."""
    xp = scalar_namespace()
    total = 0.0
    for i in range(m):
        row = order[start + i]
        own = weight[row] if weight.shape[0] > 0 else 1.0
        total += own * value(xp, y[row], raw[i], *parameters)
        g[i] = own * gradient(xp, y[row], raw[i], *parameters)
    return total


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
    """One step for each batch of `order`; returns how many were taken.

    theta (n_features [+ 1],), slots (n_slots, size) and average (size or 0,) change in place. The
    gradient is taken at theta + ahead * slots[0]. losses[t] becomes the mean loss of batch t before
    its step; the first that is not finite ends the epoch.
    """
    xp, n = scalar_namespace(), order.shape[0]
    out = np.empty_like(theta)
    block = np.empty((BLOCK, n_features))
    raw, g = np.empty(BLOCK), np.empty(BLOCK)
    sums = out[:n_features]
    at = np.empty_like(theta) if ahead > 0.0 else theta
    w = at[:n_features]
    for t in range(losses.shape[0]):
        first = t * batch_size
        last = min(n, first + batch_size)
        if ahead > 0.0:
            look_ahead(theta, slots[0], ahead, at)
        b = at[n_features] if at.shape[0] > n_features else 0.0
        if last - first == 1:
            # A third of the time of what follows, which sets sums up for many rows.
            row = order[first]
            own = weight[row] if weight.shape[0] > 0 else 1.0
            margin = row_product(X, row, order[min(n - 1, first + AHEAD)], w, b)
            total = own * value(xp, y[row], margin, *parameters)
            slope = own * gradient(xp, y[row], margin, *parameters)
            row_gradient(X, row, slope, l2_reg_strength, w, sums)
            out[n_features:] = slope
        else:
            out[:] = 0.0
            total, grad_b = 0.0, 0.0
            for start in range(first, last, BLOCK):
                m = min(last - start, BLOCK)
                batch_product(X, order, start, m, w, b, raw, block)
                total += losses_of(y, weight, order, start, m, raw, parameters, g)
                batch_accumulate(X, order, start, m, g, sums, block)
                for i in range(m):
                    grad_b += g[i]
            out[n_features:] = grad_b
            average_gradient(out, at, n_features, 1.0 / (last - first), l2_reg_strength)
        losses[t] = total / (last - first)
        if not math.isfinite(total):
            return t
        clip(out, max_norm)
        apply_rule(out, theta, slots, scalars, t)
        soft_threshold(theta, n_features, thresholds[t])
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
    """As `epoch` for plain descent on a CSR matrix: theta -= rates[t] * (G + decay * theta).

    A step costs the nonzeros of its rows: see `lazy_csr.py`.
    """
    xp, n = scalar_namespace(), order.shape[0]
    v, b = theta[:n_features], theta[n_features:]
    u, mean_b = average[:n_features], average[n_features:]
    now, sums = begin(v), np.empty(1)
    out = np.zeros(n_features if max_norm < math.inf else 0)
    raw, g = np.empty(min(n, batch_size)), np.empty((1, min(n, batch_size)))
    data, indices, indptr = X
    for t in range(losses.shape[0]):
        first = t * batch_size
        m = min(n - first, batch_size)
        own_b = b[0] if b.shape[0] > 0 else 0.0
        for i in range(m):
            row = order[first + i]
            start, stop = indptr[row], indptr[row + 1]
            raw[i] = now[SCALE] * dot(data, indices, start, stop, v) + own_b
        alone = m == 1 and max_norm == math.inf
        if alone:
            own = weight[row] if weight.shape[0] > 0 else 1.0
            total = own * value(xp, y[row], raw[0], *parameters)
            slope = own * gradient(xp, y[row], raw[0], *parameters)
        else:
            total = losses_of(y, weight, order, first, m, raw, parameters, g[0])
        losses[t] = total / m
        if not math.isfinite(total):
            break
        if alone:
            step_of_one(
                data, indices, start, stop, slope, v, u, b, mean_b, now, rates[t], gains[t],
                decay, l2_reg_strength,
            )  # fmt: skip
        else:
            step(
                X, order, first, g, m, v, u, b, mean_b, now, rates[t], gains[t], decay,
                l2_reg_strength, max_norm, sums, out,
            )  # fmt: skip
    settle(now, v, u)
