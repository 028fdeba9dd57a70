"""What a network is made of, and what a layer must return: looked at by name, since a wrong shape
would be broadcast unseen."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import Array
from .layer import Layer, Output


def check_parts(n_features: Any, layers: Any, output: Any) -> tuple[Layer, ...]:
    """The layers, if a network can be made of these.

    Raises
    ------
    TypeError
        Naming what is no number, no layer or no output.
    """
    what = None
    if isinstance(n_features, bool) or not isinstance(n_features, int | np.integer):
        what = f"n_features={n_features!r}: it is the whole number of columns of X"
    elif not isinstance(layers, tuple | list):
        what = f"layers={layers!r}: they are a tuple, such as (Affine(16), ReLU(), Affine(1))"
    elif not isinstance(output, Output):
        what = f"output={output!r}: it is an output, such as SquaredError()"
    else:
        for number, layer in enumerate(layers, start=1):
            if isinstance(layer, Output):
                what = f"layer {number}, {layer!r}: it is an output. Give it as output="
            elif not isinstance(layer, Layer):
                what = f"layer {number}, {layer!r}: it is no layer, such as Affine(16) or ReLU()"
    if what is not None:
        message = f"Network was given {what}."
        raise TypeError(message)
    return tuple(layers)


def _refused(layer: Layer, i: int, what: str, wanted: str) -> TypeError:
    return TypeError(f"Layer {i + 1} ({layer.name or type(layer).__name__}): {what}. {wanted}")


def checked_forward(layer: Layer, i: int, found: Any) -> tuple[Array, Any, tuple[Array, ...]]:
    """What `forward` returned, if it is what it must be."""
    if isinstance(found, tuple) and len(found) == 3 and isinstance(found[2], tuple):
        return found
    what = f"forward returned {type(found).__name__}"
    wanted = "It must return (output, context, statistics), the last one a tuple."
    raise _refused(layer, i, what, wanted)


def checked_backward(layer: Layer, i: int, found: Any) -> tuple[Array, tuple[Array, ...]]:
    """What `backward` returned, if it is what it must be."""
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], tuple):
        return found
    what = f"backward returned {type(found).__name__}"
    raise _refused(
        layer, i, what, "It must return (dx, a tuple with the gradient of each parameter)."
    )


def checked_gradients(
    layer: Layer, i: int, parameters: tuple[Array, ...], found: tuple[Array, ...]
) -> tuple[Array, ...]:
    """The gradients of a layer's parameters, if they have the shapes of these."""
    shapes = [tuple(p.shape) for p in parameters]
    given = [tuple(getattr(g, "shape", ())) for g in found]
    if shapes != given:
        what = f"gradients of shapes {given} came from backward for parameters of shapes {shapes}"
        raise _refused(layer, i, what, "Each must have the shape of its parameter.")
    return found
