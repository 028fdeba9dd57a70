"""One pool of threads for all kernels. They release the GIL, so plain Python threads suffice.

`@njit(parallel=True)` was as fast, but took three times as long to compile, needs a threading
layer (whose default aborts the process when two threads use it at once), and does not fix the
order of its sums.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    # Threads do not survive a fork: the child makes its own pool when it needs one.
    global _pool, _lock
    _pool = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def n_threads() -> int:
    """Threads to use: XPFIT_NUM_THREADS, else the cores this process may run on.

    Raises
    ------
    ValueError
        Where XPFIT_NUM_THREADS is not a whole number of at least 1.
    """
    text = os.environ.get("XPFIT_NUM_THREADS", "").strip()
    if text:
        if not text.isdigit() or int(text) < 1:
            message = (
                f"XPFIT_NUM_THREADS={text!r} (environment variable) is not a whole number of at "
                "least 1. Set it to the number of threads, or unset it for one per core."
            )
            raise ValueError(message)
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_on_threads(work: Callable[[], None], most: int) -> None:
    """Run `work` at the same time on up to `most` threads, of which this is one.

    `work` takes pieces from a shared counter until none is left, so a thread that starts late
    finds nothing to do and a busy pool cannot hold up the caller for long.
    """
    global _pool
    others = min(most, n_threads()) - 1
    if others < 1:
        work()
        return
    with _lock:
        if _pool is None or _pool._max_workers < others:
            _pool = ThreadPoolExecutor(others, thread_name_prefix="xpfit")
        pool = _pool
    futures = [pool.submit(work) for _ in range(others)]
    try:
        work()
    finally:
        for future in futures:
            future.result()
