"""The machine: what it is, and how fast it reads memory.

Neither names nor paths of the machine are recorded: what matters is what it can do.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..backends.numba_kernels.threads import n_threads, run_on_threads
from .timing import Comparison, compare

LIBRARIES = (
    "numpy", "scipy", "numba", "scikit-learn", "glum", "celer", "skglm", "torch", "jax", "optax",
    "xpfit",
)  # fmt: skip
MIB = 1 << 20


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _blas() -> list[str]:
    from threadpoolctl import threadpool_info

    return sorted(
        {
            f"{pool['internal_api']} {pool.get('version') or ''}, {pool['num_threads']} threads"
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
    )


def git_commit() -> str | None:
    """The commit of this checkout, with a plus where files differ from it; None outside of one."""
    here = Path(__file__).resolve().parent
    try:
        ask = ["git", "-C", str(here)]
        commit = subprocess.run(
            [*ask, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*ask, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changed else commit


def describe_machine() -> dict[str, Any]:
    """What a reader must know to judge a time: processor, memory, versions, date, commit.

    Examples
    --------
    >>> from xpfit.bench.machine import describe_machine
    >>> sorted(describe_machine())[:4]
    ['blas', 'commit', 'cores', 'cpu']
    """
    return {
        "cpu": _cpu_model(),
        "cores": n_threads(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "blas": _blas(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": git_commit(),
    }


def _words(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = X.reshape(-1) if X.flags.c_contiguous else X.T.reshape(-1)
    size = flat.nbytes // 8 * 8
    return flat.view(np.uint8)[:size].view(np.int64)


def _reader(words: np.ndarray[Any, Any], kernel: Any, chunk: int) -> Callable[[], int]:
    def read() -> int:
        sums = np.zeros(-(-words.shape[0] // chunk), dtype=np.int64)
        counter = np.zeros(1, dtype=np.int64)
        run_on_threads(lambda: kernel(words, chunk, counter, sums), sums.shape[0])
        return int(sums.sum())

    return read


def parallel_readers(X: np.ndarray[Any, Any]) -> dict[str, Callable[[], int]]:
    """Ways to read every byte of X: each returns the sum of its 8-byte words, wrapped around.

    Parameters
    ----------
    X : ndarray, contiguous in C or Fortran order
        Bytes beyond a multiple of 8 are left out.
    """
    from .read_kernels import CHUNKS, KERNELS

    words = _words(X)
    readers: dict[str, Callable[[], int]] = {"np.sum, 1 thread": lambda: int(words.sum())}
    for chunk in CHUNKS:
        for streams, kernel in KERNELS.items():
            name = f"chunks of {chunk * 8 >> 10} KiB, {streams} streams per thread"
            readers[name] = _reader(words, kernel, chunk)
    return readers


def fastest_read(
    X: np.ndarray[Any, Any], *, rounds: int, pause: float = 0.05
) -> tuple[str, Callable[[], int], Comparison]:
    """The fastest of `parallel_readers`, all of which are timed in turns.

    Returns
    -------
    name : str
    read : callable
    comparison : Comparison
        Of all of them.
    """
    readers = parallel_readers(X)
    comparison = compare(
        readers, rounds=rounds, error=lambda a, b: float(a != b), tolerance=0.0, pause=pause
    )
    name = min(readers, key=comparison.median)
    return name, readers[name], comparison
