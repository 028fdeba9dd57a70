"""The duality gap: a certificate of how far a cost with an L1 penalty is from its minimum.

primal(W, b)  = sum_i s_i loss(y_i, x_i W + b) / S + l1 ||W||_1 + 0.5 l2 ||W||^2,  S = sum_i s_i
dual(a)       = - sum_i s_i conjugate(y_i, a_i) / S - penalty*(v),  v_j = sum_i s_i x_ij a_i / S
penalty*(v)   = sum_j max(abs(v_j) - l1, 0)^2 / (2 l2); for l2 = 0 it is 0 where all abs(v_j) <= l1

with conjugate(y, a) = max over z of a z - loss(y, z), and sum_i s_i a_i = 0 where there is an
intercept. Every such a gives a lower bound of every cost, so cost - dual(a) bounds what is left to
gain. The losses' own slopes at (W, b) are the best a at the minimum; before it they are made
feasible: the slopes of the sign that weighs more are scaled down until the two balance, and all
until abs(v_j) <= l1. Both keep a inside the conjugate's domain. Reference: Fercoq, Gramfort and
Salmon, Mind the duality gap (ICML 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from array_api_compat import device

from ..backends import Array, Namespace
from .losses import HALF_BINOMIAL, HALF_POISSON, HALF_SQUARED_ERROR
from .objective import LinearObjective
from .passes import predict_raw
from .penalties import ElasticNet


def _x_log_x(xp: Namespace, x: Array) -> Array:
    positive = x > 0
    return xp.where(positive, x * xp.log(xp.where(positive, x, 1.0)), 0.0)


def _squared_error_conjugate(xp: Namespace, y: Array, a: Array) -> Array:
    return a * (0.5 * a + y)


def _binomial_conjugate(xp: Namespace, y: Array, a: Array) -> Array:
    # 1 - y and y enter separately: next to a certain label 1 - (y + a) would lose its digits.
    return _x_log_x(xp, y + a) + _x_log_x(xp, (1.0 - y) - a)


def _poisson_conjugate(xp: Namespace, y: Array, a: Array) -> Array:
    return _x_log_x(xp, y + a) - (y + a)


# By the formula of the loss: a loss with parameters or formulas of its own has none here.
CONJUGATES: dict[Callable[..., Array], Callable[..., Array]] = {
    HALF_SQUARED_ERROR.value: _squared_error_conjugate,
    HALF_BINOMIAL.value: _binomial_conjugate,
    HALF_POISSON.value: _poisson_conjugate,
}


def duality_gap(objective: LinearObjective, l1: float, theta: Array, cost: float) -> float | None:
    """cost - dual(a) for the better of two feasible a, in two passes over X.

    Parameters
    ----------
    objective : LinearObjective
        Loss and L2 penalty.
    l1 : float
    theta : array of shape (size,)
    cost : float
        With both penalties, at theta.

    Returns
    -------
    float or None
        Not negative but for rounding; infinity where no feasible a was found. None for a loss
        whose conjugate is not known here (softmax, the user's own).

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> objective = LinearObjective(np.asarray([[1.0], [2.0]]), np.asarray([1.0, 2.0]), None,
    ...     HALF_SQUARED_ERROR, get_backend("numpy"), fit_intercept=False)
    >>> w = np.asarray([0.8])  # of 0.5 * mean((y - x w)**2) + 0.5 * abs(w)
    >>> gap = duality_gap(objective, 0.5, w, objective.value_gradient(w)[0] + 0.5 * 0.8)
    >>> abs(gap) < 1e-15
    True
    """
    loss, backend, xp = objective.loss, objective.backend, objective.backend.xp
    conjugate = CONJUGATES.get(loss.value)
    if conjugate is None:
        return None
    y, weight, total = objective.y, objective.sample_weight, objective.weight_sum
    W, b = objective.coefficients(theta)
    raw = predict_raw(objective.X, W, b, backend=backend, fused=objective.fused)[:, 0]
    objective.rows_read += objective.n_samples
    a = loss.gradient(xp, y, raw)
    if weight is not None:
        a = xp.where(weight > 0, a, 0.0)
    if objective.fit_intercept:
        a = _balanced(xp, a, weight)
    v = _correlations(objective, a)
    net = ElasticNet(l1, objective.l2_reg_strength)
    gaps = [float("inf")]
    for share in net.feasible_shares(xp, v):
        values = conjugate(xp, y, share * a)
        sum_conjugates = float(xp.sum(values if weight is None else weight * values))
        gaps.append(cost + sum_conjugates / total + net.conjugate(xp, share * v))
    return min(gaps)


def _balanced(xp: Namespace, a: Array, weight: Array | None) -> Array:
    """a with the entries of one sign scaled down, such that its weighted sum is zero."""
    weighted = a if weight is None else weight * a
    up = float(xp.sum(xp.clip(weighted, 0.0)))
    down = -float(xp.sum(xp.clip(weighted, None, 0.0)))
    if up == 0.0 or down == 0.0:
        return xp.zeros_like(a)
    return xp.where(a > 0, a * min(1.0, down / up), a * min(1.0, up / down))


def _correlations(objective: LinearObjective, a: Array) -> Array:
    """v of the module's text, for the columns as the objective scales them, in one pass.

    The gradient of the squared error at zero, for the targets -a, is this very sum.
    """
    xp = objective.backend.xp
    zero = xp.zeros((objective.size,), dtype=objective.dtype, device=device(a))
    of_a = replace(objective, y=-a, loss=HALF_SQUARED_ERROR, l2_reg_strength=0.0, on_overflow=None)
    objective.rows_read += objective.n_samples
    return of_a.value_gradient(zero)[1][: objective.n_features]
