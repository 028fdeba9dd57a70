"""A quadratic model with an L1 penalty, minimized without reading the data.

minimize over w:  gradient @ (w - start) + 0.5 * (w - start) @ hessian @ (w - start) + l1 ||w||_1

Rounds of a first-order method (coordinate descent where the backend has a kernel for it,
accelerated proximal gradient elsewhere) find which coefficients are not zero. A Newton step among
those, taken to the lowest point of the cost along it, then gives their values to all digits, which
collinear columns would take thousands of sweeps for. References: Friedman, Hastie and Tibshirani,
J. Stat. Softw. 33 (2010); Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009).
"""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from ...backends import Array, Backend, Namespace
from ..dispatch import compiled, run_kernel
from ..linalg import definite_solver, positive_solver
from ..penalties import ElasticNet, soft_threshold

# Sweeps between two Newton steps, rounds of both, and Newton steps in a row. On 1,000 x 5,000 with
# 958 nonzero coefficients 30 sweeps and three steps took 2 to 3 times as long.
SWEEPS = 100
MAX_ROUNDS = 30
NEWTON_STEPS = 1
# Added to the diagonal for the Newton steps, as a share of it: eigenvectors, which a singular
# matrix would ask for, took minutes for a thousand columns of rare words.
DAMPING = 1e-10
# Steps of the generic method in one compiled call.
STEPS_A_CALL = 10


def minimize_quadratic(
    backend: Backend,
    hessian: Array,
    gradient: Array,
    start: Array,
    l1: float,
    tol: float,
    *,
    fused: bool | None = None,
) -> Array:
    """The minimizer w, up to a largest violation of the optimality conditions of `tol`.

    Where that is not reached, the lowest point met: never one above `start`, but for rounding.

    Parameters
    ----------
    hessian : array of shape (n, n), symmetric, positive semi-definite
    gradient : array of shape (n,)
        Of the smooth part, at `start`.
    start : array of shape (n,)
    l1, tol : float

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> H, g = np.asarray([[2.0, 0.0], [0.0, 1.0]]), np.asarray([-5.0, 0.5])
    >>> minimize_quadratic(get_backend("numpy"), H, g, np.zeros(2), 1.0, 1e-12).round(12).tolist()
    [2.0, 0.0]
    """
    w = start
    if w.shape[0] == 0:  # a working set may be the intercept alone
        return w
    lowest = _Lowest(backend, gradient, start, l1, tol)
    for _ in range(MAX_ROUNDS):
        w, gradient = run_kernel(
            backend, "coordinate_descent", generic_coordinate_descent,
            hessian, gradient, w, l1, tol, SWEEPS, fused=fused, in_blocks=False,
        )  # fmt: skip
        if lowest.ends_at(w, gradient):
            break
        for _ in range(NEWTON_STEPS):
            w, gradient, share = _newton_among_nonzero(backend, hessian, gradient, w, l1)
            if share == 1.0:
                break
        if lowest.ends_at(w, gradient):
            break
    return lowest.w


class _Lowest:
    """The point of the lowest cost so far; among costs that differ by rounding, of the least
    violation. The violation alone would do for no point: it can fall while the cost rises."""

    def __init__(
        self, backend: Backend, gradient: Array, start: Array, l1: float, tol: float
    ) -> None:
        self.backend, self.l1, self.tol = backend, l1, tol
        self.gradient, self.start, self.w = gradient, start, start
        self.cost = self.least_cost = 0.0
        self.violation = float(ElasticNet(l1).violation(backend.xp, start, gradient))

    def ends_at(self, w: Array, gradient: Array) -> bool:
        """Takes note of w, with the gradient there; whether it meets the tolerance."""
        violation = float(ElasticNet(self.l1).violation(self.backend.xp, w, gradient))
        change = compiled(self.backend, _cost_change)
        cost, rounding = map(float, change(self.gradient, gradient, self.start, w, self.l1))
        met = not violation > self.tol
        lower = cost < self.cost - rounding
        equal = cost <= self.least_cost + rounding and violation < self.violation
        if lower or equal or (met and cost <= rounding):
            self.w, self.cost, self.violation = w, cost, violation
        self.least_cost = min(self.least_cost, cost)
        return met


