"""Pointwise losses: value, gradient and curvature with respect to `raw_prediction`.

Each formula is a function `f(xp, y, raw_prediction, *parameters)` of element-wise `xp` functions,
written once. NumPy, CuPy and JAX evaluate it on arrays; Numba compiles the same source for one
sample at a time, with `xp` bound to scalar functions (those listed in
`backends/numba_kernels/scalar.py`). Links are merged in, so nothing takes a logarithm of a
probability: every loss is finite for abs(raw_prediction) up to 1e3, but Poisson's, whose value
itself leaves float64 beyond 709 (float32 beyond 88).
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from ..backends import Array, Namespace
from .loss import Loss, MulticlassLoss, PointwiseLoss

__all__ = [
    "HALF_BINOMIAL",
    "HALF_MULTINOMIAL",
    "HALF_POISSON",
    "HALF_SQUARED_ERROR",
    "SQUARED_HINGE",
    "Loss",
    "MulticlassLoss",
    "PointwiseLoss",
    "huber",
]


def half_squared_error_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """0.5 * (raw_prediction - y)**2."""
    residual = raw_prediction - y
    return 0.5 * residual * residual


def half_squared_error_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """raw_prediction - y."""
    return raw_prediction - y


def half_squared_error_curvature(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """1 for every sample."""
    return 0.0 * raw_prediction + 1.0


def half_binomial_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """log(1 + exp(raw_prediction)) - y * raw_prediction; y is a probability or a label in {0, 1}.

    The exponential is taken of -abs(raw_prediction), which cannot overflow.
    """
    tail = xp.log1p(xp.exp(-xp.abs(raw_prediction)))
    return tail + (0.5 * (raw_prediction + xp.abs(raw_prediction)) - y * raw_prediction)


def half_binomial_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """sigmoid(raw_prediction) - y, without cancellation where the label is certain."""
    exp_minus_abs = xp.exp(-xp.abs(raw_prediction))
    # (1 - y) and y enter separately: 1 / (1 + e) - y would lose all digits for y = 1, raw > 40.
    numerator = xp.where(
        raw_prediction >= 0.0, (1.0 - y) - y * exp_minus_abs, (1.0 - y) * exp_minus_abs - y
    )
    return numerator / (1.0 + exp_minus_abs)


def half_binomial_curvature(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """sigmoid(raw_prediction) * (1 - sigmoid(raw_prediction))."""
    exp_minus_abs = xp.exp(-xp.abs(raw_prediction))
    one_plus = 1.0 + exp_minus_abs
    return exp_minus_abs / (one_plus * one_plus)


def sigmoid(xp: Namespace, raw_prediction: Array) -> Array:
    """1 / (1 + exp(-raw_prediction)), finite for every input."""
    exp_minus_abs = xp.exp(-xp.abs(raw_prediction))
    return xp.where(raw_prediction >= 0.0, 1.0, exp_minus_abs) / (1.0 + exp_minus_abs)


def half_poisson_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """exp(raw_prediction) - y * raw_prediction: half the Poisson deviance less its constant."""
    return xp.exp(raw_prediction) - y * raw_prediction


def half_poisson_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """exp(raw_prediction) - y."""
    return xp.exp(raw_prediction) - y


def half_poisson_curvature(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """exp(raw_prediction)."""
    return xp.exp(raw_prediction)


def exponential(xp: Namespace, raw_prediction: Array) -> Array:
    """exp(raw_prediction)."""
    return xp.exp(raw_prediction)


def huber_value(xp: Namespace, y: Array, raw_prediction: Array, delta: Any) -> Array:
    """0.5 * r**2 for abs(r) <= delta, delta * (abs(r) - 0.5 * delta) beyond; r = raw - y."""
    size = xp.abs(raw_prediction - y)
    return xp.where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta))


def huber_gradient(xp: Namespace, y: Array, raw_prediction: Array, delta: Any) -> Array:
    """The residual raw_prediction - y, clipped to [-delta, delta]."""
    residual = raw_prediction - y
    clipped = xp.where(residual > delta, delta, residual)
    return xp.where(clipped < -delta, -delta, clipped)


def huber_curvature(xp: Namespace, y: Array, raw_prediction: Array, delta: Any) -> Array:
    """1 for abs(r) <= delta, 0 beyond."""
    # The ones are made of raw_prediction: of two plain numbers, `where` would make float64.
    one = 0.0 * raw_prediction + 1.0
    return xp.where(xp.abs(raw_prediction - y) <= delta, one, 0.0)


def squared_hinge_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """max(0, 1 - s * raw_prediction)**2 with s = 2 * y - 1, for labels y in {0, 1}."""
    margin = 1.0 - (2.0 * y - 1.0) * raw_prediction
    return xp.where(margin > 0.0, margin * margin, 0.0)


def squared_hinge_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """-2 * s * max(0, 1 - s * raw_prediction)."""
    sign = 2.0 * y - 1.0
    margin = 1.0 - sign * raw_prediction
    return xp.where(margin > 0.0, -2.0 * sign * margin, 0.0)


def squared_hinge_curvature(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """2 inside the margin, 0 beyond it."""
    two = 0.0 * raw_prediction + 2.0
    return xp.where((2.0 * y - 1.0) * raw_prediction < 1.0, two, 0.0)


def _shifted_exponentials(xp: Namespace, raw_prediction: Array) -> tuple[Array, Array, Array]:
    # The row maximum goes first: every exponent is then at most 0.
    largest = xp.max(raw_prediction, axis=1, keepdims=True)
    exponentials = xp.exp(raw_prediction - largest)
    return largest, exponentials, xp.sum(exponentials, axis=1, keepdims=True)


def _one_hot(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    classes = xp.arange(raw_prediction.shape[1], dtype=y.dtype, device=device(raw_prediction))
    return xp.astype(y[:, None] == classes[None, :], raw_prediction.dtype)


def half_multinomial_value(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """log(sum_k exp(raw_k)) - raw[y], per sample."""
    largest, _, total = _shifted_exponentials(xp, raw_prediction)
    chosen = xp.sum(_one_hot(xp, y, raw_prediction) * (raw_prediction - largest), axis=1)
    return xp.log(total[:, 0]) - chosen


def half_multinomial_gradient(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """softmax(raw) - one_hot(y)."""
    return softmax(xp, raw_prediction) - _one_hot(xp, y, raw_prediction)


def half_multinomial_curvature_product(
    xp: Namespace, y: Array, raw_prediction: Array, direction: Array
) -> Array:
    """p * (direction - sum_k p_k direction_k) with p = softmax(raw)."""
    proba = softmax(xp, raw_prediction)
    return proba * (direction - xp.sum(proba * direction, axis=1, keepdims=True))


def half_multinomial_curvature(xp: Namespace, y: Array, raw_prediction: Array) -> Array:
    """p * (1 - p) with p = softmax(raw)."""
    proba = softmax(xp, raw_prediction)
    return proba * (1.0 - proba)


def softmax(xp: Namespace, raw_prediction: Array) -> Array:
    """exp(raw_k) / sum_j exp(raw_j), row by row."""
    _, exponentials, total = _shifted_exponentials(xp, raw_prediction)
    return exponentials / total


def logit(mean: float) -> float:
    """log(mean / (1 - mean)): the inverse of the sigmoid."""
    return math.log(mean / (1.0 - mean))


def signed_label(mean: float) -> float:
    """2 * mean - 1: a share of labels in {0, 1} on the scale of -1 to 1."""
    return 2.0 * mean - 1.0


HALF_SQUARED_ERROR = PointwiseLoss(
    "half_squared_error",
    half_squared_error_value,
    half_squared_error_gradient,
    half_squared_error_curvature,
)
HALF_BINOMIAL = PointwiseLoss(
    "half_binomial",
    half_binomial_value,
    half_binomial_gradient,
    half_binomial_curvature,
    inverse_link=sigmoid,
    link=logit,
    domain=(0.0, 1.0, True, True),
)
HALF_POISSON = PointwiseLoss(
    "half_poisson",
    half_poisson_value,
    half_poisson_gradient,
    half_poisson_curvature,
    inverse_link=exponential,
    link=math.log,
    domain=(0.0, float("inf"), True, False),
)
SQUARED_HINGE = PointwiseLoss(
    "squared_hinge",
    squared_hinge_value,
    squared_hinge_gradient,
    squared_hinge_curvature,
    link=signed_label,
    domain=(0.0, 1.0, True, True),
)
HALF_MULTINOMIAL = MulticlassLoss(
    "half_multinomial",
    half_multinomial_value,
    half_multinomial_gradient,
    half_multinomial_curvature_product,
    half_multinomial_curvature,
    softmax,
    fused_as="half_multinomial",
)


def huber(delta: float = 1.35) -> PointwiseLoss:
    """The Huber loss with its threshold `delta`, in units of y."""
    if not delta > 0.0:
        message = f"huber(delta={delta!r}): the threshold must be positive."
        raise ValueError(message)
    return PointwiseLoss(
        "huber", huber_value, huber_gradient, huber_curvature, parameters=(float(delta),)
    )
