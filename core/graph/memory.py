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
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..optimizers.tree import leaves
from ..pictures import COLOURS, INK, MUTED, axes_for, legend, name_axes, plain
from ..text_table import bytes_text, text_table
from .node import Node, each_node_calls
from .reverse import watched
from .transforms import value_and_grad

Function = Callable[..., Any]
Bytes = np.ndarray[Any, np.dtype[np.int64]]

# tracemalloc, and the numbers of nodes, are one for the process.
_one_at_a_time = threading.RLock()


@dataclass(frozen=True, repr=False)
class MemoryProfile:
    """The memory of one gradient, beside its arguments; made by `memory_profile`.

    Attributes
    ----------
    held : array of shape (n_operations + 1,), int64
        Bytes after each operation; at first, before all of them. An operation is a node made, or
        one gone through backward.
    most : array of shape (n_operations + 1,), int64
        The most bytes at any time since the operation before.
    n_forward : int
        How many operations the forward pass has.
    """

    held: Bytes
    most: Bytes
    n_forward: int

    @property
    def kept(self) -> int:
        """Bytes at the end of the forward pass: what was kept for the backward pass."""
        return int(self.held[self.n_forward])

    @property
    def peak(self) -> int:
        """The most bytes at any time."""
        return int(self.most.max())

    @property
    def n_operations(self) -> int:
        """Of both passes."""
        return len(self.held) - 1

    def __str__(self) -> str:
        n, rest = self.n_forward, self.n_operations - self.n_forward
        rows = [
            _row("forward", n, self.held[n], self.most[: n + 1].max()),
            # Of a function of constants, nothing is gone through.
            _row("backward", rest, self.held[-1], self.most[n:].max()),
        ]
        return text_table(["pass", "operations", "held at its end", "peak"], rows)

    __repr__ = __str__

    def plot(self, ax: Any = None) -> Any:
        """Draw the bytes held against the operations done.

        Parameters
        ----------
        ax : matplotlib Axes or None

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ModuleNotFoundError
            Where matplotlib is not installed.

        Examples
        --------
        >>> axes = memory_profile(lambda x: x @ (2.0 * x), np.ones(1000)).plot()
        >>> axes.get_ylabel()
        'memory held'
        """
        return _plotted({"": self}, ax)


@dataclass(frozen=True, repr=False)
class MemoryComparison:
    """Profiles of several functions on the same arguments; made by `compare_memory`.

    Attributes
    ----------
    profiles : dict of str to MemoryProfile
    """

    profiles: Mapping[str, MemoryProfile]

    def __str__(self) -> str:
        first = next(iter(self.profiles.values())).peak
        rows = [
            [*_row(name, own.n_operations, own.kept, own.peak), f"{own.peak / max(first, 1):.2f}"]
            for name, own in self.profiles.items()
        ]
        head = ["", "operations", "kept for the backward pass", "peak", "share of the first"]
        return text_table(head, rows)

    __repr__ = __str__

    def plot(self, ax: Any = None) -> Any:
        """As `MemoryProfile.plot`, a line for each function."""
        return _plotted(self.profiles, ax)


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


def _row(name: str, n: int, held: Any, peak: Any) -> list[str]:
    # The first operation may free what was there before.
    return [name, f"{n:,}", bytes_text(max(int(held), 0)), bytes_text(max(int(peak), 0))]


def _plotted(profiles: Mapping[str, MemoryProfile], ax: Any) -> Any:
    axes = axes_for(ax, who="xpfit.core.graph.memory_profile")
    from matplotlib.ticker import FuncFormatter

    for i, (name, own) in enumerate(profiles.items()):
        colour = COLOURS[i % len(COLOURS)]
        label = f"{plain(name)}, peak {bytes_text(own.peak)}" if name else ""
        axes.plot(own.held, color=colour, linewidth=1.6, label=label)
        axes.plot(own.n_forward, own.kept, "o", color="white", markeredgecolor=colour, zorder=3)
    axes.plot([], [], "o", color="white", markeredgecolor=MUTED, label="end of the forward pass")
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(round(value))))
    name_axes(axes, "operations done", "memory held")
    legend(axes, labelcolor=INK)
    return axes
