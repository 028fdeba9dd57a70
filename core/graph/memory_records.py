"""Memory over the operations of a gradient, as records, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..pictures import COLOURS, MUTED, axes_for, legend, name_axes, plain
from ..text_table import bytes_text, text_table

Bytes = np.ndarray[Any, np.dtype[np.int64]]


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
        >>> from xpfit.core.graph import memory_profile
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
    # Room above for the legend: below, lines rise and fall everywhere.
    highest = max(int(own.held.max()) for own in profiles.values())
    axes.set_ylim(0.0, max(highest, 1) * (1.2 + 0.08 * len(profiles)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(round(value))))
    name_axes(axes, "operations done", "memory held")
    legend(axes, loc="upper left")
    return axes
