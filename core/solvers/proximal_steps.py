"""Steps of proximal Newton on all columns of an objective, by its Hessian.

Each step minimizes the second-order model of the smooth part plus the L1 penalty, which
`quadratic.py` does without reading the data, and goes along the line to that minimum as far as the
cost falls. Intercepts, which carry no penalty, are eliminated from the model first.

A pass that forms the Hessian takes 3 (54 columns) to 16 times (200) as long as one that does not,
so a Hessian serves for further steps as long as each of them halves the violation.
"""

from __future__ import annotations

import math

from array_api_compat import device

from ...backends import Array, Backend
from ..losses import HALF_SQUARED_ERROR
from ..penalties import ElasticNet
from .line_search import C1, cost_rounding
from .quadratic import minimize_quadratic
from .result import AT_PRECISION, LINE_SEARCH_FAILED
from .sparse_cost import Point, SparseCost, SparseRun

# The model is minimized to this share of the violation: a pass costs more.
MODEL_SHARE = 1e-4
HALVINGS = 30
# A column that the intercepts explain has no curvature of its own but rounding.
FLAT = 1e-12
# A Hessian is kept while a step leaves at most this share of the violation: covtype (93,000 x 54)
# then took 4 Hessians, not 6, the zeros among MNIST's digits (60,000 x 784) 9, not 13; 0.1 saved
# none.
KEEPING = 0.5


def newton_steps(run: SparseRun, theta: Array) -> tuple[Point, str]:
    """Proximal Newton on all columns of the objective.

    Parameters
    ----------
    run : SparseRun
    theta : array of shape (size,)

    Returns
    -------
    here : Point
    reason : str
        Why the steps ended.
    """
    cost, once = run.cost, run.cost.objective.loss is HALF_SQUARED_ERROR
    here = cost.evaluate(theta, with_hessian=True)
    fresh, keep = True, once
    for iteration in range(run.max_iter + 1):
        reason = run.stops(here, iteration)
        if reason is not None:
            return here, reason
        found, predicted = _step(run, here, with_hessian=not keep)
        if found is None and not fresh:
            here, fresh = cost.evaluate(here.theta, with_hessian=True), True
            found, predicted = _step(run, here, with_hessian=True)
        if found is None:
            rounding = _rounding(cost, here)
            trusted = abs(predicted) <= 10.0 * rounding and _bends(cost, here, run.tol)
            return here, AT_PRECISION if trusted else LINE_SEARCH_FAILED
        fresh = once or found.hessian is not None
        keep = once or found.violation <= KEEPING * here.violation
        if not fresh and not keep and found.violation > run.tol:
            found, fresh = cost.evaluate(found.theta, with_hessian=True), True
        here = found if found.hessian is not None else found._replace(hessian=here.hessian)
    raise AssertionError("unreachable")  # noqa: EM101


def _bends(cost: SparseCost, here: Point, tol: float) -> bool:
    """Whether each coefficient that should move has a curvature to tell how far.

    Without one (all rows of a column in the straight part of a Huber loss) the model leaves it
    where it is, and predicts nothing: that is no sign of a minimum.
    """
    xp, d = cost.objective.backend.xp, cost.n_penalized
    hessian = here.hessian
    assert hessian is not None
    should_move = ElasticNet(cost.l1).violations(xp, here.theta[:d], here.gradient[:d]) > tol
    whole = xp.linalg.diagonal(hessian)[:d]
    own = whole
    if cost.objective.fit_intercept:
        edge, corner = hessian[:d, d:], _regular(cost.objective.backend, hessian[d:, d:])
        own = whole - xp.sum(edge * xp.linalg.solve(corner, edge.T).T, axis=1)
    return not bool(xp.any(should_move & (own <= FLAT * whole)))


def _step(run: SparseRun, here: Point, *, with_hessian: bool) -> tuple[Point | None, float]:
    share = 0.0 if run.cost.objective.loss is HALF_SQUARED_ERROR else MODEL_SHARE * here.violation
    target = _model_minimum(run.cost, here, max(0.1 * run.tol, share))
    return _search(run.cost, here, target, with_hessian=with_hessian)


def _rounding(cost: SparseCost, here: Point) -> float:
    objective = cost.objective
    return cost_rounding(here.cost, float(objective.backend.xp.finfo(objective.dtype).eps))


def _model_minimum(cost: SparseCost, here: Point, tol: float) -> Array:
    """Minimum of the second-order model at `here`, intercepts included."""
    objective, d = cost.objective, cost.n_penalized
    backend, xp = objective.backend, objective.backend.xp
    hessian, gradient, theta = here.hessian, here.gradient, here.theta
    assert hessian is not None
    if not objective.fit_intercept:
        return minimize_quadratic(
            backend, hessian, gradient, theta, cost.l1, tol, fused=objective.fused
        )
    corner = _regular(backend, hessian[d:, d:])
    solved = xp.linalg.solve(corner, xp.concat([hessian[d:, :d], gradient[d:][:, None]], axis=1))
    edge, offset = solved[:, :d], solved[:, d]
    inner = hessian[:d, :d] - hessian[:d, d:] @ edge
    slopes = gradient[:d] - hessian[:d, d:] @ offset
    W = minimize_quadratic(backend, inner, slopes, theta[:d], cost.l1, tol, fused=objective.fused)
    return xp.concat([W, theta[d:] - offset - edge @ (W - theta[:d])], axis=0)


def _regular(backend: Backend, corner: Array) -> Array:
    """The curvature of the intercepts, with some added along what the cost does not depend on."""
    xp, K = backend.xp, corner.shape[0]
    mean = float(xp.sum(xp.linalg.diagonal(corner))) / K
    if not mean > 0.0:
        return xp.eye(K, dtype=corner.dtype, device=device(corner))
    # Softmax does not see what is added to all its intercepts.
    return corner + mean / K if K > 1 else corner


def _search(
    cost: SparseCost, here: Point, target: Array, *, with_hessian: bool
) -> tuple[Point | None, float]:
    """The first step of 1, 1/2, 1/4 ... towards `target` that lowers the cost as it should."""
    xp = cost.objective.backend.xp
    along = target - here.theta
    predicted = float(here.gradient @ along) + cost.penalty(target) - cost.penalty(here.theta)
    if not math.isfinite(predicted):
        return None, math.inf
    rounding = _rounding(cost, here)
    step = 1.0
    for _ in range(HALVINGS):
        # A promise that is all rounding may still lower the violation.
        if not predicted <= rounding:
            break
        theta = target if step == 1.0 else here.theta + step * along
        found = cost.evaluate(theta, with_hessian=with_hessian)
        if math.isfinite(found.cost) and bool(xp.all(xp.isfinite(found.gradient))):
            if found.cost <= here.cost + C1 * step * min(predicted, 0.0):
                # Near the minimum the cost is all rounding: the conditions tell more.
                lost = -step * predicted <= rounding and found.violation >= here.violation
                return (None if lost else found), predicted
            if found.cost <= here.cost + rounding and found.violation < here.violation:
                return found, predicted
        if -step * predicted <= 1e-3 * rounding:
            break
        step *= 0.5
    return None, predicted
