"""What of a network's training is large, for the error of a machine without memory for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..passes import is_sparse
from ..text_table import bytes_text
from .inspection import summary
from .network import Network


def memory_advice(
    network: Network, X: Any, batch_size: int, dtype: Any, n_slots: int, keeper: str
) -> str | None:
    """What to do where the network is larger than X; None where X is what is large.

    Parameters
    ----------
    network : Network
    X : array or CSR of shape (n_samples, n_features)
    batch_size : int
        Rows whose activations are held at a time.
    dtype : dtype
        Of the parameters.
    n_slots : int
        Arrays like the parameters that are kept beside them and their gradient.
    keeper : str
        Who keeps them.

    Examples
    --------
    >>> from xpfit.core.network import Affine, SquaredError
    >>> network = Network(1000, (Affine(2000), Affine(1)), SquaredError())
    >>> advice = memory_advice(network, np.zeros((5, 1000)), 5, "float32", 2, "Adam")
    >>> advice.partition(". ")[0]
    'X takes 40 kB; the network takes more: 32.1 MB for 2,004,001 parameters of float32, their \
gradient and 2 arrays like them that Adam keeps; 32 MB of it belong to layer 1 (affine, \
1,000 x 2,000)'
    """
    found = summary(network, batch_size, dtype, n_slots=n_slots)
    kept = found.parameter_bytes + found.gradient_bytes + found.slot_bytes
    size = _bytes_of(X)
    if size >= max(kept, found.activation_bytes):
        return None
    told = f"X takes {bytes_text(size)}; the network takes more: "
    if found.activation_bytes > kept:
        layer = max(found.layers, key=lambda one: one.activation_bytes)
        return (
            f"{told}{bytes_text(found.activation_bytes)} for what its layers return for "
            f"{batch_size:,} rows at a time; {bytes_text(layer.activation_bytes)} of it belong to "
            f"layer {layer.number} ({layer.name}, {layer.output_shape[1]:,} columns). Take a "
            "smaller batch_size, or fewer units there."
        )
    layer = max(found.layers, key=lambda one: one.n_parameters)
    before, after = network.widths[layer.number - 1 : layer.number + 1]
    own = kept * layer.n_parameters / network.n_parameters
    return (
        f"{told}{bytes_text(kept)} for {network.n_parameters:,} parameters of {found.dtype}, their "
        f"gradient and {n_slots} arrays like them that {keeper} keeps; {bytes_text(own)} of it "
        f"belong to layer {layer.number} ({layer.name}, {before:,} x {after:,}). Take fewer units "
        "there, or an optimizer that keeps less: SGD keeps one such array, and none without "
        "momentum."
    )


def _bytes_of(X: Any) -> int:
    size: int = np.dtype(X.dtype).itemsize
    if is_sparse(X):
        return int(X.nnz) * (size + int(X.indices.dtype.itemsize))
    return int(math.prod(X.shape)) * size
