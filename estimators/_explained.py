"""Losses by name, and the share of a loss that a model explains."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from scipy.optimize import brentq
from scipy.special import logit, xlogy

from ..core.losses import (
    HALF_BINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    PointwiseLoss,
    huber,
)

HUBER = huber()
LOSS_NAMES: dict[str, PointwiseLoss] = {
    loss.name: loss
    for loss in (HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON, HUBER, SQUARED_HINGE)
}
# Half the width of the interval in which the best constant of an unknown loss is looked for.
_WIDEST = 1e6

Vector = np.ndarray[Any, np.dtype[np.float64]]


def loss_by_name(name: str) -> PointwiseLoss:
    """The built-in loss of that name."""
    return LOSS_NAMES[name]


def _least_loss(loss: PointwiseLoss, y: Vector) -> Vector | float:
    """The smallest loss that any raw prediction can reach, per sample."""
    if loss is HALF_POISSON:
        return np.asarray(y - xlogy(y, y))
    if loss is HALF_BINOMIAL:
        return np.asarray(-(xlogy(y, y) + xlogy(1.0 - y, 1.0 - y)))
    # The other built-in losses reach 0. So do most losses that people write; for one that does
    # not, D² is counted from 0.
    return 0.0


def best_constant(loss: PointwiseLoss, y: Vector, weight: Vector | None) -> float:
    """The raw prediction that, given to every sample, has the smallest loss.

    The three canonical losses have it in closed form: the link of the mean. For the others the
    derivative, which never decreases, is brought to zero.
    """
    mean = float(np.average(y, weights=weight))
    with np.errstate(divide="ignore"):
        if loss is HALF_SQUARED_ERROR:
            return mean
        if loss is HALF_POISSON:
            return float(np.log(mean))
        if loss is HALF_BINOMIAL:
            return float(logit(mean))

    def slope(constant: float) -> float:
        raw = np.full_like(y, constant)
        return float(np.average(loss.gradient(xp, y, raw, *loss.parameters), weights=weight))

    reach = 1.0 + float(np.max(np.abs(y)))
    while slope(-reach) > 0.0 or slope(reach) < 0.0:
        reach *= 4.0
        if reach > _WIDEST * (1.0 + float(np.max(np.abs(y)))):
            return mean
    return float(brentq(slope, -reach, reach, xtol=1e-12))


def explained(loss: PointwiseLoss, y: Vector, raw: Vector, weight: Vector | None) -> float:
    """D² = 1 - (loss - least) / (loss of the best constant - least), weighted.

    Parameters
    ----------
    loss : PointwiseLoss
    y, raw : arrays of shape (n_samples,), float64
    weight : array of shape (n_samples,) or None

    Returns
    -------
    float
        1 is perfect, 0 no better than a constant. NaN for fewer than two samples. Where the
        constant is perfect already: 1 if the model is too, else 0.
    """
    if y.shape[0] < 2:
        return float("nan")

    def mean_loss(predicted: Vector) -> float:
        values = loss.value(xp, y, predicted, *loss.parameters) - _least_loss(loss, y)
        return float(np.average(values, weights=weight))

    model = mean_loss(raw)
    constant = best_constant(loss, y, weight)
    null = mean_loss(np.full_like(y, constant)) if np.isfinite(constant) else 0.0
    if null <= 0.0:
        return 1.0 if model <= 0.0 else 0.0
    return 1.0 - model / null
