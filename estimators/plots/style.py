"""The look that the pictures share, and the axes they are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

INK, MUTED, GRID, EDGE = "#1f2933", "#66727f", "#e4e8ec", "#b8c0c8"
# Told apart by people who see no red or no green, too.
COLOURS = ("#1f6fb2", "#d9662b", "#3c8d5a", "#8a5aa8", "#b08a1e", "#4aa3b8", "#b0486b", "#66727f")
# Of the largest and the smallest cost, from which on a logarithmic axis shows more.
LOG_RATIO = 10.0


def axes_for(ax: Any, width: float = 6.4, height: float = 4.2) -> Any:
    """The axes given, left as they look, or new ones in the look of the house.

    Raises
    ------
    ModuleNotFoundError
        Where matplotlib is not installed; it says how to install it.
    TypeError
        For anything that is not one matplotlib Axes.
    """
    if ax is not None:
        if not hasattr(ax, "plot") or not hasattr(ax, "set_xlabel"):
            message = f"ax must be one matplotlib Axes, not {type(ax).__name__}."
            raise TypeError(message)
        return ax
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "matplotlib":
            raise
        message = 'xpfit.plots needs matplotlib: pip install "xpfit[plot]".'
        raise ModuleNotFoundError(message, name="matplotlib") from problem
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(which="both", colors=MUTED, labelsize=9)
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(EDGE)
    return axes


def name_axes(axes: Any, x: str, y: str, title: str = "") -> None:
    """Say what is shown; a title that is there already stays."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title and not axes.get_title(loc="left") and not axes.get_title():
        axes.set_title(title, loc="left", fontsize=11, color=INK)


def legend(axes: Any, **more: Any) -> None:
    """A legend of what has a label, without a frame."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(**{"frameon": False, "fontsize": 9, "labelcolor": INK, **more})


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


def plain(text: object) -> str:
    """A label in which matplotlib reads no mathematics, and which it does not hide.

    Examples
    --------
    >>> plain("_price in $")
    ' _price in \\\\$'
    """
    shown = str(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
