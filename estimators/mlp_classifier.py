"""Small networks that classify: `MLPClassifier`.

It is longer than others: scikit-learn's protocol wants every parameter spelt out three times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from ..backends import Array, Backend, as_backend_array
from ..core.network import Output, SigmoidCrossEntropy, SoftmaxCrossEntropy
from ._backend_choice import place_for_fit
from ._class_weights import row_weights
from ._constraints import OneOf
from ._indicators import encode_indicators, has_several_labels
from ._inputs import as_target, beside, name_of, narrowed_to, read_features
from ._labels import (
    Labels,
    codes_among,
    encode_labels,
    held_on_host,
    known_classes,
    split_by_class,
    split_rows,
)
from ._mlp_lbfgs import trains_by_batches
from ._mlp_options import MLP_CONSTRAINTS, NetworkEstimator
from ._mlp_prediction import NetworkPredictionMixin
from ._targets import read_sample_weight, require_y


class MLPClassifier(NetworkPredictionMixin, NetworkEstimator):
    """Classes from a small network of affine layers and activations, trained by mini-batches.

    minimize over all weights W and biases:
    sum_i w_i loss(y_i, x_i) / sum_i w_i
    + alpha / batch_size * (l1_ratio * sum(abs(W)) + 0.5 * (1 - l1_ratio) * sum(W²))

    with the cross-entropy of softmax (three classes or more), or of a sigmoid (two classes; each
    label for itself, where y has several columns of 0 and 1).

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100,)
        Units of each hidden layer; () is a linear model.
    activation : {"identity", "logistic", "tanh", "relu", "leaky_relu", "gelu", "softplus"}, \
