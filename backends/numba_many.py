"""Host side of the Numba pass over several models of one loss at once.

The two products of a block are BLAS's, on one thread each; the loss between them is compiled. Rows
are cut and summed as in the other passes: what comes out does not depend on the threads.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .blas_threads import single_blas_thread
from .numba_layout import as_vector, is_csr, is_readable
from .record import Array

# Numbers of raw predictions, or of X, in a block: they stay in the second cache.
BLOCK_NUMBERS = 1 << 16
# Blocks whose sums share a slot, and slots at most.
MOST_CHUNKS = 32


def losses_gradients(
    X: Any, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[Array, Array, Array]:
    """Fused `core.many_passes.losses_gradients`."""
    from .numba_kernels.compile import pointwise_passes, prepare
    from .numba_kernels.threads import run_on_threads

    formulas = (loss.value, loss.gradient, loss.curvature)
    kernel = pointwise_passes(loss.name, formulas, "c", loss.captured_numbers()).losses_of_many
    (n, d), m = X.shape, W.shape[1]
    width = m if is_csr(X) else max(m, d)
    rows = max(64, min(n, BLOCK_NUMBERS // width))
    chunk_rows = rows * max(1, -(-n // (rows * MOST_CHUNKS)))
    n_chunks = -(-n // chunk_rows)
    targets, weight, models = as_vector(y), as_vector(sample_weight), np.ascontiguousarray(W.T)
    parameters = tuple(float(parameter) for parameter in loss.parameters)
    totals, slopes = np.zeros((n_chunks, 2, m)), np.zeros((n_chunks, m, d))
    room = np.empty((m, 0)), np.empty(0)
    call = targets[:0], weight[:0], *room, parameters, totals[0]
    prepare(kernel, f"losses_of_many[{loss.name}]", *call)
    chunks = itertools.count()

    def work() -> None:
        raw, own = np.empty((m, rows)), np.empty(rows)
        for chunk in chunks:
            if chunk >= n_chunks:
                return
            stop = min(n, (chunk + 1) * chunk_rows)
            for first in range(chunk * chunk_rows, stop, rows):
                last = min(stop, first + rows)
                part = slice(first, last)
                block = X[part] if X.dtype == np.float64 else X[part].astype(np.float64)
                found = raw[:, : last - first]
                if is_csr(X):
                    found[:] = (block @ W).T
                else:
                    np.matmul(models, block.T, out=found)
                found += b[:, None]
                kernel(targets[part], weight[part], raw, own, parameters, totals[chunk])
                slopes[chunk] += (block.T @ found.T).T if is_csr(X) else found @ block

    with single_blas_thread():
        run_on_threads(work, n_chunks)
    losses, grad_b = totals.sum(axis=0)
    return losses, np.ascontiguousarray(slopes.sum(axis=0).T), grad_b


def accepts_many(X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any) -> bool:
    """Whether `losses_gradients` can read X."""
    return (
        W.dtype == np.float64
        and X.shape[0] > 0
        and W.shape[1] > 0
        and y.ndim == 1
        and not loss.is_multiclass
        and is_readable(X)
    )
