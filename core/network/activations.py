"""Activations: element-wise functions between affine layers, and their exact derivatives.

Each is finite up to abs(x) = 1e3 and beyond: no exponential of a positive number is formed. What
`backward` needs is the output where that is enough, else x.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from ...backends import Array, Namespace
from ...backends.constants import GELU_CUBE, GELU_SCALE
from .layer import Layer, Moment


class Activation(Layer):
    """output = value(x), element by element."""

    # Whether `derivative` takes the output; else it takes x.
    from_output = False

    @abstractmethod
    def value(self, xp: Namespace, x: Array) -> Array:
        """The function."""

    @abstractmethod
    def derivative(self, xp: Namespace, kept: Array) -> Array:
        """Its derivative, from the output or from x."""

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        output = self.value(xp, x)
        return output, output if self.from_output else x, statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        return d_output * self.derivative(xp, context), ()


def _sigmoid(xp: Namespace, x: Array) -> Array:
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


@dataclass(frozen=True)
class Identity(Activation):
    """x; derivative 1."""

    name = "identity"

    def value(self, xp: Namespace, x: Array) -> Array:
        return x

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return xp.ones_like(kept)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x)); derivative output * (1 - output).

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid().value(np, np.asarray([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    name, from_output = "sigmoid", True

    def value(self, xp: Namespace, x: Array) -> Array:
        return _sigmoid(xp, x)

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return kept * (1.0 - kept)


@dataclass(frozen=True)
class Tanh(Activation):
    """tanh(x); derivative 1 - output**2."""

    name, from_output = "tanh", True

    def value(self, xp: Namespace, x: Array) -> Array:
        return xp.tanh(x)

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return 1.0 - kept * kept


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0); derivative 1 for x > 0, else 0.

    NaN stays NaN: a comparison would hide it.
    """

    name, from_output = "relu", True

    def value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x <= 0, xp.zeros_like(x), x)

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return xp.astype(kept > 0, kept.dtype)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """x for x > 0, else slope * x; derivative 1 or slope."""

    name = "leaky_relu"

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not math.isfinite(self.slope):
            message = f"LeakyReLU was asked for slope={self.slope!r}. It must be a finite number."
            raise ValueError(message)

    @property
    def numbers(self) -> tuple[float, ...]:
        return (float(self.slope),)

    def value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, x, self.slope * x)

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return xp.where(kept > 0, xp.ones_like(kept), xp.full_like(kept, self.slope))


@dataclass(frozen=True)
class GELU(Activation):
    """0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x**3): the form by tanh.

    The array standard has no error function, of which the exact form is made.
    Derivative 0.5 (1 + t) + 0.5 x (1 - t**2) du/dx, t = tanh(u). Reference: Hendrycks and Gimpel
    2016, Gaussian error linear units.
    """

    name = "gelu"

    def value(self, xp: Namespace, x: Array) -> Array:
        return 0.5 * x * (1.0 + xp.tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x)))

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        square = kept * kept
        t = xp.tanh(GELU_SCALE * (kept + GELU_CUBE * kept * square))
        along = GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * square)
        return 0.5 * (1.0 + t) + 0.5 * kept * (1.0 - t * t) * along


@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-abs(x))); derivative sigmoid(x)."""

    name = "softplus"

    def value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))

    def derivative(self, xp: Namespace, kept: Array) -> Array:
        return _sigmoid(xp, kept)


@dataclass(frozen=True)
class Softmax(Layer):
    """exp(x_k) / sum_j exp(x_j) along each row; dx = p (d - sum_j d_j p_j).

    As a layer inside a network; the output layer of a classifier is `SoftmaxCrossEntropy`.
    """

    name = "softmax"

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
        p = e / xp.sum(e, axis=1, keepdims=True)
        return p, p, statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        along = xp.sum(d_output * context, axis=1, keepdims=True)
        return context * (d_output - along), ()


@dataclass(frozen=True)
class LogSoftmax(Layer):
    """x_k - log(sum_j exp(x_j)) along each row; dx = d - softmax(x) sum_j d_j."""

    name = "log_softmax"

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        below = x - xp.max(x, axis=1, keepdims=True)
        output = below - xp.log(xp.sum(xp.exp(below), axis=1, keepdims=True))
        return output, output, statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        return d_output - xp.exp(context) * xp.sum(d_output, axis=1, keepdims=True), ()


ACTIVATIONS: dict[str, type[Layer]] = {
    kind.name: kind
    for kind in (
        Identity, Sigmoid, Tanh, ReLU, LeakyReLU, GELU, Softplus, Softmax, LogSoftmax,
    )
}  # fmt: skip
