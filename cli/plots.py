"""Pictures of the report, as SVG text drawn by matplotlib: the frame, the solver, the model.

Figures are made without pyplot: no global state, no window, no backend to choose.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fitting import Step

INK, MUTED, GRID = "#1f2933", "#66727f", "#e4e8ec"
BLUE, ORANGE, GREEN = "#1f6fb2", "#d9662b", "#3c8d5a"
# figure widths in inches at 96 pixels: a full row of the page, and half of one
FULL, HALF = 9.2, 4.5

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Segoe UI", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": "#b8c0c8",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    # text stays text: it takes the font of the page, can be searched, and the file is smaller
    "svg.fonttype": "none",
}


@contextmanager
def new_figure(width: float, height: float) -> Iterator[tuple[Any, Any, list[str]]]:
    """Yield a figure, its axes, and a list that receives the SVG text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn: list[str] = []
    style: Any = {**_STYLE, "svg.hashsalt": "xpfit"}
    with mpl.rc_context(style), _unsaid_substitutes():
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        yield figure, axes, drawn
        stream = io.StringIO()
        figure.savefig(stream, format="svg", dpi=150, transparent=True, metadata={"Date": None})
        text = stream.getvalue()
        drawn.append(text[text.index("<svg") :])


@contextmanager
def _unsaid_substitutes() -> Iterator[None]:
    """Keep matplotlib from saying, a line each, which fonts it takes for others.

    Its formulas (10⁻³ on an axis) ask for a score of fonts that few need, and not every machine has
    all; the page names the fonts of its text anew.
    """

    def is_serious(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    # A filter for as long as it is drawn: the level of the logger is the user's to set.
    logger = logging.getLogger("matplotlib.font_manager")
    logger.addFilter(is_serious)
    try:
        yield
    finally:
        logger.removeFilter(is_serious)


def plain(text: str, limit: int = 44) -> str:
    """Shorten a label, and keep matplotlib from reading ``$`` as mathematics.

    Examples
    --------
    >>> plain("a" * 50, limit=5)
    'aaaa…'
    """
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return short.replace("$", r"\$")


def loss_curve(history: Sequence[Step]) -> str:
    """Loss above its best value, against passes over the data.

    Parameters
    ----------
    history : sequence of Step
        At least two.
    """
    passes = np.array([step.n_passes for step in history])
    loss = np.array([step.loss for step in history])
    gap = loss - loss.min()
    with new_figure(HALF, 3.0) as (_, axes, drawn):
        axes.semilogy(passes, np.where(gap > 0, gap, np.nan), "o-", color=BLUE, markersize=4)
        axes.set_xlim(0, passes[-1] + 1)
        axes.set_title(f"Loss above its best value, {loss.min():.6g}")
        axes.set_xlabel("passes over the data")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return drawn[0]


def gradient_curve(history: Sequence[Step]) -> str:
    """Norm of the gradient, against passes over the data.

    Parameters
    ----------
    history : sequence of Step
        At least two.
    """
    passes = np.array([step.n_passes for step in history])
    norms = np.array([step.gradient_norm for step in history])
    with new_figure(HALF, 3.0) as (_, axes, drawn):
        axes.semilogy(passes, np.where(norms > 0, norms, np.nan), "o-", color=ORANGE, ms=4)
        axes.set_xlim(0, passes[-1] + 1)
        axes.set_title("Norm of the gradient")
        axes.set_xlabel("passes over the data")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return drawn[0]


def coefficients(names: Sequence[str], values: NDArray[np.float64], ratio: str) -> str:
    """Horizontal bars of the strongest coefficients.

    Parameters
    ----------
    names : sequence of str
        Strongest first.
    values : ndarray
        Coefficients, on the scale of the encoded columns.
    ratio : str
        What ``exp(coefficient)`` is; empty where only the coefficient itself means something.
    """
    height = 0.9 + 0.27 * len(names)
    shown = np.exp(values) if ratio else values
    origin = 1.0 if ratio else 0.0
    with new_figure(FULL, height) as (_, axes, drawn):
        colours = [ORANGE if value > 0 else BLUE for value in values]
        at = np.arange(len(names))
        axes.barh(at, shown - origin, left=origin, color=colours, height=0.66)
        if ratio:
            axes.set_xscale("log")
            ticks_as_numbers(axes, float(shown.min()), float(shown.max()))
        for y, value in zip(at, shown, strict=True):
            right = value > origin
            axes.annotate(
                f"{value:.3g}",
                (value, y),
                (4 if right else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if right else "right",
                size=8,
                color=MUTED,
            )
        axes.margins(x=0.1, y=0.02)
        axes.axvline(origin, color=INK, lw=1)
        axes.set_yticks(at, [plain(name) for name in names], color=INK, size=9)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set_xlabel(ratio or "change of the prediction")
    return drawn[0]


def ticks_as_numbers(axes: Any, low: float, high: float) -> None:
    """Label a logarithmic axis 0.5, 1, 2 rather than powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    span = high / low
    steps: tuple[float, ...] = (1,) if span > 1000 else (1, 2, 5)
    if span < 10:
        steps = (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
    low, high = low / span**0.1, high * span**0.1
    marks = [step * 10.0**power for power in range(-12, 13) for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([m for m in marks if low <= m <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def try_draw(draw: Callable[[], str]) -> str | None:
    """Draw, or return ``None`` where matplotlib is not installed."""
    try:
        return draw()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return None
