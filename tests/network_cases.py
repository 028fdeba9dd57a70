"""Networks, rows and parameters whose gradients PyTorch was asked for too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Identity,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Network,
    ReLU,
    Sigmoid,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SquaredError,
    Tanh,
)

N_FEATURES, N_ROWS, N_BATCHES = 5, 9, 3
CLASSES, LABELS, VALUES = SoftmaxCrossEntropy(), SigmoidCrossEntropy(), SquaredError()

NETWORKS: dict[str, Network] = {
    name: Network(N_FEATURES, layers, output)
    for name, layers, output in [
        ("linear classes", (Affine(3),), CLASSES),
        ("relu classes", (Affine(8), ReLU(), Affine(3)), CLASSES),
        ("tanh values", (Affine(6), Tanh(), Affine(4), Tanh(), Affine(2)), VALUES),
        ("sigmoid labels", (Affine(6), Sigmoid(), Affine(3)), LABELS),
        ("batch norm before relu", (Affine(7), BatchNorm(), ReLU(), Affine(3)), CLASSES),
        ("batch norm of x", (BatchNorm(0.3, 1e-3), Affine(4), GELU(), Affine(1)), LABELS),
        ("layer norm gelu", (Affine(6), LayerNorm(), GELU(), Affine(4), Affine(3)), CLASSES),
        ("softplus leaky", (Affine(6), Softplus(), Affine(5), LeakyReLU(0.1), Affine(2)), VALUES),
        ("softmax inside", (Affine(4), Softmax(), Affine(3)), CLASSES),
        ("log softmax values", (Affine(4), LeakyReLU(), Affine(3), LogSoftmax()), VALUES),
        (
            "both norms",
            (Affine(6), BatchNorm(), Tanh(), Affine(5), LayerNorm(1e-3), Sigmoid(), Affine(1)),
            VALUES,
        ),
        (
            "deep",
            (Affine(8), ReLU(), Affine(7), Identity(), GELU(), Affine(6), BatchNorm(1.0),
             Softplus(), Affine(5), Tanh(), Affine(4)),
            CLASSES,
        ),
        ("no columns but one", (Affine(1), BatchNorm(0.01), Softplus(), Affine(2)), LABELS),
    ]
}  # fmt: skip


class Rows(NamedTuple):
    """A batch."""

    X: Any
    y: Any
    weight: Any


def theta_of(name: str) -> Any:
    """Parameters, none of them 0 or 1; statistics as they begin."""
    network, rng = NETWORKS[name], np.random.default_rng(17)
    theta = network.initial(rng)
    theta[: network.n_parameters] += 0.2 * rng.normal(size=network.n_parameters)
    return theta


def batches_of(name: str) -> list[Rows]:
    """One after the other, for running statistics."""
    network, rng = NETWORKS[name], np.random.default_rng(18)
    shape, batches = (N_ROWS, network.n_outputs), []
    for _ in range(N_BATCHES):
        y = {
            CLASSES: rng.integers(0, shape[1], N_ROWS),
            LABELS: rng.integers(0, 2, shape).astype(float),
            VALUES: rng.normal(size=shape),
        }[network.output]
        X = rng.normal(size=(N_ROWS, N_FEATURES)) * 2.0 + 0.5
        batches.append(Rows(X, y, rng.uniform(0.2, 3.0, N_ROWS)))
    return batches
