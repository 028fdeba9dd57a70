"""What every step of a mini-batch epoch does around the rule of its optimizer."""

from __future__ import annotations

import math

from numba import njit

from ..constants import NORM_FLOOR


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def average_gradient(gradient, theta, n_penalized, share, l2_reg_strength):
    """share * gradient + l2 * theta (intercepts, which come last, without it), in place."""
    for j in range(n_penalized):
        gradient[j] = share * gradient[j] + l2_reg_strength * theta[j]
    for j in range(n_penalized, theta.shape[0]):
        gradient[j] *= share


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def clip(gradient, max_norm):
    """gradient scaled down where its norm is above `max_norm`, in place."""
    if max_norm == math.inf:
        return
    squares = 0.0
    for j in range(gradient.shape[0]):
        squares += gradient[j] * gradient[j]
    factor = max_norm / (math.sqrt(squares) + NORM_FLOOR)
    if factor < 1.0:
        for j in range(gradient.shape[0]):
            gradient[j] *= factor


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def soft_threshold(theta, n_penalized, threshold):
    """theta - clip(theta, -threshold, threshold), intercepts aside, in place."""
    if threshold > 0.0:
        for j in range(n_penalized):
            theta[j] -= min(max(theta[j], -threshold), threshold)


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def add_to_average(average, theta, gain):
    """average += gain * (theta - average); an empty one is not kept."""
    for j in range(average.shape[0]):
        average[j] += gain * (theta[j] - average[j])


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def look_ahead(theta, velocity, momentum, at):
    """at = theta + momentum * velocity."""
    for j in range(theta.shape[0]):
        at[j] = theta[j] + momentum * velocity[j]
