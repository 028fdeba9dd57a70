"""The affine layer: a matrix product and a bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import Array, Namespace
from .initializers import check_initializer, initial_weights
from .layer import HostArray, Layer, Moment, Parameter


@dataclass(frozen=True)
class Affine(Layer):
    """output = x @ W + b

    dW = x' @ d_output,  db = sum over the rows of d_output,  dx = d_output @ W'

    Parameters
    ----------
    n_outputs : int
    initializer : str, default="he"
        See `initial_weights`; biases start at 0.
    scale : float or None, default=None
        Of "normal" and "orthogonal"; None is their own default.

    Raises
    ------
    ValueError
        For fewer than one output, an unknown initializer, and a scale that it cannot use.

    Examples
    --------
    >>> layer, x = Affine(2), np.asarray([[1.0, 2.0]])
    >>> W, b = np.asarray([[1.0, 0.0], [3.0, -1.0]]), np.asarray([0.5, 0.0])
    >>> output, context, _ = layer.forward(np, (W, b), (), x, Moment(training=True))
    >>> output.tolist()
    [[7.5, -2.0]]
    >>> dx, (dW, db) = layer.backward(np, (W, b), context, np.asarray([[1.0, 1.0]]))
    >>> dx.tolist(), dW.tolist(), db.tolist()
    ([[1.0, 2.0]], [[1.0, 1.0], [2.0, 2.0]], [1.0, 1.0])
    """

    name = "affine"

    n_outputs: int
    initializer: str = "he"
    scale: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.n_outputs, bool) or not (
            isinstance(self.n_outputs, int | np.integer) and self.n_outputs >= 1
        ):
            message = (
                f"Affine was asked for n_outputs={self.n_outputs!r}. A layer has a whole number of "
                "outputs, at least 1."
            )
            raise ValueError(message)
        check_initializer(self.initializer, self.scale)

    def n_outputs_for(self, n_inputs: int) -> int:
        return int(self.n_outputs)

    def parameters(self, n_inputs: int) -> tuple[Parameter, ...]:
        n_outputs = int(self.n_outputs)
        return Parameter("W", (n_inputs, n_outputs), True), Parameter("b", (n_outputs,))

    def initial(self, n_inputs: int, rng: np.random.Generator) -> tuple[HostArray, ...]:
        shape = n_inputs, int(self.n_outputs)
        return initial_weights(self.initializer, shape, rng, self.scale), np.zeros(shape[1])

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        W, b = parameters
        return x @ W + b, x, statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        grads = self.parameter_gradients(xp, parameters, context, d_output)
        return d_output @ parameters[0].T, grads

    def parameter_gradients(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, ...]:
        return context.T @ d_output, xp.sum(d_output, axis=0)
