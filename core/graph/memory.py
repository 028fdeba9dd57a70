"""What reverse mode holds in memory, operation by operation.

tracemalloc sees what NumPy allocates. A sample is taken whenever a node was made or gone through;
at other times nothing is asked, so that a gradient that nobody profiles costs what it did.
"""

from __future__ import annotations

import functools
import gc
import threading
import tracemalloc
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..optimizers.tree import leaves
from .memory_records import MemoryComparison, MemoryProfile
from .node import Node, each_node_calls
from .reverse import watched
from .transforms import value_and_grad

Function = Callable[..., Any]
# tracemalloc, and the numbers of nodes, are one for the process.
_one_at_a_time = threading.RLock()


class _Samples:
    """Bytes after each operation of the thread that made it."""

    def __init__(self) -> None:
        # Not lists of numbers, which would show in what is measured.
        self.held, self.most, self.n_forward = array("q"), array("q"), 0
        self._thread, self._base = threading.get_ident(), 0
        self._is_backward = False

    def start(self) -> None:
        # The boxes of the arguments are made before, and are no operations.
        self.held, self.most = array("q"), array("q")
        self._base = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        self.after_operation()

    def after_operation(self) -> None:
        if threading.get_ident() != self._thread:
            return
        held, most = tracemalloc.get_traced_memory()
        self.held.append(held - self._base)
        self.most.append(most - self._base)
        tracemalloc.reset_peak()

    def forward_ended(self) -> None:
        """What the function itself still held is gone."""
        held, most = tracemalloc.get_traced_memory()
        self.held[-1] = held - self._base
        self.most[-1] = max(self.most[-1], most - self._base)
        tracemalloc.reset_peak()
        self.n_forward = len(self.held) - 1

    def before_pull(self, node: Node, g: Any) -> None:
        # A leaf is no operation; and before the first one, none was done.
        if node.primitive is not None:
            if self._is_backward:
                self.after_operation()
            self._is_backward = True

    def end(self) -> None:
        if self._is_backward:
            self.after_operation()


def memory_profile(function: Function, *arguments: Any, argnums: Any = 0) -> MemoryProfile:
    """What `grad(function)(*arguments)` holds in memory, operation by operation.

    The gradient is computed twice: the first time fills caches, which do not belong to it. Sizes
    contain the nodes themselves, some 500 bytes each, and not the arguments. Other threads should
    not allocate meanwhile: tracemalloc is one for the process.

    Parameters
    ----------
    function : callable
        Returns one number.
    *arguments : NumPy arrays, numbers, or trees of them
    argnums : int or sequence of int
        As of `grad`.

    Returns
    -------
    MemoryProfile
        With `kept` and `peak` in bytes; `print(profile)` is a table, `profile.plot()` a picture.

    Raises
    ------
    TypeError
        For arrays of another library, whose memory tracemalloc does not see.

    Examples
    --------
    >>> from xpfit.core.graph import memory_profile, namespace
    >>> xp = namespace(np)
    >>> profile = memory_profile(lambda x: xp.sum(xp.exp(xp.sin(x))), np.ones(10_000))
    >>> profile.n_operations, round(profile.kept / 80_000)  # sin(x) and exp(sin(x))
    (6, 2)
    """
    _require_numpy(arguments)
    samples = _Samples()

    @functools.wraps(function)
    def followed(*own: Any, **options: Any) -> Any:
        samples.start()
        result = function(*own, **options)
        samples.forward_ended()
        return result

    value_and_grad(function, argnums)(*arguments)
    differentiated = value_and_grad(followed, argnums)
    gc.collect()
    with _one_at_a_time:
        was_tracing = tracemalloc.is_tracing()
        if not was_tracing:
            tracemalloc.start()
        try:
            with each_node_calls(samples.after_operation), watched(samples.before_pull):
                result = differentiated(*arguments)
            samples.end()
            del result
        finally:
            if not was_tracing:
                tracemalloc.stop()
    held, most = (np.array(own, dtype=np.int64) for own in (samples.held, samples.most))
    return MemoryProfile(held, most, samples.n_forward)


def compare_memory(
    functions: Mapping[str, Function], *arguments: Any, argnums: Any = 0
) -> MemoryComparison:
    """The memory profiles of several functions on the same arguments, in one table and picture.

    Parameters
    ----------
    functions : dict of str to callable
    *arguments, argnums
        As of `memory_profile`.

    Raises
    ------
    ValueError
        For no function.

    Examples
    --------
    >>> from xpfit.core.graph import checkpoint, compare_memory, namespace
    >>> xp = namespace(np)
    >>> def piece(x):
    ...     return xp.exp(xp.sin(x))
    >>> found = compare_memory(
    ...     {
    ...         "kept": lambda x: xp.sum(piece(x)),
    ...         "checkpointed": lambda x: xp.sum(checkpoint(piece)(x)),
    ...     },
    ...     np.ones(10_000),
    ... )
    >>> [round(profile.kept / 80_000) for profile in found.profiles.values()]
    [2, 1]
    """
    if not functions:
        message = "compare_memory was given no function. Give it a dict of names and functions."
        raise ValueError(message)
    return MemoryComparison(
        {
            name: memory_profile(function, *arguments, argnums=argnums)
            for name, function in functions.items()
        }
    )


def _require_numpy(arguments: Any) -> None:
    for value in leaves(arguments):
        if hasattr(value, "dtype") and not isinstance(value, np.ndarray | np.generic):
            message = (
                f"memory_profile was given an array of type {type(value).__module__}."
                f"{type(value).__name__}: tracemalloc, which it counts with, does not see the "
                "memory of that library. Profile the function on NumPy arrays of the same shapes; "
                "the graph keeps the same values on every library."
            )
            raise TypeError(message)
