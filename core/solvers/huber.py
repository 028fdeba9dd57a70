"""Huber regression with its scale: Newton's method on coefficients, intercept and scale at once.

cost(W, b, sigma) = sum_i w_i (sigma + sigma * H((y_i - x_i W - b) / sigma)) + alpha * ||W||^2,
H(z) = z^2 for abs(z) <= epsilon, 2 epsilon abs(z) - epsilon^2 beyond

is jointly convex (Huber, Robust Statistics, section 7.7; the objective of scikit-learn's
HuberRegressor). Only samples within epsilon * sigma have curvature, and theirs is of rank one in
(W, b, sigma). So the Hessian comes from a Gram pass weighted by membership, and two sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ...backends import Array, Backend
from ..linalg import dot, max_abs, positive_solver
from ..losses import HALF_SQUARED_ERROR
from ..passes import loss_gradient, predict_raw, weighted_gram
from .line_search import cost_rounding, wolfe_search
from .result import (
    AT_PRECISION,
    CONVERGED,
    LINE_SEARCH_FAILED,
    OUT_OF_ITERATIONS,
    STOPPED_BY_CALLBACK,
    Callback,
    Coefficients,
    History,
    SolverResult,
)


class _Point(NamedTuple):
    theta: Array  # shape=(d + 2,): W, b, sigma
    value: float
    gradient: Array  # shape=(d + 2,)
    inlier_weight: Array  # shape=(n,): w_i inside epsilon * sigma, 0 outside


@dataclass
class HuberObjective:
    """The cost above, divided by the sum of the weights, as a function of (W, b, sigma)."""

    X: Any
    y: Array
    sample_weight: Array  # ones where none were given
    backend: Backend
    epsilon: float
    alpha: float
    fit_intercept: bool
    rows_read: int = 0
    on_overflow: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.weight_sum = float(self.backend.xp.sum(self.sample_weight))

    @property
    def n_passes(self) -> int:
        """Reads of X so far."""
        return self.rows_read // max(1, int(self.X.shape[0]))

    def _split(self, theta: Array) -> tuple[Array, Array]:
        d = self.X.shape[1]
        return theta[:d][:, None], theta[d : d + 1]

    def cost(self, theta: Array) -> Array:
        """The cost alone, shape (): the array operations of which `at` is the derivative."""
        W, b = self._split(theta)
        residual = self.y - predict_raw(self.X, W, b, backend=self.backend)[:, 0]
        return self._mean(residual, W, theta[self.X.shape[1] + 1])

    def _mean(self, residual: Array, W: Array, sigma: Array) -> Array:
        xp, size = self.backend.xp, self.backend.xp.abs(residual)
        inside = size <= self.epsilon * sigma
        squares = xp.where(inside, residual * residual / sigma, 0.0)
        linear = xp.where(inside, 0.0, 2.0 * self.epsilon * size - self.epsilon**2 * sigma)
        total = xp.sum(self.sample_weight * (sigma + squares + linear))
        return (total + self.alpha * xp.sum(W * W)) / self.weight_sum

    def at(self, theta: Array) -> _Point:
        """Cost and gradient, in two passes: residuals, then their products with X."""
        xp, d = self.backend.xp, self.X.shape[1]
        self.rows_read += 2 * int(self.X.shape[0])
        W, b = self._split(theta)
        sigma = theta[d + 1]
        residual = self.y - predict_raw(self.X, W, b, backend=self.backend)[:, 0]
        value = float(self._mean(residual, W, sigma))
        weight, inside = self.sample_weight, xp.abs(residual) <= self.epsilon * sigma
        clipped = xp.where(inside, residual / sigma, self.epsilon * xp.sign(residual))
        # The gradient of the half squared error at W = 0 with target t is -X' (w t).
        sums = loss_gradient(
            self.X, 2.0 * clipped, weight, xp.zeros_like(W), xp.zeros_like(b), HALF_SQUARED_ERROR,
            backend=self.backend,
        )  # fmt: skip
        grad_W = (sums.grad_W[:, 0] + 2.0 * self.alpha * W[:, 0]) / self.weight_sum
        grad_b = sums.grad_b / self.weight_sum if self.fit_intercept else xp.zeros_like(b)
        per_sample = 1.0 - xp.where(inside, (residual / sigma) ** 2, self.epsilon**2)
        grad_sigma = xp.reshape(xp.sum(weight * per_sample) / self.weight_sum, (1,))
        gradient = xp.concat([grad_W, grad_b, grad_sigma], axis=0)
        check, self.on_overflow = self.on_overflow, None
        if check is not None and not math.isfinite(value + float(xp.sum(gradient))):
            check()
        return _Point(theta, value, gradient, xp.where(inside, weight, 0.0))

    def hessian(self, point: _Point) -> Array:
        """(d + 2, d + 2): 2 / sigma * sum_inside w u u', u = [x, 1, residual / sigma]."""
        xp, d = self.backend.xp, self.X.shape[1]
        self.rows_read += int(self.X.shape[0])
        W, b = self._split(point.theta)
        sigma = point.theta[d + 1]
        sums, gram = weighted_gram(
            self.X, self.y, point.inlier_weight, W, b, HALF_SQUARED_ERROR, backend=self.backend
        )
        # sums hold the gradient of half the squared residuals: -X' (w r), and their half sum.
        edge = -xp.concat([sums.grad_W[:, 0], sums.grad_b], axis=0)[:, None] / sigma
        corner = xp.reshape(2.0 * sums.loss / sigma**2, (1, 1))
        # u changes sign with the residual: d residual / d(W, b) = -(x, 1).
        top = xp.concat([gram, edge], axis=1)
        full = xp.concat([top, xp.concat([edge.T, corner], axis=1)], axis=0)
        full = 2.0 / sigma * full / self.weight_sum
        index = xp.arange(d + 2, device=device(full))
        diagonal = 2.0 * self.alpha / self.weight_sum * xp.astype(index < d, full.dtype)
        full = full + xp.eye(d + 2, dtype=full.dtype, device=device(full)) * diagonal[None, :]
        if not self.fit_intercept:
            free = xp.astype(index != d, full.dtype)
            full = full * free[:, None] * free[None, :]
        return full


