"""The layers and outputs that backends may know by their names."""

from __future__ import annotations

from .activations import ACTIVATIONS
from .affine import Affine
from .dropout import Dropout
from .layer import Layer, Output
from .normalization import BatchNorm, LayerNorm
from .outputs import SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError

# By type, not by name: a subclass may have formulas of its own.
LAYERS = frozenset({Affine, BatchNorm, Dropout, LayerNorm, *ACTIVATIONS.values()})
OUTPUTS = frozenset({SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError})


def is_built_in(layers: tuple[Layer, ...], output: Output) -> bool:
    """Whether all of them are ours, so that their names say what they do."""
    return type(output) in OUTPUTS and all(type(layer) in LAYERS for layer in layers)
