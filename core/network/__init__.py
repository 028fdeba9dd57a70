"""Small networks: layers with hand-written backward passes, and their training."""

from __future__ import annotations

from .activations import (
    ACTIVATIONS,
    GELU,
    Activation,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from .affine import Affine
from .checking import check_network
from .dropout import Dropout
from .flow import LayerFlow, NetworkFlow, examine_flow
from .initializers import INITIALIZERS, initial_weights
from .inspection import LayerSummary, NetworkSummary, summary
from .layer import Layer, Moment, Output, Parameter
from .network import Network
from .normalization import BatchNorm, LayerNorm
from .outputs import SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "INITIALIZERS",
    "Activation",
    "Affine",
    "BatchNorm",
    "Dropout",
    "Identity",
    "Layer",
    "LayerFlow",
    "LayerNorm",
    "LayerSummary",
    "LeakyReLU",
    "LogSoftmax",
    "Moment",
    "Network",
    "NetworkFlow",
    "NetworkSummary",
    "Output",
    "Parameter",
    "ReLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SquaredError",
    "Tanh",
    "check_network",
    "examine_flow",
    "initial_weights",
    "summary",
]
