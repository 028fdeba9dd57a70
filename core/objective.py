"""The cost that a solver minimizes: a weighted mean loss plus an L2 penalty.

cost(W, b) = sum_i w_i loss(y_i, x_i W + b) / sum_i w_i + 0.5 * l2_reg_strength * ||W||^2

The intercept b is free of the penalty. A solver sees one flat array `theta`, the rows of W and
then b, and never the data. Standardizing the columns is algebra on W and b (`scaling.py`), so X is
neither copied nor changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ..backends import Array, Backend, Namespace
from .dispatch import can_compile, compiled
from .dtypes import host_dtype
from .losses import Loss
from .passes import PassSums, curvature_product, loss_gradient, weighted_gram
from .scaling import Scaling

# The penalty's Hessian is kept up to this order: making it took a tenth of a small Newton step.
KEPT_ORDER = 256


class _Parts(NamedTuple):
    """What of an objective is arrays and numbers: a compiled function takes it as an argument."""

    X: Any
    y: Array
    sample_weight: Array | None
    shift: Array | None
    scale: Array | None
    l2_reg_strength: float
    weight_sum: float
    loss_parameters: tuple[float, ...]


class _Form(NamedTuple):
    """The rest of an objective, on which a compiled function depends."""

    loss: Loss  # without its parameters
    captured: tuple[float, ...]
    n_outputs: int
    fit_intercept: bool


def _run_on_parts(
    _: Namespace, backend: Backend, function: Callable[..., Any], form: _Form,
    static: tuple[Hashable, ...], parts: _Parts, *arrays: Any,
) -> Any:  # fmt: skip
    loss = form.loss
    if parts.loss_parameters:
        loss = replace(loss, parameters=parts.loss_parameters)
    objective = LinearObjective(
        parts.X, parts.y, parts.sample_weight, loss, backend, form.n_outputs,
        parts.l2_reg_strength, form.fit_intercept, parts.shift, parts.scale, True,
        weight_sum=parts.weight_sum,
    )  # fmt: skip
    return function(objective, *static, *arrays)


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
    centre : array of shape (n_features,) or None
        Means of columns that are far larger than their spread, where there are such columns.
    weight_sum : float
        Sum of the weights, n_samples without; found where it is not given.
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
    centre: Array | None = None
    weight_sum: Any = None
    dtype: Any = field(init=False)
    _diagonal: Array | None = field(default=None, init=False, repr=False)
    _penalty_hessian: Array | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        xp = self.backend.xp
        self.dtype = self.backend.compute_dtype(self.X.dtype)
        if self.weight_sum is None:
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
    def host_dtype(self) -> Any:
        """NumPy's name for `dtype`."""
        return host_dtype(self.dtype)

    @property
    def n_passes(self) -> int:
        """Reads of X so far; a sample of rows counts as the part of X that it is."""
        return math.ceil(self.rows_read / max(1, self.n_samples))

    def as_matrix(self, theta: Array) -> Array:
        """theta as (n_features [+ 1], n_outputs)."""
        return self.backend.xp.reshape(theta, (self.n_rows_of_theta, self.n_outputs))

    @property
    def scaling(self) -> Scaling:
        """The map from theta to coefficients."""
        return Scaling(self.backend.xp, self.shift, self.scale, self.fit_intercept)

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """W and b for X as it is stored."""
        return self.scaling.to_raw(self.as_matrix(theta))

    def read(self, theta: Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """As `coefficients`, on the host and float64."""
        to_numpy = self.backend.to_numpy
        W, b = (np.array(to_numpy(a), dtype=np.float64) for a in self.coefficients(theta))
        return W, b

    def theta_of(self, W: Array, b: Array) -> Array:
        """The flat parameters that stand for W and b of X as it is stored."""
        return self.backend.xp.reshape(self.scaling.from_raw(W, b), (self.size,))

    def _pull_back(self, grad_W: Array, grad_b: Array) -> Array:
        # Sums with respect to (W_raw, b_raw) -> means with respect to theta.
        gradient = self.scaling.pull_back(grad_W, grad_b)
        return self.backend.xp.reshape(gradient, (self.size,)) / self.weight_sum

    def _penalty_diagonal(self, theta: Array) -> Array:
        """The penalty's Hessian is diagonal: l2_reg_strength, and 0 for the intercept."""
        if self._diagonal is None:
            xp = self.backend.xp
            index = xp.arange(self.size, device=device(theta))
            penalized = xp.astype(index < self.n_features * self.n_outputs, theta.dtype)
            self._diagonal = self.l2_reg_strength * penalized
        return self._diagonal

    def _with_penalty(self, sums: PassSums, theta: Array) -> tuple[Array, Array]:
        # The cost and its gradient; 0.5 * l2_reg_strength * ||W||^2, W on the standardized scale
        # where there is one.
        along = self._penalty_diagonal(theta) * theta
        value = sums.loss / self.weight_sum + 0.5 * (theta @ along)
        return value, self._pull_back(sums.grad_W, sums.grad_b) + along

    def _checked(self, value: float, gradient: Array) -> None:
        if self.on_overflow is not None:
            # A NaN or an infinity anywhere in X makes some sum of the first pass not finite.
            finite = math.isfinite(value) and math.isfinite(float(self.backend.xp.sum(gradient)))
            check, self.on_overflow = self.on_overflow, None
            if not finite:
                check()

    @property
    def compiles(self) -> bool:
        """Whether `compiled` compiles."""
        return can_compile(self.backend, "loss_gradient", self.X, fused=self.fused)

    def compiled(
        self, function: Callable[..., Any], *static: Hashable, donate: tuple[int, ...] = ()
    ) -> Callable[..., Any]:
        """`function(self, *static, *arrays)` as a function of the arrays, compiled where the
        backend compiles: once for each loss, shape and dtype, not for each objective.
        """
        if not self.compiles:
            return partial(function, self, *static)
        parts, form = self._split()
        run = compiled(
            self.backend, _run_on_parts, self.backend, function, form, static,
            donate=tuple(position + 1 for position in donate),
        )  # fmt: skip
        return partial(run, parts)

    def _split(self) -> tuple[_Parts, _Form]:
        loss = self.loss
        parts = _Parts(
            self.X, self.y, self.sample_weight, self.shift, self.scale, self.l2_reg_strength,
            self.weight_sum, loss.parameters,
        )  # fmt: skip
        form = _Form(
            replace(loss, parameters=()) if loss.parameters else loss,
            loss.captured_numbers(), self.n_outputs, self.fit_intercept,
        )  # fmt: skip
        return parts, form

    def value_gradient(self, theta: Array) -> tuple[float, Array]:
        """Cost and its gradient, in one pass."""
        self.rows_read += self.n_samples
        found, gradient = self.compiled(LinearObjective.cost_gradient)(theta)
        value = float(found)
        self._checked(value, gradient)
        return value, gradient

    def cost_gradient(self, theta: Array) -> tuple[Array, Array]:
        """As `value_gradient`, but a function of theta alone: it counts and checks nothing."""
        W, b = self.coefficients(theta)
        sums = loss_gradient(
            self.X, self.y, self.sample_weight, W, b, self.loss,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        return self._with_penalty(sums, theta)

    def curvature_product(self, theta: Array, direction: Array) -> Array:
        """Hessian of the cost at theta, times a direction, in one pass."""
        self.rows_read += self.n_samples
        W, b = self.coefficients(theta)
        direction_W, direction_b = self.coefficients(direction)
        products = curvature_product(
            self.X, self.y, self.sample_weight, W, b, self.loss, direction_W, direction_b,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        return self._pull_back(*products) + self._penalty_diagonal(direction) * direction

    def value_gradient_hessian(self, theta: Array) -> tuple[float, Array, Array]:
        """Cost, gradient and Hessian (size, size), in one pass."""
        self.rows_read += self.n_samples
        found, gradient, hessian = self.compiled(LinearObjective.cost_gradient_hessian)(theta)
        value = float(found)
        if self.on_overflow is not None:
            xp = self.backend.xp
            self._checked(value + float(xp.sum(xp.linalg.diagonal(hessian))), gradient)
        return value, gradient, hessian

    def cost_gradient_hessian(self, theta: Array) -> tuple[Array, Array, Array]:
        """As `value_gradient_hessian`, but a function of theta alone."""
        xp = self.backend.xp
        W, b = self.coefficients(theta)
        sums, gram = weighted_gram(
            self.X, self.y, self.sample_weight, W, b, self.loss,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        value, gradient = self._with_penalty(sums, theta)
        hessian = self.scaling.pull_back_hessian(gram, self.n_outputs) / self.weight_sum
        penalty = self._penalty_hessian
        if penalty is None:
            eye = xp.eye(self.size, dtype=hessian.dtype, device=device(hessian))
            penalty = eye * self._penalty_diagonal(theta)[None, :]
            if self.size <= KEPT_ORDER:
                self._penalty_hessian = penalty
        return value, gradient, hessian + penalty
