"""Measure from which size of X on a fit on Numba is faster than one on NumPy."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..peers import fit_ours_on
from ..timing import PAUSE, compare
from .charts import crossover

FEATURES = 16
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)


def measure_crossover(rounds: int = 7, pause: float = PAUSE) -> tuple[float, list[dict[str, Any]]]:
    """Numbers of X at which logistic fits on both backends take as long, and the times behind it.

    Returns
    -------
    elements : float
        Infinite where NumPy is faster at every size, 0 where Numba is.
    records : list of dict
        case, rung, n (numbers of X) and median_s.
    """
    rng = np.random.default_rng(0)
    records = []
    for size in SIZES:
        X = rng.standard_normal((size // FEATURES, FEATURES))
        y = (X[:, 0] + rng.logistic(size=X.shape[0]) > 0.0).astype(np.int64)
        fits = {name: partial(fit_ours_on, name, X, y, tol=1e-5) for name in ("numpy", "numba")}
        found = compare(fits, rounds=rounds, pause=pause, unchecked=frozenset(fits))
        records += [
            {"case": "fit", "rung": name, "n": size, "median_s": found.median(name)}
            for name in fits
        ]
    at = crossover(records, "fit", "numpy", "numba")
    if at is not None:
        return at, records
    last = {r["rung"]: r["median_s"] for r in records if r["n"] == SIZES[-1]}
    return (0.0 if last["numba"] < last["numpy"] else math.inf), records
