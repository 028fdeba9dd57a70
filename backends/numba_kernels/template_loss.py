"""Stands for the loss in the kernel templates: half the squared error."""

from __future__ import annotations

from numba import njit


@njit(error_model="numpy", forceinline=True)
def value(xp, y, raw_prediction):
    """0.5 * (raw_prediction - y)**2."""
    return 0.5 * (raw_prediction - y) * (raw_prediction - y)


@njit(error_model="numpy", forceinline=True)
def gradient(xp, y, raw_prediction):
    """raw_prediction - y."""
    return raw_prediction - y


@njit(error_model="numpy", forceinline=True)
def curvature(xp, y, raw_prediction):
    """1."""
    return 1.0
