"""Coefficients against the strength of the penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._inputs import name_of
from ..paths import RegularizationPath
from .style import COLOURS, EDGE, INK, MUTED, axes_for, label_decimally, name_axes, plain

# Room that a name takes, as a share of the height of the axes.
LINE_HEIGHT = 0.058
# Numbers of columns that the upper axis tells at the most.
MOST_COUNTS = 8


def plot_regularization_path(
    path: Any, ax: Any = None, *, top: int = 8, chosen: float | None = None, output: Any = None
) -> Any:
    """Coefficients at each strength of the penalty, strong to weak from left to right.

    The columns with the largest coefficients, at the chosen strength or else at the weakest, are
    coloured and named, others are grey. The upper axis counts the columns with a coefficient.

    Parameters
    ----------
    path : RegularizationPath
        Coefficients are comparable where columns have one scale: standardize them first.
    ax : matplotlib Axes or None
        Where to draw; a new figure otherwise.
    top : int
        How many columns are named.
    chosen : float or None
        A value of the path's parameter to mark, such as `alpha_` or `C_`.
    output : class label or None
        For three classes or more: whose coefficients. None draws the length of each column's
        coefficients over all classes.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        For anything that is no RegularizationPath, a `chosen` that is not positive, a negative
        `top`, and an `output` that is no class.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from xpfit import Lasso, plots, regularization_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> axes = plots.plot_regularization_path(regularization_path(Lasso(), X, y, n_strengths=20))
    >>> axes.get_xlabel(), len(axes.texts)
    ('alpha: strong to weak penalty', 8)
    """
    if not isinstance(path, RegularizationPath):
        message = (
            f"plot_regularization_path was given {name_of(path)}. Pass what "
            "xpfit.regularization_path returns."
        )
        raise TypeError(message)
    if top < 0 or (chosen is not None and not chosen > 0.0):
        message = (
            f"plot_regularization_path: {top=}, {chosen=}. Name no fewer than 0 columns, and mark "
            f"a positive {path.parameter}."
        )
        raise ValueError(message)
    curves, what = _curves(path, output)
    axes = axes_for(ax)
    axes.set_xscale("log")
    axes.axhline(0.0, color=EDGE, linewidth=1.0, zorder=1)
    at = -1 if chosen is None else int(np.argmin(np.abs(np.log(path.values / chosen))))
    # Ties in the order of the columns.
    named = np.argsort(-np.abs(curves[at]), kind="stable")[:top]
    named = named[curves[at][named] != 0.0]
    marker = "o" if len(path) < 2 else ""
    for column in np.setdiff1d(np.arange(curves.shape[1]), named):
        axes.plot(path.values, curves[:, column], color=EDGE, linewidth=1.0, marker=marker)
    for rank, column in enumerate(named):
        colour = COLOURS[rank % len(COLOURS)]
        axes.plot(path.values, curves[:, column], color=colour, linewidth=1.6, marker=marker)
    _frame(axes, path, curves, chosen)
    _name_ends(axes, path, curves, named)
    _count_above(axes, path)
    name_axes(axes, f"{path.parameter}: strong to weak penalty", what)
    return axes


def _curves(path: RegularizationPath, output: Any) -> tuple[np.ndarray[Any, Any], str]:
    """(n_strengths, n_features), and what they are."""
    if path.coefs.ndim == 2 and output is None:
        return path.coefs, "coefficient"
    labels = [] if path.classes is None or path.coefs.ndim == 2 else path.classes.tolist()
    if output is None:
        return np.sqrt(np.sum(path.coefs**2, axis=1)), "length of the coefficients over classes"
    if output not in labels:
        known = ", ".join(map(repr, labels[:10])) or "there is one output alone: leave it out"
        message = f"plot_regularization_path: output={output!r} is no class of the path ({known})."
        raise ValueError(message)
    return path.coefs[:, labels.index(output)], plain(f"coefficient for {output}")


def _frame(axes: Any, path: RegularizationPath, curves: Any, chosen: float | None) -> None:
    values = [*path.values, *([] if chosen is None else [chosen])]
    low, high = min(values), max(values)
    margin = (high / low) ** 0.02 if high > low else 2.0
    left, right = low / margin, high * margin
    axes.set_xlim(*((right, left) if path.parameter == "alpha" else (left, right)))
    bottom, top = min(0.0, float(curves.min())), max(0.0, float(curves.max()))
    room = 0.05 * (top - bottom) or 1.0
    axes.set_ylim(bottom - room, top + room)
    label_decimally(axes.xaxis, high / low)
    if chosen is not None:
        axes.axvline(chosen, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        share = axes.transAxes.inverted().transform(axes.transData.transform((chosen, 0.0)))[0]
        axes.annotate(
            f"{path.parameter} = {chosen:.3g}", (chosen, 1.0), xycoords=("data", "axes fraction"),
            xytext=(-4 if share > 0.5 else 4, -4), textcoords="offset points", va="top",
            ha="right" if share > 0.5 else "left", fontsize=9, color=INK,
        )  # fmt: skip


def _name_ends(axes: Any, path: RegularizationPath, curves: Any, named: Any) -> None:
    """Names at the weak end, moved apart so that none lies on another."""
    names = path.feature_names or [f"x{column}" for column in range(curves.shape[1])]
    bottom, top = axes.get_ylim()
    heights = (curves[-1][named] - bottom) / (top - bottom)
    for rank, height in zip(*_apart(heights), strict=True):
        column, colour = named[rank], COLOURS[rank % len(COLOURS)]
        axes.annotate(
            plain(names[column]), (path.values[-1], curves[-1][column]),
            xytext=(1.04, height), textcoords="axes fraction", va="center", fontsize=9,
            color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 2,
                        "shrinkB": 0},
        )  # fmt: skip


def _apart(heights: Any) -> tuple[list[int], list[float]]:
    """Positions from the lowest up, and heights near the wanted ones that are a line apart."""
    order = [int(k) for k in np.argsort(heights, kind="stable")]
    placed: list[float] = []
    groups: list[list[float]] = []  # wanted heights of names that touch
    for rank in order:
        groups.append([float(heights[rank])])
        while len(groups) > 1 and _lowest(groups[-1]) < _highest(groups[-2]) + LINE_HEIGHT:
            groups[-2:] = [groups[-2] + groups[-1]]
    for group in groups:
        placed += [_lowest(group) + k * LINE_HEIGHT for k in range(len(group))]
    return order, placed


def _lowest(group: list[float]) -> float:
    return sum(group) / len(group) - 0.5 * LINE_HEIGHT * (len(group) - 1)


def _highest(group: list[float]) -> float:
    return _lowest(group) + LINE_HEIGHT * (len(group) - 1)


def _count_above(axes: Any, path: RegularizationPath) -> None:
    places = np.unique(np.linspace(0, len(path) - 1, MOST_COUNTS).round().astype(int))
    above = axes.secondary_xaxis("top")
    above.set_xticks(path.values[places], [str(count) for count in path.n_nonzero[places]])
    above.set_xticks([], minor=True)
    above.tick_params(colors=MUTED, labelsize=9, length=3)
    above.spines["top"].set_visible(False)
    above.set_xlabel("columns with a coefficient", fontsize=9, color=MUTED)
