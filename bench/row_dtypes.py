"""Row `dtypes`: the pass on the same numbers in other dtypes and memory orders; none copies X."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import get_backend
from ..backends.numba_kernels.threads import n_threads
from .children import MIB, PeakMeter, run_child
from .figures import Row
from .problems import draw_labels, small_integers
from .row_pass import TOLERANCE, our_pass, relative_error
from .sizes import Size, pause_for, rounds_for
from .timing import compare

KEY = "dtypes"
SHAPE = {"tiny": (5_000, 16), "full": (1_000_000, 64)}
DTYPES = ("float64", "float32", "float16", "uint8")
CASES = [(dtype, order) for order in "CF" for dtype in DTYPES]
REFERENCE = "float64 C"
# What a pass may need beside X, relative to X. A copy, even into uint8, is at least an eighth.
NO_COPY = 0.1
TARGETS = {"float32 C": 0.6}


def _inputs(n_samples: int, n_features: int) -> tuple[Any, Any]:
    w = np.random.default_rng(5).standard_normal(n_features) / (255.0 * np.sqrt(n_features))
    y = np.random.default_rng(6).integers(0, 2, n_samples).astype(np.float64)
    return w, y


def peak_of_pass(n_samples: int, n_features: int, dtype: str, order: str) -> dict[str, Any]:
    """In a process of its own: the rise of memory during one pass, in bytes."""
    backend = get_backend("numba")
    w, _ = _inputs(1, n_features)
    # The libraries and the compiled kernel are loaded, and the threads started, on other data.
    warm = small_integers(2 * n_samples // 3, n_features, dtype, order)
    our_pass(warm, draw_labels(np.zeros(warm.shape[0])), w, 0.1, backend, fused=True)()
    del warm
    X = small_integers(n_samples, n_features, dtype, order)
    _, y = _inputs(n_samples, n_features)
    meter = PeakMeter()
    meter.start()
    our_pass(X, y, w, 0.1, backend, fused=True)()
    return {"rise": meter.rise(), "bytes": float(X.nbytes)}


def _add_memory(row: Row, size: Size) -> None:
    n_samples, n_features = SHAPE[size]
    # Each case is a process; at tiny size two show that this works.
    for dtype, order in CASES if size == "full" else (CASES[0], CASES[-1]):
        arguments = {"n_samples": n_samples, "n_features": n_features}
        answer, _ = run_child(
            "row_dtypes.peak_of_pass", {**arguments, "dtype": dtype, "order": order}
        )
        name = f"{dtype} {order}"
        row.add(f"{name}: memory beside X / X", answer["rise"] / answer["bytes"], NO_COPY)
        row.notes.append(
            f"{name}: X has {answer['bytes'] / MIB:.1f} MiB, the pass took "
            f"{answer['rise'] / MIB:.1f} MiB more."
        )


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    n_samples, n_features = SHAPE[size]
    row = Row(
        KEY,
        f"the same pass on {n_samples:,} x {n_features} in other dtypes and orders, "
        f"relative to float64 in C order, {n_threads()} threads",
    )
    w, y = _inputs(n_samples, n_features)
    backend = get_backend("numba")
    passes: dict[str, Callable[[], Any]] = {
        f"{dtype} {order}": our_pass(
            small_integers(n_samples, n_features, dtype, order), y, w, 0.1, backend, fused=True
        )
        for dtype, order in CASES
    }
    found = compare(
        passes, rounds=rounds_for(size, rounds, 15), reference=REFERENCE, error=relative_error,
        tolerance=TOLERANCE, pause=pause_for(size),
    )  # fmt: skip
    passes.clear()
    row.keep("pass", found)
    for name in found.timings:
        if name != REFERENCE:
            row.add(f"{name}: time / {REFERENCE}", found.ratio(name), TARGETS.get(name, 1.0))
    _add_memory(row, size)
    return row.as_dict()
