"""The data of the tests of `summary`, which statsmodels was given too."""

from __future__ import annotations

import numpy as np

LEVEL = 0.9  # of the confidence intervals


def mixed(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unlike scale and offset, classes that overlap."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n, 3))
    X = np.stack([2000.0 + 10.0 * Z[:, 0], 1e-3 * Z[:, 1] + 1e-3, Z[:, 2] + 0.5 * Z[:, 0]], axis=1)
    y = (0.8 * Z[:, 0] - 0.5 * Z[:, 1] + rng.logistic(size=n) > 0.3).astype(int)
    return X, y
