"""L-BFGS whose initial inverse Hessian is a Hessian estimated on a sample of rows.

Plain L-BFGS starts each direction from a multiple of the identity, and pays for a badly conditioned
X with hundreds of passes. Here the two-loop recursion (Nocedal and Wright, algorithm 7.4) starts
from the factor of a sampled Hessian: what remains for the recursion to learn is the sampling error,
whatever the conditioning. See `preconditioner.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...backends import Array, Namespace
from ..linalg import dot

# Pairs kept. Each costs two arrays of the size of theta and four vector operations an iteration.
MEMORY = 20
# The initial estimate is not rescaled by more than this.
MAX_SCALE = 100.0

Apply = Callable[[Array], Array]


class Pair(NamedTuple):
    """One step and what the gradient did along it."""

    step: Array  # shape=(size,): theta_new - theta_old
    change: Array  # shape=(size,): gradient_new - gradient_old
    curvature: float  # step @ change, positive
    scale: float  # curvature / (change @ initial inverse Hessian @ change)


class LbfgsState(NamedTuple):
    """State of the recursion: the point, and the pairs, oldest first."""

    theta: Array  # shape=(size,)
    value: float
    gradient: Array  # shape=(size,)
    pairs: tuple[Pair, ...] = ()


def init(theta: Array, value: float, gradient: Array) -> LbfgsState:
    """The state at a starting point."""
    return LbfgsState(theta, value, gradient)


def direction(xp: Namespace, state: LbfgsState, apply_initial: Apply) -> Array:
    """Minus the inverse-Hessian estimate times the gradient, by the two-loop recursion."""
    q = state.gradient
    alphas = []
    for pair in reversed(state.pairs):
        alpha = dot(xp, pair.step, q) / pair.curvature
        alphas.append(alpha)
        q = q - alpha * pair.change
    r = apply_initial(q)
    if state.pairs:
        # The usual scaling (Nocedal and Wright, 7.20), with the estimate in place of the identity.
        last = state.pairs[-1]
        r = min(max(last.scale, 1.0 / MAX_SCALE), MAX_SCALE) * r
    for pair, alpha in zip(state.pairs, reversed(alphas), strict=True):
        beta = dot(xp, pair.change, r) / pair.curvature
        r = r + (alpha - beta) * pair.step
    return -r


def update(
    xp: Namespace,
    state: LbfgsState,
    theta: Array,
    value: float,
    gradient: Array,
    apply_initial: Apply,
) -> LbfgsState:
    """The state after a step to `theta`. A pair without positive curvature is not kept."""
    step = theta - state.theta
    change = gradient - state.gradient
    curvature = dot(xp, step, change)
    pairs = state.pairs
    if curvature > 0.0:
        estimated = dot(xp, change, apply_initial(change))
        scale = curvature / estimated if estimated > 0.0 else 1.0
        pairs = (*pairs, Pair(step, change, curvature, scale))[-MEMORY:]
    return LbfgsState(theta, value, gradient, pairs)
