"""The data of a fit: read, checked, and placed where the backend computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Array, Backend, as_backend_array
from ..core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR, Loss
from ._backend_choice import place_for_fit
from ._class_weights import row_weights
from ._inputs import as_target, beside, feature_names, name_of, read_features, send_features
from ._labels import Labels, encode_labels, held_on_host
from ._targets import read_sample_weight, read_targets, require_y


@dataclass(frozen=True)
class FitData:
    """What a fit works on, all of it in the hands of one backend.

    Attributes
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
    y : array of shape (n_samples,) or (n_samples, n_targets)
        Targets; of a classifier the codes of its classes.
    weight : array of shape (n_samples,) or None
        Of rows, and of classes.
    sample_weight : array of shape (n_samples,) or None
        Of rows alone.
    backend : Backend
    loss : Loss
    labels : Labels or None
    """

    X: Any
    y: Array
    weight: Array | None
    sample_weight: Array | None
    backend: Backend
    loss: Loss
    labels: Labels | None = None

    @property
    def n_outputs(self) -> int:
        """Columns of W: 1, or the number of classes where there are more than two."""
        return self.labels.classes.shape[0] if self.loss.is_multiclass and self.labels else 1

    @property
    def total(self) -> float:
        """Sum of the weights."""
        if self.weight is None:
            return float(self.X.shape[0])
        return float(self.backend.xp.sum(self.weight))

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """The class of each row, as an index into `classes`."""
        assert self.labels is not None
        return self.labels.codes

    @property
    def classes(self) -> np.ndarray[Any, Any]:
        """The classes of a classifier."""
        assert self.labels is not None
        return self.labels.classes


def read_regression(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, multi_output: bool = True
) -> FitData:
    """X, numeric targets and weights, on the backend of the fit.

    Raises
    ------
    ValueError, MixedBackendError
        For y missing, bad shapes, NaN in y or weights, arrays on different devices.
    """
    y, weight = require_y(estimator, y), as_backend_array(sample_weight)
    X = read_features(estimator, X, reset=True)
    backend, X, y, weight = place_for_fit(estimator.backend, X, y, weight, who=name_of(estimator))
    y = read_targets(estimator, y, X, backend, multi_output=multi_output)
    weight = read_sample_weight(estimator, weight, X, backend)
    X = send_features(estimator, X, backend)
    return FitData(X, y, weight, weight, backend, HALF_SQUARED_ERROR)


def read_classification(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    numbers: Callable[[int], int] | None = None,
) -> FitData:
    """X, codes of the classes and weights of rows times classes, on the backend of the fit.

    `numbers` says how large X of so many rows counts for backend="auto", at least.

    Raises
    ------
    ValueError, MixedBackendError
        As `read_regression`, and for y that holds fewer than two classes or no labels.
    """
    y, weight = require_y(estimator, y), as_backend_array(sample_weight)
    X = read_features(estimator, X, reset=True)
    # Text labels fit no device; their codes are sent instead.
    placed_y = None if held_on_host(y) else y
    backend, X, placed_y, weight = place_for_fit(
        estimator.backend,
        X,
        placed_y,
        weight,
        who=name_of(estimator),
        numbers=0 if numbers is None else numbers(X.shape[0]),
    )
    labels = encode_labels(estimator, y if placed_y is None else placed_y, X.shape[0])
    own = read_sample_weight(estimator, weight, X, backend)
    weight = row_weights(estimator, labels, own, X, backend)
    X = send_features(estimator, X, backend)
    if labels.classes.shape[0] == 2:
        target, loss = as_target(labels.codes, X, backend), HALF_BINOMIAL
        return FitData(X, target, weight, own, backend, loss, labels)
    target = beside(X, labels.codes, backend)
    return FitData(X, target, weight, own, backend, HALF_MULTINOMIAL, labels)


def fit_options(estimator: Any, data: FitData) -> dict[str, Any]:
    """What every fit of `core` is told of the estimator and the data."""
    return {
        "loss": data.loss, "n_outputs": data.n_outputs, "backend": data.backend,
        "sample_weight": data.weight, "fit_intercept": estimator.fit_intercept,
        "standardize": estimator.standardize, "max_iter": getattr(estimator, "max_iter", 100),
        "tol": estimator.tol, "callbacks": estimator._callbacks(), "who": name_of(estimator),
        "feature_names": feature_names(estimator),
    }  # fmt: skip
