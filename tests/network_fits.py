"""A small problem of three classes and networks for it, trained with options of one's choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpfit.backends import get_backend
from xpfit.core.epoch_options import EpochOptions
from xpfit.core.network import Affine, BatchNorm, Dropout, Network, ReLU, SoftmaxCrossEntropy
from xpfit.core.network.fit import NetworkFit, fit_network
from xpfit.core.optimizers import Adam

NUMPY = get_backend("numpy")
rng = np.random.default_rng(5)
X = rng.normal(size=(203, 6))
CODES = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64) + (X[:, 3] > 1.0)
CLASSES = Network(6, (Affine(12), ReLU(), Affine(3, "xavier")), SoftmaxCrossEntropy())
NOISY = Network(
    6, (Affine(12), BatchNorm(), ReLU(), Dropout(0.3), Affine(3, "xavier")), SoftmaxCrossEntropy()
)


def fit(network: Network = CLASSES, **options: Any) -> NetworkFit:
    loop = {"batch_size": 32, "max_iter": 5, "tol": None}
    for key in ("batch_size", "max_iter", "tol", "n_iter_no_change", "average_from", "max_norm"):
        if key in options:
            loop[key] = options.pop(key)
    given = {
        "X": X, "y": CODES, "backend": NUMPY, "optimizer": Adam(0.01), "dtype": "float64",
        "rng": np.random.default_rng(1), **options,
    }  # fmt: skip
    backend = given["backend"]
    for name in ("X", "y", "sample_weight"):
        if isinstance(given.get(name), np.ndarray):
            given[name] = backend.from_numpy(given[name])
    return fit_network(network=network, options=EpochOptions(**loop), **given)
