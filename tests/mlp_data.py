"""Small data sets, and networks that train in a blink, for the tests of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sgd_data import binary, numeric, quietly, three_classes
from sklearn.datasets import load_digits

__all__ = ["SMALL", "binary", "digits", "labels", "numeric", "quietly", "three_classes"]

SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "batch_size": 32, "max_iter": 5,
    "tol": None, "random_state": 0,
}  # fmt: skip


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X.astype(np.uint8), y


def labels() -> tuple[np.ndarray, np.ndarray]:
    """Three labels for each row, each there or not."""
    X, _ = binary()
    return X, (X[:, :3] + X[:, 3:6] > 0).astype(np.int64)
