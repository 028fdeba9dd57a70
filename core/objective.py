"""The cost that a solver minimizes: a weighted mean loss plus an L2 penalty.

cost(W, b) = sum_i w_i loss(y_i, x_i W + b) / sum_i w_i + 0.5 * l2_reg_strength * ||W||^2

The intercept b is free of the penalty. A solver sees one flat array `theta`, the rows of W and
then b, and never the data. Standardizing the columns is algebra on W and b: with column means
`shift` and deviations `scale`, W_raw = W / scale and b_raw = b - shift @ W_raw give the same
predictions on X as W and b on (X - shift) / scale, so X is neither copied nor changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from array_api_compat import device

from ..backends import Array, Backend
from .losses import Loss
from .passes import curvature_product, is_sparse, loss_gradient, weighted_gram

# The penalty's Hessian is kept up to this order: making it took a tenth of a small Newton step.
KEPT_ORDER = 256


@dataclass
class LinearObjective:
    """The cost of a linear model as a function of one flat array of parameters.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        In its stored dtype and order.
    y : array of shape (n_samples,)
    sample_weight : array of shape (n_samples,) or None
    loss : PointwiseLoss or MulticlassLoss
    backend : Backend
    n_outputs : int
        1, or the number of classes.
    l2_reg_strength : float
    fit_intercept : bool
    shift, scale : arrays of shape (n_features,) or None
        Means and deviations of the columns, where the penalty is to act on standardized
        coefficients.
    fused : bool or None
        Passed on to the passes.

    Attributes
    ----------
    rows_read : int
        Rows of X that all calls so far have read; divided by n_samples, the number of passes.
    on_overflow : callable or None
        Called once, if the first evaluation is not finite: NaN in X shows there at no cost.
    """

    X: Any
    y: Array
    sample_weight: Array | None
    loss: Loss
    backend: Backend
    n_outputs: int = 1
    l2_reg_strength: float = 0.0
    fit_intercept: bool = True
    shift: Array | None = None
    scale: Array | None = None
    fused: bool | None = None
    rows_read: int = 0
    on_overflow: Callable[[], None] | None = None
    weight_sum: float = field(init=False)
    dtype: Any = field(init=False)
    _penalty_hessian: Array | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        xp = self.backend.xp
        self.dtype = self.backend.compute_dtype(self.X.dtype)
        self.weight_sum = (
            float(self.X.shape[0])
            if self.sample_weight is None
            else float(xp.sum(self.sample_weight))
        )

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])

    @property
    def n_rows_of_theta(self) -> int:
        """Rows of theta as a matrix: n_features, and one for the intercept."""
        return self.n_features + int(self.fit_intercept)

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.n_rows_of_theta * self.n_outputs

    @property
    def n_passes(self) -> int:
        """Reads of X so far; a sample of rows counts as the part of X that it is."""
        return math.ceil(self.rows_read / max(1, self.n_samples))

    def as_matrix(self, theta: Array) -> Array:
        """theta as (n_features [+ 1], n_outputs)."""
        return self.backend.xp.reshape(theta, (self.n_rows_of_theta, self.n_outputs))

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """W and b for X as it is stored."""
        W, b = self._direction(theta)
        return W, b

    def _direction(self, theta: Array) -> tuple[Array, Array]:
        # The map from theta to (W_raw, b_raw) is linear: it serves points and directions alike.
        xp = self.backend.xp
        matrix = self.as_matrix(theta)
        W = matrix[: self.n_features, :]
        b = (
            matrix[self.n_features, :]
            if self.fit_intercept
            else xp.zeros((self.n_outputs,), dtype=theta.dtype, device=device(theta))
        )
        if self.scale is not None:
            W = W / self.scale[:, None]
        if self.shift is not None:
            b = b - self.shift @ W
        return W, b

    def theta_of(self, W: Array, b: Array) -> Array:
        """The flat parameters that stand for W and b of X as it is stored."""
        xp = self.backend.xp
        if self.shift is not None:
            b = b + self.shift @ W
        if self.scale is not None:
            W = W * self.scale[:, None]
        parts = [W, b[None, :]] if self.fit_intercept else [W]
        return xp.reshape(xp.concat(parts, axis=0), (self.size,))

    def _pull_back(self, grad_W: Array, grad_b: Array) -> Array:
        # Transpose of `_direction`: sums with respect to (W_raw, b_raw) -> with respect to theta.
        xp = self.backend.xp
        if self.shift is not None:
            grad_W = grad_W - self.shift[:, None] * grad_b[None, :]
        if self.scale is not None:
            grad_W = grad_W / self.scale[:, None]
        parts = [grad_W, grad_b[None, :]] if self.fit_intercept else [grad_W]
        return xp.reshape(xp.concat(parts, axis=0), (self.size,)) / self.weight_sum

    def _penalty_gradient(self, theta: Array) -> Array:
        xp = self.backend.xp
        matrix = self.as_matrix(theta)
        penalized = self.l2_reg_strength * matrix[: self.n_features, :]
        parts = [penalized, xp.zeros_like(matrix[self.n_features :, :])]
        return xp.reshape(xp.concat(parts, axis=0), (self.size,))

    def _checked(self, value: float, gradient: Array) -> None:
        if self.on_overflow is not None:
            # A NaN or an infinity anywhere in X makes some sum of the first pass not finite.
            finite = math.isfinite(value) and math.isfinite(float(self.backend.xp.sum(gradient)))
            check, self.on_overflow = self.on_overflow, None
            if not finite:
                check()

    def penalty(self, theta: Array) -> float:
        """0.5 * l2_reg_strength * ||W||^2, W on the standardized scale where there is one."""
        W = self.as_matrix(theta)[: self.n_features, :]
        return 0.5 * self.l2_reg_strength * float(self.backend.xp.sum(W * W))

    def value_gradient(self, theta: Array) -> tuple[float, Array]:
        """Cost and its gradient, in one pass."""
        self.rows_read += self.n_samples
        W, b = self._direction(theta)
        sums = loss_gradient(
            self.X, self.y, self.sample_weight, W, b, self.loss,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        gradient = self._pull_back(sums.grad_W, sums.grad_b) + self._penalty_gradient(theta)
        value = float(sums.loss) / self.weight_sum + self.penalty(theta)
        self._checked(value, gradient)
        return value, gradient

    def curvature_product(self, theta: Array, direction: Array) -> Array:
        """Hessian of the cost at theta, times a direction, in one pass."""
        self.rows_read += self.n_samples
        W, b = self._direction(theta)
        direction_W, direction_b = self._direction(direction)
        products = curvature_product(
            self.X, self.y, self.sample_weight, W, b, self.loss, direction_W, direction_b,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        return self._pull_back(*products) + self._penalty_gradient(direction)

    def value_gradient_hessian(self, theta: Array) -> tuple[float, Array, Array]:
        """Cost, gradient and Hessian (size, size), in one pass."""
        xp = self.backend.xp
        self.rows_read += self.n_samples
        W, b = self._direction(theta)
        sums, gram = weighted_gram(
            self.X, self.y, self.sample_weight, W, b, self.loss,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        gradient = self._pull_back(sums.grad_W, sums.grad_b) + self._penalty_gradient(theta)
        value = float(sums.loss) / self.weight_sum + self.penalty(theta)
        if self.on_overflow is not None:
            self._checked(value + float(xp.sum(xp.linalg.diagonal(gram))), gradient)
        hessian = self._pull_back_hessian(gram) / self.weight_sum
        penalty = self._penalty_hessian
        if penalty is None:
            index = xp.arange(self.size, device=device(hessian))
            penalized = xp.astype(index < self.n_features * self.n_outputs, hessian.dtype)
            eye = xp.eye(self.size, dtype=hessian.dtype, device=device(hessian))
            penalty = eye * (self.l2_reg_strength * penalized)[None, :]
            if self.size <= KEPT_ORDER:
                self._penalty_hessian = penalty
        return value, gradient, hessian + penalty

    def _pull_back_hessian(self, gram: Array) -> Array:
        # T' H T, T the map of `_direction`; rows of H are shifted, scaled and cut like gradients.
        xp, d, K = self.backend.xp, self.n_features, self.n_outputs
        if self.fit_intercept and self.shift is None and self.scale is None:
            return gram
        for _ in range(2):
            rows = xp.reshape(gram, (d + 1, -1))
            inner, last = rows[:d, :], rows[d:, :]
            if self.shift is not None:
                inner = inner - self.shift[:, None] * last
            if self.scale is not None:
                inner = inner / self.scale[:, None]
            parts = [inner, last] if self.fit_intercept else [inner]
            gram = xp.reshape(xp.concat(parts, axis=0), (self.n_rows_of_theta * K, -1)).T
        return gram

    def sample(self, n_rows: int, seed: int = 0) -> LinearObjective:
        """The same objective on `n_rows` rows drawn with known chances (all, if there are fewer).

        Half of the draw is uniform, half gives every class the same share: rare classes are where
        a uniform sample knows least of the Hessian. Weights make up for unequal chances. The draw
        is by NumPy's generator on the host, so every backend takes the same rows.
        """
        if n_rows >= self.n_samples:
            return replace(self, rows_read=0, on_overflow=None)
        rng, candidates = np.random.default_rng(seed), None
        if self.sample_weight is not None:
            # Rows without weight say nothing, and a sample of nothing else has no mean.
            candidates = np.flatnonzero(self.backend.to_numpy(self.sample_weight) > 0)
        n_candidates = self.n_samples if candidates is None else candidates.shape[0]
        if not self.loss.is_multiclass or n_candidates <= n_rows:
            n_rows = min(n_rows, n_candidates)
            drawn = rng.choice(n_candidates, n_rows, replace=False, shuffle=False)
            drawn = np.sort(drawn if candidates is None else candidates[drawn])
            return self._at_rows(drawn, None)
        labels = self.backend.to_numpy(self.y)
        labels = labels if candidates is None else labels[candidates]
        counts = np.bincount(labels, minlength=self.n_outputs)
        chance = 0.5 / n_candidates + 0.5 / (np.count_nonzero(counts) * counts[labels])
        drawn = np.sort(rng.choice(n_candidates, n_rows, p=chance))
        factor = 1.0 / (n_candidates * chance[drawn])
        return self._at_rows(drawn if candidates is None else candidates[drawn], factor)

    def centred(self) -> LinearObjective:
        """The same function of theta, with `shift` taken off the rows: a copy, for samples.

        What a Gram matrix of the rows as they are would lose to a large mean is kept.
        """
        if self.shift is None or is_sparse(self.X):
            return self
        xp = self.backend.xp
        X = xp.astype(self.X, self.dtype) - self.shift[None, :]
        return replace(self, X=X, shift=None, rows_read=0)

    def _at_rows(
        self, drawn: np.ndarray[Any, Any], factor: np.ndarray[Any, Any] | None
    ) -> LinearObjective:
        xp, rows = self.backend.xp, self.backend.from_numpy(drawn)
        X = self.X[drawn, :] if is_sparse(self.X) else xp.take(self.X, rows, axis=0)
        weight = None if self.sample_weight is None else xp.take(self.sample_weight, rows, axis=0)
        if factor is not None:
            narrow = np.float32 if xp.finfo(self.dtype).bits == 32 else np.float64
            moved = self.backend.from_numpy(factor.astype(narrow))
            weight = moved if weight is None else weight * moved
        return replace(
            self, X=X, y=xp.take(self.y, rows, axis=0), sample_weight=weight, rows_read=0,
            on_overflow=None,
        )  # fmt: skip
