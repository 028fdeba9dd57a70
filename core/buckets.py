"""Numbers of rows for which programs are compiled: a few, so that a new number rarely compiles.

A program is compiled for one shape of X. On JAX another number of rows cost half a second to one
second for fits that take 5 to 11 milliseconds (4,002 rows after 4,001, 2 and 3 classes): folds,
learning curves and batches never got past compiling. So small X is filled up to the next size of
a short list with rows that have no weight.
"""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import device

from ..backends import Array, Backend, Namespace, bucket_size
from .dispatch import can_compile, compiled

# Numbers of X up to which it is filled up. A copy of these is nothing; passes over more of them
# take so long that compiling does not matter, and a copy would.
MOST_NUMBERS = 1 << 20


class Rows(NamedTuple):
    """X, and what has an entry for each of its rows."""

    X: Array
    y: Array
    sample_weight: Array | None


def in_bucket(backend: Backend, rows: Rows, fused: bool | None) -> Rows:
    """The same rows, and copies of the first one without weight up to the size of the bucket.

    Weighted sums are the same. Where nothing is compiled, or X is large, the rows as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> rows = Rows(np.ones((9, 2)), np.ones(9), None)
    >>> in_bucket(get_backend("numpy"), rows, None) is rows
    True
    """
    X = rows.X
    if not can_compile(backend, "loss_gradient", X, fused=fused) or X.size > MOST_NUMBERS:
        return rows
    # Also where nothing is missing: a program with weights is another one.
    filled: Rows = compiled(backend, _filled, bucket_size(X.shape[0]))(rows)
    return filled


def _filled(xp: Namespace, size: int, rows: Rows) -> Rows:
    X, y, weight = rows
    n_missing = size - X.shape[0]
    if weight is None:
        weight = xp.ones(y.shape[:1], dtype=xp.float32, device=device(X))
    # Copies, not zeros: whatever a loss is at a row of the data is finite, or found out anyway.
    X, y = (
        xp.concat([part, xp.broadcast_to(part[:1], (n_missing, *part.shape[1:]))])
        for part in (X, y)
    )
    none = xp.zeros((n_missing,), dtype=weight.dtype, device=device(X))
    return Rows(X, y, xp.concat([weight, none]))
