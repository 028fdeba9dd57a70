"""Linear models of any pointwise loss: `GeneralizedLinearRegressor`, `PoissonRegressor`."""

from __future__ import annotations

from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval

from ..backends import as_backend_array, get_backend
from ..core.fit import fit_linear_model
from ..core.losses import HALF_POISSON, PointwiseLoss
from ._backend_choice import place_for_fit
from ._base import (
    ITERATION_CONSTRAINTS,
    OUR_CONSTRAINTS,
    STANDARDIZE_CONSTRAINT,
    LinearEstimator,
    solver_constraint,
)
from ._constraints import OneOf
from ._explained import LOSS_NAMES, explained, loss_by_name
from ._inputs import feature_names, like_input, name_of, read_features, send_features, to_host
from ._targets import read_sample_weight, read_targets, require_y

# scikit-learn's names, and ours.
GLM_SOLVERS = {
    "auto": "auto",
    "lbfgs": "lbfgs",
    "newton": "newton",
    "newton-cholesky": "newton",
    "exact": "exact",
}


class _PointwiseRegressor(RegressorMixin, LinearEstimator):
    """minimize sum_i w_i loss(y_i, x_i coef + intercept) / sum_i w_i + 0.5 alpha ||coef||²."""

    alpha: float
    fit_intercept: bool
    solver: str
    max_iter: int
    tol: float
    standardize: bool

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "solver": solver_constraint(GLM_SOLVERS),
        **ITERATION_CONSTRAINTS,
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def _pointwise_loss(self) -> PointwiseLoss:
        raise NotImplementedError

    def _fit_pointwise(self, X: Any, y: Any, sample_weight: Any) -> None:
        who, loss = name_of(self), self._pointwise_loss()
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=True)
        backend, X, y, weight = place_for_fit(self.backend, X, y, weight, who=who)
        y = read_targets(self, y, X, backend, domain=loss.domain)
        weight = read_sample_weight(self, weight, X, backend)
        W_start, b_start = self._start(X, 1)
        fit = fit_linear_model(
            send_features(self, X, backend), y, loss=loss, n_outputs=1, sample_weight=weight,
            l2_reg_strength=float(self.alpha), fit_intercept=self.fit_intercept,
            standardize=self.standardize, solver=GLM_SOLVERS[self.solver],
            max_iter=self.max_iter, tol=self.tol, W_start=W_start, b_start=b_start,
            callbacks=self._callbacks(), backend=backend, who=who,
            feature_names=feature_names(self),
        )  # fmt: skip
        self.coef_ = fit.W[:, 0].copy()
        self.intercept_ = np.float64(fit.b[0]) if self.fit_intercept else 0.0
        self.n_iter_ = int(fit.result.n_iter)
        self._record(fit, backend)

    def predict(self, X: Any) -> Any:
        """The predicted mean: the loss's inverse link of X @ coef_ + intercept_.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
            An array of X's own library for arrays on a device.
        """
        raw, backend = self._raw_prediction(X)
        return like_input(self._pointwise_loss().inverse_link(backend.xp, raw[:, 0]), X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """D², the share of the loss that the model explains; R² for half_squared_error.

        D² = 1 - (loss of the model - least loss) / (loss of the best constant - least loss)

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        loss, host = self._pointwise_loss(), get_backend("numpy")
        raw = np.asarray(to_host(self._raw_prediction(X)[0])[:, 0], dtype=np.float64)
        targets = read_targets(self, to_host(require_y(self, y)), raw, host, domain=loss.domain)
        weight = read_sample_weight(self, to_host(sample_weight), raw, host)
        return explained(loss, targets, raw, weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # An invalid loss is reported by fit; tags must not fail.
        with suppress(KeyError, AttributeError):
            tags.target_tags.positive_only = self._pointwise_loss().domain[0] >= 0.0
        return tags


class PoissonRegressor(_PointwiseRegressor):
    """Counts: a linear model with the logarithm as link and the Poisson deviance as loss.

    minimize: sum_i w_i (exp(raw_i) - y_i raw_i) / sum_i w_i + 0.5 * alpha * ||coef||²

    Parameters
    ----------
    alpha : float, default=1.0
    fit_intercept : bool, default=True
    solver : {"auto", "lbfgs", "newton", "newton-cholesky"}, default="auto"
    max_iter : int, default=100
    tol : float, default=1e-5
        Stop at max(abs(gradient)) <= tol (scikit-learn: 1e-4).
    warm_start : bool, default=False
    verbose : int, default=0
    backend, standardize, callbacks
        As in `LogisticRegression`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    n_features_in_, feature_names_in_, backend_, solver_, n_iter_, n_passes_, loss_history_, \
    gradient_norm_, stop_reason_, result_
        As in `LinearRegression`; the cost is that of the formula.

    Raises
    ------
    ValueError
        For negative y, bad shapes, NaN or infinity (columns are named), bad weights.
    MixedBackendError
        For X, y and weights on different devices.

    Examples
    --------
    >>> from xpfit import PoissonRegressor
    >>> model = PoissonRegressor().fit([[1, 2], [2, 3], [3, 4], [4, 3]], [12, 17, 22, 21])
    >>> model.predict([[1, 1], [3, 4]]).round(3).tolist(), round(model.score(
    ...     [[1, 2], [2, 3], [3, 4], [4, 3]], [12, 17, 22, 21]), 3)
    ([10.676, 21.875], 0.99)
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-5,
        warm_start: bool = False,
        verbose: int = 0,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    def _pointwise_loss(self) -> PointwiseLoss:
        return HALF_POISSON

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PoissonRegressor:
        """Fit to X of shape (n_samples, n_features) and counts y >= 0.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        self._fit_pointwise(X, y, sample_weight)
        return self


class GeneralizedLinearRegressor(_PointwiseRegressor):
    """A linear model with a loss by name, or one of your own.

    minimize: sum_i w_i loss(y_i, x_i coef + intercept) / sum_i w_i + 0.5 * alpha * ||coef||²

    Parameters
    ----------
    loss : {"half_squared_error", "half_binomial", "half_poisson", "huber", "squared_hinge"} or \
            PointwiseLoss, default="half_squared_error"
        "huber" has the threshold 1.35 in units of y; `xpfit.core.losses.huber(delta)` is the
        same with another. "half_binomial" takes y in [0, 1], "squared_hinge" labels 0 and 1.
        A `xpfit.core.losses.PointwiseLoss` of three formulas runs on every backend.
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose, backend, standardize, \
    callbacks
        As in `PoissonRegressor`.

    Attributes
    ----------
    coef_, intercept_, n_features_in_, feature_names_in_, backend_, solver_, n_iter_, n_passes_, \
    loss_history_, gradient_norm_, stop_reason_, result_
        As in `PoissonRegressor`.

    Raises
    ------
    ValueError
        For y outside the loss's domain, and as in `PoissonRegressor`.

    Examples
    --------
    >>> from xpfit import GeneralizedLinearRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0], [4.0]], [0.0, 1.0, 2.0, 3.0, 60.0]
    >>> robust = GeneralizedLinearRegressor(loss="huber", alpha=0.0, fit_intercept=False)
    >>> robust.fit(X, y).predict([[2.0]]).round(2).tolist()
    [2.77]
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **_PointwiseRegressor._parameter_constraints,
        "loss": [OneOf(set(LOSS_NAMES)), PointwiseLoss],
    }

    def __init__(
        self,
        *,
        loss: str | PointwiseLoss = "half_squared_error",
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-5,
        warm_start: bool = False,
        verbose: int = 0,
        backend: str | None = None,
        standardize: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.backend = backend
        self.standardize = standardize
        self.callbacks = callbacks

    def _pointwise_loss(self) -> PointwiseLoss:
        return loss_by_name(self.loss) if isinstance(self.loss, str) else self.loss

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GeneralizedLinearRegressor:
        """Fit to X of shape (n_samples, n_features) and y in the domain of the loss.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        self._fit_pointwise(X, y, sample_weight)
        return self
