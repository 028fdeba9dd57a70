"""What a model file keeps in its header: parameters and labels as JSON, both ways."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from ..core.losses import PointwiseLoss, huber
from ..core.network import (
    ACTIVATIONS,
    Affine,
    BatchNorm,
    Dropout,
    Layer,
    LayerNorm,
    Network,
    Output,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from ._explained import LOSS_NAMES

# What a file may name of a network, and nothing else.
_LAYERS: dict[str, type[Layer]] = ACTIVATIONS | {
    kind.name: kind for kind in (Affine, BatchNorm, Dropout, LayerNorm)
}
_OUTPUTS: dict[str, type[Output]] = {
    kind.name: kind for kind in (SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError)
}


class NotKeepableError(Exception):
    """A value that JSON cannot hold. The message says why, `remedy` what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def encode_value(value: Any) -> Any:
    """A parameter or an attribute as something strict JSON holds.

    Infinity and NaN, dictionaries with other keys than text, arrays, built-in losses and networks
    of built-in layers become one-key dictionaries with a `$` name.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, (list, tuple)):
        return [encode_value(item) for item in value]
    if isinstance(value, dict):
        return {"$dict": [[encode_value(key), encode_value(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"$array": encode_labels_array(value)}
    if isinstance(value, PointwiseLoss):
        return {"$loss": _encode_loss(value)}
    if isinstance(value, Layer):
        return {"$layer": _encode_layer(value)}
    if isinstance(value, Network):
        return {"$network": _encode_network(value)}
    why = f"it is of type {type(value).__name__}, which a file without pickle cannot hold"
    raise NotKeepableError(
        why,
        "set it to a plain value (a number, text, a list, a dict) before saving",
    )


def _encode_loss(loss: PointwiseLoss) -> dict[str, Any]:
    if loss in LOSS_NAMES.values():
        return {"name": loss.name}
    if loss.name == "huber" and loss == huber(*loss.parameters):
        return {"name": "huber", "delta": loss.parameters[0]}
    why = f"the loss {loss.name!r} is your own code, and a model file holds no code"
    raise NotKeepableError(
        why,
        "keep coef_ and intercept_ with numpy.savez, or pickle the model where the loss can be "
        "imported",
    )


def _encode_layer(layer: Layer) -> dict[str, Any]:
    if type(layer) is not _LAYERS.get(layer.name):
        why = f"the layer {type(layer).__name__} is your own code, and a model file holds no code"
        raise NotKeepableError(
            why,
            "keep theta_ with numpy.savez, or pickle the model where the layer can be imported",
        )
    known: tuple[Any, ...] = fields(layer)  # type: ignore[arg-type]
    numbers = {field.name: encode_value(getattr(layer, field.name)) for field in known}
    return {"name": layer.name, **numbers}


def _encode_network(network: Network) -> dict[str, Any]:
    return {
        "n_features": int(network.n_features),
        "layers": [_encode_layer(layer) for layer in network.layers],
        "output": network.output.name,
    }


def _decode_layer(content: dict[str, Any]) -> Layer:
    numbers = {key: decode_value(item) for key, item in content.items() if key != "name"}
    return _LAYERS[content["name"]](**numbers)


def decode_value(value: Any) -> Any:
    """The inverse of `encode_value`.

    Raises
    ------
    ValueError, KeyError, TypeError
        For what `encode_value` cannot have written.
    """
    if isinstance(value, list):
        return [decode_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "$float":
        return float(content)
    if kind == "$dict":
        return {decode_value(key): decode_value(item) for key, item in content}
    if kind == "$array":
        return decode_labels_array(content)
    if kind == "$loss":
        if content["name"] == "huber" and "delta" in content:
            return huber(float(content["delta"]))
        return LOSS_NAMES[content["name"]]
    if kind == "$layer":
        return _decode_layer(content)
    if kind == "$network":
        layers = tuple(_decode_layer(layer) for layer in content["layers"])
        return Network(content["n_features"], layers, _OUTPUTS[content["output"]]())
    message = f"unknown kind of value {kind!r}"
    raise ValueError(message)


def encode_labels_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Labels or names: a list and the dtype that it had (numbers, booleans, text, objects)."""
    dtype = "object" if array.dtype == object else array.dtype.str
    return {"dtype": dtype, "values": [encode_value(item) for item in array.tolist()]}


def decode_labels_array(content: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The inverse of `encode_labels_array`."""
    dtype = np.dtype(content["dtype"])
    if dtype.kind not in "biufUSO":
        message = f"unknown dtype {dtype} of labels"
        raise ValueError(message)
    return np.asarray(decode_value(content["values"]), dtype=dtype)
