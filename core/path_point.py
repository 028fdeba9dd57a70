"""One strength of a regularization path: what is asked, and what was found."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Penalty(NamedTuple):
    """l1 * ||W||_1 + 0.5 * l2 * ||W||^2."""

    l1: float
    l2: float

    def value(self, W: np.ndarray[Any, Any]) -> float:
        """Of coefficients on the host."""
        return self.l1 * float(np.abs(W).sum()) + 0.5 * self.l2 * float(W @ W)

    def conjugate(self, v: np.ndarray[Any, Any]) -> float:
        """max over W of v @ W - value(W); without an L2 part 0, for feasible v."""
        beyond = np.maximum(np.abs(v) - self.l1, 0.0)
        return float(beyond @ beyond) / (2.0 * self.l2) if self.l2 > 0.0 else 0.0

    def feasible_shares(self, v: np.ndarray[Any, Any]) -> list[float]:
        """Factors for v to try for a finite `conjugate`."""
        largest = float(np.abs(v).max(initial=0.0))
        shares = [1.0] if largest <= self.l1 or self.l2 > 0.0 else []
        return [*shares, self.l1 / largest] if largest > self.l1 else shares


class PathPoint(NamedTuple):
    """What one strength came to."""

    theta: Any  # shape=(size,)
    loss: float  # cost, with the penalties
    violation: float  # largest of the conditions of optimality
    n_iter: int
    stop_reason: str
    message: str
    duality_gap: float | None
