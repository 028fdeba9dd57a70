"""Classifiers by mini-batch descent: `SGDClassifier`.

It is longer than others: scikit-learn's protocol wants every parameter spelt out three times.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from ..backends import Array, Backend, as_backend_array
from ..core.loss import Loss, PointwiseLoss
from ..core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    SQUARED_HINGE,
)
from ._backend_choice import place_for_fit
from ._class_weights import row_weights
from ._constraints import OneOf
from ._inputs import as_target, beside, name_of, read_features
from ._labels import (
    Labels,
    codes_among,
    encode_labels,
    held_on_host,
    known_classes,
    split_by_class,
)
from ._logistic_prediction import LogisticPredictionMixin
from ._sgd_options import SGD_CONSTRAINTS, MinibatchEstimator
from ._targets import read_sample_weight, require_y


def _has_probabilities(estimator: Any) -> bool:
    if estimator.loss != "log_loss":
        message = f"loss={estimator.loss!r} has no probabilities; loss='log_loss' has."
        raise AttributeError(message)
    return True


class SGDClassifier(LogisticPredictionMixin, MinibatchEstimator):
    """Linear classifiers by mini-batch descent: every optimizer, any batch size, one call an epoch.

    minimize over coef, intercept:
    sum_i w_i loss(y_i, x_i) / sum_i w_i
    + alpha * (l1_ratio * sum(abs(coef)) + 0.5 * (1 - l1_ratio) * ||coef||²)

    with the loss of `LogisticRegression` ("log_loss"; softmax for three classes or more), or
    0.5 * max(0, 1 - s raw)², s = ±1 ("squared_hinge", two classes).

    Parameters
    ----------
    loss : {"log_loss", "squared_hinge"}, default="log_loss"
        scikit-learn's default, "hinge", has no curvature and is not here.
    penalty : {"l2", "l1", "elasticnet", None}, default="l2"
        "l1" and "elasticnet": each step ends by a soft threshold of the learning rate times
        alpha * l1_ratio, so coefficients are exact zeros; see docs/estimators.md for "adam" and
        its like, whose steps are no multiples of the gradient.
    alpha : float, default=0.0001
    l1_ratio : float, default=0.15
        Share of the L1 penalty, for "elasticnet"; "l2" is 0, "l1" is 1.
    fit_intercept : bool, default=True
    max_iter : int, default=1000
        Epochs.
    tol : float or None, default=1e-3
        An epoch improves if it lowers the watched cost by more than this. None: all max_iter.
    shuffle : bool, default=True
    verbose : int, default=0
    n_jobs : int, default=None
        Accepted, without effect.
    random_state : int, RandomState or None, default=None
        Shuffles and splits; the same on every backend.
    learning_rate : {"optimal", "constant", "invscaling", "adaptive"}, default="optimal"
        "optimal": 1 / (alpha (t + t0)), for plain descent; other optimizers take eta0 there.
        "invscaling": eta0 / t**power_t. "adaptive": eta0, divided by 5 each time that
        n_iter_no_change epochs do not improve.
    eta0 : float, default=0.01
    power_t : float, default=0.5
    early_stopping : bool, default=False
        Hold a part of the rows out, watch its loss, keep the best epoch's parameters.
    validation_fraction : float, default=0.1
    n_iter_no_change : int, default=10
        Epochs without improvement that end the fit (scikit-learn: 5).
    class_weight : dict, "balanced" or None, default=None
    warm_start : bool, default=False
    average : bool or int, default=False
        Mean of the parameters of all steps (from that step on). Means of an L1 penalty's
        coefficients are rarely zero.
    optimizer : {"sgd", "adagrad", "rmsprop", "adam", "adamw"} or Optimizer, default="sgd"
    momentum : float, default=0.0
    nesterov : bool, default=False
        Both for optimizer="sgd".
    schedule : str, callable or None, default=None
        A schedule of xpfit.core.schedules, in place of `learning_rate`. By name, "cosine" and
        "one_cycle" are as long as max_iter epochs.
    batch_size : int, default=1
        From 1 to all rows.
    max_norm : float or None, default=None
        Gradients of a larger norm are scaled down to it.
    checkpoint : path or None, default=None
        A file that `fit` writes every second and at its end.
    resume : bool, default=False
        Go on from that file, if it is there, to the same result bit for bit.
    backend, callbacks
        As in `LogisticRegression`; a callback is called after each epoch.

    Attributes
    ----------
    classes_, coef_, intercept_, n_features_in_, feature_names_in_, backend_, solver_, n_passes_, \
    stop_reason_, result_
        As in `LogisticRegression`.
    n_iter_ : int
        Epochs.
    t_ : float
        Steps taken, and one.
    loss_history_ : ndarray
        Mean cost of each epoch, of every batch before its step.
    validation_loss_history_ : ndarray
        Loss of the held-out rows after each epoch.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LogisticRegression`.
    DivergenceError
        Where the learning rate is too large; the best epoch's coefficients are set.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import SGDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SGDClassifier(optimizer="adam", eta0=0.05, batch_size=16, random_state=0)
    >>> round(model.fit(X, y).score(X, y), 2)
    0.97
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **SGD_CONSTRAINTS,
        "loss": [OneOf({"log_loss", "squared_hinge"})],
        "n_jobs": [None, Integral],
        "class_weight": [OneOf({"balanced"}), dict, None],
    }

    def __init__(
        self,
        loss: str = "log_loss",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
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
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
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
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SGDClassifier:
        """Fit to X of shape (n_samples, n_features) and the class labels y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        self._check_options()
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=True)
        backend, X, weight = self._place(X, y, weight, self.max_iter)
        labels = encode_labels(self, y, X.shape[0])
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            vars(self).pop("_descent", None)
            start = self._descent_to_go_on(X, self._n_outputs(labels.classes), backend)
        rng, held_out = self._generator(), None
        if self.early_stopping:
            held_out = split_by_class(self, labels, float(self.validation_fraction), rng)
        weight = row_weights(self, labels, weight, X, backend)
        self._fit_labels(
            X, labels, weight, backend, rng=rng, max_iter=self.max_iter, held_out=held_out,
            start=start,
        )  # fmt: skip
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> SGDClassifier:
        """One epoch over these rows, from where the last call ended.

        `early_stopping`, `checkpoint` and `resume` are for `fit`, and without effect here.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,) or None
            All labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n_samples,) or None
        """
        self._check_options()
        first = not hasattr(self, "classes_")
        known = known_classes(self, classes, first=first)
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=first)
        backend, X, weight = self._place(X, y, weight, 1)
        labels = Labels(known, codes_among(self, y, known, X.shape[0]))
        weight = row_weights(self, labels, weight, X, backend)
        start = None
        if not first:
            start = self._descent_to_go_on(X, self._n_outputs(known), backend)
        self._fit_labels(
            X, labels, weight, backend, rng=self._generator(), max_iter=1, start=start, stop=False
        )
        return self

    predict_proba = available_if(_has_probabilities)(LogisticPredictionMixin.predict_proba)
    predict_log_proba = available_if(_has_probabilities)(LogisticPredictionMixin.predict_log_proba)

    def _place(
        self, X: Array, y: Any, weight: Any, max_iter: int
    ) -> tuple[Backend, Array, Array | None]:
        placed_y = None if held_on_host(y) else y
        backend, X, _, weight = place_for_fit(
            self.backend, X, placed_y, weight, who=name_of(self),
            numbers=self._numbers(X.shape[0], max_iter),
        )  # fmt: skip
        return backend, X, read_sample_weight(self, weight, X, backend)

    def _n_outputs(self, classes: np.ndarray[Any, Any]) -> int:
        return 1 if classes.shape[0] == 2 else classes.shape[0]

    def _basic_loss(self) -> PointwiseLoss:
        return HALF_BINOMIAL if self.loss == "log_loss" else SQUARED_HINGE

    def _loss(self, n_classes: int) -> Loss:
        if n_classes == 2:
            return self._basic_loss()
        if self.loss == "log_loss":
            return HALF_MULTINOMIAL
        message = (
            f"{name_of(self)}(loss='squared_hinge'): only two classes, and y has {n_classes}. "
            "Use loss='log_loss', or sklearn.multiclass.OneVsRestClassifier."
        )
        raise ValueError(message)

    def _fit_labels(
        self, X: Array, labels: Labels, weight: Array | None, backend: Backend, **more: Any
    ) -> None:
        n_classes = labels.classes.shape[0]
        binary = n_classes == 2
        target = as_target(labels.codes, X, backend) if binary else beside(X, labels.codes, backend)
        fit = self._descend(
            X, target, weight, self._loss(n_classes), self._n_outputs(labels.classes), backend,
            **more,
        )  # fmt: skip
        self.classes_ = labels.classes
        self.coef_ = np.ascontiguousarray(fit.W.T)
        self.intercept_ = fit.b.copy()
        self._finish(fit, backend)
