"""Fused sums over columns: for means and variances. A template, see pointwise_passes.py."""

from __future__ import annotations

import numpy as np
from numba import njit

from .rows_c import BLOCK
from .rows_c import column_sums as add_rows
from .scalar import fetch_add


@njit(nogil=True, error_model="numpy", cache=True)
def column_sums(X, weight, origin, n, chunk_rows, counter, sums):
    """sums[chunk] = [sum w (x - origin)..., sum w (x - origin)^2...] for this thread's chunks."""
    d = origin.shape[0]
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        first, second = np.zeros(d), np.zeros(d)
        last = min(n, (chunk + 1) * chunk_rows)
        for start in range(chunk * chunk_rows, last, BLOCK):
            add_rows(X, start, min(last, start + BLOCK), weight, origin, first, second)
        sums[chunk, :d] = first
        sums[chunk, d:] = second
        chunk = fetch_add(counter, 1)
