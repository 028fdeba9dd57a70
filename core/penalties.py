"""The elastic net: an L1 and an L2 penalty, with their proximal step and optimality conditions.

penalty(W) = l1 * ||W||_1 + 0.5 * l2 * ||W||^2

The L1 part has no gradient at zero, and that is its use: coefficients end there exactly. Where a
smooth cost asks whether its gradient is zero, here minus the gradient must lie in the penalty's
subdifferential. References: Parikh and Boyd, Proximal Algorithms (2014), section 6.5; Zou and
Hastie, J. R. Stat. Soc. B 67 (2005).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backends import Array, Namespace


def soft_threshold(xp: Namespace, x: Array, threshold: Any) -> Array:
    """sign(x) * max(abs(x) - threshold, 0), an exact zero wherever abs(x) <= threshold.

    Parameters
    ----------
    x : array of any shape, floating
    threshold : float, or array of x's shape, not negative

    Examples
    --------
    >>> import numpy as np
    >>> soft_threshold(np, np.asarray([-3.0, 0.5, 2.0]), 1.0).tolist()
    [-2.0, 0.0, 1.0]
    """
    return x - xp.clip(x, -threshold, threshold)


class ElasticNet(NamedTuple):
    """penalty(W) = l1 * sum(abs(W)) + 0.5 * l2 * sum(W**2); intercepts stay outside of it.

    Parameters
    ----------
    l1, l2 : float
        Strengths, not negative.

    Examples
    --------
    >>> import numpy as np
    >>> net, W = ElasticNet(l1=1.0, l2=2.0), np.asarray([3.0, 0.0, -1.0])
    >>> float(net.value(np, W)), net.proximal_step(np, W, 0.5).tolist()
    (14.0, [1.25, 0.0, -0.25])
    """

    l1: float
    l2: float = 0.0

    def value(self, xp: Namespace, W: Array) -> Array:
        """l1 * sum(abs(W)) + 0.5 * l2 * sum(W**2), shape ()."""
        return self.l1 * xp.sum(xp.abs(W)) + 0.5 * self.l2 * xp.sum(W * W)

    def conjugate(self, xp: Namespace, v: Array) -> float:
        """max over W of sum(v * W) - value(W); without an L2 part 0, for feasible v."""
        beyond = soft_threshold(xp, v, self.l1)
        return float(xp.sum(beyond * beyond)) / (2.0 * self.l2) if self.l2 > 0.0 else 0.0

    def feasible_shares(self, xp: Namespace, v: Array) -> list[float]:
        """Factors of v to try for a finite `conjugate`: 1 if that is one, and l1 / max(abs(v))."""
        largest = float(xp.max(xp.abs(v))) if v.shape[0] else 0.0
        shares = [1.0] if largest <= self.l1 or self.l2 > 0.0 else []
        return [*shares, self.l1 / largest] if largest > self.l1 else shares

    def proximal_step(self, xp: Namespace, W: Array, step: Any) -> Array:
        """argmin over V of penalty(V) + ||V - W||^2 / (2 step).

        = soft_threshold(W, step * l1) / (1 + step * l2)

        Parameters
        ----------
        W : array of any shape
        step : float, or array of W's shape, positive
        """
        return soft_threshold(xp, W, step * self.l1) / (1.0 + step * self.l2)

    def violations(self, xp: Namespace, W: Array, gradient: Array) -> Array:
        """Distance of -gradient, entry by entry, to the penalty's subdifferential at W.

        W_j != 0: abs(gradient_j + l2 W_j + l1 sign(W_j)); W_j == 0: max(abs(gradient_j) - l1, 0).
        All zero exactly at a minimum of loss + penalty.

        Parameters
        ----------
        W : array of any shape
        gradient : array of W's shape
            Of the loss alone.
        """
        smooth = gradient + self.l2 * W
        at_zero = soft_threshold(xp, smooth, self.l1)
        return xp.abs(xp.where(W == 0, at_zero, smooth + self.l1 * xp.sign(W)))

    def violation(self, xp: Namespace, W: Array, gradient: Array) -> float:
        """The largest of the `violations`, as a Python float; 0 for an empty W."""
        return float(xp.max(self.violations(xp, W, gradient))) if W.shape[0] else 0.0
