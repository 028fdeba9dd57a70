"""Batch and layer normalization: columns, or rows, of mean 0 and deviation 1, then scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array, Namespace
from .layer import HostArray, Layer, Moment, Parameter


class _Normalized(NamedTuple):
    z: Array
    inverse: Array  # 1 / sqrt(variance + epsilon); this and the next two keep the reduced axis
    mean: Array
    variance: Array  # divided by the number of entries


def _normalized(xp: Namespace, x: Array, axis: int, epsilon: float) -> _Normalized:
    mean = xp.mean(x, axis=axis, keepdims=True)
    centred = x - mean
    variance = xp.mean(centred * centred, axis=axis, keepdims=True)
    inverse = 1.0 / xp.sqrt(variance + epsilon)
    return _Normalized(centred * inverse, inverse, mean, variance)


def _pulled_back(xp: Namespace, z: Array, inverse: Array, d_z: Array, axis: int) -> Array:
    """dx for z = (x - mean) * inverse: what d_z has along the mean and along z does not count."""
    mean = xp.mean(d_z, axis=axis, keepdims=True)
    along = xp.mean(d_z * z, axis=axis, keepdims=True)
    return inverse * (d_z - mean - z * along)


class _Normalization(Layer):
    epsilon: float

    def parameters(self, n_inputs: int) -> tuple[Parameter, ...]:
        return Parameter("gamma", (n_inputs,)), Parameter("beta", (n_inputs,))


@dataclass(frozen=True)
class BatchNorm(_Normalization):
    """output = gamma * z + beta, z = (x - mean) / sqrt(variance + epsilon), column by column.

    While training mean and variance (dividing by n) are those of the batch, and running means of
    both are kept for predictions: running += momentum * (of the batch - running), with the variance
    that divides by n - 1. A batch of one row leaves nothing of its input, and the running variance
    as it is.

    dx = inverse * (d_z - mean(d_z) - z * mean(d_z * z)),  d_z = gamma * d_output

    Parameters
    ----------
    momentum : float in (0, 1]
    epsilon : float

    References
    ----------
    Ioffe and Szegedy 2015, Batch normalization: accelerating deep network training by reducing
    internal covariate shift.

    Examples
    --------
    >>> x, one, zero = np.asarray([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> layer = BatchNorm(epsilon=0.0)
    >>> output, _, (mean, variance) = layer.forward(
    ...     np, (one, zero), (zero, one), x, Moment(training=True))
    >>> output.tolist(), mean.tolist(), variance.round(3).tolist()
    ([[-1.0], [1.0]], [0.2], [1.1])
    """

    name = "batch_norm"

    momentum: float = 0.1
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not (0.0 < self.momentum <= 1.0 and self.epsilon >= 0.0):
            message = (
                f"BatchNorm was asked for momentum={self.momentum!r}, epsilon={self.epsilon!r}. "
                "momentum must be above 0 and at most 1, epsilon not negative."
            )
            raise ValueError(message)

    @property
    def numbers(self) -> tuple[float, ...]:
        return float(self.momentum), float(self.epsilon)

    def statistics(self, n_inputs: int) -> tuple[Parameter, ...]:
        return Parameter("running_mean", (n_inputs,)), Parameter("running_variance", (n_inputs,))

    def initial(self, n_inputs: int, rng: np.random.Generator) -> tuple[HostArray, ...]:
        one, zero = np.ones(n_inputs), np.zeros(n_inputs)
        return one, zero, zero.copy(), one.copy()

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        gamma, beta = parameters
        running_mean, running_variance = statistics
        if not moment.training:
            z = (x - running_mean) / xp.sqrt(running_variance + self.epsilon)
            return gamma * z + beta, None, statistics
        found, n = _normalized(xp, x, 0, self.epsilon), x.shape[0]
        mean, variance = found.mean[0, :], found.variance[0, :]
        kept = running_mean + self.momentum * (mean - running_mean), running_variance
        if n > 1:  # one row says nothing of a variance
            unbiased = variance * (n / (n - 1))
            kept = kept[0], running_variance + self.momentum * (unbiased - running_variance)
        return gamma * found.z + beta, (found.z, found.inverse), kept

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        (gamma, _), (z, inverse) = parameters, context
        grads = xp.sum(d_output * z, axis=0), xp.sum(d_output, axis=0)
        return _pulled_back(xp, z, inverse, gamma * d_output, 0), grads


@dataclass(frozen=True)
class LayerNorm(_Normalization):
    """output = gamma * z + beta, z = (x - mean) / sqrt(variance + epsilon), row by row.

    dx = inverse * (d_z - mean(d_z) - z * mean(d_z * z)),  d_z = gamma * d_output

    Parameters
    ----------
    epsilon : float

    References
    ----------
    Ba, Kiros and Hinton 2016, Layer normalization.
    """

    name = "layer_norm"

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not self.epsilon >= 0.0:
            message = f"LayerNorm was asked for epsilon={self.epsilon!r}. It must not be negative."
            raise ValueError(message)

    @property
    def numbers(self) -> tuple[float, ...]:
        return (float(self.epsilon),)

    def initial(self, n_inputs: int, rng: np.random.Generator) -> tuple[HostArray, ...]:
        return np.ones(n_inputs), np.zeros(n_inputs)

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        gamma, beta = parameters
        z, inverse, *_ = _normalized(xp, x, 1, self.epsilon)
        return gamma * z + beta, (z, inverse), statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        (gamma, _), (z, inverse) = parameters, context
        grads = xp.sum(d_output * z, axis=0), xp.sum(d_output, axis=0)
        return _pulled_back(xp, z, inverse, gamma * d_output, 1), grads
