"""Regression by mini-batch descent: `SGDRegressor`.

Its `__init__` is longer than others: scikit-learn's protocol wants every parameter spelt out.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from ..backends import as_backend_array
from ..core.loss import PointwiseLoss
from ..core.losses import (
    HALF_SQUARED_ERROR,
    huber,
)
from ._backend_choice import place_for_fit
from ._base import LinearRegressorMixin
from ._constraints import OneOf
from ._inputs import name_of, read_features
from ._labels import (
    split_rows,
)
from ._sgd_options import SGD_CONSTRAINTS, MinibatchEstimator
from ._targets import read_sample_weight, read_targets, require_y


class SGDRegressor(LinearRegressorMixin, MinibatchEstimator):
    """Linear regression by mini-batch descent.

    minimize over coef, intercept:
    sum_i w_i loss(y_i, x_i) / sum_i w_i
    + alpha * (l1_ratio * sum(abs(coef)) + 0.5 * (1 - l1_ratio) * ||coef||²)

    Parameters
    ----------
    loss : {"squared_error", "huber"} or PointwiseLoss, default="squared_error"
        "squared_error" is 0.5 (y - raw)². A loss of your own: docs/losses.md.
    epsilon : float, default=0.1
        Threshold of "huber", in units of y.
    learning_rate : {"optimal", "constant", "invscaling", "adaptive"}, default="invscaling"
    power_t : float, default=0.25
    penalty, alpha, l1_ratio, fit_intercept, max_iter, tol, shuffle, verbose, random_state, eta0, \
    early_stopping, validation_fraction, n_iter_no_change, warm_start, average, optimizer, \
    momentum, nesterov, schedule, batch_size, max_norm, checkpoint, resume, backend, callbacks
        As in `SGDClassifier`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : ndarray of shape (1,)
    n_features_in_, feature_names_in_, n_iter_, t_, backend_, solver_, n_passes_, loss_history_, \
    validation_loss_history_, stop_reason_, result_
        As in `SGDClassifier`.

    Raises
    ------
    ValueError, MixedBackendError, DivergenceError
        As in `SGDClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import SGDRegressor
    >>> X = np.linspace(-1.0, 1.0, 200)[:, None]
    >>> model = SGDRegressor(alpha=0.0, eta0=0.1, random_state=0).fit(X, 3.0 * X[:, 0] + 1.0)
    >>> model.coef_.round(2).tolist(), model.intercept_.round(2).tolist()
    ([3.0], [1.0])
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **SGD_CONSTRAINTS,
        "loss": [OneOf({"squared_error", "huber"}), PointwiseLoss],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: Any = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        average: bool | int = False,
        optimizer: Any = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        schedule: Any = None,
        batch_size: int = 1,
        max_norm: float | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        backend: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_norm = max_norm
        self.checkpoint = checkpoint
        self.resume = resume
        self.backend = backend
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SGDRegressor:
        """Fit to X of shape (n_samples, n_features) and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        if not (self.warm_start and hasattr(self, "coef_")):
            vars(self).pop("coef_", None)
        vars(self).pop("_descent", None)
        return self._fit_targets(X, y, sample_weight, max_iter=self.max_iter, stop=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SGDRegressor:
        """One epoch over these rows, from where the last call ended.

        `early_stopping`, `checkpoint` and `resume` are for `fit`, and without effect here.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        return self._fit_targets(X, y, sample_weight, max_iter=1, stop=False)

    def _basic_loss(self) -> PointwiseLoss:
        if isinstance(self.loss, PointwiseLoss):
            return self.loss
        return huber(float(self.epsilon)) if self.loss == "huber" else HALF_SQUARED_ERROR

    def _fit_targets(
        self, X: Any, y: Any, sample_weight: Any, *, max_iter: int, stop: bool
    ) -> SGDRegressor:
        self._check_options()
        who, loss, goes_on = name_of(self), self._basic_loss(), hasattr(self, "coef_")
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=stop or not goes_on)
        numbers = self._numbers(X.shape[0], max_iter)
        backend, X, y, weight = place_for_fit(self.backend, X, y, weight, who=who, numbers=numbers)
        y = read_targets(self, y, X, backend, domain=loss.domain)
        weight = read_sample_weight(self, weight, X, backend)
        rng, held_out = self._generator(), None
        if self.early_stopping and stop:
            held_out = split_rows(self, X.shape[0], float(self.validation_fraction), rng)
        start = self._descent_to_go_on(X, 1, backend) if goes_on else None
        fit = self._descend(
            X, y, weight, loss, 1, backend, rng=rng, max_iter=max_iter, held_out=held_out,
            start=start, stop=stop,
        )  # fmt: skip
        self.coef_ = fit.W[:, 0].copy()
        self.intercept_ = fit.b.copy()
        self._finish(fit, backend)
        return self
