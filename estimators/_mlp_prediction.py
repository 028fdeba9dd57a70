"""What a fitted `MLPClassifier` answers: as a logistic regression, and for several labels a row."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..backends import backend_of
from ..core.losses import HALF_BINOMIAL
from ..core.network import Network, SigmoidCrossEntropy
from ._inputs import like_input
from ._logistic_prediction import LogisticPredictionMixin


class NetworkPredictionMixin(LogisticPredictionMixin):
    """Predictions from the output of the last layer, on the backend of X."""

    network_: Network

    @property
    def _has_several_labels(self) -> bool:
        output, n_outputs = self.network_.output, self.network_.n_outputs
        return isinstance(output, SigmoidCrossEntropy) and n_outputs > 1

    def predict(self, X: Any) -> Any:
        """The likeliest class of each row; the labels of each row as 0 and 1 where y had several.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_labels)
            For arrays on a device: on that device, unless the labels are text.
        """
        check_is_fitted(self)
        if not self._has_several_labels:
            return super().predict(X)
        raw, backend = self._raw_prediction(X)
        xp = backend.xp
        # Devices may hold no wider integers.
        return like_input(xp.astype(raw > 0, xp.int64 if backend_of(raw) is None else xp.int32), X)

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, columns in the order of `classes_`; or that of each label.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        if not self._has_several_labels:
            return super().predict_proba(X)
        raw, backend = self._raw_prediction(X)
        return like_input(HALF_BINOMIAL.inverse_link(backend.xp, raw), X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of `predict_proba`, finite where a probability underflows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        if not self._has_several_labels:
            return super().predict_log_proba(X)
        raw, backend = self._raw_prediction(X)
        xp = backend.xp
        down = 0.5 * (raw - xp.abs(raw))  # min(raw, 0)
        return like_input(down - xp.log1p(xp.exp(-xp.abs(raw))), X)