def _cost_change(
    xp: Namespace, before: Array, gradient: Array, start: Array, w: Array, l1: Any
) -> tuple[Array, Array]:
    """Cost at w less that at start, from the gradients at both, and what of it may be rounding."""
    terms = 0.5 * (before + gradient) * (w - start) + l1 * (xp.abs(w) - xp.abs(start))
    sizes = 0.5 * (xp.abs(before) + xp.abs(gradient)) * xp.abs(w - start)
    sizes = sizes + l1 * (xp.abs(w) + xp.abs(start))
    return xp.sum(terms), 10.0 * xp.finfo(w.dtype).eps * xp.sum(sizes)


def generic_coordinate_descent(
    hessian: Array,
    gradient: Array,
    w: Array,
    l1: float,
    tol: float,
    max_sweeps: int,
    *,
    backend: Backend,
) -> tuple[Array, Array]:
    """w nearer to the minimum, and the gradient there: the contract of the kernel of this name.

    A coordinate at a time is no array operation: this is the accelerated proximal gradient method
    with a step for each coordinate and adaptive restart, a few steps for each sweep.
    """
    xp = backend.xp
    step = compiled(backend, _steps)(hessian)
    net, momentum = ElasticNet(l1), xp.zeros_like(w)
    age = xp.ones((), dtype=w.dtype, device=device(w))
    run = compiled(backend, _accelerated, STEPS_A_CALL)
    for _ in range(max_sweeps):
        w, gradient, momentum, age = run(hessian, gradient, w, momentum, age, step, l1)
        if not net.violation(xp, w, gradient) > tol:
            break
    return w, gradient


def _steps(xp: Namespace, hessian: Array) -> Array:
    # In units of the diagonal the largest eigenvalue is at most the largest row sum.
    diagonal = xp.linalg.diagonal(hessian)
    safe = xp.where(diagonal > 0, diagonal, 1.0)
    scale = 1.0 / xp.sqrt(safe)
    sums = xp.sum(xp.abs(hessian) * scale[:, None] * scale[None, :], axis=1)
    return xp.where(diagonal > 0, 1.0 / (safe * xp.clip(xp.max(sums), 1.0)), 0.0)


def _accelerated(
    xp: Namespace,
    n_steps: int,
    hessian: Array,
    gradient: Array,
    w: Array,
    momentum: Array,
    age: Array,
    step: Array,
    l1: Any,
) -> tuple[Array, Array, Array, Array]:
    for _ in range(n_steps):
        ahead = w + momentum
        slope = gradient + hessian @ momentum
        new = soft_threshold(xp, ahead - step * slope, step * l1)
        # Uphill: the momentum has overshot (O'Donoghue and Candes, Found. Comput. Math. 15, 2015).
        moved = xp.where(step > 0, (ahead - new) / xp.where(step > 0, step, 1.0), 0.0)
        age = xp.where(xp.sum(moved * (new - w)) > 0, xp.ones_like(age), age)
        older = 0.5 * (1.0 + xp.sqrt(1.0 + 4.0 * age * age))
        gradient = gradient + hessian @ (new - w)
        momentum = (age - 1.0) / older * (new - w)
        w, age = new, older
    return w, gradient, momentum, age


def _newton_among_nonzero(
    backend: Backend, hessian: Array, gradient: Array, w: Array, l1: float
) -> tuple[Array, Array, float]:
    """The Newton step of the coefficients that are not zero, to the lowest point along it."""
    xp = backend.xp
    eps = float(xp.finfo(w.dtype).eps)
    damping = max(DAMPING, 100.0 * w.shape[0] * eps) if eps > DAMPING else DAMPING
    if backend.compiles:  # one shape, or each number of coefficients would be a program
        matrix, target = compiled(backend, _restricted)(hessian, gradient, w, l1)
        along = positive_solver(backend, matrix + damping * _diagonal(xp, matrix))(target)
    else:
        (chosen,) = xp.nonzero(w)
        matrix = xp.take(xp.take(hessian, chosen, axis=0), chosen, axis=1)
        target = xp.take(-gradient - l1 * xp.sign(w), chosen, axis=0)
        solve = definite_solver(backend, matrix + damping * _diagonal(xp, matrix))
        if solve is None:  # more coefficients than rows; the next sweeps leave fewer
            return w, gradient, 1.0
        along = spread(xp, solve(target), chosen, w.shape[0])
    w, gradient, share = compiled(backend, _line_step)(hessian, gradient, w, along, l1)
    return w, gradient, float(share)


