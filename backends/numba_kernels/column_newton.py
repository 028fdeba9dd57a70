"""Proximal Newton on a few columns, by coordinate descent on the columns themselves.

minimize  sum_i s_i loss(y_i, x_i w + b) / S + l1 ||w||_1 + 0.5 l2 ||w||^2

This file is a template, as `pointwise_passes.py`. Each step of Newton's method has the weights
h_i = s_i curvature_i / S, and coordinate descent on its model keeps the model's slopes
u_i = s_i gradient_i / S + h_i (change of raw_i), so a coordinate costs two trips along its column
and no Gram matrix is formed. The intercept goes to its minimum after each coordinate: its share of
all u_i is one number, `offset`, and of each column's slope the sum of h x times that.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .columns_csc import add_bent_column, add_column, column_product, column_terms
from .coordinate_descent import violation_of
from .scalar import scalar_namespace
from .template_loss import curvature, gradient, value

CONVERGED, AT_LIMIT, OUT_OF_STEPS = 0, 1, 2
SWEEPS = 60
# Sufficient decrease, halvings of a step, and what two evaluations of one cost may differ by.
C1, HALVINGS, ROUNDING = 1e-4, 30, 1e-14
# A column that the intercept explains has no curvature of its own but rounding.
FLAT = 1e-12


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def derivatives(y, weight, total, raw, parameters, g, h):
    """The mean loss; g and h are filled. Returns it with the sums of g and of h."""
    xp = scalar_namespace()
    loss, sum_g, sum_h = 0.0, 0.0, 0.0
    for i in range(y.shape[0]):
        share = (weight[i] if weight.shape[0] > 0 else 1.0) / total
        loss += share * value(xp, y[i], raw[i], *parameters)
        g[i] = share * gradient(xp, y[i], raw[i], *parameters)
        h[i] = share * curvature(xp, y[i], raw[i], *parameters)
        sum_g += g[i]
        sum_h += h[i]
    return loss, sum_g, sum_h


@njit(nogil=True, error_model="numpy")
def penalty(w, l1, l2):
    """l1 ||w||_1 + 0.5 l2 ||w||^2."""
    total = 0.0
    for j in range(w.shape[0]):
        total += l1 * abs(w[j]) + 0.5 * l2 * w[j] * w[j]
    return total


@njit(nogil=True, error_model="numpy")
def minimize_model(columns, h, u, w, edge, bend, l1, l2, free, sums, tol):
    """Sweeps over all coordinates, between them over those that are not zero; in place.

    Returns what the intercept changes by.
    """
    sum_u, sum_h = sums
    offset = -sum_u / sum_h if free else 0.0
    only_nonzero, first_worst = False, 0.0
    for _ in range(SWEEPS):
        worst = 0.0
        for j in range(w.shape[0]):
            old = w[j]
            if (only_nonzero and old == 0.0) or not bend[j] > 0.0:
                continue
            slope = column_product(columns, j, u) + offset * edge[j] + l2 * old
            violation = violation_of(old, slope, l1)
            if violation == 0.0:
                continue
            worst = max(worst, violation)
            target = bend[j] * old - slope
            if target > l1:
                new = (target - l1) / bend[j]
            elif target < -l1:
                new = (target + l1) / bend[j]
            else:
                new = 0.0
            if new != old:
                w[j] = new
                add_bent_column(columns, j, new - old, h, u)
                if free:
                    sum_u += (new - old) * edge[j]
                    offset = -sum_u / sum_h
        if only_nonzero:
            only_nonzero = worst > max(tol, 0.1 * first_worst)
        elif worst <= tol:
            break
        else:
            only_nonzero, first_worst = True, worst
    return offset


@njit(nogil=True, error_model="numpy", cache=True)
def column_newton(columns, rows, w, b, state, l1, l2, free, tol, steps, parameters):
    """w in place; returns b, the cost, the number of steps and why they ended.

    `rows` is (y, weight, sum of weights); `state` (raw, g, h): raw = X w + b is given and goes
    along, g and h are filled; `steps` how many at most, and how exactly each minimizes its model,
    as a share of the violation. Where it runs out of steps, `state` is not that of w and b.
    """
    y, weight, total = rows
    raw, g, h = state
    max_steps, model_share = steps
    k, along = w.shape[0], np.empty(y.shape[0])
    edge, bend, slopes = np.empty(k), np.empty(k), np.empty(k)
    loss, sum_g, sum_h = derivatives(y, weight, total, raw, parameters, g, h)
    cost = loss + penalty(w, l1, l2)
    predicted, last_worst, rounding = -math.inf, math.inf, 0.0
    for step in range(max_steps):
        if free and not sum_h > 0.0:
            return b, cost, step, OUT_OF_STEPS
        worst, bent = abs(sum_g) if free else 0.0, True
        for j in range(k):
            edge[j], corner, slope = column_terms(columns, j, h, g)
            slopes[j] = slope + l2 * w[j]
            own = corner - edge[j] * edge[j] / sum_h if free else corner
            bend[j] = own + l2 if own > FLAT * corner else l2
            violation = violation_of(w[j], slopes[j], l1)
            worst = max(worst, violation)
            bent = bent and (bend[j] > 0.0 or violation <= tol)
        if worst <= tol:
            return b, cost, step, CONVERGED
        if -predicted <= rounding and worst >= last_worst:
            # Without curvature a coordinate that should move cannot, and that is no limit.
            return b, cost, step, AT_LIMIT if bent else OUT_OF_STEPS
        last_worst, rounding = worst, ROUNDING * abs(cost)
        before = w.copy()
        model_tol = max(0.1 * tol, model_share * worst)
        offset = minimize_model(
            columns, h, g, w, edge, bend, l1, l2, free, (sum_g, sum_h), model_tol
        )
        predicted = sum_g * offset + l1 * (np.abs(w).sum() - np.abs(before).sum())
        along[:] = offset
        for j in range(k):
            change = w[j] - before[j]
            if change != 0.0:
                predicted += slopes[j] * change
                add_column(columns, j, change, along)
        # A promise that is all rounding may still lower the violation.
        if not predicted <= rounding:
            w[:] = before
            return b, cost, step, OUT_OF_STEPS
        share, change_of_w = 1.0, w - before
        for halving in range(HALVINGS):
            raw += (share if halving == 0 else -share) * along
            w[:] = before + share * change_of_w
            loss, sum_g, sum_h = derivatives(y, weight, total, raw, parameters, g, h)
            found = loss + penalty(w, l1, l2)
            if found <= cost + C1 * share * predicted + rounding:
                break
            share *= 0.5
        else:
            w[:] = before
            return b, cost, step, OUT_OF_STEPS
        b += share * offset
        cost = found
    return b, cost, max_steps, OUT_OF_STEPS
