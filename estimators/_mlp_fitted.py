"""What a fitted network holds and answers, whatever it predicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backends import Array, Backend
from ..core.device_work import working_on
from ..core.network import Affine, Network
from ..core.network.predict import predict_raw
from ..core.passes import is_sparse
from ._backend_choice import backend_for_prediction
from ._base import Estimator
from ._inputs import check_raw_prediction, compute_dtype, name_of

_OUTPUT_NAMES = {
    "softmax_cross_entropy": "softmax",
    "sigmoid_cross_entropy": "logistic",
    "squared_error": "identity",
}


def total_is_finite(X: Array, backend: Backend) -> bool:
    """Whether a sum shows at once that all of X is finite; False means to look closer."""
    values, xp = X.data if is_sparse(X) else X, backend.xp
    if not xp.isdtype(values.dtype, "real floating"):
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        return math.isfinite(float(xp.sum(values)))


class FittedNetwork(Estimator):
    """A network, `network_`, and its arrays in one vector, `theta_`."""

    network_: Network
    theta_: np.ndarray[Any, Any]
    n_iter_: int
    t_: int

    @property
    def coefs_(self) -> list[np.ndarray[Any, Any]]:
        """The weights of each affine layer, (n_inputs, n_outputs): parts of `theta_`."""
        return self._of_affine("W")

    @property
    def intercepts_(self) -> list[np.ndarray[Any, Any]]:
        """The bias of each affine layer."""
        return self._of_affine("b")

    @property
    def n_layers_(self) -> int:
        """Affine layers, and one for the columns of X."""
        return len(self.coefs_) + 1

    @property
    def n_outputs_(self) -> int:
        """Columns of the last layer."""
        return self.network_.n_outputs

    @property
    def out_activation_(self) -> str:
        """What the last layer's output goes through: "softmax", "logistic" or "identity"."""
        return _OUTPUT_NAMES[self.network_.output.name]

    @property
    def loss_curve_(self) -> list[float]:
        """`loss_history_` as a list."""
        values: list[float] = self.loss_history_.tolist()
        return values

    @property
    def loss_(self) -> float:
        """Mean cost of the last epoch."""
        return float(self.loss_history_[-1]) if self.loss_history_.size else math.nan

    @property
    def best_loss_(self) -> float:
        """The lowest mean cost of an epoch."""
        return float(self.loss_history_.min()) if self.loss_history_.size else math.nan

    def _of_affine(self, name: str) -> list[np.ndarray[Any, Any]]:
        theta, network = self.theta_, self.network_
        return [
            leaf
            for place, leaf in zip(network.places, network.unpack(theta), strict=True)
            if place.name == name and isinstance(network.layers[place.layer], Affine)
        ]

    def _raw_of(self, X: Array) -> tuple[Array, Backend]:
        """What the last layer returns: in float64 for X in float64, else in the dtype of the fit.

        So predictions of one row and of many agree to the digits of X.
        """
        check_is_fitted(self)
        backend = backend_for_prediction(self.backend, X)
        dtype = compute_dtype(backend, X) if str(X.dtype) == "float64" else self.theta_.dtype
        theta = backend.from_numpy(self.theta_.astype(dtype))
        with (
            working_on(backend, X, f"prediction by {name_of(self)}"),
            np.errstate(invalid="ignore", over="ignore"),
        ):
            if not total_is_finite(X, backend):
                # An activation may hide it: X is what is looked at.
                check_raw_prediction(self, X, backend.xp.full((1,), math.nan), backend)
            raw = predict_raw(self.network_, theta, X, backend=backend)
        return raw, backend

    def _check_loaded(self) -> None:
        network = self.network_
        if network.n_features != self.n_features_in_ or self.theta_.shape != (network.size,):
            message = (
                f"theta_ has shape {self.theta_.shape}, and a network of {network.n_features} "
                f"columns, not {(network.size,)} and {self.n_features_in_}"
            )
            raise ValueError(message)
