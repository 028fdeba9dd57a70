"""Row `memory`: the peak of a whole fit, each fit in a process of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .children import MIB, PeakMeter, run_child
from .figures import Row
from .problems import draw_labels, gaussian
from .sizes import Size

KEY = "memory"
SHAPE = {"tiny": (5_000, 16), "full": (1_000_000, 64)}
WARM_ROWS = 4_000
OURS, PEER = "xpfit", "scikit-learn"
# What a fit may take beside X: a tenth of it, and this for all else.
SHARE, ALLOWANCE = 0.1, 64.0 * MIB


def _estimator(library: str) -> Any:
    if library == OURS:
        from ..estimators import LogisticRegression

        return LogisticRegression(backend="numba")
    from sklearn.linear_model import LogisticRegression as TheirLogisticRegression

    return TheirLogisticRegression()


def peak_of_fit(n_samples: int, n_features: int, dtype: str, library: str) -> dict[str, Any]:
    """In a process of its own: the rise of memory during a fit, in bytes.

    A fit of a few other rows goes first: libraries and compiled kernels are not memory of a fit.
    """
    warm = gaussian(WARM_ROWS, n_features, seed=3).astype(dtype)
    _estimator(library).fit(warm, np.arange(WARM_ROWS) % 2)
    X = np.empty((n_samples, n_features), dtype=dtype)
    y = np.empty(n_samples, dtype=np.int64)
    w = np.random.default_rng(5).standard_normal(n_features) / np.sqrt(n_features)
    for start in range(0, n_samples, WARM_ROWS):
        stop = min(n_samples, start + WARM_ROWS)
        X[start:stop] = gaussian(stop - start, n_features, seed=start)
        y[start:stop] = draw_labels(X[start:stop] @ w, seed=start + 1)
    meter = PeakMeter()
    meter.start()
    _estimator(library).fit(X, y)
    return {"rise": meter.rise(), "bytes": float(X.nbytes), "was_reset": meter.was_reset}


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row; memory is measured once, whatever `rounds` says."""
    n_samples, n_features = SHAPE[size]
    row = Row(
        KEY,
        f"peak memory of LogisticRegression.fit, {n_samples:,} x {n_features}, X included, "
        "libraries and compiled kernels not",
    )
    for library, dtype in ((OURS, "float64"), (OURS, "float32"), (PEER, "float64")):
        arguments = {"n_samples": n_samples, "n_features": n_features}
        answer, _ = run_child(
            "row_memory.peak_of_fit", {**arguments, "dtype": dtype, "library": library}
        )
        size_of_X, rise = answer["bytes"], answer["rise"]
        target = size_of_X * (1.0 + SHARE) + ALLOWANCE if library == OURS else None
        row.add(
            f"{library}, {dtype}: peak, X included", (size_of_X + rise) / MIB,
            None if target is None else target / MIB, unit="MiB",
        )  # fmt: skip
        row.notes.append(
            f"{library}, {dtype}: X has {size_of_X / MIB:.1f} MiB, the fit took "
            f"{rise / MIB:.1f} MiB more ({1.0 + rise / size_of_X:.2f} times X in all)."
        )
        if not answer["was_reset"]:
            row.notes.append("This system cannot reset the high-water mark: an upper bound.")
    return row.as_dict()
