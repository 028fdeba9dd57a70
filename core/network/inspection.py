"""What a network is made of and what its training will hold in memory, before any step is taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..text_table import bytes_text, text_table
from .layer import Layer
from .network import Network


def layer_name(layer: Layer) -> str:
    """What people call a layer: its name, or that of its class."""
    return layer.name or type(layer).__name__


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes
    ----------
    number : int
        From 1.
    name : str
    output_shape : (int, int)
        Of one batch.
    n_parameters, n_statistics : int
        Numbers that are trained; that are kept of the batches.
    activation_bytes : int
        Of its output.
    """

    number: int
    name: str
    output_shape: tuple[int, int]
    n_parameters: int
    n_statistics: int
    activation_bytes: int


@dataclass(frozen=True, repr=False)
class NetworkSummary:
    """What `summary` returns; `str` of it is a table.

    Attributes
    ----------
    n_features, batch_size, n_slots : int
    dtype : str
    output : str
        Name of the output.
    layers : tuple of LayerSummary
    n_parameters : int
    parameter_bytes, gradient_bytes, slot_bytes : int
        Parameters with statistics; their gradient; what the optimizer remembers.
    activation_bytes : int
        Of one batch and of every layer's output: they are kept for the backward pass. What
        derivatives and normalizations take for a moment is not counted.
    """

    n_features: int
    batch_size: int
    n_slots: int
    dtype: str
    output: str
    layers: tuple[LayerSummary, ...]
    n_parameters: int
    parameter_bytes: int
    gradient_bytes: int
    slot_bytes: int
    activation_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of them together."""
        kept = self.parameter_bytes + self.gradient_bytes
        return kept + self.slot_bytes + self.activation_bytes

    def __str__(self) -> str:
        head = ["", "layer", "output", "parameters", "statistics", "activations"]
        batch = f"{self.batch_size:,} x {self.n_features:,}"
        size = self.batch_size * self.n_features * np.dtype(self.dtype).itemsize
        rows = [["", "X", batch, "", "", bytes_text(size)]]
        for layer in self.layers:
            shape = " x ".join(f"{n:,}" for n in layer.output_shape)
            rows.append([
                str(layer.number), layer.name, shape, f"{layer.n_parameters:,}",
                f"{layer.n_statistics:,}" if layer.n_statistics else "",
                bytes_text(layer.activation_bytes),
            ])  # fmt: skip
        rows.append(["", self.output, "", "", "", ""])
        slots = "slot" if self.n_slots == 1 else "slots"
        memory = [
            [f"{self.n_parameters:,} parameters", bytes_text(self.parameter_bytes)],
            ["their gradient", bytes_text(self.gradient_bytes)],
            [f"{self.n_slots} {slots} of the optimizer", bytes_text(self.slot_bytes)],
            ["activations of one batch", bytes_text(self.activation_bytes)],
            ["together", bytes_text(self.total_bytes)],
        ]
        layers = "1 layer" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        title = f"{layers} on {self.n_features:,} columns, {self.dtype}"
        table = text_table(head, rows, left=2)
        return f"{title}\n\n{table}\n\n{text_table(['memory', ''], memory)}"

    __repr__ = __str__


def check_is_network(network: Any, who: str) -> None:
    """Raise a TypeError for anything that is no network."""
    if not isinstance(network, Network):
        message = (
            f"{who} was given {network!r}, which is no Network. Pass one of xpfit.core.network, or "
            "network_ of a fitted MLPClassifier or MLPRegressor."
        )
        raise TypeError(message)


def _is_whole(number: Any, least: int) -> bool:
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    return bool(whole and number >= least)


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] | None = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind.kind != "f":
        message = (
            f"summary was asked for dtype={dtype!r}. Parameters are floats: give 'float32' or "
            "'float64'."
        )
        raise ValueError(message)
    return kind


def summary(
    network: Network, batch_size: int = 32, dtype: Any = np.float64, *, n_slots: int = 2
) -> NetworkSummary:
    """Layers, shapes, parameters, and the memory that training takes beside the data.

    Parameters
    ----------
    network : Network
    batch_size : int
    dtype : dtype
        Of the parameters.
    n_slots : int
        How many arrays like the parameters the optimizer keeps: `optimizer.n_slots`; 2 are Adam's.

    Raises
    ------
    ValueError, TypeError
        For a batch of no rows, a negative number of slots, a dtype that is no float, no network.

    Examples
    --------
    >>> from xpfit.core.network import Affine, ReLU, SoftmaxCrossEntropy
    >>> network = Network(30, (Affine(16), ReLU(), Affine(2)), SoftmaxCrossEntropy())
    >>> found = summary(network, dtype="float32")
    >>> found.n_parameters, found.layers[0].output_shape, found.total_bytes
    (530, (32, 16), 16672)
    >>> print(found)  # doctest: +ELLIPSIS
    3 layers on 30 columns, float32
    ...
    """
    check_is_network(network, "summary")
    if not (_is_whole(batch_size, 1) and _is_whole(n_slots, 0)):
        message = (
            f"summary was asked for {batch_size=}, {n_slots=}. A batch has at least one row, and "
            "an optimizer no fewer than 0 slots: give whole numbers."
        )
        raise ValueError(message)
    kind = _float_dtype(dtype)
    layers = []
    for i, layer in enumerate(network.layers):
        own = [place for place in network.places if place.layer == i]
        trained, kept = (
            sum(math.prod(place.shape) for place in own if place.trained is which)
            for which in (True, False)
        )
        shape = (batch_size, network.widths[i + 1])
        size = math.prod(shape) * kind.itemsize
        layers.append(LayerSummary(i + 1, layer_name(layer), shape, trained, kept, size))
    return NetworkSummary(
        network.n_features, batch_size, n_slots, kind.name, network.output.name, tuple(layers),
        network.n_parameters,
        parameter_bytes=network.size * kind.itemsize,
        gradient_bytes=network.n_parameters * kind.itemsize,
        slot_bytes=n_slots * network.n_parameters * kind.itemsize,
        activation_bytes=batch_size * sum(network.widths) * kind.itemsize,
    )  # fmt: skip
