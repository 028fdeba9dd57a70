"""Whether data fit a network: looked at before the first step, since a compiled epoch reads and
writes where the labels say."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Backend
from .network import Network
from .normalization import BatchNorm


def check_data(
    network: Network, X: Any, y: Array, sample_weight: Array | None, backend: Backend, who: str
) -> None:
    """Raise where X, y and the weights do not fit the network, or each other.

    Raises
    ------
    ValueError
        For other numbers of rows or columns, no rows, labels outside the classes, weights that do
        not add up to more than 0.
    """
    xp, why = backend.xp, None
    if X.ndim != 2 or X.shape[1] != network.n_features:
        why = f"X of shape {tuple(X.shape)} for a network of {network.n_features} columns"
    elif X.shape[0] == 0:
        why = "X without rows"
    elif y.shape[0] != X.shape[0]:
        why = f"y of {y.shape[0]} rows for X of {X.shape[0]}"
    else:
        why = network.output.misfit(xp, y, network.n_outputs)
    if why is None and sample_weight is not None:
        if tuple(sample_weight.shape) != (X.shape[0],):
            why = f"sample_weight of shape {tuple(sample_weight.shape)} for X of {X.shape[0]} rows"
        elif not float(xp.sum(sample_weight)) > 0.0:
            why = "sample_weight whose sum is not above 0"
    if why is not None:
        message = f"{who} was given {why}. Give a network and data that fit each other."
        raise ValueError(message)


def check_batches(network: Network, batch_size: int, who: str) -> None:
    """Raise for batches from which a layer learns nothing."""
    if batch_size == 1 and any(isinstance(layer, BatchNorm) for layer in network.layers):
        message = (
            f"{who} was asked for batches of one row and for batch normalization, which leaves "
            "nothing of a single row. Raise batch_size, or take LayerNorm."
        )
        raise ValueError(message)
