"""NumPy: the reference. No fused kernels; every generic kernel runs as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from .record import Array, Backend

# Half of a usual level-2 cache: the second product of a pass then finds the block in cache.
BLOCK_BYTES = 1 << 19


def devices() -> tuple[str, ...]:
    """Devices that this backend can use here."""
    return ("cpu",)


def at_add(x: Array, index: Any, values: Array) -> Array:
    """x with `values` added at `index` (repeated indices add up), as a new array."""
    result = np.array(x, copy=True)
    np.add.at(result, index, values)
    return result


def compute_dtype(dtype: Any) -> Any:
    """float64 for every dtype of X: a host gains nothing from sums in float32 but error."""
    return np.dtype(np.float64)


def identity(function: Any, donate: tuple[int, ...] = ()) -> Any:
    """Nothing to compile."""
    return function


def wait(_: Array) -> None:
    """NumPy returns when the value exists."""


def cholesky(matrix: Array) -> tuple[Callable[[Array], Array], float] | None:
    """SciPy's factor and triangular solves."""
    # SciPy's linear algebra takes a tenth of a second to import: not before it is needed.
    import scipy.linalg

    try:
        factor = scipy.linalg.cholesky(matrix, lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return None

    def solve(r: Array) -> Array:
        return scipy.linalg.cho_solve((factor, True), r, check_finite=False)

    return solve, float(factor.diagonal().min())


def make() -> Backend:
    """The record of this backend."""
    return Backend(
        name="numpy",
        version=np.__version__,
        xp=xp,
        array_type=np.ndarray,
        device="cpu",
        from_numpy=np.asarray,
        to_numpy=np.asarray,
        synchronize=wait,
        jit=identity,
        at_add=at_add,
        compute_dtype=compute_dtype,
        block_bytes=BLOCK_BYTES,
        cholesky=cholesky,
    )
