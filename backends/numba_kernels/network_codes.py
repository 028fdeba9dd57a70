"""How a network is written down for its compiled epoch: rows of whole numbers, and their codes.

An operation is a layer, together with the activation after it where that can take its place in
memory: its derivative follows from its output, and the layer's own does not need the output.
"""

from __future__ import annotations

from typing import Any

# Activations, by the names of the layers.
NONE, SIGMOID, TANH, RELU, LEAKY_RELU, GELU, SOFTPLUS = range(7)
ACTIVATIONS = {
    "sigmoid": SIGMOID, "tanh": TANH, "relu": RELU, "leaky_relu": LEAKY_RELU, "gelu": GELU,
    "softplus": SOFTPLUS,
}  # fmt: skip
# Operations.
AFFINE, BATCH_NORM, LAYER_NORM, ELEMENTWISE, SOFTMAX, LOG_SOFTMAX, DROPOUT = range(7)
OPERATIONS = {
    "affine": AFFINE, "batch_norm": BATCH_NORM, "layer_norm": LAYER_NORM, "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX, "dropout": DROPOUT,
} | dict.fromkeys(ACTIVATIONS, ELEMENTWISE)  # fmt: skip
# Output layers.
SOFTMAX_CROSS_ENTROPY, SIGMOID_CROSS_ENTROPY, SQUARED_ERROR = range(3)
OUTPUTS = {
    "softmax_cross_entropy": SOFTMAX_CROSS_ENTROPY,
    "sigmoid_cross_entropy": SIGMOID_CROSS_ENTROPY,
    "squared_error": SQUARED_ERROR,
}
# Columns of the table: the operation, its activation or NONE, columns before and after; where its
# parameters and statistics start in theta (the second array follows the first); where its input,
# its output and what else it keeps start in the workspace; which layer of the network it is.
KIND, ACTIVATION, N_IN, N_OUT, PARAMETERS, STATISTICS, INPUT, OUTPUT, KEPT, LAYER = range(10)
N_COLUMNS = 10
# Columns of its numbers: those of the layer, and the slope of a leaky ReLU.
FIRST, SECOND, SLOPE = range(3)
N_NUMBERS = 3

# How functions compile that are never called from Python: the wrappers for that, which look into
# every array, took as long as the functions.
INNER: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip
SUMS: dict[str, Any] = {**INNER, "fastmath": {"reassoc", "contract", "nsz"}}
