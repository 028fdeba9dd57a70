"""What `LinearRegression` and `Ridge` share: reading the data, several targets, attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin

from ..backends import as_backend_array
from ..core.fit import choose_solver, fit_linear_model
from ..core.losses import HALF_SQUARED_ERROR
from ._backend_choice import place_for_fit
from ._base import LinearEstimator, LinearRegressorMixin
from ._inputs import feature_names, name_of, read_features, send_features
from ._targets import read_sample_weight, read_targets, require_y


class LeastSquares(MultiOutputMixin, LinearRegressorMixin, LinearEstimator):
    """What the two have in common: reading the data, several targets, the attributes."""

    fit_intercept: bool
    tol: float
    standardize: bool

    def _fit_least_squares(
        self, X: Any, y: Any, sample_weight: Any, *, alpha: Any, solver: str, max_iter: int
    ) -> None:
        who = name_of(self)
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=True)
        backend, X, y, weight = place_for_fit(self.backend, X, y, weight, who=who)
        y = read_targets(self, y, X, backend, multi_output=True)
        weight = read_sample_weight(self, weight, X, backend)
        X = send_features(self, X, backend)
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        total = X.shape[0] if weight is None else float(backend.xp.sum(weight))
        penalties = _penalties(alpha, n_targets, who) / total

        def fit_targets(targets: Any, penalty: float) -> Any:
            return fit_linear_model(
                X, targets, loss=HALF_SQUARED_ERROR, sample_weight=weight,
                l2_reg_strength=float(penalty), fit_intercept=self.fit_intercept,
                standardize=self.standardize, solver=solver, max_iter=max_iter, tol=self.tol,
                callbacks=self._callbacks(), backend=backend, who=who,
                feature_names=feature_names(self),
            )  # fmt: skip

        # One factorisation serves all targets with the same penalty; an iteration is one target's.
        exact = choose_solver(solver, HALF_SQUARED_ERROR, *X.shape) == "exact"
        if y.ndim == 1 or (exact and np.ptp(penalties) == 0.0):
            fits = [fit_targets(y, penalties[0])]
        else:
            fits = [fit_targets(y[:, k], penalties[k]) for k in range(n_targets)]
        W = np.concatenate([fit.W for fit in fits], axis=1)
        b = np.concatenate([fit.b for fit in fits])
        self.coef_ = W[:, 0].copy() if y.ndim == 1 else np.ascontiguousarray(W.T)
        self.intercept_: Any = np.float64(b[0]) if y.ndim == 1 else b
        if not self.fit_intercept:
            self.intercept_ = 0.0
        self._record(max(fits, key=lambda fit: fit.result.gradient_norm), backend)
        self.n_iter_ = max(int(fit.result.n_iter) for fit in fits)
        self.n_passes_ = sum(int(fit.result.n_passes) for fit in fits)


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
