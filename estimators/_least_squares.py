"""What `LinearRegression` and `Ridge` share: reading the data, several targets, attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin

from ..backends import Backend
from ..core.fit import LinearFit, choose_solver, fit_linear_model
from ..core.losses import HALF_SQUARED_ERROR
from ._base import LinearEstimator, LinearRegressorMixin
from ._fit_data import FitData, fit_options, read_regression
from ._inputs import name_of


class LeastSquares(MultiOutputMixin, LinearRegressorMixin, LinearEstimator):
    """What the two have in common: reading the data, several targets, the attributes."""

    fit_intercept: bool
    intercept_: Any

    def _fit_least_squares(
        self, X: Any, y: Any, sample_weight: Any, *, alpha: Any, solver: str, max_iter: int
    ) -> None:
        data = read_regression(self, X, y, sample_weight)
        self._fit_on(data, alpha=alpha, solver=solver, max_iter=max_iter)

    def _fit_on(self, data: FitData, *, alpha: Any, solver: str, max_iter: int) -> None:
        X, y = data.X, data.y
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        penalties = _penalties(alpha, n_targets, name_of(self)) / data.total
        options = {**fit_options(self, data), "solver": solver, "max_iter": max_iter}

        def fit_targets(targets: Any, penalty: float) -> Any:
            return fit_linear_model(X, targets, l2_reg_strength=float(penalty), **options)

        # One factorisation serves all targets with the same penalty; an iteration is one target's.
        exact = choose_solver(solver, HALF_SQUARED_ERROR, *X.shape) == "exact"
        if y.ndim == 1 or (exact and np.ptp(penalties) == 0.0):
            fits = [fit_targets(y, penalties[0])]
        else:
            fits = [fit_targets(y[:, k], penalties[k]) for k in range(n_targets)]
        set_fits(self, fits, data.backend, single=y.ndim == 1)


def set_fits(estimator: Any, fits: list[LinearFit], backend: Backend, *, single: bool) -> None:
    """Set coefficients and the attributes that tell how the fits of the targets went."""
    W = np.concatenate([fit.W for fit in fits], axis=1)
    b = np.concatenate([fit.b for fit in fits])
    estimator.coef_ = W[:, 0].copy() if single else np.ascontiguousarray(W.T)
    estimator.intercept_ = np.float64(b[0]) if single else b
    if not estimator.fit_intercept:
        estimator.intercept_ = 0.0
    estimator._record(max(fits, key=lambda fit: fit.result.gradient_norm), backend)
    estimator.n_iter_ = max(int(fit.result.n_iter) for fit in fits)
    estimator.n_passes_ = sum(int(fit.result.n_passes) for fit in fits)


def _penalties(alpha: Any, n_targets: int, who: str) -> np.ndarray[Any, Any]:
    penalties = np.asarray(alpha, dtype=np.float64).ravel()
    if penalties.shape[0] not in {1, n_targets}:
        message = (
            f"{who}: Number of targets and number of penalties do not correspond: y has "
            f"{n_targets} target(s), alpha has {penalties.shape[0]} values. Pass one alpha, or "
            "one for each target."
        )
        raise ValueError(message)
    if not (penalties >= 0.0).all() or not np.isfinite(penalties).all():
        message = f"{who}: alpha is {alpha!r}. Every penalty must be finite and at least 0."
        raise ValueError(message)
    return np.broadcast_to(penalties, (n_targets,))


def reject_positive(estimator: Any) -> None:
    """`positive=True` is accepted by name only: an error that says where to find it.

    Raises
    ------
    ValueError
    """
    if estimator.positive:
        message = (
            f"{name_of(estimator)}(positive=True): coefficients bounded by zero are not "
            f"implemented here. Leave positive=False, or use sklearn.linear_model."
            f"{name_of(estimator)}(positive=True)."
        )
        raise ValueError(message)
