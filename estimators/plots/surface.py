"""The cost as a surface over two parameters, and the path of a descent on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._cost import FittedCost, coefficients_of, column_index, column_names, cost_of
from .path import DescentPath
from .style import COLOURS, axes_for, legend, name_axes, plain

WHO = "plot_loss_surface"
INTERCEPT = "intercept"
N_LEVELS = 14
# Of the range of the path, around it; of the size of a parameter, where there is no path.
MARGIN, REACH = 0.25, 1.5
# The lowest contour, as a share of the range of costs in the picture.
LOWEST = 1e-3


class _Axis(NamedTuple):
    column: int  # of coef and then the intercept
    name: str
    values: np.ndarray[Any, Any]  # shape=(resolution,)


def plot_loss_surface(
    model: Any, X: Any, y: Any, ax: Any = None, path: Any = None, *,
    features: tuple[int | str, int | str] | None = None, sample_weight: Any = None,
    limits: Any = None, resolution: int = 60,
) -> Any:  # fmt: skip
    """Contours of the cost over two parameters of a fitted model, and the path of descent on them.

    The cost is the one that the fit lowered, penalty included, computed on X and y. Further
    parameters stay at their fitted values: the picture is then a slice through the solution, on
    which a path of more than two parameters is drawn as its shadow.

    Parameters
    ----------
    model : fitted linear model of one output
        LinearRegression, Ridge, LogisticRegression (two classes), SGDClassifier, SGDRegressor or a
        generalized linear model.
    X, y : array-like
        The data of the fit.
    ax : matplotlib Axes or None
    path : DescentPath or None
        As recorded by `callbacks=DescentPath()` during the fit.
    features : pair of column numbers, names, or "intercept"
        The two parameters. Default: both coefficients of two columns, coefficient and intercept of
        one.
    sample_weight : array-like of shape (n_samples,) or None
        As in the fit.
    limits : ((low, high), (low, high)) or None
        Of the two parameters; default: what the path needs.
    resolution : int
        Points of the grid along each axis.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    sklearn.exceptions.NotFittedError
    ValueError, TypeError
        For unknown parameters, several outputs, an empty path, or one of another model.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import DescentPath, SGDRegressor, plots
    >>> X, path = np.array([[-1.0], [0.0], [1.0]]), DescentPath()
    >>> model = SGDRegressor(learning_rate="constant", eta0=0.1, batch_size=3, max_iter=50,
    ...                      tol=None, callbacks=path).fit(X, np.array([-1.0, 1.0, 3.0]))
    >>> axes = plots.plot_loss_surface(model, X, np.array([-1.0, 1.0, 3.0]), path=path)
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('coefficient of x0', 'intercept')
    """
    cost = cost_of(model, X, y, sample_weight, who=WHO)
    if resolution < 2:
        message = f"{WHO}: resolution must be at least 2, got {resolution}."
        raise ValueError(message)
    chosen = _chosen(model, cost, features)
    solution = np.append(*coefficients_of(model))
    trail = _trail(path, solution.size)
    names = [*(f"coefficient of {name}" for name in column_names(model)), INTERCEPT]
    ends = _limits(limits) or [
        _span(solution[k], None if trail is None else trail[:, k]) for k in chosen
    ]
    pair = [
        _Axis(k, names[k], np.linspace(*end, resolution))
        for k, end in zip(chosen, ends, strict=True)
    ]
    axes = axes_for(ax, 6.2, 4.8)
    axes.grid(False)
    _draw_contours(axes, cost, solution, pair)
    if trail is not None:
        _draw_path(axes, trail[:, chosen])
    axes.plot(
        *solution[chosen], "*", color=COLOURS[1], markersize=13, markeredgecolor="white",
        label="fitted", linestyle="none",
    )  # fmt: skip
    axes.set_xlim(*ends[0])
    axes.set_ylim(*ends[1])
    name_axes(axes, plain(pair[0].name), plain(pair[1].name))
    legend(axes, frameon=True, framealpha=0.85, edgecolor="none")
    return axes


def _chosen(model: Any, cost: FittedCost, features: Any) -> list[int]:
    d = cost.X.shape[1]
    if features is None:
        if d == 1 and cost.fit_intercept:
            return [0, 1]
        if d == 2:
            return [0, 1]
        message = (
            f"{WHO}: the model has {d} coefficients. Say which two parameters to show, e.g. "
            "features=(0, 1) or features=(0, 'intercept')."
        )
        raise ValueError(message)
    if isinstance(features, str) or len(features) != 2:
        message = f"{WHO}: features must be a pair, such as (0, 'intercept'), got {features!r}."
        raise ValueError(message)
    found = []
    for feature in features:
        known = [str(name) for name in getattr(model, "feature_names_in_", ())]
        if feature == INTERCEPT and INTERCEPT not in known:
            if not cost.fit_intercept:
                message = f"{WHO}: the model has no intercept (fit_intercept=False)."
                raise ValueError(message)
            found.append(d)
        else:
            found.append(column_index(model, feature, WHO))
    if found[0] == found[1]:
        message = f"{WHO}: features={features!r} names the same parameter twice."
        raise ValueError(message)
    return found


def _trail(path: Any, size: int) -> np.ndarray[Any, Any] | None:
    """The path as (n_points, n_features + 1)."""
    if path is None:
        return None
    if not isinstance(path, DescentPath):
        message = f"{WHO}: path must be a DescentPath, not {type(path).__name__}."
        raise TypeError(message)
    if len(path) == 0:
        message = f"{WHO}: the path is empty. Fit with callbacks=path first."
        raise ValueError(message)
    coef, intercept = path.coef_, path.intercept_
    if coef.shape[1:] != (size - 1, 1):
        message = (
            f"{WHO}: the path has {coef.shape[1]} columns and {coef.shape[2]} output(s), the model "
            f"{size - 1} and 1. Pass the path of this model."
        )
        raise ValueError(message)
    return np.concatenate([coef[:, :, 0], intercept], axis=1)


def _limits(limits: Any) -> list[tuple[float, float]] | None:
    if limits is None:
        return None
    ends = np.asarray(limits, dtype=float)
    if ends.shape != (2, 2) or not np.all(np.isfinite(ends)) or not np.all(ends[:, 0] < ends[:, 1]):
        message = f"{WHO}: limits must be ((low, high), (low, high)), got {limits!r}."
        raise ValueError(message)
    return [(float(low), float(high)) for low, high in ends]


def _span(centre: float, along: Any) -> tuple[float, float]:
    reach = REACH * max(abs(centre), 0.5)
    if along is None:
        return centre - reach, centre + reach
    low, high = min(centre, along.min()), max(centre, along.max())
    if not high > low:
        low, high = centre - reach, centre + reach
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def _draw_contours(axes: Any, cost: FittedCost, solution: Any, pair: list[_Axis]) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patheffects import withStroke

    first, second = np.meshgrid(pair[0].values, pair[1].values)
    points = np.repeat(solution[None, :], first.size, axis=0)
    points[:, pair[0].column], points[:, pair[1].column] = first.ravel(), second.ravel()
    costs = cost.at(points[:, :-1], points[:, -1]).reshape(first.shape)
    low = float(cost.at(solution[None, :-1], solution[-1:])[0])
    low, high = min(low, float(costs.min())), float(costs[np.isfinite(costs)].max())
    if not high > low:
        message = f"{WHO}: the cost is the same everywhere in this plane; there is nothing to show."
        raise ValueError(message)
    levels = low + (high - low) * np.geomspace(LOWEST, 1.0, N_LEVELS)
    shades = LinearSegmentedColormap.from_list("cost", ["#ffffff", "#d3e4f2", "#7fb0d8"])
    filled = np.concatenate([[low], levels])
    # The levels grow by a constant factor: a shade for each shows the valley and the slopes.
    colours = shades(np.linspace(0.0, 1.0, N_LEVELS))
    axes.contourf(first, second, costs, levels=filled, colors=colours)
    drawn = axes.contour(first, second, costs, levels=levels[:-1], colors="#7f93a6", linewidths=0.6)
    labels = axes.clabel(drawn, levels[2:-1:3], fontsize=7.5, fmt="%.3g", colors="#44525f")
    for label in labels:  # above the path
        label.set(zorder=4, path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.8)])


def _draw_path(axes: Any, trail: np.ndarray[Any, Any]) -> None:
    marker = "o" if len(trail) <= 80 else ""
    axes.plot(
        trail[:, 0], trail[:, 1], "-", color=COLOURS[0], marker=marker, markersize=3.5,
        linewidth=1.3, label="descent",
    )  # fmt: skip
    axes.plot(
        *trail[0], "o", color="white", markeredgecolor=COLOURS[0], markersize=8, label="start",
        linestyle="none",
    )  # fmt: skip
