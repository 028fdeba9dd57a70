"""Coordinate descent on a quadratic model with an L1 penalty. See core/solvers/quadratic.py."""

from __future__ import annotations

import numpy as np
from numba import njit

# The rows and columns of the coefficients that are not zero are copied where they are at most this
# share: the sweeps among them then read fewer numbers.
COPIED_SHARE = 0.9


@njit(nogil=True, error_model="numpy", forceinline=True)
def violation_of(w, slope, l1):
    """Distance of -slope to the subdifferential of l1 * abs(w)."""
    if w > 0.0:
        return abs(slope + l1)
    if w < 0.0:
        return abs(slope - l1)
    return max(abs(slope) - l1, 0.0)


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def sweep(hessian, gradient, w, l1, only_nonzero):
    """Each coordinate to the minimum along it; a row of the Hessian then updates the gradient.

    Returns the largest violation that it met.
    """
    worst = 0.0
    for j in range(w.shape[0]):
        old, curvature = w[j], hessian[j, j]
        if only_nonzero and old == 0.0:
            continue
        slope = gradient[j]
        violation = violation_of(old, slope, l1)
        if violation == 0.0 or not curvature > 0.0:
            continue
        worst = max(worst, violation)
        target = curvature * old - slope
        if target > l1:
            new = (target - l1) / curvature
        elif target < -l1:
            new = (target + l1) / curvature
        else:
            new = 0.0
        change = new - old
        if change != 0.0:
            w[j] = new
            row = hessian[j]
            for k in range(w.shape[0]):
                gradient[k] += change * row[k]
    return worst


@njit(nogil=True, error_model="numpy")
def sweeps_among_nonzero(hessian, gradient, w, l1, tol, max_sweeps):
    """Sweeps over the coordinates that are not zero, until none is violated by more than tol.

    Returns their number.
    """
    for done in range(max_sweeps):
        if sweep(hessian, gradient, w, l1, True) <= tol:
            return done + 1
    return max_sweeps


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def among_copies(hessian, gradient, w, l1, tol, max_sweeps):
    """As `sweeps_among_nonzero`, on a copy of the part of the Hessian that they read."""
    d = w.shape[0]
    (chosen,) = np.nonzero(w)
    n = chosen.shape[0]
    inner = np.empty((n, n))
    for a in range(n):
        row = hessian[chosen[a]]
        for b in range(n):
            inner[a, b] = row[chosen[b]]
    some = w[chosen]
    done = sweeps_among_nonzero(inner, gradient[chosen], some, l1, tol, max_sweeps)
    for a in range(n):
        j = chosen[a]
        change = some[a] - w[j]
        if change != 0.0:
            w[j] = some[a]
            row = hessian[j]
            for k in range(d):
                gradient[k] += change * row[k]
    return done


@njit(nogil=True, error_model="numpy", cache=True)
def coordinate_descent(hessian, gradient, w, l1, tol, max_sweeps):
    """Sweeps over all coordinates, between them over those that are not zero; in place.

    The latter end once these are as good as their share of the error asks for.
    """
    done = 0
    while done < max_sweeps:
        worst = sweep(hessian, gradient, w, l1, False)
        done += 1
        if worst <= tol or done == max_sweeps:
            break
        goal = max(tol, 0.1 * worst)
        if np.count_nonzero(w) <= COPIED_SHARE * w.shape[0]:
            done += among_copies(hessian, gradient, w, l1, goal, max_sweeps - done)
        else:
            done += sweeps_among_nonzero(hessian, gradient, w, l1, goal, max_sweeps - done)
