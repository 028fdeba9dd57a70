"""Lays arguments out for the Numba kernels, and runs them: contiguous arrays of known types,
chunks of rows, threads, sums in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .record import Array

# Numbers of X in one chunk of rows. A chunk is what a thread takes at a time, and the unit in
# which sums are added: fixed, so that results do not depend on the number of threads.
CHUNK_NUMBERS = 1 << 19
# Rows of a chunk are a multiple of this, so that all blocks but the last are full.
CHUNK_MULTIPLE = 1024
# A pass over fewer numbers than this is over before a second thread has woken up (20 us).
NUMBERS_PER_THREAD = 1 << 16

_X_KINDS = "fiub"


def as_writeable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory as an array that Numba does not type as read-only: one kernel serves both.

    The kernels never write to their inputs.
    """
    if array.flags.writeable:
        return array

    class Holder:
        __array_interface__ = {  # noqa: RUF012 - the protocol's name and form
            **array.__array_interface__,
            "data": (array.__array_interface__["data"][0], False),
        }
        owner = array

    return np.asarray(Holder())


def is_csr(X: Any) -> bool:
    return getattr(X, "format", None) == "csr"


def layout_of(X: Any) -> str:
    if is_csr(X):
        return "csr"
    return "c" if X.flags.c_contiguous else "f"


def kind_of(X: Any, layout: str) -> str:
    """The types that a kernel for X is compiled for, in words."""
    if layout == "csr":
        return f"{X.dtype}, csr of {X.indices.dtype} and {X.indptr.dtype}"
    return f"{X.dtype}, {layout}"


def rows_for(X: Any, layout: str) -> Any:
    """X as the products of its layout take it."""
    if layout == "csr":
        return as_writeable(X.data), as_writeable(X.indices), as_writeable(X.indptr)
    return as_readable(X if layout == "c" else X.T)


def as_readable(X: Any) -> Any:
    """A dense X as kernels read it: writeable in type, and float16 as the bits that it is."""
    rows = as_writeable(X)
    if rows.dtype == np.float16:
        from .numba_kernels.scalar import HALF

        rows = rows.view(HALF)
    return rows


def as_vector(array: Array | None) -> np.ndarray[Any, Any]:
    """y or weights as a contiguous float64 vector; no weights are an empty one."""
    if array is None:
        return np.empty(0)
    return as_writeable(np.ascontiguousarray(array, dtype=np.float64))


def rows_of_a_chunk(n_samples: int, n_features: int, multiple: int = CHUNK_MULTIPLE) -> int:
    rows = max(1, CHUNK_NUMBERS // max(1, n_features))
    return -(-rows // multiple) * multiple


def is_readable(X: Any) -> bool:
    """Whether the products can read X where it lies."""
    if is_csr(X):
        dtypes = (X.data.dtype, X.indices.dtype, X.indptr.dtype)
        if X.data.dtype == np.float16:
            return False
        return X.data.dtype.kind in _X_KINDS and all(t.isnative and t.itemsize <= 8 for t in dtypes)
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and X.shape[1] > 0
        and (X.flags.c_contiguous or X.flags.f_contiguous)
        and X.flags.aligned
        and X.dtype.kind in _X_KINDS
        and X.dtype.isnative
        and X.dtype.itemsize <= 8
    )


def threads_for(X: Any, numbers_per_row: int = 1) -> int:
    """How many threads a pass over X can keep busy."""
    stored = X.nnz if is_csr(X) else X.shape[0] * X.shape[1]
    return int(stored) * numbers_per_row // NUMBERS_PER_THREAD + 1


def run_pass(
    kernel: Any,
    what: str,
    X: Any,
    n_sums: int,
    *arguments: Any,
    numbers_per_row: int = 1,
    most_chunks: int | None = None,
    chunk_multiple: int = CHUNK_MULTIPLE,
) -> np.ndarray[Any, Any]:
    """Run a pass on threads and add up the sums of its chunks, in their order."""
    from .numba_kernels.compile import prepare
    from .numba_kernels.threads import run_on_threads

    n_samples, n_features = X.shape
    chunk_rows = rows_of_a_chunk(n_samples, n_features * numbers_per_row, chunk_multiple)
    if most_chunks is not None:
        fewest = -(-n_samples // most_chunks)
        chunk_rows = max(chunk_rows, -(-fewest // chunk_multiple) * chunk_multiple)
    sums = np.empty((-(-n_samples // chunk_rows), n_sums))
    counter = np.zeros(1, dtype=np.int64)
    call = (*arguments, chunk_rows, counter, sums)
    prepare(kernel, what, *call)
    run_on_threads(lambda: kernel(*call), min(sums.shape[0], threads_for(X, numbers_per_row)))
    total: np.ndarray[Any, Any] = sums.sum(axis=0)
    return total
