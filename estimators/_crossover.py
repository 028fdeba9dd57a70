"""From which size of X on `auto` takes Numba: measured by `xpfit bench`, kept in the cache folder.

Below it, importing Numba and handing work to threads cost more than a fused pass saves.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from pathlib import Path

from ..backends.cache import cache_folder

# Stored elements of X, where nothing was measured. Passes are level with NumPy's from 500 elements
# on (0.9 to 1.0 of the time), but importing Numba takes longer than small fits.
DEFAULT = 30_000
_LEAST, _MOST = 1_000, 10_000_000


def crossover_file() -> Path:
    """Where the measurement is kept; another number of cores has a file of its own."""
    return cache_folder() / f"crossover-{os.cpu_count()}-cores.json"


def save_crossover(elements: float) -> Path:
    """Keep a measured crossover, within bounds that no machine should exceed.

    Parameters
    ----------
    elements : float
        Numbers of X from which on Numba was faster; infinite where it never was.
    """
    path = crossover_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    bounded = int(min(max(elements, _LEAST), _MOST))
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
    >>> 1_000 <= auto_crossover() <= 10_000_000
    True
    """
    # A file that is not there, or not ours, is no reason to fail a fit.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        elements = json.loads(crossover_file().read_text("utf-8"))["elements"]
        if isinstance(elements, int) and _LEAST <= elements <= _MOST:
            return elements
    return DEFAULT
