"""The look that the pictures of fits share: that of `core.pictures`, and axes for costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.pictures import COLOURS, EDGE, INK, MUTED, axes_for, legend, name_axes, plain

__all__ = [
    "COLOURS",
    "EDGE",
    "INK",
    "LOG_RATIO",
    "MUTED",
    "axes_for",
    "label_decimally",
    "legend",
    "name_axes",
    "plain",
    "scale_costs",
]

# Of the largest and the smallest cost, from which on a logarithmic axis shows more.
LOG_RATIO = 10.0


def scale_costs(axes: Any, costs: Sequence[Any]) -> None:
    """A logarithmic axis where costs are positive and span more than a factor of ten."""
    values = np.concatenate([np.asarray(c, dtype=float) for c in costs] or [np.empty(0)])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0.0 and values.max() > LOG_RATIO * values.min():
        axes.set_yscale("log")
        label_decimally(axes.yaxis, values.max() / values.min())


def label_decimally(axis: Any, span: float) -> None:
    """Write 0.05, 0.1, 0.2 on a logarithmic axis of a few decades, rather than powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if span > 1e4:
        return
    steps = (1.0, 2.0, 5.0) if span < 100.0 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