default="relu"
        Of hidden layers; "sigmoid" is "logistic".
    solver : {"adam", "lbfgs", "sgd"}, default="adam"
        "lbfgs" minimizes the cost of all rows, with alpha / sum_i w_i in place of
        alpha / batch_size: for small data. It takes no parameter of batches, nor dropout,
        normalization="batch", early_stopping, l1_ratio.
    alpha : float, default=0.0001
        As in scikit-learn, its share of a batch falls with the rows of the batch: the strength of
        the penalty is alpha / batch_size.
    batch_size : int or "auto", default="auto"
        "auto": 200, or all rows where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        With any solver but "lbfgs". "invscaling": learning_rate_init / t**power_t at step t.
        "adaptive": divided by 5 each time that n_iter_no_change epochs do not improve.
    learning_rate_init : float, default=0.001
    power_t : float, default=0.5
    max_iter : int, default=200
        Epochs; iterations of "lbfgs".
    shuffle : bool, default=True
    random_state : int, RandomState or None, default=None
        Draws initial weights, batches, dropout and splits: the same on every backend.
    tol : float or None, default=1e-4
        An epoch improves if it lowers the watched cost by more than this; "lbfgs" stops at
        max(abs(gradient)) <= tol. None: all max_iter.
    verbose : bool, default=False
    warm_start : bool, default=False
        Begin where the last fit ended.
    momentum : float, default=0.9
        Of "sgd", "momentum" and "nesterov".
    nesterovs_momentum : bool, default=True
        Of "sgd".
    early_stopping : bool, default=False
        Hold a part of the rows out, watch its loss (scikit-learn: its accuracy), keep the best
        epoch's parameters.
    validation_fraction : float, default=0.1
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of "adam" and "adamw".
    n_iter_no_change : int, default=10
        Epochs without improvement that end the fit.
    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"}, Optimizer \
or None, default=None
        In place of `solver`. "momentum" and "nesterov" are "sgd" with that kind of momentum. An
        Optimizer brings its own learning rate and numbers.
    schedule : str, callable or None, default=None
        A schedule of xpfit.core.schedules, in place of `learning_rate`. By name, "cosine" and
        "one_cycle" are as long as max_iter epochs; a callable is also in place of
        `learning_rate_init`.
    dropout : float, default=0.0
        Share of the units of each hidden layer that a training step leaves out.
    normalization : {"batch", "layer"} or None, default=None
        Before each activation.
    initializer : {"zeros", "normal", "xavier", "he", "orthogonal"} or None, default=None
        None: "xavier". Beside `layers`, of the affine layer that is added.
    layers : sequence of layers or None, default=None
        Of xpfit.core.network, in place of the sizes, activation, normalization and dropout above;
        an Affine layer of the size that y asks for is added.
    dtype : {"float32", "float64"}, default="float32"
        Of the parameters and the training ("lbfgs" on NumPy and Numba: always float64). X is read
        as it is stored; for "float32" on JAX in its 32-bit mode, host float64 is converted first.
    l1_ratio : float, default=0.0
        Share of the L1 penalty.
    class_weight : dict, "balanced" or None, default=None
    max_norm : float or None, default=None
        Gradients of a larger norm are scaled down to it.
    average : bool or int, default=False
        Predict with the mean of the parameters of all steps (from that step on).
    checkpoint : path or None, default=None
        A file that `fit` writes every second and at its end.
    resume : bool, default=False
        Go on from that file, if it is there, to the same result bit for bit.
    backend, callbacks
        As in `LogisticRegression`; a callback is called after each epoch, the first one of which
        is iteration 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        For several labels a row: 0, 1, ... for the columns of y.
    coefs_, intercepts_ : lists of ndarray
        Of the affine layers.
    network_, theta_ : Network and ndarray
        All layers, and all their arrays in one vector: `network_.unpack(theta_)`.
    n_layers_, n_outputs_, out_activation_ : int, int, str
    loss_history_, validation_loss_history_ : ndarray
        Mean cost of each epoch (of every batch before its step), or the cost before and after each
        iteration of "lbfgs"; loss of the held-out rows.
    loss_, best_loss_, loss_curve_ : float, float, list
        The last and the lowest of `loss_history_`, and all of it.
    n_iter_, t_ : int
        Epochs (iterations), and rows that they have read; `partial_fit` adds to them.
    n_features_in_, feature_names_in_, backend_, solver_, n_passes_, stop_reason_, result_
        As in `LogisticRegression`.

    Raises
    ------
    ValueError, MixedBackendError
        As in `LogisticRegression`; for layers that do not fit.
    DivergenceError
        Where the learning rate is too large: the message names step and layer, and the best
        epoch's parameters are set.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), batch_size=16, learning_rate_init=0.005, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        **MLP_CONSTRAINTS,
        "class_weight": [OneOf({"balanced"}), dict, None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
        max_norm: float | None = None,
        average: bool | int = False,
        checkpoint: Any = None,
        resume: bool = False,
        backend: str | None = None,
        callbacks: Any = None,
    ) -> None:
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
        self.class_weight = class_weight
        self.max_norm = max_norm
        self.average = average
        self.checkpoint = checkpoint
        self.resume = resume
        self.backend = backend
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Fit to X of shape (n_samples, n_features) and the class labels y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_labels) of 0 and 1
        sample_weight : array-like of shape (n_samples,) or None
        """
        self._check_options()
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=True)
        backend, X, weight = self._place(X, y, weight, self.max_iter)
        several = has_several_labels(y)
        labels = (encode_indicators if several else encode_labels)(self, y, X.shape[0])
        goes_on = self.warm_start and hasattr(self, "theta_")
        if goes_on and not np.array_equal(labels.classes, self.classes_):
            message = (
                f"{name_of(self)}(warm_start=True): the classes of y are "
                f"{labels.classes.tolist()!r}, and those of the last fit "
                f"{self.classes_.tolist()!r}. Set warm_start=False, or fit a clone()."
            )
            raise ValueError(message)
        rng, held_out = self._generator(goes_on=False), None
        if self.early_stopping:
            share = float(self.validation_fraction)
            if several:
                held_out = split_rows(self, X.shape[0], share, rng)
            else:
                held_out = split_by_class(self, labels, share, rng)
        return self._fit_labels(
            X, labels, weight, backend, rng=rng, max_iter=self.max_iter, held_out=held_out,
            goes_on=goes_on,
        )  # fmt: skip

    @available_if(trains_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """One epoch over these rows, from where the last call ended.

        `early_stopping`, `checkpoint` and `resume` are for `fit`, and without effect here.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_labels) of 0 and 1
        sample_weight : array-like of shape (n_samples,) or None
        classes : array-like of shape (n_classes,) or None
            All labels that will ever come; needed at the first call.
        """
        self._check_options()
        first = not hasattr(self, "classes_")
        known = known_classes(self, classes, first=first)
        y, weight = require_y(self, y), as_backend_array(sample_weight)
        X = read_features(self, X, reset=first)
        backend, X, weight = self._place(X, y, weight, 1)
        if has_several_labels(y):
            labels = encode_indicators(self, y, X.shape[0], n_labels=known.shape[0])
        else:
            labels = Labels(known, codes_among(self, y, known, X.shape[0]))
        return self._fit_labels(
            X, labels, weight, backend, rng=self._generator(goes_on=not first), max_iter=1,
            goes_on=not first, stop=False,
        )  # fmt: skip

    def _place(
        self, X: Array, y: Any, weight: Any, max_iter: int
    ) -> tuple[Backend, Array, Array | None]:
        placed_y = None if held_on_host(y) else y
        backend, X, _, weight = place_for_fit(
            self.backend, X, placed_y, weight, who=name_of(self),
            numbers=self._numbers(X.shape[0], max_iter),
        )  # fmt: skip
        X = narrowed_to(self, X, backend, self.dtype)
        return backend, X, read_sample_weight(self, weight, X, backend)

    def _fit_labels(
        self, X: Array, labels: Labels, weight: Array | None, backend: Backend, *, goes_on: bool,
        stop: bool = True, **more: Any,
    ) -> MLPClassifier:  # fmt: skip
        several = labels.codes.ndim == 2
        n_outputs = labels.classes.shape[0]
        output: Output = SigmoidCrossEntropy()
        if several:
            if self.class_weight is not None:
                message = (
                    f"{name_of(self)}(class_weight={self.class_weight!r}): y has several labels a "
                    "row, and a row one weight. Leave class_weight out, or give sample_weight."
                )
                raise ValueError(message)
            target = as_target(labels.codes, X, backend)
        else:
            weight = row_weights(self, labels, weight, X, backend)
            if n_outputs == 2:
                n_outputs, target = 1, as_target(labels.codes[:, None], X, backend)
            else:
                output, target = SoftmaxCrossEntropy(), beside(X, labels.codes, backend)
        fit = self._train(
            X, target, weight, output, n_outputs, backend, goes_on=goes_on, stop=stop, **more
        )
        self.classes_ = labels.classes
        held = more.get("held_out")
        n_rows = X.shape[0] - (0 if held is None else len(held))
        self._finish(fit, backend, n_rows, further=goes_on and not stop)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
