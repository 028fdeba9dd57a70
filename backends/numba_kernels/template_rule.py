"""Stands for an optimizer in the epoch templates: plain descent, one scalar, no slots."""

from __future__ import annotations

from numba import njit


@njit(nogil=True, error_model="numpy")
def apply_rule(gradient, theta, slots, scalars, t):
    """theta += update of the rule, slots in place; scalars[t] are those of step t."""
    for j in range(theta.shape[0]):
        theta[j] -= scalars[t, 0] * gradient[j]
