"""One epoch of a network in one call. A template: `compile.py` writes a copy for each optimizer,
with `apply_rule` bound to its rule. The arithmetic is that of `core/network/epoch.take_step`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .descent import add_to_average, average_gradient, clip, look_ahead, soft_threshold
from .network_codes import OUTPUT
from .network_passes import backward, forward, gather, losses_from
from .real import number, swap_float_mode
from .template_rule import apply_rule
from .views import matrix


@njit(nogil=True, error_model="numpy", cache=True)
def epoch(
    X,
    codes,
    values,
    weight,
    order,
    batch_size,
    table,
    numbers,
    output,
    penalized,
    sizes,
    theta,
    slots,
    average,
    gains,
    scalars,
    ahead,
    l2_reg_strength,
    max_norm,
    thresholds,
    keys,
    losses,
):
    """One step for each batch of `order`, with subnormal numbers taken as 0.

    theta (size,), slots (n_slots, size) and average (size or 0,) change in place. losses[t] becomes
    the mean loss of batch t before its step; the first that is not finite ends the epoch.
    """
    n_trained, work_size, widest, n_outputs = sizes
    n, d = order.shape[0], X.shape[1]
    batch_size = min(batch_size, n)
    trained = theta[:n_trained]
    gradient = np.empty_like(trained)
    at = np.empty_like(trained) if ahead != 0.0 else trained
    work = np.empty(work_size, dtype=theta.dtype)
    here, there = np.empty(widest, dtype=theta.dtype), np.empty(widest, dtype=theta.dtype)
    sums = np.empty(batch_size)
    one, strength = number(theta, 1.0), number(theta, l2_reg_strength)
    # Last before the loop: an allocation that fails would leave the thread in this mode.
    mode = swap_float_mode(np.uint32(0))
    for t in range(losses.shape[0]):
        first = t * batch_size
        rows = order[first : min(n, first + batch_size)]
        m = rows.shape[0]
        key = keys[t] if keys.shape[0] > 0 else np.uint32(0)
        if ahead != 0.0:
            look_ahead(trained, slots[0], number(theta, ahead), at)
        gather(X, rows, matrix(work, 0, m, d))
        forward(table, numbers, at, theta, work, m, key)
        last = table[table.shape[0] - 1, OUTPUT]
        total = losses_from(work, last, output, here, n_outputs, codes, values, rows, weight, sums)
        losses[t] = total / m
        if not math.isfinite(total):
            break
        backward(table, numbers, at, work, m, key, here, there, gradient)
        if l2_reg_strength > 0.0:
            for start, stop in penalized:
                own = gradient[start:stop]
                average_gradient(own, at[start:stop], stop - start, one, strength)
        clip(gradient, max_norm)
        apply_rule(gradient, trained, slots, scalars, t)
        if thresholds[t] > 0.0:
            for start, stop in penalized:
                soft_threshold(theta[start:stop], stop - start, number(theta, thresholds[t]))
        add_to_average(average, theta, number(theta, gains[t]))
    swap_float_mode(mode)
