"""The look that pictures share, and the axes they are drawn on; matplotlib is imported late."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID, EDGE = "#1f2933", "#66727f", "#e4e8ec", "#b8c0c8"
# Told apart by people who see no red or no green, too.
COLOURS = ("#1f6fb2", "#d9662b", "#3c8d5a", "#8a5aa8", "#b08a1e", "#4aa3b8", "#b0486b", "#66727f")


def axes_for(ax: Any, width: float = 6.4, height: float = 4.2, who: str = "xpfit.plots") -> Any:
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
        message = f'{who} needs matplotlib: pip install "xpfit[plot]".'
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


def plain(text: object) -> str:
    """A label in which matplotlib reads no mathematics, and which it does not hide.

    Examples
    --------
    >>> plain("_price in $")
    ' _price in \\\\$'
    """
    shown = str(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
