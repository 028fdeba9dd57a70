"""Output layers merged with their loss: what is exponential cancels in the derivative."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import device

from ...backends import Array, Namespace
from .activations import _sigmoid
from .layer import Output


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Output):
    """loss_i = log(sum_k exp(raw_ik)) - raw_i[y_i]; gradient softmax(raw) - one_hot(y).

    y : array of shape (n_samples,), integers: codes of classes.

    Examples
    --------
    >>> import numpy as np
    >>> y, raw = np.asarray([1]), np.asarray([[0.0, 1000.0]])
    >>> SoftmaxCrossEntropy().losses(np, y, raw).tolist()
    [0.0]
    """

    name = "softmax_cross_entropy"

    def misfit(self, xp: Namespace, y: Array, n_outputs: int) -> str | None:
        if y.ndim != 1 or not xp.isdtype(y.dtype, "integral"):
            return f"y of {y.dtype} and shape {tuple(y.shape)}, where codes of classes are wanted"
        least, most = int(xp.min(y)), int(xp.max(y))
        if least < 0 or most >= n_outputs:
            return f"codes of classes from {least} to {most} for a network of {n_outputs} outputs"
        return None

    def losses(self, xp: Namespace, y: Array, raw: Array) -> Array:
        below = raw - xp.max(raw, axis=1, keepdims=True)
        own = xp.sum(xp.where(_one_hot(xp, y, raw), below, xp.zeros_like(below)), axis=1)
        return xp.log(xp.sum(xp.exp(below), axis=1)) - own

    def gradient(self, xp: Namespace, y: Array, raw: Array) -> Array:
        return self.predict(xp, raw) - xp.astype(_one_hot(xp, y, raw), raw.dtype)

    def predict(self, xp: Namespace, raw: Array) -> Array:
        e = xp.exp(raw - xp.max(raw, axis=1, keepdims=True))
        return e / xp.sum(e, axis=1, keepdims=True)


def _matrix_misfit(xp: Namespace, y: Array, n_outputs: int) -> str | None:
    if y.ndim != 2 or y.shape[1] != n_outputs:
        return f"y of shape {tuple(y.shape)} for a network of {n_outputs} outputs: (n, {n_outputs})"
    return None


def _one_hot(xp: Namespace, y: Array, raw: Array) -> Array:
    classes = xp.arange(raw.shape[1], dtype=y.dtype, device=device(raw))
    return y[:, None] == classes[None, :]


def _like(xp: Namespace, y: Array, raw: Array) -> Array:
    # A target of float64 would make float64 of a network's float32.
    return xp.astype(y, raw.dtype, copy=False)


@dataclass(frozen=True)
class SigmoidCrossEntropy(Output):
    """loss_i = sum_k max(raw, 0) - y raw + log1p(exp(-abs(raw))); gradient sigmoid(raw) - y.

    y : array of shape (n_samples, n_outputs): 0 or 1, each output for itself.
    """

    name = "sigmoid_cross_entropy"

    def misfit(self, xp: Namespace, y: Array, n_outputs: int) -> str | None:
        return _matrix_misfit(xp, y, n_outputs)

    def losses(self, xp: Namespace, y: Array, raw: Array) -> Array:
        y = _like(xp, y, raw)
        rest = xp.log1p(xp.exp(-xp.abs(raw)))
        return xp.sum(xp.where(raw > 0, raw, xp.zeros_like(raw)) - y * raw + rest, axis=1)

    def gradient(self, xp: Namespace, y: Array, raw: Array) -> Array:
        return _sigmoid(xp, raw) - _like(xp, y, raw)

    def predict(self, xp: Namespace, raw: Array) -> Array:
        return _sigmoid(xp, raw)


@dataclass(frozen=True)
class SquaredError(Output):
    """loss_i = 0.5 * sum_k (raw_ik - y_ik)**2; gradient raw - y.

    y : array of shape (n_samples, n_outputs).
    """

    name = "squared_error"

    def misfit(self, xp: Namespace, y: Array, n_outputs: int) -> str | None:
        return _matrix_misfit(xp, y, n_outputs)

    def losses(self, xp: Namespace, y: Array, raw: Array) -> Array:
        residual = raw - _like(xp, y, raw)
        return 0.5 * xp.sum(residual * residual, axis=1)

    def gradient(self, xp: Namespace, y: Array, raw: Array) -> Array:
        return raw - _like(xp, y, raw)

    def predict(self, xp: Namespace, raw: Array) -> Array:
        return raw
