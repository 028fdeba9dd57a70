"""Duality gaps of many models in one read of X, where `duality.py` takes two for each.

The certificate is the same: the slopes a_i = loss'(raw_i) at a model, scaled by tau_i until they
are feasible. Here their conjugates are not looked at again, but bounded from what one read sums up.
At the slopes themselves they are a_i raw_i - loss_i; below, for losses whose conjugate has the
second derivative 1 / loss'' (binomial, Poisson),

conjugate(tau a) <= conjugate(a) - (1 - tau) a raw + (1 - tau)^2 / (2 tau) loss'^2 / loss''

by Taylor's theorem: loss'' at tau a is at least tau times that at a. The products a_i raw_i add up
to theta @ gradient, and where there is an intercept the slopes of one sign are scaled by another
factor, for which their own gradient is read. Near the minimum what is returned is above the exact
gap by the square of a small number; far from it, where all slopes have one sign, it is infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends import Array, Namespace
from .losses import HALF_BINOMIAL, HALF_POISSON, PointwiseLoss
from .many_passes import ManySums
from .objective import LinearObjective
from .penalties import ElasticNet

Matrix = np.ndarray[Any, Any]


def _binomial_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    exp_minus_abs = xp.exp(-xp.abs(raw_prediction))
    numerator = xp.where(
        raw_prediction >= 0.0, (1.0 - y) - y * exp_minus_abs, (1.0 - y) * exp_minus_abs - y
    )
    # Where the exponential is lost, so is the bound, unless the label was certain and right.
    there = xp.where(exp_minus_abs > 0.0, exp_minus_abs, 1e-30)
    return numerator * numerator / there


def _binomial_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    exp_minus_abs = xp.exp(-xp.abs(raw_prediction))
    numerator = xp.where(
        raw_prediction >= 0.0, (1.0 - y) - y * exp_minus_abs, (1.0 - y) * exp_minus_abs - y
    )
    return xp.where(numerator > 0.0, numerator / (1.0 + exp_minus_abs), 0.0)


def _poisson_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    rate = xp.exp(raw_prediction)
    return (rate - y) * (rate - y) / xp.where(rate > 0.0, rate, 1e-30)


def _poisson_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    slope = xp.exp(raw_prediction) - y
    return xp.where(slope > 0.0, slope, 0.0)


def _none(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    return 0.0 * raw_prediction


# Each formula is compiled by itself, so none can call another (those of the losses neither).
# What is summed up, written as a loss: its value is loss'^2 / loss'', its gradient loss' where that
# is positive.
CERTIFICATES: dict[Callable[..., Array], PointwiseLoss] = {
    HALF_BINOMIAL.value: PointwiseLoss(
        "half_binomial_certificate", _binomial_value, _binomial_gradient, _none
    ),
    HALF_POISSON.value: PointwiseLoss(
        "half_poisson_certificate", _poisson_value, _poisson_gradient, _none
    ),
}


def certificate_of(objective: LinearObjective) -> PointwiseLoss | None:
    """The loss whose sums `path_gaps` asks for; None where no gap is known."""
    return CERTIFICATES.get(objective.loss.value)


def path_gaps(
    thetas: Matrix,
    losses: Matrix,
    gradients: Matrix,
    sums: ManySums,
    penalties: Sequence[ElasticNet],
) -> Matrix:
    """The gap of each model.

    Parameters
    ----------
    thetas, gradients : ndarray of shape (n_models, size)
        Models, and the gradients of the mean loss there.
    losses : ndarray of shape (n_models,)
        Mean losses.
    sums : ManySums
        Of the loss that `certificate_of` returns, as means and with respect to theta.
    penalties : sequence of ElasticNet

    Returns
    -------
    ndarray of shape (n_models,)
        Not negative but for rounding.
    """
    d = sums.grad_W.shape[0]
    gaps = np.empty(len(penalties))
    for k, penalty in enumerate(penalties):
        theta, gradient, v = thetas[k], gradients[k], gradients[k][:d]
        t, scaled, along = 1.0, np.zeros(d), 0.0
        if gradient.shape[0] > d:
            up = float(sums.grad_b[k])
            down = up - float(gradient[d])
            rising = np.append(sums.grad_W[:, k], up)
            part = rising if up > down else gradient - rising
            t = min(up, down) / max(up, down) if min(up, down) > 0.0 else 0.0
            scaled, along = part[:d], float(theta @ part)
        v = v - (1.0 - t) * scaled
        conjugates = float(theta @ gradient) - float(losses[k]) - (1.0 - t) * along
        cost = float(losses[k]) + float(penalty.value(np, theta[:d]))
        # theta @ (slopes as they are scaled by now), of which a share takes as much again.
        product = float(theta @ gradient) - (1.0 - t) * along
        gaps[k] = min(
            cost + conjugates - (1.0 - share) * product + penalty.conjugate(np, share * v)
            + _second_order(share * t, float(sums.losses[k]))
            for share in penalty.feasible_shares(np, v)
        )  # fmt: skip
    return gaps


def _second_order(share: float, curvatures: float) -> float:
    if share == 1.0:
        return 0.0
    return (1.0 - share) ** 2 / (2.0 * share) * curvatures if share > 0.0 else float("inf")
