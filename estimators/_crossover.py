"""From which size of X on `auto` takes Numba: measured by `xpfit bench`, kept in the cache folder.

A measurement can only raise it: what it cannot see is the import of Numba in every new process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
from pathlib import Path

from ..backends.cache import cache_folder
from ..backends.numba_kernels.threads import n_threads

# Stored elements of X, where nothing was measured, and the least that a measurement may set. Passes
# are level with NumPy's from 500 elements on (0.9 to 1.0 of the time), but importing Numba takes a
# quarter of a second: more than all fits of small data that most sessions make.
DEFAULT = 30_000
_MOST = 10_000_000


def crossover_file() -> Path:
    """Where the measurement is kept; other threads, processors or machines have another file."""
    name = f"{platform.node()}-{platform.machine()}-{n_threads()}-threads"
    return cache_folder() / f"crossover-{name}.json"


def save_crossover(elements: float) -> Path:
    """Keep a measured crossover, between 30,000 and 10,000,000.

    Parameters
    ----------
    elements : float
        Numbers of X from which on Numba was faster; infinite where it never was.
    """
    path = crossover_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    bounded = int(min(max(elements, DEFAULT), _MOST))
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"elements": bounded}), "utf-8")
    temporary.replace(path)
    auto_crossover.cache_clear()
    return path


@functools.cache
def auto_crossover() -> int:
    """Numbers of X from which on `auto` takes Numba: the measured one, else `DEFAULT`.

    Examples
    --------
    >>> from xpfit.estimators._crossover import auto_crossover
    >>> 30_000 <= auto_crossover() <= 10_000_000
    True
    """
    # A file that is not there, or not ours, is no reason to fail a fit.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        elements = json.loads(crossover_file().read_text("utf-8"))["elements"]
        if isinstance(elements, int) and DEFAULT <= elements <= _MOST:
            return elements
    return DEFAULT