def _diagonal(xp: Namespace, matrix: Array) -> Array:
    eye = xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device(matrix))
    return eye * xp.linalg.diagonal(matrix)[None, :]


def spread(xp: Namespace, values: Array, places: Array, d: int) -> Array:
    """A vector of length d with the values at these places, which ascend, and zeros elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> spread(np, np.asarray([5.0, 6.0]), np.asarray([0, 2]), 4).tolist()
    [5.0, 0.0, 6.0, 0.0]
    """
    if places.shape[0] == 0:
        return xp.zeros((d,), dtype=values.dtype, device=device(values))
    every = xp.arange(d, dtype=places.dtype, device=device(places))
    nearest = xp.clip(xp.searchsorted(places, every), 0, places.shape[0] - 1)
    return xp.where(xp.take(places, nearest) == every, xp.take(values, nearest), 0.0)


def _restricted(
    xp: Namespace, hessian: Array, gradient: Array, w: Array, l1: Any
) -> tuple[Array, Array]:
    nonzero = xp.astype(w != 0, w.dtype)
    eye = xp.eye(w.shape[0], dtype=w.dtype, device=device(w))
    masked = hessian * nonzero[:, None] * nonzero[None, :] + eye * (1.0 - nonzero)[None, :]
    return masked, -nonzero * (gradient + l1 * xp.sign(w))


def _line_step(
    xp: Namespace, hessian: Array, gradient: Array, w: Array, along: Array, l1: Any
) -> tuple[Array, Array, Array]:
    """To the minimum of the cost, penalty included, along a direction, with how far that is.

    Between two changes of a sign the cost is a parabola, whose slope at its beginning is larger by
    2 l1 abs(along_j) for each sign that has changed. 2 stands for no change of sign.
    """
    along = xp.where(w != 0, along, 0.0)
    bent = hessian @ along
    crosses = w * along < 0.0
    ratio = xp.where(crosses, -w / xp.where(crosses, along, 1.0), 2.0)
    order = xp.argsort(ratio)
    ends = xp.take(ratio, order, axis=0)
    jumps = 2.0 * l1 * xp.abs(xp.take(xp.where(crosses, along, 0.0), order, axis=0))
    zero = xp.zeros((1,), dtype=w.dtype, device=device(w))
    starts = xp.concat([zero, ends], axis=0)
    slopes = xp.concat([zero, xp.cumulative_sum(jumps)], axis=0) + xp.sum(
        (gradient + l1 * xp.sign(w)) * along
    )
    curvature = xp.sum(along * bent)
    # Without curvature, which rounding may make negative, the cost falls to the next change of a
    # sign, or rises.
    bottom = xp.where(slopes < 0.0, xp.full_like(slopes, float("inf")), -1.0)
    lowest = -slopes / xp.where(curvature > 0.0, curvature, 1.0)
    lowest = xp.where(curvature > 0.0, lowest, bottom)
    # The first parabola that has its minimum before it ends, or rises from its beginning.
    ends = xp.concat([ends, xp.full_like(zero, float("inf"))], axis=0)
    first = xp.argmax(xp.astype(lowest <= ends, xp.int8))
    share = xp.maximum(xp.take(lowest, first[None]), xp.take(starts, first[None]))
    share = xp.clip(share, 0.0, 1.0)
    new = xp.where(ratio == share, 0.0, w + share * along)
    return new, gradient + hessian @ (new - w), share[0]
