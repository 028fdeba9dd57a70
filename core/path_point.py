"""What was found at one strength of a regularization path."""

from __future__ import annotations

from typing import Any, NamedTuple


class PathPoint(NamedTuple):
    """What one strength came to."""

    theta: Any  # shape=(size,)
    loss: float  # cost, with the penalties
    violation: float  # largest of the conditions of optimality
    n_iter: int
    stop_reason: str
    message: str
    duality_gap: float | None
