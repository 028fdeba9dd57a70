"""What a network says of rows: in blocks, so that activations of few are held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...backends import Array, Backend, Namespace
from ..dispatch import compiled
from ..dtypes import in_dtype
from ..passes import is_sparse
from .network import Network

# Numbers of one block's widest activations: they stay in the second or third cache.
BLOCK_NUMBERS = 1 << 20
SMALLEST_BLOCK = 256


def _raw_of(xp: Namespace, network: Network, theta: Array, X: Array) -> Array:
    leaves = network.unpack(theta)
    return network.forward(xp, leaves, in_dtype(xp, X, theta.dtype), training=False).raw


def rows_of_a_block(network: Network) -> int:
    """Rows whose activations fit a cache."""
    return max(SMALLEST_BLOCK, BLOCK_NUMBERS // max(network.widths))


def raw_blocks(
    network: Network, theta: Array, X: Any, backend: Backend
) -> Iterator[tuple[slice, Array]]:
    """`raw` of some rows after the others: which rows, and their array (rows, n_outputs)."""
    n_samples, size = X.shape[0], rows_of_a_block(network)
    run = compiled(backend, _raw_of, network)
    for first in range(0, n_samples, size):
        rows = slice(first, min(first + size, n_samples))
        block = X[rows, :]
        if is_sparse(X):
            yield rows, _raw_of(backend.xp, network, theta, block)
        else:
            yield rows, run(theta, block)


def predict_raw(network: Network, theta: Array, X: Any, *, backend: Backend) -> Array:
    """`raw` of all rows, shape (n_samples, n_outputs), as in predictions: nothing is random.

    Parameters
    ----------
    theta : array of shape (network.size,)
    X : array or CSR of shape (n_samples, n_features), in any stored dtype

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.network import Affine, SquaredError
    >>> network = Network(1, (Affine(1),), SquaredError())
    >>> X, theta = np.asarray([[1.0], [3.0]]), np.asarray([2.0, 0.5])
    >>> predict_raw(network, theta, X, backend=get_backend("numpy")).tolist()
    [[2.5], [6.5]]
    """
    blocks = [raw for _, raw in raw_blocks(network, theta, X, backend)]
    xp = backend.xp
    if not blocks:
        return xp.zeros((0, network.n_outputs), dtype=theta.dtype)
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def predict(network: Network, theta: Array, X: Any, *, backend: Backend) -> Array:
    """As `predict_raw`, through the output layer: probabilities, or values."""
    raw = predict_raw(network, theta, X, backend=backend)
    return network.output.predict(backend.xp, raw)


def mean_loss(
    network: Network, theta: Array, X: Any, y: Array, weight: Array | None, *, backend: Backend
) -> float:
    """sum_i weight_i loss_i / sum_i weight_i, without a penalty."""
    xp, total = backend.xp, 0.0
    for rows, raw in raw_blocks(network, theta, X, backend):
        losses = network.output.losses(xp, y[rows, ...], raw)
        total += float(xp.sum(losses if weight is None else losses * weight[rows]))
    n = float(X.shape[0]) if weight is None else float(xp.sum(weight))
    return total / n
