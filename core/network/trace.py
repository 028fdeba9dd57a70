"""What stands between the layers: every activation, and the derivative with respect to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...backends import Array, Namespace
from .network import Leaves, Network


class Trace(NamedTuple):
    """A forward and a backward pass with all that training forgets."""

    loss: Array  # shape=(): sum_i weight_i loss_i
    values: tuple[Array, ...]  # x, then the output of each layer
    d_values: tuple[Array, ...]  # derivatives of the loss with respect to each of them
    gradients: Leaves  # of the trained leaves


def trace(
    network: Network,
    xp: Namespace,
    leaves: Leaves,
    x: Array,
    y: Array,
    weight: Array | None = None,
    *,
    key: Any = None,
) -> Trace:
    """A training pass over some rows, layer by layer.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.network import Affine, ReLU, SquaredError
    >>> network = Network(1, (Affine(1), ReLU()), SquaredError())
    >>> leaves = network.unpack(np.asarray([2.0, 1.0]))
    >>> found = trace(network, np, leaves, np.asarray([[1.0], [-1.0]]), np.zeros((2, 1)))
    >>> [value.ravel().tolist() for value in found.values]
    [[1.0, -1.0], [3.0, -1.0], [3.0, 0.0]]
    >>> [value.ravel().tolist() for value in found.d_values]
    [[6.0, 0.0], [3.0, 0.0], [3.0, 0.0]]
    """
    values, contexts = [x], []
    for i in range(len(network.layers)):
        output, context, _ = network.forward_layer(
            xp, leaves, i, values[-1], training=True, key=key
        )
        values.append(output)
        contexts.append(context)
    losses = network.output.losses(xp, y, values[-1])
    d = network.output.gradient(xp, y, values[-1])
    if weight is not None:
        losses, d = losses * weight, d * weight[:, None]
    d_values, gradients = [d], [None] * network.n_trained
    for i in range(len(network.layers) - 1, -1, -1):
        trained, _ = network.standing[i]
        own = tuple(leaves[at] for at in trained)
        d, found = network.layers[i].backward(xp, own, contexts[i], d)
        d_values.insert(0, d)
        for at, value in zip(trained, found, strict=True):
            gradients[at] = value
    return Trace(xp.sum(losses), tuple(values), tuple(d_values), tuple(gradients))


def loss_from(
    network: Network,
    xp: Namespace,
    leaves: Leaves,
    first: int,
    value: Array,
    y: Array,
    weight: Array | None = None,
    *,
    key: Any = None,
) -> Array:
    """sum_i weight_i loss_i, where layer `first` (from 0) is given `value`."""
    for i in range(first, len(network.layers)):
        value = network.forward_layer(xp, leaves, i, value, training=True, key=key)[0]
    losses = network.output.losses(xp, y, value)
    return xp.sum(losses if weight is None else losses * weight)
