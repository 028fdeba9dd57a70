"""Coordinate descent on a quadratic model with an L1 penalty. See core/solvers/quadratic.py."""

from __future__ import annotations

from numba import njit


@njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=True)
def coordinate_descent(hessian, gradient, w, l1, tol, max_sweeps):
    """Sweeps over all coordinates, between them over those that are not zero; in place.

    Each coordinate goes to the minimum along it; a row of the Hessian then updates the gradient.
    """
    d = w.shape[0]
    only_nonzero = False
    first_worst = 0.0
    for _ in range(max_sweeps):
        worst = 0.0
        for j in range(d):
            old, curvature = w[j], hessian[j, j]
            if only_nonzero and old == 0.0:
                continue
            slope = gradient[j]
            if old > 0.0:
                violation = abs(slope + l1)
            elif old < 0.0:
                violation = abs(slope - l1)
            else:
                violation = max(abs(slope) - l1, 0.0)
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
                for k in range(d):
                    gradient[k] += change * row[k]
        if only_nonzero:
            # Back to all coordinates once these are as good as their share of the error asks for.
            only_nonzero = worst > max(tol, 0.1 * first_worst)
        elif worst <= tol:
            break
        else:
            only_nonzero, first_worst = True, worst
