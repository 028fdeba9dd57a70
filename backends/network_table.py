"""A network as rows of numbers: what a compiled epoch reads instead of layers.

Numba's kernel and CuPy's read the same table, so both compile nothing for another architecture.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from .numba_kernels import network_codes as codes

Table = np.ndarray[Any, Any]


class Description(NamedTuple):
    """What a compiled epoch reads of a network; `numba_kernels/network_codes.py`."""

    table: Table  # int64, an operation a row
    numbers: Table  # float64, the same rows
    output: int
    penalized: Table  # int64, shape=(n, 2): where penalized parameters start and stop
    work: int  # numbers of the workspace
    widest: int  # of the columns before, between and after all layers
    largest: int  # of n_inputs * n_outputs


def is_known(network: Any) -> bool:
    """Whether the table can hold every layer, and the output: by their names."""
    return bool(
        network.is_built_in
        and network.output.name in codes.OUTPUTS
        and all(
            layer.name in codes.OPERATIONS or layer.name == "identity" for layer in network.layers
        )
    )


def _operations(network: Any) -> list[tuple[int, int, float]]:
    """(layer, activation, slope): layers that do something, with the activation merged in."""
    found: list[tuple[int, int, float]] = []
    hosts = ("affine", "batch_norm", "layer_norm")
    before = ""
    for i, layer in enumerate(network.layers):
        name, numbers = layer.name, layer.numbers
        if name == "identity" or (name == "dropout" and numbers[0] == 0.0):
            continue
        activation = codes.ACTIVATIONS.get(name, codes.NONE)
        slope = numbers[0] if name == "leaky_relu" else 0.0
        # With a slope below 0 the output does not tell the sign of x.
        from_output = name in ("sigmoid", "tanh", "relu") or (name == "leaky_relu" and slope >= 0)
        if from_output and before in hosts:
            found[-1] = found[-1][0], activation, slope
        else:
            found.append((i, activation, slope))
        before = name
    return found


def _starts(network: Any, layer: int, *, trained: bool) -> int:
    own = (p.start for p in network.places if p.layer == layer and p.trained is trained)
    return next(own, -1)


@functools.lru_cache(maxsize=64)
def describe(network: Any, batch_size: int) -> Description:
    """The table of a network that `is_known`, for batches of at most so many rows.

    Examples
    --------
    >>> from xpfit.core.network import Affine, Network, ReLU, SquaredError
    >>> network = Network(2, (Affine(3), ReLU(), Affine(1)), SquaredError())
    >>> found = describe(network, 4)
    >>> found.table[:, :5].tolist(), found.penalized.tolist(), found.work
    ([[0, 3, 2, 3, 0], [0, 0, 3, 1, 9]], [[0, 6], [9, 12]], 24)
    """
    operations, widths = _operations(network), network.widths
    table = np.zeros((len(operations), codes.N_COLUMNS), dtype=np.int64)
    numbers = np.zeros((len(operations), codes.N_NUMBERS))
    before, free, widest, largest = 0, batch_size * widths[0], max(widths), 0
    for row, own, (i, activation, slope) in zip(table, numbers, operations, strict=True):
        layer, n, k = network.layers[i], widths[i], widths[i + 1]
        kind = codes.OPERATIONS[layer.name]
        own[: len(layer.numbers)], own[codes.SLOPE] = layer.numbers, slope
        row[codes.KIND], row[codes.ACTIVATION], row[codes.LAYER] = kind, activation, i
        row[codes.N_IN], row[codes.N_OUT] = n, k
        row[codes.PARAMETERS] = _starts(network, i, trained=True)
        row[codes.STATISTICS] = _starts(network, i, trained=False)
        row[codes.INPUT], row[codes.OUTPUT] = before, free
        before, free = free, free + batch_size * k
        if kind in (codes.BATCH_NORM, codes.LAYER_NORM):
            row[codes.KEPT] = free
            free += batch_size * n + max(3 * n, batch_size)
        if kind == codes.AFFINE:
            largest = max(largest, n * k)
    penalized = [(p.start, p.stop) for p in network.places if p.penalized and p.trained]
    return Description(
        table, numbers, codes.OUTPUTS[network.output.name],
        np.asarray(penalized, dtype=np.int64).reshape(-1, 2), free, widest, largest,
    )  # fmt: skip
