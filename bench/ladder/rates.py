"""What this machine can do: how fast it reads, reads and writes, and multiplies matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from ...backends.numba_kernels.scalar import fetch_add
from ...backends.numba_kernels.threads import run_on_threads
from ..machine import fastest_read
from ..timing import PAUSE, compare

# Words of 8 bytes that a thread copies at a time.
COPY_CHUNK = 1 << 16


@dataclass(frozen=True)
class Rates:
    """What the machine can do.

    Attributes
    ----------
    read : float
        Bytes per second that all threads read together, in the fastest way that was found.
    copy : float
        Bytes per second of a copy by all threads into an array that exists: those read and those
        written.
    matrix : float
        Floating-point operations per second of a matrix product of NumPy's, float64.
    """

    read: float
    copy: float
    matrix: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"read": self.read, "copy": self.copy, "matrix": self.matrix}


@njit(nogil=True)
def _copy_chunks(source, target, chunk, counter):  # type: ignore[no-untyped-def] # by Numba
    at = fetch_add(counter, chunk)
    while at < source.shape[0]:
        part, other = source[at : at + chunk], target[at : at + chunk]
        for i in range(part.shape[0]):
            other[i] = part[i]
        at = fetch_add(counter, chunk)


def parallel_copies(source: Any, target: Any) -> dict[str, Callable[[], None]]:
    """Ways to copy: by NumPy, and by all threads in chunks."""

    def on_threads() -> None:
        counter = np.zeros(1, dtype=np.int64)
        chunks = -(-source.shape[0] // COPY_CHUNK)
        run_on_threads(lambda: _copy_chunks(source, target, COPY_CHUNK, counter), chunks)

    return {"np.copyto": lambda: np.copyto(target, source), "all threads": on_threads}


def measure_rates(size: int = 1 << 28, order: int = 1500, rounds: int = 5) -> Rates:
    """Measure the machine, on `size` bytes and matrices of the given order.

    All ways take turns, so that a slow moment meets all of them.
    """
    X = np.ones((size // 512, 64))
    words = X.reshape(-1)
    half = words.shape[0] // 2
    name, read, _ = fastest_read(X, rounds=rounds, pause=PAUSE)
    copies = parallel_copies(words[:half], np.zeros(half))
    A = np.random.default_rng(0).standard_normal((order, order))
    ways: dict[str, Callable[[], object]] = {name: read, **copies, "product": lambda: A @ A}
    found = compare(ways, rounds=rounds, unchecked=frozenset(ways))
    return Rates(
        read=X.nbytes / found.median(name),
        copy=2.0 * half * 8 / min(found.median(way) for way in copies),
        matrix=2.0 * order**3 / found.median("product"),
    )