def minimize_huber(
    objective: HuberObjective,
    theta: Array,
    *,
    max_iter: int,
    tol: float,
    callbacks: Sequence[Callback] = (),
) -> SolverResult:
    """Newton's method with a Wolfe line search, started at theta = (W, b, sigma > 0)."""
    xp, d = objective.backend.xp, objective.X.shape[1]
    history = History(callbacks)
    point = objective.at(theta)

    def read() -> Coefficients:
        here = np.array(objective.backend.to_numpy(point.theta), dtype=np.float64)
        return here[:d, None], here[d : d + 1]

    stop = history.add(point.value, max_abs(xp, point.gradient), objective.n_passes, read)

    def done(reason: str) -> SolverResult:
        return history.result(point.theta, reason, "newton", objective.n_passes, tol)

    for iteration in range(max_iter + 1):
        if history.records[-1].gradient_norm <= tol:
            return done(CONVERGED)
        if stop:
            return done(STOPPED_BY_CALLBACK)
        if iteration == max_iter:
            return done(OUT_OF_ITERATIONS)
        along = -positive_solver(objective.backend, objective.hessian(point))(point.gradient)
        slope = dot(xp, point.gradient, along)
        if not slope < 0.0:
            along, slope = -point.gradient, -dot(xp, point.gradient, point.gradient)
        # sigma stays positive: no step takes more than nine tenths of it.
        sigma, change = float(point.theta[d + 1]), float(along[d + 1])
        longest = 0.9 * sigma / -change if change < 0.0 else float("inf")

        def evaluate(
            step: float, start: Array = point.theta, along: Array = along
        ) -> tuple[float, float, Any]:
            trial = objective.at(start + step * along)
            return trial.value, dot(xp, trial.gradient, along), trial

        eps = float(xp.finfo(point.gradient.dtype).eps)
        rounding = cost_rounding(point.value, eps)
        search = wolfe_search(evaluate, point.value, slope, min(1.0, longest), rounding, longest)
        if search.accepted is None:
            return done(AT_PRECISION if abs(slope) <= 100 * rounding else LINE_SEARCH_FAILED)
        point = search.accepted.point
        stop = history.add(point.value, max_abs(xp, point.gradient), objective.n_passes, read)
    raise AssertionError("unreachable")  # noqa: EM101
