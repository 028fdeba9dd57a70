"""Regression that outliers do not sway: `HuberRegressor`."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ..backends import as_backend_array
from ..core.fit_huber import fit_huber
from ._backend_choice import place_for_fit
from ._base import (
    ITERATION_CONSTRAINTS,
    OUR_CONSTRAINTS,
    LinearEstimator,
    LinearRegressorMixin,
)
from ._inputs import feature_names, name_of, read_features, send_features, to_host
from ._targets import read_sample_weight, read_targets, require_y


class HuberRegressor(LinearRegressorMixin, LinearEstimator):
    """Squared loss for small residuals, absolute loss for outliers, and a scale fitted alongside.

    minimize over coef, intercept, sigma > 0:
    sum_i w_i (sigma + H(r_i / sigma) sigma) + alpha ||coef||²,  r_i = y_i - x_i coef - intercept

    with H(z) = z² for abs(z) < epsilon, 2 epsilon abs(z) - epsilon² beyond.

    Parameters
    ----------
    epsilon : float, default=1.35
        From where a residual, in units of sigma, is an outlier; at least 1.
    max_iter : int, default=100
    alpha : float, default=0.0001
    warm_start : bool, default=False
    fit_intercept : bool, default=True
    tol : float, default=1e-5
        Stop at max(abs(gradient)) <= tol of the mean cost (scikit-learn: 1e-5 of the sum).
    backend, callbacks
        As in `LogisticRegression`. There is no `standardize` here.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_, scale_ : float
    outliers_ : ndarray of shape (n_samples,), bool
    n_features_in_, feature_names_in_, backend_, solver_, n_iter_, n_passes_, loss_history_, \
    gradient_norm_, stop_reason_, result_
        As in `LinearRegression`.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import HuberRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 2))
    >>> y = X @ [20.0, 34.0] + rng.standard_normal(200)
    >>> y[:4] += 500.0
    >>> model = HuberRegressor().fit(X, y)
    >>> model.coef_.round(0).tolist(), bool(model.outliers_[:4].all())
    ([20.0, 34.0], True)
    """

    scale_: np.float64

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "epsilon": [Interval(Real, 1.0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        **{name: rule for name, rule in ITERATION_CONSTRAINTS.items() if name != "verbose"},
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-5,
        backend: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.backend = backend
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HuberRegressor:
        """Fit to X of shape (n_samples, n_features) and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        who = name_of(self)
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=True)
        backend, X, y, weight = place_for_fit(self.backend, X, y, weight, who=who)
        y = read_targets(self, y, X, backend)
        weight = read_sample_weight(self, weight, X, backend)
        W_start, b_start = self._start(X, 1)
        fit = fit_huber(
            send_features(self, X, backend), y, epsilon=float(self.epsilon),
            alpha=float(self.alpha), sample_weight=weight, fit_intercept=self.fit_intercept,
            max_iter=self.max_iter, tol=self.tol, W_start=W_start, b_start=b_start,
            scale_start=None if W_start is None else float(self.scale_),
            callbacks=self._callbacks(), backend=backend, who=who,
            feature_names=feature_names(self),
        )  # fmt: skip
        self.coef_ = fit.W[:, 0].copy()
        self.intercept_ = np.float64(fit.b[0]) if self.fit_intercept else 0.0
        self.scale_ = np.float64(fit.scale)
        self.n_iter_ = int(fit.result.n_iter)
        self._record(fit, backend)
        raw, _ = self._raw_of(X)
        residual = np.abs(np.asarray(to_host(y)) - np.asarray(to_host(raw))[:, 0])
        self.outliers_ = residual > self.scale_ * self.epsilon
        return self
