"""Inputs of a case with X in another dtype or memory order: what is read is what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .case import Inputs

# Bytes take 0 ... 255: a deviation is this many, the mean is in the middle.
BYTE_DEVIATION, BYTE_MEAN = 32.0, 128.0


def stored_as(
    make: Callable[[int, np.random.Generator], Inputs], dtype: str, order: str
) -> Callable[[int, np.random.Generator], Inputs]:
    """`make`, with X of a dtype and order; weights are scaled so that raw predictions stay small.

    Examples
    --------
    >>> make = stored_as(lambda n, rng: (rng.normal(size=(n, 2)), None, np.ones(2)), "uint8", "F")
    >>> X, _, w = make(3, np.random.default_rng(0))
    >>> X.dtype.name, X.flags.f_contiguous, float(w[0])
    ('uint8', True, 0.03125)
    """

    def make_stored(n: int, rng: np.random.Generator) -> Inputs:
        X, y, w, *rest = make(n, rng)
        if np.dtype(dtype).kind == "u":
            X = np.clip(np.rint(BYTE_DEVIATION * X + BYTE_MEAN), 0, 255)
            w = w / BYTE_DEVIATION
        kept: Any = np.asarray(X, dtype=dtype, order=order)  # type: ignore[call-overload]
        return (kept, y, w, *rest)

    return make_stored
