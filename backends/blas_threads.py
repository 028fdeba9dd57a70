"""One thread of BLAS for small matrices, for as long as somebody is working on one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_users = 0
_limit: Any = None


@functools.cache
def _controller() -> Any:
    # Finding the libraries takes milliseconds, setting their threads 20 microseconds. SciPy brings
    # a BLAS of its own, which is found only once it is loaded.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Let BLAS work on one thread inside the block.

    The setting belongs to the whole process: the first to enter makes it, the last to leave takes
    it back, so that fits in several threads leave it as it was.

    Examples
    --------
    >>> from xpfit.backends.blas_threads import single_blas_thread
    >>> with single_blas_thread():
    ...     pass
    """
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
