"""One strength of a regularization path: what is asked, and what was found."""

from __future__ import annotations

from typing import Any, NamedTuple


class Penalty(NamedTuple):
    """l1 * ||W||_1 + 0.5 * l2 * ||W||^2."""

    l1: float
    l2: float


class PathPoint(NamedTuple):
    """What one strength came to."""

    theta: Any  # shape=(size,)
    loss: float  # cost, with the penalties
    violation: float  # largest of the conditions of optimality
    n_iter: int
    stop_reason: str
    message: str
    duality_gap: float | None
