"""Gradients to clip and parameters to average: what PyTorch was given too."""

from __future__ import annotations

from typing import Any

import numpy as np

GRADS = {"W": np.array([[3.0, -4.0], [0.5, 1e-3]]), "b": [np.array([12.0]), np.zeros((0, 2))]}
MAX_NORMS = (0.1, 13.0, 100.0)
EMA_DECAY = 0.9


def points(n: int, dtype: Any = np.float64) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [{"w": rng.normal(size=3).astype(dtype), "b": [rng.normal(size=())]} for _ in range(n)]
