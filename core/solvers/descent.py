"""Descent by a first-order optimizer, all rows in each step: one pass an iteration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...backends import Array
from ..linalg import max_abs
from ..objective import LinearObjective
from ..optimizers import Optimizer, State, clip_by_global_norm
from .result import (
    CONVERGED,
    DIVERGED,
    OUT_OF_ITERATIONS,
    STOPPED_BY_CALLBACK,
    Callback,
    History,
    SolverResult,
)


def minimize_descent(
    objective: LinearObjective,
    theta: Array,
    optimizer: Optimizer,
    *,
    max_iter: int,
    tol: float,
    max_norm: float = math.inf,
    callbacks: Sequence[Callback] = (),
    name: str = "gd",
) -> SolverResult:
    """Minimize objective(theta) by `optimizer`, which is given the gradient of the whole cost.

    Parameters
    ----------
    objective : LinearObjective
    theta : array of shape (size,)
        Where to start.
    optimizer : Optimizer
        One that takes its gradient where the parameters are (`ahead` is 0).
    max_iter, tol
        The descent stops when the largest absolute entry of the gradient is at most `tol`.
    max_norm : float
        Gradients of a larger norm are scaled down to it.
    name : str
        What the result calls this solver.

    Returns
    -------
    SolverResult
        Where it diverged (a learning rate that is too large), theta is that of the lowest cost.

    Raises
    ------
    ValueError
        For an optimizer that looks ahead.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> from xpfit.core.optimizers import SGD
    >>> X, y = np.asarray([[1.0], [2.0]]), np.asarray([3.0, 6.0])
    >>> objective = LinearObjective(
    ...     X, y, None, HALF_SQUARED_ERROR, get_backend("numpy"), fit_intercept=False)
    >>> found = minimize_descent(objective, np.zeros(1), SGD(0.3), max_iter=100, tol=1e-9)
    >>> round(float(found.theta[0]), 6), found.stop_reason
    (3.0, 'gradient_norm <= tol')
    """
    if optimizer.ahead:
        message = (
            f"minimize_descent was given {optimizer!r}, which wants its gradient ahead of the "
            "parameters; here it is taken where they are. Use nesterov=True, which takes the same "
            "steps."
        )
        raise ValueError(message)
    xp, history = objective.backend.xp, History(callbacks)
    # The rate is handed over at each step: another one is no other program to a compiler.
    rate_of, fixed = optimizer.learning_rate_at, replace(optimizer, learning_rate=1.0)  # type: ignore[type-var]
    advance = objective.compiled(_advance, fixed, float(max_norm))
    value, gradient = objective.value_gradient(theta)
    norm, state = max_abs(xp, gradient), optimizer.init(theta)
    best, lowest = theta, value
    for iteration in range(max_iter + 1):
        stop = history.add(value, norm, objective.n_passes, partial(objective.read, theta))
        if norm <= tol:
            return history.result(theta, CONVERGED, name, objective.n_passes, tol)
        if stop:
            return history.result(theta, STOPPED_BY_CALLBACK, name, objective.n_passes, tol)
        if iteration == max_iter:
            return history.result(theta, OUT_OF_ITERATIONS, name, objective.n_passes, tol)
        rate = float(rate_of(iteration))
        objective.rows_read += objective.n_samples
        theta, gradient, state, cost, largest = advance(theta, gradient, state, rate)
        value, norm = float(cost), float(largest)
        if not (math.isfinite(value) and math.isfinite(norm)):
            found = history.result(best, DIVERGED, name, objective.n_passes, tol)
            return replace(found, loss=lowest, message=_too_fast(iteration + 1, rate))
        if value < lowest:
            best, lowest = theta, value
    raise AssertionError("unreachable")  # noqa: EM101


def _advance(
    objective: LinearObjective, optimizer: Optimizer, max_norm: float, theta: Array,
    gradient: Array, state: State, rate: Any,
) -> tuple[Array, Array, State, Array, Array]:  # fmt: skip
    xp = objective.backend.xp
    if math.isfinite(max_norm):
        gradient = clip_by_global_norm(gradient, max_norm)[0]
    update, state = optimizer.update(gradient, state, theta, rate)
    theta = theta + update
    cost, gradient = objective.cost_gradient(theta)
    return theta, gradient, state, cost, xp.max(xp.abs(gradient))


def _too_fast(step: int, rate: float) -> str:
    return (
        f"the descent diverged: the cost is not finite after step {step}, and the learning rate "
        f"was {rate:.3g}. Lower the learning rate or scale the columns. The parameters of the "
        "lowest cost are kept."
    )
