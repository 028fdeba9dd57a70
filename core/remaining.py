"""How far a cost is above its minimum, estimated where a descent has ended.

Near the minimum the cost is a quadratic: f(theta) - min f = 0.5 * g.T H^-1 g with its gradient g
and its Hessian H. Conjugate gradients sum that up from below, one product with H (a pass) a term.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..backends import Array
from .linalg import dot
from .objective import LinearObjective
from .solvers.result import NEAR_MINIMUM, SolverResult

# Terms that are summed at most, and the share of the sum below which another adds nothing new.
MOST_TERMS = 20
LAST_SHARE = 0.02
# Of the cost, an excess that is small beside the noise of batches and of held-out rows:
# `NEAR_MINIMUM` says it.
SMALL_EXCESS = 1e-3


def estimated_excess(objective: LinearObjective, theta: Array) -> tuple[float, float]:
    """The cost at theta, and by how much it is above the minimum; at most `MOST_TERMS` + 1 passes.

    The excess is estimated from below. It is infinite where the cost does not curve along the
    gradient, so that no minimum is near.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, y = np.asarray([[1.0], [-1.0]]), np.asarray([2.0, -2.0])
    >>> cost = LinearObjective(X, y, None, HALF_SQUARED_ERROR, get_backend("numpy"))
    >>> estimated_excess(cost, np.asarray([1.0, 0.0]))  # 0.5 at theta, 0 at (2, 0)
    (0.5, 0.5)
    """
    xp = objective.backend.xp
    value, rest = objective.value_gradient(theta)
    squared, excess, direction = dot(xp, rest, rest), 0.0, rest
    for _ in range(MOST_TERMS):
        if not squared > 0.0:
            break
        product = objective.curvature_product(theta, direction)
        bend = dot(xp, direction, product)
        if not bend > 0.0:
            return value, float("inf")
        step = squared / bend
        term = 0.5 * step * squared
        excess += term
        rest = rest - step * product
        before, squared = squared, dot(xp, rest, rest)
        direction = rest + (squared / before) * direction
        if term <= LAST_SHARE * excess:
            break
    return value, excess


def judged_by_excess(
    result: SolverResult, objective: LinearObjective, theta: Array, *, suffices: bool
) -> SolverResult:
    """The result of a descent by batches that took all its epochs, with what is left to descend.

    The noise of batches keeps the gradient of all rows above any tolerance that other solvers
    reach, so it is the cost that says whether the descent has arrived.

    Parameters
    ----------
    result : SolverResult
    objective, theta
        The cost, and where the descent ended.
    suffices : bool
        Whether a cost within `SMALL_EXCESS` of the minimum is success.
    """
    cost, excess = estimated_excess(objective, theta)
    share = excess / cost if cost > 0.0 else math.inf
    n_passes = result.n_passes + objective.n_passes
    if suffices and share <= SMALL_EXCESS:
        return replace(
            result, converged=True, stop_reason=NEAR_MINIMUM, message="", n_passes=n_passes
        )
    found, advice, _ = result.message.partition(" Raise max_iter")
    if not advice:
        return replace(result, n_passes=n_passes)
    size = f"{100.0 * share:.2g} %" if share < 1.0 else "far"
    message = (
        f"{found} The cost is, by estimate, {size} above its minimum. Raise max_iter, raise "
        "learning_rate in solver_options, or tol if this is close enough; solver='auto' comes to "
        "the minimum itself."
    )
    return replace(result, message=message, n_passes=n_passes)
