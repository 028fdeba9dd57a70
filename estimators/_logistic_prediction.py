"""What a fitted logistic regression answers: labels, probabilities, log-odds, accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from ..backends import Array, Backend, backend_of
from ..core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL
from ._inputs import beside, like_input, to_host


class LogisticPredictionMixin(ClassifierMixin):
    """Predictions from raw predictions, on the backend of X; numbers stay where X is."""

    classes_: np.ndarray[Any, Any]

    def _raw_scores(self, X: Any) -> tuple[Array, Backend]:
        raw, backend = self._raw_prediction(X)
        return (raw[:, 0] if raw.shape[1] == 1 else raw), backend

    def decision_function(self, X: Any) -> Any:
        """Raw predictions: log-odds of classes_[1], or one column per class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
        """
        return like_input(self._raw_scores(X)[0], X)

    def predict(self, X: Any) -> Any:
        """The likeliest class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
            For arrays on a device: on that device, unless the labels are text.
        """
        raw, backend = self._raw_scores(X)
        xp = backend.xp
        codes = xp.astype(raw > 0, xp.int32) if raw.ndim == 1 else xp.argmax(raw, axis=1)
        # Labels that no device library can hold stay on the host.
        if backend_of(raw) is None or self.classes_.dtype.kind not in "biuf":
            return like_input(self.classes_[np.asarray(to_host(codes))], X)
        classes = self.classes_
        if classes.dtype.kind == "f":
            # Whole numbers: as exact in the dtype of the computation, which the library has.
            classes = classes.astype(np.dtype(raw.dtype))
        return like_input(xp.take(beside(raw, classes, backend), codes), X)

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, columns in the order of `classes_`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        raw, backend = self._raw_scores(X)
        xp = backend.xp
        if raw.ndim == 1:
            # 1 - p would lose a small probability's digits: each side is computed by itself.
            sides = [HALF_BINOMIAL.inverse_link(xp, -raw), HALF_BINOMIAL.inverse_link(xp, raw)]
            return like_input(xp.stack(sides, axis=1), X)
        return like_input(HALF_MULTINOMIAL.inverse_link(xp, raw), X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of the probability of each class, finite where the probability underflows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        raw, backend = self._raw_scores(X)
        xp = backend.xp
        if raw.ndim == 1:
            tail = xp.log1p(xp.exp(-xp.abs(raw)))
            down = 0.5 * (raw - xp.abs(raw))  # min(raw, 0)
            return like_input(xp.stack([(down - raw) - tail, down - tail], axis=1), X)
        shifted = raw - xp.max(raw, axis=1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))
        return like_input(shifted - total, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows (by weight) whose class is predicted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        predicted = to_host(self.predict(X))
        return float(accuracy_score(to_host(y), predicted, sample_weight=to_host(sample_weight)))
