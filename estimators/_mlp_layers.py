"""From the parameters of `MLPClassifier` and `MLPRegressor` to the layers of a network."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from ..core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Network,
    Output,
    ReLU,
    Sigmoid,
    Softplus,
    Tanh,
)
from ._base import changed_parameters
from ._inputs import name_of

# scikit-learn's names first: "logistic" is our "sigmoid".
HIDDEN_ACTIVATIONS: dict[str, type[Layer]] = {
    "identity": Identity,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "leaky_relu": LeakyReLU,
    "gelu": GELU,
    "softplus": Softplus,
}
NORMALIZATIONS: dict[str, type[Layer]] = {"batch": BatchNorm, "layer": LayerNorm}
# What `layers` stands in place of.
_REPLACED = ("hidden_layer_sizes", "activation", "normalization", "dropout")


def network_of(estimator: Any, n_features: int, n_outputs: int, output: Output) -> Network:
    """The network that the parameters describe, with a last Affine of `n_outputs`.

    Raises
    ------
    ValueError, TypeError
        As `hidden_layers`; where a layer does not fit the one before it.
    """
    last = Affine(int(n_outputs), _initializer(estimator))
    return Network(n_features, (*hidden_layers(estimator), last), output)


def _initializer(estimator: Any) -> str:
    # "he" before a ReLU was 0.3 points behind on letter after 30 epochs: docs/networks.md.
    return estimator.initializer or "xavier"


def hidden_layers(estimator: Any) -> tuple[Layer, ...]:
    """All layers but the last one.

    Raises
    ------
    ValueError, TypeError
        For sizes that are no whole numbers of at least 1, for something that is no layer, and for
        `layers` beside the parameters that it stands in place of.
    """
    if estimator.layers is not None:
        return _given_layers(estimator)
    activation, normalization = estimator.activation, estimator.normalization
    initializer = _initializer(estimator)
    found: list[Layer] = []
    for size in _sizes(estimator):
        found.append(Affine(size, initializer))
        if normalization is not None:
            found.append(NORMALIZATIONS[normalization]())
        found.append(HIDDEN_ACTIVATIONS[activation]())
        if estimator.dropout:
            found.append(Dropout(float(estimator.dropout)))
    return tuple(found)


def _given_layers(estimator: Any) -> tuple[Layer, ...]:
    who, given = name_of(estimator), tuple(estimator.layers)
    for layer in given:
        if not isinstance(layer, Layer):
            message = (
                f"{who}: layers holds {layer!r}, which is no layer. Give layers of "
                "xpfit.core.network, such as Affine(16) and Tanh(), without the output."
            )
            raise TypeError(message)
    for name, value in changed_parameters(estimator, _REPLACED).items():
        message = (
            f"{who}(layers=..., {name}={value!r}): layers says all of the "
            f"architecture. Put it there, or leave layers out."
        )
        raise ValueError(message)
    _refuse_another_initializer(estimator, given)
    return given


def _refuse_another_initializer(estimator: Any, given: tuple[Layer, ...]) -> None:
    # Beside `layers` it is that of the last layer, which is added; of no other.
    asked = estimator.initializer
    for number, layer in enumerate(given, start=1):
        if asked is not None and isinstance(layer, Affine) and layer.initializer != asked:
            message = (
                f"{name_of(estimator)}(layers=..., initializer={asked!r}): layer {number} of them, "
                f"{layer!r}, brings its own initializer. Write Affine({layer.n_outputs}, "
                f"{asked!r}) there, or leave initializer out."
            )
            raise ValueError(message)


def _sizes(estimator: Any) -> tuple[int, ...]:
    given = estimator.hidden_layer_sizes
    sizes: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for size in sizes:
        whole = isinstance(size, Integral | np.integer) and not isinstance(size, bool)
        if not (whole and size >= 1):
            message = (
                f"{name_of(estimator)}(hidden_layer_sizes={given!r}): {size!r} is no number of "
                "units. Give a whole number of at least 1 for each hidden layer, such as (100,)."
            )
            raise ValueError(message)
    return tuple(int(size) for size in sizes)
