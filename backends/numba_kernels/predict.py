"""Fused prediction for one output. A template, see pointwise_passes.py."""

from __future__ import annotations

from numba import njit

from .rows_c import BLOCK, UNKNOWN, product
from .scalar import fetch_add


@njit(nogil=True, error_model="numpy", cache=True)
def predict_raw(X, w, b, chunk_rows, counter, n_chunks, out):
    """out[i] = x_i @ w + b for the chunks of rows that this thread takes."""
    n = out.shape[0]
    chunk = fetch_add(counter, 1)
    while chunk < n_chunks:
        last = min(n, (chunk + 1) * chunk_rows)
        for start in range(chunk * chunk_rows, last, BLOCK):
            stop = min(last, start + BLOCK)
            product(X, start, stop, w, b, out[start:stop], UNKNOWN)
        chunk = fetch_add(counter, 1)
