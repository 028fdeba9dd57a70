"""Small networks that predict numbers: `MLPRegressor`.

Its `__init__` is longer than others: scikit-learn's protocol wants every parameter spelt out.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from ..backends import as_backend_array
from ..core.network import SquaredError
from ._backend_choice import place_for_fit
from ._base import LinearRegressorMixin
from ._constraints import OneOf
from ._inputs import like_input, name_of, narrowed_to, read_features
from ._labels import split_rows
from ._mlp_lbfgs import trains_by_batches
from ._mlp_options import MLP_CONSTRAINTS, NetworkEstimator
from ._targets import read_sample_weight, read_targets, require_y


class MLPRegressor(LinearRegressorMixin, NetworkEstimator):
    """Numbers from a small network of affine layers and activations, trained by mini-batches.

    minimize over all weights W and biases:
    0.5 * sum_i w_i ||raw_i - y_i||² / sum_i w_i
    + alpha / batch_size * (l1_ratio * sum(abs(W)) + 0.5 * (1 - l1_ratio) * sum(W²))

    With solver="lbfgs": on all rows, with alpha / sum_i w_i in place of alpha / batch_size.

    Targets and columns should be scaled: steps are of the size of the learning rate.

    Parameters
    ----------
    loss : {"squared_error"}, default="squared_error"
    hidden_layer_sizes, activation, ...
        As in `MLPClassifier`, without class_weight.

    Attributes
    ----------
    coefs_, intercepts_, network_, theta_, loss_history_, n_iter_, ...
        As in `MLPClassifier`, without `classes_`.

    Raises
    ------
    ValueError, MixedBackendError, DivergenceError
        As in `MLPClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import MLPRegressor
    >>> X = np.linspace(-2.0, 2.0, 200)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(32,), activation="tanh", batch_size=20,
    ...     learning_rate_init=0.01, random_state=0)
    >>> model.fit(X, np.sin(2.0 * X[:, 0])).score(X, np.sin(2.0 * X[:, 0])) > 0.98
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **MLP_CONSTRAINTS,
        "loss": [OneOf({"squared_error"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float | None = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        optimizer: Any = None,
        schedule: Any = None,
        dropout: float = 0.0,
        normalization: str | None = None,
        initializer: str | None = None,
        layers: Any = None,
        dtype: str = "float32",
        l1_ratio: float = 0.0,
        max_norm: float | None = None,
        average: bool | int = False,
        checkpoint: Any = None,
        resume: bool = False,
        backend: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.optimizer = optimizer
        self.schedule = schedule
        self.dropout = dropout
        self.normalization = normalization
        self.initializer = initializer
        self.layers = layers
        self.dtype = dtype
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.average = average
        self.checkpoint = checkpoint
        self.resume = resume
        self.backend = backend
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Fit to X of shape (n_samples, n_features) and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,) or None
        """
        goes_on = self.warm_start and hasattr(self, "theta_")
        return self._fit_targets(X, y, sample_weight, goes_on=goes_on, stop=True)

    @available_if(trains_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """One epoch over these rows, from where the last call ended.

        `early_stopping`, `checkpoint` and `resume` are for `fit`, and without effect here.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,) or None
        """
        goes_on = hasattr(self, "theta_")
        return self._fit_targets(X, y, sample_weight, goes_on=goes_on, stop=False)

    def _fit_targets(
        self, X: Any, y: Any, sample_weight: Any, *, goes_on: bool, stop: bool
    ) -> MLPRegressor:
        self._check_options()
        who, max_iter = name_of(self), self.max_iter if stop else 1
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=stop or not goes_on)
        n_samples = X.shape[0]
        numbers = self._numbers(n_samples, max_iter)
        backend, X, y, weight = place_for_fit(self.backend, X, y, weight, who=who, numbers=numbers)
        X = narrowed_to(self, X, backend, self.dtype)
        y = read_targets(self, y, X, backend, multi_output=True)
        y = y[:, None] if y.ndim == 1 else y
        weight = read_sample_weight(self, weight, X, backend)
        rng, held_out = self._generator(goes_on=goes_on and not stop), None
        if self.early_stopping and stop:
            held_out = split_rows(self, n_samples, float(self.validation_fraction), rng)
        fit = self._train(
            X, y, weight, SquaredError(), y.shape[1], backend, rng=rng, max_iter=max_iter,
            goes_on=goes_on, held_out=held_out, stop=stop,
        )  # fmt: skip
        n_rows = n_samples - (0 if held_out is None else len(held_out))
        self._finish(fit, backend, n_rows, further=goes_on and not stop)
        return self

    def predict(self, X: Any) -> Any:
        """The predicted targets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            An array of X's own library for arrays on a device.
        """
        raw, _ = self._raw_prediction(X)
        return like_input(raw[:, 0] if raw.shape[1] == 1 else raw, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
