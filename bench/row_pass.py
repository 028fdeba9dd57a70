"""Row `pass`: one fused logistic loss-and-gradient pass against a read of the same bytes and peers.

The read is the fastest that this machine was seen to do on the same threads; of several ways of
reading, all timed, the best counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from ..backends.numba_kernels.threads import n_threads
from ..core.losses import HALF_BINOMIAL
from ..core.passes import PassSums, loss_gradient
from .figures import Row
from .machine import fastest_read
from .peers import has, jax_in_64_bits, missing_note, sklearn_pass, torch_pass
from .problems import draw_labels, gaussian
from .sizes import Size, pause_for, rounds_for
from .timing import Comparison, compare

KEY = "pass"
SHAPE = {"tiny": (5_000, 16), "full": (1_000_000, 64)}
TOLERANCE = 1e-10
READ, OURS, SKLEARN, TORCH = "parallel read", "xpfit numba", "scikit-learn", "torch autograd"


def relative_error(found: Any, expected: Any) -> float:
    """Largest difference of loss and gradients, relative to the largest entry of each."""
    return max(
        float(np.max(np.abs(np.ravel(a) - np.ravel(e))) / max(np.max(np.abs(np.ravel(e))), 1e-30))
        for a, e in zip(found, expected, strict=True)
    )


def our_pass(
    X: Any, y: Any, w: Any, b: float, backend: Backend, *, fused: bool | None = None
) -> Callable[[], PassSums]:
    """The pass of `core` on arrays of the backend."""
    W, intercept = backend.from_numpy(w[:, None].copy()), backend.from_numpy(np.asarray([b]))

    def run() -> PassSums:
        return loss_gradient(X, y, None, W, intercept, HALF_BINOMIAL, backend=backend, fused=fused)

    return run


def _jax_pass(X: Any, y: Any, w: Any, b: float) -> Callable[[], PassSums]:
    with jax_in_64_bits():
        backend = get_backend("jax")
        run = our_pass(backend.from_numpy(X), backend.from_numpy(y), w, b, backend)

    def run_in_64_bits() -> PassSums:
        with jax_in_64_bits():
            sums = run()
            backend.synchronize(sums)
            return sums

    return run_in_64_bits


def contestants(X: Any, y: Any, w: Any, b: float) -> dict[str, Callable[[], Any]]:
    """All passes that can run here, on the same X."""
    numpy = get_backend("numpy")
    found: dict[str, Callable[[], Any]] = {
        OURS: our_pass(X, y, w, b, get_backend("numba"), fused=True),
        SKLEARN: sklearn_pass(X, y, w, b, n_threads()),
    }
    if has("torch"):
        found[TORCH] = torch_pass(X, y, w, b, n_threads())
    found["xpfit numpy, generic"] = our_pass(X, y, w, b, numpy, fused=False)
    if has("jax"):
        found["xpfit jax, jitted"] = _jax_pass(X, y, w, b)
    return found


def _add_figures(row: Row, found: Comparison, n_bytes: int) -> None:
    row.add("time / fastest parallel read of X", found.ratio(OURS, READ), 1.4)
    row.add("time / scikit-learn's loss_gradient", found.ratio(OURS, SKLEARN), 0.36)
    if TORCH in found.timings:
        row.add("time / PyTorch's autograd pass", found.ratio(OURS, TORCH), 1.0, sense="<")
    for name in found.timings:
        if name.startswith("xpfit") and name != OURS:
            row.add(f"time / {name}", found.ratio(OURS, name))
    row.add("parallel read", n_bytes / found.median(READ) / 1e9, unit="GB/s")
    row.add("fused pass", n_bytes / found.median(OURS) / 1e9, unit="GB/s")


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    n_samples, n_features = SHAPE[size]
    rounds = rounds_for(size, rounds, 15)
    row = Row(
        KEY,
        f"one logistic loss-and-gradient pass, {n_samples:,} x {n_features} float64, C order, "
        f"{n_threads()} threads",
        notes=missing_note(("torch", "jax")),
    )
    X = gaussian(n_samples, n_features)
    w, b = np.random.default_rng(5).standard_normal(n_features) / np.sqrt(n_features), 0.1
    y = draw_labels(X @ w)
    how, read, readers = fastest_read(X, rounds=rounds, pause=pause_for(size))
    row.keep("ways to read", readers)
    row.notes.append(f"Fastest read of X: {how}.")
    found = compare(
        {READ: read, **contestants(X, y, w, b)}, rounds=rounds, reference=SKLEARN,
        error=relative_error, tolerance=TOLERANCE, unchecked=frozenset({READ}),
        pause=pause_for(size),
    )  # fmt: skip
    row.keep("pass", found)
    _add_figures(row, found, X.nbytes)
    return row.as_dict()
